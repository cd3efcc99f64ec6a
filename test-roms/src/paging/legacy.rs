//! 32-bit paging with 4-KiB and 4-MiB pages (SDM 3A 4.3).

use super::{reload, toggle_cr4, write_protect};
use crate::check::{want, want_at, want_masked};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, passes};

const DIRECTORY: u32 = TABLES;
/// Maps the first 4 MiB one to one.
const IDENTITY: u32 = TABLES + 0x1000;
/// Maps the window.
const TABLE: u32 = TABLES + 0x2000;
/// The window of the tests, behind directory entry 1.
const WINDOW: u32 = 0x40_0000;
/// Frames.
const FRAME: u32 = SCRATCH;
const OTHER: u32 = SCRATCH + 0x1000;

pub(super) fn checks(a: &mut Asm) -> Built {
    turn_on(a)?;
    check(a, "legacy alias", alias)?;
    check(a, "legacy accessed and dirty", accessed_and_dirty)?;
    check(a, "legacy not present", not_present)?;
    check(a, "legacy read-only", read_only)?;
    check(a, "legacy supervisor", supervisor)?;
    check(a, "legacy 4 MiB pages", large_pages)?;
    check(a, "legacy page crossing", crossing)?;
    check(a, "legacy invalidation", invalidation)?;
    check(a, "legacy instruction fetch", fetch)
}

/// Identity for 4 MiB, user-accessible; an empty table for the window; CR4.PSE.
fn turn_on(a: &mut Asm) -> Built {
    a.mov(edi, DIRECTORY)?;
    a.mov(ecx, 0x3000 / 4)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    a.mov(edi, IDENTITY)?;
    a.mov(eax, 7)?;
    let fill = a.mark_here()?;
    a.stosd()?;
    a.add(eax, 0x1000)?;
    a.cmp(eax, 0x40_0007)?;
    a.jb(fill.label)?;
    a.mov(dword_ptr(DIRECTORY), IDENTITY + 7)?;
    a.mov(dword_ptr(DIRECTORY + 4), TABLE + 7)?;
    a.mov(eax, 0x10)?;
    a.mov(cr4, eax)?;
    a.mov(eax, DIRECTORY)?;
    a.mov(cr3, eax)?;
    a.mov(eax, cr0)?;
    a.or(eax, 0x8000_0000u32.cast_signed())?;
    a.mov(cr0, eax)
}

/// Writes an entry of the window's table and drops its translation.
fn entry(a: &mut Asm, page: u32, value: u32) -> Built {
    a.mov(dword_ptr(TABLE + 4 * page), value)?;
    a.invlpg(ptr(WINDOW + 0x1000 * page))
}

fn load(a: &mut Asm, offset: u32) -> Built {
    a.mov(eax, dword_ptr(WINDOW + offset))
}

fn store(a: &mut Asm, offset: u32) -> Built {
    a.mov(dword_ptr(WINDOW + offset), 0x600D_F00Du32)
}

fn alias(a: &mut Asm) -> Built {
    entry(a, 0, FRAME + 7)?;
    entry(a, 1, FRAME + 7)?;
    store(a, 0x20)?;
    load(a, 0x1020)?;
    want(a, 0x600D_F00D)?;
    want_at(a, FRAME + 0x20, 0x600D_F00D)
}

/// SDM 3A 4.8: A on any use, in every level; D only on a write, only in the last level.
fn accessed_and_dirty(a: &mut Asm) -> Built {
    a.mov(dword_ptr(DIRECTORY + 4), TABLE + 7)?;
    entry(a, 0, FRAME + 7)?;
    a.mov(eax, dword_ptr(TABLE))?;
    want_masked(a, 0x60, 0)?;
    load(a, 0)?;
    a.mov(eax, dword_ptr(TABLE))?;
    want_masked(a, 0x60, 0x20)?;
    a.mov(eax, dword_ptr(DIRECTORY + 4))?;
    want_masked(a, 0x20, 0x20)?;
    store(a, 0)?;
    a.mov(eax, dword_ptr(TABLE))?;
    want_masked(a, 0x60, 0x60)?;
    a.mov(eax, dword_ptr(DIRECTORY + 4))?;
    want_masked(a, 0x60, 0x20)?;
    // A write that faults does not make a page dirty.
    entry(a, 0, FRAME + 5)?;
    faults(a, 14, 7, |a| in_user_mode(a, |a| store(a, 0)))?;
    a.mov(eax, dword_ptr(TABLE))?;
    want_masked(a, 0x40, 0)
}

