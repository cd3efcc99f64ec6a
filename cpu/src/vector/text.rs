//! The string comparisons of SSE4.2 (SDM 2B, 4.1).

use std::array::from_fn;

use super::lanes::{bytes, from_bytes, from_words, words};
use crate::rflags::Rflags;

/// Two strings, and how they are to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    control: u8,
    a: u128,
    b: u128,
    /// How many characters of each count.
    lengths: [usize; 2],
}

impl Comparison {
    /// Strings that end at a zero, or with their vector.
    #[must_use]
    pub fn implicit(control: u8, a: u128, b: u128) -> Self {
        let length = |text: u128| {
            let characters = characters(control, text);
            let count = count(control);
            characters[..count]
                .iter()
                .position(|&character| character == 0)
                .unwrap_or(count)
        };
        Self {
            control,
            a,
            b,
            lengths: [a, b].map(length),
        }
    }

    /// Strings of given lengths; signs do not count, nor does what lies beyond the vector.
    #[must_use]
    pub fn explicit(control: u8, (a, a_length): (u128, i64), (b, b_length): (u128, i64)) -> Self {
        let most = count(control);
        let length = |length: i64| length.unsigned_abs().min(most as u64) as usize;
        Self {
            control,
            a,
            b,
            lengths: [a_length, b_length].map(length),
        }
    }

    /// One bit for each character of the second string's vector (IntRes2).
    #[must_use]
    pub fn result(&self) -> u16 {
        let all = (1_u32 << count(self.control)) - 1;
        let valid = (1_u32 << self.lengths[1]) - 1;
        let flipped = match self.control >> 4 & 3 {
            1 => all,
            3 => valid,
            _ => 0,
        };
        (self.aggregate() ^ flipped) as u16
    }

    /// IntRes1.
    fn aggregate(&self) -> u32 {
        let a = characters(self.control, self.a);
        let b = characters(self.control, self.b);
        let count = count(self.control);
        let set = &a[..self.lengths[0]];
        let text = &b[..self.lengths[1]];
        let holds = |n: usize| match self.control >> 2 & 3 {
            0 => text.get(n).is_some_and(|c| set.contains(c)),
            1 => text.get(n).is_some_and(|c| {
                let (ranges, _) = set.as_chunks::<2>();
                ranges.iter().any(|[low, high]| low <= c && c <= high)
            }),
            2 => set.get(n) == text.get(n),
            // What lies beyond the vector's end is not looked at.
            _ => set
                .iter()
                .zip(n..count)
                .all(|(c, place)| text.get(place) == Some(c)),
        };
        (0..count)
            .filter(|&n| holds(n))
            .fold(0, |bits, n| bits | 1 << n)
    }

    /// Where the first, or the last, bit of a result is set; else the number of characters.
    #[must_use]
    pub const fn index(&self, result: u16) -> u32 {
        if result == 0 {
            count(self.control) as u32
        } else if self.control & 0x40 == 0 {
            result.trailing_zeros()
        } else {
            result.ilog2()
        }
    }

    /// A result as it is, or spread over the characters' lanes.
    #[must_use]
    pub fn mask(&self, result: u16) -> u128 {
        let is_set = |n: usize| result >> n & 1 != 0;
        if self.control & 0x40 == 0 {
            u128::from(result)
        } else if self.control & 1 == 0 {
            from_bytes(from_fn(|n| if is_set(n) { !0 } else { 0 }))
        } else {
            from_words(from_fn(|n| if is_set(n) { !0 } else { 0 }))
        }
    }

    /// CF: something was found; OF: at the first place; ZF and SF: the second and the
    /// first string end within their vectors.
    #[must_use]
    pub fn flags(&self, result: u16) -> Rflags {
        let count = count(self.control);
        let mut flags = Rflags::empty();
        flags.set(Rflags::CF, result != 0);
        flags.set(Rflags::OF, result & 1 != 0);
        flags.set(Rflags::SF, self.lengths[0] < count);
        flags.set(Rflags::ZF, self.lengths[1] < count);
        flags
    }
}

/// How many characters a vector holds.
const fn count(control: u8) -> usize {
    if control & 1 == 0 { 16 } else { 8 }
}

/// The characters as numbers; words leave the upper half unused.
fn characters(control: u8, text: u128) -> [i32; 16] {
    let word = |n: usize| words(text)[n % 8];
    match control & 3 {
        0 => bytes(text).map(i32::from),
        1 => from_fn(|n| i32::from(word(n))),
        2 => bytes(text).map(|byte| i32::from(byte.cast_signed())),
        _ => from_fn(|n| i32::from(word(n).cast_signed())),
    }
}
