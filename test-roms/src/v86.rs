//! Fixture: virtual-8086 mode and its extensions (SDM 3A chapter 21).

mod extensions;
mod monitor;

use crate::asm::{Built, section};
use crate::check::{want, want_at};
use crate::fixture;
use crate::prelude::*;

/// Flags of a virtual-8086 task: VM, and bit 1, which is always set.
const VM: u32 = 0x2_0002;
/// The same with IOPL 3.
const VM_IOPL3: u32 = VM | 0x3000;
const IF: u32 = 0x200;
/// What the segment registers of a virtual-8086 task hold.
const ES: u32 = 0x1000;
const DS: u32 = SCRATCH >> 4;
const FS: u32 = 0x2345;
const GS: u32 = 0x3456;
const SS: u32 = 0x5000;
const SP: u32 = 0x1000;
/// The I/O bitmap's offset in the TSS, and the redirection bitmap of 32 bytes before it.
const IO_MAP: u32 = 0x88;
const REDIRECTION: u32 = IO_MAP - 0x20;

/// Assembles the image.
pub(crate) fn build() -> Built<Vec<u8>> {
    let image = fixture::protected_image(|a| {
        // Every port denied, every INT redirected to the monitor, until a test says otherwise.
        a.mov(edi, TSS + REDIRECTION)?;
        a.mov(ecx, 0x2000 - REDIRECTION)?;
        a.mov(al, 0xFF)?;
        a.rep().stosb()?;
        a.mov(word_ptr(TSS + 0x66), IO_MAP)?;
        monitor::checks(a)?;
        extensions::checks(a)?;
        fixture::finish(a, "v86")
    })?;
    Ok(image.finish(0))
}

/// Within an attempt: runs 16-bit code in virtual-8086 mode, in segment F000h, with `flags`.
fn enter(a: &mut Asm, flags: u32, code: impl Fn(&mut Asm) -> Built) -> Built {
    let start = a.mark();
    let offset = a.addr(start) & 0xFFFF;
    for value in [GS, FS, DS, ES, SS, SP, flags, 0xF000, offset] {
        a.push(value.cast_signed())?;
    }
    a.iretd()?;
    a.here(start)?;
    let bytes = section(16, u64::from(offset), code)?;
    a.db(&bytes)?;
    // What does not fault as it should ends here.
    a.int3()
}

/// The last exception came out of virtual-8086 mode: IP, SP, and the segment registers as pushed.
fn want_frame(a: &mut Asm, stack_pointer: u32) -> Built {
    want_at(a, R_CS, 0xF000)?;
    want_at(a, R_SP, stack_pointer)?;
    want_at(a, R_SS, SS)?;
    for (i, value) in [ES, DS, FS, GS].into_iter().enumerate() {
        want_at(a, R_V86 + 4 * u32::try_from(i).expect("four"), value)?;
    }
    // VM was pushed set.
    a.mov(eax, dword_ptr(R_FLAGS))?;
    crate::check::want_masked(a, 0x2_0000, 0x2_0000)?;
    // The handler began with a null DS (21.3.1).
    a.movzx(eax, word_ptr(R_DS))?;
    want(a, 0)
}
