//! From a linear address to the host's: the TLB's probe inline, the cell of the stack, and
//! windows in hot code.
//!
//! A probe leaves two registers whose sum is the host address, T0 and T1, or goes the
//! instruction's slow way. See `docs/mmu.md`, section 3.

use std::ops::Range;

use rax_cpu::insn::AddressKind;
use rax_cpu::ir::Op;
use rax_cpu::segment::SegmentRegister;
use rax_cpu::state::Gpr;
use rax_mmu::{Tlb, View, WindowName};

use smallvec::SmallVec;

use super::Emit;
use super::abi::{self, FILL_LIMIT, T0, T1};
use super::asm::{Alu, Fixup, Mem, RBP, Turn, cc, sum};
use super::flags::HostFlags;
use crate::backend::UsedWindow;

/// A probe that missed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Miss {
    from: Fixup,
    /// Offset in the code of the probe, for which T0 must hold the address.
    again: usize,
    /// Offset of the code behind the probe.
    after: usize,
    asked: Asked,
    bytes: u32,
    write: bool,
}

/// What a probe that missed has asked.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// An entry of the TLB, by its tag. T0 is the address xor that, T1 the entry's offset.
    Entry(Mem),
    /// The cell of the stack, by its page. T0 is the address xor that.
    Stack(Mem),
    /// A window, by its first address. T0 is the distance from there.
    Window(Mem, WindowName),
}

/// What accesses have in common that share a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Common {
    base: Gpr,
    index: Gpr,
    segment: Option<SegmentRegister>,
    /// The page, if it is known.
    page: u64,
    bytes: u32,
    write: bool,
}

/// How often a unit asks the TLB, if that is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Accesses {
    count: u32,
    /// Offset in the code of what is added for it.
    place: Option<usize>,
}

