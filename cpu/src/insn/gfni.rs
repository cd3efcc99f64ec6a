//! Galois field instructions (SDM 1, 5.25): affine maps and products of bytes.

use super::vector::rows::{crypto, crypto_by};
use super::vector::{packed, packed_by};
use super::{Mem, Reg1, Row};
use crate::verbs::X128;

pub(super) const ROWS: &[Row] = &[
    crypto!(Gf2p8mulb_xmm_xmmm128, GaloisMul),
    crypto_by!(Gf2p8affineqb_xmm_xmmm128_imm8, GaloisAffine),
    crypto_by!(Gf2p8affineinvqb_xmm_xmmm128_imm8, GaloisAffineInverse),
];
