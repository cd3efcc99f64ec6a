//! The slow, obvious meaning of the x87 steps.

use super::Evaluation;
use crate::exception::Exit;
use crate::insn::Insn;
use crate::ir::x87::X87Step;
use crate::verbs::X87Verbs;

impl Evaluation<'_> {
    /// Carries out one step; its value, or zero.
    pub(super) fn x87(&mut self, step: X87Step, insn: &Insn) -> Result<u64, Exit> {
        match step {
            X87Step::Wait => self.cpu.wait()?,
            X87Step::Note => self.cpu.note(insn),
            X87Step::Work(op) => self.cpu.x87(op),
            X87Step::Take { op, address } => {
                let effective = self.get(address);
                self.cpu.take_at(insn, effective, op)?;
            }
            X87Step::Put {
                format,
                pops,
                address,
            } => {
                let effective = self.get(address);
                self.cpu.put_at(insn, effective, format, pops)?;
            }
            X87Step::Order {
                with,
                quiet_signals,
                pops,
            } => self.cpu.order(with, quiet_signals, pops),
            X87Step::MoveIf(from, condition) => {
                let holds = self.holds(condition);
                self.cpu.move_if(from, holds);
            }
            X87Step::Control => return Ok(self.cpu.x87_control().into()),
            X87Step::Status => return Ok(self.cpu.x87_status().into()),
            X87Step::SetControl(value) => {
                let value = self.get(value) as u16;
                self.cpu.set_x87_control(value);
            }
        }
        Ok(0)
    }
}
