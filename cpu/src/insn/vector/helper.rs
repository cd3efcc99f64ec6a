//! What is rare: MXCSR, EMMS, the masked stores and string comparisons (SDM 2A and 2B).

use crate::Cpu;
use crate::exception::Exit;
use crate::flags::LazyFlags;
use crate::flags::mask;
use crate::insn::{Insn, Slot};
use crate::state::Gpr;
use crate::vector::VectorBits;
use crate::vector::text::Comparison;
use crate::verbs::{Dword, M64, VectorVerbs, VectorWidth, X128};

/// LDMXCSR.
#[inline(always)]
pub(in crate::insn) fn ldmxcsr<V: VectorVerbs, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let value = v.read::<Dword>(S::of(insn))?;
    v.set_mxcsr(value)
}

/// STMXCSR.
#[inline(always)]
pub(in crate::insn) fn stmxcsr<V: VectorVerbs, D: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let value = v.mxcsr();
    v.write::<Dword>(D::of(insn), value)
}

/// EMMS: all x87 registers are empty, the top is zero.
#[inline(always)]
pub(in crate::insn) fn emms<V: VectorVerbs>(v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    v.begin::<M64>()?;
    v.leave_mmx();
    Ok(())
}

/// MASKMOVQ or MASKMOVDQU: bytes to the memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskedBytes {
    /// The register that they come from.
    pub data: u8,
    /// The register whose bytes' signs say which are stored. All are looked at.
    pub mask: u8,
    /// Both are MMX registers.
    pub is_mmx: bool,
}

impl MaskedBytes {
    /// What an instruction is of that.
    #[must_use]
    pub fn of(insn: &Insn) -> Option<Self> {
        use iced_x86::Code as C;
        let is_mmx = match insn.code {
            C::Maskmovq_rDI_mm_mm => true,
            C::Maskmovdqu_rDI_xmm_xmm | C::VEX_Vmaskmovdqu_rDI_xmm_xmm => false,
            _ => return None,
        };
        Some(Self {
            data: insn.number(1) as u8,
            mask: insn.number(2) as u8,
            is_mmx,
        })
    }
}

/// MASKMOVQ and MASKMOVDQU: stores the bytes of operand 1 whose bytes of operand 2 are negative.
/// Whatever can fault, faults before the first byte is stored.
pub(in crate::insn) fn maskmov(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let is_mmx = insn.code == iced_x86::Code::Maskmovq_rDI_mm_mm;
    let (data, mask_bytes, count) = if is_mmx {
        cpu.begin::<M64>()?;
        // Before a fault of the store; Intel's processors do it so.
        cpu.finish::<M64>();
        let data = cpu.vector::<M64>(insn.number(1));
        let mask_bytes = cpu.vector::<M64>(insn.number(2));
        (u128::from(data), u128::from(mask_bytes), 8)
    } else {
        let data = cpu.vector::<X128>(insn.number(1));
        (data, cpu.vector::<X128>(insn.number(2)), 16)
    };
    let (data, mask_bytes) = (data.to_le_bytes(), mask_bytes.to_le_bytes());
    cpu.note_position(insn);
    let start = cpu.raw_effective_address(insn);
    let place = |n: usize| start.wrapping_add(n as u64) & mask(u32::from(insn.address_bits));
    // Eight bytes at a time are looked at (so a Xeon, 6, 207).
    let first = cpu.segmented_address(insn.segment, place(0), 1, true)?;
    cpu.check_alignment(first, 8)?;
    let chosen = || (0..count).filter(|&n| mask_bytes[n] & 0x80 != 0);
    // Intel's processors look at all bytes, chosen or not; the manual leaves it open.
    for n in 0..count {
        let address = cpu.segmented_address(insn.segment, place(n), 1, true)?;
        cpu.probe_write(insn.segment, address, 1)?;
    }
    for n in chosen() {
        let address = cpu.segmented_address(insn.segment, place(n), 1, true)?;
        cpu.store_linear(insn, insn.segment, address, data[n])?;
    }
    Ok(())
}

