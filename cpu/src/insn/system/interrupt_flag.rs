//! CLI, STI, PUSHF and POPF with their rules for IOPL, virtual-8086 mode, VME and PVI
//! (SDM 2A and 2B; SDM 3B, 21.3).

use super::general_protection;
use crate::Cpu;
use crate::exception::Exit;
use crate::insn::Insn;
use crate::rflags::{Cr0, Cr4, Rflags};
use crate::state::InterruptShadow;
use crate::verbs::{Bits, Verbs, Width};

/// Who decides about IF.
enum Authority {
    /// The program may change IF.
    Full,
    /// It changes VIF instead (VME, PVI).
    Virtual,
    /// #GP(0).
    None,
}

fn is_virtual_8086(cpu: &Cpu) -> bool {
    cpu.state.system_flags.contains(Rflags::VM)
}

fn cr4(cpu: &Cpu) -> Cr4 {
    Cr4::from_bits_retain(cpu.state.cr4)
}

fn authority(cpu: &Cpu) -> Authority {
    let iopl = cpu.state.system_flags.iopl();
    if cpu.state.cr0 & Cr0::PE.bits() == 0 {
        return Authority::Full;
    }
    let (full, virtualised) = if is_virtual_8086(cpu) {
        (iopl == 3, cr4(cpu).contains(Cr4::VME))
    } else {
        let virtualised = cr4(cpu).contains(Cr4::PVI) && cpu.state.cpl == 3;
        (cpu.state.cpl <= iopl, virtualised)
    };
    match (full, virtualised) {
        (true, _) => Authority::Full,
        (false, true) => Authority::Virtual,
        (false, false) => Authority::None,
    }
}

/// CLI: nothing becomes pending by it, so the block goes on.
pub(super) fn cli(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    match authority(cpu) {
        Authority::Full => cpu.state.system_flags.remove(Rflags::IF),
        Authority::Virtual => cpu.state.system_flags.remove(Rflags::VIF),
        Authority::None => return Err(general_protection(cpu)),
    }
    Ok(())
}

/// STI: if IF was clear, interrupts wait for one more instruction.
pub(super) fn sti(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    match authority(cpu) {
        Authority::Full => {
            if !cpu.state.system_flags.contains(Rflags::IF) {
                cpu.state.system_flags.insert(Rflags::IF);
                cpu.state.interrupt_shadow = InterruptShadow::Sti;
                cpu.note_position(insn);
                cpu.shadow_at = cpu.now() + 1;
                look_for_interrupts(cpu);
            }
            Ok(())
        }
        Authority::Virtual if !cpu.state.system_flags.contains(Rflags::VIP) => {
            cpu.state.system_flags.insert(Rflags::VIF);
            Ok(())
        }
        Authority::Virtual | Authority::None => Err(general_protection(cpu)),
    }
}

/// IF has been set. What is not waiting yet will ask for attention when it comes; else the
/// block ends, since an interrupt is delivered between two blocks.
fn look_for_interrupts(cpu: &mut Cpu) {
    if cpu.platform.interrupt_pending() || cpu.nmi_pending {
        cpu.request_leave();
    }
}

/// Whether flags go to and from the stack as VME has it: IF stands for VIF.
///
/// # Errors
/// #GP(0) if they may not at all.
fn uses_virtual_flag<W: Width>(cpu: &mut Cpu) -> Result<bool, Exit> {
    if !is_virtual_8086(cpu) || cpu.state.system_flags.iopl() == 3 {
        Ok(false)
    } else if W::BITS == 16 && cr4(cpu).contains(Cr4::VME) {
        Ok(true)
    } else {
        Err(general_protection(cpu))
    }
}

/// PUSHF, PUSHFD and PUSHFQ: VM and RF are pushed as zero.
pub(super) fn push_flags<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let mut flags = cpu.state.rflags() & !(Rflags::VM | Rflags::RF);
    if uses_virtual_flag::<W>(cpu)? {
        flags.set(Rflags::IF, flags.contains(Rflags::VIF));
        flags.insert(Rflags::IOPL);
    }
    cpu.push::<W>(insn, W::Bits::truncate(flags.bits()))
}

/// POPF, POPFD and POPFQ.
pub(super) fn pop_flags<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let virtualised = uses_virtual_flag::<W>(cpu)?;
    let old = cpu.state.rflags();
    let mut popped = Rflags::from_bits_retain(cpu.stack_top::<W>(insn)?.widen());
    let mut changeable = Rflags::STATUS | Rflags::TF | Rflags::DF | Rflags::NT;
    if W::BITS != 16 {
        changeable |= Rflags::AC | Rflags::ID | Rflags::RF;
        popped.remove(Rflags::RF);
    }
    if virtualised {
        let pending = old.contains(Rflags::VIP) && popped.contains(Rflags::IF);
        if pending || popped.contains(Rflags::TF) {
            return Err(general_protection(cpu));
        }
        popped.set(Rflags::VIF, popped.contains(Rflags::IF));
        changeable |= Rflags::VIF;
    } else {
        let is_real = cpu.state.cr0 & Cr0::PE.bits() == 0;
        if is_real || cpu.state.cpl == 0 {
            changeable |= Rflags::IOPL;
        }
        if is_real || cpu.state.cpl <= old.iopl() {
            changeable |= Rflags::IF;
        }
    }
    cpu.move_stack(insn, W::BYTES);
    let new = old & !changeable | popped & changeable;
    cpu.state.set_rflags(new);
    let changed = old ^ new;
    if changed.intersects(Rflags::TF | Rflags::AC | Rflags::RF) {
        // What follows is decoded anew.
        cpu.update_mode();
        cpu.request_leave();
    } else if changed.contains(Rflags::IF) && new.contains(Rflags::IF) {
        look_for_interrupts(cpu);
    }
    Ok(())
}
