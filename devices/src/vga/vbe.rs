//! The Bochs display interface: resolutions, depths and a linear frame buffer
//! (Bochs VBE extension, "DISPI", versions B0C0h to B0C5h).

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// DISPI register 4.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Enable: u16 {
        /// The extension drives the screen, else the VGA.
        const ENABLED = 1 << 0;
        /// Resolution registers read as their maxima.
        const GET_CAPS = 1 << 1;
        /// The palette has 8 bits for each component.
        const EIGHT_BIT_DAC = 1 << 5;
        /// The linear frame buffer is there. (It always is.)
        const LINEAR = 1 << 6;
        /// Switching on does not clear the memory.
        const NO_CLEAR = 1 << 7;
    }
}

const ID: usize = 0;
const X_RESOLUTION: usize = 1;
const Y_RESOLUTION: usize = 2;
const BITS_PER_PIXEL: usize = 3;
const ENABLE: usize = 4;
const BANK: usize = 5;
const VIRTUAL_WIDTH: usize = 6;
const VIRTUAL_HEIGHT: usize = 7;
const X_OFFSET: usize = 8;
const Y_OFFSET: usize = 9;
const MEMORY_64K: usize = 10;
const REGISTERS: usize = 11;

const OLDEST_ID: u16 = 0xb0c0;
const NEWEST_ID: u16 = 0xb0c5;
const MAX_WIDTH: u16 = 2560;
const MAX_HEIGHT: u16 = 1600;

/// What a write asks the chip to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// The screen was switched on: its memory, so many bytes, is to be cleared.
    Clear(usize),
}

/// The extension's registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vbe {
    pub(super) index: u16,
    registers: [u16; REGISTERS],
}

/// What the extension shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) bits_per_pixel: usize,
    /// Bytes from line to line; at 4 bits per pixel in each plane.
    pub(super) line_bytes: usize,
    /// Where the first pixel lies, in pixels and lines.
    pub(super) offset: (usize, usize),
}

impl Default for Vbe {
    fn default() -> Self {
        let mut registers = [0; REGISTERS];
        registers[ID] = NEWEST_ID;
        registers[BITS_PER_PIXEL] = 8;
        Self {
            index: 0,
            registers,
        }
    }
}

impl Vbe {
    const fn enable(&self) -> Enable {
        Enable::from_bits_retain(self.registers[ENABLE])
    }

    pub(super) const fn is_enabled(&self) -> bool {
        self.enable().contains(Enable::ENABLED)
    }

    pub(super) const fn is_eight_bit_dac(&self) -> bool {
        self.enable().contains(Enable::EIGHT_BIT_DAC)
    }

    /// Where the window at A0000h begins in the memory, if the extension has it.
    pub(super) fn bank(&self) -> Option<usize> {
        let is_linear = self.is_enabled() && self.registers[BITS_PER_PIXEL] >= 8;
        is_linear.then(|| usize::from(self.registers[BANK] & 0x1ff) << 16)
    }

    /// Where in each plane the window begins, if the extension shows four planes: they are larger than the window.
    pub(super) fn plane_bank(&self) -> usize {
        let is_planar = self.is_enabled() && self.registers[BITS_PER_PIXEL] == 4;
        if is_planar {
            usize::from(self.registers[BANK] & 0x1ff) << 16
        } else {
            0
        }
    }

    pub(super) fn read(&self, memory_bytes: usize) -> u16 {
        let caps = self.enable().contains(Enable::GET_CAPS);
        match usize::from(self.index) {
            X_RESOLUTION if caps => MAX_WIDTH,
            Y_RESOLUTION if caps => MAX_HEIGHT,
            BITS_PER_PIXEL if caps => 32,
            MEMORY_64K => (memory_bytes >> 16) as u16,
            index => self.registers.get(index).copied().unwrap_or(0),
        }
    }

    pub(super) fn write(&mut self, value: u16, memory_bytes: usize) -> Effect {
        let index = usize::from(self.index);
        match index {
            ID if (OLDEST_ID..=NEWEST_ID).contains(&value) => self.registers[ID] = value,
            X_RESOLUTION if value <= MAX_WIDTH => self.registers[index] = value & !7,
            Y_RESOLUTION if value <= MAX_HEIGHT => self.registers[index] = value,
            BITS_PER_PIXEL => match value {
                0 => self.registers[index] = 8,
                4 | 8 | 15 | 16 | 24 | 32 => self.registers[index] = value,
                _ => {}
            },
            ENABLE => return self.switch(Enable::from_bits_retain(value), memory_bytes),
            BANK => self.registers[index] = value,
            VIRTUAL_WIDTH => self.set_virtual_width(value, memory_bytes),
            X_OFFSET | Y_OFFSET => {
                let before = self.registers[index];
                self.registers[index] = value;
                if !self.fits(memory_bytes) {
                    self.registers[index] = before;
                }
            }
            _ => {}
        }
        Effect::None
    }

    fn switch(&mut self, enable: Enable, memory_bytes: usize) -> Effect {
        let was_enabled = self.is_enabled();
        self.registers[ENABLE] = enable.bits();
        if !enable.contains(Enable::ENABLED) || was_enabled {
            return Effect::None;
        }
        let height = usize::from(self.registers[Y_RESOLUTION]);
        self.registers[X_OFFSET] = 0;
        self.registers[Y_OFFSET] = 0;
        self.registers[BANK] = 0;
        self.registers[VIRTUAL_WIDTH] = self.registers[X_RESOLUTION];
        self.registers[VIRTUAL_HEIGHT] = self.height_for(self.line_bytes(), memory_bytes);
        if self.line_bytes() == 0 || self.line_bytes() * height > self.reachable(memory_bytes) {
            // Too large for this memory: the VGA keeps the screen.
            self.registers[ENABLE] &= !Enable::ENABLED.bits();
            return Effect::None;
        }
        if enable.contains(Enable::NO_CLEAR) {
            return Effect::None;
        }
        let bytes = self.line_bytes() * height;
        Effect::Clear(if self.registers[BITS_PER_PIXEL] == 4 {
            // Planes have no order that is worth telling.
            (bytes * 4).next_multiple_of(0x4_0000)
        } else {
            bytes
        })
    }

