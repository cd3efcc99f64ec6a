//! The first-level TLB, in the layout that compiled code reads.
//!
//! One direct-mapped table of 1024 entries for each [`View`]. An access hits if
//! `(address ^ tag) <= 4096 - size`, unsigned: on the right page the xor leaves
//! the offset, so the one compare tests tag, validity and page crossing. The
//! host address is then that offset in `host_page`.
//!
//! Stores to a page with translated code have no tag. If nothing else is against them, the
//! entry says where the page's marks are: a bit for each byte, and a store that hits none
//! that is set is like any other.
//!
//! What a fill drives out of an entry goes to the entry of the same number in a table
//! of victims, so two pages that share an entry need no page walk in turns. Nobody but
//! compiled code looks there; it lets the two change places.
//!
//! An invalid tag must not be hit by any address that selects its entry. All
//! ones do for every entry but the last, whose index the page at the top of the
//! address space has too: that entry's invalid tag is zero.

use std::mem::offset_of;

use crate::address::{LinearAddress, PAGE_BITS, PAGE_MASK, PAGE_SIZE};
use crate::dirty_pages::for_each_bit;
use crate::host_ram::HostAddress;

pub(crate) mod second;
mod windows;

use windows::Windows;
pub use windows::{MissedWindow, Window, WindowName};

/// Entries in each table.
pub const TLB_ENTRIES: usize = 1024;
/// Size of an entry in bytes, as a power of two.
pub const TLB_ENTRY_BITS: u32 = 5;

/// Who accesses: each has a table, so that the tag implies permission.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// User-mode accesses.
    User = 0,
    /// Supervisor-mode accesses; user pages are out of bounds under SMAP.
    Supervisor = 1,
    /// Explicit supervisor-mode accesses with EFLAGS.AC set.
    SupervisorAc = 2,
    /// Never filled: whoever probes it goes the slow way, where alignment and
    /// data breakpoints are looked after.
    Careful = 3,
}

impl View {
    /// Those that are filled.
    pub const ALL: [Self; 3] = [Self::User, Self::Supervisor, Self::SupervisorAc];
}

/// One page that can be accessed without asking anybody.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TlbEntry {
    /// The linear page if it may be read, else an invalid tag.
    pub read_tag: u64,
    /// The linear page if it may be written with no side effect.
    pub write_tag: u64,
    /// Where the marks of translated code are, if they are all that is against stores;
    /// else zero.
    pub marks: u64,
    /// The host address of the page.
    pub host_page: u64,
}

impl TlbEntry {
    /// The host address of an address that hits.
    pub(crate) const fn host(&self, address: LinearAddress) -> HostAddress {
        HostAddress(self.host_page.wrapping_add(address.0 ^ self.read_tag))
    }
}

/// The page that compiled code found its stack in last, for accesses of 4 and 8 bytes: an
/// address hits if `(address ^ page) < limit`. A limit of zero is hit by none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct StackCell {
    /// The linear page.
    pub page: u64,
    /// The host address of the page.
    pub host_page: u64,
    /// Limits of loads of 4 and 8 bytes, then of stores.
    pub limits: [[u64; 2]; 2],
}

impl StackCell {
    /// The limit of accesses of so many bytes while the page may be accessed.
    #[must_use]
    pub const fn limit(bytes: u64) -> u64 {
        PAGE_SIZE - bytes + 1
    }
}

/// One bit for each entry of each table.
type Bits = [[u64; TLB_ENTRIES / 64]; 3];

/// The tables, one for each [`View`].
#[repr(C)]
#[derive(Clone, Debug)]
pub struct Tlb {
    views: [[TlbEntry; TLB_ENTRIES]; 4],
    /// What was driven out of the entry of the same number; never what is in there.
    victims: [[TlbEntry; TLB_ENTRIES]; 3],
    /// Filled by compiled code from entries of the first three tables.
    stack: [StackCell; 3],
    /// Opened by compiled code from entries of the first table.
    windows: Windows,
    /// Which entries, or victims, are not empty, so that a flush touches only those.
    filled: Bits,
    /// Which of them may be parts of larger pages.
    large: Bits,
}

