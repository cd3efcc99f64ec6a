//! The ACPI tables: what an operating system is told of a machine that it cannot
//! find out by itself.
//!
//! Advanced Configuration and Power Interface Specification 6.4, chapter 5; HPET
//! description table from the IA-PC HPET specification 1.0a. The 440FX has no
//! memory-mapped configuration space, so there is no MCFG. Pointers of 64 bits in
//! the FADT stay zero: everything is below 4 GiB, and those of 32 bits are known to
//! all systems.

use acpi_tables::sdt::Sdt;
use rax_cpu::Topology;

use super::blob::{Blob, Part};
use super::dsdt::dsdt;
use crate::board::{
    ACPI_COMMANDS, HPET_BASE, IO_APIC_BASE, IO_APIC_ID, LOCAL_APIC_BASE, SCI, isa_pin,
};

pub(super) const OEM_ID: [u8; 6] = *b"RAX   ";
pub(super) const OEM_TABLE_ID: [u8; 8] = *b"440FX   ";
/// Bytes of a table's header, and where in it the checksum is.
const HEADER_BYTES: usize = 36;
const CHECKSUM: usize = 9;
/// Bytes of the FACS and the FADT.
pub(super) const FACS_BYTES: u32 = 64;
const FADT_BYTES: u32 = 244;

/// What the tables say of a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Bytes of RAM.
    pub(crate) ram: u64,
    /// Processors, and how they are divided.
    pub(crate) topology: Topology,
    /// Serial ports.
    pub(crate) serial_ports: u8,
    /// There is a parallel port.
    pub(crate) has_parallel_port: bool,
    /// Where firmware has put the power management block.
    pub(crate) power_block: u16,
}

/// Where a system wants to go on after suspend to RAM (5.2.10, "Waking vectors").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waking {
    /// In real mode, in the segment of this address.
    Real(u32),
    /// In protected mode, with flat 32-bit segments. (64-bit mode would have to be offered in the FACS's flags.)
    Protected(u32),
}

impl Waking {
    /// What a FACS says.
    pub(super) fn of(facs: &[u8; FACS_BYTES as usize]) -> Option<Self> {
        let word = |at| {
            facs[at..]
                .first_chunk()
                .map(|word| u32::from_le_bytes(*word))
        };
        let (real, low, high) = (word(12)?, word(24)?, word(28)?);
        match (facs.starts_with(b"FACS"), low, high) {
            (false, _, _) => None,
            (true, 1.., 0) => Some(Self::Protected(low)),
            (true, _, _) => (1..0x10_0000).contains(&real).then_some(Self::Real(real)),
        }
    }
}

/// All tables. The FACS comes first.
pub(super) fn tables(machine: &Machine) -> Blob {
    let mut blob = Blob::default();
    let facs = blob.add(&facs(), 64);
    let dsdt = blob.add(&dsdt(machine), 16);
    let fadt = {
        let at = add(&mut blob, fadt(machine.power_block));
        blob.point(Part::Tables, at + 36, 4, facs);
        blob.point(Part::Tables, at + 40, 4, dsdt);
        at
    };
    let described = [
        fadt,
        add(&mut blob, madt(machine.topology)),
        add(&mut blob, hpet()),
    ];
    let rsdt = root(&mut blob, *b"RSDT", 4, &described);
    let xsdt = root(&mut blob, *b"XSDT", 8, &described);
    blob.set_rsdp(rsdp());
    blob.point(Part::Rsdp, 16, 4, rsdt);
    blob.point(Part::Rsdp, 24, 8, xsdt);
    blob.check(Part::Rsdp, 8, 0, 20);
    blob.check(Part::Rsdp, 32, 0, 36);
    blob.point(Part::Rsdp, OLD_RSDP + 16, 4, rsdt);
    blob.check(Part::Rsdp, OLD_RSDP + 8, OLD_RSDP, 20);
    blob
}

fn table(signature: [u8; 4], bytes: u32, revision: u8) -> Sdt {
    Sdt::new(signature, bytes, revision, OEM_ID, OEM_TABLE_ID, 1)
}

