//! The part of the IR that MMX, SSE and AVX need.

use super::op::Name;
use crate::vector::{
    ConvertOp, CrossOp, FloatOp, FloatShape, FloatUnaryOp, FloatWidth, FusedOp, Lane, ShuffleOp,
    VectorOp, VectorShiftOp, VectorTernaryOp, VectorUnaryOp,
};

/// An operation on vectors. The width noted beside it is that of its result, or
/// else of the vector it works on: 64 bits for MMX, 128 for XMM and 256 for YMM registers.
/// An operation on 256 bits works on each half by itself, except where lanes grow or shrink.
#[derive(Clone, Copy, Debug)]
pub enum VectorStep {
    /// Faults with #MF if an x87 exception is pending.
    CheckX87,
    /// Marks all x87 registers in use, with the stack's top at zero.
    EnterMmx,
    /// Marks all x87 registers empty, with the stack's top at zero.
    LeaveMmx,
    /// Reads a register of the file that the width tells.
    Read(u8),
    /// Writes a register of the file that the width tells; what is above stays.
    Write(u8, Name),
    /// Writes an XMM or YMM register; what is above is cleared.
    WriteVex(u8, Name),
    /// Clears the first registers of 256 bits, or the upper half of each.
    Clear {
        /// How many.
        count: u8,
        /// Not only the upper half.
        whole: bool,
    },
    /// Reads the memory operand.
    Load {
        /// Its raw address.
        address: Name,
        /// Faults with #GP unless it is a multiple of the width.
        is_aligned: bool,
    },
    /// Writes the memory operand.
    Store {
        /// Its raw address.
        address: Name,
        /// Faults with #GP unless it is a multiple of the width.
        is_aligned: bool,
        /// What is written.
        value: Name,
    },
    /// Reads the lanes of the memory operand whose sign is set in a mask; zeros for the others.
    LoadMasked {
        /// Its raw address.
        address: Name,
        /// How it is divided.
        lane: Lane,
        /// The mask.
        mask: Name,
    },
    /// Writes the lanes of the memory operand whose sign is set in a mask.
    StoreMasked {
        /// Its raw address.
        address: Name,
        /// How it is divided.
        lane: Lane,
        /// The mask.
        mask: Name,
        /// What is written.
        value: Name,
    },
    /// MXCSR.
    Mxcsr,
    /// Writes MXCSR; faults with #GP if a reserved bit is set.
    SetMxcsr(Name),
    /// A half of 256 bits; the high one if `true`.
    Half(Name, bool),
    /// 128 bits as the low half of 256, zeros above.
    FromHalf(Name),
    /// A value in the lowest lane, zeros in the others.
    Widen(Name),
    /// The lane of this width at an index, out of a vector of `from` bits.
    Extract {
        /// The vector's width.
        from: u32,
        /// The vector.
        vector: Name,
        /// Which lane.
        index: u8,
    },
    /// The vector with one lane replaced.
    Insert {
        /// The vector.
        vector: Name,
        /// Which lane.
        index: u8,
        /// The lane's width.
        bits: u32,
        /// What is put there.
        value: Name,
    },
    /// The sign bits of the lanes of a vector of `from` bits.
    SignMask {
        /// The vector's width.
        from: u32,
        /// The vector.
        vector: Name,
        /// How it is divided.
        lane: Lane,
    },
    /// One vector of integers, one result.
    Unary(VectorUnaryOp, Name),
    /// Three vectors of integers, one result.
    Ternary(VectorTernaryOp, Name, Name, Name),
    /// Two vectors of integers, one result.
    Binary(VectorOp, Name, Name),
    /// Two vectors, one result, across pieces of 128 bits.
    Cross(CrossOp, Name, Name),
    /// Lanes chosen by an immediate.
    Shuffle(ShuffleOp, Name, Name, u8),
    /// A shift by one count of 64 bits, which is not masked.
    Shift(VectorShiftOp, Name, Name),
    /// Two vectors of numbers, one result; may fault with #XM.
    Float(FloatOp, FloatShape, Name, Name),
    /// One vector of numbers, the second; may fault with #XM.
    FloatUnary(FloatUnaryOp, FloatShape, Name, Name),
    /// Three vectors of numbers, one result; may fault with #XM.
    Fused(FusedOp, FloatShape, [Name; 3]),
    /// Sets the flags by how the lowest lanes relate; may fault with #XM.
    FloatOrder {
        /// The numbers' format.
        width: FloatWidth,
        /// A quiet NaN raises IE too.
        quiet_signals: bool,
        /// The first vector.
        a: Name,
        /// The second.
        b: Name,
    },
    /// Sets ZF if the vectors have no bit in common and CF if the second has none of its
    /// own, and clears the other flags.
    Test {
        /// Only the signs of these lanes count.
        signs: Option<Lane>,
        /// The first vector.
        a: Name,
        /// The second.
        b: Name,
    },
    /// Converts the second vector; may fault with #XM.
    Convert(ConvertOp, Name, Name),
    /// A vector with its lowest lane made from a signed integer; may fault with #XM.
    FromInteger {
        /// The number's format.
        width: FloatWidth,
        /// Where the other lanes come from.
        vector: Name,
        /// The integer's width.
        bits: u32,
        /// The integer.
        value: Name,
    },
    /// The lowest lane of a vector of `from` bits as a signed integer; may fault with #XM.
    ToInteger {
        /// The number's format.
        width: FloatWidth,
        /// Rounds toward zero, whatever MXCSR says.
        truncate: bool,
        /// The vector's width.
        from: u32,
        /// The vector.
        vector: Name,
    },
}

