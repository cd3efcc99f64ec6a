//! Exits of compiled code, and how they are joined to the code they lead to.

use std::num::NonZeroU32;

use crate::backend::ExitSite;
use crate::relocation::Move;

/// Bits of a number within a region.
const INDEX_BITS: u32 = 24;

/// Names a unit in the code cache: its region, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CodeId(NonZeroU32);

/// Names an exit likewise; compiled code has this number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LinkId(NonZeroU32);

/// Both numbers in one that is not zero: lists of what may be absent are half as long.
const fn pack(region: u32, index: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(region << INDEX_BITS | index)
}

const fn unpack(name: NonZeroU32) -> (usize, usize) {
    let both = name.get() - 1;
    let index = both & ((1 << INDEX_BITS) - 1);
    ((both >> INDEX_BITS) as usize, index as usize)
}

impl CodeId {
    pub(crate) const fn new(region: u32, index: u32) -> Self {
        Self(pack(region, index))
    }

    #[inline]
    pub(crate) const fn region(self) -> usize {
        unpack(self.0).0
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        unpack(self.0).1
    }
}

impl LinkId {
    pub(crate) const fn new(region: u32, index: u32) -> Self {
        Self(pack(region, index))
    }

    /// Whether a region may have so many exits.
    pub(crate) const fn can_name(count: usize) -> bool {
        count < 1 << INDEX_BITS
    }

    /// The number in compiled code.
    #[inline]
    pub(crate) const fn number(self) -> u64 {
        self.0.get() as u64 - 1
    }

    /// The exit of this number.
    #[inline]
    pub(crate) const fn of_number(number: u64) -> Self {
        Self(pack(0, number as u32))
    }

    #[inline]
    pub(crate) const fn region(self) -> usize {
        unpack(self.0).0
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        unpack(self.0).1
    }
}

/// One exit. Offsets are in the code cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// RIP where it leads.
    pub(crate) target: u64,
    /// Offset of its jump's displacement.
    pub(crate) jump: u32,
    /// Where the jump goes while it is not joined.
    pub(crate) stub: u32,
    /// Offset of the epoch it is compared with, if it leaves its page.
    pub(crate) epoch: Option<NonZeroU32>,
    /// The unit it leads to.
    pub(crate) to: Option<CodeId>,
    /// The exits before and behind it in the list of those that lead there.
    pub(crate) before: Option<LinkId>,
    pub(crate) behind: Option<LinkId>,
}

/// Two to a line of the host's cache.
const _: () = assert!(size_of::<Link>() == 32);

impl Link {
    /// The link of an exit of code at `offset`.
    pub(crate) fn new(site: &ExitSite, offset: usize) -> Self {
        let at = |place: usize| (offset + place) as u32;
        Self {
            target: site.target,
            jump: at(site.jump),
            stub: at(site.stub),
            epoch: site.epoch.and_then(|epoch| NonZeroU32::new(at(epoch))),
            to: None,
            before: None,
            behind: None,
        }
    }

    /// The link of the same exit in a copy of the code.
    pub(crate) fn moved(&self, by: &Move) -> Self {
        let moved = |offset: u32| offset.wrapping_add(by.place as u32);
        Self {
            target: self.target.wrapping_add(by.guest),
            jump: moved(self.jump),
            stub: moved(self.stub),
            epoch: self.epoch.and_then(|at| NonZeroU32::new(moved(at.get()))),
            to: None,
            before: None,
            behind: None,
        }
    }
}
