//! Integer operations: one portable function each, shared by the interpreter and
//! the evaluation of the IR (SDM 1, 5.1).

use crate::flags::{LazyFlags, mask, sign_extend};
use crate::rflags::Rflags;

/// Two operands, one result of the same width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum BinaryOp {
    Add,
    Sub,
    And,
    Or,
    Xor,
    /// Low half of the product.
    Mul,
    /// High half of the unsigned product.
    MulHighUnsigned,
    /// High half of the signed product.
    MulHighSigned,
    /// Bits of the first at the places set in the second, gathered low.
    ExtractBits,
    /// Low bits of the first, scattered to the places set in the second.
    DepositBits,
    /// The first, a remainder of 32 bits, carried on over this many bits of the second (CRC32).
    Crc32(u32),
}

/// One operand, one result of the same width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// Ones' complement.
    Not,
    /// Bytes in reverse order.
    SwapBytes,
    /// How many bits are set.
    PopulationCount,
    /// Zeros above the highest set bit; the width if there is none.
    LeadingZeros,
    /// Zeros below the lowest set bit; the width if there is none.
    TrailingZeros,
}

/// A value and a count, already masked to 5 or 6 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftOp {
    /// Left.
    Shl,
    /// Right, zeros in.
    Shr,
    /// Right, signs in.
    Sar,
    /// Rotate left.
    Rol,
    /// Rotate right.
    Ror,
}

/// A value, what is shifted into it, and a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubleShiftOp {
    /// SHLD: left, high bits of the second in.
    Shld,
    /// SHRD: right, low bits of the second in.
    Shrd,
    /// RCL: rotate left through CF; the second is CF (0 or 1).
    Rcl,
    /// RCR: rotate right through CF; the second is CF (0 or 1).
    Rcr,
}

impl BinaryOp {
    /// The operation on zero-extended values of `bits` bits; the result likewise.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, a: u64, b: u64) -> u64 {
        let signed = |value| i128::from(sign_extend(bits, value) as i64);
        let full = match self {
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
            Self::Mul => a.wrapping_mul(b),
            Self::MulHighUnsigned => ((u128::from(a) * u128::from(b)) >> bits) as u64,
            Self::MulHighSigned => ((signed(a) * signed(b)) >> bits) as u64,
            Self::ExtractBits => extract_bits(a, b),
            Self::DepositBits => deposit_bits(a, b),
            Self::Crc32(data_bits) => crc32(a as u32, b, data_bits),
        };
        full & mask(bits)
    }
}

fn extract_bits(value: u64, mut places: u64) -> u64 {
    let mut result = 0;
    let mut next = 0;
    while places != 0 {
        let place = places.trailing_zeros();
        result |= ((value >> place) & 1) << next;
        next += 1;
        places &= places - 1;
    }
    result
}

fn deposit_bits(mut value: u64, mut places: u64) -> u64 {
    let mut result = 0;
    while places != 0 {
        let place = places.trailing_zeros();
        result |= (value & 1) << place;
        value >>= 1;
        places &= places - 1;
    }
    result
}

/// The remainders of single bytes by the polynomial of Castagnoli, bits reversed (SDM 2A, CRC32).
const REMAINDERS: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut n = 0;
        while n < 8 {
            rest = rest >> 1 ^ if rest & 1 == 0 { 0 } else { 0x82f6_3b78 };
            n += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
};

fn crc32(first: u32, data: u64, bits: u32) -> u64 {
    let bytes = data.to_le_bytes();
    let rest = bytes[..bits as usize / 8].iter().fold(first, |rest, byte| {
        rest >> 8 ^ REMAINDERS[usize::from(rest as u8 ^ byte)]
    });
    u64::from(rest)
}

impl UnaryOp {
    /// The operation on a zero-extended value of `bits` bits; the result likewise.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, a: u64) -> u64 {
        match self {
            Self::Not => !a & mask(bits),
            Self::SwapBytes => a.swap_bytes() >> (64 - bits),
            Self::PopulationCount => u64::from(a.count_ones()),
            Self::LeadingZeros => u64::from(a.leading_zeros() - (64 - bits)),
            Self::TrailingZeros => u64::from(a.trailing_zeros().min(bits)),
        }
    }
}

impl ShiftOp {
    /// The flags it sets if the count is not zero.
    #[must_use]
    pub fn flags_written(self) -> Rflags {
        match self {
            Self::Shl | Self::Shr | Self::Sar => Rflags::STATUS,
            Self::Rol | Self::Ror => Rflags::CF | Rflags::OF,
        }
    }

