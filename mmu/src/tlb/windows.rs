//! Windows: what single places in hot code accessed last.
//!
//! A place whose accesses stay in a page, or in a few that lie side by side in the host's
//! memory too, need not look for its entry in the table, and so need not wait until it
//! knows which. Compiled code opens a window from an entry of the [`Tlb`](super::Tlb), one
//! page long; [`Tlb::widen`](super::Tlb::widen) has it reach as far as entries say the same.
//! Whatever drops an entry closes the windows that came from it.

use std::mem::offset_of;

use super::View;
use crate::address::PAGE_SIZE;
use crate::dirty_pages::for_each_bit;

/// Windows for accesses of one size and kind in one view.
const OF_A_SIZE: usize = 128;
/// Accesses of 1, 2, 4, 8 and 16 bytes have windows.
const SIZES: usize = 5;
const IN_A_TABLE: usize = OF_A_SIZE * SIZES;
/// There is a table for loads and one for stores, both of user-mode accesses: kernels go from
/// one address space to the next too often.
const TABLES: usize = 2;

/// A window is hit if `address - first < limit`; a limit of zero is hit by none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Its first linear address.
    pub first: u64,
    /// How many addresses an access may begin at.
    pub limit: u64,
    /// The host address of the first byte.
    pub host: u64,
    /// How often it was missed and opened elsewhere.
    pub misses: u32,
    /// Who did so last: for the compiler, which knows its code by the lower half of addresses.
    pub opener: u32,
}

/// A window that was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissedWindow {
    /// Which.
    pub name: WindowName,
    /// How often.
    pub misses: u32,
    /// By whom last: [`Window::opener`].
    pub opener: u32,
}

/// Which window: for what kind of access, and its number among those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowName {
    table: u8,
    number: u16,
}

impl WindowName {
    /// Windows for accesses of so many bytes in a view, by a number of which only the lower
    /// bits count. None if there are no such windows.
    #[must_use]
    pub const fn new(view: View, is_store: bool, bytes: u64, number: usize) -> Option<Self> {
        if !matches!(view, View::User) || !bytes.is_power_of_two() || bytes >> SIZES != 0 {
            return None;
        }
        let size = bytes.trailing_zeros() as usize;
        Some(Self {
            table: is_store as u8,
            number: (size * OF_A_SIZE + number % OF_A_SIZE) as u16,
        })
    }

    pub(super) const fn is_store(self) -> bool {
        self.table == 1
    }

    /// How many bytes its accesses have.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << (self.number as usize / OF_A_SIZE)
    }

    /// Its number in the table and in the sets of bits.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.number
    }
}

/// One bit for each window of a table.
type Bits = [u64; IN_A_TABLE / 64];

/// All windows.
#[repr(C)]
#[derive(Clone, Debug)]
pub(super) struct Windows {
    tables: [[Window; IN_A_TABLE]; TABLES],
    /// Which were opened since all were closed.
    opened: [Bits; TABLES],
    /// Which were missed since somebody last asked.
    missed: [Bits; TABLES],
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            tables: [[Window::default(); IN_A_TABLE]; TABLES],
            opened: [Bits::default(); TABLES],
            missed: [Bits::default(); TABLES],
        }
    }
}

impl Windows {
    /// The offset of a table's first window, in bytes.
    pub(super) const fn table_offset(view: View, is_store: bool) -> Option<usize> {
        match WindowName::new(view, is_store, 1, 0) {
            Some(name) => Some(
                offset_of!(Self, tables) + name.table as usize * size_of::<[Window; IN_A_TABLE]>(),
            ),
            None => None,
        }
    }

    /// The offsets of a table's sets of bits: opened and missed.
    pub(super) const fn bits_offsets(view: View, is_store: bool) -> Option<[usize; 2]> {
        match WindowName::new(view, is_store, 1, 0) {
            Some(name) => {
                let set = name.table as usize * size_of::<Bits>();
                Some([
                    offset_of!(Self, opened) + set,
                    offset_of!(Self, missed) + set,
                ])
            }
            None => None,
        }
    }

    fn get(&mut self, name: WindowName) -> Option<&mut Window> {
        let table = self.tables.get_mut(usize::from(name.table))?;
        table.get_mut(usize::from(name.number))
    }

