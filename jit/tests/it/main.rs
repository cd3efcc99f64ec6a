//! Compiled code against the interpreter.

mod programs;
