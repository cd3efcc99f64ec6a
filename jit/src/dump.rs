//! What becomes of guest code on its way through the compiler, as text.

use std::fmt::Write;
use std::sync::Arc;

use rax_cpu::Cpu;
use rax_cpu::decode::Decoder;
use rax_cpu::insn::Insn;
use rax_cpu::ir::{self, Block, Op};
use rax_cpu::mode::Mode;
use rax_cpu::report;
use rax_cpu::testing::{BareError, Bits, bare};
use rax_mmu::PAGE_SIZE;

use crate::backend::Backend;
use crate::block::Unit;
use crate::engine;
use crate::passes::{self, Need, Needs, Selection, Successors, probes, producer_of};

/// The least accesses of a group that is worth a line.
const FEWEST_ACCESSES: usize = 2;
/// The most bytes that one block is made from.
const LONGEST_BLOCK: usize = 480;

/// What a dump is made of.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The guest's code size; segments are flat, all units are on.
    pub bits: Bits,
    /// The address of the first byte.
    pub address: u64,
    /// The guest's code.
    pub code: &'a [u8],
    /// The passes that run.
    pub passes: Selection,
}

/// Counts of a dump.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    blocks: usize,
    insns: usize,
    before: usize,
    after: usize,
    host_bytes: usize,
}

/// Guest instructions, IR before and after the passes, and host code, block by block.
///
/// # Errors
/// When the host gives no memory for a processor to decode with.
pub fn dump(request: Request<'_>) -> Result<String, BareError> {
    let mut cpu = bare(request.bits, 0x1000)?;
    prepare(&mut cpu);
    let mut decoder = Decoder::new(&cpu.model);
    let mut text = String::new();
    let mut counts = Counts::default();
    let mut code = request.code;
    let mut address = request.address;
    while !code.is_empty() {
        let insns = decoder.decode_bytes(cpu.mode(), &code[..code.len().min(LONGEST_BLOCK)]);
        let Some(last) = insns.last() else {
            let _ = writeln!(text, "{address:016x}: {code:02x?}: not a whole instruction");
            break;
        };
        let length = usize::from(last.next);
        let (own, rest) = code.split_at(length);
        let _ = writeln!(
            text,
            "== block at {address:#x}, {} instructions ==",
            insns.len()
        );
        let bits = cpu.mode().code_bits();
        text.push_str(&report::disassemble(bits, own, address, insns.len()));
        counts.blocks += 1;
        counts.insns += insns.len();
        match ir::lift(&insns) {
            Some(block) => {
                let unit = unit(&block.insns, address, cpu.mode());
                let host = host_code(&unit, &block);
                one_block(&mut text, block, request.passes, &mut counts);
                counts.host_bytes += show_host(&mut text, host);
            }
            None => text.push_str("-- not lifted: rax does not implement one of them --\n"),
        }
        text.push('\n');
        (code, address) = (rest, address.wrapping_add(length as u64));
    }
    let _ = writeln!(
        text,
        "{} blocks, {} instructions, {} operations, {} after the passes, {} bytes of host code",
        counts.blocks, counts.insns, counts.before, counts.after, counts.host_bytes
    );
    Ok(text)
}

/// Host code alone, of the first block.
///
/// # Errors
/// When there is none; why.
pub fn host(request: Request<'_>) -> Result<Host, String> {
    let mut cpu = bare(request.bits, 0x1000).map_err(|error| format!("{error:?}"))?;
    prepare(&mut cpu);
    let insns = Decoder::new(&cpu.model).decode_bytes(cpu.mode(), request.code);
    let block = ir::lift(&insns).ok_or("not lifted")?;
    host_code(&unit(&block.insns, request.address, cpu.mode()), &block)
}

/// Switches all units on.
fn prepare(cpu: &mut Cpu) {
    // CR4.OSXSAVE, and x87, SSE and AVX state in XCR0.
    cpu.state.cr4 |= 1 << 18;
    cpu.state.xcr0 = 7;
    cpu.update_mode();
}

fn one_block(text: &mut String, mut block: Block, selection: Selection, counts: &mut Counts) {
    let operations = |block: &Block| {
        let begins = |op: &&(Op, u32)| !matches!(op.0, Op::Begin(_));
        block.ops.iter().filter(begins).count()
    };
    let before = operations(&block);
    let _ = write!(text, "-- IR, {before} operations --\n{block}");
    let needs = passes::run(&mut block, selection, Successors::default());
    let after = operations(&block);
    let _ = write!(text, "-- after the passes, {after} operations --\n{block}");
    findings(text, &block, &needs);
    counts.before += before;
    counts.after += after;
}

/// Writes down what the compiler made; how many bytes it is.
fn show_host(text: &mut String, host: Result<Host, String>) -> usize {
    match host {
        Ok(host) => {
            let bytes = host.code.len();
            let carried_out = host.carried_out;
            let _ = writeln!(
                text,
                "-- host code, {bytes} bytes, {carried_out} instructions left to the interpreter --"
            );
            text.push_str(&report::disassemble(64, &host.code, host.address, bytes));
            bytes
        }
        Err(why) => {
            let _ = writeln!(text, "-- no host code: {why} --");
            0
        }
    }
}

