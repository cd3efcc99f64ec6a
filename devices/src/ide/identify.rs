//! What IDENTIFY DEVICE tells (ATA/ATAPI-6 section 8.15, table 25).

use super::{Geometry, Ide, MAX_MULTIPLE, SECTOR_BYTES};

const SERIAL: &str = "RAX00000000000000001";
const FIRMWARE: &str = env!("CARGO_PKG_VERSION");
const MODEL: &str = "RAX DISK";

/// Most sectors that 28 bits address.
pub(super) const MAX_SHORT_SECTORS: u64 = 0x0fff_ffff;

/// Command set words 82 and 85: NOP, look-ahead, write cache, power.
const COMMAND_SET_1: u16 = 1 << 14 | 1 << 3;
const WRITE_CACHE: u16 = 1 << 5;
const LOOK_AHEAD: u16 = 1 << 6;
/// Words 83 and 86: FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses.
const COMMAND_SET_2: u16 = 1 << 13 | 1 << 12 | 1 << 10;
/// Bit 14 set and bit 15 clear make a word valid.
const VALID: u16 = 1 << 14;

impl Ide {
    /// The 512 bytes of the identity.
    pub(super) fn identity(&self) -> Vec<u8> {
        let sectors = self.disk_sectors();
        let mut words = [0u16; 256];
        // An ATA device, not removable.
        words[0] = 0x0040;
        words[1] = Geometry::DEFAULT.cylinders(sectors);
        words[3] = u16::from(Geometry::DEFAULT.heads);
        words[6] = u16::from(Geometry::DEFAULT.sectors_per_track);
        write_text(&mut words[10..20], SERIAL);
        write_text(&mut words[23..27], FIRMWARE);
        write_text(&mut words[27..47], MODEL);
        words[47] = 0x8000 | u16::from(MAX_MULTIPLE);
        // 32-bit data port accesses, as older standards have it.
        words[48] = 1;
        // IORDY, which may be disabled; LBA; no DMA.
        words[49] = 1 << 11 | 1 << 10 | 1 << 9;
        words[50] = VALID;
        // PIO mode 2, for hosts that do not read word 64.
        words[51] = 2 << 8;
        // Words 54 to 58 and 64 to 70 are valid.
        words[53] = 0b11;
        self.describe_translation(&mut words, sectors);
        if self.multiple > 0 {
            words[59] = 0x100 | u16::from(self.multiple);
        }
        let short = sectors.min(MAX_SHORT_SECTORS);
        write_number(&mut words[60..62], short);
        // PIO modes 3 and 4, 120 ns a cycle.
        words[64] = 0b11;
        words[67] = 120;
        words[68] = 120;
        // ATA-1 to ATA/ATAPI-6.
        words[80] = 0b0111_1110;
        words[82] = COMMAND_SET_1 | WRITE_CACHE | LOOK_AHEAD;
        words[83] = VALID | COMMAND_SET_2;
        words[84] = VALID;
        words[85] = COMMAND_SET_1;
        if self.write_cache {
            words[85] |= WRITE_CACHE;
        }
        if self.look_ahead {
            words[85] |= LOOK_AHEAD;
        }
        words[86] = COMMAND_SET_2;
        words[87] = VALID;
        // Hardware reset result: device 0, number by jumper, passed.
        words[93] = VALID | 0b1011;
        write_number(&mut words[100..104], sectors);
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        seal(&mut bytes);
        debug_assert_eq!(bytes.len(), SECTOR_BYTES);
        bytes
    }

    /// Words 54 to 58: the geometry that the guest chose.
    fn describe_translation(&self, words: &mut [u16; 256], sectors: u64) {
        let geometry = self.geometry;
        let cylinders = geometry.cylinders(sectors);
        words[54] = cylinders;
        words[55] = u16::from(geometry.heads);
        words[56] = u16::from(geometry.sectors_per_track);
        let capacity = u64::from(cylinders)
            * u64::from(geometry.heads)
            * u64::from(geometry.sectors_per_track);
        write_number(&mut words[57..59], capacity);
    }
}

/// Writes `text`, padded with spaces; the first letter is the high byte.
fn write_text(words: &mut [u16], text: &str) {
    let mut letters = text.bytes().chain(std::iter::repeat(b' '));
    for word in words {
        let mut letter = || letters.next().unwrap_or(b' ');
        *word = u16::from_be_bytes([letter(), letter()]);
    }
}

/// Writes `number`, its low word first.
fn write_number(words: &mut [u16], number: u64) {
    for (index, word) in words.iter_mut().enumerate() {
        *word = ((number >> (16 * index)) & 0xffff) as u16;
    }
}

/// Word 255: a signature, and a checksum that makes all bytes add up to 0.
fn seal(bytes: &mut [u8]) {
    if let [body @ .., signature, checksum] = bytes {
        *signature = 0xa5;
        let sum = body
            .iter()
            .fold(0xa5u8, |sum, byte| sum.wrapping_add(*byte));
        *checksum = sum.wrapping_neg();
    }
}
