//! CD-ROM drives (ATAPI: SFF-8020i, MMC): packets by PIO and polling.

use super::areas::{BDA_SEGMENT, EBDA_SEGMENT, ebda};
use super::ata::{self, DATA_REQUEST, register};
use super::drive;
use super::floppy::status;
use super::timer::{delay_ms, wait_port};
use crate::language::{Body, Compare as _, Register, Value, asm, far8, far32, in8, in16, routine};

/// Commands.
mod command {
    pub(super) const TEST_READY: u32 = 0x00;
    pub(super) const REQUEST_SENSE: u32 = 0x03;
    pub(super) const START_STOP: u32 = 0x1B;
    pub(super) const PREVENT_REMOVAL: u32 = 0x1E;
    pub(super) const READ_10: u32 = 0x28;
    pub(super) const PACKET: u32 = 0xA0;
}
/// The size of a CD's sector.
pub(super) const SECTOR: u32 = 2048;
/// Sense keys.
const NOT_READY: u32 = 2;
const UNIT_ATTENTION: u32 = 6;

fn packet_byte(n: u32) -> crate::language::Place {
    far8(EBDA_SEGMENT, ebda::ATAPI_COMMAND + n)
}

/// Begins a command in the EBDA.
fn begin(f: &mut Body<'_>, operation: u32) {
    for n in [0, 4, 8] {
        f.set(far32(EBDA_SEGMENT, ebda::ATAPI_COMMAND + n), 0);
    }
    f.set(packet_byte(0), operation);
}

/// Sends the command in the EBDA, skips `skip` bytes of what it yields and takes `length` bytes to a linear address.
/// A status; 1 is what sense data explains.
fn send(
    drive: impl Into<Value>,
    address: impl Into<Value>,
    skip: impl Into<Value>,
    length: impl Into<Value>,
) -> Value {
    let arguments = [drive.into(), address.into(), skip.into(), length.into()];
    routine(
        "atapi_send",
        arguments,
        |f, [drive, address, skip, length]| {
            let port = f.var(drive::port(drive));
            f.when(ata::select(drive, 0).is(0), |f| f.ret(status::TIMEOUT));
            f.out8(drive::control(drive), ata::NO_INTERRUPTS);
            f.out8(port + register::FEATURES, 0);
            f.out8(port + register::CYLINDER_LOW, 0);
            f.out8(port + register::CYLINDER_HIGH, SECTOR >> 8);
            f.out8(port + register::COMMAND, command::PACKET);
            let answer = f.var(ata::wait_for_data(drive));
            f.when(answer.is_not(0), |f| f.ret(answer));
            f.with(
                [
                    (Register::Edx, port.into()),
                    (Register::Esi, ebda::ATAPI_COMMAND.into()),
                ],
                |code| {
                    use iced_x86::code_asm::{ax, cx, ds};
                    asm!(code; mov ax, EBDA_SEGMENT; mov ds, ax; mov cx, 6;);
                    code.rep().outsw().expect("a string instruction");
                    asm!(code; push BDA_SEGMENT; pop ds;);
                },
            );
            f.forever(|f| {
                f.run(in8(drive::control(drive)));
                let state = register::STATUS;
                f.when(wait_port(port + state, ata::BUSY, 0, 4000).is(0), |f| {
                    f.ret(status::TIMEOUT);
                });
                f.when(in8(port + state).has(ata::ERROR), |f| {
                    f.out8(drive::control(drive), ata::INTERRUPTS);
                    f.ret(1);
                });
                f.when(in8(port + state).lacks(DATA_REQUEST), Body::stop);
                let low = in8(port + register::CYLINDER_LOW);
                let chunk = f.var(low | in8(port + register::CYLINDER_HIGH) << 8);
                let skipped = f.var(smaller(chunk, skip));
                f.sub(skip, skipped);
                f.sub(chunk, skipped);
                f.run(drop_bytes(port, skipped));
                let taken = f.var(smaller(chunk, length));
                ata::move_in(f, port, address, taken >> 1);
                f.add(address, taken);
                f.sub(length, taken);
                f.run(drop_bytes(port, chunk - taken));
            });
            f.out8(drive::control(drive), ata::INTERRUPTS);
            f.ret(0);
        },
    )
}

/// Reads bytes and throws them away.
fn drop_bytes(port: impl Into<Value>, count: impl Into<Value>) -> Value {
    routine(
        "atapi_drop",
        [port.into(), count.into()],
        |f, [port, count]| {
            f.while_(count.at_least(2), |f| {
                f.run(in16(port));
                f.sub(count, 2);
            });
        },
    )
}

