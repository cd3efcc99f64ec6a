//! Reservation by VirtualAlloc: we commit 1 MiB at a time, at first touch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{io, ptr};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_NOACCESS, PAGE_READWRITE, VirtualAlloc, VirtualFree,
};

const CHUNK_BITS: u32 = 20;

/// A reserved range, with one bit per committed chunk.
#[derive(Debug)]
pub(super) struct Reservation {
    base: *mut u8,
    bytes: usize,
    committed: Box<[AtomicU64]>,
}

// SAFETY: the range belongs to nobody's thread; what may be done through the
// pointer is `HostRam`'s affair.
unsafe impl Send for Reservation {}
// SAFETY: as above; the bitmap is atomic.
unsafe impl Sync for Reservation {}

impl Reservation {
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: reserves at an address of the host's choice.
        let base = unsafe { VirtualAlloc(ptr::null(), bytes, MEM_RESERVE, PAGE_NOACCESS) };
        if base.is_null() {
            return Err(io::Error::last_os_error());
        }
        let words = (bytes >> CHUNK_BITS) / 64 + 1;
        let committed = (0..words).map(|_| AtomicU64::new(0)).collect();
        Ok(Self {
            base: base.cast(),
            bytes,
            committed,
        })
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Commits the chunks that these bytes touch.
    #[inline]
    pub(super) fn commit(&self, offset: u64, bytes: u64) {
        let first = offset >> CHUNK_BITS;
        let last = offset.saturating_add(bytes.saturating_sub(1)) >> CHUNK_BITS;
        for chunk in first..=last {
            let bit = 1 << (chunk % 64);
            let word = self.committed.get((chunk / 64) as usize);
            if word.is_some_and(|word| word.load(Ordering::Acquire) & bit == 0) {
                self.commit_chunk(chunk, bit);
            }
        }
    }

    #[cold]
    fn commit_chunk(&self, chunk: u64, bit: u64) {
        let start = (chunk << CHUNK_BITS) as usize;
        if start >= self.bytes {
            return;
        }
        let bytes = (self.bytes - start).min(1 << CHUNK_BITS);
        let address = self.base.wrapping_add(start);
        // SAFETY: the chunk lies within our reservation; committing twice
        // changes nothing.
        let committed = unsafe {
            VirtualAlloc(
                address.cast_const().cast(),
                bytes,
                MEM_COMMIT,
                PAGE_READWRITE,
            )
        };
        assert!(
            !committed.is_null(),
            "the host has no memory left for the guest"
        );
        self.committed[(chunk / 64) as usize].fetch_or(bit, Ordering::AcqRel);
    }

    /// Decommitting is left out: other threads may be reading.
    #[expect(clippy::unused_self, reason = "other hosts need it")]
    pub(super) fn discard(&self, _offset: u64, _bytes: u64) -> bool {
        false
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the reservation is ours, and `HostRam` is gone.
        let released = unsafe { VirtualFree(self.base.cast(), 0, MEM_RELEASE) };
        debug_assert_ne!(released, 0, "VirtualFree of our own reservation");
    }
}
