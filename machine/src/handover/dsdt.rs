//! The DSDT: the devices of the board as ACPI names them, in its byte code.
//!
//! ACPI 6.4, chapters 6 (configuration), 8 (processors), 19 and 20 (language).
//! Interrupt pins of PCI devices lead to the I/O APIC's pins directly once a system
//! says that it uses the APICs (`\_PIC`), and to link devices, which program the
//! ISA bridge, as long as it does not. The power management function's pin is the
//! SCI either way.

use acpi_tables::aml::{
    AddressSpace, AddressSpaceCacheable, And, Arg, CreateDWordField, Device, EISAName, Else, Field,
    FieldAccessType, FieldEntry, FieldLockRule, FieldUpdateRule, IO, If, Memory32Fixed, Method,
    Name, OpRegion, OpRegionSpace, Or, Package, Path, ResourceTemplate, Return, Scope, Store, ZERO,
};
use acpi_tables::sdt::Sdt;
use acpi_tables::{Aml, AmlSink};

use super::acpi::{Machine, OEM_ID, OEM_TABLE_ID};
use crate::board::{COM, HPET_BASE, PciRoute, SCI, pci_route};
use crate::memory_map::LOW_LIMIT;

/// Devices on the PCI bus whose pins are listed.
const PCI_DEVICES: u8 = 32;
/// Pins of a device.
const PINS: [u8; 4] = [0, 1, 2, 3];
/// Interrupts that a link may lead to.
const LINK_INTERRUPTS: [u32; 3] = [5, 10, 11];
/// Link devices and the ISA bridge's registers behind them: PIRQA to PIRQD.
const LINKS: [(&str, &str); 4] = [
    ("LNKA", "PRQA"),
    ("LNKB", "PRQB"),
    ("LNKC", "PRQC"),
    ("LNKD", "PRQD"),
];
/// The link of the pin that is not on the router.
const SCI_LINK: &str = "LNKS";
/// Where BARs may be: above RAM, below the interrupt controllers.
const PCI_MEMORY_END: u32 = 0xfebf_ffff;
/// SeaBIOS puts BARs here if RAM ends below.
const PCI_MEMORY_START: u64 = 0x8000_0000;

/// The sleep states, and what SUS_TYP of the PIIX4's PMCNTRL is for them: powered-on suspend, suspend to RAM, suspend to
/// disk and soft off, of which the last two are the same.
const SLEEP_TYPES: [(&str, u8); 4] = [("_S1_", 4), ("_S3_", 1), ("_S4_", 0), ("_S5_", 0)];

/// The same as QEMU tells its firmware: a byte for each of S0 to S5, with bit 7 if there is that state.
pub(super) fn sleep_states() -> [u8; 6] {
    const IS_THERE: u8 = 0x80;
    let mut states = [IS_THERE, 0, 0, 0, 0, 0];
    for (label, kind) in SLEEP_TYPES {
        let number = label.as_bytes()[2] - b'0';
        states[usize::from(number)] = IS_THERE | kind;
    }
    states
}

/// A piece of byte code.
struct Code(Vec<u8>);

impl Aml for Code {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.vec(&self.0);
    }
}

fn code(object: &dyn Aml) -> Code {
    let mut bytes = Vec::new();
    object.to_aml_bytes(&mut bytes);
    Code(bytes)
}

fn refer(pieces: &[Code]) -> Vec<&dyn Aml> {
    pieces.iter().map(|piece| piece as &dyn Aml).collect()
}

fn path(name: &str) -> Path {
    Path::new(name)
}

fn name(name: &str, value: &dyn Aml) -> Code {
    code(&Name::new(path(name), value))
}

fn device(name: &str, pieces: &[Code]) -> Code {
    code(&Device::new(path(name), refer(pieces)))
}

fn method(name: &str, arguments: u8, pieces: &[Code]) -> Code {
    code(&Method::new(path(name), arguments, true, refer(pieces)))
}

/// `_HID`, and `_UID` where there are several of a kind.
fn identity(id: &str) -> Code {
    name("_HID", &EISAName::new(id))
}

fn resources(pieces: &[Code]) -> Code {
    name("_CRS", &ResourceTemplate::new(refer(pieces)))
}

fn ports(first: u16, count: u8) -> Code {
    code(&IO::new(first, first, 1, count))
}

/// An ISA interrupt: a small resource, an edge, not shared.
fn irq(number: u8) -> Code {
    let mask = 1u16 << number;
    Code([&[0x22][..], &mask.to_le_bytes()].concat())
}

/// An 8-bit channel of the first DMA controller.
fn dma(channel: u8) -> Code {
    Code(vec![0x2a, 1 << channel, 0])
}

/// Level-triggered interrupts that may be shared, one of which is used.
fn interrupts(numbers: &[u32]) -> Code {
    const CONSUMER_LEVEL_HIGH_SHARED: u8 = 0b1001;
    let mut bytes = vec![0x89];
    bytes.extend((2 + 4 * numbers.len() as u16).to_le_bytes());
    bytes.push(CONSUMER_LEVEL_HIGH_SHARED);
    bytes.push(numbers.len() as u8);
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    Code(bytes)
}

