//! Linux: one memory file, mapped twice.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// The two mappings.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) write: *mut u8,
    pub(super) run: *mut u8,
    bytes: usize,
}

impl Pages {
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: the name is a C string.
        let file = unsafe { libc::memfd_create(c"rax-code".as_ptr(), libc::MFD_CLOEXEC) };
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open, and nobody else's.
        let file = unsafe { OwnedFd::from_raw_fd(file) };
        let length = i64::try_from(bytes).map_err(io::Error::other)?;
        // SAFETY: the descriptor is open.
        if unsafe { libc::ftruncate64(file.as_raw_fd(), length) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let write = map(&file, bytes, libc::PROT_READ | libc::PROT_WRITE)?;
        let run = map(&file, bytes, libc::PROT_READ | libc::PROT_EXEC).inspect_err(|_| {
            unmap(write, bytes);
        })?;
        Ok(Self { write, run, bytes })
    }

    pub(super) fn open(&self, _offset: usize, _bytes: usize) {}

    pub(super) fn close(&self, _offset: usize, _bytes: usize) {}
}

fn map(file: &OwnedFd, bytes: usize, protection: i32) -> io::Result<*mut u8> {
    let flags = libc::MAP_SHARED;
    // SAFETY: a new mapping disturbs no other.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            protection,
            flags,
            file.as_raw_fd(),
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(start.cast())
}

fn unmap(start: *mut u8, bytes: usize) {
    // SAFETY: the mapping was made by `map`, and nobody uses it any more.
    unsafe { libc::munmap(start.cast(), bytes) };
}

impl Drop for Pages {
    fn drop(&mut self) {
        unmap(self.write, self.bytes);
        unmap(self.run, self.bytes);
    }
}
