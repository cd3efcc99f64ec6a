//! Stores to code that runs: the next instruction, the block under way, functions that are hot.

use super::{ADD_EAX_1, CODE, OTHER, RETURN_11, install, install_bytes, run};
use crate::check::{want, want_at};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::passes;

/// In 32-bit code.
pub(super) fn checks_32(a: &mut Asm) -> Built {
    check(a, "next instruction, 32-bit", next_instruction_32)
}

/// In 64-bit code.
pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "next instruction", next_instruction)?;
    check(a, "further on in the block", further_on)?;
    check(a, "earlier in the block", earlier)?;
    check(a, "loop that patches itself", patched_loop)?;
    check(a, "another page", another_page)?;
    check(a, "hot function", hot_function)?;
    check(a, "data beside code", data_beside)?;
    check(a, "string store over code", string_store)?;
    check(a, "string store over itself", string_over_itself)?;
    check(a, "push over code", push_over)?;
    check(a, "locked store over code", locked_store)
}

/// Writes 22h over the immediate of the very next instruction.
fn patch_next(a: &mut Asm) -> Built {
    let next = a.mark();
    let immediate = a.addr(next) + 1;
    a.mov(byte_ptr(immediate), 0x22)?;
    a.here(next)?;
    a.mov(eax, 0x11)?;
    a.ret()
}

fn next_instruction_32(a: &mut Asm) -> Built {
    install(a, CODE, patch_next)?;
    run(a, CODE)?;
    want(a, 0x22)
}

/// Twice: the first run decodes the old bytes, the second has run before.
fn next_instruction(a: &mut Asm) -> Built {
    install(a, CODE, patch_next)?;
    run(a, CODE)?;
    want(a, 0x22)?;
    a.mov(byte_ptr(CODE + 9), 0x33)?;
    run(a, CODE)?;
    want(a, 0x22)
}

/// The patched instruction lies some instructions away, and its opcode changes: INC becomes DEC.
fn further_on(a: &mut Asm) -> Built {
    install(a, CODE, |c| {
        let target = c.mark();
        let opcode = c.addr(target) + 1;
        c.mov(eax, 10)?;
        c.mov(byte_ptr(opcode), 0xC8u32)?;
        c.add(eax, 1)?;
        c.add(eax, 1)?;
        c.here(target)?;
        c.inc(eax)?;
        c.ret()
    })?;
    run(a, CODE)?;
    want(a, 11)
}

/// The first turn patches what the second turn runs.
fn earlier(a: &mut Asm) -> Built {
    install(a, CODE, |c| {
        let again = c.mark();
        let immediate = c.addr(again) + 2;
        c.xor(eax, eax)?;
        c.mov(ecx, 2)?;
        c.here(again)?;
        c.db(&ADD_EAX_1)?;
        c.mov(byte_ptr(immediate), 0x40)?;
        c.dec(ecx)?;
        c.jne(again.label)?;
        c.ret()
    })?;
    run(a, CODE)?;
    want(a, 0x41)
}

/// Every turn adds an immediate and then increments it: 1 + 2 + ... + 100.
fn patched_loop(a: &mut Asm) -> Built {
    install(a, CODE, |c| {
        let again = c.mark();
        let immediate = c.addr(again) + 2;
        c.xor(eax, eax)?;
        c.mov(ecx, 100)?;
        c.here(again)?;
        c.db(&ADD_EAX_1)?;
        c.inc(byte_ptr(immediate))?;
        c.dec(ecx)?;
        c.jne(again.label)?;
        c.ret()
    })?;
    run(a, CODE)?;
    want(a, 5050)
}

fn another_page(a: &mut Asm) -> Built {
    install_bytes(a, OTHER, &RETURN_11)?;
    install(a, CODE, |c| {
        c.mov(ebx, OTHER)?;
        c.call(rbx)?;
        c.mov(edx, eax)?;
        c.mov(dword_ptr(OTHER + 1), 0x99)?;
        c.call(rbx)?;
        c.shl(edx, 8)?;
        c.or(eax, edx)?;
        c.ret()
    })?;
    run(a, CODE)?;
    want(a, 0x1199)
}

