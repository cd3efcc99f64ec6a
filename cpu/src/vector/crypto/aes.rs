//! The steps of AES (FIPS 197). Byte `r + 4 * c` of a vector is row `r` of column `c`.

use std::array::from_fn;

use super::galois::{INVERSE, product};

/// The substitution: the inverse in the field, then an affine map (FIPS 197, 5.1.1).
const SUBSTITUTE: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let x = INVERSE[n];
        let turned = x.rotate_left(1) ^ x.rotate_left(2) ^ x.rotate_left(3) ^ x.rotate_left(4);
        table[n] = 0x63 ^ x ^ turned;
        n += 1;
    }
    table
};

/// Its inverse.
const RESTORE: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        table[SUBSTITUTE[n] as usize] = n as u8;
        n += 1;
    }
    table
};

/// Rows shifted left, bytes substituted.
pub(in super::super) fn encrypt(state: u128) -> u128 {
    let state = state.to_le_bytes();
    let byte = |n: usize| SUBSTITUTE[usize::from(state[(n + 4 * (n % 4)) % 16])];
    u128::from_le_bytes(from_fn(byte))
}

/// Rows shifted right, bytes restored.
pub(in super::super) fn decrypt(state: u128) -> u128 {
    let state = state.to_le_bytes();
    let byte = |n: usize| RESTORE[usize::from(state[(n + 12 * (n % 4)) % 16])];
    u128::from_le_bytes(from_fn(byte))
}

/// What a byte of row 0 gives to its column when columns are multiplied by a polynomial,
/// coefficients by rows. A byte of row `r` gives the same, `r` rows further.
const fn shares(bytes: &[u8; 256], polynomial: [u8; 4]) -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let x = bytes[n];
        let [a, b, c, d] = polynomial;
        table[n] = u32::from_le_bytes([product(x, a), product(x, b), product(x, c), product(x, d)]);
        n += 1;
    }
    table
}

const IDENTITY: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        table[n] = n as u8;
        n += 1;
    }
    table
};

/// MixColumns multiplies by `3x³ + x² + x + 2` (FIPS 197, 5.1.3), its inverse by
/// `bx³ + dx² + 9x + e` (5.3.3).
const INVERSE_MIX: [u8; 4] = [14, 9, 13, 11];
static ENCRYPT: [u32; 256] = shares(&SUBSTITUTE, [2, 1, 1, 3]);
static DECRYPT: [u32; 256] = shares(&RESTORE, INVERSE_MIX);
static UNMIX: [u32; 256] = shares(&IDENTITY, INVERSE_MIX);

/// Each column the sum of what the bytes of its rows give, row `r` taken `shift * r` columns
/// further.
#[inline(always)]
fn columns(state: u128, table: &[u32; 256], shift: usize) -> u128 {
    let state = state.to_le_bytes();
    let column = |c: usize| {
        let share = |r: usize| {
            let byte = state[r + 4 * ((c + shift * r) % 4)];
            table[usize::from(byte)].rotate_left(8 * r as u32)
        };
        share(0) ^ share(1) ^ share(2) ^ share(3)
    };
    (0..4).fold(0, |all, c| all | u128::from(column(c)) << (32 * c))
}

/// Rows shifted left, bytes substituted, columns mixed.
pub(in super::super) fn encrypt_round(state: u128) -> u128 {
    columns(state, &ENCRYPT, 1)
}

/// Rows shifted right, bytes restored, columns unmixed.
pub(in super::super) fn decrypt_round(state: u128) -> u128 {
    columns(state, &DECRYPT, 3)
}

/// Columns unmixed.
pub(in super::super) fn inverse_mix(state: u128) -> u128 {
    columns(state, &UNMIX, 0)
}

/// Dwords 1 and 3 substituted, as they are and rotated with a constant.
pub(in super::super) fn key(value: u128, constant: u8) -> u128 {
    let pair = |n: u32| {
        let bytes = ((value >> n) as u32).to_le_bytes();
        let plain = u32::from_le_bytes(bytes.map(|byte| SUBSTITUTE[usize::from(byte)]));
        let turned = plain.rotate_right(8) ^ u32::from(constant);
        u128::from(plain) | u128::from(turned) << 32
    };
    pair(32) | pair(96) << 64
}
