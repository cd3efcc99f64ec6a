//! Floating-point operations on vectors (SDM 1, 10.4 and 11.4; exceptions: 11.5).
//!
//! Every lane uses the same [`Env`], which then knows what the whole instruction raised.

pub(super) mod dot;
pub(super) mod fused;

use std::array::from_fn;

use super::convert::FloatWidth;
use super::lanes::{dwords, from_dwords, from_qwords, map_dwords, map_qwords, qwords};
use crate::float::{
    Comparison, Env, F32, F64, Format, Predicate, Rounding, reciprocal_estimate,
    reciprocal_root_estimate,
};
use crate::rflags::Rflags;

/// Which lanes an instruction computes, and in which format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatShape {
    /// All lanes, binary32.
    PackedSingle,
    /// All lanes, binary64.
    PackedDouble,
    /// The lowest lane, binary32; the others come from the first operand.
    ScalarSingle,
    /// The lowest lane, binary64; the other comes from the first operand.
    ScalarDouble,
}

/// Two vectors of numbers, one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatOp {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// The first if it is less, else the second.
    Min,
    /// The first if it is greater, else the second.
    Max,
    /// All ones where the predicate holds.
    Compare(Predicate),
    /// Differences in even lanes, sums in odd ones.
    SubAdd,
    /// Sums of neighbours, the first operand's low.
    HorizontalAdd,
    /// Differences of neighbours, the first operand's low.
    HorizontalSub,
    /// The sum of the products that the high half of an immediate chooses, in the lanes
    /// that its low half chooses; zeros in the others.
    Dot(u8),
}

/// One vector of numbers, one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatUnaryOp {
    /// Square root.
    Sqrt,
    /// About the reciprocal, binary32; raises nothing.
    Reciprocal,
    /// About the reciprocal of the square root, binary32; raises nothing.
    ReciprocalRoot,
    /// Integral values: bits 0 and 1 of an immediate say how to round unless bit 2
    /// leaves that to MXCSR, and bit 3 keeps PE from being raised.
    Round(u8),
}

/// Applies a function of either format to the lanes of `shape`.
#[inline(always)]
fn lanes(
    shape: FloatShape,
    env: &mut Env,
    (a, b): (u128, u128),
    single: impl Fn(&mut Env, u32, u32) -> u32,
    double: impl Fn(&mut Env, u64, u64) -> u64,
) -> u128 {
    match shape {
        FloatShape::PackedSingle => map_dwords(a, b, |x, y| single(env, x, y)),
        FloatShape::PackedDouble => map_qwords(a, b, |x, y| double(env, x, y)),
        FloatShape::ScalarSingle => {
            let low = single(env, a as u32, b as u32);
            a & !0xffff_ffff | u128::from(low)
        }
        FloatShape::ScalarDouble => {
            let low = double(env, a as u64, b as u64);
            a & !0xffff_ffff_ffff_ffff | u128::from(low)
        }
    }
}

/// [`lanes`] with the same method of [`Env`] for both formats.
macro_rules! lanes {
    ($shape:expr, $env:expr, $ab:expr, $method:ident) => {
        lanes($shape, $env, $ab, Env::$method::<F32>, Env::$method::<F64>)
    };
}

