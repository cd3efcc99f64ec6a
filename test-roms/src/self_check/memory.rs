//! Checks of paging and of RAM.

use super::{EXTENDED_KIB, HIGH_UNITS, check};
use crate::check::{want, want_at, want_masked};
use crate::console::{call, say};
use crate::prelude::*;
use crate::trap::faults;

/// The tables behind the second entry of the PML4: a directory of pointers, a directory, a table.
const POINTERS: u32 = TABLES + 0x6000;
const DIRECTORY: u32 = TABLES + 0x7000;
const TABLE: u32 = TABLES + 0x8000;
/// The linear address they map, 512 GiB.
const WINDOW: u64 = 0x80_0000_0000;
/// The end of RAM that the pattern test will touch, below the usual hole for devices, in KiB.
const RAM_END_KIB: i32 = 0x38_0000;

/// Paging (SDM 3A 4.5 to 4.8).
pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "paging", map_and_alias)?;
    check(a, "page faults", page_faults)
}

/// Two 4-KiB pages on one frame, accessed and dirty bits.
fn map_and_alias(a: &mut Asm) -> Built {
    a.mov(edi, POINTERS)?;
    a.xor(eax, eax)?;
    a.mov(ecx, 0x3000 / 4)?;
    a.rep().stosd()?;
    a.mov(dword_ptr(TABLES + 8), POINTERS + 3)?;
    a.mov(dword_ptr(POINTERS), DIRECTORY + 3)?;
    a.mov(dword_ptr(DIRECTORY), TABLE + 3)?;
    a.mov(dword_ptr(TABLE), SCRATCH + 3)?;
    a.mov(dword_ptr(TABLE + 8), SCRATCH + 3)?;
    // Read-only.
    a.mov(dword_ptr(TABLE + 24), SCRATCH + 1)?;
    a.mov(rbx, WINDOW)?;
    a.mov(dword_ptr(SCRATCH + 0x10), 0x0123_4567)?;
    a.mov(eax, dword_ptr(rbx + 0x10))?;
    want(a, 0x0123_4567)?;
    // Read, not written: accessed, not dirty.
    a.mov(eax, dword_ptr(TABLE))?;
    want_masked(a, 0x60, 0x20)?;
    a.mov(dword_ptr(rbx + 0x1010), 0x89AB_CDEFu32)?;
    a.mov(eax, dword_ptr(rbx + 0x10))?;
    want(a, 0x89AB_CDEF)?;
    want_at(a, SCRATCH + 0x10, 0x89AB_CDEF)?;
    a.mov(eax, dword_ptr(TABLE + 8))?;
    want_masked(a, 0x60, 0x60)?;
    // Across the border of the two pages.
    a.mov(rax, 0x1122_3344_5566_7788u64)?;
    a.mov(qword_ptr(rbx + 0xFFC), rax)?;
    want_at(a, SCRATCH + 0xFFC, 0x5566_7788)?;
    want_at(a, SCRATCH, 0x1122_3344)
}

/// Not present, read-only, and a page mapped after INVLPG.
fn page_faults(a: &mut Asm) -> Built {
    a.mov(rbx, WINDOW)?;
    faults(a, 14, 0, |a| a.mov(eax, dword_ptr(rbx + 0x2000)))?;
    a.mov(rax, qword_ptr(R_CR2))?;
    want(a, 0x2000)?;
    a.shr(rax, 32)?;
    want(a, 0x80)?;
    a.mov(rbx, WINDOW)?;
    faults(a, 14, 2, |a| a.mov(dword_ptr(rbx + 0x2004), 1))?;
    want_at(a, R_CR2, 0x2004)?;
    faults(a, 14, 3, |a| a.mov(dword_ptr(rbx + 0x3008), 1))?;
    want_at(a, R_CR2, 0x3008)?;
    // The second half of an access faults.
    faults(a, 14, 0, |a| a.mov(rax, qword_ptr(rbx + 0x1FFC)))?;
    want_at(a, R_CR2, 0x2000)?;
    a.mov(dword_ptr(TABLE + 16), SCRATCH + 3)?;
    a.invlpg(ptr(rbx + 0x2000))?;
    a.mov(dword_ptr(SCRATCH), 77)?;
    a.mov(eax, dword_ptr(rbx + 0x2000))?;
    want(a, 77)
}

