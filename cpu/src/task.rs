//! Hardware task switches (SDM 3A, chapter 7).
//!
//! What can fault of the old task's faults before anything changes; what comes
//! after belongs to the new task, which then takes the exception.

mod image;
#[cfg(test)]
mod tests;

use rax_mmu::{AccessKind, LinearAddress};

use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::mode::Mode;
use crate::rflags::{Cr0, Cr4, Dr6, Rflags};
use crate::segment::load::{Entry, error_code, is_null, null_segment, rpl};
use crate::segment::{Attributes, Segment, SegmentRegister};
use crate::state::Gpr;
use image::Image;

/// Set in the type of a TSS in use.
const BUSY: u8 = 2;
/// Set in the type of a 32-bit TSS.
const IS_32_BIT: u8 = 8;
/// L0 to L3 and LE of DR7: breakpoints of one task only.
const LOCAL_BREAKPOINTS: u64 = 0x155;

/// How a task is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// JMP: the old task is left.
    Jump,
    /// CALL: the new task returns to the old one.
    Call,
    /// IRET with NT: back to the task that called.
    Return,
    /// An interrupt or exception: as CALL, and the error code is pushed.
    Event {
        /// What the new task finds on its stack.
        error_code: Option<u32>,
    },
}

impl Entrance {
    /// The old task stays busy and is linked to.
    const fn nests(self) -> bool {
        matches!(self, Self::Call | Self::Event { .. })
    }
}

impl Cpu {
    /// The available TSS that a task gate, or a far JMP or CALL, names.
    ///
    /// # Errors
    /// #GP, #NP; #PF from the GDT.
    pub(crate) fn find_task(&mut self, selector: u16) -> Result<Entry, Exit> {
        if selector & 4 != 0 || is_null(selector) {
            return Err(self.raise(Exception::GeneralProtection(error_code(selector))));
        }
        let entry = self.descriptor_or(selector, Exception::GeneralProtection)?;
        if !matches!(entry.system_kind(), Some(1 | 9)) {
            return Err(self.raise(Exception::GeneralProtection(entry.code())));
        }
        if !entry.is_present() {
            return Err(self.raise(Exception::SegmentNotPresent(entry.code())));
        }
        Ok(entry)
    }

    /// The busy TSS that the current one is linked to.
    ///
    /// # Errors
    /// #TS, #NP; #PF from TSS or GDT.
    pub(crate) fn find_linked_task(&mut self) -> Result<Entry, Exit> {
        let selector = self.system_load::<u16>(self.state.tr.base)?;
        if selector & 4 != 0 || is_null(selector) {
            return Err(self.raise(Exception::InvalidTss(error_code(selector))));
        }
        let entry = self.descriptor_or(selector, Exception::InvalidTss)?;
        if !matches!(entry.system_kind(), Some(3 | 11)) {
            return Err(self.raise(Exception::InvalidTss(entry.code())));
        }
        if !entry.is_present() {
            return Err(self.raise(Exception::SegmentNotPresent(entry.code())));
        }
        Ok(entry)
    }

    /// Switches to the task of a TSS descriptor (SDM 3A, 7.3). The old task
    /// resumes at `return_rip` with `flags`.
    ///
    /// An exception that is returned is the new task's: the switch has happened.
    ///
    /// # Errors
    /// #TS, #PF: the old task goes on.
    pub(crate) fn switch_task(
        &mut self,
        new: Entry,
        entrance: Entrance,
        return_rip: u64,
        flags: Rflags,
    ) -> Result<Option<Exception>, Exit> {
        let kind = new.attributes().kind();
        let is_32_bit = kind & IS_32_BIT != 0;
        let limit = new.descriptor.limit();
        if limit < Image::last_byte(is_32_bit) {
            return Err(self.raise(Exception::InvalidTss(new.code())));
        }
        let base = u64::from(new.descriptor.base());
        let mut image = self.read_task(base, is_32_bit)?;
        let old = self.state.tr;
        let old_kind = self
            .state
            .gdtr
            .base
            .wrapping_add(u64::from(old.selector & !7) + 5);
        let new_kind = new.address.wrapping_add(5);
        for address in [old_kind, new_kind, base] {
            self.check_system_writable(address)?;
        }
        self.save_task(old, entrance, return_rip, flags)?;
        if entrance.nests() {
            self.system_store::<u16>(base, old.selector)?;
            image.flags.insert(Rflags::NT);
        } else {
            let byte = self.system_load::<u8>(old_kind)?;
            self.system_store::<u8>(old_kind, byte & !BUSY)?;
        }
        if entrance != Entrance::Return {
            let byte = (new.descriptor.0 >> 40) as u8 | BUSY;
            self.system_store::<u8>(new_kind, byte)?;
        }
        // From here on the new task runs.
        self.state.tr = Segment {
            selector: new.selector,
            attributes: new.attributes() | Attributes::from_bits_retain(u16::from(BUSY)),
            limit,
            base,
        };
        self.state.cr0 |= Cr0::TS.bits();
        self.state.dr[7] &= !LOCAL_BREAKPOINTS;
        let entered = self.enter_task(&image, entrance);
        self.update_mode();
        match entered {
            Err(_) => Ok(self.exception.take()),
            Ok(()) if image.traps => Ok(Some(Exception::Debug {
                status: Dr6::BT.bits(),
            })),
            Ok(()) => Ok(None),
        }
    }

