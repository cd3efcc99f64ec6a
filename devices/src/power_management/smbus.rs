//! The SMBus host controller, with nothing but memory modules' EEPROMs.
//!
//! Intel 82371AB datasheet, 7.4, and System Management Bus Specification 1.0.
//! A transfer takes no time: the status is there when software looks. Process
//! calls and block writes find no device that would take them. The end of a
//! command interrupts by IRQ 9; where SMI# is selected for that, nobody is told.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

/// A 256-byte EEPROM on the bus, such as a memory module's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eeprom {
    /// Its 7-bit address.
    pub address: u8,
    /// What it holds; past the end it reads as ones.
    pub contents: Vec<u8>,
}

bitflags! {
    /// SMBHSTSTS.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct HostStatus: u8 {
        /// A command was completed.
        const INTER = 1 << 1;
        /// No device answered, or the command does not exist.
        const DEV_ERR = 1 << 2;
        /// Somebody else drove the bus.
        const BUS_ERR = 1 << 3;
        /// The command was killed.
        const FAILED = 1 << 4;
    }

    /// SMBHSTCNT.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct HostControl: u8 {
        /// Interrupts when done.
        const INTEREN = 1 << 0;
        /// Stops the command.
        const KILL = 1 << 1;
        /// Which command.
        const SMB_CMD_PROT = 7 << 2;
        /// Starts it; reads as zero.
        const START = 1 << 6;
    }
}

/// Bytes of a block transfer.
const BLOCK: usize = 32;

/// The controller.
#[derive(Debug)]
pub(super) struct Smbus {
    eeproms: Vec<Eeprom>,
    status: HostStatus,
    control: HostControl,
    command: u8,
    /// SMBHSTADD: the address, and bit 0 for a read.
    address: u8,
    data: [u8; 2],
    block: [u8; BLOCK],
    /// Which byte of the block comes next.
    block_index: u8,
    /// The slave's registers, SMBSLVCNT to SMBSLVDAT, kept and unused.
    slave: [u8; 6],
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedSmbusV1 {
    status: u8,
    control: u8,
    command: u8,
    address: u8,
    data: [u8; 2],
    block: Vec<u8>,
    block_index: u8,
    slave: [u8; 6],
}

impl Smbus {
    pub(super) const fn new(eeproms: Vec<Eeprom>) -> Self {
        Self {
            eeproms,
            status: HostStatus::empty(),
            control: HostControl::empty(),
            command: 0,
            address: 0,
            data: [0; 2],
            block: [0; BLOCK],
            block_index: 0,
            slave: [0; 6],
        }
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(std::mem::take(&mut self.eeproms));
    }

    /// Whether the end of a command, good or bad, is yet to be acknowledged and interrupts.
    pub(super) fn interrupts(&self) -> bool {
        self.control.contains(HostControl::INTEREN) && !self.status.is_empty()
    }

    pub(super) fn read(&mut self, register: u8) -> u8 {
        match register {
            0 => self.status.bits(),
            2 => {
                // Reading the control register starts the block over.
                self.block_index = 0;
                self.control.bits()
            }
            3 => self.command,
            4 => self.address,
            5 => self.data[0],
            6 => self.data[1],
            7 => {
                let byte = self.block[usize::from(self.block_index)];
                self.step_block();
                byte
            }
            8..=13 => self.slave[usize::from(register - 8)],
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, register: u8, value: u8) {
        match register {
            0 => self.status -= HostStatus::from_bits_truncate(value),
            2 => {
                let control = HostControl::from_bits_truncate(value);
                self.control = control - HostControl::START;
                if control.contains(HostControl::KILL) {
                    self.status = HostStatus::FAILED;
                } else if control.contains(HostControl::START) {
                    let answered = self.transfer().is_some();
                    self.status = if answered {
                        HostStatus::INTER
                    } else {
                        HostStatus::DEV_ERR
                    };
                }
            }
            3 => self.command = value,
            4 => self.address = value,
            5 => self.data[0] = value,
            6 => self.data[1] = value,
            7 => {
                self.block[usize::from(self.block_index)] = value;
                self.step_block();
            }
            8..=13 => self.slave[usize::from(register - 8)] = value,
            _ => {}
        }
    }

    const fn step_block(&mut self) {
        self.block_index = (self.block_index + 1) % BLOCK as u8;
    }

    /// Carries the command out, if a device takes it.
    fn transfer(&mut self) -> Option<()> {
        let address = self.address >> 1;
        let eeprom = self.eeproms.iter().find(|rom| rom.address == address)?;
        let cell = |index: usize| eeprom.contents.get(index).copied().unwrap_or(0xff);
        let command = usize::from(self.command);
        let is_read = self.address & 1 != 0;
        match (self.control & HostControl::SMB_CMD_PROT).bits() >> 2 {
            // Quick, or a byte: the command is where a later byte is read.
            0 => {}
            1 if is_read => self.data[0] = cell(command),
            1 => {}
            // Byte data and word data; the EEPROMs are write protected.
            2 if is_read => self.data[0] = cell(command),
            3 if is_read => self.data = [cell(command), cell((command + 1) & 0xff)],
            // A block: its length, then its bytes.
            5 if is_read => {
                self.data[0] = BLOCK as u8;
                self.block = std::array::from_fn(|n| cell((command + n) & 0xff));
            }
            _ => return None,
        }
        Some(())
    }

    pub(super) fn save(&self) -> SavedSmbusV1 {
        let Self {
            eeproms: _,
            status,
            control,
            command,
            address,
            data,
            block,
            block_index,
            slave,
        } = self;
        SavedSmbusV1 {
            status: status.bits(),
            control: control.bits(),
            command: *command,
            address: *address,
            data: *data,
            block: block.to_vec(),
            block_index: *block_index,
            slave: *slave,
        }
    }

    pub(super) fn restore(&mut self, saved: SavedSmbusV1) -> Result<(), ()> {
        self.block = saved.block.try_into().map_err(|_| ())?;
        self.status = HostStatus::from_bits_truncate(saved.status);
        self.control = HostControl::from_bits_truncate(saved.control);
        self.command = saved.command;
        self.address = saved.address;
        self.data = saved.data;
        self.block_index = saved.block_index % BLOCK as u8;
        self.slave = saved.slave;
        Ok(())
    }
}
