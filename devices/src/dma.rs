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
