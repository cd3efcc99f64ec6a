//! System instructions (SDM 1, 5.20): control registers, debug registers, MSRs, CPUID,
//! caches, TLB, the time-stamp counter, HLT, MONITOR, and the flags that only the
//! privileged may change.

mod interrupt_flag;
#[cfg(test)]
mod tests;

use rax_mmu::{AccessKind, InvpcidKind, LinearAddress};

use super::{Insn, Row, helper};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::flags::mask;
use crate::mode::Mode;
use crate::rflags::{Cr0, Cr4, Rflags};
use crate::segment::SegmentRegister;
use crate::state::{Activity, Gpr};
use crate::verbs::{Dword, Operand, Qword, Verbs, Width, Word};
use interrupt_flag::{cli, pop_flags, push_flags, sti};

pub(super) const ROWS: &[Row] = &[
    helper!(Cpuid, cpuid),
    helper!(Rdmsr, rdmsr),
    helper!(Wrmsr, wrmsr).ends(),
    helper!(Rdtsc, rdtsc),
    helper!(Rdtscp, rdtscp),
    helper!(Rdpmc, rdpmc),
    helper!(Rdpid_r32, rdpid::<Dword>),
    helper!(Rdpid_r64, rdpid::<Qword>),
    helper!(Mov_r32_cr, from_control::<Dword>),
    helper!(Mov_r64_cr, from_control::<Qword>),
    helper!(Mov_cr_r32, to_control::<Dword>).ends(),
    helper!(Mov_cr_r64, to_control::<Qword>).ends(),
    helper!(Mov_r32_dr, from_debug::<Dword>),
    helper!(Mov_r64_dr, from_debug::<Qword>),
    helper!(Mov_dr_r32, to_debug::<Dword>).ends(),
    helper!(Mov_dr_r64, to_debug::<Qword>).ends(),
    helper!(Smsw_rm16, smsw::<Word>),
    helper!(Smsw_r32m16, smsw::<Dword>),
    helper!(Smsw_r64m16, smsw::<Qword>),
    helper!(Lmsw_rm16, lmsw).ends(),
    helper!(Lmsw_r32m16, lmsw).ends(),
    helper!(Lmsw_r64m16, lmsw).ends(),
    helper!(Clts, clts).ends(),
    helper!(Invlpg_m, invlpg).ends(),
    helper!(Invpcid_r32_m128, invpcid::<Dword>).ends(),
    helper!(Invpcid_r64_m128, invpcid::<Qword>).ends(),
    helper!(Invd, cache_control),
    helper!(Wbinvd, cache_control),
    helper!(Wbnoinvd, cache_control),
    helper!(Hlt, hlt).ends(),
    helper!(Monitorw, monitor),
    helper!(Monitord, monitor),
    helper!(Monitorq, monitor),
    helper!(Mwait, mwait).ends(),
    helper!(Cli, cli),
    helper!(Sti, sti),
    helper!(Pushfw, push_flags::<Word>),
    helper!(Pushfd, push_flags::<Dword>),
    helper!(Pushfq, push_flags::<Qword>),
    helper!(Popfw, pop_flags::<Word>),
    helper!(Popfd, pop_flags::<Dword>),
    helper!(Popfq, pop_flags::<Qword>),
    helper!(Clac, |cpu, _| access_control(cpu, false)).ends(),
    helper!(Stac, |cpu, _| access_control(cpu, true)).ends(),
    helper!(Rdpkru, rdpkru),
    helper!(Wrpkru, wrpkru).ends(),
];

/// #UD.
pub(super) fn undefined(cpu: &mut Cpu) -> Exit {
    cpu.raise(Exception::InvalidOpcode)
}

/// #GP(0).
pub(super) fn general_protection(cpu: &mut Cpu) -> Exit {
    cpu.raise(Exception::GeneralProtection(0))
}

/// EDX:EAX.
pub(super) fn wide_accumulator(cpu: &Cpu) -> u64 {
    cpu.state.gpr(Gpr::Rdx) << 32 | cpu.state.gpr(Gpr::Rax) & 0xffff_ffff
}

/// EDX:EAX := value; the upper halves of both become zero.
pub(super) fn set_wide_accumulator(cpu: &mut Cpu, value: u64) {
    cpu.state.set_gpr(Gpr::Rax, value & 0xffff_ffff);
    cpu.state.set_gpr(Gpr::Rdx, value >> 32);
}

fn ecx(cpu: &Cpu) -> u32 {
    cpu.state.gpr(Gpr::Rcx) as u32
}

