//! The system BIOS (IBM PC/AT BIOS interface, EDD, El Torito, PCI BIOS 2.1).
//!
//! 128 KiB at E0000h: the services that systems call later lie in segment F000h, the power-on self-test that needs the
//! room only once in segment E000h. Both are written in the [language](crate::language) next door.

mod acpi;
mod apm;
pub(crate) mod areas;
mod ata;
mod atapi;
mod bios32;
mod boot;
mod boot_order;
mod chipset;
mod clock;
mod cmos;
mod disk;
mod drive;
mod edd;
mod el_torito;
mod floppy;
mod fw_cfg;
mod image;
mod interrupts;
mod keyboard;
mod keyboard_controller;
mod memory;
mod memory_map;
mod mouse;
mod mp;
mod option_rom;
mod pci;
mod pci_bios;
mod pmm;
mod pnp;
mod post;
mod printer;
mod processors;
mod resume;
mod screen;
mod serial;
mod smbios;
mod start;
mod tables;
mod timer;

pub use image::image;
