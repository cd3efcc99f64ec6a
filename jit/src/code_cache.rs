//! Compiled code: where it is, what it was made from, and what leads to it.
//!
//! The space is divided into regions. Code is laid down in one of them, one unit after
//! the other; when that is full, the next one is emptied and used again: what is hot
//! there is back in a moment, and all else stays.

mod copies;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use rax_cpu::interp::BlockId;
use rax_cpu::mode::Mode;

use crate::backend::{Backend, Emitted, FIRST_REASON, JumpSlot, UsedWindow};
use crate::block::Unit;
use crate::exec_memory::ExecMemory;
use crate::jump_caches::JumpCaches;
use crate::link::{CodeId, Link, LinkId};
use crate::relocation::Relocation;

/// Code is laid down at multiples of this.
const ALIGNMENT: usize = 16;
/// Into how many regions the space is divided.
const REGIONS: usize = 8;
/// Exits of all regions have numbers that compiled code can tell from other reasons.
const _: () = assert!(LinkId::new(REGIONS as u32, 0).number() < FIRST_REASON);

/// A unit's code.
#[derive(Debug)]
struct Code {
    /// The unit's.
    key: u64,
    /// Where it begins.
    entry: u64,
    made: Box<Made>,
    block: BlockId,
    /// The code of the same block at another address.
    next: Option<CodeId>,
    /// Its exits, by number within its region.
    links: Range<u32>,
    /// The first of the exits that are joined to it.
    incoming: Option<LinkId>,
}

/// What is not looked at when code is looked for.
#[derive(Debug)]
struct Made {
    unit: Unit,
    /// Length of the code.
    bytes: usize,
    /// What changes when it is copied for another address, if that can be.
    relocations: Option<Box<[Relocation]>>,
    /// The blocks of a trace.
    trace: Option<Arc<[BlockId]>>,
    /// The windows of the TLB that it looks through.
    windows: Box<[UsedWindow]>,
    /// How often it was found running.
    samples: u8,
}

impl Made {
    /// A unit whose place is known, as its code must know it.
    fn of(unit: Unit) -> Box<Self> {
        Box::new(Self {
            unit,
            bytes: 0,
            relocations: None,
            trace: None,
            windows: Box::default(),
            samples: 0,
        })
    }
}

/// What is looked at when code is looked for lies in one line of the host's cache.
const _: () = assert!(size_of::<Code>() <= 48);

/// What is known of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The code of it that was found last. The same library is at another address in each
    /// process.
    first: Option<CodeId>,
    /// How often it was asked for while it was cold.
    heat: u16,
}

/// A part of the space.
#[derive(Debug, Default)]
struct Region {
    start: usize,
    end: usize,
    /// Offset of what is free.
    next: usize,
    codes: Vec<Option<Code>>,
    /// The offset of each, gone or not.
    starts: Vec<u32>,
    links: Vec<Link>,
}

/// All compiled code.
pub(crate) struct CodeCache {
    memory: ExecMemory,
    regions: Vec<Region>,
    /// The region that is being filled.
    filling: usize,
    /// By number of the interpreter's block.
    known: Vec<Known>,
    /// Traces, by the blocks that they go through, but for the first of each.
    riders: HashMap<usize, Vec<CodeId>>,
    /// Code on its way from one place to another.
    copied: Vec<u8>,
    /// Where computed jumps lead.
    pub(crate) jumps: JumpCaches,
}

impl CodeCache {
    /// Room for `bytes` of code, rounded up.
    ///
    /// # Errors
    /// When the host gives no executable memory.
    pub(crate) fn new(bytes: usize, backend: &mut dyn Backend) -> io::Result<Self> {
        let bytes = bytes.next_multiple_of(1 << 16).clamp(1 << 18, 1 << 30);
        let mut memory = ExecMemory::new(bytes)?;
        let routines = backend.routines(memory.base());
        memory.write(0, &routines);
        let mut start = routines.len().next_multiple_of(ALIGNMENT);
        let mut regions = Vec::new();
        for number in 1..=REGIONS {
            let end = bytes / REGIONS * number;
            regions.push(Region {
                start,
                end,
                next: start,
                ..Region::default()
            });
            start = end;
        }
        Ok(Self {
            memory,
            regions,
            filling: 0,
            known: Vec::new(),
            riders: HashMap::new(),
            copied: Vec::new(),
            jumps: JumpCaches::new(),
        })
    }

    /// Whether a block was asked for so often before. What is cold was never compiled.
    pub(crate) fn is_warm(&mut self, block: BlockId, threshold: u16) -> bool {
        let known = self.known_mut(block);
        let is_warm = known.heat >= threshold;
        known.heat += u16::from(!is_warm);
        is_warm
    }

