//! Conversions between vectors of numbers and of integers (SDM 1, 10.4.4 and 11.4.1.6).

use super::lanes::{dwords, from_dwords, from_qwords, qwords};
use crate::float::{Env, F16, F32, F64, Format, Rounding};

/// A format of SSE scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatWidth {
    /// binary32.
    Single,
    /// binary64.
    Double,
}

/// One vector converted; what the result does not fill is zero, or the first operand's where said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvertOp {
    /// Two low singles to doubles (CVTPS2PD).
    SinglesToDoubles,
    /// Two doubles to the low singles (CVTPD2PS).
    DoublesToSingles,
    /// The low single to the low double; the rest is the first operand's (CVTSS2SD).
    SingleToDouble,
    /// The low double to the low single; the rest is the first operand's (CVTSD2SS).
    DoubleToSingle,
    /// Four dwords to singles (CVTDQ2PS).
    DwordsToSingles,
    /// Two low dwords to the low singles; the rest is the first operand's (CVTPI2PS).
    TwoDwordsToSingles,
    /// Two low dwords to doubles (CVTDQ2PD, CVTPI2PD).
    DwordsToDoubles,
    /// Four singles to dwords (CVTPS2DQ; CVTTPS2DQ if it truncates).
    SinglesToDwords {
        /// Rounds toward zero, whatever MXCSR says.
        truncate: bool,
    },
    /// Two low singles to the low dwords (CVTPS2PI, CVTTPS2PI).
    TwoSinglesToDwords {
        /// Rounds toward zero, whatever MXCSR says.
        truncate: bool,
    },
    /// Four halves in the low qword to singles (VCVTPH2PS).
    HalvesToSingles,
    /// Four singles to halves in the low qword: bits 0 and 1 of an immediate say how to
    /// round unless bit 2 leaves that to MXCSR (VCVTPS2PH).
    SinglesToHalves(u8),
    /// Two doubles to the low dwords (CVTPD2DQ, CVTPD2PI and their truncating kin).
    DoublesToDwords {
        /// Rounds toward zero, whatever MXCSR says.
        truncate: bool,
    },
}

impl ConvertOp {
    /// Whether part of the result is the first operand's.
    #[must_use]
    pub const fn keeps_first(self) -> bool {
        matches!(
            self,
            Self::SingleToDouble | Self::DoubleToSingle | Self::TwoDwordsToSingles
        )
    }

    /// The operation on 128 bits of `b`.
    #[must_use]
    pub fn apply(self, env: &mut Env, a: u128, b: u128) -> u128 {
        let singles = dwords(b);
        let doubles = qwords(b);
        match self {
            Self::SinglesToDoubles => {
                from_qwords([singles[0], singles[1]].map(|x| env.convert::<F32, F64>(x)))
            }
            Self::DoublesToSingles => {
                let [low, high] = doubles.map(|x| env.convert::<F64, F32>(x));
                from_dwords([low, high, 0, 0])
            }
            Self::SingleToDouble => {
                from_qwords([env.convert::<F32, F64>(singles[0]), qwords(a)[1]])
            }
            Self::DoubleToSingle => {
                let [_, x, y, z] = dwords(a);
                from_dwords([env.convert::<F64, F32>(doubles[0]), x, y, z])
            }
            Self::DwordsToSingles => from_dwords(singles.map(|x| encode::<F32>(env, x))),
            Self::TwoDwordsToSingles => {
                let [low, high] = [singles[0], singles[1]].map(|x| encode::<F32>(env, x));
                let [_, _, x, y] = dwords(a);
                from_dwords([low, high, x, y])
            }
            Self::DwordsToDoubles => {
                from_qwords([singles[0], singles[1]].map(|x| encode::<F64>(env, x)))
            }
            Self::SinglesToDwords { truncate } => {
                from_dwords(singles.map(|x| to_i32::<F32>(env, x, truncate)))
            }
            Self::TwoSinglesToDwords { truncate } => {
                let [low, high] = [singles[0], singles[1]].map(|x| to_i32::<F32>(env, x, truncate));
                from_dwords([low, high, 0, 0])
            }
            Self::HalvesToSingles => {
                let half = |n: u32| (b >> (16 * n)) as u16;
                from_dwords([0, 1, 2, 3].map(|n| env.convert::<F16, F32>(half(n))))
            }
            Self::SinglesToHalves(how) => {
                if how & 4 == 0 {
                    env.rounding = Rounding::from_bits(u32::from(how));
                }
                singles.iter().rev().fold(0, |all, &x| {
                    all << 16 | u128::from(env.convert::<F32, F16>(x))
                })
            }
            Self::DoublesToDwords { truncate } => {
                let [low, high] = doubles.map(|x| to_i32::<F64>(env, x, truncate));
                from_dwords([low, high, 0, 0])
            }
        }
    }
}

fn encode<F: Format>(env: &mut Env, value: u32) -> F::Bits {
    env.encode_integer::<F>(i64::from(value.cast_signed()))
}

fn to_i32<F: Format>(env: &mut Env, value: F::Bits, truncate: bool) -> u32 {
    if truncate {
        env.truncate_to_i32::<F>(value).cast_unsigned()
    } else {
        env.round_to_i32::<F>(value).cast_unsigned()
    }
}

fn to_i64<F: Format>(env: &mut Env, value: F::Bits, truncate: bool) -> u64 {
    if truncate {
        env.truncate_to_i64::<F>(value).cast_unsigned()
    } else {
        env.round_to_i64::<F>(value).cast_unsigned()
    }
}

impl FloatWidth {
    /// Its width in bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Single => 32,
            Self::Double => 64,
        }
    }

    /// `a` with its lowest lane made from a signed integer (CVTSI2SS, CVTSI2SD).
    #[must_use]
    pub fn from_integer(self, env: &mut Env, a: u128, value: i64) -> u128 {
        let low = match self {
            Self::Single => u64::from(env.encode_integer::<F32>(value)),
            Self::Double => env.encode_integer::<F64>(value),
        };
        super::insert(128, self.bits(), a, 0, low)
    }

    /// The lowest lane as a signed integer of `bits` bits, 32 or 64 (CVTSS2SI and its kin).
    #[must_use]
    pub fn to_integer(self, env: &mut Env, bits: u32, value: u128, truncate: bool) -> u64 {
        match (self, bits) {
            (Self::Single, 64) => to_i64::<F32>(env, value as u32, truncate),
            (Self::Double, 64) => to_i64::<F64>(env, value as u64, truncate),
            (Self::Single, _) => u64::from(to_i32::<F32>(env, value as u32, truncate)),
            (Self::Double, _) => u64::from(to_i32::<F64>(env, value as u64, truncate)),
        }
    }
}
