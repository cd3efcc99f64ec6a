//! The video parameter table: what the registers hold in each mode (IBM VGA Technical Reference and PS/2 BIOS
//! Interface Technical Reference, "Video Parameter Table"), and which of its entries a mode takes.
//!
//! Programs find the table through the save pointer at 40:A8 and read it, so its order and layout are IBM's.

/// One entry of 64 bytes.
struct Parameters {
    columns: u8,
    last_row: u8,
    char_height: u8,
    page_size: u16,
    /// Sequencer registers 1 to 4.
    sequencer: [u8; 4],
    misc: u8,
    crtc: [u8; 25],
    attribute: [u8; 20],
    graphics: [u8; 9],
}

/// Offsets in an entry.
pub(crate) mod field {
    pub(crate) const COLUMNS: i32 = 0;
    pub(crate) const LAST_ROW: i32 = 1;
    pub(crate) const CHAR_HEIGHT: i32 = 2;
    pub(crate) const PAGE_SIZE: i32 = 3;
    pub(crate) const SEQUENCER: i32 = 5;
    pub(crate) const MISC: i32 = 9;
}

/// The entries: IBM's 29, and those from [`SVGA`] on.
pub(crate) const COUNT: usize = 35;
/// The entry of 800x600 pixels; VBE's text modes follow.
pub(crate) const SVGA: i32 = 29;

// Timing: horizontal 40 and 80 columns, in text and graphics.
const H40_TEXT: [u8; 6] = [0x2D, 0x27, 0x28, 0x90, 0x2B, 0xA0];
const H40: [u8; 6] = [0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80];
const H80_TEXT: [u8; 6] = [0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81];
/// 132 characters of eight dots, 1344 dots in all.
const H132: [u8; 6] = [0xA3, 0x83, 0x84, 0x87, 0x87, 0x98];
const H80: [u8; 6] = [0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80];
// Vertical: registers 10h to 12h and 15h, 16h. 200 lines are 400 lines shown twice.
const V350: [u8; 5] = [0x83, 0x85, 0x5D, 0x63, 0xBA];
/// 350 lines, of which 43 rows of eight take 344.
const V344: [u8; 5] = [0x83, 0x85, 0x57, 0x63, 0xBA];
const V400: [u8; 5] = [0x9C, 0x8E, 0x8F, 0x96, 0xB9];
const V480: [u8; 5] = [0xEA, 0x8C, 0xDF, 0xE7, 0x04];

const ATTRIBUTE_CGA: [u8; 16] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
];
const ATTRIBUTE_EGA: [u8; 16] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F,
];
const ATTRIBUTE_CGA4: [u8; 16] = [
    0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
];
const ATTRIBUTE_CGA2: [u8; 16] = [
    0x00, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17,
];
const ATTRIBUTE_MONO_TEXT: [u8; 16] = [
    0x00, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18,
];
const ATTRIBUTE_MONO: [u8; 16] = [
    0x00, 0x08, 0x00, 0x00, 0x18, 0x18, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00,
];
const ATTRIBUTE_TWO: [u8; 16] = [
    0x00, 0x3F, 0x00, 0x3F, 0x00, 0x3F, 0x00, 0x3F, 0x00, 0x3F, 0x00, 0x3F, 0x00, 0x3F, 0x00, 0x3F,
];
const ATTRIBUTE_256: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

const GRAPHICS_TEXT: [u8; 9] = [0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF];
const GRAPHICS_MONO_TEXT: [u8; 9] = [0, 0, 0, 0, 0, 0x10, 0x0A, 0, 0xFF];
const GRAPHICS_CGA4: [u8; 9] = [0, 0, 0, 0, 0, 0x30, 0x0F, 0x0F, 0xFF];
const GRAPHICS_CGA2: [u8; 9] = [0, 0, 0, 0, 0, 0x00, 0x0D, 0x0F, 0xFF];
const GRAPHICS_PLANAR: [u8; 9] = [0, 0, 0, 0, 0, 0x00, 0x05, 0x0F, 0xFF];
const GRAPHICS_256: [u8; 9] = [0, 0, 0, 0, 0, 0x40, 0x05, 0x0F, 0xFF];

