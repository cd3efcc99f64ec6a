//! The mouse: a standard PS/2 one with three buttons.
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Mouse".

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

const ACKNOWLEDGE: u8 = 0xfa;
const RESEND: u8 = 0xfe;
const SELF_TEST_PASSED: u8 = 0xaa;
const IDENTITY: u8 = 0x00;
/// Movement packets that may wait; later movement is added up instead.
const WAITING_BYTES: usize = 9;

/// What the next byte from the guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Expects {
    Command,
    Resolution,
    SampleRate,
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
    buttons: u8,
    /// Movement not reported yet.
    right: i32,
    up: i32,
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
    buttons: u8,
    right: i32,
    up: i32,
    last_sent: u8,
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
            buttons: 0,
            right: 0,
            up: 0,
            last_sent: 0,
        }
    }

    /// Moves the mouse and sets its buttons.
    pub(super) fn move_by(&mut self, right: i32, up: i32, buttons: u8) {
        let changed = right != 0 || up != 0 || self.buttons != buttons & 7;
        self.right = self.right.saturating_add(right);
        self.up = self.up.saturating_add(up);
        self.buttons = buttons & 7;
        if changed && self.reports && !self.remote && self.bytes.len() < WAITING_BYTES {
            self.report();
        }
    }

    pub(super) fn has_byte(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The next byte for the controller.
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.pop_front()?;
        self.last_sent = byte;
        Some(byte)
    }

    /// Queues a movement packet.
    fn report(&mut self) {
        let right = self.right.clamp(-255, 255);
        let up = self.up.clamp(-255, 255);
        self.right -= right;
        self.up -= up;
        let [right_low, ..] = right.to_le_bytes();
        let [up_low, ..] = up.to_le_bytes();
        // Bit 3 is always set; bits 4 and 5 are the signs.
        let first = 0x08 | self.buttons | (u8::from(right < 0) << 4) | (u8::from(up < 0) << 5);
        self.bytes.extend([first, right_low, up_low]);
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
                self.bytes.push_back(ACKNOWLEDGE);
            }
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
            0xeb => self.report(),
            0xec | 0xee => self.wraps = command == 0xee,
            0xf2 => self.bytes.push_back(IDENTITY),
            0xf3 => self.expects = Expects::SampleRate,
            0xf4 | 0xf5 => {
                self.reports = command == 0xf4;
                self.right = 0;
                self.up = 0;
            }
            0xf6 => self.set_defaults(),
            0xff => {
                self.set_defaults();
                self.bytes.extend([SELF_TEST_PASSED, IDENTITY]);
            }
            _ => {}
        }
    }

    fn set_defaults(&mut self) {
        *self = Self {
            bytes: std::mem::take(&mut self.bytes),
            buttons: self.buttons,
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
            buttons,
            right,
            up,
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
            buttons: *buttons,
            right: *right,
            up: *up,
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
            buttons,
            right,
            up,
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
            buttons,
            right,
            up,
            last_sent,
        }
    }
}
