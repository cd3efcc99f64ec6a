//! From a slice at whose end two engines differ to the first instruction that tells
//! them apart.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use rax_cpu::decode::LONGEST_BLOCK;
use rax_cpu::{Cpu, Engine, Stop};

use super::tape::{Tape, lock};
use super::{Divergence, MakeEngine, compare, processor};

/// Runs the slice again from `base`, both engines new, to ever fewer instructions.
pub(super) fn narrow(
    base: &Cpu,
    make: &[MakeEngine; 2],
    tape: &Mutex<Tape>,
    end: &Cpu,
    differences: Vec<String>,
) -> Divergence {
    let search = Search { base, make, tape };
    let mut same_at = base.state.instructions;
    let mut differs_at = end.state.instructions;
    let again = search.differences(differs_at);
    let is_narrow = !again.is_empty();
    let mut found = if is_narrow { again } else { differences };
    while is_narrow && same_at + 1 < differs_at {
        let middle = same_at + (differs_at - same_at) / 2;
        let differences = search.differences(middle);
        if differences.is_empty() {
            same_at = middle;
        } else {
            differs_at = middle;
            found = differences;
        }
    }
    Divergence {
        same_at,
        differs_at,
        is_narrow,
        differences: found,
        path: search.path(differs_at),
    }
}

struct Search<'a> {
    base: &'a Cpu,
    make: &'a [MakeEngine; 2],
    tape: &'a Mutex<Tape>,
}

type Run = (Box<Cpu>, Box<dyn Engine>, Arc<Mutex<Tape>>);

impl Search<'_> {
    /// One engine, its processor and what it replays, as new.
    fn start(&self, which: usize) -> Option<Run> {
        let mut tape = lock(self.tape).clone();
        tape.play();
        let tape = Arc::new(Mutex::new(tape));
        let memory = self.base.mmu.memory().twin().ok()?;
        let cpu = processor(self.base, memory, Some(&tape));
        let engine = self.make[which](&cpu);
        Some((cpu, engine, tape))
    }

    /// What differs after `until` instructions; nothing if the host has no room.
    fn differences(&self, until: u64) -> Vec<String> {
        let runs = [0, 1].map(|which| {
            let (mut cpu, mut engine, tape) = self.start(which)?;
            engine.run(&mut cpu, until);
            let complaints = lock(&tape).first_complaint();
            Some((cpu, complaints))
        });
        let [Some((reference, _)), Some((tested, complaint))] = runs else {
            return Vec::new();
        };
        let mut differences: Vec<String> = complaint.into_iter().collect();
        differences.extend(compare::processors(&reference, &tested));
        differences
    }

    /// The reference's last instructions up to `end`. A block runs as a whole only
    /// where its longest form has room, so what differs began at most so far back.
    fn path(&self, end: u64) -> String {
        let Some((mut cpu, mut engine, _)) = self.start(0) else {
            return String::new();
        };
        let first = end.saturating_sub(LONGEST_BLOCK as u64 + 1);
        let first = first.max(cpu.state.instructions);
        engine.run(&mut cpu, first);
        let mut text = String::new();
        let mut patience = 4 * LONGEST_BLOCK;
        while cpu.state.instructions < end && patience > 0 {
            patience -= 1;
            let count = cpu.state.instructions;
            let line = cpu.describe_next();
            let stop = engine.step(&mut cpu);
            if cpu.state.instructions != count {
                let _ = write!(text, "{count:12} {line}");
            } else if stop != Stop::Budget {
                break;
            }
        }
        text
    }
}
