//! Our VGA BIOS on our VGA: INT 10h called with registers from a list, its answers and its pictures looked at.

mod program;
mod script;

use rax_machine::{Boot, End};
use script::{Call, Outcome, Script};

use crate::support::Bench;

/// Where calls return structures: offset in segment 0.
const BUFFER: u16 = 0xC000;

/// Every mode of AH=00h with the picture's size and how many colours AH=0Ch can tell apart.
const GRAPHICS: [(u16, [usize; 2], u16); 11] = [
    (0x04, [320, 200], 4),
    (0x05, [320, 200], 4),
    (0x06, [640, 400], 2),
    (0x0D, [320, 200], 16),
    (0x0E, [640, 400], 16),
    (0x0F, [640, 350], 16),
    (0x10, [640, 350], 16),
    (0x11, [640, 480], 16),
    (0x12, [640, 480], 16),
    (0x13, [320, 200], 256),
    (0x6A, [800, 600], 16),
];

fn size(outcome: &Outcome) -> [usize; 2] {
    let frame = outcome.bench.machine.frame().unwrap();
    [frame.width, frame.height]
}

#[test]
fn text_modes_show_what_is_written() {
    for (mode, columns, dots) in [
        (0, 40, 720),
        (1, 40, 720),
        (2, 80, 720),
        (3, 80, 720),
        (7, 80, 720),
    ] {
        let mut script = Script::new();
        script.call(Call::ax(mode));
        script.print("Hello,\r\n  world \u{2302}!", 0x1E);
        let teletype = script.call(Call::ax(0x0E00 | u16::from(b'x')).bx(0x0700));
        let state = script.call(Call::ax(0x0F00));
        let cursor = script.call(Call::ax(0x0300));
        let outcome = script.run();
        assert_eq!(size(&outcome), [dots, 400], "mode {mode}");
        let screen = outcome.bench.machine.text_screen().unwrap();
        assert_eq!([screen.columns, screen.rows], [columns, 25]);
        assert_eq!(screen.row(0), "Hello,");
        assert_eq!(screen.row(1), "  world \u{2302}!x");
        assert_eq!(screen.cells[0], (b'H', 0x1E));
        // Teletype keeps the attribute.
        assert_eq!(screen.cells[columns + 10], (b'x', 0x07));
        assert_eq!(screen.cursor, Some((11, 1)));
        assert_eq!(outcome.answer(state).ax, mode | (columns as u16) << 8);
        assert_eq!(
            [outcome.answer(cursor).dx, outcome.answer(teletype).bx],
            [0x010B, 0x0700]
        );
    }
}

#[test]
fn teletype_scrolls_at_the_end_of_the_screen() {
    let mut script = Script::new();
    script.call(Call::ax(3));
    for line in 0..26 {
        script.print(&format!("line {line}\r\n"), 0x07);
    }
    script.print("\u{8}end\u{8}\u{8}D", 0x07);
    let outcome = script.run();
    let screen = outcome.bench.machine.text_screen().unwrap();
    assert_eq!(screen.row(0), "line 2");
    assert_eq!(screen.row(23), "line 25");
    assert_eq!(screen.row(24), "eDd");
}

#[test]
fn windows_scroll_in_text() {
    let mut script = Script::new();
    script.call(Call::ax(3));
    for row in 0..6_u16 {
        script.call(Call::ax(0x0200).dx(row << 8));
        script.call(Call::ax(0x0900 | (0x61 + row)).bx(0x0007).cx(10));
    }
    script.call(Call::ax(0x0601).bx(0x4F00).cx(0x0102).dx(0x0404));
    script.call(Call::ax(0x0702).bx(0x2F00).cx(0x0006).dx(0x0507));
    let outcome = script.run();
    let screen = outcome.bench.machine.text_screen().unwrap();
    let rows: Vec<String> = (0..6).map(|row| screen.row(row)).collect();
    assert_eq!(
        rows,
        [
            "aaaaaa  aa",
            "bbcccb  bb",
            "ccdddcaacc",
            "ddeeedbbdd",
            "ee   eccee",
            "ffffffddff"
        ]
    );
    assert_eq!(
        [screen.cells[4 * 80 + 3].1, screen.cells[6].1],
        [0x4F, 0x2F]
    );
}

