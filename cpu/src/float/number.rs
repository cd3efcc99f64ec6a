//! Finite numbers in a form wide enough for every format, and the arithmetic on them before rounding.

use super::env::Rounding;

/// The top bit of a normalised significand.
pub(super) const TOP: u128 = 1 << 127;

/// A finite number other than zero: `significand * 2^(exponent - 127)` with the top bit set.
///
/// The lowest bit may be sticky, standing for anything that lies below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) sign: bool,
    pub(super) exponent: i32,
    pub(super) significand: u128,
}

/// What an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Zero,
    Finite(Number),
    Infinity,
    QuietNan,
    SignalingNan,
    /// An x87 encoding that no operation accepts.
    Unsupported,
}

/// An operand taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operand {
    pub(super) sign: bool,
    pub(super) is_denormal: bool,
    pub(super) kind: Kind,
}

impl Operand {
    pub(super) const fn is_nan(&self) -> bool {
        matches!(self.kind, Kind::QuietNan | Kind::SignalingNan)
    }

    pub(super) const fn negated(mut self) -> Self {
        self.sign = !self.sign;
        if let Kind::Finite(number) = &mut self.kind {
            number.sign = !number.sign;
        }
        self
    }
}

/// The result of an operation before rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exact {
    Zero(bool),
    Finite(Number),
    Infinity(bool),
    /// The operation has no answer: IE.
    Invalid,
    /// An infinity of this sign out of finite operands: ZE.
    DivideByZero(bool),
}

/// A significand after rounding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounded {
    /// The kept bits, at the top.
    pub(super) significand: u128,
    /// The significand was all ones and became the next power of two.
    pub(super) carried: bool,
    pub(super) inexact: bool,
    pub(super) up: bool,
}

/// Shifts right; whatever falls out stays visible in the lowest bit.
pub(super) const fn shift_right_sticky(value: u128, count: u32) -> u128 {
    match count {
        0 => value,
        1..=127 => (value >> count) | (value << (128 - count) != 0) as u128,
        _ => (value != 0) as u128,
    }
}

/// Keeps the top `bits` (1 to 64) bits of a significand.
pub(super) const fn round_significand(
    rounding: Rounding,
    sign: bool,
    significand: u128,
    bits: u32,
) -> Rounded {
    let one = 1u128 << (128 - bits);
    let rest = significand & (one - 1);
    let kept = significand & !(one - 1);
    let half = one >> 1;
    let up = rest != 0
        && match rounding {
            Rounding::Nearest => rest > half || (rest == half && kept & one != 0),
            Rounding::Down => sign,
            Rounding::Up => !sign,
            Rounding::Zero => false,
        };
    let (sum, carried) = if up {
        kept.overflowing_add(one)
    } else {
        (kept, false)
    };
    Rounded {
        significand: if carried { TOP } else { sum },
        carried,
        inexact: rest != 0,
        up,
    }
}

impl Number {
    /// Normalises; the significand must not be zero.
    #[inline]
    pub(super) const fn normalised(sign: bool, exponent: i32, significand: u128) -> Self {
        let shift = significand.leading_zeros();
        Self {
            sign,
            exponent: exponent - shift as i32,
            significand: significand << shift,
        }
    }

    /// An integer other than zero.
    pub(super) const fn from_integer(sign: bool, magnitude: u64) -> Self {
        Self::normalised(sign, 127, magnitude as u128)
    }

    /// The top 64 bits of the significand.
    #[inline]
    pub(super) const fn top(&self) -> u64 {
        (self.significand >> 64) as u64
    }

    /// The integer part of the magnitude and the rest as a 128-bit fraction (lowest bit sticky).
    ///
    /// None if the integer part exceeds 64 bits.
    pub(super) const fn split(&self) -> Option<(u64, u128)> {
        match self.exponent {
            64.. => None,
            e @ 0..=63 => Some((
                (self.significand >> (127 - e)) as u64,
                self.significand << (e + 1),
            )),
            e => Some((0, shift_right_sticky(self.significand, (-1 - e) as u32))),
        }
    }

    /// The magnitude rounded to an integer, whether that was inexact, and whether it went up.
    ///
    /// None if it exceeds 64 bits.
    pub(super) const fn to_integer(self, rounding: Rounding) -> Option<(u64, bool, bool)> {
        let Some((integer, fraction)) = self.split() else {
            return None;
        };
        let up = fraction != 0
            && match rounding {
                Rounding::Nearest => fraction > TOP || (fraction == TOP && integer & 1 != 0),
                Rounding::Down => self.sign,
                Rounding::Up => !self.sign,
                Rounding::Zero => false,
            };
        match integer.checked_add(up as u64) {
            Some(rounded) => Some((rounded, fraction != 0, up)),
            None => None,
        }
    }
}

