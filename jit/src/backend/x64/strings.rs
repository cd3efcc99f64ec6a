//! Repeated MOVS and STOS of at most a page, by the host's own, where both ends are RAM in
//! the TLB, within their segments. Whatever else may happen is left to the interpreter, with nothing changed yet.
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

use super::abi::{self, SYSTEM_FLAGS, T0, T1, segment_base, segment_end};
use super::asm::{Alu, Asm, Fixup, RAX, RBP, RCX, RDI, RSI, RSP, Reg, Turn, at, cc, sum};
use super::flags::HostFlags;
use super::{Emit, Stuck};

/// A repeated instruction that the host may carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Repeat {
    /// MOVS, not STOS.
    copies: bool,
    /// Bytes of an element, as a power of two.
    shift: u8,
    /// 16, in segments, or 32 or 64, linear.
    address_bits: u32,
}

/// Addresses of the routines: by view, for 16-, 32- and 64-bit addresses, STOS and MOVS, and by
/// size of an element.
///
/// Called; ZF is set if nothing was done. Disturbs T0 and T1.
pub(super) type Routines = [[[[u64; 4]; 2]; 3]; 4];

/// The routines of a width of addresses.
const fn by_width(address_bits: u32) -> usize {
    (address_bits.trailing_zeros() - 4) as usize
}

/// Emits the routines: their addresses.
pub(super) fn routines(asm: &mut Asm, has_bmi2: bool) -> Routines {
    let mut routines = Routines::default();
    for view in View::ALL {
        for address_bits in [16, 32, 64] {
            let by_kind = &mut routines[view as usize][by_width(address_bits)];
            for (copies, by_shift) in [false, true].into_iter().zip(by_kind) {
                for (shift, routine) in (0..).zip(by_shift) {
                    *routine = asm.base + asm.here() as u64;
                    let repeat = Repeat {
                        copies,
                        shift,
                        address_bits,
                    };
                    if address_bits == 16 {
                        carry_out_in_segments(asm, view, repeat, has_bmi2);
                    } else {
                        carry_out(asm, view, repeat, has_bmi2);
                    }
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

/// The same with 16-bit addresses, from DS to ES. The offsets must not wrap.
fn carry_out_in_segments(asm: &mut Asm, view: View, repeat: Repeat, has_bmi2: bool) {
    let Repeat { copies, shift, .. } = repeat;
    asm.test_imm(32, SYSTEM_FLAGS, Rflags::DF.bits() as i32);
    let downwards = asm.branch_ahead(cc::NE);
    asm.zero_extend(16, T1, RCX);
    asm.alu_imm(Alu::Cmp, 32, T1, PAGE_SIZE as i32 >> shift);
    let many = asm.branch_ahead(cc::A);
    // The greatest offset in a page from which all of it fits.
    asm.push(RAX);
    asm.imul_imm(32, RAX, T1, -1 << shift);
    asm.alu_imm(Alu::Add, 32, RAX, PAGE_SIZE as i32);
    let mut source_missed = [None; 2];
    if copies {
        let beyond = in_segment(asm, RSI, SegmentRegister::Ds, false);
        source_missed = [Some(beyond), Some(find(asm, view, false, has_bmi2))];
        asm.push(T0);
    }
    let beyond = in_segment(asm, RDI, SegmentRegister::Es, true);
    let missed = find(asm, view, true, has_bmi2);
    // Of RSI and RDI, the upper parts stay.
    asm.load(64, T1, RDI);
    asm.load(64, RDI, T0);
    asm.group3(32, NEG, RAX);
    asm.alu_imm(Alu::Add, 32, RAX, PAGE_SIZE as i32);
    asm.alu(Alu::Add, 16, T1, RAX);
    if copies {
        asm.pop(T0);
        asm.exchange(RSI, T0);
        asm.alu(Alu::Add, 16, T0, RAX);
    }
    asm.pop(RAX);
    asm.push(RCX);
    asm.zero_extend(16, RCX, RCX);
    asm.repeat_string(copies, shift);
    asm.pop(RCX);
    asm.alu(Alu::Xor, 16, RCX, RCX);
    asm.load(64, RDI, T1);
    if copies {
        asm.load(64, RSI, T0);
    }
    asm.test(64, RSP, RSP);
    asm.ret();
    asm.bind(beyond);
    asm.bind(missed);
    if copies {
        asm.pop(T1);
    }
    for fixup in source_missed.into_iter().flatten() {
        asm.bind(fixup);
    }
    asm.pop(RAX);
    asm.bind(downwards);
    asm.bind(many);
    asm.alu(Alu::Xor, 32, T0, T0);
    asm.ret();
}

/// The linear address of an index register of 16 bits in T0, if the segment has room for all
/// of it: RAX is a page less that. Disturbs T1.
fn in_segment(asm: &mut Asm, index: Reg, segment: SegmentRegister, write: bool) -> Fixup {
    asm.zero_extend(16, T0, index);
    asm.lea(32, T1, at(T0, PAGE_SIZE as i32));
    asm.alu(Alu::Sub, 32, T1, RAX);
    asm.alu_imm(Alu::Cmp, 32, T1, 0x1_0000);
    let wraps = asm.branch_ahead(cc::A);
    asm.alu_from(Alu::Cmp, 64, T1, segment_end(segment, write));
    let fits = asm.branch_ahead(cc::BE);
    asm.bind(wraps);
    let beyond = asm.jump_ahead();
    asm.bind(fits);
    asm.alu_from(Alu::Add, 32, T0, segment_base(segment));
    beyond
}

/// NEG's number in group 3.
const NEG: u8 = 3;

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
        let is_from_data = insn.segment == SegmentRegister::Ds || !copies;
        let is_segmented = self.unit.is_segmented() && insn.address_bits == 16 && is_from_data;
        let address_bits = if is_segmented {
            Some(16)
        } else {
            address_bits(self.unit.mode, insn)
        };
        let address_bits = address_bits.filter(|_| is_repeated)?;
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
        let by_shift = &by_kind[by_width(repeat.address_bits)][usize::from(repeat.copies)];
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
