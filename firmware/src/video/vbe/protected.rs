//! VBE function 0Ah: three services as 32-bit code that a program copies where it likes (VBE 3.0, "Return VBE
//! Protected Mode Interface").

use super::scroll::wait_for_retrace;
use crate::video::asm::section;
use crate::video::dispi;
use crate::video::prelude::*;

pub(crate) fn emit(a: &mut Asm) -> Built {
    let code = section(32, interface)?;
    a.data("protected_mode", &code)?;
    let length = i32::try_from(code.len()).expect("a few hundred bytes");
    a.name("vbe_protected_mode")?;
    x86!(a: cmp bl, 0;);
    a.go_if(Is::NotEqual, "vbe_failed")?;
    a.point(ax, "protected_mode")?;
    x86!(a:
        mov word_ptr(bp + frame::DI), ax;
        mov word_ptr(bp + frame::ES), cs;
        mov word_ptr(bp + frame::CX), length;
    );
    a.go("vbe_done")
}

/// The table of offsets, the code, and which ports it uses.
pub(crate) fn interface(a: &mut Asm) -> Built {
    a.offsets("table", &["window", "start", "palette", "ports"])?;
    window(a)?;
    start(a)?;
    palette(a)?;
    a.name("ports")?;
    let used = [
        ports::DISPI_INDEX,
        ports::DISPI_DATA,
        ports::DAC_READ_INDEX,
        ports::DAC_WRITE_INDEX,
        ports::DAC_DATA,
        ports::CRTC_COLOUR + ports::TO_STATUS,
        // The end of the ports, and no memory.
        0xFFFF,
        0xFFFF,
    ];
    for port in used {
        a.db(&port.to_le_bytes()[..2])?;
    }
    Ok(())
}

/// AX to or from the register of the display interface.
fn register(a: &mut Asm, index: i32) -> Built {
    x86!(a: mov edx, ports::DISPI_INDEX; mov eax, index; out dx, ax; inc edx;);
    Ok(())
}

/// BH=0 moves the window to block DX, 1 gets it.
fn window(a: &mut Asm) -> Built {
    a.name("window")?;
    x86!(a: push eax; push ecx; mov ecx, edx;);
    register(a, dispi::BANK)?;
    x86!(a: cmp bh, 1;);
    a.when_else(
        Is::Equal,
        |a| {
            x86!(a: in_ ax, dx; movzx edx, ax;);
            Ok(())
        },
        |a| {
            x86!(a: mov eax, ecx; out dx, ax; mov edx, ecx;);
            Ok(())
        },
    )?;
    x86!(a: pop ecx; pop eax; ret;);
    Ok(())
}

/// Shows what starts at DX:CX, counted in four bytes; BL=80h from the next vertical retrace on.
fn start(a: &mut Asm) -> Built {
    a.name("start")?;
    x86!(a: pushad; shl edx, 16; movzx esi, cx; or esi, edx; shl esi, 2;);
    register(a, dispi::VIRTUAL_WIDTH)?;
    x86!(a: in_ ax, dx; movzx edi, ax;);
    register(a, dispi::DEPTH)?;
    // ECX: the bytes of a pixel; EDI: of a line.
    x86!(a: in_ ax, dx; movzx ecx, al; xor ebp, ebp; cmp ecx, 4;);
    // Eight pixels to a byte of four planes: EBP is how far that is shifted.
    a.when(Is::Equal, |a| {
        x86!(a: mov ebp, 3; shr edi, 3;);
        Ok(())
    })?;
    x86!(a: add ecx, 7; shr ecx, 3; imul_2 edi, ecx;);
    x86!(a: test edi, edi;);
    a.when(Is::NONZERO, |a| {
        x86!(a:
            mov eax, esi;
            xor edx, edx;
            div edi;
            mov esi, eax;
            mov eax, edx;
            xor edx, edx;
            div ecx;
            mov edi, eax;
            mov ecx, ebp;
            shl edi, cl;
            test bl, 0x80;
        );
        a.when(Is::NONZERO, wait_for_retrace)?;
        register(a, dispi::X_OFFSET)?;
        x86!(a: mov eax, edi; out dx, ax;);
        register(a, dispi::Y_OFFSET)?;
        x86!(a: mov eax, esi; out dx, ax;);
        Ok(())
    })?;
    x86!(a: popad; ret;);
    Ok(())
}

/// CX colours from DX on, blue, green, red and a byte each, at ES:EDI; BL=1 gets them.
fn palette(a: &mut Asm) -> Built {
    a.name("palette")?;
    x86!(a: pushad; movzx ecx, cx; mov al, dl; test ecx, ecx;);
    a.go_if(Is::ZERO, "palette_done")?;
    x86!(a: cmp bl, 1;);
    a.when_else(
        Is::Equal,
        |a| {
            x86!(a: mov edx, ports::DAC_READ_INDEX; out dx, al; mov edx, ports::DAC_DATA;);
            a.until(Is::ZERO, |a| {
                for field in [2, 1, 0] {
                    x86!(a: in_ al, dx; mov byte_ptr(edi + field).es(), al;);
                }
                x86!(a: add edi, 4; dec ecx;);
                Ok(())
            })
        },
        |a| {
            x86!(a: mov edx, ports::DAC_WRITE_INDEX; out dx, al; inc edx;);
            a.until(Is::ZERO, |a| {
                for field in [2, 1, 0] {
                    x86!(a: mov al, byte_ptr(edi + field).es(); out dx, al;);
                }
                x86!(a: add edi, 4; dec ecx;);
                Ok(())
            })
        },
    )?;
    a.name("palette_done")?;
    x86!(a: popad; ret;);
    Ok(())
}
