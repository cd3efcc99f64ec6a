//! Memory as instructions see it: segmentation, then the TLB, then the slow path
//! (SDM 3A, chapters 3 to 5).

use rax_mmu::{
    Access, AccessKind, Controls, HostAddress, LinearAddress, PAGE_SIZE, PhysicalAddress,
    Translation, View, Word, is_canonical,
};

use crate::Cpu;
use crate::cpuid::Feature;
use crate::exception::{Exception, Exit};
use crate::flags::mask;
use crate::insn::{AddressKind, Insn};
use crate::mode::Mode;
use crate::processor::SlowSpot;
use crate::rflags::Cr4;
use crate::segment::SegmentRegister;
use crate::state::Gpr;

/// The longest single access: FXSAVE and its kin go piecewise.
const LONGEST: usize = 64;
/// The widest value: a YMM register.
const WIDEST: usize = 32;

impl Cpu {
    /// What the memory management unit needs to know of the control registers.
    #[must_use]
    pub fn controls(&self) -> Controls {
        Controls {
            cr0: self.state.cr0,
            cr3: self.state.cr3,
            cr4: self.state.cr4,
            efer: self.state.msrs.efer,
            pkru: self.state.pkru,
            pdptes: self.state.pdptes,
            ..*self.model.paging()
        }
    }

    /// An access by the running program itself.
    #[must_use]
    pub(crate) fn program_access(&self, kind: AccessKind) -> Access {
        let ac = self.mode.contains(Mode::ACCESS_ALLOWED);
        Access {
            kind,
            user: self.state.cpl == 3,
            ac,
        }
    }

    /// An implicit supervisor access: descriptor tables and task-state segments.
    #[must_use]
    pub(crate) const fn system_access(kind: AccessKind) -> Access {
        Access {
            kind,
            user: false,
            ac: false,
        }
    }

    /// The effective address of the memory operand, before truncation.
    #[inline(always)]
    pub(crate) fn raw_effective_address(&self, insn: &Insn) -> u64 {
        let base = self.state.gpr(insn.base);
        let index = self.state.gpr(insn.index) << insn.scale;
        base.wrapping_add(index)
            .wrapping_add(insn.displacement as u64)
    }

    /// The linear address of the memory operand, `size` bytes of which are accessed.
    ///
    /// # Errors
    /// #GP or #SS when segmentation forbids it.
    #[inline(always)]
    pub(crate) fn operand_address(
        &mut self,
        insn: &Insn,
        size: u64,
        write: bool,
    ) -> Result<LinearAddress, Exit> {
        let effective = self.raw_effective_address(insn);
        self.address_of(insn, effective, size, write)
    }

    /// The linear address of an effective one, before truncation, formed as the
    /// memory operand says.
    ///
    /// # Errors
    /// #GP or #SS when segmentation forbids it.
    #[inline(always)]
    pub(crate) fn address_of(
        &mut self,
        insn: &Insn,
        effective: u64,
        size: u64,
        write: bool,
    ) -> Result<LinearAddress, Exit> {
        match insn.address {
            AddressKind::Flat64 => Ok(LinearAddress(effective)),
            AddressKind::Flat32 => Ok(LinearAddress(effective & 0xffff_ffff)),
            AddressKind::Based64 => {
                let base = self.state.segment(insn.segment).base;
                Ok(LinearAddress(base.wrapping_add(effective)))
            }
            AddressKind::Segmented => {
                let offset = effective & mask(u32::from(insn.address_bits));
                self.segmented_address(insn.segment, offset, size, write)
            }
        }
    }