impl Emit<'_> {
    /// One more.
    pub(super) const fn count_access(&mut self) {
        self.accesses.count += 1;
    }

    /// At the unit's start: adds what is not known yet to the count of accesses.
    pub(super) fn count_at_start(&mut self) {
        if self.backend.counts_accesses {
            self.asm.alu_imm(Alu::Add, 64, abi::ACCESSES, i32::MAX);
            self.accesses.place = Some(self.asm.here() - 4);
        }
    }

    /// At its end: what that is.
    pub(super) fn note_accesses(&mut self) {
        let Accesses { count, place } = self.accesses;
        if let Some(place) = place {
            self.asm.patch(place, count as i32);
        }
    }

    /// Emits the cold code of probes that missed: has their entries filled, and goes back.
    /// What could not be filled falls out of its end.
    pub(super) fn fill_again(&mut self, misses: Range<usize>) {
        let mut failed = SmallVec::<[Fixup; 4]>::new();
        let last = misses.end;
        for n in misses {
            let miss = self.misses[n];
            self.asm.bind(miss.from);
            let limit = 4096 - miss.bytes as i32;
            let view = self.view() as usize;
            let routines = &self.backend.routines;
            let [load, store] = match miss.asked {
                Asked::Entry(tag) => {
                    self.asm.alu_from(Alu::Xor, 64, T0, tag);
                    self.asm.alu_imm(Alu::Or, 32, T1, limit << FILL_LIMIT);
                    routines.fill[view]
                }
                Asked::Stack(page) => {
                    self.asm.alu_from(Alu::Xor, 64, T0, page);
                    self.asm.constant(T1, (limit as u64) << FILL_LIMIT);
                    routines.fill_stack[view]
                }
                Asked::Window(first, window) => {
                    self.asm.alu_from(Alu::Add, 64, T0, first);
                    let number = u64::from(window.number());
                    self.asm.constant(T1, (limit as u64) << FILL_LIMIT | number);
                    routines.open[view]
                }
            };
            self.asm.call(if miss.write { store } else { load });
            if miss.write || matches!(miss.asked, Asked::Window(..)) {
                let found = self.asm.branch_ahead(cc::B);
                self.asm.bind_to(found, miss.after);
            }
            let back = self.asm.branch_ahead(cc::NE);
            self.asm.bind_to(back, miss.again);
            if n + 1 < last {
                failed.push(self.asm.jump_ahead());
            }
        }
        for jump in failed {
            self.asm.bind(jump);
        }
    }

    /// Turns the linear address in T0 into T0 + T1, the host's.
    ///
    /// A miss has the entry filled and comes back, or goes the instruction's slow way.
    pub(super) fn probe(&mut self, bytes: u32, write: bool) -> Mem {
        if self.is_on_stack(bytes) {
            return self.probe_stack(bytes, write);
        }
        match self.window(bytes, write) {
            Some(window) => self.probe_window(window, bytes, write),
            None => self.probe_tlb(bytes, write),
        }
    }

    /// The same by an entry of the TLB.
    fn probe_tlb(&mut self, bytes: u32, write: bool) -> Mem {
        self.accesses.count += 1;
        let again = self.asm.here();
        if self.backend.features.bmi2 {
            self.asm.rorx(T1, T0, Tlb::INDEX_SHIFT as u8);
        } else {
            self.asm.load(64, T1, T0);
            self.asm
                .shift_imm(Turn::Shr, 64, T1, Tlb::INDEX_SHIFT as u8);
        }
        self.asm.alu_imm(Alu::And, 32, T1, Tlb::INDEX_MASK as i32);
        let table = abi::tlb(self.view());
        let tag = sum(RBP, T1, table + if write { 8 } else { 0 });
        self.asm.alu_from(Alu::Xor, 64, T0, tag);
        self.asm.alu_imm(Alu::Cmp, 64, T0, 4096 - bytes as i32);
        let miss = self.asm.branch_ahead(cc::A);
        self.host_flags = HostFlags::Unknown;
        self.asm.load(64, T1, sum(RBP, T1, table + 24));
        if self.vectors.has_temps() && self.view() != View::Careful {
            self.misses.push(Miss {
                from: miss,
                again,
                after: self.asm.here(),
                asked: Asked::Entry(tag),
                bytes,
                write,
            });
        } else {
            // Rust would not leave them as they are; and a careful view is never filled.
            self.slow.push(miss);
        }
        Self::pair(T0, T1)
    }

    /// The same, but a miss is the interpreter's: it may turn out that nothing is accessed, and
    /// then nobody may see that the page was looked for.
    pub(super) fn probe_known(&mut self, bytes: u32, write: bool) -> Mem {
        let before = self.misses.len();
        let place = self.probe_tlb(bytes, write);
        let fills = self.misses.drain(before..);
        self.slow.extend(fills.map(|miss| miss.from));
        place
    }

    /// Whether the access under way is probably to the stack, and the cell of the stack has
    /// limits for it.
    fn is_on_stack(&self, bytes: u32) -> bool {
        let insn = self.insn();
        let is_stack = match self.block.ops[self.position].0 {
            Op::Push(_) | Op::StackTop => true,
            Op::Load(_) | Op::Store { .. } | Op::Locate(_) => {
                insn.base == Gpr::Rsp
                    && insn.index == Gpr::Zero
                    && matches!(insn.address, AddressKind::Flat64 | AddressKind::Flat32)
            }
            _ => false,
        };
        is_stack && self.has_stack_cell(bytes)
    }

    /// Whether the cell of the stack has limits for so many bytes, and may be filled.
    fn has_stack_cell(&self, bytes: u32) -> bool {
        matches!(bytes, 4 | 8) && self.vectors.has_temps() && self.view() != View::Careful
    }

    /// A probe for an access to the stack.
    pub(super) fn probe_by_cell(&mut self, bytes: u32, write: bool) -> Mem {
        if self.has_stack_cell(bytes) {
            self.probe_stack(bytes, write)
        } else {
            self.probe(bytes, write)
        }
    }

    /// A probe by the cell of the stack.
    fn probe_stack(&mut self, bytes: u32, write: bool) -> Mem {
        self.accesses.count += 1;
        let [tag, host_page, limit] = abi::stack_parts(self.view(), bytes, write);
        let again = self.asm.here();
        self.asm.alu_from(Alu::Xor, 64, T0, tag);
        self.asm.alu_from(Alu::Cmp, 64, T0, limit);
        let from = self.asm.branch_ahead(cc::AE);
        self.host_flags = HostFlags::Unknown;
        self.asm.load(64, T1, host_page);
        self.misses.push(Miss {
            from,
            again,
            after: self.asm.here(),
            asked: Asked::Stack(tag),
            bytes,
            write,
        });
        Self::pair(T0, T1)
    }

    /// The window for the access under way, in code that is hot. Those that reckon from the
    /// same registers share one.
    fn window(&mut self, bytes: u32, write: bool) -> Option<WindowName> {
        let windows = self.unit.windows?;
        let index = self.index as usize;
        if windows.without >> index & 1 != 0 || !self.vectors.has_temps() {
            return None;
        }
        let insn = self.insn();
        let page = match insn.base {
            Gpr::BlockRip => self.block_rip().wrapping_add(insn.displacement as u64) >> 12,
            Gpr::Zero => insn.displacement as u64 >> 12,
            _ => 0,
        };
        let common = Common {
            base: insn.base,
            index: insn.index,
            segment: (insn.address == AddressKind::Based64).then_some(insn.segment),
            page,
            bytes,
            write,
        };
        let place = self.windows.iter().position(|other| *other == common);
        let place = match place {
            Some(place) => place,
            None => {
                let number = usize::from(windows.first) + self.windows.len();
                let name = WindowName::new(self.view(), write, u64::from(bytes), number)?;
                self.windows.push(common);
                self.emitted.windows.push(UsedWindow { name, insns: 0 });
                self.windows.len() - 1
            }
        };
        let used = &mut self.emitted.windows[place];
        used.insns |= 1 << index;
        Some(used.name)
    }

    /// A probe by a window.
    fn probe_window(&mut self, window: WindowName, bytes: u32, write: bool) -> Mem {
        self.accesses.count += 1;
        let [first, limit, host] = abi::window_parts(self.view(), window, write);
        let again = self.asm.here();
        self.asm.alu_from(Alu::Sub, 64, T0, first);
        self.asm.alu_from(Alu::Cmp, 64, T0, limit);
        let from = self.asm.branch_ahead(cc::AE);
        self.host_flags = HostFlags::Unknown;
        self.asm.load(64, T1, host);
        self.misses.push(Miss {
            from,
            again,
            after: self.asm.here(),
            asked: Asked::Window(first, window),
            bytes,
            write,
        });
        Self::pair(T0, T1)
    }
}