fn not_present(a: &mut Asm) -> Built {
    entry(a, 2, FRAME)?;
    faults(a, 14, 0, |a| load(a, 0x2010))?;
    want_at(a, R_CR2, WINDOW + 0x2010)?;
    faults(a, 14, 2, |a| store(a, 0x2014))?;
    want_at(a, R_CR2, WINDOW + 0x2014)?;
    faults(a, 14, 4, |a| in_user_mode(a, |a| load(a, 0x2018)))?;
    want_at(a, R_CR2, WINDOW + 0x2018)?;
    faults(a, 14, 6, |a| in_user_mode(a, |a| store(a, 0x201C)))?;
    want_at(a, R_CR2, WINDOW + 0x201C)?;
    // A missing table.
    faults(a, 14, 0, |a| a.mov(eax, dword_ptr(0xFFC0_0000u32)))?;
    want_at(a, R_CR2, 0xFFC0_0000)
}

/// SDM 3A 4.6.1: with CR0.WP = 0 the supervisor writes anywhere; both levels must allow the user.
fn read_only(a: &mut Asm) -> Built {
    entry(a, 2, FRAME + 5)?;
    write_protect(a, false)?;
    passes(a, |a| store(a, 0x2000))?;
    faults(a, 14, 7, |a| in_user_mode(a, |a| store(a, 0x2000)))?;
    attempt(a, |a| in_user_mode(a, |a| load(a, 0x2000)))?;
    want_at(a, R_VECTOR, BACK)?;
    write_protect(a, true)?;
    faults(a, 14, 3, |a| store(a, 0x2000))?;
    passes(a, |a| load(a, 0x2000))?;
    // Read-only in the directory, writable in the table.
    entry(a, 2, FRAME + 7)?;
    a.mov(dword_ptr(DIRECTORY + 4), TABLE + 5)?;
    reload(a)?;
    faults(a, 14, 7, |a| in_user_mode(a, |a| store(a, 0x2000)))?;
    faults(a, 14, 3, |a| store(a, 0x2000))?;
    a.mov(dword_ptr(DIRECTORY + 4), TABLE + 7)?;
    reload(a)?;
    write_protect(a, false)
}

fn supervisor(a: &mut Asm) -> Built {
    entry(a, 3, FRAME + 3)?;
    passes(a, |a| store(a, 0x3000))?;
    faults(a, 14, 5, |a| in_user_mode(a, |a| load(a, 0x3000)))?;
    faults(a, 14, 7, |a| in_user_mode(a, |a| store(a, 0x3000)))?;
    entry(a, 3, FRAME + 7)?;
    a.mov(dword_ptr(DIRECTORY + 4), TABLE + 3)?;
    reload(a)?;
    faults(a, 14, 5, |a| in_user_mode(a, |a| load(a, 0x3000)))?;
    a.mov(dword_ptr(DIRECTORY + 4), TABLE + 7)?;
    reload(a)
}

/// Directory entry 2 maps physical 0 as one page; bit 21 of such an entry is reserved (table 4-4).
fn large_pages(a: &mut Asm) -> Built {
    a.mov(dword_ptr(DIRECTORY + 8), 0x87)?;
    a.mov(dword_ptr(FRAME + 0x30), 0x1234_5678)?;
    a.mov(eax, dword_ptr(0x80_0000 + FRAME + 0x30))?;
    want(a, 0x1234_5678)?;
    a.mov(eax, dword_ptr(DIRECTORY + 8))?;
    want_masked(a, 0x60, 0x20)?;
    a.mov(dword_ptr(0x80_0000 + FRAME + 0x30), 9)?;
    want_at(a, FRAME + 0x30, 9)?;
    a.mov(eax, dword_ptr(DIRECTORY + 8))?;
    want_masked(a, 0x60, 0x60)?;
    a.mov(dword_ptr(DIRECTORY + 8), 0x20_0087)?;
    reload(a)?;
    faults(a, 14, 9, |a| a.mov(eax, dword_ptr(0x80_0000)))?;
    faults(a, 14, 0xF, |a| {
        in_user_mode(a, |a| a.mov(dword_ptr(0x80_0004), 1))
    })?;
    want_at(a, R_CR2, 0x80_0004)?;
    a.mov(dword_ptr(DIRECTORY + 8), 0)?;
    reload(a)
}

