//! How a unit ends: branches, jumps, and the exits that are linked.

use rax_cpu::ir::{Bit, Name, Op};
use rax_mmu::PAGE_SIZE;

use super::abi::{BUDGET, CODE_BASE, EPOCH, FOUND, STACK_LIMIT, T0, T1, find_jump};
use super::asm::{Alu, Asm, Fixup, RSP, Turn, cc};
use super::detour::{Cold, Detour};
use super::flags::HostFlags;
use super::pending::Pending;
use super::values::Loc;
use super::x87::Noted;
use super::{Emit, Stuck};
use crate::backend::{EXHAUSTED, ExitSite};
use crate::relocation::Follows;

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

/// An exit in the middle of a unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct SideExit {
    number: usize,
    /// What is to be stored on the way.
    pending: Pending,
    noted: Noted,
    /// How many instructions are not carried out.
    rest: usize,
}

/// What holds where a loop's second round begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Again {
    /// Offset in the code.
    at: usize,
    pending: Pending,
    noted: Noted,
    vectors_are_loaded: bool,
}

impl Emit<'_> {
    pub(super) fn direct_target(&self, bits: u32) -> u64 {
        self.block_rip().wrapping_add(self.insn().immediate) & rax_cpu::flags::mask(bits)
    }

    /// Addresses of 48 bits are canonical whatever paging does; others are looked at by
    /// the interpreter.
    pub(super) fn check_target(&mut self, target: Name) -> Result<(), Stuck> {
        use rax_cpu::mode::Mode;
        if !self.unit.mode.contains(Mode::CODE64) {
            return self.check_offset(target);
        }
        if let Loc::Constant(target) | Loc::Rip(target) = self.loc(target) {
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
        self.host_flags = HostFlags::Unknown;
        let outside = self.asm.branch_ahead(cc::NE);
        self.slow.push(outside);
        self.give_back(temp);
        Ok(())
    }

    /// Outside 64-bit mode, targets lie within CS.
    fn check_offset(&mut self, target: Name) -> Result<(), Stuck> {
        if let Loc::Constant(target) | Loc::Rip(target) = self.loc(target) {
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
        if let Loc::Constant(target) | Loc::Rip(target) = self.loc(target) {
            if self.rip_of_next() == Some(target) && !is_call {
                return Ok(());
            }
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
        let tested = self.test_bit(condition)?;
        if let Some(next) = self.rip_of_next() {
            return self.branch_within(tested, target, next);
        }
        self.ending = match tested {
            Err(true) => Ending::Direct(target),
            Err(false) => Ending::FallThrough,
            Ok(condition) => Ending::Branch(condition, target),
        };
        Ok(())
    }

    /// RIP of the instruction that comes next in a trace.
    fn rip_of_next(&self) -> Option<u64> {
        self.unit.rip_of_next(self.index as usize)
    }

    /// A branch in the middle of a trace, which goes on at `next`.
    fn branch_within(
        &mut self,
        tested: Result<u8, bool>,
        target: u64,
        next: u64,
    ) -> Result<(), Stuck> {
        let after = self.unit.rip_after(self.index as usize);
        let (leaves_if_taken, elsewhere) = if next == target {
            (false, after)
        } else {
            (true, target)
        };
        match tested {
            Ok(condition) => {
                self.aside = Some((condition ^ u8::from(!leaves_if_taken), elsewhere));
                Ok(())
            }
            Err(is_taken) if is_taken == leaves_if_taken => self.stuck(),
            Err(_) => Ok(()),
        }
    }

    /// At the end of an instruction that may leave a trace: what it wrote after it branched,
    /// as LOOP does, is written on both ways.
    pub(super) fn turn_aside(&mut self) {
        if let Some((condition, target)) = self.aside.take() {
            let rest = self.unit.insns.len() - 1 - self.index as usize;
            self.side_exit(condition, target, rest);
        }
    }

    /// Leaves the unit for a known address if the host's flags meet a condition, with so
    /// many of its instructions not carried out. The guest's flags are stored on the way.
    fn side_exit(&mut self, condition: u8, target: u64, rest: usize) {
        let jump = self.asm.branch_ahead(condition);
        let number = self.emitted.exits.len();
        self.emitted.exits.push(ExitSite {
            jump: 0,
            stub: 0,
            epoch: None,
            target,
        });
        self.cold.push(Cold {
            from: [Some(jump), None],
            what: Detour::SideExit(SideExit {
                number,
                pending: self.pending,
                noted: self.noted,
                rest,
            }),
        });
    }

    /// Emits what lies behind a side exit.
    pub(super) fn leave_aside(&mut self, exit: SideExit) {
        let number = exit.number;
        self.write_noted(exit.noted);
        exit.pending.store(&mut self.asm);
        if exit.rest != 0 {
            self.asm.alu_imm(Alu::Add, 64, BUDGET, exit.rest as i32);
        }
        let target = self.emitted.exits[number].target;
        let stale = (!self.is_within(target)).then(|| {
            self.asm.alu_imm(Alu::Cmp, 32, EPOCH, i32::MAX);
            self.emitted.exits[number].epoch = Some(self.asm.here() - 4);
            self.asm.branch_ahead(cc::NE)
        });
        let jump = self.asm.jump_ahead();
        self.emitted.exits[number].jump = Asm::offset_of(jump);
        self.asm.bind(jump);
        if let Some(stale) = stale {
            self.asm.bind(stale);
        }
        self.emitted.exits[number].stub = self.asm.here();
        self.leave_by(number);
    }

    /// Where a loop's second round begins: what is known there, so that the last one can
    /// go back to it.
    pub(super) fn begin_again(&mut self) {
        self.forget_registers();
        self.updated_from = usize::MAX;
        self.host_flags = HostFlags::Unknown;
        self.again = Some(Again {
            at: self.asm.here(),
            pending: self.pending,
            noted: self.noted,
            vectors_are_loaded: self.vectors.are_loaded,
        });
    }

    /// At the unit's end: goes back to the second round if that is what follows, and all
    /// is as it was there.
    pub(super) fn go_back(&mut self) -> bool {
        let (Some(again), Some(first)) = (self.again, self.unit.again) else {
            return false;
        };
        let is_same = again.pending == self.pending
            && again.noted.is_same(self.noted, self.unit)
            && (self.vectors.are_loaded || !again.vectors_are_loaded);
        let head = self.unit.rip;
        let leaves = match self.ending {
            Ending::Direct(target) if target == head => None,
            Ending::Branch(condition, target) if target == head => {
                Some((condition ^ 1, self.unit.end()))
            }
            Ending::Branch(condition, target) if self.unit.end() == head => {
                Some((condition, target))
            }
            _ => return false,
        };
        if !is_same {
            return false;
        }
        if let Some((condition, target)) = leaves {
            self.side_exit(condition, target, 0);
        }
        let round = (self.unit.insns.len() - usize::from(first)) as i32;
        self.asm.alu_imm(Alu::Sub, 64, BUDGET, round);
        let back = self.asm.branch_ahead(cc::GE);
        self.asm.bind_to(back, again.at);
        self.asm.alu_imm(Alu::Add, 64, BUDGET, round);
        self.write_noted(self.noted);
        self.store_flags();
        self.be_at_start();
        self.leave(EXHAUSTED);
        true
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
                what: Detour::ComputedCall {
                    back: self.asm.here(),
                },
            });
        }
        // Whoever returns has the address in T0; it may be another.
        let next = self.unit.end();
        let key = self.unit.key_of(next);
        if let Ok(key) = i32::try_from(key as i64) {
            self.asm.be_fixed();
            self.asm.alu_imm(Alu::Cmp, 64, T0, key);
        } else {
            self.asm.address(T1, key, Follows::GuestAddress);
            self.asm.alu(Alu::Cmp, 64, T0, T1);
        }
        self.asm.branch(cc::NE, self.backend.routines.go);
        self.exit(next);
    }
}
