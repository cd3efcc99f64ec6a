//! CDs that boot (El Torito 1.0): without emulation, or as a floppy or hard disk, which INT 13h then serves from the CD.

use super::areas::{EBDA_SEGMENT, ebda, post};
use super::disk::{FIRST_CD, FIRST_DISK, NO_SECTOR, finish, sector_of, show_geometry};
use super::floppy::status;
use super::{atapi, drive};
use crate::language::{
    Body, Compare as _, Place, Registers, Value, Var, bytes, far8, far16, far32, rom8, routine,
    truth,
};

/// What is emulated, in the EBDA: whether at all, and the drive's number.
pub(super) const ACTIVE: u32 = ebda::EMULATION;
pub(super) const DRIVE: u32 = ebda::EMULATION + 1;
/// The medium's kind as in the boot catalog, and the number of the CD-ROM drive.
const KIND: u32 = ebda::EMULATION + 2;
const CD: u32 = ebda::EMULATION + 3;
/// The image's first sector on the CD, and its geometry: cylinders, heads and sectors in 16, 8 and 8 bits.
const IMAGE: u32 = ebda::EMULATION + 4;
const GEOMETRY: u32 = ebda::EMULATION + 8;
/// Where the boot sectors were loaded, and how many.
const SEGMENT: u32 = ebda::EMULATION + 12;
const SECTORS: u32 = ebda::EMULATION + 14;

/// Kinds of media in a boot catalog.
const NO_EMULATION: u32 = 0;
const HARD_DISK: u32 = 4;
/// Cylinders, heads and sectors of the floppies 1 to 3.
const FLOPPIES: [u32; 3] = [
    80 << 16 | 2 << 8 | 15,
    80 << 16 | 2 << 8 | 18,
    80 << 16 | 2 << 8 | 36,
];
/// The sector with the boot record volume descriptor.
const BOOT_RECORD: u32 = 17;
/// Where the boot catalog's sector number stands in it.
const CATALOG_POINTER: u32 = 0x47;

fn emulation8(offset: u32) -> Place {
    far8(EBDA_SEGMENT, offset)
}

fn emulation16(offset: u32) -> Place {
    far16(EBDA_SEGMENT, offset)
}

fn emulation32(offset: u32) -> Place {
    far32(EBDA_SEGMENT, offset)
}

/// 1 if this drive is emulated by a CD now.
pub(super) fn emulates(number: impl Into<Value>) -> Value {
    routine("emulates", [number.into()], |f, [number]| {
        f.when(emulation8(ACTIVE).is(0), |f| f.ret(0));
        f.ret(truth(emulation8(DRIVE).is(number)));
    })
}

/// How many hard disks are emulated: 0 or 1.
pub(super) fn emulated_disks() -> Value {
    emulates(FIRST_DISK)
}

/// INT 13h of an emulated drive, and function 4Bh of any.
pub(super) fn service(frame: impl Into<Value>, number: impl Into<Value>) -> Value {
    routine(
        "el_torito_service",
        [frame.into(), number.into()],
        |f, [frame, number]| {
            let r = Registers(frame);
            f.switch(r.ah(), |s| {
                s.cases(
                    &[0x00, 0x05, 0x09, 0x0C, 0x0D, 0x10, 0x11, 0x14, 0x16],
                    |f| finish(f, r, 0),
                );
                s.case(0x01, |f| {
                    let last = f.var(crate::language::bda8(super::areas::bda::DISK_STATUS));
                    f.set_status(r, last);
                    f.leave();
                });
                s.cases(&[0x02, 0x04], |f| read_places(f, r));
                s.cases(&[0x03, 0x43], |f| finish(f, r, status::WRITE_PROTECTED));
                s.case(0x08, |f| parameters(f, r));
                s.case(0x15, |f| {
                    f.set_status(r, 0);
                    f.set(r.ah(), 1);
                    f.when(number.at_least(FIRST_DISK), |f| {
                        let geometry = f.var(emulation32(GEOMETRY));
                        let tracks = (geometry >> 16) * ((geometry >> 8) & 0xFF);
                        let size = f.var(tracks * (geometry & 0xFF));
                        f.set(r.cx(), size >> 16);
                        f.set(r.dx(), size);
                        f.set(r.ah(), 3);
                    });
                    f.leave();
                });
                s.case(0x4B, |f| emulation_status(f, r, number));
                s.default(|f| finish(f, r, status::BAD_COMMAND));
            });
        },
    )
}

