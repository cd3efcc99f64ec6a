//! Mode pages (SPC-3 sections 6.7 to 6.10, MMC-5 section 7): error recovery
//! (01h), device parameters (0Dh), audio control (0Eh), capabilities (2Ah).

use serde::{Deserialize, Serialize};

use super::CdRom;
use super::packet::{Outcome, Packet, reply, two_bytes};
use super::sense::Sense;

/// Page codes.
mod page {
    pub(super) const ERROR_RECOVERY: u8 = 0x01;
    pub(super) const DEVICE_PARAMETERS: u8 = 0x0d;
    pub(super) const AUDIO_CONTROL: u8 = 0x0e;
    pub(super) const CAPABILITIES: u8 = 0x2a;
    pub(super) const ALL: u8 = 0x3f;
}

/// MODE SELECT (6), whose header is shorter.
const MODE_SELECT_6: u8 = 0x15;
/// Kilobytes a second of a 50-speed drive.
const SPEED: u16 = 8820;
/// Kilobytes in its buffer.
const BUFFER: u16 = 512;

/// Which values the host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    Current,
    /// Not values, but the bits that can be changed.
    Changeable,
    Default,
}

/// What MODE SELECT changes. The drive obeys by remembering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ModePages {
    /// How errors are recovered, and how often reading is tried again.
    error_recovery: [u8; 2],
    /// Channel and volume of four ports.
    audio_ports: [u8; 8],
}

impl ModePages {
    pub(super) const DEFAULT: Self = Self {
        error_recovery: [0, 5],
        audio_ports: [1, 0xff, 2, 0xff, 0, 0, 0, 0],
    };
    const CHANGEABLE: Self = Self {
        error_recovery: [0xff; 2],
        audio_ports: [0xff; 8],
    };
}

impl CdRom {
    pub(super) fn mode_sense_6(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        let pages = self.mode_pages(packet[2])?;
        let mut bytes = vec![pages.len() as u8 + 3, self.medium_type(), 0, 0];
        bytes.extend(pages);
        Ok(reply(bytes, u16::from(packet[4])))
    }

    pub(super) fn mode_sense_10(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        let pages = self.mode_pages(packet[2])?;
        let mut bytes = (pages.len() as u16 + 6).to_be_bytes().to_vec();
        bytes.extend([self.medium_type(), 0, 0, 0, 0, 0]);
        bytes.extend(pages);
        Ok(reply(bytes, two_bytes(packet, 7)))
    }

    /// The medium type code of the header: what the tray is like.
    fn medium_type(&self) -> u8 {
        match self.visible_disc() {
            Some(disc) if disc.is_dvd() => 0x00,
            Some(_) => 0x01,
            None if self.is_tray_open() => 0x71,
            None => 0x70,
        }
    }

    /// The pages that byte 2 of MODE SENSE asks for.
    fn mode_pages(&self, control_and_code: u8) -> Result<Vec<u8>, Sense> {
        let values = match control_and_code >> 6 {
            0 => Values::Current,
            1 => Values::Changeable,
            2 => Values::Default,
            _ => return Err(Sense::SAVING_NOT_SUPPORTED),
        };
        let code = control_and_code & 0x3f;
        if code != page::ALL {
            return self.mode_page(code, values).ok_or(Sense::INVALID_FIELD);
        }
        let all = [
            page::ERROR_RECOVERY,
            page::DEVICE_PARAMETERS,
            page::AUDIO_CONTROL,
            page::CAPABILITIES,
        ];
        let pages = all
            .into_iter()
            .filter_map(|code| self.mode_page(code, values));
        Ok(pages.flatten().collect())
    }

