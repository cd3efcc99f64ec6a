//! A parallel flash memory: firmware keeps its settings in one.
//!
//! Common Flash Interface (JESD68.01) with Intel's command set 0001h (28F640J3 datasheet, 290667), 8 bits wide, in
//! blocks of 4 KiB. Register `n` is byte `n`. A write is a command; programming can only clear bits, erasing a
//! block sets them all. Everything is done at once, so the status always says ready; only right after it was cleared
//! it is zero, because OVMF knows QEMU's flash by that. What was changed reaches the
//! host's file when the guest goes back to reading, which every driver does after it has programmed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers};
use crate::host_end::{Disk, SECTOR_BYTES};
use crate::snapshot::{RestoreError, State};

/// What is erased at once.
pub const BLOCK_BYTES: usize = 4096;

const VERSION: u32 = 1;
/// Manufacturer and device: Intel, 28F640J3.
const IDENTITY: [u8; 2] = [0x89, 0x17];
/// How many bytes the write buffer takes.
const BUFFER_BYTES: usize = 32;

/// Commands.
mod command {
    pub(super) const PROGRAM: [u8; 2] = [0x10, 0x40];
    pub(super) const ERASE: u8 = 0x20;
    pub(super) const CLEAR_STATUS: u8 = 0x50;
    pub(super) const LOCK: u8 = 0x60;
    pub(super) const READ_STATUS: u8 = 0x70;
    pub(super) const READ_IDENTITY: u8 = 0x90;
    pub(super) const QUERY: u8 = 0x98;
    pub(super) const CONFIRM: u8 = 0xd0;
    pub(super) const WRITE_TO_BUFFER: u8 = 0xe8;
}

/// The status register.
mod status {
    pub(super) const READY: u8 = 0x80;
    pub(super) const ERASE_FAILED: u8 = 0x20;
    pub(super) const PROGRAM_FAILED: u8 = 0x10;
    /// Both: the command was not one.
    pub(super) const BAD_SEQUENCE: u8 = ERASE_FAILED | PROGRAM_FAILED;
}

/// What reads show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Shows {
    #[default]
    Contents,
    Status,
    Identity,
    Query,
}

/// What the next write is, if not a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Expects {
    #[default]
    Command,
    /// The byte to program.
    Byte,
    /// The confirmation to erase this block.
    EraseConfirmation,
    /// What to do about a block's lock, which no block has.
    LockSetting,
    /// How many bytes, less one, come for the buffer.
    Count,
    /// So many more bytes for the buffer, then a confirmation.
    Bytes(u8),
}

/// A flash memory.
pub struct Flash {
    contents: Vec<u8>,
    /// The host's file, if what is written lasts.
    disk: Option<Box<dyn Disk>>,
    shows: Shows,
    expects: Expects,
    status: u8,
    /// What came for the buffer, and where it goes.
    buffer: Vec<(u64, u8)>,
    /// Sectors that the host's file does not have yet.
    changed: BTreeSet<u64>,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    contents: Vec<u8>,
    shows: Shows,
    expects: Expects,
    status: u8,
    buffer: Vec<(u64, u8)>,
}

impl Flash {
    /// A flash memory with these contents, filled up to whole blocks. With a `disk` the contents are the disk's
    /// first sectors, and what is changed is written there.
    #[must_use]
    pub fn new(mut contents: Vec<u8>, disk: Option<Box<dyn Disk>>) -> Self {
        contents.resize(contents.len().next_multiple_of(BLOCK_BYTES), 0xff);
        Self {
            contents,
            disk,
            shows: Shows::default(),
            expects: Expects::default(),
            status: status::READY,
            buffer: Vec::new(),
            changed: BTreeSet::new(),
        }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.contents.len() as u64
    }

    fn byte(&self, offset: u64) -> u8 {
        match self.shows {
            Shows::Contents => usize::try_from(offset)
                .ok()
                .and_then(|offset| self.contents.get(offset).copied())
                .unwrap_or(0xff),
            Shows::Status => self.status,
            // Block by block: no block is locked.
            Shows::Identity => match offset as usize % BLOCK_BYTES {
                place @ 0..=1 => IDENTITY[place],
                _ => 0,
            },
            Shows::Query => self.query(offset),
        }
    }

