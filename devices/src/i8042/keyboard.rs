//! The keyboard: its commands, its buffer, and keys that repeat while held.
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and
//! 102-key)". The last key that went down repeats until it goes up. A host
//! whose own keyboard repeats sends its code again and again: that is no new
//! key press, so keys repeat as the guest has set it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::scan_codes::{EXTENDED, Key, KeyTypes, PAUSE, ScanCodeSet, keys_of};
use super::translation::{BREAK, to_set_1};
use crate::time::Time;

const ACKNOWLEDGE: u8 = 0xfa;
const RESEND: u8 = 0xfe;
const SELF_TEST_PASSED: u8 = 0xaa;
const ECHO: u8 = 0xee;
/// The identity of a 101- or 102-key keyboard.
const IDENTITY: [u8; 2] = [0xab, 0x83];
/// The keyboard's buffer of key codes.
const BUFFER_BYTES: usize = 16;
/// Nanoseconds of the shortest wait before a held key repeats.
const DELAY_NS: u64 = 250_000_000;
/// Nanoseconds of the unit in which the repeat rate counts, 1/240 second.
const RATE_UNIT_NS: u64 = 4_166_667;

/// The command whose parameter is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Expects {
    Command,
    Leds,
    ScanCodeSet,
    Rate,
    /// Codes of keys in set 3, for the command FBh to FDh; ends at the next command.
    KeyCodes(u8),
}

/// The key that repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    key: Key,
    /// When it comes again; known from the first look at the clock.
    repeats_at: Option<Time>,
}

/// The keyboard.
#[derive(Debug)]
pub(super) struct Keyboard {
    /// Codes of keys, in the set that was chosen.
    keys: VecDeque<u8>,
    /// Answers to commands, which go first and unchanged.
    answers: VecDeque<u8>,
    expects: Expects,
    set: ScanCodeSet,
    types: KeyTypes,
    scans: bool,
    leds: u8,
    rate: u8,
    held: Option<Held>,
    /// A set 2 release prefix was swallowed by the translation.
    releasing: bool,
    last_sent: u8,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedKeyboardV1 {
    keys: VecDeque<u8>,
    answers: VecDeque<u8>,
    expects: Expects,
    set: ScanCodeSet,
    types: KeyTypes,
    scans: bool,
    leds: u8,
    rate: u8,
    held: Option<Held>,
    releasing: bool,
    last_sent: u8,
}

impl Keyboard {
    pub(super) const fn new() -> Self {
        Self {
            keys: VecDeque::new(),
            answers: VecDeque::new(),
            expects: Expects::Command,
            set: ScanCodeSet::Two,
            types: KeyTypes::DEFAULT,
            scans: true,
            leds: 0,
            // 10.9 characters a second after half a second.
            rate: 0x2b,
            held: None,
            releasing: false,
            last_sent: 0,
        }
    }

    pub(super) const fn leds(&self) -> u8 {
        self.leds
    }

    /// Takes the set 2 codes of a key, all or none.
    pub(super) fn press(&mut self, codes: &[u8]) -> bool {
        if !self.scans {
            // A keyboard that does not scan notices no key.
            return true;
        }
        if let Some(held) = self.held
            && held.key.set_2().eq(codes.iter().copied())
        {
            // The host's keyboard repeats; this one does it by itself.
            return true;
        }
        let bytes: Vec<u8> = keys_of(codes)
            .flat_map(|key| self.set.codes(key, &self.types))
            .collect();
        if self.keys.len() + bytes.len() > BUFFER_BYTES {
            return false;
        }
        self.keys.extend(bytes);
        keys_of(codes).for_each(|key| self.note_held(key));
        true
    }

    /// Finds out whether `key` is the key that repeats now.
    fn note_held(&mut self, key: Key) {
        if key.prefix == Some(PAUSE) {
            return;
        }
        if !key.is_release {
            self.held = Some(Held {
                key,
                repeats_at: None,
            });
        } else if self.held.is_some_and(|held| held.key == key.pressed()) {
            self.held = None;
        }
    }

    /// When the held key comes again.
    pub(super) fn repeats_at(&self) -> Option<Time> {
        self.held?.repeats_at
    }

    /// Lets the held key repeat if it is time.
    pub(super) fn advance(&mut self, now: Time) {
        let Some(held) = &mut self.held else { return };
        let Some(due) = held.repeats_at else {
            let delays = u64::from(self.rate >> 5 & 3) + 1;
            held.repeats_at = Some(now.after_ns(delays * DELAY_NS));
            return;
        };
        if now < due {
            return;
        }
        let units = u64::from(8 + (self.rate & 7)) << (self.rate >> 3 & 3);
        held.repeats_at = Some(now.after_ns(units * RATE_UNIT_NS));
        let codes = self.set.repeated_codes(held.key, &self.types);
        if self.keys.len() + codes.len() <= BUFFER_BYTES {
            self.keys.extend(codes);
        }
    }

    pub(super) fn has_byte(&self) -> bool {
        !self.answers.is_empty() || !self.keys.is_empty()
    }

