//! The wires by which power management puts the machine to sleep and wakes it.
//!
//! The function asks for a sleep state (PMCNTRL) and says when an event ends it; the board carries both out, for it has
//! the processors and knows whose power goes. In between the machine is asleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How deep a sleep is: what is lost in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Powered-on suspend: the processors stand still and go on. ACPI's S1.
    Standing,
    /// The processors begin anew at the reset vector, the chips are as they were. S2.
    ProcessorsLost,
    /// Suspend to RAM: nothing but memory and what wakes the machine has power. S3.
    ToRam,
}

/// The sleep and wake wires. Clones are the same wires.
#[derive(Clone, Debug, Default)]
pub struct SleepLines {
    /// 0 while awake, else the sleep's code, with [`WOKEN`].
    phase: Arc<AtomicU8>,
}

/// An event has ended the sleep; the board has not followed yet.
const WOKEN: u8 = 0x80;

impl SleepLines {
    /// Wires of a machine that is awake.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sleep that was asked for and that has not been [ended](Self::end).
    #[must_use]
    pub fn sleep(&self) -> Option<Sleep> {
        match self.code() & !WOKEN {
            1 => Some(Sleep::Standing),
            2 => Some(Sleep::ProcessorsLost),
            3 => Some(Sleep::ToRam),
            _ => None,
        }
    }

    /// Whether an event has ended that sleep.
    #[must_use]
    pub fn is_woken(&self) -> bool {
        self.code() & WOKEN != 0
    }

    /// The machine is awake again.
    pub fn end(&self) {
        self.set_code(0);
    }

    /// The machine is to sleep.
    pub(crate) fn begin(&self, sleep: Sleep) {
        self.set_code(match sleep {
            Sleep::Standing => 1,
            Sleep::ProcessorsLost => 2,
            Sleep::ToRam => 3,
        });
    }

    /// The sleep shall end.
    pub(crate) fn wake(&self) {
        if self.sleep().is_some() {
            self.phase.fetch_or(WOKEN, Ordering::AcqRel);
        }
    }

    /// The state of the wires as a number, to be saved.
    pub(crate) fn code(&self) -> u8 {
        self.phase.load(Ordering::Acquire)
    }

    /// Puts the wires back as they were saved.
    pub(crate) fn set_code(&self, code: u8) {
        self.phase.store(code, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::{Sleep, SleepLines};

    #[test]
    fn a_sleep_lasts_until_the_board_ends_it() {
        let lines = SleepLines::new();
        lines.wake();
        assert_eq!((lines.sleep(), lines.is_woken()), (None, false));
        for sleep in [Sleep::Standing, Sleep::ProcessorsLost, Sleep::ToRam] {
            lines.begin(sleep);
            assert_eq!((lines.sleep(), lines.is_woken()), (Some(sleep), false));
            lines.wake();
            assert_eq!((lines.sleep(), lines.is_woken()), (Some(sleep), true));
            lines.end();
            assert_eq!((lines.sleep(), lines.is_woken()), (None, false));
        }
    }
}
