//! 4-level paging (SDM 3A 4.5): every level's rights, sizes, reserved bits, accessed and dirty bits.

use super::{RESERVED_HIGH, reload, toggle_cr4, write_protect};
use crate::check::{want, want_at, want_masked};
use crate::fixture::{check, if_announced};
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, passes};

/// The entry of the top table that leads to the window, and the tables below.
pub(super) const TOP: u32 = TABLES + 8;
pub(super) const POINTERS: u32 = TABLES + 0x8000;
pub(super) const DIRECTORY: u32 = TABLES + 0x9000;
pub(super) const TABLE: u32 = TABLES + 0xA000;
/// The window: entry 0 of each table below [`TOP`].
pub(super) const WINDOW: u64 = 0x80_0000_0000;
pub(super) const FRAME: u32 = SCRATCH;
const OTHER: u32 = SCRATCH + 0x1000;
/// The top bit of an entry, in its upper half.
const NO_EXECUTE: u32 = 0x8000_0000;
/// The entries on the way to page 0 of the window and what they hold.
const LEVELS: [(u32, u32); 4] = [
    (TOP, POINTERS + 7),
    (POINTERS, DIRECTORY + 7),
    (DIRECTORY, TABLE + 7),
    (TABLE, FRAME + 7),
];

pub(super) fn checks(a: &mut Asm) -> Built {
    set_up(a)?;
    check(a, "4-level alias and crossing", alias)?;
    check(a, "4-level accessed and dirty", accessed_and_dirty)?;
    check(a, "4-level not present", not_present)?;
    check(a, "4-level user and write rights", rights)?;
    check(a, "4-level reserved bits", reserved)?;
    check(a, "4-level large pages", large_pages)?;
    check(a, "4-level canonical addresses", canonical)?;
    if_announced(a, "4-level no-execute", (0x8000_0001, edx, 20), |a| {
        check(a, "4-level no-execute", no_execute)
    })?;
    check(a, "4-level invalidation", invalidation)?;
    if_announced(a, "PCID", (1, ecx, 17), |a| {
        check(a, "PCID", process_contexts)
    })
}

/// Empty tables for the window.
fn set_up(a: &mut Asm) -> Built {
    a.mov(edi, POINTERS)?;
    a.mov(ecx, 0x3000 / 4)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    for (address, value) in LEVELS {
        set(a, address, value, 0)?;
    }
    reload(a)
}

fn set(a: &mut Asm, address: u32, low: u32, high: u32) -> Built {
    a.mov(dword_ptr(address), low)?;
    a.mov(dword_ptr(address + 4), high)
}

/// Writes an entry of the window's last table and drops its translation.
pub(super) fn entry(a: &mut Asm, page: u32, low: u32, high: u32) -> Built {
    set(a, TABLE + 8 * page, low, high)?;
    a.mov(rbx, WINDOW + 0x1000 * u64::from(page))?;
    a.invlpg(ptr(rbx))
}

pub(super) fn load(a: &mut Asm, offset: u64) -> Built {
    a.mov(rbx, WINDOW + offset)?;
    a.mov(eax, dword_ptr(rbx))
}

pub(super) fn store(a: &mut Asm, offset: u64) -> Built {
    a.mov(rbx, WINDOW + offset)?;
    a.mov(dword_ptr(rbx), 0x600D_F00Du32)
}

pub(super) fn jump(a: &mut Asm, offset: u64) -> Built {
    a.mov(rbx, WINDOW + offset)?;
    a.call(rbx)
}

/// CR2 must be the window's address plus `offset`.
pub(super) fn want_cr2(a: &mut Asm, offset: u32) -> Built {
    want_at(a, R_CR2, offset)?;
    want_at(a, R_CR2 + 4, 0x80)
}

fn alias(a: &mut Asm) -> Built {
    entry(a, 1, FRAME + 7, 0)?;
    store(a, 0x1040)?;
    load(a, 0x40)?;
    want(a, 0x600D_F00D)?;
    entry(a, 1, OTHER + 7, 0)?;
    a.mov(rax, 0x1122_3344_5566_7788u64)?;
    a.mov(rbx, WINDOW + 0xFFD)?;
    a.mov(qword_ptr(rbx), rax)?;
    a.mov(eax, dword_ptr(FRAME + 0xFFC))?;
    want_masked(a, 0xFFFF_FF00, 0x6677_8800)?;
    want_at(a, OTHER, 0x2233_4455)?;
    a.movzx(eax, byte_ptr(OTHER + 4))?;
    want(a, 0x11)?;
    a.mov(rax, qword_ptr(rbx))?;
    want(a, 0x5566_7788)?;
    // 16 bytes, the second page missing: nothing is written, CR2 is the second page. (QEMU's TCG 7.2 stores
    // the first half and fails here.)
    entry(a, 2, 0, 0)?;
    a.mov(qword_ptr(OTHER + 0xFF8), 0)?;
    a.pcmpeqd(xmm0, xmm0)?;
    a.mov(rbx, WINDOW + 0x1FF8)?;
    faults(a, 14, 2, |a| a.movdqu(xmmword_ptr(rbx), xmm0))?;
    want_cr2(a, 0x2000)?;
    want_at(a, OTHER + 0xFF8, 0)
}

