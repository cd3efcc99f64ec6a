//! The picture: what a monitor would show, made from registers and memory.
//!
//! A frame is made at once when somebody looks, from the registers as they are, or
//! as they were at each scan line if a program changes them as the beam goes.

use super::Vga;
use super::attribute::ModeControl;
use super::crtc::Crtc;
use super::graphics::ShiftMode;
use super::memory::cell;
use super::sequencer::ClockingMode;

/// The bytes of the four planes.
const PLANES_BYTES: usize = 0x4_0000;

/// The bits of each byte as eight bytes, the highest bit first.
const SPREAD: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte] |= (byte as u64 >> (7 - bit) & 1) << (8 * bit);
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// A picture in the proportions of the screen. Where all pixels last two dots and two lines, they are there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Pixels in a line.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// Line by line, `0x00RRGGBB`.
    pub pixels: Vec<u32>,
}

/// A screen of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextScreen {
    /// Characters in a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Row by row: character (code page 437 by custom) and attribute.
    pub cells: Vec<(u8, u8)>,
    /// Column and row of the cursor, if it is on and on the screen.
    pub cursor: Option<(usize, usize)>,
    /// The sixteen colours of attributes, `0x00RRGGBB`.
    pub colors: [u32; 16],
    /// Attribute bit 7 blinks, else it is a brighter background.
    pub blinks: bool,
}

impl TextScreen {
    /// One row's characters as text, without the blanks behind them.
    #[must_use]
    pub fn row(&self, row: usize) -> String {
        let start = row.saturating_mul(self.columns);
        let cells = self.cells.get(start..).unwrap_or_default();
        let text: String = cells
            .iter()
            .take(self.columns)
            .map(|&(character, _)| super::code_page::character(character))
            .collect();
        text.trim_end().to_owned()
    }

    /// All rows, one to a line.
    #[must_use]
    pub fn text(&self) -> String {
        let rows: Vec<_> = (0..self.rows).map(|row| self.row(row)).collect();
        rows.join("\n")
    }
}

/// What a scan line is made from.
pub(super) struct Line {
    /// The address counter at its left.
    pub(super) counter: usize,
    /// Which line of its row it is.
    row_line: usize,
    /// By how many dots it is panned to the left.
    pub(super) panning: usize,
    /// Its character clocks: one more than fit, for panning.
    pub(super) cells: usize,
}

/// Where the scan is.
pub(super) struct Beam {
    /// The address counter at the left of the line.
    counter: usize,
    row_line: usize,
    /// Below a split that does not pan.
    is_still: bool,
}

impl Beam {
    fn top(crtc: &Crtc) -> Self {
        Self {
            counter: crtc.start_address() + crtc.byte_panning(),
            row_line: crtc.preset_row_scan(),
            is_still: false,
        }
    }

    /// At the left of a scan line, if registers stay as they are from the top on.
    pub(super) fn at_line(vga: &Vga, line: usize) -> Self {
        let crtc = &vga.crtc;
        let (mut beam, mut first) = (Self::top(crtc), 0);
        if line > crtc.line_compare() {
            first = crtc.line_compare() + 1;
            beam.advance(vga, crtc.line_compare());
        }
        let steps = if crtc.is_double_scan() {
            line / 2 - first / 2
        } else {
            line - first
        };
        if steps != 0 {
            let lines = beam.row_line.min(crtc.row_lines() - 1) + steps;
            beam.counter += lines / crtc.row_lines() * crtc.row_offset();
            beam.row_line = lines % crtc.row_lines();
        }
        beam
    }

    pub(super) fn line(&self, vga: &Vga) -> Line {
        Line {
            counter: self.counter,
            row_line: self.row_line,
            panning: if self.is_still { 0 } else { vga.panning() },
            cells: vga.crtc.columns() + 1,
        }
    }

    /// Goes from a scan line to the next one, as the address counter does.
    fn advance(&mut self, vga: &Vga, line: usize) {
        let crtc = &vga.crtc;
        if line == crtc.line_compare() {
            (self.counter, self.row_line) = (0, 0);
            let mode = vga.attribute.mode();
            self.is_still |= mode.contains(ModeControl::SPLIT_KEEPS_STILL);
            return;
        }
        if crtc.is_double_scan() && line.is_multiple_of(2) {
            return;
        }
        self.row_line += 1;
        if self.row_line >= crtc.row_lines() {
            self.row_line = 0;
            self.counter += crtc.row_offset();
        }
    }
}

