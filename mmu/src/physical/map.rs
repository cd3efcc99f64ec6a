//! The map itself: an immutable list of regions that processors keep a copy
//! of, so that a walk takes no lock.

use crate::address::{PAGE_OFFSET, PhysicalAddress};
use crate::physical::{MapError, RamRegion};

/// The end of the physical address space that any processor can reach.
const END: u64 = 1 << 52;
const A20: u64 = 1 << 20;

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To RAM, at this offset in the backing.
    Ram(u64),
    /// To ROM, at this offset in the backing.
    Rom(u64),
    /// Reads lead to one offset in the backing, writes to another: ROM over
    /// RAM, while firmware copies itself.
    Split {
        /// Where reads and instruction fetches lead.
        read: u64,
        /// Where writes lead.
        write: u64,
    },
    /// To devices, or nowhere.
    Mmio,
}

impl Place {
    /// Where reads lead.
    #[inline]
    pub(crate) const fn offset(self) -> Option<u64> {
        match self {
            Self::Ram(offset) | Self::Rom(offset) | Self::Split { read: offset, .. } => {
                Some(offset)
            }
            Self::Mmio => None,
        }
    }

    /// Where writes lead, if they have an effect on memory.
    #[inline]
    pub(crate) const fn write_offset(self) -> Option<u64> {
        match self {
            Self::Ram(offset) | Self::Split { write: offset, .. } => Some(offset),
            Self::Rom(_) | Self::Mmio => None,
        }
    }

    /// The place `bytes` further on.
    #[inline]
    const fn advanced(self, bytes: u64) -> Self {
        match self {
            Self::Ram(offset) => Self::Ram(offset + bytes),
            Self::Rom(offset) => Self::Rom(offset + bytes),
            Self::Split { read, write } => Self::Split {
                read: read + bytes,
                write: write + bytes,
            },
            Self::Mmio => Self::Mmio,
        }
    }
}

/// An address looked up: where it leads, and how far that goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The address behind the A20 gate.
    pub(crate) physical: PhysicalAddress,
    /// Where it leads.
    pub(crate) place: Place,
    /// To how many bytes this applies; never zero.
    pub(crate) bytes: u64,
}

impl Span {
    /// How many of `wanted` bytes lie within it.
    #[inline]
    pub(crate) fn limit(&self, wanted: usize) -> usize {
        usize::try_from(self.bytes)
            .unwrap_or(usize::MAX)
            .min(wanted)
    }
}

#[derive(Clone, Copy, Debug)]
struct Region {
    start: u64,
    end: u64,
    place: Place,
}

impl Region {
    const NONE: Self = Self {
        start: 0,
        end: 0,
        place: Place::Mmio,
    };

    /// The rest of it from `address` on, which lies within it.
    #[inline]
    const fn span(&self, address: PhysicalAddress) -> Span {
        let at = address.0;
        let place = self.place.advanced(at - self.start);
        Span {
            physical: address,
            place,
            bytes: self.end - at,
        }
    }
}

/// All regions of RAM and ROM, sorted and disjoint.
#[derive(Clone, Debug)]
pub(crate) struct PhysicalMap {
    regions: Vec<Region>,
    /// The largest region, which most accesses go to.
    main: Region,
    /// Backing that stays allocated while it is not mapped: start and end.
    kept: Vec<(u64, u64)>,
    /// The end of the backing that was ever used.
    high_water: u64,
    capacity: u64,
    a20_mask: u64,
}

/// Checks that a range consists of whole pages below 2^52.
pub(super) fn check(start: PhysicalAddress, bytes: u64) -> Result<(), MapError> {
    let start = start.0;
    if (start | bytes) & PAGE_OFFSET != 0 {
        return Err(MapError::Unaligned { start, bytes });
    }
    if bytes == 0 || start > END || bytes > END - start {
        return Err(MapError::OutOfRange { start, bytes });
    }
    Ok(())
}

