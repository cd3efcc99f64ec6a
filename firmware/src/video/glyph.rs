//! Characters drawn and recognized in graphics modes.

use super::dac;
use super::modes::Model;
use super::prelude::*;

/// Interrupt vectors that point at the glyphs: of all characters, and of the upper half in CGA modes.
const GLYPHS: i32 = 4 * 0x43;
const UPPER_GLYPHS: i32 = 4 * 0x1F;
/// Lines of a CGA mode lie in turns in two banks this far apart.
pub(crate) const CGA_BANK: i32 = 0x2000;
/// The bytes of a line of a CGA mode.
pub(crate) const CGA_PITCH: i32 = 80;
/// The bytes of a row of characters in each bank of a CGA mode.
pub(crate) const CGA_ROW: i32 = 4 * CGA_PITCH;

/// Lines of the tallest glyph that is recognized.
const MAX_HEIGHT: i32 = 32;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.offsets(
        "glyph_painters",
        &[
            "nothing",
            "paint_cga4",
            "paint_cga2",
            "paint_planar",
            "paint_linear",
        ],
    )?;
    for (name, depth) in [("pixels_15", 15), ("pixels_16", 16), ("pixels_24", 24)] {
        a.data(name, &dac::pixels(depth))?;
    }
    find_glyph(a)?;
    draw_glyph(a)?;
    paint_cga(a)?;
    cell_pixels(a)?;
    paint_planar(a)?;
    paint_linear(a)?;
    read_glyph(a)
}

/// `find_glyph`: FS:SI at the glyph of character AL; SI was the model. Changes AX, SI, FS.
fn find_glyph(a: &mut Asm) -> Built {
    a.name("find_glyph")?;
    x86!(a: push bx; xor bx, bx; mov fs, bx; mov bx, GLYPHS; cmp si, Model::Planar as i32;);
    a.when(Is::Below, |a| {
        x86!(a: test al, 0x80;);
        a.when(Is::NONZERO, |a| {
            x86!(a: mov bx, UPPER_GLYPHS; and al, 0x7F;);
            Ok(())
        })
    })?;
    x86!(a: mul byte_ptr(bda::CHAR_HEIGHT); lfs si, dword_ptr(bx).fs(); add si, ax; pop bx; ret;);
    Ok(())
}

/// `draw_glyph`: character AL in colour BL at DX of page BH; bit 7 of BL turns pixels over, where it is no colour.
/// Keeps all registers.
///
/// The painters get the glyph at FS:SI and its lines in CX, and may change everything but the segments.
fn draw_glyph(a: &mut Asm) -> Built {
    a.name("draw_glyph")?;
    x86!(a: pushad; push fs; push es;);
    a.run("get_model")?;
    a.run("video_segment")?;
    x86!(a: push si;);
    a.run("find_glyph")?;
    let painters = a.offset("glyph_painters");
    x86!(a:
        pop di;
        mov cx, word_ptr(bda::CHAR_HEIGHT);
        call word_ptr(di + painters).cs();
        pop es;
        pop fs;
        popad;
        ret;
    );
    Ok(())
}

/// Two and four colours: lines of one or two bytes in banks.
fn paint_cga(a: &mut Asm) -> Built {
    a.name("paint_cga4")?;
    x86!(a:
        movzx di, dh;
        imul_3 di, di, CGA_ROW;
        movzx ax, dl;
        add ax, ax;
        add di, ax;
        // The colour in all eight pixels of a word.
        mov al, bl;
        and al, 3;
        mov ah, 0x55;
        mul ah;
        mov bh, al;
    );
    a.count_cx(|a| {
        x86!(a: push cx; mov al, byte_ptr(si).fs(); inc si; mov cx, 8; xor dx, dx;);
        // Each bit twice.
        a.count_cx(|a| {
            x86!(a: shl dx, 2; shl al, 1;);
            a.when(Is::Below, |a| a.or(dl, 3))
        })?;
        x86!(a: pop cx; xchg dh, dl; mov al, bh; mov ah, bh; and dx, ax; test bl, 0x80;);
        a.when(Is::NONZERO, |a| a.xor(dx, word_ptr(di).es()))?;
        x86!(a: mov word_ptr(di).es(), dx;);
        next_cga_line(a)
    })?;
    a.ret()?;

    a.name("paint_cga2")?;
    x86!(a: movzx di, dh; imul_3 di, di, CGA_ROW; movzx ax, dl; add di, ax;);
    a.count_cx(|a| {
        x86!(a: mov al, byte_ptr(si).fs(); inc si; test bl, 0x80;);
        a.when(Is::NONZERO, |a| a.xor(al, byte_ptr(di).es()))?;
        x86!(a: mov byte_ptr(di).es(), al;);
        next_cga_line(a)
    })?;
    a.ret()
}

