//! Descriptors: finding, checking and loading them (SDM 3A, 3.4, 3.5 and chapter 5).
//!
//! One function per rule: data segments, code segments of direct transfers, of
//! gates and of returns. None of them changes a register before all checks hold.

use super::{Attributes, Descriptor, Segment, SegmentRegister};
use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::mode::Mode;

/// Attributes that a load in real mode leaves as they are.
pub(crate) const KEPT_IN_REAL_MODE: Attributes = Attributes::DEFAULT_BIG
    .union(Attributes::GRANULARITY)
    .union(Attributes::AVL);

/// An entry of the GDT or an LDT, and where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The selector that led to it, RPL included.
    pub(crate) selector: u16,
    /// Its eight bytes.
    pub(crate) descriptor: Descriptor,
    /// Its linear address.
    pub(crate) address: u64,
}

impl Entry {
    /// Bits 40 to 55 without the limit's.
    pub(crate) const fn attributes(self) -> Attributes {
        self.descriptor.attributes()
    }

    /// What error codes say of it: no RPL.
    pub(crate) const fn code(self) -> u16 {
        error_code(self.selector)
    }

    pub(crate) const fn is_present(self) -> bool {
        self.attributes().contains(Attributes::PRESENT)
    }

    pub(crate) const fn dpl(self) -> u8 {
        self.attributes().dpl()
    }

    pub(crate) const fn is_code(self) -> bool {
        self.attributes()
            .contains(Attributes::CODE_OR_DATA.union(Attributes::CODE))
    }

    pub(crate) const fn is_conforming(self) -> bool {
        self.is_code() && self.attributes().contains(Attributes::EXPAND_DOWN)
    }

    pub(crate) const fn is_data(self) -> bool {
        self.attributes().contains(Attributes::CODE_OR_DATA)
            && !self.attributes().contains(Attributes::CODE)
    }

    pub(crate) const fn is_writable_data(self) -> bool {
        self.is_data() && self.attributes().contains(Attributes::WRITABLE)
    }

    pub(crate) const fn is_readable(self) -> bool {
        self.is_data() || (self.is_code() && self.attributes().contains(Attributes::WRITABLE))
    }

    /// The type of a system descriptor.
    pub(crate) const fn system_kind(self) -> Option<u8> {
        if self.attributes().contains(Attributes::CODE_OR_DATA) {
            None
        } else {
            Some(self.attributes().kind())
        }
    }

    /// What a segment register holds after loading it, with this RPL.
    pub(crate) const fn segment(self, rpl: u8) -> Segment {
        let segment = self
            .descriptor
            .segment(self.selector & !3 | (rpl & 3) as u16);
        Segment {
            attributes: segment.attributes.union(Attributes::ACCESSED),
            ..segment
        }
    }
}

/// A selector as error codes carry it (SDM 3A, figure 6-7).
pub(crate) const fn error_code(selector: u16) -> u16 {
    selector & !3
}

/// Entry 0 of the GDT.
pub(crate) const fn is_null(selector: u16) -> bool {
    selector & !3 == 0
}

/// The requested privilege level.
pub(crate) const fn rpl(selector: u16) -> u8 {
    (selector & 3) as u8
}

/// A segment register after loading a null selector.
pub(crate) const fn null_segment(selector: u16) -> Segment {
    Segment {
        selector,
        attributes: Attributes::empty(),
        limit: 0,
        base: 0,
    }
}

impl Cpu {
    /// Protected mode proper: neither real nor virtual-8086.
    pub(crate) const fn is_protected(&self) -> bool {
        !self.mode.contains(Mode::REAL_STYLE)
    }

    /// Executing 64-bit code.
    pub(crate) const fn is_64_bit(&self) -> bool {
        self.mode.contains(Mode::CODE64)
    }

    /// Virtual-8086 mode.
    pub(crate) const fn is_virtual_8086(&self) -> bool {
        self.state.system_flags.contains(crate::rflags::Rflags::VM) && self.state.cr0 & 1 != 0
    }

