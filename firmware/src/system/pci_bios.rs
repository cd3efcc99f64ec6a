//! PCI BIOS 2.1: INT 1Ah B1h in real mode, and the same through BIOS32 in protected mode.

use super::areas::ROM_SEGMENT;
use super::pci;
use crate::language::{Body, Compare as _, Registers, Value, Var, routine};

/// "PCI ".
const SIGNATURE: u32 = u32::from_le_bytes(*b"PCI ");
/// What is returned in AH.
mod status {
    pub(super) const UNSUPPORTED: u32 = 0x81;
    pub(super) const BAD_VENDOR: u32 = 0x83;
    pub(super) const NOT_FOUND: u32 = 0x86;
    pub(super) const BAD_REGISTER: u32 = 0x87;
}

/// Carries out the function in AL. Whether the carry flag is to be set.
pub(super) fn service(frame: impl Into<Value>) -> Value {
    routine("pci_bios", [frame.into()], |f, [frame]| {
        let r = Registers(frame);
        // Bit 7 is set by those who call from protected mode.
        f.switch(r.al() & 0x7F, |s| {
            s.case(0x01, |f| {
                // Mechanism 1, version 2.10, last bus 0, and the entry for protected mode.
                f.set(r.edx(), SIGNATURE);
                f.set(r.edi(), ROM_SEGMENT * 16 + super::bios32::PCI);
                f.set(r.bx(), 0x0210);
                f.set(r.cl(), 0);
                f.set(r.ax(), 0x0001);
                f.ret(0);
            });
            s.case(0x02, |f| {
                f.when(r.dx().is(0xFFFF), |f| fail(f, r, status::BAD_VENDOR));
                let wanted = f.var(r.cx() << 16 | r.dx());
                let left = f.var(r.si());
                pci::each(f, |f, function| {
                    let found = pci::read32(function, pci::register::ID).is(wanted);
                    f.when(found, |f| count_down(f, r, function, left));
                });
                fail(f, r, status::NOT_FOUND);
            });
            s.case(0x03, |f| {
                let wanted = f.var(r.ecx() & 0xFF_FFFF);
                let left = f.var(r.si());
                pci::each(f, |f, function| {
                    let class = pci::read32(function, pci::register::CLASS) >> 8;
                    f.when(class.is(wanted), |f| count_down(f, r, function, left));
                });
                fail(f, r, status::NOT_FOUND);
            });
            s.case(0x08, |f| {
                check_register(f, r, 0);
                f.set(r.cl(), pci::read8(r.bx(), r.di()));
                succeed(f, r);
            });
            s.case(0x09, |f| {
                check_register(f, r, 1);
                f.set(r.cx(), pci::read16(r.bx(), r.di()));
                succeed(f, r);
            });
            s.case(0x0A, |f| {
                check_register(f, r, 3);
                f.set(r.ecx(), pci::read32(r.bx(), r.di()));
                succeed(f, r);
            });
            s.case(0x0B, |f| {
                check_register(f, r, 0);
                f.run(pci::write8(r.bx(), r.di(), r.cl()));
                succeed(f, r);
            });
            s.case(0x0C, |f| {
                check_register(f, r, 1);
                f.run(pci::write16(r.bx(), r.di(), r.cx()));
                succeed(f, r);
            });
            s.case(0x0D, |f| {
                check_register(f, r, 3);
                f.run(pci::write32(r.bx(), r.di(), r.ecx()));
                succeed(f, r);
            });
            s.default(|f| fail(f, r, status::UNSUPPORTED));
        });
    })
}

/// The register in DI must be a multiple of the access's width.
fn check_register(f: &mut Body<'_>, r: Registers, misaligned: u32) {
    f.when(r.di().above(0xFF).or(r.di().has(misaligned)), |f| {
        fail(f, r, status::BAD_REGISTER);
    });
}

/// One more is found; returns it if it is the one asked for.
fn count_down(f: &mut Body<'_>, r: Registers, function: Var, left: Var) {
    f.when(left.is(0), |f| {
        f.set(r.bx(), function);
        succeed(f, r);
    });
    f.sub(left, 1);
}

fn succeed(f: &mut Body<'_>, r: Registers) {
    f.set(r.ah(), 0);
    f.ret(0);
}

fn fail(f: &mut Body<'_>, r: Registers, status: u32) {
    f.set(r.ah(), status);
    f.ret(1);
}
