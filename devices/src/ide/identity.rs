//! What the identities of disks and packet devices have in common
//! (ATA/ATAPI-6 sections 8.15 and 8.16).

use super::registers::TransferMode;

/// The firmware revision that all of them tell.
pub(super) const FIRMWARE: &str = env!("CARGO_PKG_VERSION");
/// Bit 14 set and bit 15 clear make a word valid.
pub(super) const VALID: u16 = 1 << 14;

/// The words of an identity.
pub(super) struct Identity(pub(super) [u16; 256]);

impl Identity {
    /// One with the texts and transfer modes filled in.
    pub(super) fn new(serial: &str, model: &str, dma_mode: TransferMode) -> Self {
        let mut words = [0u16; 256];
        write_text(&mut words[10..20], serial);
        write_text(&mut words[23..27], FIRMWARE);
        write_text(&mut words[27..47], model);
        // IORDY, which may be disabled; LBA.
        words[49] = 1 << 11 | 1 << 10 | 1 << 9;
        // PIO mode 2, for hosts that do not read word 64.
        words[51] = 2 << 8;
        // Words 54 to 58 and 64 to 70 are valid.
        words[53] = 0b11;
        // PIO modes 3 and 4, 120 ns a cycle.
        words[64] = 0b11;
        words[67] = 120;
        words[68] = 120;
        // ATA-1 to ATA/ATAPI-6.
        words[80] = 0b0111_1110;
        // Hardware reset result: number by jumper, passed.
        words[93] = VALID | 0b1011;
        // DMA. Word 88 is valid too.
        words[49] |= 1 << 8;
        words[53] |= 0b100;
        // Multiword mode 2, 120 ns a cycle.
        words[65] = 120;
        words[66] = 120;
        (words[63], words[88]) = dma_mode.identity_words();
        // An 80-conductor cable, which modes above 2 need.
        words[93] |= 1 << 13;
        Self(words)
    }

    /// The 512 bytes, with the checksum.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        seal(&mut bytes);
        bytes
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
pub(super) fn write_number(words: &mut [u16], number: u64) {
    for (index, word) in words.iter_mut().enumerate() {
        *word = ((number >> (16 * index)) & 0xffff) as u16;
    }
}

/// Word 255: a signature, and a checksum that makes all bytes add up to 0.
fn seal(bytes: &mut [u8]) {
    if let [body @ .., signature, checksum] = bytes {
        *signature = 0xa5;
        *checksum = checksum_after(body, 0xa5);
    }
}

/// The byte that makes `body`, `last` and itself add up to 0.
pub(super) fn checksum_after(body: &[u8], last: u8) -> u8 {
    let sum = body.iter().fold(last, |sum, byte| sum.wrapping_add(*byte));
    sum.wrapping_neg()
}
