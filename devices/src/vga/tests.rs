//! The adapter as a program and a monitor see it.

use proptest::prelude::*;

use super::{PlainVideoMemory, Vga, WINDOW};
use crate::conformance::{Access, Action, Probe, check, check_replay};
use crate::time::Time;

mod timing;

/// The sequencer, CRTC, graphics and attribute registers of a BIOS mode.
struct Mode {
    miscellaneous: u8,
    sequencer: &'static [u8],
    crtc: &'static [u8],
    graphics: &'static [u8],
    attribute_mode: u8,
}

/// Mode 3: 80 by 25 characters of 9 by 16 dots.
const TEXT: Mode = Mode {
    miscellaneous: 0x67,
    sequencer: &[0x03, 0x00, 0x03, 0x00, 0x02],
    crtc: &[
        0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c,
        0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
    ],
    graphics: &[0, 0, 0, 0, 0, 0x10, 0x0e, 0x0f, 0xff],
    attribute_mode: 0x0c,
};

/// Mode 12h: 640 by 480 in 16 colours.
const PLANAR: Mode = Mode {
    miscellaneous: 0xe3,
    sequencer: &[0x03, 0x01, 0x0f, 0x00, 0x06],
    crtc: &[
        0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c,
        0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff,
    ],
    graphics: &[0, 0, 0, 0, 0, 0, 0x05, 0x0f, 0xff],
    attribute_mode: 0x01,
};

/// Mode 13h: 320 by 200 in 256 colours.
const BYTES: Mode = Mode {
    miscellaneous: 0x63,
    sequencer: &[0x03, 0x01, 0x0f, 0x00, 0x0e],
    crtc: &[
        0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e,
        0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff,
    ],
    graphics: &[0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff],
    attribute_mode: 0x41,
};

/// Mode 4: 320 by 200 in four colours, as the CGA had it.
const CGA: Mode = Mode {
    miscellaneous: 0x63,
    sequencer: &[0x03, 0x09, 0x03, 0x00, 0x02],
    crtc: &[
        0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e,
        0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff,
    ],
    graphics: &[0, 0, 0, 0, 0, 0x30, 0x0f, 0x00, 0xff],
    attribute_mode: 0x01,
};

fn vga() -> Vga {
    Vga::new(Box::new(PlainVideoMemory::new(4 << 20)))
}

fn indexed(probe: &mut Probe<'_>, port: u64, index: u8, value: u8) {
    probe.write(port, index);
    probe.write(port + 1, value);
}

/// Programs a mode; colour `n` of the palette is `(n, 2n, 3n) & 63`.
fn set_mode(probe: &mut Probe<'_>, mode: &Mode) {
    probe.write(0x12, mode.miscellaneous);
    for (port, values) in [
        (0x14, mode.sequencer),
        (0x24, mode.crtc),
        (0x1e, mode.graphics),
    ] {
        if port == 0x24 {
            indexed(probe, port, 0x11, 0);
        }
        for (index, &value) in values.iter().enumerate() {
            indexed(probe, port, index as u8, value);
        }
    }
    probe.read(0x2a);
    for index in 0..16 {
        probe.write(0x10, index);
        probe.write(0x10, index);
    }
    let panning = if mode.sequencer[1] & 1 == 0 { 8 } else { 0 };
    for (index, value) in [
        (0x10, mode.attribute_mode),
        (0x12, 0x0f),
        (0x13, panning),
        (0x14, 0),
    ] {
        probe.write(0x10, index);
        probe.write(0x10, value);
    }
    probe.write(0x10, 0x20);
    probe.write(0x16, 0xff);
    probe.write(0x18, 0);
    for color in 0..=255u8 {
        for factor in 1..=3 {
            probe.write(0x19, color.wrapping_mul(factor) & 63);
        }
    }
}

fn rgb(color: u8) -> u32 {
    let part = |factor: u8| {
        let part = u32::from(color.wrapping_mul(factor) & 63);
        part << 2 | part >> 4
    };
    part(1) << 16 | part(2) << 8 | part(3)
}

