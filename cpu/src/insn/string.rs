//! String instructions (SDM 1, 5.1.8), with and without REP.

use super::Row;

pub(super) const ROWS: &[Row] = &[];