impl FloatOp {
    /// The operation on 128 bits.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, shape: FloatShape, env: &mut Env, a: u128, b: u128) -> u128 {
        let ab = (a, b);
        match self {
            Self::Add => lanes!(shape, env, ab, add),
            Self::Sub => lanes!(shape, env, ab, sub),
            Self::Mul => lanes!(shape, env, ab, mul),
            Self::Div => lanes!(shape, env, ab, div),
            Self::Min => lanes!(shape, env, ab, min),
            Self::Max => lanes!(shape, env, ab, max),
            Self::Compare(predicate) => {
                let fill = |holds: bool| if holds { u64::MAX } else { 0 };
                lanes(
                    shape,
                    env,
                    ab,
                    |env, x, y| fill(env.compare_as::<F32>(x, y, predicate)) as u32,
                    |env, x, y| fill(env.compare_as::<F64>(x, y, predicate)),
                )
            }
            Self::SubAdd if shape == FloatShape::PackedSingle => {
                let (a, b) = (dwords(a), dwords(b));
                from_dwords(from_fn(|n| sum::<F32>(env, (a[n], b[n]), n % 2 == 0)))
            }
            Self::SubAdd => {
                let (a, b) = (qwords(a), qwords(b));
                from_qwords(from_fn(|n| sum::<F64>(env, (a[n], b[n]), n == 0)))
            }
            Self::HorizontalAdd => neighbours(shape, env, ab, false),
            Self::HorizontalSub => neighbours(shape, env, ab, true),
            Self::Dot(choice) => dot::product(shape, env, ab, choice),
        }
    }
}

#[inline(always)]
fn sum<F: Format>(env: &mut Env, (x, y): (F::Bits, F::Bits), is_difference: bool) -> F::Bits {
    if is_difference {
        env.sub::<F>(x, y)
    } else {
        env.add::<F>(x, y)
    }
}

/// Sums or differences of neighbours.
#[inline(always)]
fn neighbours(shape: FloatShape, env: &mut Env, (a, b): (u128, u128), is_difference: bool) -> u128 {
    if shape == FloatShape::PackedSingle {
        let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (dwords(a), dwords(b));
        let pairs = [(a0, a1), (a2, a3), (b0, b1), (b2, b3)];
        from_dwords(pairs.map(|pair| sum::<F32>(env, pair, is_difference)))
    } else {
        let ([a0, a1], [b0, b1]) = (qwords(a), qwords(b));
        from_qwords([(a0, a1), (b0, b1)].map(|pair| sum::<F64>(env, pair, is_difference)))
    }
}

impl FloatUnaryOp {
    /// The operation on 128 bits of `b`; lanes that are not computed come from `a`.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, shape: FloatShape, env: &mut Env, a: u128, b: u128) -> u128 {
        let ab = (a, b);
        match self {
            Self::Sqrt => lanes(
                shape,
                env,
                ab,
                |env, _, y| env.sqrt::<F32>(y),
                |env, _, y| env.sqrt::<F64>(y),
            ),
            Self::Reciprocal => lanes(
                shape,
                env,
                ab,
                |_, _, y| reciprocal_estimate(y),
                |_, _, y| y,
            ),
            Self::ReciprocalRoot => lanes(
                shape,
                env,
                ab,
                |_, _, y| reciprocal_root_estimate(y),
                |_, _, y| y,
            ),
            Self::Round(how) => {
                if how & 4 == 0 {
                    env.rounding = Rounding::from_bits(u32::from(how));
                }
                let is_quiet = how & 8 != 0;
                lanes(
                    shape,
                    env,
                    ab,
                    |env, _, y| env.round_to_integral::<F32>(y, is_quiet),
                    |env, _, y| env.round_to_integral::<F64>(y, is_quiet),
                )
            }
        }
    }
}

/// What COMISS and UCOMISS make of the flags: ZF, PF and CF say how the operands
/// relate, the others are clear. `quiet_signals` tells COMISS from UCOMISS.
#[must_use]
pub fn order_flags(
    width: FloatWidth,
    env: &mut Env,
    (a, b): (u128, u128),
    quiet_signals: bool,
) -> Rflags {
    let order = match width {
        FloatWidth::Single => env.compare::<F32>(a as u32, b as u32, quiet_signals),
        FloatWidth::Double => env.compare::<F64>(a as u64, b as u64, quiet_signals),
    };
    match order {
        Comparison::Less => Rflags::CF,
        Comparison::Equal => Rflags::ZF,
        Comparison::Greater => Rflags::empty(),
        Comparison::Unordered => Rflags::ZF | Rflags::PF | Rflags::CF,
    }
}
