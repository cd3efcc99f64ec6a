//! An ATA channel on the ISA bus, with programmed I/O only.
//!
//! ATA/ATAPI-6 (INCITS 361, T13/1410D). [`Ide`] is one channel by itself;
//! [`PiixIde`](crate::PiixIde) is the pair of them with bus masters that a PCI
//! chipset has. Registers: 0 is the data port, 1 to 7 the command block, 8 the
//! control block's one register (alternate status, device control).
//!
//! | file | what it is |
//! | --- | --- |
//! | `channel.rs` | two drives on a cable |
//! | `registers.rs` | the registers of a drive |
//! | `drive.rs` | what the channel asks of a drive, whichever it is |
//! | `disk.rs`, `disk/` | an ATA disk |
//! | `cd_rom.rs`, `cd_rom/` | an ATAPI CD-ROM drive |
//! | `identity.rs` | what the identities of both have in common |
//! | `bus_master.rs` | the bus master of one channel |

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers};
use crate::host_end::Disk;
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};

pub(crate) mod bus_master;
mod cd_rom;
pub(crate) mod channel;
mod disk;
mod drive;
mod identity;
mod registers;

pub use cd_rom::{CdRom, Disc};
pub use drive::IdeDrive;

use channel::{Channel, SavedChannelV1};

/// The layout of the saved state. Version 1 had one disk and no other drives.
const VERSION: u32 = 2;

/// The channel.
pub struct Ide {
    channel: Channel,
}

impl Ide {
    /// A channel that drives `irq`, with `disk` as device 0.
    #[must_use]
    pub fn new(irq: IrqLine, disk: Option<Box<dyn Disk>>) -> Self {
        Self::with_drives(irq, [disk.map(IdeDrive::disk), None])
    }

    /// A channel that drives `irq`, with `drives` as device 0 and device 1.
    #[must_use]
    pub fn with_drives(irq: IrqLine, drives: [Option<IdeDrive>; 2]) -> Self {
        Self {
            channel: Channel::new(irq, drives, 1, false),
        }
    }

    /// The CD-ROM drive that is device `device`, if that is one.
    pub fn cd_rom(&mut self, device: usize) -> Option<&mut CdRom> {
        self.channel.cd_rom(device)
    }
}

impl Device for Ide {
    fn name(&self) -> &'static str {
        "ide"
    }

    fn reset(&mut self) {
        self.channel.reset();
    }

    fn save(&self) -> State {
        let Self { channel } = self;
        State::encode(VERSION, &channel.save())
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        if state.version() < VERSION {
            return Err(RestoreError::Impossible {
                device: self.name(),
                what: "from before there were two drives",
            });
        }
        let saved: SavedChannelV1 = state.decode(self.name(), VERSION)?;
        let state = self.channel.unpack(saved)?;
        self.channel.restore(state);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for Ide {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        self.channel.read(register, bytes)
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        self.channel.write(register, bytes)
    }
}

#[cfg(test)]
mod tests;
