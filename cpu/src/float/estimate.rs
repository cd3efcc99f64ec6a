//! RCPPS and RSQRTPS (SDM vol. 2). They raise nothing, ignore MXCSR and take denormals for zeros.
//!
//! The manual bounds the error only. These are the values of Intel processors, checked against one over all table
//! entries: the operand is cut to 11 bits after the point (10 for the root), and the function of the middle of that
//! interval is rounded to 13 bits.

use super::binary::{F32, Layout};

const INFINITY: u32 = F32::INFINITY as u32;
const SIGN: u32 = F32::SIGN as u32;
const QUIET: u32 = F32::QUIET as u32;

/// One lane of RCPPS: about `1 / a`.
#[must_use]
pub const fn reciprocal_estimate(a: u32) -> u32 {
    let sign = a & SIGN;
    let (field, fraction) = (a >> 23 & 0xff, a & 0x7f_ffff);
    match field {
        0xff if fraction != 0 => a | QUIET,
        0 => sign | INFINITY,
        253.. => sign,
        _ => {
            // The operand is `middle / 2^12`, the result `estimate / 2^13`.
            let middle = 4097 + (fraction >> 12) * 2;
            let estimate = ((1 << 26) + middle) / (2 * middle);
            sign | (253 - field) << 23 | (estimate - 4096) << 11
        }
    }
}

/// One lane of RSQRTPS: about `1 / sqrt(a)`.
#[must_use]
pub const fn reciprocal_root_estimate(a: u32) -> u32 {
    let sign = a & SIGN;
    let (field, fraction) = (a >> 23 & 0xff, a & 0x7f_ffff);
    match field {
        0xff if fraction != 0 => a | QUIET,
        0 => sign | INFINITY,
        _ if sign != 0 => F32::INDEFINITE as u32,
        0xff => 0,
        _ => {
            // The operand is `middle / 2^11`, from 1 to 4, times an even power of two.
            let is_odd = field & 1 == 0;
            let middle = (2049 + (fraction >> 13) * 2) << is_odd as u32;
            let twice = ((1u64 << 39) / middle as u64).isqrt() as u32;
            let estimate = twice.div_ceil(2);
            (126 - ((field - is_odd as u32) as i32 - 127) / 2) as u32 * (1 << 23)
                + (estimate - 4096) * (1 << 11)
        }
    }
}
