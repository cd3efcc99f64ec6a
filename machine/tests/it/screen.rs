//! The screen and those who sit before it: what a guest draws is in the picture, what is typed reaches it, and
//! scripts end as they should. The guests are a few instructions of real mode, put together here.

use rax_devices::{Frame, MemoryConsole};
use rax_jit::{Jit, Options};
use std::time::Duration;

use rax_machine::automation::{Automation, SerialTap, parse};
use rax_machine::host::{Screen, ScreenFeed};
use rax_machine::onlookers::Onlookers;
use rax_machine::{Boot, End, Fittings};

use crate::support::Bench;

mod retrace;
mod window;

/// A ROM of 64 KiB that begins with `code` at F000:0000.
fn rom(mut code: Vec<u8>) -> Vec<u8> {
    code.resize(0x1_0000, 0);
    code[0xfff0..0xfff5].copy_from_slice(&[0xea, 0, 0, 0, 0xf0]);
    code
}

/// OUT of a byte.
fn out(code: &mut Vec<u8>, port: u16, value: u8) {
    let [low, high] = port.to_le_bytes();
    code.extend([0xba, low, high, 0xb0, value, 0xee]);
}

/// An indexed register.
fn set(code: &mut Vec<u8>, port: u16, index: u8, value: u8) {
    out(code, port, index);
    out(code, port + 1, value);
}

/// OUT of a word to the extension's register `index`.
fn dispi(code: &mut Vec<u8>, index: u16, value: u16) {
    for (port, word) in [(0x1ceu16, index), (0x1cf, value)] {
        let ([port_low, port_high], [low, high]) = (port.to_le_bytes(), word.to_le_bytes());
        code.extend([0xba, port_low, port_high, 0xb8, low, high, 0xef]);
    }
}

/// A double word of the VGA's configuration space.
fn configure(code: &mut Vec<u8>, register: u32, value: u32) {
    for (port, word) in [(0xcf8u16, 0x8000_1000 | register), (0xcfc, value)] {
        code.extend([0x66, 0xb8]);
        code.extend(word.to_le_bytes());
        code.push(0xba);
        code.extend(port.to_le_bytes());
        code.extend([0x66, 0xef]);
    }
}

/// Halts for good.
fn halt(code: &mut Vec<u8>) {
    code.extend([0xfa, 0xf4]);
}

const WIDTH: u32 = 16;
const HEIGHT: u32 = 4;

fn pixel(at: u32) -> u32 {
    (at * 0x01_0305) & 0xff_ffff
}

/// 16 by 4 pixels of 32 bits, drawn through the linear frame buffer.
fn graphics_rom() -> Vec<u8> {
    const FRAME_BUFFER: u32 = 0xe000_0000;
    let mut code = Vec::new();
    configure(&mut code, 0x10, FRAME_BUFFER);
    configure(&mut code, 0x04, 2);
    for (index, value) in [(1, WIDTH as u16), (2, HEIGHT as u16), (3, 32), (4, 0x41)] {
        dispi(&mut code, index, value);
    }
    // A flat data segment, kept when protected mode is left.
    code.extend([0x2e, 0x0f, 0x01, 0x16, 0x00, 0xf0]); // lgdt cs:[f000h]
    code.extend([0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0]); // CR0.PE on
    code.extend([0xbb, 0x08, 0x00, 0x8e, 0xdb]); // mov ds, 8
    code.extend([0x24, 0xfe, 0x0f, 0x22, 0xc0]); // CR0.PE off
    for at in 0..WIDTH * HEIGHT {
        code.extend([0x66, 0x67, 0xc7, 0x05]); // mov dword [address], value
        code.extend((FRAME_BUFFER + 4 * at).to_le_bytes());
        code.extend(pixel(at).to_le_bytes());
    }
    halt(&mut code);
    let mut rom = rom(code);
    // The GDT's limit and address, and the GDT: nothing, and flat data.
    rom[0xf000..0xf006].copy_from_slice(&[15, 0, 0x10, 0xf0, 0x0f, 0]);
    rom[0xf018..0xf020].copy_from_slice(&[0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]);
    rom
}

