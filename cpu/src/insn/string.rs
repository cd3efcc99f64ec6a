//! String instructions (SDM 1, 5.1.8): MOVS, STOS, LODS, CMPS, SCAS and the REP
//! prefixes.
//!
//! A repeated instruction runs a bounded number of iterations and is then executed
//! again, so that interrupts find it between two of them with its registers advanced.
//! Runs upwards through RAM pages that are in the TLB go in bulk.

mod bulk;
mod once;
#[cfg(test)]
mod tests;

use rax_mmu::LinearAddress;

use super::{Insn, InsnFlags, Row, lifted};
use crate::Cpu;
use crate::exception::Exit;
use crate::flags::{LazyFlags, mask};
use crate::ir::Builder;
use crate::mode::Mode;
use crate::rflags::Rflags;
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{Bits, Byte, Dword, Flags, Qword, Verbs, Width, Word};
use bulk::Progress;

/// One row: by itself the instruction is written in verbs, repeated it is a function.
macro_rules! string {
    ($code:ident, $name:ident, $width:ty) => {
        lifted!(
            $code,
            |cpu: &mut Cpu, insn: &Insn| {
                if is_repeated(insn) {
                    $name::<$width>(cpu, insn)
                } else {
                    once::$name::<Cpu, $width>(cpu, insn)
                }
            },
            |builder, insn| {
                if is_repeated(insn) {
                    builder.call($name::<$width>);
                } else {
                    let Ok(()) = once::$name::<Builder, $width>(builder, insn);
                }
            }
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    string!(Movsb_m8_m8, movs, Byte),
    string!(Movsw_m16_m16, movs, Word),
    string!(Movsd_m32_m32, movs, Dword),
    string!(Movsq_m64_m64, movs, Qword),
    string!(Stosb_m8_AL, stos, Byte),
    string!(Stosw_m16_AX, stos, Word),
    string!(Stosd_m32_EAX, stos, Dword),
    string!(Stosq_m64_RAX, stos, Qword),
    string!(Lodsb_AL_m8, lods, Byte),
    string!(Lodsw_AX_m16, lods, Word),
    string!(Lodsd_EAX_m32, lods, Dword),
    string!(Lodsq_RAX_m64, lods, Qword),
    string!(Cmpsb_m8_m8, cmps, Byte),
    string!(Cmpsw_m16_m16, cmps, Word),
    string!(Cmpsd_m32_m32, cmps, Dword),
    string!(Cmpsq_m64_m64, cmps, Qword),
    string!(Scasb_AL_m8, scas, Byte),
    string!(Scasw_AX_m16, scas, Word),
    string!(Scasd_EAX_m32, scas, Dword),
    string!(Scasq_RAX_m64, scas, Qword),
];

const fn is_repeated(insn: &Insn) -> bool {
    insn.flags
        .intersects(InsnFlags::REP.union(InsnFlags::REPNE))
}

/// Most iterations before the engine looks up.
const MOST_ITERATIONS: u64 = 8192;

/// What a repeated instruction does after an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The next one.
    GoOn,
    /// The next one, after the engine has looked up.
    Pause,
    /// Nothing: REPE or REPNE has found its end.
    Stop,
}

/// Runs `once` as the prefixes say. It is told how many iterations it may do, and says
/// how many it did, with the index registers already advanced.
///
/// # Errors
/// What `once` raises, with all earlier iterations done; [`Exit::Again`] before the end.
#[inline(always)]
pub(super) fn repeat(
    cpu: &mut Cpu,
    insn: &Insn,
    mut once: impl FnMut(&mut Cpu, &Insn, u64) -> Result<(u64, Again), Exit>,
) -> Result<(), Exit> {
    if !insn.flags.intersects(InsnFlags::REP | InsnFlags::REPNE) {
        return once(cpu, insn, 1).map(|_| ());
    }
    let mut left = cpu.state.gpr(Gpr::Rcx) & mask(u32::from(insn.address_bits));
    if insn.address_bits == 32 && BulkString::of(insn).is_none() {
        // Even if there is nothing to do, or the first iteration faults; Intel's
        // processors do it so.
        set_index(cpu, insn, Gpr::Rcx, left);
    }
    if left == 0 {
        return Ok(());
    }
    cpu.pause = false;
    let mut budget = if cpu.mode.contains(Mode::SINGLE) {
        1
    } else {
        MOST_ITERATIONS
    };
    loop {
        let (done, again) = once(cpu, insn, left.min(budget))?;
        left = left.saturating_sub(done);
        budget = budget.saturating_sub(done);
        set_index(cpu, insn, Gpr::Rcx, left);
        if left == 0 || again == Again::Stop {
            return Ok(());
        }
        if budget == 0 || again == Again::Pause {
            return Err(interrupt(cpu));
        }
    }
}

/// MOVS or STOS, which processors do in bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkString {
    /// It is MOVS.
    pub copies: bool,
    /// Bytes of an element, as a power of two.
    pub shift: u8,
}

