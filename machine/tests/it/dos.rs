//! Media that boot through rax's own BIOS and the distribution's SeaBIOS, and somebody who types.
//!
//! `RAX_MEDIA` names the directory of the images; it is `../shared/guests`
//! beside the project if it is not set. GRUB and iPXE come from `guests/fetch
//! media`. Without an image its test says so and passes.

use std::io::Write;
use std::path::PathBuf;

use rax_cpu::Interpreter;
use rax_devices::{FwCfg, IdeDrive, MemoryConsole};
use rax_machine::host::{Access, ImageOptions, Medium, open_image};
use rax_machine::{Boot, BootDevice, End, Fittings, load};

use crate::fat;
use crate::firmware::seabios;
use crate::linux::kit;
use crate::support::Bench;

const RAM: u64 = 64 << 20;
/// To DOS's prompt, from power-on.
const BOOT_INSTRUCTIONS: u64 = 3_000_000_000;
const COMMAND_INSTRUCTIONS: u64 = 500_000_000;
const TWO_SECONDS: u64 = 2_100_000_000;
/// DOS's prompt.
const DOS: &str = r"A:\>";

/// What carries out the instructions.
#[derive(Clone, Copy, PartialEq)]
enum Engine {
    Interpreter,
    Jit,
}

/// An image, if it is at hand.
pub(crate) fn medium(name: &str) -> Option<PathBuf> {
    let directory = std::env::var_os("RAX_MEDIA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/guests")),
        PathBuf::from,
    );
    let path = directory.join(name);
    if !path.is_file() {
        let path = path.display();
        let _ = writeln!(std::io::stderr(), "\nSKIPPED: no '{path}'\n");
        return None;
    }
    Some(path)
}

/// Whose BIOS it is.
#[derive(Clone, Copy, PartialEq)]
enum Bios {
    Builtin,
    SeaBios,
}

/// A machine at the reset vector, with these things plugged in.
fn bench(bios: Bios, engine: Engine, fittings: Fittings) -> Option<(Bench, MemoryConsole)> {
    let (rom, vga_bios) = match bios {
        Bios::Builtin => (rax_firmware::system::image(), load::default_vga_bios()),
        Bios::SeaBios => {
            let found = load::find_vga_bios().ok();
            (seabios()?, found.or_else(load::default_vga_bios))
        }
    };
    let log = MemoryConsole::new();
    let fittings = Fittings {
        debug_console: Some(Box::new(log.clone())),
        fw_cfg: Some(FwCfg::new()),
        vga: true,
        vga_bios,
        ..fittings
    };
    let mut bench = Bench::with(Boot::Rom(rom), RAM, fittings);
    if engine == Engine::Interpreter {
        bench
            .machine
            .set_engine(Box::new(Interpreter::new(&bench.machine.cpu)));
    }
    Some((bench, log))
}

/// FreeDOS at its prompt, booted from its floppy.
fn freedos(bios: Bios, engine: Engine) -> Option<Bench> {
    let path = medium("freedos722.img")?;
    let mut fittings = Fittings {
        boot_order: vec![BootDevice::Floppy],
        ..Fittings::default()
    };
    as_floppy(&mut fittings, &path);
    let (mut bench, log) = bench(bios, engine, fittings)?;
    let screen = bench.run_until_screen(&[DOS], BOOT_INSTRUCTIONS, &log);
    assert!(screen.contains("FreeDOS HIMEM"), "{screen}");
    assert!(!screen.contains("Can't disable A20"), "{screen}");
    Some(bench)
}

/// Types, and runs until the answer has come on the screen, after what was typed if that is still there.
fn ask(bench: &mut Bench, typed: &str, answer: &str) {
    bench.type_text(typed);
    let line = format!("{DOS}{}", typed.trim_end());
    for _ in 0..COMMAND_INSTRUCTIONS / 2_000_000 {
        let screen = bench.screen();
        let since = screen.rfind(&line).unwrap_or(0);
        if screen[since..].contains(answer) {
            // Until the prompt.
            bench.run(10_000_000);
            return;
        }
        let end = bench.run(2_000_000);
        assert!(matches!(end, End::Instructions), "{end:?}\n{screen}");
    }
    panic!("no {answer:?} after {typed:?}:\n{}", bench.screen());
}

