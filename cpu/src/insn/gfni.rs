//! Galois field instructions (SDM 1, 5.25): affine maps and products of bytes.

use super::vector::rows::{crypto, crypto_by};
use super::vector::{packed, packed_by, vex};
use super::{Mem, Reg1, Reg2, Row};
use crate::verbs::X128;

pub(super) const ROWS: &[Row] = &[
    crypto!(Gf2p8mulb_xmm_xmmm128, GaloisMul),
    crypto_by!(Gf2p8affineqb_xmm_xmmm128_imm8, GaloisAffine),
    crypto_by!(Gf2p8affineinvqb_xmm_xmmm128_imm8, GaloisAffineInverse),
    vex::crypto!(VEX_Vgf2p8mulb_xmm_xmm_xmmm128, V128, GaloisMul),
    vex::crypto_by!(
        VEX_Vgf2p8affineqb_xmm_xmm_xmmm128_imm8,
        V128,
        GaloisAffine,
        Reg2
    ),
    vex::crypto_by!(
        VEX_Vgf2p8affineinvqb_xmm_xmm_xmmm128_imm8,
        V128,
        GaloisAffineInverse,
        Reg2
    ),
    vex::crypto!(VEX_Vgf2p8mulb_ymm_ymm_ymmm256, Y256, GaloisMul),
    vex::crypto_by!(
        VEX_Vgf2p8affineqb_ymm_ymm_ymmm256_imm8,
        Y256,
        GaloisAffine,
        Reg2
    ),
    vex::crypto_by!(
        VEX_Vgf2p8affineinvqb_ymm_ymm_ymmm256_imm8,
        Y256,
        GaloisAffineInverse,
        Reg2
    ),
];
