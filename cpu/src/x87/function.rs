//! Trigonometric, logarithmic and exponential functions (SDM 1, 8.3.7 to 8.3.9).

use super::parts::{binary, replace_and_push, unary};
use crate::float::Env;
use crate::fpu::{Fpu, StatusWord};

/// A function of ST(0), or of ST(0) and ST(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum X87Function {
    /// FSIN.
    Sine,
    /// FCOS.
    Cosine,
    /// FSINCOS: the sine in place of ST(0), then the cosine is pushed.
    SineAndCosine,
    /// FPTAN: the tangent in place of ST(0), then one is pushed.
    Tangent,
    /// FPATAN: the angle of the point (ST(0), ST(1)) in place of both.
    Angle,
    /// F2XM1.
    PowerOfTwoMinusOne,
    /// FYL2X: ST(1) times the logarithm of ST(0) in place of both.
    Logarithm,
    /// FYL2XP1: the same of ST(0) plus one.
    LogarithmOfOnePlus,
}

/// C2 says that the operand of a circular function was out of range, and so untouched.
fn set_range(fpu: &mut Fpu, is_in_range: bool) {
    let mut codes = StatusWord::empty();
    codes.set(StatusWord::C2, !is_in_range);
    fpu.set_codes(StatusWord::C2, codes);
}

impl X87Function {
    /// All of them, by number.
    pub const ALL: [Self; 8] = [
        Self::Sine,
        Self::Cosine,
        Self::SineAndCosine,
        Self::Tangent,
        Self::Angle,
        Self::PowerOfTwoMinusOne,
        Self::Logarithm,
        Self::LogarithmOfOnePlus,
    ];

    /// How many operands it takes from the stack.
    #[must_use]
    pub const fn operands(self) -> usize {
        match self {
            Self::Angle | Self::Logarithm | Self::LogarithmOfOnePlus => 2,
            _ => 1,
        }
    }

    /// How many results it leaves there.
    #[must_use]
    pub const fn results(self) -> usize {
        match self {
            Self::SineAndCosine | Self::Tangent => 2,
            _ => 1,
        }
    }

    /// Whether C2 says if the operand was in range.
    #[must_use]
    pub const fn is_circular(self) -> bool {
        matches!(
            self,
            Self::Sine | Self::Cosine | Self::SineAndCosine | Self::Tangent
        )
    }

    /// Carries it out.
    pub(super) fn apply(self, fpu: &mut Fpu) {
        let mut is_in_range = true;
        match self {
            Self::Sine | Self::Cosine => unary(fpu, |env, value| {
                let result = if self == Self::Sine {
                    env.f80_sin(value)
                } else {
                    env.f80_cos(value)
                };
                is_in_range = result.is_some();
                result.unwrap_or(value)
            }),
            Self::SineAndCosine => is_in_range = replace_and_push(fpu, Env::f80_sin_cos),
            Self::Tangent => is_in_range = replace_and_push(fpu, Env::f80_tan),
            Self::Angle => binary(fpu, |env, x, y| env.f80_atan(y, x)),
            Self::PowerOfTwoMinusOne => unary(fpu, Env::f80_exp2_minus_1),
            Self::Logarithm => binary(fpu, Env::f80_y_log2_x),
            Self::LogarithmOfOnePlus => binary(fpu, Env::f80_y_log2_x_plus_1),
        }
        if self.is_circular() {
            set_range(fpu, is_in_range);
        }
    }
}
