//! MMX, SSE and AVX carried out at once.

mod masked;

pub(crate) use masked::{is_wanted, load_lane};

use rax_mmu::LinearAddress;

use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::flags::{LazyFlags, sign_extend};
use crate::float::Env;
use crate::insn::Insn;
use crate::rflags::{Cr0, Cr4, Rflags};
use crate::vector::{
    ConvertOp, CrossOp, FloatOp, FloatShape, FloatUnaryOp, FloatWidth, FusedOp, Lane, ShuffleOp,
    VectorBits, VectorOp, VectorShiftOp, VectorTernaryOp, VectorUnaryOp, order_flags,
};
use crate::verbs::{Bits, Dword, Qword, VectorVerbs, VectorWidth, Width};

/// Status word: which register is the stack's top.
const TOP: u16 = 7 << 11;

impl Cpu {
    /// Records what a SIMD instruction raised, and traps what is not masked (SDM 1, 11.5.2).
    #[inline(always)]
    fn settle(&mut self, env: &Env) -> Result<(), Exit> {
        self.state.mxcsr |= u32::from(env.reported().bits());
        if env.unmasked().is_empty() {
            Ok(())
        } else {
            Err(self.raise_simd())
        }
    }

    #[cold]
    fn raise_simd(&mut self) -> Exit {
        let handled = self.state.cr4 & Cr4::OSXMMEXCPT.bits() != 0;
        self.raise(if handled {
            Exception::SimdFloatingPoint
        } else {
            Exception::InvalidOpcode
        })
    }

    /// #MF if an x87 exception is pending, as WAIT and every MMX instruction find out.
    ///
    /// # Errors
    /// #MF.
    #[inline(always)]
    pub(crate) fn check_pending_x87(&mut self) -> Result<(), Exit> {
        if !self.state.fpu.is_pending() {
            return Ok(());
        }
        if self.state.cr0 & Cr0::NE.bits() != 0 {
            return Err(self.raise(Exception::X87FloatingPoint));
        }
        self.wait_for_board()
    }

    /// Marks all x87 registers in use, with the stack's top at zero (SDM 1, 9.5.1).
    #[inline(always)]
    pub(crate) const fn enter_mmx(&mut self) {
        self.state.fpu.in_use = 0xff;
        self.state.fpu.status &= !TOP;
    }

    /// The environment that MXCSR asks for.
    #[inline(always)]
    const fn simd(&self) -> Env {
        Env::from_mxcsr(self.state.mxcsr)
    }

    /// The linear address of a vector in memory.
    ///
    /// # Errors
    /// When segmentation forbids it; #GP(0) if it must be aligned and is not.
    #[inline(always)]
    pub(crate) fn vector_address<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        effective: u64,
        (is_aligned, write): (bool, bool),
    ) -> Result<LinearAddress, Exit> {
        let address = self.address_of(insn, effective, L::BYTES, write)?;
        if is_aligned && address.0 & (L::BYTES - 1) != 0 {
            return Err(self.raise(Exception::GeneralProtection(0)));
        }
        Ok(address)
    }
}

impl VectorVerbs for Cpu {
    type Vector<L: VectorWidth> = L::Bits;

    #[inline(always)]
    fn begin<L: VectorWidth>(&mut self) -> Result<(), Exit> {
        if L::IS_MMX {
            self.check_pending_x87()
        } else {
            Ok(())
        }
    }

    #[inline(always)]
    fn finish<L: VectorWidth>(&mut self) {
        if L::IS_MMX {
            self.enter_mmx();
        }
    }

    #[inline(always)]
    fn leave_mmx(&mut self) {
        self.enter_mmx();
        self.state.fpu.in_use = 0;
    }

    #[inline(always)]
    fn vector<L: VectorWidth>(&mut self, number: usize) -> L::Bits {
        if L::IS_MMX {
            let register = self.state.fpu.registers[number & 7];
            return L::Bits::from_low(u128::from(register.significand));
        }
        let [a, b, c, d] = self.state.vectors[number & 15].0.map(u128::from);
        L::Bits::from_pieces(a | b << 64, c | d << 64)
    }

