//! FPREM and FPREM1 (SDM vol. 2).

use super::super::env::{Env, Precision};
use super::super::number::{Exact, Kind, Number};
use super::F80;

/// What FPREM and FPREM1 leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remainder {
    /// The remainder, or what is left to reduce.
    pub value: F80,
    /// The low three bits of the quotient: bit 2 goes to C0, bit 1 to C3, bit 0 to C1. Zero if partial.
    pub quotient: u8,
    /// The reduction is not finished: C2.
    pub is_partial: bool,
}

/// A remainder in integers: `rest * 2^scale`, negated against the dividend if so said.
struct Division {
    rest: u128,
    scale: i32,
    quotient: u8,
    is_negated: bool,
    is_partial: bool,
}

impl Env {
    /// FPREM (quotient toward zero) or FPREM1 (`to_nearest`) of `a` by `b`.
    pub fn f80_remainder(&mut self, a: F80, b: F80, to_nearest: bool) -> Remainder {
        self.rounded_up = false;
        let whole = |value| Remainder {
            value,
            quotient: 0,
            is_partial: false,
        };
        if let Some(nan) = self.f80_propagate2(a, b) {
            return whole(nan);
        }
        let (x, y) = (a.unpack(), b.unpack());
        if x.kind == Kind::Infinity || y.kind == Kind::Zero {
            return whole(self.f80_invalid());
        }
        if !self.accept(&[x, y]) {
            return whole(F80::INDEFINITE);
        }
        let (Kind::Finite(dividend), Kind::Finite(divisor)) = (x.kind, y.kind) else {
            let exact = if let Kind::Finite(n) = x.kind {
                Exact::Finite(n)
            } else {
                Exact::Zero(x.sign)
            };
            // Nothing is computed, so nothing underflows.
            return whole(Self::default().f80_pack(exact));
        };
        let division = divide(&dividend, &divisor, to_nearest);
        let exact = if division.rest == 0 {
            Exact::Zero(x.sign)
        } else {
            Exact::Finite(Number::normalised(
                x.sign != division.is_negated,
                division.scale + 127,
                division.rest,
            ))
        };
        Remainder {
            value: self.f80_pack_to(exact, Precision::Extended),
            quotient: division.quotient,
            is_partial: division.is_partial,
        }
    }
}

fn divide(dividend: &Number, divisor: &Number, to_nearest: bool) -> Division {
    let (x, y) = (u128::from(dividend.top()), u128::from(divisor.top()));
    let distance = dividend.exponent - divisor.exponent;
    // The unit of x is 2^(exponent - 63).
    let unit = dividend.exponent - 63;
    let untouched = Division {
        rest: x,
        scale: unit,
        quotient: 0,
        is_negated: false,
        is_partial: false,
    };
    match distance {
        64.. => {
            // The manual leaves the step open between 32 and 63; the hardware reduces so that a multiple of 32 remains.
            let step = 32 | (distance & 31);
            Division {
                rest: (x << step) % y,
                scale: unit - step,
                is_partial: true,
                ..untouched
            }
        }
        0..=63 => {
            let (quotient, rest) = ((x << distance) / y, (x << distance) % y);
            let goes_up = to_nearest && (2 * rest > y || (2 * rest == y && quotient & 1 != 0));
            let (quotient, rest) = if goes_up {
                (quotient + 1, y - rest)
            } else {
                (quotient, rest)
            };
            Division {
                rest,
                scale: unit - distance,
                quotient: (quotient & 7) as u8,
                is_negated: goes_up,
                is_partial: false,
            }
        }
        -1 if to_nearest && x > y => Division {
            rest: 2 * y - x,
            quotient: 1,
            is_negated: true,
            ..untouched
        },
        _ => untouched,
    }
}
