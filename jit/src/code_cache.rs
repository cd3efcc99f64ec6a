//! Compiled code: where it is, what it was made from, and what leads to it.
//!
//! The space is divided into regions. Code is laid down in one of them, one unit after
//! the other; when that is full, the next one is emptied and used again: what is hot
//! there is back in a moment, and all else stays.

mod copies;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use rax_cpu::interp::BlockId;

use crate::backend::{Backend, Emitted, FIRST_REASON, JumpSlot};
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
pub(crate) struct Code {
    pub(crate) unit: Box<Unit>,
    block: BlockId,
    /// The code of the same block at another address.
    next: Option<CodeId>,
    /// Where it begins.
    pub(crate) entry: u64,
    /// Its length.
    bytes: usize,
    /// What changes when it is copied for another address, if that can be.
    relocations: Option<Box<[Relocation]>>,
    /// Its exits, by number within its region.
    links: std::ops::Range<usize>,
    /// Exits that are joined to it.
    incoming: Vec<LinkId>,
    /// The blocks of a trace.
    trace: Option<Arc<[BlockId]>>,
    /// How often it was found running.
    samples: u8,
}

/// A part of the space.
#[derive(Debug, Default)]
struct Region {
    start: usize,
    end: usize,
    /// Offset of what is free.
    next: usize,
    codes: Vec<Option<Code>>,
    links: Vec<Link>,
}

/// All compiled code.
pub(crate) struct CodeCache {
    memory: ExecMemory,
    regions: Vec<Region>,
    /// The region that is being filled.
    filling: usize,
    /// By number of the interpreter's block: the code of it that was found last. The
    /// same library is at another address in each process.
    first: Vec<Option<CodeId>>,
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
            first: Vec::new(),
            riders: HashMap::new(),
            copied: Vec::new(),
            jumps: JumpCaches::new(),
        })
    }

    /// The code of a block at the address of this name.
    pub(crate) fn find(&mut self, block: BlockId, key: u64) -> Option<CodeId> {
        let first = (*self.first.get(block.index())?)?;
        let mut before = None;
        let mut at = Some(first);
        while let Some(id) = at {
            let code = self.code(id)?;
            let next = code.next;
            if code.unit.key() == key {
                if let Some(before) = before {
                    self.code_mut(before)?.next = next;
                    self.code_mut(id)?.next = Some(first);
                    self.first[block.index()] = Some(id);
                }
                return Some(id);
            }
            before = Some(id);
            at = next;
        }
        None
    }

    pub(crate) fn code(&self, id: CodeId) -> Option<&Code> {
        self.regions[id.region()].codes.get(id.index())?.as_ref()
    }

    fn code_mut(&mut self, id: CodeId) -> Option<&mut Code> {
        let codes = &mut self.regions[id.region()].codes;
        codes.get_mut(id.index())?.as_mut()
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
        let unit = Box::new(unit);
        let number = self.filling;
        let region = &mut self.regions[number];
        let offset = region.next;
        let base = self.memory.base() + offset as u64;
        let first_link = region.links.len();
        let first_exit = LinkId::new(number as u32, first_link as u32);
        let mut emitted = compile(&unit, base, first_exit.number());
        let end = offset + emitted.code.len();
        let is_named = LinkId::can_name(first_link + emitted.exits.len());
        if end > region.end || !is_named {
            return Err(unit);
        }
        let relocations = emitted.relocations.take().map(Vec::into_boxed_slice);
        let sites = emitted.exits.iter();
        let links = sites.map(|site| Link::new(site, offset));
        let id = self.keep(block, unit, &emitted.code, links, relocations);
        Ok((id, emitted))
    }

    /// Lays down code for which there is room in the region that is being filled.
    fn keep(
        &mut self,
        block: BlockId,
        unit: Box<Unit>,
        code: &[u8],
        links: impl Iterator<Item = Link>,
        relocations: Option<Box<[Relocation]>>,
    ) -> CodeId {
        let number = self.filling;
        let region = &mut self.regions[number];
        let offset = region.next;
        self.memory.write(offset, code);
        region.next = (offset + code.len()).next_multiple_of(ALIGNMENT);
        let first_link = region.links.len();
        region.links.extend(links);
        let id = CodeId::new(number as u32, region.codes.len() as u32);
        if self.first.len() <= block.index() {
            self.first.resize(block.index() + 1, None);
        }
        region.codes.push(Some(Code {
            unit,
            block,
            next: self.first[block.index()].replace(id),
            entry: self.memory.base() + offset as u64,
            bytes: code.len(),
            relocations,
            links: first_link..region.links.len(),
            incoming: Vec::new(),
            samples: 0,
            trace: None,
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
        region.links.clear();
        region.next = region.start;
        count
    }

    /// Takes code that is gone off the list of its block.
    fn unlist(&mut self, id: CodeId, code: &Code) {
        let mut at = self.first.get(code.block.index()).copied().flatten();
        if at == Some(id) {
            self.first[code.block.index()] = code.next;
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

    /// Joins an exit to code.
    pub(crate) fn join(&mut self, link: LinkId, to: CodeId, epoch: u32, backend: &dyn Backend) {
        let Some(entry) = self.code(to).map(|code| code.entry) else {
            return;
        };
        let region = &mut self.regions[link.region()];
        let exit = &mut region.links[link.index()];
        if let Some(at) = exit.epoch {
            self.memory.write(at, &epoch.to_le_bytes());
        }
        if exit.to == Some(to) {
            return;
        }
        let jump = exit.jump;
        self.part(link);
        let site = self.memory.base() + jump as u64;
        self.memory.write(jump, &backend.jump(site, entry));
        self.regions[link.region()].links[link.index()].to = Some(to);
        if let Some(code) = self.code_mut(to) {
            code.incoming.push(link);
        }
    }

    /// Takes an exit off the list of what it leads to.
    fn part(&mut self, link: LinkId) {
        if let Some(to) = self.regions[link.region()].links[link.index()].to.take()
            && let Some(code) = self.code_mut(to)
            && let Some(place) = code.incoming.iter().position(|&other| other == link)
        {
            code.incoming.swap_remove(place);
        }
    }

    /// Forgets the code of a block, at all its addresses.
    pub(crate) fn forget(&mut self, block: BlockId, backend: &dyn Backend) -> u64 {
        let mut count = 0;
        let mut at = self.first.get_mut(block.index()).and_then(Option::take);
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
        for &link in &code.incoming {
            let link = &mut self.regions[link.region()].links[link.index()];
            link.to = None;
            let (jump, stub) = (link.jump, link.stub);
            let bytes = backend.jump(base + jump as u64, base + stub as u64);
            self.memory.write(jump, &bytes);
        }
        for index in code.links.clone() {
            self.part(LinkId::new(id.region() as u32, index as u32));
        }
        let (mode, key) = (code.unit.mode, code.unit.key());
        self.jumps.remove(mode, backend.jump_slot(key), key);
        Some(code)
    }

    /// Enters code into the jump cache that was chosen last for its mode.
    pub(crate) fn enter_jump(&mut self, id: CodeId, backend: &dyn Backend) {
        if let Some(code) = self.code(id) {
            let (mode, key) = (code.unit.mode, code.unit.key());
            let code = code.entry;
            let slot = backend.jump_slot(key);
            self.jumps.enter(mode, slot, JumpSlot { key, code });
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        for region in &mut self.regions {
            region.codes.clear();
            region.links.clear();
            region.next = region.start;
        }
        self.first.clear();
        self.riders.clear();
        self.jumps.clear();
        self.filling = 0;
    }
}
