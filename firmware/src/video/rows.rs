//! Rows of characters copied and filled in graphics modes, for scrolling; see `scroll` in [`super::text`] for what
//! the routines get and keep.

use super::glyph::{CGA_BANK, CGA_PITCH, CGA_ROW};
use super::modes::LAST;
use super::prelude::*;

pub(crate) fn emit(a: &mut Asm) -> Built {
    cga(a)?;
    planar(a)?;
    linear(a)?;
    banked_copy(a)
}

/// Lines in two banks. The fill is BH as it is, four or eight pixels.
fn cga(a: &mut Asm) -> Built {
    for (copy, fill, bytes) in [
        ("copy_cga4_row", "fill_cga4_row", 2),
        ("copy_cga2_row", "fill_cga2_row", 1),
    ] {
        a.name(copy)?;
        x86!(a: push bx; push cx; push dx; push ds; push es; pop ds;);
        x86!(a: movzx si, dl; imul_3 si, si, CGA_ROW; movzx di, dh; imul_3 di, di, CGA_ROW;);
        x86!(a: movzx ax, cl; movzx cx, ch;);
        if bytes == 2 {
            x86!(a: add ax, ax; add cx, cx;);
        }
        x86!(a: add si, ax; add di, ax; mov dx, cx; mov bx, 4;);
        a.until(Is::ZERO, |a| {
            for step in [CGA_BANK, CGA_PITCH - CGA_BANK] {
                x86!(a: mov cx, dx; rep_movsb; sub si, dx; sub di, dx; add si, step; add di, step;);
            }
            a.dec(bx)
        })?;
        x86!(a: pop ds; pop dx; pop cx; pop bx; ret;);

        a.name(fill)?;
        x86!(a:
            push bx;
            push cx;
            push dx;
            movzx di, dh;
            imul_3 di, di, CGA_ROW;
            mov al, bh;
            movzx dx, ch;
            movzx cx, cl;
        );
        if bytes == 2 {
            x86!(a: add cx, cx; add dx, dx;);
        }
        x86!(a: add di, cx; mov bx, 4;);
        a.until(Is::ZERO, |a| {
            for step in [CGA_BANK, CGA_PITCH - CGA_BANK] {
                x86!(a: mov cx, dx; rep_stosb; sub di, dx; add di, step;);
            }
            a.dec(bx)
        })?;
        x86!(a: pop dx; pop cx; pop bx; ret;);
    }
    Ok(())
}

/// Four planes at once: copied through the latches, filled by set/reset.
fn planar(a: &mut Asm) -> Built {
    a.name("copy_planar_row")?;
    x86!(a: pushad;);
    a.run("row_pixels")?;
    x86!(a:
        push dx;
        mov dx, ports::GRAPHICS;
        mov ax, 0x0105;
        out dx, ax;
        pop dx;
        cmp byte_ptr(bda::MODE), LAST;
    );
    a.when_else(
        Is::BelowOrEqual,
        |a| a.run("copy_lines"),
        |a| {
            // Either end may be in another window, but the latches keep what was read.
            a.until(Is::ZERO, |a| {
                x86!(a: push esi; push edi; push ecx;);
                a.until(Is::ZERO, |a| {
                    x86!(a: xchg esi, edi;);
                    a.run("map_window")?;
                    x86!(a: mov al, byte_ptr(di).es(); xchg esi, edi;);
                    a.run("map_window")?;
                    x86!(a: mov byte_ptr(di).es(), al; inc esi; inc edi; dec ecx;);
                    Ok(())
                })?;
                x86!(a: pop ecx; pop edi; pop esi; add esi, ebx; add edi, ebx; dec dx;);
                Ok(())
            })
        },
    )?;
    a.run("planar_ready")?;
    x86!(a: popad; ret;);

    a.name("fill_planar_row")?;
    x86!(a: pushad; mov dl, dh; push bx;);
    a.run("planar_ready_keeping_dx")?;
    x86!(a:
        pop ax;
        push dx;
        mov dx, ports::GRAPHICS;
        and ah, 0x0F;
        mov al, 0;
        out dx, ax;
        mov ax, 0x0F01;
        out dx, ax;
        pop dx;
    );
    a.run("row_pixels")?;
    x86!(a: mov al, 0;);
    a.run("fill_lines")?;
    x86!(a: mov dx, ports::GRAPHICS; mov ax, 0x0000; out dx, ax;);
    a.run("planar_ready")?;
    x86!(a: popad; ret;);

    a.name("planar_ready_keeping_dx")?;
    x86!(a: push dx;);
    a.run("planar_ready")?;
    x86!(a: pop dx; ret;);

    // From CL, CH, DH, DL: EDI where the row DH starts, ESI where DL does, ECX the bytes of a line of it, EBX the
    // pitch, DX the lines.
    a.name("row_pixels")?;
    x86!(a: mov bh, byte_ptr(bda::PAGE); push cx; push dx; mov dh, dl; mov dl, cl;);
    a.run("cell_pixels")?;
    x86!(a: pop dx; push edi; mov dl, cl;);
    a.run("cell_pixels")?;
    a.run("line_pitch")?;
    x86!(a: mov ebx, eax; mov ax, 1; cmp si, super::modes::Model::Linear as i32;);
    a.when(Is::Equal, |a| {
        a.run("pixel_bytes")?;
        x86!(a: movzx ax, al; shl ax, 3;);
        Ok(())
    })?;
    x86!(a:
        pop esi;
        pop cx;
        movzx ecx, ch;
        movzx eax, ax;
        imul_2 ecx, eax;
        mov dx, word_ptr(bda::CHAR_HEIGHT);
        ret;
    );

    // DX lines of CX bytes from SI to DI, BX apart, in one window.
    a.name("copy_lines")?;
    x86!(a: push ds; push es; pop ds;);
    a.until(Is::ZERO, |a| {
        x86!(a:
            push si;
            push di;
            push cx;
            rep_movsb;
            pop cx;
            pop di;
            pop si;
            add si, bx;
            add di, bx;
            dec dx;
        );
        Ok(())
    })?;
    x86!(a: pop ds; ret;);

    // DX lines of ECX bytes AL at EDI, EBX apart, in any window.
    a.name("fill_lines")?;
    a.until(Is::ZERO, |a| {
        x86!(a: push edi; push cx;);
        a.run("map_window")?;
        a.count_cx(|a| {
            x86!(a: mov byte_ptr(di).es(), al; inc edi; test di, di;);
            a.when(Is::ZERO, |a| a.run("map_window"))
        })?;
        x86!(a: pop cx; pop edi; add edi, ebx; dec dx;);
        Ok(())
    })?;
    a.ret()
}

