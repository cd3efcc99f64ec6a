//! Fonts: INT 10h, AH=11h, and what a mode set loads.
//!
//! In text modes the glyphs lie in plane 2, 32 bytes each, in eight blocks of 256.

use super::modes::Model;
use super::parameters::field;
use super::prelude::*;

/// Interrupt vectors of the glyphs of graphics modes.
const GLYPHS: i32 = 4 * 0x43;
const UPPER_GLYPHS: i32 = 4 * 0x1F;
/// Offsets in the save pointer table.
const TEXT_OVERRIDE: i32 = 8;
const GRAPHICS_OVERRIDE: i32 = 12;

/// CRT controller registers that say how tall a character is.
const OVERFLOW: i32 = 0x07;
const MAX_LINE: i32 = 0x09;
const DISPLAY_END: i32 = 0x12;
const UNDERLINE: i32 = 0x14;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.name("fonts")?;
    a.select_al(&[
        (0x03, "select_blocks"),
        (0x20, "set_upper_glyphs"),
        (0x21, "set_glyphs"),
        (0x22, "set_glyphs_8x14"),
        (0x23, "set_glyphs_8x8"),
        (0x24, "set_glyphs_8x16"),
        (0x30, "get_font"),
    ])?;
    load(a)?;
    load_glyphs(a)?;
    font_access(a)?;
    fit_rows(a)?;
    graphics_glyphs(a)?;
    information(a)?;
    mode_font(a)?;
    overrides(a)
}

/// AL=00h to 04h and 10h to 14h: a font into block BL; 1xh makes the screen's rows fit it. AL=03h chooses the blocks.
fn load(a: &mut Asm) -> Built {
    x86!(a:
        push fs;
        mov ah, al;
        and al, 0xEF;
        mov si, word_ptr(bp + frame::BP);
        push es;
        pop fs;
        cmp al, 0;
    );
    a.when(Is::NotEqual, |a| {
        x86!(a: push cs; pop fs; xor dx, dx; mov cx, 256;);
        for (service, font, height) in [
            (1, "font_8x14", 14),
            (2, "font_8x8", 8),
            (4, "font_8x16", 16),
        ] {
            x86!(a: cmp al, service;);
            a.when(Is::Equal, |a| {
                a.point(si, font)?;
                x86!(a: mov bh, height; mov al, 0;);
                Ok(())
            })?;
        }
        x86!(a: cmp al, 0;);
        a.when(Is::NotEqual, |a| {
            x86!(a: pop fs; ret;);
            Ok(())
        })
    })?;
    x86!(a: push ax;);
    a.run("load_glyphs")?;
    x86!(a: pop ax; pop fs; test ah, 0x10;);
    a.go_if(Is::NONZERO, "fit_rows")?;
    a.ret()?;

    a.name("select_blocks")?;
    x86!(a: mov dx, ports::SEQUENCER; mov al, 3; mov ah, bl; out dx, ax; ret;);
    Ok(())
}

/// `load_glyphs`: CX glyphs of BH lines at FS:SI become characters from DX on in block BL. Keeps BX, DS, FS.
fn load_glyphs(a: &mut Asm) -> Built {
    a.name("load_glyphs")?;
    x86!(a: test cx, cx;);
    a.when(Is::ZERO, |a| a.ret())?;
    x86!(a: cmp bh, 32;);
    a.when(Is::Above, |a| a.ret())?;
    // Blocks 0 to 3 lie 4000h apart, 4 to 7 between them.
    x86!(a: movzx di, bl; and di, 3; shl di, 14; test bl, 4;);
    a.when(Is::NONZERO, |a| a.add(di, 0x2000))?;
    x86!(a: and dx, 0xFF; shl dx, 5; add di, dx;);
    a.run("open_fonts")?;
    a.count_cx(|a| {
        x86!(a: push cx; movzx cx, bh; push di; test cx, cx;);
        a.when(Is::NONZERO, |a| {
            a.count_cx(|a| {
                x86!(a: mov al, byte_ptr(si).fs(); inc si; stosb;);
                Ok(())
            })
        })?;
        x86!(a: pop di; add di, 32; pop cx;);
        Ok(())
    })?;
    a.go("close_fonts")
}

/// Plane 2 alone at A000h, byte by byte; and back to how text modes see the planes.
fn font_access(a: &mut Asm) -> Built {
    let write = |a: &mut Asm, port: i32, settings: &[i32]| -> Built {
        a.mov(dx, port)?;
        for setting in settings {
            x86!(a: mov ax, *setting; out dx, ax;);
        }
        Ok(())
    };
    // ES at the glyphs. Changes AX, DX.
    a.name("open_fonts")?;
    write(a, ports::SEQUENCER, &[0x0100, 0x0402, 0x0704, 0x0300])?;
    write(
        a,
        ports::GRAPHICS,
        &[0x0001, 0x0003, 0x0204, 0x0005, 0x0406, 0xFF08],
    )?;
    x86!(a: mov ax, 0xA000; mov es, ax; ret;);

    // Changes AX, DX.
    a.name("close_fonts")?;
    write(a, ports::SEQUENCER, &[0x0100, 0x0302, 0x0304, 0x0300])?;
    write(a, ports::GRAPHICS, &[0x0004, 0x1005])?;
    x86!(a: mov ax, 0x0E06; cmp word_ptr(bda::CRTC_PORT), ports::CRTC_MONO;);
    a.when(Is::Equal, |a| a.mov(ah, 0x0A))?;
    x86!(a: out dx, ax; ret;);
    Ok(())
}

