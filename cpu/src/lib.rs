//! The x86-64 processor: state, decoding, meaning and interpretation.
#![forbid(unsafe_code)]
pub mod float;
