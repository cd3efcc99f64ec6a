//! Repeated MOVS and STOS of at most a page, by the host's own, where both ends are RAM in
//! the TLB. Whatever else may happen is left to the interpreter, with nothing changed yet.
//!
//! The host's copy goes element by element as the guest's does, so one that reads what it
//! has written comes out right.

use std::mem::offset_of;

use rax_cpu::insn::{BulkString, Insn, InsnFlags};
use rax_cpu::mode::Mode;
use rax_cpu::rflags::Rflags;
use rax_cpu::segment::SegmentRegister;
use rax_cpu::state::Gpr;
use rax_mmu::{PAGE_SIZE, Tlb, TlbEntry, View};

use super::abi::{self, SYSTEM_FLAGS, T0, T1};
use super::asm::{Alu, Asm, Fixup, RAX, RBP, RCX, RDI, RSI, RSP, Reg, Turn, cc, sum};
use super::flags::HostFlags;
use super::{Emit, Stuck};

/// A repeated instruction that the host may carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Repeat {
    /// MOVS, not STOS.
    copies: bool,
    /// Bytes of an element, as a power of two.
    shift: u8,
    /// 32 or 64.
    address_bits: u32,
}

/// Addresses of the routines: by view, for 32- and 64-bit addresses, STOS and MOVS, and by
/// size of an element.
///
/// Called; ZF is set if nothing was done. Disturbs T0 and T1.
pub(super) type Routines = [[[[u64; 4]; 2]; 2]; 4];

/// Emits the routines: their addresses.
pub(super) fn routines(asm: &mut Asm, has_bmi2: bool) -> Routines {
    let mut routines = Routines::default();
    for view in View::ALL {
        for (address_bits, by_kind) in [32, 64].into_iter().zip(&mut routines[view as usize]) {
            for (copies, by_shift) in [false, true].into_iter().zip(by_kind) {
                for (shift, routine) in (0..).zip(by_shift) {
                    *routine = asm.base + asm.here() as u64;
                    let repeat = Repeat {
                        copies,
                        shift,
                        address_bits,
                    };
                    carry_out(asm, view, repeat, has_bmi2);
                }
            }
        }
    }
    routines
}

fn carry_out(asm: &mut Asm, view: View, repeat: Repeat, has_bmi2: bool) {
    let Repeat {
        copies,
        shift,
        address_bits,
    } = repeat;
    asm.test_imm(32, SYSTEM_FLAGS, Rflags::DF.bits() as i32);
    let downwards = asm.branch_ahead(cc::NE);
    asm.alu_imm(Alu::Cmp, address_bits, RCX, PAGE_SIZE as i32 >> shift);
    let many = asm.branch_ahead(cc::A);
    // The greatest offset in a page from which all of it fits.
    asm.push(RAX);
    asm.imul_imm(32, RAX, RCX, -1 << shift);
    asm.alu_imm(Alu::Add, 32, RAX, PAGE_SIZE as i32);
    let mut source_missed = None;
    if copies {
        asm.load(address_bits, T0, RSI);
        source_missed = Some(find(asm, view, false, has_bmi2));
        asm.push(T0);
    }
    asm.load(address_bits, T0, RDI);
    let missed = find(asm, view, true, has_bmi2);
    if copies {
        asm.pop(T1);
        into_host(asm, RSI, T1);
    }
    asm.pop(RAX);
    into_host(asm, RDI, T0);
    if address_bits == 32 {
        asm.load(32, RCX, RCX);
    }
    asm.repeat_string(copies, shift);
    if copies {
        asm.alu(Alu::Add, address_bits, RSI, T1);
    }
    asm.alu(Alu::Add, address_bits, RDI, T0);
    asm.test(64, RSP, RSP);
    asm.ret();
    asm.bind(missed);
    if let Some(source_missed) = source_missed {
        asm.pop(T1);
        asm.bind(source_missed);
    }
    asm.pop(RAX);
    asm.bind(downwards);
    asm.bind(many);
    asm.alu(Alu::Xor, 32, T0, T0);
    asm.ret();
}

