//! Chosen cases, and properties that need no host to compare with.

use proptest::prelude::*;

use super::{
    Class, Comparison, Constant, Env, Exceptions, F16, F32, F64, F80, Precision, Predicate,
    Rounding, Source,
};

const NONE: Exceptions = Exceptions::empty();
const IE: Exceptions = Exceptions::INVALID;
const DE: Exceptions = Exceptions::DENORMAL;
const ZE: Exceptions = Exceptions::ZERO_DIVIDE;
const OE: Exceptions = Exceptions::OVERFLOW;
const UE: Exceptions = Exceptions::UNDERFLOW;
const PE: Exceptions = Exceptions::PRECISION;

const DEFAULT: u32 = 0x1f80;
const FTZ: u32 = 0x8000;
const DAZ: u32 = 0x40;

fn sse(mxcsr: u32, operation: impl FnOnce(&mut Env) -> u32) -> (u32, Exceptions) {
    let mut env = Env::from_mxcsr(mxcsr);
    let bits = operation(&mut env);
    (bits, env.reported())
}

fn x87(control_word: u16, operation: impl FnOnce(&mut Env) -> F80) -> (u16, u64, Exceptions) {
    let mut env = Env::from_control_word(control_word);
    let F80 {
        sign_exponent,
        significand,
    } = operation(&mut env);
    (sign_exponent, significand, env.reported())
}

fn f80(sign_exponent: u16, significand: u64) -> F80 {
    F80 {
        sign_exponent,
        significand,
    }
}

#[test]
fn control_registers_are_read_bit_by_bit() {
    let env = Env::from_mxcsr(0xffff);
    assert_eq!(
        (env.rounding, env.flush_to_zero, env.denormals_are_zero),
        (Rounding::Zero, true, true)
    );
    assert_eq!(
        (env.masks, env.raised, env.inexact_known),
        (Exceptions::all(), NONE, true)
    );
    let env = Env::from_control_word(0x0673);
    assert_eq!(
        (env.rounding, env.precision),
        (Rounding::Down, Precision::Double)
    );
    assert_eq!(env.masks, IE | DE | UE | PE);
}

#[test]
fn sse_results_and_flags() {
    let (one, max, least, tiny) = (0x3f80_0000, 0x7f7f_ffff, 0x0080_0000, 1);
    assert_eq!(
        sse(DEFAULT, |e| e.add::<F32>(one, one)),
        (0x4000_0000, NONE)
    );
    assert_eq!(sse(DEFAULT, |e| e.add::<F32>(one, 0x3300_0000)), (one, PE));
    assert_eq!(
        sse(DEFAULT | 0x4000, |e| e.add::<F32>(one, tiny)),
        (0x3f80_0001, DE | PE)
    );
    assert_eq!(
        sse(DEFAULT, |e| e.add::<F32>(max, max)),
        (0x7f80_0000, OE | PE)
    );
    assert_eq!(
        sse(DEFAULT | 0x6000, |e| e.add::<F32>(max, max)),
        (max, OE | PE)
    );
    assert_eq!(
        sse(DEFAULT, |e| e.sub::<F32>(0x7f80_0000, 0x7f80_0000)),
        (0xffc0_0000, IE)
    );
    assert_eq!(
        sse(DEFAULT | 0x2000, |e| e.sub::<F32>(one, one)),
        (0x8000_0000, NONE)
    );
    assert_eq!(
        sse(DEFAULT, |e| e.div::<F32>(tiny, 0x8000_0000)),
        (0xff80_0000, ZE)
    );
    assert_eq!(
        sse(DEFAULT, |e| e.mul::<F32>(least, 0x3f00_0000)),
        (0x0040_0000, NONE)
    );
    assert_eq!(
        sse(DEFAULT & !0x800, |e| e.mul::<F32>(least, 0x3f00_0000)).1,
        UE
    );
    assert_eq!(
        sse(DEFAULT | FTZ, |e| e.mul::<F32>(least, 0xbf00_0000)),
        (0x8000_0000, UE | PE)
    );
    assert_eq!(sse(DEFAULT | DAZ, |e| e.mul::<F32>(tiny, one)), (0, NONE));
    assert_eq!(
        sse(DEFAULT, |e| e.sqrt::<F32>(0x8000_0000)),
        (0x8000_0000, NONE)
    );
    assert_eq!(
        sse(DEFAULT, |e| e.sqrt::<F32>(0x8000_0001)),
        (0xffc0_0000, IE)
    );
}

