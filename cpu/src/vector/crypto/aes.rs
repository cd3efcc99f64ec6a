//! The steps of AES (FIPS 197). Byte `r + 4 * c` of a vector is row `r` of column `c`.

use std::array::from_fn;

/// Twice a byte in the field of AES.
const fn double(x: u8) -> u8 {
    x << 1 ^ if x & 0x80 == 0 { 0 } else { 0x1b }
}

/// The substitution: the inverse in the field, then an affine map (FIPS 197, 5.1.1).
const SUBSTITUTE: [u8; 256] = {
    // Three generates the field, so powers give inverses.
    let mut powers = [0; 255];
    let mut power = 1;
    let mut n = 0;
    while n < 255 {
        powers[n] = power;
        power ^= double(power);
        n += 1;
    }
    let mut table = [0x63; 256];
    n = 0;
    while n < 255 {
        let x = powers[(255 - n) % 255];
        let turned = x.rotate_left(1) ^ x.rotate_left(2) ^ x.rotate_left(3) ^ x.rotate_left(4);
        table[powers[n] as usize] = 0x63 ^ x ^ turned;
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

/// Columns multiplied by `3x³ + x² + x + 2`.
pub(in super::super) fn mix(state: u128) -> u128 {
    by_column(state, |[a, b, c, d]| {
        let all = a ^ b ^ c ^ d;
        [
            a ^ all ^ double(a ^ b),
            b ^ all ^ double(b ^ c),
            c ^ all ^ double(c ^ d),
            d ^ all ^ double(d ^ a),
        ]
    })
}

/// Columns multiplied by the inverse of that.
pub(in super::super) fn inverse_mix(state: u128) -> u128 {
    // The inverse is the polynomial itself times 4x² + 5.
    mix(by_column(state, |[a, b, c, d]| {
        let even = double(double(a ^ c));
        let odd = double(double(b ^ d));
        [a ^ even, b ^ odd, c ^ even, d ^ odd]
    }))
}

fn by_column(state: u128, f: impl Fn([u8; 4]) -> [u8; 4]) -> u128 {
    let mut state = state.to_le_bytes();
    let (columns, _) = state.as_chunks_mut::<4>();
    for column in columns {
        *column = f(*column);
    }
    u128::from_le_bytes(state)
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
