//! A disk that is a raw image file: sector `n` lies at byte `512 n`.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rax_devices::Disk;
use rax_devices::host_end::SECTOR_BYTES;

use super::HostError;

const SECTOR: usize = SECTOR_BYTES;

/// What becomes of writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// They reach the file.
    #[default]
    ReadWrite,
    /// The disk says that it is write-protected.
    ReadOnly,
    /// They are kept in memory and forgotten at the end.
    Snapshot,
}

/// An open image file.
#[derive(Debug)]
pub struct RawDisk {
    file: File,
    sectors: u64,
    access: Access,
    /// Sectors written in snapshot mode.
    overlay: HashMap<u64, Box<[u8; SECTOR]>>,
}

impl RawDisk {
    /// Opens an image and locks it against other writers.
    ///
    /// # Errors
    /// When the file is missing, a directory, empty, of an odd size, in use, or may not be opened that way.
    pub fn open(path: &Path, access: Access) -> Result<Self, HostError> {
        let path = path.to_path_buf();
        if path.is_dir() {
            return Err(HostError::DiskIsDirectory { path });
        }
        let is_writable = access == Access::ReadWrite;
        let mut file = match OpenOptions::new().read(true).write(is_writable).open(&path) {
            Ok(file) => file,
            Err(error) => return Err(refused(path, is_writable, error)),
        };
        lock(&file, &path, is_writable)?;
        // A block device has a size too, but only its end tells.
        let bytes = match file.seek(SeekFrom::End(0)) {
            Ok(bytes) => bytes,
            Err(source) => return Err(HostError::DiskUnreadable { path, source }),
        };
        if bytes == 0 {
            return Err(HostError::DiskEmpty { path });
        }
        if bytes % SECTOR as u64 != 0 {
            return Err(HostError::DiskSize { path, bytes });
        }
        Ok(Self {
            file,
            sectors: bytes / SECTOR as u64,
            access,
            overlay: HashMap::new(),
        })
    }

    /// Refuses what is not whole sectors of this disk.
    fn check(&self, sector: u64, length: usize) -> io::Result<()> {
        let end = sector.checked_add((length / SECTOR) as u64);
        if length.is_multiple_of(SECTOR) && end.is_some_and(|end| end <= self.sectors) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not within the disk",
        ))
    }

    fn seek(&mut self, sector: u64) -> io::Result<()> {
        self.file
            .seek(SeekFrom::Start(sector * SECTOR as u64))
            .map(drop)
    }
}

impl Disk for RawDisk {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn is_read_only(&self) -> bool {
        self.access == Access::ReadOnly
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.check(sector, buffer.len())?;
        self.seek(sector)?;
        self.file.read_exact(buffer)?;
        if !self.overlay.is_empty() {
            for (number, bytes) in (sector..).zip(buffer.as_chunks_mut::<SECTOR>().0) {
                if let Some(written) = self.overlay.get(&number) {
                    *bytes = **written;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        self.check(sector, bytes.len())?;
        match self.access {
            Access::ReadWrite => {
                self.seek(sector)?;
                self.file.write_all(bytes)
            }
            Access::ReadOnly => Err(io::ErrorKind::PermissionDenied.into()),
            Access::Snapshot => {
                for (number, bytes) in (sector..).zip(bytes.as_chunks::<SECTOR>().0) {
                    self.overlay.insert(number, Box::new(*bytes));
                }
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.access {
            Access::ReadWrite => self.file.sync_all(),
            Access::ReadOnly | Access::Snapshot => Ok(()),
        }
    }
}

/// One writer excludes all others; readers share.
fn lock(file: &File, path: &Path, is_writable: bool) -> Result<(), HostError> {
    match if is_writable {
        file.try_lock()
    } else {
        file.try_lock_shared()
    } {
        Err(TryLockError::WouldBlock) => Err(HostError::DiskInUse { path: path.into() }),
        Err(TryLockError::Error(error)) => {
            log::debug!("'{}' cannot be locked: {error}", path.display());
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn refused(path: PathBuf, is_writable: bool, source: io::Error) -> HostError {
    match source.kind() {
        io::ErrorKind::NotFound => HostError::DiskMissing { path },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem if is_writable => {
            HostError::DiskNotWritable { path, source }
        }
        _ => HostError::DiskUnreadable { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(bytes: usize) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..bytes).map(|n| (n / SECTOR) as u8).collect();
        file.write_all(&content).unwrap();
        file
    }

    fn sector(disk: &mut RawDisk, number: u64) -> u8 {
        let mut buffer = [0; SECTOR];
        disk.read(number, &mut buffer).unwrap();
        buffer[SECTOR - 1]
    }

    #[test]
    fn writes_reach_the_file() {
        let file = image(4 * SECTOR);
        let mut disk = RawDisk::open(file.path(), Access::ReadWrite).unwrap();
        assert_eq!((disk.sectors(), sector(&mut disk, 3)), (4, 3));
        disk.write(1, &[9; 2 * SECTOR]).unwrap();
        disk.flush().unwrap();
        assert_eq!(
            std::fs::read(file.path()).unwrap()[SECTOR..3 * SECTOR],
            [9; 2 * SECTOR]
        );
    }

    #[test]
    fn a_snapshot_leaves_the_file_alone() {
        let file = image(4 * SECTOR);
        let mut disk = RawDisk::open(file.path(), Access::Snapshot).unwrap();
        disk.write(1, &[9; SECTOR]).unwrap();
        disk.flush().unwrap();
        let mut buffer = [0; 3 * SECTOR];
        disk.read(0, &mut buffer).unwrap();
        assert_eq!((buffer[0], buffer[SECTOR], buffer[2 * SECTOR]), (0, 9, 2));
        assert_eq!(std::fs::read(file.path()).unwrap()[SECTOR], 1);
    }

    #[test]
    fn a_read_only_disk_refuses_writes_and_none_goes_past_the_end() {
        let file = image(2 * SECTOR);
        let mut disk = RawDisk::open(file.path(), Access::ReadOnly).unwrap();
        assert!(disk.is_read_only() && disk.write(0, &[0; SECTOR]).is_err());
        assert!(disk.read(1, &mut [0; 2 * SECTOR]).is_err());
        assert!(disk.read(u64::MAX, &mut [0; SECTOR]).is_err());
        assert!(disk.read(0, &mut [0; 7]).is_err());
    }

    #[test]
    fn bad_images_are_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let refuse = |path: &Path| {
            let error = RawDisk::open(path, Access::ReadWrite).expect_err("must be refused");
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        assert!(refuse(dir.path()).contains("is a directory"));
        assert!(refuse(&dir.path().join("none")).contains("truncate -s 64M"));
        assert!(refuse(image(0).path()).contains("is empty"));
        assert!(refuse(image(700).path()).contains("700 bytes"));
    }

    #[test]
    fn two_writers_exclude_each_other() {
        let file = image(SECTOR);
        let first = RawDisk::open(file.path(), Access::ReadWrite).unwrap();
        let error = RawDisk::open(file.path(), Access::Snapshot).expect_err("locked");
        assert!(error.to_string().contains("in use"), "{error}");
        drop(first);
        let _one = RawDisk::open(file.path(), Access::ReadOnly).unwrap();
        let _two = RawDisk::open(file.path(), Access::Snapshot).unwrap();
    }
}
