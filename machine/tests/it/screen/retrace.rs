//! The interrupt at the vertical retrace, as a guest gets it.

use rax_machine::{Boot, End};
use rax_mmu::PhysicalAddress;

use super::{halt, out, rom, set};
use crate::support::Bench;

/// Text of 400 lines, the retrace's interrupt armed by bits 4 and 5 of register 11h.
const CRTC: [u8; 25] = [
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
    0x9c, 0x0e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
];
/// Where the guest counts interrupts.
const COUNT: u16 = 0x500;
const INTERRUPTS: u8 = 3;

#[test]
fn retraces_come_by_irq_9() {
    let mut code = Vec::new();
    code.extend([0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70]); // DS, SS 0, SP 7000h
    let [low, high] = COUNT.to_le_bytes();
    code.extend([0xc6, 0x06, low, high, 0]); // the count
    // Vector 71h to F000:F100.
    code.extend([
        0xc7, 0x06, 0xc4, 0x01, 0x00, 0xf1, 0xc7, 0x06, 0xc6, 0x01, 0x00, 0xf0,
    ]);
    for (first, vector, cascade) in [(0x20, 0x08, 4), (0xa0, 0x70, 2)] {
        out(&mut code, first, 0x11);
        for command in [vector, cascade, 1] {
            out(&mut code, first + 1, command);
        }
    }
    out(&mut code, 0x21, !4);
    out(&mut code, 0xa1, !2);
    out(&mut code, 0x3c2, 0x67);
    for (index, value) in (0..).zip(CRTC) {
        set(&mut code, 0x3d4, index, value);
    }
    set(&mut code, 0x3d4, 0x11, 0x1e);
    // Waits for so many.
    code.extend([0xfb, 0xf4, 0x80, 0x3e, low, high, INTERRUPTS, 0x72, 0xf8]);
    halt(&mut code);
    let mut handler = vec![0xfe, 0x06, low, high]; // inc byte [500h]
    set(&mut handler, 0x3d4, 0x11, 0x0e);
    set(&mut handler, 0x3d4, 0x11, 0x1e);
    out(&mut handler, 0xa0, 0x20);
    out(&mut handler, 0x20, 0x20);
    handler.push(0xcf);
    let mut rom = rom(code);
    rom[0xf100..0xf100 + handler.len()].copy_from_slice(&handler);
    let mut bench = Bench::with_screen(Boot::Rom(rom), 2 << 20, None);
    let end = bench.run(100_000_000);
    assert!(matches!(end, End::Halted), "{end:?}");
    let mut count = [0];
    let memory = bench.machine.memory();
    let place = PhysicalAddress(COUNT.into());
    memory.ram_read(place, &mut count).unwrap();
    assert_eq!(count, [INTERRUPTS]);
}
