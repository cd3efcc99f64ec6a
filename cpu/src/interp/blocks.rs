//! Decoded blocks: kept by physical address and mode, linked within a page, found
//! quickly by linear address, forgotten when their bytes change.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::Arc;

use rax_mmu::{AccessKind, CodeBytes, LinearAddress, PAGE_SIZE, PhysicalAddress, PhysicalMemory};

use crate::Cpu;
use crate::insn::Insn;
use crate::mode::Mode;

/// Names a block of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockId(u32);

impl BlockId {
    /// A small number, dense from zero; used again only after all blocks were dropped.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Blocks that nobody may use any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dropped {
    /// These.
    Some(Vec<BlockId>),
    /// All there were.
    #[default]
    All,
}

/// The block that follows by a branch or by falling through; valid only in the epoch whose
/// lower half this is, and never if that is zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    pub(crate) epoch: u32,
    pub(crate) block: BlockId,
}

/// A part of memory: where it begins, and how many bytes it has.
type Part = (PhysicalAddress, u16);

/// Straight-line code, decoded. Whoever runs cold code visits one block after the other, so
/// each has one line of the host's cache.
#[derive(Debug)]
#[repr(align(64))]
pub struct Block {
    /// The instructions; never empty.
    pub insns: Arc<[Insn]>,
    /// Physical memory it was decoded from.
    pub(crate) start: PhysicalAddress,
    /// The page of its last bytes, if it spans two.
    pub(crate) second_page: PhysicalAddress,
    /// The blocks that what it falls through to, and where its branch leads, are.
    pub(crate) links: [Link; 2],
    /// Whether those lie in the same page and may be linked.
    pub(crate) linkable: [bool; 2],
    /// Its length in bytes.
    pub bytes: u16,
    /// How many of them are in the second page.
    pub(crate) in_second: u16,
    /// It is one instruction that spans two pages.
    pub crosses_page: bool,
}

const _: () = assert!(size_of::<Block>() == 64);

impl Block {
    /// Physical memory it was decoded from.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        let first = (self.start, self.bytes - self.in_second);
        let second = (self.second_page, self.in_second);
        std::iter::once(first).chain((self.in_second != 0).then_some(second))
    }

    /// Whether the second page of a page-crossing block is still the same.
    pub(crate) fn still_spans(&self, cpu: &mut Cpu, linear: LinearAddress) -> bool {
        let controls = cpu.controls();
        let access = cpu.program_access(AccessKind::Execute);
        let next = LinearAddress((linear.0 & !(PAGE_SIZE - 1)).wrapping_add(PAGE_SIZE));
        match cpu.mmu.fetch_page(&controls, access, next) {
            Ok(page) => page.physical.0 & !(PAGE_SIZE - 1) == self.second_page.0,
            // Decoding again will find the fault.
            Err(_) => false,
        }
    }
}

/// How many blocks are kept before all are forgotten.
const MOST_BLOCKS: usize = if cfg!(test) { 1 << 9 } else { 1 << 19 };
/// Slots of the jump cache.
const JUMP_CACHE: usize = 1 << 17;
/// How many views of memory are remembered.
const VIEWS: usize = 64;
/// How many dropped blocks are listed before the list says: all.
const MOST_DROPPED: usize = 1 << 12;

/// A block by linear address: four to a line of the host's cache.
#[derive(Clone, Copy)]
struct Jump {
    linear: u64,
    /// The number of the view it was found in.
    view: u32,
    block: BlockId,
}

/// A way to see memory as code, as long as nothing changes there: a number stands for it.
#[derive(Clone, Copy, Default)]
struct View {
    mapping: u64,
    epoch: u64,
    mode: Mode,
    /// Zero for none.
    number: u32,
}

/// All decoded blocks.
pub(crate) struct BlockCache {
    blocks: Vec<Block>,
    by_address: HashMap<Key, BlockId, BuildHasherDefault<KeyHasher>>,
    by_page: HashMap<u64, Vec<(Key, BlockId)>, BuildHasherDefault<KeyHasher>>,
    jumps: Vec<Jump>,
    /// By a mix of mode and mapping.
    views: [View; VIEWS],
    /// The number that was given out last.
    last_view: u32,
    /// Drawn anew whenever a block is forgotten, so that no link or jump survives it.
    epoch: u64,
    /// What was forgotten since somebody asked.
    dropped: Dropped,
}

impl Default for BlockCache {
    fn default() -> Self {
        let nowhere = Jump {
            linear: 0,
            view: 0,
            block: BlockId(0),
        };
        Self {
            blocks: Vec::new(),
            by_address: HashMap::default(),
            by_page: HashMap::default(),
            jumps: vec![nowhere; JUMP_CACHE],
            views: [View::default(); VIEWS],
            last_view: 0,
            epoch: 1,
            dropped: Dropped::Some(Vec::new()),
        }
    }
}

