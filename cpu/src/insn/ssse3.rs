//! SSSE3 on MMX and XMM registers (SDM 1, 5.8 and 12.6 to 12.8).

use super::vector::rows::{packed, shuffle, unary};
use super::vector::{bound_row, packed, shuffle, unary};
use super::{Mem, Reg1, Row};
use crate::vector::{Lane, ShuffleOp, VectorOp, VectorUnaryOp};
use crate::verbs::{M64, X128};

/// Two MMX vectors.
macro_rules! mmx {
    ($code:ident, $op:ident $(($lane:ident))?) => {
        bound_row!(
            $code, Mmx, packed, VectorOp = VectorOp::$op $((Lane::$lane))?,
            [M64, Reg1], [M64, Mem]
        )
    };
}

/// One MMX vector.
macro_rules! mmx_unary {
    ($code:ident, $op:ident ($lane:ident)) => {
        bound_row!(
            $code,
            Mmx,
            unary,
            VectorUnaryOp = VectorUnaryOp::$op(Lane::$lane),
            [M64, Reg1],
            [M64, Mem]
        )
    };
}

/// PALIGNR of MMX registers.
const ALIGN_MMX: Row = bound_row!(
    Palignr_mm_mmm64_imm8,
    Mmx,
    shuffle,
    ShuffleOp = ShuffleOp::Align,
    [M64, Reg1],
    [M64, Mem]
);

pub(super) const ROWS: &[Row] = &[
    mmx!(Pshufb_mm_mmm64, ShuffleBytes),
    packed!(Pshufb_xmm_xmmm128, ShuffleBytes),
    mmx!(Phaddw_mm_mmm64, HorizontalAdd(Word)),
    packed!(Phaddw_xmm_xmmm128, HorizontalAdd(Word)),
    mmx!(Phaddd_mm_mmm64, HorizontalAdd(Dword)),
    packed!(Phaddd_xmm_xmmm128, HorizontalAdd(Dword)),
    mmx!(Phaddsw_mm_mmm64, HorizontalAddSigned),
    packed!(Phaddsw_xmm_xmmm128, HorizontalAddSigned),
    mmx!(Pmaddubsw_mm_mmm64, MulAddBytes),
    packed!(Pmaddubsw_xmm_xmmm128, MulAddBytes),
    mmx!(Phsubw_mm_mmm64, HorizontalSub(Word)),
    packed!(Phsubw_xmm_xmmm128, HorizontalSub(Word)),
    mmx!(Phsubd_mm_mmm64, HorizontalSub(Dword)),
    packed!(Phsubd_xmm_xmmm128, HorizontalSub(Dword)),
    mmx!(Phsubsw_mm_mmm64, HorizontalSubSigned),
    packed!(Phsubsw_xmm_xmmm128, HorizontalSubSigned),
    mmx!(Psignb_mm_mmm64, Sign(Byte)),
    packed!(Psignb_xmm_xmmm128, Sign(Byte)),
    mmx!(Psignw_mm_mmm64, Sign(Word)),
    packed!(Psignw_xmm_xmmm128, Sign(Word)),
    mmx!(Psignd_mm_mmm64, Sign(Dword)),
    packed!(Psignd_xmm_xmmm128, Sign(Dword)),
    mmx!(Pmulhrsw_mm_mmm64, MulRounded),
    packed!(Pmulhrsw_xmm_xmmm128, MulRounded),
    mmx_unary!(Pabsb_mm_mmm64, Abs(Byte)),
    unary!(Pabsb_xmm_xmmm128, Abs(Byte)),
    mmx_unary!(Pabsw_mm_mmm64, Abs(Word)),
    unary!(Pabsw_xmm_xmmm128, Abs(Word)),
    mmx_unary!(Pabsd_mm_mmm64, Abs(Dword)),
    unary!(Pabsd_xmm_xmmm128, Abs(Dword)),
    ALIGN_MMX,
    shuffle!(Palignr_xmm_xmmm128_imm8, Align),
];
