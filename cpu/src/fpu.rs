//! The x87 unit's registers, which MMX shares (SDM 1, 8.1 and 9.2).

use crate::float::F80;

/// The x87 unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Fpu {
    /// R0 to R7: physical registers; ST(i) is `R((TOP + i) & 7)`, MMi is Ri's significand.
    pub registers: [F80; 8],
    /// The control word.
    pub control: u16,
    /// The status word, TOP included (bits 11 to 13).
    pub status: u16,
    /// The abridged tag word: bit i is set if Ri is in use.
    pub in_use: u8,
    /// Low eleven bits of the last non-control opcode.
    pub last_opcode: u16,
    /// Code selector of the last non-control instruction.
    pub last_cs: u16,
    /// Data selector of its memory operand.
    pub last_ds: u16,
    /// Offset of the last non-control instruction.
    pub last_ip: u64,
    /// Offset of its memory operand.
    pub last_dp: u64,
}

impl Default for Fpu {
    /// As after FNINIT.
    fn default() -> Self {
        Self {
            registers: [F80::default(); 8],
            control: 0x37f,
            status: 0,
            in_use: 0,
            last_opcode: 0,
            last_cs: 0,
            last_ds: 0,
            last_ip: 0,
            last_dp: 0,
        }
    }
}
