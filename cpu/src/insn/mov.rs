//! Data transfer (SDM 1, 5.1.1): MOV, MOVZX, MOVSX, CMOVcc, XCHG, XADD, CMPXCHG, BSWAP,
//! MOVBE, LEA, XLAT.

use super::{Imm, Insn, InsnFlags, Mem, Reg0, Reg1, Row, condition, row, row_r_rm, row_rm};
use crate::state::Gpr;
use crate::verbs::{Byte, ConditionCode, Dword, Flags, Qword, Slot, UnaryOp, Verbs, Width, Word};

pub(super) const ROWS: &[Row] = &[
    row_rm!(Mov_rm8_r8, mov, Byte; Reg1),
    row_rm!(Mov_rm16_r16, mov, Word; Reg1),
    row_rm!(Mov_rm32_r32, mov, Dword; Reg1),
    row_rm!(Mov_rm64_r64, mov, Qword; Reg1),
    // Direct stores bypass caches that are not there.
    row_rm!(Movdiri_m32_r32, mov, Dword; Reg1),
    row_rm!(Movdiri_m64_r64, mov, Qword; Reg1),
    row_r_rm!(Mov_r8_rm8, mov, Byte),
    row_r_rm!(Mov_r16_rm16, mov, Word),
    row_r_rm!(Mov_r32_rm32, mov, Dword),
    row_r_rm!(Mov_r64_rm64, mov, Qword),
    row_r_rm!(Mov_AL_moffs8, mov, Byte),
    row_rm!(Mov_moffs8_AL, mov, Byte; Reg1),
    row_r_rm!(Mov_AX_moffs16, mov, Word),
    row_rm!(Mov_moffs16_AX, mov, Word; Reg1),
    row_r_rm!(Mov_EAX_moffs32, mov, Dword),
    row_rm!(Mov_moffs32_EAX, mov, Dword; Reg1),
    row_r_rm!(Mov_RAX_moffs64, mov, Qword),
    row_rm!(Mov_moffs64_RAX, mov, Qword; Reg1),
    row!(Mov_r8_imm8, mov, Byte, Reg0, Imm),
    row!(Mov_r16_imm16, mov, Word, Reg0, Imm),
    row!(Mov_r32_imm32, mov, Dword, Reg0, Imm),
    row!(Mov_r64_imm64, mov, Qword, Reg0, Imm),
    row_rm!(Mov_rm8_imm8, mov, Byte; Imm),
    row_rm!(Mov_rm16_imm16, mov, Word; Imm),
    row_rm!(Mov_rm32_imm32, mov, Dword; Imm),
    row_rm!(Mov_rm64_imm32, mov, Qword; Imm),
    row_r_rm!(Movzx_r16_rm8, movzx, Word, Byte),
    row_r_rm!(Movzx_r16_rm16, movzx, Word, Word),
    row_r_rm!(Movzx_r32_rm8, movzx, Dword, Byte),
    row_r_rm!(Movzx_r32_rm16, movzx, Dword, Word),
    row_r_rm!(Movzx_r64_rm8, movzx, Qword, Byte),
    row_r_rm!(Movzx_r64_rm16, movzx, Qword, Word),
    row_r_rm!(Movsx_r16_rm8, movsx, Word, Byte),
    row_r_rm!(Movsx_r16_rm16, movsx, Word, Word),
    row_r_rm!(Movsx_r32_rm8, movsx, Dword, Byte),
    row_r_rm!(Movsx_r32_rm16, movsx, Dword, Word),
    row_r_rm!(Movsx_r64_rm8, movsx, Qword, Byte),
    row_r_rm!(Movsx_r64_rm16, movsx, Qword, Word),
    row_r_rm!(Movsxd_r16_rm16, movsx, Word, Word),
    row_r_rm!(Movsxd_r32_rm32, movsx, Dword, Dword),
    row_r_rm!(Movsxd_r64_rm32, movsx, Qword, Dword),
    Row::shared(
        iced_x86::Code::Cmovo_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::O),
        super::both!(cmov, Word, Mem, condition::O),
    ),
    Row::shared(
        iced_x86::Code::Cmovo_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::O),
        super::both!(cmov, Dword, Mem, condition::O),
    ),
    Row::shared(
        iced_x86::Code::Cmovo_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::O),
        super::both!(cmov, Qword, Mem, condition::O),
    ),
    Row::shared(
        iced_x86::Code::Cmovno_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::No),
        super::both!(cmov, Word, Mem, condition::No),
    ),
    Row::shared(
        iced_x86::Code::Cmovno_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::No),
        super::both!(cmov, Dword, Mem, condition::No),
    ),
    Row::shared(
        iced_x86::Code::Cmovno_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::No),
        super::both!(cmov, Qword, Mem, condition::No),
    ),
    Row::shared(
        iced_x86::Code::Cmovb_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::B),
        super::both!(cmov, Word, Mem, condition::B),
    ),
    Row::shared(
        iced_x86::Code::Cmovb_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::B),
        super::both!(cmov, Dword, Mem, condition::B),
    ),
    Row::shared(
        iced_x86::Code::Cmovb_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::B),
        super::both!(cmov, Qword, Mem, condition::B),
    ),
    Row::shared(
        iced_x86::Code::Cmovae_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::Ae),
        super::both!(cmov, Word, Mem, condition::Ae),
    ),
    Row::shared(
        iced_x86::Code::Cmovae_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::Ae),
        super::both!(cmov, Dword, Mem, condition::Ae),
    ),
    Row::shared(
        iced_x86::Code::Cmovae_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::Ae),
        super::both!(cmov, Qword, Mem, condition::Ae),
    ),
    Row::shared(
        iced_x86::Code::Cmove_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::E),
        super::both!(cmov, Word, Mem, condition::E),
    ),
    Row::shared(
        iced_x86::Code::Cmove_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::E),
        super::both!(cmov, Dword, Mem, condition::E),
    ),
    Row::shared(
        iced_x86::Code::Cmove_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::E),
        super::both!(cmov, Qword, Mem, condition::E),
    ),
    Row::shared(
        iced_x86::Code::Cmovne_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::Ne),
        super::both!(cmov, Word, Mem, condition::Ne),
    ),
    Row::shared(
        iced_x86::Code::Cmovne_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::Ne),
        super::both!(cmov, Dword, Mem, condition::Ne),
    ),
    Row::shared(
        iced_x86::Code::Cmovne_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::Ne),
        super::both!(cmov, Qword, Mem, condition::Ne),
    ),
    Row::shared(
        iced_x86::Code::Cmovbe_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::Be),
        super::both!(cmov, Word, Mem, condition::Be),
    ),
    Row::shared(
        iced_x86::Code::Cmovbe_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::Be),
        super::both!(cmov, Dword, Mem, condition::Be),
    ),
    Row::shared(
        iced_x86::Code::Cmovbe_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::Be),
        super::both!(cmov, Qword, Mem, condition::Be),
    ),
    Row::shared(
        iced_x86::Code::Cmova_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::A),
        super::both!(cmov, Word, Mem, condition::A),
    ),
    Row::shared(
        iced_x86::Code::Cmova_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::A),
        super::both!(cmov, Dword, Mem, condition::A),
    ),
    Row::shared(
        iced_x86::Code::Cmova_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::A),
        super::both!(cmov, Qword, Mem, condition::A),
    ),
    Row::shared(
        iced_x86::Code::Cmovs_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::S),
        super::both!(cmov, Word, Mem, condition::S),
    ),
    Row::shared(
        iced_x86::Code::Cmovs_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::S),
        super::both!(cmov, Dword, Mem, condition::S),
    ),
    Row::shared(
        iced_x86::Code::Cmovs_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::S),
        super::both!(cmov, Qword, Mem, condition::S),
    ),
    Row::shared(
        iced_x86::Code::Cmovns_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::Ns),
        super::both!(cmov, Word, Mem, condition::Ns),
    ),
    Row::shared(
        iced_x86::Code::Cmovns_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::Ns),
        super::both!(cmov, Dword, Mem, condition::Ns),
    ),
    Row::shared(
        iced_x86::Code::Cmovns_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::Ns),
        super::both!(cmov, Qword, Mem, condition::Ns),
    ),
    Row::shared(
        iced_x86::Code::Cmovp_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::P),
        super::both!(cmov, Word, Mem, condition::P),
    ),
    Row::shared(
        iced_x86::Code::Cmovp_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::P),
        super::both!(cmov, Dword, Mem, condition::P),
    ),
    Row::shared(
        iced_x86::Code::Cmovp_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::P),
        super::both!(cmov, Qword, Mem, condition::P),
    ),
    Row::shared(
        iced_x86::Code::Cmovnp_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::Np),
        super::both!(cmov, Word, Mem, condition::Np),
    ),
    Row::shared(
        iced_x86::Code::Cmovnp_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::Np),
        super::both!(cmov, Dword, Mem, condition::Np),
    ),
    Row::shared(
        iced_x86::Code::Cmovnp_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::Np),
        super::both!(cmov, Qword, Mem, condition::Np),
    ),
    Row::shared(
        iced_x86::Code::Cmovl_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::L),
        super::both!(cmov, Word, Mem, condition::L),
    ),
    Row::shared(
        iced_x86::Code::Cmovl_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::L),
        super::both!(cmov, Dword, Mem, condition::L),
    ),
    Row::shared(
        iced_x86::Code::Cmovl_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::L),
        super::both!(cmov, Qword, Mem, condition::L),
    ),
    Row::shared(
        iced_x86::Code::Cmovge_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::Ge),
        super::both!(cmov, Word, Mem, condition::Ge),
    ),
    Row::shared(
        iced_x86::Code::Cmovge_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::Ge),
        super::both!(cmov, Dword, Mem, condition::Ge),
    ),
    Row::shared(
        iced_x86::Code::Cmovge_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::Ge),
        super::both!(cmov, Qword, Mem, condition::Ge),
    ),
    Row::shared(
        iced_x86::Code::Cmovle_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::Le),
        super::both!(cmov, Word, Mem, condition::Le),
    ),
    Row::shared(
        iced_x86::Code::Cmovle_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::Le),
        super::both!(cmov, Dword, Mem, condition::Le),
    ),
    Row::shared(
        iced_x86::Code::Cmovle_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::Le),
        super::both!(cmov, Qword, Mem, condition::Le),
    ),
    Row::shared(
        iced_x86::Code::Cmovg_r16_rm16,
        super::both!(cmov, Word, Reg1, condition::G),
        super::both!(cmov, Word, Mem, condition::G),
    ),
    Row::shared(
        iced_x86::Code::Cmovg_r32_rm32,
        super::both!(cmov, Dword, Reg1, condition::G),
        super::both!(cmov, Dword, Mem, condition::G),
    ),
    Row::shared(
        iced_x86::Code::Cmovg_r64_rm64,
        super::both!(cmov, Qword, Reg1, condition::G),
        super::both!(cmov, Qword, Mem, condition::G),
    ),
    row_rm!(Xchg_rm8_r8, xchg, Byte; Reg1),
    row_rm!(Xchg_rm16_r16, xchg, Word; Reg1),
    row_rm!(Xchg_rm32_r32, xchg, Dword; Reg1),
    row_rm!(Xchg_rm64_r64, xchg, Qword; Reg1),
    row!(Xchg_r16_AX, xchg, Word, Reg0, Reg1),
    row!(Xchg_r32_EAX, xchg, Dword, Reg0, Reg1),
    row!(Xchg_r64_RAX, xchg, Qword, Reg0, Reg1),
    row_rm!(Xadd_rm8_r8, xadd, Byte; Reg1),
    row_rm!(Xadd_rm16_r16, xadd, Word; Reg1),
    row_rm!(Xadd_rm32_r32, xadd, Dword; Reg1),
    row_rm!(Xadd_rm64_r64, xadd, Qword; Reg1),
    row_rm!(Cmpxchg_rm8_r8, cmpxchg, Byte; Reg1),
    row_rm!(Cmpxchg_rm16_r16, cmpxchg, Word; Reg1),
    row_rm!(Cmpxchg_rm32_r32, cmpxchg, Dword; Reg1),
    row_rm!(Cmpxchg_rm64_r64, cmpxchg, Qword; Reg1),
    row!(Lea_r16_m, lea, Word, Reg0),
    row!(Bswap_r16, bswap, Word, Reg0),
    row_r_rm!(Movbe_r16_m16, movbe, Word),
    row_rm!(Movbe_m16_r16, movbe, Word; Reg1),
    row!(Lea_r32_m, lea, Dword, Reg0),
    row!(Bswap_r32, bswap, Dword, Reg0),
    row_r_rm!(Movbe_r32_m32, movbe, Dword),
    row_rm!(Movbe_m32_r32, movbe, Dword; Reg1),
    row!(Lea_r64_m, lea, Qword, Reg0),
    row!(Bswap_r64, bswap, Qword, Reg0),
    row_r_rm!(Movbe_r64_m64, movbe, Qword),
    row_rm!(Movbe_m64_r64, movbe, Qword; Reg1),
    row_rm!(Movnti_m32_r32, mov, Dword; Reg1),
    row_rm!(Movnti_m64_r64, mov, Qword; Reg1),
    row!(Xlat_m8, xlat),
];

