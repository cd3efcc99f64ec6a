//! VBE functions 06h and 07h in 102h, which the VGA's own registers show: a line is a multiple of 16 pixels, and each plane
//! has 64 KiB for lines.

use crate::video::modes::SVGA_PLANAR;
use crate::video::prelude::*;

/// The picture, in pixels.
const WIDTH: i32 = 800;
const HEIGHT: i32 = 600;
/// Units of a line in the CRT controller's offset register: pixels and bytes.
const UNIT_PIXELS: i32 = 16;
const UNIT_BYTES: i32 = 2;
/// Bytes of a plane.
const PLANE: i32 = 0x1_0000;
/// The least line, and the longest of which the picture's height fits, in units.
const LEAST: i32 = WIDTH / UNIT_PIXELS;
const MOST: i32 = PLANE / HEIGHT / UNIT_BYTES;
/// The CRT controller's registers.
const START_HIGH: i32 = 0x0C;
const START_LOW: i32 = 0x0D;
const OFFSET: i32 = 0x13;
/// The attribute controller's: horizontal panning, with its palette left to the screen.
const PANNING: i32 = 0x33;

pub(crate) fn emit(a: &mut Asm) -> Built {
    registers(a)?;
    line_length(a)?;
    display_start(a)
}

fn registers(a: &mut Asm) -> Built {
    // AL: what register AL of the CRT controller holds. Keeps all else.
    a.name("crtc_read")?;
    x86!(a: push dx; mov dx, ports::CRTC_COLOUR; out dx, al; inc dx; in_ al, dx; pop dx; ret;);
    // EAX: the bytes of a line. Keeps all else.
    a.name("planar_pitch")?;
    x86!(a: mov al, OFFSET;);
    a.run("crtc_read")?;
    x86!(a: movzx eax, al; shl eax, 1; ret;);
    Ok(())
}

/// Function 06h.
fn line_length(a: &mut Asm) -> Built {
    a.name("planar_line_length")?;
    x86!(a: movzx ecx, cx; mov ax, MOST; cmp bl, 3;);
    a.go_if(Is::Equal, "planar_tell_length")?;
    x86!(a: mov al, OFFSET;);
    a.run("crtc_read")?;
    x86!(a: cmp bl, 1;);
    a.go_if(Is::Equal, "planar_tell_length")?;
    // Pixels, or bytes, in whole units.
    a.when_else(
        Is::Below,
        |a| {
            x86!(a: add ecx, UNIT_PIXELS - 1; shr ecx, 4;);
            Ok(())
        },
        |a| {
            x86!(a: add ecx, UNIT_BYTES - 1; shr ecx, 1;);
            Ok(())
        },
    )?;
    x86!(a: cmp ecx, LEAST;);
    a.go_if(Is::Below, "vbe_failed")?;
    x86!(a: cmp ecx, MOST;);
    a.go_if(Is::Above, "vbe_failed")?;
    x86!(a: mov dx, ports::CRTC_COLOUR; mov ah, cl; mov al, OFFSET; out dx, ax; mov al, cl;);
    a.name("planar_tell_length")?;
    x86!(a:
        movzx ecx, al;
        shl cx, 1;
        mov word_ptr(bp + frame::BX), cx;
        mov eax, PLANE;
        xor edx, edx;
        div ecx;
        mov word_ptr(bp + frame::DX), ax;
        shl cx, 3;
        mov word_ptr(bp + frame::CX), cx;
    );
    a.go("vbe_done")
}

/// Function 07h.
fn display_start(a: &mut Asm) -> Built {
    a.name("planar_display_start")?;
    a.run("planar_pitch")?;
    x86!(a: mov esi, eax; cmp bl, 1;);
    a.when(Is::Equal, |a| {
        x86!(a: mov al, START_HIGH;);
        a.run("crtc_read")?;
        x86!(a: mov ah, al; mov al, START_LOW;);
        a.run("crtc_read")?;
        x86!(a: movzx eax, ax; xor edx, edx; div esi; mov word_ptr(bp + frame::DX), ax; shl dx, 3;);
        // Reading the status has the next access choose the register; then the palette is on again.
        x86!(a: mov cx, dx; mov dx, ports::CRTC_COLOUR + ports::TO_STATUS; in_ al, dx;);
        x86!(a: mov dx, ports::ATTRIBUTE; mov al, PANNING; out dx, al; inc dx; in_ al, dx;);
        x86!(a: and ax, 7; add cx, ax; mov word_ptr(bp + frame::CX), cx;);
        x86!(a: mov byte_ptr(bp + frame::BH), 0;);
        a.go("vbe_done")
    })?;
    x86!(a: movzx ecx, cx; movzx edx, dx; and bl, 0x7F; cmp bl, 2;);
    a.go_if(Is::Above, "vbe_failed")?;
    a.when(Is::Equal, |a| {
        // The line, and the byte in it.
        x86!(a: mov eax, dword_ptr(bp + frame::CX); xor edx, edx; div esi; xchg eax, edx;);
        x86!(a: mov ecx, eax; shl ecx, 3;);
        Ok(())
    })?;
    // The picture stays inside the memory.
    x86!(a: lea eax, dword_ptr(esi * 8); sub eax, WIDTH; cmp eax, ecx;);
    a.go_if(Is::Below, "vbe_failed")?;
    x86!(a: cmp edx, PLANE;);
    a.go_if(Is::AboveOrEqual, "vbe_failed")?;
    x86!(a: imul_2 edx, esi; imul_3 eax, esi, HEIGHT; add eax, edx; cmp eax, PLANE;);
    a.go_if(Is::Above, "vbe_failed")?;
    x86!(a: mov ebx, ecx; shr ecx, 3; add ecx, edx; test byte_ptr(bp + frame::BL), 0x80;);
    a.when(Is::NONZERO, |a| a.run("vbe_wait_for_retrace"))?;
    x86!(a: mov dx, ports::CRTC_COLOUR; mov al, START_HIGH; mov ah, ch; out dx, ax;);
    x86!(a: mov al, START_LOW; mov ah, cl; out dx, ax;);
    x86!(a: add dx, ports::TO_STATUS; in_ al, dx; mov dx, ports::ATTRIBUTE;);
    x86!(a: mov al, PANNING; out dx, al; mov al, bl; and al, 7; out dx, al;);
    a.go("vbe_done")
}

/// Leads to `there` in this mode.
pub(crate) fn instead(a: &mut Asm, there: &'static str) -> Built {
    x86!(a: cmp byte_ptr(bda::MODE), SVGA_PLANAR;);
    a.go_if(Is::Equal, there)
}
