//! Halves of 256 bits, and lanes that cross from one into the other (SDM 2, VINSERTF128,
//! VBROADCASTF128, VPERM2F128, VPERMQ, VPERMD).

use super::{first, source};
use crate::insn::{Insn, Slot};
use crate::vector::{CrossOp, VectorUnaryOp};
use crate::verbs::{Bound, Operand, VectorVerbs, VectorWidth};

/// Two vectors; lanes come from anywhere.
#[inline(always)]
pub(in crate::insn) fn cross<V: VectorVerbs, O: Bound<CrossOp>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let b = source::<V, L, S>(v, insn)?;
    let a = first::<V, L>(v, insn);
    let result = v.vector_cross::<L>(O::VALUE, a, b);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// As [`cross`]; the operation depends on an immediate.
#[inline(always)]
pub(in crate::insn) fn cross_by<
    V: VectorVerbs,
    O: Bound<fn(u8) -> CrossOp>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let op = O::VALUE(insn.immediate as u8);
    let b = source::<V, L, S>(v, insn)?;
    let a = match op {
        CrossOp::Qwords(_) => b,
        _ => first::<V, L>(v, insn),
    };
    let result = v.vector_cross::<L>(op, a, b);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// VINSERTF128 and VINSERTI128.
#[inline(always)]
pub(in crate::insn) fn insert_half<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let half = source::<V, L::Half, S>(v, insn)?;
    let b = v.widen_half::<L>(half);
    let a = first::<V, L>(v, insn);
    let result = v.vector_cross::<L>(CrossOp::Insert(insn.immediate as u8), a, b);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// VEXTRACTF128 and VEXTRACTI128.
#[inline(always)]
pub(in crate::insn) fn extract_half<V: VectorVerbs, L: VectorWidth, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let vector = v.vector::<L>(insn.number(1));
    let half = if insn.immediate & 1 == 0 {
        v.low_half::<L>(vector)
    } else {
        v.high_half::<L>(vector)
    };
    match D::of(insn) {
        Operand::Memory(insn) => v.store_vector::<L::Half>(insn, false, half),
        _ => {
            v.set_vector::<L::Half>(insn.number(0), half);
            Ok(())
        }
    }
}

/// VBROADCASTF128 and VBROADCASTI128.
#[inline(always)]
pub(in crate::insn) fn broadcast_half<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let half = source::<V, L::Half, S>(v, insn)?;
    let vector = v.widen_half::<L>(half);
    let result = v.vector_cross::<L>(CrossOp::Pieces(0), vector, vector);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// VPMOVSX and VPMOVZX whose operand fills half of the result.
#[inline(always)]
pub(in crate::insn) fn extend_half<
    V: VectorVerbs,
    O: Bound<VectorUnaryOp>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let half = source::<V, L::Half, S>(v, insn)?;
    let value = v.widen_half::<L>(half);
    let result = v.vector_unary::<L>(O::VALUE, value);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}
