//! The stack (SDM 1, 5.1.1 and 6.5): PUSH, POP, PUSHA, POPA, ENTER, LEAVE.

use rax_mmu::Word as MemoryWord;

use super::{Imm, Insn, Mem, Reg0, Row, helper, lifted, row, row_push};
use crate::Cpu;
use crate::exception::Exit;
use crate::flags::mask;
use crate::ir::Builder;
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{Bits, Dword, Operand, Qword, Slot, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    row_push!(Push_r16, push, Word, Reg0),
    Row::shared(
        iced_x86::Code::Push_rm16,
        super::both!(@stores true, push, Word, Reg0),
        super::both!(@stores true, push, Word, Mem),
    ),
    row!(Pop_r16, pop, Word),
    lifted!(Pop_rm16, pop_anywhere::<Word>, lift_pop::<Word>),
    row!(Leavew, leave, Word),
    helper!(Enterw_imm16_imm8, enter::<Word>),
    row_push!(Push_r32, push, Dword, Reg0),
    Row::shared(
        iced_x86::Code::Push_rm32,
        super::both!(@stores true, push, Dword, Reg0),
        super::both!(@stores true, push, Dword, Mem),
    ),
    row!(Pop_r32, pop, Dword),
    lifted!(Pop_rm32, pop_anywhere::<Dword>, lift_pop::<Dword>),
    row!(Leaved, leave, Dword),
    helper!(Enterd_imm16_imm8, enter::<Dword>),
    row_push!(Push_r64, push, Qword, Reg0),
    Row::shared(
        iced_x86::Code::Push_rm64,
        super::both!(@stores true, push, Qword, Reg0),
        super::both!(@stores true, push, Qword, Mem),
    ),
    row!(Pop_r64, pop, Qword),
    lifted!(Pop_rm64, pop_anywhere::<Qword>, lift_pop::<Qword>),
    row!(Leaveq, leave, Qword),
    helper!(Enterq_imm16_imm8, enter::<Qword>),
    row_push!(Push_imm16, push, Word, Imm),
    row_push!(Pushw_imm8, push, Word, Imm),
    row_push!(Pushd_imm32, push, Dword, Imm),
    row_push!(Pushd_imm8, push, Dword, Imm),
    row_push!(Pushq_imm32, push, Qword, Imm),
    row_push!(Pushq_imm8, push, Qword, Imm),
    helper!(Pushaw, push_all::<Word>),
    helper!(Pushad, push_all::<Dword>),
    helper!(Popaw, pop_all::<Word>),
    helper!(Popad, pop_all::<Dword>),
];

/// PUSH SP pushes what SP was before.
#[inline(always)]
fn push<V: Verbs, W: Width, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    v.push::<W>(insn, value)
}

/// POP SP ends with what was popped.
#[inline(always)]
fn pop<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.stack_top::<W>(insn)?;
    v.move_stack(insn, W::BYTES);
    v.write::<W>(Operand::Gpr(insn.registers[0], false), value)
}

/// An address based on RSP sees it already moved; if the store faults, it has not.
fn pop_anywhere<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    if !insn.has_memory() {
        return pop::<Cpu, W>(cpu, insn);
    }
    let before = cpu.state.gpr(Gpr::Rsp);
    let value = cpu.stack_top::<W>(insn)?;
    cpu.move_stack(insn, W::BYTES);
    let stored = cpu.write::<W>(Operand::Memory(insn), value);
    if stored.is_err() {
        cpu.state.set_gpr(Gpr::Rsp, before);
    }
    stored
}

/// The same for the compiler: in RAM, finding the place first and moving the stack pointer
/// last makes no difference, but for an address based on what wraps.
fn lift_pop<W: Width>(builder: &mut Builder, insn: &Insn) {
    if !insn.has_memory() {
        let Ok(()) = pop::<Builder, W>(builder, insn);
        return;
    }
    let is_based_on_stack = insn.base == Gpr::Rsp;
    if is_based_on_stack && insn.stack_bits == 16 {
        builder.call(pop_anywhere::<W>);
        return;
    }
    let Ok(value) = builder.stack_top::<W>(insn);
    let moved = if is_based_on_stack { W::BYTES } else { 0 };
    let moved = builder.constant::<Qword>(moved);
    let Ok((_, place)) = builder.modify_displaced::<W>(insn, moved);
    builder.commit::<W>(place, value);
    builder.move_stack(insn, W::BYTES);
}

