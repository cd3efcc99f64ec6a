//! Segment and gate descriptors (SDM 3A 3.4.5, 5.8.3) and writing them to the guest's table.

use crate::prelude::*;

/// Flags of a descriptor: byte or page granular, 16- or 32-bit.
pub(crate) const BYTES_16: u64 = 0x0;
/// 32-bit, limit in bytes.
pub(crate) const BYTES_32: u64 = 0x4;
/// 32-bit, limit in pages.
pub(crate) const PAGES_32: u64 = 0xC;

/// A segment descriptor.
pub(crate) const fn segment(base: u32, limit: u32, access: u64, flags: u64) -> u64 {
    let (base, limit) = (base as u64, limit as u64);
    limit & 0xFFFF
        | (base & 0xFF_FFFF) << 16
        | access << 40
        | (limit >> 16 & 0xF) << 48
        | flags << 52
        | base >> 24 << 56
}

/// A call, interrupt, trap or task gate; `access` holds its type and DPL, `count` a call gate's parameters.
pub(crate) const fn gate(selector: u16, offset: u32, access: u64, count: u64) -> u64 {
    let offset = offset as u64;
    offset & 0xFFFF | (selector as u64) << 16 | count << 32 | access << 40 | offset >> 16 << 48
}

/// Writes eight bytes at `address`.
pub(crate) fn put(a: &mut Asm, address: u32, value: u64) -> Built {
    let [low, high] =
        [value & 0xFFFF_FFFF, value >> 32].map(|half| u32::try_from(half).expect("a half"));
    a.mov(dword_ptr(address), low)?;
    a.mov(dword_ptr(address + 4), high)
}

/// Writes the descriptor of `selector` in the GDT.
pub(crate) fn define(a: &mut Asm, selector: u16, descriptor: u64) -> Built {
    put(a, GDT + u32::from(selector & !7), descriptor)
}
