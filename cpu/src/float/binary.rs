//! The interchange formats and SSE arithmetic on them (SDM vol. 1, 4.8 and 11.5).

use std::fmt::Debug;

use super::env::{Env, Exceptions, Rounding};
use super::fast::Fast;
use super::number::{
    self, Exact, Kind, Number, Operand, TOP, round_significand, shift_right_sticky,
};

/// A binary interchange format.
pub trait Format: Fast {
    /// The width of the fraction field.
    const FRACTION_BITS: u32;
    /// The width of the exponent field.
    const EXPONENT_BITS: u32;
    /// Whether DAZ, FTZ and the DE exception apply; they do not to binary16 (SDM vol. 1, 14.4.1).
    const HAS_DENORMAL_CONTROLS: bool = true;
    /// The encoding as an integer.
    fn to_u64(bits: Self::Bits) -> u64;
    /// The low bits of an integer as an encoding.
    fn from_u64(bits: u64) -> Self::Bits;
}

/// binary16, half precision.
#[derive(Clone, Copy, Debug)]
pub struct F16;
/// binary32, single precision.
#[derive(Clone, Copy, Debug)]
pub struct F32;
/// binary64, double precision.
#[derive(Clone, Copy, Debug)]
pub struct F64;

impl Format for F16 {
    const FRACTION_BITS: u32 = 10;
    const EXPONENT_BITS: u32 = 5;
    const HAS_DENORMAL_CONTROLS: bool = false;
    fn to_u64(bits: u16) -> u64 {
        u64::from(bits)
    }
    fn from_u64(bits: u64) -> u16 {
        bits as u16
    }
}

impl Format for F32 {
    const FRACTION_BITS: u32 = 23;
    const EXPONENT_BITS: u32 = 8;
    fn to_u64(bits: u32) -> u64 {
        u64::from(bits)
    }
    fn from_u64(bits: u64) -> u32 {
        bits as u32
    }
}

impl Format for F64 {
    const FRACTION_BITS: u32 = 52;
    const EXPONENT_BITS: u32 = 11;
    fn to_u64(bits: u64) -> u64 {
        bits
    }
    fn from_u64(bits: u64) -> u64 {
        bits
    }
}

/// What follows from a format's two widths.
pub(super) trait Layout: Format {
    const SIGN: u64 = 1 << (Self::FRACTION_BITS + Self::EXPONENT_BITS);
    const FRACTION: u64 = (1 << Self::FRACTION_BITS) - 1;
    const QUIET: u64 = 1 << (Self::FRACTION_BITS - 1);
    const MAX_FIELD: u64 = (1 << Self::EXPONENT_BITS) - 1;
    const BIAS: i32 = (Self::MAX_FIELD >> 1) as i32;
    const MIN_EXPONENT: i32 = 1 - Self::BIAS;
    const INFINITY: u64 = Self::MAX_FIELD << Self::FRACTION_BITS;
    const INDEFINITE: u64 = Self::SIGN | Self::INFINITY | Self::QUIET;
    /// The number of significand bits, the implied one included.
    const PRECISION: u32 = Self::FRACTION_BITS + 1;
}

impl<F: Format> Layout for F {}

pub(super) const fn with_sign<F: Format>(sign: bool, magnitude: u64) -> u64 {
    if sign { magnitude | F::SIGN } else { magnitude }
}

/// Takes an encoding apart.
pub(super) fn unpack<F: Format>(bits: u64, denormals_are_zero: bool) -> Operand {
    let sign = bits & F::SIGN != 0;
    let field = (bits >> F::FRACTION_BITS) & F::MAX_FIELD;
    let fraction = bits & F::FRACTION;
    let kind = if field == F::MAX_FIELD {
        match fraction {
            0 => Kind::Infinity,
            f if f & F::QUIET != 0 => Kind::QuietNan,
            _ => Kind::SignalingNan,
        }
    } else if field != 0 {
        let significand = TOP | (u128::from(fraction) << (127 - F::FRACTION_BITS));
        Kind::Finite(Number {
            sign,
            exponent: field as i32 - F::BIAS,
            significand,
        })
    } else if fraction == 0 || (denormals_are_zero && F::HAS_DENORMAL_CONTROLS) {
        Kind::Zero
    } else {
        let significand = u128::from(fraction) << (127 - F::FRACTION_BITS);
        let number = Number::normalised(sign, F::MIN_EXPONENT, significand);
        return Operand {
            sign,
            is_denormal: F::HAS_DENORMAL_CONTROLS,
            kind: Kind::Finite(number),
        };
    };
    Operand {
        sign,
        is_denormal: false,
        kind,
    }
}

impl Env {
    /// Takes an operand apart as MXCSR.DAZ says.
    pub(super) fn operand<F: Format>(&self, bits: F::Bits) -> Operand {
        unpack::<F>(F::to_u64(bits), self.denormals_are_zero)
    }

