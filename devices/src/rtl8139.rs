//! The RTL8139C network adapter, on the PCI bus.
//!
//! Realtek RTL8139C(L) datasheet. Registers 0 to FFh are its registers, once as
//! an I/O window and once as a memory window. Reads change nothing, so a read
//! of any width and place is bytes of the same bank; a write changes the fields
//! that it covers, each once.
//!
//! A frame takes 80 ns a byte on its way out, as at 100 Mbit/s. The link is
//! always up. Wake-up and the diagnostic registers are not there.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed};
use crate::irq_line::IrqLine;
use crate::network::{LONGEST_FRAME, Network};
use crate::pci::{Bar, Command as PciCommand, ConfigSpace, Identity, PciFunction, Pin};
use crate::pci::{SavedConfigV1, Status};
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod eeprom;
mod receive;
mod registers;

use eeprom::Eeprom;
use registers::{Field, FieldWrite, field_at};

/// Bytes of registers.
const REGISTER_BYTES: u64 = 0x100;
/// Where the boot ROM begins, as a register, and the largest that the chip addresses.
const ROM: u64 = 0x10_0000;
/// The largest boot ROM, in bytes.
pub const MAX_ROM_BYTES: usize = 0x2_0000;
/// Nanoseconds a byte takes on the wire.
const BYTE_NS: u64 = 80;
/// Nanoseconds that 33 PCI clocks take, which the timer counts.
const NS_IN_33_CLOCKS: u128 = 1000;
/// Transmit descriptors.
const DESCRIPTORS: usize = 4;

bitflags! {
    /// Command register (CR).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Command: u8 {
        /// BUFE: the receive buffer is empty.
        const BUFFER_EMPTY = 1 << 0;
        /// TE.
        const TRANSMIT_ENABLE = 1 << 2;
        /// RE.
        const RECEIVE_ENABLE = 1 << 3;
        /// RST: reset; reads as one until it is done, which is at once.
        const RESET = 1 << 4;
    }

    /// Interrupt mask and status registers (IMR, ISR).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Interrupts: u16 {
        /// ROK.
        const RECEIVED = 1 << 0;
        /// TOK.
        const TRANSMITTED = 1 << 2;
        /// Rxovw: the receive buffer has no room.
        const RECEIVE_OVERFLOW = 1 << 4;
        /// TimeOut: the timer has reached TimerInt.
        const TIME_OUT = 1 << 14;
        /// All that exist.
        const ALL = 0xe07f;
    }

    /// Transmit status registers (TSD0 to TSD3).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct TransmitStatus: u32 {
        /// The frame's bytes.
        const SIZE = 0x1fff;
        /// OWN: the frame was read; the descriptor is software's.
        const OWN = 1 << 13;
        /// TOK: it was sent.
        const OK = 1 << 15;
        /// What software can write.
        const WRITABLE = 0x003f_3fff;
    }
}

/// TCR: loopback mode.
const LOOPBACK: u32 = 0b11 << 17;
/// TCR: what software can write.
const TRANSMIT_CONFIGURATION_WRITABLE: u32 = 0x0307_07f1;
/// TCR: which chip this is, an RTL8139C.
const HARDWARE_VERSION: u32 = 0x7400_0000;
/// 9346CR: the EEPROM's wires and the mode that lets them through.
const EEPROM_MODE: u8 = 0b11 << 6;
const EEPROM_PROGRAMMING: u8 = 0b10 << 6;
const EEPROM_SELECT: u8 = 1 << 3;
const EEPROM_CLOCK: u8 = 1 << 2;
const EEPROM_INPUT: u8 = 1 << 1;

/// The chip's registers, without those that are computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bank {
    address: [u8; 6],
    multicast: [u8; 8],
    transmit_status: [u32; DESCRIPTORS],
    transmit_address: [u32; DESCRIPTORS],
    receive_start: u32,
    command: u8,
    /// CAPR and CBR: offsets in the receive buffer.
    read_pointer: u16,
    write_pointer: u16,
    interrupt_mask: u16,
    interrupts: u16,
    transmit_configuration: u32,
    receive_configuration: u32,
    missed: u32,
    eeprom_command: u8,
    configuration: [u8; 2],
    timer_interrupt: u32,
    media_status: u8,
    basic_mode_control: u16,
    advertisement: u16,
}

