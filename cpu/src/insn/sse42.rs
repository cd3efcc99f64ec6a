//! SSE4.2 (SDM 1, 5.11 and 12.11). CRC32 needs no vector unit.

use super::vector::rows::packed;
use super::vector::{compare_strings, packed};
use super::{Insn, Mem, Reg1, Row, Unit, helper, row_r_rm};
use crate::verbs::{BinaryOp, Byte, Dword, Qword, Slot, Verbs, Width, Word, X128};

pub(super) const ROWS: &[Row] = &[
    packed!(Pcmpgtq_xmm_xmmm128, Greater(Qword)),
    row_r_rm!(Crc32_r32_rm8, crc32, Byte),
    row_r_rm!(Crc32_r64_rm8, crc32, Byte),
    row_r_rm!(Crc32_r32_rm16, crc32, Word),
    row_r_rm!(Crc32_r32_rm32, crc32, Dword),
    row_r_rm!(Crc32_r64_rm64, crc32, Qword),
    helper!(Pcmpestrm_xmm_xmmm128_imm8, compare_strings::<X128>).needs(Unit::Sse),
    helper!(Pcmpestrm64_xmm_xmmm128_imm8, compare_strings::<X128>).needs(Unit::Sse),
    helper!(Pcmpestri_xmm_xmmm128_imm8, compare_strings::<X128>).needs(Unit::Sse),
    helper!(Pcmpestri64_xmm_xmmm128_imm8, compare_strings::<X128>).needs(Unit::Sse),
    helper!(Pcmpistrm_xmm_xmmm128_imm8, compare_strings::<X128>).needs(Unit::Sse),
    helper!(Pcmpistri_xmm_xmmm128_imm8, compare_strings::<X128>).needs(Unit::Sse),
];

/// CRC32: 32 bits of the destination are the remainder so far; the upper half is cleared.
#[inline(always)]
fn crc32<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let data = v.read::<W>(S::of(insn))?;
    let data = v.zero_extend::<W, Qword>(data);
    let first = v.read::<Dword>(D::of(insn))?;
    let first = v.zero_extend::<Dword, Qword>(first);
    let rest = v.binary::<Qword>(BinaryOp::Crc32(W::BITS), first, data);
    let rest = v.zero_extend::<Qword, Dword>(rest);
    v.write::<Dword>(D::of(insn), rest)
}
