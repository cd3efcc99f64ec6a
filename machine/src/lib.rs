//! The PC: which chips, at which addresses, on which wires.
#![forbid(unsafe_code)]
pub mod load;
