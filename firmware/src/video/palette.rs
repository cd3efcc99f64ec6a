//! Colours: INT 10h, AH=0Bh and 10h (attribute controller and DAC).

use super::prelude::*;

/// The attribute controller's registers behind the palette.
const MODE_CONTROL: i32 = 0x10;
const OVERSCAN: i32 = 0x11;
const COLOUR_SELECT: i32 = 0x14;
/// [`MODE_CONTROL`]: bit 7 of an attribute blinks.
const BLINK: i32 = 0x08;
/// [`MODE_CONTROL`]: colour select gives bits 4 and 5 too, so pages have 16 colours.
const SMALL_PAGES: i32 = 0x80;
/// Where the save pointer table points to the dynamic save area: the palette's 16 bytes and the overscan.
const DYNAMIC_SAVE_AREA: i32 = 4;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.name("palette")?;
    a.select_al(&[
        (0x00, "set_attribute"),
        (0x01, "set_overscan"),
        (0x02, "set_attributes"),
        (0x03, "set_blinking"),
        (0x07, "get_attribute"),
        (0x08, "get_overscan"),
        (0x09, "get_attributes"),
        (0x10, "set_colour"),
        (0x12, "set_colours"),
        (0x13, "set_colour_page"),
        (0x15, "get_colour"),
        (0x17, "get_colours"),
        (0x18, "set_dac_mask"),
        (0x19, "get_dac_mask"),
        (0x1A, "get_colour_page"),
        (0x1B, "sum_greys"),
    ])?;
    a.ret()?;
    access(a)?;
    attributes(a)?;
    dac(a)?;
    colour_pages(a)?;
    sum_greys(a)?;
    cga_colours(a)
}

/// One register of the attribute controller.
fn access(a: &mut Asm) -> Built {
    // BH to register BL, in the dynamic save area too. Changes AX, SI.
    a.name("set_overscan")?;
    a.mov(bl, OVERSCAN)?;
    a.name("set_attribute")?;
    x86!(a: cmp bl, COLOUR_SELECT;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a:
        push es;
        push di;
        les di, dword_ptr(bda::SAVE_POINTERS);
        les di, dword_ptr(di + DYNAMIC_SAVE_AREA).es();
        mov ax, es;
        or ax, di;
    );
    a.when(Is::NONZERO, |a| {
        x86!(a: movzx si, bl; cmp si, OVERSCAN;);
        // The overscan comes right behind the palette.
        a.when(Is::Equal, |a| a.dec(si))?;
        x86!(a: cmp bl, MODE_CONTROL;);
        a.when(Is::NotEqual, |a| {
            x86!(a: cmp si, 16;);
            a.when(Is::BelowOrEqual, |a| {
                x86!(a: add di, si; mov byte_ptr(di).es(), bh;);
                Ok(())
            })
        })
    })?;
    x86!(a: pop di; pop es;);
    a.name("write_attribute")?;
    // BH to register BL. Changes AX.
    x86!(a: push dx;);
    a.run("reset_attribute_port")?;
    x86!(a: mov al, bl; out dx, al; mov al, bh; out dx, al; mov al, 0x20; out dx, al; pop dx; ret;);

    a.name("read_attribute")?;
    // BH: register BL. Changes AX.
    x86!(a: push dx;);
    a.run("reset_attribute_port")?;
    x86!(a: mov al, bl; out dx, al; inc dx; in_ al, dx; mov bh, al;);
    a.run("reset_attribute_port")?;
    x86!(a: mov al, 0x20; out dx, al; pop dx; ret;);

    a.name("reset_attribute_port")?;
    // DX: the port, which takes an index next. Changes AL.
    x86!(a:
        mov dx, word_ptr(bda::CRTC_PORT);
        add dx, ports::TO_STATUS;
        in_ al, dx;
        mov dx, ports::ATTRIBUTE;
        ret;
    );
    Ok(())
}

