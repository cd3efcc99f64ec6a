//! 32-bit protected mode: gates, privilege, error codes, double fault, alignment, SYSENTER.

use super::IF;
use crate::check::{want, want_at, want_masked};
use crate::descriptor::{BYTES_32, define, gate, put, segment};
use crate::fixture::{check, if_announced};
use crate::prelude::*;
use crate::start;
use crate::trap::{BACK, attempt, faults, in_user_mode, want_fault};

/// What a handler of a test saw.
const SEEN: u32 = VARS + 0x40;
/// A code segment over the ROM, for 16 bits of IP.
const ROM_CODE: u16 = FREE_SELECTOR;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "interrupt and trap gates", gates)?;
    check(a, "16-bit gates", narrow_gates)?;
    check(a, "gate privilege and presence", gate_faults)?;
    check(a, "stack switch", stack_switch)?;
    check(a, "BOUND, INTO, INT3", traps)?;
    check(a, "double fault", double_fault)?;
    check(a, "alignment check", alignment)?;
    check(a, "HLT and the timer", halt)?;
    if_announced(a, "SYSENTER", (1, edx, 11), |a| {
        check(a, "SYSENTER and SYSEXIT", sysenter)
    })
}

/// Keeps a gate, runs `body`, puts the gate back.
fn with_gate(a: &mut Asm, vector: u32, value: u64, body: impl FnOnce(&mut Asm) -> Built) -> Built {
    for half in [0, 4] {
        a.push(dword_ptr(IDT + vector * 8 + half))?;
    }
    put(a, IDT + vector * 8, value)?;
    body(a)?;
    for half in [4, 0] {
        a.pop(dword_ptr(IDT + vector * 8 + half))?;
    }
    Ok(())
}

/// 6.12.1.2: an interrupt gate clears IF, a trap gate does not; both push three doublewords in ring 0.
fn gates(a: &mut Asm) -> Built {
    let [over, entry] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(entry)?;
    a.mov(dword_ptr(SEEN + 4), esp)?;
    a.pushfd()?;
    a.pop(dword_ptr(SEEN))?;
    a.iretd()?;
    a.here(over)?;
    let address = a.addr(entry);
    for (access, flag) in [(0x8E, 0), (0x8F, IF)] {
        put(a, IDT + 0x42 * 8, gate(CODE32, address, access, 0))?;
        a.mov(dword_ptr(SEEN + 8), esp)?;
        a.sti()?;
        a.int(0x42)?;
        // IRET brought IF back.
        a.pushfd()?;
        a.cli()?;
        a.pop(eax)?;
        want_masked(a, IF, IF)?;
        a.mov(eax, dword_ptr(SEEN))?;
        want_masked(a, IF, flag)?;
        a.mov(eax, dword_ptr(SEEN + 8))?;
        a.sub(eax, dword_ptr(SEEN + 4))?;
        want(a, 12)?;
    }
    Ok(())
}

