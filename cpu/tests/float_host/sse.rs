//! SSE, SSE2, SSE4.1, FMA and F16C.

use std::arch::asm;

use rax_cpu::float::{
    Comparison, Env, Exceptions, F16, F32, F64, Format, Predicate, Rounding, reciprocal_estimate,
    reciprocal_root_estimate,
};

use super::trap::can_trap;
use super::{Random, Report, assert_none, cases, is_reference};

/// What an SSE instruction works on: xmm0 to xmm2 and rax.
#[repr(C, align(16))]
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Sse {
    mxcsr: u32,
    saved: u32,
    /// MXCSR when the instruction trapped, or 0.
    pub(crate) trapped: u32,
    _pad: u32,
    xmm: [[u64; 2]; 3],
    rax: u64,
}

type SseCode = fn(&mut Sse);

macro_rules! sse {
    ($($code:expr),+) => {
        |state: &mut Sse| {
            // SAFETY: the code touches only the named registers and the state that rdi points to.
            unsafe {
                asm!(
                    "stmxcsr [rdi + 4]",
                    "movups xmm0, [rdi + 16]", "movups xmm1, [rdi + 32]", "movups xmm2, [rdi + 48]", "mov rax, [rdi + 64]",
                    "ldmxcsr [rdi]",
                    $($code,)+
                    "stmxcsr [rdi]", "ldmxcsr [rdi + 4]",
                    "movups [rdi + 16], xmm0", "mov [rdi + 64], rax",
                    in("rdi") state, out("rax") _, out("xmm0") _, out("xmm1") _, out("xmm2") _,
                );
            }
        }
    };
}

/// A random MXCSR; sometimes with PE already set, sometimes with unmasked exceptions.
fn random_mxcsr(random: &mut Random) -> u32 {
    let bits = random.next() as u32;
    let simple = if bits & 0x700 == 0 { 0 } else { bits & 0xe040 };
    let masks = if can_trap() && bits & 0xf0000 == 0 {
        bits & 0x1f80
    } else {
        0x1f80
    };
    masks | simple | if bits & 3 == 0 { 0x20 } else { 0 }
}

fn flags(exceptions: Exceptions) -> u32 {
    u32::from(exceptions.bits())
}

/// Compares an operation on scalars. `draw` makes operands, `soft` computes from xmm and rax.
fn scalar(
    failures: &mut Vec<String>,
    name: &'static str,
    host: SseCode,
    draw: impl Fn(&mut Random) -> [u64; 4],
    result: impl Fn(&Sse) -> u64,
    soft: impl Fn(&mut Env, [u64; 4]) -> u64,
) {
    let mut random = Random::new(name);
    let mut report = Report::new(name);
    for _ in 0..cases() {
        let operands = draw(&mut random);
        let mxcsr = random_mxcsr(&mut random);
        let [a, b, c, rax] = operands;
        let mut state = Sse {
            mxcsr,
            xmm: [[a, 0], [b, 0], [c, 0]],
            rax,
            ..Sse::default()
        };
        host(&mut state);
        let mut env = Env::from_mxcsr(mxcsr);
        let ours = soft(&mut env, operands);
        let flags = mxcsr & 0x3f | flags(env.reported());
        let case = || format!("{a:#x} {b:#x} {c:#x} {rax:#x} mxcsr {mxcsr:#x}");
        if env.unmasked().is_empty() && state.trapped == 0 {
            report.check(&(ours, flags), &(result(&state), state.mxcsr & 0x3f), case);
        } else {
            report.check(
                &(!env.unmasked().is_empty(), flags),
                &(state.trapped != 0, state.trapped & 0x3f),
                case,
            );
        }
    }
    report.finish(failures);
}

fn draw32(random: &mut Random) -> [u64; 4] {
    let a = random.f32(0x3f80_0000);
    let b = random.f32(a);
    // For FMA, an addend that is likely to cancel the product.
    let product = (f32::from_bits(a) * f32::from_bits(b)).to_bits();
    let c = if random.below(4) == 0 {
        product ^ (random.next() as u32 & 0x8000_0003)
    } else {
        random.f32(product)
    };
    [a.into(), b.into(), c.into(), 0]
}

fn draw64(random: &mut Random) -> [u64; 4] {
    let a = random.f64(0x3ff0_0000_0000_0000);
    let b = random.f64(a);
    let product = (f64::from_bits(a) * f64::from_bits(b)).to_bits();
    let c = if random.below(4) == 0 {
        product ^ (random.next() & 0x8000_0000_0000_0003)
    } else {
        random.f64(product)
    };
    [a, b, c, 0]
}

fn low32(state: &Sse) -> u64 {
    state.xmm[0][0] & 0xffff_ffff
}