/// The whole table, its checksum included.
pub(super) fn dsdt(machine: &Machine) -> Vec<u8> {
    let mut system_bus = vec![pci_bus(machine), event_timers()];
    for (number, (link, register)) in LINKS.into_iter().enumerate() {
        system_bus.push(link_device(link, register, number as u8));
    }
    system_bus.push(sci_link());
    for number in 0..machine.topology.count() {
        system_bus.push(processor(number as u8));
    }
    let mut pieces = vec![
        name("PICF", &ZERO),
        method("_PIC", 1, &[code(&Store::new(&path("PICF"), &Arg(0)))]),
    ];
    for (label, kind) in SLEEP_TYPES {
        // For PM1a_CNT, and for the PM1b_CNT that there is not; two are reserved.
        let package = Package::new(vec![&kind, &kind, &ZERO, &ZERO]);
        pieces.push(name(label, &package));
    }
    pieces.push(code(&Scope::new(path("_SB_"), refer(&system_bus))));
    let mut table = Sdt::new(*b"DSDT", 36, 1, OEM_ID, OEM_TABLE_ID, 1);
    for piece in &pieces {
        table.append_slice(&piece.0);
    }
    table.as_slice().to_vec()
}

/// The host bridge, what its bus has room for, and the ISA bridge.
fn pci_bus(machine: &Machine) -> Code {
    let memory = AddressSpaceCacheable::NotCacheable;
    let start = machine.ram.clamp(PCI_MEMORY_START, LOW_LIMIT) as u32;
    let windows = [
        code(&AddressSpace::new_bus_number(0u16, 0xff)),
        ports(0xcf8, 8),
        code(&AddressSpace::new_io(0u16, 0x0cf7, None)),
        code(&AddressSpace::new_io(0x0d00u16, 0xffff, None)),
        code(&AddressSpace::new_memory(
            memory,
            true,
            0xa_0000u32,
            0xb_ffff,
            None,
        )),
        code(&AddressSpace::new_memory(
            memory,
            true,
            start,
            PCI_MEMORY_END,
            None,
        )),
    ];
    device(
        "PCI0",
        &[
            identity("PNP0A03"),
            name("_UID", &ZERO),
            resources(&windows),
            isa_bridge(machine),
            name("PRTA", &routes(true)),
            name("PRTP", &routes(false)),
            method(
                "_PRT",
                0,
                &[
                    code(&If::new(&path("PICF"), vec![&Return::new(&path("PRTA"))])),
                    code(&Else::new(vec![&Return::new(&path("PRTP"))])),
                ],
            ),
        ],
    )
}

/// Where the pins of PCI devices lead: to the I/O APIC, or to link devices.
fn routes(to_io_apic: bool) -> Code {
    let mut list = acpi_tables::aml::PackageBuilder::new();
    let sci_link = path(SCI_LINK);
    for number in 0..PCI_DEVICES {
        for pin in PINS {
            let address = u32::from(number) << 16 | 0xffff;
            let route = pci_route(number, pin);
            let entry = match route {
                PciRoute::Sci => code(&Package::new(vec![&address, &pin, &sci_link, &ZERO])),
                PciRoute::Pirq(_) if to_io_apic => {
                    let wire = route.io_apic_pin();
                    code(&Package::new(vec![&address, &pin, &ZERO, &wire]))
                }
                PciRoute::Pirq(wire) => {
                    let link = path(LINKS[usize::from(wire) % 4].0);
                    code(&Package::new(vec![&address, &pin, &link, &ZERO]))
                }
            };
            list.add_element(&entry);
        }
    }
    code(&list)
}

