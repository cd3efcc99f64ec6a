//! The sequencer: character clocks, and which planes the processor reaches
//! (IBM VGA, "Sequencer Registers").

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// Clocking Mode Register, index 1.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct ClockingMode: u8 {
        /// Characters are 8 dots wide, else 9.
        const EIGHT_DOTS = 1 << 0;
        /// The dot clock is halved.
        const DOT_CLOCK_HALVED = 1 << 3;
        /// The screen is off.
        const SCREEN_OFF = 1 << 5;
    }

    /// Memory Mode Register, index 4.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct MemoryMode: u8 {
        /// More than 64 KiB are there.
        const EXTENDED_MEMORY = 1 << 1;
        /// Addresses count in each plane; else even ones reach planes 0 and 2, odd ones 1 and 3.
        const SEQUENTIAL = 1 << 2;
        /// The two lowest address bits choose the plane.
        const CHAIN_4 = 1 << 3;
    }
}

/// The bits that each register has.
const WRITABLE: [u8; 5] = [0x03, 0x3d, 0x0f, 0x3f, 0x0e];

/// The sequencer's registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sequencer {
    pub(super) index: u8,
    registers: [u8; 5],
}

impl Sequencer {
    pub(super) fn read(&self) -> u8 {
        let index = usize::from(self.index);
        self.registers.get(index).copied().unwrap_or(0)
    }

    pub(super) fn write(&mut self, value: u8) {
        let index = usize::from(self.index);
        if let (Some(register), Some(bits)) = (self.registers.get_mut(index), WRITABLE.get(index)) {
            *register = value & bits;
        }
    }

    pub(super) const fn clocking(&self) -> ClockingMode {
        ClockingMode::from_bits_retain(self.registers[1])
    }

    /// The planes that writes reach, one bit each.
    pub(super) const fn map_mask(&self) -> u8 {
        self.registers[2]
    }

    pub(super) const fn memory_mode(&self) -> MemoryMode {
        MemoryMode::from_bits_retain(self.registers[4])
    }

    /// Where in plane 2 the fonts A and B begin: attribute bit 3 set and clear.
    pub(super) fn fonts(&self) -> [usize; 2] {
        let select = usize::from(self.registers[3]);
        // Three bits number eight fonts of 8 KiB; the lowest one counts 8 KiB, not 16.
        let start = |high: usize, low: usize| (high & 1) << 13 | (low & 3) << 14;
        [start(select >> 5, select >> 2), start(select >> 4, select)]
    }
}

#[cfg(test)]
mod tests {
    use super::Sequencer;

    #[test]
    fn fonts_are_numbered_as_the_table_says() {
        // Map number 0 to 7 begins at 0, 16, 32, 48, 8, 24, 40 and 56 KiB.
        let mut sequencer = Sequencer {
            index: 3,
            ..Sequencer::default()
        };
        sequencer.write(0b10_01_10);
        let kib = |number: usize| number << 10;
        assert_eq!(sequencer.fonts(), [kib(24), kib(32)]);
    }

    #[test]
    fn registers_beyond_the_last_read_as_zero() {
        let mut sequencer = Sequencer {
            index: 9,
            ..Sequencer::default()
        };
        sequencer.write(0xff);
        assert_eq!(sequencer.read(), 0);
    }
}
