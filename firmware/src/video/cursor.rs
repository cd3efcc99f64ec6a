//! The cursor, the pages and the start of the screen: INT 10h, AH=01h, 02h, 03h, 05h.

use super::modes::{LAST, Model};
use super::prelude::*;

/// CRT controller: the cursor's first line; bit 5 hides it.
const CURSOR_FIRST: i32 = 0x0A;
const CURSOR_LAST: i32 = 0x0B;
/// CRT controller: high bytes of the start address and of the cursor's; the low bytes follow.
const START_HIGH: i32 = 0x0C;
const CURSOR_HIGH: i32 = 0x0E;

pub(crate) fn emit(a: &mut Asm) -> Built {
    set_shape(a)?;
    set_cursor(a)?;
    get_cursor(a)?;
    place_cursor(a)?;
    set_page(a)
}

/// AH=01h: lines CH to CL, in lines of an 8x8 character unless the emulation is off.
fn set_shape(a: &mut Asm) -> Built {
    a.name("set_cursor_shape")?;
    x86!(a: mov word_ptr(bda::CURSOR_SHAPE), cx;);
    a.run("get_model")?;
    x86!(a: cmp si, Model::Text as i32;);
    a.when(Is::NotEqual, |a| a.ret())?;
    a.run("translate_shape")?;
    x86!(a:
        mov dx, word_ptr(bda::CRTC_PORT);
        mov al, CURSOR_FIRST;
        mov ah, ch;
        out dx, ax;
        mov al, CURSOR_LAST;
        mov ah, cl;
        out dx, ax;
        ret;
    );
    // CX, said for eight lines, becomes CX for the font's lines. An underline (at most three lines that start at line
    // 5 or below) keeps its distance from the character's foot, anything else is stretched.
    a.name("translate_shape")?;
    x86!(a: test byte_ptr(bda::CONTROL), bda::CONTROL_NO_EMULATION;);
    a.when(Is::NONZERO, |a| a.ret())?;
    x86!(a: test ch, 0x20;);
    a.when(Is::NONZERO, |a| a.ret())?;
    x86!(a: and cx, 0x1F1F; cmp cl, 7;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: cmp ch, cl;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: mov bl, byte_ptr(bda::CHAR_HEIGHT); cmp bl, 8;);
    a.when(Is::BelowOrEqual, |a| a.ret())?;
    x86!(a: cmp ch, 5;);
    a.when_else(
        Is::AboveOrEqual,
        |a| {
            x86!(a: sub bl, 9; add ch, bl; add cl, bl;);
            Ok(())
        },
        |a| {
            x86!(a:
                mov al, ch;
                mul bl;
                shr ax, 3;
                mov ch, al;
                mov al, cl;
                inc al;
                mul bl;
                shr ax, 3;
                dec ax;
                mov cl, al;
            );
            Ok(())
        },
    )?;
    a.ret()
}

/// AH=02h: row DH, column DL of page BH.
fn set_cursor(a: &mut Asm) -> Built {
    a.name("set_cursor")?;
    x86!(a:
        and bh, 7;
        movzx si, bh;
        add si, si;
        mov word_ptr(si + bda::CURSORS), dx;
        cmp bh, byte_ptr(bda::PAGE);
    );
    a.go_if(Is::Equal, "place_cursor")?;
    a.ret()
}

/// AH=03h: where it is in page BH, and its shape.
fn get_cursor(a: &mut Asm) -> Built {
    a.name("get_cursor")?;
    a.run("page_cursor")?;
    x86!(a:
        mov word_ptr(bp + frame::DX), dx;
        mov ax, word_ptr(bda::CURSOR_SHAPE);
        mov word_ptr(bp + frame::CX), ax;
        ret;
    );
    a.name("page_cursor")?;
    // DX: the cursor of page BH. Changes SI, and BH to a page that exists.
    x86!(a: and bh, 7; movzx si, bh; add si, si; mov dx, word_ptr(si + bda::CURSORS); ret;);
    Ok(())
}

/// `place_cursor`: tells the CRT controller where the active page's cursor is. Changes AX, BX, DX, SI.
fn place_cursor(a: &mut Asm) -> Built {
    a.name("place_cursor")?;
    x86!(a: mov bh, byte_ptr(bda::PAGE););
    a.run("page_cursor")?;
    x86!(a:
        mov al, dh;
        mul byte_ptr(bda::COLUMNS);
        movzx bx, dl;
        add bx, ax;
        mov ax, word_ptr(bda::PAGE_START);
        shr ax, 1;
        add bx, ax;
        mov al, CURSOR_HIGH;
    );
    a.go("write_crtc_pair")?;
    a.name("write_crtc_pair")?;
    // BX to the registers AL and AL+1. Changes AX, DX.
    x86!(a:
        mov dx, word_ptr(bda::CRTC_PORT);
        mov ah, bh;
        out dx, ax;
        inc ax;
        mov ah, bl;
        out dx, ax;
        ret;
    );
    Ok(())
}

/// AH=05h: shows page AL.
fn set_page(a: &mut Asm) -> Built {
    a.name("set_page")?;
    x86!(a: cmp al, 7;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: cmp byte_ptr(bda::MODE), LAST;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a:
        mov byte_ptr(bda::PAGE), al;
        movzx ax, al;
        mul word_ptr(bda::PAGE_SIZE);
        mov word_ptr(bda::PAGE_START), ax;
        mov bx, ax;
    );
    a.run("get_model")?;
    // The CRT controller counts bytes of a plane; characters and CGA pixels lie in two of them.
    x86!(a: cmp si, Model::Planar as i32;);
    a.when(Is::Below, |a| a.shr(bx, 1))?;
    x86!(a: cmp si, Model::Linear as i32;);
    a.when(Is::Equal, |a| a.shr(bx, 2))?;
    x86!(a: mov al, START_HIGH;);
    a.run("write_crtc_pair")?;
    a.go("place_cursor")
}
