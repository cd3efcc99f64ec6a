//! The Bochs display interface: registers behind ports 1CEh and 1CFh (Bochs VBE documentation).

use super::modes::{SVGA_PLANAR, VBE_LINEAR, VBE_PLANAR};
use super::prelude::*;

/// The version; B0C0h to B0C5h.
pub(crate) const ID: i32 = 0;
/// Pixels across.
pub(crate) const WIDTH: i32 = 1;
/// Scan lines.
pub(crate) const HEIGHT: i32 = 2;
/// Bits a pixel: 4 (in planes), 8, 15, 16, 24 or 32.
pub(crate) const DEPTH: i32 = 3;
/// See the bits below.
pub(crate) const ENABLE: i32 = 4;
/// Which 64 KiB are seen at A0000h.
pub(crate) const BANK: i32 = 5;
/// Pixels of a line in memory.
pub(crate) const VIRTUAL_WIDTH: i32 = 6;
/// The pixel shown at the left.
pub(crate) const X_OFFSET: i32 = 8;
/// The line shown at the top.
pub(crate) const Y_OFFSET: i32 = 9;
/// Video memory in blocks of 64 KiB.
pub(crate) const MEMORY: i32 = 10;

/// [`ENABLE`]: shows the mode instead of the VGA's.
pub(crate) const ENABLED: i32 = 0x01;
/// [`ENABLE`]: eight bits of a colour in the DAC.
pub(crate) const DAC_8_BITS: i32 = 0x20;
/// [`ENABLE`]: the memory is seen in the frame buffer's BAR.
pub(crate) const LINEAR: i32 = 0x40;
/// [`ENABLE`]: the memory is kept.
pub(crate) const KEEP_MEMORY: i32 = 0x80;

/// The VGA's own linear mode.
const VGA_LINEAR: i32 = 0x13;
/// The first version.
const FIRST_ID: i32 = 0xB0C0;

pub(crate) fn emit(a: &mut Asm) -> Built {
    registers(a)?;
    map_window(a)?;
    line_pitch(a)?;
    pixel_bytes(a)
}

fn registers(a: &mut Asm) -> Built {
    // AX: what register AL holds. Keeps all else.
    a.name("dispi_read")?;
    x86!(a:
        push dx;
        mov dx, ports::DISPI_INDEX;
        movzx ax, al;
        out dx, ax;
        inc dx;
        in_ ax, dx;
        pop dx;
        ret;
    );
    // Register AL becomes CX. Changes AX.
    a.name("dispi_write")?;
    x86!(a:
        push dx;
        mov dx, ports::DISPI_INDEX;
        movzx ax, al;
        out dx, ax;
        inc dx;
        mov ax, cx;
        out dx, ax;
        pop dx;
        ret;
    );
    // ZF: there is a display interface. Changes AX.
    a.name("dispi_present")?;
    x86!(a: mov al, ID;);
    a.run("dispi_read")?;
    x86!(a: and al, 0xF0; cmp ax, FIRST_ID; ret;);
    // Back to what the VGA's registers say. Keeps all registers.
    a.name("leave_dispi")?;
    x86!(a: pushad;);
    a.run("dispi_present")?;
    a.when(Is::Equal, |a| {
        for register in [ENABLE, BANK] {
            x86!(a: mov al, register; xor cx, cx;);
            a.run("dispi_write")?;
        }
        Ok(())
    })?;
    x86!(a: popad; ret;);
    Ok(())
}

/// `map_window`: ES:DI at byte EDI of video memory, or of each plane, as far as DI does not wrap. Keeps all but ES.
fn map_window(a: &mut Asm) -> Built {
    a.name("map_window")?;
    x86!(a: push ax; mov ax, 0xA000; mov es, ax; cmp byte_ptr(bda::MODE), VBE_PLANAR;);
    a.when(Is::AboveOrEqual, |a| {
        x86!(a: push cx; push edi; shr edi, 16; mov cx, di; pop edi; mov al, BANK;);
        // Moving the window takes emulators long: see whether it is there already.
        a.run("dispi_read")?;
        x86!(a: cmp ax, cx;);
        a.when(Is::NotEqual, |a| {
            x86!(a: mov al, BANK;);
            a.run("dispi_write")
        })?;
        a.pop(cx)
    })?;
    x86!(a: pop ax; ret;);
    Ok(())
}

/// `line_pitch`: EAX is the bytes of a scan line of a planar or linear mode. Keeps all else.
fn line_pitch(a: &mut Asm) -> Built {
    a.name("line_pitch")?;
    x86!(a: movzx eax, word_ptr(bda::COLUMNS); cmp byte_ptr(bda::MODE), VGA_LINEAR;);
    a.when(Is::Equal, |a| {
        x86!(a: mov ax, 320; ret;);
        Ok(())
    })?;
    x86!(a: cmp byte_ptr(bda::MODE), SVGA_PLANAR;);
    a.go_if(Is::Equal, "planar_pitch")?;
    x86!(a: cmp byte_ptr(bda::MODE), VBE_PLANAR;);
    a.when(Is::Below, |a| a.ret())?;
    x86!(a: push ecx; mov al, VIRTUAL_WIDTH;);
    a.run("dispi_read")?;
    x86!(a: movzx ecx, ax; cmp byte_ptr(bda::MODE), VBE_PLANAR;);
    a.when(Is::Equal, |a| a.shr(ecx, 3))?;
    a.run("pixel_bytes")?;
    x86!(a: movzx eax, al; imul_2 eax, ecx; pop ecx; ret;);
    Ok(())
}

/// `pixel_bytes`: AL is the bytes of a pixel of a linear mode. Changes AX.
fn pixel_bytes(a: &mut Asm) -> Built {
    a.name("pixel_bytes")?;
    x86!(a: cmp byte_ptr(bda::MODE), VBE_LINEAR; mov al, 1;);
    a.when(Is::NotEqual, |a| a.ret())?;
    x86!(a: mov al, DEPTH;);
    a.run("dispi_read")?;
    x86!(a: add al, 7; shr al, 3; ret;);
    Ok(())
}
