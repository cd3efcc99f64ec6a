//! INT 10h, AH=00h: sets a mode.

use super::dac::{self, Palette};
use super::modes::{RECORD_CGA_MODE, RECORD_PALETTE, SVGA_PLANAR};
use super::parameters::{self, field};
use super::prelude::*;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.data("parameters", &parameters::bytes())?;
    for (name, entries) in ["entries_200", "entries_350", "entries_400"]
        .into_iter()
        .zip(parameters::entries_by_mode())
    {
        a.data(name, &entries)?;
    }
    for (name, palette) in [
        ("dac_cga", Palette::Cga),
        ("dac_ega", Palette::Ega),
        ("dac_mono", Palette::Mono),
        ("dac_wheels", Palette::Wheels),
    ] {
        a.data(name, &dac::table(palette))?;
    }
    a.offsets(
        "dac_tables",
        &["dac_cga", "dac_ega", "dac_mono", "dac_wheels"],
    )?;
    set_mode(a)?;
    set_vga_mode(a)?;
    find_parameters(a)?;
    write_registers(a)?;
    load_palette(a)?;
    write_bda(a)?;
    clear_memory(a)
}

/// INT 10h, AH=00h: mode AL; bit 7 keeps the memory.
fn set_mode(a: &mut Asm) -> Built {
    a.name("set_mode")?;
    x86!(a: mov ah, al; and al, 0x7F;);
    a.run("find_mode")?;
    a.when(Is::Below, |a| a.ret())?;
    a.run("set_vga_mode")?;
    // What BIOSes of clones return: 20h above mode 7, 3Fh for mode 6, 30h for the others.
    x86!(a: mov ah, 0x30; mov al, byte_ptr(bda::MODE); cmp al, 6;);
    a.when(Is::Equal, |a| a.mov(ah, 0x3F))?;
    x86!(a: cmp al, 7;);
    a.when(Is::Above, |a| a.mov(ah, 0x20))?;
    x86!(a: mov byte_ptr(bp + frame::AL), ah; ret;);
    Ok(())
}

/// `set_vga_mode`: mode AL, which exists; bit 7 of AH keeps the memory.
fn set_vga_mode(a: &mut Asm) -> Built {
    a.name("set_vga_mode")?;
    x86!(a:
        and ah, 0x80;
        and byte_ptr(bda::CONTROL), 0x7F;
        or byte_ptr(bda::CONTROL), ah;
        mov byte_ptr(bda::MODE), al;
    );
    a.run("leave_dispi")?;
    a.run("find_parameters")?;
    a.run("write_registers")?;
    a.run("load_palette")?;
    a.run("write_bda")?;
    a.run("mode_font")?;
    x86!(a: test byte_ptr(bda::CONTROL), 0x80;);
    a.when(Is::ZERO, |a| a.run("clear_memory"))?;
    a.run("place_cursor")?;
    a.go("show")
}

/// `find_parameters`: ES:DI at the parameters of mode AL. Changes BX, SI.
fn find_parameters(a: &mut Asm) -> Built {
    a.name("find_parameters")?;
    a.point(si, "entries_350")?;
    x86!(a: test byte_ptr(bda::FLAGS), bda::FLAG_400_LINES;);
    a.when(Is::NONZERO, |a| a.point(si, "entries_400"))?;
    x86!(a: test byte_ptr(bda::FLAGS), bda::FLAG_200_LINES;);
    a.when(Is::NONZERO, |a| a.point(si, "entries_200"))?;
    x86!(a: cmp al, SVGA_PLANAR;);
    a.when(Is::AboveOrEqual, |a| {
        // Not in the tables that a program may bring.
        let entries = a.offset("parameters") + 64 * (parameters::SVGA - SVGA_PLANAR);
        x86!(a: push cs; pop es; movzx di, al; shl di, 6; add di, entries; ret;);
        Ok(())
    })?;
    x86!(a:
        movzx bx, al;
        movzx bx, byte_ptr(bx + si).cs();
        shl bx, 6;
        // The first of the save pointers; a program may have put its own table there.
        les di, dword_ptr(bda::SAVE_POINTERS);
        les di, dword_ptr(di).es();
        add di, bx;
        ret;
    );
    Ok(())
}

