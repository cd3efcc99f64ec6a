//! The quick way against the series, which are good for 120 bits.

use super::super::super::number::Number;
use super::super::wide::{LN_2, LOG2_E, ONE, Wide};
use super::{MARGIN, atan_of_quotient, exp2_minus_1, log2, log2_plus_1, sin_cos};
use proptest::prelude::*;

/// Whether two numbers differ by less than half of what is put up with.
fn agree(quick: &Wide, exact: &Wide) -> bool {
    let error = quick.minus(*exact);
    let allowed = MARGIN.ilog2() as i32 - 127 - 1;
    error.is_zero() || error.exponent - exact.exponent < allowed
}

fn number(sign: bool, exponent: i32, top: u64) -> Number {
    Number {
        sign,
        exponent,
        significand: u128::from(top | 1 << 63) << 64,
    }
}

/// Significands, many of them with few bits, or next to one or two.
fn significand() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (any::<u64>(), 0..64u32).prop_map(|(bits, shift)| bits << shift),
        (any::<u64>(), 1..64u32).prop_map(|(bits, shift)| bits >> shift),
        (any::<u64>(), 0..64u32).prop_map(|(bits, shift)| !(bits >> shift)),
    ]
}

/// Exponents below a limit, most of them not far.
fn exponent(below: i32) -> impl Strategy<Value = i32> {
    prop_oneof![4 => below - 12..below, 1 => below - 70..below]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn sine_and_cosine_are_good_enough(sign: bool, exponent in exponent(-1), top in significand()) {
        let angle = Wide::of(&number(sign, exponent, top));
        let (sine, cosine) = sin_cos(&angle);
        prop_assert!(agree(&sine, &angle.sin()));
        prop_assert!(agree(&cosine, &angle.cos()));
    }

    #[test]
    fn so_they_are_of_reduced_angles(sign: bool, rest in 1..0x1_921f_b544_42d1_8469_u128, shift in 0..60u32) {
        let angle = Wide::scaled(sign, (rest >> shift).max(1), -65);
        let (sine, cosine) = sin_cos(&angle);
        prop_assert!(agree(&sine, &angle.sin()));
        prop_assert!(agree(&cosine, &angle.cos()));
    }

    #[test]
    fn the_arc_tangent_is_good_enough(distance in 0..60i32, top in significand(), bottom in significand()) {
        let (y, x) = (number(false, -distance, top), number(false, 0, bottom));
        let (y, x) = (Wide::of(&y), Wide::of(&x));
        match atan_of_quotient(&y, &x) {
            Some(angle) => prop_assert!(agree(&angle, &y.over(x).atan())),
            None => prop_assert!(x.is_smaller(&y)),
        }
    }

    #[test]
    fn the_power_is_good_enough(sign: bool, exponent in exponent(0), top in significand()) {
        let x = number(sign, exponent, top);
        prop_assert!(agree(&exp2_minus_1(&x), &Wide::of(&x).times(LN_2).exp_minus_1()));
    }

    #[test]
    fn the_logarithm_is_good_enough(exponent in -300..300i32, is_near: bool, top in significand()) {
        let x = number(false, if is_near { exponent % 2 } else { exponent }, top);
        prop_assume!(x.top() != 1 << 63);
        prop_assert!(agree(&log2(&x), &super::super::logarithm::log2(&x).value));
    }

    #[test]
    fn the_logarithm_of_one_plus_is_good_enough(sign: bool, exponent in exponent(0), top in significand()) {
        let x = number(sign, exponent, top);
        if let Some(log) = log2_plus_1(&x) {
            prop_assert!(agree(&log, &super::super::logarithm::log2_plus_1(&x).value));
        }
    }

    #[test]
    fn a_quotient_times_its_divisor_is_the_dividend(a: u128, b: u128) {
        let (a, b) = (Wide::scaled(false, a | 1 << 127, 0), Wide::scaled(true, b | 1 << 127, 0));
        let error = a.over(b).times(b).minus(a);
        prop_assert!(error.is_zero() || error.exponent < a.exponent - 125);
    }
}

#[test]
fn what_is_settled_is_rounded_alike_within_the_margin() {
    let settled = |low: u64| Wide::scaled(false, 1 << 127 | u128::from(low), 0).is_settled();
    for middle in [0, 1 << 63] {
        for near in [0, 1, MARGIN - 1] {
            assert!(!settled(middle + near) && !settled(u64::wrapping_sub(middle, near)));
        }
        assert!(settled(middle + MARGIN) && settled(u64::wrapping_sub(middle, MARGIN + 1)));
    }
    assert!(LOG2_E.times(LN_2).minus(ONE).exponent < -120);
}
