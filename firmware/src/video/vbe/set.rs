//! VBE functions 02h and 03h: sets a mode, and tells which is set.

use super::modes::{DEPTH, HEIGHT, NUMBER, WIDTH};
use crate::video::dispi;
use crate::video::modes::{LAST, SVGA_PLANAR, VBE_LINEAR, VBE_PLANAR, VBE_TEXT_FIRST};
use crate::video::prelude::*;

/// BH: the frame buffer is linear; the memory is kept.
const BH_LINEAR: i32 = 0x40;
const BH_KEEP: i32 = 0x80;
/// The mode that AH=00h knows as [`SVGA_PLANAR`].
const SVGA_NUMBER: i32 = 0x102;
/// The VGA's mode of four planes.
const VGA_PLANAR: i32 = 0x12;
/// From the low byte of a text mode's number to what AH=00h calls it.
const TEXT_NUMBERS: i32 = VBE_TEXT_FIRST - 0x08;

pub(crate) fn emit(a: &mut Asm) -> Built {
    set(a)?;
    show(a)?;
    get(a)
}

/// Function 02h: mode BX. Numbers below 100h are those of AH=00h.
fn set(a: &mut Asm) -> Built {
    a.name("vbe_set_mode")?;
    x86!(a: mov dx, bx; and bx, 0x1FF; test bh, bh;);
    a.when(Is::ZERO, |a| {
        x86!(a: mov al, bl; and al, 0x7F; mov ah, dh; and ah, BH_KEEP;);
        a.run("find_mode")?;
        a.when(Is::Below, |a| a.ret())?;
        a.run("set_vga_mode")?;
        a.go("vbe_done")
    })?;
    a.run("vbe_find")?;
    a.when(Is::Below, |a| a.ret())?;
    x86!(a: mov ah, dh; and ah, BH_KEEP; cmp byte_ptr(si + DEPTH).cs(), 4;);
    a.when(Is::BelowOrEqual, |a| {
        x86!(a: test dh, BH_LINEAR;);
        a.go_if(Is::NONZERO, "vbe_failed")?;
        x86!(a: mov al, SVGA_PLANAR; cmp bx, SVGA_NUMBER;);
        a.go_if(Is::Equal, "vbe_set_by_vga")?;
        // Below planes of the display interface lies a mode of planes.
        x86!(a: mov al, VGA_PLANAR; cmp byte_ptr(si + DEPTH).cs(), 4;);
        a.go_if(Is::Equal, "vbe_set_by_dispi")?;
        x86!(a: mov al, bl; add al, TEXT_NUMBERS;);
        a.name("vbe_set_by_vga")?;
        a.run("set_vga_mode")?;
        a.go("vbe_done")
    })?;
    // Below the other modes lies 13h: chained planes, 256 colours.
    x86!(a: mov al, LAST;);
    a.name("vbe_set_by_dispi")?;
    a.run("leave_dispi")?;
    x86!(a:
        push dx;
        push si;
        and dh, BH_KEEP;
        and byte_ptr(bda::CONTROL), 0x7F;
        or byte_ptr(bda::CONTROL), dh;
    );
    a.run("find_parameters")?;
    a.run("write_registers")?;
    a.run("load_palette")?;
    a.run("write_bda")?;
    x86!(a: pop si; pop dx;);
    a.run("vbe_show")?;
    a.run("mode_font")?;
    a.run("show")?;
    a.go("vbe_done")
}

/// `vbe_show`: the display interface shows the record at SI as DH says.
fn show(a: &mut Asm) -> Built {
    a.name("vbe_show")?;
    // Text is 8x16, with one page.
    x86!(a:
        mov byte_ptr(bda::MODE), VBE_LINEAR;
        mov ax, word_ptr(si + WIDTH).cs();
        shr ax, 3;
        mov word_ptr(bda::COLUMNS), ax;
        mov ax, word_ptr(si + HEIGHT).cs();
        shr ax, 4;
        dec ax;
        mov byte_ptr(bda::LAST_ROW), al;
        mov word_ptr(bda::CHAR_HEIGHT), 16;
        mov word_ptr(bda::PAGE_SIZE), 0;
        cmp byte_ptr(si + DEPTH).cs(), 4;
    );
    a.when(Is::Equal, |a| a.mov(byte_ptr(bda::MODE), VBE_PLANAR))?;
    for (register, field) in [
        (dispi::WIDTH, WIDTH),
        (dispi::HEIGHT, HEIGHT),
        (dispi::DEPTH, DEPTH),
    ] {
        x86!(a: mov cx, word_ptr(si + field).cs(); mov al, register;);
        a.run("dispi_write")?;
    }
    x86!(a: mov cx, dispi::ENABLED; test dh, BH_LINEAR;);
    a.when(Is::NONZERO, |a| a.or(cx, dispi::LINEAR))?;
    x86!(a: test dh, BH_KEEP;);
    a.when(Is::NONZERO, |a| a.or(cx, dispi::KEEP_MEMORY))?;
    x86!(a: mov al, dispi::ENABLE;);
    a.run("dispi_write")?;
    x86!(a: mov cx, word_ptr(si + WIDTH).cs(); mov al, dispi::VIRTUAL_WIDTH;);
    a.run("dispi_write")?;
    for register in [dispi::X_OFFSET, dispi::Y_OFFSET, dispi::BANK] {
        x86!(a: xor cx, cx; mov al, register;);
        a.run("dispi_write")?;
    }
    a.ret()
}

/// Function 03h: BX is the mode, with bits 14 and 15 as it was set.
fn get(a: &mut Asm) -> Built {
    a.name("vbe_get_mode")?;
    a.run("vbe_current")?;
    a.when_else(
        Is::Below,
        |a| {
            x86!(a: movzx bx, byte_ptr(bda::MODE); cmp bl, SVGA_PLANAR;);
            a.when(Is::Equal, |a| a.mov(bx, SVGA_NUMBER))?;
            a.when(Is::Above, |a| {
                x86!(a: sub bl, TEXT_NUMBERS; inc bh;);
                Ok(())
            })?;
            x86!(a: mov al, byte_ptr(bda::CONTROL); and al, BH_KEEP; or bh, al;);
            Ok(())
        },
        |a| {
            x86!(a: mov bx, word_ptr(si + NUMBER).cs(); mov al, dispi::ENABLE;);
            a.run("dispi_read")?;
            // Its bits 6 and 7 are our 14 and 15.
            x86!(a: and al, dispi::LINEAR | dispi::KEEP_MEMORY; or bh, al;);
            Ok(())
        },
    )?;
    x86!(a: mov word_ptr(bp + frame::BX), bx;);
    a.go("vbe_done")
}
