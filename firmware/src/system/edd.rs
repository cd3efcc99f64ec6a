//! The extensions of INT 13h: disks by sector number, and CDs (Enhanced Disk Drive Specification 3.0).

use super::areas::{EBDA_SEGMENT, ebda};
use super::disk::finish;
use super::floppy::status;
use super::{ata, atapi, drive};
use crate::language::{
    Body, Compare as _, Place, Registers, Value, Var, far8, far16, far32, routine,
};

/// Statuses of media that can be taken out.
mod removable {
    pub(super) const NOT_LOCKED: u32 = 0xB0;
    pub(super) const LOCKED: u32 = 0xB1;
    pub(super) const NOT_REMOVABLE: u32 = 0xB2;
    pub(super) const TOO_MANY_LOCKS: u32 = 0xB4;
}
/// Sizes of the result of function 48h: EDD 1.x, with a device parameter table extension, with a device path.
const BASIC: u32 = 26;
const WITH_TABLE: u32 = 30;
const WITH_PATH: u32 = 66;

/// A field of the disk address packet at the caller's DS:SI.
fn packet16(r: Registers, offset: u32) -> Place {
    far16(r.ds(), r.si() + offset)
}

fn packet32(r: Registers, offset: u32) -> Place {
    far32(r.ds(), r.si() + offset)
}

/// Functions 41h to 4Eh of a hard disk.
pub(super) fn disk_service(frame: impl Into<Value>, disk: impl Into<Value>) -> Value {
    routine(
        "edd_disk_service",
        [frame.into(), disk.into()],
        |f, [frame, disk]| {
            let r = Registers(frame);
            f.switch(r.ah(), |s| {
                s.case(0x41, |f| installation_check(f, r));
                s.case(0x42, |f| disk_transfer(f, r, disk, ata::READ));
                s.case(0x43, |f| disk_transfer(f, r, disk, ata::WRITE));
                s.case(0x44, |f| disk_transfer(f, r, disk, ata::VERIFY));
                s.cases(&[0x45, 0x46, 0x49], |f| {
                    finish(f, r, removable::NOT_REMOVABLE);
                });
                s.case(0x47, |f| {
                    let there = drive::holds(disk, packet32(r, 8), packet32(r, 12), 1).is_not(0);
                    f.when(there, |f| finish(f, r, 0));
                    finish(f, r, status::SECTOR_NOT_FOUND);
                });
                s.case(0x48, |f| {
                    f.when(packet16(r, 0).below(BASIC), |f| {
                        finish(f, r, status::BAD_COMMAND);
                    });
                    let size = f.var(packet16(r, 0));
                    f.set(packet16(r, 0), BASIC);
                    // DMA boundaries are no concern, and the geometry is valid.
                    f.set(packet16(r, 2), 0x03);
                    f.set(packet32(r, 4), drive::own_cylinders(disk));
                    f.set(packet32(r, 8), drive::own_heads(disk));
                    f.set(packet32(r, 12), drive::own_sectors(disk));
                    f.set(packet32(r, 16), drive::size(disk));
                    f.set(packet32(r, 20), drive::size_high(disk));
                    f.set(packet16(r, 24), 512);
                    f.run(add_device(frame, disk, size));
                    finish(f, r, 0);
                });
                s.case(0x4E, |f| hardware_configuration(f, r));
                s.default(|f| finish(f, r, status::BAD_COMMAND));
            });
        },
    )
}

/// Function 41h: version 3.0; all subsets.
fn installation_check(f: &mut Body<'_>, r: Registers) {
    f.when(r.bx().is_not(0x55AA), |f| finish(f, r, status::BAD_COMMAND));
    f.set(r.bx(), 0xAA55);
    f.set(r.cx(), 0x0007);
    f.set_status(r, 0);
    f.set(r.ah(), 0x30);
    f.leave();
}

/// Function 4Eh: what can be chosen is prefetch and transfer modes, and one may choose what there is.
fn hardware_configuration(f: &mut Body<'_>, r: Registers) {
    let known = r
        .al()
        .is(0x01)
        .or(r.al().is(0x03))
        .or(r.al().is(0x04))
        .or(r.al().is(0x06));
    f.when(known.negated(), |f| finish(f, r, status::BAD_COMMAND));
    // Other devices on the channel are not affected.
    f.set(r.al(), 0);
    finish(f, r, 0);
}

