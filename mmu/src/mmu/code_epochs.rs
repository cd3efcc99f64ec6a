//! How long a translation that instructions were fetched by may be used without
//! asking for it again (SDM 3A, 4.10.4).
//!
//! An epoch stands for an address space of user or supervisor code. While the epoch
//! is the same, every page that was fetched from is still where it was. Going to
//! another address space and back comes back to the same epoch, and what concerns
//! data alone does not move it: a filter knows which pages were fetched from.

/// Address spaces whose epochs are remembered.
const CONTEXTS: usize = 32;
/// Bits of the filter, as a power of two.
const FILTER_BITS: u32 = 15;

/// The epochs, and what they depend on.
#[derive(Clone, Debug)]
pub(super) struct CodeEpochs {
    last: u64,
    supervisor: u64,
    user: u64,
    /// The supervisor has fetched from pages that are not global.
    has_local_supervisor: bool,
    /// Contexts of the second-level TLB, and the epochs of user code there; the one
    /// used last is the last.
    contexts: Vec<(u64, u64)>,
    /// Pages that may have been fetched from since the filter was emptied.
    filter: Box<[u64; 1 << (FILTER_BITS - 6)]>,
}

impl Default for CodeEpochs {
    fn default() -> Self {
        Self {
            last: 2,
            supervisor: 1,
            user: 2,
            has_local_supervisor: false,
            contexts: Vec::with_capacity(CONTEXTS),
            filter: Box::new([0; 1 << (FILTER_BITS - 6)]),
        }
    }
}

/// What the filter is asked for: a page of 4 KiB, 2 MiB or 1 GiB.
const SIZES: [u32; 3] = [12, 21, 30];

fn filter_bit(address: u64, size: u32) -> (usize, u64) {
    let number = (address >> size).wrapping_mul(4) + u64::from(size / 10);
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

impl CodeEpochs {
    /// The epoch of user or supervisor code.
    #[inline(always)]
    pub(super) const fn of(&self, user: bool) -> u64 {
        if user { self.user } else { self.supervisor }
    }

    /// A new epoch. Whoever keeps the lower halves alone must look at the upper ones;
    /// for their sake none from before a change of those is left then.
    fn draw(&mut self) -> u64 {
        self.last += 1;
        if self.last as u32 == 0 {
            self.contexts.clear();
            self.supervisor = self.last + 1;
            self.user = self.last + 2;
            self.last += 3;
        }
        self.last
    }

    /// Takes note of a fetch.
    pub(super) fn note_fetch(&mut self, user: bool, address: u64, is_large: bool, is_global: bool) {
        self.has_local_supervisor |= !user && !is_global;
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
        let (word, bit) = filter_bit(address, size);
        self.filter[word] |= bit;
    }

    /// The current address space is that of a context of the second-level TLB.
    pub(super) fn enter(&mut self, context: u64) {
        if self.has_local_supervisor {
            self.has_local_supervisor = false;
            self.supervisor = self.draw();
        }
        let known = self.contexts.iter().position(|&(of, _)| of == context);
        let entry = match known {
            Some(place) => self.contexts.remove(place),
            None => {
                if self.contexts.len() >= CONTEXTS {
                    self.contexts.remove(0);
                }
                (context, self.draw())
            }
        };
        self.user = entry.1;
        self.contexts.push(entry);
    }

    /// The translation of an address is forgotten, in whatever address space.
    pub(super) fn forget(&mut self, address: u64) {
        let may_be_code = SIZES.iter().any(|&size| {
            let (word, bit) = filter_bit(address, size);
            self.filter[word] & bit != 0
        });
        if may_be_code {
            self.forget_all();
        }
    }

    /// All translations are forgotten, global ones too.
    pub(super) fn forget_all(&mut self) {
        self.supervisor = self.draw();
        self.user = self.draw();
        self.has_local_supervisor = false;
        self.contexts.clear();
        self.filter.fill(0);
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
        for context in 100..100 + CONTEXTS as u64 {
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
        epochs.forget(0x40_1fff);
        let after = both(&epochs);
        assert!(after[0] != before[0] && after[1] != before[1]);
        epochs.forget(0x40_1fff);
        assert_eq!(both(&epochs), after, "nothing was fetched since");
        for parts_of_large in [0x4000_0000, 0x401f_f000, 0x4020_0000] {
            epochs.note_fetch(USER, 0x4000_3000, true, false);
            let before = both(&epochs);
            epochs.forget(parts_of_large);
            assert_ne!(both(&epochs), before, "{parts_of_large:x}");
        }
    }
}
