//! Lanes that memory is accessed for one by one (SDM 2C, VMASKMOV and VPMASKMOV).

use rax_mmu::LinearAddress;

use crate::Cpu;
use crate::exception::Exit;
use crate::insn::Insn;
use crate::mode::Mode;
use crate::vector::VectorBits;
use crate::verbs::{Bits, VectorWidth, Width};

/// Whether the sign of a lane is set.
pub(crate) fn is_wanted<W: Width>(mask: impl VectorBits, lane: u32) -> bool {
    mask.extract(W::BITS, lane) >> (W::BITS - 1) != 0
}

/// The linear address of one lane of the memory operand.
///
/// In 64-bit mode only the operand's start is cut to the address size (so a Xeon: 6, 207).
///
/// # Errors
/// When segmentation forbids it.
fn place<L: VectorWidth, W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    lane: u32,
    write: bool,
) -> Result<LinearAddress, Exit> {
    let start = cpu.raw_effective_address(insn);
    let offset = u64::from(lane) * W::BYTES;
    if !cpu.mode.contains(Mode::CODE64) {
        return cpu.address_of(insn, start.wrapping_add(offset), W::BYTES, write);
    }
    let start = cpu.address_of(insn, start, L::BYTES, write)?;
    Ok(start.wrapping_add(offset))
}

/// The first and the last byte of the lanes that are wanted; none if none is.
///
/// # Errors
/// When segmentation forbids one of them, or one is not canonical: that comes before
/// any page fault.
fn span<L: VectorWidth, W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    mask: L::Bits,
    write: bool,
) -> Result<Option<(LinearAddress, LinearAddress)>, Exit> {
    let mut ends = None;
    for lane in (0..L::BITS / W::BITS).filter(|&lane| is_wanted::<W>(mask, lane)) {
        let first = place::<L, W>(cpu, insn, lane, write)?;
        let last = first.wrapping_add(W::BYTES - 1);
        if !cpu.is_canonical(first.0) || !cpu.is_canonical(last.0) {
            return Err(cpu.segment_fault(insn.segment));
        }
        ends = Some((ends.map_or(first, |(first, _)| first), last));
    }
    Ok(ends)
}

/// Reads one lane, which is never misaligned.
///
/// # Errors
/// When the access faults.
pub(crate) fn load_lane<W: Width>(
    cpu: &mut Cpu,
    insn: &Insn,
    address: LinearAddress,
) -> Result<u64, Exit> {
    if let Some(value) = cpu.mmu.load::<W::Bits>(cpu.view, address) {
        return Ok(value.widen());
    }
    let mut bytes = [0; 8];
    cpu.read_linear(insn.segment, address, &mut bytes[..W::BYTES as usize])?;
    Ok(u64::from_le_bytes(bytes))
}

impl Cpu {
    /// Lanes not wanted become zero, and are not looked at.
    pub(super) fn load_wanted<L: VectorWidth, W: Width>(
        &mut self,
        insn: &Insn,
        mask: L::Bits,
    ) -> Result<L::Bits, Exit> {
        self.note_position(insn);
        span::<L, W>(self, insn, mask, false)?;
        let mut result = L::Bits::default();
        for lane in (0..L::BITS / W::BITS).filter(|&lane| is_wanted::<W>(mask, lane)) {
            let address = place::<L, W>(self, insn, lane, false)?;
            result = result.insert(W::BITS, lane, load_lane::<W>(self, insn, address)?);
        }
        Ok(result)
    }

    /// Whatever can fault, faults before the first lane is stored.
    pub(super) fn store_wanted<L: VectorWidth, W: Width>(
        &mut self,
        insn: &Insn,
        mask: L::Bits,
        data: L::Bits,
    ) -> Result<(), Exit> {
        self.note_position(insn);
        let Some((first, last)) = span::<L, W>(self, insn, mask, true)? else {
            return Ok(());
        };
        // All lies in two pages at most. A Xeon (6, 207) finds the second one missing at the
        // last byte.
        self.probe_write(insn.segment, first, 1)?;
        self.probe_write(insn.segment, last, 1)?;
        for lane in (0..L::BITS / W::BITS).filter(|&lane| is_wanted::<W>(mask, lane)) {
            let address = place::<L, W>(self, insn, lane, true)?;
            let value = data.extract(W::BITS, lane);
            if !self.mmu.store(self.view, address, W::Bits::truncate(value)) {
                let bytes = value.to_le_bytes();
                self.write_linear(insn.segment, address, &bytes[..W::BYTES as usize])?;
            }
        }
        Ok(())
    }
}
