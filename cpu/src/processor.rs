//! The processor: architectural state, memory management unit, pins, and what a
//! block needs while it runs.

use rax_mmu::{Mmu, PhysicalAddress, View};

use crate::compiled::{Cells, HostX87, NotedSegments};
use crate::cpuid::Model;
use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::mode::Mode;
use crate::platform::Platform;
use crate::rflags::{Cr0, Cr4, Efer, Rflags};
use crate::segment::SegmentRegister;
use crate::state::{Activity, CpuState, InterruptShadow, Msrs};
use crate::statistics::Statistics;

/// How a block was left, besides faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Departure {
    /// Ran off its end.
    #[default]
    FallThrough,
    /// Took its direct branch.
    Taken,
    /// RIP was computed.
    Computed,
}

/// A located place that needs the slow path to be written: memory-mapped
/// devices, pages with code, two pages at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlowSpot {
    pub(crate) first: PhysicalAddress,
    pub(crate) first_bytes: u8,
    pub(crate) second: PhysicalAddress,
}

/// The memory that MONITOR watches: a line of 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) line: PhysicalAddress,
    /// What it held.
    pub(crate) bytes: [u8; 64],
}

/// How many blocks back the processor remembers where it was.
pub(crate) const HISTORY: usize = 16;

/// An x86-64 processor.
#[repr(C)]
pub struct Cpu {
    /// What compiled code keeps beside the state.
    pub cells: Cells,
    /// What the guest can see.
    pub state: CpuState,
    /// Translations and physical memory.
    pub mmu: Mmu,
    /// Where compiled code keeps the x87 unit.
    pub host_x87: HostX87,
    /// The world outside.
    pub platform: Box<dyn Platform>,
    /// Which processor this claims to be.
    pub model: Model,
    /// What decoding depends on; follows from the state.
    pub(crate) mode: Mode,
    /// Which translations ordinary accesses use; follows from the mode.
    pub(crate) view: View,
    /// How the running block was left.
    pub(crate) departure: Departure,
    /// The running block must not go on as decoded.
    pub(crate) leave: bool,
    /// A device was reached: a repeated instruction is to be interrupted.
    pub(crate) pause: bool,
    /// Position in its block of the instruction that went the slow way.
    pub(crate) position: u8,
    /// Instructions after the one that left its block early.
    pub(crate) remaining: usize,
    /// Where the engine looks up from running blocks.
    pub(crate) slice_end: u64,
    /// The count that the engine was asked to run to.
    pub(crate) until: u64,
    /// The count at which STI's shadow covers the next instruction.
    pub(crate) shadow_at: u64,
    /// Budget and count of retired instructions together, while compiled code runs.
    pub(crate) limit: u64,
    /// The count at which a block of compiled code began that is carried out to its end,
    /// although `until` has come nearer since.
    pub(crate) whole_from: u64,
    /// Why [`Exit::Exception`] was returned.
    pub(crate) exception: Option<Exception>,
    /// Data breakpoints hit by the running instruction (DR6 bits).
    pub(crate) debug_hits: u64,
    /// A non-maskable interrupt is waiting.
    pub(crate) nmi_pending: bool,
    /// A system-management interrupt is waiting.
    pub(crate) smi_pending: bool,
    pub(crate) slow_spot: SlowSpot,
    /// What compiled code knows of segments follows from this.
    pub(crate) noted_segments: NotedSegments,
    /// What MONITOR watches, and MWAIT then waits for.
    pub(crate) watched: Option<Watched>,
    /// The instruction being stepped began with RF set: a fault pushes it set.
    pub(crate) restore_rf_on_fault: bool,
    /// The instruction just stepped takes no single-step trap of its own (SYSCALL, INT).
    pub(crate) single_step_suppressed: bool,
    /// Model-specific registers the guest has tried in vain, each logged once.
    pub(crate) unknown_msrs: std::collections::BTreeSet<u32>,
    /// RIP of the last blocks entered, a ring indexed by the count of blocks.
    pub(crate) history: [u64; HISTORY],
    /// Counts for whoever asks.
    pub statistics: Statistics,
}

impl Cpu {
    /// A processor after power-on.
    #[must_use]
    pub fn new(model: Model, mmu: Mmu, platform: Box<dyn Platform>) -> Box<Self> {
        let mut cpu = Box::new(Self {
            cells: Cells::default(),
            state: CpuState::reset(model.signature()),
            mmu,
            host_x87: HostX87::default(),
            platform,
            model,
            mode: Mode::empty(),
            view: View::Supervisor,
            departure: Departure::FallThrough,
            leave: false,
            pause: false,
            position: 0,
            remaining: 0,
            slice_end: 0,
            until: 0,
            shadow_at: u64::MAX,
            limit: 0,
            whole_from: u64::MAX,
            exception: None,
            debug_hits: 0,
            nmi_pending: false,
            smi_pending: false,
            slow_spot: SlowSpot::default(),
            noted_segments: NotedSegments::default(),
            watched: None,
            restore_rf_on_fault: false,
            single_step_suppressed: false,
            unknown_msrs: std::collections::BTreeSet::new(),
            history: [0; HISTORY],
            statistics: Statistics::default(),
        });
        cpu.update_mode();
        cpu
    }

