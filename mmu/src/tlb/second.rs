//! The second-level TLB: what a page walk found, by context.
//!
//! Entries hold rights, not permissions, so a change of CR0.WP, SMAP, AC or
//! PKRU leaves them valid. An entry counts while its context does: a context
//! stands for one PCID's address space from one flush to the next, so a flush
//! is a new number. Global pages have a context of their own. (SDM 3A, section
//! 4.10.)

use crate::address::PAGE_BITS;
use crate::paging::{PageSize, Rights, WalkedPage};

const WAYS: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    page: u64,
    frame: u64,
    /// 0 for an entry that was never filled.
    context: u64,
    rights: Rights,
}

/// Set-associative; one of them for each size of page.
#[derive(Clone, Debug)]
struct Array {
    sets: Box<[[Entry; WAYS]]>,
    page_bits: u32,
    next_way: usize,
    /// False while nothing was filled, so that most look-ups skip it.
    used: bool,
}

impl Array {
    fn new(page_bits: u32, sets: usize) -> Self {
        let sets = vec![[Entry::default(); WAYS]; sets].into_boxed_slice();
        Self {
            sets,
            page_bits,
            next_way: 0,
            used: false,
        }
    }

    #[inline]
    fn set_of(&self, page: u64) -> usize {
        (page as usize) & (self.sets.len() - 1)
    }

    #[inline]
    fn find(&self, address: u64, contexts: &Contexts) -> Option<&Entry> {
        let page = address >> self.page_bits;
        self.sets[self.set_of(page)]
            .iter()
            .find(|entry| entry.page == page && contexts.is_current(entry.context))
    }

    fn fill(&mut self, address: u64, frame: u64, context: u64, rights: Rights) {
        let page = address >> self.page_bits;
        self.used = true;
        let set = self.set_of(page);
        let set = &mut self.sets[set];
        let mut way = None;
        for (n, entry) in set.iter().enumerate() {
            if entry.page == page && entry.context == context {
                way = Some(n);
                break;
            }
            if entry.context == 0 {
                way = Some(n);
            }
        }
        let way = way.unwrap_or_else(|| {
            self.next_way = (self.next_way + 1) % WAYS;
            self.next_way
        });
        set[way] = Entry {
            page,
            frame,
            context,
            rights,
        };
    }

    /// Forgets the page around `address` in the contexts that `which` picks.
    fn forget(&mut self, address: u64, which: impl Fn(u64) -> bool) {
        if !self.used {
            return;
        }
        let page = address >> self.page_bits;
        let set = self.set_of(page);
        for entry in &mut self.sets[set] {
            if entry.page == page && which(entry.context) {
                *entry = Entry::default();
            }
        }
    }

    /// True if the page around `address` is half of a 4 MiB one.
    fn is_half(&self, address: u64, which: impl Fn(u64) -> bool) -> bool {
        let page = address >> self.page_bits;
        let set = &self.sets[self.set_of(page)];
        set.iter().any(|entry| {
            entry.page == page && which(entry.context) && entry.rights.contains(Rights::FOUR_MIB)
        })
    }
}

/// The numbers that stand for address spaces.
#[derive(Clone, Debug)]
pub(crate) struct Contexts {
    current: u64,
    global: u64,
    pcid: u16,
    next: u64,
    /// Numbers below this one are void.
    floor: u64,
    by_pcid: Box<[u64]>,
}

impl Contexts {
    fn new() -> Self {
        let mut by_pcid = vec![0; 4096].into_boxed_slice();
        by_pcid[0] = 2;
        Self {
            current: 2,
            global: 1,
            pcid: 0,
            next: 3,
            floor: 1,
            by_pcid,
        }
    }

    #[inline(always)]
    fn is_current(&self, context: u64) -> bool {
        context == self.current || context == self.global
    }