fn cpuid(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    let leaf = cpu.state.gpr(Gpr::Rax) as u32;
    let [a, b, c, d] = cpu.cpuid(leaf, ecx(cpu));
    if leaf == 1 {
        cpu.sign_microcode();
    }
    for (register, value) in [(Gpr::Rax, a), (Gpr::Rbx, b), (Gpr::Rcx, c), (Gpr::Rdx, d)] {
        cpu.state.set_gpr(register, u64::from(value));
    }
    Ok(())
}

fn rdmsr(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    let value = cpu.read_msr(insn, ecx(cpu))?;
    set_wide_accumulator(cpu, value);
    Ok(())
}

fn wrmsr(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    let value = wide_accumulator(cpu);
    cpu.write_msr(insn, ecx(cpu), value)
}

/// RDTSC and RDTSCP at CPL above 0 need CR4.TSD clear.
fn may_read_clock(cpu: &mut Cpu) -> Result<(), Exit> {
    if cpu.state.cr4 & Cr4::TSD.bits() != 0 {
        cpu.require_ring_0()?;
    }
    Ok(())
}

fn rdtsc(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    may_read_clock(cpu)?;
    let now = cpu.time_stamp(insn);
    set_wide_accumulator(cpu, now);
    Ok(())
}

fn rdtscp(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    rdtsc(cpu, insn)?;
    cpu.state.set_gpr(Gpr::Rcx, cpu.state.msrs.tsc_aux);
    Ok(())
}

/// There are no performance counters, so every number is one too many.
fn rdpmc(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    Err(general_protection(cpu))
}

fn rdpid<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let value = cpu.constant::<W>(cpu.state.msrs.tsc_aux);
    cpu.set_gpr::<W>(insn.registers[0], value);
    Ok(())
}

fn from_control<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    let value = match insn.number(1) {
        0 => cpu.state.cr0,
        2 => cpu.state.cr2,
        3 => cpu.state.cr3,
        4 => cpu.state.cr4,
        8 => cpu.read_cr8(),
        _ => return Err(undefined(cpu)),
    };
    let value = cpu.constant::<W>(value);
    cpu.set_gpr::<W>(insn.registers[0], value);
    Ok(())
}

fn to_control<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    let value = cpu.state.gpr(insn.registers[1]) & mask(W::BITS);
    match insn.number(0) {
        0 => cpu.write_cr0(value),
        2 => {
            cpu.state.cr2 = value;
            Ok(())
        }
        3 => cpu.write_cr3(value),
        4 => cpu.write_cr4(value),
        8 => cpu.write_cr8(value),
        _ => Err(undefined(cpu)),
    }
}

fn from_debug<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let number = cpu.debug_register(insn.number(1))?;
    let value = cpu.constant::<W>(cpu.state.dr[number]);
    cpu.set_gpr::<W>(insn.registers[0], value);
    Ok(())
}

fn to_debug<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let number = cpu.debug_register(insn.number(0))?;
    let value = cpu.state.gpr(insn.registers[1]) & mask(W::BITS);
    cpu.write_debug_register(number, value)
}

/// SMSW: memory takes 16 bits, a register as many as the operand has.
fn smsw<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    if cpu.state.cr4 & Cr4::UMIP.bits() != 0 {
        cpu.require_ring_0()?;
    }
    let cr0 = cpu.state.cr0;
    if insn.has_memory() {
        cpu.write::<Word>(Operand::Memory(insn), cr0 as u16)
    } else {
        let value = cpu.constant::<W>(cr0);
        cpu.set_gpr::<W>(insn.registers[0], value);
        Ok(())
    }
}

/// LMSW sets PE, MP, EM and TS; it cannot clear PE.
fn lmsw(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    let word = if insn.has_memory() {
        cpu.read::<Word>(Operand::Memory(insn))?
    } else {
        cpu.gpr::<Word>(insn.registers[0])
    };
    let low = (Cr0::PE | Cr0::MP | Cr0::EM | Cr0::TS).bits();
    let protected = cpu.state.cr0 & Cr0::PE.bits();
    cpu.write_cr0(cpu.state.cr0 & !low | u64::from(word) & low | protected)
}

fn clts(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    cpu.state.cr0 &= !Cr0::TS.bits();
    cpu.update_mode();
    Ok(())
}

/// The linear address of the memory operand, with no check at all.
fn unchecked_address(cpu: &Cpu, insn: &Insn) -> LinearAddress {
    let offset = cpu.raw_effective_address(insn) & mask(u32::from(insn.address_bits));
    let base = cpu.state.segment(insn.segment).base;
    if cpu.mode.contains(Mode::CODE64) {
        let is_based = matches!(insn.segment, SegmentRegister::Fs | SegmentRegister::Gs);
        LinearAddress(offset.wrapping_add(if is_based { base } else { 0 }))
    } else {
        LinearAddress(offset.wrapping_add(base) & 0xffff_ffff)
    }
}

