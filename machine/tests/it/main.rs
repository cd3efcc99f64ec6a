//! The whole machine: ROMs, kernels and the command line.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod bios;
mod cli;
mod disk;
mod dos;
mod fat;
mod firmware;
#[cfg(unix)]
mod full_disk;
mod linux;
mod media;
mod processors;
mod roms;
mod screen;
mod sleep;
mod support;
mod systems;
mod verify;
mod video_bios;