/// What is the same for all lines until a register changes.
struct Ink {
    rgb: Vec<u32>,
    /// The sixteen colours of the planes.
    colors: [u32; 16],
}

impl Ink {
    fn of(vga: &Vga, now: crate::Time) -> Self {
        let rgb = vga.dac.rgb();
        let colors = vga.colors(now).map(|entry| rgb[usize::from(entry)]);
        Self { rgb, colors }
    }
}

impl Vga {
    /// Whether characters are shown, else pixels.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.vbe.screen().is_none() && !self.graphics.is_graphics()
    }

    /// The picture on the screen at a time.
    #[must_use]
    pub fn frame(&self, now: crate::Time) -> Frame {
        if let Some(screen) = self.vbe.screen() {
            return self.linear_frame(&screen);
        }
        // If registers changed from line to line, then another adapter is led through the same once more.
        let mut replayed = self.replay(now);
        let top = replayed.as_ref().map_or(self, |(vga, _)| vga);
        let lines = top.crtc.display_lines();
        let (across, step) = top.shape();
        let width = top.crtc.columns() * top.dots();
        let mut frame = Frame {
            width: width * across,
            height: lines.div_ceil(step),
            pixels: Vec::new(),
        };
        let mut planes = vec![0; PLANES_BYTES];
        self.memory.read(0, &mut planes);
        let planes = planes.as_chunks().0;
        frame.pixels.reserve(frame.width * frame.height);
        let mut ink = Ink::of(top, now);
        let mut beam = Beam::top(&top.crtc);
        for number in 0..lines {
            if let Some((vga, replay)) = &mut replayed
                && replay.run_to(vga, number)
            {
                ink = Ink::of(vga, now);
            }
            let vga = replayed.as_ref().map_or(self, |(vga, _)| vga);
            if number.is_multiple_of(step) {
                let mut dots = vga.line_dots(planes, &beam.line(vga), now, &ink);
                dots.resize(frame.width / across, 0);
                if across == 1 {
                    frame.pixels.extend(dots);
                } else {
                    let repeat = |dot| std::iter::repeat_n(dot, across);
                    frame.pixels.extend(dots.into_iter().flat_map(repeat));
                }
            }
            beam.advance(vga, number);
        }
        frame
    }

    /// The dots of a line; none if nothing is shown.
    fn line_dots(&self, planes: &[[u8; 4]], line: &Line, now: crate::Time, ink: &Ink) -> Vec<u32> {
        let mut dots = Vec::with_capacity(self.dots() * line.cells);
        if self.shows_anything() {
            let fetch = |at| planes[at / 4];
            if !self.graphics.is_graphics() {
                self.text_line(&fetch, line, now, &ink.colors, &mut dots);
            } else if self.graphics.shift_mode() == ShiftMode::Bytes {
                let color = |dot| ink.rgb[usize::from(dot)];
                self.byte_line(&fetch, line, color, &mut dots);
            } else {
                self.planar_line(&fetch, line, &ink.colors, &mut dots);
            }
            dots.drain(..line.panning.min(dots.len()));
        }
        dots
    }

    /// The characters on the screen, in a text mode.
    #[must_use]
    pub fn text_screen(&self) -> Option<TextScreen> {
        if !self.is_text() {
            return None;
        }
        let columns = self.crtc.columns();
        let double = if self.crtc.is_double_scan() { 2 } else { 1 };
        let rows = self.crtc.display_lines() / (self.crtc.row_lines() * double);
        let mut planes = vec![0; PLANES_BYTES];
        self.memory.read(0, &mut planes);
        let cursor = self.crtc.cursor();
        let mut screen = TextScreen {
            columns,
            rows,
            blinks: self.attribute.mode().contains(ModeControl::BLINK),
            ..TextScreen::default()
        };
        let rgb = self.dac.rgb();
        let palette = self.attribute.palette(0);
        screen.colors = palette.map(|entry| rgb[usize::from(entry)]);
        for row in 0..rows {
            let left = self.crtc.start_address() + row * self.crtc.row_offset();
            for column in 0..columns {
                let counter = left + column;
                if cursor.lines.is_some() && cursor.address == counter & 0xffff {
                    screen.cursor = Some((column, row));
                }
                let at = cell(self.crtc.plane_address(counter, 0));
                screen.cells.push((planes[at], planes[at + 1]));
            }
        }
        Some(screen)
    }

    /// Dots of a character clock, as they are shown.
    pub(super) fn dots(&self) -> usize {
        if !self.graphics.is_graphics()
            && !self.sequencer.clocking().contains(ClockingMode::EIGHT_DOTS)
        {
            9
        } else if self.graphics.is_graphics() && self.graphics.shift_mode() == ShiftMode::Bytes {
            4
        } else {
            8
        }
    }

    /// How often each pixel stands beside itself in the frame, and how many scan lines become one line of it: what a
    /// pixel is wide and high on the screen, without what both have in common.
    fn shape(&self) -> (usize, usize) {
        let (wide, high) = (self.dots_of_pixel(), self.lines_of_pixel());
        let common = if wide == 4 && high.is_multiple_of(4) {
            4
        } else if wide >= 2 && high.is_multiple_of(2) {
            2
        } else {
            1
        };
        (wide / common, common)
    }

    /// How many dots are alike. Pixels of 256 colours last two clocks.
    fn dots_of_pixel(&self) -> usize {
        let clocking = self.sequencer.clocking();
        let is_halved = clocking.contains(ClockingMode::DOT_CLOCK_HALVED);
        let is_bytes =
            self.graphics.is_graphics() && self.graphics.shift_mode() == ShiftMode::Bytes;
        (1 << u8::from(is_halved)) << u8::from(is_bytes)
    }

    /// How many scan lines are alike.
    fn lines_of_pixel(&self) -> usize {
        let double = if self.crtc.is_double_scan() { 2 } else { 1 };
        let is_repeated = self.graphics.is_graphics() && !self.crtc.rows_are_interleaved();
        let lines = if is_repeated {
            self.crtc.row_lines()
        } else {
            1
        };
        double * lines
    }

    pub(super) fn shows_anything(&self) -> bool {
        self.crtc.is_running()
            && self.attribute.is_screen_on()
            && !self.sequencer.clocking().contains(ClockingMode::SCREEN_OFF)
    }

    /// The palette's entries for the sixteen colours of the planes. Where pixels blink, the intensity plane comes and
    /// goes (IBM Enhanced Graphics Adapter, mode 0Fh).
    pub(super) fn colors(&self, now: crate::Time) -> [u8; 16] {
        let blinks =
            self.graphics.is_graphics() && self.attribute.mode().contains(ModeControl::BLINK);
        let is_toggled = blinks && self.frame_number(now) & 16 != 0;
        self.attribute.palette(if is_toggled { 8 } else { 0 })
    }

    fn panning(&self) -> usize {
        let panning = self.attribute.panning();
        match self.dots() {
            // Nine dots: 8 is none, 0 is one.
            9 => {
                if panning >= 8 {
                    0
                } else {
                    panning + 1
                }
            }
            4 => (panning & 7) / 2,
            _ => panning & 7,
        }
    }

    /// Characters from the left of a line on. `fetch` gives the four planes' bytes at a [`cell`].
    pub(super) fn text_line(
        &self,
        fetch: &impl Fn(usize) -> [u8; 4],
        line: &Line,
        now: crate::Time,
        colors: &[u32; 16],
        dots: &mut Vec<u32>,
    ) {
        let mode = self.attribute.mode();
        let fonts = self.sequencer.fonts();
        let frame_number = self.frame_number(now);
        let cursor = self.crtc.cursor();
        let cursor_here = cursor.lines.is_some_and(|(first, last)| {
            (first..=last).contains(&line.row_line) && frame_number & 8 == 0
        });
        let width = self.dots();
        for counter in line.counter..line.counter + line.cells {
            let at = cell(self.crtc.plane_address(counter, line.row_line));
            let [character, attribute, ..] = fetch(at);
            let font = fonts[usize::from(attribute & 8 == 0)];
            let glyph = font + usize::from(character) * 32 + line.row_line;
            let mut bits = fetch(cell(glyph & 0xffff))[2];
            let (mut ink, mut paper) = (attribute & 15, attribute >> 4);
            if mode.contains(ModeControl::BLINK) {
                paper &= 7;
                if attribute & 0x80 != 0 && frame_number & 16 != 0 {
                    bits = 0;
                }
            }
            if mode.contains(ModeControl::MONOCHROME)
                && attribute & 7 == 1
                && line.row_line == self.crtc.underline_line()
            {
                bits = 0xff;
            }
            if cursor_here && counter & 0xffff == cursor.address {
                paper = ink;
            }
            if attribute & 0x77 == 0x70 && mode.contains(ModeControl::MONOCHROME) {
                ink &= 8;
            }
            let [ink, paper] = [ink, paper].map(|color| colors[usize::from(color & 15)]);
            let mut cell = [paper; 9];
            for (bit, dot) in cell[..8].iter_mut().enumerate() {
                if bits << bit & 0x80 != 0 {
                    *dot = ink;
                }
            }
            let is_line = mode.contains(ModeControl::LINE_GRAPHICS) && character & 0xe0 == 0xc0;
            if is_line && bits & 1 != 0 {
                cell[8] = ink;
            }
            dots.extend_from_slice(&cell[..width]);
        }
    }

    /// The same with pixels of four planes.
    pub(super) fn planar_line(
        &self,
        fetch: &impl Fn(usize) -> [u8; 4],
        line: &Line,
        colors: &[u32; 16],
        dots: &mut Vec<u32>,
    ) {
        let is_interleaved = self.graphics.shift_mode() == ShiftMode::Interleaved;
        for counter in line.counter..line.counter + line.cells {
            let at = cell(self.crtc.plane_address(counter, line.row_line));
            let [a, b, c, d] = fetch(at);
            let eight = if is_interleaved {
                let pair = |byte: u8, shift: usize| byte >> shift & 3;
                std::array::from_fn(|dot| {
                    let (low, high) = if dot < 4 { (a, c) } else { (b, d) };
                    let shift = 6 - 2 * (dot % 4);
                    pair(low, shift) | pair(high, shift) << 2
                })
            } else {
                let spread = |byte: u8| SPREAD[usize::from(byte)];
                (spread(a) | spread(b) << 1 | spread(c) << 2 | spread(d) << 3).to_le_bytes()
            };
            dots.extend(eight.map(|color| colors[usize::from(color & 15)]));
        }
    }

    /// 256 colours: a byte of each plane by turns, past the sixteen colours.
    pub(super) fn byte_line(
        &self,
        fetch: &impl Fn(usize) -> [u8; 4],
        line: &Line,
        color: impl Fn(u8) -> u32,
        dots: &mut Vec<u32>,
    ) {
        for counter in line.counter..line.counter + line.cells {
            let at = cell(self.crtc.plane_address(counter, line.row_line));
            dots.extend(fetch(at).map(&color));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Beam;
    use crate::conformance::Probe;
    use crate::vga::{PlainVideoMemory, Vga};

    proptest! {
        #[test]
        fn the_beam_is_found_at_any_line(
            preset in 0..32u8,
            maximum in any::<u8>(),
            overflow in any::<u8>(),
            compare in any::<u8>(),
            still in any::<bool>(),
        ) {
            let mut vga = Vga::new(Box::new(PlainVideoMemory::new(0)));
            let mut probe = Probe::new(&mut vga);
            probe.write(0x12, 1);
            let crtc = [(8, preset), (9, maximum), (0x18, compare), (0xc, 1), (0x13, 40)];
            for (index, value) in crtc.into_iter().chain([(7, overflow)]) {
                probe.write(0x24, index);
                probe.write(0x25, value);
            }
            probe.read(0x2a);
            probe.write(0x10, 0x10);
            probe.write(0x10, u8::from(still) << 5);
            let mut beam = Beam::top(&vga.crtc);
            for line in 0..1024 {
                let found = Beam::at_line(&vga, line);
                prop_assert_eq!(
                    (found.counter, found.row_line, found.is_still),
                    (beam.counter, beam.row_line, beam.is_still)
                );
                beam.advance(&vga, line);
            }
        }
    }
}
