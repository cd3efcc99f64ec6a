//! What a host must offer to run compiled code.

use rax_cpu::ir;
use rax_mmu::WindowName;

use crate::block::Unit;
use crate::relocation::Relocation;

#[cfg(target_arch = "x86_64")]
pub(crate) mod x64;

/// What compiled code says when it was left, with RIP in place, because something is to
/// be attended to, or the guest's vectors must stay in the state.
pub(crate) const NO_EXIT: u64 = u32::MAX as u64;

/// The same, and the block there is to be interpreted once.
pub(crate) const INTERPRET: u64 = u32::MAX as u64 - 1;

/// The same: the budget is used up.
pub(crate) const EXHAUSTED: u64 = u32::MAX as u64 - 2;

/// The same: the jump cache does not know RIP.
pub(crate) const UNKNOWN: u64 = u32::MAX as u64 - 3;

/// Exits have numbers below this one.
pub(crate) const FIRST_REASON: u64 = UNKNOWN;

/// A way out of a unit to an address known when it is compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExitSite {
    /// Offset in the code of the jump that is patched.
    pub(crate) jump: usize,
    /// Offset of the code that leaves, telling which exit it was.
    pub(crate) stub: usize,
    /// Offset of the code epoch it is compared with, if it leaves its page.
    pub(crate) epoch: Option<usize>,
    /// RIP there.
    pub(crate) target: u64,
}

/// A unit's code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Emitted {
    /// The bytes.
    pub(crate) code: Vec<u8>,
    /// Offset of what is off the straight way.
    pub(crate) cold: usize,
    /// The ways out; the number of each counts from the one the compiler was given.
    pub(crate) exits: Vec<ExitSite>,
    /// Instructions left to the interpreter.
    pub(crate) carried_out: u32,
    /// Windows of the TLB that it looks through.
    pub(crate) windows: Vec<UsedWindow>,
    /// Whether it can be copied for another address, and what changes then.
    pub(crate) is_movable: bool,
    pub(crate) relocations: Vec<Relocation>,
}

/// A window that code looks through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsedWindow {
    pub(crate) name: WindowName,
    /// The instructions of the unit that use it, a bit each.
    pub(crate) insns: u64,
}

impl Emitted {
    /// Empties it.
    pub(crate) fn begin(&mut self) {
        self.code.clear();
        self.exits.clear();
        self.cold = 0;
        self.carried_out = 0;
        self.windows.clear();
        self.is_movable = false;
        self.relocations.clear();
    }
}

/// A host's compiler.
pub(crate) trait Backend {
    /// Emits the routines that all units share, to run at `base`.
    fn routines(&mut self, base: u64) -> Vec<u8>;
    /// From now on, has each unit add up how often it asks the TLB
    /// ([`rax_cpu::compiled::Cells`]).
    fn count_accesses(&mut self);
    /// The routine that enters compiled code; see [`crate::trampoline::run`].
    fn enter(&self) -> u64;
    /// Emits a unit, to run at `base`, its exits numbered from `first_exit`.
    fn compile(&mut self, unit: &Unit, block: &ir::Block, base: u64, first_exit: u64) -> Emitted;
    /// Takes back what is not needed any more, to be filled again.
    fn reclaim(&mut self, emitted: Emitted);
    /// The bytes that make the jump at `site` go to `target`.
    fn jump(&self, site: u64, target: u64) -> [u8; 4];
    /// The slot of the jump cache that compiled code looks at.
    fn jump_slot(&self, key: u64) -> usize;
}

/// Slots of a jump cache.
pub(crate) const JUMP_SLOTS: usize = 1 << 14;

/// A slot of the jump cache: where an indirect jump leads.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct JumpSlot {
    /// RIP, and the base of CS in the upper half where that matters.
    pub(crate) key: u64,
    /// Address of its code.
    pub(crate) code: u64,
}

/// A key that no code has: not canonical, and a base of CS for which nothing is compiled.
pub(crate) const NO_KEY: u64 = 1 << 63;

const _: () = assert!(size_of::<JumpSlot>() == 16);
