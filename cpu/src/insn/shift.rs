//! Shifts and rotates (SDM 1, 5.1.5).

use super::{Imm, Insn, Reg1, Reg2, Row, row_rm};
use crate::verbs::{Byte, DoubleShiftOp, Dword, Flags, Qword, ShiftOp, Slot, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    row_rm!(Rol_rm8_imm8, rol, Byte; Imm),
    row_rm!(Rol_rm8_1, rol, Byte; Imm),
    row_rm!(Rol_rm8_CL, rol, Byte; Reg1),
    row_rm!(Rol_rm16_imm8, rol, Word; Imm),
    row_rm!(Rol_rm16_1, rol, Word; Imm),
    row_rm!(Rol_rm16_CL, rol, Word; Reg1),
    row_rm!(Rol_rm32_imm8, rol, Dword; Imm),
    row_rm!(Rol_rm32_1, rol, Dword; Imm),
    row_rm!(Rol_rm32_CL, rol, Dword; Reg1),
    row_rm!(Rol_rm64_imm8, rol, Qword; Imm),
    row_rm!(Rol_rm64_1, rol, Qword; Imm),
    row_rm!(Rol_rm64_CL, rol, Qword; Reg1),
    row_rm!(Ror_rm8_imm8, ror, Byte; Imm),
    row_rm!(Ror_rm8_1, ror, Byte; Imm),
    row_rm!(Ror_rm8_CL, ror, Byte; Reg1),
    row_rm!(Ror_rm16_imm8, ror, Word; Imm),
    row_rm!(Ror_rm16_1, ror, Word; Imm),
    row_rm!(Ror_rm16_CL, ror, Word; Reg1),
    row_rm!(Ror_rm32_imm8, ror, Dword; Imm),
    row_rm!(Ror_rm32_1, ror, Dword; Imm),
    row_rm!(Ror_rm32_CL, ror, Dword; Reg1),
    row_rm!(Ror_rm64_imm8, ror, Qword; Imm),
    row_rm!(Ror_rm64_1, ror, Qword; Imm),
    row_rm!(Ror_rm64_CL, ror, Qword; Reg1),
    row_rm!(Rcl_rm8_imm8, rcl, Byte; Imm),
    row_rm!(Rcl_rm8_1, rcl, Byte; Imm),
    row_rm!(Rcl_rm8_CL, rcl, Byte; Reg1),
    row_rm!(Rcl_rm16_imm8, rcl, Word; Imm),
    row_rm!(Rcl_rm16_1, rcl, Word; Imm),
    row_rm!(Rcl_rm16_CL, rcl, Word; Reg1),
    row_rm!(Rcl_rm32_imm8, rcl, Dword; Imm),
    row_rm!(Rcl_rm32_1, rcl, Dword; Imm),
    row_rm!(Rcl_rm32_CL, rcl, Dword; Reg1),
    row_rm!(Rcl_rm64_imm8, rcl, Qword; Imm),
    row_rm!(Rcl_rm64_1, rcl, Qword; Imm),
    row_rm!(Rcl_rm64_CL, rcl, Qword; Reg1),
    row_rm!(Rcr_rm8_imm8, rcr, Byte; Imm),
    row_rm!(Rcr_rm8_1, rcr, Byte; Imm),
    row_rm!(Rcr_rm8_CL, rcr, Byte; Reg1),
    row_rm!(Rcr_rm16_imm8, rcr, Word; Imm),
    row_rm!(Rcr_rm16_1, rcr, Word; Imm),
    row_rm!(Rcr_rm16_CL, rcr, Word; Reg1),
    row_rm!(Rcr_rm32_imm8, rcr, Dword; Imm),
    row_rm!(Rcr_rm32_1, rcr, Dword; Imm),
    row_rm!(Rcr_rm32_CL, rcr, Dword; Reg1),
    row_rm!(Rcr_rm64_imm8, rcr, Qword; Imm),
    row_rm!(Rcr_rm64_1, rcr, Qword; Imm),
    row_rm!(Rcr_rm64_CL, rcr, Qword; Reg1),
    row_rm!(Shl_rm8_imm8, shl, Byte; Imm),
    row_rm!(Shl_rm8_1, shl, Byte; Imm),
    row_rm!(Shl_rm8_CL, shl, Byte; Reg1),
    row_rm!(Shl_rm16_imm8, shl, Word; Imm),
    row_rm!(Shl_rm16_1, shl, Word; Imm),
    row_rm!(Shl_rm16_CL, shl, Word; Reg1),
    row_rm!(Shl_rm32_imm8, shl, Dword; Imm),
    row_rm!(Shl_rm32_1, shl, Dword; Imm),
    row_rm!(Shl_rm32_CL, shl, Dword; Reg1),
    row_rm!(Shl_rm64_imm8, shl, Qword; Imm),
    row_rm!(Shl_rm64_1, shl, Qword; Imm),
    row_rm!(Shl_rm64_CL, shl, Qword; Reg1),
    row_rm!(Shr_rm8_imm8, shr, Byte; Imm),
    row_rm!(Shr_rm8_1, shr, Byte; Imm),
    row_rm!(Shr_rm8_CL, shr, Byte; Reg1),
    row_rm!(Shr_rm16_imm8, shr, Word; Imm),
    row_rm!(Shr_rm16_1, shr, Word; Imm),
    row_rm!(Shr_rm16_CL, shr, Word; Reg1),
    row_rm!(Shr_rm32_imm8, shr, Dword; Imm),
    row_rm!(Shr_rm32_1, shr, Dword; Imm),
    row_rm!(Shr_rm32_CL, shr, Dword; Reg1),
    row_rm!(Shr_rm64_imm8, shr, Qword; Imm),
    row_rm!(Shr_rm64_1, shr, Qword; Imm),
    row_rm!(Shr_rm64_CL, shr, Qword; Reg1),
    row_rm!(Sal_rm8_imm8, shl, Byte; Imm),
    row_rm!(Sal_rm8_1, shl, Byte; Imm),
    row_rm!(Sal_rm8_CL, shl, Byte; Reg1),
    row_rm!(Sal_rm16_imm8, shl, Word; Imm),
    row_rm!(Sal_rm16_1, shl, Word; Imm),
    row_rm!(Sal_rm16_CL, shl, Word; Reg1),
    row_rm!(Sal_rm32_imm8, shl, Dword; Imm),
    row_rm!(Sal_rm32_1, shl, Dword; Imm),
    row_rm!(Sal_rm32_CL, shl, Dword; Reg1),
    row_rm!(Sal_rm64_imm8, shl, Qword; Imm),
    row_rm!(Sal_rm64_1, shl, Qword; Imm),
    row_rm!(Sal_rm64_CL, shl, Qword; Reg1),
    row_rm!(Sar_rm8_imm8, sar, Byte; Imm),
    row_rm!(Sar_rm8_1, sar, Byte; Imm),
    row_rm!(Sar_rm8_CL, sar, Byte; Reg1),
    row_rm!(Sar_rm16_imm8, sar, Word; Imm),
    row_rm!(Sar_rm16_1, sar, Word; Imm),
    row_rm!(Sar_rm16_CL, sar, Word; Reg1),
    row_rm!(Sar_rm32_imm8, sar, Dword; Imm),
    row_rm!(Sar_rm32_1, sar, Dword; Imm),
    row_rm!(Sar_rm32_CL, sar, Dword; Reg1),
    row_rm!(Sar_rm64_imm8, sar, Qword; Imm),
    row_rm!(Sar_rm64_1, sar, Qword; Imm),
    row_rm!(Sar_rm64_CL, sar, Qword; Reg1),
    row_rm!(Shld_rm16_r16_imm8, shld, Word; Imm),
    row_rm!(Shld_rm16_r16_CL, shld, Word; Reg2),
    row_rm!(Shld_rm32_r32_imm8, shld, Dword; Imm),
    row_rm!(Shld_rm32_r32_CL, shld, Dword; Reg2),
    row_rm!(Shld_rm64_r64_imm8, shld, Qword; Imm),
    row_rm!(Shld_rm64_r64_CL, shld, Qword; Reg2),
    row_rm!(Shrd_rm16_r16_imm8, shrd, Word; Imm),
    row_rm!(Shrd_rm16_r16_CL, shrd, Word; Reg2),
    row_rm!(Shrd_rm32_r32_imm8, shrd, Dword; Imm),
    row_rm!(Shrd_rm32_r32_CL, shrd, Dword; Reg2),
    row_rm!(Shrd_rm64_r64_imm8, shrd, Qword; Imm),
    row_rm!(Shrd_rm64_r64_CL, shrd, Qword; Reg2),
];

