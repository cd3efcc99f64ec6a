//! SSE2 on XMM registers (SDM 1, 5.6 and chapter 11).

use super::vector::rows::{
    arithmetic, compare, convert, from_integer, from_pair, load, order, packed, root, scalar_load,
    scalar_store, shuffle, signs, store, to_integer, to_pair,
};
use super::vector::{
    arithmetic, bound_row, compare, convert, extract_lane, from_gpr, from_integer, from_mmx,
    insert_lane, integers_from_mmx, load_high, load_low, maskmov, mmx_from, move_from, move_low,
    move_to, order, packed, root, shift, shift_by, shuffle, signs, slot_row, store_high, store_low,
    to_gpr, to_integer, to_mmx,
};
use super::{Mem, Reg0, Reg1, Row, Unit, both, helper};
use crate::vector::{Lane, VectorShiftOp};
use crate::verbs::{Dword, Qword, Word, X128};

/// A row without a constant.
macro_rules! slot {
    ($code:ident, $meaning:ident, [$($register:ty),*], [$($memory:ty),*]) => {
        slot_row!($code, Sse, $meaning, [$($register),*], [$($memory),*])
    };
}

/// A shift by a vector.
macro_rules! shift {
    ($code:ident, $op:ident ($lane:ident)) => {
        bound_row!(
            $code,
            Sse,
            shift,
            VectorShiftOp = VectorShiftOp::$op(Lane::$lane),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}

/// A shift by an immediate.
macro_rules! shift_by {
    ($code:ident, $op:ident $(($lane:ident))?) => {
        bound_row!(
            $code, Sse, shift_by, VectorShiftOp = VectorShiftOp::$op $((Lane::$lane))?,
            [X128], [X128]
        )
    };
}

/// MOVQ to a register clears its upper half.
const MOVQ_STORE: Row = Row::shared(
    iced_x86::Code::Movq_xmmm64_xmm,
    both!(load_low, X128, Qword, Reg1),
    both!(store_low, Qword, Mem),
)
.needs(Unit::Sse);

pub(super) const ROWS: &[Row] = &[
    load!(Movupd_xmm_xmmm128, UNALIGNED),
    scalar_load!(Movsd_xmm_xmmm64, Qword),
    store!(Movupd_xmmm128_xmm, UNALIGNED),
    scalar_store!(Movsd_xmmm64_xmm, Qword),
    slot!(
        Movlpd_xmm_m64,
        move_low,
        [X128, Qword, Mem],
        [X128, Qword, Mem]
    ),
    slot!(Movlpd_m64_xmm, store_low, [Qword, Mem], [Qword, Mem]),
    packed!(Unpcklpd_xmm_xmmm128, InterleaveLow(Qword)),
    packed!(Unpckhpd_xmm_xmmm128, InterleaveHigh(Qword)),
    slot!(Movhpd_xmm_m64, load_high, [X128, Mem], [X128, Mem]),
    slot!(Movhpd_m64_xmm, store_high, [Mem], [Mem]),
    load!(Movapd_xmm_xmmm128, ALIGNED),
    store!(Movapd_xmmm128_xmm, ALIGNED),
    from_pair!(Cvtpi2pd_xmm_mmm64, DwordsToDoubles),
    from_integer!(Cvtsi2sd_xmm_rm32, Double, Dword),
    from_integer!(Cvtsi2sd_xmm_rm64, Double, Qword),
    store!(Movntpd_m128_xmm, ALIGNED),
    to_pair!(Cvttpd2pi_mm_xmmm128, DoublesToDwords, true),
    to_integer!(Cvttsd2si_r32_xmmm64, Double, true, Dword),
    to_integer!(Cvttsd2si_r64_xmmm64, Double, true, Qword),
    to_pair!(Cvtpd2pi_mm_xmmm128, DoublesToDwords, false),
    to_integer!(Cvtsd2si_r32_xmmm64, Double, false, Dword),
    to_integer!(Cvtsd2si_r64_xmmm64, Double, false, Qword),
    order!(Ucomisd_xmm_xmmm64, Double, false),
    order!(Comisd_xmm_xmmm64, Double, true),
    signs!(Movmskpd_r32_xmm, Qword),
    signs!(Movmskpd_r64_xmm, Qword),
    root!(Sqrtpd_xmm_xmmm128, Sqrt, PackedDouble),
    root!(Sqrtsd_xmm_xmmm64, Sqrt, ScalarDouble),
    packed!(Andpd_xmm_xmmm128, And),
    packed!(Andnpd_xmm_xmmm128, AndNot),
    packed!(Orpd_xmm_xmmm128, Or),
    packed!(Xorpd_xmm_xmmm128, Xor),
    arithmetic!(Addpd_xmm_xmmm128, Add, PackedDouble),
    arithmetic!(Addsd_xmm_xmmm64, Add, ScalarDouble),
    arithmetic!(Mulpd_xmm_xmmm128, Mul, PackedDouble),
    arithmetic!(Mulsd_xmm_xmmm64, Mul, ScalarDouble),
    convert!(Cvtps2pd_xmm_xmmm64, SinglesToDoubles),
    convert!(Cvtpd2ps_xmm_xmmm128, DoublesToSingles),
    convert!(Cvtss2sd_xmm_xmmm32, SingleToDouble),
    convert!(Cvtsd2ss_xmm_xmmm64, DoubleToSingle),
    convert!(Cvtdq2ps_xmm_xmmm128, DwordsToSingles),
    convert!(Cvtps2dq_xmm_xmmm128, SinglesToDwords { truncate: false }),
    convert!(Cvttps2dq_xmm_xmmm128, SinglesToDwords { truncate: true }),
    arithmetic!(Subpd_xmm_xmmm128, Sub, PackedDouble),
    arithmetic!(Subsd_xmm_xmmm64, Sub, ScalarDouble),
    arithmetic!(Minpd_xmm_xmmm128, Min, PackedDouble),
    arithmetic!(Minsd_xmm_xmmm64, Min, ScalarDouble),
    arithmetic!(Divpd_xmm_xmmm128, Div, PackedDouble),
    arithmetic!(Divsd_xmm_xmmm64, Div, ScalarDouble),
    arithmetic!(Maxpd_xmm_xmmm128, Max, PackedDouble),
    arithmetic!(Maxsd_xmm_xmmm64, Max, ScalarDouble),
    packed!(Punpcklbw_xmm_xmmm128, InterleaveLow(Byte)),
    packed!(Punpcklwd_xmm_xmmm128, InterleaveLow(Word)),
    packed!(Punpckldq_xmm_xmmm128, InterleaveLow(Dword)),
    packed!(Packsswb_xmm_xmmm128, PackSigned(Word)),
    packed!(Pcmpgtb_xmm_xmmm128, Greater(Byte)),
    packed!(Pcmpgtw_xmm_xmmm128, Greater(Word)),
    packed!(Pcmpgtd_xmm_xmmm128, Greater(Dword)),
    packed!(Packuswb_xmm_xmmm128, PackUnsigned(Word)),
    packed!(Punpckhbw_xmm_xmmm128, InterleaveHigh(Byte)),
    packed!(Punpckhwd_xmm_xmmm128, InterleaveHigh(Word)),
    packed!(Punpckhdq_xmm_xmmm128, InterleaveHigh(Dword)),
    packed!(Packssdw_xmm_xmmm128, PackSigned(Dword)),
    packed!(Punpcklqdq_xmm_xmmm128, InterleaveLow(Qword)),
    packed!(Punpckhqdq_xmm_xmmm128, InterleaveHigh(Qword)),
    slot!(
        Movd_xmm_rm32,
        from_gpr,
        [X128, Dword, Reg1],
        [X128, Dword, Mem]
    ),
    slot!(
        Movq_xmm_rm64,
        from_gpr,
        [X128, Qword, Reg1],
        [X128, Qword, Mem]
    ),
    load!(Movdqa_xmm_xmmm128, ALIGNED),
    load!(Movdqu_xmm_xmmm128, UNALIGNED),
    shuffle!(Pshufd_xmm_xmmm128_imm8, Dwords),
    shuffle!(Pshufhw_xmm_xmmm128_imm8, HighWords),
    shuffle!(Pshuflw_xmm_xmmm128_imm8, LowWords),
    shift_by!(Psrlw_xmm_imm8, Right(Word)),
    shift_by!(Psraw_xmm_imm8, RightSigned(Word)),
    shift_by!(Psllw_xmm_imm8, Left(Word)),
    shift_by!(Psrld_xmm_imm8, Right(Dword)),
    shift_by!(Psrad_xmm_imm8, RightSigned(Dword)),
    shift_by!(Pslld_xmm_imm8, Left(Dword)),
    shift_by!(Psrlq_xmm_imm8, Right(Qword)),
    shift_by!(Psrldq_xmm_imm8, BytesRight),
    shift_by!(Psllq_xmm_imm8, Left(Qword)),
    shift_by!(Pslldq_xmm_imm8, BytesLeft),
    packed!(Pcmpeqb_xmm_xmmm128, Equal(Byte)),
    packed!(Pcmpeqw_xmm_xmmm128, Equal(Word)),
    packed!(Pcmpeqd_xmm_xmmm128, Equal(Dword)),
    slot!(
        Movd_rm32_xmm,
        to_gpr,
        [X128, Dword, Reg0],
        [X128, Dword, Mem]
    ),
    slot!(
        Movq_rm64_xmm,
        to_gpr,
        [X128, Qword, Reg0],
        [X128, Qword, Mem]
    ),
    slot!(
        Movq_xmm_xmmm64,
        load_low,
        [X128, Qword, Reg1],
        [X128, Qword, Mem]
    ),
    store!(Movdqa_xmmm128_xmm, ALIGNED),
    store!(Movdqu_xmmm128_xmm, UNALIGNED),
    compare!(Cmppd_xmm_xmmm128_imm8, PackedDouble),
    compare!(Cmpsd_xmm_xmmm64_imm8, ScalarDouble),
    slot!(
        Pinsrw_xmm_r32m16_imm8,
        insert_lane,
        [X128, Word, Reg1],
        [X128, Word, Mem]
    ),
    slot!(
        Pinsrw_xmm_r64m16_imm8,
        insert_lane,
        [X128, Word, Reg1],
        [X128, Word, Mem]
    ),
    slot!(
        Pextrw_r32_xmm_imm8,
        extract_lane,
        [X128, Word, Reg0],
        [X128, Word, Reg0]
    ),
    slot!(
        Pextrw_r64_xmm_imm8,
        extract_lane,
        [X128, Word, Reg0],
        [X128, Word, Reg0]
    ),
    shuffle!(Shufpd_xmm_xmmm128_imm8, TwoQwords),
    shift!(Psrlw_xmm_xmmm128, Right(Word)),
    shift!(Psrld_xmm_xmmm128, Right(Dword)),
    shift!(Psrlq_xmm_xmmm128, Right(Qword)),
    packed!(Paddq_xmm_xmmm128, Add(Qword)),
    packed!(Pmullw_xmm_xmmm128, MulLow(Word)),
    MOVQ_STORE,
    slot!(Movq2dq_xmm_mm, from_mmx, [], []),
    slot!(Movdq2q_mm_xmm, mmx_from, [], []),
    signs!(Pmovmskb_r32_xmm, Byte),
    signs!(Pmovmskb_r64_xmm, Byte),
    packed!(Psubusb_xmm_xmmm128, SubUnsigned(Byte)),
    packed!(Psubusw_xmm_xmmm128, SubUnsigned(Word)),
    packed!(Pminub_xmm_xmmm128, MinUnsigned(Byte)),
    packed!(Pand_xmm_xmmm128, And),
    packed!(Paddusb_xmm_xmmm128, AddUnsigned(Byte)),
    packed!(Paddusw_xmm_xmmm128, AddUnsigned(Word)),
    packed!(Pmaxub_xmm_xmmm128, MaxUnsigned(Byte)),
    packed!(Pandn_xmm_xmmm128, AndNot),
    packed!(Pavgb_xmm_xmmm128, Average(Byte)),
    shift!(Psraw_xmm_xmmm128, RightSigned(Word)),
    shift!(Psrad_xmm_xmmm128, RightSigned(Dword)),
    packed!(Pavgw_xmm_xmmm128, Average(Word)),
    packed!(Pmulhuw_xmm_xmmm128, MulHighUnsigned),
    packed!(Pmulhw_xmm_xmmm128, MulHighSigned),
    convert!(Cvttpd2dq_xmm_xmmm128, DoublesToDwords { truncate: true }),
    convert!(Cvtdq2pd_xmm_xmmm64, DwordsToDoubles),
    convert!(Cvtpd2dq_xmm_xmmm128, DoublesToDwords { truncate: false }),
    store!(Movntdq_m128_xmm, ALIGNED),
    packed!(Psubsb_xmm_xmmm128, SubSigned(Byte)),
    packed!(Psubsw_xmm_xmmm128, SubSigned(Word)),
    packed!(Pminsw_xmm_xmmm128, MinSigned(Word)),
    packed!(Por_xmm_xmmm128, Or),
    packed!(Paddsb_xmm_xmmm128, AddSigned(Byte)),
    packed!(Paddsw_xmm_xmmm128, AddSigned(Word)),
    packed!(Pmaxsw_xmm_xmmm128, MaxSigned(Word)),
    packed!(Pxor_xmm_xmmm128, Xor),
    shift!(Psllw_xmm_xmmm128, Left(Word)),
    shift!(Pslld_xmm_xmmm128, Left(Dword)),
    shift!(Psllq_xmm_xmmm128, Left(Qword)),
    packed!(Pmuludq_xmm_xmmm128, MulEven),
    packed!(Pmaddwd_xmm_xmmm128, MulAdd),
    packed!(Psadbw_xmm_xmmm128, SumDifferences),
    helper!(Maskmovdqu_rDI_xmm_xmm, maskmov).needs(Unit::Sse),
    packed!(Psubb_xmm_xmmm128, Sub(Byte)),
    packed!(Psubw_xmm_xmmm128, Sub(Word)),
    packed!(Psubd_xmm_xmmm128, Sub(Dword)),
    packed!(Psubq_xmm_xmmm128, Sub(Qword)),
    packed!(Paddb_xmm_xmmm128, Add(Byte)),
    packed!(Paddw_xmm_xmmm128, Add(Word)),
    packed!(Paddd_xmm_xmmm128, Add(Dword)),
];
