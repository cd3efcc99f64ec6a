//! Records the x87 verbs.

use std::convert::Infallible;

use super::{Builder, Typed};
use crate::insn::Insn;
use crate::ir::op::{Bit, Op};
use crate::ir::x87::X87Step;
use crate::verbs::{Word, X87Verbs};
use crate::x87::{X87Format, X87Op, X87Take};

impl Builder {
    fn x87_step(&mut self, step: X87Step, width: u32) {
        self.push(Op::X87(step), width);
    }
}

impl X87Verbs for Builder {
    fn wait(&mut self) -> Result<(), Infallible> {
        self.x87_step(X87Step::Wait, 0);
        Ok(())
    }

    fn note(&mut self, _insn: &Insn) {
        self.x87_step(X87Step::Note, 0);
    }

    fn x87(&mut self, op: X87Op) {
        self.x87_step(X87Step::Work(op), 0);
    }

    fn take(&mut self, _insn: &Insn, op: X87Take) -> Result<(), Infallible> {
        let address = self.push(Op::RawAddress, 64);
        let width = 8 * op.format().bytes() as u32;
        self.x87_step(X87Step::Take { op, address }, width);
        Ok(())
    }

    fn put(&mut self, _insn: &Insn, format: X87Format, pops: bool) -> Result<(), Infallible> {
        let address = self.push(Op::RawAddress, 64);
        let step = X87Step::Put {
            format,
            pops,
            address,
        };
        self.x87_step(step, 8 * format.bytes() as u32);
        Ok(())
    }

    fn order(&mut self, with: u8, quiet_signals: bool, pops: bool) {
        let step = X87Step::Order {
            with,
            quiet_signals,
            pops,
        };
        self.x87_step(step, 0);
    }

    fn move_if(&mut self, from: u8, condition: Bit) {
        self.x87_step(X87Step::MoveIf(from, condition), 0);
    }

    fn x87_control(&mut self) -> Typed<Word> {
        self.value(Op::X87(X87Step::Control))
    }

    fn x87_status(&mut self) -> Typed<Word> {
        self.value(Op::X87(X87Step::Status))
    }

    fn set_x87_control(&mut self, value: Typed<Word>) {
        self.x87_step(X87Step::SetControl(value.0), 16);
    }
}
