//! Turns IR blocks into host code. Knows no x86 guest opcode.
//!
//! A [`Jit`] is a [`rax_cpu::Engine`]: it interprets what is cold and compiles what is
//! warm. What happens between blocks it leaves to the interpreter, whose blocks it
//! compiles; so it differs in speed and nothing else.

#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "back ends use it, and this host has none")
)]
mod backend;
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "back ends use it, and this host has none")
)]
mod block;
mod code_cache;
pub mod dump;
mod engine;
mod exec_memory;
#[cfg(target_arch = "x86_64")]
mod helpers;
mod jump_caches;
mod link;
pub mod lockstep;
pub mod passes;
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "back ends use it, and this host has none")
)]
mod relocation;
mod trace;
mod trampoline;
mod whereabouts;
mod windows;

pub use engine::{Jit, Report, Statistics};
pub use whereabouts::{Doing, Whereabouts};

/// How the compiler is to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of host code that are kept.
    pub cache_bytes: usize,
    /// How often a block runs interpreted before it is compiled.
    pub threshold: u16,
    /// How many instructions compiled code runs, at least, from one look at where it is
    /// to the next; no fewer than 64.
    pub interval: u64,
    /// How often a unit must be found running before the path from there is compiled.
    pub hot: u8,
}

impl Options {
    /// What is good for most guests.
    pub const DEFAULT: Self = Self {
        cache_bytes: 128 << 20,
        threshold: 16,
        interval: 1 << 15,
        hot: 6,
    };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why there is no compiled code on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// This build has no back end for the host's processor.
    NoBackEnd,
    /// The host gives no memory that code may run in; what it said.
    NoMemory(String),
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoBackEnd => f.write_str("this build cannot compile for this host's processor"),
            Self::NoMemory(why) => {
                write!(f, "the host gives no memory that code may run in: {why}")
            }
        }
    }
}

impl std::error::Error for Unavailable {}
