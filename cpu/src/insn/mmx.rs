//! MMX (SDM 1, 5.4).

use super::Row;

pub(super) const ROWS: &[Row] = &[];