/// Physical address and mode in one word: addresses have at most 52 bits.
type Key = u64;

fn key(physical: u64, mode: Mode) -> Key {
    physical | u64::from(mode.bits()) << 52
}

impl Dropped {
    fn add(&mut self, id: BlockId) {
        match self {
            // Nobody asks: an interpreter by itself.
            Self::Some(list) if list.len() >= MOST_DROPPED => *self = Self::All,
            Self::Some(list) => list.push(id),
            Self::All => {}
        }
    }
}

impl BlockCache {
    pub(crate) fn take_dropped(&mut self) -> Dropped {
        std::mem::replace(&mut self.dropped, Dropped::Some(Vec::new()))
    }

    #[inline(always)]
    pub(crate) fn has_dropped(&self) -> bool {
        !matches!(&self.dropped, Dropped::Some(list) if list.is_empty())
    }

    #[inline(always)]
    pub(crate) fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }

    #[inline(always)]
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch of links that are valid.
    #[inline(always)]
    pub(crate) const fn link_epoch(&self) -> u32 {
        self.epoch as u32
    }

    /// No link or jump is valid any more.
    fn renew_epoch(&mut self) {
        self.epoch += 1;
        if self.link_epoch() == 0 {
            // Links of long ago must not be valid again.
            self.epoch += 1;
            for block in &mut self.blocks {
                block.links = [Link::default(); 2];
            }
        }
    }

    pub(crate) fn link(&mut self, id: BlockId, side: usize, target: BlockId) {
        self.blocks[id.0 as usize].links[side] = Link {
            epoch: self.link_epoch(),
            block: target,
        };
    }

    /// A block by linear address, in the mapping of `mapping`.
    #[inline(always)]
    pub(crate) fn jump_cache(&self, linear: u64, mode: Mode, mapping: u64) -> Option<BlockId> {
        let view = &self.views[view_slot(mode, mapping)];
        let jump = &self.jumps[jump_slot(linear)];
        let hit = jump.linear == linear
            && jump.view == view.number
            && view.mapping == mapping
            && view.epoch == self.epoch
            && view.mode == mode;
        hit.then_some(jump.block)
    }

    pub(crate) fn remember(&mut self, linear: u64, mode: Mode, mapping: u64, block: BlockId) {
        let view = self.views[view_slot(mode, mapping)];
        let is_known = view.mapping == mapping && view.epoch == self.epoch && view.mode == mode;
        let view = if is_known {
            view.number
        } else {
            self.new_view(mode, mapping)
        };
        self.jumps[jump_slot(linear)] = Jump {
            linear,
            view,
            block,
        };
    }

    /// Gives a number to a view of memory.
    #[cold]
    fn new_view(&mut self, mode: Mode, mapping: u64) -> u32 {
        if self.last_view == u32::MAX {
            // Numbers that begin anew must not be found again.
            *self = Self {
                blocks: std::mem::take(&mut self.blocks),
                by_address: std::mem::take(&mut self.by_address),
                by_page: std::mem::take(&mut self.by_page),
                epoch: self.epoch,
                dropped: std::mem::take(&mut self.dropped),
                ..Self::default()
            };
        }
        self.last_view += 1;
        self.views[view_slot(mode, mapping)] = View {
            mapping,
            epoch: self.epoch,
            mode,
            number: self.last_view,
        };
        self.last_view
    }

    pub(crate) fn find(&self, physical: u64, mode: Mode) -> Option<BlockId> {
        self.by_address.get(&key(physical, mode)).copied()
    }

    pub(crate) fn insert(&mut self, block: Block, mode: Mode) -> BlockId {
        if self.blocks.len() >= MOST_BLOCKS {
            self.clear();
        }
        let id = BlockId(self.blocks.len() as u32);
        let key = key(block.start.0, mode);
        for (start, _) in block.parts() {
            self.by_page
                .entry(start.0 / PAGE_SIZE)
                .or_default()
                .push((key, id));
        }
        if let Some(old) = self.by_address.insert(key, id) {
            // Nothing will find the block replaced any more when its bytes change.
            self.renew_epoch();
            self.dropped.add(old);
        }
        self.blocks.push(block);
        id
    }

    /// Forgets everything. Code marks stay: they cost a look, not a mistake.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.by_address.clear();
        self.by_page.clear();
        self.renew_epoch();
        self.dropped = Dropped::All;
    }

    /// Forgets the blocks that a write overlaps, and all code marks of its pages; how
    /// many blocks there were. [`BlockCache::mark_again`] is to follow.
    pub(crate) fn invalidate(
        &mut self,
        memory: &PhysicalMemory,
        start: PhysicalAddress,
        bytes: u64,
    ) -> u64 {
        let mut count = 0;
        let last = start.0.saturating_add(bytes.saturating_sub(1));
        for page in pages_of(start, bytes) {
            memory
                .code_pages()
                .clear_page(PhysicalAddress(page * PAGE_SIZE));
            count += self.forget_in_page(page, start.0, last);
        }
        count
    }

    /// Forgets all blocks of some pages, and leaves their marks; how many there were.
    pub(crate) fn forget_pages(&mut self, start: PhysicalAddress, bytes: u64) -> u64 {
        let last = start.0.saturating_add(bytes.saturating_sub(1));
        let pages = start.0 / PAGE_SIZE..=last / PAGE_SIZE;
        // Whole megabytes may go, and only few of their pages have blocks.
        if (pages.end() - pages.start()) as usize > self.by_page.len() {
            let found: Vec<u64> = self.by_page.keys().copied().collect();
            let found = found.into_iter().filter(|page| pages.contains(page));
            return found
                .map(|page| self.forget_in_page(page, 0, u64::MAX))
                .sum();
        }
        pages
            .map(|page| self.forget_in_page(page, 0, u64::MAX))
            .sum()
    }

    /// Forgets the blocks of a page that overlap addresses; how many there were.
    fn forget_in_page(&mut self, page: u64, first: u64, last: u64) -> u64 {
        let Some(list) = self.by_page.get_mut(&page) else {
            return 0;
        };
        let mut count = 0;
        let blocks = &self.blocks;
        let by_address = &mut self.by_address;
        let dropped = &mut self.dropped;
        list.retain(|&(key, id)| {
            let overlaps = blocks[id.0 as usize]
                .parts()
                .any(|(from, length)| from.0 <= last && first < from.0 + u64::from(length));
            let alive = by_address.get(&key) == Some(&id);
            if overlaps && alive {
                by_address.remove(&key);
                dropped.add(id);
                count += 1;
            }
            alive && !overlaps
        });
        if list.is_empty() {
            self.by_page.remove(&page);
        }
        if count != 0 {
            self.renew_epoch();
        }
        count
    }

    /// Marks the blocks that are left in a page of a write. Marks belong to memory,
    /// lists to addresses: of memory mapped twice, all of a write's addresses are
    /// invalidated before any is marked again.
    pub(crate) fn mark_again(&self, memory: &PhysicalMemory, page: u64) {
        let mut code = CodeBytes::default();
        for &(_, id) in self.by_page.get(&page).into_iter().flatten() {
            for (from, length) in self.blocks[id.0 as usize].parts() {
                if from.0 / PAGE_SIZE == page {
                    code.add(from, u64::from(length));
                }
            }
        }
        memory
            .code_pages()
            .mark_again(PhysicalAddress(page * PAGE_SIZE), &code);
    }
}

