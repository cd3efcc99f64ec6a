//! Physical memory: RAM, ROM and the rest, as the board maps it.
//!
//! RAM and ROM are pieces of one lazily committed [`HostRam`], mapped page by
//! page, at one or more physical addresses. Where neither is mapped, a
//! [`MmioSpace`] answers. All methods take `&self`: one `PhysicalMemory` is
//! shared by processors and devices. A change of the map bumps
//! [`PhysicalMemory::generation`]; each processor follows at
//! [`crate::Mmu::sync_map`].

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::address::{PAGE_MASK, PAGE_OFFSET, PAGE_SIZE, PhysicalAddress};
use crate::code_pages::{CodeMarks, CodePages};
use crate::dirty_pages::DirtyPages;
use crate::host_ram::{HostAddress, HostRam, HostRamError};

mod block;
mod dma;
mod map;
mod target;
#[cfg(test)]
mod tests;
mod twin;

pub(crate) use map::{PhysicalMap, Place, Span};
pub use target::Target;
pub use twin::Writes;

/// What lies behind a physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Memory that may be read and written.
    Ram {
        /// The host address of the very byte.
        host: HostAddress,
    },
    /// Memory that ignores stores.
    Rom {
        /// The host address of the very byte.
        host: HostAddress,
    },
    /// Neither: the [`MmioSpace`] answers.
    Mmio,
}

/// Who answers where there is neither RAM nor ROM.
///
/// Where nobody decodes an address, a read gives all ones.
pub trait MmioSpace {
    /// Reads registers. `bytes` is the whole access, or its part in the gap.
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]);
    /// Writes registers.
    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]);
}

/// Nobody answers: reads give all ones.
impl MmioSpace for () {
    fn mmio_read(&mut self, _address: PhysicalAddress, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }

    fn mmio_write(&mut self, _address: PhysicalAddress, _bytes: &[u8]) {}
}

/// Why a region could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Start or size is not a multiple of 4 KiB.
    #[error("start {start:#x} or size {bytes:#x} is not a multiple of 4 KiB")]
    Unaligned {
        /// Where the region was to begin.
        start: u64,
        /// How large it was to be.
        bytes: u64,
    },
    /// The region is empty or ends beyond 52 address bits.
    #[error("size {bytes:#x} at {start:#x} does not fit the physical address space")]
    OutOfRange {
        /// Where the region was to begin.
        start: u64,
        /// How large it was to be.
        bytes: u64,
    },
    /// The reservation is used up.
    #[error("no room for {bytes:#x} more bytes in the memory reserved for the guest")]
    NoRoom {
        /// What was asked for.
        bytes: u64,
    },
    /// An alias must repeat a range that is wholly RAM or ROM.
    #[error("{bytes:#x} bytes at {start:#x} are not all RAM or ROM")]
    NotMemory {
        /// Where the range begins.
        start: u64,
        /// How large it is.
        bytes: u64,
    },
}

/// A DMA transfer or an image met something that is not RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such memory at {address:#x} (after {done} bytes)")]
pub struct NotRam {
    /// The first address that is not RAM.
    pub address: PhysicalAddress,
    /// How many bytes were transferred before it.
    pub done: usize,
}

/// A run of RAM, for memory maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RamRegion {
    /// Its first address.
    pub start: PhysicalAddress,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Backing that stays allocated while it is not mapped (shadow RAM, SMRAM).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RamBlock {
    offset: u64,
    bytes: u64,
}

impl RamBlock {
    /// Its size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }
}

/// All of a machine's RAM and ROM, and where it is mapped.
#[derive(Debug)]
pub struct PhysicalMemory {
    ram: HostRam,
    code: CodeMarks,
    dirty: DirtyPages,
    map: RwLock<Arc<PhysicalMap>>,
    generation: AtomicU64,
    /// As the map has it: it is asked for after each access to a port.
    a20: AtomicBool,
    journal: twin::Journal,
}

