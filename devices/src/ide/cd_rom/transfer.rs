//! Packets and their data on the bus.
//!
//! ATA/ATAPI-6 sections 8.23 and 9.10, "PACKET command protocol": the packet
//! goes through the data port; then data does in blocks, each with an
//! interrupt, its length in the byte count registers and no longer than the
//! limit that the host gave there; or all of it goes by DMA; then the status
//! comes, with an interrupt.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use super::CdRom;
use super::packet::{Outcome, PACKET_BYTES, Packet};
use super::read::Layout;
use super::sense::Sense;
use crate::ide::drive::DmaDirection;
use crate::ide::registers::Status;

/// Sectors read ahead for the data port.
const PORT_CHUNK: u32 = 16;
/// Sectors that DMA takes at once.
const DMA_CHUNK: u32 = 512;
/// The longest buffer there is: that of DMA with raw sectors.
const MAX_BUFFER: usize = DMA_CHUNK as usize * 2352;

bitflags! {
    /// The interrupt reason register, where disks have the sector count.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Reason: u8 {
        /// A command or status, not data (C/D).
        const COMMAND = 1 << 0;
        /// To the host (I/O).
        const TO_HOST = 1 << 1;
        /// The status of a command that is done.
        const STATUS = Self::COMMAND.bits() | Self::TO_HOST.bits();
    }
}

/// What goes over the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Nothing.
    None,
    /// The packet comes from the host.
    Packet,
    /// Data for the host.
    DataIn,
    /// Data from the host, parameters of the packet.
    DataOut(Packet),
    /// The identity, which is no packet's data.
    Identity,
}

/// Sectors that follow what is in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stream {
    sector: u32,
    left: u32,
    layout: Layout,
}

/// What is under way.
#[derive(Debug)]
pub(super) struct Transfer {
    phase: Phase,
    is_dma: bool,
    /// The longest block that the host takes, in bytes.
    limit: u16,
    /// The bytes on their way. Without a phase its contents mean nothing.
    buffer: Vec<u8>,
    /// Bytes of it that went over the bus.
    position: usize,
    /// Where the block ends that goes through the data port.
    block_end: usize,
    stream: Stream,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedTransferV1 {
    phase: Phase,
    is_dma: bool,
    limit: u16,
    buffer: Vec<u8>,
    position: u32,
    block_end: u32,
    stream: Stream,
}

impl Transfer {
    pub(super) const fn none() -> Self {
        Self {
            phase: Phase::None,
            is_dma: false,
            limit: 0,
            buffer: Vec::new(),
            position: 0,
            block_end: 0,
            stream: Stream {
                sector: 0,
                left: 0,
                layout: Layout::USER_DATA,
            },
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
            phase,
            is_dma,
            limit,
            buffer,
            position,
            block_end,
            stream,
        } = self;
        let buffer = if *phase == Phase::None {
            Vec::new()
        } else {
            buffer.clone()
        };
        SavedTransferV1 {
            phase: *phase,
            is_dma: *is_dma,
            limit: *limit,
            buffer,
            position: *position as u32,
            block_end: *block_end as u32,
            stream: *stream,
        }
    }

    /// Nothing when the saved transfer is an impossible one.
    pub(super) fn restore(saved: SavedTransferV1) -> Option<Self> {
        let SavedTransferV1 {
            phase,
            is_dma,
            limit,
            buffer,
            position,
            block_end,
            stream,
        } = saved;
        let position = usize::try_from(position).ok()?;
        let block_end = usize::try_from(block_end).ok()?;
        let is_possible = position <= block_end
            && block_end <= buffer.len()
            && buffer.len() <= MAX_BUFFER
            && stream.layout.sector_bytes() > 0;
        is_possible.then_some(Self {
            phase,
            is_dma,
            limit,
            buffer,
            position,
            block_end,
            stream,
        })
    }

    fn is_buffer_done(&self) -> bool {
        self.position >= self.buffer.len()
    }

    /// The next block for the data port: whole sectors where they fit.
    fn next_block(&self) -> usize {
        let rest = self.buffer.len() - self.position;
        // Only the last block may be odd, and FFFFh is as good as FFFEh.
        let limit = match usize::from(self.limit & !1) {
            0 => 0xfffe,
            limit => limit,
        };
        if rest <= limit {
            return rest;
        }
        let sector = self.stream.layout.sector_bytes();
        if limit > sector {
            limit - limit % sector
        } else {
            limit
        }
    }
}

impl CdRom {
    pub(super) fn show_reason(&mut self, reason: Reason) {
        self.task.sector_count.set(reason.bits());
    }

