//! What the registers of a case hold unless its instruction wants something special:
//! values from the corners, as a fixed function of a seed.
//!
//! A recording holds only what differs from it, so it must not change; see
//! [`crate::record`] for what to do if it has to.

use crate::case::{Case, Registers, X87};
use crate::random::{Random, hash};

/// CF, PF, AF, ZF, SF, OF and DF.
const FREE_FLAGS: u64 = 0xcd5;
/// Bit 1 and IF, which a user-mode program always sees set.
pub(crate) const FIXED_FLAGS: u64 = 0x202;

/// What the registers of `case` hold before its instruction has a say.
pub(crate) fn registers(case: &Case) -> Registers {
    let mut code = [0; 32];
    let length = case.code.len().min(32);
    code[..length].copy_from_slice(&case.code[..length]);
    let words = code.chunks_exact(8).map(|word| {
        let word: [u8; 8] = word.try_into().unwrap_or_default();
        u64::from_le_bytes(word)
    });
    let mut parts = vec![case.seed, case.offset as u64];
    parts.extend(words);
    filler(hash(&parts))
}

/// Registers made from a seed.
pub(crate) fn filler(seed: u64) -> Registers {
    let mut random = Random::new(seed);
    let mut registers = Registers {
        rflags: random.next() & FREE_FLAGS | FIXED_FLAGS,
        mxcsr: mxcsr(&mut random),
        fs_base: base(&mut random),
        gs_base: base(&mut random),
        x87: x87(&mut random),
        ..Registers::default()
    };
    for register in &mut registers.gpr {
        *register = integer(&mut random);
    }
    for register in &mut registers.ymm {
        let lanes = Lanes::any(&mut random);
        for word in register {
            *word = lanes.word(&mut random);
        }
    }
    registers
}

/// A segment base near the data window.
fn base(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => 0,
        1 => crate::case::DATA + random.below(0x4000),
        2 => random.below(0x1_0000_0000),
        // Canonical, in the lower half.
        _ => random.next() & 0x7fff_ffff_ffff,
    }
}

fn mxcsr(random: &mut Random) -> u32 {
    let any = random.next() as u32;
    match random.below(4) {
        0 => 0x1f80,
        // All masked; rounding, flags, DAZ and FTZ at will.
        1 | 2 => 0x1f80 | any & 0xe07f,
        _ => any & 0xffff,
    }
}

fn x87(random: &mut Random) -> X87 {
    let any = random.next();
    let control = match random.below(4) {
        0 => 0x37f,
        1 | 2 => 0x7f | any as u16 & 0xf00,
        _ => 0x40 | any as u16 & 0xf3f,
    };
    let mut status = (any >> 16) as u16 & 0x7f00;
    if random.one_in(4) {
        status |= (any >> 40) as u16 & 0x7f;
    }
    if !random.one_in(8) {
        // Nothing pending.
        status &= !0x3f | control;
    }
    if status & !control & 0x3f != 0 {
        status |= 0x8080;
    }
    let top = status >> 11 & 7;
    let tag = match random.below(8) {
        0..=2 => 0xff,
        // Room for one more.
        3..=5 => !(1u8 << ((top + 7) & 7)),
        6 => 0,
        _ => (any >> 56) as u8,
    };
    let mut unit = X87 {
        control,
        status,
        tag,
        ..X87::default()
    };
    for register in &mut unit.st {
        *register = extended(random);
    }
    unit
}

/// An integer of any width from the corners.
pub(crate) fn integer(random: &mut Random) -> u64 {
    let any = random.next();
    let bit = random.below(64);
    let power = 1u64 << bit;
    match random.below(16) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => power,
        4 => power - 1,
        5 => power.wrapping_neg(),
        // The greatest and the least number of some width, and their neighbours.
        6 => (0x80u64 << random.pick(&[0, 8, 24, 56]))
            .wrapping_add(any % 3)
            .wrapping_sub(1),
        7 => 0x5555_5555_5555_5555 ^ (any & 1).wrapping_neg(),
        8 | 9 => any % 70,
        10 => (any % 70).wrapping_neg(),
        11 => any & 0xffff_ffff,
        12 => u64::from(any as u8) * 0x0101_0101_0101_0101,
        _ => any,
    }
}

/// A single-precision number from the corners.
pub(crate) fn single(random: &mut Random) -> u32 {
    let any = random.next() as u32;
    let sign = any & 0x8000_0000;
    let magnitude = match random.below(16) {
        0 => 0,
        1 => 0x3f80_0000,
        2 => 0x7f80_0000,
        // Quiet and signalling NaNs with a payload.
        3 => 0x7fc0_0000 | any & 0x3f_ffff,
        4 => 0x7f80_0001 | any & 0x3f_ffff,
        5 => random.pick(&[1, 2, 0x7f_fffe, 0x7f_ffff]),
        6 => any & 0x7f_ffff,
        7 => random.pick(&[
            0x0080_0000,
            0x0080_0001,
            0x7f7f_ffff,
            0x3f7f_ffff,
            0x3f80_0001,
        ]),
        // Around the ends of the integers.
        8 => random.pick(&[
            0x4f00_0000,
            0x4eff_ffff,
            0x5f00_0000,
            0x4f80_0000,
            0x5f80_0000,
        ]),
        // Small integers and halves.
        9 | 10 => (((any & 0x3ff) as f32) / 2.0).to_bits(),
        11..=13 => 0x3800_0000 + (any & 0x0fff_ffff),
        _ => any & 0x7fff_ffff,
    };
    sign | magnitude
}

