//! Pixels as clients want them (RFC 6143, 7.4).

/// How a pixel is put into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PixelFormat {
    bits_per_pixel: u8,
    depth: u8,
    is_big_endian: bool,
    /// The greatest values of red, green and blue.
    max: [u16; 3],
    shift: [u8; 3],
    /// Pixels are numbers of a colour map: the one of [`PixelFormat::color_map`].
    is_indexed: bool,
}

/// Colours of the map, as many as eight bits number.
const COLORS: u16 = 256;
/// The message that sets them.
const SET_COLOR_MAP_ENTRIES: u8 = 1;

impl PixelFormat {
    /// `0x00RRGGBB` in four bytes, the lowest first: as frames are.
    pub(super) const OURS: Self = Self {
        bits_per_pixel: 32,
        depth: 24,
        is_big_endian: false,
        max: [255; 3],
        shift: [16, 8, 0],
        is_indexed: false,
    };

    /// Reads a format, if it is a possible one. Clients with a colour map are given one in which the bits of a colour's
    /// number are its parts.
    pub(super) fn from_bytes(bytes: &[u8; 16]) -> Option<Self> {
        let &[
            bits_per_pixel,
            depth,
            big_endian,
            true_color,
            r1,
            r0,
            g1,
            g0,
            b1,
            b0,
            red,
            green,
            blue,
            ..,
        ] = bytes;
        let is_indexed = true_color == 0;
        let (max, shift) = if is_indexed {
            ([7, 7, 3], [0, 3, 6])
        } else {
            let max = [[r1, r0], [g1, g0], [b1, b0]].map(u16::from_be_bytes);
            (max, [red, green, blue])
        };
        let format = Self {
            bits_per_pixel,
            depth,
            is_big_endian: big_endian != 0,
            max,
            shift,
            is_indexed,
        };
        let bits = u32::from(bits_per_pixel);
        let fits = |(max, shift): (&u16, &u8)| {
            u32::from(*shift) < bits && u64::from(*max) << shift < 1 << bits
        };
        let is_possible =
            matches!(bits_per_pixel, 8 | 16 | 32) && format.max.iter().zip(&format.shift).all(fits);
        is_possible.then_some(format)
    }

    pub(super) fn to_bytes(self) -> [u8; 16] {
        let [red, green, blue] = self.max.map(u16::to_be_bytes);
        let [red_shift, green_shift, blue_shift] = self.shift;
        [
            self.bits_per_pixel,
            self.depth,
            u8::from(self.is_big_endian),
            u8::from(!self.is_indexed),
            red[0],
            red[1],
            green[0],
            green[1],
            blue[0],
            blue[1],
            red_shift,
            green_shift,
            blue_shift,
            0,
            0,
            0,
        ]
    }

    /// The message that gives the client its colour map, if it needs one (RFC 6143, 7.6.2).
    pub(super) fn color_map(&self) -> Vec<u8> {
        if !self.is_indexed {
            return Vec::new();
        }
        let mut message = vec![SET_COLOR_MAP_ENTRIES, 0, 0, 0];
        message.extend(COLORS.to_be_bytes());
        for number in 0..COLORS {
            for (max, shift) in self.max.iter().zip(self.shift) {
                // The greatest value is full brightness.
                let part = u32::from(number >> shift & max) * 0xffff / u32::from(*max);
                message.extend((part as u16).to_be_bytes());
            }
        }
        message
    }

    /// A colour `0x00RRGGBB` as a number of this format.
    fn value(&self, color: u32) -> u32 {
        if (self.max, self.shift) == (Self::OURS.max, Self::OURS.shift) {
            return color;
        }
        let [blue, green, red, _] = color.to_le_bytes();
        let part = |index: usize, level: u8| {
            let scaled = (u32::from(level) * u32::from(self.max[index]) + 127) / 255;
            scaled << self.shift[index]
        };
        part(0, red) | part(1, green) | part(2, blue)
    }

    /// Appends a pixel.
    pub(super) fn put(&self, color: u32, to: &mut Vec<u8>) {
        self.put_all(&[color], to);
    }

    /// Appends pixels.
    pub(super) fn put_all(&self, colors: &[u32], to: &mut Vec<u8>) {
        // The loops are short enough for vectors: the format is looked at once, and the usual one's pixels are copied.
        match (self.bits_per_pixel, self.is_big_endian) {
            (32, false) if *self == Self::OURS => put_each(colors, to, u32::to_le_bytes),
            (32, false) => put_each(colors, to, |color| self.value(color).to_le_bytes()),
            (32, true) => put_each(colors, to, |color| self.value(color).to_be_bytes()),
            (16, false) => put_each(colors, to, |color| (self.value(color) as u16).to_le_bytes()),
            (16, true) => put_each(colors, to, |color| (self.value(color) as u16).to_be_bytes()),
            _ => put_each(colors, to, |color| [self.value(color) as u8]),
        }
    }

