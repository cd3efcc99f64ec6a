//! SSE2 (SDM 1, 5.6).

use super::Row;

pub(super) const ROWS: &[Row] = &[];
