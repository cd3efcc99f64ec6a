//! Lanes put in, taken out, widened, chosen and tested (SDM 1, 12.10).

use super::{first, low_source, source};
use crate::insn::{Insn, Slot};
use crate::vector::{Lane, ShuffleOp, VectorTernaryOp, VectorUnaryOp};
use crate::verbs::{Bound, Dword, Qword, VectorVerbs, VectorWidth, Width};

/// PINSRW and its kin: the low bits of a general register, or memory, to the lane that
/// the immediate names.
#[inline(always)]
pub(in crate::insn) fn insert_lane<V: VectorVerbs, L: VectorWidth, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let lane = v.read::<W>(S::of(insn))?;
    let vector = first::<V, L>(v, insn);
    let result = v.insert::<L, W>(vector, insn.immediate as u8, lane);
    v.set_vector::<L>(insn.number(0), result);
    v.finish::<L>();
    Ok(())
}

/// PEXTRW and its kin: the lane that the immediate names to memory, or extended by
/// zeros to a general register.
#[inline(always)]
pub(in crate::insn) fn extract_lane<V: VectorVerbs, L: VectorWidth, W: Width, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let vector = v.vector::<L>(insn.number(1));
    let lane = v.extract::<L, W>(vector, insn.immediate as u8);
    if D::IS_MEMORY || W::BITS >= 32 {
        v.write::<W>(D::of(insn), lane)?;
    } else {
        let wide = v.zero_extend::<W, Dword>(lane);
        v.write::<Dword>(D::of(insn), wide)?;
    }
    v.finish::<L>();
    Ok(())
}

/// INSERTPS: in memory there is but one dword to choose.
#[inline(always)]
pub(in crate::insn) fn insert_dword<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let b = low_source::<V, L, Dword, S>(v, insn)?;
    let places = if S::IS_MEMORY { 0x3f } else { 0xff };
    let immediate = insn.immediate as u8 & places;
    let a = first::<V, L>(v, insn);
    let result = v.shuffle::<L>(ShuffleOp::InsertDword, a, b, immediate);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// One vector of integers to operand 0.
#[inline(always)]
pub(in crate::insn) fn unary<V: VectorVerbs, O: Bound<VectorUnaryOp>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let value = source::<V, L, S>(v, insn)?;
    let result = v.vector_unary::<L>(O::VALUE, value);
    v.set_vector::<L>(insn.number(0), result);
    v.finish::<L>();
    Ok(())
}

/// PMOVSX, PMOVZX and the broadcasts: `W` is all that is read.
#[inline(always)]
pub(in crate::insn) fn extend<
    V: VectorVerbs,
    O: Bound<VectorUnaryOp>,
    L: VectorWidth,
    W: Width,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let value = low_source::<V, L, W, S>(v, insn)?;
    let result = v.vector_unary::<L>(O::VALUE, value);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// MOVSLDUP, MOVSHDUP and MOVDDUP: the constant chooses four dwords of each piece; of the last
/// one's operand only a qword is read if it has one piece.
#[inline(always)]
pub(in crate::insn) fn duplicate<V: VectorVerbs, I: Bound<u8>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let value = if I::VALUE == 0x44 && L::BITS == 128 {
        low_source::<V, L, Qword, S>(v, insn)?
    } else {
        source::<V, L, S>(v, insn)?
    };
    let result = v.shuffle::<L>(ShuffleOp::Dwords, value, value, I::VALUE);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// Three operands; without VEX, the third is XMM0.
#[inline(always)]
pub(in crate::insn) fn select<
    V: VectorVerbs,
    O: Bound<VectorTernaryOp>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let b = source::<V, L, S>(v, insn)?;
    let a = first::<V, L>(v, insn);
    let c = v.vector::<L>(if L::IS_VEX { insn.number(3) } else { 0 });
    let result = v.vector_ternary::<L>(O::VALUE, a, b, c);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// Three operands, the destination's old value the first.
#[inline(always)]
pub(in crate::insn) fn accumulate<
    V: VectorVerbs,
    O: Bound<VectorTernaryOp>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let c = source::<V, L, S>(v, insn)?;
    let a = v.vector::<L>(insn.number(0));
    let b = v.vector::<L>(insn.number(1));
    let result = v.vector_ternary::<L>(O::VALUE, a, b, c);
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// PTEST, VTESTPS and VTESTPD.
#[inline(always)]
pub(in crate::insn) fn test<V: VectorVerbs, O: Bound<Option<Lane>>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let b = source::<V, L, S>(v, insn)?;
    let a = v.vector::<L>(insn.number(0));
    v.vector_test::<L>(O::VALUE, a, b);
    Ok(())
}
