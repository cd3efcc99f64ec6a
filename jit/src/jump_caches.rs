//! Where computed jumps lead: a table for each mode and address space.
//!
//! Compiled code looks at the table of the mode it runs in; the back end's dispatch, at
//! the one that [`JumpCaches::list`] names for the mode it goes to. The engine alone
//! fills tables, and chooses another when the address space has changed.

use rax_cpu::mode::Mode;

use crate::backend::{JUMP_SLOTS, JumpSlot, NO_KEY};

/// The table in use for a mode.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct JumpCacheOf {
    /// The code epoch in which it holds; 0 is none.
    pub(crate) epoch: u64,
    /// Where its slots begin.
    pub(crate) address: u64,
}

/// How many modes there may be.
const MODES: usize = 1 << 12;
const _: () = assert!((Mode::all().bits() as usize) < MODES);
/// Most tables, of 256 KiB each: what was not used for longest is used again.
const TABLES: usize = 48;
/// Most tables of one mode.
const ADDRESS_SPACES: usize = 8;

#[derive(Debug)]
struct Table {
    mode: Mode,
    epoch: u64,
    /// When it was last chosen.
    chosen: u64,
    /// What belongs into a slot may also be in the one behind it.
    slots: Box<[JumpSlot]>,
    /// Slots that may not be empty.
    filled: Vec<u16>,
}

impl Table {
    fn new() -> Self {
        let empty = JumpSlot {
            key: NO_KEY,
            code: 0,
        };
        Self {
            mode: Mode::empty(),
            epoch: 0,
            chosen: 0,
            slots: vec![empty; JUMP_SLOTS + 1].into_boxed_slice(),
            filled: Vec::new(),
        }
    }

    fn put(&mut self, slot: usize, to: JumpSlot) {
        if self.slots[slot].key == NO_KEY {
            if self.filled.len() >= JUMP_SLOTS {
                // Slots that were removed and filled again are listed twice.
                self.clear();
            }
            self.filled.push(slot as u16);
        }
        self.slots[slot] = to;
    }

