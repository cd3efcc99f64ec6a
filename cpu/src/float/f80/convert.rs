//! x87 loads and stores in other formats (SDM vol. 2, FLD, FST, FILD, FIST, FISTTP, FBLD, FBSTP, FRNDINT).

use super::super::binary::{Format, Layout, unpack, with_sign};
use super::super::convert::integer;
use super::super::env::{Env, Exceptions, Precision, Rounding};
use super::super::number::{Exact, Kind, Number, Operand};
use super::{F80, INTEGER, MAX_FIELD, QUIET};

/// The packed BCD indefinite.
const BCD_INDEFINITE: [u8; 10] = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff];
/// The greatest magnitude that eighteen digits hold.
const BCD_MAX: u64 = 999_999_999_999_999_999;

impl Env {
    /// FLD of a 32- or 64-bit number: exact, but a signalling NaN raises IE and a denormal DE.
    pub fn f80_load<F: Format>(&mut self, bits: F::Bits) -> F80 {
        self.rounded_up = false;
        let bits = F::to_u64(bits);
        let x = unpack::<F>(bits, false);
        let exact = match x.kind {
            Kind::Zero => Exact::Zero(x.sign),
            Kind::Infinity => Exact::Infinity(x.sign),
            Kind::Finite(number) => Exact::Finite(number),
            Kind::QuietNan | Kind::SignalingNan | Kind::Unsupported => {
                if x.kind == Kind::SignalingNan {
                    self.raise(Exceptions::INVALID);
                }
                let fraction = (bits & F::FRACTION) << (63 - F::FRACTION_BITS);
                return F80::new(x.sign, MAX_FIELD, INTEGER | QUIET | fraction);
            }
        };
        if !self.accept(&[x]) {
            return F80::INDEFINITE;
        }
        self.f80_pack_to(exact, Precision::Extended)
    }

    /// FST to a 32- or 64-bit number.
    pub fn f80_store<F: Format>(&mut self, a: F80) -> F::Bits {
        self.rounded_up = false;
        let x = a.unpack();
        let exact = match x.kind {
            Kind::Zero => Exact::Zero(x.sign),
            Kind::Infinity => Exact::Infinity(x.sign),
            Kind::Finite(number) => Exact::Finite(number),
            Kind::Unsupported => Exact::Invalid,
            Kind::QuietNan | Kind::SignalingNan => {
                if x.kind == Kind::SignalingNan {
                    self.raise(Exceptions::INVALID);
                }
                let fraction = (a.significand & !INTEGER) >> (63 - F::FRACTION_BITS);
                return F::from_u64(with_sign::<F>(x.sign, F::INFINITY | F::QUIET | fraction));
            }
        };
        // What the store itself raises, so that an unmasked overflow or underflow, which stores nothing, can drop PE.
        let before = self.raised;
        let mut store = Self {
            flush_to_zero: false,
            raised: Exceptions::empty(),
            ..*self
        };
        let bits = store.pack::<F>(exact);
        let stops = Exceptions::OVERFLOW | Exceptions::UNDERFLOW;
        if store.raised.difference(self.masks).intersects(stops) {
            store.raised = store.raised.intersection(stops);
            store.rounded_up = false;
        }
        self.raised = before | store.raised;
        self.rounded_up = store.rounded_up;
        bits
    }

    /// FILD: an integer, exact.
    pub fn f80_from_integer(value: i64) -> F80 {
        Self::default().f80_pack_to(integer(value), Precision::Extended)
    }

    /// FIST m16. 8000h and IE if it does not fit.
    pub fn f80_round_to_i16(&mut self, a: F80) -> i16 {
        self.f80_to_integer(a, self.rounding, 16)
            .map_or(i16::MIN, |value| value as i16)
    }

    /// FIST m32.
    pub fn f80_round_to_i32(&mut self, a: F80) -> i32 {
        self.f80_to_integer(a, self.rounding, 32)
            .map_or(i32::MIN, |value| value as i32)
    }

