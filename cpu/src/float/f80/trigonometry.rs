//! FSIN, FCOS, FSINCOS, FPTAN and FPATAN (SDM vol. 2; vol. 1, 8.3.8 to 8.3.10).

use super::super::env::{Env, Exceptions, Precision};
use super::super::number::{Exact, Kind, Number, Operand};
use super::wide::{PI, Wide};
use super::{F80, Parts, quick};

/// Half of the 66-bit pi with which the processor reduces arguments, in units of 2^-65.
const HALF_PI_66: u128 = 0x3_243f_6a88_85a3_08d3;
/// The unit of [`HALF_PI_66`].
const UNIT: i32 = -65;

/// One over [`HALF_PI_66`] in units of 2^-129, rounded down.
const RECIPROCAL: u128 = 0xa2f9_836e_4e44_152a;
const _: () = assert!(RECIPROCAL / 2 == u128::MAX / HALF_PI_66);

/// Operands with a lesser exponent are their own sine and tangent.
const LEAST_EXPONENT: i32 = -68;

/// What is computed of a reduced argument.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Sine,
    Cosine,
    Tangent,
}

/// An argument reduced to at most a quarter of pi, and the quadrant it came from.
struct Reduced {
    angle: Wide,
    quadrant: u8,
}

impl Env {
    /// FSIN. None if the operand is 2^63 or more: C2 is set and ST(0) stays.
    pub fn f80_sin(&mut self, a: F80) -> Option<F80> {
        self.circular(a, Function::Sine)
    }

    /// FCOS. None if the operand is 2^63 or more.
    pub fn f80_cos(&mut self, a: F80) -> Option<F80> {
        self.circular(a, Function::Cosine)
    }

    /// FSINCOS: what replaces ST(0), and what is then pushed. None if the operand is 2^63 or more.
    pub fn f80_sin_cos(&mut self, a: F80) -> Option<(F80, F80)> {
        let x = a.unpack();
        if let Kind::Finite(number) = x.kind
            && (LEAST_EXPONENT..63).contains(&number.exponent)
            && self.accept(&[x])
        {
            // Both of one reduction.
            let Reduced { angle, quadrant } = reduce(&number);
            let of_angle = sin_cos(&angle);
            return Some((
                self.pack_circular(turned(of_angle, quadrant)),
                self.pack_circular(turned(of_angle, quadrant + 1)),
            ));
        }
        let sine = self.circular(a, Function::Sine)?;
        let cosine = self.circular(a, Function::Cosine)?;
        Some((sine, cosine))
    }

    fn pack_circular(&mut self, result: Wide) -> F80 {
        self.rounded_up = false;
        self.f80_pack_to(result.inexact(), Precision::Extended)
    }

    /// FPTAN: what replaces ST(0), and what is then pushed: one, or the same NaN again.
    /// None if the operand is 2^63 or more.
    pub fn f80_tan(&mut self, a: F80) -> Option<(F80, F80)> {
        let tangent = self.circular(a, Function::Tangent)?;
        let is_nan = tangent.unpack().is_nan();
        Some((tangent, if is_nan { tangent } else { F80::ONE }))
    }

    fn circular(&mut self, a: F80, function: Function) -> Option<F80> {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate1(a) {
            return Some(nan);
        }
        let x = a.unpack();
        let number = match x.kind {
            Kind::Zero if function == Function::Cosine => return Some(F80::ONE),
            Kind::Zero => return Some(a),
            Kind::Finite(n) if n.exponent >= 63 => return None,
            Kind::Finite(n) => n,
            _ => return Some(self.f80_invalid()),
        };
        if !self.accept(&[x]) {
            return Some(F80::INDEFINITE);
        }
        if number.exponent < LEAST_EXPONENT {
            return Some(self.circular_of_small(&number, function));
        }
        Some(self.pack_circular(function.of(&reduce(&number))))
    }

    /// Below 2^-68 hardware gives the operand, or one for the cosine, in every rounding mode.
    fn circular_of_small(&mut self, number: &Number, function: Function) -> F80 {
        if function == Function::Cosine {
            self.raise(Exceptions::PRECISION);
            return F80::ONE;
        }
        self.f80_pack_inexact(Exact::Finite(*number))
    }

    /// FPATAN: the angle of the point (`x`, `y`), where `x` is ST(0) and `y` ST(1).
    pub fn f80_atan(&mut self, y: F80, x: F80) -> F80 {
        self.rounded_up = false;
        if let Some(nan) = self.f80_propagate2(x, y) {
            return nan;
        }
        let (a, b) = (x.unpack(), y.unpack());
        if !self.accept(&[a, b]) {
            return F80::INDEFINITE;
        }
        self.f80_pack_inexact(signed_angle(&b, &a))
    }
}

impl Parts {
    /// FSIN of a normal number that is neither too large nor too small.
    #[must_use]
    pub fn sin(x: F80) -> Option<Self> {
        Self::circular(x, Function::Sine)
    }

    /// FCOS likewise.
    #[must_use]
    pub fn cos(x: F80) -> Option<Self> {
        Self::circular(x, Function::Cosine)
    }

    /// FPTAN likewise, without the one that it pushes.
    #[must_use]
    pub fn tan(x: F80) -> Option<Self> {
        Self::circular(x, Function::Tangent)
    }

    /// FSINCOS likewise.
    #[must_use]
    #[inline]
    pub fn sin_cos(x: F80) -> Option<(Self, Self)> {
        let Reduced { angle, quadrant } = reduce(&circular_operand(x)?);
        let of_angle = sin_cos(&angle);
        Some((
            Self::of(turned(of_angle, quadrant).inexact())?,
            Self::of(turned(of_angle, quadrant + 1).inexact())?,
        ))
    }