    fn known_mut(&mut self, block: BlockId) -> &mut Known {
        let index = block.index();
        if self.known.len() <= index {
            self.known.resize(index + 1, Known::default());
        }
        &mut self.known[index]
    }

    /// The code of a block at the address of this name.
    pub(crate) fn find(&mut self, block: BlockId, key: u64) -> Option<CodeId> {
        let first = self.known.get(block.index())?.first?;
        let mut before = None;
        let mut at = Some(first);
        while let Some(id) = at {
            let code = self.code(id)?;
            let next = code.next;
            if code.key == key {
                if let Some(before) = before {
                    self.code_mut(before)?.next = next;
                    self.code_mut(id)?.next = Some(first);
                    self.known[block.index()].first = Some(id);
                }
                return Some(id);
            }
            before = Some(id);
            at = next;
        }
        None
    }

    fn code(&self, id: CodeId) -> Option<&Code> {
        self.regions[id.region()].codes.get(id.index())?.as_ref()
    }

    fn code_mut(&mut self, id: CodeId) -> Option<&mut Code> {
        let codes = &mut self.regions[id.region()].codes;
        codes.get_mut(id.index())?.as_mut()
    }

    /// The unit around an address in its code, of which the lower half is known.
    pub(crate) fn code_around(&self, address: u32) -> Option<CodeId> {
        let offset = address.wrapping_sub(self.memory.base() as u32);
        let number = self
            .regions
            .iter()
            .position(|region| (offset as usize) < region.end)?;
        let region = &self.regions[number];
        let behind = region.starts.partition_point(|&start| start <= offset);
        let index = behind.checked_sub(1)?;
        let code = region.codes.get(index)?.as_ref()?;
        let is_within = ((offset - region.starts[index]) as usize) < code.made.bytes;
        is_within.then(|| CodeId::new(number as u32, index as u32))
    }

    /// RIP where an exit leads.
    pub(crate) fn target(&self, link: LinkId) -> u64 {
        self.regions[link.region()].links[link.index()].target
    }

    /// Compiles and keeps a unit. Gives it back if its region has no room for it.
    pub(crate) fn insert(
        &mut self,
        block: BlockId,
        unit: Unit,
        compile: impl FnOnce(&Unit, u64, u64) -> Emitted,
    ) -> Result<(CodeId, Emitted), Box<Unit>> {
        let mut made = Made::of(unit);
        let number = self.filling;
        let region = &mut self.regions[number];
        let offset = region.next;
        let base = self.memory.base() + offset as u64;
        let first_link = region.links.len();
        let first_exit = LinkId::new(number as u32, first_link as u32);
        let emitted = compile(&made.unit, base, first_exit.number());
        let end = offset + emitted.code.len();
        let is_named = LinkId::can_name(first_link + emitted.exits.len());
        if end > region.end || !is_named {
            return Err(Box::new(made.unit));
        }
        made.relocations = emitted
            .is_movable
            .then(|| emitted.relocations.as_slice().into());
        made.windows = emitted.windows.as_slice().into();
        let sites = emitted.exits.iter();
        let links = sites.map(|site| Link::new(site, offset));
        let id = self.keep(block, made, &emitted.code, links);
        Ok((id, emitted))
    }

    /// Lays down code for which there is room in the region that is being filled.
    fn keep(
        &mut self,
        block: BlockId,
        mut made: Box<Made>,
        code: &[u8],
        links: impl Iterator<Item = Link>,
    ) -> CodeId {
        made.bytes = code.len();
        let number = self.filling;
        let region = &mut self.regions[number];
        let offset = region.next;
        self.memory.write(offset, code);
        region.next = (offset + code.len()).next_multiple_of(ALIGNMENT);
        let first_link = region.links.len();
        region.links.extend(links);
        let id = CodeId::new(number as u32, region.codes.len() as u32);
        let links = first_link as u32..region.links.len() as u32;
        let next = self.known_mut(block).first.replace(id);
        let entry = self.memory.base() + offset as u64;
        self.regions[number].starts.push(offset as u32);
        self.regions[number].codes.push(Some(Code {
            key: made.unit.key(),
            entry,
            made,
            block,
            next,
            links,
            incoming: None,
        }));
        id
    }

    /// Empties the next region, which is to be filled then: how many units were there.
    pub(crate) fn evict(&mut self, backend: &dyn Backend) -> u64 {
        self.filling = (self.filling + 1) % REGIONS;
        let number = self.filling;
        let mut count = 0;
        for index in 0..self.regions[number].codes.len() {
            let id = CodeId::new(number as u32, index as u32);
            if let Some(code) = self.take(id, backend) {
                count += 1;
                self.unlist(id, &code);
            }
        }
        self.riders.retain(|_, traces| {
            traces.retain(|trace| trace.region() != number);
            !traces.is_empty()
        });
        let region = &mut self.regions[number];
        region.codes.clear();
        region.starts.clear();
        region.links.clear();
        region.next = region.start;
        count
    }