    /// The state after RESET. Memory, and the count of retired instructions, stay.
    pub fn reset(&mut self) {
        let instructions = self.state.instructions;
        self.state = CpuState::reset(self.model.signature());
        self.state.instructions = instructions;
        self.mmu.flush_all();
        self.nmi_pending = false;
        self.smi_pending = false;
        self.exception = None;
        self.debug_hits = 0;
        self.update_mode();
    }

    /// INIT: as a reset, but caches, the x87 and vector units, and most
    /// model-specific registers stay (SDM 3A, table 10-1). The machine knows by
    /// itself that the processor is not in system-management mode any more.
    pub fn init(&mut self) {
        let old = self.state.clone();
        self.reset();
        let kept = Cr0::CD | Cr0::NW;
        let state = &mut self.state;
        state.cr0 = state.cr0 & !kept.bits() | old.cr0 & kept.bits();
        state.xcr0 = old.xcr0;
        state.fpu = old.fpu;
        state.vectors = old.vectors;
        state.mxcsr = old.mxcsr;
        state.msrs = Msrs {
            efer: 0,
            ..old.msrs
        };
        state.smm.base = old.smm.base;
        self.update_mode();
    }

    /// Makes a processor wait for a start-up message, as all but the bootstrap
    /// processor do after a reset or INIT.
    pub fn wait_for_start_up(&mut self) {
        self.state.activity = Activity::WaitForStartUp;
        self.request_attention();
    }

    /// A start-up message (SDM 3A, 10.4.4): code begins at the page of this
    /// number. Only a processor that waits for it heeds it.
    pub fn start_up(&mut self, page: u8) {
        if self.state.activity != Activity::WaitForStartUp {
            return;
        }
        let code = &mut self.state.segments[SegmentRegister::Cs as usize];
        code.selector = u16::from(page) << 8;
        code.base = u64::from(page) << 12;
        self.state.rip = 0;
        self.state.activity = Activity::Running;
        self.update_mode();
    }

    /// What decoding depends on.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Follows a change of the state that the mode depends on: segments, CPL,
    /// RFLAGS, CR0, CR4, EFER, XCR0, DR7. Call after writing [`Cpu::state`] from outside.
    pub fn update_mode(&mut self) {
        self.mode = Mode::of(&self.state);
        let careful = Mode::ALIGNMENT_CHECK;
        self.view = if self.mode.intersects(careful) || self.watches_data() {
            View::Careful
        } else {
            self.mode.view()
        };
        self.request_attention();
    }

    fn watches_data(&self) -> bool {
        let dr7 = self.state.dr[7];
        (0..4).any(|n| dr7 >> (2 * n) & 3 != 0 && dr7 >> (16 + 4 * n) & 1 != 0)
    }

    /// The count of retired instructions at the running instruction.
    #[must_use]
    pub(crate) fn now(&self) -> u64 {
        self.state.instructions + u64::from(self.position)
    }

    /// Records an exception; returns what the handler is to return.
    #[cold]
    #[inline(never)]
    pub fn raise(&mut self, exception: Exception) -> Exit {
        self.exception = Some(exception);
        Exit::Exception
    }

    /// Makes the engine look at interrupts, mode and budget before the next block.
    #[inline(always)]
    pub(crate) const fn request_attention(&mut self) {
        self.slice_end = 0;
    }

    /// Makes the running block end after this instruction.
    pub(crate) const fn request_leave(&mut self) {
        self.leave = true;
        self.slice_end = 0;
    }

    /// Whether the next block may be entered at once: nothing is to be attended to
    /// before it but the count of instructions.
    #[inline]
    pub(crate) fn is_quiet(&mut self) -> bool {
        let state = &mut self.state;
        if state.interrupt_shadow == InterruptShadow::Sti && state.instructions > self.shadow_at {
            state.interrupt_shadow = InterruptShadow::None;
        }
        let undisturbed = state.activity == Activity::Running
            && state.interrupt_shadow == InterruptShadow::None
            && !state.system_flags.contains(Rflags::RF)
            && !self.mode.contains(Mode::SINGLE)
            && !self.nmi_pending
            && (!self.smi_pending || state.smm.is_active)
            && self.debug_hits == 0;
        if !undisturbed
            || self.mmu.has_code_changes()
            || self.mmu.needs_sync()
            || self.platform.wants_attention()
        {
            return false;
        }
        let is_open = self.state.system_flags.contains(Rflags::IF);
        !is_open || !self.platform.interrupt_pending()
    }

    /// Moves the count of instructions on to `count`: others ran in the meantime. STI's
    /// shadow still covers the next instruction.
    pub const fn catch_up(&mut self, count: u64) {
        let passed = count.saturating_sub(self.state.instructions);
        self.shadow_at = self.shadow_at.saturating_add(passed);
        self.state.instructions = count;
    }

