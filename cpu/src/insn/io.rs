//! Port input and output (SDM 1, 5.1.9): IN, OUT, INS, OUTS.

use super::Row;

pub(super) const ROWS: &[Row] = &[];
