//! The compiling engine: cold blocks are interpreted, warm ones compiled.

use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rax_cpu::interp::{Attended, BlockId, Dropped};
use rax_cpu::mode::Mode;
use rax_cpu::{Cpu, Engine, Interpreter, Stop, ir};

use crate::backend::{Backend, EXHAUSTED, FIRST_REASON, INTERPRET, UNKNOWN};
use crate::block::{LONGEST_UNIT, Unit};
use crate::code_cache::CodeCache;
use crate::link::{CodeId, LinkId};
use crate::trace::{Interval, Path};
use crate::whereabouts::{Doing, Whereabouts};
use crate::windows::Given;
use crate::{Options, Unavailable, trampoline};

/// What the compiler did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// Blocks compiled.
    pub blocks: u64,
    /// Instructions compiled.
    pub instructions: u64,
    /// Of those, instructions left to the interpreter.
    pub carried_out: u64,
    /// Blocks whose code was copied from another linear address instead.
    pub copied: u64,
    /// Of the blocks, traces: several that ran one after the other, or a hot one by itself.
    pub traces: u64,
    /// Instructions of the traces.
    pub traced_instructions: u64,
    /// Bytes of host code made.
    pub bytes: u64,
    /// Time spent compiling.
    pub time: Duration,
    /// Times that compiled code was entered.
    pub entries: u64,
    /// Exits joined to code.
    pub joined: u64,
    /// Blocks that were interpreted because they were cold, or not for the compiler.
    pub interpreted: u64,
    /// Instructions of those.
    pub interpreted_instructions: u64,
    /// Compiled blocks forgotten because the guest wrote over them.
    pub forgotten: u64,
    /// Times that a region of the code cache was emptied for want of room.
    pub evictions: u64,
    /// Units that were forgotten then.
    pub evicted: u64,
    /// Times that all code was forgotten.
    pub flushes: u64,
    /// How compiled code was left.
    pub exits: Exits,
}

/// Why compiled code was left, and how often.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exits {
    /// By an exit to a known address that was not joined, or joined for another address
    /// space.
    pub unjoined: u64,
    /// By a computed jump whose target the jump cache did not know.
    pub unknown: u64,
    /// The budget of instructions was used up.
    pub exhausted: u64,
    /// An interrupt, an exception or a device asked for attention.
    pub events: u64,
    /// The next block could not be run as compiled, with the exceptions that it unmasks.
    pub interpret: u64,
    /// Not left after all: went on elsewhere after an instruction was carried out.
    pub dispatched: u64,
}

/// Of several processors together.
impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Self) {
        let Self {
            blocks,
            instructions,
            carried_out,
            copied,
            traces,
            traced_instructions,
            bytes,
            time,
            entries,
            joined,
            interpreted,
            interpreted_instructions,
            forgotten,
            evictions,
            evicted,
            flushes,
            exits,
        } = other;
        self.blocks += blocks;
        self.instructions += instructions;
        self.carried_out += carried_out;
        self.copied += copied;
        self.traces += traces;
        self.traced_instructions += traced_instructions;
        self.bytes += bytes;
        self.time += time;
        self.entries += entries;
        self.joined += joined;
        self.interpreted += interpreted;
        self.interpreted_instructions += interpreted_instructions;
        self.forgotten += forgotten;
        self.evictions += evictions;
        self.evicted += evicted;
        self.flushes += flushes;
        let Exits {
            unjoined,
            unknown,
            exhausted,
            events,
            interpret,
            dispatched,
        } = exits;
        self.exits.unjoined += unjoined;
        self.exits.unknown += unknown;
        self.exits.exhausted += exhausted;
        self.exits.events += events;
        self.exits.interpret += interpret;
        self.exits.dispatched += dispatched;
    }
}

/// Where [`Statistics`] are found while an engine is in use elsewhere: they are brought up
/// to date whenever it stops.
#[derive(Clone, Debug, Default)]
pub struct Report(Arc<Mutex<Statistics>>);

impl Report {
    /// What was done when the engine last stopped.
    #[must_use]
    pub fn get(&self) -> Statistics {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, statistics: Statistics) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = statistics;
    }
}