/// The size from CMOS, a word in every MiB, a pattern in 64 KiB.
pub(super) fn ram(a: &mut Asm) -> Built {
    check(a, "memory", |a| {
        sizes(a)?;
        a.mov(eax, dword_ptr(EXTENDED_KIB))?;
        a.shr(eax, 10)?;
        a.inc(eax)?;
        call(a, "putdec")?;
        say(a, " MiB below 4 GiB ... ")?;
        a.mov(eax, dword_ptr(EXTENDED_KIB))?;
        a.test(eax, eax)?;
        a.setne(al)?;
        want_masked(a, 0xFF, 1)?;
        every_mebibyte(a)?;
        pattern(a)
    })
}

/// Reads the sizes that the board keeps in CMOS: 17/18 KiB above 1 MiB, 34/35 64-KiB units above 16 MiB,
/// 5B/5C/5D 64-KiB units above 4 GiB.
fn sizes(a: &mut Asm) -> Built {
    let [small, done] = [a.mark(), a.mark()];
    cmos_word(a, 0x34)?;
    a.test(ecx, ecx)?;
    a.je(small.label)?;
    a.shl(ecx, 6)?;
    a.add(ecx, 15 * 1024)?;
    a.jmp(done.label)?;
    a.here(small)?;
    cmos_word(a, 0x17)?;
    a.here(done)?;
    a.mov(dword_ptr(EXTENDED_KIB), ecx)?;
    cmos_word(a, 0x5C)?;
    a.shl(ecx, 8)?;
    cmos_byte(a, 0x5B)?;
    a.mov(cl, al)?;
    a.mov(dword_ptr(HIGH_UNITS), ecx)
}

/// AL = the CMOS byte `index`.
fn cmos_byte(a: &mut Asm, index: u32) -> Built {
    a.mov(al, index)?;
    a.out(0x70, al)?;
    a.in_(al, 0x71)
}

/// ECX = the CMOS word at `index`, low byte first.
fn cmos_word(a: &mut Asm, index: u32) -> Built {
    a.xor(ecx, ecx)?;
    cmos_byte(a, index)?;
    a.mov(cl, al)?;
    cmos_byte(a, index + 1)?;
    a.mov(ch, al)
}

/// Writes each MiB's own address into it, then reads all of them back, so that an address line cannot hide.
fn every_mebibyte(a: &mut Asm) -> Built {
    let [fits, write, written, read, done] = [a.mark(), a.mark(), a.mark(), a.mark(), a.mark()];
    a.mov(ebx, dword_ptr(EXTENDED_KIB))?;
    a.add(ebx, 1024)?;
    a.cmp(ebx, RAM_END_KIB)?;
    a.jbe(fits.label)?;
    a.mov(ebx, RAM_END_KIB)?;
    a.here(fits)?;
    a.shl(rbx, 10)?;
    a.mov(edi, 0x10_0000)?;
    a.here(write)?;
    a.cmp(rdi, rbx)?;
    a.jae(written.label)?;
    a.mov(dword_ptr(rdi), edi)?;
    a.add(rdi, 0x10_0000)?;
    a.jmp(write.label)?;
    a.here(written)?;
    a.mov(edi, 0x10_0000)?;
    a.here(read)?;
    a.cmp(rdi, rbx)?;
    a.jae(done.label)?;
    a.mov(eax, dword_ptr(rdi))?;
    a.sub(eax, edi)?;
    want(a, 0)?;
    a.add(rdi, 0x10_0000)?;
    a.jmp(read.label)?;
    a.here(done)
}

/// Four patterns through 64 KiB at 1 MiB.
fn pattern(a: &mut Asm) -> Built {
    for pattern in [0x5555_5555_5555_5555u64, 0xAAAA_AAAA_AAAA_AAAA, 0, u64::MAX] {
        a.mov(rax, pattern)?;
        a.mov(edi, 0x10_0000)?;
        a.mov(ecx, 0x2000)?;
        a.rep().stosq()?;
        a.mov(edi, 0x10_0000)?;
        a.mov(ecx, 0x2000)?;
        a.repe().scasq()?;
        a.mov(eax, ecx)?;
        want(a, 0)?;
    }
    Ok(())
}
