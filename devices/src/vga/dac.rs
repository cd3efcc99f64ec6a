//! The palette and its digital-to-analog converter (Inmos IMSG171; IBM VGA,
//! "Video Digital-to-Analog Converter").

use serde::{Deserialize, Serialize};

/// 256 colours of three times 6 bits, or 8 where the extension says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dac {
    pub(super) mask: u8,
    /// Which byte comes next: entry times 3 plus component.
    position: u16,
    is_reading: bool,
    /// What was written of the entry so far.
    pending: [u8; 2],
    colors: Vec<[u8; 3]>,
    /// The components have 8 bits.
    pub(super) is_eight_bits: bool,
}

impl Default for Dac {
    fn default() -> Self {
        Self {
            mask: 0xff,
            position: 0,
            is_reading: false,
            pending: [0; 2],
            colors: vec![[0; 3]; 256],
            is_eight_bits: false,
        }
    }
}

impl Dac {
    /// Whether a saved one can be.
    pub(super) fn is_possible(&self) -> bool {
        self.colors.len() == 256 && self.position < 768
    }

    pub(super) fn set_index(&mut self, index: u8, is_reading: bool) {
        self.position = u16::from(index) * 3;
        self.is_reading = is_reading;
    }

    /// The entry that comes next to be written. The chip has one address register, and fetches an entry to be read ahead.
    pub(super) const fn write_index(&self) -> u8 {
        ((self.position / 3) as u8).wrapping_add(self.is_reading as u8)
    }

    /// Three while reading, zero while writing.
    pub(super) const fn state(&self) -> u8 {
        if self.is_reading { 3 } else { 0 }
    }

    pub(super) fn read(&mut self) -> u8 {
        let value = self.color(usize::from(self.position / 3))[usize::from(self.position % 3)];
        self.step();
        value
    }

    /// An entry changes when its blue is written.
    pub(super) fn write(&mut self, value: u8) {
        if self.is_reading {
            self.set_index(self.write_index(), false);
        }
        let value = if self.is_eight_bits {
            value
        } else {
            value & 0x3f
        };
        let [red, green] = self.pending;
        match self.position % 3 {
            2 => {
                if let Some(color) = self.colors.get_mut(usize::from(self.position / 3)) {
                    *color = [red, green, value];
                }
            }
            component => self.pending[usize::from(component)] = value,
        }
        self.step();
    }

    const fn step(&mut self) {
        self.position = (self.position + 1) % 768;
    }

    fn color(&self, index: usize) -> [u8; 3] {
        self.colors.get(index).copied().unwrap_or_default()
    }

    /// All colours as 0x00RRGGBB, by what the attribute controller sends.
    pub(super) fn rgb(&self) -> Vec<u32> {
        let wide = |part: u8| {
            if self.is_eight_bits {
                part
            } else {
                part << 2 | part >> 4
            }
        };
        (0..256)
            .map(|index| {
                let [red, green, blue] = self.color(index & usize::from(self.mask)).map(wide);
                u32::from_be_bytes([0, red, green, blue])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Dac;

    #[test]
    fn an_entry_changes_with_its_third_byte_and_the_index_advances() {
        let mut dac = Dac::default();
        dac.set_index(255, false);
        dac.write(0x3f);
        dac.write(0xff);
        assert_eq!(dac.rgb()[255], 0);
        dac.write(1);
        assert_eq!(dac.rgb()[255], 0xff_ff04);
        assert_eq!(dac.write_index(), 0);
        dac.set_index(255, true);
        assert_eq!([dac.read(), dac.read(), dac.read()], [0x3f, 0x3f, 1]);
    }

    #[test]
    fn the_address_is_ahead_while_entries_are_read() {
        let mut dac = Dac::default();
        dac.set_index(7, true);
        assert_eq!((dac.state(), dac.write_index()), (3, 8));
        for _ in 0..3 {
            dac.read();
        }
        assert_eq!(dac.write_index(), 9);
        for byte in [1, 2, 3] {
            dac.write(byte);
        }
        assert_eq!((dac.state(), dac.write_index()), (0, 10));
        assert_eq!(dac.rgb()[9], 0x04_080c);
    }

    #[test]
    fn the_mask_folds_the_palette() {
        let mut dac = Dac::default();
        dac.set_index(1, false);
        for byte in [0, 0x20, 0] {
            dac.write(byte);
        }
        dac.mask = 1;
        assert_eq!(dac.rgb()[0x81], dac.rgb()[1]);
    }
}
