//! What IDENTIFY DEVICE tells (ATA/ATAPI-6 section 8.15, table 25).

use super::{AtaDisk, Geometry, MAX_MULTIPLE};
use crate::ide::identity::{Identity, VALID, write_number};

const MODEL: &str = "RAX DISK";

/// Most sectors that 28 bits address.
pub(super) const MAX_SHORT_SECTORS: u64 = 0x0fff_ffff;

/// Command set words 82 and 85: NOP, look-ahead, write cache, power, SMART.
const COMMAND_SET_1: u16 = 1 << 14 | 1 << 3;
const SMART: u16 = 1 << 0;
const WRITE_CACHE: u16 = 1 << 5;
const LOOK_AHEAD: u16 = 1 << 6;
/// Words 83 and 86: FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses.
const COMMAND_SET_2: u16 = 1 << 13 | 1 << 12 | 1 << 10;

impl AtaDisk {
    /// The 512 bytes of the identity.
    pub(super) fn identity(&self) -> Vec<u8> {
        let sectors = self.sectors();
        let settings = &self.settings;
        let mut identity = Identity::new(&self.serial, MODEL, settings.transfer_mode);
        let words = &mut identity.0;
        // An ATA device, not removable.
        words[0] = 0x0040;
        words[1] = Geometry::DEFAULT.cylinders(sectors);
        words[3] = u16::from(Geometry::DEFAULT.heads);
        // Bytes of a track and of a sector, as ATA-1 has it; Bochs's BIOS reads by that.
        words[4] = 512 * u16::from(Geometry::DEFAULT.sectors_per_track);
        words[5] = 512;
        words[6] = u16::from(Geometry::DEFAULT.sectors_per_track);
        words[47] = 0x8000 | u16::from(MAX_MULTIPLE);
        // 32-bit data port accesses, as older standards have it.
        words[48] = 1;
        words[50] = VALID;
        self.describe_translation(words, sectors);
        if settings.multiple > 0 {
            words[59] = 0x100 | u16::from(settings.multiple);
        }
        write_number(&mut words[60..62], sectors.min(MAX_SHORT_SECTORS));
        words[82] = COMMAND_SET_1 | WRITE_CACHE | LOOK_AHEAD | SMART;
        words[83] = VALID | COMMAND_SET_2;
        words[84] = VALID;
        words[85] = COMMAND_SET_1;
        for (bit, is_on) in [
            (WRITE_CACHE, settings.write_cache),
            (LOOK_AHEAD, settings.look_ahead),
            (SMART, settings.smart),
        ] {
            if is_on {
                words[85] |= bit;
            }
        }
        words[86] = COMMAND_SET_2;
        words[87] = VALID;
        write_number(&mut words[100..104], sectors);
        identity.into_bytes()
    }

    /// Words 54 to 58: the geometry that the guest chose.
    fn describe_translation(&self, words: &mut [u16; 256], sectors: u64) {
        let geometry = self.settings.geometry;
        let cylinders = geometry.cylinders(sectors);
        words[54] = cylinders;
        words[55] = u16::from(geometry.heads);
        words[56] = u16::from(geometry.sectors_per_track);
        let capacity = u64::from(cylinders)
            * u64::from(geometry.heads)
            * u64::from(geometry.sectors_per_track);
        write_number(&mut words[57..59], capacity.min(sectors));
    }
}
