//! The VBE modes, and whether the display has the memory for one.

use crate::video::dispi;
use crate::video::prelude::*;

/// A mode: its number, width, height, bits a pixel (0: text).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mode {
    pub(crate) number: u16,
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) depth: u8,
}

/// Offsets in a record of the image's table.
pub(crate) const NUMBER: i32 = 0;
pub(crate) const WIDTH: i32 = 2;
pub(crate) const HEIGHT: i32 = 4;
pub(crate) const DEPTH: i32 = 6;
/// The size of a record.
const RECORD: i32 = 8;
/// The depth of text.
pub(crate) const TEXT: u8 = 0;
/// Ends lists of mode numbers.
pub(crate) const END: i32 = 0xFFFF;

const fn mode(number: u16, width: u16, height: u16, depth: u8) -> Mode {
    Mode {
        number,
        width,
        height,
        depth,
    }
}

const fn text(number: u16, columns: u16, rows: u16, char_height: u16) -> Mode {
    mode(number, columns * 8, rows * char_height, TEXT)
}

/// The numbers that VESA gave (VBE 3.0, "VBE Mode Numbers").
const STANDARD: [Mode; 28] = [
    mode(0x100, 640, 400, 8),
    mode(0x101, 640, 480, 8),
    mode(0x102, 800, 600, 4),
    mode(0x103, 800, 600, 8),
    mode(0x104, 1024, 768, 4),
    mode(0x105, 1024, 768, 8),
    mode(0x106, 1280, 1024, 4),
    mode(0x107, 1280, 1024, 8),
    text(0x108, 80, 60, 8),
    text(0x109, 132, 25, 16),
    text(0x10A, 132, 43, 8),
    text(0x10B, 132, 50, 8),
    text(0x10C, 132, 60, 8),
    mode(0x10D, 320, 200, 15),
    mode(0x10E, 320, 200, 16),
    mode(0x10F, 320, 200, 24),
    mode(0x110, 640, 480, 15),
    mode(0x111, 640, 480, 16),
    mode(0x112, 640, 480, 24),
    mode(0x113, 800, 600, 15),
    mode(0x114, 800, 600, 16),
    mode(0x115, 800, 600, 24),
    mode(0x116, 1024, 768, 15),
    mode(0x117, 1024, 768, 16),
    mode(0x118, 1024, 768, 24),
    mode(0x119, 1280, 1024, 15),
    mode(0x11A, 1280, 1024, 16),
    mode(0x11B, 1280, 1024, 24),
];

/// Numbers that programs for the Bochs display interface know.
const COMMON: [Mode; 17] = [
    mode(0x11C, 1600, 1200, 8),
    mode(0x11D, 1600, 1200, 15),
    mode(0x11E, 1600, 1200, 16),
    mode(0x11F, 1600, 1200, 24),
    mode(0x140, 320, 200, 32),
    mode(0x141, 640, 400, 32),
    mode(0x142, 640, 480, 32),
    mode(0x143, 800, 600, 32),
    mode(0x144, 1024, 768, 32),
    mode(0x145, 1280, 1024, 32),
    mode(0x146, 320, 200, 8),
    mode(0x147, 1600, 1200, 32),
    mode(0x148, 1152, 864, 8),
    mode(0x149, 1152, 864, 15),
    mode(0x14A, 1152, 864, 16),
    mode(0x14B, 1152, 864, 24),
    mode(0x14C, 1152, 864, 32),
];

/// Where the numbers of wide screens begin, of which many boot loaders and small systems know
/// one by heart.
const WIDE_FROM: u16 = 0x175;
/// Sizes that get three modes each from there on: 16, 24 and 32 bits. The order is that of the BIOS
/// that Bochs and QEMU share.
const WIDE: [[u16; 2]; 12] = [
    [1280, 768],
    [1280, 800],
    [1280, 960],
    [1440, 900],
    [1400, 1050],
    [1680, 1050],
    [1920, 1200],
    [2560, 1600],
    [1280, 720],
    [1920, 1080],
    [1600, 900],
    [2560, 1440],
];

/// Where rax's own numbers begin.
const OWN_FROM: u16 = 0x1A0;
/// Rax's own modes: width, height and depth.
const OWN: [(u16, u16, u8); 12] = [
    (1280, 720, 8),
    (1280, 800, 8),
    (1360, 768, 8),
    (1360, 768, 16),
    (1360, 768, 24),
    (1360, 768, 32),
    (1400, 1050, 8),
    (1440, 900, 8),
    (1600, 900, 8),
    (1680, 1050, 8),
    (1920, 1080, 8),
    (1920, 1200, 8),
];

