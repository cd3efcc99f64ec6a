//! What is compiled as one: a block of the interpreter's at one linear address.

use std::sync::Arc;

use rax_cpu::compiled::Place;
use rax_cpu::insn::Insn;
use rax_cpu::interp::Block;
use rax_cpu::mode::Mode;

/// A block, its linear address and its mode: constants in its code.
#[derive(Debug)]
pub(crate) struct Unit {
    /// The instructions.
    pub(crate) insns: Arc<[Insn]>,
    /// RIP at its start.
    pub(crate) rip: u64,
    /// Its length in bytes.
    pub(crate) bytes: u16,
    /// It spans two pages, and may be entered only where both were looked up.
    pub(crate) crosses_page: bool,
    /// The mode it was decoded in.
    pub(crate) mode: Mode,
}

impl Unit {
    pub(crate) fn new(block: &Block, rip: u64, mode: Mode) -> Self {
        Self {
            insns: Arc::clone(&block.insns),
            rip,
            bytes: block.bytes,
            crosses_page: block.crosses_page,
            mode,
        }
    }

    /// RIP behind its last instruction.
    pub(crate) fn end(&self) -> u64 {
        self.mode
            .truncate_ip(self.rip.wrapping_add(u64::from(self.bytes)))
    }

    /// What the interpreter needs to know to carry out one of the instructions.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            insns: &self.insns,
            rip: self.rip,
            bytes: self.bytes,
        }
    }
}
