//! XSAVE, XSAVEOPT, XSAVEC and XSAVES; XRSTOR and XRSTORS (SDM 1, 13.7 to 13.12).

use rax_mmu::LinearAddress;

use super::image::{Form, Image};
use super::{MXCSR_BITS, area, read, vector_count, write};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::fpu::Fpu;
use crate::insn::system::{general_protection, undefined, wide_accumulator};
use crate::insn::{Insn, Row, helper};
use crate::rflags::{Cr0, Cr4};
use crate::xstate::{
    AVX, COMPACTED, COMPONENTS, Component, HEADER, LEGACY, Layout, PKRU, SSE, X87,
};

pub(in crate::insn) const ROWS: &[Row] = &[
    helper!(Xsave_mem, |cpu, insn| save(
        cpu,
        insn,
        Form::Short,
        Save::Plain
    )),
    helper!(Xsave64_mem, |cpu, insn| save(
        cpu,
        insn,
        Form::Long,
        Save::Plain
    )),
    helper!(Xsaveopt_mem, |cpu, insn| save(
        cpu,
        insn,
        Form::Short,
        Save::Optimised
    )),
    helper!(Xsaveopt64_mem, |cpu, insn| save(
        cpu,
        insn,
        Form::Long,
        Save::Optimised
    )),
    helper!(Xsavec_mem, |cpu, insn| save(
        cpu,
        insn,
        Form::Short,
        Save::Compacted
    )),
    helper!(Xsavec64_mem, |cpu, insn| save(
        cpu,
        insn,
        Form::Long,
        Save::Compacted
    )),
    helper!(Xsaves_mem, |cpu, insn| save(
        cpu,
        insn,
        Form::Short,
        Save::Supervisor
    )),
    helper!(Xsaves64_mem, |cpu, insn| save(
        cpu,
        insn,
        Form::Long,
        Save::Supervisor
    )),
    helper!(Xrstor_mem, |cpu, insn| restore(
        cpu,
        insn,
        Form::Short,
        Ring::User
    ))
    .ends(),
    helper!(Xrstor64_mem, |cpu, insn| restore(
        cpu,
        insn,
        Form::Long,
        Ring::User
    ))
    .ends(),
    helper!(Xrstors_mem, |cpu, insn| restore(
        cpu,
        insn,
        Form::Short,
        Ring::Supervisor
    ))
    .ends(),
    helper!(Xrstors64_mem, |cpu, insn| restore(
        cpu,
        insn,
        Form::Long,
        Ring::Supervisor
    ))
    .ends(),
];

const AVX_COMPONENT: &Component = &COMPONENTS[0];
const PKRU_COMPONENT: &Component = &COMPONENTS[1];
/// MXCSR in its initial configuration.
const INITIAL_MXCSR: u32 = 0x1f80;

/// Which instruction saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Save {
    /// XSAVE saves whatever is asked for.
    Plain,
    /// XSAVEOPT leaves out what is in its initial configuration.
    Optimised,
    /// XSAVEC does, and leaves no gaps.
    Compacted,
    /// XSAVES does, and saves supervisor components too.
    Supervisor,
}

/// Which components an instruction reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    /// Those of XCR0.
    User,
    /// Those of IA32_XSS too, at CPL 0 alone.
    Supervisor,
}

/// The components that an instruction reaches.
const fn enabled(cpu: &Cpu, ring: Ring) -> u64 {
    match ring {
        Ring::User => cpu.state.xcr0,
        Ring::Supervisor => cpu.state.xcr0 | cpu.state.msrs.xss,
    }
}

/// RFBM: which components an instruction is asked for and may touch.
///
/// # Errors
/// #UD without CR4.OSXSAVE, #NM under CR0.TS, #GP(0) above CPL 0 if it is privileged.
fn requested(cpu: &mut Cpu, ring: Ring) -> Result<u64, Exit> {
    if cpu.state.cr4 & Cr4::OSXSAVE.bits() == 0 {
        return Err(undefined(cpu));
    }
    if ring == Ring::Supervisor {
        cpu.require_ring_0()?;
    }
    if cpu.state.cr0 & Cr0::TS.bits() != 0 {
        return Err(cpu.raise(Exception::DeviceNotAvailable));
    }
    Ok(wide_accumulator(cpu) & enabled(cpu, ring))
}

