//! The interpreter: finds blocks, runs them, and attends to what comes between.

mod blocks;
mod one;
#[cfg(test)]
mod tests;

use crate::Cpu;
use crate::decode::{Decoder, LONGEST_BLOCK};
use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::mode::Mode;
use crate::processor::{Departure, HISTORY};
use crate::rflags::{Dr6, Rflags};
use crate::segment::SegmentRegister;
use crate::state::{Activity, Gpr, InterruptShadow};
use blocks::{BlockCache, pages_of};

pub use blocks::{Block, BlockId, Dropped};
pub use one::Evaluator;
use rax_mmu::{AccessKind, CodeChange, CodeChanges, LinearAddress};

/// Why [`Interpreter::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// As many instructions as asked for have retired.
    Budget,
    /// HLT: nothing happens before the next interrupt.
    Halted,
    /// Triple fault.
    Shutdown,
    /// The platform wants to be looked after.
    Attention,
    /// Two engines that ran side by side came to different states.
    Diverged,
}

/// What carries out a processor's instructions.
pub trait Engine: Send {
    /// Runs until exactly `until` instructions have retired since power-on, or
    /// something needs the machine.
    fn run(&mut self, cpu: &mut Cpu, until: u64) -> Stop;
    /// Runs one instruction, or delivers one event.
    fn step(&mut self, cpu: &mut Cpu) -> Stop;
}

/// Runs a processor by interpreting decoded blocks.
pub struct Interpreter {
    decoder: Decoder,
    cache: BlockCache,
}

impl Interpreter {
    /// An interpreter for processors of `cpu`'s model.
    #[must_use]
    pub fn new(cpu: &Cpu) -> Self {
        Self {
            decoder: Decoder::new(&cpu.model),
            cache: BlockCache::default(),
        }
    }

    /// The block of this name.
    #[must_use]
    #[inline]
    pub fn block(&self, id: BlockId) -> &Block {
        self.cache.block(id)
    }

    /// The blocks that were forgotten since the last call.
    pub fn take_dropped(&mut self) -> Dropped {
        self.cache.take_dropped()
    }

    /// Whether [`Interpreter::take_dropped`] has something to say.
    #[must_use]
    #[inline]
    pub fn has_dropped(&self) -> bool {
        self.cache.has_dropped()
    }

    /// Runs one block from its start, where CS:RIP is; gives the next one if it is known
    /// from the last time.
    pub fn run_block(&mut self, cpu: &mut Cpu, id: BlockId) -> Option<BlockId> {
        self.enter(cpu, id)
    }

    /// Runs one block; gives the next one if a link names it.
    #[inline(always)]
    fn enter(&mut self, cpu: &mut Cpu, id: BlockId) -> Option<BlockId> {
        let block = self.cache.block(id);
        let rip = cpu.state.rip;
        cpu.state.set_gpr(Gpr::BlockRip, rip);
        cpu.state.rip = cpu
            .mode
            .truncate_ip(rip.wrapping_add(u64::from(block.bytes)));
        cpu.departure = Departure::FallThrough;
        cpu.history[cpu.statistics.blocks as usize % HISTORY] = rip;
        cpu.statistics.blocks += 1;
        let Some((first, rest)) = block.insns.split_first() else {
            unreachable!("a block has at least one instruction");
        };
        match (first.handler)(cpu, first, rest) {
            Ok(()) => cpu.state.instructions += block.insns.len() as u64,
            Err(exit) => {
                let done = leave_early(cpu, &block.insns, exit);
                if !done {
                    self.fault(cpu);
                }
                return None;
            }
        }
        let side = match cpu.departure {
            Departure::FallThrough => 0,
            Departure::Taken => 1,
            Departure::Computed => return None,
        };
        if !block.linkable[side] {
            return None;
        }
        let link = block.links[side];
        if link.epoch == self.cache.link_epoch() {
            cpu.statistics.linked += 1;
            return Some(link.block);
        }
        self.link(cpu, id, side)
    }

    /// Finds the block a branch within a page leads to, and remembers it.
    #[cold]
    #[inline(never)]
    fn link(&mut self, cpu: &mut Cpu, id: BlockId, side: usize) -> Option<BlockId> {
        if cpu.state.instructions >= cpu.slice_end {
            return None;
        }
        // Outside a flat code segment, each entry checks the limit; and finding the
        // target may empty a full cache, after which `id` names nothing.
        let epoch = self.cache.epoch();
        let flat = cpu.mode.intersects(Mode::FLAT | Mode::CODE64);
        match self.find(cpu) {
            Ok(target) => {
                let is_whole = self.cache.epoch() == epoch;
                if flat && is_whole && !self.cache.block(target).crosses_page {
                    self.cache.link(id, side, target);
                }
                Some(target)
            }
            Err(_) => {
                self.fault(cpu);
                None
            }
        }
    }

