//! Moving sectors through the data port.
//!
//! ATA/ATAPI-6 sections 9.7 and 9.8, "PIO data-in" and "PIO data-out command
//! protocol": data moves in blocks; each block of data-in begins with an
//! interrupt, and so does each of data-out but the first, and the end.

use serde::{Deserialize, Serialize};

use super::{DeviceBits, ErrorBits, Ide, MAX_MULTIPLE, SECTOR_BYTES, Status};

/// Where a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Direction {
    /// No transfer.
    None,
    /// From the disk to the guest.
    FromDisk,
    /// From the guest to the disk.
    ToDisk,
    /// The identity, to the guest.
    Identity,
}

/// How the command gave the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Addressing {
    /// 28 bits, or cylinder, head and sector.
    Short,
    /// 48 bits.
    Long,
}

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    direction: Direction,
    addressing: Addressing,
    /// The first sector of the current block.
    sector: u64,
    /// Sectors not moved yet, the current block included.
    left: u32,
    /// Sectors a block.
    block: u8,
    /// The current block.
    buffer: Vec<u8>,
    /// Bytes of it that went over the bus.
    position: usize,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedTransferV1 {
    direction: Direction,
    addressing: Addressing,
    sector: u64,
    left: u32,
    block: u8,
    buffer: Vec<u8>,
    position: u32,
}

impl Transfer {
    pub(super) const fn none() -> Self {
        Self {
            direction: Direction::None,
            addressing: Addressing::Short,
            sector: 0,
            left: 0,
            block: 1,
            buffer: Vec::new(),
            position: 0,
        }
    }

    pub(super) fn save(&self) -> SavedTransferV1 {
        let Self {
            direction,
            addressing,
            sector,
            left,
            block,
            buffer,
            position,
        } = self;
        SavedTransferV1 {
            direction: *direction,
            addressing: *addressing,
            sector: *sector,
            left: *left,
            block: *block,
            buffer: buffer.clone(),
            position: *position as u32,
        }
    }

    /// Nothing when the saved transfer is an impossible one.
    pub(super) fn restore(saved: SavedTransferV1) -> Option<Self> {
        let SavedTransferV1 {
            direction,
            addressing,
            sector,
            left,
            block,
            buffer,
            position,
        } = saved;
        let position = usize::try_from(position).ok()?;
        let is_possible = position <= buffer.len()
            && buffer.len() <= usize::from(MAX_MULTIPLE) * SECTOR_BYTES
            && buffer.len().is_multiple_of(SECTOR_BYTES)
            && (1..=MAX_MULTIPLE).contains(&block)
            && left <= 0x1_0000
            && sector <= 1 << 48
            && (buffer.len() / SECTOR_BYTES) as u64 <= u64::from(left);
        let is_idle = direction == Direction::None && buffer.is_empty();
        (is_idle || is_possible).then_some(Self {
            direction,
            addressing,
            sector,
            left,
            block,
            buffer,
            position,
        })
    }

    /// Sectors in the block that comes next.
    fn block_sectors(&self) -> usize {
        usize::from(self.block).min(self.left as usize)
    }
}

impl Ide {
    /// Begins to move `count` sectors from `sector` on, `block` at a time.
    pub(super) fn start_transfer(
        &mut self,
        direction: Direction,
        addressing: Addressing,
        (sector, count): (u64, u32),
        block: u8,
    ) {
        self.transfer = Transfer {
            direction,
            addressing,
            sector,
            left: count,
            block,
            buffer: Vec::new(),
            position: 0,
        };
        match direction {
            Direction::FromDisk => self.fetch_block(),
            Direction::ToDisk => {
                if self.check_block() {
                    self.expect_block();
                }
            }
            Direction::None | Direction::Identity => {}
        }
    }

    /// Hands the identity to the guest.
    pub(super) fn start_identity(&mut self, identity: Vec<u8>) {
        self.transfer = Transfer {
            direction: Direction::Identity,
            left: 1,
            buffer: identity,
            ..Transfer::none()
        };
        self.status |= Status::DRQ;
        self.set_interrupt(true);
    }

    /// The guest reads the data port.
    pub(super) fn read_data(&mut self, bytes: &mut [u8]) {
        // Where no data is offered the bus floats.
        bytes.fill(0xff);
        let mut done = 0;
        while done < bytes.len() && self.moves(&[Direction::FromDisk, Direction::Identity]) {
            let transfer = &mut self.transfer;
            let offered = transfer.buffer.get(transfer.position..).unwrap_or(&[]);
            let length = offered.len().min(bytes.len() - done);
            bytes[done..done + length].copy_from_slice(&offered[..length]);
            transfer.position += length;
            done += length;
            if self.transfer.position >= self.transfer.buffer.len() {
                self.finish_block();
            }
        }
    }

    /// The guest writes the data port.
    pub(super) fn write_data(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.moves(&[Direction::ToDisk]) {
            let transfer = &mut self.transfer;
            let wanted = transfer
                .buffer
                .get_mut(transfer.position..)
                .unwrap_or(&mut []);
            let length = wanted.len().min(rest.len());
            let (now, later) = rest.split_at(length);
            wanted[..length].copy_from_slice(now);
            transfer.position += length;
            rest = later;
            if self.transfer.position >= self.transfer.buffer.len() {
                self.store_block();
            }
        }
    }

