//! Miscellaneous instructions (SDM 1, 5.1.13): NOP, UD, BOUND, fences, CMPXCHG8B.

use super::Row;

pub(super) const ROWS: &[Row] = &[];