/// The numbers of the pages of a write.
pub(crate) fn pages_of(start: PhysicalAddress, bytes: u64) -> Range<u64> {
    let last = start.0.saturating_add(bytes.saturating_sub(1));
    start.0 / PAGE_SIZE..last / PAGE_SIZE + 1
}

/// Blocks that lie side by side have slots side by side.
#[inline(always)]
fn jump_slot(linear: u64) -> usize {
    (linear >> 3 ^ linear >> 16) as usize & (JUMP_CACHE - 1)
}

#[inline(always)]
fn view_slot(mode: Mode, mapping: u64) -> usize {
    let mixed = (mapping ^ u64::from(mode.bits()) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Of a product only the upper bits depend on all of what was multiplied.
    (mixed >> (u64::BITS - VIEWS.ilog2())) as usize
}

/// Mixes one word: keys are addresses, which need no protection from attackers
/// beyond what the bounded cache gives.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_not_valid_again_when_epochs_wrap() {
        let block = Block {
            insns: Arc::new([]),
            start: PhysicalAddress(0x1000),
            second_page: PhysicalAddress(0),
            links: Default::default(),
            linkable: [true; 2],
            bytes: 1,
            in_second: 0,
            crosses_page: false,
        };
        let mut cache = BlockCache {
            epoch: u64::from(u32::MAX) - 1,
            ..BlockCache::default()
        };
        let id = cache.insert(block, Mode::empty());
        for _ in 0..4 {
            cache.link(id, 0, id);
            assert_eq!(cache.block(id).links[0].epoch, cache.link_epoch());
            let before = cache.epoch();
            cache.renew_epoch();
            assert!(cache.epoch() > before);
            let link = cache.block(id).links[0];
            assert!(link.epoch != cache.link_epoch() && cache.link_epoch() != 0);
        }
        assert_eq!(cache.epoch() >> 32, 1, "it has wrapped");
    }
}