/// DI goes to the other bank, and every second time to its next line.
fn next_cga_line(a: &mut Asm) -> Built {
    x86!(a: xor di, CGA_BANK; test di, CGA_BANK;);
    a.when(Is::ZERO, |a| a.add(di, CGA_PITCH))
}

/// `cell_pixels`: EDI is where the cell DX of page BH starts in a planar or linear mode. Keeps all but SI, the model.
fn cell_pixels(a: &mut Asm) -> Built {
    a.name("cell_pixels")?;
    x86!(a: push eax; push ecx;);
    a.run("get_model")?;
    a.run("line_pitch")?;
    x86!(a:
        movzx ecx, dh;
        imul_2 eax, ecx;
        movzx ecx, byte_ptr(bda::CHAR_HEIGHT);
        imul_2 eax, ecx;
        mov edi, eax;
        movzx ecx, dl;
        cmp si, Model::Linear as i32;
    );
    a.when_else(
        Is::Equal,
        |a| {
            a.run("pixel_bytes")?;
            x86!(a: movzx eax, al; shl eax, 3; imul_2 ecx, eax;);
            Ok(())
        },
        |a| {
            x86!(a:
                movzx eax, bh;
                add edi, ecx;
                movzx ecx, word_ptr(bda::PAGE_SIZE);
                imul_2 ecx, eax;
            );
            Ok(())
        },
    )?;
    x86!(a: add edi, ecx; pop ecx; pop eax; ret;);
    Ok(())
}

/// Sixteen colours: a byte a line in each plane.
fn paint_planar(a: &mut Asm) -> Built {
    a.name("paint_planar")?;
    x86!(a: push si;);
    a.run("cell_pixels")?;
    x86!(a: pop si;);
    a.run("line_pitch")?;
    // draw_glyph keeps the frame's BP for us.
    x86!(a: push ebp; mov ebp, eax;);
    a.run("planar_ready")?;
    x86!(a: test bl, 0x80;);
    a.when(Is::NONZERO, |a| {
        x86!(a: mov dx, ports::GRAPHICS; mov ax, 0x1803; out dx, ax;);
        Ok(())
    })?;
    x86!(a: mov dx, ports::SEQUENCER;);
    a.count_cx(|a| {
        a.run("map_window")?;
        x86!(a: mov al, 2; test bl, 0x80;);
        a.when(Is::ZERO, |a| {
            x86!(a: mov ah, 0x0F; out dx, ax; mov byte_ptr(di).es(), 0;);
            Ok(())
        })?;
        x86!(a:
            mov ah, bl;
            and ah, 0x0F;
            out dx, ax;
            mov al, byte_ptr(si).fs();
            inc si;
            // Fills the latches, for XOR.
            mov ah, byte_ptr(di).es();
            mov byte_ptr(di).es(), al;
            add edi, ebp;
        );
        Ok(())
    })?;
    x86!(a: pop ebp;);
    a.go("planar_ready")?;

    a.name("planar_ready")?;
    // Write mode 0, all planes, all bits, data as it comes. Changes AX, DX.
    x86!(a: mov dx, ports::SEQUENCER; mov ax, 0x0F02; out dx, ax; mov dx, ports::GRAPHICS;);
    for setting in [0x0001, 0x0003, 0x0005, 0xFF08] {
        x86!(a: mov ax, setting; out dx, ax;);
    }
    a.ret()
}

