//! MMX (SDM 1, 5.4 and 9.4), with what SSE and SSE2 added to its registers (SDM 1, 5.5.3 and 5.6.3).

use super::vector::{
    bound_row, emms, extract_lane, from_gpr, insert_lane, maskmov, move_from, move_to, packed,
    packed_half, shift, shift_by, shuffle, signs, slot_row, to_gpr,
};
use super::{Mem, Reg0, Reg1, Row, Unit, helper, row};
use crate::vector::{Lane, ShuffleOp, VectorOp, VectorShiftOp};
use crate::verbs::{Dword, M64, Qword, Word};

/// Two vectors of integers.
macro_rules! packed {
    ($code:ident, $op:ident $(($lane:ident))?) => {
        bound_row!(
            $code, Mmx, packed, VectorOp = VectorOp::$op $((Lane::$lane))?,
            [M64, Reg1], [M64, Mem]
        )
    };
}

/// The same, reading half a vector from memory.
macro_rules! half {
    ($code:ident, $op:ident ($lane:ident)) => {
        bound_row!(
            $code,
            Mmx,
            packed_half,
            VectorOp = VectorOp::$op(Lane::$lane),
            [M64, Reg1],
            [M64, Mem]
        )
    };
}

/// A shift by a vector.
macro_rules! shift {
    ($code:ident, $op:ident ($lane:ident)) => {
        bound_row!(
            $code,
            Mmx,
            shift,
            VectorShiftOp = VectorShiftOp::$op(Lane::$lane),
            [M64, Reg1],
            [M64, Mem]
        )
    };
}

/// A shift by an immediate.
macro_rules! shift_by {
    ($code:ident, $op:ident ($lane:ident)) => {
        bound_row!(
            $code,
            Mmx,
            shift_by,
            VectorShiftOp = VectorShiftOp::$op(Lane::$lane),
            [M64],
            [M64]
        )
    };
}

/// A row without a constant.
macro_rules! slot {
    ($code:ident, $meaning:ident, [$($register:ty),*], [$($memory:ty),*]) => {
        slot_row!($code, Mmx, $meaning, [$($register),*], [$($memory),*])
    };
}

/// A whole vector to a register.
macro_rules! load {
    ($code:ident) => {
        bound_row!($code, Mmx, move_to, bool = false, [M64, Reg1], [M64, Mem])
    };
}

/// A whole vector from a register.
macro_rules! store {
    ($code:ident) => {
        bound_row!($code, Mmx, move_from, bool = false, [M64, Reg0], [M64, Mem])
    };
}

/// Lanes chosen by an immediate.
macro_rules! shuffle {
    ($code:ident, $op:ident) => {
        bound_row!(
            $code,
            Mmx,
            shuffle,
            ShuffleOp = ShuffleOp::$op,
            [M64, Reg1],
            [M64, Mem]
        )
    };
}

