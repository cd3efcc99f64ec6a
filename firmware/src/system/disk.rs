//! INT 13h: hard disks by cylinder, head and sector. Floppies go to INT 40h; the extensions are in [`edd`](super::edd),
//! CDs that emulate disks in [`el_torito`](super::el_torito).

use iced_x86::code_asm::{ah, byte_ptr, dl, ds};

use super::areas::{EBDA_SEGMENT, bda, ebda};
use super::chipset::end_of_slave_interrupt;
use super::floppy::status;
use super::{ata, drive, edd, el_torito};
use crate::language::{
    Body, Compare as _, Registers, Unit, Value, Var, asm, bda8, far8, far16, routine,
};

/// The number of the first hard disk, and of the first CD-ROM drive.
pub(super) const FIRST_DISK: u32 = 0x80;
pub(super) const FIRST_CD: u32 = 0xE0;

/// Emits INT 13h, and the interrupts of the IDE channels.
pub(super) fn services(unit: &mut Unit) {
    unit.interrupt("disk", |f, _| {
        f.set_bits(bda8(bda::DISK_INTERRUPT), 0x80);
        end_of_slave_interrupt(f);
    });
    dispatch(unit);
    unit.interrupt("int13 disk", |f, r| {
        f.sti();
        let number = f.var(r.dl());
        let emulated = el_torito::emulates(number).is_not(0);
        f.when(emulated.or(r.ah().is(0x4B)), |f| {
            f.run(el_torito::service(r.frame(), number));
            f.leave();
        });
        f.run(service(r.frame(), number));
    });
}

/// Emits `int13`: floppies go on to INT 40h, where other programs may have put themselves, unless a CD emulates them.
fn dispatch(unit: &mut Unit) {
    let code = unit.entry("int13");
    let [mut disk, mut floppy] = [code.create_label(), code.create_label()];
    asm!(code;
        cmp dl, FIRST_DISK; jae disk;
        cmp ah, 0x4B; je disk;
        push ds; push EBDA_SEGMENT.cast_signed(); pop ds;
        cmp byte_ptr(u64::from(el_torito::ACTIVE)), 0; je floppy;
        cmp byte_ptr(u64::from(el_torito::DRIVE)), dl; jne floppy;
        pop ds; jmp disk;
        set_label &mut floppy;
        pop ds; sti; int 0x40;
        // The flags are the answer; those of the caller are dropped.
        retf_1 2;
        set_label &mut disk;
        zero_bytes;
    );
}

/// A hard disk's request, or a CD-ROM drive's.
fn service(frame: impl Into<Value>, number: impl Into<Value>) -> Value {
    routine(
        "disk_service",
        [frame.into(), number.into()],
        |f, [frame, number]| {
            let r = Registers(frame);
            f.when(number.at_least(FIRST_CD), |f| {
                let n = f.var(number - FIRST_CD);
                f.when(n.at_least(drive::cd_count()), |f| {
                    finish(f, r, status::BAD_COMMAND);
                });
                f.run(edd::cd_service(frame, drive::cd(n)));
                f.leave();
            });
            // A CD that emulates the first disk moves the others up.
            let n = f.var(number - FIRST_DISK - el_torito::emulated_disks());
            let missing = n.at_least(drive::disk_count()).and(r.ah().is_not(0x15));
            f.when(missing, |f| finish(f, r, status::BAD_COMMAND));
            let disk = f.var(drive::disk(n));
            f.when(r.ah().at_least(0x41), |f| {
                f.run(edd::disk_service(frame, disk));
                f.leave();
            });
            f.switch(r.ah(), |s| {
                s.cases(&[0x00, 0x0D], |f| {
                    f.run(ata::reset(disk));
                    finish(f, r, 0);
                });
                s.case(0x01, |f| {
                    let last = f.var(bda8(bda::DISK_STATUS));
                    f.set_status(r, last);
                    f.set(r.ah(), 0);
                    f.set(r.al(), last);
                });
                s.case(0x02, |f| chs_transfer(f, r, disk, ata::READ));
                s.case(0x03, |f| chs_transfer(f, r, disk, ata::WRITE));
                s.case(0x04, |f| chs_transfer(f, r, disk, ata::VERIFY));
                s.case(0x08, |f| parameters(f, r, disk));
                // Formatting a track, setting up, seeking, testing: there is nothing left to do on such a drive.
                s.cases(&[0x05, 0x09, 0x0C, 0x10, 0x11, 0x14], |f| finish(f, r, 0));
                s.case(0x15, |f| {
                    f.set(r.ah(), 0);
                    f.set_carry(r, false);
                    f.when(n.below(drive::disk_count()), |f| {
                        let sectors = f.var(drive::reachable(disk));
                        f.set(r.cx(), sectors >> 16);
                        f.set(r.dx(), sectors);
                        f.set(r.ah(), 3);
                    });
                });
                s.default(|f| finish(f, r, status::BAD_COMMAND));
            });
        },
    )
}