/// Bytes to a pixel.
fn paint_linear(a: &mut Asm) -> Built {
    a.name("paint_linear")?;
    x86!(a: push si;);
    a.run("cell_pixels")?;
    x86!(a: pop si;);
    a.run("pixel_colour")?;
    a.run("line_pitch")?;
    x86!(a: push ebp; mov ebp, eax;);
    a.run("pixel_bytes")?;
    x86!(a: mov bh, al;);
    a.count_cx(|a| {
        a.run("map_window")?;
        x86!(a: push cx; push edi; mov ch, byte_ptr(si).fs(); inc si; mov cl, 8;);
        a.until(Is::ZERO, |a| {
            x86!(a: shl ch, 1; sbb eax, eax; and eax, edx;);
            a.run("put_pixel")?;
            a.dec(cl)
        })?;
        x86!(a: pop edi; pop cx; add edi, ebp;);
        Ok(())
    })?;
    x86!(a: pop ebp; ret;);

    a.name("put_pixel")?;
    // BH bytes of EAX go to EDI on, across windows. Changes EAX, EDI.
    x86!(a: push cx; movzx cx, bh;);
    a.count_cx(|a| {
        x86!(a: mov byte_ptr(di).es(), al; shr eax, 8; inc edi; test di, di;);
        a.when(Is::ZERO, |a| a.run("map_window"))
    })?;
    x86!(a: pop cx; ret;);

    a.name("pixel_colour")?;
    // EDX: colour BL as a pixel of the linear mode that is set. Changes AX.
    a.run("pixel_bytes")?;
    x86!(a: movzx edx, bl; cmp al, 1;);
    a.when(Is::Equal, |a| a.ret())?;
    x86!(a: push bx; and dx, 15; shl dx, 2; mov bx, dx; mov al, super::dispi::DEPTH;);
    a.run("dispi_read")?;
    a.point(dx, "pixels_24")?;
    for (depth, table) in [(15, "pixels_15"), (16, "pixels_16")] {
        x86!(a: cmp al, depth;);
        a.when(Is::Equal, |a| a.point(dx, table))?;
    }
    x86!(a: add bx, dx; mov edx, dword_ptr(bx).cs(); pop bx; ret;);
    Ok(())
}

/// AH=08h in graphics: the character whose glyph has its pixels where the cell is not colour 0; 0 if there is none.
fn read_glyph(a: &mut Asm) -> Built {
    a.name("read_glyph")?;
    x86!(a: mov byte_ptr(bp + frame::AL), 0; cmp word_ptr(bda::CHAR_HEIGHT), MAX_HEIGHT;);
    a.when(Is::Above, |a| a.ret())?;
    // The cell's pixels as a glyph of at most so many lines, on the stack.
    x86!(a:
        push fs;
        push bp;
        sub sp, MAX_HEIGHT;
        mov bp, sp;
        xor di, di;
        mov al, dh;
        mul byte_ptr(bda::CHAR_HEIGHT);
    );
    x86!(a: movzx cx, dl; shl cx, 3; mov dx, ax;);
    a.until(Is::Equal, |a| {
        x86!(a: push cx; push di; mov di, 8;);
        a.until(Is::ZERO, |a| {
            x86!(a: push bx; push di; push bp;);
            a.run("get_dot")?;
            x86!(a: pop bp; pop di; pop bx; neg eax; rcl bl, 1; inc cx; dec di;);
            Ok(())
        })?;
        x86!(a:
            pop di;
            pop cx;
            mov byte_ptr(bp + di), bl;
            inc dx;
            inc di;
            cmp di, word_ptr(bda::CHAR_HEIGHT);
        );
        Ok(())
    })?;
    x86!(a: xor bx, bx;);
    a.until(Is::ZERO, |a| {
        a.run("get_model")?;
        x86!(a: mov al, bl;);
        a.run("find_glyph")?;
        x86!(a: xor di, di;);
        a.until(Is::Equal, |a| {
            x86!(a: mov al, byte_ptr(si).fs(); inc si; cmp al, byte_ptr(bp + di););
            a.go_if(Is::NotEqual, "other_glyph")?;
            x86!(a: inc di; cmp di, word_ptr(bda::CHAR_HEIGHT););
            Ok(())
        })?;
        a.go("glyph_found")?;
        a.name("other_glyph")?;
        a.inc(bl)
    })?;
    a.name("glyph_found")?;
    x86!(a: add sp, MAX_HEIGHT; pop bp; pop fs; mov byte_ptr(bp + frame::AL), bl; ret;);
    Ok(())
}
