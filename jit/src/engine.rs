//! The compiling engine: cold blocks are interpreted, warm ones compiled.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rax_cpu::interp::{Attended, BlockId, Dropped};
use rax_cpu::mode::Mode;
use rax_cpu::{Cpu, Engine, Interpreter, Stop, ir};

use crate::backend::{Backend, INTERPRET, NO_EXIT};
use crate::block::Unit;
use crate::code_cache::CodeCache;
use crate::link::CodeId;
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
    /// Times that all code was forgotten for want of room.
    pub flushes: u64,
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
    interpreter: Interpreter,
    backend: Box<dyn Backend + Send>,
    cache: CodeCache,
    options: Options,
    /// How often each block ran interpreted, by its number.
    heat: Vec<u16>,
    /// Compiled code has asked that the next block be interpreted.
    interpret_once: bool,
    statistics: Statistics,
    report: Report,
}

/// Modes in which every instruction is looked at, or that are too rare to be compiled.
const NOT_COMPILED: Mode = Mode::SINGLE.union(Mode::ALIGNMENT_CHECK);

/// Whether blocks of a mode are compiled.
pub(crate) const fn is_compiled(mode: Mode) -> bool {
    !mode.intersects(NOT_COMPILED) && mode.intersects(Mode::FLAT.union(Mode::CODE64))
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
            heat: Vec::new(),
            interpret_once: false,
            statistics: Statistics::default(),
            report: Report::default(),
        })
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
        self.heat.clear();
        self.statistics.flushes += 1;
    }

    /// The code of a block at RIP, compiled if it is warm.
    fn code(&mut self, cpu: &Cpu, block: BlockId) -> Option<CodeId> {
        if let Some(id) = self.cache.find(block, cpu.state.rip) {
            return Some(id);
        }
        if !is_compiled(cpu.mode()) {
            return None;
        }
        if self.heat.len() <= block.index() {
            self.heat.resize(block.index() + 1, 0);
        }
        let heat = &mut self.heat[block.index()];
        if *heat < self.options.threshold {
            *heat += 1;
            return None;
        }
        self.compile(cpu, block)
    }

    fn compile(&mut self, cpu: &Cpu, id: BlockId) -> Option<CodeId> {
        let start = Instant::now();
        let block = self.interpreter.block(id);
        let lifted = ir::lift(&block.insns)?;
        let backend = &*self.backend;
        for _ in 0..2 {
            let unit = Unit::new(self.interpreter.block(id), cpu.state.rip, cpu.mode());
            let compiled = self.cache.insert(id, unit, |unit, base, first_exit| {
                backend.compile(unit, &lifted, base, first_exit)
            });
            if let Some((code, emitted)) = compiled {
                self.statistics.blocks += 1;
                self.statistics.instructions += lifted.insns.len() as u64;
                self.statistics.carried_out += u64::from(emitted.carried_out);
                self.statistics.bytes += emitted.code.len() as u64;
                self.statistics.time += start.elapsed();
                return Some(code);
            }
            self.cache.clear();
            self.statistics.flushes += 1;
        }
        None
    }

    /// Runs compiled code; the exit that it took, if it may be joined to something.
    fn enter(&mut self, cpu: &mut Cpu, id: CodeId) -> Option<usize> {
        let entry = self.cache.code(id)?.entry;
        let epoch = cpu.mmu.translation_epoch();
        let slot = self.backend.jump_slot(cpu.state.rip);
        let table = self.cache.table(cpu.mode());
        table.follow(epoch);
        table.enter(slot, cpu.state.rip, entry);
        cpu.cells.jumps = table.address();
        cpu.enter_compiled();
        self.statistics.entries += 1;
        trampoline::run(self.backend.enter(), entry, cpu);
        cpu.leave_compiled();
        let exit = cpu.cells.exit;
        if exit == INTERPRET {
            self.interpret_once = true;
        }
        if exit == NO_EXIT || exit == INTERPRET {
            return None;
        }
        let link = exit as usize;
        cpu.state.rip = self.cache.links[link].target;
        Some(link)
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
            let Ok(block) = self.interpreter.find(cpu) else {
                self.interpreter.fault(cpu);
                came_by = None;
                continue;
            };
            if self.interpreter.has_dropped() {
                // The cache was full; the link is gone with the rest.
                self.forget_dropped();
                came_by = None;
            }
            let flushes = self.statistics.flushes;
            let code = if std::mem::take(&mut self.interpret_once) {
                None
            } else {
                self.code(cpu, block)
            };
            let Some(code) = code else {
                self.statistics.interpreted += 1;
                let before = cpu.state.instructions;
                self.interpreter.run_block(cpu, block);
                self.statistics.interpreted_instructions += cpu.state.instructions - before;
                came_by = None;
                continue;
            };
            if let Some(link) = came_by
                && self.statistics.flushes == flushes
            {
                self.statistics.joined += 1;
                let epoch = cpu.mmu.translation_epoch() as u32;
                self.cache.join(link, code, epoch, &*self.backend);
            }
            came_by = self.enter(cpu, code);
        }
    }
}

impl Engine for Jit {
    fn run(&mut self, cpu: &mut Cpu, until: u64) -> Stop {
        let stop = self.run_blocks(cpu, until);
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