/// `fit_rows`: as many rows of characters of BH lines as the mode has room for.
fn fit_rows(a: &mut Asm) -> Built {
    a.name("fit_rows")?;
    x86!(a: cmp bh, 2;);
    a.when(Is::Below, |a| a.ret())?;
    x86!(a:
        movzx cx, bh;
        mov word_ptr(bda::CHAR_HEIGHT), cx;
        mov al, byte_ptr(bda::MODE);
        cmp al, super::modes::LAST;
    );
    a.when(Is::Above, |a| a.ret())?;
    a.run("find_parameters")?;
    // The mode's lines: 25 rows of its own characters.
    x86!(a:
        mov al, 25;
        mul byte_ptr(di + field::CHAR_HEIGHT).es();
        div cl;
        movzx bx, al;
        dec al;
        mov byte_ptr(bda::LAST_ROW), al;
        // A page: its characters, in whole 256 bytes.
        mov ax, bx;
        mul word_ptr(bda::COLUMNS);
        add ax, ax;
        add ax, 0xFF;
        mov al, 0;
        mov word_ptr(bda::PAGE_SIZE), ax;
    );
    // The lines of a character, keeping the doubling of lines.
    x86!(a:
        mov dx, word_ptr(bda::CRTC_PORT);
        mov al, MAX_LINE;
        out dx, al;
        inc dx;
        in_ al, dx;
        mov ah, al;
        and al, 0xE0;
        or al, cl;
        dec al;
        out dx, al;
        dec dx;
    );
    // The end of the display: rows times lines, less one, in real lines.
    x86!(a: imul_2 bx, cx; test ah, 0x80;);
    a.when(Is::NONZERO, |a| a.add(bx, bx))?;
    x86!(a: dec bx; mov al, DISPLAY_END; mov ah, bl; out dx, ax;);
    // Its bits 8 and 9 are bits 1 and 6 of the overflow register, which is locked by bit 7 of register 11h.
    x86!(a:
        mov al, 0x11;
        out dx, al;
        inc dx;
        in_ al, dx;
        push ax;
        and al, 0x7F;
        out dx, al;
        dec dx;
        mov al, OVERFLOW;
        out dx, al;
        inc dx;
        in_ al, dx;
        and al, !0x42;
        test bh, 1;
    );
    a.when(Is::NONZERO, |a| a.or(al, 0x02))?;
    x86!(a: test bh, 2;);
    a.when(Is::NONZERO, |a| a.or(al, 0x40))?;
    x86!(a:
        out dx, al;
        dec dx;
        pop ax;
        mov ah, al;
        mov al, 0x11;
        out dx, ax;
        cmp byte_ptr(bda::MODE), 7;
    );
    a.when(Is::Equal, |a| {
        x86!(a: mov ah, cl; dec ah; mov al, UNDERLINE; out dx, ax;);
        Ok(())
    })?;
    x86!(a: mov cx, word_ptr(bda::CURSOR_SHAPE););
    a.run("set_cursor_shape")?;
    a.go("place_cursor")
}

/// AL=20h to 24h: the glyphs of graphics modes, and how many rows there are.
fn graphics_glyphs(a: &mut Asm) -> Built {
    a.name("set_upper_glyphs")?;
    x86!(a: mov di, UPPER_GLYPHS; mov si, word_ptr(bp + frame::BP););
    a.go("set_vector")?;
    for (name, font, height) in [
        ("set_glyphs_8x14", "font_8x14", 14),
        ("set_glyphs_8x8", "font_8x8", 8),
        ("set_glyphs_8x16", "font_8x16", 16),
    ] {
        a.name(name)?;
        a.point(si, font)?;
        x86!(a: push cs; pop es; mov cx, height;);
        a.go("set_glyphs_and_rows")?;
    }
    a.name("set_glyphs")?;
    x86!(a: mov si, word_ptr(bp + frame::BP););
    a.name("set_glyphs_and_rows")?;
    // BL: 0 means DL rows, 1 to 3 mean 14, 25 and 43.
    x86!(a: mov word_ptr(bda::CHAR_HEIGHT), cx; mov al, dl; cmp bl, 1;);
    a.when(Is::Equal, |a| a.mov(al, 14))?;
    x86!(a: cmp bl, 2;);
    a.when(Is::Equal, |a| a.mov(al, 25))?;
    x86!(a: cmp bl, 3;);
    a.when(Is::Equal, |a| a.mov(al, 43))?;
    x86!(a: dec al; mov byte_ptr(bda::LAST_ROW), al; mov di, GLYPHS;);
    a.name("set_vector")?;
    // ES:SI into the vector at DI.
    x86!(a: push ds; push 0; pop ds; mov word_ptr(di), si; mov word_ptr(di + 2), es; pop ds; ret;);
    Ok(())
}

