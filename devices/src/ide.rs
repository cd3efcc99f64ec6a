//! One ATA channel on the ISA bus, with programmed I/O only.
//!
//! ATA/ATAPI-6 (INCITS 361, T13/1410D). Registers: 0 is the data port, 1 to 7
//! the command block, 8 the control block's one register (alternate status,
//! device control). The data port takes any even number of bytes, so 16- and
//! 32-bit accesses and whole strings of them; the others take one byte.
//!
//! Device 0 is the disk, if there is one; device 1 is absent. For an absent
//! device 1, device 0 answers zeros. Without a disk nothing drives the bus:
//! reads give 7Fh, as its pull-down resistor on line 7 makes them, so that BSY
//! is never seen.
//!
//! Commands are carried out at once: BSY is only seen during a software reset.
//! A host error reads as an uncorrectable error, or as a device fault when
//! writing; a read-only disk aborts writes.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, byte_of_read, byte_of_write};
use crate::host_end::{Disk, SECTOR_BYTES};
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};

mod command;
mod identify;
mod transfer;

use transfer::{SavedTransferV1, Transfer};

/// What a read gives when no disk drives the bus.
const FLOATING: u8 = 0x7f;
/// READ and WRITE MULTIPLE move at most this many sectors a block.
const MAX_MULTIPLE: u8 = 16;

bitflags! {
    /// Status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Status: u8 {
        /// An error; the error register says which.
        const ERR = 1 << 0;
        /// Data can be transferred.
        const DRQ = 1 << 3;
        /// Seek complete.
        const DSC = 1 << 4;
        /// Device fault.
        const DF = 1 << 5;
        /// The device is ready.
        const DRDY = 1 << 6;
        /// The device is busy.
        const BSY = 1 << 7;
    }

    /// Error register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct ErrorBits: u8 {
        /// The command was aborted. After diagnostics: device 0 passed.
        const ABRT = 1 << 2;
        /// The address was not found.
        const IDNF = 1 << 4;
        /// The data cannot be read.
        const UNC = 1 << 6;
    }

    /// Device register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct DeviceBits: u8 {
        /// The head, or bits 27 to 24 of the address.
        const HEAD = 0x0f;
        /// Device 1 is selected.
        const DEV = 1 << 4;
        /// Bits 7 and 5 once had to be set.
        const OBSOLETE = 0xa0;
        /// The address is linear.
        const LBA = 1 << 6;
    }

    /// Device control register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Control: u8 {
        /// The interrupt is not let out.
        const NIEN = 1 << 1;
        /// Software reset.
        const SRST = 1 << 2;
        /// Reads show the previous contents of the registers.
        const HOB = 1 << 7;
    }
}

/// A register two bytes deep: 48-bit commands write it twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Deep {
    current: u8,
    previous: u8,
}

impl Deep {
    const fn push(&mut self, byte: u8) {
        self.previous = self.current;
        self.current = byte;
    }

    const fn set(&mut self, byte: u8) {
        self.current = byte;
    }

    const fn read(self, shows_previous: bool) -> u8 {
        if shows_previous {
            self.previous
        } else {
            self.current
        }
    }
}

/// How cylinders, heads and sectors number the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Geometry {
    heads: u8,
    sectors_per_track: u8,
}

impl Geometry {
    /// What the disk has until the guest chooses another.
    const DEFAULT: Self = Self {
        heads: 16,
        sectors_per_track: 63,
    };

    /// Cylinders of a disk of `sectors`.
    fn cylinders(self, sectors: u64) -> u16 {
        let cylinder = u64::from(self.heads) * u64::from(self.sectors_per_track);
        let limit = if self == Self::DEFAULT {
            16_383
        } else {
            65_535
        };
        sectors
            .checked_div(cylinder)
            .map_or(0, |cylinders| cylinders.min(limit) as u16)
    }
}

/// The channel.
pub struct Ide {
    irq: IrqLine,
    disk: Option<Box<dyn Disk>>,
    features: Deep,
    sector_count: Deep,
    lba_low: Deep,
    lba_mid: Deep,
    lba_high: Deep,
    device: DeviceBits,
    control: Control,
    status: Status,
    error: u8,
    /// The interrupt is pending, let out or not.
    interrupt: bool,
    geometry: Geometry,
    /// Sectors a block of READ and WRITE MULTIPLE; 0 until set.
    multiple: u8,
    write_cache: bool,
    look_ahead: bool,
    transfer: Transfer,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    features: Deep,
    sector_count: Deep,
    lba_low: Deep,
    lba_mid: Deep,
    lba_high: Deep,
    device: u8,
    control: u8,
    status: u8,
    error: u8,
    interrupt: bool,
    geometry: Geometry,
    multiple: u8,
    write_cache: bool,
    look_ahead: bool,
    transfer: SavedTransferV1,
}

impl Ide {
    /// A channel that drives `irq`, with `disk` as device 0.
    #[must_use]
    pub fn new(irq: IrqLine, disk: Option<Box<dyn Disk>>) -> Self {
        let mut ide = Self {
            irq,
            disk,
            features: Deep::default(),
            sector_count: Deep::default(),
            lba_low: Deep::default(),
            lba_mid: Deep::default(),
            lba_high: Deep::default(),
            device: DeviceBits::empty(),
            control: Control::empty(),
            status: Status::empty(),
            error: 0,
            interrupt: false,
            geometry: Geometry::DEFAULT,
            multiple: 0,
            write_cache: true,
            look_ahead: true,
            transfer: Transfer::none(),
        };
        ide.reset();
        ide
    }