fn accessed_and_dirty(a: &mut Asm) -> Built {
    for (address, value) in LEVELS {
        set(a, address, value, 0)?;
    }
    reload(a)?;
    load(a, 0)?;
    for (address, _) in LEVELS {
        a.mov(eax, dword_ptr(address))?;
        want_masked(a, 0x60, 0x20)?;
    }
    store(a, 0)?;
    for (address, _) in &LEVELS[..3] {
        a.mov(eax, dword_ptr(*address))?;
        want_masked(a, 0x60, 0x20)?;
    }
    a.mov(eax, dword_ptr(TABLE))?;
    want_masked(a, 0x60, 0x60)
}

fn not_present(a: &mut Asm) -> Built {
    for (address, value) in LEVELS {
        set(a, address, value - 1, 0)?;
        reload(a)?;
        faults(a, 14, 0, |a| load(a, 8))?;
        faults(a, 14, 6, |a| in_user_mode(a, |a| store(a, 8)))?;
        want_cr2(a, 8)?;
        set(a, address, value, 0)?;
    }
    reload(a)?;
    passes(a, |a| load(a, 8))
}

/// SDM 3A 4.6.1: every level must allow what is done.
fn rights(a: &mut Asm) -> Built {
    for (address, value) in LEVELS {
        set(a, address, value - 4, 0)?;
        reload(a)?;
        passes(a, |a| store(a, 8))?;
        faults(a, 14, 5, |a| in_user_mode(a, |a| load(a, 8)))?;
        set(a, address, value - 2, 0)?;
        reload(a)?;
        write_protect(a, false)?;
        passes(a, |a| store(a, 8))?;
        faults(a, 14, 7, |a| in_user_mode(a, |a| store(a, 8)))?;
        write_protect(a, true)?;
        faults(a, 14, 3, |a| store(a, 8))?;
        write_protect(a, false)?;
        set(a, address, value, 0)?;
    }
    reload(a)?;
    attempt(a, |a| in_user_mode(a, |a| store(a, 8)))?;
    want_at(a, R_VECTOR, BACK)
}

/// Tables 4-15 to 4-20: bit 7 of a PML4E, low address bits of large pages, address bits above MAXPHYADDR.
fn reserved(a: &mut Asm) -> Built {
    set(a, TOP, POINTERS + 0x87, 0)?;
    reload(a)?;
    faults(a, 14, 9, |a| load(a, 8))?;
    faults(a, 14, 0xF, |a| in_user_mode(a, |a| store(a, 8)))?;
    want_cr2(a, 8)?;
    set(a, TOP, POINTERS + 7, 0)?;
    // A 2-MiB page at an address that is not a multiple of 2 MiB.
    set(a, DIRECTORY, 0x2087, 0)?;
    reload(a)?;
    faults(a, 14, 9, |a| load(a, 8))?;
    set(a, DIRECTORY, TABLE + 7, 0)?;
    let wide = a.mark();
    a.mov(eax, 0x8000_0008u32)?;
    a.cpuid()?;
    a.cmp(al, 52)?;
    a.jae(wide.label)?;
    for (address, value) in LEVELS {
        set(a, address, value, RESERVED_HIGH)?;
        reload(a)?;
        faults(a, 14, 9, |a| load(a, 8))?;
        faults(a, 14, 0xD, |a| in_user_mode(a, |a| load(a, 8)))?;
        set(a, address, value, 0)?;
    }
    a.here(wide)?;
    // Bits 62:52 are the program's own.
    set(a, TABLE, FRAME + 7, 0x07F0_0000)?;
    reload(a)?;
    passes(a, |a| load(a, 8))?;
    set(a, TABLE, FRAME + 7, 0)?;
    reload(a)
}

fn large_pages(a: &mut Asm) -> Built {
    set(a, DIRECTORY, 0x87, 0)?;
    reload(a)?;
    a.mov(dword_ptr(FRAME + 0x50), 0x5151)?;
    load(a, u64::from(FRAME) + 0x50)?;
    want(a, 0x5151)?;
    a.mov(eax, dword_ptr(DIRECTORY))?;
    want_masked(a, 0x60, 0x20)?;
    store(a, u64::from(FRAME) + 0x50)?;
    a.mov(eax, dword_ptr(DIRECTORY))?;
    want_masked(a, 0x60, 0x60)?;
    want_at(a, FRAME + 0x50, 0x600D_F00D)?;
    set(a, DIRECTORY, TABLE + 7, 0)?;
    reload(a)?;
    if_announced(a, "4-level 1 GiB pages", (0x8000_0001, edx, 26), |a| {
        set(a, POINTERS, 0x87, 0)?;
        reload(a)?;
        load(a, u64::from(FRAME) + 0x50)?;
        want(a, 0x600D_F00D)?;
        set(a, POINTERS, 0x2087, 0)?;
        reload(a)?;
        faults(a, 14, 9, |a| load(a, 8))
    })?;
    set(a, POINTERS, DIRECTORY + 7, 0)?;
    reload(a)
}