#[test]
fn a_small_font_makes_fifty_rows() {
    let mut script = Script::new();
    script.call(Call::ax(3));
    script.call(Call::ax(0x1112));
    script.print("small", 0x07);
    let font = script.call(Call::ax(0x1130).bx(0x0300));
    script.call(Call::ax(0x1C01).cx(1).bx(BUFFER));
    let outcome = script.run();
    let screen = outcome.bench.machine.text_screen().unwrap();
    assert_eq!([screen.columns, screen.rows], [80, 50]);
    assert_eq!(screen.row(0), "small");
    let answer = outcome.answer(font);
    assert_eq!([answer.cx, answer.dx & 0xFF, answer.es], [8, 49, 0xC000]);
    // The CRT controller's timing is locked as it was before.
    let state = outcome.memory(BUFFER, 0x60);
    let timing = [0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F];
    let at = state.windows(8).position(|eight| eight == timing).unwrap();
    assert_eq!(state[at + 0x11], 0x8E);
}

/// The image is RAM behind the screen's 32 KiB: neither a wild cursor nor a wild count may reach it.
#[test]
fn text_never_runs_over_the_image() {
    let mut script = Script::new();
    script.call(Call::ax(3));
    script.call(Call::ax(0x0200).dx(0xFFFF));
    script.call(Call::ax(0x0E41));
    script.call(Call::ax(0x0200).bx(0x0700).dx(0xF0F0));
    script.call(Call::ax(0x0942).bx(0x0707).cx(0xFFFF));
    script.call(Call::ax(0x0004));
    script.call(Call::ax(0x0C03).cx(0xFFFF).dx(0xFFFF));
    script.call(Call::ax(0x0200).dx(0xFFFF));
    script.call(Call::ax(0x0943).bx(0x0003).cx(0xFFFF));
    let outcome = script.run();
    let image = rax_firmware::video::image();
    assert!(outcome.image(image.len()) == image);
}

#[test]
fn pages_are_separate() {
    let mut script = Script::new();
    script.call(Call::ax(3));
    script.print("page 0", 0x07);
    script.call(Call::ax(0x0200).bx(0x0100).dx(0x0203));
    script.call(Call::ax(0x0941).bx(0x0107).cx(3));
    let read = script.call(Call::ax(0x0800).bx(0x0100));
    let hidden = script.len();
    script.call(Call::ax(0x0501));
    let outcome = script.run();
    assert_eq!(outcome.answer(read).ax, 0x0741);
    assert!(hidden < outcome.len());
    let screen = outcome.bench.machine.text_screen().unwrap();
    assert_eq!([screen.row(0), screen.row(2)], ["", "   AAA"]);
    assert_eq!(screen.cursor, Some((3, 2)));
}

#[test]
fn graphics_modes_have_their_size_and_keep_characters_and_pixels() {
    for (mode, expected, colours) in GRAPHICS {
        let mut script = Script::new();
        script.call(Call::ax(mode));
        script.print("Ab\r\nCd", 0x0F & (colours - 1) | u16::from(colours == 2));
        let mut answers = Vec::new();
        for (place, letter) in [
            (0x0000, b'A'),
            (0x0001, b'b'),
            (0x0100, b'C'),
            (0x0101, b'd'),
            // A blank is the first of the blank characters, as on the IBM.
            (0x0102, 0),
        ] {
            script.call(Call::ax(0x0200).dx(place));
            answers.push((script.call(Call::ax(0x0800)), letter));
        }
        // Up by a row: the second is now the first.
        script.call(Call::ax(0x0601).dx(0x184F));
        script.call(Call::ax(0x0200));
        answers.push((script.call(Call::ax(0x0800)), b'C'));
        let mut dots = Vec::new();
        for (x, colour) in (201..217).zip((1..colours).cycle()) {
            script.call(Call::ax(0x0C00 | colour).cx(x).dx(101));
            dots.push((script.call(Call::ax(0x0D00).cx(x).dx(101)), colour));
        }
        if colours <= 16 {
            // Bit 7: exclusive or.
            script.call(Call::ax(0x0C81).cx(201).dx(101));
            dots.push((script.call(Call::ax(0x0D00).cx(201).dx(101)), 0));
        }
        let outcome = script.run();
        assert_eq!(size(&outcome), expected, "mode {mode:#x}");
        for (call, letter) in answers {
            assert_eq!(
                outcome.answer(call).ax,
                0x0800 | u16::from(letter),
                "mode {mode:#x}"
            );
        }
        for (call, colour) in dots {
            // Mode 0Fh has two planes, 11h one, but all four are there.
            assert_eq!(outcome.answer(call).ax, 0x0D00 | colour, "mode {mode:#x}");
        }
    }
}

