//! The PC: which chips, at which addresses, on which wires.
#![forbid(unsafe_code)]
pub mod cli;
pub mod host;
pub mod load;
