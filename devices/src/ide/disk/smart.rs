//! SMART, self-monitoring (ATA/ATAPI-6 section 8.54): a disk that is always
//! well and has no attributes that could get worse.

use super::{AtaDisk, SECTOR_BYTES};
use crate::ide::identity::checksum_after;

/// Subcommands, in the features register.
mod subcommand {
    pub(super) const READ_DATA: u8 = 0xd0;
    pub(super) const READ_THRESHOLDS: u8 = 0xd1;
    pub(super) const ATTRIBUTE_AUTOSAVE: u8 = 0xd2;
    pub(super) const SAVE_ATTRIBUTES: u8 = 0xd3;
    pub(super) const EXECUTE_OFF_LINE: u8 = 0xd4;
    pub(super) const ENABLE: u8 = 0xd8;
    pub(super) const DISABLE: u8 = 0xd9;
    pub(super) const RETURN_STATUS: u8 = 0xda;
}

/// LBA mid and high hold this key, or the command is not meant.
const KEY: (u8, u8) = (0x4f, 0xc2);

impl AtaDisk {
    pub(super) fn smart(&mut self) {
        let subcommand = self.task.features.current;
        let key = (self.task.lba_mid.current, self.task.lba_high.current);
        if key != KEY || !(self.settings.smart || subcommand == subcommand::ENABLE) {
            self.task.abort();
            return;
        }
        match subcommand {
            subcommand::ENABLE => self.settings.smart = true,
            subcommand::DISABLE => self.settings.smart = false,
            // The key unchanged means that no threshold is exceeded. Tests take
            // no time, and there are no attributes to save.
            subcommand::RETURN_STATUS
            | subcommand::ATTRIBUTE_AUTOSAVE
            | subcommand::SAVE_ATTRIBUTES
            | subcommand::EXECUTE_OFF_LINE => {}
            subcommand::READ_DATA => return self.start_reply(data()),
            subcommand::READ_THRESHOLDS => return self.start_reply(thresholds()),
            _ => return self.task.abort(),
        }
        self.task.succeed();
    }
}

/// The data structure: no attributes, off-line collection done.
fn data() -> Vec<u8> {
    let mut bytes = vec![0; SECTOR_BYTES];
    // Revision of the structure.
    bytes[0] = 0x10;
    // Off-line collection was completed without error.
    bytes[362] = 0x02;
    // It can be asked for, and takes a second.
    bytes[364] = 1;
    bytes[367] = 1;
    // Attributes are saved; no error log.
    bytes[368] = 3;
    // Short and extended self-tests would take a minute.
    bytes[372] = 1;
    bytes[373] = 1;
    bytes[511] = checksum_after(&bytes[..511], 0);
    bytes
}

/// The thresholds of no attributes.
fn thresholds() -> Vec<u8> {
    let mut bytes = vec![0; SECTOR_BYTES];
    bytes[0] = 0x10;
    bytes[511] = checksum_after(&bytes[..511], 0);
    bytes
}