/// The compiling engine.
pub struct Jit {
    pub(crate) interpreter: Interpreter,
    backend: Box<dyn Backend + Send>,
    pub(crate) cache: CodeCache,
    pub(crate) options: Options,
    /// The operations of the block compiled last, whose place the next takes.
    ops: Vec<(ir::Op, u32)>,
    /// Compiled code was interrupted at the start of a unit.
    is_sample: bool,
    pub(crate) interval: Interval,
    pub(crate) windows: Given,
    /// Compiled code has asked that the next block be interpreted.
    interpret_once: bool,
    /// The upper half of code epochs.
    era: u64,
    statistics: Statistics,
    report: Report,
    whereabouts: Whereabouts,
}

/// Modes in which every instruction is looked at.
const NOT_COMPILED: Mode = Mode::SINGLE.union(Mode::ALIGNMENT_CHECK);

/// Whether blocks of a mode are compiled.
pub(crate) const fn is_compiled(mode: Mode) -> bool {
    !mode.intersects(NOT_COMPILED)
}

impl Jit {
    /// An engine for processors of `cpu`'s model.
    ///
    /// # Errors
    /// When this host cannot run compiled code.
    pub fn new(cpu: &Cpu, options: Options) -> Result<Self, Unavailable> {
        let mut backend = back_end()?;
        let cache = CodeCache::new(options.cache_bytes, &mut *backend)
            .map_err(|error| Unavailable::NoMemory(error.to_string()))?;
        Ok(Self {
            interpreter: Interpreter::new(cpu),
            backend,
            cache,
            options,
            ops: Vec::new(),
            is_sample: false,
            interval: Interval::new(options.interval),
            windows: Given::default(),
            interpret_once: false,
            era: 0,
            statistics: Statistics::default(),
            report: Report::default(),
            whereabouts: Whereabouts::default(),
        })
    }

    /// Has it say in `cell` what it is doing.
    pub fn tell(&mut self, cell: Whereabouts) {
        self.whereabouts = cell;
    }

    /// Has compiled code count how often it asks the TLB, which makes it a little slower:
    /// [`rax_cpu::compiled::Cells`] tells. To be called before anything runs.
    pub fn count_accesses(&mut self) {
        self.backend.count_accesses();
    }

