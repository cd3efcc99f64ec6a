//! POST: room for tables in segment F000h, where systems look for them, and what all of them need.

use super::areas::{ROM_SEGMENT, post, rom};
use crate::language::{Body, Compare as _, Place, Value, flat8, flat32, routine};

/// Begins with all room free.
pub(super) fn set_up(f: &mut Body<'_>) {
    f.set(flat32(post::TABLE), rom::FREE_TABLES);
}

/// A byte's place in segment F000h.
pub(super) fn linear(offset: impl Into<Value>) -> Value {
    offset.into() + ROM_SEGMENT * 16
}

/// Takes room for a table, on a boundary of a power of two. Its linear address, or zero if there is none left.
pub(super) fn take(size: impl Into<Value>, alignment: impl Into<Value>) -> Value {
    routine(
        "take_table",
        [size.into(), alignment.into()],
        |f, [size, alignment]| {
            f.when(alignment.below(16), |f| f.set(alignment, 16));
            let start = (flat32(post::TABLE) + alignment - 1) & (Value::from(0) - alignment);
            let start = f.var(start);
            f.when((start + size).above(rom::TABLES_END), |f| f.ret(0));
            f.set(flat32(post::TABLE), start + size);
            f.ret(linear(start));
        },
    )
}

/// Makes the sum of a table's bytes zero, by its checksum byte.
pub(super) fn set_checksum(
    checksum: impl Into<Value>,
    table: impl Into<Value>,
    size: impl Into<Value>,
) -> Value {
    let arguments = [checksum.into(), table.into(), size.into()];
    routine("set_checksum", arguments, |f, [checksum, table, size]| {
        f.set(flat8(checksum), 0);
        f.set(flat8(checksum), Value::from(0) - sum(table, size));
    })
}

/// The sum of bytes, as a byte.
pub(super) fn sum(address: impl Into<Value>, size: impl Into<Value>) -> Value {
    routine(
        "sum",
        [address.into(), size.into()],
        |f, [address, size]| {
            let sum = f.var(0);
            f.each(address, address + size, |f, place| f.add(sum, flat8(place)));
            f.ret(sum & 0xFF);
        },
    )
}

/// Writes four letters.
pub(super) fn set_signature(f: &mut Body<'_>, place: Place, letters: [u8; 4]) {
    f.set(place, u32::from_le_bytes(letters));
}