fn attributes(a: &mut Asm) -> Built {
    a.name("get_overscan")?;
    a.mov(bl, OVERSCAN)?;
    a.name("get_attribute")?;
    a.run("read_attribute")?;
    x86!(a: mov byte_ptr(bp + frame::BH), bh; ret;);

    // Sixteen colours and the overscan at ES:DX.
    a.name("set_attributes")?;
    x86!(a: mov di, dx; mov bl, 0;);
    a.until(Is::Equal, |a| {
        x86!(a: mov bh, byte_ptr(di).es(); inc di;);
        a.run("set_attribute")?;
        x86!(a: inc bl; cmp bl, 16;);
        Ok(())
    })?;
    x86!(a: mov bh, byte_ptr(di).es(););
    a.go("set_overscan")?;

    a.name("get_attributes")?;
    x86!(a: mov di, dx; mov bl, 0;);
    a.until(Is::Equal, |a| {
        a.run("read_attribute")?;
        x86!(a: mov byte_ptr(di).es(), bh; inc di; inc bl; cmp bl, 16;);
        Ok(())
    })?;
    x86!(a: mov bl, OVERSCAN;);
    a.run("read_attribute")?;
    x86!(a: mov byte_ptr(di).es(), bh; ret;);

    // BL 0: attribute bit 7 is intensity; 1: it blinks.
    a.name("set_blinking")?;
    x86!(a: mov cl, bl; mov bl, MODE_CONTROL;);
    a.run("read_attribute")?;
    x86!(a: and bh, !BLINK; and byte_ptr(bda::CGA_MODE), !0x20; cmp cl, 0;);
    a.when(Is::NotEqual, |a| {
        x86!(a: or bh, BLINK; or byte_ptr(bda::CGA_MODE), 0x20;);
        Ok(())
    })?;
    a.go("write_attribute")
}

fn dac(a: &mut Asm) -> Built {
    // Entry BX: red DH, green CH, blue CL.
    a.name("set_colour")?;
    x86!(a:
        mov ah, dh;
        mov dx, ports::DAC_WRITE_INDEX;
        mov al, bl;
        out dx, al;
        inc dx;
        mov al, ah;
        out dx, al;
        mov al, ch;
        out dx, al;
        mov al, cl;
        out dx, al;
        mov cx, 1;
    );
    a.go("sum_greys_if_wanted")?;

    a.name("get_colour")?;
    x86!(a: mov dx, ports::DAC_READ_INDEX; mov al, bl; out dx, al; mov dx, ports::DAC_DATA;);
    for register in [frame::DH, frame::CH, frame::CL] {
        x86!(a: in_ al, dx; mov byte_ptr(bp + register), al;);
    }
    a.ret()?;

    // CX entries from BX on, three bytes each at ES:DX.
    a.name("set_colours")?;
    x86!(a: test cx, cx;);
    a.when(Is::ZERO, |a| a.ret())?;
    x86!(a: push cx; mov si, dx; mov dx, ports::DAC_WRITE_INDEX; mov al, bl; out dx, al; inc dx;);
    a.count_cx(|a| {
        for _ in 0..3 {
            x86!(a: mov al, byte_ptr(si).es(); inc si; out dx, al;);
        }
        Ok(())
    })?;
    x86!(a: pop cx;);
    a.name("sum_greys_if_wanted")?;
    x86!(a: test byte_ptr(bda::FLAGS), bda::FLAG_GREY;);
    a.go_if(Is::NONZERO, "sum_greys")?;
    a.ret()?;

    a.name("get_colours")?;
    x86!(a: test cx, cx;);
    a.when(Is::ZERO, |a| a.ret())?;
    x86!(a:
        mov di, dx;
        mov dx, ports::DAC_READ_INDEX;
        mov al, bl;
        out dx, al;
        mov dx, ports::DAC_DATA;
    );
    a.count_cx(|a| {
        for _ in 0..3 {
            x86!(a: in_ al, dx; stosb;);
        }
        Ok(())
    })?;
    a.ret()?;

    a.name("set_dac_mask")?;
    x86!(a: mov dx, ports::DAC_MASK; mov al, bl; out dx, al; ret;);
    a.name("get_dac_mask")?;
    x86!(a: mov dx, ports::DAC_MASK; in_ al, dx; mov byte_ptr(bp + frame::BL), al; ret;);
    Ok(())
}

