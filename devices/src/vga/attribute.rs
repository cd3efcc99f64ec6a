//! The attribute controller: sixteen colours out of 256 (IBM VGA, "Attribute
//! Controller Registers").

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// Attribute Mode Control Register, index 10h.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct ModeControl: u8 {
        /// Pixels, else characters.
        const GRAPHICS = 1 << 0;
        /// Monochrome attributes.
        const MONOCHROME = 1 << 1;
        /// The ninth dot of line-drawing characters repeats the eighth.
        const LINE_GRAPHICS = 1 << 2;
        /// Attribute bit 7 blinks, else it is a brighter background.
        const BLINK = 1 << 3;
        /// The lower half of a split screen does not pan.
        const SPLIT_KEEPS_STILL = 1 << 5;
        /// A pixel lasts two dots: 256 colours.
        const WIDE_PIXELS = 1 << 6;
        /// Colour bits 4 and 5 come from the colour select register.
        const SELECT_45 = 1 << 7;
    }
}

const MODE_CONTROL: usize = 0x10;
const OVERSCAN: usize = 0x11;
const COLOR_PLANE_ENABLE: usize = 0x12;
const HORIZONTAL_PANNING: usize = 0x13;
const COLOR_SELECT: usize = 0x14;
/// Palette address source, in the index: the screen has the palette.
const PAS: u8 = 0x20;

/// The attribute controller's registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attribute {
    index: u8,
    /// The next write to the shared port is data.
    expects_data: bool,
    registers: [u8; 0x15],
}

impl Default for Attribute {
    /// As at power-on: all planes are shown.
    fn default() -> Self {
        let mut registers = [0; 0x15];
        registers[COLOR_PLANE_ENABLE] = 0x0f;
        Self {
            index: 0,
            expects_data: false,
            registers,
        }
    }
}

impl Attribute {
    /// The next write is an index.
    pub(super) const fn reset_flip_flop(&mut self) {
        self.expects_data = false;
    }

    pub(super) const fn expects_data(&self) -> bool {
        self.expects_data
    }

    pub(super) const fn read_index(&self) -> u8 {
        self.index
    }

    pub(super) fn read_data(&self) -> u8 {
        let index = usize::from(self.index & 0x1f);
        self.registers.get(index).copied().unwrap_or(0)
    }

    /// Index and data by turns.
    pub(super) fn write(&mut self, value: u8) {
        if self.expects_data {
            let index = usize::from(self.index & 0x1f);
            if let Some(register) = self.registers.get_mut(index) {
                *register = value
                    & match index {
                        MODE_CONTROL => 0xef,
                        OVERSCAN => 0xff,
                        HORIZONTAL_PANNING | COLOR_SELECT => 0x0f,
                        _ => 0x3f,
                    };
            }
        } else {
            self.index = value & 0x3f;
        }
        self.expects_data = !self.expects_data;
    }

    pub(super) const fn mode(&self) -> ModeControl {
        ModeControl::from_bits_retain(self.registers[MODE_CONTROL])
    }

    /// Whether the screen has the palette; it is blank while a program loads it.
    pub(super) const fn is_screen_on(&self) -> bool {
        self.index & PAS != 0
    }

    pub(super) const fn panning(&self) -> usize {
        self.registers[HORIZONTAL_PANNING] as usize
    }

    pub(super) const fn planes(&self) -> u8 {
        self.registers[COLOR_PLANE_ENABLE] & 15
    }

    /// Which two bits of the colour are read back.
    pub(super) const fn video_status(&self) -> u8 {
        self.registers[COLOR_PLANE_ENABLE] >> 4 & 3
    }

    /// The colour of the border. (A frame has none.)
    pub(super) const fn overscan(&self) -> u8 {
        self.registers[OVERSCAN]
    }

    /// The palette's entries for the sixteen colours of the planes, of which `toggled` ones
    /// are the other way round.
    pub(super) fn palette(&self, toggled: u8) -> [u8; 16] {
        let select = self.registers[COLOR_SELECT];
        std::array::from_fn(|color| {
            let entry = self.registers[color & usize::from(self.planes()) ^ usize::from(toggled)];
            let low = if self.mode().contains(ModeControl::SELECT_45) {
                entry & 0x0f | (select & 3) << 4
            } else {
                entry & 0x3f
            };
            low | (select & 0x0c) << 4
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Attribute;

    #[test]
    fn index_and_data_take_turns_until_the_flip_flop_is_reset() {
        let mut attribute = Attribute::default();
        for value in [0x12, 0x0f, 0x20] {
            attribute.write(value);
        }
        attribute.reset_flip_flop();
        attribute.write(0x32);
        assert_eq!(attribute.read_data(), 0x0f);
        assert!(attribute.is_screen_on());
    }

    #[test]
    fn colour_select_replaces_the_upper_bits() {
        let mut attribute = Attribute::default();
        for (index, value) in [(1, 0x3f), (0x10, 0x80), (0x12, 0x0f), (0x14, 0x0e)] {
            attribute.write(index);
            attribute.write(value);
        }
        assert_eq!(attribute.palette(0)[1], 0xef);
    }
}
