//! Host arithmetic where it gives the same bits and the same flags as the soft path.
//!
//! Rust's `f32` and `f64` round to nearest and keep denormals; the host's own control register must say so.
//! An answer is given only if no operand is denormal and the result is normal and not the least normal number
//! (or a zero that is plainly exact), so that PE is the only exception possible. Whether PE is due is found without a
//! fused multiply-add, which a baseline host lacks.

use std::fmt::Debug;

use super::binary::{F16, F32, F64};

/// The host's arithmetic for a format. An answer is the result and whether it is inexact; with `inexact_known` the
/// latter is not worked out and reads false.
pub trait Fast: Copy + Debug + 'static {
    /// The encoding.
    type Bits: Copy + Eq + Debug;
    /// `a + b`, if the host can say.
    #[inline]
    fn fast_add(
        _a: Self::Bits,
        _b: Self::Bits,
        _inexact_known: bool,
    ) -> Option<(Self::Bits, bool)> {
        None
    }
    /// `a - b`, if the host can say.
    #[inline]
    fn fast_sub(
        _a: Self::Bits,
        _b: Self::Bits,
        _inexact_known: bool,
    ) -> Option<(Self::Bits, bool)> {
        None
    }
    /// `a * b`, if the host can say.
    #[inline]
    fn fast_mul(
        _a: Self::Bits,
        _b: Self::Bits,
        _inexact_known: bool,
    ) -> Option<(Self::Bits, bool)> {
        None
    }
    /// `a / b`, if the host can say.
    #[inline]
    fn fast_div(
        _a: Self::Bits,
        _b: Self::Bits,
        _inexact_known: bool,
    ) -> Option<(Self::Bits, bool)> {
        None
    }
    /// The square root of `a`, if the host can say.
    #[inline]
    fn fast_sqrt(_a: Self::Bits, _inexact_known: bool) -> Option<(Self::Bits, bool)> {
        None
    }
    /// `a * b + c` with one rounding, if the host can say.
    #[inline]
    fn fast_fused(_a: Self::Bits, _b: Self::Bits, _c: Self::Bits) -> Option<(Self::Bits, bool)> {
        None
    }
}

impl Fast for F16 {
    type Bits = u16;
}

