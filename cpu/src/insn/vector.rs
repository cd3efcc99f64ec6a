//! The meanings that MMX, SSE and AVX share (SDM 1, chapters 9 to 14), and how rows bind them.

mod float;
mod half;
mod helper;
mod lane;
mod masked;
mod mov;
pub(super) mod rows;
pub(super) mod vex;

use super::{Insn, Slot};
use crate::vector::{Lane, ShuffleOp, VectorOp, VectorShiftOp};
use crate::verbs::{Bound, Dword, Operand, Qword, VectorVerbs, VectorWidth, Width};

#[cfg(test)]
mod tests;

pub(super) use float::{
    arithmetic, arithmetic_by, compare, convert, from_integer, fused, integers_from_mmx, order,
    root, root_by, to_halves, to_integer, to_mmx,
};
pub(super) use half::{broadcast_half, cross, cross_by, extend_half, extract_half, insert_half};
pub use helper::{MaskedBytes, StringComparison};
pub(super) use helper::{compare_strings, emms, ldmxcsr, maskmov, stmxcsr};
pub(super) use lane::{
    accumulate, duplicate, extend, extract_lane, insert_dword, insert_lane, select, test, unary,
};
pub use masked::Gather;
pub(super) use masked::{gather, masked_load, masked_store};
pub(super) use mov::{
    clear, from_gpr, from_mmx, load_high, load_low, mmx_from, move_from, move_high_to_low,
    move_low, move_to, store_high, store_low, to_gpr,
};

/// A row whose meaning is given a constant, then widths and slots: for registers, and for memory.
macro_rules! bound_row {
    (
        $code:ident, $unit:ident, $meaning:ident, $type:ty = $value:expr,
        [$($register:ty),*], [$($memory:ty),*]
    ) => {{
        #[derive(Clone, Copy)]
        struct Constant;
        impl $crate::verbs::Parameter for Constant {}
        impl $crate::verbs::Bound<$type> for Constant {
            const VALUE: $type = $value;
        }
        $crate::insn::vector::slot_row!(
            $code, $unit, $meaning, [Constant $(, $register)*], [Constant $(, $memory)*]
        )
    }};
}
pub(super) use bound_row;

/// A row whose meaning is given widths and slots: for registers, and for memory.
macro_rules! slot_row {
    ($code:ident, $unit:ident, $meaning:ident, [$($register:ty),*], [$($memory:ty),*]) => {
        $crate::insn::Row::shared(
            iced_x86::Code::$code,
            $crate::insn::both!($meaning $(, $register)*),
            $crate::insn::both!($meaning $(, $memory)*),
        )
        .needs($crate::insn::Unit::$unit)
    };
}
pub(super) use slot_row;

/// The first source: the destination's old value, or with VEX a register of its own.
#[inline(always)]
fn first<V: VectorVerbs, L: VectorWidth>(v: &mut V, insn: &Insn) -> V::Vector<L> {
    v.vector::<L>(insn.number(L::FIRST))
}

/// The register or memory operand in a slot; in memory an SSE vector must be aligned.
#[inline(always)]
fn source<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<V::Vector<L>, V::Fault> {
    match S::of(insn) {
        Operand::Gpr(register, _) => Ok(v.vector::<L>(register.index())),
        Operand::Memory(insn) => v.load_vector::<L>(insn, !L::IS_MMX && !L::IS_VEX),
        Operand::Immediate(_) => unreachable!("no immediate is a vector"),
    }
}

/// As [`source`], but only the lowest lane is read from memory, which need not be aligned.
#[inline(always)]
fn low_source<V: VectorVerbs, L: VectorWidth, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<V::Vector<L>, V::Fault> {
    match S::of(insn) {
        Operand::Gpr(register, _) => Ok(v.vector::<L>(register.index())),
        memory => {
            let low = v.read::<W>(memory)?;
            Ok(v.widen::<W, L>(low))
        }
    }
}

/// Two vectors of integers.
#[inline(always)]
pub(super) fn packed<V: VectorVerbs, O: Bound<VectorOp>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let b = source::<V, L, S>(v, insn)?;
    let a = first::<V, L>(v, insn);
    let result = v.vector_binary::<L>(O::VALUE, a, b);
    v.set_vector::<L>(insn.number(0), result);
    v.finish::<L>();
    Ok(())
}

/// As [`packed`]; the operation depends on an immediate.
#[inline(always)]
pub(super) fn packed_by<V: VectorVerbs, O: Bound<fn(u8) -> VectorOp>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let b = source::<V, L, S>(v, insn)?;
    let a = first::<V, L>(v, insn);
    let result = v.vector_binary::<L>(O::VALUE(insn.immediate as u8), a, b);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// PUNPCKLxx of MMX: only half of the operand is read from memory.
#[inline(always)]
pub(super) fn packed_half<V: VectorVerbs, O: Bound<VectorOp>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let b = low_source::<V, L, Dword, S>(v, insn)?;
    let a = first::<V, L>(v, insn);
    let result = v.vector_binary::<L>(O::VALUE, a, b);
    v.set_vector::<L>(insn.number(0), result);
    v.finish::<L>();
    Ok(())
}

/// A shift by the low 64 bits of a vector.
#[inline(always)]
pub(super) fn shift<V: VectorVerbs, O: Bound<VectorShiftOp>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let counts = source::<V, L::Half, S>(v, insn)?;
    let count = v.extract::<L::Half, Qword>(counts, 0);
    let value = first::<V, L>(v, insn);
    let result = v.vector_shift::<L>(O::VALUE, value, count);
    v.set_vector::<L>(insn.number(0), result);
    v.finish::<L>();
    Ok(())
}

/// A shift by an immediate.
#[inline(always)]
pub(super) fn shift_by<V: VectorVerbs, O: Bound<VectorShiftOp>, L: VectorWidth>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let count = v.constant::<Qword>(insn.immediate & 0xff);
    let value = first::<V, L>(v, insn);
    let result = v.vector_shift::<L>(O::VALUE, value, count);
    v.set_vector::<L>(insn.number(0), result);
    v.finish::<L>();
    Ok(())
}

/// Lanes chosen by an immediate.
#[inline(always)]
pub(super) fn shuffle<V: VectorVerbs, O: Bound<ShuffleOp>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let b = source::<V, L, S>(v, insn)?;
    let a = if O::VALUE.is_of_second() {
        b
    } else {
        first::<V, L>(v, insn)
    };
    let result = v.shuffle::<L>(O::VALUE, a, b, insn.immediate as u8);
    v.set_vector::<L>(insn.number(0), result);
    v.finish::<L>();
    Ok(())
}

/// PMOVMSKB and its kin: the sign bits to a general register.
#[inline(always)]
pub(super) fn signs<V: VectorVerbs, O: Bound<Lane>, L: VectorWidth, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let vector = v.vector::<L>(insn.number(1));
    let mask = v.sign_mask::<L, Dword>(O::VALUE, vector);
    v.write::<Dword>(D::of(insn), mask)?;
    v.finish::<L>();
    Ok(())
}
