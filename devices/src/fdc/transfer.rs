//! The commands that move data: sector by sector, by DMA or by the processor
//! (82077AA, "Data Transfer Commands").
//!
//! A multi-track command whose last sector is beyond those of the track goes on at
//! the other head, and then at the next cylinder. The chip would look for a sector
//! that is not there. But SeaBIOS passes on what it is asked for, and boot sectors
//! of hobby systems ask for 50 sectors at once, because QEMU's controller goes on.

use serde::{Deserialize, Serialize};

use super::command::ABNORMAL;
use super::medium::SectorError;
use super::{COMMAND_NS, Fdc, Phase};
use crate::device::Context;
use crate::host_end::SECTOR_BYTES;
use crate::time::Time;

/// A sector has passed under the head.
const SECTOR_NS: u64 = 250_000;
/// A closed DMA channel is asked again after so long,
const DMA_RETRY_NS: u64 = 100_000;
/// and given up after so long.
const OVERRUN_NS: u64 = 500_000_000;
/// Two revolutions at that speed, after which a mark that was not found is missing.
const TWO_REVOLUTIONS_NS: u64 = 10_000_000;
/// The size code of 512 bytes.
const SIZE_CODE: u8 = 2;

/// Status register 1: missing address mark.
const MISSING_MARK: u8 = 0x01;
/// Status register 1: write-protected.
const NOT_WRITABLE: u8 = 0x02;
/// Status register 1: no such sector.
const NO_DATA: u8 = 0x04;
/// Status register 1: data came or went too late.
const OVERRUN: u8 = 0x10;
/// Status register 1: a checksum was wrong; in status register 2, that of the data.
const DATA_ERROR: u8 = 0x20;
/// Status register 1: the last sector was passed with no terminal count.
const END_OF_CYLINDER: u8 = 0x80;
/// Status register 2: the head is on another cylinder.
const WRONG_CYLINDER: u8 = 0x10;
/// Status register 2: a scan found equality.
const SCAN_EQUAL: u8 = 0x08;
/// Status register 2: a scan was not satisfied.
const SCAN_NOT_SATISFIED: u8 = 0x04;

/// What is done with the sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Read,
    ReadTrack,
    Verify,
    Write,
    Format,
    /// Compared with what the processor gives: equal, or also below, or above.
    Scan {
        low: bool,
        high: bool,
    },
}

impl Kind {
    pub(super) const fn of(first: u8) -> Self {
        match first & 0x1f {
            0x02 => Self::ReadTrack,
            0x05 | 0x09 => Self::Write,
            0x0d => Self::Format,
            0x11 => Self::Scan {
                low: false,
                high: false,
            },
            0x16 => Self::Verify,
            0x19 => Self::Scan {
                low: true,
                high: false,
            },
            0x1d => Self::Scan {
                low: false,
                high: true,
            },
            _ => Self::Read,
        }
    }
}

/// A command under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Transfer {
    kind: Kind,
    is_multi_track: bool,
    /// Head and drive, as in the command's second byte.
    select: u8,
    /// Cylinder, head, sector and size code.
    id: [u8; 4],
    last_sector: u8,
    /// Formatting, and verifying with the EC bit: sectors to go.
    count: u8,
    /// What formatted sectors are filled with.
    fill: u8,
    /// A sector, or the identifier of one to be formatted.
    buffer: Vec<u8>,
    /// How much of the buffer was moved.
    position: usize,
    /// The buffer holds the sector.
    is_loaded: bool,
    /// Since when a DMA channel is closed.
    waiting_since: Option<Time>,
    /// Status register 2 so far.
    status_2: u8,
}

impl Transfer {
    pub(super) fn new(bytes: &[u8], kind: Kind) -> Self {
        let byte = |index: usize| bytes.get(index).copied().unwrap_or(0);
        let mut transfer = Self {
            kind,
            is_multi_track: byte(0) & 0x80 != 0,
            select: byte(1),
            id: [byte(2), byte(3), byte(4), byte(5)],
            last_sector: byte(6),
            count: 0,
            fill: 0,
            buffer: vec![0; SECTOR_BYTES],
            position: 0,
            is_loaded: false,
            waiting_since: None,
            status_2: 0,
        };
        match kind {
            Kind::Format => {
                transfer.id = [0, byte(1) >> 2 & 1, 1, byte(2)];
                (transfer.count, transfer.fill) = (byte(3), byte(5));
                transfer.buffer.truncate(4);
            }
            Kind::ReadTrack => transfer.id[2] = 1,
            // EC: the last byte is a number of sectors, not a data length.
            Kind::Verify if byte(1) & 0x80 != 0 => transfer.count = byte(8),
            _ => {}
        }
        transfer
    }

