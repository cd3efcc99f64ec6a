//! The x87 extended format: encoding, NaN rules and rounding (SDM vol. 1, 4.2.2, 4.8.3 and 8).

mod arithmetic;
mod constant;
mod convert;
mod logarithm;
mod parts;
mod quick;
mod remainder;
mod scale;
mod trigonometry;
mod wide;

pub use constant::Constant;
pub use parts::Parts;
pub use remainder::Remainder;

use super::binary::{Format, Layout, overflows_to_infinity, unpack};
use super::env::{Env, Exceptions, Precision};
use super::number::{Exact, Kind, Number, Operand, round_significand, shift_right_sticky};

/// The explicit integer bit.
pub(super) const INTEGER: u64 = 1 << 63;
/// The bit that tells a quiet NaN from a signalling one.
pub(super) const QUIET: u64 = 1 << 62;
/// The greatest exponent field.
pub(super) const MAX_FIELD: u16 = 0x7fff;
/// The bias of the exponent field, also the greatest exponent.
pub(super) const BIAS: i32 = 16383;
/// The least exponent.
pub(super) const MIN_EXPONENT: i32 = 1 - BIAS;
/// What an unmasked overflow or underflow adds to or takes from the exponent.
const WRAP: i32 = 0x6000;

/// A number in the 80-bit extended format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct F80 {
    /// The sign in bit 15 and the biased exponent below.
    pub sign_exponent: u16,
    /// The significand, with its integer bit in bit 63.
    pub significand: u64,
}

/// An operand of x87 arithmetic: a register, or a narrower number in memory that has been denormal or signalling there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    value: F80,
    is_denormal: bool,
}

impl Source {
    /// A 32- or 64-bit memory operand, as FADD m32fp and its kin take it: widened, but with whatever would raise IE or
    /// DE in the operation kept.
    pub fn from_memory<F: Format>(bits: F::Bits) -> Self {
        let bits = F::to_u64(bits);
        let Operand {
            sign,
            is_denormal,
            kind,
        } = unpack::<F>(bits, false);
        let value = match kind {
            Kind::Zero => F80::new(sign, 0, 0),
            Kind::Finite(n) => F80::new(sign, (n.exponent + BIAS) as u16, n.top()),
            _ => F80::new(
                sign,
                MAX_FIELD,
                INTEGER | (bits & F::FRACTION) << (63 - F::FRACTION_BITS),
            ),
        };
        Self { value, is_denormal }
    }

    const fn operand(self) -> Operand {
        let mut operand = self.value.unpack();
        operand.is_denormal |= self.is_denormal;
        operand
    }
}

impl From<F80> for Source {
    fn from(value: F80) -> Self {
        Self {
            value,
            is_denormal: false,
        }
    }
}

/// What FXAM says of a register that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An encoding that no operation accepts: unnormal, pseudo-NaN or pseudo-infinity.
    Unsupported,
    /// A NaN of either kind.
    Nan,
    /// A normal number.
    Normal,
    /// An infinity.
    Infinity,
    /// A zero.
    Zero,
    /// A denormal or pseudo-denormal number.
    Denormal,
}

impl Class {
    /// The condition codes C3, C2 and C0 that FXAM sets; C1 is the sign, and an empty register gives 1, 0, 1.
    #[must_use]
    pub const fn condition_codes(self) -> (bool, bool, bool) {
        match self {
            Self::Unsupported => (false, false, false),
            Self::Nan => (false, false, true),
            Self::Normal => (false, true, false),
            Self::Infinity => (false, true, true),
            Self::Zero => (true, false, false),
            Self::Denormal => (true, true, false),
        }
    }
}

impl F80 {
    /// Positive zero.
    pub const ZERO: Self = Self {
        sign_exponent: 0,
        significand: 0,
    };
    /// One.
    pub const ONE: Self = Self {
        sign_exponent: BIAS as u16,
        significand: INTEGER,
    };
    /// The QNaN floating-point indefinite, the answer to an invalid operation.
    pub const INDEFINITE: Self = Self {
        sign_exponent: 0xffff,
        significand: INTEGER | QUIET,
    };
    /// Positive infinity.
    pub const INFINITY: Self = Self {
        sign_exponent: MAX_FIELD,
        significand: INTEGER,
    };

    /// From the ten bytes in memory, lowest first.
    #[must_use]
    #[inline]
    pub const fn from_le_bytes(bytes: [u8; 10]) -> Self {
        let [a, b, c, d, e, f, g, h, low, high] = bytes;
        Self {
            sign_exponent: u16::from_le_bytes([low, high]),
            significand: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        }
    }

