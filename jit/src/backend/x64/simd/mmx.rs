//! MMX on the host's MMX registers, which lie in the x87 unit as the guest's do (SDM 1, chapter
//! 9): they are where that unit's registers are ([`crate::backend::x64::x87`]), and what an
//! MMX instruction does to tags and top the host does too.
//!
//! Each instruction becomes one of the host's that works on MMX registers, so nothing is
//! emitted for entering the mode. All x87 exceptions are masked, so none is pending.

use rax_cpu::ir::{Name, Op, VectorStep};
use rax_cpu::vector::{Lane, ShuffleOp, VectorOp, VectorShiftOp};

use super::code::{Code, np, np3a, pf2, pf3};
use super::{Place, Target, table};
use crate::backend::x64::abi::{T0, T1, vector_home};
use crate::backend::x64::asm::{Reg, Rm};
use crate::backend::x64::values::Loc;
use crate::backend::x64::{Emit, Stuck};

/// Whether a step works on MMX registers.
pub(in crate::backend::x64) const fn is_mmx(step: VectorStep, bits: u32) -> bool {
    match step {
        VectorStep::CheckX87 | VectorStep::EnterMmx | VectorStep::LeaveMmx => true,
        VectorStep::Extract { from, .. } | VectorStep::SignMask { from, .. } => from == 64,
        VectorStep::ToInteger { .. } => false,
        _ => bits == 64,
    }
}

