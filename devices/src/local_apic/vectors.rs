//! A set of interrupt vectors: one of IRR, ISR and TMR.

use serde::{Deserialize, Serialize};

/// A set of the 256 vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vectors([u32; 8]);

impl Vectors {
    pub(super) const NONE: Self = Self([0; 8]);

    pub(super) const fn contains(&self, vector: u8) -> bool {
        self.0[vector as usize / 32] >> (vector % 32) & 1 != 0
    }

    pub(super) const fn set(&mut self, vector: u8, present: bool) {
        let bit = 1 << (vector % 32);
        let word = &mut self.0[vector as usize / 32];
        if present {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }

    /// The vector of the highest priority.
    pub(super) fn highest(&self) -> Option<u8> {
        let (index, word) = (0..8u8).zip(self.0).rfind(|&(_, word)| word != 0)?;
        Some(index * 32 + (31 - word.leading_zeros() as u8))
    }

    /// The 32 vectors of register `index` of eight.
    pub(super) const fn word(&self, index: usize) -> u32 {
        self.0[index & 7]
    }
}

#[cfg(test)]
mod tests {
    use super::Vectors;

    #[test]
    fn the_highest_vector_is_found() {
        let mut vectors = Vectors::default();
        assert_eq!(vectors.highest(), None);
        for vector in [0x21, 0xff, 0x20] {
            vectors.set(vector, true);
        }
        assert_eq!(vectors.highest(), Some(0xff));
        vectors.set(0xff, false);
        assert_eq!(vectors.highest(), Some(0x21));
        assert_eq!(vectors.word(1), 3);
        assert!(vectors.contains(0x20) && !vectors.contains(0xff));
    }
}
