//! What is rare: MXCSR, EMMS, the masked stores and string comparisons (SDM 2A and 2B).

use crate::Cpu;
use crate::exception::{Exception, Exit};
use crate::flags::LazyFlags;
use crate::flags::mask;
use crate::insn::Insn;
use crate::state::Gpr;
use crate::vector::VectorBits;
use crate::vector::text::Comparison;
use crate::verbs::{M64, Operand, VectorVerbs, VectorWidth, Verbs, X128};

/// LDMXCSR: reserved bits must be zero; all below bit 16 exist, DAZ included.
pub(in crate::insn) fn ldmxcsr(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let value = cpu.read::<crate::verbs::Dword>(Operand::Memory(insn))?;
    if value & 0xffff_0000 != 0 {
        return Err(cpu.raise(Exception::GeneralProtection(0)));
    }
    cpu.state.mxcsr = value;
    Ok(())
}

/// STMXCSR.
pub(in crate::insn) fn stmxcsr(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let value = cpu.state.mxcsr;
    cpu.write::<crate::verbs::Dword>(Operand::Memory(insn), value)
}

/// EMMS: all x87 registers are empty, the top is zero.
pub(in crate::insn) fn emms(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    cpu.begin::<M64>()?;
    cpu.finish::<M64>();
    cpu.state.fpu.in_use = 0;
    Ok(())
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

/// PCMPISTRI or PCMPESTRI: an index to RCX, and the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringIndex {
    /// The first operand's register.
    pub register: u8,
    /// The second one's, unless it is in memory.
    pub other: Option<u8>,
    /// What is compared, and how.
    pub control: u8,
    /// PCMPESTRI: the lengths are in RAX and RDX.
    pub has_lengths: bool,
    /// All 64 bits of the lengths count.
    pub is_wide: bool,
}

impl StringIndex {
    /// What an instruction is of that.
    #[must_use]
    pub fn of(insn: &Insn) -> Option<Self> {
        use iced_x86::Code as C;
        let (has_lengths, is_wide) = match insn.code {
            C::Pcmpistri_xmm_xmmm128_imm8 | C::VEX_Vpcmpistri_xmm_xmmm128_imm8 => (false, false),
            C::Pcmpestri_xmm_xmmm128_imm8 | C::VEX_Vpcmpestri_xmm_xmmm128_imm8 => (true, false),
            C::Pcmpestri64_xmm_xmmm128_imm8 | C::VEX_Vpcmpestri64_xmm_xmmm128_imm8 => (true, true),
            _ => return None,
        };
        let other = insn.number(1) as u8;
        Some(Self {
            register: insn.number(0) as u8,
            other: (!insn.has_memory()).then_some(other),
            control: insn.immediate as u8,
            has_lengths,
            is_wide,
        })
    }
}

/// PCMPISTRI, PCMPISTRM, PCMPESTRI and PCMPESTRM; the operand in memory need not be aligned.
pub(in crate::insn) fn compare_strings<L: VectorWidth>(
    cpu: &mut Cpu,
    insn: &Insn,
) -> Result<(), Exit> {
    use iced_x86::Code as C;
    let b = if insn.has_memory() {
        cpu.load_vector::<L>(insn, false)?
    } else {
        cpu.vector::<L>(insn.number(1))
    };
    let a = cpu.vector::<L>(insn.number(0));
    let (a, b) = (a.low(), b.low());
    let control = insn.immediate as u8;
    let comparison = match insn.code {
        C::Pcmpistri_xmm_xmmm128_imm8
        | C::Pcmpistrm_xmm_xmmm128_imm8
        | C::VEX_Vpcmpistri_xmm_xmmm128_imm8
        | C::VEX_Vpcmpistrm_xmm_xmmm128_imm8 => Comparison::implicit(control, a, b),
        code => {
            let is_wide = matches!(
                code,
                C::Pcmpestri64_xmm_xmmm128_imm8
                    | C::Pcmpestrm64_xmm_xmmm128_imm8
                    | C::VEX_Vpcmpestri64_xmm_xmmm128_imm8
                    | C::VEX_Vpcmpestrm64_xmm_xmmm128_imm8
            );
            let [a_length, b_length] = [Gpr::Rax, Gpr::Rdx].map(|register| {
                let length = cpu.state.gpr(register);
                if is_wide {
                    length.cast_signed()
                } else {
                    i64::from(length as i32)
                }
            });
            Comparison::explicit(control, (a, a_length), (b, b_length))
        }
    };
    let result = comparison.result();
    if StringIndex::of(insn).is_some() {
        cpu.state
            .set_gpr(Gpr::Rcx, u64::from(comparison.index(result)));
    } else {
        cpu.set_vector::<L>(0, L::Bits::from_low(comparison.mask(result)));
    }
    cpu.state.flags = LazyFlags::from_status(comparison.flags(result));
    Ok(())
}