#[test]
fn pixels_show_in_their_colours() {
    for (mode, colour, rgb) in [
        (0x04, 2, 0xFF_55FF),
        (0x06, 1, 0xFF_FFFF),
        (0x0D, 6, 0xAA_5500),
        (0x12, 12, 0xFF_5555),
        (0x13, 0x28, 0xFF_0000),
        (0x6A, 9, 0x55_55FF),
    ] {
        let mut script = Script::new();
        script.call(Call::ax(mode));
        script.call(Call::ax(0x0C00 | colour).cx(17).dx(33));
        let outcome = script.run();
        let frame = outcome.bench.machine.frame().unwrap();
        let lit: Vec<usize> = (0..frame.pixels.len())
            .filter(|&place| frame.pixels[place] != 0)
            .collect();
        // Mode 6 has pixels two lines high.
        let expected: &[usize] = match mode {
            0x06 => &[66 * 640 + 17, 67 * 640 + 17],
            _ => &[33 * frame.width + 17],
        };
        assert_eq!(lit, expected, "mode {mode:#x}");
        let found = frame.pixels[lit[0]];
        // Six bits become eight in more than one good way.
        let near = |shift: u32| ((found >> shift & 0xFF).abs_diff(rgb >> shift & 0xFF)) <= 4;
        assert!(
            near(0) && near(8) && near(16),
            "mode {mode:#x}: {found:06x}, not {rgb:06x}"
        );
    }
}

#[test]
fn palette_registers_and_colours_are_kept() {
    let mut script = Script::new();
    script.call(Call::ax(3));
    script.call(Call::ax(0x1000).bx(0x2A05));
    let register = script.call(Call::ax(0x1007).bx(0x0005));
    script.call(Call::ax(0x1001).bx(0x0B00));
    let border = script.call(Call::ax(0x1008));
    script.call(Call::ax(0x1010).bx(0x0055).cx(0x1122).dx(0x3300));
    let colour = script.call(Call::ax(0x1015).bx(0x0055));
    script.call(Call::ax(0x101B).bx(0x0055).cx(1));
    let grey = script.call(Call::ax(0x1015).bx(0x0055));
    script.call(Call::ax(0x1003).bx(0));
    let outcome = script.run();
    assert_eq!(outcome.answer(register).bx, 0x2A05);
    assert_eq!(outcome.answer(border).bx >> 8, 0x0B);
    assert_eq!(
        [outcome.answer(colour).cx, outcome.answer(colour).dx],
        [0x1122, 0x3300]
    );
    // 30% of 33h, 59% of 11h, 11% of 22h.
    assert_eq!(
        [outcome.answer(grey).cx, outcome.answer(grey).dx],
        [0x1D1D, 0x1D00]
    );
    assert!(!outcome.bench.machine.text_screen().unwrap().blinks);
}

#[test]
fn displays_and_functions_are_told() {
    let mut script = Script::new();
    script.call(Call::ax(0x12));
    let display = script.call(Call::ax(0x1A00));
    let configuration = script.call(Call::ax(0x1200).bx(0x0010));
    let functions = script.call(Call::ax(0x1B00).di(BUFFER));
    let outcome = script.run();
    assert_eq!(
        [
            outcome.answer(display).ax & 0xFF,
            outcome.answer(display).bx
        ],
        [0x1A, 0x0008]
    );
    assert_eq!(
        [
            outcome.answer(configuration).bx,
            outcome.answer(configuration).cx
        ],
        [0x0003, 0x0F09]
    );
    assert_eq!(outcome.answer(functions).ax & 0xFF, 0x1B);
    let state = outcome.memory(BUFFER, 64);
    assert_eq!(
        [state[4], state[5], state[0x22], state[0x23]],
        [0x12, 80, 30, 16]
    );
    // Sixteen colours, one page, 480 lines.
    assert_eq!(state[0x27..0x2B], [16, 0, 1, 3]);
}