#[test]
fn the_first_nan_wins_in_sse_and_the_larger_on_x87() {
    let (signalling, quiet) = (0x7f80_0001, 0xffc0_0002);
    assert_eq!(
        sse(DEFAULT, |e| e.add::<F32>(signalling, quiet)),
        (0x7fc0_0001, IE)
    );
    assert_eq!(
        sse(DEFAULT, |e| e.add::<F32>(quiet, signalling)),
        (quiet, IE)
    );
    assert_eq!(
        sse(DEFAULT, |e| e.fused::<F32>(
            [1, quiet, 0x7f80_0000],
            true,
            true
        )),
        (quiet, NONE)
    );
    let (small, large) = (f80(0x7fff, 3 << 62), f80(0xffff, 3 << 62 | 1));
    assert_eq!(
        x87(0x37f, |e| e.f80_add(small, large)),
        (0xffff, 3 << 62 | 1, NONE)
    );
    assert_eq!(
        x87(0x37f, |e| e.f80_mul(small, small.negated())),
        (0x7fff, 3 << 62, NONE)
    );
}

#[test]
fn minimum_and_maximum_give_the_second_operand_when_in_doubt() {
    assert_eq!(
        sse(DEFAULT, |e| e.min::<F32>(0, 0x8000_0000)),
        (0x8000_0000, NONE)
    );
    assert_eq!(sse(DEFAULT, |e| e.max::<F32>(0x8000_0000, 0)), (0, NONE));
    assert_eq!(
        sse(DEFAULT, |e| e.min::<F32>(0x7fc0_0000, 0x3f80_0000)),
        (0x3f80_0000, IE)
    );
    assert_eq!(
        sse(DEFAULT, |e| e.max::<F32>(0x3f80_0000, 0x7f80_0001)),
        (0x7f80_0001, IE)
    );
}

#[test]
fn tininess_is_seen_after_rounding() {
    // Just below the least normal number: rounds up to it, so it is not tiny.
    let almost = 0x3f7f_ffff;
    assert_eq!(
        sse(DEFAULT, |e| e.mul::<F32>(0x0080_0001, almost)),
        (0x0080_0000, PE)
    );
}

#[test]
fn an_unmasked_early_exception_hides_the_late_ones() {
    let mut env = Env::from_mxcsr(DEFAULT & !0x80);
    env.add::<F32>(0x7f7f_ffff, 0x7f7f_ffff);
    env.sub::<F32>(0x7f80_0000, 0x7f80_0000);
    assert_eq!(
        (env.reported(), env.unmasked(), env.is_prevented()),
        (IE, IE, true)
    );
}

#[test]
fn conversions_saturate_to_the_indefinite() {
    let mut env = Env::default();
    assert_eq!(
        env.round_to_i32::<F64>(2_147_483_647.5f64.to_bits()),
        i32::MIN
    );
    assert_eq!(env.raised, IE);
    assert_eq!(
        env.truncate_to_i32::<F64>((-2_147_483_648.9f64).to_bits()),
        i32::MIN
    );
    assert_eq!(env.raised, IE | PE);
    assert_eq!(env.round_to_i64::<F32>(2.5f32.to_bits()), 2);
    assert_eq!(
        env.encode_integer::<F32>(16_777_217),
        16_777_216f32.to_bits()
    );
    assert_eq!(env.convert::<F32, F16>(65520.0f32.to_bits()), 0x7c00);
    assert_eq!(env.convert::<F16, F32>(1), 2f32.powi(-24).to_bits());
}

