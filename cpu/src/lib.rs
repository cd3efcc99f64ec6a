//! The x86-64 processor: state, decoding, meaning and interpretation.
//!
//! Every instruction is written once, in [`verbs`], and read by the interpreter
//! and by the builder of the [`ir`]. Nothing a guest does makes this crate panic.
#![forbid(unsafe_code)]

mod acts;
pub mod compiled;
mod control;
pub mod cpuid;
mod debug;
pub mod decode;
mod delivery;
pub mod exception;
mod ferr;
pub mod flags;
pub mod float;
pub mod fpu;
pub mod insn;
pub mod interp;
pub mod ir;
mod memory;
pub mod mode;
mod msr;
pub mod platform;
mod processor;
pub mod report;
pub mod rflags;
pub mod segment;
pub mod smm;
pub mod state;
pub mod statistics;
mod task;
pub mod testing;
pub mod vector;
pub mod verbs;
pub mod x87;
mod xstate;

pub use cpuid::{Model, Topology};
pub use exception::Exception;
pub use interp::{Engine, Evaluator, Interpreter, Stop};
pub use platform::{LocalApicView, Platform};
pub use processor::Cpu;
pub use state::CpuState;
