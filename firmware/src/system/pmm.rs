//! Memory for option ROMs while POST runs (POST Memory Manager Specification 1.01).
//!
//! Two pools, and one list of what is taken in both; addresses and lengths count paragraphs. Blocks are taken from a
//! pool's end. Whoever boots takes all that memory, so nothing is given back at the end: the structure loses its name.

use super::areas::{ROM_SEGMENT, post};
use crate::language::{
    Body, Compare as _, Place, Unit, Value, far16, far32, flat32, routine, stack16, stack32,
};

/// Where the structure lies in segment F000h, at a paragraph, and the way to its entry.
pub(super) const HEADER: u32 = 0xFF90;
pub(super) const ENTRY: u32 = HEADER + LENGTH as u32;
const LENGTH: usize = 0x10;

/// What a block may be asked for with.
mod flag {
    pub(super) const CONVENTIONAL: u32 = 0x01;
    pub(super) const EXTENDED: u32 = 0x02;
    /// On a boundary of the lowest bit that is set in its length.
    pub(super) const ALIGNED: u32 = 0x04;
    /// Kept from systems, too.
    pub(super) const PERMANENT: u32 = 0x08;
}
/// A function that there is not.
const NOT_SUPPORTED: u32 = 0xFFFF_FFFF;
/// The handle of blocks that nobody looks for.
const ANONYMOUS: u32 = 0xFFFF_FFFF;

/// The pool below 1 MiB: what POST, its tables and the EBDA leave, in paragraphs.
const CONVENTIONAL: [u32; 2] = [0x4000, 0x9000];
/// The other one begins here, and ends this much below the end of RAM: there POST puts tables, and permanent blocks.
const EXTENDED_START: u32 = 0x2_0000;
const AT_THE_END: u32 = 0x1_0000;
/// What of that permanent blocks leave.
const FOR_TABLES: u32 = 0x4000;

/// The segment of POST's variables: ROMs may call with segments that reach no farther.
const SEGMENT: u32 = post::VARIABLES >> 4;
/// How many blocks there may be: first paragraph, length, handle. A block of no length is free.
const BLOCKS: u32 = 40;
const BLOCK: u32 = 12;

fn variable(address: u32) -> Place {
    far32(SEGMENT, address - post::VARIABLES)
}

fn field(block: impl Into<Value>, n: u32) -> Place {
    far32(
        SEGMENT,
        block.into() * BLOCK + (post::PMM_BLOCKS - post::VARIABLES + 4 * n),
    )
}

/// The structure: name, revision, length, checksum, entry.
pub(super) fn structure() -> Vec<u8> {
    let [entry, segment] = [ENTRY as u16, ROM_SEGMENT as u16].map(u16::to_le_bytes);
    let mut bytes = b"$PMM".to_vec();
    bytes.extend([0x01, LENGTH as u8, 0]);
    bytes.extend([entry, segment].concat());
    bytes.resize(LENGTH, 0);
    bytes[6] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    bytes
}

/// Emits the entry. Only AX and DX change.
pub(super) fn service(unit: &mut Unit) {
    unit.stack_service("pmm", |f, r, arguments| {
        let result = f.var(call(arguments));
        f.set(r.ax(), result);
        f.set(r.dx(), result >> 16);
    });
}

/// Carries out what the words on the stack ask for.
fn call(arguments: impl Into<Value>) -> Value {
    routine("pmm_call", [arguments.into()], |f, [at]| {
        f.switch(stack16(at), |s| {
            s.case(0, |f| {
                f.ret(allocate(stack32(at + 2), stack32(at + 6), stack16(at + 10)));
            });
            s.case(1, |f| f.ret(find(stack32(at + 2))));
            s.case(2, |f| f.ret(deallocate(stack32(at + 2))));
        });
        f.ret(NOT_SUPPORTED);
    })
}

