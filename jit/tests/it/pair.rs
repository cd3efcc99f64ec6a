//! Two processors that begin alike: one interprets, the other compiles.

use rax_cpu::flags::LazyFlags;
use rax_cpu::state::{CpuState, Gpr};
use rax_cpu::testing::{Bits, bare};
use rax_cpu::{Cpu, Engine, Interpreter, Stop};
use rax_jit::{Jit, Options, Statistics};
use rax_mmu::PhysicalAddress;

/// The value of a variable that turns up a test's counts.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seeds to try: `count` times what `RAX_CASES` says, from `RAX_SEED` on.
pub(crate) fn seeds(count: u64) -> std::ops::Range<u64> {
    let first = number("RAX_SEED").unwrap_or(0);
    first..first + count * number("RAX_CASES").unwrap_or(1)
}

/// Both of them.
pub(crate) struct Pair {
    pub(crate) cpus: [Box<Cpu>; 2],
    interpreter: Interpreter,
    jit: Jit,
}

/// How a run has ended.
#[derive(PartialEq)]
struct End {
    stops: Vec<Stop>,
    retired: u64,
    state: CpuState,
    ram: Vec<u8>,
}

impl Pair {
    /// With so much RAM, and room for so much host code.
    pub(crate) fn new(bits: Bits, ram: u64, cache_bytes: usize) -> Self {
        let cpus = [(); 2].map(|()| bare(bits, ram).unwrap());
        let options = Options {
            threshold: 0,
            cache_bytes,
            ..Options::default()
        };
        Self {
            interpreter: Interpreter::new(&cpus[0]),
            jit: Jit::new(&cpus[1], options).unwrap(),
            cpus,
        }
    }

    /// What the compiler has done.
    pub(crate) fn statistics(&self) -> &Statistics {
        self.jit.statistics()
    }

    /// Has both run so many instructions, with two stops in between, and end alike; how many
    /// they were. `what` says what it was about if they do not.
    pub(crate) fn check(
        &mut self,
        state: &CpuState,
        ram: &[u8],
        steps: u64,
        what: impl Fn() -> String,
    ) -> u64 {
        let [a, b] = [0, 1].map(|n| self.end(n, state, ram, steps));
        if a != b {
            panic!("{}\n{}", what(), differences(&a, &b));
        }
        a.retired
    }

    fn end(&mut self, n: usize, state: &CpuState, ram: &[u8], steps: u64) -> End {
        let cpu = &mut self.cpus[n];
        let memory = cpu.mmu.memory().clone();
        memory.ram_write(PhysicalAddress(0), ram).unwrap();
        let before = cpu.state.instructions;
        cpu.state = state.clone();
        cpu.state.instructions = before;
        cpu.update_mode();
        cpu.mmu.flush_all();
        let engine: &mut dyn Engine = if n == 0 {
            &mut self.interpreter
        } else {
            &mut self.jit
        };
        let stops = [steps / 3, steps / 2, steps].map(|part| {
            let until = cpu.state.instructions.max(before + part);
            engine.run(cpu, until)
        });
        let mut state = cpu.state.clone();
        // Of no account between instructions, and how flags are kept.
        state.set_gpr(Gpr::BlockRip, 0);
        state.flags = LazyFlags::from_status(state.flags.status());
        state.instructions = 0;
        let mut end = End {
            stops: stops.to_vec(),
            retired: cpu.state.instructions - before,
            state,
            ram: vec![0; ram.len()],
        };
        memory.ram_read(PhysicalAddress(0), &mut end.ram).unwrap();
        end
    }
}

/// What is not alike, a line each.
fn differences(a: &End, b: &End) -> String {
    use std::fmt::Write;
    let mut text = format!(
        "stops {:?} {:?}, instructions {} {}\n",
        a.stops, b.stops, a.retired, b.retired
    );
    let [x, y] = [a, b].map(|end| format!("{:#x?}", end.state));
    for (x, y) in x.lines().zip(y.lines()).filter(|(x, y)| x != y) {
        let _ = writeln!(text, "{} / {}", x.trim(), y.trim());
    }
    let bytes = a.ram.iter().zip(&b.ram);
    if let Some(at) = bytes.clone().position(|(x, y)| x != y) {
        let _ = writeln!(text, "memory from {at:x} on");
    }
    text
}
