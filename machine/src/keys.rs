//! The keys of a US keyboard: by name, by the character they type, and the codes
//! that the keyboard sends for them (scan code set 2).
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-key)".

/// A key, by its place on the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(Code);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Code {
    Plain(u8),
    /// With the prefix E0h.
    Extended(u8),
    /// A sequence of its own, and no release.
    Pause,
}

/// A key goes down or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// Which key.
    pub key: Key,
    /// Down, else up.
    pub is_down: bool,
}

/// Why text or a name is no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key has this name.
    #[error("there is no key '{0}'; give names such as a, f10, ret, esc, up or ctrl-alt-del")]
    Unknown(String),
    /// No key types this character.
    #[error("a US keyboard has no key for the character {0:?}")]
    Untypable(char),
}

/// Names, the first of each row the one that is told. One character names the key that types it.
const NAMES: &[(&str, Code)] = {
    use Code::{Extended as E, Pause, Plain as P};
    &[
        ("ret", P(0x5a)),
        ("enter", P(0x5a)),
        ("return", P(0x5a)),
        ("esc", P(0x76)),
        ("escape", P(0x76)),
        ("tab", P(0x0d)),
        ("spc", P(0x29)),
        ("space", P(0x29)),
        ("backspace", P(0x66)),
        ("bs", P(0x66)),
        ("minus", P(0x4e)),
        ("shift", P(0x12)),
        ("shift_r", P(0x59)),
        ("ctrl", P(0x14)),
        ("ctrl_r", E(0x14)),
        ("alt", P(0x11)),
        ("alt_r", E(0x11)),
        ("altgr", E(0x11)),
        ("meta", E(0x1f)),
        ("win", E(0x1f)),
        ("meta_r", E(0x27)),
        ("menu", E(0x2f)),
        ("caps_lock", P(0x58)),
        ("num_lock", P(0x77)),
        ("scroll_lock", P(0x7e)),
        ("pause", Pause),
        ("print", E(0x7c)),
        ("sysrq", P(0x84)),
        ("up", E(0x75)),
        ("down", E(0x72)),
        ("left", E(0x6b)),
        ("right", E(0x74)),
        ("home", E(0x6c)),
        ("end", E(0x69)),
        ("pgup", E(0x7d)),
        ("pgdn", E(0x7a)),
        ("insert", E(0x70)),
        ("ins", E(0x70)),
        ("delete", E(0x71)),
        ("del", E(0x71)),
        ("f1", P(0x05)),
        ("f2", P(0x06)),
        ("f3", P(0x04)),
        ("f4", P(0x0c)),
        ("f5", P(0x03)),
        ("f6", P(0x0b)),
        ("f7", P(0x83)),
        ("f8", P(0x0a)),
        ("f9", P(0x01)),
        ("f10", P(0x09)),
        ("f11", P(0x78)),
        ("f12", P(0x07)),
        ("kp_0", P(0x70)),
        ("kp_1", P(0x69)),
        ("kp_2", P(0x72)),
        ("kp_3", P(0x7a)),
        ("kp_4", P(0x6b)),
        ("kp_5", P(0x73)),
        ("kp_6", P(0x74)),
        ("kp_7", P(0x6c)),
        ("kp_8", P(0x75)),
        ("kp_9", P(0x7d)),
        ("kp_decimal", P(0x71)),
        ("kp_add", P(0x79)),
        ("kp_subtract", P(0x7b)),
        ("kp_multiply", P(0x7c)),
        ("kp_divide", E(0x4a)),
        ("kp_enter", E(0x5a)),
        ("kp_comma", P(0x6d)),
        ("kp_equals", P(0x0f)),
        ("less", P(0x61)),
        ("ro", P(0x51)),
        ("yen", P(0x6a)),
        ("henkan", P(0x64)),
        ("muhenkan", P(0x67)),
        ("katakanahiragana", P(0x13)),
    ]
};