/// INVLPG of an address that is not canonical does nothing.
fn invlpg(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    let address = unchecked_address(cpu, insn);
    if cpu.is_canonical(address.0) {
        cpu.mmu.invalidate_page(address);
    }
    Ok(())
}

fn invpcid<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    let kind = cpu.state.gpr(insn.registers[0]) & mask(W::BITS);
    let at = cpu.operand_address(insn, 16, false)?;
    let mut descriptor = [0; 16];
    cpu.note_position(insn);
    cpu.read_linear(insn.segment, at, &mut descriptor)?;
    let descriptor = u128::from_le_bytes(descriptor);
    let (low, address) = (descriptor as u64, (descriptor >> 64) as u64);
    let with_pcid = cpu.state.cr4 & Cr4::PCIDE.bits() != 0;
    let fits = low >> 12 == 0
        && match kind {
            0 => cpu.is_canonical_base(address) && (with_pcid || low == 0),
            1 => with_pcid || low == 0,
            _ => true,
        };
    let kind = match kind {
        0 => InvpcidKind::Address,
        1 => InvpcidKind::Context,
        2 => InvpcidKind::All,
        3 => InvpcidKind::AllNonGlobal,
        _ => return Err(general_protection(cpu)),
    };
    if !fits {
        return Err(general_protection(cpu));
    }
    cpu.mmu.invpcid(kind, low as u16, LinearAddress(address));
    Ok(())
}

/// INVD, WBINVD and WBNOINVD: caches are not emulated, and always coherent.
fn cache_control(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()
}

fn hlt(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    cpu.require_ring_0()?;
    cpu.watched = None;
    cpu.state.activity = Activity::Halted;
    cpu.request_attention();
    Ok(())
}

/// MONITOR: the address is checked as a read of a byte (SDM 2B).
fn monitor(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    if cpu.state.cpl != 0 {
        return Err(undefined(cpu));
    }
    if ecx(cpu) != 0 {
        return Err(general_protection(cpu));
    }
    let offset = cpu.state.gpr(Gpr::Rax) & mask(u32::from(insn.address_bits));
    let address = cpu.segmented_address(insn.segment, offset, 1, false)?;
    check_read(cpu, insn, insn.segment, address)?;
    let access = cpu.program_access(AccessKind::Read);
    let physical = cpu.translate(access, address)?.physical;
    cpu.watch(physical);
    cpu.state.monitor = Some(address.0);
    Ok(())
}

/// Checks that the running program may read a byte, without reading it.
pub(super) fn check_read(
    cpu: &mut Cpu,
    insn: &Insn,
    segment: SegmentRegister,
    address: LinearAddress,
) -> Result<(), Exit> {
    cpu.note_position(insn);
    if !cpu.is_canonical(address.0) {
        return Err(cpu.segment_fault(segment));
    }
    let access = cpu.program_access(AccessKind::Read);
    cpu.translate(access, address).map(|_| ())
}

/// MWAIT waits for an interrupt, or until the machine sees that another processor has
/// written what is monitored; devices that do interrupt as well. Without a monitor it
/// is a NOP.
fn mwait(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    if cpu.state.cpl != 0 {
        return Err(undefined(cpu));
    }
    if ecx(cpu) != 0 {
        return Err(general_protection(cpu));
    }
    if cpu.state.monitor.take().is_some() && !cpu.watched_line_changed() {
        cpu.state.activity = Activity::Halted;
        cpu.request_attention();
    }
    Ok(())
}

/// STAC and CLAC.
fn access_control(cpu: &mut Cpu, allowed: bool) -> Result<(), Exit> {
    if cpu.state.cpl != 0 {
        return Err(undefined(cpu));
    }
    cpu.state.system_flags.set(Rflags::AC, allowed);
    cpu.update_mode();
    Ok(())
}

/// RDPKRU and WRPKRU need CR4.PKE, and ECX zero.
fn check_protection_keys(cpu: &mut Cpu) -> Result<(), Exit> {
    if cpu.state.cr4 & Cr4::PKE.bits() == 0 {
        return Err(undefined(cpu));
    }
    if ecx(cpu) != 0 {
        return Err(general_protection(cpu));
    }
    Ok(())
}

fn rdpkru(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    check_protection_keys(cpu)?;
    set_wide_accumulator(cpu, u64::from(cpu.state.pkru));
    Ok(())
}

fn wrpkru(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    check_protection_keys(cpu)?;
    let value = wide_accumulator(cpu);
    if value >> 32 != 0 {
        return Err(general_protection(cpu));
    }
    cpu.write_pkru(value as u32);
    Ok(())
}