impl Bank {
    const fn new(address: [u8; 6]) -> Self {
        Self {
            address,
            multicast: [0; 8],
            transmit_status: [TransmitStatus::OWN.bits(); DESCRIPTORS],
            transmit_address: [0; DESCRIPTORS],
            receive_start: 0,
            command: 0,
            read_pointer: 0xfff0,
            write_pointer: 0,
            interrupt_mask: 0,
            interrupts: 0,
            transmit_configuration: 0,
            receive_configuration: 0,
            missed: 0,
            eeprom_command: 0,
            configuration: [0, 0x0d],
            timer_interrupt: 0,
            media_status: 0x10,
            basic_mode_control: 0x3100,
            advertisement: 0x05e1,
        }
    }
}

/// The adapter.
pub struct Rtl8139 {
    irq: IrqLine,
    network: Box<dyn Network>,
    config: ConfigSpace,
    /// The boot ROM, if one is in its socket.
    rom: Vec<u8>,
    station: [u8; 6],
    bank: Bank,
    eeprom: Eeprom,
    /// When the timer was at zero.
    timer_zero: Time,
    /// When it reaches TimerInt.
    timer_due: Option<Time>,
    /// The descriptors whose frames are on their way, and when they are out.
    sending: [Option<Time>; DESCRIPTORS],
    /// When the wire is free again.
    wire_free: Time,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    config: SavedConfigV1,
    bank: Bank,
    eeprom: Eeprom,
    timer_zero: Time,
    timer_due: Option<Time>,
    sending: [Option<Time>; DESCRIPTORS],
    wire_free: Time,
}

impl Rtl8139 {
    /// An adapter with the station address `station`, which interrupts by
    /// `irq` (its INTA#) and is connected to `network`.
    #[must_use]
    pub fn new(irq: IrqLine, station: [u8; 6], network: Box<dyn Network>) -> Self {
        let identity = Identity {
            vendor_id: 0x10ec,
            device_id: 0x8139,
            revision_id: 0x10,
            class_code: 0x02_0000,
            subsystem: (0x10ec, 0x8139),
            interrupt_pin: Some(Pin::IntA),
            is_multifunction: false,
        };
        let writable = PciCommand::IO_SPACE | PciCommand::MEMORY_SPACE | PciCommand::BUS_MASTER;
        let config = ConfigSpace::device(&identity)
            .with_command(PciCommand::empty(), writable)
            .with_status(Status::FAST_BACK_TO_BACK | Status::DEVSEL_MEDIUM)
            .with_bar(0, Bar::io(REGISTER_BYTES, 0))
            .with_bar(1, Bar::memory(REGISTER_BYTES, 0));
        Self {
            irq,
            network,
            config,
            rom: Vec::new(),
            station,
            bank: Bank::new(station),
            eeprom: Eeprom::new(),
            timer_zero: Time::ZERO,
            timer_due: None,
            sending: [None; DESCRIPTORS],
            wire_free: Time::ZERO,
        }
    }

    /// The same with a boot ROM of at most [`MAX_ROM_BYTES`].
    #[must_use]
    pub fn with_rom(mut self, mut rom: Vec<u8>) -> Self {
        rom.truncate(MAX_ROM_BYTES);
        if !rom.is_empty() {
            let bytes = rom.len().next_power_of_two() as u64;
            self.config = self.config.with_rom(bytes, ROM);
            self.rom = rom;
        }
        self
    }

    fn read_rom(&self, offset: u64, bytes: &mut [u8]) {
        for (offset, byte) in (offset..).zip(bytes) {
            let content = usize::try_from(offset).ok().and_then(|n| self.rom.get(n));
            *byte = content.copied().unwrap_or(0xff);
        }
    }

    const fn command(&self) -> Command {
        Command::from_bits_retain(self.bank.command)
    }

    fn may_master(&self) -> bool {
        self.config.command().contains(PciCommand::BUS_MASTER)
    }

    fn raise(&mut self, interrupts: Interrupts) {
        self.bank.interrupts |= interrupts.bits();
    }

    const fn interrupt_level(&self) -> bool {
        self.bank.interrupts & self.bank.interrupt_mask != 0
    }

    /// PCI clocks since the timer was at zero.
    fn clocks(&self, now: Time) -> u128 {
        u128::from(now.ns_since(self.timer_zero)) * 33 / NS_IN_33_CLOCKS
    }

    /// Finds out when the 32 bits of the timer next become TimerInt.
    fn set_timer(&mut self, now: Time) {
        let goal = u128::from(self.bank.timer_interrupt);
        let (passed, round) = (self.clocks(now), 1 << 32);
        let rounds = (passed + 1).saturating_sub(goal).div_ceil(round);
        let ns = ((goal + rounds * round) * NS_IN_33_CLOCKS).div_ceil(33);
        let ns = u64::try_from(ns).unwrap_or(u64::MAX);
        self.timer_due = (goal != 0).then(|| self.timer_zero.after_ns(ns));
    }

