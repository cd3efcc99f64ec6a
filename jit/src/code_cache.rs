//! Compiled code: where it is, what it was made from, and what leads to it.
//!
//! Code is laid down one after the other. When the space is used up, all is forgotten:
//! what is hot is back in a moment, and nothing is hot for ever.

use std::collections::HashMap;
use std::io;

use rax_cpu::interp::BlockId;
use rax_cpu::mode::Mode;

use crate::backend::{Backend, Emitted, JUMP_SLOTS, JumpSlot, NO_RIP};
use crate::block::Unit;
use crate::exec_memory::ExecMemory;
use crate::link::{CodeId, Link};

/// Code is laid down at multiples of this.
const ALIGNMENT: usize = 16;

/// A unit's code.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) unit: Box<Unit>,
    /// Where it begins.
    pub(crate) entry: u64,
    /// Its exits, by number.
    pub(crate) links: std::ops::Range<usize>,
    /// Exits that are joined to it.
    pub(crate) incoming: Vec<usize>,
}

/// All compiled code.
pub(crate) struct CodeCache {
    memory: ExecMemory,
    /// Offset behind the shared routines.
    start: usize,
    /// Offset of what is free.
    next: usize,
    pub(crate) codes: Vec<Option<Code>>,
    pub(crate) links: Vec<Link>,
    /// By number of the interpreter's block; most have one address.
    first: Vec<Option<CodeId>>,
    more: HashMap<(u32, u64), CodeId>,
    tables: HashMap<Mode, JumpTable>,
}

/// Where indirect jumps lead, in one mode.
#[derive(Debug)]
pub(crate) struct JumpTable {
    slots: Box<[JumpSlot]>,
    filled: Vec<u16>,
    epoch: u64,
}

impl JumpTable {
    fn new() -> Self {
        let empty = JumpSlot {
            rip: NO_RIP,
            code: 0,
        };
        Self {
            slots: vec![empty; JUMP_SLOTS].into_boxed_slice(),
            filled: Vec::new(),
            epoch: 0,
        }
    }

    fn clear(&mut self) {
        for slot in self.filled.drain(..) {
            self.slots[usize::from(slot)].rip = NO_RIP;
        }
    }

    /// Empties it if translations have changed since it was filled.
    pub(crate) fn follow(&mut self, epoch: u64) {
        if self.epoch != epoch {
            self.clear();
            self.epoch = epoch;
        }
    }

    pub(crate) fn enter(&mut self, slot: usize, rip: u64, code: u64) {
        if self.slots[slot].rip == NO_RIP {
            self.filled.push(slot as u16);
        }
        self.slots[slot] = JumpSlot { rip, code };
    }

    pub(crate) fn address(&self) -> u64 {
        self.slots.as_ptr().expose_provenance() as u64
    }
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
        let start = routines.len().next_multiple_of(ALIGNMENT);
        Ok(Self {
            memory,
            start,
            next: start,
            codes: Vec::new(),
            links: Vec::new(),
            first: Vec::new(),
            more: HashMap::new(),
            tables: HashMap::new(),
        })
    }

    /// The code of a block at an address.
    pub(crate) fn find(&self, block: BlockId, rip: u64) -> Option<CodeId> {
        let id = (*self.first.get(block.index())?)?;
        if self.code(id)?.unit.rip == rip {
            return Some(id);
        }
        self.more.get(&(block.index() as u32, rip)).copied()
    }

    pub(crate) fn code(&self, id: CodeId) -> Option<&Code> {
        self.codes.get(id.0 as usize)?.as_ref()
    }

    /// Compiles and keeps a unit. None if there is no room: all is to be forgotten first.
    pub(crate) fn insert(
        &mut self,
        block: BlockId,
        unit: Unit,
        compile: impl FnOnce(&Unit, u64, u64) -> Emitted,
    ) -> Option<(CodeId, Emitted)> {
        let unit = Box::new(unit);
        let base = self.memory.base() + self.next as u64;
        let emitted = compile(&unit, base, self.links.len() as u64);
        if self.next + emitted.code.len() > self.memory.bytes() {
            return None;
        }
        let offset = self.next;
        self.memory.write(offset, &emitted.code);
        self.next = (offset + emitted.code.len()).next_multiple_of(ALIGNMENT);
        let first_link = self.links.len();
        let sites = emitted.exits.iter();
        self.links.extend(sites.map(|site| Link::new(site, offset)));
        let id = CodeId(self.codes.len() as u32);
        let rip = unit.rip;
        self.codes.push(Some(Code {
            unit,
            entry: base,
            links: first_link..self.links.len(),
            incoming: Vec::new(),
        }));
        if self.first.len() <= block.index() {
            self.first.resize(block.index() + 1, None);
        }
        if self.first[block.index()].is_none() {
            self.first[block.index()] = Some(id);
        } else {
            self.more.insert((block.index() as u32, rip), id);
        }
        Some((id, emitted))
    }

    /// The jump table of a mode.
    pub(crate) fn table(&mut self, mode: Mode) -> &mut JumpTable {
        self.tables.entry(mode).or_insert_with(JumpTable::new)
    }

    /// Joins an exit to code.
    pub(crate) fn join(&mut self, link: usize, to: CodeId, epoch: u32, backend: &dyn Backend) {
        let Some(entry) = self.code(to).map(|code| code.entry) else {
            return;
        };
        let exit = self.links[link];
        self.part(link);
        let site = self.memory.base() + exit.jump as u64;
        self.memory.write(exit.jump, &backend.jump(site, entry));
        if let Some(at) = exit.epoch {
            self.memory.write(at, &epoch.to_le_bytes());
        }
        self.links[link].to = Some(to);
        if let Some(Some(code)) = self.codes.get_mut(to.0 as usize) {
            code.incoming.push(link);
        }
    }

    /// Takes an exit off the list of what it leads to.
    fn part(&mut self, link: usize) {
        if let Some(to) = self.links[link].to.take()
            && let Some(Some(code)) = self.codes.get_mut(to.0 as usize)
        {
            code.incoming.retain(|&other| other != link);
        }
    }

    /// Forgets the code of a block, at all its addresses.
    pub(crate) fn forget(&mut self, block: BlockId, backend: &dyn Backend) -> u64 {
        let Some(id) = self.first.get_mut(block.index()).and_then(Option::take) else {
            return 0;
        };
        let mut ids = vec![id];
        if !self.more.is_empty() {
            let number = block.index() as u32;
            ids.extend(
                self.more
                    .extract_if(|key, _| key.0 == number)
                    .map(|(_, id)| id),
            );
        }
        for &id in &ids {
            let Some(code) = self.codes.get_mut(id.0 as usize).and_then(Option::take) else {
                continue;
            };
            for link in code.incoming {
                let Link { jump, stub, .. } = self.links[link];
                let base = self.memory.base();
                let bytes = backend.jump(base + jump as u64, base + stub as u64);
                self.memory.write(jump, &bytes);
                self.links[link].to = None;
            }
            for link in code.links {
                self.part(link);
            }
        }
        for table in self.tables.values_mut() {
            table.clear();
        }
        ids.len() as u64
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.codes.clear();
        self.links.clear();
        self.first.clear();
        self.more.clear();
        self.tables.clear();
        self.next = self.start;
    }
}
