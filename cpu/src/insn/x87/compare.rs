//! x87 comparisons and classification (SDM 1, 8.3.6).

use super::memory::Arithmetic;
use super::unit::{begin, note, wait};
use crate::Cpu;
use crate::exception::Exit;
use crate::flags::LazyFlags;
use crate::float::{Comparison, F80, Source};
use crate::fpu::{Fpu, StatusWord};
use crate::insn::Insn;
use crate::rflags::Rflags;

/// The condition codes that FCOM and its kin set.
fn codes(relation: Comparison) -> StatusWord {
    match relation {
        Comparison::Greater => StatusWord::empty(),
        Comparison::Less => StatusWord::C0,
        Comparison::Equal => StatusWord::C3,
        Comparison::Unordered => StatusWord::C0 | StatusWord::C2 | StatusWord::C3,
    }
}

/// Compares ST(0) with `other`, None if that is empty. Hardware gives the relation even if it
/// traps; the second answer is whether to pop.
fn compare(fpu: &mut Fpu, other: Option<Source>, quiet_signals: bool) -> (Comparison, bool) {
    let Some(other) = other.filter(|_| !fpu.is_empty(0)) else {
        return (Comparison::Unordered, fpu.underflow());
    };
    let mut env = fpu.env();
    let relation = env.f80_compare(fpu.st(0), other, quiet_signals);
    fpu.raise(env.reported());
    (relation, !env.is_prevented())
}

fn pop(fpu: &mut Fpu, count: u8) {
    for _ in 0..count {
        fpu.pop();
    }
}

/// Compares into the condition codes, then pops.
fn compare_codes(fpu: &mut Fpu, other: Option<Source>, quiet_signals: bool, pops: u8) {
    let (relation, is_done) = compare(fpu, other, quiet_signals);
    fpu.set_codes(StatusWord::CODES, codes(relation));
    if is_done {
        pop(fpu, pops);
    }
}

fn register(fpu: &Fpu, i: usize) -> Option<Source> {
    (!fpu.is_empty(i)).then(|| fpu.st(i).into())
}

/// FCOM and FCOMP of memory, FICOM and FICOMP.
pub(super) fn fcom_memory<M: Arithmetic, const POPS: u8>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    wait(cpu)?;
    let bits = M::read(cpu, insn)?;
    let fpu = note(cpu, insn);
    compare_codes(fpu, Some(M::operand(bits)), true, POPS);
    Ok(())
}

/// FCOM, FCOMP, FUCOM and FUCOMP of a register.
pub(super) fn fcom<const SIGNALS: bool, const POPS: u8>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let other = register(fpu, insn.number(1));
    compare_codes(fpu, other, SIGNALS, POPS);
    Ok(())
}

/// FCOMPP and FUCOMPP.
pub(super) fn fcompp<const SIGNALS: bool>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let other = register(fpu, 1);
    compare_codes(fpu, other, SIGNALS, 2);
    Ok(())
}

/// FTST.
pub(super) fn ftst(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    compare_codes(fpu, Some(F80::ZERO.into()), true, 0);
    Ok(())
}

/// FCOMI, FCOMIP, FUCOMI and FUCOMIP: the answer goes to RFLAGS. C1 stays unless the stack is at
/// fault, whatever the manual says; hardware settled it.
pub(super) fn fcomi<const SIGNALS: bool, const POPS: u8>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let other = register(fpu, insn.number(1));
    let (relation, is_done) = compare(fpu, other, SIGNALS);
    if is_done {
        pop(fpu, POPS);
    }
    cpu.state.flags = LazyFlags::from_status(match relation {
        Comparison::Greater => Rflags::empty(),
        Comparison::Less => Rflags::CF,
        Comparison::Equal => Rflags::ZF,
        Comparison::Unordered => Rflags::CF | Rflags::PF | Rflags::ZF,
    });
    Ok(())
}

/// FXAM: the class, and the sign even of an empty register.
pub(super) fn fxam(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let (c3, c2, c0) = if fpu.is_empty(0) {
        (true, false, true)
    } else {
        fpu.st(0).class().condition_codes()
    };
    let mut codes = StatusWord::empty();
    codes.set(StatusWord::C3, c3);
    codes.set(StatusWord::C2, c2);
    codes.set(StatusWord::C0, c0);
    codes.set(StatusWord::C1, fpu.st(0).sign());
    fpu.set_codes(StatusWord::CODES, codes);
    Ok(())
}
