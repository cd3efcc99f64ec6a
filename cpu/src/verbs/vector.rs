//! The vocabulary of MMX and SSE (SDM 1, chapters 9 to 12).

use crate::float::Predicate;
use crate::insn::Insn;
use crate::vector::{
    ConvertOp, FloatOp, FloatShape, FloatUnaryOp, FloatWidth, Lane, ShuffleOp, VectorBits,
    VectorOp, VectorShiftOp, VectorTernaryOp, VectorUnaryOp,
};
use crate::verbs::{Parameter, Qword, Verbs, Width};

/// A kind of vector register as a type.
pub trait VectorWidth: Parameter {
    /// The bits of such a register.
    type Bits: VectorBits;
    /// The width in bits.
    const BITS: u32 = <Self::Bits as VectorBits>::BITS;
    /// The width in bytes.
    const BYTES: u64 = Self::BITS as u64 / 8;
    /// Whether these are the MMX registers, which lie in the x87 unit.
    const IS_MMX: bool;
}

/// MMX: MM0 to MM7.
#[derive(Clone, Copy, Debug)]
pub struct M64;
/// SSE: XMM0 to XMM15. Writing one leaves the upper half of its YMM register alone.
#[derive(Clone, Copy, Debug)]
pub struct X128;

impl Parameter for M64 {}
impl VectorWidth for M64 {
    type Bits = u64;
    const IS_MMX: bool = true;
}

impl Parameter for X128 {}
impl VectorWidth for X128 {
    type Bits = u128;
    const IS_MMX: bool = false;
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

    /// Reads a register.
    fn vector<L: VectorWidth>(&mut self, number: usize) -> Self::Vector<L>;
    /// Writes a register.
    fn set_vector<L: VectorWidth>(&mut self, number: usize, value: Self::Vector<L>);
    /// Reads the memory operand.
    ///
    /// # Errors
    /// When the access faults; #GP(0) if `is_aligned` and the address is not a multiple of 16.
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

    // What follows is said with what stands above.

    /// One lane or all compared; the predicate is that of a legacy immediate.
    ///
    /// # Errors
    /// As for [`VectorVerbs::float`].
    #[inline(always)]
    fn float_compare<L: VectorWidth>(
        &mut self,
        immediate: u8,
        shape: FloatShape,
        a: Self::Vector<L>,
        b: Self::Vector<L>,
    ) -> Result<Self::Vector<L>, Self::Fault> {
        self.float(FloatOp::Compare(Predicate::legacy(immediate)), shape, a, b)
    }
}