/// What a fill enters: one 4 KiB page, or a part of a larger one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    /// The linear page.
    pub(crate) page: u64,
    /// The host address of the page.
    pub(crate) host_page: u64,
    /// Stores have no side effect.
    pub(crate) writable: bool,
    /// Where the page's marks are, if stores have none but on code.
    pub(crate) marks: u64,
    /// Part of a page larger than 4 KiB.
    pub(crate) large: bool,
}

// Compiled code finds an entry at `view * 32768 + (address >> 7 & 0x7fe0)`.
const _: () = assert!(size_of::<TlbEntry>() == 1 << TLB_ENTRY_BITS);
const _: () = assert!(offset_of!(TlbEntry, read_tag) == 0);
const _: () = assert!(offset_of!(TlbEntry, write_tag) == 8);
const _: () = assert!(offset_of!(TlbEntry, marks) == 16);
const _: () = assert!(offset_of!(TlbEntry, host_page) == 24);
const _: () = assert!(offset_of!(Tlb, views) == 0);
const _: () = assert!(Tlb::view_offset(View::SupervisorAc) == 2 * 32768);
const _: () = assert!(Tlb::INDEX_MASK == 0x7fe0);

/// The tag that no address selecting entry `index` can hit.
#[inline]
#[must_use]
pub const fn invalid_tag(index: usize) -> u64 {
    if index == TLB_ENTRIES - 1 {
        0
    } else {
        u64::MAX
    }
}

/// True if an access of `size` bytes lies within the page named by `tag`.
#[inline(always)]
const fn hits(address: u64, tag: u64, size: u64) -> bool {
    // A size beyond a page would wrap, and then hit everywhere.
    debug_assert!(size >= 1 && size <= PAGE_SIZE);
    (address ^ tag) <= PAGE_SIZE - size
}

impl Default for Tlb {
    fn default() -> Self {
        let table = std::array::from_fn(Self::empty_entry);
        Self {
            views: [table; 4],
            victims: [table; 3],
            stack: [StackCell::default(); 3],
            windows: Windows::default(),
            filled: Bits::default(),
            large: Bits::default(),
        }
    }
}

impl Tlb {
    /// An address shifted right by [`Tlb::INDEX_SHIFT`] and masked with this is the offset
    /// of its entry in a view's table.
    pub const INDEX_MASK: u32 = (TLB_ENTRIES as u32 - 1) << TLB_ENTRY_BITS;
    /// How many bytes of marks can be read from where an entry says: a bit for each byte of
    /// the page, and eight bytes more.
    pub const MARKS_BYTES: u64 = PAGE_SIZE / 8 + 8;
    /// How far an address is shifted to find its entry.
    pub const INDEX_SHIFT: u32 = PAGE_BITS - TLB_ENTRY_BITS;

    /// The offset of a view's table from the start of the [`Tlb`], in bytes.
    #[must_use]
    pub const fn view_offset(view: View) -> usize {
        (view as usize) << (TLB_ENTRY_BITS + TLB_ENTRIES.trailing_zeros())
    }

    /// The offset of a view's victims from the start of the [`Tlb`], in bytes.
    /// [`View::Careful`] has none.
    #[must_use]
    pub const fn victims_offset(view: View) -> usize {
        offset_of!(Self, victims) + Self::view_offset(view)
    }

    /// The offset of a view's [`StackCell`] from the start of the [`Tlb`], in bytes.
    /// [`View::Careful`] has none.
    #[must_use]
    pub const fn stack_offset(view: View) -> usize {
        offset_of!(Self, stack) + view as usize * size_of::<StackCell>()
    }

    /// The offset of a view's windows for loads or stores from the start of the [`Tlb`], in
    /// bytes. Only [`View::User`] has some.
    #[must_use]
    pub const fn windows_offset(view: View, is_store: bool) -> Option<usize> {
        match Windows::table_offset(view, is_store) {
            Some(table) => Some(offset_of!(Self, windows) + table),
            None => None,
        }
    }

    /// The offsets of the bits that say which of them were opened, and which missed: whoever
    /// opens one sets both.
    #[must_use]
    pub const fn window_bits_offsets(view: View, is_store: bool) -> Option<[usize; 2]> {
        let windows = offset_of!(Self, windows);
        match Windows::bits_offsets(view, is_store) {
            Some([opened, missed]) => Some([windows + opened, windows + missed]),
            None => None,
        }
    }