    /// The code epoch of the present mode: while it is the same, code found by its
    /// linear address is still there.
    #[must_use]
    #[inline(always)]
    pub const fn code_epoch(&self) -> u64 {
        self.mmu.code_epoch(self.mode.contains(Mode::USER))
    }

    /// Tells the platform when what follows happens.
    pub(crate) fn begin_access(&mut self) {
        let now = self.now();
        self.platform.begin_access(now);
    }

    /// After the platform was called: it may want the processor back sooner.
    pub(crate) fn follow_platform(&mut self) {
        self.until = self.until.min(self.platform.run_until());
    }

    /// After the platform was called: the world may have changed.
    pub(crate) fn end_access(&mut self) {
        self.follow_platform();
        self.pause = true;
        self.request_leave();
    }

    /// Notes which instruction went the slow way.
    #[inline(always)]
    pub(crate) const fn note_position(&mut self, insn: &Insn) {
        self.position = insn.position;
    }

    /// Sets the instruction pointer as a computed branch does.
    #[inline(always)]
    pub(crate) const fn set_rip(&mut self, rip: u64) {
        self.state.rip = rip;
        self.departure = Departure::Computed;
    }

    /// RIP of the instruction after `insn`, truncated to the code size.
    #[inline(always)]
    #[must_use]
    pub(crate) fn ip_after(&self, insn: &Insn) -> u64 {
        self.mode
            .truncate_ip(self.block_rip().wrapping_add(u64::from(insn.next)))
    }

    /// RIP of `insn`.
    #[must_use]
    pub(crate) fn ip_of(&self, insn: &Insn) -> u64 {
        self.mode
            .truncate_ip(self.block_rip().wrapping_add(u64::from(insn.start())))
    }

    #[inline(always)]
    pub(crate) const fn block_rip(&self) -> u64 {
        self.state.gpr(crate::state::Gpr::BlockRip)
    }

    /// Protected mode as a boot protocol wants it; segments are the caller's to set.
    pub fn enter_protected_mode(&mut self) {
        self.state.cr0 = (Cr0::PE | Cr0::ET).bits();
        self.update_mode();
    }

    /// 64-bit paging on top of protected mode, with the level-4 table at `page_tables`.
    pub fn enter_long_mode(&mut self, page_tables: u64) {
        self.state.cr3 = page_tables;
        self.state.cr4 |= Cr4::PAE.bits();
        self.state.msrs.efer |= (Efer::LME | Efer::LMA).bits();
        self.state.cr0 |= Cr0::PG.bits();
        self.mmu.flush_all();
        self.update_mode();
    }

    /// Whether an interrupt can end a halt; without, only a reset can.
    #[must_use]
    pub const fn can_be_woken(&self) -> bool {
        self.state.system_flags.contains(Rflags::IF) || self.nmi_pending || self.smi_pending
    }

    /// Takes over all that another processor is, but for memory and pins.
    pub fn follow(&mut self, other: &Self) {
        self.state = other.state.clone();
        self.exception = other.exception;
        self.debug_hits = other.debug_hits;
        self.shadow_at = other.shadow_at;
        self.nmi_pending = other.nmi_pending;
        self.smi_pending = other.smi_pending;
        self.watched = other.watched;
        self.restore_rf_on_fault = other.restore_rf_on_fault;
        self.single_step_suppressed = other.single_step_suppressed;
        self.mmu.flush_all();
        self.update_mode();
    }

    /// The line of memory around an address, for MONITOR.
    pub(crate) fn watch(&mut self, address: PhysicalAddress) {
        let line = PhysicalAddress(address.0 & !63);
        let mut bytes = [0; 64];
        self.mmu.memory().read(line, &mut bytes, &mut ());
        self.watched = Some(Watched { line, bytes });
    }

    /// Whether the line that MONITOR watches has another content than then. (A store
    /// of what was there already cannot be told, and changes nothing for who waits.)
    pub(crate) fn watched_line_changed(&self) -> bool {
        self.watched.is_some_and(|watched| {
            let mut bytes = [0; 64];
            let memory = self.mmu.memory();
            memory.read(watched.line, &mut bytes, &mut ());
            bytes != watched.bytes
        })
    }

    /// Ends an MWAIT if what it waits for was written. Whether it did.
    pub fn wake_if_written(&mut self) -> bool {
        let wakes = self.state.activity == Activity::Halted && self.watched_line_changed();
        if wakes {
            self.state.activity = Activity::Running;
            self.watched = None;
        }
        wakes
    }

    /// Whether a non-maskable interrupt is waiting.
    #[must_use]
    pub const fn nmi_is_pending(&self) -> bool {
        self.nmi_pending
    }

    /// Asserts the NMI pin's edge.
    pub fn assert_nmi(&mut self) {
        self.nmi_pending = true;
        self.request_attention();
    }
}
