//! The one host range that backs all guest RAM and ROM.
//!
//! The range is reserved at once, reads as zeros and costs host memory only
//! where it was touched. Everything the guest stores ends here, so this is the
//! crate's only unsafe room: every access is checked against the range, which
//! lives as long as the [`HostRam`] does.
//!
//! What differs between hosts is in `host_ram/unix.rs` and
//! `host_ram/windows.rs`; both offer a `Reservation`.
#![expect(
    unsafe_code,
    reason = "raw memory shared with compiled code; every access is checked"
)]

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::{io, ptr};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix::Reservation;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows::Reservation;

/// An address in our own process, within guest RAM.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostAddress(pub u64);

impl HostAddress {
    /// The address `bytes` further on.
    #[inline(always)]
    #[must_use]
    pub const fn wrapping_add(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

/// Why guest RAM could not be had.
#[derive(Debug, thiserror::Error)]
pub enum HostRamError {
    /// The size is zero or does not fit the host's address space.
    #[error("cannot reserve {bytes} bytes for guest memory: the size is out of range")]
    Size {
        /// What was asked for.
        bytes: u64,
    },
    /// The host refused.
    #[error("the host refused to reserve {bytes} bytes for guest memory")]
    Refused {
        /// What was asked for.
        bytes: u64,
        /// What the host said.
        #[source]
        source: io::Error,
    },
}

/// An integer, or two, that guest memory can be read and written as.
///
/// Values are little-endian in guest memory on every host.
pub trait Word: Copy + Eq + Default + sealed::Atomic + 'static {
    /// Its size in bytes.
    const SIZE: u64;
    /// From the byte order of guest memory to the host's, or back.
    #[must_use]
    fn swap_to_guest(self) -> Self;
    /// Takes it from the first bytes of `bytes`; missing ones are zero.
    #[must_use]
    fn from_guest_bytes(bytes: &[u8]) -> Self;
    /// Puts it into the first bytes of `bytes`; what does not fit is dropped.
    fn to_guest_bytes(self, bytes: &mut [u8]);
}

mod sealed {
    /// Closes [`super::Word`] and holds its one unsafe operation.
    pub trait Atomic: Sized {
        /// Replaces `current` by `new`; the old value tells who was there.
        ///
        /// # Safety
        /// `pointer` is valid for reads and writes of `Self`.
        unsafe fn compare_exchange(
            pointer: *mut Self,
            current: Self,
            new: Self,
        ) -> Result<Self, Self>;
    }
}

macro_rules! word {
    ($($word:ident)*) => {$(
        impl Word for $word {
            const SIZE: u64 = size_of::<$word>() as u64;
            #[inline(always)]
            fn swap_to_guest(self) -> Self {
                self.to_le()
            }
            #[inline]
            fn from_guest_bytes(bytes: &[u8]) -> Self {
                let mut all = [0; size_of::<$word>()];
                let size = bytes.len().min(all.len());
                all[..size].copy_from_slice(&bytes[..size]);
                $word::from_le_bytes(all)
            }
            #[inline]
            fn to_guest_bytes(self, bytes: &mut [u8]) {
                let all = self.to_le_bytes();
                let size = bytes.len().min(all.len());
                bytes[..size].copy_from_slice(&all[..size]);
            }
        }
    )*};
}
word!(u8 u16 u32 u64 u128);

/// 256 bits, the low half first.
impl Word for [u128; 2] {
    const SIZE: u64 = 32;
    #[inline(always)]
    fn swap_to_guest(self) -> Self {
        self.map(u128::to_le)
    }
    #[inline]
    fn from_guest_bytes(bytes: &[u8]) -> Self {
        let (low, high) = bytes.split_at(bytes.len().min(16));
        [low, high].map(u128::from_guest_bytes)
    }
    #[inline]
    fn to_guest_bytes(self, bytes: &mut [u8]) {
        let (low, high) = bytes.split_at_mut(bytes.len().min(16));
        self[0].to_guest_bytes(low);
        self[1].to_guest_bytes(high);
    }
}

macro_rules! atomic_word {
    ($($word:ident $atomic:ident)*) => {$(
        impl sealed::Atomic for $word {
            #[inline]
            unsafe fn compare_exchange(p: *mut $word, current: $word, new: $word) -> Result<$word, $word> {
                if !p.is_aligned() {
                    // SAFETY: the caller vouches for `p`.
                    return unsafe { plain_compare_exchange(p, current, new) };
                }
                // SAFETY: the caller vouches for `p`, and it is aligned.
                let atomic = unsafe { $atomic::from_ptr(p) };
                atomic.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
            }
        }
    )*};
}
atomic_word!(u8 AtomicU8 u16 AtomicU16 u32 AtomicU32 u64 AtomicU64);

macro_rules! plain_word {
    ($($word:ty)*) => {$(
        impl sealed::Atomic for $word {
            #[inline]
            unsafe fn compare_exchange(p: *mut $word, current: $word, new: $word) -> Result<$word, $word> {
                // SAFETY: the caller vouches for `p`.
                unsafe { plain_compare_exchange(p, current, new) }
            }
        }
    )*};
}
plain_word!(u128 [u128; 2]);

/// For what the host's atomics do not cover: split locks, 16 and 32 bytes.
///
/// # Safety
/// `pointer` is valid for reads and writes of `T`.
unsafe fn plain_compare_exchange<T: Copy + Eq>(
    pointer: *mut T,
    current: T,
    new: T,
) -> Result<T, T> {
    // SAFETY: the caller vouches for `pointer`.
    let found = unsafe { pointer.read_unaligned() };
    if found == current {
        // SAFETY: the caller vouches for `pointer`.
        unsafe { pointer.write_unaligned(new) };
        Ok(found)
    } else {
        Err(found)
    }
}

/// A reserved host range: zero-filled, and committed where it is touched.
///
/// Methods take `&self`: the bytes belong to the guest, whose processors and
/// devices may race for them as on real hardware. No Rust reference into the
/// range is ever made.
#[derive(Debug)]
pub struct HostRam {
    base: u64,
    bytes: u64,
    reservation: Reservation,
}

impl HostRam {
    /// Reserves `bytes` bytes, rounded up to whole pages.
    ///
    /// # Errors
    /// The size is out of range, or the host has no room.
    pub fn reserve(bytes: u64) -> Result<Self, HostRamError> {
        let size = bytes
            .checked_next_multiple_of(crate::PAGE_SIZE)
            .filter(|size| (1..=1 << 46).contains(size))
            .and_then(|size| usize::try_from(size).ok())
            .ok_or(HostRamError::Size { bytes })?;
        let reservation =
            Reservation::new(size).map_err(|source| HostRamError::Refused { bytes, source })?;
        let base = reservation.base().expose_provenance() as u64;
        Ok(Self {
            base,
            bytes: size as u64,
            reservation,
        })
    }

