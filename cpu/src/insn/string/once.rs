//! String instructions without a prefix, in verbs (SDM 2A, CMPS, LODS; 2B, MOVS, SCAS, STOS).

use super::Insn;
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{Dword, Flags, Qword, Verbs, Width, Word};

/// The offset that RSI or RDI holds.
#[inline(always)]
fn offset<V: Verbs>(v: &mut V, insn: &Insn, register: Gpr) -> V::Value<Qword> {
    match insn.address_bits {
        64 => v.gpr::<Qword>(register),
        32 => {
            let offset = v.gpr::<Dword>(register);
            v.zero_extend::<Dword, Qword>(offset)
        }
        _ => {
            let offset = v.gpr::<Word>(register);
            v.zero_extend::<Word, Qword>(offset)
        }
    }
}

/// Moves RSI or RDI on, within the address size.
#[inline(always)]
fn advance<V: Verbs>(v: &mut V, insn: &Insn, register: Gpr, stride: V::Value<Qword>) {
    match insn.address_bits {
        64 => advance_by::<V, Qword>(v, register, stride),
        32 => advance_by::<V, Dword>(v, register, stride),
        _ => advance_by::<V, Word>(v, register, stride),
    }
}

#[inline(always)]
fn advance_by<V: Verbs, A: Width>(v: &mut V, register: Gpr, stride: V::Value<Qword>) {
    let old = v.gpr::<A>(register);
    let stride = v.zero_extend::<Qword, A>(stride);
    let new = v.add::<A>(old, stride);
    v.set_gpr::<A>(register, new);
}

#[inline(always)]
fn source<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<V::Value<W>, V::Fault> {
    let offset = offset(v, insn, Gpr::Rsi);
    v.load::<W>(insn, insn.segment, offset)
}

#[inline(always)]
fn destination<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<V::Value<W>, V::Fault> {
    let offset = offset(v, insn, Gpr::Rdi);
    v.load::<W>(insn, SegmentRegister::Es, offset)
}

#[inline(always)]
pub(super) fn movs<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = source::<V, W>(v, insn)?;
    let to = offset(v, insn, Gpr::Rdi);
    v.store::<W>(insn, SegmentRegister::Es, to, value)?;
    let stride = v.stride(W::BYTES);
    advance(v, insn, Gpr::Rsi, stride);
    advance(v, insn, Gpr::Rdi, stride);
    Ok(())
}

#[inline(always)]
pub(super) fn stos<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.gpr::<W>(Gpr::Rax);
    let to = offset(v, insn, Gpr::Rdi);
    v.store::<W>(insn, SegmentRegister::Es, to, value)?;
    let stride = v.stride(W::BYTES);
    advance(v, insn, Gpr::Rdi, stride);
    Ok(())
}

#[inline(always)]
pub(super) fn lods<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = source::<V, W>(v, insn)?;
    v.set_gpr::<W>(Gpr::Rax, value);
    let stride = v.stride(W::BYTES);
    advance(v, insn, Gpr::Rsi, stride);
    Ok(())
}

/// The manual does not say which operand comes first; Intel's processors fault on ES.
#[inline(always)]
pub(super) fn cmps<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = destination::<V, W>(v, insn)?;
    let a = source::<V, W>(v, insn)?;
    let stride = v.stride(W::BYTES);
    advance(v, insn, Gpr::Rsi, stride);
    advance(v, insn, Gpr::Rdi, stride);
    compare::<V, W>(v, a, b);
    Ok(())
}

#[inline(always)]
pub(super) fn scas<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let b = destination::<V, W>(v, insn)?;
    let stride = v.stride(W::BYTES);
    advance(v, insn, Gpr::Rdi, stride);
    let a = v.gpr::<W>(Gpr::Rax);
    compare::<V, W>(v, a, b);
    Ok(())
}

#[inline(always)]
fn compare<V: Verbs, W: Width>(v: &mut V, a: V::Value<W>, b: V::Value<W>) {
    let difference = v.sub::<W>(a, b);
    v.flags::<W>(Flags::Sub { a, b, difference });
}
