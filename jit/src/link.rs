//! Exits of compiled code, and how they are joined to the code they lead to.

use crate::backend::ExitSite;

/// Names a unit in the code cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CodeId(pub(crate) u32);

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
}