    fn set_virtual_width(&mut self, value: u16, memory_bytes: usize) {
        let before = self.registers;
        let width = value.max(self.registers[X_RESOLUTION]).saturating_add(7) & !7;
        self.registers[VIRTUAL_WIDTH] = width;
        let lines = self.height_for(self.line_bytes(), memory_bytes);
        if lines < self.registers[Y_RESOLUTION] {
            self.registers = before;
            return;
        }
        self.registers[VIRTUAL_HEIGHT] = lines;
    }

    /// How many lines of so many bytes the memory holds.
    fn height_for(&self, line_bytes: usize, memory_bytes: usize) -> u16 {
        let lines = self.reachable(memory_bytes).checked_div(line_bytes);
        lines.unwrap_or(0).min(usize::from(u16::MAX)) as u16
    }

    /// The bytes that one line's addresses reach: a plane at 4 bits per pixel.
    fn reachable(&self, memory_bytes: usize) -> usize {
        if self.registers[BITS_PER_PIXEL] == 4 {
            memory_bytes / 4
        } else {
            memory_bytes
        }
    }

    fn line_bytes(&self) -> usize {
        let width = usize::from(self.registers[VIRTUAL_WIDTH]);
        match self.registers[BITS_PER_PIXEL] {
            4 => width / 8,
            bits => width * usize::from(bits).div_ceil(8),
        }
    }

    fn fits(&self, memory_bytes: usize) -> bool {
        let bottom =
            usize::from(self.registers[Y_OFFSET]) + usize::from(self.registers[Y_RESOLUTION]);
        let right =
            usize::from(self.registers[X_OFFSET]) + usize::from(self.registers[X_RESOLUTION]);
        right <= usize::from(self.registers[VIRTUAL_WIDTH])
            && bottom * self.line_bytes() <= self.reachable(memory_bytes)
    }

    /// What is shown, while the extension drives the screen.
    pub(super) fn screen(&self) -> Option<Screen> {
        self.is_enabled().then(|| Screen {
            width: usize::from(self.registers[X_RESOLUTION]),
            height: usize::from(self.registers[Y_RESOLUTION]),
            bits_per_pixel: usize::from(self.registers[BITS_PER_PIXEL]),
            line_bytes: self.line_bytes(),
            offset: (
                usize::from(self.registers[X_OFFSET]),
                usize::from(self.registers[Y_OFFSET]),
            ),
        })
    }

    /// Whether a saved one can be: the screen must lie in limits.
    pub(super) fn is_possible(&self) -> bool {
        let [_, width, height, bits, ..] = self.registers;
        width <= MAX_WIDTH && height <= MAX_HEIGHT && matches!(bits, 4 | 8 | 15 | 16 | 24 | 32)
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Vbe};

    const MEMORY: usize = 16 << 20;

    fn write(vbe: &mut Vbe, index: u16, value: u16) -> Effect {
        vbe.index = index;
        vbe.write(value, MEMORY)
    }

    #[test]
    fn switching_on_clears_the_screen_unless_told_not_to() {
        let mut vbe = Vbe::default();
        for (index, value) in [(1, 1024), (2, 768), (3, 32)] {
            write(&mut vbe, index, value);
        }
        assert_eq!(write(&mut vbe, 4, 0x41), Effect::Clear(1024 * 768 * 4));
        let screen = vbe.screen().unwrap();
        assert_eq!(
            (screen.width, screen.height, screen.line_bytes),
            (1024, 768, 4096)
        );
        write(&mut vbe, 4, 0);
        assert_eq!(write(&mut vbe, 4, 0xc1), Effect::None);
    }

    #[test]
    fn panning_stays_within_the_memory() {
        let mut vbe = Vbe::default();
        for (index, value) in [
            (1, 640),
            (2, 480),
            (3, 8),
            (4, 1),
            (6, 1280),
            (8, 640),
            (9, 100),
        ] {
            write(&mut vbe, index, value);
        }
        assert_eq!(vbe.screen().unwrap().offset, (640, 100));
        write(&mut vbe, 8, 641);
        write(&mut vbe, 9, u16::MAX);
        assert_eq!(vbe.screen().unwrap().offset, (640, 100));
    }

    #[test]
    fn what_the_memory_cannot_hold_is_not_switched_on() {
        let mut vbe = Vbe::default();
        for (index, value) in [(1, 1920), (2, 1080), (3, 32)] {
            vbe.index = index;
            vbe.write(value, 1 << 20);
        }
        vbe.index = 4;
        assert_eq!(vbe.write(1, 1 << 20), Effect::None);
        assert_eq!(vbe.screen(), None);
    }

    #[test]
    fn capabilities_are_read_on_request() {
        let mut vbe = Vbe::default();
        write(&mut vbe, 4, 2);
        vbe.index = 1;
        assert_eq!(vbe.read(MEMORY), 2560);
        vbe.index = 10;
        assert_eq!(vbe.read(MEMORY), 256);
    }
}
