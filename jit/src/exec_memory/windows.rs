//! Windows: one allocation that changes between writable and executable.

use std::{io, ptr};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_EXECUTE_READ, PAGE_READWRITE, VirtualAlloc,
    VirtualFree, VirtualProtect,
};

/// The allocation.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) write: *mut u8,
    pub(super) run: *mut u8,
}

impl Pages {
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let kind = MEM_COMMIT | MEM_RESERVE;
        // SAFETY: a new allocation disturbs no other.
        let start = unsafe { VirtualAlloc(ptr::null(), bytes, kind, PAGE_EXECUTE_READ) };
        if start.is_null() {
            return Err(io::Error::last_os_error());
        }
        let run = start.cast();
        Ok(Self { write: run, run })
    }

    pub(super) fn open(&self, offset: usize, bytes: usize) {
        self.protect(offset, bytes, PAGE_READWRITE);
    }

    pub(super) fn close(&self, offset: usize, bytes: usize) {
        self.protect(offset, bytes, PAGE_EXECUTE_READ);
    }

    fn protect(&self, offset: usize, bytes: usize, protection: u32) {
        let mut old = 0;
        let at = self.run.wrapping_add(offset).cast();
        // SAFETY: the range lies within our allocation, and nothing runs in it now.
        let result = unsafe { VirtualProtect(at, bytes, protection, &raw mut old) };
        debug_assert!(result != 0, "our own pages change as we like");
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the allocation is ours, and nobody uses it any more.
        unsafe { VirtualFree(self.run.cast(), 0, MEM_RELEASE) };
    }
}