impl VectorStep {
    /// The operands, with the width each must have; `width` is the step's own.
    #[must_use]
    pub fn operands(self, width: u32) -> Vec<(Name, u32)> {
        match self {
            Self::CheckX87
            | Self::EnterMmx
            | Self::LeaveMmx
            | Self::Read(_)
            | Self::Mxcsr
            | Self::Clear { .. } => vec![],
            Self::SetMxcsr(value) => vec![(value, 32)],
            Self::LoadMasked { address, mask, .. } => vec![(address, 64), (mask, width)],
            Self::StoreMasked {
                address,
                mask,
                value,
                ..
            } => vec![(address, 64), (mask, width), (value, width)],
            Self::Write(_, value) | Self::WriteVex(_, value) | Self::Unary(_, value) => {
                vec![(value, width)]
            }
            Self::Half(value, _) => vec![(value, 256)],
            Self::FromHalf(value) => vec![(value, 128)],
            Self::Fused(_, _, operands) => operands.map(|operand| (operand, width)).to_vec(),
            Self::Ternary(_, a, b, c) => vec![(a, width), (b, width), (c, width)],
            Self::Load { address, .. } => vec![(address, 64)],
            Self::Store { address, value, .. } => vec![(address, 64), (value, width)],
            Self::Widen(value) => vec![(value, 0)],
            Self::Extract { from, vector, .. }
            | Self::SignMask { from, vector, .. }
            | Self::ToInteger { from, vector, .. } => vec![(vector, from)],
            Self::Insert {
                vector,
                bits,
                value,
                ..
            }
            | Self::FromInteger {
                vector,
                bits,
                value,
                ..
            } => vec![(vector, width), (value, bits)],
            Self::Shift(_, value, count) => vec![(value, width), (count, 64)],
            Self::Binary(_, a, b)
            | Self::Cross(_, a, b)
            | Self::Shuffle(_, a, b, _)
            | Self::Float(_, _, a, b)
            | Self::FloatUnary(_, _, a, b)
            | Self::FloatOrder { a, b, .. }
            | Self::Test { a, b, .. }
            | Self::Convert(_, a, b) => vec![(a, width), (b, width)],
        }
    }

    /// Whether it makes a value.
    #[must_use]
    #[inline]
    pub const fn makes_value(self) -> bool {
        !matches!(
            self,
            Self::CheckX87
                | Self::EnterMmx
                | Self::LeaveMmx
                | Self::Write(..)
                | Self::WriteVex(..)
                | Self::Clear { .. }
                | Self::Store { .. }
                | Self::StoreMasked { .. }
                | Self::SetMxcsr(_)
                | Self::FloatOrder { .. }
                | Self::Test { .. }
        )
    }

    /// Whether it may cut its instruction short.
    #[must_use]
    #[inline]
    pub const fn can_fault(self) -> bool {
        matches!(
            self,
            Self::CheckX87
                | Self::Load { .. }
                | Self::Store { .. }
                | Self::LoadMasked { .. }
                | Self::StoreMasked { .. }
                | Self::SetMxcsr(_)
                | Self::Float(..)
                | Self::FloatUnary(..)
                | Self::Fused(..)
                | Self::FloatOrder { .. }
                | Self::Convert(..)
                | Self::FromInteger { .. }
                | Self::ToInteger { .. }
        )
    }