    /// The block at CS:RIP, decoded if need be.
    ///
    /// # Errors
    /// When the fetch faults: [`Interpreter::fault`] is to follow.
    pub fn find(&mut self, cpu: &mut Cpu) -> Result<BlockId, Exit> {
        let epoch = cpu.code_epoch();
        if let Some(id) = self.cache.jump_cache(code_address(cpu), cpu.mode, epoch)
            && (cpu.mode.intersects(Mode::FLAT | Mode::CODE64) || self.within_limit(cpu, id))
        {
            cpu.statistics.jump_cache_hits += 1;
            return Ok(id);
        }
        cpu.position = 0;
        let linear = self.fetch_address(cpu)?;
        let controls = cpu.controls();
        let access = cpu.program_access(AccessKind::Execute);
        let page = cpu
            .mmu
            .fetch_page(&controls, access, linear)
            .map_err(|fault| cpu.raise(Exception::PageFault(fault)))?;
        let physical = page.physical.0 & !0xfff | linear.0 & 0xfff;
        if let Some(id) = self.cache.find(physical, cpu.mode) {
            let block = self.cache.block(id);
            let usable = !block.crosses_page || block.still_spans(cpu, linear);
            if usable && self.within_limit(cpu, id) {
                cpu.statistics.block_cache_hits += 1;
                self.remember(cpu, id);
                return Ok(id);
            }
        }
        let block = self.decoder.decode(cpu, linear, physical)?;
        cpu.statistics.decoded_blocks += 1;
        cpu.statistics.decoded_instructions += block.insns.len() as u64;
        for (start, bytes) in block.parts() {
            cpu.mmu.mark_code(start, u64::from(bytes));
        }
        let id = self.cache.insert(block, cpu.mode);
        self.remember(cpu, id);
        Ok(id)
    }

    fn remember(&mut self, cpu: &Cpu, id: BlockId) {
        if !self.cache.block(id).crosses_page {
            let epoch = cpu.code_epoch();
            self.cache.remember(code_address(cpu), cpu.mode, epoch, id);
        }
    }

    /// Linear address of the next instruction, RIP checked against CS.
    fn fetch_address(&self, cpu: &mut Cpu) -> Result<LinearAddress, Exit> {
        let rip = cpu.state.rip;
        if cpu.mode.contains(Mode::CODE64) {
            if !cpu.is_canonical(rip) {
                return Err(cpu.raise(Exception::GeneralProtection(0)));
            }
            return Ok(LinearAddress(rip));
        }
        if rip > u64::from(cpu.state.segment(SegmentRegister::Cs).limit) {
            return Err(cpu.raise(Exception::GeneralProtection(0)));
        }
        Ok(LinearAddress(code_address(cpu)))
    }

    /// Whether all of a block lies within CS.
    fn within_limit(&self, cpu: &Cpu, id: BlockId) -> bool {
        if cpu.mode.contains(Mode::CODE64) {
            return true;
        }
        let limit = u64::from(cpu.state.segment(SegmentRegister::Cs).limit);
        cpu.state.rip + u64::from(self.cache.block(id).bytes) - 1 <= limit
    }

    /// Delivers the exception that [`Cpu::raise`] noted.
    pub fn fault(&mut self, cpu: &mut Cpu) {
        deliver_fault(cpu);
    }