/// Function 0: a block's linear address, or zero. For a length of zero: how long the longest block can be.
fn allocate(length: impl Into<Value>, handle: impl Into<Value>, flags: impl Into<Value>) -> Value {
    let arguments = [length.into(), handle.into(), flags.into()];
    routine("pmm_allocate", arguments, |f, [length, handle, flags]| {
        let extended_end = variable(post::PMM_EXTENDED_END);
        f.when(length.is(0), |f| {
            let longest = f.var(0);
            f.when(flags.has(flag::CONVENTIONAL), |f| {
                f.set(longest, longest_in(CONVENTIONAL[0], CONVENTIONAL[1]));
            });
            f.when(flags.has(flag::EXTENDED), |f| {
                let there = f.var(longest_in(EXTENDED_START, extended_end.clone()));
                f.when(there.above(longest), |f| f.set(longest, there));
            });
            f.ret(longest);
        });
        // A handle names one block.
        f.when(handle.is_not(ANONYMOUS).and(find(handle).is_not(0)), |f| {
            f.ret(0);
        });
        let alignment = f.var(1);
        f.when(flags.has(flag::ALIGNED), |f| {
            f.set(alignment, Value::from(length) & (Value::from(0) - length));
        });
        f.when(flags.has(flag::PERMANENT), |f| {
            f.when(flags.lacks(flag::EXTENDED), |f| f.ret(0));
            f.ret(take_for_good(length, alignment, extended_end.clone()));
        });
        let place = f.var(0);
        f.when(flags.has(flag::CONVENTIONAL), |f| {
            let [start, end] = CONVENTIONAL;
            f.set(place, take(start, end, length, alignment, handle));
        });
        f.when(flags.has(flag::EXTENDED).and(place.is(0)), |f| {
            let taken = take(EXTENDED_START, extended_end, length, alignment, handle);
            f.set(place, taken);
        });
        f.ret(Value::from(place) << 4);
    })
}

/// Function 1: the address of the block with this handle, or zero.
fn find(handle: impl Into<Value>) -> Value {
    routine("pmm_find", [handle.into()], |f, [handle]| {
        f.when(handle.is(ANONYMOUS), |f| f.ret(0));
        f.each(0, BLOCKS, |f, n| {
            let is_it = field(n, 1).is_not(0).and(field(n, 2).is(handle));
            f.when(is_it, |f| f.ret(field(n, 0) << 4));
        });
        f.ret(0);
    })
}

/// Function 2: gives the block at an address back. Zero if there was one.
fn deallocate(address: impl Into<Value>) -> Value {
    routine("pmm_deallocate", [address.into()], |f, [address]| {
        f.each(0, BLOCKS, |f, n| {
            let is_it = field(n, 1).is_not(0).and((field(n, 0) << 4).is(address));
            f.when(is_it, |f| {
                f.set(field(n, 1), 0);
                f.ret(0);
            });
        });
        f.ret(1);
    })
}

/// Takes a block of a pool, as high as there is room. Its first paragraph, or zero.
fn take(
    start: impl Into<Value>,
    end: impl Into<Value>,
    length: impl Into<Value>,
    alignment: impl Into<Value>,
    handle: impl Into<Value>,
) -> Value {
    let arguments = [
        start.into(),
        end.into(),
        length.into(),
        alignment.into(),
        handle.into(),
    ];
    routine(
        "pmm_take",
        arguments,
        |f, [start, end, length, alignment, handle]| {
            f.forever(|f| {
                f.when(end.below(start).or((end - start).below(length)), |f| {
                    f.ret(0);
                });
                let place = f.var((end - length) & (Value::from(0) - alignment));
                f.when(place.below(start), |f| f.ret(0));
                let in_the_way = f.var(first_block_in(place, length));
                f.when(in_the_way.is(BLOCKS), |f| {
                    f.ret(note(place, length, handle));
                });
                f.set(end, field(in_the_way, 0));
            });
        },
    )
}

