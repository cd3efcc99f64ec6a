//! Lane-wise operations on vectors: one portable function each (SDM 1, chapters 9 to 12).
//!
//! An operation works on 128 bits at a time. MMX uses the low 64 of them, and wider
//! registers are made of several such pieces, as the manual defines them: `whole` puts them
//! together, and `cross` is what little crosses from one into the other.

mod bytes;
mod convert;
mod cross;
mod crypto;
mod float;
mod lanes;
mod shuffle;
pub mod text;
pub(crate) mod three_d_now;
mod unary;
mod whole;
mod wide;
mod width;

use lanes::{
    dwords, from_dwords, from_qwords, from_words, map_bytes, map_dwords, map_qwords, map_words,
    words,
};

pub use convert::{ConvertOp, FloatWidth};
pub use cross::CrossOp;
pub use crypto::CryptoOp;
pub use float::fused::{FusedOp, FusedOrder, FusedSigns};
pub use float::{FloatOp, FloatShape, FloatUnaryOp, order_flags};
pub use shuffle::ShuffleOp;
pub use unary::{VectorTernaryOp, VectorUnaryOp};
pub use width::VectorBits;

/// How a vector is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// 8 bits each.
    Byte,
    /// 16 bits each.
    Word,
    /// 32 bits each.
    Dword,
    /// 64 bits each.
    Qword,
}

impl Lane {
    /// Its width in bits.
    #[must_use]
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Byte => 8,
            Self::Word => 16,
            Self::Dword => 32,
            Self::Qword => 64,
        }
    }
}

/// Two vectors of integers, one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorOp {
    /// Bitwise and.
    And,
    /// The second where the first is zero.
    AndNot,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Wrapping sum.
    Add(Lane),
    /// Wrapping difference.
    Sub(Lane),
    /// Sum, confined to the signed range.
    AddSigned(Lane),
    /// Sum, confined to the unsigned range.
    AddUnsigned(Lane),
    /// Difference, confined to the signed range.
    SubSigned(Lane),
    /// Difference, confined to the unsigned range.
    SubUnsigned(Lane),
    /// All ones where the lanes are equal.
    Equal(Lane),
    /// All ones where the first is greater, signed.
    Greater(Lane),
    /// The lesser, signed.
    MinSigned(Lane),
    /// The lesser, unsigned.
    MinUnsigned(Lane),
    /// The greater, signed.
    MaxSigned(Lane),
    /// The greater, unsigned.
    MaxUnsigned(Lane),
    /// Half the sum, rounded up.
    Average(Lane),
    /// Low half of the product.
    MulLow(Lane),
    /// High half of the signed product of words.
    MulHighSigned,
    /// High half of the unsigned product of words.
    MulHighUnsigned,
    /// Unsigned product of the even dwords, as qwords.
    MulEven,
    /// Products of signed words, added in pairs.
    MulAdd,
    /// Sum of the absolute differences of eight bytes, as a qword.
    SumDifferences,
    /// Signed lanes of this width halved, confined to the signed range: first operand low.
    PackSigned(Lane),
    /// Signed lanes of this width halved, confined to the unsigned range: first operand low.
    PackUnsigned(Lane),
    /// Lanes of the low halves, alternating, the first operand's first.
    InterleaveLow(Lane),
    /// Lanes of the high halves, alternating, the first operand's first.
    InterleaveHigh(Lane),
    /// Sums of neighbours, the first operand's low.
    HorizontalAdd(Lane),
    /// Differences of neighbours, the first operand's low.
    HorizontalSub(Lane),
    /// Sums of neighbouring words, confined to the signed range.
    HorizontalAddSigned,
    /// Differences of neighbouring words, confined to the signed range.
    HorizontalSubSigned,
    /// The first negated where the second is negative, and zero where that is zero.
    Sign(Lane),
    /// Signed product of the even dwords, as qwords.
    MulEvenSigned,
    /// Product of signed words as fractions of 15 bits, rounded.
    MulRounded,
    /// Products of unsigned bytes and signed ones, added in pairs, confined to the signed range.
    MulAddBytes,
    /// Bytes of the first chosen by those of the second; zeros where they are negative.
    ShuffleBytes,
    /// Sums of the absolute differences of four bytes, at places that an immediate gives (MPSADBW).
    SumBlocks(u8),
    /// Lanes of the first, each chosen by a lane of the second: dwords by bits 0 and 1, qwords
    /// by bit 1 (VPERMILPS, VPERMILPD).
    Permute(Lane),
    /// Each lane of the first left by the second's; zero from the lane's width on.
    ShiftLeft(Lane),
    /// Each lane of the first right by the second's, zeros in.
    ShiftRight(Lane),
    /// Each lane of the first right by the second's, signs in.
    ShiftRightSigned(Lane),
    /// A step of a cipher or a hash.
    Crypto(CryptoOp),
}

