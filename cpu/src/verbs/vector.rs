//! The vocabulary of MMX, SSE and AVX (SDM 1, chapters 9 to 14).

use crate::insn::Insn;
use crate::vector::{
    ConvertOp, CrossOp, FloatOp, FloatShape, FloatUnaryOp, FloatWidth, FusedOp, Lane, ShuffleOp,
    VectorBits, VectorOp, VectorShiftOp, VectorTernaryOp, VectorUnaryOp,
};
use crate::verbs::{Dword, Parameter, Qword, Verbs, Width};

/// A kind of vector register as a type.
pub trait VectorWidth: Parameter {
    /// The bits of such a register.
    type Bits: VectorBits;
    /// The width in bits.
    const BITS: u32 = <Self::Bits as VectorBits>::BITS;
    /// The width in bytes.
    const BYTES: u64 = Self::BITS as u64 / 8;
    /// Whether these are the MMX registers, which lie in the x87 unit.
    const IS_MMX: bool = false;
    /// Whether instructions of this width are encoded with VEX. Those name their first source
    /// apart from the destination, take unaligned operands from memory, and what they write
    /// fills a register of 256 bits: what is above is cleared.
    const IS_VEX: bool = false;
    /// Which operand an instruction's first source is.
    const FIRST: usize = Self::IS_VEX as usize;
    /// Instructions of this width whose operand need not fill 256 bits have one of this width.
    type Half: VectorWidth;
}

/// MMX: MM0 to MM7.
#[derive(Clone, Copy, Debug)]
pub struct M64;
/// SSE: XMM0 to XMM15. Writing one leaves the upper half of its YMM register alone.
#[derive(Clone, Copy, Debug)]
pub struct X128;

/// AVX, VEX.128: XMM0 to XMM15. Writing one clears the upper half of its YMM register.
#[derive(Clone, Copy, Debug)]
pub struct V128;
/// AVX, VEX.256: YMM0 to YMM15.
#[derive(Clone, Copy, Debug)]
pub struct Y256;

impl Parameter for M64 {}
impl VectorWidth for M64 {
    type Bits = u64;
    type Half = Self;
    const IS_MMX: bool = true;
}

impl Parameter for X128 {}
impl VectorWidth for X128 {
    type Bits = u128;
    type Half = Self;
}

impl Parameter for V128 {}
impl VectorWidth for V128 {
    type Bits = u128;
    type Half = Self;
    const IS_VEX: bool = true;
}

impl Parameter for Y256 {}
impl VectorWidth for Y256 {
    type Bits = [u128; 2];
    type Half = V128;
    const IS_VEX: bool = true;
}

/// A constant that a row binds to its meaning: an operation, a shape, a width.
pub trait Bound<T>: Parameter {
    /// The constant.
    const VALUE: T;
}

/// What a vector instruction may do, besides [`Verbs`].
///
/// An MMX instruction begins with [`VectorVerbs::begin`] and ends with
/// [`VectorVerbs::finish`]; for other widths both do nothing.
pub trait VectorVerbs: Verbs {
    /// A vector now, or the name of a vector later.
    type Vector<L: VectorWidth>: Copy;

    /// MMX: looks for a pending x87 exception.
    ///
    /// # Errors
    /// #MF if there is one.
    fn begin<L: VectorWidth>(&mut self) -> Result<(), Self::Fault>;
    /// MMX: marks all x87 registers in use, with the stack's top at zero.
    fn finish<L: VectorWidth>(&mut self);
    /// EMMS: marks all x87 registers empty, with the stack's top at zero.
    fn leave_mmx(&mut self);

