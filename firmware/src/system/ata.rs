//! ATA disks (ATA/ATAPI-6): finding and transferring, by PIO and polling.

use super::areas::{BDA_SEGMENT, EBDA_SEGMENT, ebda, post};
use super::drive;
use super::floppy::status;
use super::timer::{delay_ms, wait_port};
use crate::language::{
    Body, Compare as _, Register, Value, Var, asm, bytes, far8, far16, far32, in8, rom16, routine,
    truth,
};

/// Registers, from the first port of the command block.
pub(super) mod register {
    pub(crate) const ERROR: u32 = 1;
    pub(crate) const FEATURES: u32 = 1;
    pub(crate) const COUNT: u32 = 2;
    pub(crate) const SECTOR: u32 = 3;
    pub(crate) const CYLINDER_LOW: u32 = 4;
    pub(crate) const CYLINDER_HIGH: u32 = 5;
    pub(crate) const DEVICE: u32 = 6;
    pub(crate) const STATUS: u32 = 7;
    pub(crate) const COMMAND: u32 = 7;
}
/// Status bits.
pub(super) const BUSY: u32 = 0x80;
pub(super) const DATA_REQUEST: u32 = 0x08;
pub(super) const ERROR: u32 = 0x01;
const FAULT: u32 = 0x20;
/// Device control: no interrupts; reset.
pub(super) const NO_INTERRUPTS: u32 = 0x0A;
pub(super) const INTERRUPTS: u32 = 0x08;
const RESET: u32 = 0x04;

/// What to do with sectors: the command, and with 48-bit addresses.
pub(super) const READ: u32 = 0x2420;
pub(super) const WRITE: u32 = 0x3430;
pub(super) const VERIFY: u32 = 0x4240;
const IDENTIFY: u32 = 0xEC;
const IDENTIFY_PACKET: u32 = 0xA1;
const FLUSH: u32 = 0xE7;
/// How long a drive may take, in milliseconds: to become ready, and to answer.
const READY_MS: u32 = 3000;

/// Command block, control port, interrupt line of both channels.
const CHANNELS: [[u16; 3]; 2] = [[0x1F0, 0x3F6, 14], [0x170, 0x376, 15]];

/// Waits until the selected drive is no longer busy. 0 if it stays so.
pub(super) fn ready(drive: impl Into<Value>) -> Value {
    wait_port(
        Value::from(drive::port(drive)) + register::STATUS,
        BUSY,
        0,
        READY_MS,
    )
}

/// Waits until the drive wants data moved. A status.
pub(super) fn wait_for_data(drive: impl Into<Value>) -> Value {
    routine("ata_wait_for_data", [drive.into()], |f, [drive]| {
        let port = f.var(drive::port(drive));
        // A drive needs 400 ns until its status counts.
        f.run(in8(drive::control(drive)));
        f.when(ready(drive).is(0), |f| f.ret(status::TIMEOUT));
        let state = f.var(in8(port + register::STATUS));
        f.when(state.has(ERROR | FAULT), |f| {
            let error = f.var(in8(port + register::ERROR));
            f.when(error.has(0x10), |f| f.ret(status::SECTOR_NOT_FOUND));
            f.when(error.has(0x40), |f| f.ret(status::BAD_CRC));
            f.when(error.has(0x04), |f| f.ret(status::BAD_COMMAND));
            f.ret(status::CONTROLLER);
        });
        f.when(state.lacks(DATA_REQUEST), |f| f.ret(status::CONTROLLER));
        f.ret(0);
    })
}

/// Moves a block of `words` words between the data port and memory.
pub(super) fn move_in(f: &mut Body<'_>, port: Var, address: Var, words: impl Into<Value>) {
    f.with(
        [
            (Register::Es, address >> 4),
            (Register::Edi, address & 0x0F),
            (Register::Edx, port.into()),
            (Register::Ecx, words.into()),
        ],
        |code| {
            code.rep().insw().expect("a string instruction");
        },
    );
}

