//! The bus master of one channel.
//!
//! Intel 82371SB (PIIX3) datasheet (290550), sections 2.7 (BMICX, BMISX,
//! BMIDTPX) and 3.5, and the Programming Interface for Bus Master IDE
//! Controller 1.0. Eight registers: 0 command, 2 status, 4 to 7 the address of
//! the table of physical region descriptors.
//!
//! A descriptor is the address of a region, its byte count (0 stands for 64
//! KiB) and, in its last bit, the end of the table. The data goes the way that
//! the drive's command says; the direction bit is kept and changes nothing.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use super::drive::{DmaDirection, Drive};
use crate::dma::Dma;

bitflags! {
    /// The command register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Command: u8 {
        /// Runs (SSBM).
        const START = 1 << 0;
        /// Writes memory (RWCON).
        const TO_MEMORY = 1 << 3;
    }

    /// The status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Status: u8 {
        /// Between the start and the end of the last region.
        const ACTIVE = 1 << 0;
        /// A transfer over PCI failed.
        const ERROR = 1 << 1;
        /// The drive's interrupt rose.
        const INTERRUPT = 1 << 2;
        /// Software's note that drive 0 does DMA.
        const DRIVE_0_CAPABLE = 1 << 5;
        /// Software's note that drive 1 does DMA.
        const DRIVE_1_CAPABLE = 1 << 6;
        /// What software writes.
        const WRITABLE = Self::DRIVE_0_CAPABLE.bits() | Self::DRIVE_1_CAPABLE.bits();
        /// What software clears by writing ones.
        const CLEARED_BY_ONES = Self::ERROR.bits() | Self::INTERRUPT.bits();
    }
}

/// Bytes in a descriptor.
const DESCRIPTOR_BYTES: usize = 8;
/// The end of the table, in a descriptor's last byte.
const END_OF_TABLE: u8 = 1 << 7;
/// What moves at once: the longest commands take their time, as on a real bus.
const SLICE_BYTES: u64 = 4 << 20;
/// Addresses are multiples of four, or of two for regions.
const TABLE_MASK: u32 = !3;
const REGION_MASK: u32 = !1;

/// A region of memory being filled or emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Region {
    address: u32,
    left_bytes: u32,
    is_last: bool,
}

/// The bus master.
#[derive(Debug)]
pub(crate) struct BusMaster {
    command: Command,
    status: Status,
    table: u32,
    /// The descriptor that comes next.
    next_descriptor: u32,
    region: Region,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SavedBusMasterV1 {
    command: u8,
    status: u8,
    table: u32,
    next_descriptor: u32,
    region: Region,
}

impl BusMaster {
    pub(crate) const fn new() -> Self {
        Self {
            command: Command::empty(),
            status: Status::empty(),
            table: 0,
            next_descriptor: 0,
            region: Region {
                address: 0,
                left_bytes: 0,
                is_last: false,
            },
        }
    }

    /// Register 0 to 7.
    pub(crate) fn read(&self, register: u64) -> u8 {
        match register {
            0 => self.command.bits(),
            2 => self.status.bits(),
            4..=7 => self.table.to_le_bytes()[(register - 4) as usize],
            _ => 0,
        }
    }

    /// Register 0 to 7.
    pub(crate) fn write(&mut self, register: u64, byte: u8) {
        match register {
            0 => self.write_command(Command::from_bits_truncate(byte)),
            2 => {
                let byte = Status::from_bits_truncate(byte);
                let kept = self.status - Status::WRITABLE - (byte & Status::CLEARED_BY_ONES);
                self.status = kept | (byte & Status::WRITABLE);
            }
            4..=7 => {
                let mut bytes = self.table.to_le_bytes();
                bytes[(register - 4) as usize] = byte;
                self.table = u32::from_le_bytes(bytes) & TABLE_MASK;
            }
            _ => {}
        }
    }

    fn write_command(&mut self, command: Command) {
        let starts = command.contains(Command::START);
        if starts && !self.command.contains(Command::START) {
            self.status |= Status::ACTIVE;
            self.next_descriptor = self.table;
            self.region = Region::default();
        } else if !starts {
            // What was stopped cannot be resumed.
            self.status -= Status::ACTIVE;
        }
        self.command = command;
    }