/// The linear address that a packet names; a packet of 24 bytes may have a 64-bit one, of which the BIOS reaches 1 MiB.
fn buffer(f: &mut Body<'_>, r: Registers) -> Var {
    let address = f.var(Value::from(packet16(r, 6)) * 16 + packet16(r, 4));
    f.when(packet32(r, 4).is(0xFFFF_FFFFu32), |f| {
        let long = packet16(r, 0).low().at_least(24);
        let near = packet32(r, 16).below(0x10_0000).and(packet32(r, 20).is(0));
        f.when(long.and(near).negated(), |f| {
            finish(f, r, status::BAD_COMMAND);
        });
        f.set(address, packet32(r, 16));
    });
    address
}

/// Functions 42h to 44h.
fn disk_transfer(f: &mut Body<'_>, r: Registers, disk: Var, kind: u32) {
    let count = f.var(packet16(r, 2));
    let sound = packet16(r, 0).low().at_least(16).and(count.at_most(255));
    f.when(sound.negated(), |f| finish(f, r, status::BAD_COMMAND));
    f.when(count.is(0), |f| finish(f, r, 0));
    let address = buffer(f, r);
    let [low, high] = [f.var(packet32(r, 8)), f.var(packet32(r, 12))];
    let answer = f.var(ata::transfer(kind, disk, low, high, count, address));
    f.set(packet16(r, 2), far16(EBDA_SEGMENT, ebda::PACKET));
    if kind == ata::WRITE {
        // Who writes through the BIOS does not know how to flush.
        f.when(answer.is(0), |f| f.set(answer, ata::flush(disk)));
    }
    finish(f, r, answer);
}

/// Function 48h: adds the device parameter table extension and the device path if the caller has room for them.
fn add_device(frame: impl Into<Value>, disk: impl Into<Value>, size: impl Into<Value>) -> Value {
    let arguments = [frame.into(), disk.into(), size.into()];
    routine("edd_add_device", arguments, |f, [frame, disk, size]| {
        let r = Registers(frame);
        f.when(size.below(WITH_TABLE), Body::leave);
        f.set(packet16(r, 0), WITH_TABLE);
        f.set(packet16(r, 26), ebda::DPTE);
        f.set(packet16(r, 28), EBDA_SEGMENT);
        let table = |offset: u32| far8(EBDA_SEGMENT, ebda::DPTE + offset);
        f.set(far16(EBDA_SEGMENT, ebda::DPTE), drive::port(disk));
        f.set(far16(EBDA_SEGMENT, ebda::DPTE + 2), drive::control(disk));
        f.set(table(4), drive::select(disk) | 0x40);
        f.set(table(5), 0xCB);
        f.set(table(6), drive::line(disk));
        for (offset, value) in [(7, 1), (8, 0), (9, 0), (12, 0), (13, 0), (14, 0x30)] {
            f.set(table(offset), value);
        }
        // Addresses by sector number; a translation; removable and packets, if it is a CD.
        let options = f.var(0x10);
        f.when(
            drive::cylinders(disk).is_not(drive::own_cylinders(disk)),
            |f| {
                f.set(options, 0x18);
            },
        );
        f.when(drive::flags(disk).has(drive::IS_CD), |f| {
            f.set(options, 0x70);
        });
        f.set(far16(EBDA_SEGMENT, ebda::DPTE + 10), options);
        f.set(table(15), negated_sum(EBDA_SEGMENT, ebda::DPTE, 15));
        f.when(size.below(WITH_PATH), Body::leave);
        f.set(packet16(r, 0), WITH_PATH);
        // The key, the path's length, and three reserved bytes.
        f.set(packet32(r, 30), 0x0024_BEDD);
        f.set(packet16(r, 34), 0);
        f.set(packet32(r, 36), u32::from_le_bytes(*b"PCI "));
        f.set(packet32(r, 40), u32::from_le_bytes(*b"ATA "));
        f.set(packet32(r, 44), u32::from_le_bytes(*b"    "));
        // The IDE controller is bus 0, device 1, function 1; then the channel.
        let channel = f.var(0);
        f.when(drive::port(disk).is(0x170), |f| f.set(channel, 1));
        f.set(packet32(r, 48), channel << 24 | 0x01_01_00);
        f.set(packet32(r, 52), 0);
        f.set(packet32(r, 56), (drive::select(disk) >> 4) & 1);
        f.set(packet32(r, 60), 0);
        f.set(packet16(r, 64), 0);
        f.set(
            far8(r.ds(), r.si() + 65),
            negated_sum(r.ds(), r.si() + 30, 35),
        );
    })
}

/// What makes the sum of these bytes zero.
fn negated_sum(
    segment: impl Into<Value>,
    offset: impl Into<Value>,
    length: impl Into<Value>,
) -> Value {
    let arguments = [segment.into(), offset.into(), length.into()];
    routine("negated_sum", arguments, |f, [segment, offset, length]| {
        let sum = f.var(0);
        f.each(0, length, |f, n| f.sub(sum, far8(segment, offset + n)));
        f.ret(sum & 0xFF);
    })
}

