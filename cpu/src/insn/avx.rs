//! AVX and AVX2 (SDM 1, chapter 14): the VEX forms of SSE to SSE4.2, AES and PCLMULQDQ on XMM
//! and YMM registers, and what only these have.
//!
//! Most instructions come in pairs, for XMM and for YMM registers. Which of AVX and AVX2 a row
//! belongs to is the decoder's knowledge.

mod float;
mod integer;
mod lane;
mod mov;

use super::Row;

/// What is the same on XMM and on YMM registers.
pub(super) const PAIRS: [&[Row]; 4] = [
    float::PAIRS.as_flattened(),
    integer::PAIRS.as_flattened(),
    lane::PAIRS.as_flattened(),
    mov::PAIRS.as_flattened(),
];

/// What is not.
pub(super) const SINGLES: [&[Row]; 4] = [
    float::SINGLES,
    integer::SINGLES,
    lane::SINGLES,
    mov::SINGLES,
];
