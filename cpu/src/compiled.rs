//! What compiled code shares with the processor: cells beside the state, flags put
//! aside with their operands, and the way back into the interpreter for one instruction.
//!
//! Whoever compiles keeps the guest's registers where it likes while its code runs.
//! Before it calls [`Cpu::carry_out`], and before it hands the processor back, all is
//! in [`crate::CpuState`] again, but for the flags, which [`Cpu::settle_flags`] fetches.

mod flag_kind;
mod segments;
mod x87;

use std::mem::offset_of;
use std::sync::atomic::AtomicBool;

use rax_mmu::{AccessKind, LinearAddress, PAGE_SIZE};

use crate::Cpu;
use crate::decode::LONGEST_BLOCK;
use crate::exception::Exit;
use crate::flags::{LazyFlags, mask, sign_extend};
use crate::float::Env;
use crate::insn::Insn;
use crate::interp::{deliver_fault, leave_early};
use crate::processor::Departure;
use crate::rflags::Rflags;
use crate::state::{CpuState, Gpr};
use crate::vector::{FloatWidth, order_flags};
use crate::verbs::Flags;

pub use flag_kind::{FlagKind, SimpleKind};
pub(crate) use segments::NotedSegments;
pub use x87::{FUNCTIONS, HostX87, X87Place};

/// Cells that compiled code keeps within reach of the state. They lie right before it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub struct Cells {
    /// How many bytes of each segment may be read, and written, from its start; zero also
    /// if that is not all that matters: see [`Cpu::note_segments`].
    pub segment_ends: [[u64; 2]; 6],
    /// Where the level of the INTR pin is, a byte: [`crate::Platform::interrupt_level`].
    pub interrupt_level: u64,
    /// Whether PAUSE may do anything.
    pub heeds_pause: u64,
    /// How many accesses compiled code has made by the first-level TLB, if it counts them.
    pub accesses: u64,
    /// How many of those it has not found there.
    pub misses: u64,
    /// Whether the guest's vector registers and MXCSR are in the host's: not in the state.
    pub vectors: u32,
    /// The host's MXCSR meanwhile.
    pub host_mxcsr: u32,
    /// Where the list of jump caches begins, one for each mode: the compiler's.
    pub jump_caches: u64,
    /// How often compiled code went on elsewhere after an instruction was carried out.
    pub dispatched: u64,
    /// The base of CS in the upper half, where code is found by RIP and that.
    pub code_base: u64,
    /// Segment registers of which a load in this mode changes selector and base alone, a
    /// bit each.
    pub plain_segments: u64,
    /// Where what is called from compiled code says what it does: the compiler's, which
    /// puts it here at each entry.
    pub whereabouts: u64,
    /// The host's stack pointer when compiled code was entered.
    pub host_stack: u64,
    /// Which exit compiled code took.
    pub exit: u64,
    /// How far the stack of calls may grow: the compiler's.
    pub stack_limit: u64,
    /// The results of updates that stand over others: see [`FlagKind::over`].
    pub flag_overs: [u64; 2],
    /// Its lowest bit is a CF that waits for an addition with carry.
    pub carry: u64,
    /// Values that found no register.
    pub scratch: [u64; 2],
    /// Where the jump cache of the present mode begins.
    pub jumps: u64,
    /// The low half of the code epoch of the present mode.
    pub epoch: u32,
    /// What to make flags of: a [`FlagKind`] in the low half; zero if [`CpuState::flags`]
    /// is valid. The two bytes above are kinds that stand over it, or zero.
    pub flag_kind: u32,
    /// Operands of the last operation that set flags, as its kind says.
    pub flag_values: [u64; 3],
    /// How many instructions may still run; may be negative.
    pub budget: i64,
}

const _: () = assert!(size_of::<Cells>() == 288);
const _: () = assert!(offset_of!(Cpu, cells) == 0);
const _: () = assert!(offset_of!(Cpu, state) == 288);
const _: () = assert!(offset_of!(CpuState, gpr) == 0);

/// The INTR pin where nobody tells of it: somebody must ask.
static UNKNOWN_LEVEL: AtomicBool = AtomicBool::new(true);

/// Where compiled code finds what is the processor's own, in bytes from its start.
#[derive(Clone, Copy, Debug)]
pub struct Offsets;

impl Offsets {
    /// The budget and the count of retired instructions together.
    pub const LIMIT: usize = offset_of!(Cpu, limit);
    /// The count at which STI's shadow covers the next instruction.
    pub const SHADOW_AT: usize = offset_of!(Cpu, shadow_at);
    /// Whether a non-maskable interrupt is waiting.
    pub const NMI_PENDING: usize = offset_of!(Cpu, nmi_pending);
    /// The mode, of 16 bits.
    pub const MODE: usize = offset_of!(Cpu, mode);
    /// The view, as wide as a pointer.
    pub const VIEW: usize = offset_of!(Cpu, view);
}

