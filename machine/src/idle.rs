//! Guests that wait for a key by asking for one again and again, as DOS does, which knows no HLT.
//!
//! rax's own BIOS says, by a write to a port, that it was asked for a key and had none. When that comes again and again
//! with next to nothing in between, the guest waits, and under `--clock real` the host may sleep until the next
//! interrupt or arrival. A guest that computes, draws or works on a device between two questions is not held up.

/// So many questions in a row are waiting. Fewer may be a pause that a program counts out, as FreeDOS does while it
/// offers to skip its start-up files.
const MANY: u32 = 2048;
/// After a rest, so many more are.
const FEW: u32 = 2;
/// Questions this many instructions apart have something in between.
const NEAR: u64 = 4000;

/// Watches for questions in a row.
#[derive(Debug, Default)]
pub(crate) struct IdleWatch {
    asked: u32,
    /// When it was last asked, in instructions.
    last: u64,
    may_rest: bool,
}

impl IdleWatch {
    /// The guest has asked for a key, and there was none. True if it waits.
    pub(crate) fn ask(&mut self, instructions: u64) -> bool {
        let distance = instructions.saturating_sub(self.last);
        self.last = instructions;
        self.asked = if distance <= NEAR { self.asked + 1 } else { 1 };
        if self.asked >= MANY {
            self.asked = MANY - FEW;
            self.may_rest = true;
        }
        self.may_rest
    }

    /// The guest does something else.
    pub(crate) const fn work(&mut self) {
        self.asked = 0;
        self.may_rest = false;
    }

    /// Whether it may rest now; asked once.
    pub(crate) fn take(&mut self) -> bool {
        std::mem::take(&mut self.may_rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_questions_in_a_row_are_waiting() {
        let mut watch = IdleWatch::default();
        let rests = (1..=3000).filter(|n| {
            watch.ask(n * 100);
            watch.take()
        });
        assert_eq!(rests.collect::<Vec<_>>()[..4], [2048, 2050, 2052, 2054]);
    }

    #[test]
    fn work_in_between_is_not() {
        let mut watch = IdleWatch::default();
        for n in 1..10_000 {
            watch.ask(n * (NEAR + 1));
            assert!(!watch.take());
        }
        for n in 1..10_000 {
            if n % 2000 == 0 {
                watch.work();
            }
            watch.ask(n);
            assert!(!watch.take());
        }
    }
}