    /// Reads a register.
    fn vector<L: VectorWidth>(&mut self, number: usize) -> Self::Vector<L>;
    /// Writes a register.
    fn set_vector<L: VectorWidth>(&mut self, number: usize, value: Self::Vector<L>);
    /// Reads the memory operand.
    ///
    /// # Errors
    /// When the access faults; #GP(0) if `is_aligned` and the address is not a multiple of the width.
    fn load_vector<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        is_aligned: bool,
    ) -> Result<Self::Vector<L>, Self::Fault>;
    /// Writes the memory operand.
    ///
    /// # Errors
    /// As for [`VectorVerbs::load_vector`].
    fn store_vector<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        is_aligned: bool,
        value: Self::Vector<L>,
    ) -> Result<(), Self::Fault>;

    /// Reads those lanes of the memory operand whose sign is set in `mask`; the others, which
    /// are not looked at, become zero.
    ///
    /// # Errors
    /// When the access faults.
    fn load_masked<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        lane: Lane,
        mask: Self::Vector<L>,
    ) -> Result<Self::Vector<L>, Self::Fault>;
    /// Writes those lanes of the memory operand whose sign is set in `mask`. Whatever can fault,
    /// faults before the first lane is stored.
    ///
    /// # Errors
    /// When the access faults.
    fn store_masked<L: VectorWidth>(
        &mut self,
        insn: &Insn,
        lane: Lane,
        mask: Self::Vector<L>,
        value: Self::Vector<L>,
    ) -> Result<(), Self::Fault>;

    /// Reads MXCSR.
    fn mxcsr(&mut self) -> Self::Value<Dword>;
    /// Writes MXCSR.
    ///
    /// # Errors
    /// #GP(0) if a reserved bit is set.
    fn set_mxcsr(&mut self, value: Self::Value<Dword>) -> Result<(), Self::Fault>;

    /// Clears registers 0 to `count` - 1 of 256 bits, or the upper half of each.
    fn clear_vectors(&mut self, count: u8, whole: bool);

    /// The low half of 256 bits; of narrower vectors, all.
    fn low_half<L: VectorWidth>(&mut self, vector: Self::Vector<L>) -> Self::Vector<L::Half>;
    /// The high half of 256 bits; of narrower vectors, all.
    fn high_half<L: VectorWidth>(&mut self, vector: Self::Vector<L>) -> Self::Vector<L::Half>;
    /// The half of 256 bits, zeros above.
    fn widen_half<L: VectorWidth>(&mut self, half: Self::Vector<L::Half>) -> Self::Vector<L>;
    /// A value in the lowest lane, zeros in the others.
    fn widen<W: Width, L: VectorWidth>(&mut self, value: Self::Value<W>) -> Self::Vector<L>;
    /// The lane of width `W` at an index.
    fn extract<L: VectorWidth, W: Width>(
        &mut self,
        vector: Self::Vector<L>,
        index: u8,
    ) -> Self::Value<W>;
    /// The vector with the lane of width `W` at an index replaced.
    fn insert<L: VectorWidth, W: Width>(
        &mut self,
        vector: Self::Vector<L>,
        index: u8,
        value: Self::Value<W>,
    ) -> Self::Vector<L>;
    /// The sign bits of the lanes, the first lane's lowest.
    fn sign_mask<L: VectorWidth, W: Width>(
        &mut self,
        lane: Lane,
        vector: Self::Vector<L>,
    ) -> Self::Value<W>;

    /// Two vectors of integers, one result.
    fn vector_binary<L: VectorWidth>(
        &mut self,
        op: VectorOp,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
    ) -> Self::Vector<L>;
    /// One vector of integers, one result.
    fn vector_unary<L: VectorWidth>(
        &mut self,
        op: VectorUnaryOp,
        value: Self::Vector<L>,
    ) -> Self::Vector<L>;
    /// Three vectors of integers, one result.
    fn vector_ternary<L: VectorWidth>(
        &mut self,
        op: VectorTernaryOp,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
        c: Self::Vector<L>,
    ) -> Self::Vector<L>;
    /// Two vectors, one result, across pieces of 128 bits.
    fn vector_cross<L: VectorWidth>(
        &mut self,
        op: CrossOp,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
    ) -> Self::Vector<L>;
    /// Sets ZF if the vectors have no bit in common and CF if the second has none of its own,
    /// or else of the signs of such lanes alone; clears the other flags.
    fn vector_test<L: VectorWidth>(
        &mut self,
        signs: Option<Lane>,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
    );
    /// Lanes chosen by an immediate.
    fn shuffle<L: VectorWidth>(
        &mut self,
        op: ShuffleOp,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
        immediate: u8,
    ) -> Self::Vector<L>;
    /// A shift by one count, which is not masked.
    fn vector_shift<L: VectorWidth>(
        &mut self,
        op: VectorShiftOp,
        value: Self::Vector<L>,
        count: Self::Value<Qword>,
    ) -> Self::Vector<L>;

    /// Two vectors of numbers, one result.
    ///
    /// # Errors
    /// #XM (or #UD) if an unmasked exception was raised; MXCSR records it.
    fn float<L: VectorWidth>(
        &mut self,
        op: FloatOp,
        shape: FloatShape,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
    ) -> Result<Self::Vector<L>, Self::Fault>;
    /// One vector of numbers, `b`; lanes that are not computed come from `a`.
    ///
    /// # Errors
    /// As for [`VectorVerbs::float`].
    fn float_unary<L: VectorWidth>(
        &mut self,
        op: FloatUnaryOp,
        shape: FloatShape,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
    ) -> Result<Self::Vector<L>, Self::Fault>;
    /// Three vectors of numbers; lanes that are not computed come from `a`.
    ///
    /// # Errors
    /// As for [`VectorVerbs::float`].
    fn fused<L: VectorWidth>(
        &mut self,
        op: FusedOp,
        shape: FloatShape,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
        c: Self::Vector<L>,
    ) -> Result<Self::Vector<L>, Self::Fault>;
    /// Sets the flags by how the lowest lanes relate; `quiet_signals` tells COMISS from UCOMISS.
    ///
    /// # Errors
    /// As for [`VectorVerbs::float`]; the flags then stay.
    fn float_order<L: VectorWidth>(
        &mut self,
        width: FloatWidth,
        quiet_signals: bool,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
    ) -> Result<(), Self::Fault>;
    /// Converts `b`; what the result does not fill comes from `a` where the operation says so.
    ///
    /// # Errors
    /// As for [`VectorVerbs::float`].
    fn convert<L: VectorWidth>(
        &mut self,
        op: ConvertOp,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
    ) -> Result<Self::Vector<L>, Self::Fault>;
    /// `a` with its lowest lane made from a signed integer.
    ///
    /// # Errors
    /// As for [`VectorVerbs::float`].
    fn integer_to_float<L: VectorWidth, W: Width>(
        &mut self,
        width: FloatWidth,
        a: Self::Vector<L>,
        value: Self::Value<W>,
    ) -> Result<Self::Vector<L>, Self::Fault>;
    /// The lowest lane as a signed integer.
    ///
    /// # Errors
    /// As for [`VectorVerbs::float`].
    fn float_to_integer<L: VectorWidth, W: Width>(
        &mut self,
        width: FloatWidth,
        truncate: bool,
        value: Self::Vector<L>,
    ) -> Result<Self::Value<W>, Self::Fault>;
}
