//! The commands: what they take, and what those without data do (82077AA,
//! "Command Set/Descriptions").
//!
//! Commands that name a cylinder and move data go there by themselves. The chip
//! does so only if CONFIGURE has set EIS, and else finds the wrong cylinder. But
//! Bochs's BIOS never seeks, and no emulator that it is used with has minded.

use super::transfer::{Kind, Transfer};
use super::{COMMAND_NS, DRIVES, Fdc, INNERMOST, MOST_STEPS, Phase, STEP_NS, Seeking};
use crate::time::Time;

/// Status register 0: seek end.
pub(super) const SEEK_END: u8 = 0x20;
/// Status register 0: the command was invalid.
const INVALID: u8 = 0x80;
/// Status register 0: the command ended abnormally.
pub(super) const ABNORMAL: u8 = 0x40;
/// Status register 0: no track 0 after as many steps as there are.
const EQUIPMENT_CHECK: u8 = 0x10;
/// What VERSION gives: an enhanced controller.
const ENHANCED: u8 = 0x90;
/// CONFIGURE: the FIFO is off.
pub(super) const FIFO_OFF: u8 = 0x20;
/// CONFIGURE: drives are not polled.
pub(super) const POLLING_OFF: u8 = 0x10;
/// PERPENDICULAR MODE: the bits that survive a software reset.
pub(super) const PERPENDICULAR_DRIVES: u8 = 0x3c;

/// How many bytes a command has, the first included.
pub(super) const fn length(first: u8) -> usize {
    match first & 0x1f {
        0x02 | 0x05 | 0x06 | 0x09 | 0x0c | 0x11 | 0x16 | 0x19 | 0x1d => 9,
        0x0d => 6,
        0x13 => 4,
        0x03 | 0x0f => 3,
        0x04 | 0x07 | 0x0a | 0x12 => 2,
        _ => 1,
    }
}

impl Fdc {
    /// Carries a whole command out, or begins to.
    pub(super) fn carry_out(&mut self, bytes: &[u8], now: Time) {
        let byte = |index: usize| bytes.get(index).copied().unwrap_or(0);
        match byte(0) & 0x1f {
            0x03 => {
                self.core.specified = [byte(1), byte(2)];
                self.core.is_non_dma = byte(2) & 1 != 0;
                self.idle();
            }
            0x04 => {
                let status = self.status_3(byte(1));
                self.answer(&[status]);
            }
            0x07 => self.seek(byte(1), Seek::Recalibrate, now),
            0x0f if byte(0) & 0x80 == 0 => self.seek(byte(1), Seek::To(byte(2)), now),
            0x0f => self.seek(byte(1), Seek::By(byte(2), byte(0) & 0x40 != 0), now),
            0x08 => self.sense_interrupt(),
            0x0e => self.dump_registers(),
            0x10 => self.answer(&[ENHANCED]),
            0x12 => {
                // Without OW, the drives' bits stay.
                let drives = if byte(1) & 0x80 == 0 {
                    self.core.perpendicular & PERPENDICULAR_DRIVES
                } else {
                    byte(1) & PERPENDICULAR_DRIVES
                };
                self.core.perpendicular = drives | byte(1) & 3;
                self.idle();
            }
            0x13 => {
                self.core.configured = [byte(2), byte(3)];
                self.idle();
            }
            0x14 => {
                self.core.is_locked = byte(0) & 0x80 != 0;
                self.answer(&[u8::from(self.core.is_locked) << 4]);
            }
            0x0a => self.read_id(byte(1), now),
            0x02 | 0x05 | 0x06 | 0x09 | 0x0c | 0x0d | 0x11 | 0x16 | 0x19 | 0x1d => {
                self.begin_transfer(bytes, now);
            }
            other => {
                log::debug!("fdc: there is no command {other:#04x}");
                self.answer(&[INVALID]);
            }
        }
    }

    fn idle(&mut self) {
        self.core.phase = Phase::Command(Vec::new());
    }

    /// Gives results at once, without an interrupt.
    fn answer(&mut self, results: &[u8]) {
        self.core.phase = Phase::Result(results.iter().rev().copied().collect());
    }