/// A double-precision number from the corners.
pub(crate) fn double(random: &mut Random) -> u64 {
    let any = random.next();
    let sign = any & 1 << 63;
    let fraction = any & 0xf_ffff_ffff_ffff;
    let magnitude = match random.below(16) {
        0 => 0,
        1 => 0x3ff0_0000_0000_0000,
        2 => 0x7ff0_0000_0000_0000,
        3 => 0x7ff8_0000_0000_0000 | fraction >> 1,
        4 => 0x7ff0_0000_0000_0001 | fraction >> 1,
        5 => random.pick(&[1, 2, 0xf_ffff_ffff_fffe, 0xf_ffff_ffff_ffff]),
        6 => fraction,
        7 => random.pick(&[
            0x0010_0000_0000_0000,
            0x0010_0000_0000_0001,
            0x7fef_ffff_ffff_ffff,
            0x3fef_ffff_ffff_ffff,
            0x3ff0_0000_0000_0001,
        ]),
        8 => random.pick(&[
            0x41e0_0000_0000_0000,
            0x41df_ffff_ffc0_0000,
            0x43e0_0000_0000_0000,
            0x43df_ffff_ffff_ffff,
            0x41ef_ffff_ffe0_0000,
            0x47ef_ffff_e000_0000,
            0x47ef_ffff_f000_0000,
            0x380f_ffff_ffff_ffff,
            0x36a0_0000_0000_0000,
        ]),
        9 | 10 => (((any & 0xf_ffff) as f64) / 2.0).to_bits(),
        // Near one, and what single precision can hold.
        11 | 12 => 0x3f80_0000_0000_0000 + (any & 0xff_ffff_ffff_ffff),
        13 => f64::from(f32::from_bits(single(random) & 0x7fff_ffff)).to_bits(),
        _ => any & !(1 << 63),
    };
    sign | magnitude
}

/// An extended-precision number from the corners, formats no arithmetic makes included.
pub(crate) fn extended(random: &mut Random) -> u128 {
    const INTEGER: u64 = 1 << 63;
    let any = random.next();
    let sign = (random.next() as u16) & 0x8000;
    let (exponent, significand) = match random.below(24) {
        0 => (0, 0),
        1 => (0x3fff, INTEGER),
        2 => (0x7fff, INTEGER),
        3 => (0x7fff, 0xc000_0000_0000_0000 | any),
        4 => (0x7fff, INTEGER | any >> 2 | 1),
        // Denormals and pseudo-denormals.
        5 => (0, random.pick(&[1, 2, INTEGER - 1, INTEGER - 2])),
        6 => (0, any >> 1),
        7 => (0, INTEGER | any),
        // Unnormals, pseudo-infinity and pseudo-NaNs.
        8 => (random.next() as u16 & 0x7fff, any >> 1),
        9 => (0x7fff, any >> 1),
        10 => (0x7fff, 0),
        // The ends of the range.
        11 => (1, INTEGER | random.pick(&[0, 1])),
        12 => (
            0x7ffe,
            random.pick(&[u64::MAX, INTEGER, u64::MAX << 11, u64::MAX << 40]),
        ),
        // Around the ends of the integers, and what single and double can hold.
        13 => (
            0x3fff + random.pick(&[14, 15, 30, 31, 62, 63, 64]),
            INTEGER | any & random.pick(&[0, 1, u64::MAX]),
        ),
        14 => (0x3fff + 63, any | INTEGER),
        15 => (
            0x3fff,
            random.pick(&[u64::MAX, INTEGER + 1, INTEGER | 1 << 39, INTEGER | 1 << 10]),
        ),
        16 | 17 => {
            let integer = any % 4096 + 1;
            let zeros = integer.leading_zeros();
            (0x3fff + 63 - zeros as u16, integer << zeros)
        }
        18..=20 => (0x3fe0 + (random.next() as u16 & 0x3f), any | INTEGER),
        21 => (
            random.pick(&[
                0x3c00, 0x3c01, 0x43fe, 0x43ff, 0x3f80, 0x3f81, 0x407e, 0x407f,
            ]),
            any | INTEGER,
        ),
        _ => (random.next() as u16 & 0x7fff, any | INTEGER),
    };
    u128::from(sign | exponent) << 64 | u128::from(significand)
}

/// What the lanes of a vector hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lanes {
    Singles,
    Doubles,
    Integers,
    Bytes,
}

impl Lanes {
    pub(crate) fn any(random: &mut Random) -> Self {
        random.pick(&[Self::Singles, Self::Doubles, Self::Integers, Self::Bytes])
    }

    /// Eight bytes of them.
    pub(crate) fn word(self, random: &mut Random) -> u64 {
        match self {
            Self::Singles => u64::from(single(random)) | u64::from(single(random)) << 32,
            Self::Doubles => double(random),
            Self::Integers => integer(random),
            Self::Bytes => {
                let any = random.next();
                // Each byte as it came, or the least, the greatest, minus one or zero.
                let choice = random.next();
                (0..8).fold(0, |word, byte| {
                    let value = match choice >> (8 * byte) & 7 {
                        0 => 0,
                        1 => 0x80,
                        2 => 0x7f,
                        3 => 0xff,
                        _ => any >> (8 * byte) & 0xff,
                    };
                    word | value << (8 * byte)
                })
            }
        }
    }
}