/// What the analyses tell the back end.
fn findings(text: &mut String, block: &Block, needs: &Needs) {
    let cold: Vec<String> = (0..block.ops.len())
        .filter(|&position| needs.at(position) == Need::AtExits)
        .map(|position| format!("%{position}"))
        .collect();
    if !cold.is_empty() {
        let _ = writeln!(text, "needed at exits only: {}", cold.join(" "));
    }
    for position in 0..block.ops.len() {
        if let Some(producer) = producer_of(block, position) {
            let _ = writeln!(text, "condition %{position} looks at %{producer}");
        }
    }
    for group in probes::groups(block, FEWEST_ACCESSES) {
        let each = group.accesses.iter();
        let each: Vec<String> = each
            .map(|(at, offset)| format!("%{at}{offset:+}"))
            .collect();
        let kind = if group.writes { "write" } else { "read" };
        let _ = writeln!(
            text,
            "one probe for {} bytes, to {kind}: {}",
            group.span(),
            each.join(" ")
        );
    }
}

/// Host code of a block.
#[derive(Clone, Debug)]
pub struct Host {
    /// The bytes.
    pub code: Vec<u8>,
    /// Offset of what is off the straight way.
    pub cold: usize,
    /// Instructions that are left to the interpreter.
    pub carried_out: u32,
    /// Where it believes to be.
    pub address: u64,
}

/// Where host code believes to be, behind the routines that all blocks share.
const HOST_ADDRESS: u64 = 0x1_0000_0000;

/// What the compiler is given for a block.
fn unit(insns: &Arc<[Insn]>, rip: u64, mode: Mode) -> Unit {
    let bytes = insns.last().map_or(0, |last| last.next);
    let last = rip.wrapping_add(u64::from(bytes)).wrapping_sub(1);
    let mut unit = Unit::of(insns, rip, bytes, mode);
    unit.crosses_page = last / PAGE_SIZE != rip / PAGE_SIZE;
    unit
}

/// The host code for a block, as the engine has it made: of the IR before the passes.
/// This is the place where a back end is asked.
fn host_code(unit: &Unit, block: &Block) -> Result<Host, String> {
    if !engine::is_compiled(unit.mode) {
        return Err("code of this mode is interpreted".to_owned());
    }
    let mut backend = engine::back_end().map_err(|why| why.to_string())?;
    let routines = backend.routines(HOST_ADDRESS).len();
    let address = HOST_ADDRESS + routines.next_multiple_of(16) as u64;
    let emitted = backend.compile(unit, block, address, 0);
    Ok(Host {
        code: emitted.code,
        cold: emitted.cold,
        carried_out: emitted.carried_out,
        address,
    })
}

/// The compiler by itself, to be measured.
pub struct Compiler {
    cpu: Box<Cpu>,
    decoder: Decoder,
    backend: Box<dyn Backend + Send>,
    ops: Vec<(Op, u32)>,
}

impl Compiler {
    /// A compiler of code of this size, in flat segments.
    ///
    /// # Errors
    /// When this host has none; why.
    pub fn new(bits: Bits) -> Result<Self, String> {
        let mut cpu = bare(bits, 0x1000).map_err(|error| format!("{error:?}"))?;
        prepare(&mut cpu);
        let mut backend = engine::back_end().map_err(|why| why.to_string())?;
        backend.routines(HOST_ADDRESS);
        Ok(Self {
            decoder: Decoder::new(&cpu.model),
            backend,
            cpu,
            ops: Vec::new(),
        })
    }

    /// The block that these bytes begin with.
    pub fn decode(&mut self, code: &[u8]) -> Arc<[Insn]> {
        self.decoder
            .decode_bytes(self.cpu.mode(), &code[..code.len().min(LONGEST_BLOCK)])
            .into()
    }

    /// Bytes of host code for a block at `address`; none if rax does not implement it.
    pub fn compile(&mut self, insns: &Arc<[Insn]>, address: u64) -> Option<usize> {
        let block = ir::lift_into(insns, std::mem::take(&mut self.ops))?;
        let unit = unit(insns, address, self.cpu.mode());
        let emitted = self
            .backend
            .compile(&unit, &block, HOST_ADDRESS + 0x1000, 0);
        let length = emitted.code.len();
        self.backend.reclaim(emitted);
        self.ops = block.ops;
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::{Request, dump};
    use crate::passes::Selection;
    use rax_cpu::testing::Bits;

    fn text(passes: Selection) -> String {
        // cmp rbx, rcx; mov [rdi], rbx; mov [rdi+8], rcx; jb +0; then half a MOV
        let code = b"\x48\x39\xcb\x48\x89\x1f\x48\x89\x4f\x08\x72\x00\x48\x89";
        dump(Request {
            bits: Bits::Long64,
            address: 0xffff_ffff_8100_0000,
            code,
            passes,
        })
        .unwrap()
    }

    #[test]
    fn a_dump_shows_every_stage() {
        let text = text(Selection::ALL);
        for part in [
            "ffffffff81000003: 48891f",
            "mov [rdi],rbx",
            "Cmp_rm64_r64:",
            "after the passes",
            "condition %",
            "one probe for 16 bytes, to write: ",
            "not a whole instruction",
            "1 blocks, 4 instructions",
            if cfg!(target_arch = "x86_64") {
                "0 instructions left to the interpreter --\n"
            } else {
                "-- no host code: "
            },
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn host_code_counts_its_instructions_off_the_budget() {
        let text = text(Selection::ALL);
        let host = text.split("-- host code").nth(1).unwrap();
        assert!(host.contains("sub r15,4"), "{host}");
    }

    #[test]
    fn without_passes_nothing_is_removed() {
        let text = text(Selection::NONE);
        let count = |line: &str| {
            let line = text.lines().find(|l| l.contains(line)).unwrap();
            let words = line.split(' ').filter_map(|word| word.parse().ok());
            words.collect::<Vec<u32>>()
        };
        assert_eq!(count("-- IR"), count("-- after"));
    }
}