    /// The tables of the Common Flash Interface.
    fn query(&self, offset: u64) -> u8 {
        let size = self.contents.len();
        let blocks = (size / BLOCK_BYTES).saturating_sub(1) as u16;
        let [blocks_low, blocks_high] = blocks.to_le_bytes();
        match offset {
            0x10..=0x12 => b"QRY"[offset as usize - 0x10],
            // Intel's extended command set; its table is not there.
            0x13 => 0x01,
            // 2.7 to 3.6 volts.
            0x1b => 0x27,
            0x1c => 0x36,
            // Typical and largest times, as powers of two.
            0x1f | 0x20 => 0x07,
            0x21 => 0x0a,
            0x23 | 0x24 => 0x04,
            0x25 => 0x04,
            // The size, eight bits wide, the buffer.
            0x27 => size.next_power_of_two().trailing_zeros() as u8,
            0x2a => BUFFER_BYTES.trailing_zeros() as u8,
            // One region of equal blocks, in units of 256 bytes.
            0x2c => 1,
            0x2d => blocks_low,
            0x2e => blocks_high,
            0x2f => (BLOCK_BYTES / 256) as u8,
            _ => 0,
        }
    }

    fn take(&mut self, offset: u64, value: u8) {
        match std::mem::take(&mut self.expects) {
            Expects::Command => self.command(value),
            Expects::Byte => self.program(offset, value),
            Expects::EraseConfirmation if value == command::CONFIRM => self.erase(offset),
            Expects::EraseConfirmation => self.status |= status::BAD_SEQUENCE,
            Expects::LockSetting => {}
            Expects::Count if usize::from(value) < BUFFER_BYTES => {
                self.buffer.clear();
                self.expects = Expects::Bytes(value + 1);
            }
            Expects::Count => self.status |= status::BAD_SEQUENCE,
            Expects::Bytes(0) => {
                let buffer = std::mem::take(&mut self.buffer);
                if value == command::CONFIRM {
                    for (offset, value) in buffer {
                        self.program(offset, value);
                    }
                } else {
                    self.status |= status::BAD_SEQUENCE;
                }
            }
            Expects::Bytes(left) => {
                self.buffer.push((offset, value));
                self.expects = Expects::Bytes(left - 1);
            }
        }
    }

    fn command(&mut self, value: u8) {
        self.shows = Shows::Status;
        if !matches!(value, command::READ_STATUS) {
            self.status |= status::READY;
        }
        match value {
            _ if command::PROGRAM.contains(&value) => self.expects = Expects::Byte,
            command::ERASE => self.expects = Expects::EraseConfirmation,
            command::LOCK => self.expects = Expects::LockSetting,
            command::WRITE_TO_BUFFER => self.expects = Expects::Count,
            command::CLEAR_STATUS => {
                self.read_array();
                self.status = 0;
            }
            // Nothing is ever under way that could be resumed.
            command::READ_STATUS | command::CONFIRM => {}
            command::READ_IDENTITY => self.shows = Shows::Identity,
            command::QUERY => self.shows = Shows::Query,
            _ => self.read_array(),
        }
    }

    /// Back to the contents.
    fn read_array(&mut self) {
        self.shows = Shows::Contents;
        self.write_back();
    }

    fn program(&mut self, offset: u64, value: u8) {
        let place = usize::try_from(offset).ok();
        match place.and_then(|offset| self.contents.get_mut(offset)) {
            Some(byte) => {
                *byte &= value;
                self.changed.insert(offset / SECTOR_BYTES as u64);
            }
            None => self.status |= status::PROGRAM_FAILED,
        }
    }

