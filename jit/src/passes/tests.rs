//! Passes keep meaning: random blocks in random states, evaluated before and after.

use proptest::prelude::*;
use rax_cpu::flags::LazyFlags;
use rax_cpu::insn::Table;
use rax_cpu::ir::{self, Block, Evaluated, Op};
use rax_cpu::testing::{Bits, RAM, Random, Scene, Subject, TABLES};

use super::need::bytes;
use super::{Need, Needs, PASSES, Selection, Successors, run};

const MODES: [Bits; 3] = [Bits::Real, Bits::Protected32, Bits::Long64];

/// The IR of the block that the bytes make.
pub(super) fn lift(bits: Bits, bytes: &[u8]) -> Block {
    let insns = Subject::new(bits).unwrap().decode(bytes);
    ir::lift(&insns).unwrap()
}

/// The operations as text, without those that begin instructions.
pub(super) fn ops(block: &Block) -> Vec<String> {
    let ops = block.ops.iter().map(|(op, _)| match op {
        Op::Call(_) => "Call".to_owned(),
        _ => format!("{op:?}"),
    });
    ops.filter(|op| !op.starts_with("Begin")).collect()
}

/// Opcodes that registers and flags meet in often.
const COMMON: &[&[u8]] = &[
    b"\x00",
    b"\x01",
    b"\x02",
    b"\x03",
    b"\x09",
    b"\x0b",
    b"\x10",
    b"\x11",
    b"\x13",
    b"\x19",
    b"\x1b",
    b"\x21",
    b"\x29",
    b"\x2b",
    b"\x30",
    b"\x31",
    b"\x33",
    b"\x38",
    b"\x39",
    b"\x3b",
    b"\x69",
    b"\x6b",
    b"\x80",
    b"\x81",
    b"\x83",
    b"\x84",
    b"\x85",
    b"\x86",
    b"\x87",
    b"\x88",
    b"\x89",
    b"\x8a",
    b"\x8b",
    b"\x8d",
    b"\xc0",
    b"\xc1",
    b"\xd0",
    b"\xd1",
    b"\xd2",
    b"\xd3",
    b"\xf6",
    b"\xf7",
    b"\xfe",
    b"\xff",
    b"\x0f\x40",
    b"\x0f\x42",
    b"\x0f\x44",
    b"\x0f\x47",
    b"\x0f\x4c",
    b"\x0f\x4f",
    b"\x0f\x90",
    b"\x0f\x92",
    b"\x0f\x94",
    b"\x0f\x9a",
    b"\x0f\x9e",
    b"\x0f\xa3",
    b"\x0f\xa4",
    b"\x0f\xa5",
    b"\x0f\xac",
    b"\x0f\xaf",
    b"\x0f\xb6",
    b"\x0f\xb7",
    b"\x0f\xba",
    b"\x0f\xbb",
    b"\x0f\xbc",
    b"\x0f\xbd",
    b"\x0f\xbe",
    b"\x0f\xc0",
    b"\x0f\xb1",
    b"\x0f\x2e",
    b"\x0f\x2f",
    b"\x0f\x58",
    b"\x0f\x28",
    b"\x0f\x29",
];
/// Those that are an opcode only.
const BARE: &[u8] = &[
    0x98, 0x99, 0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x58, 0x5a, 0x5b,
    0x5c, 0x5d, 0xc9, 0x9c, 0x9e, 0x9f, 0xac, 0xab,
];

/// One instruction, likely.
fn instruction(random: &mut Random, bits: Bits) -> Vec<u8> {
    let mut code = Vec::new();
    let prefixes: &[&[u8]] = if bits == Bits::Long64 {
        &[
            b"", b"", b"\x66", b"\x48", b"\x48", b"\x48", b"\x49", b"\x4c", b"\x64",
        ]
    } else {
        &[b"", b"", b"", b"\x66", b"\x67"]
    };
    match random.below(8) {
        0 => {
            code.extend(prefixes[random.below(prefixes.len() as u64) as usize]);
            code.push(BARE[random.below(BARE.len() as u64) as usize]);
        }
        1 => {
            // MOV of an immediate: constants to fold.
            code.push(0xb0 | random.below(16) as u8);
            let immediate = random.value().to_le_bytes();
            code.extend(
                &immediate[..if code[0] < 0xb8 {
                    1
                } else if bits == Bits::Real {
                    2
                } else {
                    4
                }],
            );
        }
        2 if random.one_in(2) => {
            // Anything.
            code.push(random.next() as u8);
            code.push(random.modrm(0, false) ^ random.below(56) as u8 & 0x38);
            code.extend(random.tail());
        }
        _ => {
            code.extend(prefixes[random.below(prefixes.len() as u64) as usize]);
            code.extend(COMMON[random.below(COMMON.len() as u64) as usize]);
            let is_memory = random.one_in(4);
            let reg = random.next() as u8 & 7;
            code.push(random.modrm(reg, is_memory));
            code.extend(random.tail());
        }
    }
    code
}

