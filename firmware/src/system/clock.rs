//! Time: INT 08h and 1Ch (ticks), INT 1Ah (time of day, real-time clock, PCI), INT 70h and 4Ah (alarm), and the waits of
//! INT 15h 83h and 86h.

use iced_x86::code_asm::{al, eax, edx};

use super::areas::bda;
use super::chipset::{MASTER_PIC, SLAVE_MASK, end_of_slave_interrupt};
use super::cmos::{
    ALARM, HOURS_24, PERIODIC, SETTING, cmos, from_decimal, index, set_cmos, wait_for_update,
};
use super::{floppy, pci_bios};
use crate::language::{
    Body, Compare as _, Registers, Unit, Value, asm, bda8, bda16, bda32, far8, in8, interrupt,
    routine,
};

/// Ticks in a day.
const TICKS_PER_DAY: u32 = 0x18_00B0;
/// Microseconds between two periodic interrupts of the clock.
const PERIOD_US: u32 = 976;

/// Emits the services.
pub(super) fn services(unit: &mut Unit) {
    unit.interrupt_with_end("int08", tick, |code| {
        // On the first PCs INT 08h saves AX, DX and DS, and no other register changes on the way to INT 1Ch. There are
        // programs whose handler counts in a register of their main loop.
        asm!(code;
            push eax; push edx;
            int 0x1C;
            cli;
            mov al, 0x20; out MASTER_PIC, al;
            pop edx; pop eax;
        );
    });
    unit.interrupt("int70", |f, _| {
        let cause = f.var(cmos(index::STATUS_C) & cmos(index::STATUS_B));
        f.when(cause.has(PERIODIC), count_wait_down);
        f.when(cause.has(ALARM), |f| f.run(interrupt(0x4A, [])));
        end_of_slave_interrupt(f);
    });
    unit.interrupt("int1a", |f, r| {
        f.switch(r.ah(), |s| {
            s.case(0x00, |f| ticks(f, r));
            s.case(0x01, |f| {
                f.set(bda32(bda::TICKS), r.cx() << 16 | r.dx());
                f.set(bda8(bda::MIDNIGHT), 0);
                f.set(r.ah(), 0);
                f.set_carry(r, false);
            });
            s.case(0x02, |f| read_time(f, r));
            s.case(0x03, |f| set_time(f, r));
            s.case(0x04, |f| read_date(f, r));
            s.case(0x05, |f| set_date(f, r));
            s.case(0x06, |f| set_alarm(f, r));
            s.case(0x07, |f| {
                f.run(set_cmos(index::STATUS_B, cmos(index::STATUS_B) & !ALARM));
                f.set_carry(r, false);
            });
            // The day counter.
            s.case(0x0A, |f| {
                f.set(r.cx(), bda16(bda::DAYS));
                f.set_status(r, 0);
            });
            s.case(0x0B, |f| {
                f.set(bda16(bda::DAYS), r.cx());
                f.set_status(r, 0);
            });
            s.case(0xB1, |f| pci_bios::interrupt(f, r));
            s.default(|f| f.set_carry(r, true));
        });
    });
}

fn tick(f: &mut Body<'_>, _: Registers) {
    f.add(bda32(bda::TICKS), 1);
    f.when(bda32(bda::TICKS).at_least(TICKS_PER_DAY), |f| {
        f.set(bda32(bda::TICKS), 0);
        f.add(bda8(bda::MIDNIGHT), 1);
        f.add(bda16(bda::DAYS), 1);
    });
    floppy::tick(f);
}

fn ticks(f: &mut Body<'_>, r: Registers) {
    f.cli();
    f.set(r.cx(), bda16(bda::TICKS + 2));
    f.set(r.dx(), bda16(bda::TICKS));
    f.set(r.al(), bda8(bda::MIDNIGHT));
    f.set(bda8(bda::MIDNIGHT), 0);
    f.set(r.ah(), 0);
    f.set_carry(r, false);
}

fn read_time(f: &mut Body<'_>, r: Registers) {
    f.set_carry(r, true);
    f.when(wait_for_update().is_not(0), |f| {
        f.set(r.dh(), cmos(index::SECONDS));
        f.set(r.cl(), cmos(index::MINUTES));
        f.set(r.ch(), cmos(index::HOURS));
        f.set(r.dl(), cmos(index::STATUS_B) & 1);
        f.set(r.ah(), 0);
        f.set_carry(r, false);
    });
}

fn set_time(f: &mut Body<'_>, r: Registers) {
    let mode = f.var((cmos(index::STATUS_B) & 0x60) | HOURS_24 | (r.dl() & 1));
    f.run(set_cmos(index::STATUS_B, mode | SETTING));
    f.run(set_cmos(index::SECONDS, r.dh()));
    f.run(set_cmos(index::MINUTES, r.cl()));
    f.run(set_cmos(index::HOURS, r.ch()));
    f.run(set_cmos(index::STATUS_B, mode));
    f.set(r.ah(), 0);
    f.set_carry(r, false);
}

fn read_date(f: &mut Body<'_>, r: Registers) {
    f.set_carry(r, true);
    f.when(wait_for_update().is_not(0), |f| {
        f.set(r.dl(), cmos(index::DAY));
        f.set(r.dh(), cmos(index::MONTH));
        f.set(r.cl(), cmos(index::YEAR));
        f.set(r.ch(), cmos(index::CENTURY));
        f.set(r.ah(), 0);
        f.set_carry(r, false);
    });
}

