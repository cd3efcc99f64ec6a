//! Whole systems: Debian's installer up to its questions, Xen with a Linux guest, and GNU Mach; each from rax's
//! loaders, and from a disk with GRUB through both BIOSes. And UEFI firmware up to its shell.
//!
//! `guests/fetch-systems` brings them; without them these tests say so and pass.

use rax_devices::{Flash, Frame, FwCfg, IdeDrive, MemoryConsole, MemoryDisk};
use rax_machine::host::{Access, ImageOptions, Medium, MouseMove, open_image};
use rax_machine::load::{self, BootRequest, InputFile, Module, Role};
use rax_machine::{Boot, End, Fittings, memory_map};

use crate::firmware::seabios;
use crate::linux::{PROMPT, kit};
use crate::support::Bench;

const RAM: u64 = 1 << 30;
/// Enough for each of them.
const INSTRUCTIONS: u64 = 20_000_000_000;
/// What an answer to a key may take.
const ANSWER: u64 = 3_000_000_000;
const SLICE: u64 = 20_000_000;

/// A system that runs.
struct System {
    bench: Bench,
    /// What firmware says.
    log: MemoryConsole,
}

impl System {
    /// A kernel that rax itself loads, with its modules (file, arguments).
    fn bare(
        kernel: &str,
        arguments: &str,
        modules: &[(&str, &str)],
        processors: u16,
    ) -> Option<Self> {
        let kernel = kit(kernel)?;
        let modules = modules
            .iter()
            .map(|(name, arguments)| {
                let path = kit(name)?;
                let words = format!("{} {arguments}", path.display());
                Some(Module::read(words.trim_end(), RAM).unwrap())
            })
            .collect::<Option<Vec<_>>>()?;
        let image = load::load(&BootRequest {
            kernel: &InputFile::read(&kernel, Role::Kernel, RAM).unwrap(),
            modules: &modules,
            command_line: arguments,
            memory: &memory_map::ranges(RAM),
            rsdp: memory_map::root_pointer(RAM),
            has_vga: true,
            has_long_mode: true,
        })
        .unwrap();
        let fittings = Fittings {
            processors,
            vga: true,
            vga_bios: load::default_vga_bios(),
            ..Fittings::default()
        };
        Some(Self {
            bench: Bench::with(Boot::Image(image), RAM, fittings),
            log: MemoryConsole::new(),
        })
    }

    /// A machine with firmware, at the reset vector.
    fn with_firmware(image: Vec<u8>, fittings: Fittings) -> Self {
        let log = MemoryConsole::new();
        let fittings = Fittings {
            debug_console: Some(Box::new(log.clone())),
            fw_cfg: Some(FwCfg::new()),
            vga: true,
            vga_bios: load::default_vga_bios(),
            ..fittings
        };
        let bench = Bench::with(Boot::Rom(image), RAM, fittings);
        Self { bench, log }
    }

    /// The disk's system that GRUB starts at a key.
    fn from_disk(bios: Vec<u8>, key: &str) -> Option<Self> {
        let image = ImageOptions::new(&kit("systems.img")?, Access::Snapshot);
        let disk = open_image(Medium::Disk, &image).unwrap();
        let fittings = Fittings {
            drives: [Some(IdeDrive::disk(disk)), None, None, None],
            ..Fittings::default()
        };
        let mut system = Self::with_firmware(bios, fittings);
        system.wait_for_screen(&["GNU GRUB", "Debian installer"]);
        system.bench.type_text(key);
        Some(system)
    }

    fn builtin(key: &str) -> Option<Self> {
        Self::from_disk(rax_firmware::system::image(), key)
    }

    fn sea(key: &str) -> Option<Self> {
        Self::from_disk(seabios()?, key)
    }

    fn wait_for_screen(&mut self, words: &[&str]) -> String {
        self.bench.run_until_screen(words, INSTRUCTIONS, &self.log)
    }

    /// Runs until `look` finds something in the picture.
    fn wait_for_picture<T>(&mut self, limit: u64, look: impl Fn(&Frame) -> Option<T>) -> T {
        for _ in 0..limit.div_ceil(SLICE) {
            if let Some(found) = self.bench.machine.frame().as_ref().and_then(&look) {
                return found;
            }
            let end = self.bench.run(SLICE);
            assert!(matches!(end, End::Instructions), "{end:?}");
        }
        panic!(
            "the picture did not come:\n{}\n{}",
            self.bench.screen(),
            self.bench.machine.cpu.describe()
        );
    }
}

