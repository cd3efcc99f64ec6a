//! Which bytes of RAM hold translated code, to 16-byte granules.
//!
//! Whoever translates guest code marks the bytes it read. A page with a mark
//! gets no write tag in any TLB, so each store to it takes the slow path and
//! arrives here; so do stores by DMA. A store that overlaps a marked granule
//! is put on a list, from which the translator learns what to throw away. A
//! store beside the code only costs the slow path: DOS programs mix both.
//!
//! Marks belong to the backing, not to the physical address: code that is
//! mapped twice is found through either address.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::address::{PAGE_SIZE, PhysicalAddress};
use crate::dirty_pages::{bitmap, place};
use crate::physical::PhysicalMemory;

const GRANULE_BITS: u32 = 4;

/// The granules of one page.
type Granules = [AtomicU64; 4];

/// How many pages share a [`Chunk`].
const CHUNK_PAGES: usize = 512;

/// The granules of 2 MiB, made when the first code is found there.
type Chunk = OnceLock<Box<[Granules; CHUNK_PAGES]>>;

/// The marks, by offset in the backing.
#[derive(Debug)]
pub(crate) struct CodeMarks {
    pages: Box<[AtomicU64]>,
    /// Looked at by each store to a page with code, so without a lock.
    chunks: Box<[Chunk]>,
    writes: Mutex<Vec<(u64, u64)>>,
    has_writes: AtomicBool,
}

impl CodeMarks {
    pub(crate) fn new(bytes: u64) -> Self {
        let chunk_bytes = CHUNK_PAGES as u64 * PAGE_SIZE;
        let chunks = 0..bytes.div_ceil(chunk_bytes);
        Self {
            pages: bitmap(bytes),
            chunks: chunks.map(|_| OnceLock::new()).collect(),
            writes: Mutex::default(),
            has_writes: AtomicBool::new(false),
        }
    }

    /// The chunk that holds a page's granules, and the page's place in it.
    #[inline]
    fn chunk(&self, page: u64) -> Option<(&Chunk, usize)> {
        let number = (page / PAGE_SIZE) as usize;
        let chunk = self.chunks.get(number / CHUNK_PAGES)?;
        Some((chunk, number % CHUNK_PAGES))
    }

    /// The granules of a page, if any near it were ever marked.
    #[inline]
    fn granules(&self, page: u64) -> Option<&Granules> {
        let (chunk, index) = self.chunk(page)?;
        chunk.get()?.get(index)
    }

    #[inline(always)]
    pub(crate) fn is_code_page(&self, offset: u64) -> bool {
        let (word, bit) = place(offset);
        self.pages
            .get(word)
            .is_some_and(|w| w.load(Ordering::Acquire) & bit != 0)
    }

    /// True if a page was no code page before.
    fn mark(&self, offset: u64, bytes: u64) -> bool {
        let mut is_new = false;
        for_each_page(offset, bytes, |page, first, last| {
            let Some((chunk, index)) = self.chunk(page) else {
                return;
            };
            let chunk = chunk.get_or_init(empty_chunk);
            for (marks, new) in chunk[index].iter().zip(granule_mask(first, last)) {
                marks.fetch_or(new, Ordering::Relaxed);
            }
            // Whoever sees the page's bit sees its granules.
            let (word, bit) = place(page);
            if let Some(word) = self.pages.get(word) {
                is_new |= word.fetch_or(bit, Ordering::Release) & bit == 0;
            }
        });
        is_new
    }

    fn overlaps(&self, offset: u64, bytes: u64) -> bool {
        let mut found = false;
        for_each_page(offset, bytes, |page, first, last| {
            found = found || self.is_code_page(page) && self.page_overlaps(page, first, last);
        });
        found
    }

    fn page_overlaps(&self, page: u64, first: u64, last: u64) -> bool {
        self.granules(page).is_some_and(|marks| {
            let wanted = granule_mask(first, last);
            let hit =
                |(marks, wanted): (&AtomicU64, u64)| marks.load(Ordering::Relaxed) & wanted != 0;
            marks.iter().zip(wanted).any(hit)
        })
    }

    fn clear_page(&self, offset: u64) {
        let (word, bit) = place(offset);
        if let Some(word) = self.pages.get(word) {
            word.fetch_and(!bit, Ordering::Release);
        }
        clear(self.granules(offset & crate::PAGE_MASK));
    }

    fn clear_all(&self) {
        // A chunk's pages fill whole words of the bitmap.
        for (chunk, words) in self.chunks.iter().zip(self.pages.chunks(CHUNK_PAGES / 64)) {
            if let Some(chunk) = chunk.get() {
                for word in words {
                    word.store(0, Ordering::Release);
                }
                clear(chunk.iter());
            }
        }
        self.take_writes();
    }

    /// Takes note of a store of `bytes` bytes.
    #[inline]
    pub(crate) fn note_write(&self, offset: u64, bytes: u64) {
        for_each_page(offset, bytes, |page, first, last| {
            if self.is_code_page(page) {
                self.note_page_write(page, first, last);
            }
        });
    }

