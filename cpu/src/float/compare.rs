//! SSE comparisons, minimum and maximum (SDM vol. 2, CMPPS, COMISS, MINPS; the 32 predicates in VCMPPS).

use std::cmp::Ordering;

use super::binary::{Format, Layout};
use super::env::{Env, Exceptions};
use super::number::{Kind, Operand};

/// The four ways two operands can relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The first is less.
    Less,
    /// They are equal.
    Equal,
    /// The first is greater.
    Greater,
    /// One of them is a NaN (or an unsupported x87 encoding).
    Unordered,
}

impl From<Ordering> for Comparison {
    fn from(ordering: Ordering) -> Self {
        match ordering {
            Ordering::Less => Self::Less,
            Ordering::Equal => Self::Equal,
            Ordering::Greater => Self::Greater,
        }
    }
}

/// Orders two operands, neither of them a NaN.
pub(super) fn order(a: &Operand, b: &Operand) -> Comparison {
    let rank = |o: &Operand| match o.kind {
        Kind::Zero => (0, 0, 0),
        Kind::Finite(n) => (1, n.exponent, n.significand),
        _ => (2, 0, 0),
    };
    let (x, y) = (rank(a), rank(b));
    let is_zero = |rank: (i32, i32, u128)| rank.0 == 0;
    match (a.sign, b.sign) {
        _ if is_zero(x) && is_zero(y) => Comparison::Equal,
        (false, true) => Comparison::Greater,
        (true, false) => Comparison::Less,
        (false, false) => x.cmp(&y).into(),
        (true, true) => y.cmp(&x).into(),
    }
}

/// An integer that orders zeros, normal numbers and infinities as they are; none for the rest,
/// which have more to say.
#[inline]
fn rank<F: Format>(bits: F::Bits) -> Option<i64> {
    let magnitude = F::to_u64(bits) & !F::SIGN;
    let is_plain = magnitude == 0 || (magnitude > F::FRACTION && magnitude <= F::INFINITY);
    let rank = magnitude as i64;
    let is_negative = F::to_u64(bits) & F::SIGN != 0;
    is_plain.then_some(if is_negative { -rank } else { rank })
}

/// A predicate of CMPPS and VCMPPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predicate(u8);

impl Predicate {
    /// The predicate of an immediate. Bits above the fifth are ignored.
    #[inline]
    #[must_use]
    pub const fn new(immediate: u8) -> Self {
        Self(immediate & 0x1f)
    }

    /// The predicate of a legacy (non-VEX) instruction's immediate: only the low three bits count.
    #[inline]
    #[must_use]
    pub const fn legacy(immediate: u8) -> Self {
        Self(immediate & 7)
    }

    /// The immediate again.
    #[inline]
    #[must_use]
    pub const fn immediate(self) -> u8 {
        self.0
    }

    /// Whether a quiet NaN raises IE.
    #[inline]
    #[must_use]
    pub const fn signals(self) -> bool {
        // LT, LE, NLT and NLE, and their kin from 8 on, signal; with bit 4 set it is the others that do.
        let signals = matches!(self.0 & 15, 1 | 2 | 5 | 6 | 9 | 10 | 13 | 14);
        signals != (self.0 & 16 != 0)
    }

    /// Whether the relation satisfies the predicate.
    #[inline]
    #[must_use]
    pub const fn holds(self, relation: Comparison) -> bool {
        let (less, equal, greater, unordered) = match self.0 & 15 {
            0 => (false, true, false, false),
            1 => (true, false, false, false),
            2 => (true, true, false, false),
            3 => (false, false, false, true),
            4 => (true, false, true, true),
            5 => (false, true, true, true),
            6 => (false, false, true, true),
            7 => (true, true, true, false),
            8 => (false, true, false, true),
            9 => (true, false, false, true),
            10 => (true, true, false, true),
            11 => (false, false, false, false),
            12 => (true, false, true, false),
            13 => (false, true, true, false),
            14 => (false, false, true, false),
            _ => (true, true, true, true),
        };
        match relation {
            Comparison::Less => less,
            Comparison::Equal => equal,
            Comparison::Greater => greater,
            Comparison::Unordered => unordered,
        }
    }
}

impl Env {
    /// Compares; a signalling NaN raises IE, a quiet one only if `quiet_signals` (COMISS does, UCOMISS does not).
    #[inline]
    pub fn compare<F: Format>(
        &mut self,
        a: F::Bits,
        b: F::Bits,
        quiet_signals: bool,
    ) -> Comparison {
        if let (Some(x), Some(y)) = (rank::<F>(a), rank::<F>(b)) {
            return x.cmp(&y).into();
        }
        self.soft_compare::<F>(a, b, quiet_signals)
    }

    #[cold]
    #[inline(never)]
    fn soft_compare<F: Format>(
        &mut self,
        a: F::Bits,
        b: F::Bits,
        quiet_signals: bool,
    ) -> Comparison {
        let (x, y) = (self.operand::<F>(a), self.operand::<F>(b));
        if x.is_nan() || y.is_nan() {
            if quiet_signals || x.kind == Kind::SignalingNan || y.kind == Kind::SignalingNan {
                self.raise(Exceptions::INVALID);
            }
            return Comparison::Unordered;
        }
        self.accept(&[x, y]);
        order(&x, &y)
    }

    /// One lane of CMPPS: whether the predicate holds.
    pub fn compare_as<F: Format>(&mut self, a: F::Bits, b: F::Bits, predicate: Predicate) -> bool {
        let relation = self.compare::<F>(a, b, predicate.signals());
        predicate.holds(relation)
    }

    /// One lane of MINPS: `a` if it is less, else `b`. A NaN of either kind raises IE and gives `b`.
    pub fn min<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        let chosen = if self.compare::<F>(a, b, true) == Comparison::Less {
            a
        } else {
            b
        };
        self.without_denormal::<F>(chosen)
    }

    /// One lane of MAXPS: `a` if it is greater, else `b`. A NaN of either kind raises IE and gives `b`.
    pub fn max<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        let chosen = if self.compare::<F>(a, b, true) == Comparison::Greater {
            a
        } else {
            b
        };
        self.without_denormal::<F>(chosen)
    }

    /// What DAZ makes of an operand that passes through.
    fn without_denormal<F: Format>(&self, bits: F::Bits) -> F::Bits {
        let encoding = F::to_u64(bits);
        if self.denormals_are_zero && F::HAS_DENORMAL_CONTROLS && encoding & F::INFINITY == 0 {
            F::from_u64(encoding & F::SIGN)
        } else {
            bits
        }
    }
}
