//! The picture of the Bochs display interface's modes: pixels one behind the other, or in four planes.

use super::Vga;
use super::memory::cell;
use super::render::Frame;
use super::vbe::Screen;

impl Vga {
    pub(super) fn linear_frame(&self, screen: &Screen) -> Frame {
        let rgb = self.dac.rgb();
        let mut frame = Frame {
            width: screen.width,
            height: screen.height,
            pixels: Vec::with_capacity(screen.width * screen.height),
        };
        let pixels = &mut frame.pixels;
        // Which format it is is asked once, so that the loops over pixels are short.
        match screen.bits_per_pixel {
            4 => self.planar_pixels(screen, &rgb, pixels),
            8 => self.linear_pixels(screen, pixels, |[index]| rgb[usize::from(index)]),
            15 => self.linear_pixels(screen, pixels, |word| {
                let value = u32::from(u16::from_le_bytes(word));
                five(value >> 10) << 16 | five(value >> 5) << 8 | five(value)
            }),
            16 => self.linear_pixels(screen, pixels, |word| {
                let value = u32::from(u16::from_le_bytes(word));
                five(value >> 11) << 16 | six(value >> 5) << 8 | five(value)
            }),
            24 => self.linear_pixels(screen, pixels, |[blue, green, red]| {
                u32::from_le_bytes([blue, green, red, 0])
            }),
            _ => self.linear_pixels(screen, pixels, |word| u32::from_le_bytes(word) & 0xff_ffff),
        }
        frame
    }

    fn linear_pixels<const BYTES: usize>(
        &self,
        screen: &Screen,
        pixels: &mut Vec<u32>,
        color: impl Fn([u8; BYTES]) -> u32,
    ) {
        let (left, top) = screen.offset;
        let mut bytes = vec![0; screen.width * BYTES];
        for y in top..top + screen.height {
            self.memory
                .read(y * screen.line_bytes + left * BYTES, &mut bytes);
            let (line, _) = bytes.as_chunks();
            pixels.extend(line.iter().map(|&pixel| color(pixel)));
        }
    }

    fn planar_pixels(&self, screen: &Screen, rgb: &[u32], pixels: &mut Vec<u32>) {
        let colors = self.attribute.palette(0);
        let (left, top) = screen.offset;
        let mut quad = [0; 4];
        for y in top..top + screen.height {
            for x in left..left + screen.width {
                if x == left || x % 8 == 0 {
                    let address = y * screen.line_bytes + x / 8;
                    self.memory.read(cell(address), &mut quad);
                }
                let color = (0..4).fold(0, |color, plane| {
                    color | (quad[plane] >> (7 - x % 8) & 1) << plane
                });
                let entry = colors[usize::from(color)];
                pixels.push(rgb[usize::from(entry)]);
            }
        }
    }
}

/// Five bits of a colour as eight. Shorter parts repeat their top bits, so that white is white.
fn five(value: u32) -> u32 {
    let part = value & 31;
    part << 3 | part >> 2
}

/// The same of six bits.
fn six(value: u32) -> u32 {
    let part = value & 63;
    part << 2 | part >> 4
}
