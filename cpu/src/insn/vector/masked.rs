//! Masked moves and gathers (SDM 2C, VMASKMOV, VPMASKMOV, VGATHERDPS, VPGATHERDD and their kin).

use crate::Cpu;
use crate::acts::{is_wanted, load_lane};
use crate::exception::Exit;
use crate::flags::sign_extend;
use crate::insn::{Insn, Slot};
use crate::vector::{Lane, VectorBits, VectorOp};
use crate::verbs::{Bound, VectorVerbs, VectorWidth, Width, Y256};

/// VMASKMOVPS and its kin from memory.
#[inline(always)]
pub(in crate::insn) fn masked_load<V: VectorVerbs, A: Bound<Lane>, L: VectorWidth>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let mask = v.vector::<L>(insn.number(1));
    let value = v.load_masked::<L>(insn, A::VALUE, mask)?;
    v.set_vector::<L>(insn.number(0), value);
    Ok(())
}

/// VMASKMOVPS and its kin to memory.
#[inline(always)]
pub(in crate::insn) fn masked_store<V: VectorVerbs, A: Bound<Lane>, L: VectorWidth, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    debug_assert!(D::IS_MEMORY, "there is no other form");
    let mask = v.vector::<L>(insn.number(1));
    let value = v.vector::<L>(insn.number(2));
    v.store_masked::<L>(insn, A::VALUE, mask, value)
}

/// Lanes of this width.
const fn lane_of<W: Width>() -> Lane {
    if W::BITS == 64 {
        Lane::Qword
    } else {
        Lane::Dword
    }
}

/// VGATHERDPS and its kin: `COUNT` lanes of width `W`, at places that indexes of width `I` give.
///
/// A lane that faults leaves those below it done and their masks cleared, so that the
/// instruction can be started again. The decoder has seen to it that all registers differ.
pub(in crate::insn) fn gather<L: VectorWidth, I: Width, W: Width, const COUNT: u32>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    cpu.note_position(insn);
    let index = cpu.vector::<Y256>(insn.index as usize);
    let mut mask = cpu.vector::<Y256>(insn.number(2));
    let mut result = cpu.vector::<Y256>(insn.number(0));
    let mut is_begun = false;
    for lane in 0..COUNT {
        if !is_wanted::<W>(mask, lane) {
            continue;
        }
        match gathered::<I, W>(cpu, insn, index, lane) {
            Ok(value) => {
                result = result.insert(W::BITS, lane, value);
                mask = mask.insert(W::BITS, lane, 0);
                is_begun = true;
            }
            Err(fault) => {
                // A Xeon (6, 207) extends the signs of all lanes, used or not, and writes
                // what it has only if it has something.
                let signs = VectorOp::Greater(lane_of::<W>()).on([0; 2], mask);
                cpu.set_vector::<L>(insn.number(2), L::Bits::from_pieces(signs[0], signs[1]));
                if is_begun {
                    let result = L::Bits::from_pieces(result[0], result[1]);
                    cpu.set_vector::<L>(insn.number(0), result);
                }
                return Err(fault);
            }
        }
    }
    for lane in COUNT..Y256::BITS / W::BITS {
        result = result.insert(W::BITS, lane, 0);
    }
    cpu.set_vector::<Y256>(insn.number(0), result);
    cpu.set_vector::<Y256>(insn.number(2), [0; 2]);
    Ok(())
}

/// What memory holds for one lane.
///
/// # Errors
/// When the access faults.
fn gathered<I: Width, W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    index: [u128; 2],
    lane: u32,
) -> Result<u64, Exit> {
    let index = sign_extend(I::BITS, index.extract(I::BITS, lane));
    let effective = cpu
        .state
        .gpr(insn.base)
        .wrapping_add(index << insn.scale)
        .wrapping_add(insn.displacement as u64);
    let address = cpu.address_of(insn, effective, W::BYTES, false)?;
    load_lane::<W>(cpu, insn, address)
}
