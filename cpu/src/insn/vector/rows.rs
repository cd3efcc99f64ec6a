//! Rows of the SSE groups, most of which differ in one word.

/// Two vectors of integers.
macro_rules! packed {
    ($code:ident, $op:ident $(($lane:ident))?) => {
        $crate::insn::vector::bound_row!(
            $code, Sse, packed,
            $crate::vector::VectorOp = $crate::vector::VectorOp::$op $(($crate::vector::Lane::$lane))?,
            [X128, Reg1], [X128, Mem]
        )
    };
}
pub(in crate::insn) use packed;

/// Lanes chosen by an immediate.
macro_rules! shuffle {
    ($code:ident, $op:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            shuffle,
            $crate::vector::ShuffleOp = $crate::vector::ShuffleOp::$op,
            [X128, Reg1],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use shuffle;

/// Two vectors of integers, and an immediate that the operation holds.
macro_rules! packed_by {
    ($code:ident, $op:expr) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            packed_by,
            fn(u8) -> $crate::vector::VectorOp = $op,
            [X128, Reg1],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use packed_by;

/// A step of a cipher or a hash.
macro_rules! crypto {
    ($code:ident, $op:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            packed,
            $crate::vector::VectorOp =
                $crate::vector::VectorOp::Crypto($crate::vector::CryptoOp::$op),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use crypto;

/// The same with an immediate.
macro_rules! crypto_by {
    ($code:ident, $op:ident) => {
        $crate::insn::vector::rows::packed_by!($code, |immediate| {
            $crate::vector::VectorOp::Crypto($crate::vector::CryptoOp::$op(immediate))
        })
    };
}
pub(in crate::insn) use crypto_by;

/// One vector of integers.
macro_rules! unary {
    ($code:ident, $op:ident $(($lane:ident))?) => {
        $crate::insn::vector::bound_row!(
            $code, Sse, unary,
            $crate::vector::VectorUnaryOp =
                $crate::vector::VectorUnaryOp::$op $(($crate::vector::Lane::$lane))?,
            [X128, Reg1], [X128, Mem]
        )
    };
}
pub(in crate::insn) use unary;

/// A whole vector to a register.
macro_rules! load {
    ($code:ident, $alignment:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            move_to,
            bool = $crate::insn::vector::rows::$alignment,
            [X128, Reg1],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use load;

/// A whole vector from a register.
macro_rules! store {
    ($code:ident, $alignment:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            move_from,
            bool = $crate::insn::vector::rows::$alignment,
            [X128, Reg0],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use store;

/// Memory must be aligned.
pub(in crate::insn) const ALIGNED: bool = true;
/// Memory need not be aligned.
pub(in crate::insn) const UNALIGNED: bool = false;

/// MOVSS and MOVSD to a register.
macro_rules! scalar_load {
    ($code:ident, $width:ty) => {
        $crate::insn::Row::shared(
            iced_x86::Code::$code,
            $crate::insn::both!(move_low, X128, $width, Reg1),
            $crate::insn::both!(load_low, X128, $width, Mem),
        )
        .needs($crate::insn::Unit::Sse)
    };
}
pub(in crate::insn) use scalar_load;

/// MOVSS and MOVSD from a register.
macro_rules! scalar_store {
    ($code:ident, $width:ty) => {
        $crate::insn::Row::shared(
            iced_x86::Code::$code,
            $crate::insn::both!(move_low, X128, $width, Reg1),
            $crate::insn::both!(store_low, $width, Mem),
        )
        .needs($crate::insn::Unit::Sse)
    };
}
pub(in crate::insn) use scalar_store;

/// Sign bits to a general register.
macro_rules! signs {
    ($code:ident, $lane:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            signs,
            $crate::vector::Lane = $crate::vector::Lane::$lane,
            [X128, Reg0],
            [X128, Reg0]
        )
    };
}
pub(in crate::insn) use signs;

/// Two vectors of numbers.
macro_rules! arithmetic {
    ($code:ident, $op:ident, $shape:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            arithmetic,
            ($crate::vector::FloatOp, $crate::vector::FloatShape) = (
                $crate::vector::FloatOp::$op,
                $crate::vector::FloatShape::$shape
            ),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use arithmetic;

/// One vector of numbers.
macro_rules! root {
    ($code:ident, $op:ident, $shape:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            root,
            ($crate::vector::FloatUnaryOp, $crate::vector::FloatShape) = (
                $crate::vector::FloatUnaryOp::$op,
                $crate::vector::FloatShape::$shape
            ),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use root;

/// A comparison that makes a mask.
macro_rules! compare {
    ($code:ident, $shape:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            compare,
            $crate::vector::FloatShape = $crate::vector::FloatShape::$shape,
            [X128, Reg1],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use compare;

/// A comparison that sets the flags; the last word says whether a quiet NaN raises IE.
macro_rules! order {
    ($code:ident, $width:ident, $quiet_signals:literal) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            order,
            ($crate::vector::FloatWidth, bool) =
                ($crate::vector::FloatWidth::$width, $quiet_signals),
            [X128, Reg1],
            [X128, Mem]
        )
    };
}
pub(in crate::insn) use order;

/// A conversion between XMM registers.
macro_rules! convert {
    ($code:ident, $op:ident $({ $field:ident: $value:literal })?) => {
        $crate::insn::vector::bound_row!(
            $code, Sse, convert,
            $crate::vector::ConvertOp = $crate::vector::ConvertOp::$op $({ $field: $value })?,
            [X128, Reg1], [X128, Mem]
        )
    };
}
pub(in crate::insn) use convert;

/// A conversion from an MMX register.
macro_rules! from_pair {
    ($code:ident, $op:ident) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            integers_from_mmx,
            $crate::vector::ConvertOp = $crate::vector::ConvertOp::$op,
            [Reg1],
            [Mem]
        )
    };
}
pub(in crate::insn) use from_pair;

/// A conversion to an MMX register.
macro_rules! to_pair {
    ($code:ident, $op:ident, $truncate:literal) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            to_mmx,
            $crate::vector::ConvertOp = $crate::vector::ConvertOp::$op {
                truncate: $truncate
            },
            [Reg1],
            [Mem]
        )
    };
}
pub(in crate::insn) use to_pair;

/// A conversion from a general register.
macro_rules! from_integer {
    ($code:ident, $float:ident, $width:ty) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            from_integer,
            $crate::vector::FloatWidth = $crate::vector::FloatWidth::$float,
            [X128, $width, Reg1],
            [X128, $width, Mem]
        )
    };
}
pub(in crate::insn) use from_integer;

/// A conversion to a general register; the third word says whether it truncates.
macro_rules! to_integer {
    ($code:ident, $float:ident, $truncate:literal, $width:ty) => {
        $crate::insn::vector::bound_row!(
            $code,
            Sse,
            to_integer,
            ($crate::vector::FloatWidth, bool) = ($crate::vector::FloatWidth::$float, $truncate),
            [X128, $width, Reg0, Reg1],
            [X128, $width, Reg0, Mem]
        )
    };
}
pub(in crate::insn) use to_integer;