    /// The entry a selector names; none beyond its table's limit.
    ///
    /// # Errors
    /// When reading the table faults.
    pub(crate) fn read_descriptor(&mut self, selector: u16) -> Result<Option<Entry>, Exit> {
        let offset = u32::from(selector & !7);
        let (base, limit) = if selector & 4 == 0 {
            (self.state.gdtr.base, u32::from(self.state.gdtr.limit))
        } else if self.state.ldtr.is_usable() {
            (self.state.ldtr.base, self.state.ldtr.limit)
        } else {
            return Ok(None);
        };
        if offset + 7 > limit {
            return Ok(None);
        }
        let address = base.wrapping_add(u64::from(offset));
        let descriptor = Descriptor(self.system_load::<u64>(address)?);
        Ok(Some(Entry {
            selector,
            descriptor,
            address,
        }))
    }

    /// The entry a selector names, or the given fault with the selector.
    ///
    /// # Errors
    /// `fault(selector)` beyond the table's limit; faults of reading the table.
    pub(crate) fn descriptor_or(
        &mut self,
        selector: u16,
        fault: fn(u16) -> Exception,
    ) -> Result<Entry, Exit> {
        match self.read_descriptor(selector)? {
            Some(entry) => Ok(entry),
            None => Err(self.raise(fault(error_code(selector)))),
        }
    }

    /// Base of an LDT or TSS descriptor: 16 bytes long in long mode (SDM 3A, 7.2.3).
    ///
    /// # Errors
    /// `fault(selector)` if its second half is beyond the limit, has a type, or
    /// makes a base that is not canonical.
    pub(crate) fn system_base(
        &mut self,
        entry: Entry,
        fault: fn(u16) -> Exception,
    ) -> Result<u64, Exit> {
        let low = u64::from(entry.descriptor.base());
        if !self.long_mode_active() {
            return Ok(low);
        }
        let high = self.upper_half(entry, fault)?;
        let base = low | high << 32;
        if self.is_canonical_base(base) {
            Ok(base)
        } else {
            Err(self.raise(fault(entry.code())))
        }
    }

    /// The third dword of a 16-byte descriptor, whose fourth has no type.
    ///
    /// # Errors
    /// `fault(selector)` if it is beyond the limit or the type is not zero.
    pub(crate) fn upper_half(
        &mut self,
        entry: Entry,
        fault: fn(u16) -> Exception,
    ) -> Result<u64, Exit> {
        let next = entry.selector.wrapping_add(8);
        let upper = match self.read_descriptor(next)? {
            Some(upper) if next > entry.selector => upper.descriptor.0,
            _ => return Err(self.raise(fault(entry.code()))),
        };
        if upper >> 40 & 0x1f != 0 {
            return Err(self.raise(fault(entry.code())));
        }
        Ok(upper & 0xffff_ffff)
    }

    /// Sets the accessed bit in memory, if it is clear.
    ///
    /// # Errors
    /// When writing the table faults.
    pub(crate) fn mark_accessed(&mut self, entry: Entry) -> Result<(), Exit> {
        if entry.attributes().contains(Attributes::ACCESSED) {
            return Ok(());
        }
        let kind = (entry.descriptor.0 >> 40) as u8 | 1;
        self.system_store::<u8>(entry.address.wrapping_add(5), kind)
    }

    /// Loads ES, SS, DS, FS or GS as MOV and POP do, in any mode.
    ///
    /// # Errors
    /// #GP, #NP or #SS as the descriptor deserves; #PF from its table.
    pub(crate) fn load_segment(
        &mut self,
        register: SegmentRegister,
        selector: u16,
    ) -> Result<(), Exit> {
        let segment = if !self.is_protected() {
            self.real_style_segment(register, selector)
        } else if register == SegmentRegister::Ss {
            self.find_stack_segment(selector, self.state.cpl, self.is_64_bit())?
        } else {
            self.find_data_segment(selector)?
        };
        self.state.segments[register as usize] = segment;
        self.update_mode();
        Ok(())
    }

