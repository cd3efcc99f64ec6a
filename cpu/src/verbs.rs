//! The vocabulary in which every instruction's meaning is written.
//!
//! [`crate::Cpu`] carries a meaning out at once; [`crate::ir::Builder`] writes it
//! down for the compiler. Order inside a meaning: read, locate what will be
//! written, compute, commit, flags. What can fault comes before what cannot be undone.

mod vector;

use rax_mmu::Word as MemoryWord;

use crate::flags::{Condition, LazyFlags, mask, sign_extend};
use crate::insn::Insn;
use crate::rflags::Rflags;
use crate::segment::SegmentRegister;
use crate::state::Gpr;

pub use vector::{Bound, M64, VectorVerbs, VectorWidth, X128};

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

/// Two operands, one result of the same width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum BinaryOp {
    Add,
    Sub,
    And,
    Or,
    Xor,
    /// Low half of the product.
    Mul,
    /// High half of the unsigned product.
    MulHighUnsigned,
    /// High half of the signed product.
    MulHighSigned,
    /// Bits of the first at the places set in the second, gathered low.
    ExtractBits,
    /// Low bits of the first, scattered to the places set in the second.
    DepositBits,
}

/// One operand, one result of the same width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// Ones' complement.
    Not,
    /// Bytes in reverse order.
    SwapBytes,
    /// How many bits are set.
    PopulationCount,
    /// Zeros above the highest set bit; the width if there is none.
    LeadingZeros,
    /// Zeros below the lowest set bit; the width if there is none.
    TrailingZeros,
}

/// A value and a count, already masked to 5 or 6 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftOp {
    /// Left.
    Shl,
    /// Right, zeros in.
    Shr,
    /// Right, signs in.
    Sar,
    /// Rotate left.
    Rol,
    /// Rotate right.
    Ror,
}

/// A value, what is shifted into it, and a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubleShiftOp {
    /// SHLD: left, high bits of the second in.
    Shld,
    /// SHRD: right, low bits of the second in.
    Shrd,
    /// RCL: rotate left through CF; the second is CF (0 or 1).
    Rcl,
    /// RCR: rotate right through CF; the second is CF (0 or 1).
    Rcr,
}

impl BinaryOp {
    /// The operation on zero-extended values of `bits` bits; the result likewise.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, a: u64, b: u64) -> u64 {
        let signed = |value| i128::from(sign_extend(bits, value) as i64);
        let full = match self {
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
            Self::Mul => a.wrapping_mul(b),
            Self::MulHighUnsigned => ((u128::from(a) * u128::from(b)) >> bits) as u64,
            Self::MulHighSigned => ((signed(a) * signed(b)) >> bits) as u64,
            Self::ExtractBits => extract_bits(a, b),
            Self::DepositBits => deposit_bits(a, b),
        };
        full & mask(bits)
    }
}

fn extract_bits(value: u64, mut places: u64) -> u64 {
    let mut result = 0;
    let mut next = 0;
    while places != 0 {
        let place = places.trailing_zeros();
        result |= ((value >> place) & 1) << next;
        next += 1;
        places &= places - 1;
    }
    result
}

fn deposit_bits(mut value: u64, mut places: u64) -> u64 {
    let mut result = 0;
    while places != 0 {
        let place = places.trailing_zeros();
        result |= (value & 1) << place;
        value >>= 1;
        places &= places - 1;
    }
    result
}

impl UnaryOp {
    /// The operation on a zero-extended value of `bits` bits; the result likewise.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, a: u64) -> u64 {
        match self {
            Self::Not => !a & mask(bits),
            Self::SwapBytes => a.swap_bytes() >> (64 - bits),
            Self::PopulationCount => u64::from(a.count_ones()),
            Self::LeadingZeros => u64::from(a.leading_zeros() - (64 - bits)),
            Self::TrailingZeros => u64::from(a.trailing_zeros().min(bits)),
        }
    }
}

impl ShiftOp {
    /// The operation on a zero-extended value of `bits` bits and a count below 64.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, value: u64, count: u32) -> u64 {
        let full = match self {
            Self::Shl => value << count,
            Self::Shr => value >> count,
            Self::Sar => ((sign_extend(bits, value) as i64) >> count) as u64,
            Self::Rol => rotate_left(bits, value, count % bits),
            Self::Ror => rotate_left(bits, value, (bits - count % bits) % bits),
        };
        full & mask(bits)
    }

    /// The flags after it; `count` is not zero (SDM 2B, SAL and ROL).
    #[inline(always)]
    #[must_use]
    pub fn flags(
        self,
        bits: u32,
        old: LazyFlags,
        value: u64,
        count: u32,
        result: u64,
    ) -> LazyFlags {
        let top = |value: u64| value >> (bits - 1) & 1 != 0;
        match self {
            Self::Shl => {
                let carry = count <= bits && value >> (bits - count) & 1 != 0;
                LazyFlags::from_parts(bits, result, carry, top(result) != carry, false)
            }
            Self::Shr => {
                let carry = value >> (count - 1) & 1 != 0;
                LazyFlags::from_parts(bits, result, carry, top(value), false)
            }
            Self::Sar => {
                let carry = (sign_extend(bits, value) as i64) >> (count - 1) & 1 != 0;
                LazyFlags::from_parts(bits, result, carry, false, false)
            }
            Self::Rol => {
                let carry = result & 1 != 0;
                old.with_carry(carry).with_overflow(top(result) != carry)
            }
            Self::Ror => {
                let carry = top(result);
                old.with_carry(carry)
                    .with_overflow(carry != (result >> (bits - 2) & 1 != 0))
            }
        }
    }
}