    /// The next byte that reaches the controller's output buffer, which
    /// `translates` from set 2 to set 1 or not.
    pub(super) fn next(&mut self, translates: bool) -> Option<u8> {
        if let Some(answer) = self.answers.pop_front() {
            self.last_sent = answer;
            // The translation takes an answer for a code; those that matter
            // lie above the table, but the identity's 83h does not.
            return Some(if translates {
                to_set_1(answer, false)
            } else {
                answer
            });
        }
        while let Some(code) = self.keys.pop_front() {
            let mut byte = code;
            // Translating set 1 or 3 as if it were set 2 is what a guest deserves who asks for both.
            if translates {
                if code == BREAK {
                    self.releasing = true;
                    continue;
                }
                byte = to_set_1(code, self.releasing && code < EXTENDED);
                self.releasing &= code >= EXTENDED;
            }
            self.last_sent = byte;
            return Some(byte);
        }
        None
    }

    /// A byte from the guest.
    pub(super) fn receive(&mut self, byte: u8) {
        self.answers.clear();
        let expects = std::mem::replace(&mut self.expects, Expects::Command);
        match (expects, byte) {
            // A parameter is below the commands.
            (Expects::Leds, 0..=0x7f) => {
                self.leds = byte & 7;
                self.acknowledge();
            }
            (Expects::Rate, 0..=0x7f) => {
                self.rate = byte;
                self.acknowledge();
            }
            (Expects::ScanCodeSet, 0..=0x7f) => self.choose_set(byte),
            // Codes of set 3 all lie below the commands.
            (Expects::KeyCodes(command), 0..=0x9f) => {
                self.types.choose(command, byte);
                self.expects = Expects::KeyCodes(command);
                self.acknowledge();
            }
            _ => self.command(byte),
        }
    }

    fn choose_set(&mut self, set: u8) {
        match set {
            0 => {
                self.acknowledge();
                self.answers.push_back(self.set.number());
            }
            set => match ScanCodeSet::of_number(set) {
                Some(set) => {
                    self.set = set;
                    self.forget_keys();
                    self.acknowledge();
                }
                None => self.answers.push_back(RESEND),
            },
        }
    }

    /// What was pressed and not yet sent, and the key that is held, are void.
    fn forget_keys(&mut self) {
        self.keys.clear();
        self.held = None;
        self.releasing = false;
    }

    fn command(&mut self, command: u8) {
        match command {
            0xed => self.expect(Expects::Leds),
            0xee => self.answers.push_back(ECHO),
            0xf0 => self.expect(Expects::ScanCodeSet),
            0xf2 => {
                self.acknowledge();
                self.answers.extend(IDENTITY);
            }
            0xf3 => self.expect(Expects::Rate),
            0xf4 => {
                self.forget_keys();
                self.scans = true;
                self.acknowledge();
            }
            0xf5 => {
                self.set_defaults();
                self.scans = false;
                self.acknowledge();
            }
            0xf6 => {
                self.set_defaults();
                self.acknowledge();
            }
            // What keys do when they are held and released, in set 3: all of them,
            0xf7..=0xfa => {
                self.forget_keys();
                self.types.choose_all(command);
                self.acknowledge();
            }
            // or those that are named next. Until it is enabled again the keyboard does not scan.
            0xfb..=0xfd => {
                self.forget_keys();
                self.scans = false;
                self.expect(Expects::KeyCodes(command));
            }
            0xfe => self.answers.push_back(self.last_sent),
            0xff => {
                *self = Self::new();
                self.acknowledge();
                self.answers.push_back(SELF_TEST_PASSED);
            }
            _ => self.answers.push_back(RESEND),
        }
    }

    fn set_defaults(&mut self) {
        *self = Self {
            leds: self.leds,
            scans: self.scans,
            last_sent: self.last_sent,
            ..Self::new()
        };
    }

    fn acknowledge(&mut self) {
        self.answers.push_back(ACKNOWLEDGE);
    }

    fn expect(&mut self, parameter: Expects) {
        self.expects = parameter;
        self.acknowledge();
    }

    pub(super) fn save(&self) -> SavedKeyboardV1 {
        let Self {
            keys,
            answers,
            expects,
            set,
            types,
            scans,
            leds,
            rate,
            held,
            releasing,
            last_sent,
        } = self;
        SavedKeyboardV1 {
            keys: keys.clone(),
            answers: answers.clone(),
            expects: *expects,
            set: *set,
            types: types.clone(),
            scans: *scans,
            leds: *leds,
            rate: *rate,
            held: *held,
            releasing: *releasing,
            last_sent: *last_sent,
        }
    }

    pub(super) fn restore(saved: SavedKeyboardV1) -> Self {
        let SavedKeyboardV1 {
            keys,
            answers,
            expects,
            set,
            types,
            scans,
            leds,
            rate,
            held,
            releasing,
            last_sent,
        } = saved;
        Self {
            keys,
            answers,
            expects,
            set,
            types,
            scans,
            leds,
            rate,
            held,
            releasing,
            last_sent,
        }
    }
}
