//! AVX and AVX2 (SDM 1, chapter 14): the VEX forms of SSE to SSE4.2, AES and PCLMULQDQ on XMM
//! and YMM registers, and what only these have.

mod integer;

use super::Row;

pub(super) const INTEGER_PAIRS: &[Row] = integer::PAIRS.as_flattened();
pub(super) use integer::SINGLES as INTEGER_SINGLES;
