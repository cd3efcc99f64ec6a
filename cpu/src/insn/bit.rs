//! Bit and byte instructions (SDM 1, 5.1.6): BT and its kin, BSF, BSR, SETcc, POPCNT,
//! LZCNT, TZCNT.

use super::{Imm, Insn, Reg0, Reg1, Row, condition, row_r_rm, row_rm};
use crate::verbs::{
    BinaryOp, Byte, ConditionCode, Dword, Flags, Qword, ShiftOp, Slot, UnaryOp, Verbs, Width, Word,
};

pub(super) const ROWS: &[Row] = &[
    row_rm!(Seto_rm8, set, Byte; condition::O),
    row_rm!(Setno_rm8, set, Byte; condition::No),
    row_rm!(Setb_rm8, set, Byte; condition::B),
    row_rm!(Setae_rm8, set, Byte; condition::Ae),
    row_rm!(Sete_rm8, set, Byte; condition::E),
    row_rm!(Setne_rm8, set, Byte; condition::Ne),
    row_rm!(Setbe_rm8, set, Byte; condition::Be),
    row_rm!(Seta_rm8, set, Byte; condition::A),
    row_rm!(Sets_rm8, set, Byte; condition::S),
    row_rm!(Setns_rm8, set, Byte; condition::Ns),
    row_rm!(Setp_rm8, set, Byte; condition::P),
    row_rm!(Setnp_rm8, set, Byte; condition::Np),
    row_rm!(Setl_rm8, set, Byte; condition::L),
    row_rm!(Setge_rm8, set, Byte; condition::Ge),
    row_rm!(Setle_rm8, set, Byte; condition::Le),
    row_rm!(Setg_rm8, set, Byte; condition::G),
    row_rm!(Bt_rm16_imm8, bt, Word; Imm),
    Row::shared(
        iced_x86::Code::Bt_rm16_r16,
        super::both!(bt, Word, Reg0, Reg1),
        super::both!(@stores false, bt_string, Word, Reg1),
    ),
    row_rm!(Bt_rm32_imm8, bt, Dword; Imm),
    Row::shared(
        iced_x86::Code::Bt_rm32_r32,
        super::both!(bt, Dword, Reg0, Reg1),
        super::both!(@stores false, bt_string, Dword, Reg1),
    ),
    row_rm!(Bt_rm64_imm8, bt, Qword; Imm),
    Row::shared(
        iced_x86::Code::Bt_rm64_r64,
        super::both!(bt, Qword, Reg0, Reg1),
        super::both!(@stores false, bt_string, Qword, Reg1),
    ),
    row_rm!(Bts_rm16_imm8, bts, Word; Imm),
    Row::shared(
        iced_x86::Code::Bts_rm16_r16,
        super::both!(bts, Word, Reg0, Reg1),
        super::both!(@stores true, bts_string, Word, Reg1),
    ),
    row_rm!(Bts_rm32_imm8, bts, Dword; Imm),
    Row::shared(
        iced_x86::Code::Bts_rm32_r32,
        super::both!(bts, Dword, Reg0, Reg1),
        super::both!(@stores true, bts_string, Dword, Reg1),
    ),
    row_rm!(Bts_rm64_imm8, bts, Qword; Imm),
    Row::shared(
        iced_x86::Code::Bts_rm64_r64,
        super::both!(bts, Qword, Reg0, Reg1),
        super::both!(@stores true, bts_string, Qword, Reg1),
    ),
    row_rm!(Btr_rm16_imm8, btr, Word; Imm),
    Row::shared(
        iced_x86::Code::Btr_rm16_r16,
        super::both!(btr, Word, Reg0, Reg1),
        super::both!(@stores true, btr_string, Word, Reg1),
    ),
    row_rm!(Btr_rm32_imm8, btr, Dword; Imm),
    Row::shared(
        iced_x86::Code::Btr_rm32_r32,
        super::both!(btr, Dword, Reg0, Reg1),
        super::both!(@stores true, btr_string, Dword, Reg1),
    ),
    row_rm!(Btr_rm64_imm8, btr, Qword; Imm),
    Row::shared(
        iced_x86::Code::Btr_rm64_r64,
        super::both!(btr, Qword, Reg0, Reg1),
        super::both!(@stores true, btr_string, Qword, Reg1),
    ),
    row_rm!(Btc_rm16_imm8, btc, Word; Imm),
    Row::shared(
        iced_x86::Code::Btc_rm16_r16,
        super::both!(btc, Word, Reg0, Reg1),
        super::both!(@stores true, btc_string, Word, Reg1),
    ),
    row_rm!(Btc_rm32_imm8, btc, Dword; Imm),
    Row::shared(
        iced_x86::Code::Btc_rm32_r32,
        super::both!(btc, Dword, Reg0, Reg1),
        super::both!(@stores true, btc_string, Dword, Reg1),
    ),
    row_rm!(Btc_rm64_imm8, btc, Qword; Imm),
    Row::shared(
        iced_x86::Code::Btc_rm64_r64,
        super::both!(btc, Qword, Reg0, Reg1),
        super::both!(@stores true, btc_string, Qword, Reg1),
    ),
    row_r_rm!(Bsf_r16_rm16, bsf, Word),
    row_r_rm!(Bsf_r32_rm32, bsf, Dword),
    row_r_rm!(Bsf_r64_rm64, bsf, Qword),
    row_r_rm!(Bsr_r16_rm16, bsr, Word),
    row_r_rm!(Bsr_r32_rm32, bsr, Dword),
    row_r_rm!(Bsr_r64_rm64, bsr, Qword),
    row_r_rm!(Tzcnt_r16_rm16, tzcnt, Word),
    row_r_rm!(Tzcnt_r32_rm32, tzcnt, Dword),
    row_r_rm!(Tzcnt_r64_rm64, tzcnt, Qword),
    row_r_rm!(Lzcnt_r16_rm16, lzcnt, Word),
    row_r_rm!(Lzcnt_r32_rm32, lzcnt, Dword),
    row_r_rm!(Lzcnt_r64_rm64, lzcnt, Qword),
    row_r_rm!(Popcnt_r16_rm16, popcnt, Word),
    row_r_rm!(Popcnt_r32_rm32, popcnt, Dword),
    row_r_rm!(Popcnt_r64_rm64, popcnt, Qword),
];