    /// A segment register after a load in real mode, where the hidden limit and
    /// size stay ("big real mode"), or in virtual-8086 mode (SDM 3B, 21.1.1 and 21.2.1).
    pub(crate) fn real_style_segment(&self, register: SegmentRegister, selector: u16) -> Segment {
        let old = self.state.segment(register);
        if self.is_virtual_8086() {
            Segment::virtual_8086(selector)
        } else if old.is_usable() {
            let fresh = Segment::real_mode(selector);
            Segment {
                attributes: fresh.attributes | old.attributes & KEPT_IN_REAL_MODE,
                limit: old.limit,
                ..fresh
            }
        } else {
            Segment::real_mode(selector)
        }
    }

    /// Checks for a stack segment loaded at, or together with, a privilege
    /// level; `null_allowed` for 64-bit code, below level 3.
    ///
    /// # Errors
    /// #GP, #SS; #PF from its table.
    pub(crate) fn find_stack_segment(
        &mut self,
        selector: u16,
        cpl: u8,
        null_allowed: bool,
    ) -> Result<Segment, Exit> {
        if is_null(selector) {
            return if null_allowed && cpl != 3 && rpl(selector) == cpl {
                Ok(null_segment(selector))
            } else {
                Err(self.raise(Exception::GeneralProtection(0)))
            };
        }
        self.checked_stack_segment(selector, cpl, Exception::GeneralProtection)
    }

    /// The checks on a stack segment that is not null.
    ///
    /// # Errors
    /// `fault(selector)`, #SS; #PF from its table.
    pub(crate) fn checked_stack_segment(
        &mut self,
        selector: u16,
        cpl: u8,
        fault: fn(u16) -> Exception,
    ) -> Result<Segment, Exit> {
        let entry = self.descriptor_or(selector, fault)?;
        if rpl(selector) != cpl || entry.dpl() != cpl || !entry.is_writable_data() {
            return Err(self.raise(fault(entry.code())));
        }
        if !entry.is_present() {
            return Err(self.raise(Exception::StackFault(entry.code())));
        }
        self.mark_accessed(entry)?;
        Ok(entry.segment(cpl))
    }

    /// Checks for a data segment (SDM 3A, 5.6).
    fn find_data_segment(&mut self, selector: u16) -> Result<Segment, Exit> {
        if is_null(selector) {
            return Ok(null_segment(selector));
        }
        self.checked_data_segment(selector, self.state.cpl, Exception::GeneralProtection)
    }

    /// The checks on a data segment that is not null.
    ///
    /// # Errors
    /// `fault(selector)`, #NP; #PF from its table.
    pub(crate) fn checked_data_segment(
        &mut self,
        selector: u16,
        cpl: u8,
        fault: fn(u16) -> Exception,
    ) -> Result<Segment, Exit> {
        let entry = self.descriptor_or(selector, fault)?;
        let too_privileged =
            !entry.is_conforming() && (rpl(selector) > entry.dpl() || cpl > entry.dpl());
        if !entry.is_readable() || too_privileged {
            return Err(self.raise(fault(entry.code())));
        }
        if !entry.is_present() {
            return Err(self.raise(Exception::SegmentNotPresent(entry.code())));
        }
        self.mark_accessed(entry)?;
        Ok(entry.segment(rpl(selector)))
    }

    /// Checks the code segment of a direct far JMP or CALL (SDM 3A, 5.8.1).
    ///
    /// # Errors
    /// #GP, #NP.
    pub(crate) fn check_direct_code(&mut self, entry: Entry) -> Result<(), Exit> {
        let cpl = self.state.cpl;
        let permitted = if entry.is_conforming() {
            entry.dpl() <= cpl
        } else {
            rpl(entry.selector) <= cpl && entry.dpl() == cpl
        };
        self.check_code(entry, permitted)
    }

