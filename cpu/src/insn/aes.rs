//! AES and PCLMULQDQ (SDM 1, 5.12 and 12.13).

use super::vector::rows::{crypto, crypto_by, unary};
use super::vector::{packed, packed_by, unary};
use super::{Mem, Reg1, Row};
use crate::verbs::X128;

pub(super) const ROWS: &[Row] = &[
    unary!(Aesimc_xmm_xmmm128, AesInverseMix),
    crypto!(Aesenc_xmm_xmmm128, AesEncrypt),
    crypto!(Aesenclast_xmm_xmmm128, AesEncryptLast),
    crypto!(Aesdec_xmm_xmmm128, AesDecrypt),
    crypto!(Aesdeclast_xmm_xmmm128, AesDecryptLast),
    crypto_by!(Aeskeygenassist_xmm_xmmm128_imm8, AesKey),
    crypto_by!(Pclmulqdq_xmm_xmmm128_imm8, CarrylessMul),
];