    /// The linear address of `size` bytes at an offset into a segment, checked
    /// for type and limit. `offset` is truncated to the address size already.
    ///
    /// # Errors
    /// #GP(0), or #SS(0) for the stack segment.
    pub(crate) fn segmented_address(
        &mut self,
        segment: SegmentRegister,
        offset: u64,
        size: u64,
        write: bool,
    ) -> Result<LinearAddress, Exit> {
        let register = *self.state.segment(segment);
        if self.mode.contains(Mode::CODE64) {
            let based = matches!(segment, SegmentRegister::Fs | SegmentRegister::Gs);
            let base = if based { register.base } else { 0 };
            return Ok(LinearAddress(base.wrapping_add(offset)));
        }
        // Real and virtual-8086 mode know limits, but no types.
        let offset32 = offset as u32;
        let permitted = if self.mode.contains(Mode::REAL_STYLE) {
            register.covers(offset32, size as u32)
        } else {
            register.permits(offset32, size as u32, write)
        };
        if permitted {
            Ok(LinearAddress(
                register.base.wrapping_add(offset) & 0xffff_ffff,
            ))
        } else {
            Err(self.segment_fault(segment))
        }
    }

    /// #SS(0) for the stack segment, #GP(0) for the others.
    #[cold]
    pub(crate) fn segment_fault(&mut self, segment: SegmentRegister) -> Exit {
        self.raise(if segment == SegmentRegister::Ss {
            Exception::StackFault(0)
        } else {
            Exception::GeneralProtection(0)
        })
    }

    /// Whether an address is canonical; every address is, outside long mode.
    #[must_use]
    pub(crate) fn is_canonical(&self, address: u64) -> bool {
        !self.long_mode_active()
            || is_canonical(
                LinearAddress(address),
                self.state.cr4 & Cr4::LA57.bits() != 0,
            )
    }

    /// Whether MSRs, table registers and INVPCID take an address.
    ///
    /// They go by the bits that the processor has, not by those in use: where there are 57,
    /// CR4.LA57 does not matter. The manual's definition leaves that open (SDM 1, 3.3.7.1);
    /// KVM's authors found processors to do so. Accesses check for themselves.
    #[must_use]
    pub(crate) fn is_canonical_base(&self, base: u64) -> bool {
        let has_57_bits = self.model.supports(Feature::La57);
        !self.long_mode_active() || is_canonical(LinearAddress(base), has_57_bits)
    }

