//! An instruction up to its displacement (SDM 2A, 2.1), put together in one word.

use super::{Mem, NO_BASE, RSP, Reg, is_high};

/// The first bytes of an instruction, up to the displacement: eight at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    pub(super) bytes: u64,
    pub(super) length: u32,
}

impl Head {
    /// An opcode.
    #[inline(always)]
    pub(super) fn of(opcode: &[u8]) -> Self {
        let mut head = Self::default();
        for &byte in opcode {
            head.byte(byte);
        }
        head
    }

    #[inline(always)]
    pub(super) fn byte(&mut self, byte: u8) {
        self.append(Self {
            bytes: u64::from(byte),
            length: 1,
        });
    }

    #[inline(always)]
    pub(super) fn append(&mut self, other: Self) {
        self.bytes |= other.bytes << (8 * self.length);
        self.length += other.length;
    }

    /// ModRM and SIB; how many bytes the displacement takes behind them.
    #[inline(always)]
    pub(super) fn memory(&mut self, reg: u8, mem: Mem) -> usize {
        let base = mem.base & 7;
        let (form, displacement) = if mem.base == NO_BASE {
            (0x00, 4)
        } else if mem.disp == 0 && base != 5 {
            (0x00, 0)
        } else if i8::try_from(mem.disp).is_ok() {
            (0x40, 1)
        } else {
            (0x80, 4)
        };
        match mem.index {
            Some((index, scale)) => {
                debug_assert!(index != RSP, "RSP is no index");
                self.byte(form | reg | 4);
                self.byte(scale << 6 | (index & 7) << 3 | base);
            }
            None if base == 4 => {
                self.byte(form | reg | 4);
                self.byte(0x24);
            }
            None => self.byte(form | reg | base),
        }
        displacement
    }
}

/// A register's three bits in ModRM.
#[inline(always)]
pub(super) const fn low(register: Reg) -> u8 {
    if is_high(register) {
        4 | register & 3
    } else {
        register & 7
    }
}