/// Functions 02h and 04h of an emulated drive.
fn read_places(f: &mut Body<'_>, r: Registers) {
    let count = f.var(r.al());
    f.set(r.al(), 0);
    let cylinder = r.ch() | (r.cl() & 0xC0) << 2;
    let place = sector_of(cylinder, r.dh(), r.cl() & 0x3F, emulation32(GEOMETRY));
    let place = f.var(place);
    f.when(place.is(NO_SECTOR).or(count.is(0)), |f| {
        finish(f, r, status::BAD_COMMAND);
    });
    f.when(r.ah().is(0x02), |f| {
        let address = Value::from(r.es()) * 16 + r.bx();
        let answer = f.var(read_sectors(place, count, address));
        f.when(answer.is_not(0), |f| finish(f, r, answer));
    });
    f.set(r.al(), count);
    finish(f, r, 0);
}

/// Reads sectors of 512 bytes from the image, to a linear address. A status.
fn read_sectors(
    place: impl Into<Value>,
    count: impl Into<Value>,
    address: impl Into<Value>,
) -> Value {
    routine(
        "el_torito_read",
        [place.into(), count.into(), address.into()],
        |f, arguments| {
            let [place, count, address] = arguments;
            let cd = f.var(drive::cd(emulation8(CD)));
            f.while_(count.is_not(0), |f| {
                let some = f.var(count);
                f.when(some.above(64), |f| f.set(some, 64));
                let sector = (place >> 2) + emulation32(IMAGE);
                let answer = atapi::read(cd, sector, (place & 3) << 9, some * 512, address);
                let answer = f.var(answer);
                f.when(answer.is_not(0), |f| f.ret(answer));
                f.add(place, some);
                f.add(address, some * 512);
                f.sub(count, some);
            });
            f.ret(0);
        },
    )
}

/// Function 08h of an emulated drive.
fn parameters(f: &mut Body<'_>, r: Registers) {
    let geometry = f.var(emulation32(GEOMETRY));
    show_geometry(f, r, geometry);
    f.set(r.al(), 0);
    f.either(
        emulation8(KIND).is(HARD_DISK),
        |f| f.set(r.dl(), drive::disk_count() + 1),
        |f| {
            // The drive's type: 2, 4 or 5.
            f.set(r.bx(), rom8(bytes(&[0, 2, 4, 5]) + emulation8(KIND)));
            f.set(r.dl(), super::floppy::count());
            f.when(r.dl().is(0), |f| f.set(r.dl(), 1));
            f.set(r.es(), far16(0, 0x1E * 4 + 2));
            f.set(r.di(), far16(0, 0x1E * 4));
        },
    );
    finish(f, r, 0);
}

/// Function 4Bh: AL = 0 ends the emulation, 1 only tells about it in the packet at DS:SI.
fn emulation_status(f: &mut Body<'_>, r: Registers, number: Var) {
    let field = |offset: u32| far8(r.ds(), r.si() + offset);
    let word = |offset: u32| far16(r.ds(), r.si() + offset);
    let ours = number
        .is(emulation8(DRIVE))
        .or(number.is(0x7F).and(r.al().is(0)));
    f.when(ours.and(emulation32(IMAGE).is_not(0)).negated(), |f| {
        finish(f, r, status::BAD_COMMAND);
    });
    f.when(r.al().above(1), |f| finish(f, r, status::BAD_COMMAND));
    f.set(field(0x00), 0x13);
    f.set(field(0x01), emulation8(KIND));
    f.set(field(0x02), emulation8(DRIVE));
    let cd = f.var(drive::cd(emulation8(CD)));
    // Which controller, where the image is, and which drive of the controller.
    f.set(field(0x03), truth(drive::port(cd).is(0x170)));
    f.set(far32(r.ds(), r.si() + 4), emulation32(IMAGE));
    f.set(word(0x08), (drive::select(cd) >> 4) & 1);
    f.set(word(0x0A), 0);
    f.set(word(0x0C), emulation16(SEGMENT));
    f.set(word(0x0E), emulation16(SECTORS));
    let geometry = f.var(emulation32(GEOMETRY));
    let last = f.var((geometry >> 16) - 1);
    f.set(field(0x10), last);
    f.set(field(0x11), (last >> 2) & 0xC0 | geometry & 0x3F);
    f.set(field(0x12), (geometry >> 8) - 1);
    f.when(r.al().is(0), |f| f.set(emulation8(ACTIVE), 0));
    finish(f, r, 0);
}

