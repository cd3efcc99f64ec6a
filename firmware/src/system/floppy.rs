//! Floppy disks: INT 40h, to which INT 13h leads for drives 0 and 1 (PC/AT BIOS interface). The controller itself is
//! in [`controller`].

mod controller;

use iced_x86::code_asm::{al, dx};

use super::areas::{ROM_SEGMENT, bda};
use super::chipset::end_of_interrupt;
use super::cmos::{cmos, index};
use crate::language::{
    Body, Compare as _, Registers, Unit, Value, Var, asm, bda8, bda16, bytes, far8, far16, rom8,
    routine,
};

/// What INT 13h returns in AH.
pub(super) mod status {
    pub(crate) const BAD_COMMAND: u32 = 0x01;
    pub(crate) const NO_ADDRESS_MARK: u32 = 0x02;
    pub(crate) const WRITE_PROTECTED: u32 = 0x03;
    pub(crate) const SECTOR_NOT_FOUND: u32 = 0x04;
    pub(crate) const CHANGED: u32 = 0x06;
    pub(crate) const DMA_OVERRUN: u32 = 0x08;
    pub(crate) const DMA_BOUNDARY: u32 = 0x09;
    pub(crate) const BAD_MEDIA: u32 = 0x0C;
    pub(crate) const BAD_CRC: u32 = 0x10;
    pub(crate) const CONTROLLER: u32 = 0x20;
    pub(crate) const SEEK: u32 = 0x40;
    pub(crate) const TIMEOUT: u32 = 0x80;
}

/// Drive types of the CMOS memory: highest track, sectors on a track, and up to three data rates to try, ended by FFh.
const TYPES: [[u8; 5]; 7] = [
    [0, 0, 0xFF, 0xFF, 0xFF],
    [39, 9, 2, 0xFF, 0xFF], // 360 KiB
    [79, 15, 0, 1, 2],      // 1.2 MiB
    [79, 9, 2, 0xFF, 0xFF], // 720 KiB
    [79, 18, 0, 2, 3],      // 1.44 MiB; the last one is for a disk of 2.88 MiB that came later
    [79, 36, 3, 0, 2],      // 2.88 MiB
    [79, 36, 3, 0, 2],
];

/// The parameter table for 1.44 MiB: what INT 1Eh points to until a system sets its own.
pub(super) const fn parameter_table() -> [u8; 11] {
    [
        0xAF, 0x02, 0x25, 0x02, 0x12, 0x1B, 0xFF, 0x6C, 0xF6, 0x0F, 0x08,
    ]
}

/// The parameter tables of what can be formatted: 8 and 9 sectors on 40 tracks, then 9, 15, 18 and 36 on 80.
const FORMATS: [[u8; 11]; 6] = [
    format_table(8, 0x2A, 0x50),
    format_table(9, 0x2A, 0x50),
    format_table(9, 0x2A, 0x50),
    format_table(15, 0x1B, 0x54),
    format_table(18, 0x1B, 0x6C),
    format_table(36, 0x1B, 0x53),
];

/// A parameter table for so many sectors on a track, with the gaps between them when reading and formatting.
const fn format_table(sectors: u8, gap: u8, format_gap: u8) -> [u8; 11] {
    let mut table = parameter_table();
    table[4] = sectors;
    table[5] = gap;
    table[7] = format_gap;
    table
}

/// The CMOS memory's type of a drive; 0 if there is none.
pub(super) fn drive_type(drive: impl Into<Value>) -> Value {
    routine("floppy_type", [drive.into()], |f, [drive]| {
        f.when(drive.above(1), |f| f.ret(0));
        let types = f.var(cmos(index::FLOPPY_TYPES));
        f.when(drive.is(0), |f| f.set(types, types >> 4));
        f.set(types, types & 0x0F);
        f.when(types.above(6), |f| f.ret(0));
        f.ret(types);
    })
}

/// A byte of what is known about a drive's type.
fn type_byte(drive: impl Into<Value>, n: u32) -> Value {
    rom8(bytes(TYPES.as_flattened()) + drive_type(drive) * 5 + n).into()
}

/// How many drives there are.
pub(super) fn count() -> Value {
    routine("floppy_count", [], |f, []| {
        let drives = f.var(0);
        f.when(drive_type(0).is_not(0), |f| f.set(drives, 1));
        f.when(drive_type(1).is_not(0), |f| f.set(drives, 2));
        f.ret(drives);
    })
}