#[inline(always)]
fn mov<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    v.write::<W>(D::of(insn), value)
}

#[inline(always)]
fn movzx<V: Verbs, W: Width, F: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let value = v.read::<F>(S::of(insn))?;
    let value = v.zero_extend::<F, W>(value);
    v.write::<W>(D::of(insn), value)
}

#[inline(always)]
fn movsx<V: Verbs, W: Width, F: Width, D: Slot, S: Slot>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let value = v.read::<F>(S::of(insn))?;
    let value = v.sign_extend::<F, W>(value);
    v.write::<W>(D::of(insn), value)
}

/// The source is read, and a 32-bit destination's upper half cleared, in any case.
#[inline(always)]
fn cmov<V: Verbs, W: Width, S: Slot, C: ConditionCode>(
    v: &mut V,
    insn: &Insn,
) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let old = v.read::<W>(Reg0::of(insn))?;
    let holds = v.condition(C::CONDITION);
    let result = v.select::<W>(holds, value, old);
    v.write::<W>(Reg0::of(insn), result)
}

#[inline(always)]
fn xchg<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let b = v.read::<W>(S::of(insn))?;
    v.commit::<W>(spot, b);
    v.write::<W>(S::of(insn), a)
}

#[inline(always)]
fn xadd<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let (a, spot) = v.modify::<W>(D::of(insn))?;
    let b = v.read::<W>(S::of(insn))?;
    let sum = v.add::<W>(a, b);
    v.write::<W>(S::of(insn), a)?;
    // Last, so that XADD of a register with itself leaves the sum.
    v.commit::<W>(spot, sum);
    v.flags::<W>(Flags::Add { a, b, sum });
    Ok(())
}