fn move_sector(f: &mut Body<'_>, port: Var, address: Var, write: bool) {
    let registers = [
        (Register::Es, address >> 4),
        (Register::Edi, address & 0x0F),
        (Register::Edx, port.into()),
        (Register::Ecx, Value::from(128)),
    ];
    f.with(registers, |code| {
        use iced_x86::code_asm::{ds, edi, es, esi};
        if write {
            asm!(code; mov esi, edi; push es; pop ds;);
            code.rep().outsd().expect("a string instruction");
            asm!(code; push BDA_SEGMENT; pop ds;);
        } else {
            code.rep().insd().expect("a string instruction");
        }
    });
}

/// Reads, writes or verifies up to 256 sectors. `address` is linear. A status; how many sectors were moved is then at
/// EBDA:PACKET.
pub(super) fn transfer(
    kind: impl Into<Value>,
    drive: impl Into<Value>,
    sector: impl Into<Value>,
    sector_high: impl Into<Value>,
    count: impl Into<Value>,
    address: impl Into<Value>,
) -> Value {
    let arguments = [
        kind.into(),
        drive.into(),
        sector.into(),
        sector_high.into(),
        count.into(),
        address.into(),
    ];
    routine(
        "ata_transfer",
        arguments,
        |f, [kind, drive, sector, sector_high, count, address]| {
            let done = far16(EBDA_SEGMENT, ebda::PACKET);
            f.set(done.clone(), 0);
            let holds = drive::holds(drive, sector, sector_high, count);
            f.when(holds.is(0), |f| f.ret(status::SECTOR_NOT_FOUND));
            f.when(
                command(kind, drive, sector, sector_high, count).is(0),
                |f| {
                    f.ret(status::TIMEOUT);
                },
            );
            let port = f.var(drive::port(drive));
            let answer = f.var(0);
            f.when(kind.is_not(VERIFY), |f| {
                f.while_(count.is_not(0).and(answer.is(0)), |f| {
                    f.set(answer, wait_for_data(drive));
                    f.when(answer.is(0), |f| {
                        f.either(
                            kind.is(WRITE),
                            |f| move_sector(f, port, address, true),
                            |f| move_sector(f, port, address, false),
                        );
                        f.add(address, 512);
                        f.add(done.clone(), 1);
                        f.sub(count, 1);
                    });
                });
            });
            // What a write or verification has come to is known at the end.
            f.when(answer.is(0), |f| {
                f.set(answer, wait_for_data(drive));
                f.when(
                    in8(port + register::STATUS).lacks(BUSY | ERROR | FAULT),
                    |f| f.set(answer, 0),
                );
            });
            f.when(kind.is(VERIFY).and(answer.is(0)), |f| f.set(done, count));
            f.out8(drive::control(drive), INTERRUPTS);
            f.ret(answer);
        },
    )
}

/// Selects a drive, with the low bits of the device register. 0 if it is not there or busy for ever.
pub(super) fn select(drive: impl Into<Value>, bits: impl Into<Value>) -> Value {
    routine(
        "ata_select",
        [drive.into(), bits.into()],
        |f, [drive, bits]| {
            f.when(ready(drive).is(0), |f| f.ret(0));
            f.out8(
                Value::from(drive::port(drive)) + register::DEVICE,
                drive::select(drive) | bits,
            );
            f.run(in8(drive::control(drive)));
            f.ret(ready(drive));
        },
    )
}

/// Sends a command with an address. 0 if the drive is not ready.
fn command(
    kind: impl Into<Value>,
    drive: impl Into<Value>,
    sector: impl Into<Value>,
    sector_high: impl Into<Value>,
    count: impl Into<Value>,
) -> Value {
    let arguments = [
        kind.into(),
        drive.into(),
        sector.into(),
        sector_high.into(),
        count.into(),
    ];
    routine(
        "ata_command",
        arguments,
        |f, [kind, drive, sector, sector_high, count]| {
            let port = f.var(drive::port(drive));
            let device = f.var(0x40);
            let far = (sector + count)
                .above(0x1000_0000)
                .or(sector_high.is_not(0));
            let wide = f.var(truth(far));
            f.when(drive::flags(drive).lacks(drive::HAS_LBA), |f| {
                // Cylinder, head and sector in the drive's own geometry, put where an address would be.
                let sectors = f.var(drive::own_sectors(drive));
                let heads = f.var(drive::own_heads(drive));
                let track = f.var(sector / sectors);
                let place =
                    ((sector % sectors) + 1) | ((track / heads) << 8) | (track % heads) << 24;
                f.set(sector, place);
                f.set(device, 0);
            });
            f.when(wide.is(0), |f| {
                f.set(device, device | (sector >> 24) & 0x0F);
            });
            f.when(select(drive, device).is(0), |f| f.ret(0));
            f.out8(drive::control(drive), NO_INTERRUPTS);
            f.when(wide.is_not(0), |f| {
                // The registers are two deep: upper halves first.
                f.out8(port + register::COUNT, count >> 8);
                f.out8(port + register::SECTOR, sector >> 24);
                f.out8(port + register::CYLINDER_LOW, sector_high);
                f.out8(port + register::CYLINDER_HIGH, sector_high >> 8);
                f.set(kind, kind >> 8);
            });
            f.out8(port + register::COUNT, count);
            f.out8(port + register::SECTOR, sector);
            f.out8(port + register::CYLINDER_LOW, sector >> 8);
            f.out8(port + register::CYLINDER_HIGH, sector >> 16);
            f.out8(port + register::COMMAND, kind);
            f.ret(1);
        },
    )
}

