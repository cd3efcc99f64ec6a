//! `2^x - 1`.

use super::super::super::number::{Number, TOP};
use super::super::wide::{LN_2, Wide, high_product};
use super::{alternating, product, shifted, sum};

const STEPS: usize = 128;

/// Two to the power of each step, in units of 2^-127.
static TABLE: [u128; STEPS] = {
    let mut table = [TOP; STEPS];
    let mut k = 1;
    while k < STEPS {
        table[k] = exponential((LN_2.significand() >> 7) * k as u128);
        k += 1;
    }
    table
};

/// Of a number in units of 2^-128, in units of 2^-127: `1 + x/1*(1 + x/2*(1 + ...))`.
const fn exponential(x: u128) -> u128 {
    let mut sum = TOP;
    let mut n = 34;
    while n > 0 {
        sum = TOP + high_product(sum, x) / n;
        n -= 1;
    }
    sum
}

/// `(e^z - 1 - z - z^2/2)/z^3` in units of 2^-66, by `z` in units of 2^-71.
const TERMS: [u64; 7] = {
    let mut terms = [0; 7];
    let (mut n, mut factorial) = (0, 6);
    while n < terms.len() {
        terms[n] = ((1u128 << (66 - 7 * n)) / factorial) as u64;
        n += 1;
        factorial *= n as u128 + 3;
    }
    terms
};

/// Of a number of at most 64 bits between -1 and 1.
pub(in super::super) fn exp2_minus_1(x: &Number) -> Wide {
    if x.exponent < -7 {
        let (magnitude, scale) = small(x.sign, x.top(), x.exponent);
        return Wide::scaled(x.sign, magnitude, scale);
    }
    // In units of 2^-128.
    let magnitude = x.significand >> (-1 - x.exponent);
    let step = (magnitude >> 121) as usize;
    let rest = (magnitude << 7 >> 64) as u64;
    // In units of 2^-134.
    let (of_rest, _) = small(x.sign, rest, -8);
    if x.sign {
        // Half of the power of what is missing to one, in units of 2^-128.
        let power = TABLE[STEPS - step];
        let total = power.wrapping_neg() + high_product(power, of_rest >> 6);
        Wide::scaled(true, total, -128)
    } else {
        let power = TABLE[step];
        let total = power - TOP + high_product(power, of_rest >> 6);
        Wide::scaled(false, total, -127)
    }
}

/// `|2^r - 1|` of a magnitude of `rest * 2^(exponent - 63)` below 1/128: a number and its scale.
fn small(is_negative: bool, rest: u64, exponent: i32) -> (u128, i32) {
    // In units of 2^(exponent - 127).
    let z = high_product(LN_2.significand(), u128::from(rest) << 64);
    // In units of 2^-71.
    let near = shifted((z >> 64) as u64, exponent + 8);
    let half = z.checked_shr((1 - exponent).unsigned_abs()).unwrap_or(0);
    let square = product(near, near);
    let (half, terms) = if is_negative {
        (TOP - half, alternating(&TERMS, near))
    } else {
        (TOP + half, sum(&TERMS, near))
    };
    let ratio = half + (u128::from(product(square, terms)) << 47);
    (high_product(z, ratio), exponent - 126)
}
