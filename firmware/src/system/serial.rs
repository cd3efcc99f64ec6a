//! Serial ports: INT 14h (PC/AT and PS/2 BIOS interface; 16550 datasheet).

use super::areas::bda;
use super::image::DIVISORS;
use super::timer::{now, passed_ms};
use crate::language::{
    Body, Compare as _, Registers, Unit, Value, Var, bda8, bda16, in8, rom16, routine,
};

/// Registers, from the port's first.
const DATA: u32 = 0;
const INTERRUPTS: u32 = 1;
const LINE_CONTROL: u32 = 3;
const MODEM_CONTROL: u32 = 4;
const LINE_STATUS: u32 = 5;
const MODEM_STATUS: u32 = 6;
const SCRATCH: u32 = 7;
/// Line control: the divisor is in the first two registers.
const DIVISOR_ACCESS: u32 = 0x80;
/// Line status: a character is there; the transmitter is empty. And what INT 14h adds: nobody answered.
const RECEIVED: u32 = 0x01;
const EMPTY: u32 = 0x20;
const TIMEOUT: u32 = 0x80;
/// Modem control: terminal ready, request to send.
const READY: u32 = 0x03;

/// Divisors for 110, 150, 300, 600, 1200, 2400, 4800, 9600 baud; then 19200, 38400, 57600 and 115200.
pub(super) fn divisors() -> Vec<u8> {
    let divisors: [u16; 8] = [0x417, 0x300, 0x180, 0x0C0, 0x060, 0x030, 0x018, 0x00C];
    divisors
        .iter()
        .flat_map(|divisor| divisor.to_le_bytes())
        .collect()
}

/// Emits INT 14h.
pub(super) fn services(unit: &mut Unit) {
    unit.interrupt("int14", |f, r| {
        f.when(r.dx().above(3), Body::leave);
        let port = f.var(bda16(r.dx() * 2 + bda::SERIAL_PORTS));
        f.when(port.is(0), Body::leave);
        f.switch(r.ah(), |s| {
            s.case(0x00, |f| {
                let divisor = rom16(((r.al() >> 5) << 1) + DIVISORS);
                set_line(f, port, divisor.into(), r.al() & 0x1F);
                status(f, r, port);
            });
            s.case(0x01, |f| {
                f.out8(port + MODEM_CONTROL, READY);
                let state = f.var(wait(port, r.dx(), EMPTY));
                f.when(state.lacks(TIMEOUT), |f| f.out8(port + DATA, r.al()));
                f.set(r.ah(), state);
            });
            s.case(0x02, |f| {
                f.out8(port + MODEM_CONTROL, READY);
                let state = f.var(wait(port, r.dx(), RECEIVED));
                f.when(state.lacks(TIMEOUT), |f| f.set(r.al(), in8(port + DATA)));
                // Only errors are of interest here.
                f.set(r.ah(), state & (TIMEOUT | 0x1E));
            });
            s.case(0x03, |f| status(f, r, port));
            s.case(0x04, |f| {
                let divisor = crate::language::bytes(&extended_divisors());
                f.when(r.cl().at_most(11), |f| {
                    let divisor = rom16(divisor + r.cl() * 2);
                    // Parity in BH, stop bits in BL, word length in CH.
                    let parity = f.var(0);
                    f.when(r.bh().is_not(0), |f| f.set(parity, (r.bh() << 4) - 8));
                    let line = parity | (r.bl() & 1) << 2 | (r.ch() & 3);
                    set_line(f, port, divisor.into(), line);
                });
                status(f, r, port);
            });
            s.case(0x05, |f| {
                f.either(
                    r.al().is(0),
                    |f| f.set(r.bl(), in8(port + MODEM_CONTROL)),
                    |f| f.out8(port + MODEM_CONTROL, r.bl()),
                );
                status(f, r, port);
            });
        });
    });
}

fn extended_divisors() -> Vec<u8> {
    let mut all = divisors();
    all.extend(
        [6u16, 3, 2, 1]
            .iter()
            .flat_map(|divisor| divisor.to_le_bytes()),
    );
    all
}

fn set_line(f: &mut Body<'_>, port: Var, divisor: Value, line: Value) {
    let divisor = f.var(divisor);
    let line = f.var(line);
    f.out8(port + LINE_CONTROL, DIVISOR_ACCESS);
    f.out8(port + DATA, divisor);
    f.out8(port + INTERRUPTS, divisor >> 8);
    f.out8(port + LINE_CONTROL, line);
    f.out8(port + INTERRUPTS, 0);
}

fn status(f: &mut Body<'_>, r: Registers, port: Var) {
    f.set(r.ah(), in8(port + LINE_STATUS));
    f.set(r.al(), in8(port + MODEM_STATUS));
}

/// Waits for a bit of the line status, as long as the port's timeout says. The line status, with [`TIMEOUT`] if it
/// did not come.
fn wait(port: impl Into<Value>, n: impl Into<Value>, wanted: u32) -> Value {
    routine(
        "serial_wait",
        [port.into(), n.into(), wanted.into()],
        |f, [port, n, wanted]| {
            f.sti();
            let rounds = f.var(Value::from(bda8(n + bda::SERIAL_TIMEOUTS)) + 1);
            let state = f.var(0);
            f.while_(rounds.is_not(0), |f| {
                let start = f.var(now());
                f.while_(passed_ms(start).below(1000), |f| {
                    f.set(state, in8(port + LINE_STATUS));
                    f.when((state & wanted).is(wanted), |f| f.ret(state & 0x7F));
                });
                f.sub(rounds, 1);
            });
            f.ret(state | TIMEOUT);
        },
    )
}

/// POST: which ports there are.
pub(super) fn set_up(f: &mut Body<'_>) {
    let count = f.var(0);
    for port in [0x3F8u32, 0x2F8, 0x3E8, 0x2E8] {
        // The interrupt enable register has four bits, and the scratch register keeps what it is told.
        f.out8(port + INTERRUPTS, 0x02);
        f.out8(port + SCRATCH, 0x5A);
        let there = in8(port + INTERRUPTS)
            .is(0x02)
            .and(in8(port + SCRATCH).is(0x5A));
        f.when(there, |f| {
            f.set(bda16(count * 2 + bda::SERIAL_PORTS), port);
            f.set(bda8(count + bda::SERIAL_TIMEOUTS), 1);
            f.add(count, 1);
            f.out8(port + INTERRUPTS, 0);
        });
    }
    f.set(bda16(bda::EQUIPMENT), bda16(bda::EQUIPMENT) | count << 9);
}
