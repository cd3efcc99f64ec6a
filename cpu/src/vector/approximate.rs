//! RCPPS and RSQRTPS (SDM 2B: relative error at most 1.5 * 2^-12; how it is met is up to the processor).
//!
//! Here they give what Intel processors give, to the bit: the leading bits of the significand (11 for
//! the reciprocal, 10 for the root) choose an interval, and the answer is the exact function of its
//! midpoint, rounded to nearest in units of 2^-13 of the power of two above it. This was compared
//! with a Xeon of family 6, model 207, for every interval of every exponent.

/// Units of the result's significand, which lies between a half and one.
const UNITS: f64 = 8192.0;
const SIGN: u32 = 0x8000_0000;
const INFINITY: u32 = 0x7f80_0000;
const QUIET: u32 = 0x40_0000;
const BIAS: i32 = 127;

/// A result of the midpoint: its bits, with the exponent of a number below one.
fn rounded(exact: f64) -> u32 {
    let nearest = (exact * UNITS).round_ties_even() / UNITS;
    (nearest as f32).to_bits()
}

/// The biased exponent of a magnitude.
const fn exponent(magnitude: u32) -> i32 {
    (magnitude >> 23) as i32
}

/// About `1 / x`, binary32. Raises nothing; denormals count as zero and become zero,
/// whatever MXCSR says.
#[must_use]
pub(super) fn reciprocal(x: u32) -> u32 {
    let sign = x & SIGN;
    let magnitude = x & !SIGN;
    if magnitude > INFINITY {
        return x | QUIET;
    }
    if magnitude < 0x80_0000 {
        return sign | INFINITY;
    }
    let interval = magnitude >> 12 & 0x7ff;
    let midpoint = 1.0 + (f64::from(interval) + 0.5) / 2048.0;
    let result = rounded(1.0 / midpoint);
    // An infinity has the greatest exponent, and its reciprocal is far below the least normal number.
    match exponent(result) + BIAS - exponent(magnitude) {
        ..=0 => sign,
        scaled => sign | (scaled as u32) << 23 | result & 0x7f_ffff,
    }
}

/// About `1 / sqrt(x)`, binary32. Raises nothing; denormals count as zero, whatever MXCSR says.
#[must_use]
pub(super) fn reciprocal_root(x: u32) -> u32 {
    let sign = x & SIGN;
    let magnitude = x & !SIGN;
    if magnitude > INFINITY {
        return x | QUIET;
    }
    if magnitude < 0x80_0000 {
        return sign | INFINITY;
    }
    if sign != 0 {
        return SIGN | INFINITY | QUIET;
    }
    if magnitude == INFINITY {
        return 0;
    }
    let power = exponent(magnitude) - BIAS;
    let odd = power & 1;
    let interval = magnitude >> 13 & 0x3ff;
    let midpoint = 1.0 + (f64::from(interval) + 0.5) / 1024.0;
    let result = rounded(1.0 / (midpoint * f64::from(1 + odd)).sqrt());
    let halved = (power - odd) / 2;
    result.wrapping_sub((halved as u32) << 23)
}
