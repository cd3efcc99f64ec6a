//! Far transfers: code segments, conforming code, call gates, returns to an outer ring (SDM 3A 5.8).

use crate::check::{want, want_at, want_masked};
use crate::descriptor::{BYTES_32, PAGES_32, define, gate, segment};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, passes};

const S: u16 = FREE_SELECTOR;
/// What the gate's routine saw on its stack: return EIP, CS, two parameters, ESP, SS; then its CS and SS.
const SEEN: u32 = VARS + 0x40;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "far jumps", far_jumps)?;
    check(a, "code segment limit", code_limit)?;
    check(a, "conforming code", conforming)?;
    check(a, "call gate to ring 0", call_gate)?;
    check(a, "call gate faults", gate_faults)?;
    check(a, "call gate, same ring", same_ring)?;
    check(a, "RETF to ring 3", outer_return)?;
    check(a, "IRET faults", iret_faults)?;
    super::define_short_segments(a)
}

/// A far jump to the next instruction in `selector`, flat.
fn jump_to(a: &mut Asm, selector: u16) -> Built {
    let there = a.mark();
    let address = a.addr(there);
    a.jmp_far32(selector, address)?;
    a.here(there)
}

/// Keeps CS for a look at it.
fn keep_cs(a: &mut Asm) -> Built {
    a.mov(eax, cs)?;
    a.mov(dword_ptr(SEEN), eax)
}

fn far_jumps(a: &mut Asm) -> Built {
    define(a, S, segment(0, 0xF_FFFF, 0x9A, PAGES_32))?;
    passes(a, |a| {
        jump_to(a, S)?;
        keep_cs(a)?;
        jump_to(a, CODE32)
    })?;
    want_at(a, SEEN, u32::from(S))?;
    // The jump set the accessed bit.
    a.movzx(eax, byte_ptr(GDT + u32::from(S) + 5))?;
    want(a, 0x9B)?;
    // RPL above CPL, null, beyond the table, data, not present.
    faults(a, 13, u32::from(S), |a| jump_to(a, S | 3))?;
    faults(a, 13, 0, |a| jump_to(a, 0))?;
    faults(a, 13, 0x800, |a| jump_to(a, 0x800))?;
    faults(a, 13, u32::from(DATA), |a| jump_to(a, DATA))?;
    define(a, S, segment(0, 0xF_FFFF, 0x1B, PAGES_32))?;
    faults(a, 11, u32::from(S), |a| jump_to(a, S))?;
    // From ring 3 to ring 0 and from ring 0 to ring 3 there is no far jump, whatever the RPL.
    faults(a, 13, u32::from(CODE32), |a| {
        in_user_mode(a, |a| jump_to(a, CODE32))
    })?;
    faults(a, 13, u32::from(CODE32), |a| {
        in_user_mode(a, |a| jump_to(a, CODE32 | 3))
    })?;
    faults(a, 13, u32::from(USER_CODE32 & !3), |a| {
        jump_to(a, USER_CODE32 & !3)
    })?;
    attempt(a, |a| in_user_mode(a, |a| jump_to(a, USER_CODE32)))?;
    want_at(a, R_VECTOR, BACK)
}

/// A jump beyond the limit faults before it is done; an instruction that reaches over the limit faults when fetched.
fn code_limit(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 0xFFF, 0x9B, BYTES_32))?;
    faults(a, 13, 0, |a| a.jmp_far32(S, 0x1000))?;
    want_at(a, R_CS, u32::from(CODE32))?;
    // MOV EAX, imm32 with its last byte beyond the limit.
    a.mov(dword_ptr(SCRATCH + 0xFFC), 0x0000_00B8)?;
    faults(a, 13, 0, |a| a.jmp_far32(S, 0xFFC))?;
    want_at(a, R_CS, u32::from(S))?;
    want_at(a, R_IP, 0xFFC)?;
    // A near jump to beyond the limit: JMP -> 1000h at FFBh. The fault is the jump's.
    a.mov(dword_ptr(SCRATCH + 0xFF8), 0x0000_E990)?;
    a.mov(dword_ptr(SCRATCH + 0xFFC), 0x9090_0000u32)?;
    a.mov(dword_ptr(SCRATCH + 0xFFA), 0x0000_0002)?;
    a.mov(byte_ptr(SCRATCH + 0xFF9), 0xE9u32)?;
    faults(a, 13, 0, |a| a.jmp_far32(S, 0xFF9))?;
    want_at(a, R_IP, 0xFF9)
}

/// 5.8.1.2: CPL does not change.
fn conforming(a: &mut Asm) -> Built {
    define(a, S, segment(0, 0xF_FFFF, 0x9F, PAGES_32))?;
    attempt(a, |a| {
        in_user_mode(a, |a| {
            jump_to(a, S)?;
            keep_cs(a)
        })
    })?;
    want_at(a, R_VECTOR, BACK)?;
    want_at(a, SEEN, u32::from(S | 3))?;
    // Still ring 3.
    faults(a, 13, 0, |a| {
        in_user_mode(a, |a| {
            jump_to(a, S)?;
            a.hlt()
        })
    })?;
    // DPL above CPL.
    define(a, S, segment(0, 0xF_FFFF, 0xFF, PAGES_32))?;
    faults(a, 13, u32::from(S), |a| jump_to(a, S))
}

