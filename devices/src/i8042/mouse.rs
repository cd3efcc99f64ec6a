//! The mouse: a standard PS/2 one with three buttons, which drivers that know
//! how turn into one with a wheel, and then into one with five buttons.
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Mouse"; Microsoft, "Wheel
//! and five-button support of PS/2-compatible mice": a certain sequence of
//! sample rates changes the identity and the packets.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

const ACKNOWLEDGE: u8 = 0xfa;
const RESEND: u8 = 0xfe;
const SELF_TEST_PASSED: u8 = 0xaa;
/// Bytes that may wait before movement is only added up.
const WAITING_BYTES: usize = 9;
/// Bytes that may wait before a button's going down or up is not told.
const WAITING_BYTES_FOR_BUTTONS: usize = 64;
/// Counts of movement that are kept until there is room: more than any screen is wide.
const FARTHEST: i32 = 1 << 14;
/// The sample rates that ask for a wheel, and then for five buttons.
const WHEEL_KNOCK: [u8; 3] = [200, 100, 80];
const FIVE_BUTTONS_KNOCK: [u8; 3] = [200, 200, 80];

/// What the next byte from the guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Expects {
    Command,
    Resolution,
    SampleRate,
}

/// What the mouse says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Identity {
    Standard,
    Wheel,
    FiveButtons,
}

/// The mouse.
#[derive(Debug)]
pub(super) struct Mouse {
    /// Bytes for the controller.
    bytes: VecDeque<u8>,
    expects: Expects,
    reports: bool,
    remote: bool,
    wraps: bool,
    scaling_2_to_1: bool,
    resolution: u8,
    sample_rate: u8,
    identity: Identity,
    /// The last three sample rates that were set.
    knocks: [u8; 3],
    buttons: u8,
    /// Movement not reported yet.
    right: i32,
    up: i32,
    down: i32,
    last_sent: u8,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedMouseV1 {
    bytes: VecDeque<u8>,
    expects: Expects,
    reports: bool,
    remote: bool,
    wraps: bool,
    scaling_2_to_1: bool,
    resolution: u8,
    sample_rate: u8,
    identity: Identity,
    /// The last three sample rates that were set.
    knocks: [u8; 3],
    buttons: u8,
    right: i32,
    up: i32,
    down: i32,
    last_sent: u8,
}

/// Movement that waits, and some more.
fn kept(before: i32, more: i32) -> i32 {
    before.saturating_add(more).clamp(-FARTHEST, FARTHEST)
}

impl Mouse {
    pub(super) const fn new() -> Self {
        Self {
            bytes: VecDeque::new(),
            expects: Expects::Command,
            reports: false,
            remote: false,
            wraps: false,
            scaling_2_to_1: false,
            // 4 counts a millimetre, 100 reports a second.
            resolution: 2,
            sample_rate: 100,
            identity: Identity::Standard,
            knocks: [0; 3],
            buttons: 0,
            right: 0,
            up: 0,
            down: 0,
            last_sent: 0,
        }
    }

    /// Moves the mouse and sets its buttons.
    pub(super) fn move_by(&mut self, right: i32, up: i32, buttons: u8) {
        let buttons = buttons & 0x1f;
        let clicks = self.buttons != buttons;
        let moves = right != 0 || up != 0;
        self.right = kept(self.right, right);
        self.up = kept(self.up, up);
        self.buttons = buttons;
        if clicks {
            self.report_by_itself(WAITING_BYTES_FOR_BUTTONS);
        } else if moves {
            self.report_by_itself(WAITING_BYTES);
        }
    }

    /// Turns the wheel towards the user.
    pub(super) fn turn_wheel(&mut self, down: i32) {
        if self.identity != Identity::Standard {
            self.down = kept(self.down, down);
            self.report_by_itself(WAITING_BYTES);
        }
    }

    fn report_by_itself(&mut self, most_waiting: usize) {
        if self.reports && !self.remote && self.bytes.len() < most_waiting {
            self.report(self.scaling_2_to_1);
        }
    }

    pub(super) fn has_byte(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The next byte for the controller. What did not fit into one packet follows in others.
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.pop_front()?;
        self.last_sent = byte;
        let is_left = (self.right, self.up, self.down) != (0, 0, 0);
        if is_left && self.bytes.is_empty() && self.expects == Expects::Command {
            self.report_by_itself(WAITING_BYTES);
        }
        Some(byte)
    }

    /// Queues a movement packet.
    fn report(&mut self, scaled: bool) {
        let right = self.right.clamp(-127, 127);
        let up = self.up.clamp(-127, 127);
        self.right -= right;
        self.up -= up;
        let (right, up) = if scaled {
            (scaled_2_to_1(right), scaled_2_to_1(up))
        } else {
            (right, up)
        };
        let [right_low, ..] = right.to_le_bytes();
        let [up_low, ..] = up.to_le_bytes();
        // Bit 3 is always set; bits 4 and 5 are the signs.
        let signs = (u8::from(right < 0) << 4) | (u8::from(up < 0) << 5);
        let first = 0x08 | (self.buttons & 7) | signs;
        self.bytes.extend([first, right_low, up_low]);
        if self.identity == Identity::Standard {
            return;
        }
        let down = self.down.clamp(-8, 7);
        self.down -= down;
        let [wheel, ..] = down.to_le_bytes();
        self.bytes.push_back(match self.identity {
            Identity::FiveButtons => (wheel & 0x0f) | ((self.buttons >> 3) << 4),
            _ => wheel,
        });
    }

