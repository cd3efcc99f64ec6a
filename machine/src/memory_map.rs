//! Where RAM and ROM lie in a PC's physical address space.

use rax_devices::MemoryLines;
use rax_devices::host_bridge::Segment;
use std::ops::Range;

use rax_mmu::{MapError, PhysicalAddress, PhysicalMemory, RamBlock, Target};

use crate::board::VIDEO_BYTES;
use crate::load::{MemoryKind, MemoryRange};

/// End of conventional memory.
const CONVENTIONAL_END: u64 = 0xa_0000;
/// What firmware keeps at its end for itself (the extended BIOS data area).
const EBDA: u64 = 0x9_fc00;
/// Where ACPI's root pointer is if there is no firmware.
pub(crate) const RSDP: u64 = 0xf_0000;
/// Bytes for the ACPI tables then, at the end of RAM below 4 GiB.
const ACPI_BYTES: u64 = 0x1_0000;
/// Where extended memory begins.
const EXTENDED: u64 = 0x10_0000;
/// RAM below 4 GiB ends here at the latest: devices live above.
pub(crate) const LOW_LIMIT: u64 = 0xc000_0000;
pub(crate) const FOUR_GIB: u64 = 1 << 32;
/// System management memory, at the end of conventional memory, and the screen's window: two halves of this size.
const WINDOW_BYTES: u64 = 0x1_0000;
/// The largest ROM that also appears below 1 MiB.
const ROM_WINDOW: u64 = 0x2_0000;

/// How much address space to reserve for `ram` bytes of RAM, a ROM of `rom` bytes and video memory.
#[must_use]
pub fn reservation(ram: u64, rom: u64) -> u64 {
    let rom = rom.next_multiple_of(EXTENDED) + EXTENDED;
    ram + rom + (EXTENDED - CONVENTIONAL_END) + LARGEST_SEGMENT + VIDEO_BYTES
}

/// Puts `ram` bytes of RAM where a PC has it.
///
/// # Errors
/// When the reservation is too small.
pub fn map_ram(memory: &PhysicalMemory, ram: u64) -> Result<(), MapError> {
    memory.map_ram(PhysicalAddress(0), ram.min(CONVENTIONAL_END))?;
    if ram > EXTENDED {
        memory.map_ram(PhysicalAddress(EXTENDED), ram.min(LOW_LIMIT) - EXTENDED)?;
    }
    if ram > LOW_LIMIT {
        memory.map_ram(PhysicalAddress(FOUR_GIB), ram - LOW_LIMIT)?;
    }
    Ok(())
}

/// The RAM as firmware counts it, start and size: the first megabyte as one,
/// for firmware knows what of it is no RAM.
pub(crate) fn ram(ram: u64) -> impl Iterator<Item = (u64, u64)> {
    let low = ram.min(LOW_LIMIT);
    [(0, low), (FOUR_GIB, ram - low)]
        .into_iter()
        .filter(|&(_, bytes)| bytes != 0)
}

/// Puts a firmware image below 4 GiB, and its last 128 KiB below 1 MiB.
///
/// # Errors
/// When the reservation is too small.
pub fn map_rom(memory: &PhysicalMemory, image: &[u8]) -> Result<(), MapError> {
    let bytes = image.len() as u64;
    let start = FOUR_GIB - bytes;
    memory.map_rom(PhysicalAddress(start), image)?;
    let window = bytes.min(ROM_WINDOW);
    memory.alias(
        PhysicalAddress(FOUR_GIB - window),
        PhysicalAddress(EXTENDED - window),
        window,
        true,
    )
}

/// The RAM between conventional and extended memory, which the host bridge
/// shows or hides: under the ROM, and for system management mode.
#[derive(Debug)]
pub struct Shadow {
    /// From the end of conventional memory to 1 MiB.
    ram: RamBlock,
    /// What is read where there is neither RAM nor ROM, but writes reach RAM.
    blank: RamBlock,
    /// Bytes of ROM that appear below 1 MiB.
    rom_bytes: u64,
    /// What is mapped now: the host bridge's segments, then the halves of system management memory.
    mapped: [Target; SEGMENTS + 2],
}

