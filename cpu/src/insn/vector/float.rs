//! Floating-point arithmetic, comparisons and conversions (SDM 1, 10.4.1 and 11.4.1).

use super::{first, low_source, source};
use crate::float::Predicate;
use crate::insn::{Insn, Slot};
use crate::vector::{ConvertOp, FloatOp, FloatShape, FloatUnaryOp, FloatWidth, FusedOp};
use crate::verbs::{Bound, Dword, M64, Operand, Qword, VectorVerbs, VectorWidth, Width, X128};

/// The second operand: all of it, or its lowest lane.
#[inline(always)]
fn operand<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
    shape: FloatShape,
) -> Result<V::Vector<L>, V::Fault> {
    match shape {
        FloatShape::PackedSingle | FloatShape::PackedDouble => source::<V, L, S>(v, insn),
        FloatShape::ScalarSingle => low_source::<V, L, Dword, S>(v, insn),
        FloatShape::ScalarDouble => low_source::<V, L, Qword, S>(v, insn),
    }
}

/// Where the lanes come from that an operation on one vector leaves alone.
#[inline(always)]
fn rest<V: VectorVerbs, L: VectorWidth>(
    v: &mut V,
    insn: &Insn,
    shape: FloatShape,
    b: V::Vector<L>,
) -> V::Vector<L> {
    match shape {
        FloatShape::PackedSingle | FloatShape::PackedDouble => b,
        FloatShape::ScalarSingle | FloatShape::ScalarDouble => first::<V, L>(v, insn),
    }
}

/// Two operands.
#[inline(always)]
pub(in crate::insn) fn arithmetic<
    V: VectorVerbs,
    O: Bound<(FloatOp, FloatShape)>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let (op, shape) = O::VALUE;
    let b = operand::<V, L, S>(v, insn, shape)?;
    let a = first::<V, L>(v, insn);
    let result = v.float::<L>(op, shape, a, b)?;
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// SQRTPS, RCPPS, RSQRTPS and their kin.
#[inline(always)]
pub(in crate::insn) fn root<
    V: VectorVerbs,
    O: Bound<(FloatUnaryOp, FloatShape)>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let (op, shape) = O::VALUE;
    let b = operand::<V, L, S>(v, insn, shape)?;
    let a = rest::<V, L>(v, insn, shape, b);
    let result = v.float_unary::<L>(op, shape, a, b)?;
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// As [`arithmetic`]; the operation depends on an immediate.
#[inline(always)]
pub(in crate::insn) fn arithmetic_by<
    V: VectorVerbs,
    O: Bound<(fn(u8) -> FloatOp, FloatShape)>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let (op, shape) = O::VALUE;
    let b = operand::<V, L, S>(v, insn, shape)?;
    let a = first::<V, L>(v, insn);
    let result = v.float::<L>(op(insn.immediate as u8), shape, a, b)?;
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// As [`root`]; the operation depends on an immediate.
#[inline(always)]
pub(in crate::insn) fn root_by<
    V: VectorVerbs,
    O: Bound<(fn(u8) -> FloatUnaryOp, FloatShape)>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let (op, shape) = O::VALUE;
    let b = operand::<V, L, S>(v, insn, shape)?;
    let a = rest::<V, L>(v, insn, shape, b);
    let result = v.float_unary::<L>(op(insn.immediate as u8), shape, a, b)?;
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// FMADD132PS and its kin.
#[inline(always)]
pub(in crate::insn) fn fused<
    V: VectorVerbs,
    O: Bound<(FusedOp, FloatShape)>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let (op, shape) = O::VALUE;
    let c = operand::<V, L, S>(v, insn, shape)?;
    let a = v.vector::<L>(insn.number(0));
    let b = v.vector::<L>(insn.number(1));
    let result = v.fused::<L>(op, shape, a, b, c)?;
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// CMPPS and its kin.
#[inline(always)]
pub(in crate::insn) fn compare<V: VectorVerbs, O: Bound<FloatShape>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let b = operand::<V, L, S>(v, insn, O::VALUE)?;
    let a = first::<V, L>(v, insn);
    let immediate = insn.immediate as u8;
    let predicate = if L::IS_VEX {
        Predicate::new(immediate)
    } else {
        Predicate::legacy(immediate)
    };
    let result = v.float::<L>(FloatOp::Compare(predicate), O::VALUE, a, b)?;
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// COMISS, UCOMISS and their kin; the constant says whether a quiet NaN raises IE.
#[inline(always)]
pub(in crate::insn) fn order<
    V: VectorVerbs,
    O: Bound<(FloatWidth, bool)>,
    L: VectorWidth,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let (width, quiet_signals) = O::VALUE;
    let b = scalar::<V, L, S>(v, insn, width)?;
    let a = v.vector::<L>(insn.number(0));
    v.float_order::<L>(width, quiet_signals, a, b)
}

#[inline(always)]
fn scalar<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
    width: FloatWidth,
) -> Result<V::Vector<L>, V::Fault> {
    match width {
        FloatWidth::Single => low_source::<V, L, Dword, S>(v, insn),
        FloatWidth::Double => low_source::<V, L, Qword, S>(v, insn),
    }
}

