//! What is compiled as one: a block of the interpreter's at one address, or a trace,
//! several blocks that ran one after the other.

use std::sync::Arc;

use rax_cpu::Cpu;
use rax_cpu::compiled::Place;
use rax_cpu::insn::Insn;
use rax_cpu::interp::Block;
use rax_cpu::mode::Mode;
use smallvec::{SmallVec, smallvec};

/// How many instructions a unit may have: there are sets of them with a bit each.
pub(crate) const LONGEST_UNIT: usize = 64;

/// Blocks, their addresses and their mode: constants in its code.
#[derive(Debug)]
pub(crate) struct Unit {
    /// The instructions of all parts.
    pub(crate) insns: Arc<[Insn]>,
    /// The blocks it is made of; never empty.
    parts: SmallVec<[Part; 1]>,
    /// RIP at its start.
    pub(crate) rip: u64,
    /// The base of CS, shifted to the upper half, unless the mode says that it is zero.
    pub(crate) code_base: u64,
    /// It spans two pages, and may be entered only where both were looked up.
    pub(crate) crosses_page: bool,
    /// The mode it was decoded in.
    pub(crate) mode: Mode,
    /// The instruction that begins a loop's second round, which may follow the last one.
    pub(crate) again: Option<u8>,
    /// It is hot, and may look through windows of the TLB.
    pub(crate) windows: Option<Windows>,
}

/// Which windows a hot unit may look through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    /// The number of the first.
    pub(crate) first: u8,
    /// Instructions for which that did not pay, a bit each.
    pub(crate) without: u64,
}

/// A block within a unit.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Number of its first instruction.
    first: u8,
    /// RIP there.
    rip: u64,
    /// Its length in bytes.
    bytes: u16,
}

impl Unit {
    /// A block at CS:RIP.
    pub(crate) fn new(block: &Block, cpu: &Cpu) -> Self {
        let rip = cpu.state.rip;
        Self {
            code_base: cpu.code_key() - rip,
            crosses_page: block.crosses_page,
            ..Self::of(&block.insns, rip, block.bytes, cpu.mode())
        }
    }

    /// Instructions in a row, in flat segments.
    pub(crate) fn of(insns: &Arc<[Insn]>, rip: u64, bytes: u16, mode: Mode) -> Self {
        Self {
            insns: Arc::clone(insns),
            parts: smallvec![Part {
                first: 0,
                rip,
                bytes,
            }],
            rip,
            code_base: 0,
            crosses_page: false,
            mode,
            again: None,
            windows: None,
        }
    }

    /// Blocks that ran one after the other, each with its RIP, within one page of flat
    /// code; at most [`LONGEST_UNIT`] instructions.
    pub(crate) fn trace<'a>(blocks: impl Iterator<Item = (&'a Block, u64)>, mode: Mode) -> Self {
        let mut insns = Vec::with_capacity(LONGEST_UNIT);
        let mut parts: SmallVec<[Part; 1]> = SmallVec::new();
        for (block, rip) in blocks {
            parts.push(Part {
                first: insns.len() as u8,
                rip,
                bytes: block.bytes,
            });
            insns.extend_from_slice(&block.insns);
        }
        debug_assert!(insns.len() <= LONGEST_UNIT, "within the sets");
        let again = parts.iter().skip(1).find(|part| part.rip == parts[0].rip);
        Self {
            again: again.map(|part| part.first),
            rip: parts[0].rip,
            insns: insns.into(),
            parts,
            code_base: 0,
            crosses_page: false,
            mode,
            windows: None,
        }
    }

    /// Whether its code may be wanted at another linear address: that of a library.
    pub(crate) fn may_be_copied(&self) -> bool {
        self.mode.contains(Mode::CODE64.union(Mode::USER)) && !self.crosses_page
    }

    /// The same blocks in the same order, elsewhere in the address space.
    pub(crate) fn moved(&self, rip: u64) -> Self {
        let by = rip.wrapping_sub(self.rip);
        let parts = self.parts.iter().map(|part| Part {
            rip: part.rip.wrapping_add(by),
            ..*part
        });
        Self {
            insns: Arc::clone(&self.insns),
            parts: parts.collect(),
            rip,
            ..*self
        }
    }

    /// The part that an instruction belongs to, and where it ends.
    fn part(&self, index: usize) -> (Part, usize) {
        let mut end = self.insns.len();
        for &part in self.parts.iter().rev() {
            let first = usize::from(part.first);
            if first <= index {
                return (part, end);
            }
            end = first;
        }
        (self.parts[0], end)
    }

    /// RIP at the start of the block that an instruction belongs to: its operands count
    /// from there.
    pub(crate) fn block_rip(&self, index: usize) -> u64 {
        self.part(index).0.rip
    }

    /// RIP of an instruction.
    pub(crate) fn rip_of(&self, index: usize) -> u64 {
        let start = self.insns[index].start();
        self.truncated(self.block_rip(index), start)
    }

    /// RIP behind an instruction.
    pub(crate) fn rip_after(&self, index: usize) -> u64 {
        self.truncated(self.block_rip(index), self.insns[index].next)
    }

    /// RIP of the instruction that comes next in a trace.
    pub(crate) fn rip_of_next(&self, index: usize) -> Option<u64> {
        (index + 1 < self.insns.len()).then(|| self.rip_of(index + 1))
    }

    fn truncated(&self, rip: u64, bytes: u16) -> u64 {
        self.mode.truncate_ip(rip.wrapping_add(u64::from(bytes)))
    }

    /// RIP behind its last instruction.
    pub(crate) fn end(&self) -> u64 {
        let last = self.parts[self.parts.len() - 1];
        self.truncated(last.rip, last.bytes)
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

    /// What the interpreter needs to know to carry out one of the instructions, and the
    /// number of that in its block.
    pub(crate) fn place(&self, index: usize) -> (Place<'_>, usize) {
        let (part, end) = self.part(index);
        let first = usize::from(part.first);
        let place = Place {
            insns: &self.insns[first..end],
            rip: part.rip,
            bytes: part.bytes,
            charged: self.insns.len() - first,
        };
        (place, index - first)
    }
}
