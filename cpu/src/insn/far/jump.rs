//! Far JMP and CALL: direct, through call gates, and to other tasks (SDM 3A, 5.8
//! and 7.3; SDM 2A, CALL and JMP).

use rax_mmu::LinearAddress;

use super::{far_pointer, stack_cell};
use crate::Cpu;
use crate::delivery::Gate;
use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::rflags::Rflags;
use crate::segment::SegmentRegister;
use crate::segment::load::{Entry, is_null, rpl};
use crate::segment::stack::Stack;
use crate::state::Gpr;
use crate::task::Entrance;
use crate::verbs::Width;

const AVAILABLE_TSS_16: u8 = 1;
const CALL_GATE_16: u8 = 4;
const TASK_GATE: u8 = 5;
const AVAILABLE_TSS_32: u8 = 9;
const CALL_GATE: u8 = 12;

pub(super) fn jmp<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    transfer::<W>(cpu, insn, false)
}

pub(super) fn call<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    transfer::<W>(cpu, insn, true)
}

fn transfer<W: Width>(cpu: &mut Cpu, insn: &Insn, is_call: bool) -> Result<(), Exit> {
    let (selector, rip) = far_pointer::<W>(cpu, insn)?;
    let size = W::BYTES as u8;
    let stack = cpu.current_stack();
    if !cpu.is_protected() {
        let code = cpu.real_style_segment(SegmentRegister::Cs, selector);
        cpu.check_code_offset(code.attributes, code.limit, rip)?;
        let stack = push_return(cpu, insn, stack, size, is_call)?;
        cpu.enter_stack(&stack);
        cpu.enter_code(code, cpu.state.cpl, rip);
        return Ok(());
    }
    if is_null(selector) {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    let entry = cpu.descriptor_or(selector, Exception::GeneralProtection)?;
    if let Some(kind) = entry.system_kind() {
        return through_system_segment(cpu, insn, entry, kind, is_call);
    }
    cpu.check_direct_code(entry)?;
    let stack = push_return(cpu, insn, stack, size, is_call)?;
    cpu.check_code_offset(entry.attributes(), entry.descriptor.limit(), rip)?;
    cpu.mark_accessed(entry)?;
    cpu.enter_stack(&stack);
    let cpl = cpu.state.cpl;
    cpu.enter_code(entry.segment(cpl), cpl, rip);
    Ok(())
}

/// CALL leaves its return address, JMP does not.
fn push_return(
    cpu: &mut Cpu,
    insn: &Insn,
    mut stack: Stack,
    size: u8,
    is_call: bool,
) -> Result<Stack, Exit> {
    if is_call {
        if stack.cpl == 3 {
            let top = stack.segment.base.wrapping_add(stack.pointer);
            cpu.check_alignment(LinearAddress(top), u64::from(size))?;
        }
        let selector = cpu.state.segment(SegmentRegister::Cs).selector;
        cpu.push_to(&mut stack, size, u64::from(selector))?;
        let return_to = cpu.ip_after(insn);
        cpu.push_to(&mut stack, size, return_to)?;
    }
    Ok(stack)
}

/// Gates and task-state segments, whose privilege is checked alike.
fn through_system_segment(
    cpu: &mut Cpu,
    insn: &Insn,
    entry: Entry,
    kind: u8,
    is_call: bool,
) -> Result<(), Exit> {
    let is_known = if cpu.long_mode_active() {
        kind == CALL_GATE
    } else {
        matches!(
            kind,
            AVAILABLE_TSS_16 | CALL_GATE_16 | TASK_GATE | AVAILABLE_TSS_32 | CALL_GATE
        )
    };
    let forbidden = entry.dpl() < cpu.state.cpl || entry.dpl() < rpl(entry.selector);
    if !is_known || forbidden {
        return Err(cpu.raise(Exception::GeneralProtection(entry.code())));
    }
    if kind == AVAILABLE_TSS_16 || kind == AVAILABLE_TSS_32 {
        return to_task(cpu, insn, entry.selector, is_call);
    }
    if !entry.is_present() {
        return Err(cpu.raise(Exception::SegmentNotPresent(entry.code())));
    }
    let gate = Gate(entry.descriptor);
    if kind == TASK_GATE {
        return to_task(cpu, insn, gate.selector(), is_call);
    }
    let (size, rip) = if cpu.long_mode_active() {
        let upper = cpu.upper_half(entry, Exception::GeneralProtection)?;
        (8, gate.offset() | upper << 32)
    } else if kind == CALL_GATE {
        (4, gate.offset())
    } else {
        (2, gate.offset() & 0xffff)
    };
    through_gate(cpu, insn, gate, size, rip, is_call)
}

fn through_gate(
    cpu: &mut Cpu,
    insn: &Insn,
    gate: Gate,
    size: u8,
    rip: u64,
    is_call: bool,
) -> Result<(), Exit> {
    let code = cpu.find_gate_code(gate.selector(), is_call)?;
    let is_inner = is_call && !code.is_conforming() && code.dpl() < cpu.state.cpl;
    let cpl = if is_inner { code.dpl() } else { cpu.state.cpl };
    let stack = if is_inner {
        inner_frame(cpu, insn, gate, size, cpl)?
    } else {
        cpu.current_stack()
    };
    let stack = push_return(cpu, insn, stack, size, is_call)?;
    cpu.check_code_offset(code.attributes(), code.descriptor.limit(), rip)?;
    cpu.mark_accessed(code)?;
    cpu.enter_stack(&stack);
    cpu.enter_code(code.segment(cpl), cpl, rip);
    Ok(())
}

/// The inner stack with the old stack pointer and the parameters on it.
fn inner_frame(cpu: &mut Cpu, insn: &Insn, gate: Gate, size: u8, cpl: u8) -> Result<Stack, Exit> {
    let is_64_bit = size == 8;
    let mut stack = if is_64_bit {
        cpu.inner_stack_64(cpl)?
    } else {
        cpu.inner_stack(cpl)?
    };
    let old_stack = cpu.state.segment(SegmentRegister::Ss).selector;
    cpu.push_to(&mut stack, size, u64::from(old_stack))?;
    let old_pointer = cpu.state.gpr(Gpr::Rsp);
    cpu.push_to(&mut stack, size, old_pointer)?;
    let count = if is_64_bit { 0 } else { gate.parameters() };
    for n in (0..count).rev() {
        let value = stack_cell(cpu, insn, n * u64::from(size), u64::from(size))?;
        cpu.push_to(&mut stack, size, value)?;
    }
    Ok(stack)
}

fn to_task(cpu: &mut Cpu, insn: &Insn, selector: u16, is_call: bool) -> Result<(), Exit> {
    let entry = cpu.find_task(selector)?;
    let entrance = if is_call {
        Entrance::Call
    } else {
        Entrance::Jump
    };
    switch(cpu, insn, entry, entrance)
}

/// Switches to another task, which takes the exceptions that come with its state.
pub(super) fn switch(
    cpu: &mut Cpu,
    insn: &Insn,
    entry: Entry,
    entrance: Entrance,
) -> Result<(), Exit> {
    let return_to = cpu.ip_after(insn);
    let flags = cpu.state.rflags() - Rflags::RF;
    if let Some(fault) = cpu.switch_task(entry, entrance, return_to, flags)? {
        cpu.deliver_exception(fault);
        // The old task's trap is lost; its TF must not stop the handler.
        cpu.single_step_suppressed = flags.contains(Rflags::TF);
    }
    Ok(())
}
