//! Input and output (SDM 1, chapter 19): IN, OUT, INS, OUTS.

#[cfg(test)]
mod tests;

use super::string::{Again, destination, repeat, source, step_destination, step_source};
use super::{Insn, Row, helper};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::rflags::{Cr0, Rflags};
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{Byte, Dword, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    helper!(In_AL_imm8, |cpu, insn| input::<Byte>(cpu, insn, imm8)).ends(),
    helper!(In_AX_imm8, |cpu, insn| input::<Word>(cpu, insn, imm8)).ends(),
    helper!(In_EAX_imm8, |cpu, insn| input::<Dword>(cpu, insn, imm8)).ends(),
    helper!(In_AL_DX, |cpu, insn| input::<Byte>(cpu, insn, dx)).ends(),
    helper!(In_AX_DX, |cpu, insn| input::<Word>(cpu, insn, dx)).ends(),
    helper!(In_EAX_DX, |cpu, insn| input::<Dword>(cpu, insn, dx)).ends(),
    helper!(Out_imm8_AL, |cpu, insn| output::<Byte>(cpu, insn, imm8)).ends(),
    helper!(Out_imm8_AX, |cpu, insn| output::<Word>(cpu, insn, imm8)).ends(),
    helper!(Out_imm8_EAX, |cpu, insn| output::<Dword>(cpu, insn, imm8)).ends(),
    helper!(Out_DX_AL, |cpu, insn| output::<Byte>(cpu, insn, dx)).ends(),
    helper!(Out_DX_AX, |cpu, insn| output::<Word>(cpu, insn, dx)).ends(),
    helper!(Out_DX_EAX, |cpu, insn| output::<Dword>(cpu, insn, dx)).ends(),
    helper!(Insb_m8_DX, ins::<Byte>).ends(),
    helper!(Insw_m16_DX, ins::<Word>).ends(),
    helper!(Insd_m32_DX, ins::<Dword>).ends(),
    helper!(Outsb_DX_m8, outs::<Byte>).ends(),
    helper!(Outsw_DX_m16, outs::<Word>).ends(),
    helper!(Outsd_DX_m32, outs::<Dword>).ends(),
];

/// Where a task-state segment says its I/O permission map begins.
const MAP_BASE: u64 = 0x66;
/// The least limit of a 32- or 64-bit task-state segment.
const LEAST_LIMIT: u32 = 103;

/// Where an instruction finds its port's number.
type PortOf = fn(&Cpu, &Insn) -> u16;

const fn imm8(_cpu: &Cpu, insn: &Insn) -> u16 {
    insn.immediate as u8 as u16
}

const fn dx(cpu: &Cpu, _insn: &Insn) -> u16 {
    cpu.state.gpr(Gpr::Rdx) as u16
}

/// Checks IOPL, then the map in the task-state segment (SDM 1, 19.5).
///
/// # Errors
/// #GP(0), or what reading the map raises.
fn check_permission(cpu: &mut Cpu, port: u16, size: u64) -> Result<(), Exit> {
    let flags = cpu.state.system_flags;
    let is_protected = cpu.state.cr0 & Cr0::PE.bits() != 0;
    let needs_map = flags.contains(Rflags::VM) || cpu.state.cpl > flags.iopl();
    if !is_protected || !needs_map {
        return Ok(());
    }
    let task = cpu.state.tr;
    let has_map = task.is_usable() && task.attributes.kind() & 9 == 9 && task.limit >= LEAST_LIMIT;
    if has_map {
        let map = u64::from(cpu.system_load::<u16>(task.base.wrapping_add(MAP_BASE))?);
        let offset = map + u64::from(port) / 8;
        // Two bytes are read always, so the map ends with one more byte of ones.
        if offset < u64::from(task.limit) {
            let bits = cpu.system_load::<u16>(task.base.wrapping_add(offset))?;
            let wanted = ((1u16 << size) - 1) << (port % 8);
            if bits & wanted == 0 {
                return Ok(());
            }
        }
    }
    Err(cpu.raise(Exception::GeneralProtection(0)))
}

/// Reads a port that may be read.
fn read_port<W: Width>(cpu: &mut Cpu, port: u16) -> W::Bits {
    use rax_mmu::Word as _;
    cpu.watch_port(port, W::BYTES);
    let mut bytes = [0; 4];
    let bytes = &mut bytes[..W::BYTES as usize];
    cpu.begin_access();
    cpu.platform.port_read(port, bytes);
    cpu.end_access();
    W::Bits::from_guest_bytes(bytes)
}

/// Writes a port that may be written.
fn write_port<W: Width>(cpu: &mut Cpu, port: u16, value: W::Bits) {
    use rax_mmu::Word as _;
    cpu.watch_port(port, W::BYTES);
    let mut bytes = [0; 4];
    let bytes = &mut bytes[..W::BYTES as usize];
    value.to_guest_bytes(bytes);
    cpu.begin_access();
    cpu.platform.port_write(port, bytes);
    cpu.end_access();
}

fn input<W: Width>(cpu: &mut Cpu, insn: &Insn, port: PortOf) -> Result<(), Exit> {
    let port = port(cpu, insn);
    cpu.note_position(insn);
    check_permission(cpu, port, W::BYTES)?;
    let value = read_port::<W>(cpu, port);
    cpu.set_gpr::<W>(Gpr::Rax, value);
    Ok(())
}

fn output<W: Width>(cpu: &mut Cpu, insn: &Insn, port: PortOf) -> Result<(), Exit> {
    let port = port(cpu, insn);
    cpu.note_position(insn);
    check_permission(cpu, port, W::BYTES)?;
    let value = cpu.gpr::<W>(Gpr::Rax);
    write_port::<W>(cpu, port, value);
    Ok(())
}

/// INS: whether the destination can be written is known before the port is read.
fn ins<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.note_position(insn);
    let port = dx(cpu, insn);
    // Even if there is nothing to repeat, as Intel's processors do it.
    check_permission(cpu, port, W::BYTES)?;
    repeat(cpu, insn, |cpu, insn, _| {
        let address = destination::<W>(cpu, insn, true)?;
        cpu.check_alignment(address, W::BYTES)?;
        cpu.probe_write(SegmentRegister::Es, address, W::BYTES)?;
        let value = read_port::<W>(cpu, port);
        cpu.store_linear(insn, SegmentRegister::Es, address, value)?;
        step_destination::<W>(cpu, insn, 1);
        Ok((1, look_up(cpu)))
    })
}

fn outs<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.note_position(insn);
    let port = dx(cpu, insn);
    check_permission(cpu, port, W::BYTES)?;
    repeat(cpu, insn, |cpu, insn, _| {
        let address = source::<W>(cpu, insn)?;
        let value = cpu.load_linear::<W::Bits>(insn, insn.segment, address)?;
        write_port::<W>(cpu, port, value);
        step_source::<W>(cpu, insn, 1);
        Ok((1, look_up(cpu)))
    })
}

/// Devices change the world, but not so much that every transfer of a sector's word
/// needs the engine.
fn look_up(cpu: &Cpu) -> Again {
    let is_over = cpu.now() >= cpu.until;
    if is_over || cpu.platform.wants_attention() || cpu.debug_hits != 0 {
        Again::Pause
    } else {
        Again::GoOn
    }
}
