//! What the machine tells its firmware, as items and files of the fw_cfg device.
//!
//! QEMU Firmware Configuration (fw_cfg) Device specification, and the names
//! that SeaBIOS and OVMF look for.

use rax_devices::FwCfg;
use rax_devices::fw_cfg::FwCfgError;

use crate::memory_map;

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
pub(crate) fn describe(fw_cfg: &mut FwCfg, ram: u64, processors: u16) -> Result<(), FwCfgError> {
    fw_cfg.add_item(key::RAM_SIZE, ram.to_le_bytes().to_vec())?;
    for key in [key::CPUS, key::MOST_CPUS] {
        fw_cfg.add_item(key, processors.to_le_bytes().to_vec())?;
    }
    fw_cfg.add_item(key::IRQ0_OVERRIDE, vec![1])?;
    fw_cfg.add_file("etc/e820", e820(ram))?;
    Ok(())
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
