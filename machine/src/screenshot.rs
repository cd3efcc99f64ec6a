//! Pictures of the screen as PNG files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use rax_devices::Frame;

/// What a screen that shows nothing at all is drawn as.
const DARK: (usize, usize) = (720, 400);

/// Writes a picture as PNG.
///
/// # Errors
/// When it cannot be written.
pub fn write_png(frame: &Frame, to: impl Write) -> io::Result<()> {
    let dark = Frame {
        width: DARK.0,
        height: DARK.1,
        pixels: vec![0; DARK.0 * DARK.1],
    };
    let is_empty = frame.width == 0 || frame.height == 0;
    let frame = if is_empty { &dark } else { frame };
    // A frame is at most some thousand pixels wide and high.
    let mut encoder = png::Encoder::new(to, frame.width as u32, frame.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut bytes = Vec::with_capacity(frame.pixels.len() * 3);
    for pixel in &frame.pixels {
        let [blue, green, red, _] = pixel.to_le_bytes();
        bytes.extend([red, green, blue]);
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&bytes)?;
    writer.finish()?;
    Ok(())
}

/// Makes a PNG file.
///
/// # Errors
/// When it cannot be made or written.
pub fn save_png(frame: &Frame, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write_png(frame, &mut file)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, pixels)
    }

    #[test]
    fn pixels_come_back_as_they_were() {
        let frame = Frame {
            width: 2,
            height: 1,
            pixels: vec![0x12_3456, 0xff_0001],
        };
        let mut bytes = Vec::new();
        write_png(&frame, &mut bytes).unwrap();
        let expected = (2, 1, vec![0x12, 0x34, 0x56, 0xff, 0, 1]);
        assert_eq!(decode(&bytes), expected);
    }

    #[test]
    fn a_screen_that_is_off_is_black() {
        let mut bytes = Vec::new();
        write_png(&Frame::default(), &mut bytes).unwrap();
        let (width, height, pixels) = decode(&bytes);
        assert_eq!((width, height), (720, 400));
        assert!(pixels.iter().all(|&part| part == 0));
    }
}
