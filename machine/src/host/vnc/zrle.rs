//! The ZRLE encoding (RFC 6143, 7.7.6): tiles with few colours as palettes, all of it through one zlib stream.

use flate2::{Compress, Compression, FlushCompress};
use rax_devices::Frame;

use super::message::Rectangle;
use super::pixels::PixelFormat;

/// Tiles are this wide and high.
pub(super) const TILE: usize = 64;
/// The most colours of a packed palette.
const PALETTE: usize = 16;

/// The stream of one client.
pub(super) struct Zrle {
    stream: Compress,
    tiles: Vec<u8>,
}

impl Zrle {
    pub(super) fn new() -> Self {
        Self {
            stream: Compress::new(Compression::fast(), true),
            tiles: Vec::new(),
        }
    }

    /// Appends a part of a frame: length and data.
    pub(super) fn encode(
        &mut self,
        frame: &Frame,
        area: Rectangle,
        format: &PixelFormat,
        to: &mut Vec<u8>,
    ) {
        self.tiles.clear();
        let (left, top) = (usize::from(area.x), usize::from(area.y));
        let (right, bottom) = (
            left + usize::from(area.width),
            top + usize::from(area.height),
        );
        for y in (top..bottom).step_by(TILE) {
            for x in (left..right).step_by(TILE) {
                let (width, height) = (TILE.min(right - x), TILE.min(bottom - y));
                let lines = (y..y + height).map(|line| {
                    let start = line * frame.width + x;
                    &frame.pixels[start..start + width]
                });
                encode_tile(lines, format, &mut self.tiles);
            }
        }
        let length_at = to.len();
        to.extend([0; 4]);
        self.compress(to);
        let length = (to.len() - length_at - 4) as u32;
        to[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn compress(&mut self, to: &mut Vec<u8>) {
        let mut rest = self.tiles.as_slice();
        loop {
            to.reserve(rest.len() / 4 + 256);
            let before = self.stream.total_in();
            // Only wrong parameters are errors here.
            let _ = self.stream.compress_vec(rest, to, FlushCompress::Sync);
            let taken = (self.stream.total_in() - before) as usize;
            rest = &rest[taken.min(rest.len())..];
            // Room that is left over means that all has been flushed.
            if rest.is_empty() && to.len() < to.capacity() {
                return;
            }
        }
    }
}

/// The colours of a tile, if they are few.
fn palette<'a>(lines: impl Iterator<Item = &'a [u32]>) -> Option<Vec<u32>> {
    let mut colors = Vec::with_capacity(PALETTE);
    let mut last = None;
    for &pixel in lines.flatten() {
        if last == Some(pixel) {
            continue;
        }
        last = Some(pixel);
        if !colors.contains(&pixel) {
            if colors.len() == PALETTE {
                return None;
            }
            colors.push(pixel);
        }
    }
    Some(colors)
}

fn encode_tile<'a>(
    lines: impl Iterator<Item = &'a [u32]> + Clone,
    format: &PixelFormat,
    to: &mut Vec<u8>,
) {
    let Some(colors) = palette(lines.clone()) else {
        to.push(0);
        for &pixel in lines.flatten() {
            format.put_compressed(pixel, to);
        }
        return;
    };
    to.push(colors.len() as u8);
    for &color in &colors {
        format.put_compressed(color, to);
    }
    let bits = match colors.len() {
        0 | 1 => return,
        2 => 1,
        3 | 4 => 2,
        _ => 4,
    };
    for line in lines {
        let mut last = (colors[0], 0);
        for group in line.chunks(8 / bits) {
            let mut byte = 0;
            for (place, &pixel) in group.iter().enumerate() {
                if pixel != last.0 {
                    let index = colors.iter().position(|&color| color == pixel);
                    last = (pixel, index.unwrap_or(0) as u8);
                }
                byte |= last.1 << (8 - bits * (place + 1));
            }
            to.push(byte);
        }
    }
}
