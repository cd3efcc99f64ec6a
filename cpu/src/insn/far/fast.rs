//! Fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT (SDM 3A, 5.8.7 and 5.8.8).
//!
//! As Intel has them, SYSCALL and SYSRET exist in 64-bit mode only, SYSENTER in all of
//! protected mode. As AMD has them (APM 3, SYSCALL, SYSRET, SYSENTER), SYSCALL and SYSRET
//! exist in all modes, SYSENTER in legacy mode only.

use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::rflags::{Cr0, Dr6, Efer, Rflags};
use crate::segment::{Attributes, Segment, SegmentRegister};
use crate::state::Gpr;
use crate::verbs::Width;

/// The RFLAGS that SYSRET restores: neither RF nor VM.
const SYSRET_FLAGS: u64 = 0x003c_7fd7;

/// How big the code of a fixed segment is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CodeSize {
    Bits32,
    Bits64,
}

/// Code and stack with fixed contents: flat, of a privilege level.
fn enter_flat(cpu: &mut Cpu, code: u16, stack: u16, size: CodeSize, cpl: u8) {
    let level = u16::from(cpl);
    let common = Attributes::ACCESSED
        | Attributes::WRITABLE
        | Attributes::CODE_OR_DATA
        | Attributes::PRESENT
        | Attributes::GRANULARITY
        | Attributes::from_bits_retain(level << 5);
    let bits = match size {
        CodeSize::Bits32 => Attributes::DEFAULT_BIG,
        CodeSize::Bits64 => Attributes::LONG,
    };
    let selector = code & !3 | level;
    cpu.state.segments[SegmentRegister::Cs as usize] =
        Segment::flat(selector, common | Attributes::CODE | bits);
    let selector = stack & !3 | level;
    cpu.state.segments[SegmentRegister::Ss as usize] =
        Segment::flat(selector, common | Attributes::DEFAULT_BIG);
    cpu.set_cpl(cpl);
}

pub(super) fn syscall(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    check_enabled(cpu)?;
    let return_to = cpu.ip_after(insn);
    let msrs = &cpu.state.msrs;
    let old = cpu.state.rflags() - Rflags::RF;
    let selector = (msrs.star >> 32) as u16 & !3;
    let (flags, size, target) = if cpu.long_mode_active() {
        let target = if cpu.is_64_bit() {
            msrs.lstar
        } else {
            msrs.cstar
        };
        let flags = old & !Rflags::from_bits_retain(msrs.fmask);
        (flags, CodeSize::Bits64, target)
    } else {
        let flags = old - (Rflags::VM | Rflags::IF);
        (flags, CodeSize::Bits32, msrs.star & 0xffff_ffff)
    };
    if cpu.long_mode_active() {
        cpu.state.set_gpr(Gpr::R11, old.bits());
    }
    cpu.state.set_gpr(Gpr::Rcx, return_to);
    cpu.state.set_rflags(flags);
    enter_flat(cpu, selector, selector.wrapping_add(8), size, 0);
    cpu.single_step_suppressed = old.contains(Rflags::TF) && !flags.contains(Rflags::TF);
    cpu.set_rip(target);
    Ok(())
}

/// SYSCALL and SYSRET exist once switched on; Intel's in 64-bit mode only.
fn check_enabled(cpu: &mut Cpu) -> Result<(), Exit> {
    let enabled = cpu.state.msrs.efer & Efer::SCE.bits() != 0;
    if !enabled || !(cpu.is_64_bit() || cpu.model.is_amd()) {
        return Err(cpu.raise(Exception::InvalidOpcode));
    }
    Ok(())
}

pub(super) fn sysret_64(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let rip = cpu.state.gpr(Gpr::Rcx);
    sysret(cpu, CodeSize::Bits64, rip)
}

pub(super) fn sysret_32(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let rip = cpu.state.gpr(Gpr::Rcx) & 0xffff_ffff;
    sysret(cpu, CodeSize::Bits32, rip)
}

