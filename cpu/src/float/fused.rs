//! Fused multiply-add out of ordinary host arithmetic (Boldo and Melquiond, Emulation of a FMA and
//! Correctly Rounded Sums: Proved Algorithms Using Rounding to Odd, 2008). A host's own need not
//! be fused, nor right.
//!
//! Each answer is the result, rounded once, and whether it is inexact; none where a number could
//! be denormal or infinite on the way.

/// The sum rounded to nearest, and what rounding lost (Knuth).
#[inline]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// The product rounded to nearest, and what rounding lost (Dekker).
#[inline]
fn two_product(a: f64, b: f64) -> (f64, f64) {
    // Half of the significand each.
    let split = |x: f64| {
        let scaled = x * 134_217_729.0;
        let high = scaled - (scaled - x);
        (high, x - high)
    };
    let product = a * b;
    let ((a_high, a_low), (b_high, b_low)) = (split(a), split(b));
    let rest = a_high * b_high - product + a_high * b_low + a_low * b_high;
    (product, rest + a_low * b_low)
}

/// The sum rounded to odd: if it is inexact, its last bit is set. And whether it is.
#[inline]
fn odd_sum(a: f64, b: f64) -> (f64, bool) {
    let (sum, lost) = two_sum(a, b);
    let bits = sum.to_bits();
    if lost == 0.0 || bits & 1 != 0 {
        return (sum, lost != 0.0);
    }
    let is_away = (lost > 0.0) == (sum > 0.0);
    let bits = if is_away { bits + 1 } else { bits - 1 };
    (f64::from_bits(bits), true)
}

/// The exponent field of binary64.
#[inline]
const fn field(bits: u64) -> u64 {
    bits >> 52 & 0x7ff
}

/// `a * b + c` in binary64.
#[inline]
pub(super) fn double(a: u64, b: u64, c: u64) -> Option<(u64, bool)> {
    let has_room = |bits: u64, room: u64| field(bits).wrapping_sub(1023 - room) <= 2 * room;
    if !(has_room(a, 400) && has_room(b, 400) && (c << 1 == 0 || has_room(c, 800))) {
        return None;
    }
    let [a, b, c] = [a, b, c].map(f64::from_bits);
    let (product, product_rest) = two_product(a, b);
    let (small, small_rest) = two_sum(c, product_rest);
    let (large, large_rest) = two_sum(product, small);
    let (rest, is_cut) = odd_sum(small_rest, large_rest);
    let (result, lost) = two_sum(large, rest);
    // A zero's sign is for others to find.
    (result != 0.0).then_some((result.to_bits(), is_cut || lost != 0.0))
}

/// `a * b + c` in binary32, whose products are exact in binary64.
#[inline]
pub(super) fn single(a: u32, b: u32, c: u32) -> Option<(u32, bool)> {
    let is_plain = |bits: u32| (bits >> 23 & 0xff).wrapping_sub(1) < 0xfe;
    if !(is_plain(a) && is_plain(b) && (c << 1 == 0 || is_plain(c))) {
        return None;
    }
    let [a, b, c] = [a, b, c].map(|bits| f64::from(f32::from_bits(bits)));
    let (sum, is_cut) = odd_sum(a * b, c);
    let result = sum as f32;
    // With room for what rounding may do.
    let is_safe = (result.to_bits() >> 23 & 0xff).wrapping_sub(2) < 0xfb;
    is_safe.then_some((result.to_bits(), is_cut || f64::from(result) != sum))
}

#[cfg(test)]
mod tests {
    use crate::float::{Env, F32, F64};
    use proptest::prelude::*;

    /// Mostly numbers that cancel, or nearly.
    fn near(value: f64, steps: i64) -> f64 {
        f64::from_bits(value.to_bits().wrapping_add_signed(steps))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn doubles_are_as_the_integers_say(
            a in any::<u64>(), b in any::<u64>(), c in any::<u64>(),
            cancels in any::<bool>(), steps in -3i64..4, exponents in any::<bool>(),
        ) {
            // Exponents near one another meet.
            let tame = |x: u64| if exponents { x & !(0x7fc << 52) | 0x3fc << 52 } else { x };
            let (a, b) = (tame(a), tame(b));
            let product = -f64::from_bits(a) * f64::from_bits(b);
            let c = if cancels { near(product, steps).to_bits() } else { tame(c) };
            let (mut fast, mut soft) = (Env::default(), Env::default());
            prop_assert_eq!(
                fast.fused::<F64>([a, b, c], false, false),
                soft.soft_fused::<F64>([a, b, c], false, false)
            );
            prop_assert_eq!(fast.raised, soft.raised);
        }

        #[test]
        fn singles_are_as_the_integers_say(
            a in any::<u32>(), b in any::<u32>(), c in any::<u32>(),
            cancels in any::<bool>(), steps in -3i32..4, exponents in any::<bool>(),
        ) {
            let tame = |x: u32| if exponents { x & !(0xf8 << 23) | 0x78 << 23 } else { x };
            let (a, b) = (tame(a), tame(b));
            let product = (-f32::from_bits(a) * f32::from_bits(b)).to_bits();
            let c = if cancels { product.wrapping_add_signed(steps) } else { tame(c) };
            let (mut fast, mut soft) = (Env::default(), Env::default());
            prop_assert_eq!(
                fast.fused::<F32>([a, b, c], true, false),
                soft.soft_fused::<F32>([a, b, c], true, false)
            );
            prop_assert_eq!(fast.raised, soft.raised);
        }
    }
}