    #[inline(always)]
    fn set_vector<L: VectorWidth>(&mut self, number: usize, value: L::Bits) {
        let low = value.low();
        if L::IS_MMX {
            let register = &mut self.state.fpu.registers[number & 7];
            register.significand = low as u64;
            register.sign_exponent = 0xffff;
            return;
        }
        let quads = &mut self.state.vectors[number & 15].0;
        quads[0] = low as u64;
        quads[1] = (low >> 64) as u64;
        if L::IS_VEX {
            let high = value.high();
            quads[2] = high as u64;
            quads[3] = (high >> 64) as u64;
        }
    }

    #[inline(always)]
    fn load_vector<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        is_aligned: bool,
    ) -> Result<L::Bits, Exit> {
        let effective = self.raw_effective_address(insn);
        let address = self.vector_address::<L>(insn, effective, (is_aligned, false))?;
        self.load_linear(insn, insn.segment, address)
    }

    #[inline(always)]
    fn store_vector<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        is_aligned: bool,
        value: L::Bits,
    ) -> Result<(), Exit> {
        let effective = self.raw_effective_address(insn);
        let address = self.vector_address::<L>(insn, effective, (is_aligned, true))?;
        self.store_linear(insn, insn.segment, address, value)
    }

    fn load_masked<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        lane: Lane,
        mask: L::Bits,
    ) -> Result<L::Bits, Exit> {
        match lane {
            Lane::Qword => self.load_wanted::<L, Qword>(insn, mask),
            _ => self.load_wanted::<L, Dword>(insn, mask),
        }
    }

    fn store_masked<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        lane: Lane,
        mask: L::Bits,
        value: L::Bits,
    ) -> Result<(), Exit> {
        match lane {
            Lane::Qword => self.store_wanted::<L, Qword>(insn, mask, value),
            _ => self.store_wanted::<L, Dword>(insn, mask, value),
        }
    }

    #[inline(always)]
    fn mxcsr(&mut self) -> u32 {
        self.state.mxcsr
    }

    #[inline(always)]
    fn set_mxcsr(&mut self, value: u32) -> Result<(), Exit> {
        // All below bit 16 exist, DAZ included.
        if value & 0xffff_0000 != 0 {
            return Err(self.raise(Exception::GeneralProtection(0)));
        }
        self.state.mxcsr = value;
        Ok(())
    }

    #[inline(always)]
    fn clear_vectors(&mut self, count: u8, whole: bool) {
        for vector in self.state.vectors.iter_mut().take(usize::from(count)) {
            let kept = if whole { 0 } else { 2 };
            vector.0[kept..].fill(0);
        }
    }

    #[inline(always)]
    fn low_half<L: VectorWidth>(&mut self, vector: L::Bits) -> <L::Half as VectorWidth>::Bits {
        VectorBits::from_low(vector.low())
    }

    #[inline(always)]
    fn high_half<L: VectorWidth>(&mut self, vector: L::Bits) -> <L::Half as VectorWidth>::Bits {
        VectorBits::from_low(vector.piece((L::BITS - 1) / 128))
    }

    #[inline(always)]
    fn widen_half<L: VectorWidth>(&mut self, half: <L::Half as VectorWidth>::Bits) -> L::Bits {
        L::Bits::from_low(half.low())
    }

    #[inline(always)]
    fn widen<W: Width, L: VectorWidth>(&mut self, value: W::Bits) -> L::Bits {
        L::Bits::from_low(u128::from(value.widen()))
    }

    #[inline(always)]
    fn extract<L: VectorWidth, W: Width>(&mut self, vector: L::Bits, index: u8) -> W::Bits {
        W::Bits::truncate(vector.extract(W::BITS, u32::from(index)))
    }

    #[inline(always)]
    fn insert<L: VectorWidth, W: Width>(
        &mut self,
        vector: L::Bits,
        index: u8,
        value: W::Bits,
    ) -> L::Bits {
        vector.insert(W::BITS, u32::from(index), value.widen())
    }

    #[inline(always)]
    fn sign_mask<L: VectorWidth, W: Width>(&mut self, lane: Lane, vector: L::Bits) -> W::Bits {
        W::Bits::truncate(u64::from(vector.signs(lane)))
    }

    #[inline(always)]
    fn vector_binary<L: VectorWidth>(&mut self, op: VectorOp, a: L::Bits, b: L::Bits) -> L::Bits {
        op.on(a, b)
    }

    #[inline(always)]
    fn vector_unary<L: VectorWidth>(&mut self, op: VectorUnaryOp, value: L::Bits) -> L::Bits {
        op.on(value)
    }

    #[inline(always)]
    fn vector_ternary<L: VectorWidth>(
        &mut self,
        op: VectorTernaryOp,
        a: L::Bits,
        b: L::Bits,
        c: L::Bits,
    ) -> L::Bits {
        op.on(a, b, c)
    }

    #[inline(always)]
    fn vector_cross<L: VectorWidth>(&mut self, op: CrossOp, a: L::Bits, b: L::Bits) -> L::Bits {
        op.on(a, b)
    }

    #[inline(always)]
    fn vector_test<L: VectorWidth>(&mut self, signs: Option<Lane>, a: L::Bits, b: L::Bits) {
        let is_zero = |vector: L::Bits| match signs {
            Some(lane) => vector.signs(lane) == 0,
            None => vector.low() | vector.high() == 0,
        };
        let mut flags = Rflags::empty();
        flags.set(Rflags::ZF, is_zero(VectorOp::And.on(a, b)));
        flags.set(Rflags::CF, is_zero(VectorOp::AndNot.on(a, b)));
        self.state.flags = LazyFlags::from_status(flags);
    }

    #[inline(always)]
    fn shuffle<L: VectorWidth>(
        &mut self,
        op: ShuffleOp,
        a: L::Bits,
        b: L::Bits,
        immediate: u8,
    ) -> L::Bits {
        op.on(a, b, immediate)
    }

    #[inline(always)]
    fn vector_shift<L: VectorWidth>(
        &mut self,
        op: VectorShiftOp,
        value: L::Bits,
        count: u64,
    ) -> L::Bits {
        op.on(value, count)
    }

    #[inline(always)]
    fn float<L: VectorWidth>(
        &mut self,
        op: FloatOp,
        shape: FloatShape,
        a: L::Bits,
        b: L::Bits,
    ) -> Result<L::Bits, Exit> {
        let mut env = self.simd();
        let result = op.on(shape, &mut env, a, b);
        self.settle(&env)?;
        Ok(result)
    }

    #[inline(always)]
    fn float_unary<L: VectorWidth>(
        &mut self,
        op: FloatUnaryOp,
        shape: FloatShape,
        a: L::Bits,
        b: L::Bits,
    ) -> Result<L::Bits, Exit> {
        let mut env = self.simd();
        let result = op.on(shape, &mut env, a, b);
        self.settle(&env)?;
        Ok(result)
    }

    #[inline(always)]
    fn fused<L: VectorWidth>(
        &mut self,
        op: FusedOp,
        shape: FloatShape,
        a: L::Bits,
        b: L::Bits,
        c: L::Bits,
    ) -> Result<L::Bits, Exit> {
        let mut env = self.simd();
        let result = op.on(shape, &mut env, a, b, c);
        self.settle(&env)?;
        Ok(result)
    }

    #[inline(always)]
    fn float_order<L: VectorWidth>(
        &mut self,
        width: FloatWidth,
        quiet_signals: bool,
        a: L::Bits,
        b: L::Bits,
    ) -> Result<(), Exit> {
        let mut env = self.simd();
        let flags = order_flags(width, &mut env, (a.low(), b.low()), quiet_signals);
        self.settle(&env)?;
        self.state.flags = LazyFlags::from_status(flags);
        Ok(())
    }

    #[inline(always)]
    fn convert<L: VectorWidth>(
        &mut self,
        op: ConvertOp,
        a: L::Bits,
        b: L::Bits,
    ) -> Result<L::Bits, Exit> {
        let mut env = self.simd();
        let result = op.on(&mut env, a, b);
        self.settle(&env)?;
        Ok(result)
    }

    #[inline(always)]
    fn integer_to_float<L: VectorWidth, W: Width>(
        &mut self,
        width: FloatWidth,
        a: L::Bits,
        value: W::Bits,
    ) -> Result<L::Bits, Exit> {
        let mut env = self.simd();
        let value = sign_extend(W::BITS, value.widen()).cast_signed();
        let result = L::Bits::from_low(width.from_integer(&mut env, a.low(), value));
        self.settle(&env)?;
        Ok(result)
    }

    #[inline(always)]
    fn float_to_integer<L: VectorWidth, W: Width>(
        &mut self,
        width: FloatWidth,
        truncate: bool,
        value: L::Bits,
    ) -> Result<W::Bits, Exit> {
        let mut env = self.simd();
        let result = width.to_integer(&mut env, W::BITS, value.low(), truncate);
        self.settle(&env)?;
        Ok(W::Bits::truncate(result))
    }
}