/// The sign of an exact zero that is the sum of two numbers.
const fn sign_of_zero_sum(a: bool, b: bool, rounding: Rounding) -> bool {
    if a == b {
        a
    } else {
        matches!(rounding, Rounding::Down)
    }
}

/// `a + b` of operands that are no NaN.
pub(super) fn sum(a: &Operand, b: &Operand, rounding: Rounding) -> Exact {
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Infinity) if a.sign != b.sign => Exact::Invalid,
        (Kind::Infinity, _) => Exact::Infinity(a.sign),
        (_, Kind::Infinity) => Exact::Infinity(b.sign),
        (Kind::Finite(x), Kind::Finite(y)) => sum_finite(&x, &y, rounding),
        (Kind::Finite(x), _) => Exact::Finite(x),
        (_, Kind::Finite(y)) => Exact::Finite(y),
        _ => Exact::Zero(sign_of_zero_sum(a.sign, b.sign, rounding)),
    }
}

/// `a - b` of operands that are no NaN.
pub(super) fn difference(a: &Operand, b: &Operand, rounding: Rounding) -> Exact {
    sum(a, &b.negated(), rounding)
}

/// The sum of two numbers. Of each, the lowest significand bit must be clear.
pub(super) fn sum_finite(a: &Number, b: &Number, rounding: Rounding) -> Exact {
    let swapped = (a.exponent, a.significand) < (b.exponent, b.significand);
    let (large, small) = if swapped { (b, a) } else { (a, b) };
    let distance = (large.exponent - small.exponent) as u32;
    // One bit of room above for the carry.
    let high = large.significand >> 1;
    let low = shift_right_sticky(small.significand >> 1, distance);
    let total = if large.sign == small.sign {
        high + low
    } else {
        high - low
    };
    if total == 0 {
        return Exact::Zero(sign_of_zero_sum(a.sign, b.sign, rounding));
    }
    Exact::Finite(Number::normalised(large.sign, large.exponent + 1, total))
}

/// `a * b` of operands that are no NaN.
pub(super) fn product(a: &Operand, b: &Operand, _: Rounding) -> Exact {
    let sign = a.sign != b.sign;
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Zero) | (Kind::Zero, Kind::Infinity) => Exact::Invalid,
        (Kind::Infinity, _) | (_, Kind::Infinity) => Exact::Infinity(sign),
        (Kind::Finite(x), Kind::Finite(y)) => Exact::Finite(product_finite(&x, &y)),
        _ => Exact::Zero(sign),
    }
}

/// The exact product of two numbers of at most 64 significand bits.
pub(super) fn product_finite(a: &Number, b: &Number) -> Number {
    let significand = u128::from(a.top()) * u128::from(b.top());
    Number::normalised(a.sign != b.sign, a.exponent + b.exponent + 1, significand)
}

/// `a / b` of operands that are no NaN.
pub(super) fn quotient(a: &Operand, b: &Operand, _: Rounding) -> Exact {
    let sign = a.sign != b.sign;
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Infinity) | (Kind::Zero, Kind::Zero) => Exact::Invalid,
        (Kind::Infinity, _) => Exact::Infinity(sign),
        (_, Kind::Infinity) | (Kind::Zero, _) => Exact::Zero(sign),
        (Kind::Finite(x), Kind::Finite(y)) => Exact::Finite(quotient_finite(&x, &y)),
        _ => Exact::DivideByZero(sign),
    }
}

fn quotient_finite(a: &Number, b: &Number) -> Number {
    let divisor = u128::from(b.top());
    let dividend = u128::from(a.top()) << 63;
    let (high, rest) = (dividend / divisor, dividend % divisor);
    let dividend = rest << 63;
    let (low, rest) = (dividend / divisor, dividend % divisor);
    let significand = (high << 63) | low | u128::from(rest != 0);
    Number::normalised(a.sign != b.sign, a.exponent - b.exponent + 1, significand)
}

/// The square root of an operand that is no NaN.
pub(super) fn root(a: &Operand) -> Exact {
    match a.kind {
        Kind::Zero => Exact::Zero(a.sign),
        _ if a.sign => Exact::Invalid,
        Kind::Finite(x) => Exact::Finite(root_finite(&x)),
        _ => Exact::Infinity(false),
    }
}

/// 64 bits of the root, the bit after them, and a sticky bit. The number has at most 64 significand bits.
fn root_finite(a: &Number) -> Number {
    let odd = a.exponent & 1 != 0;
    let radicand = if odd {
        a.significand
    } else {
        a.significand >> 1
    };
    let root = radicand.isqrt();
    let rest = radicand - root * root;
    // (root + ½)² = root² + root + ¼, so a tie cannot be.
    let tail = u128::from(rest > root) << 63 | u128::from(rest != 0);
    Number {
        sign: false,
        exponent: a.exponent >> 1,
        significand: root << 64 | tail,
    }
}
