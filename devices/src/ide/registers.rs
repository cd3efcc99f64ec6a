//! The registers of an ATA device: the command block, and the channel's device
//! control (ATA/ATAPI-6 section 7).

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// Status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Status: u8 {
        /// An error; the error register says which. Check condition, of a
        /// packet device.
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
        /// Waiting for a command, all well.
        const READY = Self::DRDY.bits() | Self::DSC.bits();
    }

    /// Error register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct ErrorBits: u8 {
        /// The command was aborted. After diagnostics: device 0 passed.
        const ABRT = 1 << 2;
        /// The address was not found.
        const IDNF = 1 << 4;
        /// The data cannot be read.
        const UNC = 1 << 6;
    }

    /// Device register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct DeviceBits: u8 {
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
    pub(super) struct Control: u8 {
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
pub(super) struct Deep {
    pub(super) current: u8,
    pub(super) previous: u8,
}

impl Deep {
    const fn new(current: u8) -> Self {
        Self {
            current,
            previous: 0,
        }
    }

    const fn push(&mut self, byte: u8) {
        self.previous = self.current;
        self.current = byte;
    }

    pub(super) const fn set(&mut self, byte: u8) {
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

/// What a device leaves in its registers after a reset, so that software can
/// tell what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    /// A device of the general command set.
    Ata,
    /// One of the packet command set: EB14h.
    Packet,
}

/// A device's command block registers. Both devices of a channel hear the
/// writes; only the selected one answers.
#[derive(Debug)]
pub(super) struct TaskFile {
    pub(super) features: Deep,
    pub(super) sector_count: Deep,
    pub(super) lba_low: Deep,
    pub(super) lba_mid: Deep,
    pub(super) lba_high: Deep,
    pub(super) device: DeviceBits,
    pub(super) status: Status,
    pub(super) error: u8,
    /// The interrupt is pending, let out or not.
    pub(super) interrupt: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct SavedTaskFileV1 {
    features: Deep,
    sector_count: Deep,
    lba_low: Deep,
    lba_mid: Deep,
    lba_high: Deep,
    device: u8,
    status: u8,
    error: u8,
    interrupt: bool,
}

impl TaskFile {
    /// As a reset leaves them.
    pub(super) const fn new(signature: Signature) -> Self {
        let mut task = Self {
            features: Deep::new(0),
            sector_count: Deep::new(0),
            lba_low: Deep::new(0),
            lba_mid: Deep::new(0),
            lba_high: Deep::new(0),
            device: DeviceBits::empty(),
            status: Status::empty(),
            error: 0,
            interrupt: false,
        };
        task.show_signature(signature);
        task
    }

    /// Leaves the registers as after a reset or diagnostics that went well.
    pub(super) const fn show_signature(&mut self, signature: Signature) {
        self.show_kind(signature);
        self.device = DeviceBits::empty();
        // Device 0 passed, device 1 passed or is absent.
        self.error = 1;
        // A packet device is not ready before it was given a command.
        self.status = match signature {
            Signature::Ata => Status::READY,
            Signature::Packet => Status::empty(),
        };
    }

    /// The part of the signature that tells the kind of device.
    pub(super) const fn show_kind(&mut self, signature: Signature) {
        let (mid, high) = match signature {
            Signature::Ata => (0, 0),
            Signature::Packet => (0x14, 0xeb),
        };
        self.sector_count = Deep::new(1);
        self.lba_low = Deep::new(1);
        self.lba_mid = Deep::new(mid);
        self.lba_high = Deep::new(high);
    }

    /// The guest writes register 1 to 6.
    pub(super) const fn write(&mut self, register: u64, byte: u8) {
        match register {
            1 => self.features.push(byte),
            2 => self.sector_count.push(byte),
            3 => self.lba_low.push(byte),
            4 => self.lba_mid.push(byte),
            5 => self.lba_high.push(byte),
            _ => self.device = DeviceBits::from_bits_retain(byte),
        }
    }

    /// What register 1 to 8 holds.
    pub(super) const fn read(&self, register: u64, shows_previous: bool) -> u8 {
        match register {
            1 => self.error,
            2 => self.sector_count.read(shows_previous),
            3 => self.lba_low.read(shows_previous),
            4 => self.lba_mid.read(shows_previous),
            5 => self.lba_high.read(shows_previous),
            6 => self.device.union(DeviceBits::OBSOLETE).bits(),
            _ => self.status.bits(),
        }
    }

    /// A command begins.
    pub(super) const fn begin(&mut self) {
        self.interrupt = false;
        self.status = Status::READY;
        self.error = 0;
    }

    /// Ends the command well.
    pub(super) const fn succeed(&mut self) {
        self.status = Status::READY;
        self.interrupt = true;
    }

    /// Ends the command with an error, and `status` beside it.
    pub(super) const fn fail(&mut self, error: ErrorBits, status: Status) {
        self.error = error.bits();
        self.status = Status::READY.union(Status::ERR).union(status);
        self.interrupt = true;
    }

    /// Ends the command because the device does not carry it out.
    pub(super) const fn abort(&mut self) {
        self.fail(ErrorBits::ABRT, Status::empty());
    }

    /// The transfer mode that SET FEATURES names in the sector count, if it is
    /// one of those that devices here have.
    pub(super) fn transfer_mode(&self) -> Option<TransferMode> {
        let byte = self.sector_count.current;
        match byte {
            // The default modes, or flow control 0 to 4.
            0x00 | 0x01 | 0x08..=0x0c => Some(TransferMode::Pio),
            0x20..=0x22 => Some(TransferMode::Multiword(byte & 7)),
            0x40..=0x45 => Some(TransferMode::Ultra(byte & 7)),
            _ => None,
        }
    }

    pub(super) fn save(&self) -> SavedTaskFileV1 {
        let Self {
            features,
            sector_count,
            lba_low,
            lba_mid,
            lba_high,
            device,
            status,
            error,
            interrupt,
        } = self;
        SavedTaskFileV1 {
            features: *features,
            sector_count: *sector_count,
            lba_low: *lba_low,
            lba_mid: *lba_mid,
            lba_high: *lba_high,
            device: device.bits(),
            status: status.bits(),
            error: *error,
            interrupt: *interrupt,
        }
    }

    pub(super) fn restore(saved: SavedTaskFileV1) -> Self {
        Self {
            features: saved.features,
            sector_count: saved.sector_count,
            lba_low: saved.lba_low,
            lba_mid: saved.lba_mid,
            lba_high: saved.lba_high,
            device: DeviceBits::from_bits_retain(saved.device),
            status: Status::from_bits_truncate(saved.status),
            error: saved.error,
            interrupt: saved.interrupt,
        }
    }
}

/// The transfer mode that SET FEATURES selected. It is remembered for the
/// identity and changes nothing else: no mode is slower than another here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TransferMode {
    /// Programmed I/O; the DMA mode, if any was selected, stays.
    Pio,
    /// Multiword DMA.
    Multiword(u8),
    /// Ultra DMA.
    Ultra(u8),
}

impl TransferMode {
    /// As firmware leaves it: the fastest. Some drivers look for it and do not
    /// choose one themselves.
    pub(super) const FASTEST: Self = Self::Ultra(5);

    /// Words 63 and 88 of the identity: the modes there are, and in the upper
    /// byte the one that is selected.
    pub(super) fn identity_words(self) -> (u16, u16) {
        let selected = |mode: u8| 0x100u16.checked_shl(u32::from(mode)).unwrap_or(0);
        match self {
            Self::Pio => (0x07, 0x3f),
            Self::Multiword(mode) => (0x07 | selected(mode), 0x3f),
            Self::Ultra(mode) => (0x07, 0x3f | selected(mode)),
        }
    }
}
