//! The MultiProcessor Specification's tables, by which a system without ACPI
//! finds processors, the I/O APIC and what is wired where.
//!
//! Intel MultiProcessor Specification 1.4, chapter 4. The floating pointer
//! structure comes first and the configuration table right behind it.

use crate::board::{IO_APIC_BASE, IO_APIC_ID, LOCAL_APIC_BASE, PciRoute, SCI, isa_pin, pci_route};

/// A processor as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Its local APIC's ID.
    pub apic_id: u8,
    /// It starts first.
    pub is_bootstrap: bool,
    /// EAX of CPUID leaf 1.
    pub signature: u32,
    /// EDX of CPUID leaf 1.
    pub features: u32,
}

const PCI_BUS: u8 = 0;
const ISA_BUS: u8 = 1;
/// Devices on the PCI bus whose four pins are listed.
const PCI_DEVICES: u8 = 16;
/// Version register of the APICs.
const LOCAL_APIC_VERSION: u8 = 0x14;
const IO_APIC_VERSION: u8 = 0x11;
/// All local APICs.
const EVERYBODY: u8 = 0xff;
/// Bytes of the floating pointer structure and of the table's header.
const POINTER_BYTES: usize = 16;
const HEADER_BYTES: usize = 44;

/// What an interrupt is.
#[derive(Clone, Copy)]
enum Kind {
    Int = 0,
    Nmi = 1,
    ExtInt = 3,
}

/// Polarity and trigger mode of an interrupt.
#[derive(Clone, Copy)]
enum Flags {
    /// As the bus has it: ISA high and an edge.
    Bus = 0,
    /// Active high and a level, as the ACPI tables have the SCI.
    HighLevel = 0b1101,
    /// Active low and a level.
    LowLevel = 0b1111,
}

/// The tables as they lie in memory from `address` on, which must be a
/// multiple of 16 where systems look: in the extended BIOS data area, the last
/// KiB of base memory or the BIOS area.
#[must_use]
pub fn mp_tables(address: u32, processors: &[Processor]) -> Vec<u8> {
    let entries = entries(processors);
    let count: usize = entries.iter().map(Vec::len).sum();
    let mut table = Vec::with_capacity(HEADER_BYTES + count);
    table.extend(*b"PCMP");
    table.extend(((HEADER_BYTES + count) as u16).to_le_bytes());
    table.extend([4, 0]); // Revision 1.4; the checksum comes later.
    table.extend(*b"RAX     ");
    table.extend(*b"440FX       ");
    table.extend([0; 6]); // No table of the manufacturer's own.
    table.extend((entries.len() as u16).to_le_bytes());
    table.extend((LOCAL_APIC_BASE as u32).to_le_bytes());
    table.extend([0; 4]); // No extended entries.
    table.extend(entries.into_iter().flatten());
    table[7] = checksum(&table);

    let mut tables = Vec::with_capacity(POINTER_BYTES + table.len());
    tables.extend(*b"_MP_");
    tables.extend((address + POINTER_BYTES as u32).to_le_bytes());
    tables.extend([1, 4, 0]); // One paragraph, revision 1.4.
    tables.extend([0; 5]); // A table is there; virtual wire mode, no IMCR.
    tables[10] = checksum(&tables);
    tables.extend(table);
    tables
}

/// The table's entries, in the order of their types.
fn entries(processors: &[Processor]) -> Vec<Vec<u8>> {
    let mut entries: Vec<_> = processors.iter().map(processor).collect();
    entries.push([&[1, PCI_BUS][..], b"PCI   "].concat());
    entries.push([&[1, ISA_BUS][..], b"ISA   "].concat());
    let io_apic = [2, IO_APIC_ID, IO_APIC_VERSION, 1];
    entries.push([&io_apic[..], &(IO_APIC_BASE as u32).to_le_bytes()].concat());
    for device in 0..PCI_DEVICES {
        for pin in 0..4 {
            let source = device << 2 | pin;
            let route = pci_route(device, pin);
            let flags = match route {
                PciRoute::Sci => Flags::HighLevel,
                PciRoute::Pirq(_) => Flags::LowLevel,
            };
            let to = (IO_APIC_ID, route.io_apic_pin());
            entries.push(interrupt(3, Kind::Int, flags, (PCI_BUS, source), to));
        }
    }
    for irq in 0..16 {
        if let Some(pin) = isa_pin(irq) {
            let to = (IO_APIC_ID, pin);
            let flags = if u32::from(irq) == SCI {
                Flags::HighLevel
            } else {
                Flags::Bus
            };
            entries.push(interrupt(3, Kind::Int, flags, (ISA_BUS, irq), to));
        }
    }
    let local = |kind, pin| interrupt(4, kind, Flags::Bus, (ISA_BUS, 0), (EVERYBODY, pin));
    entries.push(local(Kind::ExtInt, 0));
    entries.push(local(Kind::Nmi, 1));
    entries
}