impl Emit<'_> {
    pub(super) fn mmx(&mut self, step: VectorStep, bits: u32) -> Result<(), Stuck> {
        match step {
            VectorStep::CheckX87 | VectorStep::EnterMmx => Ok(()),
            VectorStep::LeaveMmx => {
                self.asm.empty_mmx();
                Ok(())
            }
            VectorStep::Read(register) => self.put_place(Place::Mmx(register)),
            VectorStep::Write(register, value) => self.write_mmx(register, value),
            VectorStep::Load { address, .. } => self.load_vector(address, 64, false),
            VectorStep::Store { address, value, .. } => self.store_lane(address, value, 64),
            VectorStep::Widen(value) => self.widen_mmx(value),
            VectorStep::Extract { vector, index, .. } => self.extract_mmx(vector, index, bits),
            VectorStep::Insert {
                vector,
                index,
                bits: 16,
                value,
            } => {
                let from = match self.place_of(value) {
                    Place::Memory { .. } => Rm::Mem(Self::pair(T0, T1)),
                    _ => Rm::Reg(self.register(value)?),
                };
                self.in_place_mmx(np(0xc4), vector, from, Some(index & 3))
            }
            VectorStep::SignMask {
                vector,
                lane: Lane::Byte,
                ..
            } => {
                let Place::Mmx(from) = self.place_of(vector) else {
                    return self.stuck();
                };
                let to = self.general()?;
                self.asm.sse(np(0xd7), to, Rm::Reg(from), None);
                Ok(())
            }
            VectorStep::Unary(op, value) => {
                let Some((code, _)) = table::unary(op, self.vector_features()) else {
                    return self.stuck();
                };
                let from = self.mmx_operand(value)?;
                self.make_mmx(code.mmx(), from, None)
            }
            VectorStep::Binary(op, a, b) => self.binary_mmx(op, a, b),
            VectorStep::Shuffle(ShuffleOp::LowWords, _, b, order) => {
                let from = self.mmx_operand(b)?;
                self.make_mmx(np(0x70), from, Some(order))
            }
            VectorStep::Shuffle(ShuffleOp::Align, a, b, count) => {
                let from = self.mmx_operand(b)?;
                self.in_place_mmx(np3a(0x0f), a, from, Some(count))
            }
            VectorStep::Shift(op, value, count) => self.shift_mmx(op, value, count),
            _ => self.stuck(),
        }
    }

    /// The MMX register that the value under way is written to next.
    fn mmx_target(&self) -> Result<Reg, Stuck> {
        match self.block.ops.get(self.position + 1) {
            Some((Op::Vector(VectorStep::Write(register, value)), 64))
                if *value == Name(self.position as u32) =>
            {
                Ok(*register)
            }
            _ => self.stuck(),
        }
    }

    /// A second operand, which may be in memory.
    fn mmx_operand(&self, name: Name) -> Result<Rm, Stuck> {
        match self.place_of(name) {
            Place::Mmx(register) => Ok(Rm::Reg(register)),
            Place::Memory { .. } => Ok(Rm::Mem(Self::pair(T0, T1))),
            _ => self.stuck(),
        }
    }

    /// Makes the value under way where it goes.
    fn make_mmx(&mut self, code: Code, from: Rm, immediate: Option<u8>) -> Result<(), Stuck> {
        let to = self.mmx_target()?;
        self.asm.sse(code, to, from, immediate);
        self.vectors.made = Some(Name(self.position as u32));
        self.put_place(Place::Mmx(to))
    }

    /// The same of two operands, the first being where the result goes.
    fn in_place_mmx(
        &mut self,
        code: Code,
        first: Name,
        second: Rm,
        immediate: Option<u8>,
    ) -> Result<(), Stuck> {
        if self.place_of(first) != Place::Mmx(self.mmx_target()?) {
            return self.stuck();
        }
        self.make_mmx(code, second, immediate)
    }

    fn binary_mmx(&mut self, op: VectorOp, a: Name, b: Name) -> Result<(), Stuck> {
        let Some((code, immediate)) = table::binary(op, self.vector_features()) else {
            return self.stuck();
        };
        let b = self.mmx_operand(b)?;
        self.in_place_mmx(code.mmx(), a, b, immediate)
    }

    fn shift_mmx(&mut self, op: VectorShiftOp, value: Name, count: Name) -> Result<(), Stuck> {
        let Some((by_vector, by_immediate, digit)) = table::shift(op) else {
            return self.stuck();
        };
        let to = self.mmx_target()?;
        if self.place_of(value) != Place::Mmx(to) {
            return self.stuck();
        }
        if let Loc::Constant(count) = self.loc(count) {
            let count = Some(count.min(255) as u8);
            self.asm.sse(by_immediate.mmx(), digit, Rm::Reg(to), count);
            self.vectors.made = Some(Name(self.position as u32));
            return self.put_place(Place::Mmx(to));
        }
        let Some(code) = by_vector else {
            return self.stuck();
        };
        let count = self.mmx_operand(count)?;
        self.make_mmx(code.mmx(), count, None)
    }

    /// A value in the lowest lane, zeros above.
    fn widen_mmx(&mut self, value: Name) -> Result<(), Stuck> {
        match self.place_of(value) {
            Place::Memory { .. } => self.pass_on(value),
            Place::Lane {
                vector,
                index: 0,
                bits: 64,
            } => match self.place_of(vector) {
                Place::Guest(register) if register >= super::FIRST_TEMP => {
                    self.make_mmx(np(0x6f), Rm::Mem(vector_home(register)), None)
                }
                _ => {
                    let from = self.vector_register(vector)?;
                    self.make_mmx(pf2(0xd6), Rm::Reg(from), None)
                }
            },
            Place::Nowhere => {
                let is_wide = self.bits(value) == 64;
                let from = self.register(value)?;
                self.make_mmx(np(0x6e).w(is_wide), Rm::Reg(from), None)
            }
            _ => self.stuck(),
        }
    }

    fn write_mmx(&mut self, register: Reg, value: Name) -> Result<(), Stuck> {
        if self.vectors.made.take() == Some(value) {
            return Ok(());
        }
        let code = match self.place_of(value) {
            Place::Memory { bytes: 4, .. } => np(0x6e),
            _ => np(0x6f),
        };
        let from = self.mmx_operand(value)?;
        self.asm.sse(code, register, from, None);
        Ok(())
    }

    fn extract_mmx(&mut self, vector: Name, index: u8, bits: u32) -> Result<(), Stuck> {
        let passes_on = matches!(
            self.user(),
            Some(Op::Vector(VectorStep::Widen(_) | VectorStep::Shift(..)) | Op::Store { .. })
        );
        let place = self.place_of(vector);
        match place {
            Place::Memory { .. } if passes_on => return self.pass_on(vector),
            Place::Mmx(_) if passes_on && (bits == 64 || index == 0) => {
                return self.put_place(place);
            }
            _ => {}
        }
        let Place::Mmx(from) = place else {
            return self.stuck();
        };
        let to = self.general()?;
        if bits == 16 {
            self.asm.sse(np(0xc5), to, Rm::Reg(from), Some(index & 3));
        } else {
            self.asm
                .sse(np(0x7e).w(bits == 64), from, Rm::Reg(to), None);
        }
        Ok(())
    }

    /// MOVQ2DQ, which has no VEX encoding.
    pub(super) fn move_from_mmx(&mut self, from: Reg) -> Result<(), Stuck> {
        if let Target::Legacy(to) = self.vector_target() {
            self.asm.sse(pf3(0xd6), to, Rm::Reg(from), None);
            return self.made_vector(to);
        }
        let to = self.result_temp()?;
        self.asm.sse(pf3(0xd6), to, Rm::Reg(from), None);
        self.put_place(Place::Host(to))
    }

    /// MOVD and MOVQ to memory.
    pub(super) fn store_mmx(&mut self, from: Reg, to: Rm, bits: u32) -> Result<(), Stuck> {
        let code = match bits {
            32 => np(0x7e),
            64 => np(0x7f),
            _ => return self.stuck(),
        };
        self.asm.sse(code, from, to, None);
        Ok(())
    }
}
