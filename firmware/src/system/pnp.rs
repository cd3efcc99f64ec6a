//! What shows option ROMs that this BIOS lets them boot: the Plug and Play installation check (Plug and Play BIOS
//! Specification 1.0A, section 4.4; BIOS Boot Specification 1.01, section 5).
//!
//! A network adapter's ROM that finds it leaves INT 19h alone, and names an entry to be called when its turn has come.
//! The functions behind it are about devices on the main board, which ACPI describes: they are not supported.

use super::areas::ROM_SEGMENT;

/// Where the structure lies in segment F000h, at a paragraph, and its entry.
pub(super) const HEADER: u32 = 0xFF60;
pub(super) const ENTRY: u32 = HEADER + LENGTH as u32;
const LENGTH: usize = 0x21;
/// What every function returns: FUNCTION_NOT_SUPPORTED.
const NOT_SUPPORTED: [u8; 3] = [0xB8, 0x82, 0x00];
const FAR_RETURN: u8 = 0xCB;

/// The structure, then the code at its entry, for real mode and for 16-bit protected mode.
pub(super) fn structure() -> Vec<u8> {
    let [segment, entry] = [ROM_SEGMENT as u16, ENTRY as u16].map(u16::to_le_bytes);
    let base = (ROM_SEGMENT * 16).to_le_bytes();
    let mut bytes = b"$PnP".to_vec();
    // Version 1.0, its length, no events, the checksum, nowhere for events.
    bytes.extend([0x10, LENGTH as u8, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([entry, segment, entry].concat());
    bytes.extend(base);
    // No identifier; the data segments.
    bytes.extend([0; 4]);
    bytes.extend(segment);
    bytes.extend(base);
    debug_assert_eq!(bytes.len(), LENGTH);
    bytes[8] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    bytes.extend(NOT_SUPPORTED);
    bytes.push(FAR_RETURN);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_is_whole() {
        let bytes = structure();
        let header = &bytes[..LENGTH];
        assert_eq!(
            header.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)),
            0
        );
        assert_eq!(
            header[0x0D..0x11],
            [0x81, 0xFF, 0x00, 0xF0],
            "the entry in real mode"
        );
        assert_eq!(
            header[0x11..0x17],
            [0x81, 0xFF, 0x00, 0x00, 0x0F, 0x00],
            "in protected mode"
        );
        assert_eq!(bytes[LENGTH], 0xB8);
    }
}
