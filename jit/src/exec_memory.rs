//! Memory that code runs in: written through one door, run through another.
//!
//! Where the host allows it (Linux), the same pages are mapped twice, once writable and
//! once executable, and no page is ever both. Elsewhere pages change between the two
//! around each write; nothing runs meanwhile, as one thread both compiles and runs.
#![expect(
    unsafe_code,
    reason = "executable memory; every write is checked against its bounds"
)]

use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "exec_memory/twice.rs"]
mod host;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
#[path = "exec_memory/unix.rs"]
mod host;
#[cfg(windows)]
#[path = "exec_memory/windows.rs"]
mod host;

/// A range of executable memory.
#[derive(Debug)]
pub(crate) struct ExecMemory {
    pages: host::Pages,
    bytes: usize,
}

// SAFETY: the pointers are to pages of this value's own, which any thread may write and
// run, and which go when it does.
unsafe impl Send for ExecMemory {}

impl ExecMemory {
    /// A range of so many bytes, a multiple of 64 KiB.
    ///
    /// # Errors
    /// When the host refuses.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        Ok(Self {
            pages: host::Pages::new(bytes)?,
            bytes,
        })
    }

    /// Where code runs.
    pub(crate) fn base(&self) -> u64 {
        self.pages.run as u64
    }

    /// Fetches code.
    pub(crate) fn read(&self, offset: usize, bytes: usize, code: &mut Vec<u8>) {
        code.clear();
        let fits = offset
            .checked_add(bytes)
            .is_some_and(|end| end <= self.bytes);
        debug_assert!(fits, "what is read was written");
        if !fits {
            return;
        }
        let from = self.pages.run.wrapping_add(offset);
        // SAFETY: the range was checked above; the pages can be read, live as long as
        // `self`, and nobody writes to them meanwhile.
        code.extend_from_slice(unsafe { std::slice::from_raw_parts(from, bytes) });
    }

    /// Puts code at an offset. What does not fit is not written.
    pub(crate) fn write(&mut self, offset: usize, code: &[u8]) {
        let fits = offset
            .checked_add(code.len())
            .is_some_and(|end| end <= self.bytes);
        debug_assert!(fits, "the code cache hands out what there is");
        if !fits {
            return;
        }
        self.pages.open(offset, code.len());
        let to = self.pages.write.wrapping_add(offset);
        // SAFETY: the range was checked above; the pages are writable now, live as long
        // as `self`, and nobody holds a reference into them.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        self.pages.close(offset, code.len());
    }
}
