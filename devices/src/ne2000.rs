//! The NE2000 network adapter: a DP8390D with 16 KiB of memory on the ISA bus.
//!
//! National Semiconductor DP8390D/NS32490D datasheet, and the NE2000's own
//! arrangement: registers 0 to Fh are the controller's, 10h to 17h the data
//! port of remote DMA, 18h to 1Fh reset the adapter when they are read. The
//! station's address is in a PROM at the bottom of the adapter's memory, each
//! byte twice; the buffer is at 4000h to 7FFFh.
//!
//! A frame takes 80 ns a byte on its way out, as at 100 Mbit/s, so that a
//! driver sees the transmitter busy. What arrives while the adapter is stopped
//! is lost; what finds no room sets the overwrite warning and is counted. Frames
//! shorter than the shortest are filled up, so there are no runts to accept.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, byte_of_read, byte_of_write};
use crate::irq_line::IrqLine;
use crate::network::{BROADCAST, LONGEST_FRAME, Network, SHORTEST_FRAME};
use crate::network::{crc32, destination, is_group};
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod buffer;

use buffer::Buffer;

const DATA_PORT: u64 = 0x10;
const RESET_PORT: u64 = 0x18;
const END: u64 = 0x20;
/// Nanoseconds a byte takes on the wire.
const BYTE_NS: u64 = 80;

bitflags! {
    /// Command register (CR).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Command: u8 {
        /// STP: the adapter is off line.
        const STOP = 1 << 0;
        /// STA: the adapter was started.
        const START = 1 << 1;
        /// TXP: a frame is being sent.
        const TRANSMIT = 1 << 2;
        /// RD0: with the others clear, remote read.
        const REMOTE_READ = 1 << 3;
        /// RD1: with the others clear, remote write.
        const REMOTE_WRITE = 1 << 4;
        /// RD2: remote DMA is off.
        const NO_REMOTE_DMA = 1 << 5;
        const REMOTE = 0b0011_1000;
        /// PS: the page of registers.
        const PAGE = 0b1100_0000;
    }

    /// Interrupt status register (ISR).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Interrupts: u8 {
        /// PRX: a frame was received.
        const RECEIVED = 1 << 0;
        /// PTX: a frame was sent.
        const TRANSMITTED = 1 << 1;
        /// OVW: the buffer is full.
        const OVERWRITE_WARNING = 1 << 4;
        /// CNT: a tally counter is half full.
        const COUNTER = 1 << 5;
        /// RDC: remote DMA is complete.
        const REMOTE_DMA_COMPLETE = 1 << 6;
        /// RST: the adapter is stopped; no interrupt.
        const RESET = 1 << 7;
    }

    /// Receive configuration register (RCR).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct ReceiveConfiguration: u8 {
        /// AB: broadcasts are accepted.
        const BROADCAST = 1 << 2;
        /// AM: group addresses that hash well are accepted.
        const MULTICAST = 1 << 3;
        /// PRO: every station's frames are accepted.
        const PROMISCUOUS = 1 << 4;
        /// MON: frames are checked and counted, not kept.
        const MONITOR = 1 << 5;
        const ALL = 0x3f;
    }
}

/// TCR: the loopback modes.
const LOOPBACK: u8 = 0b110;
/// DCR: word transfers.
const WORD_TRANSFER: u8 = 1 << 0;
/// RSR and TSR: the frame is good.
const INTACT: u8 = 1 << 0;
/// RSR: it went to a group.
const PHYSICAL: u8 = 1 << 5;

/// The controller's registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Registers8390 {
    command: u8,
    interrupts: u8,
    interrupt_mask: u8,
    /// PSTART and PSTOP: the pages of the receive ring, the last one excluded.
    page_start: u8,
    page_stop: u8,
    /// BNRY: the first page that the driver has not read.
    boundary: u8,
    /// CURR: where the next frame goes.
    current: u8,
    transmit_page: u8,
    transmit_bytes: u16,
    transmit_status: u8,
    remote_address: u16,
    remote_bytes: u16,
    receive_configuration: u8,
    receive_status: u8,
    transmit_configuration: u8,
    data_configuration: u8,
    /// Frame alignment errors, check sequence errors, missed frames.
    tallies: [u8; 3],
    physical_address: [u8; 6],
    multicast: [u8; 8],
}