/// Segments with attributes of their own.
const SEGMENTS: usize = 13;
/// Bytes of the largest.
const LARGEST_SEGMENT: u64 = 0x1_0000;

impl Shadow {
    /// Sets the RAM apart; `rom_bytes` is the size of the firmware image, which is
    /// mapped. `lines` say what segments there are.
    ///
    /// # Errors
    /// When the reservation is too small.
    pub fn new(
        memory: &PhysicalMemory,
        rom_bytes: u64,
        lines: &MemoryLines,
    ) -> Result<Self, MapError> {
        let ram = memory.allocate_block(EXTENDED - CONVENTIONAL_END)?;
        let blank = memory.allocate_block(LARGEST_SEGMENT)?;
        memory.fill_block(blank, 0xff);
        let mut shadow = Self {
            ram,
            blank,
            rom_bytes: rom_bytes.min(ROM_WINDOW),
            mapped: [Target::Mmio; SEGMENTS + 2],
        };
        // The ROM is mapped there already.
        let closed = lines.segments().map(|segment| Segment {
            reads_ram: false,
            writes_ram: false,
            ..segment
        });
        for (number, segment) in closed.iter().enumerate() {
            shadow.mapped[number] = shadow.segment(segment);
        }
        Ok(shadow)
    }

    /// Maps what the host bridge says; `in_smm` if the processor whose accesses
    /// count is in system management mode, `screen` the block and the offset to which
    /// the first half of the screen's window leads if not to the adapter. (Whether data accesses shall not see
    /// that mode's memory is not looked at.) Only what differs is mapped anew, in
    /// one change.
    ///
    /// # Errors
    /// When a range is no range of pages, which the host bridge's are.
    pub fn apply(
        &mut self,
        memory: &PhysicalMemory,
        lines: &MemoryLines,
        in_smm: bool,
        screen: Option<(RamBlock, u64)>,
    ) -> Result<(), MapError> {
        let smram = lines.smram();
        let halves = if smram.open || (smram.enabled && in_smm) {
            [0, WINDOW_BYTES].map(|at| Target::Block(self.ram, at))
        } else {
            let screen = screen.map_or(Target::Mmio, |(block, at)| Target::Block(block, at));
            [screen, Target::Mmio]
        };
        let segments = lines.segments();
        let wanted = segments
            .iter()
            .map(|segment| (segment.start, segment.bytes, self.segment(segment)))
            .chain([
                (CONVENTIONAL_END, WINDOW_BYTES, halves[0]),
                (CONVENTIONAL_END + WINDOW_BYTES, WINDOW_BYTES, halves[1]),
            ]);
        let mut mapped = self.mapped;
        let mut pieces = Vec::new();
        for (present, (start, bytes, target)) in mapped.iter_mut().zip(wanted) {
            if *present != target {
                *present = target;
                pieces.push((PhysicalAddress(start), bytes, target));
            }
        }
        if !pieces.is_empty() {
            memory.remap(&pieces)?;
            self.mapped = mapped;
        }
        Ok(())
    }

    /// What a segment leads to.
    fn segment(&self, segment: &Segment) -> Target {
        let at = segment.start - CONVENTIONAL_END;
        let has_rom = segment.start >= EXTENDED - self.rom_bytes;
        let rom = PhysicalAddress(FOUR_GIB - EXTENDED + segment.start);
        match (segment.reads_ram, segment.writes_ram) {
            (true, true) => Target::Block(self.ram, at),
            (true, false) => Target::ReadOnlyBlock(self.ram, at),
            (false, true) if has_rom => Target::Split(rom, self.ram, at),
            (false, true) => Target::SplitBlocks(self.blank, self.ram, at),
            (false, false) if has_rom => Target::ReadOnly(rom),
            (false, false) => Target::Mmio,
        }
    }
}

