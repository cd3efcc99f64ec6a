//! POST: tables for systems without ACPI: processors and interrupts (MultiProcessor Specification 1.4), and the wiring
//! of PCI slots (PCI IRQ Routing Table 1.0).

use super::areas::post;
use super::pci::{self, ROUTES};
use super::processors;
use super::tables::{set_checksum, set_signature, take};
use crate::language::{Body, Compare as _, Value, Var, flat8, flat16, flat32};

/// Sizes of the structures.
const FLOATING_POINTER: u32 = 16;
const HEADER: u32 = 44;
const PROCESSOR: u32 = 20;
const ENTRY: u32 = 8;
/// Entries of the kinds that are not processors: two buses, the I/O APIC, 16 ISA interrupts, two local ones, and at
/// most one for each PCI device.
const OTHERS: u32 = 2 + 1 + 16 + 2 + 32;
/// Addresses of the APICs.
const LOCAL_APIC: u32 = 0xFEE0_0000;
const IO_APIC: u32 = 0xFEC0_0000;
/// Bus numbers in the table.
const PCI_BUS: u32 = 0;
const ISA_BUS: u32 = 1;
/// Interrupts: as the bus has them; level-triggered, active high.
const CONFORMING: u32 = 0;
const LEVEL: u32 = 0x0D;
/// The line of the PIIX4's power management: the SCI.
const POWER_MANAGEMENT: u32 = 9;
/// How many processors the table lists at most.
const MAXIMUM: u32 = 64;

/// Writes both tables.
pub(super) fn set_up(f: &mut Body<'_>) {
    write_routing_table(f);
    f.when(
        processors::features().has(processors::HAS_APIC),
        write_mp_table,
    );
}

fn write_mp_table(f: &mut Body<'_>) {
    let count = f.var(flat32(post::PROCESSORS));
    f.when(count.above(MAXIMUM), |f| f.set(count, MAXIMUM));
    let size = count * PROCESSOR + (FLOATING_POINTER + HEADER + OTHERS * ENTRY);
    let pointer = f.var(take(size, 16));
    f.when(pointer.is(0), Body::leave);
    let table = f.var(pointer + FLOATING_POINTER);
    let place = f.var(table + HEADER);
    let entries = f.var(count);
    write_processors(f, place, count);
    for (number, name) in [(PCI_BUS, *b"PCI   "), (ISA_BUS, *b"ISA   ")] {
        let [a, b, c, d, ..] = name;
        f.set(flat16(place), 0x01 | number << 8);
        f.set(flat32(place + 2), u32::from_le_bytes([a, b, c, d]));
        f.set(flat16(place + 6), 0x2020);
        next(f, place, entries);
    }
    // The I/O APIC's identifier is in its register 0.
    f.set(flat32(IO_APIC), 0);
    let io_apic = f.var((flat32(IO_APIC + 0x10) >> 24) & 0x0F);
    f.set(flat32(place), io_apic << 8 | 0x0111_0002);
    f.set(flat32(place + 4), IO_APIC);
    next(f, place, entries);
    write_interrupts(f, place, entries, io_apic);
    write_header(f, table, place, entries);
    set_signature(f, flat32(pointer), *b"_MP_");
    f.set(flat32(pointer + 4), table);
    // One paragraph, revision 1.4, no default configuration.
    f.set(flat32(pointer + 8), 0x0000_0401);
    f.set(flat32(pointer + 12), 0);
    f.run(set_checksum(pointer + 10, pointer, FLOATING_POINTER));
}

/// Goes on to the next entry.
fn next(f: &mut Body<'_>, place: Var, entries: Var) {
    f.add(place, ENTRY);
    f.add(entries, 1);
}

fn write_processors(f: &mut Body<'_>, place: Var, count: Var) {
    let features = f.var(processors::features());
    let left = f.var(count);
    f.each(0, 256, |f, id| {
        let is_done = processors::has_apic_id(id).is(0).or(left.is(0));
        f.when(is_done, Body::again);
        f.sub(left, 1);
        f.set(flat32(place), id << 8 | 0x0114_0000 | 0x0100_0000);
        // Enabled; and the one that runs POST.
        f.when(id.is(processors::boot_apic_id()), |f| {
            f.set(flat8(place + 3), 3);
        });
        f.set(flat32(place + 4), 0x0600);
        f.set(flat32(place + 8), features);
        f.set(flat32(place + 12), 0);
        f.set(flat32(place + 16), 0);
        f.add(place, PROCESSOR);
    });
}

