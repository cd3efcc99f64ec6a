//! What an access is, and the registers that decide whether it may happen.
//!
//! Intel SDM, volume 3A, sections 2.5 (control registers), 4.1 (paging modes)
//! and 4.6 (access rights).

use crate::tlb::View;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// Loads data.
    Read,
    /// Stores data, or loads it in order to store it.
    Write,
    /// Fetches an instruction.
    Execute,
}

/// One access, as far as permissions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// What it does.
    pub kind: AccessKind,
    /// A user-mode access: CPL 3, and not an implicit supervisor access.
    pub user: bool,
    /// EFLAGS.AC for explicit supervisor accesses. Implicit ones pass false.
    pub ac: bool,
}

impl Access {
    /// A data access of `kind` through `view`.
    #[must_use]
    pub const fn through(view: View, kind: AccessKind) -> Self {
        Self {
            kind,
            user: matches!(view, View::User),
            ac: matches!(view, View::SupervisorAc),
        }
    }

    /// The table of the first-level TLB that serves this access.
    #[inline(always)]
    #[must_use]
    pub const fn view(self) -> View {
        match (self.user, self.ac) {
            (true, _) => View::User,
            (false, false) => View::Supervisor,
            (false, true) => View::SupervisorAc,
        }
    }

    /// True for a store.
    #[inline(always)]
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(self.kind, AccessKind::Write)
    }

    /// True for an instruction fetch.
    #[inline(always)]
    #[must_use]
    pub const fn is_execute(self) -> bool {
        matches!(self.kind, AccessKind::Execute)
    }
}

/// The ways to translate (SDM 3A, section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PagingMode {
    /// CR0.PG is clear: physical addresses are linear ones.
    Off,
    /// 32-bit paging.
    Legacy,
    /// PAE paging.
    Pae,
    /// 4-level paging.
    FourLevel,
    /// 5-level paging.
    FiveLevel,
}

/// The registers that govern translation, as the processor holds them now.
///
/// Registers are whole, so that the processor copies and never picks bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controls {
    /// CR0: PG and WP are used.
    pub cr0: u64,
    /// CR3: the root table; PCID bits are ignored here.
    pub cr3: u64,
    /// CR4: PSE, PAE, PGE, LA57, SMEP, SMAP, PKE and PKS are used.
    pub cr4: u64,
    /// `IA32_EFER`: LMA and NXE are used.
    pub efer: u64,
    /// The four PDPTE registers, loaded by [`crate::Mmu::load_pdptes`].
    pub pdptes: [u64; 4],
    /// PKRU: rights of user pages' protection keys.
    pub pkru: u32,
    /// `IA32_PKRS`: rights of supervisor pages' protection keys.
    pub pkrs: u32,
    /// MAXPHYADDR: 32 to 52. Values beyond are taken as the nearest of these.
    pub physical_address_bits: u8,
    /// CPUID announces 1 GiB pages.
    pub has_1gib_pages: bool,
    /// CPUID announces PSE-36.
    pub has_pse36: bool,
}

impl Default for Controls {
    /// A processor after reset: paging is off.
    fn default() -> Self {
        Self {
            cr0: 0x6000_0010,
            cr3: 0,
            cr4: 0,
            efer: 0,
            pdptes: [0; 4],
            pkru: 0,
            pkrs: 0,
            physical_address_bits: 40,
            has_1gib_pages: true,
            has_pse36: true,
        }
    }
}

macro_rules! register_bits {
    ($($(#[$doc:meta])* $name:ident: $register:ident[$bit:literal];)*) => {
        impl Controls {
            $(
                $(#[$doc])*
                #[inline(always)]
                #[must_use]
                pub const fn $name(&self) -> bool {
                    self.$register & (1 << $bit) != 0
                }
            )*
        }
    };
}

register_bits! {
    /// CR0.WP: supervisor writes obey read-only pages.
    write_protect: cr0[16];
    /// CR0.PG: paging is on.
    paging: cr0[31];
    /// CR4.PSE: 4 MiB pages in 32-bit paging.
    page_size_extensions: cr4[4];
    /// CR4.PAE: 64-bit entries.
    physical_address_extension: cr4[5];
    /// CR4.PGE: global pages.
    global_pages: cr4[7];
    /// CR4.LA57: 5-level paging.
    la57: cr4[12];
    /// CR4.SMEP: no supervisor fetches from user pages.
    smep: cr4[20];
    /// CR4.SMAP: no supervisor data accesses to user pages, unless AC.
    smap: cr4[21];
    /// CR4.PKE: protection keys for user pages.
    user_keys: cr4[22];
    /// CR4.PKS: protection keys for supervisor pages.
    supervisor_keys: cr4[24];
    /// `IA32_EFER.LMA`: IA-32e mode is active.
    long_mode: efer[10];
    /// `IA32_EFER.NXE`: bit 63 of an entry forbids fetches.
    no_execute: efer[11];
}

impl Controls {
    /// The paging mode that these registers select.
    #[inline]
    #[must_use]
    pub const fn paging_mode(&self) -> PagingMode {
        if !self.paging() {
            PagingMode::Off
        } else if self.long_mode() {
            if self.la57() {
                PagingMode::FiveLevel
            } else {
                PagingMode::FourLevel
            }
        } else if self.physical_address_extension() {
            PagingMode::Pae
        } else {
            PagingMode::Legacy
        }
    }

    /// `address` as translation sees it: 32 bits outside IA-32e mode.
    #[inline]
    pub(crate) const fn truncate(&self, address: u64) -> u64 {
        if self.long_mode() && self.paging() {
            address
        } else {
            address & 0xffff_ffff
        }
    }

    /// MAXPHYADDR within what the architecture allows.
    #[inline]
    pub(crate) const fn maxphyaddr(&self) -> u32 {
        match self.physical_address_bits {
            ..32 => 32,
            bits @ 32..=52 => bits as u32,
            53.. => 52,
        }
    }
}
