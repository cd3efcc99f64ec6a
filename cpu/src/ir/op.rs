//! What the IR is made of.
//!
//! Values are named by the position of the operation that makes them. Widths are
//! 8, 16, 32 or 64 bits, of vectors 64, 128 or 256; a value is zero above its width.

use std::sync::Arc;

use super::vector::VectorStep;
use super::x87::X87Step;
use crate::flags::Condition;
use crate::insn::{HelperFn, Insn};
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{BinaryOp, DoubleShiftOp, Flags, ShiftOp, UnaryOp};

/// Names the result of the operation at this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name(pub u32);

/// A truth value, named like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bit(pub Name);

/// A place found writable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A register; `true` for its bits 8 to 15.
    Gpr(Gpr, bool),
    /// What the [`Op::Locate`] of this name found.
    Memory(Name),
}

/// One operation. The instruction it belongs to is that of the last [`Op::Begin`].
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// The instruction of this number in the block starts here.
    Begin(u32),
    /// A constant.
    Constant(u64),
    /// Reads a register; `true` for its bits 8 to 15.
    ReadGpr(Gpr, bool),
    /// Writes a register. 32 bits clear the upper half, 8 and 16 leave the rest.
    WriteGpr(Gpr, bool, Name),
    /// Base, index and displacement of the instruction's memory operand, untruncated.
    RawAddress,
    /// Reads the memory operand whose raw address is given.
    Load(Name),
    /// Writes it.
    Store {
        /// The raw address.
        address: Name,
        /// What is written.
        value: Name,
    },
    /// Finds it writable; the value is what it holds.
    Locate(Name),
    /// Writes what was located.
    Commit {
        /// The [`Op::Locate`].
        place: Name,
        /// What is written.
        value: Name,
    },
    /// Reads at an offset into a segment.
    LoadSegment(SegmentRegister, Name),
    /// Writes, at an offset into a segment, a value.
    StoreSegment(SegmentRegister, Name, Name),
    /// So many bytes, or as many backwards if DF is set.
    Stride(u64),
    /// Sets DF, or clears it.
    SetDirection(bool),
    /// What a segment register holds.
    Selector(SegmentRegister),
    /// Loads a segment register; the block ends with the instruction.
    LoadSelector(SegmentRegister, Name),
    /// Stores below the stack pointer, then moves it.
    Push(Name),
    /// Reads the top of the stack.
    StackTop,
    /// Adds to the stack pointer.
    MoveStack(u64),
    /// Sets the stack pointer.
    SetStack(Name),
    /// Two operands, one result.
    Binary(BinaryOp, Name, Name),
    /// One operand, one result.
    Unary(UnaryOp, Name),
    /// A shift by a count already masked.
    Shift(ShiftOp, Name, Name),
    /// A double shift, or a rotate through CF: value, source, count.
    DoubleShift(DoubleShiftOp, Name, Name, Name),
    /// The quotient of `high:low` by the divisor; faults with #DE.
    Divide {
        /// Signed.
        is_signed: bool,
        /// Low and high half.
        dividend: (Name, Name),
        /// What it is divided by.
        divisor: Name,
    },
    /// The remainder of a [`Op::Divide`].
    Remainder(Name),
    /// Truncated, or extended by zeros.
    ZeroExtend(Name),
    /// Truncated, or extended by the sign of the width given.
    SignExtend(u32, Name),
    /// Whether a condition holds of the flags.
    Condition(Condition),
    /// Whether a value is zero.
    IsZero(Name),
    /// The second if the condition holds, else the third.
    Select(Bit, Name, Name),
    /// Records where the flags come from.
    Flags(Flags<Name, Name>),
    /// RIP after the instruction.
    NextIp,
    /// The target encoded in the instruction.
    DirectTarget,
    /// Faults unless a branch may go there.
    CheckTarget(Name),
    /// Goes there.
    Jump(Name),
    /// Goes to the encoded target if the condition holds.
    Branch(Bit),
    /// Works on vectors.
    Vector(VectorStep),
    /// Works on the x87 unit.
    X87(X87Step),
    /// Calls the interpreter's function, before which all state must be in place.
    Call(HelperFn),
}

/// A block of code, written down.
#[derive(Clone, Debug)]
pub struct Block {
    /// The instructions it was made from.
    pub insns: Arc<[Insn]>,
    /// The operations, each with its width in bits (zero if it has none).
    pub ops: Vec<(Op, u32)>,
}