#[test]
fn text_is_drawn_with_the_font_of_plane_2() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &PLANAR);
    // Line 1 of character 41h: a font lies in plane 2, 32 bytes a character.
    indexed(&mut probe, 0x14, 2, 4);
    probe.write(WINDOW + 0x41 * 32 + 1, 0b1000_0001);
    set_mode(&mut probe, &TEXT);
    let text = WINDOW + 0x1_8000;
    for (offset, byte) in [(160, 0x41), (161, 0x4e), (162, 0xc4), (163, 0x07)] {
        probe.write(text + offset, byte);
    }
    let screen = vga.text_screen().unwrap();
    assert_eq!((screen.columns, screen.rows), (80, 25));
    assert_eq!(screen.cells[80..82], [(0x41, 0x4e), (0xc4, 0x07)]);
    assert_eq!(screen.row(1), "A─");
    assert_eq!(screen.colors[15], rgb(15));

    let frame = vga.frame(Time::ZERO);
    assert_eq!((frame.width, frame.height), (720, 400));
    let line = &frame.pixels[17 * 720..18 * 720];
    assert_eq!(line[0], rgb(14));
    assert_eq!(line[1..7], [rgb(4); 6]);
    // The eighth dot is ink; the ninth is paper for letters.
    assert_eq!(line[7..9], [rgb(14), rgb(4)]);
}

#[test]
fn the_cursor_blinks_where_its_registers_say() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &TEXT);
    for (index, value) in [(0x0e, 0), (0x0f, 81), (0x0a, 13), (0x0b, 14)] {
        indexed(&mut probe, 0x24, index, value);
    }
    probe.write(WINDOW + 0x1_8000 + 163, 0x07);
    assert_eq!(vga.text_screen().unwrap().cursor, Some((1, 1)));
    let at = (16 + 13) * 720 + 9;
    assert_eq!(vga.frame(Time::ZERO).pixels[at..at + 9], [rgb(7); 9]);
    // Eight frames later, at 70 Hz, it is dark.
    assert_eq!(vga.frame(Time(120_000_000)).pixels[at], rgb(0));
}

#[test]
fn planes_give_one_bit_of_each_pixel() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &PLANAR);
    indexed(&mut probe, 0x14, 2, 0b1010);
    probe.write(WINDOW + 80, 0x81);
    let frame = vga.frame(Time::ZERO);
    assert_eq!((frame.width, frame.height), (640, 480));
    assert_eq!(frame.pixels[640], rgb(10));
    assert_eq!(frame.pixels[641..647], [rgb(0); 6]);
    assert_eq!(frame.pixels[647], rgb(10));
}

#[test]
fn a_byte_is_a_pixel_in_mode_13h_and_in_mode_x() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &BYTES);
    for pixel in [0, 1, 2, 319, 320, 63_999] {
        probe.write(WINDOW + pixel, (pixel as u8).wrapping_add(5));
    }
    assert_eq!(probe.read(WINDOW + 319), 68);
    let frame = vga.frame(Time::ZERO);
    assert_eq!((frame.width, frame.height), (320, 200));
    for pixel in [0, 1, 2, 319, 320, 63_999] {
        assert_eq!(
            frame.pixels[pixel],
            rgb((pixel as u8).wrapping_add(5)),
            "pixel {pixel}"
        );
    }
    // Unchained: addresses count in each plane.
    let mut probe = Probe::new(&mut vga);
    for (port, index, value) in [
        (0x14, 4, 6),
        (0x24, 0x14, 0),
        (0x24, 0x17, 0xe3),
        (0x14, 2, 2),
    ] {
        if port == 0x24 {
            indexed(&mut probe, port, 0x11, 0);
        }
        indexed(&mut probe, port, index, value);
    }
    probe.write(WINDOW + 80, 99);
    assert_eq!(vga.frame(Time::ZERO).pixels[320 + 1], rgb(99));
}

