//! Comparisons and classification (SDM 1, 8.3.6).

use super::arith::source;
use crate::float::{Comparison, Source};
use crate::fpu::{Fpu, StatusWord};

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

/// Compares into the condition codes, then pops.
#[inline]
pub(super) fn codes(fpu: &mut Fpu, other: Option<Source>, quiet_signals: bool, pops: u8) {
    let (relation, is_done) = compare(fpu, other, quiet_signals);
    let codes = match relation {
        Comparison::Greater => StatusWord::empty(),
        Comparison::Less => StatusWord::C0,
        Comparison::Equal => StatusWord::C3,
        Comparison::Unordered => StatusWord::C0 | StatusWord::C2 | StatusWord::C3,
    };
    fpu.set_codes(StatusWord::CODES, codes);
    if is_done {
        for _ in 0..pops {
            fpu.pop();
        }
    }
}

/// FCOMI and its kin. C1 stays unless the stack is at fault, whatever the manual says;
/// hardware settled it.
#[inline]
pub(super) fn order(fpu: &mut Fpu, with: usize, quiet_signals: bool, pops: bool) -> Comparison {
    let other = source(fpu, with);
    let (relation, is_done) = compare(fpu, other, quiet_signals);
    if is_done && pops {
        fpu.pop();
    }
    relation
}

/// FXAM: the class, and the sign even of an empty register.
#[inline]
pub(super) fn examine(fpu: &mut Fpu) {
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
}
