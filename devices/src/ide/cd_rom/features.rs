//! What the drive says of itself: INQUIRY (SPC-3 section 6.4), features and
//! profiles (MMC-5 section 5 and 6.6), and the structure of a DVD (6.23).

use super::packet::{Outcome, Packet, reply, two_bytes};
use super::sense::Sense;
use super::{CdRom, MODEL};
use crate::ide::identity::FIRMWARE;

/// Profiles.
const CD_ROM: u16 = 0x0008;
const DVD_ROM: u16 = 0x0010;

/// A feature is there whatever disc lies in the drive.
const PERSISTENT: u8 = 1 << 1;
/// A feature is there now.
const CURRENT: u8 = 1 << 0;

/// A feature descriptor: number, version, whether it is there always or now,
/// and its data.
fn feature(number: u16, version: u8, flags: u8, data: &[u8]) -> (u16, u8, Vec<u8>) {
    let [high, low] = number.to_be_bytes();
    let mut bytes = vec![high, low, version << 2 | flags, data.len() as u8];
    bytes.extend(data);
    (number, flags, bytes)
}

impl CdRom {
    pub(super) fn inquiry(&self, packet: &Packet) -> Result<Outcome, Sense> {
        let (wants_vital_data, page) = (packet[1] & 1 != 0, packet[2]);
        if wants_vital_data || page != 0 {
            return Err(Sense::INVALID_FIELD);
        }
        // A CD-ROM device, removable, of the ATAPI versions; 31 bytes follow.
        let mut bytes = vec![0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0];
        for (text, length) in [("RAX", 8), (MODEL, 16), (FIRMWARE, 4)] {
            let letters = text.bytes().chain(std::iter::repeat(b' '));
            bytes.extend(letters.take(length));
        }
        Ok(reply(bytes, u16::from(packet[4])))
    }

    /// The profile of the disc, 0 without one.
    fn profile(&self) -> u16 {
        match self.visible_disc() {
            Some(disc) if disc.is_dvd() => DVD_ROM,
            Some(_) => CD_ROM,
            None => 0,
        }
    }

    pub(super) fn get_configuration(&self, packet: &Packet) -> Outcome {
        /// Which features the host wants.
        const CURRENT_ONES: u8 = 1;
        const ONE: u8 = 2;
        let (which, first) = (packet[1] & 3, two_bytes(packet, 2));
        let features = self.features().into_iter();
        let wanted: Vec<u8> = features
            .filter(|(number, flags, _)| match which {
                CURRENT_ONES => *number >= first && flags & CURRENT != 0,
                ONE => *number == first,
                _ => *number >= first,
            })
            .flat_map(|(_, _, bytes)| bytes)
            .collect();
        let mut bytes = (wanted.len() as u32 + 4).to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(self.profile().to_be_bytes());
        bytes.extend(wanted);
        reply(bytes, two_bytes(packet, 7))
    }

    fn features(&self) -> Vec<(u16, u8, Vec<u8>)> {
        let profile = self.profile();
        let now = |is_now: bool| u8::from(is_now) * CURRENT;
        let (is_cd, is_dvd) = (profile == CD_ROM, profile == DVD_ROM);
        let always = PERSISTENT | CURRENT;
        vec![
            // The profiles, each with a bit if it is the current one.
            feature(
                0x0000,
                0,
                always,
                &[0, 0x10, now(is_dvd), 0, 0, 0x08, now(is_cd), 0],
            ),
            // Core, on ATAPI. Morphing. Removable medium: a tray with lock.
            feature(0x0001, 2, always, &[0, 0, 0, 2, 1, 0, 0, 0]),
            feature(0x0002, 1, always, &[2, 0, 0, 0]),
            feature(0x0003, 0, always, &[0x29, 0, 0, 0]),
            // Random readable: blocks of 2048 bytes, 16 at once on a DVD.
            feature(
                0x0010,
                0,
                now(is_cd || is_dvd),
                &[0, 0, 8, 0, 0, if is_dvd { 16 } else { 1 }, 0, 0],
            ),
            // Multi-read; CD read; DVD read.
            feature(0x001d, 0, now(is_cd), &[]),
            feature(0x001e, 2, now(is_cd), &[0, 0, 0, 0]),
            feature(0x001f, 0, now(is_dvd), &[]),
            // Power management; timeout.
            feature(0x0100, 0, always, &[]),
            feature(0x0105, 1, always, &[0, 0, 0, 0]),
        ]
    }

    pub(super) fn read_dvd_structure(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        /// Formats: how the disc is made, and who may copy it.
        const PHYSICAL: u8 = 0x00;
        const COPYRIGHT: u8 = 0x01;
        /// The sector at which the data area of a DVD begins.
        const DATA_AREA: u32 = 0x3_0000;
        let disc = self.ready()?;
        if !disc.is_dvd() {
            return Err(Sense::INCOMPATIBLE_FORMAT);
        }
        let sectors = disc.sectors();
        let layer = packet[6];
        let body = match packet[7] {
            PHYSICAL if layer == 0 => {
                let mut body = vec![0; 2048];
                // A DVD-ROM, version 1; 120 mm; one layer, embossed.
                body[0] = 0x01;
                body[1] = 0x0f;
                body[2] = 0x01;
                let last = DATA_AREA.saturating_add(sectors).saturating_sub(1);
                body[4..8].copy_from_slice(&DATA_AREA.to_be_bytes());
                body[8..12].copy_from_slice(&(last & 0x00ff_ffff).to_be_bytes());
                body
            }
            // Everybody.
            COPYRIGHT if layer == 0 => vec![0; 4],
            _ => return Err(Sense::INVALID_FIELD),
        };
        let mut bytes = (body.len() as u16 + 2).to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(body);
        Ok(reply(bytes, two_bytes(packet, 8)))
    }
}
