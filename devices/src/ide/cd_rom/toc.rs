//! What is on the disc: table of contents, sub-channel, and disc and track
//! information (MMC-5 sections 6.22, 6.24, 6.26 and 6.27). One session with one
//! data track, which begins at address 0.

use super::CdRom;
use super::packet::{Outcome, Packet, four_bytes, reply, two_bytes};
use super::raw_sector::minute_second_frame;
use super::sense::Sense;

/// Sectors before the address 0, two seconds of them.
pub(super) const LEAD_IN_SECTORS: u32 = 150;

/// A data track whose addresses the Q channel tells.
const DATA_TRACK: u8 = 0x14;
/// The number by which the lead-out goes.
const LEAD_OUT: u8 = 0xaa;

/// An address as the host wants it: linear, or in minutes, seconds and frames.
fn address(sector: u32, as_time: bool) -> [u8; 4] {
    if !as_time {
        return sector.to_be_bytes();
    }
    let [minute, second, frame] = minute_second_frame(sector.saturating_add(LEAD_IN_SECTORS));
    [0, minute, second, frame]
}

/// Puts the length of `body` and the first and last number before it.
fn with_header(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u16 + 2).to_be_bytes().to_vec();
    bytes.extend([1, 1]);
    bytes.extend(body);
    bytes
}

impl CdRom {
    pub(super) fn read_toc(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        let sectors = self.ready()?.sectors();
        let as_time = packet[1] & 2 != 0;
        // Before MMC the format was in the last byte.
        let format = match packet[2] & 0x0f {
            0 => packet[9] >> 6,
            format => format,
        };
        let bytes = match format {
            0 => {
                let first = packet[6];
                if first > 1 && first != LEAD_OUT {
                    return Err(Sense::INVALID_FIELD);
                }
                let entries = [(1, 0), (LEAD_OUT, sectors)];
                let body: Vec<u8> = entries
                    .into_iter()
                    .filter(|(track, _)| *track >= first)
                    .flat_map(|(track, sector)| {
                        let [a, b, c, d] = address(sector, as_time);
                        [0, DATA_TRACK, track, 0, a, b, c, d]
                    })
                    .collect();
                with_header(&body)
            }
            1 => {
                let [a, b, c, d] = address(0, as_time);
                with_header(&[0, DATA_TRACK, 1, 0, a, b, c, d])
            }
            2 => with_header(&raw_toc(sectors)),
            _ => return Err(Sense::INVALID_FIELD),
        };
        Ok(reply(bytes, two_bytes(packet, 7)))
    }

    pub(super) fn read_sub_channel(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        /// Nothing plays, and there is nothing to say about that.
        const NO_STATUS: u8 = 0x15;
        self.ready()?;
        let (as_time, wants_data) = (packet[1] & 2 != 0, packet[2] & 0x40 != 0);
        let format = packet[3];
        let mut data = match format {
            _ if !wants_data => Vec::new(),
            1 => {
                let mut data = vec![1, DATA_TRACK, 1, 1];
                data.extend(address(self.position, as_time));
                // In the track, time begins at zero.
                let relative = if as_time {
                    let [minute, second, frame] = minute_second_frame(self.position);
                    [0, minute, second, frame]
                } else {
                    self.position.to_be_bytes()
                };
                data.extend(relative);
                data
            }
            // No catalogue number, and no ISRC.
            2 => [&[2], [0; 19].as_slice()].concat(),
            3 => [&[3, DATA_TRACK, 1], [0; 17].as_slice()].concat(),
            _ => return Err(Sense::INVALID_FIELD),
        };
        let [high, low] = (data.len() as u16).to_be_bytes();
        let mut bytes = vec![0, NO_STATUS, high, low];
        bytes.append(&mut data);
        Ok(reply(bytes, two_bytes(packet, 7)))
    }

    pub(super) fn read_disc_information(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        self.ready()?;
        let mut bytes = vec![0; 34];
        bytes[1] = 32;
        // The last session and the disc are complete.
        bytes[2] = 0b1110;
        // The first track; one session; its first and its last track.
        bytes[3..7].fill(1);
        // Unrestricted use; a disc for data.
        bytes[7] = 0x20;
        Ok(reply(bytes, two_bytes(packet, 7)))
    }

    pub(super) fn read_track_information(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        /// How the packet names the track.
        const BY_SECTOR: u8 = 0;
        const BY_TRACK: u8 = 1;
        const BY_SESSION: u8 = 2;
        let sectors = self.ready()?.sectors();
        let number = four_bytes(packet, 2);
        let is_there = match packet[1] & 3 {
            BY_SECTOR => number < sectors,
            BY_TRACK | BY_SESSION => number == 1,
            _ => false,
        };
        if !is_there {
            return Err(Sense::INVALID_FIELD);
        }
        let mut bytes = vec![0; 36];
        bytes[1] = 34;
        // Track and session; a data track, of mode 1.
        bytes[2] = 1;
        bytes[3] = 1;
        bytes[5] = 4;
        bytes[6] = 1;
        bytes[24..28].copy_from_slice(&sectors.to_be_bytes());
        Ok(reply(bytes, two_bytes(packet, 7)))
    }
}

/// The entries of the lead-in: where the track and the lead-out begin.
fn raw_toc(sectors: u32) -> Vec<u8> {
    let entry = |point: u8, [minute, second, frame]: [u8; 3]| {
        [1, DATA_TRACK, 0, point, 0, 0, 0, 0, minute, second, frame]
    };
    let time = |sector: u32| minute_second_frame(sector.saturating_add(LEAD_IN_SECTORS));
    [
        // First track, and a disc of type 0; last track; lead-out; the track.
        entry(0xa0, [1, 0, 0]),
        entry(0xa1, [1, 0, 0]),
        entry(0xa2, time(sectors)),
        entry(1, time(0)),
    ]
    .concat()
}
