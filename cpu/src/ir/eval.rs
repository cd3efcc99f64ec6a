//! The slow, obvious meaning of the IR: what every back end must agree with.

mod vector;
mod x87;

use rax_mmu::HostAddress;

use super::op::{Bit, Block, Name, Op};
use crate::Cpu;
use crate::acts::divide;
use crate::exception::{Exception, Exit};
use crate::flags::{mask, sign_extend};
use crate::insn::Insn;
use crate::verbs::{Byte, Dword, Operand, Qword, Verbs, Width, Word as Word16};

/// Runs a block on a processor whose block RIP is set.
///
/// # Errors
/// When an operation faults; those before it have taken effect.
pub fn eval(block: &Block, cpu: &mut Cpu) -> Result<(), Exit> {
    evaluate(block, cpu).outcome
}

/// What came of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Whether it got to the end.
    pub outcome: Result<(), Exit>,
    /// The position of the operation that faulted, or else the block's end.
    pub position: usize,
    /// The value of each operation that was carried out, low half first; zeros otherwise.
    pub values: Vec<[u128; 2]>,
}

/// As [`eval`], and says how far it got.
pub fn evaluate(block: &Block, cpu: &mut Cpu) -> Evaluated {
    let mut evaluation = Evaluation {
        cpu,
        values: vec![[0; 2]; block.ops.len()],
        remainder: 0,
        place: None,
    };
    let mut insn = None;
    let mut outcome = Ok(());
    let mut position = 0;
    while position < block.ops.len() && outcome.is_ok() {
        let (op, width) = block.ops[position];
        if let Op::Begin(number) = op {
            insn = block.insns.get(number as usize);
            position += 1;
            continue;
        }
        let Some(insn) = insn else {
            unreachable!("the verifier rejects a block that does not begin");
        };
        match evaluation.operation(op, width, insn) {
            Ok(value) => {
                evaluation.values[position] = value;
                position += 1;
            }
            Err(exit) => outcome = Err(exit),
        }
    }
    Evaluated {
        outcome,
        position,
        values: evaluation.values,
    }
}

struct Evaluation<'a> {
    cpu: &'a mut Cpu,
    values: Vec<[u128; 2]>,
    remainder: u64,
    place: Option<HostAddress>,
}