/// 5.8.5: ring 3 calls ring 0 with two parameters, which are copied; RETF 8 drops them from both stacks.
fn call_gate(a: &mut Asm) -> Built {
    let [routine, over] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(routine)?;
    for i in 0..6u32 {
        a.mov(eax, dword_ptr(esp + 4 * i).ss())?;
        a.mov(dword_ptr(SEEN + 4 * i).ss(), eax)?;
    }
    a.mov(eax, cs)?;
    a.mov(dword_ptr(SEEN + 24).ss(), eax)?;
    a.mov(eax, ss)?;
    a.mov(dword_ptr(SEEN + 28).ss(), eax)?;
    a.mov(dword_ptr(SEEN + 32).ss(), esp)?;
    a.retf_1(8)?;
    a.here(over)?;
    let address = a.addr(routine);
    define(a, S, gate(CODE32, address, 0xEC, 2))?;
    let after = a.mark();
    let after_address = a.addr(after);
    attempt(a, |a| {
        in_user_mode(a, |a| {
            a.push(0x1111)?;
            a.push(0x2222)?;
            // The offset in the instruction is not used.
            far_call(a, S | 3, 0xDEAD_BEEF)?;
            a.here(after)?;
            a.nop()
        })
    })?;
    want_at(a, R_VECTOR, BACK)?;
    for (i, value) in [
        after_address,
        u32::from(USER_CODE32),
        0x2222,
        0x1111,
        USER_STACK - 8,
        u32::from(USER_DATA),
        u32::from(CODE32),
        u32::from(DATA),
        RING0_STACK - 24,
    ]
    .into_iter()
    .enumerate()
    {
        want_at(a, SEEN + 4 * u32::try_from(i).expect("nine"), value)?;
    }
    // The caller's stack is as before the pushes.
    want_at(a, R_SP, USER_STACK)
}

fn far_call(a: &mut Asm, selector: u16, offset: u32) -> Built {
    a.call_far(selector, offset)
}

/// SDM 3A 5.8.4: DPL and RPL of the gate, its presence, what it points to.
fn gate_faults(a: &mut Asm) -> Built {
    define(a, S, gate(CODE32, 0, 0x8C, 0))?;
    faults(a, 13, u32::from(S), |a| {
        in_user_mode(a, |a| far_call(a, S | 3, 0))
    })?;
    // RPL 3 above the gate's DPL 0, though CPL is 0.
    faults(a, 13, u32::from(S), |a| far_call(a, S | 3, 0))?;
    define(a, S, gate(CODE32, 0, 0x6C, 0))?;
    faults(a, 11, u32::from(S), |a| {
        in_user_mode(a, |a| far_call(a, S | 3, 0))
    })?;
    define(a, S, gate(0, 0, 0xEC, 0))?;
    faults(a, 13, 0, |a| far_call(a, S, 0))?;
    define(a, S, gate(DATA, 0, 0xEC, 0))?;
    faults(a, 13, u32::from(DATA), |a| far_call(a, S, 0))?;
    // A jump through a gate does not change the ring.
    define(a, S, gate(CODE32, 0, 0xEC, 0))?;
    faults(a, 13, u32::from(CODE32), |a| {
        in_user_mode(a, |a| jump_to(a, S | 3))
    })?;
    // An interrupt gate is no target.
    define(a, S, gate(CODE32, 0, 0xEE, 0))?;
    faults(a, 13, u32::from(S), |a| far_call(a, S, 0))?;
    // The TSS has no stack for ring 1: #TS(0). The handler runs in ring 0, whose stack is good.
    define(a, S, gate(S + 8, 0, 0xEC, 0))?;
    define(a, S + 8, segment(0, 0xF_FFFF, 0xBB, PAGES_32))?;
    faults(a, 10, 0, |a| in_user_mode(a, |a| far_call(a, S | 3, 0)))
}