/// Implements [`Fast`] for a host type; `$inexact` is a module that says whether a rounded result lost bits.
macro_rules! host_arithmetic {
    ($format:ty, $float:ty, $bits:ty, $fraction:literal, $max:literal, $inexact:ident) => {
        impl $format {
            #[inline]
            const fn field(bits: $bits) -> $bits {
                (bits >> $fraction) & $max
            }
            #[inline]
            const fn is_zero(bits: $bits) -> bool {
                bits << 1 == 0
            }
            #[inline]
            const fn is_normal(bits: $bits) -> bool {
                Self::field(bits).wrapping_sub(1) < $max - 1
            }
            /// Zero or normal.
            #[inline]
            const fn is_plain(bits: $bits) -> bool {
                Self::is_normal(bits) || Self::is_zero(bits)
            }
            /// Normal, with room below and above.
            #[inline]
            const fn is_safe(bits: $bits) -> bool {
                Self::field(bits).wrapping_sub(2) < $max - 4
            }
        }

        impl Fast for $format {
            type Bits = $bits;

            #[inline]
            fn fast_add(a: $bits, b: $bits, inexact_known: bool) -> Option<($bits, bool)> {
                let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
                let sum = x + y;
                let bits = sum.to_bits();
                if !(Self::is_plain(a)
                    && Self::is_plain(b)
                    && (Self::is_safe(bits) || Self::is_zero(bits)))
                {
                    return None;
                }
                // Knuth's TwoSum: what rounding lost is itself a number, and this is it.
                let y_part = sum - x;
                let lost = (x - (sum - y_part)) + (y - y_part);
                Some((bits, !inexact_known && lost != 0.0))
            }

            #[inline]
            fn fast_sub(a: $bits, b: $bits, inexact_known: bool) -> Option<($bits, bool)> {
                if !Self::is_plain(b) {
                    return None;
                }
                Self::fast_add(a, (-<$float>::from_bits(b)).to_bits(), inexact_known)
            }

            #[inline]
            fn fast_mul(a: $bits, b: $bits, inexact_known: bool) -> Option<($bits, bool)> {
                let bits = (<$float>::from_bits(a) * <$float>::from_bits(b)).to_bits();
                if Self::is_normal(a) && Self::is_normal(b) && Self::is_safe(bits) {
                    Some((bits, !inexact_known && $inexact::product(a, b, bits)))
                } else if Self::is_plain(a)
                    && Self::is_plain(b)
                    && (Self::is_zero(a) || Self::is_zero(b))
                {
                    Some((bits, false))
                } else {
                    None
                }
            }

            #[inline]
            fn fast_div(a: $bits, b: $bits, inexact_known: bool) -> Option<($bits, bool)> {
                let bits = (<$float>::from_bits(a) / <$float>::from_bits(b)).to_bits();
                if Self::is_normal(a) && Self::is_normal(b) && Self::is_safe(bits) {
                    Some((bits, !inexact_known && $inexact::quotient(a, b, bits)))
                } else if Self::is_zero(a) && Self::is_normal(b) {
                    Some((bits, false))
                } else {
                    None
                }
            }

            #[inline]
            fn fast_fused(a: $bits, b: $bits, c: $bits) -> Option<($bits, bool)> {
                super::fused::$inexact(a, b, c)
            }

            #[inline]
            fn fast_sqrt(a: $bits, inexact_known: bool) -> Option<($bits, bool)> {
                let bits = <$float>::from_bits(a).sqrt().to_bits();
                if Self::is_zero(a) {
                    Some((bits, false))
                } else if Self::is_normal(a) && a >> (<$bits>::BITS - 1) == 0 {
                    Some((bits, !inexact_known && $inexact::root(a, bits)))
                } else {
                    None
                }
            }
        }
    };
}

host_arithmetic!(F32, f32, u32, 23, 0xff, single);
host_arithmetic!(F64, f64, u64, 52, 0x7ff, double);

/// Exactness of binary32 results, seen in binary64, where a product of two is exact.
mod single {
    #[inline]
    fn wide(bits: u32) -> f64 {
        f64::from(f32::from_bits(bits))
    }
    #[inline]
    pub(super) fn product(a: u32, b: u32, result: u32) -> bool {
        wide(a) * wide(b) != wide(result)
    }
    #[inline]
    pub(super) fn quotient(a: u32, b: u32, result: u32) -> bool {
        wide(result) * wide(b) != wide(a)
    }
    #[inline]
    pub(super) fn root(a: u32, result: u32) -> bool {
        wide(result) * wide(result) != wide(a)
    }
}

/// Exactness of binary64 results, seen in the integer significands.
mod double {
    #[inline]
    const fn significand(bits: u64) -> u64 {
        bits & ((1 << 52) - 1) | (1 << 52)
    }
    #[inline]
    const fn exponent(bits: u64) -> u32 {
        (bits >> 52) as u32 & 0x7ff
    }
    /// The product has as many trailing zeros as its factors together; all bits below the result's must be zeros.
    #[inline]
    pub(super) const fn product(a: u64, b: u64, result: u64) -> bool {
        let zeros = significand(a).trailing_zeros() + significand(b).trailing_zeros();
        let below = (1075 + exponent(result)).wrapping_sub(exponent(a) + exponent(b));
        zeros < below
    }
    #[inline]
    pub(super) const fn quotient(a: u64, b: u64, result: u64) -> bool {
        is_not_product(a, result, b)
    }
    #[inline]
    pub(super) const fn root(a: u64, result: u64) -> bool {
        is_not_product(a, result, result)
    }
    #[inline]
    const fn is_not_product(whole: u64, x: u64, y: u64) -> bool {
        let shift = (1075 + exponent(whole)).wrapping_sub(exponent(x) + exponent(y));
        // The shift is 51 to 54, because the rounded product of x and y is near the whole.
        significand(x) as u128 * significand(y) as u128
            != (significand(whole) as u128) << (shift & 63)
    }
}