    /// Brings the adapter up to the present.
    fn catch_up(&mut self, cx: &mut Context<'_>) {
        for descriptor in 0..DESCRIPTORS {
            if self.sending[descriptor].is_some_and(|at| at <= cx.now) {
                self.sending[descriptor] = None;
                self.transmit(descriptor, cx);
            }
        }
        if self.timer_due.is_some_and(|due| due <= cx.now) {
            self.raise(Interrupts::TIME_OUT);
            self.set_timer(cx.now);
        }
        while let Some(frame) = self.network.receive() {
            self.take_frame(&frame, cx);
        }
        self.irq.set(self.interrupt_level());
    }

    /// Sends the frame of a descriptor.
    fn transmit(&mut self, descriptor: usize, cx: &mut Context<'_>) {
        let status = TransmitStatus::from_bits_retain(self.bank.transmit_status[descriptor]);
        let size = (status & TransmitStatus::SIZE).bits() as usize;
        let mut frame = vec![0; size.min(LONGEST_FRAME)];
        if self.may_master() {
            let address = u64::from(self.bank.transmit_address[descriptor]);
            cx.memory.read(address, &mut frame);
        }
        if self.bank.transmit_configuration & LOOPBACK == LOOPBACK {
            self.take_frame(&frame, cx);
        } else {
            self.network.send(&frame);
        }
        let done = status | TransmitStatus::OWN | TransmitStatus::OK;
        self.bank.transmit_status[descriptor] = done.bits();
        self.raise(Interrupts::TRANSMITTED);
    }

    fn reset_registers(&mut self) {
        self.bank = Bank::new(self.station);
        self.eeprom = Eeprom::new();
        self.timer_due = None;
        self.sending = [None; DESCRIPTORS];
        self.wire_free = Time::ZERO;
    }

    /// A write of some bits of a field.
    fn write_field(&mut self, field: Field, write: FieldWrite, now: Time) {
        let bank = &mut self.bank;
        match field {
            Field::Address(n) => bank.address[n] = write.over(u32::from(bank.address[n])) as u8,
            Field::Multicast(n) => {
                bank.multicast[n] = write.over(u32::from(bank.multicast[n])) as u8;
            }
            Field::TransmitStatus(n) => self.write_transmit_status(n, write, now),
            Field::TransmitAddress(n) => {
                bank.transmit_address[n] = write.over(bank.transmit_address[n]);
            }
            Field::ReceiveStart => bank.receive_start = write.over(bank.receive_start) & !3,
            Field::Command => self.write_command(write.over(0) as u8),
            Field::ReadPointer => {
                bank.read_pointer = write.over(u32::from(bank.read_pointer)) as u16;
            }
            Field::InterruptMask => {
                let mask = write.over(u32::from(bank.interrupt_mask)) as u16;
                bank.interrupt_mask = mask & Interrupts::ALL.bits();
            }
            // Ones clear.
            Field::Interrupts => bank.interrupts &= !(write.over(0) as u16),
            Field::TransmitConfiguration => {
                let value = write.over(bank.transmit_configuration);
                bank.transmit_configuration = value & TRANSMIT_CONFIGURATION_WRITABLE;
            }
            Field::ReceiveConfiguration => {
                bank.receive_configuration = write.over(bank.receive_configuration) & 0x0fff_ffff;
            }
            Field::Timer => {
                self.timer_zero = now;
                self.set_timer(now);
            }
            Field::Missed => bank.missed = 0,
            Field::EepromCommand => {
                bank.eeprom_command = write.over(0) as u8;
                self.drive_eeprom();
            }
            Field::Configuration(n) => {
                let unlocked = bank.eeprom_command & EEPROM_MODE == EEPROM_MODE;
                if unlocked {
                    bank.configuration[n] = write.over(0) as u8;
                }
            }
            Field::TimerInterrupt => {
                bank.timer_interrupt = write.over(bank.timer_interrupt);
                self.set_timer(now);
            }
            Field::MediaStatus => bank.media_status = write.over(0) as u8 & 0xc0 | 0x10,
            Field::BasicModeControl => {
                // Reset and the restart of negotiation are done at once.
                let value = write.over(u32::from(bank.basic_mode_control)) as u16;
                bank.basic_mode_control = value & 0x3100;
            }
            Field::Advertisement => {
                bank.advertisement = write.over(u32::from(bank.advertisement)) as u16;
            }
            Field::ReadOnly => {}
        }
    }