    /// Takes code that is gone off the list of its block.
    fn unlist(&mut self, id: CodeId, code: &Code) {
        let first = &mut self.known_mut(code.block).first;
        let mut at = *first;
        if at == Some(id) {
            *first = code.next;
            return;
        }
        while let Some(other) = at.and_then(|other| self.code_mut(other)) {
            if other.next == Some(id) {
                other.next = code.next;
                return;
            }
            at = other.next;
        }
    }

    fn link_mut(&mut self, link: LinkId) -> &mut Link {
        &mut self.regions[link.region()].links[link.index()]
    }

    /// Joins an exit to code.
    pub(crate) fn join(&mut self, link: LinkId, to: CodeId, epoch: u32, backend: &dyn Backend) {
        let Some(entry) = self.code(to).map(|code| code.entry) else {
            return;
        };
        let exit = *self.link_mut(link);
        if let Some(at) = exit.epoch {
            self.memory.write(at.get() as usize, &epoch.to_le_bytes());
        }
        if exit.to == Some(to) {
            return;
        }
        self.part(link);
        let site = self.memory.base() + u64::from(exit.jump);
        self.memory
            .write(exit.jump as usize, &backend.jump(site, entry));
        let Some(code) = self.code_mut(to) else {
            return;
        };
        let behind = code.incoming.replace(link);
        let exit = self.link_mut(link);
        exit.to = Some(to);
        exit.before = None;
        exit.behind = behind;
        if let Some(behind) = behind {
            self.link_mut(behind).before = Some(link);
        }
    }

    /// Takes an exit off the list of what it leads to.
    fn part(&mut self, link: LinkId) {
        let exit = self.link_mut(link);
        let (before, behind) = (exit.before.take(), exit.behind.take());
        let Some(to) = exit.to.take() else {
            return;
        };
        if let Some(behind) = behind {
            self.link_mut(behind).before = before;
        }
        if let Some(before) = before {
            self.link_mut(before).behind = behind;
        } else if let Some(code) = self.code_mut(to) {
            code.incoming = behind;
        }
    }

    /// Forgets the code of a block, at all its addresses.
    pub(crate) fn forget(&mut self, block: BlockId, backend: &dyn Backend) -> u64 {
        let mut count = 0;
        let mut at = self.known_mut(block).first.take();
        while let Some(code) = at.and_then(|id| self.take(id, backend)) {
            count += 1;
            at = code.next;
        }
        for trace in self.riders.remove(&block.index()).unwrap_or_default() {
            if let Some(code) = self.take(trace, backend) {
                count += 1;
                self.unlist(trace, &code);
            }
        }
        count
    }

    /// Forgets the code of a block at one address.
    pub(crate) fn forget_at(&mut self, block: BlockId, key: u64, backend: &dyn Backend) {
        if let Some(id) = self.find(block, key)
            && let Some(code) = self.take(id, backend)
        {
            self.unlist(id, &code);
        }
    }

    /// Takes code out, so that nothing leads to it any more.
    fn take(&mut self, id: CodeId, backend: &dyn Backend) -> Option<Code> {
        let codes = &mut self.regions[id.region()].codes;
        let code = codes.get_mut(id.index()).and_then(Option::take)?;
        let base = self.memory.base();
        let mut incoming = code.incoming;
        while let Some(link) = incoming {
            let link = self.link_mut(link);
            link.to = None;
            link.before = None;
            incoming = link.behind.take();
            let (jump, stub) = (link.jump, link.stub);
            let bytes = backend.jump(base + u64::from(jump), base + u64::from(stub));
            self.memory.write(jump as usize, &bytes);
        }
        for index in code.links.clone() {
            self.part(LinkId::new(id.region() as u32, index));
        }
        let (mode, key) = (code.made.unit.mode, code.key);
        self.jumps.remove(mode, backend.jump_slot(key), key);
        Some(code)
    }

    /// Where code begins.
    pub(crate) fn entry(&self, id: CodeId) -> Option<u64> {
        self.code(id).map(|code| code.entry)
    }

    /// Enters code of a mode into the jump cache that was chosen last for that; gives where
    /// it begins.
    pub(crate) fn enter_jump(
        &mut self,
        id: CodeId,
        mode: Mode,
        backend: &dyn Backend,
    ) -> Option<u64> {
        let &Code { key, entry, .. } = self.code(id)?;
        let slot = backend.jump_slot(key);
        self.jumps.enter(mode, slot, JumpSlot { key, code: entry });
        Some(entry)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        for region in &mut self.regions {
            region.codes.clear();
            region.starts.clear();
            region.links.clear();
            region.next = region.start;
        }
        self.known.clear();
        self.riders.clear();
        self.jumps.clear();
        self.filling = 0;
    }
}
