//! What ranges of addresses lead to, changed at once: RAM that a chipset shows, hides,
//! or lets be written behind ROM (the PAM registers and SMRAM of a host bridge).

use super::map::check;
use super::{MapError, PhysicalMemory, Place, RamBlock};
use crate::address::PhysicalAddress;

/// What a range of addresses is to lead to; see [`PhysicalMemory::remap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To devices, or nowhere.
    Mmio,
    /// To the memory at another address, which writes leave alone.
    ReadOnly(PhysicalAddress),
    /// To a block, from this offset on.
    Block(RamBlock, u64),
    /// To a block, which writes leave alone.
    ReadOnlyBlock(RamBlock, u64),
    /// Reads to the memory at another address, writes to a block.
    Split(PhysicalAddress, RamBlock, u64),
    /// Reads to the start of the first block, writes to the second one.
    SplitBlocks(RamBlock, RamBlock, u64),
}
impl PhysicalMemory {
    /// Changes what several ranges of addresses lead to, at once: for processors
    /// it is a single change of the map.
    ///
    /// # Errors
    /// A range is no range of pages, or what it is to lead to is not there;
    /// then nothing has changed.
    pub fn remap(&self, pieces: &[(PhysicalAddress, u64, Target)]) -> Result<(), MapError> {
        self.change(|map| {
            for &(start, bytes, target) in pieces {
                check(start, bytes)?;
                match target {
                    Target::Mmio => map.remove(start, bytes),
                    Target::ReadOnly(source) => {
                        check(source, bytes)?;
                        map.alias(source, start, bytes, true)?;
                    }
                    Target::Block(block, at) => {
                        map.insert(start, bytes, Place::Ram(part_of(block, at, bytes)?));
                    }
                    Target::ReadOnlyBlock(block, at) => {
                        map.insert(start, bytes, Place::Rom(part_of(block, at, bytes)?));
                    }
                    Target::Split(source, block, at) => {
                        check(source, bytes)?;
                        map.split(source, start, bytes, part_of(block, at, bytes)?)?;
                    }
                    Target::SplitBlocks(front, block, at) => {
                        let read = part_of(front, 0, bytes)?;
                        let write = part_of(block, at, bytes)?;
                        map.insert(start, bytes, Place::Split { read, write });
                    }
                }
            }
            Ok(())
        })
    }
}

/// Where a part of a block lies in the backing.
fn part_of(block: RamBlock, at: u64, bytes: u64) -> Result<u64, MapError> {
    check(PhysicalAddress(at), bytes)?;
    if block.bytes < bytes || at > block.bytes - bytes {
        return Err(MapError::OutOfRange { start: at, bytes });
    }
    Ok(block.offset + at)
}