/// Mode 3 without a font, a line of text, and an answer to the key A on screen and COM1. Then it `halts`, or goes on.
fn text_rom(halts: bool) -> Vec<u8> {
    const CRTC: [u8; 25] = [
        0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00,
        0x00, 0x9c, 0x0e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
    ];
    let mut code = Vec::new();
    out(&mut code, 0x3c2, 0x67);
    for (index, value) in (0..).zip([3, 0, 3, 0, 2]) {
        set(&mut code, 0x3c4, index, value);
    }
    for (index, value) in (0..).zip(CRTC) {
        set(&mut code, 0x3d4, index, value);
    }
    for (index, value) in (0..).zip([0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff]) {
        set(&mut code, 0x3ce, index, value);
    }
    code.extend([0xba, 0xda, 0x03, 0xec]); // Reading 3DAh: the index comes first.
    for (index, value) in [(0x10, 0x0c), (0x11, 0), (0x12, 15), (0x13, 8)] {
        out(&mut code, 0x3c0, index);
        out(&mut code, 0x3c0, value);
    }
    out(&mut code, 0x3c0, 0x20);
    code.extend([0xb8, 0x00, 0xb8, 0x8e, 0xc0]); // mov es, b800h
    write(&mut code, 160, "rax screen test");
    // Until the key A has gone down: its code in set 1 is 1Eh.
    code.extend([0xe4, 0x64, 0xa8, 0x01, 0x74, 0xfa]);
    code.extend([0xe4, 0x60, 0x3c, 0x1e, 0x75, 0xf4]);
    write(&mut code, 320, "KEY");
    for byte in *b"key\n" {
        out(&mut code, 0x3f8, byte);
    }
    if halts {
        halt(&mut code);
    }
    code.extend([0xeb, 0xfe]);
    rom(code)
}

/// White on blue at an offset into the text memory.
fn write(code: &mut Vec<u8>, offset: u16, text: &str) {
    for (at, byte) in (offset..).step_by(2).zip(text.bytes()) {
        let [low, high] = at.to_le_bytes();
        code.extend([0x26, 0xc7, 0x06, low, high, byte, 0x1f]); // mov word es:[offset], ..
    }
}

fn bench(rom: Vec<u8>, tap: &SerialTap) -> Bench {
    let fittings = Fittings {
        serial: vec![tap.listen(Box::new(MemoryConsole::new()))],
        vga: true,
        ..Fittings::default()
    };
    Bench::with(Boot::Rom(rom), 16 << 20, fittings)
}

/// A guest that draws and halts for good is over, unless somebody looks at its picture.
#[test]
fn a_picture_is_shown_after_the_guest_has_halted() {
    let mut code = Vec::new();
    halt(&mut code);
    let looked_at = |awaited: Option<&str>| {
        let script = awaited.map(|text| Automation::new(SerialTap::default()).wait_text(text));
        Onlookers {
            feed: Some(ScreenFeed::new(Screen::default())),
            script: script.map(Result::unwrap),
            ..Onlookers::default()
        }
    };
    let run = |mut onlookers: Onlookers| {
        let mut bench = bench(rom(code.clone()), &SerialTap::default());
        bench.run_for(Duration::from_millis(50), &mut onlookers)
    };
    assert!(matches!(run(looked_at(None)), End::Timeout));
    assert!(matches!(run(Onlookers::default()), End::Halted));
    // What is awaited will not come.
    assert!(matches!(run(looked_at(Some("C:"))), End::Halted));
}

#[test]
fn what_is_drawn_in_the_frame_buffer_is_in_the_picture() {
    let expected = Frame {
        width: WIDTH as usize,
        height: HEIGHT as usize,
        pixels: (0..WIDTH * HEIGHT).map(pixel).collect(),
    };
    for compiles in [false, true] {
        let mut bench = bench(graphics_rom(), &SerialTap::default());
        let options = Options {
            threshold: 0,
            ..Options::default()
        };
        if compiles && let Ok(jit) = Jit::new(&bench.machine.cpu, options) {
            bench.machine.set_engine(Box::new(jit));
        }
        let mut seen = None;
        assert!(bench.machine.take_screen_change(&mut seen));
        let end = bench.run(1_000_000);
        assert!(matches!(end, End::Halted), "{end:?}");
        assert_eq!(bench.machine.frame().as_ref(), Some(&expected));
        assert!(bench.machine.text_screen().is_none());
        assert!(bench.machine.take_screen_change(&mut seen));
        assert!(!bench.machine.take_screen_change(&mut seen));
    }
}

#[test]
fn a_script_waits_types_and_waits_again() {
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("t.png");
    let text = format!(
        "wait-text screen\nkey a\nwait-text ^KEY$\nwait-text key\nscreenshot {}\nquit",
        picture.display()
    );
    let run = || {
        let tap = SerialTap::default();
        let mut bench = bench(text_rom(false), &tap);
        let mut script = Automation::new(tap);
        for (origin, step) in parse(&text, "t.rax".as_ref()).unwrap() {
            script.push(origin, step);
        }
        let end = bench.run_with(300_000_000, &mut script);
        assert!(matches!(end, End::Scripted), "{end:?}");
        assert!(script.awaited().is_none());
        let screen = bench.machine.text_screen().unwrap();
        assert_eq!(screen.row(1), "rax screen test");
        assert_eq!((screen.columns, screen.rows), (80, 25));
        assert_eq!(&std::fs::read(&picture).unwrap()[1..4], b"PNG");
        bench.machine.cpu.state.instructions
    };
    assert_eq!(run(), run(), "a scripted run repeats");
}

