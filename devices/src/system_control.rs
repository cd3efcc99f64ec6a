//! The wires that several chips pull together: the A20 gate and reset.
//!
//! A20 is one latch, which the keyboard controller and port 92h both set and
//! both show, as chipsets have it that watch the keyboard controller's commands.
//! Either source, or the reset control register, can reset the machine.

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

    /// Passes address line 20 on, or not: who says so last, decides.
    pub fn set_a20(&self, high: bool) {
        self.wires.a20.store(high, Ordering::Release);
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
}

#[cfg(test)]
mod tests {
    use super::{ResetKind, SystemLines};

    #[test]
    fn a20_is_as_it_was_set_last() {
        let lines = SystemLines::new();
        assert!(!lines.a20());
        let same = lines.clone();
        lines.set_a20(true);
        same.set_a20(true);
        assert!(lines.a20());
        same.set_a20(false);
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