/// The kernel tells what it has found, and that it has nothing to run.
fn mach(system: Option<System>) {
    let Some(mut system) = system else { return };
    let bench = &mut system.bench;
    bench.run_until("No bootstrap code loaded with the kernel!", 0, INSTRUCTIONS);
    let log = bench.serial();
    for line in [
        "vm_page: DIRECTMAP: pages:",
        "Intel 82371 PIIX3 (dual FIFO) DMA Bus Mastering IDE",
        "FDC 0 is a post-1991 82077",
        "RTC time is 2024-01-01 00:00",
    ] {
        assert!(log.contains(line), "no '{line}':\n{log}");
    }
}

#[test]
fn gnu_mach_runs_until_it_misses_its_servers() {
    mach(System::bare("gnumach", "console=com0", &[], 1));
}

#[test]
#[ignore = "takes half a minute"]
fn gnu_mach_boots_from_a_disk_through_the_builtin_bios() {
    mach(System::builtin("m"));
}

#[test]
#[ignore = "takes half a minute"]
fn gnu_mach_boots_from_a_disk_through_seabios() {
    mach(System::sea("m"));
}

/// The hypervisor, its first guest, and a shell in that, which switches all off.
fn xen(system: Option<System>, processors: u16) {
    let Some(mut system) = system else { return };
    let bench = &mut system.bench;
    let mut read = bench.run_until(PROMPT, 0, INSTRUCTIONS);
    for (command, answer) in [
        ("cat /sys/hypervisor/type", "xen".to_owned()),
        (
            "cat /sys/hypervisor/properties/capabilities",
            "xen-3.0-x86_64".to_owned(),
        ),
        (
            "echo has $(grep -c ^processor /proc/cpuinfo) processors",
            format!("has {processors} processors"),
        ),
        (
            "printf hello | md5sum",
            "5d41402abc4b2a76b9719d911017c592".to_owned(),
        ),
    ] {
        // A serial port holds 16 characters and Xen takes its time to look.
        for piece in format!("{command}\r").as_bytes().chunks(8) {
            bench.console.type_bytes(piece);
            let end = bench.run(SLICE);
            assert!(matches!(end, End::Instructions), "{end:?}");
        }
        read = bench.run_until(&answer, read, ANSWER);
        read = bench.run_until(PROMPT, read, ANSWER);
    }
    bench.console.type_bytes(b"poweroff -f\r");
    let end = bench.run(ANSWER);
    let log = bench.serial();
    assert!(matches!(end, End::PowerOff), "{end:?}\n{log}");
    let brought_up = format!("Brought up {processors} CPUs");
    for line in [
        "Xen version 4.17",
        "Platform timer is 100.000MHz HPET",
        "ENABLING IO-APIC IRQs",
        &brought_up,
        "*** Building a PV Dom0 ***",
        "Hypervisor detected: Xen PV",
    ] {
        assert!(log.contains(line), "no '{line}':\n{log}");
    }
    for word in ["BUG", "WARNING", "panic", "Oops", "Xen call trace"] {
        assert!(!log.contains(word), "{word}:\n{log}");
    }
}

/// Xen without firmware.
fn bare_xen(processors: u16) -> Option<System> {
    System::bare(
        "xen-4.17",
        "console=com1 com1=115200,8n1 loglvl=all noreboot dom0_mem=512M",
        &[
            (
                "vmlinuz-amd64",
                "console=hvc0 earlyprintk=xen cryptomgr.notests",
            ),
            ("initrd-amd64.img", ""),
        ],
        processors,
    )
}

#[test]
#[ignore = "takes a minute"]
fn xen_runs_linux_as_its_first_guest() {
    xen(bare_xen(1), 1);
}

#[test]
#[ignore = "takes minutes"]
fn xen_gives_its_first_guest_four_processors() {
    xen(bare_xen(4), 4);
}

#[test]
#[ignore = "takes minutes"]
fn xen_boots_from_a_disk_through_the_builtin_bios() {
    xen(System::builtin("x"), 1);
}

#[test]
#[ignore = "takes minutes"]
fn xen_boots_from_a_disk_through_seabios() {
    xen(System::sea("x"), 1);
}

/// Debian's installer asks in characters; a key brings its next question.
fn installer(system: Option<System>) {
    let Some(mut system) = system else { return };
    let screen = system.wait_for_screen(&["Select a language", "English", "French", "<Go Back>"]);
    assert!(screen.contains("Language:"), "{screen}");
    system.bench.type_text("\n");
    system.wait_for_screen(&["Select your location", "United States"]);
}