/// A destination in memory is written in any case, if only with what it held.
#[inline(always)]
fn cmpxchg<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let (old, spot) = v.modify::<W>(D::of(insn))?;
    let source = v.read::<W>(S::of(insn))?;
    let accumulator = v.gpr::<W>(Gpr::Rax);
    let difference = v.sub::<W>(accumulator, old);
    let is_equal = v.is_zero::<W>(difference);
    if W::BITS == 32 && !D::IS_MEMORY {
        // A register that is not replaced is not written: its upper half stays.
        let whole = v.gpr::<Qword>(insn.registers[0]);
        let source = v.zero_extend::<W, Qword>(source);
        let new = v.select::<Qword>(is_equal, source, whole);
        v.set_gpr::<Qword>(insn.registers[0], new);
    } else {
        let new = v.select::<W>(is_equal, source, old);
        v.commit::<W>(spot, new);
    }
    // AH is not the accumulator.
    let is_destination =
        !D::IS_MEMORY && insn.registers[0] == Gpr::Rax && !insn.flags.contains(InsnFlags::HIGH0);
    if W::BITS == 32 {
        // On success the accumulator is not written, not even its upper half.
        let whole = v.gpr::<Qword>(Gpr::Rax);
        let old = v.zero_extend::<W, Qword>(old);
        let merged = v.select::<Qword>(is_equal, whole, old);
        // Unless it is the destination, which then is written already.
        if !is_destination {
            v.set_gpr::<Qword>(Gpr::Rax, merged);
        }
    } else if !is_destination {
        let merged = v.select::<W>(is_equal, accumulator, old);
        v.set_gpr::<W>(Gpr::Rax, merged);
    }
    v.flags::<W>(Flags::Sub {
        a: accumulator,
        b: old,
        difference,
    });
    Ok(())
}