    /// Where the range begins in our address space.
    #[inline(always)]
    #[must_use]
    pub fn base(&self) -> HostAddress {
        HostAddress(self.base)
    }

    /// The size of the range in bytes.
    #[inline(always)]
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sees to it that `bytes` bytes from `offset` on may be touched.
    ///
    /// Nothing to do where the host commits by itself (Unix).
    #[inline(always)]
    pub fn commit(&self, offset: u64, bytes: u64) {
        self.reservation.commit(offset, bytes);
    }

    /// Loads a word from committed memory at any alignment.
    ///
    /// # Panics
    /// `address` is not within the range. Guests cannot cause this: host
    /// addresses come from [`crate::PhysicalMemory::resolve`] and the TLB.
    #[inline(always)]
    #[must_use]
    pub fn load<T: Word>(&self, address: HostAddress) -> T {
        let pointer = self.pointer::<T>(address);
        // SAFETY: `pointer` checked that the word lies within our range, which
        // is mapped for reading and writing until `self` is dropped.
        unsafe { pointer.read_unaligned() }.swap_to_guest()
    }

    /// Stores a word to committed memory at any alignment.
    ///
    /// # Panics
    /// As for [`HostRam::load`].
    #[inline(always)]
    pub fn store<T: Word>(&self, address: HostAddress, value: T) {
        let pointer = self.pointer::<T>(address);
        // SAFETY: as in `load`; nobody holds a reference into the range.
        unsafe { pointer.write_unaligned(value.swap_to_guest()) };
    }

