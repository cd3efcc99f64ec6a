//! VESA BIOS Extension 3.0: INT 10h, AH=4Fh.
//!
//! Every service returns AX=004Fh if it did its work and 014Fh if it did not; the routines here say which by the
//! carry flag.

pub(crate) mod ddc;
pub(crate) mod info;
pub(crate) mod modes;
pub(crate) mod planar;
pub(crate) mod power;
pub(crate) mod protected;
pub(crate) mod scroll;
pub(crate) mod set;

use super::dispi;
use super::modes::VBE_PLANAR;
use super::prelude::*;

pub(crate) fn emit(a: &mut Asm) -> Built {
    dispatch(a)?;
    window(a)?;
    dac_width(a)?;
    palette(a)?;
    save_restore(a)?;
    modes::emit(a)?;
    info::emit(a)?;
    set::emit(a)?;
    scroll::emit(a)?;
    planar::emit(a)?;
    power::emit(a)?;
    ddc::emit(a)?;
    protected::emit(a)
}

fn dispatch(a: &mut Asm) -> Built {
    a.name("vbe")?;
    x86!(a: push ax;);
    a.run("dispi_present")?;
    x86!(a: pop ax;);
    a.when(Is::NotEqual, |a| a.ret())?;
    x86!(a: mov word_ptr(bp + frame::AX), 0x014F;);
    a.run("vbe_by_al")?;
    a.when(Is::AboveOrEqual, |a| a.mov(byte_ptr(bp + frame::AH), 0))?;
    a.ret()?;
    a.name("vbe_by_al")?;
    a.select_al(&[
        (0x00, "vbe_info"),
        (0x01, "vbe_mode_info"),
        (0x02, "vbe_set_mode"),
        (0x03, "vbe_get_mode"),
        (0x04, "vbe_state"),
        (0x05, "vbe_window"),
        (0x06, "vbe_line_length"),
        (0x07, "vbe_display_start"),
        (0x08, "vbe_dac_width"),
        (0x09, "vbe_palette"),
        (0x0A, "vbe_protected_mode"),
        (0x10, "vbe_power"),
        (0x15, "vbe_ddc"),
    ])?;
    a.name("vbe_failed")?;
    x86!(a: stc; ret;);
    a.name("vbe_done")?;
    x86!(a: clc; ret;);
    Ok(())
}

/// Function 05h: BL=0 (window A); BH=0 moves it to 64 KiB block DX, 1 gets it.
fn window(a: &mut Asm) -> Built {
    a.name("vbe_window")?;
    x86!(a: cmp bl, 0;);
    a.go_if(Is::NotEqual, "vbe_failed")?;
    x86!(a: mov al, dispi::BANK; cmp bh, 1;);
    a.go_if(Is::Above, "vbe_failed")?;
    a.when(Is::Equal, |a| {
        a.run("dispi_read")?;
        x86!(a: mov word_ptr(bp + frame::DX), ax;);
        a.go("vbe_done")
    })?;
    x86!(a: mov al, dispi::MEMORY;);
    a.run("dispi_read")?;
    // A block of planes is as much of each.
    x86!(a: cmp byte_ptr(bda::MODE), VBE_PLANAR;);
    a.when(Is::Equal, |a| a.shr(ax, 2))?;
    x86!(a: cmp dx, ax;);
    a.go_if(Is::AboveOrEqual, "vbe_failed")?;
    x86!(a: mov cx, dx; mov al, dispi::BANK;);
    a.run("dispi_write")?;
    a.go("vbe_done")?;

    // The same, called far by the application with no AX; it may change AX and DX.
    a.name("vbe_far_window")?;
    x86!(a: push cx; mov al, dispi::BANK; cmp bh, 1;);
    a.when_else(
        Is::Equal,
        |a| {
            a.run("dispi_read")?;
            a.mov(dx, ax)
        },
        |a| {
            x86!(a: mov cx, dx;);
            a.run("dispi_write")
        },
    )?;
    x86!(a: pop cx; retf;);
    Ok(())
}

/// Function 08h: BL=0 gives the DAC's colours BH bits, BL=1 asks. It has 6 or 8.
fn dac_width(a: &mut Asm) -> Built {
    a.name("vbe_dac_width")?;
    x86!(a: cmp bl, 1;);
    a.go_if(Is::Above, "vbe_failed")?;
    x86!(a: mov al, dispi::ENABLE;);
    a.run("dispi_read")?;
    x86!(a: mov cx, ax; cmp bl, 0;);
    a.when(Is::Equal, |a| {
        x86!(a: and cx, !dispi::DAC_8_BITS; cmp bh, 8;);
        a.when(Is::AboveOrEqual, |a| a.or(cx, dispi::DAC_8_BITS))?;
        // Writing the register moves the window.
        x86!(a: push cx; mov al, dispi::BANK;);
        a.run("dispi_read")?;
        x86!(a: mov dx, ax; mov al, dispi::ENABLE;);
        a.run("dispi_write")?;
        x86!(a: mov cx, dx; mov al, dispi::BANK;);
        a.run("dispi_write")?;
        a.pop(cx)
    })?;
    x86!(a: mov byte_ptr(bp + frame::BH), 6; test cl, dispi::DAC_8_BITS;);
    a.when(Is::NONZERO, |a| a.mov(byte_ptr(bp + frame::BH), 8))?;
    a.go("vbe_done")
}

/// Function 09h: CX entries from DX on at ES:DI, each blue, green, red and a byte; BL=1 gets them.
fn palette(a: &mut Asm) -> Built {
    a.name("vbe_palette")?;
    x86!(a: cmp dx, 0x100;);
    a.go_if(Is::AboveOrEqual, "vbe_failed")?;
    x86!(a: cmp cx, 0x100;);
    a.go_if(Is::Above, "vbe_failed")?;
    x86!(a: test cx, cx;);
    a.go_if(Is::ZERO, "vbe_done")?;
    x86!(a: and bl, 0x7F; cmp bl, 1; mov al, dl;);
    a.go_if(Is::Above, "vbe_failed")?;
    a.when(Is::Equal, |a| {
        x86!(a: mov dx, ports::DAC_READ_INDEX; out dx, al; mov dx, ports::DAC_DATA;);
        a.count_cx(|a| {
            x86!(a:
                xor eax, eax;
                in_ al, dx;
                shl eax, 8;
                in_ al, dx;
                shl eax, 8;
                in_ al, dx;
                stosd;
            );
            Ok(())
        })?;
        a.go("vbe_done")
    })?;
    x86!(a: mov dx, ports::DAC_WRITE_INDEX; out dx, al; inc dx;);
    a.count_cx(|a| {
        for field in [2, 1, 0] {
            x86!(a: mov al, byte_ptr(di + field).es(); out dx, al;);
        }
        a.add(di, 4)
    })?;
    a.go("vbe_done")
}

/// Function 04h: DL=0 gets the size in BX, 1 saves the parts in CX to ES:BX, 2 restores.
fn save_restore(a: &mut Asm) -> Built {
    a.name("vbe_state")?;
    x86!(a: cmp dl, 2;);
    a.go_if(Is::Above, "vbe_failed")?;
    x86!(a: and cx, 0x0F; mov al, dl; mov di, bx;);
    a.run("state_by_al")?;
    a.go("vbe_done")
}
