//! FSCALE and FXTRACT (SDM vol. 2).

use super::super::env::{Env, Exceptions, Precision, Rounding};
use super::super::number::{Exact, Kind, Number};
use super::{F80, INTEGER, MAX_FIELD};

/// Beyond this, a scale factor makes any number overflow or underflow.
const MAX_SCALE: i32 = 0x10000;

impl Env {
    /// FSCALE: `a * 2^trunc(b)`.
    pub fn f80_scale(&mut self, a: F80, b: F80) -> F80 {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate2(a, b) {
            return nan;
        }
        let (x, y) = (a.unpack(), b.unpack());
        let exact = match (x.kind, y.kind) {
            (Kind::Infinity, Kind::Infinity) if y.sign => Exact::Invalid,
            (Kind::Zero, Kind::Infinity) if !y.sign => Exact::Invalid,
            (_, Kind::Infinity) if y.sign => Exact::Zero(x.sign),
            (Kind::Infinity, _) | (_, Kind::Infinity) => Exact::Infinity(x.sign),
            (Kind::Zero, _) => Exact::Zero(x.sign),
            (Kind::Finite(n), Kind::Finite(by)) => Exact::Finite(Number {
                exponent: n.exponent + scale_factor(&by),
                ..n
            }),
            (Kind::Finite(n), _) => Exact::Finite(n),
            _ => Exact::Invalid,
        };
        if exact != Exact::Invalid && !self.accept(&[x, y]) {
            return F80::INDEFINITE;
        }
        if y.kind == Kind::Zero {
            // Hardware computes nothing here, so an unmasked underflow stays away from a denormal.
            return Self::default().f80_pack(exact);
        }
        self.f80_pack_to(exact, Precision::Extended)
    }

    /// FXTRACT: the exponent as a number, and the significand with the exponent of one.
    pub fn f80_extract(&mut self, a: F80) -> (F80, F80) {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate1(a) {
            return (nan, nan);
        }
        let x = a.unpack();
        match x.kind {
            Kind::Zero => {
                self.raise(Exceptions::ZERO_DIVIDE);
                (F80::new(true, MAX_FIELD, INTEGER), a)
            }
            Kind::Finite(number) => {
                self.accept(&[x]);
                let significand = F80::new(x.sign, F80::ONE.sign_exponent, number.top());
                (
                    Self::f80_from_integer(i64::from(number.exponent)),
                    significand,
                )
            }
            _ => (F80::INFINITY, a),
        }
    }
}

/// The integer part of a scale factor, as far as it matters.
fn scale_factor(by: &Number) -> i32 {
    let magnitude = match by.to_integer(Rounding::Zero) {
        Some((magnitude, ..)) if magnitude < MAX_SCALE as u64 => magnitude as i32,
        _ => MAX_SCALE,
    };
    if by.sign { -magnitude } else { magnitude }
}
