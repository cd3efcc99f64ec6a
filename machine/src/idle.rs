//! Guests that wait for a key by asking for one again and again, as DOS does, which knows no HLT.
//!
//! rax's own BIOS says, by a write to a port, that it was asked for a key and had none. When that comes again and again
//! with next to nothing in between, and the guest is as it was, it waits, and under `--clock real` the host may sleep
//! until the next interrupt or arrival. A guest that computes, draws or works on a device between two questions is not
//! held up. That it is as it was has to be looked at: DOS asks for Ctrl-C at each of a program's calls, so a program
//! that reads a file byte by byte out of DOS's buffers asks as often, and touches no device.

use rax_cpu::CpuState;
use rax_cpu::state::Gpr;
use rax_mmu::{PhysicalAddress, PhysicalMemory};

/// So many questions in a row are waiting. Fewer may be a pause that a program counts out, as FreeDOS does while it
/// offers to skip its start-up files.
const MANY: u32 = 2048;
/// After a rest, so many more are.
const FEW: u32 = 2;
/// Questions this many instructions apart have something in between.
const NEAR: u64 = 4000;
/// A guest that was looked at so often and never the same does something.
const LOOKS: u32 = 4;
/// The most questions until it is looked at again: looking takes as long as tens of thousands of instructions.
const MOST: u32 = MANY << 6;
/// Where programs of real mode have their variables.
const CONVENTIONAL_MEMORY: usize = 0xA_0000;

/// Watches for questions in a row.
#[derive(Debug)]
pub(crate) struct IdleWatch {
    asked: u32,
    /// How many questions it takes.
    wanted: u32,
    /// How often the guest was not as it was at the look before.
    moved: u32,
    /// When it was last asked, in instructions.
    last: u64,
    may_rest: bool,
}

impl Default for IdleWatch {
    fn default() -> Self {
        Self {
            asked: 0,
            wanted: MANY,
            moved: 0,
            last: 0,
            may_rest: false,
        }
    }
}

impl IdleWatch {
    /// The guest has asked for a key, and there was none. True if it waits.
    pub(crate) fn ask(&mut self, instructions: u64) -> bool {
        let distance = instructions.saturating_sub(self.last);
        self.last = instructions;
        self.asked = if distance <= NEAR { self.asked + 1 } else { 1 };
        if self.asked >= self.wanted {
            self.asked = self.wanted - FEW;
            self.may_rest = true;
        }
        self.may_rest
    }

    /// The guest was looked at: it is as it was at the look before, or not.
    pub(crate) fn looked(&mut self, is_unchanged: bool) {
        if is_unchanged {
            self.moved = 0;
            return;
        }
        self.moved += 1;
        if self.moved == LOOKS {
            self.moved = 0;
            self.asked = 0;
            self.wanted = (self.wanted * 2).min(MOST);
        }
    }

    /// The guest does something else.
    pub(crate) const fn work(&mut self) {
        self.asked = 0;
        self.wanted = MANY;
        self.moved = 0;
        self.may_rest = false;
    }

    /// Whether it may rest now, if it is as it was; asked once.
    pub(crate) fn take(&mut self) -> bool {
        std::mem::take(&mut self.may_rest)
    }
}

/// What waiting leaves as it is: the processor's registers and conventional memory.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    registers: [u64; 16],
    memory: Vec<u8>,
    /// Where memory is read to.
    fresh: Vec<u8>,
}

impl Scene {
    /// Whether all is as it was at the last look.
    pub(crate) fn is_unchanged(&mut self, state: &CpuState, memory: &PhysicalMemory) -> bool {
        let registers = Gpr::ALL.map(|register| state.gpr(register));
        let size = CONVENTIONAL_MEMORY;
        self.fresh.resize(size, 0);
        if memory
            .ram_read(PhysicalAddress(0), &mut self.fresh)
            .is_err()
        {
            return false;
        }
        let is_unchanged = registers == self.registers && self.fresh == self.memory;
        self.registers = registers;
        std::mem::swap(&mut self.fresh, &mut self.memory);
        is_unchanged
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
    fn who_moves_is_looked_at_less_and_less_often() {
        let mut watch = IdleWatch::default();
        let looks = (1..=20_000).filter(|n| {
            watch.ask(n * 100);
            let looks = watch.take();
            if looks {
                watch.looked(false);
            }
            looks
        });
        let looks: Vec<u64> = looks.collect();
        assert_eq!(
            looks[..9],
            [2048, 2050, 2052, 2054, 6150, 6152, 6154, 6156, 14_348]
        );
        watch.work();
        let rests = (20_001..=30_000).filter(|n| {
            watch.ask(n * 100);
            let looks = watch.take();
            if looks {
                watch.looked(true);
            }
            looks
        });
        assert_eq!(rests.take(3).collect::<Vec<_>>(), [22_048, 22_050, 22_052]);
    }

    #[test]
    fn a_scene_is_registers_and_memory() {
        let memory = PhysicalMemory::new(1 << 20).unwrap();
        memory.map_ram(PhysicalAddress(0), 1 << 20).unwrap();
        let mut state = CpuState::reset(0);
        let mut scene = Scene::default();
        assert!(!scene.is_unchanged(&state, &memory), "the first look");
        assert!(scene.is_unchanged(&state, &memory));
        state.set_gpr(Gpr::Rcx, 7);
        assert!(!scene.is_unchanged(&state, &memory));
        assert!(scene.is_unchanged(&state, &memory));
        memory.ram_write(PhysicalAddress(0x9_0000), &[1]).unwrap();
        assert!(!scene.is_unchanged(&state, &memory));
        assert!(scene.is_unchanged(&state, &memory));
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