/// INT 13h of a CD-ROM drive.
pub(super) fn cd_service(frame: impl Into<Value>, cd: impl Into<Value>) -> Value {
    routine(
        "edd_cd_service",
        [frame.into(), cd.into()],
        |f, [frame, cd]| {
            let r = Registers(frame);
            f.switch(r.ah(), |s| {
                s.cases(&[0x00, 0x0D], |f| {
                    f.run(ata::reset(cd));
                    finish(f, r, 0);
                });
                s.case(0x01, |f| {
                    let last = f.var(crate::language::bda8(super::areas::bda::DISK_STATUS));
                    f.set_status(r, last);
                    f.leave();
                });
                s.case(0x41, |f| installation_check(f, r));
                s.case(0x42, |f| cd_read(f, r, cd));
                s.case(0x43, |f| finish(f, r, status::WRITE_PROTECTED));
                s.cases(&[0x44, 0x47, 0x0C, 0x11, 0x14], |f| finish(f, r, 0));
                s.case(0x10, |f| finish(f, r, atapi::ready(cd)));
                s.case(0x15, |f| {
                    // A drive that notices when its disk is changed, but none that counts in cylinders.
                    f.set_status(r, 0);
                    f.set(r.ah(), 2);
                    f.leave();
                });
                s.case(0x45, |f| cd_lock(f, r, cd));
                s.case(0x46, |f| {
                    f.when(drive::locks(cd).is_not(0), |f| {
                        finish(f, r, removable::LOCKED);
                    });
                    finish(f, r, atapi::eject(cd));
                });
                s.case(0x48, |f| {
                    f.when(packet16(r, 0).below(BASIC), |f| {
                        finish(f, r, status::BAD_COMMAND);
                    });
                    let size = f.var(packet16(r, 0));
                    f.set(packet16(r, 0), BASIC);
                    // Removable, with change line, can be locked; no geometry, size unknown.
                    f.set(packet16(r, 2), 0x74);
                    for place in [4, 8, 12, 16, 20] {
                        f.set(packet32(r, place), 0xFFFF_FFFFu32);
                    }
                    f.set(packet16(r, 24), atapi::SECTOR);
                    f.run(add_device(frame, cd, size));
                    finish(f, r, 0);
                });
                s.case(0x49, |f| finish(f, r, 0));
                s.case(0x4E, |f| hardware_configuration(f, r));
                s.default(|f| finish(f, r, status::BAD_COMMAND));
            });
        },
    )
}

/// Function 42h: sectors of 2048 bytes, in pieces that the drive can deliver in one go.
fn cd_read(f: &mut Body<'_>, r: Registers, cd: Var) {
    let left = f.var(packet16(r, 2));
    let sound = packet16(r, 0).low().at_least(16).and(packet32(r, 12).is(0));
    f.when(sound.negated(), |f| finish(f, r, status::BAD_COMMAND));
    let address = buffer(f, r);
    let sector = f.var(packet32(r, 8));
    f.set(packet16(r, 2), 0);
    f.while_(left.is_not(0), |f| {
        let count = f.var(left);
        f.when(count.above(16), |f| f.set(count, 16));
        let answer = f.var(atapi::read(cd, sector, 0, count * atapi::SECTOR, address));
        f.when(answer.is_not(0), |f| finish(f, r, answer));
        f.add(packet16(r, 2), count);
        f.add(sector, count);
        f.add(address, count * atapi::SECTOR);
        f.sub(left, count);
    });
    finish(f, r, 0);
}

/// Function 45h: AL = 0 locks, 1 unlocks, 2 asks. Locks are counted.
fn cd_lock(f: &mut Body<'_>, r: Registers, cd: Var) {
    let locks = f.var(drive::locks(cd));
    f.switch(r.al(), |s| {
        s.case(0, |f| {
            f.when(locks.is(0xFF), |f| finish(f, r, removable::TOO_MANY_LOCKS));
            f.add(locks, 1);
        });
        s.case(1, |f| {
            f.when(locks.is(0), |f| finish(f, r, removable::NOT_LOCKED));
            f.sub(locks, 1);
        });
        s.case(2, |_| {});
        s.default(|f| finish(f, r, status::BAD_COMMAND));
    });
    f.set(drive::locks(cd), locks);
    let locked = f.var(crate::language::truth(locks.is_not(0)));
    f.when(r.al().below(2), |f| f.run(atapi::lock(cd, locked)));
    f.set(r.al(), locked);
    finish(f, r, 0);
}