    /// FISTP m64.
    pub fn f80_round_to_i64(&mut self, a: F80) -> i64 {
        self.f80_to_integer(a, self.rounding, 64)
            .unwrap_or(i64::MIN)
    }

    /// FISTTP m16.
    pub fn f80_truncate_to_i16(&mut self, a: F80) -> i16 {
        self.f80_to_integer(a, Rounding::Zero, 16)
            .map_or(i16::MIN, |value| value as i16)
    }

    /// FISTTP m32.
    pub fn f80_truncate_to_i32(&mut self, a: F80) -> i32 {
        self.f80_to_integer(a, Rounding::Zero, 32)
            .map_or(i32::MIN, |value| value as i32)
    }

    /// FISTTP m64.
    pub fn f80_truncate_to_i64(&mut self, a: F80) -> i64 {
        self.f80_to_integer(a, Rounding::Zero, 64)
            .unwrap_or(i64::MIN)
    }

    fn f80_to_integer(&mut self, a: F80, rounding: Rounding, width: u32) -> Option<i64> {
        self.rounded_up = false;
        self.fit_integer(a.unpack().kind, rounding, width)
    }

    /// FRNDINT.
    pub fn f80_round_to_integral(&mut self, a: F80) -> F80 {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate1(a) {
            return nan;
        }
        let x = a.unpack();
        let Kind::Finite(number) = x.kind else {
            return a;
        };
        if !self.accept(&[x]) {
            return F80::INDEFINITE;
        }
        if number.exponent >= 63 {
            return a;
        }
        let Some((magnitude, inexact, up)) = number.to_integer(self.rounding) else {
            return a;
        };
        if inexact {
            self.raise(Exceptions::PRECISION);
        }
        self.rounded_up = up;
        if magnitude == 0 {
            return F80::new(x.sign, 0, 0);
        }
        let mut quiet = Self::default();
        quiet.f80_pack(Exact::Finite(Number::from_integer(x.sign, magnitude)))
    }

    /// FBLD: eighteen packed digits and a sign. Digits above 9 count as they stand, as on hardware.
    #[must_use]
    pub fn f80_from_bcd(bytes: [u8; 10]) -> F80 {
        let [digits @ .., sign] = bytes;
        let pair = |byte: u8| u64::from(byte >> 4) * 10 + u64::from(byte & 15);
        let magnitude = digits
            .iter()
            .rev()
            .fold(0u64, |sum, &byte| sum * 100 + pair(byte));
        let sign = sign & 0x80 != 0;
        if magnitude == 0 {
            return F80::new(sign, 0, 0);
        }
        let mut quiet = Self::default();
        quiet.f80_pack(Exact::Finite(Number::from_integer(sign, magnitude)))
    }

    /// FBSTP: rounded to an integer of eighteen packed digits. The BCD indefinite and IE if it does not fit.
    pub fn f80_to_bcd(&mut self, a: F80) -> [u8; 10] {
        self.rounded_up = false;
        let Operand { sign, kind, .. } = a.unpack();
        let rounded = match kind {
            Kind::Zero => Some((0, false, false)),
            Kind::Finite(number) => number
                .to_integer(self.rounding)
                .filter(|&(magnitude, ..)| magnitude <= BCD_MAX),
            _ => None,
        };
        let Some((mut magnitude, inexact, up)) = rounded else {
            self.raise(Exceptions::INVALID);
            return BCD_INDEFINITE;
        };
        if inexact {
            self.raise(Exceptions::PRECISION);
        }
        self.rounded_up = up;
        let mut bytes = [0; 10];
        for byte in &mut bytes[..9] {
            *byte = (magnitude % 10) as u8 | (magnitude / 10 % 10 * 16) as u8;
            magnitude /= 100;
        }
        bytes[9] = u8::from(sign) << 7;
        bytes
    }
}