    /// Whether a saved one can be.
    pub(super) fn is_possible(&self) -> bool {
        let length = if self.is_format() { 4 } else { SECTOR_BYTES };
        self.buffer.len() == length && self.position < length
    }

    pub(super) const fn drive(&self) -> usize {
        (self.select & 3) as usize
    }

    pub(super) const fn cylinder(&self) -> u8 {
        self.id[0]
    }

    /// The last sector of a track, or how many are formatted, as DUMPREG shows it.
    pub(super) const fn end_of_track(&self) -> u8 {
        if self.is_format() {
            self.count
        } else {
            self.last_sector
        }
    }

    pub(super) const fn is_format(&self) -> bool {
        matches!(self.kind, Kind::Format)
    }

    /// Whether bytes go to the processor.
    pub(super) const fn is_read(&self) -> bool {
        matches!(self.kind, Kind::Read | Kind::ReadTrack)
    }

    /// Whether the sector is read before any byte moves.
    const fn is_loaded_first(&self) -> bool {
        !matches!(self.kind, Kind::Write | Kind::Format)
    }

    fn head(&self) -> u8 {
        self.select >> 2 & 1
    }

    fn place(&self) -> (u8, u8, u8) {
        (self.id[0], self.head(), self.id[2])
    }

    /// Goes on to the next sector's identifier; false after the last one of the command. The track has so many.
    fn next_sector(&mut self, on_track: u8) -> bool {
        if self.is_format() {
            self.count = self.count.saturating_sub(1);
            return self.count != 0;
        }
        let counts = self.kind == Kind::Verify && self.count != 0;
        if counts {
            self.count -= 1;
        }
        let is_last = counts && self.count == 0;
        self.next_identifier(on_track) && !is_last
    }

    /// Goes on to the next identifier on the disk; false if that is beyond the last sector.
    fn next_identifier(&mut self, on_track: u8) -> bool {
        let runs_over =
            self.is_multi_track && self.id[2] == on_track && self.last_sector > on_track;
        if self.id[2] != self.last_sector && !runs_over {
            self.id[2] = self.id[2].wrapping_add(1);
            return true;
        }
        self.id[2] = 1;
        if self.is_multi_track {
            let was_first = self.head() == 0;
            self.select ^= 4;
            self.id[1] ^= 1;
            if was_first {
                return true;
            }
        }
        self.id[0] = self.id[0].wrapping_add(1);
        runs_over
    }
}

/// Status registers 1 and 2 of a failure.
type Failure = (u8, u8);

fn failure(error: SectorError) -> Failure {
    match error {
        SectorError::NotFound => (NO_DATA, 0),
        SectorError::WriteProtected => (NOT_WRITABLE, 0),
        SectorError::Host => (DATA_ERROR, DATA_ERROR),
    }
}

impl Fdc {
    /// READ ID: what passes under the head.
    pub(super) fn read_id(&mut self, select: u8, now: Time) {
        let number = usize::from(select & 3);
        let head = select >> 2 & 1;
        let rate = self.core.data_rate;
        let medium = self.media.get(number).and_then(Option::as_ref);
        let found = medium.filter(|medium| {
            let format = medium.format;
            let cylinder = self.core.drives[number].cylinder;
            format.is_readable_at(rate) && head < format.heads && cylinder < format.cylinders
        });
        let (results, wait) = match found {
            Some(medium) => {
                // The disk goes round, a sector's time each.
                let passed = now.0 / SECTOR_NS % u64::from(medium.format.sectors);
                let cylinder = self.core.drives[number].cylinder;
                let id = [cylinder, head, passed as u8 + 1, SIZE_CODE];
                ([select & 7, 0, 0, id[0], id[1], id[2], id[3]], SECTOR_NS)
            }
            None => (
                [ABNORMAL | select & 7, MISSING_MARK, 0, 0, 0, 0, 0],
                TWO_REVOLUTIONS_NS,
            ),
        };
        self.core.phase = Phase::Executing(results.to_vec());
        self.core.deadline = Some(now.after_ns(COMMAND_NS + wait));
    }

