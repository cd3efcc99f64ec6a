//! The VGA's memory: a block of guest RAM that the adapter scans and the processor
//! finds wherever the frame buffer's BAR says.
//!
//! The block is mapped like any RAM, so stores to it are as fast as those to RAM,
//! from compiled code too, and both sides see the same bytes. Which pages were
//! written is known page by page from the bits that the MMU keeps for all RAM: they
//! cost nothing until somebody takes them, and then one slow store for each page
//! that is drawn in.

use std::sync::Arc;

use rax_devices::VideoMemory;
use rax_mmu::{MapError, PhysicalAddress, PhysicalMemory, RamBlock};

use crate::board::VIDEO_BYTES;

/// The adapter's end of the block.
struct Scanned {
    memory: Arc<PhysicalMemory>,
    block: RamBlock,
}

impl VideoMemory for Scanned {
    fn bytes(&self) -> usize {
        self.block.bytes() as usize
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) {
        self.memory.read_block(self.block, offset as u64, bytes);
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.memory.write_block(self.block, offset as u64, bytes);
    }

    fn share(&self) -> Box<dyn VideoMemory> {
        Box::new(Self {
            memory: Arc::clone(&self.memory),
            block: self.block,
        })
    }
}

/// The memory map's end of the block.
#[derive(Debug)]
pub(crate) struct FrameBuffer {
    block: RamBlock,
    /// Where the BAR lies that was last looked at.
    wanted: Option<u64>,
    /// Where the block is mapped now.
    mapped: Option<u64>,
}

impl FrameBuffer {
    /// Sets the video memory apart. The processor does not see it yet.
    ///
    /// # Errors
    /// When the reservation is too small.
    pub(crate) fn new(
        memory: &Arc<PhysicalMemory>,
    ) -> Result<(Self, Box<dyn VideoMemory>), MapError> {
        let block = memory.allocate_block(VIDEO_BYTES)?;
        let scanned = Scanned {
            memory: Arc::clone(memory),
            block,
        };
        let frame_buffer = Self {
            block,
            wanted: None,
            mapped: None,
        };
        Ok((frame_buffer, Box::new(scanned)))
    }

    /// Whether something was written since this was last asked.
    pub(crate) fn take_change(&self, memory: &PhysicalMemory) -> bool {
        !memory.take_dirty_block(self.block).is_empty()
    }

    /// The block.
    pub(crate) const fn block(&self) -> RamBlock {
        self.block
    }

    /// Maps the block where the BAR is now. RAM and ROM come before a BAR: where
    /// one lies in the way nothing is mapped, and accesses to what is left of the
    /// window are the chip's.
    ///
    /// # Errors
    /// When the place is no range of pages, which a BAR's is.
    pub(crate) fn follow(
        &mut self,
        memory: &PhysicalMemory,
        wanted: Option<u64>,
    ) -> Result<(), MapError> {
        if self.wanted == wanted {
            return Ok(());
        }
        self.wanted = wanted;
        let bytes = self.block.bytes();
        if let Some(start) = self.mapped.take() {
            memory.unmap(PhysicalAddress(start), bytes)?;
        }
        if let Some(start) = wanted
            && memory.is_free(PhysicalAddress(start), bytes)
        {
            memory.map_block(PhysicalAddress(start), self.block, 0..bytes, false)?;
            self.mapped = Some(start);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_follows_the_bar_and_spares_ram() {
        let memory = Arc::new(PhysicalMemory::new(2 * VIDEO_BYTES).unwrap());
        memory.map_ram(PhysicalAddress(0), 1 << 20).unwrap();
        let (mut frame_buffer, mut scanned) = FrameBuffer::new(&memory).unwrap();
        scanned.write(5, &[7]);
        let read = |at| {
            let mut byte = [0];
            let found = memory.ram_read(PhysicalAddress(at), &mut byte);
            found.ok().map(|()| byte[0])
        };
        frame_buffer.follow(&memory, Some(0xe000_0000)).unwrap();
        assert_eq!(read(0xe000_0005), Some(7));
        frame_buffer.follow(&memory, Some(0xe100_0000)).unwrap();
        assert_eq!((read(0xe000_0005), read(0xe100_0005)), (None, Some(7)));
        memory
            .ram_write(PhysicalAddress(0xe100_0006), &[8])
            .unwrap();
        let mut bytes = [0; 2];
        scanned.read(5, &mut bytes);
        assert_eq!(bytes, [7, 8]);
        frame_buffer.follow(&memory, Some(0)).unwrap();
        assert_eq!((read(5), read(0xe100_0005)), (Some(0), None));
        frame_buffer.follow(&memory, None).unwrap();
        assert_eq!(read(5), Some(0));
    }
}
