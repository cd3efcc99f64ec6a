//! Text mode 3 as firmware leaves it, for kernels that are booted without firmware: 80 by 25 characters of 9 by 16
//! dots, sixteen colours (IBM VGA Technical Reference, "Video Parameter Table").

use super::Vga;
use super::memory::cell;

const MISCELLANEOUS: u8 = 0x67;
const SEQUENCER: [u8; 5] = [0x03, 0x00, 0x03, 0x00, 0x02];
const CRTC: [u8; 25] = [
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
];
const GRAPHICS: [u8; 9] = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff];
/// The sixteen palette registers, and mode control, overscan, plane enable, panning and colour select.
const ATTRIBUTE: [u8; 21] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
    0x0c, 0x00, 0x0f, 0x08, 0x00,
];
/// A blank in light grey on black.
const BLANK: [u8; 2] = [b' ', 0x07];
/// Scan lines of a glyph.
const GLYPH_LINES: usize = 16;
/// Room for a glyph in plane 2.
const GLYPH_BYTES: usize = 32;

impl Vga {
    /// Sets the registers for text, clears the screen and loads a font of 256 glyphs of 16 bytes.
    pub fn show_text(&mut self, font: &[u8]) {
        let mut set = |register, value| {
            // All of these are registers of this chip.
            let _ = self.write_port(register, value);
        };
        set(0x12, MISCELLANEOUS);
        for (index, value) in (0..).zip(SEQUENCER) {
            set(0x14, index);
            set(0x15, value);
        }
        // The first eight are protected by bit 7 of the eighteenth, whatever that was.
        set(0x24, 0x11);
        set(0x25, 0);
        for (index, value) in (0..).zip(CRTC) {
            set(0x24, index);
            set(0x25, value);
        }
        for (index, value) in (0..).zip(GRAPHICS) {
            set(0x1e, index);
            set(0x1f, value);
        }
        // The monitor's 64 colours: two bits for each component, 2/3 and 1/3.
        set(0x16, 0xff);
        set(0x18, 0);
        for color in 0..64_u8 {
            for bit in [2, 1, 0] {
                set(
                    0x19,
                    (color >> bit & 1) * 42 + (color >> (bit + 3) & 1) * 21,
                );
            }
        }
        self.attribute.reset_flip_flop();
        for (index, value) in (0..).zip(ATTRIBUTE) {
            self.attribute.write(index);
            self.attribute.write(value);
        }
        // Index 20h: the palette is the screen's again.
        self.attribute.write(0x20);
        self.load_font(font);
    }

    /// Characters and attributes lie in planes 0 and 1, glyphs in plane 2.
    fn load_font(&mut self, font: &[u8]) {
        for address in 0..0x4000 {
            self.memory.write(cell(address), &BLANK);
        }
        for (number, glyph) in font.chunks_exact(GLYPH_LINES).take(256).enumerate() {
            for (line, &dots) in glyph.iter().enumerate() {
                let address = number * GLYPH_BYTES + line;
                self.memory.write(cell(address) + 2, &[dots]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Time;
    use crate::conformance::Probe;
    use crate::vga::{PlainVideoMemory, Vga, WINDOW};

    #[test]
    fn characters_that_are_written_are_seen() {
        let mut vga = Vga::new(Box::new(PlainVideoMemory::new(0)));
        let mut font = vec![0; 256 * 16];
        font[usize::from(b'A') * 16] = 0x81;
        vga.show_text(&font);
        let mut bench = Probe::new(&mut vga);
        // B8000h: an A in yellow on blue.
        bench.write_bytes(WINDOW + 0x1_8000, b"A\x1e").unwrap();
        let screen = vga.text_screen().unwrap();
        assert_eq!((screen.columns, screen.rows), (80, 25));
        assert_eq!(screen.row(0), "A");
        let frame = vga.frame(Time(0));
        assert_eq!((frame.width, frame.height), (720, 400));
        let (yellow, blue) = (0xff_ff55, 0x00_00aa);
        assert_eq!(
            frame.pixels[..10],
            [yellow, blue, blue, blue, blue, blue, blue, yellow, blue, 0]
        );
    }
}
