//! AES and PCLMULQDQ (SDM 1, 5.12 and 12.13), and their forms on YMM registers, VAES and
//! VPCLMULQDQ. Those on XMM registers belong to AVX.

use super::vector::rows::{crypto, crypto_by, unary};
use super::vector::{packed, packed_by, unary, vex};
use super::{Mem, Reg1, Reg2, Row};
use crate::verbs::X128;

pub(super) const ROWS: &[Row] = &[
    unary!(Aesimc_xmm_xmmm128, AesInverseMix),
    crypto!(Aesenc_xmm_xmmm128, AesEncrypt),
    crypto!(Aesenclast_xmm_xmmm128, AesEncryptLast),
    crypto!(Aesdec_xmm_xmmm128, AesDecrypt),
    crypto!(Aesdeclast_xmm_xmmm128, AesDecryptLast),
    crypto_by!(Aeskeygenassist_xmm_xmmm128_imm8, AesKey),
    crypto_by!(Pclmulqdq_xmm_xmmm128_imm8, CarrylessMul),
    vex::crypto!(VEX_Vaesenc_ymm_ymm_ymmm256, Y256, AesEncrypt),
    vex::crypto!(VEX_Vaesenclast_ymm_ymm_ymmm256, Y256, AesEncryptLast),
    vex::crypto!(VEX_Vaesdec_ymm_ymm_ymmm256, Y256, AesDecrypt),
    vex::crypto!(VEX_Vaesdeclast_ymm_ymm_ymmm256, Y256, AesDecryptLast),
    vex::crypto_by!(
        VEX_Vpclmulqdq_ymm_ymm_ymmm256_imm8,
        Y256,
        CarrylessMul,
        Reg2
    ),
];