impl PhysicalMap {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            regions: Vec::new(),
            main: Region::NONE,
            kept: Vec::new(),
            high_water: 0,
            capacity,
            a20_mask: !0,
        }
    }

    /// Looks `address` up behind the A20 gate.
    #[inline]
    pub(crate) fn span(&self, address: PhysicalAddress) -> Span {
        let masked = address.0 & self.a20_mask;
        let mut span = self.bus_span(PhysicalAddress(masked));
        if self.a20_mask != !0 {
            span.bytes = span.bytes.min(A20 - (masked & (A20 - 1)));
        }
        span
    }

    /// Looks `address` up as it stands on the bus.
    #[inline]
    pub(crate) fn bus_span(&self, address: PhysicalAddress) -> Span {
        let main = &self.main;
        if address.0.wrapping_sub(main.start) < main.end - main.start {
            return main.span(address);
        }
        self.search(address)
    }

    fn search(&self, address: PhysicalAddress) -> Span {
        let at = address.0;
        let index = self.regions.partition_point(|region| region.end <= at);
        // Past the last region; the last byte of all still counts as one.
        let next = match self.regions.get(index) {
            Some(region) if region.start <= at => return region.span(address),
            Some(region) => region.start,
            None => u64::MAX,
        };
        Span {
            physical: address,
            place: Place::Mmio,
            bytes: (next - at).max(1),
        }
    }

    pub(super) fn a20(&self) -> bool {
        self.a20_mask == !0
    }

    pub(super) fn set_a20(&mut self, enabled: bool) {
        self.a20_mask = if enabled { !0 } else { !A20 };
    }

    pub(super) fn ram_regions(&self) -> Vec<RamRegion> {
        let mut runs: Vec<RamRegion> = Vec::new();
        for region in &self.regions {
            let Place::Ram(_) = region.place else {
                continue;
            };
            let (start, bytes) = (PhysicalAddress(region.start), region.end - region.start);
            match runs.last_mut() {
                Some(run) if run.start.0 + run.bytes == start.0 => run.bytes += bytes,
                _ => runs.push(RamRegion { start, bytes }),
            }
        }
        runs
    }

    /// Calls `act` with each address at which a piece of backing is mapped.
    pub(super) fn for_each_address(
        &self,
        offset: u64,
        bytes: u64,
        mut act: impl FnMut(PhysicalAddress, u64),
    ) {
        for region in &self.regions {
            let Some(base) = region.place.offset() else {
                continue;
            };
            let first = offset.max(base);
            let end = offset
                .saturating_add(bytes)
                .min(base + (region.end - region.start));
            if first < end {
                act(PhysicalAddress(region.start + (first - base)), end - first);
            }
        }
    }

    /// Takes a range out of the map.
    pub(super) fn remove(&mut self, start: PhysicalAddress, bytes: u64) {
        let (start, end) = (start.0, start.0 + bytes);
        let mut regions = Vec::with_capacity(self.regions.len() + 2);
        for region in &self.regions {
            if region.start < start {
                regions.push(Region {
                    end: region.end.min(start),
                    ..*region
                });
            }
            if region.end > end {
                let first = region.start.max(end);
                let place = region.place.advanced(first - region.start);
                regions.push(Region {
                    start: first,
                    end: region.end,
                    place,
                });
            }
        }
        self.regions = regions;
        self.choose_main();
    }

    /// Maps a range, over whatever was there.
    pub(super) fn insert(&mut self, start: PhysicalAddress, bytes: u64, place: Place) {
        self.remove(start, bytes);
        let region = Region {
            start: start.0,
            end: start.0 + bytes,
            place,
        };
        let index = self
            .regions
            .partition_point(|other| other.start < region.start);
        self.regions.insert(index, region);
        self.choose_main();
    }

    fn choose_main(&mut self) {
        let largest = self
            .regions
            .iter()
            .max_by_key(|region| region.end - region.start);
        self.main = largest.copied().unwrap_or(Region::NONE);
    }

    pub(super) fn alias(
        &mut self,
        source: PhysicalAddress,
        start: PhysicalAddress,
        bytes: u64,
        read_only: bool,
    ) -> Result<(), MapError> {
        let mut pieces = Vec::new();
        let mut done = 0;
        while done < bytes {
            let span = self.bus_span(source.wrapping_add(done));
            let size = span.bytes.min(bytes - done);
            let place = match span.place {
                Place::Ram(offset) if read_only => Place::Rom(offset),
                Place::Mmio => {
                    return Err(MapError::NotMemory {
                        start: source.0,
                        bytes,
                    });
                }
                place => place,
            };
            pieces.push((done, size, place));
            done += size;
        }
        for (done, size, place) in pieces {
            self.insert(start.wrapping_add(done), size, place);
        }
        Ok(())
    }

    /// Maps a range so that reads lead to the memory at `source` and writes to
    /// `write` in the backing.
    pub(super) fn split(
        &mut self,
        source: PhysicalAddress,
        start: PhysicalAddress,
        bytes: u64,
        write: u64,
    ) -> Result<(), MapError> {
        self.alias(source, start, bytes, true)?;
        let end = start.0 + bytes;
        for region in &mut self.regions {
            if region.start >= start.0
                && region.end <= end
                && let Place::Rom(read) = region.place
            {
                let write = write + (region.start - start.0);
                region.place = Place::Split { read, write };
            }
        }
        self.choose_main();
        Ok(())
    }

    /// Calls `act` with each range that leads its readers elsewhere in `new`:
    /// start, size, and where it led.
    pub(super) fn for_each_change(&self, new: &Self, mut act: impl FnMut(u64, u64, u64)) {
        for region in &self.regions {
            let mut at = region.start;
            while at < region.end {
                let address = PhysicalAddress(at);
                let (before, after) = (region.span(address), new.bus_span(address));
                let bytes = before.bytes.min(after.bytes);
                if let Some(offset) = before.place.offset()
                    && after.place.offset() != Some(offset)
                {
                    act(at, bytes, offset);
                }
                at += bytes;
            }
        }
    }

    /// Keeps backing allocated even if it is not mapped.
    pub(super) fn keep(&mut self, offset: u64, bytes: u64) {
        self.kept.push((offset, offset + bytes));
    }

    /// Finds backing that nobody uses: its offset, and how many of its bytes
    /// were used before.
    pub(super) fn allocate(&mut self, bytes: u64) -> Option<(u64, u64)> {
        let mut used: Vec<(u64, u64)> = self.kept.clone();
        for region in &self.regions {
            let places = [region.place.offset(), region.place.write_offset()];
            let size = region.end - region.start;
            used.extend(places.into_iter().flatten().map(|from| (from, from + size)));
        }
        used.sort_unstable();
        let mut offset = 0;
        for (start, end) in used {
            if start > offset && start - offset >= bytes {
                break;
            }
            offset = offset.max(end);
        }
        if bytes > self.capacity || offset > self.capacity - bytes {
            return None;
        }
        let used_before = self.high_water.saturating_sub(offset).min(bytes);
        self.high_water = self.high_water.max(offset + bytes);
        Some((offset, used_before))
    }
}
