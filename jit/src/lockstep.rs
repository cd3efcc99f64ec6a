//! Two engines side by side: the same guest on both, compared as they go.
//!
//! The reference has the machine: its processor, memory and devices. The engine under
//! test has a twin, a processor with a memory of its own, whose pins replay what the
//! reference's pins did: devices are reached once, and what they wrote to memory is
//! written again at the same point ([`tape`]). The two run in slices of some thousand
//! instructions. After each, registers and all pages written by either are
//! compared. A third memory stands as it was at the slice's start; if a slice ends
//! in different states, both engines run it again from there, to ever fewer
//! instructions, until the first that tells them apart is found.

mod compare;
mod narrow;
mod tape;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rax_cpu::testing::NoPlatform;
use rax_cpu::{Cpu, CpuState, Engine, Stop};
use rax_mmu::{HostRamError, Mmu, PhysicalMemory};

use tape::{Levels, Player, Recorder, Tape};

/// How many instructions run between two comparisons, unless chosen otherwise.
pub const SLICE: u64 = 20_000;

/// Makes an engine for a processor.
pub type MakeEngine = Box<dyn Fn(&Cpu) -> Box<dyn Engine> + Send>;

/// Where two engines parted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The last count of instructions at which both were seen in the same state.
    pub same_at: u64,
    /// The count at which they differ.
    pub differs_at: u64,
    /// Whether both engines, started anew where the slice began, showed it again.
    /// If not, the two counts are the slice's.
    pub is_narrow: bool,
    /// What differs, a line each: reference first, then the engine under test.
    pub differences: Vec<String>,
    /// The instructions that lead there, as the reference carries them out.
    pub path: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "the engines differ after {} instructions; after {} they were the same",
            self.differs_at, self.same_at
        )?;
        for line in &self.differences {
            writeln!(f, "  {line}")?;
        }
        if !self.is_narrow {
            writeln!(
                f,
                "run again from {}, new engines agree: it takes what was there before",
                self.same_at
            )?;
        }
        write!(f, "the instructions before:\n{}", self.path)
    }
}

/// The verdict of a [`Lockstep`], to be looked at when it says [`Stop::Diverged`].
#[derive(Clone, Debug, Default)]
pub struct Verdict(Arc<Mutex<Option<Divergence>>>);

impl Verdict {
    /// Where the engines parted, if they did.
    #[must_use]
    pub fn divergence(&self) -> Option<Divergence> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, divergence: Divergence) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(divergence);
    }
}

/// An engine that is two.
pub struct Lockstep {
    make: [MakeEngine; 2],
    reference: Box<dyn Engine>,
    tested: Box<dyn Engine>,
    /// The processor of the engine under test.
    twin: Box<Cpu>,
    /// Both, as they were at the slice's start.
    base: Box<Cpu>,
    tape: Arc<Mutex<Tape>>,
    /// The reference's state at the end of the last slice.
    last: CpuState,
    map_generation: u64,
    slice: u64,
    verdict: Verdict,
}

impl Lockstep {
    /// Puts two engines side by side: the reference, then the one under test. The
    /// processor's pins are recorded from now on.
    ///
    /// # Errors
    /// When the host has no room for two more memories like the processor's.
    pub fn new(cpu: &mut Cpu, make: [MakeEngine; 2], slice: u64) -> Result<Self, HostRamError> {
        let tape = Arc::new(Mutex::new(Tape::default()));
        let memory = Arc::clone(cpu.mmu.memory());
        let twin = processor(cpu, memory.twin()?, Some(&tape));
        let base = processor(cpu, memory.twin()?, None);
        // From here on, what either writes is seen.
        let _ = (memory.take_dirty(), memory.take_writes());
        let nothing: Box<NoPlatform> = Box::default();
        let pins = std::mem::replace(&mut cpu.platform, nothing);
        cpu.platform = Box::new(Recorder::new(pins, Arc::clone(&tape), Arc::clone(&memory)));
        Ok(Self {
            reference: make[0](cpu),
            tested: make[1](&twin),
            make,
            twin,
            base,
            tape,
            last: cpu.state.clone(),
            map_generation: memory.generation(),
            slice: slice.max(1),
            verdict: Verdict::default(),
        })
    }

