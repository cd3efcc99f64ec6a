//! Integer instructions on XMM and YMM registers (SDM 1, 14.3, 14.6 and 14.7; SDM 2, each
//! under the name of its SSE form).

use super::super::vector::vex::{packed, pair, unary};
use super::super::vector::{
    bound_row, extend, extend_half, packed, packed_by, shift, shift_by, unary,
};
use super::super::{Mem, Reg1, Reg2, Row};
use crate::vector::{Lane, VectorOp, VectorShiftOp, VectorUnaryOp};
use crate::verbs::{Dword, Qword, V128, Word, Y256};

/// A shift by a vector, whose low 64 bits count.
macro_rules! shift {
    ($xmm:ident $ymm:ident, $op:ident ($lane:ident)) => {
        pair!($xmm $ymm, shift, VectorShiftOp = VectorShiftOp::$op(Lane::$lane), Reg2)
    };
}

/// A shift by an immediate.
macro_rules! shift_by {
    ($xmm:ident $ymm:ident, $op:ident $(($lane:ident))?) => {
        [
            bound_row!(
                $xmm, Avx, shift_by, VectorShiftOp = VectorShiftOp::$op $((Lane::$lane))?,
                [V128], [V128]
            ),
            bound_row!(
                $ymm, Avx, shift_by, VectorShiftOp = VectorShiftOp::$op $((Lane::$lane))?,
                [Y256], [Y256]
            ),
        ]
    };
}

/// Low lanes extended; the last word says how much of them memory holds.
macro_rules! extend {
    ($code:ident, $register:ident, $op:ident ($from:ident, $to:ident), $width:ty) => {
        bound_row!(
            $code,
            Avx,
            extend,
            VectorUnaryOp = VectorUnaryOp::$op(Lane::$from, Lane::$to),
            [$register, $width, Reg1],
            [$register, $width, Mem]
        )
    };
}

/// An XMM register extended to a YMM register.
macro_rules! extend_half {
    ($code:ident, $op:ident ($from:ident, $to:ident)) => {
        bound_row!(
            $code,
            Avx,
            extend_half,
            VectorUnaryOp = VectorUnaryOp::$op(Lane::$from, Lane::$to),
            [Y256, Reg1],
            [Y256, Mem]
        )
    };
}

