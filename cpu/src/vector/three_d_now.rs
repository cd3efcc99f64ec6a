//! 3DNow!: arithmetic on two single-precision numbers in an MMX register (AMD 21928, 3DNow!
//! Technology Manual; AMD 22466, extensions).
//!
//! There are no exceptions, denormals or modes: operands that are denormal count as zero, what
//! would be denormal becomes zero, what would be infinite becomes the largest number. Sums and
//! products are rounded to nearest. Of NaNs and infinities as operands the manual says nothing;
//! they are treated as SSE would.

use crate::float::{Comparison, Env, F32, Rounding};

/// Two numbers, the first in the low half.
type Pair = [u32; 2];

const fn pair(bits: u64) -> Pair {
    [bits as u32, (bits >> 32) as u32]
}

fn unpair([low, high]: Pair) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Both halves treated alike.
fn each(a: u64, b: u64, f: impl Fn(u32, u32) -> u32) -> u64 {
    let ([a0, a1], [b0, b1]) = (pair(a), pair(b));
    unpair([f(a0, b0), f(a1, b1)])
}

const SIGN: u32 = 1 << 31;
const INFINITY: u32 = 0x7f80_0000;
const LARGEST: u32 = 0x7f7f_ffff;
const ONE: u32 = 0x3f80_0000;
const TWO: u32 = 0x4000_0000;
const THREE: u32 = 0x4040_0000;
const HALF: u32 = 0x3f00_0000;

fn env() -> Env {
    Env {
        flush_to_zero: true,
        denormals_are_zero: true,
        ..Env::default()
    }
}

/// A result that has become infinite stays finite.
fn saturated(result: u32, operands: &[u32]) -> u32 {
    let is_finite = |x: &u32| x & INFINITY != INFINITY;
    if result & !SIGN == INFINITY && operands.iter().all(is_finite) {
        result & SIGN | LARGEST
    } else {
        result
    }
}

fn add(a: u32, b: u32) -> u32 {
    saturated(env().add::<F32>(a, b), &[a, b])
}

fn subtract(a: u32, b: u32) -> u32 {
    saturated(env().sub::<F32>(a, b), &[a, b])
}

fn multiply(a: u32, b: u32) -> u32 {
    saturated(env().mul::<F32>(a, b), &[a, b])
}

fn compare(a: u32, b: u32) -> Comparison {
    let without_denormals = |x: u32| if x & INFINITY == 0 { x & SIGN } else { x };
    env().compare::<F32>(without_denormals(a), without_denormals(b), false)
}

/// PFADD.
pub(crate) fn sum(a: u64, b: u64) -> u64 {
    each(a, b, add)
}

/// PFSUB.
pub(crate) fn difference(a: u64, b: u64) -> u64 {
    each(a, b, subtract)
}

/// PFSUBR.
pub(crate) fn reversed_difference(a: u64, b: u64) -> u64 {
    each(b, a, subtract)
}

/// PFMUL.
pub(crate) fn product(a: u64, b: u64) -> u64 {
    each(a, b, multiply)
}

/// Halves of the first combined, then halves of the second.
fn horizontal(a: u64, b: u64, f: fn(u32, u32) -> u32, g: fn(u32, u32) -> u32) -> u64 {
    let ([a0, a1], [b0, b1]) = (pair(a), pair(b));
    unpair([f(a0, a1), g(b0, b1)])
}

/// PFACC.
pub(crate) fn accumulate(a: u64, b: u64) -> u64 {
    horizontal(a, b, add, add)
}

/// PFNACC.
pub(crate) fn accumulate_negative(a: u64, b: u64) -> u64 {
    horizontal(a, b, subtract, subtract)
}

/// PFPNACC.
pub(crate) fn accumulate_mixed(a: u64, b: u64) -> u64 {
    horizontal(a, b, subtract, add)
}

/// One of two operands; a zero that is chosen is positive.
const fn chosen(a: u32, b: u32, first_wins: bool) -> u32 {
    let result = if first_wins { a } else { b };
    if result & INFINITY == 0 { 0 } else { result }
}

/// PFMAX.
pub(crate) fn greater(a: u64, b: u64) -> u64 {
    each(a, b, |a, b| {
        chosen(a, b, compare(a, b) == Comparison::Greater)
    })
}

/// PFMIN.
pub(crate) fn lesser(a: u64, b: u64) -> u64 {
    each(a, b, |a, b| chosen(a, b, compare(a, b) == Comparison::Less))
}

const fn mask(holds: bool) -> u32 {
    if holds { u32::MAX } else { 0 }
}

/// PFCMPEQ.
pub(crate) fn is_equal(a: u64, b: u64) -> u64 {
    each(a, b, |a, b| mask(compare(a, b) == Comparison::Equal))
}

