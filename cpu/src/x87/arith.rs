//! Arithmetic on the stack (SDM 1, 8.3.5).

use super::X87Arithmetic;
use crate::float::{F80, Source};
use crate::fpu::Fpu;

/// A register as a source, unless it is empty.
#[inline]
pub(super) fn source(fpu: &Fpu, i: usize) -> Option<Source> {
    (!fpu.is_empty(i)).then(|| fpu.st(i).into())
}

/// Computes into ST(`to`) from it and `source`, None if that is empty. Whether ST(`to`) was written.
#[inline]
pub(super) fn compute(fpu: &mut Fpu, op: X87Arithmetic, to: usize, source: Option<Source>) -> bool {
    let Some(source) = source.filter(|_| !fpu.is_empty(to)) else {
        let is_masked = fpu.underflow();
        if is_masked {
            fpu.set_st(to, F80::INDEFINITE);
        }
        return is_masked;
    };
    let mut env = fpu.env();
    let own = Source::from(fpu.st(to));
    let value = match op {
        X87Arithmetic::Add => env.f80_add(own, source),
        X87Arithmetic::Mul => env.f80_mul(own, source),
        X87Arithmetic::Sub => env.f80_sub(own, source),
        X87Arithmetic::SubReversed => env.f80_sub(source, own),
        X87Arithmetic::Div => env.f80_div(own, source),
        X87Arithmetic::DivReversed => env.f80_div(source, own),
    };
    let is_done = fpu.report(&env);
    if is_done {
        fpu.set_st(to, value);
    }
    is_done
}
