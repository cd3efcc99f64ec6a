//! The steps of SHA-1 and SHA-256 (FIPS 180-4, 6.1.2 and 6.2.2).

use super::super::lanes::{dwords, from_dwords};

const fn choose(x: u32, y: u32, z: u32) -> u32 {
    x & y ^ !x & z
}

const fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y ^ x & z ^ y & z
}

/// Four rounds of SHA-1 on A to D, highest first; E is in the highest dword of `words`.
pub(in super::super) fn sha1_rounds(state: u128, words: u128, function: u8) -> u128 {
    let [mut d, mut c, mut b, mut a] = dwords(state);
    let mut e = 0;
    for word in dwords(words).into_iter().rev() {
        let (mixed, constant) = match function & 3 {
            0 => (choose(b, c, d), 0x5a82_7999),
            1 => (b ^ c ^ d, 0x6ed9_eba1),
            2 => (majority(b, c, d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let next = [mixed, word, e, constant]
            .into_iter()
            .fold(a.rotate_left(5), u32::wrapping_add);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    from_dwords([d, c, b, a])
}

/// E of the next four rounds, added to their first word.
pub(in super::super) fn sha1_next_e(state: u128, words: u128) -> u128 {
    let [w3, w2, w1, w0] = dwords(words);
    let e = dwords(state)[3].rotate_left(30);
    from_dwords([w3, w2, w1, w0.wrapping_add(e)])
}

/// The schedule of SHA-1 without its last two terms.
pub(in super::super) fn sha1_schedule1(first: u128, second: u128) -> u128 {
    let [w3, w2, w1, w0] = dwords(first);
    let [_, _, w5, w4] = dwords(second);
    from_dwords([w5 ^ w3, w4 ^ w2, w3 ^ w1, w2 ^ w0])
}

/// The schedule of SHA-1 finished.
pub(in super::super) fn sha1_schedule2(partial: u128, latest: u128) -> u128 {
    let [p3, p2, p1, p0] = dwords(partial);
    let [w15, w14, w13, _] = dwords(latest);
    let w16 = (p0 ^ w13).rotate_left(1);
    let w17 = (p1 ^ w14).rotate_left(1);
    let w18 = (p2 ^ w15).rotate_left(1);
    let w19 = (p3 ^ w16).rotate_left(1);
    from_dwords([w19, w18, w17, w16])
}

/// Two rounds of SHA-256; words and constants are already added.
pub(in super::super) fn sha256_rounds(cdgh: u128, abef: u128, words: u128) -> u128 {
    let [mut h, mut g, mut d, mut c] = dwords(cdgh);
    let [mut f, mut e, mut b, mut a] = dwords(abef);
    for word in &dwords(words)[..2] {
        let sum = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let first = [h, sum, *word]
            .into_iter()
            .fold(choose(e, f, g), u32::wrapping_add);
        let sum = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let second = sum.wrapping_add(majority(a, b, c));
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(second));
    }
    from_dwords([f, e, b, a])
}

/// The schedule of SHA-256: four words and the small sums of their successors.
pub(in super::super) fn sha256_schedule1(first: u128, second: u128) -> u128 {
    let small = |x: u32| x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3;
    let [w0, w1, w2, w3] = dwords(first);
    let w4 = dwords(second)[0];
    let sums = [(w0, w1), (w1, w2), (w2, w3), (w3, w4)];
    from_dwords(sums.map(|(word, next)| word.wrapping_add(small(next))))
}

/// The schedule of SHA-256 finished.
pub(in super::super) fn sha256_schedule2(partial: u128, latest: u128) -> u128 {
    let small = |x: u32| x.rotate_right(17) ^ x.rotate_right(19) ^ x >> 10;
    let [p0, p1, p2, p3] = dwords(partial);
    let [_, _, w14, w15] = dwords(latest);
    let w16 = p0.wrapping_add(small(w14));
    let w17 = p1.wrapping_add(small(w15));
    let w18 = p2.wrapping_add(small(w16));
    let w19 = p3.wrapping_add(small(w17));
    from_dwords([w16, w17, w18, w19])
}
