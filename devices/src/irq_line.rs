//! Interrupt wires, and what an edge-triggered controller must not miss of them.
//!
//! Chips drive levels; the controller looks now and then. A level alone would
//! lose a pulse that begins and ends between two looks, so each rising edge is
//! also kept in a sticky bit until the controller takes it. Chips that share a
//! wire pull it together: it is high while any of them holds it high.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Wires in a set.
const WIRES: usize = 32;
/// Controllers that may look at a set besides the first.
const MORE_CONTROLLERS: usize = 3;

/// A set of up to 32 interrupt wires.
#[derive(Debug, Default)]
pub struct IrqLines {
    levels: AtomicU32,
    /// Wires that rose since the first controller last took their edges.
    rises: AtomicU32,
    /// The same for each [`IrqInputs`].
    more_rises: [AtomicU32; MORE_CONTROLLERS],
    /// How many [`IrqInputs`] there are.
    more_controllers: AtomicU32,
    /// How often a driver has let go of a wire or pulled it.
    changes: AtomicU64,
    wires: [Wire; WIRES],
}

/// Who pulls a wire.
#[derive(Debug, Default)]
struct Wire {
    /// How many drivers are connected.
    drivers: AtomicU32,
    /// The drivers that hold it high, one bit each.
    holders: AtomicU32,
}

impl IrqLines {
    /// A set of wires, all low.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The level of every wire, wire 0 in bit 0.
    #[must_use]
    pub fn levels(&self) -> u32 {
        self.levels.load(Ordering::Acquire)
    }

    /// The wires that rose since their edges were last taken.
    #[must_use]
    pub fn rises(&self) -> u32 {
        self.rises.load(Ordering::Acquire)
    }

    /// A number that is another one whenever a wire may have moved.
    #[must_use]
    pub fn change_number(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Takes the rising edges of the wires in `mask`.
    #[must_use]
    pub fn take_rises(&self, mask: u32) -> u32 {
        // Almost always there are none, and a load is cheaper than an exchange.
        if self.rises() & mask == 0 {
            return 0;
        }
        self.rises.fetch_and(!mask, Ordering::AcqRel) & mask
    }

    /// Puts the untaken edges of the wires in `mask` back as they were saved.
    pub fn restore_rises(&self, mask: u32, rises: u32) {
        self.rises.fetch_and(!mask, Ordering::AcqRel);
        self.rises.fetch_or(rises & mask, Ordering::AcqRel);
    }
}

/// What a further controller sees of a set that another one looks at too.
///
/// Each controller must find every edge, whoever else took it before. The
/// first controller of a set looks at [`IrqLines`] itself.
#[derive(Debug)]
pub struct IrqInputs {
    lines: Arc<IrqLines>,
    index: usize,
}

impl IrqInputs {
    /// Connects a further controller to `lines`; a set takes three.
    #[must_use]
    pub fn new(lines: &Arc<IrqLines>) -> Self {
        let number = lines.more_controllers.fetch_add(1, Ordering::AcqRel) as usize;
        debug_assert!(number < MORE_CONTROLLERS, "a set has three of these");
        Self {
            lines: Arc::clone(lines),
            index: number.min(MORE_CONTROLLERS - 1),
        }
    }

    /// The level of every wire, wire 0 in bit 0.
    #[must_use]
    pub fn levels(&self) -> u32 {
        self.lines.levels()
    }

    /// The wires that rose since their edges were last taken here.
    #[must_use]
    pub fn rises(&self) -> u32 {
        self.memory().load(Ordering::Acquire)
    }

    /// Takes the rising edges of the wires in `mask`.
    #[must_use]
    pub fn take_rises(&self, mask: u32) -> u32 {
        if self.rises() & mask == 0 {
            return 0;
        }
        self.memory().fetch_and(!mask, Ordering::AcqRel) & mask
    }

    /// Puts the untaken edges back as they were saved.
    pub fn restore_rises(&self, rises: u32) {
        self.memory().store(rises, Ordering::Release);
    }

    fn memory(&self) -> &AtomicU32 {
        &self.lines.more_rises[self.index]
    }
}

/// A switch that cuts drivers off their wires. Clones are the same switch.
///
/// The HPET's legacy replacement route is one: while it is on, the 8254 and
/// the clock do not reach the interrupt controllers.
#[derive(Clone, Debug, Default)]
pub struct Cutoff {
    is_cut: Arc<AtomicBool>,
}

impl Cutoff {
    /// A switch that lets everything through.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts, or connects again; takes effect when a driver next speaks.
    pub fn set(&self, cut: bool) {
        self.is_cut.store(cut, Ordering::Release);
    }

    /// Whether drivers are cut off.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }
}

/// A driver of one interrupt wire. The board decides which.
///
/// Clones are the same driver; each call of [`IrqLine::new`] connects another.
#[derive(Clone, Debug)]
pub struct IrqLine {
    lines: Arc<IrqLines>,
    /// The wire's number.
    bit: u32,
    /// This driver's bit among the holders of the wire.
    driver: u32,
    /// What keeps it off the wire, if anything can.
    cutoff: Option<Cutoff>,
}

impl IrqLine {
    /// Connects a driver to wire number `bit`, below 32, of the set `lines`.
    #[must_use]
    pub fn new(lines: &Arc<IrqLines>, bit: u32) -> Self {
        debug_assert!((bit as usize) < WIRES, "a set has 32 wires");
        let bit = bit % WIRES as u32;
        let wire = &lines.wires[bit as usize];
        // From the 32nd on, drivers of one wire share a bit.
        let number = wire.drivers.fetch_add(1, Ordering::AcqRel).min(31);
        Self {
            lines: Arc::clone(lines),
            bit,
            driver: 1 << number,
            cutoff: None,
        }
    }