/// Makes sure that what was written stays. A status.
pub(super) fn flush(drive: impl Into<Value>) -> Value {
    routine("ata_flush", [drive.into()], |f, [drive]| {
        f.when(select(drive, 0).is(0), |f| f.ret(status::TIMEOUT));
        f.out8(Value::from(drive::port(drive)) + register::COMMAND, FLUSH);
        f.run(ready(drive));
        f.ret(0);
    })
}

/// Resets a drive's channel.
pub(super) fn reset(drive: impl Into<Value>) -> Value {
    routine("ata_reset", [drive.into()], |f, [drive]| {
        f.out8(drive::control(drive), NO_INTERRUPTS | RESET);
        f.run(delay_ms(1));
        f.out8(drive::control(drive), INTERRUPTS);
        f.run(delay_ms(2));
        f.ret(ready(drive));
    })
}

/// POST: looks for drives on both channels, and fills their records.
pub(super) fn find(f: &mut Body<'_>) {
    f.each(0, 4, |f, n| {
        let channel = f.var(bytes(&channels()) + (n >> 1) * 6);
        let record = f.var(drive::disk(drive::MAXIMUM * 2));
        f.set(drive::port(record), rom16(channel));
        f.set(drive::control(record), rom16(channel + 2));
        f.set(drive::line(record), rom16(channel + 4));
        f.set(drive::select(record), (n & 1) << 4 | 0xA0);
        f.set(drive::flags(record), 0);
        f.when(identify(record).is(0), |f| f.again());
        f.either(drive::flags(record).has(drive::IS_CD), add_cd, add_disk);
    });
}

fn channels() -> Vec<u8> {
    CHANNELS
        .iter()
        .flatten()
        .flat_map(|word| word.to_le_bytes())
        .collect()
}

/// Reads a drive's identification into POST's buffer. 0 if there is no drive.
fn identify(record: impl Into<Value>) -> Value {
    routine("ata_identify", [record.into()], |f, [record]| {
        let port = f.var(drive::port(record));
        f.out8(drive::control(record), NO_INTERRUPTS);
        f.out8(port + register::DEVICE, drive::select(record));
        f.run(delay_ms(1));
        // Where no drive is, what was written is not kept, or everything reads as ones.
        f.when(in8(port + register::STATUS).is(0xFF), |f| f.ret(0));
        f.out8(port + register::COUNT, 0x55);
        f.out8(port + register::SECTOR, 0xAA);
        let kept = in8(port + register::COUNT)
            .is(0x55)
            .and(in8(port + register::SECTOR).is(0xAA));
        f.when(kept.negated(), |f| f.ret(0));
        f.when(ready(record).is(0), |f| f.ret(0));
        f.out8(port + register::COMMAND, IDENTIFY);
        f.run(in8(drive::control(record)));
        f.when(in8(port + register::STATUS).is(0), |f| f.ret(0));
        f.when(wait_for_data(record).is_not(0), |f| {
            // A CD-ROM drive refuses, and leaves its signature.
            let low = in8(port + register::CYLINDER_LOW).is(0x14);
            let packet = low.and(in8(port + register::CYLINDER_HIGH).is(0xEB));
            f.when(packet.negated(), |f| f.ret(0));
            f.set(drive::flags(record), drive::IS_CD);
            f.out8(port + register::COMMAND, IDENTIFY_PACKET);
            f.when(wait_for_data(record).is_not(0), |f| f.ret(0));
        });
        let address = f.var(post::BUFFER_SEGMENT * 16);
        move_in(f, port, address, 256);
        f.out8(drive::control(record), INTERRUPTS);
        f.ret(1);
    })
}

