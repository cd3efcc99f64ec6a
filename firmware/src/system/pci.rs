//! PCI configuration space by mechanism 1, and what POST does with it: base addresses, interrupt routes, the chipset
//! (PCI 2.1; 440FX, PIIX3 and PIIX4 datasheets).
//!
//! All devices are on bus 0: the board has no bridge to another one.

use crate::language::{Body, Compare as _, Value, Var, flat32, in8, in16, in32, routine};

use super::areas::post;

/// Registers of the configuration space.
pub(super) mod register {
    pub(crate) const ID: u32 = 0x00;
    pub(crate) const COMMAND: u32 = 0x04;
    pub(crate) const CLASS: u32 = 0x08;
    pub(crate) const HEADER: u32 = 0x0E;
    pub(crate) const BASE_ADDRESSES: u32 = 0x10;
    pub(crate) const ROM: u32 = 0x30;
    pub(crate) const INTERRUPT_LINE: u32 = 0x3C;
    pub(crate) const INTERRUPT_PIN: u32 = 0x3D;
}

/// The configuration ports.
const ADDRESS: u32 = 0xCF8;
const DATA: u32 = 0xCFC;
/// What POST gives out: memory downwards from the chipset's own, I/O upwards.
const MEMORY_TOP: u32 = 0xFEB0_0000;
const IO_BOTTOM: u32 = 0xC000;
/// Functions on a bus: 32 devices of eight.
const FUNCTIONS: u32 = 256;
/// Which lines the four PIRQ wires lead to.
pub(super) const ROUTES: [u8; 4] = [10, 10, 11, 11];

fn select(f: &mut Body<'_>, function: Var, register: Var) {
    f.out32(
        ADDRESS,
        (function << 8) | (register & 0xFC) | 0x8000_0000u32,
    );
}

/// A byte of a function's configuration space; a function is bus, device and function in 8, 5 and 3 bits.
pub(super) fn read8(function: impl Into<Value>, register: impl Into<Value>) -> Value {
    routine(
        "pci_read8",
        [function.into(), register.into()],
        |f, [function, register]| {
            select(f, function, register);
            f.ret(in8((register & 3) + DATA));
        },
    )
}

/// A word.
pub(super) fn read16(function: impl Into<Value>, register: impl Into<Value>) -> Value {
    routine(
        "pci_read16",
        [function.into(), register.into()],
        |f, [function, register]| {
            select(f, function, register);
            f.ret(in16((register & 2) + DATA));
        },
    )
}

/// A doubleword.
pub(super) fn read32(function: impl Into<Value>, register: impl Into<Value>) -> Value {
    routine(
        "pci_read32",
        [function.into(), register.into()],
        |f, [function, register]| {
            select(f, function, register);
            f.ret(in32(DATA));
        },
    )
}

/// Writes a byte.
pub(super) fn write8(
    function: impl Into<Value>,
    register: impl Into<Value>,
    value: impl Into<Value>,
) -> Value {
    let arguments = [function.into(), register.into(), value.into()];
    routine("pci_write8", arguments, |f, [function, register, value]| {
        select(f, function, register);
        f.out8((register & 3) + DATA, value);
    })
}

/// Writes a word.
pub(super) fn write16(
    function: impl Into<Value>,
    register: impl Into<Value>,
    value: impl Into<Value>,
) -> Value {
    let arguments = [function.into(), register.into(), value.into()];
    routine(
        "pci_write16",
        arguments,
        |f, [function, register, value]| {
            select(f, function, register);
            f.out16((register & 2) + DATA, value);
        },
    )
}

/// Writes a doubleword.
pub(super) fn write32(
    function: impl Into<Value>,
    register: impl Into<Value>,
    value: impl Into<Value>,
) -> Value {
    let arguments = [function.into(), register.into(), value.into()];
    routine(
        "pci_write32",
        arguments,
        |f, [function, register, value]| {
            select(f, function, register);
            f.out32(DATA, value);
        },
    )
}

/// The function after this one that exists, or FFFFh. Begin with FFFFFFFFh.
pub(super) fn next(function: impl Into<Value>) -> Value {
    routine("pci_next", [function.into()], |f, [function]| {
        f.forever(|f| {
            // Functions 1 to 7 only count where function 0 says that there may be some.
            f.add(function, 1);
            f.when(function.at_least(FUNCTIONS), |f| f.ret(0xFFFF));
            let single = read8(function & 0xF8, register::HEADER).lacks(0x80);
            let absent = read16(function & 0xF8, register::ID).is(0xFFFF);
            f.when((function & 7).is_not(0).and(single.or(absent)), |f| {
                f.again();
            });
            f.when(read16(function, register::ID).is_not(0xFFFF), |f| {
                f.ret(function);
            });
        });
    })
}

/// Does something for each function.
pub(super) fn each(f: &mut Body<'_>, body: impl FnOnce(&mut Body<'_>, Var)) {
    let function = f.var(next(0xFFFF_FFFFu32));
    f.while_(function.is_not(0xFFFF), |f| {
        body(f, function);
        f.set(function, next(function));
    });
}

/// POST: gives addresses and interrupts to all functions, and sets the chipset up.
pub(super) fn set_up(f: &mut Body<'_>) {
    f.set(flat32(post::PCI_MEMORY), MEMORY_TOP);
    f.set(flat32(post::PCI_IO), IO_BOTTOM);
    each(f, |f, function| {
        set_up_chipset(f, function);
        f.run(assign(function));
    });
}

