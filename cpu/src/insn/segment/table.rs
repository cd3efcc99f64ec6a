//! Descriptor-table registers (SDM 2A and 2B: LGDT, LIDT, LLDT, LTR, SGDT, SIDT, SLDT, STR).

use super::{read_selector, write_selector};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::insn::{Insn, Mem};
use crate::rflags::Cr4;
use crate::segment::load::{is_null, null_segment};
use crate::segment::{Attributes, DescriptorTable, Segment};
use crate::verbs::{Bits, Dword, Qword, Slot, Verbs, Width, Word};

/// Only level 0 may load the tables' registers.
fn check_privileged(cpu: &mut Cpu) -> Result<(), Exit> {
    if cpu.state.cpl == 0 {
        Ok(())
    } else {
        Err(cpu.raise(Exception::GeneralProtection(0)))
    }
}

/// CR4.UMIP hides the tables from programs (SDM 3A, 2.5).
fn check_umip(cpu: &mut Cpu) -> Result<(), Exit> {
    if cpu.state.cpl != 0 && cpu.state.cr4 & Cr4::UMIP.bits() != 0 {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    Ok(())
}

/// LLDT, LTR, SLDT and STR need protected mode.
fn check_protected(cpu: &mut Cpu) -> Result<(), Exit> {
    if cpu.is_protected() {
        Ok(())
    } else {
        Err(cpu.raise(Exception::InvalidOpcode))
    }
}

/// The table that LGDT or LIDT loads; a 16-bit operand size gives a 24-bit base.
fn read_table<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<DescriptorTable, Exit> {
    check_privileged(cpu)?;
    let limit = cpu.read::<Word>(Mem::of(insn))?;
    let base = if W::BITS == 64 {
        cpu.read_displaced::<Qword>(insn, 2)?
    } else {
        let base = cpu.read_displaced::<Dword>(insn, 2)?;
        let base = if W::BITS == 16 {
            base & 0xff_ffff
        } else {
            base
        };
        u64::from(base)
    };
    if !cpu.is_canonical_base(base) {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    Ok(DescriptorTable { base, limit })
}

pub(super) fn lgdt<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.state.gdtr = read_table::<W>(cpu, insn)?;
    Ok(())
}

pub(super) fn lidt<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.state.idtr = read_table::<W>(cpu, insn)?;
    Ok(())
}

/// Stores limit and base; the base in full even with a 16-bit operand size.
fn write_table<W: Width>(cpu: &mut Cpu, insn: &Insn, table: DescriptorTable) -> Result<(), Exit> {
    check_umip(cpu)?;
    // The base is found writable first, so that its fault finds the limit unwritten.
    cpu.modify_displaced::<W>(insn, 2)?;
    cpu.write::<Word>(Mem::of(insn), table.limit)?;
    let (_, spot) = cpu.modify_displaced::<W>(insn, 2)?;
    cpu.commit::<W>(spot, W::Bits::truncate(table.base));
    Ok(())
}

pub(super) fn sgdt<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let table = cpu.state.gdtr;
    write_table::<W>(cpu, insn, table)
}

pub(super) fn sidt<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let table = cpu.state.idtr;
    write_table::<W>(cpu, insn, table)
}

/// LLDT (SDM 2A).
pub(super) fn lldt(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    check_protected(cpu)?;
    check_privileged(cpu)?;
    let selector = read_selector(cpu, insn, 0)?;
    if is_null(selector) {
        cpu.state.ldtr = null_segment(selector);
        return Ok(());
    }
    cpu.state.ldtr = system_segment(cpu, selector, &[2])?;
    Ok(())
}

/// LTR (SDM 2A): marks the TSS busy.
pub(super) fn ltr(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    check_protected(cpu)?;
    check_privileged(cpu)?;
    let selector = read_selector(cpu, insn, 0)?;
    if is_null(selector) {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    let kinds: &[u8] = if cpu.long_mode_active() {
        &[9]
    } else {
        &[1, 9]
    };
    let segment = system_segment(cpu, selector, kinds)?;
    let busy = Attributes::WRITABLE;
    let attributes = segment.attributes | busy;
    let address = cpu
        .state
        .gdtr
        .base
        .wrapping_add(u64::from(selector & !7) + 5);
    cpu.system_store::<u8>(address, attributes.bits() as u8)?;
    cpu.state.tr = Segment {
        attributes,
        ..segment
    };
    Ok(())
}

/// What LDTR or TR is to hold: a system segment of the GDT, of one of these types.
fn system_segment(cpu: &mut Cpu, selector: u16, kinds: &[u8]) -> Result<Segment, Exit> {
    let fault = Exception::GeneralProtection;
    if selector & 4 != 0 {
        return Err(cpu.raise(fault(selector & !3)));
    }
    let entry = cpu.descriptor_or(selector, fault)?;
    if !entry
        .system_kind()
        .is_some_and(|kind| kinds.contains(&kind))
    {
        return Err(cpu.raise(fault(entry.code())));
    }
    if !entry.is_present() {
        return Err(cpu.raise(Exception::SegmentNotPresent(entry.code())));
    }
    let base = cpu.system_base(entry, fault)?;
    Ok(Segment {
        base,
        ..entry.descriptor.segment(selector)
    })
}

pub(super) fn sldt<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    check_protected(cpu)?;
    check_umip(cpu)?;
    let selector = cpu.state.ldtr.selector;
    write_selector::<W>(cpu, insn, selector)
}

pub(super) fn str<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    check_protected(cpu)?;
    check_umip(cpu)?;
    let selector = cpu.state.tr.selector;
    write_selector::<W>(cpu, insn, selector)
}
