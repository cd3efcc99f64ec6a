//! x87 control: what resets, and what does nothing (SDM 1, 8.3.11 to 8.3.13).

use super::unit::{begin, wait};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::fpu::StatusWord;
use crate::insn::Insn;
use crate::rflags::Cr0;
use crate::x87::X87Op;

/// WAIT: #NM only if CR0.MP and CR0.TS are both set; CR0.EM does not matter.
pub(super) fn fwait(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let cr0 = Cr0::from_bits_retain(cpu.state.cr0);
    if cr0.contains(Cr0::MP | Cr0::TS) {
        return Err(cpu.raise(Exception::DeviceNotAvailable));
    }
    wait(cpu)
}

/// FNENI, FNDISI and FNSETPM: nothing since the 387, without waiting.
pub(super) const fn ignored(_cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    Ok(())
}

/// FNINIT.
pub(super) fn fninit(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    cpu.with_ferr(|cpu| cpu.state.fpu.init());
    Ok(())
}

/// FNCLEX.
pub(super) fn fnclex(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    cpu.with_ferr(|cpu| cpu.state.fpu.clear_exceptions());
    Ok(())
}

/// The undocumented FSTPNCE: as FSTP, but an empty ST(0) is popped and nothing else.
pub(super) fn fstpnce(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let fpu = begin(cpu, insn)?;
    if fpu.is_empty(0) {
        fpu.set_codes(StatusWord::C1, StatusWord::empty());
        fpu.pop();
    } else {
        let to = insn.number(0) as u8;
        X87Op::Copy { to, pops: true }.apply(fpu);
    }
    Ok(())
}
