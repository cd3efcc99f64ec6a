//! One function's configuration space (PCI 2.2, chapter 6).
//!
//! Each byte has a mask of bits that software may write and one of bits that
//! it clears by writing ones. A chip declares those with the `with_`
//! functions and reads its registers back with [`ConfigSpace::register`].

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use super::bar::{Bar, Space, Window};
use super::msi::{self, MsiCapability, MsiMessage};
use crate::snapshot::RestoreError;

/// Bytes of configuration space.
const BYTES: usize = 256;

mod offset {
    pub(super) const VENDOR_ID: u8 = 0x00;
    pub(super) const DEVICE_ID: u8 = 0x02;
    pub(super) const COMMAND: u8 = 0x04;
    pub(super) const STATUS: u8 = 0x06;
    pub(super) const REVISION_ID: u8 = 0x08;
    pub(super) const CLASS_CODE: u8 = 0x09;
    pub(super) const CACHE_LINE_SIZE: u8 = 0x0c;
    pub(super) const LATENCY_TIMER: u8 = 0x0d;
    pub(super) const HEADER_TYPE: u8 = 0x0e;
    pub(super) const BASE_ADDRESS: u8 = 0x10;
    pub(super) const SUBSYSTEM_VENDOR_ID: u8 = 0x2c;
    pub(super) const SUBSYSTEM_ID: u8 = 0x2e;
    pub(super) const EXPANSION_ROM: u8 = 0x30;
    pub(super) const CAPABILITIES: u8 = 0x34;
    pub(super) const INTERRUPT_LINE: u8 = 0x3c;
    pub(super) const INTERRUPT_PIN: u8 = 0x3d;

    /// Type 1 headers, of PCI-to-PCI bridges.
    pub(super) mod bridge {
        pub(in super::super) const PRIMARY_BUS: u8 = 0x18;
        pub(in super::super) const IO_BASE: u8 = 0x1c;
        pub(in super::super) const SECONDARY_STATUS: u8 = 0x1e;
        pub(in super::super) const MEMORY_BASE: u8 = 0x20;
        pub(in super::super) const EXPANSION_ROM: u8 = 0x38;
        pub(in super::super) const BRIDGE_CONTROL: u8 = 0x3e;
    }
}

bitflags! {
    /// The command register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Command: u16 {
        /// Decodes its I/O windows.
        const IO_SPACE = 1 << 0;
        /// Decodes its memory windows.
        const MEMORY_SPACE = 1 << 1;
        /// May be a bus master.
        const BUS_MASTER = 1 << 2;
        /// Monitors special cycles.
        const SPECIAL_CYCLES = 1 << 3;
        /// May write and invalidate.
        const WRITE_AND_INVALIDATE = 1 << 4;
        /// Answers parity errors.
        const PARITY_ERROR_RESPONSE = 1 << 6;
        /// May drive SERR#.
        const SERR_ENABLE = 1 << 8;
        /// Does not drive its interrupt pin (PCI 2.3).
        const INTERRUPT_DISABLE = 1 << 10;
    }

    /// The status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Status: u16 {
        /// Has a list of capabilities.
        const CAPABILITIES_LIST = 1 << 4;
        /// Takes fast back-to-back cycles.
        const FAST_BACK_TO_BACK = 1 << 7;
        /// A parity error while it was master.
        const MASTER_DATA_PARITY_ERROR = 1 << 8;
        /// DEVSEL# comes at medium speed.
        const DEVSEL_MEDIUM = 1 << 9;
        /// Ended a cycle with target abort.
        const SIGNALED_TARGET_ABORT = 1 << 11;
        /// Its cycle was ended with target abort.
        const RECEIVED_TARGET_ABORT = 1 << 12;
        /// Nobody answered its cycle.
        const RECEIVED_MASTER_ABORT = 1 << 13;
        /// Drove SERR#.
        const SIGNALED_SYSTEM_ERROR = 1 << 14;
        /// Saw a parity error.
        const DETECTED_PARITY_ERROR = 1 << 15;
        /// The bits that writing ones clears.
        const CLEARED_BY_ONES = 0xf900;
    }
}

/// An interrupt pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are just the four pins")]
pub enum Pin {
    IntA = 1,
    IntB,
    IntC,
    IntD,
}

/// What a function says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who made it.
    pub vendor_id: u16,
    /// What it is.
    pub device_id: u16,
    /// Stepping.
    pub revision_id: u8,
    /// Base class, subclass and programming interface: 24 bits.
    pub class_code: u32,
    /// Who made the board and which, as (vendor, device).
    pub subsystem: (u16, u16),
    /// The interrupt pin it drives.
    pub interrupt_pin: Option<Pin>,
    /// Another function shares its device number.
    pub is_multifunction: bool,
}

/// Which header it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    Device,
    Bridge,
}