#[test]
fn chained_planes_lie_in_order_where_nothing_happens_to_bytes() {
    let mut vga = vga();
    set_mode(&mut Probe::new(&mut vga), &BYTES);
    for offset in [0, 1, 4, 5, 319, 64_002, 65_535] {
        Probe::new(&mut vga).write(WINDOW + offset, offset as u8 | 1);
        let mut byte = [0];
        vga.memory.read(offset as usize, &mut byte);
        assert_eq!(byte[0], offset as u8 | 1, "offset {offset}");
    }
    draw_much(&mut Probe::new(&mut vga));
    assert_eq!(vga.window_memory(), Some(0));
    // Unchained, masked, coloured, rotated, other modes, elsewhere: the adapter has work to do.
    for (port, index, value) in [
        (0x14, 4, 0x06),
        (0x14, 2, 0x07),
        (0x1e, 1, 0x01),
        (0x1e, 3, 0x01),
        (0x1e, 3, 0x08),
        (0x1e, 5, 0x41),
        (0x1e, 5, 0x48),
        (0x1e, 6, 0x09),
        (0x1e, 8, 0x7f),
    ] {
        let mut probe = Probe::new(&mut vga);
        set_mode(&mut probe, &BYTES);
        draw_much(&mut probe);
        assert_eq!(vga.window_memory(), Some(0));
        indexed(&mut Probe::new(&mut vga), port, index, value);
        assert_eq!(
            vga.window_memory(),
            None,
            "{port:x}h, index {index}: {value:x}h"
        );
    }
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &BYTES);
    draw_much(&mut probe);
    probe.write(0x12, 0x61);
    assert_eq!(vga.window_memory(), None);
}

/// Writes so much that a board may map the window.
fn draw_much(probe: &mut Probe<'_>) {
    for _ in 0..1 << 15 {
        probe.write_bytes(WINDOW, &[0; 8]).unwrap();
    }
}

#[test]
fn a_read_of_chained_planes_loads_the_latches() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &BYTES);
    // A screen is cleared, as the BIOS does it.
    for offset in (0..1 << 16).step_by(2) {
        probe.write_bytes(WINDOW + offset, &[0; 2]).unwrap();
    }
    probe.write_bytes(WINDOW + 400, &[1, 2, 3, 4]).unwrap();
    assert_eq!(probe.read(WINDOW + 401), 2);
    // Unchained, write mode 1: four pixels at once.
    indexed(&mut probe, 0x14, 4, 6);
    indexed(&mut probe, 0x1e, 5, 0x41);
    probe.write(WINDOW + 80, 0xff);
    indexed(&mut probe, 0x1e, 5, 0x40);
    indexed(&mut probe, 0x14, 4, 0xe);
    let mut bytes = [0; 8];
    // Address 80 of each plane lies at byte 80 of chained planes.
    probe.read_bytes(WINDOW + 80, &mut bytes).unwrap();
    assert_eq!(bytes[..4], [1, 2, 3, 4]);
    // No board maps the window for a program that does so.
    draw_much(&mut probe);
    assert_eq!(vga.window_memory(), None);
}

#[test]
fn cga_lines_alternate_between_two_banks() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &CGA);
    probe.write(WINDOW + 0x1_8000, 0b00_01_10_11);
    probe.write(WINDOW + 0x1_8000 + 0x2000 + 1, 0b11_00_00_00);
    let frame = vga.frame(Time::ZERO);
    assert_eq!((frame.width, frame.height), (320, 200));
    assert_eq!(frame.pixels[..4], [rgb(0), rgb(1), rgb(2), rgb(3)]);
    assert_eq!(frame.pixels[320 + 4], rgb(3));
}

#[test]
fn a_split_screen_shows_address_zero_below() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &PLANAR);
    probe.write(WINDOW, 0xff);
    // The start address is 80 lines down; from line 101 on address 0 is shown.
    for (index, value) in [(0x0c, 0x19), (0x0d, 0), (0x18, 100), (7, 0x2e), (9, 0)] {
        if index == 7 {
            indexed(&mut probe, 0x24, 0x11, 0);
        }
        indexed(&mut probe, 0x24, index, value);
    }
    let frame = vga.frame(Time::ZERO);
    assert_eq!(frame.pixels[0], rgb(0));
    assert_eq!(frame.pixels[101 * 640], rgb(15));
}

