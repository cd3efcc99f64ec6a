//! Fixture: interrupts and exceptions in every mode (SDM 3A chapters 6, 17 and 20; 5.8.7, 5.8.8).

mod debug;
mod long;
mod long_calls;
mod protected;
mod real;

use crate::asm::{Built, ROM_BASE, section};
use crate::fixture::{self, PROTECTED};
use crate::prelude::*;
use crate::start;

/// Offset of the real-mode checks and of the 64-bit section.
const REAL: u32 = 0x6000;
const LONG: u32 = 0x7800;
/// TF, IF.
const TF: u32 = 0x100;
const IF: u32 = 0x200;

/// Assembles the image.
pub(crate) fn build() -> Built<Vec<u8>> {
    let mut image = Image::new();
    let set_up = section(16, 0, |a| {
        start::set_up(a)?;
        a.jmp_far16(0xF000, REAL)
    })?;
    image.put(0, &set_up);
    let code = section(32, u64::from(ROM_BASE + PROTECTED), |a| {
        fixture::prologue(a)?;
        start::virtual_wire(a)?;
        protected::checks(a)?;
        debug::checks(a)?;
        start::to_long(a, ROM_BASE + LONG, true)
    })?;
    image.put(PROTECTED, &code);
    let real = section(16, u64::from(REAL), |a| {
        real::checks(a)?;
        start::to_protected(a, ROM_BASE + PROTECTED)
    })?;
    image.put(REAL, &real);
    let long = section(64, u64::from(ROM_BASE + LONG), |a| {
        fixture::prologue(a)?;
        long::checks(a)?;
        long_calls::checks(a)?;
        fixture::finish(a, "interrupts")
    })?;
    image.put(LONG, &long);
    Ok(image.finish(0))
}
