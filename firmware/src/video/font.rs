//! The three fonts of code page 437, drawn in text files.

/// A font: 256 glyphs of eight pixels' width.
pub(crate) struct Font {
    /// The name of its bytes in the image.
    pub(crate) name: &'static str,
    /// Scan lines of a glyph.
    pub(crate) height: usize,
    drawing: &'static str,
}

/// 8x8, 8x14, 8x16.
pub(crate) const FONTS: [Font; 3] = [
    Font {
        name: "font_8x8",
        height: 8,
        drawing: include_str!("font/8x8.txt"),
    },
    Font {
        name: "font_8x14",
        height: 14,
        drawing: include_str!("font/8x14.txt"),
    },
    Font {
        name: "font_8x16",
        height: 16,
        drawing: include_str!("font/8x16.txt"),
    },
];

impl Font {
    /// The glyphs, a byte a scan line, the leftmost pixel in bit 7.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let rows: Vec<&str> = self
            .drawing
            .lines()
            .filter(|line| line.starts_with(['.', '#']))
            .collect();
        let mut bytes = vec![0; 256 * self.height];
        for (band, rows) in rows.chunks(self.height).enumerate() {
            for (line, row) in rows.iter().enumerate() {
                for (column, pixels) in row.split(' ').enumerate() {
                    bytes[(band * 8 + column) * self.height + line] = byte(pixels);
                }
            }
        }
        bytes
    }

    /// The drawing is 32 bands of eight glyphs, `height` rows each, of eight characters `.` or `#`.
    #[cfg(test)]
    pub(crate) fn is_complete(&self) -> bool {
        let rows: Vec<&str> = self
            .drawing
            .lines()
            .filter(|line| line.starts_with(['.', '#']))
            .collect();
        let whole = |pixels: &str| {
            pixels.len() == 8 && pixels.chars().all(|pixel| matches!(pixel, '.' | '#'))
        };
        rows.len() == 32 * self.height
            && rows
                .iter()
                .all(|row| row.split(' ').count() == 8 && row.split(' ').all(whole))
    }
}

fn byte(pixels: &str) -> u8 {
    pixels
        .bytes()
        .fold(0, |byte, pixel| byte << 1 | u8::from(pixel == b'#'))
}
