//! Code that is changed by another mapping, or whose mapping changes.

use super::{
    ADD_EAX_1, CODE, OTHER, RETURN_11, TABLE, WINDOW, install, install_bytes, run, serialize,
};
use crate::check::{want, want_at};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::faults;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "alias mapping", alias)?;
    check(a, "hot code by its alias", hot_alias)?;
    check(a, "alias of the running block", running_alias)?;
    check(a, "remapped page", remapped)?;
    check(a, "page taken away", taken_away)
}

/// Run at one address, written at another, both ways.
fn alias(a: &mut Asm) -> Built {
    install_bytes(a, CODE, &RETURN_11)?;
    run(a, CODE)?;
    want(a, 0x11)?;
    a.mov(rdi, WINDOW)?;
    a.mov(byte_ptr(rdi + 1), 0x77)?;
    serialize(a)?;
    run(a, CODE)?;
    want(a, 0x77)?;
    a.mov(rdi, WINDOW)?;
    a.call(rdi)?;
    want(a, 0x77)?;
    a.mov(byte_ptr(CODE + 1), 0x12)?;
    serialize(a)?;
    a.mov(rdi, WINDOW)?;
    a.call(rdi)?;
    want(a, 0x12)
}

/// A function that has run a thousand times, changed by its alias, and run as often again: twice.
fn hot_alias(a: &mut Asm) -> Built {
    install(a, CODE, |c| {
        c.db(&ADD_EAX_1)?;
        c.ret()
    })?;
    a.xor(esi, esi)?;
    for increment in [1u32, 3, 5] {
        a.mov(rdi, WINDOW)?;
        a.mov(byte_ptr(rdi + 2), increment)?;
        serialize(a)?;
        a.mov(eax, esi)?;
        a.mov(ecx, 1000)?;
        let again = a.mark_here()?;
        a.mov(ebx, CODE)?;
        a.call(rbx)?;
        a.dec(ecx)?;
        a.jne(again.label)?;
        a.mov(esi, eax)?;
    }
    want(a, 1000 + 3000 + 5000)
}

/// A loop patches its own immediate by another address, and fetches anew.
fn running_alias(a: &mut Asm) -> Built {
    install(a, CODE, |c| {
        let again = c.mark();
        let offset = c.addr(again) + 2 - CODE;
        c.xor(esi, esi)?;
        c.mov(rdi, WINDOW)?;
        c.mov(ebp, 100)?;
        c.here(again)?;
        c.db(&[0x83, 0xC6, 1])?; // ADD ESI, 1
        c.inc(byte_ptr(rdi + offset))?;
        serialize(c)?;
        c.dec(ebp)?;
        c.jne(again.label)?;
        c.mov(eax, esi)?;
        c.ret()
    })?;
    run(a, CODE)?;
    want(a, 5050)
}

fn map_first(a: &mut Asm, value: u32) -> Built {
    a.mov(dword_ptr(TABLE), value)?;
    a.mov(rdi, WINDOW)?;
    a.invlpg(ptr(rdi))
}

/// Another frame at the same address: the address says nothing about the code.
fn remapped(a: &mut Asm) -> Built {
    install_bytes(a, CODE, &RETURN_11)?;
    install_bytes(a, OTHER, &RETURN_11)?;
    a.mov(byte_ptr(OTHER + 1), 0x31)?;
    for _ in 0..2 {
        for (frame, value) in [(CODE, 0x11), (OTHER, 0x31)] {
            map_first(a, frame + 7)?;
            a.call(rdi)?;
            want(a, value)?;
        }
    }
    map_first(a, CODE + 7)
}

/// Code that ran faults once its page is gone, and runs when it is back.
fn taken_away(a: &mut Asm) -> Built {
    a.mov(rdi, WINDOW)?;
    a.call(rdi)?;
    want(a, 0x11)?;
    map_first(a, 0)?;
    faults(a, 14, 0, |a| {
        a.mov(rdi, WINDOW)?;
        a.call(rdi)
    })?;
    want_at(a, R_IP, 0)?;
    want_at(a, R_IP + 4, 0x80)?;
    map_first(a, CODE + 7)?;
    a.call(rdi)?;
    want(a, 0x11)
}
