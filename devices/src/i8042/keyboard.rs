//! The keyboard: its commands, its buffer, and keys that repeat while held.
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and
//! 102-key)". The last key that went down repeats until it goes up. A host
//! whose own keyboard repeats sends its code again and again: that is no new
//! key press, so keys repeat as the guest has set it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

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
/// The prefix of the keys that the first PC did not have.
const EXTENDED: u8 = 0xe0;
/// The prefix of Pause, whose codes hold its release, and which never repeats.
const PAUSE: u8 = 0xe1;
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
    /// Codes of keys, which only set 3 knows; ends at the next command.
    KeyCodes,
}

/// The scan codes that the keyboard sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ScanCodeSet {
    One,
    Two,
}

/// The key that repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    is_extended: bool,
    code: u8,
    /// When it comes again; known from the first look at the clock.
    repeats_at: Option<Time>,
}

/// The keyboard.
#[derive(Debug)]
pub(super) struct Keyboard {
    /// Codes of keys, in set 2.
    keys: VecDeque<u8>,
    /// Answers to commands, which go first and unchanged.
    answers: VecDeque<u8>,
    expects: Expects,
    set: ScanCodeSet,
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
    scans: bool,
    leds: u8,
    rate: u8,
    held: Option<Held>,
    releasing: bool,
    last_sent: u8,
}

impl Held {
    /// What it sends when it goes down.
    fn codes(self) -> impl Iterator<Item = u8> + Clone {
        let prefix = self.is_extended.then_some(EXTENDED);
        prefix.into_iter().chain([self.code])
    }
}

impl Keyboard {
    pub(super) const fn new() -> Self {
        Self {
            keys: VecDeque::new(),
            answers: VecDeque::new(),
            expects: Expects::Command,
            set: ScanCodeSet::Two,
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
            && held.codes().eq(codes.iter().copied())
        {
            // The host's keyboard repeats; this one does it by itself.
            return true;
        }
        if self.keys.len() + codes.len() > BUFFER_BYTES {
            return false;
        }
        self.keys.extend(codes);
        self.note_held(codes);
        true
    }

    /// Finds out which key is down last after `codes`.
    fn note_held(&mut self, codes: &[u8]) {
        let (mut is_extended, mut is_release) = (false, false);
        for &code in codes {
            match code {
                PAUSE => return,
                EXTENDED => is_extended = true,
                BREAK => is_release = true,
                _ => {
                    let is_held = self
                        .held
                        .is_some_and(|held| (held.is_extended, held.code) == (is_extended, code));
                    if !is_release {
                        self.held = Some(Held {
                            is_extended,
                            code,
                            repeats_at: None,
                        });
                    } else if is_held {
                        self.held = None;
                    }
                    (is_extended, is_release) = (false, false);
                }
            }
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
        let codes = held.codes();
        if self.keys.len() + codes.clone().count() <= BUFFER_BYTES {
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
            // A keyboard in set 1 does by itself what the controller would.
            // Translating set 1 once more is what a guest deserves who asks.
            let to_one = self.set == ScanCodeSet::One || translates;
            if to_one && code == BREAK {
                self.releasing = true;
                continue;
            }
            let mut byte = code;
            if to_one {
                byte = to_set_1(code, self.releasing && code < 0xe0);
                self.releasing &= code >= 0xe0;
            }
            if self.set == ScanCodeSet::One && translates {
                byte = to_set_1(byte, false);
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
            (Expects::KeyCodes, 0..=0x84) => {
                self.expects = Expects::KeyCodes;
                self.acknowledge();
            }
            _ => self.command(byte),
        }
    }

    fn choose_set(&mut self, set: u8) {
        match set {
            0 => {
                self.acknowledge();
                self.answers.push_back(match self.set {
                    ScanCodeSet::One => 1,
                    ScanCodeSet::Two => 2,
                });
            }
            1 | 2 => {
                self.set = if set == 1 {
                    ScanCodeSet::One
                } else {
                    ScanCodeSet::Two
                };
                self.keys.clear();
                self.held = None;
                self.releasing = false;
                self.acknowledge();
            }
            // This keyboard has no set 3.
            _ => self.answers.push_back(RESEND),
        }
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
                self.keys.clear();
                self.held = None;
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
            // Repeat and release behaviour of all keys, or of some: set 3.
            0xf7..=0xfa => self.acknowledge(),
            0xfb..=0xfd => self.expect(Expects::KeyCodes),
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
            scans,
            leds,
            rate,
            held,
            releasing,
            last_sent,
        }
    }
}
