//! Media that boot through the distribution's SeaBIOS, and somebody who types.
//!
//! `RAX_MEDIA` names the directory of the images; it is `../shared/guests`
//! beside the project if it is not set. GRUB and iPXE come from `guests/fetch
//! media`. Without an image its test says so and passes.

use std::io::Write;
use std::path::PathBuf;

use rax_devices::{FwCfg, IdeDrive, MemoryConsole};
use rax_jit::{Jit, Options};
use rax_machine::host::{Access, ImageOptions, Medium, open_image};
use rax_machine::{Boot, BootDevice, Fittings, load};

use crate::firmware::seabios;
use crate::linux::kit;
use crate::support::Bench;

const RAM: u64 = 64 << 20;
/// To DOS's prompt, from power-on.
const BOOT_INSTRUCTIONS: u64 = 3_000_000_000;
const COMMAND_INSTRUCTIONS: u64 = 500_000_000;

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

/// A machine at the reset vector of SeaBIOS, with these things plugged in.
fn bench(engine: Engine, fittings: Fittings) -> Option<(Bench, MemoryConsole)> {
    let bios = seabios()?;
    let log = MemoryConsole::new();
    let fittings = Fittings {
        debug_console: Some(Box::new(log.clone())),
        fw_cfg: Some(FwCfg::new()),
        vga: true,
        vga_bios: load::find_vga_bios().ok().or_else(load::default_vga_bios),
        ..fittings
    };
    let mut bench = Bench::with(Boot::Rom(bios), RAM, fittings);
    if engine == Engine::Jit
        && let Ok(jit) = Jit::new(&bench.machine.cpu, Options::default())
    {
        bench.machine.set_engine(Box::new(jit));
    }
    Some((bench, log))
}

fn use_freedos(engine: Engine) {
    let Some(path) = medium("freedos722.img") else {
        return;
    };
    let mut fittings = Fittings {
        boot_order: vec![BootDevice::Floppy],
        ..Fittings::default()
    };
    as_floppy(&mut fittings, &path);
    let Some((mut bench, log)) = bench(engine, fittings) else {
        return;
    };
    let screen = bench.run_until_screen(&[r"A:\>"], BOOT_INSTRUCTIONS, &log);
    assert!(screen.contains("FreeDOS"), "{screen}");
    bench.type_text("dir\n");
    bench.run_until_screen(&["bytes free", r"A:\>"], COMMAND_INSTRUCTIONS, &log);
    // What is written can be read.
    for line in ["copy autoexec.bat new.txt\n", "cls\n", "type new.txt\n"] {
        bench.type_text(line);
        bench.run(COMMAND_INSTRUCTIONS / 10);
    }
    bench.run_until_screen(&["Welcome to FreeDOS", r"A:\>"], COMMAND_INSTRUCTIONS, &log);
}

#[test]
fn freedos_boots_from_its_floppy_interpreted() {
    use_freedos(Engine::Interpreter);
}

#[test]
fn freedos_boots_from_its_floppy_compiled() {
    use_freedos(Engine::Jit);
}

/// Boots a medium of the kit until these words are on the screen.
fn boots_to(name: &str, words: &[&str], plug: fn(&mut Fittings, &std::path::Path)) {
    let Some(path) = kit(name) else { return };
    let mut fittings = Fittings::default();
    plug(&mut fittings, &path);
    if let Some((mut bench, log)) = bench(Engine::Jit, fittings) {
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

#[test]
#[ignore = "takes half a minute"]
fn grub_boots_from_a_cd_to_its_menu() {
    boots_to("grub-rescue-cdrom.iso", GRUB, as_cd);
}

#[test]
#[ignore = "takes half a minute"]
fn grub_boots_from_a_hard_disk_to_its_menu() {
    boots_to("grub-rescue-cdrom.iso", GRUB, as_disk);
}

#[test]
#[ignore = "takes half a minute"]
fn grub_boots_from_a_floppy_to_its_menu() {
    boots_to("grub-rescue-floppy.img", GRUB, as_floppy);
}

#[test]
#[ignore = "takes half a minute"]
fn ipxe_boots_from_a_cd_through_isolinux() {
    boots_to("ipxe.iso", &["ISOLINUX", "iPXE initialising"], as_cd);
}
