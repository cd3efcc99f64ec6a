//! A boot sector and three more: asks the BIOS that has loaded it about what systems ask, and says the answers on the
//! screen (IBM PC/AT BIOS interface, EDD 3.0, ACPI 15, PCI BIOS 2.1, APM 1.2).
//!
//! It boots from a floppy, a hard disk, and a CD without emulation. At its end it waits for a key and switches off.

use crate::prelude::*;

/// Where the BIOS puts the first sector, and where the others go.
const FIRST: u32 = 0x7C00;
const OTHERS: u32 = 0x7E00;
/// Room for a sector, and for entries of the memory map.
const BUFFER: u32 = 0x6000;
/// The drive it was booted from.
const DRIVE: u64 = 0x5FF0;
/// A disk address packet: one sector to [`BUFFER`], from the disk's start.
const PACKET: u64 = 0x5FD0;

/// The program: four sectors of 512 bytes.
pub(crate) fn build() -> Built<Vec<u8>> {
    let mut image = section(16, u64::from(FIRST), first_sector)?;
    image.resize(510, 0);
    image.extend([0x55, 0xAA]);
    image.extend(section(16, u64::from(OTHERS), questions)?);
    image.resize(2048, 0);
    Ok(image)
}

/// Loads the other sectors; a CD's are there already.
fn first_sector(a: &mut Asm) -> Built {
    let loaded = a.mark();
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(es, ax)?;
    a.mov(byte_ptr(DRIVE), dl)?;
    a.cmp(dl, 0xE0)?;
    a.jae(loaded.label)?;
    a.mov(ax, 0x0203)?;
    a.mov(bx, OTHERS)?;
    a.mov(cx, 2)?;
    a.mov(dh, 0)?;
    a.int(0x13)?;
    a.here(loaded)?;
    a.jmp_far16(0, OTHERS)
}

/// One question after the other.
fn questions(a: &mut Asm) -> Built {
    let start = a.mark();
    a.jmp(start.label)?;
    put_text(a)?;
    put_hex(a)?;
    a.here(start)?;
    say(a, "drive")?;
    a.movzx(ax, byte_ptr(DRIVE))?;
    answer(a)?;
    by_address(a)?;
    memory(a)?;
    time(a)?;
    say(a, "PCI BIOS")?;
    a.mov(ax, 0xB101)?;
    a.int(0x1A)?;
    a.mov(ax, bx)?;
    answer(a)?;
    key_and_off(a)
}

/// The first sector again, by EDD: its last word.
fn by_address(a: &mut Asm) -> Built {
    let done = a.mark();
    a.cmp(byte_ptr(DRIVE), 0x80)?;
    a.jb(done.label)?;
    say(a, "EDD")?;
    a.mov(ah, 0x41)?;
    a.mov(bx, 0x55AA)?;
    a.mov(dl, byte_ptr(DRIVE))?;
    a.int(0x13)?;
    a.mov(al, 0)?;
    answer(a)?;
    for (offset, word) in [
        (0, 0x10),
        (2, 1),
        (4, BUFFER),
        (6, 0),
        (8, 0),
        (10, 0),
        (12, 0),
        (14, 0),
    ] {
        a.mov(word_ptr(PACKET + offset), word)?;
    }
    say(a, "first sector")?;
    a.mov(ah, 0x42)?;
    a.mov(si, u32::try_from(PACKET).unwrap_or(0))?;
    a.mov(dl, byte_ptr(DRIVE))?;
    a.int(0x13)?;
    a.mov(ax, word_ptr(u64::from(BUFFER) + 510))?;
    answer(a)?;
    a.here(done)
}

/// How many entries the memory map has, and the memory below 640 KiB.
fn memory(a: &mut Asm) -> Built {
    say(a, "memory map")?;
    a.xor(ebx, ebx)?;
    a.xor(ebp, ebp)?;
    let [next, end] = [a.mark_here()?, a.mark()];
    a.mov(eax, 0xE820)?;
    a.mov(edx, 0x534D_4150)?;
    a.mov(ecx, 20)?;
    a.mov(di, BUFFER)?;
    a.int(0x15)?;
    a.jc(end.label)?;
    a.cmp(eax, 0x534D_4150)?;
    a.jne(end.label)?;
    a.inc(bp)?;
    a.test(ebx, ebx)?;
    a.jne(next.label)?;
    a.here(end)?;
    a.mov(ax, bp)?;
    answer(a)?;
    say(a, "low memory")?;
    a.int(0x12)?;
    answer(a)
}

/// How many ticks a wait of 220 ms takes: four, or five if one was due.
fn time(a: &mut Asm) -> Built {
    say(a, "ticks")?;
    a.mov(ah, 0)?;
    a.int(0x1A)?;
    a.mov(bp, dx)?;
    a.mov(ah, 0x86)?;
    a.mov(cx, 220_000 >> 16)?;
    a.mov(dx, 220_000 & 0xFFFF)?;
    a.int(0x15)?;
    a.mov(ah, 0)?;
    a.int(0x1A)?;
    a.mov(ax, dx)?;
    a.sub(ax, bp)?;
    answer(a)
}

/// The next key, then off by APM.
fn key_and_off(a: &mut Asm) -> Built {
    say(a, "key")?;
    a.mov(ah, 0)?;
    a.int(0x16)?;
    answer(a)?;
    a.mov(ax, 0x5301)?;
    a.xor(bx, bx)?;
    a.int(0x15)?;
    a.mov(ax, 0x5307)?;
    a.mov(bx, 1)?;
    a.mov(cx, 3)?;
    a.int(0x15)?;
    let forever = a.mark_here()?;
    a.hlt()?;
    a.jmp(forever.label)
}

/// `puts`: writes the zero-terminated text at SI.
fn put_text(a: &mut Asm) -> Built {
    let [entry, next, done] = [a.mark_here()?, a.mark(), a.mark()];
    a.keep("puts", entry);
    a.pushad()?;
    a.here(next)?;
    a.mov(al, byte_ptr(si))?;
    a.inc(si)?;
    a.test(al, al)?;
    a.je(done.label)?;
    a.mov(ah, 0x0E)?;
    a.mov(bx, 7)?;
    a.int(0x10)?;
    a.jmp(next.label)?;
    a.here(done)?;
    a.popad()?;
    a.ret()
}

/// `puthex`: writes AX as four digits and ends the line.
fn put_hex(a: &mut Asm) -> Built {
    let [entry, next, digit] = [a.mark_here()?, a.mark(), a.mark()];
    a.keep("puthex", entry);
    a.mov(dx, ax)?;
    a.mov(cx, 4)?;
    a.here(next)?;
    a.rol(dx, 4)?;
    a.mov(al, dl)?;
    a.and(al, 15)?;
    a.add(al, i32::from(b'0'))?;
    a.cmp(al, i32::from(b'9'))?;
    a.jbe(digit.label)?;
    a.add(al, 7)?;
    a.here(digit)?;
    a.mov(ah, 0x0E)?;
    a.mov(bx, 7)?;
    a.int(0x10)?;
    a.dec(cx)?;
    a.jne(next.label)?;
    say(a, "\r\n")?;
    a.ret()
}

/// Writes a text.
fn say(a: &mut Asm, text: &str) -> Built {
    let address = a.text(text);
    let puts = a.routine("puts");
    a.push(si)?;
    a.mov(si, address)?;
    a.call(puts.label)?;
    a.pop(si)
}

/// Writes AX behind the question.
fn answer(a: &mut Asm) -> Built {
    say(a, " ")?;
    let puthex = a.routine("puthex");
    a.call(puthex.label)
}