#[test]
fn state_comes_back_as_it_was_saved() {
    let mut script = Script::new();
    script.call(Call::ax(0x12));
    script.call(Call::ax(0x1010).bx(0x0003).cx(0x0102).dx(0x0300));
    let bytes = script.call(Call::ax(0x1C00).cx(7));
    script.call(Call::ax(0x1C01).cx(7).bx(BUFFER));
    script.call(Call::ax(0x4F02).bx(0x4144));
    script.call(Call::ax(0x0013));
    script.call(Call::ax(0x1C02).cx(7).bx(BUFFER));
    let mode = script.call(Call::ax(0x0F00));
    let colour = script.call(Call::ax(0x1015).bx(0x0003));
    let outcome = script.run();
    assert!((1..=32).contains(&outcome.answer(bytes).bx));
    assert_eq!(size(&outcome), [640, 480]);
    assert_eq!(outcome.answer(mode).ax, 0x5012);
    assert_eq!(
        [outcome.answer(colour).cx, outcome.answer(colour).dx],
        [0x0102, 0x0300]
    );
}

#[test]
fn vbe_state_comes_back_as_it_was_saved() {
    let mut script = Script::new();
    script.call(Call::ax(0x4F02).bx(0x4101));
    script.call(Call::ax(0x4F08).bx(0x0800));
    let entry = script.data(&[0xFD, 0x81, 0x03, 0x00]);
    script.call(Call::ax(0x4F09).bx(0).cx(1).dx(7).data(entry));
    script.call(Call::ax(0x4F06).bx(0).cx(1024));
    script.call(Call::ax(0x4F07).bx(0).cx(104).dx(200));
    script.call(Call::ax(0x0C07).cx(104).dx(200));
    let size_call = script.call(Call::ax(0x4F04).dx(0).cx(15));
    script.call(Call::ax(0x4F04).dx(1).cx(15).bx(BUFFER));
    script.call(Call::ax(0x4F02).bx(0x8000 | 0x4000 | 0x110));
    let restored = script.call(Call::ax(0x4F04).dx(2).cx(15).bx(BUFFER));
    let start = script.call(Call::ax(0x4F07).bx(1));
    let mode = script.call(Call::ax(0x4F03));
    let outcome = script.run();
    assert!((4..=32).contains(&outcome.answer(size_call).bx));
    assert_eq!(outcome.answer(restored).ax, 0x004F);
    assert_eq!(outcome.answer(mode).bx & 0x7FFF, 0x4101);
    assert_eq!(
        [outcome.answer(start).cx, outcome.answer(start).dx],
        [104, 200]
    );
    assert_eq!(size(&outcome), [640, 480]);
    // The pixel at the top left, in eight bits a colour.
    assert_eq!(outcome.bench.machine.frame().unwrap().pixels[0], 0x03_81FD);
}

/// All modes of the list: described, set, shown in their size, and told.
#[test]
fn vbe_modes_are_what_they_say() {
    let mut script = Script::new();
    script.poke(BUFFER, b"VBE2");
    let info = script.call(Call::ax(0x4F00).di(BUFFER));
    let outcome = script.run();
    assert_eq!(outcome.answer(info).ax, 0x004F);
    let block = outcome.memory(BUFFER, 512);
    assert_eq!(&block[..6], b"VESA\x00\x03");
    let list = word(&block, 14);
    assert_eq!(word(&block, 16), 0);
    let modes: Vec<u16> = block[usize::from(list - BUFFER)..]
        .chunks(2)
        .map(|number| word(number, 0))
        .take_while(|&number| number != 0xFFFF)
        .collect();
    assert!(modes.len() > 60);
    for number in modes {
        let mut script = Script::new();
        let told = script.call(Call::ax(0x4F01).cx(number).di(BUFFER));
        let set = script.call(Call::ax(0x4F02).bx(number));
        let get = script.call(Call::ax(0x4F03));
        let outcome = script.run();
        for call in [told, set, get] {
            assert_eq!(outcome.answer(call).ax, 0x004F, "mode {number:#x}");
        }
        assert_eq!(outcome.answer(get).bx, number);
        let mode = outcome.memory(BUFFER, 256);
        // Text modes count in characters.
        let cell = if mode[0] & 0x10 == 0 {
            [mode[22], mode[23]].map(usize::from)
        } else {
            [1, 1]
        };
        let shown = [
            usize::from(word(&mode, 18)) * cell[0],
            usize::from(word(&mode, 20)) * cell[1],
        ];
        assert_eq!(size(&outcome), shown, "mode {number:#x}");
        let is_linear = mode[0] & 0x80 != 0;
        assert_eq!(is_linear, mode[25] > 4, "mode {number:#x}");
        let address = u32::from_le_bytes(mode[40..44].try_into().unwrap());
        assert_eq!(address, if is_linear { script::FRAME_BUFFER } else { 0 });
    }
}

