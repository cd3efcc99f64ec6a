//! Lanes that memory is accessed for one by one: masked moves and gathers (SDM 2C, VMASKMOV,
//! VPMASKMOV, VGATHERDPS, VPGATHERDD and their kin).

use rax_mmu::LinearAddress;

use crate::Cpu;
use crate::exception::Exit;
use crate::flags::sign_extend;
use crate::insn::Insn;
use crate::vector::{Lane, VectorBits, VectorOp};
use crate::verbs::{Bits, VectorVerbs, VectorWidth, Width, Y256};

/// Whether the sign of a lane is set.
fn is_wanted<W: Width>(mask: impl VectorBits, lane: u32) -> bool {
    mask.extract(W::BITS, lane) >> (W::BITS - 1) != 0
}

/// Lanes of this width.
const fn lane_of<W: Width>() -> Lane {
    if W::BITS == 64 {
        Lane::Qword
    } else {
        Lane::Dword
    }
}

/// The linear address of one lane of the memory operand.
///
/// # Errors
/// When segmentation forbids it.
fn place<W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    lane: u32,
    write: bool,
) -> Result<LinearAddress, Exit> {
    let start = cpu.raw_effective_address(insn);
    let effective = start.wrapping_add(u64::from(lane) * W::BYTES);
    cpu.address_of(insn, effective, W::BYTES, write)
}

/// Reads one lane, which is never misaligned.
///
/// # Errors
/// When the access faults.
fn load<W: Width>(cpu: &mut Cpu, insn: &Insn, address: LinearAddress) -> Result<u64, Exit> {
    if let Some(value) = cpu.mmu.load::<W::Bits>(cpu.view, address) {
        return Ok(value.widen());
    }
    let mut bytes = [0; 8];
    cpu.read_linear(insn.segment, address, &mut bytes[..W::BYTES as usize])?;
    Ok(u64::from_le_bytes(bytes))
}

/// VMASKMOVPS and its kin from memory: lanes not wanted become zero, and are not looked at.
pub(in crate::insn) fn masked_load<L: VectorWidth, W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    cpu.note_position(insn);
    let mask = cpu.vector::<L>(insn.number(1));
    let mut result = L::Bits::default();
    for lane in (0..L::BITS / W::BITS).filter(|&lane| is_wanted::<W>(mask, lane)) {
        let address = place::<W>(cpu, insn, lane, false)?;
        result = result.insert(W::BITS, lane, load::<W>(cpu, insn, address)?);
    }
    cpu.set_vector::<L>(insn.number(0), result);
    Ok(())
}

/// VMASKMOVPS and its kin to memory: whatever can fault, faults before the first lane is stored.
pub(in crate::insn) fn masked_store<L: VectorWidth, W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    cpu.note_position(insn);
    let mask = cpu.vector::<L>(insn.number(1));
    let data = cpu.vector::<L>(insn.number(2));
    let wanted = || (0..L::BITS / W::BITS).filter(|&lane| is_wanted::<W>(mask, lane));
    let mut ends = None;
    for lane in wanted() {
        let address = place::<W>(cpu, insn, lane, true)?;
        let last = address.wrapping_add(W::BYTES - 1);
        ends = Some((ends.map_or(address, |(first, _)| first), last));
    }
    let Some((first, last)) = ends else {
        return Ok(());
    };
    // All lies in two pages at most. A Xeon (6, 207) finds the second one missing at the last byte.
    cpu.probe_write(insn.segment, first, 1)?;
    cpu.probe_write(insn.segment, last, 1)?;
    for lane in wanted() {
        let address = place::<W>(cpu, insn, lane, true)?;
        let value = data.extract(W::BITS, lane);
        if !cpu.mmu.store(cpu.view, address, W::Bits::truncate(value)) {
            let bytes = value.to_le_bytes();
            cpu.write_linear(insn.segment, address, &bytes[..W::BYTES as usize])?;
        }
    }
    Ok(())
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
    load::<W>(cpu, insn, address)
}
