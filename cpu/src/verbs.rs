//! The vocabulary in which every instruction's meaning is written.
//!
//! [`crate::Cpu`] carries a meaning out at once; [`crate::ir::Builder`] writes it
//! down for the compiler. Order inside a meaning: read, locate what will be
//! written, compute, commit, flags. What can fault comes before what cannot be undone.

mod flags;
mod op;
mod vector;
mod x87;

use rax_mmu::Word as MemoryWord;

use crate::flags::Condition;
use crate::insn::Insn;
use crate::segment::SegmentRegister;
use crate::state::Gpr;

pub use flags::Flags;
pub use op::{BinaryOp, DoubleShiftOp, ShiftOp, UnaryOp};
pub use vector::{Bound, M64, V128, VectorVerbs, VectorWidth, X128, Y256};
pub use x87::X87Verbs;

/// What a row of the instruction table fills in: a width, a slot or a condition.
pub trait Parameter: Copy + 'static {
    /// It names a memory operand.
    const IS_MEMORY: bool = false;
}

/// A width as a type, so that mixing widths does not compile.
pub trait Width: Parameter {
    /// The unsigned integer of this width.
    type Bits: Bits;
    /// The width in bits.
    const BITS: u32 = <Self::Bits as Bits>::BITS;
    /// The width in bytes.
    const BYTES: u64 = Self::BITS as u64 / 8;
}

/// An unsigned integer that a register or memory cell holds.
pub trait Bits: MemoryWord + Copy + Eq + 'static {
    /// Its width.
    const BITS: u32;
    /// The low bits of `value`.
    fn truncate(value: u64) -> Self;
    /// Zero-extended.
    fn widen(self) -> u64;
}

