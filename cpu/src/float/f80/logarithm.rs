//! F2XM1, FYL2X and FYL2XP1 (SDM vol. 2; vol. 1, 8.3.9 and 8.3.10).

use super::super::env::{Env, Exceptions};
use super::super::number::{Exact, Kind, Number, Operand, TOP};
use super::wide::{LN_2, LOG2_E, ONE, Wide};
use super::{F80, Parts, quick};

impl Env {
    /// F2XM1: `2^a - 1`. Outside -1 to 1, where the manual leaves the result open, it is `a`.
    pub fn f80_exp2_minus_1(&mut self, a: F80) -> F80 {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate1(a) {
            return nan;
        }
        let x = a.unpack();
        if !self.accept(&[x]) {
            return F80::INDEFINITE;
        }
        let exact = match x.kind {
            Kind::Finite(n) if n.exponent < 0 => exp2_minus_1(&n),
            Kind::Finite(n) if n.exponent == 0 && n.significand == TOP => {
                Exact::Finite(if n.sign {
                    Number { exponent: -1, ..n }
                } else {
                    n
                })
            }
            Kind::Infinity if x.sign => return F80::ONE.negated(),
            Kind::Finite(_) => {
                self.raise(Exceptions::PRECISION);
                return a;
            }
            _ => return a,
        };
        self.f80_pack_inexact(exact)
    }

    /// FYL2X: `y * log2(x)`, where `x` is ST(0) and `y` ST(1).
    pub fn f80_y_log2_x(&mut self, x: F80, y: F80) -> F80 {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate2(x, y) {
            return nan;
        }
        let (a, b) = (x.unpack(), y.unpack());
        let exact = match a.kind {
            Kind::Zero => match b.kind {
                Kind::Zero => Exact::Invalid,
                Kind::Infinity => Exact::Infinity(!b.sign),
                _ => Exact::DivideByZero(!b.sign),
            },
            _ if a.sign => Exact::Invalid,
            Kind::Finite(n) => y_log2(&b, &n),
            _ if b.kind == Kind::Zero => Exact::Invalid,
            _ => Exact::Infinity(b.sign),
        };
        self.finish(exact, &a, &b)
    }

    /// FYL2XP1: `y * log2(x + 1)`, where `x` is ST(0) and `y` ST(1).
    ///
    /// Outside ±(1 - √½), where the manual leaves the result open, it is computed all the same down to -1.
    pub fn f80_y_log2_x_plus_1(&mut self, x: F80, y: F80) -> F80 {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate2(x, y) {
            return nan;
        }
        let (a, b) = (x.unpack(), y.unpack());
        let exact = match a.kind {
            Kind::Finite(n) if n.sign && n.exponent >= 0 => Exact::Invalid,
            Kind::Finite(n) => y_log2_plus_1(&b, &n),
            Kind::Zero if b.kind == Kind::Infinity => Exact::Invalid,
            Kind::Zero => Exact::Zero(a.sign != b.sign),
            _ if a.sign || b.kind == Kind::Zero => Exact::Invalid,
            _ => Exact::Infinity(b.sign),
        };
        self.finish(exact, &a, &b)
    }

    fn finish(&mut self, exact: Exact, a: &Operand, b: &Operand) -> F80 {
        let is_decided = matches!(exact, Exact::Invalid | Exact::DivideByZero(_));
        if !is_decided && !self.accept(&[*a, *b]) {
            return F80::INDEFINITE;
        }
        self.f80_pack_inexact(exact)
    }
}

impl Parts {
    /// F2XM1 of a normal number less than one.
    #[must_use]
    pub fn exp2_minus_1(a: F80) -> Option<Self> {
        let number = a.normal().filter(|number| number.exponent < 0)?;
        Self::of(exp2_minus_1(&number))
    }