#[inline(always)]
fn set<V: Verbs, W: Width, D: Slot, C: ConditionCode>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let holds = v.condition(C::CONDITION);
    let value = v.bit::<W>(holds);
    v.write::<W>(D::of(insn), value)
}

/// The bit number within the operand.
#[inline(always)]
fn bit_number<V: Verbs, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<V::Value<Byte>, V::Fault> {
    let number = v.read::<W>(S::of(insn))?;
    let low = v.zero_extend::<W, Byte>(number);
    let mask = v.constant::<Byte>(u64::from(W::BITS) - 1);
    Ok(v.and::<Byte>(low, mask))
}

/// How a bit changes after it was copied to CF.
#[derive(Clone, Copy)]
enum Change {
    Set,
    Reset,
    Complement,
}

#[inline(always)]
fn changed<V: Verbs, W: Width>(
    v: &mut V,
    value: V::Value<W>,
    number: V::Value<Byte>,
    change: Change,
) -> V::Value<W> {
    let one = v.constant::<W>(1);
    let mask = v.shift::<W>(ShiftOp::Shl, one, number);
    match change {
        Change::Set => v.or::<W>(value, mask),
        Change::Complement => v.xor::<W>(value, mask),
        Change::Reset => {
            let others = v.unary::<W>(UnaryOp::Not, mask);
            v.and::<W>(value, others)
        }
    }
}

#[inline(always)]
fn bt<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let number = bit_number::<V, W, S>(v, insn)?;
    let value = v.read::<W>(D::of(insn))?;
    let carry = v.bit_of::<W>(value, number);
    v.flags::<W>(Flags::CarryOnly { carry });
    Ok(())
}

#[inline(always)]
fn change<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    change: Change,
) -> Result<(), V::Fault> {
    let number = bit_number::<V, W, S>(v, insn)?;
    let (value, spot) = v.modify::<W>(D::of(insn))?;
    let carry = v.bit_of::<W>(value, number);
    let result = changed::<V, W>(v, value, number, change);
    v.commit::<W>(spot, result);
    v.flags::<W>(Flags::CarryOnly { carry });
    Ok(())
}

