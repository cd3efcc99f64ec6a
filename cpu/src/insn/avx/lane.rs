//! Lanes chosen, put in, taken out, broadcast, masked and gathered on XMM and YMM registers;
//! string comparisons; AES and PCLMULQDQ (SDM 1, 14.3 to 14.7 and 14.9; SDM 2).

use super::super::vector::vex::{crypto, crypto_by, one, pair, shuffle};
use super::super::vector::{
    bound_row, broadcast_half, compare_strings, cross, cross_by, extend, extract_half,
    extract_lane, gather, insert_dword, insert_half, insert_lane, masked_load, masked_store,
    packed, packed_by, select, shuffle, slot_row, test, unary,
};
use super::super::{Mem, Reg0, Reg1, Reg2, Row, Unit, helper};
use crate::vector::{CrossOp, Lane, VectorTernaryOp, VectorUnaryOp};
use crate::verbs::{Byte, Dword, Qword, V128, Word, Y256};

/// Lanes chosen by the signs in a fourth register.
macro_rules! select {
    ($xmm:ident $ymm:ident, $lane:ident) => {
        pair!(
            $xmm $ymm, select,
            VectorTernaryOp = VectorTernaryOp::Select(Lane::$lane),
            Reg2
        )
    };
}

/// The lowest lane, which is all that memory holds, in every place.
macro_rules! broadcast {
    ($code:ident, $register:ident, $lane:ident) => {
        bound_row!(
            $code,
            Avx,
            extend,
            VectorUnaryOp = VectorUnaryOp::Broadcast(Lane::$lane),
            [$register, $lane, Reg1],
            [$register, $lane, Mem]
        )
    };
}

/// Lanes that cross from one half into the other, as an immediate says.
macro_rules! cross_by {
    ($code:ident, $op:ident, $slot:ty) => {
        one!(
            $code,
            Y256,
            cross_by,
            fn(u8) -> CrossOp = CrossOp::$op,
            $slot
        )
    };
}

/// One lane to or from a general register or memory.
macro_rules! lane {
    ($code:ident, $meaning:ident, $width:ty, $register:ty) => {
        slot_row!(
            $code,
            Avx,
            $meaning,
            [V128, $width, $register],
            [V128, $width, Mem]
        )
    };
}

/// A masked move.
macro_rules! masked {
    ($code:ident, $meaning:ident, $lane:ident, [$($parameter:ty),*]) => {
        bound_row!(
            $code, Avx, $meaning, Lane = Lane::$lane,
            [$($parameter),*], [$($parameter),*]
        )
    };
}

#[rustfmt::skip]
pub(in crate::insn) const PAIRS: &[[Row; 2]] = &[
    shuffle!(VEX_Vpshufd_xmm_xmmm128_imm8 VEX_Vpshufd_ymm_ymmm256_imm8, Dwords, Reg1),
    shuffle!(VEX_Vpshufhw_xmm_xmmm128_imm8 VEX_Vpshufhw_ymm_ymmm256_imm8, HighWords, Reg1),
    shuffle!(VEX_Vpshuflw_xmm_xmmm128_imm8 VEX_Vpshuflw_ymm_ymmm256_imm8, LowWords, Reg1),
    shuffle!(VEX_Vpermilps_xmm_xmmm128_imm8 VEX_Vpermilps_ymm_ymmm256_imm8, Dwords, Reg1),
    shuffle!(VEX_Vpermilpd_xmm_xmmm128_imm8 VEX_Vpermilpd_ymm_ymmm256_imm8, Qwords, Reg1),
    shuffle!(VEX_Vshufps_xmm_xmm_xmmm128_imm8 VEX_Vshufps_ymm_ymm_ymmm256_imm8, TwoDwords, Reg2),
    shuffle!(VEX_Vshufpd_xmm_xmm_xmmm128_imm8 VEX_Vshufpd_ymm_ymm_ymmm256_imm8, TwoQwords, Reg2),
    shuffle!(VEX_Vblendps_xmm_xmm_xmmm128_imm8 VEX_Vblendps_ymm_ymm_ymmm256_imm8, Blend(Dword), Reg2),
    shuffle!(VEX_Vblendpd_xmm_xmm_xmmm128_imm8 VEX_Vblendpd_ymm_ymm_ymmm256_imm8, Blend(Qword), Reg2),
    shuffle!(VEX_Vpblendw_xmm_xmm_xmmm128_imm8 VEX_Vpblendw_ymm_ymm_ymmm256_imm8, Blend(Word), Reg2),
    shuffle!(VEX_Vpblendd_xmm_xmm_xmmm128_imm8 VEX_Vpblendd_ymm_ymm_ymmm256_imm8, Blend(Dword), Reg2),
    shuffle!(VEX_Vpalignr_xmm_xmm_xmmm128_imm8 VEX_Vpalignr_ymm_ymm_ymmm256_imm8, Align, Reg2),
    select!(VEX_Vblendvps_xmm_xmm_xmmm128_xmm VEX_Vblendvps_ymm_ymm_ymmm256_ymm, Dword),
    select!(VEX_Vblendvpd_xmm_xmm_xmmm128_xmm VEX_Vblendvpd_ymm_ymm_ymmm256_ymm, Qword),
    select!(VEX_Vpblendvb_xmm_xmm_xmmm128_xmm VEX_Vpblendvb_ymm_ymm_ymmm256_ymm, Byte),
    pair!(VEX_Vtestps_xmm_xmmm128 VEX_Vtestps_ymm_ymmm256, test, Option<Lane> = Some(Lane::Dword), Reg1),
    pair!(VEX_Vtestpd_xmm_xmmm128 VEX_Vtestpd_ymm_ymmm256, test, Option<Lane> = Some(Lane::Qword), Reg1),
];