    /// A byte from the guest.
    pub(super) fn receive(&mut self, byte: u8) {
        // Whatever was still to be sent is void.
        self.bytes.clear();
        if self.wraps && byte != 0xec && byte != 0xff {
            self.bytes.push_back(byte);
            return;
        }
        match std::mem::replace(&mut self.expects, Expects::Command) {
            Expects::Command => self.command(byte),
            Expects::Resolution => {
                self.resolution = byte & 3;
                self.bytes.push_back(ACKNOWLEDGE);
            }
            Expects::SampleRate => {
                self.sample_rate = byte;
                self.note_knock(byte);
                self.bytes.push_back(ACKNOWLEDGE);
            }
        }
    }

    fn note_knock(&mut self, rate: u8) {
        let [_, second, third] = self.knocks;
        self.knocks = [second, third, rate];
        match (self.identity, self.knocks) {
            (Identity::Standard, WHEEL_KNOCK) => self.identity = Identity::Wheel,
            (Identity::Wheel, FIVE_BUTTONS_KNOCK) => self.identity = Identity::FiveButtons,
            _ => {}
        }
    }

    const fn identity_byte(&self) -> u8 {
        match self.identity {
            Identity::Standard => 0,
            Identity::Wheel => 3,
            Identity::FiveButtons => 4,
        }
    }

    fn command(&mut self, command: u8) {
        if command == 0xfe {
            self.bytes.push_back(self.last_sent);
            return;
        }
        if !matches!(command, 0xe6..=0xf6 | 0xff) || command == 0xf1 || command == 0xed {
            self.bytes.push_back(RESEND);
            return;
        }
        self.bytes.push_back(ACKNOWLEDGE);
        match command {
            0xe6 | 0xe7 => self.scaling_2_to_1 = command == 0xe7,
            0xe8 => self.expects = Expects::Resolution,
            0xe9 => {
                let status = self.status();
                self.bytes
                    .extend([status, self.resolution, self.sample_rate]);
            }
            0xea | 0xf0 => self.remote = command == 0xf0,
            // An answer that was asked for is not scaled.
            0xeb => self.report(false),
            0xec | 0xee => self.wraps = command == 0xee,
            0xf2 => self.bytes.push_back(self.identity_byte()),
            0xf3 => self.expects = Expects::SampleRate,
            0xf4 | 0xf5 => {
                self.reports = command == 0xf4;
                (self.right, self.up, self.down) = (0, 0, 0);
            }
            0xf6 => self.set_defaults(),
            0xff => {
                self.set_defaults();
                self.identity = Identity::Standard;
                self.bytes.extend([SELF_TEST_PASSED, self.identity_byte()]);
            }
            _ => {}
        }
    }

    fn set_defaults(&mut self) {
        *self = Self {
            bytes: std::mem::take(&mut self.bytes),
            buttons: self.buttons,
            identity: self.identity,
            last_sent: self.last_sent,
            ..Self::new()
        };
    }

    /// First byte of a status report.
    fn status(&self) -> u8 {
        let left = self.buttons & 1;
        let right = (self.buttons >> 1) & 1;
        let middle = (self.buttons >> 2) & 1;
        (u8::from(self.remote) << 6)
            | (u8::from(self.reports) << 5)
            | (u8::from(self.scaling_2_to_1) << 4)
            | (left << 2)
            | (middle << 1)
            | right
    }

    pub(super) fn save(&self) -> SavedMouseV1 {
        let Self {
            bytes,
            expects,
            reports,
            remote,
            wraps,
            scaling_2_to_1,
            resolution,
            sample_rate,
            identity,
            knocks,
            buttons,
            right,
            up,
            down,
            last_sent,
        } = self;
        SavedMouseV1 {
            bytes: bytes.clone(),
            expects: *expects,
            reports: *reports,
            remote: *remote,
            wraps: *wraps,
            scaling_2_to_1: *scaling_2_to_1,
            resolution: *resolution,
            sample_rate: *sample_rate,
            identity: *identity,
            knocks: *knocks,
            buttons: *buttons,
            right: *right,
            up: *up,
            down: *down,
            last_sent: *last_sent,
        }
    }

    pub(super) fn restore(saved: SavedMouseV1) -> Self {
        let SavedMouseV1 {
            bytes,
            expects,
            reports,
            remote,
            wraps,
            scaling_2_to_1,
            resolution,
            sample_rate,
            identity,
            knocks,
            buttons,
            right,
            up,
            down,
            last_sent,
        } = saved;
        Self {
            bytes,
            expects,
            reports,
            remote,
            wraps,
            scaling_2_to_1,
            resolution,
            sample_rate,
            identity,
            knocks,
            buttons,
            right,
            up,
            down,
            last_sent,
        }
    }
}

/// Movement as the 2:1 scaling of stream mode reports it.
const fn scaled_2_to_1(counts: i32) -> i32 {
    let magnitude = match counts.unsigned_abs() as i32 {
        0 => 0,
        1 | 2 => 1,
        3 => 3,
        4 => 6,
        5 => 9,
        more => 2 * more,
    };
    magnitude * counts.signum()
}
