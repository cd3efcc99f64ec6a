//! Arithmetic in the field of 256 elements, and products without carries (SDM 1, 12.13.4;
//! SDM 2, GF2P8MULB, GF2P8AFFINEQB, GF2P8AFFINEINVQB, PCLMULQDQ).

/// Twice a byte in the field, whose polynomial is `x⁸ + x⁴ + x³ + x + 1`.
const fn double(x: u8) -> u8 {
    x << 1 ^ if x & 0x80 == 0 { 0 } else { 0x1b }
}

/// The product of two bytes in the field.
pub(super) const fn product(a: u8, b: u8) -> u8 {
    let (mut a, mut sum, mut n) = (a, 0, 0);
    while n < 8 {
        if b >> n & 1 != 0 {
            sum ^= a;
        }
        a = double(a);
        n += 1;
    }
    sum
}

/// The inverse of each byte in the field; zero has itself.
pub(super) const INVERSE: [u8; 256] = {
    // Three generates the field, so powers give inverses.
    let mut powers = [0; 255];
    let mut power = 1;
    let mut n = 0;
    while n < 255 {
        powers[n] = power;
        power ^= double(power);
        n += 1;
    }
    let mut table = [0; 256];
    n = 0;
    while n < 255 {
        table[powers[n] as usize] = powers[(255 - n) % 255];
        n += 1;
    }
    table
};

/// Products of bytes, lane by lane.
pub(super) fn products(a: u128, b: u128) -> u128 {
    let (mut a, b) = (a.to_le_bytes(), b.to_le_bytes());
    for (a, b) in a.iter_mut().zip(b) {
        *a = product(*a, b);
    }
    u128::from_le_bytes(a)
}

/// The inverses of bytes.
pub(super) fn inverses(a: u128) -> u128 {
    let bytes = a.to_le_bytes();
    u128::from_le_bytes(bytes.map(|byte| INVERSE[usize::from(byte)]))
}

/// Each byte times the bit matrix in its qword of `matrices`, plus a constant. Bit `i` of a
/// product is the parity of the byte and row `7 - i`.
pub(super) fn affine(a: u128, matrices: u128, constant: u8) -> u128 {
    let (mut bytes, matrices) = (a.to_le_bytes(), matrices.to_le_bytes());
    let (matrices, _) = matrices.as_chunks::<8>();
    let (qwords, _) = bytes.as_chunks_mut::<8>();
    for (qword, matrix) in qwords.iter_mut().zip(matrices) {
        for byte in qword {
            let bit = |i: usize| ((matrix[7 - i] & *byte).count_ones() as u8 & 1) << i;
            *byte = (0..8).fold(constant, |sum, i| sum ^ bit(i));
        }
    }
    u128::from_le_bytes(bytes)
}

/// Every fifth bit.
const FIFTHS: u64 = 0x1084_2108_4210_8421;

/// The product without carries.
///
/// Ordinary products do it, of operands with four zeros between their bits: at most thirteen
/// bits meet in a place, and their count does not reach the next place that matters.
pub(super) fn carryless_product(a: u64, b: u64) -> u128 {
    // Bits that are `n` modulo five; the mask starts anew at bit 60.
    let part = |value: u64, n: u32| u128::from(value & (FIFTHS << n));
    let places = u128::from(FIFTHS) | u128::from(FIFTHS) << 65;
    let mut result = 0;
    for i in 0..5 {
        let mut sum = 0;
        for j in 0..5 {
            sum ^= part(a, j) * part(b, (5 + i - j) % 5);
        }
        result ^= sum & places << i;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{INVERSE, affine, carryless_product, product};
    use proptest::prelude::*;

    /// Bit by bit, as the manual has it.
    fn by_the_book(a: u64, b: u64) -> u128 {
        (0..64)
            .filter(|n| b >> n & 1 != 0)
            .fold(0, |sum, n| sum ^ u128::from(a) << n)
    }

    proptest! {
        #[test]
        fn products_have_no_carries(a: u64, b: u64) {
            prop_assert_eq!(carryless_product(a, b), by_the_book(a, b));
        }
    }

    #[test]
    fn the_greatest_products_fit() {
        for a in [u64::MAX, 1 << 63, super::FIFTHS, super::FIFTHS << 4] {
            for b in [u64::MAX, 1 << 63, 1, super::FIFTHS] {
                assert_eq!(carryless_product(a, b), by_the_book(a, b), "{a:x} {b:x}");
            }
        }
    }

    #[test]
    fn inverses_are_inverse() {
        assert_eq!(INVERSE[0], 0);
        for x in 1..=255u8 {
            assert_eq!(product(x, INVERSE[usize::from(x)]), 1);
        }
        // FIPS 197, 4.2: {57} times {83} is {c1}.
        assert_eq!(product(0x57, 0x83), 0xc1);
    }

    #[test]
    fn the_unit_matrix_changes_nothing_but_adds() {
        let unit = 0x0102_0408_1020_4080;
        let a = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        assert_eq!(affine(a, unit << 64 | unit, 0), a);
        assert_eq!(affine(a, unit << 64 | unit, 0xff), !a);
    }
}
