//! Turns IR blocks into host code. Knows no x86 guest opcode.
//!
//! For now this crate holds its contract only: what an engine is to the machine
//! is [`rax_cpu::Engine`]; a [`Jit`] is one that compiles. No back end exists
//! yet, so [`Jit::new`] says so and the machine interprets.
#![forbid(unsafe_code)]

pub mod dump;
pub mod lockstep;
pub mod passes;

use rax_cpu::{Cpu, Engine, Stop};

/// Why there is no compiled code on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// This build has no back end for the host's processor.
    NoBackEnd,
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoBackEnd => f.write_str("this build cannot compile for this host's processor"),
        }
    }
}

impl std::error::Error for Unavailable {}

/// The compiling engine. Cannot be made while there is no back end.
#[derive(Debug)]
pub enum Jit {}

impl Jit {
    /// An engine for processors of `cpu`'s model.
    ///
    /// # Errors
    /// When this host cannot run compiled code.
    pub fn new(_cpu: &Cpu) -> Result<Self, Unavailable> {
        Err(Unavailable::NoBackEnd)
    }
}

impl Engine for Jit {
    fn run(&mut self, _cpu: &mut Cpu, _until: u64) -> Stop {
        match *self {}
    }

    fn step(&mut self, _cpu: &mut Cpu) -> Stop {
        match *self {}
    }
}