    /// Raises DE if an operand is denormal, and says whether the operation goes on.
    pub(super) fn accept(&mut self, operands: &[Operand]) -> bool {
        !operands.iter().any(|o| o.is_denormal) || self.raise_masked(Exceptions::DENORMAL)
    }

    /// The first NaN among the operands, quieted; IE if any of them signals.
    pub(super) fn propagate<F: Format>(
        &mut self,
        operands: &[(Operand, F::Bits)],
    ) -> Option<F::Bits> {
        let (_, first) = operands.iter().find(|(o, _)| o.is_nan())?;
        if operands.iter().any(|(o, _)| o.kind == Kind::SignalingNan) {
            self.raise(Exceptions::INVALID);
        }
        Some(F::from_u64(F::to_u64(*first) | F::QUIET))
    }

    /// Rounds and encodes a result.
    pub(super) fn pack<F: Format>(&mut self, exact: Exact) -> F::Bits {
        let bits = match exact {
            Exact::Zero(sign) => with_sign::<F>(sign, 0),
            Exact::Infinity(sign) => with_sign::<F>(sign, F::INFINITY),
            Exact::Finite(number) => with_sign::<F>(number.sign, self.pack_magnitude::<F>(&number)),
            Exact::Invalid => {
                self.raise(Exceptions::INVALID);
                F::INDEFINITE
            }
            Exact::DivideByZero(sign) => {
                self.raise(Exceptions::ZERO_DIVIDE);
                with_sign::<F>(sign, F::INFINITY)
            }
        };
        F::from_u64(bits)
    }

    fn pack_magnitude<F: Format>(&mut self, number: &Number) -> u64 {
        let Number {
            sign,
            exponent,
            significand,
        } = *number;
        let rounded = round_significand(self.rounding, sign, significand, F::PRECISION);
        let rounded_exponent = exponent + i32::from(rounded.carried);
        if rounded_exponent < F::MIN_EXPONENT {
            return self.pack_tiny::<F>(number, rounded.inexact);
        }
        self.rounded_up = rounded.up;
        if rounded.inexact {
            self.raise(Exceptions::PRECISION);
        }
        if rounded_exponent > F::BIAS {
            return self.overflow::<F>(sign);
        }
        let fraction = (rounded.significand >> (127 - F::FRACTION_BITS)) as u64 & F::FRACTION;
        (((rounded_exponent + F::BIAS) as u64) << F::FRACTION_BITS) | fraction
    }

    fn overflow<F: Format>(&mut self, sign: bool) -> u64 {
        if self.raise_masked(Exceptions::OVERFLOW) {
            self.raise(Exceptions::PRECISION);
        }
        self.rounded_up = overflows_to_infinity(self.rounding, sign);
        if self.rounded_up {
            F::INFINITY
        } else {
            F::INFINITY - 1
        }
    }

    /// A result that is tiny after rounding; `inexact` says whether that rounding lost bits.
    fn pack_tiny<F: Format>(&mut self, number: &Number, inexact: bool) -> u64 {
        let is_masked = self.masks.contains(Exceptions::UNDERFLOW);
        if self.flush_to_zero && is_masked && F::HAS_DENORMAL_CONTROLS {
            self.raise(Exceptions::UNDERFLOW | Exceptions::PRECISION);
            return 0;
        }
        let shift = (F::MIN_EXPONENT - number.exponent) as u32;
        let significand = shift_right_sticky(number.significand, shift);
        let rounded = round_significand(self.rounding, number.sign, significand, F::PRECISION);
        self.rounded_up = rounded.up;
        if !is_masked {
            self.raise(Exceptions::UNDERFLOW);
            if inexact {
                self.raise(Exceptions::PRECISION);
            }
        } else if rounded.inexact {
            self.raise(Exceptions::UNDERFLOW | Exceptions::PRECISION);
        }
        // A carry into the top bit lands in the exponent field, which makes the least normal number.
        (rounded.significand >> (127 - F::FRACTION_BITS)) as u64
    }

    fn binary<F: Format>(
        &mut self,
        a: F::Bits,
        b: F::Bits,
        operation: impl Fn(&Operand, &Operand, Rounding) -> Exact,
    ) -> F::Bits {
        let (x, y) = (self.operand::<F>(a), self.operand::<F>(b));
        if let Some(nan) = self.propagate::<F>(&[(x, a), (y, b)]) {
            return nan;
        }
        let exact = operation(&x, &y, self.rounding);
        if !matches!(exact, Exact::DivideByZero(_)) && !self.accept(&[x, y]) {
            return F::from_u64(F::INDEFINITE);
        }
        self.pack::<F>(exact)
    }

    /// The fast path's answer, if it had one.
    #[inline]
    fn take<F: Format>(&mut self, answer: Option<(F::Bits, bool)>) -> Option<F::Bits> {
        let (bits, inexact) = answer?;
        if inexact {
            self.raised |= Exceptions::PRECISION;
        }
        Some(bits)
    }

    #[inline]
    fn is_fast(&self) -> bool {
        self.rounding == Rounding::Nearest
    }

