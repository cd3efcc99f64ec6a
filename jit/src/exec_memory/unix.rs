//! Unix without memory files: one mapping that changes between writable and executable.

use std::{io, ptr};

/// The mapping.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) write: *mut u8,
    pub(super) run: *mut u8,
    bytes: usize,
}

/// A multiple of every host's page size.
const GRAIN: usize = 1 << 16;

impl Pages {
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: a new mapping disturbs no other.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let run = start.cast();
        Ok(Self {
            write: run,
            run,
            bytes,
        })
    }

    pub(super) fn open(&self, offset: usize, bytes: usize) {
        self.protect(offset, bytes, libc::PROT_READ | libc::PROT_WRITE);
    }

    pub(super) fn close(&self, offset: usize, bytes: usize) {
        self.protect(offset, bytes, libc::PROT_READ | libc::PROT_EXEC);
    }

    fn protect(&self, offset: usize, bytes: usize, protection: i32) {
        let start = offset & !(GRAIN - 1);
        let end = (offset + bytes).next_multiple_of(GRAIN).min(self.bytes);
        let at = self.run.wrapping_add(start).cast();
        // SAFETY: the range lies within our mapping, and nothing runs in it now.
        let result = unsafe { libc::mprotect(at, end - start, protection) };
        debug_assert!(result == 0, "our own pages change as we like");
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses it any more.
        unsafe { libc::munmap(self.run.cast(), self.bytes) };
    }
}
