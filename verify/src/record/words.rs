//! Registers as a row of words, which recordings count by place.

use crate::case::{Registers, X87};

/// How many words there are.
pub(super) const COUNT: usize = 16 + 5 + 16 + 6 + 64;

/// The words of registers, in a fixed order.
pub(super) fn to_words(registers: &Registers) -> [u64; COUNT] {
    let x87 = &registers.x87;
    let scalars = [
        registers.rip,
        registers.rflags,
        registers.fs_base,
        registers.gs_base,
        registers.mxcsr.into(),
    ];
    let st = x87
        .st
        .iter()
        .flat_map(|st| [*st as u64, (*st >> 64) as u64]);
    let unit = [
        x87.control.into(),
        x87.status.into(),
        x87.tag.into(),
        x87.opcode.into(),
        x87.instruction,
        x87.operand,
    ];
    let all = registers
        .gpr
        .into_iter()
        .chain(scalars)
        .chain(st)
        .chain(unit);
    let all = all.chain(registers.ymm.into_iter().flatten());
    let mut words = [0; COUNT];
    for (place, word) in words.iter_mut().zip(all) {
        *place = word;
    }
    words
}

/// The registers that these words are; what does not fit is cut off.
pub(super) fn from_words(words: &[u64; COUNT]) -> Registers {
    let mut rest = words.iter().copied();
    let mut next = || rest.next().unwrap_or_default();
    Registers {
        gpr: std::array::from_fn(|_| next()),
        rip: next(),
        rflags: next(),
        fs_base: next(),
        gs_base: next(),
        mxcsr: next() as u32,
        x87: X87 {
            st: std::array::from_fn(|_| u128::from(next()) | u128::from(next()) << 64),
            control: next() as u16,
            status: next() as u16,
            tag: next() as u8,
            opcode: next() as u16,
            instruction: next(),
            operand: next(),
        },
        ymm: std::array::from_fn(|_| std::array::from_fn(|_| next())),
    }
}