/// One function's configuration space.
#[derive(Clone, Debug)]
pub struct ConfigSpace {
    header: Header,
    bytes: [u8; BYTES],
    /// What the bytes are after a reset.
    reset: [u8; BYTES],
    /// Bits that software may write.
    writable: [u8; BYTES],
    /// Bits that software clears by writing ones.
    cleared_by_ones: [u8; BYTES],
    bars: Vec<(u8, Bar)>,
    rom: Option<Bar>,
    /// The ROM's own enable bit is enough.
    rom_ignores_command: bool,
    msi: Option<(u8, MsiCapability)>,
}

/// A configuration space in a snapshot: the bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedConfigV1(Vec<u8>);

impl ConfigSpace {
    /// A type 0 header: any function but a PCI-to-PCI bridge.
    #[must_use]
    pub fn device(identity: &Identity) -> Self {
        Self::new(identity, Header::Device)
            .fixed(
                offset::SUBSYSTEM_VENDOR_ID,
                &identity.subsystem.0.to_le_bytes(),
            )
            .fixed(offset::SUBSYSTEM_ID, &identity.subsystem.1.to_le_bytes())
    }

    /// A type 1 header: a PCI-to-PCI bridge with 16-bit I/O and 32-bit
    /// prefetchable windows.
    #[must_use]
    pub fn bridge(identity: &Identity) -> Self {
        use offset::bridge as at;
        let status = Status::CLEARED_BY_ONES.bits().to_le_bytes();
        Self::new(identity, Header::Bridge)
            .with_register(at::PRIMARY_BUS, &[0; 4], &[0xff; 4])
            .with_register(at::IO_BASE, &[0; 2], &[0xf0; 2])
            .with_cleared_by_ones(at::SECONDARY_STATUS, &status)
            .with_register(at::MEMORY_BASE, &[0; 8], &[0xf0, 0xff].repeat(4))
            .with_register(at::BRIDGE_CONTROL, &[0; 2], &[0xef, 0])
    }

    fn new(identity: &Identity, header: Header) -> Self {
        let [class @ .., _] = identity.class_code.to_le_bytes();
        let kind = header as u8 | u8::from(identity.is_multifunction) << 7;
        let pin = identity.interrupt_pin.map_or(0, |pin| pin as u8);
        let line_mask = if pin == 0 { 0 } else { 0xff };
        let empty = Self {
            header,
            bytes: [0; BYTES],
            reset: [0; BYTES],
            writable: [0; BYTES],
            cleared_by_ones: [0; BYTES],
            bars: Vec::new(),
            rom: None,
            rom_ignores_command: false,
            msi: None,
        };
        empty
            .fixed(offset::VENDOR_ID, &identity.vendor_id.to_le_bytes())
            .fixed(offset::DEVICE_ID, &identity.device_id.to_le_bytes())
            .fixed(offset::REVISION_ID, &[identity.revision_id])
            .fixed(offset::CLASS_CODE, &class)
            .fixed(offset::HEADER_TYPE, &[kind])
            .fixed(offset::INTERRUPT_PIN, &[pin])
            .with_register(offset::CACHE_LINE_SIZE, &[0], &[0xff])
            .with_register(offset::LATENCY_TIMER, &[0], &[0xf8])
            .with_register(offset::INTERRUPT_LINE, &[0], &[line_mask])
            .with_command(Command::empty(), Command::all())
            .with_status(Status::FAST_BACK_TO_BACK | Status::DEVSEL_MEDIUM)
    }

    /// Bytes that software cannot change.
    #[must_use]
    pub fn fixed(self, offset: u8, values: &[u8]) -> Self {
        self.with_register(offset, values, &[])
    }

    /// A register: its value after reset and the bits that can be written.
    /// What lies beyond the 256 bytes is dropped; a missing mask is zero.
    #[must_use]
    pub fn with_register(mut self, offset: u8, reset: &[u8], writable: &[u8]) -> Self {
        for (at, &value) in (usize::from(offset)..BYTES).zip(reset) {
            self.reset[at] = value;
            self.bytes[at] = value;
            self.writable[at] = 0;
        }
        for (at, &mask) in (usize::from(offset)..BYTES).zip(writable) {
            self.writable[at] = mask;
        }
        self
    }

    /// Bits that the chip sets and software clears by writing ones.
    #[must_use]
    pub fn with_cleared_by_ones(mut self, offset: u8, masks: &[u8]) -> Self {
        for (at, &mask) in (usize::from(offset)..BYTES).zip(masks) {
            self.cleared_by_ones[at] = mask;
            self.writable[at] &= !mask;
        }
        self
    }

    /// The command register after reset, and the bits that can be written.
    #[must_use]
    pub fn with_command(self, reset: Command, writable: Command) -> Self {
        self.with_register(
            offset::COMMAND,
            &reset.bits().to_le_bytes(),
            &writable.bits().to_le_bytes(),
        )
    }

