//! x87 arithmetic on two operands, and what is exact to the last bit on one
//! (SDM 1, 8.3.5).

use super::memory::Arithmetic;
use super::unit::{begin, note, wait};
use crate::Cpu;
use crate::exception::Exit;
use crate::float::{Class, Env, F80, Source};
use crate::fpu::{Fpu, StatusWord};
use crate::insn::Insn;

/// One of the four operations; the first operand is the destination.
pub(super) trait Operation {
    /// Computes.
    fn apply(env: &mut Env, destination: Source, source: Source) -> F80;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident |$env:ident, $a:ident, $b:ident| $compute:expr;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;
        impl Operation for $name {
            #[inline]
            fn apply($env: &mut Env, $a: Source, $b: Source) -> F80 {
                $compute
            }
        }
    )*};
}

operations! {
    /// FADD.
    Add |env, a, b| env.f80_add(a, b);
    /// FMUL.
    Mul |env, a, b| env.f80_mul(a, b);
    /// FSUB: destination less source.
    Sub |env, a, b| env.f80_sub(a, b);
    /// FSUBR: source less destination.
    SubReversed |env, a, b| env.f80_sub(b, a);
    /// FDIV: destination by source.
    Div |env, a, b| env.f80_div(a, b);
    /// FDIVR: source by destination.
    DivReversed |env, a, b| env.f80_div(b, a);
}

/// Computes into ST(`to`) from it and `source`, None if that is empty. Whether ST(`to`) was written.
fn compute<O: Operation>(fpu: &mut Fpu, to: usize, source: Option<Source>) -> bool {
    let Some(source) = source.filter(|_| !fpu.is_empty(to)) else {
        let is_masked = fpu.underflow();
        if is_masked {
            fpu.set_st(to, F80::INDEFINITE);
        }
        return is_masked;
    };
    let mut env = fpu.env();
    let value = O::apply(&mut env, fpu.st(to).into(), source);
    let is_done = fpu.report(&env);
    if is_done {
        fpu.set_st(to, value);
    }
    is_done
}

/// A register as a source.
fn source(fpu: &Fpu, i: usize) -> Option<Source> {
    (!fpu.is_empty(i)).then(|| fpu.st(i).into())
}

/// `FADD ST(0), ST(i)` and its kin.
pub(super) fn st0_sti<O: Operation>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let source = source(fpu, insn.number(1));
    compute::<O>(fpu, 0, source);
    Ok(())
}

/// `FADD ST(i), ST(0)`, `FADDP ST(i), ST(0)` and their kin.
pub(super) fn sti_st0<O: Operation, const POPS: bool>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    let source = source(fpu, 0);
    if compute::<O>(fpu, insn.number(0), source) && POPS {
        fpu.pop();
    }
    Ok(())
}

/// `FADD m32fp` and its kin.
pub(super) fn st0_memory<O: Operation, M: Arithmetic>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    wait(cpu)?;
    let bits = M::read(cpu, insn)?;
    let fpu = note(cpu, insn);
    compute::<O>(fpu, 0, Some(M::operand(bits)));
    Ok(())
}

/// Puts a value computed from ST(0) in its place.
pub(super) fn unary(
    cpu: &mut Cpu,
    insn: &Insn,
    compute: impl FnOnce(&mut Env, F80) -> F80,
) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    if fpu.is_empty(0) {
        if fpu.underflow() {
            fpu.set_st(0, F80::INDEFINITE);
        }
        return Ok(());
    }
    let mut env = fpu.env();
    let value = compute(&mut env, fpu.st(0));
    if fpu.report(&env) {
        fpu.set_st(0, value);
    }
    Ok(())
}

/// ST(0) and ST(1), or None after a stack underflow, whose masked answer `indefinite` gives.
pub(super) fn top_two(fpu: &mut Fpu, indefinite: impl FnOnce(&mut Fpu)) -> Option<(F80, F80)> {
    if fpu.is_empty(0) || fpu.is_empty(1) {
        if fpu.underflow() {
            indefinite(fpu);
        }
        return None;
    }
    Some((fpu.st(0), fpu.st(1)))
}

/// FSQRT.
pub(super) fn fsqrt(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    unary(cpu, insn, Env::f80_sqrt)
}

/// FRNDINT.
pub(super) fn frndint(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    unary(cpu, insn, Env::f80_round_to_integral)
}

/// FSCALE.
pub(super) fn fscale(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    if let Some((value, by)) = top_two(fpu, |fpu| fpu.set_st(0, F80::INDEFINITE)) {
        let mut env = fpu.env();
        let value = env.f80_scale(value, by);
        if fpu.report(&env) {
            fpu.set_st(0, value);
        }
    }
    Ok(())
}

/// FPREM and FPREM1.
pub(super) fn remainder<const NEAREST: bool>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    // C2 is cleared in any case; C0 and C3 only follow a quotient.
    fpu.set_codes(StatusWord::C2, StatusWord::empty());
    let Some((dividend, divisor)) = top_two(fpu, |fpu| fpu.set_st(0, F80::INDEFINITE)) else {
        return Ok(());
    };
    let mut env = fpu.env();
    let remainder = env.f80_remainder(dividend, divisor, NEAREST);
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
    Ok(())
}

/// FXTRACT: the exponent replaces ST(0), the significand is pushed.
pub(super) fn fxtract(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    replace_and_push(fpu, |env, value| Some(env.f80_extract(value)));
    Ok(())
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
