//! Moving sectors, through the data port or by DMA.
//!
//! ATA/ATAPI-6 sections 9.7 to 9.9, "PIO data-in", "PIO data-out" and "DMA
//! command protocol": through the port data moves in blocks; each block of
//! data-in begins with an interrupt, and so does each of data-out but the
//! first, and the end. A DMA command interrupts once, at its end.
//!
//! The host is asked for many blocks at once, and once more for single ones if
//! it cannot read those, so that a bad sector does not hide the good ones
//! before it.

use serde::{Deserialize, Serialize};

use super::{AtaDisk, MAX_MULTIPLE, SECTOR_BYTES};
use crate::ide::drive::DmaDirection;
use crate::ide::registers::{DeviceBits, ErrorBits, Status};

/// Sectors read ahead for the data port.
const PORT_CHUNK: u32 = 64;
/// Sectors that DMA moves at once between the host and the buffer.
const DMA_CHUNK: u32 = 2048;

/// Where a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Direction {
    /// No transfer.
    None,
    /// From the disk to the guest.
    FromDisk,
    /// From the guest to the disk.
    ToDisk,
    /// The identity or other data about the disk, to the guest.
    Reply,
}

/// How the command gave the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Addressing {
    /// 28 bits, or cylinder, head and sector.
    Short,
    /// 48 bits.
    Long,
}

/// How the data goes over the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    /// Through the data port, so many sectors a block.
    Blocks(u8),
    /// By DMA.
    Dma,
}

impl Way {
    pub(super) const SINGLE: Self = Self::Blocks(1);

    /// Sectors that move or fail together.
    const fn block(self) -> u32 {
        match self {
            Self::Blocks(0) | Self::Dma => 1,
            Self::Blocks(sectors) => sectors as u32,
        }
    }

    /// Sectors in the buffer at most.
    const fn chunk(self) -> u32 {
        match self {
            Self::Blocks(_) => PORT_CHUNK,
            Self::Dma => DMA_CHUNK,
        }
    }
}

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    direction: Direction,
    addressing: Addressing,
    way: Way,
    /// The first sector of the buffer.
    sector: u64,
    /// Sectors not moved yet, those in the buffer included.
    left: u32,
    /// The sectors on their way. Without a transfer its contents mean nothing.
    buffer: Vec<u8>,
    /// Bytes of it that went over the bus.
    position: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedTransferV1 {
    direction: Direction,
    addressing: Addressing,
    way: Way,
    sector: u64,
    left: u32,
    buffer: Vec<u8>,
    position: u32,
}

impl Transfer {
    pub(super) const fn none() -> Self {
        Self {
            direction: Direction::None,
            addressing: Addressing::Short,
            way: Way::SINGLE,
            sector: 0,
            left: 0,
            buffer: Vec::new(),
            position: 0,
        }
    }

    /// Ends it. The buffer stays, to be filled again.
    pub(super) fn end(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        *self = Self {
            buffer,
            ..Self::none()
        };
    }

    pub(super) fn save(&self) -> SavedTransferV1 {
        let Self {
            direction,
            addressing,
            way,
            sector,
            left,
            buffer,
            position,
        } = self;
        let buffer = match direction {
            Direction::None => Vec::new(),
            Direction::FromDisk | Direction::ToDisk | Direction::Reply => buffer.clone(),
        };
        SavedTransferV1 {
            direction: *direction,
            addressing: *addressing,
            way: *way,
            sector: *sector,
            left: *left,
            buffer,
            position: *position as u32,
        }
    }

