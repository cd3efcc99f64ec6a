//! Operations on whole registers: each piece of 128 bits on its own, except where lanes
//! grow or shrink (SDM 1, 14.4.2 and 14.6.2).

use super::float::dot;
use super::{
    ConvertOp, FloatOp, FloatShape, FloatUnaryOp, FusedOp, Lane, ShuffleOp, VectorBits, VectorOp,
    VectorShiftOp, VectorTernaryOp, VectorUnaryOp,
};
use crate::float::Env;

impl VectorOp {
    /// The operation on a whole register.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, a: B, b: B) -> B {
        match self {
            // Each piece has three bits of the immediate.
            Self::SumBlocks(places) => a.map2(b, |piece, a, b| {
                Self::SumBlocks(places >> (3 * piece)).apply(128, a, b)
            }),
            _ => a.map2(b, |_, a, b| self.apply(B::PIECE, a, b)),
        }
    }
}

impl VectorUnaryOp {
    /// The operation on a whole register.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, value: B) -> B {
        match self {
            Self::ZeroExtend(from, to) | Self::SignExtend(from, to) => {
                // What the low piece is made of is followed by what the high one is made of.
                let used = 128 / to.bits() * from.bits();
                let rest = value.low() >> used;
                B::from_pieces(self.apply(value.low()), self.apply(rest))
            }
            Self::Broadcast(_) => {
                let piece = self.apply(value.low());
                B::from_pieces(piece, piece)
            }
            _ => value.map(|value| self.apply(value)),
        }
    }
}

impl VectorShiftOp {
    /// The operation on a whole register.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, value: B, count: u64) -> B {
        value.map(|value| self.apply(value, count))
    }
}

impl VectorTernaryOp {
    /// The operation on a whole register.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, a: B, b: B, c: B) -> B {
        a.map3(b, c, |a, b, c| self.apply(a, b, c))
    }
}

impl ShuffleOp {
    /// The operation on a whole register.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, a: B, b: B, immediate: u8) -> B {
        a.map2(b, |piece, a, b| {
            let used = piece * self.bits_per_piece();
            self.apply(B::PIECE, a, b, immediate >> used)
        })
    }

    /// How many bits of the immediate are for one piece; zero if all serve every piece.
    const fn bits_per_piece(self) -> u32 {
        match self {
            Self::Qwords | Self::TwoQwords | Self::Blend(Lane::Qword) => 2,
            Self::Blend(Lane::Dword) => 4,
            _ => 0,
        }
    }
}

impl FloatOp {
    /// The operation on a whole register.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, shape: FloatShape, env: &mut Env, a: B, b: B) -> B {
        if let Self::Dot(choice) = self {
            return dot::product(shape, env, (a, b), choice);
        }
        a.map2(b, |_, a, b| self.apply(shape, env, a, b))
    }
}

impl FloatUnaryOp {
    /// The operation on a whole register; lanes that are not computed come from `a`.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, shape: FloatShape, env: &mut Env, a: B, b: B) -> B {
        a.map2(b, |_, a, b| self.apply(shape, env, a, b))
    }
}

impl FusedOp {
    /// The operation on a whole register; lanes that are not computed come from `a`.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, shape: FloatShape, env: &mut Env, a: B, b: B, c: B) -> B {
        a.map3(b, c, |a, b, c| self.apply(shape, env, a, b, c))
    }
}

impl ConvertOp {
    /// The operation on a whole register. Where lanes grow, they come from the low half;
    /// where they shrink, they go there, and the rest is zero.
    #[inline(always)]
    #[must_use]
    pub fn on<B: VectorBits>(self, env: &mut Env, a: B, b: B) -> B {
        match self {
            _ if B::BITS <= 128 => B::from_low(self.apply(env, a.low(), b.low())),
            Self::SinglesToDoubles | Self::DwordsToDoubles | Self::HalvesToSingles => {
                let low = self.apply(env, 0, b.low());
                B::from_pieces(low, self.apply(env, 0, b.low() >> 64))
            }
            Self::DoublesToSingles | Self::DoublesToDwords { .. } | Self::SinglesToHalves(_) => {
                let low = self.apply(env, 0, b.low());
                B::from_low(low | self.apply(env, 0, b.high()) << 64)
            }
            _ => a.map2(b, |_, a, b| self.apply(env, a, b)),
        }
    }
}