/// Emits INT 40h and INT 0Eh.
pub(super) fn services(unit: &mut Unit) {
    unit.interrupt("int0e", |f, _| {
        f.set_bits(bda8(bda::FLOPPY_SEEK), 0x80);
        end_of_interrupt(f);
    });
    unit.interrupt("int40", |f, r| {
        f.sti();
        let function = f.var(r.ah());
        let answers = function
            .is(0x01)
            .or(function.is(0x08))
            .or(function.is(0x15));
        let missing = drive_type(r.dl()).is(0).and(function.is_not(0));
        f.when(missing.and(answers.negated()), |f| {
            finish(f, r, status::TIMEOUT);
        });
        f.switch(function, |s| {
            s.case(0x00, |f| {
                f.run(controller::reset());
                finish(f, r, 0);
            });
            s.case(0x01, |f| {
                let last = f.var(bda8(bda::FLOPPY_STATUS));
                f.set(r.al(), last);
                f.set_status(r, last);
                f.leave();
            });
            s.case(0x02, |f| transfer(f, r, controller::READ));
            s.case(0x03, |f| transfer(f, r, controller::WRITE));
            s.case(0x04, |f| transfer(f, r, controller::VERIFY));
            s.case(0x05, |f| format(f, r));
            s.case(0x08, |f| parameters(f, r));
            s.case(0x15, |f| {
                // 2: a drive that notices when its disk is changed. Only 360 KiB drives do not.
                f.set(r.ah(), 2);
                f.when(drive_type(r.dl()).is(1), |f| f.set(r.ah(), 1));
                f.when(drive_type(r.dl()).is(0), |f| f.set(r.ah(), 0));
                f.set_carry(r, false);
                f.leave();
            });
            s.case(0x16, |f| {
                f.run(controller::start_motor(r.dl()));
                let status = f.var(0);
                f.when(controller::disk_was_changed().is_not(0), |f| {
                    f.set(status, status::CHANGED);
                });
                finish(f, r, status);
            });
            s.cases(&[0x17, 0x18], |f| set_media_type(f, r));
            s.default(|f| finish(f, r, status::BAD_COMMAND));
        });
    });
}

/// Returns a status, also where INT 13h 01h finds it, and leaves.
fn finish(f: &mut Body<'_>, r: Registers, status: impl Into<Value>) {
    f.set(bda8(bda::FLOPPY_STATUS), status);
    f.set_status(r, bda8(bda::FLOPPY_STATUS));
    f.leave();
}

/// INT 13h 02h to 04h: AL sectors from track CH, head DH, sector CL.
fn transfer(f: &mut Body<'_>, r: Registers, kind: u32) {
    let count = f.var(r.al());
    f.set(r.al(), 0);
    let asked = count
        .at_least(1)
        .and(r.cl().at_least(1))
        .and(r.dh().below(2));
    f.when(asked.negated(), |f| finish(f, r, status::BAD_COMMAND));
    let status = f.var(controller::prepare(r.dl()));
    f.when(status.is_not(0), |f| finish(f, r, status));
    let place = r.ch() << 16 | r.dh() << 8 | r.cl();
    let address = Value::from(r.es()) * 16 + r.bx();
    // A disk needs a moment to come up to speed, and noise can be read twice.
    f.each(0, 2, |f, _| {
        let attempt = controller::transfer(kind, r.dl(), place.clone(), count, address.clone());
        f.set(status, attempt);
        let hopeless = status.is(0).or(status.is(status::WRITE_PROTECTED));
        f.when(hopeless.or(status.is(status::DMA_BOUNDARY)), Body::stop);
        // What INT 13h 17h or 18h said of the disk may be true of the one to come only.
        f.run(controller::look_again(r.dl()));
    });
    f.when(status.is(0), |f| f.set(r.al(), count));
    finish(f, r, status);
}

/// INT 13h 05h: formats a track; ES:BX has four bytes for each sector.
fn format(f: &mut Body<'_>, r: Registers) {
    let status = f.var(controller::prepare_to_format(r.dl()));
    f.when(status.is_not(0), |f| finish(f, r, status));
    let address = Value::from(r.es()) * 16 + r.bx();
    f.set(status, controller::format(r.dl(), r.ch(), r.dh(), address));
    finish(f, r, status);
}

/// INT 13h 08h: what a drive can hold at most. A drive that is not there is an error, by which OpenBSD's loader counts
/// them.
fn parameters(f: &mut Body<'_>, r: Registers) {
    let drive = f.var(r.dl());
    let kind = f.var(drive_type(drive));
    f.set(r.ax(), 0);
    f.set(r.bx(), kind);
    f.set(r.ch(), 0);
    f.set(r.cl(), 0);
    f.set(r.dh(), 0);
    f.when(kind.is_not(0), |f| {
        f.set(r.ch(), type_byte(drive, 0));
        f.set(r.cl(), type_byte(drive, 1));
        f.set(r.dh(), 1);
        point_to_parameters(f, r);
    });
    f.set(r.dl(), count());
    f.when(kind.is(0), |f| finish(f, r, status::BAD_COMMAND));
    finish(f, r, 0);
}

