//! The window of the processor's address space: which byte of which plane an address leads to (IBM VGA, "Video Memory
//! Organization"; "Memory Mode Register").

use super::graphics::plane_mask;
use super::memory::cell;
use super::sequencer::MemoryMode;
use super::window_watch::Plain;
use super::{Miscellaneous, Vga};

/// How much of the window a board may map: a bank of the extension, or as much as chained planes reach.
const PLAIN_BYTES: usize = 0x1_0000;

/// Where an address of the window leads.
struct Access {
    /// The address in each plane.
    address: usize,
    /// The planes that a write may reach.
    planes: u8,
    /// The plane that a read is answered from.
    plane: usize,
}

impl Vga {
    /// Where in the memory the bytes lie, one after the other, that the first 64 KiB of the window show. A board may map
    /// them there while this says so; it is to ask after each access.
    #[must_use]
    pub const fn window_memory(&self) -> Option<usize> {
        match self.window_watch.open() {
            None => None,
            Some(Plain::Chained) => Some(0),
            Some(Plain::Bank(start)) => Some(start),
        }
    }

    /// A register that the window depends on may have been written.
    pub(super) fn follow_window(&mut self) {
        let plain = match self.vbe.bank() {
            Some(start) if start + PLAIN_BYTES <= self.memory.bytes() => Some(Plain::Bank(start)),
            Some(_) => None,
            None if self.vbe.is_enabled() => None,
            None => self.has_chained_window().then_some(Plain::Chained),
        };
        self.window_watch.follow(plain);
    }

    /// Whether the planes are chained, and nothing happens to a byte on its way to them.
    fn has_chained_window(&self) -> bool {
        self.sequencer.memory_mode().contains(MemoryMode::CHAIN_4)
            && self.sequencer.map_mask() == 15
            && self.graphics.leaves_bytes_alone()
            && self.graphics.window().start == 0
    }

    /// Where an offset into the window leads; nowhere if the adapter does not decode it.
    fn access(&self, offset: usize) -> Option<Access> {
        let window = self.graphics.window();
        if !window.contains(&offset) {
            return None;
        }
        let offset = offset - window.start;
        let mode = self.sequencer.memory_mode();
        let odd = offset & 1;
        let mut access = Access {
            address: offset & 0xffff,
            planes: 15,
            plane: self.graphics.read_map(),
        };
        if mode.contains(MemoryMode::CHAIN_4) {
            access.plane = offset & 3;
            access.planes = 1 << access.plane;
            access.address = offset & 0xfffc | offset >> 16 & 3;
            return Some(access);
        }
        if !mode.contains(MemoryMode::SEQUENTIAL) && !self.graphics.leaves_fonts_whole() {
            access.planes = if odd == 0 { 0b0101 } else { 0b1010 };
            access.address = access.address & !1 | self.odd_even_page(offset);
        }
        if self.graphics.reads_odd_even() {
            access.plane = access.plane & 2 | odd;
        }
        access.address += self.vbe.plane_bank();
        Some(access)
    }

    /// What stands for the lowest address bit where that one chooses the planes.
    fn odd_even_page(&self, offset: usize) -> usize {
        if !self.graphics.replaces_lowest_bit() {
            0
        } else if self.graphics.window().len() > 0x1_0000 {
            offset >> 16 & 1
        } else {
            usize::from(!self.miscellaneous.contains(Miscellaneous::EVEN_PAGE))
        }
    }

    pub(super) fn read_memory(&mut self, offset: usize) -> u8 {
        self.window_watch.note_read();
        if let Some(bank) = self.vbe.bank() {
            let mut byte = [0];
            self.memory.read(bank + (offset & 0xffff), &mut byte);
            return byte[0];
        }
        let Some(access) = self.access(offset) else {
            return 0xff;
        };
        self.memory
            .read(cell(access.address), &mut self.graphics.latches);
        self.graphics.read_latches(access.plane)
    }

    pub(super) fn write_memory(&mut self, offset: usize, value: u8) {
        self.window_watch.note_write(self.graphics.writes_latches());
        if let Some(bank) = self.vbe.bank() {
            self.memory.write(bank + (offset & 0xffff), &[value]);
            return;
        }
        let Some(access) = self.access(offset) else {
            return;
        };
        let planes = access.planes & self.sequencer.map_mask();
        if planes.is_power_of_two() {
            // Text and 256-colour modes: no other plane has to be kept.
            let plane = planes.trailing_zeros() as usize;
            let byte = self.graphics.planes_of(value)[plane];
            return self.memory.write(cell(access.address) + plane, &[byte]);
        }
        let mut written = self.graphics.planes_of(value);
        if planes != 15 {
            let mut kept = [0; 4];
            self.memory.read(cell(access.address), &mut kept);
            let mask = plane_mask(planes);
            let both = u32::from_le_bytes(written) & mask | u32::from_le_bytes(kept) & !mask;
            written = both.to_le_bytes();
        }
        self.memory.write(cell(access.address), &written);
    }
}
