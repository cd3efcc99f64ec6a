//! Fixture: code that is changed while it runs (SDM 3A 8.1.3, 11.6).
//!
//! A store to code by its own linear address is seen by the next instruction; by another address after a serializing
//! instruction, here CPUID.

use crate::asm::{Built, ROM_BASE, section};
use crate::check::{want, want_at};
use crate::console::say;
use crate::fixture::{self, check};
use crate::prelude::*;
use crate::start;
use crate::trap::{faults, passes};

/// Offset of the 64-bit section.
const LONG: u32 = 0x4000;
/// Two frames for code, not neighbours, at the place where they are mapped one to one.
const CODE: u32 = SCRATCH + 0x1_0000;
const OTHER: u32 = SCRATCH + 0x1_8000;
/// Where the two are mapped as neighbours, and the tables for that.
const WINDOW: u64 = 0x80_0000_0000;
const POINTERS: u32 = TABLES + 0x8000;
const DIRECTORY: u32 = TABLES + 0x9000;
const TABLE: u32 = TABLES + 0xA000;
/// The list of what the IDE controller transfers, and where its bus master is put.
const TRANSFERS: u32 = SCRATCH + 0x2000;
const BUS_MASTER: u32 = 0xC000;
/// The first four bytes of MOV EAX, 77h.
const MOV_EAX_77: u32 = 0x77B8;

/// Assembles the image.
pub(crate) fn build() -> Built<Vec<u8>> {
    let mut image = fixture::protected_image(|a| {
        check(a, "next instruction, 32-bit", next_instruction_32)?;
        start::to_long(a, ROM_BASE + LONG, true)
    })?;
    let long = section(64, u64::from(ROM_BASE + LONG), |a| {
        fixture::prologue(a)?;
        map_window(a)?;
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
        check(a, "locked store over code", locked_store)?;
        check(a, "alias mapping", alias)?;
        check(a, "page-crossing instruction", crossing)?;
        check(a, "remapped page", remapped)?;
        check(a, "page taken away", taken_away)?;
        device_over_code(a)?;
        fixture::finish(a, "self-modifying")
    })?;
    image.put(LONG, &long);
    Ok(image.finish(0))
}

/// Maps [`CODE`] and [`OTHER`] as two neighbouring pages.
fn map_window(a: &mut Asm) -> Built {
    a.mov(edi, POINTERS)?;
    a.mov(ecx, 0x3000 / 4)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    for (address, value) in [
        (TABLES + 8, POINTERS),
        (POINTERS, DIRECTORY),
        (DIRECTORY, TABLE),
        (TABLE, CODE),
        (TABLE + 8, OTHER),
    ] {
        a.mov(dword_ptr(address), value + 7)?;
    }
    a.mov(rax, cr3)?;
    a.mov(cr3, rax)
}

/// Copies `code`, assembled for the address `at`, to `at`.
fn install(a: &mut Asm, at: u32, code: impl Fn(&mut Asm) -> Built) -> Built {
    let bytes = section(a.bitness(), u64::from(at), code)?;
    install_bytes(a, at, &bytes)
}

fn install_bytes(a: &mut Asm, at: u32, bytes: &[u8]) -> Built {
    let [blob, over] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(blob)?;
    a.db(bytes)?;
    a.here(over)?;
    let address = a.addr(blob);
    a.mov(esi, address)?;
    a.mov(edi, at)?;
    a.mov(ecx, u32::try_from(bytes.len()).expect("short"))?;
    a.rep().movsb()
}

fn run(a: &mut Asm, at: u32) -> Built {
    a.mov(ebx, at)?;
    if a.bitness() == 64 {
        a.call(rbx)
    } else {
        a.call(ebx)
    }
}

/// MOV EAX, 11h; RET, as six bytes.
const RETURN_11: [u8; 6] = [0xB8, 0x11, 0, 0, 0, 0xC3];

/// ADD EAX, 1, with its immediate in the third byte.
const ADD_EAX_1: [u8; 3] = [0x83, 0xC0, 1];

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

/// CPUID, which waits for all stores and fetches anew. Changes EAX, EBX, ECX, EDX.
fn serialize(a: &mut Asm) -> Built {
    a.xor(eax, eax)?;
    a.cpuid()
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
fn device_over_code(a: &mut Asm) -> Built {
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
