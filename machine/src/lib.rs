//! The PC: which chips, at which addresses, on which wires; how it boots and runs.
//!
//! [`Machine`] is a PC as a value: build it from a [`Config`], then
//! [`Machine::run`] it. The `rax` command is a thin layer over this.
#![forbid(unsafe_code)]

pub mod automation;
pub mod board;
mod bus;
pub mod cli;
pub mod clock;
pub mod handover;
pub mod host;
mod idle;
pub mod jit_dump;
pub mod keys;
pub mod load;
mod machine;
pub mod media;
pub mod memory_map;
mod memory_windows;
pub mod mp_table;
pub mod onlookers;
pub mod ports;
pub mod run;
pub mod screenshot;
pub mod stats;
mod turns;
mod typist;
pub mod verify;
mod video_memory;
pub mod watch;

pub use board::{Board, BootDevice, Fittings, NetworkAdapter, NetworkModel, Place};
pub use machine::{Boot, BuildError, Config, Machine};
pub use run::{End, Pace, Watcher};

/// Says something to the person at the terminal, never on standard output.
pub(crate) fn say(text: &str) {
    host::message(text);
}