/// How much of its operand a conversion reads.
#[inline(always)]
fn converted<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
    op: ConvertOp,
) -> Result<V::Vector<L>, V::Fault> {
    match op {
        ConvertOp::DoublesToSingles
        | ConvertOp::DwordsToSingles
        | ConvertOp::SinglesToDwords { .. }
        | ConvertOp::SinglesToHalves(_)
        | ConvertOp::DoublesToDwords { .. } => source::<V, L, S>(v, insn),
        ConvertOp::SinglesToDoubles | ConvertOp::DwordsToDoubles | ConvertOp::HalvesToSingles
            if L::BITS > 128 =>
        {
            let half = source::<V, L::Half, S>(v, insn)?;
            Ok(v.widen_half::<L>(half))
        }
        ConvertOp::SingleToDouble => low_source::<V, L, Dword, S>(v, insn),
        ConvertOp::SinglesToDoubles
        | ConvertOp::DoubleToSingle
        | ConvertOp::TwoDwordsToSingles
        | ConvertOp::DwordsToDoubles
        | ConvertOp::HalvesToSingles
        | ConvertOp::TwoSinglesToDwords { .. } => low_source::<V, L, Qword, S>(v, insn),
    }
}

/// Between vector registers.
#[inline(always)]
pub(in crate::insn) fn convert<V: VectorVerbs, O: Bound<ConvertOp>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let b = converted::<V, L, S>(v, insn, O::VALUE)?;
    let a = if O::VALUE.keeps_first() {
        first::<V, L>(v, insn)
    } else {
        b
    };
    let result = v.convert::<L>(O::VALUE, a, b)?;
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// VCVTPS2PH: to the low half of a register, or to memory as much as that.
#[inline(always)]
pub(in crate::insn) fn to_halves<
    V: VectorVerbs,
    O: Bound<fn(u8) -> ConvertOp>,
    L: VectorWidth,
    D: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let singles = v.vector::<L>(insn.number(1));
    let halves = v.convert::<L>(O::VALUE(insn.immediate as u8), singles, singles)?;
    match D::of(insn) {
        Operand::Memory(insn) if L::BITS > 128 => {
            let halves = v.low_half::<L>(halves);
            v.store_vector::<L::Half>(insn, false, halves)
        }
        memory @ Operand::Memory(_) => {
            let halves = v.extract::<L, Qword>(halves, 0);
            v.write::<Qword>(memory, halves)
        }
        _ => {
            v.set_vector::<L>(insn.number(0), halves);
            Ok(())
        }
    }
}

/// CVTPI2PS and CVTPI2PD. From memory no MMX register is touched, and the x87 unit stays as it is.
#[inline(always)]
pub(in crate::insn) fn integers_from_mmx<V: VectorVerbs, O: Bound<ConvertOp>, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let pair = match S::of(insn) {
        Operand::Gpr(register, _) => {
            v.begin::<M64>()?;
            let pair = v.vector::<M64>(register.index());
            v.extract::<M64, Qword>(pair, 0)
        }
        memory => v.read::<Qword>(memory)?,
    };
    let b = v.widen::<Qword, X128>(pair);
    let a = v.vector::<X128>(insn.number(0));
    let result = v.convert::<X128>(O::VALUE, a, b)?;
    v.set_vector::<X128>(insn.number(0), result);
    if !S::IS_MEMORY {
        v.finish::<M64>();
    }
    Ok(())
}

/// CVTPS2PI, CVTPD2PI and their truncating kin.
#[inline(always)]
pub(in crate::insn) fn to_mmx<V: VectorVerbs, O: Bound<ConvertOp>, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<M64>()?;
    let b = converted::<V, X128, S>(v, insn, O::VALUE)?;
    let result = v.convert::<X128>(O::VALUE, b, b)?;
    let pair = v.extract::<X128, Qword>(result, 0);
    let value = v.widen::<Qword, M64>(pair);
    v.set_vector::<M64>(insn.number(0), value);
    v.finish::<M64>();
    Ok(())
}

/// CVTSI2SS and CVTSI2SD.
#[inline(always)]
pub(in crate::insn) fn from_integer<
    V: VectorVerbs,
    O: Bound<FloatWidth>,
    L: VectorWidth,
    W: Width,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let a = first::<V, L>(v, insn);
    let result = v.integer_to_float::<L, W>(O::VALUE, a, value)?;
    v.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// CVTSS2SI, CVTSD2SI and their truncating kin; the constant says whether it truncates.
#[inline(always)]
pub(in crate::insn) fn to_integer<
    V: VectorVerbs,
    O: Bound<(FloatWidth, bool)>,
    L: VectorWidth,
    W: Width,
    D: Slot,
    S: Slot,
>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let (width, truncate) = O::VALUE;
    let value = scalar::<V, L, S>(v, insn, width)?;
    let result = v.float_to_integer::<L, W>(width, truncate, value)?;
    v.write::<W>(D::of(insn), result)
}
