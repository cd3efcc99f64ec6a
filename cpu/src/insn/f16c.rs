//! Conversions between halves and singles (SDM 1, 14.4).

use super::vector::vex::{convert, one};
use super::vector::{convert, to_halves};
use super::{Reg0, Reg1, Row};
use crate::vector::ConvertOp;

/// A row that makes halves.
macro_rules! to_halves {
    ($code:ident, $width:ident) => {
        one!(
            $code,
            $width,
            to_halves,
            fn(u8) -> ConvertOp = ConvertOp::SinglesToHalves,
            Reg0
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    convert!(VEX_Vcvtph2ps_xmm_xmmm64, V128, HalvesToSingles, Reg1),
    convert!(VEX_Vcvtph2ps_ymm_xmmm128, Y256, HalvesToSingles, Reg1),
    to_halves!(VEX_Vcvtps2ph_xmmm64_xmm_imm8, V128),
    to_halves!(VEX_Vcvtps2ph_xmmm128_ymm_imm8, Y256),
];
