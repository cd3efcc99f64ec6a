//! The interrupt at the beginning of the vertical retrace (IBM VGA, "Vertical Retrace End Register", bits 4 and 5, and
//! "Input Status Register 0", bit 7).
//!
//! Bit 4 of the register holds a latch clear while it is 0; while it is 1, the next retrace sets the latch. Bit 5 keeps
//! the latch off the interrupt line.

use serde::{Deserialize, Serialize};

use super::Vga;
use crate::irq_line::IrqLine;
use crate::time::Time;

/// The latch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VerticalInterrupt {
    /// The retrace that sets it, or did; none while it is held clear.
    due: Option<Time>,
    /// The line is high.
    is_raised: bool,
}

impl Vga {
    /// The same adapter with its interrupt.
    #[must_use]
    pub fn with_interrupt(mut self, line: IrqLine) -> Self {
        self.interrupt = Some(line);
        self
    }

    /// When a vertical retrace next begins.
    fn next_retrace(&self, now: Time) -> Option<Time> {
        let (frame_ns, line_ns) = self.timing();
        let start_ns = self.crtc.vertical_retrace().start as u64 * line_ns;
        if start_ns >= frame_ns {
            return None;
        }
        let in_this_frame = now.0 - now.0 % frame_ns + start_ns;
        Some(Time(if in_this_frame > now.0 {
            in_this_frame
        } else {
            in_this_frame.saturating_add(frame_ns)
        }))
    }

    /// Whether a retrace has come since the latch was last held clear.
    pub(super) fn has_vertical_interrupt(&self, now: Time) -> bool {
        self.vertical_interrupt.due.is_some_and(|due| due <= now)
    }

    /// A register that retraces depend on may have been written.
    pub(super) fn follow_retrace(&mut self, now: Time) {
        if self.crtc.clears_interrupt() {
            self.vertical_interrupt.due = None;
        } else if !self.has_vertical_interrupt(now) {
            self.vertical_interrupt.due = self.next_retrace(now);
        }
        self.drive_interrupt(now);
    }

    /// Brings the line up to a time.
    pub(super) fn drive_interrupt(&mut self, now: Time) {
        let is_raised = self.has_vertical_interrupt(now) && !self.crtc.disables_interrupt();
        if is_raised != self.vertical_interrupt.is_raised {
            self.vertical_interrupt.is_raised = is_raised;
            if let Some(line) = &self.interrupt {
                line.set(is_raised);
            }
        }
    }

    /// When the line next rises by itself.
    pub(super) fn next_interrupt(&self) -> Option<Time> {
        let interrupt = &self.vertical_interrupt;
        let waits = !interrupt.is_raised && !self.crtc.disables_interrupt();
        interrupt.due.filter(|_| waits)
    }

    /// Takes a saved latch back; the line is as it was.
    pub(super) fn restore_interrupt(&mut self, saved: VerticalInterrupt) {
        self.vertical_interrupt = saved;
        if let Some(line) = &self.interrupt {
            line.restore(self.vertical_interrupt.is_raised);
        }
    }
}
