//! PAE paging (SDM 3A 4.4): 64-bit entries, no-execute, 2-MiB pages, the four PDPTE registers.

use super::paging_off;
use crate::check::{want, want_at, want_masked};
use crate::fixture::{check, if_announced};
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, passes};

const POINTERS: u32 = TABLES + 0x4000;
const DIRECTORY: u32 = TABLES + 0x5000;
/// Maps the first 2 MiB one to one.
const IDENTITY: u32 = TABLES + 0x6000;
/// Maps the window, behind directory entry 1.
const TABLE: u32 = TABLES + 0x7000;
const WINDOW: u32 = 0x20_0000;
const FRAME: u32 = SCRATCH;
/// The top bit of an entry, in its upper half.
const NO_EXECUTE: u32 = 0x8000_0000;

pub(super) fn checks(a: &mut Asm) -> Built {
    paging_off(a)?;
    turn_on(a)?;
    check(a, "PAE alias, accessed and dirty", alias)?;
    check(a, "PAE error codes", error_codes)?;
    check(a, "PAE 2 MiB pages", large_pages)?;
    check(a, "PAE pointer table", pointer_table)?;
    if_announced(a, "PAE no-execute", (0x8000_0001, edx, 20), |a| {
        check(a, "PAE no-execute", no_execute)
    })
}

fn turn_on(a: &mut Asm) -> Built {
    a.mov(edi, POINTERS)?;
    a.mov(ecx, 0x1000)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    a.mov(dword_ptr(POINTERS), DIRECTORY + 1)?;
    a.mov(dword_ptr(DIRECTORY), IDENTITY + 7)?;
    a.mov(dword_ptr(DIRECTORY + 8), TABLE + 7)?;
    a.mov(edi, IDENTITY)?;
    a.mov(eax, 7)?;
    let fill = a.mark_here()?;
    a.mov(dword_ptr(edi), eax)?;
    a.add(edi, 8)?;
    a.add(eax, 0x1000)?;
    a.cmp(eax, 0x20_0007)?;
    a.jb(fill.label)?;
    a.mov(eax, 0x20)?;
    a.mov(cr4, eax)?;
    a.mov(eax, POINTERS)?;
    a.mov(cr3, eax)?;
    a.mov(eax, cr0)?;
    a.or(eax, 0x8000_0000u32.cast_signed())?;
    a.mov(cr0, eax)
}

fn entry(a: &mut Asm, page: u32, low: u32, high: u32) -> Built {
    a.mov(dword_ptr(TABLE + 8 * page), low)?;
    a.mov(dword_ptr(TABLE + 8 * page + 4), high)?;
    a.invlpg(ptr(WINDOW + 0x1000 * page))
}

fn load(a: &mut Asm, offset: u32) -> Built {
    a.mov(eax, dword_ptr(WINDOW + offset))
}

fn store(a: &mut Asm, offset: u32) -> Built {
    a.mov(dword_ptr(WINDOW + offset), 0x600D_F00Du32)
}

fn alias(a: &mut Asm) -> Built {
    entry(a, 0, FRAME + 7, 0)?;
    entry(a, 1, FRAME + 7, 0)?;
    load(a, 0)?;
    a.mov(eax, dword_ptr(TABLE))?;
    want_masked(a, 0x60, 0x20)?;
    store(a, 0x1040)?;
    load(a, 0x40)?;
    want(a, 0x600D_F00D)?;
    a.mov(eax, dword_ptr(TABLE + 8))?;
    want_masked(a, 0x60, 0x60)
}

fn error_codes(a: &mut Asm) -> Built {
    entry(a, 2, 0, 0)?;
    faults(a, 14, 0, |a| load(a, 0x2000))?;
    faults(a, 14, 6, |a| in_user_mode(a, |a| store(a, 0x2000)))?;
    entry(a, 2, FRAME + 5, 0)?;
    faults(a, 14, 7, |a| in_user_mode(a, |a| store(a, 0x2000)))?;
    entry(a, 2, FRAME + 3, 0)?;
    faults(a, 14, 5, |a| in_user_mode(a, |a| load(a, 0x2000)))?;
    // Table 4-11: bits 62:M are reserved, 62 on every processor.
    entry(a, 2, FRAME + 7, 0x4000_0000)?;
    faults(a, 14, 9, |a| load(a, 0x2000))?;
    faults(a, 14, 0xF, |a| in_user_mode(a, |a| store(a, 0x2000)))?;
    want_at(a, R_CR2, WINDOW + 0x2000)?;
    // A reserved bit where the page is not present does not matter.
    entry(a, 2, FRAME, 0x4000_0000)?;
    faults(a, 14, 0, |a| load(a, 0x2000))?;
    // The page-table entry that is read-only beneath a writable directory, and the other way round.
    entry(a, 2, FRAME + 7, 0)?;
    a.mov(dword_ptr(DIRECTORY + 8), TABLE + 5)?;
    super::reload(a)?;
    faults(a, 14, 7, |a| in_user_mode(a, |a| store(a, 0x2000)))?;
    a.mov(dword_ptr(DIRECTORY + 8), TABLE + 7)?;
    super::reload(a)
}