#[test]
fn the_frame_has_the_proportions_of_the_screen() {
    let size = |mode: &Mode, changes: &[(u64, u8, u8)]| {
        let mut vga = vga();
        let mut probe = Probe::new(&mut vga);
        set_mode(&mut probe, mode);
        indexed(&mut probe, 0x24, 0x11, 0);
        for &(port, index, value) in changes {
            indexed(&mut probe, port, index, value);
        }
        let frame = vga.frame(Time::ZERO);
        assert_eq!(frame.pixels.len(), frame.width * frame.height);
        [frame.width, frame.height]
    };
    // 320 by 200, 100, 50 and 400 pixels of 256 colours.
    assert_eq!(size(&BYTES, &[]), [320, 200]);
    assert_eq!(size(&BYTES, &[(0x24, 9, 0x43)]), [320, 200]);
    assert_eq!(size(&BYTES, &[(0x24, 9, 0xc3)]), [320, 200]);
    assert_eq!(size(&BYTES, &[(0x24, 9, 0x40)]), [640, 400]);
    // 40 columns of text, with lines scanned once and twice.
    let narrow = [(0x14, 1, 0x08), (0x24, 1, 39)];
    assert_eq!(size(&TEXT, &narrow), [720, 400]);
    let low = [narrow[0], narrow[1], (0x24, 9, 0xc7)];
    assert_eq!(size(&TEXT, &low), [360, 200]);
    // 640 by 240 pixels, and 320 by 480.
    assert_eq!(size(&PLANAR, &[(0x24, 9, 0xc0)]), [640, 480]);
    let narrow = [(0x14, 1, 0x09), (0x24, 1, 39)];
    assert_eq!(size(&PLANAR, &narrow), [640, 480]);
}

#[test]
fn pixels_repeat_where_they_are_wider_than_high() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &BYTES);
    indexed(&mut probe, 0x24, 9, 0x40);
    probe.write(WINDOW + 1, 5);
    probe.write(WINDOW + 320, 7);
    let frame = vga.frame(Time::ZERO);
    assert_eq!(frame.pixels[..5], [0, 0, 5, 5, 0].map(rgb));
    assert_eq!(frame.pixels[640..643], [7, 7, 0].map(rgb));
}

/// Sets colour 0 of the palette to a shade of red.
fn set_background(probe: &mut Probe<'_>, red: u8) {
    for (port, value) in [(0x18, 0), (0x19, red), (0x19, 0), (0x19, 0)] {
        probe.write(port, value);
    }
}

#[test]
fn what_changes_from_line_to_line_in_each_frame_is_seen_there() {
    let mut vga = vga();
    set_mode(&mut Probe::new(&mut vga), &BYTES);
    let (frame_ns, line_ns) = vga.timing();
    let at = |frame: u64, line: u64| Time(frame * frame_ns + line * line_ns + 1);
    let mut probe = Probe::new(&mut vga);
    for frame in 1..4 {
        // The palette is the screen's from the first line to the last but 50.
        probe.wait_until(at(frame, 0));
        probe.read(0x2a);
        probe.write(0x10, 0x20);
        for (line, red) in [(0, 0), (100, 0x3f), (301, 0x20)] {
            probe.wait_until(at(frame, line));
            set_background(&mut probe, red);
        }
        probe.wait_until(at(frame, 350));
        probe.read(0x2a);
        probe.write(0x10, 0);
    }
    let colors_of = |vga: &Vga, now| {
        let frame = vga.frame(now);
        [0, 49, 50, 150, 151, 175].map(|row| frame.pixels[row * 320])
    };
    let shown = [0, 0, 0xff_0000, 0xff_0000, 0x82_0000, 0];
    assert_eq!(colors_of(&vga, at(4, 10)), shown);
    assert_eq!(colors_of(&vga.scan(at(4, 10)).vga, at(4, 10)), shown);
    // The program does not do it any more.
    assert_ne!(vga.change_number(at(4, 10)), vga.change_number(at(6, 10)));
    let mut probe = Probe::new(&mut vga);
    probe.wait_until(at(5, 400));
    probe.read(0x2a);
    probe.write(0x10, 0x20);
    assert_eq!(colors_of(&vga, at(6, 10)), [0x82_0000; 6]);
}

#[test]
fn a_palette_that_is_loaded_once_is_there_from_the_top() {
    let mut vga = vga();
    set_mode(&mut Probe::new(&mut vga), &BYTES);
    let (frame_ns, line_ns) = vga.timing();
    let mut probe = Probe::new(&mut vga);
    probe.wait_until(Time(5 * frame_ns + 200 * line_ns));
    set_background(&mut probe, 0x3f);
    for frames in [5, 6, 7] {
        let frame = vga.frame(Time(frames * frame_ns + 300 * line_ns));
        assert_eq!(frame.pixels[0], 0xff_0000);
    }
}