/// XINUSE: the components that are not in their initial configuration (SDM 1, 13.6).
/// MXCSR does not count here.
pub(super) fn in_use(cpu: &Cpu) -> u64 {
    let vectors = &cpu.state.vectors[..vector_count(cpu)];
    let any = |half: std::ops::Range<usize>| {
        vectors
            .iter()
            .any(|vector| vector.0[half.clone()] != [0, 0])
    };
    let mut used = 0;
    for (component, is_used) in [
        (X87, cpu.state.fpu != Fpu::default()),
        (SSE, any(0..2)),
        (AVX, any(2..4)),
        (PKRU, cpu.state.pkru != 0),
    ] {
        if is_used {
            used |= component;
        }
    }
    used
}

/// The same where MXCSR is part of the SSE component: XSAVEC, XSAVES and XGETBV.
pub(super) fn in_use_with_mxcsr(cpu: &Cpu) -> u64 {
    if cpu.state.mxcsr == INITIAL_MXCSR {
        in_use(cpu)
    } else {
        in_use(cpu) | SSE
    }
}

fn save(cpu: &mut Cpu, insn: &Insn, form: Form, kind: Save) -> Result<(), Exit> {
    let ring = if kind == Save::Supervisor {
        Ring::Supervisor
    } else {
        Ring::User
    };
    let requested = requested(cpu, ring)?;
    let is_compacted = matches!(kind, Save::Compacted | Save::Supervisor);
    let layout = if is_compacted {
        Layout::Compacted(requested)
    } else {
        Layout::Standard
    };
    let address = area(cpu, insn, (layout.size(requested), 64), true)?;
    let used = requested
        & if is_compacted {
            in_use_with_mxcsr(cpu)
        } else {
            in_use(cpu)
        };
    let saved = if kind == Save::Plain { requested } else { used };
    let header = if is_compacted {
        [used, requested | COMPACTED]
    } else {
        let [old, compaction] = read_header(cpu, insn, address)?.0;
        [old & !requested | used, compaction]
    };
    // In the standard format MXCSR goes with SSE and AVX, whatever their state.
    let with_mxcsr = if is_compacted {
        saved & SSE
    } else {
        requested & (SSE | AVX)
    };
    save_legacy(cpu, insn, address, (form, saved, with_mxcsr != 0))?;
    if saved & AVX != 0 {
        let place = address.wrapping_add(layout.place(AVX_COMPONENT));
        let count = vector_count(cpu);
        let halves: Vec<u8> = cpu.state.vectors[..count]
            .iter()
            .flat_map(|vector| [vector.0[2], vector.0[3]])
            .flat_map(u64::to_le_bytes)
            .collect();
        write(cpu, insn, place, &halves)?;
    }
    if saved & PKRU != 0 {
        let place = address.wrapping_add(layout.place(PKRU_COMPONENT));
        let pkru = u64::from(cpu.state.pkru).to_le_bytes();
        write(cpu, insn, place, &pkru)?;
    }
    let header = header.map(u64::to_le_bytes);
    let written = if is_compacted { 2 } else { 1 };
    write(
        cpu,
        insn,
        address.wrapping_add(LEGACY),
        header[..written].as_flattened(),
    )
}

/// Writes what lies in the legacy area.
fn save_legacy(
    cpu: &mut Cpu,
    insn: &Insn,
    address: LinearAddress,
    (form, saved, with_mxcsr): (Form, u64, bool),
) -> Result<(), Exit> {
    let mut image = Image::default();
    if saved & X87 != 0 {
        image.put_x87(&cpu.state.fpu, form);
        let (control, registers) = image.x87_parts();
        write(cpu, insn, address, control)?;
        write(cpu, insn, address.wrapping_add(32), registers)?;
    }
    if with_mxcsr {
        image.put_mxcsr(cpu.state.mxcsr, MXCSR_BITS);
        write(cpu, insn, address.wrapping_add(24), &image.0[24..32])?;
    }
    if saved & SSE != 0 {
        let end = image.put_vectors(&cpu.state.vectors[..vector_count(cpu)]);
        let start = Image::X87_END;
        let place = address.wrapping_add(start as u64);
        write(cpu, insn, place, &image.0[start..end])?;
    }
    Ok(())
}