fn linear(a: &mut Asm) -> Built {
    a.name("copy_linear_row")?;
    x86!(a: pushad;);
    a.run("row_pixels")?;
    x86!(a: cmp byte_ptr(bda::MODE), LAST;);
    a.when_else(
        Is::BelowOrEqual,
        |a| a.run("copy_lines"),
        |a| a.run("copy_banked_lines"),
    )?;
    x86!(a: popad; ret;);

    a.name("fill_linear_row")?;
    x86!(a: pushad; mov dl, dh; push bx;);
    a.run("row_pixels")?;
    x86!(a: pop ax; push ebx; mov bl, ah; push edx;);
    a.run("pixel_colour")?;
    // ESI: the colour.
    x86!(a: mov esi, edx; pop edx;);
    a.run("pixel_bytes")?;
    x86!(a: mov ah, al; pop ebx;);
    a.until(Is::ZERO, |a| {
        x86!(a: push edi; push cx; push bx; push ax; mov bh, ah;);
        a.run("map_window")?;
        a.until(Is::ZERO, |a| {
            x86!(a: mov eax, esi;);
            a.run("put_pixel")?;
            x86!(a: movzx ax, bh; sub cx, ax;);
            Ok(())
        })?;
        x86!(a: pop ax; pop bx; pop cx; pop edi; add edi, ebx; dec dx;);
        Ok(())
    })?;
    x86!(a: popad; ret;);
    Ok(())
}

/// `copy_banked_lines`: DX lines of ECX bytes from ESI to EDI, EBX apart, anywhere in video memory. Lines and cells
/// are multiples of eight bytes, so eight at a time never cross a window.
fn banked_copy(a: &mut Asm) -> Built {
    a.name("copy_banked_lines")?;
    a.until(Is::ZERO, |a| {
        x86!(a: push esi; push edi; push ecx; push edx; shr ecx, 3;);
        a.until(Is::ZERO, |a| {
            x86!(a: xchg esi, edi;);
            a.run("map_window")?;
            x86!(a: mov eax, dword_ptr(di).es(); mov edx, dword_ptr(di + 4).es(); xchg esi, edi;);
            a.run("map_window")?;
            x86!(a:
                mov dword_ptr(di).es(), eax;
                mov dword_ptr(di + 4).es(), edx;
                add esi, 8;
                add edi, 8;
                dec ecx;
            );
            Ok(())
        })?;
        x86!(a: pop edx; pop ecx; pop edi; pop esi; add esi, ebx; add edi, ebx; dec dx;);
        Ok(())
    })?;
    a.ret()
}