/// Where the ACPI tables are for a kernel without firmware; none if RAM is scarce.
pub(crate) fn acpi_tables(ram: u64) -> Option<Range<u64>> {
    let end = ram.min(LOW_LIMIT);
    (end >= 2 * EXTENDED).then(|| end - ACPI_BYTES..end)
}

/// Where a kernel that is booted without firmware finds ACPI's root pointer.
#[must_use]
pub fn root_pointer(ram: u64) -> Option<u64> {
    acpi_tables(ram).map(|_| RSDP)
}

/// What a loader may use, as a BIOS would tell it.
#[must_use]
pub fn ranges(ram: u64) -> Vec<MemoryRange> {
    let range = |start, end, kind| MemoryRange { start, end, kind };
    let mut ranges = vec![
        range(0, EBDA.min(ram), MemoryKind::Ram),
        range(EBDA, CONVENTIONAL_END, MemoryKind::Reserved),
        range(0xf_0000, EXTENDED, MemoryKind::Reserved),
    ];
    if let Some(tables) = acpi_tables(ram) {
        ranges.push(range(EXTENDED, tables.start, MemoryKind::Ram));
        ranges.push(range(tables.start, tables.end, MemoryKind::AcpiNvs));
    } else if ram > EXTENDED {
        ranges.push(range(EXTENDED, ram.min(LOW_LIMIT), MemoryKind::Ram));
    }
    ranges.push(range(FOUR_GIB - ROM_WINDOW, FOUR_GIB, MemoryKind::Reserved));
    if ram > LOW_LIMIT {
        ranges.push(range(FOUR_GIB, FOUR_GIB + ram - LOW_LIMIT, MemoryKind::Ram));
    }
    ranges
}

/// The memory sizes that a BIOS leaves in CMOS, as (index, value).
#[must_use]
pub fn cmos(ram: u64) -> Vec<(u8, u8)> {
    let kib = |bytes: u64, most: u64| (bytes >> 10).min(most);
    let base = kib(ram.min(CONVENTIONAL_END), 640);
    let extended = kib(ram.saturating_sub(EXTENDED), 0xfc00);
    let above_16m = (ram.min(LOW_LIMIT).saturating_sub(16 << 20) >> 16).min(0xffff);
    let above_4g = (ram.saturating_sub(LOW_LIMIT) >> 16).min(0xff_ffff);
    let mut cells = Vec::new();
    let mut put = |index: u8, value: u64, bytes: u8| {
        for n in 0..bytes {
            cells.push((index + n, (value >> (8 * n)) as u8));
        }
    };
    put(0x15, base, 2);
    put(0x17, extended, 2);
    put(0x30, extended, 2);
    put(0x34, above_16m, 2);
    put(0x5b, above_4g, 3);
    cells
}

#[cfg(test)]
mod tests {
    use rax_devices::conformance::Probe;
    use rax_devices::{HostBridge, MemoryLines};
    use rax_mmu::{PhysicalAddress, PhysicalMemory};

    use super::{Shadow, cmos, map_rom, ranges, reservation};

    #[test]
    fn the_screen_lies_behind_system_management_memory() {
        let memory = PhysicalMemory::new(reservation(0, 0x2_0000)).unwrap();
        map_rom(&memory, &vec![0; 0x2_0000]).unwrap();
        let lines = MemoryLines::new();
        let mut bridge = HostBridge::new(lines.clone());
        let mut shadow = Shadow::new(&memory, 0x2_0000, &lines).unwrap();
        let screen = memory.allocate_block(0x10_0000).unwrap();
        memory.write_block(screen, 0x1234, &[7]);
        memory.write_block(screen, 0x3_1234, &[9]);
        let byte = |address| {
            let mut byte = [0];
            memory.read(PhysicalAddress(address), &mut byte, &mut ());
            byte[0]
        };
        let mut bytes = |screen, in_smm| {
            shadow.apply(&memory, &lines, in_smm, screen).unwrap();
            [byte(0xa_1234), byte(0xb_1234)]
        };
        assert_eq!(bytes(None, false), [0xff, 0xff]);
        assert_eq!(bytes(Some((screen, 0)), false), [7, 0xff]);
        assert_eq!(bytes(Some((screen, 0x3_0000)), false), [9, 0xff]);
        Probe::new(&mut bridge).config_write(0x72, &[0x08]);
        assert_eq!(bytes(Some((screen, 0)), true), [0, 0]);
        assert_eq!(bytes(Some((screen, 0)), false), [7, 0xff]);
        assert_eq!(bytes(None, false), [0xff, 0xff]);
    }

