//! The packet commands: which there are, and the small ones (SPC-3, MMC-5).

use super::CdRom;
use super::read::Layout;
use super::sense::{Sense, key};

/// Bytes in a packet.
pub(super) const PACKET_BYTES: usize = 12;

/// A command descriptor block.
pub(super) type Packet = [u8; PACKET_BYTES];

/// What a packet leads to when it is in order.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing more.
    Done,
    /// Data for the host.
    Data(Vec<u8>),
    /// Sectors for the host.
    Sectors {
        sector: u32,
        count: u32,
        layout: Layout,
    },
    /// So many bytes of parameters from the host.
    Expects(usize),
}

/// Operation codes.
mod operation {
    pub(super) const TEST_UNIT_READY: u8 = 0x00;
    pub(super) const REQUEST_SENSE: u8 = 0x03;
    pub(super) const INQUIRY: u8 = 0x12;
    pub(super) const MODE_SELECT_6: u8 = 0x15;
    pub(super) const MODE_SENSE_6: u8 = 0x1a;
    pub(super) const START_STOP_UNIT: u8 = 0x1b;
    pub(super) const PREVENT_ALLOW_MEDIUM_REMOVAL: u8 = 0x1e;
    pub(super) const READ_CAPACITY: u8 = 0x25;
    pub(super) const READ_10: u8 = 0x28;
    pub(super) const SEEK_10: u8 = 0x2b;
    pub(super) const READ_SUB_CHANNEL: u8 = 0x42;
    pub(super) const READ_TOC: u8 = 0x43;
    pub(super) const PLAY_AUDIO_10: u8 = 0x45;
    pub(super) const GET_CONFIGURATION: u8 = 0x46;
    pub(super) const PLAY_AUDIO_MSF: u8 = 0x47;
    pub(super) const GET_EVENT_STATUS_NOTIFICATION: u8 = 0x4a;
    pub(super) const PAUSE_RESUME: u8 = 0x4b;
    pub(super) const STOP_PLAY_SCAN: u8 = 0x4e;
    pub(super) const READ_DISC_INFORMATION: u8 = 0x51;
    pub(super) const READ_TRACK_INFORMATION: u8 = 0x52;
    pub(super) const MODE_SELECT_10: u8 = 0x55;
    pub(super) const MODE_SENSE_10: u8 = 0x5a;
    pub(super) const PLAY_AUDIO_12: u8 = 0xa5;
    pub(super) const READ_12: u8 = 0xa8;
    pub(super) const READ_DVD_STRUCTURE: u8 = 0xad;
    pub(super) const READ_CD_MSF: u8 = 0xb9;
    pub(super) const SET_CD_SPEED: u8 = 0xbb;
    pub(super) const MECHANISM_STATUS: u8 = 0xbd;
    pub(super) const READ_CD: u8 = 0xbe;
}

