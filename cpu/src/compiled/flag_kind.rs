//! Flags put aside with their operands: which operation it was, as a number that fits a
//! cell, and the way back to the flags.

use crate::flags::{LazyFlags, mask};
use crate::vector::FloatWidth;
use crate::verbs::{DoubleShiftOp, Flags, ShiftOp};

/// An operation that sets flags, with its width, as a number that fits a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagKind(pub u32);

/// Operations whose flags are found with a few instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimpleKind {
    /// The values are the sum and what was added.
    Add,
    /// The values are the difference and what was taken off.
    Sub,
    /// The values are what was compared with what.
    Compare,
    /// The values are what was tested: the result is what they have in common.
    Test,
    /// The value is the result.
    Logic,
}

impl FlagKind {
    /// The state's own flags are valid.
    pub const SETTLED: Self = Self(0);

    /// The number of the operation and its width in bits, if nothing but the flags of
    /// this one operation matters: addition, subtraction or a logical operation.
    #[must_use]
    pub const fn simple(self) -> Option<(SimpleKind, u32)> {
        let kind = match self.0 >> 2 {
            Self::COMPARE => SimpleKind::Compare,
            Self::TEST => SimpleKind::Test,
            Self::ADD => SimpleKind::Add,
            Self::SUB => SimpleKind::Sub,
            Self::LOGIC => SimpleKind::Logic,
            _ => return None,
        };
        Some((kind, 8 << (self.0 & 3)))
    }

    /// The kind of one of those, of `bits` bits.
    #[must_use]
    pub const fn of_simple(kind: SimpleKind, bits: u32) -> Self {
        let number = match kind {
            SimpleKind::Compare => Self::COMPARE,
            SimpleKind::Test => Self::TEST,
            SimpleKind::Add => Self::ADD,
            SimpleKind::Sub => Self::SUB,
            SimpleKind::Logic => Self::LOGIC,
        };
        Self(number << 2 | width_number(bits))
    }

    const INCREMENT: u32 = 1;
    const DECREMENT: u32 = 2;
    const ADD: u32 = 3;
    const SUB: u32 = 4;
    const LOGIC: u32 = 5;
    const ADD_CARRY: u32 = 6;
    const SUB_BORROW: u32 = 7;
    const MULTIPLY: u32 = 8;
    const MULTIPLY_SIGNED: u32 = 9;
    const CARRY: u32 = 10;
    const ZERO: u32 = 11;
    const CARRY_ONLY: u32 = 12;
    const OVERFLOW_ONLY: u32 = 13;
    const ZERO_ONLY: u32 = 14;
    const MULTIPLIED: u32 = 15;
    const SHIFT: u32 = 16;
    const SHIFTED_LEFT: u32 = 21;
    const SHIFTED_RIGHT_ONE: u32 = 22;
    const DOUBLE_SHIFT: u32 = 24;
    const ORDER: u32 = 32;
    const COMPARE: u32 = 33;
    const TEST: u32 = 34;
    const STATUS: u32 = 35;

    /// The first value is RFLAGS, of which the arithmetic flags count.
    pub const PUSHED: Self = Self(Self::STATUS << 2);

    /// The kind of COMISS and its like: the two numbers are kept, and the flags say how
    /// they relate.
    #[must_use]
    pub const fn order(width: FloatWidth) -> Self {
        Self(match width {
            FloatWidth::Single => Self::ORDER << 2 | 2,
            FloatWidth::Double => Self::ORDER << 2 | 3,
        })
    }

    /// The kind of a multiplication of which the low half is kept, and whether the high
    /// half says anything, in a byte.
    #[must_use]
    pub const fn multiplied(bits: u32) -> Self {
        Self(Self::MULTIPLIED << 2 | width_number(bits))
    }

    /// The kind of a shift by a constant below the width and not zero, of which the result
    /// and CF, in a byte, are kept. None for rotations.
    #[must_use]
    pub const fn shifted(op: ShiftOp, count: u64, bits: u32) -> Option<Self> {
        let number = match op {
            ShiftOp::Shl => Self::SHIFTED_LEFT,
            ShiftOp::Shr if count == 1 => Self::SHIFTED_RIGHT_ONE,
            // OF is clear.
            ShiftOp::Shr | ShiftOp::Sar => Self::CARRY,
            ShiftOp::Rol | ShiftOp::Ror => return None,
        };
        Some(Self(number << 2 | width_number(bits)))
    }

