//! SSE4.1 (SDM 1, 5.10.1 to 5.10.10 and 12.10).

use super::vector::rows::{load, packed, packed_by, unary};
use super::vector::{
    arithmetic_by, bound_row, extend, extract_lane, insert_dword, insert_lane, move_to, packed,
    packed_by, root_by, select, shuffle, slot_row, test, unary,
};
use super::{Mem, Reg0, Reg1, Row};
use crate::vector::{
    FloatOp, FloatShape, FloatUnaryOp, Lane, ShuffleOp, VectorOp, VectorTernaryOp, VectorUnaryOp,
};
use crate::verbs::{Byte, Dword, Qword, Word, X128};

/// Lanes chosen by the signs in XMM0.
macro_rules! select {
    ($code:ident, $lane:ident) => {
        bound_row!(
            $code,
            Sse,
            select,
            VectorTernaryOp = VectorTernaryOp::Select(Lane::$lane),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}

/// Low lanes extended; the last word says how much of them memory holds.
macro_rules! extend {
    ($code:ident, $op:ident ($from:ident, $to:ident), $width:ty) => {
        bound_row!(
            $code,
            Sse,
            extend,
            VectorUnaryOp = VectorUnaryOp::$op(Lane::$from, Lane::$to),
            [X128, $width, Reg1],
            [X128, $width, Mem]
        )
    };
}

/// Numbers made integral.
macro_rules! round {
    ($code:ident, $shape:ident) => {
        bound_row!(
            $code,
            Sse,
            root_by,
            (fn(u8) -> FloatUnaryOp, FloatShape) = (FloatUnaryOp::Round, FloatShape::$shape),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}

/// A dot product.
macro_rules! dot {
    ($code:ident, $shape:ident) => {
        bound_row!(
            $code,
            Sse,
            arithmetic_by,
            (fn(u8) -> FloatOp, FloatShape) = (FloatOp::Dot, FloatShape::$shape),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}

/// Lanes of the second operand where the immediate says so.
macro_rules! blend {
    ($code:ident, $lane:ident) => {
        bound_row!(
            $code,
            Sse,
            shuffle,
            ShuffleOp = ShuffleOp::Blend(Lane::$lane),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}

/// One lane to or from a general register or memory.
macro_rules! lane {
    ($code:ident, $meaning:ident, $width:ty, $register:ty) => {
        slot_row!(
            $code,
            Sse,
            $meaning,
            [X128, $width, $register],
            [X128, $width, Mem]
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    select!(Pblendvb_xmm_xmmm128, Byte),
    select!(Blendvps_xmm_xmmm128, Dword),
    select!(Blendvpd_xmm_xmmm128, Qword),
    bound_row!(
        Ptest_xmm_xmmm128,
        Sse,
        test,
        Option<Lane> = None,
        [X128, Reg1],
        [X128, Mem]
    ),
    extend!(Pmovsxbw_xmm_xmmm64, SignExtend(Byte, Word), Qword),
    extend!(Pmovsxbd_xmm_xmmm32, SignExtend(Byte, Dword), Dword),
    extend!(Pmovsxbq_xmm_xmmm16, SignExtend(Byte, Qword), Word),
    extend!(Pmovsxwd_xmm_xmmm64, SignExtend(Word, Dword), Qword),
    extend!(Pmovsxwq_xmm_xmmm32, SignExtend(Word, Qword), Dword),
    extend!(Pmovsxdq_xmm_xmmm64, SignExtend(Dword, Qword), Qword),
    packed!(Pmuldq_xmm_xmmm128, MulEvenSigned),
    packed!(Pcmpeqq_xmm_xmmm128, Equal(Qword)),
    load!(Movntdqa_xmm_m128, ALIGNED),
    packed!(Packusdw_xmm_xmmm128, PackUnsigned(Dword)),
    extend!(Pmovzxbw_xmm_xmmm64, ZeroExtend(Byte, Word), Qword),
    extend!(Pmovzxbd_xmm_xmmm32, ZeroExtend(Byte, Dword), Dword),
    extend!(Pmovzxbq_xmm_xmmm16, ZeroExtend(Byte, Qword), Word),
    extend!(Pmovzxwd_xmm_xmmm64, ZeroExtend(Word, Dword), Qword),
    extend!(Pmovzxwq_xmm_xmmm32, ZeroExtend(Word, Qword), Dword),
    extend!(Pmovzxdq_xmm_xmmm64, ZeroExtend(Dword, Qword), Qword),
    packed!(Pminsb_xmm_xmmm128, MinSigned(Byte)),
    packed!(Pminsd_xmm_xmmm128, MinSigned(Dword)),
    packed!(Pminuw_xmm_xmmm128, MinUnsigned(Word)),
    packed!(Pminud_xmm_xmmm128, MinUnsigned(Dword)),
    packed!(Pmaxsb_xmm_xmmm128, MaxSigned(Byte)),
    packed!(Pmaxsd_xmm_xmmm128, MaxSigned(Dword)),
    packed!(Pmaxuw_xmm_xmmm128, MaxUnsigned(Word)),
    packed!(Pmaxud_xmm_xmmm128, MaxUnsigned(Dword)),
    packed!(Pmulld_xmm_xmmm128, MulLow(Dword)),
    unary!(Phminposuw_xmm_xmmm128, Least),
    round!(Roundps_xmm_xmmm128_imm8, PackedSingle),
    round!(Roundpd_xmm_xmmm128_imm8, PackedDouble),
    round!(Roundss_xmm_xmmm32_imm8, ScalarSingle),
    round!(Roundsd_xmm_xmmm64_imm8, ScalarDouble),
    blend!(Blendps_xmm_xmmm128_imm8, Dword),
    blend!(Blendpd_xmm_xmmm128_imm8, Qword),
    blend!(Pblendw_xmm_xmmm128_imm8, Word),
    lane!(Pextrb_r32m8_xmm_imm8, extract_lane, Byte, Reg0),
    lane!(Pextrb_r64m8_xmm_imm8, extract_lane, Byte, Reg0),
    lane!(Pextrw_r32m16_xmm_imm8, extract_lane, Word, Reg0),
    lane!(Pextrw_r64m16_xmm_imm8, extract_lane, Word, Reg0),
    lane!(Pextrd_rm32_xmm_imm8, extract_lane, Dword, Reg0),
    lane!(Pextrq_rm64_xmm_imm8, extract_lane, Qword, Reg0),
    lane!(Extractps_rm32_xmm_imm8, extract_lane, Dword, Reg0),
    lane!(Extractps_r64m32_xmm_imm8, extract_lane, Dword, Reg0),
    lane!(Pinsrb_xmm_r32m8_imm8, insert_lane, Byte, Reg1),
    lane!(Pinsrb_xmm_r64m8_imm8, insert_lane, Byte, Reg1),
    slot_row!(
        Insertps_xmm_xmmm32_imm8,
        Sse,
        insert_dword,
        [X128, Reg1],
        [X128, Mem]
    ),
    lane!(Pinsrd_xmm_rm32_imm8, insert_lane, Dword, Reg1),
    lane!(Pinsrq_xmm_rm64_imm8, insert_lane, Qword, Reg1),
    dot!(Dpps_xmm_xmmm128_imm8, PackedSingle),
    dot!(Dppd_xmm_xmmm128_imm8, PackedDouble),
    packed_by!(Mpsadbw_xmm_xmmm128_imm8, VectorOp::SumBlocks),
];
