//! Delivery through an interrupt vector table: real mode (SDM 3B, 21.1.4), and
//! INT n in virtual-8086 mode (SDM 3B, 21.3.3).

use rax_mmu::{AccessKind, LinearAddress};

use super::Event;
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::rflags::{Cr4, Rflags};
use crate::segment::SegmentRegister;

/// Where the 32-bit TSS says how far it is to its I/O permission map.
const IO_MAP_BASE: u32 = 0x66;
/// The interrupt redirection map lies right below.
const REDIRECTION_BYTES: u32 = 32;

impl Cpu {
    pub(super) fn deliver_real(&mut self, event: &Event) -> Result<(), Exit> {
        let offset = u32::from(event.vector) * 4;
        if offset + 3 > u32::from(self.state.idtr.limit) {
            return Err(self.raise(Exception::GeneralProtection(event.gate_code())));
        }
        let address = self.state.idtr.base.wrapping_add(u64::from(offset));
        let pointer = self.system_load::<u32>(address)?;
        self.enter_8086_handler(event, pointer, event.flags)?;
        let flags = &mut self.state.system_flags;
        flags.remove(Rflags::IF | Rflags::TF | Rflags::AC | Rflags::RF);
        self.update_mode();
        Ok(())
    }

    /// INT n in virtual-8086 mode: methods 1 to 6 of SDM 3B, table 21-2.
    pub(super) fn deliver_from_virtual_8086(&mut self, event: &Event) -> Result<(), Exit> {
        let extended = self.state.cr4 & Cr4::VME.bits() != 0;
        if extended && !self.is_intercepted(event.vector)? {
            return self.redirect(event);
        }
        if self.state.system_flags.iopl() < 3 {
            return Err(self.raise(Exception::GeneralProtection(0)));
        }
        self.deliver_protected(event)
    }

    /// Whether the software interrupt redirection map sends a vector to the
    /// protected-mode handler.
    fn is_intercepted(&mut self, vector: u8) -> Result<bool, Exit> {
        let tss = self.state.tr;
        if !tss.is_usable() || tss.attributes.kind() & 8 == 0 || IO_MAP_BASE + 1 > tss.limit {
            return Err(self.raise(Exception::GeneralProtection(0)));
        }
        let base = tss.base.wrapping_add(u64::from(IO_MAP_BASE));
        let map = u32::from(self.system_load::<u16>(base)?);
        let byte = (map + u32::from(vector) / 8).checked_sub(REDIRECTION_BYTES);
        let Some(byte) = byte.filter(|&byte| byte <= tss.limit) else {
            return Err(self.raise(Exception::GeneralProtection(0)));
        };
        let bits = self.system_load::<u8>(tss.base.wrapping_add(u64::from(byte)))?;
        Ok(bits >> (vector & 7) & 1 != 0)
    }

    /// Goes to the 8086 program's own handler, by the table at linear address 0.
    fn redirect(&mut self, event: &Event) -> Result<(), Exit> {
        let mut bytes = [0; 4];
        let access = self.program_access(AccessKind::Read);
        let address = LinearAddress(u64::from(event.vector) * 4);
        self.read_as(SegmentRegister::Ds, access, address, &mut bytes)?;
        let is_virtual = event.flags.iopl() < 3;
        let mut image = event.flags;
        if is_virtual {
            image.insert(Rflags::IOPL);
            image.set(Rflags::IF, event.flags.contains(Rflags::VIF));
        }
        self.enter_8086_handler(event, u32::from_le_bytes(bytes), image)?;
        let flags = &mut self.state.system_flags;
        flags.remove(Rflags::TF | Rflags::RF);
        flags.remove(if is_virtual { Rflags::VIF } else { Rflags::IF });
        self.update_mode();
        Ok(())
    }

    /// Pushes FLAGS, CS and IP, and goes to a far pointer.
    fn enter_8086_handler(
        &mut self,
        event: &Event,
        pointer: u32,
        flags: Rflags,
    ) -> Result<(), Exit> {
        let mut stack = self.current_stack();
        let old_code = self.state.segment(SegmentRegister::Cs).selector;
        self.push_to(&mut stack, 2, flags.bits())?;
        self.push_to(&mut stack, 2, u64::from(old_code))?;
        self.push_to(&mut stack, 2, event.return_rip)?;
        let code = self.real_style_segment(SegmentRegister::Cs, (pointer >> 16) as u16);
        let rip = u64::from(pointer & 0xffff);
        self.check_code_offset(code.attributes, code.limit, rip)?;
        self.enter_stack(&stack);
        self.enter_code(code, self.state.cpl, rip);
        Ok(())
    }
}