    /// Whether data moves in one of `directions` now.
    fn moves(&self, directions: &[Direction]) -> bool {
        self.status.contains(Status::DRQ)
            && directions.contains(&self.transfer.direction)
            && !self.selects_absent_device()
    }

    /// Ends the command with an error if the next block is off the disk.
    fn check_block(&mut self) -> bool {
        let sectors = self.disk_sectors();
        let length = self.transfer.block_sectors() as u64;
        let end = self.transfer.sector.saturating_add(length);
        if end <= sectors {
            return true;
        }
        // The address left behind is the first that does not exist.
        self.transfer.sector = self.transfer.sector.max(sectors);
        self.fail_transfer(ErrorBits::IDNF, Status::empty());
        false
    }

    /// Reads the next block and offers it.
    fn fetch_block(&mut self) {
        if !self.check_block() {
            return;
        }
        let length = self.transfer.block_sectors() * SECTOR_BYTES;
        let sector = self.transfer.sector;
        self.transfer.buffer.resize(length, 0);
        let buffer = &mut self.transfer.buffer;
        let read = self.disk.as_mut().map(|disk| disk.read(sector, buffer));
        if let Some(Ok(())) = read {
            self.transfer.position = 0;
            self.status |= Status::DRQ;
            self.set_interrupt(true);
        } else {
            log::warn!("ide: the host cannot read sector {sector}: {read:?}");
            self.fail_transfer(ErrorBits::UNC, Status::empty());
        }
    }

    /// Makes room for the next block.
    fn expect_block(&mut self) {
        let length = self.transfer.block_sectors() * SECTOR_BYTES;
        self.transfer.buffer.clear();
        self.transfer.buffer.resize(length, 0);
        self.transfer.position = 0;
        self.status |= Status::DRQ;
    }

    /// Writes the block that is now complete.
    fn store_block(&mut self) {
        let sector = self.transfer.sector;
        let buffer = &self.transfer.buffer;
        let written = self.disk.as_mut().map(|disk| disk.write(sector, buffer));
        if !matches!(written, Some(Ok(()))) {
            log::warn!("ide: the host cannot write sector {sector}: {written:?}");
            self.fail_transfer(ErrorBits::ABRT, Status::DF);
            return;
        }
        self.finish_block();
        self.set_interrupt(true);
    }

    /// Goes on to the next block, or ends the command.
    fn finish_block(&mut self) {
        let moved = self.transfer.buffer.len() / SECTOR_BYTES;
        self.status -= Status::DRQ;
        self.transfer.left = self.transfer.left.saturating_sub(moved as u32);
        if self.transfer.direction == Direction::Identity {
            self.transfer = Transfer::none();
            return;
        }
        if self.transfer.left == 0 {
            // The address left behind is that of the last sector.
            let last = (self.transfer.sector + moved as u64).saturating_sub(1);
            self.show_address(last, self.transfer.addressing);
            self.show_count(0, self.transfer.addressing);
            self.transfer = Transfer::none();
            return;
        }
        self.transfer.sector += moved as u64;
        match self.transfer.direction {
            Direction::FromDisk => self.fetch_block(),
            Direction::ToDisk => {
                if self.check_block() {
                    self.expect_block();
                }
            }
            Direction::None | Direction::Identity => {}
        }
    }

    /// Ends the command at the current sector.
    fn fail_transfer(&mut self, error: ErrorBits, status: Status) {
        let addressing = self.transfer.addressing;
        self.show_address(self.transfer.sector, addressing);
        self.show_count(self.transfer.left, addressing);
        self.transfer = Transfer::none();
        self.fail(error, status);
    }

    /// Leaves `sector` in the address registers, as the command gave it.
    pub(super) fn show_address(&mut self, sector: u64, addressing: Addressing) {
        let [b0, b1, b2, b3, b4, b5, ..] = sector.to_le_bytes();
        if addressing == Addressing::Long {
            for (register, current, previous) in [
                (&mut self.lba_low, b0, b3),
                (&mut self.lba_mid, b1, b4),
                (&mut self.lba_high, b2, b5),
            ] {
                register.current = current;
                register.previous = previous;
            }
            return;
        }
        let (low, mid, high, head) = if self.device.contains(DeviceBits::LBA) {
            (b0, b1, b2, b3)
        } else {
            let track = u64::from(self.geometry.sectors_per_track.max(1));
            let heads = u64::from(self.geometry.heads.max(1));
            let cylinder = sector / track / heads;
            let [low, high, ..] = cylinder.to_le_bytes();
            let number = (sector % track) as u8 + 1;
            (number, low, high, (sector / track % heads) as u8)
        };
        self.lba_low.set(low);
        self.lba_mid.set(mid);
        self.lba_high.set(high);
        let head = DeviceBits::from_bits_retain(head) & DeviceBits::HEAD;
        self.device = (self.device - DeviceBits::HEAD) | head;
    }

    fn show_count(&mut self, count: u32, addressing: Addressing) {
        let [low, high, ..] = count.to_le_bytes();
        self.sector_count.set(low);
        if addressing == Addressing::Long {
            self.sector_count.previous = high;
        }
    }
}
