//! SSE conversions and rounding to integral values (SDM vol. 2, CVT*, ROUNDPS, VCVTPS2PH).

use super::binary::{Format, Layout, with_sign};
use super::env::{Env, Exceptions, Rounding};
use super::number::{Exact, Kind, Number};

impl Env {
    /// From one format to another, as CVTSS2SD, CVTSD2SS, VCVTPH2PS and VCVTPS2PH do.
    pub fn convert<From: Format, To: Format>(&mut self, bits: From::Bits) -> To::Bits {
        let x = self.operand::<From>(bits);
        let exact = match x.kind {
            Kind::Zero => Exact::Zero(x.sign),
            Kind::Infinity => Exact::Infinity(x.sign),
            Kind::Finite(number) => Exact::Finite(number),
            Kind::QuietNan | Kind::SignalingNan | Kind::Unsupported => {
                if x.kind == Kind::SignalingNan {
                    self.raise(Exceptions::INVALID);
                }
                let fraction = From::to_u64(bits) & From::FRACTION;
                return To::from_u64(with_sign::<To>(
                    x.sign,
                    To::INFINITY | To::QUIET | realign::<From, To>(fraction),
                ));
            }
        };
        if !self.accept(&[x]) {
            return To::from_u64(To::INDEFINITE);
        }
        if x.is_denormal
            && !To::HAS_DENORMAL_CONTROLS
            && !self.masks.contains(Exceptions::UNDERFLOW)
        {
            // VCVTPS2PH of a denormal with underflow unmasked reports PE even for a power of two (hardware).
            self.raise(Exceptions::PRECISION);
        }
        self.pack::<To>(exact)
    }

    /// A signed integer as a number, rounded (CVTSI2SD and its kin).
    pub fn encode_integer<F: Format>(&mut self, value: i64) -> F::Bits {
        self.pack::<F>(integer(value))
    }

    /// To a signed 32-bit integer, rounded as MXCSR says (CVTSD2SI). 80000000h and IE if it does not fit.
    pub fn round_to_i32<F: Format>(&mut self, bits: F::Bits) -> i32 {
        self.integer_of::<F>(bits, self.rounding, 32)
            .map_or(i32::MIN, |value| value as i32)
    }

    /// To a signed 64-bit integer, rounded as MXCSR says.
    pub fn round_to_i64<F: Format>(&mut self, bits: F::Bits) -> i64 {
        self.integer_of::<F>(bits, self.rounding, 64)
            .unwrap_or(i64::MIN)
    }

    /// To a signed 32-bit integer, rounded toward zero (CVTTSD2SI).
    pub fn truncate_to_i32<F: Format>(&mut self, bits: F::Bits) -> i32 {
        self.integer_of::<F>(bits, Rounding::Zero, 32)
            .map_or(i32::MIN, |value| value as i32)
    }

    /// To a signed 64-bit integer, rounded toward zero.
    pub fn truncate_to_i64<F: Format>(&mut self, bits: F::Bits) -> i64 {
        self.integer_of::<F>(bits, Rounding::Zero, 64)
            .unwrap_or(i64::MIN)
    }

    fn integer_of<F: Format>(
        &mut self,
        bits: F::Bits,
        rounding: Rounding,
        width: u32,
    ) -> Option<i64> {
        let kind = self.operand::<F>(bits).kind;
        self.fit_integer(kind, rounding, width)
    }

    /// Rounds to a signed integer of `width` bits; IE and None if it does not fit.
    pub(super) fn fit_integer(
        &mut self,
        kind: Kind,
        rounding: Rounding,
        width: u32,
    ) -> Option<i64> {
        let fitted = match kind {
            Kind::Zero => Some((0, false, false)),
            Kind::Finite(number) => {
                number
                    .to_integer(rounding)
                    .and_then(|(magnitude, inexact, up)| {
                        let limit = (1u64 << (width - 1)) - u64::from(!number.sign);
                        let value = if number.sign {
                            magnitude.wrapping_neg()
                        } else {
                            magnitude
                        };
                        (magnitude <= limit).then_some((value as i64, inexact, up))
                    })
            }
            _ => None,
        };
        let Some((value, inexact, up)) = fitted else {
            self.raise(Exceptions::INVALID);
            return None;
        };
        if inexact {
            self.raise(Exceptions::PRECISION);
        }
        self.rounded_up = up;
        Some(value)
    }

    /// To an integral value in the same format, in the mode of `self` (ROUNDPS; set `rounding` from the immediate).
    /// `suppress_precision` is the immediate's bit 3.
    pub fn round_to_integral<F: Format>(
        &mut self,
        bits: F::Bits,
        suppress_precision: bool,
    ) -> F::Bits {
        let x = self.operand::<F>(bits);
        if let Some(nan) = self.propagate::<F>(&[(x, bits)]) {
            return nan;
        }
        let Kind::Finite(number) = x.kind else {
            return if x.kind == Kind::Zero {
                F::from_u64(with_sign::<F>(x.sign, 0))
            } else {
                bits
            };
        };
        if number.exponent >= F::FRACTION_BITS as i32 {
            return bits;
        }
        let Some((magnitude, inexact, _)) = number.to_integer(self.rounding) else {
            return bits;
        };
        if inexact && !suppress_precision {
            self.raise(Exceptions::PRECISION);
        }
        if magnitude == 0 {
            return F::from_u64(with_sign::<F>(x.sign, 0));
        }
        self.pack::<F>(Exact::Finite(Number::from_integer(x.sign, magnitude)))
    }
}

/// An integer as an exact value.
pub(super) const fn integer(value: i64) -> Exact {
    if value == 0 {
        Exact::Zero(false)
    } else {
        Exact::Finite(Number::from_integer(value < 0, value.unsigned_abs()))
    }
}

/// Moves the top of one format's fraction to the top of another's.
const fn realign<From: Format, To: Format>(fraction: u64) -> u64 {
    if From::FRACTION_BITS > To::FRACTION_BITS {
        fraction >> (From::FRACTION_BITS - To::FRACTION_BITS)
    } else {
        fraction << (To::FRACTION_BITS - From::FRACTION_BITS)
    }
}