/// Maps unsigned lanes of any width.
macro_rules! each {
    ($lane:expr, $a:expr, $b:expr, |$x:ident, $y:ident| $body:expr) => {
        match $lane {
            Lane::Byte => map_bytes($a, $b, |$x, $y| $body),
            Lane::Word => map_words($a, $b, |$x, $y| $body),
            Lane::Dword => map_dwords($a, $b, |$x, $y| $body),
            Lane::Qword => map_qwords($a, $b, |$x, $y| $body),
        }
    };
}

/// Maps signed lanes of any width.
macro_rules! each_signed {
    ($lane:expr, $a:expr, $b:expr, |$x:ident, $y:ident| $body:expr) => {
        match $lane {
            Lane::Byte => each_signed!(@ map_bytes i8, $a, $b, $x, $y, $body),
            Lane::Word => each_signed!(@ map_words i16, $a, $b, $x, $y, $body),
            Lane::Dword => each_signed!(@ map_dwords i32, $a, $b, $x, $y, $body),
            Lane::Qword => each_signed!(@ map_qwords i64, $a, $b, $x, $y, $body),
        }
    };
    (@ $map:ident $signed:ty, $a:expr, $b:expr, $x:ident, $y:ident, $body:expr) => {
        $map($a, $b, |x, y| {
            let ($x, $y) = (x.cast_signed(), y.cast_signed());
            let result: $signed = $body;
            result.cast_unsigned()
        })
    };
}

