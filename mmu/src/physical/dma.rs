//! Guest memory as devices and loaders see it: RAM and ROM only, past the A20 gate, and
//! which pages were written.

use super::{NotRam, PhysicalMemory, Place};
use crate::address::{PAGE_SIZE, PhysicalAddress};

impl PhysicalMemory {
    /// Reads RAM or ROM.
    ///
    /// # Errors
    /// Something else is in the way; what came before it has been read.
    pub fn ram_read(&self, address: PhysicalAddress, bytes: &mut [u8]) -> Result<(), NotRam> {
        let total = bytes.len();
        let mut rest = bytes;
        while !rest.is_empty() {
            let done = total - rest.len();
            let (now, later) = {
                let (place, size) = self.dma_span(address, done, rest.len())?;
                let (now, later) = rest.split_at_mut(size);
                self.ram.read(place.offset().unwrap_or(0), now);
                (now.len(), later)
            };
            debug_assert_ne!(now, 0, "spans are never empty");
            rest = later;
        }
        Ok(())
    }

    /// Writes RAM.
    ///
    /// # Errors
    /// Something else is in the way; what came before it has been written.
    pub fn ram_write(&self, address: PhysicalAddress, bytes: &[u8]) -> Result<(), NotRam> {
        self.dma_write(address, bytes, false)
    }

    /// Writes RAM and ROM, as a loader of images does.
    ///
    /// # Errors
    /// Something else is in the way; what came before it has been written.
    pub fn load_image(&self, address: PhysicalAddress, bytes: &[u8]) -> Result<(), NotRam> {
        self.dma_write(address, bytes, true)
    }

    /// Makes RAM read as zeros again.
    ///
    /// # Errors
    /// Something else is in the way; what came before it is clear.
    pub fn clear(&self, address: PhysicalAddress, bytes: u64) -> Result<(), NotRam> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let mut done = 0;
        while done < bytes {
            let at = PhysicalAddress(address.0.wrapping_add(done));
            let size = (bytes - done).min(ZEROS.len() as u64);
            // Pages that were never written read as zeros, and shall not be committed.
            let mut content = [0; ZEROS.len()];
            let content = &mut content[..size as usize];
            self.ram_read(at, content)?;
            if content.iter().any(|&byte| byte != 0) {
                self.ram_write(at, &ZEROS[..size as usize])?;
            }
            done += size;
        }
        Ok(())
    }

    /// Takes all dirty pages, by physical address, and cleans them.
    ///
    /// Processors drop their write tags at [`crate::Mmu::sync_map`].
    #[must_use]
    pub fn take_dirty(&self) -> Vec<PhysicalAddress> {
        let map = self.snapshot();
        let mut pages = Vec::new();
        self.dirty.take(|offset| {
            map.for_each_address(offset, PAGE_SIZE, |start, _| pages.push(start));
        });
        pages
    }

    /// Takes the dirty pages of one range (a frame buffer), and cleans them.
    #[must_use]
    pub fn take_dirty_in(&self, start: PhysicalAddress, bytes: u64) -> Vec<PhysicalAddress> {
        let mut pages = Vec::new();
        let mut page = start.page();
        let end = start.0.saturating_add(bytes);
        while page.0 < end {
            if self
                .offset_of(page)
                .is_some_and(|offset| self.dirty.take_page(offset))
            {
                pages.push(page);
            }
            page = PhysicalAddress(page.0.saturating_add(PAGE_SIZE));
        }
        if !pages.is_empty() {
            self.dirty.begin_generation();
        }
        pages
    }

    fn dma_write(
        &self,
        address: PhysicalAddress,
        bytes: &[u8],
        rom_too: bool,
    ) -> Result<(), NotRam> {
        let mut done = 0;
        while done < bytes.len() {
            let (place, size) = self.dma_span(address, done, bytes.len() - done)?;
            let now = &bytes[done..done + size];
            let rom = place.offset().filter(|_| rom_too);
            let Some(offset) = place.write_offset().or(rom) else {
                let address = address.wrapping_add(done as u64);
                return Err(NotRam { address, done });
            };
            self.write_at(offset, now);
            self.journal.note(offset, now);
            done += size;
        }
        Ok(())
    }

    /// The memory at `address + done`, and how much of `wanted` lies in it.
    fn dma_span(
        &self,
        address: PhysicalAddress,
        done: usize,
        wanted: usize,
    ) -> Result<(Place, usize), NotRam> {
        let address = address.wrapping_add(done as u64);
        let span = self.with_map(|map| map.bus_span(address));
        match span.place {
            Place::Mmio => Err(NotRam { address, done }),
            place => Ok((place, span.limit(wanted))),
        }
    }
}
