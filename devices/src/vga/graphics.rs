//! The graphics controller: what happens to a byte between processor and
//! planes (IBM VGA, "Graphics Controller Registers").

use serde::{Deserialize, Serialize};

/// The bits that each register has.
const WRITABLE: [u8; 9] = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];

/// How bits of the planes become pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShiftMode {
    /// A bit of each plane.
    Planar,
    /// Two bits of a plane, as the CGA had them.
    Interleaved,
    /// Eight bits of a plane.
    Bytes,
}

/// The graphics controller's registers and its latches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Graphics {
    pub(super) index: u8,
    registers: [u8; 9],
    /// The four bytes that were read last.
    pub(super) latches: [u8; 4],
}

impl Graphics {
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

    const fn set_reset(&self) -> u8 {
        self.registers[0]
    }

    const fn enable_set_reset(&self) -> u8 {
        self.registers[1]
    }

    /// The plane that read mode 0 gives.
    pub(super) const fn read_map(&self) -> usize {
        self.registers[4] as usize
    }

    /// Even and odd addresses read from even and odd planes.
    pub(super) const fn reads_odd_even(&self) -> bool {
        self.registers[5] & 0x10 != 0
    }

    /// Where odd and even addresses reach different planes, another bit stands for the lowest one.
    pub(super) const fn replaces_lowest_bit(&self) -> bool {
        self.registers[6] & 2 != 0
    }

    /// In a text mode none of the two bits is set by which odd and even addresses reach different planes. The sequencer's
    /// has to agree; where it does not, IBM says nothing, and QEMU's adapter goes by this controller: GRUB as firmware
    /// loads its font so.
    pub(super) const fn leaves_fonts_whole(&self) -> bool {
        !self.is_graphics() && !self.reads_odd_even() && !self.replaces_lowest_bit()
    }

    /// Whether the processor reads and writes bytes as they are: no mode, function, mask or colour changes them.
    pub(super) const fn leaves_bytes_alone(&self) -> bool {
        let [_, enable_set_reset, _, function, _, mode, _, _, bit_mask] = self.registers;
        enable_set_reset == 0 && function == 0 && mode & 0x0b == 0 && bit_mask == 0xff
    }

    /// Whether latches, or parts of them, go into the bytes that are written.
    pub(super) const fn writes_latches(&self) -> bool {
        let [_, _, _, function, _, mode, _, _, bit_mask] = self.registers;
        mode & 1 != 0 || function & 0x18 != 0 || bit_mask != 0xff
    }

    /// Whether a write of this value to the register that is selected changes how planes become pixels.
    pub(super) const fn changes_picture(&self, value: u8) -> bool {
        let bits = match self.index {
            5 => 0x60,
            6 => 0x01,
            _ => return false,
        };
        (self.registers[self.index as usize] ^ value) & bits != 0
    }

    /// Whether pixels are shown, else characters.
    pub(super) const fn is_graphics(&self) -> bool {
        self.registers[6] & 1 != 0
    }

    /// The window of the processor's address space, from A0000h on.
    pub(super) const fn window(&self) -> std::ops::Range<usize> {
        match self.registers[6] >> 2 & 3 {
            0 => 0..0x2_0000,
            1 => 0..0x1_0000,
            2 => 0x1_0000..0x1_8000,
            _ => 0x1_8000..0x2_0000,
        }
    }

    pub(super) const fn shift_mode(&self) -> ShiftMode {
        match self.registers[5] >> 5 & 3 {
            0 => ShiftMode::Planar,
            1 => ShiftMode::Interleaved,
            _ => ShiftMode::Bytes,
        }
    }

    /// What the processor reads once the latches are loaded.
    pub(super) fn read_latches(&self, plane: usize) -> u8 {
        if self.registers[5] & 8 == 0 {
            return self.latches[plane & 3];
        }
        // Read mode 1: a one for each pixel whose cared-for planes are the colour compared.
        let (compare, care) = (self.registers[2], self.registers[7]);
        let differing = (0..4).filter(|plane| care >> plane & 1 != 0);
        !differing.fold(0, |bits, plane| {
            bits | self.latches[plane] ^ spread(compare >> plane & 1)
        })
    }

