//! Far control transfer: JMP, CALL, RET, IRET, INT, SYSCALL and their kin (SDM 1, 5.1.7 and 5.20).

use super::Row;

pub(super) const ROWS: &[Row] = &[];