/// A 16-bit gate pushes three words.
fn narrow_gates(a: &mut Asm) -> Built {
    let [over, entry, start, out] = [a.mark(), a.mark(), a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(entry)?;
    a.mov(dword_ptr(SEEN), esp)?;
    a.db(&[0x66, 0xCF])?;
    a.here(over)?;
    let (handler, begin, end) = (a.addr(entry), a.addr(start), a.addr(out));
    define(a, ROM_CODE, segment(ROM_BASE, 0xFFFF, 0x9B, BYTES_32))?;
    put(a, IDT + 0x42 * 8, gate(ROM_CODE, handler & 0xFFFF, 0x86, 0))?;
    a.mov(dword_ptr(SEEN + 4), esp)?;
    a.mov(dword_ptr(SEEN + 8), 0)?;
    a.jmp_far32(ROM_CODE, begin & 0xFFFF)?;
    a.here(start)?;
    a.int(0x42)?;
    a.inc(dword_ptr(SEEN + 8))?;
    a.jmp_far32(CODE32, end)?;
    a.here(out)?;
    want_at(a, SEEN + 8, 1)?;
    a.mov(eax, dword_ptr(SEEN + 4))?;
    a.sub(eax, dword_ptr(SEEN))?;
    want(a, 6)?;
    a.mov(eax, esp)?;
    a.sub(eax, dword_ptr(SEEN + 4))?;
    want(a, 0)
}

/// 6.12.1.1, 6.13: the error code is the vector times 8, plus 2 for the IDT, plus 1 if the event was no INT n.
fn gate_faults(a: &mut Asm) -> Built {
    // DPL 0 gate: INT of user code is refused, a fault of user code is not.
    faults(a, 13, 14 * 8 + 2, |a| in_user_mode(a, |a| a.int(14)))?;
    faults(a, 6, NONE, |a| in_user_mode(a, |a| a.ud2()))?;
    // No gate at all, a gate not present, a gate beyond the limit.
    faults(a, 13, 0x50 * 8 + 2, |a| a.int(0x50))?;
    put(a, IDT + 0x50 * 8, gate(CODE32, 0, 0x6E, 0))?;
    faults(a, 11, 0x50 * 8 + 2, |a| a.int(0x50))?;
    put(a, IDT + 0x50 * 8, gate(0, 0, 0xEE, 0))?;
    faults(a, 13, 0, |a| a.int(0x50))?;
    put(a, IDT + 0x50 * 8, gate(DATA, 0, 0xEE, 0))?;
    faults(a, 13, u32::from(DATA), |a| a.int(0x50))?;
    put(a, IDT + 0x50 * 8, gate(USER_CODE32, 0, 0xEE, 0))?;
    faults(a, 13, u32::from(USER_CODE32 & !3), |a| a.int(0x50))?;
    // A divide error whose gate is not present.
    with_gate(a, 6, gate(CODE32, 0, 0x0E, 0), |a| {
        // #UD is benign, so its #NP is delivered, with EXT.
        faults(a, 11, 6 * 8 + 3, |a| a.ud2())
    })?;
    let pointer = SEEN;
    a.mov(word_ptr(pointer), 0x45 * 8u32)?;
    a.mov(dword_ptr(pointer + 2), IDT)?;
    a.lidt(fword_ptr(pointer))?;
    faults(a, 13, 0x45 * 8 + 2, |a| a.int(0x45))?;
    a.mov(word_ptr(pointer), 0xFFF)?;
    a.lidt(fword_ptr(pointer))
}

/// From ring 3 the handler's stack is the TSS's, with SS and ESP pushed first.
fn stack_switch(a: &mut Asm) -> Built {
    attempt(a, |a| {
        in_user_mode(a, |a| {
            a.push(1)?;
            a.push(2)
        })
    })?;
    want_fault(a, BACK, NONE)?;
    want_at(a, R_SP, USER_STACK - 8)?;
    want_at(a, R_SS, u32::from(USER_DATA))?;
    want_at(a, R_CS, u32::from(USER_CODE32))?;
    // Five of the frame, the error cell, the vector; the handler had popped its own two by then.
    want_at(a, R_HANDLER_SP, RING0_STACK - 28)
}

fn traps(a: &mut Asm) -> Built {
    a.mov(dword_ptr(SEEN), 5)?;
    a.mov(dword_ptr(SEEN + 4), 9)?;
    let place = a.mark();
    let address = a.addr(place);
    faults(a, 5, NONE, |a| {
        a.mov(eax, 10)?;
        a.here(place)?;
        a.bound(eax, qword_ptr(SEEN))
    })?;
    want_at(a, R_IP, address)?;
    let after = a.mark();
    let address = a.addr(after);
    faults(a, 4, NONE, |a| {
        a.mov(al, 0x80u32)?;
        a.dec(al)?;
        a.db(&[0xCE])?;
        a.here(after)
    })?;
    want_at(a, R_IP, address)?;
    faults(a, 3, NONE, |a| in_user_mode(a, |a| a.int3()))?;
    // INT 3 with two bytes is the same here.
    faults(a, 3, NONE, |a| in_user_mode(a, |a| a.db(&[0xCD, 3])))
}

/// Table 6-5: a contributory exception while one is delivered; error code 0.
fn double_fault(a: &mut Asm) -> Built {
    with_gate(a, 13, gate(CODE32, 0, 0x0E, 0), |a| {
        faults(a, 8, 0, |a| {
            a.mov(eax, 0xFFF8)?;
            a.mov(es, eax)
        })
    })?;
    with_gate(a, 0, gate(CODE32, 0, 0x0E, 0), |a| {
        faults(a, 8, 0, |a| {
            a.xor(ecx, ecx)?;
            a.div(ecx)
        })
    })
}

/// 6.15 #AC: in ring 3 with CR0.AM and EFLAGS.AC; error code 0.
fn alignment(a: &mut Asm) -> Built {
    a.mov(eax, cr0)?;
    a.or(eax, 0x4_0000)?;
    a.mov(cr0, eax)?;
    let with_ac = |body: fn(&mut Asm) -> Built| {
        move |a: &mut Asm| {
            a.pushfd()?;
            a.or(dword_ptr(esp), 0x4_0000)?;
            a.popfd()?;
            body(a)
        }
    };
    for (code, aligned) in [
        (
            (|a| a.mov(eax, dword_ptr(SCRATCH + 1))) as fn(&mut Asm) -> Built,
            false,
        ),
        (|a| a.mov(dword_ptr(SCRATCH + 2), eax), false),
        (|a| a.mov(ax, word_ptr(SCRATCH + 1)), false),
        (|a| a.mov(al, byte_ptr(SCRATCH + 1)), true),
        (|a| a.mov(eax, dword_ptr(SCRATCH + 4)), true),
    ] {
        attempt(a, |a| in_user_mode(a, with_ac(code)))?;
        if aligned {
            want_fault(a, BACK, NONE)?;
        } else {
            want_fault(a, 17, 0)?;
        }
    }
    // Not in ring 0.
    attempt(a, |a| {
        with_ac(|a| a.mov(eax, dword_ptr(SCRATCH + 1)))(a)?;
        a.int(BACK.cast_signed())
    })?;
    want_fault(a, BACK, NONE)?;
    a.push(2)?;
    a.popfd()?;
    a.mov(eax, cr0)?;
    a.and(eax, !0x4_0000)?;
    a.mov(cr0, eax)
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
    // In ring 3, with a stack switch.
    a.mov(al, 0x20)?;
    a.out(0x20, al)?;
    attempt(a, |a| {
        let user = a.mark();
        let address = a.addr_i32(user);
        for value in [
            i32::from(USER_DATA),
            USER_STACK.cast_signed(),
            0x202,
            i32::from(USER_CODE32),
            address,
        ] {
            a.push(value)?;
        }
        a.iretd()?;
        a.here(user)?;
        a.jmp(user.label)
    })?;
    want_fault(a, 0x40, NONE)?;
    want_at(a, R_CS, u32::from(USER_CODE32))?;
    start::timer_off(a)
}

fn write_msr(a: &mut Asm, msr: u32, value: u32) -> Built {
    a.mov(ecx, msr)?;
    a.mov(eax, value)?;
    a.xor(edx, edx)?;
    a.wrmsr()
}

/// 5.8.7: flat segments by arithmetic on one selector, ring by ring.
fn sysenter(a: &mut Asm) -> Built {
    let [over, entry, user_back] = [a.mark(), a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(entry)?;
    a.mov(eax, cs)?;
    a.mov(dword_ptr(SEEN).ss(), eax)?;
    a.mov(eax, ss)?;
    a.mov(dword_ptr(SEEN + 4).ss(), eax)?;
    a.mov(dword_ptr(SEEN + 8).ss(), esp)?;
    a.pushfd()?;
    a.pop(dword_ptr(SEEN + 12).ss())?;
    a.sysexit()?;
    a.here(over)?;
    // No selector: #GP(0).
    write_msr(a, 0x174, 0)?;
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.sysenter()))?;
    let (entry_address, back_address) = (a.addr(entry), a.addr(user_back));
    write_msr(a, 0x174, u32::from(CODE32))?;
    write_msr(a, 0x175, SCRATCH + 0x8000)?;
    write_msr(a, 0x176, entry_address)?;
    attempt(a, |a| {
        in_user_mode(a, |a| {
            a.mov(edx, back_address)?;
            a.mov(ecx, USER_STACK - 0x40)?;
            a.sysenter()?;
            a.ud2()?;
            a.here(user_back)?;
            a.nop()
        })
    })?;
    want_fault(a, BACK, NONE)?;
    want_at(a, SEEN, u32::from(CODE32))?;
    want_at(a, SEEN + 4, u32::from(DATA))?;
    want_at(a, SEEN + 8, SCRATCH + 0x8000)?;
    a.mov(eax, dword_ptr(SEEN + 12))?;
    want_masked(a, IF, 0)?;
    want_at(a, R_CS, u32::from(USER_CODE32))?;
    want_at(a, R_SS, u32::from(USER_DATA))?;
    want_at(a, R_SP, USER_STACK - 0x40)?;
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.sysexit()))
}
