//! Numbers in memory as x87 instructions take and leave them (SDM 1, 4.2, 4.7 and 8.1.9).

use crate::float::{Env, F32, F64, F80, Source};

/// A format in memory. Operands travel as bits, zero above the format's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum X87Format {
    /// 32-bit floating point.
    Single,
    /// 64-bit floating point.
    Double,
    /// 80-bit floating point.
    Extended,
    /// A 16-bit integer.
    Short,
    /// A 32-bit integer.
    Long,
    /// A 64-bit integer.
    Quad,
    /// A 16-bit integer, stored truncated.
    TruncatedShort,
    /// A 32-bit integer, stored truncated.
    TruncatedLong,
    /// A 64-bit integer, stored truncated.
    TruncatedQuad,
    /// Eighteen packed decimal digits.
    Decimal,
}

/// The ten bytes of an extended or decimal number, lowest first.
const fn ten_bytes(bits: u128) -> [u8; 10] {
    let [a, b, c, d, e, f, g, h, i, j, ..] = bits.to_le_bytes();
    [a, b, c, d, e, f, g, h, i, j]
}

const fn from_ten_bytes([a, b, c, d, e, f, g, h, i, j]: [u8; 10]) -> u128 {
    u128::from_le_bytes([a, b, c, d, e, f, g, h, i, j, 0, 0, 0, 0, 0, 0])
}

impl X87Format {
    /// How many bytes it takes.
    #[must_use]
    #[inline(always)]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Short | Self::TruncatedShort => 2,
            Self::Single | Self::Long | Self::TruncatedLong => 4,
            Self::Double | Self::Quad | Self::TruncatedQuad => 8,
            Self::Extended | Self::Decimal => 10,
        }
    }

    /// As an integer, if it is one.
    #[inline(always)]
    const fn integer(self, bits: u128) -> i64 {
        match self.bytes() {
            2 => bits as i16 as i64,
            4 => bits as i32 as i64,
            _ => bits as i64,
        }
    }

    /// Makes bits a register's value, as loads do.
    #[inline(always)]
    pub(super) fn load(self, env: &mut Env, bits: u128) -> F80 {
        match self {
            Self::Single => env.f80_load::<F32>(bits as u32),
            Self::Double => env.f80_load::<F64>(bits as u64),
            Self::Extended => F80::from_le_bytes(ten_bytes(bits)),
            Self::Decimal => Env::f80_from_bcd(ten_bytes(bits)),
            _ => Env::f80_from_integer(self.integer(bits)),
        }
    }

    /// Makes bits an operand of arithmetic or of a comparison.
    #[inline(always)]
    pub(super) fn operand(self, bits: u128) -> Source {
        match self {
            Self::Single => Source::from_memory::<F32>(bits as u32),
            Self::Double => Source::from_memory::<F64>(bits as u64),
            Self::Extended => F80::from_le_bytes(ten_bytes(bits)).into(),
            Self::Decimal => Env::f80_from_bcd(ten_bytes(bits)).into(),
            _ => Env::f80_from_integer(self.integer(bits)).into(),
        }
    }

    /// What a masked stack underflow leaves.
    pub(super) const fn indefinite(self) -> u128 {
        match self {
            Self::Single => 0xffc0_0000,
            Self::Double => 0xfff8_0000_0000_0000,
            Self::Extended | Self::Decimal => 0xffff_c000_0000_0000_0000,
            _ => 1 << (8 * self.bytes() - 1),
        }
    }

    /// Rounds a register's value.
    #[inline(always)]
    pub(super) fn store(self, env: &mut Env, value: F80) -> u128 {
        match self {
            Self::Single => env.f80_store::<F32>(value).into(),
            Self::Double => env.f80_store::<F64>(value).into(),
            Self::Extended => from_ten_bytes(value.to_le_bytes()),
            Self::Decimal => from_ten_bytes(env.f80_to_bcd(value)),
            Self::Short => u128::from(env.f80_round_to_i16(value) as u16),
            Self::Long => u128::from(env.f80_round_to_i32(value) as u32),
            Self::Quad => u128::from(env.f80_round_to_i64(value) as u64),
            Self::TruncatedShort => u128::from(env.f80_truncate_to_i16(value) as u16),
            Self::TruncatedLong => u128::from(env.f80_truncate_to_i32(value) as u32),
            Self::TruncatedQuad => u128::from(env.f80_truncate_to_i64(value) as u64),
        }
    }
}
