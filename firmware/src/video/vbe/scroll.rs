//! VBE functions 06h and 07h: the length of a line in memory, and which part of the memory is seen.

use super::modes::{HEIGHT, WIDTH};
use super::planar;
use crate::video::dispi;
use crate::video::modes::VBE_PLANAR;
use crate::video::prelude::*;

/// Input Status Register 1: the vertical retrace.
const VERTICAL_RETRACE: i32 = 0x08;
/// How often the bit is looked at before the wait is given up: for more than a frame on any host.
const LONGEST_WAIT: i32 = 0x10_0000;

pub(crate) fn emit(a: &mut Asm) -> Built {
    line_length(a)?;
    conversions(a)?;
    display_start(a)
}

/// Function 06h: BL=0 sets CX pixels, 2 sets CX bytes, 1 asks, 3 asks for the longest. Returns bytes in BX, pixels
/// in CX, lines in DX.
fn line_length(a: &mut Asm) -> Built {
    a.name("vbe_line_length")?;
    x86!(a: cmp bl, 3;);
    a.go_if(Is::Above, "vbe_failed")?;
    planar::instead(a, "planar_line_length")?;
    x86!(a: push cx;);
    a.run("vbe_current")?;
    x86!(a: pop cx;);
    a.when(Is::Below, |a| a.ret())?;
    x86!(a: cmp bl, 1;);
    a.go_if(Is::Equal, "vbe_tell_line_length")?;
    x86!(a: cmp bl, 2;);
    a.when(Is::AboveOrEqual, |a| {
        // Pixels of so many bytes; the longest line is what leaves room for a picture, up to the register's width.
        a.when(Is::Above, |a| {
            a.run("vbe_room")?;
            x86!(a: movzx ecx, word_ptr(si + HEIGHT).cs(); xor edx, edx; div ecx;);
            a.run("vbe_pixels_of_bytes")?;
            x86!(a: and eax, !7; cmp eax, 0x3FF8;);
            a.when(Is::Above, |a| a.mov(eax, 0x3FF8))?;
            x86!(a: mov cx, ax;);
            a.go("vbe_tell_this_length")
        })?;
        x86!(a: movzx eax, cx;);
        a.run("vbe_pixels_of_bytes")?;
        a.mov(cx, ax)
    })?;
    // At least the width, in whole bytes of planes, and not too much for the memory.
    x86!(a: add cx, 7; and cx, !7; cmp cx, word_ptr(si + WIDTH).cs(););
    a.go_if(Is::Below, "vbe_failed")?;
    a.run("vbe_bytes_of_pixels")?;
    x86!(a: movzx edx, word_ptr(si + HEIGHT).cs(); imul_2 edx, eax;);
    a.run("vbe_room")?;
    x86!(a: cmp eax, edx;);
    a.go_if(Is::Below, "vbe_failed")?;
    x86!(a: mov al, dispi::VIRTUAL_WIDTH;);
    a.run("dispi_write")?;
    a.name("vbe_tell_line_length")?;
    x86!(a: mov al, dispi::VIRTUAL_WIDTH;);
    a.run("dispi_read")?;
    x86!(a: mov cx, ax;);
    a.name("vbe_tell_this_length")?;
    x86!(a: mov word_ptr(bp + frame::CX), cx;);
    a.run("vbe_bytes_of_pixels")?;
    x86!(a: mov ecx, eax;);
    x86!(a: mov word_ptr(bp + frame::BX), ax;);
    a.run("vbe_room")?;
    x86!(a: xor edx, edx; div ecx; cmp eax, 0xFFFF;);
    a.when(Is::Above, |a| a.mov(ax, 0xFFFF))?;
    x86!(a: mov word_ptr(bp + frame::DX), ax;);
    a.go("vbe_done")
}

/// Waits until a vertical retrace begins, if any does. Changes EAX, ECX, EDX. 16-bit and 32-bit code.
pub(crate) fn wait_for_retrace(a: &mut Asm) -> Built {
    x86!(a: mov edx, ports::CRTC_COLOUR + ports::TO_STATUS; mov ecx, LONGEST_WAIT;);
    // One that has begun already is too late.
    a.name("retrace_lasts")?;
    x86!(a: dec ecx;);
    a.go_if(Is::Equal, "retrace_begins")?;
    x86!(a: in_ al, dx; test al, VERTICAL_RETRACE;);
    a.go_if(Is::NONZERO, "retrace_lasts")?;
    a.name("retrace_comes")?;
    x86!(a: dec ecx;);
    a.go_if(Is::Equal, "retrace_begins")?;
    x86!(a: in_ al, dx; test al, VERTICAL_RETRACE;);
    a.go_if(Is::ZERO, "retrace_comes")?;
    a.name("retrace_begins")
}

