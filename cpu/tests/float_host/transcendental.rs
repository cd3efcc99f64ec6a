//! x87 transcendentals: flags as on the host, results within one unit of the last place of the host's.

use rax_cpu::float::{Env, Exceptions, F80};

use super::x87::{C2, Draw, X87, X87Code, draw_control, draw_extended, of16, to16, x87};
use super::{Random, Report, assert_none, cases, is_reference};

/// The distance of two numbers in units of the last place; 0 for equal encodings, huge for what cannot be compared.
fn distance(a: F80, b: F80) -> u64 {
    let rank = |value: F80| {
        (i128::from(value.sign_exponent & 0x7fff) << 63)
            + i128::from(value.significand & (u64::MAX >> 1))
    };
    let signed = |value: F80| {
        if value.sign() {
            -rank(value)
        } else {
            rank(value)
        }
    };
    if a == b {
        0
    } else {
        (signed(a) - signed(b)).unsigned_abs().min(1 << 60) as u64
    }
}

/// Whether a difference in flags comes from one unit of the last place at the border of overflow or underflow.
fn is_at_an_edge(flags: u16, masks: Exceptions, ours: Option<F80>, theirs: F80) -> bool {
    let edge = (Exceptions::OVERFLOW | Exceptions::UNDERFLOW).bits();
    let differs = flags & u16::from(edge) != 0;
    let is_unmasked = flags & u16::from(edge - (masks.bits() & edge)) != 0;
    differs && (is_unmasked || ours.is_some_and(|ours| distance(ours, theirs) <= 1))
}

/// Compares a transcendental: flags and C2 the same, results within one unit of the last place.
fn nearly(
    failures: &mut Vec<String>,
    name: &'static str,
    host: X87Code,
    draw: Draw,
    soft: impl Fn(&mut Env, F80, F80) -> (Option<F80>, Option<F80>),
) -> String {
    let mut random = Random::new(name);
    let mut report = Report::new(name);
    let (mut equal, mut total) = (0u64, 0u64);
    for _ in 0..cases() / 4 {
        let (a, b, _) = draw(&mut random);
        let control = draw_control(&mut random);
        let mut state = X87 {
            control,
            status: 0,
            _pad: [0; 6],
            a: to16(a),
            b: to16(b),
            memory: [0; 16],
            st0: [0; 16],
            st1: [0; 16],
        };
        host(&mut state);
        let mut env = Env::from_control_word(control);
        let (first, second) = soft(&mut env, a, b);
        let c2 = if first.is_none() { C2 } else { 0 };
        let look = if env.is_prevented() { 0x3f } else { 0x3f | C2 };
        let flags = u16::from(env.reported().bits());
        if is_at_an_edge(flags ^ state.status, env.masks, first, of16(&state.st0)) {
            continue;
        }
        report.check(&((flags | c2) & look), &(state.status & look), || {
            format!(
                "{a:x?} {b:x?} control {control:#x} ours {first:x?} host {:x?}",
                of16(&state.st0)
            )
        });
        if env.is_prevented() {
            continue;
        }
        for (ours, theirs) in [(first, of16(&state.st0)), (second, of16(&state.st1))] {
            let Some(ours) = ours else { continue };
            let ulps = distance(ours, theirs);
            total += 1;
            equal += u64::from(ulps == 0);
            report.check(&(ulps <= 1), &true,  || format!("{a:x?} {b:x?} control {control:#x}: ours {ours:x?} host {theirs:x?}, {ulps} ulp"));
        }
    }
    report.finish(failures);
    format!(
        "{name}: {:.3} % exactly as the host",
        100.0 * equal as f64 / total.max(1) as f64
    )
}

#[test]
fn x87_logarithms_are_within_one_ulp_of_the_host() {
    if !is_reference() {
        return;
    }
    let failures = &mut Vec::new();
    let share = |line: String| println!("{line}");
    let unit: Draw = |random| {
        let mut a = random.f80(F80 {
            sign_exponent: 16383 - 30,
            significand: 0,
        });
        let mut b = random.f80(F80::ONE);
        if random.below(16) != 0 {
            a.sign_exponent = a.sign_exponent & 0x8000 | (a.sign_exponent & 0x7fff).min(16382);
            b.significand |= 1 << 63;
        }
        (a, b, 0)
    };
    let near_zero: Draw = |random| {
        let mut a = random.f80(F80 {
            sign_exponent: 16383 - 30,
            significand: 0,
        });
        if a.sign_exponent & 0x7fff > 16380 {
            a.sign_exponent = a.sign_exponent & 0x8000 | 16380;
        }
        (a, random.f80(F80::ONE), 0)
    };
    let positive: Draw = |random| {
        let (mut a, b, _) = draw_extended(random);
        if random.below(8) != 0 {
            a.sign_exponent &= 0x7fff;
        }
        (a, b, 0)
    };
    share(nearly(
        failures,
        "f2xm1",
        x87!("f2xm1"),
        unit,
        |env, a, _| (Some(env.f80_exp2_minus_1(a)), None),
    ));
    share(nearly(
        failures,
        "fyl2x",
        x87!("fyl2x"),
        positive,
        |env, a, b| (Some(env.f80_y_log2_x(a, b)), None),
    ));
    share(nearly(
        failures,
        "fyl2xp1",
        x87!("fyl2xp1"),
        near_zero,
        |env, a, b| (Some(env.f80_y_log2_x_plus_1(a, b)), None),
    ));
    assert_none(failures);
}

#[test]
fn x87_circular_functions_are_within_one_ulp_of_the_host() {
    if !is_reference() {
        return;
    }
    let failures = &mut Vec::new();
    let share = |line: String| println!("{line}");
    let any: Draw = draw_extended;
    share(nearly(failures, "fsin", x87!("fsin"), any, |env, a, _| {
        (env.f80_sin(a), None)
    }));
    share(nearly(failures, "fcos", x87!("fcos"), any, |env, a, _| {
        (env.f80_cos(a), None)
    }));
    share(nearly(
        failures,
        "fsincos",
        x87!("fsincos"),
        any,
        |env, a, _| {
            env.f80_sin_cos(a)
                .map_or((None, None), |(sine, cosine)| (Some(cosine), Some(sine)))
        },
    ));
    share(nearly(
        failures,
        "fptan",
        x87!("fptan"),
        any,
        |env, a, _| {
            env.f80_tan(a)
                .map_or((None, None), |(tangent, one)| (Some(one), Some(tangent)))
        },
    ));
    share(nearly(
        failures,
        "fpatan",
        x87!("fpatan"),
        any,
        |env, a, b| (Some(env.f80_atan(b, a)), None),
    ));
    assert_none(failures);
}
