//! Compiled code against the interpreter.
#![expect(clippy::unwrap_used, reason = "these are tests")]

mod calls;
mod programs;
mod vectors;
mod x87;
