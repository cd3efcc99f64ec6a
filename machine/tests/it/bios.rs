//! rax's own BIOS and VGA BIOS boot a program from every kind of medium, and answer it.

mod big_stack;
mod caller;
mod format;
mod pmm;
mod protected;
mod reboot;
mod restart;
mod services;
mod small_stack;
mod tick;

use rax_devices::{Disc, Floppy, FwCfg, IdeDrive, MemoryConsole, MemoryDisk};
use rax_machine::{Boot, End, Fittings};
use rax_mmu::PhysicalAddress;

use crate::support::Bench;

const RAM: u64 = 64 << 20;
const SLICE: u64 = 200_000;
const SLICES: u64 = 2_000;

fn bench(fittings: Fittings) -> Bench {
    let fittings = Fittings {
        debug_console: Some(Box::new(MemoryConsole::new())),
        fw_cfg: Some(FwCfg::new()),
        vga: true,
        vga_bios: Some(rax_firmware::video::image()),
        ..fittings
    };
    Bench::with(Boot::Rom(rax_firmware::system::image()), RAM, fittings)
}

fn screen(bench: &Bench) -> String {
    let screen = bench.machine.text_screen();
    screen.map_or_else(String::new, |screen| screen.text())
}

/// Runs until the screen shows `text`.
fn wait_for(bench: &mut Bench, text: &str) -> String {
    for _ in 0..SLICES {
        let now = screen(bench);
        if now.contains(text) {
            return now;
        }
        let end = bench.run(SLICE);
        assert!(matches!(end, End::Instructions), "{end:?}\n{now}");
    }
    panic!("{text:?} did not come:\n{}", screen(bench));
}

/// Boots the program, presses a key, and compares what it says.
fn asks(fittings: Fittings, drive: &str, more: &[&str]) {
    let mut bench = bench(fittings);
    wait_for(&mut bench, "\nkey");
    bench.machine.type_text("a").unwrap();
    let mut end = End::Instructions;
    for _ in 0..SLICES {
        end = bench.run(SLICE);
        if !matches!(end, End::Instructions) {
            break;
        }
    }
    let screen = screen(&bench);
    assert!(matches!(end, End::PowerOff), "{end:?}\n{screen}");
    let common = [
        "memory map 000",
        "low memory 027F",
        "PCI BIOS 0210",
        "key 1E61",
    ];
    for line in [drive].iter().chain(more).chain(&common) {
        assert!(screen.contains(line), "no {line:?}:\n{screen}");
    }
    let waited = ["ticks 0004", "ticks 0005"];
    assert!(waited.iter().any(|line| screen.contains(line)), "{screen}");
}

fn memory_disk(sectors: usize) -> Box<MemoryDisk> {
    let mut bytes = rax_test_roms::bios_caller();
    bytes.resize(sectors * 512, 0);
    Box::new(MemoryDisk::new(bytes))
}

#[test]
fn the_bios_boots_a_floppy() {
    let floppy = Floppy::new(memory_disk(2880)).unwrap();
    let fittings = Fittings {
        floppies: vec![Some(floppy)],
        ..Fittings::default()
    };
    asks(fittings, "drive 0000", &[]);
}

#[test]
fn the_bios_boots_a_hard_disk() {
    let mut fittings = Fittings::default();
    fittings.drives[0] = Some(IdeDrive::disk(memory_disk(20_160)));
    asks(fittings, "drive 0080", &["EDD 3000", "first sector AA55"]);
}

/// An El Torito CD without emulation: the program lies in sector 20.
#[test]
fn the_bios_boots_a_cd() {
    let mut bytes = vec![0; 17 * 2048];
    let mut record = b"\0CD001\x01EL TORITO SPECIFICATION".to_vec();
    record.resize(0x47, 0);
    record.extend(19u32.to_le_bytes());
    record.resize(4096, 0);
    bytes.extend(record);
    // The validation entry adds up to zero; the default entry loads four sectors of 512 bytes.
    let mut catalog = vec![0u8; 2048];
    catalog[0] = 1;
    catalog[28..32].copy_from_slice(&[0xAA, 0x55, 0x55, 0xAA]);
    catalog[32] = 0x88;
    catalog[38] = 4;
    catalog[40] = 20;
    bytes.extend(catalog);
    bytes.extend(rax_test_roms::bios_caller());
    bytes[510..512].copy_from_slice(&[0x34, 0x12]);
    let mut fittings = Fittings::default();
    let disc = Disc::new(Box::new(MemoryDisk::new(bytes)));
    fittings.drives[2] = Some(IdeDrive::cd_rom(Some(disc)));
    asks(fittings, "drive 00E0", &["EDD 3000", "first sector 1234"]);
}

