//! The law of the IR, checked:
//!
//! 1. The first operation is [`Op::Begin`] of instruction 0; numbers rise by one.
//! 2. An operand names an earlier operation that makes a value.
//! 3. Widths are 8, 16, 32 or 64, of vectors 64, 128 or 256; operands of one operation have its width,
//!    counts 8 bits, addresses 64, truth values 1. Halves of 256 bits have 128, and the other way round.
//! 4. [`Op::Commit`] names an [`Op::Locate`] of its own instruction and width, and
//!    each place is committed at most once.
//! 5. [`Op::Remainder`] names an [`Op::Divide`].
//! 6. After [`Op::Commit`], [`Op::Jump`], [`Op::Branch`] or a write of a register,
//!    the instruction does nothing that can fault.

use super::op::{Block, Name, Op};
use crate::verbs::Flags;

/// How a block breaks the law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// Position of the operation.
    pub position: usize,
    /// The paragraph of the law.
    pub paragraph: u8,
}

/// Checks a block.
///
/// # Errors
/// The first breach.
pub fn verify(block: &Block) -> Result<(), Defect> {
    let mut law = Law {
        block,
        begun: None,
        changed: false,
        committed: Vec::new(),
    };
    for position in 0..block.ops.len() {
        law.check(position).map_err(|paragraph| Defect {
            position,
            paragraph,
        })?;
    }
    Ok(())
}

struct Law<'a> {
    block: &'a Block,
    begun: Option<(u32, usize)>,
    changed: bool,
    committed: Vec<Name>,
}

impl Law<'_> {
    fn check(&mut self, position: usize) -> Result<(), u8> {
        let (op, width) = self.block.ops[position];
        if let Op::Begin(number) = op {
            let expected = self.begun.map_or(0, |(last, _)| last + 1);
            if number != expected || number as usize >= self.block.insns.len() {
                return Err(1);
            }
            self.begun = Some((number, position));
            self.changed = false;
            return Ok(());
        }
        let Some((_, start)) = self.begun else {
            return Err(1);
        };
        for (operand, wanted) in operands(op, width) {
            if operand.0 as usize >= position {
                return Err(2);
            }
            let (maker, made) = self.block.ops[operand.0 as usize];
            if !makes_value(maker) {
                return Err(2);
            }
            if wanted != 0 && made != wanted {
                return Err(3);
            }
        }
        let wide = matches!(op, Op::Vector(_)) && matches!(width, 128 | 256);
        if makes_value(op) && !wide && !matches!(width, 1 | 8 | 16 | 32 | 64) {
            return Err(3);
        }
        match op {
            Op::Commit { place, .. } => {
                let (maker, _) = self.block.ops[place.0 as usize];
                let own = place.0 as usize > start && matches!(maker, Op::Locate(_));
                if !own || self.committed.contains(&place) {
                    return Err(4);
                }
                self.committed.push(place);
            }
            Op::Remainder(name)
                if !matches!(self.block.ops[name.0 as usize].0, Op::Divide { .. }) =>
            {
                return Err(5);
            }
            _ => {}
        }
        if can_fault(op) && self.changed {
            return Err(6);
        }
        self.changed |= changes(op);
        Ok(())
    }
}

/// The operands of an operation, with the width each must have (zero for any).
fn operands(op: Op, width: u32) -> Vec<(Name, u32)> {
    match op {
        Op::Begin(_)
        | Op::Constant(_)
        | Op::ReadGpr(..)
        | Op::RawAddress
        | Op::StackTop
        | Op::MoveStack(_)
        | Op::Condition(_)
        | Op::NextIp
        | Op::DirectTarget
        | Op::Call(_) => vec![],
        Op::WriteGpr(_, _, value) | Op::Push(value) | Op::Unary(_, value) => vec![(value, width)],
        Op::Load(address) | Op::Locate(address) => vec![(address, 64)],
        Op::LoadSegment(_, offset) => vec![(offset, 64)],
        Op::Store { address, value } => vec![(address, 64), (value, width)],
        Op::Commit { place, value } => vec![(place, width), (value, width)],
        Op::SetStack(value) | Op::CheckTarget(value) | Op::Jump(value) => vec![(value, 64)],
        Op::Binary(_, a, b) => vec![(a, width), (b, width)],
        Op::Shift(_, value, count) => vec![(value, width), (count, 8)],
        Op::DoubleShift(_, value, source, count) => {
            vec![(value, width), (source, width), (count, 8)]
        }
        Op::Divide {
            dividend: (low, high),
            divisor,
            ..
        } => {
            vec![(low, width), (high, width), (divisor, width)]
        }
        Op::Remainder(divide) => vec![(divide, width)],
        Op::ZeroExtend(value) | Op::IsZero(value) => vec![(value, 0)],
        Op::SignExtend(from, value) => vec![(value, from)],
        Op::Select(condition, yes, no) => vec![(condition.0, 1), (yes, width), (no, width)],
        Op::Branch(condition) => vec![(condition.0, 1)],
        Op::Flags(flags) => flag_operands(flags, width),
        Op::Vector(step) => step.operands(width),
    }
}

fn flag_operands(flags: Flags<Name, Name>, width: u32) -> Vec<(Name, u32)> {
    let found = std::cell::RefCell::new(Vec::new());
    let _ = flags.map(
        |value| found.borrow_mut().push((value, width)),
        |byte| found.borrow_mut().push((byte, 8)),
    );
    found.into_inner()
}

const fn makes_value(op: Op) -> bool {
    if let Op::Vector(step) = op {
        return step.makes_value();
    }
    !matches!(
        op,
        Op::Begin(_)
            | Op::WriteGpr(..)
            | Op::Store { .. }
            | Op::Commit { .. }
            | Op::Push(_)
            | Op::MoveStack(_)
            | Op::SetStack(_)
            | Op::Flags(_)
            | Op::CheckTarget(_)
            | Op::Jump(_)
            | Op::Branch(_)
            | Op::Call(_)
    )
}

const fn can_fault(op: Op) -> bool {
    if let Op::Vector(step) = op {
        return step.can_fault();
    }
    matches!(
        op,
        Op::Load(_)
            | Op::Store { .. }
            | Op::Locate(_)
            | Op::LoadSegment(..)
            | Op::Push(_)
            | Op::StackTop
            | Op::Divide { .. }
            | Op::CheckTarget(_)
            | Op::Branch(_)
    )
}

const fn changes(op: Op) -> bool {
    if let Op::Vector(step) = op {
        return step.changes();
    }
    matches!(
        op,
        Op::WriteGpr(..)
            | Op::Commit { .. }
            | Op::Store { .. }
            | Op::Push(_)
            | Op::MoveStack(_)
            | Op::SetStack(_)
            | Op::Flags(_)
            | Op::Jump(_)
            | Op::Branch(_)
    )
}
