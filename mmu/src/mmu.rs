//! One processor's view of memory: TLBs, page walks and the slow path.
//!
//! The life of an access: [`Mmu::load`] and [`Mmu::store`] hit the first-level
//! TLB or give up; then [`Mmu::read`] and [`Mmu::write`] translate, by the
//! second-level TLB or a page walk, fill the first level where the page allows
//! it, and carry the access out, in devices too. What must be flushed when is
//! in docs/mmu.md, after SDM 3A, section 4.10.

use std::sync::Arc;

use crate::access::{Access, AccessKind, Controls};
use crate::address::{LinearAddress, PAGE_MASK, PAGE_OFFSET, PAGE_SIZE, PhysicalAddress};
use crate::code_pages::CodeCursor;
use crate::fault::PageFault;
use crate::host_ram::{HostAddress, Word};
use crate::paging::{self, InvalidPdpte, Rights, Tables};
use crate::physical::{Backing, MmioSpace, PhysicalMap, PhysicalMemory};
use crate::tlb::second::SecondTlb;
use crate::tlb::{Fill, Tlb, View};

mod code_epochs;
mod fetch;
mod flush;
#[cfg(test)]
mod tests;

use code_epochs::CodeEpochs;
use fetch::FetchCache;
pub use flush::InvpcidKind;

/// A translated address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address, behind the A20 gate.
    pub physical: PhysicalAddress,
    /// What is there; host addresses are of that very byte.
    pub backing: Backing,
}

impl Translation {
    /// How many bytes the 4 KiB page still has from here: 1 to 4096.
    #[inline(always)]
    #[must_use]
    pub const fn bytes_left(&self) -> u64 {
        PAGE_SIZE - self.physical.offset()
    }
}

/// What the TLBs did, for `--stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Entries made in the first level. Accesses that hit it are not counted.
    pub l1_fills: u64,
    /// Translations found in the second level.
    pub l2_hits: u64,
    /// Page walks.
    pub walks: u64,
    /// Walks that ended in a page fault.
    pub faults: u64,
    /// Instruction pages found in the fetch cache.
    pub fetch_hits: u64,
    /// Instruction pages that had to be translated.
    pub fetch_misses: u64,
    /// Flushes of the first level, of one page or more.
    pub flushes: u64,
}

/// A processor's memory management unit.
///
/// Compiled code reads the [`Tlb`], which lies at offset 0. The struct is
/// 260 KiB and more: box it.
#[repr(C)]
#[derive(Debug)]
pub struct Mmu {
    /// The first-level TLB.
    pub tlb: Tlb,
    memory: Arc<PhysicalMemory>,
    map: Arc<PhysicalMap>,
    map_generation: u64,
    dirty_generation: u64,
    code_epochs: CodeEpochs,
    /// How many pages had come to hold code when write tags were last in order.
    code_generation: u64,
    /// How far this processor has followed what happened to code.
    code_cursor: CodeCursor,
    second: SecondTlb,
    fetches: FetchCache,
    counters: Counters,
}

const _: () = assert!(std::mem::offset_of!(Mmu, tlb) == 0);

impl Mmu {
    /// An empty MMU in front of `memory`.
    #[must_use]
    pub fn new(memory: Arc<PhysicalMemory>) -> Self {
        Self {
            tlb: Tlb::default(),
            map_generation: memory.generation(),
            dirty_generation: memory.dirty_pages().generation(),
            code_generation: memory.code_pages().generation(),
            code_cursor: memory.code_pages().cursor(),
            map: memory.snapshot(),
            code_epochs: CodeEpochs::default(),
            second: SecondTlb::default(),
            fetches: FetchCache::default(),
            counters: Counters::default(),
            memory,
        }
    }

    /// The memory behind it.
    #[inline(always)]
    #[must_use]
    pub fn memory(&self) -> &Arc<PhysicalMemory> {
        &self.memory
    }

