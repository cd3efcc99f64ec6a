//! Records the vector verbs.

use std::convert::Infallible;

use super::{Builder, Typed};
use crate::insn::Insn;
use crate::ir::op::Op;
use crate::ir::vector::VectorStep;
use crate::vector::{
    ConvertOp, CrossOp, FloatOp, FloatShape, FloatUnaryOp, FloatWidth, FusedOp, Lane, ShuffleOp,
    VectorOp, VectorShiftOp, VectorTernaryOp, VectorUnaryOp,
};
use crate::verbs::{Dword, M64, Qword, VectorVerbs, VectorWidth, Width};

impl Builder {
    fn effect<L: VectorWidth>(&mut self, step: VectorStep) {
        self.push(Op::Vector(step), L::BITS);
    }

    fn made<L: VectorWidth>(&mut self, step: VectorStep) -> Typed<L> {
        Typed::new(self.push(Op::Vector(step), L::BITS))
    }

    fn scalar<W: Width>(&mut self, step: VectorStep) -> Typed<W> {
        Typed::new(self.push(Op::Vector(step), W::BITS))
    }
}

impl VectorVerbs for Builder {
    type Vector<L: VectorWidth> = Typed<L>;

    fn begin<L: VectorWidth>(&mut self) -> Result<(), Infallible> {
        if L::IS_MMX {
            self.effect::<L>(VectorStep::CheckX87);
        }
        Ok(())
    }

    fn finish<L: VectorWidth>(&mut self) {
        if L::IS_MMX {
            self.effect::<L>(VectorStep::EnterMmx);
        }
    }

    fn leave_mmx(&mut self) {
        self.effect::<M64>(VectorStep::LeaveMmx);
    }

    fn vector<L: VectorWidth>(&mut self, number: usize) -> Typed<L> {
        self.made(VectorStep::Read(number as u8))
    }

    fn set_vector<L: VectorWidth>(&mut self, number: usize, value: Typed<L>) {
        let number = number as u8;
        self.effect::<L>(if L::IS_VEX {
            VectorStep::WriteVex(number, value.0)
        } else {
            VectorStep::Write(number, value.0)
        });
    }

    fn load_vector<L: VectorWidth>(
        &mut self,
        _insn: &Insn,
        is_aligned: bool,
    ) -> Result<Typed<L>, Infallible> {
        let address = self.push(Op::RawAddress, 64);
        Ok(self.made(VectorStep::Load {
            address,
            is_aligned,
        }))
    }

    fn store_vector<L: VectorWidth>(
        &mut self,
        _insn: &Insn,
        is_aligned: bool,
        value: Typed<L>,
    ) -> Result<(), Infallible> {
        let address = self.push(Op::RawAddress, 64);
        self.effect::<L>(VectorStep::Store {
            address,
            is_aligned,
            value: value.0,
        });
        Ok(())
    }

    fn load_masked<L: VectorWidth>(
        &mut self,
        _insn: &Insn,
        lane: Lane,
        mask: Typed<L>,
    ) -> Result<Typed<L>, Infallible> {
        let address = self.push(Op::RawAddress, 64);
        Ok(self.made(VectorStep::LoadMasked {
            address,
            lane,
            mask: mask.0,
        }))
    }

    fn store_masked<L: VectorWidth>(
        &mut self,
        _insn: &Insn,
        lane: Lane,
        mask: Typed<L>,
        value: Typed<L>,
    ) -> Result<(), Infallible> {
        let address = self.push(Op::RawAddress, 64);
        self.effect::<L>(VectorStep::StoreMasked {
            address,
            lane,
            mask: mask.0,
            value: value.0,
        });
        Ok(())
    }

    fn mxcsr(&mut self) -> Typed<Dword> {
        self.scalar(VectorStep::Mxcsr)
    }

    fn set_mxcsr(&mut self, value: Typed<Dword>) -> Result<(), Infallible> {
        self.push(Op::Vector(VectorStep::SetMxcsr(value.0)), 32);
        Ok(())
    }

    fn clear_vectors(&mut self, count: u8, whole: bool) {
        self.push(Op::Vector(VectorStep::Clear { count, whole }), 256);
    }

    fn low_half<L: VectorWidth>(&mut self, vector: Typed<L>) -> Typed<L::Half> {
        if L::BITS == <L::Half as VectorWidth>::BITS {
            return Typed::new(vector.0);
        }
        self.made(VectorStep::Half(vector.0, false))
    }

    fn high_half<L: VectorWidth>(&mut self, vector: Typed<L>) -> Typed<L::Half> {
        if L::BITS == <L::Half as VectorWidth>::BITS {
            return Typed::new(vector.0);
        }
        self.made(VectorStep::Half(vector.0, true))
    }

    fn widen_half<L: VectorWidth>(&mut self, half: Typed<L::Half>) -> Typed<L> {
        if L::BITS == <L::Half as VectorWidth>::BITS {
            return Typed::new(half.0);
        }
        self.made(VectorStep::FromHalf(half.0))
    }

    fn widen<W: Width, L: VectorWidth>(&mut self, value: Typed<W>) -> Typed<L> {
        self.made(VectorStep::Widen(value.0))
    }

