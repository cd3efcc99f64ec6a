//! SSE (SDM 1, 5.5).

use super::Row;

pub(super) const ROWS: &[Row] = &[];
