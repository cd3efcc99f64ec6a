//! The embedded default: checks the whole machine in a second, then offers a tiny monitor on COM1.
//!
//! It starts at the reset vector, goes through protected mode to long mode, and needs no firmware and no disk.

mod devices;
mod disk;
mod memory;
mod monitor;
mod processor;

use crate::check::{self, Style};
use crate::console::{self, call, say};
use crate::prelude::*;
use crate::{start, trap};

/// Timer interrupts so far.
const TICKS: u32 = VARS;
/// Where the next received byte goes in [`RX_BUFFER`].
const RX_HEAD: u32 = VARS + 4;
/// Where the next byte to be read lies in [`RX_BUFFER`].
const RX_TAIL: u32 = VARS + 8;
/// RAM above 1 MiB and below 4 GiB, in KiB.
const EXTENDED_KIB: u32 = VARS + 0xC;
/// RAM above 4 GiB, in units of 64 KiB.
const HIGH_UNITS: u32 = VARS + 0x10;
/// What IDENTIFY said: 0 no disk, 1 a disk.
const DISK_FOUND: u32 = VARS + 0x14;
/// Sectors of the disk.
const DISK_SECTORS: u32 = VARS + 0x18;
/// Received bytes, a ring of 256.
const RX_BUFFER: u32 = 0x700;

/// Offsets of the sections.
const PROTECTED_OFFSET: u32 = 0x400;
const LONG_OFFSET: u32 = 0x800;

/// Assembles the image.
pub(crate) fn build() -> Built<Vec<u8>> {
    let real = section(16, 0, |a| {
        start::set_up(a)?;
        start::to_protected(a, ROM_BASE + PROTECTED_OFFSET)
    })?;
    let protected = section(32, u64::from(ROM_BASE + PROTECTED_OFFSET), |a| {
        start::flat_segments(a)?;
        start::to_long(a, ROM_BASE + LONG_OFFSET, false)
    })?;
    let long = section(64, u64::from(ROM_BASE + LONG_OFFSET), long_mode)?;
    let mut image = Image::new();
    image.put(0, &real);
    image.put(PROTECTED_OFFSET, &protected);
    image.put(LONG_OFFSET, &long);
    Ok(image.finish(0))
}

/// The 64-bit section: set-up, routines, checks, monitor.
fn long_mode(a: &mut Asm) -> Built {
    let main = a.mark();
    a.jmp(main.label)?;
    console::routines(a)?;
    check::report(a)?;
    trap::routines(a)?;
    devices::handlers(a)?;
    a.here(main)?;
    a.mov(eax, u32::from(DATA))?;
    a.mov(ds, eax)?;
    a.mov(es, eax)?;
    a.mov(ss, eax)?;
    a.mov(rsp, u64::from(STACK))?;
    a.mov(rax, cr0)?;
    a.or(eax, 0x1_0000)?;
    a.mov(cr0, rax)?;
    call(a, "install_traps")?;
    start::virtual_wire(a)?;
    say(a, "\r\nrax self-check\r\n")?;
    processor::checks(a)?;
    memory::checks(a)?;
    processor::exceptions(a)?;
    devices::checks(a)?;
    memory::ram(a)?;
    disk::checks(a)?;
    say(a, "self-check: ")?;
    a.mov(eax, dword_ptr(PASSED))?;
    call(a, "putdec")?;
    say(a, " passed, ")?;
    a.mov(eax, dword_ptr(FAILED))?;
    call(a, "putdec")?;
    say(a, " failed\r\n")?;
    monitor::emit(a)
}

/// One check with its line.
fn check(a: &mut Asm, name: &str, body: impl FnOnce(&mut Asm) -> Built) -> Built {
    check::begin(a, Style::Wordy, name)?;
    body(a)?;
    check::end(a)
}