/// XMM registers under AVX; YMM registers under AVX2, or AVX for what SSE has for numbers.
#[rustfmt::skip]
pub(in crate::insn) const PAIRS: &[[Row; 2]] = &[
    packed!(VEX_Vunpcklps_xmm_xmm_xmmm128 VEX_Vunpcklps_ymm_ymm_ymmm256, InterleaveLow(Dword)),
    packed!(VEX_Vunpckhps_xmm_xmm_xmmm128 VEX_Vunpckhps_ymm_ymm_ymmm256, InterleaveHigh(Dword)),
    packed!(VEX_Vandps_xmm_xmm_xmmm128 VEX_Vandps_ymm_ymm_ymmm256, And),
    packed!(VEX_Vandnps_xmm_xmm_xmmm128 VEX_Vandnps_ymm_ymm_ymmm256, AndNot),
    packed!(VEX_Vorps_xmm_xmm_xmmm128 VEX_Vorps_ymm_ymm_ymmm256, Or),
    packed!(VEX_Vxorps_xmm_xmm_xmmm128 VEX_Vxorps_ymm_ymm_ymmm256, Xor),
    packed!(VEX_Vunpcklpd_xmm_xmm_xmmm128 VEX_Vunpcklpd_ymm_ymm_ymmm256, InterleaveLow(Qword)),
    packed!(VEX_Vunpckhpd_xmm_xmm_xmmm128 VEX_Vunpckhpd_ymm_ymm_ymmm256, InterleaveHigh(Qword)),
    packed!(VEX_Vandpd_xmm_xmm_xmmm128 VEX_Vandpd_ymm_ymm_ymmm256, And),
    packed!(VEX_Vandnpd_xmm_xmm_xmmm128 VEX_Vandnpd_ymm_ymm_ymmm256, AndNot),
    packed!(VEX_Vorpd_xmm_xmm_xmmm128 VEX_Vorpd_ymm_ymm_ymmm256, Or),
    packed!(VEX_Vxorpd_xmm_xmm_xmmm128 VEX_Vxorpd_ymm_ymm_ymmm256, Xor),
    packed!(VEX_Vpunpcklbw_xmm_xmm_xmmm128 VEX_Vpunpcklbw_ymm_ymm_ymmm256, InterleaveLow(Byte)),
    packed!(VEX_Vpunpcklwd_xmm_xmm_xmmm128 VEX_Vpunpcklwd_ymm_ymm_ymmm256, InterleaveLow(Word)),
    packed!(VEX_Vpunpckldq_xmm_xmm_xmmm128 VEX_Vpunpckldq_ymm_ymm_ymmm256, InterleaveLow(Dword)),
    packed!(VEX_Vpacksswb_xmm_xmm_xmmm128 VEX_Vpacksswb_ymm_ymm_ymmm256, PackSigned(Word)),
    packed!(VEX_Vpcmpgtb_xmm_xmm_xmmm128 VEX_Vpcmpgtb_ymm_ymm_ymmm256, Greater(Byte)),
    packed!(VEX_Vpcmpgtw_xmm_xmm_xmmm128 VEX_Vpcmpgtw_ymm_ymm_ymmm256, Greater(Word)),
    packed!(VEX_Vpcmpgtd_xmm_xmm_xmmm128 VEX_Vpcmpgtd_ymm_ymm_ymmm256, Greater(Dword)),
    packed!(VEX_Vpackuswb_xmm_xmm_xmmm128 VEX_Vpackuswb_ymm_ymm_ymmm256, PackUnsigned(Word)),
    packed!(VEX_Vpunpckhbw_xmm_xmm_xmmm128 VEX_Vpunpckhbw_ymm_ymm_ymmm256, InterleaveHigh(Byte)),
    packed!(VEX_Vpunpckhwd_xmm_xmm_xmmm128 VEX_Vpunpckhwd_ymm_ymm_ymmm256, InterleaveHigh(Word)),
    packed!(VEX_Vpunpckhdq_xmm_xmm_xmmm128 VEX_Vpunpckhdq_ymm_ymm_ymmm256, InterleaveHigh(Dword)),
    packed!(VEX_Vpackssdw_xmm_xmm_xmmm128 VEX_Vpackssdw_ymm_ymm_ymmm256, PackSigned(Dword)),
    packed!(VEX_Vpunpcklqdq_xmm_xmm_xmmm128 VEX_Vpunpcklqdq_ymm_ymm_ymmm256, InterleaveLow(Qword)),
    packed!(VEX_Vpunpckhqdq_xmm_xmm_xmmm128 VEX_Vpunpckhqdq_ymm_ymm_ymmm256, InterleaveHigh(Qword)),
    packed!(VEX_Vpcmpeqb_xmm_xmm_xmmm128 VEX_Vpcmpeqb_ymm_ymm_ymmm256, Equal(Byte)),
    packed!(VEX_Vpcmpeqw_xmm_xmm_xmmm128 VEX_Vpcmpeqw_ymm_ymm_ymmm256, Equal(Word)),
    packed!(VEX_Vpcmpeqd_xmm_xmm_xmmm128 VEX_Vpcmpeqd_ymm_ymm_ymmm256, Equal(Dword)),
    packed!(VEX_Vpaddq_xmm_xmm_xmmm128 VEX_Vpaddq_ymm_ymm_ymmm256, Add(Qword)),
    packed!(VEX_Vpmullw_xmm_xmm_xmmm128 VEX_Vpmullw_ymm_ymm_ymmm256, MulLow(Word)),
    packed!(VEX_Vpsubusb_xmm_xmm_xmmm128 VEX_Vpsubusb_ymm_ymm_ymmm256, SubUnsigned(Byte)),
    packed!(VEX_Vpsubusw_xmm_xmm_xmmm128 VEX_Vpsubusw_ymm_ymm_ymmm256, SubUnsigned(Word)),
    packed!(VEX_Vpminub_xmm_xmm_xmmm128 VEX_Vpminub_ymm_ymm_ymmm256, MinUnsigned(Byte)),
    packed!(VEX_Vpand_xmm_xmm_xmmm128 VEX_Vpand_ymm_ymm_ymmm256, And),
    packed!(VEX_Vpaddusb_xmm_xmm_xmmm128 VEX_Vpaddusb_ymm_ymm_ymmm256, AddUnsigned(Byte)),
    packed!(VEX_Vpaddusw_xmm_xmm_xmmm128 VEX_Vpaddusw_ymm_ymm_ymmm256, AddUnsigned(Word)),
    packed!(VEX_Vpmaxub_xmm_xmm_xmmm128 VEX_Vpmaxub_ymm_ymm_ymmm256, MaxUnsigned(Byte)),
    packed!(VEX_Vpandn_xmm_xmm_xmmm128 VEX_Vpandn_ymm_ymm_ymmm256, AndNot),
    packed!(VEX_Vpavgb_xmm_xmm_xmmm128 VEX_Vpavgb_ymm_ymm_ymmm256, Average(Byte)),
    packed!(VEX_Vpavgw_xmm_xmm_xmmm128 VEX_Vpavgw_ymm_ymm_ymmm256, Average(Word)),
    packed!(VEX_Vpmulhuw_xmm_xmm_xmmm128 VEX_Vpmulhuw_ymm_ymm_ymmm256, MulHighUnsigned),
    packed!(VEX_Vpmulhw_xmm_xmm_xmmm128 VEX_Vpmulhw_ymm_ymm_ymmm256, MulHighSigned),
    packed!(VEX_Vpsubsb_xmm_xmm_xmmm128 VEX_Vpsubsb_ymm_ymm_ymmm256, SubSigned(Byte)),
    packed!(VEX_Vpsubsw_xmm_xmm_xmmm128 VEX_Vpsubsw_ymm_ymm_ymmm256, SubSigned(Word)),
    packed!(VEX_Vpminsw_xmm_xmm_xmmm128 VEX_Vpminsw_ymm_ymm_ymmm256, MinSigned(Word)),
    packed!(VEX_Vpor_xmm_xmm_xmmm128 VEX_Vpor_ymm_ymm_ymmm256, Or),
    packed!(VEX_Vpaddsb_xmm_xmm_xmmm128 VEX_Vpaddsb_ymm_ymm_ymmm256, AddSigned(Byte)),
    packed!(VEX_Vpaddsw_xmm_xmm_xmmm128 VEX_Vpaddsw_ymm_ymm_ymmm256, AddSigned(Word)),
    packed!(VEX_Vpmaxsw_xmm_xmm_xmmm128 VEX_Vpmaxsw_ymm_ymm_ymmm256, MaxSigned(Word)),
    packed!(VEX_Vpxor_xmm_xmm_xmmm128 VEX_Vpxor_ymm_ymm_ymmm256, Xor),
    packed!(VEX_Vpmuludq_xmm_xmm_xmmm128 VEX_Vpmuludq_ymm_ymm_ymmm256, MulEven),
    packed!(VEX_Vpmaddwd_xmm_xmm_xmmm128 VEX_Vpmaddwd_ymm_ymm_ymmm256, MulAdd),
    packed!(VEX_Vpsadbw_xmm_xmm_xmmm128 VEX_Vpsadbw_ymm_ymm_ymmm256, SumDifferences),
    packed!(VEX_Vpsubb_xmm_xmm_xmmm128 VEX_Vpsubb_ymm_ymm_ymmm256, Sub(Byte)),
    packed!(VEX_Vpsubw_xmm_xmm_xmmm128 VEX_Vpsubw_ymm_ymm_ymmm256, Sub(Word)),
    packed!(VEX_Vpsubd_xmm_xmm_xmmm128 VEX_Vpsubd_ymm_ymm_ymmm256, Sub(Dword)),
    packed!(VEX_Vpsubq_xmm_xmm_xmmm128 VEX_Vpsubq_ymm_ymm_ymmm256, Sub(Qword)),
    packed!(VEX_Vpaddb_xmm_xmm_xmmm128 VEX_Vpaddb_ymm_ymm_ymmm256, Add(Byte)),
    packed!(VEX_Vpaddw_xmm_xmm_xmmm128 VEX_Vpaddw_ymm_ymm_ymmm256, Add(Word)),
    packed!(VEX_Vpaddd_xmm_xmm_xmmm128 VEX_Vpaddd_ymm_ymm_ymmm256, Add(Dword)),
    packed!(VEX_Vpshufb_xmm_xmm_xmmm128 VEX_Vpshufb_ymm_ymm_ymmm256, ShuffleBytes),
    packed!(VEX_Vphaddw_xmm_xmm_xmmm128 VEX_Vphaddw_ymm_ymm_ymmm256, HorizontalAdd(Word)),
    packed!(VEX_Vphaddd_xmm_xmm_xmmm128 VEX_Vphaddd_ymm_ymm_ymmm256, HorizontalAdd(Dword)),
    packed!(VEX_Vphaddsw_xmm_xmm_xmmm128 VEX_Vphaddsw_ymm_ymm_ymmm256, HorizontalAddSigned),
    packed!(VEX_Vpmaddubsw_xmm_xmm_xmmm128 VEX_Vpmaddubsw_ymm_ymm_ymmm256, MulAddBytes),
    packed!(VEX_Vphsubw_xmm_xmm_xmmm128 VEX_Vphsubw_ymm_ymm_ymmm256, HorizontalSub(Word)),
    packed!(VEX_Vphsubd_xmm_xmm_xmmm128 VEX_Vphsubd_ymm_ymm_ymmm256, HorizontalSub(Dword)),
    packed!(VEX_Vphsubsw_xmm_xmm_xmmm128 VEX_Vphsubsw_ymm_ymm_ymmm256, HorizontalSubSigned),
    packed!(VEX_Vpsignb_xmm_xmm_xmmm128 VEX_Vpsignb_ymm_ymm_ymmm256, Sign(Byte)),
    packed!(VEX_Vpsignw_xmm_xmm_xmmm128 VEX_Vpsignw_ymm_ymm_ymmm256, Sign(Word)),
    packed!(VEX_Vpsignd_xmm_xmm_xmmm128 VEX_Vpsignd_ymm_ymm_ymmm256, Sign(Dword)),
    packed!(VEX_Vpmulhrsw_xmm_xmm_xmmm128 VEX_Vpmulhrsw_ymm_ymm_ymmm256, MulRounded),
    packed!(VEX_Vpmuldq_xmm_xmm_xmmm128 VEX_Vpmuldq_ymm_ymm_ymmm256, MulEvenSigned),
    packed!(VEX_Vpcmpeqq_xmm_xmm_xmmm128 VEX_Vpcmpeqq_ymm_ymm_ymmm256, Equal(Qword)),
    packed!(VEX_Vpackusdw_xmm_xmm_xmmm128 VEX_Vpackusdw_ymm_ymm_ymmm256, PackUnsigned(Dword)),
    packed!(VEX_Vpminsb_xmm_xmm_xmmm128 VEX_Vpminsb_ymm_ymm_ymmm256, MinSigned(Byte)),
    packed!(VEX_Vpminsd_xmm_xmm_xmmm128 VEX_Vpminsd_ymm_ymm_ymmm256, MinSigned(Dword)),
    packed!(VEX_Vpminuw_xmm_xmm_xmmm128 VEX_Vpminuw_ymm_ymm_ymmm256, MinUnsigned(Word)),
    packed!(VEX_Vpminud_xmm_xmm_xmmm128 VEX_Vpminud_ymm_ymm_ymmm256, MinUnsigned(Dword)),
    packed!(VEX_Vpmaxsb_xmm_xmm_xmmm128 VEX_Vpmaxsb_ymm_ymm_ymmm256, MaxSigned(Byte)),
    packed!(VEX_Vpmaxsd_xmm_xmm_xmmm128 VEX_Vpmaxsd_ymm_ymm_ymmm256, MaxSigned(Dword)),
    packed!(VEX_Vpmaxuw_xmm_xmm_xmmm128 VEX_Vpmaxuw_ymm_ymm_ymmm256, MaxUnsigned(Word)),
    packed!(VEX_Vpmaxud_xmm_xmm_xmmm128 VEX_Vpmaxud_ymm_ymm_ymmm256, MaxUnsigned(Dword)),
    packed!(VEX_Vpmulld_xmm_xmm_xmmm128 VEX_Vpmulld_ymm_ymm_ymmm256, MulLow(Dword)),
    packed!(VEX_Vpcmpgtq_xmm_xmm_xmmm128 VEX_Vpcmpgtq_ymm_ymm_ymmm256, Greater(Qword)),
    unary!(VEX_Vpabsb_xmm_xmmm128 VEX_Vpabsb_ymm_ymmm256, Abs(Byte)),
    unary!(VEX_Vpabsw_xmm_xmmm128 VEX_Vpabsw_ymm_ymmm256, Abs(Word)),
    unary!(VEX_Vpabsd_xmm_xmmm128 VEX_Vpabsd_ymm_ymmm256, Abs(Dword)),
    shift!(VEX_Vpsrlw_xmm_xmm_xmmm128 VEX_Vpsrlw_ymm_ymm_xmmm128, Right(Word)),
    shift!(VEX_Vpsrld_xmm_xmm_xmmm128 VEX_Vpsrld_ymm_ymm_xmmm128, Right(Dword)),
    shift!(VEX_Vpsrlq_xmm_xmm_xmmm128 VEX_Vpsrlq_ymm_ymm_xmmm128, Right(Qword)),
    shift!(VEX_Vpsraw_xmm_xmm_xmmm128 VEX_Vpsraw_ymm_ymm_xmmm128, RightSigned(Word)),
    shift!(VEX_Vpsrad_xmm_xmm_xmmm128 VEX_Vpsrad_ymm_ymm_xmmm128, RightSigned(Dword)),
    shift!(VEX_Vpsllw_xmm_xmm_xmmm128 VEX_Vpsllw_ymm_ymm_xmmm128, Left(Word)),
    shift!(VEX_Vpslld_xmm_xmm_xmmm128 VEX_Vpslld_ymm_ymm_xmmm128, Left(Dword)),
    shift!(VEX_Vpsllq_xmm_xmm_xmmm128 VEX_Vpsllq_ymm_ymm_xmmm128, Left(Qword)),
    shift_by!(VEX_Vpsrlw_xmm_xmm_imm8 VEX_Vpsrlw_ymm_ymm_imm8, Right(Word)),
    shift_by!(VEX_Vpsraw_xmm_xmm_imm8 VEX_Vpsraw_ymm_ymm_imm8, RightSigned(Word)),
    shift_by!(VEX_Vpsllw_xmm_xmm_imm8 VEX_Vpsllw_ymm_ymm_imm8, Left(Word)),
    shift_by!(VEX_Vpsrld_xmm_xmm_imm8 VEX_Vpsrld_ymm_ymm_imm8, Right(Dword)),
    shift_by!(VEX_Vpsrad_xmm_xmm_imm8 VEX_Vpsrad_ymm_ymm_imm8, RightSigned(Dword)),
    shift_by!(VEX_Vpslld_xmm_xmm_imm8 VEX_Vpslld_ymm_ymm_imm8, Left(Dword)),
    shift_by!(VEX_Vpsrlq_xmm_xmm_imm8 VEX_Vpsrlq_ymm_ymm_imm8, Right(Qword)),
    shift_by!(VEX_Vpsrldq_xmm_xmm_imm8 VEX_Vpsrldq_ymm_ymm_imm8, BytesRight),
    shift_by!(VEX_Vpsllq_xmm_xmm_imm8 VEX_Vpsllq_ymm_ymm_imm8, Left(Qword)),
    shift_by!(VEX_Vpslldq_xmm_xmm_imm8 VEX_Vpslldq_ymm_ymm_imm8, BytesLeft),
    packed!(VEX_Vpsrlvd_xmm_xmm_xmmm128 VEX_Vpsrlvd_ymm_ymm_ymmm256, ShiftRight(Dword)),
    packed!(VEX_Vpsrlvq_xmm_xmm_xmmm128 VEX_Vpsrlvq_ymm_ymm_ymmm256, ShiftRight(Qword)),
    packed!(VEX_Vpsravd_xmm_xmm_xmmm128 VEX_Vpsravd_ymm_ymm_ymmm256, ShiftRightSigned(Dword)),
    packed!(VEX_Vpsllvd_xmm_xmm_xmmm128 VEX_Vpsllvd_ymm_ymm_ymmm256, ShiftLeft(Dword)),
    packed!(VEX_Vpsllvq_xmm_xmm_xmmm128 VEX_Vpsllvq_ymm_ymm_ymmm256, ShiftLeft(Qword)),
    packed!(VEX_Vpermilps_xmm_xmm_xmmm128 VEX_Vpermilps_ymm_ymm_ymmm256, Permute(Dword)),
    packed!(VEX_Vpermilpd_xmm_xmm_xmmm128 VEX_Vpermilpd_ymm_ymm_ymmm256, Permute(Qword)),
    pair!(
        VEX_Vmpsadbw_xmm_xmm_xmmm128_imm8 VEX_Vmpsadbw_ymm_ymm_ymmm256_imm8,
        packed_by, fn(u8) -> VectorOp = VectorOp::SumBlocks, Reg2
    ),
];