/// No driver takes the screen away from the VGA's text mode.
const IN_CHARACTERS: &str = "fb=false nomodeset cryptomgr.notests";
/// The driver for the adapter's Bochs extension draws.
const DRAWN: &str = "cryptomgr.notests";

fn bare_installer(architecture: &str, arguments: &str) -> Option<System> {
    let kernel = format!("installer-{architecture}-linux");
    let initrd = format!("installer-{architecture}-text.gz");
    System::bare(&kernel, arguments, &[(&initrd, "")], 1)
}

#[test]
#[ignore = "takes a minute"]
fn the_amd64_installer_asks_in_text_mode() {
    installer(bare_installer("amd64", IN_CHARACTERS));
}

#[test]
#[ignore = "takes a minute"]
fn the_i386_installer_asks_in_text_mode() {
    installer(bare_installer("i386", IN_CHARACTERS));
}

#[test]
#[ignore = "takes minutes"]
fn the_installer_boots_from_a_disk_through_the_builtin_bios() {
    installer(System::builtin("i"));
}

#[test]
#[ignore = "takes minutes"]
fn the_installer_boots_from_a_disk_through_seabios() {
    installer(System::sea("i"));
}

/// The row of pixels where the installer's selection begins: red, in a grey dialogue on blue.
fn selection(frame: &Frame) -> Option<usize> {
    const BLUE: u32 = 0x00_00aa;
    const GREY: u32 = 0xaa_aaaa;
    const RED: u32 = 0xaa_0000;
    let count = |colour| frame.pixels.iter().filter(|&&p| p == colour).count();
    let is_dialogue = (frame.width, frame.height) == (1024, 768)
        && frame.pixels.first() == Some(&BLUE)
        && count(GREY) > frame.pixels.len() / 2;
    let mut rows = frame.pixels.chunks(frame.width);
    let is_selected = |row: &[u32]| row.iter().filter(|&&pixel| pixel == RED).count() > 200;
    is_dialogue.then(|| rows.position(is_selected)).flatten()
}

/// The same on a frame buffer: a key moves the selection by a line.
fn drawn_installer(system: Option<System>) {
    let Some(mut system) = system else { return };
    let row = system.wait_for_picture(INSTRUCTIONS, selection);
    // Until the picture is complete.
    let end = system.bench.run(SLICE);
    assert!(matches!(end, End::Instructions), "{end:?}");
    system.bench.machine.press("down").unwrap();
    system.wait_for_picture(ANSWER, |frame| {
        selection(frame).filter(|&new| new == row + 16)
    });
}

#[test]
#[ignore = "takes a minute"]
fn the_amd64_installer_draws_its_question() {
    drawn_installer(bare_installer("amd64", DRAWN));
}

#[test]
#[ignore = "takes a minute"]
fn the_i386_installer_draws_its_question() {
    drawn_installer(bare_installer("i386", DRAWN));
}

#[test]
#[ignore = "takes minutes"]
fn the_installer_draws_after_the_builtin_bios() {
    drawn_installer(System::builtin("g"));
}

/// Where the graphical installer's selection begins: a bar of the theme's green, in a list.
fn chosen(frame: &Frame) -> Option<usize> {
    const LIST: usize = 170;
    let is_green = |pixel: &&u32| {
        let [_, red, green, blue] = pixel.to_be_bytes();
        red < 60 && (110..150).contains(&green) && (105..145).contains(&blue)
    };
    let rows = frame.pixels.chunks(frame.width).enumerate().skip(LIST);
    let mut bars = rows.filter(|(_, row)| row.iter().filter(is_green).count() > 800);
    bars.next().map(|(at, _)| at)
}

/// The X server has a pointer and a keyboard, and both choose.
#[test]
#[ignore = "takes minutes"]
fn the_graphical_installer_follows_keyboard_and_mouse() {
    let initrd = [("installer-amd64-gtk.gz", "")];
    let Some(mut system) = System::bare("installer-amd64-linux", DRAWN, &initrd, 1) else {
        return;
    };
    system.wait_for_picture(INSTRUCTIONS, chosen);
    let end = system.bench.run(1_000_000_000);
    assert!(matches!(end, End::Instructions), "{end:?}");
    // The list has scrolled to the selection by now.
    let first = system.wait_for_picture(ANSWER, chosen);
    system.bench.machine.press("down").unwrap();
    let below = |frame: &Frame| chosen(frame).filter(|&row| row > first);
    let second = system.wait_for_picture(ANSWER, below);
    // From the middle of the screen into the list above the selection.
    let still = MouseMove {
        right: 0,
        up: 0,
        down: 0,
        buttons: 0,
    };
    let pressed = MouseMove {
        buttons: 1,
        ..still
    };
    for movement in [MouseMove { up: 60, ..still }, pressed, still] {
        system.bench.machine.move_mouse(movement);
        let end = system.bench.run(100_000_000);
        assert!(matches!(end, End::Instructions), "{end:?}");
    }
    let above = |frame: &Frame| chosen(frame).filter(|&row| row < first && row < second);
    system.wait_for_picture(ANSWER, above);
}