    /// The same driver, kept off its wire while `cutoff` cuts.
    #[must_use]
    pub fn through(self, cutoff: &Cutoff) -> Self {
        Self {
            cutoff: Some(cutoff.clone()),
            ..self
        }
    }

    /// Drives the wire high or low.
    pub fn set(&self, high: bool) {
        self.drive(high, true);
    }

    /// Drives the wire; a rise counts as an edge if `edges`.
    fn drive(&self, high: bool, edges: bool) {
        let high = high && !self.cutoff.as_ref().is_some_and(Cutoff::is_cut);
        let holders = &self.lines.wires[self.bit as usize].holders;
        // Chips call this on every access; nearly always nothing changes.
        if (holders.load(Ordering::Acquire) & self.driver != 0) == high {
            return;
        }
        self.lines.changes.fetch_add(1, Ordering::AcqRel);
        let mask = 1 << self.bit;
        if high {
            let before = holders.fetch_or(self.driver, Ordering::AcqRel);
            self.lines.levels.fetch_or(mask, Ordering::AcqRel);
            if before == 0 && edges {
                self.lines.rises.fetch_or(mask, Ordering::AcqRel);
                for rises in &self.lines.more_rises {
                    rises.fetch_or(mask, Ordering::AcqRel);
                }
            }
        } else {
            let before = holders.fetch_and(!self.driver, Ordering::AcqRel);
            if before & !self.driver == 0 {
                self.lines.levels.fetch_and(!mask, Ordering::AcqRel);
            }
        }
    }

    /// Makes the wire fall and rise, or rise and fall, leaving it at `high`.
    pub fn pulse(&self, high: bool) {
        self.set(false);
        self.set(true);
        self.set(high);
    }

    /// Puts the wire where a saved state had it, which is not an edge.
    ///
    /// Edges that were still untaken belong to the controller's state.
    pub fn restore(&self, high: bool) {
        self.drive(high, false);
    }

    /// Whether the wire is high, whoever holds it.
    #[must_use]
    pub fn level(&self) -> bool {
        self.lines.levels() & (1 << self.bit) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Cutoff, IrqInputs, IrqLine, IrqLines};

    #[test]
    fn a_short_pulse_leaves_its_edge_behind() {
        let lines = IrqLines::new();
        let wire = IrqLine::new(&lines, 4);
        wire.set(true);
        wire.set(false);
        assert_eq!(lines.levels(), 0);
        assert_eq!(lines.take_rises(0xffff), 0x10);
        assert_eq!(lines.take_rises(0xffff), 0);
    }

    #[test]
    fn a_high_line_that_dips_has_risen_again() {
        let lines = IrqLines::new();
        let wire = IrqLine::new(&lines, 0);
        wire.set(true);
        assert_eq!(lines.take_rises(1), 1);
        wire.set(true);
        assert_eq!(lines.take_rises(1), 0);
        wire.set(false);
        wire.set(true);
        assert_eq!(lines.take_rises(1), 1);
        assert!(wire.level());
    }

    #[test]
    fn a_shared_wire_is_high_while_anyone_holds_it() {
        let lines = IrqLines::new();
        let (first, second) = (IrqLine::new(&lines, 4), IrqLine::new(&lines, 4));
        first.set(true);
        second.set(false);
        assert!(second.level());
        second.set(true);
        first.set(false);
        assert!(first.level());
        second.clone().set(false);
        assert!(!first.level());
    }

    #[test]
    fn who_moves_a_wire_is_noticed_and_who_holds_it_is_not() {
        let lines = IrqLines::new();
        let wire = IrqLine::new(&lines, 4);
        let numbers = [true, true, false, false].map(|high| {
            wire.set(high);
            lines.change_number()
        });
        assert_eq!(numbers, [1, 1, 2, 2]);
        wire.pulse(false);
        assert_eq!(lines.change_number(), 4);
    }

    #[test]
    fn restoring_a_level_is_no_edge() {
        let lines = IrqLines::new();
        IrqLine::new(&lines, 3).restore(true);
        assert_eq!((lines.levels(), lines.rises()), (8, 0));
    }

    #[test]
    fn only_the_edges_asked_for_are_taken() {
        let lines = IrqLines::new();
        IrqLine::new(&lines, 1).set(true);
        IrqLine::new(&lines, 20).set(true);
        assert_eq!(lines.take_rises(0xffff), 2);
        assert_eq!(lines.rises(), 1 << 20);
    }

    #[test]
    fn every_controller_finds_every_edge() {
        let lines = IrqLines::new();
        let inputs = IrqInputs::new(&lines);
        IrqLine::new(&lines, 5).pulse(false);
        assert_eq!(lines.take_rises(0xffff), 0x20);
        assert_eq!(inputs.take_rises(0xffff), 0x20);
        assert_eq!((inputs.rises(), inputs.levels()), (0, 0));
    }

    #[test]
    fn a_cut_driver_does_not_reach_its_wire() {
        let lines = IrqLines::new();
        let cutoff = Cutoff::new();
        let wire = IrqLine::new(&lines, 0).through(&cutoff);
        cutoff.set(true);
        wire.pulse(true);
        assert_eq!((lines.levels(), lines.rises()), (0, 0));
        cutoff.set(false);
        wire.set(true);
        assert_eq!(lines.rises(), 1);
    }
}
