//! One vector of integers, one result, and the few operations on three.

use std::array::from_fn;

use super::crypto::{aes, sha};
use super::lanes::{
    bytes, dwords, from_bytes, from_dwords, from_qwords, from_words, map_bytes, map_dwords,
    map_words, words,
};
use super::{Lane, VectorShiftOp};

/// One vector of integers, one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorUnaryOp {
    /// Absolute values; the least stays.
    Abs(Lane),
    /// Low lanes, extended by zeros.
    ZeroExtend(Lane, Lane),
    /// Low lanes, extended by their signs.
    SignExtend(Lane, Lane),
    /// The lowest lane in every place (VPBROADCASTB and its kin).
    Broadcast(Lane),
    /// The least unsigned word, then where it first stands (PHMINPOSUW).
    Least,
    /// The inverse mix of columns of AES (AESIMC).
    AesInverseMix,
}

impl VectorUnaryOp {
    /// The operation on 128 bits.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, value: u128) -> u128 {
        match self {
            Self::Abs(Lane::Byte) => map_bytes(value, value, |x, _| x.cast_signed().unsigned_abs()),
            Self::Abs(Lane::Word) => map_words(value, value, |x, _| x.cast_signed().unsigned_abs()),
            Self::Abs(_) => map_dwords(value, value, |x, _| x.cast_signed().unsigned_abs()),
            Self::ZeroExtend(from, to) => extend(value, from, to, |lane| lane),
            Self::SignExtend(from, to) => extend(value, from, to, |lane| {
                crate::flags::sign_extend(from.bits(), lane)
            }),
            Self::Broadcast(lane) => broadcast(lane, value),
            Self::Least => least(value),
            Self::AesInverseMix => aes::inverse_mix(value),
        }
    }
}

/// Low lanes of one width, passed through a function, as lanes of a greater width.
#[inline(always)]
fn extend(value: u128, from: Lane, to: Lane, f: impl Fn(u64) -> u64) -> u128 {
    let lane = |n: usize| match from {
        Lane::Byte => f(u64::from(bytes(value)[n])),
        Lane::Word => f(u64::from(words(value)[n])),
        Lane::Dword | Lane::Qword => f(u64::from(dwords(value)[n])),
    };
    match to {
        Lane::Byte | Lane::Word => from_words(from_fn(|n| lane(n) as u16)),
        Lane::Dword => from_dwords(from_fn(|n| lane(n) as u32)),
        Lane::Qword => from_qwords(from_fn(lane)),
    }
}

/// The lowest lane in every place.
#[inline(always)]
pub(super) fn broadcast(lane: Lane, value: u128) -> u128 {
    match lane {
        Lane::Byte => from_bytes([value as u8; 16]),
        Lane::Word => from_words([value as u16; 8]),
        Lane::Dword => from_dwords([value as u32; 4]),
        Lane::Qword => from_qwords([value as u64; 2]),
    }
}

fn least(value: u128) -> u128 {
    let mut least = (u16::MAX, 0);
    for (place, word) in (0..8).zip(words(value)) {
        if word < least.0 {
            least = (word, place);
        }
    }
    u128::from(least.0) | least.1 << 16
}

/// Three vectors of integers, one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorTernaryOp {
    /// The second where the third is negative, else the first (PBLENDVB and its kin).
    Select(Lane),
    /// Two rounds of SHA-256 (SHA256RNDS2).
    Sha256Rounds,
    /// The first plus products of unsigned bytes and signed ones, added in fours (VPDPBUSD).
    DotBytes {
        /// Sums are confined to the signed range.
        saturates: bool,
    },
    /// The first plus products of signed words, added in pairs (VPDPWSSD).
    DotWords {
        /// Sums are confined to the signed range.
        saturates: bool,
    },
}

impl VectorTernaryOp {
    /// The operation on 128 bits.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, a: u128, b: u128, c: u128) -> u128 {
        match self {
            Self::Select(lane) => {
                let last = u64::from(lane.bits() - 1);
                let mask = VectorShiftOp::RightSigned(lane).apply(c, last);
                a & !mask | b & mask
            }
            Self::Sha256Rounds => sha::sha256_rounds(a, b, c),
            Self::DotBytes { saturates } => dot(a, saturates, |n| {
                let bytes = |v: u128| (v >> (32 * n)) as u32;
                let (b, c) = (bytes(b).to_le_bytes(), bytes(c).to_le_bytes());
                let products = b.iter().zip(c);
                products
                    .map(|(&b, c)| i64::from(b) * i64::from(c.cast_signed()))
                    .sum()
            }),
            Self::DotWords { saturates } => dot(a, saturates, |n| {
                let word = |v: u128, m: usize| i64::from((v >> (32 * n + 16 * m)) as i16);
                word(b, 0) * word(c, 0) + word(b, 1) * word(c, 1)
            }),
        }
    }
}

/// Dwords, each with what `sum` gives for its lane added.
fn dot(a: u128, saturates: bool, sum: impl Fn(usize) -> i64) -> u128 {
    let a = dwords(a);
    from_dwords(from_fn(|n| {
        let all = i64::from(a[n].cast_signed()) + sum(n);
        if saturates {
            all.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as u32
        } else {
            all as u32
        }
    }))
}
