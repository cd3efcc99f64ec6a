//! Windows of the TLB ([`rax_mmu::Window`]): which unit looks through which, and where that
//! does not pay.
//!
//! A place in hot code whose accesses stay where they are hits its window nearly always, and
//! is faster than by the table. One that jumps about misses, which costs more than it ever
//! gains. So misses are counted, and whoever has too many is compiled anew without.

use std::collections::HashMap;

use rax_cpu::Cpu;
use rax_cpu::interp::BlockId;
use rax_mmu::{MissedWindow, WindowName};

use crate::block::Windows;
use crate::engine::Jit;
use crate::link::CodeId;

/// A window is missed too often if that happens more than once in so many instructions of
/// the whole guest.
const INSTRUCTIONS_A_MISS: u64 = 8192;
/// The same for a window of the unit that is running when this is asked: most of those
/// instructions are its own, and it hits its windows all the more often.
const OWN_INSTRUCTIONS_A_MISS: u64 = 512;
/// How many times in a row that may be found: it takes one to learn how far it may reach.
const MOST_STRIKES: u8 = 1;

/// Windows given away so far.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// The number of the next one. They are given to more than one unit in the end; units
    /// that are hot at the same time miss then, until one of them does without.
    next: u8,
    /// How many times in a row windows were found to be missed too often.
    strikes: HashMap<WindowName, u8>,
}

impl Given {
    /// For a unit that has become hot.
    pub(crate) const fn offer(&self) -> Windows {
        Windows {
            first: self.next,
            without: 0,
        }
    }

    /// Notes how many a unit has taken.
    pub(crate) const fn note(&mut self, taken: usize) {
        self.next = self.next.wrapping_add(taken as u8);
    }

    /// Whether whoever misses a window had better do without it.
    fn is_missed_too_often(&mut self, missed: MissedWindow, most: u64) -> bool {
        if u64::from(missed.misses) <= most {
            self.strikes.remove(&missed.name);
            return false;
        }
        let strikes = self.strikes.entry(missed.name).or_default();
        *strikes += 1;
        *strikes > MOST_STRIKES && self.strikes.remove(&missed.name).is_some()
    }
}

impl Jit {
    /// Looks at the windows that were missed since the last time: has them reach as far as
    /// may be, and units that miss too often compiled without. The unit `running` was
    /// interrupted.
    pub(crate) fn tend_windows(&mut self, cpu: &mut Cpu, running: BlockId) {
        let running = self.cache.find(running, cpu.code_key());
        let mut changed: Vec<CodeId> = Vec::new();
        while let Some(missed) = cpu.mmu.tlb.take_missed_window() {
            cpu.mmu.tlb.widen(missed.name);
            let unit = self.cache.code_around(missed.opener);
            let instructions = if unit == running {
                OWN_INSTRUCTIONS_A_MISS
            } else {
                INSTRUCTIONS_A_MISS
            };
            let most = (self.interval.get() / instructions).max(1);
            if self.windows.is_missed_too_often(missed, most)
                && let Some(unit) = unit
                && self.cache.do_without(unit, missed.name)
                && !changed.contains(&unit)
            {
                changed.push(unit);
            }
        }
        for unit in changed {
            self.compile_again(unit);
        }
    }
}