#[test]
fn pixels_blink_where_the_attribute_controller_says_so() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &PLANAR);
    indexed(&mut probe, 0x14, 2, 0b0100);
    probe.write(WINDOW, 0x80);
    probe.read(0x2a);
    for (index, value) in [(0x10, 0x09), (0x12, 0b0101)] {
        probe.write(0x10, index);
        probe.write(0x10, value);
    }
    probe.write(0x10, 0x20);
    let (frame_ns, _) = vga.timing();
    let colors = [0, 16, 32].map(|frame| vga.frame(Time(frame * frame_ns)).pixels[0]);
    assert_eq!(colors, [rgb(4), rgb(12), rgb(4)]);
    assert_ne!(
        vga.change_number(Time(0)),
        vga.change_number(Time(16 * frame_ns))
    );
}

#[test]
fn odd_and_even_planes_have_two_pages() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &PLANAR);
    // Even addresses reach planes 0 and 2, odd ones 1 and 3; another bit stands for the lowest one.
    indexed(&mut probe, 0x14, 4, 0x02);
    indexed(&mut probe, 0x1e, 6, 0x07);
    for (miscellaneous, value) in [(0xe3, 0xff), (0xc3, 0xf0)] {
        probe.write(0x12, miscellaneous);
        probe.write_bytes(WINDOW, &[value, value]).unwrap();
    }
    assert_eq!(probe.read(WINDOW), 0xf0);
    // Of the window of 128 KiB the upper half is the other page.
    indexed(&mut probe, 0x1e, 6, 0x03);
    probe.write(WINDOW + 0x1_0003, 0x0f);
    let frame = vga.frame(Time::ZERO);
    let row: Vec<_> = frame.pixels[..32].chunks(4).map(|four| four[0]).collect();
    let (none, all, odd) = (rgb(0), rgb(15), rgb(10));
    assert_eq!(row, [all, all, all, none, none, none, none, odd]);
}

#[test]
fn the_extension_shows_a_linear_frame_buffer_and_its_bank() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    for (index, value) in [(1, 800u16), (2, 600), (3, 32), (4, 0x41), (5, 1)] {
        probe.write_bytes(0x30, &u16::to_le_bytes(index)).unwrap();
        probe.write_bytes(0x31, &value.to_le_bytes()).unwrap();
    }
    // Bank 1 begins at byte 65536: line 20, pixel 384.
    probe.write_bytes(WINDOW, &[0x33, 0x22, 0x11, 0]).unwrap();
    let mut bytes = [0; 2];
    probe.read_bytes(0x31, &mut bytes).unwrap();
    assert_eq!(bytes, [1, 0]);
    let frame = vga.frame(Time::ZERO);
    assert_eq!((frame.width, frame.height), (800, 600));
    assert_eq!(frame.pixels[20 * 800 + 384], 0x11_2233);
    assert!(!vga.is_text());
}

#[test]
fn planes_of_the_extension_are_larger_than_the_window() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &PLANAR);
    for (index, value) in [(1, 1280u16), (2, 1024), (3, 4), (4, 0x01), (5, 2)] {
        probe.write_bytes(0x30, &u16::to_le_bytes(index)).unwrap();
        probe.write_bytes(0x31, &value.to_le_bytes()).unwrap();
    }
    indexed(&mut probe, 0x14, 2, 0b0110);
    // Block 2 begins at byte 131072 of each plane: line 819, pixel 256.
    probe.write(WINDOW, 0x80);
    assert_eq!(probe.read(WINDOW), 0);
    indexed(&mut probe, 0x1e, 4, 1);
    assert_eq!(probe.read(WINDOW), 0x80);
    // A copy by the latches, from block to block.
    indexed(&mut probe, 0x14, 2, 0b1111);
    indexed(&mut probe, 0x1e, 5, 1);
    probe.read(WINDOW);
    probe.write_bytes(0x31, &0u16.to_le_bytes()).unwrap();
    probe.write(WINDOW + 1, 0xff);
    let frame = vga.frame(Time::ZERO);
    assert_eq!((frame.width, frame.height), (1280, 1024));
    let lit: Vec<_> = (0..frame.pixels.len())
        .filter(|&at| frame.pixels[at] != rgb(0))
        .collect();
    assert_eq!(lit, [8, 819 * 1280 + 256]);
    assert_eq!([frame.pixels[8], frame.pixels[lit[1]]], [rgb(6); 2]);
}

