//! The vocabulary of the x87 unit (SDM 1, chapter 8).

use crate::insn::Insn;
use crate::verbs::{Verbs, Word};
use crate::x87::{X87Format, X87Op, X87Take};

/// What an x87 instruction may do, besides [`Verbs`].
///
/// Order inside a meaning: [`X87Verbs::wait`], one step, [`X87Verbs::note`].
pub trait X87Verbs: Verbs {
    /// Looks for a pending exception.
    ///
    /// # Errors
    /// #MF if there is one.
    fn wait(&mut self) -> Result<(), Self::Fault>;
    /// Notes this instruction, and its memory operand, as the last one that was not for
    /// control.
    fn note(&mut self, insn: &Insn);

    /// Works on registers alone.
    fn x87(&mut self, op: X87Op);
    /// Works with the memory operand.
    ///
    /// # Errors
    /// When the access faults; nothing has changed.
    fn take(&mut self, insn: &Insn, op: X87Take) -> Result<(), Self::Fault>;
    /// Rounds ST(0) to the memory operand, unless that traps.
    ///
    /// # Errors
    /// When the access faults; nothing has changed.
    fn put(&mut self, insn: &Insn, format: X87Format, pops: bool) -> Result<(), Self::Fault>;
    /// Sets the arithmetic flags by how ST(0) and another register relate.
    fn order(&mut self, with: u8, quiet_signals: bool, pops: bool);
    /// Copies a register to ST(0) if a condition holds.
    fn move_if(&mut self, from: u8, condition: Self::Cond);

    /// The control word.
    fn x87_control(&mut self) -> Self::Value<Word>;
    /// The status word.
    fn x87_status(&mut self) -> Self::Value<Word>;
    /// Writes the control word; exceptions may become pending.
    fn set_x87_control(&mut self, value: Self::Value<Word>);
}