#[inline(always)]
fn leave<V: Verbs, W: Width>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let frame = v.gpr::<Qword>(Gpr::Rbp);
    let stack_mask = v.constant::<Qword>(mask(u32::from(insn.stack_bits)));
    let offset = v.and::<Qword>(frame, stack_mask);
    let value = v.load::<W>(insn, SegmentRegister::Ss, offset)?;
    let bytes = v.constant::<Qword>(W::BYTES);
    let pointer = v.add::<Qword>(offset, bytes);
    v.set_stack(insn, pointer);
    v.set_gpr::<W>(Gpr::Rbp, value);
    Ok(())
}

/// ENTER (SDM 2A): saves RBP, copies the display, makes room.
fn enter<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let stack_mask = mask(u32::from(insn.stack_bits));
    let room = insn.immediate & 0xffff;
    let level = u64::from(insn.immediate2 & 31);
    let before = cpu.state.gpr(Gpr::Rsp);
    let frame_pointer = cpu.state.gpr(Gpr::Rbp);
    let result = (|| {
        cpu.push::<W>(insn, W::Bits::truncate(frame_pointer))?;
        let frame = cpu.state.gpr(Gpr::Rsp);
        if level > 0 {
            for nested in 1..level {
                let offset = frame_pointer.wrapping_sub(nested * W::BYTES) & stack_mask;
                let pointer = cpu.load::<W>(insn, SegmentRegister::Ss, offset)?;
                cpu.push::<W>(insn, pointer)?;
            }
            cpu.push::<W>(insn, W::Bits::truncate(frame))?;
        }
        // The new top must be writable, or the next push would fault after RBP has moved.
        let top = cpu.state.gpr(Gpr::Rsp).wrapping_sub(room);
        let address = cpu.stack_address(insn, top, <W::Bits as MemoryWord>::SIZE, true)?;
        cpu.probe_write(SegmentRegister::Ss, address, W::BYTES)?;
        cpu.set_stack_pointer(insn.stack_bits, top);
        Ok(frame)
    })();
    match result {
        Ok(frame) => {
            cpu.set_gpr::<W>(Gpr::Rbp, W::Bits::truncate(frame));
            Ok(())
        }
        Err(exit) => {
            cpu.state.set_gpr(Gpr::Rsp, before);
            Err(exit)
        }
    }
}

/// The order in which PUSHA pushes.
const ALL: [Gpr; 8] = [
    Gpr::Rax,
    Gpr::Rcx,
    Gpr::Rdx,
    Gpr::Rbx,
    Gpr::Rsp,
    Gpr::Rbp,
    Gpr::Rsi,
    Gpr::Rdi,
];

fn push_all<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let before = cpu.state.gpr(Gpr::Rsp);
    let values = ALL.map(|register| cpu.state.gpr(register));
    for value in values {
        if let Err(exit) = cpu.push::<W>(insn, W::Bits::truncate(value)) {
            cpu.state.set_gpr(Gpr::Rsp, before);
            return Err(exit);
        }
    }
    Ok(())
}

fn pop_all<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let before = cpu.state.gpr(Gpr::Rsp);
    let mut values = [W::Bits::truncate(0); 8];
    for value in values.iter_mut().rev() {
        match cpu.stack_top::<W>(insn) {
            Ok(popped) => *value = popped,
            Err(exit) => {
                cpu.state.set_gpr(Gpr::Rsp, before);
                return Err(exit);
            }
        }
        cpu.move_stack(insn, W::BYTES);
    }
    for (register, value) in ALL.into_iter().zip(values) {
        if register != Gpr::Rsp {
            cpu.set_gpr::<W>(register, value);
        }
    }
    Ok(())
}