impl Registers8390 {
    /// What a hardware reset leaves; the rest is undefined and here zero.
    const fn new() -> Self {
        Self {
            command: Command::STOP.bits() | Command::NO_REMOTE_DMA.bits(),
            interrupts: Interrupts::RESET.bits(),
            interrupt_mask: 0,
            page_start: 0,
            page_stop: 0,
            boundary: 0,
            current: 0,
            transmit_page: 0,
            transmit_bytes: 0,
            transmit_status: 0,
            remote_address: 0,
            remote_bytes: 0,
            receive_configuration: 0,
            receive_status: 0,
            transmit_configuration: 0,
            data_configuration: 0,
            tallies: [0; 3],
            physical_address: [0; 6],
            multicast: [0; 8],
        }
    }
}

/// The adapter.
pub struct Ne2000 {
    irq: IrqLine,
    network: Box<dyn Network>,
    registers: Registers8390,
    buffer: Buffer,
    /// When the frame being sent is out.
    sent_at: Option<Time>,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    registers: Registers8390,
    buffer: Vec<u8>,
    sent_at: Option<Time>,
}

impl Ne2000 {
    /// An adapter with the station address `address`, which interrupts by
    /// `irq` and is connected to `network`.
    #[must_use]
    pub fn new(irq: IrqLine, address: [u8; 6], network: Box<dyn Network>) -> Self {
        Self {
            irq,
            network,
            registers: Registers8390::new(),
            buffer: Buffer::new(address),
            sent_at: None,
        }
    }

    const fn command(&self) -> Command {
        Command::from_bits_retain(self.registers.command)
    }

    fn raise(&mut self, interrupts: Interrupts) {
        self.registers.interrupts |= interrupts.bits();
    }

    fn interrupt_level(&self) -> bool {
        let raised = self.registers.interrupts & !Interrupts::RESET.bits();
        raised & self.registers.interrupt_mask != 0
    }

    /// Brings the adapter up to `now`: the frame that is out, those that came.
    fn catch_up(&mut self, now: Time) {
        if self.sent_at.is_some_and(|at| at <= now) {
            self.sent_at = None;
            self.finish_transmission();
        }
        while let Some(frame) = self.network.receive() {
            if self.command().contains(Command::STOP) {
                continue;
            }
            self.take_frame(&frame);
        }
        self.irq.set(self.interrupt_level());
    }

    fn finish_transmission(&mut self) {
        let registers = &self.registers;
        let length = usize::from(registers.transmit_bytes).min(LONGEST_FRAME);
        let frame = self
            .buffer
            .frame(u16::from(registers.transmit_page) << 8, length);
        if registers.transmit_configuration & LOOPBACK == 0 {
            self.network.send(&frame);
        }
        self.registers.command &= !Command::TRANSMIT.bits();
        self.registers.transmit_status = INTACT;
        self.raise(Interrupts::TRANSMITTED);
    }

    /// A frame from the network: into the ring, if it is for this station.
    fn take_frame(&mut self, frame: &[u8]) {
        let configuration =
            ReceiveConfiguration::from_bits_truncate(self.registers.receive_configuration);
        if frame.len() > LONGEST_FRAME {
            return;
        }
        let Some(address) = destination(frame).filter(|&to| self.accepts(to, configuration)) else {
            return;
        };
        if configuration.contains(ReceiveConfiguration::MONITOR) {
            return self.miss();
        }
        let mut frame = frame.to_vec();
        frame.resize(frame.len().max(SHORTEST_FRAME), 0);
        let status = INTACT | if is_group(address) { PHYSICAL } else { 0 };
        if self.store(&frame, status) {
            self.registers.receive_status = status;
            self.raise(Interrupts::RECEIVED);
        } else {
            self.raise(Interrupts::OVERWRITE_WARNING);
            self.miss();
        }
    }

    fn accepts(&self, address: [u8; 6], configuration: ReceiveConfiguration) -> bool {
        if configuration.contains(ReceiveConfiguration::PROMISCUOUS) && !is_group(address) {
            return true;
        }
        if address == BROADCAST {
            return configuration.contains(ReceiveConfiguration::BROADCAST);
        }
        if is_group(address) {
            let hash = crc32(&address) >> 26;
            let filter = u64::from_le_bytes(self.registers.multicast);
            return configuration.contains(ReceiveConfiguration::MULTICAST)
                && filter >> hash & 1 != 0;
        }
        address == self.registers.physical_address
    }

    /// Counts a frame that was not kept.
    fn miss(&mut self) {
        let missed = &mut self.registers.tallies[2];
        *missed = missed.saturating_add(1);
        if *missed >= 0x80 {
            self.raise(Interrupts::COUNTER);
        }
    }

