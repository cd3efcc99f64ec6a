//! SMEP, SMAP and protection keys under 4-level paging (SDM 3A 4.6).

use super::four_level::{FRAME, entry, jump, load, store, want_cr2};
use super::{reload, toggle_cr4, write_protect};
use crate::check::want;
use crate::check::want_at;
use crate::fixture::{check, if_announced};
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, passes};

const SMEP: i32 = 1 << 20;
const SMAP: i32 = 1 << 21;
const PKE: i32 = 1 << 22;

pub(super) fn checks(a: &mut Asm) -> Built {
    if_announced(a, "SMEP", (7, ebx, 7), |a| check(a, "SMEP", execution))?;
    if_announced(a, "SMAP", (7, ebx, 20), |a| check(a, "SMAP", access))?;
    if_announced(a, "protection keys", (7, ecx, 3), |a| {
        check(a, "protection keys", keys)
    })
}

/// Makes the first 512 GiB, where this code lies, the supervisor's own, or the user's again.
fn own_pages(a: &mut Asm, supervisor: bool) -> Built {
    a.mov(
        dword_ptr(TABLES),
        TABLES + 0x1000 + if supervisor { 3 } else { 7 },
    )?;
    reload(a)
}

fn execution(a: &mut Asm) -> Built {
    a.mov(byte_ptr(FRAME), 0xC3u32)?;
    entry(a, 0, FRAME + 7, 0)?;
    own_pages(a, true)?;
    passes(a, |a| jump(a, 0))?;
    toggle_cr4(a, SMEP)?;
    faults(a, 14, 0x11, |a| jump(a, 0))?;
    want_cr2(a, 0)?;
    passes(a, |a| store(a, 8))?;
    entry(a, 0, FRAME + 3, 0)?;
    passes(a, |a| jump(a, 0))?;
    toggle_cr4(a, SMEP)?;
    own_pages(a, false)
}

/// EFLAGS.AC, by STAC and CLAC, lets the supervisor at the user's pages; pages of the supervisor need nothing.
fn access(a: &mut Asm) -> Built {
    entry(a, 0, FRAME + 7, 0)?;
    own_pages(a, true)?;
    a.clac()?;
    passes(a, |a| load(a, 0))?;
    toggle_cr4(a, SMAP)?;
    faults(a, 14, 1, |a| load(a, 0))?;
    faults(a, 14, 3, |a| store(a, 4))?;
    want_cr2(a, 4)?;
    a.stac()?;
    passes(a, |a| store(a, 8))?;
    load(a, 8)?;
    want(a, 0x600D_F00D)?;
    a.clac()?;
    faults(a, 14, 1, |a| load(a, 0))?;
    entry(a, 0, FRAME + 3, 0)?;
    passes(a, |a| store(a, 0))?;
    entry(a, 0, FRAME + 7, 0)?;
    // Outside of ring 0 the two instructions do not exist.
    toggle_cr4(a, SMAP)?;
    own_pages(a, false)?;
    faults(a, 6, NONE, |a| in_user_mode(a, |a| a.stac()))
}

fn set_rights(a: &mut Asm, value: u32) -> Built {
    a.mov(eax, value)?;
    a.xor(ecx, ecx)?;
    a.xor(edx, edx)?;
    a.wrpkru()
}

/// SDM 3A 4.6.2: keys govern data accesses to the user's pages, by the supervisor too; write-disable for the
/// supervisor only with CR0.WP. The page of the window has key 1.
fn keys(a: &mut Asm) -> Built {
    a.mov(byte_ptr(FRAME), 0xC3u32)?;
    entry(a, 0, FRAME + 7, 0x0800_0000)?;
    // The key is in bits 62:59.
    faults(a, 6, NONE, |a| set_rights(a, 0))?;
    toggle_cr4(a, PKE)?;
    set_rights(a, 4)?;
    a.xor(ecx, ecx)?;
    a.rdpkru()?;
    want(a, 4)?;
    faults(a, 14, 0x25, |a| in_user_mode(a, |a| load(a, 4)))?;
    want_cr2(a, 4)?;
    faults(a, 14, 0x27, |a| in_user_mode(a, |a| store(a, 4)))?;
    faults(a, 14, 0x21, |a| load(a, 4))?;
    attempt(a, |a| in_user_mode(a, |a| jump(a, 0)))?;
    want_at(a, R_VECTOR, BACK)?;
    set_rights(a, 8)?;
    passes(a, |a| load(a, 4))?;
    faults(a, 14, 0x27, |a| in_user_mode(a, |a| store(a, 4)))?;
    write_protect(a, true)?;
    faults(a, 14, 0x23, |a| store(a, 4))?;
    write_protect(a, false)?;
    passes(a, |a| store(a, 4))?;
    // A page of the supervisor has no key.
    entry(a, 0, FRAME + 3, 0x0800_0000)?;
    set_rights(a, 0xC)?;
    passes(a, |a| store(a, 4))?;
    // Another key.
    entry(a, 0, FRAME + 7, 0x1000_0000)?;
    attempt(a, |a| in_user_mode(a, |a| store(a, 4)))?;
    want_at(a, R_VECTOR, BACK)?;
    set_rights(a, 0)?;
    faults(a, 13, 0, |a| {
        a.mov(ecx, 1)?;
        a.rdpkru()
    })?;
    toggle_cr4(a, PKE)
}
