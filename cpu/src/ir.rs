//! The reader that writes down: a block of code as operations for the compiler.

mod builder;
mod eval;
mod op;
mod print;
mod shape;
mod vector;
mod verify;
mod x87;

pub use builder::Builder;
pub use eval::{Evaluated, eval, evaluate};
pub use op::{Bit, Block, Name, Op, Place};
pub use vector::VectorStep;
pub use verify::{Defect, verify};
pub use x87::X87Step;

use std::sync::Arc;

use crate::insn::{Insn, Meaning, Table};

/// Writes down a run of instructions; none if rax does not implement one of them.
#[must_use]
pub fn lift(insns: &[Insn]) -> Option<Block> {
    lift_into(&Arc::from(insns), Vec::new())
}

/// The same, in the place of another block's operations.
#[must_use]
pub fn lift_into(insns: &Arc<[Insn]>, ops: Vec<(Op, u32)>) -> Option<Block> {
    let mut builder = Builder::new(Arc::clone(insns), ops);
    for insn in &**insns {
        let row = Table::any_row(insn.code)?;
        builder.begin();
        match row.meaning {
            Meaning::Shared { lift_memory, .. } if insn.has_memory() => {
                lift_memory(&mut builder, insn);
            }
            Meaning::Shared { lift_register, .. } => lift_register(&mut builder, insn),
            Meaning::Helper { function, .. } => builder.call(function),
        }
    }
    Some(builder.finish())
}

#[cfg(test)]
mod tests;