#[test]
fn vbe_text_and_pixels_in_every_depth() {
    for number in [0x101, 0x110, 0x111, 0x112, 0x142, 0x105, 0x118, 0x144] {
        let mut script = Script::new();
        script.call(Call::ax(0x4F02).bx(number));
        script.print("Deep\r\nblue", 0x0F);
        // Far down, in another window than the first.
        script.call(Call::ax(0x0200).dx(0x1C10));
        script.call(Call::ax(0x0958).bx(0x000A).cx(1));
        let far = script.call(Call::ax(0x0800));
        script.call(Call::ax(0x0601).dx(0x1D4F));
        script.call(Call::ax(0x0200).dx(0x0000));
        let near = script.call(Call::ax(0x0800));
        script.call(Call::ax(0x0200).dx(0x1B10));
        let moved = script.call(Call::ax(0x0800));
        let outcome = script.run();
        for (call, letter) in [(far, b'X'), (near, b'b'), (moved, b'X')] {
            assert_eq!(
                outcome.answer(call).ax,
                0x0800 | u16::from(letter),
                "mode {number:#x}"
            );
        }
        let frame = outcome.bench.machine.frame().unwrap();
        let brightest = frame.pixels[..frame.width * 16].iter().max().unwrap();
        assert!(*brightest >= 0xF8_F8F8, "mode {number:#x}: {brightest:06x}");
    }
}

/// Planes larger than the window: characters and pixels in every part of them.
#[test]
fn vbe_planes_reach_beyond_the_window() {
    for (number, [width, height]) in [(0x104, [1024, 768_u16]), (0x106, [1280, 1024])] {
        let [last_row, last_column] = [height / 16 - 1, width / 8 - 1];
        let mut script = Script::new();
        let set = script.call(Call::ax(0x4F02).bx(number));
        let linear = script.call(Call::ax(0x4F02).bx(0x4000 | number));
        for (row, letter) in [(0, b'a'), (31, b'm'), (32, b'n'), (last_row, b'z')] {
            script.call(Call::ax(0x0200).dx(row << 8 | last_column));
            script.call(Call::ax(0x0900 | u16::from(letter)).bx(0x000C).cx(1));
        }
        script.call(Call::ax(0x0C09).cx(7).dx(height - 1));
        let dot = script.call(Call::ax(0x0D00).cx(7).dx(height - 1));
        // Up by a row, which brings bytes from block to block.
        let corner = last_row << 8 | last_column;
        script.call(Call::ax(0x0601).bx(0x0500).dx(corner));
        let mut answers = Vec::new();
        for (row, letter) in [(30, b'm'), (31, b'n'), (last_row - 1, b'z'), (0, 0)] {
            script.call(Call::ax(0x0200).dx(row << 8 | last_column));
            answers.push((script.call(Call::ax(0x0800)), letter));
        }
        let length = script.call(Call::ax(0x4F06).bx(0).cx(width + 64));
        let start = script.call(Call::ax(0x4F07).bx(0x80).cx(64).dx(16));
        let told = script.call(Call::ax(0x4F07).bx(1));
        let beyond = script.call(Call::ax(0x4F05).bx(0).dx(64));
        let get = script.call(Call::ax(0x4F03));
        let outcome = script.run();
        for (call, ax) in [
            (set, 0x004F),
            (linear, 0x014F),
            (dot, 0x0D09),
            (length, 0x004F),
            (start, 0x004F),
            (beyond, 0x014F),
        ] {
            assert_eq!(outcome.answer(call).ax, ax, "mode {number:#x}");
        }
        for (call, letter) in answers {
            assert_eq!(
                outcome.answer(call).ax,
                0x0800 | u16::from(letter),
                "mode {number:#x}"
            );
        }
        let length = outcome.answer(length);
        assert_eq!([length.bx, length.cx], [(width + 64) / 8, width + 64]);
        assert_eq!([outcome.answer(told).cx, outcome.answer(told).dx], [64, 16]);
        assert_eq!(outcome.answer(get).bx, number);
        assert_eq!(size(&outcome), [width, height].map(usize::from));
    }
}