#[test]
fn predicates_follow_the_table() {
    let holds = |immediate, relation| Predicate::new(immediate).holds(relation);
    assert!(
        holds(0, Comparison::Equal)
            && holds(4, Comparison::Unordered)
            && !holds(12, Comparison::Unordered)
    );
    assert!(
        Predicate::new(1).signals()
            && !Predicate::new(0x11).signals()
            && Predicate::new(0x10).signals()
    );
    assert_eq!(Predicate::legacy(0x1a), Predicate::new(2));
}

#[test]
fn x87_results_and_flags() {
    let least = f80(1, 1 << 63);
    let half = f80(0x3ffe, 1 << 63);
    assert_eq!(x87(0x37f, |e| e.f80_mul(least, half)), (0, 1 << 62, NONE));
    assert_eq!(
        x87(0x36f, |e| e.f80_mul(least, half)),
        (0x6000, 1 << 63, UE)
    );
    let max = f80(0x7ffe, u64::MAX);
    assert_eq!(x87(0x377, |e| e.f80_add(max, max)), (0x1fff, u64::MAX, OE));
    assert_eq!(
        x87(0x07f, |e| e.f80_div(F80::ONE, f80(0x4000, 3 << 62))),
        (0x3ffd, 0xaaaa_ab00_0000_0000, PE)
    );
    assert_eq!(
        x87(0x37f, |e| e.f80_add(f80(0x3fff, 1), F80::ONE)),
        (0xffff, 3 << 62, IE)
    );
    assert_eq!(
        x87(0x37f, |e| e
            .f80_add(F80::ONE, Source::from_memory::<F32>(1))),
        (0x3fff, 1 << 63, DE | PE)
    );
    assert_eq!(
        x87(0x37f, |e| e.f80_y_log2_x(F80::ZERO, F80::ONE)),
        (0xffff, 1 << 63, ZE)
    );
    assert_eq!(f80(0, 1).class(), Class::Denormal);
}

#[test]
fn partial_remainders_say_so() {
    let mut env = Env::default();
    let partial = env.f80_remainder(f80(0x3fff + 100, 1 << 63), f80(0x3fff, 3 << 62), false);
    assert!(partial.is_partial);
    let whole = env.f80_remainder(f80(0x4001, 0xe << 60), f80(0x4000, 1 << 63), true);
    // 7 by 2: the quotient 3.5 goes to the even 4, which leaves -1.
    assert_eq!(
        (whole.value, whole.quotient, whole.is_partial),
        (F80::ONE.negated(), 4, false)
    );
}

#[test]
fn constants_and_functions_agree() {
    let mut env = Env::default();
    let pi = env.f80_constant(Constant::Pi);
    assert_eq!(
        (pi.sign_exponent, pi.significand),
        (0x4000, 0xc90f_daa2_2168_c235)
    );
    assert_eq!(env.f80_atan(F80::ZERO, F80::ONE.negated()), pi);
    assert_eq!(env.f80_sin(f80(0x403e, 1 << 63)), None);
    let ten = Env::f80_from_integer(10);
    assert_eq!(
        env.f80_y_log2_x(ten, F80::ONE),
        env.f80_constant(Constant::Log2Of10)
    );
    assert_eq!(
        env.f80_tan(F80::INFINITY),
        Some((F80::INDEFINITE, F80::INDEFINITE))
    );
}

#[test]
fn decimals_survive_both_ways() {
    let digits = [0x98, 0x76, 0x54, 0x32, 0x10, 0x98, 0x76, 0x54, 0x32, 0x80];
    assert_eq!(Env::default().f80_to_bcd(Env::f80_from_bcd(digits)), digits);
    assert_eq!(
        Env::default().f80_to_bcd(F80::INFINITY),
        [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff]
    );
}

/// The result and flags of an operation on 64-bit numbers.
fn soft(mxcsr: u32, operation: impl Fn(&mut Env) -> u64) -> (u64, Exceptions) {
    let mut env = Env::from_mxcsr(mxcsr);
    (operation(&mut env), env.reported())
}

