//! The three sets of scan codes, and what keys do in set 3.
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and
//! 102-key)": scan code sets 1 to 3 and their default key types. Keys come in
//! by their codes of set 2, with prefixes; set 3 has one code for each key, and
//! for each key a type that the system may change.

use serde::{Deserialize, Serialize};

use super::translation::{BREAK, to_set_1};

/// The prefix of the keys that the first PC did not have.
pub(super) const EXTENDED: u8 = 0xe0;
/// The prefix of Pause, whose codes hold its release, and which never repeats.
pub(super) const PAUSE: u8 = 0xe1;

/// The scan codes that the keyboard sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ScanCodeSet {
    One,
    Two,
    Three,
}

/// A key that goes down or up, by one of its codes in set 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    /// [`EXTENDED`], [`PAUSE`] or none.
    pub(super) prefix: Option<u8>,
    code: u8,
    pub(super) is_release: bool,
}

/// The keys that set 2 codes tell of.
pub(super) fn keys_of(codes: &[u8]) -> impl Iterator<Item = Key> {
    let (mut prefix, mut is_release) = (None, false);
    codes.iter().filter_map(move |&code| match code {
        EXTENDED | PAUSE => {
            prefix = Some(code);
            None
        }
        BREAK => {
            is_release = true;
            None
        }
        _ => {
            let key = Key {
                prefix,
                code,
                is_release,
            };
            is_release = false;
            // The prefix of Pause is for two codes: 14h and 77h.
            if prefix != Some(PAUSE) || code == PAUSE_SECOND {
                prefix = None;
            }
            Some(key)
        }
    })
}

/// The second code of Pause in set 2; the first is Ctrl's.
const PAUSE_SECOND: u8 = 0x77;

impl Key {
    /// The same key going down.
    pub(super) const fn pressed(self) -> Self {
        Self {
            is_release: false,
            ..self
        }
    }

    /// Its codes of set 2. Of Pause, the first of two codes has the prefix.
    pub(super) fn set_2(self) -> impl Iterator<Item = u8> {
        let prefix = self.prefix.filter(|&prefix| !self.is_pause_end(prefix));
        let release = self.is_release.then_some(BREAK);
        prefix.into_iter().chain(release).chain([self.code])
    }

    const fn is_pause_end(self, prefix: u8) -> bool {
        prefix == PAUSE && self.code == PAUSE_SECOND
    }

    /// Its codes of set 1.
    fn set_1(self) -> impl Iterator<Item = u8> {
        let prefix = self.prefix.filter(|&prefix| !self.is_pause_end(prefix));
        prefix
            .into_iter()
            .chain([to_set_1(self.code, self.is_release)])
    }

    /// Its code of set 3; none for the shifts that accompany a key in the other sets.
    fn set_3(self) -> Option<u8> {
        let table: &[(u8, u8)] = match self.prefix {
            None => &PLAIN_TO_SET_3,
            Some(EXTENDED) => &EXTENDED_TO_SET_3,
            // Pause: one code for its four in set 2.
            Some(_) => &[(PAUSE_SECOND, 0x62)],
        };
        let found = table.iter().find(|&&(code, _)| code == self.code);
        match (found, self.prefix) {
            (Some(&(_, in_set_3)), _) => Some(in_set_3),
            // Letters, digits and most others are the same.
            (None, None) => Some(self.code),
            (None, Some(_)) => None,
        }
    }
}

/// Set 3 codes of the keys without a prefix whose set 2 codes are others.
const PLAIN_TO_SET_3: [(u8, u8); 23] = [
    (0x5d, 0x5c), // backslash
    (0x58, 0x14), // caps lock
    (0x61, 0x13), // the 102nd key
    (0x14, 0x11), // left ctrl
    (0x11, 0x19), // left alt
    (0x77, 0x76), // num lock
    (0x7c, 0x7e), // keypad *
    (0x7b, 0x84), // keypad -
    (0x79, 0x7c), // keypad +
    (0x76, 0x08), // escape
    (0x05, 0x07), // F1
    (0x06, 0x0f),
    (0x04, 0x17),
    (0x0c, 0x1f),
    (0x03, 0x27),
    (0x0b, 0x2f),
    (0x83, 0x37),
    (0x0a, 0x3f),
    (0x01, 0x47),
    (0x09, 0x4f), // F10
    (0x78, 0x56), // F11
    (0x7e, 0x5f), // scroll lock
    (0x07, 0x5e), // F12
];

