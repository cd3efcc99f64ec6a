//! Makes cases: the same seed, form and number, the same case.

mod address;
mod encode;
mod operands;
mod raw;
mod sequence;
mod shape;

use std::sync::LazyLock;

use crate::background;
use crate::case::{CODE_BYTES, Case, Registers};
use crate::form::{Form, Kind};
use crate::random::{Random, hash};

pub(crate) use address::address as operand_address;
pub(crate) use operands::{first, size_of as operand_size, used_memory};
pub use raw::from_bytes;
pub(crate) use raw::is_one_covered;
pub(crate) use shape::Shape;

/// How many cases in a row see the same memory: filling it costs more than to run a case.
const SAME_MEMORY: u64 = 64;

/// The `number`th case of `form`.
#[must_use]
pub fn generate(form: &Form, seed: u64, number: u64) -> Case {
    let name = form.name.bytes().fold(0u64, |sum, byte| {
        sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte)
    });
    let mut random = Random::new(hash(&[seed, name, number]));
    let random = &mut random;
    let mut case = Case {
        code: Vec::new(),
        offset: 0,
        registers: Registers::default(),
        seed: hash(&[seed, number / SAME_MEMORY]),
        patches: Vec::new(),
        instructions: 1,
    };
    match form.kind {
        Kind::One(code) => {
            case.code = encode::one(code, &form.shape, random);
            operands::whole(&mut case);
            place(&mut case, random);
            case.registers = background::registers(&case);
            operands::prepare(&mut case, random);
        }
        Kind::Sequence => sequence::generate(&mut case, random),
        Kind::Raw => raw::generate(&mut case, random),
    }
    case
}

/// Chooses where the code lies: anywhere, across a page, or up to the window's end.
fn place(case: &mut Case, random: &mut Random) {
    let length = case.code.len();
    let last = CODE_BYTES - length;
    case.offset = match random.below(16) {
        0 => {
            (CODE_BYTES / 2 - length.min(CODE_BYTES / 2)) + random.below(length as u64 + 1) as usize
        }
        1 => last,
        2 => 0,
        _ => random.below(last as u64 + 1) as usize,
    };
}

/// The forms that sequences are made of.
static PARTS: LazyLock<sequence::Parts> = LazyLock::new(sequence::parts);

#[cfg(test)]
mod tests;
