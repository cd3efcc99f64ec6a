//! The part of the IR that x87 instructions need.

use super::op::{Bit, Name};
use crate::x87::{X87Format, X87Op, X87Take};

/// An operation on the x87 unit. The width noted beside it is that of its result, or else of
/// its memory operand: up to 80 bits.
#[derive(Clone, Copy, Debug)]
pub enum X87Step {
    /// Faults with #MF if an exception is pending.
    Wait,
    /// Notes the instruction and its memory operand as the last ones.
    Note,
    /// Works on registers alone.
    Work(X87Op),
    /// Works with the memory operand.
    Take {
        /// What it does.
        op: X87Take,
        /// The operand's raw address.
        address: Name,
    },
    /// Rounds ST(0) to the memory operand.
    Put {
        /// As what.
        format: X87Format,
        /// Pops ST(0) afterwards.
        pops: bool,
        /// The operand's raw address.
        address: Name,
    },
    /// Sets the flags by how ST(0) and another register relate.
    Order {
        /// The other register.
        with: u8,
        /// A quiet NaN raises IE too.
        quiet_signals: bool,
        /// Pops ST(0) afterwards.
        pops: bool,
    },
    /// Copies a register to ST(0) if a condition holds.
    MoveIf(u8, Bit),
    /// Reads the control word.
    Control,
    /// Reads the status word.
    Status,
    /// Writes the control word.
    SetControl(Name),
}

impl X87Step {
    /// The operands, with the width each must have; `width` is the step's own.
    #[must_use]
    pub fn operands(self, width: u32) -> Vec<(Name, u32)> {
        match self {
            Self::Take { address, .. } | Self::Put { address, .. } => vec![(address, 64)],
            Self::MoveIf(_, condition) => vec![(condition.0, 1)],
            Self::SetControl(value) => vec![(value, width)],
            _ => vec![],
        }
    }

    /// Whether it makes a value.
    #[must_use]
    #[inline]
    pub const fn makes_value(self) -> bool {
        matches!(self, Self::Control | Self::Status)
    }

    /// Whether it may cut its instruction short.
    #[must_use]
    #[inline]
    pub const fn can_fault(self) -> bool {
        matches!(self, Self::Wait | Self::Take { .. } | Self::Put { .. })
    }

    /// Whether nothing that can fault may follow it within its instruction.
    #[must_use]
    #[inline]
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Wait | Self::Control | Self::Status)
    }

    /// Whether it writes memory.
    #[must_use]
    #[inline]
    pub const fn writes_memory(self) -> bool {
        matches!(self, Self::Put { .. })
    }

    /// Whether it sets all six arithmetic flags.
    #[must_use]
    #[inline]
    pub const fn sets_flags(self) -> bool {
        matches!(self, Self::Order { .. })
    }

    /// The same step over other operands.
    #[must_use]
    pub fn map_names(self, name: impl Fn(Name) -> Name) -> Self {
        match self {
            Self::Take { op, address } => Self::Take {
                op,
                address: name(address),
            },
            Self::Put {
                format,
                pops,
                address,
            } => Self::Put {
                format,
                pops,
                address: name(address),
            },
            Self::MoveIf(from, condition) => Self::MoveIf(from, Bit(name(condition.0))),
            Self::SetControl(value) => Self::SetControl(name(value)),
            _ => self,
        }
    }
}
