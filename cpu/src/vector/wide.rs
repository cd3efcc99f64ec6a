//! Integer operations that look beyond their own lane (SDM 2, PHADDW, PSHUFB, PMADDUBSW,
//! MPSADBW, PALIGNR, VPERMILPS).

use std::array::from_fn;

use super::Lane;
use super::lanes::{
    bytes, dwords, from_bytes, from_dwords, from_qwords, from_words, map_words, qwords, words,
};

/// Applies a function that halves 128 bits to both operands, the first one's half low.
#[inline(always)]
fn halves(bits: u32, (a, b): (u128, u128), half: impl Fn(u128) -> u64) -> u128 {
    if bits == 64 {
        u128::from(half(a & u128::from(u64::MAX) | b << 64))
    } else {
        u128::from(half(a)) | u128::from(half(b)) << 64
    }
}

#[inline(always)]
fn word_pairs(bits: u32, operands: (u128, u128), f: impl Fn(u16, u16) -> u16) -> u128 {
    halves(bits, operands, |vector| {
        let lanes = words(vector);
        let [a, b, c, d] = from_fn(|n| u64::from(f(lanes[2 * n], lanes[2 * n + 1])));
        a | b << 16 | c << 32 | d << 48
    })
}

#[inline(always)]
fn dword_pairs(bits: u32, operands: (u128, u128), f: impl Fn(u32, u32) -> u32) -> u128 {
    halves(bits, operands, |vector| {
        let [a, b, c, d] = dwords(vector);
        u64::from(f(a, b)) | u64::from(f(c, d)) << 32
    })
}

/// Sums of neighbours.
#[inline(always)]
pub(super) fn horizontal_add(bits: u32, lane: Lane, operands: (u128, u128)) -> u128 {
    match lane {
        Lane::Dword => dword_pairs(bits, operands, u32::wrapping_add),
        _ => word_pairs(bits, operands, u16::wrapping_add),
    }
}

/// Differences of neighbours.
#[inline(always)]
pub(super) fn horizontal_sub(bits: u32, lane: Lane, operands: (u128, u128)) -> u128 {
    match lane {
        Lane::Dword => dword_pairs(bits, operands, u32::wrapping_sub),
        _ => word_pairs(bits, operands, u16::wrapping_sub),
    }
}

/// Sums of neighbouring words, confined to the signed range.
#[inline(always)]
pub(super) fn horizontal_add_signed(bits: u32, operands: (u128, u128)) -> u128 {
    word_pairs(bits, operands, |x, y| {
        let sum = x.cast_signed().saturating_add(y.cast_signed());
        sum.cast_unsigned()
    })
}

/// Differences of neighbouring words, confined to the signed range.
#[inline(always)]
pub(super) fn horizontal_sub_signed(bits: u32, operands: (u128, u128)) -> u128 {
    word_pairs(bits, operands, |x, y| {
        let difference = x.cast_signed().saturating_sub(y.cast_signed());
        difference.cast_unsigned()
    })
}

/// Unsigned bytes of the first times signed bytes of the second, added in pairs.
#[inline(always)]
pub(super) fn multiply_add_bytes(a: u128, b: u128) -> u128 {
    map_words(a, b, |x, y| {
        let low = i32::from(x as u8) * i32::from(y as i8);
        let high = i32::from(x >> 8) * i32::from(y.cast_signed() >> 8);
        (low + high).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as u16
    })
}

/// The product of fractions, rounded.
#[inline(always)]
pub(super) fn multiply_rounded(a: u128, b: u128) -> u128 {
    map_words(a, b, |x, y| {
        let product = i32::from(x.cast_signed()) * i32::from(y.cast_signed());
        (((product >> 14) + 1) >> 1) as u16
    })
}

/// Bytes of the first chosen by those of the second; zero where one is negative.
#[inline(always)]
pub(super) fn shuffle_bytes(bits: u32, a: u128, b: u128) -> u128 {
    let last = bits / 8 - 1;
    let from = bytes(a);
    let chosen = bytes(b).map(|index| {
        if index & 0x80 == 0 {
            from[usize::from(index) & last as usize]
        } else {
            0
        }
    });
    from_bytes(chosen)
}

/// Lanes of the first, each chosen by a lane of the second.
#[inline(always)]
pub(super) fn permute(lane: Lane, a: u128, b: u128) -> u128 {
    if lane == Lane::Qword {
        let from = qwords(a);
        from_qwords(qwords(b).map(|choice| from[(choice >> 1 & 1) as usize]))
    } else {
        let from = dwords(a);
        from_dwords(dwords(b).map(|choice| from[(choice & 3) as usize]))
    }
}

/// The first above the second, shifted right by bytes.
#[inline(always)]
pub(super) const fn align(bits: u32, a: u128, b: u128, count: u8) -> u128 {
    let (shift, count) = (8 * (count as u32), count as u32);
    if bits == 64 {
        let both = a << 64 | b & u64::MAX as u128;
        return if count < 16 { both >> shift } else { 0 };
    }
    match count {
        0 => b,
        1..16 => b >> shift | a << (128 - shift),
        16..32 => a >> (shift - 128),
        _ => 0,
    }
}

/// Eight sums of absolute differences between four bytes of the second, at a place
/// given by bits 0 and 1, and four of the first, from a place given by bit 2.
#[inline(always)]
pub(super) fn sum_blocks(a: u128, b: u128, immediate: u8) -> u128 {
    let (x, y) = (bytes(a), bytes(b));
    let first = usize::from(immediate >> 2 & 1) * 4;
    let second = usize::from(immediate & 3) * 4;
    let sum = |n: usize| {
        (0..4)
            .map(|k| u16::from(x[first + n + k].abs_diff(y[second + k])))
            .sum()
    };
    from_words(from_fn(sum))
}
