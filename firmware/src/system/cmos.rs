//! The MC146818 real-time clock and its CMOS memory (datasheet; PC/AT technical reference for the memory's contents).

use crate::language::{Body, Compare as _, Value, in8, routine};

/// Indices of the CMOS memory.
pub(super) mod index {
    pub(crate) const SECONDS: u32 = 0x00;
    pub(crate) const SECONDS_ALARM: u32 = 0x01;
    pub(crate) const MINUTES: u32 = 0x02;
    pub(crate) const MINUTES_ALARM: u32 = 0x03;
    pub(crate) const HOURS: u32 = 0x04;
    pub(crate) const HOURS_ALARM: u32 = 0x05;
    pub(crate) const DAY: u32 = 0x07;
    pub(crate) const MONTH: u32 = 0x08;
    pub(crate) const YEAR: u32 = 0x09;
    pub(crate) const STATUS_A: u32 = 0x0A;
    pub(crate) const STATUS_B: u32 = 0x0B;
    pub(crate) const STATUS_C: u32 = 0x0C;
    pub(crate) const STATUS_D: u32 = 0x0D;
    pub(crate) const FLOPPY_TYPES: u32 = 0x10;
    /// Memory above 1 MiB in KiB, up to 64 MiB.
    pub(crate) const EXTENDED_KIB: u32 = 0x30;
    pub(crate) const CENTURY: u32 = 0x32;
    /// Memory above 16 MiB in units of 64 KiB.
    pub(crate) const ABOVE_16_MIB: u32 = 0x34;
    /// The third boot device, and bit 0: do not check the boot sector's signature.
    pub(crate) const BOOT_3: u32 = 0x38;
    /// The first and the second boot device.
    pub(crate) const BOOT_1_2: u32 = 0x3D;
    /// Memory above 4 GiB in units of 64 KiB, three bytes.
    pub(crate) const ABOVE_4_GIB: u32 = 0x5B;
}

/// Bits of status register A: the update is in progress.
pub(super) const UPDATING: u32 = 0x80;
/// Bits of status register B: hours count to 24; alarm, periodic and all interrupts; setting.
pub(super) const HOURS_24: u32 = 0x02;
pub(super) const ALARM: u32 = 0x20;
pub(super) const PERIODIC: u32 = 0x40;
pub(super) const SETTING: u32 = 0x80;

/// The byte of the CMOS memory at an index.
pub(super) fn cmos(index: impl Into<Value>) -> Value {
    routine("cmos", [index.into()], |f, [index]| {
        // Bit 7 keeps the non-maskable interrupt out between the two accesses.
        f.out8(0x70, index | 0x80);
        let byte = f.var(in8(0x71));
        f.out8(0x70, index::STATUS_D);
        f.ret(byte);
    })
}

/// Writes a byte of the CMOS memory.
pub(super) fn set_cmos(index: impl Into<Value>, value: impl Into<Value>) -> Value {
    routine(
        "set_cmos",
        [index.into(), value.into()],
        |f, [index, value]| {
            f.out8(0x70, index | 0x80);
            f.out8(0x71, value);
            f.out8(0x70, index::STATUS_D);
        },
    )
}

/// The word at an index and the next one.
pub(super) fn cmos_word(index: u32) -> Value {
    cmos(index) | cmos(index + 1) << 8
}

/// The number that two decimal digits in a byte stand for.
pub(super) fn from_decimal(digits: impl Into<Value>) -> Value {
    routine("from_decimal", [digits.into()], |f, [digits]| {
        f.ret((digits >> 4) * 10 + (digits & 0x0F));
    })
}

/// Waits until the clock's registers can be read. 0 if that does not happen.
pub(super) fn wait_for_update() -> Value {
    routine("wait_for_update", [], |f, []| {
        f.each(0, 0xFFFF, |f, _| {
            f.when((cmos(index::STATUS_A) & UPDATING).is(0), |f| f.ret(1));
        });
        f.ret(0);
    })
}

/// POST: starts the clock, 24 hours, 1024 Hz, no interrupts.
pub(super) fn set_up_clock(f: &mut Body<'_>) {
    f.run(set_cmos(index::STATUS_A, 0x26));
    f.run(set_cmos(index::STATUS_B, HOURS_24));
    f.run(cmos(index::STATUS_C));
    f.run(cmos(index::STATUS_D));
}
