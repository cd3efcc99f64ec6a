//! 64-bit mode: the frame, IST, stack switch, double fault, a restarted string instruction.

use crate::check::{want, want_at, want_masked};
use crate::fixture::check;
use crate::prelude::*;
use crate::start;
use crate::trap::{BACK, attempt, faults, in_user_mode, want_fault};

/// Stacks of the interrupt stack table.
const IST1: u32 = SCRATCH + 0x8000;
const IST2: u32 = SCRATCH + 0xA000;
const TF: u32 = 0x100;

pub(super) fn checks(a: &mut Asm) -> Built {
    a.mov(dword_ptr(TSS + 0x24), IST1)?;
    a.mov(dword_ptr(TSS + 0x2C), IST2)?;
    check(a, "64-bit frame", frame)?;
    check(a, "interrupt stack table", stack_table)?;
    check(a, "64-bit stack switch", stack_switch)?;
    check(a, "64-bit gate faults", gate_faults)?;
    check(a, "64-bit double fault", double_fault)?;
    check(a, "64-bit single step", single_step)?;
    check(a, "REP MOVS restarted", restart)?;
    check(a, "64-bit HLT", halt)
}

/// 6.14.2: RSP is aligned to 16, then SS, RSP, RFLAGS, CS, RIP are pushed, whatever the ring.
fn frame(a: &mut Asm) -> Built {
    for misalignment in [0, 1, 8, 15] {
        attempt(a, |a| {
            a.mov(rsp, u64::from(STACK - 0x100 - misalignment))?;
            a.int(0x40)
        })?;
        want_fault(a, 0x40, NONE)?;
        want_at(a, R_SP, STACK - 0x100 - misalignment)?;
        want_at(a, R_SS, u32::from(DATA))?;
        want_at(a, R_CS, u32::from(CODE64))?;
        // Five of the frame, the error cell and the vector.
        let aligned = (STACK - 0x100 - misalignment) & !15;
        want_at(a, R_HANDLER_SP, aligned - 56)?;
    }
    Ok(())
}

fn set_ist(a: &mut Asm, vector: u32, ist: u32) -> Built {
    a.mov(byte_ptr(IDT + vector * 16 + 4), ist)
}

/// 6.14.5: the gate's IST index takes the stack from the TSS, from ring 0 too.
fn stack_table(a: &mut Asm) -> Built {
    set_ist(a, 6, 1)?;
    faults(a, 6, NONE, |a| a.ud2())?;
    want_at(a, R_HANDLER_SP, IST1 - 56)?;
    faults(a, 6, NONE, |a| in_user_mode(a, |a| a.ud2()))?;
    want_at(a, R_HANDLER_SP, IST1 - 56)?;
    set_ist(a, 6, 0)
}

fn stack_switch(a: &mut Asm) -> Built {
    attempt(a, |a| in_user_mode(a, |a| a.push(1)))?;
    want_fault(a, BACK, NONE)?;
    want_at(a, R_SP, USER_STACK - 8)?;
    want_at(a, R_SS, u32::from(USER_DATA))?;
    want_at(a, R_CS, u32::from(USER_CODE64))?;
    want_at(a, R_HANDLER_SP, RING0_STACK - 56)
}

fn gate_faults(a: &mut Asm) -> Built {
    faults(a, 13, 14 * 8 + 2, |a| in_user_mode(a, |a| a.int(14)))?;
    // No gate.
    faults(a, 13, 0x50 * 8 + 2, |a| a.int(0x50))?;
    // A 32-bit code segment is no target.
    a.mov(dword_ptr(IDT + 0x500), u32::from(CODE32) << 16)?;
    a.mov(dword_ptr(IDT + 0x504), 0xEE00)?;
    faults(a, 13, u32::from(CODE32), |a| a.int(0x50))?;
    a.mov(dword_ptr(IDT + 0x504), 0x6E00)?;
    faults(a, 11, 0x50 * 8 + 2, |a| a.int(0x50))
}

/// #GP whose gate is absent while the stack is bad: IST2 saves the double fault.
fn double_fault(a: &mut Asm) -> Built {
    set_ist(a, 8, 2)?;
    a.and(byte_ptr(IDT + 13 * 16 + 5), 0x7F)?;
    faults(a, 8, 0, |a| {
        a.mov(eax, 0xFFF8)?;
        a.mov(es, eax)
    })?;
    want_at(a, R_HANDLER_SP, IST2 - 56)?;
    a.or(byte_ptr(IDT + 13 * 16 + 5), 0x80u32)?;
    // No stack to push on: the stack fault's delivery fails likewise.
    faults(a, 8, 0, |a| {
        a.mov(rsp, 0x8000_0000_0000_0000u64)?;
        a.push(rax)
    })?;
    want_at(a, R_HANDLER_SP, IST2 - 56)
}

fn single_step(a: &mut Asm) -> Built {
    let place = a.mark();
    let address = a.addr(place);
    attempt(a, |a| {
        a.push(i32::try_from(TF | 2).expect("small"))?;
        a.popfq()?;
        a.nop()?;
        a.here(place)?;
        a.nop()
    })?;
    want_fault(a, 1, NONE)?;
    want_at(a, R_IP, address)
}

/// A page fault in the middle leaves the registers at the turn that failed, so that the instruction goes on.
fn restart(a: &mut Asm) -> Built {
    // The destination's second part is at 4 MiB, whose 2-MiB page is not there.
    let entry = TABLES + 0x2000 + 16;
    a.and(dword_ptr(entry), -2i32)?;
    a.mov(rax, cr3)?;
    a.mov(cr3, rax)?;
    a.mov(edi, SCRATCH)?;
    a.mov(ecx, 8)?;
    a.mov(eax, 0x1234_5678)?;
    a.rep().stosd()?;
    let [instruction, done] = [a.mark(), a.mark()];
    let address = a.addr(instruction);
    attempt(a, |a| {
        a.mov(esi, SCRATCH)?;
        a.mov(edi, 0x3F_FFF0)?;
        a.mov(ecx, 0x20)?;
        a.here(instruction)?;
        a.rep().movsb()?;
        a.jmp(done.label)
    })?;
    want_fault(a, 14, 2)?;
    want_at(a, R_CR2, 0x40_0000)?;
    want_at(a, R_IP, address)?;
    want_at(a, R_GPRS + 8, 0x10)?;
    want_at(a, R_GPRS + 48, SCRATCH + 0x10)?;
    want_at(a, R_GPRS + 56, 0x40_0000)?;
    a.or(dword_ptr(entry), 1)?;
    a.mov(rcx, qword_ptr(R_GPRS + 8))?;
    a.mov(rsi, qword_ptr(R_GPRS + 48))?;
    a.mov(rdi, qword_ptr(R_GPRS + 56))?;
    a.jmp(instruction.label)?;
    a.here(done)?;
    a.mov(eax, ecx)?;
    want(a, 0)?;
    for at in [0x3F_FFF0, 0x3F_FFFC, 0x40_0000, 0x40_000C] {
        want_at(a, at, 0x1234_5678)?;
    }
    Ok(())
}

fn halt(a: &mut Asm) -> Built {
    start::timer_at(a, 0x40)?;
    let place = a.mark();
    let address = a.addr(place);
    attempt(a, |a| {
        a.sti()?;
        a.hlt()?;
        a.here(place)?;
        a.nop()?;
        a.ud2()
    })?;
    want_fault(a, 0x40, NONE)?;
    want_at(a, R_IP, address)?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, 0x200, 0x200)?;
    start::timer_off(a)
}