    /// What comes between blocks: budget, code that was overwritten, traps,
    /// interrupts (SDM 3A, table 6-2).
    #[cold]
    #[inline(never)]
    pub fn attend(&mut self, cpu: &mut Cpu, until: u64) -> Attended {
        cpu.leave = false;
        cpu.position = 0;
        let until = until.min(cpu.platform.run_until());
        cpu.until = until;
        let has_room = until.saturating_sub(cpu.state.instructions) >= LONGEST_BLOCK as u64;
        if cpu.is_quiet() && has_room {
            cpu.slice_end = until - LONGEST_BLOCK as u64 + 1;
            return Attended::Run;
        }
        self.forget_overwritten(cpu);
        cpu.mmu.sync_map();
        if cpu.platform.wants_attention() {
            return Attended::Stop(Stop::Attention);
        }
        if cpu.state.activity == Activity::Shutdown {
            return Attended::Stop(Stop::Shutdown);
        }
        if cpu.state.activity == Activity::WaitForStartUp {
            return Attended::Stop(Stop::Halted);
        }
        if self.interrupt(cpu) {
            return Attended::Again;
        }
        if cpu.state.activity == Activity::Halted {
            return Attended::Stop(Stop::Halted);
        }
        if cpu.state.instructions >= until {
            return Attended::Stop(Stop::Budget);
        }
        // A block must not run past `until`, so the last few go one by one.
        let room = until - cpu.state.instructions;
        let careful = room < LONGEST_BLOCK as u64
            || cpu.mode.contains(Mode::SINGLE)
            || cpu.state.interrupt_shadow != InterruptShadow::None
            || cpu.state.system_flags.contains(Rflags::RF)
            || cpu.debug_hits != 0;
        if careful {
            self.step(cpu);
            return Attended::Again;
        }
        cpu.slice_end = until - LONGEST_BLOCK as u64 + 1;
        Attended::Run
    }

    /// Drops the blocks that were written over since the last look.
    fn forget_overwritten(&mut self, cpu: &mut Cpu) {
        if !cpu.mmu.has_code_changes() {
            return;
        }
        let CodeChanges::Some(changes) = cpu.mmu.take_code_changes() else {
            self.cache.clear();
            return;
        };
        for &change in &changes {
            cpu.statistics.invalidated_blocks += match change {
                CodeChange::Written(start, bytes) => {
                    self.cache.invalidate(cpu.mmu.memory(), start, bytes)
                }
                CodeChange::Gone(start, bytes) => self.cache.forget_pages(start, bytes),
            };
        }
        // Many writes in a row often go to one page.
        let written = changes.iter().flat_map(|&change| match change {
            CodeChange::Written(start, bytes) => pages_of(start, bytes),
            CodeChange::Gone(..) => 0..0,
        });
        let mut last = None;
        for page in written {
            if last.replace(page) != Some(page) {
                self.cache.mark_again(cpu.mmu.memory(), page);
            }
        }
    }

    /// Delivers an interrupt if one is pending and may be.
    ///
    /// STI's shadow may keep out NMI and SMI too (SDM 3C, Table 25-3, note), and here it
    /// does: else one that came between STI and HLT would end the shadow, its handler's
    /// return would let in the interrupt that HLT is to wait for, and HLT would wait in vain.
    fn interrupt(&mut self, cpu: &mut Cpu) -> bool {
        if cpu.state.interrupt_shadow != InterruptShadow::None {
            return false;
        }
        if cpu.smi_pending && !cpu.state.smm.is_active {
            cpu.smi_pending = false;
            cpu.enter_smm();
            return true;
        }
        if cpu.nmi_pending && !cpu.state.nmi_blocked {
            cpu.nmi_pending = false;
            cpu.state.activity = Activity::Running;
            cpu.state.nmi_blocked = true;
            cpu.state.monitor = None;
            cpu.deliver_nmi();
            return true;
        }
        let allowed = cpu.state.system_flags.contains(Rflags::IF);
        if !allowed || !cpu.platform.interrupt_pending() {
            return false;
        }
        cpu.begin_access();
        let vector = cpu.platform.acknowledge_interrupt();
        cpu.state.activity = Activity::Running;
        cpu.state.monitor = None;
        cpu.statistics.interrupts += 1;
        cpu.deliver_interrupt(vector);
        true
    }

