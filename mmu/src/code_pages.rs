//! Which bytes of RAM hold translated code.
//!
//! Whoever translates guest code marks the bytes it read. A page with a mark
//! gets no write tag in any TLB, so each store to it takes the slow path and
//! arrives here; so do stores by DMA. A store that overlaps a marked byte
//! is put on a list, from which the translators learn what to throw away.
//!
//! DOS programs mix code and data, so a store beside the code has a shorter way:
//! the TLB's entry leads to the page's marks, and compiled code looks at them by
//! itself ([`crate::Tlb::MARKS_BYTES`]).
//!
//! Every processor has its translator, and reads the list at its own pace, with
//! a [`CodeCursor`]. The first that learns of a store clears the page's marks
//! and marks anew what it keeps. From then on nobody is told of stores to what
//! others had translated from that page, so they forget all of it. Code also
//! goes when its address comes to lead to other memory ([`CodeMarks::note_move`]).
//!
//! Marks belong to the backing, not to the physical address: code that is
//! mapped twice is found through either address.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::address::{PAGE_SIZE, PhysicalAddress};
use crate::dirty_pages::{bitmap, place};
use crate::physical::PhysicalMemory;

/// Words of marks for a page, a bit for each byte, and one more: whoever reads eight bytes
/// from any byte on stays within them.
const WORDS: usize = PAGE_SIZE as usize / 64 + 1;

/// The marks of one page.
type Marks = [AtomicU64; WORDS];

const _: () = assert!(size_of::<Marks>() as u64 >= crate::Tlb::MARKS_BYTES);

/// Which bytes of one page hold code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeBytes([u64; WORDS]);

impl Default for CodeBytes {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl CodeBytes {
    /// Adds the bytes from `start`, as far as they lie in its page.
    pub fn add(&mut self, start: PhysicalAddress, bytes: u64) {
        let first = start.0 & !crate::PAGE_MASK;
        let Some(more) = bytes.checked_sub(1) else {
            return;
        };
        let last = first.saturating_add(more).min(PAGE_SIZE - 1);
        for (word, new) in words(first, last) {
            self.0[word] |= new;
        }
    }
}

/// How many pages share a [`Chunk`].
const CHUNK_PAGES: usize = 512;

/// The marks of 2 MiB, made where code is found. They stay where they are from then on.
type Chunk = OnceLock<Box<[OnceLock<Box<Marks>>; CHUNK_PAGES]>>;

/// How many events are kept for those who come late; who comes later still
/// forgets everything.
const MOST_EVENTS: usize = 4096;

/// Something that happened to code.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A store, by offset in the backing.
    Store {
        offset: u64,
        bytes: u64,
        /// Somebody has learnt of it.
        is_known: bool,
    },
    /// A range of addresses leads elsewhere now.
    Move { start: u64, bytes: u64 },
}

/// The events of late, numbered from the first ever.
#[derive(Debug, Default)]
struct Events {
    /// The number of the first one kept.
    first: u64,
    kept: VecDeque<Event>,
}

impl Events {
    fn next(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    fn push(&mut self, event: Event) {
        if self.kept.len() >= MOST_EVENTS {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(event);
    }
}

/// How far somebody has read the list of what happened to code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodeCursor(u64);

/// What happened to translated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeChange {
    /// A store. What was translated from these bytes is to be forgotten; what
    /// else was translated from their pages is to be kept and marked again,
    /// after [`CodePages::clear_page`] for each of them.
    Written(PhysicalAddress, u64),
    /// Everything translated from these pages is to be forgotten, and marks are
    /// to be left alone.
    Gone(PhysicalAddress, u64),
}

/// What a processor has to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeChanges {
    /// All that it has translated: it comes too late for details.
    All,
    /// These.
    Some(Vec<CodeChange>),
}

/// The marks, by offset in the backing.
#[derive(Debug)]
pub(crate) struct CodeMarks {
    pages: Box<[AtomicU64]>,
    /// Looked at by each store to a page with code, so without a lock.
    chunks: Box<[Chunk]>,
    events: Mutex<Events>,
    /// The number of the next event.
    next_event: AtomicU64,
    /// How often a page that held no code came to hold some.
    generation: AtomicU64,
}