fn low64(state: &Sse) -> u64 {
    state.xmm[0][0]
}

fn rax(state: &Sse) -> u64 {
    state.rax
}

/// Both formats of one operation that takes and gives numbers.
macro_rules! both {
    ($failures:ident, $name:expr, $single:expr, $double:expr, |$env:ident, $operands:pat_param, $F:ident| $body:expr) => {
        scalar(
            $failures,
            concat!($name, " f32"),
            sse!($single),
            draw32,
            low32,
            |$env, operands| {
                type $F = F32;
                let $operands = operands.map($F::from_u64);
                $F::to_u64($body)
            },
        );
        scalar(
            $failures,
            concat!($name, " f64"),
            sse!($double),
            draw64,
            low64,
            |$env, operands| {
                type $F = F64;
                let $operands = operands.map($F::from_u64);
                $F::to_u64($body)
            },
        );
    };
}

#[test]
fn sse_arithmetic_equals_the_host() {
    let failures = &mut Vec::new();
    both!(
        failures,
        "add",
        "addss xmm0, xmm1",
        "addsd xmm0, xmm1",
        |env, [a, b, ..], F| env.add::<F>(a, b)
    );
    both!(
        failures,
        "sub",
        "subss xmm0, xmm1",
        "subsd xmm0, xmm1",
        |env, [a, b, ..], F| env.sub::<F>(a, b)
    );
    both!(
        failures,
        "mul",
        "mulss xmm0, xmm1",
        "mulsd xmm0, xmm1",
        |env, [a, b, ..], F| env.mul::<F>(a, b)
    );
    both!(
        failures,
        "div",
        "divss xmm0, xmm1",
        "divsd xmm0, xmm1",
        |env, [a, b, ..], F| env.div::<F>(a, b)
    );
    both!(
        failures,
        "sqrt",
        "sqrtss xmm0, xmm0",
        "sqrtsd xmm0, xmm0",
        |env, [a, ..], F| env.sqrt::<F>(a)
    );
    both!(
        failures,
        "min",
        "minss xmm0, xmm1",
        "minsd xmm0, xmm1",
        |env, [a, b, ..], F| env.min::<F>(a, b)
    );
    both!(
        failures,
        "max",
        "maxss xmm0, xmm1",
        "maxsd xmm0, xmm1",
        |env, [a, b, ..], F| env.max::<F>(a, b)
    );
    assert_none(failures);
}

/// One of the 32 predicates, as VCMPSS and VCMPSD know them.
macro_rules! predicate {
    ($failures:ident, $($number:literal)*) => { $(
        scalar($failures, concat!("cmpss ", $number), sse!(concat!("vcmpss xmm0, xmm0, xmm1, ", $number)), draw32, low32, |env, [a, b, ..]| {
            let holds = env.compare_as::<F32>(a as u32, b as u32, Predicate::new($number));
            if holds { 0xffff_ffff } else { 0 }
        });
        scalar($failures, concat!("cmpsd ", $number), sse!(concat!("vcmpsd xmm0, xmm0, xmm1, ", $number)), draw64, low64, |env, [a, b, ..]| {
            if env.compare_as::<F64>(a, b, Predicate::new($number)) { u64::MAX } else { 0 }
        });
    )* };
}

/// What COMISS leaves in ZF, PF and CF, as LAHF puts them in AH.
fn flags_in_ah(relation: Comparison) -> u64 {
    match relation {
        Comparison::Less => 0x0100,
        Comparison::Equal => 0x4000,
        Comparison::Greater => 0,
        Comparison::Unordered => 0x4500,
    }
}