    fn clear(&mut self) {
        for slot in self.filled.drain(..) {
            self.slots[usize::from(slot)].key = NO_KEY;
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct JumpCaches {
    /// By mode.
    current: Box<[JumpCacheOf]>,
    /// Which table that is.
    numbers: Box<[u8]>,
    tables: Vec<Table>,
    clock: u64,
}

impl JumpCaches {
    pub(crate) fn new() -> Self {
        Self {
            current: vec![JumpCacheOf::default(); MODES].into_boxed_slice(),
            numbers: vec![0; MODES].into_boxed_slice(),
            tables: Vec::new(),
            clock: 0,
        }
    }

    /// Where the list of tables in use begins, by mode.
    pub(crate) fn list(&self) -> u64 {
        self.current.as_ptr().expose_provenance() as u64
    }

    /// Chooses the table for a mode in a code epoch: its address.
    #[inline]
    pub(crate) fn choose(&mut self, mode: Mode, epoch: u64) -> u64 {
        let current = self.current[usize::from(mode.bits())];
        if current.epoch == epoch {
            return current.address;
        }
        self.change(mode, epoch)
    }

    #[cold]
    fn change(&mut self, mode: Mode, epoch: u64) -> u64 {
        self.clock += 1;
        let known = |table: &Table| table.mode == mode && table.epoch == epoch;
        let number = match self.tables.iter().position(known) {
            Some(number) => number,
            None => self.vacate(mode, epoch),
        };
        let table = &mut self.tables[number];
        table.chosen = self.clock;
        let address = table.slots.as_ptr().expose_provenance() as u64;
        self.current[usize::from(mode.bits())] = JumpCacheOf { epoch, address };
        self.numbers[usize::from(mode.bits())] = number as u8;
        address
    }

    /// An empty table for a mode in an epoch: a new one, or the one that is missed least.
    fn vacate(&mut self, mode: Mode, epoch: u64) -> usize {
        // Supervisor code is in all address spaces alike.
        let most = if mode.contains(Mode::USER) {
            ADDRESS_SPACES
        } else {
            1
        };
        let of_mode = self.tables.iter().filter(|table| table.mode == mode);
        let number = if of_mode.count() >= most {
            self.oldest(|table| table.mode == mode)
        } else if self.tables.len() >= TABLES {
            self.oldest(|_| true)
        } else {
            self.tables.push(Table::new());
            self.tables.len() - 1
        };
        let table = &mut self.tables[number];
        self.current[usize::from(table.mode.bits())] = JumpCacheOf::default();
        table.clear();
        table.mode = mode;
        table.epoch = epoch;
        number
    }

    fn oldest(&self, of: impl Fn(&Table) -> bool) -> usize {
        let tables = self.tables.iter().enumerate();
        tables
            .filter(|(_, table)| of(table))
            .min_by_key(|(_, table)| table.chosen)
            .map_or(0, |(number, _)| number)
    }

    /// Enters code into the table chosen last for a mode.
    pub(crate) fn enter(&mut self, mode: Mode, slot: usize, to: JumpSlot) {
        let number = usize::from(self.numbers[usize::from(mode.bits())]);
        let Some(table) = self.tables.get_mut(number) else {
            return;
        };
        let before = table.slots[slot];
        if before.key != NO_KEY && before.key != to.key {
            // Two addresses in turn would drive out each other for ever.
            table.put(slot + 1, before);
        }
        table.put(slot, to);
    }

    /// Removes the code of an address from all tables of a mode.
    pub(crate) fn remove(&mut self, mode: Mode, slot: usize, key: u64) {
        for table in self.tables.iter_mut().filter(|table| table.mode == mode) {
            for slot in &mut table.slots[slot..slot + 2] {
                if slot.key == key {
                    slot.key = NO_KEY;
                }
            }
        }
    }

    /// Empties all.
    pub(crate) fn clear(&mut self) {
        for table in &mut self.tables {
            table.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Mode = Mode::USER.union(Mode::CODE64);

    fn slot(caches: &JumpCaches, mode: Mode, slot: usize) -> u64 {
        let number = usize::from(caches.numbers[usize::from(mode.bits())]);
        caches.tables[number].slots[slot].key
    }

    #[test]
    fn an_address_space_finds_its_table_again() {
        let mut caches = JumpCaches::new();
        let code = |key| JumpSlot { key, code: 1 };
        let first = caches.choose(USER, 5);
        caches.enter(USER, 7, code(0x1007));
        assert_ne!(caches.choose(USER, 6), first);
        assert_eq!(slot(&caches, USER, 7), NO_KEY);
        assert_eq!(caches.choose(USER, 5), first);
        assert_eq!(slot(&caches, USER, 7), 0x1007);
        for epoch in 10..10 + ADDRESS_SPACES as u64 {
            caches.choose(USER, epoch);
        }
        assert_eq!(caches.tables.len(), ADDRESS_SPACES);
        caches.choose(USER, 5);
        assert_eq!(slot(&caches, USER, 7), NO_KEY, "it was given away");
    }

    #[test]
    fn what_is_removed_is_gone_from_every_address_space() {
        let mut caches = JumpCaches::new();
        for epoch in [5, 6] {
            caches.choose(USER, epoch);
            caches.enter(
                USER,
                7,
                JumpSlot {
                    key: 0x1007,
                    code: 1,
                },
            );
        }
        caches.remove(USER, 7, 0x2007);
        assert_eq!(slot(&caches, USER, 7), 0x1007);
        caches.remove(USER, 7, 0x1007);
        for epoch in [5, 6] {
            caches.choose(USER, epoch);
            assert_eq!(slot(&caches, USER, 7), NO_KEY);
        }
    }

    #[test]
    fn two_addresses_of_a_slot_are_both_kept() {
        let mut caches = JumpCaches::new();
        caches.choose(USER, 5);
        let last = JUMP_SLOTS - 1;
        for key in [0x1000, 0x2000] {
            caches.enter(USER, last, JumpSlot { key, code: 1 });
        }
        assert_eq!(slot(&caches, USER, last), 0x2000);
        assert_eq!(slot(&caches, USER, last + 1), 0x1000);
        caches.remove(USER, last, 0x1000);
        assert_eq!(slot(&caches, USER, last + 1), NO_KEY);
        caches.enter(
            USER,
            last,
            JumpSlot {
                key: 0x1000,
                code: 1,
            },
        );
        caches.clear();
        for at in [last, last + 1] {
            assert_eq!(slot(&caches, USER, at), NO_KEY);
        }
    }

    #[test]
    fn there_is_an_end_to_tables() {
        let mut caches = JumpCaches::new();
        for bits in 0..Mode::all().bits() {
            let mode = Mode::from_bits_retain(bits);
            caches.choose(mode, 3);
            caches.enter(mode, 1, JumpSlot { key: 1, code: 1 });
        }
        assert_eq!(caches.tables.len(), TABLES);
        let in_use = caches.current.iter().filter(|of| of.epoch != 0).count();
        assert_eq!(in_use, TABLES);
    }
}
