//! The tray and the disc in it: opening and closing, by the guest and by the
//! host, and the events that tell of it (MMC-5 sections 6.6 and 6.46).

use serde::{Deserialize, Serialize};

use super::packet::{Outcome, Packet, reply, two_bytes};
use super::sense::Sense;
use super::{CdRom, Disc};

/// What happened last that GET EVENT STATUS NOTIFICATION has not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Events {
    #[default]
    None,
    /// The button was pressed while the disc is locked.
    EjectRequest,
    /// There is a disc now.
    NewMedia,
    /// There is none any more.
    MediaRemoval,
}

impl Events {
    /// Its event code.
    pub(super) const fn code(self) -> u8 {
        self as u8
    }
}

/// The host's hands.
impl CdRom {
    /// Whether there is a disc in it, also on an open tray.
    #[must_use]
    pub const fn has_disc(&self) -> bool {
        self.disc.is_some()
    }

    /// Whether the tray is open.
    #[must_use]
    pub const fn is_tray_open(&self) -> bool {
        self.is_tray_open
    }

    /// Whether the guest prevents that the disc is taken out.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Puts `disc` in, closes the tray, and returns the disc that was there.
    /// The guest is told that the disc was changed.
    pub fn insert(&mut self, disc: Disc) -> Option<Disc> {
        let before = self.disc.replace(disc);
        self.unit_attention = true;
        self.close_tray();
        before
    }

    /// Takes the disc out, whether the guest has locked it or not, and leaves
    /// the tray as it is.
    pub fn take_disc(&mut self) -> Option<Disc> {
        let disc = self.disc.take();
        if disc.is_some() {
            self.is_locked = false;
            self.unit_attention = false;
            self.events = Events::MediaRemoval;
        }
        disc
    }

    /// Presses the button: opens the tray, or closes it again. A locked one
    /// stays closed, and the guest is asked; it may eject the disc then.
    pub fn press_button(&mut self) {
        if self.is_tray_open {
            self.unit_attention = self.disc.is_some();
            self.close_tray();
        } else if self.is_locked {
            self.events = Events::EjectRequest;
        } else {
            self.open_tray();
        }
    }
}

impl CdRom {
    /// The disc, if it can be read.
    pub(super) fn ready(&mut self) -> Result<&mut Disc, Sense> {
        if self.is_tray_open {
            return Err(Sense::NO_DISC_TRAY_OPEN);
        }
        match &mut self.disc {
            None => Err(Sense::NO_DISC_TRAY_CLOSED),
            Some(disc) if disc.sectors() == 0 => Err(Sense::UNKNOWN_FORMAT),
            Some(disc) => Ok(disc),
        }
    }

    /// The disc that the drive sees, readable or not.
    pub(super) fn visible_disc(&self) -> Option<&Disc> {
        self.disc.as_ref().filter(|_| !self.is_tray_open)
    }

    fn open_tray(&mut self) {
        if !self.is_tray_open {
            self.is_tray_open = true;
            self.unit_attention = false;
            self.events = Events::MediaRemoval;
        }
    }

    /// Closes the tray, which is an event if there is a disc on it. Whether the
    /// disc may be another one is for the caller to say: if the guest closes
    /// the tray over the disc that it had ejected, nobody has changed it. Linux
    /// does so when it mounts an ejected disc, and takes a unit attention then
    /// for another change, which makes the mount fail.
    fn close_tray(&mut self) {
        self.is_tray_open = false;
        if self.disc.is_some() {
            self.events = Events::NewMedia;
        }
    }

    pub(super) fn start_stop_unit(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        let (starts, moves_tray) = (packet[4] & 1 != 0, packet[4] & 2 != 0);
        // A power condition, or a spindle that needs no time to start.
        if packet[4] >> 4 != 0 || !moves_tray {
            return Ok(Outcome::Done);
        }
        if starts {
            if self.is_tray_open {
                self.close_tray();
            }
        } else if self.is_locked {
            return Err(Sense::REMOVAL_PREVENTED);
        } else {
            self.open_tray();
        }
        Ok(Outcome::Done)
    }

    /// The media status of an event: tray open, disc present.
    pub(super) fn media_status(&self) -> u8 {
        u8::from(self.is_tray_open) | u8::from(self.visible_disc().is_some()) << 1
    }

    pub(super) fn mechanism_status(&self, packet: &Packet) -> Outcome {
        let [_, position @ ..] = self.position.to_be_bytes();
        // No fault, no changer; the tray; where it reads; no slot table.
        let mut bytes = vec![0, u8::from(self.is_tray_open) << 4];
        bytes.extend(position);
        bytes.extend([0, 0, 0]);
        reply(bytes, two_bytes(packet, 8))
    }
}