/// A block that lies in these paragraphs, or `BLOCKS`.
fn first_block_in(place: impl Into<Value>, length: impl Into<Value>) -> Value {
    let arguments = [place.into(), length.into()];
    routine("pmm_block_in", arguments, |f, [place, length]| {
        f.each(0, BLOCKS, |f, n| {
            let overlaps = field(n, 0)
                .below(place + length)
                .and((field(n, 0) + field(n, 1)).above(place));
            f.when(field(n, 1).is_not(0).and(overlaps), |f| f.ret(n));
        });
        f.ret(BLOCKS);
    })
}

/// Writes a block down. Its first paragraph, or zero if there are too many.
fn note(place: impl Into<Value>, length: impl Into<Value>, handle: impl Into<Value>) -> Value {
    let arguments = [place.into(), length.into(), handle.into()];
    routine("pmm_note", arguments, |f, [place, length, handle]| {
        f.each(0, BLOCKS, |f, n| {
            f.when(field(n, 1).is(0), |f| {
                f.set(field(n, 0), place);
                f.set(field(n, 1), length);
                f.set(field(n, 2), handle);
                f.ret(place);
            });
        });
        f.ret(0);
    })
}

/// How many paragraphs a pool has in one piece: below its end, or below any block.
fn longest_in(start: impl Into<Value>, end: impl Into<Value>) -> Value {
    let arguments = [start.into(), end.into()];
    routine("pmm_longest", arguments, |f, [start, end]| {
        let longest = f.var(0);
        f.each(0, BLOCKS + 1, |f, n| {
            let top = f.var(end);
            f.when(n.below(BLOCKS), |f| f.set(top, field(n, 0)));
            let is_free = n.below(BLOCKS).and(field(n, 1).is(0));
            f.when(is_free.or(top.below(start)).or(top.above(end)), Body::again);
            let bottom = f.var(start);
            f.each(0, BLOCKS, |f, other| {
                let block_end = f.var(field(other, 0) + field(other, 1));
                let is_below = field(other, 1).is_not(0).and(field(other, 0).below(top));
                f.when(is_below.and(block_end.above(bottom)), |f| {
                    f.set(bottom, block_end);
                });
            });
            f.when((top - bottom).above(longest), |f| {
                f.set(longest, top - bottom);
            });
        });
        f.ret(longest);
    })
}

/// Takes memory from the end of RAM, which the memory map then keeps from systems. Its address, or zero.
fn take_for_good(
    length: impl Into<Value>,
    alignment: impl Into<Value>,
    pool_end: impl Into<Value>,
) -> Value {
    let arguments = [length.into(), alignment.into(), pool_end.into()];
    routine(
        "pmm_take_for_good",
        arguments,
        |f, [length, alignment, end]| {
            let top = f.var(variable(post::RAM_TOP) >> 4);
            let floor = f.var(end + FOR_TABLES);
            f.when(end.is(0).or(top.below(floor)), |f| f.ret(0));
            f.when((top - floor).below(length), |f| f.ret(0));
            let place = f.var((top - length) & (Value::from(0) - alignment));
            f.when(place.below(floor), |f| f.ret(0));
            f.set(variable(post::RAM_TOP), Value::from(place) << 4);
            f.ret(variable(post::RAM_TOP));
        },
    )
}

/// POST: how far the second pool goes. Without 3 MiB there is none.
pub(super) fn set_up(f: &mut Body<'_>) {
    let end = f.var((Value::from(flat32(post::RAM_TOP)) >> 4) - AT_THE_END);
    f.when(end.above(EXTENDED_START), |f| {
        f.set(flat32(post::PMM_EXTENDED_END), end);
    });
}

/// POST: nobody finds the structure any more.
pub(super) fn end(f: &mut Body<'_>) {
    f.set(far16(ROM_SEGMENT, HEADER), 0);
    f.set(far16(ROM_SEGMENT, HEADER + 2), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_is_whole() {
        let bytes = structure();
        let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        assert_eq!((bytes.len(), sum, ENTRY % 16), (16, 0, 0));
        assert_eq!(bytes[7..11], [0xA0, 0xFF, 0x00, 0xF0], "the entry");
    }
}
