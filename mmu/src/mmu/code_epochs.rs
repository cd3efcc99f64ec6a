//! How long a translation that instructions were fetched by may be used without
//! asking for it again (SDM 3A, 4.10.4).
//!
//! An epoch stands for an address space of user or supervisor code. While the epoch
//! is the same, every page that was fetched from is still where it was. Going to
//! another address space and back comes back to the same epoch, and what concerns
//! data alone does not move it: a filter knows which pages were fetched from.

/// Address spaces whose epochs are remembered.
const CONTEXTS: usize = 32;

/// The epochs, and what they depend on.
#[derive(Clone, Debug)]
pub(super) struct CodeEpochs {
    last: u64,
    supervisor: u64,
    supervisor_pages: Pages,
    /// The supervisor has fetched from pages that are not global.
    has_local_supervisor: bool,
    /// Users have fetched from pages that are global.
    has_global_user: bool,
    /// User code of the current address space.
    user: Context,
    /// That of others; the one left last is the last.
    others: Vec<Context>,
}

/// User code of an address space.
#[derive(Clone, Debug, Default)]
struct Context {
    /// Its context of the second-level TLB.
    number: u64,
    epoch: u64,
    pages: Pages,
}

impl Default for CodeEpochs {
    fn default() -> Self {
        let user = Context {
            epoch: 2,
            ..Context::default()
        };
        Self {
            last: 2,
            supervisor: 1,
            supervisor_pages: Pages::default(),
            has_local_supervisor: false,
            has_global_user: false,
            user,
            others: Vec::with_capacity(CONTEXTS),
        }
    }
}

impl CodeEpochs {
    /// The epoch of user or supervisor code.
    #[inline(always)]
    pub(super) const fn of(&self, user: bool) -> u64 {
        if user {
            self.user.epoch
        } else {
            self.supervisor
        }
    }

    /// A new epoch. Whoever keeps the lower halves alone must look at the upper ones;
    /// for their sake none from before a change of those is left then.
    fn draw(&mut self) -> u64 {
        self.last += 1;
        if self.last as u32 == 0 {
            self.others.clear();
            self.supervisor = self.last + 1;
            self.user.epoch = self.last + 2;
            self.last += 3;
        }
        self.last
    }

    /// Takes note of a fetch.
    pub(super) fn note_fetch(&mut self, user: bool, address: u64, is_large: bool, is_global: bool) {
        if user {
            self.has_global_user |= is_global;
            self.user.pages.add(address, is_large);
        } else {
            self.has_local_supervisor |= !is_global;
            self.supervisor_pages.add(address, is_large);
        }
    }

    /// The current address space is that of a context of the second-level TLB.
    pub(super) fn enter(&mut self, number: u64) {
        if self.has_local_supervisor {
            self.forget_supervisor();
        }
        if self.user.number == number {
            return;
        }
        let known = self.others.iter().position(|other| other.number == number);
        let next = match known {
            Some(place) => self.others.remove(place),
            None => Context {
                number,
                epoch: self.draw(),
                // What was used by the one that is forgotten is used again.
                pages: self.oldest_pages(),
            },
        };
        let left = std::mem::replace(&mut self.user, next);
        self.others.push(left);
    }

    /// Makes room for one more address space.
    fn oldest_pages(&mut self) -> Pages {
        if self.others.len() < CONTEXTS {
            return Pages::default();
        }
        let mut pages = self.others.remove(0).pages;
        pages.clear();
        pages
    }

    fn forget_supervisor(&mut self) {
        self.has_local_supervisor = false;
        self.supervisor = self.draw();
        self.supervisor_pages.clear();
    }

    /// The translation of an address is forgotten, in the current address space and
    /// among global pages.
    pub(super) fn forget(&mut self, address: u64) {
        if self.supervisor_pages.may_have(address) {
            self.forget_supervisor();
        }
        if self.user.pages.may_have(address) {
            self.user.epoch = self.draw();
            self.user.pages.clear();
        }
        if self.has_global_user {
            self.others.retain(|other| !other.pages.may_have(address));
        }
    }

    /// The same in another address space; global pages stay.
    pub(super) fn forget_in(&mut self, number: u64, address: u64) {
        if number == self.user.number {
            self.forget(address);
        } else {
            self.others
                .retain(|other| other.number != number || !other.pages.may_have(address));
        }
    }

    /// All translations are forgotten, global ones too.
    pub(super) fn forget_all(&mut self) {
        self.forget_supervisor();
        self.user.epoch = self.draw();
        self.user.pages.clear();
        self.has_global_user = false;
        self.others.clear();
    }
}

/// Bits of the filter, as a power of two.
const FILTER_BITS: u32 = 13;

