//! Which pages of RAM were written since somebody last asked.
//!
//! A page becomes dirty when a write tag for it enters a TLB, or when it is
//! written without one. Taking the dirty pages starts a new generation, which
//! makes every [`crate::Mmu`] drop its write tags at its next
//! [`crate::Mmu::sync_map`], so that later stores are seen again.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::address::{PAGE_BITS, PAGE_SIZE};

/// One bit for each 4 KiB page of the backing.
#[derive(Debug)]
pub struct DirtyPages {
    words: Box<[AtomicU64]>,
    generation: AtomicU64,
}

impl DirtyPages {
    /// Clean pages for a backing of `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            words: bitmap(bytes),
            generation: AtomicU64::new(0),
        }
    }

    /// Counts how often dirty pages were taken.
    #[inline(always)]
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// True if the page of the backing at `offset` is dirty.
    #[inline]
    pub(crate) fn is_dirty(&self, offset: u64) -> bool {
        let (word, bit) = place(offset);
        self.words
            .get(word)
            .is_some_and(|w| w.load(Ordering::Relaxed) & bit != 0)
    }

    /// Makes the page at `offset` dirty.
    #[inline]
    pub(crate) fn set(&self, offset: u64) {
        let (word, bit) = place(offset);
        if let Some(word) = self.words.get(word)
            && word.load(Ordering::Relaxed) & bit == 0
        {
            word.fetch_or(bit, Ordering::Release);
        }
    }

    /// Cleans all pages and calls `dirty` with the offset of each dirty one.
    pub(crate) fn take(&self, mut dirty: impl FnMut(u64)) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        for (index, word) in self.words.iter().enumerate() {
            if word.load(Ordering::Relaxed) != 0 {
                for_each_bit(word.swap(0, Ordering::AcqRel), |bit| {
                    dirty((index as u64 * 64 + bit) * PAGE_SIZE);
                });
            }
        }
    }

    /// Cleans the page at `offset`; true if it was dirty.
    pub(crate) fn take_page(&self, offset: u64) -> bool {
        let (word, bit) = place(offset);
        self.words
            .get(word)
            .is_some_and(|w| w.fetch_and(!bit, Ordering::AcqRel) & bit != 0)
    }

    /// Starts a new generation.
    pub(crate) fn begin_generation(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

/// A bitmap of the pages of `bytes` bytes, all clear.
pub(crate) fn bitmap(bytes: u64) -> Box<[AtomicU64]> {
    let words = (bytes >> PAGE_BITS).div_ceil(64);
    (0..words).map(|_| AtomicU64::new(0)).collect()
}

/// Where a bitmap of pages keeps the page at `offset`.
#[inline(always)]
pub(crate) fn place(offset: u64) -> (usize, u64) {
    let page = offset >> PAGE_BITS;
    ((page / 64) as usize, 1 << (page % 64))
}

/// Calls `act` with the number of each bit that is set.
#[inline]
pub(crate) fn for_each_bit(mut word: u64, mut act: impl FnMut(u64)) {
    while word != 0 {
        act(u64::from(word.trailing_zeros()));
        word &= word - 1;
    }
}