    fn extract<L: VectorWidth, W: Width>(&mut self, vector: Typed<L>, index: u8) -> Typed<W> {
        self.scalar(VectorStep::Extract {
            from: L::BITS,
            vector: vector.0,
            index,
        })
    }

    fn insert<L: VectorWidth, W: Width>(
        &mut self,
        vector: Typed<L>,
        index: u8,
        value: Typed<W>,
    ) -> Typed<L> {
        self.made(VectorStep::Insert {
            vector: vector.0,
            index,
            bits: W::BITS,
            value: value.0,
        })
    }

    fn sign_mask<L: VectorWidth, W: Width>(&mut self, lane: Lane, vector: Typed<L>) -> Typed<W> {
        self.scalar(VectorStep::SignMask {
            from: L::BITS,
            vector: vector.0,
            lane,
        })
    }

    fn vector_binary<L: VectorWidth>(
        &mut self,
        op: VectorOp,
        a: Typed<L>,
        b: Typed<L>,
    ) -> Typed<L> {
        self.made(VectorStep::Binary(op, a.0, b.0))
    }

    fn vector_unary<L: VectorWidth>(&mut self, op: VectorUnaryOp, value: Typed<L>) -> Typed<L> {
        self.made(VectorStep::Unary(op, value.0))
    }

    fn vector_ternary<L: VectorWidth>(
        &mut self,
        op: VectorTernaryOp,
        a: Typed<L>,
        b: Typed<L>,
        c: Typed<L>,
    ) -> Typed<L> {
        self.made(VectorStep::Ternary(op, a.0, b.0, c.0))
    }

    fn vector_cross<L: VectorWidth>(&mut self, op: CrossOp, a: Typed<L>, b: Typed<L>) -> Typed<L> {
        self.made(VectorStep::Cross(op, a.0, b.0))
    }

    fn vector_test<L: VectorWidth>(&mut self, signs: Option<Lane>, a: Typed<L>, b: Typed<L>) {
        self.effect::<L>(VectorStep::Test {
            signs,
            a: a.0,
            b: b.0,
        });
    }

    fn shuffle<L: VectorWidth>(
        &mut self,
        op: ShuffleOp,
        a: Typed<L>,
        b: Typed<L>,
        immediate: u8,
    ) -> Typed<L> {
        self.made(VectorStep::Shuffle(op, a.0, b.0, immediate))
    }

    fn vector_shift<L: VectorWidth>(
        &mut self,
        op: VectorShiftOp,
        value: Typed<L>,
        count: Typed<Qword>,
    ) -> Typed<L> {
        self.made(VectorStep::Shift(op, value.0, count.0))
    }

    fn float<L: VectorWidth>(
        &mut self,
        op: FloatOp,
        shape: FloatShape,
        a: Typed<L>,
        b: Typed<L>,
    ) -> Result<Typed<L>, Infallible> {
        Ok(self.made(VectorStep::Float(op, shape, a.0, b.0)))
    }

    fn float_unary<L: VectorWidth>(
        &mut self,
        op: FloatUnaryOp,
        shape: FloatShape,
        a: Typed<L>,
        b: Typed<L>,
    ) -> Result<Typed<L>, Infallible> {
        Ok(self.made(VectorStep::FloatUnary(op, shape, a.0, b.0)))
    }

    fn fused<L: VectorWidth>(
        &mut self,
        op: FusedOp,
        shape: FloatShape,
        a: Typed<L>,
        b: Typed<L>,
        c: Typed<L>,
    ) -> Result<Typed<L>, Infallible> {
        Ok(self.made(VectorStep::Fused(op, shape, [a.0, b.0, c.0])))
    }

    fn float_order<L: VectorWidth>(
        &mut self,
        width: FloatWidth,
        quiet_signals: bool,
        a: Typed<L>,
        b: Typed<L>,
    ) -> Result<(), Infallible> {
        self.effect::<L>(VectorStep::FloatOrder {
            width,
            quiet_signals,
            a: a.0,
            b: b.0,
        });
        Ok(())
    }

    fn convert<L: VectorWidth>(
        &mut self,
        op: ConvertOp,
        a: Typed<L>,
        b: Typed<L>,
    ) -> Result<Typed<L>, Infallible> {
        Ok(self.made(VectorStep::Convert(op, a.0, b.0)))
    }

    fn integer_to_float<L: VectorWidth, W: Width>(
        &mut self,
        width: FloatWidth,
        a: Typed<L>,
        value: Typed<W>,
    ) -> Result<Typed<L>, Infallible> {
        Ok(self.made(VectorStep::FromInteger {
            width,
            vector: a.0,
            bits: W::BITS,
            value: value.0,
        }))
    }

    fn float_to_integer<L: VectorWidth, W: Width>(
        &mut self,
        width: FloatWidth,
        truncate: bool,
        value: Typed<L>,
    ) -> Result<Typed<W>, Infallible> {
        Ok(self.scalar(VectorStep::ToInteger {
            width,
            truncate,
            from: L::BITS,
            vector: value.0,
        }))
    }
}
