//! The arc tangent.

use super::super::super::number::TOP;
use super::super::wide::{Wide, high_product};
use super::{alternating, product, shifted};

/// How many steps there are up to one, and that as well.
const STEPS: usize = 129;

/// The arc tangent of each step, in units of 2^-128.
static TABLE: [u128; STEPS] = {
    let mut table = [0; STEPS];
    let mut k = 0;
    while k + 1 < STEPS {
        // What one step adds is the arc tangent of a quotient below 1/128.
        let n = k as u128;
        table[k + 1] = table[k] + of_small_quotient(128, (128 * 128) + n * (n + 1));
        k += 1;
    }
    table
};

/// In units of 2^-128.
const fn of_small_quotient(a: u128, b: u128) -> u128 {
    let quotient = ((a << 120) / b) << 8;
    let square = high_product(quotient, quotient);
    let (mut sum, mut n) = (0, 21);
    while n > 1 {
        sum = high_product((1 << 127) / n - sum, square);
        n -= 2;
    }
    // The sum is in units of 2^-127.
    quotient - high_product(quotient, sum << 1)
}

/// `(1 - atan(t)/t)/t^2` in units of 2^-65, by `t^2` in units of 2^-78.
const TERMS: [u64; 5] = [
    ((1 << 65) / 3u128) as u64,
    (1 << 51) / 5,
    (1 << 37) / 7,
    (1 << 23) / 9,
    (1 << 9) / 11,
];

/// The arc tangent of `y/x` for two positive numbers of 64 bits, if it is neither more than one nor less than 2^-60.
pub(in super::super) fn atan_of_quotient(y: &Wide, x: &Wide) -> Option<Wide> {
    let distance = x.exponent - y.exponent;
    if !(0..60).contains(&distance) || x.is_smaller(y) {
        return None;
    }
    let (top, bottom) = (u128::from(y.top()), u128::from(x.top()));
    let step = (top << 7 >> distance) / bottom;
    let tangent = if step == 0 {
        y.over(*x)
    } else {
        // By the theorem of addition; all of it is exact.
        let part = (top << 7) - ((step * bottom) << distance);
        let whole = (bottom << 7 << distance) + step * top;
        quotient(part, whole)
    };
    Some(add_to(TABLE[step as usize], &tangent))
}

/// Of two numbers, the second not zero.
fn quotient(part: u128, whole: u128) -> Wide {
    if part == 0 {
        return Wide::ZERO;
    }
    Wide::scaled(false, part, 0).over(Wide::scaled(false, whole, 0))
}

/// The arc tangent of a number below 1/128, and so many units of 2^-128 more.
fn add_to(base: u128, tangent: &Wide) -> Wide {
    if tangent.is_zero() {
        return Wide::scaled(false, base, -128);
    }
    let (t, exponent) = (tangent.top(), tangent.exponent);
    let square = shifted(product(t, t), 2 * (exponent + 8));
    let lacking = product(square, alternating(&TERMS, square));
    let ratio = TOP - (u128::from(lacking) << 48);
    let angle = high_product(tangent.significand(), ratio);
    if base == 0 {
        Wide::scaled(false, angle, exponent - 126)
    } else {
        Wide::scaled(false, base + (angle >> (-2 - exponent)), -128)
    }
}
