//! Code that a device writes over.

use super::{ADD_EAX_1, OTHER, install, run};
use crate::check::{want, want_at};
use crate::console::say;
use crate::fixture::check;
use crate::prelude::*;

/// The list of what the IDE controller transfers, and where its bus master is put.
const TRANSFERS: u32 = SCRATCH + 0x2000;
const BUS_MASTER: u32 = 0xC000;
/// The first four bytes of MOV EAX, 77h.
const MOV_EAX_77: u32 = 0x77B8;

fn out_8(a: &mut Asm, port: u32, value: u32) -> Built {
    a.mov(edx, port)?;
    a.mov(eax, value)?;
    a.out(dx, al)
}

fn out_32(a: &mut Asm, port: u32, value: u32) -> Built {
    a.mov(edx, port)?;
    a.mov(eax, value)?;
    a.out(dx, eax)
}

/// Sector 0 of the first disk, which holds MOV EAX, 77h and RET, goes over a function that has run often: by the bus
/// master of the PIIX3's IDE function (ATA/ATAPI-6, READ DMA; Programming Interface for Bus Master IDE Controller 1.0).
pub(super) fn checks(a: &mut Asm) -> Built {
    const NAME: &str = "device over hot code";
    let [absent, after] = [a.mark(), a.mark()];
    identify(a)?;
    // DRQ without BSY and ERR; a cable without drives floats to 7Fh.
    a.and(eax, 0x89)?;
    a.cmp(eax, 8)?;
    a.jne(absent.label)?;
    // The data are of no account, but wait to be taken.
    a.mov(edx, 0x1F0u32)?;
    a.mov(edi, TRANSFERS + 0x1000)?;
    a.mov(ecx, 256)?;
    a.rep().insw()?;
    check(a, NAME, |a| {
        hot_addition(a)?;
        want(a, 100)?;
        read_by_dma(a, OTHER)?;
        want_at(a, OTHER, MOV_EAX_77)?;
        let other = a.mark();
        a.xor(eax, eax)?;
        a.cmp(dword_ptr(OTHER), MOV_EAX_77)?;
        a.jne(other.label)?;
        run(a, OTHER)?;
        a.here(other)?;
        want(a, 0x77)
    })?;
    a.jmp(after.label)?;
    a.here(absent)?;
    say(a, &format!("{NAME}: skipped\r\n"))?;
    a.here(after)
}

/// AL = the status after IDENTIFY DEVICE: with DRQ if the first drive is a disk.
fn identify(a: &mut Asm) -> Built {
    out_8(a, 0x1F6, 0xE0)?;
    out_8(a, 0x1F7, 0xEC)?;
    let done = a.mark();
    a.mov(ecx, 100_000)?;
    let again = a.mark_here()?;
    a.mov(edx, 0x1F7u32)?;
    a.in_(al, dx)?;
    // With nothing there, nobody is busy, or everybody is for ever.
    a.test(al, 0x80)?;
    a.je(done.label)?;
    a.dec(ecx)?;
    a.jne(again.label)?;
    a.xor(eax, eax)?;
    a.here(done)
}

/// Calls ADD EAX, 1 at [`OTHER`] a hundred times.
fn hot_addition(a: &mut Asm) -> Built {
    install(a, OTHER, |c| {
        c.db(&ADD_EAX_1)?;
        c.ret()
    })?;
    a.xor(eax, eax)?;
    a.mov(ecx, 100)?;
    let again = a.mark_here()?;
    a.mov(ebx, OTHER)?;
    a.call(rbx)?;
    a.dec(ecx)?;
    a.jne(again.label)
}

/// Reads sector 0 to `address`.
fn read_by_dma(a: &mut Asm, address: u32) -> Built {
    // Device 1, function 1: where the bus master is, then I/O and bus mastering on.
    for (register, value) in [(0x20, BUS_MASTER | 1), (4, 5)] {
        out_32(a, 0xCF8, 0x8000_0900 | register)?;
        out_32(a, 0xCFC, value)?;
    }
    a.mov(dword_ptr(TRANSFERS), address)?;
    a.mov(dword_ptr(TRANSFERS + 4), 0x8000_0200u32)?;
    out_32(a, BUS_MASTER + 4, TRANSFERS)?;
    out_8(a, BUS_MASTER + 2, 6)?;
    out_8(a, BUS_MASTER, 8)?;
    for (port, value) in [
        (0x1F2, 1),
        (0x1F3, 0),
        (0x1F4, 0),
        (0x1F5, 0),
        (0x1F7, 0xC8),
    ] {
        out_8(a, port, value)?;
    }
    out_8(a, BUS_MASTER, 9)?;
    let done = a.mark();
    a.mov(ecx, 1_000_000)?;
    let again = a.mark_here()?;
    a.mov(edx, BUS_MASTER + 2)?;
    a.in_(al, dx)?;
    a.test(al, 4)?;
    a.jne(done.label)?;
    a.dec(ecx)?;
    a.jne(again.label)?;
    a.here(done)?;
    out_8(a, BUS_MASTER, 0)?;
    a.mov(edx, 0x1F7u32)?;
    a.in_(al, dx)
}