    /// The fixed bits of the status register.
    #[must_use]
    pub fn with_status(self, fixed: Status) -> Self {
        let mut fixed = fixed - Status::CLEARED_BY_ONES;
        fixed.set(Status::CAPABILITIES_LIST, self.msi.is_some());
        self.fixed(offset::STATUS, &fixed.bits().to_le_bytes())
            .with_cleared_by_ones(
                offset::STATUS,
                &Status::CLEARED_BY_ONES.bits().to_le_bytes(),
            )
    }

    /// Base address register `index`: 0 to 5, or 0 and 1 of a bridge.
    #[must_use]
    pub fn with_bar(mut self, index: u8, bar: Bar) -> Self {
        debug_assert!(bar.bytes.is_power_of_two(), "BARs decode powers of two");
        debug_assert!(index < 6, "there are six");
        let at = offset::BASE_ADDRESS + index * 4;
        self.bars.push((at, bar));
        let [low @ .., _, _, _, _] = bar.address_mask().to_le_bytes();
        let with_low = self.with_register(at, &bar.kind_bits().to_le_bytes(), &low);
        if !bar.is_64_bit {
            return with_low;
        }
        let [_, _, _, _, high @ ..] = bar.address_mask().to_le_bytes();
        with_low.with_register(at + 4, &[0; 4], &high)
    }

    /// The expansion ROM: `bytes` from the chip's register `first_register`.
    #[must_use]
    pub fn with_rom(mut self, bytes: u64, first_register: u64) -> Self {
        let rom = Bar::memory(bytes.max(2048), first_register);
        self.rom = Some(rom);
        let [low, second, third, fourth, ..] = (rom.address_mask() & !0x7ff).to_le_bytes();
        let at = self.rom_offset();
        self.with_register(at, &[0; 4], &[low | 1, second, third, fourth])
    }

    /// The ROM is decoded whenever its own enable bit is set. The specification wants memory
    /// decoding switched on besides.
    #[must_use]
    pub const fn with_rom_that_ignores_the_command_register(mut self) -> Self {
        self.rom_ignores_command = true;
        self
    }

    /// An MSI capability at `at`, the only capability.
    #[must_use]
    pub fn with_msi(mut self, at: u8, capability: MsiCapability) -> Self {
        debug_assert!(
            at >= 0x40 && at <= u8::MAX - capability.bytes(),
            "fits behind the header"
        );
        self.msi = Some((at, capability));
        self.reset[usize::from(offset::STATUS)] |= Status::CAPABILITIES_LIST.bits() as u8;
        self.bytes[usize::from(offset::STATUS)] |= Status::CAPABILITIES_LIST.bits() as u8;
        let [low, high] = capability.control().to_le_bytes();
        let writable = msi::ENABLE | msi::MULTIPLE_MESSAGE_ENABLE;
        let data = at + capability.data_offset();
        let with_control = self
            .fixed(offset::CAPABILITIES, &[at])
            .fixed(at, &[msi::CAPABILITY_ID, 0])
            .with_register(at + 2, &[low, high], &writable.to_le_bytes())
            .with_register(at + 4, &[0; 4], &[0xfc, 0xff, 0xff, 0xff]);
        let with_address = if capability.is_64_bit {
            with_control.with_register(at + 8, &[0; 4], &[0xff; 4])
        } else {
            with_control
        };
        let with_data = with_address.with_register(data, &[0; 2], &[0xff; 2]);
        if capability.has_masks {
            let mask = at + capability.mask_offset();
            with_data.with_register(mask, &[0; 4], &[0xff; 4])
        } else {
            with_data
        }
    }

    /// Puts every register in its power-on state.
    pub const fn reset(&mut self) {
        self.bytes = self.reset;
    }

    /// A read of any number of bytes; past the end is all ones.
    pub fn read(&self, register: u8, bytes: &mut [u8]) {
        bytes.fill(0xff);
        for (byte, &value) in bytes.iter_mut().zip(&self.bytes[usize::from(register)..]) {
            *byte = value;
        }
    }

    /// A write by software: only what may be written changes.
    pub fn write(&mut self, register: u8, bytes: &[u8]) {
        for (at, &value) in (usize::from(register)..BYTES).zip(bytes) {
            let writable = self.writable[at];
            let kept = self.bytes[at] & !writable & !(value & self.cleared_by_ones[at]);
            self.bytes[at] = kept | (value & writable);
        }
    }

    /// The four bytes at `at`, as the chip itself reads them.
    #[must_use]
    pub fn register(&self, at: u8) -> u32 {
        let mut bytes = [0; 4];
        for (byte, &value) in bytes.iter_mut().zip(&self.bytes[usize::from(at)..]) {
            *byte = value;
        }
        u32::from_le_bytes(bytes)
    }