/// The CRT controller's registers; `shape` is what differs between modes of one timing.
const fn crtc(horizontal: [u8; 6], vertical: [u8; 5], shape: &Shape) -> [u8; 25] {
    let [h0, h1, h2, h3, h4, h5] = horizontal;
    let [v10, v11, v12, v15, v16] = vertical;
    // The 480-line timing has its own total and overflow bits.
    let (total, overflow) = if v12 == 0xDF {
        (0x0B, 0x3E)
    } else {
        (0xBF, 0x1F)
    };
    let [first, last] = shape.cursor;
    [
        h0,
        h1,
        h2,
        h3,
        h4,
        h5,
        total,
        overflow,
        0,
        shape.line,
        first,
        last,
        0,
        0,
        0,
        0,
        v10,
        v11,
        v12,
        shape.offset,
        shape.underline,
        v15,
        v16,
        shape.mode,
        0xFF,
    ]
}

/// What a mode says of characters and addresses in the CRT controller.
struct Shape {
    /// Register 9: lines of a character less one, with line compare bit 9 and doubling.
    line: u8,
    cursor: [u8; 2],
    /// Register 13h: a row's length.
    offset: u8,
    /// Register 14h.
    underline: u8,
    /// Register 17h.
    mode: u8,
}

const fn text(columns: u8, lines: u16) -> Parameters {
    let (char_height, vertical, misc, attribute) = match lines {
        200 => (8, V400, 0x63, ATTRIBUTE_CGA),
        350 => (14, V350, 0xA3, ATTRIBUTE_EGA),
        _ => (16, V400, 0x67, ATTRIBUTE_EGA),
    };
    let (line, cursor) = match lines {
        200 => (0xC7, [0x06, 0x07]),
        350 => (0x4D, [0x0B, 0x0C]),
        _ => (0x4F, [0x0D, 0x0E]),
    };
    let wide = columns == 80;
    // Characters of nine dots, on the 28 MHz clock, only with 400 lines.
    let clocking = match (wide, lines) {
        (true, 400) => 0x00,
        (true, _) => 0x01,
        (false, 400) => 0x08,
        (false, _) => 0x09,
    };
    let shape = Shape {
        line,
        cursor,
        offset: columns / 2,
        underline: 0x1F,
        mode: 0xA3,
    };
    let panning = if lines == 400 { 0x08 } else { 0x00 };
    let blink = if lines == 400 { 0x0C } else { 0x08 };
    Parameters {
        columns,
        last_row: 24,
        char_height,
        page_size: if wide { 0x1000 } else { 0x0800 },
        sequencer: [clocking, 0x03, 0x00, 0x02],
        misc,
        crtc: crtc(if wide { H80_TEXT } else { H40_TEXT }, vertical, &shape),
        attribute: with_control(attribute, [blink, 0x00, 0x0F, panning]),
        graphics: GRAPHICS_TEXT,
    }
}

const fn mono_text(lines: u16) -> Parameters {
    let mut mono = text(80, lines);
    mono.sequencer = [0x00, 0x03, 0x00, 0x03];
    // The colour bit of the addresses is clear: ports 3Bxh.
    mono.misc = if lines == 350 { 0xA6 } else { 0x66 };
    mono.crtc[0x14] = if lines == 350 { 0x0D } else { 0x0F };
    mono.attribute = with_control(ATTRIBUTE_MONO_TEXT, [0x0E, 0x00, 0x0F, 0x08]);
    mono.graphics = GRAPHICS_MONO_TEXT;
    mono
}

const fn cga(columns: u8, attribute: [u8; 16], graphics: [u8; 9]) -> Parameters {
    let wide = columns == 80;
    let shape = Shape {
        line: 0xC1,
        cursor: [0, 0],
        offset: columns / 2,
        underline: 0,
        mode: if wide { 0xC2 } else { 0xA2 },
    };
    Parameters {
        columns,
        last_row: 24,
        char_height: 8,
        page_size: 0x4000,
        sequencer: if wide {
            [0x01, 0x01, 0x00, 0x06]
        } else {
            [0x09, 0x03, 0x00, 0x02]
        },
        misc: 0x63,
        crtc: crtc(if wide { H80 } else { H40 }, V400, &shape),
        attribute: with_control(
            attribute,
            [0x01, 0x00, if wide { 0x01 } else { 0x03 }, 0x00],
        ),
        graphics,
    }
}