/// INT 19h: loads what CD-ROM drive `n` boots. The segment to start in, with the drive's number in bits 16 to 23; or
/// zero.
pub(super) fn load(n: impl Into<Value>) -> Value {
    routine("el_torito_load", [n.into()], |f, [n]| {
        let cd = f.var(drive::cd(n));
        let buffer = |offset: u32| far8(post::BUFFER_SEGMENT, offset);
        let buffer32 = |offset: u32| far32(post::BUFFER_SEGMENT, offset);
        f.set(emulation8(ACTIVE), 0);
        f.set(emulation32(IMAGE), 0);
        f.when(atapi::ready(cd).is_not(0), |f| f.ret(0));
        f.when(read_to_buffer(cd, BOOT_RECORD).is_not(0), |f| f.ret(0));
        // A boot record is of type 0, and says CD001 and EL TORITO.
        let is_record = buffer(0)
            .is(0)
            .and(buffer32(1).is(u32::from_le_bytes(*b"CD00")));
        let el_torito = buffer32(7).is(u32::from_le_bytes(*b"EL T"));
        f.when(is_record.and(el_torito).negated(), |f| f.ret(0));
        f.when(
            read_to_buffer(cd, buffer32(CATALOG_POINTER)).is_not(0),
            |f| f.ret(0),
        );
        // The validation entry, then the default entry, which must be bootable.
        let valid = buffer(0)
            .is(1)
            .and(far16(post::BUFFER_SEGMENT, 30).is(0xAA55));
        f.when(valid.and(buffer(32).is(0x88)).negated(), |f| f.ret(0));
        f.set(emulation8(CD), n);
        f.set(emulation8(KIND), buffer(33) & 0x0F);
        f.when(emulation8(KIND).above(HARD_DISK), |f| f.ret(0));
        let segment = f.var(far16(post::BUFFER_SEGMENT, 34));
        f.when(segment.is(0), |f| f.set(segment, 0x07C0));
        f.set(emulation16(SEGMENT), segment);
        f.set(emulation16(SECTORS), far16(post::BUFFER_SEGMENT, 38));
        f.set(emulation32(IMAGE), buffer32(40));
        f.set(emulation8(DRIVE), n + FIRST_CD);
        f.when(emulation8(KIND).is_not(NO_EMULATION), |f| {
            f.when(find_geometry().is(0), |f| f.ret(0));
            f.set(emulation8(ACTIVE), 1);
        });
        // Loaded in units of 512 bytes even where nothing is emulated.
        let answer = read_sectors(0, emulation16(SECTORS), segment << 4);
        f.when(answer.is_not(0), |f| f.ret(0));
        f.ret(Value::from(emulation8(DRIVE)) << 16 | segment);
    })
}

fn read_to_buffer(cd: impl Into<Value>, sector: impl Into<Value>) -> Value {
    atapi::read(cd, sector, 0, atapi::SECTOR, post::BUFFER_SEGMENT * 16)
}

/// Finds out the geometry of what is emulated: a floppy's by its kind, a hard disk's from its only partition. 0 if
/// that cannot be.
fn find_geometry() -> Value {
    routine("el_torito_geometry", [], |f, []| {
        let kind = f.var(emulation8(KIND));
        f.set(emulation8(DRIVE), 0);
        for (n, geometry) in (1u32..).zip(FLOPPIES) {
            f.when(kind.is(n), |f| f.set(emulation32(GEOMETRY), geometry));
        }
        f.when(kind.is(HARD_DISK), |f| {
            f.set(emulation8(DRIVE), FIRST_DISK);
            let address = post::BUFFER_SEGMENT * 16;
            f.when(read_sectors(0, 1, address).is_not(0), |f| f.ret(0));
            // The partition's last head, sector and cylinder.
            let end = |offset: u32| far8(post::BUFFER_SEGMENT, 0x1BE + 5 + offset);
            let cylinders = f.var((end(2) | (end(1) & 0xC0) << 2) + 1);
            let heads = f.var(end(0) + 1);
            f.when(heads.above(255), |f| f.set(heads, 255));
            f.set(
                emulation32(GEOMETRY),
                cylinders << 16 | heads << 8 | (end(1) & 0x3F),
            );
        });
        f.ret(1);
    })
}