#[test]
fn what_does_not_come_stays_awaited() {
    let tap = SerialTap::default();
    let mut bench = bench(text_rom(false), &tap);
    let mut script = Automation::new(tap)
        .wait_text("screen test")
        .unwrap()
        .type_text("b")
        .unwrap()
        .wait_text("KEY")
        .unwrap();
    let end = bench.run_with(30_000_000, &mut script);
    assert!(matches!(end, End::Instructions), "{end:?}");
    assert_eq!(
        script.awaited().map(|pattern| pattern.as_str()),
        Some("KEY")
    );
}

/// The command line: pictures, exit codes, and what is refused.
mod command {
    use super::*;
    use crate::cli::{Files, refused, run};

    /// A file with a ROM in it.
    fn rom_file(files: &Files, rom: &[u8]) -> String {
        std::fs::write(files.path("rom"), rom).unwrap();
        files.text("rom")
    }

    /// Where a desktop is found by a variable, tests run without.
    const NAMES_ITS_DESKTOP: bool = cfg!(all(unix, not(target_vendor = "apple")));

    const QUIET: [&str; 6] = ["run", "--clock", "virtual", "--serial", "none", "--bios"];

    #[test]
    fn a_screenshot_holds_the_pixels() {
        let files = Files::new();
        let rom = rom_file(&files, &graphics_rom());
        let png = files.text("s.png");
        let outcome = run(&[&QUIET[..], &[&rom, "--screenshot", &png]].concat());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let file = std::fs::File::open(&png).unwrap();
        let decoder = png::Decoder::new(std::io::BufReader::new(file));
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.width, info.height), (WIDTH, HEIGHT));
        let pixels: Vec<u32> = bytes
            .chunks(3)
            .map(|rgb| u32::from_be_bytes([0, rgb[0], rgb[1], rgb[2]]))
            .collect();
        let expected: Vec<u32> = (0..WIDTH * HEIGHT).map(pixel).collect();
        assert_eq!(pixels, expected);
    }

    #[test]
    fn the_exit_code_says_whether_the_text_came() {
        let files = Files::new();
        let rom = rom_file(&files, &text_rom(true));
        let with = |words: &[&str]| run(&[&QUIET[..], &[&rom], words].concat());
        let waits = ["--wait-text", "screen", "--type", "a", "--wait-text", "KEY"];
        assert_eq!(with(&waits).code, Some(0));
        let sends = ["run", "--wait-text", "^> $", "--send", r"mem\n"];
        let sends = run(&[&sends[..], &["--wait-text", r"total[^>]*> $"]].concat());
        assert_eq!(sends.code, Some(0), "{}", sends.stderr);
        let never = with(&["--wait-text", "nothing", "--max-instructions", "1000000"]);
        assert_eq!(never.code, Some(124), "{}", never.stderr);
        assert!(never.stderr.contains("nothing"), "{}", never.stderr);
        let late = with(&["--wait-text", "nothing", "--timeout", "0.2"]);
        assert_eq!(late.code, Some(124), "{}", late.stderr);
        // The guest ends before it has said what was awaited.
        let script = files.text("s.rax");
        std::fs::write(&script, "wait-text test\nkey a\nwait-text never\n").unwrap();
        assert_eq!(with(&["--script", &script]).code, Some(124));
        std::fs::write(&script, "wait-text test\ninsert z disk.img\n").unwrap();
        let failed = with(&["--script", &script]);
        assert_eq!(failed.code, Some(2));
        assert!(failed.stderr.contains("s.rax:2: "), "{}", failed.stderr);
    }

    #[test]
    fn bad_inputs_are_refused_in_one_line() {
        let files = Files::new();
        let missing = files.text("missing");
        let bad_script = files.text("bad.rax");
        std::fs::write(&bad_script, "wait-text x\nfly\n").unwrap();
        let no_rom = files.text("no.rom");
        std::fs::write(&no_rom, b"text").unwrap();
        let nowhere = files.text("none/s.png");
        refused(&["--vga", "ega"], &["--vga"]);
        refused(&["--vga-bios", &missing], &["--vga-bios", "missing"]);
        refused(&["--vga-bios", &no_rom], &["--vga-bios", "55 AA"]);
        refused(&["--screenshot", &nowhere], &["--screenshot", "s.png"]);
        refused(&["--script", &missing], &["--script", "missing"]);
        refused(
            &["--script", &bad_script],
            &["bad.rax:2: ", "'fly'", "--script"],
        );
        refused(&["--wait-text", "a("], &["--wait-text"]);
        refused(&["--type", "é"], &["--type", "é"]);
        refused(&["--display", "x11"], &["--display"]);
        refused(&["--display", "terminal"], &["--display terminal"]);
        if NAMES_ITS_DESKTOP {
            refused(&["--display", "window"], &["--display window", "vnc"]);
        }
        refused(&["--display", "vnc=8.8.8.8:1"], &["--vnc-password"]);
        let words = ["--display", "vnc=0", "--vnc-password", &missing];
        refused(&words, &["--vnc-password", "missing"]);
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("vnc={}", taken.local_addr().unwrap());
        refused(&["--display", &address], &["--display", "listen"]);
    }
}
