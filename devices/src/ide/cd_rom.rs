//! An ATAPI CD-ROM drive (ATA/ATAPI-6, packet feature set; MMC-5; SPC-3).
//!
//! It reads one data track, from a [`Disc`] that the host puts in and takes
//! out. Like the disk, it takes no time for what goes through the data port.

use serde::{Deserialize, Serialize};

use super::identity::{Identity, VALID};
use super::registers::{SavedTaskFileV1, Signature, Status, TaskFile, TransferMode};
use crate::snapshot::RestoreError;

mod disc;
mod features;
mod medium;
mod mode;
mod packet;
mod raw_sector;
mod read;
mod sense;
mod toc;
mod transfer;

pub use disc::Disc;

use medium::Events;
use mode::ModePages;
use sense::Sense;
use transfer::{SavedTransferV1, Transfer};

const MODEL: &str = "RAX CD-ROM";

/// A CD-ROM drive that is plugged in.
pub struct CdRom {
    disc: Option<Disc>,
    serial: String,
    pub(super) task: TaskFile,
    transfer_mode: TransferMode,
    is_tray_open: bool,
    /// The guest prevents that the disc is taken out.
    is_locked: bool,
    /// Why the last command failed.
    sense: Sense,
    /// The disc was changed, and the guest has not been told.
    unit_attention: bool,
    events: Events,
    pages: ModePages,
    /// The last sector read.
    position: u32,
    transfer: Transfer,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedCdRomV1 {
    task: SavedTaskFileV1,
    transfer_mode: TransferMode,
    is_tray_open: bool,
    is_locked: bool,
    sense: Sense,
    unit_attention: bool,
    events: Events,
    pages: ModePages,
    position: u32,
    transfer: SavedTransferV1,
}

/// A saved state that has been found possible.
pub(super) struct CdRomState {
    /// Its transfer is a dummy, for this one:
    saved: SavedCdRomV1,
    transfer: Transfer,
}

impl CdRom {
    pub(super) fn new(disc: Option<Disc>, serial: String) -> Self {
        Self {
            disc,
            serial,
            task: TaskFile::new(Signature::Packet),
            transfer_mode: TransferMode::FASTEST,
            is_tray_open: false,
            is_locked: false,
            sense: Sense::NONE,
            unit_attention: false,
            events: Events::default(),
            pages: ModePages::DEFAULT,
            position: 0,
            transfer: Transfer::none(),
        }
    }

    /// Power-on: the tray closes. That the disc may be a new one is something
    /// firmware has found out before an operating system looks, so no
    /// attention is asked for.
    pub(super) fn reset(&mut self) {
        self.task = TaskFile::new(Signature::Packet);
        self.transfer_mode = TransferMode::FASTEST;
        self.is_tray_open = false;
        self.is_locked = false;
        self.sense = Sense::NONE;
        self.unit_attention = false;
        self.events = Events::default();
        self.pages = ModePages::DEFAULT;
        self.position = 0;
        self.transfer.end();
    }

    /// The end of a software reset, or diagnostics.
    pub(super) fn show_signature(&mut self) {
        self.task.show_signature(Signature::Packet);
        self.transfer.end();
    }

    /// A software reset, or a new command, ends what is going on.
    pub(super) fn stop(&mut self) {
        self.transfer.end();
    }

    /// The guest writes the command register.
    pub(super) fn command(&mut self, command: u8) {
        self.stop();
        self.task.begin();
        match command {
            0x08 => {
                // DEVICE RESET keeps the selection and does not interrupt.
                let device = self.task.device;
                self.show_signature();
                self.task.device = device;
            }
            0xa0 => self.expect_packet(),
            0xa1 => {
                let identity = self.identity();
                self.start_identity(identity);
            }
            // CHECK POWER MODE: active.
            0xe5 => {
                self.task.sector_count.set(0xff);
                self.task.succeed();
            }
            // FLUSH CACHE; STANDBY, IDLE and SLEEP: this drive is never tired.
            0xe0..=0xe3 | 0xe6 | 0xe7 => self.task.succeed(),
            0xef => self.set_features(),
            // A disk's commands, by which software finds out what this is.
            0x20 | 0xec => {
                self.task.show_kind(Signature::Packet);
                self.task.abort();
            }
            _ => {
                log::debug!("ide: command {command:#04x} is aborted by a packet device");
                self.task.abort();
            }
        }
    }