/// A word of the identification.
pub(super) fn identification(word: u32) -> Value {
    far16(post::BUFFER_SEGMENT, word * 2).into()
}

/// Copies the record that [`find`] works in.
fn keep_record(f: &mut Body<'_>, place: impl Into<Value>) {
    let place = f.var(place);
    f.each(0, drive::SIZE, |f, n| {
        let byte = far8(EBDA_SEGMENT, drive::disk(drive::MAXIMUM * 2) + n);
        f.set(far8(EBDA_SEGMENT, place + n), byte);
    });
}

fn add_cd(f: &mut Body<'_>) {
    // Only what announces itself as a CD-ROM drive.
    let is_cd = ((identification(0) >> 8) & 0x1F).is(5);
    f.when(is_cd.and(drive::cd_count().below(drive::MAXIMUM)), |f| {
        keep_record(f, drive::cd(drive::cd_count()));
        f.run(super::post::show_drive(drive::cd(drive::cd_count())));
        f.add(drive::cd_count(), 1);
    });
}

fn add_disk(f: &mut Body<'_>) {
    let record = f.var(drive::disk(drive::MAXIMUM * 2));
    f.set(drive::own_cylinders(record), identification(1));
    f.set(drive::own_heads(record), identification(3));
    f.set(drive::own_sectors(record), identification(6));
    let product = identification(1) * identification(3) * identification(6);
    f.set(drive::size(record), product);
    f.set(drive::size_high(record), 0);
    f.when(identification(49).has(0x200), |f| {
        f.set(drive::flags(record), drive::HAS_LBA);
        f.set(drive::size(record), far32(post::BUFFER_SEGMENT, 60 * 2));
        f.when(identification(83).has(0x400), |f| {
            f.set(drive::flags(record), drive::HAS_LBA | drive::HAS_LBA48);
            f.set(drive::size(record), far32(post::BUFFER_SEGMENT, 100 * 2));
            f.set(
                drive::size_high(record),
                far32(post::BUFFER_SEGMENT, 102 * 2),
            );
        });
    });
    translate(f, record);
    f.when(drive::disk_count().below(drive::MAXIMUM), |f| {
        keep_record(f, drive::disk(drive::disk_count()));
        f.run(super::post::show_drive(drive::disk(drive::disk_count())));
        f.add(drive::disk_count(), 1);
    });
}

/// The geometry that INT 13h shows: the drive's own if 1024 cylinders reach its end, else one with more heads.
fn translate(f: &mut Body<'_>, record: Var) {
    f.set(drive::cylinders(record), drive::own_cylinders(record));
    f.set(drive::heads(record), drive::own_heads(record));
    f.set(drive::sectors(record), drive::own_sectors(record));
    let small = drive::own_cylinders(record).at_most(1024);
    let whole = drive::size(record)
        .below(1024 * 16 * 63)
        .and(drive::size_high(record).is(0));
    let sound = drive::own_heads(record)
        .is_not(0)
        .and(drive::own_sectors(record).is_not(0));
    f.when(small.and(whole).and(sound).negated(), |f| {
        f.set(drive::sectors(record), 63);
        let heads = f.var(16);
        f.forever(|f| {
            let reaches = drive::size(record).at_most(heads * (63 * 1024));
            f.when(
                reaches
                    .and(drive::size_high(record).is(0))
                    .or(heads.is(255)),
                Body::stop,
            );
            f.add(heads, heads);
            f.when(heads.above(255), |f| f.set(heads, 255));
        });
        f.set(drive::heads(record), heads);
        let cylinders = f.var(Value::from(drive::size(record)) / (heads * 63));
        let beyond = cylinders.above(1024).or(drive::size_high(record).is_not(0));
        f.when(beyond, |f| f.set(cylinders, 1024));
        f.set(drive::cylinders(record), cylinders);
    });
}