/// ES:DI to the parameter table.
fn point_to_parameters(f: &mut Body<'_>, r: Registers) {
    f.set(r.es(), far16(0, 0x1E * 4 + 2));
    f.set(r.di(), far16(0, 0x1E * 4));
}

/// INT 13h 17h (AL: kind of disk and drive) and 18h (CH tracks, CL sectors): what will be formatted.
fn set_media_type(f: &mut Body<'_>, r: Registers) {
    // The state's data rate: 500, 300 or 250 kilobits a second.
    let state = f.var(0);
    f.either(
        r.ah().is(0x17),
        |f| {
            f.switch(r.al(), |s| {
                s.case(1, |f| f.set(state, 0x93));
                s.case(2, |f| f.set(state, 0x74));
                s.case(3, |f| f.set(state, 0x15));
                s.case(4, |f| f.set(state, 0x97));
            });
        },
        |f| set_format(f, r, state),
    );
    f.when(state.is(0), |f| finish(f, r, status::BAD_MEDIA));
    f.set(bda8(r.dl() + bda::FLOPPY_MEDIA), state);
    finish(f, r, 0);
}

/// INT 13h 18h: the state for tracks and sectors of which CH and CL are the last, and ES:DI at their parameter table,
/// which INT 1Eh is to point to while the disk is formatted.
fn set_format(f: &mut Body<'_>, r: Registers, state: Var) {
    let kind = f.var(drive_type(r.dl()));
    let table = f.var(0);
    f.switch(r.cl() & 0x3F, |s| {
        s.cases(&[8, 9], |f| {
            f.set(state, 0x97);
            f.when(kind.is(2), |f| f.set(state, 0x54));
            f.either(
                r.ch().below(40),
                |f| {
                    f.set(table, (r.cl() & 0x3F) - 8);
                    // A drive of 80 tracks steps twice.
                    f.when(kind.at_least(2), |f| f.set(state, state | 0x20));
                },
                |f| f.set(table, 2),
            );
        });
        s.case(15, |f| {
            f.set(state, 0x15);
            f.set(table, 3);
        });
        s.case(18, |f| {
            f.set(state, 0x17);
            f.set(table, 4);
        });
        s.case(36, |f| {
            f.set(state, 0xD7);
            f.set(table, 5);
        });
    });
    let too_much = type_byte(r.dl(), 1)
        .below(r.cl() & 0x3F)
        .or(type_byte(r.dl(), 0).below(r.ch()));
    f.when(too_much, |f| f.set(state, 0));
    f.when(state.is_not(0), |f| {
        f.set(r.es(), ROM_SEGMENT);
        f.set(r.di(), table * 11 + bytes(FORMATS.as_flattened()));
    });
}

/// INT 08h: stops the motors a while after the last access.
pub(super) fn tick(f: &mut Body<'_>) {
    let timeout = bda8(bda::FLOPPY_TIMEOUT);
    f.when(timeout.clone().is_not(0), |f| {
        f.sub(timeout.clone(), 1);
        f.when(timeout.is(0), |f| {
            f.clear_bits(bda8(bda::FLOPPY_MOTORS), 0x0F);
            f.code(|code| {
                asm!(code; mov dx, controller::DIGITAL_OUTPUT; mov al, 0x0C; out dx, al;);
            });
        });
    });
}

/// POST: what drives there are. The controller is reset when it is first used.
pub(super) fn set_up(f: &mut Body<'_>) {
    let drives = f.var(count());
    f.when(drives.is_not(0), |f| {
        let equipment = bda16(bda::EQUIPMENT);
        f.set(equipment.clone(), equipment | 1 | (drives - 1) << 6);
        // Drives can change their data rates, have a change line, and their kind is known.
        f.set(bda8(bda::FLOPPY_INFO), 0x07);
        f.when(drives.is(2), |f| f.set(bda8(bda::FLOPPY_INFO), 0x77));
        f.run(controller::reset());
    });
}

/// A byte of the parameter table that INT 1Eh points to.
fn parameter(n: u32) -> Value {
    let offset = far16(0, 0x1E * 4) + n;
    far8(far16(0, 0x1E * 4 + 2), offset).into()
}

/// The data rates to try for a drive: the `n`-th, or FFh.
fn rate_to_try(drive: Var, n: Var) -> Value {
    rom8(bytes(TYPES.as_flattened()) + drive_type(drive) * 5 + n + 2).into()
}
