//! Random registers, often with numbers at the edges of their formats.

use super::registers::{Registers, STATUS};

/// A small random generator (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) const fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// A number in a format, often at one of its edges.
    fn float(&mut self, fraction: u32, exponent: u32) -> u64 {
        let max = (1 << exponent) - 1;
        let field = match self.below(8) {
            0 => self.below(3),
            1 => max - self.below(3),
            2..6 => (max >> 1) - 35 + self.below(70),
            _ => self.below(max + 1),
        };
        let all = (1 << fraction) - 1;
        let bits = match self.below(6) {
            0 => 0,
            1 => all,
            2 => 1 << self.below(u64::from(fraction)),
            3 => all << self.below(u64::from(fraction)),
            _ => self.next(),
        };
        self.below(2) << (fraction + exponent) | field << fraction | bits & all
    }

    fn lane(&mut self, kind: u64) -> u64 {
        match kind {
            0 | 1 => self.float(23, 8) | self.float(23, 8) << 32,
            2 | 3 => self.float(52, 11),
            4 => self.below(80),
            5 => {
                [0, u64::MAX, 0x8000_7fff_8000_7fff, 0x7f80_ff01_0080_ff7f][self.below(4) as usize]
            }
            // Short texts of few letters.
            6 => self.next() & self.next() & 0x8003_0103_0183_0301,
            7 => self.below(45).wrapping_sub(20),
            _ => self.next(),
        }
    }

    pub(crate) fn vector(&mut self, kind: u64) -> u128 {
        u128::from(self.lane(kind)) | u128::from(self.lane(kind)) << 64
    }

    pub(crate) fn registers(&mut self) -> Registers {
        let kind = self.below(10);
        // A text has a length.
        let scalar = if kind == 6 { 7 } else { kind };
        let mut registers = Registers {
            vectors: [(); 4].map(|()| [self.vector(kind), self.vector(kind)]),
            mm: [self.lane(kind), self.lane(kind)],
            mxcsr: self.next() as u32 & 0xe07f | 0x1f80,
            rax: self.lane(scalar),
            rcx: self.lane(scalar),
            rdx: self.lane(scalar),
            flags: self.next() & STATUS,
            memory: [(); 4].map(|()| self.vector(kind)),
            has_faulted: false,
        };
        match self.below(16) {
            // A count, or a number beside its equal.
            0 => {
                registers.vectors[1] = [u128::from(self.below(80)), self.next().into()];
                registers.vectors[2] = [u128::from(self.below(80)), self.next().into()];
            }
            1 => {
                registers.vectors[1] = registers.vectors[0];
                registers.vectors[2] = registers.vectors[1];
            }
            2 => registers.mm[1] = self.below(80),
            // Nothing has been raised yet; some things trap.
            3..6 => registers.mxcsr &= !0x3f & !(self.next() as u32 & 0x1f80),
            _ => {}
        }
        registers
    }
}
