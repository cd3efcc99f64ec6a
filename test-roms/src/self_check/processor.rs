//! Checks of the processor: identification, modes, arithmetic, exceptions.

use super::check;
use crate::check::{want, want_at, want_flags, want_masked};
use crate::prelude::*;
use crate::trap::{attempt, faults, in_user_mode, passes};

/// CF, PF, ZF, SF and OF.
const NO_AF: u32 = 0x8C5;
/// All six arithmetic flags.
const ALL_FLAGS: u32 = 0x8D5;

/// Everything that needs no handler.
pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "CPUID", cpuid)?;
    check(a, "long mode", long_mode)?;
    check(a, "integer arithmetic", integers)?;
    check(a, "arithmetic flags", flags)?;
    check(a, "string instructions", strings)?;
    check(a, "x87 arithmetic", x87)?;
    check(a, "SSE2 arithmetic", sse2)
}

/// SDM 2A CPUID: what every processor with long mode announces.
fn cpuid(a: &mut Asm) -> Built {
    a.xor(eax, eax)?;
    a.cpuid()?;
    a.test(eax, eax)?;
    a.setne(al)?;
    want_masked(a, 0xFF, 1)?;
    a.test(ebx, ebx)?;
    a.setne(al)?;
    want_masked(a, 0xFF, 1)?;
    a.mov(eax, 1)?;
    a.cpuid()?;
    // FPU, TSC, MSR, PAE, CX8, PGE, CMOV, MMX, FXSR, SSE, SSE2.
    a.mov(eax, edx)?;
    want_masked(a, 0x0780_A171, 0x0780_A171)?;
    a.mov(eax, 0x8000_0001u32)?;
    a.cpuid()?;
    a.mov(eax, edx)?;
    want_masked(a, 1 << 29, 1 << 29)
}

/// EFER.LMA, RIP-relative data, R8 to R15, and 32-bit results that clear the upper half.
fn long_mode(a: &mut Asm) -> Built {
    a.mov(ecx, 0xC000_0080u32)?;
    a.rdmsr()?;
    want_masked(a, 0x500, 0x500)?;
    a.mov(rbx, 0x1234_5678_9ABC_DEF0u64)?;
    a.mov(r15, rbx)?;
    a.add(r15, r15)?;
    a.mov(rax, r15)?;
    want(a, 0x3579_BDE0)?;
    a.shr(rax, 32)?;
    want(a, 0x2468_ACF1)?;
    a.mov(r8, -1i64)?;
    a.mov(r8d, r8d)?;
    a.shr(r8, 32)?;
    a.mov(rax, r8)?;
    want(a, 0)?;
    let [data, after] = [a.mark(), a.mark()];
    a.mov(rax, qword_ptr(data.label))?;
    a.jmp(after.label)?;
    a.here(data)?;
    a.dq(&[0x0BAD_CAFE_600D_F00D])?;
    a.here(after)?;
    want(a, 0x600D_F00D)
}

/// Products, quotients, shifts, bits, conversions.
fn integers(a: &mut Asm) -> Built {
    a.mov(rax, 0xFFFF_FFFF_FFFF_FFFFu64)?;
    a.mov(rcx, rax)?;
    a.mul(rcx)?;
    want(a, 1)?;
    a.mov(rax, rdx)?;
    want(a, 0xFFFF_FFFE)?;
    a.mov(edx, 7)?;
    a.mov(eax, 5)?;
    a.mov(ecx, 9)?;
    a.div(ecx)?;
    // 7 * 2^32 + 5 = 9 * 3340530119 + 6.
    want(a, 3_340_530_119)?;
    a.mov(eax, edx)?;
    want(a, 6)?;
    a.mov(eax, -100i32)?;
    a.cdq()?;
    a.mov(ecx, 7)?;
    a.idiv(ecx)?;
    want(a, (-14i32).cast_unsigned())?;
    a.mov(eax, edx)?;
    want(a, (-2i32).cast_unsigned())?;
    a.mov(eax, 0x8000_0001u32)?;
    a.sar(eax, 4)?;
    want(a, 0xF800_0000)?;
    a.rol(eax, 8)?;
    want(a, 0xF8)?;
    a.mov(edx, 0x1234_5678)?;
    a.shld(eax, edx, 16)?;
    want(a, 0x00F8_1234)?;
    a.bswap(eax)?;
    want(a, 0x3412_F800)?;
    a.bsf(eax, eax)?;
    want(a, 11)?;
    a.mov(al, 0x80)?;
    a.movsx(eax, al)?;
    want(a, 0xFFFF_FF80)
}

