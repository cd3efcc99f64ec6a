//! A sector as it is on the disc: mode 1 of ECMA-130, sections 14 to 16 and
//! annex A. Images hold the user data only; the rest is made from it.

use std::ops::Range;

/// Bytes in a sector on the disc.
const BYTES: usize = 2352;

/// Where its parts are.
pub(super) const SYNC: Range<usize> = 0..12;
pub(super) const HEADER: Range<usize> = 12..16;
pub(super) const USER: Range<usize> = 16..2064;
/// Error detection, eight zeros, and the P and Q parities.
pub(super) const EDC_AND_ECC: Range<usize> = 2064..BYTES;
const EDC: Range<usize> = 2064..2068;

/// Words that P protects, and those that Q does, counted from the header on.
const P_WORDS: usize = 24 * P_COLUMNS;
const Q_WORDS: usize = 26 * P_COLUMNS;
const P_COLUMNS: usize = 43;
const Q_DIAGONALS: usize = 26;

/// The sector `frame`, counted from 00:00:00, that holds `user`.
pub(super) fn raw_sector(frame: u32, user: &[u8]) -> [u8; BYTES] {
    let mut raw = [0; BYTES];
    raw[SYNC].fill(0xff);
    raw[SYNC.start] = 0;
    raw[SYNC.end - 1] = 0;
    let [minute, second, frame] = minute_second_frame(frame).map(binary_coded_decimal);
    raw[HEADER].copy_from_slice(&[minute, second, frame, 1]);
    for (byte, &data) in raw[USER].iter_mut().zip(user) {
        *byte = data;
    }
    let edc = error_detection_code(&raw[..EDC.start]);
    raw[EDC].copy_from_slice(&edc.to_le_bytes());
    add_parity(&mut raw);
    raw
}

/// Minutes, seconds and frames of a count of frames; minutes end at 255.
pub(super) fn minute_second_frame(frames: u32) -> [u8; 3] {
    let minute = (frames / (60 * 75)).min(255);
    let second = frames / 75 % 60;
    let frame = frames % 75;
    [minute as u8, second as u8, frame as u8]
}

const fn binary_coded_decimal(number: u8) -> u8 {
    ((number / 10 % 10) << 4) | (number % 10)
}

/// The remainder of (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1), lowest bit
/// first.
fn error_detection_code(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |code, &byte| {
        let mixed = code ^ u32::from(byte);
        (0..8).fold(mixed, |rest, _| {
            let carry = rest & 1 != 0;
            rest >> 1 ^ if carry { 0xd801_8001 } else { 0 }
        })
    })
}

/// Fills in P, then Q, which protects P too. Each is computed for the low and
/// for the high bytes of words by themselves.
fn add_parity(raw: &mut [u8; BYTES]) {
    for plane in 0..2 {
        let at = |word: usize| HEADER.start + 2 * word + plane;
        for column in 0..P_COLUMNS {
            let words = (0..24).map(|row| P_COLUMNS * row + column);
            let [first, second] = parity(words.map(|word| raw[at(word)]));
            raw[at(P_WORDS + column)] = first;
            raw[at(P_WORDS + P_COLUMNS + column)] = second;
        }
        for diagonal in 0..Q_DIAGONALS {
            let words = (0..43).map(|row| (44 * row + 43 * diagonal) % Q_WORDS);
            let [first, second] = parity(words.map(|word| raw[at(word)]));
            raw[at(Q_WORDS + diagonal)] = first;
            raw[at(Q_WORDS + Q_DIAGONALS + diagonal)] = second;
        }
    }
}

/// The two bytes that make the sum of a vector zero, and also the sum weighted
/// with falling powers of 2, the last byte's being 1: over GF(2^8) with
/// x^8 + x^4 + x^3 + x^2 + 1.
fn parity(bytes: impl Iterator<Item = u8>) -> [u8; 2] {
    /// The inverse of 3.
    const ONE_THIRD: u8 = 0xf4;
    let (mut sum, mut weighted) = (0, 0);
    for byte in bytes {
        sum ^= byte;
        weighted = double(weighted ^ byte);
    }
    let first = multiply(sum ^ double(weighted), ONE_THIRD);
    [first, sum ^ first]
}

const fn double(byte: u8) -> u8 {
    byte << 1 ^ if byte & 0x80 != 0 { 0x1d } else { 0 }
}

fn multiply(a: u8, b: u8) -> u8 {
    let (product, _) = (0..8).fold((0, a), |(product, power), bit| {
        let term = if b >> bit & 1 != 0 { power } else { 0 };
        (product ^ term, double(power))
    });
    product
}

#[cfg(test)]
mod tests {
    use super::{HEADER, Q_WORDS, double, error_detection_code, multiply, raw_sector};

    fn power(exponent: usize) -> u8 {
        (0..exponent).fold(1, |power, _| double(power))
    }

    /// Both check sums of a vector, with the weights written out.
    fn syndromes(bytes: &[u8]) -> (u8, u8) {
        let sum = bytes.iter().fold(0, |sum, byte| sum ^ byte);
        let weighted = bytes.iter().rev().enumerate();
        let weighted = weighted.fold(0, |sum, (index, &byte)| sum ^ multiply(byte, power(index)));
        (sum, weighted)
    }

    #[test]
    fn every_p_and_q_vector_checks() {
        let user: Vec<u8> = (0..2048u32)
            .map(|index| ((index * index) >> 3) as u8)
            .collect();
        let raw = raw_sector(16 + 150, &user);
        let at = |word: usize, plane: usize| raw[HEADER.start + 2 * word + plane];
        for plane in 0..2 {
            for column in 0..43 {
                let vector: Vec<u8> = (0..26).map(|row| at(43 * row + column, plane)).collect();
                assert_eq!(syndromes(&vector), (0, 0), "P {column}");
            }
            for diagonal in 0..26 {
                let words = (0..43).map(|row| (44 * row + 43 * diagonal) % Q_WORDS);
                let parity = [Q_WORDS + diagonal, Q_WORDS + 26 + diagonal];
                let vector: Vec<u8> = words.chain(parity).map(|word| at(word, plane)).collect();
                assert_eq!(syndromes(&vector), (0, 0), "Q {diagonal}");
            }
        }
    }

    #[test]
    fn the_header_and_code_are_in_place() {
        let raw = raw_sector(75 * 60 * 12 + 75 * 34 + 56, &[7; 2048]);
        assert_eq!(
            raw[..12],
            [0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0]
        );
        assert_eq!(raw[12..16], [0x12, 0x34, 0x56, 1]);
        assert_eq!(error_detection_code(&raw[..2068]), 0, "the code of itself");
    }
}
