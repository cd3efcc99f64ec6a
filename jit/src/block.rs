//! What is compiled as one: a block of the interpreter's at one address.

use std::sync::Arc;

use rax_cpu::Cpu;
use rax_cpu::compiled::Place;
use rax_cpu::insn::Insn;
use rax_cpu::interp::Block;
use rax_cpu::mode::Mode;

/// A block, its address and its mode: constants in its code.
#[derive(Debug)]
pub(crate) struct Unit {
    /// The instructions.
    pub(crate) insns: Arc<[Insn]>,
    /// RIP at its start.
    pub(crate) rip: u64,
    /// The base of CS, shifted to the upper half, unless the mode says that it is zero.
    pub(crate) code_base: u64,
    /// Its length in bytes.
    pub(crate) bytes: u16,
    /// It spans two pages, and may be entered only where both were looked up.
    pub(crate) crosses_page: bool,
    /// The mode it was decoded in.
    pub(crate) mode: Mode,
}

impl Unit {
    /// A block at CS:RIP.
    pub(crate) fn new(block: &Block, cpu: &Cpu) -> Self {
        let (rip, mode) = (cpu.state.rip, cpu.mode());
        Self {
            insns: Arc::clone(&block.insns),
            rip,
            code_base: cpu.code_key() - rip,
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

    /// The name of an address in its code segment: where code is looked for.
    pub(crate) const fn key_of(&self, rip: u64) -> u64 {
        rip | self.code_base
    }

    /// The name of its start.
    pub(crate) const fn key(&self) -> u64 {
        self.key_of(self.rip)
    }

    /// The linear address of one in its code segment.
    pub(crate) fn linear(&self, rip: u64) -> u64 {
        if self.is_segmented() {
            rip.wrapping_add(self.code_base >> 32) & 0xffff_ffff
        } else {
            rip
        }
    }

    /// Whether bases and limits of segments matter.
    pub(crate) const fn is_segmented(&self) -> bool {
        !self.mode.intersects(Mode::FLAT.union(Mode::CODE64))
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