/// AL=30h: ES:BP at font BH, its height in CX, the last row in DL.
fn information(a: &mut Asm) -> Built {
    a.name("get_font")?;
    x86!(a:
        cmp bh, 7;
    );
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: push cs; pop es; xor si, si; push ds; push 0; pop ds; cmp bh, 1;);
    a.when(Is::Below, |a| a.les(si, dword_ptr(UPPER_GLYPHS)))?;
    a.when(Is::Equal, |a| a.les(si, dword_ptr(GLYPHS)))?;
    x86!(a: pop ds;);
    for (number, font, skip) in [
        (2, "font_8x14", 0),
        (3, "font_8x8", 0),
        (4, "font_8x8", 128 * 8),
        (5, "no_glyphs", 0),
        (6, "font_8x16", 0),
        (7, "no_glyphs", 0),
    ] {
        x86!(a: cmp bh, number;);
        a.when(Is::Equal, |a| {
            let offset = a.offset(font) + skip;
            a.mov(si, offset)
        })?;
    }
    x86!(a:
        mov word_ptr(bp + frame::ES), es;
        mov word_ptr(bp + frame::BP), si;
        mov ax, word_ptr(bda::CHAR_HEIGHT);
        mov word_ptr(bp + frame::CX), ax;
        mov al, byte_ptr(bda::LAST_ROW);
        mov byte_ptr(bp + frame::DL), al;
        ret;
    );
    // The glyphs that differ when characters are nine dots wide: none do.
    a.data("no_glyphs", &[0, 0])
}

/// `mode_font`: the font of the mode that is being set: INT 43h, and block 0 in text modes.
fn mode_font(a: &mut Asm) -> Built {
    a.name("mode_font")?;
    a.point(si, "font_8x16")?;
    x86!(a: mov bh, byte_ptr(bda::CHAR_HEIGHT););
    for (height, font) in [(14, "font_8x14"), (8, "font_8x8")] {
        x86!(a: cmp bh, height;);
        a.when(Is::Equal, |a| a.point(si, font))?;
    }
    x86!(a: push cs; pop es; mov di, GLYPHS;);
    a.run("set_vector")?;
    x86!(a: push si;);
    a.run("get_model")?;
    x86!(a: mov ax, si; pop si; cmp ax, Model::Text as i32;);
    a.go_if(Is::NotEqual, "override_glyphs")?;
    x86!(a: push fs; push cs; pop fs; mov bl, 0; xor dx, dx; mov cx, 256;);
    a.run("load_glyphs")?;
    a.run("override_font")?;
    x86!(a: pop fs; ret;);
    Ok(())
}

/// The fonts that a program put behind the save pointers, with a list of the modes they are for.
fn overrides(a: &mut Asm) -> Built {
    // Height, block, count, first character, pointer, rows, modes.
    a.name("override_font")?;
    x86!(a: mov si, TEXT_OVERRIDE; mov cx, 11;);
    a.run("find_override")?;
    a.when(Is::NotEqual, |a| a.ret())?;
    x86!(a:
        mov bx, word_ptr(di).es();
        xchg bh, bl;
        mov cx, word_ptr(di + 2).es();
        mov dx, word_ptr(di + 4).es();
        lfs si, dword_ptr(di + 6).es();
    );
    a.run("load_glyphs")?;
    x86!(a: cmp bh, byte_ptr(bda::CHAR_HEIGHT););
    a.go_if(Is::NotEqual, "fit_rows")?;
    a.ret()?;

    // Rows, height (word), pointer, modes.
    a.name("override_glyphs")?;
    x86!(a: mov si, GRAPHICS_OVERRIDE; mov cx, 7;);
    a.run("find_override")?;
    a.when(Is::NotEqual, |a| a.ret())?;
    x86!(a:
        mov bl, 0;
        mov dl, byte_ptr(di).es();
        mov cx, word_ptr(di + 1).es();
        les si, dword_ptr(di + 3).es();
    );
    a.go("set_glyphs_and_rows")?;

    // ZF: the save pointer at offset SI leads to an override, now at ES:DI, whose list CX bytes on names our mode.
    a.name("find_override")?;
    x86!(a:
        les di, dword_ptr(bda::SAVE_POINTERS);
        add di, si;
        les di, dword_ptr(di).es();
        mov ax, es;
        or ax, di;
    );
    a.when(Is::ZERO, |a| {
        x86!(a: or al, 1; ret;);
        Ok(())
    })?;
    x86!(a: mov bx, di; add bx, cx;);
    a.until(Is::Equal, |a| {
        x86!(a: mov al, byte_ptr(bx).es(); inc bx; cmp al, 0xFF;);
        a.when(Is::Equal, |a| {
            x86!(a: or al, al; ret;);
            Ok(())
        })?;
        a.cmp(al, byte_ptr(bda::MODE))
    })?;
    a.ret()
}
