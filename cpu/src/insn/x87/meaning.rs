//! The meanings of the common x87 instructions, bound by rows to what they do.

use crate::flags::Condition;
use crate::insn::Insn;
use crate::state::Gpr;
use crate::verbs::{Bound, Slot, Word, X87Verbs};
use crate::x87::{X87Format, X87Op, X87Take};

/// What works on registers alone: the operation, given the instruction.
#[inline(always)]
pub(super) fn work<V: X87Verbs, O: Bound<fn(&Insn) -> X87Op>>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.wait()?;
    v.x87(O::VALUE(insn));
    v.note(insn);
    Ok(())
}

/// What takes an operand from memory.
#[inline(always)]
pub(super) fn take<V: X87Verbs, O: Bound<X87Take>>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    v.wait()?;
    v.take(insn, O::VALUE)?;
    v.note(insn);
    Ok(())
}

/// FST, FSTP, FIST, FISTP, FISTTP and FBSTP to memory: the format, and whether to pop.
#[inline(always)]
pub(super) fn put<V: X87Verbs, O: Bound<(X87Format, bool)>>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.wait()?;
    let (format, pops) = O::VALUE;
    v.put(insn, format, pops)?;
    v.note(insn);
    Ok(())
}

/// FCOMI and its kin: whether quiet NaNs signal, and whether to pop.
#[inline(always)]
pub(super) fn order<V: X87Verbs, O: Bound<(bool, bool)>>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.wait()?;
    let (quiet_signals, pops) = O::VALUE;
    v.order(insn.number(1) as u8, quiet_signals, pops);
    v.note(insn);
    Ok(())
}

/// FCMOVcc.
#[inline(always)]
pub(super) fn move_if<V: X87Verbs, O: Bound<Condition>>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.wait()?;
    let condition = v.condition(O::VALUE);
    v.move_if(insn.number(1) as u8, condition);
    v.note(insn);
    Ok(())
}

/// FLDCW.
#[inline(always)]
pub(super) fn fldcw<V: X87Verbs, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    v.wait()?;
    let value = v.read::<Word>(S::of(insn))?;
    v.set_x87_control(value);
    Ok(())
}

/// FNSTCW.
#[inline(always)]
pub(super) fn fnstcw<V: X87Verbs, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let control = v.x87_control();
    v.write::<Word>(S::of(insn), control)
}

/// FNSTSW to memory.
#[inline(always)]
pub(super) fn fnstsw<V: X87Verbs, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let status = v.x87_status();
    v.write::<Word>(S::of(insn), status)
}

/// FNSTSW AX.
#[inline(always)]
pub(super) fn fnstsw_ax<V: X87Verbs>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    let status = v.x87_status();
    v.set_gpr::<Word>(Gpr::Rax, status);
    Ok(())
}
