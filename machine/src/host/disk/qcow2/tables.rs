//! The tables of a qcow2 image (QEMU's docs/interop/qcow2), looked through before it is written to.
//!
//! The crate takes them as they are. A damaged image may name a table, or the header itself, as a place for data: what
//! is written there would be lost, and the image with it. So it is refused.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// The largest table of reference counts and the largest first table that QEMU takes.
const MOST_COUNT_BYTES: u64 = 8 << 20;
const MOST_FIRST_BYTES: u64 = 32 << 20;
/// Offset of a table, or of a cluster of data, in an entry.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// An entry of a second table: its data is compressed.
const COMPRESSED: u64 = 1 << 62;
const SECTOR_BITS: u32 = 9;

/// What of the header matters here.
struct Header {
    /// Length of the file.
    bytes: u64,
    cluster_bits: u32,
    /// The first table: its offset and how many entries it has.
    first: (u64, u64),
    /// The table of reference counts: its offset and how many bytes it has.
    counts: (u64, u64),
    /// Data lies in a file of its own.
    has_data_file: bool,
    /// Entries of second tables have a bitmap beside them.
    has_wide_entries: bool,
}

fn damaged<T>(what: &str) -> io::Result<T> {
    Err(io::Error::new(ErrorKind::InvalidData, what))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

fn read_at(file: &mut File, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut read = vec![0; usize::try_from(bytes).map_err(|_| ErrorKind::InvalidData)?];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut read)?;
    Ok(read)
}

/// The entries of a table of eight bytes each.
fn entries(table: &[u8]) -> impl Iterator<Item = u64> {
    table
        .as_chunks::<8>()
        .0
        .iter()
        .map(|entry| u64::from_be_bytes(*entry))
}

impl Header {
    fn read(file: &mut File) -> io::Result<Self> {
        let bytes = file.seek(SeekFrom::End(0))?;
        let header = read_at(file, 0, 72)?;
        let field = |at: usize, length: usize| number(&header[at..at + length]);
        let cluster_bits = field(20, 4) as u32;
        if !(9..=21).contains(&cluster_bits) {
            return damaged("clusters of an impossible size");
        }
        let features = match field(4, 4) {
            2 => 0,
            _ => number(&read_at(file, 72, 8)?),
        };
        Ok(Self {
            bytes,
            cluster_bits,
            first: (field(40, 8), field(36, 4)),
            counts: (field(48, 8), field(56, 4) << cluster_bits),
            has_data_file: features & (1 << 2) != 0,
            has_wide_entries: features & (1 << 4) != 0,
        })
    }

    const fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Whether a table may begin there.
    fn is_place(&self, offset: u64) -> bool {
        let end = offset.checked_add(self.cluster());
        offset.is_multiple_of(self.cluster()) && end.is_some_and(|end| end <= self.bytes)
    }

    /// The numbers of the clusters that so many bytes lie in.
    fn clusters(&self, offset: u64, bytes: u64) -> std::ops::RangeInclusive<u64> {
        let last = offset.saturating_add(bytes.saturating_sub(1));
        offset >> self.cluster_bits..=last >> self.cluster_bits
    }
}

/// Refuses an image to which nobody should write.
pub(super) fn check(file: &mut File) -> io::Result<()> {
    let header = Header::read(file)?;
    // The header's own cluster is the first.
    let mut taken = vec![0];
    taken.extend(count_blocks(file, &header)?);
    taken.extend(header.clusters(header.counts.0, header.counts.1));
    let (first, length) = header.first;
    let length = 8 * length;
    if length != 0 {
        let is_inside = first
            .checked_add(length)
            .is_some_and(|end| end <= header.bytes);
        if length > MOST_FIRST_BYTES || !is_inside || !first.is_multiple_of(header.cluster()) {
            return damaged("its first table is damaged");
        }
        taken.extend(header.clusters(first, length));
    }
    let mut seconds: Vec<u64> = entries(&read_at(file, first, length)?)
        .map(|entry| entry & OFFSET)
        .filter(|&offset| offset != 0)
        .collect();
    if !seconds.iter().all(|&offset| header.is_place(offset)) {
        return damaged("a table outside the file");
    }
    taken.extend(seconds.iter().map(|offset| offset >> header.cluster_bits));
    taken.sort_unstable();
    if taken.windows(2).any(|pair| pair[0] == pair[1]) {
        return damaged("two tables in one place");
    }
    if header.has_data_file {
        return Ok(());
    }
    seconds.sort_unstable();
    for offset in seconds {
        check_second(file, &header, &taken, offset)?;
    }
    Ok(())
}

/// The clusters of the blocks of reference counts.
///
/// Their table must begin with blocks that are in the file, with no gap between them: where there is one, the crate
/// looks for room for the missing block in the part that it would count, and never comes back.
fn count_blocks(file: &mut File, header: &Header) -> io::Result<Vec<u64>> {
    let (offset, length) = header.counts;
    let is_inside = offset
        .checked_add(length)
        .is_some_and(|end| end <= header.bytes);
    let is_aligned = offset.is_multiple_of(header.cluster());
    if length == 0 || length > MOST_COUNT_BYTES || !is_inside || !is_aligned {
        return damaged("a table of reference counts outside the file");
    }
    let table = read_at(file, offset, length)?;
    let mut entries = entries(&table);
    let blocks: Vec<u64> = entries.by_ref().take_while(|&entry| entry != 0).collect();
    let are_blocks = blocks.iter().all(|&block| header.is_place(block));
    if blocks.is_empty() || !are_blocks || entries.any(|entry| entry != 0) {
        return damaged("a damaged table of reference counts");
    }
    Ok(blocks
        .into_iter()
        .map(|block| block >> header.cluster_bits)
        .collect())
}

/// Looks through a second table for data in one of the clusters that are `taken`.
fn check_second(file: &mut File, header: &Header, taken: &[u64], offset: u64) -> io::Result<()> {
    let table = read_at(file, offset, header.cluster())?;
    let step = if header.has_wide_entries { 2 } else { 1 };
    for entry in entries(&table).step_by(step) {
        let (start, bytes) = if entry & COMPRESSED == 0 {
            (entry & OFFSET, header.cluster())
        } else {
            // The offset takes what the count of further sectors leaves.
            let offset_bits = 70 - header.cluster_bits;
            let start = entry & ((1 << offset_bits) - 1);
            let sectors = (entry & (COMPRESSED - 1)) >> offset_bits;
            let end = ((start >> SECTOR_BITS) + 1 + sectors) << SECTOR_BITS;
            (start, end - start)
        };
        let is_absent = start == 0 && entry & COMPRESSED == 0;
        if is_absent {
            continue;
        }
        if header
            .clusters(start, bytes)
            .any(|cluster| taken.binary_search(&cluster).is_ok())
        {
            return damaged("data in the place of a table");
        }
    }
    Ok(())
}
