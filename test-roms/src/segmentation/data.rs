//! Data segments: limits, types, privilege, loading, and the instructions that look at descriptors.

use crate::check::{want, want_at, want_flags, want_masked};
use crate::descriptor::{BYTES_16, BYTES_32, PAGES_32, define, segment};
use crate::fixture::check;
use crate::prelude::*;
use crate::trap::{BACK, attempt, faults, in_user_mode, passes};

const S: u16 = FREE_SELECTOR;
/// Access bytes: present, accessed.
const DATA_RW: u64 = 0x93;
const DATA_RO: u64 = 0x91;
const EXPAND_DOWN: u64 = 0x97;
const CODE_XR: u64 = 0x9B;
const CODE_X: u64 = 0x99;
const CONFORMING: u64 = 0x9F;
const USER: u64 = 0x60;
/// ZF.
const ZF: u32 = 0x40;

pub(super) fn checks(a: &mut Asm) -> Built {
    check(a, "byte-granular limit", byte_limit)?;
    check(a, "page-granular limit", page_limit)?;
    check(a, "expand-down", expand_down)?;
    check(a, "stack segment limit", stack_limit)?;
    check(a, "types", types)?;
    check(a, "null selectors", null)?;
    check(a, "privilege of loads", privilege)?;
    check(a, "not present", not_present)?;
    check(a, "accessed bit", accessed)?;
    check(a, "tables and LDT", tables)?;
    check(a, "LAR, LSL", lar_lsl)?;
    check(a, "VERR, VERW, ARPL", verify)
}

fn set_fs(a: &mut Asm, selector: u16) -> Built {
    a.mov(eax, u32::from(selector))?;
    a.mov(fs, eax)
}

fn read(a: &mut Asm, offset: u32) -> Built {
    a.mov(eax, dword_ptr(offset).fs())
}

fn write(a: &mut Asm, offset: u32) -> Built {
    a.mov(dword_ptr(offset).fs(), 1)
}

fn byte_limit(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH + 0x10, 0xFFF, DATA_RW, BYTES_32))?;
    set_fs(a, S)?;
    a.mov(dword_ptr(SCRATCH + 0x10 + 0xFFC), 0x7777_7777)?;
    read(a, 0xFFC)?;
    want(a, 0x7777_7777)?;
    faults(a, 13, 0, |a| read(a, 0xFFD))?;
    faults(a, 13, 0, |a| write(a, 0xFFF))?;
    passes(a, |a| a.mov(al, byte_ptr(0xFFF).fs()))?;
    faults(a, 13, 0, |a| a.mov(al, byte_ptr(0x1000).fs()))?;
    // Over the end of the 32-bit offset.
    faults(a, 13, 0, |a| read(a, 0xFFFF_FFFE))?;
    // A write that fails leaves the part within the limit alone.
    want_at(a, SCRATCH + 0x10 + 0xFFC, 0x7777_7777)
}

/// With G = 1 the lowest 12 bits of the offset are not checked (3.4.5).
fn page_limit(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 1, DATA_RW, PAGES_32))?;
    set_fs(a, S)?;
    passes(a, |a| read(a, 0x1FFC))?;
    faults(a, 13, 0, |a| read(a, 0x1FFD))?;
    a.mov(eax, u32::from(S))?;
    a.lsl(ecx, eax)?;
    a.mov(eax, ecx)?;
    want(a, 0x1FFF)
}

/// Valid are the offsets above the limit, up to FFFFFFFFh or, with B = 0, FFFFh.
fn expand_down(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 0xFFF, EXPAND_DOWN, BYTES_32))?;
    set_fs(a, S)?;
    faults(a, 13, 0, |a| read(a, 0xFFC))?;
    faults(a, 13, 0, |a| a.mov(al, byte_ptr(0xFFF).fs()))?;
    passes(a, |a| read(a, 0x1000))?;
    passes(a, |a| read(a, 0x1_FFFE))?;
    define(a, S, segment(SCRATCH, 0xFFF, EXPAND_DOWN, BYTES_16))?;
    set_fs(a, S)?;
    passes(a, |a| read(a, 0xFFFC))?;
    faults(a, 13, 0, |a| read(a, 0xFFFD))?;
    faults(a, 13, 0, |a| read(a, 0x1_0000))?;
    faults(a, 13, 0, |a| read(a, 0))
}