/// What reads less than it writes, and what has no twin.
pub(in crate::insn) const SINGLES: &[Row] = &[
    extend!(
        VEX_Vpmovsxbw_xmm_xmmm64,
        V128,
        SignExtend(Byte, Word),
        Qword
    ),
    extend_half!(VEX_Vpmovsxbw_ymm_xmmm128, SignExtend(Byte, Word)),
    extend!(
        VEX_Vpmovsxbd_xmm_xmmm32,
        V128,
        SignExtend(Byte, Dword),
        Dword
    ),
    extend!(
        VEX_Vpmovsxbd_ymm_xmmm64,
        Y256,
        SignExtend(Byte, Dword),
        Qword
    ),
    extend!(
        VEX_Vpmovsxbq_xmm_xmmm16,
        V128,
        SignExtend(Byte, Qword),
        Word
    ),
    extend!(
        VEX_Vpmovsxbq_ymm_xmmm32,
        Y256,
        SignExtend(Byte, Qword),
        Dword
    ),
    extend!(
        VEX_Vpmovsxwd_xmm_xmmm64,
        V128,
        SignExtend(Word, Dword),
        Qword
    ),
    extend_half!(VEX_Vpmovsxwd_ymm_xmmm128, SignExtend(Word, Dword)),
    extend!(
        VEX_Vpmovsxwq_xmm_xmmm32,
        V128,
        SignExtend(Word, Qword),
        Dword
    ),
    extend!(
        VEX_Vpmovsxwq_ymm_xmmm64,
        Y256,
        SignExtend(Word, Qword),
        Qword
    ),
    extend!(
        VEX_Vpmovsxdq_xmm_xmmm64,
        V128,
        SignExtend(Dword, Qword),
        Qword
    ),
    extend_half!(VEX_Vpmovsxdq_ymm_xmmm128, SignExtend(Dword, Qword)),
    extend!(
        VEX_Vpmovzxbw_xmm_xmmm64,
        V128,
        ZeroExtend(Byte, Word),
        Qword
    ),
    extend_half!(VEX_Vpmovzxbw_ymm_xmmm128, ZeroExtend(Byte, Word)),
    extend!(
        VEX_Vpmovzxbd_xmm_xmmm32,
        V128,
        ZeroExtend(Byte, Dword),
        Dword
    ),
    extend!(
        VEX_Vpmovzxbd_ymm_xmmm64,
        Y256,
        ZeroExtend(Byte, Dword),
        Qword
    ),
    extend!(
        VEX_Vpmovzxbq_xmm_xmmm16,
        V128,
        ZeroExtend(Byte, Qword),
        Word
    ),
    extend!(
        VEX_Vpmovzxbq_ymm_xmmm32,
        Y256,
        ZeroExtend(Byte, Qword),
        Dword
    ),
    extend!(
        VEX_Vpmovzxwd_xmm_xmmm64,
        V128,
        ZeroExtend(Word, Dword),
        Qword
    ),
    extend_half!(VEX_Vpmovzxwd_ymm_xmmm128, ZeroExtend(Word, Dword)),
    extend!(
        VEX_Vpmovzxwq_xmm_xmmm32,
        V128,
        ZeroExtend(Word, Qword),
        Dword
    ),
    extend!(
        VEX_Vpmovzxwq_ymm_xmmm64,
        Y256,
        ZeroExtend(Word, Qword),
        Qword
    ),
    extend!(
        VEX_Vpmovzxdq_xmm_xmmm64,
        V128,
        ZeroExtend(Dword, Qword),
        Qword
    ),
    extend_half!(VEX_Vpmovzxdq_ymm_xmmm128, ZeroExtend(Dword, Qword)),
    bound_row!(
        VEX_Vphminposuw_xmm_xmmm128,
        Avx,
        unary,
        VectorUnaryOp = VectorUnaryOp::Least,
        [V128, Reg1],
        [V128, Mem]
    ),
];