impl BulkString {
    /// What an instruction is of that.
    #[must_use]
    pub const fn of(insn: &Insn) -> Option<Self> {
        use iced_x86::Code as C;
        let (copies, shift) = match insn.code {
            C::Movsb_m8_m8 => (true, 0),
            C::Movsw_m16_m16 => (true, 1),
            C::Movsd_m32_m32 => (true, 2),
            C::Movsq_m64_m64 => (true, 3),
            C::Stosb_m8_AL => (false, 0),
            C::Stosw_m16_AX => (false, 1),
            C::Stosd_m32_EAX => (false, 2),
            C::Stosq_m64_RAX => (false, 3),
            _ => return None,
        };
        Some(Self { copies, shift })
    }
}

/// What repeated MOVS and STOS do when there is nothing to do, MOVS also when the first
/// iteration faults: with 32-bit addresses Intel's processors clear the upper
/// halves of what they would have changed.
#[inline(always)]
fn touch(cpu: &mut Cpu, insn: &Insn, most: u32, registers: &[Gpr]) {
    let is_repeated = insn.flags.intersects(InsnFlags::REP | InsnFlags::REPNE);
    if is_repeated && insn.address_bits == 32 && cpu.state.gpr(Gpr::Rcx) as u32 <= most {
        for &register in registers {
            let value = cpu.state.gpr(register);
            set_index(cpu, insn, register, value);
        }
    }
}

/// Between two iterations: a breakpoint on the instruction has stopped it already, if
/// it was to (SDM 3B, 18.3.1.1).
fn interrupt(cpu: &mut Cpu) -> Exit {
    if cpu.state.dr[7] & 0xff != 0 {
        cpu.state.system_flags.insert(Rflags::RF);
    }
    Exit::Again
}

/// After an element: the engine looks up if a device was reached. Not if code was
/// written: what counts as code depends on what an engine has decoded, and an
/// interruption counts as an instruction.
#[inline(always)]
const fn look_up(cpu: &Cpu) -> Again {
    if cpu.pause { Again::Pause } else { Again::GoOn }
}

/// Sets the part of RCX, RSI or RDI that the address size covers.
#[inline(always)]
fn set_index(cpu: &mut Cpu, insn: &Insn, register: Gpr, value: u64) {
    let value = match insn.address_bits {
        64 => value,
        32 => value & 0xffff_ffff,
        _ => cpu.state.gpr(register) & !0xffff | value & 0xffff,
    };
    cpu.state.set_gpr(register, value);
}

#[inline(always)]
fn step<W: Width>(cpu: &mut Cpu, insn: &Insn, register: Gpr, count: u64) {
    let bytes = count.wrapping_mul(W::BYTES);
    let old = cpu.state.gpr(register);
    let new = if cpu.state.system_flags.contains(Rflags::DF) {
        old.wrapping_sub(bytes)
    } else {
        old.wrapping_add(bytes)
    };
    set_index(cpu, insn, register, new);
}

/// Moves RSI on by so many elements.
#[inline(always)]
pub(super) fn step_source<W: Width>(cpu: &mut Cpu, insn: &Insn, count: u64) {
    step::<W>(cpu, insn, Gpr::Rsi, count);
}

/// Moves RDI on by so many elements.
#[inline(always)]
pub(super) fn step_destination<W: Width>(cpu: &mut Cpu, insn: &Insn, count: u64) {
    step::<W>(cpu, insn, Gpr::Rdi, count);
}

/// The linear address of `size` bytes at RSI or RDI.
#[inline(always)]
fn address(
    cpu: &mut Cpu,
    insn: &Insn,
    (segment, register): (SegmentRegister, Gpr),
    size: u64,
    write: bool,
) -> Result<LinearAddress, Exit> {
    let offset = cpu.state.gpr(register) & mask(u32::from(insn.address_bits));
    address_of_offset(cpu, (segment, offset), size, write)
}

/// The linear address of `size` bytes at an offset.
#[inline(always)]
fn address_of_offset(
    cpu: &mut Cpu,
    (segment, offset): (SegmentRegister, u64),
    size: u64,
    write: bool,
) -> Result<LinearAddress, Exit> {
    let is_plain = matches!(
        segment,
        SegmentRegister::Ds | SegmentRegister::Es | SegmentRegister::Ss
    );
    if is_plain && cpu.mode.intersects(Mode::CODE64 | Mode::FLAT) {
        return Ok(LinearAddress(offset));
    }
    cpu.segmented_address(segment, offset, size, write)
}

/// Where the element to be read is: the segment may be overridden.
///
/// # Errors
/// #GP or #SS when segmentation forbids it.
#[inline(always)]
pub(super) fn source<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<LinearAddress, Exit> {
    address(cpu, insn, (insn.segment, Gpr::Rsi), W::BYTES, false)
}