impl PhysicalMemory {
    /// Reserves room for `reserve_bytes` of RAM and ROM; maps nothing yet.
    ///
    /// # Errors
    /// The host cannot reserve that much.
    pub fn new(reserve_bytes: u64) -> Result<Self, HostRamError> {
        let ram = HostRam::reserve(reserve_bytes)?;
        Ok(Self {
            code: CodeMarks::new(ram.bytes()),
            dirty: DirtyPages::new(ram.bytes()),
            map: RwLock::new(Arc::new(PhysicalMap::new(ram.bytes()))),
            generation: AtomicU64::new(0),
            a20: AtomicBool::new(true),
            journal: twin::Journal::default(),
            ram,
        })
    }

    /// The host range behind it.
    #[inline(always)]
    #[must_use]
    pub fn ram(&self) -> &HostRam {
        &self.ram
    }

    /// Counts changes of the map and of the A20 gate.
    #[inline(always)]
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The marks of translated code.
    #[inline]
    #[must_use]
    pub fn code_pages(&self) -> CodePages<'_> {
        CodePages::new(self, &self.code)
    }

    /// The dirty bits; taken by [`PhysicalMemory::take_dirty`].
    #[inline(always)]
    #[must_use]
    pub fn dirty_pages(&self) -> &DirtyPages {
        &self.dirty
    }
}

/// The map and how it changes.
impl PhysicalMemory {
    /// Maps new RAM, zero-filled, over whatever was there.
    ///
    /// # Errors
    /// The range is no range of pages, or the reservation is used up.
    pub fn map_ram(&self, start: PhysicalAddress, bytes: u64) -> Result<(), MapError> {
        map::check(start, bytes)?;
        self.change(|map| {
            let offset = self.allocate(map, bytes)?;
            map.insert(start, bytes, Place::Ram(offset));
            Ok(())
        })
    }

    /// Maps a new ROM over whatever was there; all ones to the page's end.
    ///
    /// # Errors
    /// As for [`PhysicalMemory::map_ram`].
    pub fn map_rom(&self, start: PhysicalAddress, contents: &[u8]) -> Result<(), MapError> {
        let size = contents.len() as u64;
        let bytes = size.next_multiple_of(PAGE_SIZE);
        map::check(start, bytes)?;
        self.change(|map| {
            let offset = self.allocate(map, bytes)?;
            self.ram.write(offset, contents);
            self.ram.fill(offset + size, bytes - size, 0xff);
            map.insert(start, bytes, Place::Rom(offset));
            Ok(())
        })
    }

    /// Maps the memory at `source` at `start` too, as ROM if `read_only`.
    ///
    /// # Errors
    /// The source is not wholly RAM or ROM, or a range is no range of pages.
    pub fn alias(
        &self,
        source: PhysicalAddress,
        start: PhysicalAddress,
        bytes: u64,
        read_only: bool,
    ) -> Result<(), MapError> {
        map::check(source, bytes)?;
        map::check(start, bytes)?;
        self.change(|map| map.alias(source, start, bytes, read_only))
    }

    /// Leaves a range to the [`MmioSpace`].
    ///
    /// # Errors
    /// It is no range of pages.
    pub fn map_mmio(&self, range: Range<PhysicalAddress>) -> Result<(), MapError> {
        self.unmap(range.start, range.end.0.saturating_sub(range.start.0))
    }

    /// Takes RAM and ROM out of a range. Backing nobody keeps is reused.
    ///
    /// # Errors
    /// It is no range of pages.
    pub fn unmap(&self, start: PhysicalAddress, bytes: u64) -> Result<(), MapError> {
        map::check(start, bytes)?;
        self.change(|map| {
            map.remove(start, bytes);
            Ok(())
        })
    }

    /// Opens or closes the A20 gate: while closed, bit 20 of every processor
    /// access is taken as zero. DMA is not affected. Open at first.
    pub fn set_a20(&self, enabled: bool) {
        if self.a20() != enabled {
            // Cannot fail: setting the gate has no error.
            let _: Result<(), MapError> = self.change(|map| {
                map.set_a20(enabled);
                Ok(())
            });
        }
    }

    /// True if the A20 gate is open.
    #[must_use]
    pub fn a20(&self) -> bool {
        self.a20.load(Ordering::Acquire)
    }

