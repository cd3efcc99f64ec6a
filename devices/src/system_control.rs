//! The wires that several chips pull together: the A20 gate and reset.
//!
//! The keyboard controller's output port and port 92h set and show one A20
//! gate: whoever wrote last has decided. The keyboard controller, port 92h and
//! the reset control register can reset the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// How much a reset resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResetKind {
    /// INIT of the processor alone; chips and memory keep their state.
    Processor,
    /// The processor and every chip.
    System,
    /// As switched off and on again.
    PowerCycle,
}

/// The A20 and reset wires. Clones are the same wires.
#[derive(Clone, Debug, Default)]
pub struct SystemLines {
    wires: Arc<Wires>,
}

#[derive(Debug, Default)]
struct Wires {
    a20: AtomicBool,
    /// The strongest reset asked for: 0, or `ResetKind` + 1.
    reset: AtomicU8,
}

impl SystemLines {
    /// Wires with A20 low and no reset asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether address line 20 is passed on.
    #[must_use]
    pub fn a20(&self) -> bool {
        self.wires.a20.load(Ordering::Acquire)
    }

    /// Whether a reset was asked for and not taken.
    #[must_use]
    pub fn reset_requested(&self) -> bool {
        self.wires.reset.load(Ordering::Acquire) != 0
    }

    /// The strongest reset asked for since this was last called.
    #[must_use]
    pub fn take_reset_request(&self) -> Option<ResetKind> {
        if self.wires.reset.load(Ordering::Acquire) == 0 {
            return None;
        }
        match self.wires.reset.swap(0, Ordering::AcqRel) {
            0 => None,
            1 => Some(ResetKind::Processor),
            2 => Some(ResetKind::System),
            _ => Some(ResetKind::PowerCycle),
        }
    }

    /// Asks for a reset.
    pub fn request_reset(&self, kind: ResetKind) {
        let code = match kind {
            ResetKind::Processor => 1,
            ResetKind::System => 2,
            ResetKind::PowerCycle => 3,
        };
        self.wires.reset.fetch_max(code, Ordering::AcqRel);
    }

    /// Passes address line 20 on, or holds it low.
    pub fn set_a20(&self, passed_on: bool) {
        self.wires.a20.store(passed_on, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::{ResetKind, SystemLines};

    #[test]
    fn whoever_wrote_last_has_decided_about_a20() {
        let lines = SystemLines::new();
        assert!(!lines.a20());
        let other_chip = lines.clone();
        lines.set_a20(true);
        assert!(other_chip.a20());
        other_chip.set_a20(false);
        assert!(!lines.a20());
    }

    #[test]
    fn the_strongest_reset_wins_and_is_taken_once() {
        let lines = SystemLines::new();
        lines.request_reset(ResetKind::System);
        lines.request_reset(ResetKind::Processor);
        assert_eq!(lines.take_reset_request(), Some(ResetKind::System));
        assert_eq!(lines.take_reset_request(), None);
    }
}