    fn erase(&mut self, offset: u64) {
        let start = (offset as usize / BLOCK_BYTES).saturating_mul(BLOCK_BYTES);
        match self
            .contents
            .get_mut(start..start.saturating_add(BLOCK_BYTES))
        {
            Some(block) => {
                block.fill(0xff);
                let first = (start / SECTOR_BYTES) as u64;
                self.changed
                    .extend(first..first + (BLOCK_BYTES / SECTOR_BYTES) as u64);
            }
            None => self.status |= status::ERASE_FAILED,
        }
    }

    /// Brings the host's file up to date. What it does not take is tried again, and the guest is told.
    fn write_back(&mut self) {
        let Some(disk) = &mut self.disk else {
            self.changed.clear();
            return;
        };
        let contents = &self.contents;
        let mut has_failed = false;
        let had_changes = !self.changed.is_empty();
        self.changed.retain(|&sector| {
            let start = sector as usize * SECTOR_BYTES;
            let written = match contents.get(start..start + SECTOR_BYTES) {
                Some(bytes) => disk.write(sector, bytes),
                None => Ok(()),
            };
            has_failed |= written.is_err();
            written.is_err()
        });
        if had_changes {
            has_failed |= disk.flush().is_err();
        }
        if has_failed {
            self.status |= status::PROGRAM_FAILED;
        }
    }
}

/// What firmware forgot to end.
impl Drop for Flash {
    fn drop(&mut self) {
        self.write_back();
    }
}