    fn set_features(&mut self) {
        match self.task.features.current {
            0x03 => match self.task.transfer_mode() {
                // The DMA mode stays beside a PIO mode.
                Some(TransferMode::Pio) => {}
                Some(mode) => self.transfer_mode = mode,
                None => return self.task.abort(),
            },
            // Whether a reset restores the defaults: nothing worth keeping.
            0x66 | 0xcc => {}
            _ => return self.task.abort(),
        }
        self.task.succeed();
    }

    /// What IDENTIFY PACKET DEVICE tells (ATA/ATAPI-6 section 8.16).
    fn identity(&self) -> Vec<u8> {
        /// Command set words 82 and 85: NOP, DEVICE RESET, packet, power.
        const COMMAND_SET_1: u16 = 1 << 14 | 1 << 9 | 1 << 4 | 1 << 3;
        let mut identity = Identity::new(&self.serial, MODEL, self.transfer_mode);
        let words = &mut identity.0;
        // A removable CD-ROM device that takes packets of 12 bytes, at once and
        // without an interrupt.
        words[0] = 0x85c0;
        words[82] = COMMAND_SET_1;
        words[83] = VALID;
        words[84] = VALID;
        words[85] = COMMAND_SET_1;
        words[87] = VALID;
        identity.into_bytes()
    }

    /// Ends a packet command well.
    fn complete(&mut self) {
        self.task.succeed();
        self.show_reason(transfer::Reason::STATUS);
    }

    /// Ends a packet command with an error: check condition.
    fn check(&mut self, sense: Sense) {
        self.sense = sense;
        self.transfer.end();
        self.task.error = sense.key << 4;
        self.task.status = Status::READY | Status::ERR;
        self.task.interrupt = true;
        self.show_reason(transfer::Reason::STATUS);
    }

    pub(super) fn save(&self) -> SavedCdRomV1 {
        let Self {
            disc: _,
            serial: _,
            task,
            transfer_mode,
            is_tray_open,
            is_locked,
            sense,
            unit_attention,
            events,
            pages,
            position,
            transfer,
        } = self;
        SavedCdRomV1 {
            task: task.save(),
            transfer_mode: *transfer_mode,
            is_tray_open: *is_tray_open,
            is_locked: *is_locked,
            sense: *sense,
            unit_attention: *unit_attention,
            events: *events,
            pages: *pages,
            position: *position,
            transfer: transfer.save(),
        }
    }

    /// Checks a saved state.
    pub(super) fn unpack(mut saved: SavedCdRomV1) -> Result<CdRomState, RestoreError> {
        let transfer = std::mem::replace(&mut saved.transfer, Transfer::none().save());
        let transfer = Transfer::restore(transfer).ok_or(RestoreError::Impossible {
            device: "ide",
            what: "a packet transfer outside its buffer",
        })?;
        Ok(CdRomState { saved, transfer })
    }

    /// Takes a checked state back. The disc stays the one that is there now.
    pub(super) fn restore(&mut self, state: CdRomState) {
        let SavedCdRomV1 {
            task,
            transfer_mode,
            is_tray_open,
            is_locked,
            sense,
            unit_attention,
            events,
            pages,
            position,
            transfer: _,
        } = state.saved;
        self.task = TaskFile::restore(task);
        self.transfer_mode = transfer_mode;
        self.is_tray_open = is_tray_open;
        self.is_locked = is_locked;
        self.sense = sense;
        self.unit_attention = unit_attention;
        self.events = events;
        self.pages = pages;
        self.position = position;
        self.transfer = state.transfer;
    }
}

#[cfg(test)]
mod tests;
