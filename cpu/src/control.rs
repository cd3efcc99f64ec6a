//! Writes to control registers, extended control registers and debug registers, with
//! every check and what they make the TLBs forget (SDM 3A, 2.5, 2.6 and 4.10.4; SDM
//! 3B, 18.2).

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use rax_mmu::Controls;

use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::mode::Mode;
use crate::rflags::{Cr0, Cr4, Dr6, Efer};
use crate::segment::{Attributes, SegmentRegister};

/// The bits of CR0 that exist; the others read as zero.
const CR0_BITS: Cr0 = Cr0::all();
/// Bits 0 to 11 of CR3 name a process context under CR4.PCIDE.
const PCID: u64 = 0xfff;
/// Bit 63 of a MOV to CR3 under CR4.PCIDE: keep what is known of the context.
const KEEP: u64 = 1 << 63;
/// DR6: bits that hold something, and bits that read as one.
const DR6_BITS: u64 = 0xe00f;
const DR6_FIXED: u64 = 0xffff_0ff0;
/// DR7: bits that hold something, and the bit that reads as one.
const DR7_BITS: u64 = 0xffff_23ff;
const DR7_FIXED: u64 = 1 << 10;
/// DR7.GD: debug registers are guarded.
pub(crate) const DR7_GENERAL_DETECT: u64 = 1 << 13;

impl Cpu {
    fn general_protection(&mut self) -> Exit {
        self.raise(Exception::GeneralProtection(0))
    }

    /// #GP(0) unless at CPL 0.
    ///
    /// # Errors
    /// #GP(0).
    pub(crate) fn require_ring_0(&mut self) -> Result<(), Exit> {
        if self.state.cpl == 0 {
            Ok(())
        } else {
            Err(self.general_protection())
        }
    }

    /// Whether PAE paging, which caches its PDPTEs, would be in use.
    const fn uses_pdptes(controls: &Controls) -> bool {
        controls.paging() && controls.physical_address_extension() && !controls.long_mode()
    }

    /// Loads the PDPTE registers if `controls` select PAE paging.
    fn reload_pdptes(&mut self, controls: &Controls) -> Result<(), Exit> {
        if !Self::uses_pdptes(controls) {
            return Ok(());
        }
        match self.mmu.load_pdptes(controls) {
            Ok(pdptes) => {
                self.state.pdptes = pdptes;
                Ok(())
            }
            Err(_) => Err(self.general_protection()),
        }
    }

    /// Writes CR0, as MOV does at CPL 0; switches long mode on or off with paging.
    ///
    /// # Errors
    /// #GP(0).
    pub(crate) fn write_cr0(&mut self, value: u64) -> Result<(), Exit> {
        let old = Cr0::from_bits_retain(self.state.cr0);
        let new = Cr0::from_bits_retain(value) & CR0_BITS | Cr0::ET;
        let cr4 = Cr4::from_bits_retain(self.state.cr4);
        let mut efer = Efer::from_bits_retain(self.state.msrs.efer);
        let changed = old ^ new;
        let inconsistent = (new.contains(Cr0::PG) && !new.contains(Cr0::PE))
            || (new.contains(Cr0::NW) && !new.contains(Cr0::CD));
        if value >> 32 != 0 || inconsistent {
            return Err(self.general_protection());
        }
        if changed.contains(Cr0::PG) {
            let allowed = if new.contains(Cr0::PG) {
                let activates = efer.contains(Efer::LME);
                efer.set(Efer::LMA, activates);
                !activates || self.may_activate_long_mode()
            } else {
                efer.remove(Efer::LMA);
                !cr4.contains(Cr4::PCIDE) && !self.mode.contains(Mode::CODE64)
            };
            if !allowed {
                return Err(self.general_protection());
            }
        }
        if changed.intersects(Cr0::PG | Cr0::CD | Cr0::NW) {
            let controls = Controls {
                cr0: new.bits(),
                efer: efer.bits(),
                ..self.controls()
            };
            self.reload_pdptes(&controls)?;
        }
        self.with_ferr(|cpu| cpu.state.cr0 = new.bits());
        self.state.msrs.efer = efer.bits();
        if changed.contains(Cr0::PG) {
            self.mmu.flush_all();
        } else if changed.intersects(Cr0::WP | Cr0::PE) {
            self.mmu.flush_l1();
        }
        self.update_mode();
        Ok(())
    }

    /// Whether paging may be switched on with EFER.LME set (SDM 3A, 9.8.5).
    fn may_activate_long_mode(&self) -> bool {
        let has_pae = self.state.cr4 & Cr4::PAE.bits() != 0;
        let code = self.state.segment(SegmentRegister::Cs).attributes;
        // Types 1 and 3: a 16-bit task-state segment.
        let has_old_task = self.state.tr.attributes.kind() & 0xd == 1;
        has_pae && !code.contains(Attributes::LONG) && !has_old_task
    }

    /// Writes CR3, as MOV does at CPL 0 and a task switch does.
    ///
    /// # Errors
    /// #GP(0): reserved bits, or a malformed PDPTE under PAE paging.
    pub(crate) fn write_cr3(&mut self, value: u64) -> Result<(), Exit> {
        let with_pcid = self.state.cr4 & Cr4::PCIDE.bits() != 0;
        let keep = with_pcid && value & KEEP != 0;
        let cr3 = if with_pcid { value & !KEEP } else { value };
        if self.long_mode_active() && cr3 >> self.model.physical_address_bits() != 0 {
            return Err(self.general_protection());
        }
        let controls = Controls {
            cr3,
            ..self.controls()
        };
        self.reload_pdptes(&controls)?;
        self.state.cr3 = cr3;
        let pcid = with_pcid.then_some((cr3 & PCID) as u16);
        self.mmu.switch_context(pcid, keep);
        Ok(())
    }

