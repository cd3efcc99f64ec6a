//! Printers: INT 17h, and INT 05h that prints the screen (PC/AT BIOS interface).

use super::areas::bda;
use super::timer::{delay_ms, now, passed_ms};
use crate::language::{
    Body, Compare as _, Register, Unit, Value, Var, bda8, bda16, far8, in8, interrupt, routine,
};

/// Registers, from the port's first.
const DATA: u32 = 0;
const STATUS: u32 = 1;
const CONTROL: u32 = 2;
/// Control: selected, not being initialized; and the strobe.
const SELECTED: u32 = 0x0C;
const STROBE: u32 = 0x01;
const INITIALIZING: u32 = 0x08;
/// What the status register has the other way round, and what INT 17h does not show of it.
const INVERTED: u32 = 0x48;
const HIDDEN: u32 = 0x07;
const NOT_BUSY: u32 = 0x80;
const TIMEOUT: u32 = 0x01;

/// Emits INT 17h.
pub(super) fn services(unit: &mut Unit) {
    unit.interrupt("int17", |f, r| {
        f.when(r.dx().above(2), Body::leave);
        let port = f.var(bda16(r.dx() * 2 + bda::PARALLEL_PORTS));
        f.when(port.is(0), Body::leave);
        f.sti();
        f.switch(r.ah(), |s| {
            s.case(0x00, |f| {
                let start = f.var(now());
                f.set(r.ah(), 0);
                // The printer takes a character when it is not busy.
                let limit = f.var(Value::from(bda8(r.dx() + bda::PARALLEL_TIMEOUTS)) * 100);
                f.when(limit.above(4000), |f| f.set(limit, 4000));
                f.while_(in8(port + STATUS).lacks(NOT_BUSY), |f| {
                    f.when(passed_ms(start).at_least(limit), |f| {
                        f.set(r.ah(), TIMEOUT);
                        f.stop();
                    });
                });
                f.when(r.ah().is(0), |f| {
                    f.out8(port + DATA, r.al());
                    f.out8(port + CONTROL, SELECTED | STROBE);
                    f.out8(port + CONTROL, SELECTED);
                });
                f.set(r.ah(), r.ah() | status(port));
            });
            s.case(0x01, |f| {
                f.out8(port + CONTROL, INITIALIZING);
                f.run(delay_ms(1));
                f.out8(port + CONTROL, SELECTED);
                f.set(r.ah(), status(port));
            });
            s.case(0x02, |f| f.set(r.ah(), status(port)));
        });
    });
}

fn status(port: Var) -> Value {
    (in8(port + STATUS) ^ INVERTED) & (0xFF & !HIDDEN)
}

/// INT 05h: 50:00 says whether it is going on (1) or has failed (FFh).
pub(super) fn print_screen(f: &mut Body<'_>) {
    let state = far8(0x50, 0);
    f.when(state.clone().is(1), Body::leave);
    f.set(state.clone(), 1);
    f.sti();
    let page = Value::from(bda8(bda::VIDEO_PAGE)) << 8;
    let position = |place: Value| {
        interrupt(
            0x10,
            [
                (Register::Eax, Value::from(0x0200)),
                (Register::Ebx, Value::from(bda8(bda::VIDEO_PAGE)) << 8),
                (Register::Edx, place),
            ],
        )
    };
    let before = f.var(bda16(Value::from(bda8(bda::VIDEO_PAGE)) * 2 + 0x50));
    f.run(print(13));
    f.run(print(10));
    f.each(0, Value::from(bda8(bda::VIDEO_ROWS)) + 1, |f, row| {
        f.each(0, bda8(bda::VIDEO_COLUMNS), |f, column| {
            f.run(position(row << 8 | column));
            let read = [
                (Register::Eax, Value::from(0x0800)),
                (Register::Ebx, page.clone()),
            ];
            let character = f.var(interrupt(0x10, read).low());
            f.when(character.is(0), |f| f.set(character, 0x20));
            f.when(print(character).is_not(0), |f| {
                f.run(position(before.into()));
                f.set(state.clone(), 0xFF);
                f.leave();
            });
        });
        f.run(print(13));
        f.run(print(10));
    });
    f.run(position(before.into()));
    f.set(state, 0);
}

/// Prints a character on the first printer. Whether that failed.
fn print(character: impl Into<Value>) -> Value {
    routine("print_on_paper", [character.into()], |f, [character]| {
        let registers = [
            (Register::Eax, character & 0xFF),
            (Register::Edx, Value::from(0)),
        ];
        f.ret(interrupt(0x17, registers) & 0x2900);
    })
}

/// POST: which ports there are.
pub(super) fn set_up(f: &mut Body<'_>) {
    let count = f.var(0);
    for port in [0x3BCu32, 0x378, 0x278] {
        f.out8(port + CONTROL, SELECTED);
        f.out8(port + DATA, 0xAA);
        f.when(in8(port + DATA).is(0xAA), |f| {
            f.set(bda16(count * 2 + bda::PARALLEL_PORTS), port);
            f.set(bda8(count + bda::PARALLEL_TIMEOUTS), 20);
            f.add(count, 1);
        });
    }
    f.set(bda16(bda::EQUIPMENT), bda16(bda::EQUIPMENT) | count << 14);
}
