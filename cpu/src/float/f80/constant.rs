//! The constants of FLD1, FLDL2T and their kin, rounded as RC says (SDM vol. 1, 8.3.8).

use super::super::env::{Env, Precision};
use super::super::number::{Exact, Number};
use super::F80;

/// A constant that an x87 instruction loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constant {
    /// FLD1: one.
    One,
    /// FLDL2T: the binary logarithm of ten.
    Log2Of10,
    /// FLDL2E: the binary logarithm of e.
    Log2OfE,
    /// FLDPI: pi.
    Pi,
    /// FLDLG2: the decimal logarithm of two.
    Log10Of2,
    /// FLDLN2: the natural logarithm of two.
    LnOf2,
    /// FLDZ: positive zero.
    Zero,
}

impl Constant {
    /// The 128 leading bits, or None for zero.
    const fn number(self) -> Option<Number> {
        let (exponent, significand) = match self {
            Self::One => (0, 1 << 127),
            Self::Log2Of10 => (1, 0xd49a_784b_cd1b_8afe_492b_f6ff_4daf_db4c),
            Self::Log2OfE => (0, 0xb8aa_3b29_5c17_f0bb_be87_fed0_691d_3e88),
            Self::Pi => (1, 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1),
            Self::Log10Of2 => (-2, 0x9a20_9a84_fbcf_f798_8f89_59ac_0b7c_9178),
            Self::LnOf2 => (-1, 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af),
            Self::Zero => return None,
        };
        Some(Number {
            sign: false,
            exponent,
            significand,
        })
    }
}

impl Env {
    /// Loads a constant, rounded to 64 bits as RC says. Raises nothing.
    #[must_use]
    pub fn f80_constant(&self, constant: Constant) -> F80 {
        let mut quiet = Self {
            rounding: self.rounding,
            ..Self::default()
        };
        constant.number().map_or(F80::ZERO, |number| {
            quiet.f80_pack_to(Exact::Finite(number), Precision::Extended)
        })
    }
}