    /// Writes the running task's registers to its TSS.
    fn save_task(
        &mut self,
        old: Segment,
        entrance: Entrance,
        return_rip: u64,
        mut flags: Rflags,
    ) -> Result<(), Exit> {
        let is_32_bit = old.attributes.kind() & IS_32_BIT != 0;
        let last = Image::last_byte(is_32_bit);
        if !old.is_usable() || old.limit < last {
            return Err(self.raise(Exception::InvalidTss(error_code(old.selector))));
        }
        for offset in [0, u64::from(last)] {
            self.check_system_writable(old.base.wrapping_add(offset))?;
        }
        if entrance == Entrance::Return {
            flags.remove(Rflags::NT);
        }
        let image = Image::of(&self.state, return_rip, flags);
        self.write_task(old.base, is_32_bit, &image)
    }

    /// Finds out whether a switch will be able to write here, before it begins.
    fn check_system_writable(&mut self, address: u64) -> Result<(), Exit> {
        let access = Self::system_access(AccessKind::Write);
        self.translate(access, LinearAddress(address & 0xffff_ffff))?;
        Ok(())
    }

    /// Loads the new task's registers, then its segments with all their checks
    /// (SDM 3A, table 7-1).
    fn enter_task(&mut self, image: &Image, entrance: Entrance) -> Result<(), Exit> {
        let is_virtual_8086 = image.flags.contains(Rflags::VM);
        self.set_rip(image.rip);
        self.state.set_rflags(image.flags);
        for (register, &value) in Gpr::ALL.into_iter().zip(&image.gpr) {
            let kept = if image.is_32_bit {
                0
            } else {
                self.state.gpr(register) & 0xffff_0000
            };
            self.state.set_gpr(register, kept | u64::from(value));
        }
        for (register, &selector) in self.state.segments.iter_mut().zip(&image.selectors) {
            *register = if is_virtual_8086 {
                Segment::virtual_8086(selector)
            } else {
                null_segment(selector)
            };
        }
        let code = image.selectors[SegmentRegister::Cs as usize];
        self.state.cpl = if is_virtual_8086 { 3 } else { rpl(code) };
        self.state.ldtr = null_segment(image.ldt);
        self.update_mode();
        if let Some(cr3) = image.cr3 {
            self.write_cr3(u64::from(cr3))?;
        }
        self.load_task_ldt(image.ldt)?;
        if !is_virtual_8086 {
            self.load_task_segments(image)?;
        }
        self.update_mode();
        if let Entrance::Event {
            error_code: Some(code),
        } = entrance
        {
            let mut stack = self.current_stack();
            let size = if image.is_32_bit { 4 } else { 2 };
            self.push_to(&mut stack, size, u64::from(code))?;
            self.enter_stack(&stack);
        }
        let code = *self.state.segment(SegmentRegister::Cs);
        self.check_code_offset(code.attributes, code.limit, image.rip)?;
        if self.virtual_interrupt_waits() {
            return Err(self.raise(Exception::GeneralProtection(0)));
        }
        Ok(())
    }

    /// Whether the virtual-8086 program that is about to run has both VIF and VIP: with the
    /// mode's extensions it faults before its first instruction (SDM 3B, 21.3.2). Only IRET
    /// and task switches can bring that about.
    pub(crate) fn virtual_interrupt_waits(&self) -> bool {
        let extended = self.state.cr4 & Cr4::VME.bits() != 0;
        let both = Rflags::VIF | Rflags::VIP;
        extended && self.is_virtual_8086() && self.state.system_flags.contains(both)
    }

    fn load_task_ldt(&mut self, selector: u16) -> Result<(), Exit> {
        if is_null(selector) {
            return Ok(());
        }
        let fault = Exception::InvalidTss(error_code(selector));
        let entry = match selector & 4 {
            0 => self.descriptor_or(selector, Exception::InvalidTss)?,
            _ => return Err(self.raise(fault)),
        };
        if entry.system_kind() != Some(2) || !entry.is_present() {
            return Err(self.raise(fault));
        }
        self.state.ldtr = entry.descriptor.segment(selector);
        Ok(())
    }

    fn load_task_segments(&mut self, image: &Image) -> Result<(), Exit> {
        let selector = image.selectors[SegmentRegister::Cs as usize];
        let invalid = Exception::InvalidTss(error_code(selector));
        if is_null(selector) {
            return Err(self.raise(invalid));
        }
        let code = self.descriptor_or(selector, Exception::InvalidTss)?;
        let level = rpl(selector);
        let fits = if code.is_conforming() {
            code.dpl() <= level
        } else {
            code.dpl() == level
        };
        if !code.is_code() || !fits {
            return Err(self.raise(invalid));
        }
        if !code.is_present() {
            return Err(self.raise(Exception::SegmentNotPresent(code.code())));
        }
        let selector = image.selectors[SegmentRegister::Ss as usize];
        if is_null(selector) {
            return Err(self.raise(Exception::InvalidTss(0)));
        }
        let stack = self.checked_stack_segment(selector, level, Exception::InvalidTss)?;
        self.state.segments[SegmentRegister::Ss as usize] = stack;
        self.mark_accessed(code)?;
        self.state.segments[SegmentRegister::Cs as usize] = code.segment(level);
        let others = [
            SegmentRegister::Ds,
            SegmentRegister::Es,
            SegmentRegister::Fs,
            SegmentRegister::Gs,
        ];
        for register in others {
            let selector = image.selectors[register as usize];
            if !is_null(selector) {
                let segment = self.checked_data_segment(selector, level, Exception::InvalidTss)?;
                self.state.segments[register as usize] = segment;
            }
        }
        debug_assert!(
            !self.mode.contains(Mode::CODE64),
            "tasks are not switched in long mode"
        );
        Ok(())
    }
}
