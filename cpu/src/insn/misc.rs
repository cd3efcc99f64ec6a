//! Miscellaneous instructions (SDM 1, 5.1.13 and 5.6.4): NOP and hints, fences, cache
//! lines, UD, BOUND, CMPXCHG8B and CMPXCHG16B.

#[cfg(test)]
mod tests;

use super::system::{check_read, general_protection, undefined};
use super::{Insn, Row, helper, row};
use crate::Cpu;
use crate::acts::Spot;
use crate::exception::{Exception, Exit};
use crate::flags::{mask, sign_extend};
use crate::segment::SegmentRegister;
use crate::state::Gpr;
use crate::verbs::{Bits, Dword, Operand, Qword, Verbs, Width, Word};

/// Rows of things that do nothing.
macro_rules! nops {
    ($($code:ident)*; $($more:expr,)*) => {
        &[$(row!($code, nop),)* $($more,)*]
    };
}

pub(super) const ROWS: &[Row] = nops![
    Nopw Nopd Nopq Nop_rm16 Nop_rm32 Nop_rm64 Endbr32 Endbr64
    Reservednop_rm16_r16_0F0D Reservednop_rm32_r32_0F0D Reservednop_rm64_r64_0F0D
    Reservednop_rm16_r16_0F18 Reservednop_rm32_r32_0F18 Reservednop_rm64_r64_0F18
    Reservednop_rm16_r16_0F19 Reservednop_rm32_r32_0F19 Reservednop_rm64_r64_0F19
    Reservednop_rm16_r16_0F1A Reservednop_rm32_r32_0F1A Reservednop_rm64_r64_0F1A
    Reservednop_rm16_r16_0F1B Reservednop_rm32_r32_0F1B Reservednop_rm64_r64_0F1B
    Reservednop_rm16_r16_0F1C Reservednop_rm32_r32_0F1C Reservednop_rm64_r64_0F1C
    Reservednop_rm16_r16_0F1D Reservednop_rm32_r32_0F1D Reservednop_rm64_r64_0F1D
    Reservednop_rm16_r16_0F1E Reservednop_rm32_r32_0F1E Reservednop_rm64_r64_0F1E
    Reservednop_rm16_r16_0F1F Reservednop_rm32_r32_0F1F Reservednop_rm64_r64_0F1F
    Prefetch_m8 Prefetchw_m8 Prefetchwt1_m8 Prefetchreserved3_m8 Prefetchreserved4_m8
    Prefetchreserved5_m8 Prefetchreserved6_m8 Prefetchreserved7_m8
    Prefetchnta_m8 Prefetcht0_m8 Prefetcht1_m8 Prefetcht2_m8 Prefetchit0_m8 Prefetchit1_m8
    Cldemote_m8 Serialize
    Lfence Lfence_E9 Lfence_EA Lfence_EB Lfence_EC Lfence_ED Lfence_EE Lfence_EF
    Mfence Mfence_F1 Mfence_F2 Mfence_F3 Mfence_F4 Mfence_F5 Mfence_F6 Mfence_F7
    Sfence Sfence_F9 Sfence_FA Sfence_FB Sfence_FC Sfence_FD Sfence_FE Sfence_FF;
    helper!(Pause, pause),
    helper!(Clflush_m8, flush_line),
    helper!(Clflushopt_m8, flush_line),
    helper!(Clwb_m8, flush_line),
    helper!(Ud0, |cpu, _| Err(undefined(cpu))),
    helper!(Ud0_r16_rm16, |cpu, _| Err(undefined(cpu))),
    helper!(Ud0_r32_rm32, |cpu, _| Err(undefined(cpu))),
    helper!(Ud0_r64_rm64, |cpu, _| Err(undefined(cpu))),
    helper!(Ud1_r16_rm16, |cpu, _| Err(undefined(cpu))),
    helper!(Ud1_r32_rm32, |cpu, _| Err(undefined(cpu))),
    helper!(Ud1_r64_rm64, |cpu, _| Err(undefined(cpu))),
    helper!(Ud2, |cpu, _| Err(undefined(cpu))),
    helper!(Bound_r16_m1616, bound::<Word>),
    helper!(Bound_r32_m3232, bound::<Dword>),
    helper!(Cmpxchg8b_m64, cmpxchg8b),
    helper!(Cmpxchg16b_m128, cmpxchg16b),
    helper!(Movdir64b_r16_m512, movdir64b),
    helper!(Movdir64b_r32_m512, movdir64b),
    helper!(Movdir64b_r64_m512, movdir64b),
];

