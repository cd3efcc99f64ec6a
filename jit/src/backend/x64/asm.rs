//! The host's machine code, as bytes (SDM 2A, chapter 2; SDM 2, appendix B).
//!
//! Rows of the opcode map, not mnemonics: an operation, a width, a register and an
//! r/m. Displacements and immediates take the shortest form. The tests have
//! iced-x86 read back every form.

mod bytes;
mod head;
mod jumps;
mod relocations;

use bytes::Bytes;
use head::{Head, low};
pub(super) use relocations::has_short_form;

use crate::relocation::Relocation;

/// A host register by its number; [`high`] ones are AH, CH, DH, BH.
pub(super) type Reg = u8;

pub(super) const RAX: Reg = 0;
pub(super) const RCX: Reg = 1;
pub(super) const RDX: Reg = 2;
pub(super) const RBX: Reg = 3;
pub(super) const RSP: Reg = 4;
pub(super) const RBP: Reg = 5;
pub(super) const RSI: Reg = 6;
pub(super) const RDI: Reg = 7;
pub(super) const R8: Reg = 8;
pub(super) const R9: Reg = 9;
pub(super) const R10: Reg = 10;
pub(super) const R11: Reg = 11;
pub(super) const R12: Reg = 12;
pub(super) const R13: Reg = 13;
pub(super) const R14: Reg = 14;
pub(super) const R15: Reg = 15;

/// No register: the base of an index by itself. Its lower bits are what SIB has for it.
pub(super) const NO_BASE: Reg = 0x15;

/// Marks a register's bits 8 to 15.
const HIGH: Reg = 0x20;

/// Bits 8 to 15 of RAX, RCX, RDX or RBX.
pub(super) const fn high(register: Reg) -> Reg {
    register | HIGH
}

#[inline(always)]
pub(super) const fn is_high(register: Reg) -> bool {
    register & HIGH != 0
}

/// Base, index shifted left, displacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mem {
    pub(super) base: Reg,
    pub(super) index: Option<(Reg, u8)>,
    pub(super) disp: i32,
}

/// Memory at a displacement from a register.
#[inline]
pub(super) const fn at(base: Reg, disp: i32) -> Mem {
    Mem {
        base,
        index: None,
        disp,
    }
}

/// Memory at the sum of two registers and a displacement.
#[inline]
pub(super) const fn sum(base: Reg, index: Reg, disp: i32) -> Mem {
    Mem {
        base,
        index: Some((index, 0)),
        disp,
    }
}

/// The operand that ModRM's r/m names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rm {
    Reg(Reg),
    Mem(Mem),
}

impl From<Mem> for Rm {
    fn from(mem: Mem) -> Self {
        Self::Mem(mem)
    }
}

impl From<Reg> for Rm {
    fn from(register: Reg) -> Self {
        Self::Reg(register)
    }
}

/// The eight operations of the first rows of the opcode map, by their number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Alu {
    Add = 0,
    Or = 1,
    Adc = 2,
    Sbb = 3,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// The shifts by their number in group 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Turn {
    Rol = 0,
    Ror = 1,
    Rcl = 2,
    Rcr = 3,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Condition numbers, as in Jcc.
pub(super) mod cc {
    pub(in super::super) const O: u8 = 0;
    pub(in super::super) const B: u8 = 2;
    pub(in super::super) const AE: u8 = 3;
    pub(in super::super) const E: u8 = 4;
    pub(in super::super) const NE: u8 = 5;
    pub(in super::super) const BE: u8 = 6;
    pub(in super::super) const A: u8 = 7;
    pub(in super::super) const NP: u8 = 11;
    pub(in super::super) const L: u8 = 12;
    pub(in super::super) const GE: u8 = 13;
}

/// A displacement of four bytes that is yet to be filled in: where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct Fixup(usize);

/// Bytes that are to run at an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Asm {
    bytes: Bytes,
    /// Where the first byte will be.
    pub(super) base: u64,
    /// What changes if it is copied to elsewhere, unless it is not to be copied.
    relocations: Vec<Relocation>,
    is_movable: bool,
}

impl Asm {
    /// To be laid down in `room`, whose contents are of no account.
    pub(super) fn new(base: u64, room: Vec<u8>) -> Self {
        let bytes = Bytes::new(room);
        Self {
            bytes,
            base,
            relocations: Vec::new(),
            is_movable: false,
        }
    }