#[inline(always)]
fn rotate_left(bits: u32, value: u64, count: u32) -> u64 {
    if count == 0 {
        value
    } else {
        value << count | value >> (bits - count)
    }
}

impl DoubleShiftOp {
    /// The result, and the last bit shifted out, for a count that is not zero.
    #[must_use]
    fn shift(self, bits: u32, value: u64, source: u64, count: u32) -> (u64, bool) {
        let wide = |high: u64, low: u64| u128::from(high) << bits | u128::from(low);
        match self {
            Self::Shld if count > bits => {
                // Undefined by the manual; hardware goes on with the source, then the value.
                Self::Shld.shift(bits, source, value, count - bits)
            }
            Self::Shrd if count > bits => Self::Shrd.shift(bits, source, value, count - bits),
            Self::Shld => {
                let both = wide(value, source) << count >> bits;
                (both as u64 & mask(bits), value >> (bits - count) & 1 != 0)
            }
            Self::Shrd => {
                let both = wide(source, value);
                (
                    (both >> count) as u64 & mask(bits),
                    both >> (count - 1) & 1 != 0,
                )
            }
            Self::Rcl => {
                let count = count % (bits + 1);
                let ring = wide(source, value);
                let turned = ring << count | ring >> (bits + 1 - count);
                (turned as u64 & mask(bits), turned >> bits & 1 != 0)
            }
            Self::Rcr => {
                let count = count % (bits + 1);
                let ring = wide(source, value);
                let turned = ring >> count | ring << (bits + 1 - count);
                (turned as u64 & mask(bits), turned >> bits & 1 != 0)
            }
        }
    }

    /// The operation on zero-extended values of `bits` bits and a count below 64.
    #[must_use]
    pub fn apply(self, bits: u32, value: u64, source: u64, count: u32) -> u64 {
        if count == 0 {
            value
        } else {
            self.shift(bits, value, source, count).0
        }
    }

    /// The flags after it; `count` is not zero (SDM 2B, SHLD and RCL).
    #[must_use]
    pub fn flags(
        self,
        bits: u32,
        old: LazyFlags,
        (value, source): (u64, u64),
        count: u32,
        result: u64,
    ) -> LazyFlags {
        let carry = self.shift(bits, value, source, count).1;
        let top = |value: u64| value >> (bits - 1) & 1 != 0;
        match self {
            Self::Shld | Self::Shrd => {
                LazyFlags::from_parts(bits, result, carry, top(result) != top(value), false)
            }
            Self::Rcl => old.with_carry(carry).with_overflow(top(result) != carry),
            Self::Rcr => {
                let overflow = top(result) != (result >> (bits - 2) & 1 != 0);
                old.with_carry(carry).with_overflow(overflow)
            }
        }
    }
}

/// How the arithmetic flags follow from an operation's values.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "operands and result of the operation named")]
pub enum Flags<V, B> {
    /// `a + b (+ carry) = sum`.
    Add { a: V, b: V, sum: V },
    /// `a - b (- carry) = difference`.
    Sub { a: V, b: V, difference: V },
    /// AND, OR, XOR, TEST: CF and OF clear.
    Logic { result: V },
    /// As `Add` with one, but CF stays.
    Increment { a: V, result: V },
    /// As `Sub` with one, but CF stays.
    Decrement { a: V, result: V },
    /// A shift; leaves the flags alone if the count is zero.
    Shift {
        op: ShiftOp,
        value: V,
        count: B,
        result: V,
    },
    /// A double shift or a rotate through CF; likewise.
    DoubleShift {
        op: DoubleShiftOp,
        value: V,
        source: V,
        count: B,
        result: V,
    },
    /// CF and OF say whether `high` holds anything that `low` does not.
    Multiply { low: V, high: V, is_signed: bool },
    /// SF and ZF from the result, CF given, OF and AF clear (the BMI group).
    Carry { result: V, carry: B },
    /// ZF says whether the value is zero; the others stay (BSF, BSR).
    Zero { value: V },
    /// CF as given (0 or 1); the others stay.
    CarryOnly { carry: B },
    /// OF as given (0 or 1); the others stay.
    OverflowOnly { overflow: B },
    /// ZF says whether the result is zero; the others are cleared.
    ZeroOnly { result: V },
}

