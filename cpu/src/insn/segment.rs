//! Segment registers and descriptor tables (SDM 1, 5.1.12 and 5.20).

use super::Row;

pub(super) const ROWS: &[Row] = &[];
