//! Saving and restoring of processor state (SDM 1, 10.5 and chapter 13): FXSAVE,
//! FXRSTOR, XSAVE, XSAVEOPT, XRSTOR, XGETBV, XSETBV.

mod image;
#[cfg(test)]
mod tests;

use rax_mmu::LinearAddress;

use super::system::{general_protection, set_wide_accumulator, undefined, wide_accumulator};
use super::{Insn, Row, Unit, helper};
use crate::Cpu;
use crate::cpuid::PKRU_OFFSET;
use crate::exception::{Exception, Exit};
use crate::mode::Mode;
use crate::rflags::{Cr0, Cr4};
use crate::state::Gpr;
use image::{Form, Image};

pub(super) const ROWS: &[Row] = &[
    helper!(Fxsave_m512byte, |cpu, insn| fxsave(cpu, insn, Form::Short)).needs(Unit::X87),
    helper!(Fxsave64_m512byte, |cpu, insn| fxsave(cpu, insn, Form::Long)).needs(Unit::X87),
    helper!(Fxrstor_m512byte, |cpu, insn| fxrstor(
        cpu,
        insn,
        Form::Short
    ))
    .needs(Unit::X87),
    helper!(Fxrstor64_m512byte, |cpu, insn| fxrstor(
        cpu,
        insn,
        Form::Long
    ))
    .needs(Unit::X87),
    helper!(Xsave_mem, |cpu, insn| xsave(cpu, insn, Form::Short, false)),
    helper!(Xsave64_mem, |cpu, insn| xsave(cpu, insn, Form::Long, false)),
    helper!(Xsaveopt_mem, |cpu, insn| xsave(
        cpu,
        insn,
        Form::Short,
        true
    )),
    helper!(Xsaveopt64_mem, |cpu, insn| xsave(
        cpu,
        insn,
        Form::Long,
        true
    )),
    helper!(Xrstor_mem, |cpu, insn| xrstor(cpu, insn, Form::Short)).ends(),
    helper!(Xrstor64_mem, |cpu, insn| xrstor(cpu, insn, Form::Long)).ends(),
    helper!(Xgetbv, xgetbv),
    helper!(Xsetbv, xsetbv).ends(),
];

/// State components by their bits in XCR0.
const X87: u64 = 1 << 0;
const SSE: u64 = 1 << 1;
const AVX: u64 = 1 << 2;
const PKRU: u64 = 1 << 9;

/// The legacy area that FXSAVE defines, and the header after it.
const LEGACY: u64 = 512;
const HEADER: u64 = 64;
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

/// Which components XSAVE and XRSTOR are asked for and may touch.
///
/// # Errors
/// #UD without CR4.OSXSAVE, #NM under CR0.TS.
fn requested(cpu: &mut Cpu) -> Result<u64, Exit> {
    if cpu.state.cr4 & Cr4::OSXSAVE.bits() == 0 {
        return Err(undefined(cpu));
    }
    if cpu.state.cr0 & Cr0::TS.bits() != 0 {
        return Err(cpu.raise(Exception::DeviceNotAvailable));
    }
    Ok(wide_accumulator(cpu) & cpu.state.xcr0)
}

/// The components that are not in their initial configuration (SDM 1, 13.6).
fn in_use(cpu: &Cpu) -> u64 {
    let vectors = &cpu.state.vectors[..vector_count(cpu)];
    let mut used = 0;
    if cpu.state.fpu != crate::fpu::Fpu::default() {
        used |= X87;
    }
    if vectors.iter().any(|vector| vector.0[..2] != [0, 0]) {
        used |= SSE;
    }
    if cpu.state.pkru != 0 {
        used |= PKRU;
    }
    used
}

/// The size of an area in standard format that holds these components.
fn area_size(components: u64) -> u64 {
    if components & PKRU == 0 {
        LEGACY + HEADER
    } else {
        u64::from(PKRU_OFFSET) + 8
    }
}