/// The same by way of SS is #SS(0); in ring 3, so that the handler has a stack of its own.
fn stack_limit(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 0xFFF, DATA_RW | USER, BYTES_32))?;
    let user_stack = |a: &mut Asm| {
        a.mov(eax, u32::from(S | 3))?;
        a.mov(ss, eax)?;
        a.mov(esp, 0x1000)
    };
    faults(a, 12, 0, |a| {
        in_user_mode(a, |a| {
            user_stack(a)?;
            a.pop(eax)
        })
    })?;
    want_at(a, R_SP, 0x1000)?;
    faults(a, 12, 0, |a| {
        in_user_mode(a, |a| {
            user_stack(a)?;
            a.xor(esp, esp)?;
            a.push(eax)
        })
    })?;
    want_at(a, R_SP, 0)?;
    faults(a, 12, 0, |a| {
        in_user_mode(a, |a| {
            user_stack(a)?;
            a.mov(ebp, 0xFFD)?;
            a.mov(eax, dword_ptr(ebp))
        })
    })?;
    attempt(a, |a| {
        in_user_mode(a, |a| {
            user_stack(a)?;
            a.push(eax)
        })
    })?;
    want_at(a, R_VECTOR, BACK)?;
    want_at(a, R_SP, 0xFFC)?;
    want_at(a, R_SS, u32::from(S | 3))
}

fn types(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 0xFFF, DATA_RO, BYTES_32))?;
    set_fs(a, S)?;
    passes(a, |a| read(a, 0))?;
    faults(a, 13, 0, |a| write(a, 0))?;
    faults(a, 13, u32::from(S), |a| {
        a.mov(eax, u32::from(S))?;
        a.mov(ss, eax)
    })?;
    // Code is read if it may be read, and never written.
    define(a, S, segment(SCRATCH, 0xFFF, CODE_XR, BYTES_32))?;
    set_fs(a, S)?;
    passes(a, |a| read(a, 0))?;
    faults(a, 13, 0, |a| write(a, 0))?;
    faults(a, 13, 0, |a| a.mov(dword_ptr(SCRATCH).cs(), 1))?;
    define(a, S, segment(SCRATCH, 0xFFF, CODE_X, BYTES_32))?;
    faults(a, 13, u32::from(S), |a| set_fs(a, S))?;
    // A system descriptor is no segment.
    faults(a, 13, u32::from(TSS_SELECTOR), |a| set_fs(a, TSS_SELECTOR))?;
    // CS is loaded by transfers only.
    faults(a, 6, NONE, |a| a.db(&[0x8E, 0xC8]))
}

fn null(a: &mut Asm) -> Built {
    for selector in 0..4u16 {
        passes(a, |a| set_fs(a, selector))?;
        faults(a, 13, 0, |a| read(a, SCRATCH))?;
    }
    faults(a, 13, 0, |a| {
        a.xor(eax, eax)?;
        a.mov(ss, eax)
    })
}

fn privilege(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 0xFFF, DATA_RW, BYTES_32))?;
    // RPL 3 is not as privileged as DPL 0; the error code has no RPL.
    faults(a, 13, u32::from(S), |a| set_fs(a, S | 3))?;
    faults(a, 13, u32::from(S), |a| in_user_mode(a, |a| set_fs(a, S)))?;
    define(a, S, segment(SCRATCH, 0xFFF, DATA_RW | USER, BYTES_32))?;
    passes(a, |a| set_fs(a, S | 3))?;
    passes(a, |a| set_fs(a, S))?;
    // SS needs CPL = RPL = DPL.
    for selector in [S, S | 3] {
        faults(a, 13, u32::from(S), |a| {
            a.mov(eax, u32::from(selector))?;
            a.mov(ss, eax)
        })?;
    }
    // Conforming code may be loaded by anyone.
    define(a, S, segment(SCRATCH, 0xFFF, CONFORMING, BYTES_32))?;
    attempt(a, |a| in_user_mode(a, |a| set_fs(a, S | 3)))?;
    want_at(a, R_VECTOR, BACK)?;
    // The kernel's own: HLT, LGDT, MOV CR, and CLI, IN above IOPL.
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.hlt()))?;
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.mov(eax, cr0)))?;
    faults(a, 13, 0, |a| {
        in_user_mode(a, |a| a.lgdt(fword_ptr(SCRATCH)))
    })?;
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.cli()))?;
    faults(a, 13, 0, |a| in_user_mode(a, |a| a.in_(al, 0x80)))
}

fn not_present(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 0xFFF, DATA_RW & 0x7F, BYTES_32))?;
    faults(a, 11, u32::from(S), |a| set_fs(a, S))?;
    faults(a, 12, u32::from(S), |a| {
        a.mov(eax, u32::from(S))?;
        a.mov(ss, eax)
    })?;
    // Privilege is looked at before presence.
    faults(a, 13, u32::from(S), |a| set_fs(a, S | 3))
}

/// 3.4.5.1: loading a segment register sets bit 0 of the type.
fn accessed(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 0xFFF, DATA_RW & !1, BYTES_32))?;
    set_fs(a, S)?;
    a.movzx(eax, byte_ptr(GDT + u32::from(S) + 5))?;
    want(a, 0x93)
}