    /// One of the windows that were missed since this was last asked of it.
    pub fn take_missed_window(&mut self) -> Option<MissedWindow> {
        self.windows.take_missed()
    }

    /// Has an open window reach as far as entries say that pages lie side by side.
    pub fn widen(&mut self, name: WindowName) {
        let entries = &self.views[View::User as usize];
        self.windows.widen(name, |page, host_page| {
            let entry = &entries[index(page)];
            let tag = if name.is_store() {
                entry.write_tag
            } else {
                entry.read_tag
            };
            tag == page && entry.host_page == host_page
        });
    }

    /// A page was walked for, and may be elsewhere than it was.
    pub(crate) fn close_windows(&mut self, address: u64) {
        self.windows.close_at(address, false);
    }

    /// The host address of a read of `size` bytes (1 to 4096), if it hits.
    #[inline(always)]
    #[must_use]
    pub fn probe_read(&self, view: View, address: LinearAddress, size: u64) -> Option<HostAddress> {
        let entry = self.entry(view, address);
        hits(address.0, entry.read_tag, size)
            .then(|| HostAddress(entry.host_page.wrapping_add(address.0 ^ entry.read_tag)))
    }

    /// The host address of a write of `size` bytes (1 to 4096), if it hits.
    #[inline(always)]
    #[must_use]
    pub fn probe_write(
        &self,
        view: View,
        address: LinearAddress,
        size: u64,
    ) -> Option<HostAddress> {
        let entry = self.entry(view, address);
        hits(address.0, entry.write_tag, size)
            .then(|| HostAddress(entry.host_page.wrapping_add(address.0 ^ entry.write_tag)))
    }

    /// What was driven out of the entry that `address` selects, if that is what it asks for.
    #[must_use]
    pub(crate) fn victim(&self, view: View, address: LinearAddress) -> Option<&TlbEntry> {
        let entry = self.victims.get(view as usize)?.get(index(address.0))?;
        hits(address.0, entry.read_tag, 1).then_some(entry)
    }

    /// The entry that `address` selects.
    #[inline(always)]
    #[must_use]
    pub fn entry(&self, view: View, address: LinearAddress) -> &TlbEntry {
        &self.views[view as usize][index(address.0)]
    }

    /// Enters a page for reading and, if writable, for writing.
    ///
    /// A write tag that the page has already stays.
    pub(crate) fn fill(&mut self, view: View, fill: Fill) {
        let Fill {
            page,
            host_page,
            writable,
            marks,
            large,
        } = fill;
        let index = index(page);
        let entry = &mut self.views[view as usize][index];
        let same = entry.read_tag == page && entry.host_page == host_page;
        if entry.read_tag != page
            && entry.read_tag != invalid_tag(index)
            && let Some(victims) = self.victims.get_mut(view as usize)
        {
            victims[index] = *entry;
        } else if let Some(victims) = self.victims.get_mut(view as usize)
            && victims[index].read_tag == page
        {
            // It may have been walked for again, and be elsewhere.
            victims[index] = Self::empty_entry(index);
        }
        if let Some(cell) = self.stack.get_mut(view as usize)
            && cell.page == page
        {
            *cell = StackCell::default();
        }
        if writable {
            entry.write_tag = page;
        } else if !same {
            entry.write_tag = invalid_tag(index);
        }
        entry.read_tag = page;
        entry.marks = marks;
        entry.host_page = host_page;
        let (word, bit) = (index / 64, 1 << (index % 64));
        self.filled[view as usize][word] |= bit;
        if large {
            // Stays until the next flush, since the page may become a victim.
            self.large[view as usize][word] |= bit;
        }
    }

    /// Empties all tables.
    pub(crate) fn flush(&mut self) {
        self.stack = [StackCell::default(); 3];
        self.windows.close_all();
        self.for_each_filled(|index, entry| *entry = Self::empty_entry(index));
        self.filled = Bits::default();
        self.large = Bits::default();
    }

