//! The wires that several chips pull together: the A20 gate and reset.
//!
//! On PC chipsets A20 is the OR of the keyboard controller's output port and
//! of port 92h (Intel PIIX, A20GATE and FAST_A20), and either source, or the
//! reset control register, can reset the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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

bitflags::bitflags! {
    #[derive(Clone, Copy)]
    struct A20Sources: u8 {
        const KEYBOARD_CONTROLLER = 1;
        const PORT_92 = 2;
    }
}

/// The A20 and reset wires. Clones are the same wires.
#[derive(Clone, Debug, Default)]
pub struct SystemLines {
    wires: Arc<Wires>,
}

#[derive(Debug, Default)]
struct Wires {
    a20: AtomicU8,
    /// The strongest reset asked for: 0, or `ResetKind` + 1.
    reset: AtomicU8,
}

impl SystemLines {
    /// Wires with A20 low and no reset asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether address line 20 is passed on: the OR of its sources.
    #[must_use]
    pub fn a20(&self) -> bool {
        self.wires.a20.load(Ordering::Acquire) != 0
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

    /// The keyboard controller's share of A20.
    pub fn set_keyboard_a20(&self, high: bool) {
        self.set_a20(A20Sources::KEYBOARD_CONTROLLER, high);
    }

    /// Port 92h's share of A20.
    pub fn set_port92_a20(&self, high: bool) {
        self.set_a20(A20Sources::PORT_92, high);
    }

    fn set_a20(&self, source: A20Sources, high: bool) {
        if high {
            self.wires.a20.fetch_or(source.bits(), Ordering::AcqRel);
        } else {
            self.wires.a20.fetch_and(!source.bits(), Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ResetKind, SystemLines};

    #[test]
    fn a20_is_high_while_any_source_holds_it() {
        let lines = SystemLines::new();
        assert!(!lines.a20());
        lines.set_keyboard_a20(true);
        lines.set_port92_a20(true);
        lines.set_keyboard_a20(false);
        assert!(lines.a20());
        lines.set_port92_a20(false);
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
