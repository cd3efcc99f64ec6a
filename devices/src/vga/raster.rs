//! What a program changes while the picture is scanned: palettes, panning, fonts, split screens from line to line.
//!
//! The adapter itself remembers none of this, the monitor shows it. So each write that the picture depends on is noted
//! with its scan line, and the picture is made by writing the same again as the lines go by. Two frames in a row must
//! have such writes: a palette that is loaded once is taken to have been there from the top.

use std::sync::Arc;

use super::Vga;
use super::attribute::Attribute;
use super::crtc::Crtc;
use super::dac::Dac;
use super::graphics::Graphics;
use super::sequencer::Sequencer;
use crate::time::Time;

/// How many writes of a frame are noted. A program that needs more draws nothing that a monitor could show.
const MAX_WRITES: usize = 1 << 15;

/// All that the picture depends on besides the memory.
#[derive(Clone, Debug)]
struct Registers {
    sequencer: Sequencer,
    graphics: Graphics,
    attribute: Attribute,
    crtc: Crtc,
    dac: Dac,
}

/// What happened at a scan line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// A register was written.
    Write { register: u8, value: u8 },
    /// The attribute controller expects an index again.
    FlipFlopReset,
}

/// What happened while a frame was displayed.
#[derive(Clone, Debug)]
struct FrameLog {
    number: u64,
    /// The registers before the first of the events.
    start: Registers,
    /// Scan lines and events, in order.
    events: Vec<(usize, Event)>,
}

/// The frames of which something was noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Raster {
    /// What [`Vga::timing`] said; with another one frames are counted anew.
    timing: (u64, u64),
    /// The last one is at the end.
    frames: Vec<Arc<FrameLog>>,
}

impl Raster {
    /// The frame of this number, if its writes are known.
    fn frame(&self, number: u64) -> Option<&Arc<FrameLog>> {
        let frame = self.frames.iter().find(|frame| frame.number == number)?;
        (frame.events.len() < MAX_WRITES).then_some(frame)
    }
}

/// The writes of a frame that is drawn again.
pub(super) struct Replay {
    log: Arc<FrameLog>,
    next: usize,
}

impl Replay {
    /// Repeats what happened up to this scan line; whether anything did.
    pub(super) fn run_to(&mut self, vga: &mut Vga, line: usize) -> bool {
        let before = self.next;
        while let Some(&(at, event)) = self.log.events.get(self.next)
            && at <= line
        {
            match event {
                // It was a register of this chip the first time.
                Event::Write { register, value } => {
                    let _ = vga.write_port(u64::from(register), value);
                }
                Event::FlipFlopReset => vga.attribute.reset_flip_flop(),
            }
            self.next += 1;
        }
        self.next != before
    }
}

impl Vga {
    /// Notes a write, before it is carried out, if it falls in a displayed line and matters to the picture.
    pub(super) fn note_write(&mut self, register: u64, value: u8, now: Time) {
        let [index_port, index] = match register {
            0x15 if matches!(self.sequencer.index, 1 | 3) => [0x14, self.sequencer.index],
            0x1f if self.graphics.changes_picture(value) => [0x1e, self.graphics.index],
            0x25 | 0x05 if self.is_addressed(register) && self.crtc.index_is_scanned() => {
                [register as u8 - 1, self.crtc.index]
            }
            0x10 | 0x11 | 0x16..=0x19 => return self.note(&[(register as u8, value)], now),
            _ => return,
        };
        self.note(&[(index_port, index), (register as u8, value)], now);
    }

    /// Notes that the attribute controller's flip-flop is reset.
    pub(super) fn note_flip_flop_reset(&mut self, now: Time) {
        if self.attribute.expects_data()
            && !self.raster.frames.is_empty()
            && let Some(line) = self.displayed_line(now)
        {
            let number = self.frame_number(now);
            if let Some(frame) = self.raster.frames.last_mut()
                && frame.number == number
            {
                Arc::make_mut(frame)
                    .events
                    .push((line, Event::FlipFlopReset));
            }
        }
    }

    fn note(&mut self, writes: &[(u8, u8)], now: Time) {
        let Some(line) = self.displayed_line(now) else {
            return;
        };
        let (number, timing) = (self.frame_number(now), self.timing());
        if self.raster.timing != timing {
            self.raster.timing = timing;
            self.raster.frames.clear();
        }
        if self
            .raster
            .frames
            .last()
            .is_none_or(|frame| frame.number != number)
        {
            // The one that is shown, and the one before it.
            self.raster
                .frames
                .retain(|frame| frame.number + 2 >= number && frame.number < number);
            let log = FrameLog {
                number,
                start: self.registers_now(),
                events: Vec::new(),
            };
            self.raster.frames.push(Arc::new(log));
        }
        if let Some(frame) = self.raster.frames.last_mut()
            && frame.events.len() < MAX_WRITES
        {
            let events = writes
                .iter()
                .map(|&(register, value)| (line, Event::Write { register, value }));
            Arc::make_mut(frame).events.extend(events);
        }
    }

    /// The scan line that is displayed at a time, if any is.
    fn displayed_line(&self, now: Time) -> Option<usize> {
        let (frame_ns, line_ns) = self.timing();
        let line = now.0.checked_rem(frame_ns)?.checked_div(line_ns)? as usize;
        (self.vbe.screen().is_none() && line < self.crtc.display_lines()).then_some(line)
    }

    fn registers_now(&self) -> Registers {
        Registers {
            sequencer: self.sequencer.clone(),
            graphics: self.graphics.clone(),
            attribute: self.attribute.clone(),
            crtc: self.crtc.clone(),
            dac: self.dac.clone(),
        }
    }

    /// Whether the last whole frame before this time changed while it was displayed, as the one before it did.
    pub(super) fn changes_in_frame(&self, now: Time) -> bool {
        self.shown_log(now).is_some()
    }

    fn shown_log(&self, now: Time) -> Option<&Arc<FrameLog>> {
        if self.raster.frames.is_empty() || self.raster.timing != self.timing() {
            return None;
        }
        let number = self.frame_number(now);
        self.raster.frame(number.checked_sub(2)?)?;
        self.raster.frame(number - 1)
    }

    /// The adapter at the top of the last whole frame, and what is to happen to it as its lines go by; none if all
    /// lines are alike.
    pub(super) fn replay(&self, now: Time) -> Option<(Self, Replay)> {
        let log = self.shown_log(now)?;
        let mut vga = self.copy();
        let start = log.start.clone();
        vga.sequencer = start.sequencer;
        vga.graphics = start.graphics;
        vga.attribute = start.attribute;
        vga.crtc = start.crtc;
        vga.dac = start.dac;
        let replay = Replay {
            log: Arc::clone(log),
            next: 0,
        };
        Some((vga, replay))
    }
}
