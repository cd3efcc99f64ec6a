//! The VGA BIOS: INT 10h, as an option ROM (IBM VGA Technical Reference and PS/2 and PC BIOS Interface Technical
//! Reference; VESA BIOS Extension 3.0 in [`vbe`]).
//!
//! It knows the hardware only by its registers: those of a VGA, and the Bochs display interface (ports 1CEh, 1CFh,
//! frame buffer in BAR 0 of PCI device 1234:1111) for what a VGA cannot show. It keeps its state where IBM's BIOS
//! does, in segment 0040h, and in the registers; the image is never written to.

pub(crate) mod asm;
pub(crate) mod bda;
mod cursor;
mod dac;
pub(crate) mod dispi;
mod dots;
mod entry;
pub(crate) mod font;
mod fonts;
pub(crate) mod frame;
mod glyph;
mod info;
mod mode_set;
pub(crate) mod modes;
mod palette;
mod parameters;
pub(crate) mod ports;
pub(crate) mod prelude;
mod rows;
mod select;
mod state;
mod teletype;
#[cfg(test)]
mod tests;
mod text;
mod vbe;

use asm::{Asm, Built, section};

/// The vendor and device of the display, as QEMU and Bochs have it.
const PCI_ID: [u16; 2] = [0x1234, 0x1111];
/// Where the PCI data structure lies.
const PCIR: usize = 0x40;
/// The image grows in blocks of this size.
const BLOCK: usize = 512;
/// The largest image.
const MAX_SIZE: usize = 0x1_0000;

/// The font of the text modes: 256 glyphs of 16 bytes, the leftmost pixel in bit 7.
#[must_use]
pub fn text_font() -> Vec<u8> {
    font::FONTS[2].bytes()
}

/// The VGA BIOS: an option ROM that a system BIOS copies to C0000h and calls at its third byte.
///
/// # Panics
/// Never for a tested build: the image is the same each time.
#[must_use]
pub fn image() -> Vec<u8> {
    let mut image = section(16, contents).expect("the VGA BIOS assembles");
    // One byte for the checksum.
    let size = (image.len() + 1).next_multiple_of(BLOCK);
    assert!(size <= MAX_SIZE, "the VGA BIOS has {size:#x} bytes");
    image.resize(size, 0);
    let blocks = u8::try_from(size / BLOCK).expect("at most 128 blocks");
    image[2] = blocks;
    image[PCIR + 0x10] = blocks;
    let sum = image.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    image[size - 1] = sum.wrapping_neg();
    image
}

fn contents(a: &mut Asm) -> Built {
    header(a)?;
    for font in font::FONTS {
        a.data(font.name, &font.bytes())?;
    }
    entry::emit(a)?;
    mode_set::emit(a)?;
    modes::emit(a)?;
    cursor::emit(a)?;
    text::emit(a)?;
    teletype::emit(a)?;
    glyph::emit(a)?;
    rows::emit(a)?;
    dots::emit(a)?;
    palette::emit(a)?;
    fonts::emit(a)?;
    select::emit(a)?;
    info::emit(a)?;
    state::emit(a)?;
    dispi::emit(a)?;
    vbe::emit(a)
}

/// The option ROM's header, and the PCI data structure (PCI Firmware Specification 3.0, 5.1).
fn header(a: &mut Asm) -> Built {
    a.db(&[0x55, 0xAA, 0])?;
    // A jump of three bytes.
    let start = a.offset("init") - 6;
    a.db(&[0xE9])?;
    a.db(&start.to_le_bytes()[..2])?;
    let mut rest = [0; PCIR - 6];
    rest[0x18 - 6] = 0x40;
    // Programs look here for the three letters to tell a VGA from a CGA.
    rest[0x1E - 6..0x21 - 6].copy_from_slice(b"IBM");
    let name = b"rax VGA BIOS";
    rest[0x24 - 6..0x24 - 6 + name.len()].copy_from_slice(name);
    a.db(&rest)?;
    let [vendor, device] = PCI_ID.map(u16::to_le_bytes);
    a.db(b"PCIR")?;
    a.db(&[vendor[0], vendor[1], device[0], device[1], 0, 0, 0x18, 0, 0])?;
    // Class 030000h (VGA), the length, revision 1, x86 code, the last image.
    a.db(&[0x00, 0x00, 0x03, 0, 0, 1, 0, 0x00, 0x80, 0, 0])
}
