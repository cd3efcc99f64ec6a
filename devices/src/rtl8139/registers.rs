//! The map of the adapter's registers, and what they read as.

use super::{Bank, Command, HARDWARE_VERSION, Interrupts, Rtl8139, TransmitStatus};
use crate::time::Time;

/// What lies at an offset, for writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Address(usize),
    Multicast(usize),
    TransmitStatus(usize),
    TransmitAddress(usize),
    ReceiveStart,
    Command,
    ReadPointer,
    InterruptMask,
    Interrupts,
    TransmitConfiguration,
    ReceiveConfiguration,
    Timer,
    Missed,
    EepromCommand,
    Configuration(usize),
    TimerInterrupt,
    MediaStatus,
    BasicModeControl,
    Advertisement,
    ReadOnly,
}

/// The field at `place`, with its first offset and its length in bytes.
pub(super) const fn field_at(place: u8) -> (Field, u64, u64) {
    let at = place as u64;
    match place {
        0x00..=0x05 => (Field::Address(place as usize), at, 1),
        0x08..=0x0f => (Field::Multicast(place as usize - 8), at, 1),
        0x10..=0x1f => {
            let number = (place as usize - 0x10) / 4;
            (Field::TransmitStatus(number), at & !3, 4)
        }
        0x20..=0x2f => {
            let number = (place as usize - 0x20) / 4;
            (Field::TransmitAddress(number), at & !3, 4)
        }
        0x30..=0x33 => (Field::ReceiveStart, 0x30, 4),
        0x37 => (Field::Command, at, 1),
        0x38..=0x39 => (Field::ReadPointer, 0x38, 2),
        0x3c..=0x3d => (Field::InterruptMask, 0x3c, 2),
        0x3e..=0x3f => (Field::Interrupts, 0x3e, 2),
        0x40..=0x43 => (Field::TransmitConfiguration, 0x40, 4),
        0x44..=0x47 => (Field::ReceiveConfiguration, 0x44, 4),
        0x48..=0x4b => (Field::Timer, 0x48, 4),
        0x4c..=0x4f => (Field::Missed, 0x4c, 4),
        0x50 => (Field::EepromCommand, at, 1),
        0x51..=0x52 => (Field::Configuration(place as usize - 0x51), at, 1),
        0x54..=0x57 => (Field::TimerInterrupt, 0x54, 4),
        0x58 => (Field::MediaStatus, at, 1),
        0x62..=0x63 => (Field::BasicModeControl, 0x62, 2),
        0x66..=0x67 => (Field::Advertisement, 0x66, 2),
        _ => (Field::ReadOnly, at, 1),
    }
}

/// Bytes written to a field: their bits, and which bits those are.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldWrite {
    value: u32,
    mask: u32,
}

impl FieldWrite {
    /// The write of `bytes` from `place` up to `stop` to the field at `start`.
    pub(super) fn new(start: u64, place: u64, bytes: &[u8], stop: u64) -> Self {
        let (mut value, mut mask) = (0, 0);
        for (offset, &byte) in (place..stop).zip(bytes) {
            let shift = 8 * (offset - start) as u32;
            value |= u32::from(byte) << shift;
            mask |= 0xff << shift;
        }
        Self { value, mask }
    }

    /// The field's value, which was `old`, after the write.
    pub(super) const fn over(self, old: u32) -> u32 {
        old & !self.mask | self.value
    }

    /// Whether the write leaves all of `bits` alone.
    pub(super) const fn covers_not(self, bits: u32) -> bool {
        self.mask & bits == 0
    }
}

/// BMSR: 10 and 100 Mbit/s in half and full duplex, negotiated, link up.
const BASIC_MODE_STATUS: u16 = 0x782d;
/// ANLPAR: what the partner can do, which is all.
const PARTNER: u16 = 0x45e1;
/// ANER: the partner negotiates.
const EXPANSION: u16 = 1;

impl Rtl8139 {
    /// What four bytes of registers read as; `at` is a multiple of four.
    pub(super) fn double_word(&self, at: u8, now: Time) -> u32 {
        let bank = &self.bank;
        let words = |low: u16, high: u16| u32::from(low) | u32::from(high) << 16;
        let index = usize::from(at);
        match at {
            0x00 => u32::from_le_bytes([0, 1, 2, 3].map(|n| bank.address[n])),
            0x04 => u32::from_le_bytes([bank.address[4], bank.address[5], 0, 0]),
            0x08 | 0x0c => u32::from_le_bytes([0, 1, 2, 3].map(|n| bank.multicast[index - 8 + n])),
            0x10..=0x1c => bank.transmit_status[(index - 0x10) / 4],
            0x20..=0x2c => bank.transmit_address[(index - 0x20) / 4],
            0x30 => bank.receive_start,
            0x34 => u32::from(self.visible_command()) << 24,
            0x38 => words(bank.read_pointer, bank.write_pointer),
            0x3c => words(
                bank.interrupt_mask,
                bank.interrupts & Interrupts::ALL.bits(),
            ),
            0x40 => bank.transmit_configuration | HARDWARE_VERSION,
            0x44 => bank.receive_configuration,
            0x48 => self.clocks(now) as u32,
            0x4c => bank.missed,
            0x50 => {
                let eeprom = bank.eeprom_command & !1 | u8::from(self.eeprom.output());
                let [first, second] = bank.configuration;
                u32::from_le_bytes([eeprom, first, second, 0])
            }
            0x54 => bank.timer_interrupt,
            0x58 => u32::from(bank.media_status),
            0x60 => words(summary(bank), bank.basic_mode_control),
            0x64 => words(BASIC_MODE_STATUS, bank.advertisement),
            0x68 => words(PARTNER, EXPANSION),
            _ => 0,
        }
    }

    fn visible_command(&self) -> u8 {
        let mut command = Command::from_bits_retain(self.bank.command);
        command.set(Command::BUFFER_EMPTY, self.buffer_is_empty());
        command.bits()
    }
}

/// TSAD: the owner and success bits of all descriptors.
fn summary(bank: &Bank) -> u16 {
    let mut summary = 0;
    for (number, &status) in bank.transmit_status.iter().enumerate() {
        let status = TransmitStatus::from_bits_retain(status);
        let owned = u16::from(status.contains(TransmitStatus::OWN));
        let sent = u16::from(status.contains(TransmitStatus::OK));
        summary |= owned << number | sent << (12 + number);
    }
    summary
}
