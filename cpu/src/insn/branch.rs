//! Near control transfer (SDM 1, 5.1.7): JMP, Jcc, CALL, RET, LOOP, JCXZ.

use super::{Insn, Mem, Reg0, Row, condition, row, row_push, row_rm};
use crate::flags::Condition;
use crate::state::Gpr;
use crate::verbs::{ConditionCode, Dword, Qword, Slot, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    row!(Jo_rel8_16, jcc, Word, condition::O),
    row!(Jo_rel8_32, jcc, Dword, condition::O),
    row!(Jo_rel8_64, jcc, Qword, condition::O),
    row!(Jo_rel16, jcc, Word, condition::O),
    row!(Jo_rel32_32, jcc, Dword, condition::O),
    row!(Jo_rel32_64, jcc, Qword, condition::O),
    row!(Jno_rel8_16, jcc, Word, condition::No),
    row!(Jno_rel8_32, jcc, Dword, condition::No),
    row!(Jno_rel8_64, jcc, Qword, condition::No),
    row!(Jno_rel16, jcc, Word, condition::No),
    row!(Jno_rel32_32, jcc, Dword, condition::No),
    row!(Jno_rel32_64, jcc, Qword, condition::No),
    row!(Jb_rel8_16, jcc, Word, condition::B),
    row!(Jb_rel8_32, jcc, Dword, condition::B),
    row!(Jb_rel8_64, jcc, Qword, condition::B),
    row!(Jb_rel16, jcc, Word, condition::B),
    row!(Jb_rel32_32, jcc, Dword, condition::B),
    row!(Jb_rel32_64, jcc, Qword, condition::B),
    row!(Jae_rel8_16, jcc, Word, condition::Ae),
    row!(Jae_rel8_32, jcc, Dword, condition::Ae),
    row!(Jae_rel8_64, jcc, Qword, condition::Ae),
    row!(Jae_rel16, jcc, Word, condition::Ae),
    row!(Jae_rel32_32, jcc, Dword, condition::Ae),
    row!(Jae_rel32_64, jcc, Qword, condition::Ae),
    row!(Je_rel8_16, jcc, Word, condition::E),
    row!(Je_rel8_32, jcc, Dword, condition::E),
    row!(Je_rel8_64, jcc, Qword, condition::E),
    row!(Je_rel16, jcc, Word, condition::E),
    row!(Je_rel32_32, jcc, Dword, condition::E),
    row!(Je_rel32_64, jcc, Qword, condition::E),
    row!(Jne_rel8_16, jcc, Word, condition::Ne),
    row!(Jne_rel8_32, jcc, Dword, condition::Ne),
    row!(Jne_rel8_64, jcc, Qword, condition::Ne),
    row!(Jne_rel16, jcc, Word, condition::Ne),
    row!(Jne_rel32_32, jcc, Dword, condition::Ne),
    row!(Jne_rel32_64, jcc, Qword, condition::Ne),
    row!(Jbe_rel8_16, jcc, Word, condition::Be),
    row!(Jbe_rel8_32, jcc, Dword, condition::Be),
    row!(Jbe_rel8_64, jcc, Qword, condition::Be),
    row!(Jbe_rel16, jcc, Word, condition::Be),
    row!(Jbe_rel32_32, jcc, Dword, condition::Be),
    row!(Jbe_rel32_64, jcc, Qword, condition::Be),
    row!(Ja_rel8_16, jcc, Word, condition::A),
    row!(Ja_rel8_32, jcc, Dword, condition::A),
    row!(Ja_rel8_64, jcc, Qword, condition::A),
    row!(Ja_rel16, jcc, Word, condition::A),
    row!(Ja_rel32_32, jcc, Dword, condition::A),
    row!(Ja_rel32_64, jcc, Qword, condition::A),
    row!(Js_rel8_16, jcc, Word, condition::S),
    row!(Js_rel8_32, jcc, Dword, condition::S),
    row!(Js_rel8_64, jcc, Qword, condition::S),
    row!(Js_rel16, jcc, Word, condition::S),
    row!(Js_rel32_32, jcc, Dword, condition::S),
    row!(Js_rel32_64, jcc, Qword, condition::S),
    row!(Jns_rel8_16, jcc, Word, condition::Ns),
    row!(Jns_rel8_32, jcc, Dword, condition::Ns),
    row!(Jns_rel8_64, jcc, Qword, condition::Ns),
    row!(Jns_rel16, jcc, Word, condition::Ns),
    row!(Jns_rel32_32, jcc, Dword, condition::Ns),
    row!(Jns_rel32_64, jcc, Qword, condition::Ns),
    row!(Jp_rel8_16, jcc, Word, condition::P),
    row!(Jp_rel8_32, jcc, Dword, condition::P),
    row!(Jp_rel8_64, jcc, Qword, condition::P),
    row!(Jp_rel16, jcc, Word, condition::P),
    row!(Jp_rel32_32, jcc, Dword, condition::P),
    row!(Jp_rel32_64, jcc, Qword, condition::P),
    row!(Jnp_rel8_16, jcc, Word, condition::Np),
    row!(Jnp_rel8_32, jcc, Dword, condition::Np),
    row!(Jnp_rel8_64, jcc, Qword, condition::Np),
    row!(Jnp_rel16, jcc, Word, condition::Np),
    row!(Jnp_rel32_32, jcc, Dword, condition::Np),
    row!(Jnp_rel32_64, jcc, Qword, condition::Np),
    row!(Jl_rel8_16, jcc, Word, condition::L),
    row!(Jl_rel8_32, jcc, Dword, condition::L),
    row!(Jl_rel8_64, jcc, Qword, condition::L),
    row!(Jl_rel16, jcc, Word, condition::L),
    row!(Jl_rel32_32, jcc, Dword, condition::L),
    row!(Jl_rel32_64, jcc, Qword, condition::L),
    row!(Jge_rel8_16, jcc, Word, condition::Ge),
    row!(Jge_rel8_32, jcc, Dword, condition::Ge),
    row!(Jge_rel8_64, jcc, Qword, condition::Ge),
    row!(Jge_rel16, jcc, Word, condition::Ge),
    row!(Jge_rel32_32, jcc, Dword, condition::Ge),
    row!(Jge_rel32_64, jcc, Qword, condition::Ge),
    row!(Jle_rel8_16, jcc, Word, condition::Le),
    row!(Jle_rel8_32, jcc, Dword, condition::Le),
    row!(Jle_rel8_64, jcc, Qword, condition::Le),
    row!(Jle_rel16, jcc, Word, condition::Le),
    row!(Jle_rel32_32, jcc, Dword, condition::Le),
    row!(Jle_rel32_64, jcc, Qword, condition::Le),
    row!(Jg_rel8_16, jcc, Word, condition::G),
    row!(Jg_rel8_32, jcc, Dword, condition::G),
    row!(Jg_rel8_64, jcc, Qword, condition::G),
    row!(Jg_rel16, jcc, Word, condition::G),
    row!(Jg_rel32_32, jcc, Dword, condition::G),
    row!(Jg_rel32_64, jcc, Qword, condition::G),
    row!(Jmp_rel8_16, jmp, Word),
    row!(Jmp_rel8_32, jmp, Dword),
    row!(Jmp_rel8_64, jmp, Qword),
    row!(Jmp_rel16, jmp, Word),
    row!(Jmp_rel32_32, jmp, Dword),
    row!(Jmp_rel32_64, jmp, Qword),
    row_push!(Call_rel16, call, Word),
    row_push!(Call_rel32_32, call, Dword),
    row_push!(Call_rel32_64, call, Qword),
    row_rm!(Jmp_rm16, jmp_indirect, Word),
    Row::shared(
        iced_x86::Code::Call_rm16,
        super::both!(@stores true, call_indirect, Word, Reg0),
        super::both!(@stores true, call_indirect, Word, Mem),
    ),
    row!(Retnw, ret, Word),
    row!(Retnw_imm16, ret, Word),
    row_rm!(Jmp_rm32, jmp_indirect, Dword),
    Row::shared(
        iced_x86::Code::Call_rm32,
        super::both!(@stores true, call_indirect, Dword, Reg0),
        super::both!(@stores true, call_indirect, Dword, Mem),
    ),
    row!(Retnd, ret, Dword),
    row!(Retnd_imm16, ret, Dword),
    row_rm!(Jmp_rm64, jmp_indirect, Qword),
    Row::shared(
        iced_x86::Code::Call_rm64,
        super::both!(@stores true, call_indirect, Qword, Reg0),
        super::both!(@stores true, call_indirect, Qword, Mem),
    ),
    row!(Retnq, ret, Qword),
    row!(Retnq_imm16, ret, Qword),
    row!(Loopne_rel8_16_CX, loopne, Word, Word),
    row!(Loopne_rel8_16_ECX, loopne, Word, Dword),
    row!(Loopne_rel8_16_RCX, loopne, Word, Qword),
    row!(Loopne_rel8_32_CX, loopne, Dword, Word),
    row!(Loopne_rel8_32_ECX, loopne, Dword, Dword),
    row!(Loopne_rel8_64_ECX, loopne, Qword, Dword),
    row!(Loopne_rel8_64_RCX, loopne, Qword, Qword),
    row!(Loope_rel8_16_CX, loope, Word, Word),
    row!(Loope_rel8_16_ECX, loope, Word, Dword),
    row!(Loope_rel8_16_RCX, loope, Word, Qword),
    row!(Loope_rel8_32_CX, loope, Dword, Word),
    row!(Loope_rel8_32_ECX, loope, Dword, Dword),
    row!(Loope_rel8_64_ECX, loope, Qword, Dword),
    row!(Loope_rel8_64_RCX, loope, Qword, Qword),
    row!(Loop_rel8_16_CX, loop_, Word, Word),
    row!(Loop_rel8_16_ECX, loop_, Word, Dword),
    row!(Loop_rel8_16_RCX, loop_, Word, Qword),
    row!(Loop_rel8_32_CX, loop_, Dword, Word),
    row!(Loop_rel8_32_ECX, loop_, Dword, Dword),
    row!(Loop_rel8_64_ECX, loop_, Qword, Dword),
    row!(Loop_rel8_64_RCX, loop_, Qword, Qword),
    row!(Jcxz_rel8_16, jcxz, Word, Word),
    row!(Jcxz_rel8_32, jcxz, Dword, Word),
    row!(Jecxz_rel8_16, jcxz, Word, Dword),
    row!(Jecxz_rel8_32, jcxz, Dword, Dword),
    row!(Jecxz_rel8_64, jcxz, Qword, Dword),
    row!(Jrcxz_rel8_16, jcxz, Word, Qword),
    row!(Jrcxz_rel8_64, jcxz, Qword, Qword),
];