fn set_date(f: &mut Body<'_>, r: Registers) {
    let mode = f.var(cmos(index::STATUS_B) & !SETTING);
    f.run(set_cmos(index::STATUS_B, mode | SETTING));
    f.run(set_cmos(index::DAY, r.dl()));
    f.run(set_cmos(index::MONTH, r.dh()));
    f.run(set_cmos(index::YEAR, r.cl()));
    f.run(set_cmos(index::CENTURY, r.ch()));
    f.run(set_cmos(index::STATUS_B, mode));
    f.set(r.ah(), 0);
    f.set_carry(r, false);
}

/// One alarm at a time, says the interface.
fn set_alarm(f: &mut Body<'_>, r: Registers) {
    f.set_carry(r, true);
    f.when(cmos(index::STATUS_B).lacks(ALARM), |f| {
        f.run(set_cmos(index::SECONDS_ALARM, r.dh()));
        f.run(set_cmos(index::MINUTES_ALARM, r.cl()));
        f.run(set_cmos(index::HOURS_ALARM, r.ch()));
        f.out8(SLAVE_MASK, in8(SLAVE_MASK) & 0xFE);
        f.run(set_cmos(
            index::STATUS_B,
            (cmos(index::STATUS_B) & 0x7F) | ALARM,
        ));
        f.set(r.ah(), 0);
        f.set_carry(r, false);
    });
}

/// INT 70h: the wait of INT 15h 83h or 86h has one period less to go.
fn count_wait_down(f: &mut Body<'_>) {
    f.when(bda8(bda::WAIT_ACTIVE).has(1), |f| {
        f.either(
            bda32(bda::WAIT_LEFT).above(PERIOD_US),
            |f| f.sub(bda32(bda::WAIT_LEFT), PERIOD_US),
            |f| {
                f.run(stop_wait());
                let flag = far8(bda16(bda::WAIT_FLAG + 2), bda16(bda::WAIT_FLAG));
                f.set(flag.clone(), flag | 0x80);
            },
        );
    });
}

/// INT 15h 83h: sets bit 7 of a byte after CX:DX microseconds, or (AL = 1) forgets about it.
pub(super) fn event_wait(f: &mut Body<'_>, r: Registers) {
    f.either(
        r.al().is(1),
        |f| {
            f.run(stop_wait());
            f.set_status(r, 0);
        },
        |f| f.set_status(r, start_wait(r.es(), r.bx(), r.cx() << 16 | r.dx())),
    );
}

/// INT 15h 86h: returns after CX:DX microseconds.
pub(super) fn wait(f: &mut Body<'_>, r: Registers) {
    let flag = bda8(bda::WAIT_ACTIVE);
    let segment = super::areas::BDA_SEGMENT;
    let status = f.var(start_wait(segment, bda::WAIT_ACTIVE, r.cx() << 16 | r.dx()));
    f.when(status.is(0), |f| {
        f.while_(flag.clone().lacks(0x80), Body::wait_for_interrupt);
        f.set(flag, 0);
    });
    f.set_status(r, status);
}

/// Begins a wait; the status is 83h if one is going on.
fn start_wait(
    segment: impl Into<Value>,
    offset: impl Into<Value>,
    microseconds: impl Into<Value>,
) -> Value {
    let arguments = [segment.into(), offset.into(), microseconds.into()];
    routine(
        "start_wait",
        arguments,
        |f, [segment, offset, microseconds]| {
            f.when(bda8(bda::WAIT_ACTIVE).has(1), |f| f.ret(0x83));
            f.cli();
            f.set(bda8(bda::WAIT_ACTIVE), 1);
            f.set(bda32(bda::WAIT_FLAG), segment << 16 | offset);
            f.set(bda32(bda::WAIT_LEFT), microseconds);
            f.out8(SLAVE_MASK, in8(SLAVE_MASK) & 0xFE);
            f.run(cmos(index::STATUS_C));
            f.run(set_cmos(
                index::STATUS_B,
                (cmos(index::STATUS_B) & 0x7F) | PERIODIC,
            ));
            f.sti();
            f.ret(0);
        },
    )
}

fn stop_wait() -> Value {
    routine("stop_wait", [], |f, []| {
        f.clear_bits(bda8(bda::WAIT_ACTIVE), 1);
        f.run(set_cmos(
            index::STATUS_B,
            cmos(index::STATUS_B) & !(PERIODIC | SETTING),
        ));
    })
}

/// POST: the ticks since midnight, from the clock: 1193182 / 65536 a second.
pub(super) fn set_up_ticks(f: &mut Body<'_>) {
    f.run(wait_for_update());
    let minutes = from_decimal(cmos(index::HOURS)) * 60 + from_decimal(cmos(index::MINUTES));
    let seconds = f.var(minutes * 60 + from_decimal(cmos(index::SECONDS)));
    // 18.2065 = 182065 / 10000; in two parts, so that 32 bits suffice.
    let ticks = seconds * 18 + seconds * 2065 / 10000;
    f.set(bda32(bda::TICKS), ticks);
    set_up_days(f);
}

/// POST: the days since 1980. Up to 2099 every fourth year is a leap year.
fn set_up_days(f: &mut Body<'_>) {
    let year = from_decimal(cmos(index::CENTURY)) * 100 + from_decimal(cmos(index::YEAR));
    let year = f.var(year - 1980);
    let month = f.var(from_decimal(cmos(index::MONTH)));
    // Before a month lie so many days, if February had 30 of them.
    let before = (month * 367 - 362) / 12;
    let days = f.var(year * 365 + (year + 3) / 4 + before);
    f.when(month.above(2), |f| {
        f.sub(days, 2);
        f.when((year & 3).is(0), |f| f.add(days, 1));
    });
    f.add(days, from_decimal(cmos(index::DAY)) - 1);
    f.set(bda16(bda::DAYS), days);
}
