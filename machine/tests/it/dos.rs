//! Media that boot through the distribution's SeaBIOS, and somebody who types.
//!
//! `RAX_MEDIA` names the directory of the images; it is `../shared/guests`
//! beside the project if it is not set. Without an image its test says so and
//! passes.

use std::io::Write;
use std::path::PathBuf;

use rax_devices::{Floppy, FwCfg, MemoryConsole};
use rax_jit::{Jit, Options};
use rax_machine::host::{Access, ImageOptions, Medium, open_image};
use rax_machine::{Boot, BootDevice, End, Fittings};

use crate::firmware::seabios;
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
        vga_bios: rax_machine::load::find_vga_bios(),
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
    let image = ImageOptions::new(path, Access::Snapshot);
    let floppy = Floppy::new(open_image(Medium::Floppy, &image).unwrap()).unwrap();
    let fittings = Fittings {
        floppies: vec![Some(floppy)],
        boot_order: vec![BootDevice::Floppy],
        ..Fittings::default()
    };
    let Some((mut bench, log)) = bench(engine, fittings) else {
        return;
    };
    let screen = bench.run_until_screen(&[r"A:\>"], BOOT_INSTRUCTIONS, &log);
    assert!(screen.contains("FreeDOS"), "{screen}");
    bench.type_text("dir\n");
    bench.run_until_screen(&["bytes free", r"A:\>"], COMMAND_INSTRUCTIONS, &log);
    // What is written can be read.
    bench.type_text("copy autoexec.bat new.txt\n");
    bench.type_text("cls\n");
    bench.type_text("type new.txt\n");
    let screen = bench.run_until_screen(&["kept", r"A:\>"], COMMAND_INSTRUCTIONS, &log);
    assert!(!screen.contains("rror"), "{screen}");
    // A disk is changed, and DOS sees another one.
    let taken = bench.machine.eject_floppy(0);
    assert!(taken.is_some());
    bench.type_text("cls\n");
    bench.type_text("dir\n");
    bench.run_until_screen(&["Abort"], COMMAND_INSTRUCTIONS, &log);
    let end = bench.run(1_000_000);
    assert!(matches!(end, End::Instructions), "{end:?}");
}

#[test]
fn freedos_boots_from_its_floppy_interpreted() {
    use_freedos(Engine::Interpreter);
}

#[test]
fn freedos_boots_from_its_floppy_compiled() {
    use_freedos(Engine::Jit);
}
