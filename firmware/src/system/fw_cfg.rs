//! The firmware configuration device, by its ports (QEMU, docs/specs/fw_cfg).

use super::areas::{BDA_SEGMENT, post};
use crate::language::{
    Body, Compare as _, Register, Value, Var, asm, flat32, in8, rom8, routine, text,
};

const SELECTOR: u32 = 0x510;
const DATA: u32 = 0x511;
const DMA_ADDRESS: u32 = 0x514;
/// What a DMA operation does.
const DMA_SKIP: u32 = 0x04;
const DMA_SELECT: u32 = 0x08;
const DMA_WRITE: u32 = 0x10;
/// Keys: the signature "QEMU", how many processors there are, whether a boot menu is wished, the file directory.
const SIGNATURE: u32 = 0x00;
pub(super) const PROCESSORS: u32 = 0x05;
pub(super) const BOOT_MENU: u32 = 0x0E;
const DIRECTORY: u32 = 0x19;
/// The length of a name in the directory.
const NAME: u32 = 56;

/// The next byte of what is selected.
pub(super) fn next() -> Value {
    in8(DATA)
}

/// The next two or four bytes, in network order.
fn next_u16() -> Value {
    routine("fw_cfg_u16", [], |f, []| {
        let high = f.var(next());
        f.ret(high << 8 | next());
    })
}

fn next_u32() -> Value {
    routine("fw_cfg_u32", [], |f, []| {
        let high = f.var(next_u16());
        f.ret(high << 16 | next_u16());
    })
}

/// Selects an item, from its first byte on.
pub(super) fn select(f: &mut Body<'_>, key: impl Into<Value>) {
    f.out16(SELECTOR, key);
}

/// Whether the device is there.
fn present() -> Value {
    routine("fw_cfg_present", [], |f, []| {
        select(f, SIGNATURE);
        f.ret(crate::language::truth(
            next_u32().is(u32::from_be_bytes(*b"QEMU")),
        ));
    })
}

/// The word of a numeric item; 0 without the device.
pub(super) fn number(key: impl Into<Value>) -> Value {
    routine("fw_cfg_number", [key.into()], |f, [key]| {
        f.when(present().is(0), |f| f.ret(0));
        select(f, key);
        let low = f.var(next());
        f.ret(next() << 8 | low);
    })
}

/// Finds a file and selects it. Its size, or zero if there is none.
pub(super) fn open(name: &str) -> Value {
    open_named(text(name), 0)
}

/// Finds the file whose name lies in the ROM, or in flat memory, and selects it. Its size, or zero.
pub(super) fn open_named(name: impl Into<Value>, is_flat: impl Into<Value>) -> Value {
    routine(
        "fw_cfg_open",
        [name.into(), is_flat.into()],
        |f, [name, is_flat]| {
            f.when(present().is(0), |f| f.ret(0));
            select(f, DIRECTORY);
            let files = f.var(next_u32());
            f.while_(files.is_not(0), |f| {
                let size = f.var(next_u32());
                let key = f.var(next_u16());
                f.run(next_u16());
                f.when(name_follows(name, is_flat).is_not(0), |f| {
                    select(f, key);
                    f.set(flat32(post::FILE_KEY), key);
                    f.ret(size);
                });
                f.sub(files, 1);
            });
            f.ret(0);
        },
    )
}

/// Reads a name from the directory. 1 if it is this one.
fn name_follows(name: impl Into<Value>, is_flat: impl Into<Value>) -> Value {
    routine(
        "fw_cfg_name",
        [name.into(), is_flat.into()],
        |f, [name, is_flat]| {
            let same = f.var(1);
            let ended = f.var(0);
            f.each(0, NAME, |f, n| {
                let there = f.var(next());
                let wanted = f.var(0);
                f.either(
                    is_flat.is(0),
                    |f| f.set(wanted, rom8(name + n)),
                    |f| f.set(wanted, crate::language::flat8(name + n)),
                );
                f.when(ended.is(0).and(there.is_not(wanted)), |f| f.set(same, 0));
                f.when(there.is(0), |f| f.set(ended, 1));
            });
            f.ret(same);
        },
    )
}

/// Reads bytes of what is selected to flat memory.
pub(super) fn read(address: impl Into<Value>, size: impl Into<Value>) -> Value {
    routine(
        "fw_cfg_read",
        [address.into(), size.into()],
        |f, [address, size]| {
            read_here(f, address, size);
        },
    )
}

fn read_here(f: &mut Body<'_>, address: Var, size: Var) {
    let registers = [
        (Register::Edi, address.into()),
        (Register::Ecx, size.into()),
        (Register::Edx, Value::from(DATA)),
    ];
    f.with(registers, |code| {
        use iced_x86::code_asm::{ax, ds, es};
        asm!(code; xor ax, ax; mov es, ax;);
        // REP INSB with 32-bit addresses.
        asm!(code; db &[0xF3, 0x67, 0x6C];);
        asm!(code; push BDA_SEGMENT; pop ds;);
    });
}

/// Writes to the file opened last, by the DMA interface (control, length and address in network order).
pub(super) fn write(
    offset: impl Into<Value>,
    value: impl Into<Value>,
    size: impl Into<Value>,
) -> Value {
    routine(
        "fw_cfg_write",
        [offset.into(), value.into(), size.into()],
        |f, [offset, value, size]| {
            f.set(flat32(post::DMA_DATA), value);
            f.set(flat32(post::DMA_DATA + 4), 0);
            f.run(transfer(
                flat32(post::FILE_KEY) << 16 | DMA_SELECT | DMA_SKIP,
                offset,
            ));
            f.run(transfer(DMA_WRITE, size));
        },
    )
}

/// One DMA operation with `post::DMA_DATA`.
fn transfer(control: impl Into<Value>, length: impl Into<Value>) -> Value {
    routine(
        "fw_cfg_dma",
        [control.into(), length.into()],
        |f, [control, length]| {
            f.set(flat32(post::DMA_COMMAND), Value::from(control).swapped());
            f.set(flat32(post::DMA_COMMAND + 4), Value::from(length).swapped());
            f.set(flat32(post::DMA_COMMAND + 8), 0);
            f.set(
                flat32(post::DMA_COMMAND + 12),
                Value::from(post::DMA_DATA).swapped(),
            );
            f.out32(DMA_ADDRESS, 0);
            f.out32(DMA_ADDRESS + 4, Value::from(post::DMA_COMMAND).swapped());
        },
    )
}
