//! Teletype output, strings and the bell: INT 10h, AH=0Eh and 13h.

use super::modes::Model;
use super::prelude::*;

const BELL: i32 = 7;
const BACKSPACE: i32 = 8;
const LINE_FEED: i32 = 10;
const RETURN: i32 = 13;

/// The 8254's counter 2 and control register, and the port that lets it through to the speaker.
const COUNTER_2: i32 = 0x42;
const COUNTER_CONTROL: i32 = 0x43;
const SPEAKER: i32 = 0x61;
/// Counter 2, low then high byte, square wave.
const SQUARE_WAVE: i32 = 0xB6;
/// 1,193,182 Hz by this is 896 Hz.
const BELL_DIVISOR: i32 = 1331;
/// Half waves of a bell: an eighth of a second, short enough for a file of them.
const BELL_HALF_WAVES: i32 = 224;
/// How often the counter's output is read before we take it for dead.
const BELL_PATIENCE: i32 = 0x8000;

pub(crate) fn emit(a: &mut Asm) -> Built {
    teletype(a)?;
    type_character(a)?;
    bell(a)?;
    write_string(a)
}

/// AH=0Eh: character AL in the active page (whatever BH says: boot sectors leave it undefined), in colour BL in
/// graphics modes.
fn teletype(a: &mut Asm) -> Built {
    a.name("teletype")?;
    x86!(a: mov bh, byte_ptr(bda::PAGE); mov ah, 0;);
    a.run("page_cursor")?;
    a.run("type_character")?;
    a.go("move_cursor")?;

    a.name("move_cursor")?;
    // The cursor of page BH is now at DX.
    x86!(a:
        movzx si, bh;
        add si, si;
        mov word_ptr(si + bda::CURSORS), dx;
        cmp bh, byte_ptr(bda::PAGE);
    );
    a.go_if(Is::Equal, "place_cursor")?;
    a.ret()
}

/// `type_character`: AL at DX of page BH with attribute BL (AH as for `put_cell`), and where to go on in DX. Keeps
/// AX, BX, CX.
fn type_character(a: &mut Asm) -> Built {
    a.name("type_character")?;
    a.select_al(&[
        (BELL, "bell"),
        (BACKSPACE, "backspace"),
        (LINE_FEED, "line_feed"),
        (RETURN, "return"),
    ])?;
    a.run("put_cell")?;
    x86!(a: inc dl; cmp dl, byte_ptr(bda::COLUMNS););
    a.when(Is::Below, |a| a.ret())?;
    x86!(a: mov dl, 0;);
    a.name("line_feed")?;
    x86!(a: cmp dh, byte_ptr(bda::LAST_ROW););
    a.go_if(Is::AboveOrEqual, "scroll_page")?;
    x86!(a: inc dh; ret;);
    a.name("backspace")?;
    x86!(a: cmp dl, 0;);
    a.when(Is::NotEqual, |a| a.dec(dl))?;
    a.ret()?;
    a.name("return")?;
    x86!(a: mov dl, 0; ret;);

    a.name("scroll_page")?;
    // The new row gets the attribute of the last; colour 0 in graphics.
    x86!(a: push ax; push bx; push cx; push dx; mov ah, 0;);
    a.run("get_model")?;
    x86!(a: cmp si, Model::Text as i32;);
    a.when(Is::Equal, |a| {
        a.run("cell_address")?;
        x86!(a: mov ah, byte_ptr(di + 1).es(););
        Ok(())
    })?;
    // Scrolling works in the active page; for another one, let it be that for a moment.
    x86!(a:
        push word_ptr(bda::PAGE);
        mov byte_ptr(bda::PAGE), bh;
        mov bh, ah;
        mov al, 1;
        mov cx, 0;
        mov dh, byte_ptr(bda::LAST_ROW);
        mov dl, byte_ptr(bda::COLUMNS);
        dec dl;
    );
    a.run("scroll_up")?;
    x86!(a:
        pop ax;
        mov byte_ptr(bda::PAGE), al;
        pop dx;
        pop cx;
        pop bx;
        pop ax;
        mov dh, byte_ptr(bda::LAST_ROW);
        ret;
    );
    Ok(())
}

/// `bell`: 896 Hz on the speaker, timed by the tone's own counter. Keeps all registers.
fn bell(a: &mut Asm) -> Built {
    a.name("bell")?;
    x86!(a:
        pushad;
        mov al, SQUARE_WAVE;
        out COUNTER_CONTROL, al;
        mov al, BELL_DIVISOR & 0xFF;
        out COUNTER_2, al;
        mov al, BELL_DIVISOR >> 8;
        out COUNTER_2, al;
        in_ al, SPEAKER;
        mov bl, al;
        or al, 3;
        out SPEAKER, al;
        mov cx, BELL_HALF_WAVES;
        mov ah, 0;
    );
    a.count_cx(|a| {
        x86!(a: mov dx, BELL_PATIENCE;);
        // Until bit 5, the counter's output, changes.
        a.until(Is::ZERO, |a| {
            x86!(a: in_ al, SPEAKER; and al, 0x20; cmp al, ah;);
            a.go_if(Is::NotEqual, "half_wave")?;
            a.dec(dx)
        })?;
        x86!(a: mov cx, 1;);
        a.name("half_wave")?;
        a.mov(ah, al)
    })?;
    x86!(a: mov al, bl; out SPEAKER, al; popad; ret;);
    Ok(())
}

/// AH=13h: CX characters at ES:BP from DX on in page BH. AL bit 0 moves the cursor, bit 1 says that attributes are
/// in the string, else they are BL.
fn write_string(a: &mut Asm) -> Built {
    a.name("write_string")?;
    x86!(a: cmp al, 3;);
    a.when(Is::Above, |a| a.ret())?;
    x86!(a: test cx, cx;);
    a.when(Is::ZERO, |a| a.ret())?;
    // FS:DI walks the string; -1 for the row means the cursor.
    x86!(a: push fs; push es; pop fs; mov di, word_ptr(bp + frame::BP); and bh, 7; cmp dh, 0xFF;);
    a.when(Is::Equal, |a| a.run("page_cursor"))?;
    x86!(a: mov ah, 1;);
    a.count_cx(|a| {
        x86!(a: mov al, byte_ptr(di).fs(); inc di; test byte_ptr(bp + frame::AL), 2;);
        a.when(Is::NONZERO, |a| {
            x86!(a: mov bl, byte_ptr(di).fs(); inc di;);
            Ok(())
        })?;
        x86!(a: push di;);
        a.run("type_character")?;
        a.pop(di)
    })?;
    x86!(a: pop fs; test byte_ptr(bp + frame::AL), 1;);
    a.go_if(Is::NONZERO, "move_cursor")?;
    a.ret()
}