/// Table 4-9: bits 20:13 of an entry for a 2-MiB page are reserved.
fn large_pages(a: &mut Asm) -> Built {
    a.mov(dword_ptr(DIRECTORY + 32), 0x87)?;
    a.mov(dword_ptr(FRAME + 8), 0xCAFE)?;
    a.mov(eax, dword_ptr(0x80_0000 + FRAME + 8))?;
    want(a, 0xCAFE)?;
    a.mov(dword_ptr(0x80_0000 + FRAME + 8), 0xBABE)?;
    want_at(a, FRAME + 8, 0xBABE)?;
    a.mov(eax, dword_ptr(DIRECTORY + 32))?;
    want_masked(a, 0x60, 0x60)?;
    a.mov(dword_ptr(DIRECTORY + 32), 0x2087)?;
    super::reload(a)?;
    faults(a, 14, 9, |a| a.mov(eax, dword_ptr(0x80_0000)))?;
    a.mov(dword_ptr(DIRECTORY + 32), 0)?;
    super::reload(a)
}

/// SDM 3A 4.4.1: MOV to CR3 loads the four entries and checks their reserved bits; translation uses the loaded ones.
///
/// QEMU's TCG reads the entries anew at each walk and checks them there, so it fails this check.
fn pointer_table(a: &mut Asm) -> Built {
    a.mov(dword_ptr(POINTERS + 8), DIRECTORY + 3)?;
    faults(a, 13, 0, super::reload)?;
    a.mov(dword_ptr(POINTERS + 8), 0)?;
    faults(a, 14, 0, |a| a.mov(eax, dword_ptr(0x4000_0000)))?;
    // Not reloaded: the old entry, not present, still holds.
    a.mov(dword_ptr(POINTERS + 8), DIRECTORY + 1)?;
    faults(a, 14, 0, |a| a.mov(eax, dword_ptr(0x4000_0000)))?;
    super::reload(a)?;
    passes(a, |a| a.mov(eax, dword_ptr(0x4000_0000)))?;
    a.mov(dword_ptr(POINTERS + 8), 0)?;
    super::reload(a)
}

fn jump_to_page(a: &mut Asm, page: u32) -> Built {
    a.mov(ebx, WINDOW + 0x1000 * page)?;
    a.call(ebx)
}

/// SDM 3A 4.6, 4.7: fetches have bit 4 of the error code once EFER.NXE is set; before, bit 63 is reserved.
fn no_execute(a: &mut Asm) -> Built {
    a.mov(dword_ptr(FRAME), 0xC3)?;
    entry(a, 0, FRAME + 7, NO_EXECUTE)?;
    faults(a, 14, 9, |a| load(a, 0))?;
    a.mov(ecx, 0xC000_0080u32)?;
    a.rdmsr()?;
    a.or(eax, 0x800)?;
    a.wrmsr()?;
    super::reload(a)?;
    passes(a, |a| load(a, 0))?;
    faults(a, 14, 0x11, |a| jump_to_page(a, 0))?;
    want_at(a, R_CR2, WINDOW)?;
    faults(a, 14, 0x15, |a| in_user_mode(a, |a| jump_to_page(a, 0)))?;
    entry(a, 0, FRAME + 7, 0)?;
    passes(a, |a| jump_to_page(a, 0))?;
    attempt(a, |a| in_user_mode(a, |a| jump_to_page(a, 0)))?;
    want_at(a, R_VECTOR, BACK)?;
    // In the directory entry it covers the whole 2 MiB.
    a.mov(dword_ptr(DIRECTORY + 12), NO_EXECUTE)?;
    super::reload(a)?;
    faults(a, 14, 0x11, |a| jump_to_page(a, 0))?;
    a.mov(dword_ptr(DIRECTORY + 12), 0)?;
    super::reload(a)?;
    entry(a, 2, 0, 0)?;
    faults(a, 14, 0x10, |a| jump_to_page(a, 2))?;
    faults(a, 14, 0x14, |a| in_user_mode(a, |a| jump_to_page(a, 2)))
}
