//! Segment registers and descriptor tables (SDM 1, 5.1.12 and 5.20).

mod query;
mod table;
#[cfg(test)]
mod tests;

use super::{Insn, Mem, Reg0, Row, helper};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::rflags::Cr4;
use crate::segment::SegmentRegister;
use crate::state::InterruptShadow;
use crate::verbs::{Bits, Dword, Operand, Qword, Slot, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    helper!(Mov_rm16_Sreg, store::<Word>),
    helper!(Mov_r32m16_Sreg, store::<Dword>),
    helper!(Mov_r64m16_Sreg, store::<Qword>),
    helper!(Mov_Sreg_rm16, load).ends(),
    helper!(Mov_Sreg_r32m16, load).ends(),
    helper!(Mov_Sreg_r64m16, load).ends(),
    helper!(Pushw_ES, push::<Word>),
    helper!(Pushw_CS, push::<Word>),
    helper!(Pushw_SS, push::<Word>),
    helper!(Pushw_DS, push::<Word>),
    helper!(Pushw_FS, push::<Word>),
    helper!(Pushw_GS, push::<Word>),
    helper!(Pushd_ES, push::<Dword>),
    helper!(Pushd_CS, push::<Dword>),
    helper!(Pushd_SS, push::<Dword>),
    helper!(Pushd_DS, push::<Dword>),
    helper!(Pushd_FS, push::<Dword>),
    helper!(Pushd_GS, push::<Dword>),
    helper!(Pushq_FS, push::<Qword>),
    helper!(Pushq_GS, push::<Qword>),
    helper!(Popw_ES, pop::<Word>).ends(),
    helper!(Popw_SS, pop::<Word>).ends(),
    helper!(Popw_DS, pop::<Word>).ends(),
    helper!(Popw_FS, pop::<Word>).ends(),
    helper!(Popw_GS, pop::<Word>).ends(),
    helper!(Popd_ES, pop::<Dword>).ends(),
    helper!(Popd_SS, pop::<Dword>).ends(),
    helper!(Popd_DS, pop::<Dword>).ends(),
    helper!(Popd_FS, pop::<Dword>).ends(),
    helper!(Popd_GS, pop::<Dword>).ends(),
    helper!(Popq_FS, pop::<Qword>).ends(),
    helper!(Popq_GS, pop::<Qword>).ends(),
    helper!(Les_r16_m1616, |cpu, insn| load_pointer::<Word>(
        cpu,
        insn,
        SegmentRegister::Es
    ))
    .ends(),
    helper!(Les_r32_m1632, |cpu, insn| load_pointer::<Dword>(
        cpu,
        insn,
        SegmentRegister::Es
    ))
    .ends(),
    helper!(Lds_r16_m1616, |cpu, insn| load_pointer::<Word>(
        cpu,
        insn,
        SegmentRegister::Ds
    ))
    .ends(),
    helper!(Lds_r32_m1632, |cpu, insn| load_pointer::<Dword>(
        cpu,
        insn,
        SegmentRegister::Ds
    ))
    .ends(),
    helper!(Lss_r16_m1616, |cpu, insn| load_pointer::<Word>(
        cpu,
        insn,
        SegmentRegister::Ss
    ))
    .ends(),
    helper!(Lss_r32_m1632, |cpu, insn| load_pointer::<Dword>(
        cpu,
        insn,
        SegmentRegister::Ss
    ))
    .ends(),
    helper!(Lss_r64_m1664, |cpu, insn| load_pointer::<Qword>(
        cpu,
        insn,
        SegmentRegister::Ss
    ))
    .ends(),
    helper!(Lfs_r16_m1616, |cpu, insn| load_pointer::<Word>(
        cpu,
        insn,
        SegmentRegister::Fs
    ))
    .ends(),
    helper!(Lfs_r32_m1632, |cpu, insn| load_pointer::<Dword>(
        cpu,
        insn,
        SegmentRegister::Fs
    ))
    .ends(),
    helper!(Lfs_r64_m1664, |cpu, insn| load_pointer::<Qword>(
        cpu,
        insn,
        SegmentRegister::Fs
    ))
    .ends(),
    helper!(Lgs_r16_m1616, |cpu, insn| load_pointer::<Word>(
        cpu,
        insn,
        SegmentRegister::Gs
    ))
    .ends(),
    helper!(Lgs_r32_m1632, |cpu, insn| load_pointer::<Dword>(
        cpu,
        insn,
        SegmentRegister::Gs
    ))
    .ends(),
    helper!(Lgs_r64_m1664, |cpu, insn| load_pointer::<Qword>(
        cpu,
        insn,
        SegmentRegister::Gs
    ))
    .ends(),
    helper!(Lgdt_m1632_16, table::lgdt::<Word>).ends(),
    helper!(Lgdt_m1632, table::lgdt::<Dword>).ends(),
    helper!(Lgdt_m1664, table::lgdt::<Qword>).ends(),
    helper!(Lidt_m1632_16, table::lidt::<Word>).ends(),
    helper!(Lidt_m1632, table::lidt::<Dword>).ends(),
    helper!(Lidt_m1664, table::lidt::<Qword>).ends(),
    helper!(Sgdt_m1632_16, table::sgdt::<Dword>),
    helper!(Sgdt_m1632, table::sgdt::<Dword>),
    helper!(Sgdt_m1664, table::sgdt::<Qword>),
    helper!(Sidt_m1632_16, table::sidt::<Dword>),
    helper!(Sidt_m1632, table::sidt::<Dword>),
    helper!(Sidt_m1664, table::sidt::<Qword>),
    helper!(Lldt_rm16, table::lldt).ends(),
    helper!(Lldt_r32m16, table::lldt).ends(),
    helper!(Lldt_r64m16, table::lldt).ends(),
    helper!(Ltr_rm16, table::ltr).ends(),
    helper!(Ltr_r32m16, table::ltr).ends(),
    helper!(Ltr_r64m16, table::ltr).ends(),
    helper!(Sldt_rm16, table::sldt::<Word>),
    helper!(Sldt_r32m16, table::sldt::<Dword>),
    helper!(Sldt_r64m16, table::sldt::<Qword>),
    helper!(Str_rm16, table::str::<Word>),
    helper!(Str_r32m16, table::str::<Dword>),
    helper!(Str_r64m16, table::str::<Qword>),
    helper!(Lar_r16_rm16, query::lar::<Word>),
    helper!(Lar_r32_r32m16, query::lar::<Dword>),
    helper!(Lar_r64_r64m16, query::lar::<Qword>),
    helper!(Lsl_r16_rm16, query::lsl::<Word>),
    helper!(Lsl_r32_r32m16, query::lsl::<Dword>),
    helper!(Lsl_r64_r64m16, query::lsl::<Qword>),
    helper!(Verr_rm16, query::verr),
    helper!(Verr_r32m16, query::verr),
    helper!(Verr_r64m16, query::verr),
    helper!(Verw_rm16, query::verw),
    helper!(Verw_r32m16, query::verw),
    helper!(Verw_r64m16, query::verw),
    helper!(Arpl_rm16_r16, query::arpl),
    helper!(Arpl_r32m16_r32, query::arpl),
    helper!(Swapgs, swapgs),
    helper!(Rdfsbase_r32, |cpu, insn| read_base::<Dword>(
        cpu,
        insn,
        SegmentRegister::Fs
    )),
    helper!(Rdfsbase_r64, |cpu, insn| read_base::<Qword>(
        cpu,
        insn,
        SegmentRegister::Fs
    )),
    helper!(Rdgsbase_r32, |cpu, insn| read_base::<Dword>(
        cpu,
        insn,
        SegmentRegister::Gs
    )),
    helper!(Rdgsbase_r64, |cpu, insn| read_base::<Qword>(
        cpu,
        insn,
        SegmentRegister::Gs
    )),
    helper!(Wrfsbase_r32, |cpu, insn| write_base::<Dword>(
        cpu,
        insn,
        SegmentRegister::Fs
    )),
    helper!(Wrfsbase_r64, |cpu, insn| write_base::<Qword>(
        cpu,
        insn,
        SegmentRegister::Fs
    )),
    helper!(Wrgsbase_r32, |cpu, insn| write_base::<Dword>(
        cpu,
        insn,
        SegmentRegister::Gs
    )),
    helper!(Wrgsbase_r64, |cpu, insn| write_base::<Qword>(
        cpu,
        insn,
        SegmentRegister::Gs
    )),
];