    /// Forgets the page around `address`, and what may be parts of it.
    ///
    /// A larger page is in here once for each 4 KiB that were touched, so all
    /// parts of larger pages within the same 1 GiB go.
    pub(crate) fn flush_page(&mut self, address: u64) {
        self.stack = [StackCell::default(); 3];
        let index = index(address);
        for table in self.views.iter_mut().chain(&mut self.victims) {
            if table[index].read_tag == address & PAGE_MASK {
                table[index] = Self::empty_entry(index);
            }
        }
        let large = self.large;
        let has_large = large.as_flattened().iter().any(|&bits| bits != 0);
        self.windows.close_at(address, has_large);
        self.for_each(&large, |index, entry| {
            if entry.read_tag >> 30 == address >> 30 {
                *entry = Self::empty_entry(index);
            }
        });
    }

    /// Drops all write tags.
    pub(crate) fn flush_writes(&mut self) {
        self.forbid_stack_stores();
        self.windows.close_stores();
        self.for_each_filled(|index, entry| {
            entry.write_tag = invalid_tag(index);
            entry.marks = 0;
        });
    }

    /// Drops the write tags of whatever maps the host page.
    pub(crate) fn flush_host_writes(&mut self, host_page: u64) {
        self.forbid_stack_stores();
        self.windows.close_host_stores(host_page);
        self.for_each_filled(|index, entry| {
            if entry.host_page == host_page {
                entry.write_tag = invalid_tag(index);
                entry.marks = 0;
            }
        });
    }

    fn forbid_stack_stores(&mut self) {
        for cell in &mut self.stack {
            cell.limits[1] = [0; 2];
        }
    }

    fn for_each_filled(&mut self, act: impl FnMut(usize, &mut TlbEntry)) {
        let filled = self.filled;
        self.for_each(&filled, act);
    }

    /// Calls `act` with each entry whose bit is set, and its victim.
    #[inline]
    fn for_each(&mut self, bits: &Bits, mut act: impl FnMut(usize, &mut TlbEntry)) {
        let tables = self.views.iter_mut().zip(&mut self.victims);
        for ((table, victims), bits) in tables.zip(bits) {
            for (word, &bits) in bits.iter().enumerate() {
                for_each_bit(bits, |bit| {
                    let index = word * 64 + bit as usize;
                    if let Some(entry) = table.get_mut(index) {
                        act(index, entry);
                    }
                    if let Some(entry) = victims.get_mut(index) {
                        act(index, entry);
                    }
                });
            }
        }
    }

    fn empty_entry(index: usize) -> TlbEntry {
        let tag = invalid_tag(index);
        TlbEntry {
            read_tag: tag,
            write_tag: tag,
            marks: 0,
            host_page: u64::MAX,
        }
    }
}