/// Puts a table in place that others may point at, or that points at others.
fn add(blob: &mut Blob, table: impl AsRef<[u8]>) -> usize {
    let table = table.as_ref();
    let at = blob.add(table, 16);
    blob.check(Part::Tables, at + CHECKSUM, at, table.len());
    at
}

/// RSDT and XSDT: where the others are.
fn root(blob: &mut Blob, signature: [u8; 4], width: usize, tables: &[usize]) -> usize {
    let bytes = HEADER_BYTES + width * tables.len();
    let at = add(blob, table(signature, bytes as u32, 1).as_slice());
    for (index, &target) in tables.iter().enumerate() {
        let field = at + HEADER_BYTES + width * index;
        blob.point(Part::Tables, field, width, target);
    }
    at
}

/// Where the root pointer of ACPI 1.0 lies behind the other one. Both begin at multiples of 16.
const OLD_RSDP: usize = 48;

/// The root pointer in revision 2, and behind it that of ACPI 1.0.
///
/// Whoever searches finds the first. Boot loaders look for each on its own (GRUB does, for the
/// multiboot 2 tags 14 and 15), and small kernels know only the old one.
fn rsdp() -> Vec<u8> {
    let signature = b"RSD PTR \0";
    let mut rsdp = signature.to_vec();
    rsdp.extend(OEM_ID);
    rsdp.push(2);
    rsdp.resize(20, 0);
    rsdp.extend(36u32.to_le_bytes());
    rsdp.resize(OLD_RSDP, 0);
    rsdp.extend(signature);
    rsdp.extend(OEM_ID);
    rsdp.resize(OLD_RSDP + 20, 0);
    rsdp
}

/// The firmware control structure, with the global lock.
fn facs() -> Vec<u8> {
    let mut facs = b"FACS".to_vec();
    facs.extend(FACS_BYTES.to_le_bytes());
    facs.resize(FACS_BYTES as usize, 0);
    facs[32] = 1; // Version.
    facs
}

/// The fixed hardware: the PIIX4's power management block at `power_block`.
fn fadt(power_block: u16) -> Vec<u8> {
    const DESKTOP: u8 = 1;
    const NO_C2: u16 = 0xfff;
    const NO_C3: u16 = 0xfff;
    const CENTURY: u8 = 0x32;
    /// There are devices on the ISA bus, and an 8042.
    const BOOT_FLAGS: u16 = 0b11;
    /// WBINVD works, C1 on all processors, no fixed sleep button, and the reset
    /// register is there.
    const FLAGS: u32 = 1 << 0 | 1 << 2 | 1 << 5 | 1 << 10;
    const RESET_PORT: u16 = 0xcf9;
    const RESET_VALUE: u8 = 6;
    let mut fadt = table(*b"FACP", FADT_BYTES, 3);
    fadt.write_u8(45, DESKTOP);
    fadt.write_u16(46, SCI as u16);
    fadt.write_u32(48, 0xb2);
    fadt.write_bytes(52, &[ACPI_COMMANDS.0, ACPI_COMMANDS.1]);
    let base = u32::from(power_block);
    fadt.write_u32(56, base); // PM1a_EVT_BLK
    fadt.write_u32(64, base + 4); // PM1a_CNT_BLK
    fadt.write_u32(76, base + 8); // PM_TMR_BLK
    fadt.write_u32(80, base + 0xc); // GPE0_BLK
    fadt.write_bytes(88, &[4, 2, 0, 4, 4]); // Their lengths.
    fadt.write_u16(96, NO_C2);
    fadt.write_u16(98, NO_C3);
    fadt.write_u8(108, CENTURY);
    fadt.write_u16(109, BOOT_FLAGS);
    fadt.write_u32(112, FLAGS);
    // A byte in I/O space.
    fadt.write_bytes(116, &[1, 8, 0, 1]);
    fadt.write_u64(120, u64::from(RESET_PORT));
    fadt.write_u8(128, RESET_VALUE);
    fadt.as_slice().to_vec()
}

