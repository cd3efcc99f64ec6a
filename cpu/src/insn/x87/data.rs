//! x87 data transfer: loads, stores, exchanges, constants and conditional moves
//! (SDM 1, 8.3.3 and 8.3.4).

use super::memory::{Loadable, Storable};
use super::unit::{begin, note, wait};
use crate::Cpu;
use crate::exception::Exit;
use crate::flags::Condition;
use crate::float::{Constant, Exceptions, F80};
use crate::fpu::{Fpu, StatusWord};
use crate::insn::Insn;
use crate::verbs::Verbs;

/// Pushes what a load found, unless the stack is full.
fn push(fpu: &mut Fpu, value: F80) {
    if fpu.is_full() {
        if fpu.overflow() {
            fpu.push(F80::INDEFINITE);
        }
        return;
    }
    fpu.set_codes(StatusWord::C1, StatusWord::empty());
    fpu.push(value);
}

/// FLD, FILD and FBLD of memory.
pub(super) fn load<L: Loadable>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    wait(cpu)?;
    let bits = L::read(cpu, insn)?;
    let fpu = note(cpu, insn);
    if fpu.is_full() {
        push(fpu, F80::INDEFINITE);
        return Ok(());
    }
    // A denormal operand is loaded even if that traps; hardware does so.
    let mut env = fpu.env();
    let masks = env.masks;
    env.masks |= Exceptions::DENORMAL;
    let value = L::load(&mut env, bits);
    env.masks = masks;
    let is_loaded = !env.unmasked().contains(Exceptions::INVALID);
    let _ = fpu.report(&env);
    if is_loaded {
        fpu.push(value);
    }
    Ok(())
}

/// FLD ST(i).
pub(super) fn fld_sti(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let i = insn.number(0);
    let fpu = begin(cpu, insn)?;
    if !fpu.is_empty(i) {
        push(fpu, fpu.st(i));
    } else if fpu.underflow() {
        fpu.push(F80::INDEFINITE);
    }
    Ok(())
}

/// FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2 and FLDZ.
fn constant(cpu: &mut Cpu, insn: &Insn, constant: Constant) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let value = fpu.env().f80_constant(constant);
    push(fpu, value);
    Ok(())
}

macro_rules! constants {
    ($($name:ident $constant:ident)*) => {$(
        pub(super) fn $name(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
            constant(cpu, insn, Constant::$constant)
        }
    )*};
}

constants! {
    fld1 One
    fldl2t Log2Of10
    fldl2e Log2OfE
    fldpi Pi
    fldlg2 Log10Of2
    fldln2 LnOf2
    fldz Zero
}

/// FST, FSTP, FIST, FISTP, FISTTP and FBSTP to memory.
pub(super) fn store<S: Storable, const POPS: bool>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    wait(cpu)?;
    let fpu = &cpu.state.fpu;
    if fpu.is_empty(0) {
        let is_masked = fpu.masks_invalid();
        if is_masked {
            S::write(cpu, insn, S::INDEFINITE)?;
        }
        let fpu = note(cpu, insn);
        if fpu.underflow() && POPS {
            fpu.pop();
        }
        return Ok(());
    }
    let mut env = fpu.env();
    let bits = S::store(&mut env, fpu.st(0));
    // An inexact result is stored even if that traps (SDM 1, 8.5.6).
    let is_stored = env.unmasked().difference(Exceptions::PRECISION).is_empty();
    if is_stored {
        S::write(cpu, insn, bits)?;
    }
    let fpu = note(cpu, insn);
    if fpu.report(&env) && is_stored && POPS {
        fpu.pop();
    }
    Ok(())
}

/// FST and FSTP to a register.
pub(super) fn store_sti<const POPS: bool>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let i = insn.number(0);
    let fpu = begin(cpu, insn)?;
    let value = if fpu.is_empty(0) {
        if !fpu.underflow() {
            return Ok(());
        }
        F80::INDEFINITE
    } else {
        fpu.set_codes(StatusWord::C1, StatusWord::empty());
        fpu.st(0)
    };
    fpu.set_st(i, value);
    if POPS {
        fpu.pop();
    }
    Ok(())
}

/// The undocumented FSTPNCE: as FSTP, but an empty ST(0) is popped and nothing else.
pub(super) fn fstpnce(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    if !cpu.state.fpu.is_empty(0) {
        return store_sti::<true>(cpu, insn);
    }
    let fpu = begin(cpu, insn)?;
    fpu.set_codes(StatusWord::C1, StatusWord::empty());
    fpu.pop();
    Ok(())
}

/// FXCH.
pub(super) fn fxch(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let i = insn.number(1);
    let fpu = begin(cpu, insn)?;
    let values = [0, i].map(|i| (!fpu.is_empty(i)).then(|| fpu.st(i)));
    let is_whole = values.iter().all(Option::is_some);
    if is_whole {
        fpu.set_codes(StatusWord::C1, StatusWord::empty());
    } else if !fpu.underflow() {
        return Ok(());
    }
    let [top, other] = values.map(|value| value.unwrap_or(F80::INDEFINITE));
    fpu.set_st(0, other);
    fpu.set_st(i, top);
    Ok(())
}

/// Puts a value computed from ST(0) alone, and exactly, in its place.
fn replace(cpu: &mut Cpu, insn: &Insn, of: impl FnOnce(F80) -> F80) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    if !fpu.is_empty(0) {
        fpu.set_codes(StatusWord::C1, StatusWord::empty());
        fpu.set_st(0, of(fpu.st(0)));
    } else if fpu.underflow() {
        fpu.set_st(0, F80::INDEFINITE);
    }
    Ok(())
}

/// FCHS.
pub(super) fn fchs(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    replace(cpu, insn, F80::negated)
}

/// FABS.
pub(super) fn fabs(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    replace(cpu, insn, F80::abs)
}

/// FCMOVcc: both registers must be in use, whether the condition holds or not.
fn move_if(cpu: &mut Cpu, insn: &Insn, condition: Condition) -> Result<(), Exit> {
    let i = insn.number(1);
    let holds = cpu.condition(condition);
    let fpu = begin(cpu, insn)?;
    if fpu.is_empty(0) || fpu.is_empty(i) {
        if fpu.underflow() {
            fpu.set_st(0, F80::INDEFINITE);
        }
        return Ok(());
    }
    // C1 stays, whatever the manual says; hardware settled it.
    if holds {
        fpu.set_st(0, fpu.st(i));
    }
    Ok(())
}

macro_rules! moves {
    ($($name:ident $condition:ident)*) => {$(
        pub(super) fn $name(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
            move_if(cpu, insn, Condition::$condition)
        }
    )*};
}

moves! {
    fcmovb B
    fcmove E
    fcmovbe Be
    fcmovu P
    fcmovnb Ae
    fcmovne Ne
    fcmovnbe A
    fcmovnu Np
}