/// Which entry of a table an address selects.
#[inline(always)]
const fn index(address: u64) -> usize {
    (address >> PAGE_BITS) as usize % TLB_ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(page: u64, host_page: u64) -> Fill {
        Fill {
            page,
            host_page,
            writable: true,
            marks: 0,
            large: false,
        }
    }

    #[test]
    fn an_empty_table_is_never_hit() {
        let tlb = Tlb::default();
        for page in (0..512)
            .map(|page: u64| page << 12)
            .chain((0..512).map(|page: u64| !page << 12))
        {
            for size in [1, 2, 4, 8, 16, 4096] {
                for offset in [0, 1, 0xff0, 0xfff] {
                    let address = LinearAddress(page & PAGE_MASK | offset);
                    assert_eq!(tlb.probe_read(View::User, address, size), None);
                    assert_eq!(tlb.probe_write(View::Supervisor, address, size), None);
                }
            }
        }
    }

    #[test]
    fn accesses_that_cross_a_page_miss() {
        let mut tlb = Tlb::default();
        for page in [0, 0x7000, 0xf_f000, 0xffff_ffff_ffff_f000, 0x7fff_ffff_f000] {
            tlb.fill(View::User, small(page, 0x10_0000));
            for size in 1..=32 {
                for offset in 0..4096 {
                    let found = tlb.probe_write(View::User, LinearAddress(page + offset), size);
                    let expected =
                        (offset + size <= 4096).then_some(HostAddress(0x10_0000 + offset));
                    assert_eq!(found, expected, "{page:x}+{offset:x} size {size}");
                }
            }
            assert_eq!(
                tlb.probe_read(View::Supervisor, LinearAddress(page), 1),
                None
            );
        }
    }

    #[test]
    fn a_large_page_goes_as_a_whole() {
        let mut tlb = Tlb::default();
        let pages: [u64; 4] = [0x4000_0000, 0x4001_f000, 0x4000_3000, 0x8000_4000];
        for page in pages {
            let large = page != 0x4000_3000;
            tlb.fill(
                View::User,
                Fill {
                    large,
                    ..small(page, 0x5000)
                },
            );
        }
        tlb.flush_page(0x4010_0000);
        let found = pages.map(|page| tlb.probe_read(View::User, LinearAddress(page), 1).is_some());
        assert_eq!(found, [false, false, true, true]);
    }

    #[test]
    fn what_is_driven_out_is_a_victim_until_it_is_flushed() {
        let pages: [u64; 2] = [0x7000, 0x7000 + (TLB_ENTRIES << PAGE_BITS) as u64];
        let index = index(pages[0]);
        let filled = || {
            let mut tlb = Tlb::default();
            tlb.fill(View::User, small(pages[0], 0x1000));
            tlb.fill(View::User, small(pages[1], 0x2000));
            assert_eq!(tlb.probe_read(View::User, LinearAddress(pages[0]), 1), None);
            assert_eq!(tlb.victims[0][index].write_tag, pages[0]);
            let victim = tlb.victim(View::User, LinearAddress(pages[0] + 5)).unwrap();
            assert_eq!(
                victim.host(LinearAddress(pages[0] + 5)),
                HostAddress(0x1005)
            );
            assert!(tlb.victim(View::User, LinearAddress(pages[1])).is_none());
            tlb
        };
        let flushes: [fn(&mut Tlb); 4] = [
            Tlb::flush,
            Tlb::flush_writes,
            |tlb| tlb.flush_host_writes(0x1000),
            |tlb| tlb.flush_page(0x7123),
        ];
        for flush in flushes {
            let mut tlb = filled();
            flush(&mut tlb);
            assert_eq!(tlb.victims[0][index].write_tag, invalid_tag(index));
        }
        let mut tlb = filled();
        tlb.fill(View::User, small(pages[0], 0x1000));
        assert_eq!(tlb.victims[0][index].read_tag, pages[1]);
    }

    #[test]
    fn flushes_empty_the_cell_of_the_stack() {
        let filled = StackCell {
            page: 0x7000,
            host_page: 0x1000,
            limits: [[4093, 4089]; 2],
        };
        let with = |act: fn(&mut Tlb)| {
            let mut tlb = Tlb::default();
            tlb.stack[0] = filled;
            act(&mut tlb);
            tlb.stack[0].limits
        };
        assert_eq!(with(Tlb::flush), [[0, 0]; 2]);
        assert_eq!(with(|tlb| tlb.flush_page(0x7000)), [[0, 0]; 2]);
        assert_eq!(
            with(|tlb| tlb.fill(View::User, small(0x7000, 0))),
            [[0, 0]; 2]
        );
        let reads = [filled.limits[0], [0, 0]];
        assert_eq!(with(Tlb::flush_writes), reads);
        assert_eq!(with(|tlb| tlb.flush_host_writes(0x1000)), reads);
    }

    #[test]
    fn flushes_forget_what_they_name() {
        let mut tlb = Tlb::default();
        let (a, b) = (LinearAddress(0x1000), LinearAddress(0xff_f000));
        tlb.fill(View::User, small(a.0, 0x5000));
        tlb.fill(View::Supervisor, small(b.0, 0x6000));
        tlb.flush_host_writes(0x5000);
        assert_eq!(tlb.probe_write(View::User, a, 1), None);
        assert!(tlb.probe_read(View::User, a, 1).is_some());
        assert!(tlb.probe_write(View::Supervisor, b, 1).is_some());
        tlb.flush_writes();
        assert_eq!(tlb.probe_write(View::Supervisor, b, 1), None);
        tlb.flush_page(b.0 + 5);
        assert_eq!(tlb.probe_read(View::Supervisor, b, 1), None);
        tlb.flush();
        assert_eq!(tlb.probe_read(View::User, a, 1), None);
    }
}