    /// Nothing when the saved transfer is an impossible one.
    pub(super) fn restore(saved: SavedTransferV1) -> Option<Self> {
        let SavedTransferV1 {
            direction,
            addressing,
            way,
            sector,
            left,
            buffer,
            position,
        } = saved;
        let position = usize::try_from(position).ok()?;
        let block = way.block();
        let is_possible = position <= buffer.len()
            && buffer.len() <= way.chunk() as usize * SECTOR_BYTES
            && buffer.len().is_multiple_of(SECTOR_BYTES)
            && block <= u32::from(MAX_MULTIPLE)
            && left <= 0x1_0000
            && sector <= 1 << 48
            && (buffer.len() / SECTOR_BYTES) as u64 <= u64::from(left);
        let is_idle = direction == Direction::None && buffer.is_empty();
        (is_idle || is_possible).then_some(Self {
            direction,
            addressing,
            way,
            sector,
            left,
            buffer,
            position,
        })
    }

    /// Bytes of the buffer that have not gone over the bus.
    fn offered(&self) -> &[u8] {
        self.buffer.get(self.position..).unwrap_or(&[])
    }

    fn is_buffer_done(&self) -> bool {
        self.position >= self.buffer.len()
    }

    /// Bytes to the end of the block that goes through the data port.
    fn block_left(&self) -> usize {
        let block = self.block_bytes();
        (block - self.position % block).min(self.offered().len())
    }

    const fn is_block_done(&self) -> bool {
        self.position.is_multiple_of(self.block_bytes())
    }

    const fn block_bytes(&self) -> usize {
        self.way.block() as usize * SECTOR_BYTES
    }
}

impl AtaDisk {
    /// Begins to move `count` sectors from `sector` on.
    pub(super) fn start_transfer(
        &mut self,
        direction: Direction,
        addressing: Addressing,
        (sector, count): (u64, u32),
        way: Way,
    ) {
        self.transfer.end();
        self.transfer.direction = direction;
        self.transfer.addressing = addressing;
        self.transfer.way = way;
        self.transfer.sector = sector;
        self.transfer.left = count;
        match (way, direction) {
            (Way::Dma, _) => {
                self.transfer.buffer.clear();
                if self.next_chunk().is_some() {
                    self.task.status = Status::BSY | Status::DRDY;
                }
            }
            (Way::Blocks(_), Direction::FromDisk) => self.fetch(),
            (Way::Blocks(_), _) => self.expect_block(),
        }
    }

    /// Hands a sector about the disk to the guest.
    pub(super) fn start_reply(&mut self, bytes: Vec<u8>) {
        self.transfer = Transfer {
            direction: Direction::Reply,
            left: 1,
            buffer: bytes,
            ..Transfer::none()
        };
        self.task.status |= Status::DRQ;
        self.task.interrupt = true;
    }

    /// The guest reads the data port.
    pub(in crate::ide) fn read_data(&mut self, bytes: &mut [u8]) {
        // Where no data is offered the bus floats.
        bytes.fill(0xff);
        let mut done = 0;
        while done < bytes.len() && self.moves(&[Direction::FromDisk, Direction::Reply]) {
            let transfer = &mut self.transfer;
            let length = transfer.block_left().min(bytes.len() - done);
            bytes[done..done + length].copy_from_slice(&transfer.offered()[..length]);
            transfer.position += length;
            done += length;
            if self.transfer.is_buffer_done() {
                self.finish_buffer();
            } else if self.transfer.is_block_done() {
                // The next block is there already.
                self.task.interrupt = true;
            }
        }
    }

    /// The guest writes the data port.
    pub(in crate::ide) fn write_data(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.moves(&[Direction::ToDisk]) {
            let room = self.buffer_room();
            let length = room.len().min(rest.len());
            let (now, later) = rest.split_at(length);
            room[..length].copy_from_slice(now);
            self.transfer.position += length;
            rest = later;
            if self.transfer.is_buffer_done() && self.store() {
                self.task.interrupt = true;
            }
        }
    }

    /// Whether data moves through the port in one of `directions` now.
    fn moves(&self, directions: &[Direction]) -> bool {
        self.task.status.contains(Status::DRQ) && directions.contains(&self.transfer.direction)
    }

    fn buffer_room(&mut self) -> &mut [u8] {
        let position = self.transfer.position;
        self.transfer.buffer.get_mut(position..).unwrap_or_default()
    }

