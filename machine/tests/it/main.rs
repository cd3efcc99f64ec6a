//! The whole machine: ROMs, kernels and the command line.
#![forbid(unsafe_code)]

mod roms;
mod support;
