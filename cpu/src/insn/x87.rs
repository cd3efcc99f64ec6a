//! x87 floating point (SDM 1, 5.2).

use super::Row;

pub(super) const ROWS: &[Row] = &[];