/// The DAC's 256 colours as 4 pages of 64 or 16 of 16.
fn colour_pages(a: &mut Asm) -> Built {
    // BL 0: BH is which of the two; BL 1: BH is the page.
    a.name("set_colour_page")?;
    x86!(a: mov cx, bx; mov bl, MODE_CONTROL;);
    a.run("read_attribute")?;
    x86!(a: cmp cl, 0;);
    a.when(Is::Equal, |a| {
        x86!(a: and bh, 0xFF ^ SMALL_PAGES; test ch, 1;);
        a.when(Is::NONZERO, |a| a.or(bh, SMALL_PAGES))?;
        a.go("write_attribute")
    })?;
    x86!(a: cmp cl, 1;);
    a.when(Is::NotEqual, |a| a.ret())?;
    x86!(a: test bh, SMALL_PAGES;);
    a.when(Is::ZERO, |a| a.shl(ch, 2))?;
    x86!(a: mov bh, ch; and bh, 0x0F; mov bl, COLOUR_SELECT;);
    a.go("write_attribute")?;

    a.name("get_colour_page")?;
    x86!(a: mov bl, MODE_CONTROL;);
    a.run("read_attribute")?;
    x86!(a: mov cl, bh; shr cl, 7; mov byte_ptr(bp + frame::BL), cl; mov bl, COLOUR_SELECT;);
    a.run("read_attribute")?;
    x86!(a: and bh, 0x0F; cmp cl, 0;);
    a.when(Is::Equal, |a| a.shr(bh, 2))?;
    x86!(a: mov byte_ptr(bp + frame::BH), bh; ret;);
    Ok(())
}

/// `sum_greys`: CX entries from BX on become greys: 30% red, 59% green, 11% blue, in 256ths.
fn sum_greys(a: &mut Asm) -> Built {
    a.name("sum_greys")?;
    x86!(a: test cx, cx;);
    a.when(Is::ZERO, |a| a.ret())?;
    a.count_cx(|a| {
        x86!(a:
            mov dx, ports::DAC_READ_INDEX;
            mov al, bl;
            out dx, al;
            mov dx, ports::DAC_DATA;
            xor si, si;
        );
        for weight in [77, 151, 28] {
            x86!(a: in_ al, dx; mov ah, weight; mul ah; add si, ax;);
        }
        x86!(a:
            add si, 0x80;
            shr si, 8;
            mov dx, ports::DAC_WRITE_INDEX;
            mov al, bl;
            out dx, al;
            inc dx;
            mov ax, si;
            out dx, al;
            out dx, al;
            out dx, al;
            inc bx;
        );
        Ok(())
    })?;
    a.ret()
}

/// AH=0Bh: BH 0: BL is the border and, in graphics, the background; BH 1: BL is the palette of mode 4.
fn cga_colours(a: &mut Asm) -> Built {
    a.name("set_border")?;
    x86!(a: mov al, byte_ptr(bda::CGA_COLOUR); cmp bh, 0;);
    a.when_else(
        Is::Equal,
        |a| {
            // The CGA's intensity is bit 4 of our palette.
            x86!(a:
                and bl, 0x1F;
                and al, 0xE0;
                or al, bl;
                mov byte_ptr(bda::CGA_COLOUR), al;
                mov bh, bl;
                and bh, 0x08;
                add bh, bh;
                and bl, 0x07;
                or bh, bl;
                mov bl, OVERSCAN;
            );
            a.run("set_attribute")?;
            a.run("get_model")?;
            x86!(a: cmp si, super::modes::Model::Text as i32;);
            a.when(Is::Equal, |a| a.ret())?;
            x86!(a: mov bl, 0;);
            a.run("set_attribute")
        },
        |a| {
            x86!(a:
                and bl, 1;
                shl bl, 5;
                and al, 0xDF;
                or al, bl;
                mov byte_ptr(bda::CGA_COLOUR), al;
            );
            Ok(())
        },
    )?;
    x86!(a: cmp byte_ptr(bda::MODE), 4;);
    a.when(Is::Below, |a| a.ret())?;
    x86!(a: cmp byte_ptr(bda::MODE), 5;);
    a.when(Is::Above, |a| a.ret())?;
    // Colours 1 to 3: green, red, brown, or with bit 5 cyan, magenta, white; bit 4 makes them bright.
    x86!(a: mov cl, byte_ptr(bda::CGA_COLOUR); mov bx, 0x0201; test cl, 0x20;);
    a.when(Is::NONZERO, |a| a.inc(bh))?;
    x86!(a: and cl, 0x10; or bh, cl;);
    a.until(Is::Equal, |a| {
        a.run("set_attribute")?;
        x86!(a: add bh, 2; inc bl; cmp bl, 4;);
        Ok(())
    })?;
    a.ret()
}
