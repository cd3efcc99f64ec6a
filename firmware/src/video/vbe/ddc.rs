//! VBE function 15h: the monitor's identification (VBE/DDC 1.0), an EDID 1.3 block for 1024x768 at 60 Hz and the
//! sizes around it.

use crate::video::prelude::*;

/// The bytes of a block.
pub(crate) const SIZE: usize = 128;

/// The block (VESA E-EDID 1.3, section 3).
pub(crate) fn edid() -> [u8; SIZE] {
    let mut block = [0; SIZE];
    block[..8].copy_from_slice(&[0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]);
    // Manufacturer RAX, five bits a letter; product 1, no serial number, week 1 of 2026, version 1.3.
    let letters = b"RAX"
        .iter()
        .fold(0_u16, |id, letter| id << 5 | u16::from(letter - b'@'));
    block[8..10].copy_from_slice(&letters.to_be_bytes());
    block[10] = 1;
    block[16..20].copy_from_slice(&[1, 36, 1, 3]);
    // Analogue 0.7 V with separate syncs; 32 cm by 24 cm; gamma 2.2; sRGB, first timing preferred, all power states.
    block[20..25].copy_from_slice(&[0x08, 32, 24, 120, 0xEE]);
    // sRGB's chromaticities.
    block[25..35].copy_from_slice(&[0xEE, 0x91, 0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54]);
    // 720x400 at 70, 640x480 and 800x600 and 1024x768 at 60 Hz.
    block[35..38].copy_from_slice(&[0xA1, 0x08, 0x00]);
    block[38..54].copy_from_slice(&standard_timings());
    block[54..72].copy_from_slice(&PREFERRED);
    block[72..90].copy_from_slice(&text_descriptor(0xFC, b"rax display\n "));
    // The ranges: 50 to 75 Hz, 30 to 80 kHz, 200 MHz.
    block[90..108].copy_from_slice(&[
        0, 0, 0, 0xFD, 0, 50, 75, 30, 80, 20, 0, 0x0A, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20,
    ]);
    block[108..126].copy_from_slice(&text_descriptor(0xFF, b"1\n           "));
    let sum = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    block[SIZE - 1] = sum.wrapping_neg();
    block
}

/// 1024x768 at 60 Hz: 65 MHz, 1344 by 806 in all.
const PREFERRED: [u8; 18] = [
    0x64, 0x19, 0x00, 0x40, 0x41, 0x00, 0x26, 0x30, 0x18, 0x88, 0x36, 0x00, 0x40, 0xF0, 0x10, 0x00,
    0x00, 0x18,
];

/// Sizes at 60 Hz: the width, and the aspect in bits 6 and 7 (0: 16:10, 1: 4:3, 2: 5:4, 3: 16:9).
fn standard_timings() -> [u8; 16] {
    let sizes = [
        (1280, 2),
        (1600, 1),
        (1280, 0),
        (1280, 3),
        (1440, 0),
        (1680, 0),
        (1920, 3),
        (1920, 0),
    ];
    let mut timings = [0; 16];
    for (pair, (width, aspect)) in timings.chunks_mut(2).zip(sizes) {
        pair[0] = u8::try_from(width / 8 - 31).expect("narrower than 2296 pixels");
        pair[1] = aspect << 6;
    }
    timings
}

fn text_descriptor(tag: u8, text: &[u8; 13]) -> [u8; 18] {
    let mut descriptor = [0; 18];
    descriptor[3] = tag;
    descriptor[5..].copy_from_slice(text);
    descriptor
}

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.data("edid", &edid())?;
    // BL=0: DDC2, in at most a second; BL=1: block DX at ES:DI.
    a.name("vbe_ddc")?;
    x86!(a: cmp bl, 1;);
    a.when(Is::Below, |a| {
        x86!(a: mov word_ptr(bp + frame::BX), 0x0102;);
        a.go("vbe_done")
    })?;
    a.go_if(Is::NotEqual, "vbe_failed")?;
    x86!(a: test dx, dx;);
    a.go_if(Is::NONZERO, "vbe_failed")?;
    a.point(si, "edid")?;
    x86!(a:
        push ds;
        push cs;
        pop ds;
        mov cx, i32::try_from(SIZE).expect("128");
        rep_movsb;
        pop ds;
    );
    a.go("vbe_done")
}