/// Makes a linear address in T0 the host's, if its page is in the TLB and its offset is at
/// most RAX. Disturbs T1.
pub(super) fn find(asm: &mut Asm, view: View, is_store: bool, has_bmi2: bool) -> Fixup {
    if has_bmi2 {
        asm.rorx(T1, T0, Tlb::INDEX_SHIFT as u8);
    } else {
        asm.load(64, T1, T0);
        asm.shift_imm(Turn::Shr, 64, T1, Tlb::INDEX_SHIFT as u8);
    }
    asm.alu_imm(Alu::And, 32, T1, Tlb::INDEX_MASK as i32);
    let tag = if is_store {
        offset_of!(TlbEntry, write_tag)
    } else {
        offset_of!(TlbEntry, read_tag)
    };
    let part = |offset: usize| sum(RBP, T1, abi::tlb(view) + offset as i32);
    asm.alu_from(Alu::Xor, 64, T0, part(tag));
    asm.alu(Alu::Cmp, 64, T0, RAX);
    let missed = asm.branch_ahead(cc::A);
    asm.alu_from(Alu::Add, 64, T0, part(offset_of!(TlbEntry, host_page)));
    missed
}

/// Puts a host's address into a guest's index register, and the way back in its place.
fn into_host(asm: &mut Asm, index: Reg, host: Reg) {
    asm.alu(Alu::Sub, 64, index, host);
    asm.exchange(index, host);
}

/// Width of the addresses of a string instruction, if they are linear.
pub(super) fn address_bits(mode: Mode, insn: &Insn) -> Option<u32> {
    let is_plain = matches!(
        insn.segment,
        SegmentRegister::Ds | SegmentRegister::Es | SegmentRegister::Ss
    );
    // With 32-bit addresses in 64-bit code, what is cleared depends on what happens.
    let is_flat = match insn.address_bits {
        64 => mode.contains(Mode::CODE64),
        32 => mode.contains(Mode::FLAT) && !mode.contains(Mode::CODE64),
        _ => false,
    };
    let is_quiet = mode.view() != View::Careful;
    (is_plain && is_flat && is_quiet).then_some(u32::from(insn.address_bits))
}

impl Emit<'_> {
    /// What the host may carry out of an instruction that is planned to be left to the
    /// interpreter.
    fn repeat(&self, insn: &Insn) -> Option<Repeat> {
        let BulkString { copies, shift } = BulkString::of(insn)?;
        let is_repeated = insn.flags.intersects(InsnFlags::REP | InsnFlags::REPNE);
        let address_bits = address_bits(self.unit.mode, insn).filter(|_| is_repeated)?;
        Some(Repeat {
            copies,
            shift,
            address_bits,
        })
    }

    /// Emits a short repeated MOVS or STOS; false if the instruction is none.
    pub(super) fn short_repeat(&mut self) -> Result<bool, Stuck> {
        let Some(repeat) = self.repeat(self.insn()) else {
            return Ok(false);
        };
        self.position = self.plan.range(self.index as usize).start;
        let (noted, pending) = (self.noted, self.pending);
        self.flags_end = false;
        let changed: &[Gpr] = if repeat.copies {
            &[Gpr::Rcx, Gpr::Rsi, Gpr::Rdi]
        } else {
            &[Gpr::Rcx, Gpr::Rdi]
        };
        for &register in changed {
            self.clobber(register)?;
        }
        let by_kind = &self.backend.routines.repeat[self.unit.mode.view() as usize];
        let by_shift = &by_kind[usize::from(repeat.address_bits == 64)][usize::from(repeat.copies)];
        self.asm.call(by_shift[usize::from(repeat.shift)]);
        let not_done = self.asm.branch_ahead(cc::E);
        self.slow.push(not_done);
        self.host_flags = HostFlags::Unknown;
        for &register in changed {
            self.forget(register);
        }
        self.slow_way(noted, pending, false);
        Ok(true)
    }
}