proptest! {
    #[test]
    fn fast_and_soft_paths_agree(a: u64, b: u64, near in 0u64..128) {
        // Half of the time the exponents are close.
        let b = if near < 64 { b & !(0x7ff << 52) | (a & (0x7ff << 52)).wrapping_add(near << 51) & (0x7ff << 52) } else { b };
        let fast = |operation: fn(&mut Env, u64, u64) -> u64| soft(DEFAULT, |env| operation(env, a, b));
        prop_assert_eq!(fast(Env::add::<F64>), soft(DEFAULT, |env| env.soft_add::<F64>(a, b)));
        prop_assert_eq!(fast(Env::sub::<F64>), soft(DEFAULT, |env| env.soft_sub::<F64>(a, b)));
        prop_assert_eq!(fast(Env::mul::<F64>), soft(DEFAULT, |env| env.soft_mul::<F64>(a, b)));
        prop_assert_eq!(fast(Env::div::<F64>), soft(DEFAULT, |env| env.soft_div::<F64>(a, b)));
        prop_assert_eq!(soft(DEFAULT, |env| env.sqrt::<F64>(a)), soft(DEFAULT, |env| env.soft_sqrt::<F64>(a)));
    }

    #[test]
    fn widening_and_narrowing_give_the_same_back(a: u32) {
        let mut env = Env::default();
        let wide = env.convert::<F32, F64>(a);
        let narrow = env.convert::<F64, F32>(wide);
        let quieted = if f32::from_bits(a).is_nan() { a | 1 << 22 } else { a };
        prop_assert_eq!(narrow, quieted);
        let extended = env.f80_load::<F32>(a);
        prop_assert_eq!(env.f80_store::<F32>(extended), quieted);
    }

    #[test]
    fn no_operand_makes_an_x87_operation_panic(a: (u16, u64), b: (u16, u64), control: u16) {
        let (a, b) = (f80(a.0, a.1), f80(b.0, b.1));
        let env = &mut Env::from_control_word(control);
        let _ = (env.f80_add(a, b), env.f80_sub(a, b), env.f80_mul(a, b), env.f80_div(a, b), env.f80_sqrt(a));
        let _ = (env.f80_scale(a, b), env.f80_extract(a), env.f80_remainder(a, b, false), env.f80_remainder(a, b, true));
        let _ = (env.f80_sin(a), env.f80_cos(a), env.f80_tan(a), env.f80_sin_cos(a), env.f80_atan(a, b));
        let _ = (env.f80_exp2_minus_1(a), env.f80_y_log2_x(a, b), env.f80_y_log2_x_plus_1(a, b));
        let _ = (env.f80_to_bcd(a), env.f80_round_to_integral(a), env.f80_round_to_i16(a), env.f80_truncate_to_i64(a));
        let _ = (env.f80_store::<F32>(a), env.f80_store::<F64>(a), env.f80_compare(a, b, true), a.class());
    }

    #[test]
    fn a_remainder_is_less_than_its_divisor(a in 1i64.., b in 1i64..) {
        let mut env = Env::default();
        let (x, y) = (Env::f80_from_integer(a), Env::f80_from_integer(b));
        let rest = env.f80_remainder(x, y, false);
        prop_assert_eq!(env.f80_round_to_i64(rest.value), a % b);
        prop_assert_eq!(u64::from(rest.quotient), (a / b) as u64 & 7);
    }

    #[test]
    fn sine_and_cosine_lie_on_the_circle(field in 0x3f00u16..0x403e, significand: u64) {
        let mut env = Env::default();
        let x = f80(field, significand | 1 << 63);
        let (sine, cosine) = env.f80_sin_cos(x).unwrap();
        let squares = [env.f80_mul(sine, sine), env.f80_mul(cosine, cosine)];
        let one = env.f80_add(squares[0], squares[1]);
        let off = env.f80_sub(one, F80::ONE);
        prop_assert!(off.sign_exponent & 0x7fff <= 0x3fff - 62, "{:x?}", one);
    }
}