/// An access over two pages of which the second is missing leaves the first alone; CR2 names the second.
fn crossing(a: &mut Asm) -> Built {
    entry(a, 0, FRAME + 7)?;
    entry(a, 1, OTHER + 7)?;
    entry(a, 2, 0)?;
    a.mov(dword_ptr(FRAME + 0xFFC), 0x4433_2211)?;
    a.mov(dword_ptr(OTHER), 0x8877_6655u32)?;
    load(a, 0xFFE)?;
    want(a, 0x6655_4433)?;
    a.mov(dword_ptr(WINDOW + 0xFFD), 0xDDCC_BBAAu32)?;
    want_at(a, FRAME + 0xFFC, 0xCCBB_AA11)?;
    want_at(a, OTHER, 0x8877_66DD)?;
    a.mov(dword_ptr(OTHER + 0xFFC), 0x0102_0304)?;
    faults(a, 14, 0, |a| load(a, 0x1FFE))?;
    want_at(a, R_CR2, WINDOW + 0x2000)?;
    faults(a, 14, 2, |a| store(a, 0x1FFE))?;
    want_at(a, R_CR2, WINDOW + 0x2000)?;
    want_at(a, OTHER + 0xFFC, 0x0102_0304)?;
    // The first page missing.
    entry(a, 1, 0)?;
    entry(a, 2, FRAME + 7)?;
    faults(a, 14, 2, |a| store(a, 0x1FFE))?;
    want_at(a, R_CR2, WINDOW + 0x1FFE)
}

/// SDM 3A 4.10.4.1: INVLPG drops global translations too, MOV CR3 others, a change of CR4.PGE all.
fn invalidation(a: &mut Asm) -> Built {
    a.mov(dword_ptr(FRAME), 1)?;
    a.mov(dword_ptr(OTHER), 2)?;
    entry(a, 0, FRAME + 7)?;
    load(a, 0)?;
    want(a, 1)?;
    a.mov(dword_ptr(TABLE), OTHER + 7)?;
    reload(a)?;
    load(a, 0)?;
    want(a, 2)?;
    toggle_cr4(a, 0x80)?;
    entry(a, 0, FRAME + 0x107)?;
    load(a, 0)?;
    want(a, 1)?;
    entry(a, 0, OTHER + 0x107)?;
    load(a, 0)?;
    want(a, 2)?;
    a.mov(dword_ptr(TABLE), FRAME + 0x107)?;
    toggle_cr4(a, 0x80)?;
    load(a, 0)?;
    want(a, 1)
}

/// Without SMEP and NXE the error code does not tell a fetch from a read (4.7).
fn fetch(a: &mut Asm) -> Built {
    entry(a, 4, 0)?;
    faults(a, 14, 0, |a| {
        a.mov(ebx, WINDOW + 0x4567)?;
        a.jmp(ebx)
    })?;
    want_at(a, R_CR2, WINDOW + 0x4567)?;
    want_at(a, R_IP, WINDOW + 0x4567)?;
    faults(a, 14, 4, |a| {
        in_user_mode(a, |a| {
            a.mov(ebx, WINDOW + 0x4567)?;
            a.jmp(ebx)
        })
    })?;
    // An instruction over two pages: MOV EAX, imm32 with two bytes on the missing page.
    entry(a, 3, FRAME + 7)?;
    a.mov(dword_ptr(FRAME + 0xFFC), 0x00B8_9090)?;
    faults(a, 14, 0, |a| {
        a.mov(ebx, WINDOW + 0x3FFE)?;
        a.jmp(ebx)
    })?;
    want_at(a, R_CR2, WINDOW + 0x4000)?;
    want_at(a, R_IP, WINDOW + 0x3FFE)
}