#[test]
fn retrace_comes_70_times_a_second() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    set_mode(&mut probe, &TEXT);
    let mut rises = 0;
    let mut was_set = false;
    for _ in 0..100_000 {
        probe.wait_ns(10_000);
        let is_set = probe.read(0x2a) & 8 != 0;
        rises += u32::from(is_set && !was_set);
        was_set = is_set;
    }
    assert!((69..=71).contains(&rises), "{rises} frames in a second");
}

fn access() -> impl Strategy<Value = Access> {
    let register = prop_oneof![
        4 => 0..0x34u64,
        2 => WINDOW..WINDOW + 0x2_0000,
        1 => any::<u64>(),
    ];
    let action = prop_oneof![
        (0..9usize).prop_map(Action::Read),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Action::Write),
        any::<u8>().prop_map(|byte| Action::Write(vec![byte])),
    ];
    (0..1_000_000u64, register, action).prop_map(|(after_ns, register, action)| Access {
        after_ns,
        register,
        action,
    })
}

proptest! {
    #[test]
    fn keeps_the_contract(accesses in prop::collection::vec(access(), 0..64)) {
        check(&mut vga(), &accesses);
    }

    #[test]
    fn registers_replay(accesses in prop::collection::vec(access(), 0..64)) {
        // What lies in the memory is the board's to restore.
        let registers = accesses.into_iter().filter(|access| access.register < 0x30);
        check_replay(&mut vga(), &registers.collect::<Vec<_>>());
    }

    #[test]
    fn any_registers_give_a_whole_picture(
        accesses in prop::collection::vec(access(), 0..64),
        now in any::<u64>(),
    ) {
        let mut vga = vga();
        check(&mut vga, &accesses);
        let mut probe = Probe::new(&mut vga);
        for access in &accesses {
            if let Action::Write(bytes) = &access.action {
                let _ = probe.write_bytes(access.register, bytes);
            }
        }
        let frame = vga.frame(Time(now));
        prop_assert_eq!(frame.pixels.len(), frame.width * frame.height);
        let _ = vga.text_screen();
    }
}

#[test]
fn firmware_without_a_bios_sets_up_text_by_what_it_must() {
    let mut vga = vga();
    let mut probe = Probe::new(&mut vga);
    // GRUB as firmware: neither mode control nor planes, and the window is closed in the miscellaneous output register.
    probe.write(0x12, 1);
    // The font, with odd and even addresses apart by the sequencer alone.
    for (index, value) in [(5, 0), (6, 0), (8, 0xff)] {
        indexed(&mut probe, 0x1e, index, value);
    }
    indexed(&mut probe, 0x14, 2, 4);
    probe.write(WINDOW + 0x41 * 32 + 4, 0x80);
    probe.write(WINDOW + 0x41 * 32 + 5, 0x40);
    for (index, value) in [(5, 0x10), (6, 0x0c)] {
        indexed(&mut probe, 0x1e, index, value);
    }
    for (index, value) in [(4, 0), (2, 3), (1, 1)] {
        indexed(&mut probe, 0x14, index, value);
    }
    for (index, value) in [(9, 15), (1, 79), (0x13, 40), (0x12, 0x90), (7, 2)] {
        indexed(&mut probe, 0x24, index, value);
    }
    // Colour 7 is white; then the screen has its palette.
    for byte in [7, 7, 0x20] {
        probe.write(0x10, byte);
    }
    probe.write(0x18, 7);
    for _ in 0..3 {
        probe.write(0x19, 0x3f);
    }
    probe.write_bytes(WINDOW + 0x1_8000, b"A\x70").unwrap();
    assert_eq!(vga.text_screen().unwrap().row(0), "A");
    let frame = vga.frame(Time::ZERO);
    assert_eq!((frame.width, frame.height), (640, 401));
    // The line where the screen is split, the first one, is there twice.
    let (ink, paper) = (0, 0xff_ffff);
    assert_eq!(frame.pixels[5 * 640..][..3], [ink, paper, paper]);
    assert_eq!(frame.pixels[6 * 640..][..3], [paper, ink, paper]);
}
