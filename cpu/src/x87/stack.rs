//! Loads, stores, exchanges, and what else moves on the stack (SDM 1, 8.3.3, 8.3.4 and 8.3.11).

use super::X87Format;
use crate::float::{Env, Exceptions, F80};
use crate::fpu::{Fpu, StatusWord};

fn clear_c1(fpu: &mut Fpu) {
    fpu.set_codes(StatusWord::C1, StatusWord::empty());
}

/// Pushes what a load found, unless the stack is full.
#[inline]
pub(super) fn push(fpu: &mut Fpu, value: F80) {
    if fpu.is_full() {
        if fpu.overflow() {
            fpu.push(F80::INDEFINITE);
        }
        return;
    }
    clear_c1(fpu);
    fpu.push(value);
}

/// FLD, FILD and FBLD of memory.
#[inline]
pub(super) fn load(fpu: &mut Fpu, format: X87Format, bits: u128) {
    if fpu.is_full() {
        push(fpu, F80::INDEFINITE);
        return;
    }
    // A denormal operand is loaded even if that traps; hardware does so.
    let mut env = fpu.env();
    let masks = env.masks;
    env.masks |= Exceptions::DENORMAL;
    let value = format.load(&mut env, bits);
    env.masks = masks;
    let is_loaded = !env.unmasked().contains(Exceptions::INVALID);
    let _ = fpu.report(&env);
    if is_loaded {
        fpu.push(value);
    }
}

/// FLD ST(i).
#[inline]
pub(super) fn push_register(fpu: &mut Fpu, i: usize) {
    if !fpu.is_empty(i) {
        push(fpu, fpu.st(i));
    } else if fpu.underflow() {
        fpu.push(F80::INDEFINITE);
    }
}

/// What a store to memory is about to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// What is written, if anything.
    pub(crate) bits: Option<u128>,
    /// What the rounding raised; None if ST(0) is empty.
    env: Option<Env>,
}

/// Rounds ST(0) for FST, FSTP, FIST, FISTP, FISTTP and FBSTP; nothing changes yet, for the write
/// may fault.
#[inline]
pub(crate) fn prepare_store(fpu: &Fpu, format: X87Format) -> Outcome {
    if fpu.is_empty(0) {
        return Outcome {
            bits: fpu.masks_invalid().then(|| format.indefinite()),
            env: None,
        };
    }
    let mut env = fpu.env();
    let bits = format.store(&mut env, fpu.st(0));
    // An inexact result is stored even if that traps (SDM 1, 8.5.6).
    let is_stored = env.unmasked().difference(Exceptions::PRECISION).is_empty();
    Outcome {
        bits: is_stored.then_some(bits),
        env: Some(env),
    }
}

/// Records what a store raised, and pops.
#[inline]
pub(crate) fn finish_store(fpu: &mut Fpu, outcome: &Outcome, pops: bool) {
    let is_done = match &outcome.env {
        None => fpu.underflow(),
        Some(env) => fpu.report(env) && outcome.bits.is_some(),
    };
    if is_done && pops {
        fpu.pop();
    }
}

/// FST and FSTP to a register.
#[inline]
pub(super) fn copy(fpu: &mut Fpu, to: usize, pops: bool) {
    let value = if fpu.is_empty(0) {
        if !fpu.underflow() {
            return;
        }
        F80::INDEFINITE
    } else {
        clear_c1(fpu);
        fpu.st(0)
    };
    fpu.set_st(to, value);
    if pops {
        fpu.pop();
    }
}

/// FXCH.
#[inline]
pub(super) fn exchange(fpu: &mut Fpu, i: usize) {
    let values = [0, i].map(|i| (!fpu.is_empty(i)).then(|| fpu.st(i)));
    let is_whole = values.iter().all(Option::is_some);
    if is_whole {
        clear_c1(fpu);
    } else if !fpu.underflow() {
        return;
    }
    let [top, other] = values.map(|value| value.unwrap_or(F80::INDEFINITE));
    fpu.set_st(0, other);
    fpu.set_st(i, top);
}

/// Puts a value made from ST(0) alone, and exactly, in its place.
#[inline]
pub(super) fn replace(fpu: &mut Fpu, of: impl FnOnce(F80) -> F80) {
    if !fpu.is_empty(0) {
        clear_c1(fpu);
        fpu.set_st(0, of(fpu.st(0)));
    } else if fpu.underflow() {
        fpu.set_st(0, F80::INDEFINITE);
    }
}

/// FCMOVcc. C1 stays, whatever the manual says; hardware settled it.
#[inline]
pub(super) fn move_if(fpu: &mut Fpu, from: usize, holds: bool) {
    if fpu.is_empty(0) || fpu.is_empty(from) {
        if fpu.underflow() {
            fpu.set_st(0, F80::INDEFINITE);
        }
        return;
    }
    if holds {
        fpu.set_st(0, fpu.st(from));
    }
}

/// FFREE and FFREEP.
#[inline]
pub(super) fn free(fpu: &mut Fpu, i: usize, pops: bool) {
    clear_c1(fpu);
    fpu.free(i);
    if pops {
        fpu.pop();
    }
}

/// FINCSTP and FDECSTP.
#[inline]
pub(super) fn turn(fpu: &mut Fpu, by: usize) {
    clear_c1(fpu);
    fpu.set_top(fpu.top() + by);
}
