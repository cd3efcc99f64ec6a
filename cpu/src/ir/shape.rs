//! What each operation takes, gives and may do: the facts that the law and the
//! passes stand on.

use std::cell::RefCell;

use super::op::{Bit, Block, Name, Op};
use crate::verbs::Flags;

impl Op {
    /// Whether it makes a value, which its position names.
    #[must_use]
    #[inline]
    pub const fn makes_value(self) -> bool {
        if let Self::Vector(step) = self {
            return step.makes_value();
        }
        if let Self::X87(step) = self {
            return step.makes_value();
        }
        !matches!(
            self,
            Self::Begin(_)
                | Self::WriteGpr(..)
                | Self::Store { .. }
                | Self::Commit { .. }
                | Self::StoreSegment(..)
                | Self::SetDirection(_)
                | Self::LoadSelector(..)
                | Self::Push(_)
                | Self::MoveStack(_)
                | Self::SetStack(_)
                | Self::Flags(_)
                | Self::CheckTarget(_)
                | Self::Jump(_)
                | Self::Branch(_)
                | Self::Call(_)
        )
    }

    /// Whether it may cut its instruction short. A call may too; what it then
    /// leaves behind is its own affair, so that the law does not count it.
    #[must_use]
    #[inline]
    pub const fn can_fault(self) -> bool {
        if let Self::Vector(step) = self {
            return step.can_fault();
        }
        if let Self::X87(step) = self {
            return step.can_fault();
        }
        matches!(
            self,
            Self::Load(_)
                | Self::Store { .. }
                | Self::Locate(_)
                | Self::LoadSegment(..)
                | Self::StoreSegment(..)
                | Self::LoadSelector(..)
                | Self::Push(_)
                | Self::StackTop
                | Self::Divide { .. }
                | Self::CheckTarget(_)
                | Self::Branch(_)
        )
    }

    /// Whether nothing that can fault may follow it within its instruction.
    #[must_use]
    #[inline]
    pub const fn changes(self) -> bool {
        if let Self::Vector(step) = self {
            return step.changes();
        }
        if let Self::X87(step) = self {
            return step.changes();
        }
        matches!(
            self,
            Self::WriteGpr(..)
                | Self::Commit { .. }
                | Self::Store { .. }
                | Self::StoreSegment(..)
                | Self::SetDirection(_)
                | Self::LoadSelector(..)
                | Self::Push(_)
                | Self::MoveStack(_)
                | Self::SetStack(_)
                | Self::Flags(_)
                | Self::Jump(_)
                | Self::Branch(_)
        )
    }

    /// Whether it writes memory: a device or the running block itself may be hit, so
    /// that the block may have to be left after this instruction.
    #[must_use]
    #[inline]
    pub const fn writes_memory(self) -> bool {
        if let Self::Vector(step) = self {
            return step.writes_memory();
        }
        if let Self::X87(step) = self {
            return step.writes_memory();
        }
        matches!(
            self,
            Self::Store { .. } | Self::StoreSegment(..) | Self::Commit { .. } | Self::Push(_)
        )
    }

    /// Whether it sets all six arithmetic flags by comparing numbers.
    #[must_use]
    #[inline]
    pub const fn orders(self) -> bool {
        match self {
            Self::Vector(step) => step.sets_flags(),
            Self::X87(step) => step.sets_flags(),
            _ => false,
        }
    }

    /// The operands, with the width each must have (zero for any); `width` is the
    /// operation's own.
    #[must_use]
    pub fn operands(self, width: u32) -> Vec<(Name, u32)> {
        match self {
            Self::Begin(_)
            | Self::Constant(_)
            | Self::ReadGpr(..)
            | Self::RawAddress
            | Self::StackTop
            | Self::MoveStack(_)
            | Self::Stride(_)
            | Self::SetDirection(_)
            | Self::Selector(_)
            | Self::Condition(_)
            | Self::NextIp
            | Self::DirectTarget
            | Self::Call(_) => vec![],
            Self::WriteGpr(_, _, value) | Self::Push(value) | Self::Unary(_, value) => {
                vec![(value, width)]
            }
            Self::Load(address) | Self::Locate(address) => vec![(address, 64)],
            Self::LoadSegment(_, offset) => vec![(offset, 64)],
            Self::StoreSegment(_, offset, value) => vec![(offset, 64), (value, width)],
            Self::LoadSelector(_, value) => vec![(value, 16)],
            Self::Store { address, value } => vec![(address, 64), (value, width)],
            Self::Commit { place, value } => vec![(place, width), (value, width)],
            Self::SetStack(value) | Self::CheckTarget(value) | Self::Jump(value) => {
                vec![(value, 64)]
            }
            Self::Binary(_, a, b) => vec![(a, width), (b, width)],
            Self::Shift(_, value, count) => vec![(value, width), (count, 8)],
            Self::DoubleShift(_, value, source, count) => {
                vec![(value, width), (source, width), (count, 8)]
            }
            Self::Divide {
                dividend: (low, high),
                divisor,
                ..
            } => {
                vec![(low, width), (high, width), (divisor, width)]
            }
            Self::Remainder(divide) => vec![(divide, width)],
            Self::ZeroExtend(value) | Self::IsZero(value) => vec![(value, 0)],
            Self::SignExtend(from, value) => vec![(value, from)],
            Self::Select(condition, yes, no) => vec![(condition.0, 1), (yes, width), (no, width)],
            Self::Branch(condition) => vec![(condition.0, 1)],
            Self::Flags(flags) => flag_operands(flags, width),
            Self::Vector(step) => step.operands(width),
            Self::X87(step) => step.operands(width),
        }
    }

