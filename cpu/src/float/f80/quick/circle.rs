//! Sine and cosine.

use super::super::super::number::TOP;
use super::super::wide::{Wide, high_product};
use super::{alternating, product};

/// How many steps there are up to a quarter of pi.
const STEPS: usize = 101;

/// Sine and cosine of each step, in units of 2^-128. (The cosine of zero would be a unit more.)
static TABLE: [(u128, u128); STEPS] = {
    let mut table = [(0, u128::MAX); STEPS];
    let mut k = 1;
    while k < STEPS {
        let angle = k as u128;
        let square = (angle * angle) << (128 - 14);
        table[k] = ((series(1, square) >> 6) * angle, series(0, square) << 1);
        k += 1;
    }
    table
};

/// `1 - square/((first+1)(first+2))*(1 - square/((first+3)(first+4))*(...))` in units of 2^-127; the square is in units
/// of 2^-128.
const fn series(first: u128, square: u128) -> u128 {
    let mut sum = TOP;
    let mut k = 17;
    while k > 0 {
        let n = 2 * k + first;
        sum = TOP - high_product(sum, square) / (n * (n - 1));
        k -= 1;
    }
    sum
}

/// `(1 - sin(x)/x)/x^2` in units of 2^-66, by `x^2` in units of 2^-78.
const SINE: [u64; 4] = [
    ((1 << 66) / 6u128) as u64,
    (1 << 52) / 120,
    (1 << 38) / 5040,
    (1 << 24) / 362_880,
];
/// `(cos(x) - 1 + x^2/2)/x^4` in units of 2^-68, likewise.
const COSINE: [u64; 4] = [
    ((1 << 68) / 24u128) as u64,
    (1 << 54) / 720,
    (1 << 40) / 40320,
    (1 << 26) / 3_628_800,
];

/// What sine and cosine of a small angle lack.
struct Lacking {
    /// `1 - sin(x)/x` in units of 2^-80.
    sine: u64,
    /// `1 - cos(x)` in units of 2^-142.
    cosine: u128,
}

impl Lacking {
    /// Of an angle below 1/128, by its square in units of 2^-142.
    #[inline(always)]
    fn of(square: u128) -> Self {
        let near = (square >> 64) as u64;
        let fourth = product(product(near, near), alternating(&COSINE, near));
        Self {
            sine: product(near, alternating(&SINE, near)),
            cosine: (square >> 1) - (u128::from(fourth) << 46),
        }
    }
}

/// Sine and cosine of a reduced angle, that is of at most 64 bits if it is below 1/128, and of no more than 71 bits
/// behind the point otherwise.
#[inline]
pub(in super::super) fn sin_cos(angle: &Wide) -> (Wide, Wide) {
    if angle.exponent < -7 {
        small(angle)
    } else {
        by_table(angle)
    }
}

#[inline]
fn small(angle: &Wide) -> (Wide, Wide) {
    let x = angle.top();
    let square = u128::from(x) * u128::from(x);
    let square = square
        .checked_shr((-2 * (angle.exponent + 8)).unsigned_abs())
        .unwrap_or(0);
    let lacking = Lacking::of(square);
    let ratio = TOP - (u128::from(lacking.sine) << 47);
    let x = u128::from(x) << 64;
    (
        Wide::scaled(angle.sign, high_product(ratio, x), angle.exponent - 126),
        Wide::scaled(false, TOP - (lacking.cosine >> 15), -127),
    )
}

#[inline]
fn by_table(angle: &Wide) -> (Wide, Wide) {
    // In units of 2^-128.
    let magnitude = angle.significand() >> (-1 - angle.exponent);
    let (sine, cosine) = TABLE[(magnitude >> 121) as usize];
    // In units of 2^-71.
    let rest = (magnitude << 7 >> 64) as u64;
    let lacking = Lacking::of(u128::from(rest) * u128::from(rest));
    // The sine of the rest, in units of 2^-135.
    let small = (u128::from(rest) << 64) - (u128::from(product(rest, lacking.sine)) << 48);
    let part = |of: u128, small| high_product(of, small);
    let total_sine = sine + (part(cosine, small) >> 7) - (part(sine, lacking.cosine) >> 14);
    let total_cosine = cosine - (part(sine, small) >> 7) - (part(cosine, lacking.cosine) >> 14);
    (
        Wide::scaled(angle.sign, total_sine, -128),
        Wide::scaled(false, total_cosine, -128),
    )
}
