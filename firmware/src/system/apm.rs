//! Advanced power management, real-mode interface: INT 15h 53h (APM BIOS Interface Specification 1.2).

use super::areas::{EBDA_SEGMENT, ebda};
use crate::language::{Body, Compare as _, Registers, asm, far8};

/// What is returned in AH.
mod status {
    pub(super) const CONNECTED: u32 = 0x02;
    pub(super) const NOT_CONNECTED: u32 = 0x03;
    pub(super) const BAD_DEVICE: u32 = 0x09;
    pub(super) const BAD_PARAMETER: u32 = 0x0A;
    pub(super) const UNSUPPORTED: u32 = 0x0C;
    pub(super) const NO_EVENT: u32 = 0x80;
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
            // "PM", version 1.2, no interfaces for protected mode.
            f.set(r.bx(), 0x504D);
            f.set(r.cx(), 0x0000);
            f.set_status(r, 0);
            f.set(r.ax(), 0x0102);
        });
        s.case(0x01, |f| {
            f.when(connected.clone().is_not(0), |f| {
                fail(f, r, status::CONNECTED);
            });
            f.set(connected.clone(), 1);
            f.set_status(r, 0);
        });
        s.case(0x04, |f| {
            f.when(connected.clone().is(0), |f| {
                fail(f, r, status::NOT_CONNECTED);
            });
            f.set(connected.clone(), 0);
            f.set_status(r, 0);
        });
        s.case(0x05, |f| {
            f.wait_for_interrupt();
            f.set_status(r, 0);
        });
        // Busy; enabling and disabling; the driver's version.
        s.cases(&[0x06, 0x08, 0x0D, 0x0F], |f| f.set_status(r, 0));
        s.case(0x0E, |f| {
            f.set_status(r, 0);
            f.set(r.ax(), 0x0102);
        });
        s.case(0x07, |f| {
            f.when(r.bx().is_not(1), |f| fail(f, r, status::BAD_DEVICE));
            f.switch(r.cx(), |s| {
                s.cases(&[1, 2], |f| f.wait_for_interrupt());
                s.case(3, |f| {
                    f.out16(CONTROL, POWER_OFF);
                    f.forever(|f| f.code(|code| asm!(code; cli; hlt;)));
                });
                s.default(|f| fail(f, r, status::BAD_PARAMETER));
            });
            f.set_status(r, 0);
        });
        s.case(0x0A, |f| {
            // On mains, no battery.
            f.set(r.bx(), 0x01FF);
            f.set(r.cx(), 0x80FF);
            f.set(r.dx(), 0xFFFF);
            f.set_status(r, 0);
        });
        s.case(0x0B, |f| fail(f, r, status::NO_EVENT));
        s.default(|f| fail(f, r, status::UNSUPPORTED));
    });
}

fn fail(f: &mut Body<'_>, r: Registers, status: u32) {
    f.set_status(r, status);
    f.leave();
}
