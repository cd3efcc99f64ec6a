//! The distribution's own kernels boot to a shell, and somebody types into it.
//!
//! `guests/fetch` brings the files; without them these tests say so and pass.

use std::io::Write;
use std::path::PathBuf;

use rax_devices::Disk;
use rax_machine::load::{self, BootRequest, InputFile, Module, Role};
use rax_machine::{Boot, End, Fittings, memory_map};

use crate::support::Bench;

/// The guest's RAM.
pub(crate) const RAM: u64 = 512 << 20;
/// Enough for a kernel with all its self-tests.
const BOOT_INSTRUCTIONS: u64 = 10_000_000_000;
const COMMAND_INSTRUCTIONS: u64 = 2_000_000_000;
pub(crate) const PROMPT: &str = "/ # ";

/// A file of the guest kit, if it is there.
pub(crate) fn kit(name: &str) -> Option<PathBuf> {
    let directory = std::env::var_os("RAX_GUESTS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/guests")),
        PathBuf::from,
    );
    let path = directory.join(name);
    if path.is_file() {
        return Some(path);
    }
    // Past the test harness, which would keep it to itself.
    let _ = writeln!(
        std::io::stderr(),
        "\nSKIPPED: no '{}'; get it with guests/fetch or guests/fetch-systems\n",
        path.display()
    );
    None
}

/// A kernel of the kit with its initial RAM disks, ready to run.
pub(crate) fn kernel(name: &str, initrds: &[&str], arguments: &str) -> Option<Boot> {
    let kernel = kit(&format!("vmlinuz-{name}"))?;
    let initrds = initrds
        .iter()
        .map(|name| kit(name))
        .collect::<Option<Vec<_>>>()?;
    let modules: Vec<_> = initrds
        .iter()
        .map(|path| Module::read(path.to_str().unwrap(), RAM).unwrap())
        .collect();
    let image = load::load(&BootRequest {
        kernel: &InputFile::read(&kernel, Role::Kernel, RAM).unwrap(),
        modules: &modules,
        command_line: &format!("console=ttyS0 {arguments}"),
        memory: &memory_map::ranges(RAM),
        rsdp: memory_map::root_pointer(RAM),
        has_vga: false,
        has_long_mode: true,
    })
    .unwrap();
    Some(Boot::Image(image))
}

/// A guest at its shell prompt.
pub(crate) struct Shell {
    bench: Bench,
    /// How much of what came over the serial line has been read.
    read: usize,
}

impl Shell {
    /// Boots a kernel of the kit up to its prompt; `None` if the kit lacks a file.
    pub(crate) fn boot(
        name: &str,
        initrds: &[&str],
        arguments: &str,
        disks: Vec<Box<dyn Disk>>,
    ) -> Option<Self> {
        let boot = kernel(name, initrds, arguments)?;
        let mut bench = Bench::new(boot, RAM, disks);
        let read = bench.run_until(PROMPT, 0, BOOT_INSTRUCTIONS);
        Some(Self { bench, read })
    }

    /// Types a command and returns what the guest said until the next prompt.
    pub(crate) fn command(&mut self, line: &str) -> String {
        self.bench
            .console
            .type_bytes(format!("{line}\r").as_bytes());
        // The echo of the command, then its answer.
        let start = self.bench.run_until("\n", self.read, COMMAND_INSTRUCTIONS);
        let end = self.bench.run_until(PROMPT, start, COMMAND_INSTRUCTIONS);
        self.read = end;
        self.bench.serial()[start..end - PROMPT.len()].to_owned()
    }

    /// Resets the machine from inside and checks all that the kernel has said.
    pub(crate) fn reboot(mut self) {
        self.bench.console.type_bytes(b"reboot -f\r");
        let end = self.bench.run(COMMAND_INSTRUCTIONS);
        let log = self.bench.serial();
        assert!(matches!(end, End::Reset), "{end:?}\n{log}");
        for word in ["BUG", "WARNING", "unchecked MSR", "panic", "Oops"] {
            assert!(!log.contains(word), "{word}:\n{log}");
        }
        assert!(log.contains("reboot: machine restart"), "{log}");
    }
}

/// Boots a kernel and does what a user does first.
fn use_shell(name: &str, initrd: &str, machine: &str) {
    let Some(mut shell) = Shell::boot(name, &[initrd], "", Vec::new()) else {
        return;
    };
    let answer = shell.command("for n in 1 2 3; do echo line $((n * 7)); done");
    for line in ["line 7\r\n", "line 14\r\n", "line 21\r\n"] {
        assert!(answer.contains(line), "{answer}");
    }
    let answer = shell.command("dd if=/dev/zero of=/tmp/z bs=1k count=256; md5sum /tmp/z");
    assert!(answer.contains("256+0 records out"), "{answer}");
    assert!(
        answer.contains("ec87a838931d4d5d2e94a04644788a55"),
        "{answer}"
    );
    let answer = shell.command("printf hello | md5sum");
    assert!(
        answer.contains("5d41402abc4b2a76b9719d911017c592"),
        "{answer}"
    );
    let answer = shell.command("uname -m");
    assert!(answer.contains(machine), "{answer}");
    shell.reboot();
}

#[test]
fn the_cloud_kernel_boots_to_a_shell_that_answers() {
    use_shell("cloud-amd64", "initrd-amd64.img", "x86_64");
}

#[test]
#[ignore = "takes minutes: six billion instructions, most of them the kernel's self-tests"]
fn the_amd64_kernel_boots_to_a_shell_that_answers() {
    use_shell("amd64", "initrd-amd64.img", "x86_64");
}

#[test]
#[ignore = "takes minutes: six billion instructions, most of them the kernel's self-tests"]
fn the_686_kernel_boots_to_a_shell_that_answers() {
    use_shell("686", "initrd-i386.img", "i686");
}

#[test]
#[ignore = "takes minutes: six billion instructions, most of them the kernel's self-tests"]
fn the_686_pae_kernel_boots_to_a_shell_that_answers() {
    use_shell("686-pae", "initrd-i386.img", "i686");
}

/// Reboots, boots again, and switches off.
fn restarts_by(way: &str, processors: u16) {
    let Some(boot) = kernel(
        "cloud-amd64",
        &["initrd-amd64.img"],
        &format!("reboot={way}"),
    ) else {
        return;
    };
    let fittings = Fittings {
        processors,
        ..Fittings::default()
    };
    let mut bench = Bench::with(boot, RAM, fittings);
    let first = bench.run_until(PROMPT, 0, BOOT_INSTRUCTIONS);
    bench.console.type_bytes(b"reboot -f\r");
    let mut slices = 0;
    while bench.serial().matches(PROMPT).count() < 2 {
        let end = bench.run_through_resets(10_000_000);
        slices += 1;
        let log = bench.serial();
        assert!(
            matches!(end, End::Instructions) && slices < 600,
            "{way}: {end:?}\n{log}"
        );
    }
    let log = &bench.serial()[first..];
    assert!(log.contains("reboot: machine restart"), "{way}:\n{log}");
    assert_eq!(log.matches("Linux version").count(), 1, "{way}:\n{log}");
}

/// Without firmware each of them begins anew; the jump to a BIOS finds code that does so.
#[test]
fn linux_restarts_by_the_way_it_is_told() {
    restarts_by("kbd", 2);
    restarts_by("triple", 2);
}

#[test]
#[ignore = "takes a minute: the other ways, and one processor"]
fn linux_restarts_in_all_ways() {
    for way in ["bios", "acpi", "kbd", "triple", "pci"] {
        restarts_by(way, 1);
        restarts_by(way, 2);
    }
}
