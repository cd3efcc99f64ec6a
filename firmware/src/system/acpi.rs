//! POST: ACPI tables, as the firmware configuration device wants them put together (QEMU, "table loader": a list of
//! commands to allocate files, to add their addresses to pointers, and to compute checksums).

use super::areas::post;
use super::tables::sum;
use super::{fw_cfg, memory_map, tables};
use crate::language::{Body, Compare as _, Value, Var, flat8, flat16, flat32, routine};

/// Commands, and the size of one.
mod command {
    pub(super) const ALLOCATE: u32 = 1;
    pub(super) const ADD_POINTER: u32 = 2;
    pub(super) const ADD_CHECKSUM: u32 = 3;
    pub(super) const WRITE_POINTER: u32 = 4;
    pub(super) const SIZE: u32 = 128;
}
/// Where the command's fields lie: one file name, or two, then the rest.
const FIRST_NAME: u32 = 4;
const SECOND_NAME: u32 = 60;
const AFTER_ONE: u32 = 60;
const AFTER_TWO: u32 = 116;
/// The zone of [`command::ALLOCATE`] that is segment F000h.
const LOW_ZONE: u32 = 2;
/// The length of a name, and a record of a file that was allocated: name, address, key.
const NAME: u32 = 56;
const RECORD: u32 = 64;
/// How large the list of commands may be.
const LIST_SIZE: u32 = 0x1_0000;
/// How many files there may be.
const FILES: u32 = 64;

/// Carries out the list, if there is one.
pub(super) fn set_up(f: &mut Body<'_>) {
    let size = f.var(fw_cfg::open("etc/table-loader"));
    f.when(size.is_not(0).and(size.at_most(LIST_SIZE)), |f| {
        f.run(fw_cfg::read(post::LOADER, size));
        f.each(0, size / command::SIZE, |f, n| {
            f.run(carry_out(n * command::SIZE + post::LOADER));
        });
    });
}

fn carry_out(entry: impl Into<Value>) -> Value {
    routine("acpi_command", [entry.into()], |f, [entry]| {
        f.switch(flat32(entry), |s| {
            s.case(command::ALLOCATE, |f| allocate(f, entry));
            s.case(command::ADD_POINTER, |f| add_pointer(f, entry));
            s.case(command::ADD_CHECKSUM, |f| {
                let file = f.var(address_of(entry + FIRST_NAME));
                f.when(file.is(0), Body::leave);
                let checksum = f.var(file + flat32(entry + AFTER_ONE));
                let start = file + flat32(entry + (AFTER_ONE + 4));
                let sum = f.var(sum(start, flat32(entry + (AFTER_ONE + 8))));
                f.sub(flat8(checksum), sum);
            });
            s.case(command::WRITE_POINTER, |f| {
                let source = f.var(address_of(entry + SECOND_NAME));
                f.when(source.is(0), Body::leave);
                f.add(source, flat32(entry + (AFTER_TWO + 4)));
                let there = fw_cfg::open_named(entry + FIRST_NAME, 1).is_not(0);
                f.when(there, |f| {
                    let offset = f.var(flat32(entry + AFTER_TWO));
                    f.run(fw_cfg::write(
                        offset,
                        source,
                        flat8(entry + (AFTER_TWO + 8)),
                    ));
                });
            });
        });
    })
}

/// Reads a file to where it will stay, and remembers where that is.
fn allocate(f: &mut Body<'_>, entry: Var) {
    let size = f.var(fw_cfg::open_named(entry + FIRST_NAME, 1));
    let alignment = f.var(flat32(entry + AFTER_ONE));
    let count = f.var(flat32(post::FILES));
    f.when(size.is(0).or(count.at_least(FILES)), Body::leave);
    let place = f.var(0);
    f.either(
        flat8(entry + (AFTER_ONE + 4)).is(LOW_ZONE),
        |f| f.set(place, tables::take(size, alignment)),
        |f| f.set(place, memory_map::take(size, alignment)),
    );
    f.when(place.is(0), Body::leave);
    f.run(fw_cfg::read(place, size));
    let record = f.var(count * RECORD + (post::FILES + RECORD));
    f.each(0, NAME, |f, n| {
        f.set(flat8(record + n), flat8(entry + n + FIRST_NAME));
    });
    f.set(flat32(record + NAME), place);
    f.add(flat32(post::FILES), 1);
}

/// Adds one file's address to a pointer in another.
fn add_pointer(f: &mut Body<'_>, entry: Var) {
    let file = f.var(address_of(entry + FIRST_NAME));
    let target = f.var(address_of(entry + SECOND_NAME));
    f.when(file.is(0).or(target.is(0)), Body::leave);
    let pointer = f.var(file + flat32(entry + AFTER_TWO));
    f.switch(flat8(entry + (AFTER_TWO + 4)), |s| {
        s.case(1, |f| f.add(flat8(pointer), target));
        s.case(2, |f| f.add(flat16(pointer), target));
        // All addresses are below 4 GiB.
        s.cases(&[4, 8], |f| f.add(flat32(pointer), target));
    });
}

/// Where the file with the name at a flat address was put, or zero.
fn address_of(name: impl Into<Value>) -> Value {
    routine("acpi_address_of", [name.into()], |f, [name]| {
        let record = f.var(post::FILES + RECORD);
        let left = f.var(flat32(post::FILES));
        f.while_(left.is_not(0), |f| {
            let same = f.var(1);
            f.each(0, NAME, |f, n| {
                f.when(flat8(record + n).is_not(flat8(name + n)), |f| {
                    f.set(same, 0);
                });
                f.when(flat8(name + n).is(0), Body::stop);
            });
            f.when(same.is_not(0), |f| f.ret(flat32(record + NAME)));
            f.add(record, RECORD);
            f.sub(left, 1);
        });
        f.ret(0);
    })
}