    /// Replaces `current` by `new` in one step if aligned and at most 8 bytes.
    ///
    /// # Errors
    /// The value found there, if it is not `current`.
    ///
    /// # Panics
    /// As for [`HostRam::load`].
    #[inline]
    pub fn compare_exchange<T: Word>(
        &self,
        address: HostAddress,
        current: T,
        new: T,
    ) -> Result<T, T> {
        let pointer = self.pointer::<T>(address);
        let (current, new) = (current.swap_to_guest(), new.swap_to_guest());
        // SAFETY: `pointer` checked that the word lies within our range.
        let result = unsafe { T::compare_exchange(pointer, current, new) };
        match result {
            Ok(found) => Ok(found.swap_to_guest()),
            Err(found) => Err(found.swap_to_guest()),
        }
    }

    /// Copies `bytes.len()` bytes from `offset` on out of the range.
    ///
    /// # Panics
    /// The bytes are not all within the range.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) {
        let source = self.span(offset, bytes.len());
        // SAFETY: `span` checked and committed the bytes. `bytes` is a Rust
        // slice, so it does not overlap the range.
        unsafe { ptr::copy_nonoverlapping(source, bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Copies `bytes` into the range, from `offset` on.
    ///
    /// # Panics
    /// The bytes are not all within the range.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        let target = self.span(offset, bytes.len());
        // SAFETY: as in `read`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    }

    /// Copies `length` bytes from `from` to `to`, as if there were a buffer between them.
    ///
    /// # Panics
    /// The bytes are not all within the range.
    pub fn copy(&self, from: u64, to: u64, length: u64) {
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        let (source, target) = (self.span(from, size), self.span(to, size));
        // SAFETY: `span` checked and committed the bytes of both.
        unsafe { ptr::copy(source, target, size) };
    }

    /// Sets `length` bytes from `offset` on to `value`.
    ///
    /// # Panics
    /// The bytes are not all within the range.
    pub fn fill(&self, offset: u64, length: u64, value: u8) {
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        let target = self.span(offset, size);
        // SAFETY: `span` checked and committed the bytes.
        unsafe { target.write_bytes(value, size) };
    }

    /// Gives the host back what it spent on these bytes; they read as zeros.
    ///
    /// # Panics
    /// The bytes are not all within the range.
    pub fn discard(&self, offset: u64, length: u64) {
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        self.span(offset, size);
        if !self.reservation.discard(offset, length) {
            self.fill(offset, length, 0);
        }
    }

    /// The pointer to a word, once it is known to lie within the range.
    #[inline(always)]
    fn pointer<T: Word>(&self, address: HostAddress) -> *mut T {
        // `bytes` is at least a page, so the subtraction cannot wrap.
        if address.0.wrapping_sub(self.base) > self.bytes.wrapping_sub(T::SIZE) {
            out_of_range(address);
        }
        ptr::with_exposed_provenance_mut(address.0 as usize)
    }

    /// The pointer to the first of `size` bytes within the range.
    fn span(&self, offset: u64, size: usize) -> *mut u8 {
        let inside = (size as u64) <= self.bytes && offset <= self.bytes - size as u64;
        let address = self.base().wrapping_add(offset);
        if !inside {
            out_of_range(address);
        }
        self.commit(offset, size as u64);
        ptr::with_exposed_provenance_mut(address.0 as usize)
    }
}

#[cold]
#[inline(never)]
fn out_of_range(address: HostAddress) -> ! {
    panic!("host address {:#x} is not guest memory", address.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Word + std::fmt::Debug>(ram: &HostRam, bytes: &[u8]) {
        for offset in [0, 1, 4095, 4096, 8192 - T::SIZE] {
            let host = ram.base().wrapping_add(offset);
            let value = T::from_guest_bytes(bytes);
            ram.fill(0, 8192, 0);
            ram.store(host, value);
            assert_eq!(ram.load::<T>(host), value);
            let mut found = [0; 32];
            ram.read(offset, &mut found[..T::SIZE as usize]);
            assert_eq!(found[..T::SIZE as usize], bytes[..T::SIZE as usize]);
            let zero = T::default();
            assert_eq!(ram.compare_exchange(host, zero, zero), Err(value));
            assert_eq!(ram.compare_exchange(host, value, zero), Ok(value));
            assert_eq!(ram.load::<T>(host), zero);
        }
    }

    #[test]
    fn words_lie_in_memory_with_their_lowest_byte_first() {
        let ram = HostRam::reserve(8192).unwrap();
        let bytes: [u8; 32] = std::array::from_fn(|n| 0x81 + n as u8);
        round_trip::<u8>(&ram, &bytes);
        round_trip::<u16>(&ram, &bytes);
        round_trip::<u32>(&ram, &bytes);
        round_trip::<u64>(&ram, &bytes);
        round_trip::<u128>(&ram, &bytes);
        round_trip::<[u128; 2]>(&ram, &bytes);
        let mut short = [0; 3];
        0x1122_3344_u32.to_guest_bytes(&mut short);
        assert_eq!(short, [0x44, 0x33, 0x22]);
        assert_eq!(u64::from_guest_bytes(&short), 0x22_3344);
    }

    #[test]
    fn copies_may_overlap() {
        let ram = HostRam::reserve(8192).unwrap();
        for (from, to) in [(10, 4000), (10, 13), (13, 10), (10, 10)] {
            ram.write(10, b"0123456789");
            let mut before = [0; 10];
            ram.read(from, &mut before);
            ram.copy(from, to, 10);
            let mut found = [0; 10];
            ram.read(to, &mut found);
            assert_eq!(found, before);
        }
    }

    #[test]
    fn discarded_memory_reads_as_zeros() {
        let ram = HostRam::reserve(1 << 20).unwrap();
        for (offset, bytes) in [(0, 1 << 20), (0x1_0000, 0x2_0000), (0x1234, 0x4321)] {
            ram.fill(0, 1 << 20, 0xee);
            ram.discard(offset, bytes);
            let mut found = vec![0; 1 << 20];
            ram.read(0, &mut found);
            let expected = |n: u64| {
                if (offset..offset + bytes).contains(&n) {
                    0
                } else {
                    0xee
                }
            };
            assert!((0..).zip(&found).all(|(n, &byte)| byte == expected(n)));
        }
    }

    #[test]
    #[should_panic(expected = "is not guest memory")]
    fn a_word_across_the_end_is_refused() {
        let ram = HostRam::reserve(4096).unwrap();
        let _ = ram.load::<u64>(ram.base().wrapping_add(4089));
    }

    #[test]
    #[should_panic(expected = "is not guest memory")]
    fn a_word_before_the_start_is_refused() {
        let ram = HostRam::reserve(4096).unwrap();
        ram.store(HostAddress(ram.base().0 - 1), 0_u16);
    }

    #[test]
    #[should_panic(expected = "is not guest memory")]
    fn bytes_beyond_the_end_are_refused() {
        let ram = HostRam::reserve(4096).unwrap();
        ram.read(u64::MAX, &mut [0; 2]);
    }
}
