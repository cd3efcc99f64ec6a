//! Arithmetic in 128 significand bits, truncated: enough to round a transcendental result to 64 bits.

use super::super::number::{Exact, Number, TOP, shift_right_sticky};

/// A number or zero (significand 0): `significand * 2^(exponent - 127)`, normalised.
///
/// Results are within a few units of the last of 128 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wide {
    pub(super) sign: bool,
    pub(super) exponent: i32,
    significand: u128,
}

/// The natural logarithm of two.
pub(super) const LN_2: Wide = Wide::positive(-1, 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af);
/// The binary logarithm of e.
pub(super) const LOG2_E: Wide = Wide::positive(0, 0xb8aa_3b29_5c17_f0bb_be87_fed0_691d_3e88);
/// Pi.
pub(super) const PI: Wide = Wide::positive(1, 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1);
/// One.
pub(super) const ONE: Wide = Wide::positive(0, TOP);
/// The arc tangents of one to eight eighths.
const ATAN_EIGHTHS: [Wide; 8] = [
    Wide::positive(-4, 0xfead_d4d5_617b_6e32_c897_989f_3e88_8ef7),
    Wide::positive(-3, 0xfadb_afc9_6406_eb15_6dc7_9ef5_f7a2_17e5),
    Wide::positive(-2, 0xb7b0_ca0f_26f7_8473_8aa3_2122_dcfe_4483),
    Wide::positive(-2, 0xed63_382b_0dda_7b45_6fe4_45ec_bc3a_8d03),
    Wide::positive(-1, 0x8f00_5d5e_f7f5_9f9b_5c83_5e16_65c4_3747),
    Wide::positive(-1, 0xa4bc_7d19_34f7_0924_19a8_7f2a_457d_ac9e),
    Wide::positive(-1, 0xb805_3e2b_c231_9e73_cb2d_a552_10a4_443d),
    Wide::positive(-1, 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1),
];

impl Wide {
    pub(super) const ZERO: Self = Self {
        sign: false,
        exponent: 0,
        significand: 0,
    };

    const fn positive(exponent: i32, significand: u128) -> Self {
        Self {
            sign: false,
            exponent,
            significand,
        }
    }

    #[inline]
    pub(super) const fn of(number: &Number) -> Self {
        Self {
            sign: number.sign,
            exponent: number.exponent,
            significand: number.significand,
        }
    }

    /// `magnitude * 2^scale`.
    #[inline]
    pub(super) const fn scaled(sign: bool, magnitude: u128, scale: i32) -> Self {
        if magnitude == 0 {
            return Self::ZERO;
        }
        let Number {
            exponent,
            significand,
            ..
        } = Number::normalised(sign, scale + 127, magnitude);
        Self {
            sign,
            exponent,
            significand,
        }
    }

    pub(super) const fn integer(value: i32) -> Self {
        Self::scaled(value < 0, value.unsigned_abs() as u128, 0)
    }

    /// The significand; its upper half, and its lower.
    #[inline]
    pub(super) const fn significand(&self) -> u128 {
        self.significand
    }

    #[inline]
    pub(super) const fn top(&self) -> u64 {
        (self.significand >> 64) as u64
    }

    #[inline]
    pub(super) const fn low(&self) -> u64 {
        self.significand as u64
    }

    #[inline]
    pub(super) const fn is_zero(&self) -> bool {
        self.significand == 0
    }

    /// As a result that is known not to be exact: its lowest bit is sticky.
    #[inline]
    pub(super) const fn inexact(self) -> Exact {
        if self.is_zero() {
            return Exact::Zero(self.sign);
        }
        Exact::Finite(Number {
            sign: self.sign,
            exponent: self.exponent,
            significand: self.significand | 1,
        })
    }

    /// As a result that may be exact.
    pub(super) const fn exact(self) -> Exact {
        let Self {
            sign,
            exponent,
            significand,
        } = self;
        if significand == 0 {
            Exact::Zero(sign)
        } else {
            Exact::Finite(Number {
                sign,
                exponent,
                significand,
            })
        }
    }

    #[inline]
    pub(super) const fn negated(self) -> Self {
        Self {
            sign: !self.sign,
            ..self
        }
    }

    pub(super) const fn abs(self) -> Self {
        Self {
            sign: false,
            ..self
        }
    }

    /// Times a power of two.
    pub(super) const fn shifted(self, by: i32) -> Self {
        Self {
            exponent: self.exponent + by,
            ..self
        }
    }

