//! The slow, obvious meaning of the vector steps.

use super::Evaluation;
use crate::exception::Exit;
use crate::insn::Insn;
use crate::ir::op::Name;
use crate::ir::vector::VectorStep;
use crate::verbs::{
    Byte, Dword, M64, Qword, V128, VectorVerbs, VectorWidth, Width, Word, X128, Y256,
};

impl Evaluation<'_> {
    /// Carries out one step; its value, or zero.
    pub(super) fn vector(
        &mut self,
        step: VectorStep,
        width: u32,
        insn: &Insn,
    ) -> Result<[u128; 2], Exit> {
        // A step that makes a scalar tells the vector's width itself.
        match step {
            VectorStep::Extract { from: 64, .. }
            | VectorStep::SignMask { from: 64, .. }
            | VectorStep::ToInteger { from: 64, .. } => self.by_scalar::<M64>(step, width),
            VectorStep::Extract { from: 256, .. } | VectorStep::SignMask { from: 256, .. } => {
                self.by_scalar::<Y256>(step, width)
            }
            VectorStep::Extract { .. }
            | VectorStep::SignMask { .. }
            | VectorStep::ToInteger { .. } => self.by_scalar::<X128>(step, width),
            VectorStep::Mxcsr => Ok([u128::from(self.cpu.mxcsr()), 0]),
            VectorStep::SetMxcsr(value) => {
                self.cpu.set_mxcsr(self.get(value) as u32)?;
                Ok([0; 2])
            }
            VectorStep::Half(vector, is_high) => Ok([self.wide(vector)[usize::from(is_high)], 0]),
            VectorStep::WriteVex(..) if width == 128 => self.by_vector::<V128>(step, insn),
            _ if width == 64 => self.by_vector::<M64>(step, insn),
            _ if width == 128 => self.by_vector::<X128>(step, insn),
            _ => self.by_vector::<Y256>(step, insn),
        }
    }

    fn lanes<L: VectorWidth>(&self, name: Name) -> L::Bits {
        use crate::vector::VectorBits;
        let [low, high] = self.wide(name);
        L::Bits::from_pieces(low, high)
    }

    fn by_scalar<L: VectorWidth>(
        &mut self,
        step: VectorStep,
        width: u32,
    ) -> Result<[u128; 2], Exit> {
        let value = match width {
            8 => self.scalar::<L, Byte>(step),
            16 => self.scalar::<L, Word>(step),
            32 => self.scalar::<L, Dword>(step),
            _ => self.scalar::<L, Qword>(step),
        };
        Ok([u128::from(value?), 0])
    }

    fn scalar<L: VectorWidth, W: Width>(&mut self, step: VectorStep) -> Result<u64, Exit> {
        use crate::verbs::Bits;
        let value = match step {
            VectorStep::Extract { vector, index, .. } => {
                let vector = self.lanes::<L>(vector);
                self.cpu.extract::<L, W>(vector, index)
            }
            VectorStep::SignMask { vector, lane, .. } => {
                let vector = self.lanes::<L>(vector);
                self.cpu.sign_mask::<L, W>(lane, vector)
            }
            VectorStep::ToInteger {
                width,
                truncate,
                vector,
                ..
            } => {
                let vector = self.lanes::<L>(vector);
                self.cpu.float_to_integer::<L, W>(width, truncate, vector)?
            }
            _ => unreachable!("only steps that make scalars come here"),
        };
        Ok(value.widen())
    }

    fn by_vector<L: VectorWidth>(
        &mut self,
        step: VectorStep,
        insn: &Insn,
    ) -> Result<[u128; 2], Exit> {
        use crate::vector::VectorBits;
        let value = match step {
            VectorStep::CheckX87 => {
                self.cpu.begin::<L>()?;
                return Ok([0; 2]);
            }
            VectorStep::EnterMmx => {
                self.cpu.finish::<L>();
                return Ok([0; 2]);
            }
            VectorStep::LeaveMmx => {
                self.cpu.leave_mmx();
                return Ok([0; 2]);
            }
            VectorStep::Test { signs, a, b } => {
                let (a, b) = (self.lanes::<L>(a), self.lanes::<L>(b));
                self.cpu.vector_test::<L>(signs, a, b);
                return Ok([0; 2]);
            }
            VectorStep::LoadMasked { lane, mask, .. } => {
                let mask = self.lanes::<L>(mask);
                self.cpu.load_masked::<L>(insn, lane, mask)?
            }
            VectorStep::StoreMasked {
                lane, mask, value, ..
            } => {
                let (mask, value) = (self.lanes::<L>(mask), self.lanes::<L>(value));
                self.cpu.store_masked::<L>(insn, lane, mask, value)?;
                return Ok([0; 2]);
            }
            VectorStep::Clear { count, whole } => {
                self.cpu.clear_vectors(count, whole);
                return Ok([0; 2]);
            }
            VectorStep::Write(number, value) | VectorStep::WriteVex(number, value) => {
                let value = self.lanes::<L>(value);
                self.cpu.set_vector::<L>(usize::from(number), value);
                return Ok([0; 2]);
            }
            VectorStep::Store {
                address,
                is_aligned,
                value,
            } => {
                let (effective, value) = (self.get(address), self.lanes::<L>(value));
                let how = (is_aligned, true);
                let address = self.cpu.vector_address::<L>(insn, effective, how)?;
                self.cpu.store_linear(insn, insn.segment, address, value)?;
                return Ok([0; 2]);
            }
            VectorStep::Load {
                address,
                is_aligned,
            } => {
                let effective = self.get(address);
                let how = (is_aligned, false);
                let address = self.cpu.vector_address::<L>(insn, effective, how)?;
                self.cpu.load_linear(insn, insn.segment, address)?
            }
            VectorStep::Read(number) => self.cpu.vector::<L>(usize::from(number)),
            _ => self.computed::<L>(step)?,
        };
        Ok([value.low(), value.high()])
    }

    fn computed<L: VectorWidth>(&mut self, step: VectorStep) -> Result<L::Bits, Exit> {
        use crate::vector::VectorBits;
        let two = |a, b| (self.lanes::<L>(a), self.lanes::<L>(b));
        Ok(match step {
            VectorStep::Unary(op, value) => {
                let value = self.lanes::<L>(value);
                self.cpu.vector_unary::<L>(op, value)
            }
            VectorStep::Ternary(op, a, b, c) => {
                let ((a, b), c) = (two(a, b), self.lanes::<L>(c));
                self.cpu.vector_ternary::<L>(op, a, b, c)
            }
            VectorStep::Binary(op, a, b) => {
                let (a, b) = two(a, b);
                self.cpu.vector_binary::<L>(op, a, b)
            }
            VectorStep::Cross(op, a, b) => {
                let (a, b) = two(a, b);
                self.cpu.vector_cross::<L>(op, a, b)
            }
            VectorStep::Shuffle(op, a, b, immediate) => {
                let (a, b) = two(a, b);
                self.cpu.shuffle::<L>(op, a, b, immediate)
            }
            VectorStep::Shift(op, value, count) => {
                let (value, count) = (self.lanes::<L>(value), self.get(count));
                self.cpu.vector_shift::<L>(op, value, count)
            }
            VectorStep::Widen(value) | VectorStep::FromHalf(value) => {
                L::Bits::from_low(self.wide(value)[0])
            }
            VectorStep::Insert {
                vector,
                index,
                bits,
                value,
            } => {
                let (vector, value) = (self.lanes::<L>(vector), self.get(value));
                vector.insert(bits, u32::from(index), value)
            }
            _ => self.numbers::<L>(step)?,
        })
    }

    fn numbers<L: VectorWidth>(&mut self, step: VectorStep) -> Result<L::Bits, Exit> {
        let two = |a, b| (self.lanes::<L>(a), self.lanes::<L>(b));
        Ok(match step {
            VectorStep::Float(op, shape, a, b) => {
                let (a, b) = two(a, b);
                self.cpu.float::<L>(op, shape, a, b)?
            }
            VectorStep::FloatUnary(op, shape, a, b) => {
                let (a, b) = two(a, b);
                self.cpu.float_unary::<L>(op, shape, a, b)?
            }
            VectorStep::Fused(op, shape, [a, b, c]) => {
                let ((a, b), c) = (two(a, b), self.lanes::<L>(c));
                self.cpu.fused::<L>(op, shape, a, b, c)?
            }
            VectorStep::FloatOrder {
                width,
                quiet_signals,
                a,
                b,
            } => {
                let (a, b) = two(a, b);
                self.cpu.float_order::<L>(width, quiet_signals, a, b)?;
                L::Bits::default()
            }
            VectorStep::Convert(op, a, b) => {
                let (a, b) = two(a, b);
                self.cpu.convert::<L>(op, a, b)?
            }
            VectorStep::FromInteger {
                width,
                vector,
                bits,
                value,
            } => {
                let (vector, value) = (self.lanes::<L>(vector), self.get(value));
                if bits == 64 {
                    self.cpu
                        .integer_to_float::<L, Qword>(width, vector, value)?
                } else {
                    self.cpu
                        .integer_to_float::<L, Dword>(width, vector, value as u32)?
                }
            }
            _ => unreachable!("the other steps are dealt with before"),
        })
    }
}