    /// Executes exactly one instruction, with breakpoints and traps around it.
    fn step(&mut self, cpu: &mut Cpu) {
        let before = cpu.state.system_flags;
        let shadow = cpu.state.interrupt_shadow;
        let breakpoints = if before.contains(Rflags::RF) || shadow == InterruptShadow::MovSs {
            0
        } else {
            cpu.instruction_breakpoints()
        };
        if breakpoints != 0 {
            cpu.raise(Exception::Debug {
                status: breakpoints,
            });
            self.fault(cpu);
            return;
        }
        cpu.mode.insert(Mode::SINGLE);
        let found = self.find(cpu);
        cpu.mode = Mode::of(&cpu.state);
        let Ok(id) = found else {
            self.fault(cpu);
            return;
        };
        cpu.state.interrupt_shadow = InterruptShadow::None;
        cpu.state.system_flags.remove(Rflags::RF);
        cpu.restore_rf_on_fault = before.contains(Rflags::RF);
        let faults = cpu.statistics.faults;
        self.enter(cpu, id);
        cpu.restore_rf_on_fault = false;
        if cpu.statistics.faults != faults {
            return;
        }
        // Single-step counts if TF was set before the instruction (SDM 3B, 18.3.1.4).
        let mut status = cpu.debug_hits;
        cpu.debug_hits = 0;
        if before.contains(Rflags::TF) && !cpu.single_step_suppressed {
            status |= Dr6::BS.bits();
        }
        cpu.single_step_suppressed = false;
        if status != 0 {
            if cpu.state.interrupt_shadow == InterruptShadow::MovSs {
                cpu.debug_hits = status & 0xf;
                return;
            }
            // A debug exception ends the wait of HLT and MWAIT (SDM 2A, HLT).
            if cpu.state.activity == Activity::Halted {
                cpu.state.activity = Activity::Running;
                cpu.state.monitor = None;
            }
            cpu.deliver_exception(Exception::Debug { status });
            cpu.request_attention();
        }
    }
}

impl Engine for Interpreter {
    fn run(&mut self, cpu: &mut Cpu, until: u64) -> Stop {
        cpu.request_attention();
        let mut next = None;
        loop {
            if cpu.state.instructions >= cpu.slice_end {
                next = None;
                match self.attend(cpu, until) {
                    Attended::Stop(stop) => return stop,
                    Attended::Again => continue,
                    Attended::Run => {}
                }
            }
            let id = match next {
                Some(id) => id,
                None => match self.find(cpu) {
                    Ok(id) => id,
                    Err(_) => {
                        self.fault(cpu);
                        continue;
                    }
                },
            };
            next = self.enter(cpu, id);
        }
    }

    fn step(&mut self, cpu: &mut Cpu) -> Stop {
        let until = cpu.state.instructions + 1;
        match self.attend(cpu, until) {
            Attended::Stop(stop) => stop,
            Attended::Again | Attended::Run => Stop::Budget,
        }
    }
}

/// Linear address of CS:RIP, unchecked.
#[inline(always)]
fn code_address(cpu: &Cpu) -> u64 {
    if cpu.mode.intersects(Mode::FLAT | Mode::CODE64) {
        return cpu.state.rip;
    }
    let base = cpu.state.segment(SegmentRegister::Cs).base;
    base.wrapping_add(cpu.state.rip) & 0xffff_ffff
}

/// What [`Interpreter::attend`] decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attended {
    /// Blocks may run.
    Run,
    /// Something was done; attend again.
    Again,
    /// The run is over.
    Stop(Stop),
}

/// Delivers the exception that [`Cpu::raise`] noted.
#[cold]
#[inline(never)]
pub(crate) fn deliver_fault(cpu: &mut Cpu) {
    let Some(exception) = cpu.exception.take() else {
        debug_assert!(false, "an exit without its exception");
        return;
    };
    cpu.position = 0;
    cpu.state.interrupt_shadow = InterruptShadow::None;
    cpu.debug_hits = 0;
    // Delivery counts as an instruction: a handler that faults at its first one
    // must not stop the guest's time.
    cpu.state.instructions += 1;
    cpu.statistics.faults += 1;
    cpu.deliver_exception(exception);
    cpu.request_attention();
}

/// Accounts for a block left before its end. False if an exception is to be delivered.
#[cold]
#[inline(never)]
pub(crate) fn leave_early(cpu: &mut Cpu, insns: &[Insn], exit: Exit) -> bool {
    let index = insns.len() - 1 - cpu.remaining;
    let insn: &Insn = &insns[index];
    cpu.state.instructions += index as u64;
    cpu.position = 0;
    match exit {
        Exit::Exception => {
            cpu.state.rip = cpu.ip_of(insn);
            if cpu.restore_rf_on_fault {
                cpu.state.system_flags.insert(Rflags::RF);
            }
            return false;
        }
        Exit::Leave => {
            cpu.state.instructions += 1;
            if cpu.departure == Departure::FallThrough {
                cpu.state.rip = cpu.ip_after(insn);
            }
        }
        Exit::Again => {
            cpu.state.instructions += 1;
            cpu.state.rip = cpu.ip_of(insn);
        }
    }
    cpu.request_attention();
    true
}
