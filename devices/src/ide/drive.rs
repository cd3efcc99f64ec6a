//! A drive at a channel: a disk or a CD-ROM, and what the channel asks of both.

use serde::{Deserialize, Serialize};

use super::cd_rom::{CdRom, CdRomState, Disc, SavedCdRomV1};
use super::disk::{AtaDisk, DiskState, SavedDiskV1};
use super::registers::TaskFile;
use crate::host_end::Disk;
use crate::snapshot::RestoreError;

/// A drive that the board plugs into a channel.
pub struct IdeDrive {
    kind: Kind,
    serial: Option<String>,
}

enum Kind {
    Disk(Box<dyn Disk>),
    CdRom(Option<Disc>),
}

impl IdeDrive {
    /// A hard disk.
    #[must_use]
    pub fn disk(disk: Box<dyn Disk>) -> Self {
        Self {
            kind: Kind::Disk(disk),
            serial: None,
        }
    }

    /// A CD-ROM drive, with a disc in it or empty.
    #[must_use]
    pub const fn cd_rom(disc: Option<Disc>) -> Self {
        Self {
            kind: Kind::CdRom(disc),
            serial: None,
        }
    }

    /// The same drive with another serial number, of which 20 ASCII letters
    /// count. Otherwise it has one by its place.
    #[must_use]
    pub fn with_serial(mut self, serial: &str) -> Self {
        self.serial = Some(serial.to_owned());
        self
    }

    /// The size of a hard disk; none for a CD-ROM drive.
    #[must_use]
    pub fn disk_sectors(&self) -> Option<u64> {
        match &self.kind {
            Kind::Disk(disk) => Some(disk.sectors()),
            Kind::CdRom(_) => None,
        }
    }

    /// Plugs it in as the `number`th drive of the machine.
    pub(super) fn plug_in(self, number: u8) -> Drive {
        let serial = self.serial.unwrap_or_else(|| format!("RAX{number:017}"));
        match self.kind {
            Kind::Disk(disk) => Drive::Disk(Box::new(AtaDisk::new(disk, serial))),
            Kind::CdRom(disc) => Drive::CdRom(Box::new(CdRom::new(disc, serial))),
        }
    }
}

/// Which way DMA moves data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DmaDirection {
    /// From the drive.
    ToMemory,
    /// To the drive.
    FromMemory,
}

/// A drive that is plugged in.
pub(super) enum Drive {
    Disk(Box<AtaDisk>),
    CdRom(Box<CdRom>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum SavedDriveV1 {
    Disk(SavedDiskV1),
    CdRom(SavedCdRomV1),
}

/// A saved state that has been found possible for its drive.
pub(super) enum DriveState {
    Disk(DiskState),
    CdRom(CdRomState),
}

/// Does the same with whichever drive it is.
macro_rules! either {
    ($drive:expr, $inner:ident => $what:expr) => {
        match $drive {
            Drive::Disk($inner) => $what,
            Drive::CdRom($inner) => $what,
        }
    };
}

impl Drive {
    pub(super) fn task(&self) -> &TaskFile {
        either!(self, drive => &drive.task)
    }

    pub(super) fn task_mut(&mut self) -> &mut TaskFile {
        either!(self, drive => &mut drive.task)
    }

    /// Power-on.
    pub(super) fn reset(&mut self) {
        either!(self, drive => drive.reset());
    }

    /// The end of a software reset, or diagnostics.
    pub(super) fn show_signature(&mut self) {
        either!(self, drive => drive.show_signature());
    }

    /// Ends what is going on.
    pub(super) fn stop(&mut self) {
        either!(self, drive => drive.stop());
    }

    /// The guest writes the command register.
    pub(super) fn command(&mut self, command: u8) {
        either!(self, drive => drive.command(command));
    }

    /// The guest reads the data port.
    pub(super) fn read_data(&mut self, bytes: &mut [u8]) {
        either!(self, drive => drive.read_data(bytes));
    }

    /// The guest writes the data port.
    pub(super) fn write_data(&mut self, bytes: &[u8]) {
        either!(self, drive => drive.write_data(bytes));
    }

    /// The way that data waits to go by DMA, if any does.
    pub(super) fn dma_direction(&self) -> Option<DmaDirection> {
        either!(self, drive => drive.dma_direction())
    }

    /// Bytes of the command that have not gone by DMA.
    pub(super) fn dma_left(&self) -> u64 {
        either!(self, drive => drive.dma_left())
    }

    /// Data for the bus master; none if the command has just failed.
    pub(super) fn dma_offer(&mut self) -> &[u8] {
        either!(self, drive => drive.dma_offer())
    }

    /// Room for data from the bus master; none if the command has just failed.
    pub(super) fn dma_room(&mut self) -> &mut [u8] {
        either!(self, drive => drive.dma_room())
    }

    /// The bus master has moved the first `bytes` of the offer or the room.
    pub(super) fn dma_moved(&mut self, bytes: usize) {
        either!(self, drive => drive.dma_moved(bytes));
    }

    pub(super) fn save(&self) -> SavedDriveV1 {
        match self {
            Self::Disk(disk) => SavedDriveV1::Disk(disk.save()),
            Self::CdRom(cd_rom) => SavedDriveV1::CdRom(cd_rom.save()),
        }
    }

    /// Checks a saved state, which must be one of the same kind of drive.
    pub(super) fn unpack(&self, saved: SavedDriveV1) -> Result<DriveState, RestoreError> {
        match (self, saved) {
            (Self::Disk(_), SavedDriveV1::Disk(saved)) => {
                AtaDisk::unpack(saved).map(DriveState::Disk)
            }
            (Self::CdRom(_), SavedDriveV1::CdRom(saved)) => {
                CdRom::unpack(saved).map(DriveState::CdRom)
            }
            _ => Err(RestoreError::Impossible {
                device: "ide",
                what: "another kind of drive",
            }),
        }
    }

    /// Takes a checked state back.
    pub(super) fn restore(&mut self, state: DriveState) {
        match (self, state) {
            (Self::Disk(disk), DriveState::Disk(state)) => disk.restore(state),
            (Self::CdRom(cd_rom), DriveState::CdRom(state)) => cd_rom.restore(state),
            _ => unreachable!("`unpack` has compared the kinds"),
        }
    }
}
