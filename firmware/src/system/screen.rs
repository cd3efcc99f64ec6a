//! Text on the screen, by INT 10h, and on the debug port 402h, for those who have no screen.

use crate::language::{Body, Compare as _, Register, Value, interrupt, rom8, routine, text};

/// The port that QEMU's debug console has with SeaBIOS; elsewhere nobody listens.
const DEBUG_PORT: u32 = 0x402;

/// Writes a character.
pub(super) fn print_character(character: impl Into<Value>) -> Value {
    routine("print_character", [character.into()], |f, [character]| {
        f.out8(DEBUG_PORT, character);
        f.run(interrupt(
            0x10,
            [
                (Register::Eax, (character & 0xFF) | 0x0E00),
                (Register::Ebx, Value::from(0x07)),
            ],
        ));
    })
}

/// Writes the zero-terminated text at an offset of the ROM.
pub(super) fn print_text(offset: impl Into<Value>) -> Value {
    routine("print_text", [offset.into()], |f, [offset]| {
        f.while_(rom8(offset).is_not(0), |f| {
            f.run(print_character(rom8(offset)));
            f.add(offset, 1);
        });
    })
}

/// Writes a text.
pub(super) fn print(f: &mut Body<'_>, words: &str) {
    f.run(print_text(text(words)));
}

/// Writes a number.
pub(super) fn print_number(number: impl Into<Value>) -> Value {
    routine("print_number", [number.into()], |f, [number]| {
        f.when(number.at_least(10), |f| f.run(print_number(number / 10)));
        f.run(print_character(number % 10 + u32::from(b'0')));
    })
}

/// Writes the lowest `digits` hexadecimal digits of a number.
pub(super) fn print_hex(number: impl Into<Value>, digits: impl Into<Value>) -> Value {
    routine(
        "print_hex",
        [number.into(), digits.into()],
        |f, [number, digits]| {
            f.while_(digits.is_not(0), |f| {
                f.sub(digits, 1);
                let digit = f.var((number >> (digits * 4)) & 0x0F);
                f.when(digit.above(9), |f| f.add(digit, 7));
                f.run(print_character(digit + u32::from(b'0')));
            });
        },
    )
}

/// POST: 80 columns and 25 rows in colour.
pub(super) fn set_up(f: &mut Body<'_>) {
    f.run(interrupt(0x10, [(Register::Eax, Value::from(0x0003))]));
}