    #[cold]
    fn note_page_write(&self, page: u64, first: u64, last: u64) {
        if !self.page_overlaps(page, first, last) {
            return;
        }
        let (start, bytes) = (page + first, last - first + 1);
        let mut writes = lock(&self.writes);
        match writes.last_mut() {
            Some((before, length)) if *before + *length == start => *length += bytes,
            _ => writes.push((start, bytes)),
        }
        self.has_writes.store(true, Ordering::Release);
    }

    fn take_writes(&self) -> Vec<(u64, u64)> {
        let mut writes = lock(&self.writes);
        self.has_writes.store(false, Ordering::Release);
        std::mem::take(&mut *writes)
    }
}

/// The bytes of RAM that hold translated code, by physical address.
///
/// Got from [`PhysicalMemory::code_pages`]. Addresses where there is neither
/// RAM nor ROM are ignored.
#[derive(Clone, Copy, Debug)]
pub struct CodePages<'a> {
    memory: &'a PhysicalMemory,
    marks: &'a CodeMarks,
}

impl<'a> CodePages<'a> {
    pub(crate) fn new(memory: &'a PhysicalMemory, marks: &'a CodeMarks) -> Self {
        Self { memory, marks }
    }

    /// Marks `bytes` bytes as holding translated code.
    ///
    /// True if a page was no code page before: every processor must then drop
    /// its write tags for it, by [`crate::Mmu::flush_code_page`].
    pub fn mark(&self, start: PhysicalAddress, bytes: u64) -> bool {
        let mut is_new = false;
        self.memory.for_each_span(start, bytes, |offset, bytes| {
            is_new |= self.marks.mark(offset, bytes);
        });
        is_new
    }

    /// True if the page around `page` holds translated code.
    #[inline]
    #[must_use]
    pub fn is_code_page(&self, page: PhysicalAddress) -> bool {
        self.memory
            .offset_of(page)
            .is_some_and(|offset| self.marks.is_code_page(offset))
    }

    /// True if any of these bytes may hold translated code.
    #[must_use]
    pub fn overlaps(&self, start: PhysicalAddress, bytes: u64) -> bool {
        let mut found = false;
        self.memory.for_each_span(start, bytes, |offset, bytes| {
            found = found || self.marks.overlaps(offset, bytes);
        });
        found
    }

    /// Forgets the marks of the page around `page`: its translations are gone.
    pub fn clear_page(&self, page: PhysicalAddress) {
        if let Some(offset) = self.memory.offset_of(page) {
            self.marks.clear_page(offset);
        }
    }

    /// Forgets all marks and the list: there are no translations left.
    pub fn clear_all(&self) {
        self.marks.clear_all();
    }

    /// True if translated code was overwritten since the list was taken.
    #[inline(always)]
    #[must_use]
    pub fn has_code_writes(&self) -> bool {
        self.marks.has_writes.load(Ordering::Acquire)
    }

    /// Takes the list of stores that hit translated code: start and bytes.
    ///
    /// Memory that is mapped more than once is listed at each of its
    /// addresses.
    #[must_use]
    pub fn take_code_writes(&self) -> Vec<(PhysicalAddress, u64)> {
        let mut list = Vec::new();
        for (offset, bytes) in self.marks.take_writes() {
            self.memory
                .for_each_address(offset, bytes, |start, bytes| list.push((start, bytes)));
        }
        list
    }
}

/// No granule of a whole chunk.
fn empty_chunk() -> Box<[Granules; CHUNK_PAGES]> {
    Box::new([const { [const { AtomicU64::new(0) }; 4] }; CHUNK_PAGES])
}

fn clear<'a>(pages: impl IntoIterator<Item = &'a Granules>) {
    for word in pages.into_iter().flatten() {
        word.store(0, Ordering::Relaxed);
    }
}

/// Calls `act` with page, first and last offset in it, for each page.
#[inline(always)]
fn for_each_page(offset: u64, bytes: u64, mut act: impl FnMut(u64, u64, u64)) {
    let mut at = offset;
    let end = offset.saturating_add(bytes);
    while at < end {
        let page = at & crate::PAGE_MASK;
        let next = page.saturating_add(PAGE_SIZE).min(end);
        act(page, at - page, next - 1 - page);
        at = next;
    }
}

/// The granules from offset `first` to offset `last`, both included.
fn granule_mask(first: u64, last: u64) -> [u64; 4] {
    let (first, last) = (first >> GRANULE_BITS, last >> GRANULE_BITS);
    std::array::from_fn(|word| {
        let base = word as u64 * 64;
        if last < base || first >= base + 64 {
            return 0;
        }
        let low = first.saturating_sub(base);
        let high = (last - base).min(63);
        (u64::MAX << low) & (u64::MAX >> (63 - high))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
