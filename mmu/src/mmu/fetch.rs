//! Instruction pages: a small cache in front of the TLBs.

use super::{Mmu, Translation};
use crate::access::{Access, AccessKind, Controls};
use crate::address::{LinearAddress, PAGE_BITS, PAGE_OFFSET, PhysicalAddress};
use crate::fault::PageFault;
use crate::host_ram::HostAddress;
use crate::paging::Rights;
use crate::physical::Backing;

const ENTRIES: usize = 256;

/// A page that instructions may be fetched from.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Linear page; bit 0 is set for user mode.
    key: u64,
    /// The code epoch in which it holds; 0 is none.
    epoch: u64,
    /// The translation of the page's first byte.
    page: Translation,
}

/// Direct-mapped; a new epoch empties it.
#[derive(Clone, Debug)]
pub(super) struct FetchCache {
    entries: Box<[Entry]>,
}

impl Default for FetchCache {
    fn default() -> Self {
        let page = Translation {
            physical: PhysicalAddress(0),
            backing: Backing::Mmio,
        };
        let empty = Entry {
            key: 0,
            epoch: 0,
            page,
        };
        Self {
            entries: vec![empty; ENTRIES].into_boxed_slice(),
        }
    }
}

impl Mmu {
    /// Translates an address that an instruction is fetched from.
    ///
    /// # Errors
    /// The page fault that the fetch raises.
    #[inline]
    pub fn fetch_page(
        &mut self,
        controls: &Controls,
        access: Access,
        address: LinearAddress,
    ) -> Result<Translation, PageFault> {
        if self.needs_sync() {
            self.sync_map();
        }
        let linear = controls.truncate(address.0);
        let offset = linear & PAGE_OFFSET;
        let key = (linear - offset) | u64::from(access.user);
        let index = (linear >> PAGE_BITS) as usize % ENTRIES;
        let entry = &self.fetches.entries[index];
        if entry.key == key && entry.epoch == self.code_epoch(access.user) {
            self.counters.fetch_hits += 1;
            return Ok(moved(entry.page, offset));
        }
        self.counters.fetch_misses += 1;
        let access = Access {
            kind: AccessKind::Execute,
            ..access
        };
        let page = self.find(controls, access, linear - offset);
        // The fault is at the byte wanted, not at its page.
        let (physical, rights) = page.map_err(|fault| PageFault {
            address: LinearAddress(linear),
            ..fault
        })?;
        let is_large = rights.contains(Rights::LARGE);
        let is_global = rights.contains(Rights::GLOBAL);
        self.code_epochs
            .note_fetch(access.user, linear, is_large, is_global);
        let page = self.resolve(physical);
        self.fetches.entries[index] = Entry {
            key,
            epoch: self.code_epoch(access.user),
            page,
        };
        Ok(moved(page, offset))
    }
}

/// The translation `offset` bytes further on in the page.
#[inline]
fn moved(page: Translation, offset: u64) -> Translation {
    let further = |host: HostAddress| host.wrapping_add(offset);
    Translation {
        physical: page.physical.wrapping_add(offset),
        backing: match page.backing {
            Backing::Ram { host } => Backing::Ram {
                host: further(host),
            },
            Backing::Rom { host } => Backing::Rom {
                host: further(host),
            },
            Backing::Mmio => Backing::Mmio,
        },
    }
}