/// The keys that type characters: alone, with shift, and the code.
const CHARACTERS: &[(char, char, u8)] = &[
    ('a', 'A', 0x1c),
    ('b', 'B', 0x32),
    ('c', 'C', 0x21),
    ('d', 'D', 0x23),
    ('e', 'E', 0x24),
    ('f', 'F', 0x2b),
    ('g', 'G', 0x34),
    ('h', 'H', 0x33),
    ('i', 'I', 0x43),
    ('j', 'J', 0x3b),
    ('k', 'K', 0x42),
    ('l', 'L', 0x4b),
    ('m', 'M', 0x3a),
    ('n', 'N', 0x31),
    ('o', 'O', 0x44),
    ('p', 'P', 0x4d),
    ('q', 'Q', 0x15),
    ('r', 'R', 0x2d),
    ('s', 'S', 0x1b),
    ('t', 'T', 0x2c),
    ('u', 'U', 0x3c),
    ('v', 'V', 0x2a),
    ('w', 'W', 0x1d),
    ('x', 'X', 0x22),
    ('y', 'Y', 0x35),
    ('z', 'Z', 0x1a),
    ('1', '!', 0x16),
    ('2', '@', 0x1e),
    ('3', '#', 0x26),
    ('4', '$', 0x25),
    ('5', '%', 0x2e),
    ('6', '^', 0x36),
    ('7', '&', 0x3d),
    ('8', '*', 0x3e),
    ('9', '(', 0x46),
    ('0', ')', 0x45),
    ('`', '~', 0x0e),
    ('-', '_', 0x4e),
    ('=', '+', 0x55),
    ('[', '{', 0x54),
    (']', '}', 0x5b),
    ('\\', '|', 0x5d),
    (';', ':', 0x4c),
    ('\'', '"', 0x52),
    (',', '<', 0x41),
    ('.', '>', 0x49),
    ('/', '?', 0x4a),
    (' ', ' ', 0x29),
    ('\n', '\n', 0x5a),
    ('\r', '\r', 0x5a),
    ('\t', '\t', 0x0d),
    ('\u{8}', '\u{8}', 0x66),
    ('\u{7f}', '\u{7f}', 0x66),
    ('\u{1b}', '\u{1b}', 0x76),
];

impl Key {
    /// The left shift key.
    pub const SHIFT: Self = Self(Code::Plain(0x12));
    /// The left control key.
    pub const CTRL: Self = Self(Code::Plain(0x14));
    /// The left alt key.
    pub const ALT: Self = Self(Code::Plain(0x11));

    /// The key of this name: `ret`, `esc`, `f10`, `up`, `kp_5`, or the character it types without shift.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut characters = name.chars();
        if let (Some(character), None) = (characters.next(), characters.next()) {
            return Self::typing(character)
                .filter(|(_, shift)| !shift)
                .map(|(key, _)| key);
        }
        let lower = name.to_ascii_lowercase().replace('-', "_");
        let found = NAMES.iter().find(|(known, _)| *known == lower);
        found.map(|(_, code)| Self(*code))
    }

    /// The key that types a character, and whether with shift.
    #[must_use]
    pub fn typing(character: char) -> Option<(Self, bool)> {
        let found = CHARACTERS
            .iter()
            .find(|(plain, shifted, _)| *plain == character || *shifted == character);
        found.map(|(plain, _, code)| (Self(Code::Plain(*code)), *plain != character))
    }
}

impl KeyEvent {
    /// The key goes down.
    #[must_use]
    pub const fn down(key: Key) -> Self {
        Self { key, is_down: true }
    }

    /// The key goes up.
    #[must_use]
    pub const fn up(key: Key) -> Self {
        Self {
            key,
            is_down: false,
        }
    }

    /// What the keyboard sends, in scan code set 2.
    #[must_use]
    pub fn codes(self) -> Vec<u8> {
        match (self.key.0, self.is_down) {
            (Code::Plain(code), true) => vec![code],
            (Code::Plain(code), false) => vec![0xf0, code],
            (Code::Extended(code), true) => vec![0xe0, code],
            (Code::Extended(code), false) => vec![0xe0, 0xf0, code],
            (Code::Pause, true) => vec![0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77],
            (Code::Pause, false) => Vec::new(),
        }
    }
}