impl VectorOp {
    /// The operation on vectors of `bits` bits, 64 or 128. For 64, the upper half
    /// of the result is meaningless.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, a: u128, b: u128) -> u128 {
        match self {
            Self::And => a & b,
            Self::AndNot => !a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
            Self::Add(Lane::Byte) => bytes::add(a, b),
            Self::Add(lane) => each!(lane, a, b, |x, y| x.wrapping_add(y)),
            Self::Sub(Lane::Byte) => bytes::sub(a, b),
            Self::Sub(lane) => each!(lane, a, b, |x, y| x.wrapping_sub(y)),
            Self::AddSigned(lane) => each_signed!(lane, a, b, |x, y| x.saturating_add(y)),
            Self::AddUnsigned(lane) => each!(lane, a, b, |x, y| x.saturating_add(y)),
            Self::SubSigned(lane) => each_signed!(lane, a, b, |x, y| x.saturating_sub(y)),
            Self::SubUnsigned(lane) => each!(lane, a, b, |x, y| x.saturating_sub(y)),
            Self::Equal(Lane::Byte) => bytes::equal(a, b),
            Self::Equal(lane) => each!(lane, a, b, |x, y| if x == y { !0 } else { 0 }),
            Self::Greater(lane) => each_signed!(lane, a, b, |x, y| if x > y { -1 } else { 0 }),
            Self::MinSigned(lane) => each_signed!(lane, a, b, |x, y| x.min(y)),
            Self::MinUnsigned(Lane::Byte) => bytes::min(a, b),
            Self::MinUnsigned(lane) => each!(lane, a, b, |x, y| x.min(y)),
            Self::MaxSigned(lane) => each_signed!(lane, a, b, |x, y| x.max(y)),
            Self::MaxUnsigned(Lane::Byte) => bytes::max(a, b),
            Self::MaxUnsigned(lane) => each!(lane, a, b, |x, y| x.max(y)),
            Self::Average(lane) => each!(lane, a, b, |x, y| (x | y) - ((x ^ y) >> 1)),
            Self::MulLow(lane) => each!(lane, a, b, |x, y| x.wrapping_mul(y)),
            Self::MulHighSigned => map_words(a, b, |x, y| {
                let product = i32::from(x.cast_signed()) * i32::from(y.cast_signed());
                (product >> 16) as u16
            }),
            Self::MulHighUnsigned => {
                map_words(a, b, |x, y| ((u32::from(x) * u32::from(y)) >> 16) as u16)
            }
            Self::MulEven => map_qwords(a, b, |x, y| u64::from(x as u32) * u64::from(y as u32)),
            Self::MulAdd => map_dwords(a, b, multiply_add),
            Self::SumDifferences => map_qwords(a, b, sum_differences),
            Self::PackSigned(lane) => pack(bits, lane, (a, b), true),
            Self::PackUnsigned(lane) => pack(bits, lane, (a, b), false),
            Self::InterleaveLow(lane) => interleave(lane, a as u64, b as u64),
            Self::InterleaveHigh(lane) => {
                let half = bits / 2;
                interleave(lane, (a >> half) as u64, (b >> half) as u64)
            }
            Self::HorizontalAdd(lane) => wide::horizontal_add(bits, lane, (a, b)),
            Self::HorizontalSub(lane) => wide::horizontal_sub(bits, lane, (a, b)),
            Self::HorizontalAddSigned => wide::horizontal_add_signed(bits, (a, b)),
            Self::HorizontalSubSigned => wide::horizontal_sub_signed(bits, (a, b)),
            Self::Sign(lane) => each_signed!(lane, a, b, |x, y| match y {
                1.. => x,
                0 => 0,
                _ => x.wrapping_neg(),
            }),
            Self::MulEvenSigned => map_qwords(a, b, |x, y| {
                let product = i64::from(x as i32) * i64::from(y as i32);
                product.cast_unsigned()
            }),
            Self::MulRounded => wide::multiply_rounded(a, b),
            Self::MulAddBytes => wide::multiply_add_bytes(a, b),
            Self::ShuffleBytes => wide::shuffle_bytes(bits, a, b),
            Self::SumBlocks(places) => wide::sum_blocks(a, b, places),
            Self::Permute(lane) => wide::permute(lane, a, b),
            Self::ShiftLeft(Lane::Dword) => map_dwords(a, b, |x, y| x.checked_shl(y).unwrap_or(0)),
            Self::ShiftLeft(_) => map_qwords(a, b, |x, y| if y < 64 { x << y } else { 0 }),
            Self::ShiftRight(Lane::Dword) => map_dwords(a, b, |x, y| x.checked_shr(y).unwrap_or(0)),
            Self::ShiftRight(_) => map_qwords(a, b, |x, y| if y < 64 { x >> y } else { 0 }),
            Self::ShiftRightSigned(lane) => each_signed!(lane, a, b, |x, y| {
                let last = lane.bits() - 1;
                x >> u32::try_from(y).map_or(last, |count| count.min(last))
            }),
            Self::Crypto(op) => op.apply(a, b),
        }
    }
}

#[inline(always)]
fn multiply_add(x: u32, y: u32) -> u32 {
    let low = i32::from(x as i16) * i32::from(y as i16);
    let high = ((x as i32) >> 16) * ((y as i32) >> 16);
    low.wrapping_add(high).cast_unsigned()
}

#[inline(always)]
fn sum_differences(x: u64, y: u64) -> u64 {
    let (x, y) = (x.to_le_bytes(), y.to_le_bytes());
    x.iter()
        .zip(y)
        .map(|(&x, y)| u64::from(x.abs_diff(y)))
        .sum()
}

