//! Fixtures: code that is changed while it runs (SDM 3A 8.1.3, 11.6), one for each way to do it.
//!
//! A store to code by its own linear address is seen by the next instruction; by another address after a serializing
//! instruction, here CPUID.

mod alias;
mod block;
mod crossing;
mod device;

use crate::asm::{Built, ROM_BASE, section};
use crate::fixture;
use crate::prelude::*;
use crate::start;

/// Offset of the 64-bit section.
const LONG: u32 = 0x4000;
/// Two frames for code, not neighbours, at the place where they are mapped one to one.
const CODE: u32 = SCRATCH + 0x1_0000;
const OTHER: u32 = SCRATCH + 0x1_8000;
/// Where the two are mapped as neighbours, and the tables for that.
const WINDOW: u64 = 0x80_0000_0000;
const POINTERS: u32 = TABLES + 0x8000;
const DIRECTORY: u32 = TABLES + 0x9000;
const TABLE: u32 = TABLES + 0xA000;

/// Assembles the image of stores to running code, by its own address.
pub(crate) fn build() -> Built<Vec<u8>> {
    image("self-modifying", block::checks_32, block::checks)
}

/// Of stores by another mapping, and of mappings that change.
pub(crate) fn build_alias() -> Built<Vec<u8>> {
    image("code-alias", |_| Ok(()), alias::checks)
}

/// Of stores to instructions that lie on two pages.
pub(crate) fn build_crossing() -> Built<Vec<u8>> {
    image("code-crossing", |_| Ok(()), crossing::checks)
}

/// Of a device's stores.
pub(crate) fn build_device() -> Built<Vec<u8>> {
    image("code-device", |_| Ok(()), device::checks)
}

/// An image with checks of 32-bit and of 64-bit code.
fn image(
    name: &str,
    protected: impl Fn(&mut Asm) -> Built,
    long: impl Fn(&mut Asm) -> Built,
) -> Built<Vec<u8>> {
    let mut image = fixture::protected_image(|a| {
        protected(a)?;
        start::to_long(a, ROM_BASE + LONG, true)
    })?;
    let long = section(64, u64::from(ROM_BASE + LONG), |a| {
        fixture::prologue(a)?;
        map_window(a)?;
        long(a)?;
        fixture::finish(a, name)
    })?;
    image.put(LONG, &long);
    Ok(image.finish(0))
}

/// Maps [`CODE`] and [`OTHER`] as two neighbouring pages.
fn map_window(a: &mut Asm) -> Built {
    a.mov(edi, POINTERS)?;
    a.mov(ecx, 0x3000 / 4)?;
    a.xor(eax, eax)?;
    a.rep().stosd()?;
    for (address, value) in [
        (TABLES + 8, POINTERS),
        (POINTERS, DIRECTORY),
        (DIRECTORY, TABLE),
        (TABLE, CODE),
        (TABLE + 8, OTHER),
    ] {
        a.mov(dword_ptr(address), value + 7)?;
    }
    a.mov(rax, cr3)?;
    a.mov(cr3, rax)
}

/// Copies `code`, assembled for the address `at`, to `at`.
fn install(a: &mut Asm, at: u32, code: impl Fn(&mut Asm) -> Built) -> Built {
    let bytes = section(a.bitness(), u64::from(at), code)?;
    install_bytes(a, at, &bytes)
}

fn install_bytes(a: &mut Asm, at: u32, bytes: &[u8]) -> Built {
    let [blob, over] = [a.mark(), a.mark()];
    a.jmp(over.label)?;
    a.here(blob)?;
    a.db(bytes)?;
    a.here(over)?;
    let address = a.addr(blob);
    a.mov(esi, address)?;
    a.mov(edi, at)?;
    a.mov(ecx, u32::try_from(bytes.len()).expect("short"))?;
    a.rep().movsb()
}

fn run(a: &mut Asm, at: u32) -> Built {
    a.mov(ebx, at)?;
    if a.bitness() == 64 {
        a.call(rbx)
    } else {
        a.call(ebx)
    }
}

/// MOV EAX, 11h; RET, as six bytes.
const RETURN_11: [u8; 6] = [0xB8, 0x11, 0, 0, 0, 0xC3];

/// ADD EAX, 1, with its immediate in the third byte.
const ADD_EAX_1: [u8; 3] = [0x83, 0xC0, 1];

/// CPUID, which waits for all stores and fetches anew. Changes EAX, EBX, ECX, EDX.
fn serialize(a: &mut Asm) -> Built {
    a.xor(eax, eax)?;
    a.cpuid()
}
