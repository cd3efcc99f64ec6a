//! Bit manipulation (SDM 1, 5.1.16): BMI1 and BMI2.

use super::{Insn, Mem, Reg0, Reg1, Reg2, Row, row_r_rm};
use crate::state::Gpr;
use crate::verbs::{BinaryOp, Byte, Dword, Flags, Qword, ShiftOp, Slot, UnaryOp, Verbs, Width};

pub(super) const ROWS: &[Row] = &[
    Row::shared(
        iced_x86::Code::VEX_Andn_r32_r32_rm32,
        super::both!(andn, Dword, Reg2),
        super::both!(andn, Dword, Mem),
    ),
    Row::shared(
        iced_x86::Code::VEX_Andn_r64_r64_rm64,
        super::both!(andn, Qword, Reg2),
        super::both!(andn, Qword, Mem),
    ),
    row_r_rm!(VEX_Bextr_r32_rm32_r32, bextr, Dword),
    row_r_rm!(VEX_Bextr_r64_rm64_r64, bextr, Qword),
    row_r_rm!(VEX_Bzhi_r32_rm32_r32, bzhi, Dword),
    row_r_rm!(VEX_Bzhi_r64_rm64_r64, bzhi, Qword),
    row_r_rm!(VEX_Sarx_r32_rm32_r32, sarx, Dword),
    row_r_rm!(VEX_Sarx_r64_rm64_r64, sarx, Qword),
    row_r_rm!(VEX_Shlx_r32_rm32_r32, shlx, Dword),
    row_r_rm!(VEX_Shlx_r64_rm64_r64, shlx, Qword),
    row_r_rm!(VEX_Shrx_r32_rm32_r32, shrx, Dword),
    row_r_rm!(VEX_Shrx_r64_rm64_r64, shrx, Qword),
    row_r_rm!(VEX_Blsi_r32_rm32, blsi, Dword),
    row_r_rm!(VEX_Blsi_r64_rm64, blsi, Qword),
    row_r_rm!(VEX_Blsmsk_r32_rm32, blsmsk, Dword),
    row_r_rm!(VEX_Blsmsk_r64_rm64, blsmsk, Qword),
    row_r_rm!(VEX_Blsr_r32_rm32, blsr, Dword),
    row_r_rm!(VEX_Blsr_r64_rm64, blsr, Qword),
    Row::shared(
        iced_x86::Code::VEX_Pdep_r32_r32_rm32,
        super::both!(pdep, Dword, Reg2),
        super::both!(pdep, Dword, Mem),
    ),
    Row::shared(
        iced_x86::Code::VEX_Pdep_r64_r64_rm64,
        super::both!(pdep, Qword, Reg2),
        super::both!(pdep, Qword, Mem),
    ),
    Row::shared(
        iced_x86::Code::VEX_Pext_r32_r32_rm32,
        super::both!(pext, Dword, Reg2),
        super::both!(pext, Dword, Mem),
    ),
    Row::shared(
        iced_x86::Code::VEX_Pext_r64_r64_rm64,
        super::both!(pext, Qword, Reg2),
        super::both!(pext, Qword, Mem),
    ),
    Row::shared(
        iced_x86::Code::VEX_Mulx_r32_r32_rm32,
        super::both!(mulx, Dword, Reg2),
        super::both!(mulx, Dword, Mem),
    ),
    Row::shared(
        iced_x86::Code::VEX_Mulx_r64_r64_rm64,
        super::both!(mulx, Qword, Reg2),
        super::both!(mulx, Qword, Mem),
    ),
    row_r_rm!(VEX_Rorx_r32_rm32_imm8, rorx, Dword),
    row_r_rm!(VEX_Rorx_r64_rm64_imm8, rorx, Qword),
];

#[inline(always)]
fn andn<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let a = v.read::<W>(Reg1::of(insn))?;
    let a = v.unary::<W>(UnaryOp::Not, a);
    let result = v.and::<W>(a, b);
    v.write::<W>(Reg0::of(insn), result)?;
    v.flags::<W>(Flags::Logic { result });
    Ok(())
}

/// All bits below `length`; every bit if that is the width or more.
#[inline(always)]
fn low_bits<V: Verbs, W: Width>(v: &mut V, length: V::Value<Byte>) -> V::Value<W> {
    // Below the width, 1 << length less 1; a length with bit 6 or above the width's is whole.
    let one = v.constant::<W>(1);
    let within = v.constant::<Byte>(u64::from(W::BITS) - 1);
    let count = v.and::<Byte>(length, within);
    let power = v.shift::<W>(ShiftOp::Shl, one, count);
    let some = v.sub::<W>(power, one);
    let all = v.constant::<W>(u64::MAX);
    let beyond = v.constant::<Byte>(!(u64::from(W::BITS) - 1));
    let excess = v.and::<Byte>(length, beyond);
    let is_within = v.is_zero::<Byte>(excess);
    v.select::<W>(is_within, some, all)
}