/// The count, masked as every processor since the 80186 does.
#[inline(always)]
fn count<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<V::Value<Byte>, V::Fault> {
    let count = v.read::<Byte>(S::of(insn))?;
    let mask = v.constant::<Byte>(if W::BITS == 64 { 63 } else { 31 });
    Ok(v.and::<Byte>(count, mask))
}

#[inline(always)]
fn shift<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: ShiftOp,
) -> Result<(), V::Fault> {
    let count = count::<V, W, S>(v, insn)?;
    let (value, spot) = v.modify::<W>(D::of(insn))?;
    let result = v.shift::<W>(op, value, count);
    v.commit::<W>(spot, result);
    v.flags::<W>(Flags::Shift {
        op,
        value,
        count,
        result,
    });
    Ok(())
}

#[inline(always)]
fn through_carry<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: DoubleShiftOp,
) -> Result<(), V::Fault> {
    let count = count::<V, W, S>(v, insn)?;
    let (value, spot) = v.modify::<W>(D::of(insn))?;
    let source = v.carry::<W>();
    let result = v.double_shift::<W>(op, value, source, count);
    v.commit::<W>(spot, result);
    v.flags::<W>(Flags::DoubleShift {
        op,
        value,
        source,
        count,
        result,
    });
    Ok(())
}

