//! Single pixels: INT 10h, AH=0Ch and 0Dh, in every graphics mode.

use super::glyph::{CGA_BANK, CGA_PITCH};
use super::prelude::*;

/// The memory of CGA modes.
const CGA_BYTES: i32 = 0x4000;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.offsets(
        "dot_writers",
        &[
            "nothing",
            "put_cga4_dot",
            "put_cga2_dot",
            "put_planar_dot",
            "put_linear_dot",
        ],
    )?;
    a.offsets(
        "dot_readers",
        &[
            "no_dot",
            "get_cga4_dot",
            "get_cga2_dot",
            "get_planar_dot",
            "get_linear_dot",
        ],
    )?;
    services(a)?;
    cga(a)?;
    planar_address(a)?;
    planar(a)?;
    linear(a)
}

/// AH=0Ch: colour AL at column CX, line DX of page BH; bit 7 turns it over where it is no colour. AH=0Dh reads.
fn services(a: &mut Asm) -> Built {
    for (name, table) in [("write_dot", "dot_writers"), ("get_dot_at", "dot_readers")] {
        a.name(name)?;
        a.run("get_model")?;
        a.run("video_segment")?;
        let table = a.offset(table);
        x86!(a: jmp word_ptr(si + table).cs(););
    }
    a.name("read_dot")?;
    a.run("get_dot_at")?;
    x86!(a: mov byte_ptr(bp + frame::AL), al; ret;);
    a.name("no_dot")?;
    x86!(a: xor eax, eax; ret;);
    a.name("get_dot")?;
    // The same, keeping BX, CX, DX, ES.
    x86!(a: push bx; push ecx; push edx; push es;);
    a.run("get_dot_at")?;
    x86!(a: pop es; pop edx; pop ecx; pop bx; ret;);
    Ok(())
}

/// Pixels of `bits` bits.
fn cga(a: &mut Asm) -> Built {
    for (put, get, bits) in [
        ("put_cga4_dot", "get_cga4_dot", 2),
        ("put_cga2_dot", "get_cga2_dot", 1),
    ] {
        let ones = (1 << bits) - 1;
        a.name(put)?;
        cga_address(a, bits)?;
        // The pixel's place in AH, the colour in AL.
        x86!(a: mov ah, ones; shl ah, cl; mov bl, al; and al, ones; shl al, cl; test bl, 0x80;);
        a.when(Is::ZERO, |a| {
            x86!(a: not ah; and byte_ptr(di).es(), ah;);
            Ok(())
        })?;
        x86!(a: xor byte_ptr(di).es(), al; ret;);
        a.name(get)?;
        cga_address(a, bits)?;
        x86!(a: mov al, byte_ptr(di).es(); shr al, cl; and eax, ones; ret;);
    }
    Ok(())
}

/// ES:DI at the byte of the pixel, CL how far it is shifted.
fn cga_address(a: &mut Asm, bits: i32) -> Built {
    let (to_byte, in_byte) = if bits == 1 { (3, 7) } else { (2, 3) };
    x86!(a: mov di, dx; shr di, 1; imul_3 di, di, CGA_PITCH; test dl, 1;);
    a.when(Is::NONZERO, |a| a.add(di, CGA_BANK))?;
    x86!(a:
        mov dx, cx;
        shr dx, to_byte;
        add di, dx;
        and di, CGA_BYTES - 1;
        not cl;
        and cl, in_byte;
    );
    if bits == 2 {
        a.add(cl, cl)?;
    }
    Ok(())
}

/// `planar_address`: ES:DI at the byte of the pixel, mapped; AH its bit. Keeps AL, BX.
fn planar_address(a: &mut Asm) -> Built {
    a.name("planar_address")?;
    x86!(a: push ax;);
    a.run("line_pitch")?;
    x86!(a:
        movzx edi, dx;
        imul_2 edi, eax;
        movzx eax, cx;
        shr eax, 3;
        add edi, eax;
        movzx eax, bh;
        movzx edx, word_ptr(bda::PAGE_SIZE);
        imul_2 eax, edx;
        add edi, eax;
        pop ax;
        and cl, 7;
        mov ah, 0x80;
        shr ah, cl;
    );
    a.go("map_window")
}

fn planar(a: &mut Asm) -> Built {
    a.name("put_planar_dot")?;
    a.run("planar_address")?;
    x86!(a: push ax;);
    a.run("planar_ready")?;
    x86!(a: pop bx; mov al, 8; mov ah, bh; out dx, ax; test bl, 0x80;);
    a.when(Is::NONZERO, |a| {
        x86!(a: mov ax, 0x1803; out dx, ax;);
        Ok(())
    })?;
    // Set/reset brings the colour to all planes, the latches bring the neighbours.
    x86!(a:
        mov al, 0;
        mov ah, bl;
        and ah, 0x0F;
        out dx, ax;
        mov ax, 0x0F01;
        out dx, ax;
        mov al, byte_ptr(di).es();
        mov byte_ptr(di).es(), al;
        mov ax, 0x0000;
        out dx, ax;
    );
    a.go("planar_ready")?;

    a.name("get_planar_dot")?;
    a.run("planar_address")?;
    x86!(a:
        mov bh, ah;
        xor bl, bl;
        mov dx, ports::GRAPHICS;
        mov ax, 0x0005;
        out dx, ax;
        mov ax, 0x0304;
    );
    a.until(Is::Below, |a| {
        x86!(a: out dx, ax; mov cl, byte_ptr(di).es(); and cl, bh; neg cl; rcl bl, 1; sub ah, 1;);
        Ok(())
    })?;
    x86!(a: mov ax, 0x0004; out dx, ax; movzx eax, bl; ret;);
    Ok(())
}

fn linear(a: &mut Asm) -> Built {
    // EDI at the pixel, mapped; BH the bytes. Keeps AL.
    a.name("linear_address")?;
    x86!(a: push ax;);
    a.run("line_pitch")?;
    x86!(a: movzx edi, dx; imul_2 edi, eax; movzx ecx, cx;);
    a.run("pixel_bytes")?;
    x86!(a: mov bh, al; movzx eax, al; imul_2 eax, ecx; add edi, eax; pop ax;);
    a.go("map_window")?;

    a.name("put_linear_dot")?;
    a.run("linear_address")?;
    x86!(a: mov bl, al;);
    a.run("pixel_colour")?;
    x86!(a: mov eax, edx;);
    a.go("put_pixel")?;

    a.name("get_linear_dot")?;
    a.run("linear_address")?;
    x86!(a: xor eax, eax; movzx cx, bh;);
    a.count_cx(|a| {
        x86!(a: mov al, byte_ptr(di).es(); ror eax, 8; inc edi; test di, di;);
        a.when(Is::ZERO, |a| a.run("map_window"))
    })?;
    // The bytes came in from the top: move them down.
    x86!(a: mov cl, 4; sub cl, bh; shl cl, 3;);
    a.when(Is::NONZERO, |a| a.shr(eax, cl))?;
    a.ret()
}
