//! Single step and the debug registers (SDM 3A chapter 17).

use super::TF;
use crate::check::{want_at, want_masked};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::{attempt, faults, passes, want_fault};

/// DR6 with nothing reported.
const DR6_CLEAR: u32 = 0xFFFF_0FF0;
/// B0 to B3, BD, BS.
const DR6_CAUSES: u32 = 0x600F;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "single step", single_step)?;
    check(a, "instruction breakpoint", instruction)?;
    check(a, "data breakpoints", data)?;
    check(a, "I/O breakpoint", input_output)?;
    check(a, "debug register access", access)
}

fn set_flags(a: &mut Asm, flags: u32) -> Built {
    a.push(flags.cast_signed())?;
    a.popfd()
}

/// Wants #DB with the instruction at `place` pushed and these bits in DR6, which is cleared.
fn want_debug(a: &mut Asm, place: Mark, causes: u32) -> Built {
    want_fault(a, 1, NONE)?;
    let address = a.addr(place);
    want_at(a, R_IP, address)?;
    a.mov(eax, dr6)?;
    want_masked(a, DR6_CAUSES, causes)?;
    clear(a)
}

fn clear(a: &mut Asm) -> Built {
    a.mov(eax, DR6_CLEAR)?;
    a.mov(dr6, eax)
}

fn single_step(a: &mut Asm) -> Built {
    clear(a)?;
    let place = a.mark();
    attempt(a, |a| {
        set_flags(a, TF | 2)?;
        a.nop()?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 0x4000)?;
    // After MOV SS one instruction later.
    let place = a.mark();
    attempt(a, |a| {
        a.mov(eax, u32::from(DATA))?;
        set_flags(a, TF | 2)?;
        a.mov(ss, eax)?;
        a.nop()?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 0x4000)?;
    // A repeated string instruction stops after each turn, at itself.
    let place = a.mark();
    attempt(a, |a| {
        a.mov(ecx, 3)?;
        a.mov(edi, SCRATCH)?;
        set_flags(a, TF | 2)?;
        a.here(place)?;
        a.rep().stosb()
    })?;
    want_debug(a, place, 0x4000)?;
    want_at(a, R_GPRS + 8, 2)?;
    want_at(a, R_GPRS + 56, SCRATCH + 1)?;
    // A taken branch: the target is pushed.
    let place = a.mark();
    attempt(a, |a| {
        set_flags(a, TF | 2)?;
        a.jmp(place.label)?;
        a.ud2()?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 0x4000)?;
    // POPF that clears TF is itself traced.
    let place = a.mark();
    attempt(a, |a| {
        a.push(2)?;
        set_flags(a, TF | 2)?;
        a.popfd()?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 0x4000)
}

/// Sets DR7 to enable breakpoint `n` globally with this type (0 instruction, 1 write, 2 I/O, 3 any) and length code.
fn enable(a: &mut Asm, n: u32, kind: u32, length: u32) -> Built {
    a.mov(
        eax,
        0x400 | 2 << (2 * n) | kind << (16 + 4 * n) | length << (18 + 4 * n),
    )?;
    a.mov(dr7, eax)
}

fn disable(a: &mut Asm) -> Built {
    a.mov(eax, 0x400)?;
    a.mov(dr7, eax)
}

/// 17.3.1.1: a fault before the instruction; RF lets it run.
fn instruction(a: &mut Asm) -> Built {
    let place = a.mark();
    let address = a.addr(place);
    a.mov(eax, address)?;
    a.mov(dr0, eax)?;
    enable(a, 0, 0, 0)?;
    a.mov(dword_ptr(VARS), 0)?;
    attempt(a, |a| {
        a.nop()?;
        a.here(place)?;
        a.inc(dword_ptr(VARS))?;
        a.jmp(dword_ptr(VARS + 8))
    })?;
    want_debug(a, place, 1)?;
    want_at(a, VARS, 0)?;
    // RF is pushed as it was, clear; faults of other kinds push it set.
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, 0x1_0000, 0)?;
    faults(a, 6, NONE, |a| a.ud2())?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, 0x1_0000, 0x1_0000)?;
    let after = a.mark();
    let after_address = a.addr(after);
    passes(a, |a| {
        a.mov(dword_ptr(VARS + 8), after_address)?;
        a.push(0x1_0002)?;
        a.push(i32::from(CODE32))?;
        a.push(address.cast_signed())?;
        a.iretd()?;
        a.here(after)
    })?;
    want_at(a, VARS, 1)?;
    disable(a)
}

/// 17.3.1.2: a trap after the access; length and type; no match beside it.
fn data(a: &mut Asm) -> Built {
    a.mov(eax, SCRATCH + 4)?;
    a.mov(dr1, eax)?;
    enable(a, 1, 1, 3)?;
    clear(a)?;
    let place = a.mark();
    attempt(a, |a| {
        a.mov(dword_ptr(SCRATCH + 4), 7)?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 2)?;
    want_at(a, SCRATCH + 4, 7)?;
    // The last byte of the four, and an access that only overlaps.
    let place = a.mark();
    attempt(a, |a| {
        a.mov(byte_ptr(SCRATCH + 7), 1)?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 2)?;
    let place = a.mark();
    attempt(a, |a| {
        a.mov(word_ptr(SCRATCH + 3), 1)?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 2)?;
    // Reads, and writes beside it, go unseen.
    passes(a, |a| {
        a.mov(eax, dword_ptr(SCRATCH + 4))?;
        a.mov(dword_ptr(SCRATCH), 1)?;
        a.mov(dword_ptr(SCRATCH + 8), 1)
    })?;
    enable(a, 1, 3, 3)?;
    let place = a.mark();
    attempt(a, |a| {
        a.mov(eax, dword_ptr(SCRATCH + 4))?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 2)?;
    disable(a)
}

/// 17.2.4, CR4.DE: a breakpoint on a port traps after the instruction.
fn input_output(a: &mut Asm) -> Built {
    a.mov(eax, cr4)?;
    a.or(eax, 8)?;
    a.mov(cr4, eax)?;
    a.mov(eax, 0x80)?;
    a.mov(dr2, eax)?;
    enable(a, 2, 2, 0)?;
    clear(a)?;
    let place = a.mark();
    attempt(a, |a| {
        a.in_(al, 0x80)?;
        a.here(place)?;
        a.nop()
    })?;
    want_debug(a, place, 4)?;
    passes(a, |a| a.in_(al, 0x84))?;
    disable(a)?;
    // With CR4.DE the registers 4 and 5 do not exist.
    faults(a, 6, NONE, |a| a.db(&[0x0F, 0x21, 0xE0]))?;
    a.mov(eax, cr4)?;
    a.and(eax, !8)?;
    a.mov(cr4, eax)?;
    // Without it they are 6 and 7.
    a.db(&[0x0F, 0x21, 0xE8])?;
    want_masked(a, 0x400, 0x400)
}

/// DR7.GD: a MOV of a debug register faults with BD, and GD is cleared so that the handler may use them.
fn access(a: &mut Asm) -> Built {
    clear(a)?;
    a.mov(eax, 0x2400)?;
    a.mov(dr7, eax)?;
    let place = a.mark();
    attempt(a, |a| {
        a.here(place)?;
        a.mov(ebx, dr0)
    })?;
    want_debug(a, place, 0x2000)?;
    a.mov(eax, dr7)?;
    want_masked(a, 0x2000, 0)?;
    disable(a)?;
    faults(a, 13, 0, |a| {
        crate::trap::in_user_mode(a, |a| a.mov(eax, dr0))
    })
}
