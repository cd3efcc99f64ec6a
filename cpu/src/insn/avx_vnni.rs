//! Dot products of integers added to a third operand, AVX-VNNI (SDM 2, VPDPBUSD to VPDPWSSDS).

use super::vector::accumulate;
use super::vector::vex::pair;
use super::{Reg2, Row};
use crate::vector::VectorTernaryOp;

/// Two rows, for both registers.
macro_rules! dot {
    ($xmm:ident $ymm:ident, $op:ident, $saturates:literal) => {
        pair!(
            $xmm $ymm, accumulate,
            VectorTernaryOp = VectorTernaryOp::$op { saturates: $saturates },
            Reg2
        )
    };
}

pub(super) const PAIRS: &[Row] = [
    dot!(VEX_Vpdpbusd_xmm_xmm_xmmm128 VEX_Vpdpbusd_ymm_ymm_ymmm256, DotBytes, false),
    dot!(VEX_Vpdpbusds_xmm_xmm_xmmm128 VEX_Vpdpbusds_ymm_ymm_ymmm256, DotBytes, true),
    dot!(VEX_Vpdpwssd_xmm_xmm_xmmm128 VEX_Vpdpwssd_ymm_ymm_ymmm256, DotWords, false),
    dot!(VEX_Vpdpwssds_xmm_xmm_xmmm128 VEX_Vpdpwssds_ymm_ymm_ymmm256, DotWords, true),
]
.as_flattened();
