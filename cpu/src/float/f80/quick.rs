//! Transcendental functions to 74 bits and more, by tables and short polynomials: enough to round to 64 bits,
//! but for one result in 256, which is then computed anew in [`Wide`].
//!
//! A number in fixed point is named with its unit. All of a table's steps are 1/128, so what is left to
//! a polynomial is less than that, and a variable in units of 2^-71 is a fraction of 64 bits.

mod angle;
mod circle;
mod logarithm;
mod power;

pub(super) use angle::atan_of_quotient;
pub(super) use circle::sin_cos;
pub(super) use logarithm::{log2, log2_plus_1};
pub(super) use power::exp2_minus_1;

use super::wide::Wide;

/// How far a result may be off, in units of the last of 128 bits. The tests find less than half of it.
const MARGIN: u64 = 1 << 54;

impl Wide {
    /// Whether the 64 bits to which it is rounded, in whichever way, are those of any number within [`MARGIN`].
    #[inline]
    pub(super) const fn is_settled(&self) -> bool {
        // What is closest to a number of 64 bits, or to the middle of two.
        let rest = self.low() << 1 >> 1;
        rest.wrapping_sub(MARGIN) < (1 << 63) - 2 * MARGIN
    }
}

/// The upper half of a product: of fractions.
#[inline]
const fn product(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

/// `terms[0] + x*(terms[1] + x*(terms[2] + ...))`
#[inline(always)]
fn sum<const N: usize>(terms: &[u64; N], x: u64) -> u64 {
    let mut sum = 0;
    for n in (0..N).rev() {
        sum = terms[n] + product(sum, x);
    }
    sum
}

/// `terms[0] - x*(terms[1] - x*(terms[2] - ...))`
#[inline(always)]
fn alternating<const N: usize>(terms: &[u64; N], x: u64) -> u64 {
    let mut sum = 0;
    for n in (0..N).rev() {
        sum = terms[n] - product(sum, x);
    }
    sum
}

/// `value >> count`, or zero if nothing is left.
#[inline]
fn shifted(value: u64, count: i32) -> u64 {
    value.checked_shr(count.unsigned_abs()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