/// Sixteen colours in four planes.
const fn planar(columns: u8, lines: u16, page_size: u16) -> Parameters {
    let wide = columns == 80;
    let (vertical, misc, line, char_height, rows, underline, attribute) = match lines {
        200 => (V400, 0x63, 0xC0, 8, 25, 0x00, ATTRIBUTE_CGA),
        350 => (V350, 0xA3, 0x40, 14, 25, 0x0F, ATTRIBUTE_EGA),
        _ => (V480, 0xE3, 0x40, 16, 30, 0x00, ATTRIBUTE_EGA),
    };
    let shape = Shape {
        line,
        cursor: [0, 0],
        offset: columns / 2,
        underline,
        mode: 0xE3,
    };
    Parameters {
        columns,
        last_row: rows - 1,
        char_height,
        page_size,
        sequencer: [if wide { 0x01 } else { 0x09 }, 0x0F, 0x00, 0x06],
        misc,
        crtc: crtc(if wide { H80 } else { H40 }, vertical, &shape),
        attribute: with_control(attribute, [0x01, 0x00, 0x0F, 0x00]),
        graphics: GRAPHICS_PLANAR,
    }
}

/// Mode 0Fh: two planes on a monochrome display.
const fn mono_planar() -> Parameters {
    let mut mono = planar(80, 350, 0x8000);
    mono.misc = 0xA2;
    mono.attribute = with_control(ATTRIBUTE_MONO, [0x0B, 0x00, 0x05, 0x00]);
    mono.graphics[7] = 0x05;
    mono
}

/// Mode 11h: one plane seen.
const fn two_colours() -> Parameters {
    let mut two = planar(80, 480, 0xA000);
    two.crtc[0x17] = 0xC3;
    two.attribute = with_control(ATTRIBUTE_TWO, [0x01, 0x00, 0x0F, 0x00]);
    two.graphics[7] = 0x01;
    two
}

/// Mode 6Ah: 800x600 at VESA's 60 Hz timing (1056 by 628 in all), on whatever clock there is.
const fn svga() -> Parameters {
    let mut svga = planar(80, 480, 0);
    svga.columns = 100;
    svga.last_row = 36;
    svga.misc = 0x27;
    svga.crtc = [
        0x7F, 0x63, 0x64, 0x83, 0x69, 0x19, 0x72, 0xF0, 0, 0x60, 0, 0, 0, 0, 0, 0, 0x59, 0x8D,
        0x57, 0x32, 0, 0x58, 0x73, 0xE3, 0xFF,
    ];
    svga
}

/// VBE's text modes.
const fn large_text(columns: u8, rows: u8, vertical: [u8; 5], char_height: u8) -> Parameters {
    let mut large = text(80, 400);
    let is_small = char_height == 8;
    let shape = Shape {
        line: 0x40 | (char_height - 1),
        cursor: if is_small { [0x06, 0x07] } else { [0x0D, 0x0E] },
        offset: columns / 2,
        underline: 0x1F,
        mode: 0xA3,
    };
    large.columns = columns;
    large.last_row = rows - 1;
    large.char_height = char_height;
    // In whole 256 bytes.
    large.page_size = (columns as u16 * rows as u16 * 2).next_multiple_of(0x100);
    // Eight dots a character.
    large.sequencer[0] = 0x01;
    large.misc = match vertical[2] {
        0x57 => 0xA7,
        0xDF => 0xE7,
        _ => 0x67,
    };
    large.crtc = crtc(
        if columns == 80 { H80_TEXT } else { H132 },
        vertical,
        &shape,
    );
    large.attribute = with_control(ATTRIBUTE_EGA, [0x08, 0x00, 0x0F, 0x00]);
    large
}

