//! x87 control: words, tags, the stack pointer, and what does nothing (SDM 1, 8.3.11 to 8.3.13).

use super::unit::{begin, wait};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::fpu::StatusWord;
use crate::insn::Insn;
use crate::rflags::Cr0;
use crate::state::Gpr;
use crate::verbs::{Operand, Verbs, Word};

/// WAIT: #NM only if CR0.MP and CR0.TS are both set; CR0.EM does not matter.
pub(super) fn fwait(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let cr0 = Cr0::from_bits_retain(cpu.state.cr0);
    if cr0.contains(Cr0::MP | Cr0::TS) {
        return Err(cpu.raise(Exception::DeviceNotAvailable));
    }
    wait(cpu)
}

/// FNOP.
pub(super) fn fnop(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    begin(cpu, insn).map(|_| ())
}

/// FNENI, FNDISI and FNSETPM: nothing since the 387, without waiting.
pub(super) const fn ignored(_cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    Ok(())
}

/// FNINIT.
pub(super) fn fninit(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    cpu.state.fpu.init();
    Ok(())
}

/// FNCLEX.
pub(super) const fn fnclex(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    cpu.state.fpu.clear_exceptions();
    Ok(())
}

/// FLDCW.
pub(super) fn fldcw(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    wait(cpu)?;
    let value = cpu.read::<Word>(Operand::Memory(insn))?;
    cpu.state.fpu.set_control(value);
    Ok(())
}

/// FNSTCW.
pub(super) fn fnstcw(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.write::<Word>(Operand::Memory(insn), cpu.state.fpu.control)
}

/// FNSTSW to memory.
pub(super) fn fnstsw(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.write::<Word>(Operand::Memory(insn), cpu.state.fpu.status)
}

/// FNSTSW AX.
pub(super) fn fnstsw_ax(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let status = cpu.state.fpu.status;
    cpu.set_gpr::<Word>(Gpr::Rax, status);
    Ok(())
}

/// FINCSTP and FDECSTP: the top moves by `BY` registers; tags stay.
pub(super) fn turn<const BY: usize>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    fpu.set_codes(StatusWord::C1, StatusWord::empty());
    fpu.set_top(fpu.top() + BY);
    Ok(())
}

/// FFREE, and the undocumented FFREEP, which pops as well.
pub(super) fn ffree<const POPS: bool>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    fpu.set_codes(StatusWord::C1, StatusWord::empty());
    fpu.free(insn.number(0));
    if POPS {
        fpu.pop();
    }
    Ok(())
}
