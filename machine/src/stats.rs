//! What `--stats` prints.

mod sampler;

use std::fmt::Write;
use std::time::Duration;

use rax_jit::Statistics;

use crate::machine::Machine;

pub use sampler::Sampler;

/// Names of the exceptions, by vector.
const NAMES: [&str; 22] = [
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "", "#TS", "#NP", "#SS", "#GP",
    "#PF", "", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
];

/// How many instructions are named that compiled code left to the interpreter.
const MOST_NAMES: usize = 24;

/// The counts of a run that took `elapsed`, a line each.
#[must_use]
pub fn text(machine: &Machine, elapsed: Duration) -> String {
    let cpu = &machine.cpu;
    let counts = &cpu.statistics;
    let instructions = cpu.state.instructions;
    let seconds = elapsed.as_secs_f64();
    let share = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let mut out = String::new();
    let _ = writeln!(out, "instructions       {instructions}");
    let _ = writeln!(out, "seconds            {seconds:.3}");
    let mips = instructions as f64 / seconds.max(1e-9) / 1e6;
    let _ = writeln!(out, "MIPS               {mips:.1}");
    let blocks = counts.blocks;
    let _ = writeln!(
        out,
        "blocks             {blocks} ({:.1} instructions each)",
        instructions as f64 / blocks.max(1) as f64
    );
    let found = counts.linked + counts.jump_cache_hits + counts.block_cache_hits;
    let _ = writeln!(
        out,
        "block cache        {:.3}% hits ({:.1}% by link, {:.1}% by jump cache, {:.2}% by address)",
        share(found, found + counts.decoded_blocks),
        share(counts.linked, blocks),
        share(counts.jump_cache_hits, blocks),
        share(counts.block_cache_hits, blocks)
    );
    let _ = writeln!(
        out,
        "decoded            {} blocks, {} instructions; {} blocks invalidated",
        counts.decoded_blocks, counts.decoded_instructions, counts.invalidated_blocks
    );
    let tlb = cpu.mmu.counters();
    let _ = writeln!(
        out,
        "TLB                {} misses ({} instructions each), {:.1}% of them found in the second level, {} page walks, {} flushes",
        tlb.l2_hits + tlb.walks,
        instructions / (tlb.l2_hits + tlb.walks).max(1),
        share(tlb.l2_hits, tlb.l2_hits + tlb.walks),
        tlb.walks,
        tlb.flushes
    );
    let _ = writeln!(out, "interrupts         {}", counts.interrupts);
    for (vector, &count) in counts
        .exceptions
        .iter()
        .enumerate()
        .filter(|(_, count)| **count != 0)
    {
        let name = NAMES.get(vector).copied().unwrap_or_default();
        let _ = writeln!(out, "exception {vector:2} {name:4}  {count}");
    }
    if machine.processors() > 1 {
        processors(machine, &mut out);
    }
    out
}

/// A line for each processor.
fn processors(machine: &Machine, out: &mut String) {
    for (number, cpu, instructions) in machine.each_processor() {
        let counts = &cpu.statistics;
        let tlb = cpu.mmu.counters();
        let exceptions: u64 = counts.exceptions.iter().sum();
        let _ = writeln!(
            out,
            "processor {number:<8} {instructions} instructions, {} interrupts, {exceptions} exceptions, {} blocks decoded; TLB {} misses, {} page walks, {} flushes",
            counts.interrupts,
            counts.decoded_blocks,
            tlb.l2_hits + tlb.walks,
            tlb.walks,
            tlb.flushes
        );
    }
}

/// What the compiler did in a run, a line each.
#[must_use]
pub fn compiler(machine: &Machine, counts: &Statistics) -> String {
    let instructions = machine.cpu.state.instructions.max(1);
    let compiled = counts.instructions.max(1);
    let interpreted = 100.0 * counts.interpreted_instructions as f64 / instructions as f64;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "compiled           {} blocks, {} instructions, {:.1}% of them left to the interpreter; {} traces of {} instructions; {} blocks copied",
        counts.blocks,
        counts.instructions,
        100.0 * counts.carried_out as f64 / compiled as f64,
        counts.traces,
        counts.traced_instructions,
        counts.copied,
    );
    let _ = writeln!(
        out,
        "host code          {} bytes ({:.1} per instruction), made in {:.3} s",
        counts.bytes,
        counts.bytes as f64 / compiled as f64,
        counts.time.as_secs_f64()
    );
    let _ = writeln!(
        out,
        "compiled code      {} entries, {} exits joined; {} blocks invalidated, {} evicted in {} regions, {} times all forgotten",
        counts.entries,
        counts.joined,
        counts.forgotten,
        counts.evicted,
        counts.evictions,
        counts.flushes
    );
    let cells = machine.cpu.cells;
    let _ = writeln!(
        out,
        "first-level TLB    {:.3}% hits of {} accesses of compiled code",
        100.0 - 100.0 * cells.misses as f64 / cells.accesses.max(1) as f64,
        cells.accesses
    );
    let exits = &counts.exits;
    let _ = writeln!(
        out,
        "left               {} by exits not joined, {} by jumps not known, {} for events, {} at the end of time, {} to interpret; {} went on elsewhere",
        exits.unjoined,
        exits.unknown,
        exits.events,
        exits.exhausted,
        exits.interpret,
        exits.dispatched
    );
    let _ = writeln!(
        out,
        "interpreted        {} blocks, {interpreted:.2}% of all instructions",
        counts.interpreted
    );
    carried_out(machine, &mut out);
    out
}

/// What the first processor's compiled code had the interpreter carry out.
fn carried_out(machine: &Machine, out: &mut String) {
    let names = machine.cpu.statistics.carried_out.by_name();
    let all: u64 = names.iter().map(|&(_, count)| count).sum();
    let _ = write!(out, "carried out        {all}");
    for (name, count) in names.iter().take(MOST_NAMES) {
        let _ = write!(out, ", {name} {count}");
    }
    out.push('\n');
}