    /// Puts a frame with its header into the ring; false if there is no room.
    fn store(&mut self, frame: &[u8], status: u8) -> bool {
        let registers = &self.registers;
        let (start, stop) = (registers.page_start, registers.page_stop);
        let current = registers.current;
        if start >= stop || !(start..stop).contains(&current) {
            return false;
        }
        // The length counts the check sequence, which is stored too.
        let length = frame.len() as u16 + 4;
        let pages = usize::from(length + 4).div_ceil(0x100);
        let ring = usize::from(stop - start);
        let behind = usize::from(registers.boundary.wrapping_sub(start)) % ring;
        let at = usize::from(current - start);
        let free = (behind + ring - at - 1) % ring + 1;
        if pages >= free {
            return false;
        }
        let next = start + ((at + pages) % ring) as u8;
        let [low, high] = length.to_le_bytes();
        let header = [status, next, low, high];
        let mut place = u16::from(current) << 8;
        for &byte in header.iter().chain(frame) {
            self.buffer.write(place, byte);
            place = self.next_in_ring(place);
        }
        self.registers.current = next;
        true
    }

    /// The address after `address`, from the ring's end back to its start.
    const fn next_in_ring(&self, address: u16) -> u16 {
        let next = address.wrapping_add(1);
        if next == (self.registers.page_stop as u16) << 8 {
            (self.registers.page_start as u16) << 8
        } else {
            next
        }
    }

    fn set_command(&mut self, value: u8, now: Time) {
        let transmitting = self.registers.command & Command::TRANSMIT.bits();
        let command = Command::from_bits_retain(value);
        // TXP cannot be taken back.
        self.registers.command = value | transmitting;
        if command.contains(Command::STOP) {
            self.raise(Interrupts::RESET);
        } else if command.contains(Command::START) {
            self.registers.interrupts &= !Interrupts::RESET.bits();
            if command.contains(Command::TRANSMIT) && transmitting == 0 {
                let bytes = u64::from(self.registers.transmit_bytes);
                self.sent_at = Some(now.after_ns((bytes + 20) * BYTE_NS));
            }
        }
        match command & Command::REMOTE {
            remote if remote == Command::REMOTE_READ | Command::REMOTE_WRITE => {
                self.send_packet_command();
            }
            Command::REMOTE_READ | Command::REMOTE_WRITE if self.registers.remote_bytes == 0 => {
                self.raise(Interrupts::REMOTE_DMA_COMPLETE);
            }
            _ => {}
        }
    }

    /// Remote read of the frame at the boundary, by the length in its header.
    fn send_packet_command(&mut self) {
        let header = u16::from(self.registers.boundary) << 8;
        let low = self.buffer.read(header.wrapping_add(2));
        let high = self.buffer.read(header.wrapping_add(3));
        self.registers.remote_address = header;
        self.registers.remote_bytes = u16::from_le_bytes([low, high]);
        self.registers.command &= !Command::REMOTE_WRITE.bits();
    }

    /// One transfer of remote DMA: a byte, or a word as the configuration says.
    fn remote_transfer(&mut self, mut each: impl FnMut(&mut Buffer, u16, usize), bytes: usize) {
        let word = self.registers.data_configuration & WORD_TRANSFER != 0;
        let unit = if word { 2 } else { 1 };
        let mut at = 0;
        while at < bytes {
            let end = (at + unit).min(bytes);
            if self.registers.remote_bytes == 0 {
                return;
            }
            for index in at..end {
                each(&mut self.buffer, self.registers.remote_address, index);
                self.registers.remote_address = self.next_in_ring(self.registers.remote_address);
            }
            let left = self.registers.remote_bytes.saturating_sub(unit as u16);
            self.registers.remote_bytes = left;
            if left == 0 {
                self.raise(Interrupts::REMOTE_DMA_COMPLETE);
            }
            at = end;
        }
    }

    fn reset_controller(&mut self) {
        self.registers = Registers8390::new();
        self.sent_at = None;
    }

    fn read_register(&mut self, register: u64) -> u8 {
        let registers = &mut self.registers;
        match (registers.command >> 6, register) {
            (_, 0x0) => registers.command,
            (0, 0x1) => 0,
            (0, 0x2) => registers.current,
            (0, 0x3) => registers.boundary,
            (0, 0x4) => registers.transmit_status,
            (0, 0x7) => registers.interrupts,
            (0, 0x8) => registers.remote_address as u8,
            (0, 0x9) => (registers.remote_address >> 8) as u8,
            (0, 0xc) => registers.receive_status,
            (0, 0xd..=0xf) => std::mem::take(&mut registers.tallies[(register - 0xd) as usize]),
            (1, 0x1..=0x6) => registers.physical_address[(register - 1) as usize],
            (1, 0x7) => registers.current,
            (1, 0x8..=0xf) => registers.multicast[(register - 8) as usize],
            (2, 0x1) => registers.page_start,
            (2, 0x2) => registers.page_stop,
            (2, 0x4) => registers.transmit_page,
            (2, 0xc) => registers.receive_configuration,
            (2, 0xd) => registers.transmit_configuration,
            (2, 0xe) => registers.data_configuration,
            (2, 0xf) => registers.interrupt_mask,
            // Collisions, the FIFO, and what is reserved.
            _ => 0,
        }
    }