/// Flags of sums, differences, logic and shifts, derived by hand from SDM 1 3.4.3.1.
fn flags(a: &mut Asm) -> Built {
    a.mov(al, 0x7F)?;
    a.add(al, 1)?;
    // 80h: OF SF AF, odd number of ones.
    want_flags(a, ALL_FLAGS, 0x890)?;
    a.mov(eax, -1i32)?;
    a.add(eax, 1)?;
    want_flags(a, ALL_FLAGS, 0x055)?;
    a.stc()?;
    a.mov(eax, 0)?;
    a.sbb(eax, 0)?;
    want_flags(a, ALL_FLAGS, 0x095)?;
    a.mov(ax, 0x8000u32)?;
    a.neg(ax)?;
    want_flags(a, ALL_FLAGS, 0x885)?;
    a.stc()?;
    a.mov(al, 0xFF)?;
    a.inc(al)?;
    // INC leaves CF alone.
    want_flags(a, ALL_FLAGS, 0x055)?;
    a.mov(al, 0xF0)?;
    a.and(al, 0x80)?;
    want_flags(a, NO_AF, 0x080)?;
    a.mov(al, 0xC0)?;
    a.shl(al, 1)?;
    want_flags(a, NO_AF, 0x081)?;
    a.mov(eax, 0x1_0000)?;
    a.imul_3(eax, eax, 0x1_0000)?;
    want_flags(a, 0x801, 0x801)
}

/// REP MOVS, STOS, SCAS, CMPS, forwards and backwards.
fn strings(a: &mut Asm) -> Built {
    a.mov(edi, SCRATCH)?;
    a.mov(eax, 0x4444_3333)?;
    a.mov(ecx, 64)?;
    a.rep().stosd()?;
    a.mov(byte_ptr(SCRATCH + 200), 0x55)?;
    a.mov(esi, SCRATCH)?;
    a.mov(edi, SCRATCH + 0x400)?;
    a.mov(ecx, 256)?;
    a.rep().movsb()?;
    a.mov(eax, edi)?;
    want(a, SCRATCH + 0x500)?;
    a.mov(edi, SCRATCH + 0x400)?;
    a.mov(ecx, 256)?;
    a.mov(al, 0x55)?;
    a.repne().scasb()?;
    a.mov(eax, ecx)?;
    want(a, 55)?;
    a.mov(byte_ptr(SCRATCH + 0x400), 0)?;
    a.mov(esi, SCRATCH + 255)?;
    a.mov(edi, SCRATCH + 0x4FF)?;
    a.mov(ecx, 256)?;
    a.std()?;
    a.repe().cmpsb()?;
    a.cld()?;
    a.mov(eax, ecx)?;
    want(a, 0)?;
    a.mov(eax, esi)?;
    want(a, SCRATCH - 1)
}

/// Constants, square root, rounding and comparison on the x87 (SDM 1 chapter 8).
fn x87(a: &mut Asm) -> Built {
    a.fninit()?;
    a.fldpi()?;
    a.fstp(tbyte_ptr(SCRATCH))?;
    want_at(a, SCRATCH, 0x2168_C235)?;
    want_at(a, SCRATCH + 4, 0xC90F_DAA2)?;
    a.mov(eax, dword_ptr(SCRATCH + 8))?;
    want_masked(a, 0xFFFF, 0x4000)?;
    a.mov(dword_ptr(SCRATCH), 2)?;
    a.fild(dword_ptr(SCRATCH))?;
    a.fsqrt()?;
    a.fst(qword_ptr(SCRATCH + 8))?;
    want_at(a, SCRATCH + 8, 0x667F_3BCD)?;
    want_at(a, SCRATCH + 12, 0x3FF6_A09E)?;
    // 1.414 * 1000 rounds to 1414.
    a.mov(dword_ptr(SCRATCH), 1000)?;
    a.fimul(dword_ptr(SCRATCH))?;
    a.fistp(dword_ptr(SCRATCH))?;
    want_at(a, SCRATCH, 1414)?;
    a.fld1()?;
    a.fldz()?;
    a.fcomip(st0, st1)?;
    // 0 < 1: CF.
    want_flags(a, 0x45, 1)?;
    a.fstp(st0)
}