/// Ring 0 calls through a 32-bit and a 16-bit gate: no stack switch, no copy, pushes as wide as the gate.
fn same_ring(a: &mut Asm) -> Built {
    let [routine, over, narrow, low] = [a.mark(), a.mark(), a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(routine)?;
    a.mov(dword_ptr(SEEN), esp)?;
    a.mov(eax, dword_ptr(esp + 4))?;
    a.mov(dword_ptr(SEEN + 4), eax)?;
    a.retf()?;
    a.here(narrow)?;
    a.mov(dword_ptr(SEEN + 8), esp)?;
    // RETF with 16-bit operands.
    a.db(&[0x66, 0xCB])?;
    a.here(over)?;
    let address = a.addr(routine);
    define(a, S, gate(CODE32, address, 0x8C, 3))?;
    a.mov(dword_ptr(SEEN + 12), esp)?;
    far_call(a, S, 0)?;
    a.mov(eax, dword_ptr(SEEN + 12))?;
    a.sub(eax, dword_ptr(SEEN))?;
    want(a, 8)?;
    want_at(a, SEEN + 4, u32::from(CODE32))?;
    a.mov(eax, esp)?;
    a.sub(eax, dword_ptr(SEEN + 12))?;
    want(a, 0)?;
    // A 16-bit gate pushes 16-bit CS and IP; called from a segment with base F0000h, so that IP fits.
    let (address, low_address) = (a.addr(narrow), a.addr(low));
    define(a, S + 8, segment(ROM_BASE, 0xFFFF, 0x9B, BYTES_32))?;
    define(a, S, gate(S + 8, address & 0xFFFF, 0x84, 0))?;
    passes(a, |a| {
        a.jmp_far32(S + 8, low_address & 0xFFFF)?;
        a.here(low)?;
        a.call_far(S, 0)?;
        a.mov(eax, dword_ptr(SEEN + 12))?;
        a.sub(eax, dword_ptr(SEEN + 8))?;
        a.mov(dword_ptr(SEEN), eax)?;
        jump_to(a, CODE32)
    })?;
    want_at(a, SEEN, 4)
}

/// 5.8.6: CS and SS come from the stack, RETF n drops n bytes of the outer stack, and segment registers that ring 3
/// may not use become null.
fn outer_return(a: &mut Asm) -> Built {
    let outer = a.mark();
    let address = a.addr_i32(outer);
    define(a, S, segment(0, 0xF_FFFF, 0x93, PAGES_32))?;
    define(a, S + 8, segment(0, 0xF_FFFF, 0xF3, PAGES_32))?;
    attempt(a, |a| {
        a.mov(eax, u32::from(S))?;
        a.mov(fs, eax)?;
        a.mov(eax, u32::from(S + 8) | 3)?;
        a.mov(gs, eax)?;
        a.push(i32::from(USER_DATA))?;
        a.push(USER_STACK.cast_signed() - 0x20)?;
        a.push(0)?;
        a.push(0)?;
        a.push(i32::from(USER_CODE32))?;
        a.push(address)?;
        a.retf_1(8)?;
        a.here(outer)?;
        a.mov(ebx, esp)?;
        a.mov(ecx, fs)?;
        a.mov(edx, gs)?;
        a.mov(esi, ds)?;
        a.int(BACK.cast_signed())
    })?;
    want_at(a, R_VECTOR, BACK)?;
    want_at(a, R_CS, u32::from(USER_CODE32))?;
    want_at(a, R_SP, USER_STACK - 0x18)?;
    want_at(a, R_SS, u32::from(USER_DATA))?;
    // FS (DPL 0) is null, GS (DPL 3) is not, DS (DPL 0) is null.
    want_at(a, R_GPRS + 8, 0)?;
    want_at(a, R_GPRS + 16, u32::from(S + 8) | 3)?;
    want_at(a, R_GPRS + 48, 0)?;
    // To an inner ring there is no return.
    faults(a, 13, u32::from(CODE32), |a| {
        in_user_mode(a, |a| {
            a.push(i32::from(CODE32))?;
            a.push(address)?;
            a.retf()
        })
    })?;
    // A stack segment of the wrong ring.
    faults(a, 13, u32::from(DATA), |a| {
        a.push(i32::from(DATA))?;
        a.push(0)?;
        a.push(i32::from(USER_CODE32))?;
        a.push(address)?;
        a.retf()
    })
}

fn iret_frame(a: &mut Asm, selector: u16, flags: i32) -> Built {
    let there = a.mark();
    let address = a.addr_i32(there);
    a.push(flags)?;
    a.push(i32::from(selector))?;
    a.push(address)?;
    a.iretd()?;
    a.here(there)
}

/// SDM 2A IRET: null, data, beyond the table; and flags that come back.
fn iret_faults(a: &mut Asm) -> Built {
    faults(a, 13, 0, |a| iret_frame(a, 0, 2))?;
    faults(a, 13, u32::from(DATA), |a| iret_frame(a, DATA, 2))?;
    faults(a, 13, 0x800, |a| iret_frame(a, 0x800, 2))?;
    passes(a, |a| iret_frame(a, CODE32, 0xCD7))?;
    iret_frame(a, CODE32, 0x8D7)?;
    a.pushfd()?;
    a.pop(eax)?;
    want_masked(a, 0xFD7, 0x8D7)?;
    // Ring 3 cannot change IOPL or, with IOPL 0, IF.
    attempt(a, |a| {
        in_user_mode(a, |a| {
            a.push(0x3202)?;
            a.popfd()?;
            a.pushfd()?;
            a.pop(ebx)
        })
    })?;
    want_at(a, R_VECTOR, BACK)?;
    a.mov(eax, dword_ptr(R_GPRS + 24))?;
    want_masked(a, 0x3200, 0)
}