    /// Whether nothing that can fault may follow it within its instruction.
    /// What floating-point steps record in MXCSR does not count: it stays recorded.
    #[must_use]
    #[inline]
    pub const fn changes(self) -> bool {
        matches!(
            self,
            Self::EnterMmx
                | Self::LeaveMmx
                | Self::Write(..)
                | Self::WriteVex(..)
                | Self::Clear { .. }
                | Self::Store { .. }
                | Self::StoreMasked { .. }
                | Self::SetMxcsr(_)
                | Self::FloatOrder { .. }
                | Self::Test { .. }
        )
    }

    /// Whether it writes memory.
    #[must_use]
    #[inline]
    pub const fn writes_memory(self) -> bool {
        matches!(self, Self::Store { .. } | Self::StoreMasked { .. })
    }

    /// Whether it sets all six arithmetic flags.
    #[must_use]
    #[inline]
    pub const fn sets_flags(self) -> bool {
        matches!(self, Self::FloatOrder { .. } | Self::Test { .. })
    }

    /// The same step over other operands.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one arm a step")]
    pub fn map_names(self, name: impl Fn(Name) -> Name) -> Self {
        match self {
            Self::CheckX87
            | Self::EnterMmx
            | Self::LeaveMmx
            | Self::Read(_)
            | Self::Mxcsr
            | Self::Clear { .. } => self,
            Self::SetMxcsr(value) => Self::SetMxcsr(name(value)),
            Self::LoadMasked {
                address,
                lane,
                mask,
            } => Self::LoadMasked {
                address: name(address),
                lane,
                mask: name(mask),
            },
            Self::StoreMasked {
                address,
                lane,
                mask,
                value,
            } => Self::StoreMasked {
                address: name(address),
                lane,
                mask: name(mask),
                value: name(value),
            },
            Self::Test { signs, a, b } => Self::Test {
                signs,
                a: name(a),
                b: name(b),
            },
            Self::Write(register, value) => Self::Write(register, name(value)),
            Self::WriteVex(register, value) => Self::WriteVex(register, name(value)),
            Self::Half(value, is_high) => Self::Half(name(value), is_high),
            Self::FromHalf(value) => Self::FromHalf(name(value)),
            Self::Cross(op, a, b) => Self::Cross(op, name(a), name(b)),
            Self::Fused(op, shape, operands) => Self::Fused(op, shape, operands.map(name)),
            Self::Load {
                address,
                is_aligned,
            } => Self::Load {
                address: name(address),
                is_aligned,
            },
            Self::Store {
                address,
                is_aligned,
                value,
            } => Self::Store {
                address: name(address),
                is_aligned,
                value: name(value),
            },
            Self::Widen(value) => Self::Widen(name(value)),
            Self::Extract {
                from,
                vector,
                index,
            } => Self::Extract {
                from,
                vector: name(vector),
                index,
            },
            Self::Insert {
                vector,
                index,
                bits,
                value,
            } => Self::Insert {
                vector: name(vector),
                index,
                bits,
                value: name(value),
            },
            Self::SignMask { from, vector, lane } => Self::SignMask {
                from,
                vector: name(vector),
                lane,
            },
            Self::Unary(op, a) => Self::Unary(op, name(a)),
            Self::Ternary(op, a, b, c) => Self::Ternary(op, name(a), name(b), name(c)),
            Self::Binary(op, a, b) => Self::Binary(op, name(a), name(b)),
            Self::Shuffle(op, a, b, order) => Self::Shuffle(op, name(a), name(b), order),
            Self::Shift(op, value, count) => Self::Shift(op, name(value), name(count)),
            Self::Float(op, shape, a, b) => Self::Float(op, shape, name(a), name(b)),
            Self::FloatUnary(op, shape, a, b) => Self::FloatUnary(op, shape, name(a), name(b)),
            Self::FloatOrder {
                width,
                quiet_signals,
                a,
                b,
            } => Self::FloatOrder {
                width,
                quiet_signals,
                a: name(a),
                b: name(b),
            },
            Self::Convert(op, a, b) => Self::Convert(op, name(a), name(b)),
            Self::FromInteger {
                width,
                vector,
                bits,
                value,
            } => Self::FromInteger {
                width,
                vector: name(vector),
                bits,
                value: name(value),
            },
            Self::ToInteger {
                width,
                truncate,
                from,
                vector,
            } => Self::ToInteger {
                width,
                truncate,
                from,
                vector: name(vector),
            },
        }
    }
}