    /// What the TLBs did so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

/// The fast path: what hits the first-level TLB.
impl Mmu {
    /// Loads a word, if its page is in the first-level TLB.
    #[inline(always)]
    #[must_use]
    pub fn load<T: Word>(&self, view: View, address: LinearAddress) -> Option<T> {
        let host = self.tlb.probe_read(view, address, T::SIZE)?;
        Some(self.memory.ram().load(host))
    }

    /// Stores a word, if its page may be written by the first-level TLB.
    #[inline(always)]
    #[must_use]
    pub fn store<T: Word>(&self, view: View, address: LinearAddress, value: T) -> bool {
        match self.tlb.probe_write(view, address, T::SIZE) {
            Some(host) => {
                self.memory.ram().store(host, value);
                true
            }
            None => false,
        }
    }

    /// Where a word can be read, by the first-level TLB.
    #[inline(always)]
    #[must_use]
    pub fn probe_read<T: Word>(&self, view: View, address: LinearAddress) -> Option<HostAddress> {
        self.tlb.probe_read(view, address, T::SIZE)
    }

    /// Where a word can be written (and read), by the first-level TLB.
    #[inline(always)]
    #[must_use]
    pub fn probe_write<T: Word>(&self, view: View, address: LinearAddress) -> Option<HostAddress> {
        self.tlb.probe_write(view, address, T::SIZE)
    }

    /// Where a byte can be read, also if its page was just driven out of the first-level TLB
    /// by another one.
    #[must_use]
    pub fn recall_read(&self, view: View, address: LinearAddress) -> Option<HostAddress> {
        self.probe_read::<u8>(view, address).or_else(|| {
            let victim = self.tlb.victim(view, address)?;
            Some(victim.host(address))
        })
    }

    /// Where a byte can be written (and read), likewise.
    #[must_use]
    pub fn recall_write(&self, view: View, address: LinearAddress) -> Option<HostAddress> {
        self.probe_write::<u8>(view, address).or_else(|| {
            let victim = self.tlb.victim(view, address)?;
            (victim.write_tag == victim.read_tag).then(|| victim.host(address))
        })
    }

    /// Where a word can be written in a page with code, if it hits none, by the first-level
    /// TLB.
    #[must_use]
    pub fn probe_beside_code<T: Word>(
        &self,
        view: View,
        address: LinearAddress,
    ) -> Option<HostAddress> {
        let entry = self.tlb.entry(view, address);
        let host = self.tlb.probe_read(view, address, T::SIZE)?;
        (entry.marks != 0 && !self.memory.hits_code(host, T::SIZE)).then_some(host)
    }

    /// Loads from where a probe said.
    #[inline(always)]
    #[must_use]
    pub fn ram_load<T: Word>(&self, host: HostAddress) -> T {
        self.memory.ram().load(host)
    }

    /// Stores to where [`Mmu::probe_write`] said.
    #[inline(always)]
    pub fn ram_store<T: Word>(&self, host: HostAddress, value: T) {
        self.memory.ram().store(host, value);
    }
}

/// The slow path.
impl Mmu {
    /// Translates an address for an access and fills the TLBs.
    ///
    /// Sets accessed and dirty flags in the guest's tables. The address must
    /// be canonical; outside IA-32e mode its upper half is ignored.
    ///
    /// # Errors
    /// The page fault that the access raises.
    #[inline]
    pub fn translate(
        &mut self,
        controls: &Controls,
        access: Access,
        address: LinearAddress,
    ) -> Result<Translation, PageFault> {
        if self.needs_sync() {
            self.sync_map();
        }
        let linear = controls.truncate(address.0);
        let (physical, rights) = self.find(controls, access, linear)?;
        let translation = self.resolve(physical);
        if !access.is_execute() {
            self.fill_first(controls, access, linear, rights, translation.backing);
        }
        Ok(translation)
    }