    /// The kind of an update that keeps some flags and follows from its result alone, and
    /// what it stands over: 0 is a rotation by a constant, which changes CF and OF, or a
    /// change of CF; 1 is INC or DEC, which keep CF, so that it may stand over these too.
    #[must_use]
    pub fn over<V: Copy>(flags: &Flags<V, V>, bits: u32) -> Option<(usize, Self)> {
        let (layer, number) = match flags {
            Flags::Shift {
                op: op @ (ShiftOp::Rol | ShiftOp::Ror),
                ..
            } => (0, Self::SHIFT + *op as u32),
            Flags::CarryOnly { .. } => (0, Self::CARRY_ONLY),
            Flags::Increment { .. } => (1, Self::INCREMENT),
            Flags::Decrement { .. } => (1, Self::DECREMENT),
            _ => return None,
        };
        Some((layer, Self(number << 2 | width_number(bits))))
    }

    /// The flags after an update that stands over others.
    pub(super) fn apply_over(self, result: u64, old: LazyFlags) -> LazyFlags {
        let (bits, flags) = match self.0 >> 2 {
            number @ Self::SHIFT..Self::SHIFTED_LEFT => {
                let bits = 8 << (self.0 & 3);
                let op = SHIFTS[(number - Self::SHIFT) as usize % SHIFTS.len()];
                let result = result & mask(bits);
                // Of a rotation, nothing but the result counts.
                let flags = Flags::Shift {
                    op,
                    value: result,
                    count: 1,
                    result,
                };
                (bits, flags)
            }
            _ => self.flags([result, 0, 0]),
        };
        flags.apply(bits, old)
    }

    /// The format of the numbers of [`FlagKind::order`].
    #[must_use]
    pub fn ordered(self) -> Option<FloatWidth> {
        [FloatWidth::Single, FloatWidth::Double]
            .into_iter()
            .find(|&width| self == Self::order(width))
    }

    /// The kind of a flag update of `bits` bits, and the operands to keep. `is_plain`
    /// says of an addition or subtraction that nothing was carried in.
    #[must_use]
    pub fn of<V: Copy>(flags: Flags<V, V>, bits: u32, is_plain: bool) -> (Self, [Option<V>; 3]) {
        let (number, values) = match flags {
            Flags::Add { b, sum, .. } if is_plain => (Self::ADD, [Some(sum), Some(b), None]),
            Flags::Add { a, b, sum } => (Self::ADD_CARRY, [Some(sum), Some(b), Some(a)]),
            Flags::Sub { b, difference, .. } if is_plain => {
                (Self::SUB, [Some(difference), Some(b), None])
            }
            Flags::Sub { a, b, difference } => {
                (Self::SUB_BORROW, [Some(difference), Some(b), Some(a)])
            }
            Flags::Logic { result } => (Self::LOGIC, [Some(result), None, None]),
            Flags::Increment { result, .. } => (Self::INCREMENT, [Some(result), None, None]),
            Flags::Decrement { result, .. } => (Self::DECREMENT, [Some(result), None, None]),
            Flags::Shift {
                op, value, count, ..
            } => (Self::SHIFT + op as u32, [Some(value), Some(count), None]),
            Flags::DoubleShift {
                op,
                value,
                source,
                count,
                ..
            } => (
                Self::DOUBLE_SHIFT + op as u32,
                [Some(value), Some(count), Some(source)],
            ),
            Flags::Multiply {
                low,
                high,
                is_signed,
            } => (
                if is_signed {
                    Self::MULTIPLY_SIGNED
                } else {
                    Self::MULTIPLY
                },
                [Some(low), Some(high), None],
            ),
            Flags::Carry { result, carry } => (Self::CARRY, [Some(result), Some(carry), None]),
            Flags::Zero { value } => (Self::ZERO, [Some(value), None, None]),
            Flags::CarryOnly { carry } => (Self::CARRY_ONLY, [Some(carry), None, None]),
            Flags::OverflowOnly { overflow } => (Self::OVERFLOW_ONLY, [Some(overflow), None, None]),
            Flags::ZeroOnly { result } => (Self::ZERO_ONLY, [Some(result), None, None]),
        };
        (Self(number << 2 | width_number(bits)), values)
    }

