//! System-management mode: entry by SMI, the state save area, RSM (SDM 3C, chapter
//! 31; AMD64 Architecture Programmer's Manual 2, chapter 10).
//!
//! Models with 64-bit mode save as AMD's do (revision 64h), the others as Intel's P6
//! does, with hidden parts of segments in its reserved fields. Both can relocate
//! SMBASE. While the mode is on, the platform shows the processor system-management
//! memory, and opens the A20 gate.

use rax_mmu::PhysicalAddress;

use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::rflags::{Cr0, Cr4, Efer, Rflags};
use crate::segment::{Attributes, DescriptorTable, Segment, SegmentRegister};
use crate::state::{Activity, Gpr, InterruptShadow};

/// Where the save area begins, from SMBASE, and its size.
const AREA: u64 = 0xfe00;
const AREA_BYTES: usize = 0x200;
/// Where the handler begins, from SMBASE.
const ENTRY: u64 = 0x8000;
/// SMBASE after a reset.
pub(crate) const RESET_BASE: u32 = 0x3_0000;
/// SMBASE can be relocated; the rest is the layout's number.
const REVISION_32: u32 = 0x2_0000;
const REVISION_64: u32 = 0x2_0064;
/// DR7 after a reset.
const DR7_RESET: u64 = 0x400;

/// What of system-management mode is the processor's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Smm {
    /// The processor is in it.
    pub is_active: bool,
    /// Whether NMIs were blocked before it was entered.
    pub nmi_was_blocked: bool,
    /// SMBASE.
    pub base: u32,
}

impl Default for Smm {
    fn default() -> Self {
        Self {
            is_active: false,
            nmi_was_blocked: false,
            base: RESET_BASE,
        }
    }
}

/// Places in the 64-bit layout, from [`AREA`] (AMD, table 10-1).
mod wide {
    /// ES; CS, SS, DS, FS and GS follow, 16 bytes each: selector, attributes,
    /// limit, base.
    pub(super) const SEGMENTS: usize = 0x00;
    pub(super) const GDTR: usize = 0x60;
    pub(super) const LDTR: usize = 0x70;
    pub(super) const IDTR: usize = 0x80;
    pub(super) const TR: usize = 0x90;
    pub(super) const HALT_RESTART: usize = 0xc9;
    pub(super) const NMI_MASK: usize = 0xca;
    pub(super) const EFER: usize = 0xd0;
    pub(super) const REVISION: usize = 0xfc;
    pub(super) const BASE: usize = 0x100;
    pub(super) const CR4: usize = 0x148;
    pub(super) const CR3: usize = 0x150;
    pub(super) const CR0: usize = 0x158;
    pub(super) const DR7: usize = 0x160;
    pub(super) const DR6: usize = 0x168;
    pub(super) const RFLAGS: usize = 0x170;
    pub(super) const RIP: usize = 0x178;
    /// R15 first, RAX last.
    pub(super) const REGISTERS: usize = 0x180;
}

/// Places in the 32-bit layout, from [`AREA`] (SDM 3C, table 31-1, and the P6's use
/// of what is reserved there).
mod narrow {
    pub(super) const CR4: usize = 0x114;
    pub(super) const HALT_RESTART: usize = 0x102;
    pub(super) const REVISION: usize = 0xfc;
    pub(super) const BASE: usize = 0xf8;
    /// Hidden parts, 12 bytes each: attributes, limit, base.
    pub(super) const HIDDEN_LOW: usize = 0x184; // ES, CS, SS
    pub(super) const HIDDEN_HIGH: usize = 0x12c; // DS, FS, GS
    pub(super) const IDTR: usize = 0x154;
    pub(super) const HIDDEN_TR: usize = 0x15c;
    pub(super) const GDTR: usize = 0x170;
    pub(super) const HIDDEN_LDTR: usize = 0x178;
    pub(super) const SELECTORS: usize = 0x1a8;
    pub(super) const LDTR: usize = 0x1c0;
    pub(super) const TR: usize = 0x1c4;
    pub(super) const DR7: usize = 0x1c8;
    pub(super) const DR6: usize = 0x1cc;
    /// EAX first, EDI last.
    pub(super) const REGISTERS: usize = 0x1d0;
    pub(super) const EIP: usize = 0x1f0;
    pub(super) const EFLAGS: usize = 0x1f4;
    pub(super) const CR3: usize = 0x1f8;
    pub(super) const CR0: usize = 0x1fc;
}