/// Two bytes of a packet, the high one first.
pub(super) fn two_bytes(packet: &Packet, at: usize) -> u16 {
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

/// Three bytes of a packet, the high one first.
pub(super) fn three_bytes(packet: &Packet, at: usize) -> u32 {
    u32::from_be_bytes([0, packet[at], packet[at + 1], packet[at + 2]])
}

/// Four bytes of a packet, the high one first.
pub(super) fn four_bytes(packet: &Packet, at: usize) -> u32 {
    u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

/// As much of `bytes` as the host has room for. That is no error.
pub(super) fn reply(mut bytes: Vec<u8>, allocation_length: u16) -> Outcome {
    bytes.truncate(usize::from(allocation_length));
    Outcome::Data(bytes)
}

impl CdRom {
    /// Carries a packet out, but for the data that comes or goes with it.
    pub(super) fn execute(&mut self, packet: Packet) -> Result<Outcome, Sense> {
        use operation as op;
        if packet[0] == op::REQUEST_SENSE {
            return Ok(self.request_sense(&packet));
        }
        self.sense = Sense::NONE;
        // Some commands tell about the drive whatever happened to the disc.
        let heeds_attention = !matches!(
            packet[0],
            op::INQUIRY | op::GET_CONFIGURATION | op::GET_EVENT_STATUS_NOTIFICATION
        );
        if heeds_attention && std::mem::take(&mut self.unit_attention) {
            return Err(Sense::MEDIUM_CHANGED);
        }
        match packet[0] {
            op::TEST_UNIT_READY | op::STOP_PLAY_SCAN => self.ready().map(|_| Outcome::Done),
            op::INQUIRY => self.inquiry(&packet),
            op::MODE_SELECT_6 => Self::mode_select(&packet, u16::from(packet[4])),
            op::MODE_SELECT_10 => Self::mode_select(&packet, two_bytes(&packet, 7)),
            op::MODE_SENSE_6 => self.mode_sense_6(&packet),
            op::MODE_SENSE_10 => self.mode_sense_10(&packet),
            op::START_STOP_UNIT => self.start_stop_unit(&packet),
            op::PREVENT_ALLOW_MEDIUM_REMOVAL => {
                self.is_locked = packet[4] & 1 != 0;
                Ok(Outcome::Done)
            }
            op::READ_CAPACITY => self.read_capacity(),
            op::READ_10 => {
                let count = u32::from(two_bytes(&packet, 7));
                self.read(four_bytes(&packet, 2), count)
            }
            op::READ_12 => self.read(four_bytes(&packet, 2), four_bytes(&packet, 6)),
            op::READ_CD => self.read_cd(&packet),
            op::READ_CD_MSF => self.read_cd_msf(&packet),
            op::SEEK_10 => self.seek(four_bytes(&packet, 2)),
            op::READ_SUB_CHANNEL => self.read_sub_channel(&packet),
            op::READ_TOC => self.read_toc(&packet),
            op::READ_DISC_INFORMATION => self.read_disc_information(&packet),
            op::READ_TRACK_INFORMATION => self.read_track_information(&packet),
            op::GET_CONFIGURATION => Ok(self.get_configuration(&packet)),
            op::GET_EVENT_STATUS_NOTIFICATION => self.get_event_status(&packet),
            op::READ_DVD_STRUCTURE => self.read_dvd_structure(&packet),
            op::MECHANISM_STATUS => Ok(self.mechanism_status(&packet)),
            // No speed is faster than another here.
            op::SET_CD_SPEED => Ok(Outcome::Done),
            // There is no audio track to play.
            op::PLAY_AUDIO_10 | op::PLAY_AUDIO_12 | op::PLAY_AUDIO_MSF | op::PAUSE_RESUME => {
                self.ready()?;
                Err(Sense::ILLEGAL_MODE_FOR_TRACK)
            }
            other => {
                log::debug!("ide: packet command {other:#04x} is not there");
                Err(Sense::INVALID_COMMAND)
            }
        }
    }

    /// Tells why the command before failed, or what else there is to tell.
    fn request_sense(&mut self, packet: &Packet) -> Outcome {
        let mut sense = std::mem::replace(&mut self.sense, Sense::NONE);
        if sense.key == key::NO_SENSE && std::mem::take(&mut self.unit_attention) {
            sense = Sense::MEDIUM_CHANGED;
        }
        reply(sense.into_bytes(), u16::from(packet[4]))
    }

    /// Polled notification of events: of the media class, there are some.
    fn get_event_status(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        const MEDIA: u8 = 4;
        let (is_polled, requested) = (packet[1] & 1 != 0, packet[4]);
        if !is_polled {
            return Err(Sense::INVALID_FIELD);
        }
        // Length of what follows it, class or none at all, supported classes.
        let mut bytes = vec![0, 2, 1 << 7, 1 << MEDIA];
        if requested & 1 << MEDIA != 0 {
            bytes[1] = 6;
            bytes[2] = MEDIA;
            let event = std::mem::take(&mut self.events);
            bytes.extend([event.code(), self.media_status(), 0, 0]);
        }
        Ok(reply(bytes, two_bytes(packet, 7)))
    }
}
