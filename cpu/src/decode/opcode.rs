//! How many bytes a processor wants to see before it finds an opcode undefined
//! (SDM 2A, chapter 2; what is undefined, the manual does not say: Intel's do it so).

/// Whether `bytes`, the beginning of an instruction, are all of an undefined one: in
/// 64-bit mode with operands and immediate, of which processors find the end before
/// they look what it is; else up to the opcode.
pub(super) fn is_whole(is_64_bit: bool, bytes: &[u8]) -> bool {
    let is_prefix = |byte: u8| match byte {
        0x66 | 0x67 | 0xf0 | 0xf2 | 0xf3 | 0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 => true,
        0x40..=0x4f => is_64_bit,
        _ => false,
    };
    let Some(start) = bytes.iter().position(|&byte| !is_prefix(byte)) else {
        return false;
    };
    let (prefixes, opcode) = bytes.split_at(start);
    // Outside of 64-bit mode VEX and EVEX are register forms of LES, LDS and BOUND.
    let is_vector = |second: &u8| is_64_bit || second & 0xc0 == 0xc0;
    let (rest, tail) = match opcode {
        [0x0f | 0xc4 | 0xc5 | 0x62 | 0x8f] | [0x0f, 0x38..=0x3f] => return false,
        [0x0f, 0x3a, rest @ ..] => (rest, Tail::operands(1)),
        // The others of these are escapes too, if to nothing.
        [0x0f, 0x38..=0x3f, rest @ ..] => (rest, Tail::operands(0)),
        [0x0f, rest @ ..] => (rest, Tail::of_two_bytes(rest[0])),
        [0xc5, second, rest @ ..] if is_vector(second) => (rest, Tail::of_vex(1, rest)),
        [0xc4, second, _, rest @ ..] if is_vector(second) && matches!(second & 0x1f, 1..=3) => {
            (rest, Tail::of_vex(second & 0x1f, rest))
        }
        [0xc4, second, ..] if is_vector(second) => return !matches!(second & 0x1f, 1..=3),
        [0x62, second, rest @ ..] if is_vector(second) => {
            return rest.len() >= 3 || !matches!(second & 15, 1..=3 | 5 | 6);
        }
        // XOP; with a map below 8 it is POP.
        [0x8f, second, rest @ ..] if second & 0x1f >= 8 => return rest.len() >= 2,
        rest => (rest, Tail::of_one_byte(rest[0], prefixes)),
    };
    match rest.split_first() {
        None => false,
        Some((_, rest)) => !is_64_bit || tail.fits(rest),
    }
}

/// What follows an opcode.
#[derive(Clone, Copy)]
struct Tail {
    has_modrm: bool,
    /// ModRM means a register, whatever its mod field.
    ignores_mode: bool,
    immediate: usize,
}

impl Tail {
    const NONE: Self = Self {
        has_modrm: false,
        ignores_mode: false,
        immediate: 0,
    };

    const fn operands(immediate: usize) -> Self {
        Self {
            has_modrm: true,
            immediate,
            ..Self::NONE
        }
    }

    /// Of the opcodes that may be undefined.
    fn of_one_byte(opcode: u8, prefixes: &[u8]) -> Self {
        let word_or_dword = if prefixes.contains(&0x66) { 2 } else { 4 };
        match opcode {
            0x82 | 0xc6 => Self::operands(1),
            0xc7 => Self::operands(word_or_dword),
            0x8c..=0x8f | 0xd8..=0xdf | 0xfe | 0xff => Self::operands(0),
            0xd4 | 0xd5 => Self {
                immediate: 1,
                ..Self::NONE
            },
            0x9a | 0xea => Self {
                immediate: word_or_dword + 2,
                ..Self::NONE
            },
            _ => Self::NONE,
        }
    }