#[inline(always)]
fn jcc<V: Verbs, W: Width, C: ConditionCode>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let holds = v.condition(C::CONDITION);
    v.branch::<W>(insn, holds)
}

#[inline(always)]
fn jmp<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let zero = v.constant::<W>(0);
    let always = v.is_zero::<W>(zero);
    v.branch::<W>(insn, always)
}

#[inline(always)]
fn jmp_indirect<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let target = v.read::<W>(S::of(insn))?;
    let target = v.zero_extend::<W, Qword>(target);
    v.check_target(target)?;
    v.jump(target);
    Ok(())
}

#[inline(always)]
fn call<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let target = v.direct_target::<W>(insn);
    v.check_target(target)?;
    let return_to = v.next_ip(insn);
    let return_to = v.zero_extend::<Qword, W>(return_to);
    v.push::<W>(insn, return_to)?;
    v.jump(target);
    Ok(())
}

#[inline(always)]
fn call_indirect<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let target = v.read::<W>(S::of(insn))?;
    let target = v.zero_extend::<W, Qword>(target);
    v.check_target(target)?;
    let return_to = v.next_ip(insn);
    let return_to = v.zero_extend::<Qword, W>(return_to);
    v.push::<W>(insn, return_to)?;
    v.jump(target);
    Ok(())
}

