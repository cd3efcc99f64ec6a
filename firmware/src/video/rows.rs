//! Rows of characters copied and filled in graphics modes, for scrolling; see `scroll` in [`super::text`] for what
//! the routines get and keep.

use super::glyph::{CGA_BANK, CGA_PITCH, CGA_ROW};
use super::modes::{LAST, Model, VBE_PLANAR};
use super::prelude::*;

/// Bytes copied from window to window at once. They lie on the caller's stack.
const CHUNK: i32 = 128;

pub(crate) fn emit(a: &mut Asm) -> Built {
    cga(a)?;
    planar(a)?;
    addresses(a)?;
    linear(a)?;
    banked_planes(a)?;
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
    // Write mode 1: what the latches hold.
    x86!(a: push dx; mov dx, ports::GRAPHICS; mov ax, 0x0105; out dx, ax; pop dx;);
    x86!(a: cmp byte_ptr(bda::MODE), VBE_PLANAR;);
    a.when_else(
        Is::Below,
        |a| a.run("copy_lines"),
        |a| a.run("copy_banked_planes"),
    )?;
    a.run("planar_ready")?;
    x86!(a: popad; ret;);

    a.name("fill_planar_row")?;
    x86!(a: pushad; mov dl, dh; push dx; push bx;);
    a.run("planar_ready")?;
    x86!(a:
        pop bx;
        mov ah, bh;
        and ah, 0x0F;
        mov al, 0;
        out dx, ax;
        mov ax, 0x0F01;
        out dx, ax;
        pop dx;
    );
    a.run("row_pixels")?;
    a.until(Is::ZERO, |a| {
        a.run("map_window")?;
        x86!(a: push edi; push cx;);
        // What is written does not matter, and a line may go on in the next window.
        a.count_cx(|a| {
            x86!(a: mov byte_ptr(di).es(), al; inc edi; test di, di;);
            a.when(Is::ZERO, |a| a.run("map_window"))
        })?;
        x86!(a: pop cx; pop edi; add edi, ebx; dec dx;);
        Ok(())
    })?;
    x86!(a: mov dx, ports::GRAPHICS; mov ax, 0x0000; out dx, ax;);
    a.run("planar_ready")?;
    x86!(a: popad; ret;);
    Ok(())
}

/// `row_pixels`, from CL, CH, DH, DL: EDI where the row DH starts, ESI where DL does, ECX the bytes of a line of it,
/// EBX the pitch, DX the lines; and `copy_lines`.
fn addresses(a: &mut Asm) -> Built {
    a.name("row_pixels")?;
    x86!(a: mov bh, byte_ptr(bda::PAGE); push cx; push dx; mov dh, dl; mov dl, cl;);
    a.run("cell_pixels")?;
    x86!(a: pop dx; push edi; mov dl, cl;);
    a.run("cell_pixels")?;
    a.run("line_pitch")?;
    x86!(a: mov ebx, eax; mov ax, 1; cmp si, Model::Linear as i32;);
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
    Ok(())
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

/// `copy_banked_planes`: the same as `copy_lines`, anywhere in planes larger than the window. Changes BP.
fn banked_planes(a: &mut Asm) -> Built {
    a.name("copy_banked_planes")?;
    a.until(Is::ZERO, |a| {
        x86!(a:
            push esi;
            push edi;
            push ecx;
            // Whether both ends of both lines are in one window.
            mov ebp, esi;
            xor ebp, edi;
            lea eax, dword_ptr(esi + ecx - 1);
            xor eax, esi;
            or ebp, eax;
            lea eax, dword_ptr(edi + ecx - 1);
            xor eax, esi;
            or ebp, eax;
            test ebp, 0xFFFF_0000u32;
        );
        a.when_else(
            Is::ZERO,
            |a| {
                a.run("map_window")?;
                x86!(a: push ds; push es; pop ds; rep_movsb; pop ds;);
                Ok(())
            },
            |a| {
                // The latches keep the four bytes while the window moves.
                a.until(Is::ZERO, |a| {
                    x86!(a: xchg esi, edi;);
                    a.run("map_window")?;
                    x86!(a: mov al, byte_ptr(di).es(); xchg esi, edi;);
                    a.run("map_window")?;
                    x86!(a: mov byte_ptr(di).es(), al; inc esi; inc edi; dec cx;);
                    Ok(())
                })
            },
        )?;
        x86!(a: pop ecx; pop edi; pop esi; add esi, ebx; add edi, ebx; dec dx;);
        Ok(())
    })?;
    a.ret()
}

/// `copy_banked_lines`: DX lines of ECX bytes from ESI to EDI, EBX apart, anywhere in video memory. Changes BP.
fn banked_copy(a: &mut Asm) -> Built {
    a.name("copy_banked_lines")?;
    a.until(Is::ZERO, |a| {
        x86!(a: push esi; push edi; push ecx; push dx;);
        a.until(Is::ZERO, |a| {
            x86!(a: mov edx, CHUNK; cmp ecx, edx;);
            a.when(Is::Below, |a| a.mov(edx, ecx))?;
            // Up to the end of either window.
            for end in [si, di] {
                x86!(a: mov ax, end; neg ax;);
                a.when(Is::NONZERO, |a| {
                    x86!(a: cmp ax, dx;);
                    a.when(Is::Below, |a| a.mov(dx, ax))
                })?;
            }
            a.run("copy_chunk")?;
            x86!(a: add esi, edx; add edi, edx; sub ecx, edx;);
            Ok(())
        })?;
        x86!(a: pop dx; pop ecx; pop edi; pop esi; add esi, ebx; add edi, ebx; dec dx;);
        Ok(())
    })?;
    a.ret()?;

    // DX bytes from ESI to EDI, by way of the stack, for only one window is seen at a time. Keeps all but AX, BP, ES.
    a.name("copy_chunk")?;
    x86!(a: push cx; push ds; push esi; push edi; mov bp, sp; sub sp, CHUNK; mov edi, esi;);
    a.run("map_window")?;
    x86!(a:
        mov ax, es;
        mov ds, ax;
        mov ax, ss;
        mov es, ax;
        mov di, sp;
        mov cx, dx;
        rep_movsb;
        mov edi, dword_ptr(bp);
        mov ds, word_ptr(bp + 8);
    );
    a.run("map_window")?;
    x86!(a:
        mov ax, ss;
        mov ds, ax;
        mov si, sp;
        mov cx, dx;
        rep_movsb;
        mov sp, bp;
        pop edi;
        pop esi;
        pop ds;
        pop cx;
        ret;
    );
    Ok(())
}
