//! Fixture: segments and protection (SDM 3A chapters 3 and 5).
//!
//! QEMU's TCG checks neither limits nor the types of loaded segments, and stops itself on a fetch beyond a limit; Bochs
//! is the reference here.

mod data;
mod transfer;

use crate::asm::{Built, section};
use crate::check::{want, want_at, want_masked};
use crate::descriptor::{BYTES_16, define, segment};
use crate::fixture::{self, check};
use crate::prelude::*;
use crate::trap::passes;

/// Offset of the 16-bit section, seen through [`CODE16`] and in real mode.
const SHORT: u32 = 0xF000;
/// Offset of its real-mode part.
const REAL: u32 = 0xF800;
/// Where the 16-bit code jumps when done: offset and selector.
const RETURN: u32 = VARS;
/// What the 16-bit code found.
const RESULTS: u32 = VARS + 0x10;

/// Assembles the image.
pub(crate) fn build() -> Built<Vec<u8>> {
    let mut image = fixture::protected_image(|a| {
        data::checks(a)?;
        transfer::checks(a)?;
        check(a, "16-bit code segment", short_segment)?;
        check(a, "big real mode", big_real_mode)?;
        fixture::finish(a, "segmentation")
    })?;
    image.put(SHORT, &section(16, u64::from(SHORT), short_code)?);
    image.put(REAL, &section(16, u64::from(REAL), real_code)?);
    Ok(image.finish(0))
}

/// Jumps to the 16-bit code at `offset`, which comes back by [`RETURN`].
fn visit(a: &mut Asm, offset: u32) -> Built {
    let back = a.mark();
    let address = a.addr(back);
    a.mov(dword_ptr(RETURN), address)?;
    a.mov(dword_ptr(RETURN + 4), u32::from(CODE32))?;
    a.jmp_far32(CODE16, offset)?;
    a.here(back)?;
    a.mov(eax, u32::from(DATA))?;
    a.mov(ds, eax)?;
    a.mov(es, eax)?;
    a.mov(fs, eax)?;
    a.mov(ss, eax)
}

/// Default sizes are the code segment's: 16-bit registers, pushes and addresses (SDM 1 3.6).
fn short_segment(a: &mut Asm) -> Built {
    a.mov(ebx, 0x0001_0004)?;
    a.mov(dword_ptr(SCRATCH + 0x1_0004), 0)?;
    a.mov(edx, esp)?;
    passes(a, |a| visit(a, SHORT))?;
    // MOV AX wrote half of EAX.
    want_at(a, RESULTS, 0xFFFF_1234)?;
    // PUSH AX took two bytes, with ESP as the 32-bit stack segment says.
    want_at(a, RESULTS + 4, 2)?;
    // [BX+2] used 16 bits of EBX; with an address-size prefix all 32.
    want_at(a, RESULTS + 8, 0xAAAA)?;
    want_at(a, RESULTS + 12, 0xBBBB)?;
    // IP wraps at 64 KiB in neither direction of a near call and return here, the pushed IP has 16 bits.
    a.mov(eax, dword_ptr(RESULTS + 16))?;
    want_masked(a, 0xFFFF_F000, SHORT)?;
    a.mov(eax, dword_ptr(RESULTS + 20))?;
    want(a, 0xFFFC)
}