    /// The PACKET command.
    pub(super) fn expect_packet(&mut self) {
        let features = self.task.features.current;
        // There are no overlapped commands.
        let is_dma = features & 1 != 0;
        if features & 2 != 0 {
            self.task.abort();
            return;
        }
        let (mid, high) = (self.task.lba_mid.current, self.task.lba_high.current);
        self.transfer.phase = Phase::Packet;
        self.transfer.is_dma = is_dma;
        self.transfer.limit = u16::from_le_bytes([mid, high]);
        self.expect_bytes(PACKET_BYTES);
        self.show_reason(Reason::COMMAND);
        self.task.status |= Status::DRQ;
    }

    fn expect_bytes(&mut self, length: usize) {
        self.transfer.buffer.clear();
        self.transfer.buffer.resize(length, 0);
        self.transfer.position = 0;
        self.transfer.block_end = length;
    }

    /// Hands the identity to the guest.
    pub(super) fn start_identity(&mut self, identity: Vec<u8>) {
        self.transfer.phase = Phase::Identity;
        self.transfer.position = 0;
        self.transfer.block_end = identity.len();
        self.transfer.buffer = identity;
        self.task.status |= Status::DRQ;
        self.task.interrupt = true;
    }

    /// The guest reads the data port.
    pub(in crate::ide) fn read_data(&mut self, bytes: &mut [u8]) {
        // Where no data is offered the bus floats.
        bytes.fill(0xff);
        let mut done = 0;
        while done < bytes.len()
            && self.task.status.contains(Status::DRQ)
            && matches!(self.transfer.phase, Phase::DataIn | Phase::Identity)
        {
            let transfer = &mut self.transfer;
            let block = transfer.position..transfer.block_end;
            let offered = transfer.buffer.get(block).unwrap_or_default();
            let length = offered.len().min(bytes.len() - done);
            bytes[done..done + length].copy_from_slice(&offered[..length]);
            transfer.position += length;
            // The port moves words: an odd last byte has a pad beside it.
            done += length.next_multiple_of(2);
            if transfer.position >= transfer.block_end {
                self.finish_block();
            }
        }
    }

    /// The guest writes the data port.
    pub(in crate::ide) fn write_data(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty()
            && self.task.status.contains(Status::DRQ)
            && matches!(self.transfer.phase, Phase::Packet | Phase::DataOut(_))
        {
            let transfer = &mut self.transfer;
            let block = transfer.position..transfer.block_end;
            let wanted = transfer.buffer.get_mut(block).unwrap_or_default();
            let length = wanted.len().min(rest.len());
            wanted[..length].copy_from_slice(&rest[..length]);
            transfer.position += length;
            rest = rest.get(length.next_multiple_of(2)..).unwrap_or_default();
            if transfer.position >= transfer.block_end {
                self.finish_block();
            }
        }
    }

    /// A block went through the data port.
    fn finish_block(&mut self) {
        self.task.status -= Status::DRQ;
        if !self.transfer.is_buffer_done() {
            self.offer_block();
            return;
        }
        match self.transfer.phase {
            Phase::None | Phase::Identity => self.transfer.end(),
            Phase::Packet => self.take_packet(),
            Phase::DataIn | Phase::DataOut(_) => self.finish_buffer(),
        }
    }

    fn take_packet(&mut self) {
        let mut packet = [0; PACKET_BYTES];
        for (byte, &sent) in packet.iter_mut().zip(&self.transfer.buffer) {
            *byte = sent;
        }
        match self.execute(packet) {
            Ok(Outcome::Done) => self.finish_command(),
            Ok(Outcome::Data(bytes)) => self.start_data(bytes),
            Ok(Outcome::Sectors {
                sector,
                count,
                layout,
            }) => {
                self.transfer.stream = Stream {
                    sector,
                    left: count,
                    layout,
                };
                self.start_data(Vec::new());
            }
            Ok(Outcome::Expects(length)) => self.start_parameters(packet, length),
            Err(sense) => self.check(sense),
        }
    }

    fn finish_command(&mut self) {
        self.transfer.end();
        self.complete();
    }

    /// Begins to hand `bytes` to the host, and the stream after them.
    fn start_data(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() && self.transfer.stream.left == 0 {
            self.finish_command();
            return;
        }
        self.transfer.phase = Phase::DataIn;
        self.transfer.position = 0;
        self.transfer.block_end = bytes.len();
        if bytes.is_empty() {
            self.transfer.buffer.clear();
        } else {
            self.transfer.buffer = bytes;
        }
        if self.transfer.is_dma {
            self.wait_for_dma();
        } else if !self.transfer.is_buffer_done() || self.fetch() {
            self.offer_block();
        }
    }