/// RET and RET imm16: the immediate is zero without.
#[inline(always)]
fn ret<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let target = v.stack_top::<W>(insn)?;
    let target = v.zero_extend::<W, Qword>(target);
    v.check_target(target)?;
    v.move_stack(insn, W::BYTES + (insn.immediate & 0xffff));
    v.jump(target);
    Ok(())
}

/// Counts down; goes on if the count is not zero and `also` holds.
#[inline(always)]
fn count_down<V: Verbs, W: Width, C: Width>(
    v: &mut V,
    insn: &Insn,
    also: Option<Condition>,
) -> Result<(), V::Fault> {
    let count = v.gpr::<C>(Gpr::Rcx);
    let one = v.constant::<C>(1);
    let zero = v.constant::<C>(0);
    let count = v.sub::<C>(count, one);
    let wanted = match also {
        Some(condition) => {
            let holds = v.condition(condition);
            v.select::<C>(holds, count, zero)
        }
        None => count,
    };
    let is_over = v.is_zero::<C>(wanted);
    let goes_on = v.bit::<C>(is_over);
    let goes_on = v.is_zero::<C>(goes_on);
    v.branch::<W>(insn, goes_on)?;
    v.set_gpr::<C>(Gpr::Rcx, count);
    Ok(())
}

#[inline(always)]
fn loop_<V: Verbs, W: Width, C: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    count_down::<V, W, C>(v, insn, None)
}

#[inline(always)]
fn loope<V: Verbs, W: Width, C: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    count_down::<V, W, C>(v, insn, Some(Condition::E))
}

#[inline(always)]
fn loopne<V: Verbs, W: Width, C: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    count_down::<V, W, C>(v, insn, Some(Condition::Ne))
}

#[inline(always)]
fn jcxz<V: Verbs, W: Width, C: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let count = v.gpr::<C>(Gpr::Rcx);
    let is_zero = v.is_zero::<C>(count);
    v.branch::<W>(insn, is_zero)
}
