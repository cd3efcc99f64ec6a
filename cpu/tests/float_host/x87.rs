//! x87 arithmetic, conversions and transcendentals.

use rax_cpu::float::{Comparison, Constant, Env, Exceptions, F32, F64, F80, Source};

use super::{Random, Report, assert_none, cases, is_reference};

/// What an x87 instruction works on. `a` is ST(0), `b` is ST(1).
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct X87 {
    pub(crate) control: u16,
    pub(crate) status: u16,
    pub(crate) _pad: [u16; 6],
    pub(crate) a: [u8; 16],
    pub(crate) b: [u8; 16],
    pub(crate) memory: [u8; 16],
    pub(crate) st0: [u8; 16],
    pub(crate) st1: [u8; 16],
}

pub(crate) type X87Code = fn(&mut X87);

macro_rules! x87 {
    ($($code:expr),+) => {
        |state: &mut X87| {
            // SAFETY: the code touches only the x87 stack and the state that rdi points to.
            unsafe {
                std::arch::asm!(
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
pub(crate) const C2: u16 = 0x400;
const C3: u16 = 0x4000;

pub(crate) use x87;

/// What our x87 operation should leave.
#[derive(Default)]
struct Expected {
    st0: Option<F80>,
    st1: Option<F80>,
    memory: Option<Vec<u8>>,
    /// The condition codes to look at, and their values; C1 comes from `rounded_up` if not named here.
    codes: (u16, u16),
}

pub(crate) fn to16(value: F80) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..10].copy_from_slice(&value.to_le_bytes());
    bytes
}

pub(crate) fn of16(bytes: &[u8; 16]) -> F80 {
    let mut ten = [0; 10];
    ten.copy_from_slice(&bytes[..10]);
    F80::from_le_bytes(ten)
}

pub(crate) type Draw = fn(&mut Random) -> (F80, F80, u64);

pub(crate) fn draw_extended(random: &mut Random) -> (F80, F80, u64) {
    let a = random.f80(F80::ONE);
    (a, random.f80(a), 0)
}

pub(crate) fn draw_control(random: &mut Random) -> u16 {
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
        report.check(&ours, &theirs, || {
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
    if !is_reference() {
        return;
    }
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
    if !is_reference() {
        return;
    }
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
    if !is_reference() {
        return;
    }
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
fn x87_loads_equal_the_host() {
    if !is_reference() {
        return;
    }
    let failures = &mut Vec::new();
    let draw: Draw = |random| (F80::ONE, F80::ONE, random.next());
    let singles: Draw = |random| (F80::ONE, F80::ONE, random.f32(0x3f80_0000).into());
    let doubles: Draw = |random| (F80::ONE, F80::ONE, random.f64(0x3ff0_0000_0000_0000));
    macro_rules! load {
        ($code:literal, $draw:ident, |$env:ident, $m:ident| $body:expr) => {
            extended(
                failures,
                $code,
                x87!(concat!($code, " ptr [rdi + 48]")),
                $draw,
                |$env, _, _, $m| st0($body),
            );
        };
    }
    load!("fld dword", singles, |env, m| env.f80_load::<F32>(m as u32));
    load!("fld qword", doubles, |env, m| env.f80_load::<F64>(m));
    load!("fild word", draw, |_env, m| Env::f80_from_integer(
        (m as i16).into()
    ));
    load!("fild dword", draw, |_env, m| Env::f80_from_integer(
        (m as i32).into()
    ));
    load!("fild qword", draw, |_env, m| Env::f80_from_integer(
        m as i64
    ));
    load!("fbld tbyte", draw, |_env, m| {
        let [a, b, c, d, e, f, g, h] = m.to_le_bytes();
        Env::f80_from_bcd([a, b, c, d, e, f, g, h, 0xcc, 0xcc])
    });
    assert_none(failures);
}

/// A number whose exponent is about that of `center`.
fn draw_near(random: &mut Random, center: u16) -> (F80, F80, u64) {
    let near = F80 {
        sign_exponent: center,
        significand: 0,
    };
    (random.f80(near), F80::ONE, 0)
}

#[test]
fn x87_stores_equal_the_host() {
    if !is_reference() {
        return;
    }
    let failures = &mut Vec::new();
    let about_limits: Draw = |random| {
        let distances = [-149, -126, 127, -1074, -1022, 1023, 0];
        let distance: i16 = distances[random.below(7) as usize];
        draw_near(random, 16383u16.wrapping_add_signed(distance))
    };
    let about_integers: Draw = |random| {
        let distance = [8, 16, 32, 60, 64][random.below(5) as usize];
        draw_near(random, 16383 + distance)
    };
    macro_rules! store {
        ($code:literal, $draw:ident, |$env:ident, $a:ident| $body:expr) => {
            extended(
                failures,
                $code,
                x87!(concat!($code, " ptr [rdi + 48]")),
                $draw,
                |$env, $a, _, _| memory(&$body),
            );
        };
    }
    store!("fst dword", about_limits, |env, a| env
        .f80_store::<F32>(a)
        .to_le_bytes());
    store!("fst qword", about_limits, |env, a| env
        .f80_store::<F64>(a)
        .to_le_bytes());
    store!("fist word", about_integers, |env, a| env
        .f80_round_to_i16(a)
        .to_le_bytes());
    store!("fist dword", about_integers, |env, a| env
        .f80_round_to_i32(a)
        .to_le_bytes());
    store!("fistp qword", about_integers, |env, a| env
        .f80_round_to_i64(a)
        .to_le_bytes());
    store!("fisttp word", about_integers, |env, a| env
        .f80_truncate_to_i16(a)
        .to_le_bytes());
    store!("fisttp dword", about_integers, |env, a| env
        .f80_truncate_to_i32(a)
        .to_le_bytes());
    store!("fisttp qword", about_integers, |env, a| env
        .f80_truncate_to_i64(a)
        .to_le_bytes());
    store!("fbstp tbyte", about_integers, |env, a| env.f80_to_bcd(a));
    assert_none(failures);
}

#[test]
fn x87_constants_equal_the_host() {
    if !is_reference() {
        return;
    }
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