/// Pages that may have been fetched from: a filter with one bit for each hash.
#[derive(Clone, Debug)]
struct Pages(Box<[u64; 1 << (FILTER_BITS - 6)]>);

/// What the filter is asked for: a page of 4 KiB, 2 MiB or 1 GiB.
const SIZES: [u32; 3] = [12, 21, 30];

impl Default for Pages {
    fn default() -> Self {
        Self(Box::new([0; 1 << (FILTER_BITS - 6)]))
    }
}

impl Pages {
    fn place(address: u64, size: u32) -> (usize, u64) {
        let number = (address >> size).wrapping_mul(4) + u64::from(size / 10);
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS);
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    fn add(&mut self, address: u64, is_large: bool) {
        self.mark(address, 12);
        if is_large {
            // A page of 4 MiB goes as a whole, whichever half is named.
            for half in [address, address ^ 1 << 21] {
                self.mark(half, 21);
            }
            self.mark(address, 30);
        }
    }

    fn mark(&mut self, address: u64, size: u32) {
        let (word, bit) = Self::place(address, size);
        self.0[word] |= bit;
    }

    fn may_have(&self, address: u64) -> bool {
        SIZES.iter().any(|&size| {
            let (word, bit) = Self::place(address, size);
            self.0[word] & bit != 0
        })
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: bool = true;
    const SUPERVISOR: bool = false;

    fn both(epochs: &CodeEpochs) -> [u64; 2] {
        [epochs.of(SUPERVISOR), epochs.of(USER)]
    }

    #[test]
    fn coming_back_to_an_address_space_comes_back_to_its_epoch() {
        let mut epochs = CodeEpochs::default();
        epochs.note_fetch(SUPERVISOR, 0xffff_8000_0000_1000, true, true);
        epochs.enter(10);
        let first = both(&epochs);
        epochs.enter(11);
        assert_ne!(epochs.of(USER), first[1]);
        assert_eq!(epochs.of(SUPERVISOR), first[0]);
        epochs.enter(10);
        assert_eq!(both(&epochs), first);
        for context in 100..102 + CONTEXTS as u64 {
            epochs.enter(context);
        }
        epochs.enter(10);
        assert_ne!(epochs.of(USER), first[1], "it was long ago");
    }

    #[test]
    fn local_supervisor_code_belongs_to_its_address_space() {
        let mut epochs = CodeEpochs::default();
        epochs.enter(10);
        epochs.note_fetch(SUPERVISOR, 0x1000, false, false);
        let before = epochs.of(SUPERVISOR);
        epochs.enter(11);
        assert_ne!(epochs.of(SUPERVISOR), before);
    }

    #[test]
    fn only_pages_that_were_fetched_from_matter() {
        let mut epochs = CodeEpochs::default();
        epochs.enter(10);
        epochs.note_fetch(USER, 0x40_1000, false, false);
        epochs.note_fetch(USER, 0x4000_3000, true, false);
        let before = both(&epochs);
        for data in [0x40_0000, 0x40_2000, 0x7fff_0000_0000] {
            epochs.forget(data);
            assert_eq!(both(&epochs), before, "{data:x}");
        }
        epochs.note_fetch(SUPERVISOR, 0xffff_8000_0000_1000, false, true);
        epochs.forget(0x40_1fff);
        let after = both(&epochs);
        assert!(after[0] == before[0] && after[1] != before[1]);
        epochs.forget(0x40_1fff);
        assert_eq!(both(&epochs), after, "nothing was fetched since");
        for parts_of_large in [0x4000_0000, 0x401f_f000, 0x4020_0000] {
            epochs.note_fetch(USER, 0x4000_3000, true, false);
            let before = both(&epochs);
            epochs.forget(parts_of_large);
            assert_ne!(both(&epochs), before, "{parts_of_large:x}");
        }
    }

    #[test]
    fn an_address_is_forgotten_where_it_belongs() {
        let mut epochs = CodeEpochs::default();
        epochs.enter(10);
        epochs.note_fetch(USER, 0x40_1000, false, false);
        let first = epochs.of(USER);
        epochs.enter(11);
        epochs.forget(0x40_1000);
        epochs.enter(10);
        assert_eq!(epochs.of(USER), first, "it was another one's page");
        epochs.enter(11);
        epochs.forget_in(10, 0x40_1000);
        epochs.enter(10);
        assert_ne!(epochs.of(USER), first);
        epochs.note_fetch(USER, 0xffff_ffff_ff60_0000, false, true);
        let second = epochs.of(USER);
        epochs.enter(11);
        epochs.forget(0xffff_ffff_ff60_0000);
        epochs.enter(10);
        assert_ne!(epochs.of(USER), second, "global pages are everybody's");
    }
}
