//! Blocks of backing as their owner sees them, wherever they are mapped: a graphics
//! adapter scans its memory whether or not the processor can reach it.

use std::ops::Range;

use super::map::check;
use super::{MapError, PhysicalMemory, Place, RamBlock};
use crate::address::{PAGE_SIZE, PhysicalAddress};

impl PhysicalMemory {
    /// Sets backing apart that keeps its contents while it is not mapped.
    ///
    /// # Errors
    /// The size is not a number of pages, or the reservation is used up.
    pub fn allocate_block(&self, bytes: u64) -> Result<RamBlock, MapError> {
        check(PhysicalAddress(0), bytes)?;
        self.change(|map| {
            let offset = self.allocate(map, bytes)?;
            map.keep(offset, bytes);
            Ok(RamBlock { offset, bytes })
        })
    }

    /// Maps a part of `block`, as ROM if `read_only`, over what was there.
    ///
    /// # Errors
    /// The part does not lie in the block, or is no range of pages.
    pub fn map_block(
        &self,
        start: PhysicalAddress,
        block: RamBlock,
        part: Range<u64>,
        read_only: bool,
    ) -> Result<(), MapError> {
        let bytes = part.end.saturating_sub(part.start);
        check(start, bytes)?;
        check(PhysicalAddress(part.start), bytes)?;
        if part.end > block.bytes {
            return Err(MapError::OutOfRange {
                start: part.start,
                bytes,
            });
        }
        let offset = block.offset + part.start;
        let place = if read_only {
            Place::Rom(offset)
        } else {
            Place::Ram(offset)
        };
        self.change(|map| {
            map.insert(start, bytes, place);
            Ok(())
        })
    }

    /// Fills a block with one byte, mapped or not.
    pub fn fill_block(&self, block: RamBlock, byte: u8) {
        self.ram.fill(block.offset, block.bytes, byte);
        self.note_write(block.offset, block.bytes);
    }

    /// Reads from a block; what lies beyond its end reads as zeros.
    pub fn read_block(&self, block: RamBlock, offset: u64, bytes: &mut [u8]) {
        let there = room(block, offset, bytes.len());
        let (inside, beyond) = bytes.split_at_mut(there);
        if !inside.is_empty() {
            self.ram.read(block.offset + offset, inside);
        }
        beyond.fill(0);
    }

    /// Writes to a block, as a device does; what lies beyond its end is lost.
    pub fn write_block(&self, block: RamBlock, offset: u64, bytes: &[u8]) {
        let inside = &bytes[..room(block, offset, bytes.len())];
        if !inside.is_empty() {
            self.write_at(block.offset + offset, inside);
            self.journal.note(block.offset + offset, inside);
        }
    }

    /// Takes the dirty pages of a block, as offsets into it, and cleans them.
    #[must_use]
    pub fn take_dirty_block(&self, block: RamBlock) -> Vec<u64> {
        let pages = (0..block.bytes).step_by(PAGE_SIZE as usize);
        let dirty: Vec<u64> = pages
            .filter(|&page| self.dirty.take_page(block.offset + page))
            .collect();
        if !dirty.is_empty() {
            self.dirty.begin_generation();
        }
        dirty
    }

    /// True if neither RAM nor ROM lies anywhere in a range.
    #[must_use]
    pub fn is_free(&self, start: PhysicalAddress, bytes: u64) -> bool {
        let mut is_free = true;
        self.for_each_span(start, bytes, |_, _| is_free = false);
        is_free
    }
}

/// How many of so many bytes at `offset` lie in the block.
fn room(block: RamBlock, offset: u64, bytes: usize) -> usize {
    let left = block.bytes.saturating_sub(offset);
    bytes.min(usize::try_from(left).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_same_memory_wherever_it_is_mapped() {
        let memory = PhysicalMemory::new(1 << 20).unwrap();
        let block = memory.allocate_block(0x4000).unwrap();
        memory.write_block(block, 0x1ffe, &[1, 2, 3]);
        let place = PhysicalAddress(0xe000_0000);
        assert!(memory.is_free(place, 0x4000));
        memory.map_block(place, block, 0..0x4000, false).unwrap();
        assert!(!memory.is_free(PhysicalAddress(0xdfff_0000), 0x1_1000));
        let mut bytes = [0; 3];
        memory
            .ram_read(PhysicalAddress(0xe000_1ffe), &mut bytes)
            .unwrap();
        assert_eq!(bytes, [1, 2, 3]);
        memory.unmap(place, 0x4000).unwrap();
        memory.read_block(block, 0x1fff, &mut bytes);
        assert_eq!(bytes, [2, 3, 0]);
    }

    #[test]
    fn what_lies_beyond_the_block_is_zero_and_lost() {
        let memory = PhysicalMemory::new(1 << 20).unwrap();
        let block = memory.allocate_block(0x1000).unwrap();
        let neighbour = memory.allocate_block(0x1000).unwrap();
        memory.write_block(neighbour, 0, &[7]);
        memory.write_block(block, 0xfff, &[1, 2]);
        let mut bytes = [9; 2];
        memory.read_block(block, 0xfff, &mut bytes);
        assert_eq!(bytes, [1, 0]);
        memory.read_block(neighbour, 0, &mut bytes);
        assert_eq!(bytes, [7, 0]);
        memory.read_block(block, u64::MAX, &mut bytes);
        assert_eq!(bytes, [0, 0]);
    }

    #[test]
    fn dirty_pages_of_a_block_are_told_once() {
        let memory = PhysicalMemory::new(1 << 20).unwrap();
        let block = memory.allocate_block(0x4000).unwrap();
        let _ = memory.take_dirty_block(block);
        memory.write_block(block, 0x2fff, &[1, 2]);
        assert_eq!(memory.take_dirty_block(block), [0x2000, 0x3000]);
        assert!(memory.take_dirty_block(block).is_empty());
    }
}