/// For SYSCALL and SYSRET TF counts as they leave it, so that FMASK can keep single-step
/// traps out of the kernel, and SYSRET with TF in R11 traps before its caller goes on. The
/// manuals do not say so, but processors of both makers do, and systems rely on it.
fn sysret(cpu: &mut Cpu, size: CodeSize, rip: u64) -> Result<(), Exit> {
    check_enabled(cpu)?;
    let is_protected = cpu.state.cr0 & Cr0::PE.bits() != 0;
    if !is_protected || cpu.state.cpl != 0 || (size == CodeSize::Bits64 && !cpu.is_canonical(rip)) {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    let flags = if cpu.is_64_bit() {
        Rflags::from_bits_truncate(cpu.state.gpr(Gpr::R11) & SYSRET_FLAGS)
    } else {
        cpu.state.rflags() | Rflags::IF
    };
    let was_stepping = cpu.state.system_flags.contains(Rflags::TF);
    let is_stepping = flags.contains(Rflags::TF);
    cpu.state.set_rflags(flags);
    let selector = (cpu.state.msrs.star >> 48) as u16;
    let code = match size {
        CodeSize::Bits64 => selector.wrapping_add(16),
        CodeSize::Bits32 => selector,
    };
    enter_flat(cpu, code, selector.wrapping_add(8), size, 3);
    cpu.set_rip(rip);
    cpu.single_step_suppressed = was_stepping && !is_stepping;
    if is_stepping && !was_stepping {
        let status = Dr6::BS.bits();
        cpu.deliver_exception(Exception::Debug { status });
        cpu.request_attention();
    }
    Ok(())
}

pub(super) fn sysenter(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let selector = check_sysenter(cpu)?;
    let rip = cpu.state.msrs.sysenter_eip;
    let rsp = cpu.state.msrs.sysenter_esp;
    let (rip, rsp, size) = if cpu.long_mode_active() {
        (rip, rsp, CodeSize::Bits64)
    } else {
        (rip & 0xffff_ffff, rsp & 0xffff_ffff, CodeSize::Bits32)
    };
    let flags = &mut cpu.state.system_flags;
    flags.remove(Rflags::VM | Rflags::IF | Rflags::RF);
    cpu.state.set_gpr(Gpr::Rsp, rsp);
    enter_flat(cpu, selector, selector.wrapping_add(8), size, 0);
    cpu.set_rip(rip);
    Ok(())
}

/// IA32_SYSENTER_CS without RPL, if it is set and the mode is protected.
///
/// # Errors
/// #GP(0) if it is not; #UD in long mode on an AMD.
fn check_sysenter(cpu: &mut Cpu) -> Result<u16, Exit> {
    if cpu.model.is_amd() && cpu.long_mode_active() {
        return Err(cpu.raise(Exception::InvalidOpcode));
    }
    let selector = cpu.state.msrs.sysenter_cs as u16 & !3;
    if cpu.state.cr0 & Cr0::PE.bits() == 0 || selector == 0 {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    Ok(selector)
}

pub(super) fn sysexit<W: Width>(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let selector = check_sysenter(cpu)?;
    let rip = cpu.state.gpr(Gpr::Rdx);
    let rsp = cpu.state.gpr(Gpr::Rcx);
    let (code, rip, rsp, size) = if W::BITS == 64 {
        (selector.wrapping_add(32), rip, rsp, CodeSize::Bits64)
    } else {
        let (rip, rsp) = (rip & 0xffff_ffff, rsp & 0xffff_ffff);
        (selector.wrapping_add(16), rip, rsp, CodeSize::Bits32)
    };
    let forbidden = cpu.state.cpl != 0 || !cpu.is_canonical(rip) || !cpu.is_canonical(rsp);
    if forbidden {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    cpu.state.set_gpr(Gpr::Rsp, rsp);
    enter_flat(cpu, code, code.wrapping_add(8), size, 3);
    cpu.set_rip(rip);
    Ok(())
}
