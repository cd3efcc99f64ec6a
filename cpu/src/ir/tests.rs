//! Both readers agree: whatever is written in verbs does the same when the interpreter
//! carries it out and when the IR that the builder wrote down is evaluated.

mod bench;

use std::collections::HashSet;

use iced_x86::Code;
use proptest::prelude::*;

use crate::insn::{Meaning, groups};
use crate::testing::{Bits, Random};
use bench::Pair;

const MODES: [Bits; 3] = [Bits::Real, Bits::Protected32, Bits::Long64];

/// What may stand before an opcode.
const PREFIXES: &[&[u8]] = &[
    &[],
    &[0x66],
    &[0x67],
    &[0x66, 0x67],
    &[0x48],
    &[0x66, 0x4f],
    &[0x67, 0x48],
    &[0x41],
    &[0xf2],
    &[0xf3],
    &[0xf2, 0x48],
    &[0xf3, 0x48],
    &[0x66, 0xf3],
    &[0x64],
    &[0xf0],
];

/// The legacy opcode maps.
const MAPS: &[&[u8]] = &[&[], &[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a]];

/// Rows with a shared meaning that no encoding reaches on the processor tested.
#[rustfmt::skip]
const OUT_OF_REACH: &[Code] = &[
    // Branches with an operand-size prefix in 64-bit mode, which Intel's processors ignore.
    Code::Loopne_rel8_16_RCX, Code::Loope_rel8_16_RCX, Code::Loop_rel8_16_RCX,
    Code::Jrcxz_rel8_16,
    // What AMD's models alone have.
    Code::Movntss_m32_xmm, Code::Movntsd_m64_xmm, Code::Femms,
    // Hints, which decode as the reserved NOPs they are.
    Code::Nop_rm16, Code::Nop_rm32, Code::Nop_rm64, Code::Endbr32, Code::Endbr64,
    Code::Prefetch_m8, Code::Prefetchw_m8, Code::Prefetchwt1_m8,
    Code::Prefetchreserved3_m8, Code::Prefetchreserved4_m8, Code::Prefetchreserved5_m8,
    Code::Prefetchreserved6_m8, Code::Prefetchreserved7_m8,
    Code::Prefetchnta_m8, Code::Prefetcht0_m8, Code::Prefetcht1_m8, Code::Prefetcht2_m8,
    Code::Prefetchit0_m8, Code::Prefetchit1_m8, Code::Cldemote_m8,
];

/// Opcode, ModRM and what follows, for each opcode of each map under each prefix.
fn each_encoding(random: &mut Random, mut visit: impl FnMut(&mut Random, &[u8])) {
    for prefix in PREFIXES {
        for map in MAPS {
            for opcode in 0..=255u8 {
                for reg in 0..8u8 {
                    // Fences and their like are told apart by all of ModRM.
                    let whole = (0..8).map(|rm| 0xc0 | reg << 3 | rm);
                    let whole = whole.take(if prefix.is_empty() { 8 } else { 0 });
                    let some = [false, true].map(|is_memory| random.modrm(reg, is_memory));
                    for modrm in whole.chain(some) {
                        let mut bytes = [prefix, *map, &[opcode, modrm]].concat();
                        bytes.extend(random.tail());
                        visit(random, &bytes);
                    }
                }
            }
        }
    }
    for map in 1..=3u8 {
        for opcode in 0..=255u8 {
            // W and pp, reg, whether the operand is in memory, and L.
            for form in 0..=255u8 {
                // Some want no second register: vvvv all ones.
                let register = random.next() as u8 & 0x78;
                let register = register | if random.one_in(2) { 0x78 } else { 0 };
                let second = form & 3 | (form & 4) << 5 | (form & 0x80) >> 5 | register;
                let extend = random.next() as u8 & 0xe0 | if random.one_in(2) { 0xe0 } else { 0 };
                let mut bytes = vec![0xc4, extend | map, second, opcode];
                bytes.push(random.modrm(form >> 3 & 7, form & 0x40 != 0));
                bytes.extend(random.tail());
                visit(random, &bytes);
            }
        }
    }
}

#[test]
fn both_readers_agree_on_every_row() {
    let mut seen = HashSet::new();
    for (seed, bits) in MODES.into_iter().enumerate() {
        let mut pair = Pair::new(bits);
        let mut random = Random(seed as u64);
        each_encoding(&mut random, |random, bytes| {
            if let Some(found) = pair.check(random, bytes) {
                seen.insert(found);
            }
        });
    }
    let mut missing = Vec::new();
    for row in groups().iter().copied().flatten() {
        if !matches!(row.meaning, Meaning::Shared { .. }) || OUT_OF_REACH.contains(&row.code) {
            continue;
        }
        let [register, memory] = [false, true].map(|form| seen.contains(&(row.code, form)));
        let op_code = row.code.op_code();
        let has_both = (0..op_code.op_count())
            .any(|operand| format!("{:?}", op_code.op_kind(operand)).ends_with("_or_mem"));
        if !(register || memory) || (has_both && !(register && memory)) {
            missing.push((row.code, register, memory));
        }
    }
    assert!(
        missing.is_empty(),
        "rows whose register or memory form no encoding reached: {missing:?}"
    );
    for code in OUT_OF_REACH {
        let reached = seen.contains(&(*code, false)) || seen.contains(&(*code, true));
        assert!(!reached, "{code:?} is within reach after all");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(64)))]

    /// The sweep above takes each encoding once; this one takes random ones at length.
    #[test]
    fn both_readers_agree_on_random_instructions(seed in any::<u64>(), mode in 0..3usize) {
        let mut pair = Pair::new(MODES[mode]);
        let mut random = Random(seed);
        for _ in 0..1000 {
            let mut bytes = Vec::new();
            for _ in 0..random.below(3) {
                let prefix = PREFIXES[random.below(PREFIXES.len() as u64) as usize];
                bytes.extend(prefix);
            }
            bytes.extend(MAPS[random.below(3) as usize]);
            bytes.push(random.next() as u8);
            let is_memory = random.one_in(2);
            let reg = random.next() as u8 & 7;
            bytes.push(random.modrm(reg, is_memory));
            bytes.extend(random.tail());
            pair.check(&mut random, &bytes);
        }
    }
}

/// How many cases a property test runs; `RAX_CASES` multiplies it.
fn cases(few: u32) -> u32 {
    let factor = std::env::var("RAX_CASES").ok();
    few.saturating_mul(factor.and_then(|text| text.parse().ok()).unwrap_or(1))
}