/// OVMF without its variables' flash, in one image: the shell shows what it has found, and switches off.
fn ovmf(parts: &[&str], processors: u16) {
    let Some(parts) = parts
        .iter()
        .map(|name| kit(name))
        .collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let image = parts
        .iter()
        .flat_map(|path| std::fs::read(path).unwrap())
        .collect();
    let fittings = Fittings {
        processors,
        ..Fittings::default()
    };
    let bench = &mut System::with_firmware(image, fittings).bench;
    // It would wait for five seconds, and look for keys all the time.
    let read = bench.run_until("Press", 0, INSTRUCTIONS);
    bench.machine.press("esc").unwrap();
    let mut read = bench.run_until("Shell> ", read, INSTRUCTIONS);
    assert!(bench.serial().contains("UEFI Interactive Shell v2.2"));
    let frame = bench.machine.frame().unwrap();
    assert_eq!((frame.width, frame.height), (1280, 800));
    let command = |bench: &mut Bench, read: &mut usize, line: &str| {
        bench.machine.type_text(line).unwrap();
        let start = *read;
        *read = bench.run_until("Shell> ", start, ANSWER);
        bench.serial()[start..*read].to_owned()
    };
    let answer = command(bench, &mut read, "pci\n");
    for device in [
        "1237",
        "7000",
        "7010",
        "7113",
        "Display Controller - VGA/8514",
    ] {
        assert!(answer.contains(device), "no '{device}': {answer}");
    }
    let answer = command(bench, &mut read, "smbiosview -t 1\n");
    assert!(answer.contains("Virtual Machine"), "{answer}");
    bench.machine.type_text("reset -s\n").unwrap();
    let end = bench.run(ANSWER);
    assert!(matches!(end, End::PowerOff), "{end:?}\n{}", bench.serial());
}

#[test]
#[ignore = "takes a minute"]
fn ovmf_comes_to_its_shell() {
    ovmf(&["OVMF.fd"], 1);
}

#[test]
#[ignore = "takes minutes"]
fn the_large_ovmf_comes_to_its_shell_on_four_processors() {
    ovmf(&["OVMF_VARS_4M.fd", "OVMF_CODE_4M.fd"], 4);
}

/// OVMF finds its flash memory, and a variable outlives the run.
#[test]
#[ignore = "takes a minute"]
fn ovmf_keeps_its_variables() {
    let (Some(code), Some(variables)) = (kit("OVMF_CODE.fd"), kit("OVMF_VARS.fd")) else {
        return;
    };
    let (code, variables) = (
        std::fs::read(code).unwrap(),
        std::fs::read(variables).unwrap(),
    );
    let disk = MemoryDisk::new(variables.clone());
    let run = |line: &str| {
        let fittings = Fittings {
            flash: Some(Flash::new(disk.contents(), Some(Box::new(disk.clone())))),
            ..Fittings::default()
        };
        let bench = &mut System::with_firmware(code.clone(), fittings).bench;
        let read = bench.run_until("Press", 0, INSTRUCTIONS);
        bench.machine.press("esc").unwrap();
        let read = bench.run_until("Shell> ", read, INSTRUCTIONS);
        bench.machine.type_text(line).unwrap();
        let end = bench.run_until("Shell> ", read, ANSWER);
        bench.machine.type_text("reset -s\n").unwrap();
        assert!(matches!(bench.run(ANSWER), End::PowerOff));
        bench.serial()[read..end].to_owned()
    };
    const NAME: &str = "Kept -guid 5f9b2d1c-1111-4222-8333-445566778899";
    run(&format!("setvar {NAME} -bs -nv =0x4711\n"));
    assert_ne!(disk.contents(), variables);
    // The shell takes a number, and keeps its low byte first.
    let answer = run(&format!("dmpstore {NAME}\n"));
    assert!(
        answer.contains("NV+BS") && answer.contains("11 47"),
        "{answer}"
    );
}
