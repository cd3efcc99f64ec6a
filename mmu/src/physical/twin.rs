//! A second memory that is kept equal to a first: what two engines that run side by
//! side need, since each must have a memory of its own.
//!
//! What a processor writes, the other processor writes too. What devices and loaders
//! write is put into a journal on request, and written again in the twin.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::PhysicalMemory;
use crate::address::PAGE_SIZE;
use crate::host_ram::{HostRam, HostRamError};

/// What devices and loaders wrote, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes(Vec<(u64, Vec<u8>)>);

impl Writes {
    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    is_on: AtomicBool,
    writes: Mutex<Writes>,
}

impl Journal {
    /// Takes note of a write at an offset in the backing.
    pub(super) fn note(&self, offset: u64, bytes: &[u8]) {
        if self.is_on.load(Ordering::Relaxed) {
            let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            writes.0.push((offset, bytes.to_vec()));
        }
    }
}

impl PhysicalMemory {
    /// A memory with the same map and contents. From now on there is a journal here.
    ///
    /// # Errors
    /// The host cannot reserve as much again.
    pub fn twin(&self) -> Result<Self, HostRamError> {
        let twin = Self::new(self.ram.bytes())?;
        let mut page = [0; PAGE_SIZE as usize];
        let mut offset = 0;
        while offset < self.ram.bytes() {
            // Pages that were never written read as zeros, and shall not be committed.
            if copy_page(&self.ram, offset, &mut page)
                .iter()
                .any(|&byte| byte != 0)
            {
                twin.ram.write(offset, &page);
            }
            offset += PAGE_SIZE;
        }
        twin.follow_map(self);
        self.journal.is_on.store(true, Ordering::Relaxed);
        Ok(twin)
    }

    /// Takes over the map of the memory that this is the twin of.
    pub fn follow_map(&self, original: &Self) {
        let wanted = original.snapshot();
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        self.replace(&mut map, wanted);
    }

    /// Takes what devices and loaders have written since this was last asked.
    #[must_use]
    pub fn take_writes(&self) -> Writes {
        let mut writes = self
            .journal
            .writes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *writes)
    }

    /// Writes what devices and loaders wrote to the memory that this is the twin of.
    pub fn repeat_writes(&self, writes: &Writes) {
        for (offset, bytes) in &writes.0 {
            self.write_at(*offset, bytes);
        }
    }
}

fn copy_page<'a>(ram: &HostRam, offset: u64, page: &'a mut [u8]) -> &'a [u8] {
    ram.read(offset, page);
    page
}

#[cfg(test)]
mod tests {
    use crate::{PhysicalAddress, PhysicalMemory};

    #[test]
    fn a_twin_repeats_what_devices_write_and_not_what_processors_write() {
        let memory = PhysicalMemory::new(0x4000).unwrap();
        memory.map_ram(PhysicalAddress(0), 0x2000).unwrap();
        memory.ram_write(PhysicalAddress(8), b"before").unwrap();
        let twin = memory.twin().unwrap();
        let read = |memory: &PhysicalMemory, address| {
            let mut bytes = [0; 6];
            memory
                .ram_read(PhysicalAddress(address), &mut bytes)
                .unwrap();
            bytes
        };
        assert_eq!(read(&twin, 8), *b"before");
        memory.ram_write(PhysicalAddress(0x1ffe), b"d").unwrap();
        memory.write(PhysicalAddress(0), b"processor", &mut ());
        let writes = memory.take_writes();
        assert!(memory.take_writes().is_empty());
        twin.repeat_writes(&writes);
        assert_eq!(read(&twin, 0), [0; 6]);
        assert_eq!(read(&twin, 0x1ffa)[4], b'd');
        memory.map_ram(PhysicalAddress(0x2000), 0x1000).unwrap();
        twin.follow_map(&memory);
        assert_eq!(read(&twin, 0x2000), [0; 6]);
    }
}
