//! PCI BIOS 2.1: INT 1Ah B1h in real mode, and the same through BIOS32 in protected mode.

use super::areas::{ROM_SEGMENT, rom};
use super::{mp, pci};
use crate::language::{
    Body, Compare as _, Registers, Value, Var, far8, far16, in8, rom8, rom16, rom32, routine,
};

/// "PCI ".
const SIGNATURE: u32 = u32::from_le_bytes(*b"PCI ");
/// What is returned in AH.
mod status {
    pub(super) const UNSUPPORTED: u32 = 0x81;
    pub(super) const BAD_VENDOR: u32 = 0x83;
    pub(super) const NOT_FOUND: u32 = 0x86;
    pub(super) const BAD_REGISTER: u32 = 0x87;
    pub(super) const SET_FAILED: u32 = 0x88;
    pub(super) const BUFFER_TOO_SMALL: u32 = 0x89;
}
/// INTA# in function 0Fh; the other pins follow.
const FIRST_PIN: u32 = 0x0A;
/// The interrupt router, and its identification.
const ISA_BRIDGE: u32 = 0x08;
const PIIX3: u32 = 0x7000_8086;

/// INT 1Ah B1h.
pub(super) fn interrupt(f: &mut Body<'_>, r: Registers) {
    f.set_carry(r, false);
    let failed = f.var(0);
    f.either(
        r.al().is(0x0E),
        |f| f.set(failed, routing_options(r.frame())),
        |f| f.set(failed, service(r.frame())),
    );
    f.when(failed.is_not(0), |f| f.set_carry(r, true));
}

/// Function 0Eh: the slots of the routing table, to where the structure at ES:DI (size, far pointer) says; and in BX the
/// lines that nothing but PCI uses. In real mode only.
fn routing_options(frame: impl Into<Value>) -> Value {
    routine("pci_routing_options", [frame.into()], |f, [frame]| {
        let r = Registers(frame);
        let table = f.var(rom::FREE_TABLES);
        f.while_(rom32(table).is_not(mp::ROUTING_TABLE), |f| {
            f.add(table, 16);
            f.when(table.at_least(rom::TABLES_END), |f| {
                fail(f, r, status::UNSUPPORTED);
            });
        });
        let size = f.var(Value::from(rom16(table + 6)) - mp::ROUTING_HEADER);
        let room = f.var(far16(r.es(), r.di()));
        f.set(far16(r.es(), r.di()), size);
        f.when(room.below(size), |f| fail(f, r, status::BUFFER_TOO_SMALL));
        let offset = f.var(far16(r.es(), r.di() + 2));
        let segment = f.var(far16(r.es(), r.di() + 4));
        f.each(0, size, |f, n| {
            f.set(
                far8(segment, offset + n),
                rom8(table + n + mp::ROUTING_HEADER),
            );
        });
        f.set(r.bx(), rom16(table + 10));
        succeed(f, r);
    })
}

/// Function 0Fh: from now on the pin CL of the device BX interrupts by line CH, with all that share its wire.
fn set_interrupt(f: &mut Body<'_>, r: Registers) {
    let line = f.var(r.ch());
    let pin = f.var(r.cl() - FIRST_PIN);
    let bit = f.var(1);
    f.each(0, line & 0x0F, |f, _| f.add(bit, bit));
    let allowed = (bit & mp::FREE_LINES).is_not(0);
    let possible = pin.below(4).and(line.below(16)).and(allowed);
    let device = r
        .bx()
        .below(0x100)
        .and(pci::read32(ISA_BRIDGE, 0).is(PIIX3));
    f.when(possible.and(device).negated(), |f| {
        fail(f, r, status::SET_FAILED);
    });
    let wire = (r.bx() >> 3) + pin + 3;
    f.run(pci::write8(ISA_BRIDGE, (wire & 3) + 0x60, line));
    // What may be shared is level-triggered.
    f.out8(0x4D0, in8(0x4D0) | bit);
    f.out8(0x4D1, in8(0x4D1) | bit >> 8);
    succeed(f, r);
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
            s.case(0x0F, |f| set_interrupt(f, r));
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
