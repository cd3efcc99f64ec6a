//! Random operands with a taste for corners.

use rax_cpu::float::F80;

/// A small random generator (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
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

    /// A control word: the default, all masked, or anything.
    pub(crate) const fn control(&mut self) -> u16 {
        let bits = self.next() as u16;
        match bits & 0x30 {
            0 => 0x37f,
            0x10 => bits & 0x1f00 | 0x7f,
            _ => bits & 0x1f3f | 0x40,
        }
    }

    /// A significand field, often with long runs of equal bits.
    fn fraction(&mut self, width: u32) -> u64 {
        let all = u64::MAX >> (64 - width);
        let run = all >> self.below(u64::from(width));
        let value = match self.below(8) {
            0 => 0,
            1 => all,
            2 => 1 << self.below(u64::from(width)),
            3 => run,
            4 => !run,
            5 => self.next() << self.below(u64::from(width)),
            _ => self.next(),
        };
        value & all
    }

    /// An exponent field: at the ends, in the middle or near another one.
    fn exponent(&mut self, max: u64, near: u64) -> u64 {
        match self.below(8) {
            0 => self.below(3),
            1 => max - self.below(3),
            2 | 3 => (near + self.below(140)).wrapping_sub(70) & max,
            4 | 5 => ((max >> 1) + self.below(140)).wrapping_sub(70) & max,
            6 => (near + 3).wrapping_sub(self.below(7)) & max,
            _ => self.below(max + 1),
        }
    }

    /// A register: rarely an encoding that no operation accepts.
    pub(crate) fn f80(&mut self, near: F80) -> F80 {
        if self.below(16) == 0 {
            return [F80::ZERO, F80::ONE, F80::INFINITY, F80::INDEFINITE][self.below(4) as usize];
        }
        let field = self.exponent(0x7fff, u64::from(near.sign_exponent & 0x7fff));
        let integer = u64::from(field != 0) ^ u64::from(self.below(16) == 0);
        F80 {
            sign_exponent: (field | self.below(2) << 15) as u16,
            significand: self.fraction(63) | integer << 63,
        }
    }

    fn binary(&mut self, fraction: u32, exponent: u32, near: F80) -> u64 {
        let max = (1 << exponent) - 1;
        let near = u64::from(near.sign_exponent & 0x7fff) + (max >> 1);
        let near = near.saturating_sub(16383).min(max);
        let field = self.exponent(max, near);
        (self.below(2) << exponent | field) << fraction | self.fraction(fraction)
    }

    pub(crate) fn f32(&mut self, near: F80) -> u32 {
        self.binary(23, 8, near) as u32
    }

    pub(crate) fn f64(&mut self, near: F80) -> u64 {
        self.binary(52, 11, near)
    }

    /// An integer of any length.
    pub(crate) const fn integer(&mut self) -> i64 {
        self.next() as i64 >> self.below(64)
    }

    /// Packed digits.
    pub(crate) fn decimal(&mut self) -> [u8; 10] {
        let mut bytes = [0; 10];
        let length = self.below(10) as usize;
        for byte in &mut bytes[..length] {
            *byte = (self.below(10) << 4 | self.below(10)) as u8;
        }
        bytes[9] = (self.below(2) << 7) as u8;
        bytes
    }
}
