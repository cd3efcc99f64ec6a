//! Alternate select: INT 10h, AH=12h.

use super::prelude::*;

/// Sequencer: clocking mode; bit 5 turns the screen off.
const CLOCKING_MODE: i32 = 1;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.name("select")?;
    x86!(a: mov ah, al; mov al, bl;);
    a.select_al(&[
        (0x10, "get_configuration"),
        (0x20, "nothing"),
        (0x30, "choose_lines"),
        (0x31, "choose_palette_loading"),
        (0x32, "choose_cpu_access"),
        (0x33, "choose_grey"),
        (0x34, "choose_emulation"),
        (0x36, "choose_refresh"),
    ])?;
    a.ret()?;
    configuration(a)?;
    lines(a)?;
    switches(a)
}

/// BL=10h: colour or monochrome in BH, the memory in BL, feature bits and switches in CX.
fn configuration(a: &mut Asm) -> Built {
    a.name("get_configuration")?;
    x86!(a:
        mov bx, 0x0003;
        cmp word_ptr(bda::CRTC_PORT), ports::CRTC_MONO;
    );
    a.when(Is::Equal, |a| a.inc(bh))?;
    x86!(a:
        mov word_ptr(bp + frame::BX), bx;
        mov al, byte_ptr(bda::SWITCHES);
        mov ah, al;
        and al, 0x0F;
        shr ah, 4;
        mov word_ptr(bp + frame::CX), ax;
        ret;
    );
    Ok(())
}

/// BL=30h: text modes set from now on have 200, 350 or 400 lines (AL=0, 1, 2).
fn lines(a: &mut Asm) -> Built {
    a.name("choose_lines")?;
    x86!(a: cmp ah, 2;);
    a.when(Is::Above, |a| a.ret())?;
    // The switches say the same in an EGA's words.
    x86!(a:
        mov al, byte_ptr(bda::FLAGS);
        and al, 0xFF ^ (bda::FLAG_400_LINES | bda::FLAG_200_LINES);
        mov bl, byte_ptr(bda::SWITCHES);
        and bl, 0xF0;
        or bl, 0x09;
        cmp ah, 1;
    );
    a.when(Is::Below, |a| {
        x86!(a: or al, bda::FLAG_200_LINES; dec bl; cmp ah, 1;);
        Ok(())
    })?;
    a.when(Is::Above, |a| a.or(al, bda::FLAG_400_LINES))?;
    x86!(a: mov byte_ptr(bda::FLAGS), al; mov byte_ptr(bda::SWITCHES), bl;);
    a.name("select_done")?;
    // AL says that the service exists.
    x86!(a: mov byte_ptr(bp + frame::AL), 0x12; ret;);
    Ok(())
}

/// The services that turn something on (AL=0) or off (AL=1).
fn switches(a: &mut Asm) -> Built {
    // Bits of the data area: where, which, and what AL=0 makes of it.
    for (name, field, bit, on_is_set) in [
        (
            "choose_palette_loading",
            bda::FLAGS,
            bda::FLAG_KEEP_PALETTE,
            false,
        ),
        ("choose_grey", bda::FLAGS, bda::FLAG_GREY, true),
        (
            "choose_emulation",
            bda::CONTROL,
            bda::CONTROL_NO_EMULATION,
            false,
        ),
    ] {
        a.name(name)?;
        x86!(a: mov al, byte_ptr(field); and al, !bit; test ah, 1;);
        let condition = if on_is_set { Is::ZERO } else { Is::NONZERO };
        a.when(condition, |a| a.or(al, bit))?;
        x86!(a: mov byte_ptr(field), al;);
        a.go("select_done")?;
    }
    // Miscellaneous output bit 1 lets the processor see the memory.
    a.name("choose_cpu_access")?;
    x86!(a: mov dx, ports::MISC_READ; in_ al, dx; or al, 0x02; test ah, 1;);
    a.when(Is::NONZERO, |a| a.and(al, !0x02))?;
    x86!(a: mov dx, ports::MISC_WRITE; out dx, al;);
    a.go("select_done")?;

    a.name("choose_refresh")?;
    x86!(a:
        mov dx, ports::SEQUENCER;
        mov al, CLOCKING_MODE;
        out dx, al;
        inc dx;
        in_ al, dx;
        and al, !0x20;
        test ah, 1;
    );
    a.when(Is::NONZERO, |a| a.or(al, 0x20))?;
    x86!(a: out dx, al;);
    a.go("select_done")
}