    #[test]
    fn shadow_ram_is_written_under_the_rom_and_outlives_changes() {
        let image = vec![0x5a; 0x2_0000];
        let memory = PhysicalMemory::new(reservation(0, image.len() as u64)).unwrap();
        map_rom(&memory, &image).unwrap();
        let lines = MemoryLines::new();
        let mut bridge = HostBridge::new(lines.clone());
        let mut shadow = Shadow::new(&memory, image.len() as u64, &lines).unwrap();
        let mut set = |register: u8, value: u8, in_smm: bool| {
            Probe::new(&mut bridge).config_write(register, &[value]);
            let before = memory.generation();
            shadow.apply(&memory, &lines, in_smm, None).unwrap();
            memory.generation() - before
        };
        let byte = |address| {
            let mut byte = [0];
            memory.read(PhysicalAddress(address), &mut byte, &mut ());
            byte[0]
        };
        let put = |address, value| memory.write(PhysicalAddress(address), &[value], &mut ());
        // Nothing open: the ROM, and nothing.
        assert_eq!(set(0x59, 0, false), 0);
        put(0xf_1234, 1);
        assert_eq!((byte(0xf_1234), byte(0xc_1234)), (0x5a, 0xff));
        // Writes only, as firmware copies itself; then reads too.
        assert_eq!(set(0x59, 0x20, false), 1);
        assert_eq!(set(0x5a, 0x22, false), 1);
        for address in [0xf_1234, 0xc_1234] {
            put(address, 7);
        }
        assert_eq!((byte(0xf_1234), byte(0xc_1234)), (0x5a, 0xff));
        set(0x59, 0x10, false);
        set(0x5a, 0x11, false);
        for address in [0xf_1234, 0xc_1234] {
            put(address, 9);
            assert_eq!(byte(address), 7);
        }
        set(0x59, 0, false);
        assert_eq!(byte(0xf_1234), 0x5a);
        set(0x59, 0x30, false);
        assert_eq!(byte(0xf_1234), 7);
        // System management memory: open to all, then in that mode only.
        set(0x72, 0x48, false);
        put(0xa_8000, 3);
        assert_eq!(byte(0xa_8000), 3);
        assert_eq!(set(0x72, 0x08, false), 1);
        assert_eq!(byte(0xa_8000), 0xff);
        assert_eq!(set(0x72, 0x08, true), 1);
        assert_eq!(byte(0xa_8000), 3);
        assert_eq!(set(0x72, 0x08, true), 0);
    }

    #[test]
    fn ranges_are_sorted_and_apart() {
        for ram in [1 << 20, 64 << 20, 3 << 30, 5 << 30] {
            let ranges = ranges(ram);
            for pair in ranges.windows(2) {
                assert!(pair[0].end <= pair[1].start, "{ram:#x}: {pair:?}");
            }
        }
    }

    #[test]
    fn cmos_counts_in_the_units_of_the_bios() {
        let cells = cmos(64 << 20);
        assert!(cells.contains(&(0x16, 2)) && cells.contains(&(0x15, 0x80)));
        assert!(cells.contains(&(0x34, 0)) && cells.contains(&(0x35, 3)));
    }
}