    /// Reads a value at a linear address, as the running program.
    #[inline(always)]
    pub(crate) fn load_linear<T: Word>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        address: LinearAddress,
    ) -> Result<T, Exit> {
        match self.mmu.load::<T>(self.view, address) {
            Some(value) => Ok(value),
            None => self.load_slow(insn, segment, address),
        }
    }

    /// Writes a value at a linear address, as the running program.
    #[inline(always)]
    pub(crate) fn store_linear<T: Word>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        address: LinearAddress,
        value: T,
    ) -> Result<(), Exit> {
        if self.mmu.store::<T>(self.view, address, value) {
            Ok(())
        } else {
            self.store_slow(insn, segment, address, value)
        }
    }

    #[cold]
    #[inline(never)]
    fn load_slow<T: Word>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        address: LinearAddress,
    ) -> Result<T, Exit> {
        self.note_position(insn);
        self.check_alignment(address, T::SIZE)?;
        let mut bytes = [0; WIDEST];
        let bytes = &mut bytes[..T::SIZE as usize];
        self.read_linear(segment, address, bytes)?;
        Ok(T::from_guest_bytes(bytes))
    }

    #[cold]
    #[inline(never)]
    fn store_slow<T: Word>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        address: LinearAddress,
        value: T,
    ) -> Result<(), Exit> {
        if let Some(host) = self.mmu.probe_beside_code::<T>(self.view, address) {
            self.mmu.ram_store(host, value);
            return Ok(());
        }
        self.note_position(insn);
        self.check_alignment(address, T::SIZE)?;
        let mut bytes = [0; WIDEST];
        let bytes = &mut bytes[..T::SIZE as usize];
        value.to_guest_bytes(bytes);
        self.write_linear(segment, address, bytes)
    }

    /// Finds a place writable: its host address, or none and [`Cpu::commit_slow`]
    /// will reach it.
    #[cold]
    #[inline(never)]
    pub(crate) fn locate_slow<T: Word>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        address: LinearAddress,
    ) -> Result<(T, Option<HostAddress>), Exit> {
        if let Some(host) = self.mmu.probe_beside_code::<T>(self.view, address) {
            return Ok((self.mmu.ram_load(host), Some(host)));
        }
        self.note_position(insn);
        self.check_alignment(address, T::SIZE)?;
        let access = self.program_access(AccessKind::Write);
        let spot = self.locate(segment, access, address, T::SIZE)?;
        self.watch_data(address, T::SIZE, true);
        if let Some(host) = self.mmu.probe_write::<T>(self.view, address) {
            return Ok((self.mmu.ram_load(host), Some(host)));
        }
        let mut bytes = [0; WIDEST];
        let bytes = &mut bytes[..T::SIZE as usize];
        let (low, high) = bytes.split_at_mut(usize::from(spot.first_bytes));
        self.physical_read(spot.first, low);
        if !high.is_empty() {
            self.physical_read(spot.second, high);
        }
        self.slow_spot = spot;
        Ok((T::from_guest_bytes(bytes), None))
    }

    /// Writes where [`Cpu::locate_slow`] found no host address.
    #[cold]
    #[inline(never)]
    pub(crate) fn commit_slow<T: Word>(&mut self, value: T) {
        let mut bytes = [0; WIDEST];
        let bytes = &mut bytes[..T::SIZE as usize];
        value.to_guest_bytes(bytes);
        let spot = self.slow_spot;
        self.write_spot(spot, bytes);
    }

    /// Reads up to 64 bytes as the running program.
    ///
    /// # Errors
    /// When a translation faults, or the address is not canonical.
    pub(crate) fn read_linear(
        &mut self,
        segment: SegmentRegister,
        address: LinearAddress,
        bytes: &mut [u8],
    ) -> Result<(), Exit> {
        let access = self.program_access(AccessKind::Read);
        self.read_as(segment, access, address, bytes)
    }

    /// Writes up to 64 bytes as the running program; all or nothing.
    ///
    /// # Errors
    /// When a translation faults, or the address is not canonical.
    pub(crate) fn write_linear(
        &mut self,
        segment: SegmentRegister,
        address: LinearAddress,
        bytes: &[u8],
    ) -> Result<(), Exit> {
        let access = self.program_access(AccessKind::Write);
        self.write_as(segment, access, address, bytes)
    }

    /// Reads a value of a system structure: supervisor rights whatever the CPL.
    ///
    /// # Errors
    /// When a translation faults.
    pub(crate) fn system_load<T: Word>(&mut self, address: u64) -> Result<T, Exit> {
        if self.view != View::Careful
            && let Some(value) = self.mmu.load::<T>(View::Supervisor, LinearAddress(address))
        {
            return Ok(value);
        }
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..T::SIZE as usize];
        let access = Self::system_access(AccessKind::Read);
        let address = self.system_address(address);
        self.read_as(SegmentRegister::Ds, access, address, bytes)?;
        Ok(T::from_guest_bytes(bytes))
    }

    /// Writes a value of a system structure: supervisor rights whatever the CPL.
    ///
    /// # Errors
    /// When a translation faults.
    pub(crate) fn system_store<T: Word>(&mut self, address: u64, value: T) -> Result<(), Exit> {
        if self.view != View::Careful
            && self
                .mmu
                .store::<T>(View::Supervisor, LinearAddress(address), value)
        {
            return Ok(());
        }
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..T::SIZE as usize];
        value.to_guest_bytes(bytes);
        let access = Self::system_access(AccessKind::Write);
        let address = self.system_address(address);
        self.write_as(SegmentRegister::Ds, access, address, bytes)
    }

    fn system_address(&self, address: u64) -> LinearAddress {
        LinearAddress(if self.long_mode_active() {
            address
        } else {
            address & 0xffff_ffff
        })
    }

    /// Reads with rights of the caller's choice.
    ///
    /// # Errors
    /// When a translation faults, or the address is not canonical.
    pub(crate) fn read_as(
        &mut self,
        segment: SegmentRegister,
        access: Access,
        address: LinearAddress,
        bytes: &mut [u8],
    ) -> Result<(), Exit> {
        debug_assert!(bytes.len() <= LONGEST, "longer accesses go piecewise");
        let spot = self.locate(segment, access, address, bytes.len() as u64)?;
        self.watch_data(address, bytes.len() as u64, false);
        let (low, high) = bytes.split_at_mut(usize::from(spot.first_bytes));
        self.physical_read(spot.first, low);
        if !high.is_empty() {
            self.physical_read(spot.second, high);
        }
        Ok(())
    }

    /// Writes with rights of the caller's choice; all or nothing.
    ///
    /// # Errors
    /// When a translation faults, or the address is not canonical.
    pub(crate) fn write_as(
        &mut self,
        segment: SegmentRegister,
        access: Access,
        address: LinearAddress,
        bytes: &[u8],
    ) -> Result<(), Exit> {
        debug_assert!(bytes.len() <= LONGEST, "longer accesses go piecewise");
        let spot = self.locate(segment, access, address, bytes.len() as u64)?;
        self.watch_data(address, bytes.len() as u64, true);
        self.write_spot(spot, bytes);
        Ok(())
    }

    /// Checks that the running program may write `size` bytes, without writing.
    ///
    /// # Errors
    /// As the write would.
    pub(crate) fn probe_write(
        &mut self,
        segment: SegmentRegister,
        address: LinearAddress,
        size: u64,
    ) -> Result<(), Exit> {
        let access = self.program_access(AccessKind::Write);
        self.locate(segment, access, address, size).map(|_| ())
    }

    fn write_spot(&mut self, spot: SlowSpot, bytes: &[u8]) {
        let (low, high) = bytes.split_at(usize::from(spot.first_bytes));
        self.physical_write(spot.first, low);
        if !high.is_empty() {
            self.physical_write(spot.second, high);
        }
    }

    /// Translates every page of an access before anything of it happens.
    fn locate(
        &mut self,
        segment: SegmentRegister,
        access: Access,
        address: LinearAddress,
        size: u64,
    ) -> Result<SlowSpot, Exit> {
        let last = address.0.wrapping_add(size.saturating_sub(1));
        if !self.is_canonical(address.0) || !self.is_canonical(last) {
            return Err(self.segment_fault(segment));
        }
        let room = PAGE_SIZE - address.0 % PAGE_SIZE;
        let first = self.translate(access, address)?.physical;
        if size <= room {
            let second = PhysicalAddress(0);
            return Ok(SlowSpot {
                first,
                first_bytes: size as u8,
                second,
            });
        }
        let mut next = address.0.wrapping_add(room);
        if !self.long_mode_active() {
            next &= 0xffff_ffff;
        }
        let second = self.translate(access, LinearAddress(next))?.physical;
        Ok(SlowSpot {
            first,
            first_bytes: room as u8,
            second,
        })
    }

    /// Translates one address, filling the TLB.
    ///
    /// # Errors
    /// #PF.
    pub(crate) fn translate(
        &mut self,
        access: Access,
        address: LinearAddress,
    ) -> Result<Translation, Exit> {
        let controls = self.controls();
        self.mmu
            .translate(&controls, access, address)
            .map_err(|fault| self.raise(Exception::PageFault(fault)))
    }

    /// Reads physical memory, devices included.
    pub(crate) fn physical_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        let now = self.now();
        let mut space = Timed {
            now,
            cpu_called: false,
            platform: &mut *self.platform,
        };
        self.mmu.memory().read(address, bytes, &mut space);
        if space.cpu_called {
            // The block may run to its end: a load changes no code. Where blocks end is
            // the same for every engine; where loads go the slow way is not.
            self.follow_platform();
            self.pause = true;
            self.request_attention();
        }
    }

    /// Writes physical memory, devices included.
    pub(crate) fn physical_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        let now = self.now();
        let mut space = Timed {
            now,
            cpu_called: false,
            platform: &mut *self.platform,
        };
        self.mmu.memory().write(address, bytes, &mut space);
        if space.cpu_called {
            self.end_access();
        } else if self.mmu.has_code_changes() {
            self.request_leave();
        }
    }

    /// #AC for a misaligned access at CPL 3 with EFLAGS.AC and CR0.AM (SDM 3A, 6.15). Vectors
    /// are exempt: those that must be aligned always must (so a Xeon, 6, 207).
    pub(crate) fn check_alignment(
        &mut self,
        address: LinearAddress,
        size: u64,
    ) -> Result<(), Exit> {
        let natural = match size {
            16 | 32 => 1,
            _ => size.next_power_of_two().min(8),
        };
        if self.mode.contains(Mode::ALIGNMENT_CHECK) && address.0 & (natural - 1) != 0 {
            return Err(self.raise(Exception::AlignmentCheck));
        }
        Ok(())
    }

    /// Notes data breakpoints that an access hits (SDM 3B, 18.2.5).
    fn watch_data(&mut self, address: LinearAddress, size: u64, write: bool) {
        let dr7 = self.state.dr[7];
        if dr7 & 0xff == 0 {
            return;
        }
        for n in 0..4 {
            let condition = dr7 >> (16 + 4 * n) & 3;
            let enabled = dr7 >> (2 * n) & 3 != 0;
            let wanted = condition == 3 || (condition == 1 && write);
            let length = [1, 2, 8, 4][(dr7 >> (18 + 4 * n) & 3) as usize];
            let start = self.state.dr[n as usize] & !(length - 1);
            let overlaps =
                address.0 < start.wrapping_add(length) && start < address.0.wrapping_add(size);
            if enabled && wanted && overlaps {
                self.debug_hits |= 1 << n;
                self.request_attention();
            }
        }
    }

    /// IA32_EFER.LMA.
    #[must_use]
    #[inline(always)]
    pub(crate) const fn long_mode_active(&self) -> bool {
        self.state.msrs.efer & crate::rflags::Efer::LMA.bits() != 0
    }

    /// Sets the part of RSP that the stack's size covers.
    #[inline(always)]
    pub(crate) fn set_stack_pointer(&mut self, bits: u8, pointer: u64) {
        let rsp = match bits {
            64 => pointer,
            32 => pointer & 0xffff_ffff,
            _ => self.state.gpr(Gpr::Rsp) & !0xffff | pointer & 0xffff,
        };
        self.state.set_gpr(Gpr::Rsp, rsp);
    }

    /// Clears the half of RSP that only 64-bit mode has.
    pub(crate) fn forget_upper_stack_pointer(&mut self) {
        let esp = self.state.gpr(Gpr::Rsp) & 0xffff_ffff;
        self.state.set_gpr(Gpr::Rsp, esp);
    }

    /// The linear address of a stack cell.
    #[inline(always)]
    pub(crate) fn stack_address(
        &mut self,
        insn: &Insn,
        pointer: u64,
        size: u64,
        write: bool,
    ) -> Result<LinearAddress, Exit> {
        if insn.stack_bits == 64 {
            Ok(LinearAddress(pointer))
        } else if self.mode.contains(Mode::FLAT) {
            Ok(LinearAddress(pointer & mask(u32::from(insn.stack_bits))))
        } else {
            let pointer = pointer & mask(u32::from(insn.stack_bits));
            self.segmented_address(SegmentRegister::Ss, pointer, size, write)
        }
    }
}

/// The platform's memory-mapped devices, told the time before each access.
struct Timed<'a> {
    now: u64,
    cpu_called: bool,
    platform: &'a mut dyn crate::platform::Platform,
}

impl rax_mmu::MmioSpace for Timed<'_> {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        self.cpu_called = true;
        self.platform.begin_access(self.now);
        self.platform.mmio_read(address, bytes);
    }

    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        self.cpu_called = true;
        self.platform.begin_access(self.now);
        self.platform.mmio_write(address, bytes);
    }
}