/// All modes, by number.
pub(crate) fn all() -> Vec<Mode> {
    let mut modes = STANDARD.to_vec();
    modes.extend(COMMON);
    let wide = WIDE
        .iter()
        .flat_map(|&[width, height]| [16, 24, 32].map(|depth| (width, height, depth)));
    for (number, (width, height, depth)) in (WIDE_FROM..).zip(wide) {
        modes.push(mode(number, width, height, depth));
    }
    for (number, (width, height, depth)) in (OWN_FROM..).zip(OWN) {
        modes.push(mode(number, width, height, depth));
    }
    modes
}

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.name("vbe_modes")?;
    for mode in all() {
        for word in [mode.number, mode.width, mode.height, u16::from(mode.depth)] {
            a.db(&word.to_le_bytes())?;
        }
    }
    a.db(&END.to_le_bytes()[..2])?;
    find(a)?;
    sizes(a)
}

fn find(a: &mut Asm) -> Built {
    // SI at the record of mode number BX, which fits; CF if there is none. Keeps BX, CX, DX, DI.
    a.name("vbe_find")?;
    a.point(si, "vbe_modes")?;
    a.until(Is::Equal, |a| {
        x86!(a: cmp word_ptr(si + NUMBER).cs(), END;);
        a.go_if(Is::Equal, "vbe_failed")?;
        x86!(a: add si, RECORD; cmp word_ptr(si + NUMBER - RECORD).cs(), bx;);
        Ok(())
    })?;
    x86!(a: sub si, RECORD;);
    a.go("vbe_fits")?;

    // SI at the record of what the display interface shows; CF if there is none. Changes AX, CX, DX.
    a.name("vbe_current")?;
    x86!(a: mov al, dispi::ENABLE;);
    a.run("dispi_read")?;
    x86!(a: test al, dispi::ENABLED;);
    a.go_if(Is::ZERO, "vbe_failed")?;
    x86!(a: mov al, dispi::WIDTH;);
    a.run("dispi_read")?;
    x86!(a: mov cx, ax; mov al, dispi::HEIGHT;);
    a.run("dispi_read")?;
    x86!(a: mov dx, ax; mov al, dispi::DEPTH;);
    a.run("dispi_read")?;
    a.point(si, "vbe_modes")?;
    a.until(Is::Equal, |a| {
        x86!(a: cmp word_ptr(si + NUMBER).cs(), END;);
        a.go_if(Is::Equal, "vbe_failed")?;
        x86!(a: add si, RECORD; cmp word_ptr(si + WIDTH - RECORD).cs(), cx;);
        a.go_if(Is::NotEqual, "not_current")?;
        x86!(a: cmp word_ptr(si + HEIGHT - RECORD).cs(), dx;);
        a.go_if(Is::NotEqual, "not_current")?;
        x86!(a: cmp word_ptr(si + DEPTH - RECORD).cs(), ax;);
        a.name("not_current")
    })?;
    x86!(a: sub si, RECORD;);
    a.go("vbe_done")
}

fn sizes(a: &mut Asm) -> Built {
    // EAX: the bytes of a line (in a plane) of the record at SI. Keeps all else.
    a.name("vbe_pitch")?;
    x86!(a:
        push ecx;
        movzx ecx, byte_ptr(si + DEPTH).cs();
        movzx eax, word_ptr(si + WIDTH).cs();
        cmp cl, 4;
    );
    a.when_else(
        Is::Equal,
        |a| a.shr(eax, 3),
        |a| {
            x86!(a: add cl, 7; shr cl, 3; imul_2 eax, ecx;);
            Ok(())
        },
    )?;
    x86!(a: pop ecx; ret;);

    // EAX: the bytes of memory that a picture of the record at SI takes. Keeps all else.
    a.name("vbe_picture_size")?;
    a.run("vbe_pitch")?;
    x86!(a:
        push ecx;
        movzx ecx, word_ptr(si + HEIGHT).cs();
        imul_2 eax, ecx;
        cmp byte_ptr(si + DEPTH).cs(), 4;
    );
    a.when(Is::Equal, |a| a.shl(eax, 2))?;
    x86!(a: pop ecx; ret;);

    // EAX: the bytes of video memory. Keeps all else.
    a.name("vbe_memory")?;
    x86!(a: mov al, dispi::MEMORY;);
    a.run("dispi_read")?;
    x86!(a: shl eax, 16; ret;);

    // CF: the picture of the record at SI is larger than the memory. Changes AX.
    a.name("vbe_fits")?;
    x86!(a: push ecx;);
    a.run("vbe_picture_size")?;
    x86!(a: mov ecx, eax;);
    a.run("vbe_memory")?;
    x86!(a: cmp eax, ecx; pop ecx; ret;);
    Ok(())
}
