//! 64-bit mode: SYSCALL, SYSRET, SYSENTER, SYSEXIT, compatibility mode (SDM 3A 5.8.7.1, 5.8.8).

use crate::asm::section;
use crate::check::{want_at, want_masked};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, want_fault};

const SEEN: u32 = VARS + 0x40;
/// STAR: SYSRET's base 18h, SYSCALL's 38h.
const STAR_HIGH: u32 = 0x0018_0038;
const EFER: u32 = 0xC000_0080;
const STAR: u32 = 0xC000_0081;
const LSTAR: u32 = 0xC000_0082;
const FMASK: u32 = 0xC000_0084;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "SYSCALL and SYSRET", syscall)?;
    check(a, "SYSENTER and SYSEXIT, 64-bit", sysenter)?;
    check(a, "compatibility mode", compatibility)
}

fn write_msr(a: &mut Asm, msr: u32, high: u32, low: u32) -> Built {
    a.mov(ecx, msr)?;
    a.mov(eax, low)?;
    a.mov(edx, high)?;
    a.wrmsr()
}

/// Keeps CS, SS and the flags of a kernel entry.
fn keep_entry(a: &mut Asm) -> Built {
    a.mov(eax, cs)?;
    a.mov(dword_ptr(SEEN), eax)?;
    a.mov(eax, ss)?;
    a.mov(dword_ptr(SEEN + 4), eax)?;
    a.mov(qword_ptr(SEEN + 8), rsp)
}

/// RCX and R11 take RIP and RFLAGS, FMASK's bits are cleared, the stack pointer stays the user's.
fn syscall(a: &mut Asm) -> Built {
    let [over, entry, next] = [a.mark(), a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(entry)?;
    keep_entry(a)?;
    a.mov(qword_ptr(SEEN + 0x10), rcx)?;
    a.mov(qword_ptr(SEEN + 0x18), r11)?;
    // The user's stack is not the kernel's: the flags go over it all the same here.
    a.pushfq()?;
    a.pop(qword_ptr(SEEN + 0x20))?;
    a.sysretq()?;
    a.here(over)?;
    faults(a, 6, NONE, |a| in_user_mode(a, |a| a.syscall()))?;
    a.mov(ecx, EFER)?;
    a.rdmsr()?;
    a.or(eax, 1)?;
    a.wrmsr()?;
    let (entry_address, next_address) = (a.addr(entry), a.addr(next));
    write_msr(a, STAR, STAR_HIGH, 0)?;
    write_msr(a, LSTAR, 0, entry_address)?;
    // CF, DF and IF are cleared on entry.
    write_msr(a, FMASK, 0, 0x601)?;
    attempt(a, |a| {
        in_user_mode(a, |a| {
            a.stc()?;
            a.std()?;
            a.syscall()?;
            a.here(next)?;
            a.pushfq()?;
            a.pop(rbx)?;
            a.cld()
        })
    })?;
    want_fault(a, BACK, NONE)?;
    want_at(a, SEEN, u32::from(CODE64))?;
    want_at(a, SEEN + 4, u32::from(CODE64) + 8)?;
    want_at(a, SEEN + 8, USER_STACK)?;
    want_at(a, SEEN + 0x10, next_address)?;
    a.mov(eax, dword_ptr(SEEN + 0x18))?;
    want_masked(a, 0x401, 0x401)?;
    a.mov(eax, dword_ptr(SEEN + 0x20))?;
    want_masked(a, 0x401, 0)?;
    // Back in ring 3 with the flags as they were.
    want_at(a, R_CS, u32::from(USER_CODE64))?;
    want_at(a, R_SS, u32::from(USER_DATA))?;
    a.mov(eax, dword_ptr(R_GPRS + 24))?;
    want_masked(a, 0x401, 0x401)?;
    // SYSRET is the kernel's.
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.sysretq()))
}

fn sysenter(a: &mut Asm) -> Built {
    let [over, entry, next, skip] = [a.mark(), a.mark(), a.mark(), a.mark()];
    // The processors of one maker do not know SYSENTER in long mode; the vendor string tells.
    a.xor(eax, eax)?;
    a.cpuid()?;
    a.cmp(ebx, 0x756E_6547)?;
    a.jne(skip.label)?;
    a.jmp(over.label)?;
    a.here(entry)?;
    keep_entry(a)?;
    a.sysexitq()?;
    a.here(over)?;
    let (entry_address, next_address) = (a.addr(entry), a.addr(next));
    write_msr(a, 0x174, 0, u32::from(CODE32))?;
    write_msr(a, 0x175, 0, SCRATCH + 0xC000)?;
    write_msr(a, 0x176, 0, entry_address)?;
    attempt(a, |a| {
        in_user_mode(a, |a| {
            a.mov(edx, next_address)?;
            a.mov(ecx, USER_STACK - 0x80)?;
            a.sysenter()?;
            a.here(next)?;
            a.nop()
        })
    })?;
    want_fault(a, BACK, NONE)?;
    want_at(a, SEEN, u32::from(CODE32))?;
    want_at(a, SEEN + 4, u32::from(DATA))?;
    want_at(a, SEEN + 8, SCRATCH + 0xC000)?;
    want_at(a, R_CS, u32::from(USER_CODE64))?;
    // SS is CS + 40 of SYSENTER_CS.
    want_at(a, R_SS, 0x33)?;
    want_at(a, R_SP, USER_STACK - 0x80)?;
    a.here(skip)
}

/// The same bytes mean INC EAX here and a REX prefix in 64-bit mode; the handler is 64-bit.
fn compatibility(a: &mut Asm) -> Built {
    let start = a.mark();
    let address = a.addr(start);
    attempt(a, |a| {
        for value in [
            u32::from(USER_DATA),
            USER_STACK,
            2,
            u32::from(USER_CODE32),
            address,
        ] {
            a.push(value.cast_signed())?;
        }
        a.iretq()?;
        a.here(start)?;
        let code = section(32, u64::from(address), |c| {
            c.mov(eax, 5)?;
            c.db(&[0x40])?;
            c.mov(ecx, dword_ptr(esp - 4))?;
            c.push(eax)?;
            c.int(BACK.cast_signed())
        })?;
        a.db(&code)
    })?;
    want_fault(a, BACK, NONE)?;
    want_at(a, R_CS, u32::from(USER_CODE32))?;
    want_at(a, R_SP, USER_STACK - 4)?;
    want_at(a, R_GPRS, 6)
}