    /// The drive's interrupt rose.
    pub(crate) fn note_interrupt(&mut self) {
        self.status |= Status::INTERRUPT;
    }

    /// Whether it would move data if a drive had some.
    pub(crate) const fn is_active(&self) -> bool {
        self.status.contains(Status::ACTIVE)
    }

    /// Moves data until the drive or the table comes to its end, or enough for
    /// once has been moved.
    fn run(&mut self, drive: &mut Drive, memory: &mut dyn Dma) {
        let mut moved_all = 0;
        while moved_all < SLICE_BYTES
            && self.is_active()
            && let Some(direction) = drive.dma_direction()
        {
            if self.region.left_bytes == 0 {
                self.fetch_descriptor(memory);
            }
            let address = u64::from(self.region.address);
            let most = self.region.left_bytes as usize;
            let moved = match direction {
                DmaDirection::ToMemory => {
                    let offer = drive.dma_offer();
                    let moved = offer.len().min(most);
                    memory.write(address, &offer[..moved]);
                    moved
                }
                DmaDirection::FromMemory => {
                    let room = drive.dma_room();
                    let moved = room.len().min(most);
                    memory.read(address, &mut room[..moved]);
                    moved
                }
            };
            if moved == 0 {
                // The host has failed, and the drive has said so.
                return;
            }
            self.region.address = self.region.address.wrapping_add(moved as u32);
            self.region.left_bytes -= moved as u32;
            if self.region.left_bytes == 0 && self.region.is_last {
                self.status -= Status::ACTIVE;
            }
            drive.dma_moved(moved);
            moved_all += moved as u64;
        }
    }

    fn fetch_descriptor(&mut self, memory: &mut dyn Dma) {
        let mut bytes = [0; DESCRIPTOR_BYTES];
        memory.read(u64::from(self.next_descriptor), &mut bytes);
        self.next_descriptor = self.next_descriptor.wrapping_add(DESCRIPTOR_BYTES as u32);
        let [a0, a1, a2, a3, c0, c1, _, flags] = bytes;
        let count = u16::from_le_bytes([c0, c1]) & !1;
        self.region = Region {
            address: u32::from_le_bytes([a0, a1, a2, a3]) & REGION_MASK,
            left_bytes: if count == 0 {
                0x1_0000
            } else {
                u32::from(count)
            },
            is_last: flags & END_OF_TABLE != 0,
        };
    }

    pub(crate) fn save(&self) -> SavedBusMasterV1 {
        let Self {
            command,
            status,
            table,
            next_descriptor,
            region,
        } = self;
        SavedBusMasterV1 {
            command: command.bits(),
            status: status.bits(),
            table: *table,
            next_descriptor: *next_descriptor,
            region: *region,
        }
    }

    pub(crate) fn restore(saved: SavedBusMasterV1) -> Self {
        Self {
            command: Command::from_bits_truncate(saved.command),
            status: Status::from_bits_truncate(saved.status),
            table: saved.table,
            next_descriptor: saved.next_descriptor,
            region: saved.region,
        }
    }
}

impl super::channel::Channel {
    /// Bytes that the selected drive moves next by DMA, if it waits for that.
    pub(crate) fn dma_waiting(&self) -> Option<u64> {
        let drive = self.selected()?;
        let waiting = drive.dma_direction().map(|_| drive.dma_left());
        waiting.map(|bytes| bytes.min(SLICE_BYTES))
    }

    /// Lets `master` move what the selected drive has for it.
    pub(crate) fn run_dma(&mut self, master: &mut BusMaster, memory: &mut dyn Dma) {
        if let Some(drive) = self.selected_mut() {
            master.run(drive, memory);
            self.drive_irq();
        }
    }

    /// Tells `master` of an interrupt that rose.
    pub(crate) fn report_interrupt(&mut self, master: &mut BusMaster) {
        if self.take_rise() {
            master.note_interrupt();
        }
    }
}
