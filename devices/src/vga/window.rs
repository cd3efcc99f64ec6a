//! The window of the processor's address space: which byte of which plane an address leads to (IBM VGA, "Video Memory
//! Organization"; "Memory Mode Register").

use super::memory::cell;
use super::sequencer::MemoryMode;
use super::{Miscellaneous, Vga};

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
    /// Whether the first 64 KiB of the window are those of the memory, byte by byte: the planes are chained, and nothing
    /// happens to a byte on its way. A board may map them then. (Reads do not load the latches that way, which nobody
    /// uses while planes are chained.)
    #[must_use]
    pub fn has_plain_window(&self) -> bool {
        self.sequencer.memory_mode().contains(MemoryMode::CHAIN_4)
            && self.sequencer.map_mask() == 15
            && self.graphics.leaves_bytes_alone()
            && self.graphics.window().start == 0
            && self.miscellaneous.contains(Miscellaneous::RAM_ENABLED)
            && self.vbe.bank().is_none()
    }

    /// Where an offset into the window leads; nowhere if the adapter does not decode it.
    fn access(&self, offset: usize) -> Option<Access> {
        let window = self.graphics.window();
        let is_decoded = self.miscellaneous.contains(Miscellaneous::RAM_ENABLED);
        if !is_decoded || !window.contains(&offset) {
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
        if !mode.contains(MemoryMode::SEQUENTIAL) {
            access.planes = if odd == 0 { 0b0101 } else { 0b1010 };
            access.address = access.address & !1 | self.odd_even_page(offset);
        }
        if self.graphics.reads_odd_even() {
            access.plane = access.plane & 2 | odd;
        }
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
        let mut bytes = [0; 4];
        self.memory.read(cell(access.address), &mut bytes);
        let written = self.graphics.planes_of(value);
        for (plane, (byte, written)) in bytes.iter_mut().zip(written).enumerate() {
            if planes >> plane & 1 != 0 {
                *byte = written;
            }
        }
        self.memory.write(cell(access.address), &bytes);
    }
}