#[inline(always)]
fn lea<V: Verbs, W: Width, D: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let address = v.effective_address(insn);
    let value = v.zero_extend::<Qword, W>(address);
    v.write::<W>(D::of(insn), value)
}

/// A 16-bit BSWAP is undefined; processors clear the register.
#[inline(always)]
fn bswap<V: Verbs, W: Width, D: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(D::of(insn))?;
    let result = if W::BITS == 16 {
        v.constant::<W>(0)
    } else {
        v.unary::<W>(UnaryOp::SwapBytes, value)
    };
    v.write::<W>(D::of(insn), result)
}

#[inline(always)]
fn movbe<V: Verbs, W: Width, D: Slot, S: Slot>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let value = v.read::<W>(S::of(insn))?;
    let result = v.unary::<W>(UnaryOp::SwapBytes, value);
    v.write::<W>(D::of(insn), result)
}

#[inline(always)]
fn xlat<V: Verbs>(v: &mut V, insn: &Insn) -> Result<(), V::Fault> {
    let base = v.gpr::<Qword>(Gpr::Rbx);
    let index = v.gpr::<Byte>(Gpr::Rax);
    let index = v.zero_extend::<Byte, Qword>(index);
    let sum = v.add::<Qword>(base, index);
    let mask = v.constant::<Qword>(crate::flags::mask(u32::from(insn.address_bits)));
    let offset = v.and::<Qword>(sum, mask);
    let value = v.load::<Byte>(insn, insn.segment, offset)?;
    v.set_gpr::<Byte>(Gpr::Rax, value);
    Ok(())
}
