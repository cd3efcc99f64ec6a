//! The PC: which chips, at which addresses, on which wires; how it boots and runs.
//!
//! [`Machine`] is a PC as a value: build it from a [`Config`], then
//! [`Machine::run`] it. The `rax` command is a thin layer over this.
#![forbid(unsafe_code)]

pub mod board;
mod bus;
pub mod cli;
pub mod clock;
pub mod handover;
pub mod host;
pub mod jit_dump;
pub mod load;
mod machine;
pub mod memory_map;
mod memory_windows;
pub mod mp_table;
pub mod ports;
pub mod run;
pub mod stats;
mod turns;
pub mod verify;
pub mod watch;

pub use board::{Board, Fittings};
pub use machine::{Boot, BuildError, Config, Machine};
pub use run::{End, Pace, Watcher};

/// Says something to the person at the terminal, never on standard output.
pub(crate) fn say(text: &str) {
    host::message(text);
}
