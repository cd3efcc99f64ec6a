//! Programs that need no system: Memtest86+, GRUB's game, iPXE, SYSLINUX' menus and tools.

use std::io::Write as _;

use rax_devices::Unplugged;
use rax_machine::{BootDevice, Fittings, NetworkAdapter, NetworkModel};

use super::{INSTRUCTIONS, OURS, Pairing, Pc, SLOW, THEIRS, as_cd, as_disk, colours};
use crate::linux::kit;

/// Its first tests go over all memory several times.
fn tests_memory(pairing: Pairing, image: &str, processors: u16) {
    let Some(path) = kit(image) else { return };
    let fittings = Fittings {
        processors,
        ..as_cd(&path)
    };
    let Some(mut pc) = Pc::new(pairing, 8, fittings) else {
        return;
    };
    let screen = pc.wait_for(&["Memtest86", "Test #4"]);
    assert!(screen.contains("Errors: 0"), "{screen}");
    if processors > 1 {
        let line = format!("{processors} Cores {processors} Threads");
        assert!(screen.contains(&line), "{screen}");
        assert!(screen.contains(&format!("SMP: {processors}T")), "{screen}");
    }
}

#[test]
fn memtest_64_finds_no_errors() {
    tests_memory(OURS, "memtest86+x64.iso", 1);
}

#[test]
fn memtest_32_finds_no_errors() {
    tests_memory(THEIRS, "memtest86+ia32.iso", 1);
}

#[test]
#[ignore = "takes minutes: other pairings, several processors, interpreted"]
fn memtest_finds_no_errors_anywhere() {
    for image in ["memtest86+x64.iso", "memtest86+ia32.iso"] {
        tests_memory(OURS, image, 1);
        tests_memory(THEIRS, image, 1);
        tests_memory(OURS, image, 3);
        tests_memory(THEIRS, image, 3);
        for pairing in SLOW {
            tests_memory(pairing, image, 1);
        }
    }
}

/// GRUB starts it by the multiboot protocol; the ship at the screen's bottom moves and shoots.
fn plays_invaders(pairing: Pairing) {
    let Some(path) = kit("grub.iso") else { return };
    let Some(mut pc) = Pc::new(pairing, 64, as_cd(&path)) else {
        return;
    };
    pc.wait_for(&["GNU GRUB", "Invaders", "Off"]);
    pc.type_text("i");
    pc.wait_for(&["-*-", "/ \\"]);
    let ship = |screen: &str| screen.lines().rev().find_map(|line| line.find('/'));
    let before = ship(&pc.bench.screen()).expect("a ship");
    for _ in 0..200 {
        pc.press("left");
        if ship(&pc.bench.screen()).is_some_and(|now| now < before) {
            return;
        }
    }
    panic!("the ship does not move:\n{}", pc.bench.screen());
}

#[test]
#[ignore = "takes half a minute: the guest polls, which virtual time makes dear"]
fn invaders_plays_through_grub() {
    plays_invaders(OURS);
}

#[test]
#[ignore = "the same with other firmware and interpreted"]
fn invaders_plays_anywhere() {
    plays_invaders(THEIRS);
    SLOW.into_iter().for_each(plays_invaders);
}

/// Its drivers find an adapter, and ask for an address that nobody gives.
fn starts_ipxe(pairing: Pairing) {
    let Some(path) = kit("ipxe.iso") else { return };
    let mut fittings = as_cd(&path);
    for (last, model) in [(1, NetworkModel::Ne2000), (2, NetworkModel::Rtl8139)] {
        fittings.network.push(NetworkAdapter {
            rom: None,
            model,
            address: [0x52, 0x54, 0, 0x12, 0x34, last],
            network: Box::new(Unplugged),
        });
    }
    let Some(mut pc) = Pc::new(pairing, 64, fittings) else {
        return;
    };
    let line = "net0: 52:54:00:12:34:01 using ne on ISA0300";
    pc.wait_for(&["iPXE 1.", line, "Configuring (net0"]);
}

#[test]
#[ignore = "takes long: it polls for packets"]
fn ipxe_finds_its_adapters() {
    starts_ipxe(OURS);
}

#[test]
#[ignore = "the same with other firmware and interpreted"]
fn ipxe_finds_its_adapters_anywhere() {
    starts_ipxe(THEIRS);
    SLOW.into_iter().for_each(starts_ipxe);
}

/// A menu in a graphics mode, whose bar moves.
fn shows_a_menu(pairing: Pairing, name: &str) {
    let Some(path) = kit(name) else { return };
    let fittings = match name {
        "syslinux.img" => as_disk(&path),
        _ => as_cd(&path),
    };
    let Some(mut pc) = Pc::new(pairing, 64, fittings) else {
        return;
    };
    pc.wait_for(&["type a label", "boot:"]);
    pc.type_text("menu\n");
    let is_drawn = |frame: &rax_devices::Frame| {
        (frame.width, frame.height) == (640, 480) && colours(frame) > 200
    };
    pc.wait_for_picture("menu", is_drawn);
    let before = pc.settled();
    pc.press("down");
    pc.wait_for_picture("other line", |frame| frame.pixels != before.pixels);
    // Only the bar has moved, a row of 16 pixels down; it has a rim.
    let after = pc.settled();
    let rows = before.pixels.chunks(640).zip(after.pixels.chunks(640));
    let changed: Vec<_> = rows
        .enumerate()
        .filter(|(_, (before, after))| before != after)
        .map(|(row, _)| row)
        .collect();
    assert!((16..=36).contains(&changed.len()), "{changed:?}");
    assert!(changed[changed.len() - 1] - changed[0] < 36, "{changed:?}");
}