/// Returns a status, also where INT 13h 01h finds it, and leaves.
pub(super) fn finish(f: &mut Body<'_>, r: Registers, status: impl Into<Value>) {
    f.set(bda8(bda::DISK_STATUS), status);
    f.set_status(r, bda8(bda::DISK_STATUS));
    f.leave();
}

/// INT 13h 02h to 04h: AL sectors from cylinder CH and CL bits 6 and 7, head DH, sector CL.
fn chs_transfer(f: &mut Body<'_>, r: Registers, disk: Var, kind: u32) {
    let count = f.var(r.al());
    let place = f.var(sector_of(
        r.ch() | (r.cl() & 0xC0) << 2,
        r.dh(),
        r.cl() & 0x3F,
        drive::cylinders(disk) << 16 | drive::heads(disk) << 8 | drive::sectors(disk),
    ));
    let asked = count.at_least(1).and(place.is_not(NO_SECTOR));
    f.when(asked.negated(), |f| {
        f.set(r.al(), 0);
        finish(f, r, status::BAD_COMMAND);
    });
    let address = Value::from(r.es()) * 16 + r.bx();
    let answer = f.var(ata::transfer(kind, disk, place, 0, count, address));
    f.set(r.al(), far16(EBDA_SEGMENT, ebda::PACKET));
    finish(f, r, answer);
}

/// What [`sector_of`] says of a place that the geometry does not have.
pub(super) const NO_SECTOR: u32 = 0xFFFF_FFFF;

/// The sector's number, from a place and a geometry (cylinders, heads and sectors in 16, 8 and 8 bits).
pub(super) fn sector_of(
    cylinder: impl Into<Value>,
    head: impl Into<Value>,
    sector: impl Into<Value>,
    geometry: impl Into<Value>,
) -> Value {
    let arguments = [cylinder.into(), head.into(), sector.into(), geometry.into()];
    routine(
        "sector_of",
        arguments,
        |f, [cylinder, head, sector, geometry]| {
            let [heads, sectors] = [f.var((geometry >> 8) & 0xFF), f.var(geometry & 0xFF)];
            let outside = cylinder.at_least(geometry >> 16).or(head.at_least(heads));
            f.when(outside.or(sector.is(0)).or(sector.above(sectors)), |f| {
                f.ret(NO_SECTOR);
            });
            f.ret((cylinder * heads + head) * sectors + sector - 1);
        },
    )
}

/// INT 13h 08h.
fn parameters(f: &mut Body<'_>, r: Registers, disk: Var) {
    let geometry = drive::cylinders(disk) << 16 | drive::heads(disk) << 8 | drive::sectors(disk);
    let geometry = f.var(geometry);
    show_geometry(f, r, geometry);
    f.set(r.dl(), drive::disk_count() + el_torito::emulated_disks());
    f.set(r.al(), 0);
    finish(f, r, 0);
}

/// Puts a geometry's last cylinder, head and sector into CX and DH.
pub(super) fn show_geometry(f: &mut Body<'_>, r: Registers, geometry: Var) {
    let last = f.var((geometry >> 16) - 1);
    f.set(r.ch(), last);
    f.set(r.cl(), (last >> 2) & 0xC0 | geometry & 0x3F);
    f.set(r.dh(), (geometry >> 8) - 1);
}

/// POST: the parameter tables of the first two disks, to which vectors 41h and 46h point.
pub(super) fn set_up_parameter_tables(f: &mut Body<'_>) {
    for n in 0..2 {
        f.when(drive::disk_count().above(n), |f| {
            let disk = f.var(drive::disk(n));
            let table = ebda::DISK_PARAMETERS + n * 16;
            f.set(far16(EBDA_SEGMENT, table), drive::cylinders(disk));
            f.set(far8(EBDA_SEGMENT, table + 2), drive::heads(disk));
            // No write precompensation; more than eight heads; the landing zone; sectors.
            f.set(far16(EBDA_SEGMENT, table + 5), 0xFFFF);
            f.set(far8(EBDA_SEGMENT, table + 8), 0xC8);
            f.set(far16(EBDA_SEGMENT, table + 12), drive::cylinders(disk));
            f.set(far8(EBDA_SEGMENT, table + 14), drive::sectors(disk));
        });
    }
}
