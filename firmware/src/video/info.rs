//! What there is: INT 10h, AH=1Ah and 1Bh, and the save pointer tables.

use super::modes::{LAST, Model};
use super::prelude::*;

/// Pairs of active and other display by [`bda::DISPLAY`]; 8 is a VGA with a colour display, 7 with a monochrome one.
const COMBINATIONS: [[u8; 2]; 16] = [
    [0, 0],
    [0, 1],
    [0, 2],
    [2, 1],
    [0, 4],
    [4, 1],
    [0, 5],
    [2, 5],
    [0, 6],
    [6, 1],
    [6, 5],
    [0, 8],
    [1, 8],
    [0, 7],
    [2, 7],
    [6, 7],
];

/// Bytes that AH=1Bh returns.
const STATE_SIZE: i32 = 0x40;

pub(crate) fn emit(a: &mut Asm) -> Built {
    tables(a)?;
    display_combination(a)?;
    functionality(a)?;
    picture(a)
}

/// The save pointer tables, far pointers into the image; so the segment is ours.
fn tables(a: &mut Asm) -> Built {
    // An option ROM of a VGA runs at C0000h.
    let far = |a: &mut Asm, name: &'static str| -> Built {
        let [low, high, ..] = a.offset(name).to_le_bytes();
        a.db(&[low, high, 0x00, 0xC0])
    };
    a.name("save_pointers")?;
    far(a, "parameters")?;
    a.db(&[0; 12])?;
    far(a, "more_save_pointers")?;
    a.db(&[0; 8])?;
    a.name("more_save_pointers")?;
    a.db(&[0x1A, 0x00])?;
    far(a, "combination_table")?;
    a.db(&[0; 20])?;

    // Entries, version, the highest display number.
    a.data("combination_table", &[16, 1, 8, 0])?;
    a.data("combinations", COMBINATIONS.as_flattened())?;

    // All modes 0 to 7, 0Dh to 13h; 200, 350 and 400 lines; eight blocks of glyphs, two at a time; every function of
    // the first byte, all but the light pen of the second; the save pointers that we follow.
    a.data(
        "functions",
        &[
            0xFF, 0xE0, 0x0F, 0, 0, 0, 0, 0x07, 8, 2, 0xFF, 0x0E, 0, 0, 0x2E, 0,
        ],
    )
}

/// AH=1Ah: AL=0 gets the displays into BL (active) and BH; AL=1 sets them.
fn display_combination(a: &mut Asm) -> Built {
    a.name("display_combination")?;
    let combinations = a.offset("combinations");
    x86!(a: cmp al, 1;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: mov byte_ptr(bp + frame::AL), 0x1A;);
    a.when(Is::Equal, |a| {
        x86!(a: xor si, si;);
        a.until(Is::Equal, |a| {
            x86!(a: mov ax, word_ptr(si + combinations).cs(); cmp ax, bx;);
            a.go_if(Is::Equal, "combination_found")?;
            x86!(a: xchg ah, al; cmp ax, bx;);
            a.go_if(Is::Equal, "combination_found")?;
            x86!(a: add si, 2; cmp si, 32;);
            Ok(())
        })?;
        a.ret()?;
        a.name("combination_found")?;
        x86!(a: shr si, 1; mov ax, si; mov byte_ptr(bda::DISPLAY), al; ret;);
        Ok(())
    })?;
    x86!(a:
        movzx si, byte_ptr(bda::DISPLAY);
        and si, 15;
        add si, si;
        mov ax, word_ptr(si + combinations).cs();
        cmp al, 0;
    );
    // One display alone is the active one.
    a.when(Is::Equal, |a| a.xchg(ah, al))?;
    x86!(a: mov word_ptr(bp + frame::BX), ax; ret;);
    Ok(())
}

