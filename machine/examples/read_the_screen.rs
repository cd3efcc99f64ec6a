//! Boots firmware or a disk image, waits for a text on the screen, types, and prints what is there.
//!
//! ```text
//! cargo run --release -p rax-machine --example read_the_screen -- \
//!     /usr/share/seabios/bios-256k.bin floppy.img 'A:.>' 'dir\n' 'bytes free'
//! ```
//!
//! Time is counted in instructions, so the same words give the same screen on every host.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rax_cpu::Model;
use rax_machine::automation::{Automation, SerialTap, unescape};
use rax_machine::cli::ClockSource;
use rax_machine::host::{Access, ImageOptions, Inbox};
use rax_machine::{Boot, Config, End, Fittings, Machine, Pace, load, media};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(bios), Some(floppy)) = (words.next(), words.next()) else {
        return Err(
            "give a BIOS image, a floppy image, a text to wait for, a text to type, ...".into(),
        );
    };
    let floppy = ImageOptions::new(floppy, Access::Snapshot);
    let fittings = Fittings {
        floppies: vec![Some(media::floppy(&floppy)?)],
        vga: true,
        vga_bios: load::find_vga_bios(),
        ..Fittings::default()
    };
    let mut machine = Machine::new(Config {
        ram: 64 << 20,
        model: Model::default(),
        boot: Boot::Rom(load::read_firmware(Path::new(&bios))?),
        fittings,
    })?;

    // Texts to wait for and texts to type, by turns.
    let mut script = Automation::new(SerialTap::default());
    while let Some(pattern) = words.next() {
        script = script.wait_text(&pattern)?;
        if let Some(text) = words.next() {
            script = script.type_text(&unescape(&text)?)?;
        }
    }
    let pace = Pace {
        clock: ClockSource::Virtual,
        timeout: Some(Duration::from_secs(120)),
        max_instructions: None,
        no_reboot: true,
        inbox: Inbox::default(),
        door: None,
    };
    let end = machine.run(&pace, &mut script);

    let mut out = std::io::stdout().lock();
    let screen = machine.text_screen();
    let text = screen.map_or_else(|| "(a graphics mode)".into(), |screen| screen.text());
    writeln!(out, "{}", text.trim_end())?;
    match (end, script.awaited()) {
        (End::Scripted, _) => Ok(()),
        (end, Some(pattern)) => Err(format!("no '{}': {end:?}", pattern.as_str()).into()),
        (end, None) => Err(format!("{end:?}").into()),
    }
}