    fn mode_page(&self, code: u8, values: Values) -> Option<Vec<u8>> {
        let pages = match values {
            Values::Current => self.pages,
            Values::Changeable => ModePages::CHANGEABLE,
            Values::Default => ModePages::DEFAULT,
        };
        let body = match code {
            page::ERROR_RECOVERY => {
                let [recovery, retries] = pages.error_recovery;
                vec![recovery, retries, 0, 0, 0, 0]
            }
            page::AUDIO_CONTROL => {
                let fixed = [4, 0, 0, 0, 0, 0].map(|byte| values.fixed(byte));
                [fixed.as_slice(), &pages.audio_ports].concat()
            }
            // A minute has 60 seconds and a second 75 frames.
            page::DEVICE_PARAMETERS => values.fixed_all(vec![0, 0, 0, 60, 0, 75]),
            page::CAPABILITIES => values.fixed_all(self.capabilities()),
            _ => return None,
        };
        let mut bytes = vec![code, body.len() as u8];
        bytes.extend(body);
        Some(bytes)
    }

    fn capabilities(&self) -> Vec<u8> {
        let [speed_high, speed_low] = SPEED.to_be_bytes();
        let [buffer_high, buffer_low] = BUFFER.to_be_bytes();
        // A tray that can be locked and ejects, locked or not now.
        let mechanism = 0x29 | u8::from(self.is_locked()) << 1;
        let mut bytes = vec![
            // Reads CD-R, CD-RW and DVD-ROM; writes nothing.
            0x0b, 0, // Mode 2, forms 1 and 2, and several sessions.
            0x70, 0, mechanism, 0,
        ];
        bytes.extend([speed_high, speed_low, 0, 0, buffer_high, buffer_low]);
        bytes.extend([speed_high, speed_low, 0, 0, 0, 0]);
        bytes
    }

    /// MODE SELECT (6) and (10): pages as MMC has them, and not to be saved.
    pub(super) fn mode_select(packet: &Packet, length: u16) -> Result<Outcome, Sense> {
        let (has_pages, saves) = (packet[1] & 0x10 != 0, packet[1] & 1 != 0);
        if !has_pages || saves {
            return Err(Sense::INVALID_FIELD);
        }
        Ok(Outcome::Expects(usize::from(length)))
    }

    /// Takes the parameters of a MODE SELECT.
    pub(super) fn take_parameters(
        &mut self,
        packet: Packet,
        parameters: &[u8],
    ) -> Result<(), Sense> {
        let (header, descriptors) = match (packet[0], parameters) {
            (MODE_SELECT_6, &[_, _, _, length, ..]) => (4, usize::from(length)),
            (MODE_SELECT_6, _) => return Err(Sense::PARAMETER_LIST_LENGTH),
            (_, &[_, _, _, _, _, _, high, low, ..]) => {
                (8, usize::from(u16::from_be_bytes([high, low])))
            }
            _ => return Err(Sense::PARAMETER_LIST_LENGTH),
        };
        let pages = parameters.get(header + descriptors..);
        let mut rest = pages.ok_or(Sense::PARAMETER_LIST_LENGTH)?;
        let mut changed = self.pages;
        while let [code, length, after @ ..] = rest {
            let length = usize::from(*length);
            let body = after.get(..length).ok_or(Sense::PARAMETER_LIST_LENGTH)?;
            rest = &after[length..];
            match (code & 0x3f, body) {
                (page::ERROR_RECOVERY, &[recovery, retries, ..]) => {
                    changed.error_recovery = [recovery, retries];
                }
                (page::AUDIO_CONTROL, &[_, _, _, _, _, _, ref ports @ ..]) if ports.len() == 8 => {
                    changed.audio_ports.copy_from_slice(ports);
                }
                // They cannot be changed, and hosts send back what they read.
                (page::DEVICE_PARAMETERS | page::CAPABILITIES, _) => {}
                _ => return Err(Sense::INVALID_PARAMETER),
            }
        }
        self.pages = changed;
        Ok(())
    }
}

impl Values {
    /// A byte that cannot be changed.
    const fn fixed(self, byte: u8) -> u8 {
        match self {
            Self::Current | Self::Default => byte,
            Self::Changeable => 0,
        }
    }

    /// Bytes that cannot be changed.
    fn fixed_all(self, bytes: Vec<u8>) -> Vec<u8> {
        bytes.into_iter().map(|byte| self.fixed(byte)).collect()
    }
}
