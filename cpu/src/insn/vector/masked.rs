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

/// VGATHERDPS or one of its kin: lanes from the operand's base and one index each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// The register that the lanes come to; what is above them is cleared.
    pub to: u8,
    /// The register whose lanes' signs say which are wanted. It is zero afterwards.
    pub mask: u8,
    /// The register of indexes.
    pub index: u8,
    /// The width of an index.
    pub index_bits: u32,
    /// The width of a lane.
    pub lane_bits: u32,
    /// How many lanes.
    pub count: u8,
}

impl Gather {
    /// What an instruction is of that.
    #[must_use]
    pub fn of(insn: &Insn) -> Option<Self> {
        use iced_x86::Code as C;
        let (index_bits, lane_bits, count) = match insn.code {
            C::VEX_Vpgatherdd_xmm_vm32x_xmm | C::VEX_Vgatherdps_xmm_vm32x_xmm => (32, 32, 4),
            C::VEX_Vpgatherdd_ymm_vm32y_ymm | C::VEX_Vgatherdps_ymm_vm32y_ymm => (32, 32, 8),
            C::VEX_Vpgatherdq_xmm_vm32x_xmm | C::VEX_Vgatherdpd_xmm_vm32x_xmm => (32, 64, 2),
            C::VEX_Vpgatherdq_ymm_vm32x_ymm | C::VEX_Vgatherdpd_ymm_vm32x_ymm => (32, 64, 4),
            C::VEX_Vpgatherqd_xmm_vm64x_xmm | C::VEX_Vgatherqps_xmm_vm64x_xmm => (64, 32, 2),
            C::VEX_Vpgatherqd_xmm_vm64y_xmm | C::VEX_Vgatherqps_xmm_vm64y_xmm => (64, 32, 4),
            C::VEX_Vpgatherqq_xmm_vm64x_xmm | C::VEX_Vgatherqpd_xmm_vm64x_xmm => (64, 64, 2),
            C::VEX_Vpgatherqq_ymm_vm64y_ymm | C::VEX_Vgatherqpd_ymm_vm64y_ymm => (64, 64, 4),
            _ => return None,
        };
        Some(Self {
            to: insn.number(0) as u8,
            mask: insn.number(2) as u8,
            index: insn.index as u8,
            index_bits,
            lane_bits,
            count,
        })
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
