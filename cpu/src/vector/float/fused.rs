//! Fused multiply-add: product and sum with one rounding (SDM 1, 14.5).

use std::array::from_fn;

use super::FloatShape;
use crate::float::{Env, F32, F64, Format};
use crate::vector::lanes::{dwords, from_dwords, from_qwords, qwords};

/// Which operands are multiplied: the digits of the mnemonic name the two factors and what is
/// added. A NaN of an earlier one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FusedOrder {
    /// First times third, plus second.
    F132,
    /// Second times first, plus third.
    F213,
    /// Second times third, plus first.
    F231,
}

/// What is negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FusedSigns {
    /// Nothing (FMADD).
    Add,
    /// What is added (FMSUB).
    Sub,
    /// The product (FNMADD).
    NegatedAdd,
    /// Both (FNMSUB).
    NegatedSub,
    /// What is added to even lanes (FMADDSUB).
    AddSub,
    /// What is added to odd lanes (FMSUBADD).
    SubAdd,
}

/// Three vectors of numbers, one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FusedOp {
    /// Which operands are multiplied.
    pub order: FusedOrder,
    /// What is negated.
    pub signs: FusedSigns,
}

impl FusedOp {
    /// The operation on 128 bits; lanes that are not computed come from `a`.
    // Not for each of the ninety-six instructions anew.
    #[inline(never)]
    #[must_use]
    pub fn apply(self, shape: FloatShape, env: &mut Env, a: u128, b: u128, c: u128) -> u128 {
        let operands = match self.order {
            FusedOrder::F132 => [a, c, b],
            FusedOrder::F213 => [b, a, c],
            FusedOrder::F231 => [b, c, a],
        };
        let (singles, doubles) = (operands.map(dwords), operands.map(qwords));
        let single = |env: &mut Env, n: usize| self.lane::<F32>(env, singles.map(|v| v[n]), n);
        let double = |env: &mut Env, n: usize| self.lane::<F64>(env, doubles.map(|v| v[n]), n);
        match shape {
            FloatShape::PackedSingle => from_dwords(from_fn(|n| single(env, n))),
            FloatShape::PackedDouble => from_qwords(from_fn(|n| double(env, n))),
            FloatShape::ScalarSingle => {
                let [_, x, y, z] = dwords(a);
                from_dwords([single(env, 0), x, y, z])
            }
            FloatShape::ScalarDouble => from_qwords([double(env, 0), qwords(a)[1]]),
        }
    }

    fn lane<F: Format>(self, env: &mut Env, operands: [F::Bits; 3], n: usize) -> F::Bits {
        let is_even = n.is_multiple_of(2);
        let (product, sum) = match self.signs {
            FusedSigns::Add => (false, false),
            FusedSigns::Sub => (false, true),
            FusedSigns::NegatedAdd => (true, false),
            FusedSigns::NegatedSub => (true, true),
            FusedSigns::AddSub => (false, is_even),
            FusedSigns::SubAdd => (false, !is_even),
        };
        env.fused::<F>(operands, product, sum)
    }
}
