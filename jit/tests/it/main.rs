//! Compiled code against the interpreter.
#![expect(clippy::unwrap_used, reason = "these are tests")]

mod calls;
mod deadlines;
mod faults;
#[cfg(target_arch = "x86_64")]
mod golden;
mod masked;
mod pair;
mod programs;
mod segmented;
mod shortcuts;
mod stack;

mod strings;
mod traces;
mod vectors;
mod x87;
