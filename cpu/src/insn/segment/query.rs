//! Questions about selectors, answered in ZF (SDM 2A: ARPL, LAR, LSL; SDM 2B: VERR, VERW).

use super::read_selector;
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::insn::{Insn, Mem, Reg0};
use crate::segment::load::{Entry, is_null, rpl};
use crate::verbs::{Bits, Slot, Verbs, Width, Word};

/// System descriptors that LAR knows, in legacy and in long mode.
const HAS_RIGHTS: (&[u8], &[u8]) = (&[1, 2, 3, 4, 5, 9, 11, 12], &[2, 9, 11, 12]);
/// System descriptors that have a limit, in legacy and in long mode.
const HAS_LIMIT: (&[u8], &[u8]) = (&[1, 2, 3, 9, 11], &[2, 9, 11]);

/// The descriptor that the last operand names, if there is one.
fn descriptor(cpu: &mut Cpu, insn: &Insn, operand: usize) -> Result<Option<Entry>, Exit> {
    if !cpu.is_protected() {
        return Err(cpu.raise(Exception::InvalidOpcode));
    }
    let selector = read_selector(cpu, insn, operand)?;
    if is_null(selector) {
        return Ok(None);
    }
    cpu.read_descriptor(selector)
}

fn answer(cpu: &mut Cpu, yes: bool) {
    cpu.state.flags = cpu.state.flags.with_zero(yes);
}

/// Whether the program may know of a descriptor: privilege, except that of
/// conforming code.
fn is_visible(cpu: &Cpu, entry: Entry) -> bool {
    entry.is_conforming() || (entry.dpl() >= cpu.state.cpl && entry.dpl() >= rpl(entry.selector))
}

/// A descriptor visible to LAR or LSL.
fn visible_descriptor(
    cpu: &mut Cpu,
    insn: &Insn,
    (legacy, long): (&[u8], &[u8]),
) -> Result<Option<Entry>, Exit> {
    let entry = descriptor(cpu, insn, 1)?;
    let kinds = if cpu.long_mode_active() { long } else { legacy };
    let fits = |entry: &Entry| entry.system_kind().is_none_or(|kind| kinds.contains(&kind));
    Ok(entry.filter(fits).filter(|&entry| is_visible(cpu, entry)))
}

pub(super) fn lar<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let entry = visible_descriptor(cpu, insn, HAS_RIGHTS)?;
    if let Some(entry) = entry {
        // Bits 16 to 19, the limit's, are undefined; they come as they are.
        let rights = entry.descriptor.0 >> 32 & 0x00ff_ff00;
        cpu.write::<W>(Reg0::of(insn), W::Bits::truncate(rights & lar_mask::<W>()))?;
    }
    answer(cpu, entry.is_some());
    Ok(())
}

const fn lar_mask<W: Width>() -> u64 {
    if W::BITS == 16 { 0xff00 } else { 0x00ff_ff00 }
}

pub(super) fn lsl<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let entry = visible_descriptor(cpu, insn, HAS_LIMIT)?;
    if let Some(entry) = entry {
        let limit = u64::from(entry.descriptor.limit());
        cpu.write::<W>(Reg0::of(insn), W::Bits::truncate(limit))?;
    }
    answer(cpu, entry.is_some());
    Ok(())
}

pub(super) fn verr(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let entry = descriptor(cpu, insn, 0)?;
    let readable = entry.is_some_and(|entry| entry.is_readable() && is_visible(cpu, entry));
    answer(cpu, readable);
    Ok(())
}

pub(super) fn verw(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let entry = descriptor(cpu, insn, 0)?;
    let writable = entry.is_some_and(|entry| entry.is_writable_data() && is_visible(cpu, entry));
    answer(cpu, writable);
    Ok(())
}

/// ARPL: raises the RPL of a selector to that of another.
pub(super) fn arpl(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    if !cpu.is_protected() {
        return Err(cpu.raise(Exception::InvalidOpcode));
    }
    let wanted = cpu.state.gpr(insn.registers[1]) as u16 & 3;
    let operand = if insn.has_memory() {
        Mem::of(insn)
    } else {
        Reg0::of(insn)
    };
    // A selector that stays as it is is only read. The SDM's list of faults does not say so,
    // but processors leave read-only segments and pages alone then.
    let selector = cpu.read::<Word>(operand)?;
    let raises = selector & 3 < wanted;
    if raises {
        let (selector, spot) = cpu.modify::<Word>(operand)?;
        cpu.commit::<Word>(spot, selector & !3 | wanted);
    }
    answer(cpu, raises);
    Ok(())
}