/// Sign bits to a general register.
macro_rules! signs {
    ($code:ident, $lane:ident) => {
        bound_row!(
            $code,
            Mmx,
            signs,
            Lane = Lane::$lane,
            [M64, Reg0],
            [M64, Reg0]
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    half!(Punpcklbw_mm_mmm32, InterleaveLow(Byte)),
    half!(Punpcklwd_mm_mmm32, InterleaveLow(Word)),
    half!(Punpckldq_mm_mmm32, InterleaveLow(Dword)),
    packed!(Packsswb_mm_mmm64, PackSigned(Word)),
    packed!(Pcmpgtb_mm_mmm64, Greater(Byte)),
    packed!(Pcmpgtw_mm_mmm64, Greater(Word)),
    packed!(Pcmpgtd_mm_mmm64, Greater(Dword)),
    packed!(Packuswb_mm_mmm64, PackUnsigned(Word)),
    packed!(Punpckhbw_mm_mmm64, InterleaveHigh(Byte)),
    packed!(Punpckhwd_mm_mmm64, InterleaveHigh(Word)),
    packed!(Punpckhdq_mm_mmm64, InterleaveHigh(Dword)),
    packed!(Packssdw_mm_mmm64, PackSigned(Dword)),
    slot!(
        Movd_mm_rm32,
        from_gpr,
        [M64, Dword, Reg1],
        [M64, Dword, Mem]
    ),
    slot!(
        Movq_mm_rm64,
        from_gpr,
        [M64, Qword, Reg1],
        [M64, Qword, Mem]
    ),
    load!(Movq_mm_mmm64),
    shuffle!(Pshufw_mm_mmm64_imm8, LowWords),
    shift_by!(Psrlw_mm_imm8, Right(Word)),
    shift_by!(Psraw_mm_imm8, RightSigned(Word)),
    shift_by!(Psllw_mm_imm8, Left(Word)),
    shift_by!(Psrld_mm_imm8, Right(Dword)),
    shift_by!(Psrad_mm_imm8, RightSigned(Dword)),
    shift_by!(Pslld_mm_imm8, Left(Dword)),
    shift_by!(Psrlq_mm_imm8, Right(Qword)),
    shift_by!(Psllq_mm_imm8, Left(Qword)),
    packed!(Pcmpeqb_mm_mmm64, Equal(Byte)),
    packed!(Pcmpeqw_mm_mmm64, Equal(Word)),
    packed!(Pcmpeqd_mm_mmm64, Equal(Dword)),
    row!(Emms, emms).needs(Unit::Mmx),
    slot!(Movd_rm32_mm, to_gpr, [M64, Dword, Reg0], [M64, Dword, Mem]),
    slot!(Movq_rm64_mm, to_gpr, [M64, Qword, Reg0], [M64, Qword, Mem]),
    store!(Movq_mmm64_mm),
    slot!(
        Pinsrw_mm_r32m16_imm8,
        insert_lane,
        [M64, Word, Reg1],
        [M64, Word, Mem]
    ),
    slot!(
        Pinsrw_mm_r64m16_imm8,
        insert_lane,
        [M64, Word, Reg1],
        [M64, Word, Mem]
    ),
    slot!(
        Pextrw_r32_mm_imm8,
        extract_lane,
        [M64, Word, Reg0],
        [M64, Word, Reg0]
    ),
    slot!(
        Pextrw_r64_mm_imm8,
        extract_lane,
        [M64, Word, Reg0],
        [M64, Word, Reg0]
    ),
    shift!(Psrlw_mm_mmm64, Right(Word)),
    shift!(Psrld_mm_mmm64, Right(Dword)),
    shift!(Psrlq_mm_mmm64, Right(Qword)),
    packed!(Paddq_mm_mmm64, Add(Qword)),
    packed!(Pmullw_mm_mmm64, MulLow(Word)),
    signs!(Pmovmskb_r32_mm, Byte),
    signs!(Pmovmskb_r64_mm, Byte),
    packed!(Psubusb_mm_mmm64, SubUnsigned(Byte)),
    packed!(Psubusw_mm_mmm64, SubUnsigned(Word)),
    packed!(Pminub_mm_mmm64, MinUnsigned(Byte)),
    packed!(Pand_mm_mmm64, And),
    packed!(Paddusb_mm_mmm64, AddUnsigned(Byte)),
    packed!(Paddusw_mm_mmm64, AddUnsigned(Word)),
    packed!(Pmaxub_mm_mmm64, MaxUnsigned(Byte)),
    packed!(Pandn_mm_mmm64, AndNot),
    packed!(Pavgb_mm_mmm64, Average(Byte)),
    shift!(Psraw_mm_mmm64, RightSigned(Word)),
    shift!(Psrad_mm_mmm64, RightSigned(Dword)),
    packed!(Pavgw_mm_mmm64, Average(Word)),
    packed!(Pmulhuw_mm_mmm64, MulHighUnsigned),
    packed!(Pmulhw_mm_mmm64, MulHighSigned),
    store!(Movntq_m64_mm),
    packed!(Psubsb_mm_mmm64, SubSigned(Byte)),
    packed!(Psubsw_mm_mmm64, SubSigned(Word)),
    packed!(Pminsw_mm_mmm64, MinSigned(Word)),
    packed!(Por_mm_mmm64, Or),
    packed!(Paddsb_mm_mmm64, AddSigned(Byte)),
    packed!(Paddsw_mm_mmm64, AddSigned(Word)),
    packed!(Pmaxsw_mm_mmm64, MaxSigned(Word)),
    packed!(Pxor_mm_mmm64, Xor),
    shift!(Psllw_mm_mmm64, Left(Word)),
    shift!(Pslld_mm_mmm64, Left(Dword)),
    shift!(Psllq_mm_mmm64, Left(Qword)),
    packed!(Pmuludq_mm_mmm64, MulEven),
    packed!(Pmaddwd_mm_mmm64, MulAdd),
    packed!(Psadbw_mm_mmm64, SumDifferences),
    helper!(Maskmovq_rDI_mm_mm, maskmov).needs(Unit::Mmx),
    packed!(Psubb_mm_mmm64, Sub(Byte)),
    packed!(Psubw_mm_mmm64, Sub(Word)),
    packed!(Psubd_mm_mmm64, Sub(Dword)),
    packed!(Psubq_mm_mmm64, Sub(Qword)),
    packed!(Paddb_mm_mmm64, Add(Byte)),
    packed!(Paddw_mm_mmm64, Add(Word)),
    packed!(Paddd_mm_mmm64, Add(Dword)),
];
