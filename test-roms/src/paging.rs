//! Fixture: address translation in all its forms (SDM 3A chapter 4).
//!
//! Error codes of #PF (4.7): 1 present, 2 write, 4 user, 8 reserved bit, 10h instruction fetch, 20h protection key.
//! A reserved bit implies present: reserved bits are looked at only in present entries, so the codes are 9, Bh, Dh, Fh.
//! QEMU's TCG 7.2 leaves bit 0 clear there and fails those comparisons; the manual rules.

mod five_level;
mod four_level;
mod four_level_rights;
mod legacy;
mod pae;

use crate::asm::{Built, ROM_BASE, section};
use crate::fixture;
use crate::prelude::*;
use crate::start;

/// Offset of the 64-bit section.
const LONG: u32 = 0x6800;
/// Offset of the way from 4-level to 5-level paging.
const LEAVE: u32 = 0xFC00;
/// 0 in 4-level paging, 1 in 5-level paging.
const STAGE: u32 = VARS;
/// A reserved bit of the upper half of an entry: bit 51, unless the processor has 52 physical bits.
const RESERVED_HIGH: u32 = 1 << 19;

/// Assembles the image.
pub(crate) fn build() -> Built<Vec<u8>> {
    let mut image = fixture::protected_image(|a| {
        legacy::checks(a)?;
        pae::checks(a)?;
        paging_off(a)?;
        start::to_long(a, ROM_BASE + LONG, true)
    })?;
    let long = section(64, u64::from(ROM_BASE + LONG), |a| {
        fixture::prologue(a)?;
        let five = a.mark();
        a.cmp(dword_ptr(STAGE), 0)?;
        a.jne(five.label)?;
        four_level::checks(a)?;
        four_level_rights::checks(a)?;
        five_level::go(a)?;
        fixture::finish(a, "paging")?;
        a.here(five)?;
        five_level::checks(a)?;
        fixture::finish(a, "paging")
    })?;
    image.put(LONG, &long);
    image.put(
        LEAVE,
        &section(32, u64::from(ROM_BASE + LEAVE), five_level::leave)?,
    );
    Ok(image.finish(0))
}

/// Turns paging off in 32-bit code that is mapped one to one, and PAE, PGE with it.
fn paging_off(a: &mut Asm) -> Built {
    a.mov(eax, cr0)?;
    a.and(eax, 0x7FFE_FFFF)?;
    a.mov(cr0, eax)?;
    a.xor(eax, eax)?;
    a.mov(cr3, eax)?;
    a.mov(cr4, eax)
}

/// Sets or clears CR0.WP.
fn write_protect(a: &mut Asm, on: bool) -> Built {
    let long = a.bitness() == 64;
    if long {
        a.mov(rax, cr0)?;
    } else {
        a.mov(eax, cr0)?;
    }
    if on {
        a.or(eax, 0x1_0000)?;
    } else {
        a.and(eax, -0x1_0001i32)?;
    }
    if long {
        a.mov(cr0, rax)
    } else {
        a.mov(cr0, eax)
    }
}

/// Reloads CR3, which drops every translation that is not global.
fn reload(a: &mut Asm) -> Built {
    if a.bitness() == 64 {
        a.mov(rax, cr3)?;
        a.mov(cr3, rax)
    } else {
        a.mov(eax, cr3)?;
        a.mov(cr3, eax)
    }
}

/// Flips `bits` in CR4 and back, or just once.
fn toggle_cr4(a: &mut Asm, bits: i32) -> Built {
    if a.bitness() == 64 {
        a.mov(rax, cr4)?;
        a.xor(eax, bits)?;
        a.mov(cr4, rax)
    } else {
        a.mov(eax, cr4)?;
        a.xor(eax, bits)?;
        a.mov(cr4, eax)
    }
}