    /// Translates for a debugger: no rights are checked, nothing changes.
    #[must_use]
    pub fn translate_debug(
        &self,
        controls: &Controls,
        address: LinearAddress,
    ) -> Option<Translation> {
        let linear = controls.truncate(address.0);
        let map = self.memory.snapshot();
        let tables = Tables {
            memory: &self.memory,
            map: &map,
        };
        let page = paging::look_up(&tables, controls, linear)?;
        let span = map.span(page.physical(linear));
        Some(Translation {
            physical: span.physical,
            backing: self.memory.backing(span),
        })
    }

    /// Loads bytes, wherever they are. Nothing is read if any of them faults.
    ///
    /// # Errors
    /// The page fault that the access raises.
    pub fn read(
        &mut self,
        controls: &Controls,
        access: Access,
        address: LinearAddress,
        bytes: &mut [u8],
        mmio: &mut dyn MmioSpace,
    ) -> Result<(), PageFault> {
        let mut translation = self.translate(controls, access, address)?;
        if bytes.len() as u64 > translation.bytes_left() {
            self.translate_rest(controls, access, address, bytes.len() as u64)?;
        }
        let mut done = 0;
        loop {
            let size = part(&translation, bytes.len() - done);
            let now = &mut bytes[done..done + size];
            match translation.backing {
                Backing::Ram { host } | Backing::Rom { host } => self.memory.read_host(host, now),
                Backing::Mmio => mmio.mmio_read(translation.physical, now),
            }
            done += size;
            if done == bytes.len() {
                return Ok(());
            }
            translation = self.translate(controls, access, address.wrapping_add(done as u64))?;
        }
    }

    /// Stores bytes, wherever they go. Nothing is written if any of them faults.
    ///
    /// # Errors
    /// The page fault that the access raises.
    pub fn write(
        &mut self,
        controls: &Controls,
        access: Access,
        address: LinearAddress,
        bytes: &[u8],
        mmio: &mut dyn MmioSpace,
    ) -> Result<(), PageFault> {
        let mut translation = self.translate(controls, access, address)?;
        if bytes.len() as u64 > translation.bytes_left() {
            self.translate_rest(controls, access, address, bytes.len() as u64)?;
        }
        let mut done = 0;
        loop {
            let size = part(&translation, bytes.len() - done);
            let now = &bytes[done..done + size];
            match translation.backing {
                Backing::Ram { host } => self.memory.write_host(host, now),
                // What reads as ROM may have RAM under it.
                Backing::Rom { .. } => self.memory.write(translation.physical, now, mmio),
                Backing::Mmio => mmio.mmio_write(translation.physical, now),
            }
            done += size;
            if done == bytes.len() {
                return Ok(());
            }
            translation = self.translate(controls, access, address.wrapping_add(done as u64))?;
        }
    }

    /// Finds out whether bytes could be accessed, and does not access them.
    ///
    /// Accessed and dirty flags are set as the access would set them.
    ///
    /// # Errors
    /// The page fault that the access raises.
    pub fn probe(
        &mut self,
        controls: &Controls,
        access: Access,
        address: LinearAddress,
        bytes: u64,
    ) -> Result<(), PageFault> {
        let first = self.translate(controls, access, address)?;
        if bytes > first.bytes_left() {
            self.translate_rest(controls, access, address, bytes)?;
        }
        Ok(())
    }

    /// What lies at a physical address, behind the A20 gate; takes no lock.
    #[must_use]
    pub fn resolve_physical(&mut self, physical: PhysicalAddress) -> Translation {
        if self.needs_sync() {
            self.sync_map();
        }
        self.resolve(physical)
    }

    /// Reads the four PDPTEs that `controls.cr3` points to (PAE paging).
    ///
    /// # Errors
    /// One of them is malformed: the instruction raises #GP(0).
    pub fn load_pdptes(&mut self, controls: &Controls) -> Result<[u64; 4], InvalidPdpte> {
        if self.needs_sync() {
            self.sync_map();
        }
        paging::load_pdptes(&self.tables(), controls)
    }