    fn draw(&mut self) -> u64 {
        // 2^64 flushes do not happen.
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// The context of a PCID, if it has one.
    fn of(&self, pcid: u16) -> Option<u64> {
        let context = self.by_pcid[usize::from(pcid & 0xfff)];
        (context >= self.floor).then_some(context)
    }

    fn renew(&mut self, pcid: u16) {
        let context = self.draw();
        self.by_pcid[usize::from(pcid & 0xfff)] = context;
        if pcid == self.pcid {
            self.current = context;
        }
    }
}

/// All page sizes.
#[derive(Clone, Debug)]
pub(crate) struct SecondTlb {
    small: Array,
    large: Array,
    giant: Array,
    contexts: Contexts,
}

impl Default for SecondTlb {
    fn default() -> Self {
        Self {
            small: Array::new(PAGE_BITS, 512),
            large: Array::new(21, 64),
            giant: Array::new(30, 8),
            contexts: Contexts::new(),
        }
    }
}

impl SecondTlb {
    /// The number that stands for the current address space until it is flushed.
    pub(crate) const fn context(&self) -> u64 {
        self.contexts.current
    }

    /// The number of a PCID's address space, if anything is known of it.
    pub(crate) fn context_of(&self, pcid: u16) -> Option<u64> {
        self.contexts.of(pcid)
    }

    /// The page around `address` in the current address space.
    #[inline]
    pub(crate) fn find(&self, address: u64) -> Option<(u64, Rights)> {
        for array in [&self.small, &self.large, &self.giant] {
            if array.used
                && let Some(entry) = array.find(address, &self.contexts)
            {
                let offset = address & ((1 << array.page_bits) - 1);
                return Some((entry.frame + offset, entry.rights));
            }
        }
        None
    }

    /// Enters what a walk for `address` found; gives the rights as entered.
    pub(crate) fn fill(&mut self, address: u64, page: &WalkedPage) -> Rights {
        let mut rights = page.rights;
        rights.set(Rights::LARGE, page.size != PageSize::Small);
        let context = if rights.contains(Rights::GLOBAL) {
            self.contexts.global
        } else {
            self.contexts.current
        };
        let (array, frame) = match page.size {
            PageSize::Small => (&mut self.small, page.frame),
            PageSize::Large => (&mut self.large, page.frame),
            PageSize::Giant => (&mut self.giant, page.frame),
            // Two entries of 2 MiB, each filled when it is needed.
            PageSize::FourMib => {
                rights |= Rights::FOUR_MIB;
                (&mut self.large, page.frame + (address & (1 << 21)))
            }
        };
        array.fill(address, frame, context, rights);
        rights
    }

    /// Forgets a page in the current address space and among global pages.
    pub(crate) fn forget(&mut self, address: u64) {
        let (current, global) = (self.contexts.current, self.contexts.global);
        self.forget_where(address, |context| context == current || context == global);
    }

    /// Forgets a page of one PCID; global pages stay.
    pub(crate) fn forget_in(&mut self, pcid: u16, address: u64) {
        if let Some(of_pcid) = self.contexts.of(pcid) {
            self.forget_where(address, |context| context == of_pcid);
        }
    }

    fn forget_where(&mut self, address: u64, which: impl Fn(u64) -> bool) {
        self.small.forget(address, &which);
        self.giant.forget(address, &which);
        self.large.forget(address, &which);
        let other_half = address ^ (1 << 21);
        if self.large.is_half(other_half, &which) {
            self.large.forget(other_half, &which);
        }
    }

    /// Forgets everything, global pages included.
    pub(crate) fn flush_all(&mut self) {
        self.contexts.global = self.contexts.draw();
        self.flush_non_global();
    }

    /// Forgets all that is not global, of every PCID.
    pub(crate) fn flush_non_global(&mut self) {
        self.contexts.floor = self.contexts.next.wrapping_add(1);
        self.contexts.renew(self.contexts.pcid);
    }

    /// Forgets all of one PCID that is not global.
    pub(crate) fn flush_pcid(&mut self, pcid: u16) {
        self.contexts.renew(pcid & 0xfff);
    }

    /// Goes to the address space of `pcid`, and keeps what is known if asked.
    pub(crate) fn switch(&mut self, pcid: u16, keep: bool) {
        let pcid = pcid & 0xfff;
        self.contexts.pcid = pcid;
        match self.contexts.of(pcid) {
            Some(context) if keep => self.contexts.current = context,
            _ => self.contexts.renew(pcid),
        }
    }
}