    /// What is to be written to the planes when the processor writes `value`.
    pub(super) fn planes_of(&self, value: u8) -> [u8; 4] {
        let latches = u32::from_le_bytes(self.latches);
        let each = |byte: u8| u32::from_le_bytes([byte; 4]);
        let rotated = value.rotate_right(u32::from(self.registers[3] & 7));
        let set_reset = plane_mask(self.set_reset());
        let mut mask = each(self.registers[8]);
        let source = match self.registers[5] & 3 {
            0 => {
                let enabled = plane_mask(self.enable_set_reset());
                each(rotated) & !enabled | set_reset & enabled
            }
            1 => return self.latches,
            2 => plane_mask(value & 15),
            // Write mode 3: the byte is one more mask.
            _ => {
                mask &= each(rotated);
                set_reset
            }
        };
        let result = match self.registers[3] >> 3 {
            0 => source,
            1 => source & latches,
            2 => source | latches,
            _ => source ^ latches,
        };
        (result & mask | latches & !mask).to_le_bytes()
    }
}

/// A bit, eight times.
const fn spread(bit: u8) -> u8 {
    if bit == 0 { 0 } else { 0xff }
}

/// A bit for each plane as a byte for each plane.
pub(super) const fn plane_mask(planes: u8) -> u32 {
    // Bit n goes to bit 8 n, and from there into all of its byte.
    let lowest = (planes as u32 * 0x0020_4081) & 0x0101_0101;
    lowest * 0xff
}

#[cfg(test)]
mod tests {
    use super::Graphics;

    fn with(registers: &[(u8, u8)], latches: [u8; 4]) -> Graphics {
        let mut graphics = Graphics {
            latches,
            ..Graphics::default()
        };
        graphics.index = 8;
        graphics.write(0xff);
        for &(index, value) in registers {
            graphics.index = index;
            graphics.write(value);
        }
        graphics
    }

    #[test]
    fn write_mode_0_rotates_then_combines_under_the_mask() {
        let graphics = with(&[(3, 0x18 | 4), (8, 0x0f)], [0xff, 0, 0x55, 0xaa]);
        assert_eq!(graphics.planes_of(0xf0), [0xf0, 0x0f, 0x5a, 0xa5]);
    }

    #[test]
    fn planes_become_bytes() {
        for planes in 0..16 {
            let bytes = super::plane_mask(planes).to_le_bytes();
            let bits = bytes.map(|byte| byte & 1 | u8::from(byte != 0 && byte != 0xff) << 1);
            let expected = std::array::from_fn(|plane| planes >> plane & 1);
            assert_eq!(bits, expected, "{planes}");
        }
    }

    #[test]
    fn set_reset_replaces_the_byte_in_enabled_planes() {
        let graphics = with(&[(0, 0b0101), (1, 0b0011)], [0; 4]);
        assert_eq!(graphics.planes_of(0x12), [0xff, 0, 0x12, 0x12]);
    }

    #[test]
    fn write_modes_1_to_3_use_latches_colours_and_masks() {
        let latches = [1, 2, 3, 4];
        assert_eq!(with(&[(5, 1)], latches).planes_of(0xff), latches);
        let colour = with(&[(5, 2), (8, 0xf0)], latches).planes_of(0b1001);
        assert_eq!(colour, [0xf1, 0x02, 0x03, 0xf4]);
        let masked = with(&[(5, 3), (0, 0b0110)], latches).planes_of(0x80);
        assert_eq!(masked, [0x01, 0x82, 0x83, 0x04]);
    }

    #[test]
    fn read_mode_1_compares_the_planes_cared_for() {
        let graphics = with(&[(5, 8), (2, 0b0001), (7, 0b0011)], [0xf0, 0x33, 0xff, 0]);
        assert_eq!(graphics.read_latches(2), 0xc0);
    }
}
