//! A snapshot: writes go to a temporary file, which is gone at the end.
//!
//! The file has a slot of 32 KiB for each cluster of the disk that was written
//! to, in the order of the first writes. In memory there are some 50 bytes a
//! slot: a mebibyte for each 700 MiB written.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use rax_devices::Disk;
use rax_devices::host_end::SECTOR_BYTES;

use super::ImageProblem;
use super::raw::check_range;

/// Sectors of a cluster, one for each bit of a mask.
const CLUSTER: u64 = 64;

/// Where a cluster's sectors are.
#[derive(Clone, Copy, Debug)]
struct Slot {
    number: u64,
    /// The sectors that were written.
    written: u64,
}

/// A disk and what was written since.
pub(super) struct Overlay {
    base: Box<dyn Disk>,
    file: File,
    slots: HashMap<u64, Slot>,
}

impl Overlay {
    /// A snapshot of `base`, which is only read.
    pub(super) fn new(base: Box<dyn Disk>) -> Result<Self, ImageProblem> {
        let file = tempfile::tempfile().map_err(ImageProblem::NoTemporary)?;
        Ok(Self {
            base,
            file,
            slots: HashMap::new(),
        })
    }

    fn seek(&mut self, slot: u64, sector: u64) -> io::Result<()> {
        let position = (slot * CLUSTER + sector % CLUSTER) * SECTOR_BYTES as u64;
        self.file.seek(SeekFrom::Start(position)).map(drop)
    }
}

/// A range of sectors, cut where clusters end: the cluster, the sectors, and
/// their bytes within the whole.
fn pieces(sector: u64, length: usize) -> impl Iterator<Item = (u64, Range<u64>, Range<usize>)> {
    let end = sector + (length / SECTOR_BYTES) as u64;
    (sector / CLUSTER..end.div_ceil(CLUSTER)).map(move |cluster| {
        let first = sector.max(cluster * CLUSTER);
        let last = end.min((cluster + 1) * CLUSTER);
        let byte = |at: u64| (at - sector) as usize * SECTOR_BYTES;
        (cluster, first..last, byte(first)..byte(last))
    })
}

/// The bits of sectors within their cluster.
fn mask(sectors: &Range<u64>) -> u64 {
    let bits = |count: u64| u64::MAX.checked_shr((CLUSTER - count) as u32).unwrap_or(0);
    bits(sectors.end - sectors.start) << (sectors.start % CLUSTER)
}

impl Disk for Overlay {
    fn sectors(&self) -> u64 {
        self.base.sectors()
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        check_range(self.sectors(), sector, buffer.len())?;
        let covers = |slot: Option<&Slot>, sectors: &Range<u64>| {
            slot.is_some_and(|slot| slot.written & mask(sectors) == mask(sectors))
        };
        let is_all_here = pieces(sector, buffer.len())
            .all(|(cluster, sectors, _)| covers(self.slots.get(&cluster), &sectors));
        if !is_all_here {
            self.base.read(sector, buffer)?;
        }
        for (cluster, sectors, bytes) in pieces(sector, buffer.len()) {
            let Some(&slot) = self.slots.get(&cluster) else {
                continue;
            };
            // One run of sectors that were written after the other.
            let mut next = sectors.start;
            while next < sectors.end {
                let is_written = |at: u64| slot.written >> (at % CLUSTER) & 1 != 0;
                let run_end = (next..sectors.end)
                    .find(|&at| is_written(at) != is_written(next))
                    .unwrap_or(sectors.end);
                if is_written(next) {
                    let at = |to: u64| bytes.start + (to - sectors.start) as usize * SECTOR_BYTES;
                    let range = at(next)..at(run_end);
                    self.seek(slot.number, next)?;
                    self.file.read_exact(&mut buffer[range])?;
                }
                next = run_end;
            }
        }
        Ok(())
    }

    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        check_range(self.sectors(), sector, bytes.len())?;
        for (cluster, sectors, range) in pieces(sector, bytes.len()) {
            let free = Slot {
                number: self.slots.len() as u64,
                written: 0,
            };
            let slot = *self.slots.entry(cluster).or_insert(free);
            self.seek(slot.number, sectors.start)?;
            self.file.write_all(&bytes[range])?;
            let written = slot.written | mask(&sectors);
            self.slots.insert(cluster, Slot { written, ..slot });
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nothing of it outlives the run.
        Ok(())
    }
}