    /// Translates the pages after the first one that an access touches.
    #[cold]
    fn translate_rest(
        &mut self,
        controls: &Controls,
        access: Access,
        address: LinearAddress,
        bytes: u64,
    ) -> Result<(), PageFault> {
        let mut done = PAGE_SIZE - address.offset();
        while done < bytes {
            self.translate(controls, access, address.wrapping_add(done))?;
            done += PAGE_SIZE;
        }
        Ok(())
    }

    /// Finds an address in the second-level TLB, or walks.
    #[inline]
    fn find(
        &mut self,
        controls: &Controls,
        access: Access,
        linear: u64,
    ) -> Result<(PhysicalAddress, Rights), PageFault> {
        if !controls.paging() {
            return Ok((PhysicalAddress(linear), Rights::WRITE | Rights::DIRTY));
        }
        if let Some((physical, rights)) = self.second.find(linear) {
            // What a stale entry denies, the tables may allow by now: a fault
            // is raised by a walk only. So is a D flag set.
            let is_known = !access.is_write() || rights.contains(Rights::DIRTY);
            if is_known && paging::check(controls, access, rights).is_ok() {
                self.counters.l2_hits += 1;
                return Ok((PhysicalAddress(physical), rights));
            }
            self.second.forget(linear);
        }
        self.walk(controls, access, linear)
    }

    #[inline(never)]
    fn walk(
        &mut self,
        controls: &Controls,
        access: Access,
        linear: u64,
    ) -> Result<(PhysicalAddress, Rights), PageFault> {
        self.counters.walks += 1;
        match paging::translate(&self.tables(), controls, access, linear) {
            Ok(page) => {
                let rights = self.second.fill(linear, &page);
                self.tlb.close_windows(linear);
                Ok((page.physical(linear), rights))
            }
            Err(error_code) => {
                self.counters.faults += 1;
                // A page fault drops what was cached for its address.
                self.second.forget(linear);
                self.forget_in_first(linear);
                Err(PageFault {
                    address: LinearAddress(linear),
                    error_code,
                })
            }
        }
    }

    #[inline]
    fn resolve(&self, physical: PhysicalAddress) -> Translation {
        let span = self.map.span(physical);
        Translation {
            physical: span.physical,
            backing: self.memory.backing(span),
        }
    }

    /// Enters a page into the first level as far as its nature allows.
    #[inline]
    fn fill_first(
        &mut self,
        controls: &Controls,
        access: Access,
        linear: u64,
        rights: Rights,
        backing: Backing,
    ) {
        let (host, is_ram) = match backing {
            Backing::Ram { host } => (host, true),
            Backing::Rom { host } => (host, false),
            Backing::Mmio => return,
        };
        let may_write = is_ram && self.is_writable(controls, access, rights, host);
        let is_code = may_write && self.memory.is_code(host);
        let page = linear & PAGE_MASK;
        let host_page = host.0.wrapping_sub(linear & PAGE_OFFSET);
        let large = rights.contains(Rights::LARGE);
        self.tlb.fill(
            access.view(),
            Fill {
                page,
                host_page,
                writable: may_write && !is_code,
                marks: if is_code {
                    self.memory.code_marks(host)
                } else {
                    0
                },
                large,
            },
        );
        self.counters.l1_fills += 1;
    }

    /// True if stores to a page of RAM have no side effect any more but on code.
    #[inline]
    fn is_writable(
        &self,
        controls: &Controls,
        access: Access,
        rights: Rights,
        host: HostAddress,
    ) -> bool {
        if access.is_write() {
            self.memory.mark_dirty(host);
            return true;
        }
        // A read brings the write tag along if nothing is left to be noted.
        let write = Access {
            kind: AccessKind::Write,
            ..access
        };
        rights.contains(Rights::DIRTY)
            && self.memory.is_dirty(host)
            && paging::check(controls, write, rights).is_ok()
    }

    fn tables(&self) -> Tables<'_> {
        Tables {
            memory: &self.memory,
            map: &self.map,
        }
    }
}

/// How many of `wanted` bytes lie in the translated page.
#[inline]
fn part(translation: &Translation, wanted: usize) -> usize {
    wanted.min(translation.bytes_left() as usize)
}