fn processor(processor: &Processor) -> Vec<u8> {
    let enabled = 1 | u8::from(processor.is_bootstrap) << 1;
    let mut entry = vec![0, processor.apic_id, LOCAL_APIC_VERSION, enabled];
    entry.extend(processor.signature.to_le_bytes());
    entry.extend(processor.features.to_le_bytes());
    entry.extend([0; 8]);
    entry
}

/// An interrupt entry: of the I/O APIC (type 3) or of local APICs (type 4).
fn interrupt(entry: u8, kind: Kind, flags: Flags, from: (u8, u8), to: (u8, u8)) -> Vec<u8> {
    vec![
        entry,
        kind as u8,
        flags as u8,
        0,
        from.0,
        from.1,
        to.0,
        to.1,
    ]
}

/// The byte that makes all bytes add up to zero.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte))
}

#[cfg(test)]
mod tests {
    use super::{HEADER_BYTES, POINTER_BYTES, Processor, mp_tables};

    fn tables() -> Vec<u8> {
        let processor = |apic_id| Processor {
            apic_id,
            is_bootstrap: apic_id == 0,
            signature: 0x106ca,
            features: 0x201,
        };
        let processors: Vec<_> = (0..8).map(processor).collect();
        mp_tables(0x9_fc00, &processors)
    }

    fn sum(bytes: &[u8]) -> u8 {
        bytes
            .iter()
            .fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
    }

    #[test]
    fn both_parts_add_up_to_zero_and_find_each_other() {
        let tables = tables();
        let (pointer, table) = tables.split_at(POINTER_BYTES);
        assert_eq!((&pointer[..4], sum(pointer)), (&b"_MP_"[..], 0));
        assert_eq!(pointer[4..8], 0x9_fc10u32.to_le_bytes());
        assert_eq!((&table[..4], sum(table)), (&b"PCMP"[..], 0));
        assert_eq!(table[4..6], (table.len() as u16).to_le_bytes());
        assert!(tables.len() <= 0x400, "fits the last KiB of base memory");
    }

    #[test]
    fn the_entries_are_as_many_as_the_header_says() {
        let tables = tables();
        let table = &tables[POINTER_BYTES..];
        let count = u16::from_le_bytes([table[34], table[35]]);
        let (mut at, mut found, mut processors) = (HEADER_BYTES, 0, 0);
        while at < table.len() {
            processors += u16::from(table[at] == 0);
            at += if table[at] == 0 { 20 } else { 8 };
            found += 1;
        }
        assert_eq!((at, found, processors), (table.len(), count, 8));
    }

    #[test]
    fn the_pin_of_power_management_is_the_sci() {
        let tables = tables();
        let of = |source: [u8; 2]| {
            let entries = tables.windows(8).filter(|entry| entry[..2] == [3, 0]);
            let mut entries = entries.filter(|entry| entry[4..6] == source);
            entries.next().map(|entry| (entry[2], entry[7]))
        };
        // INTA of device 1, and the ISA interrupt of that number; then INTB of device 1, and INTA of device 2.
        assert_eq!(of([0, 1 << 2]), Some((0b1101, 9)));
        assert_eq!(of([1, 9]), Some((0b1101, 9)));
        assert_eq!(of([0, 1 << 2 | 1]), Some((0b1111, 17)));
        assert_eq!(of([0, 2 << 2]), Some((0b1111, 17)));
    }

    #[test]
    fn the_timer_comes_in_at_pin_2() {
        let tables = tables();
        let timer = [3, 0, 0, 0, 1, 0, super::IO_APIC_ID, 2];
        assert!(tables.windows(8).any(|entry| entry == timer));
    }
}