fn use_freedos(bios: Bios, engine: Engine) {
    let Some(mut bench) = freedos(bios, engine) else {
        return;
    };
    if bios == Bios::SeaBios {
        ask(&mut bench, "copy foo x\n", "foo => x");
        // It has no change line for DOS, which therefore trusts a disk for two seconds after each use.
        bench.run(TWO_SECONDS);
    }
    // Another disk, of another format, is noticed.
    let other = fat::floppy("ANOTHER.TXT", b"Words on another disk\r\n");
    let first = bench.machine.insert_floppy(0, other).unwrap();
    ask(&mut bench, "dir\n", "ANOTHER");
    if bios == Bios::SeaBios {
        return;
    }
    // The disk is gone, and DOS is told at once. With the first one in the drive it goes on.
    bench.machine.eject_floppy(0).unwrap();
    ask(&mut bench, "dir\n", "drive not ready");
    assert!(bench.machine.insert_floppy(0, first).is_none());
    ask(&mut bench, "r", "18 file(s)");
}

#[test]
fn freedos_uses_floppies_through_our_bios_interpreted() {
    use_freedos(Bios::Builtin, Engine::Interpreter);
}

#[test]
fn freedos_uses_floppies_through_our_bios_compiled() {
    use_freedos(Bios::Builtin, Engine::Jit);
}

#[test]
#[ignore = "takes a minute, for SeaBIOS keeps DOS waiting"]
fn freedos_uses_floppies_through_seabios_interpreted() {
    use_freedos(Bios::SeaBios, Engine::Interpreter);
}

#[test]
#[ignore = "takes a minute, for SeaBIOS keeps DOS waiting"]
fn freedos_uses_floppies_through_seabios_compiled() {
    use_freedos(Bios::SeaBios, Engine::Jit);
}

/// Boots a medium of the kit until these words are on the screen.
fn boots_to(bios: Bios, name: &str, words: &[&str], plug: fn(&mut Fittings, &std::path::Path)) {
    let Some(path) = kit(name) else { return };
    let mut fittings = Fittings::default();
    plug(&mut fittings, &path);
    if let Some((mut bench, log)) = bench(bios, Engine::Jit, fittings) {
        bench.run_until_screen(words, BOOT_INSTRUCTIONS, &log);
    }
}

fn as_cd(fittings: &mut Fittings, path: &std::path::Path) {
    let image = ImageOptions::new(path, Access::ReadOnly);
    let disc = rax_machine::media::disc(&image).unwrap();
    fittings.drives[2] = Some(IdeDrive::cd_rom(Some(disc)));
}

fn as_disk(fittings: &mut Fittings, path: &std::path::Path) {
    let image = ImageOptions::new(path, Access::Snapshot);
    let disk = open_image(Medium::Disk, &image).unwrap();
    fittings.drives[0] = Some(IdeDrive::disk(disk));
}

fn as_floppy(fittings: &mut Fittings, path: &std::path::Path) {
    let image = ImageOptions::new(path, Access::Snapshot);
    let floppy = rax_machine::media::floppy(&image).unwrap();
    fittings.floppies.push(Some(floppy));
}

const GRUB: &[&str] = &["GNU GRUB", "Memtest86+"];
const IPXE: &[&str] = &["ISOLINUX", "iPXE initialising"];

#[test]
fn grub_boots_from_a_floppy_through_our_bios() {
    boots_to(Bios::Builtin, "grub-rescue-floppy.img", GRUB, as_floppy);
}

#[test]
#[ignore = "takes half a minute"]
fn media_boot_through_our_bios() {
    boots_to(Bios::Builtin, "grub-rescue-cdrom.iso", GRUB, as_cd);
    boots_to(Bios::Builtin, "grub-rescue-cdrom.iso", GRUB, as_disk);
    boots_to(Bios::Builtin, "ipxe.iso", IPXE, as_cd);
}

#[test]
#[ignore = "takes a minute"]
fn media_boot_through_seabios() {
    boots_to(Bios::SeaBios, "grub-rescue-cdrom.iso", GRUB, as_cd);
    boots_to(Bios::SeaBios, "grub-rescue-cdrom.iso", GRUB, as_disk);
    boots_to(Bios::SeaBios, "grub-rescue-floppy.img", GRUB, as_floppy);
    boots_to(Bios::SeaBios, "ipxe.iso", IPXE, as_cd);
}