/// AH=1Bh, BX=0: what can be done and what is, as 64 bytes at ES:DI.
fn functionality(a: &mut Asm) -> Built {
    a.name("functionality")?;
    x86!(a: test bx, bx;);
    a.when(Is::NONZERO, |a| a.ret())?;
    let functions = a.offset("functions");
    x86!(a:
        push di;
        xor ax, ax;
        mov cx, STATE_SIZE / 2;
        rep_stosw;
        pop di;
        push di;
        mov ax, functions;
        stosw;
        mov ax, cs;
        stosw;
        // The data area from the mode to the colour register.
        mov si, bda::MODE;
        mov cx, bda::CGA_COLOUR + 1 - bda::MODE;
        rep_movsb;
        mov al, byte_ptr(bda::LAST_ROW);
        inc al;
        stosb;
        mov ax, word_ptr(bda::CHAR_HEIGHT);
        stosw;
    );
    let combinations = a.offset("combinations");
    x86!(a:
        movzx si, byte_ptr(bda::DISPLAY);
        and si, 15;
        add si, si;
        mov ax, word_ptr(si + combinations).cs();
        cmp al, 0;
    );
    a.when(Is::Equal, |a| a.xchg(ah, al))?;
    x86!(a: stosw;);
    a.run("picture")?;
    // Colours, pages, lines.
    x86!(a: mov ax, bx; stosw; mov al, dh; stosb; mov al, dl; stosb;);
    // The blocks of glyphs: sequencer register 3, bits 5 3 2 and 4 1 0.
    x86!(a:
        push di;
        mov dx, ports::SEQUENCER;
        mov al, 3;
        out dx, al;
        inc dx;
        in_ al, dx;
        pop di;
        mov ah, al;
        mov bl, al;
        and bl, 3;
        test al, 0x10;
    );
    a.when(Is::NONZERO, |a| a.or(bl, 4))?;
    x86!(a: shr al, 2; and al, 3; test ah, 0x20;);
    a.when(Is::NONZERO, |a| a.or(al, 4))?;
    x86!(a: stosb; mov al, bl; stosb;);
    flags(a)?;
    x86!(a: pop di; mov byte_ptr(di + 0x31).es(), 3; mov byte_ptr(bp + frame::AL), 0x1B; ret;);
    Ok(())
}

/// The miscellaneous byte: all modes on all displays, and the switches of AH=12h and 10h.
fn flags(a: &mut Asm) -> Built {
    x86!(a: mov bl, 0x01; test byte_ptr(bda::FLAGS), bda::FLAG_GREY;);
    a.when(Is::NONZERO, |a| a.or(bl, 0x02))?;
    x86!(a: cmp word_ptr(bda::CRTC_PORT), ports::CRTC_MONO;);
    a.when(Is::Equal, |a| a.or(bl, 0x04))?;
    x86!(a: test byte_ptr(bda::FLAGS), bda::FLAG_KEEP_PALETTE;);
    a.when(Is::NONZERO, |a| a.or(bl, 0x08))?;
    x86!(a: test byte_ptr(bda::CONTROL), bda::CONTROL_NO_EMULATION;);
    a.when(Is::ZERO, |a| a.or(bl, 0x10))?;
    x86!(a: test byte_ptr(bda::CGA_MODE), 0x20;);
    a.when(Is::NONZERO, |a| a.or(bl, 0x20))?;
    x86!(a: mov al, bl; stosb;);
    Ok(())
}

/// `picture`: BX the colours of the mode, DH its pages, DL its lines (0: 200, 1: 350, 2: 400, 3: 480). Keeps DI, ES.
fn picture(a: &mut Asm) -> Built {
    a.name("picture")?;
    x86!(a:
        push es;
        push di;
        mov bx, 16;
        mov dx, 0x0102;
        mov al, byte_ptr(bda::MODE);
        cmp al, LAST;
    );
    a.go_if(Is::Above, "picture_done")?;
    a.run("find_parameters")?;
    x86!(a: mov al, byte_ptr(di + field_char_height()).es(););
    a.run("get_model")?;
    x86!(a: mov dx, 0x0800; mov bx, 16; cmp al, 8;);
    a.go_if(Is::Equal, "lines_known")?;
    x86!(a: inc dl; cmp al, 14;);
    a.go_if(Is::Equal, "lines_known")?;
    x86!(a: inc dl; cmp si, Model::Text as i32;);
    a.when(Is::NotEqual, |a| a.inc(dl))?;
    a.name("lines_known")?;
    // Pages in 32 KiB of text, 16 KiB of CGA, 64 KiB of planes.
    x86!(a: mov al, byte_ptr(bda::MODE); cmp si, Model::Text as i32;);
    a.when_else(
        Is::Equal,
        |a| {
            x86!(a: cmp al, 7;);
            a.when(Is::Equal, |a| a.mov(bx, 0))
        },
        |a| {
            for (mode, colours, pages) in [
                (0x04, 4, 1),
                (0x05, 4, 1),
                (0x06, 2, 1),
                (0x0D, 16, 8),
                (0x0E, 16, 4),
                (0x0F, 0, 2),
                (0x10, 16, 2),
                (0x11, 2, 1),
                (0x12, 16, 1),
                (0x13, 256, 1),
            ] {
                x86!(a: cmp al, mode;);
                a.when(Is::Equal, |a| {
                    x86!(a: mov bx, colours; mov dh, pages;);
                    Ok(())
                })?;
            }
            Ok(())
        },
    )?;
    a.name("picture_done")?;
    x86!(a: pop di; pop es; ret;);
    Ok(())
}

const fn field_char_height() -> i32 {
    super::parameters::field::CHAR_HEIGHT
}
