//! A raw image: sector `n` lies at byte `512 n`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use rax_devices::Disk;
use rax_devices::host_end::SECTOR_BYTES;

use super::content::QCOW2_MAGIC;

/// An open raw image.
#[derive(Debug)]
pub(super) struct RawDisk {
    file: File,
    /// What is in the file; behind it the medium is zeros.
    bytes: u64,
    sectors: u64,
    is_writable: bool,
    /// The guest may not make it look like another format.
    guards_format: bool,
}

impl RawDisk {
    pub(super) fn new(file: File, bytes: u64, sectors: u64, is_writable: bool) -> Self {
        Self {
            file,
            bytes,
            sectors,
            is_writable,
            guards_format: false,
        }
    }

    /// With `true`, refuses a first sector that would make the next run take the
    /// image for another format.
    pub(super) fn guard_format(mut self, guards: bool) -> Self {
        self.guards_format = guards;
        self
    }

    fn seek(&mut self, sector: u64) -> io::Result<u64> {
        let position = sector * SECTOR_BYTES as u64;
        self.file.seek(SeekFrom::Start(position))
    }
}

/// Refuses what is not whole sectors of a disk of `sectors`.
pub(super) fn check_range(sectors: u64, sector: u64, length: usize) -> io::Result<()> {
    let end = sector.checked_add((length / SECTOR_BYTES) as u64);
    if length.is_multiple_of(SECTOR_BYTES) && end.is_some_and(|end| end <= sectors) {
        return Ok(());
    }
    let kind = io::ErrorKind::InvalidInput;
    Err(io::Error::new(kind, "not within the disk"))
}

impl Disk for RawDisk {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn is_read_only(&self) -> bool {
        !self.is_writable
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        check_range(self.sectors, sector, buffer.len())?;
        let position = self.seek(sector)?;
        let there = self.bytes.saturating_sub(position);
        let there = usize::try_from(there).unwrap_or(usize::MAX);
        let (file, rest) = buffer.split_at_mut(there.min(buffer.len()));
        rest.fill(0);
        self.file.read_exact(file)
    }

    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        check_range(self.sectors, sector, bytes.len())?;
        if !self.is_writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if self.guards_format && sector == 0 && bytes.starts_with(&QCOW2_MAGIC) {
            let text = "it would be taken for a qcow2 image; say format=raw to allow that";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let position = self.seek(sector)?;
        self.file.write_all(bytes)?;
        self.bytes = self.bytes.max(position + bytes.len() as u64);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_writable {
            self.file.sync_all()?;
        }
        Ok(())
    }
}
