//! What becomes of guest code on its way through the compiler, as text.

use std::fmt::Write;
use std::ops::Range;

use rax_cpu::decode::Decoder;
use rax_cpu::ir::{self, Block, Op};
use rax_cpu::report;
use rax_cpu::testing::{BareError, Bits, bare};

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
    // CR4.OSXSAVE, and x87, SSE and AVX state in XCR0.
    cpu.state.cr4 |= 1 << 18;
    cpu.state.xcr0 = 7;
    cpu.update_mode();
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
            Some(block) => one_block(&mut text, block, request.passes, &mut counts),
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
    match host_code(&block, &needs) {
        Some(host) => {
            let bytes = host.code.len();
            let _ = writeln!(text, "-- host code, {bytes} bytes --");
            text.push_str(&report::disassemble(
                64,
                &host.code[host.instructions],
                host.address,
                bytes,
            ));
            counts.host_bytes += bytes;
        }
        None => text.push_str("-- no host code: this build has no back end --\n"),
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
struct Host {
    code: Vec<u8>,
    /// Which part of it is instructions.
    instructions: Range<usize>,
    /// Where it believes to be.
    address: u64,
}

/// The host code for a block. This is the place where a back end is asked.
fn host_code(_block: &Block, _needs: &Needs) -> Option<Host> {
    None
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
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
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
