//! Far RET and IRET (SDM 3A, 5.8.6, 6.12 and 7.4; SDM 3B, 21.2.6; SDM 2A, IRET;
//! SDM 2B, RET).

use super::{jump, stack_cell};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::rflags::{Cr4, Rflags};
use crate::segment::load::{Entry, rpl};
use crate::segment::stack::stack_bits;
use crate::segment::{Attributes, Segment, SegmentRegister};
use crate::state::Gpr;
use crate::task::Entrance;
use crate::verbs::{Verbs, Width};

/// What POPF and IRET may change at any privilege, besides what [`UPPER`] adds.
const ALWAYS: Rflags = Rflags::STATUS
    .union(Rflags::TF)
    .union(Rflags::DF)
    .union(Rflags::NT);
/// The same of the upper half.
const UPPER: Rflags = Rflags::RF.union(Rflags::AC).union(Rflags::ID);

pub(super) fn ret<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let size = W::BYTES;
    let released = insn.immediate & 0xffff;
    let rip = stack_cell(cpu, insn, 0, size)?;
    let selector = stack_cell(cpu, insn, size, size)? as u16;
    if !cpu.is_protected() {
        enter_8086(cpu, selector, rip)?;
        cpu.move_stack(insn, 2 * size + released);
        return Ok(());
    }
    let code = cpu.find_return_code(selector)?;
    let level = rpl(selector);
    if level == cpu.state.cpl {
        check_target(cpu, code, rip)?;
        cpu.mark_accessed(code)?;
        cpu.move_stack(insn, 2 * size + released);
        cpu.enter_code(code.segment(level), level, rip);
        return Ok(());
    }
    let pointer = stack_cell(cpu, insn, 2 * size + released, size)?;
    let stack = stack_cell(cpu, insn, 3 * size + released, size)? as u16;
    let stack = find_stack(cpu, code, stack, level)?;
    check_target(cpu, code, rip)?;
    cpu.mark_accessed(code)?;
    enter_outer(cpu, code.segment(level), rip, stack, pointer);
    let bits = cpu.mode().stack_bits() as u8;
    let pointer = cpu.state.gpr(Gpr::Rsp).wrapping_add(released);
    cpu.set_stack_pointer(bits, pointer);
    Ok(())
}

pub(super) fn iret<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    // Even an IRET that faults lets NMIs in (SDM 3A, 6.7.1).
    cpu.state.nmi_blocked = false;
    cpu.request_attention();
    if !cpu.is_protected() {
        return iret_8086::<W>(cpu, insn);
    }
    if cpu.state.system_flags.contains(Rflags::NT) {
        if cpu.long_mode_active() {
            return Err(cpu.raise(Exception::GeneralProtection(0)));
        }
        let task = cpu.find_linked_task()?;
        return jump::switch(cpu, insn, task, Entrance::Return);
    }
    let size = W::BYTES;
    let rip = stack_cell(cpu, insn, 0, size)?;
    let selector = stack_cell(cpu, insn, size, size)? as u16;
    let flags = Rflags::from_bits_truncate(stack_cell(cpu, insn, 2 * size, size)?);
    let old_cpl = cpu.state.cpl;
    let to_8086 = flags.contains(Rflags::VM) && old_cpl == 0 && !cpu.long_mode_active();
    if to_8086 {
        return iret_to_8086(cpu, insn, rip, selector, flags);
    }
    let code = cpu.find_return_code(selector)?;
    let level = rpl(selector);
    let mask = protected_mask(cpu, size);
    if level == old_cpl && !cpu.is_64_bit() {
        check_target(cpu, code, rip)?;
        cpu.mark_accessed(code)?;
        cpu.move_stack(insn, 3 * size);
        load_flags(cpu, flags, mask);
        cpu.enter_code(code.segment(level), level, rip);
        return Ok(());
    }
    let pointer = stack_cell(cpu, insn, 3 * size, size)?;
    let stack = stack_cell(cpu, insn, 4 * size, size)? as u16;
    let stack = find_stack(cpu, code, stack, level)?;
    check_target(cpu, code, rip)?;
    cpu.mark_accessed(code)?;
    load_flags(cpu, flags, mask);
    enter_outer(cpu, code.segment(level), rip, stack, pointer);
    Ok(())
}

/// Whether the code segment to return to has the instruction pointer: the last check.
fn check_target(cpu: &mut Cpu, code: Entry, rip: u64) -> Result<(), Exit> {
    cpu.check_code_offset(code.attributes(), code.descriptor.limit(), rip)
}

/// The stack segment that comes with a code segment.
fn find_stack(cpu: &mut Cpu, code: Entry, selector: u16, level: u8) -> Result<Segment, Exit> {
    let to_64_bit = cpu.long_mode_active() && code.attributes().contains(Attributes::LONG);
    cpu.find_stack_segment(selector, level, to_64_bit)
}