    /// The same operation over other operands.
    #[must_use]
    pub fn map_names(self, name: impl Fn(Name) -> Name) -> Self {
        match self {
            Self::Begin(_)
            | Self::Constant(_)
            | Self::ReadGpr(..)
            | Self::RawAddress
            | Self::StackTop
            | Self::MoveStack(_)
            | Self::Stride(_)
            | Self::SetDirection(_)
            | Self::Selector(_)
            | Self::Condition(_)
            | Self::NextIp
            | Self::DirectTarget
            | Self::Call(_) => self,
            Self::WriteGpr(register, is_high, value) => {
                Self::WriteGpr(register, is_high, name(value))
            }
            Self::Push(value) => Self::Push(name(value)),
            Self::Unary(op, value) => Self::Unary(op, name(value)),
            Self::Load(address) => Self::Load(name(address)),
            Self::Locate(address) => Self::Locate(name(address)),
            Self::LoadSegment(segment, offset) => Self::LoadSegment(segment, name(offset)),
            Self::StoreSegment(segment, offset, value) => {
                Self::StoreSegment(segment, name(offset), name(value))
            }
            Self::LoadSelector(segment, value) => Self::LoadSelector(segment, name(value)),
            Self::Store { address, value } => Self::Store {
                address: name(address),
                value: name(value),
            },
            Self::Commit { place, value } => Self::Commit {
                place: name(place),
                value: name(value),
            },
            Self::SetStack(value) => Self::SetStack(name(value)),
            Self::CheckTarget(value) => Self::CheckTarget(name(value)),
            Self::Jump(value) => Self::Jump(name(value)),
            Self::Binary(op, a, b) => Self::Binary(op, name(a), name(b)),
            Self::Shift(op, value, count) => Self::Shift(op, name(value), name(count)),
            Self::DoubleShift(op, value, source, count) => {
                Self::DoubleShift(op, name(value), name(source), name(count))
            }
            Self::Divide {
                is_signed,
                dividend: (low, high),
                divisor,
            } => Self::Divide {
                is_signed,
                dividend: (name(low), name(high)),
                divisor: name(divisor),
            },
            Self::Remainder(divide) => Self::Remainder(name(divide)),
            Self::ZeroExtend(value) => Self::ZeroExtend(name(value)),
            Self::IsZero(value) => Self::IsZero(name(value)),
            Self::SignExtend(from, value) => Self::SignExtend(from, name(value)),
            Self::Select(condition, yes, no) => {
                Self::Select(Bit(name(condition.0)), name(yes), name(no))
            }
            Self::Branch(condition) => Self::Branch(Bit(name(condition.0))),
            Self::Flags(flags) => Self::Flags(flags.map(&name, &name)),
            Self::Vector(step) => Self::Vector(step.map_names(name)),
            Self::X87(step) => Self::X87(step.map_names(name)),
        }
    }

    /// Calls `visit` with each operand.
    pub fn for_each_name(self, visit: impl FnMut(Name)) {
        let visit = RefCell::new(visit);
        let _ = self.map_names(|name| {
            (visit.borrow_mut())(name);
            name
        });
    }
}

fn flag_operands(flags: Flags<Name, Name>, width: u32) -> Vec<(Name, u32)> {
    let found = RefCell::new(Vec::new());
    let _ = flags.map(
        |value| found.borrow_mut().push((value, width)),
        |byte| found.borrow_mut().push((byte, 8)),
    );
    found.into_inner()
}

impl Block {
    /// Removes the operations that `keep` refuses, and names the others anew. Nothing
    /// that is kept may name something that is not.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut names = Vec::with_capacity(self.ops.len());
        let mut kept = 0;
        for position in 0..self.ops.len() {
            names.push(Name(kept as u32));
            if keep(position) {
                let (op, width) = self.ops[position];
                self.ops[kept] = (op.map_names(|name| names[name.0 as usize]), width);
                kept += 1;
            }
        }
        self.ops.truncate(kept);
    }
}
