//! Tests of the image and its tables; what its code does is tested where there is a machine.

use std::collections::HashSet;
use std::time::Instant;

use super::asm::section;
use super::dac::{Palette, table};
use super::font::FONTS;
use super::vbe::{ddc, info, modes, protected};
use super::{MAX_SIZE, PCIR, image, parameters};

fn word(bytes: &[u8], offset: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[offset], bytes[offset + 1]]))
}

#[test]
fn image_is_an_option_rom_of_its_size() {
    let image = image();
    assert_eq!(image[..2], [0x55, 0xAA]);
    assert_eq!(usize::from(image[2]) * 512, image.len());
    assert!(image.len() <= MAX_SIZE);
    assert_eq!(
        image.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)),
        0
    );
}

#[test]
fn image_names_its_pci_device() {
    let image = image();
    let pcir = word(&image, 0x18);
    assert_eq!(pcir, PCIR);
    assert_eq!(&image[pcir..pcir + 4], b"PCIR");
    assert_eq!(
        [word(&image, pcir + 4), word(&image, pcir + 6)],
        [0x1234, 0x1111]
    );
    assert_eq!(word(&image, pcir + 10), 0x18);
    assert_eq!(image[pcir + 13..pcir + 16], [0x00, 0x00, 0x03]);
    assert_eq!(word(&image, pcir + 0x10) * 512, image.len());
    assert_eq!(image[pcir + 0x15], 0x80);
    assert_eq!(&image[0x1E..0x21], b"IBM");
}

#[test]
fn init_is_inside_the_image_and_starts_by_saving() {
    let image = image();
    assert_eq!(image[3], 0xE9);
    let init = word(&image, 4) + 6;
    // PUSHFD.
    assert_eq!(image[init..init + 2], [0x66, 0x9C]);
}

#[test]
fn image_is_the_same_each_time_and_built_quickly() {
    let start = Instant::now();
    let first = image();
    // Generous: it takes a few milliseconds, and the host may be busy.
    assert!(start.elapsed().as_millis() < 1000);
    assert!(first == image());
}

#[test]
fn fonts_are_complete_and_in_the_image() {
    let image = image();
    for font in FONTS {
        assert!(font.is_complete(), "{}", font.name);
        let bytes = font.bytes();
        assert_eq!(bytes.len(), 256 * font.height);
        assert!(
            image.windows(bytes.len()).any(|window| window == bytes),
            "{}",
            font.name
        );
    }
}

#[test]
fn glyphs_differ_except_blanks() {
    for font in FONTS {
        let bytes = font.bytes();
        let glyphs: Vec<&[u8]> = bytes.chunks(font.height).collect();
        let blank = vec![0; font.height];
        for code in [0x00, 0x20, 0xFF] {
            assert_eq!(glyphs[code], blank);
        }
        assert_eq!(glyphs[0xDB], vec![0xFF; font.height]);
        for code in (0x21..0x7F).chain(0xB3..0xDB) {
            assert_ne!(glyphs[code], blank, "{code:#x}");
        }
        let letters: HashSet<&[u8]> = glyphs[0x21..0x7F].iter().copied().collect();
        assert_eq!(letters.len(), 0x7F - 0x21, "{}", font.name);
    }
}

/// Entries of IBM's table that every VGA's BIOS has alike.
#[test]
fn parameters_are_those_of_the_vga() {
    let bytes = parameters::bytes();
    assert_eq!(bytes.len(), parameters::COUNT * 64);
    let entry = |index: usize| &bytes[index * 64..index * 64 + 64];
    let mode_3: [u8; 64] = [
        80, 24, 16, 0x00, 0x10, 0x00, 0x03, 0x00, 0x02, 0x67, 0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81,
        0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F,
        0x96, 0xB9, 0xA3, 0xFF, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A,
        0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C, 0x00, 0x0F, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
        0x0E, 0x00, 0xFF,
    ];
    assert_eq!(entry(0x18), mode_3);
    let mode_12: [u8; 64] = [
        80, 29, 16, 0x00, 0xA0, 0x01, 0x0F, 0x00, 0x06, 0xE3, 0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80,
        0x0B, 0x3E, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xEA, 0x8C, 0xDF, 0x28, 0x00,
        0xE7, 0x04, 0xE3, 0xFF, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A,
        0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x01, 0x00, 0x0F, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x05, 0x0F, 0xFF,
    ];
    assert_eq!(entry(0x1B), mode_12);
    let mode_13: [u8; 64] = [
        40, 24, 8, 0x00, 0x20, 0x01, 0x0F, 0x00, 0x0E, 0x63, 0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80,
        0xBF, 0x1F, 0x00, 0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x40,
        0x96, 0xB9, 0xA3, 0xFF, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A,
        0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x41, 0x00, 0x0F, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40,
        0x05, 0x0F, 0xFF,
    ];
    assert_eq!(entry(0x1C), mode_13);
}

