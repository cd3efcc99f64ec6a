//! What every x87 instruction begins with: pending exceptions, and the pointers to the
//! last instruction and its operand (SDM 1, 8.1.8, 8.6 and 8.7).

use crate::Cpu;
use crate::exception::Exit;
use crate::fpu::Fpu;
use crate::insn::Insn;
use crate::verbs::X87Verbs;

/// What a waiting instruction does first: #MF if an unmasked exception is pending.
#[inline]
pub(super) fn wait(cpu: &mut Cpu) -> Result<(), Exit> {
    cpu.check_pending_x87()
}

/// Notes which non-control instruction this is, once nothing can fault any more.
#[inline]
fn note<'a>(cpu: &'a mut Cpu, insn: &Insn) -> &'a mut Fpu {
    X87Verbs::note(cpu, insn);
    &mut cpu.state.fpu
}

/// Waits, then notes: how a non-control instruction without memory operand begins.
#[inline]
pub(super) fn begin<'a>(cpu: &'a mut Cpu, insn: &Insn) -> Result<&'a mut Fpu, Exit> {
    wait(cpu)?;
    Ok(note(cpu, insn))
}