/// The PIIX3 and the devices behind it.
fn isa_bridge(machine: &Machine) -> Code {
    let route_registers = LINKS.map(|(_, register)| {
        let mut name = [0; 4];
        name.copy_from_slice(register.as_bytes());
        FieldEntry::Named(name, 8)
    });
    let registers = Field::new(
        path("PIRQ"),
        FieldAccessType::Byte,
        FieldLockRule::NoLock,
        FieldUpdateRule::Preserve,
        route_registers.to_vec(),
    );
    let region = OpRegion::new(path("PIRQ"), OpRegionSpace::PCIConfig, &0x60u8, &4u8);
    let mut pieces = vec![
        name("_ADR", &0x0001_0000u32),
        code(&region),
        code(&registers),
    ];
    for (label, id, parts) in [
        (
            "PIC_",
            "PNP0000",
            vec![ports(0x20, 2), ports(0xa0, 2), irq(2)],
        ),
        ("TMR_", "PNP0100", vec![ports(0x40, 4), irq(0)]),
        (
            "DMA_",
            "PNP0200",
            vec![ports(0, 16), ports(0x81, 15), ports(0xc0, 32), dma(4)],
        ),
        (
            "KBD_",
            "PNP0303",
            vec![ports(0x60, 1), ports(0x64, 1), irq(1)],
        ),
        ("MOU_", "PNP0F13", vec![irq(12)]),
        ("RTC_", "PNP0B00", vec![ports(0x70, 2), irq(8)]),
        ("SPKR", "PNP0800", vec![ports(0x61, 1)]),
        (
            "FDC0",
            "PNP0700",
            vec![ports(0x3f2, 4), ports(0x3f7, 1), irq(6), dma(2)],
        ),
        // What no other device has, so that nobody puts PCI devices there: fast A20, APM, edge or level, power management.
        (
            "MBRD",
            "PNP0C02",
            vec![
                ports(0x92, 1),
                ports(0xb2, 2),
                ports(0x4d0, 2),
                ports(machine.power_block, 64),
            ],
        ),
    ] {
        pieces.push(device(label, &[identity(id), resources(&parts)]));
    }
    if machine.has_parallel_port {
        let parts = [ports(0x378, 8), irq(7)];
        let printer = [identity("PNP0400"), resources(&parts)];
        pieces.push(device("LPT_", &printer));
    }
    let serial = COM.into_iter().take(usize::from(machine.serial_ports));
    for (number, (port, interrupt)) in (1u8..).zip(serial) {
        let label = format!("COM{number}");
        let parts = [ports(port, 8), irq(interrupt as u8)];
        let pieces_of = [
            identity("PNP0501"),
            name("_UID", &number),
            resources(&parts),
        ];
        pieces.push(device(&label, &pieces_of));
    }
    device("ISA_", &pieces)
}

/// A PCI interrupt link: one of the ISA bridge's route registers.
fn link_device(label: &str, register: &str, number: u8) -> Code {
    const DISABLED: u8 = 0x80;
    /// Where the interrupt's number is in the resource.
    const NUMBER: u8 = 5;
    let register = Path::new(&format!("\\_SB_.PCI0.ISA_.{register}"));
    let off = And::new(&ZERO, &register, &DISABLED);
    let one = [interrupts(&[0])];
    let all = [interrupts(&LINK_INTERRUPTS)];
    device(
        label,
        &[
            identity("PNP0C0F"),
            name("_UID", &(number + 1)),
            name("_PRS", &ResourceTemplate::new(refer(&all))),
            method(
                "_STA",
                0,
                &[
                    code(&If::new(&off, vec![&Return::new(&0x09u8)])),
                    code(&Return::new(&0x0bu8)),
                ],
            ),
            method(
                "_DIS",
                0,
                &[code(&Or::new(&register, &register, &DISABLED))],
            ),
            method(
                "_CRS",
                0,
                &[
                    name("BUFA", &ResourceTemplate::new(refer(&one))),
                    code(&CreateDWordField::new(
                        &path("IRQW"),
                        &path("BUFA"),
                        &NUMBER,
                    )),
                    code(&If::new(
                        &And::new(&ZERO, &register, &DISABLED),
                        vec![&Store::new(&path("IRQW"), &ZERO)],
                    )),
                    code(&Else::new(vec![&Store::new(&path("IRQW"), &register)])),
                    code(&Return::new(&path("BUFA"))),
                ],
            ),
            method(
                "_SRS",
                1,
                &[
                    code(&CreateDWordField::new(&path("IRQW"), &Arg(0), &NUMBER)),
                    code(&Store::new(&register, &path("IRQW"))),
                ],
            ),
        ],
    )
}

/// The link that leads to the SCI and nowhere else.
fn sci_link() -> Code {
    let sci = [interrupts(&[SCI])];
    device(
        SCI_LINK,
        &[
            identity("PNP0C0F"),
            name("_UID", &(LINKS.len() as u8 + 1)),
            name("_STA", &0x0bu8),
            name("_PRS", &ResourceTemplate::new(refer(&sci))),
            name("_CRS", &ResourceTemplate::new(refer(&sci))),
            method("_DIS", 0, &[]),
            method("_SRS", 1, &[]),
        ],
    )
}

fn event_timers() -> Code {
    let memory = code(&Memory32Fixed::new(false, HPET_BASE as u32, 0x400));
    let parts = [
        identity("PNP0103"),
        name("_UID", &ZERO),
        resources(&[memory]),
    ];
    device("HPET", &parts)
}

/// A processor, as all systems since ACPI 1.0 know it (19.6.108). The number is what
/// the MADT calls it.
fn processor(number: u8) -> Code {
    const PROCESSOR: [u8; 2] = [0x5b, 0x83];
    let label = format!("C{number:03X}");
    let mut body = label.into_bytes();
    body.push(number);
    body.extend([0; 5]); // No processor block.
    let mut bytes = PROCESSOR.to_vec();
    bytes.push(body.len() as u8 + 1); // The package's length, itself included.
    bytes.extend(body);
    Code(bytes)
}
