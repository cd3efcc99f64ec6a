//! Option ROMs: the VGA BIOS and others from PCI ROMs, and whatever lies between C0000h and DFFFFh; what can be booted
//! through them (PCI 2.1 section 6.3; PC/AT technical reference; BIOS Boot Specification 1.01, appendix A and B).

use super::areas::{EBDA_SEGMENT, ebda, post};
use super::pci::{self, register};
use super::pnp;
use super::tables::sum;
use crate::language::{
    Body, Compare as _, Place, Register, Value, asm, far8, far16, far32, flat8, flat16, flat32,
    routine,
};

/// Where option ROMs lie.
const FIRST_SEGMENT: u32 = 0xC000;
const END_SEGMENT: u32 = 0xE000;
/// A ROM's first two bytes.
const SIGNATURE: u32 = 0xAA55;
/// "PCIR".
const PCI_DATA: u32 = u32::from_le_bytes(*b"PCIR");
/// "$PnP", and where a ROM says where its header is that begins so.
const PNP_HEADER: u32 = u32::from_le_bytes(*b"$PnP");
const PNP_POINTER: u32 = 0x1A;
/// In that header: the name, and whom to call to be able to boot (BCV) or to boot (BEV).
const PRODUCT: u32 = 0x10;
const CONNECTION_VECTOR: u32 = 0x16;
const ENTRY_VECTOR: u32 = 0x1A;
/// How many ROMs can be booted from.
const MOST_BOOT_ROMS: u32 = 4;

/// POST: copies the ROM of the first display controller to C0000h and starts it.
pub(super) fn start_video(f: &mut Body<'_>) {
    f.set(flat32(post::ROM_SEGMENT), FIRST_SEGMENT);
    let done = f.var(0);
    pci::each(f, |f, function| {
        let display = pci::read8(function, register::CLASS + 3).is(3);
        f.when(display.and(done.is(0)), |f| f.set(done, load(function)));
    });
}

/// POST: the same for all other functions, after the drives are known.
pub(super) fn start_adapters(f: &mut Body<'_>) {
    pci::each(f, |f, function| {
        let display = pci::read8(function, register::CLASS + 3).is(3);
        f.when(display.negated(), |f| f.run(load(function)));
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
            f.run(call(segment, 3, function));
            f.run(note_boot_entry(segment));
            // It may have become smaller.
            let size = f.var(flat8((segment << 4) + 2) << 5);
            f.set(flat32(post::ROM_SEGMENT), (segment + size + 0x7F) & 0xFF80);
        },
    )
}

/// Calls a ROM. AX tells a PCI ROM which function it belongs to, ES:DI that this BIOS knows how to boot through it.
fn call(segment: impl Into<Value>, entry: impl Into<Value>, function: impl Into<Value>) -> Value {
    let arguments = [segment.into(), entry.into(), function.into()];
    routine(
        "call_option_rom",
        arguments,
        |f, [segment, entry, function]| {
            f.with(
                [
                    (Register::Eax, function.into()),
                    (Register::Ebx, segment << 16 | entry),
                ],
                |code| {
                    use iced_x86::code_asm::{bp, bx, di, ds, dword_ptr, dx, ebx, es, sp};
                    asm!(code;
                        push bp; push ebx;
                        mov bp, sp;
                        push super::areas::ROM_SEGMENT.cast_signed(); pop es;
                        mov di, pnp::HEADER;
                        // Neither is it an ISA card that was configured.
                        mov bx, -1; mov dx, -1;
                        call dword_ptr(bp + 0);
                        cld;
                        pop ebx; pop bp;
                        push super::areas::BDA_SEGMENT; pop ds;
                    );
                },
            );
        },
    )
}

/// Where the ROM in a segment has its Plug and Play header, or zero.
fn pnp_header(segment: impl Into<Value>) -> Value {
    routine("find_pnp_header", [segment.into()], |f, [segment]| {
        let header = f.var(far16(segment, PNP_POINTER));
        // ROMs look for our own "$PnP" at each paragraph, and must not find this comparison's.
        let name = far32(segment, header) + 1;
        let is_there = header.is_not(0).and(name.is(PNP_HEADER + 1));
        f.when(is_there, |f| f.ret(header));
        f.ret(0);
    })
}

/// After a ROM was started: connects its drives, or remembers that it can be booted from.
fn note_boot_entry(segment: impl Into<Value>) -> Value {
    routine("note_boot_entry", [segment.into()], |f, [segment]| {
        let header = f.var(pnp_header(segment));
        f.when(header.is(0), Body::leave);
        let connection = f.var(far16(segment, header + CONNECTION_VECTOR));
        f.when(connection.is_not(0), |f| {
            f.run(call(segment, connection, 0));
        });
        let count = f.var(boot_roms());
        let boots = far16(segment, header + ENTRY_VECTOR).is_not(0);
        f.when(boots.and(count.below(MOST_BOOT_ROMS)), |f| {
            f.set(boot_rom(count), segment);
            f.set(far8(EBDA_SEGMENT, ebda::BOOT_ROM_COUNT), count + 1);
        });
    })
}

/// How many ROMs can be booted from.
pub(super) fn boot_roms() -> Place {
    far8(EBDA_SEGMENT, ebda::BOOT_ROM_COUNT)
}

/// The segment of one of them.
fn boot_rom(n: impl Into<Value>) -> Place {
    far16(EBDA_SEGMENT, n.into() * 2 + ebda::BOOT_ROMS)
}

/// Prints what a ROM calls itself.
pub(super) fn print_name(n: impl Into<Value>) -> Value {
    routine("print_rom_name", [n.into()], |f, [n]| {
        let segment = f.var(boot_rom(n));
        let name = f.var(far16(segment, pnp_header(segment) + PRODUCT));
        f.when(name.is(0), Body::leave);
        f.each(0, 60, |f, at| {
            let letter = f.var(far8(segment, name + at));
            f.when(letter.below(0x20), Body::leave);
            f.run(super::screen::print_character(letter));
        });
    })
}

/// Boots through a ROM; comes back, or by INT 18h, if that cannot be.
pub(super) fn boot(n: impl Into<Value>) -> Value {
    routine("boot_through_rom", [n.into()], |f, [n]| {
        let segment = f.var(boot_rom(n));
        let header = f.var(pnp_header(segment));
        f.when(header.is_not(0), |f| {
            f.run(call(segment, far16(segment, header + ENTRY_VECTOR), 0));
        });
    })
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
