//! Real mode: the table at 0, three words pushed, no error codes (SDM 3A 20.1.4).
//!
//! QEMU's TCG lets LOCK MOV of registers pass and checks no limits here.

use super::{IF, TF};
use crate::check::{want, want_at, want_masked};
use crate::fixture::check;
use crate::prelude::*;
use crate::{check as checks_of, console, start};

/// The vectors that are recorded: the exceptions, and 40h for INT and the timer.
const VECTORS: [u32; 10] = [0, 1, 3, 4, 5, 6, 12, 13, 0x40, 0x41];
/// No exception, as the word that the handlers write.
const NOTHING: u32 = 0xFFFF;
/// The flags within the handler.
const HANDLER_FLAGS: u32 = R_V86;

pub(super) fn checks(a: &mut Asm) -> Built {
    let main = a.mark();
    a.jmp(main.label)?;
    console::routines(a)?;
    checks_of::report(a)?;
    let stubs = handlers(a)?;
    a.here(main)?;
    for (vector, stub) in VECTORS.into_iter().zip(stubs) {
        let address = a.addr(stub);
        a.mov(word_ptr(4 * vector), address)?;
        a.mov(word_ptr(4 * vector + 2), 0xF000u32)?;
    }
    check(a, "real INT", software)?;
    check(a, "real faults and traps", faults_and_traps)?;
    check(a, "real limits", limits)?;
    check(a, "real IRET", iret)?;
    check(a, "real single step", single_step)?;
    check(a, "real HLT and STI", halt)
}

fn handlers(a: &mut Asm) -> Built<Vec<Mark>> {
    let common = a.mark();
    let mut stubs = Vec::new();
    for vector in VECTORS {
        let stub = a.mark_here()?;
        a.push(vector.cast_signed())?;
        a.jmp(common.label)?;
        stubs.push(stub);
    }
    a.here(common)?;
    a.pushfd()?;
    a.pop(dword_ptr(HANDLER_FLAGS))?;
    for cell in [R_VECTOR, R_IP, R_CS, R_FLAGS] {
        a.pop(word_ptr(cell))?;
    }
    a.mov(word_ptr(R_SP), sp)?;
    a.mov(sp, word_ptr(REC_SP))?;
    a.jmp(word_ptr(REC_IP))?;
    Ok(stubs)
}

fn attempt(a: &mut Asm, body: impl FnOnce(&mut Asm) -> Built) -> Built {
    let after = a.mark();
    let address = a.addr(after);
    for cell in [R_IP, R_CS, R_FLAGS, R_SP] {
        a.mov(dword_ptr(cell), 0)?;
    }
    a.mov(dword_ptr(R_VECTOR), NOTHING)?;
    a.mov(word_ptr(REC_IP), address)?;
    a.mov(word_ptr(REC_SP), sp)?;
    body(a)?;
    a.here(after)
}

/// Runs `body`, of which `place` is the instruction that must be pushed, and wants `vector`.
fn raises(a: &mut Asm, vector: u32, body: impl FnOnce(&mut Asm, Mark) -> Built) -> Built {
    let place = a.mark();
    attempt(a, |a| body(a, place))?;
    want_at(a, R_VECTOR, vector)?;
    let address = a.addr(place);
    want_at(a, R_IP, address)?;
    want_at(a, R_CS, 0xF000)
}

/// FLAGS, CS, IP are pushed, then IF and TF are cleared.
fn software(a: &mut Asm) -> Built {
    a.sti()?;
    raises(a, 0x40, |a, place| {
        a.stc()?;
        a.int(0x40)?;
        a.here(place)
    })?;
    a.cli()?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, IF | 3, IF | 3)?;
    a.mov(eax, dword_ptr(HANDLER_FLAGS))?;
    want_masked(a, IF | TF, 0)?;
    // Everything was popped.
    a.mov(ax, word_ptr(R_SP))?;
    a.sub(ax, sp)?;
    a.cwde()?;
    want(a, 0)
}

fn faults_and_traps(a: &mut Asm) -> Built {
    raises(a, 0, |a, place| {
        a.xor(cx, cx)?;
        a.here(place)?;
        a.div(cx)
    })?;
    // The quotient of 80h * 100h / 1 does not fit.
    raises(a, 0, |a, place| {
        a.mov(ax, 0x8000u32)?;
        a.mov(cl, 1)?;
        a.here(place)?;
        a.div(cl)
    })?;
    raises(a, 3, |a, place| {
        a.int3()?;
        a.here(place)
    })?;
    raises(a, 4, |a, place| {
        a.mov(al, 0x7F)?;
        a.inc(al)?;
        a.db(&[0xCE])?;
        a.here(place)
    })?;
    attempt(a, |a| {
        a.xor(al, al)?;
        a.db(&[0xCE])
    })?;
    want_at(a, R_VECTOR, NOTHING)?;
    a.mov(dword_ptr(VARS), 0x0010_FFF0)?;
    for (index, inside) in [
        (0xFFF0u32, true),
        (0x10, true),
        (0, true),
        (0x11, false),
        (0xFFEF, false),
    ] {
        if inside {
            attempt(a, |a| {
                a.mov(ax, index)?;
                a.bound(ax, dword_ptr(VARS))
            })?;
            want_at(a, R_VECTOR, NOTHING)?;
        } else {
            raises(a, 5, |a, place| {
                a.mov(ax, index)?;
                a.here(place)?;
                a.bound(ax, dword_ptr(VARS))
            })?;
        }
    }
    raises(a, 6, |a, place| {
        a.here(place)?;
        a.ud2()
    })?;
    // LLDT and its kind do not exist here.
    raises(a, 6, |a, place| {
        a.here(place)?;
        a.lldt(ax)
    })?;
    // LOCK where it may not stand.
    raises(a, 6, |a, place| {
        a.here(place)?;
        a.db(&[0xF0, 0x89, 0xC0])
    })
}

