//! The keyboard controller 8042 and what is behind its two ports (PS/2 technical reference).

use super::timer::{delay_ms, wait_port};
use crate::language::{Body, Compare as _, Value, in8, routine};

/// Data to and from.
pub(super) const DATA: u32 = 0x60;
/// Status, and commands to the controller.
pub(super) const STATUS: u32 = 0x64;
/// Status: there is something to read; the last write was not taken yet; what there is comes from the mouse.
pub(super) const OUTPUT_FULL: u32 = 0x01;
pub(super) const INPUT_FULL: u32 = 0x02;
pub(super) const FROM_MOUSE: u32 = 0x20;
/// The controller's command byte: interrupts of keyboard and mouse, system flag, translation to scan code set 1.
pub(super) const COMMAND_BYTE: u32 = 0x47;

/// How long the controller may take, in milliseconds.
const PATIENCE_MS: u32 = 50;

/// Writes a command to the controller.
pub(super) fn command(command: impl Into<Value>) -> Value {
    routine("kbc_command", [command.into()], |f, [command]| {
        f.run(wait_port(STATUS, INPUT_FULL, 0, PATIENCE_MS));
        f.out8(STATUS, command);
    })
}

/// Writes a byte to the keyboard, or whatever the last command says.
pub(super) fn write(byte: impl Into<Value>) -> Value {
    routine("kbc_write", [byte.into()], |f, [byte]| {
        f.run(wait_port(STATUS, INPUT_FULL, 0, PATIENCE_MS));
        f.out8(DATA, byte);
    })
}

/// Reads a byte; 100h if none comes within so many milliseconds.
pub(super) fn read(milliseconds: impl Into<Value>) -> Value {
    routine("kbc_read", [milliseconds.into()], |f, [milliseconds]| {
        f.when(
            wait_port(STATUS, OUTPUT_FULL, OUTPUT_FULL, milliseconds).is(0),
            |f| f.ret(0x100),
        );
        f.ret(in8(DATA));
    })
}

/// Writes a byte to the mouse and reads its acknowledgement.
pub(super) fn write_mouse(byte: impl Into<Value>) -> Value {
    routine("kbc_write_mouse", [byte.into()], |f, [byte]| {
        f.run(command(0xD4));
        f.run(write(byte));
        f.ret(read(PATIENCE_MS));
    })
}

/// Keeps the keyboard's bytes back, so that what is read next is the mouse's answer. What waits to be read is left to its
/// interrupt first. Interrupts are out afterwards.
pub(super) fn hold_keyboard() -> Value {
    routine("kbc_hold_keyboard", [], |f, []| {
        f.each(0, PATIENCE_MS, |f, _| {
            f.cli();
            f.run(command(0xAD));
            f.when(in8(STATUS).lacks(OUTPUT_FULL), Body::leave);
            f.run(command(0xAE));
            f.sti();
            f.run(delay_ms(1));
        });
        // Nobody wants it.
        f.cli();
        f.run(command(0xAD));
        flush(f);
    })
}

/// Lets the keyboard go on.
pub(super) fn release_keyboard() -> Value {
    command(0xAE)
}

/// Throws away what nobody has read.
fn flush(f: &mut Body<'_>) {
    f.each(0, 64, |f, _| {
        f.when(in8(STATUS).lacks(OUTPUT_FULL), Body::stop);
        f.run(in8(DATA));
    });
}

/// POST: tests the controller and the keyboard, and enables both ports.
pub(super) fn set_up(f: &mut Body<'_>) {
    flush(f);
    f.run(command(0xAD));
    f.run(command(0xA7));
    flush(f);
    f.run(command(0xAA));
    f.when(read(500).is(0x55), |f| {
        f.run(command(0xAE));
        f.run(command(0xA8));
        // No interrupts while the keyboard is reset.
        f.run(command(0x60));
        f.run(write(COMMAND_BYTE & !0x03));
        f.run(write(0xFF));
        f.when(read(100).is(0xFA), |f| f.run(read(1000)));
        f.run(write(0xF4));
        f.run(read(PATIENCE_MS));
        f.run(command(0x60));
        f.run(write(COMMAND_BYTE));
    });
}

/// Restarts the machine through the controller.
pub(super) fn restart(f: &mut Body<'_>) {
    f.run(command(0xFE));
    f.run(delay_ms(100));
    // For boards without: the PIIX3's reset control register.
    f.out8(0xCF9, 0x02);
    f.out8(0xCF9, 0x06);
    f.forever(|f| f.code(|code| crate::language::asm!(code; cli; hlt;)));
}