    /// The bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes.into_vec()
    }

    /// Offset of the next byte.
    #[inline]
    pub(super) const fn here(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.put(u64::from(byte), 1);
    }

    #[inline]
    fn dword(&mut self, value: i32) {
        self.bytes.put(u64::from(value as u32), 4);
    }

    /// Writes over four bytes at an offset.
    pub(super) fn patch(&mut self, offset: usize, value: i32) {
        self.bytes.patch(offset, value);
    }

    /// Prefixes, opcode, ModRM, SIB and displacement. `prefix` of zero is none; byte
    /// registers want REX for SPL and up.
    #[inline(always)]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the fields of one instruction"
    )]
    pub(super) fn encode(
        &mut self,
        prefix: u8,
        bits: u32,
        opcode: &[u8],
        reg: Reg,
        rm: Rm,
        is_byte: [bool; 2],
    ) {
        self.encode_with(prefix, bits, Head::of(opcode), reg, rm, is_byte);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are the fields of one instruction"
    )]
    fn encode_with(
        &mut self,
        prefix: u8,
        bits: u32,
        opcode: Head,
        reg: Reg,
        rm: Rm,
        is_byte: [bool; 2],
    ) {
        let mut head = Head::default();
        if bits == 16 {
            head.byte(0x66);
        }
        if prefix != 0 {
            head.byte(prefix);
        }
        // SPL to DIL are AH to BH without REX.
        let is_bare = |register: Reg| register & !3 == 4;
        let mut rex = u8::from(bits == 64) << 3 | (reg & 8) >> 1;
        rex |= u8::from(is_byte[0] && is_bare(reg)) << 6;
        match rm {
            Rm::Reg(rm) => {
                rex |= (rm & 8) >> 3 | u8::from(is_byte[1] && is_bare(rm)) << 6;
                if rex != 0 {
                    debug_assert!(
                        !is_high(reg) && !is_high(rm),
                        "AH and its like cannot stand beside REX"
                    );
                    head.byte(0x40 | rex);
                }
                head.append(opcode);
                head.byte(0xc0 | low(reg) << 3 | low(rm));
                self.bytes.put(head.bytes, head.length as usize);
            }
            Rm::Mem(mem) => {
                let index = mem.index.map_or(0, |(index, _)| index);
                rex |= (index & 8) >> 2 | (mem.base & 8) >> 3;
                if rex != 0 {
                    debug_assert!(!is_high(reg), "AH cannot stand beside REX");
                    head.byte(0x40 | rex);
                }
                head.append(opcode);
                self.put_memory(head, low(reg) << 3, mem);
            }
        }
    }

    #[inline(always)]
    fn put_memory(&mut self, mut head: Head, reg: u8, mem: Mem) {
        let displacement = head.memory(reg, mem);
        self.bytes.put(head.bytes, head.length as usize);
        if displacement != 0 {
            self.bytes.put(u64::from(mem.disp as u32), displacement);
        }
    }

    /// ModRM, SIB and displacement.
    pub(super) fn memory(&mut self, reg: u8, mem: Mem) {
        self.put_memory(Head::default(), reg, mem);
    }

    /// An instruction of the one-byte map whose low bit says byte or not.
    fn sized(&mut self, bits: u32, opcode: u8, reg: Reg, rm: Rm) {
        let is_byte = bits == 8;
        self.encode(
            0,
            bits,
            &[opcode | u8::from(!is_byte)],
            reg,
            rm,
            [is_byte; 2],
        );
    }

    /// The same, `reg` being a digit of a group.
    fn group(&mut self, bits: u32, opcode: u8, digit: u8, rm: Rm) {
        let is_byte = bits == 8;
        self.encode(
            0,
            bits,
            &[opcode | u8::from(!is_byte)],
            digit,
            rm,
            [false, is_byte],
        );
    }

    /// `op rm, reg`.
    pub(super) fn alu(&mut self, op: Alu, bits: u32, rm: impl Into<Rm>, reg: Reg) {
        self.sized(bits, (op as u8) << 3, reg, rm.into());
    }

    /// `op reg, rm`.
    pub(super) fn alu_from(&mut self, op: Alu, bits: u32, reg: Reg, rm: impl Into<Rm>) {
        self.sized(bits, (op as u8) << 3 | 2, reg, rm.into());
    }

    /// `op rm, immediate`.
    pub(super) fn alu_imm(&mut self, op: Alu, bits: u32, rm: impl Into<Rm>, value: i32) {
        let rm = rm.into();
        match i8::try_from(value) {
            _ if bits == 8 => {
                self.group(8, 0x80, op as u8, rm);
                self.byte(value as u8);
            }
            Ok(short) => {
                self.encode(0, bits, &[0x83], op as u8, rm, [false; 2]);
                self.byte(short as u8);
            }
            Err(_) => {
                self.group(bits, 0x81 & !1, op as u8, rm);
                self.immediate(bits, value);
            }
        }
    }

    fn immediate(&mut self, bits: u32, value: i32) {
        match bits {
            8 => self.byte(value as u8),
            16 => self.bytes.put(u64::from(value as u16), 2),
            _ => self.dword(value),
        }
    }

    /// `test rm, reg`.
    pub(super) fn test(&mut self, bits: u32, rm: impl Into<Rm>, reg: Reg) {
        self.sized(bits, 0x84, reg, rm.into());
    }

    /// `test rm, immediate`.
    pub(super) fn test_imm(&mut self, bits: u32, rm: impl Into<Rm>, value: i32) {
        self.group(bits, 0xf6, 0, rm.into());
        self.immediate(bits, value);
    }

    /// `mov rm, reg`.
    pub(super) fn store(&mut self, bits: u32, rm: impl Into<Rm>, reg: Reg) {
        self.sized(bits, 0x88, reg, rm.into());
    }

    /// `mov reg, rm`: 8 and 16 bits leave the others.
    pub(super) fn load(&mut self, bits: u32, reg: Reg, rm: impl Into<Rm>) {
        self.sized(bits, 0x8a, reg, rm.into());
    }

    /// `mov rm, immediate`, sign-extended to 64 bits.
    pub(super) fn store_imm(&mut self, bits: u32, rm: impl Into<Rm>, value: i32) {
        self.group(bits, 0xc6, 0, rm.into());
        self.immediate(bits, value);
    }

    /// Any constant into a register of 64 bits; leaves the flags alone.
    pub(super) fn constant(&mut self, reg: Reg, value: u64) {
        if let Ok(short) = u32::try_from(value) {
            if reg >= 8 {
                self.byte(0x41);
            }
            self.opcode_and(0xb8 | reg & 7, short as i32);
        } else if let Ok(short) = i32::try_from(value as i64) {
            self.store_imm(64, Rm::Reg(reg), short);
        } else {
            self.byte(0x48 | reg >> 3);
            self.byte(0xb8 | reg & 7);
            self.bytes.put(value, 8);
        }
    }

    /// `movzx reg, rm` from 8 or 16 bits; from 32 and 64 a plain move.
    pub(super) fn zero_extend(&mut self, from: u32, reg: Reg, rm: impl Into<Rm>) {
        match from {
            8 => self.encode(0, 32, &[0x0f, 0xb6], reg, rm.into(), [false, true]),
            16 => self.encode(0, 32, &[0x0f, 0xb7], reg, rm.into(), [false; 2]),
            _ => self.load(from, reg, rm),
        }
    }

    /// `movsx reg, rm`, to 32 or 64 bits.
    pub(super) fn sign_extend(&mut self, from: u32, bits: u32, reg: Reg, rm: impl Into<Rm>) {
        match from {
            8 => self.encode(0, bits, &[0x0f, 0xbe], reg, rm.into(), [false, true]),
            16 => self.encode(0, bits, &[0x0f, 0xbf], reg, rm.into(), [false; 2]),
            32 if bits == 64 => self.encode(0, 64, &[0x63], reg, rm.into(), [false; 2]),
            _ => self.load(bits, reg, rm),
        }
    }

    /// `lea reg, mem`.
    pub(super) fn lea(&mut self, bits: u32, reg: Reg, mem: Mem) {
        self.encode(0, bits, &[0x8d], reg, Rm::Mem(mem), [false; 2]);
    }

    /// `imul reg, rm`.
    pub(super) fn imul(&mut self, bits: u32, reg: Reg, rm: impl Into<Rm>) {
        self.encode(0, bits, &[0x0f, 0xaf], reg, rm.into(), [false; 2]);
    }

    /// `imul reg, rm, immediate`.
    pub(super) fn imul_imm(&mut self, bits: u32, reg: Reg, rm: impl Into<Rm>, value: i32) {
        if let Ok(short) = i8::try_from(value) {
            self.encode(0, bits, &[0x6b], reg, rm.into(), [false; 2]);
            self.byte(short as u8);
        } else {
            self.encode(0, bits, &[0x69], reg, rm.into(), [false; 2]);
            self.immediate(bits, value);
        }
    }

    /// An opcode with a digit and an operand in memory.
    pub(super) fn extended(&mut self, opcode: u8, digit: u8, mem: Mem) {
        self.encode(0, 32, &[opcode], digit, Rm::Mem(mem), [false; 2]);
    }

    /// Group 3: NOT is 2, NEG 3, MUL 4, IMUL 5, DIV 6, IDIV 7.
    pub(super) fn group3(&mut self, bits: u32, digit: u8, rm: impl Into<Rm>) {
        self.group(bits, 0xf6, digit, rm.into());
    }

    /// A shift by a constant.
    pub(super) fn shift_imm(&mut self, op: Turn, bits: u32, rm: impl Into<Rm>, count: u8) {
        if count == 1 {
            self.group(bits, 0xd0, op as u8, rm.into());
        } else {
            self.group(bits, 0xc0, op as u8, rm.into());
            self.byte(count);
        }
    }

    /// A shift by CL.
    pub(super) fn shift_cl(&mut self, op: Turn, bits: u32, rm: impl Into<Rm>) {
        self.group(bits, 0xd2, op as u8, rm.into());
    }

    /// SHLD, or SHRD, by CL.
    pub(super) fn double_shift_cl(&mut self, right: bool, bits: u32, rm: Reg, from: Reg) {
        let opcode = if right { 0xad } else { 0xa5 };
        self.encode(0, bits, &[0x0f, opcode], from, Rm::Reg(rm), [false; 2]);
    }

    /// SHLD, or SHRD, by a constant.
    pub(super) fn double_shift(
        &mut self,
        right: bool,
        bits: u32,
        rm: impl Into<Rm>,
        reg: Reg,
        count: u8,
    ) {
        let opcode = if right { 0xac } else { 0xa4 };
        self.encode(0, bits, &[0x0f, opcode], reg, rm.into(), [false; 2]);
        self.byte(count);
    }

    /// `bswap reg`, 32 or 64 bits.
    pub(super) fn byte_swap(&mut self, bits: u32, reg: Reg) {
        let rex = u8::from(bits == 64) << 3 | reg >> 3;
        if rex != 0 {
            self.byte(0x40 | rex);
        }
        self.byte(0x0f);
        self.byte(0xc8 | reg & 7);
    }

    /// POPCNT (b8), TZCNT (bc) or LZCNT (bd).
    pub(super) fn count_bits(&mut self, opcode: u8, bits: u32, reg: Reg, rm: impl Into<Rm>) {
        self.encode(0xf3, bits, &[0x0f, opcode], reg, rm.into(), [false; 2]);
    }

    /// `crc32 reg, rm` of so many bits (SSE4.2).
    pub(super) fn crc32(&mut self, bits: u32, reg: Reg, rm: Reg) {
        let opcode = 0xf0 | u8::from(bits != 8);
        let is_byte = [false, bits == 8];
        self.encode(0xf2, bits, &[0x0f, 0x38, opcode], reg, Rm::Reg(rm), is_byte);
    }

    /// `setcc rm`.
    pub(super) fn set(&mut self, condition: u8, rm: impl Into<Rm>) {
        self.encode(0, 8, &[0x0f, 0x90 | condition], 0, rm.into(), [false, true]);
    }

    /// `cmovcc reg, rm`.
    pub(super) fn select(&mut self, condition: u8, bits: u32, reg: Reg, rm: impl Into<Rm>) {
        self.encode(
            0,
            bits,
            &[0x0f, 0x40 | condition],
            reg,
            rm.into(),
            [false; 2],
        );
    }

    /// `rorx reg, rm, count` (BMI2).
    pub(super) fn rorx(&mut self, reg: Reg, rm: Reg, count: u8) {
        let second = (!reg & 8) << 4 | 0x40 | (!rm & 8) << 2 | 3;
        let modrm = 0xc0 | (reg & 7) << 3 | rm & 7;
        let bytes = [0xc4, second, 0xfb, 0xf0, modrm, count, 0, 0];
        self.bytes.put(u64::from_le_bytes(bytes), 6);
    }

    /// One of the BMI2 instructions `0F38.F5` to `F7` on registers: `reg`, `rm`, and the
    /// third in the prefix; `prefix` 0 to 3 for none, 66, F3, F2.
    fn bmi2(&mut self, prefix: u8, opcode: u8, bits: u32, [reg, rm, third]: [Reg; 3]) {
        self.byte(0xc4);
        self.byte((!reg & 8) << 4 | 0x40 | (!rm & 8) << 2 | 2);
        self.byte(u8::from(bits == 64) << 7 | (!third & 15) << 3 | prefix);
        self.byte(opcode);
        self.byte(0xc0 | (reg & 7) << 3 | rm & 7);
    }

    /// `mulx high, low, rm`: RDX times `rm`; leaves the flags (BMI2).
    pub(super) fn mulx(&mut self, bits: u32, high: Reg, low: Reg, rm: Reg) {
        self.bmi2(3, 0xf6, bits, [high, rm, low]);
    }

    /// `shlx`, `shrx` or `sarx`: by a count in any register; leaves the flags (BMI2).
    pub(super) fn shift_x(&mut self, op: Turn, bits: u32, reg: Reg, rm: Reg, count: Reg) {
        let prefix = match op {
            Turn::Shl => 1,
            Turn::Sar => 2,
            _ => 3,
        };
        self.bmi2(prefix, 0xf7, bits, [reg, rm, count]);
    }

    /// `pext`, or `pdep`, of a register by a mask (BMI2).
    pub(super) fn gather_bits(&mut self, extract: bool, bits: u32, [reg, rm, mask]: [Reg; 3]) {
        self.bmi2(if extract { 2 } else { 3 }, 0xf5, bits, [reg, mask, rm]);
    }

    /// `bt rm, 0` of 32 bits: CF is the lowest bit.
    pub(super) fn test_lowest(&mut self, rm: impl Into<Rm>) {
        self.test_bit(rm, 0);
    }

    /// `bt rm, number` of 32 bits: CF is that bit.
    pub(super) fn test_bit(&mut self, rm: impl Into<Rm>, number: u8) {
        self.encode(0, 32, &[0x0f, 0xba], 4, rm.into(), [false; 2]);
        self.byte(number);
    }

    /// `bts mem, reg` of 64 bits: sets a bit of a string of them.
    pub(super) fn set_bit(&mut self, bits: Mem, number: Reg) {
        self.encode(0, 64, &[0x0f, 0xab], number, bits.into(), [false; 2]);
    }

    pub(super) fn push(&mut self, reg: Reg) {
        if reg >= 8 {
            self.byte(0x41);
        }
        self.byte(0x50 | reg & 7);
    }

    pub(super) fn pop(&mut self, reg: Reg) {
        if reg >= 8 {
            self.byte(0x41);
        }
        self.byte(0x58 | reg & 7);
    }

    /// `pushfq`.
    pub(super) fn push_flags(&mut self) {
        self.byte(0x9c);
    }

    /// `popfq`.
    pub(super) fn pop_flags(&mut self) {
        self.byte(0x9d);
    }

    /// `rep movs` or `rep stos`, of elements of `1 << shift` bytes.
    pub(super) fn repeat_string(&mut self, copies: bool, shift: u8) {
        if shift == 1 {
            self.byte(0x66);
        }
        self.byte(0xf3);
        if shift == 3 {
            self.byte(0x48);
        }
        let opcode = if copies { 0xa4 } else { 0xaa };
        self.byte(opcode | u8::from(shift != 0));
    }

    /// `repe` or `repne`, with `cmpsb` or `scasb`.
    pub(super) fn repeat_search(&mut self, compares: bool, while_equal: bool) {
        self.byte(if while_equal { 0xf3 } else { 0xf2 });
        self.byte(if compares { 0xa6 } else { 0xae });
    }

    /// `lahf`.
    pub(super) fn load_ah_flags(&mut self) {
        self.byte(0x9f);
    }

    /// `sahf`.
    pub(super) fn store_ah_flags(&mut self) {
        self.byte(0x9e);
    }

    /// `xchg a, b`, all 64 bits.
    pub(super) fn exchange(&mut self, a: Reg, b: Reg) {
        self.sized(64, 0x86, a, Rm::Reg(b));
    }

    /// `stc`.
    pub(super) fn set_carry(&mut self) {
        self.byte(0xf9);
    }

    /// An opcode and the four bytes behind it.
    #[inline]
    fn opcode_and(&mut self, opcode: u8, value: i32) {
        let bytes = u64::from(opcode) | u64::from(value as u32) << 8;
        self.bytes.put(bytes, 5);
    }
}

#[cfg(test)]
mod tests;