    /// To the ten bytes in memory, lowest first.
    #[must_use]
    #[inline]
    pub const fn to_le_bytes(self) -> [u8; 10] {
        let [a, b, c, d, e, f, g, h] = self.significand.to_le_bytes();
        let [low, high] = self.sign_exponent.to_le_bytes();
        [a, b, c, d, e, f, g, h, low, high]
    }

    /// The sign bit.
    #[must_use]
    pub const fn sign(self) -> bool {
        self.sign_exponent >> 15 != 0
    }

    /// FABS: the sign bit cleared.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self {
            sign_exponent: self.sign_exponent & MAX_FIELD,
            ..self
        }
    }

    /// FCHS: the sign bit inverted.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self {
            sign_exponent: self.sign_exponent ^ 0x8000,
            ..self
        }
    }

    /// What FXAM says of it.
    #[must_use]
    pub const fn class(self) -> Class {
        let operand = self.unpack();
        match operand.kind {
            Kind::Zero => Class::Zero,
            Kind::Finite(_) if operand.is_denormal => Class::Denormal,
            Kind::Finite(_) => Class::Normal,
            Kind::Infinity => Class::Infinity,
            Kind::QuietNan | Kind::SignalingNan => Class::Nan,
            Kind::Unsupported => Class::Unsupported,
        }
    }

    pub(super) const fn new(sign: bool, field: u16, significand: u64) -> Self {
        Self {
            sign_exponent: field | ((sign as u16) << 15),
            significand,
        }
    }

    /// Takes an encoding apart.
    #[inline]
    pub(super) const fn unpack(self) -> Operand {
        let sign = self.sign();
        let field = self.sign_exponent & MAX_FIELD;
        let has_integer = self.significand & INTEGER != 0;
        let mut is_denormal = false;
        let kind = match field {
            0 if self.significand == 0 => Kind::Zero,
            0 => {
                is_denormal = true;
                Kind::Finite(Number::normalised(
                    sign,
                    MIN_EXPONENT,
                    (self.significand as u128) << 64,
                ))
            }
            _ if !has_integer => Kind::Unsupported,
            MAX_FIELD if self.significand == INTEGER => Kind::Infinity,
            MAX_FIELD if self.significand & QUIET != 0 => Kind::QuietNan,
            MAX_FIELD => Kind::SignalingNan,
            _ => Kind::Finite(Number {
                sign,
                exponent: field as i32 - BIAS,
                significand: (self.significand as u128) << 64,
            }),
        };
        Operand {
            sign,
            is_denormal,
            kind,
        }
    }

    const fn quieted(self) -> Self {
        Self {
            significand: self.significand | QUIET,
            ..self
        }
    }
}

impl Env {
    /// IE, and the indefinite.
    pub(super) fn f80_invalid(&mut self) -> F80 {
        self.raise(Exceptions::INVALID);
        F80::INDEFINITE
    }

    /// The answer if the operand is a NaN or unsupported.
    pub(super) fn f80_propagate1(&mut self, a: F80) -> Option<F80> {
        match a.unpack().kind {
            Kind::Unsupported => Some(self.f80_invalid()),
            Kind::SignalingNan => {
                self.raise(Exceptions::INVALID);
                Some(a.quieted())
            }
            Kind::QuietNan => Some(a),
            Kind::Zero | Kind::Finite(_) | Kind::Infinity => None,
        }
    }

    /// The answer if one of the operands is a NaN or unsupported (SDM vol. 1, table 4-7).
    pub(super) fn f80_propagate2(&mut self, a: F80, b: F80) -> Option<F80> {
        let (x, y) = (a.unpack().kind, b.unpack().kind);
        if x == Kind::Unsupported || y == Kind::Unsupported {
            return Some(self.f80_invalid());
        }
        if x == Kind::SignalingNan || y == Kind::SignalingNan {
            self.raise(Exceptions::INVALID);
        }
        let (x_is_nan, y_is_nan) = (a.unpack().is_nan(), b.unpack().is_nan());
        let chosen = match (x, y) {
            (Kind::SignalingNan, Kind::QuietNan) => b,
            (Kind::QuietNan, Kind::SignalingNan) => a,
            _ if x_is_nan && y_is_nan => larger_nan(a, b),
            _ if x_is_nan => a,
            _ if y_is_nan => b,
            _ => return None,
        };
        Some(chosen.quieted())
    }

