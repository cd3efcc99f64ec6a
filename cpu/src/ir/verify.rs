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
        for (operand, wanted) in op.operands(width) {
            if operand.0 as usize >= position {
                return Err(2);
            }
            let (maker, made) = self.block.ops[operand.0 as usize];
            if !maker.makes_value() {
                return Err(2);
            }
            if wanted != 0 && made != wanted {
                return Err(3);
            }
        }
        let wide = matches!(op, Op::Vector(_)) && matches!(width, 128 | 256);
        if op.makes_value() && !wide && !matches!(width, 1 | 8 | 16 | 32 | 64) {
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
        if op.can_fault() && self.changed {
            return Err(6);
        }
        self.changed |= op.changes();
        Ok(())
    }
}