impl Device for Flash {
    fn name(&self) -> &'static str {
        "flash"
    }

    fn reset(&mut self) {
        self.expects = Expects::Command;
        self.status = status::READY;
        self.buffer.clear();
        self.read_array();
        self.status = status::READY;
    }

    fn save(&self) -> State {
        let Self {
            contents,
            disk: _,
            shows,
            expects,
            status,
            buffer,
            changed: _, // Follows from the host's file, which is not the chip's.
        } = self;
        let saved = SavedV1 {
            contents: contents.clone(),
            shows: *shows,
            expects: *expects,
            status: *status,
            buffer: buffer.clone(),
        };
        State::encode(VERSION, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let saved: SavedV1 = state.decode(self.name(), VERSION)?;
        let mut contents = saved.contents;
        contents.resize(self.contents.len(), 0xff);
        let sectors = contents
            .chunks(SECTOR_BYTES)
            .zip(self.contents.chunks(SECTOR_BYTES));
        let differ = sectors.enumerate().filter(|(_, (new, old))| new != old);
        self.changed.extend(differ.map(|(sector, _)| sector as u64));
        self.contents = contents;
        self.shows = saved.shows;
        self.expects = saved.expects;
        self.status = saved.status;
        self.buffer = saved.buffer;
        self.buffer.truncate(BUFFER_BYTES);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for Flash {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        for (offset, byte) in (register..).zip(bytes) {
            *byte = self.byte(offset);
        }
        Ok(())
    }

    /// The chip has eight data lines: a wider write is a cycle for each byte.
    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        for (offset, &byte) in (register..).zip(bytes) {
            self.take(offset, byte);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Probe;
    use crate::host_end::MemoryDisk;

    fn flash(disk: Option<Box<dyn Disk>>) -> Flash {
        Flash::new(vec![0xa5; 3 * BLOCK_BYTES], disk)
    }

    /// Commands and data, an offset and a byte each.
    fn write(probe: &mut Probe<'_>, cycles: &[(u64, u8)]) {
        for &(offset, byte) in cycles {
            probe.write(offset, byte);
        }
    }

    #[test]
    fn programming_clears_bits_and_erasing_sets_them() {
        let mut flash = flash(None);
        let mut probe = Probe::new(&mut flash);
        write(&mut probe, &[(5, 0x10), (5, 0x0f)]);
        assert_eq!(probe.read(9), 0x80, "status");
        write(&mut probe, &[(0, 0xff)]);
        assert_eq!([4, 5, 6].map(|n| probe.read(n)), [0xa5, 0x05, 0xa5]);
        write(&mut probe, &[(0x1234, 0x20), (0x1234, 0xd0), (0, 0xff)]);
        assert_eq!(
            [0xfff, 0x1000, 0x1fff, 0x2000].map(|n| probe.read(n)),
            [0xa5, 0xff, 0xff, 0xa5]
        );
        write(&mut probe, &[(0x1000, 0x40), (0x1000, 0x12), (0, 0xff)]);
        assert_eq!(probe.read(0x1000), 0x12);
    }

    /// What OVMF does to find out whether there is RAM, ROM or flash.
    #[test]
    fn firmware_tells_it_from_ram_and_rom() {
        let mut flash = flash(None);
        let mut probe = Probe::new(&mut flash);
        write(&mut probe, &[(7, 0x50)]);
        assert_eq!(probe.read(7), 0xa5, "not RAM");
        write(&mut probe, &[(7, 0x70)]);
        assert_eq!(probe.read(7), 0, "not ROM");
        write(&mut probe, &[(7, 0xff)]);
        assert_eq!(probe.read(7), 0xa5);
    }

    #[test]
    fn the_buffer_is_written_when_confirmed() {
        let mut flash = flash(None);
        let mut probe = Probe::new(&mut flash);
        write(
            &mut probe,
            &[(0x10, 0xe8), (0x10, 1), (0x10, 0x01), (0x11, 0x04)],
        );
        write(&mut probe, &[(0, 0xd0), (0, 0xff)]);
        assert_eq!(
            [0x10, 0x11, 0x12].map(|n| probe.read(n)),
            [0x01, 0x04, 0xa5]
        );
        write(
            &mut probe,
            &[(0x10, 0xe8), (0x10, 0), (0x12, 0x00), (0, 0x00)],
        );
        assert_eq!(probe.read(0), 0xb0, "a bad sequence");
        write(&mut probe, &[(0, 0x50)]);
        assert_eq!(probe.read(0x12), 0xa5);
        write(&mut probe, &[(0x10, 0xe8), (0x10, 0xff)]);
        assert_eq!(probe.read(0), 0xb0, "more than the buffer takes");
    }

    #[test]
    fn it_says_what_it_is() {
        let mut flash = flash(None);
        let mut probe = Probe::new(&mut flash);
        write(&mut probe, &[(0, 0x90)]);
        assert_eq!([0, 1, 2].map(|n| probe.read(n)), [0x89, 0x17, 0]);
        write(&mut probe, &[(0, 0x98)]);
        assert_eq!(
            [0x10, 0x11, 0x12, 0x13].map(|n| probe.read(n)),
            [b'Q', b'R', b'Y', 1]
        );
        assert_eq!(
            [0x2c, 0x2d, 0x2e, 0x2f, 0x30].map(|n| probe.read(n)),
            [1, 2, 0, 16, 0]
        );
    }

    #[test]
    fn what_is_written_lasts_once_the_guest_reads_again() {
        let disk = MemoryDisk::new(vec![0xa5; 3 * BLOCK_BYTES]);
        let mut flash = flash(Some(Box::new(disk.clone())));
        let mut probe = Probe::new(&mut flash);
        write(&mut probe, &[(0x1001, 0x10), (0x1001, 0x01)]);
        assert_eq!((disk.contents()[0x1001], disk.flushes()), (0xa5, 0));
        write(&mut probe, &[(0, 0xff), (0, 0xff)]);
        assert_eq!((disk.contents()[0x1001], disk.flushes()), (0x01, 1));
        write(&mut probe, &[(0x2000, 0x20), (0x2000, 0xd0)]);
        drop(flash);
        assert!(disk.contents()[0x2000..].iter().all(|&byte| byte == 0xff));
    }

    #[test]
    fn a_disk_that_takes_nothing_is_told() {
        let disk = MemoryDisk::new(vec![0xa5; 3 * BLOCK_BYTES]).read_only();
        let mut flash = flash(Some(Box::new(disk)));
        let mut probe = Probe::new(&mut flash);
        write(&mut probe, &[(1, 0x10), (1, 0), (0, 0xff), (0, 0x70)]);
        assert_eq!(probe.read(0), 0x90);
    }
}