    fn of_two_bytes(opcode: u8) -> Self {
        match opcode {
            0x04..=0x0c
            | 0x0e
            | 0x0f
            | 0x24..=0x27
            | 0x30..=0x37
            | 0x77
            | 0xa0..=0xa2
            | 0xa8..=0xaa
            | 0xc8..=0xcf => Self::NONE,
            // MOV of control and debug registers.
            0x20..=0x23 => Self {
                ignores_mode: true,
                ..Self::operands(0)
            },
            0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => Self::operands(1),
            _ => Self::operands(0),
        }
    }

    fn of_vex(map: u8, rest: &[u8]) -> Self {
        match (map, rest.first()) {
            (1, Some(&opcode)) if opcode == 0x77 || opcode & 0xf0 == 0x70 => {
                Self::of_two_bytes(opcode)
            }
            // As long as the branch that it is without VEX.
            (1, Some(0x80..=0x8f)) => Self::operands(4),
            (1, Some(0xc2 | 0xc4..=0xc6)) | (3, _) => Self::operands(1),
            _ => Self::operands(0),
        }
    }

    /// Whether `bytes`, which follow the opcode, are enough.
    fn fits(self, bytes: &[u8]) -> bool {
        if !self.has_modrm {
            return bytes.len() >= self.immediate;
        }
        let Some((modrm, rest)) = bytes.split_first() else {
            return false;
        };
        let mode = if self.ignores_mode { 3 } else { modrm >> 6 };
        let rm = modrm & 7;
        let has_sib = mode != 3 && rm == 4;
        let base = if has_sib {
            let Some(sib) = rest.first() else {
                return false;
            };
            sib & 7
        } else {
            rm
        };
        let displacement = match mode {
            0 if base == 5 => 4,
            1 => 1,
            2 => 4,
            _ => 0,
        };
        rest.len() >= usize::from(has_sib) + displacement + self.immediate
    }
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn prefixes_and_escapes_are_no_opcode() {
        for bytes in [
            &[][..],
            &[0x66],
            &[0xf0, 0x48],
            &[0x0f],
            &[0x41, 0x0f, 0x3a],
            &[0x0f, 0x38],
            &[0xc4],
            &[0xc4, 0xc1, 0x59],
            &[0xc5, 0xf8],
            &[0x62, 0xf1, 0x7c, 0x48],
            &[0x8f, 0xe8, 0x78],
        ] {
            assert!(!is_whole(true, bytes), "{bytes:02x?}");
        }
        for bytes in [&[0x06][..], &[0x0f, 0x04], &[0x8f, 0xc0], &[0x48, 0x8b]] {
            assert!(is_whole(true, bytes), "{bytes:02x?}");
        }
        // LES, INC; with operands or without.
        assert!(is_whole(false, &[0xc4, 0x00]));
        assert!(is_whole(false, &[0x40]));
    }

    #[test]
    fn undefined_opcodes_of_the_newer_maps_have_operands() {
        for bytes in [
            &[0x4c, 0x0f, 0x38, 0x85][..],
            &[0x0f, 0x3a, 0xff],
            &[0x0f, 0x3a, 0xff, 0xc0],
            &[0x0f, 0x38, 0x85, 0x44, 0x00],
            &[0xc4, 0x43, 0xf2],
            &[0xc5, 0xf8, 0x04],
            &[0x0f, 0x3d],
            &[0x0f, 0xba, 0xc0],
            &[0xfe, 0x95, 0, 0, 0],
            &[0xd4],
        ] {
            assert!(!is_whole(true, bytes), "{bytes:02x?}");
        }
        for bytes in [
            &[0x0f, 0x38, 0x85, 0xc0][..],
            &[0x0f, 0x3a, 0xff, 0xc0, 0],
            &[0x0f, 0x38, 0x85, 0x44, 0x00, 0x01],
            &[0x0f, 0x38, 0x85, 0x05, 0, 0, 0, 0],
            &[0xc4, 0x43, 0x79, 0xf2, 0xc0, 0],
            &[0x0f, 0x22, 0x3d],
            &[0xc4, 0x20],
            &[0x62, 0x20],
        ] {
            assert!(is_whole(true, bytes), "{bytes:02x?}");
        }
    }
}