/// 16-bit code in protected mode. DS is flat, SS is flat and 32-bit at first.
fn short_code(a: &mut Asm) -> Built {
    let [routine, after] = [a.mark(), a.mark()];
    a.mov(eax, -1i32)?;
    a.mov(ax, 0x1234u32)?;
    a.mov(dword_ptr(RESULTS), eax)?;
    a.mov(edx, esp)?;
    a.push(ax)?;
    a.sub(edx, esp)?;
    a.pop(ax)?;
    a.mov(dword_ptr(RESULTS + 4), edx)?;
    // FS has its base in the scratch memory.
    a.mov(ax, u32::from(FREE_SELECTOR))?;
    a.mov(fs, ax)?;
    a.mov(dword_ptr(6).fs(), 0xAAAA)?;
    a.mov(ecx, 0x1_0006)?;
    a.mov(dword_ptr(ecx).fs(), 0xBBBBu32)?;
    a.mov(ebx, 0x1_0004)?;
    a.mov(eax, dword_ptr(bx + 2).fs())?;
    a.mov(dword_ptr(RESULTS + 8), eax)?;
    a.mov(eax, dword_ptr(ebx + 2).fs())?;
    a.mov(dword_ptr(RESULTS + 12), eax)?;
    a.xor(eax, eax)?;
    a.call(routine.label)?;
    a.jmp(after.label)?;
    a.here(routine)?;
    a.pop(ax)?;
    a.push(ax)?;
    a.mov(dword_ptr(RESULTS + 16), eax)?;
    a.ret()?;
    a.here(after)?;
    // A 16-bit stack segment: SP wraps, the upper half of ESP stays.
    a.mov(esi, esp)?;
    a.mov(ax, u32::from(FREE_SELECTOR) + 8)?;
    a.mov(ss, ax)?;
    a.mov(esp, 0x7777_0000)?;
    a.push(eax)?;
    a.movzx(eax, sp)?;
    a.mov(dword_ptr(RESULTS + 20), eax)?;
    a.mov(ax, u32::from(DATA))?;
    a.mov(ss, ax)?;
    a.mov(esp, esi)?;
    a.jmp(fword_ptr(RETURN))
}

/// SDM 3A 21.1, 10.9.2: the limits and bases in the hidden part of a segment register outlive the way to real mode.
fn big_real_mode(a: &mut Asm) -> Built {
    a.mov(dword_ptr(0x12_3450), 0x0B16_4EA1)?;
    passes(a, |a| visit(a, REAL))?;
    want_at(a, RESULTS, 0x0B16_4EA1)?;
    want_at(a, RESULTS + 4, 0x2222_2222)?;
    want_at(a, 0x12_3454, 0x3333_3333)?;
    // A load in real mode changes the base alone: FS = 1000h.
    want_at(a, RESULTS + 8, 0x0B16_4EA1)
}

/// Leaves protected mode with a flat FS, reads above 1 MiB, comes back.
fn real_code(a: &mut Asm) -> Built {
    let real = a.mark();
    a.mov(eax, cr0)?;
    a.and(al, -2)?;
    a.mov(cr0, eax)?;
    let address = a.addr(real);
    a.jmp_far16(0xF000, address)?;
    a.here(real)?;
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(ss, ax)?;
    a.mov(ebx, 0x12_3450)?;
    a.mov(eax, dword_ptr(ebx).fs())?;
    a.mov(dword_ptr(RESULTS), eax)?;
    a.mov(ax, SCRATCH >> 4)?;
    a.mov(es, ax)?;
    a.mov(dword_ptr(0).es(), 0x2222_2222)?;
    a.mov(ecx, SCRATCH)?;
    a.mov(eax, dword_ptr(ecx).fs())?;
    a.mov(dword_ptr(RESULTS + 4), eax)?;
    a.mov(dword_ptr(ebx + 4).fs(), 0x3333_3333)?;
    a.mov(ax, 0x1000u32)?;
    a.mov(fs, ax)?;
    a.sub(ebx, 0x1_0000)?;
    a.mov(eax, dword_ptr(ebx).fs())?;
    a.mov(dword_ptr(RESULTS + 8), eax)?;
    a.mov(eax, cr0)?;
    a.or(al, 1)?;
    a.mov(cr0, eax)?;
    a.jmp(fword_ptr(RETURN))
}

/// The segments of the 16-bit code: data at the scratch memory, a 16-bit stack.
fn define_short_segments(a: &mut Asm) -> Built {
    define(
        a,
        FREE_SELECTOR,
        segment(SCRATCH, 0xF_FFFF, 0x93, crate::descriptor::PAGES_32),
    )?;
    define(
        a,
        FREE_SELECTOR + 8,
        segment(SCRATCH, 0xFFFF, 0x93, BYTES_16),
    )
}
