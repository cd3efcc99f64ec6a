//! Instructions that lie on two pages, of which either changes.

use super::{ADD_EAX_1, CODE, OTHER, WINDOW, serialize};
use crate::check::want;
use crate::fixture::check;
use crate::prelude::*;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "page-crossing instruction", crossing)?;
    check(a, "hot code on two pages", hot_crossing)?;
    check(a, "store across the pages", store_across)
}

/// MOV EAX, imm32 with one byte on the first page and four on the second; each page patched, by each address.
fn crossing(a: &mut Asm) -> Built {
    a.mov(byte_ptr(CODE + 0xFFF), 0xB8u32)?;
    a.mov(dword_ptr(OTHER), 0x0403_0201)?;
    a.mov(byte_ptr(OTHER + 4), 0xC3u32)?;
    let run_it = |a: &mut Asm| {
        serialize(a)?;
        a.mov(rdi, WINDOW + 0xFFF)?;
        a.xor(ecx, ecx)?;
        a.call(rdi)
    };
    run_it(a)?;
    want(a, 0x0403_0201)?;
    a.mov(byte_ptr(OTHER + 3), 0x44)?;
    run_it(a)?;
    want(a, 0x4403_0201)?;
    a.mov(byte_ptr(rdi + 1), 0x11)?;
    run_it(a)?;
    want(a, 0x4403_0211)?;
    // On the first page the opcode becomes MOV ECX.
    a.mov(byte_ptr(rdi), 0xB9u32)?;
    run_it(a)?;
    a.mov(eax, ecx)?;
    want(a, 0x4403_0211)
}

/// ADD EAX, 1; RET, with one byte on the first page.
fn put_addition(a: &mut Asm) -> Built {
    a.mov(byte_ptr(CODE + 0xFFF), u32::from(ADD_EAX_1[0]))?;
    a.mov(byte_ptr(OTHER), u32::from(ADD_EAX_1[1]))?;
    a.mov(byte_ptr(OTHER + 1), u32::from(ADD_EAX_1[2]))?;
    a.mov(byte_ptr(OTHER + 2), 0xC3u32)
}

/// Calls it a thousand times.
fn call_often(a: &mut Asm) -> Built {
    a.mov(ecx, 1000)?;
    let again = a.mark_here()?;
    a.mov(rbx, WINDOW + 0xFFF)?;
    a.call(rbx)?;
    a.dec(ecx)?;
    a.jne(again.label)
}

/// The second page changes by the address that the code runs at.
fn hot_crossing(a: &mut Asm) -> Built {
    put_addition(a)?;
    serialize(a)?;
    a.xor(eax, eax)?;
    for increment in [1u32, 3] {
        a.mov(rdi, WINDOW + 0x1001)?;
        a.mov(byte_ptr(rdi), increment)?;
        call_often(a)?;
    }
    want(a, 1000 + 3000)
}

/// One store changes bytes on both: ADD EAX, 2 becomes SUB EAX, 4.
fn store_across(a: &mut Asm) -> Built {
    put_addition(a)?;
    serialize(a)?;
    a.xor(eax, eax)?;
    call_often(a)?;
    a.mov(rdi, WINDOW + 0xFFF)?;
    a.mov(dword_ptr(rdi), 0xC304_E883u32)?;
    call_often(a)?;
    a.neg(eax)?;
    want(a, 3000)
}
