//! Initialization, called once by the system BIOS, and the entry of INT 10h.

use super::prelude::*;

/// The services by AH.
const SERVICES: [&str; 0x1D] = [
    "set_mode",
    "set_cursor_shape",
    "set_cursor",
    "get_cursor",
    "light_pen",
    "set_page",
    "scroll_up",
    "scroll_down",
    "read_cell",
    "write_cells",
    "write_characters",
    "set_border",
    "write_dot",
    "read_dot",
    "teletype",
    "get_mode",
    "palette",
    "fonts",
    "select",
    "write_string",
    "nothing",
    "nothing",
    "nothing",
    "nothing",
    "nothing",
    "nothing",
    "display_combination",
    "functionality",
    "state",
];

/// [`bda::CONTROL`]: 256 KiB, colour, cursor shapes translated.
const CONTROL_AT_START: i32 = 0x60;
/// [`bda::SWITCHES`]: an EGA's switches for an enhanced colour display.
const SWITCHES_AT_START: i32 = 0xF9;
/// [`bda::FLAGS`]: 400 lines, switching allowed, a VGA.
const FLAGS_AT_START: i32 = 0x51;
/// [`bda::DISPLAY`]: the entry of the display combination table for a VGA with a colour display alone.
const DISPLAY_AT_START: i32 = 0x0B;

pub(crate) fn emit(a: &mut Asm) -> Built {
    init(a)?;
    int10(a)?;
    a.offsets("services", &SERVICES)?;
    a.routine("nothing", |a| a.ret())?;
    // There is none: AH is 0.
    a.routine("light_pen", |a| {
        a.mov(byte_ptr(bp + frame::AH), 0)?;
        a.ret()
    })
}

/// Called far, with the interrupt vectors in place: takes INT 10h and sets mode 3.
fn init(a: &mut Asm) -> Built {
    a.name("init")?;
    x86!(a:
        pushfd;
        pushad;
        push ds;
        push es;
        cld;
        xor ax, ax;
        mov ds, ax;
        // What INT 10h was serves a CGA or MDA beside us.
        mov eax, dword_ptr(4 * 0x10);
        mov dword_ptr(4 * 0x42), eax;
    );
    for (vector, target) in [
        (0x10, "int10"),
        (0x6D, "int10"),
        (0x43, "font_8x16"),
        (0x1F, "font_8x8"),
    ] {
        let upper_half = if vector == 0x1F { 128 * 8 } else { 0 };
        let offset = a.offset(target) + upper_half;
        x86!(a:
            mov word_ptr(4 * vector), offset;
            mov word_ptr(4 * vector + 2), cs;
        );
    }
    x86!(a: mov ax, bda::SEGMENT; mov ds, ax;);
    let save_pointers = a.offset("save_pointers");
    x86!(a:
        mov byte_ptr(bda::CONTROL), CONTROL_AT_START;
        mov byte_ptr(bda::SWITCHES), SWITCHES_AT_START;
        mov byte_ptr(bda::FLAGS), FLAGS_AT_START;
        mov byte_ptr(bda::DISPLAY), DISPLAY_AT_START;
        mov word_ptr(bda::SAVE_POINTERS), save_pointers;
        mov word_ptr(bda::SAVE_POINTERS + 2), cs;
        mov ax, 0x0003;
        int 0x10;
        pop es;
        pop ds;
        popad;
        popfd;
        retf;
    );
    Ok(())
}

/// INT 10h: keeps all registers, so that a service is called with AX, BX, CX, DX, DI and ES as the caller had them,
/// DS 0040h, and BP at the [`frame`].
fn int10(a: &mut Asm) -> Built {
    a.name("int10")?;
    x86!(a:
        cld;
        push ds;
        push es;
        pushad;
        mov bp, sp;
        push bda::SEGMENT;
        pop ds;
        // A scroll or a mode set takes long; who had interrupts on keeps them.
        test word_ptr(bp + frame::FLAGS), 0x200;
    );
    a.when(Is::NONZERO, |a| a.sti())?;
    x86!(a: cmp ah, 0x4F;);
    a.when_else(
        Is::Equal,
        |a| a.run("vbe"),
        |a| {
            let last = i32::try_from(SERVICES.len() - 1).expect("a few services");
            x86!(a: cmp ah, last;);
            a.when(Is::BelowOrEqual, |a| {
                let services = a.offset("services");
                x86!(a:
                    movzx si, ah;
                    add si, si;
                    call word_ptr(si + services).cs();
                );
                Ok(())
            })
        },
    )?;
    x86!(a: popad; pop es; pop ds; iret;);
    Ok(())
}