    /// Sectors to move next; ends the command if they are off the disk.
    fn next_chunk(&mut self) -> Option<u32> {
        let Transfer {
            sector, left, way, ..
        } = self.transfer;
        let block = way.block().min(left);
        let room = self.sectors().saturating_sub(sector);
        if room < u64::from(block) {
            // The address left behind is the first that does not exist.
            self.transfer.sector = sector.max(self.sectors());
            self.fail_transfer(ErrorBits::IDNF, Status::empty());
            return None;
        }
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        let most = way.chunk().min(left).min(room);
        // Whole blocks, but for the last of the command.
        Some(if most < left {
            most - most % block
        } else {
            most
        })
    }

    /// Reads the next sectors and offers them.
    fn fetch(&mut self) {
        let Some(sectors) = self.next_chunk() else {
            return;
        };
        let sector = self.transfer.sector;
        let block = self.transfer.way.block().min(self.transfer.left);
        let mut read = self.read_sectors(sectors);
        if read.is_err() && sectors > block {
            read = self.read_sectors(block);
        }
        if let Err(error) = read {
            log::debug!("ide: the host cannot read sector {sector}: {error}");
            self.fail_transfer(ErrorBits::UNC, Status::empty());
            return;
        }
        self.transfer.position = 0;
        if self.transfer.way != Way::Dma {
            self.task.status |= Status::DRQ;
            self.task.interrupt = true;
        }
    }

    fn read_sectors(&mut self, sectors: u32) -> std::io::Result<()> {
        let buffer = &mut self.transfer.buffer;
        buffer.resize(sectors as usize * SECTOR_BYTES, 0);
        self.disk.read(self.transfer.sector, buffer)
    }

    /// Makes room for the next block from the data port.
    fn expect_block(&mut self) {
        if self.next_chunk().is_some() {
            let block = self.transfer.way.block().min(self.transfer.left);
            self.make_room(block);
            self.task.status |= Status::DRQ;
        }
    }

    fn make_room(&mut self, sectors: u32) {
        let length = sectors as usize * SECTOR_BYTES;
        self.transfer.buffer.resize(length, 0);
        self.transfer.position = 0;
    }

    /// Writes the buffer, which is full, and says whether the host did.
    fn store(&mut self) -> bool {
        let sector = self.transfer.sector;
        let mut written = self.disk.write(sector, &self.transfer.buffer);
        let is_last = self.transfer.buffer.len() / SECTOR_BYTES == self.transfer.left as usize;
        if written.is_ok() && is_last && !self.settings.write_cache {
            // Without a cache, what is written is on the disk.
            written = self.disk.flush();
        }
        if let Err(error) = written {
            log::debug!("ide: the host cannot write sector {sector}: {error}");
            self.fail_transfer(ErrorBits::ABRT, Status::DF);
            return false;
        }
        self.finish_buffer();
        true
    }

    /// Goes on after the buffer went over the bus, or ends the command.
    fn finish_buffer(&mut self) {
        let moved = self.transfer.buffer.len() / SECTOR_BYTES;
        self.task.status -= Status::DRQ;
        self.transfer.left = self.transfer.left.saturating_sub(moved as u32);
        if self.transfer.direction == Direction::Reply {
            self.transfer.end();
            return;
        }
        if self.transfer.left == 0 {
            // The address left behind is that of the last sector.
            let last = (self.transfer.sector + moved as u64).saturating_sub(1);
            self.show_address(last, self.transfer.addressing);
            self.show_count(0, self.transfer.addressing);
            if self.transfer.way == Way::Dma {
                self.task.succeed();
            }
            self.transfer.end();
            return;
        }
        self.transfer.sector += moved as u64;
        match (self.transfer.way, self.transfer.direction) {
            // DMA fetches and makes room when the bus master asks.
            (Way::Dma, _) => {
                self.transfer.buffer.clear();
                self.transfer.position = 0;
            }
            (Way::Blocks(_), Direction::FromDisk) => self.fetch(),
            (Way::Blocks(_), _) => self.expect_block(),
        }
    }

