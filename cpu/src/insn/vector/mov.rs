//! Moves of vectors, halves and scalars (SDM 1, 5.4.1, 5.5.1.1 and 5.6.1.1).

use super::{first, source};
use crate::insn::{Insn, Slot};
use crate::vector::VectorOp;
use crate::verbs::{Bound, M64, Operand, Qword, VectorVerbs, VectorWidth, Width, X128};

/// A whole vector to operand 0, a register. The constant says whether memory must be aligned.
#[inline(always)]
pub(in crate::insn) fn move_to<V: VectorVerbs, A: Bound<bool>, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let value = match S::of(insn) {
        Operand::Memory(insn) => v.load_vector::<L>(insn, A::VALUE)?,
        _ => v.vector::<L>(insn.number(1)),
    };
    v.set_vector::<L>(insn.number(0), value);
    v.finish::<L>();
    Ok(())
}

/// A whole vector from operand 1, a register. The constant says whether memory must be aligned.
#[inline(always)]
pub(in crate::insn) fn move_from<V: VectorVerbs, A: Bound<bool>, L: VectorWidth, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let value = v.vector::<L>(insn.number(1));
    match D::of(insn) {
        Operand::Memory(insn) => v.store_vector::<L>(insn, A::VALUE, value)?,
        _ => v.set_vector::<L>(insn.number(0), value),
    }
    v.finish::<L>();
    Ok(())
}

/// MOVSS, MOVSD and MOVQ from memory: the rest of the register is cleared.
/// MOVQ between registers: likewise.
#[inline(always)]
pub(in crate::insn) fn load_low<V: VectorVerbs, L: VectorWidth, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let low = match S::of(insn) {
        Operand::Gpr(register, _) => {
            let vector = v.vector::<L>(register.index());
            v.extract::<L, W>(vector, 0)
        }
        memory => v.read::<W>(memory)?,
    };
    let value = v.widen::<W, L>(low);
    v.set_vector::<L>(insn.number(0), value);
    Ok(())
}

/// MOVSS and MOVSD between registers, MOVLPS and MOVLPD from memory: the rest of
/// the register stays.
#[inline(always)]
pub(in crate::insn) fn move_low<V: VectorVerbs, L: VectorWidth, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let low = match S::of(insn) {
        Operand::Gpr(register, _) => {
            let vector = v.vector::<L>(register.index());
            v.extract::<L, W>(vector, 0)
        }
        memory => v.read::<W>(memory)?,
    };
    let old = first::<V, L>(v, insn);
    let value = v.insert::<L, W>(old, 0, low);
    v.set_vector::<L>(insn.number(0), value);
    Ok(())
}

/// The lowest lane to memory.
#[inline(always)]
pub(in crate::insn) fn store_low<V: VectorVerbs, W: Width, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let vector = v.vector::<X128>(insn.number(1));
    let low = v.extract::<X128, W>(vector, 0);
    v.write::<W>(D::of(insn), low)
}

/// MOVHPS and MOVHPD from memory.
#[inline(always)]
pub(in crate::insn) fn load_high<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let high = v.read::<Qword>(S::of(insn))?;
    let old = first::<V, L>(v, insn);
    let value = v.insert::<L, Qword>(old, 1, high);
    v.set_vector::<L>(insn.number(0), value);
    Ok(())
}

/// MOVHPS and MOVHPD to memory.
#[inline(always)]
pub(in crate::insn) fn store_high<V: VectorVerbs, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let vector = v.vector::<X128>(insn.number(1));
    let high = v.extract::<X128, Qword>(vector, 1);
    v.write::<Qword>(D::of(insn), high)
}

/// MOVHLPS.
#[inline(always)]
pub(in crate::insn) fn move_high_to_low<V: VectorVerbs, L: VectorWidth, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let b = source::<V, L, S>(v, insn)?;
    let a = first::<V, L>(v, insn);
    let value = v.vector_binary::<L>(VectorOp::InterleaveHigh(crate::vector::Lane::Qword), b, a);
    v.set_vector::<L>(insn.number(0), value);
    Ok(())
}

/// MOVD and MOVQ from a general register or memory: the rest is cleared.
#[inline(always)]
pub(in crate::insn) fn from_gpr<V: VectorVerbs, L: VectorWidth, W: Width, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let low = v.read::<W>(S::of(insn))?;
    let value = v.widen::<W, L>(low);
    v.set_vector::<L>(insn.number(0), value);
    v.finish::<L>();
    Ok(())
}

/// MOVD and MOVQ to a general register or memory.
#[inline(always)]
pub(in crate::insn) fn to_gpr<V: VectorVerbs, L: VectorWidth, W: Width, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.begin::<L>()?;
    let vector = v.vector::<L>(insn.number(1));
    let low = v.extract::<L, W>(vector, 0);
    v.write::<W>(D::of(insn), low)?;
    v.finish::<L>();
    Ok(())
}

/// VZEROUPPER and VZEROALL; outside 64-bit mode half of the registers do not exist.
#[inline(always)]
pub(in crate::insn) fn clear<V: VectorVerbs, A: Bound<bool>>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    v.clear_vectors(if insn.stack_bits == 64 { 16 } else { 8 }, A::VALUE);
    Ok(())
}

/// MOVQ2DQ.
#[inline(always)]
pub(in crate::insn) fn from_mmx<V: VectorVerbs>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    v.begin::<M64>()?;
    let vector = v.vector::<M64>(insn.number(1));
    let low = v.extract::<M64, Qword>(vector, 0);
    let value = v.widen::<Qword, X128>(low);
    v.set_vector::<X128>(insn.number(0), value);
    v.finish::<M64>();
    Ok(())
}

/// MOVDQ2Q.
#[inline(always)]
pub(in crate::insn) fn mmx_from<V: VectorVerbs>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    v.begin::<M64>()?;
    let vector = v.vector::<X128>(insn.number(1));
    let low = v.extract::<X128, Qword>(vector, 0);
    let value = v.widen::<Qword, M64>(low);
    v.set_vector::<M64>(insn.number(0), value);
    v.finish::<M64>();
    Ok(())
}
