//! Puts operands in memory: chooses places worth a test, and makes base, index,
//! displacement and segment base add up to them.

use iced_x86::{ConstantOffsets, Instruction, Register, UsedMemory};

use crate::case::{CODE, CODE_BYTES, Case, DATA, DATA_BYTES, READ_ONLY, READ_ONLY_BYTES};
use crate::random::Random;

/// The first address that is not canonical.
const HOLE: u64 = 1 << 47;
const PAGE: u64 = 0x1000;
/// Where the windows end.
const BEHIND: u64 = READ_ONLY + READ_ONLY_BYTES as u64;

/// A place for an operand of `size` bytes: mostly within the data window, sometimes
/// across an edge of something.
pub(super) fn place(random: &mut Random, size: u64) -> u64 {
    let size = size.clamp(1, 0x800);
    let inner = random.below(DATA_BYTES as u64 - size);
    // How much of it lies before an edge.
    let before = random.below(size + 1);
    match random.below(64) {
        0..=3 => DATA + PAGE * (1 + random.below(3)) - before,
        4..=5 => READ_ONLY - before,
        6..=7 => READ_ONLY + random.below(PAGE - size),
        8 => BEHIND - before,
        9 => DATA - before,
        10 => BEHIND + random.below(0x10_0000),
        11 => DATA - size - random.below(PAGE),
        12 => HOLE - before,
        13 => random.next() >> 2 | HOLE,
        14..=17 => ((DATA + inner) | 63).wrapping_sub(before) + 1,
        18..=31 => DATA + inner,
        _ => (DATA + inner) & !63,
    }
}

/// An address in the data window, or close to it.
pub(super) fn somewhere(random: &mut Random) -> u64 {
    place(random, 8)
}

/// Makes `memory`, an operand of `instruction` that the case consists of, lie at
/// `target` if that can be; gives the address where it does lie.
pub(super) fn aim(
    case: &mut Case,
    instruction: &Instruction,
    offsets: &ConstantOffsets,
    memory: &UsedMemory,
    target: u64,
) -> Option<u64> {
    let (base, index) = (memory.base(), memory.index());
    if index.is_xmm() || index.is_ymm() || index.is_zmm() {
        return aim_gather(case, memory, target);
    }
    let segment = match memory.segment() {
        Register::FS => case.registers.fs_base,
        Register::GS => case.registers.gs_base,
        _ => 0,
    };
    let bits = 8 * memory.address_size() as u32;
    let wanted = target.wrapping_sub(segment);
    if base == Register::RIP
        || base == Register::EIP
        || (base, index) == (Register::None, Register::None)
    {
        aim_displacement(case, instruction, offsets, memory, wanted);
    } else if index == Register::None {
        let value = wanted.wrapping_sub(memory.displacement());
        set(case, base, value, bits);
    } else if base == Register::None || base.full_register() == index.full_register() {
        let scale = u64::from(memory.scale()) + u64::from(base != Register::None);
        let value = wanted.wrapping_sub(memory.displacement());
        // The quotient of a negative number is one.
        set(case, index, ((value as i64) / (scale as i64)) as u64, bits);
    } else {
        let scaled = get(case, index).wrapping_mul(u64::from(memory.scale()));
        let value = wanted
            .wrapping_sub(memory.displacement())
            .wrapping_sub(scaled);
        set(case, base, value, bits);
    }
    address(case, memory)
}

/// RIP-relative and absolute operands: only their displacement can be changed.
fn aim_displacement(
    case: &mut Case,
    instruction: &Instruction,
    offsets: &ConstantOffsets,
    memory: &UsedMemory,
    wanted: u64,
) {
    let (at, size) = (offsets.displacement_offset(), offsets.displacement_size());
    let value = if memory.base() == Register::None {
        wanted
    } else {
        wanted.wrapping_sub(instruction.next_ip())
    };
    let fits = size == 8 || i32::try_from(value as i64).is_ok();
    if fits && let Some(place) = case.code.get_mut(at..at + size) {
        place.copy_from_slice(&value.to_le_bytes()[..size]);
    }
}

/// Each lane's index such that it lies near `target`, lane after lane further on.
fn aim_gather(case: &mut Case, memory: &UsedMemory, target: u64) -> Option<u64> {
    let spread = u64::from(memory.scale()) * 16;
    let number = memory.index().number() & 15;
    let base = memory.base();
    if base != Register::None {
        let value = target.wrapping_sub(memory.displacement());
        set(case, base, value, 64);
    }
    // Small indices, of which some are negative and some lead out of the window.
    let register = &mut case.registers.ymm[number];
    for word in register.iter_mut() {
        let seed = crate::random::mix(*word ^ target);
        *word = if memory.vsib_size() == 8 {
            (seed % spread).wrapping_sub(spread / 4)
        } else {
            let low = (seed as u32 % 64).wrapping_sub(16);
            let high = ((seed >> 32) as u32 % 64).wrapping_sub(16);
            u64::from(low) | u64::from(high) << 32
        };
    }
    Some(target)
}

fn get(case: &Case, register: Register) -> u64 {
    let value = case.registers.gpr[register.full_register().number() & 15];
    match register.size() {
        1 => value & 0xff,
        4 => value & 0xffff_ffff,
        _ => value,
    }
}

/// Sets the low `bits` of a register; the others must not matter.
fn set(case: &mut Case, register: Register, value: u64, bits: u32) {
    let old = &mut case.registers.gpr[register.full_register().number() & 15];
    *old = if bits == 32 {
        *old & !0xffff_ffff | value & 0xffff_ffff
    } else {
        value
    };
}

/// Where a memory operand lies.
pub(crate) fn address(case: &Case, memory: &UsedMemory) -> Option<u64> {
    memory.virtual_address(0, |register, _, _| {
        Some(match register {
            Register::FS => case.registers.fs_base,
            Register::GS => case.registers.gs_base,
            _ if register.is_segment_register() => 0,
            Register::RIP | Register::EIP => CODE + case.offset as u64,
            _ if register.is_gpr() => get(case, register),
            _ => return None,
        })
    })
}

/// Where indirect branches go: behind the case, elsewhere, or nowhere.
pub(super) fn branch_target(case: &Case, random: &mut Random) -> u64 {
    let behind = CODE + (case.offset + case.code.len()) as u64;
    match random.below(8) {
        0 => random.below(PAGE),
        1 => DATA + random.below(DATA_BYTES as u64),
        2 => random.next() >> 2 | HOLE,
        3 | 4 => loop {
            let target = CODE + random.below(CODE_BYTES as u64);
            // Not into the case itself, which would never end.
            if !(CODE + case.offset as u64..behind).contains(&target) {
                break target;
            }
        },
        _ => behind,
    }
}