impl<V, B> Flags<V, B> {
    /// The same update over other values.
    #[inline(always)]
    #[must_use]
    pub fn map<V2, B2>(self, value: impl Fn(V) -> V2, byte: impl Fn(B) -> B2) -> Flags<V2, B2> {
        match self {
            Self::Add { a, b, sum } => Flags::Add {
                a: value(a),
                b: value(b),
                sum: value(sum),
            },
            Self::Sub { a, b, difference } => Flags::Sub {
                a: value(a),
                b: value(b),
                difference: value(difference),
            },
            Self::Logic { result } => Flags::Logic {
                result: value(result),
            },
            Self::Increment { a, result } => Flags::Increment {
                a: value(a),
                result: value(result),
            },
            Self::Decrement { a, result } => Flags::Decrement {
                a: value(a),
                result: value(result),
            },
            Self::Shift {
                op,
                value: from,
                count,
                result,
            } => Flags::Shift {
                op,
                value: value(from),
                count: byte(count),
                result: value(result),
            },
            Self::DoubleShift {
                op,
                value: from,
                source,
                count,
                result,
            } => Flags::DoubleShift {
                op,
                value: value(from),
                source: value(source),
                count: byte(count),
                result: value(result),
            },
            Self::Multiply {
                low,
                high,
                is_signed,
            } => Flags::Multiply {
                low: value(low),
                high: value(high),
                is_signed,
            },
            Self::Carry { result, carry } => Flags::Carry {
                result: value(result),
                carry: byte(carry),
            },
            Self::Zero { value: zero } => Flags::Zero { value: value(zero) },
            Self::CarryOnly { carry } => Flags::CarryOnly { carry: byte(carry) },
            Self::OverflowOnly { overflow } => Flags::OverflowOnly {
                overflow: byte(overflow),
            },
            Self::ZeroOnly { result } => Flags::ZeroOnly {
                result: value(result),
            },
        }
    }
}

impl Flags<u64, u64> {
    /// The flags that result, from zero-extended values of `bits` bits.
    #[inline(always)]
    #[must_use]
    pub fn apply(self, bits: u32, old: LazyFlags) -> LazyFlags {
        match self {
            Self::Add { a, b, sum } => {
                LazyFlags::from_carries(bits, sum, (a & b) | ((a | b) & !sum))
            }
            Self::Sub { a, b, difference } => {
                LazyFlags::from_carries(bits, difference, (!a & b) | ((!a | b) & difference))
            }
            Self::Logic { result } => LazyFlags {
                result: sign_extend(bits, result),
                carries: 0,
            },
            Self::Increment { a, result } => {
                LazyFlags::from_carries(bits, result, (a & 1) | ((a | 1) & !result))
                    .with_carry(old.carry())
            }
            Self::Decrement { a, result } => {
                LazyFlags::from_carries(bits, result, (!a & 1) | ((!a | 1) & result))
                    .with_carry(old.carry())
            }
            Self::Shift {
                op,
                value,
                count,
                result,
            } => {
                if count == 0 {
                    old
                } else {
                    op.flags(bits, old, value, count as u32, result)
                }
            }
            Self::DoubleShift {
                op,
                value,
                source,
                count,
                result,
            } => {
                if count == 0 {
                    old
                } else {
                    op.flags(bits, old, (value, source), count as u32, result)
                }
            }
            Self::Multiply {
                low,
                high,
                is_signed,
            } => {
                let fill = if is_signed {
                    sign_extend(bits, low) >> 63
                } else {
                    0
                };
                let lost = high != (fill.wrapping_neg() & mask(bits));
                LazyFlags::from_parts(bits, low, lost, lost, false)
            }
            Self::Carry { result, carry } => {
                LazyFlags::from_parts(bits, result, carry & 1 != 0, false, false)
            }
            Self::Zero { value } => old.with_zero(value == 0),
            Self::CarryOnly { carry } => old.with_carry(carry & 1 != 0),
            Self::OverflowOnly { overflow } => old.with_overflow(overflow & 1 != 0),
            Self::ZeroOnly { result } => LazyFlags::from_status(if result == 0 {
                Rflags::ZF
            } else {
                Rflags::empty()
            }),
        }
    }
}

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
    fn modify<W: Width>(
        &mut self,
        operand: Operand<'_>,
    ) -> Result<(Self::Value<W>, Self::Spot<W>), Self::Fault>;
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
    ) -> Result<(Self::Value<W>, Self::Spot<W>), Self::Fault>;
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
    ) -> Result<(Self::Value<W>, Self::Value<W>), Self::Fault>;
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
