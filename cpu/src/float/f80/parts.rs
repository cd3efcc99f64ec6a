//! Results of transcendental functions before they are rounded, in two parts: a host with an
//! x87 unit adds them, and so rounds, reports and says where it rounded to by itself.
//!
//! This holds for rounding to nearest and operands that are normal numbers; whatever else there is,
//! [`Env`](super::Env) does.

use super::super::number::{Exact, Kind, Number};
use super::{BIAS, F80};

/// A result as the sum of two numbers, the second less than a unit in the last place of the first.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The top 64 bits.
    pub high: F80,
    /// The rest. It is zero for a result that is zero, and for no other: all others count as inexact.
    pub low: f64,
}

/// Exponents for which both parts are normal numbers.
const EXPONENTS: std::ops::RangeInclusive<i32> = -900..=900;

impl Parts {
    /// Of a number, if its exponent is not too extreme.
    #[inline]
    pub(super) fn of(exact: Exact) -> Option<Self> {
        match exact {
            Exact::Finite(number) if EXPONENTS.contains(&number.exponent) => {
                Some(Self::of_number(&number))
            }
            Exact::Zero(sign) => Some(Self {
                high: F80::new(sign, 0, 0),
                low: if sign { -0.0 } else { 0.0 },
            }),
            _ => None,
        }
    }

    #[inline]
    fn of_number(number: &Number) -> Self {
        /// What does not fit into the 53 bits of the lower part.
        const DROPPED: u32 = 11;
        let rest = number.significand as u64;
        // A tie stays one. An exact number counts as inexact, too.
        let is_sticky = rest == 0 || rest << (64 - DROPPED) != 0;
        let kept = rest >> DROPPED | u64::from(is_sticky);
        let scale = number.exponent - 127 + DROPPED as i32;
        let low = f64::from_bits((kept as f64).to_bits().wrapping_add((scale as u64) << 52));
        Self {
            high: F80::new(number.sign, (number.exponent + BIAS) as u16, number.top()),
            low: if number.sign { -low } else { low },
        }
    }

    /// One as the sum that is rounded where another is: away from zero, or not at all.
    #[must_use]
    pub fn one_rounded_as(other: &Self) -> Self {
        /// Three quarters of a unit in the last place of the greatest number below one.
        const MOST_OF_A_UNIT: f64 = 0.75 / (1u128 << 64) as f64;
        if other.rounds_up() {
            Self {
                high: F80::new(false, BIAS as u16 - 1, u64::MAX),
                low: MOST_OF_A_UNIT,
            }
        } else {
            Self {
                high: F80::ONE,
                low: 0.0,
            }
        }
    }

    /// Whether the sum, rounded to nearest, is farther from zero than its first part.
    fn rounds_up(&self) -> bool {
        let is_odd = self.high.significand & 1 != 0;
        let exponent = i32::from(self.high.sign_exponent & 0x7fff) - BIAS;
        let half = f64::from_bits(((exponent - 64 + 1023) as u64) << 52);
        let low = self.low.abs();
        low > half || low == half && is_odd
    }
}

impl F80 {
    /// The number, if it is a normal one.
    #[inline]
    pub(super) const fn normal(self) -> Option<Number> {
        let operand = self.unpack();
        match operand.kind {
            Kind::Finite(number) if !operand.is_denormal => Some(number),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::number::{Exact, Number};
    use super::super::Env;
    use super::Parts;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sum_of_the_parts_is_rounded_as_the_whole(
            sign: bool,
            exponent in -900..=900,
            significand: u128,
            zeros in 0..128u32,
        ) {
            let significand = (significand >> zeros << zeros) | 1 << 127;
            let exact = Exact::Finite(Number { sign, exponent, significand });
            let mut whole = Env::default();
            let rounded = whole.f80_pack_inexact(exact);
            let parts = Parts::of(exact).expect("the exponent is in range");
            let mut sum = Env::default();
            let low = super::super::Source::from_memory::<crate::float::F64>(parts.low.to_bits());
            prop_assert_eq!(sum.f80_add(parts.high, low), rounded);
            prop_assert_eq!(sum, whole);
            prop_assert_eq!(parts.rounds_up(), whole.rounded_up);

            let one = Parts::one_rounded_as(&parts);
            let low = super::super::Source::from_memory::<crate::float::F64>(one.low.to_bits());
            prop_assert_eq!(sum.f80_add(one.high, low), super::F80::ONE);
            prop_assert_eq!(sum, whole);
        }
    }
}