fn smaller(first: impl Into<Value>, second: impl Into<Value>) -> Value {
    routine(
        "smaller",
        [first.into(), second.into()],
        |f, [first, second]| {
            f.when(first.below(second), |f| f.ret(first));
            f.ret(second);
        },
    )
}

/// Asks what was wrong with the last command. The sense key.
fn sense(drive: impl Into<Value>) -> Value {
    routine("atapi_sense", [drive.into()], |f, [drive]| {
        begin(f, command::REQUEST_SENSE);
        f.set(packet_byte(4), 18);
        let buffer = EBDA_SEGMENT * 16 + ebda::ATAPI_SENSE;
        f.when(send(drive, buffer, 0, 18).is_not(0), |f| f.ret(0xFF));
        f.ret(far8(EBDA_SEGMENT, ebda::ATAPI_SENSE + 2) & 0x0F);
    })
}

/// Waits until there is a disc that can be read. A status.
pub(super) fn ready(drive: impl Into<Value>) -> Value {
    routine("atapi_ready", [drive.into()], |f, [drive]| {
        // A new disc is announced first; one that comes up to speed takes a while; none at all says so at once.
        f.each(0, 50, |f, _| {
            begin(f, command::TEST_READY);
            f.when(send(drive, 0, 0, 0).is(0), |f| f.ret(0));
            let key = f.var(sense(drive));
            let code = f.var(far8(EBDA_SEGMENT, ebda::ATAPI_SENSE + 12));
            f.when(key.is(NOT_READY).and(code.is(0x3A)), |f| f.ret(NO_MEDIUM));
            f.when(key.is_not(NOT_READY).and(key.is_not(UNIT_ATTENTION)), |f| {
                f.ret(status::TIMEOUT);
            });
            f.when(key.is(NOT_READY), |f| f.run(delay_ms(100)));
        });
        f.ret(status::TIMEOUT);
    })
}

/// EDD's status for a drive without a medium.
pub(super) const NO_MEDIUM: u32 = 0x31;

/// Reads `length` bytes from the byte `skip` of a sector on, to a linear address. At most 64 sectors. A status.
pub(super) fn read(
    drive: impl Into<Value>,
    sector: impl Into<Value>,
    skip: impl Into<Value>,
    length: impl Into<Value>,
    address: impl Into<Value>,
) -> Value {
    let arguments = [
        drive.into(),
        sector.into(),
        skip.into(),
        length.into(),
        address.into(),
    ];
    routine(
        "atapi_read",
        arguments,
        |f, [drive, sector, skip, length, address]| {
            let sectors = f.var((skip + length + (SECTOR - 1)) / SECTOR);
            f.each(0, 4, |f, _| {
                begin(f, command::READ_10);
                f.set(
                    far32(EBDA_SEGMENT, ebda::ATAPI_COMMAND + 2),
                    Value::from(sector).swapped(),
                );
                f.set(packet_byte(7), sectors >> 8);
                f.set(packet_byte(8), sectors);
                let answer = f.var(send(drive, address, skip, length));
                f.when(answer.is_not(1), |f| f.ret(answer));
                let key = f.var(sense(drive));
                let code = f.var(far8(EBDA_SEGMENT, ebda::ATAPI_SENSE + 12));
                f.when(key.is(NOT_READY).and(code.is(0x3A)), |f| f.ret(NO_MEDIUM));
                // An address beyond the end stays wrong.
                f.when(key.is(5), |f| f.ret(status::SECTOR_NOT_FOUND));
                f.when(key.is(NOT_READY), |f| f.run(ready(drive)));
            });
            f.ret(status::CONTROLLER);
        },
    )
}

/// Locks the medium in the drive, or lets it go. A status.
pub(super) fn lock(drive: impl Into<Value>, locked: impl Into<Value>) -> Value {
    routine(
        "atapi_lock",
        [drive.into(), locked.into()],
        |f, [drive, locked]| {
            begin(f, command::PREVENT_REMOVAL);
            f.set(packet_byte(4), locked);
            f.ret(send(drive, 0, 0, 0));
        },
    )
}

/// Puts the medium out. A status.
pub(super) fn eject(drive: impl Into<Value>) -> Value {
    routine("atapi_eject", [drive.into()], |f, [drive]| {
        begin(f, command::START_STOP);
        f.set(packet_byte(4), 2);
        f.ret(send(drive, 0, 0, 0));
    })
}
