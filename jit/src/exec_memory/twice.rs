//! Linux: one memory file, mapped twice.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// The two mappings.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) write: *mut u8,
    pub(super) run: *mut u8,
    bytes: usize,
    /// How much of it has pages: more are asked for before they are written to.
    present: usize,
}

/// How many bytes get their pages at once: a fault for each would cost more than the page.
const AT_ONCE: usize = 1 << 18;

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
        Ok(Self {
            write,
            run,
            bytes,
            present: 0,
        })
    }

    pub(super) fn open(&mut self, offset: usize, bytes: usize) {
        if offset + bytes <= self.present {
            return;
        }
        let start = (offset & !(AT_ONCE - 1)).max(self.present);
        let end = (offset + bytes).next_multiple_of(AT_ONCE).min(self.bytes);
        populate(self.write, start..end, libc::MADV_POPULATE_WRITE);
        populate(self.run, start..end, libc::MADV_POPULATE_READ);
        self.present = end;
    }

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

/// Asks for pages. Where the host knows no such thing, they come by faults.
fn populate(pages: *mut u8, range: Range<usize>, how: i32) {
    let start = pages.wrapping_add(range.start).cast();
    // SAFETY: the range lies within a mapping of ours, whose contents stay as they are.
    unsafe { libc::madvise(start, range.len(), how) };
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