macro_rules! widths {
    ($($(#[$doc:meta])* $name:ident $bits:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl Parameter for $name {}
        impl Width for $name {
            type Bits = $bits;
        }
        impl Bits for $bits {
            const BITS: u32 = <$bits>::BITS;
            #[inline(always)]
            fn truncate(value: u64) -> Self {
                value as $bits
            }
            #[inline(always)]
            fn widen(self) -> u64 {
                u64::from(self)
            }
        }
    )*};
}

widths! {
    /// 8 bits.
    Byte u8;
    /// 16 bits.
    Word u16;
    /// 32 bits.
    Dword u32;
    /// 64 bits.
    Qword u64;
}

/// Where an operand lives.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// A general-purpose register; `true` for its bits 8 to 15 (AH, CH, DH, BH).
    Gpr(Gpr, bool),
    /// The instruction's memory operand.
    Memory(&'a Insn),
    /// A constant inside the instruction.
    Immediate(u64),
}

/// A place in an instruction, fixed by the row, so that matching on [`Operand`] folds away.
pub trait Slot: Parameter {
    /// What stands there.
    fn of(insn: &Insn) -> Operand<'_>;
}

/// A condition code as a type.
pub trait ConditionCode: Parameter {
    /// The condition.
    const CONDITION: Condition;
}

/// What a place holds, and the place, found writable.
pub type Located<V, W> = (<V as Verbs>::Value<W>, <V as Verbs>::Spot<W>);

/// What an instruction may do.
pub trait Verbs: Sized {
    /// A number now, or the name of a number later.
    type Value<W: Width>: Copy;
    /// A truth value: only selected by and branched on.
    type Cond: Copy;
    /// A place already found writable.
    type Spot<W: Width>: Copy;
    /// What may cut an instruction short.
    type Fault;

    /// A constant; the low bits of `bits`.
    fn constant<W: Width>(&mut self, bits: u64) -> Self::Value<W>;
    /// Reads an operand.
    ///
    /// # Errors
    /// When the access faults.
    fn read<W: Width>(&mut self, operand: Operand<'_>) -> Result<Self::Value<W>, Self::Fault>;
    /// Writes an operand. A 32-bit register write clears the upper half.
    ///
    /// # Errors
    /// When the access faults.
    fn write<W: Width>(
        &mut self,
        operand: Operand<'_>,
        value: Self::Value<W>,
    ) -> Result<(), Self::Fault>;
    /// Reads in order to write: whatever can fault, faults here, as a write.
    ///
    /// # Errors
    /// When the write would fault.
    fn modify<W: Width>(&mut self, operand: Operand<'_>) -> Result<Located<Self, W>, Self::Fault>;
    /// Writes to what [`Verbs::modify`] located.
    fn commit<W: Width>(&mut self, spot: Self::Spot<W>, value: Self::Value<W>);
    /// Reads beside the memory operand, `displacement` bytes further on.
    ///
    /// # Errors
    /// When the access faults.
    fn read_displaced<W: Width>(
        &mut self,
        insn: &Insn,
        displacement: Self::Value<Qword>,
    ) -> Result<Self::Value<W>, Self::Fault>;
    /// As [`Verbs::modify`], `displacement` bytes beyond the memory operand.
    ///
    /// # Errors
    /// When the write would fault.
    fn modify_displaced<W: Width>(
        &mut self,
        insn: &Insn,
        displacement: Self::Value<Qword>,
    ) -> Result<Located<Self, W>, Self::Fault>;
    /// The effective address of the memory operand: no segment, truncated to the address size.
    fn effective_address(&mut self, insn: &Insn) -> Self::Value<Qword>;
    /// Reads memory at an offset into a segment, truncated to the address size.
    ///
    /// # Errors
    /// When the access faults.
    fn load<W: Width>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        offset: Self::Value<Qword>,
    ) -> Result<Self::Value<W>, Self::Fault>;
    /// Writes memory at an offset into a segment, truncated to the address size.
    ///
    /// # Errors
    /// When the access faults.
    fn store<W: Width>(
        &mut self,
        insn: &Insn,
        segment: SegmentRegister,
        offset: Self::Value<Qword>,
        value: Self::Value<W>,
    ) -> Result<(), Self::Fault>;
    /// How far a string instruction moves on: so many bytes, backwards if DF is set.
    fn stride(&mut self, bytes: u64) -> Self::Value<Qword>;
    /// Sets DF, or clears it.
    fn set_direction(&mut self, is_down: bool);
    /// What a segment register holds.
    fn selector(&mut self, register: SegmentRegister) -> Self::Value<Word>;
    /// Loads a segment register.
    ///
    /// # Errors
    /// When the selector, or its descriptor, is not fit for it.
    fn load_selector(
        &mut self,
        register: SegmentRegister,
        selector: Self::Value<Word>,
    ) -> Result<(), Self::Fault>;

    /// Stores below the stack pointer, then moves it.
    ///
    /// # Errors
    /// When the access faults; the stack pointer has not moved.
    fn push<W: Width>(&mut self, insn: &Insn, value: Self::Value<W>) -> Result<(), Self::Fault>;
    /// Reads the top of the stack; the pointer stays.
    ///
    /// # Errors
    /// When the access faults.
    fn stack_top<W: Width>(&mut self, insn: &Insn) -> Result<Self::Value<W>, Self::Fault>;
    /// Adds to the stack pointer, within the stack's address size.
    fn move_stack(&mut self, insn: &Insn, bytes: u64);
    /// Sets the stack pointer, within the stack's address size.
    fn set_stack(&mut self, insn: &Insn, pointer: Self::Value<Qword>);

    /// Two operands, one result.
    fn binary<W: Width>(
        &mut self,
        op: BinaryOp,
        a: Self::Value<W>,
        b: Self::Value<W>,
    ) -> Self::Value<W>;
    /// One operand, one result.
    fn unary<W: Width>(&mut self, op: UnaryOp, a: Self::Value<W>) -> Self::Value<W>;
    /// A shift by a count already masked.
    fn shift<W: Width>(
        &mut self,
        op: ShiftOp,
        value: Self::Value<W>,
        count: Self::Value<Byte>,
    ) -> Self::Value<W>;
    /// A double shift, or a rotate through CF, by a count already masked.
    fn double_shift<W: Width>(
        &mut self,
        op: DoubleShiftOp,
        value: Self::Value<W>,
        source: Self::Value<W>,
        count: Self::Value<Byte>,
    ) -> Self::Value<W>;
    /// Divides `high:low`; quotient and remainder.
    ///
    /// # Errors
    /// #DE when the divisor is zero or the quotient does not fit.
    fn divide<W: Width>(
        &mut self,
        is_signed: bool,
        dividend: (Self::Value<W>, Self::Value<W>),
        divisor: Self::Value<W>,
    ) -> Result<[Self::Value<W>; 2], Self::Fault>;
    /// Another width: truncated, or extended by zeros.
    fn zero_extend<A: Width, B: Width>(&mut self, value: Self::Value<A>) -> Self::Value<B>;
    /// Another width: truncated, or extended by the sign.
    fn sign_extend<A: Width, B: Width>(&mut self, value: Self::Value<A>) -> Self::Value<B>;

    /// Whether a condition holds of the flags.
    fn condition(&mut self, condition: Condition) -> Self::Cond;
    /// Whether a value is zero.
    fn is_zero<W: Width>(&mut self, value: Self::Value<W>) -> Self::Cond;
    /// `yes` if the condition holds, else `no`.
    fn select<W: Width>(
        &mut self,
        condition: Self::Cond,
        yes: Self::Value<W>,
        no: Self::Value<W>,
    ) -> Self::Value<W>;
    /// Records where the arithmetic flags come from.
    fn flags<W: Width>(&mut self, flags: Flags<Self::Value<W>, Self::Value<Byte>>);

    /// The instruction pointer after this instruction, truncated to the code size.
    fn next_ip(&mut self, insn: &Insn) -> Self::Value<Qword>;
    /// Checks that a branch may go there: canonical, within CS.
    ///
    /// # Errors
    /// #GP(0) if it may not.
    fn check_target(&mut self, target: Self::Value<Qword>) -> Result<(), Self::Fault>;
    /// Goes to a target that was checked.
    fn jump(&mut self, target: Self::Value<Qword>);
    /// The target encoded in the instruction, of operand size `W`.
    fn direct_target<W: Width>(&mut self, insn: &Insn) -> Self::Value<Qword>;
    /// Goes to the encoded target, of operand size `W`, if the condition holds.
    ///
    /// # Errors
    /// #GP(0) if it holds and the target lies outside CS.
    fn branch<W: Width>(&mut self, insn: &Insn, condition: Self::Cond) -> Result<(), Self::Fault>;

    // What follows is said with what stands above.

    /// Reads a register.
    #[inline(always)]
    fn gpr<W: Width>(&mut self, register: Gpr) -> Self::Value<W> {
        match self.read::<W>(Operand::Gpr(register, false)) {
            Ok(value) => value,
            Err(_) => unreachable!("registers do not fault"),
        }
    }
    /// Writes a register.
    #[inline(always)]
    fn set_gpr<W: Width>(&mut self, register: Gpr, value: Self::Value<W>) {
        if self
            .write::<W>(Operand::Gpr(register, false), value)
            .is_err()
        {
            unreachable!("registers do not fault");
        }
    }
    /// Wrapping addition.
    #[inline(always)]
    fn add<W: Width>(&mut self, a: Self::Value<W>, b: Self::Value<W>) -> Self::Value<W> {
        self.binary(BinaryOp::Add, a, b)
    }
    /// Wrapping subtraction.
    #[inline(always)]
    fn sub<W: Width>(&mut self, a: Self::Value<W>, b: Self::Value<W>) -> Self::Value<W> {
        self.binary(BinaryOp::Sub, a, b)
    }
    /// Bitwise and.
    #[inline(always)]
    fn and<W: Width>(&mut self, a: Self::Value<W>, b: Self::Value<W>) -> Self::Value<W> {
        self.binary(BinaryOp::And, a, b)
    }
    /// Bitwise or.
    #[inline(always)]
    fn or<W: Width>(&mut self, a: Self::Value<W>, b: Self::Value<W>) -> Self::Value<W> {
        self.binary(BinaryOp::Or, a, b)
    }
    /// Bitwise exclusive or.
    #[inline(always)]
    fn xor<W: Width>(&mut self, a: Self::Value<W>, b: Self::Value<W>) -> Self::Value<W> {
        self.binary(BinaryOp::Xor, a, b)
    }
    /// A condition as 0 or 1.
    #[inline(always)]
    fn bit<W: Width>(&mut self, condition: Self::Cond) -> Self::Value<W> {
        let one = self.constant::<W>(1);
        let zero = self.constant::<W>(0);
        self.select(condition, one, zero)
    }
    /// CF as 0 or 1.
    #[inline(always)]
    fn carry<W: Width>(&mut self) -> Self::Value<W> {
        let carry = self.condition(Condition::B);
        self.bit(carry)
    }
    /// Bit `count` of a value, as 0 or 1.
    #[inline(always)]
    fn bit_of<W: Width>(
        &mut self,
        value: Self::Value<W>,
        count: Self::Value<Byte>,
    ) -> Self::Value<Byte> {
        let shifted = self.shift(ShiftOp::Shr, value, count);
        let low = self.zero_extend::<W, Byte>(shifted);
        let one = self.constant::<Byte>(1);
        self.and(low, one)
    }
    /// The sign bit, as 0 or 1.
    #[inline(always)]
    fn top_bit<W: Width>(&mut self, value: Self::Value<W>) -> Self::Value<Byte> {
        let count = self.constant::<Byte>(u64::from(W::BITS) - 1);
        self.bit_of(value, count)
    }
}