#[test]
fn without_a_medium_the_bios_says_so_and_tries_again() {
    let mut bench = bench(Fittings::default());
    let screen = wait_for(&mut bench, "No bootable medium found");
    assert!(screen.starts_with("rax BIOS"), "{screen}");
    assert!(screen.contains("Memory: 64 MiB"), "{screen}");
    bench
        .machine
        .insert_floppy(0, Floppy::new(memory_disk(1440)).unwrap());
    bench.machine.type_text(" ").unwrap();
    wait_for(&mut bench, "drive 0000");
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// As a kernel looks for it (MultiProcessor Specification 1.4, 4.1 and 4.2).
#[test]
fn kernels_that_know_no_acpi_find_all_processors() {
    // Three cores in each socket leave an APIC ID out.
    let mut bench = bench(Fittings {
        processors: 6,
        topology: Some(rax_cpu::Topology {
            sockets: 2,
            cores: 3,
            threads: 1,
        }),
        ..Fittings::default()
    });
    wait_for(&mut bench, "No bootable medium found");
    let memory = bench.machine.memory();
    let mut rom = vec![0; 0x1_0000];
    memory
        .ram_read(PhysicalAddress(0xF_0000), &mut rom)
        .unwrap();
    let pointer = rom.chunks(16).find(|bytes| bytes.starts_with(b"_MP_"));
    let pointer = pointer.expect("the floating pointer");
    // One paragraph, revision 1.4, a table of its own.
    assert_eq!((&pointer[8..10], pointer[11]), (&[1, 4][..], 0));
    assert_eq!(sum(pointer), 0);
    let at = u32::from_le_bytes(pointer[4..8].try_into().unwrap());
    let table = &rom[at as usize - 0xF_0000..];
    assert!(table.starts_with(b"PCMP"));
    let length = usize::from(u16::from_le_bytes([table[4], table[5]]));
    assert_eq!((table[6], sum(&table[..length])), (4, 0));
    // An entry for a processor has 20 bytes and comes first, any other has 8.
    let processors: Vec<_> = table[44..length]
        .chunks_exact(20)
        .take_while(|entry| entry[0] == 0)
        .map(|entry| (entry[1], entry[3] & 3))
        .collect();
    assert_eq!(processors, [(0, 3), (1, 1), (2, 1), (4, 1), (5, 1), (6, 1)]);
    let entries = u16::from_le_bytes([table[34], table[35]]);
    assert_eq!(length, 44 + 6 * 20 + (usize::from(entries) - 6) * 8);
}

#[test]
fn a_key_chooses_what_to_boot() {
    let mut fittings = Fittings::default();
    fittings.drives[0] = Some(IdeDrive::disk(Box::new(MemoryDisk::new(vec![0; 1 << 20]))));
    let mut bench = bench(fittings);
    let before = wait_for(&mut bench, "No bootable medium found");
    assert!(before.contains("It has no boot sector"), "{before}");
    bench.machine.press("f12").unwrap();
    let menu = wait_for(&mut bench, "or Esc for the usual order");
    assert!(menu.contains("1  floppy 0"), "{menu}");
    assert!(menu.contains("2  hard disk 0"), "{menu}");
    let after_menu = |screen: &str| screen.split("usual order").nth(1).unwrap_or("").to_owned();
    bench.machine.type_text("2").unwrap();
    for _ in 0..SLICES {
        if after_menu(&screen(&bench)).contains("No bootable") {
            break;
        }
        bench.run(SLICE);
    }
    let tried = after_menu(&screen(&bench));
    let [disk, floppy] = ["hard disk 0", "floppy A"].map(|name| tried.find(name));
    assert!(disk.is_some() && disk < floppy, "{tried}");
}

#[test]
fn ctrl_alt_del_starts_again() {
    let mut bench = bench(Fittings::default());
    wait_for(&mut bench, "No bootable medium found");
    bench.machine.press("ctrl-alt-del").unwrap();
    for _ in 0..SLICES {
        match bench.run(SLICE) {
            End::Instructions => {}
            end => {
                assert!(matches!(end, End::Reset), "{end:?}");
                return;
            }
        }
    }
    panic!("no reset:\n{}", screen(&bench));
}