/// PFCMPGT.
pub(crate) fn is_greater(a: u64, b: u64) -> u64 {
    each(a, b, |a, b| mask(compare(a, b) == Comparison::Greater))
}

/// PFCMPGE.
pub(crate) fn is_not_less(a: u64, b: u64) -> u64 {
    each(a, b, |a, b| {
        mask(matches!(
            compare(a, b),
            Comparison::Greater | Comparison::Equal
        ))
    })
}

/// A number truncated to an integer of `bits`, and confined to its range.
fn truncated(number: u32, bits: u32) -> u32 {
    let exponent = (number & INFINITY) >> 23;
    let significand = u64::from(number & 0x7f_ffff | 0x80_0000);
    let limit = 1i64 << (bits - 1);
    let magnitude = match exponent {
        ..127 => 0,
        // Beyond any limit.
        160.. => i64::MAX,
        _ => ((significand << (exponent - 127)) >> 23).cast_signed(),
    };
    let value = if number & SIGN == 0 {
        magnitude.min(limit - 1)
    } else {
        -magnitude.min(limit)
    };
    value as u32
}

/// PF2ID: truncated, confined to 32 bits.
pub(crate) fn to_dwords(_: u64, b: u64) -> u64 {
    unpair(pair(b).map(|number| truncated(number, 32)))
}

/// PF2IW: truncated, confined to 16 bits, extended by sign.
pub(crate) fn to_words(_: u64, b: u64) -> u64 {
    unpair(pair(b).map(|number| truncated(number, 16)))
}

/// An integer as a number, truncated.
fn from_integer(value: i32) -> u32 {
    let mut env = Env {
        rounding: Rounding::Zero,
        ..env()
    };
    env.encode_integer::<F32>(i64::from(value))
}

/// PI2FD.
pub(crate) fn from_dwords(_: u64, b: u64) -> u64 {
    unpair(pair(b).map(|bits| from_integer(bits.cast_signed())))
}

/// PI2FW: of the low words.
pub(crate) fn from_words(_: u64, b: u64) -> u64 {
    unpair(pair(b).map(|bits| from_integer(i32::from(bits as i16))))
}

/// A result of the low half, in both.
fn both(result: u32) -> u64 {
    unpair([result; 2])
}

/// PFRCP: the reciprocal of the low half. Fourteen bits are promised; these are all.
pub(crate) fn reciprocal(_: u64, b: u64) -> u64 {
    let x = b as u32;
    both(saturated(env().div::<F32>(ONE, x), &[x]))
}

/// PFRSQRT: the reciprocal of the low half's root, with its sign. Fifteen bits are promised.
pub(crate) fn reciprocal_root(_: u64, b: u64) -> u64 {
    let x = b as u32;
    let mut env = env();
    let root = env.sqrt::<F32>(x & !SIGN);
    let result = saturated(env.div::<F32>(ONE, root), &[x]);
    both(result | x & SIGN)
}

/// PFRCPIT1: `2 - b * x`, the first half of Newton's step to the reciprocal of the first operand
/// from an approximation, the second. PFRCPIT2, the other half, is a product.
pub(crate) fn reciprocal_step(a: u64, b: u64) -> u64 {
    each(a, b, |number, guess| {
        env().fused::<F32>([number, guess, TWO], true, false)
    })
}

/// PFRSQIT1: `(3 - b * x²) / 2`, the same to the reciprocal of the root; the second operand is
/// the square of an approximation.
pub(crate) fn root_step(a: u64, b: u64) -> u64 {
    each(a, b, |number, square| {
        let mut env = env();
        let rest = env.fused::<F32>([number, square, THREE], true, false);
        env.mul::<F32>(rest, HALF)
    })
}

/// PMULHRW: high halves of the products of signed words, rounded.
pub(crate) fn multiply_words(a: u64, b: u64) -> u64 {
    (0..4).fold(0, |all, n| {
        let [a, b] = [a, b].map(|v| i32::from((v >> (16 * n)) as i16));
        let product = (a * b + 0x8000) >> 16;
        all | u64::from(product as u16) << (16 * n)
    })
}

/// PAVGUSB: averages of bytes, rounded up.
pub(crate) fn average_bytes(a: u64, b: u64) -> u64 {
    let (mut a, b) = (a.to_le_bytes(), b.to_le_bytes());
    for (a, b) in a.iter_mut().zip(b) {
        *a = (u16::from(*a) + u16::from(b)).div_ceil(2) as u8;
    }
    u64::from_le_bytes(a)
}

/// PSWAPD.
pub(crate) const fn swapped(_: u64, b: u64) -> u64 {
    b.rotate_left(32)
}
