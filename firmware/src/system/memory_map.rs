//! POST: how much memory there is, and the map of it that INT 15h E820h returns (ACPI 15.2).

use super::areas::{BASE_MEMORY_KIB, EBDA_SEGMENT, ROM_SEGMENT, bda, ebda, post, rom};
use super::cmos::{cmos, cmos_word, index};
use super::memory::{COUNT, ENTRIES, ENTRY_SIZE, EXTENDED};
use crate::language::{Body, Compare as _, Value, bda16, far8, far16, flat32, routine};

/// Kinds of entries.
const RAM: u32 = 1;
const RESERVED: u32 = 2;
/// The highest addresses, where the ROM is.
const HIGH_ROM: u32 = 0xFFFC_0000;

/// Asks the CMOS memory how much RAM there is; makes the EBDA.
pub(super) fn set_up(f: &mut Body<'_>) {
    f.set(flat32(post::RAM_END), ram_end());
    f.set(flat32(post::RAM_TOP), flat32(post::RAM_END));
    let above_4_gib = cmos_word(index::ABOVE_4_GIB) | cmos(index::ABOVE_4_GIB + 2) << 16;
    f.set(flat32(post::RAM_ABOVE), above_4_gib);
    f.set(bda16(bda::MEMORY_KIB), BASE_MEMORY_KIB);
    f.set(bda16(bda::EBDA), EBDA_SEGMENT);
    f.each(0, 512, |f, n| f.set(far16(EBDA_SEGMENT, n * 2), 0));
    f.set(far8(EBDA_SEGMENT, ebda::SIZE_KIB), 1);
}

/// Where RAM below 4 GiB ends.
pub(super) fn ram_end() -> Value {
    routine("ram_end", [], |f, []| {
        let above_16 = f.var(cmos_word(index::ABOVE_16_MIB));
        f.when(above_16.is_not(0), |f| {
            f.ret((above_16 << 16) + 0x100_0000);
        });
        f.ret((cmos_word(index::EXTENDED_KIB) << 10) + 0x10_0000);
    })
}

/// Takes memory from the end of RAM, on a boundary of a power of two. Its address.
pub(super) fn take(size: impl Into<Value>, alignment: impl Into<Value>) -> Value {
    routine(
        "take_memory",
        [size.into(), alignment.into()],
        |f, [size, alignment]| {
            let place = (flat32(post::RAM_TOP) - size) & (Value::from(0) - alignment);
            f.set(flat32(post::RAM_TOP), place);
            f.ret(flat32(post::RAM_TOP));
        },
    )
}

/// A field of the tables in segment F000h, which POST can still write.
fn table(offset: impl Into<Value>) -> crate::language::Place {
    flat32(offset.into() + ROM_SEGMENT * 16)
}

/// Adds an entry: address, size, upper halves of both in 16 bits each, kind.
fn add(
    base: impl Into<Value>,
    size: impl Into<Value>,
    upper: impl Into<Value>,
    kind: impl Into<Value>,
) -> Value {
    let arguments = [base.into(), size.into(), upper.into(), kind.into()];
    routine(
        "memory_map_add",
        arguments,
        |f, [base, size, upper, kind]| {
            let full = table(COUNT).at_least(rom::MEMORY_MAP_ENTRIES);
            f.when(full.or(size.is(0).and(upper.is(0))), Body::leave);
            let entry = f.var(table(COUNT) * ENTRY_SIZE + ENTRIES);
            f.set(table(entry), base);
            f.set(table(entry + 4), upper >> 16);
            f.set(table(entry + 8), size);
            f.set(table(entry + 12), upper & 0xFFFF);
            f.set(table(entry + 16), kind);
            f.add(table(COUNT), 1);
        },
    )
}

/// Writes the map, when nobody takes memory any more.
pub(super) fn write(f: &mut Body<'_>) {
    // The last page taken is taken whole.
    f.set(
        flat32(post::RAM_TOP),
        flat32(post::RAM_TOP) & 0xFFFF_F000u32,
    );
    f.set(table(COUNT), 0);
    f.set(table(EXTENDED), flat32(post::RAM_TOP) - 0x10_0000);
    f.run(add(0, BASE_MEMORY_KIB << 10, 0, RAM));
    f.run(add(
        BASE_MEMORY_KIB << 10,
        0xA_0000 - (BASE_MEMORY_KIB << 10),
        0,
        RESERVED,
    ));
    f.run(add(0xE_0000, 0x2_0000, 0, RESERVED));
    f.run(add(0x10_0000, flat32(post::RAM_TOP) - 0x10_0000, 0, RAM));
    f.run(add(
        flat32(post::RAM_TOP),
        flat32(post::RAM_END) - flat32(post::RAM_TOP),
        0,
        RESERVED,
    ));
    f.run(add(HIGH_ROM, Value::from(0) - HIGH_ROM, 0, RESERVED));
    let above = f.var(flat32(post::RAM_ABOVE));
    f.when(above.is_not(0), |f| {
        f.run(add(0, above << 16, above >> 16 | 0x1_0000, RAM));
    });
}
