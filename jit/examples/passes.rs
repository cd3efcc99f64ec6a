//! What the passes remove from the code of a real program:
//! `cargo run --release -p rax-jit --example passes -- /usr/bin/python3`.
//!
//! All executable sections of an ELF file are decoded from one end to the other,
//! block after block, as 64-bit code. A second look takes into account what is known
//! of the successors of blocks that end in a direct branch or run on.
#![expect(clippy::print_stdout, reason = "a table is what this prints")]

#[path = "shared/elf_code.rs"]
mod elf_code;

use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, Instant};

use rax_cpu::decode::Decoder;
use rax_cpu::insn::InsnFlags;
use rax_cpu::ir::{self, Block, Op};
use rax_cpu::rflags::Rflags;
use rax_cpu::testing::{Bits, bare};
use rax_jit::passes::{Need, Needs, PASSES, Successors, probes, producer_of};

/// Operations by kind.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: usize,
    flags: usize,
    reads: usize,
    writes: usize,
    constants: usize,
    time: Duration,
}

impl Count {
    fn add(&mut self, block: &Block) {
        for (op, _) in &block.ops {
            match op {
                Op::Begin(_) => continue,
                Op::Flags(_) => self.flags += 1,
                Op::ReadGpr(..) => self.reads += 1,
                Op::WriteGpr(..) => self.writes += 1,
                Op::Constant(_) => self.constants += 1,
                _ => {}
            }
            self.all += 1;
        }
    }
}

/// What the analyses find after all passes.
#[derive(Debug, Default)]
struct Found {
    cold_flags: usize,
    cold_with_successors: usize,
    cold_writes: usize,
    conditions: usize,
    fused: usize,
    accesses: usize,
    grouped: [usize; 2],
    time: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        return Err("give ELF files of x86-64 code, such as /usr/bin/python3".into());
    }
    for path in paths {
        measure(&path)?;
    }
    Ok(())
}

fn measure(path: &str) -> Result<(), Box<dyn Error>> {
    let data = std::fs::read(path)?;
    let cpu = bare(Bits::Long64, 0x1000).map_err(|error| format!("{error:?}"))?;
    let mut decoder = Decoder::new(&cpu.model);
    let mut steps = [Count::default(); PASSES.len() + 1];
    let mut found = Found::default();
    let mut program = Program::default();
    let (mut blocks, mut insns, mut not_lifted) = (0, 0, 0);
    let mode = cpu.mode();
    elf_code::each_block(
        &data,
        |code| decoder.decode_bytes(mode, &code[..code.len().min(480)]),
        |address, run| {
            let Some(mut block) = ir::lift(&run).filter(|_| !run.is_empty()) else {
                not_lifted += 1;
                return;
            };
            blocks += 1;
            insns += run.len();
            steps[0].add(&block);
            for (pass, count) in PASSES.iter().zip(&mut steps[1..]) {
                let start = Instant::now();
                pass.run(&mut block, Successors::default());
                count.time += start.elapsed();
                count.add(&block);
            }
            analyse(&block, &mut found);
            program.add(address, block);
        },
    )?;
    found.cold_with_successors = program.cold_flags();
    println!("{path}: {insns} instructions in {blocks} blocks, {not_lifted} blocks not lifted");
    print_table(&steps, &found, insns);
    Ok(())
}

fn analyse(block: &Block, found: &mut Found) {
    let start = Instant::now();
    let needs = Needs::of(block, Successors::default());
    let groups = [2, 3].map(|fewest| probes::groups(block, fewest));
    found.time += start.elapsed();
    for (total, groups) in found.grouped.iter_mut().zip(&groups) {
        *total += groups
            .iter()
            .map(|group| group.accesses.len())
            .sum::<usize>();
    }
    for (position, (op, _)) in block.ops.iter().enumerate() {
        let is_cold = needs.at(position) == Need::AtExits;
        match op {
            Op::Flags(_) if is_cold => found.cold_flags += 1,
            Op::WriteGpr(..) if is_cold => found.cold_writes += 1,
            Op::Condition(_) => {
                found.conditions += 1;
                found.fused += usize::from(producer_of(block, position).is_some());
            }
            Op::Load(_) | Op::Locate(_) | Op::Store { .. } | Op::Push(_) | Op::StackTop => {
                found.accesses += 1;
            }
            Op::Vector(ir::VectorStep::Load { .. } | ir::VectorStep::Store { .. }) => {
                found.accesses += 1;
            }
            _ => {}
        }
    }
}

/// Blocks by address.
#[derive(Debug, Default)]
struct Program(HashMap<u64, Block>);

impl Program {
    fn add(&mut self, address: u64, block: Block) {
        self.0.insert(address, block);
    }

    /// How many updates of flags are needed at exits only, if it is known what
    /// follows. A target that the sweep did not cut out is taken to want every flag.
    fn cold_flags(&self) -> usize {
        let wanted_at = |address: u64| {
            let block = self.0.get(&address);
            block.map_or(Rflags::STATUS, |block| {
                Needs::of(block, Successors::default()).flags_wanted_at_entry()
            })
        };
        let cold = self.0.iter().map(|(&address, block)| {
            let Some(last) = block.insns.last() else {
                return 0;
            };
            let next = wanted_at(address.wrapping_add(u64::from(last.next)));
            let target = address.wrapping_add(last.immediate);
            let code = last.code;
            let flags_wanted = if code.is_jcc_short_or_near() {
                next | wanted_at(target)
            } else if code.is_jmp_short_or_near() {
                wanted_at(target)
            } else if !last.flags.contains(InsnFlags::ENDS_BLOCK) {
                next
            } else {
                Rflags::STATUS
            };
            let needs = Needs::of(block, Successors { flags_wanted });
            let is_cold = |position: &usize| {
                let op = block.ops[*position].0;
                matches!(op, Op::Flags(_)) && needs.at(*position) == Need::AtExits
            };
            (0..block.ops.len()).filter(is_cold).count()
        });
        cold.sum()
    }
}

fn print_table(steps: &[Count], found: &Found, insns: usize) {
    println!("| after | ops | of all | flags | reads | writes | constants | ns an insn |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let names = std::iter::once("lifting").chain(PASSES.iter().map(|pass| pass.name));
    for (name, count) in names.zip(steps) {
        println!(
            "| {name} | {} | {:.0} % | {} | {} | {} | {} | {:.0} |",
            count.all,
            percent(count.all, steps[0].all),
            count.flags,
            count.reads,
            count.writes,
            count.constants,
            count.time.as_nanos() as f64 / insns as f64,
        );
    }
    let last = &steps[steps.len() - 1];
    println!(
        "flags: {:.1} % removed, {:.1} % needed at exits only ({:.1} % with successors known); writes: {:.1} % removed, {:.1} % at exits only",
        percent(steps[0].flags - last.flags, steps[0].flags),
        percent(found.cold_flags, steps[0].flags),
        percent(found.cold_with_successors, steps[0].flags),
        percent(steps[0].writes - last.writes, steps[0].writes),
        percent(found.cold_writes, steps[0].writes),
    );
    println!(
        "conditions with one producer: {:.1} %; accesses in groups of two or more: {:.1} %, of three or more: {:.1} %; analyses: {:.0} ns an insn\n",
        percent(found.fused, found.conditions),
        percent(found.grouped[0], found.accesses),
        percent(found.grouped[1], found.accesses),
        found.time.as_nanos() as f64 / insns as f64,
    );
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
