//! How a unit ends: branches, jumps, and the exits that are linked.

use rax_cpu::ir::{Bit, Name, Op};
use rax_mmu::PAGE_SIZE;

use super::abi::{CODE_BASE, EPOCH, FOUND, STACK_LIMIT, T0, T1, find_jump};
use super::asm::{Alu, Asm, Fixup, RSP, Turn, cc};
use super::values::Loc;
use super::{Cold, Detour, Emit, Stuck};
use crate::backend::ExitSite;

/// How a unit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Runs off its end.
    FallThrough,
    /// The interpreter has left it.
    Left,
    /// Goes to the target if the host's flags meet the condition.
    Branch(u8, u64),
    /// Goes there always.
    Direct(u64),
    /// Goes to the address whose key is in T0.
    Computed,
    /// Calls the target, or the address in T0.
    Call(Option<u64>),
    /// Returns to the address in T0.
    Return,
}

impl Emit<'_> {
    pub(super) fn direct_target(&self, bits: u32) -> u64 {
        self.unit.rip.wrapping_add(self.insn().immediate) & rax_cpu::flags::mask(bits)
    }

    /// Addresses of 48 bits are canonical whatever paging does; others are looked at by
    /// the interpreter.
    pub(super) fn check_target(&mut self, target: Name) -> Result<(), Stuck> {
        use rax_cpu::mode::Mode;
        if !self.unit.mode.contains(Mode::CODE64) {
            return self.check_offset(target);
        }
        if let Loc::Constant(target) = self.loc(target) {
            let extended = ((target << 16) as i64 >> 16) as u64;
            return if extended == target {
                Ok(())
            } else {
                self.stuck()
            };
        }
        let register = self.register(target)?;
        let temp = self.temp()?;
        self.asm.load(64, temp, register);
        // Those of the half that the unit lies in are all that matters.
        if self.unit.rip >> 63 == 0 {
            self.asm.shift_imm(Turn::Shr, 64, temp, 47);
        } else {
            self.asm.shift_imm(Turn::Sar, 64, temp, 47);
            self.asm.alu_imm(Alu::Cmp, 32, temp, -1);
        }
        self.host_flags = super::flags::HostFlags::Unknown;
        let outside = self.asm.branch_ahead(cc::NE);
        self.slow.push(outside);
        self.give_back(temp);
        Ok(())
    }

    /// Outside 64-bit mode, targets lie within CS.
    fn check_offset(&mut self, target: Name) -> Result<(), Stuck> {
        if let Loc::Constant(target) = self.loc(target) {
            return self.reach(target);
        }
        let bits = match self.block.ops[target.0 as usize].0 {
            Op::ZeroExtend(from) => self.bits(from),
            _ => 64,
        };
        if self.unit.is_segmented() {
            let register = self.register(target)?;
            self.check_code_offset(register, bits);
        }
        Ok(())
    }

    pub(super) fn jump(&mut self, target: Name) -> Result<(), Stuck> {
        let is_call = self.has_op(|op| matches!(op, Op::NextIp));
        if let Loc::Constant(target) = self.loc(target) {
            self.ending = if is_call {
                Ending::Call(Some(target))
            } else {
                Ending::Direct(target)
            };
            return Ok(());
        }
        if self.loc(target) != Loc::Temp(T0) {
            if !self.free.contains(&T0) {
                return self.stuck();
            }
            self.load_into(T0, target)?;
        }
        if self.unit.is_segmented() {
            self.asm.alu_from(Alu::Or, 64, T0, CODE_BASE);
        }
        self.ending = if is_call {
            Ending::Call(None)
        } else if self.has_op(|op| matches!(op, Op::StackTop)) {
            Ending::Return
        } else {
            Ending::Computed
        };
        Ok(())
    }

    /// Whether the instruction under way has an operation: CALL asks for the next RIP, RET
    /// takes its target from the stack.
    fn has_op(&self, is_it: impl Fn(Op) -> bool) -> bool {
        let range = self.plan.range(self.index as usize);
        self.block.ops[range].iter().any(|&(op, _)| is_it(op))
    }

    pub(super) fn branch(&mut self, condition: Bit, bits: u32) -> Result<(), Stuck> {
        let target = self.direct_target(bits);
        self.reach(target)?;
        self.ending = match self.test_bit(condition)? {
            Err(true) => Ending::Direct(target),
            Err(false) => Ending::FallThrough,
            Ok(condition) => Ending::Branch(condition, target),
        };
        Ok(())
    }

    /// Emits the end of the unit.
    pub(super) fn end(&mut self) -> Result<(), Stuck> {
        match self.ending {
            Ending::Left => {}
            Ending::FallThrough => self.exit(self.unit.end()),
            Ending::Direct(target) => self.exit(target),
            Ending::Branch(condition, target) => {
                if self.is_within(target) {
                    let jump = self.asm.branch_ahead(condition);
                    self.linked(jump, target, None);
                    self.exit(self.unit.end());
                } else {
                    let taken = self.asm.branch_ahead(condition);
                    self.exit(self.unit.end());
                    self.asm.bind(taken);
                    self.exit(target);
                }
            }
            Ending::Computed => self.computed(),
            Ending::Call(target) => self.call(target),
            Ending::Return => self.asm.ret(),
        }
        Ok(())
    }

    /// Whether an exit stays within the page, so that its translation cannot change.
    fn is_within(&self, target: u64) -> bool {
        let page = |rip| self.unit.linear(rip) / PAGE_SIZE;
        !self.unit.crosses_page && page(target) == page(self.unit.rip)
    }

    /// Goes to a known address.
    fn exit(&mut self, target: u64) {
        self.exit_by(target, Asm::jump_ahead);
    }

    /// Jumps to, or calls, a known address.
    fn exit_by(&mut self, target: u64, jump: impl Fn(&mut Asm) -> Fixup) {
        if self.is_within(target) {
            let jump = jump(&mut self.asm);
            self.linked(jump, target, None);
            return;
        }
        self.asm.alu_imm(Alu::Cmp, 32, EPOCH, i32::MAX);
        let epoch = self.asm.here() - 4;
        let stale = self.asm.branch_ahead(cc::NE);
        let jump = jump(&mut self.asm);
        let number = self.linked(jump, target, Some(epoch));
        if let Some(cold) = self
            .cold
            .iter_mut()
            .find(|cold| matches!(cold.what, Detour::Exit { number: of } if of == number))
        {
            cold.from[1] = Some(stale);
        }
    }

    /// Notes an exit whose jump is to be linked; its number.
    fn linked(&mut self, jump: Fixup, target: u64, epoch: Option<usize>) -> usize {
        let number = self.emitted.exits.len();
        self.emitted.exits.push(ExitSite {
            jump: Asm::offset_of(jump),
            stub: 0,
            epoch,
            target,
        });
        self.cold.push(Cold {
            from: [Some(jump), None],
            what: Detour::Exit { number },
        });
        number
    }

    /// Goes to the address in T0 by the jump cache.
    fn computed(&mut self) {
        let miss = find_jump(&mut self.asm);
        self.asm.jump_indirect(FOUND);
        self.cold.push(Cold {
            from: [Some(miss), None],
            what: Detour::Computed,
        });
    }

    /// Calls a known address, or that in T0, and goes on where the guest's call returns.
    fn call(&mut self, target: Option<u64>) {
        self.asm.alu_from(Alu::Cmp, 64, RSP, STACK_LIMIT);
        let full = self.asm.branch_ahead(cc::B);
        self.cold.push(Cold {
            from: [Some(full), None],
            what: Detour::DropFrames {
                back: self.asm.here(),
            },
        });
        if let Some(target) = target {
            self.exit_by(target, Asm::call_ahead);
        } else {
            let miss = find_jump(&mut self.asm);
            self.asm.call_indirect(FOUND);
            self.cold.push(Cold {
                from: [Some(miss), None],
                what: Detour::Computed,
            });
        }
        // Whoever returns has the address in T0; it may be another.
        let next = self.unit.end();
        let key = self.unit.key_of(next);
        if let Ok(key) = i32::try_from(key as i64) {
            self.asm.alu_imm(Alu::Cmp, 64, T0, key);
        } else {
            self.asm.constant(T1, key);
            self.asm.alu(Alu::Cmp, 64, T0, T1);
        }
        self.asm.branch(cc::NE, self.backend.routines.go);
        self.exit(next);
    }
}