    /// The last of the single shifts that a shift is made of, from its result and CF.
    fn shifted_by_one(self, result: u64, carry: u64) -> Flags<u64, u64> {
        let bits = 8 << (self.0 & 3);
        let (op, value) = if self.0 >> 2 == Self::SHIFTED_LEFT {
            (ShiftOp::Shl, carry << (bits - 1) | result >> 1)
        } else {
            (ShiftOp::Shr, (result << 1 | carry) & mask(bits))
        };
        Flags::Shift {
            op,
            value,
            count: 1,
            result,
        }
    }

    /// The update again; operands are cut to the width.
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each kind")]
    pub(super) fn flags(self, [x, y, z]: [u64; 3]) -> (u32, Flags<u64, u64>) {
        let bits = 8 << (self.0 & 3);
        let (x, y, z) = (x & mask(bits), y & mask(bits), z & mask(bits));
        let byte = |value: u64| value & 0xff;
        let flags = match self.0 >> 2 {
            Self::INCREMENT => Flags::Increment {
                a: x.wrapping_sub(1) & mask(bits),
                result: x,
            },
            Self::DECREMENT => Flags::Decrement {
                a: x.wrapping_add(1) & mask(bits),
                result: x,
            },
            Self::ADD => Flags::Add {
                a: x.wrapping_sub(y) & mask(bits),
                b: y,
                sum: x,
            },
            Self::SUB => Flags::Sub {
                a: x.wrapping_add(y) & mask(bits),
                b: y,
                difference: x,
            },
            Self::ADD_CARRY => Flags::Add { a: z, b: y, sum: x },
            Self::SUB_BORROW => Flags::Sub {
                a: z,
                b: y,
                difference: x,
            },
            Self::MULTIPLY => Flags::Multiply {
                low: x,
                high: y,
                is_signed: false,
            },
            Self::MULTIPLY_SIGNED => Flags::Multiply {
                low: x,
                high: y,
                is_signed: true,
            },
            Self::MULTIPLIED => Flags::Multiply {
                low: x,
                high: byte(y) & 1,
                is_signed: false,
            },
            Self::CARRY => Flags::Carry {
                result: x,
                carry: byte(y),
            },
            Self::ZERO => Flags::Zero { value: x },
            Self::CARRY_ONLY => Flags::CarryOnly { carry: byte(x) },
            Self::OVERFLOW_ONLY => Flags::OverflowOnly { overflow: byte(x) },
            Self::ZERO_ONLY => Flags::ZeroOnly { result: x },
            Self::COMPARE => Flags::Sub {
                a: x,
                b: y,
                difference: x.wrapping_sub(y) & mask(bits),
            },
            Self::TEST => Flags::Logic { result: x & y },
            Self::SHIFTED_LEFT | Self::SHIFTED_RIGHT_ONE => self.shifted_by_one(x, byte(y) & 1),
            number @ Self::SHIFT..Self::DOUBLE_SHIFT => {
                let op = SHIFTS[(number - Self::SHIFT) as usize % SHIFTS.len()];
                let count = byte(y) & 63;
                Flags::Shift {
                    op,
                    value: x,
                    count,
                    result: op.apply(bits, x, count as u32),
                }
            }
            number @ Self::DOUBLE_SHIFT.. => {
                let op = DOUBLE_SHIFTS[(number - Self::DOUBLE_SHIFT) as usize % 4];
                let count = byte(y) & 63;
                Flags::DoubleShift {
                    op,
                    value: x,
                    source: z,
                    count,
                    result: op.apply(bits, x, z, count as u32),
                }
            }
            _ => Flags::Logic { result: x },
        };
        (bits, flags)
    }
}

const SHIFTS: [ShiftOp; 5] = [
    ShiftOp::Shl,
    ShiftOp::Shr,
    ShiftOp::Sar,
    ShiftOp::Rol,
    ShiftOp::Ror,
];
const DOUBLE_SHIFTS: [DoubleShiftOp; 4] = [
    DoubleShiftOp::Shld,
    DoubleShiftOp::Shrd,
    DoubleShiftOp::Rcl,
    DoubleShiftOp::Rcr,
];

