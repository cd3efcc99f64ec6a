//! An ATA disk (ATA/ATAPI-6, general feature set).
//!
//! Programmed I/O takes no time: a command's data is there, or its work done,
//! when the command register has been written. DMA waits for the bus master.

use serde::{Deserialize, Serialize};

use super::registers::{SavedTaskFileV1, Signature, TaskFile, TransferMode};
use crate::host_end::{Disk, SECTOR_BYTES};
use crate::snapshot::RestoreError;

mod command;
mod identify;
mod smart;
mod transfer;

use transfer::{SavedTransferV1, Transfer};

/// READ and WRITE MULTIPLE move at most this many sectors a block.
const MAX_MULTIPLE: u8 = 16;

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

    /// Cylinders of a disk of `sectors`; at first two at least. Firmware takes a disk without any for none, and a boot
    /// sector with a small kernel behind it has not as much as one.
    fn cylinders(self, sectors: u64) -> u16 {
        let cylinder = u64::from(self.heads) * u64::from(self.sectors_per_track);
        let cylinders = sectors.checked_div(cylinder).unwrap_or(0);
        if self == Self::DEFAULT {
            cylinders.clamp(2, 16_383) as u16
        } else {
            cylinders.min(65_535) as u16
        }
    }
}

/// How awake the disk is (4.16). It wakes when its medium is wanted, but from sleep by a reset only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Power {
    Active,
    Idle,
    Standby,
    Sleep,
}

/// What commands set and a software reset leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    geometry: Geometry,
    /// Sectors a block of READ and WRITE MULTIPLE, as firmware leaves it: some systems do not set it. 0: not allowed.
    multiple: u8,
    write_cache: bool,
    look_ahead: bool,
    smart: bool,
    transfer_mode: TransferMode,
    power: Power,
}

impl Settings {
    const DEFAULT: Self = Self {
        geometry: Geometry::DEFAULT,
        multiple: MAX_MULTIPLE,
        write_cache: true,
        look_ahead: true,
        smart: true,
        transfer_mode: TransferMode::FASTEST,
        power: Power::Active,
    };
}

/// The disk.
pub(super) struct AtaDisk {
    disk: Box<dyn Disk>,
    serial: String,
    pub(super) task: TaskFile,
    settings: Settings,
    transfer: Transfer,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedDiskV1 {
    task: SavedTaskFileV1,
    settings: Settings,
    transfer: SavedTransferV1,
}

/// A saved state that has been found possible.
pub(super) struct DiskState {
    task: TaskFile,
    settings: Settings,
    transfer: Transfer,
}

impl AtaDisk {
    pub(super) fn new(disk: Box<dyn Disk>, serial: String) -> Self {
        Self {
            disk,
            serial,
            task: TaskFile::new(Signature::Ata),
            settings: Settings::DEFAULT,
            transfer: Transfer::none(),
        }
    }

    /// Power-on.
    pub(super) fn reset(&mut self) {
        self.settings = Settings::DEFAULT;
        self.task = TaskFile::new(Signature::Ata);
        self.transfer.end();
    }

    /// The end of a software reset, or diagnostics.
    pub(super) fn show_signature(&mut self) {
        if self.settings.power == Power::Sleep {
            self.settings.power = Power::Standby;
        }
        self.task.show_signature(Signature::Ata);
        self.transfer.end();
    }

    /// A software reset, or a new command, ends what is going on.
    pub(super) fn stop(&mut self) {
        self.transfer.end();
    }

    /// The disk's size.
    fn sectors(&self) -> u64 {
        // 48 bits address no more.
        self.disk.sectors().min(1 << 48)
    }

    pub(super) fn save(&self) -> SavedDiskV1 {
        let Self {
            disk: _,
            serial: _,
            task,
            settings,
            transfer,
        } = self;
        SavedDiskV1 {
            task: task.save(),
            settings: *settings,
            transfer: transfer.save(),
        }
    }

    /// Checks a saved state.
    pub(super) fn unpack(saved: SavedDiskV1) -> Result<DiskState, RestoreError> {
        let impossible = |what| RestoreError::Impossible {
            device: "ide",
            what,
        };
        if saved.settings.multiple > MAX_MULTIPLE {
            return Err(impossible("more than 16 sectors a block"));
        }
        Ok(DiskState {
            task: TaskFile::restore(saved.task),
            settings: saved.settings,
            transfer: Transfer::restore(saved.transfer)
                .ok_or_else(|| impossible("a transfer outside its buffer"))?,
        })
    }

    /// Takes a checked state back.
    pub(super) fn restore(&mut self, state: DiskState) {
        let DiskState {
            task,
            settings,
            transfer,
        } = state;
        self.task = task;
        self.settings = settings;
        self.transfer = transfer;
    }
}