/// Goes to code and stack of the same or a lower privilege.
///
/// What a 16-bit stack pointer leaves of RSP, the manuals do not say of 64-bit mode: Intel's
/// processors keep bits 16 to 31 and clear the upper half, AMD's keep all.
fn enter_outer(cpu: &mut Cpu, code: Segment, rip: u64, stack: Segment, pointer: u64) {
    let level = rpl(code.selector);
    let is_outer = level != cpu.state.cpl;
    let to_64_bit = cpu.long_mode_active() && code.attributes.contains(Attributes::LONG);
    let bits = if to_64_bit { 64 } else { stack_bits(&stack) };
    cpu.state.segments[SegmentRegister::Ss as usize] = stack;
    cpu.set_stack_pointer(bits, pointer);
    if !to_64_bit && !cpu.model.is_amd() {
        cpu.forget_upper_stack_pointer();
    }
    if is_outer {
        cpu.drop_privileged_segments(level);
    }
    cpu.enter_code(code, level, rip);
}

/// Goes to real-mode or virtual-8086 code.
fn enter_8086(cpu: &mut Cpu, selector: u16, rip: u64) -> Result<(), Exit> {
    let code = cpu.real_style_segment(SegmentRegister::Cs, selector);
    cpu.check_code_offset(code.attributes, code.limit, rip)?;
    cpu.enter_code(code, cpu.state.cpl, rip);
    Ok(())
}

/// What IRET in protected mode takes over.
fn protected_mask(cpu: &Cpu, size: u64) -> Rflags {
    let mut mask = ALWAYS;
    if size > 2 {
        mask |= UPPER;
    }
    if cpu.state.cpl <= cpu.state.system_flags.iopl() {
        mask |= Rflags::IF;
    }
    if cpu.state.cpl == 0 {
        mask |= Rflags::IOPL;
        if size > 2 {
            mask |= Rflags::VIF | Rflags::VIP;
        }
    }
    mask
}

/// Takes over some of RFLAGS; entering code then brings the mode up to date.
fn load_flags(cpu: &mut Cpu, flags: Rflags, mask: Rflags) {
    let old = cpu.state.rflags();
    cpu.state.set_rflags(old & !mask | flags & mask);
}

/// IRET in real or virtual-8086 mode.
fn iret_8086<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let size = W::BYTES;
    let is_virtual = cpu.is_virtual_8086();
    let iopl = cpu.state.system_flags.iopl();
    let by_vme = is_virtual && iopl < 3;
    if by_vme && (cpu.state.cr4 & Cr4::VME.bits() == 0 || size != 2) {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    let rip = stack_cell(cpu, insn, 0, size)?;
    let selector = stack_cell(cpu, insn, size, size)? as u16;
    let mut flags = Rflags::from_bits_truncate(stack_cell(cpu, insn, 2 * size, size)?);
    let mut mask = ALWAYS;
    if size > 2 {
        mask |= UPPER;
    }
    if by_vme {
        let is_pending = cpu.state.system_flags.contains(Rflags::VIP);
        if flags.contains(Rflags::TF) || (is_pending && flags.contains(Rflags::IF)) {
            return Err(cpu.raise(Exception::GeneralProtection(0)));
        }
        flags.set(Rflags::VIF, flags.contains(Rflags::IF));
        mask |= Rflags::VIF;
    } else {
        mask |= Rflags::IF;
        if !is_virtual {
            mask |= Rflags::IOPL;
        }
    }
    enter_8086(cpu, selector, rip)?;
    cpu.move_stack(insn, 3 * size);
    load_flags(cpu, flags, mask);
    cpu.update_mode();
    Ok(())
}

/// IRET from level 0 to virtual-8086 mode: nine doublewords.
fn iret_to_8086(
    cpu: &mut Cpu,
    insn: &Insn,
    rip: u64,
    selector: u16,
    flags: Rflags,
) -> Result<(), Exit> {
    let pointer = stack_cell(cpu, insn, 12, 4)?;
    let mut selectors = [0; 6];
    selectors[SegmentRegister::Cs as usize] = selector;
    let order = [
        SegmentRegister::Ss,
        SegmentRegister::Es,
        SegmentRegister::Ds,
        SegmentRegister::Fs,
        SegmentRegister::Gs,
    ];
    for (depth, register) in (16..).step_by(4).zip(order) {
        selectors[register as usize] = stack_cell(cpu, insn, depth, 4)? as u16;
    }
    if rip > 0xffff {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    cpu.state.segments = selectors.map(Segment::virtual_8086);
    cpu.state.set_gpr(Gpr::Rsp, pointer);
    cpu.state.set_rflags(flags);
    cpu.set_cpl(3);
    cpu.set_rip(rip);
    if cpu.virtual_interrupt_waits() {
        cpu.deliver_exception(Exception::GeneralProtection(0));
    }
    Ok(())
}
