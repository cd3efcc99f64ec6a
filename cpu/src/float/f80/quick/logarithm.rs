//! The binary logarithm.

use super::super::super::number::{Exact, Number, TOP};
use super::super::wide::{LOG2_E, ONE, Wide, high_product};
use super::{alternating, product, shifted, sum};

const STEPS: usize = 128;

/// About one over a number between two steps, in units of 2^-8, and the binary logarithm of what
/// that is one over, in units of 2^-120.
///
/// Both are exact next to one and two, so that nothing cancels there.
static TABLE: [(u64, u128); STEPS] = {
    let mut table = [(256, 0); STEPS];
    let mut k = 1;
    while k < STEPS - 1 {
        let middle = 257 + 2 * k;
        let reciprocal = (65536 + middle as u64 / 2) / middle as u64;
        let inverse = (1 << 127) / reciprocal as u128 * 256;
        table[k] = (reciprocal, fraction_of_log2(inverse));
        k += 1;
    }
    table[STEPS - 1] = (128, 1 << 120);
    table
};

/// The binary logarithm of a number from one to two in units of 2^-127, in units of 2^-120.
const fn fraction_of_log2(mut x: u128) -> u128 {
    let mut bits = 0;
    let mut k = 0;
    while k < 120 {
        x = high_product(x, x);
        bits <<= 1;
        if x >= TOP {
            bits |= 1;
        } else {
            x <<= 1;
        }
        k += 1;
    }
    bits
}

/// `(ln(1+r)/r - 1 + r/2)/r^2` in units of 2^-65, by `-r` in units of 2^-71.
const TERMS: [u64; 9] = {
    let mut terms = [0; 9];
    let mut n = 0;
    while n < terms.len() {
        terms[n] = ((1u128 << (65 - 7 * n)) / (n as u128 + 3)) as u64;
        n += 1;
    }
    terms
};

/// The unit in which logarithms are added is 2 to this.
const UNIT: i32 = -112;

/// Of a positive number that is no power of two.
pub(in super::super) fn log2(x: &Number) -> Wide {
    let (reciprocal, log) = TABLE[(x.significand >> 120) as usize & (STEPS - 1)];
    // The product is one and less than 1/128 more or less: in units of 2^-135.
    let is_negative = high_product(x.significand, u128::from(reciprocal) << 64) < 1 << 71;
    let product = x.significand.wrapping_mul(reciprocal.into());
    let rest = if is_negative {
        product.wrapping_neg()
    } else {
        product
    };
    if rest == 0 {
        return Wide::ZERO;
    }
    let (of_rest, scale) = of_one_plus(is_negative, rest, -8);
    let base = (i128::from(x.exponent) << -UNIT) + (log >> 8) as i128;
    if base == 0 {
        return Wide::scaled(is_negative, of_rest, scale);
    }
    let of_rest = of_rest
        .checked_shr((UNIT - scale).unsigned_abs())
        .unwrap_or(0) as i128;
    let total = base + if is_negative { -of_rest } else { of_rest };
    Wide::scaled(total < 0, total.unsigned_abs(), UNIT)
}

/// Of one more than a number of at most 64 bits that is greater than -1, unless that is a power of two.
pub(in super::super) fn log2_plus_1(x: &Number) -> Option<Wide> {
    if x.exponent < -7 {
        let (magnitude, scale) = of_one_plus(x.sign, x.significand, x.exponent);
        return Some(Wide::scaled(x.sign, magnitude, scale));
    }
    // Up to 2^50 the sum is exact.
    match Wide::of(x).plus(ONE).exact() {
        Exact::Finite(sum) if x.exponent < 50 && sum.significand != TOP => Some(log2(&sum)),
        _ => None,
    }
}

/// `|log2(1 + r)|` of a magnitude of `rest * 2^(exponent - 127)`, not zero, below 1/128: a number and its scale.
fn of_one_plus(is_negative: bool, rest: u128, exponent: i32) -> (u128, i32) {
    // In units of 2^-71.
    let near = shifted((rest >> 64) as u64, exponent + 8);
    let half = rest.checked_shr((1 - exponent).unsigned_abs()).unwrap_or(0);
    let square = product(near, near);
    let (half, terms) = if is_negative {
        (TOP + half, sum(&TERMS, near))
    } else {
        (TOP - half, alternating(&TERMS, near))
    };
    let ratio = half + (u128::from(product(square, terms)) << 48);
    let shift = rest.leading_zeros();
    let natural = high_product(rest << shift, ratio);
    let binary = high_product(natural, LOG2_E.significand());
    (binary, exponent - 125 - shift as i32)
}
