//! Host ends: what a chip's far side is connected to, and in-memory ones.
//!
//! None of these calls may block. What they return enters the run through the
//! machine's one door for the outside world, so that a run can be replayed.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes in a disk sector.
pub const SECTOR_BYTES: usize = 512;

/// What a serial port is connected to.
pub trait Console: Send {
    /// The guest sends `bytes`.
    fn write(&mut self, bytes: &[u8]);
    /// The next byte for the guest, if there is one now.
    fn read(&mut self) -> Option<u8>;
}

/// Somewhere bytes go.
pub trait ByteSink: Send {
    /// The guest sends `bytes`.
    fn write(&mut self, bytes: &[u8]);
}

/// A disk of 512-byte sectors.
pub trait Disk: Send {
    /// Its size in sectors.
    fn sectors(&self) -> u64;
    /// Whether every write will be refused.
    fn is_read_only(&self) -> bool;
    /// Reads whole sectors from `sector` on.
    ///
    /// # Errors
    /// The host's error; the guest sees an uncorrectable one.
    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes whole sectors from `sector` on.
    ///
    /// # Errors
    /// The host's error; the guest sees a device fault.
    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns once everything written is on stable storage.
    ///
    /// # Errors
    /// The host's error; the guest sees an aborted command.
    fn flush(&mut self) -> io::Result<()>;
}

/// A disk in memory. Clones share the contents.
#[derive(Clone, Debug)]
pub struct MemoryDisk {
    shared: Arc<Mutex<MemoryDiskContents>>,
    read_only: bool,
}

#[derive(Debug)]
struct MemoryDiskContents {
    bytes: Vec<u8>,
    flushes: u64,
}

impl MemoryDisk {
    /// A disk that holds `bytes`, filled up with zeros to whole sectors.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.resize(bytes.len().next_multiple_of(SECTOR_BYTES), 0);
        Self {
            shared: Arc::new(Mutex::new(MemoryDiskContents { bytes, flushes: 0 })),
            read_only: false,
        }
    }

    /// The same disk, refusing writes.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// A copy of the contents.
    #[must_use]
    pub fn contents(&self) -> Vec<u8> {
        lock(&self.shared).bytes.clone()
    }

    /// How often the disk was flushed.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        lock(&self.shared).flushes
    }
}

/// The byte range of `length` bytes from `sector` on.
fn byte_range(sector: u64, length: usize) -> io::Result<std::ops::Range<usize>> {
    usize::try_from(sector)
        .ok()
        .and_then(|sector| sector.checked_mul(SECTOR_BYTES))
        .and_then(|start| Some(start..start.checked_add(length)?))
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

impl Disk for MemoryDisk {
    fn sectors(&self) -> u64 {
        (lock(&self.shared).bytes.len() / SECTOR_BYTES) as u64
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        let range = byte_range(sector, buffer.len())?;
        let contents = lock(&self.shared);
        let bytes = contents
            .bytes
            .get(range)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        if self.read_only {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let range = byte_range(sector, bytes.len())?;
        let mut contents = lock(&self.shared);
        let target = contents
            .bytes
            .get_mut(range)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        target.copy_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        lock(&self.shared).flushes += 1;
        Ok(())
    }
}

/// A console in memory, which is also a [`ByteSink`]. Clones share both
/// directions, so keep one to type and to read what the guest wrote.
#[derive(Clone, Debug, Default)]
pub struct MemoryConsole {
    shared: Arc<Mutex<MemoryConsoleContents>>,
}

#[derive(Debug, Default)]
struct MemoryConsoleContents {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl MemoryConsole {
    /// A console with nothing typed and nothing written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Types `bytes` for the guest.
    pub fn type_bytes(&self, bytes: &[u8]) {
        lock(&self.shared).input.extend(bytes);
    }

    /// How many typed bytes the guest has not taken yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        lock(&self.shared).input.len()
    }

    /// A copy of all that the guest wrote.
    #[must_use]
    pub fn output(&self) -> Vec<u8> {
        lock(&self.shared).output.clone()
    }
}

impl Console for MemoryConsole {
    fn write(&mut self, bytes: &[u8]) {
        lock(&self.shared).output.extend_from_slice(bytes);
    }

    fn read(&mut self) -> Option<u8> {
        lock(&self.shared).input.pop_front()
    }
}

impl ByteSink for MemoryConsole {
    fn write(&mut self, bytes: &[u8]) {
        lock(&self.shared).output.extend_from_slice(bytes);
    }
}

/// The contents, also after a panic elsewhere: bytes are never half changed.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Disk, MemoryDisk};

    #[test]
    fn a_memory_disk_keeps_sectors_and_refuses_the_rest() {
        let mut disk = MemoryDisk::new(vec![7; 600]);
        assert_eq!(disk.sectors(), 2);
        disk.write(1, &[9; 512]).unwrap();
        let mut sector = [0; 512];
        disk.read(1, &mut sector).unwrap();
        assert_eq!(sector, [9; 512]);
        assert!(disk.read(2, &mut sector).is_err());
        assert!(disk.read(u64::MAX, &mut sector).is_err());
        assert!(disk.clone().read_only().write(0, &sector).is_err());
    }
}