/// The interrupt controllers.
fn madt(topology: Topology) -> Vec<u8> {
    /// There are 8259s as well.
    const PC_AT: u32 = 1;
    const ENABLED: u32 = 1;
    /// Active high, level.
    const LEVEL: u16 = 0b1101;
    let mut madt = table(*b"APIC", HEADER_BYTES as u32, 3);
    madt.append_slice(&(LOCAL_APIC_BASE as u32).to_le_bytes());
    madt.append_slice(&PC_AT.to_le_bytes());
    for number in 0..topology.count() as u16 {
        let id = topology.apic_id(number);
        madt.append_slice(&[0, 8, number as u8, id as u8]);
        madt.append_slice(&ENABLED.to_le_bytes());
    }
    madt.append_slice(&[1, 12, IO_APIC_ID, 0]);
    madt.append_slice(&(IO_APIC_BASE as u32).to_le_bytes());
    madt.append_slice(&0u32.to_le_bytes());
    // What does not come in at the pin of its own number as an ISA edge does.
    for irq in 0..16 {
        let is_sci = u32::from(irq) == SCI;
        if let Some(pin) = isa_pin(irq)
            && (pin != irq || is_sci)
        {
            madt.append_slice(&[2, 10, 0, irq]);
            madt.append_slice(&u32::from(pin).to_le_bytes());
            let flags = if is_sci { LEVEL } else { 0 };
            madt.append_slice(&flags.to_le_bytes());
        }
    }
    // LINT1 of all processors is NMI.
    madt.append_slice(&[4, 6, 0xff, 0, 0, 1]);
    madt.as_slice().to_vec()
}