impl CodeMarks {
    pub(crate) fn new(bytes: u64) -> Self {
        let chunk_bytes = CHUNK_PAGES as u64 * PAGE_SIZE;
        let chunks = 0..bytes.div_ceil(chunk_bytes);
        Self {
            pages: bitmap(bytes),
            chunks: chunks.map(|_| OnceLock::new()).collect(),
            events: Mutex::default(),
            next_event: AtomicU64::new(0),
            generation: AtomicU64::new(0),
        }
    }

    /// The chunk that holds a page's marks, and the page's place in it.
    #[inline]
    fn chunk(&self, page: u64) -> Option<(&Chunk, usize)> {
        let number = (page / PAGE_SIZE) as usize;
        let chunk = self.chunks.get(number / CHUNK_PAGES)?;
        Some((chunk, number % CHUNK_PAGES))
    }

    /// The marks of a page, if it ever had one.
    #[inline]
    fn marks(&self, page: u64) -> Option<&Marks> {
        let (chunk, index) = self.chunk(page)?;
        Some(chunk.get()?.get(index)?.get()?)
    }

    /// Where the marks of the page around an offset are, for compiled code; zero if it
    /// never had one.
    pub(crate) fn marks_address(&self, offset: u64) -> u64 {
        self.marks(offset & crate::PAGE_MASK)
            .map_or(0, |marks| marks.as_ptr().expose_provenance() as u64)
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
            is_new |= self.mark_page(page, words(first, last));
        });
        is_new
    }

    /// Adds marks to those of a page. True if it was no code page before, and is one now.
    fn mark_page(&self, page: u64, code: impl Iterator<Item = (usize, u64)>) -> bool {
        let Some((chunk, index)) = self.chunk(page) else {
            return false;
        };
        let marks = chunk.get_or_init(empty_chunk)[index].get_or_init(empty_page);
        for (word, new) in code {
            marks[word].fetch_or(new, Ordering::Relaxed);
        }
        // Whoever sees the page's bit sees its marks.
        let (word, bit) = place(page);
        self.pages
            .get(word)
            .is_some_and(|word| word.fetch_or(bit, Ordering::Release) & bit == 0)
    }

    /// Whether a store overlaps marked bytes.
    pub(crate) fn overlaps(&self, offset: u64, bytes: u64) -> bool {
        let mut found = false;
        for_each_page(offset, bytes, |page, first, last| {
            found = found || self.is_code_page(page) && self.page_overlaps(page, first, last);
        });
        found
    }

    fn page_overlaps(&self, page: u64, first: u64, last: u64) -> bool {
        self.marks(page).is_some_and(|marks| {
            words(first, last)
                .any(|(word, wanted)| marks[word].load(Ordering::Relaxed) & wanted != 0)
        })
    }

    fn clear_page(&self, offset: u64) {
        let (word, bit) = place(offset);
        if let Some(word) = self.pages.get(word) {
            word.fetch_and(!bit, Ordering::Release);
        }
        clear(self.marks(offset & crate::PAGE_MASK));
    }

    fn clear_all(&self) {
        // A chunk's pages fill whole words of the bitmap.
        for (chunk, words) in self.chunks.iter().zip(self.pages.chunks(CHUNK_PAGES / 64)) {
            if let Some(chunk) = chunk.get() {
                for word in words {
                    word.store(0, Ordering::Release);
                }
                clear(chunk.iter().filter_map(|page| Some(&**page.get()?)));
            }
        }
        let mut events = lock(&self.events);
        events.first = events.next();
        events.kept.clear();
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
        let (start, more) = (page + first, last - first + 1);
        let mut events = lock(&self.events);
        if let Some(Event::Store {
            offset,
            bytes,
            is_known: false,
        }) = events.kept.back_mut()
            && *offset + *bytes == start
        {
            *bytes += more;
            return;
        }
        events.push(Event::Store {
            offset: start,
            bytes: more,
            is_known: false,
        });
        self.next_event.store(events.next(), Ordering::Release);
    }

    /// Takes note that addresses which led to `offset` lead elsewhere.
    pub(crate) fn note_move(&self, start: u64, bytes: u64, offset: u64) {
        let mut has_code = false;
        for_each_page(offset, bytes, |page, _, _| {
            has_code = has_code || self.is_code_page(page);
        });
        if has_code {
            let mut events = lock(&self.events);
            events.push(Event::Move { start, bytes });
            self.next_event.store(events.next(), Ordering::Release);
        }
    }

    /// The events after those that `cursor` has seen; none if some are lost.
    fn take_events(&self, cursor: &mut CodeCursor) -> Option<Vec<Event>> {
        let mut events = lock(&self.events);
        let seen = cursor.0.checked_sub(events.first);
        *cursor = CodeCursor(events.next());
        let seen = usize::try_from(seen?).ok()?;
        let mut taken = Vec::new();
        for event in events.kept.iter_mut().skip(seen) {
            taken.push(*event);
            if let Event::Store { is_known, .. } = event {
                *is_known = true;
            }
        }
        Some(taken)
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
    /// its write tags for it, which [`crate::Mmu::mark_code`] and
    /// [`crate::Mmu::sync_map`] do.
    pub(crate) fn mark(&self, start: PhysicalAddress, bytes: u64) -> bool {
        let mut is_new = false;
        self.memory.for_each_span(start, bytes, |offset, bytes| {
            is_new |= self.marks.mark(offset, bytes);
        });
        if is_new {
            self.marks.generation.fetch_add(1, Ordering::AcqRel);
        }
        is_new
    }

    /// Marks what is left of the page around `page`, whose marks were cleared for
    /// the sake of another part of it: nobody has got a write tag since.
    pub fn mark_again(&self, page: PhysicalAddress, code: &CodeBytes) {
        let marked = code.0.iter().copied().enumerate();
        let mut marked = marked.filter(|&(_, word)| word != 0).peekable();
        if marked.peek().is_some()
            && let Some(offset) = self.memory.offset_of(page)
        {
            self.marks.mark_page(offset & crate::PAGE_MASK, marked);
        }
    }

    /// Counts pages that came to hold code.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.marks.generation.load(Ordering::Acquire)
    }

    /// The end of the list of what happened.
    pub(crate) fn cursor(&self) -> CodeCursor {
        CodeCursor(self.marks.next_event.load(Ordering::Acquire))
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

    /// True if something happened to code since `cursor`.
    #[inline(always)]
    pub(crate) fn has_changes(&self, cursor: CodeCursor) -> bool {
        self.marks.next_event.load(Ordering::Acquire) != cursor.0
    }

    /// What happened to code since `cursor`, which moves to the end.
    ///
    /// Memory that is mapped more than once is listed at each of its
    /// addresses.
    pub(crate) fn take_changes(&self, cursor: &mut CodeCursor) -> CodeChanges {
        let Some(events) = self.marks.take_events(cursor) else {
            return CodeChanges::All;
        };
        let mut changes = Vec::new();
        for event in events {
            match event {
                Event::Store {
                    offset,
                    bytes,
                    is_known,
                } => self.memory.for_each_address(offset, bytes, |start, bytes| {
                    changes.push(if is_known {
                        CodeChange::Gone(start, bytes)
                    } else {
                        CodeChange::Written(start, bytes)
                    });
                }),
                Event::Move { start, bytes } => {
                    changes.push(CodeChange::Gone(PhysicalAddress(start), bytes));
                }
            }
        }
        CodeChanges::Some(changes)
    }
}

/// No mark of a whole chunk.
fn empty_chunk() -> Box<[OnceLock<Box<Marks>>; CHUNK_PAGES]> {
    Box::new([const { OnceLock::new() }; CHUNK_PAGES])
}

/// No mark of a page.
fn empty_page() -> Box<Marks> {
    Box::new([const { AtomicU64::new(0) }; WORDS])
}

fn clear<'a>(pages: impl IntoIterator<Item = &'a Marks>) {
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

/// The words of marks from offset `first` to offset `last` of a page, both included, and
/// their bits.
#[inline]
fn words(first: u64, last: u64) -> impl Iterator<Item = (usize, u64)> {
    (first / 64..=last / 64).map(move |word| {
        let low = first.saturating_sub(word * 64);
        let high = (last - word * 64).min(63);
        let bits = (u64::MAX << low) & (u64::MAX >> (63 - high));
        (word as usize % WORDS, bits)
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
