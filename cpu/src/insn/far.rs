//! Far control transfer: JMP, CALL, RET, IRET, INT, SYSCALL and their kin (SDM 1, 5.1.7 and 5.20).

mod fast;
mod jump;
mod ret;
#[cfg(test)]
mod tests;

use super::{Insn, Row, helper};
use crate::Cpu;
use crate::delivery::Source;
use crate::exception::{Exception, Exit};
use crate::flags::Condition;
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{Bits, Dword, Operand, Qword, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    helper!(Jmp_ptr1616, jump::jmp::<Word>).ends(),
    helper!(Jmp_ptr1632, jump::jmp::<Dword>).ends(),
    helper!(Jmp_m1616, jump::jmp::<Word>).ends(),
    helper!(Jmp_m1632, jump::jmp::<Dword>).ends(),
    helper!(Jmp_m1664, jump::jmp::<Qword>).ends(),
    helper!(Call_ptr1616, jump::call::<Word>).ends(),
    helper!(Call_ptr1632, jump::call::<Dword>).ends(),
    helper!(Call_m1616, jump::call::<Word>).ends(),
    helper!(Call_m1632, jump::call::<Dword>).ends(),
    helper!(Call_m1664, jump::call::<Qword>).ends(),
    helper!(Retfw, ret::ret::<Word>).ends(),
    helper!(Retfd, ret::ret::<Dword>).ends(),
    helper!(Retfq, ret::ret::<Qword>).ends(),
    helper!(Retfw_imm16, ret::ret::<Word>).ends(),
    helper!(Retfd_imm16, ret::ret::<Dword>).ends(),
    helper!(Retfq_imm16, ret::ret::<Qword>).ends(),
    helper!(Iretw, ret::iret::<Word>).ends(),
    helper!(Iretd, ret::iret::<Dword>).ends(),
    helper!(Iretq, ret::iret::<Qword>).ends(),
    helper!(Int_imm8, int).ends(),
    helper!(Int3, int3).ends(),
    helper!(Into, into).ends(),
    helper!(Int1, int1).ends(),
    helper!(Syscall, fast::syscall).ends(),
    helper!(Sysretd, fast::sysret_32).ends(),
    helper!(Sysretq, fast::sysret_64).ends(),
    helper!(Sysenter, fast::sysenter).ends(),
    helper!(Sysexitd, fast::sysexit::<Dword>).ends(),
    helper!(Sysexitq, fast::sysexit::<Qword>).ends(),
    helper!(Rsm, Cpu::resume).ends(),
];

fn int(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let return_to = cpu.ip_after(insn);
    cpu.software_interrupt(insn.immediate as u8, Source::Int, return_to)
}

fn int3(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let return_to = cpu.ip_after(insn);
    cpu.software_interrupt(3, Source::Trap, return_to)
}

fn into(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    if !cpu.state.flags.condition(Condition::O) {
        return Ok(());
    }
    let return_to = cpu.ip_after(insn);
    cpu.software_interrupt(4, Source::Trap, return_to)
}

/// Not even the gate's DPL forbids it (SDM 3A, 6.4.4).
///
/// Breakpoints that MOV SS put off come with this #DB, not as another one behind it.
fn int1(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let return_to = cpu.ip_after(insn);
    let status = std::mem::take(&mut cpu.debug_hits);
    cpu.software_interrupt(1, Source::Hardware, return_to)?;
    if status != 0 {
        cpu.note_exception(Exception::Debug { status });
    }
    Ok(())
}

/// The far pointer operand: selector and offset.
fn far_pointer<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(u16, u64), Exit> {
    if !insn.has_memory() {
        return Ok((insn.displacement as u16, insn.immediate));
    }
    let offset = cpu.read::<W>(Operand::Memory(insn))?;
    let selector = cpu.read_displaced::<Word>(insn, W::BYTES)?;
    Ok((selector, offset.widen()))
}

/// What lies `depth` bytes above the top of the stack.
fn stack_cell(cpu: &mut Cpu, insn: &Insn, depth: u64, size: u64) -> Result<u64, Exit> {
    let pointer = cpu.state.gpr(Gpr::Rsp).wrapping_add(depth);
    let address = cpu.stack_address(insn, pointer, size, false)?;
    let stack = SegmentRegister::Ss;
    match size {
        2 => Ok(u64::from(cpu.load_linear::<u16>(insn, stack, address)?)),
        4 => Ok(u64::from(cpu.load_linear::<u32>(insn, stack, address)?)),
        _ => cpu.load_linear::<u64>(insn, stack, address),
    }
}