/// The segment register in an operand; none for encodings 6 and 7.
fn segment_operand(cpu: &mut Cpu, insn: &Insn, operand: usize) -> Result<SegmentRegister, Exit> {
    match SegmentRegister::ALL.get(insn.number(operand)) {
        Some(&register) => Ok(register),
        None => Err(cpu.raise(Exception::InvalidOpcode)),
    }
}

/// A selector operand: two bytes in memory, or the low half of a register.
fn read_selector(cpu: &mut Cpu, insn: &Insn, operand: usize) -> Result<u16, Exit> {
    if insn.has_memory() {
        cpu.read::<Word>(Mem::of(insn))
    } else {
        Ok(cpu.state.gpr(insn.registers[operand]) as u16)
    }
}

/// Writes a selector: two bytes to memory, or zero-extended to a register.
fn write_selector<W: Width>(cpu: &mut Cpu, insn: &Insn, selector: u16) -> Result<(), Exit> {
    if insn.has_memory() {
        cpu.write::<Word>(Mem::of(insn), selector)
    } else {
        cpu.write::<W>(Reg0::of(insn), W::Bits::truncate(u64::from(selector)))
    }
}

fn store<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let register = segment_operand(cpu, insn, 1)?;
    let selector = cpu.state.segment(register).selector;
    write_selector::<W>(cpu, insn, selector)
}

