//! FSCALE, FPREM, FPREM1 and FXTRACT (SDM 1, 8.3.5), and how functions take their operands.

use crate::float::{Class, Env, F80};
use crate::fpu::{Fpu, StatusWord};

/// Puts a value computed from ST(0) in its place.
#[inline]
pub(super) fn unary(fpu: &mut Fpu, compute: impl FnOnce(&mut Env, F80) -> F80) {
    if fpu.is_empty(0) {
        if fpu.underflow() {
            fpu.set_st(0, F80::INDEFINITE);
        }
        return;
    }
    let mut env = fpu.env();
    let value = compute(&mut env, fpu.st(0));
    if fpu.report(&env) {
        fpu.set_st(0, value);
    }
}

/// ST(0) and ST(1), or None after a stack underflow, whose masked answer `indefinite` gives.
fn top_two(fpu: &mut Fpu, indefinite: impl FnOnce(&mut Fpu)) -> Option<(F80, F80)> {
    if fpu.is_empty(0) || fpu.is_empty(1) {
        if fpu.underflow() {
            indefinite(fpu);
        }
        return None;
    }
    Some((fpu.st(0), fpu.st(1)))
}

/// Puts a value computed from ST(0) and ST(1) in ST(1), and pops.
pub(super) fn binary(fpu: &mut Fpu, compute: impl FnOnce(&mut Env, F80, F80) -> F80) {
    let finish = |fpu: &mut Fpu, value| {
        fpu.set_st(1, value);
        fpu.pop();
    };
    if let Some((first, second)) = top_two(fpu, |fpu| finish(fpu, F80::INDEFINITE)) {
        let mut env = fpu.env();
        let value = compute(&mut env, first, second);
        if fpu.report(&env) {
            finish(fpu, value);
        }
    }
}

/// Replaces ST(0) and pushes. None from `compute`: the operand is out of range, and nothing changes but C2.
/// Whether it was in range.
pub(super) fn replace_and_push(
    fpu: &mut Fpu,
    compute: impl FnOnce(&mut Env, F80) -> Option<(F80, F80)>,
) -> bool {
    let is_empty = fpu.is_empty(0);
    if is_empty || fpu.is_full() {
        let is_masked = if is_empty {
            fpu.underflow()
        } else {
            fpu.overflow()
        };
        if is_masked {
            fpu.set_st(0, F80::INDEFINITE);
            fpu.push(F80::INDEFINITE);
        }
        return true;
    }
    let mut env = fpu.env();
    let results = compute(&mut env, fpu.st(0));
    if fpu.report(&env)
        && let Some((first, second)) = results
    {
        fpu.set_st(0, first);
        fpu.push(second);
    }
    results.is_some()
}

/// FSCALE.
pub(super) fn scale(fpu: &mut Fpu) {
    if let Some((value, by)) = top_two(fpu, |fpu| fpu.set_st(0, F80::INDEFINITE)) {
        let mut env = fpu.env();
        let value = env.f80_scale(value, by);
        if fpu.report(&env) {
            fpu.set_st(0, value);
        }
    }
}

/// FXTRACT: the exponent replaces ST(0), the significand is pushed.
pub(super) fn extract(fpu: &mut Fpu) {
    replace_and_push(fpu, |env, value| Some(env.f80_extract(value)));
}

/// FPREM and FPREM1.
pub(super) fn remainder(fpu: &mut Fpu, to_nearest: bool) {
    // C2 is cleared in any case; C0 and C3 only follow a quotient.
    fpu.set_codes(StatusWord::C2, StatusWord::empty());
    let Some((dividend, divisor)) = top_two(fpu, |fpu| fpu.set_st(0, F80::INDEFINITE)) else {
        return;
    };
    let mut env = fpu.env();
    let remainder = env.f80_remainder(dividend, divisor, to_nearest);
    let is_done = fpu.report(&env);
    if is_done {
        fpu.set_st(0, remainder.value);
    }
    let is_number = |value: F80| !matches!(value.class(), Class::Nan | Class::Unsupported);
    if is_done && is_number(remainder.value) {
        let mut codes = StatusWord::empty();
        codes.set(StatusWord::C0, remainder.quotient & 4 != 0);
        codes.set(StatusWord::C3, remainder.quotient & 2 != 0);
        codes.set(StatusWord::C1, remainder.quotient & 1 != 0);
        codes.set(StatusWord::C2, remainder.is_partial);
        fpu.set_codes(StatusWord::CODES, codes);
    }
}