    /// Ends a transfer with its results.
    fn end_transfer(&mut self, transfer: &Transfer, status_0: u8, (status_1, status_2): Failure) {
        let [cylinder, head, sector, size] = transfer.id;
        let select = transfer.select & 7;
        let status_2 = status_2 | transfer.status_2;
        self.finish(&[
            status_0 | select,
            status_1,
            status_2,
            cylinder,
            head,
            sector,
            size,
        ]);
        self.drive_wires();
    }

    /// Takes a transfer on: called when a sector is under the head, or a channel may have opened.
    pub(super) fn transfer(&mut self, now: Time, cx: &mut Context<'_>) {
        let Phase::Transfer(transfer) = &self.core.phase else {
            return;
        };
        let mut transfer = transfer.clone();
        if let Err(failure) = self.prepare(&mut transfer) {
            self.end_transfer(&transfer, ABNORMAL, failure);
            return;
        }
        if transfer.kind == Kind::Verify {
            transfer.position = transfer.buffer.len();
            self.end_sector(transfer, false, now);
        } else if self.core.is_non_dma {
            self.core.phase = Phase::Transfer(transfer);
            self.set_interrupt(true);
        } else {
            self.move_by_dma(transfer, now, cx);
        }
    }

    /// Looks for the sector, and reads it if it is to be read.
    fn prepare(&mut self, transfer: &mut Transfer) -> Result<(), Failure> {
        if transfer.is_loaded {
            return Ok(());
        }
        let number = transfer.drive();
        let rate = self.core.data_rate;
        let medium = self.media.get_mut(number).and_then(Option::as_mut);
        let medium = medium.filter(|medium| medium.format.is_readable_at(rate));
        let medium = medium.ok_or((MISSING_MARK, 0))?;
        if !transfer.is_loaded_first() && medium.is_write_protected() {
            return Err((NOT_WRITABLE, 0));
        }
        let cylinder = self.core.drives[number].cylinder;
        if transfer.is_format() {
            transfer.id[0] = cylinder;
        } else {
            if transfer.id[0] != cylinder {
                return Err((NO_DATA, WRONG_CYLINDER));
            }
            if transfer.id[1] != transfer.head() || transfer.id[3] != SIZE_CODE {
                return Err((NO_DATA, 0));
            }
        }
        if transfer.is_loaded_first() {
            let mut sector = [0; SECTOR_BYTES];
            medium
                .read(transfer.place(), &mut sector)
                .map_err(failure)?;
            transfer.buffer.copy_from_slice(&sector);
        }
        transfer.is_loaded = true;
        transfer.position = 0;
        Ok(())
    }

    fn move_by_dma(&mut self, mut transfer: Transfer, now: Time, cx: &mut Context<'_>) {
        let rest = &mut transfer.buffer[transfer.position..];
        let moved = match transfer.kind {
            Kind::Read | Kind::ReadTrack => self.dma.write(cx.memory, rest),
            Kind::Scan { .. } => {
                let mut given = vec![0xff; rest.len()];
                let moved = self.dma.read(cx.memory, &mut given);
                transfer.status_2 = scan(
                    transfer.kind,
                    transfer.status_2,
                    &rest[..moved.bytes],
                    &given,
                );
                moved
            }
            Kind::Verify | Kind::Write | Kind::Format => self.dma.read(cx.memory, rest),
        };
        transfer.position += moved.bytes;
        if moved.terminal_count || transfer.position == transfer.buffer.len() {
            transfer.waiting_since = None;
            self.end_sector(transfer, moved.terminal_count, now);
            return;
        }
        let since = *transfer.waiting_since.get_or_insert(now);
        if now.0.saturating_sub(since.0) > OVERRUN_NS {
            self.end_transfer(&transfer, ABNORMAL, (OVERRUN, 0));
            return;
        }
        self.core.phase = Phase::Transfer(transfer);
        self.core.deadline = Some(now.after_ns(DMA_RETRY_NS));
    }

