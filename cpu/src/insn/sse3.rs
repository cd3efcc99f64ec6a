//! SSE3 on XMM registers (SDM 1, 5.7 and 12.1 to 12.5). FISTTP stands with the x87 instructions,
//! MONITOR and MWAIT with the system ones.

use super::vector::rows::{arithmetic, load};
use super::vector::{arithmetic, bound_row, duplicate, move_to};
use super::{Mem, Reg1, Row};
use crate::verbs::X128;

/// Dwords duplicated as a shuffle of four says.
macro_rules! duplicate {
    ($code:ident, $choice:literal) => {
        bound_row!(
            $code,
            Sse,
            duplicate,
            u8 = $choice,
            [X128, Reg1],
            [X128, Mem]
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    duplicate!(Movsldup_xmm_xmmm128, 0xa0),
    duplicate!(Movddup_xmm_xmmm64, 0x44),
    duplicate!(Movshdup_xmm_xmmm128, 0xf5),
    arithmetic!(Haddpd_xmm_xmmm128, HorizontalAdd, PackedDouble),
    arithmetic!(Haddps_xmm_xmmm128, HorizontalAdd, PackedSingle),
    arithmetic!(Hsubpd_xmm_xmmm128, HorizontalSub, PackedDouble),
    arithmetic!(Hsubps_xmm_xmmm128, HorizontalSub, PackedSingle),
    arithmetic!(Addsubpd_xmm_xmmm128, SubAdd, PackedDouble),
    arithmetic!(Addsubps_xmm_xmmm128, SubAdd, PackedSingle),
    load!(Lddqu_xmm_m128, UNALIGNED),
];
