//! FXSAVE and the XSAVE family (SDM 1, chapter 13).

use super::Row;

pub(super) const ROWS: &[Row] = &[];
