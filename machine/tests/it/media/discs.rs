//! Debian's kernels, started by GRUB and ISOLINUX from disks and CDs, with a root file system there.

use rax_devices::FwCfg;
use rax_machine::Fittings;

use super::{OURS, Pairing, Pc, SLOW, THEIRS, as_cd, as_disk};
use crate::linux::kit;

/// Megabytes of RAM.
const RAM: u64 = 256;

/// What a kernel says when something is wrong with the machine.
const COMPLAINTS: [&str; 6] = [
    "BUG",
    "WARNING",
    "Oops",
    "ACPI Error",
    "unchecked MSR",
    "stall",
];

/// A key of GRUB's menu starts a kernel, which takes its root from where it came and switches off by ACPI.
fn grub_starts(pairing: Pairing, image: &str, key: &str, processors: u16) {
    let Some(path) = kit(image) else { return };
    let (fittings, root) = match image {
        "grub.iso" => (as_cd(&path), "/dev/sr0 (iso9660)"),
        _ => (as_disk(&path), "/dev/sda1 (ext4)"),
    };
    let fittings = Fittings {
        processors,
        fw_cfg: Some(FwCfg::new()),
        ..fittings
    };
    let Some(mut pc) = Pc::new(pairing, RAM, fittings) else {
        return;
    };
    pc.wait_for(&["GNU GRUB", "Debian amd64", "Off"]);
    pc.type_text(key);
    let machine = if "ad".contains(key) { "x86_64" } else { "i686" };
    let line = format!("rax root: {root}, {machine}, {processors} processors");
    pc.wait_for_serial(&line);
    if "as".contains(key) {
        pc.wait_for(&[&line]);
    } else {
        pc.wait_for_picture("console", |frame| (frame.width, frame.height) == (800, 600));
    }
    pc.wait_for_serial("\n/ # ");
    pc.bench.console.type_bytes(b"poweroff -f\r");
    pc.runs_to_its_end();
    let log = pc.serial();
    for complaint in COMPLAINTS {
        assert!(!log.contains(complaint), "{complaint}:\n{log}");
    }
}

#[test]
#[ignore = "takes half a minute"]
fn grub_starts_the_686_kernel_from_a_disk_on_four_processors() {
    grub_starts(OURS, "grub.img", "s", 4);
}

#[test]
#[ignore = "takes a minute"]
fn grub_starts_the_amd64_kernel_from_a_cd() {
    grub_starts(THEIRS, "grub.iso", "a", 1);
}

#[test]
#[ignore = "takes minutes: all kernels, with and without a frame buffer, from disk and CD"]
fn grub_starts_kernels_from_everywhere() {
    for pairing in [OURS, THEIRS] {
        for image in ["grub.img", "grub.iso"] {
            for key in ["a", "s", "d", "f"] {
                for processors in [1, 4] {
                    grub_starts(pairing, image, key, processors);
                }
            }
        }
    }
}

#[test]
#[ignore = "takes many minutes: interpreted"]
fn grub_starts_kernels_interpreted() {
    for pairing in SLOW {
        grub_starts(pairing, "grub.img", "s", 1);
        grub_starts(pairing, "grub.iso", "a", 4);
    }
}

/// A label of ISOLINUX or SYSLINUX starts a kernel with its initial RAM disks.
fn syslinux_starts(pairing: Pairing, image: &str, label: &str) {
    let Some(path) = kit(image) else { return };
    let fittings = match image {
        "isolinux.iso" => as_cd(&path),
        _ => as_disk(&path),
    };
    let Some(mut pc) = Pc::new(pairing, RAM, fittings) else {
        return;
    };
    pc.wait_for(&["boot:"]);
    pc.type_text(&format!("{label}\n"));
    pc.wait_for_serial("rax guest kit: Linux");
    pc.wait_for_serial("/ # ");
    pc.bench.console.type_bytes(b"poweroff -f\r");
    pc.runs_to_its_end();
}

#[test]
#[ignore = "takes a minute"]
fn isolinux_starts_the_686_kernel() {
    syslinux_starts(OURS, "isolinux.iso", "686");
}

#[test]
#[ignore = "takes minutes"]
fn syslinux_starts_kernels_from_everywhere() {
    for pairing in [OURS, THEIRS] {
        syslinux_starts(pairing, "isolinux.iso", "amd64");
        syslinux_starts(pairing, "isolinux.iso", "686");
        syslinux_starts(pairing, "syslinux.img", "686");
    }
}