/// One interrupt: kind (0 ordinary, 1 NMI, 3 external), flags, source bus and line, destination and its input.
fn write_interrupt(f: &mut Body<'_>, place: Var, head: u32, from: Value, to: Value) {
    f.set(flat32(place), head);
    f.set(flat16(place + 4), from);
    f.set(flat16(place + 6), to);
}

fn write_interrupts(f: &mut Body<'_>, place: Var, entries: Var, io_apic: Var) {
    pci::each(f, |f, function| {
        let pin = f.var(pci::read8(function, pci::register::INTERRUPT_PIN));
        let line = f.var(pci::read8(function, pci::register::INTERRUPT_LINE));
        f.when(pin.is_not(0).and(line.below(16)), |f| {
            // The source is the device and its pin.
            let source = ((function >> 3) << 2 | (pin - 1)) << 8 | PCI_BUS;
            write_interrupt(f, place, 0x03 | LEVEL << 16, source, line << 8 | io_apic);
            next(f, place, entries);
        });
    });
    f.each(0, 16, |f, line| {
        let input = f.var(line);
        // The timer comes at input 2, where the cascade would; lines that PCI has are not ISA's, nor is that of the
        // power management function.
        f.when(line.is(0), |f| f.set(input, 2));
        let taken = line
            .is(2)
            .or(line.is(POWER_MANAGEMENT))
            .or(line.is(u32::from(ROUTES[0])))
            .or(line.is(u32::from(ROUTES[3])));
        f.when(taken, |f| f.again());
        let head = 0x03 | CONFORMING << 16;
        write_interrupt(f, place, head, line << 8 | ISA_BUS, input << 8 | io_apic);
        next(f, place, entries);
    });
    // The 8259s at LINT0 and NMI at LINT1 of all local APICs.
    for (kind, input) in [(3u32, 0u32), (1, 1)] {
        let to = Value::from(0xFF | input << 8);
        write_interrupt(f, place, 0x04 | kind << 8, Value::from(ISA_BUS), to);
        next(f, place, entries);
    }
}

fn write_header(f: &mut Body<'_>, table: Var, end: Var, entries: Var) {
    set_signature(f, flat32(table), *b"PCMP");
    f.set(flat32(table + 4), (end - table) | 0x0004_0000);
    for (offset, letters) in [
        (8, b"RAX "),
        (12, b"    "),
        (16, b"PC  "),
        (20, b"    "),
        (24, b"    "),
    ] {
        set_signature(f, flat32(table + offset), *letters);
    }
    f.set(flat32(table + 28), 0);
    f.set(flat32(table + 32), entries << 16);
    f.set(flat32(table + 36), LOCAL_APIC);
    f.set(flat32(table + 40), 0);
    f.run(set_checksum(table + 7, table, end - table));
}

/// How the routing table begins, and how long its header is.
pub(super) const ROUTING_TABLE: u32 = u32::from_le_bytes(*b"$PIR");
pub(super) const ROUTING_HEADER: u32 = 32;
/// Lines that a link may be led to, one bit each: any that an ISA card leaves free.
pub(super) const FREE_LINES: u32 = 0xDEF8;

/// The wiring of the slots: device 1 is the router, its registers 60h to 63h are the links.
fn write_routing_table(f: &mut Body<'_>) {
    const HEADER: u32 = ROUTING_HEADER;
    const SLOT: u32 = 16;
    const DEVICES: u32 = 31;
    let size = HEADER + DEVICES * SLOT;
    let table = f.var(take(size, 16));
    f.when(table.is_not(0), |f| {
        f.set(flat32(table), ROUTING_TABLE);
        f.set(flat32(table + 4), size << 16 | 0x0100);
        f.set(flat32(table + 8), 0x0000_0800);
        f.set(flat32(table + 12), 0x7000_8086);
        for offset in [16, 20, 24, 28] {
            f.set(flat32(table + offset), 0);
        }
        f.each(1, DEVICES + 1, |f, device| {
            let slot = f.var(table + device * SLOT + (HEADER - SLOT));
            f.set(flat16(slot), device << 11);
            f.each(0, 4, |f, pin| {
                let link = f.var(slot + pin * 3 + 2);
                f.set(flat8(link), ((device + pin + 3) & 3) | 0x60);
                f.set(flat16(link + 1), FREE_LINES);
            });
            f.set(flat16(slot + 14), device);
        });
        f.run(set_checksum(table + 31, table, size));
    });
}