/// `write_registers`: the parameters at ES:DI, all registers in order. Keeps AL, ES, DI.
fn write_registers(a: &mut Asm) -> Built {
    a.name("write_registers")?;
    x86!(a:
        push ax;
        mov bh, byte_ptr(bda::FLAGS);
        push ds;
        push es;
        pop ds;
        lea si, word_ptr(di + field::SEQUENCER);
        // Hold the sequencer in reset while its clock changes.
        mov dx, ports::SEQUENCER;
        mov ax, 0x0100;
        out dx, ax;
        mov bl, 1;
    );
    a.until(Is::Equal, |a| indexed(a, 5))?;
    x86!(a:
        lodsb;
        mov dx, ports::MISC_WRITE;
        out dx, al;
        mov cl, al;
        mov dx, ports::SEQUENCER;
        mov ax, 0x0300;
        out dx, ax;
        mov dx, ports::CRTC_MONO;
        test cl, 1;
    );
    a.when(Is::NONZERO, |a| a.mov(dx, ports::CRTC_COLOUR))?;
    // Register 11h holds the lock of registers 0 to 7.
    x86!(a: mov ax, 0x0011; out dx, ax; mov bl, 0;);
    a.until(Is::Equal, |a| indexed(a, 25))?;
    x86!(a:
        add dx, ports::TO_STATUS;
        mov al, 0;
        out dx, al;
        in_ al, dx;
        mov dx, ports::ATTRIBUTE;
        mov bl, 0;
    );
    a.until(Is::Equal, |a| {
        // Below 10h is the palette, which a program may want to keep.
        x86!(a: lodsb; mov ah, al; test bh, bda::FLAG_KEEP_PALETTE;);
        a.when(Is::NONZERO, |a| {
            x86!(a: cmp bl, 0x10;);
            a.go_if(Is::Below, "keep_attribute")
        })?;
        x86!(a: mov al, bl; out dx, al; mov al, ah; out dx, al;);
        a.name("keep_attribute")?;
        x86!(a: inc bl; cmp bl, 20;);
        Ok(())
    })?;
    x86!(a:
        // Register 14h: colour select.
        mov al, 0x14;
        out dx, al;
        mov al, 0;
        out dx, al;
        mov dx, ports::GRAPHICS;
        mov bl, 0;
    );
    a.until(Is::Equal, |a| indexed(a, 9))?;
    x86!(a: pop ds; pop ax; ret;);
    Ok(())
}

/// The next byte at SI goes to register BL; sets ZF when BL reaches `end`.
fn indexed(a: &mut Asm, end: i32) -> Built {
    x86!(a: lodsb; mov ah, al; mov al, bl; out dx, ax; inc bl; cmp bl, end;);
    Ok(())
}

/// `load_palette`: the DAC's colours for mode AL, unless programs said that they load their own. Keeps AL, ES, DI.
fn load_palette(a: &mut Asm) -> Built {
    a.name("load_palette")?;
    x86!(a:
        push ax;
        mov dx, ports::DAC_MASK;
        mov al, 0xFF;
        out dx, al;
        pop ax;
        test byte_ptr(bda::FLAGS), bda::FLAG_KEEP_PALETTE;
    );
    a.when(Is::NONZERO, |a| a.ret())?;
    a.run("find_mode")?;
    x86!(a: push ax; movzx bx, byte_ptr(si + RECORD_PALETTE).cs(););
    // Text of 200 lines has the CGA's attributes, so its colours too.
    x86!(a: cmp al, 3;);
    a.when(Is::BelowOrEqual, |a| {
        x86!(a: cmp byte_ptr(di + field::CHAR_HEIGHT).es(), 8;);
        a.when(Is::Equal, |a| a.mov(bl, Palette::Cga as i32))
    })?;
    x86!(a: mov cx, 64 * 3; cmp bl, Palette::Wheels as i32;);
    a.when(Is::Equal, |a| a.mov(cx, 256 * 3))?;
    let tables = a.offset("dac_tables");
    x86!(a: add bx, bx; mov si, word_ptr(bx + tables).cs(););
    a.run("write_dac")?;
    x86!(a: test byte_ptr(bda::FLAGS), bda::FLAG_GREY;);
    a.when(Is::NONZERO, |a| {
        x86!(a: mov bx, 0; mov cx, 256;);
        a.run("sum_greys")
    })?;
    x86!(a: pop ax; ret;);
    a.name("write_dac")?;
    // CX bytes at CS:SI, the rest black.
    x86!(a:
        mov dx, ports::DAC_WRITE_INDEX;
        mov al, 0;
        out dx, al;
        inc dx;
        mov bx, 256 * 3;
        sub bx, cx;
    );
    a.count_cx(|a| {
        x86!(a: mov al, byte_ptr(si).cs(); inc si; out dx, al;);
        Ok(())
    })?;
    x86!(a: mov cx, bx; mov al, 0; test cx, cx;);
    a.when(Is::NONZERO, |a| a.count_cx(|a| a.out(dx, al)))?;
    a.ret()
}

