//! What programs that test the adapter see of the picture: two bits of the colour that is sent to the monitor now (IBM
//! VGA, "Color Plane Enable Register", bits 4 and 5; "Input Status Register 1", bits 4 and 5).

use super::Vga;
use super::graphics::ShiftMode;
use super::render::Beam;
use crate::time::Time;

impl Vga {
    /// Bits 4 and 5 of Input Status Register 1: two of the eight that the attribute controller sends now.
    pub(super) fn video_feedback(&self, now: Time) -> u8 {
        let color = self.color_at(now);
        let bit = |number: u32| color >> number & 1;
        let [high, low] = match self.attribute.video_status() {
            0 => [2, 0],
            1 => [5, 4],
            2 => [3, 1],
            _ => [7, 6],
        };
        bit(high) << 5 | bit(low) << 4
    }

    /// What the attribute controller sends at a time.
    fn color_at(&self, now: Time) -> u8 {
        let Some((line, character, dot)) = self.beam_at(now) else {
            return 0;
        };
        if self.crtc.is_blanked(character, line) || !self.shows_anything() {
            0
        } else if character < self.crtc.columns() && line < self.crtc.display_lines() {
            self.color_of(now, line, character, dot)
        } else {
            self.attribute.overscan()
        }
    }

    /// The scan line, the character clock, and the part of it in 256ths, if there are lines at all.
    fn beam_at(&self, now: Time) -> Option<(usize, usize, u64)> {
        if self.vbe.screen().is_some() {
            return None;
        }
        let (frame_ns, line_ns) = self.timing();
        let in_frame = now.0.checked_rem(frame_ns)?;
        let line = in_frame.checked_div(line_ns)?;
        let total = self.crtc.horizontal_total() as u64;
        let place = in_frame % line_ns * total * 256 / line_ns;
        Some((line as usize, (place >> 8) as usize, place & 0xff))
    }

    /// What is displayed there, found as the whole picture's lines are.
    fn color_of(&self, now: Time, line: usize, character: usize, part: u64) -> u8 {
        let width = self.dots();
        let mut at = Beam::at_line(self, line).line(self);
        let dot = ((part as usize * width) >> 8) + at.panning;
        at.counter += character + dot / width;
        at.cells = 1;
        let fetch = |at| {
            let mut planes = [0; 4];
            self.memory.read(at, &mut planes);
            planes
        };
        let mut dots = Vec::with_capacity(9);
        let colors = self.colors(now).map(u32::from);
        if !self.graphics.is_graphics() {
            self.text_line(&fetch, &at, now, &colors, &mut dots);
        } else if self.graphics.shift_mode() == ShiftMode::Bytes {
            self.byte_line(&fetch, &at, u32::from, &mut dots);
        } else {
            self.planar_line(&fetch, &at, &colors, &mut dots);
        }
        dots.get(dot % width).map_or(0, |&color| color as u8)
    }
}