/// A random block, from instructions one after the other.
fn block(subject: &mut Subject, random: &mut Random, bits: Bits) -> Option<Block> {
    let mut code = Vec::new();
    for _ in 0..=random.below(12) {
        let bytes = instruction(random, bits);
        let insns = subject.decode(&bytes);
        let Some(first) = insns
            .first()
            .filter(|insn| Table::any_row(insn.code).is_some())
        else {
            continue;
        };
        code.extend(&bytes[..usize::from(first.length)]);
    }
    let insns = subject.decode(&code);
    if insns.is_empty() {
        return None;
    }
    ir::lift(&insns)
}

/// Many registers point into RAM, so that runs get somewhere.
fn scene(subject: &Subject, random: &mut Random) -> Scene {
    let rip = random.below(RAM as u64 / 2);
    let mut scene = subject.random_scene(random, rip);
    for register in &mut scene.state.gpr[..16] {
        if random.one_in(2) {
            *register = 0x400 + random.below(RAM as u64 - 0x5000);
        }
    }
    // Data breakpoints would have made blocks of one instruction.
    scene.state.dr[7] = 0x400;
    scene
}

struct Trial {
    before: Subject,
    after: Subject,
    lean: Subject,
    random: Random,
    bits: Bits,
}

impl Trial {
    fn new(bits: Bits, seed: u64) -> Self {
        let subject = || Subject::new(bits).unwrap();
        Self {
            before: subject(),
            after: subject(),
            lean: subject(),
            random: Random(seed),
            bits,
        }
    }

    /// Whether a block has changed its own page tables, but for accessed and dirty bits:
    /// what it finds there next depends on what the TLB still holds, and that, on blocks
    /// before it.
    fn wrote_tables(&self, subject: &Subject, scene: &Scene) -> bool {
        const ACCESSED_DIRTY: u8 = 0x60;
        let ram = subject.ram();
        let mut entries = ram[TABLES as usize..].iter().zip(&scene.tables).enumerate();
        self.bits != Bits::Real
            && entries.any(|(n, (now, then))| {
                (now ^ then) & if n % 4 == 0 { !ACCESSED_DIRTY } else { 0xff } != 0
            })
    }

    /// Evaluates both blocks and compares what there is to see.
    fn compare(&mut self, scene: &Scene, original: &Block, block: &Block) -> Evaluated {
        let expected = self.before.evaluate(scene, original);
        let found = self.after.evaluate(scene, block);
        if self.wrote_tables(&self.after, scene) {
            return found;
        }
        let expected = self.before.seen(expected.outcome);
        assert_eq!(
            expected,
            self.after.seen(found.outcome),
            "from {:x?}\n{original}\nturned into\n{block}",
            scene.state
        );
        assert!(
            self.before.ram() == self.after.ram(),
            "memory:\n{original}\n{block}"
        );
        found
    }

    /// Leaves out what is needed at exits only, and makes up for it at the exit.
    fn compare_lean(&mut self, scene: &Scene, block: &Block, full: &Evaluated, needs: &Needs) {
        let mut lean = block.clone();
        let is_late = |position: usize| {
            needs.at(position) == Need::AtExits
                && matches!(block.ops[position].0, Op::Flags(_) | Op::WriteGpr(..))
        };
        lean.retain(|position| !is_late(position));
        let found = self.lean.evaluate(scene, &lean);
        if self.wrote_tables(&self.lean, scene) {
            return;
        }
        for position in needs.pending(block, full.position) {
            carry_out(&mut self.lean, block, full, position);
        }
        let expected = self.after.seen(full.outcome);
        assert_eq!(
            expected,
            self.lean.seen(found.outcome),
            "from {:x?}\n{block}\nwithout what only exits need:\n{lean}\nleft at {}",
            scene.state,
            full.position
        );
    }