#[test]
fn every_mode_has_an_entry_of_its_size() {
    let bytes = parameters::bytes();
    for (lines, entries) in [200, 350, 400]
        .into_iter()
        .zip(parameters::entries_by_mode())
    {
        assert_eq!(entries.len(), 0x14);
        for (mode, entry) in entries.iter().enumerate() {
            let entry = &bytes[usize::from(*entry) * 64..][..64];
            let shown = usize::from(entry[1] + 1) * usize::from(entry[2]);
            let expected = match mode {
                0..=3 => lines,
                7 => lines.max(350),
                0x0F | 0x10 => 350,
                0x11 | 0x12 => 480,
                _ => 200,
            };
            assert_eq!(shown, expected, "mode {mode:#x}, {lines} lines");
        }
    }
}

#[test]
fn palettes_hold_their_landmarks() {
    let entry = |palette, index: usize| table(palette)[index * 3..index * 3 + 3].to_vec();
    assert_eq!(table(Palette::Wheels).len(), 768);
    for palette in [Palette::Cga, Palette::Ega, Palette::Mono] {
        assert_eq!(table(palette).len(), 192);
    }
    // Brown is index 6 of the CGA and 14h of the EGA.
    assert_eq!(entry(Palette::Cga, 0x06), [0x2A, 0x15, 0x00]);
    assert_eq!(entry(Palette::Ega, 0x14), [0x2A, 0x15, 0x00]);
    assert_eq!(entry(Palette::Ega, 0x3F), [0x3F, 0x3F, 0x3F]);
    assert_eq!(entry(Palette::Wheels, 0x0F), [0x3F, 0x3F, 0x3F]);
    assert_eq!(entry(Palette::Wheels, 0x20), [0x00, 0x00, 0x3F]);
    assert_eq!(entry(Palette::Wheels, 0x28), [0x3F, 0x00, 0x00]);
    assert_eq!(entry(Palette::Wheels, 0x2C), [0x3F, 0x3F, 0x00]);
    assert_eq!(entry(Palette::Wheels, 0x30), [0x00, 0x3F, 0x00]);
    assert_eq!(entry(Palette::Wheels, 0x37), [0x00, 0x10, 0x3F]);
    assert_eq!(entry(Palette::Wheels, 0xF7), [0x0B, 0x0C, 0x10]);
}

#[test]
fn vbe_modes_are_unique_and_fit_the_info_block() {
    let modes = modes::all();
    assert!(modes.len() < info::MAX_MODES);
    let numbers: HashSet<u16> = modes.iter().map(|mode| mode.number).collect();
    assert_eq!(numbers.len(), modes.len());
    let with_pixels: Vec<_> = modes
        .iter()
        .filter(|mode| mode.depth != modes::TEXT)
        .collect();
    let shapes: HashSet<_> = with_pixels
        .iter()
        .map(|mode| (mode.width, mode.height, mode.depth))
        .collect();
    assert_eq!(shapes.len(), with_pixels.len());
    for mode in modes {
        assert!((0x100..0x200).contains(&mode.number));
        // Lines and cells in whole eight bytes, for scrolling through the window; columns in a byte.
        assert_eq!(mode.width % 8, 0, "{mode:?}");
        assert!(mode.width <= 2560 && mode.height <= 1600);
    }
}

#[test]
fn wide_modes_have_the_numbers_that_programs_know() {
    let modes = modes::all();
    let shape = |number| {
        let mode = modes.iter().find(|mode| mode.number == number).unwrap();
        (mode.width, mode.height, mode.depth)
    };
    for (number, width, height, depth) in [
        (0x175, 1280, 768, 16),
        (0x17A, 1280, 800, 32),
        (0x17D, 1280, 960, 32),
        (0x180, 1440, 900, 32),
        (0x183, 1400, 1050, 32),
        (0x186, 1680, 1050, 32),
        (0x189, 1920, 1200, 32),
        (0x18C, 2560, 1600, 32),
        (0x18F, 1280, 720, 32),
        (0x190, 1920, 1080, 16),
        (0x192, 1920, 1080, 32),
        (0x195, 1600, 900, 32),
        (0x198, 2560, 1440, 32),
    ] {
        assert_eq!(shape(number), (width, height, depth), "{number:#x}");
    }
}

#[test]
fn edid_has_its_header_and_checksum() {
    let edid = ddc::edid();
    assert_eq!(edid[..8], [0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]);
    assert_eq!(
        edid.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)),
        0
    );
    // The clock of the preferred timing, in 10 kHz.
    assert_eq!(word(&edid, 54), 6500);
}

#[test]
fn protected_mode_interface_has_three_services_and_its_ports() {
    let code = section(32, protected::interface).unwrap();
    let [window, start, palette, ports] = [0, 2, 4, 6].map(|offset| word(&code, offset));
    assert_eq!(window, 8);
    assert!(window < start && start < palette && palette < ports);
    // Each service ends before the next begins; RET.
    for end in [start, palette, ports] {
        assert_eq!(code[end - 1], 0xC3);
    }
    let used: Vec<usize> = code[ports..].chunks(2).map(|port| word(port, 0)).collect();
    assert_eq!(
        used,
        [0x1CE, 0x1CF, 0x3C7, 0x3C8, 0x3C9, 0x3DA, 0xFFFF, 0xFFFF]
    );
}
