//! The machine's memory as a loader sees it, and where in it things are put.

use std::ops::Range;

use super::{Chunk, InputFile, LoadError};

/// What a range of physical addresses is, numbered as the BIOS call INT 15h E820h does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MemoryKind {
    /// Usable RAM.
    Ram = 1,
    /// ROM, device registers, or kept by the firmware.
    Reserved = 2,
    /// ACPI tables that the guest may overwrite once it has read them.
    AcpiReclaimable = 3,
    /// ACPI memory that must survive sleep.
    AcpiNvs = 4,
}

/// A range of physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// What is there.
    pub kind: MemoryKind,
}

/// The end of what 32-bit loaders can reach.
pub(super) const FOUR_GIB: u64 = 1 << 32;
/// Where extended memory begins.
pub(super) const ONE_MIB: u64 = 1 << 20;

/// Finds room in RAM, and never gives the same address twice.
#[derive(Debug)]
pub(super) struct Placer {
    ram: Vec<Range<u64>>,
    used: Vec<Range<u64>>,
    chunks: Vec<Chunk>,
}

impl Placer {
    /// All RAM is free, except the first page: BIOS data area and interrupt vectors.
    pub(super) fn new(memory: &[MemoryRange]) -> Self {
        let ram = memory
            .iter()
            .filter(|range| range.kind == MemoryKind::Ram && range.start < range.end);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in ram {
            match merged.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => merged.push(range.start..range.end),
            }
        }
        let bios_data = 0..0x1000;
        Self {
            ram: merged,
            used: vec![bios_data],
            chunks: Vec::new(),
        }
    }

    /// Takes `range` if it is free RAM.
    pub(super) fn claim(&mut self, range: Range<u64>) -> bool {
        let is_ram = self
            .ram
            .iter()
            .any(|ram| ram.start <= range.start && range.end <= ram.end);
        let is_free = self.overlapping(&range).is_none();
        let taken = is_ram && is_free && range.start <= range.end;
        if taken && !range.is_empty() {
            self.used.push(range);
        }
        taken
    }

    /// Takes the lowest free `size` bytes within `limits`, aligned to a power of two.
    pub(super) fn lowest(&mut self, size: u64, align: u64, limits: Range<u64>) -> Option<u64> {
        for ram in self.ram.clone() {
            let end = ram.end.min(limits.end);
            let mut start = ram
                .start
                .max(limits.start)
                .checked_next_multiple_of(align)?;
            while let Some(range) = start
                .checked_add(size)
                .map(|range_end| start..range_end)
                .filter(|r| r.end <= end)
            {
                let Some(obstacle) = self.overlapping(&range) else {
                    self.used.push(range);
                    return Some(start);
                };
                start = obstacle.end.checked_next_multiple_of(align)?;
            }
        }
        None
    }

    /// Takes the highest free `size` bytes within `limits`, aligned to a power of two.
    pub(super) fn highest(&mut self, size: u64, align: u64, limits: Range<u64>) -> Option<u64> {
        for ram in self.ram.clone().into_iter().rev() {
            let lowest = ram.start.max(limits.start);
            let mut end = ram.end.min(limits.end);
            while let Some(start) = end
                .checked_sub(size)
                .map(|start| start - start % align)
                .filter(|s| *s >= lowest)
            {
                let range = start..start + size;
                let Some(obstacle) = self.overlapping(&range) else {
                    self.used.push(range);
                    return Some(start);
                };
                end = obstacle.start;
            }
        }
        None
    }

    /// Takes room for a small table: in conventional memory if possible, below 4 GiB always.
    pub(super) fn room(
        &mut self,
        size: usize,
        align: u64,
        kernel: &InputFile,
    ) -> Result<u64, LoadError> {
        let size = size as u64;
        self.lowest(size, align, 0x1_0000..ONE_MIB)
            .or_else(|| self.lowest(size, align, 0..FOUR_GIB))
            .ok_or_else(|| self.out_of_memory(kernel, ONE_MIB))
    }

    /// Takes room for a small table and puts it there.
    pub(super) fn table(
        &mut self,
        bytes: Vec<u8>,
        align: u64,
        kernel: &InputFile,
    ) -> Result<u64, LoadError> {
        let address = self.room(bytes.len(), align, kernel)?;
        self.put(Chunk::new(address, bytes));
        Ok(address)
    }

    /// Adds a chunk at an address that was taken before.
    pub(super) fn put(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }

    /// Everything that was put.
    pub(super) fn into_chunks(self) -> Vec<Chunk> {
        self.chunks
    }

    /// The address after the highest that was taken.
    pub(super) fn used_end(&self) -> u64 {
        self.used.iter().map(|range| range.end).max().unwrap_or(0)
    }

    /// The bytes of RAM in all.
    pub(super) fn ram_bytes(&self) -> u64 {
        self.ram.iter().map(|range| range.end - range.start).sum()
    }

    /// The address after the RAM that begins at or around `address`; `address` if there is none.
    pub(super) fn ram_end_from(&self, address: u64) -> u64 {
        self.ram
            .iter()
            .find(|range| range.contains(&address))
            .map_or(address, |range| range.end)
    }

    /// The error that says how much memory would do: RAM must reach up to `top`.
    pub(super) fn out_of_memory(&self, file: &InputFile, top: u64) -> LoadError {
        let has = self.ram_bytes();
        let wanted = top.max(has.saturating_add(1)).max(ONE_MIB);
        let suggestion = wanted.checked_next_power_of_two().unwrap_or(u64::MAX) >> 20;
        LoadError::TooLittleMemory {
            path: file.path.clone(),
            role: file.role,
            has_mib: has.div_ceil(ONE_MIB),
            suggestion_mib: suggestion,
        }
    }

    fn overlapping(&self, range: &Range<u64>) -> Option<Range<u64>> {
        self.used
            .iter()
            .find(|used| used.start < range.end && range.start < used.end)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placer() -> Placer {
        let ram = |start, end| MemoryRange {
            start,
            end,
            kind: MemoryKind::Ram,
        };
        Placer::new(&[
            ram(0, 0x9_fc00),
            ram(0x10_0000, 0x80_0000),
            ram(0x80_0000, 0x100_0000),
        ])
    }

    #[test]
    fn claims_do_not_overlap_and_lie_in_ram() {
        let mut placer = placer();
        assert!(placer.claim(0x10_0000..0x90_0000));
        assert!(!placer.claim(0x8f_ffff..0x91_0000));
        assert!(!placer.claim(0x9_0000..0x10_0000));
        assert!(!placer.claim(0..0x10));
        assert!(!placer.claim(0xff_f000..0x100_1000));
    }

    #[test]
    fn lowest_and_highest_step_over_what_is_used() {
        let mut placer = placer();
        assert!(placer.claim(0x10_0000..0x20_0001));
        assert_eq!(
            placer.lowest(0x1000, 0x1000, 0x10_0000..FOUR_GIB),
            Some(0x20_1000)
        );
        assert!(placer.claim(0xff_0000..0x100_0000));
        assert_eq!(
            placer.highest(0x1001, 0x1000, 0x10_0000..FOUR_GIB),
            Some(0xfe_e000)
        );
        assert_eq!(placer.highest(0x100_0000, 1, 0..FOUR_GIB), None);
        assert_eq!(placer.lowest(u64::MAX, 0x1000, 0..FOUR_GIB), None);
    }
}
