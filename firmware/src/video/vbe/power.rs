//! VBE function 10h: power management (VBE/PM 1.0).

use crate::video::prelude::*;

/// Sequencer: clocking mode, whose bit 5 turns the screen off.
const CLOCKING_MODE: i32 = 1;
const SCREEN_OFF: i32 = 0x20;
/// Version 1.0; standby, suspend and off, which all show nothing.
const CAPABILITIES: i32 = 0x0710;
const ON: i32 = 0;
const OFF: i32 = 4;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.name("vbe_power")?;
    x86!(a: mov dx, ports::SEQUENCER; cmp bl, 1;);
    a.when(Is::Below, |a| {
        x86!(a: mov word_ptr(bp + frame::BX), CAPABILITIES;);
        a.go("vbe_done")
    })?;
    a.when(Is::Equal, |a| {
        // 0 on, 1 standby, 2 suspend, 4 off.
        x86!(a: cmp bh, ON;);
        a.go_if(Is::Equal, "vbe_power_on")?;
        for state in [1, 2, OFF] {
            x86!(a: cmp bh, state;);
            a.go_if(Is::Equal, "vbe_power_off")?;
        }
        a.go("vbe_failed")
    })?;
    x86!(a: cmp bl, 2;);
    a.go_if(Is::NotEqual, "vbe_failed")?;
    x86!(a:
        mov al, CLOCKING_MODE;
        out dx, al;
        inc dx;
        in_ al, dx;
        mov bh, ON;
        test al, SCREEN_OFF;
    );
    a.when(Is::NONZERO, |a| a.mov(bh, OFF))?;
    x86!(a: mov byte_ptr(bp + frame::BH), bh;);
    a.go("vbe_done")?;

    a.name("vbe_power_on")?;
    x86!(a:
        mov al, CLOCKING_MODE;
        out dx, al;
        inc dx;
        in_ al, dx;
        and al, !SCREEN_OFF;
        out dx, al;
    );
    a.run("show")?;
    a.go("vbe_done")?;

    // The attribute controller lets go of the memory too, for what the sequencer does not show.
    a.name("vbe_power_off")?;
    x86!(a: mov al, CLOCKING_MODE; out dx, al; inc dx; in_ al, dx; or al, SCREEN_OFF; out dx, al;);
    a.run("reset_attribute_port")?;
    x86!(a: mov al, 0; out dx, al; in_ al, dx;);
    a.run("reset_attribute_port")?;
    a.go("vbe_done")
}