/// The event timers.
fn hpet() -> Vec<u8> {
    const ID: u32 = 0x8086_a201;
    let mut hpet = table(*b"HPET", 56, 1);
    hpet.write_u32(36, ID);
    hpet.write_bytes(40, &[0, 64, 0, 0]); // Memory, 64 bits wide.
    hpet.write_u64(44, HPET_BASE);
    hpet.write_u16(53, 128); // The least period that loses nothing.
    hpet.as_slice().to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::blob::sum;
    use super::{Machine, OLD_RSDP, Topology, Waking, tables};

    const BASE: u64 = 0x3ff_0000;

    fn placed(processors: u16) -> (Vec<u8>, Vec<u8>) {
        tables(&Machine {
            ram: 64 << 20,
            topology: Topology::one_socket(processors),
            serial_ports: 2,
            has_parallel_port: true,
            power_block: 0x600,
        })
        .place(BASE)
    }

    fn word(bytes: &[u8], at: usize) -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    }

    /// The table that a physical address leads to.
    fn at(tables: &[u8], address: usize) -> &[u8] {
        let start = address - BASE as usize;
        &tables[start..start + word(tables, start + 4)]
    }

    #[test]
    fn the_root_pointer_leads_to_tables_that_add_up_to_zero() {
        for processors in [1, 4, 64] {
            let (tables, rsdp) = placed(processors);
            assert_eq!((sum(&rsdp[..20]), sum(&rsdp[..36])), (0, 0));
            assert_eq!(rsdp[15], 2);
            let rsdt = at(&tables, word(&rsdp, 16));
            let xsdt = at(&tables, word(&rsdp, 24));
            for (root, width) in [(rsdt, 4), (xsdt, 8)] {
                assert_eq!(sum(root), 0);
                let found: Vec<_> = root[36..]
                    .chunks(width)
                    .map(|entry| at(&tables, word(entry, 0)))
                    .collect();
                let names: Vec<_> = found.iter().map(|table| &table[..4]).collect();
                assert_eq!(names, [b"FACP", b"APIC", b"HPET"]);
                assert!(found.iter().all(|table| sum(table) == 0));
                let facs = word(found[0], 36);
                assert_eq!((&at(&tables, facs)[..4], facs % 64), (&b"FACS"[..], 0));
                let dsdt = at(&tables, word(found[0], 40));
                assert_eq!((&dsdt[..4], sum(dsdt)), (&b"DSDT"[..], 0));
            }
        }
    }

    #[test]
    fn the_root_pointer_of_acpi_1_is_there_too() {
        let (tables, rsdp) = placed(1);
        let old = &rsdp[OLD_RSDP..];
        assert_eq!((&old[..8], old[15]), (&b"RSD PTR "[..], 0));
        assert_eq!((OLD_RSDP % 16, old.len(), sum(old)), (0, 20, 0));
        assert_eq!(word(old, 16), word(&rsdp, 16));
        assert_eq!(&at(&tables, word(old, 16))[..4], b"RSDT");
    }

    #[test]
    fn the_facs_says_where_to_wake() {
        let (tables, _) = placed(1);
        let fresh: [u8; 64] = tables[..64].try_into().unwrap();
        assert_eq!(Waking::of(&fresh), None);
        let with = |real: u32, protected: u64| {
            let mut facs = fresh;
            facs[12..16].copy_from_slice(&real.to_le_bytes());
            facs[24..32].copy_from_slice(&protected.to_le_bytes());
            Waking::of(&facs)
        };
        assert_eq!(with(0x9_a123, 0), Some(Waking::Real(0x9_a123)));
        assert_eq!(
            with(0x9_a123, 0x12_3456),
            Some(Waking::Protected(0x12_3456))
        );
        // Not in reach in either way.
        assert_eq!(with(0x10_0000, 0), None);
        assert_eq!(with(0, 1 << 32), None);
        assert_eq!(Waking::of(&[0; 64]), None);
    }

    #[test]
    fn the_namespace_has_the_ports_that_the_board_has() {
        let named = |machine: &Machine, name: &[u8]| {
            let code = super::dsdt(machine);
            code.windows(name.len()).any(|window| window == name)
        };
        let mut machine = Machine {
            ram: 64 << 20,
            topology: Topology::one_socket(1),
            serial_ports: 1,
            has_parallel_port: true,
            power_block: 0x600,
        };
        for (name, is_there) in [(b"COM1", true), (b"COM2", false), (b"LPT_", true)] {
            assert_eq!(named(&machine, name), is_there, "{name:?}");
        }
        machine.has_parallel_port = false;
        assert!(!named(&machine, b"LPT_"));
        // The one route of device 1 to the link that is not the router's.
        let route = *b"\x0c\xff\xff\x01\x00\x00LNKS\x00";
        assert!(named(&machine, &route));
    }

    #[test]
    fn every_processor_is_listed_once() {
        let (tables, rsdp) = placed(8);
        let rsdt = at(&tables, word(&rsdp, 16));
        let madt = at(&tables, word(rsdt, 40));
        let (mut next, mut ids) = (44, Vec::new());
        while next < madt.len() {
            if madt[next] == 0 {
                ids.push(madt[next + 3]);
            }
            next += usize::from(madt[next + 1]);
        }
        assert_eq!((next, ids), (madt.len(), (0..8).collect()));
    }

    #[test]
    fn a_parallel_port_is_listed_if_there_is_one() {
        for has_parallel_port in [false, true] {
            let (tables, _) = tables(&Machine {
                ram: 64 << 20,
                topology: Topology::one_socket(1),
                serial_ports: 2,
                has_parallel_port,
                power_block: 0x600,
            })
            .place(BASE);
            let has = |name: &[u8]| tables.windows(4).any(|place| place == name);
            assert_eq!(
                [has(b"COM2"), has(b"COM3"), has(b"LPT_")],
                [true, false, has_parallel_port]
            );
        }
    }

    #[test]
    fn firmware_is_told_what_to_mend() {
        let blob = tables(&Machine {
            ram: 64 << 20,
            topology: Topology::one_socket(2),
            serial_ports: 1,
            has_parallel_port: false,
            power_block: 0x600,
        });
        let [(_, tables), (_, rsdp), (_, loader)] = blob.into_files();
        assert_eq!(loader.len() % 128, 0);
        let commands: Vec<_> = loader.chunks(128).map(|command| word(command, 0)).collect();
        assert_eq!(commands[..2], [1, 1]);
        assert_eq!(commands.iter().filter(|&&number| number == 2).count(), 11);
        assert_eq!(commands.iter().filter(|&&number| number == 3).count(), 8);
        // Until then, pointers count from the tables' start.
        let rsdt = word(&rsdp, 16);
        assert_eq!(&tables[rsdt..rsdt + 4], b"RSDT");
    }
}