    /// FYL2X of normal numbers.
    #[must_use]
    pub fn y_log2_x(x: F80, y: F80) -> Option<Self> {
        y.normal()?;
        let number = x.normal().filter(|number| !number.sign)?;
        Self::of(y_log2(&y.unpack(), &number))
    }

    /// FYL2XP1 of normal numbers.
    #[must_use]
    pub fn y_log2_x_plus_1(x: F80, y: F80) -> Option<Self> {
        y.normal()?;
        let number = x
            .normal()
            .filter(|number| !number.sign || number.exponent < 0)?;
        Self::of(y_log2_plus_1(&y.unpack(), &number))
    }
}

/// `2^x - 1` of a magnitude less than one.
fn exp2_minus_1(x: &Number) -> Exact {
    let quick = quick::exp2_minus_1(x);
    if quick.is_settled() {
        quick.inexact()
    } else {
        Wide::of(x).times(LN_2).exp_minus_1().inexact()
    }
}

/// `y * log2(x)`.
fn y_log2(y: &Operand, x: &Number) -> Exact {
    let quick = (x.significand != TOP).then(|| quick::log2(x));
    settled_product(y, quick).unwrap_or_else(|| times(y, &log2(x)))
}

/// `y * log2(x + 1)`.
fn y_log2_plus_1(y: &Operand, x: &Number) -> Exact {
    settled_product(y, quick::log2_plus_1(x)).unwrap_or_else(|| times(y, &log2_plus_1(x)))
}

/// The product with a logarithm that is no integer and known to some eighty bits, if they suffice.
fn settled_product(y: &Operand, log: Option<Wide>) -> Option<Exact> {
    let (Kind::Finite(y), Some(log)) = (y.kind, log) else {
        return None;
    };
    let product = Wide::of(&y).times(log);
    product.is_settled().then(|| product.inexact())
}

/// `y * log`.
fn times(y: &Operand, log: &Logarithm) -> Exact {
    let sign = y.sign != log.value.sign;
    match y.kind {
        Kind::Infinity if log.value.is_zero() => Exact::Invalid,
        Kind::Infinity => Exact::Infinity(sign),
        Kind::Finite(n) if !log.value.is_zero() => {
            let product = Wide::of(&n).times(log.value);
            if log.is_integer {
                product.exact()
            } else {
                product.inexact()
            }
        }
        _ => Exact::Zero(sign),
    }
}

/// A logarithm.
pub(super) struct Logarithm {
    pub(super) value: Wide,
    /// It is an integer, of which 128 bits hold all.
    is_integer: bool,
}

/// The binary logarithm of a positive number.
pub(super) fn log2(x: &Number) -> Logarithm {
    // The significand, from √½ to √2, so that nothing cancels against the exponent.
    const SQRT_2: u128 = 0xb504_f333_f9de_6484_597d_89b3_754a_be9f;
    let down = i32::from(x.significand > SQRT_2);
    let exponent = Wide::integer(x.exponent + down);
    if x.significand == TOP {
        return Logarithm {
            value: exponent,
            is_integer: true,
        };
    }
    let significand = Wide::of(&Number {
        exponent: -down,
        ..*x
    });
    let ratio = significand.minus(ONE).over(significand.plus(ONE));
    Logarithm {
        value: exponent.plus(ratio.atanh().times(LOG2_E).shifted(1)),
        is_integer: false,
    }
}

/// The binary logarithm of one plus a number greater than -1.
pub(super) fn log2_plus_1(x: &Number) -> Logarithm {
    let wide = Wide::of(x);
    if x.exponent < -1 {
        let ratio = wide.over(wide.plus(Wide::integer(2)));
        return Logarithm {
            value: ratio.atanh().times(LOG2_E).shifted(1),
            is_integer: false,
        };
    }
    let Exact::Finite(sum) = wide.plus(ONE).exact() else {
        return Logarithm {
            value: Wide::ZERO,
            is_integer: true,
        };
    };
    log2(&sum)
}