/// After sleep: the chipset again. Addresses are the sleeper's to restore.
pub(super) fn restore(f: &mut Body<'_>) {
    each(f, set_up_chipset);
}

/// Functions of the chipset itself.
fn set_up_chipset(f: &mut Body<'_>, function: Var) {
    f.switch(read32(function, register::ID), |s| {
        s.case(0x7000_8086, |f| set_up_isa_bridge(f, function));
        s.case(0x7010_8086, |f| {
            // Both IDE channels answer at the addresses of old.
            f.run(write16(function, 0x40, 0x8000));
            f.run(write16(function, 0x42, 0x8000));
        });
        s.case(0x7113_8086, |f| set_up_power_management(f, function));
    });
}

/// The PIIX3's interrupt router. Shared lines are level-triggered.
fn set_up_isa_bridge(f: &mut Body<'_>, function: Var) {
    let mut levels = 0u32;
    for (wire, line) in (0u32..).zip(ROUTES) {
        f.run(write8(function, wire + 0x60, line));
        levels |= 1 << line;
    }
    f.out8(0x4D0, levels & 0xFF);
    f.out8(0x4D1, levels >> 8);
}

/// The PIIX4's power management: ports 600h and, for the SMBus, 700h. Its interrupt is 9.
fn set_up_power_management(f: &mut Body<'_>, function: Var) {
    f.run(write8(function, register::INTERRUPT_LINE, 9));
    f.run(write32(function, 0x40, super::timer::PORT - 8 + 1));
    f.run(write8(function, 0x80, 1));
    f.run(write32(function, 0x90, 0x701));
    f.run(write8(function, 0xD2, 0x09));
}

/// Gives a function its addresses and its interrupt, and lets it decode them.
fn assign(function: impl Into<Value>) -> Value {
    routine("pci_assign", [function.into()], |f, [function]| {
        let ordinary = (read8(function, register::HEADER) & 0x7F).is(0);
        f.when(ordinary.negated(), |f| f.leave());
        let place = f.var(register::BASE_ADDRESSES);
        f.while_(place.below(register::BASE_ADDRESSES + 24), |f| {
            let wide = f.var(assign_base(function, place, 0));
            f.when(wide.is_not(0), |f| {
                f.add(place, 4);
                f.run(write32(function, place, 0));
            });
            f.add(place, 4);
        });
        f.run(assign_base(function, register::ROM, 1));
        let pin = f.var(read8(function, register::INTERRUPT_PIN));
        let power_management = read32(function, register::ID).is(0x7113_8086);
        f.when(pin.is_not(0).and(power_management.negated()), |f| {
            let wire = f.var(((function >> 3) + pin + 2) & 3);
            let line = crate::language::bytes(&ROUTES) + wire;
            f.run(write8(
                function,
                register::INTERRUPT_LINE,
                crate::language::rom8(line),
            ));
        });
        let command = read16(function, register::COMMAND);
        f.run(write16(function, register::COMMAND, command | 0x0003));
        // Mass storage and bridges are bus masters from the start.
        f.when(read8(function, register::CLASS + 3).is(1), |f| {
            let command = read16(function, register::COMMAND);
            f.run(write16(function, register::COMMAND, command | 0x0004));
        });
    })
}

/// Gives a base address register an address. Whether the next register belongs to it.
fn assign_base(
    function: impl Into<Value>,
    place: impl Into<Value>,
    is_rom: impl Into<Value>,
) -> Value {
    let arguments = [function.into(), place.into(), is_rom.into()];
    routine(
        "pci_assign_base",
        arguments,
        |f, [function, place, is_rom]| {
            let before = f.var(read32(function, place));
            f.either(
                is_rom.is_not(0),
                |f| f.run(write32(function, place, 0xFFFF_F800u32)),
                |f| f.run(write32(function, place, 0xFFFF_FFFFu32)),
            );
            let answer = f.var(read32(function, place));
            f.when(answer.is(0), |f| f.ret(0));
            f.when(answer.has(1).and(is_rom.is(0)), |f| {
                let size = f.var((Value::from(0) - (answer & 0xFFFC)) & 0xFFFF);
                // An address of old, such as that of the IDE channels, stays.
                f.when(size.is(0).or(size.above(0x1000)), |f| {
                    f.run(write32(function, place, before));
                    f.ret(0);
                });
                let base = f.var((flat32(post::PCI_IO) + size - 1) & (Value::from(0) - size));
                f.run(write32(function, place, base));
                f.set(flat32(post::PCI_IO), base + size);
                f.ret(0);
            });
            let mask = f.var(answer & 0xFFFF_FFF0u32);
            f.when(is_rom.is_not(0), |f| f.set(mask, answer & 0xFFFF_F800u32));
            let size = f.var(Value::from(0) - mask);
            let base = f.var((flat32(post::PCI_MEMORY) - size) & mask);
            f.set(flat32(post::PCI_MEMORY), base);
            f.run(write32(function, place, base));
            f.ret(truth_of_wide(answer, is_rom));
        },
    )
}

/// 1 if a memory base address has 64 bits.
fn truth_of_wide(answer: Var, is_rom: Var) -> Value {
    crate::language::truth((answer & 6).is(4).and(is_rom.is(0)))
}
