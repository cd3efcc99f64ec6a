//! The chips on the board. Each knows its registers, never its address.
#![forbid(unsafe_code)]
