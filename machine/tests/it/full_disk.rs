//! A host's disk that is full: the guest's write fails and rax says so, and what was flushed before is there.
//!
//! A limit on the size of files stands for the full disk; it needs no privileges.

use std::process::Command;

use crate::cli::Files;

const PATTERN: u16 = 0x5a41;
const WRITE_SECTORS: u8 = 0x30;
const FLUSH_CACHE: u8 = 0xe7;
/// A sector within the limit, and one far beyond it.
const NEAR: u8 = 3;
const FAR: u8 = 0xf0;

/// Code of real mode, as bytes.
#[derive(Default)]
struct Code(Vec<u8>);

impl Code {
    fn out(&mut self, port: u16, value: u8) {
        let [low, high] = port.to_le_bytes();
        self.0.extend([0xba, low, high, 0xb0, value, 0xee]); // mov dx, port; mov al, value; out dx, al
    }

    /// Until `mask` has the value `wanted` in the status register.
    fn wait(&mut self, mask: u8, wanted: u8) {
        self.0.extend([0xba, 0xf7, 0x01]); // mov dx, 1f7h
        self.0.extend([0xec, 0x24, mask, 0x3c, wanted, 0x75, 0xf9]); // in al, dx; and; cmp; jne
    }

    fn command(&mut self, command: u8, sector: u8) {
        for (port, value) in [(0x1f6, 0xe0), (0x1f2, 1), (0x1f3, sector), (0x1f4, sector)] {
            self.out(port, value);
        }
        self.out(0x1f5, 0);
        self.out(0x1f7, command);
    }

    /// Writes a sector.
    fn write(&mut self, sector: u8) {
        self.command(WRITE_SECTORS, sector);
        self.wait(0x88, 0x08);
        let [low, high] = PATTERN.to_le_bytes();
        self.0
            .extend([0xb8, low, high, 0xb9, 0x00, 0x01, 0xba, 0xf0, 0x01]); // ax, cx = 256, dx = 1f0h
        self.0.extend([0xef, 0xe2, 0xfd]); // out dx, ax; loop
        self.wait(0x80, 0);
    }

    /// Tells whether the last command failed by the exit code: 3 or 1.
    fn tell(&mut self) {
        self.0
            .extend([0xba, 0xf7, 0x01, 0xec, 0x24, 0x01, 0xe6, 0xf4]); // in al, 1f7h; and al, 1; out f4h, al
    }
}

fn rom(code: Code) -> Vec<u8> {
    let mut rom = code.0;
    rom.resize(0x1_0000, 0);
    rom[0xfff0..0xfff5].copy_from_slice(&[0xea, 0, 0, 0, 0xf0]);
    rom
}

/// Runs a guest under a limit of 64 or 128 KiB for files, which depends on the shell.
fn run_limited(files: &Files, code: Code, image: &str) -> (Option<i32>, String) {
    std::fs::write(files.path("rom"), rom(code)).unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 128; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_rax"))
        .args([
            "run", "--clock", "virtual", "--serial", "none", "--engine", "interp",
        ])
        .args(["--debug-exit", "0xf4", "--timeout", "60", "--disk", image])
        .args(["--bios", &files.text("rom")])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

/// The sector that [`Code::command`] means.
fn place(sector: u8) -> usize {
    usize::from(u16::from_le_bytes([sector, sector])) * 512
}

fn image(files: &Files) -> String {
    let path = files.path("disk.img");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(64 << 20)
        .unwrap();
    files.text("disk.img")
}

#[test]
fn what_was_flushed_is_there_and_what_fails_is_told() {
    let files = Files::new();
    let mut code = Code::default();
    code.write(0);
    code.command(FLUSH_CACHE, 0);
    code.wait(0x80, 0);
    code.write(FAR);
    code.tell();
    let image = image(&files);
    let (status, said) = run_limited(&files, code, &image);
    assert_eq!(status, Some(3), "the guest was not told: {said}");
    let sector = place(FAR) / 512;
    let told = format!("sector {sector} cannot be written");
    assert!(said.contains(&told) && said.contains("disk.img"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let bytes = std::fs::read(files.path("disk.img")).unwrap();
    assert_eq!(bytes.len(), 64 << 20);
    let pattern = PATTERN.to_le_bytes().repeat(256);
    assert_eq!(bytes[..512], pattern);
    assert!(bytes[512..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_snapshot_that_finds_no_room_fails_the_guests_write_only() {
    let files = Files::new();
    let mut code = Code::default();
    for sector in 0..=NEAR {
        code.write(sector);
        code.write(FAR - sector);
    }
    code.tell();
    let image = image(&files);
    let (status, said) = run_limited(&files, code, &format!("{image},snapshot"));
    assert_eq!(status, Some(3), "the guest was not told: {said}");
    assert!(said.contains("cannot be written"), "{said}");
    let bytes = std::fs::read(files.path("disk.img")).unwrap();
    assert!(bytes.iter().all(|&byte| byte == 0));
}
