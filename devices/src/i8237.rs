//! The two 8237A DMA controllers of a PC, with their page registers.
//!
//! Intel 8237A datasheet (231466); PC AT Technical Reference, "DMA
//! Controllers". The first controller moves bytes by channels 0 to 3, the
//! second 16-bit words by channels 5 to 7; its channel 4 cascades the first.
//!
//! Registers: 0 to Fh the first controller; 10h to 2Fh the second, whose
//! registers lie at even addresses; 30h to 3Fh the page registers (80h to 8Fh).
//!
//! A chip that wants to move data holds a [`DmaLine`]. The controllers move as
//! much as there is at once, when they are asked; a guest sees no cycle of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, byte_of_read, byte_of_write};
use crate::dma::Dma;
use crate::snapshot::{RestoreError, State};

#[cfg(test)]
mod tests;

const CHANNELS: usize = 8;
/// The channel by which the second controller passes the first one's requests on.
const CASCADE: usize = 4;
const PAGES: usize = 16;
/// The page register of each channel.
const PAGE_OF: [usize; CHANNELS] = [0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa];

/// What a channel does with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// Counts, but moves nothing.
    Verify,
    /// From the device to memory.
    Write,
    /// From memory to the device.
    Read,
}

/// One channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Channel {
    base_address: u16,
    base_count: u16,
    current_address: u16,
    current_count: u16,
    mode: u8,
    is_masked: bool,
    /// The guest requests it itself.
    software_request: bool,
    /// The device requests it.
    request: bool,
    reached_terminal_count: bool,
}

impl Channel {
    const fn direction(&self) -> Direction {
        match self.mode >> 2 & 3 {
            1 => Direction::Write,
            2 => Direction::Read,
            _ => Direction::Verify,
        }
    }

    const fn auto_initializes(&self) -> bool {
        self.mode & 0x10 != 0
    }

    const fn counts_down(&self) -> bool {
        self.mode & 0x20 != 0
    }

    /// Counts one transfer; true if it was the last.
    fn step(&mut self) -> bool {
        let by = if self.counts_down() { u16::MAX } else { 1 };
        self.current_address = self.current_address.wrapping_add(by);
        self.current_count = self.current_count.wrapping_sub(1);
        if self.current_count != u16::MAX {
            return false;
        }
        self.reached_terminal_count = true;
        self.software_request = false;
        if self.auto_initializes() {
            self.current_address = self.base_address;
            self.current_count = self.base_count;
        } else {
            self.is_masked = true;
        }
        true
    }
}

/// What both controllers hold, and devices use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Controllers {
    channels: [Channel; CHANNELS],
    pages: [u8; PAGES],
    /// The command register of each controller.
    commands: [u8; 2],
    /// The next byte of an address or count is the high one.
    flip_flops: [bool; 2],
}

impl Default for Controllers {
    fn default() -> Self {
        let mut controllers = Self {
            channels: Default::default(),
            pages: [0; PAGES],
            commands: [0; 2],
            flip_flops: [false; 2],
        };
        controllers.clear(0);
        controllers.clear(1);
        controllers
    }
}

/// How much a device could move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many bytes.
    pub bytes: usize,
    /// The last of them was the last that the guest wanted.
    pub terminal_count: bool,
}

impl Controllers {
    /// Master Clear.
    fn clear(&mut self, controller: usize) {
        self.commands[controller] = 0;
        self.flip_flops[controller] = false;
        for channel in &mut self.channels[controller * 4..controller * 4 + 4] {
            channel.is_masked = true;
            channel.software_request = false;
            channel.reached_terminal_count = false;
        }
    }

    /// Whether a channel would answer its device now.
    fn is_open(&self, number: usize) -> bool {
        let enabled = |controller: usize| self.commands[controller] & 4 == 0;
        let cascade = number >= 4 || enabled(1) && !self.channels[CASCADE].is_masked;
        enabled(number / 4) && !self.channels[number].is_masked && cascade
    }

    /// Where a channel's next transfer lies, and how wide it is.
    fn place(&self, number: usize) -> (u64, usize) {
        let page = u64::from(self.pages[PAGE_OF[number]]);
        let address = u64::from(self.channels[number].current_address);
        if number < 4 {
            (page << 16 | address, 1)
        } else {
            ((page & 0xfe) << 16 | address << 1, 2)
        }
    }

    /// Moves unit after unit until the device or the channel has enough.
    fn transfer(
        &mut self,
        number: usize,
        total: usize,
        direction: Direction,
        mut act: impl FnMut(u64, usize, std::ops::Range<usize>),
    ) -> Moved {
        let mut moved = Moved::default();
        while self.is_open(number) && moved.bytes < total {
            let found = self.channels[number].direction();
            if found != direction && found != Direction::Verify {
                break;
            }
            let (address, width) = self.place(number);
            let end = (moved.bytes + width).min(total);
            if found == direction {
                act(address, width, moved.bytes..end);
            }
            moved.bytes = end;
            if self.channels[number].step() {
                moved.terminal_count = true;
                break;
            }
        }
        moved
    }

    fn status(&mut self, controller: usize) -> u8 {
        let channels = &mut self.channels[controller * 4..controller * 4 + 4];
        let mut status = 0;
        for (number, channel) in channels.iter_mut().enumerate() {
            let requested = channel.request || channel.software_request;
            status |= u8::from(channel.reached_terminal_count) << number;
            status |= u8::from(requested) << (number + 4);
            channel.reached_terminal_count = false;
        }
        status
    }