    /// Closes the windows that `which` picks; all of the tables of stores, or of all.
    fn close(&mut self, stores_only: bool, mut which: impl FnMut(&Window, u64) -> bool) {
        let opened = self.opened.iter_mut().zip(&mut self.tables);
        for (table, (bits, windows)) in opened.enumerate() {
            if stores_only && table == 0 {
                continue;
            }
            for (word, bits) in bits.iter_mut().enumerate() {
                for_each_bit(*bits, |bit| {
                    let number = word * 64 + bit as usize;
                    let Some(window) = windows.get_mut(number) else {
                        return;
                    };
                    let bytes = 1 << (number / OF_A_SIZE);
                    if window.limit == 0 || which(window, window.limit + bytes - 1) {
                        window.limit = 0;
                        *bits &= !(1 << bit);
                    }
                });
            }
        }
    }

    pub(super) fn close_all(&mut self) {
        self.close(false, |_, _| true);
    }

    pub(super) fn close_stores(&mut self) {
        self.close(true, |_, _| true);
    }

    /// Closes those that reach the page around `address`, or all in the same 1 GiB.
    pub(super) fn close_at(&mut self, address: u64, all_around: bool) {
        self.close(false, |window, length| {
            address.wrapping_sub(window.first) < length
                || all_around && window.first >> 30 == address >> 30
        });
    }

    /// Closes those for stores that reach the host's page.
    pub(super) fn close_host_stores(&mut self, host_page: u64) {
        self.close(true, |window, length| {
            host_page.wrapping_sub(window.host) < length
        });
    }

    /// One of those that were missed since this was last asked of it.
    pub(super) fn take_missed(&mut self) -> Option<MissedWindow> {
        let words = self.missed.iter_mut().zip(0..);
        let mut words = words.flat_map(|(bits, table)| {
            let bits = bits.iter_mut().zip(0..);
            bits.map(move |(word, at)| (table, at, word))
        });
        let (table, at, word) = words.find(|(_, _, word)| **word != 0)?;
        let number = at * 64 + word.trailing_zeros() as u16;
        *word &= *word - 1;
        let name = WindowName { table, number };
        let window = self.get(name)?;
        Some(MissedWindow {
            name,
            misses: std::mem::take(&mut window.misses),
            opener: window.opener,
        })
    }

    /// Has an open window reach, within 2 MiB, as far as `is_next` says that a page lies at a
    /// place of the host's.
    pub(super) fn widen(&mut self, name: WindowName, mut is_next: impl FnMut(u64, u64) -> bool) {
        const REGION: u64 = 2 << 20;
        let Some(window) = self.get(name).filter(|window| window.limit != 0) else {
            return;
        };
        let mut length = window.limit + name.bytes() - 1;
        let region = window.first & !(REGION - 1);
        while window.first > region
            && is_next(
                window.first - PAGE_SIZE,
                window.host.wrapping_sub(PAGE_SIZE),
            )
        {
            window.first -= PAGE_SIZE;
            window.host = window.host.wrapping_sub(PAGE_SIZE);
            length += PAGE_SIZE;
        }
        while window.first - region + length < REGION
            && is_next(window.first + length, window.host.wrapping_add(length))
        {
            length += PAGE_SIZE;
        }
        window.limit = length - name.bytes() + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fill, Tlb};
    use super::*;

    const HOST: u64 = 0x7000_0000;

    fn name(is_store: bool, bytes: u64) -> WindowName {
        WindowName::new(View::User, is_store, bytes, 5).unwrap()
    }

    /// Pages from an address on, side by side in the host's memory. The fourth may not be
    /// written.
    fn filled(page: u64, count: u64, large: bool) -> Tlb {
        let mut tlb = Tlb::default();
        for n in 0..count {
            tlb.fill(
                View::User,
                Fill {
                    page: page + n * PAGE_SIZE,
                    host_page: HOST + n * PAGE_SIZE,
                    writable: n != 3,
                    marks: 0,
                    large,
                },
            );
        }
        tlb
    }

    /// As compiled code does.
    fn open(tlb: &mut Tlb, name: WindowName, page: u64) {
        let entry = *tlb.entry(View::User, crate::LinearAddress(page));
        let number = usize::from(name.number);
        let table = usize::from(name.table);
        tlb.windows.opened[table][number / 64] |= 1 << (number % 64);
        tlb.windows.missed[table][number / 64] |= 1 << (number % 64);
        let window = tlb.windows.get(name).unwrap();
        *window = Window {
            first: page,
            limit: PAGE_SIZE - name.bytes() + 1,
            host: entry.host_page,
            misses: window.misses + 1,
            opener: 7,
        };
    }

