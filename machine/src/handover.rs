//! What the machine tells its guests about itself: ACPI, SMBIOS and MultiProcessor
//! tables and the memory map.
//!
//! Firmware gets it as items and files of the fw_cfg device, under the names that
//! SeaBIOS and OVMF look for (QEMU Firmware Configuration (fw_cfg) Device
//! specification). For a kernel that is booted without firmware, the tables are
//! laid out where firmware would put them.

mod acpi;
mod blob;
mod dsdt;
mod low_memory;
pub mod smbios;

use rax_devices::FwCfg;
use rax_devices::fw_cfg::FwCfgError;
use rax_mmu::{PhysicalAddress, PhysicalMemory};

pub(crate) use acpi::{Machine, Waking};
use smbios::SmbiosString;

use crate::board::Inventory;
use crate::memory_map;
use crate::mp_table::{self, mp_tables};

/// Items that are known by their keys.
mod key {
    /// Bytes of RAM, 64 bits.
    pub(super) const RAM_SIZE: u16 = 0x03;
    /// Processors that are there.
    pub(super) const CPUS: u16 = 0x05;
    /// The highest APIC ID and one.
    pub(super) const MOST_CPUS: u16 = 0x0f;
    /// The I/O APIC has IRQ 0 at pin 2.
    pub(super) const IRQ0_OVERRIDE: u16 = 0x8002;
}

/// Adds what every machine's firmware is told.
///
/// # Errors
/// When an item is there already.
pub(crate) fn describe(
    fw_cfg: &mut FwCfg,
    machine: &Machine,
    strings: &[SmbiosString],
) -> Result<(), FwCfgError> {
    fw_cfg.add_item(key::RAM_SIZE, machine.ram.to_le_bytes().to_vec())?;
    let count = machine.topology.count() as u16;
    let last = machine.topology.apic_id(count - 1);
    for (key, number) in [(key::CPUS, count), (key::MOST_CPUS, last + 1)] {
        fw_cfg.add_item(key, number.to_le_bytes().to_vec())?;
    }
    fw_cfg.add_item(key::IRQ0_OVERRIDE, vec![1])?;
    fw_cfg.add_file("etc/e820", e820(machine.ram))?;
    fw_cfg.add_file("etc/system-states", dsdt::sleep_states().to_vec())?;
    for (name, content) in acpi::tables(machine).into_files() {
        fw_cfg.add_file(name, content)?;
    }
    let (tables, anchor) = smbios::tables(machine, strings, 0);
    fw_cfg.add_file("etc/smbios/smbios-tables", tables)?;
    fw_cfg.add_file("etc/smbios/smbios-anchor", anchor)?;
    Ok(())
}

/// The same after firmware has moved the power management block: it does so
/// before it reads the tables.
pub(crate) fn describe_again(fw_cfg: &mut FwCfg, machine: &Machine) {
    for (name, content) in acpi::tables(machine).into_files() {
        fw_cfg.replace_file(name, content);
    }
}

/// RAM as it lies in the address space, in entries of start, size and type.
fn e820(ram: u64) -> Vec<u8> {
    const RAM: u32 = 1;
    let mut table = Vec::new();
    for (start, bytes) in memory_map::ram(ram) {
        table.extend(start.to_le_bytes());
        table.extend(bytes.to_le_bytes());
        table.extend(RAM.to_le_bytes());
    }
    table
}

/// Bytes of the ROM that stands in for firmware.
pub(crate) const STAND_IN_BYTES: usize = 0x1_0000;
/// Where in it are the MultiProcessor tables, the SMBIOS entry point and its tables.
const MP_TABLES: usize = 0x100;
const SMBIOS_ANCHOR: usize = 0x2000;
const SMBIOS_TABLES: usize = 0x2020;
/// Where the code is that interrupt vectors lead to.
const HANDLERS: usize = 0x8000;
/// Where the processor starts after a reset, from the ROM's end.
const RESET_VECTOR: usize = 16;
/// Real-mode code that resets the machine: a kernel that jumps to firmware wants just that.
const RESET: [u8; 9] = [
    0xba, 0xf9, 0x0c, // mov dx, 0cf9h
    0xb0, 0x06, // mov al, 6
    0xee, // out dx, al
    0xf4, // hlt
    0xeb, 0xfd, // jmp back to it
];

/// What firmware leaves behind for a kernel, where there was none.
pub(crate) struct StandIn {
    /// The ROM at the end of the first megabyte.
    pub(crate) rom: Vec<u8>,
    /// The ACPI tables and where they lie, if there is room.
    pub(crate) acpi: Option<(u64, Vec<u8>)>,
    /// The interrupt vectors and the BIOS data area, from address 0.
    pub(crate) low_memory: Vec<u8>,
}

/// Where the system wants to go on after suspend to RAM, by the tables that [`stand_in`] has laid out.
pub(crate) fn waking(memory: &PhysicalMemory, ram: u64) -> Option<Waking> {
    let place = memory_map::acpi_tables(ram)?;
    let mut facs = [0; acpi::FACS_BYTES as usize];
    memory
        .ram_read(PhysicalAddress(place.start), &mut facs)
        .ok()?;
    Waking::of(&facs)
}

/// Lays the tables out.
pub(crate) fn stand_in(
    machine: &Machine,
    processors: &[mp_table::Processor],
    strings: &[SmbiosString],
    inventory: &Inventory,
) -> StandIn {
    let mut rom = vec![0; STAND_IN_BYTES];
    let base = memory_map::RSDP as usize;
    let mut put = |at: usize, bytes: &[u8]| rom[at..at + bytes.len()].copy_from_slice(bytes);
    let acpi = memory_map::acpi_tables(machine.ram).map(|place| {
        let (tables, rsdp) = acpi::tables(machine).place(place.start);
        debug_assert!(tables.len() as u64 <= place.end - place.start);
        put(0, &rsdp);
        (place.start, tables)
    });
    put(MP_TABLES, &mp_tables((base + MP_TABLES) as u32, processors));
    let (tables, anchor) = smbios::tables(machine, strings, (base + SMBIOS_TABLES) as u32);
    put(SMBIOS_ANCHOR, &anchor);
    put(SMBIOS_TABLES, &tables);
    let (handlers, low_memory) = low_memory::low_memory(HANDLERS as u16, machine, inventory);
    put(HANDLERS, &handlers);
    put(STAND_IN_BYTES - RESET_VECTOR, &RESET);
    StandIn {
        rom,
        acpi,
        low_memory,
    }
}