/// `write_bda`: what the BIOS data area says of mode AL with its parameters at ES:DI. Keeps AL, ES, DI.
fn write_bda(a: &mut Asm) -> Built {
    a.name("write_bda")?;
    a.run("find_mode")?;
    x86!(a:
        push ax;
        mov ah, byte_ptr(si + RECORD_CGA_MODE).cs();
        mov byte_ptr(bda::CGA_MODE), ah;
        mov ah, 0x30;
        cmp al, 6;
    );
    a.when(Is::Equal, |a| a.mov(ah, 0x3F))?;
    // The equipment word's initial mode: 80 columns of colour, or monochrome.
    x86!(a:
        mov byte_ptr(bda::CGA_COLOUR), ah;
        mov ah, 0x20;
        mov bx, 0x0607;
        mov dx, ports::CRTC_COLOUR;
        test byte_ptr(di + field::MISC).es(), 1;
    );
    a.when(Is::ZERO, |a| {
        x86!(a: mov ah, 0x30; mov bx, 0x0B0C; mov dx, ports::CRTC_MONO;);
        Ok(())
    })?;
    x86!(a:
        and byte_ptr(bda::EQUIPMENT), !0x30;
        or byte_ptr(bda::EQUIPMENT), ah;
        mov word_ptr(bda::CURSOR_SHAPE), bx;
        mov word_ptr(bda::CRTC_PORT), dx;
        movzx ax, byte_ptr(di + field::COLUMNS).es();
        mov word_ptr(bda::COLUMNS), ax;
        mov al, byte_ptr(di + field::LAST_ROW).es();
        mov byte_ptr(bda::LAST_ROW), al;
        movzx ax, byte_ptr(di + field::CHAR_HEIGHT).es();
        mov word_ptr(bda::CHAR_HEIGHT), ax;
        mov ax, word_ptr(di + field::PAGE_SIZE).es();
        mov word_ptr(bda::PAGE_SIZE), ax;
        xor ax, ax;
        mov word_ptr(bda::PAGE_START), ax;
        mov byte_ptr(bda::PAGE), al;
    );
    for page in 0..8 {
        a.mov(word_ptr(bda::CURSORS + 2 * page), ax)?;
    }
    x86!(a: pop ax; ret;);
    Ok(())
}

/// `clear_memory`: all of what the mode shows. Changes all but BP.
fn clear_memory(a: &mut Asm) -> Built {
    a.name("clear_memory")?;
    a.run("get_model")?;
    a.run("video_segment")?;
    x86!(a: xor di, di; xor ax, ax; mov cx, 0x4000; cmp si, super::modes::Model::Text as i32;);
    a.when(Is::Equal, |a| a.mov(ax, 0x0720))?;
    x86!(a: cmp si, super::modes::Model::Planar as i32;);
    a.when(Is::AboveOrEqual, |a| a.mov(cx, 0x8000))?;
    x86!(a: rep_stosw; ret;);

    a.name("video_segment")?;
    // ES: B000h in mode 7, B800h in other text and CGA modes, else A000h; SI is the model. Changes only ES.
    x86!(a: push ax; mov ax, 0xA000; cmp si, super::modes::Model::Planar as i32;);
    a.when(Is::Below, |a| {
        x86!(a: mov ah, 0xB8; cmp byte_ptr(bda::MODE), 7;);
        a.when(Is::Equal, |a| a.mov(ah, 0xB0))
    })?;
    x86!(a: mov es, ax; pop ax; ret;);

    a.name("show")?;
    // Index bit 5 lets the attribute controller show the memory.
    x86!(a:
        mov dx, word_ptr(bda::CRTC_PORT);
        add dx, ports::TO_STATUS;
        in_ al, dx;
        mov dx, ports::ATTRIBUTE;
        mov al, 0x20;
        out dx, al;
        ret;
    );
    Ok(())
}