    fn status_3(&self, select: u8) -> u8 {
        let number = usize::from(select & 3);
        let head = select & 4;
        let Some(drive) = self.core.drives.get(number) else {
            return select & 3 | head;
        };
        let protected = self.media[number]
            .as_ref()
            .is_some_and(super::Floppy::is_write_protected);
        let track_0 = drive.cylinder == 0;
        // Ready and two-sided read as ones.
        0x28 | select & 3 | head | u8::from(track_0) << 4 | u8::from(protected) << 6
    }

    fn seek(&mut self, select: u8, seek: Seek, now: Time) {
        self.idle();
        let number = usize::from(select & 3);
        if number >= DRIVES {
            // Nothing steps, so track 0 is never seen.
            let check = if seek == Seek::Recalibrate {
                ABNORMAL | EQUIPMENT_CHECK
            } else {
                0
            };
            self.core.unsensed[number] = Some(SEEK_END | check | select & 7);
            self.set_interrupt(true);
            return;
        }
        let drive = &mut self.core.drives[number];
        // What the controller counts, and which way it lets the heads step.
        let (present, steps, inwards) = match seek {
            Seek::Recalibrate => (0, drive.cylinder.min(MOST_STEPS), false),
            Seek::To(track) => (track, track.abs_diff(drive.present), track > drive.present),
            // The count wraps, so that disks of more than 256 tracks can be reached.
            Seek::By(steps, true) => (drive.present.wrapping_add(steps), steps, true),
            Seek::By(steps, false) => (drive.present.wrapping_sub(steps), steps, false),
        };
        let cylinder = if inwards {
            drive.cylinder.saturating_add(steps).min(INNERMOST)
        } else {
            drive.cylinder.saturating_sub(steps)
        };
        let status = if seek == Seek::Recalibrate && cylinder != 0 {
            SEEK_END | ABNORMAL | EQUIPMENT_CHECK
        } else {
            SEEK_END
        };
        drive.seek = Some(Seeking {
            cylinder,
            present,
            arrival: now.after_ns(COMMAND_NS + u64::from(steps) * STEP_NS),
            status: status | select & 4,
        });
    }

    fn sense_interrupt(&mut self) {
        let waiting = self.core.unsensed.iter().position(Option::is_some);
        let Some(number) = waiting else {
            self.answer(&[INVALID]);
            return;
        };
        let status = self.core.unsensed[number].take().unwrap_or(INVALID);
        let cylinder = self
            .core
            .drives
            .get(number)
            .map_or(0, |drive| drive.present);
        self.set_interrupt(false);
        self.answer(&[status, cylinder]);
    }

    fn dump_registers(&mut self) {
        let core = &self.core;
        let [first, second] = core.drives;
        let results = [
            first.present,
            second.present,
            0,
            0,
            core.specified[0],
            core.specified[1],
            core.end_of_track,
            u8::from(core.is_locked) << 7 | core.perpendicular,
            core.configured[0],
            core.configured[1],
        ];
        self.answer(&results);
    }

    fn begin_transfer(&mut self, bytes: &[u8], now: Time) {
        let transfer = Transfer::new(bytes, Kind::of(bytes[0]));
        let number = transfer.drive();
        self.core.end_of_track = transfer.end_of_track();
        let mut start = now.after_ns(COMMAND_NS);
        let track = transfer.cylinder();
        // With or without CONFIGURE's implied seek; see above.
        if !transfer.is_format() {
            start = start.after_ns(u64::from(self.go_to(number, track)) * STEP_NS);
        }
        self.core.phase = Phase::Transfer(transfer);
        self.core.deadline = Some(start);
        self.drive_wires();
    }

    /// Moves a drive's heads to a cylinder, if it has one of that number. How many steps that took.
    pub(super) fn go_to(&mut self, number: usize, track: u8) -> u8 {
        let Some(drive) = self.core.drives.get_mut(number) else {
            return 0;
        };
        if track > INNERMOST {
            return 0;
        }
        let steps = track.abs_diff(drive.cylinder);
        drive.present = track;
        self.step_to(number, track);
        steps
    }
}

/// Where a head is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seek {
    Recalibrate,
    To(u8),
    /// By so many steps, inwards if true.
    By(u8, bool),
}