/// XSTATE_BV and XCOMP_BV, and whether all that follows is zero.
fn read_header(
    cpu: &mut Cpu,
    insn: &Insn,
    address: LinearAddress,
) -> Result<([u64; 2], [bool; 2]), Exit> {
    let mut header = [0; HEADER as usize];
    read(cpu, insn, address.wrapping_add(LEGACY), &mut header)?;
    let words = header.as_chunks::<8>().0;
    let is_zero = |words: &[[u8; 8]]| words.as_flattened().iter().all(|&byte| byte == 0);
    Ok((
        [words[0], words[1]].map(u64::from_le_bytes),
        [is_zero(&words[2..3]), is_zero(&words[2..])],
    ))
}

/// What the header says: which components the area holds, and where.
///
/// # Errors
/// #GP(0) if it says what it must not.
fn checked_header(
    cpu: &mut Cpu,
    insn: &Insn,
    address: LinearAddress,
    ring: Ring,
) -> Result<(u64, Layout), Exit> {
    let ([present, compaction], [start_is_zero, rest_is_zero]) = read_header(cpu, insn, address)?;
    let enabled = enabled(cpu, ring);
    let knows_compaction = cpu.model.has_compaction();
    let is_compacted = compaction & COMPACTED != 0 && knows_compaction;
    let places = compaction & !COMPACTED;
    let fits = if is_compacted {
        places & !enabled == 0 && present & !places == 0 && rest_is_zero
    } else {
        ring == Ring::User && compaction == 0 && present & !enabled == 0 && start_is_zero
    };
    if !fits {
        return Err(general_protection(cpu));
    }
    let layout = if is_compacted {
        Layout::Compacted(places)
    } else {
        Layout::Standard
    };
    Ok((present, layout))
}

/// XRSTOR and XRSTORS: components that the area does not hold get their initial
/// configuration.
fn restore(cpu: &mut Cpu, insn: &Insn, form: Form, ring: Ring) -> Result<(), Exit> {
    let requested = requested(cpu, ring)?;
    let address = area(cpu, insn, (LEGACY + HEADER, 64), false)?;
    let (present, layout) = checked_header(cpu, insn, address, ring)?;
    let restored = requested & present;
    cpu.operand_address(insn, layout.size(restored), false)?;

    let mut image = Image::default();
    read(cpu, insn, address, &mut image.0)?;
    // In the standard format MXCSR goes with SSE and AVX, whether present or not.
    let (loads_mxcsr, clears_mxcsr) = match layout {
        Layout::Standard => (requested & (SSE | AVX) != 0, false),
        Layout::Compacted(_) => (restored & SSE != 0, requested & !restored & SSE != 0),
    };
    let mxcsr = image.mxcsr();
    if loads_mxcsr && mxcsr & !MXCSR_BITS != 0 {
        return Err(general_protection(cpu));
    }
    let mut halves = [0; 16 * 16];
    if restored & AVX != 0 {
        let place = address.wrapping_add(layout.place(AVX_COMPONENT));
        let length = vector_count(cpu) * 16;
        read(cpu, insn, place, &mut halves[..length])?;
    }
    let mut pkru = [0; 4];
    if restored & PKRU != 0 {
        let place = address.wrapping_add(layout.place(PKRU_COMPONENT));
        read(cpu, insn, place, &mut pkru)?;
    }

    // Nothing can fault any more.
    if restored & X87 != 0 {
        cpu.with_ferr(|cpu| image.get_x87(&mut cpu.state.fpu, form));
    } else if requested & X87 != 0 {
        cpu.with_ferr(|cpu| cpu.state.fpu = Fpu::default());
    }
    if loads_mxcsr {
        cpu.state.mxcsr = mxcsr;
    } else if clears_mxcsr {
        cpu.state.mxcsr = INITIAL_MXCSR;
    }
    let count = vector_count(cpu);
    let vectors = &mut cpu.state.vectors[..count];
    if requested & SSE != 0 {
        if restored & SSE == 0 {
            image.clear_vectors();
        }
        image.get_vectors(vectors);
    }
    if requested & AVX != 0 {
        for (vector, half) in vectors.iter_mut().zip(halves.as_chunks::<16>().0) {
            let half = u128::from_le_bytes(*half);
            vector.0[2] = half as u64;
            vector.0[3] = (half >> 64) as u64;
        }
    }
    if requested & PKRU != 0 {
        cpu.write_pkru(u32::from_le_bytes(pkru));
    }
    Ok(())
}
