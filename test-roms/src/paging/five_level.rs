//! 5-level paging (SDM 3A 4.5, CR4.LA57), entered by way of 32-bit mode since LA57 cannot change in long mode.

use super::{LEAVE, LONG, STAGE, reload};
use crate::check::{want, want_at, want_masked};
use crate::fixture::{check, if_announced};
use crate::prelude::*;
use crate::trap::{faults, in_user_mode, passes};

/// The top table, and the tables of the window: one below each of its entries 0.
const TOP: u32 = TABLES + 0xB000;
const FOURTH: u32 = TABLES + 0xC000;
const POINTERS: u32 = TABLES + 0x8000;
const DIRECTORY: u32 = TABLES + 0x9000;
const TABLE: u32 = TABLES + 0xA000;
/// Entry 1 of the top table.
const WINDOW: u64 = 1 << 48;
const FRAME: u32 = SCRATCH;
const LEVELS: [(u32, u32); 5] = [
    (TOP + 8, FOURTH + 7),
    (FOURTH, POINTERS + 7),
    (POINTERS, DIRECTORY + 7),
    (DIRECTORY, TABLE + 7),
    (TABLE, FRAME + 7),
];

/// Leaves 64-bit mode for [`leave`] if the processor has five levels.
pub(super) fn go(a: &mut Asm) -> Built {
    if_announced(a, "5-level paging", (7, ecx, 16), |a| {
        check(a, "LA57 is fixed in long mode", |a| {
            a.mov(rax, cr4)?;
            a.or(eax, 0x1000)?;
            faults(a, 13, 0, |a| a.mov(cr4, rax))
        })?;
        a.mov(dword_ptr(STAGE), 1)?;
        a.push(i32::from(CODE32))?;
        a.push((ROM_BASE + LEAVE).cast_signed())?;
        a.retf()
    })
}

/// The 32-bit section at [`LEAVE`]: paging off, a fifth level above the four, back to the 64-bit section.
pub(super) fn leave(a: &mut Asm) -> Built {
    a.mov(eax, cr0)?;
    a.and(eax, 0x7FFF_FFFF)?;
    a.mov(cr0, eax)?;
    a.mov(eax, cr4)?;
    a.or(eax, 0x1000)?;
    a.mov(cr4, eax)?;
    a.mov(edi, TOP)?;
    a.mov(ecx, 0x2000 / 4)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    a.mov(dword_ptr(TOP), TABLES + 7)?;
    a.mov(eax, TOP)?;
    a.mov(cr3, eax)?;
    a.mov(eax, cr0)?;
    a.or(eax, 0x8000_0000u32.cast_signed())?;
    a.mov(cr0, eax)?;
    a.jmp_far32(CODE64, ROM_BASE + LONG)
}

pub(super) fn checks(a: &mut Asm) -> Built {
    for (address, value) in LEVELS {
        a.mov(dword_ptr(address), value)?;
        a.mov(dword_ptr(address + 4), 0)?;
    }
    reload(a)?;
    check(a, "5-level walk", walk)?;
    check(a, "5-level error codes", error_codes)?;
    check(a, "5-level canonical addresses", canonical)
}

fn load(a: &mut Asm) -> Built {
    a.mov(rbx, WINDOW + 8)?;
    a.mov(eax, dword_ptr(rbx))
}

fn store(a: &mut Asm) -> Built {
    a.mov(rbx, WINDOW + 8)?;
    a.mov(dword_ptr(rbx), 0x600D_F00Du32)
}

fn walk(a: &mut Asm) -> Built {
    a.mov(dword_ptr(FRAME + 8), 0x55)?;
    load(a)?;
    want(a, 0x55)?;
    for (address, _) in LEVELS {
        a.mov(eax, dword_ptr(address))?;
        want_masked(a, 0x60, 0x20)?;
    }
    store(a)?;
    want_at(a, FRAME + 8, 0x600D_F00D)?;
    a.mov(eax, dword_ptr(TABLE))?;
    want_masked(a, 0x60, 0x60)
}

fn error_codes(a: &mut Asm) -> Built {
    for (change, error) in [(1, 6), (4, 7), (2, 7)] {
        for (address, value) in LEVELS {
            a.mov(dword_ptr(address), value - change)?;
            reload(a)?;
            faults(a, 14, error, |a| in_user_mode(a, store))?;
            want_at(a, R_CR2 + 4, 0x1_0000)?;
            a.mov(dword_ptr(address), value)?;
        }
    }
    // Bit 7 of a PML5E is reserved.
    a.mov(dword_ptr(TOP + 8), FOURTH + 0x87)?;
    reload(a)?;
    faults(a, 14, 9, load)?;
    a.mov(dword_ptr(TOP + 8), FOURTH + 7)?;
    reload(a)?;
    passes(a, load)
}

/// Bits 63:56 must be equal.
fn canonical(a: &mut Asm) -> Built {
    a.mov(rbx, 0x0100_0000_0000_0000u64)?;
    faults(a, 13, 0, |a| a.mov(eax, dword_ptr(rbx)))?;
    a.mov(rbx, 0x00FF_FFFF_FFFF_FFF0u64)?;
    faults(a, 14, 0, |a| a.mov(eax, dword_ptr(rbx)))?;
    a.mov(rbx, 0x8000_0000_0000u64)?;
    faults(a, 14, 0, |a| a.mov(eax, dword_ptr(rbx)))
}
