//! Traces: the blocks that ran one after the other from where time is spent.
//!
//! Compiled code is interrupted from time to time. Where that happens often is hot, and
//! the path that the guest takes from there the next time is compiled as one
//! unit: flags that the next block overwrites are not stored, the budget is looked at
//! once, and jumps are gone. The path may end where it began; then a second round of it
//! follows, which the loop goes on with. A path of one block is compiled anew as well, since
//! hot code may look through [windows](crate::windows).

use rax_cpu::Cpu;
use rax_cpu::interp::{Block, BlockId};
use rax_cpu::mode::Mode;
use rax_mmu::PAGE_SIZE;

use crate::block::LONGEST_UNIT;
use crate::engine::Jit;

/// Instructions of a path: longer ones are left more often than they are gone through.
const LONGEST_PATH: usize = 24;
const _: () = assert!(2 * LONGEST_PATH <= LONGEST_UNIT);

/// How many instructions compiled code runs from one look to the next: a look costs as
/// much as some hundred of them.
#[derive(Debug)]
pub(crate) struct Interval {
    shortest: u64,
    now: u64,
}

impl Interval {
    /// It never looks more often than every `shortest` instructions, nor before a unit is
    /// over.
    pub(crate) fn new(shortest: u64) -> Self {
        let shortest = shortest.max(LONGEST_UNIT as u64);
        Self {
            shortest,
            now: shortest,
        }
    }

    pub(crate) const fn get(&self) -> u64 {
        self.now
    }

    /// There is new code, of which some may get hot.
    pub(crate) const fn renew(&mut self) {
        self.now = self.shortest;
    }

    /// After a look that taught something or, in code that is as it should be, did not.
    fn follow(&mut self, was_useful: bool) {
        self.now = if was_useful {
            (self.now / 2).max(self.shortest)
        } else {
            (self.now + self.now / 4).min(self.shortest.saturating_mul(8))
        };
    }
}

/// Blocks in the order in which they ran, each with its RIP.
pub(crate) type Path = Vec<(BlockId, u64)>;

/// Whether a block may be followed by another in a trace: it ends with a direct branch or
/// jump, or for its length.
fn goes_on(block: &Block) -> bool {
    use rax_cpu::insn::InsnFlags;
    block
        .insns
        .last()
        .is_some_and(|last| last.is_direct_branch() || !last.flags.contains(InsnFlags::ENDS_BLOCK))
}

impl Jit {
    /// Looks at where compiled code was interrupted; true if that was hot, and the guest
    /// has moved on.
    pub(crate) fn look(&mut self, cpu: &mut Cpu, block: BlockId) -> bool {
        let samples = self.cache.sample(block, cpu.code_key());
        let hot = self.options.hot;
        self.interval.follow(samples.is_some_and(|n| n <= hot));
        let is_hot = samples == Some(hot);
        if is_hot {
            self.record(cpu, block);
        }
        is_hot
    }

    /// Interprets from a hot block on, and has the path that was taken compiled.
    fn record(&mut self, cpu: &mut Cpu, head: BlockId) {
        let (start, mode) = (cpu.state.rip, cpu.mode());
        if !mode.intersects(Mode::FLAT | Mode::CODE64) {
            return;
        }
        let mut path = Path::new();
        let mut instructions = 0;
        let mut at = head;
        let is_loop = loop {
            let block = self.interpreter.block(at);
            instructions += block.insns.len();
            if block.crosses_page || instructions > LONGEST_PATH && !path.is_empty() {
                break false;
            }
            let goes_on = goes_on(block);
            path.push((at, cpu.state.rip));
            let next = self.interpreter.run_block(cpu, at);
            if cpu.wants_attention() || self.interpreter.has_dropped() {
                return;
            }
            let rip = cpu.state.rip;
            if !goes_on || rip == start || rip / PAGE_SIZE != start / PAGE_SIZE {
                break goes_on && rip == start;
            }
            at = match next {
                Some(next) => next,
                None => match self.interpreter.find(cpu) {
                    Ok(next) => next,
                    Err(_) => {
                        self.interpreter.fault(cpu);
                        return;
                    }
                },
            };
        };
        if is_loop {
            path.extend_from_within(..);
        }
        if !path.is_empty() {
            self.compile_trace(&path, mode);
        }
    }
}
