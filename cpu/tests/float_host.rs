//! `rax_cpu::float` against the processor it runs on: results and flags, SSE and x87, in every mode.
//!
//! `RAX_FLOAT_CASES` sets the number of random cases for each operation.
#![cfg(target_arch = "x86_64")]
#![expect(
    unsafe_code,
    reason = "runs the host's own floating-point instructions"
)]

use std::arch::asm;
use std::fmt::Debug;

use rax_cpu::float::{
    Comparison, Constant, Env, Exceptions, F16, F32, F64, F80, Format, Predicate, Rounding, Source,
};

/// How many cases each operation gets.
fn cases() -> u64 {
    std::env::var("RAX_FLOAT_CASES")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(60_000)
}

/// A small random generator (xorshift64*).
struct Random(u64);

impl Random {
    fn new(name: &str) -> Self {
        Self(name.bytes().fold(0x9e37_79b9_7f4a_7c15, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// A significand field of `width` bits: often with long runs of equal bits.
    fn fraction(&mut self, width: u32) -> u64 {
        let all = u64::MAX >> (64 - width);
        let run = (all >> self.below(u64::from(width))) & all;
        let value = match self.below(8) {
            0 => 0,
            1 => all,
            2 => 1 << self.below(u64::from(width)),
            3 => run,
            4 => !run,
            5 => run ^ (1 << self.below(u64::from(width))),
            6 => self.next() << self.below(u64::from(width)),
            _ => self.next(),
        };
        value & all
    }

    /// An exponent field: often at the ends, in the middle or near another one.
    fn exponent(&mut self, max: u64, near: u64) -> u64 {
        let bias = max >> 1;
        match self.below(8) {
            0 => self.below(3),
            1 => max - self.below(3),
            2 | 3 => (near + self.below(140)).wrapping_sub(70) & max,
            4 | 5 => (near + 3).wrapping_sub(self.below(7)) & max,
            6 => (bias + self.below(140)).wrapping_sub(70) & max,
            _ => self.below(max + 1),
        }
    }

    fn bits(&mut self, fraction: u32, exponent: u32, near: u64) -> u64 {
        let max = (1 << exponent) - 1;
        let sign = self.below(2) << (fraction + exponent);
        let field = self.exponent(max, (near >> fraction) & max) << fraction;
        sign | field | self.fraction(fraction)
    }

    fn f32(&mut self, near: u32) -> u32 {
        self.bits(23, 8, u64::from(near)) as u32
    }

    fn f64(&mut self, near: u64) -> u64 {
        self.bits(52, 11, near)
    }

    fn f80(&mut self, near: F80) -> F80 {
        let field = self.exponent(0x7fff, u64::from(near.sign_exponent & 0x7fff));
        let integer = u64::from(field != 0) ^ u64::from(self.below(16) == 0);
        let sign_exponent = (field | self.below(2) << 15) as u16;
        F80 {
            sign_exponent,
            significand: self.fraction(63) | integer << 63,
        }
    }
}

/// Counts what differs and shows the first of it.
struct Report {
    name: &'static str,
    wrong: u64,
    shown: String,
}

impl Report {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            wrong: 0,
            shown: String::new(),
        }
    }

    fn check<T: PartialEq + Debug>(&mut self, ours: T, host: T, case: impl FnOnce() -> String) {
        if ours != host {
            self.wrong += 1;
            if self.wrong <= 12 {
                self.shown += &format!("\n  {}\n    ours {ours:x?}\n    host {host:x?}", case());
            }
        }
    }

    fn finish(self, failures: &mut Vec<String>) {
        if self.wrong != 0 {
            failures.push(format!(
                "{}: {} differ{}",
                self.name, self.wrong, self.shown
            ));
        }
    }
}

fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What an SSE instruction works on: xmm0 to xmm2 and rax.
#[repr(C, align(16))]
#[derive(Clone, Copy, Default, Debug)]
struct Sse {
    mxcsr: u32,
    saved: u32,
    /// MXCSR when the instruction trapped, or 0.
    trapped: u32,
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

/// A random MXCSR with all exceptions masked; sometimes with PE already set.
fn masked_mxcsr(random: &mut Random) -> u32 {
    let bits = random.next() as u32;
    let simple = if bits & 0x700 == 0 { 0 } else { bits & 0xe040 };
    0x1f80 | simple | if bits & 3 == 0 { 0x20 } else { 0 }
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
        let mxcsr = masked_mxcsr(&mut random);
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
        let ours = (ours, mxcsr & 0x3f | flags(env.reported()));
        report.check(ours, (result(&state), state.mxcsr & 0x3f), || {
            format!("{a:#x} {b:#x} {c:#x} {rax:#x} mxcsr {mxcsr:#x}")
        });
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

/// What an x87 instruction works on. `a` is ST(0), `b` is ST(1).
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
struct X87 {
    control: u16,
    status: u16,
    _pad: [u16; 6],
    a: [u8; 16],
    b: [u8; 16],
    memory: [u8; 16],
    st0: [u8; 16],
    st1: [u8; 16],
}

type X87Code = fn(&mut X87);

macro_rules! x87 {
    ($($code:expr),+) => {
        |state: &mut X87| {
            // SAFETY: the code touches only the x87 stack and the state that rdi points to.
            unsafe {
                asm!(
                    "fninit", "fldcw [rdi]", "fld tbyte ptr [rdi + 32]", "fld tbyte ptr [rdi + 16]",
                    $($code,)+
                    "fnstsw [rdi + 2]", "fnclex",
                    "fstp tbyte ptr [rdi + 64]", "fstp tbyte ptr [rdi + 80]", "fninit",
                    in("rdi") state,
                    out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                    out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
                );
            }
        }
    };
}

const C0: u16 = 0x100;
const C1: u16 = 0x200;
const C2: u16 = 0x400;
const C3: u16 = 0x4000;

/// What our x87 operation should leave.
#[derive(Default)]
struct Expected {
    st0: Option<F80>,
    st1: Option<F80>,
    memory: Option<Vec<u8>>,
    /// The condition codes to look at, and their values; C1 comes from `rounded_up` if not named here.
    codes: (u16, u16),
}

fn to16(value: F80) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..10].copy_from_slice(&value.to_le_bytes());
    bytes
}

fn of16(bytes: &[u8; 16]) -> F80 {
    let mut ten = [0; 10];
    ten.copy_from_slice(&bytes[..10]);
    F80::from_le_bytes(ten)
}

type Draw = fn(&mut Random) -> (F80, F80, u64);

fn draw_extended(random: &mut Random) -> (F80, F80, u64) {
    let a = random.f80(F80::ONE);
    (a, random.f80(a), 0)
}

fn draw_control(random: &mut Random) -> u16 {
    let bits = random.next() as u16;
    match bits & 3 {
        0 => 0x37f,
        1 => bits & 0xf00 | 0x7f,
        _ => bits & 0xf3f | 0x40,
    }
}

/// Compares an x87 operation.
fn extended(
    failures: &mut Vec<String>,
    name: &'static str,
    host: X87Code,
    draw: Draw,
    soft: impl Fn(&mut Env, F80, F80, u64) -> Expected,
) {
    let mut random = Random::new(name);
    let mut report = Report::new(name);
    for _ in 0..cases() {
        let (a, b, memory) = draw(&mut random);
        let control = draw_control(&mut random);
        let mut bytes = [0xcc; 16];
        bytes[..8].copy_from_slice(&memory.to_le_bytes());
        let mut state = X87 {
            control,
            status: 0,
            _pad: [0; 6],
            a: to16(a),
            b: to16(b),
            memory: bytes,
            st0: [0; 16],
            st1: [0; 16],
        };
        host(&mut state);
        let mut env = Env::from_control_word(control);
        let expected = soft(&mut env, a, b, memory);
        let trapped = env.unmasked();
        let (mut mask, mut codes) = expected.codes;
        if mask & C1 == 0 {
            mask |= C1;
            codes |= if env.rounded_up { C1 } else { 0 };
        }
        if env.is_prevented() {
            mask = 0;
        }
        let look = mask | 0x3f;
        let status = |word: u16| word & look;
        let mut ours = (
            status(codes) | u16::from(env.reported().bits()),
            None,
            None,
            None,
        );
        let mut theirs = (status(state.status), None, None, None);
        if !env.is_prevented() {
            ours.1 = expected.st0;
            theirs.1 = expected.st0.map(|_| of16(&state.st0));
            ours.2 = expected.st1;
            theirs.2 = expected.st1.map(|_| of16(&state.st1));
        }
        if (trapped - Exceptions::PRECISION).is_empty() {
            theirs.3 = expected
                .memory
                .as_ref()
                .map(|memory| state.memory[..memory.len()].to_vec());
            ours.3 = expected.memory;
        }
        report.check(ours, theirs, || {
            format!("{a:x?} {b:x?} {memory:#x} control {control:#x}")
        });
    }
    report.finish(failures);
}

fn st0(value: F80) -> Expected {
    Expected {
        st0: Some(value),
        ..Expected::default()
    }
}

fn memory(bytes: &[u8]) -> Expected {
    Expected {
        memory: Some(bytes.to_vec()),
        ..Expected::default()
    }
}

fn compared(relation: Comparison) -> Expected {
    let codes = match relation {
        Comparison::Less => C0,
        Comparison::Equal => C3,
        Comparison::Greater => 0,
        Comparison::Unordered => C0 | C2 | C3,
    };
    Expected {
        codes: (C0 | C1 | C2 | C3, codes),
        ..Expected::default()
    }
}

#[test]
fn x87_arithmetic_equals_the_host() {
    let failures = &mut Vec::new();
    macro_rules! op {
        ($code:literal, |$env:ident, $a:ident, $b:ident| $body:expr) => {
            extended(
                failures,
                $code,
                x87!($code),
                draw_extended,
                |$env, $a, $b, _| {
                    let _ = $b;
                    $body
                },
            );
        };
    }
    op!("fadd st, st(1)", |env, a, b| st0(env.f80_add(a, b)));
    op!("fsub st, st(1)", |env, a, b| st0(env.f80_sub(a, b)));
    op!("fsubr st, st(1)", |env, a, b| st0(env.f80_sub(b, a)));
    op!("fmul st, st(1)", |env, a, b| st0(env.f80_mul(a, b)));
    op!("fdiv st, st(1)", |env, a, b| st0(env.f80_div(a, b)));
    op!("fdivr st, st(1)", |env, a, b| st0(env.f80_div(b, a)));
    op!("fsqrt", |env, a, b| st0(env.f80_sqrt(a)));
    op!("frndint", |env, a, b| st0(env.f80_round_to_integral(a)));
    op!("fcom st(1)", |env, a, b| compared(
        env.f80_compare(a, b, true)
    ));
    op!("fucom st(1)", |env, a, b| compared(
        env.f80_compare(a, b, false)
    ));
    op!("ftst", |env, a, b| compared(env.f80_compare(
        a,
        F80::ZERO,
        true
    )));
    op!("fabs", |env, a, b| {
        let _ = env;
        st0(a.abs())
    });
    op!("fchs", |env, a, b| {
        let _ = env;
        st0(a.negated())
    });
    op!("fxam", |env, a, b| {
        let _ = env;
        let (c3, c2, c0) = a.class().condition_codes();
        let code = |set, bit| if set { bit } else { 0 };
        let codes = code(c3, C3) | code(c2, C2) | code(c0, C0) | code(a.sign(), C1);
        Expected {
            codes: (C0 | C1 | C2 | C3, codes),
            ..Expected::default()
        }
    });
    assert_none(failures);
}

#[test]
fn x87_scaling_and_remainders_equal_the_host() {
    let failures = &mut Vec::new();
    extended(
        failures,
        "fscale",
        x87!("fscale"),
        draw_scale,
        |env, a, b, _| st0(env.f80_scale(a, b)),
    );
    extended(
        failures,
        "fxtract",
        x87!("fxtract"),
        draw_extended,
        |env, a, _, _| {
            let (exponent, significand) = env.f80_extract(a);
            Expected {
                st0: Some(significand),
                st1: Some(exponent),
                ..Expected::default()
            }
        },
    );
    macro_rules! remainder {
        ($code:literal, $to_nearest:literal) => {
            extended(
                failures,
                $code,
                x87!($code),
                draw_extended,
                |env, a, b, _| {
                    let remainder = env.f80_remainder(a, b, $to_nearest);
                    let code = |bit: u8, code| {
                        if remainder.quotient & bit != 0 {
                            code
                        } else {
                            0
                        }
                    };
                    let partial = if remainder.is_partial { C2 } else { 0 };
                    let codes = partial | code(4, C0) | code(2, C3) | code(1, C1);
                    Expected {
                        st0: Some(remainder.value),
                        codes: (C0 | C1 | C2 | C3, codes),
                        ..Expected::default()
                    }
                },
            );
        };
    }
    remainder!("fprem", false);
    remainder!("fprem1", true);
    assert_none(failures);
}

fn draw_scale(random: &mut Random) -> (F80, F80, u64) {
    let a = random.f80(F80::ONE);
    let by = random.f80(F80 {
        sign_exponent: 16383 + 10,
        significand: 0,
    });
    (a, by, 0)
}

#[test]
fn x87_memory_operands_equal_the_host() {
    let failures = &mut Vec::new();
    let near_single: Draw = |random| {
        let a = random.f80(F80::ONE);
        (a, F80::ONE, random.f32(0x3f80_0000).into())
    };
    let near_double: Draw = |random| {
        let a = random.f80(F80::ONE);
        (a, F80::ONE, random.f64(0x3ff0_0000_0000_0000))
    };
    macro_rules! op {
        ($code:literal, |$env:ident, $a:ident, $b:ident| $body:expr) => {
            extended(
                failures,
                concat!($code, " m32"),
                x87!(concat!($code, " dword ptr [rdi + 48]")),
                near_single,
                |$env, $a, _, m| {
                    let $b = Source::from_memory::<F32>(m as u32);
                    $body
                },
            );
            extended(
                failures,
                concat!($code, " m64"),
                x87!(concat!($code, " qword ptr [rdi + 48]")),
                near_double,
                |$env, $a, _, m| {
                    let $b = Source::from_memory::<F64>(m);
                    $body
                },
            );
        };
    }
    op!("fadd", |env, a, b| st0(env.f80_add(a, b)));
    op!("fsub", |env, a, b| st0(env.f80_sub(a, b)));
    op!("fsubr", |env, a, b| st0(env.f80_sub(b, a)));
    op!("fmul", |env, a, b| st0(env.f80_mul(a, b)));
    op!("fdiv", |env, a, b| st0(env.f80_div(a, b)));
    op!("fdivr", |env, a, b| st0(env.f80_div(b, a)));
    op!("fcom", |env, a, b| compared(env.f80_compare(a, b, true)));
    macro_rules! integer {
        ($code:literal, |$env:ident, $a:ident, $b:ident| $body:expr) => {
            extended(
                failures,
                concat!($code, " m16"),
                x87!(concat!($code, " word ptr [rdi + 48]")),
                near_single,
                |$env, $a, _, m| {
                    let $b = Env::f80_from_integer((m as i16).into());
                    $body
                },
            );
            extended(
                failures,
                concat!($code, " m32"),
                x87!(concat!($code, " dword ptr [rdi + 48]")),
                near_single,
                |$env, $a, _, m| {
                    let $b = Env::f80_from_integer((m as i32).into());
                    $body
                },
            );
        };
    }
    integer!("fiadd", |env, a, b| st0(env.f80_add(a, b)));
    integer!("fimul", |env, a, b| st0(env.f80_mul(a, b)));
    integer!("fidivr", |env, a, b| st0(env.f80_div(b, a)));
    integer!("ficom", |env, a, b| compared(env.f80_compare(a, b, true)));
    assert_none(failures);
}

#[test]
fn x87_conversions_equal_the_host() {
    let failures = &mut Vec::new();
    let draw: Draw = |random| {
        let a = random.f80(F80::ONE);
        (a, F80::ONE, random.next())
    };
    let about_limits: Draw = |random| {
        let center = [
            16383 - 149,
            16383 - 126,
            16383 + 127,
            16383 - 1074,
            16383 - 1022,
            16383 + 1023,
            16383,
        ][random.below(7) as usize];
        (
            random.f80(F80 {
                sign_exponent: center,
                significand: 0,
            }),
            F80::ONE,
            0,
        )
    };
    let about_integers: Draw = |random| {
        let center = 16383 + [8, 16, 32, 60, 64][random.below(5) as usize];
        (
            random.f80(F80 {
                sign_exponent: center,
                significand: 0,
            }),
            F80::ONE,
            0,
        )
    };
    let singles: Draw = |random| (F80::ONE, F80::ONE, random.f32(0x3f80_0000).into());
    let doubles: Draw = |random| (F80::ONE, F80::ONE, random.f64(0x3ff0_0000_0000_0000));
    extended(
        failures,
        "fld m32",
        x87!("fld dword ptr [rdi + 48]"),
        singles,
        |env, _, _, m| st0(env.f80_load::<F32>(m as u32)),
    );
    extended(
        failures,
        "fld m64",
        x87!("fld qword ptr [rdi + 48]"),
        doubles,
        |env, _, _, m| st0(env.f80_load::<F64>(m)),
    );
    extended(
        failures,
        "fild m16",
        x87!("fild word ptr [rdi + 48]"),
        draw,
        |_, _, _, m| st0(Env::f80_from_integer((m as i16).into())),
    );
    extended(
        failures,
        "fild m32",
        x87!("fild dword ptr [rdi + 48]"),
        draw,
        |_, _, _, m| st0(Env::f80_from_integer((m as i32).into())),
    );
    extended(
        failures,
        "fild m64",
        x87!("fild qword ptr [rdi + 48]"),
        draw,
        |_, _, _, m| st0(Env::f80_from_integer(m as i64)),
    );
    macro_rules! store {
        ($code:literal, $draw:ident, |$env:ident, $a:ident| $body:expr) => {
            extended(
                failures,
                $code,
                x87!(concat!($code, " ptr [rdi + 48]")),
                $draw,
                |$env, $a, _, _| memory(&$body.to_le_bytes()),
            );
        };
    }
    store!("fst dword", about_limits, |env, a| env.f80_store::<F32>(a));
    store!("fst qword", about_limits, |env, a| env.f80_store::<F64>(a));
    store!("fist word", about_integers, |env, a| env
        .f80_round_to_i16(a));
    store!("fist dword", about_integers, |env, a| env
        .f80_round_to_i32(a));
    store!("fistp qword", about_integers, |env, a| env
        .f80_round_to_i64(a));
    store!("fisttp word", about_integers, |env, a| env
        .f80_truncate_to_i16(a));
    store!("fisttp dword", about_integers, |env, a| env
        .f80_truncate_to_i32(a));
    store!("fisttp qword", about_integers, |env, a| env
        .f80_truncate_to_i64(a));
    extended(
        failures,
        "fbstp",
        x87!("fbstp tbyte ptr [rdi + 48]"),
        about_integers,
        |env, a, _, _| memory(&env.f80_to_bcd(a)),
    );
    extended(
        failures,
        "fbld",
        x87!("fbld tbyte ptr [rdi + 48]"),
        draw,
        |_, _, _, m| {
            let [a, b, c, d, e, f, g, h] = m.to_le_bytes();
            st0(Env::f80_from_bcd([a, b, c, d, e, f, g, h, 0xcc, 0xcc]))
        },
    );
    assert_none(failures);
}

#[test]
fn x87_constants_equal_the_host() {
    let failures = &mut Vec::new();
    let draw: Draw = |_| (F80::ONE, F80::ONE, 0);
    macro_rules! constant {
        ($code:literal, $constant:ident) => {
            extended(failures, $code, x87!($code), draw, |env, _, _, _| {
                st0(env.f80_constant(Constant::$constant))
            });
        };
    }
    constant!("fld1", One);
    constant!("fldl2t", Log2Of10);
    constant!("fldl2e", Log2OfE);
    constant!("fldpi", Pi);
    constant!("fldlg2", Log10Of2);
    constant!("fldln2", LnOf2);
    constant!("fldz", Zero);
    assert_none(failures);
}