#[inline(always)]
fn bextr<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let control = v.read::<W>(Reg2::of(insn))?;
    let start = v.zero_extend::<W, Byte>(control);
    let eight = v.constant::<Byte>(8);
    let upper = v.shift::<W>(ShiftOp::Shr, control, eight);
    let length = v.zero_extend::<W, Byte>(upper);
    let within = v.constant::<Byte>(u64::from(W::BITS) - 1);
    let count = v.and::<Byte>(start, within);
    let shifted = v.shift::<W>(ShiftOp::Shr, value, count);
    let beyond = v.constant::<Byte>(!(u64::from(W::BITS) - 1));
    let excess = v.and::<Byte>(start, beyond);
    let is_within = v.is_zero::<Byte>(excess);
    let zero = v.constant::<W>(0);
    let shifted = v.select::<W>(is_within, shifted, zero);
    let mask = low_bits::<V, W>(v, length);
    let result = v.and::<W>(shifted, mask);
    v.write::<W>(D::of(insn), result)?;
    v.flags::<W>(Flags::Logic { result });
    Ok(())
}

#[inline(always)]
fn bzhi<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let control = v.read::<W>(Reg2::of(insn))?;
    let length = v.zero_extend::<W, Byte>(control);
    let mask = low_bits::<V, W>(v, length);
    let result = v.and::<W>(value, mask);
    // CF: the index lies beyond the operand.
    let beyond = v.constant::<Byte>(!(u64::from(W::BITS) - 1));
    let excess = v.and::<Byte>(length, beyond);
    let is_within = v.is_zero::<Byte>(excess);
    let zero = v.constant::<Byte>(0);
    let one = v.constant::<Byte>(1);
    let carry = v.select::<Byte>(is_within, zero, one);
    v.write::<W>(D::of(insn), result)?;
    v.flags::<W>(Flags::Carry { result, carry });
    Ok(())
}

/// Isolates, masks up to, or resets the lowest set bit.
#[inline(always)]
fn lowest<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: BinaryOp,
    carry_if_zero: bool,
) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let one = v.constant::<W>(1);
    let less = v.sub::<W>(value, one);
    let result = v.binary::<W>(op, value, less);
    let none = v.is_zero::<W>(value);
    let yes = v.constant::<Byte>(u64::from(carry_if_zero));
    let no = v.constant::<Byte>(u64::from(!carry_if_zero));
    let carry = v.select::<Byte>(none, yes, no);
    v.write::<W>(D::of(insn), result)?;
    v.flags::<W>(Flags::Carry { result, carry });
    Ok(())
}

#[inline(always)]
fn blsmsk<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    lowest::<V, W, D, S>(v, insn, BinaryOp::Xor, true)
}

#[inline(always)]
fn blsr<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    lowest::<V, W, D, S>(v, insn, BinaryOp::And, true)
}

#[inline(always)]
fn blsi<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let zero = v.constant::<W>(0);
    let negative = v.sub::<W>(zero, value);
    let result = v.and::<W>(value, negative);
    let none = v.is_zero::<W>(value);
    let (no, yes) = (v.constant::<Byte>(0), v.constant::<Byte>(1));
    let carry = v.select::<Byte>(none, no, yes);
    v.write::<W>(D::of(insn), result)?;
    v.flags::<W>(Flags::Carry { result, carry });
    Ok(())
}

#[inline(always)]
fn scatter<V: Verbs, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: BinaryOp,
) -> Result<(), V::Fault> {
    let places = v.read::<W>(S::of(insn))?;
    let value = v.read::<W>(Reg1::of(insn))?;
    let result = v.binary::<W>(op, value, places);
    v.write::<W>(Reg0::of(insn), result)
}

#[inline(always)]
fn pdep<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    scatter::<V, W, S>(v, insn, BinaryOp::DepositBits)
}

#[inline(always)]
fn pext<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    scatter::<V, W, S>(v, insn, BinaryOp::ExtractBits)
}

/// No flags. If both destinations are one register, it holds the high half.
#[inline(always)]
fn mulx<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = v.read::<W>(S::of(insn))?;
    let a = v.gpr::<W>(Gpr::Rdx);
    let low = v.binary::<W>(BinaryOp::Mul, a, b);
    let high = v.binary::<W>(BinaryOp::MulHighUnsigned, a, b);
    v.write::<W>(Reg1::of(insn), low)?;
    v.write::<W>(Reg0::of(insn), high)
}

#[inline(always)]
fn shift_by<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: ShiftOp,
) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let count = v.read::<W>(Reg2::of(insn))?;
    let count = v.zero_extend::<W, Byte>(count);
    let mask = v.constant::<Byte>(u64::from(W::BITS) - 1);
    let count = v.and::<Byte>(count, mask);
    let result = v.shift::<W>(op, value, count);
    v.write::<W>(D::of(insn), result)
}

#[inline(always)]
fn sarx<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    shift_by::<V, W, D, S>(v, insn, ShiftOp::Sar)
}

#[inline(always)]
fn shlx<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    shift_by::<V, W, D, S>(v, insn, ShiftOp::Shl)
}

#[inline(always)]
fn shrx<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    shift_by::<V, W, D, S>(v, insn, ShiftOp::Shr)
}

#[inline(always)]
fn rorx<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let count = v.constant::<Byte>(insn.immediate & (u64::from(W::BITS) - 1));
    let result = v.shift::<W>(ShiftOp::Ror, value, count);
    v.write::<W>(D::of(insn), result)
}
