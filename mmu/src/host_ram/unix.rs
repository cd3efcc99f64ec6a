//! Reservation by mmap: the host commits pages as they are touched.

use std::{io, ptr};

/// A private anonymous mapping.
#[derive(Debug)]
pub(super) struct Reservation {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: the mapping belongs to nobody's thread; what may be done through the
// pointer is `HostRam`'s affair.
unsafe impl Send for Reservation {}
// SAFETY: as above; no method changes the fields.
unsafe impl Sync for Reservation {}

/// No swap is set aside for the range, where the host would do that.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
const NO_RESERVE: libc::c_int = libc::MAP_NORESERVE;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
const NO_RESERVE: libc::c_int = 0;

impl Reservation {
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | NO_RESERVE;
        // SAFETY: a new anonymous mapping at an address of the host's choice
        // touches nothing that exists.
        let base = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            base: base.cast(),
            bytes,
        })
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    #[inline(always)]
    #[expect(clippy::unused_self, reason = "other hosts need it")]
    pub(super) fn commit(&self, _offset: u64, _bytes: u64) {}

    /// True if the bytes, all within the range, now read as zeros.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn discard(&self, offset: u64, bytes: u64) -> bool {
        let (offset, bytes) = (offset as usize, bytes as usize);
        if !offset.is_multiple_of(65536) || !bytes.is_multiple_of(65536) {
            return false;
        }
        let start = self.base.wrapping_add(offset);
        // SAFETY: the bytes lie within our mapping, and Linux makes private
        // anonymous pages read as zeros after this. 64 KiB is the largest page.
        unsafe { libc::madvise(start.cast(), bytes, libc::MADV_DONTNEED) == 0 }
    }

    /// Only Linux promises zeros.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[expect(clippy::unused_self, reason = "other hosts need it")]
    pub(super) fn discard(&self, _offset: u64, _bytes: u64) -> bool {
        false
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and `HostRam` is gone.
        let result = unsafe { libc::munmap(self.base.cast(), self.bytes) };
        debug_assert_eq!(result, 0, "munmap of our own mapping");
    }
}
