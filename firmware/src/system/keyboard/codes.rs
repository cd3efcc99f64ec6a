//! What each key yields: scan code and character, plain, with Shift, Ctrl and Alt (US keyboard).

/// The last scan code of [`plain`]: F12.
pub(super) const LAST: u32 = 0x58;

/// The characters of keys 02h to 35h, plain and with Shift; a space is a key without one.
const PLAIN: &str = "1234567890-=\x08\tqwertyuiop[]\r asdfghjkl;'` \\zxcvbnm,./";
const SHIFT: &str = "!@#$%^&*()_+\x08\0QWERTYUIOP{}\r ASDFGHJKL:\"~ |ZXCVBNM<>?";
/// The first key of these strings.
const FIRST: usize = 0x02;

/// Keys of the keypad: scan code, digit or sign, with Ctrl, with Alt.
const KEYPAD: [(u8, u8, u16, u16); 13] = [
    (0x47, b'7', 0x7700, 0),
    (0x48, b'8', 0x8D00, 0),
    (0x49, b'9', 0x8400, 0),
    (0x4A, b'-', 0x8E00, 0x4AF0),
    (0x4B, b'4', 0x7300, 0),
    (0x4C, b'5', 0x8F00, 0),
    (0x4D, b'6', 0x7400, 0),
    (0x4E, b'+', 0x9000, 0x4EF0),
    (0x4F, b'1', 0x7500, 0),
    (0x50, b'2', 0x9100, 0),
    (0x51, b'3', 0x7600, 0),
    (0x52, b'0', 0x9200, 0),
    (0x53, b'.', 0x9300, 0),
];

/// Grey keys with a prefix: scan code, plain, with Ctrl, with Alt.
const GREY: [(u8, u16, u16, u16); 12] = [
    (0x1C, 0xE00D, 0xE00A, 0xA600),
    (0x35, 0xE02F, 0x9500, 0xA400),
    (0x47, 0x47E0, 0x77E0, 0x9700),
    (0x48, 0x48E0, 0x8DE0, 0x9800),
    (0x49, 0x49E0, 0x84E0, 0x9900),
    (0x4B, 0x4BE0, 0x73E0, 0x9B00),
    (0x4D, 0x4DE0, 0x74E0, 0x9D00),
    (0x4F, 0x4FE0, 0x75E0, 0x9F00),
    (0x50, 0x50E0, 0x91E0, 0xA000),
    (0x51, 0x51E0, 0x76E0, 0xA100),
    (0x52, 0x52E0, 0x92E0, 0xA200),
    (0x53, 0x53E0, 0x93E0, 0xA300),
];

/// The grey keys as records: scan code, then three words.
pub(super) fn grey() -> Vec<u8> {
    let record = |(code, plain, ctrl, alt): &(u8, u16, u16, u16)| {
        let mut record = vec![*code];
        record.extend([plain, ctrl, alt].iter().flat_map(|key| key.to_le_bytes()));
        record
    };
    GREY.iter().flat_map(record).collect()
}

/// Four words for each scan code from zero: plain, Shift, Ctrl, Alt; zero is no key.
pub(super) fn plain() -> Vec<u8> {
    let mut keys = [[0u16; 4]; LAST as usize + 1];
    keys[0x01] = [0x011B, 0x011B, 0x011B, 0x01F0];
    for (n, (plain, shift)) in PLAIN.bytes().zip(SHIFT.bytes()).enumerate() {
        if plain != b' ' {
            let code = FIRST + n;
            let scan = u16::try_from(code << 8).unwrap_or(0);
            let ctrl = with_ctrl(plain).map_or(0, |character| scan | character);
            keys[code] = [
                scan | u16::from(plain),
                scan | u16::from(shift),
                ctrl,
                with_alt(scan, plain),
            ];
        }
    }
    keys[0x0F][2] = 0x9400; // Ctrl-Tab
    keys[0x37] = [0x372A, 0x372A, 0x9600, 0x37F0];
    keys[0x39] = [0x3920; 4];
    for n in 0..10u16 {
        let code = 0x3B + n;
        keys[usize::from(code)] = [code << 8, (0x54 + n) << 8, (0x5E + n) << 8, (0x68 + n) << 8];
    }
    for (code, sign, ctrl, alt) in KEYPAD {
        let scan = u16::from(code) << 8;
        let signed = scan | u16::from(sign);
        let plain = if matches!(sign, b'-' | b'+') {
            signed
        } else {
            scan
        };
        keys[usize::from(code)] = [plain, signed, ctrl, alt];
    }
    keys[0x56] = [0x565C, 0x567C, 0, 0]; // The extra key of European keyboards.
    keys[0x57] = [0x8500, 0x8700, 0x8900, 0x8B00];
    keys[0x58] = [0x8600, 0x8800, 0x8A00, 0x8C00];
    keys.iter()
        .flatten()
        .flat_map(|key| key.to_le_bytes())
        .collect()
}

/// The character of a key with Ctrl.
fn with_ctrl(plain: u8) -> Option<u16> {
    match plain {
        b'a'..=b'z' => Some(u16::from(plain - b'a' + 1)),
        b'[' => Some(0x1B),
        b'\\' => Some(0x1C),
        b']' => Some(0x1D),
        b'6' => Some(0x1E),
        b'-' => Some(0x1F),
        0x08 => Some(0x7F),
        b'\r' => Some(0x0A),
        _ => None,
    }
}

/// A key with Alt. The row of digits has codes of its own; what the first keyboards' BIOS did not have is marked F0h.
fn with_alt(scan: u16, plain: u8) -> u16 {
    match plain {
        b'a'..=b'z' => scan,
        b'0'..=b'9' | b'-' | b'=' => scan + 0x7600,
        b'\t' => 0xA500,
        _ => scan | 0xF0,
    }
}

/// For each scan code, the digit on the keypad, or FFh.
pub(super) fn keypad_digits() -> Vec<u8> {
    let mut digits = vec![0xFF; LAST as usize + 1];
    for (code, sign, ..) in KEYPAD {
        if sign.is_ascii_digit() {
            digits[usize::from(code)] = sign - b'0';
        }
    }
    digits
}