    /// `a + b`.
    #[inline]
    pub fn add<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        if self.is_fast()
            && let Some(bits) = self.take::<F>(F::fast_add(a, b, self.inexact_known))
        {
            return bits;
        }
        self.soft_add::<F>(a, b)
    }

    /// `a - b`.
    #[inline]
    pub fn sub<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        if self.is_fast()
            && let Some(bits) = self.take::<F>(F::fast_sub(a, b, self.inexact_known))
        {
            return bits;
        }
        self.soft_sub::<F>(a, b)
    }

    /// `a * b`.
    #[inline]
    pub fn mul<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        if self.is_fast()
            && let Some(bits) = self.take::<F>(F::fast_mul(a, b, self.inexact_known))
        {
            return bits;
        }
        self.soft_mul::<F>(a, b)
    }

    /// `a / b`.
    #[inline]
    pub fn div<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        if self.is_fast()
            && let Some(bits) = self.take::<F>(F::fast_div(a, b, self.inexact_known))
        {
            return bits;
        }
        self.soft_div::<F>(a, b)
    }

    /// The square root of `a`.
    #[inline]
    pub fn sqrt<F: Format>(&mut self, a: F::Bits) -> F::Bits {
        if self.is_fast()
            && let Some(bits) = self.take::<F>(F::fast_sqrt(a, self.inexact_known))
        {
            return bits;
        }
        self.soft_sqrt::<F>(a)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn soft_add<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        self.binary::<F>(a, b, number::sum)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn soft_sub<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        self.binary::<F>(a, b, number::difference)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn soft_mul<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        self.binary::<F>(a, b, number::product)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn soft_div<F: Format>(&mut self, a: F::Bits, b: F::Bits) -> F::Bits {
        self.binary::<F>(a, b, number::quotient)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn soft_sqrt<F: Format>(&mut self, a: F::Bits) -> F::Bits {
        let x = self.operand::<F>(a);
        if let Some(nan) = self.propagate::<F>(&[(x, a)]) {
            return nan;
        }
        let exact = number::root(&x);
        if exact != Exact::Invalid && !self.accept(&[x]) {
            return F::from_u64(F::INDEFINITE);
        }
        self.pack::<F>(exact)
    }

    /// `±(a * b) ± c` with one rounding. A NaN keeps its sign, and the first of them wins.
    ///
    /// The order is that of the manual's formula: SRC1, SRC3, SRC2 for the 132 forms, SRC2, SRC1, SRC3 for 213, and
    /// SRC2, SRC3, SRC1 for 231 (settled on hardware).
    #[inline]
    pub fn fused<F: Format>(
        &mut self,
        operands: [F::Bits; 3],
        negate_product: bool,
        negate_c: bool,
    ) -> F::Bits {
        let [a, b, c] = operands;
        let signed =
            |bits: F::Bits, negate: bool| F::from_u64(F::to_u64(bits) ^ with_sign::<F>(negate, 0));
        if self.is_fast()
            && let answer = F::fast_fused(signed(a, negate_product), b, signed(c, negate_c))
            && let Some(bits) = self.take::<F>(answer)
        {
            return bits;
        }
        self.soft_fused::<F>(operands, negate_product, negate_c)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn soft_fused<F: Format>(
        &mut self,
        [a, b, c]: [F::Bits; 3],
        negate_product: bool,
        negate_c: bool,
    ) -> F::Bits {
        let (x, y, z) = (
            self.operand::<F>(a),
            self.operand::<F>(b),
            self.operand::<F>(c),
        );
        if let Some(nan) = self.propagate::<F>(&[(x, a), (y, b), (z, c)]) {
            return nan;
        }
        let x = if negate_product { x.negated() } else { x };
        let z = if negate_c { z.negated() } else { z };
        let rounding = self.rounding;
        let exact = match number::product(&x, &y, rounding) {
            Exact::Finite(n) => number::sum(
                &Operand {
                    sign: n.sign,
                    is_denormal: false,
                    kind: Kind::Finite(n),
                },
                &z,
                rounding,
            ),
            Exact::Zero(sign) => number::sum(
                &Operand {
                    sign,
                    is_denormal: false,
                    kind: Kind::Zero,
                },
                &z,
                rounding,
            ),
            Exact::Infinity(sign) => number::sum(
                &Operand {
                    sign,
                    is_denormal: false,
                    kind: Kind::Infinity,
                },
                &z,
                rounding,
            ),
            other => other,
        };
        if exact != Exact::Invalid && !self.accept(&[x, y, z]) {
            return F::from_u64(F::INDEFINITE);
        }
        self.pack::<F>(exact)
    }
}

/// Whether an overflowing magnitude becomes infinity rather than the greatest finite number.
pub(super) const fn overflows_to_infinity(rounding: Rounding, sign: bool) -> bool {
    match rounding {
        Rounding::Nearest => true,
        Rounding::Down => sign,
        Rounding::Up => !sign,
        Rounding::Zero => false,
    }
}