    /// Reads a register of a controller, 0 to 15.
    fn read(&mut self, controller: usize, register: usize) -> u8 {
        match register {
            0..=7 => {
                let channel = &self.channels[controller * 4 + register / 2];
                let value = if register.is_multiple_of(2) {
                    channel.current_address
                } else {
                    channel.current_count
                };
                value.to_le_bytes()[self.take_flip_flop(controller)]
            }
            8 => self.status(controller),
            15 => (0..4).fold(0xf0, |mask, number| {
                mask | u8::from(self.channels[controller * 4 + number].is_masked) << number
            }),
            // The temporary register, of memory-to-memory transfers, which a PC cannot do.
            _ => 0,
        }
    }

    fn write(&mut self, controller: usize, register: usize, value: u8) {
        let selected = controller * 4 + usize::from(value & 3);
        match register {
            0..=7 => self.write_word(controller, register, value),
            8 => self.commands[controller] = value,
            9 => self.channels[selected].software_request = value & 4 != 0,
            10 => self.channels[selected].is_masked = value & 4 != 0,
            11 => self.channels[selected].mode = value,
            12 => self.flip_flops[controller] = false,
            13 => self.clear(controller),
            14 => self.set_masks(controller, 0),
            _ => self.set_masks(controller, value),
        }
    }

    /// Base and current registers are written together.
    fn write_word(&mut self, controller: usize, register: usize, value: u8) {
        let byte = self.take_flip_flop(controller);
        let channel = &mut self.channels[controller * 4 + register / 2];
        let (base, current) = if register.is_multiple_of(2) {
            (&mut channel.base_address, &mut channel.current_address)
        } else {
            (&mut channel.base_count, &mut channel.current_count)
        };
        for word in [base, current] {
            let mut bytes = word.to_le_bytes();
            bytes[byte] = value;
            *word = u16::from_le_bytes(bytes);
        }
    }

    fn set_masks(&mut self, controller: usize, masks: u8) {
        for number in 0..4 {
            self.channels[controller * 4 + number].is_masked = masks >> number & 1 != 0;
        }
    }

    /// Which byte comes, the low one first.
    fn take_flip_flop(&mut self, controller: usize) -> usize {
        let is_high = self.flip_flops[controller];
        self.flip_flops[controller] = !is_high;
        usize::from(is_high)
    }
}

type Shared = Arc<Mutex<Controllers>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Controllers> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A device's end of a DMA channel: its request, and the way to memory.
#[derive(Clone, Debug)]
pub struct DmaLine {
    shared: Shared,
    channel: usize,
}

impl DmaLine {
    /// Drives the channel's request (DREQ), which the guest sees in the status register.
    pub fn request(&self, high: bool) {
        lock(&self.shared).channels[self.channel].request = high;
    }

    /// Moves bytes from the device to memory, as many as the guest wants.
    ///
    /// None while the channel is masked, or set to move the other way.
    pub fn write(&self, memory: &mut dyn Dma, bytes: &[u8]) -> Moved {
        lock(&self.shared).transfer(
            self.channel,
            bytes.len(),
            Direction::Write,
            |address, _, range| memory.write(address, &bytes[range]),
        )
    }

    /// Moves bytes from memory to the device, as many as the guest gives.
    ///
    /// None while the channel is masked, or set to move the other way. What a
    /// channel set to verify moves is left as it was.
    pub fn read(&self, memory: &mut dyn Dma, bytes: &mut [u8]) -> Moved {
        lock(&self.shared).transfer(
            self.channel,
            bytes.len(),
            Direction::Read,
            |address, _, range| memory.read(address, &mut bytes[range]),
        )
    }
}

/// Both controllers.
#[derive(Debug, Default)]
pub struct DmaPair {
    shared: Shared,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    controllers: Controllers,
}

impl DmaPair {
    /// Two controllers after power-on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A device's end of channel 0 to 3 or 5 to 7.
    #[must_use]
    pub fn line(&self, channel: usize) -> DmaLine {
        debug_assert!(
            channel < CHANNELS && channel != CASCADE,
            "a device's channel"
        );
        DmaLine {
            shared: Arc::clone(&self.shared),
            channel: channel % CHANNELS,
        }
    }
}

/// What a register number means.
enum Place {
    Controller(usize, usize),
    Page(usize),
}

fn place(register: u64) -> Result<Place, BusError> {
    let number = register as usize;
    match register {
        0..=0xf => Ok(Place::Controller(0, number)),
        0x10..=0x2f => Ok(Place::Controller(1, (number - 0x10) / 2)),
        0x30..=0x3f => Ok(Place::Page(number - 0x30)),
        _ => Err(BusError::NoRegister(register)),
    }
}

impl Device for DmaPair {
    fn name(&self) -> &'static str {
        "i8237"
    }

    fn reset(&mut self) {
        let mut controllers = lock(&self.shared);
        let requests = controllers.channels.clone().map(|channel| channel.request);
        *controllers = Controllers::default();
        // The wires are the devices', and stay where they hold them.
        for (channel, request) in controllers.channels.iter_mut().zip(requests) {
            channel.request = request;
        }
    }

    fn save(&self) -> State {
        let Self { shared } = self;
        let controllers = lock(shared).clone();
        State::encode(1, &SavedV1 { controllers })
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { controllers } = state.decode(self.name(), 1)?;
        *lock(&self.shared) = controllers;
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for DmaPair {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        let mut controllers = lock(&self.shared);
        *byte = match place(register)? {
            Place::Controller(controller, number) => controllers.read(controller, number),
            Place::Page(page) => controllers.pages[page],
        };
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let value = byte_of_write(register, bytes)?;
        let mut controllers = lock(&self.shared);
        match place(register)? {
            Place::Controller(controller, number) => controllers.write(controller, number, value),
            Place::Page(page) => controllers.pages[page] = value,
        }
        Ok(())
    }
}