/// XSAVE and XSAVEOPT, which leaves out what is in its initial configuration.
fn xsave(cpu: &mut Cpu, insn: &Insn, form: Form, optimised: bool) -> Result<(), Exit> {
    let requested = requested(cpu)?;
    let address = area(cpu, insn, (area_size(requested), 64), true)?;
    let used = in_use(cpu);
    let saved = if optimised {
        requested & used
    } else {
        requested
    };
    let mut old = [0; 8];
    read(cpu, insn, address.wrapping_add(LEGACY), &mut old)?;
    let mut image = Image::default();
    if saved & X87 != 0 {
        image.put_x87(&cpu.state.fpu, form);
        let (control, registers) = image.x87_parts();
        write(cpu, insn, address, control)?;
        write(cpu, insn, address.wrapping_add(32), registers)?;
    }
    if requested & (SSE | AVX) != 0 {
        image.put_mxcsr(cpu.state.mxcsr, MXCSR_BITS);
        write(cpu, insn, address.wrapping_add(24), &image.0[24..32])?;
    }
    if saved & SSE != 0 {
        let end = image.put_vectors(&cpu.state.vectors[..vector_count(cpu)]);
        let start = Image::X87_END;
        let place = address.wrapping_add(start as u64);
        write(cpu, insn, place, &image.0[start..end])?;
    }
    if saved & PKRU != 0 {
        let pkru = u64::from(cpu.state.pkru).to_le_bytes();
        write(
            cpu,
            insn,
            address.wrapping_add(u64::from(PKRU_OFFSET)),
            &pkru,
        )?;
    }
    let header = u64::from_le_bytes(old) & !requested | used & requested;
    write(
        cpu,
        insn,
        address.wrapping_add(LEGACY),
        &header.to_le_bytes(),
    )
}

/// XRSTOR of the standard format: components whose bit in the header is clear get
/// their initial configuration.
fn xrstor(cpu: &mut Cpu, insn: &Insn, form: Form) -> Result<(), Exit> {
    let requested = requested(cpu)?;
    let address = area(cpu, insn, (area_size(requested), 64), false)?;
    let mut header = [0; 24];
    read(cpu, insn, address.wrapping_add(LEGACY), &mut header)?;
    let (present, rest) = header.split_at(8);
    let mut bits = [0; 8];
    bits.copy_from_slice(present);
    let present = u64::from_le_bytes(bits);
    let is_standard = rest.iter().all(|&byte| byte == 0);
    if !is_standard || present & !cpu.state.xcr0 != 0 {
        return Err(general_protection(cpu));
    }
    let mut image = Image::default();
    read(cpu, insn, address, &mut image.0)?;
    let mxcsr = image.mxcsr();
    let with_mxcsr = requested & (SSE | AVX) != 0;
    if with_mxcsr && mxcsr & !MXCSR_BITS != 0 {
        return Err(general_protection(cpu));
    }
    let mut pkru = [0; 4];
    if requested & present & PKRU != 0 {
        let place = address.wrapping_add(u64::from(PKRU_OFFSET));
        read(cpu, insn, place, &mut pkru)?;
    }
    if requested & X87 != 0 {
        if present & X87 != 0 {
            image.get_x87(&mut cpu.state.fpu, form);
        } else {
            cpu.state.fpu = crate::fpu::Fpu::default();
        }
    }
    if with_mxcsr {
        cpu.state.mxcsr = mxcsr;
    }
    if requested & SSE != 0 {
        if present & SSE == 0 {
            image.clear_vectors();
        }
        let count = vector_count(cpu);
        image.get_vectors(&mut cpu.state.vectors[..count]);
    }
    if requested & PKRU != 0 {
        cpu.write_pkru(u32::from_le_bytes(pkru));
    }
    Ok(())
}

/// XGETBV: only XCR0 is there.
fn xgetbv(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    if cpu.state.cr4 & Cr4::OSXSAVE.bits() == 0 {
        return Err(undefined(cpu));
    }
    if cpu.state.gpr(Gpr::Rcx) as u32 != 0 {
        return Err(general_protection(cpu));
    }
    set_wide_accumulator(cpu, cpu.state.xcr0);
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