/// Where the element in ES is.
///
/// # Errors
/// #GP when segmentation forbids it.
#[inline(always)]
pub(super) fn destination<W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    write: bool,
) -> Result<LinearAddress, Exit> {
    address(cpu, insn, (SegmentRegister::Es, Gpr::Rdi), W::BYTES, write)
}

#[inline(always)]
fn load_source<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<W::Bits, Exit> {
    let from = source::<W>(cpu, insn)?;
    cpu.load_linear(insn, insn.segment, from)
}

#[inline(always)]
fn load_destination<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<W::Bits, Exit> {
    let from = destination::<W>(cpu, insn, false)?;
    cpu.load_linear(insn, SegmentRegister::Es, from)
}

#[inline(always)]
fn store_destination<W: Width>(cpu: &mut Cpu, insn: &Insn, value: W::Bits) -> Result<(), Exit> {
    let to = destination::<W>(cpu, insn, true)?;
    cpu.store_linear(insn, SegmentRegister::Es, to, value)
}

fn movs<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    touch(cpu, insn, u32::MAX, &[Gpr::Rcx, Gpr::Rsi, Gpr::Rdi]);
    repeat(cpu, insn, |cpu, insn, most| {
        if let Some(done) = bulk::copy::<W>(cpu, insn, most) {
            return Ok((done, Again::GoOn));
        }
        let value = load_source::<W>(cpu, insn)?;
        store_destination::<W>(cpu, insn, value)?;
        step_source::<W>(cpu, insn, 1);
        step_destination::<W>(cpu, insn, 1);
        Ok((1, look_up(cpu)))
    })
}

fn stos<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let value = cpu.gpr::<W>(Gpr::Rax);
    touch(cpu, insn, 0, &[Gpr::Rcx, Gpr::Rdi]);
    repeat(cpu, insn, |cpu, insn, most| {
        if let Some(done) = bulk::fill::<W>(cpu, insn, most, value) {
            return Ok((done, Again::GoOn));
        }
        store_destination::<W>(cpu, insn, value)?;
        step_destination::<W>(cpu, insn, 1);
        Ok((1, look_up(cpu)))
    })
}

fn lods<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    repeat(cpu, insn, |cpu, insn, _| {
        let value = load_source::<W>(cpu, insn)?;
        cpu.set_gpr::<W>(Gpr::Rax, value);
        step_source::<W>(cpu, insn, 1);
        Ok((1, look_up(cpu)))
    })
}

/// Sets the flags as CMP does, and says what REPE or REPNE makes of them.
#[inline(always)]
fn compare<W: Width>(cpu: &mut Cpu, insn: &Insn, a: W::Bits, b: W::Bits) -> Again {
    let difference = W::Bits::truncate(a.widen().wrapping_sub(b.widen()));
    cpu.flags::<W>(Flags::Sub { a, b, difference });
    let goes_on_while_equal = !insn.flags.contains(InsnFlags::REPNE);
    if (a == b) == goes_on_while_equal {
        look_up(cpu)
    } else {
        Again::Stop
    }
}

/// A fault in a later iteration finds the flags that the instruction began with, the
/// other registers as the iteration before left them (SDM 2B, REP). So the flags are
/// not to be changed when it only pauses, unless somebody looks at each iteration.
#[inline(always)]
fn restore_flags(cpu: &mut Cpu, flags: LazyFlags, result: Result<(), Exit>) -> Result<(), Exit> {
    let is_stepped = cpu.mode.contains(Mode::SINGLE);
    if matches!(result, Err(exit) if exit == Exit::Exception || !is_stepped) {
        cpu.state.flags = flags;
    }
    result
}

/// CMPS: the source operand minus the one in ES.
fn cmps<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let flags = cpu.state.flags;
    let mut progress = Progress::default();
    let result = repeat(cpu, insn, |cpu, insn, most| {
        if let Some((done, a, b)) = bulk::compare::<W>(cpu, insn, most, &mut progress) {
            return Ok((done, compare::<W>(cpu, insn, a, b)));
        }
        // The manual does not say which comes first; Intel's processors fault on ES.
        let b = load_destination::<W>(cpu, insn)?;
        let a = load_source::<W>(cpu, insn)?;
        step_source::<W>(cpu, insn, 1);
        step_destination::<W>(cpu, insn, 1);
        Ok((1, compare::<W>(cpu, insn, a, b)))
    });
    restore_flags(cpu, flags, result)
}

/// SCAS: the accumulator minus the operand in ES.
fn scas<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let a = cpu.gpr::<W>(Gpr::Rax);
    let flags = cpu.state.flags;
    let mut progress = Progress::default();
    let result = repeat(cpu, insn, |cpu, insn, most| {
        if let Some((done, b)) = bulk::scan::<W>(cpu, insn, most, a, &mut progress) {
            return Ok((done, compare::<W>(cpu, insn, a, b)));
        }
        let b = load_destination::<W>(cpu, insn)?;
        step_destination::<W>(cpu, insn, 1);
        Ok((1, compare::<W>(cpu, insn, a, b)))
    });
    restore_flags(cpu, flags, result)
}
