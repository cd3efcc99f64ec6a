//! Media that others have made boot through rax's BIOS and the distribution's SeaBIOS: memory tests, boot loaders,
//! kernels from disks and CDs, DOS in graphics modes.
//!
//! `guests/fetch media discs` brings the images, `RAX_MEDIA` names where FreeDOS is. Without its image a test says so
//! and passes. What takes long, or only shows another pairing of firmware and engine, is ignored by default.

mod discs;
mod graphics;
mod hard_disk;
mod loaders;

use std::path::Path;

use rax_cpu::Interpreter;
use rax_devices::{Frame, FwCfg, IdeDrive, MemoryConsole};
use rax_jit::{Jit, Options};
use rax_machine::host::{Access, ImageOptions, Medium, open_image};
use rax_machine::{Boot, End, Fittings, load};

use crate::firmware::seabios;
use crate::support::Bench;

/// More than any of these media needs to answer.
const INSTRUCTIONS: u64 = 8_000_000_000;

/// What is in the machine's ROM.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Bios {
    /// rax's own.
    Builtin,
    /// The distribution's.
    Seabios,
}

/// What carries out the instructions.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Engine {
    Jit,
    Interpreter,
}

/// A pairing of firmware and engine.
pub(crate) type Pairing = (Bios, Engine);

pub(crate) const OURS: Pairing = (Bios::Builtin, Engine::Jit);
pub(crate) const THEIRS: Pairing = (Bios::Seabios, Engine::Jit);
pub(crate) const SLOW: [Pairing; 2] = [
    (Bios::Builtin, Engine::Interpreter),
    (Bios::Seabios, Engine::Interpreter),
];

/// A PC that starts from its media.
pub(crate) struct Pc {
    bench: Bench,
    /// What firmware says.
    log: MemoryConsole,
}

impl Pc {
    /// A PC at its reset vector; `None` if the firmware is not at hand.
    pub(crate) fn new((bios, engine): Pairing, megabytes: u64, fittings: Fittings) -> Option<Self> {
        let (rom, vga_bios) = match bios {
            Bios::Builtin => (rax_firmware::system::image(), load::default_vga_bios()),
            Bios::Seabios => (seabios()?, load::find_vga_bios().ok()),
        };
        let log = MemoryConsole::new();
        let fittings = Fittings {
            debug_console: Some(Box::new(log.clone())),
            fw_cfg: Some(FwCfg::new()),
            vga: true,
            vga_bios: vga_bios.or_else(load::default_vga_bios),
            ..fittings
        };
        let mut bench = Bench::with(Boot::Rom(rom), megabytes << 20, fittings);
        bench.machine.set_engines(|cpu| match engine {
            Engine::Jit => match Jit::new(cpu, Options::default()) {
                Ok(jit) => Box::new(jit),
                Err(_) => Box::new(Interpreter::new(cpu)),
            },
            Engine::Interpreter => Box::new(Interpreter::new(cpu)),
        });
        Some(Self { bench, log })
    }

    /// Runs until all these words are on the screen.
    pub(crate) fn wait_for(&mut self, words: &[&str]) -> String {
        self.bench.run_until_screen(words, INSTRUCTIONS, &self.log)
    }

    /// Runs until this has come over the serial line.
    pub(crate) fn wait_for_serial(&mut self, text: &str) {
        self.bench.run_until(text, 0, INSTRUCTIONS);
    }

    /// Presses keys and lets the guest take them.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.bench.type_text(text);
    }

    /// Presses a key by its name and lets the guest take it.
    pub(crate) fn press(&mut self, key: &str) {
        self.bench.machine.press(key).unwrap();
        while self.bench.machine.is_typing() {
            self.run();
        }
    }

    /// Goes on for two million instructions: a guest that polls would make longer waits dear.
    pub(crate) fn run(&mut self) {
        let end = self.bench.run(2_000_000);
        let screen = self.bench.screen();
        assert!(matches!(end, End::Instructions), "{end:?}\n{screen}");
    }

    /// The picture on the screen.
    pub(crate) fn frame(&self) -> Frame {
        self.bench.machine.frame().expect("a picture")
    }

    /// Runs until `is_wanted` says so of the picture.
    pub(crate) fn wait_for_picture(&mut self, what: &str, is_wanted: impl Fn(&Frame) -> bool) {
        for _ in 0..INSTRUCTIONS / 2_000_000 {
            if is_wanted(&self.frame()) {
                return;
            }
            self.run();
        }
        let frame = self.frame();
        let size = (frame.width, frame.height);
        panic!("no {what}; {size:?}\n{}", self.bench.screen());
    }

    /// Runs until the picture stays the same for a while, and returns it.
    pub(crate) fn settled(&mut self) -> Frame {
        loop {
            let before = self.frame();
            self.run();
            self.run();
            if self.frame().pixels == before.pixels {
                return before;
            }
        }
    }

    /// Runs until the guest switches the machine off.
    pub(crate) fn runs_to_its_end(&mut self) {
        let end = self.bench.run(INSTRUCTIONS);
        assert!(
            matches!(end, End::PowerOff),
            "{end:?}\n{}",
            self.bench.serial()
        );
    }

    /// All that has come over the serial line.
    pub(crate) fn serial(&self) -> String {
        self.bench.serial()
    }
}

/// The image in a CD drive.
pub(crate) fn as_cd(path: &Path) -> Fittings {
    let mut fittings = Fittings::default();
    let image = ImageOptions::new(path, Access::ReadOnly);
    let disc = rax_machine::media::disc(&image).unwrap();
    fittings.drives[2] = Some(IdeDrive::cd_rom(Some(disc)));
    fittings
}

/// The image on a hard disk; what is written is forgotten.
pub(crate) fn as_disk(path: &Path) -> Fittings {
    let mut fittings = Fittings::default();
    let image = ImageOptions::new(path, Access::Snapshot);
    let disk = open_image(Medium::Disk, &image).unwrap();
    fittings.drives[0] = Some(IdeDrive::disk(disk));
    fittings
}

/// How many colours a picture has.
pub(crate) fn colours(frame: &Frame) -> usize {
    let mut colours = frame.pixels.clone();
    colours.sort_unstable();
    colours.dedup();
    colours.len()
}