const fn width_number(bits: u32) -> u32 {
    bits.trailing_zeros() - 3
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::rflags::Rflags;
    use proptest::prelude::*;

    fn each(values: [u64; 4], op: usize) -> Vec<Flags<u64, u64>> {
        let [a, b, c, old] = values;
        let _ = old;
        let (shift, double) = (SHIFTS[op % 5], DOUBLE_SHIFTS[op % 4]);
        vec![
            Flags::Increment {
                a,
                result: a.wrapping_add(1),
            },
            Flags::Decrement {
                a,
                result: a.wrapping_sub(1),
            },
            Flags::Logic { result: a },
            Flags::Multiply {
                low: a,
                high: b,
                is_signed: op & 1 != 0,
            },
            Flags::Carry {
                result: a,
                carry: b & 1,
            },
            Flags::Zero { value: a },
            Flags::CarryOnly { carry: a & 1 },
            Flags::OverflowOnly { overflow: a & 1 },
            Flags::ZeroOnly { result: a },
            Flags::Shift {
                op: shift,
                value: a,
                count: b & 63,
                result: 0,
            },
            Flags::DoubleShift {
                op: double,
                value: a,
                source: c,
                count: b & 63,
                result: 0,
            },
        ]
    }

    proptest! {
        #[test]
        fn flags_put_aside_come_back(values in any::<[u64; 4]>(), op in 0..20usize, width in 0..4u32, carried in 0..2u64) {
            let bits = 8 << width;
            let old = LazyFlags::from_status(Rflags::from_bits_truncate(values[3]) & Rflags::STATUS);
            let cut = |value: u64| value & mask(bits);
            let [a, b, _, _] = values.map(cut);
            let mut all = each(values, op);
            let sum = cut(a.wrapping_add(b).wrapping_add(carried));
            all.push(Flags::Add { a, b, sum });
            let difference = cut(a.wrapping_sub(b).wrapping_sub(carried));
            all.push(Flags::Sub { a, b, difference });
            for flags in all {
                let mut flags = flags.map(cut, |byte| byte);
                if let Flags::Shift { op, value, count, result } = &mut flags {
                    *count &= if bits == 64 { 63 } else { 31 };
                    *result = op.apply(bits, *value, *count as u32);
                }
                if let Flags::DoubleShift { op, value, source, count, result } = &mut flags {
                    *count &= if bits == 64 { 63 } else { 31 };
                    if matches!(op, DoubleShiftOp::Rcl | DoubleShiftOp::Rcr) {
                        *source &= 1;
                    }
                    *result = op.apply(bits, *value, *source, *count as u32);
                }
                let (kind, operands) = FlagKind::of(flags, bits, carried == 0);
                // What stands above the width is of no account.
                let dirty = operands.map(|value| value.unwrap_or(7) | if bits < 64 { 1 << 63 } else { 0 });
                let (width, again) = kind.flags(dirty);
                prop_assert_eq!(width, bits);
                prop_assert_eq!(again.apply(bits, old).status(), flags.apply(bits, old).status(), "{:?}", flags);
                let result = match flags {
                    Flags::CarryOnly { carry } => carry,
                    Flags::Increment { result, .. } | Flags::Decrement { result, .. } | Flags::Shift { result, .. } => result,
                    _ => 0,
                };
                let after = flags.apply(bits, old);
                let is_turned = !matches!(flags, Flags::Shift { count: 0, .. });
                if let (Some((_, over)), true) = (FlagKind::over(&flags, bits), is_turned) {
                    prop_assert_eq!(over.apply_over(result, old).status(), after.status(), "{:?}", flags);
                }
                if let Flags::Shift { op, count, result, .. } = flags
                    && count != 0 && count < u64::from(bits)
                    && let Some(kind) = FlagKind::shifted(op, count, bits)
                {
                    let (_, again) = kind.flags([result, u64::from(after.carry()), 0]);
                    prop_assert_eq!(again.apply(bits, old).status(), after.status(), "{:?}", flags);
                }
                if let (Flags::Sub { a, b, .. }, 0) = (flags, carried) {
                    let kind = FlagKind::of_simple(SimpleKind::Compare, bits);
                    let (_, again) = kind.flags([a, b, 0]);
                    prop_assert_eq!(again.apply(bits, old).status(), after.status(), "{:?}", flags);
                }
            }
        }
    }
}