/// Called often, patched, called often again: whatever was translated and linked must go.
fn hot_function(a: &mut Asm) -> Built {
    install(a, OTHER, |c| {
        c.db(&ADD_EAX_1)?;
        c.ret()
    })?;
    install(a, CODE, |c| {
        c.xor(eax, eax)?;
        for (count, increment) in [(2000, 1u32), (2000, 3), (1, 5)] {
            c.mov(byte_ptr(OTHER + 2), increment)?;
            c.mov(ecx, count)?;
            let again = c.mark_here()?;
            c.mov(ebx, OTHER)?;
            c.call(rbx)?;
            c.dec(ecx)?;
            c.jne(again.label)?;
        }
        c.ret()
    })?;
    run(a, CODE)?;
    want(a, 2000 + 6000 + 5)
}

/// A counter in the page of the loop that counts it: the code stays what it is.
fn data_beside(a: &mut Asm) -> Built {
    a.mov(dword_ptr(CODE + 0x200), 0)?;
    install(a, CODE, |c| {
        c.mov(ecx, 5000)?;
        let again = c.mark_here()?;
        c.add(dword_ptr(CODE + 0x200), 2)?;
        c.dec(ecx)?;
        c.jne(again.label)?;
        c.ret()
    })?;
    run(a, CODE)?;
    want_at(a, CODE + 0x200, 10_000)
}

/// A whole function is overwritten by REP MOVS after it has run.
fn string_store(a: &mut Asm) -> Built {
    install_bytes(a, OTHER, &RETURN_11)?;
    run(a, OTHER)?;
    want(a, 0x11)?;
    // XOR EAX, EAX; INC EAX; NOP; RET.
    install_bytes(a, OTHER, &[0x31, 0xC0, 0xFF, 0xC0, 0x90, 0xC3])?;
    run(a, OTHER)?;
    want(a, 1)
}

/// REP STOS fills the instructions right behind itself with NOPs.
fn string_over_itself(a: &mut Asm) -> Built {
    install(a, CODE, |c| {
        let target = c.mark();
        let address = c.addr(target);
        c.mov(edi, address)?;
        c.mov(ecx, 4)?;
        c.mov(eax, 0x90)?;
        c.rep().stosb()?;
        c.here(target)?;
        c.inc(eax)?;
        c.inc(eax)?;
        c.ret()
    })?;
    run(a, CODE)?;
    want(a, 0x90)
}

/// A PUSH whose stack is the code.
fn push_over(a: &mut Asm) -> Built {
    install(a, CODE, |c| {
        let target = c.mark();
        let end = c.addr(target) + 8;
        c.mov(rbp, rsp)?;
        c.mov(rax, 0x9090_9090_9090_9090u64)?;
        c.mov(esp, end)?;
        c.push(rax)?;
        c.here(target)?;
        c.db(&[0x0F, 0x0B, 0x0F, 0x0B, 0x0F, 0x0B, 0x0F, 0x0B])?;
        c.mov(rsp, rbp)?;
        c.mov(eax, 0x44)?;
        c.ret()
    })?;
    passes(a, |a| {
        run(a, CODE)?;
        a.mov(dword_ptr(VARS), eax)
    })?;
    want_at(a, VARS, 0x44)
}

/// LOCK XADD and XCHG on an immediate.
fn locked_store(a: &mut Asm) -> Built {
    install_bytes(a, OTHER, &RETURN_11)?;
    run(a, OTHER)?;
    a.mov(ecx, 0x11)?;
    a.lock().xadd(dword_ptr(OTHER + 1), ecx)?;
    run(a, OTHER)?;
    want(a, 0x22)?;
    a.mov(ecx, 0x55)?;
    a.xchg(dword_ptr(OTHER + 1), ecx)?;
    run(a, OTHER)?;
    want(a, 0x55)?;
    a.mov(eax, 0x55)?;
    a.mov(ecx, 0x66)?;
    a.lock().cmpxchg(dword_ptr(OTHER + 1), ecx)?;
    run(a, OTHER)?;
    want(a, 0x66)
}