/// Set 3 codes of the keys with the prefix E0h.
const EXTENDED_TO_SET_3: [(u8, u8); 18] = [
    (0x11, 0x39), // right alt
    (0x14, 0x58), // right ctrl
    (0x70, 0x67), // insert
    (0x71, 0x64), // delete
    (0x6b, 0x61), // left
    (0x6c, 0x6e), // home
    (0x69, 0x65), // end
    (0x75, 0x63), // up
    (0x72, 0x60), // down
    (0x7d, 0x6f), // page up
    (0x7a, 0x6d), // page down
    (0x74, 0x6a), // right
    (0x4a, 0x77), // keypad /
    (0x5a, 0x79), // keypad enter
    (0x7c, 0x57), // print screen
    (0x1f, 0x8b), // left window key
    (0x27, 0x8c), // right window key
    (0x2f, 0x8d), // menu
];

impl ScanCodeSet {
    /// The set that F0h chooses by its number.
    pub(super) const fn of_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            3 => Some(Self::Three),
            _ => None,
        }
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// What the keyboard sends when a key goes down or up.
    pub(super) fn codes(self, key: Key, types: &KeyTypes) -> Vec<u8> {
        match (self, key.set_3()) {
            (Self::One, _) => key.set_1().collect(),
            (Self::Two, _) => key.set_2().collect(),
            (Self::Three, None) => Vec::new(),
            (Self::Three, Some(code)) if !key.is_release => vec![code],
            (Self::Three, Some(code)) if types.release.has(code) => vec![BREAK, code],
            (Self::Three, Some(_)) => Vec::new(),
        }
    }

    /// What it sends while a key is held.
    pub(super) fn repeated_codes(self, key: Key, types: &KeyTypes) -> Vec<u8> {
        let is_quiet =
            self == Self::Three && !key.set_3().is_some_and(|code| types.repeat.has(code));
        if is_quiet {
            return Vec::new();
        }
        self.codes(key, types)
    }
}

/// Which keys repeat, and which tell that they are released, in set 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyTypes {
    repeat: Codes,
    release: Codes,
}

/// Keys that tell of their release and do not repeat: shifts, ctrl, alt, caps lock.
const MAKE_BREAK: [u8; 5] = [0x11, 0x12, 0x14, 0x19, 0x59];
/// Keys that only tell that they went down.
const MAKE_ONLY: [u8; 42] = [
    0x08, // escape
    0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x56, 0x5e, // F1 to F12
    0x57, 0x5f, 0x62, // print screen, scroll lock, pause
    0x39, 0x58, // right alt and ctrl
    0x67, 0x6e, 0x65, 0x6f, 0x6d, // insert, home, end, page up and down
    0x76, 0x77, 0x7e, 0x84, 0x79, // the keypad but for +
    0x6c, 0x75, 0x7d, 0x6b, 0x73, 0x74, 0x69, 0x72, 0x7a, 0x70, 0x71, // its digits
    0x8b, 0x8c, 0x8d, // window keys and menu
];

impl KeyTypes {
    /// As after a reset: what is in neither list repeats, and is released in silence.
    pub(super) const DEFAULT: Self = Self {
        repeat: Codes::ALL.with(&MAKE_BREAK, false).with(&MAKE_ONLY, false),
        release: Codes::NONE.with(&MAKE_BREAK, true),
    };

    /// F7h to FAh: all keys alike.
    pub(super) const fn choose_all(&mut self, command: u8) {
        self.repeat = if matches!(command, 0xf7 | 0xfa) {
            Codes::ALL
        } else {
            Codes::NONE
        };
        self.release = if matches!(command, 0xf8 | 0xfa) {
            Codes::ALL
        } else {
            Codes::NONE
        };
    }

    /// FBh to FDh: one key.
    pub(super) fn choose(&mut self, command: u8, code: u8) {
        self.repeat.set(code, command == 0xfb);
        self.release.set(code, command == 0xfc);
    }
}

/// A set of scan codes below A0h, which all codes of set 3 are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Codes([u32; 5]);

impl Codes {
    const NONE: Self = Self([0; 5]);
    const ALL: Self = Self([u32::MAX; 5]);

    const fn has(self, code: u8) -> bool {
        let word = (code / 32) as usize;
        word < self.0.len() && self.0[word] >> (code % 32) & 1 != 0
    }

    const fn set(&mut self, code: u8, is_in: bool) {
        let word = (code / 32) as usize;
        if word < self.0.len() {
            let bit = 1 << (code % 32);
            self.0[word] = self.0[word] & !bit | if is_in { bit } else { 0 };
        }
    }

    const fn with(mut self, codes: &[u8], are_in: bool) -> Self {
        let mut index = 0;
        while index < codes.len() {
            self.set(codes[index], are_in);
            index += 1;
        }
        self
    }
}