/// SDM 1 3.3.7.1: #GP(0), and #SS(0) by way of the stack. (QEMU's TCG raises #GP for both.)
fn canonical(a: &mut Asm) -> Built {
    a.mov(rbx, 0x8000_0000_0000u64)?;
    faults(a, 13, 0, |a| a.mov(eax, dword_ptr(rbx)))?;
    faults(a, 13, 0, |a| a.jmp(rbx))?;
    a.mov(rbp, rbx)?;
    faults(a, 12, 0, |a| a.mov(eax, dword_ptr(rbp)))?;
    // In ring 3, so that the handler has a stack.
    faults(a, 12, 0, |a| {
        in_user_mode(a, |a| {
            a.mov(rsp, rbx)?;
            a.pop(rax)
        })
    })?;
    // The last canonical address of the lower half, and an access that leaves it.
    a.mov(rbx, 0x7FFF_FFFF_FFFFu64)?;
    faults(a, 14, 0, |a| a.mov(al, byte_ptr(rbx)))?;
    faults(a, 13, 0, |a| a.mov(eax, dword_ptr(rbx)))?;
    a.mov(rbx, 0xFFFF_8000_0000_0000u64)?;
    faults(a, 14, 0, |a| a.mov(al, byte_ptr(rbx)))?;
    want_at(a, R_CR2 + 4, 0xFFFF_8000)
}

fn no_execute(a: &mut Asm) -> Built {
    a.mov(ecx, 0xC000_0080u32)?;
    a.rdmsr()?;
    a.or(eax, 0x800)?;
    a.wrmsr()?;
    a.mov(byte_ptr(FRAME), 0xC3u32)?;
    for (address, value) in LEVELS {
        set(a, address, value, NO_EXECUTE)?;
        reload(a)?;
        passes(a, |a| load(a, 0))?;
        faults(a, 14, 0x11, |a| jump(a, 0))?;
        faults(a, 14, 0x15, |a| in_user_mode(a, |a| jump(a, 0)))?;
        want_cr2(a, 0)?;
        set(a, address, value, 0)?;
    }
    reload(a)?;
    passes(a, |a| jump(a, 0))
}

fn invalidation(a: &mut Asm) -> Built {
    a.mov(dword_ptr(FRAME), 1)?;
    a.mov(dword_ptr(OTHER), 2)?;
    load(a, 0)?;
    want(a, 1)?;
    set(a, TABLE, OTHER + 7, 0)?;
    reload(a)?;
    load(a, 0)?;
    want(a, 2)?;
    toggle_cr4(a, 0x80)?;
    entry(a, 0, FRAME + 0x107, 0)?;
    load(a, 0)?;
    want(a, 1)?;
    entry(a, 0, OTHER + 0x107, 0)?;
    load(a, 0)?;
    want(a, 2)?;
    set(a, TABLE, FRAME + 0x107, 0)?;
    toggle_cr4(a, 0x80)?;
    load(a, 0)?;
    want(a, 1)?;
    entry(a, 0, FRAME + 7, 0)
}

/// SDM 3A 4.10.1: two contexts with tables of their own keep their own translations; bit 63 of a MOV to CR3 keeps
/// what is there, so after it only an invalidation makes a change seen for sure.
fn process_contexts(a: &mut Asm) -> Built {
    // CR4.PCIDE may be set only while CR3 has PCID 0.
    a.mov(rax, cr4)?;
    a.or(eax, 0x2_0000)?;
    a.mov(cr4, rax)?;
    for (context, frame) in [(1u32, FRAME), (2, OTHER)] {
        a.mov(eax, TABLES + context)?;
        a.mov(cr3, rax)?;
        set(a, TABLE, frame + 7, 0)?;
        a.mov(rbx, WINDOW)?;
        a.invlpg(ptr(rbx))?;
        load(a, 0)?;
        want(a, context)?;
    }
    // Without bit 63 the context's old translations go.
    a.mov(eax, TABLES + 1)?;
    a.mov(cr3, rax)?;
    load(a, 0)?;
    want(a, 2)?;
    // PAE paging and PCIDs do not go together: clearing PCIDE is allowed, setting it with PCID 1 is not.
    a.mov(rax, cr4)?;
    a.and(eax, -0x2_0001i32)?;
    a.mov(cr4, rax)?;
    a.or(eax, 0x2_0000)?;
    faults(a, 13, 0, |a| a.mov(cr4, rax))?;
    a.mov(eax, TABLES)?;
    a.mov(cr3, rax)?;
    entry(a, 0, FRAME + 7, 0)
}