    /// Where the verdict will be found.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    /// Takes over what the machine did to the processor since the last slice.
    fn follow_machine(&mut self, cpu: &mut Cpu) {
        let memory = cpu.mmu.memory();
        let writes = memory.take_writes();
        let map_generation = memory.generation();
        for other in [&mut self.twin, &mut self.base] {
            other.mmu.memory().repeat_writes(&writes);
            if self.map_generation != map_generation {
                other.mmu.memory().follow_map(memory);
            }
            let is_same = self.last == cpu.state
                && other.nmi_is_pending() == cpu.nmi_is_pending()
                && other.smi_is_pending() == cpu.smi_is_pending();
            if !is_same {
                other.follow(cpu);
            }
        }
        self.map_generation = map_generation;
        tape::lock(&self.tape).rewind(Levels::default());
        let levels = Levels::of(&mut *cpu.platform);
        tape::lock(&self.tape).rewind(levels);
    }

    /// Runs one slice on both, up to a count of instructions, or one step.
    fn slice(&mut self, cpu: &mut Cpu, until: Option<u64>) -> (Stop, Option<Vec<String>>) {
        self.follow_machine(cpu);
        let stop = match until {
            Some(until) => self.reference.run(cpu, until),
            None => self.reference.step(cpu),
        };
        tape::lock(&self.tape).play();
        let stop_of_twin = match until {
            // Its pins stop it where the reference's did.
            Some(until) => self.tested.run(&mut self.twin, until),
            None => self.tested.step(&mut self.twin),
        };
        let mut differences = tape::lock(&self.tape).complaints();
        differences.extend(compare::states(&cpu.state, &self.twin.state));
        if differences.is_empty() && stop != stop_of_twin && stop != Stop::Budget {
            differences.push(format!("stopped because: {stop:?}, {stop_of_twin:?}"));
        }
        let pages = compare::dirty_pages(cpu.mmu.memory(), self.twin.mmu.memory());
        differences.extend(compare::pages(
            &pages,
            cpu.mmu.memory(),
            self.twin.mmu.memory(),
        ));
        if differences.is_empty() {
            compare::copy_pages(&pages, cpu.mmu.memory(), self.base.mmu.memory());
            self.map_generation = cpu.mmu.memory().generation();
            self.base.mmu.memory().follow_map(cpu.mmu.memory());
            self.base.follow(cpu);
            self.last.clone_from(&cpu.state);
            return (stop, None);
        }
        (Stop::Diverged, Some(differences))
    }

    fn diverged(&mut self, cpu: &Cpu, differences: Vec<String>) -> Stop {
        let found = narrow::narrow(&self.base, &self.make, &self.tape, cpu, differences);
        self.verdict.set(found);
        Stop::Diverged
    }
}

/// A processor like another, with a memory of its own.
fn processor(like: &Cpu, memory: PhysicalMemory, tape: Option<&Arc<Mutex<Tape>>>) -> Box<Cpu> {
    let memory = Arc::new(memory);
    let mut cpu = Cpu::new(
        like.model,
        Mmu::new(Arc::clone(&memory)),
        match tape {
            Some(tape) => Box::new(Player::new(
                Arc::clone(tape),
                memory,
                Arc::clone(like.mmu.memory()),
            )),
            None => Box::<NoPlatform>::default(),
        },
    );
    cpu.follow(like);
    cpu
}

impl Engine for Lockstep {
    fn run(&mut self, cpu: &mut Cpu, until: u64) -> Stop {
        if self.verdict.divergence().is_some() {
            return Stop::Diverged;
        }
        loop {
            let end = cpu.state.instructions.saturating_add(self.slice).min(until);
            let (stop, differences) = self.slice(cpu, Some(end));
            if let Some(differences) = differences {
                return self.diverged(cpu, differences);
            }
            let until = until.min(cpu.platform.run_until());
            if stop != Stop::Budget || cpu.state.instructions >= until {
                return stop;
            }
        }
    }

    fn step(&mut self, cpu: &mut Cpu) -> Stop {
        if self.verdict.divergence().is_some() {
            return Stop::Diverged;
        }
        let (stop, differences) = self.slice(cpu, None);
        match differences {
            Some(differences) => self.diverged(cpu, differences),
            None => stop,
        }
    }
}
