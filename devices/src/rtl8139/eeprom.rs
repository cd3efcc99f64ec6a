//! The 93C46 serial EEPROM, as software clocks it bit by bit.
//!
//! Microchip 93C46 datasheet, 16-bit organisation. A command is a start bit,
//! two bits of operation and six of address; data follow. Only reads do
//! anything: the adapter's contents are its maker's.

use serde::{Deserialize, Serialize};

/// Words that it holds.
const WORDS: usize = 64;
/// Bits of a command with its start bit.
const COMMAND_BITS: u32 = 9;

/// The wires, and what was clocked in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Eeprom {
    is_selected: bool,
    clock: bool,
    /// Bits of the command so far; leading zeros come before the start bit.
    shifted: u32,
    bits: u32,
    /// The word that goes out, and how many of its bits are left.
    output: u16,
    output_bits: u32,
}

impl Eeprom {
    pub(super) const fn new() -> Self {
        Self {
            is_selected: false,
            clock: false,
            shifted: 0,
            bits: 0,
            output: 0,
            output_bits: 0,
        }
    }

    /// What software drives; `words` is what the EEPROM holds.
    pub(super) fn drive(
        &mut self,
        is_selected: bool,
        clock: bool,
        input: bool,
        words: &[u16; WORDS],
    ) {
        if !is_selected {
            *self = Self {
                clock,
                ..Self::new()
            };
            return;
        }
        let rises = clock && !self.clock;
        self.clock = clock;
        self.is_selected = true;
        if !rises {
            return;
        }
        if self.bits < COMMAND_BITS {
            if self.bits == 0 && !input {
                return;
            }
            self.shifted = self.shifted << 1 | u32::from(input);
            self.bits += 1;
            if self.bits == COMMAND_BITS && self.shifted >> 6 == 0b110 {
                self.output = words[(self.shifted & 0x3f) as usize];
                // A zero comes before the data.
                self.output_bits = 17;
            }
        } else {
            self.output_bits = self.output_bits.saturating_sub(1);
        }
    }

    /// The data line to software.
    pub(super) const fn output(&self) -> bool {
        match self.output_bits {
            left @ 1..=16 => self.output >> (left - 1) & 1 != 0,
            17 => false,
            _ => true,
        }
    }
}

/// What the adapter's EEPROM holds for the station address `address`.
pub(super) fn contents(address: [u8; 6]) -> [u16; WORDS] {
    let mut words = [0; WORDS];
    words[0] = 0x8129;
    words[1] = 0x10ec;
    words[2] = 0x8139;
    words[3] = 0x10ec;
    words[4] = 0x8139;
    for (word, pair) in words[7..].iter_mut().zip(address.chunks_exact(2)) {
        *word = u16::from_le_bytes([pair[0], pair[1]]);
    }
    words
}
