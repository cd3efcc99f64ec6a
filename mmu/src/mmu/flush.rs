//! What makes the TLBs forget (SDM 3A, section 4.10.4).

use super::Mmu;
use crate::address::{LinearAddress, PhysicalAddress};
use crate::code_pages::CodeChanges;
use crate::physical::Backing;

/// The four kinds of INVPCID (SDM 2A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvpcidKind {
    /// 0: one address of one PCID, but no global page.
    Address,
    /// 1: all of one PCID, but no global page.
    Context,
    /// 2: everything.
    All,
    /// 3: everything but global pages.
    AllNonGlobal,
}

impl Mmu {
    /// Stands for the address space of user or supervisor code, until any page of it
    /// that was fetched from ([`Mmu::fetch_page`]) may have changed: who finds code by
    /// its linear address compares it.
    #[inline(always)]
    #[must_use]
    pub const fn code_epoch(&self, user: bool) -> u64 {
        self.code_epochs.of(user)
    }

    /// Forgets everything, global pages included.
    ///
    /// For changes of CR0.PG, CR4.{PSE, PAE, PGE, PCIDE (to 0), LA57, SMEP (to
    /// 1)} and `EFER.{LMA, NXE}`.
    pub fn flush_all(&mut self) {
        self.second.flush_all();
        self.code_epochs.forget_all();
        self.code_epochs.enter(self.second.context());
        self.flush_l1();
    }

    /// Forgets what is not global of one PCID (0 without CR4.PCIDE).
    pub fn flush_non_global(&mut self, pcid: u16) {
        self.second.flush_pcid(pcid);
        self.code_epochs.enter(self.second.context());
        self.flush_l1();
    }

    /// MOV to CR3: goes to the address space of a PCID (`None`: no PCIDE).
    ///
    /// `keep` is bit 63 of the operand: what is known of it stays.
    pub fn switch_context(&mut self, pcid: Option<u16>, keep: bool) {
        self.second
            .switch(pcid.unwrap_or(0), keep && pcid.is_some());
        self.code_epochs.enter(self.second.context());
        self.flush_l1();
    }

    /// INVLPG: forgets a page of the current address space, global or not.
    pub fn invalidate_page(&mut self, address: LinearAddress) {
        self.second.forget(address.0);
        self.forget_in_first(address.0);
    }

    /// INVPCID. The processor has checked the descriptor.
    pub fn invpcid(&mut self, kind: InvpcidKind, pcid: u16, address: LinearAddress) {
        match kind {
            InvpcidKind::Address => {
                self.second.forget_in(pcid, address.0);
                if let Some(context) = self.second.context_of(pcid) {
                    self.code_epochs.forget_in(context, address.0);
                }
                self.tlb.flush_page(address.0);
                self.counters.flushes += 1;
            }
            InvpcidKind::Context => self.flush_non_global(pcid),
            InvpcidKind::All => self.flush_all(),
            InvpcidKind::AllNonGlobal => {
                self.second.flush_non_global();
                self.code_epochs.enter(self.second.context());
                self.flush_l1();
            }
        }
    }

    /// Forgets permissions: CR0.WP, CR4.{SMEP, SMAP, PKE, PKS}, PKRU or PKRS
    /// changed. Translations stay in the second level, and fetches are not concerned.
    pub fn flush_l1(&mut self) {
        self.tlb.flush();
        self.counters.flushes += 1;
    }

    /// Marks bytes within a page as code that this processor translates.
    ///
    /// Its own write tags for the page are dropped here, other processors' at
    /// their next [`Mmu::sync_map`].
    pub fn mark_code(&mut self, start: PhysicalAddress, bytes: u64) {
        let generation = self.memory.code_pages().generation();
        if !self.memory.code_pages().mark(start, bytes) {
            return;
        }
        if self.code_generation == generation {
            self.code_generation = self.memory.code_pages().generation();
        }
        if let Backing::Ram { host } = self.memory.resolve_on_bus(start.page()) {
            self.tlb.flush_host_writes(host.0);
        }
    }

    /// Whether something happened to code that [`Mmu::take_code_changes`] will tell.
    #[inline(always)]
    #[must_use]
    pub fn has_code_changes(&self) -> bool {
        self.memory.code_pages().has_changes(self.code_cursor)
    }

    /// What happened to translated code since this processor last asked.
    #[must_use]
    pub fn take_code_changes(&mut self) -> CodeChanges {
        self.memory.code_pages().take_changes(&mut self.code_cursor)
    }

    /// True if the memory map or the dirty pages changed: call
    /// [`Mmu::sync_map`] before the next access.
    #[inline(always)]
    #[must_use]
    pub fn needs_sync(&self) -> bool {
        self.map_generation != self.memory.generation()
            || self.dirty_generation != self.memory.dirty_pages().generation()
    }

    /// Follows changes of the memory map, A20 and the dirty pages.
    ///
    /// To be called after every instruction that may have changed the map
    /// (port and MMIO writes), and once before a processor runs on.
    pub fn sync_map(&mut self) {
        let dirty_generation = self.memory.dirty_pages().generation();
        if self.dirty_generation != dirty_generation {
            self.dirty_generation = dirty_generation;
            self.tlb.flush_writes();
        }
        let code_generation = self.memory.code_pages().generation();
        if self.code_generation != code_generation {
            // Another processor has translated code: stores to it must be seen.
            self.code_generation = code_generation;
            self.tlb.flush_writes();
        }
        let map_generation = self.memory.generation();
        if self.map_generation != map_generation {
            // Read after the generation: at worst this happens once more.
            self.map = self.memory.snapshot();
            self.map_generation = map_generation;
            self.flush_all();
        }
    }

    /// Forgets a page in the first level, and as code.
    pub(super) fn forget_in_first(&mut self, address: u64) {
        self.tlb.flush_page(address);
        self.code_epochs.forget(address);
        self.counters.flushes += 1;
    }
}