/// One processor sees its own accesses in order, and hints need not be heeded.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a meaning")]
#[inline(always)]
fn nop<V: Verbs>(_v: &mut V, _insn: &Insn) -> Result<(), V::Fault> {
    Ok(())
}

/// PAUSE gives other processors their turn, where they take turns.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a helper")]
fn pause(cpu: &mut Cpu, _insn: &Insn) -> Result<(), Exit> {
    if cpu.platform.spins() {
        cpu.request_leave();
    }
    Ok(())
}

/// CLFLUSH, CLFLUSHOPT and CLWB are checked as a read of a byte.
fn flush_line(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let address = cpu.operand_address(insn, 1, false)?;
    check_read(cpu, insn, insn.segment, address)
}

/// BOUND: a signed index between two bounds in memory.
fn bound<W: Width>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let lower = cpu.read::<W>(Operand::Memory(insn))?;
    let upper = cpu.read_displaced::<W>(insn, W::BYTES)?;
    let index = cpu.gpr::<W>(insn.registers[0]);
    let [lower, upper, index] =
        [lower, upper, index].map(|value| sign_extend(W::BITS, value.widen()).cast_signed());
    if (lower..=upper).contains(&index) {
        Ok(())
    } else {
        Err(cpu.raise(Exception::BoundRange))
    }
}

/// MOVDIR64B: 64 bytes to an aligned place in ES that a register gives.
fn movdir64b(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    cpu.note_position(insn);
    let offset = cpu.state.gpr(insn.registers[0]) & mask(u32::from(insn.address_bits));
    let to = cpu.segmented_address(SegmentRegister::Es, offset, 64, true)?;
    let from = cpu.operand_address(insn, 64, false)?;
    let mut bytes = [0; 64];
    cpu.read_linear(insn.segment, from, &mut bytes)?;
    // A Xeon (6, 207) has read before it looks at the destination.
    if to.0 % 64 != 0 {
        return Err(general_protection(cpu));
    }
    cpu.write_linear(SegmentRegister::Es, to, &bytes)
}

/// CMPXCHG8B: memory is written even if it differs.
fn cmpxchg8b(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let (old, spot) = cpu.modify::<Qword>(Operand::Memory(insn))?;
    let pair = |cpu: &Cpu, high: Gpr, low: Gpr| {
        cpu.state.gpr(high) << 32 | cpu.state.gpr(low) & 0xffff_ffff
    };
    let is_equal = old == pair(cpu, Gpr::Rdx, Gpr::Rax);
    if is_equal {
        let new = pair(cpu, Gpr::Rcx, Gpr::Rbx);
        cpu.commit::<Qword>(spot, new);
    } else {
        cpu.commit::<Qword>(spot, old);
        super::system::set_wide_accumulator(cpu, old);
    }
    cpu.state.flags = cpu.state.flags.with_zero(is_equal);
    Ok(())
}

/// CMPXCHG16B: the operand must be aligned.
fn cmpxchg16b(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let address = cpu.operand_address(insn, 16, true)?;
    if address.0 % 16 != 0 {
        return Err(general_protection(cpu));
    }
    let (old, spot) = match cpu.mmu.probe_write::<u128>(cpu.view, address) {
        Some(host) => (cpu.mmu.ram_load::<u128>(host), Spot::Ram(host)),
        None => {
            let (old, host) = cpu.locate_slow::<u128>(insn, insn.segment, address)?;
            (old, host.map_or(Spot::Slow, Spot::Ram))
        }
    };
    let pair = |cpu: &Cpu, high: Gpr, low: Gpr| {
        u128::from(cpu.state.gpr(high)) << 64 | u128::from(cpu.state.gpr(low))
    };
    let is_equal = old == pair(cpu, Gpr::Rdx, Gpr::Rax);
    let new = if is_equal {
        pair(cpu, Gpr::Rcx, Gpr::Rbx)
    } else {
        old
    };
    match spot {
        Spot::Ram(host) => cpu.mmu.ram_store(host, new),
        _ => cpu.commit_slow(new),
    }
    if !is_equal {
        cpu.state.set_gpr(Gpr::Rax, old as u64);
        cpu.state.set_gpr(Gpr::Rdx, (old >> 64) as u64);
    }
    cpu.state.flags = cpu.state.flags.with_zero(is_equal);
    Ok(())
}
