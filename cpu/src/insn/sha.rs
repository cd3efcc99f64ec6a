//! SHA-1 and SHA-256 (SDM 1, 5.18; SDM 2B, SHA1RNDS4).

use super::vector::rows::{crypto, crypto_by};
use super::vector::{bound_row, packed, packed_by, select};
use super::{Mem, Reg1, Row};
use crate::vector::VectorTernaryOp;
use crate::verbs::X128;

/// Words and constants come from XMM0.
const ROUNDS_256: Row = bound_row!(
    Sha256rnds2_xmm_xmmm128,
    Sse,
    select,
    VectorTernaryOp = VectorTernaryOp::Sha256Rounds,
    [X128, Reg1],
    [X128, Mem]
);

pub(super) const ROWS: &[Row] = &[
    crypto!(Sha1nexte_xmm_xmmm128, Sha1NextE),
    crypto!(Sha1msg1_xmm_xmmm128, Sha1Schedule1),
    crypto!(Sha1msg2_xmm_xmmm128, Sha1Schedule2),
    ROUNDS_256,
    crypto!(Sha256msg1_xmm_xmmm128, Sha256Schedule1),
    crypto!(Sha256msg2_xmm_xmmm128, Sha256Schedule2),
    crypto_by!(Sha1rnds4_xmm_xmmm128_imm8, Sha1Rounds),
];