/// Packed integers, single and double precision (SDM 1 chapters 10 and 11).
fn sse2(a: &mut Asm) -> Built {
    a.mov(rax, 0x7FFF_FFFF_0000_0003u64)?;
    a.movq(xmm0, rax)?;
    a.paddd(xmm0, xmm0)?;
    a.movq(rax, xmm0)?;
    want(a, 6)?;
    a.shr(rax, 32)?;
    want(a, 0xFFFF_FFFE)?;
    a.mov(eax, 2)?;
    a.cvtsi2sd(xmm1, eax)?;
    a.sqrtsd(xmm1, xmm1)?;
    a.movq(rax, xmm1)?;
    want(a, 0x667F_3BCD)?;
    a.mulsd(xmm1, xmm1)?;
    // (square root of 2) squared rounds to 2 + 2^-51.
    a.movq(rax, xmm1)?;
    want(a, 1)?;
    a.shr(rax, 32)?;
    want(a, 0x4000_0000)?;
    a.mov(eax, 0x3E80_0000)?;
    a.movd(xmm2, eax)?;
    a.shufps(xmm2, xmm2, 0)?;
    a.mulps(xmm2, xmm2)?;
    a.movmskps(eax, xmm2)?;
    want(a, 0)?;
    a.movd(eax, xmm2)?;
    want(a, 0x3D80_0000)?;
    a.pcmpeqd(xmm3, xmm3)?;
    a.pmovmskb(eax, xmm3)?;
    want(a, 0xFFFF)?;
    a.mov(rax, 0xC004_0000_0000_0000u64)?;
    a.movq(xmm4, rax)?;
    a.cvttsd2si(eax, xmm4)?;
    want(a, (-2i32).cast_unsigned())
}

/// Faults, traps and a way back from each.
pub(super) fn exceptions(a: &mut Asm) -> Built {
    check(a, "exceptions", |a| {
        a.mov(dword_ptr(R_COUNT), 0)?;
        faults(a, 0, NONE, |a| {
            a.xor(edx, edx)?;
            a.xor(ecx, ecx)?;
            a.div(ecx)
        })?;
        faults(a, 3, NONE, |a| a.int3())?;
        faults(a, 6, NONE, |a| a.ud2())?;
        // A selector beyond the descriptor table.
        faults(a, 13, 0xFFF8, |a| {
            a.mov(eax, 0xFFF8)?;
            a.mov(es, eax)
        })?;
        // An address that is not canonical.
        faults(a, 13, 0, |a| {
            a.mov(rbx, 0x8000_0000_0000_0000u64)?;
            a.mov(eax, dword_ptr(rbx))
        })?;
        want_at(a, R_COUNT, 5)
    })?;
    check(a, "user mode", |a| {
        a.mov(dword_ptr(TABLES), TABLES + 0x1007)?;
        a.mov(dword_ptr(TABLES + 0x1000), TABLES + 0x2007)?;
        a.mov(dword_ptr(TABLES + 0x2000), 0xE7)?;
        a.mov(rax, cr3)?;
        a.mov(cr3, rax)?;
        attempt(a, |a| in_user_mode(a, |a| a.nop()))?;
        want_at(a, R_VECTOR, crate::trap::BACK)?;
        want_at(a, R_CS, u32::from(USER_CODE64))?;
        faults(a, 13, 0, |a| in_user_mode(a, |a| a.hlt()))?;
        faults(a, 14, 7, |a| {
            in_user_mode(a, |a| {
                a.mov(eax, 0x40_0000)?;
                a.mov(dword_ptr(rax), 1)
            })
        })?;
        want_at(a, R_CR2, 0x40_0000)?;
        passes(a, |a| a.nop())
    })
}
