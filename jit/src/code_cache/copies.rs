//! What is compiled once and used again: traces, and code copied for another linear
//! address.

use std::sync::Arc;

use rax_cpu::Cpu;
use rax_cpu::interp::BlockId;
use rax_mmu::WindowName;

use super::{CodeCache, Made};
use crate::backend::Backend;
use crate::block::Unit;
use crate::link::{CodeId, LinkId};
use crate::relocation::Move;

/// How many addresses of a block are looked at for a trace.
const MOST_MODELS: usize = 4;

impl CodeCache {
    /// Notes which blocks a trace goes through: it is forgotten with each of them.
    pub(crate) fn ride(&mut self, trace: CodeId, blocks: Arc<[BlockId]>) {
        for (n, block) in blocks.iter().enumerate().skip(1) {
            if !blocks[..n].contains(block) {
                self.riders.entry(block.index()).or_default().push(trace);
            }
        }
        if let Some(code) = self.code_mut(trace) {
            code.made.trace = Some(blocks);
        }
    }

    /// Notes that the code of a block was found running: how often it was, unless it is a
    /// trace.
    pub(crate) fn sample(&mut self, block: BlockId, key: u64) -> Option<u8> {
        let id = self.find(block, key)?;
        let code = self.code_mut(id)?;
        let made = &mut code.made;
        made.samples = made.samples.saturating_add(1);
        made.trace.is_none().then_some(made.samples)
    }

    /// Has a unit that looks through a window do so no longer when it is compiled again. False
    /// if it does not.
    pub(crate) fn do_without(&mut self, id: CodeId, window: WindowName) -> bool {
        let Some(code) = self.code_mut(id) else {
            return false;
        };
        let Made { unit, windows, .. } = &mut *code.made;
        let used = windows.iter().find(|used| used.name == window);
        let (Some(used), Some(windows)) = (used, &mut unit.windows) else {
            return false;
        };
        windows.without |= used.insns;
        true
    }

    /// Takes a trace out, to be compiled again.
    pub(crate) fn take_trace(
        &mut self,
        id: CodeId,
        backend: &dyn Backend,
    ) -> Option<(Unit, Arc<[BlockId]>)> {
        let blocks = Arc::clone(self.code(id)?.made.trace.as_ref()?);
        let code = self.take(id, backend)?;
        self.unlist(id, &code);
        Some((code.made.unit, blocks))
    }

    /// Code of a block at another address: a trace, if there is one.
    fn model(&self, block: BlockId) -> Option<CodeId> {
        let first = self.known.get(block.index())?.first;
        let mut at = first;
        for _ in 0..MOST_MODELS {
            let Some(code) = at.and_then(|id| self.code(id)) else {
                break;
            };
            if code.made.trace.is_some() {
                return at;
            }
            at = code.next;
        }
        first
    }

    /// A trace from a block, as it was made elsewhere in the address space, for CS:RIP.
    pub(crate) fn trace_elsewhere(
        &self,
        block: BlockId,
        cpu: &Cpu,
    ) -> Option<(Unit, Arc<[BlockId]>)> {
        let code = self.code(self.model(block)?)?;
        let blocks = Arc::clone(code.made.trace.as_ref()?);
        Some((code.made.unit.moved(cpu.state.rip), blocks))
    }

    /// Copies code of a block to run at CS:RIP. None if there is none that can be copied,
    /// or no room for it.
    pub(crate) fn copy(
        &mut self,
        block: BlockId,
        cpu: &Cpu,
        backend: &dyn Backend,
    ) -> Option<CodeId> {
        let model = self.model(block)?;
        let base = self.memory.base();
        let (number, region) = (self.filling, &self.regions[self.filling]);
        let (to, end, first_link) = (region.next, region.end, region.links.len());
        let from = self.code(model)?;
        let old = &*from.made;
        let relocations = old.relocations.clone()?;
        let mut made = Made::of(old.unit.moved(cpu.state.rip));
        let old_links = from.links.start as usize..from.links.end as usize;
        let count = old_links.len();
        let is_same_half = (made.unit.rip ^ old.unit.rip) >> 63 == 0;
        if to + old.bytes > end || !LinkId::can_name(first_link + count) || !is_same_half {
            return None;
        }
        made.samples = old.samples;
        let (trace, bytes) = (old.trace.clone(), old.bytes);
        let start = (from.entry - base) as usize;
        let number_of = |region, index: usize| LinkId::new(region, index as u32).number() as u32;
        let old_first = number_of(model.region() as u32, old_links.start);
        let by = Move {
            place: (to as u64).wrapping_sub(start as u64),
            guest: made.unit.rip.wrapping_sub(old.unit.rip),
            unit: std::ptr::from_ref(&made.unit).expose_provenance() as u64,
            exits: number_of(number as u32, first_link).wrapping_sub(old_first),
        };
        let links = &self.regions[model.region()].links[old_links];
        let links: Vec<_> = links.iter().map(|link| link.moved(&by)).collect();
        let mut code = std::mem::take(&mut self.copied);
        self.memory.read(start, bytes, &mut code);
        let is_moved = by.apply(&mut code, &relocations).is_some();
        debug_assert!(is_moved, "relocations lie within the code");
        for link in &links {
            // It is not joined here.
            let site = base + u64::from(link.jump);
            let jump = backend.jump(site, base + u64::from(link.stub));
            code[link.jump as usize - to..][..jump.len()].copy_from_slice(&jump);
        }
        made.relocations = Some(relocations);
        let id = self.keep(block, made, &code, links.into_iter());
        self.copied = code;
        if let Some(blocks) = trace {
            self.ride(id, blocks);
        }
        Some(id)
    }
}
