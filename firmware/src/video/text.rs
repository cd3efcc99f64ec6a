//! Characters and attributes: INT 10h, AH=06h to 0Ah, in every model.

use super::modes::Model;
use super::prelude::*;

/// The memory of text modes.
const TEXT_BYTES: i32 = 0x8000;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.offsets(
        "row_copiers",
        &[
            "copy_text_row",
            "copy_cga4_row",
            "copy_cga2_row",
            "copy_planar_row",
            "copy_linear_row",
        ],
    )?;
    a.offsets(
        "row_fillers",
        &[
            "fill_text_row",
            "fill_cga4_row",
            "fill_cga2_row",
            "fill_planar_row",
            "fill_linear_row",
        ],
    )?;
    cell_address(a)?;
    write_cells(a)?;
    put_cell(a)?;
    read_cell(a)?;
    scroll(a)?;
    text_rows(a)
}

/// `cell_address`: ES:DI at the character of row DH, column DL in page BH of a text mode. Keeps all else.
fn cell_address(a: &mut Asm) -> Built {
    a.name("cell_address")?;
    x86!(a: push ax; push si; push dx; mov si, Model::Text as i32;);
    a.run("video_segment")?;
    x86!(a:
        mov al, dh;
        mul byte_ptr(bda::COLUMNS);
        movzx di, dl;
        add di, ax;
        add di, di;
        movzx ax, bh;
        mul word_ptr(bda::PAGE_SIZE);
        add di, ax;
        // Whatever the cursor: behind the memory lies our own image, which may be RAM.
        and di, TEXT_BYTES - 1;
        pop dx;
        pop si;
        pop ax;
        ret;
    );
    Ok(())
}

/// AH=09h and 0Ah: character AL, CX times from the cursor of page BH on, which stays; 09h with attribute BL.
fn write_cells(a: &mut Asm) -> Built {
    a.name("write_cells")?;
    x86!(a: mov ah, 1;);
    a.go("write_repeatedly")?;
    a.name("write_characters")?;
    x86!(a: mov ah, 0;);
    a.name("write_repeatedly")?;
    x86!(a: test cx, cx;);
    a.when(Is::ZERO, |a| a.ret())?;
    a.run("page_cursor")?;
    a.run("get_model")?;
    x86!(a: cmp si, Model::Text as i32;);
    a.when(Is::Equal, |a| {
        a.run("cell_address")?;
        x86!(a: mov dx, TEXT_BYTES; sub dx, di; shr dx, 1; cmp cx, dx;);
        a.when(Is::Above, |a| a.mov(cx, dx))?;
        x86!(a: cmp ah, 0;);
        a.when_else(
            Is::NotEqual,
            |a| {
                x86!(a: mov ah, bl; rep_stosw;);
                Ok(())
            },
            |a| {
                a.count_cx(|a| {
                    x86!(a: stosb; inc di;);
                    Ok(())
                })
            },
        )?;
        a.ret()
    })?;
    a.count_cx(|a| {
        a.run("put_cell")?;
        x86!(a: inc dl; cmp dl, byte_ptr(bda::COLUMNS););
        a.when(Is::AboveOrEqual, |a| {
            // On into the next row, but not below the screen.
            x86!(a: mov dl, 0; inc dh; cmp dh, byte_ptr(bda::LAST_ROW););
            a.when(Is::Above, |a| a.ret())
        })
    })?;
    a.ret()
}

/// `put_cell`: character AL at DX of page BH; with attribute or colour BL, except in text if AH is 0. Keeps all but
/// SI, DI, ES.
fn put_cell(a: &mut Asm) -> Built {
    a.name("put_cell")?;
    // A cursor that a program hid below the screen.
    x86!(a: cmp dh, byte_ptr(bda::LAST_ROW););
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: cmp dl, byte_ptr(bda::COLUMNS););
    a.when(Is::AboveOrEqual, |a| a.ret())?;
    a.run("get_model")?;
    x86!(a: cmp si, Model::Text as i32;);
    a.go_if(Is::NotEqual, "draw_glyph")?;
    a.run("cell_address")?;
    x86!(a: mov byte_ptr(di).es(), al; cmp ah, 0;);
    a.when(Is::NotEqual, |a| a.mov(byte_ptr(di + 1).es(), bl))?;
    a.ret()
}