    fn write_transmit_status(&mut self, descriptor: usize, write: FieldWrite, now: Time) {
        let old = self.bank.transmit_status[descriptor];
        let new = write.over(old) & TransmitStatus::WRITABLE.bits();
        if !self.command().contains(Command::TRANSMIT_ENABLE)
            || self.sending[descriptor].is_some()
            || write.covers_not(TransmitStatus::OWN.bits())
        {
            return;
        }
        self.bank.transmit_status[descriptor] = new;
        if new & TransmitStatus::OWN.bits() == 0 {
            let bytes = u64::from(new & TransmitStatus::SIZE.bits());
            self.wire_free = self.wire_free.max(now).after_ns((bytes + 20) * BYTE_NS);
            self.sending[descriptor] = Some(self.wire_free);
        }
    }

    fn write_command(&mut self, value: u8) {
        let command = Command::from_bits_truncate(value);
        if command.contains(Command::RESET) {
            // The station's address and what the EEPROM gave stay.
            let kept = self.bank.address;
            self.reset_registers();
            self.bank.address = kept;
            return;
        }
        let started = (command - self.command()).contains(Command::RECEIVE_ENABLE);
        self.bank.command = (command & (Command::TRANSMIT_ENABLE | Command::RECEIVE_ENABLE)).bits();
        if started {
            self.bank.write_pointer = 0;
            self.bank.read_pointer = 0xfff0;
        }
    }

    fn drive_eeprom(&mut self) {
        let wires = self.bank.eeprom_command;
        let programs = wires & EEPROM_MODE == EEPROM_PROGRAMMING;
        self.eeprom.drive(
            programs && wires & EEPROM_SELECT != 0,
            wires & EEPROM_CLOCK != 0,
            wires & EEPROM_INPUT != 0,
            &eeprom::contents(self.station),
        );
    }
}

impl Device for Rtl8139 {
    fn name(&self) -> &'static str {
        "rtl8139"
    }

    fn reset(&mut self) {
        self.config.reset();
        self.reset_registers();
        self.timer_zero = Time::ZERO;
        self.irq.set(false);
    }

    fn save(&self) -> State {
        let Self {
            irq: _,
            network: _,
            config,
            rom: _,
            station: _,
            bank,
            eeprom,
            timer_zero,
            timer_due,
            sending,
            wire_free,
        } = self;
        let saved = SavedV1 {
            config: config.save(),
            bank: bank.clone(),
            eeprom: eeprom.clone(),
            timer_zero: *timer_zero,
            timer_due: *timer_due,
            sending: *sending,
            wire_free: *wire_free,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            config,
            bank,
            eeprom,
            timer_zero,
            timer_due,
            sending,
            wire_free,
        } = state.decode(self.name(), 1)?;
        let config = ConfigSpace::unpack(&config, self.name())?;
        self.config.restore(config);
        self.bank = bank;
        self.eeprom = eeprom;
        self.timer_zero = timer_zero;
        self.timer_due = timer_due;
        self.sending = sending;
        self.wire_free = wire_free;
        self.irq.restore(self.interrupt_level());
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }

    fn pci(&mut self) -> Option<&mut dyn PciFunction> {
        Some(self)
    }
}

impl PciFunction for Rtl8139 {
    fn config(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }
}

impl Registers for Rtl8139 {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        self.catch_up(cx);
        if register >= ROM {
            self.read_rom(register - ROM, bytes);
            return Ok(());
        }
        if register >= REGISTER_BYTES {
            return Err(BusError::NoRegister(register));
        }
        for (place, byte) in (register..).zip(bytes) {
            let word = self.double_word((place & !3) as u8, cx.now);
            *byte = if place < REGISTER_BYTES {
                word.to_le_bytes()[(place & 3) as usize]
            } else {
                0xff
            };
        }
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        self.catch_up(cx);
        if register >= REGISTER_BYTES {
            return Err(BusError::NoRegister(register));
        }
        let mut place = register;
        let end = REGISTER_BYTES.min(register.saturating_add(bytes.len() as u64));
        while place < end {
            let (field, start, length) = field_at(place as u8);
            let stop = (start + length).min(end);
            let write = FieldWrite::new(start, place, &bytes[(place - register) as usize..], stop);
            self.write_field(field, write, cx.now);
            place = stop;
        }
        self.irq.set(self.interrupt_level());
        Ok(())
    }
}

impl Timed for Rtl8139 {
    fn next_deadline(&self) -> Option<Time> {
        let sending = self.sending.iter().flatten().copied();
        sending.chain(self.timer_due).min()
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.catch_up(cx);
    }
}

#[cfg(test)]
mod tests;