    fn write_register(&mut self, register: u64, value: u8, now: Time) {
        let registers = &mut self.registers;
        let low = |word: &mut u16| *word = (*word & 0xff00) | u16::from(value);
        let high = |word: &mut u16| *word = (*word & 0xff) | u16::from(value) << 8;
        match (registers.command >> 6, register) {
            (_, 0x0) => self.set_command(value, now),
            (0, 0x1) => registers.page_start = value,
            (0, 0x2) => registers.page_stop = value,
            (0, 0x3) => registers.boundary = value,
            (0, 0x4) => registers.transmit_page = value,
            (0, 0x5) => low(&mut registers.transmit_bytes),
            (0, 0x6) => high(&mut registers.transmit_bytes),
            // Ones clear; the reset bit only shows a state.
            (0, 0x7) => registers.interrupts &= !(value & !Interrupts::RESET.bits()),
            (0, 0x8) => low(&mut registers.remote_address),
            (0, 0x9) => high(&mut registers.remote_address),
            (0, 0xa) => low(&mut registers.remote_bytes),
            (0, 0xb) => high(&mut registers.remote_bytes),
            (0, 0xc) => {
                registers.receive_configuration = value & ReceiveConfiguration::ALL.bits();
            }
            (0, 0xd) => registers.transmit_configuration = value & 0x1f,
            (0, 0xe) => registers.data_configuration = value & 0x7f,
            (0, 0xf) => registers.interrupt_mask = value & 0x7f,
            (1, 0x1..=0x6) => registers.physical_address[(register - 1) as usize] = value,
            (1, 0x7) => registers.current = value,
            (1, 0x8..=0xf) => registers.multicast[(register - 8) as usize] = value,
            _ => {}
        }
    }
}

impl Device for Ne2000 {
    fn name(&self) -> &'static str {
        "ne2000"
    }

    fn reset(&mut self) {
        self.reset_controller();
        self.buffer.clear();
        self.irq.set(false);
    }

    fn save(&self) -> State {
        let Self {
            irq: _,
            network: _,
            registers,
            buffer,
            sent_at,
        } = self;
        let saved = SavedV1 {
            registers: registers.clone(),
            buffer: buffer.save(),
            sent_at: *sent_at,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            registers,
            buffer,
            sent_at,
        } = state.decode(self.name(), 1)?;
        if !self.buffer.restore(&buffer) {
            return Err(RestoreError::Impossible {
                device: self.name(),
                what: "the buffer has 16 KiB",
            });
        }
        self.registers = registers;
        self.sent_at = sent_at;
        self.irq.restore(self.interrupt_level());
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Registers for Ne2000 {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        self.catch_up(cx.now);
        match register {
            DATA_PORT..RESET_PORT => {
                let length = bytes.len();
                self.remote_transfer(
                    |buffer, address, index| bytes[index] = buffer.read(address),
                    length,
                );
            }
            RESET_PORT..END => {
                bytes.fill(0);
                self.reset_controller();
            }
            0..DATA_PORT => *byte_of_read(register, bytes)? = self.read_register(register),
            _ => return Err(BusError::NoRegister(register)),
        }
        self.irq.set(self.interrupt_level());
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        self.catch_up(cx.now);
        match register {
            DATA_PORT..RESET_PORT => {
                self.remote_transfer(
                    |buffer, address, index| buffer.write(address, bytes[index]),
                    bytes.len(),
                );
            }
            // The other half of the pulse.
            RESET_PORT..END => {}
            0..DATA_PORT => {
                let value = byte_of_write(register, bytes)?;
                self.write_register(register, value, cx.now);
            }
            _ => return Err(BusError::NoRegister(register)),
        }
        self.irq.set(self.interrupt_level());
        Ok(())
    }
}

impl Timed for Ne2000 {
    fn next_deadline(&self) -> Option<Time> {
        self.sent_at
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.catch_up(cx.now);
    }
}

#[cfg(test)]
mod tests;
