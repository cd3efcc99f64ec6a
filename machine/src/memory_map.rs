//! Where RAM and ROM lie in a PC's physical address space.

use rax_devices::MemoryLines;
use rax_mmu::{MapError, PhysicalAddress, PhysicalMemory, RamBlock};

use crate::board::VIDEO_BYTES;
use crate::load::{MemoryKind, MemoryRange};

/// End of conventional memory.
const CONVENTIONAL_END: u64 = 0xa_0000;
/// What firmware keeps at its end for itself (the extended BIOS data area).
pub(crate) const EBDA: u64 = 0x9_fc00;
/// Where extended memory begins.
const EXTENDED: u64 = 0x10_0000;
/// RAM below 4 GiB ends here at the latest: devices live above.
pub(crate) const LOW_LIMIT: u64 = 0xc000_0000;
const FOUR_GIB: u64 = 1 << 32;
/// System management memory, at the end of conventional memory.
const SMRAM_BYTES: u64 = 0x2_0000;
/// The largest ROM that also appears below 1 MiB.
const ROM_WINDOW: u64 = 0x2_0000;

/// How much address space to reserve for `ram` bytes of RAM, a ROM of `rom` bytes and video memory.
#[must_use]
pub fn reservation(ram: u64, rom: u64) -> u64 {
    let rom = rom.next_multiple_of(EXTENDED) + EXTENDED;
    ram + rom + (EXTENDED - CONVENTIONAL_END) + VIDEO_BYTES
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
    /// Bytes of ROM that appear below 1 MiB.
    rom_bytes: u64,
}

impl Shadow {
    /// Sets the RAM apart; `rom_bytes` is the size of the firmware image.
    ///
    /// # Errors
    /// When the reservation is too small.
    pub fn new(memory: &PhysicalMemory, rom_bytes: u64) -> Result<Self, MapError> {
        Ok(Self {
            ram: memory.allocate_block(EXTENDED - CONVENTIONAL_END)?,
            rom_bytes: rom_bytes.min(ROM_WINDOW),
        })
    }

    /// Maps what the host bridge says. RAM that can be written but not read
    /// is not mapped: the map has no such thing, and writes to it are lost.
    ///
    /// # Errors
    /// When a range is no range of pages, which the host bridge's are.
    pub fn apply(&self, memory: &PhysicalMemory, lines: &MemoryLines) -> Result<(), MapError> {
        let part = |start: u64, bytes: u64| {
            let offset = start - CONVENTIONAL_END;
            offset..offset + bytes
        };
        for segment in lines.segments() {
            let (start, bytes) = (PhysicalAddress(segment.start), segment.bytes);
            if segment.reads_ram {
                let range = part(segment.start, bytes);
                memory.map_block(start, self.ram, range, !segment.writes_ram)?;
            } else if segment.start >= EXTENDED - self.rom_bytes {
                let high = PhysicalAddress(FOUR_GIB - EXTENDED + segment.start);
                memory.alias(high, start, bytes, true)?;
            } else {
                memory.unmap(start, bytes)?;
            }
        }
        let smram = PhysicalAddress(CONVENTIONAL_END);
        if lines.smram().open {
            memory.map_block(smram, self.ram, 0..SMRAM_BYTES, false)
        } else {
            memory.unmap(smram, SMRAM_BYTES)
        }
    }
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
    if ram > EXTENDED {
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
    use super::{cmos, ranges};

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