    /// The buffer is full, or holds all that will come.
    fn end_sector(&mut self, mut transfer: Transfer, is_last: bool, now: Time) {
        if let Err(error) = self.store(&transfer) {
            self.end_transfer(&transfer, ABNORMAL, failure(error));
            return;
        }
        let number = transfer.drive();
        let medium = self.media.get(number).and_then(Option::as_ref);
        let on_track = medium.map_or(0, |medium| medium.format.sectors);
        let cylinder = transfer.cylinder();
        let goes_on = transfer.next_sector(on_track);
        transfer.is_loaded = false;
        transfer.position = 0;
        transfer.buffer.fill(0);
        let is_satisfied = matches!(transfer.kind, Kind::Scan { .. })
            && transfer.status_2 & SCAN_NOT_SATISFIED == 0;
        if is_last
            || is_satisfied
            || !goes_on && matches!(transfer.kind, Kind::Format | Kind::Verify)
        {
            self.end_transfer(&transfer, 0, (0, 0));
        } else if goes_on {
            if transfer.cylinder() != cylinder {
                self.go_to(number, transfer.cylinder());
            }
            self.core.phase = Phase::Transfer(transfer);
            self.core.deadline = Some(now.after_ns(SECTOR_NS));
            self.set_interrupt(false);
        } else {
            self.end_transfer(&transfer, ABNORMAL, (END_OF_CYLINDER, 0));
        }
    }

    /// Writes the buffer to the disk, if that is what the command does.
    fn store(&mut self, transfer: &Transfer) -> Result<(), SectorError> {
        let medium = self
            .media
            .get_mut(transfer.drive())
            .and_then(Option::as_mut);
        let mut sector = [transfer.fill; SECTOR_BYTES];
        let place = match transfer.kind {
            Kind::Write => {
                sector.copy_from_slice(&transfer.buffer);
                transfer.place()
            }
            // The head writes where it is, whatever cylinder the identifier names.
            Kind::Format => (transfer.id[0], transfer.head(), transfer.buffer[2]),
            _ => return Ok(()),
        };
        medium.map_or(Err(SectorError::NotFound), |medium| {
            medium.write(place, &sector)
        })
    }

    /// The processor reads a byte of the execution phase.
    pub(super) fn read_transfer(&mut self, now: Time) -> u8 {
        if !self.core.is_non_dma || self.core.deadline.is_some() {
            return 0;
        }
        let Phase::Transfer(transfer) = &mut self.core.phase else {
            return 0;
        };
        if !transfer.is_read() {
            return 0;
        }
        let byte = transfer.buffer.get(transfer.position).copied().unwrap_or(0);
        self.count_byte(now);
        byte
    }

    /// The processor writes a byte of the execution phase.
    pub(super) fn write_transfer(&mut self, value: u8, now: Time) {
        if !self.core.is_non_dma || self.core.deadline.is_some() {
            return;
        }
        let Phase::Transfer(transfer) = &mut self.core.phase else {
            return;
        };
        if transfer.is_read() {
            return;
        }
        if let Some(place) = transfer.buffer.get_mut(transfer.position) {
            if matches!(transfer.kind, Kind::Scan { .. }) {
                transfer.status_2 = scan(transfer.kind, transfer.status_2, &[*place], &[value]);
            } else {
                *place = value;
            }
        }
        self.count_byte(now);
    }

    fn count_byte(&mut self, now: Time) {
        let Phase::Transfer(transfer) = &mut self.core.phase else {
            return;
        };
        transfer.position += 1;
        if transfer.position == transfer.buffer.len() {
            let transfer = transfer.clone();
            self.end_sector(transfer, false, now);
        }
    }
}

/// Status register 2 after some bytes were compared; FFh from the processor matches anything.
fn scan(kind: Kind, before: u8, disk: &[u8], given: &[u8]) -> u8 {
    let Kind::Scan { low, high } = kind else {
        return before;
    };
    let mut pairs = disk.iter().zip(given).filter(|&(_, &given)| given != 0xff);
    let differing = pairs.find(|(disk, given)| disk != given);
    match differing {
        None if before == 0 => SCAN_EQUAL,
        None => before,
        Some((disk, given)) if low && disk < given || high && disk > given => 0,
        Some(_) => SCAN_NOT_SATISFIED,
    }
}