#[test]
fn sse_comparisons_equal_the_host() {
    let failures = &mut Vec::new();
    if std::arch::is_x86_feature_detected!("avx") {
        predicate!(failures, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    }
    let ah = |state: &Sse| state.rax & 0x4500;
    macro_rules! comi {
        ($single:literal, $double:literal, $signals:literal) => {
            scalar(
                failures,
                $single,
                sse!($single, "lahf"),
                draw32,
                ah,
                |env, [a, b, ..]| flags_in_ah(env.compare::<F32>(a as u32, b as u32, $signals)),
            );
            scalar(
                failures,
                $double,
                sse!($double, "lahf"),
                draw64,
                ah,
                |env, [a, b, ..]| flags_in_ah(env.compare::<F64>(a, b, $signals)),
            );
        };
    }
    comi!("comiss xmm0, xmm1", "comisd xmm0, xmm1", true);
    comi!("ucomiss xmm0, xmm1", "ucomisd xmm0, xmm1", false);
    assert_none(failures);
}

#[test]
fn sse_conversions_equal_the_host() {
    let failures = &mut Vec::new();
    scalar(
        failures,
        "cvtss2sd",
        sse!("cvtss2sd xmm0, xmm0"),
        draw32,
        low64,
        |env, [a, ..]| env.convert::<F32, F64>(a as u32),
    );
    scalar(
        failures,
        "cvtsd2ss",
        sse!("cvtsd2ss xmm0, xmm0"),
        draw_narrowed,
        low32,
        |env, [a, ..]| env.convert::<F64, F32>(a).into(),
    );
    macro_rules! to_integer {
        ($code:literal, $draw:ident, $F:ty, $method:ident, $uint:ty) => {
            scalar(failures, $code, sse!($code), $draw, rax, |env, [a, ..]| {
                u64::from(env.$method::<$F>(<$F>::from_u64(a)) as $uint)
            });
        };
    }
    to_integer!("cvtss2si eax, xmm0", draw32, F32, round_to_i32, u32);
    to_integer!("cvtsd2si eax, xmm0", draw64, F64, round_to_i32, u32);
    to_integer!("cvtss2si rax, xmm0", draw32, F32, round_to_i64, u64);
    to_integer!("cvtsd2si rax, xmm0", draw64, F64, round_to_i64, u64);
    to_integer!("cvttss2si eax, xmm0", draw32, F32, truncate_to_i32, u32);
    to_integer!("cvttsd2si eax, xmm0", draw64, F64, truncate_to_i32, u32);
    to_integer!("cvttss2si rax, xmm0", draw32, F32, truncate_to_i64, u64);
    to_integer!("cvttsd2si rax, xmm0", draw64, F64, truncate_to_i64, u64);
    scalar(
        failures,
        "cvtsi2ss eax",
        sse!("cvtsi2ss xmm0, eax"),
        draw_integer,
        low32,
        |env, [.., a]| env.encode_integer::<F32>((a as i32).into()).into(),
    );
    scalar(
        failures,
        "cvtsi2sd eax",
        sse!("cvtsi2sd xmm0, eax"),
        draw_integer,
        low64,
        |env, [.., a]| env.encode_integer::<F64>((a as i32).into()),
    );
    scalar(
        failures,
        "cvtsi2ss rax",
        sse!("cvtsi2ss xmm0, rax"),
        draw_integer,
        low32,
        |env, [.., a]| env.encode_integer::<F32>(a as i64).into(),
    );
    scalar(
        failures,
        "cvtsi2sd rax",
        sse!("cvtsi2sd xmm0, rax"),
        draw_integer,
        low64,
        |env, [.., a]| env.encode_integer::<F64>(a as i64),
    );
    assert_none(failures);
}

fn draw_integer(random: &mut Random) -> [u64; 4] {
    let width = 1 + random.below(64) as u32;
    let value = random.fraction(width);
    [
        0,
        0,
        0,
        if random.below(2) == 0 {
            value
        } else {
            value.wrapping_neg()
        },
    ]
}

/// A 64-bit number whose exponent is often about the limits of the 32-bit format.
fn draw_narrowed(random: &mut Random) -> [u64; 4] {
    let near = [1023 - 150, 1023 - 126, 1023 + 127, 1023][random.below(4) as usize];
    [random.f64(near << 52), 0, 0, 0]
}

#[test]
fn sse4_rounding_equals_the_host() {
    if !std::arch::is_x86_feature_detected!("sse4.1") {
        return;
    }
    let failures = &mut Vec::new();
    macro_rules! round {
        ($($immediate:literal)*) => { $(
            both!(
                failures,
                concat!("round ", $immediate),
                concat!("roundss xmm0, xmm0, ", $immediate),
                concat!("roundsd xmm0, xmm0, ", $immediate),
                |env, [a, ..], F| {
                    if $immediate & 4 == 0 {
                        env.rounding = Rounding::from_bits($immediate);
                    }
                    env.round_to_integral::<F>(a, $immediate & 8 != 0)
                }
            );
        )* };
    }
    round!(0 1 2 3 4 8 9 10 11 12);
    assert_none(failures);
}

#[test]
fn fused_multiply_add_equals_the_host() {
    if !std::arch::is_x86_feature_detected!("fma") {
        return;
    }
    let failures = &mut Vec::new();
    macro_rules! form {
        ($name:literal, $form:literal, $order:pat_param, $factors:expr, $product:literal, $addend:literal) => {
            both!(
                failures,
                concat!($name, $form),
                concat!("v", $name, $form, "ss xmm0, xmm1, xmm2"),
                concat!("v", $name, $form, "sd xmm0, xmm1, xmm2"),
                |env, $order, F| env.fused::<F>($factors, $product, $addend)
            );
        };
    }
    // The operands are drawn as a, b and a likely addend; each form has its own order of factors.
    macro_rules! fused {
        ($name:literal, $product:literal, $addend:literal) => {
            form!($name, "132", [x, y, z, _], [x, z, y], $product, $addend);
            form!($name, "213", [x, y, z, _], [y, x, z], $product, $addend);
            form!($name, "231", [x, y, z, _], [y, z, x], $product, $addend);
        };
    }
    fused!("fmadd", false, false);
    fused!("fmsub", false, true);
    fused!("fnmadd", true, false);
    fused!("fnmsub", true, true);
    assert_none(failures);
}

#[test]
fn half_precision_equals_the_host() {
    if !std::arch::is_x86_feature_detected!("f16c") {
        return;
    }
    let failures = &mut Vec::new();
    let draw_half = |random: &mut Random| [random.bits(10, 5, 0x3c00), 0, 0, 0];
    scalar(
        failures,
        "vcvtph2ps",
        sse!("vcvtph2ps xmm0, xmm0"),
        draw_half,
        low32,
        |env, [a, ..]| env.convert::<F16, F32>(a as u16).into(),
    );
    let draw = |random: &mut Random| [random.f32(0x3800_0000).into(), 0, 0, 0];
    let low16 = |state: &Sse| state.xmm[0][0] & 0xffff;
    scalar(
        failures,
        "vcvtps2ph",
        sse!("vcvtps2ph xmm0, xmm0, 4"),
        draw,
        low16,
        |env, [a, ..]| env.convert::<F32, F16>(a as u32).into(),
    );
    assert_none(failures);
}

/// Compares a packed operation on four lanes, with trapping.
fn packed(
    failures: &mut Vec<String>,
    name: &'static str,
    host: SseCode,
    soft: impl Fn(&mut Env, u32, u32) -> u32,
) {
    let mut random = Random::new(name);
    let mut report = Report::new(name);
    for _ in 0..cases() / 4 {
        let mxcsr = random_mxcsr(&mut random)
            & if can_trap() {
                random.next() as u32 | 0x20
            } else {
                u32::MAX
            };
        let lanes: [[u32; 2]; 4] =
            std::array::from_fn(|_| draw32(&mut random)).map(|[a, b, ..]| [a as u32, b as u32]);
        let pair = |low: usize, which: usize| {
            u64::from(lanes[low][which]) | u64::from(lanes[low + 1][which]) << 32
        };
        let xmm = [[pair(0, 0), pair(2, 0)], [pair(0, 1), pair(2, 1)], [0; 2]];
        let mut state = Sse {
            mxcsr,
            xmm,
            ..Sse::default()
        };
        host(&mut state);
        let mut env = Env::from_mxcsr(mxcsr);
        let ours = lanes.map(|[a, b]| u64::from(soft(&mut env, a, b)));
        let ours = [ours[0] | ours[1] << 32, ours[2] | ours[3] << 32];
        let flags = mxcsr & 0x3f | flags(env.reported());
        let case = || format!("{lanes:#x?} mxcsr {mxcsr:#x}");
        if env.unmasked().is_empty() && state.trapped == 0 {
            report.check(&(ours, flags), &(state.xmm[0], state.mxcsr & 0x3f), case);
        } else {
            report.check(
                &(!env.unmasked().is_empty(), flags),
                &(state.trapped != 0, state.trapped & 0x3f),
                case,
            );
        }
    }
    report.finish(failures);
}

#[test]
fn packed_lanes_combine_as_on_the_host() {
    let failures = &mut Vec::new();
    packed(failures, "addps", sse!("addps xmm0, xmm1"), |env, a, b| {
        env.add::<F32>(a, b)
    });
    packed(failures, "mulps", sse!("mulps xmm0, xmm1"), |env, a, b| {
        env.mul::<F32>(a, b)
    });
    packed(failures, "divps", sse!("divps xmm0, xmm1"), |env, a, b| {
        env.div::<F32>(a, b)
    });
    packed(
        failures,
        "sqrtps",
        sse!("sqrtps xmm0, xmm0"),
        |env, a, _| env.sqrt::<F32>(a),
    );
    packed(failures, "maxps", sse!("maxps xmm0, xmm1"), |env, a, b| {
        env.max::<F32>(a, b)
    });
    assert_none(failures);
}

#[test]
fn estimates_equal_the_host() {
    if !is_reference() {
        return;
    }
    let failures = &mut Vec::new();
    scalar(
        failures,
        "rcpss",
        sse!("rcpss xmm0, xmm0"),
        draw32,
        low32,
        |_, [a, ..]| reciprocal_estimate(a as u32).into(),
    );
    scalar(
        failures,
        "rsqrtss",
        sse!("rsqrtss xmm0, xmm0"),
        draw32,
        low32,
        |_, [a, ..]| reciprocal_root_estimate(a as u32).into(),
    );
    assert_none(failures);
}
