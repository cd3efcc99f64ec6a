//! The IR as text, one operation a line.

use std::fmt;

use super::op::{Block, Op};

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, &(op, width)) in self.ops.iter().enumerate() {
            match op {
                Op::Begin(number) => {
                    let code = self.insns.get(number as usize).map(|insn| insn.code);
                    match code {
                        Some(code) => writeln!(f, "{code:?}:")?,
                        None => writeln!(f, "instruction {number}:")?,
                    }
                }
                Op::Call(_) => writeln!(f, "  %{position} = Call")?,
                _ if width == 0 => writeln!(f, "  {op:?}")?,
                _ => writeln!(f, "  %{position}:{width} = {op:?}")?,
            }
        }
        Ok(())
    }
}