    /// The operation on a zero-extended value of `bits` bits and a count below 64.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, value: u64, count: u32) -> u64 {
        let full = match self {
            Self::Shl => value << count,
            Self::Shr => value >> count,
            Self::Sar => ((sign_extend(bits, value) as i64) >> count) as u64,
            Self::Rol => rotate_left(bits, value, count % bits),
            Self::Ror => rotate_left(bits, value, (bits - count % bits) % bits),
        };
        full & mask(bits)
    }

    /// The flags after it; `count` is not zero (SDM 2B, SAL and ROL).
    #[inline(always)]
    #[must_use]
    pub fn flags(
        self,
        bits: u32,
        old: LazyFlags,
        value: u64,
        count: u32,
        result: u64,
    ) -> LazyFlags {
        let top = |value: u64| value >> (bits - 1) & 1 != 0;
        match self {
            Self::Shl => {
                let carry = count <= bits && value >> (bits - count) & 1 != 0;
                LazyFlags::from_parts(bits, result, carry, top(result) != carry, false)
            }
            Self::Shr => {
                // OF is defined for a count of 1 only. Like the others, and as an 80286
                // does it, it is what the last of so many single shifts leaves.
                let last = value >> (count - 1);
                LazyFlags::from_parts(bits, result, last & 1 != 0, top(last), false)
            }
            Self::Sar => {
                let carry = (sign_extend(bits, value) as i64) >> (count - 1) & 1 != 0;
                LazyFlags::from_parts(bits, result, carry, false, false)
            }
            Self::Rol => {
                let carry = result & 1 != 0;
                old.with_carry(carry).with_overflow(top(result) != carry)
            }
            Self::Ror => {
                let carry = top(result);
                old.with_carry(carry)
                    .with_overflow(carry != (result >> (bits - 2) & 1 != 0))
            }
        }
    }
}

#[inline(always)]
fn rotate_left(bits: u32, value: u64, count: u32) -> u64 {
    if count == 0 {
        value
    } else {
        value << count | value >> (bits - count)
    }
}

impl DoubleShiftOp {
    /// The flags it sets if the count is not zero.
    #[must_use]
    pub fn flags_written(self) -> Rflags {
        match self {
            Self::Shld | Self::Shrd => Rflags::STATUS,
            Self::Rcl | Self::Rcr => Rflags::CF | Rflags::OF,
        }
    }

    /// The result, and the last bit shifted out, for a count that is not zero.
    #[must_use]
    fn shift(self, bits: u32, value: u64, source: u64, count: u32) -> (u64, bool) {
        let wide = |high: u64, low: u64| u128::from(high) << bits | u128::from(low);
        match self {
            Self::Shld if count > bits => {
                // Undefined by the manual; hardware goes on with the source, then the value.
                Self::Shld.shift(bits, source, value, count - bits)
            }
            Self::Shrd if count > bits => Self::Shrd.shift(bits, source, value, count - bits),
            Self::Shld => {
                let both = wide(value, source) << count >> bits;
                (both as u64 & mask(bits), value >> (bits - count) & 1 != 0)
            }
            Self::Shrd => {
                let both = wide(source, value);
                (
                    (both >> count) as u64 & mask(bits),
                    both >> (count - 1) & 1 != 0,
                )
            }
            Self::Rcl => {
                let count = count % (bits + 1);
                let ring = wide(source, value);
                let turned = ring << count | ring >> (bits + 1 - count);
                (turned as u64 & mask(bits), turned >> bits & 1 != 0)
            }
            Self::Rcr => {
                let count = count % (bits + 1);
                let ring = wide(source, value);
                let turned = ring >> count | ring << (bits + 1 - count);
                (turned as u64 & mask(bits), turned >> bits & 1 != 0)
            }
        }
    }

    /// The operation on zero-extended values of `bits` bits and a count below 64.
    #[must_use]
    pub fn apply(self, bits: u32, value: u64, source: u64, count: u32) -> u64 {
        if count == 0 {
            value
        } else {
            self.shift(bits, value, source, count).0
        }
    }

    /// The flags after it; `count` is not zero (SDM 2B, SHLD and RCL).
    #[must_use]
    pub fn flags(
        self,
        bits: u32,
        old: LazyFlags,
        (value, source): (u64, u64),
        count: u32,
        result: u64,
    ) -> LazyFlags {
        let carry = self.shift(bits, value, source, count).1;
        let top = |value: u64| value >> (bits - 1) & 1 != 0;
        match self {
            Self::Shld | Self::Shrd => {
                LazyFlags::from_parts(bits, result, carry, top(result) != top(value), false)
            }
            Self::Rcl => old.with_carry(carry).with_overflow(top(result) != carry),
            Self::Rcr => {
                let overflow = top(result) != (result >> (bits - 2) & 1 != 0);
                old.with_carry(carry).with_overflow(overflow)
            }
        }
    }
}
