//! Operations of one instruction that are one instruction of the host's: additions with
//! carry, and multiplications of which both halves count.

use rax_cpu::flags::Condition;
use rax_cpu::ir::{Block, Name, Op};
use rax_cpu::state::Gpr;
use rax_cpu::verbs::BinaryOp;

use super::abi::CARRY;
use super::asm::{Alu, Rm, cc};
use super::flags::HostFlags;
use super::operation::Class;
use super::turn::turn_at;
use super::values::{Loc, Source};
use super::{Emit, Stuck};

/// An addition with carry, or a subtraction with borrow, of six operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WithCarry {
    op: BinaryOp,
    a: Name,
    b: Name,
}

/// How many operations make one.
pub(super) const WITH_CARRY: usize = 6;

impl WithCarry {
    /// Recognizes one that begins with the condition at a position.
    pub(super) fn at(block: &Block, position: usize) -> Option<Self> {
        let ops = block.ops.get(position..position + WITH_CARRY)?;
        let name = |n: usize| Name((position + n) as u32);
        let op = match *ops {
            [
                (Op::Condition(Condition::B), _),
                (Op::Constant(1), _),
                (Op::Constant(0), _),
                (Op::Select(bit, yes, no), _),
                (Op::Binary(first, a, b), _),
                (Op::Binary(second, x, carry), _),
            ] if (bit.0, yes, no) == (name(0), name(1), name(2))
                && first == second
                && (x, carry) == (name(4), name(3)) =>
            {
                Self { op: first, a, b }
            }
            _ => return None,
        };
        matches!(op.op, BinaryOp::Add | BinaryOp::Sub).then_some(op)
    }

    /// Recognizes one by its result.
    pub(super) fn made(block: &Block, result: Name) -> Option<Self> {
        let start = (result.0 as usize + 1).checked_sub(WITH_CARRY)?;
        Self::at(block, start)
    }

    pub(super) const fn operands(self) -> [Name; 2] {
        [self.a, self.b]
    }

    /// Whether its operands are these.
    pub(super) fn is_of(self, op: BinaryOp, a: Name, b: Name) -> bool {
        (self.op, self.a, self.b) == (op, a, b)
    }
}

/// Whether two values are the halves of one product.
pub(super) fn are_halves(block: &Block, low: Name, high: Name) -> bool {
    if high.0 != low.0 + 1 {
        return false;
    }
    let [first, second] = [low, high].map(|name| block.ops[name.0 as usize].0);
    match (first, second) {
        (
            Op::Binary(BinaryOp::Mul, a, b),
            Op::Binary(BinaryOp::MulHighSigned | BinaryOp::MulHighUnsigned, x, y),
        ) => (a, b) == (x, y),
        _ => false,
    }
}

