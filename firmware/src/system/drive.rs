//! What is known about each IDE drive: a record in the EBDA, filled by POST. A drive is the record's offset there.

use super::areas::{EBDA_SEGMENT, bda, ebda};
use crate::language::{Compare as _, Place, Value, bda8, far8, far16, far32, routine};

/// The size of a record.
pub(super) const SIZE: u32 = 32;
/// How many hard disks, and how many CD-ROM drives, there may be.
pub(super) const MAXIMUM: u32 = 4;
/// [`flags`]: commands with 48-bit addresses; addresses at all; a CD-ROM drive.
pub(super) const HAS_LBA48: u32 = 0x01;
pub(super) const HAS_LBA: u32 = 0x02;
pub(super) const IS_CD: u32 = 0x04;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $far:ident $offset:literal;)*) => { $(
        $(#[$doc])*
        pub(super) fn $name(drive: impl Into<Value>) -> Place {
            $far(EBDA_SEGMENT, drive.into() + $offset)
        }
    )* };
}

fields! {
    /// The first port of its channel's command block.
    port far16 0x00;
    /// Its channel's control port.
    control far16 0x02;
    /// What selects it: A0h or B0h.
    select far8 0x04;
    /// What it can do.
    flags far8 0x05;
    /// Cylinders, heads and sectors that INT 13h counts in.
    cylinders far16 0x08;
    heads far16 0x0A;
    sectors far16 0x0C;
    /// How often the medium is locked in the drive.
    locks far8 0x0E;
    /// The size in sectors, and its upper half.
    size far32 0x10;
    size_high far32 0x14;
    /// Cylinders, heads and sectors of the drive itself.
    own_cylinders far16 0x18;
    own_heads far8 0x1A;
    own_sectors far8 0x1B;
    /// The channel's interrupt line.
    line far8 0x1C;
}

/// The record of hard disk `n`.
pub(super) fn disk(n: impl Into<Value>) -> Value {
    n.into() * SIZE + ebda::DRIVES
}

/// The record of CD-ROM drive `n`.
pub(super) fn cd(n: impl Into<Value>) -> Value {
    n.into() * SIZE + (ebda::DRIVES + MAXIMUM * SIZE)
}

/// The number of hard disks.
pub(super) fn disk_count() -> Place {
    bda8(bda::DISK_COUNT)
}

/// The number of CD-ROM drives.
pub(super) fn cd_count() -> Place {
    far8(EBDA_SEGMENT, ebda::CD_COUNT)
}

/// How many sectors can be reached by cylinder, head and sector, without the last one's cylinder.
pub(super) fn reachable(drive: impl Into<Value>) -> Value {
    routine("drive_reachable", [drive.into()], |f, [drive]| {
        f.ret(Value::from(cylinders(drive)) * heads(drive) * sectors(drive));
    })
}

/// Whether a range of sectors lies on the drive: 1 or 0.
pub(super) fn holds(
    drive: impl Into<Value>,
    sector: impl Into<Value>,
    sector_high: impl Into<Value>,
    count: impl Into<Value>,
) -> Value {
    let arguments = [
        drive.into(),
        sector.into(),
        sector_high.into(),
        count.into(),
    ];
    routine(
        "drive_holds",
        arguments,
        |f, [drive, sector, sector_high, count]| {
            let end = f.var(sector + count);
            f.when(end.below(sector), |f| f.add(sector_high, 1));
            f.when(sector_high.above(size_high(drive)), |f| f.ret(0));
            f.when(sector_high.below(size_high(drive)), |f| f.ret(1));
            f.when(end.above(size(drive)), |f| f.ret(0));
            f.ret(1);
        },
    )
}
