//! Advanced power management: INT 15h 53h, and the same in 16-bit and 32-bit protected mode (APM BIOS Interface
//! Specification 1.2).

use super::areas::{EBDA_SEGMENT, ROM_SEGMENT, ebda, rom};
use crate::language::{
    Bitness, Body, Compare as _, Registers, Unit, Value, asm, bda8, far8, routine,
};

/// Where the 32-bit entry lies in segment F000h.
pub(super) const ENTRY: u32 = rom::CODE_32 + 0x800;
/// The same of the 16-bit entry: a jump.
pub(super) const ENTRY_16: u32 = rom::COMPATIBLE - 0x10;
/// How long segments are for protected mode: code, and the EBDA as data.
const CODE_LENGTH: u32 = 0xFFFF;
const DATA_LENGTH: u32 = 0x0400;
/// Which interface is connected: real mode's, or that of 16-bit or 32-bit protected mode.
const REAL: u32 = 1;
const PROTECTED_16: u32 = 2;
const PROTECTED: u32 = 3;
/// The version of the interface.
const VERSION: u32 = 0x0102;

/// What is returned in AH.
mod status {
    pub(super) const CONNECTED: u32 = 0x02;
    pub(super) const NOT_CONNECTED: u32 = 0x03;
    pub(super) const BAD_DEVICE: u32 = 0x09;
    pub(super) const BAD_PARAMETER: u32 = 0x0A;
    pub(super) const UNSUPPORTED: u32 = 0x0C;
    pub(super) const NO_EVENT: u32 = 0x80;
    /// No error, and AX holds something else.
    pub(super) const AX_IS_SET: u32 = 0x100;
}
/// The PIIX4's power-management control register, and what puts the machine to its deepest sleep: off.
const CONTROL: u32 = 0x604;
const POWER_OFF: u32 = 0x2000;

/// INT 15h 53h.
pub(super) fn service(f: &mut Body<'_>, r: Registers) {
    let connected = far8(EBDA_SEGMENT, ebda::APM_CONNECTED);
    f.switch(r.al(), |s| {
        s.case(0x00, |f| {
            f.when(r.bx().is_not(0), |f| fail(f, r, status::BAD_DEVICE));
            // "PM", version 1.2, interfaces for 16-bit and 32-bit protected mode.
            f.set(r.bx(), 0x504D);
            f.set(r.cx(), 0x0003);
            f.set_status(r, 0);
            f.set(r.ax(), VERSION);
        });
        for (function, interface) in [(0x01, REAL), (0x02, PROTECTED_16), (0x03, PROTECTED)] {
            s.case(function, |f| {
                f.when(connected.clone().is_not(0), |f| {
                    fail(f, r, status::CONNECTED);
                });
                f.set(connected.clone(), interface);
                f.set_status(r, 0);
                match interface {
                    PROTECTED_16 => describe_segments_16(f, r),
                    PROTECTED => describe_segments(f, r),
                    _ => {}
                }
            });
        }
        s.case(0x04, |f| {
            f.when(connected.clone().is(0), |f| {
                fail(f, r, status::NOT_CONNECTED);
            });
            f.set(connected.clone(), 0);
            f.set_status(r, 0);
        });
        s.default(|f| {
            let answer = f.var(function(r.frame()));
            f.set_carry(r, false);
            f.when(answer.is_not(status::AX_IS_SET), |f| {
                f.set_status(r, answer);
            });
        });
    });
}

/// Function 02h: where 16-bit code and data lie, and how long they are.
fn describe_segments_16(f: &mut Body<'_>, r: Registers) {
    f.set(r.ax(), ROM_SEGMENT);
    f.set(r.bx(), ENTRY_16);
    f.set(r.cx(), EBDA_SEGMENT);
    f.set(r.si(), CODE_LENGTH);
    f.set(r.di(), DATA_LENGTH);
}

/// Function 03h: where code and data lie, and how long they are.
fn describe_segments(f: &mut Body<'_>, r: Registers) {
    f.set(r.ax(), ROM_SEGMENT);
    f.set(r.ebx(), ENTRY);
    f.set(r.cx(), ROM_SEGMENT);
    f.set(r.dx(), EBDA_SEGMENT);
    f.set(r.esi(), CODE_LENGTH << 16 | CODE_LENGTH);
    f.set(r.di(), DATA_LENGTH);
}

/// The 32-bit entry.
pub(super) fn protected() -> Vec<u8> {
    let mut unit = Unit::new(Bitness::Protected, 0);
    unit.far_service("apm32", far_service);
    unit.compile(ENTRY).code
}

/// Emits the 16-bit entry.
pub(super) fn services(unit: &mut Unit) {
    unit.far_service("apm16", far_service);
}

/// An entry for protected mode, to be called far with DS at the EBDA: functions as in real mode, the carry flag says
/// whether AH is an error.
fn far_service(f: &mut Body<'_>, r: Registers) {
    f.when(r.al().is(0x04), |f| {
        // The EBDA is where DS points to here.
        f.set(bda8(ebda::APM_CONNECTED), 0);
        f.set(r.ah(), 0);
        f.ret(0);
    });
    let answer = f.var(function(r.frame()));
    f.when(answer.is(status::AX_IS_SET), |f| f.ret(0));
    f.set(r.ah(), answer);
    f.ret(answer);
}

/// The functions that both interfaces have. A status.
fn function(frame: impl Into<Value>) -> Value {
    routine("apm_function", [frame.into()], |f, [frame]| {
        let r = Registers(frame);
        f.switch(r.al(), |s| {
            s.case(0x05, Body::wait_for_interrupt);
            // Busy; enabling and disabling; what holds after power-on.
            s.cases(&[0x06, 0x08, 0x09, 0x0D, 0x0F], |_| {});
            // The state of the machine or a device: ready.
            s.case(0x0C, |f| f.set(r.cx(), 0));
            // The driver's version, in CX: both talk as the older of the two does.
            s.case(0x0E, |f| {
                f.set(r.ax(), r.cx());
                f.when(r.cx().above(VERSION), |f| f.set(r.ax(), VERSION));
                f.when(r.cx().below(0x0100), |f| f.set(r.ax(), 0x0100));
                f.ret(status::AX_IS_SET);
            });
            // No batteries, and nothing that could wake the machine.
            s.case(0x10, |f| {
                f.set(r.bl(), 0);
                f.set(r.cx(), 0);
            });
            s.case(0x07, |f| {
                f.when(r.bx().is_not(1), |f| f.ret(status::BAD_DEVICE));
                f.switch(r.cx(), |s| {
                    s.cases(&[1, 2], Body::wait_for_interrupt);
                    s.case(3, |f| {
                        f.out16(CONTROL, POWER_OFF);
                        f.forever(|f| f.code(|code| asm!(code; cli; hlt;)));
                    });
                    s.default(|f| f.ret(status::BAD_PARAMETER));
                });
            });
            s.case(0x0A, |f| {
                // On mains, no battery.
                f.set(r.bx(), 0x01FF);
                f.set(r.cx(), 0x80FF);
                f.set(r.dx(), 0xFFFF);
            });
            s.case(0x0B, |f| f.ret(status::NO_EVENT));
            s.default(|f| f.ret(status::UNSUPPORTED));
        });
        f.ret(0);
    })
}

fn fail(f: &mut Body<'_>, r: Registers, status: u32) {
    f.set_status(r, status);
    f.leave();
}
