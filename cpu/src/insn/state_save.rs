//! Saving and restoring of processor state (SDM 1, 10.5 and chapter 13): FXSAVE,
//! FXRSTOR, XGETBV, XSETBV, and the XSAVE family in a room of its own.

pub(super) mod extended;
mod image;
#[cfg(test)]
mod tests;

use rax_mmu::LinearAddress;

use super::system::{general_protection, set_wide_accumulator, undefined, wide_accumulator};
use super::{Insn, Row, Unit, helper};
use crate::Cpu;
use crate::cpuid::Feature;
use crate::exception::Exit;
use crate::mode::Mode;
use crate::rflags::Cr4;
use crate::state::Gpr;
use crate::xstate::LEGACY;
use image::{Form, Image};

pub(super) const ROWS: &[Row] = &[
    helper!(Fxsave_m512byte, |cpu, insn| fxsave(cpu, insn, Form::Short)).needs(Unit::X87),
    helper!(Fxsave64_m512byte, |cpu, insn| fxsave(cpu, insn, Form::Long)).needs(Unit::X87),
    helper!(Fxrstor_m512byte, |cpu, insn| fxrstor(
        cpu,
        insn,
        Form::Short
    ))
    .needs(Unit::X87)
    .ends(),
    helper!(Fxrstor64_m512byte, |cpu, insn| fxrstor(
        cpu,
        insn,
        Form::Long
    ))
    .needs(Unit::X87)
    .ends(),
    helper!(Xgetbv, xgetbv),
    helper!(Xsetbv, xsetbv).ends(),
];

/// The bits of MXCSR that exist, and so its mask.
const MXCSR_BITS: u32 = 0xffff;

/// The address of an area of `size` bytes aligned to `alignment`.
///
/// # Errors
/// #GP(0) if it is not, or what segmentation raises.
fn area(
    cpu: &mut Cpu,
    insn: &Insn,
    (size, alignment): (u64, u64),
    write: bool,
) -> Result<LinearAddress, Exit> {
    cpu.note_position(insn);
    let address = cpu.operand_address(insn, size, write)?;
    if address.0 % alignment != 0 {
        return Err(general_protection(cpu));
    }
    if write {
        cpu.probe_write(insn.segment, address, size)?;
    }
    Ok(address)
}

fn read(cpu: &mut Cpu, insn: &Insn, address: LinearAddress, bytes: &mut [u8]) -> Result<(), Exit> {
    for (offset, piece) in (0..).step_by(64).zip(bytes.chunks_mut(64)) {
        cpu.read_linear(insn.segment, address.wrapping_add(offset), piece)?;
    }
    Ok(())
}

fn write(cpu: &mut Cpu, insn: &Insn, address: LinearAddress, bytes: &[u8]) -> Result<(), Exit> {
    for (offset, piece) in (0..).step_by(64).zip(bytes.chunks(64)) {
        cpu.write_linear(insn.segment, address.wrapping_add(offset), piece)?;
    }
    Ok(())
}

/// How many XMM registers there are in this mode.
const fn vector_count(cpu: &Cpu) -> usize {
    if cpu.mode.contains(Mode::CODE64) {
        16
    } else {
        8
    }
}

/// FXSAVE: the x87 part always, MXCSR and XMM registers under CR4.OSFXSR.
fn fxsave(cpu: &mut Cpu, insn: &Insn, form: Form) -> Result<(), Exit> {
    let address = area(cpu, insn, (LEGACY, 16), true)?;
    let mut image = Image::default();
    image.put_x87(&cpu.state.fpu, form);
    let mut length = Image::X87_END;
    if cpu.state.cr4 & Cr4::OSFXSR.bits() != 0 {
        image.put_mxcsr(cpu.state.mxcsr, MXCSR_BITS);
        length = image.put_vectors(&cpu.state.vectors[..vector_count(cpu)]);
    }
    write(cpu, insn, address, &image.0[..length])
}

fn fxrstor(cpu: &mut Cpu, insn: &Insn, form: Form) -> Result<(), Exit> {
    let address = area(cpu, insn, (LEGACY, 16), false)?;
    let mut image = Image::default();
    read(cpu, insn, address, &mut image.0)?;
    let with_sse = cpu.state.cr4 & Cr4::OSFXSR.bits() != 0;
    let mxcsr = image.mxcsr();
    if with_sse && mxcsr & !MXCSR_BITS != 0 {
        return Err(general_protection(cpu));
    }
    image.get_x87(&mut cpu.state.fpu, form);
    if with_sse {
        cpu.state.mxcsr = mxcsr;
        let count = vector_count(cpu);
        image.get_vectors(&mut cpu.state.vectors[..count]);
    }
    Ok(())
}

/// XGETBV: XCR0, and which of its components are in use.
fn xgetbv(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    if cpu.state.cr4 & Cr4::OSXSAVE.bits() == 0 {
        return Err(undefined(cpu));
    }
    let value = match cpu.state.gpr(Gpr::Rcx) as u32 {
        0 => cpu.state.xcr0,
        1 if cpu.model.supports(Feature::Xgetbv1) => {
            cpu.state.xcr0 & extended::in_use_with_mxcsr(cpu)
        }
        _ => return Err(general_protection(cpu)),
    };
    set_wide_accumulator(cpu, value);
    Ok(())
}

fn xsetbv(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    if cpu.state.cr4 & Cr4::OSXSAVE.bits() == 0 {
        return Err(undefined(cpu));
    }
    cpu.require_ring_0()?;
    if cpu.state.gpr(Gpr::Rcx) as u32 != 0 {
        return Err(general_protection(cpu));
    }
    let value = wide_accumulator(cpu);
    cpu.write_xcr0(value)
}