/// 102h is shown by the VGA's registers, whose planes have 64 KiB: 600 lines of at most 108 bytes.
#[test]
fn the_planar_mode_scrolls_and_pans_by_the_registers_of_the_vga() {
    let mut script = Script::new();
    script.call(Call::ax(0x4F02).bx(0x0102));
    let before = script.call(Call::ax(0x4F06).bx(1));
    let longest = script.call(Call::ax(0x4F06).bx(3));
    let pixels = script.call(Call::ax(0x4F06).bx(0).cx(820));
    let bytes = script.call(Call::ax(0x4F06).bx(2).cx(107));
    // A pixel that is seen only after the picture moved.
    script.call(Call::ax(0x0C04).cx(842).dx(604).bx(0));
    let start = script.call(Call::ax(0x4F07).bx(0).cx(45).dx(6));
    let told = script.call(Call::ax(0x4F07).bx(1));
    let refused = [
        script.call(Call::ax(0x4F07).bx(0).cx(65).dx(0)),
        script.call(Call::ax(0x4F07).bx(0).cx(0).dx(7)),
        script.call(Call::ax(0x4F06).bx(0).cx(784)),
        script.call(Call::ax(0x4F06).bx(0).cx(865)),
    ];
    let by_address = script.call(Call::ax(0x4F07).bx(2).cx(108 * 6 + 5));
    let then = script.call(Call::ax(0x4F07).bx(1));
    script.call(Call::ax(0x4F07).bx(0x80).cx(45).dx(6));
    let outcome = script.run();
    let length = |call| {
        let answer = outcome.answer(call);
        [answer.ax, answer.bx, answer.cx, answer.dx]
    };
    assert_eq!(length(before), [0x004F, 100, 800, 655]);
    assert_eq!(length(longest), [0x004F, 108, 864, 606]);
    assert_eq!(length(pixels), [0x004F, 104, 832, 630]);
    assert_eq!(length(bytes), [0x004F, 108, 864, 606]);
    assert_eq!(outcome.answer(start).ax, 0x004F);
    let place = |call| [outcome.answer(call).cx, outcome.answer(call).dx];
    assert_eq!(place(told), [45, 6]);
    for failed in refused {
        assert_eq!(outcome.answer(failed).ax, 0x014F);
    }
    assert_eq!(outcome.answer(by_address).ax, 0x004F);
    assert_eq!(place(then), [40, 6]);
    let frame = outcome.bench.machine.frame().unwrap();
    let lit = frame
        .pixels
        .iter()
        .position(|pixel| *pixel != frame.pixels[0]);
    assert_eq!(lit, Some((604 - 6) * 800 + 842 - 45));
}

#[test]
fn vbe_scrolls_and_pans_inside_its_memory() {
    let mut script = Script::new();
    script.call(Call::ax(0x4F02).bx(0x4101));
    let length = script.call(Call::ax(0x4F06).bx(0).cx(1024));
    let start = script.call(Call::ax(0x4F07).bx(0).cx(100).dx(200));
    let told = script.call(Call::ax(0x4F07).bx(1));
    let outside = script.call(Call::ax(0x4F07).bx(0).cx(1000).dx(0));
    let short = script.call(Call::ax(0x4F06).bx(0).cx(100));
    let window = script.call(Call::ax(0x4F05).bx(0).dx(3));
    let where_ = script.call(Call::ax(0x4F05).bx(0x0100));
    let beyond = script.call(Call::ax(0x4F05).bx(0).dx(0x4000));
    let outcome = script.run();
    let length = outcome.answer(length);
    assert_eq!([length.ax, length.bx, length.cx], [0x004F, 1024, 1024]);
    assert_eq!(outcome.answer(start).ax, 0x004F);
    assert_eq!(
        [outcome.answer(told).cx, outcome.answer(told).dx],
        [100, 200]
    );
    for failed in [outside, short, beyond] {
        assert_eq!(outcome.answer(failed).ax, 0x014F);
    }
    assert_eq!(
        [outcome.answer(window).ax, outcome.answer(where_).dx],
        [0x004F, 3]
    );
}

