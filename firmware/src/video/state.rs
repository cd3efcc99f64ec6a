//! Saving and restoring all that a mode is: INT 10h, AH=1Ch, and the body of VBE function 04h.
//!
//! The parts follow each other in the buffer; their order and layout are our own affair, as far as the standards go.

use super::dispi;
use super::prelude::*;

/// Bits of CX.
const HARDWARE: i32 = 1;
const DATA_AREA: i32 = 2;
const DAC: i32 = 4;
const DISPI: i32 = 8;
/// The sizes of the parts: bytes.
const SIZES: [(i32, i32); 4] = [
    (HARDWARE, 128),
    (DATA_AREA, 64),
    // Before the DAC, whose width it chooses.
    (DISPI, 64),
    (DAC, 832),
];
/// The unit of the sizes.
const BLOCK: i32 = 64;

/// Registers behind an index, by port: how many, and from which on.
const INDEXED: [(i32, i32, i32); 3] = [
    (ports::SEQUENCER, 1, 5),
    (ports::GRAPHICS, 0, 9),
    (CRTC, 0, 25),
];
/// Stands for the CRT controller's port, which a mode chooses.
const CRTC: i32 = 0;
/// The attribute controller's registers.
const ATTRIBUTES: i32 = 21;
/// Pieces of the data area.
const FIELDS: [(i32, i32); 3] = [(bda::MODE, 30), (bda::LAST_ROW, 7), (bda::SAVE_POINTERS, 4)];
/// The registers of the display interface in the order to write them: enabling it resets those behind.
const DISPI_REGISTERS: [i32; 8] = [
    dispi::WIDTH,
    dispi::HEIGHT,
    dispi::DEPTH,
    dispi::ENABLE,
    dispi::VIRTUAL_WIDTH,
    dispi::X_OFFSET,
    dispi::Y_OFFSET,
    dispi::BANK,
];

pub(crate) fn emit(a: &mut Asm) -> Built {
    service(a)?;
    size(a)?;
    parts(
        a,
        "save_state",
        ["save_hardware", "save_data_area", "save_dispi", "save_dac"],
    )?;
    parts(
        a,
        "restore_state",
        [
            "restore_hardware",
            "restore_data_area",
            "restore_dispi",
            "restore_dac",
        ],
    )?;
    save_hardware(a)?;
    restore_hardware(a)?;
    data_area(a)?;
    dac(a)?;
    display_interface(a)
}

/// AH=1Ch: AL=0 gets the size in BX, 1 saves to ES:BX, 2 restores.
fn service(a: &mut Asm) -> Built {
    a.name("state")?;
    x86!(a: cmp al, 2;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: and cx, 7;);
    a.when(Is::ZERO, |a| a.ret())?;
    x86!(a: mov byte_ptr(bp + frame::AL), 0x1C; mov di, bx;);
    a.name("state_by_al")?;
    // AL as above, CX the parts, the buffer at ES:DI.
    x86!(a: cmp al, 1;);
    a.go_if(Is::Equal, "save_state")?;
    a.go_if(Is::Above, "restore_state")?;
    a.go("state_size")
}

fn size(a: &mut Asm) -> Built {
    a.name("state_size")?;
    x86!(a: xor ax, ax;);
    for (part, bytes) in SIZES {
        x86!(a: test cl, part;);
        a.when(Is::NONZERO, |a| a.add(ax, bytes / BLOCK))?;
    }
    x86!(a: mov word_ptr(bp + frame::BX), ax; ret;);
    Ok(())
}

/// Runs the routines of the parts in CX, each with its place in the buffer at ES:DI.
fn parts(a: &mut Asm, name: &'static str, routines: [&'static str; 4]) -> Built {
    a.name(name)?;
    for ((part, bytes), routine) in SIZES.into_iter().zip(routines) {
        x86!(a: test cl, part;);
        a.when(Is::NONZERO, |a| {
            x86!(a: push cx; push di; push es;);
            a.run(routine)?;
            x86!(a: pop es; pop di; pop cx; add di, bytes;);
            Ok(())
        })?;
    }
    a.ret()
}

/// Port of a table entry into DX.
fn port(a: &mut Asm, port: i32) -> Built {
    if port == CRTC {
        a.mov(dx, word_ptr(bda::CRTC_PORT))
    } else {
        a.mov(dx, port)
    }
}

fn save_hardware(a: &mut Asm) -> Built {
    a.name("save_hardware")?;
    // The indices first: reading the registers moves them.
    for (index, _, _) in INDEXED {
        port(a, index)?;
        x86!(a: in_ al, dx; stosb;);
    }
    x86!(a: mov dx, ports::MISC_READ; in_ al, dx; stosb; mov ax, word_ptr(bda::CRTC_PORT); stosw;);
    for (index, first, end) in INDEXED {
        port(a, index)?;
        x86!(a: mov ah, first;);
        a.until(Is::Equal, |a| {
            x86!(a:
                mov al, ah;
                out dx, al;
                inc dx;
                in_ al, dx;
                dec dx;
                stosb;
                inc ah;
                cmp ah, end;
            );
            Ok(())
        })?;
    }
    x86!(a: mov bl, 0;);
    a.until(Is::Equal, |a| {
        a.run("read_attribute")?;
        x86!(a: mov al, bh; stosb; inc bl; cmp bl, ATTRIBUTES;);
        Ok(())
    })?;
    // The indices as they were.
    let indices = i32::try_from(INDEXED.len()).expect("three");
    let saved: i32 = indices
        + 3
        + INDEXED
            .iter()
            .map(|(_, first, end)| end - first)
            .sum::<i32>()
        + ATTRIBUTES;
    x86!(a: sub di, saved;);
    restore_indices(a)?;
    a.ret()
}