#[inline(always)]
fn double_shift<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: DoubleShiftOp,
) -> Result<(), V::Fault> {
    let count = count::<V, W, S>(v, insn)?;
    let source = v.read::<W>(Reg1::of(insn))?;
    let (value, spot) = v.modify::<W>(D::of(insn))?;
    let result = v.double_shift::<W>(op, value, source, count);
    v.commit::<W>(spot, result);
    v.flags::<W>(Flags::DoubleShift {
        op,
        value,
        source,
        count,
        result,
    });
    Ok(())
}

#[inline(always)]
fn rol<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    shift::<V, W, D, S>(v, insn, ShiftOp::Rol)
}

#[inline(always)]
fn ror<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    shift::<V, W, D, S>(v, insn, ShiftOp::Ror)
}

#[inline(always)]
fn shl<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    shift::<V, W, D, S>(v, insn, ShiftOp::Shl)
}

#[inline(always)]
fn shr<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    shift::<V, W, D, S>(v, insn, ShiftOp::Shr)
}

#[inline(always)]
fn sar<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    shift::<V, W, D, S>(v, insn, ShiftOp::Sar)
}

#[inline(always)]
fn rcl<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    through_carry::<V, W, D, S>(v, insn, DoubleShiftOp::Rcl)
}

#[inline(always)]
fn rcr<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    through_carry::<V, W, D, S>(v, insn, DoubleShiftOp::Rcr)
}

#[inline(always)]
fn shld<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    double_shift::<V, W, D, S>(v, insn, DoubleShiftOp::Shld)
}

#[inline(always)]
fn shrd<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    double_shift::<V, W, D, S>(v, insn, DoubleShiftOp::Shrd)
}