impl Evaluation<'_> {
    fn get(&self, name: Name) -> u64 {
        self.wide(name)[0] as u64
    }

    fn wide(&self, name: Name) -> [u128; 2] {
        self.values[name.0 as usize]
    }

    fn holds(&self, bit: Bit) -> bool {
        self.get(bit.0) != 0
    }

    fn bits<W: Width>(&self, name: Name) -> W::Bits {
        <W::Bits as crate::verbs::Bits>::truncate(self.get(name))
    }

    /// Carries out one operation of any width; its value, or zero.
    fn operation(&mut self, op: Op, width: u32, insn: &Insn) -> Result<[u128; 2], Exit> {
        if let Op::Vector(step) = op {
            return self.vector(step, width, insn);
        }
        if let Op::X87(step) = op {
            return Ok([u128::from(self.x87(step, insn)?), 0]);
        }
        let value = match width {
            8 => self.step::<Byte>(op, insn),
            16 => self.step::<Word16>(op, insn),
            32 => self.step::<Dword>(op, insn),
            _ => self.step::<Qword>(op, insn),
        }?;
        let value = if width == 0 {
            value
        } else {
            value & mask(width)
        };
        Ok([u128::from(value), 0])
    }

    /// Carries out one operation; its value, or zero.
    fn step<W: Width>(&mut self, op: Op, insn: &Insn) -> Result<u64, Exit> {
        use crate::verbs::Bits;
        let bits = W::BITS;
        Ok(match op {
            Op::Begin(_) => 0,
            Op::Constant(value) => value,
            Op::ReadGpr(register, is_high) => {
                self.cpu.read::<W>(Operand::Gpr(register, is_high))?.widen()
            }
            Op::WriteGpr(register, is_high, value) => {
                let value = self.bits::<W>(value);
                self.cpu
                    .write::<W>(Operand::Gpr(register, is_high), value)?;
                0
            }
            Op::RawAddress => self.cpu.raw_effective_address(insn),
            Op::Load(_)
            | Op::Store { .. }
            | Op::Locate(_)
            | Op::Commit { .. }
            | Op::LoadSegment(..)
            | Op::StoreSegment(..) => self.memory::<W>(op, insn)?,
            Op::Push(value) => {
                let value = self.bits::<W>(value);
                self.cpu.push::<W>(insn, value)?;
                0
            }
            Op::StackTop => self.cpu.stack_top::<W>(insn)?.widen(),
            Op::Binary(op, a, b) => op.apply(bits, self.get(a), self.get(b)),
            Op::Unary(op, a) => op.apply(bits, self.get(a)),
            Op::Shift(op, value, count) => {
                op.apply(bits, self.get(value), self.get(count) as u32 & 63)
            }
            Op::DoubleShift(op, value, source, count) => op.apply(
                bits,
                self.get(value),
                self.get(source),
                self.get(count) as u32 & 63,
            ),
            Op::Divide {
                is_signed,
                dividend: (low, high),
                divisor,
            } => {
                let dividend = (self.get(low), self.get(high));
                let Some((quotient, remainder)) =
                    divide(bits, is_signed, dividend, self.get(divisor))
                else {
                    return Err(self.cpu.raise(Exception::DivideError));
                };
                self.remainder = remainder;
                quotient
            }
            Op::Remainder(_) => self.remainder,
            Op::ZeroExtend(value) => self.get(value),
            Op::SignExtend(from, value) => sign_extend(from, self.get(value)),
            Op::Condition(condition) => u64::from(self.cpu.state.flags.condition(condition)),
            Op::IsZero(value) => u64::from(self.get(value) == 0),
            Op::Select(condition, yes, no) => {
                self.get(if self.holds(condition) { yes } else { no })
            }
            Op::Flags(flags) => {
                let flags = flags.map(|name| self.get(name), |name| self.get(name));
                self.cpu.state.flags = flags.apply(bits, self.cpu.state.flags);
                0
            }
            Op::Stride(bytes) => self.cpu.stride(bytes),
            Op::SetDirection(_)
            | Op::Selector(_)
            | Op::LoadSelector(..)
            | Op::MoveStack(_)
            | Op::SetStack(_)
            | Op::NextIp
            | Op::DirectTarget
            | Op::CheckTarget(_)
            | Op::Jump(_)
            | Op::Branch(_)
            | Op::Call(_) => self.control::<W>(op, insn)?,
            Op::Vector(_) | Op::X87(_) => unreachable!("these steps go their own way"),
        })
    }

    fn control<W: Width>(&mut self, op: Op, insn: &Insn) -> Result<u64, Exit> {
        Ok(match op {
            Op::SetDirection(is_down) => {
                self.cpu.set_direction(is_down);
                0
            }
            Op::Selector(register) => u64::from(self.cpu.selector(register)),
            Op::LoadSelector(register, selector) => {
                let selector = self.get(selector) as u16;
                self.cpu.load_selector(register, selector)?;
                0
            }
            Op::MoveStack(bytes) => {
                self.cpu.move_stack(insn, bytes);
                0
            }
            Op::SetStack(pointer) => {
                let pointer = self.get(pointer);
                self.cpu.set_stack(insn, pointer);
                0
            }
            Op::NextIp => self.cpu.next_ip(insn),
            Op::DirectTarget => self.cpu.direct_target::<W>(insn),
            Op::CheckTarget(target) => {
                let target = self.get(target);
                self.cpu.check_target(target)?;
                0
            }
            Op::Jump(target) => {
                let target = self.get(target);
                self.cpu.jump(target);
                0
            }
            Op::Branch(condition) => {
                let holds = self.holds(condition);
                self.cpu.branch::<W>(insn, holds)?;
                0
            }
            Op::Call(function) => {
                function(self.cpu, insn)?;
                0
            }
            _ => unreachable!("only control operations come here"),
        })
    }

    fn memory<W: Width>(&mut self, op: Op, insn: &Insn) -> Result<u64, Exit> {
        use crate::verbs::Bits;
        Ok(match op {
            Op::Load(address) => {
                let effective = self.get(address);
                let address = self.cpu.address_of(insn, effective, W::BYTES, false)?;
                self.cpu
                    .load_linear::<W::Bits>(insn, insn.segment, address)?
                    .widen()
            }
            Op::Store { address, value } => {
                let (effective, value) = (self.get(address), self.bits::<W>(value));
                let address = self.cpu.address_of(insn, effective, W::BYTES, true)?;
                self.cpu.store_linear(insn, insn.segment, address, value)?;
                0
            }
            Op::LoadSegment(segment, offset) => {
                let offset = self.get(offset);
                self.cpu.load::<W>(insn, segment, offset)?.widen()
            }
            Op::StoreSegment(segment, offset, value) => {
                let (offset, value) = (self.get(offset), self.bits::<W>(value));
                self.cpu.store::<W>(insn, segment, offset, value)?;
                0
            }
            Op::Locate(address) => {
                let effective = self.get(address);
                let address = self.cpu.address_of(insn, effective, W::BYTES, true)?;
                let (value, place) =
                    self.cpu
                        .locate_slow::<W::Bits>(insn, insn.segment, address)?;
                self.place = place;
                value.widen()
            }
            Op::Commit { value, .. } => {
                let value = self.bits::<W>(value);
                match self.place {
                    Some(host) => self.cpu.mmu.ram_store(host, value),
                    None => self.cpu.commit_slow(value),
                }
                0
            }
            _ => unreachable!("only memory operations come here"),
        })
    }
}