/// AH=08h: the character and attribute at the cursor of page BH.
fn read_cell(a: &mut Asm) -> Built {
    a.name("read_cell")?;
    a.run("page_cursor")?;
    a.run("get_model")?;
    x86!(a: cmp si, Model::Text as i32;);
    a.go_if(Is::NotEqual, "read_glyph")?;
    a.run("cell_address")?;
    x86!(a: mov ax, word_ptr(di).es(); mov word_ptr(bp + frame::AX), ax; ret;);
    Ok(())
}

/// AH=06h and 07h: scrolls the window from CX to DX by AL rows (0: all of them), which become blank with attribute
/// or colour BH.
///
/// A row is copied or filled by a routine of the model, called with the column in CL, the columns' number in CH, the
/// row in DH, the row to copy from in DL, the attribute in BH; it may change AX, SI, DI, ES.
fn scroll(a: &mut Asm) -> Built {
    for (name, down) in [("scroll_up", false), ("scroll_down", true)] {
        a.name(name)?;
        clip(a)?;
        // AH: rows of the window; from here on CL is the column, CH the columns' number, BL the rows to scroll.
        x86!(a:
            mov ah, dh;
            sub ah, ch;
            inc ah;
            mov bl, al;
            cmp bl, 0;
        );
        a.when(Is::Equal, |a| a.mov(bl, ah))?;
        x86!(a: cmp bl, ah;);
        a.when(Is::Above, |a| a.mov(bl, ah))?;
        // The first row written, in DH, and how many are copied, in AH.
        x86!(a: sub ah, bl; mov al, ch; mov ch, dl; sub ch, cl; inc ch;);
        if !down {
            a.mov(dh, al)?;
        }
        a.until(Is::ZERO, |a| {
            x86!(a: push ax; cmp ah, 0;);
            a.when_else(
                Is::Equal,
                |a| a.run("fill_row"),
                |a| {
                    x86!(a: mov dl, dh;);
                    if down {
                        a.sub(dl, bl)?;
                    } else {
                        a.add(dl, bl)?;
                    }
                    a.run("copy_row")
                },
            )?;
            x86!(a: pop ax; cmp ah, 0;);
            a.when_else(Is::Equal, |a| a.dec(bl), |a| a.dec(ah))?;
            if down {
                a.dec(dh)?;
            } else {
                a.inc(dh)?;
            }
            x86!(a: mov al, ah; or al, bl;);
            // BL is counted down only when all is copied.
            Ok(())
        })?;
        a.ret()?;
    }
    for (name, table) in [("fill_row", "row_fillers"), ("copy_row", "row_copiers")] {
        a.name(name)?;
        a.run("get_model")?;
        a.run("video_segment")?;
        let table = a.offset(table);
        x86!(a: jmp word_ptr(si + table).cs(););
    }
    Ok(())
}

/// Returns if the window CX to DX is empty, and clips it to the screen.
fn clip(a: &mut Asm) -> Built {
    x86!(a: cmp dh, byte_ptr(bda::LAST_ROW););
    a.when(Is::Above, |a| a.mov(dh, byte_ptr(bda::LAST_ROW)))?;
    x86!(a: cmp dl, byte_ptr(bda::COLUMNS););
    a.when(Is::AboveOrEqual, |a| {
        x86!(a: mov dl, byte_ptr(bda::COLUMNS); dec dl;);
        Ok(())
    })?;
    x86!(a: cmp ch, dh;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: cmp cl, dl;);
    a.when(Is::Above, |a| a.ret())
}

/// The rows of text modes, in the active page.
fn text_rows(a: &mut Asm) -> Built {
    a.name("fill_text_row")?;
    a.run("row_address")?;
    x86!(a: push cx; mov ah, bh; mov al, 0x20; movzx cx, ch; rep_stosw; pop cx; ret;);

    a.name("copy_text_row")?;
    x86!(a: push dx; mov dh, dl;);
    a.run("row_address")?;
    x86!(a: pop dx; mov si, di;);
    a.run("row_address")?;
    x86!(a:
        push cx;
        push ds;
        push es;
        pop ds;
        movzx cx, ch;
        rep_movsw;
        pop ds;
        pop cx;
        ret;
    );

    a.name("row_address")?;
    // ES:DI at column CL of row DH in the active page.
    x86!(a: push dx; push bx; mov bh, byte_ptr(bda::PAGE); mov dl, cl;);
    a.run("cell_address")?;
    x86!(a: pop bx; pop dx; ret;);
    Ok(())
}