fn conversions(a: &mut Asm) -> Built {
    // EAX: the bytes of CX pixels. Keeps all else.
    a.name("vbe_bytes_of_pixels")?;
    a.run("pixel_bytes")?;
    x86!(a:
        push ecx;
        movzx eax, al;
        movzx ecx, cx;
        imul_2 eax, ecx;
        pop ecx;
        cmp byte_ptr(bda::MODE), VBE_PLANAR;
    );
    a.when(Is::Equal, |a| a.shr(eax, 3))?;
    a.ret()?;

    // EAX: the pixels that EAX bytes hold. Changes EDX.
    a.name("vbe_pixels_of_bytes")?;
    x86!(a: push ecx; mov ecx, eax;);
    a.run("pixel_bytes")?;
    x86!(a:
        movzx eax, al;
        xchg ecx, eax;
        xor edx, edx;
        div ecx;
        pop ecx;
        cmp byte_ptr(bda::MODE), VBE_PLANAR;
    );
    a.when(Is::Equal, |a| a.shl(eax, 3))?;
    a.ret()?;

    // EAX: the bytes of video memory that lines lie in, of one plane if there are planes. Keeps all else.
    a.name("vbe_room")?;
    a.run("vbe_memory")?;
    x86!(a: cmp byte_ptr(bda::MODE), VBE_PLANAR;);
    a.when(Is::Equal, |a| a.shr(eax, 2))?;
    a.ret()
}

/// Function 07h: BL=0 shows pixel CX of line DX at the top left, 1 asks, 2 goes by the address ECX; 80h and 82h wait for
/// the vertical retrace.
fn display_start(a: &mut Asm) -> Built {
    a.name("vbe_display_start")?;
    planar::instead(a, "planar_display_start")?;
    x86!(a: push cx; push dx;);
    a.run("vbe_current")?;
    x86!(a: pop dx; pop cx;);
    a.when(Is::Below, |a| a.ret())?;
    x86!(a: cmp bl, 1;);
    a.when(Is::Equal, |a| {
        for (register, place) in [(dispi::X_OFFSET, frame::CX), (dispi::Y_OFFSET, frame::DX)] {
            x86!(a: mov al, register;);
            a.run("dispi_read")?;
            x86!(a: mov word_ptr(bp + place), ax;);
        }
        x86!(a: mov byte_ptr(bp + frame::BH), 0;);
        a.go("vbe_done")
    })?;
    x86!(a: and bl, 0x7F; cmp bl, 2;);
    a.go_if(Is::Above, "vbe_failed")?;
    a.when(Is::Equal, |a| {
        // The line, and the byte in it.
        a.run("line_pitch")?;
        x86!(a:
            xchg eax, ecx;
            mov eax, dword_ptr(bp + frame::CX);
            xor edx, edx;
            div ecx;
            cmp eax, 0xFFFF;
        );
        a.go_if(Is::Above, "vbe_failed")?;
        x86!(a: push ax; mov cx, dx;);
        a.run("pixel_bytes")?;
        x86!(a:
            movzx bx, al;
            mov ax, cx;
            xor dx, dx;
            div bx;
            mov cx, ax;
            cmp byte_ptr(bda::MODE), VBE_PLANAR;
        );
        a.when(Is::Equal, |a| a.shl(cx, 3))?;
        a.pop(dx)
    })?;
    // The picture stays inside the memory.
    x86!(a: mov al, dispi::VIRTUAL_WIDTH;);
    a.run("dispi_read")?;
    x86!(a: sub ax, word_ptr(si + WIDTH).cs(); cmp ax, cx;);
    a.go_if(Is::Below, "vbe_failed")?;
    x86!(a: push ecx; push edx; mov al, dispi::VIRTUAL_WIDTH;);
    a.run("dispi_read")?;
    x86!(a: mov cx, ax;);
    a.run("vbe_bytes_of_pixels")?;
    x86!(a: movzx edx, dx; movzx ecx, word_ptr(si + HEIGHT).cs(); add edx, ecx; imul_2 edx, eax;);
    a.run("vbe_room")?;
    x86!(a: cmp eax, edx; pop edx; pop ecx;);
    a.go_if(Is::Below, "vbe_failed")?;
    // The picture changes at once, so it is to be the right moment.
    x86!(a: test byte_ptr(bp + frame::BL), 0x80;);
    a.when(Is::NONZERO, |a| a.run("vbe_wait_for_retrace"))?;
    x86!(a: mov al, dispi::X_OFFSET;);
    a.run("dispi_write")?;
    x86!(a: mov cx, dx; mov al, dispi::Y_OFFSET;);
    a.run("dispi_write")?;
    a.go("vbe_done")?;

    a.name("vbe_wait_for_retrace")?;
    x86!(a: push eax; push ecx; push edx;);
    wait_for_retrace(a)?;
    x86!(a: pop edx; pop ecx; pop eax; ret;);
    Ok(())
}