fn limits(a: &mut Asm) -> Built {
    raises(a, 13, |a, place| {
        a.mov(bx, 0xFFFFu32)?;
        a.here(place)?;
        a.mov(ax, word_ptr(bx))
    })?;
    raises(a, 12, |a, place| {
        a.mov(bp, 0xFFFFu32)?;
        a.here(place)?;
        a.mov(ax, word_ptr(bp))
    })?;
    // The last byte is within, and an offset wraps only where 16 bits are added.
    attempt(a, |a| {
        a.mov(bx, 0xFFFFu32)?;
        a.mov(al, byte_ptr(bx))?;
        a.mov(ax, word_ptr(bx + 1))
    })?;
    want_at(a, R_VECTOR, NOTHING)
}

/// IRET takes 16 bits of flags; what is above stays.
fn iret(a: &mut Asm) -> Built {
    let there = a.mark();
    let address = a.addr(there);
    a.push(0x0CD7)?;
    a.push(cs)?;
    a.mov(ax, address)?;
    a.push(ax)?;
    a.iret()?;
    a.hlt()?;
    a.here(there)?;
    a.pushf()?;
    a.pop(ax)?;
    a.cld()?;
    a.movzx(eax, ax)?;
    want_masked(a, 0x0FD7, 0x0CD7)
}

fn set_flags(a: &mut Asm, flags: u32) -> Built {
    a.push(flags.cast_signed())?;
    a.popf()
}

/// 17.3.1.4: the trap comes after the instruction that begins with TF set; MOV SS puts it off by one; INT clears TF.
fn single_step(a: &mut Asm) -> Built {
    raises(a, 1, |a, place| {
        set_flags(a, TF | 2)?;
        a.nop()?;
        a.here(place)?;
        a.nop()
    })?;
    a.mov(eax, dword_ptr(R_FLAGS))?;
    want_masked(a, TF, TF)?;
    a.mov(eax, dword_ptr(HANDLER_FLAGS))?;
    want_masked(a, TF, 0)?;
    raises(a, 1, |a, place| {
        a.xor(ax, ax)?;
        set_flags(a, TF | 2)?;
        a.mov(ss, ax)?;
        a.nop()?;
        a.here(place)?;
        a.nop()
    })?;
    raises(a, 0x40, |a, place| {
        set_flags(a, TF | 2)?;
        a.int(0x40)?;
        a.here(place)
    })?;
    set_flags(a, 2)
}

/// Waits until the interrupt controller has a request of the timer.
fn wait_for_request(a: &mut Asm) -> Built {
    let wait = a.mark_here()?;
    a.mov(al, 0x0A)?;
    a.out(0x20, al)?;
    a.in_(al, 0x20)?;
    a.test(al, 1)?;
    a.je(wait.label)
}

/// The timer at vector 40h ends HLT; STI holds it off for one instruction; STI, CLI let nothing through.
fn halt(a: &mut Asm) -> Built {
    a.cli()?;
    virtual_wire(a)?;
    start::timer_at(a, 0x40)?;
    raises(a, 0x40, |a, place| {
        a.sti()?;
        a.hlt()?;
        a.here(place)?;
        a.nop()
    })?;
    a.mov(al, 0x20)?;
    a.out(0x20, al)?;
    wait_for_request(a)?;
    attempt(a, |a| {
        a.sti()?;
        a.cli()?;
        a.nop()
    })?;
    want_at(a, R_VECTOR, NOTHING)?;
    raises(a, 0x40, |a, place| {
        a.sti()?;
        a.nop()?;
        a.here(place)?;
        a.nop()
    })?;
    start::timer_off(a)
}

/// As [`start::virtual_wire`]: a short stay in protected mode gives FS a limit that reaches the local APIC.
fn virtual_wire(a: &mut Asm) -> Built {
    let none = a.mark();
    a.mov(eax, 1)?;
    a.cpuid()?;
    a.test(edx, 1 << 9)?;
    a.je(none.label)?;
    a.mov(eax, cr0)?;
    a.or(al, 1)?;
    a.mov(cr0, eax)?;
    a.mov(bx, u32::from(DATA))?;
    a.mov(fs, bx)?;
    a.and(al, 0xFE)?;
    a.mov(cr0, eax)?;
    a.mov(ebx, 0xFEE0_0000u32)?;
    a.mov(dword_ptr(ebx + 0xF0).fs(), 0x1FF)?;
    a.mov(dword_ptr(ebx + 0x350).fs(), 0x700)?;
    a.here(none)
}
