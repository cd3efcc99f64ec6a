//! The whole machine: ROMs, kernels and the command line.
#![forbid(unsafe_code)]

mod cli;
mod disk;
mod linux;
mod roms;
mod support;
