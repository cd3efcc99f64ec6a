//! The window at A0000h: what a guest does there is the same whether the adapter or memory answers.

use rax_machine::{Boot, End};
use rax_mmu::PhysicalAddress;

use super::{dispi, halt, out, rom, set};
use crate::support::Bench;

/// The registers of mode 13h that the way to the memory depends on.
fn chain(code: &mut Vec<u8>) {
    out(code, 0x3c2, 0x63);
    for (index, value) in (0..).zip([0x03, 0x01, 0x0f, 0x00, 0x0e]) {
        set(code, 0x3c4, index, value);
    }
    for (index, value) in (0..).zip([0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff]) {
        set(code, 0x3ce, index, value);
    }
}

/// ES is the window, DI is zero.
fn point_at_window(code: &mut Vec<u8>) {
    code.extend([0xb8, 0x00, 0xa0, 0x8e, 0xc0, 0x31, 0xff]);
}

/// Runs to the end, halted.
fn ran(code: Vec<u8>) -> Bench {
    let mut bench = Bench::with_screen(Boot::Rom(rom(code)), 2 << 20, None);
    let end = bench.run(10_000_000);
    assert!(matches!(end, End::Halted), "{end:?}");
    bench
}

fn memory(bench: &Bench, address: u64) -> [u8; 4] {
    let mut bytes = [0; 4];
    let memory = bench.machine.memory();
    memory
        .ram_read(PhysicalAddress(address), &mut bytes)
        .unwrap();
    bytes
}

/// Four pixels are read in mode 13h and copied at once in write mode 1.
#[test]
fn reads_of_chained_planes_load_the_latches() {
    // Also after so many bytes that memory was mapped there; then they come a second time.
    for screens in [0, 1, 8] {
        let mut code = Vec::new();
        chain(&mut code);
        point_at_window(&mut code);
        for _ in 0..screens {
            code.extend([0x31, 0xc0, 0xb9, 0x00, 0x80, 0xf3, 0xab]); // 8000h words of zero
        }
        for _ in 0..2 {
            code.extend([0x26, 0x66, 0xc7, 0x06, 0x90, 0x01, 1, 2, 3, 4]); // dword es:[400]
            code.extend([0x26, 0xa0, 0x91, 0x01]); // mov al, es:[401]
            set(&mut code, 0x3c4, 4, 0x06);
            set(&mut code, 0x3ce, 5, 0x41);
            code.extend([0x26, 0xa2, 0x50, 0x00]); // mov es:[80], al
            set(&mut code, 0x3ce, 5, 0x40);
            set(&mut code, 0x3c4, 4, 0x0e);
        }
        code.extend([0x66, 0x26, 0xa1, 0x50, 0x00]); // mov eax, es:[80]
        code.extend([0x31, 0xdb, 0x8e, 0xdb, 0x66, 0xa3, 0x00, 0x05]); // to 0:500h
        halt(&mut code);
        assert_eq!(memory(&ran(code), 0x500), [1, 2, 3, 4], "{screens}");
    }
}

/// Each bank of a screen of 32 bits a pixel gets its number, and the first pixel of each is read back.
#[test]
fn banks_are_written_and_read_through_the_window() {
    const BANKS: u16 = 19;
    let mut code = Vec::new();
    for (index, value) in [(1, 640), (2, 480), (3, 32), (4, 0x01)] {
        dispi(&mut code, index, value);
    }
    point_at_window(&mut code);
    code.extend([0x31, 0xdb, 0x8e, 0xdb]); // DS is zero
    for bank in 0..BANKS {
        dispi(&mut code, 5, bank);
        let number = bank as u8;
        code.extend([0xb8, number, number, 0xb9, 0x00, 0x80, 0xf3, 0xab]); // 8000h words
    }
    for bank in 0..BANKS {
        dispi(&mut code, 5, bank);
        let [low, high] = (0x500 + bank).to_le_bytes();
        code.extend([0x26, 0xa0, 0x34, 0x12, 0xa2, low, high]); // from es:[1234h] to the list
    }
    halt(&mut code);
    let bench = ran(code);
    let pixels = bench.machine.frame().unwrap().pixels;
    for (number, &pixel) in pixels.iter().enumerate() {
        let bank = u32::try_from(number / 0x4000).unwrap();
        let shown = if bank < u32::from(BANKS) {
            bank * 0x01_0101
        } else {
            0
        };
        assert_eq!(pixel, shown, "pixel {number}");
    }
    assert_eq!(memory(&bench, 0x500), [0, 1, 2, 3]);
    assert_eq!(memory(&bench, 0x50f), [15, 16, 17, 18]);
}