    /// Writes CR4, as MOV does at CPL 0.
    ///
    /// # Errors
    /// #GP(0).
    pub(crate) fn write_cr4(&mut self, value: u64) -> Result<(), Exit> {
        let old = Cr4::from_bits_retain(self.state.cr4);
        let new = Cr4::from_bits_retain(value);
        let changed = old ^ new;
        let set = new & !old;
        let long = self.long_mode_active();
        let misfit = value & !self.model.cr4_bits() != 0
            || (long && !new.contains(Cr4::PAE))
            || (long && changed.contains(Cr4::LA57))
            || (set.contains(Cr4::PCIDE) && (!long || self.state.cr3 & PCID != 0));
        if misfit {
            return Err(self.general_protection());
        }
        if changed.intersects(Cr4::PAE | Cr4::PGE | Cr4::PSE | Cr4::SMEP) {
            let controls = Controls {
                cr4: value,
                ..self.controls()
            };
            self.reload_pdptes(&controls)?;
        }
        self.state.cr4 = value;
        let structure = Cr4::PSE | Cr4::PAE | Cr4::PGE | Cr4::LA57 | Cr4::PCIDE | Cr4::SMEP;
        if changed.intersects(structure) {
            self.mmu.flush_all();
        } else if changed.intersects(Cr4::SMAP | Cr4::PKE) {
            self.mmu.flush_l1();
        }
        self.update_mode();
        Ok(())
    }

    /// Writes CR8, the task priority.
    ///
    /// # Errors
    /// #GP(0) if it is above 15.
    pub(crate) fn write_cr8(&mut self, value: u64) -> Result<(), Exit> {
        if value > 15 {
            return Err(self.general_protection());
        }
        self.state.cr8 = value;
        self.begin_access();
        self.platform.set_task_priority(value as u8);
        self.end_access();
        Ok(())
    }

    /// Reads CR8: the local APIC's task priority, which its register in memory
    /// changes too.
    pub(crate) fn read_cr8(&mut self) -> u64 {
        self.begin_access();
        if let Some(priority) = self.platform.task_priority() {
            self.state.cr8 = u64::from(priority);
        }
        self.state.cr8
    }

    /// Writes IA32_EFER, as WRMSR does. LMA follows paging and is not written.
    ///
    /// # Errors
    /// #GP(0): reserved bits, or LME changed under paging.
    pub(crate) fn write_efer(&mut self, value: u64) -> Result<(), Exit> {
        let old = Efer::from_bits_retain(self.state.msrs.efer);
        let lma = old & Efer::LMA;
        let new = Efer::from_bits_retain(value) & !Efer::LMA | lma;
        let changed = old ^ new;
        let paging = self.state.cr0 & Cr0::PG.bits() != 0;
        let nx_disabled = self.state.msrs.misc_enable >> 34 & 1 != 0;
        let misfit = value & !self.model.efer_bits() != 0
            || (paging && changed.contains(Efer::LME))
            || (nx_disabled && new.contains(Efer::NXE));
        if misfit {
            return Err(self.general_protection());
        }
        self.state.msrs.efer = new.bits();
        if changed.contains(Efer::NXE) {
            self.mmu.flush_all();
        }
        self.update_mode();
        Ok(())
    }

    /// Writes XCR0, as XSETBV does at CPL 0 (SDM 1, 13.3).
    ///
    /// # Errors
    /// #GP(0): unknown components, x87 missing, or AVX without SSE.
    pub(crate) fn write_xcr0(&mut self, value: u64) -> Result<(), Exit> {
        let avx_alone = value & 4 != 0 && value & 2 == 0;
        if value & 1 == 0 || value & !self.model.xcr0_bits() != 0 || avx_alone {
            return Err(self.general_protection());
        }
        self.state.xcr0 = value;
        self.update_mode();
        Ok(())
    }

    /// Writes PKRU.
    pub(crate) fn write_pkru(&mut self, value: u32) {
        if self.state.pkru != value {
            self.state.pkru = value;
            self.mmu.flush_l1();
        }
    }

    /// Checks before a MOV to or from a debug register; gives its number with DR4 and
    /// DR5 resolved (SDM 3B, 18.2.2).
    ///
    /// # Errors
    /// #GP(0) above CPL 0, #UD for DR4 and DR5 under CR4.DE, #DB under DR7.GD.
    pub(crate) fn debug_register(&mut self, number: usize) -> Result<usize, Exit> {
        self.require_ring_0()?;
        let number = match number {
            4 | 5 if self.state.cr4 & Cr4::DE.bits() != 0 => {
                return Err(self.raise(Exception::InvalidOpcode));
            }
            4 | 5 => number + 2,
            0..=7 => number,
            _ => return Err(self.raise(Exception::InvalidOpcode)),
        };
        if self.state.dr[7] & DR7_GENERAL_DETECT != 0 {
            let status = Dr6::BD.bits();
            return Err(self.raise(Exception::Debug { status }));
        }
        Ok(number)
    }

    /// Writes a debug register that [`Cpu::debug_register`] allowed.
    ///
    /// # Errors
    /// #GP(0): a bit above 31 of DR6 or DR7.
    pub(crate) fn write_debug_register(&mut self, number: usize, value: u64) -> Result<(), Exit> {
        if number >= 6 && value >> 32 != 0 {
            return Err(self.general_protection());
        }
        self.state.dr[number & 7] = match number {
            6 => value & DR6_BITS | DR6_FIXED,
            7 => value & DR7_BITS | DR7_FIXED,
            _ => value,
        };
        self.update_mode();
        Ok(())
    }
}
