//! How the arithmetic flags follow from an operation (SDM 1, appendix A).

use super::op::{DoubleShiftOp, ShiftOp};
use crate::flags::{LazyFlags, mask, sign_extend};
use crate::rflags::Rflags;

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

impl<V: Copy, B: Copy> Flags<V, B> {
    /// The flags that it may change. `count` is the number of bits to shift by, where
    /// that is known.
    #[must_use]
    pub fn may_write(&self, count: Option<u64>) -> Rflags {
        match self {
            Self::Shift { .. } | Self::DoubleShift { .. } if count == Some(0) => Rflags::empty(),
            Self::Shift { op, .. } => op.flags_written(),
            Self::DoubleShift { op, .. } => op.flags_written(),
            Self::Increment { .. } | Self::Decrement { .. } => Rflags::STATUS - Rflags::CF,
            Self::Zero { .. } => Rflags::ZF,
            Self::CarryOnly { .. } => Rflags::CF,
            Self::OverflowOnly { .. } => Rflags::OF,
            Self::Add { .. }
            | Self::Sub { .. }
            | Self::Logic { .. }
            | Self::Multiply { .. }
            | Self::Carry { .. }
            | Self::ZeroOnly { .. } => Rflags::STATUS,
        }
    }

    /// The flags whose old value it does not keep, whatever the operands.
    #[must_use]
    pub fn must_write(&self, count: Option<u64>) -> Rflags {
        match self {
            Self::Shift { .. } | Self::DoubleShift { .. } if count.is_none() => Rflags::empty(),
            _ => self.may_write(count),
        }
    }

    /// What it shifts by, if it is a shift.
    #[must_use]
    pub fn count(&self) -> Option<B> {
        match self {
            Self::Shift { count, .. } | Self::DoubleShift { count, .. } => Some(*count),
            _ => None,
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
