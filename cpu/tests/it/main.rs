//! Tests of the processor through its public face, in one binary.
#![expect(clippy::unwrap_used, reason = "these are tests")]

mod case;
mod codes;
mod decoding;
mod flags_model;
mod no_panic;
mod random;
mod vectors;