    /// Rounds a result to the precision that PC asks for, and encodes it.
    pub(super) fn f80_pack(&mut self, exact: Exact) -> F80 {
        self.f80_pack_to(exact, self.precision)
    }

    /// Rounds a result to a precision and encodes it.
    pub(super) fn f80_pack_to(&mut self, exact: Exact, precision: Precision) -> F80 {
        match exact {
            Exact::Zero(sign) => F80::new(sign, 0, 0),
            Exact::Infinity(sign) => F80::new(sign, MAX_FIELD, INTEGER),
            Exact::Finite(number) => self.f80_pack_number(&number, precision.significand_bits()),
            Exact::Invalid => self.f80_invalid(),
            Exact::DivideByZero(sign) => {
                self.raise(Exceptions::ZERO_DIVIDE);
                F80::new(sign, MAX_FIELD, INTEGER)
            }
        }
    }

    /// Encodes the result of a transcendental instruction. Hardware calls it inexact (and underflowing, if denormal)
    /// even where it is exact, as the logarithm of a power of two is.
    fn f80_pack_inexact(&mut self, exact: Exact) -> F80 {
        if let Exact::Finite(number) = exact {
            self.raise(Exceptions::PRECISION);
            if number.exponent < MIN_EXPONENT && number.significand & 1 == 0 {
                self.raise(Exceptions::UNDERFLOW);
            }
        }
        self.f80_pack_to(exact, Precision::Extended)
    }

    fn f80_pack_number(&mut self, number: &Number, bits: u32) -> F80 {
        let Number {
            sign,
            exponent,
            significand,
        } = *number;
        let rounded = round_significand(self.rounding, sign, significand, bits);
        let rounded_exponent = exponent + i32::from(rounded.carried);
        self.rounded_up = rounded.up;
        let mut delivered = rounded_exponent;
        if rounded_exponent < MIN_EXPONENT {
            if self.masks.contains(Exceptions::UNDERFLOW) {
                return self.f80_pack_denormal(number, bits);
            }
            self.raise(Exceptions::UNDERFLOW);
            delivered += WRAP;
        }
        if rounded_exponent > BIAS {
            if self.raise_masked(Exceptions::OVERFLOW) {
                self.raise(Exceptions::PRECISION);
                self.rounded_up = overflows_to_infinity(self.rounding, sign);
                return greatest(sign, self.rounded_up, bits);
            }
            delivered -= WRAP;
        }
        // Only FSCALE gets here with an exponent that wrapping does not bring back; hardware ignores RC then.
        if !(MIN_EXPONENT..=BIAS).contains(&delivered) {
            self.raise(Exceptions::PRECISION);
            self.rounded_up = delivered > BIAS;
            let (field, significand) = if self.rounded_up {
                (MAX_FIELD, INTEGER)
            } else {
                (0, 0)
            };
            return F80::new(sign, field, significand);
        }
        if rounded.inexact {
            self.raise(Exceptions::PRECISION);
        }
        F80::new(
            sign,
            (delivered + BIAS) as u16 & MAX_FIELD,
            (rounded.significand >> 64) as u64,
        )
    }

    fn f80_pack_denormal(&mut self, number: &Number, bits: u32) -> F80 {
        let shift = (MIN_EXPONENT - number.exponent) as u32;
        let significand = shift_right_sticky(number.significand, shift);
        let rounded = round_significand(self.rounding, number.sign, significand, bits);
        self.rounded_up = rounded.up;
        if rounded.inexact {
            self.raise(Exceptions::UNDERFLOW | Exceptions::PRECISION);
        }
        let significand = (rounded.significand >> 64) as u64;
        F80::new(
            number.sign,
            u16::from(significand & INTEGER != 0),
            significand,
        )
    }
}

/// What a masked overflow delivers.
fn greatest(sign: bool, is_infinity: bool, bits: u32) -> F80 {
    if is_infinity {
        F80::new(sign, MAX_FIELD, INTEGER)
    } else {
        F80::new(sign, MAX_FIELD - 1, u64::MAX << (64 - bits))
    }
}

/// The NaN with the larger significand; of equal ones the positive.
fn larger_nan(a: F80, b: F80) -> F80 {
    match a.significand.cmp(&b.significand) {
        std::cmp::Ordering::Greater => a,
        std::cmp::Ordering::Less => b,
        std::cmp::Ordering::Equal if a.sign() => b,
        std::cmp::Ordering::Equal => a,
    }
}