    /// Changes a byte as the chip itself does.
    pub const fn set_byte(&mut self, at: u8, value: u8) {
        self.bytes[at as usize] = value;
    }

    /// The command register.
    #[must_use]
    pub fn command(&self) -> Command {
        Command::from_bits_truncate(self.register(offset::COMMAND) as u16)
    }

    /// Sets error bits of the status register.
    pub fn raise_status(&mut self, status: Status) {
        let raised = (status & Status::CLEARED_BY_ONES).bits().to_le_bytes();
        for (at, bits) in (usize::from(offset::STATUS)..).zip(raised) {
            self.bytes[at] |= bits;
        }
    }

    /// What it decodes now.
    #[must_use]
    pub fn windows(&self) -> Vec<Window> {
        let command = self.command();
        let decodes = |bar: &Bar| match bar.space {
            Space::Io => command.contains(Command::IO_SPACE),
            Space::Memory => command.contains(Command::MEMORY_SPACE),
        };
        let base = |at: u8, bar: &Bar| {
            let low = u64::from(self.register(at));
            if bar.is_64_bit {
                low | u64::from(self.register(at + 4)) << 32
            } else {
                low
            }
        };
        let rom_base = u64::from(self.register(self.rom_offset()));
        // A BAR may share its decoder with the ROM, which then comes last.
        let rom = self
            .rom
            .filter(|bar| rom_base & 1 != 0 && (self.rom_ignores_command || decodes(bar)))
            .and_then(|bar| bar.window(rom_base));
        self.bars
            .iter()
            .filter(|(_, bar)| decodes(bar))
            .filter_map(|(at, bar)| bar.window(base(*at, bar)))
            .chain(rom)
            .collect()
    }

    /// The buses behind a bridge, as (secondary, subordinate).
    #[must_use]
    pub fn buses_behind(&self) -> Option<(u8, u8)> {
        let [_, secondary, subordinate, _] =
            self.register(offset::bridge::PRIMARY_BUS).to_le_bytes();
        (self.header == Header::Bridge).then_some((secondary, subordinate))
    }

    /// Message `number` if MSI is enabled; the function must then not use its
    /// pin. A masked message becomes pending and is not sent.
    pub fn msi_message(&mut self, number: u8) -> Option<MsiMessage> {
        let (at, capability) = self.msi?;
        let control = (self.register(at) >> 16) as u16;
        if control & msi::ENABLE == 0 {
            return None;
        }
        let granted = (control & msi::MULTIPLE_MESSAGE_ENABLE) >> 4;
        let log2 = granted.min(u16::from(capability.log2_messages.min(5)));
        let number = u32::from(number) & ((1 << log2) - 1);
        if capability.has_masks {
            let mask = at + capability.mask_offset();
            let bit = 1 << number;
            if self.register(mask) & bit != 0 {
                let pending = (self.register(mask + 4) | bit).to_le_bytes();
                let at = usize::from(mask) + 4;
                self.bytes[at..at + 4].copy_from_slice(&pending);
                return None;
            }
        }
        let high = if capability.is_64_bit {
            u64::from(self.register(at + 8)) << 32
        } else {
            0
        };
        let data = self.register(at + capability.data_offset()) & 0xffff;
        Some(MsiMessage {
            address: high | u64::from(self.register(at + 4)),
            data: (data & !((1 << log2) - 1)) | number,
        })
    }

    /// Whether MSI is enabled, so that the pin must stay quiet.
    #[must_use]
    pub fn msi_enabled(&self) -> bool {
        self.msi
            .is_some_and(|(at, _)| (self.register(at) >> 16) as u16 & msi::ENABLE != 0)
    }

    /// Its state.
    #[must_use]
    pub fn save(&self) -> SavedConfigV1 {
        SavedConfigV1(self.bytes.to_vec())
    }

    /// Checks and unpacks a saved state for [`ConfigSpace::restore`].
    ///
    /// # Errors
    /// When it is not 256 bytes long.
    pub fn unpack(
        saved: &SavedConfigV1,
        device: &'static str,
    ) -> Result<[u8; BYTES], RestoreError> {
        <[u8; BYTES]>::try_from(saved.0.as_slice()).map_err(|_| RestoreError::Impossible {
            device,
            what: "configuration space has 256 bytes",
        })
    }

    /// Takes back what [`ConfigSpace::unpack`] found.
    pub const fn restore(&mut self, bytes: [u8; BYTES]) {
        self.bytes = bytes;
    }

    const fn rom_offset(&self) -> u8 {
        match self.header {
            Header::Device => offset::EXPANSION_ROM,
            Header::Bridge => offset::bridge::EXPANSION_ROM,
        }
    }
}

#[cfg(test)]
mod tests;
