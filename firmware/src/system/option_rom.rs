//! Option ROMs: the VGA BIOS from its PCI ROM, and whatever lies between C0000h and DFFFFh (PCI 2.1 section 6.3; PC/AT
//! technical reference).

use super::areas::post;
use super::pci::{self, register};
use super::tables::sum;
use crate::language::{
    Body, Compare as _, Register, Value, Var, asm, flat8, flat16, flat32, routine,
};

/// Where option ROMs lie.
const FIRST_SEGMENT: u32 = 0xC000;
const END_SEGMENT: u32 = 0xE000;
/// A ROM's first two bytes.
const SIGNATURE: u32 = 0xAA55;
/// "PCIR".
const PCI_DATA: u32 = u32::from_le_bytes(*b"PCIR");

/// POST: copies the ROM of the first display controller to C0000h and starts it.
pub(super) fn start_video(f: &mut Body<'_>) {
    f.set(flat32(post::ROM_SEGMENT), FIRST_SEGMENT);
    let done = f.var(0);
    pci::each(f, |f, function| {
        let display = pci::read8(function, register::CLASS + 3).is(3);
        f.when(display.and(done.is(0)), |f| f.set(done, load(function)));
    });
}

/// Copies a function's ROM to where the next one goes, and starts it. 0 if it has none for a PC.
fn load(function: impl Into<Value>) -> Value {
    routine("load_option_rom", [function.into()], |f, [function]| {
        let base = f.var(pci::read32(function, register::ROM) & 0xFFFF_F800u32);
        f.when(base.is(0), |f| f.ret(0));
        f.run(pci::write32(function, register::ROM, base | 1));
        let image = f.var(find_image(base));
        let segment = f.var(flat32(post::ROM_SEGMENT));
        f.when(image.is_not(0), |f| {
            let size = f.var(flat8(image + 2) << 9);
            f.when(((segment << 4) + size).above(END_SEGMENT << 4), |f| {
                f.set(image, 0);
            });
            f.when(image.is_not(0), |f| copy(f, segment << 4, image, size));
        });
        f.run(pci::write32(function, register::ROM, base));
        f.when(image.is(0), |f| f.ret(0));
        f.run(start(segment, function));
        f.ret(1);
    })
}

/// The first image in a PCI ROM that is for PCs, or zero.
fn find_image(base: impl Into<Value>) -> Value {
    routine("find_rom_image", [base.into()], |f, [base]| {
        f.each(0, 8, |f, _| {
            f.when(flat16(base).is_not(SIGNATURE), |f| f.ret(0));
            let data = f.var(base + flat16(base + 0x18));
            f.when(flat32(data).is_not(PCI_DATA), |f| f.ret(base));
            f.when(flat8(data + 0x14).is(0), |f| f.ret(base));
            f.when(flat8(data + 0x15).has(0x80), |f| f.ret(0));
            f.add(base, flat16(data + 0x10) << 9);
        });
        f.ret(0);
    })
}

/// Copies bytes, a multiple of four, anywhere in flat memory.
pub(super) fn copy(
    f: &mut Body<'_>,
    to: impl Into<Value>,
    from: impl Into<Value>,
    size: impl Into<Value>,
) {
    let registers = [
        (Register::Edi, to.into()),
        (Register::Esi, from.into()),
        (Register::Ecx, size.into() >> 2),
    ];
    f.with(registers, |code| {
        use iced_x86::code_asm::{ax, ds, es};
        asm!(code; xor ax, ax; mov ds, ax; mov es, ax;);
        // REP MOVSD with 32-bit addresses: POST's segments reach that far.
        asm!(code; db &[0xF3, 0x66, 0x67, 0xA5];);
        asm!(code; push super::areas::BDA_SEGMENT; pop ds;);
    });
}

/// Calls the initialization entry of the ROM in a segment, and makes room for the next one.
fn start(segment: impl Into<Value>, function: impl Into<Value>) -> Value {
    routine(
        "start_option_rom",
        [segment.into(), function.into()],
        |f, [segment, function]| {
            call(f, segment, function);
            // It may have become smaller.
            let size = f.var(flat8((segment << 4) + 2) << 5);
            f.set(flat32(post::ROM_SEGMENT), (segment + size + 0x7F) & 0xFF80);
        },
    )
}

/// AX tells a PCI ROM which function it belongs to.
fn call(f: &mut Body<'_>, segment: Var, function: Var) {
    f.with(
        [
            (Register::Eax, function.into()),
            (Register::Ebx, segment << 16 | 3),
        ],
        |code| {
            use iced_x86::code_asm::{bp, bx, ds, dword_ptr, ebx, es, sp};
            asm!(code;
                push bp; push ebx;
                mov bp, sp;
                push super::areas::ROM_SEGMENT.cast_signed(); pop es;
                xor bx, bx;
                call dword_ptr(bp + 0);
                cld;
                pop ebx; pop bp;
                push super::areas::BDA_SEGMENT; pop ds;
            );
        },
    );
}

/// POST: starts what else lies there already, every 2 KiB.
pub(super) fn start_others(f: &mut Body<'_>) {
    let segment = f.var(flat32(post::ROM_SEGMENT));
    f.while_(segment.below(END_SEGMENT), |f| {
        let rom = f.var(segment << 4);
        f.either(
            flat16(rom)
                .is(SIGNATURE)
                .and(sum(rom, flat8(rom + 2) << 9).is(0)),
            |f| {
                f.run(start(segment, 0));
                f.set(segment, flat32(post::ROM_SEGMENT));
            },
            |f| f.add(segment, 0x80),
        );
    });
}