/// What added to the budget gives the count of retired instructions, and what block
/// is running: for the way back into the interpreter.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The block's instructions.
    pub insns: &'a [Insn],
    /// RIP at its start.
    pub rip: u64,
    /// Its length in bytes.
    pub bytes: u16,
    /// How many instructions are taken off the budget from its first one on: its own, and
    /// those of the blocks that are compiled as one with it and come behind it.
    pub charged: usize,
}

/// How compiled code goes on after an instruction was carried out for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Behind the instruction.
    GoOn,
    /// At CS:RIP, in the present mode: the block is over.
    Dispatch,
    /// Not at all: something is to be attended to first.
    Leave,
}

impl Cpu {
    /// Makes [`CpuState::flags`] valid.
    #[inline]
    pub fn settle_flags(&mut self) {
        if self.cells.flag_kind != 0 {
            self.settle_kept_flags();
        }
    }

    fn settle_kept_flags(&mut self) {
        let kinds = self.cells.flag_kind;
        let kind = FlagKind(kinds & 0xffff);
        if kind != FlagKind::SETTLED {
            self.state.flags = self.flags_put_aside(kind);
        }
        for (layer, result) in self.cells.flag_overs.into_iter().enumerate() {
            let over = FlagKind(kinds >> (16 + 8 * layer) & 0xff);
            if over != FlagKind::SETTLED {
                self.state.flags = over.apply_over(result, self.state.flags);
            }
        }
        self.cells.flag_kind = 0;
    }

    fn flags_put_aside(&self, kind: FlagKind) -> LazyFlags {
        let [x, y, _] = self.cells.flag_values;
        match kind.simple() {
            // Nearly all are of one of these.
            Some((SimpleKind::Logic, bits)) => LazyFlags {
                result: sign_extend(bits, x),
                carries: 0,
            },
            Some((SimpleKind::Sub, bits)) => {
                let (difference, b) = (x & mask(bits), y & mask(bits));
                let a = difference.wrapping_add(b) & mask(bits);
                Flags::Sub { a, b, difference }.apply(bits, self.state.flags)
            }
            _ => self.other_flags(kind),
        }
    }

    #[cold]
    fn other_flags(&self, kind: FlagKind) -> LazyFlags {
        match kind.ordered() {
            Some(width) => self.numbers_order(width),
            None if kind == FlagKind::PUSHED => {
                let pushed = Rflags::from_bits_truncate(self.cells.flag_values[0]);
                LazyFlags::from_status(pushed & Rflags::STATUS)
            }
            None => {
                let (bits, flags) = kind.flags(self.cells.flag_values);
                flags.apply(bits, self.state.flags)
            }
        }
    }

    /// The flags of two numbers put aside. Of MXCSR only DAZ counts, and whoever changes
    /// that has settled the flags before.
    fn numbers_order(&self, width: FloatWidth) -> LazyFlags {
        let [a, b, _] = self.cells.flag_values.map(u128::from);
        let mut env = Env::from_mxcsr(self.state.mxcsr);
        LazyFlags::from_status(order_flags(width, &mut env, (a, b), false))
    }

    /// Makes the flags valid; the arithmetic ones as bits of RFLAGS.
    pub fn settled_status(&mut self) -> Rflags {
        self.settle_flags();
        self.state.flags.status()
    }

    /// What the engine looks at before each block: whether something is to be attended to.
    #[must_use]
    #[inline]
    pub const fn wants_attention(&self) -> bool {
        self.state.instructions >= self.slice_end
    }

    /// Makes the engine look up before the next block.
    pub const fn stop_soon(&mut self) {
        self.request_attention();
    }

    /// Before compiled code is entered: how far it may run, at `most` so many
    /// instructions, and what it compares.
    #[inline]
    pub fn enter_compiled(&mut self, most: u64) {
        self.limit = self.until.min(self.state.instructions.wrapping_add(most));
        self.cells.budget = self.limit.wrapping_sub(self.state.instructions) as i64;
        self.cells.epoch = self.code_epoch() as u32;
        let level = self.platform.interrupt_level().unwrap_or(&UNKNOWN_LEVEL);
        self.cells.interrupt_level = std::ptr::from_ref(level).expose_provenance() as u64;
        self.cells.heeds_pause = u64::from(self.platform.heeds_pause());
        self.note_segments();
    }

