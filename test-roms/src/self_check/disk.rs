//! The check of the first ATA disk: IDENTIFY and reads, never a write (ATA/ATAPI-6).

use super::{DISK_FOUND, DISK_SECTORS, check};
use crate::check::{want, want_masked};
use crate::console::{call, say};
use crate::prelude::*;

/// What IDENTIFY answers; the sector read by LBA28; by LBA48.
const IDENTITY: u32 = SCRATCH + 0x1000;
const BY_28: u32 = SCRATCH + 0x1200;
const BY_48: u32 = SCRATCH + 0x1400;
/// How often the status is read before the disk counts as absent.
const PATIENCE: u32 = 1_000_000;

/// IDENTIFY, sector 0 and the last sector by LBA28 and, where there is LBA48, the same by it.
pub(super) fn checks(a: &mut Asm) -> Built {
    let after = a.mark();
    wait_routine(a)?;
    identify(a)?;
    a.cmp(dword_ptr(DISK_FOUND), 0)?;
    let found = a.mark();
    a.jne(found.label)?;
    say(a, "check: ATA disk ... no disk, skipped\r\n")?;
    a.jmp(after.label)?;
    a.here(found)?;
    check(a, "ATA disk", |a| {
        a.mov(eax, dword_ptr(IDENTITY + 120))?;
        a.mov(dword_ptr(DISK_SECTORS), eax)?;
        call(a, "putdec")?;
        say(a, " sectors ... ")?;
        a.test(eax, eax)?;
        a.setne(al)?;
        want_masked(a, 0xFF, 1)?;
        a.xor(ebx, ebx)?;
        sectors_agree(a)?;
        a.mov(ebx, dword_ptr(DISK_SECTORS))?;
        a.dec(ebx)?;
        sectors_agree(a)
    })?;
    a.here(after)
}

fn out(a: &mut Asm, port: u32, value: u32) -> Built {
    a.mov(edx, port)?;
    a.mov(al, value)?;
    a.out(dx, al)
}

/// `disk_wait`: AL = the status once BSY is clear, with DRQ or ERR set; or what it was when patience ended.
fn wait_routine(a: &mut Asm) -> Built {
    let [over, again, done] = [a.mark(), a.mark(), a.mark()];
    a.jmp(over.label)?;
    let entry = a.mark_here()?;
    a.keep("disk_wait", entry);
    a.mov(edx, 0x1F7u32)?;
    a.mov(ecx, PATIENCE)?;
    a.here(again)?;
    a.in_(al, dx)?;
    a.test(al, 0x80)?;
    let busy = a.mark();
    a.jne(busy.label)?;
    a.test(al, 0x09)?;
    a.jne(done.label)?;
    a.here(busy)?;
    a.dec(ecx)?;
    a.jne(again.label)?;
    a.here(done)?;
    a.ret()?;
    a.here(over)
}

/// Leaves the answer in [`IDENTITY`] and says in [`DISK_FOUND`] whether there is one.
fn identify(a: &mut Asm) -> Built {
    let none = a.mark();
    a.mov(dword_ptr(DISK_FOUND), 0)?;
    // nIEN: this check polls.
    out(a, 0x3F6, 2)?;
    out(a, 0x1F6, 0xA0)?;
    a.mov(edx, 0x1F7u32)?;
    a.in_(al, dx)?;
    a.cmp(al, -1)?;
    a.je(none.label)?;
    a.test(al, 0x40)?;
    a.je(none.label)?;
    out(a, 0x1F7, 0xEC)?;
    call(a, "disk_wait")?;
    a.and(al, 0x89u32.cast_signed())?;
    a.cmp(al, 8)?;
    a.jne(none.label)?;
    a.mov(edi, IDENTITY)?;
    take_sector(a)?;
    a.mov(dword_ptr(DISK_FOUND), 1)?;
    a.here(none)
}

/// Reads 256 words from the data register to EDI.
fn take_sector(a: &mut Asm) -> Built {
    a.mov(edx, 0x1F0u32)?;
    a.mov(ecx, 256)?;
    a.rep().insw()
}

/// Reads sector EBX in both ways and compares.
fn sectors_agree(a: &mut Asm) -> Built {
    let only_28 = a.mark();
    read_28(a)?;
    // Word 83, bit 10: the 48-bit feature set.
    a.test(dword_ptr(IDENTITY + 166), 0x400)?;
    a.je(only_28.label)?;
    read_48(a)?;
    a.mov(esi, BY_28)?;
    a.mov(edi, BY_48)?;
    a.mov(ecx, 128)?;
    a.repe().cmpsd()?;
    a.setne(al)?;
    want_masked(a, 0xFF, 0)?;
    // Words 100 to 103 and words 60 to 61 tell the same size, as far as 28 bits reach.
    a.mov(rax, qword_ptr(IDENTITY + 200))?;
    a.mov(ecx, 0xFFF_FFFF)?;
    a.cmp(rax, rcx)?;
    a.cmova(rax, rcx)?;
    a.sub(eax, dword_ptr(DISK_SECTORS))?;
    want(a, 0)?;
    a.here(only_28)
}

/// READ SECTORS (20h), one sector, to [`BY_28`].
fn read_28(a: &mut Asm) -> Built {
    a.mov(eax, ebx)?;
    a.shr(eax, 24)?;
    a.or(al, 0xE0u32.cast_signed())?;
    a.mov(edx, 0x1F6u32)?;
    a.out(dx, al)?;
    out(a, 0x1F2, 1)?;
    address_bytes(a)?;
    out(a, 0x1F7, 0x20)?;
    finish_read(a, BY_28)
}

/// READ SECTORS EXT (24h), one sector, to [`BY_48`].
fn read_48(a: &mut Asm) -> Built {
    out(a, 0x1F6, 0x40)?;
    out(a, 0x1F2, 0)?;
    a.mov(eax, ebx)?;
    a.shr(eax, 24)?;
    a.mov(edx, 0x1F3u32)?;
    a.out(dx, al)?;
    out(a, 0x1F4, 0)?;
    out(a, 0x1F5, 0)?;
    out(a, 0x1F2, 1)?;
    address_bytes(a)?;
    out(a, 0x1F7, 0x24)?;
    finish_read(a, BY_48)
}

/// The low 24 bits of EBX to the address registers.
fn address_bytes(a: &mut Asm) -> Built {
    a.mov(eax, ebx)?;
    for port in 0x1F3u32..0x1F6 {
        a.mov(edx, port)?;
        a.out(dx, al)?;
        a.shr(eax, 8)?;
    }
    Ok(())
}

fn finish_read(a: &mut Asm, to: u32) -> Built {
    call(a, "disk_wait")?;
    want_masked(a, 0x89, 8)?;
    a.mov(edi, to)?;
    take_sector(a)
}
