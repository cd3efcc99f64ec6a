//! Updates: which parts of the screen have changed, and how they are sent (RFC 6143, 7.6.1).

use rax_devices::Frame;

use super::message::Rectangle;
use super::pixels::PixelFormat;
use super::zrle::{TILE, Zrle};

const ENCODING_RAW: i32 = 0;
const ENCODING_ZRLE: i32 = 16;
const ENCODING_DESKTOP_SIZE: i32 = -223;

/// What a client has said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    pub(super) format: PixelFormat,
    pub(super) has_zrle: bool,
    pub(super) has_desktop_size: bool,
}

impl Abilities {
    pub(super) const AT_FIRST: Self = Self {
        format: PixelFormat::OURS,
        has_zrle: false,
        has_desktop_size: false,
    };

    pub(super) fn set_encodings(&mut self, encodings: &[i32]) {
        self.has_zrle = encodings.contains(&ENCODING_ZRLE);
        self.has_desktop_size = encodings.contains(&ENCODING_DESKTOP_SIZE);
    }
}

/// The parts that differ, in whole tiles; those beside each other are one.
pub(super) fn changes(before: Option<&Frame>, now: &Frame) -> Vec<Rectangle> {
    let before = before.filter(|before| (before.width, before.height) == (now.width, now.height));
    let mut parts: Vec<Rectangle> = Vec::new();
    for y in (0..now.height).step_by(TILE) {
        let height = TILE.min(now.height - y);
        let mut is_open = false;
        for x in (0..now.width).step_by(TILE) {
            let width = TILE.min(now.width - x);
            let is_same = before.is_some_and(|before| {
                (y..y + height).all(|line| {
                    let at = line * now.width + x;
                    before.pixels[at..at + width] == now.pixels[at..at + width]
                })
            });
            if is_same {
                is_open = false;
                continue;
            }
            match parts.last_mut().filter(|_| is_open) {
                Some(part) => part.width += width as u16,
                None => parts.push(Rectangle {
                    x: x as u16,
                    y: y as u16,
                    width: width as u16,
                    height: height as u16,
                }),
            }
            is_open = true;
        }
    }
    parts
}

/// An update: `size` first if the client shall change the screen's size, then the parts.
pub(super) fn encode(
    frame: &Frame,
    is_new_size: bool,
    parts: &[Rectangle],
    abilities: &Abilities,
    zrle: &mut Zrle,
) -> Vec<u8> {
    let count = (parts.len() + usize::from(is_new_size)) as u16;
    let mut bytes = vec![0, 0];
    bytes.extend(count.to_be_bytes());
    if is_new_size {
        let size = Rectangle {
            x: 0,
            y: 0,
            width: frame.width as u16,
            height: frame.height as u16,
        };
        header(size, ENCODING_DESKTOP_SIZE, &mut bytes);
    }
    for &part in parts {
        if abilities.has_zrle {
            header(part, ENCODING_ZRLE, &mut bytes);
            zrle.encode(frame, part, &abilities.format, &mut bytes);
        } else {
            header(part, ENCODING_RAW, &mut bytes);
            let top = usize::from(part.y);
            for line in top..top + usize::from(part.height) {
                let at = line * frame.width + usize::from(part.x);
                let pixels = &frame.pixels[at..at + usize::from(part.width)];
                abilities.format.put_all(pixels, &mut bytes);
            }
        }
    }
    bytes
}

fn header(area: Rectangle, encoding: i32, to: &mut Vec<u8>) {
    for field in [area.x, area.y, area.width, area.height] {
        to.extend(field.to_be_bytes());
    }
    to.extend(encoding.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_tiles_beside_each_other_are_one_part() {
        let before = Frame {
            width: 200,
            height: 100,
            pixels: vec![0; 200 * 100],
        };
        assert!(changes(Some(&before), &before).is_empty());
        let mut now = before.clone();
        for (x, y) in [(70, 0), (130, 63), (199, 99)] {
            now.pixels[y * 200 + x] = 1;
        }
        let part = |x, y, width, height| Rectangle {
            x,
            y,
            width,
            height,
        };
        assert_eq!(
            changes(Some(&before), &now),
            [part(64, 0, 128, 64), part(192, 64, 8, 36)]
        );
        let all = [part(0, 0, 200, 64), part(0, 64, 200, 36)];
        assert_eq!(changes(None, &now), all);
        assert_eq!(changes(Some(&Frame::default()), &now), all);
    }
}
