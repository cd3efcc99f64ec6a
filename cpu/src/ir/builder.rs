//! Records verbs as operations.

mod vector;
mod x87;

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use super::op::{Bit, Block, Name, Op, Place};
use crate::flags::Condition;
use crate::insn::{HelperFn, Insn};
use crate::segment::SegmentRegister;
use crate::verbs::{
    BinaryOp, Byte, DoubleShiftOp, Flags, Operand, Qword, ShiftOp, UnaryOp, Verbs, Width, Word,
};

/// Writes a block down.
#[derive(Debug)]
pub struct Builder {
    block: Block,
    /// Instructions begun.
    begun: u32,
}

/// A name whose width is known to the compiler.
#[derive(Debug)]
pub struct Typed<W>(Name, PhantomData<W>);

impl<W> Typed<W> {
    const fn new(name: Name) -> Self {
        Self(name, PhantomData)
    }
}

impl<W> Clone for Typed<W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Typed<W> {}

impl Builder {
    /// A builder of a block of these instructions, in the place of another block's
    /// operations.
    #[must_use]
    pub fn new(insns: Arc<[Insn]>, mut ops: Vec<(Op, u32)>) -> Self {
        ops.clear();
        Self {
            block: Block { insns, ops },
            begun: 0,
        }
    }

    /// Starts the next instruction.
    pub fn begin(&mut self) {
        let number = self.begun;
        self.begun += 1;
        self.push(Op::Begin(number), 0);
    }

    /// Leaves the instruction to the interpreter's function.
    pub fn call(&mut self, function: HelperFn) {
        self.push(Op::Call(function), 0);
    }

    /// The block.
    #[must_use]
    pub fn finish(self) -> Block {
        debug_assert_eq!(
            super::verify(&self.block),
            Ok(()),
            "the builder obeys the IR's law"
        );
        self.block
    }

    fn push(&mut self, op: Op, width: u32) -> Name {
        let name = Name(self.block.ops.len() as u32);
        self.block.ops.push((op, width));
        name
    }

    fn value<W: Width>(&mut self, op: Op) -> Typed<W> {
        Typed(self.push(op, W::BITS), PhantomData)
    }

    fn locate<W: Width>(&mut self, address: Name) -> (Typed<W>, Place) {
        let value = self.value::<W>(Op::Locate(address));
        (value, Place::Memory(value.0))
    }

    fn displaced(&mut self, displacement: Typed<Qword>) -> Name {
        let raw = self.push(Op::RawAddress, 64);
        self.push(Op::Binary(BinaryOp::Add, raw, displacement.0), 64)
    }
}

impl Verbs for Builder {
    type Value<W: Width> = Typed<W>;
    type Cond = Bit;
    type Spot<W: Width> = Place;
    type Fault = Infallible;

    fn constant<W: Width>(&mut self, bits: u64) -> Typed<W> {
        self.value(Op::Constant(bits & crate::flags::mask(W::BITS)))
    }

    fn read<W: Width>(&mut self, operand: Operand<'_>) -> Result<Typed<W>, Infallible> {
        Ok(match operand {
            Operand::Gpr(register, is_high) => self.value(Op::ReadGpr(register, is_high)),
            Operand::Immediate(bits) => self.constant::<W>(bits),
            Operand::Memory(_) => {
                let address = self.push(Op::RawAddress, 64);
                self.value(Op::Load(address))
            }
        })
    }

    fn write<W: Width>(&mut self, operand: Operand<'_>, value: Typed<W>) -> Result<(), Infallible> {
        match operand {
            Operand::Gpr(register, is_high) => {
                self.push(Op::WriteGpr(register, is_high, value.0), W::BITS);
            }
            Operand::Memory(_) => {
                let address = self.push(Op::RawAddress, 64);
                self.push(
                    Op::Store {
                        address,
                        value: value.0,
                    },
                    W::BITS,
                );
            }
            Operand::Immediate(_) => unreachable!("no row writes to an immediate"),
        }
        Ok(())
    }

    fn modify<W: Width>(&mut self, operand: Operand<'_>) -> Result<(Typed<W>, Place), Infallible> {
        Ok(match operand {
            Operand::Gpr(register, is_high) => (
                self.value(Op::ReadGpr(register, is_high)),
                Place::Gpr(register, is_high),
            ),
            Operand::Memory(_) => {
                let address = self.push(Op::RawAddress, 64);
                self.locate(address)
            }
            Operand::Immediate(_) => unreachable!("no row writes to an immediate"),
        })
    }

    fn commit<W: Width>(&mut self, place: Place, value: Typed<W>) {
        let op = match place {
            Place::Gpr(register, is_high) => Op::WriteGpr(register, is_high, value.0),
            Place::Memory(place) => Op::Commit {
                place,
                value: value.0,
            },
        };
        self.push(op, W::BITS);
    }

    fn read_displaced<W: Width>(
        &mut self,
        _insn: &Insn,
        displacement: Typed<Qword>,
    ) -> Result<Typed<W>, Infallible> {
        let address = self.displaced(displacement);
        Ok(self.value(Op::Load(address)))
    }

    fn modify_displaced<W: Width>(
        &mut self,
        _insn: &Insn,
        displacement: Typed<Qword>,
    ) -> Result<(Typed<W>, Place), Infallible> {
        let address = self.displaced(displacement);
        Ok(self.locate(address))
    }