    fn reach(tlb: &mut Tlb, name: WindowName) -> Option<(u64, u64)> {
        let window = tlb.windows.get(name).unwrap();
        (window.limit != 0).then(|| (window.first, window.limit + name.bytes() - 1))
    }

    #[test]
    fn windows_reach_as_far_as_pages_lie_side_by_side() {
        let page = 0x40_0000 - 2 * PAGE_SIZE;
        for bytes in [1, 2, 4, 8, 16] {
            // Two pages of one region of 2 MiB, six of the next.
            let mut tlb = filled(page, 8, false);
            let load = name(false, bytes);
            open(&mut tlb, load, 0x40_1000);
            tlb.widen(load);
            assert_eq!(reach(&mut tlb, load), Some((0x40_0000, 6 * PAGE_SIZE)));
            open(&mut tlb, load, page);
            tlb.widen(load);
            assert_eq!(reach(&mut tlb, load), Some((page, 2 * PAGE_SIZE)));
            // The fourth page may not be written.
            let store = name(true, bytes);
            open(&mut tlb, store, 0x40_0000);
            tlb.widen(store);
            assert_eq!(reach(&mut tlb, store), Some((0x40_0000, PAGE_SIZE)));
            open(&mut tlb, store, 0x40_3000);
            tlb.widen(store);
            assert_eq!(reach(&mut tlb, store), Some((0x40_2000, 4 * PAGE_SIZE)));
            let missed: Vec<_> = std::iter::from_fn(|| tlb.take_missed_window()).collect();
            let expected = [load, store].map(|name| MissedWindow {
                name,
                misses: 2,
                opener: 7,
            });
            assert_eq!(missed, expected);
        }
        // A page elsewhere in the host's memory is not side by side.
        let mut tlb = filled(0x40_0000, 4, false);
        let other = Fill {
            page: 0x40_2000,
            host_page: HOST + 5 * PAGE_SIZE,
            writable: true,
            marks: 0,
            large: false,
        };
        tlb.fill(View::User, other);
        let load = name(false, 8);
        open(&mut tlb, load, 0x40_0000);
        tlb.widen(load);
        assert_eq!(reach(&mut tlb, load), Some((0x40_0000, 2 * PAGE_SIZE)));
    }

    #[test]
    fn what_drops_an_entry_closes_its_windows() {
        let (load, store) = (name(false, 4), name(true, 4));
        let opened = |large| {
            let mut tlb = filled(0x40_0000, 3, large);
            for name in [load, store] {
                open(&mut tlb, name, 0x40_0000);
                tlb.widen(name);
            }
            tlb
        };
        let check = |mut tlb: Tlb, act: &dyn Fn(&mut Tlb), is_open: [bool; 2]| {
            act(&mut tlb);
            let found = [load, store].map(|name| reach(&mut tlb, name).is_some());
            assert_eq!(found, is_open);
        };
        check(opened(false), &Tlb::flush, [false; 2]);
        check(opened(false), &Tlb::flush_writes, [true, false]);
        check(opened(false), &|tlb| tlb.flush_page(0x40_2fff), [false; 2]);
        check(opened(false), &|tlb| tlb.flush_page(0x40_3000), [true; 2]);
        check(opened(true), &|tlb| tlb.flush_page(0x40_3000), [false; 2]);
        check(
            opened(false),
            &|tlb| tlb.close_windows(0x40_1234),
            [false; 2],
        );
        check(
            opened(false),
            &|tlb| tlb.close_windows(0x3f_ffff),
            [true; 2],
        );
        let host = |page| HOST + page * PAGE_SIZE;
        check(
            opened(false),
            &|tlb| tlb.flush_host_writes(host(2)),
            [true, false],
        );
        check(
            opened(false),
            &|tlb| tlb.flush_host_writes(host(3)),
            [true; 2],
        );
    }

    #[test]
    fn names_are_for_sizes_and_kinds_that_there_are() {
        for bytes in [0, 3, 6, 10, 32, 64] {
            assert_eq!(WindowName::new(View::User, false, bytes, 0), None);
        }
        assert_eq!(WindowName::new(View::Supervisor, false, 8, 0), None);
        for bytes in [1, 2, 4, 8, 16] {
            assert_eq!(name(true, bytes).bytes(), bytes);
            let around = WindowName::new(View::User, true, bytes, 5 + OF_A_SIZE);
            assert_eq!(around, Some(name(true, bytes)));
        }
    }
}
