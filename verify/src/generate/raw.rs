//! Bytes as they come: does the processor find the same instruction in them, or none?

use super::operands;
use crate::background;
use crate::case::{CODE, CODE_BYTES, Case, Registers};
use crate::form::{self, Standing};
use crate::random::Random;

const PREFIXES: [u8; 27] = [
    0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x40, 0x41, 0x42, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f,
];

/// How often bytes are thrown again that would run what is left out.
const TRIES: usize = 100;

pub(super) fn generate(case: &mut Case, random: &mut Random) {
    for _ in 0..TRIES {
        case.code = bytes(random);
        let is_short = cut(case, random);
        if may_run(case) {
            case.registers = background::registers(case);
            if !is_short {
                operands::prepare(case, random);
            }
            if may_run(case) {
                return;
            }
        }
    }
    case.code = vec![0x90];
    case.patches.clear();
    case.registers = background::registers(case);
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24);
    for _ in 0..random.below(4) {
        bytes.push(random.pick(&PREFIXES));
    }
    match random.below(8) {
        0..=2 => bytes.push(0x0f),
        3 => bytes.extend([0x0f, 0x38]),
        4 => bytes.extend([0x0f, 0x3a]),
        5 => {
            let map = 1 + random.below(3) as u8;
            bytes.extend([0xc4, random.byte() & 0xe0 | map, random.byte()]);
        }
        _ => {}
    }
    while bytes.len() < 15 {
        bytes.push(random.byte());
    }
    bytes
}

/// Leaves one instruction, as iced-x86 sees it; sometimes less than one, at the
/// window's end. True if so.
fn cut(case: &mut Case, random: &mut Random) -> bool {
    let (instruction, _) = operands::first(case);
    let length = if instruction.is_invalid() {
        // However long it is, it must not run on into what follows.
        case.code.len()
    } else {
        instruction.len()
    };
    if random.one_in(8) && length > 1 {
        let less = 1 + random.below(length as u64 - 1) as usize;
        case.code.truncate(less);
        case.offset = CODE_BYTES - less;
        return true;
    }
    case.code.truncate(length);
    super::place(case, random);
    false
}

/// Whether all that could run is something that may.
fn may_run(case: &Case) -> bool {
    let instruction = operands::found(case);
    if instruction.is_invalid() {
        return true;
    }
    let ip = CODE + case.offset as u64;
    let is_endless = (ip..instruction.next_ip()).contains(&instruction.near_branch_target())
        && instruction.near_branch_target() != 0;
    let form = form::of(instruction.code());
    !is_endless && form.is_some_and(|form| form.standing == Standing::Covered)
}

/// Whether a case of one instruction is still that, or none at all.
pub(crate) fn is_one_covered(case: &Case) -> bool {
    let instruction = operands::found(case);
    let length = case.code.len();
    (instruction.is_invalid() || instruction.len() == length) && may_run(case)
}

/// A case out of a fuzzer's bytes: where the code lies, a seed for all that it starts
/// from, and the code. None if there are too few.
#[must_use]
pub fn from_bytes(bytes: &[u8]) -> Option<Case> {
    /// Longer than any instruction, and short enough to be run often.
    const LONGEST: usize = 64;
    let (head, code) = bytes.split_at_checked(10)?;
    if code.is_empty() {
        return None;
    }
    let seed = u64::from_le_bytes(head[..8].try_into().ok()?);
    let offset = usize::from(u16::from_le_bytes([head[8], head[9]]));
    let code = code[..code.len().min(LONGEST)].to_vec();
    let mut case = Case {
        offset: offset % (CODE_BYTES - code.len() + 1),
        code,
        registers: Registers::default(),
        seed,
        patches: Vec::new(),
        instructions: 100,
    };
    case.registers = background::registers(&case);
    operands::prepare(&mut case, &mut Random::new(seed));
    Some(case)
}
