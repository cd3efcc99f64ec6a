//! The x87 unit's registers, which MMX shares, and the rules of its stack, tags and
//! status word (SDM 1, 8.1, 8.5 and 9.2).

use bitflags::bitflags;

use crate::float::{Class, Env, Exceptions, F80};

bitflags! {
    /// The x87 status word (SDM 1, figure 8-4).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct StatusWord: u16 {
        /// IE: invalid operation.
        const INVALID = 1 << 0;
        /// DE: denormal operand.
        const DENORMAL = 1 << 1;
        /// ZE: division by zero.
        const ZERO_DIVIDE = 1 << 2;
        /// OE: overflow.
        const OVERFLOW = 1 << 3;
        /// UE: underflow.
        const UNDERFLOW = 1 << 4;
        /// PE: inexact result.
        const PRECISION = 1 << 5;
        /// SF: the invalid operation was of the stack.
        const STACK_FAULT = 1 << 6;
        /// ES: an unmasked exception is pending.
        const ERROR_SUMMARY = 1 << 7;
        /// Condition code 0.
        const C0 = 1 << 8;
        /// Condition code 1.
        const C1 = 1 << 9;
        /// Condition code 2.
        const C2 = 1 << 10;
        /// TOP: which register is ST(0).
        const TOP = 7 << 11;
        /// Condition code 3.
        const C3 = 1 << 14;
        /// B: the same as ES.
        const BUSY = 1 << 15;
    }
}

impl StatusWord {
    /// What FNCLEX clears.
    const CLEARABLE: Self = Self::from_bits_retain(0xff).union(Self::BUSY);
    /// The four condition codes.
    pub const CODES: Self = Self::C0.union(Self::C1).union(Self::C2).union(Self::C3);
    /// ES and B, which follow from flags and masks.
    const SUMMARY: Self = Self::ERROR_SUMMARY.union(Self::BUSY);
}

/// The bits of the control word that can be written; bit 12 means nothing since the 387.
const CONTROL_WRITABLE: u16 = 0x1f3f;
/// A bit of the control word that is always set.
const CONTROL_FIXED: u16 = 0x40;
/// The mask bits of the control word.
const MASKS: u16 = 0x3f;

/// The x87 unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Fpu {
    /// R0 to R7: physical registers; ST(i) is `R((TOP + i) & 7)`, MMi is Ri's significand.
    pub registers: [F80; 8],
    /// The control word.
    pub control: u16,
    /// The status word, TOP included (bits 11 to 13). ES and B are always what flags and
    /// masks make them: after writing `status` or `control` call [`Fpu::summarize`].
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

impl Fpu {
    /// FNINIT: everything but the registers' contents.
    pub fn init(&mut self) {
        *self = Self {
            registers: self.registers,
            ..Self::default()
        };
    }

    /// Writes the control word as FLDCW does: reserved bits keep their fixed values, and
    /// exceptions may become pending or stop being so.
    pub fn set_control(&mut self, value: u16) {
        self.control = value & CONTROL_WRITABLE | CONTROL_FIXED;
        self.summarize();
    }

    /// Writes the status word as FLDENV does: ES and B are not taken from `value`.
    pub fn set_status(&mut self, value: u16) {
        self.status = value;
        self.summarize();
    }

    /// Makes ES and B what flags and masks say.
    pub fn summarize(&mut self) {
        self.status &= !StatusWord::SUMMARY.bits();
        if self.status & !self.control & MASKS != 0 {
            self.status |= StatusWord::SUMMARY.bits();
        }
    }