/// Selectors beyond the table, and of a local table that is not there, then is.
fn tables(a: &mut Asm) -> Built {
    faults(a, 13, 0x800, |a| set_fs(a, 0x803))?;
    a.xor(eax, eax)?;
    a.lldt(ax)?;
    faults(a, 13, 0xC, |a| set_fs(a, 0xC))?;
    // A table of two descriptors.
    define(a, S, segment(SCRATCH, 0xF, 0x82, BYTES_16))?;
    crate::descriptor::put(
        a,
        SCRATCH + 8,
        segment(SCRATCH + 0x100, 0xFF, DATA_RW, BYTES_32),
    )?;
    a.mov(dword_ptr(SCRATCH + 0x110), 0x1D7)?;
    a.mov(eax, u32::from(S))?;
    a.lldt(ax)?;
    a.xor(eax, eax)?;
    a.sldt(eax)?;
    want(a, u32::from(S))?;
    set_fs(a, 0xC)?;
    read(a, 0x10)?;
    want(a, 0x1D7)?;
    faults(a, 13, 0x14, |a| set_fs(a, 0x14))?;
    // LLDT takes a table from the GDT only, of the right type, and present.
    faults(a, 13, u32::from(DATA), |a| {
        a.mov(eax, u32::from(DATA))?;
        a.lldt(ax)
    })?;
    define(a, S + 8, segment(SCRATCH, 0xF, 0x02, BYTES_16))?;
    faults(a, 11, u32::from(S + 8), |a| {
        a.mov(eax, u32::from(S + 8))?;
        a.lldt(ax)
    })?;
    // LTR wants an available TSS: ours is busy.
    faults(a, 13, u32::from(TSS_SELECTOR), |a| {
        a.mov(eax, u32::from(TSS_SELECTOR))?;
        a.ltr(ax)
    })?;
    a.xor(eax, eax)?;
    a.mov(fs, eax)?;
    a.lldt(ax)
}

/// ZF tells whether the descriptor may be seen; then the rights or the limit in bytes.
fn lar_lsl(a: &mut Asm) -> Built {
    define(a, S, segment(SCRATCH, 0x1_2345, DATA_RW, BYTES_32))?;
    a.mov(ebx, u32::from(S))?;
    a.lar(eax, ebx)?;
    a.pushfd()?;
    // Bits 19:16 are undefined.
    want_masked(a, 0x00F0_FF00, 0x0040_9300)?;
    a.popfd()?;
    want_flags(a, ZF, ZF)?;
    a.lsl(eax, ebx)?;
    want(a, 0x1_2345)?;
    // RPL 3 does not see DPL 0, nor is there anything beyond the table, at null, or of gate type for LSL.
    for selector in [u32::from(S | 3), 0x800, 0, 3] {
        a.mov(ebx, selector)?;
        a.mov(eax, 0x5555)?;
        a.lar(eax, ebx)?;
        a.pushfd()?;
        want(a, 0x5555)?;
        a.popfd()?;
        want_flags(a, ZF, 0)?;
        a.mov(eax, 0x5555)?;
        a.lsl(eax, ebx)?;
        want(a, 0x5555)?;
    }
    define(a, S, crate::descriptor::gate(CODE32, 0, 0x8C, 0))?;
    a.mov(ebx, u32::from(S))?;
    a.lar(eax, ebx)?;
    want_flags(a, ZF, ZF)?;
    a.lsl(eax, ebx)?;
    want_flags(a, ZF, 0)?;
    // An interrupt gate is for the IDT: neither sees it.
    define(a, S, crate::descriptor::gate(CODE32, 0, 0x8E, 0))?;
    a.lar(eax, ebx)?;
    want_flags(a, ZF, 0)
}

fn zf_after(a: &mut Asm, selector: u16, write: bool, zf: u32) -> Built {
    a.mov(eax, u32::from(selector))?;
    if write {
        a.verw(ax)?;
    } else {
        a.verr(ax)?;
    }
    want_flags(a, ZF, zf)
}

fn verify(a: &mut Asm) -> Built {
    for (access, selector, readable, writable) in [
        (DATA_RW, S, ZF, ZF),
        (DATA_RO, S, ZF, 0),
        (CODE_XR, S, ZF, 0),
        (CODE_X, S, 0, 0),
        (DATA_RW, S | 3, 0, 0),
        (DATA_RW | USER, S | 3, ZF, ZF),
        (CONFORMING, S | 3, ZF, 0),
        (0x89, S, 0, 0),
    ] {
        define(a, S, segment(SCRATCH, 0xFFF, access, BYTES_32))?;
        zf_after(a, selector, false, readable)?;
        zf_after(a, selector, true, writable)?;
    }
    a.mov(eax, 0x1230)?;
    a.mov(ecx, 3)?;
    a.arpl(ax, cx)?;
    a.pushfd()?;
    want(a, 0x1233)?;
    a.popfd()?;
    want_flags(a, ZF, ZF)?;
    a.mov(eax, 0x1232)?;
    a.mov(ecx, 1)?;
    a.arpl(ax, cx)?;
    a.pushfd()?;
    want(a, 0x1232)?;
    a.popfd()?;
    want_flags(a, ZF, 0)
}