fn load(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let register = segment_operand(cpu, insn, 0)?;
    if register == SegmentRegister::Cs {
        return Err(cpu.raise(Exception::InvalidOpcode));
    }
    let selector = read_selector(cpu, insn, 1)?;
    cpu.load_segment(register, selector)?;
    shadow_stack_load(cpu, register);
    Ok(())
}

/// MOV SS and POP SS hold everything off until the stack pointer is loaded too
/// (SDM 3A, 6.8.3). LSS loads both, so it need not.
fn shadow_stack_load(cpu: &mut Cpu, register: SegmentRegister) {
    if register == SegmentRegister::Ss {
        cpu.state.interrupt_shadow = InterruptShadow::MovSs;
        cpu.request_attention();
    }
}

fn push<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let register = segment_operand(cpu, insn, 0)?;
    let selector = cpu.state.segment(register).selector;
    cpu.push::<W>(insn, W::Bits::truncate(u64::from(selector)))
}

fn pop<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let register = segment_operand(cpu, insn, 0)?;
    let selector = cpu.stack_top::<W>(insn)?.widen() as u16;
    cpu.load_segment(register, selector)?;
    cpu.move_stack(insn, W::BYTES);
    shadow_stack_load(cpu, register);
    Ok(())
}

/// LDS, LES, LFS, LGS, LSS.
fn load_pointer<W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    register: SegmentRegister,
) -> Result<(), Exit> {
    let offset = cpu.read::<W>(Operand::Memory(insn))?;
    let selector = cpu.read_displaced::<Word>(insn, W::BYTES)?;
    cpu.load_segment(register, selector)?;
    cpu.write::<W>(Reg0::of(insn), offset)
}

fn swapgs(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    if cpu.state.cpl != 0 {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    let base = &mut cpu.state.segments[SegmentRegister::Gs as usize].base;
    std::mem::swap(base, &mut cpu.state.msrs.kernel_gs_base);
    Ok(())
}

fn check_fsgsbase(cpu: &mut Cpu) -> Result<(), Exit> {
    if cpu.state.cr4 & Cr4::FSGSBASE.bits() == 0 {
        return Err(cpu.raise(Exception::InvalidOpcode));
    }
    Ok(())
}

fn read_base<W: Width>(cpu: &mut Cpu, insn: &Insn, register: SegmentRegister) -> Result<(), Exit> {
    check_fsgsbase(cpu)?;
    let base = cpu.state.segment(register).base;
    cpu.write::<W>(Reg0::of(insn), W::Bits::truncate(base))
}

fn write_base<W: Width>(cpu: &mut Cpu, insn: &Insn, register: SegmentRegister) -> Result<(), Exit> {
    check_fsgsbase(cpu)?;
    let base = cpu.read::<W>(Reg0::of(insn))?.widen();
    if !cpu.is_canonical(base) {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    cpu.state.segments[register as usize].base = base;
    Ok(())
}