/// The cell of a bit string that holds the bit, counted in bytes from the operand.
#[inline(always)]
fn displacement<V: Verbs, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<V::Value<Qword>, V::Fault> {
    let number = v.read::<W>(S::of(insn))?;
    let number = v.sign_extend::<W, Qword>(number);
    let shift = v.constant::<Byte>(u64::from(W::BITS.trailing_zeros()));
    let cell = v.shift::<Qword>(ShiftOp::Sar, number, shift);
    let bytes = v.constant::<Qword>(W::BYTES);
    Ok(v.binary::<Qword>(BinaryOp::Mul, cell, bytes))
}

/// BT on a bit string in memory: the bit number reaches beyond the operand.
#[inline(always)]
fn bt_string<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let displacement = displacement::<V, W, S>(v, insn)?;
    let number = bit_number::<V, W, S>(v, insn)?;
    let value = v.read_displaced::<W>(insn, displacement)?;
    let carry = v.bit_of::<W>(value, number);
    v.flags::<W>(Flags::CarryOnly { carry });
    Ok(())
}

#[inline(always)]
fn change_string<V: Verbs, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
    change: Change,
) -> Result<(), V::Fault> {
    let displacement = displacement::<V, W, S>(v, insn)?;
    let number = bit_number::<V, W, S>(v, insn)?;
    let (value, spot) = v.modify_displaced::<W>(insn, displacement)?;
    let carry = v.bit_of::<W>(value, number);
    let result = changed::<V, W>(v, value, number, change);
    v.commit::<W>(spot, result);
    v.flags::<W>(Flags::CarryOnly { carry });
    Ok(())
}

#[inline(always)]
fn bts<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    change::<V, W, D, S>(v, insn, Change::Set)
}

#[inline(always)]
fn bts_string<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    change_string::<V, W, S>(v, insn, Change::Set)
}

#[inline(always)]
fn btr<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    change::<V, W, D, S>(v, insn, Change::Reset)
}

#[inline(always)]
fn btr_string<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    change_string::<V, W, S>(v, insn, Change::Reset)
}

#[inline(always)]
fn btc<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    change::<V, W, D, S>(v, insn, Change::Complement)
}

#[inline(always)]
fn btc_string<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    change_string::<V, W, S>(v, insn, Change::Complement)
}

/// Searches; a source of zero leaves the destination alone, all 64 bits of it, as
/// processors of both vendors do where the manual says "undefined".
#[inline(always)]
fn scan<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    found: impl FnOnce(&mut V, V::Value<W>) -> V::Value<W>,
) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let index = found(v, value);
    let none = v.is_zero::<W>(value);
    if W::BITS == 32 {
        let register = insn.registers[0];
        let old = v.gpr::<Qword>(register);
        let index = v.zero_extend::<W, Qword>(index);
        let result = v.select::<Qword>(none, old, index);
        v.set_gpr::<Qword>(register, result);
    } else {
        let old = v.read::<W>(D::of(insn))?;
        let result = v.select::<W>(none, old, index);
        v.write::<W>(D::of(insn), result)?;
    }
    v.flags::<W>(Flags::Zero { value });
    Ok(())
}

#[inline(always)]
fn bsf<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    scan::<V, W, D, S>(v, insn, |v, value| {
        v.unary::<W>(UnaryOp::TrailingZeros, value)
    })
}

#[inline(always)]
fn bsr<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    scan::<V, W, D, S>(v, insn, |v, value| {
        let above = v.unary::<W>(UnaryOp::LeadingZeros, value);
        let top = v.constant::<W>(u64::from(W::BITS) - 1);
        v.sub::<W>(top, above)
    })
}

#[inline(always)]
fn count_zeros<V: Verbs, W: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: UnaryOp,
) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let result = v.unary::<W>(op, value);
    let none = v.is_zero::<W>(value);
    let carry = v.bit::<Byte>(none);
    v.write::<W>(D::of(insn), result)?;
    v.flags::<W>(Flags::Carry { result, carry });
    Ok(())
}

#[inline(always)]
fn tzcnt<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    count_zeros::<V, W, D, S>(v, insn, UnaryOp::TrailingZeros)
}

#[inline(always)]
fn lzcnt<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    count_zeros::<V, W, D, S>(v, insn, UnaryOp::LeadingZeros)
}

/// All flags but ZF are cleared, PF too (SDM 2B, POPCNT).
#[inline(always)]
fn popcnt<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let result = v.unary::<W>(UnaryOp::PopulationCount, value);
    v.write::<W>(D::of(insn), result)?;
    v.flags::<W>(Flags::ZeroOnly { result });
    Ok(())
}