    /// Appends a compressed pixel: without the byte that holds no colour.
    pub(super) fn put_compressed(&self, color: u32, to: &mut Vec<u8>) {
        let used = self
            .max
            .iter()
            .zip(&self.shift)
            .fold(0, |bits, (max, shift)| bits | u32::from(*max) << shift);
        let is_wide = self.bits_per_pixel == 32 && self.depth <= 24;
        let bytes = if self.is_big_endian {
            self.value(color).to_be_bytes()
        } else {
            self.value(color).to_le_bytes()
        };
        if is_wide && used < 1 << 24 {
            let first = usize::from(self.is_big_endian);
            to.extend_from_slice(&bytes[first..first + 3]);
        } else if is_wide && used & 0xff == 0 {
            let first = usize::from(!self.is_big_endian);
            to.extend_from_slice(&bytes[first..first + 3]);
        } else {
            self.put(color, to);
        }
    }
}

fn put_each<const BYTES: usize>(
    colors: &[u32],
    to: &mut Vec<u8>,
    pixel: impl Fn(u32) -> [u8; BYTES],
) {
    let start = to.len();
    to.resize(start + BYTES * colors.len(), 0);
    let (pixels, _) = to[start..].as_chunks_mut();
    for (bytes, &color) in pixels.iter_mut().zip(colors) {
        *bytes = pixel(color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bits: u8, depth: u8, big: u8, max: [u16; 3], shift: [u8; 3]) -> Option<PixelFormat> {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[bits, depth, big, 1]);
        for (index, max) in max.into_iter().enumerate() {
            bytes[4 + 2 * index..6 + 2 * index].copy_from_slice(&max.to_be_bytes());
        }
        bytes[10..13].copy_from_slice(&shift);
        PixelFormat::from_bytes(&bytes)
    }

    fn put(format: PixelFormat, compressed: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        if compressed {
            format.put_compressed(0xff_8001, &mut bytes);
        } else {
            format.put(0xff_8001, &mut bytes);
        }
        bytes
    }

    #[test]
    fn colors_are_scaled_and_shifted() {
        let rgb565 = format(16, 16, 0, [31, 63, 31], [11, 5, 0]).unwrap();
        assert_eq!(put(rgb565, false), (31u16 << 11 | 32 << 5).to_le_bytes());
        let big = format(32, 24, 1, [255; 3], [16, 8, 0]).unwrap();
        assert_eq!(put(big, false), [0, 0xff, 0x80, 1]);
        assert_eq!(put(big, true), [0xff, 0x80, 1]);
        let high = format(32, 24, 0, [255; 3], [24, 16, 8]).unwrap();
        assert_eq!(put(high, false), [0, 1, 0x80, 0xff]);
        assert_eq!(put(high, true), [1, 0x80, 0xff]);
        assert_eq!(put(rgb565, true), put(rgb565, false));
        let bytes = PixelFormat::OURS.to_bytes();
        assert_eq!(PixelFormat::from_bytes(&bytes), Some(PixelFormat::OURS));
    }

    #[test]
    fn a_colour_map_says_what_the_numbers_mean() {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&[8, 8]);
        let indexed = PixelFormat::from_bytes(&bytes).unwrap();
        let message = indexed.color_map();
        assert_eq!(
            (message.len(), &message[..6]),
            (6 + 256 * 6, &[1, 0, 0, 0, 1, 0][..])
        );
        for color in [0, 0xff_ffff, 0xff_0000, 0x00_00ff, 0x24_ff55] {
            let mut number = Vec::new();
            indexed.put(color, &mut number);
            let entry = &message[6 + 6 * usize::from(number[0])..][..6];
            let told = [entry[0], entry[2], entry[4]];
            assert_eq!(told, color.to_be_bytes()[1..], "{color:06x}");
        }
        assert!(PixelFormat::OURS.color_map().is_empty());
        assert_eq!(PixelFormat::from_bytes(&indexed.to_bytes()), Some(indexed));
    }

    #[test]
    fn impossible_formats_are_refused() {
        assert_eq!(format(24, 24, 0, [255; 3], [16, 8, 0]), None);
        assert_eq!(format(32, 24, 0, [255; 3], [16, 8, 200]), None);
        assert_eq!(format(32, 24, 0, [255; 3], [25, 8, 0]), None);
        assert_eq!(format(8, 8, 0, [7, 7, 3], [0, 3, 8]), None);
        assert!(format(8, 8, 0, [7, 7, 3], [0, 3, 6]).is_some());
    }
}