#[test]
fn vbe_window_moves_by_its_far_function() {
    let mut script = Script::new();
    script.call(Call::ax(0x4F01).cx(0x101).di(BUFFER));
    let outcome = script.run();
    let mode = outcome.memory(BUFFER, 256);
    let function = [word(&mode, 12), word(&mode, 14)];
    assert_eq!(function[1], 0xC000);
    let mut script = Script::new();
    script.call(Call::ax(0x4F02).bx(0x101));
    script.call(Call::far(function).bx(0).dx(4));
    let asked = script.call(Call::far(function).bx(0x0100));
    let told = script.call(Call::ax(0x4F05).bx(0x0100));
    let outcome = script.run();
    assert_eq!([outcome.answer(asked).dx, outcome.answer(told).dx], [4, 4]);
}

#[test]
fn vbe_palette_has_six_or_eight_bits() {
    let mut script = Script::new();
    script.call(Call::ax(0x4F02).bx(0x4101));
    let six = script.call(Call::ax(0x4F08).bx(1));
    let eight = script.call(Call::ax(0x4F08).bx(0x0800));
    // One entry: blue FFh, green 80h, red 01h.
    let entry = script.data(&[0xFF, 0x80, 0x01, 0x00]);
    script.call(Call::ax(0x4F09).bx(0).cx(1).dx(7).data(entry));
    let read = script.call(Call::ax(0x4F09).bx(1).cx(1).dx(7).di(BUFFER));
    script.call(Call::ax(0x0C07).cx(0).dx(0));
    let outcome = script.run();
    assert_eq!(
        [outcome.answer(six).bx >> 8, outcome.answer(eight).bx >> 8],
        [6, 8]
    );
    assert_eq!(outcome.answer(read).ax, 0x004F);
    assert_eq!(outcome.memory(BUFFER, 4), [0xFF, 0x80, 0x01, 0x00]);
    assert_eq!(outcome.bench.machine.frame().unwrap().pixels[0], 0x01_80FF);
}

#[test]
fn monitor_identifies_itself() {
    let mut script = Script::new();
    let can = script.call(Call::ax(0x4F15).bx(0));
    let read = script.call(Call::ax(0x4F15).bx(1).di(BUFFER));
    let other = script.call(Call::ax(0x4F15).bx(1).dx(1).di(BUFFER));
    let interface = script.call(Call::ax(0x4F0A).bx(0));
    let outcome = script.run();
    assert_eq!(
        [
            outcome.answer(can).ax,
            outcome.answer(read).ax,
            outcome.answer(other).ax
        ],
        [0x4F, 0x4F, 0x14F]
    );
    let edid = outcome.memory(BUFFER, 128);
    assert_eq!(edid[..8], [0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0]);
    assert_eq!(
        edid.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)),
        0
    );
    // The protected-mode interface lies in the image.
    let interface = outcome.answer(interface);
    assert_eq!([interface.ax, interface.es], [0x004F, 0xC000]);
    assert!(interface.cx > 8);
}

#[test]
fn calls_keep_the_registers_that_they_do_not_answer_in() {
    let mut script = Script::new();
    let calls: Vec<usize> = [0x0003, 0x0012, 0x4F02, 0x0E41, 0x0601, 0x1103]
        .into_iter()
        .map(|ax| script.call(Call::ax(ax).bx(0x0101).cx(0x0203).dx(0x0405)))
        .collect();
    let outcome = script.run();
    for call in calls {
        let answer = outcome.answer(call);
        assert_eq!([answer.bx, answer.cx, answer.dx], [0x0101, 0x0203, 0x0405]);
        assert_eq!([answer.bp, answer.di, answer.es], [0, 0, 0]);
    }
}

/// As an adapter's ROM: SeaBIOS finds it, copies it, starts it and writes through it.
#[test]
fn seabios_starts_it_from_the_adapter() {
    let Some(seabios) = crate::firmware::seabios() else {
        return;
    };
    let bios = rax_firmware::video::image();
    let mut bench = Bench::with_screen(Boot::Rom(seabios), 64 << 20, Some(bios));
    let mut text = String::new();
    for _ in 0..10_000 {
        let end = bench.run(100_000);
        assert!(matches!(end, End::Instructions), "{end:?}\n{text}");
        text = bench
            .machine
            .text_screen()
            .map_or_else(String::new, |screen| screen.text());
        if text.contains("Booting from") {
            break;
        }
    }
    assert!(text.starts_with("SeaBIOS (version"), "{text}");
    assert!(text.contains("Booting from"), "{text}");
}

fn word(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([bytes[offset], bytes[offset + 1]])
}