    /// Leaves the registers as after a reset or diagnostics: the signature of
    /// a disk that has passed.
    fn show_signature(&mut self) {
        self.sector_count = Deep::default();
        self.sector_count.set(1);
        self.lba_low = Deep::default();
        self.lba_low.set(1);
        self.lba_mid = Deep::default();
        self.lba_high = Deep::default();
        self.device = DeviceBits::empty();
        // Device 0 passed, device 1 passed or is absent.
        self.error = 1;
        self.status = Status::DRDY | Status::DSC;
        self.transfer = Transfer::none();
    }

    fn selects_absent_device(&self) -> bool {
        self.device.contains(DeviceBits::DEV)
    }

    fn irq_level(&self) -> bool {
        self.interrupt && !self.control.contains(Control::NIEN) && !self.selects_absent_device()
    }

    fn set_interrupt(&mut self, pending: bool) {
        self.interrupt = pending;
        self.irq.set(self.irq_level());
    }

    fn write_control(&mut self, byte: u8) {
        let before = self.control;
        self.control = Control::from_bits_truncate(byte);
        if self.control.contains(Control::SRST) {
            self.status = Status::BSY;
            self.transfer = Transfer::none();
            self.interrupt = false;
        } else if before.contains(Control::SRST) {
            self.show_signature();
        }
        self.irq.set(self.irq_level());
    }

    fn write_command_block(&mut self, register: u64, byte: u8) {
        self.control -= Control::HOB;
        // While busy, only the end of the software reset is heard. A command
        // given during a transfer ends that, as drives do.
        if self.status.contains(Status::BSY) {
            return;
        }
        match register {
            1 => self.features.push(byte),
            2 => self.sector_count.push(byte),
            3 => self.lba_low.push(byte),
            4 => self.lba_mid.push(byte),
            5 => self.lba_high.push(byte),
            6 => {
                self.device = DeviceBits::from_bits_retain(byte);
                self.irq.set(self.irq_level());
            }
            _ => self.command(byte),
        }
    }

    fn read_byte(&mut self, register: u64) -> u8 {
        if self.selects_absent_device() {
            // On behalf of the absent device; only the selection reads back.
            return if register == 6 { self.device.bits() } else { 0 };
        }
        let previous = self.control.contains(Control::HOB);
        match register {
            1 => self.error,
            2 => self.sector_count.read(previous),
            3 => self.lba_low.read(previous),
            4 => self.lba_mid.read(previous),
            5 => self.lba_high.read(previous),
            6 => (self.device | DeviceBits::OBSOLETE).bits(),
            7 => {
                self.set_interrupt(false);
                self.status.bits()
            }
            _ => self.status.bits(),
        }
    }
}

impl Device for Ide {
    fn name(&self) -> &'static str {
        "ide"
    }

    fn reset(&mut self) {
        self.features = Deep::default();
        self.control = Control::empty();
        self.geometry = Geometry::DEFAULT;
        self.multiple = 0;
        self.write_cache = true;
        self.look_ahead = true;
        self.show_signature();
        self.set_interrupt(false);
    }

    fn save(&self) -> State {
        let Self {
            irq: _,
            disk: _,
            features,
            sector_count,
            lba_low,
            lba_mid,
            lba_high,
            device,
            control,
            status,
            error,
            interrupt,
            geometry,
            multiple,
            write_cache,
            look_ahead,
            transfer,
        } = self;
        let saved = SavedV1 {
            features: *features,
            sector_count: *sector_count,
            lba_low: *lba_low,
            lba_mid: *lba_mid,
            lba_high: *lba_high,
            device: device.bits(),
            control: control.bits(),
            status: status.bits(),
            error: *error,
            interrupt: *interrupt,
            geometry: *geometry,
            multiple: *multiple,
            write_cache: *write_cache,
            look_ahead: *look_ahead,
            transfer: transfer.save(),
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            features,
            sector_count,
            lba_low,
            lba_mid,
            lba_high,
            device,
            control,
            status,
            error,
            interrupt,
            geometry,
            multiple,
            write_cache,
            look_ahead,
            transfer,
        } = state.decode(self.name(), 1)?;
        let impossible = |what| RestoreError::Impossible {
            device: "ide",
            what,
        };
        if multiple > MAX_MULTIPLE {
            return Err(impossible("more than 16 sectors a block"));
        }
        self.transfer = Transfer::restore(transfer)
            .ok_or_else(|| impossible("a transfer outside its buffer"))?;
        self.features = features;
        self.sector_count = sector_count;
        self.lba_low = lba_low;
        self.lba_mid = lba_mid;
        self.lba_high = lba_high;
        self.device = DeviceBits::from_bits_retain(device);
        self.control = Control::from_bits_truncate(control);
        self.status = Status::from_bits_truncate(status);
        self.error = error;
        self.interrupt = interrupt;
        self.geometry = geometry;
        self.multiple = multiple;
        self.write_cache = write_cache;
        self.look_ahead = look_ahead;
        self.irq.restore(self.irq_level());
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for Ide {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        match register {
            0 if !bytes.len().is_multiple_of(2) => {
                return Err(BusError::BadWidth {
                    register,
                    bytes: bytes.len(),
                });
            }
            0 if self.disk.is_none() => bytes.fill(FLOATING),
            0 => self.read_data(bytes),
            1..=8 if self.disk.is_none() => *byte_of_read(register, bytes)? = FLOATING,
            1..=8 => *byte_of_read(register, bytes)? = self.read_byte(register),
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        match register {
            0 if !bytes.len().is_multiple_of(2) => {
                return Err(BusError::BadWidth {
                    register,
                    bytes: bytes.len(),
                });
            }
            // What nobody is there to hear is lost.
            0..=8 if self.disk.is_none() => {}
            0 => self.write_data(bytes),
            1..=7 => self.write_command_block(register, byte_of_write(register, bytes)?),
            8 => self.write_control(byte_of_write(register, bytes)?),
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