/// PCMPISTRI or PCMPESTRI: an index to RCX, and the flags. PCMPISTRM or PCMPESTRM: a mask to
/// XMM0 instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringComparison {
    /// The first operand's register.
    pub register: u8,
    /// The second one's, unless it is in memory.
    pub other: Option<u8>,
    /// What is compared, and how.
    pub control: u8,
    /// PCMPESTRI and PCMPESTRM: the lengths are in RAX and RDX.
    pub has_lengths: bool,
    /// All 64 bits of the lengths count.
    pub is_wide: bool,
    /// The result is a mask.
    pub makes_mask: bool,
    /// What is above the mask is cleared.
    pub is_vex: bool,
}

impl StringComparison {
    /// What an instruction is of that.
    #[must_use]
    pub fn of(insn: &Insn) -> Option<Self> {
        use iced_x86::Code as C;
        let (has_lengths, is_wide, makes_mask) = match insn.code {
            C::Pcmpistri_xmm_xmmm128_imm8 | C::VEX_Vpcmpistri_xmm_xmmm128_imm8 => {
                (false, false, false)
            }
            C::Pcmpestri_xmm_xmmm128_imm8 | C::VEX_Vpcmpestri_xmm_xmmm128_imm8 => {
                (true, false, false)
            }
            C::Pcmpestri64_xmm_xmmm128_imm8 | C::VEX_Vpcmpestri64_xmm_xmmm128_imm8 => {
                (true, true, false)
            }
            C::Pcmpistrm_xmm_xmmm128_imm8 | C::VEX_Vpcmpistrm_xmm_xmmm128_imm8 => {
                (false, false, true)
            }
            C::Pcmpestrm_xmm_xmmm128_imm8 | C::VEX_Vpcmpestrm_xmm_xmmm128_imm8 => {
                (true, false, true)
            }
            C::Pcmpestrm64_xmm_xmmm128_imm8 | C::VEX_Vpcmpestrm64_xmm_xmmm128_imm8 => {
                (true, true, true)
            }
            _ => return None,
        };
        let other = insn.number(1) as u8;
        Some(Self {
            register: insn.number(0) as u8,
            other: (!insn.has_memory()).then_some(other),
            control: insn.immediate as u8,
            has_lengths,
            is_wide,
            makes_mask,
            is_vex: insn.code.op_code().encoding() == iced_x86::EncodingKind::VEX,
        })
    }
}

/// PCMPISTRI, PCMPISTRM, PCMPESTRI and PCMPESTRM; the operand in memory need not be aligned.
pub(in crate::insn) fn compare_strings<L: VectorWidth>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    let b = if insn.has_memory() {
        cpu.load_vector::<L>(insn, false)?
    } else {
        cpu.vector::<L>(insn.number(1))
    };
    let a = cpu.vector::<L>(insn.number(0));
    let (a, b) = (a.low(), b.low());
    let Some(what) = StringComparison::of(insn) else {
        debug_assert!(false, "the rows name no other instructions");
        return Ok(());
    };
    let comparison = if what.has_lengths {
        let [a_length, b_length] = [Gpr::Rax, Gpr::Rdx].map(|register| {
            let length = cpu.state.gpr(register);
            if what.is_wide {
                length.cast_signed()
            } else {
                i64::from(length as i32)
            }
        });
        Comparison::explicit(what.control, (a, a_length), (b, b_length))
    } else {
        Comparison::implicit(what.control, a, b)
    };
    let result = comparison.result();
    if what.makes_mask {
        cpu.set_vector::<L>(0, L::Bits::from_low(comparison.mask(result)));
    } else {
        cpu.state
            .set_gpr(Gpr::Rcx, u64::from(comparison.index(result)));
    }
    cpu.state.flags = LazyFlags::from_status(comparison.flags(result));
    Ok(())
}