    /// Whether an unmasked exception is pending (ES).
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.status & StatusWord::ERROR_SUMMARY.bits() != 0
    }

    /// FNCLEX.
    pub const fn clear_exceptions(&mut self) {
        self.status &= !StatusWord::CLEARABLE.bits();
    }

    /// Masks every exception, as FNSTENV does after storing.
    pub fn mask_all(&mut self) {
        self.control |= MASKS;
        self.summarize();
    }

    /// TOP: the number of the register that is ST(0).
    #[must_use]
    pub const fn top(&self) -> usize {
        ((self.status & StatusWord::TOP.bits()) >> 11) as usize
    }

    /// Sets TOP; only the low three bits count.
    pub const fn set_top(&mut self, top: usize) {
        let field = ((top & 7) as u16) << 11;
        self.status = self.status & !StatusWord::TOP.bits() | field;
    }

    /// The number of the register that is ST(`i`).
    #[must_use]
    pub const fn physical(&self, i: usize) -> usize {
        (self.top() + (i & 7)) & 7
    }

    /// ST(`i`), whatever its tag.
    #[must_use]
    pub const fn st(&self, i: usize) -> F80 {
        self.registers[self.physical(i)]
    }

    /// Writes ST(`i`) and tags it as in use.
    pub const fn set_st(&mut self, i: usize, value: F80) {
        let register = self.physical(i);
        self.registers[register] = value;
        self.in_use |= 1 << register;
    }

    /// Whether ST(`i`) is tagged empty.
    #[must_use]
    pub const fn is_empty(&self, i: usize) -> bool {
        self.in_use & 1 << self.physical(i) == 0
    }

    /// Tags ST(`i`) empty.
    pub const fn free(&mut self, i: usize) {
        self.in_use &= !(1 << self.physical(i));
    }

    /// Makes the register below the top the new top, and writes it. See [`Fpu::is_full`].
    pub const fn push(&mut self, value: F80) {
        self.set_top(self.top().wrapping_sub(1));
        self.set_st(0, value);
    }

    /// Tags the top empty and goes to the next register.
    pub const fn pop(&mut self) {
        self.free(0);
        self.set_top(self.top() + 1);
    }

    /// Whether the register that a push would write is in use.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        !self.is_empty(7)
    }

    /// The full tag word (SDM 1, figure 8-7).
    #[must_use]
    pub fn tag_word(&self) -> u16 {
        (0..8).fold(0, |word, register| {
            let tag = if self.in_use & 1 << register == 0 {
                3
            } else {
                match self.registers[register].class() {
                    Class::Normal => 0,
                    Class::Zero => 1,
                    Class::Unsupported | Class::Nan | Class::Infinity | Class::Denormal => 2,
                }
            };
            word | tag << (2 * register)
        })
    }

    /// Takes a full tag word: only whether a register is empty matters.
    pub fn set_tag_word(&mut self, word: u16) {
        self.in_use = (0..8).fold(0, |in_use, register| {
            let is_used = word >> (2 * register) & 3 != 3;
            in_use | u8::from(is_used) << register
        });
    }

    /// How to compute.
    #[must_use]
    pub const fn env(&self) -> Env {
        Env::from_control_word(self.control)
    }

    /// Sets and clears condition codes: those of `which` become `codes`.
    pub fn set_codes(&mut self, which: StatusWord, codes: StatusWord) {
        self.status = self.status & !which.bits() | (codes & which).bits();
    }

    /// Raises exceptions; unmasked ones become pending.
    pub fn raise(&mut self, exceptions: Exceptions) {
        self.status |= u16::from(exceptions.bits());
        self.summarize();
    }

    /// Notes what a computation raised, and C1. Whether its result is to be written to a
    /// register: not after an unmasked pre-computation exception.
    #[must_use]
    pub fn report(&mut self, env: &Env) -> bool {
        let is_done = !env.is_prevented();
        let mut codes = StatusWord::empty();
        codes.set(StatusWord::C1, is_done && env.rounded_up);
        self.set_codes(StatusWord::C1, codes);
        self.raise(env.reported());
        is_done
    }

    /// Raises the stack fault for an empty operand. Whether it is masked, so that the
    /// indefinite takes the operand's place.
    #[must_use]
    pub fn underflow(&mut self) -> bool {
        self.stack_fault(StatusWord::empty())
    }

    /// Raises the stack fault for a push onto a register in use. Whether it is masked, so
    /// that the indefinite is pushed.
    #[must_use]
    pub fn overflow(&mut self) -> bool {
        self.stack_fault(StatusWord::C1)
    }

    fn stack_fault(&mut self, direction: StatusWord) -> bool {
        self.set_codes(StatusWord::C1, direction);
        self.status |= StatusWord::STACK_FAULT.bits();
        self.raise(Exceptions::INVALID);
        self.masks_invalid()
    }

    /// Whether the invalid operation is masked.
    #[must_use]
    pub const fn masks_invalid(&self) -> bool {
        self.control & StatusWord::INVALID.bits() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::Fpu;
    use crate::float::{Exceptions, F80};

    #[test]
    fn a_push_goes_down_and_a_pop_up() {
        let mut fpu = Fpu::default();
        fpu.push(F80::ONE);
        assert_eq!((fpu.top(), fpu.in_use), (7, 0x80));
        assert_eq!(fpu.st(0), F80::ONE);
        fpu.pop();
        assert_eq!((fpu.top(), fpu.in_use), (0, 0));
    }

    #[test]
    fn the_tag_word_follows_the_contents() {
        let mut fpu = Fpu::default();
        for value in [F80::INFINITY, F80::ZERO, F80::ONE] {
            fpu.push(value);
        }
        assert_eq!(fpu.tag_word(), 0b10_01_00_11_11_11_11_11);
        let in_use = fpu.in_use;
        fpu.set_tag_word(fpu.tag_word());
        assert_eq!(fpu.in_use, in_use);
    }

    #[test]
    fn an_exception_is_pending_while_unmasked() {
        let mut fpu = Fpu::default();
        fpu.raise(Exceptions::ZERO_DIVIDE);
        assert_eq!(fpu.status, 4);
        fpu.set_control(0x37b);
        assert_eq!(fpu.status, 0x8084);
        fpu.mask_all();
        assert_eq!(fpu.status, 4);
        fpu.set_control(0);
        assert_eq!((fpu.control, fpu.status), (0x40, 0x8084));
        fpu.clear_exceptions();
        assert_eq!(fpu.status, 0);
    }
}
