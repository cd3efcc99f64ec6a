//! One instruction by itself, its exception handed back: for tests, and for whoever
//! compares two readers of one meaning.

use super::{Interpreter, leave_early};
use crate::exception::{Exception, Exit};
use crate::insn::Insn;
use crate::mode::Mode;
use crate::processor::Departure;
use crate::state::{Activity, Gpr};
use crate::{Cpu, Engine, Stop, ir};

impl Interpreter {
    /// Executes the instruction at CS:RIP and nothing around it: no interrupt, no
    /// breakpoint, no trap. Of a repeated string instruction this is one step.
    ///
    /// # Errors
    /// The exception it raises, not delivered; RIP is at the instruction.
    pub fn execute_one(&mut self, cpu: &mut Cpu) -> Result<(), Exception> {
        self.one(cpu, |cpu, insn| (insn.handler)(cpu, insn, &[]))
    }

    /// The same, but what is written in verbs is written down as IR and evaluated.
    ///
    /// # Errors
    /// As for [`Interpreter::execute_one`].
    pub fn evaluate_one(&mut self, cpu: &mut Cpu) -> Result<(), Exception> {
        self.one(cpu, |cpu, insn| {
            let is_known = insn.code != iced_x86::Code::INVALID;
            let block = is_known.then(|| ir::lift(std::slice::from_ref(insn)));
            match block.flatten() {
                Some(block) => {
                    cpu.remaining = 0;
                    ir::eval(&block, cpu)
                }
                // Undefined, or its unit is off.
                None => (insn.handler)(cpu, insn, &[]),
            }
        })
    }

    fn one(
        &mut self,
        cpu: &mut Cpu,
        act: impl FnOnce(&mut Cpu, &Insn) -> Result<(), Exit>,
    ) -> Result<(), Exception> {
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
        match act(cpu, insn) {
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

/// An engine that evaluates the IR, one instruction at a time: slow, and there to be
/// compared with the others. It knows exceptions, but no interrupts, breakpoints or
/// single steps.
pub struct Evaluator(Interpreter);

impl Evaluator {
    /// An evaluator for processors of `cpu`'s model.
    #[must_use]
    pub fn new(cpu: &Cpu) -> Self {
        Self(Interpreter::new(cpu))
    }
}

impl Engine for Evaluator {
    fn run(&mut self, cpu: &mut Cpu, until: u64) -> Stop {
        while cpu.state.instructions < until {
            match self.step(cpu) {
                Stop::Budget => {}
                stop => return stop,
            }
        }
        Stop::Budget
    }

    fn step(&mut self, cpu: &mut Cpu) -> Stop {
        match cpu.state.activity {
            Activity::Running => {}
            Activity::Halted | Activity::WaitForStartUp => return Stop::Halted,
            Activity::Shutdown => return Stop::Shutdown,
        }
        if let Err(exception) = self.0.evaluate_one(cpu) {
            // As in the interpreter, delivery counts as an instruction.
            cpu.state.instructions += 1;
            cpu.deliver_exception(exception);
        }
        Stop::Budget
    }
}
