//! Logical instructions (SDM 1, 5.1.4): AND, OR, XOR, NOT, TEST.

use super::{Imm, Insn, Reg0, Reg1, Row, row, row_r_rm, row_rm};
use crate::verbs::{BinaryOp, Byte, Dword, Flags, Qword, Slot, UnaryOp, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    row_rm!(And_rm8_r8, and, Byte; Reg1),
    row_rm!(And_rm16_r16, and, Word; Reg1),
    row_rm!(And_rm32_r32, and, Dword; Reg1),
    row_rm!(And_rm64_r64, and, Qword; Reg1),
    row_r_rm!(And_r8_rm8, and, Byte),
    row_r_rm!(And_r16_rm16, and, Word),
    row_r_rm!(And_r32_rm32, and, Dword),
    row_r_rm!(And_r64_rm64, and, Qword),
    row!(And_AL_imm8, and, Byte, Reg0, Imm),
    row!(And_AX_imm16, and, Word, Reg0, Imm),
    row!(And_EAX_imm32, and, Dword, Reg0, Imm),
    row!(And_RAX_imm32, and, Qword, Reg0, Imm),
    row_rm!(And_rm8_imm8, and, Byte; Imm),
    row_rm!(And_rm16_imm16, and, Word; Imm),
    row_rm!(And_rm32_imm32, and, Dword; Imm),
    row_rm!(And_rm64_imm32, and, Qword; Imm),
    row_rm!(And_rm8_imm8_82, and, Byte; Imm),
    row_rm!(And_rm16_imm8, and, Word; Imm),
    row_rm!(And_rm32_imm8, and, Dword; Imm),
    row_rm!(And_rm64_imm8, and, Qword; Imm),
    row_rm!(Or_rm8_r8, or, Byte; Reg1),
    row_rm!(Or_rm16_r16, or, Word; Reg1),
    row_rm!(Or_rm32_r32, or, Dword; Reg1),
    row_rm!(Or_rm64_r64, or, Qword; Reg1),
    row_r_rm!(Or_r8_rm8, or, Byte),
    row_r_rm!(Or_r16_rm16, or, Word),
    row_r_rm!(Or_r32_rm32, or, Dword),
    row_r_rm!(Or_r64_rm64, or, Qword),
    row!(Or_AL_imm8, or, Byte, Reg0, Imm),
    row!(Or_AX_imm16, or, Word, Reg0, Imm),
    row!(Or_EAX_imm32, or, Dword, Reg0, Imm),
    row!(Or_RAX_imm32, or, Qword, Reg0, Imm),
    row_rm!(Or_rm8_imm8, or, Byte; Imm),
    row_rm!(Or_rm16_imm16, or, Word; Imm),
    row_rm!(Or_rm32_imm32, or, Dword; Imm),
    row_rm!(Or_rm64_imm32, or, Qword; Imm),
    row_rm!(Or_rm8_imm8_82, or, Byte; Imm),
    row_rm!(Or_rm16_imm8, or, Word; Imm),
    row_rm!(Or_rm32_imm8, or, Dword; Imm),
    row_rm!(Or_rm64_imm8, or, Qword; Imm),
    row_rm!(Xor_rm8_r8, xor, Byte; Reg1),
    row_rm!(Xor_rm16_r16, xor, Word; Reg1),
    row_rm!(Xor_rm32_r32, xor, Dword; Reg1),
    row_rm!(Xor_rm64_r64, xor, Qword; Reg1),
    row_r_rm!(Xor_r8_rm8, xor, Byte),
    row_r_rm!(Xor_r16_rm16, xor, Word),
    row_r_rm!(Xor_r32_rm32, xor, Dword),
    row_r_rm!(Xor_r64_rm64, xor, Qword),
    row!(Xor_AL_imm8, xor, Byte, Reg0, Imm),
    row!(Xor_AX_imm16, xor, Word, Reg0, Imm),
    row!(Xor_EAX_imm32, xor, Dword, Reg0, Imm),
    row!(Xor_RAX_imm32, xor, Qword, Reg0, Imm),
    row_rm!(Xor_rm8_imm8, xor, Byte; Imm),
    row_rm!(Xor_rm16_imm16, xor, Word; Imm),
    row_rm!(Xor_rm32_imm32, xor, Dword; Imm),
    row_rm!(Xor_rm64_imm32, xor, Qword; Imm),
    row_rm!(Xor_rm8_imm8_82, xor, Byte; Imm),
    row_rm!(Xor_rm16_imm8, xor, Word; Imm),
    row_rm!(Xor_rm32_imm8, xor, Dword; Imm),
    row_rm!(Xor_rm64_imm8, xor, Qword; Imm),
    row_rm!(Test_rm8_r8, test, Byte; Reg1),
    row_rm!(Test_rm16_r16, test, Word; Reg1),
    row_rm!(Test_rm32_r32, test, Dword; Reg1),
    row_rm!(Test_rm64_r64, test, Qword; Reg1),
    row!(Test_AL_imm8, test, Byte, Reg0, Imm),
    row!(Test_AX_imm16, test, Word, Reg0, Imm),
    row!(Test_EAX_imm32, test, Dword, Reg0, Imm),
    row!(Test_RAX_imm32, test, Qword, Reg0, Imm),
    row_rm!(Test_rm8_imm8, test, Byte; Imm),
    row_rm!(Test_rm16_imm16, test, Word; Imm),
    row_rm!(Test_rm32_imm32, test, Dword; Imm),
    row_rm!(Test_rm64_imm32, test, Qword; Imm),
    row_rm!(Test_rm8_imm8_F6r1, test, Byte; Imm),
    row_rm!(Test_rm16_imm16_F7r1, test, Word; Imm),
    row_rm!(Test_rm32_imm32_F7r1, test, Dword; Imm),
    row_rm!(Test_rm64_imm32_F7r1, test, Qword; Imm),
    row_rm!(Not_rm8, not, Byte),
    row_rm!(Not_rm16, not, Word),
    row_rm!(Not_rm32, not, Dword),
    row_rm!(Not_rm64, not, Qword),
];

#[inline(always)]
fn combine<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: BinaryOp,
) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let result = v.binary::<W>(op, a, b);
    v.commit::<W>(spot, result);
    v.flags::<W>(Flags::Logic { result });
    Ok(())
}

#[inline(always)]
fn and<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    combine::<V, W, D, S>(v, insn, BinaryOp::And)
}

#[inline(always)]
fn or<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    combine::<V, W, D, S>(v, insn, BinaryOp::Or)
}

#[inline(always)]
fn xor<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    combine::<V, W, D, S>(v, insn, BinaryOp::Xor)
}

#[inline(always)]
fn test<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let a = v.read::<W>(D::of(insn))?;
    let b = v.read::<W>(S::of(insn))?;
    let result = v.and::<W>(a, b);
    v.flags::<W>(Flags::Logic { result });
    Ok(())
}

/// No flags.
#[inline(always)]
fn not<V: Verbs, W: Width, D: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let result = v.unary::<W>(UnaryOp::Not, a);
    v.commit::<W>(spot, result);
    Ok(())
}
