//! Opening an image file, and locking it.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use super::ImageProblem;

/// Opens an image file and locks it: one writer excludes all others, readers share.
pub(super) fn open(path: &Path, is_writable: bool) -> Result<File, ImageProblem> {
    let metadata = path.metadata().map_err(|reason| refused(false, reason))?;
    if metadata.is_dir() {
        return Err(ImageProblem::Directory);
    }
    if !holds_bytes(&metadata) {
        return Err(ImageProblem::NoFile);
    }
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(is_writable)
        .open(path)
        .map_err(|reason| refused(is_writable, reason))?;
    let locked = if is_writable {
        file.try_lock()
    } else {
        file.try_lock_shared()
    };
    match locked {
        Err(TryLockError::WouldBlock) => return Err(ImageProblem::InUse),
        Err(TryLockError::Error(error)) => {
            // Some file systems have no locks.
            log::debug!("'{}' cannot be locked: {error}", path.display());
        }
        Ok(()) => {}
    }
    Ok(file)
}

/// Its size in bytes. A block device has one too, but only its end tells.
pub(super) fn size(file: &mut File) -> Result<u64, ImageProblem> {
    file.seek(SeekFrom::End(0))
        .map_err(ImageProblem::Unreadable)
}

/// A file or a block device; not a pipe, whose opening would wait.
#[cfg(unix)]
fn holds_bytes(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.is_file() || metadata.file_type().is_block_device()
}

#[cfg(not(unix))]
fn holds_bytes(_metadata: &Metadata) -> bool {
    true
}

fn refused(is_writable: bool, reason: io::Error) -> ImageProblem {
    match reason.kind() {
        io::ErrorKind::NotFound => ImageProblem::Missing,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem if is_writable => {
            ImageProblem::NotWritable(reason)
        }
        _ => ImageProblem::Unreadable(reason),
    }
}