/// Mode 13h: a byte a pixel, the planes chained.
const fn chained() -> Parameters {
    let shape = Shape {
        line: 0x41,
        cursor: [0, 0],
        offset: 0x28,
        underline: 0x40,
        mode: 0xA3,
    };
    Parameters {
        columns: 40,
        last_row: 24,
        char_height: 8,
        page_size: 0x2000,
        sequencer: [0x01, 0x0F, 0x00, 0x0E],
        misc: 0x63,
        crtc: crtc(H80, V400, &shape),
        attribute: with_control(ATTRIBUTE_256, [0x41, 0x00, 0x0F, 0x00]),
        graphics: GRAPHICS_256,
    }
}

const fn with_control(palette: [u8; 16], control: [u8; 4]) -> [u8; 20] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = palette;
    let [q, r, s, t] = control;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t]
}

/// The entries, in IBM's order; see [`entry`]. Those of no mode repeat a neighbour.
const TABLE: [Parameters; COUNT] = [
    text(40, 200), // 00 to 07: modes 0 to 7 as the CGA and MDA had them
    text(40, 200),
    text(80, 200),
    text(80, 200),
    cga(40, ATTRIBUTE_CGA4, GRAPHICS_CGA4),
    cga(40, ATTRIBUTE_CGA4, GRAPHICS_CGA4),
    cga(80, ATTRIBUTE_CGA2, GRAPHICS_CGA2),
    mono_text(350),
    text(80, 200), // 08 to 0C: reserved
    text(80, 200),
    text(80, 200),
    text(80, 200),
    text(80, 200),
    planar(40, 200, 0x2000), // 0D, 0E: modes 0Dh, 0Eh
    planar(80, 200, 0x4000),
    mono_planar(), // 0F, 10: modes 0Fh and 10h of an EGA with 64 KiB
    planar(80, 350, 0x8000),
    mono_planar(), // 11, 12: modes 0Fh, 10h
    planar(80, 350, 0x8000),
    text(40, 350), // 13 to 16: modes 0 to 3 with 350 lines
    text(40, 350),
    text(80, 350),
    text(80, 350),
    text(40, 400), // 17, 18, 19: modes 0 and 1, 2 and 3, 7 with 400 lines
    text(80, 400),
    mono_text(400),
    two_colours(), // 1A to 1C: modes 11h to 13h
    planar(80, 480, 0xA000),
    chained(),
    svga(), // 1D on: modes 6Ah to 6Fh
    large_text(80, 60, V480, 8),
    large_text(132, 25, V400, 16),
    large_text(132, 43, V344, 8),
    large_text(132, 50, V400, 8),
    large_text(132, 60, V480, 8),
];

/// The entry of a mode whose scan lines nobody chooses.
const fn entry(mode: u8) -> u8 {
    match mode {
        0x0F => 0x11,
        0x10 => 0x12,
        0x11..=0x13 => mode - 0x11 + 0x1A,
        _ => mode,
    }
}

/// The entries of modes 0 to 13h: 200 or 350 lines or fixed, then 350, then 400 lines.
pub(crate) fn entries_by_mode() -> [Vec<u8>; 3] {
    let choose = |text: fn(u8) -> u8, mono: u8| {
        (0..=0x13)
            .map(|mode| match mode {
                0..=3 => text(mode),
                7 => mono,
                _ => entry(mode),
            })
            .collect()
    };
    [
        choose(|mode| mode, 0x07),
        choose(|mode| 0x13 + mode, 0x07),
        choose(|mode| 0x17 + mode / 2, 0x19),
    ]
}

/// The table as bytes.
pub(crate) fn bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in &TABLE {
        bytes.extend([entry.columns, entry.last_row, entry.char_height]);
        bytes.extend(entry.page_size.to_le_bytes());
        bytes.extend(entry.sequencer);
        bytes.push(entry.misc);
        bytes.extend(entry.crtc);
        bytes.extend(entry.attribute);
        bytes.extend(entry.graphics);
    }
    bytes
}
