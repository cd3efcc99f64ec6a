//! The whole machine: ROMs, kernels and the command line.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod bios;
mod cli;
mod disk;
mod dos;
mod firmware;
mod linux;
mod media;
mod processors;
mod roms;
mod screen;
mod support;
mod verify;
mod video_bios;