/// The save area, taken out of memory or on its way there.
struct Area([u8; AREA_BYTES]);

impl Area {
    fn get(&self, at: usize, size: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&self.0[at..at + size]);
        u64::from_le_bytes(bytes)
    }

    fn put(&mut self, at: usize, size: usize, value: u64) {
        self.0[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    fn wide_segment(&self, at: usize) -> Segment {
        Segment {
            selector: self.get(at, 2) as u16,
            attributes: Attributes::from_bits_retain(self.get(at + 2, 2) as u16),
            limit: self.get(at + 4, 4) as u32,
            base: self.get(at + 8, 8),
        }
    }

    fn put_wide_segment(&mut self, at: usize, segment: &Segment) {
        self.put(at, 2, u64::from(segment.selector));
        self.put(at + 2, 2, u64::from(segment.attributes.bits()));
        self.put(at + 4, 4, u64::from(segment.limit));
        self.put(at + 8, 8, segment.base);
    }

    fn narrow_segment(&self, selector: usize, hidden: usize) -> Segment {
        Segment {
            selector: self.get(selector, 2) as u16,
            attributes: Attributes::from_bits_retain(self.get(hidden, 2) as u16),
            limit: self.get(hidden + 4, 4) as u32,
            base: self.get(hidden + 8, 4),
        }
    }

    fn put_narrow_segment(&mut self, selector: usize, hidden: usize, segment: &Segment) {
        self.put(selector, 4, u64::from(segment.selector));
        self.put(hidden, 4, u64::from(segment.attributes.bits()));
        self.put(hidden + 4, 4, u64::from(segment.limit));
        self.put(hidden + 8, 4, segment.base);
    }
}

/// Where a segment's hidden part is in the 32-bit layout.
const fn hidden(number: usize) -> usize {
    if number < 3 {
        narrow::HIDDEN_LOW + number * 12
    } else {
        narrow::HIDDEN_HIGH + (number - 3) * 12
    }
}

/// The registers that decide about each other, as the save area has them.
struct Control {
    cr0: u64,
    cr3: u64,
    cr4: u64,
    efer: u64,
}

impl Cpu {
    /// Asserts the SMI pin's edge.
    pub fn assert_smi(&mut self) {
        self.smi_pending = true;
        self.request_attention();
    }

    /// Whether a system-management interrupt is waiting.
    #[must_use]
    pub const fn smi_is_pending(&self) -> bool {
        self.smi_pending
    }

    /// Takes a system-management interrupt (SDM 3C, 31.3 and 31.4).
    pub(crate) fn enter_smm(&mut self) {
        let area = if self.model.has_long_mode() {
            self.wide_area()
        } else {
            self.narrow_area()
        };
        self.state.smm.is_active = true;
        self.state.smm.nmi_was_blocked = self.state.nmi_blocked;
        self.begin_access();
        self.platform.set_smm(true);
        let base = u64::from(self.state.smm.base);
        self.physical_write(PhysicalAddress(base + AREA), &area.0);

        let state = &mut self.state;
        state.activity = Activity::Running;
        state.monitor = None;
        state.interrupt_shadow = InterruptShadow::None;
        state.nmi_blocked = true;
        state.set_rflags(Rflags::empty());
        state.rip = ENTRY;
        state.cr0 &= !(Cr0::PE | Cr0::EM | Cr0::TS | Cr0::PG).bits();
        state.cr4 = 0;
        state.msrs.efer = 0;
        state.dr[7] = DR7_RESET;
        state.cpl = 0;
        let flat = |selector, base| Segment {
            selector,
            attributes: Attributes::from_bits_retain(0x8093),
            limit: u32::MAX,
            base,
        };
        state.segments = [flat(0, 0); 6];
        state.segments[SegmentRegister::Cs as usize] = flat((base >> 4) as u16, base);
        self.mmu.flush_all();
        self.update_mode();
    }

    /// Leaves system-management mode. Outside of it there is nothing to resume.
    pub(crate) fn resume(&mut self, insn: &Insn) -> Result<(), Exit> {
        if !self.state.smm.is_active {
            return Err(self.raise(Exception::InvalidOpcode));
        }
        self.note_position(insn);
        let base = u64::from(self.state.smm.base);
        let mut area = Area([0; AREA_BYTES]);
        self.physical_read(PhysicalAddress(base + AREA), &mut area.0);
        let resumed = if self.model.has_long_mode() {
            self.take_wide_area(&area)
        } else {
            self.take_narrow_area(&area)
        };
        self.state.smm.is_active = false;
        self.begin_access();
        self.platform.set_smm(false);
        if !resumed {
            // SDM 3C, 31.6: an impossible state shuts the processor down.
            self.state.activity = Activity::Shutdown;
        }
        self.departure = crate::processor::Departure::Computed;
        self.mmu.flush_all();
        self.update_mode();
        self.end_access();
        Ok(())
    }

    fn wide_area(&self) -> Area {
        let state = &self.state;
        let mut area = Area([0; AREA_BYTES]);
        for (number, segment) in state.segments.iter().enumerate() {
            area.put_wide_segment(wide::SEGMENTS + 16 * number, segment);
        }
        area.put_wide_segment(wide::LDTR, &state.ldtr);
        area.put_wide_segment(wide::TR, &state.tr);
        for (at, table) in [(wide::GDTR, state.gdtr), (wide::IDTR, state.idtr)] {
            area.put(at + 4, 4, u64::from(table.limit));
            area.put(at + 8, 8, table.base);
        }
        let halted = u64::from(state.activity == Activity::Halted);
        area.put(wide::HALT_RESTART, 1, halted);
        area.put(wide::NMI_MASK, 1, u64::from(state.nmi_blocked));
        area.put(wide::REVISION, 4, u64::from(REVISION_64));
        area.put(wide::BASE, 4, u64::from(state.smm.base));
        for (at, value) in [
            (wide::EFER, state.msrs.efer),
            (wide::CR4, state.cr4),
            (wide::CR3, state.cr3),
            (wide::CR0, state.cr0),
            (wide::DR7, state.dr[7]),
            (wide::DR6, state.dr[6]),
            (wide::RFLAGS, state.rflags().bits()),
            (wide::RIP, state.rip),
        ] {
            area.put(at, 8, value);
        }
        for (number, register) in Gpr::ALL.into_iter().rev().enumerate() {
            area.put(wide::REGISTERS + 8 * number, 8, state.gpr(register));
        }
        area
    }

    fn take_wide_area(&mut self, area: &Area) -> bool {
        let control = Control {
            cr0: area.get(wide::CR0, 8),
            cr3: area.get(wide::CR3, 8),
            cr4: area.get(wide::CR4, 8),
            efer: area.get(wide::EFER, 8),
        };
        let state = &mut self.state;
        for (number, segment) in state.segments.iter_mut().enumerate() {
            *segment = area.wide_segment(wide::SEGMENTS + 16 * number);
        }
        state.ldtr = area.wide_segment(wide::LDTR);
        state.tr = area.wide_segment(wide::TR);
        let table = |at: usize| DescriptorTable {
            base: area.get(at + 8, 8),
            limit: area.get(at + 4, 4) as u16,
        };
        (state.gdtr, state.idtr) = (table(wide::GDTR), table(wide::IDTR));
        for (number, register) in Gpr::ALL.into_iter().rev().enumerate() {
            state.set_gpr(register, area.get(wide::REGISTERS + 8 * number, 8));
        }
        state.dr[7] = area.get(wide::DR7, 8) & 0xffff_23ff | DR7_RESET;
        state.dr[6] = area.get(wide::DR6, 8) & 0xe00f | 0xffff_0ff0;
        state.rip = area.get(wide::RIP, 8);
        state.smm.base = area.get(wide::BASE, 4) as u32;
        let flags = area.get(wide::RFLAGS, 8);
        let halted = area.get(wide::HALT_RESTART, 1) & 1 != 0;
        self.take_over(flags, halted, &control)
    }

    fn narrow_area(&self) -> Area {
        let state = &self.state;
        let mut area = Area([0; AREA_BYTES]);
        for (number, segment) in state.segments.iter().enumerate() {
            area.put_narrow_segment(narrow::SELECTORS + 4 * number, hidden(number), segment);
        }
        area.put_narrow_segment(narrow::LDTR, narrow::HIDDEN_LDTR, &state.ldtr);
        area.put_narrow_segment(narrow::TR, narrow::HIDDEN_TR, &state.tr);
        for (at, table) in [(narrow::GDTR, state.gdtr), (narrow::IDTR, state.idtr)] {
            area.put(at, 4, u64::from(table.limit));
            area.put(at + 4, 4, table.base);
        }
        let halted = u64::from(state.activity == Activity::Halted);
        area.put(narrow::HALT_RESTART, 2, halted);
        for (at, value) in [
            (narrow::REVISION, u64::from(REVISION_32)),
            (narrow::BASE, u64::from(state.smm.base)),
            (narrow::CR4, state.cr4),
            (narrow::CR3, state.cr3),
            (narrow::CR0, state.cr0),
            (narrow::DR7, state.dr[7]),
            (narrow::DR6, state.dr[6]),
            (narrow::EFLAGS, state.rflags().bits()),
            (narrow::EIP, state.rip),
        ] {
            area.put(at, 4, value);
        }
        for (number, register) in Gpr::ALL.into_iter().take(8).enumerate() {
            area.put(narrow::REGISTERS + 4 * number, 4, state.gpr(register));
        }
        area
    }

    fn take_narrow_area(&mut self, area: &Area) -> bool {
        let control = Control {
            cr0: area.get(narrow::CR0, 4),
            cr3: area.get(narrow::CR3, 4),
            cr4: area.get(narrow::CR4, 4),
            efer: 0,
        };
        let state = &mut self.state;
        for (number, segment) in state.segments.iter_mut().enumerate() {
            *segment = area.narrow_segment(narrow::SELECTORS + 4 * number, hidden(number));
        }
        state.ldtr = area.narrow_segment(narrow::LDTR, narrow::HIDDEN_LDTR);
        state.tr = area.narrow_segment(narrow::TR, narrow::HIDDEN_TR);
        let table = |at: usize| DescriptorTable {
            base: area.get(at + 4, 4),
            limit: area.get(at, 4) as u16,
        };
        (state.gdtr, state.idtr) = (table(narrow::GDTR), table(narrow::IDTR));
        for (number, register) in Gpr::ALL.into_iter().take(8).enumerate() {
            state.set_gpr(register, area.get(narrow::REGISTERS + 4 * number, 4));
        }
        state.dr[7] = area.get(narrow::DR7, 4) & 0xffff_23ff | DR7_RESET;
        state.dr[6] = area.get(narrow::DR6, 4) & 0xe00f | 0xffff_0ff0;
        state.rip = area.get(narrow::EIP, 4);
        state.smm.base = area.get(narrow::BASE, 4) as u32;
        let flags = area.get(narrow::EFLAGS, 4);
        let halted = area.get(narrow::HALT_RESTART, 1) & 1 != 0;
        self.take_over(flags, halted, &control)
    }

    /// What both layouts have in common; false if the state is an impossible one.
    fn take_over(&mut self, flags: u64, halted: bool, control: &Control) -> bool {
        self.state.nmi_blocked = self.state.smm.nmi_was_blocked;
        self.state.set_rflags(Rflags::from_bits_truncate(flags));
        self.state.interrupt_shadow = InterruptShadow::None;
        if halted {
            self.state.activity = Activity::Halted;
        }
        let cr0 = Cr0::from_bits_truncate(control.cr0) | Cr0::ET;
        let cr4 = Cr4::from_bits_retain(control.cr4);
        let efer = Efer::from_bits_retain(control.efer);
        let paging = cr0.contains(Cr0::PG);
        let long = efer.contains(Efer::LMA);
        let possible = (cr0.contains(Cr0::PE) || !paging)
            && (cr0.contains(Cr0::CD) || !cr0.contains(Cr0::NW))
            && control.cr4 & !self.model.cr4_bits() == 0
            && control.efer & !(self.model.efer_bits() | Efer::LMA.bits()) == 0
            && long == (paging && efer.contains(Efer::LME))
            && (cr4.contains(Cr4::PAE) || !long);
        if !possible {
            return false;
        }
        self.state.cr0 = cr0.bits();
        self.state.cr3 = control.cr3;
        self.state.cr4 = control.cr4;
        self.state.msrs.efer = control.efer;
        let is_protected = cr0.contains(Cr0::PE);
        let stack = self.state.segment(SegmentRegister::Ss).attributes;
        self.state.cpl = if is_protected { stack.dpl() } else { 0 };
        if paging && cr4.contains(Cr4::PAE) && !long {
            let controls = self.controls();
            match self.mmu.load_pdptes(&controls) {
                Ok(pdptes) => self.state.pdptes = pdptes,
                Err(_) => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
