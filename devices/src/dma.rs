//! Guest physical memory, as a bus master sees it.

/// Guest physical memory, as a bus master sees it.
pub trait Dma {
    /// Copies from guest memory; where there is none, all ones.
    fn read(&mut self, address: u64, bytes: &mut [u8]);
    /// Copies to guest memory; where there is none, nothing happens.
    fn write(&mut self, address: u64, bytes: &[u8]);
}

/// A bus with no memory on it: reads float to all ones, writes are lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl Dma for NoMemory {
    fn read(&mut self, _address: u64, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }

    fn write(&mut self, _address: u64, _bytes: &[u8]) {}
}

/// A piece of memory from address zero on, for tests and tools.
#[derive(Clone, Debug, Default)]
pub struct PlainMemory(pub Vec<u8>);

impl PlainMemory {
    fn range(&self, address: u64, length: usize) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(address).ok()?;
        let end = start.checked_add(length)?;
        (end <= self.0.len()).then_some(start..end)
    }
}

impl Dma for PlainMemory {
    fn read(&mut self, address: u64, bytes: &mut [u8]) {
        match self.range(address, bytes.len()) {
            Some(range) => bytes.copy_from_slice(&self.0[range]),
            None => bytes.fill(0xff),
        }
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        if let Some(range) = self.range(address, bytes.len()) {
            self.0[range].copy_from_slice(bytes);
        }
    }
}