    /// The code segment of a call, interrupt or trap gate (SDM 3A, 5.8.4 and
    /// 6.12.1.1): `may_change` if more privilege is gained by it.
    ///
    /// # Errors
    /// #GP, #NP; #PF from its table.
    pub(crate) fn find_gate_code(
        &mut self,
        selector: u16,
        may_change: bool,
    ) -> Result<Entry, Exit> {
        if is_null(selector) {
            return Err(self.raise(Exception::GeneralProtection(0)));
        }
        let entry = self.descriptor_or(selector, Exception::GeneralProtection)?;
        let cpl = self.state.cpl;
        let permitted = if may_change || entry.is_conforming() {
            entry.dpl() <= cpl
        } else {
            entry.dpl() == cpl
        };
        let wrong_size = self.long_mode_active()
            && entry.attributes() & (Attributes::LONG | Attributes::DEFAULT_BIG)
                != Attributes::LONG;
        self.check_code(entry, permitted && !wrong_size)?;
        Ok(entry)
    }

    /// The code segment that RET or IRET goes back to (SDM 3A, 5.8.6).
    ///
    /// # Errors
    /// #GP, #NP; #PF from its table.
    pub(crate) fn find_return_code(&mut self, selector: u16) -> Result<Entry, Exit> {
        if is_null(selector) {
            return Err(self.raise(Exception::GeneralProtection(0)));
        }
        let entry = self.descriptor_or(selector, Exception::GeneralProtection)?;
        let level = rpl(selector);
        let fits = if entry.is_conforming() {
            entry.dpl() <= level
        } else {
            entry.dpl() == level
        };
        self.check_code(entry, fits && level >= self.state.cpl)?;
        Ok(entry)
    }

    /// What every code segment must be; `permitted` is the privilege check.
    fn check_code(&mut self, entry: Entry, permitted: bool) -> Result<(), Exit> {
        let both_sizes = Attributes::LONG | Attributes::DEFAULT_BIG;
        let ambiguous = self.long_mode_active() && entry.attributes().contains(both_sizes);
        if !entry.is_code() || !permitted || ambiguous {
            return Err(self.raise(Exception::GeneralProtection(entry.code())));
        }
        if !entry.is_present() {
            return Err(self.raise(Exception::SegmentNotPresent(entry.code())));
        }
        Ok(())
    }

    /// Checks that a code segment has an instruction pointer.
    ///
    /// # Errors
    /// #GP(0).
    pub(crate) fn check_code_offset(
        &mut self,
        code: Attributes,
        limit: u32,
        rip: u64,
    ) -> Result<(), Exit> {
        let valid = if self.long_mode_active() && code.contains(Attributes::LONG) {
            self.is_canonical(rip)
        } else {
            rip <= u64::from(limit)
        };
        if valid {
            Ok(())
        } else {
            Err(self.raise(Exception::GeneralProtection(0)))
        }
    }

    /// Goes to a code segment, all checks done.
    pub(crate) fn enter_code(&mut self, code: Segment, cpl: u8, rip: u64) {
        self.state.segments[SegmentRegister::Cs as usize] = code;
        self.set_cpl(cpl);
        self.set_rip(rip);
    }

    /// Changes the current privilege level.
    pub(crate) fn set_cpl(&mut self, cpl: u8) {
        self.state.cpl = cpl;
        self.update_mode();
    }

    /// On a return to less privilege: takes away segments that the new level may
    /// not use (SDM 3A, 5.8.6). A null selector loses its RPL, as processors have
    /// it; what else the register holds stays.
    pub(crate) fn drop_privileged_segments(&mut self, cpl: u8) {
        let registers = [
            SegmentRegister::Es,
            SegmentRegister::Ds,
            SegmentRegister::Fs,
            SegmentRegister::Gs,
        ];
        for register in registers {
            let segment = &mut self.state.segments[register as usize];
            let conforming = Attributes::CODE | Attributes::EXPAND_DOWN;
            if !segment.is_usable() {
                segment.selector = 0;
                continue;
            }
            let may_stay =
                segment.attributes.contains(conforming) || segment.attributes.dpl() >= cpl;
            if !may_stay {
                segment.selector = 0;
                segment.attributes = Attributes::empty();
            }
        }
    }
}