/// Brings back the indices at ES:DI, which goes behind them.
fn restore_indices(a: &mut Asm) -> Built {
    for (index, _, _) in INDEXED {
        port(a, index)?;
        x86!(a: mov al, byte_ptr(di).es(); inc di; out dx, al;);
    }
    Ok(())
}

fn restore_hardware(a: &mut Asm) -> Built {
    a.name("restore_hardware")?;
    // A display interface that shows its own mode would answer for these registers. Its part follows, if saved.
    a.run("leave_dispi")?;
    x86!(a:
        push di;
        add di, 3;
        mov dx, ports::SEQUENCER;
        mov ax, 0x0100;
        out dx, ax;
        mov dx, ports::MISC_WRITE;
        mov al, byte_ptr(di).es();
        out dx, al;
        mov ax, word_ptr(di + 1).es();
        mov word_ptr(bda::CRTC_PORT), ax;
        add di, 3;
    );
    for (index, first, end) in INDEXED {
        port(a, index)?;
        if index == CRTC {
            x86!(a: mov ax, 0x0011; out dx, ax;);
        }
        x86!(a: mov bl, first;);
        a.until(Is::Equal, |a| {
            x86!(a:
                mov al, bl;
                mov ah, byte_ptr(di).es();
                inc di;
                out dx, ax;
                inc bl;
                cmp bl, end;
            );
            Ok(())
        })?;
        if index == ports::SEQUENCER {
            x86!(a: mov ax, 0x0300; out dx, ax;);
        }
    }
    x86!(a: mov bl, 0;);
    a.until(Is::Equal, |a| {
        x86!(a: mov bh, byte_ptr(di).es(); inc di;);
        a.run("write_attribute")?;
        x86!(a: inc bl; cmp bl, ATTRIBUTES;);
        Ok(())
    })?;
    x86!(a: pop di;);
    restore_indices(a)?;
    a.ret()
}

/// The data area, and the vectors of the fonts.
fn data_area(a: &mut Asm) -> Built {
    const VECTORS: [i32; 2] = [4 * 0x1F, 4 * 0x43];
    a.name("save_data_area")?;
    for (field, bytes) in FIELDS {
        x86!(a: mov si, field; mov cx, bytes; rep_movsb;);
    }
    x86!(a: push ds; push 0; pop ds;);
    for vector in VECTORS {
        x86!(a: mov eax, dword_ptr(vector); stosd;);
    }
    x86!(a: pop ds; ret;);

    a.name("restore_data_area")?;
    // From ES:DI: the segments change places.
    x86!(a: push ds; push es; push ds; pop es; pop ds; mov si, di;);
    for (field, bytes) in FIELDS {
        x86!(a: mov di, field; mov cx, bytes; rep_movsb;);
    }
    x86!(a: push 0; pop es;);
    for vector in VECTORS {
        x86!(a: mov di, vector; movsd;);
    }
    x86!(a: pop ds; ret;);
    Ok(())
}

fn dac(a: &mut Asm) -> Built {
    a.name("save_dac")?;
    x86!(a:
        mov dx, ports::DAC_MASK;
        in_ al, dx;
        stosb;
        inc dx;
        mov al, 0;
        out dx, al;
        mov dx, ports::DAC_DATA;
        mov cx, 768;
    );
    a.count_cx(|a| {
        x86!(a: in_ al, dx; stosb;);
        Ok(())
    })?;
    a.ret()?;
    a.name("restore_dac")?;
    x86!(a:
        mov dx, ports::DAC_MASK;
        mov al, byte_ptr(di).es();
        inc di;
        out dx, al;
        mov dx, ports::DAC_WRITE_INDEX;
        mov al, 0;
        out dx, al;
        inc dx;
        mov cx, 768;
    );
    a.count_cx(|a| {
        x86!(a: mov al, byte_ptr(di).es(); inc di; out dx, al;);
        Ok(())
    })?;
    a.ret()
}

fn display_interface(a: &mut Asm) -> Built {
    a.name("save_dispi")?;
    for register in DISPI_REGISTERS {
        x86!(a: mov al, register;);
        a.run("dispi_read")?;
        a.stosw()?;
    }
    a.ret()?;
    a.name("restore_dispi")?;
    // Sizes can be changed only while it is off. What comes back is a picture: keep the memory.
    x86!(a: mov al, dispi::ENABLE; xor cx, cx;);
    a.run("dispi_write")?;
    for register in DISPI_REGISTERS {
        x86!(a: mov cx, word_ptr(di).es(); add di, 2;);
        if register == dispi::ENABLE {
            a.or(cx, dispi::KEEP_MEMORY)?;
        }
        x86!(a: mov al, register;);
        a.run("dispi_write")?;
    }
    a.ret()
}