    fn one(&mut self) {
        let Some(original) = block(&mut self.before, &mut self.random, self.bits) else {
            return;
        };
        let scene = scene(&self.before, &mut self.random);
        let mut alone = original.clone();
        let pass = &PASSES[self.random.below(PASSES.len() as u64) as usize];
        pass.run(&mut alone, Successors::default());
        assert_eq!(ir::verify(&alone), Ok(()), "{}: {alone}", pass.name);
        self.compare(&scene, &original, &alone);

        let mut block = original.clone();
        let needs = run(&mut block, Selection::ALL, Successors::default());
        let again = Needs::of(&block, Successors::default());
        assert!(needs.each().eq(again.each()), "{original}\n{block}");
        self.compare(&scene, &original, &block);
        // The block may be left after each instruction that writes memory.
        let number = self.random.below(block.insns.len() as u64) as u32;
        let pieces = [&original, &block].map(|block| upto(block, number));
        if pieces[0]
            .ops
            .iter()
            .rev()
            .take_while(|(op, _)| !matches!(op, Op::Begin(_)))
            .any(|(op, _)| op.writes_memory())
        {
            self.compare(&scene, &pieces[0], &pieces[1]);
        }
        self.lean.write(0, &self.after.ram());
        let full = self.compare(&scene, &original, &block);
        self.compare_lean(&scene, &block, &full, &needs);
    }
}

/// The block up to the end of an instruction.
fn upto(block: &Block, number: u32) -> Block {
    let mut piece = block.clone();
    let end = piece
        .ops
        .iter()
        .position(|(op, _)| matches!(op, Op::Begin(n) if *n == number + 1));
    piece.ops.truncate(end.unwrap_or(piece.ops.len()));
    piece
}

/// Carries out a write of flags or of a register by itself.
fn carry_out(subject: &mut Subject, block: &Block, full: &Evaluated, position: usize) {
    let state = &mut subject.cpu.state;
    let value = |name: ir::Name| full.values[name.0 as usize][0] as u64;
    match block.ops[position] {
        (Op::Flags(flags), width) => {
            let flags: LazyFlags = flags.map(value, value).apply(width, state.flags);
            state.flags = flags;
        }
        (Op::WriteGpr(register, is_high, name), width) => {
            let written = bytes(width, is_high, true);
            let mask = (0..8).filter(|byte| written >> byte & 1 != 0);
            let mask = mask.fold(0u64, |mask, byte| mask | 0xff << (8 * byte));
            let shift = if width == 8 && is_high { 8 } else { 0 };
            let old = state.gpr(register);
            state.set_gpr(register, old & !mask | value(name) << shift);
        }
        (op, _) => panic!("{op:?} cannot be put off"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(48)))]

    #[test]
    fn passes_keep_meaning(seed in any::<u64>(), mode in 0..3usize) {
        let mut trial = Trial::new(MODES[mode], seed);
        for _ in 0..400 {
            trial.one();
        }
    }
}

#[test]
fn passes_are_chosen_by_name() {
    let names = |text: &str| -> Result<Vec<&str>, super::UnknownPass> {
        let selection: Selection = text.parse()?;
        Ok(selection.passes().map(|pass| pass.name).collect())
    };
    assert_eq!(
        names("all").unwrap(),
        ["forward", "constants", "flags", "dead"]
    );
    assert_eq!(names("none").unwrap(), [""; 0]);
    assert_eq!(names("dead,forward").unwrap(), ["forward", "dead"]);
    assert_eq!(names("-flags").unwrap(), ["forward", "constants", "dead"]);
    assert!(names("inline").is_err());
}

/// How many cases a property test runs; `RAX_CASES` multiplies it.
fn cases(few: u32) -> u32 {
    let factor = std::env::var("RAX_CASES").ok();
    few.saturating_mul(factor.and_then(|text| text.parse().ok()).unwrap_or(1))
}
