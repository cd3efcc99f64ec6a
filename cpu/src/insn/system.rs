//! System instructions (SDM 1, 5.20): control registers, MSRs, CPUID, caches, TLB, HLT.

use super::Row;

pub(super) const ROWS: &[Row] = &[];