    /// Where to find the statistics later.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report.clone()
    }

    /// What was done so far.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Follows what the interpreter has forgotten.
    fn forget_dropped(&mut self) {
        if !self.interpreter.has_dropped() {
            return;
        }
        match self.interpreter.take_dropped() {
            Dropped::All => self.forget_all(),
            Dropped::Some(blocks) => {
                for block in blocks {
                    self.statistics.forgotten += self.cache.forget(block, &*self.backend);
                }
            }
        }
    }

    fn forget_all(&mut self) {
        self.cache.clear();
        self.statistics.flushes += 1;
    }

    /// The code of a block at RIP, compiled if it is warm.
    fn code(&mut self, cpu: &Cpu, block: BlockId) -> Option<CodeId> {
        if !cpu.may_run_compiled() {
            return None;
        }
        if !self.cache.is_warm(block, self.options.threshold) {
            return None;
        }
        if let Some(id) = self.cache.find(block, cpu.code_key()) {
            return Some(id);
        }
        if !is_compiled(cpu.mode()) {
            return None;
        }
        self.compile(cpu, block)
    }

    fn compile(&mut self, cpu: &Cpu, id: BlockId) -> Option<CodeId> {
        self.whereabouts.set(Doing::Compiling);
        let code = self.compile_block(cpu, id);
        self.whereabouts.set(Doing::Interpreting);
        code
    }

    fn compile_block(&mut self, cpu: &Cpu, id: BlockId) -> Option<CodeId> {
        let start = Instant::now();
        self.interval.renew();
        let copy = self.cache.copy(id, cpu, &*self.backend);
        let code = if copy.is_some() {
            self.statistics.copied += 1;
            copy
        } else if let Some((unit, blocks)) = self.cache.trace_elsewhere(id, cpu) {
            self.compile_blocks(unit, blocks)
        } else {
            self.compile_unit(id, Unit::new(self.interpreter.block(id), cpu))
        };
        self.statistics.time += start.elapsed();
        code
    }

    /// Compiles a path as one unit, in place of the code of its first block.
    pub(crate) fn compile_trace(&mut self, path: &Path, mode: Mode) {
        let start = Instant::now();
        self.whereabouts.set(Doing::Compiling);
        let blocks = path
            .iter()
            .map(|&(block, rip)| (self.interpreter.block(block), rip));
        let mut unit = Unit::trace(blocks, mode);
        unit.windows = Some(self.windows.offer());
        let (head, rip) = path[0];
        self.cache.forget_at(head, rip, &*self.backend);
        self.compile_blocks(unit, path.iter().map(|&(block, _)| block).collect());
        self.whereabouts.set(Doing::Interpreting);
        self.statistics.time += start.elapsed();
    }

    /// Compiles a trace of these blocks.
    fn compile_blocks(&mut self, unit: Unit, blocks: Arc<[BlockId]>) -> Option<CodeId> {
        let instructions = unit.insns.len() as u64;
        let code = self.compile_unit(blocks[0], unit)?;
        self.cache.ride(code, blocks);
        self.statistics.traces += 1;
        self.statistics.traced_instructions += instructions;
        Some(code)
    }

    /// Compiles a trace whose unit has changed.
    pub(crate) fn compile_again(&mut self, code: CodeId) {
        let start = Instant::now();
        self.whereabouts.set(Doing::Compiling);
        if let Some((unit, blocks)) = self.cache.take_trace(code, &*self.backend) {
            self.compile_blocks(unit, blocks);
        }
        self.whereabouts.set(Doing::Interpreting);
        self.statistics.time += start.elapsed();
    }

    fn compile_unit(&mut self, id: BlockId, mut unit: Unit) -> Option<CodeId> {
        let lifted = ir::lift_into(&unit.insns, std::mem::take(&mut self.ops))?;
        let backend = &mut *self.backend;
        for _ in 0..2 {
            let compiled = self.cache.insert(id, unit, |unit, base, first_exit| {
                backend.compile(unit, &lifted, base, first_exit)
            });
            let (code, emitted) = match compiled {
                Ok(compiled) => compiled,
                Err(full) => {
                    unit = *full;
                    self.statistics.evicted += self.cache.evict(backend);
                    self.statistics.evictions += 1;
                    continue;
                }
            };
            self.statistics.blocks += 1;
            self.statistics.instructions += lifted.insns.len() as u64;
            self.statistics.carried_out += u64::from(emitted.carried_out);
            self.statistics.bytes += emitted.code.len() as u64;
            self.windows.note(emitted.windows.len());
            self.backend.reclaim(emitted);
            self.ops = lifted.ops;
            return Some(code);
        }
        None
    }

    /// Runs compiled code; the exit that it took, if it may be joined to something. With
    /// `is_jump`, no known exit led there: the next jump is to find it.
    fn enter(&mut self, cpu: &mut Cpu, id: CodeId, is_jump: bool) -> Option<LinkId> {
        let mode = cpu.mode();
        cpu.cells.jumps = self.cache.jumps.choose(mode, cpu.code_epoch());
        cpu.cells.jump_caches = self.cache.jumps.list();
        let entry = if is_jump {
            self.cache.enter_jump(id, mode, &*self.backend)?
        } else {
            self.cache.entry(id)?
        };
        cpu.enter_compiled(self.interval.get());
        self.statistics.entries += 1;
        cpu.cells.whereabouts = self.whereabouts.address();
        self.whereabouts.set(Doing::Compiled);
        trampoline::run(self.backend.enter(), entry, cpu);
        self.whereabouts.set(Doing::Interpreting);
        cpu.leave_compiled();
        let exits = &mut self.statistics.exits;
        let exit = cpu.cells.exit;
        if exit < FIRST_REASON {
            let link = LinkId::of_number(exit);
            cpu.state.rip = self.cache.target(link);
            exits.unjoined += 1;
            return Some(link);
        }
        match exit {
            INTERPRET => {
                exits.interpret += 1;
                self.interpret_once = true;
            }
            EXHAUSTED => {
                exits.exhausted += 1;
                if cpu.room() >= LONGEST_UNIT as u64 {
                    self.is_sample = true;
                } else {
                    self.interpret_once = true;
                }
            }
            UNKNOWN => exits.unknown += 1,
            _ => exits.events += 1,
        }
        None
    }

    /// The code to run at CS:RIP: None if what comes next was dealt with otherwise.
    /// `came_by` is the exit that led here; it is joined to the code.
    fn next(&mut self, cpu: &mut Cpu, came_by: Option<LinkId>) -> Option<CodeId> {
        let Ok(block) = self.interpreter.find(cpu) else {
            self.interpreter.fault(cpu);
            return None;
        };
        // A full cache of blocks, or of code, may have forgotten where we came from.
        let is_whole = !self.interpreter.has_dropped() && !self.follow_epochs(cpu);
        self.forget_dropped();
        if std::mem::take(&mut self.is_sample) {
            self.tend_windows(cpu, block);
            if self.look(cpu, block) {
                return None;
            }
        }
        let evictions = self.statistics.evictions;
        let code = if std::mem::take(&mut self.interpret_once) {
            None
        } else {
            self.code(cpu, block)
        };
        let Some(code) = code else {
            return self.interpret(cpu, block);
        };
        if let Some(link) = came_by
            && is_whole
            && self.statistics.evictions == evictions
        {
            self.statistics.joined += 1;
            let epoch = cpu.code_epoch() as u32;
            self.cache.join(link, code, epoch, &*self.backend);
        }
        Some(code)
    }

    /// Interprets a block, and what is known to follow it as long as that is cold; the code
    /// that comes next then, if it is known.
    fn interpret(&mut self, cpu: &mut Cpu, mut block: BlockId) -> Option<CodeId> {
        let before = cpu.state.instructions;
        let code = loop {
            self.statistics.interpreted += 1;
            let Some(next) = self.interpreter.run_block(cpu, block) else {
                break None;
            };
            if cpu.wants_attention() || self.interpreter.has_dropped() {
                break None;
            }
            let code = self.code(cpu, next);
            if code.is_some() {
                break code;
            }
            block = next;
        };
        self.statistics.interpreted_instructions += cpu.state.instructions - before;
        code
    }

    /// Joined exits compare the lower half of code epochs; when the upper one moves, they
    /// are forgotten.
    fn follow_epochs(&mut self, cpu: &Cpu) -> bool {
        let era = cpu.code_epoch() >> 32;
        let has_moved = self.era != era;
        if has_moved {
            self.era = era;
            self.forget_all();
        }
        has_moved
    }

    fn run_blocks(&mut self, cpu: &mut Cpu, until: u64) -> Stop {
        cpu.stop_soon();
        let mut came_by = None;
        loop {
            if cpu.wants_attention() {
                came_by = None;
                match self.interpreter.attend(cpu, until) {
                    Attended::Stop(stop) => {
                        self.forget_dropped();
                        return stop;
                    }
                    Attended::Again => continue,
                    Attended::Run => {}
                }
            }
            self.forget_dropped();
            came_by = match self.next(cpu, came_by) {
                Some(code) => self.enter(cpu, code, came_by.is_none()),
                None => None,
            };
        }
    }
}

impl Engine for Jit {
    fn run(&mut self, cpu: &mut Cpu, until: u64) -> Stop {
        let stop = self.run_blocks(cpu, until);
        self.statistics.exits.dispatched = cpu.cells.dispatched;
        self.report.put(self.statistics);
        stop
    }

    fn step(&mut self, cpu: &mut Cpu) -> Stop {
        let stop = self.interpreter.step(cpu);
        self.forget_dropped();
        stop
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::unnecessary_wraps, reason = "other hosts have none")]
pub(crate) fn back_end() -> Result<Box<dyn Backend + Send>, Unavailable> {
    Ok(Box::new(crate::backend::x64::X64::new()))
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn back_end() -> Result<Box<dyn Backend + Send>, Unavailable> {
    Err(Unavailable::NoBackEnd)
}