/// MEMDISK takes the place of INT 13h for drive A.
fn boots_a_floppy_in_memory(pairing: Pairing) {
    let Some(path) = kit("isolinux.iso") else {
        return;
    };
    let Some(mut pc) = Pc::new(pairing, 64, as_cd(&path)) else {
        return;
    };
    pc.wait_for(&["boot:"]);
    pc.type_text("floppy\n");
    // GRUB or FreeDOS: which one it is, was decided when the image was made.
    for _ in 0..INSTRUCTIONS / 2_000_000 {
        let screen = pc.bench.screen();
        if screen.contains("GNU GRUB") {
            return;
        }
        if screen.contains(r"A:\>") {
            assert!(screen.contains("Welcome to FreeDOS"), "{screen}");
            pc.type_text("dir\n");
            pc.wait_for(&["bytes free"]);
            return;
        }
        pc.run();
    }
    panic!("no system:\n{}", pc.bench.screen());
}

#[test]
#[ignore = "takes half a minute: the guest polls, which virtual time makes dear"]
fn isolinux_shows_a_graphical_menu() {
    shows_a_menu(OURS, "isolinux.iso");
}

#[test]
fn syslinux_does_so_from_a_disk() {
    shows_a_menu(THEIRS, "syslinux.img");
}

#[test]
#[ignore = "the same with other firmware and interpreted"]
fn syslinux_does_so_anywhere() {
    for name in ["isolinux.iso", "syslinux.img"] {
        for pairing in [OURS, THEIRS, SLOW[0], SLOW[1]] {
            shows_a_menu(pairing, name);
        }
    }
}

#[test]
#[ignore = "takes half a minute: the guest polls, which virtual time makes dear"]
fn memdisk_boots_a_floppy_in_memory() {
    boots_a_floppy_in_memory(OURS);
}

#[test]
#[ignore = "the same with other firmware and interpreted"]
fn memdisk_boots_a_floppy_anywhere() {
    boots_a_floppy_in_memory(THEIRS);
    SLOW.into_iter().for_each(boots_a_floppy_in_memory);
}

/// What SYSLINUX' hardware detection learns from firmware.
fn detects_hardware(pairing: Pairing) {
    let Some(path) = kit("isolinux.iso") else {
        return;
    };
    let fittings = Fittings {
        processors: 2,
        ..as_cd(&path)
    };
    let Some(mut pc) = Pc::new(pairing, 64, fittings) else {
        return;
    };
    pc.wait_for(&["boot:"]);
    pc.type_text("hdt\n");
    pc.wait_for(&["hdt>"]);
    pc.type_text("show summary\n");
    let screen = pc.wait_for(&["CPU (2 logical", "Virtual Machine", "NB Devices", "hdt>"]);
    // It is in the MP tables that there may be several processors.
    for line in ["1000 Mhz : x86_64 64bit SMP", "Memory Size   : 6"] {
        assert!(screen.contains(line), "no {line:?}:\n{screen}");
    }
    pc.type_text("clear\nset mode vesa\nshow vesa\n");
    pc.wait_for(&["Vesa version : 3.0", "Memory (KB)  : 16384"]);
    pc.type_text("clear\nset mode acpi\nshow acpi\n");
    pc.wait_for(&["RSDP v002", "XSDT", "HPET", "Local APIC at 0xfee00000"]);
}

#[test]
fn hardware_detection_finds_what_firmware_tells() {
    detects_hardware(OURS);
}

#[test]
#[ignore = "the same with other firmware and interpreted"]
fn hardware_detection_finds_it_anywhere() {
    detects_hardware(THEIRS);
    SLOW.into_iter().for_each(detects_hardware);
}

/// iPXE's own ROM in the adapter, as network cards have one.
const ADAPTER_ROM: &str = "/usr/lib/ipxe/qemu/pxe-rtl8139.rom";

fn boots_from_the_adapter(pairing: Pairing) {
    let Ok(rom) = std::fs::read(ADAPTER_ROM) else {
        // Past the test harness, which would keep it to itself.
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: no '{ADAPTER_ROM}'; the package ipxe-qemu has it\n"
        );
        return;
    };
    let fittings = Fittings {
        network: vec![NetworkAdapter {
            rom: Some(rom),
            model: NetworkModel::Rtl8139,
            address: [0x52, 0x54, 0, 0x12, 0x34, 2],
            network: Box::new(Unplugged),
        }],
        boot_order: vec![BootDevice::Network],
        ..Fittings::default()
    };
    let Some(mut pc) = Pc::new(pairing, 64, fittings) else {
        return;
    };
    let line = "net0: 52:54:00:12:34:02 using rtl8139 on 0000:00:03.0";
    pc.wait_for(&["iPXE (PCI 00:03.0) starting", "iPXE 1.", line]);
}

#[test]
fn the_rom_of_an_adapter_boots() {
    boots_from_the_adapter(OURS);
    boots_from_the_adapter(THEIRS);
}