#[rustfmt::skip]
pub(in crate::insn) const SINGLES: &[Row] = &[
    one!(VEX_Vptest_xmm_xmmm128, V128, test, Option<Lane> = None, Reg1),
    one!(VEX_Vptest_ymm_ymmm256, Y256, test, Option<Lane> = None, Reg1),
    broadcast!(VEX_Vpbroadcastb_xmm_xmmm8, V128, Byte),
    broadcast!(VEX_Vpbroadcastb_ymm_xmmm8, Y256, Byte),
    broadcast!(VEX_Vpbroadcastw_xmm_xmmm16, V128, Word),
    broadcast!(VEX_Vpbroadcastw_ymm_xmmm16, Y256, Word),
    broadcast!(VEX_Vpbroadcastd_xmm_xmmm32, V128, Dword),
    broadcast!(VEX_Vpbroadcastd_ymm_xmmm32, Y256, Dword),
    broadcast!(VEX_Vpbroadcastq_xmm_xmmm64, V128, Qword),
    broadcast!(VEX_Vpbroadcastq_ymm_xmmm64, Y256, Qword),
    broadcast!(VEX_Vbroadcastss_xmm_m32, V128, Dword),
    broadcast!(VEX_Vbroadcastss_xmm_xmm, V128, Dword),
    broadcast!(VEX_Vbroadcastss_ymm_m32, Y256, Dword),
    broadcast!(VEX_Vbroadcastss_ymm_xmm, Y256, Dword),
    broadcast!(VEX_Vbroadcastsd_ymm_m64, Y256, Qword),
    broadcast!(VEX_Vbroadcastsd_ymm_xmm, Y256, Qword),
    slot_row!(VEX_Vbroadcastf128_ymm_m128, Avx, broadcast_half, [Y256, Mem], [Y256, Mem]),
    slot_row!(VEX_Vinsertf128_ymm_ymm_xmmm128_imm8, Avx, insert_half, [Y256, Reg2], [Y256, Mem]),
    slot_row!(VEX_Vextractf128_xmmm128_ymm_imm8, Avx, extract_half, [Y256, Reg0], [Y256, Mem]),
    cross_by!(VEX_Vperm2f128_ymm_ymm_ymmm256_imm8, Pieces, Reg2),
    slot_row!(VEX_Vbroadcasti128_ymm_m128, Avx, broadcast_half, [Y256, Mem], [Y256, Mem]),
    slot_row!(VEX_Vinserti128_ymm_ymm_xmmm128_imm8, Avx, insert_half, [Y256, Reg2], [Y256, Mem]),
    slot_row!(VEX_Vextracti128_xmmm128_ymm_imm8, Avx, extract_half, [Y256, Reg0], [Y256, Mem]),
    cross_by!(VEX_Vperm2i128_ymm_ymm_ymmm256_imm8, Pieces, Reg2),
    one!(VEX_Vpermps_ymm_ymm_ymmm256, Y256, cross, CrossOp = CrossOp::Dwords, Reg2),
    one!(VEX_Vpermd_ymm_ymm_ymmm256, Y256, cross, CrossOp = CrossOp::Dwords, Reg2),
    cross_by!(VEX_Vpermq_ymm_ymmm256_imm8, Qwords, Reg1),
    cross_by!(VEX_Vpermpd_ymm_ymmm256_imm8, Qwords, Reg1),
    lane!(VEX_Vpinsrb_xmm_xmm_r32m8_imm8, insert_lane, Byte, Reg2),
    lane!(VEX_Vpextrb_r32m8_xmm_imm8, extract_lane, Byte, Reg0),
    lane!(VEX_Vpinsrb_xmm_xmm_r64m8_imm8, insert_lane, Byte, Reg2),
    lane!(VEX_Vpextrb_r64m8_xmm_imm8, extract_lane, Byte, Reg0),
    lane!(VEX_Vpinsrw_xmm_xmm_r32m16_imm8, insert_lane, Word, Reg2),
    lane!(VEX_Vpextrw_r32m16_xmm_imm8, extract_lane, Word, Reg0),
    lane!(VEX_Vpinsrw_xmm_xmm_r64m16_imm8, insert_lane, Word, Reg2),
    lane!(VEX_Vpextrw_r64m16_xmm_imm8, extract_lane, Word, Reg0),
    lane!(VEX_Vpinsrd_xmm_xmm_rm32_imm8, insert_lane, Dword, Reg2),
    lane!(VEX_Vpextrd_rm32_xmm_imm8, extract_lane, Dword, Reg0),
    lane!(VEX_Vpinsrq_xmm_xmm_rm64_imm8, insert_lane, Qword, Reg2),
    lane!(VEX_Vpextrq_rm64_xmm_imm8, extract_lane, Qword, Reg0),
    lane!(VEX_Vpextrw_r32_xmm_imm8, extract_lane, Word, Reg0),
    lane!(VEX_Vpextrw_r64_xmm_imm8, extract_lane, Word, Reg0),
    lane!(VEX_Vextractps_rm32_xmm_imm8, extract_lane, Dword, Reg0),
    lane!(VEX_Vextractps_r64m32_xmm_imm8, extract_lane, Dword, Reg0),
    slot_row!(VEX_Vinsertps_xmm_xmm_xmmm32_imm8, Avx, insert_dword, [V128, Reg2], [V128, Mem]),
    helper!(VEX_Vpcmpestrm_xmm_xmmm128_imm8, compare_strings::<V128>).needs(Unit::Avx),
    helper!(VEX_Vpcmpestrm64_xmm_xmmm128_imm8, compare_strings::<V128>).needs(Unit::Avx),
    helper!(VEX_Vpcmpestri_xmm_xmmm128_imm8, compare_strings::<V128>).needs(Unit::Avx),
    helper!(VEX_Vpcmpestri64_xmm_xmmm128_imm8, compare_strings::<V128>).needs(Unit::Avx),
    helper!(VEX_Vpcmpistrm_xmm_xmmm128_imm8, compare_strings::<V128>).needs(Unit::Avx),
    helper!(VEX_Vpcmpistri_xmm_xmmm128_imm8, compare_strings::<V128>).needs(Unit::Avx),
    crypto!(VEX_Vaesenc_xmm_xmm_xmmm128, V128, AesEncrypt),
    crypto!(VEX_Vaesenclast_xmm_xmm_xmmm128, V128, AesEncryptLast),
    crypto!(VEX_Vaesdec_xmm_xmm_xmmm128, V128, AesDecrypt),
    crypto!(VEX_Vaesdeclast_xmm_xmm_xmmm128, V128, AesDecryptLast),
    one!(VEX_Vaesimc_xmm_xmmm128, V128, unary, VectorUnaryOp = VectorUnaryOp::AesInverseMix, Reg1),
    crypto_by!(VEX_Vaeskeygenassist_xmm_xmmm128_imm8, V128, AesKey, Reg1),
    crypto_by!(VEX_Vpclmulqdq_xmm_xmm_xmmm128_imm8, V128, CarrylessMul, Reg2),
    masked!(VEX_Vmaskmovps_xmm_xmm_m128, masked_load, Dword, [V128]),
    masked!(VEX_Vmaskmovps_ymm_ymm_m256, masked_load, Dword, [Y256]),
    masked!(VEX_Vmaskmovps_m128_xmm_xmm, masked_store, Dword, [V128, Mem]),
    masked!(VEX_Vmaskmovps_m256_ymm_ymm, masked_store, Dword, [Y256, Mem]),
    masked!(VEX_Vmaskmovpd_xmm_xmm_m128, masked_load, Qword, [V128]),
    masked!(VEX_Vmaskmovpd_ymm_ymm_m256, masked_load, Qword, [Y256]),
    masked!(VEX_Vmaskmovpd_m128_xmm_xmm, masked_store, Qword, [V128, Mem]),
    masked!(VEX_Vmaskmovpd_m256_ymm_ymm, masked_store, Qword, [Y256, Mem]),
    masked!(VEX_Vpmaskmovd_xmm_xmm_m128, masked_load, Dword, [V128]),
    masked!(VEX_Vpmaskmovd_ymm_ymm_m256, masked_load, Dword, [Y256]),
    masked!(VEX_Vpmaskmovd_m128_xmm_xmm, masked_store, Dword, [V128, Mem]),
    masked!(VEX_Vpmaskmovd_m256_ymm_ymm, masked_store, Dword, [Y256, Mem]),
    masked!(VEX_Vpmaskmovq_xmm_xmm_m128, masked_load, Qword, [V128]),
    masked!(VEX_Vpmaskmovq_ymm_ymm_m256, masked_load, Qword, [Y256]),
    masked!(VEX_Vpmaskmovq_m128_xmm_xmm, masked_store, Qword, [V128, Mem]),
    masked!(VEX_Vpmaskmovq_m256_ymm_ymm, masked_store, Qword, [Y256, Mem]),
    helper!(VEX_Vpgatherdd_xmm_vm32x_xmm, gather::<V128, Dword, Dword, 4>).needs(Unit::Avx),
    helper!(VEX_Vpgatherdd_ymm_vm32y_ymm, gather::<Y256, Dword, Dword, 8>).needs(Unit::Avx),
    helper!(VEX_Vpgatherdq_xmm_vm32x_xmm, gather::<V128, Dword, Qword, 2>).needs(Unit::Avx),
    helper!(VEX_Vpgatherdq_ymm_vm32x_ymm, gather::<Y256, Dword, Qword, 4>).needs(Unit::Avx),
    helper!(VEX_Vpgatherqd_xmm_vm64x_xmm, gather::<V128, Qword, Dword, 2>).needs(Unit::Avx),
    helper!(VEX_Vpgatherqd_xmm_vm64y_xmm, gather::<Y256, Qword, Dword, 4>).needs(Unit::Avx),
    helper!(VEX_Vpgatherqq_xmm_vm64x_xmm, gather::<V128, Qword, Qword, 2>).needs(Unit::Avx),
    helper!(VEX_Vpgatherqq_ymm_vm64y_ymm, gather::<Y256, Qword, Qword, 4>).needs(Unit::Avx),
    helper!(VEX_Vgatherdps_xmm_vm32x_xmm, gather::<V128, Dword, Dword, 4>).needs(Unit::Avx),
    helper!(VEX_Vgatherdps_ymm_vm32y_ymm, gather::<Y256, Dword, Dword, 8>).needs(Unit::Avx),
    helper!(VEX_Vgatherdpd_xmm_vm32x_xmm, gather::<V128, Dword, Qword, 2>).needs(Unit::Avx),
    helper!(VEX_Vgatherdpd_ymm_vm32x_ymm, gather::<Y256, Dword, Qword, 4>).needs(Unit::Avx),
    helper!(VEX_Vgatherqps_xmm_vm64x_xmm, gather::<V128, Qword, Dword, 2>).needs(Unit::Avx),
    helper!(VEX_Vgatherqps_xmm_vm64y_xmm, gather::<Y256, Qword, Dword, 4>).needs(Unit::Avx),
    helper!(VEX_Vgatherqpd_xmm_vm64x_xmm, gather::<V128, Qword, Qword, 2>).needs(Unit::Avx),
    helper!(VEX_Vgatherqpd_ymm_vm64y_ymm, gather::<Y256, Qword, Qword, 4>).needs(Unit::Avx),
];