    /// Begins to take `length` bytes of parameters from the host.
    fn start_parameters(&mut self, packet: Packet, length: usize) {
        if length == 0 {
            self.finish_command();
            return;
        }
        self.transfer.phase = Phase::DataOut(packet);
        self.expect_bytes(length);
        if self.transfer.is_dma {
            self.wait_for_dma();
        } else {
            self.offer_block();
        }
    }

    fn wait_for_dma(&mut self) {
        self.task.status = Status::BSY | Status::DRDY;
    }

    /// Opens the data port for the next block.
    fn offer_block(&mut self) {
        let length = self.transfer.next_block();
        self.transfer.block_end = self.transfer.position + length;
        // No block is longer than the limit, which has 16 bits.
        let [low, high, ..] = length.to_le_bytes();
        self.task.lba_mid.set(low);
        self.task.lba_high.set(high);
        let reason = match self.transfer.phase {
            Phase::DataOut(_) => Reason::empty(),
            _ => Reason::TO_HOST,
        };
        self.show_reason(reason);
        self.task.status = Status::READY | Status::DRQ;
        self.task.interrupt = true;
    }

    /// All of the buffer went over the bus.
    fn finish_buffer(&mut self) {
        if let Phase::DataOut(packet) = self.transfer.phase {
            let parameters = std::mem::take(&mut self.transfer.buffer);
            match self.take_parameters(packet, &parameters) {
                Ok(()) => self.finish_command(),
                Err(sense) => self.check(sense),
            }
        } else if self.transfer.stream.left == 0 {
            self.finish_command();
        } else if self.transfer.is_dma {
            // Fetched when the bus master asks.
            self.transfer.buffer.clear();
            self.transfer.position = 0;
            self.transfer.block_end = 0;
        } else if self.fetch() {
            self.offer_block();
        }
    }

    /// Reads the next sectors of the stream into the buffer. If that is not
    /// possible, ends the command and says so.
    fn fetch(&mut self) -> bool {
        let chunk = if self.transfer.is_dma {
            DMA_CHUNK
        } else {
            PORT_CHUNK
        };
        let sectors = chunk.min(self.transfer.stream.left);
        // A bad sector does not hide the good ones before it.
        let read = match self.fetch_sectors(sectors) {
            Err(Sense::UNRECOVERED_READ_ERROR) if sectors > 1 => self.fetch_sectors(1),
            read => read,
        };
        if let Err(sense) = read {
            self.check(sense);
        }
        read.is_ok()
    }

    fn fetch_sectors(&mut self, sectors: u32) -> Result<(), Sense> {
        let Stream {
            sector,
            left,
            layout,
        } = self.transfer.stream;
        let mut buffer = std::mem::take(&mut self.transfer.buffer);
        let read = self.read_sectors(sector, sectors, layout, &mut buffer);
        self.transfer.position = 0;
        self.transfer.block_end = buffer.len();
        self.transfer.buffer = buffer;
        read?;
        self.transfer.stream = Stream {
            sector: sector.saturating_add(sectors),
            left: left.saturating_sub(sectors),
            layout,
        };
        Ok(())
    }
}

/// The bus master's side.
impl CdRom {
    /// The way that data waits to go by DMA.
    pub(in crate::ide) fn dma_direction(&self) -> Option<DmaDirection> {
        match self.transfer.phase {
            Phase::DataIn if self.transfer.is_dma => Some(DmaDirection::ToMemory),
            Phase::DataOut(_) if self.transfer.is_dma => Some(DmaDirection::FromMemory),
            _ => None,
        }
    }

    /// Bytes of the command that have not gone by DMA.
    pub(in crate::ide) fn dma_left(&self) -> u64 {
        let Stream { left, layout, .. } = self.transfer.stream;
        let buffered = self.transfer.buffer.len() - self.transfer.position;
        buffered as u64 + u64::from(left) * layout.sector_bytes() as u64
    }

    /// Data for the bus master; none if the command has just failed.
    pub(in crate::ide) fn dma_offer(&mut self) -> &[u8] {
        if self.transfer.is_buffer_done() && !self.fetch() {
            return &[];
        }
        let position = self.transfer.position;
        self.transfer.buffer.get(position..).unwrap_or_default()
    }

    /// Room for data from the bus master.
    pub(in crate::ide) fn dma_room(&mut self) -> &mut [u8] {
        let position = self.transfer.position;
        self.transfer.buffer.get_mut(position..).unwrap_or_default()
    }

    /// The bus master has moved the first `bytes` of the offer or the room.
    pub(in crate::ide) fn dma_moved(&mut self, bytes: usize) {
        self.transfer.position += bytes;
        if self.transfer.is_buffer_done() {
            self.finish_buffer();
        }
    }
}
