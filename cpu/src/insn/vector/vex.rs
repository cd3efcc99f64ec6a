//! Rows of instructions encoded with VEX: nearly all come in pairs, for XMM registers and
//! for YMM registers.

/// Two rows whose meaning is given a constant, a width and a slot.
macro_rules! pair {
    ($xmm:ident $ymm:ident, $meaning:ident, $type:ty = $value:expr, $slot:ty) => {
        [
            $crate::insn::vector::vex::one!($xmm, V128, $meaning, $type = $value, $slot),
            $crate::insn::vector::vex::one!($ymm, Y256, $meaning, $type = $value, $slot),
        ]
    };
}
pub(in crate::insn) use pair;

/// One row whose meaning is given a constant, a width and a slot.
macro_rules! one {
    ($code:ident, $width:ident, $meaning:ident, $type:ty = $value:expr, $slot:ty) => {
        $crate::insn::vector::bound_row!(
            $code,
            Avx,
            $meaning,
            $type = $value,
            [$crate::verbs::$width, $slot],
            [$crate::verbs::$width, $crate::insn::Mem]
        )
    };
}
pub(in crate::insn) use one;

/// Two vectors of integers, for both registers.
macro_rules! packed {
    ($xmm:ident $ymm:ident, $op:ident $(($lane:ident))?) => {
        $crate::insn::vector::vex::pair!(
            $xmm $ymm, packed,
            $crate::vector::VectorOp = $crate::vector::VectorOp::$op $(($crate::vector::Lane::$lane))?,
            $crate::insn::Reg2
        )
    };
}
pub(in crate::insn) use packed;

/// A step of a cipher or a hash, for one register.
macro_rules! crypto {
    ($code:ident, $width:ident, $op:ident) => {
        $crate::insn::vector::vex::one!(
            $code,
            $width,
            packed,
            $crate::vector::VectorOp =
                $crate::vector::VectorOp::Crypto($crate::vector::CryptoOp::$op),
            $crate::insn::Reg2
        )
    };
}
pub(in crate::insn) use crypto;

/// The same with an immediate.
macro_rules! crypto_by {
    ($code:ident, $width:ident, $op:ident, $slot:ty) => {
        $crate::insn::vector::vex::one!(
            $code,
            $width,
            packed_by,
            fn(u8) -> $crate::vector::VectorOp = |immediate| {
                $crate::vector::VectorOp::Crypto($crate::vector::CryptoOp::$op(immediate))
            },
            $slot
        )
    };
}
pub(in crate::insn) use crypto_by;

/// One vector of integers, for both registers.
macro_rules! unary {
    ($xmm:ident $ymm:ident, $op:ident $(($lane:ident))?) => {
        $crate::insn::vector::vex::pair!(
            $xmm $ymm, unary,
            $crate::vector::VectorUnaryOp =
                $crate::vector::VectorUnaryOp::$op $(($crate::vector::Lane::$lane))?,
            $crate::insn::Reg1
        )
    };
}
pub(in crate::insn) use unary;

/// Lanes chosen by an immediate, for both registers.
macro_rules! shuffle {
    ($xmm:ident $ymm:ident, $op:ident $(($lane:ident))?, $slot:ty) => {
        $crate::insn::vector::vex::pair!(
            $xmm $ymm, shuffle,
            $crate::vector::ShuffleOp = $crate::vector::ShuffleOp::$op $(($crate::vector::Lane::$lane))?,
            $slot
        )
    };
}
pub(in crate::insn) use shuffle;

/// Two vectors of numbers, for both registers.
macro_rules! arithmetic {
    ($xmm:ident $ymm:ident, $op:ident, $shape:ident) => {
        $crate::insn::vector::vex::pair!(
            $xmm $ymm,
            arithmetic,
            ($crate::vector::FloatOp, $crate::vector::FloatShape) = (
                $crate::vector::FloatOp::$op,
                $crate::vector::FloatShape::$shape
            ),
            $crate::insn::Reg2
        )
    };
}
pub(in crate::insn) use arithmetic;

/// Two numbers.
macro_rules! scalar {
    ($code:ident, $op:ident, $shape:ident) => {
        $crate::insn::vector::vex::one!(
            $code,
            V128,
            arithmetic,
            ($crate::vector::FloatOp, $crate::vector::FloatShape) = (
                $crate::vector::FloatOp::$op,
                $crate::vector::FloatShape::$shape
            ),
            $crate::insn::Reg2
        )
    };
}
pub(in crate::insn) use scalar;

/// A conversion between vector registers, for one of them.
macro_rules! convert {
    ($code:ident, $width:ident, $op:ident $({ $field:ident: $value:literal })?, $slot:ty) => {
        $crate::insn::vector::vex::one!(
            $code, $width, convert,
            $crate::vector::ConvertOp = $crate::vector::ConvertOp::$op $({ $field: $value })?,
            $slot
        )
    };
}
pub(in crate::insn) use convert;