    /// How many instructions may still run before something is to happen.
    #[must_use]
    pub const fn room(&self) -> u64 {
        self.until.saturating_sub(self.state.instructions)
    }

    /// After compiled code was left: the count is right again.
    #[inline]
    pub fn leave_compiled(&mut self) {
        self.state.instructions = self.limit.wrapping_sub(self.cells.budget as u64);
        self.settle_flags();
        self.settle_x87();
    }

    /// Fills the first-level TLB for an access of compiled code. False if the interpreter
    /// must carry the access out: it faults, crosses a page, or is to be looked at.
    pub fn fill_tlb(&mut self, address: u64, bytes: u64, write: bool) -> bool {
        let address = LinearAddress(address);
        if address.offset() + bytes > PAGE_SIZE || !self.is_canonical(address.0) {
            return false;
        }
        let kind = if write {
            AccessKind::Write
        } else {
            AccessKind::Read
        };
        let (controls, access) = (self.controls(), self.program_access(kind));
        if self.mmu.translate(&controls, access, address).is_err() {
            return false;
        }
        self.cells.epoch = self.code_epoch() as u32;
        if write {
            self.mmu.tlb.probe_write(self.view, address, bytes)
        } else {
            self.mmu.tlb.probe_read(self.view, address, bytes)
        }
        .is_some()
    }

    /// Carries out one instruction of a block that is compiled, and taken off the budget
    /// already.
    pub fn carry_out(&mut self, place: Place<'_>, index: usize) -> Next {
        let count = place.insns.len();
        let Some(insn) = place.insns.get(index) else {
            debug_assert!(false, "compiled code names instructions that it has");
            return Next::Leave;
        };
        self.statistics.carried_out.note(insn.code);
        self.settle_flags();
        if self.host_x87.place == X87Place::Image as u32 {
            self.settle_x87();
        }
        let start = self
            .limit
            .wrapping_sub(self.cells.budget as u64)
            .wrapping_sub(place.charged as u64);
        self.state.instructions = start;
        self.state.set_gpr(Gpr::BlockRip, place.rip);
        let after = place.rip.wrapping_add(u64::from(place.bytes));
        self.state.rip = self.mode.truncate_ip(after);
        self.departure = Departure::FallThrough;
        self.leave = false;
        let had_room = start < last_start(self.until);
        let mut result = (insn.handler)(self, insn, &[]);
        if result.is_err() {
            self.remaining = count - 1 - index;
        } else if index + 1 < count {
            self.cells.epoch = self.code_epoch() as u32;
            if self.slice_end != 0 || self.cells.budget < 0 {
                return Next::GoOn;
            }
            // Without room for the longest block, the interpreter goes by single
            // instructions, and stops after this one. If there was some when the block
            // began, it goes on to its end, however near that has come since.
            if had_room {
                self.whole_from = start;
            }
            let is_whole = self.whole_from == start;
            let is_alone = place.charged == count && is_whole;
            if self.is_quiet() {
                self.slice_end = last_start(self.until);
                // An access may have brought the end nearer; the count stays what it is.
                let nearer = self.limit.saturating_sub(self.until);
                self.limit -= nearer;
                self.cells.budget = self.cells.budget.wrapping_sub(nearer as i64);
                if is_alone || self.cells.budget >= 0 {
                    return Next::GoOn;
                }
            } else if is_alone {
                // The next block is not to be entered; the count stays what it is.
                self.limit = self.limit.wrapping_sub(1 << 62);
                self.cells.budget = self.cells.budget.wrapping_sub(1 << 62);
                return Next::GoOn;
            }
            if is_whole {
                // Of several blocks, this is the last one.
                let rest = &place.insns[index + 1..];
                result = (rest[0].handler)(self, &rest[0], &rest[1..]);
            } else {
                self.remaining = count - 1 - index;
                result = Err(Exit::Leave);
            }
        }
        match result {
            Ok(()) => self.state.instructions += count as u64,
            Err(exit) => {
                if !leave_early(self, place.insns, exit) {
                    deliver_fault(self);
                }
            }
        }
        self.position = 0;
        let may_run = self.slice_end != 0 || self.is_quiet();
        if may_run {
            self.slice_end = last_start(self.until);
            self.limit = self.until;
            self.cells.epoch = self.code_epoch() as u32;
            self.note_segments();
        }
        self.cells.budget = self.limit.wrapping_sub(self.state.instructions) as i64;
        if may_run { Next::Dispatch } else { Next::Leave }
    }
}

/// The count at which the interpreter looks up: a block that begins before it fits.
const fn last_start(until: u64) -> u64 {
    until.saturating_sub(LONGEST_BLOCK as u64 - 1)
}