    /// Whether the magnitude is less than another's.
    pub(super) const fn is_smaller(&self, other: &Self) -> bool {
        self.is_zero() && !other.is_zero()
            || !other.is_zero()
                && (self.exponent < other.exponent
                    || self.exponent == other.exponent && self.significand < other.significand)
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        if self.is_zero() {
            return other;
        }
        if other.is_zero() {
            return self;
        }
        let (large, small) = if self.is_smaller(&other) {
            (other, self)
        } else {
            (self, other)
        };
        let high = large.significand >> 1;
        let low = shift_right_sticky(
            small.significand >> 1,
            (large.exponent - small.exponent) as u32,
        );
        let total = if large.sign == small.sign {
            high + low
        } else {
            high - low
        };
        Self::scaled(large.sign, total, large.exponent - 126)
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    pub(super) const fn times(self, other: Self) -> Self {
        let sign = self.sign != other.sign;
        let high = high_product(self.significand, other.significand);
        Self::scaled(sign, high, self.exponent + other.exponent - 126)
    }

    /// Divided by a small integer.
    pub(super) const fn over_integer(self, divisor: u32) -> Self {
        let quotient = self.significand / divisor as u128;
        // The quotient has lost as many bits as the divisor has; get them from what is left over.
        let shift = quotient.leading_zeros();
        let rest = ((self.significand % divisor as u128) << shift) / divisor as u128;
        Self::scaled(
            self.sign,
            quotient << shift | rest,
            self.exponent - 127 - shift as i32,
        )
    }

    /// Divided by a number other than zero. The lowest bit is sticky.
    pub(super) fn over(self, other: Self) -> Self {
        let sign = self.sign != other.sign;
        if self.is_zero() {
            return Self { sign, ..Self::ZERO };
        }
        let (dividend, divisor) = (self.significand, other.significand);
        let exponent = self.exponent - other.exponent;
        let (exponent, significand) = if dividend < divisor {
            let (quotient, is_exact) = divide(dividend, divisor);
            (exponent - 1, quotient | u128::from(!is_exact))
        } else {
            let (quotient, is_exact) = divide(dividend - divisor, divisor);
            (
                exponent,
                TOP | quotient >> 1 | quotient & 1 | u128::from(!is_exact),
            )
        };
        Self {
            sign,
            exponent,
            significand,
        }
    }

    /// `e^self - 1` for magnitudes up to one.
    pub(super) fn exp_minus_1(self) -> Self {
        self.series(self, |k| k + 1)
    }

    /// The inverse hyperbolic tangent, for magnitudes up to a half.
    pub(super) fn atanh(self) -> Self {
        self.odd_powers(self.times(self))
    }

    /// The arc tangent of a number from 0 to 1.
    pub(super) fn atan(self) -> Self {
        // The nearest eighth, whose arc tangent is known; the rest is at most a sixteenth.
        let eighths = self.eighths();
        let Some(base) = eighths
            .checked_sub(1)
            .and_then(|index| ATAN_EIGHTHS.get(index))
        else {
            return self.small_atan();
        };
        let eighth = Self::scaled(false, eighths as u128, -3);
        base.plus(
            self.minus(eighth)
                .over(ONE.plus(self.times(eighth)))
                .small_atan(),
        )
    }

    fn small_atan(self) -> Self {
        self.odd_powers(self.times(self).negated())
    }

    fn eighths(&self) -> usize {
        match self.exponent {
            -4..=0 => ((self.significand >> (127 - 4 - self.exponent)) as usize).div_ceil(2),
            _ => 0,
        }
    }

    /// The sine, for magnitudes up to one.
    pub(super) fn sin(self) -> Self {
        if let Some(square) = self.fixed_square() {
            let [ratio] = alternating([&SINE], square);
            let high = high_product(self.significand, ratio);
            return Self::scaled(self.sign, high, self.exponent - 126);
        }
        self.series(self.times(self).negated(), |k| 2 * k * (2 * k + 1))
    }

    /// The cosine, for magnitudes up to one.
    pub(super) fn cos(self) -> Self {
        if let Some(square) = self.fixed_square() {
            let [cosine] = alternating([&COSINE], square);
            return Self::scaled(false, cosine, -127);
        }
        ONE.series(self.times(self).negated(), |k| 2 * k * (2 * k - 1))
    }

    /// Both, for magnitudes up to one.
    pub(super) fn sin_cos(self) -> (Self, Self) {
        let Some(square) = self.fixed_square() else {
            return (self.sin(), self.cos());
        };
        let [ratio, cosine] = alternating([&SINE, &COSINE], square);
        let high = high_product(self.significand, ratio);
        (
            Self::scaled(self.sign, high, self.exponent - 126),
            Self::scaled(false, cosine, -127),
        )
    }

    /// The square in units of 2^-128, of magnitudes less than one that are not so small
    /// that the result would lose its last bits to the unit.
    const fn fixed_square(self) -> Option<u128> {
        match self.exponent {
            LEAST_FIXED..=-1 => {
                let square = high_product(self.significand, self.significand);
                Some(square >> -(2 * self.exponent + 2))
            }
            _ => None,
        }
    }

    /// `self + self*step/d(1) + self*step^2/(d(1)*d(2)) + ...`
    fn series(self, step: Self, divisor: impl Fn(u32) -> u32) -> Self {
        let (mut sum, mut term) = (self, self);
        for k in 1.. {
            term = term.times(step).over_integer(divisor(k));
            if term.is_zero() || term.exponent < sum.exponent - 130 {
                // The first of the terms still shows as a sticky bit.
                return if k == 1 { sum.plus(term) } else { sum };
            }
            sum = sum.plus(term);
        }
        sum
    }

    /// `self * (1 + square/3 + square^2/5 + ...)`
    fn odd_powers(self, square: Self) -> Self {
        let (mut sum, mut power) = (self, self);
        for k in 1.. {
            power = power.times(square);
            if power.is_zero() || power.exponent < sum.exponent - 132 {
                return if k == 1 { sum.plus(power) } else { sum };
            }
            sum = sum.plus(power.over_integer(2 * k + 1));
        }
        sum
    }
}

/// The least exponent for arithmetic in fixed point.
const LEAST_FIXED: i32 = -24;

/// The coefficients of a series.
struct Terms {
    /// The first ones, in units of 2^-127.
    large: [u128; LARGE],
    /// Those after them, in units of 2^-124: less than 2^-60, they need 64 bits only.
    small: [u64; SMALL],
}

const LARGE: usize = 10;
const SMALL: usize = 7;
/// From the units of the small coefficients to those of the large ones.
const SMALL_SHIFT: u32 = 3;

/// The coefficients of the sine's series over the angle, `1/(2k+1)!`.
const SINE: Terms = reciprocal_factorials(1);
/// Those of the cosine, `1/(2k)!`.
const COSINE: Terms = reciprocal_factorials(0);

/// One over the factorial of `first` and every second number after it.
const fn reciprocal_factorials(first: u128) -> Terms {
    let mut terms = Terms {
        large: [TOP; LARGE],
        small: [0; SMALL],
    };
    let mut term = TOP;
    let mut k = 1;
    while k < LARGE + SMALL {
        let n = 2 * k as u128 + first;
        term /= n * (n - 1);
        if k < LARGE {
            terms.large[k] = term;
        } else {
            terms.small[k - LARGE] = (term >> SMALL_SHIFT) as u64;
        }
        k += 1;
    }
    terms
}

/// `terms[0] - square*(terms[1] - square*(terms[2] - ...))`, of several series at once,
/// whose steps do not wait for each other.
#[inline(always)]
fn alternating<const N: usize>(series: [&Terms; N], square: u128) -> [u128; N] {
    let near = square >> 64;
    let mut small = [0u64; N];
    for k in (0..SMALL).rev() {
        for (sum, terms) in small.iter_mut().zip(series) {
            *sum = terms.small[k] - ((u128::from(*sum) * near) >> 64) as u64;
        }
    }
    let mut sums = small.map(|sum| u128::from(sum) << SMALL_SHIFT);
    for k in (0..LARGE).rev() {
        for (sum, terms) in sums.iter_mut().zip(series) {
            *sum = terms.large[k] - near_product(*sum, square);
        }
    }
    sums
}

/// The upper half of the 256-bit product, or up to two less.
const fn near_product(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    a1 * b1 + ((a1 * b0) >> 64) + ((a0 * b1) >> 64)
}

/// The quotient of `2^128 * a` by a normalised significand greater than `a`, and whether nothing is left.
fn divide(a: u128, divisor: u128) -> (u128, bool) {
    let (high, rest) = divide_step(a, divisor);
    let (low, rest) = divide_step(rest, divisor);
    (u128::from(high) << 64 | u128::from(low), rest == 0)
}

/// A digit of 64 bits, and what is left (Knuth, The Art of Computer Programming, 4.3.1, algorithm D).
fn divide_step(rest: u128, divisor: u128) -> (u64, u128) {
    let (upper, lower) = (divisor >> 64, u128::from(divisor as u64));
    let mut digit = (rest / upper).min(u128::from(u64::MAX));
    let mut left = rest - digit * upper;
    // The digit may be too large by one or two.
    while left >> 64 == 0 && left << 64 < digit * lower {
        digit -= 1;
        left += upper;
    }
    (digit as u64, (left << 64).wrapping_sub(digit * lower))
}

/// The upper half of the 256-bit product.
#[inline]
pub(super) const fn high_product(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let middle = a1 * b0 + ((a0 * b0) >> 64);
    let lower = a0 * b1 + (middle & LOW);
    a1 * b1 + (middle >> 64) + (lower >> 64)
}

#[cfg(test)]
mod tests {
    use super::{ONE, Wide};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fixed_point_agrees_with_the_series(significand: u128, exponent in -24..0i32) {
            let angle = Wide::scaled(false, significand | 1 << 127, exponent - 127);
            let step = angle.times(angle).negated();
            let pairs = [
                (angle.sin(), angle.series(step, |k| 2 * k * (2 * k + 1))),
                (angle.cos(), ONE.series(step, |k| 2 * k * (2 * k - 1))),
            ];
            for (fixed, series) in pairs {
                let error = fixed.minus(series);
                prop_assert!(error.is_zero() || error.exponent < series.exponent - 118);
            }
        }
    }
}
