//! Video memory: four planes of up to 64 KiB each, or one frame buffer.
//!
//! The four planes' bytes of an address lie together, at [`cell`]. A linear frame
//! buffer has its bytes in order, and so have chained planes (mode 13h). So a board
//! may also map the memory into the processor's address space.

/// Where plane 0 of an address lies; planes 1 to 3 follow. Chained planes have their bytes at every fourth address: those
/// come first, as one block.
pub(super) const fn cell(address: usize) -> usize {
    (address & !0xffff | (address & 0xffff) >> 2 | (address & 3) << 14) * 4
}

/// The memory that a graphics adapter scans.
///
/// It is no part of the chip: the board owns it, maps it and saves it.
pub trait VideoMemory: Send + Sync {
    /// Its size in bytes; at least 256 KiB, a multiple of 64 KiB.
    fn bytes(&self) -> usize;
    /// Reads from `offset` on. What lies beyond the end reads as zero.
    fn read(&self, offset: usize, bytes: &mut [u8]);
    /// Writes from `offset` on. What lies beyond the end is lost.
    fn write(&mut self, offset: usize, bytes: &[u8]);
    /// The same memory for somebody on another thread to read, where that can be: what
    /// is written later may be seen there. Else a copy.
    fn share(&self) -> Box<dyn VideoMemory>;
}

/// Video memory that nobody maps.
#[derive(Clone, Debug)]
pub struct PlainVideoMemory(Vec<u8>);

impl PlainVideoMemory {
    /// So many bytes of zeros, 256 KiB at least.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(vec![0; bytes.max(0x4_0000)])
    }
}

impl VideoMemory for PlainVideoMemory {
    fn bytes(&self) -> usize {
        self.0.len()
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) {
        let there = self.0.get(offset..).unwrap_or_default();
        let count = there.len().min(bytes.len());
        bytes[..count].copy_from_slice(&there[..count]);
        bytes[count..].fill(0);
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let there = self.0.get_mut(offset..).unwrap_or_default();
        let count = there.len().min(bytes.len());
        there[..count].copy_from_slice(&bytes[..count]);
    }

    fn share(&self) -> Box<dyn VideoMemory> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{PlainVideoMemory, VideoMemory};

    #[test]
    fn what_lies_beyond_the_end_is_zero_and_lost() {
        let mut memory = PlainVideoMemory::new(0);
        let end = memory.bytes();
        memory.write(end - 1, &[1, 2]);
        let mut bytes = [9; 3];
        memory.read(end - 1, &mut bytes);
        assert_eq!(bytes, [1, 0, 0]);
        memory.read(usize::MAX, &mut bytes);
        assert_eq!(bytes, [0; 3]);
    }
}