    fn circular(x: F80, function: Function) -> Option<Self> {
        Self::of(function.of(&reduce(&circular_operand(x)?)).inexact())
    }

    /// FPATAN of normal numbers.
    #[must_use]
    pub fn atan(y: F80, x: F80) -> Option<Self> {
        let (b, a) = (y.unpack(), x.unpack());
        (y.normal().is_some() && x.normal().is_some())
            .then(|| signed_angle(&b, &a))
            .and_then(Self::of)
    }
}

/// A normal number of which sine, cosine and tangent take some computing.
#[inline]
fn circular_operand(x: F80) -> Option<Number> {
    x.normal()
        .filter(|number| (LEAST_EXPONENT..63).contains(&number.exponent))
}

impl Function {
    fn of(self, reduced: &Reduced) -> Wide {
        let Reduced { angle, quadrant } = reduced;
        match self {
            Self::Sine => turned(sin_cos(angle), *quadrant),
            Self::Cosine => turned(sin_cos(angle), quadrant + 1),
            Self::Tangent => {
                let tangent = tangent(quick::sin_cos(angle), *quadrant);
                if tangent.is_settled() {
                    tangent
                } else {
                    self::tangent(angle.sin_cos(), *quadrant)
                }
            }
        }
    }
}

/// Of a reduced angle.
fn sin_cos(angle: &Wide) -> (Wide, Wide) {
    let (sine, cosine) = quick::sin_cos(angle);
    if sine.is_settled() && cosine.is_settled() {
        (sine, cosine)
    } else {
        angle.sin_cos()
    }
}

/// The tangent of an angle plus so many quarter turns, given the angle's sine and cosine.
fn tangent((sine, cosine): (Wide, Wide), quadrant: u8) -> Wide {
    if quadrant & 1 == 0 {
        sine.over(cosine)
    } else {
        cosine.over(sine).negated()
    }
}

/// The sine likewise.
#[inline]
fn turned((sine, cosine): (Wide, Wide), quadrant: u8) -> Wide {
    let magnitude = if quadrant & 1 == 0 { sine } else { cosine };
    if quadrant & 2 == 0 {
        magnitude
    } else {
        magnitude.negated()
    }
}

/// Takes away the nearest multiple of a quarter turn, exactly, with the processor's pi. The number is below 2^63.
#[inline]
fn reduce(x: &Number) -> Reduced {
    if x.exponent < -1 {
        return Reduced {
            angle: Wide::of(x),
            quadrant: 0,
        };
    }
    let units = u128::from(x.top()) << (x.exponent - 63 - UNIT);
    // By the reciprocal the quotient comes out right or one too small.
    let mut turns = (u128::from(x.top()) * RECIPROCAL) >> 1 >> (126 - x.exponent);
    let mut rest = units - turns * HALF_PI_66;
    if rest >= HALF_PI_66 {
        rest -= HALF_PI_66;
        turns += 1;
    }
    let goes_up = rest > HALF_PI_66 / 2;
    let quadrant = (turns as u8).wrapping_add(u8::from(goes_up)) & 3;
    let rest = if goes_up { HALF_PI_66 - rest } else { rest };
    let quadrant = if x.sign {
        quadrant.wrapping_neg() & 3
    } else {
        quadrant
    };
    Reduced {
        angle: Wide::scaled(x.sign != goes_up, rest, UNIT),
        quadrant,
    }
}

/// The angle of a point.
fn signed_angle(y: &Operand, x: &Operand) -> Exact {
    let angle = quick_angle(y, x)
        .filter(Wide::is_settled)
        .or_else(|| angle(y, x));
    match angle {
        Some(wide) if y.sign => wide.negated().exact(),
        Some(wide) => wide.exact(),
        None => Exact::Zero(y.sign),
    }
}

/// Its magnitude to some eighty bits, unless the point is on an axis or next to one.
fn quick_angle(y: &Operand, x: &Operand) -> Option<Wide> {
    let (Kind::Finite(b), Kind::Finite(a)) = (y.kind, x.kind) else {
        return None;
    };
    let (b, a) = (Wide::of(&b).abs(), Wide::of(&a).abs());
    let first = if a.is_smaller(&b) {
        PI.shifted(-1).minus(quick::atan_of_quotient(&a, &b)?)
    } else {
        quick::atan_of_quotient(&b, &a)?
    };
    Some(if x.sign { PI.minus(first) } else { first })
}

/// The magnitude of the angle of a point; None for zero.
fn angle(y: &Operand, x: &Operand) -> Option<Wide> {
    let first = match (y.kind, x.kind) {
        (Kind::Infinity, Kind::Infinity) => PI.shifted(-2),
        (Kind::Zero, _) | (_, Kind::Infinity) => Wide::ZERO,
        (Kind::Infinity, _) | (_, Kind::Zero) => PI.shifted(-1),
        (Kind::Finite(b), Kind::Finite(a)) => {
            first_quadrant(Wide::of(&b).abs(), Wide::of(&a).abs())
        }
        _ => Wide::ZERO,
    };
    let angle = if x.sign { PI.minus(first) } else { first };
    (!angle.is_zero()).then_some(angle)
}

fn first_quadrant(y: Wide, x: Wide) -> Wide {
    if x.is_smaller(&y) {
        PI.shifted(-1).minus(x.over(y).atan())
    } else {
        let ratio = y.over(x);
        // As with the sine, hardware takes a small tangent for the angle.
        if ratio.exponent < LEAST_EXPONENT {
            ratio
        } else {
            ratio.atan()
        }
    }
}