    fn effective_address(&mut self, insn: &Insn) -> Typed<Qword> {
        let raw = self.push(Op::RawAddress, 64);
        let mask = crate::flags::mask(u32::from(insn.address_bits));
        let mask = self.constant::<Qword>(mask);
        self.value(Op::Binary(BinaryOp::And, raw, mask.0))
    }

    fn load<W: Width>(
        &mut self,
        _insn: &Insn,
        segment: SegmentRegister,
        offset: Typed<Qword>,
    ) -> Result<Typed<W>, Infallible> {
        Ok(self.value(Op::LoadSegment(segment, offset.0)))
    }

    fn store<W: Width>(
        &mut self,
        _insn: &Insn,
        segment: SegmentRegister,
        offset: Typed<Qword>,
        value: Typed<W>,
    ) -> Result<(), Infallible> {
        self.push(Op::StoreSegment(segment, offset.0, value.0), W::BITS);
        Ok(())
    }

    fn stride(&mut self, bytes: u64) -> Typed<Qword> {
        self.value(Op::Stride(bytes))
    }

    fn set_direction(&mut self, is_down: bool) {
        self.push(Op::SetDirection(is_down), 0);
    }

    fn selector(&mut self, register: SegmentRegister) -> Typed<Word> {
        self.value(Op::Selector(register))
    }

    fn load_selector(
        &mut self,
        register: SegmentRegister,
        selector: Typed<Word>,
    ) -> Result<(), Infallible> {
        self.push(Op::LoadSelector(register, selector.0), 0);
        Ok(())
    }

    fn push<W: Width>(&mut self, _insn: &Insn, value: Typed<W>) -> Result<(), Infallible> {
        self.push(Op::Push(value.0), W::BITS);
        Ok(())
    }

    fn stack_top<W: Width>(&mut self, _insn: &Insn) -> Result<Typed<W>, Infallible> {
        Ok(self.value(Op::StackTop))
    }

    fn move_stack(&mut self, _insn: &Insn, bytes: u64) {
        self.push(Op::MoveStack(bytes), 0);
    }

    fn set_stack(&mut self, _insn: &Insn, pointer: Typed<Qword>) {
        self.push(Op::SetStack(pointer.0), 0);
    }

    fn binary<W: Width>(&mut self, op: BinaryOp, a: Typed<W>, b: Typed<W>) -> Typed<W> {
        self.value(Op::Binary(op, a.0, b.0))
    }

    fn unary<W: Width>(&mut self, op: UnaryOp, a: Typed<W>) -> Typed<W> {
        self.value(Op::Unary(op, a.0))
    }

    fn shift<W: Width>(&mut self, op: ShiftOp, value: Typed<W>, count: Typed<Byte>) -> Typed<W> {
        self.value(Op::Shift(op, value.0, count.0))
    }

    fn double_shift<W: Width>(
        &mut self,
        op: DoubleShiftOp,
        value: Typed<W>,
        source: Typed<W>,
        count: Typed<Byte>,
    ) -> Typed<W> {
        self.value(Op::DoubleShift(op, value.0, source.0, count.0))
    }

    fn divide<W: Width>(
        &mut self,
        is_signed: bool,
        (low, high): (Typed<W>, Typed<W>),
        divisor: Typed<W>,
    ) -> Result<[Typed<W>; 2], Infallible> {
        let dividend = (low.0, high.0);
        let op = Op::Divide {
            is_signed,
            dividend,
            divisor: divisor.0,
        };
        let quotient = self.value::<W>(op);
        Ok([quotient, self.value(Op::Remainder(quotient.0))])
    }

    fn zero_extend<A: Width, B: Width>(&mut self, value: Typed<A>) -> Typed<B> {
        self.value(Op::ZeroExtend(value.0))
    }

    fn sign_extend<A: Width, B: Width>(&mut self, value: Typed<A>) -> Typed<B> {
        self.value(Op::SignExtend(A::BITS, value.0))
    }

    fn condition(&mut self, condition: Condition) -> Bit {
        Bit(self.push(Op::Condition(condition), 1))
    }

    fn is_zero<W: Width>(&mut self, value: Typed<W>) -> Bit {
        Bit(self.push(Op::IsZero(value.0), 1))
    }

    fn select<W: Width>(&mut self, condition: Bit, yes: Typed<W>, no: Typed<W>) -> Typed<W> {
        self.value(Op::Select(condition, yes.0, no.0))
    }

    fn flags<W: Width>(&mut self, flags: Flags<Typed<W>, Typed<Byte>>) {
        let flags = flags.map(|value| value.0, |value| value.0);
        self.push(Op::Flags(flags), W::BITS);
    }

    fn next_ip(&mut self, _insn: &Insn) -> Typed<Qword> {
        self.value(Op::NextIp)
    }

    fn check_target(&mut self, target: Typed<Qword>) -> Result<(), Infallible> {
        self.push(Op::CheckTarget(target.0), 0);
        Ok(())
    }

    fn jump(&mut self, target: Typed<Qword>) {
        self.push(Op::Jump(target.0), 0);
    }

    fn direct_target<W: Width>(&mut self, _insn: &Insn) -> Typed<Qword> {
        // The operation's width is the operand size; a target is an address.
        let target = self.value::<W>(Op::DirectTarget);
        self.zero_extend::<W, Qword>(target)
    }

    fn branch<W: Width>(&mut self, _insn: &Insn, condition: Bit) -> Result<(), Infallible> {
        self.push(Op::Branch(condition), W::BITS);
        Ok(())
    }
}