/// The keys of a text, one stroke after the other.
///
/// # Errors
/// When no key types one of its characters.
pub fn strokes_of_text(text: &str) -> Result<Vec<KeyEvent>, KeyError> {
    let mut events = Vec::new();
    for character in text.chars() {
        let (key, shift) = Key::typing(character).ok_or(KeyError::Untypable(character))?;
        let shift = shift.then_some(Key::SHIFT);
        events.extend(shift.map(KeyEvent::down));
        events.extend([KeyEvent::down(key), KeyEvent::up(key)]);
        events.extend(shift.map(KeyEvent::up));
    }
    Ok(events)
}

/// A combination such as `ctrl-alt-del`: all go down in order, and up in the other order.
///
/// # Errors
/// When there is no such key.
pub fn strokes_of_name(name: &str) -> Result<Vec<KeyEvent>, KeyError> {
    let unknown = || KeyError::Unknown(name.into());
    let keys = if let Some(key) = Key::named(name) {
        vec![key]
    } else {
        // `ctrl--` and `shift--` are combinations with the minus key.
        let (rest, minus) = match name.strip_suffix("--") {
            Some(rest) => (rest, Some("-")),
            None => (name, None),
        };
        let parts = rest.split('-').chain(minus);
        let keys: Option<Vec<Key>> = parts.map(Key::named).collect();
        keys.ok_or_else(unknown)?
    };
    let downs = keys.iter().copied().map(KeyEvent::down);
    let ups = keys.iter().rev().copied().map(KeyEvent::up);
    Ok(downs.chain(ups).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(events: &[KeyEvent]) -> Vec<u8> {
        events.iter().flat_map(|event| event.codes()).collect()
    }

    #[test]
    fn every_printable_character_has_a_key() {
        for character in ' '..='~' {
            assert!(Key::typing(character).is_some(), "{character}");
        }
        assert_eq!(strokes_of_text("é"), Err(KeyError::Untypable('é')));
        assert_eq!(
            codes(&strokes_of_text("aB\n").unwrap()),
            [
                0x1c, 0xf0, 0x1c, 0x12, 0x32, 0xf0, 0x32, 0xf0, 0x12, 0x5a, 0xf0, 0x5a
            ]
        );
    }

    #[test]
    fn no_two_keys_share_a_code() {
        let mut seen = std::collections::HashMap::new();
        for (name, code) in NAMES {
            seen.entry(*code).or_insert(*name);
        }
        let mut typed: Vec<u8> = CHARACTERS.iter().map(|(_, _, code)| *code).collect();
        typed.dedup();
        let count = typed.len();
        typed.sort_unstable();
        typed.dedup();
        // Return, backspace and escape are there under several characters.
        assert!(count - typed.len() <= 1, "{count} {}", typed.len());
    }

    #[test]
    fn combinations_go_down_in_order_and_up_in_the_other() {
        assert_eq!(
            codes(&strokes_of_name("ctrl-alt-del").unwrap()),
            [
                0x14, 0x11, 0xe0, 0x71, 0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14
            ]
        );
        assert_eq!(codes(&strokes_of_name("F10").unwrap()), [0x09, 0xf0, 0x09]);
        assert_eq!(
            codes(&strokes_of_name("ctrl--").unwrap()),
            [0x14, 0x4e, 0xf0, 0x4e, 0xf0, 0x14]
        );
        assert_eq!(codes(&strokes_of_name("-").unwrap()), [0x4e, 0xf0, 0x4e]);
        assert_eq!(codes(&strokes_of_name("kp-5").unwrap()), [0x73, 0xf0, 0x73]);
        for bad in ["", "f13", "ctrl-", "ctrl-nothing", "A"] {
            assert!(strokes_of_name(bad).is_err(), "{bad}");
        }
    }
}