    /// Ends the command at the current sector.
    fn fail_transfer(&mut self, error: ErrorBits, status: Status) {
        let addressing = self.transfer.addressing;
        self.show_address(self.transfer.sector, addressing);
        self.show_count(self.transfer.left, addressing);
        self.transfer.end();
        self.task.fail(error, status);
    }

    /// Leaves `sector` in the address registers, as the command gave it.
    pub(super) fn show_address(&mut self, sector: u64, addressing: Addressing) {
        let [b0, b1, b2, b3, b4, b5, ..] = sector.to_le_bytes();
        if addressing == Addressing::Long {
            for (register, current, previous) in [
                (&mut self.task.lba_low, b0, b3),
                (&mut self.task.lba_mid, b1, b4),
                (&mut self.task.lba_high, b2, b5),
            ] {
                register.current = current;
                register.previous = previous;
            }
            return;
        }
        let (low, mid, high, head) = if self.task.device.contains(DeviceBits::LBA) {
            (b0, b1, b2, b3)
        } else {
            let track = u64::from(self.settings.geometry.sectors_per_track.max(1));
            let heads = u64::from(self.settings.geometry.heads.max(1));
            let cylinder = sector / track / heads;
            let [low, high, ..] = cylinder.to_le_bytes();
            let number = (sector % track) as u8 + 1;
            (number, low, high, (sector / track % heads) as u8)
        };
        self.task.lba_low.set(low);
        self.task.lba_mid.set(mid);
        self.task.lba_high.set(high);
        let head = DeviceBits::from_bits_retain(head) & DeviceBits::HEAD;
        self.task.device = (self.task.device - DeviceBits::HEAD) | head;
    }

    fn show_count(&mut self, count: u32, addressing: Addressing) {
        let [low, high, ..] = count.to_le_bytes();
        self.task.sector_count.set(low);
        if addressing == Addressing::Long {
            self.task.sector_count.previous = high;
        }
    }
}

/// The bus master's side.
impl AtaDisk {
    /// The way that data waits to go by DMA.
    pub(in crate::ide) fn dma_direction(&self) -> Option<DmaDirection> {
        match (self.transfer.way, self.transfer.direction) {
            (Way::Dma, Direction::FromDisk) => Some(DmaDirection::ToMemory),
            (Way::Dma, Direction::ToDisk) => Some(DmaDirection::FromMemory),
            _ => None,
        }
    }

    /// Bytes of the command that have not gone by DMA.
    pub(in crate::ide) fn dma_left(&self) -> u64 {
        let all = u64::from(self.transfer.left) * SECTOR_BYTES as u64;
        all.saturating_sub(self.transfer.position as u64)
    }

    /// Data for the bus master; none if the command has just failed.
    pub(in crate::ide) fn dma_offer(&mut self) -> &[u8] {
        if self.transfer.is_buffer_done() {
            self.fetch();
        }
        match self.dma_direction() {
            Some(DmaDirection::ToMemory) => self.transfer.offered(),
            _ => &[],
        }
    }

    /// Room for data from the bus master; none if the command has just failed.
    pub(in crate::ide) fn dma_room(&mut self) -> &mut [u8] {
        if self.transfer.is_buffer_done()
            && let Some(sectors) = self.next_chunk()
        {
            self.make_room(sectors);
        }
        match self.dma_direction() {
            Some(DmaDirection::FromMemory) => self.buffer_room(),
            _ => &mut [],
        }
    }

    /// The bus master has moved the first `bytes` of the offer or the room.
    pub(in crate::ide) fn dma_moved(&mut self, bytes: usize) {
        self.transfer.position += bytes;
        if !self.transfer.is_buffer_done() {
            return;
        }
        match self.dma_direction() {
            Some(DmaDirection::ToMemory) => self.finish_buffer(),
            Some(DmaDirection::FromMemory) => {
                self.store();
            }
            None => {}
        }
    }
}
