//! Rotations by one through CF (SDM 2B, RCL): one instruction of the host's, whose CF comes
//! from the state's flags and goes back there.

use rax_cpu::flags::Condition;
use rax_cpu::ir::{Block, Name, Op};
use rax_cpu::verbs::{DoubleShiftOp, Flags};

use super::abi::FLAGS_CARRIES;
use super::asm::{Alu, Mem, Reg, Turn, at, cc};
use super::flags::HostFlags;
use super::plan::{FlagsOp, constant_count};
use super::{Emit, Stuck};

/// How many operations make one.
const OPERATIONS: usize = 5;
/// Where CF is in the word of carries; OF is what differs between it and the bit below.
const CARRY: u8 = 1;

/// Which way a rotation by one goes.
fn direction(block: &Block, op: DoubleShiftOp, count: Name) -> Option<Turn> {
    let turn = match op {
        DoubleShiftOp::Rcl => Turn::Rcl,
        DoubleShiftOp::Rcr => Turn::Rcr,
        _ => return None,
    };
    (constant_count(block, count) == Some(1)).then_some(turn)
}

/// Recognizes one that begins with the condition at a position: its way, and its operand.
pub(super) fn turn_at(block: &Block, position: usize) -> Option<(Turn, Name)> {
    let ops = block.ops.get(position..position + OPERATIONS)?;
    let name = |n: usize| Name((position + n) as u32);
    match *ops {
        [
            (Op::Condition(Condition::B), _),
            (Op::Constant(1), _),
            (Op::Constant(0), _),
            (Op::Select(bit, yes, no), _),
            (Op::DoubleShift(op, value, source, count), _),
        ] if (bit.0, yes, no) == (name(0), name(1), name(2)) && source == name(3) => {
            Some((direction(block, op, count)?, value))
        }
        _ => None,
    }
}

/// Whether an update is that of such a rotation.
pub(super) fn is_turn(block: &Block, flags: &FlagsOp) -> bool {
    match *flags {
        Flags::DoubleShift { op, count, .. } => direction(block, op, count).is_some(),
        _ => false,
    }
}

impl Emit<'_> {
    /// Emits one; the state's flags are valid. How many operations it was.
    pub(super) fn turn(
        &mut self,
        position: usize,
        (turn, value): (Turn, Name),
    ) -> Result<usize, Stuck> {
        self.position = position + OPERATIONS - 1;
        let bits = self.bits(value);
        let place = self.place_over(bits, value, &[])?;
        self.start(place.host, value, bits)?;
        self.asm.test_bit(FLAGS_CARRIES, CARRY);
        self.asm.shift_imm(turn, bits, place.host, 1);
        self.host_flags = HostFlags::Value(self.position);
        self.made(place)?;
        Ok(OPERATIONS)
    }

    /// Takes the host's CF and OF over into the state's flags.
    pub(super) fn note_turn(&mut self, flags: &FlagsOp) -> Result<(), Stuck> {
        let Flags::DoubleShift { result, .. } = *flags else {
            return self.stuck();
        };
        if self.host_flags != HostFlags::Value(result.0 as usize) {
            return self.stuck();
        }
        let carry = self.temp()?;
        let overflow = self.temp()?;
        self.asm.set(cc::B, carry);
        self.asm.set(cc::O, overflow);
        self.asm.zero_extend(8, carry, carry);
        self.asm.zero_extend(8, overflow, overflow);
        self.asm.alu(Alu::Xor, 32, overflow, carry);
        self.asm.lea(32, carry, twice_and(carry, overflow));
        self.asm.alu_imm(Alu::And, 32, FLAGS_CARRIES, !3);
        self.asm.alu(Alu::Or, 32, FLAGS_CARRIES, carry);
        self.give_back(overflow);
        self.give_back(carry);
        Ok(())
    }
}

/// Twice a register and another one.
fn twice_and(register: Reg, other: Reg) -> Mem {
    Mem {
        index: Some((register, 1)),
        ..at(other, 0)
    }
}