impl Emit<'_> {
    /// Emits what begins at a position and is one instruction of the host's: how many
    /// operations that were.
    pub(super) fn idiom(&mut self, position: usize) -> Result<usize, Stuck> {
        match self.block.ops[position].0 {
            Op::Condition(Condition::B) => match WithCarry::at(self.block, position) {
                Some(sum) => self.with_carry(position, sum),
                None => match turn_at(self.block, position) {
                    Some(turn) => self.turn(position, turn),
                    None => Ok(0),
                },
            },
            Op::Binary(BinaryOp::Mul, a, b) => self.both_halves(position, a, b),
            Op::Load(_) => self.load_extended(position),
            _ => Ok(0),
        }
    }

    /// Before an addition with carry to memory: puts CF aside, since the probe leaves no
    /// room to fetch it.
    pub(super) fn fetch_carry(&mut self, index: usize) -> Result<(), Stuck> {
        self.carry_waits = false;
        if !self.plan.has_class(index, Class::LOCATES)
            || !self.plan.has_class(index, Class::CONDITION)
        {
            return Ok(());
        }
        let range = self.plan.range(index);
        let mut ops = self.block.ops[range.clone()].iter();
        let Some(located) = ops.position(|(op, _)| matches!(op, Op::Locate(_))) else {
            return Ok(());
        };
        let after = range.start + located..range.end;
        for position in after {
            if WithCarry::at(self.block, position).is_some() && !self.plan.saves_carry(position) {
                self.position = position;
                self.condition(Condition::B)?;
                self.asm.set(cc::B, CARRY);
                self.carry_waits = true;
            }
        }
        Ok(())
    }

    fn with_carry(&mut self, position: usize, sum: WithCarry) -> Result<usize, Stuck> {
        self.condition(Condition::B)?;
        self.position = position + WITH_CARRY - 1;
        let bits = self.block.ops[self.position].1;
        let alu = match sum.op {
            BinaryOp::Add => Alu::Adc,
            _ => Alu::Sbb,
        };
        self.combine(alu, sum.a, sum.b, bits, true)?;
        Ok(WITH_CARRY)
    }

    /// A product whose halves go to RAX and RDX, or that leaves the flags alone.
    fn both_halves(&mut self, position: usize, a: Name, b: Name) -> Result<usize, Stuck> {
        let (low, high) = (Name(position as u32), Name(position as u32 + 1));
        let bits = self.bits(low);
        let end = self.plan.range(self.index as usize).end;
        if position + 1 >= end || !are_halves(self.block, low, high) {
            return Ok(0);
        }
        let is_signed = matches!(
            self.block.ops[position + 1].0,
            Op::Binary(BinaryOp::MulHighSigned, ..)
        );
        let written = |of: Name| {
            self.block.ops[position + 2..end]
                .iter()
                .find_map(|(op, _)| match *op {
                    Op::WriteGpr(register, is_high, value) if value == of => {
                        Some((register, is_high))
                    }
                    _ => None,
                })
        };
        let high_home = if bits == 8 {
            (Gpr::Rax, true)
        } else {
            (Gpr::Rdx, false)
        };
        if written(low) == Some((Gpr::Rax, false))
            && written(high) == Some(high_home)
            && self.loc(a) == Loc::Gpr(Gpr::Rax, false)
        {
            self.multiply_in_place(position, b, bits, is_signed)?;
            return Ok(2);
        }
        if !is_signed
            && bits >= 32
            && self.backend.features.bmi2
            && self.loc(a) == Loc::Gpr(Gpr::Rdx, false)
            && self.plan.last_use(high) != 0
        {
            self.multiply_apart(position, b, bits)?;
            return Ok(2);
        }
        Ok(0)
    }

    fn multiply_in_place(
        &mut self,
        position: usize,
        b: Name,
        bits: u32,
        is_signed: bool,
    ) -> Result<(), Stuck> {
        let by = match self.source(b)? {
            Source::Rm(rm) => rm,
            Source::Immediate(_) => Rm::Reg(self.register(b)?),
        };
        self.clobber(Gpr::Rax)?;
        if bits != 8 {
            self.clobber(Gpr::Rdx)?;
        }
        self.asm.group3(bits, if is_signed { 5 } else { 4 }, by);
        self.host_flags = HostFlags::Value(position);
        self.forget(Gpr::Rax);
        self.set(Loc::Gpr(Gpr::Rax, false))?;
        self.locs[position + 1] = if bits == 8 {
            Loc::Gpr(Gpr::Rax, true)
        } else {
            self.forget(Gpr::Rdx);
            Loc::Gpr(Gpr::Rdx, false)
        };
        Ok(())
    }

    fn multiply_apart(&mut self, position: usize, b: Name, bits: u32) -> Result<(), Stuck> {
        let by = self.register(b)?;
        let low = self.temp()?;
        let high = self.temp()?;
        self.asm.mulx(bits, high, low, by);
        self.locs[position] = Loc::Temp(low);
        self.locs[position + 1] = Loc::Temp(high);
        Ok(())
    }

    /// Keeps the host's CF for a condition that finds other flags there, if the plan asks
    /// for it.
    pub(super) fn save_carry(&mut self, position: usize) {
        if self.plan.saves_carry(position) {
            self.asm.set(cc::B, CARRY);
        }
    }
}