    /// All runs of writable RAM, in order of address.
    #[must_use]
    pub fn ram_regions(&self) -> Vec<RamRegion> {
        self.snapshot().ram_regions()
    }

    /// What a processor finds at `address`: [`Backing`] of that very byte.
    ///
    /// The answer holds to the end of the 4 KiB page, until the map changes.
    #[inline]
    #[must_use]
    pub fn resolve(&self, address: PhysicalAddress) -> Backing {
        let span = self.with_map(|map| map.span(address));
        self.backing(span)
    }

    /// What lies at an address on the bus, past the A20 gate.
    #[must_use]
    pub fn resolve_on_bus(&self, address: PhysicalAddress) -> Backing {
        self.backing(self.with_map(|map| map.bus_span(address)))
    }

    /// The map as it is now.
    pub(crate) fn snapshot(&self) -> Arc<PhysicalMap> {
        Arc::clone(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Turns a place in the backing into a host address that may be touched.
    #[inline]
    pub(crate) fn backing(&self, span: Span) -> Backing {
        match span.place {
            Place::Ram(offset) => Backing::Ram {
                host: self.host(offset),
            },
            Place::Rom(offset) | Place::Split { read: offset, .. } => Backing::Rom {
                host: self.host(offset),
            },
            Place::Mmio => Backing::Mmio,
        }
    }

    #[inline]
    fn host(&self, offset: u64) -> HostAddress {
        // Words may reach to the page's end, never beyond.
        self.ram.commit(offset, PAGE_SIZE - (offset & PAGE_OFFSET));
        self.ram.base().wrapping_add(offset)
    }

    #[inline]
    fn with_map<T>(&self, act: impl FnOnce(&PhysicalMap) -> T) -> T {
        act(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(
        &self,
        act: impl FnOnce(&mut PhysicalMap) -> Result<T, MapError>,
    ) -> Result<T, MapError> {
        let mut current = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let mut map = PhysicalMap::clone(&current);
        let result = act(&mut map)?;
        self.replace(&mut current, Arc::new(map));
        Ok(result)
    }

    /// Puts another map in place of the present one. Translated code is known by its
    /// address, so where that now leads elsewhere, the code is gone.
    fn replace(&self, current: &mut Arc<PhysicalMap>, new: Arc<PhysicalMap>) {
        current.for_each_change(&new, |start, bytes, offset| {
            self.code.note_move(start, bytes, offset);
        });
        self.a20.store(new.a20(), Ordering::Release);
        *current = new;
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Finds backing that nobody uses, and makes it read as zeros.
    fn allocate(&self, map: &mut PhysicalMap, bytes: u64) -> Result<u64, MapError> {
        let (offset, used) = map.allocate(bytes).ok_or(MapError::NoRoom { bytes })?;
        if used != 0 {
            self.ram.discard(offset, used);
        }
        Ok(offset)
    }
}

/// Access by processors on their slow path.
impl PhysicalMemory {
    /// Reads as a processor does, from RAM, ROM and `mmio`.
    pub fn read(&self, address: PhysicalAddress, bytes: &mut [u8], mmio: &mut dyn MmioSpace) {
        let mut rest = bytes;
        let mut at = address;
        while !rest.is_empty() {
            let span = self.with_map(|map| map.span(at));
            let (now, later) = rest.split_at_mut(span.limit(rest.len()));
            match span.place {
                Place::Ram(offset) | Place::Rom(offset) | Place::Split { read: offset, .. } => {
                    self.ram.read(offset, now);
                }
                Place::Mmio => mmio.mmio_read(span.physical, now),
            }
            at = at.wrapping_add(now.len() as u64);
            rest = later;
        }
    }

    /// Writes as a processor does, to RAM and `mmio`; ROM ignores it.
    pub fn write(&self, address: PhysicalAddress, bytes: &[u8], mmio: &mut dyn MmioSpace) {
        let mut rest = bytes;
        let mut at = address;
        while !rest.is_empty() {
            let span = self.with_map(|map| map.span(at));
            let (now, later) = rest.split_at(span.limit(rest.len()));
            match span.place {
                Place::Ram(offset) | Place::Split { write: offset, .. } => {
                    self.write_at(offset, now);
                }
                Place::Rom(_) => {}
                Place::Mmio => mmio.mmio_write(span.physical, now),
            }
            at = at.wrapping_add(now.len() as u64);
            rest = later;
        }
    }

    /// Reads from a host address that [`Backing`] gave.
    ///
    /// # Panics
    /// The bytes are not guest memory; guests cannot cause this.
    #[inline]
    pub fn read_host(&self, host: HostAddress, bytes: &mut [u8]) {
        self.ram.read(host.0.wrapping_sub(self.ram.base().0), bytes);
    }

    /// Writes to a host address that [`Backing::Ram`] gave, and takes note of
    /// dirty pages and overwritten code.
    ///
    /// # Panics
    /// The bytes are not guest memory; guests cannot cause this.
    #[inline]
    pub fn write_host(&self, host: HostAddress, bytes: &[u8]) {
        self.write_at(host.0.wrapping_sub(self.ram.base().0), bytes);
    }

    /// Takes note of a store of `bytes` bytes that somebody made at `host`.
    #[inline]
    pub fn note_host_write(&self, host: HostAddress, bytes: u64) {
        self.note_write(host.0.wrapping_sub(self.ram.base().0), bytes);
    }

    /// Writes to the backing and takes note.
    fn write_at(&self, offset: u64, bytes: &[u8]) {
        self.ram.write(offset, bytes);
        self.note_write(offset, bytes.len() as u64);
    }

    #[inline]
    pub(crate) fn note_write(&self, offset: u64, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let mut page = offset & PAGE_MASK;
        while page < offset.saturating_add(bytes) {
            self.dirty.set(page);
            page += PAGE_SIZE;
        }
        self.code.note_write(offset, bytes);
    }

    /// True if stores at this offset need no slow path but for dirtiness.
    #[inline]
    pub(crate) fn is_code(&self, host: HostAddress) -> bool {
        self.code
            .is_code_page(host.0.wrapping_sub(self.ram.base().0))
    }

    /// Where the marks of the page around `host` are; see [`CodeMarks::marks_address`].
    pub(crate) fn code_marks(&self, host: HostAddress) -> u64 {
        self.code
            .marks_address(host.0.wrapping_sub(self.ram.base().0))
    }

    /// Whether a store of so many bytes would hit translated code.
    pub(crate) fn hits_code(&self, host: HostAddress, bytes: u64) -> bool {
        self.code
            .overlaps(host.0.wrapping_sub(self.ram.base().0), bytes)
    }

    /// Makes the page around `host` dirty.
    #[inline]
    pub(crate) fn mark_dirty(&self, host: HostAddress) {
        self.dirty.set(host.0.wrapping_sub(self.ram.base().0));
    }

    /// True if the page around `host` is dirty already.
    #[inline]
    pub(crate) fn is_dirty(&self, host: HostAddress) -> bool {
        self.dirty.is_dirty(host.0.wrapping_sub(self.ram.base().0))
    }
}

/// From addresses to the backing and back.
impl PhysicalMemory {
    /// Where the backing of `address` lies, if there is any.
    #[inline]
    pub(crate) fn offset_of(&self, address: PhysicalAddress) -> Option<u64> {
        self.with_map(|map| map.bus_span(address)).place.offset()
    }

    /// Calls `act` with offset and size of each piece of backing in a range.
    pub(crate) fn for_each_span(
        &self,
        start: PhysicalAddress,
        bytes: u64,
        mut act: impl FnMut(u64, u64),
    ) {
        let map = self.snapshot();
        let mut at = start.0;
        let end = start.0.saturating_add(bytes);
        while at < end {
            let span = map.bus_span(PhysicalAddress(at));
            let size = span.bytes.min(end - at);
            if let Some(offset) = span.place.offset() {
                act(offset, size);
            }
            at += size;
        }
    }

    /// Calls `act` with each address at which a piece of backing is mapped.
    pub(crate) fn for_each_address(
        &self,
        offset: u64,
        bytes: u64,
        act: impl FnMut(PhysicalAddress, u64),
    ) {
        self.snapshot().for_each_address(offset, bytes, act);
    }
}
