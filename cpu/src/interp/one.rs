//! One instruction by itself, its exception handed back: for tests, and for whoever
//! compares two readers of one meaning.

use super::{Interpreter, leave_early};
use crate::Cpu;
use crate::exception::Exception;
use crate::mode::Mode;
use crate::processor::Departure;
use crate::state::Gpr;

impl Interpreter {
    /// Executes the instruction at CS:RIP and nothing around it: no interrupt, no
    /// breakpoint, no trap. Of a repeated string instruction this is one step.
    ///
    /// # Errors
    /// The exception it raises, not delivered; RIP is at the instruction.
    pub fn execute_one(&mut self, cpu: &mut Cpu) -> Result<(), Exception> {
        cpu.leave = false;
        cpu.position = 0;
        self.forget_overwritten(cpu);
        cpu.mmu.sync_map();
        cpu.mode.insert(Mode::SINGLE);
        let found = self.find(cpu);
        cpu.mode = Mode::of(&cpu.state);
        let Ok(id) = found else {
            return Err(taken(cpu));
        };
        let block = self.cache.block(id);
        let insn = &block.insns[0];
        let rip = cpu.state.rip;
        cpu.state.set_gpr(Gpr::BlockRip, rip);
        cpu.state.rip = cpu.ip_after(insn);
        cpu.departure = Departure::FallThrough;
        match (insn.handler)(cpu, insn, &[]) {
            Ok(()) => cpu.state.instructions += 1,
            Err(exit) => {
                if !leave_early(cpu, &block.insns, exit) {
                    return Err(taken(cpu));
                }
            }
        }
        Ok(())
    }
}

fn taken(cpu: &mut Cpu) -> Exception {
    debug_assert!(cpu.exception.is_some(), "an exit without its exception");
    cpu.exception.take().unwrap_or(Exception::InvalidOpcode)
}
