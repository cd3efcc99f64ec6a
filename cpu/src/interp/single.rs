//! One instruction at a time, its fault handed to the caller instead of the guest:
//! for tests that compare processors.

use crate::Cpu;
use crate::exception::Exception;
use crate::interp::{Interpreter, leave_early};
use crate::mode::Mode;
use crate::processor::Departure;
use crate::state::Gpr;

impl Interpreter {
    /// Executes the instruction at RIP. No interrupt, trap or breakpoint is looked at.
    ///
    /// # Errors
    /// The exception it raises, which is not delivered; RIP then stays.
    pub fn execute_one(&mut self, cpu: &mut Cpu) -> Result<(), Exception> {
        cpu.leave = false;
        cpu.position = 0;
        cpu.mode.insert(Mode::SINGLE);
        let found = self.find(cpu);
        cpu.mode = Mode::of(&cpu.state);
        let raised = match found {
            Ok(id) => {
                let block = self.cache.block(id);
                let rip = cpu.state.rip;
                cpu.state.set_gpr(Gpr::BlockRip, rip);
                let after = rip.wrapping_add(u64::from(block.bytes));
                cpu.state.rip = cpu.mode.truncate_ip(after);
                cpu.departure = Departure::FallThrough;
                let insn = &block.insns[0];
                match (insn.handler)(cpu, insn, &[]) {
                    Ok(()) => {
                        cpu.state.instructions += 1;
                        false
                    }
                    Err(exit) => !leave_early(cpu, block, exit),
                }
            }
            Err(_) => true,
        };
        match cpu.exception.take() {
            Some(exception) if raised => Err(exception),
            _ => Ok(()),
        }
    }
}
