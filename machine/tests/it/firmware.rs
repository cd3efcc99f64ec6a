//! The distribution's SeaBIOS runs on the chipset: PCI set up, memory under
//! the ROM opened, timers, keyboard, and a boot that finds nothing to boot.
//!
//! It is found where the package `seabios` puts it, or at `RAX_SEABIOS`;
//! without it this test says so and passes.

use std::io::Write;

use rax_devices::{FwCfg, MemoryConsole};
use rax_machine::{Boot, End};

use crate::support::Bench;

const RAM: u64 = 64 << 20;
const INSTRUCTIONS: u64 = 1_000_000_000;

pub(crate) fn seabios() -> Option<Vec<u8>> {
    let path = std::env::var_os("RAX_SEABIOS");
    let path = path.unwrap_or_else(|| "/usr/share/seabios/bios-256k.bin".into());
    let image = std::fs::read(&path).ok();
    if image.is_none() {
        let path = path.display();
        let _ = writeln!(std::io::stderr(), "\nSKIPPED: no '{path}'\n");
    }
    image
}

#[test]
fn seabios_sets_the_chipset_up_and_looks_for_a_disk() {
    let Some(image) = seabios() else { return };
    let log = MemoryConsole::new();
    let mut bench = Bench::with_firmware(Boot::Rom(image), RAM, &log, FwCfg::new());
    let end = bench.run(INSTRUCTIONS);
    let log = String::from_utf8_lossy(&log.output()).into_owned();
    // It waits a minute of guest time, then resets.
    assert!(matches!(end, End::Reset), "{end:?}\n{log}");
    for line in [
        "Found QEMU fw_cfg",
        "qemu/e820: addr 0x0000000000000000 len 0x0000000004000000 [RAM]",
        "QEMU fw_cfg DMA interface supported",
        "Found 5 PCI devices",
        "PIIX3/PIIX4 init: elcr=00 0c",
        "Using pmtimer, ioport 0x608",
        "ACPI: parse DSDT",
        "Copying SMBIOS",
        "Copying MPTABLE",
        "Found 1 cpu(s)",
        "PS2 keyboard initialized",
        "No bootable device.",
    ] {
        assert!(log.contains(line), "no '{line}':\n{log}");
    }
}

/// The VGA BIOS in the adapter's ROM is found, copied and run: the BIOS can
/// write to the screen.
#[test]
fn seabios_speaks_on_the_vga_screen() {
    let Some(image) = seabios() else { return };
    if rax_machine::load::find_vga_bios().is_none() {
        let _ = writeln!(std::io::stderr(), "\nSKIPPED: no vgabios-stdvga.bin\n");
        return;
    }
    let log = MemoryConsole::new();
    let mut bench = Bench::with_firmware(Boot::Rom(image), RAM, &log, FwCfg::new());
    let mut screen = String::new();
    for _ in 0..INSTRUCTIONS / 100_000 {
        let end = bench.run(100_000);
        let log = String::from_utf8_lossy(&log.output()).into_owned();
        assert!(matches!(end, End::Instructions), "{end:?}\n{screen}\n{log}");
        screen = bench
            .machine
            .text_screen()
            .map_or_else(String::new, |screen| screen.text());
        if screen.contains("Booting from") {
            break;
        }
    }
    assert!(screen.starts_with("SeaBIOS (version"), "{screen}");
    assert!(screen.contains("Booting from"), "{screen}");
    let frame = bench.machine.frame().expect("a picture");
    assert_eq!((frame.width, frame.height), (720, 400));
    assert!(
        frame
            .pixels
            .iter()
            .any(|&pixel| pixel != frame.pixels[frame.pixels.len() - 1])
    );
}
