//! The memory that parent and child share, from the parent's side.
#![expect(unsafe_code, reason = "maps memory")]

use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::batch::Batch;
use crate::oracle::OracleError;

/// A mapping that holds a [`Batch`]; unmapped when dropped.
pub(super) struct Area(NonNull<Batch>);

// SAFETY: it owns the mapping.
unsafe impl Send for Area {}

impl Area {
    pub(super) fn new() -> Result<Self, OracleError> {
        // SAFETY: a new mapping where the kernel likes.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Batch>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(OracleError::Refused {
                what: "map shared memory",
                source: io::Error::last_os_error(),
            });
        }
        let address = NonNull::new(address).expect("the kernel maps nothing at zero by itself");
        Ok(Self(address.cast()))
    }

    /// The batch, for when the child waits or is dead.
    pub(super) fn batch(&mut self) -> &mut Batch {
        // SAFETY: mapped, of plain numbers, and nobody writes to it meanwhile.
        unsafe { self.0.as_mut() }
    }

    /// How many cases are done, at any time.
    pub(super) fn done(&self) -> u32 {
        // SAFETY: the field lies in the mapping.
        let done = unsafe { &raw mut (*self.0.as_ptr()).done };
        // SAFETY: mapped as long as `self` lives, and all access to it is atomic.
        let done: &AtomicU32 = unsafe { &*done };
        done.load(Ordering::Acquire)
    }

    pub(super) fn as_ptr(&self) -> *mut Batch {
        self.0.as_ptr()
    }

    /// Its linear addresses, in whole pages.
    pub(super) fn range(&self) -> Range<u64> {
        let start = self.0.as_ptr().addr() as u64;
        start..(start + size_of::<Batch>() as u64).next_multiple_of(0x1000)
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nobody's from now on.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Batch>()) };
    }
}
