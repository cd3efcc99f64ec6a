//! Exits of compiled code, and how they are joined to the code they lead to.

use crate::backend::ExitSite;
use crate::relocation::Move;

/// Bits of a number within a region.
const INDEX_BITS: u32 = 24;

/// Names a unit in the code cache: its region, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CodeId(u32);

/// Names an exit likewise; compiled code has this number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LinkId(u32);

impl CodeId {
    pub(crate) const fn new(region: u32, index: u32) -> Self {
        Self(region << INDEX_BITS | index)
    }

    pub(crate) const fn region(self) -> usize {
        (self.0 >> INDEX_BITS) as usize
    }

    pub(crate) const fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

impl LinkId {
    pub(crate) const fn new(region: u32, index: u32) -> Self {
        Self(region << INDEX_BITS | index)
    }

    /// Whether a region may have so many exits.
    pub(crate) const fn can_name(count: usize) -> bool {
        count < 1 << INDEX_BITS
    }

    /// The number in compiled code.
    pub(crate) const fn number(self) -> u64 {
        self.0 as u64
    }

    /// The exit of this number.
    pub(crate) const fn of_number(number: u64) -> Self {
        Self(number as u32)
    }

    pub(crate) const fn region(self) -> usize {
        (self.0 >> INDEX_BITS) as usize
    }

    pub(crate) const fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

/// One exit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Offset in the code cache of its jump's displacement.
    pub(crate) jump: usize,
    /// Where the jump goes while it is not joined.
    pub(crate) stub: usize,
    /// Offset of the epoch it is compared with, if it leaves its page.
    pub(crate) epoch: Option<usize>,
    /// RIP there.
    pub(crate) target: u64,
    /// The unit it leads to.
    pub(crate) to: Option<CodeId>,
}

impl Link {
    /// The link of an exit of code at `offset`.
    pub(crate) fn new(site: &ExitSite, offset: usize) -> Self {
        Self {
            jump: offset + site.jump,
            stub: offset + site.stub,
            epoch: site.epoch.map(|epoch| offset + epoch),
            target: site.target,
            to: None,
        }
    }

    /// The link of the same exit in a copy of the code.
    pub(crate) fn moved(&self, by: &Move) -> Self {
        let moved = |offset: usize| (offset as u64).wrapping_add(by.place) as usize;
        Self {
            jump: moved(self.jump),
            stub: moved(self.stub),
            epoch: self.epoch.map(moved),
            target: self.target.wrapping_add(by.guest),
            to: None,
        }
    }
}