#[inline(always)]
fn pack(bits: u32, lane: Lane, (a, b): (u128, u128), signed: bool) -> u128 {
    let half = |x| match (lane, signed) {
        (Lane::Dword, true) => narrow_dwords(x, i32::from(i16::MIN), i32::from(i16::MAX)),
        (Lane::Dword, false) => narrow_dwords(x, 0, i32::from(u16::MAX)),
        (_, true) => narrow_words(x, i16::from(i8::MIN), i16::from(i8::MAX)),
        (_, false) => narrow_words(x, 0, i16::from(u8::MAX)),
    };
    let (low, high) = (u128::from(half(a)), u128::from(half(b)));
    if bits == 64 {
        low & 0xffff_ffff | high << 32
    } else {
        low | high << 64
    }
}

#[inline(always)]
fn narrow_words(x: u128, least: i16, greatest: i16) -> u64 {
    let bytes = words(x).map(|word| word.cast_signed().clamp(least, greatest) as u8);
    u64::from_le_bytes(bytes)
}

#[inline(always)]
fn narrow_dwords(x: u128, least: i32, greatest: i32) -> u64 {
    let narrow = dwords(x).map(|dword| dword.cast_signed().clamp(least, greatest) as u16);
    let [a, b, c, d] = narrow.map(u64::from);
    a | b << 16 | c << 32 | d << 48
}

#[inline(always)]
fn interleave(lane: Lane, a: u64, b: u64) -> u128 {
    let spread = |half: u64| match lane {
        Lane::Byte => from_words(half.to_le_bytes().map(u16::from)),
        Lane::Word => {
            let all = words(u128::from(half));
            from_dwords([all[0], all[1], all[2], all[3]].map(u32::from))
        }
        Lane::Dword => from_qwords([half & 0xffff_ffff, half >> 32]),
        Lane::Qword => u128::from(half),
    };
    spread(a) | spread(b) << lane.bits()
}

/// A vector shifted by one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorShiftOp {
    /// Each lane left.
    Left(Lane),
    /// Each lane right, zeros in.
    Right(Lane),
    /// Each lane right, signs in.
    RightSigned(Lane),
    /// The whole left, by bytes.
    BytesLeft,
    /// The whole right, by bytes.
    BytesRight,
}

impl VectorShiftOp {
    /// The operation on a vector of 64 or 128 bits. Counts beyond the lane's width
    /// leave zeros or signs.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, value: u128, count: u64) -> u128 {
        match self {
            Self::BytesLeft if count < 16 => value << (8 * count),
            Self::BytesRight if count < 16 => value >> (8 * count),
            Self::Left(lane) if count < u64::from(lane.bits()) => {
                each!(lane, value, value, |x, _y| x << count)
            }
            Self::Right(lane) if count < u64::from(lane.bits()) => {
                each!(lane, value, value, |x, _y| x >> count)
            }
            Self::RightSigned(lane) => {
                let count = count.min(u64::from(lane.bits() - 1));
                each_signed!(lane, value, value, |x, _y| x >> count)
            }
            _ => 0,
        }
    }
}

/// The sign bits of a vector's lanes, the first lane's lowest.
#[inline(always)]
#[must_use]
pub fn sign_mask(bits: u32, lane: Lane, value: u128) -> u32 {
    let mut mask = 0;
    let size = lane.bits();
    for n in 0..bits / size {
        let sign = (value >> (n * size + size - 1)) as u32 & 1;
        mask |= sign << n;
    }
    mask
}

/// The lane of `size` bits at `index`, zero-extended; the index wraps.
#[inline(always)]
#[must_use]
pub const fn extract(bits: u32, size: u32, value: u128, index: u32) -> u64 {
    let place = index % (bits / size) * size;
    (value >> place) as u64 & crate::flags::mask(size)
}

/// The vector with the lane of `size` bits at `index` replaced; the index wraps.
#[inline(always)]
#[must_use]
pub const fn insert(bits: u32, size: u32, value: u128, index: u32, lane: u64) -> u128 {
    let place = index % (bits / size) * size;
    let mask = crate::flags::mask(size) as u128;
    value & !(mask << place) | (lane as u128 & mask) << place
}
