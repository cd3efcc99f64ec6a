//! Random numbers from a seed, with a liking for corners.

/// The same seed, the same numbers.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Corners, addresses below `ram`, and anything.
    pub(crate) fn value(&mut self, ram: u64) -> u64 {
        let edge = 1u64 << self.below(64);
        match self.below(10) {
            0 => 0,
            1 => u64::MAX,
            2 => edge,
            3 => edge - 1,
            4 => edge.wrapping_neg(),
            5 => self.below(80),
            6 | 7 => self.below(ram),
            8 => (self.below(16) * 0x1000).wrapping_sub(self.below(9)),
            _ => self.next(),
        }
    }
}

/// How many cases a property test runs; `RAX_CASES` multiplies it.
pub(crate) fn cases(few: u32) -> u32 {
    let factor = std::env::var("RAX_CASES").ok();
    few.saturating_mul(factor.and_then(|text| text.parse().ok()).unwrap_or(1))
}
