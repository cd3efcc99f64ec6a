//! One ATA channel: two drives on a cable, one of them selected.
//!
//! ATA/ATAPI-6 sections 7 and 9.16. Registers: 0 is the data port, 1 to 7 the
//! command block, 8 the control block's one register (alternate status, device
//! control). The data port takes any even number of bytes, so 16- and 32-bit
//! accesses and whole strings of them; the others take one byte.
//!
//! Both drives hear all writes, and only the selected one carries commands out,
//! answers reads and drives the interrupt. For an absent device 1, device 0
//! answers zeros. For an absent device 0 nobody does: reads give 7Fh, as the
//! pull-down resistor on line 7 makes them, so that BSY is never seen.

use serde::{Deserialize, Serialize};

use super::cd_rom::CdRom;
use super::drive::{Drive, DriveState, IdeDrive, SavedDriveV1};
use super::registers::{Control, DeviceBits, Status};
use crate::bus_error::BusError;
use crate::device::{byte_of_read, byte_of_write};
use crate::irq_line::IrqLine;
use crate::snapshot::RestoreError;

/// What a read gives when no drive drives the bus. DD7 is pulled down, so that BSY is clear; the others are not driven.
/// Ones would be DRQ and ERR, which small systems take for a packet device.
const FLOATING: u8 = 0;

/// EXECUTE DEVICE DIAGNOSTIC, which both drives carry out.
const DIAGNOSE: u8 = 0x90;
/// DEVICE RESET, which a packet device hears even when it is busy.
const DEVICE_RESET: u8 = 0x08;

/// The channel.
pub(crate) struct Channel {
    irq: IrqLine,
    drives: [Option<Drive>; 2],
    /// Device 1 is selected.
    selects_device_1: bool,
    control: Control,
    /// The interrupt as it is driven.
    level: bool,
    /// It rose since the bus master last looked.
    has_risen: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedChannelV1 {
    drives: [Option<SavedDriveV1>; 2],
    selects_device_1: bool,
    control: u8,
    has_risen: bool,
}

/// A saved state that has been found possible.
pub(crate) struct ChannelState {
    drives: [Option<DriveState>; 2],
    selects_device_1: bool,
    control: Control,
    has_risen: bool,
}

impl Channel {
    /// A channel that drives `irq`, with `drives` as device 0 and 1, which are
    /// the machine's drives from `first_number` on.
    pub(crate) fn new(irq: IrqLine, drives: [Option<IdeDrive>; 2], first_number: u8) -> Self {
        let mut numbers = first_number..;
        let drives = drives.map(|drive| {
            let number = numbers.next().unwrap_or(first_number);
            drive.map(|drive| drive.plug_in(number))
        });
        Self {
            irq,
            drives,
            selects_device_1: false,
            control: Control::empty(),
            level: false,
            has_risen: false,
        }
    }

    /// Power-on.
    pub(crate) fn reset(&mut self) {
        for drive in self.drives.iter_mut().flatten() {
            drive.reset();
        }
        self.selects_device_1 = false;
        self.control = Control::empty();
        self.drive_irq();
        self.has_risen = false;
    }

    /// The drive that is selected, if it is there.
    pub(super) fn selected(&self) -> Option<&Drive> {
        self.drives[usize::from(self.selects_device_1)].as_ref()
    }

    pub(super) fn selected_mut(&mut self) -> Option<&mut Drive> {
        self.drives[usize::from(self.selects_device_1)].as_mut()
    }

    /// The CD-ROM drive at `device`, if that is one.
    pub(crate) fn cd_rom(&mut self, device: usize) -> Option<&mut CdRom> {
        match self.drives.get_mut(device) {
            Some(Some(Drive::CdRom(cd_rom))) => Some(cd_rom),
            _ => None,
        }
    }

    /// Whether the interrupt rose since the last call.
    pub(super) const fn take_rise(&mut self) -> bool {
        std::mem::replace(&mut self.has_risen, false)
    }

    fn irq_level(&self) -> bool {
        let is_pending = self.selected().is_some_and(|drive| drive.task().interrupt);
        is_pending && !self.control.contains(Control::NIEN)
    }

    /// Drives the interrupt as the selected drive wants it.
    pub(super) fn drive_irq(&mut self) {
        let level = self.irq_level();
        self.has_risen |= level && !self.level;
        self.level = level;
        self.irq.set(level);
    }

    /// The guest reads register 0 to 8.
    pub(crate) fn read(&mut self, register: u64, bytes: &mut [u8]) -> Result<(), BusError> {
        match register {
            0 if !bytes.len().is_multiple_of(2) => Err(BusError::BadWidth {
                register,
                bytes: bytes.len(),
            }),
            0 => {
                self.read_data(bytes);
                Ok(())
            }
            1..=8 => {
                *byte_of_read(register, bytes)? = self.read_byte(register);
                Ok(())
            }
            _ => Err(BusError::NoRegister(register)),
        }
    }

    /// The guest writes register 0 to 8.
    pub(crate) fn write(&mut self, register: u64, bytes: &[u8]) -> Result<(), BusError> {
        match register {
            0 if !bytes.len().is_multiple_of(2) => {
                return Err(BusError::BadWidth {
                    register,
                    bytes: bytes.len(),
                });
            }
            0 => {
                if let Some(drive) = self.selected_mut() {
                    drive.write_data(bytes);
                    self.drive_irq();
                }
            }
            1..=7 => self.write_command_block(register, byte_of_write(register, bytes)?),
            8 => self.write_control(byte_of_write(register, bytes)?),
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }

    fn read_data(&mut self, bytes: &mut [u8]) {
        let is_empty = self.drives[0].is_none();
        match self.selected_mut() {
            Some(drive) => {
                drive.read_data(bytes);
                self.drive_irq();
            }
            None if is_empty => bytes.fill(FLOATING),
            None => bytes.fill(0xff),
        }
    }

    fn read_byte(&mut self, register: u64) -> u8 {
        let previous = self.control.contains(Control::HOB);
        let Some(drive) = self.selected_mut() else {
            // Device 0 answers for an absent device 1; only the selection reads
            // back. For an absent device 0 nobody answers.
            return match (&self.drives[0], register) {
                (None, _) => FLOATING,
                (Some(device_0), 6) => device_0.task().device.bits(),
                (Some(_), _) => 0,
            };
        };
        let task = drive.task_mut();
        let byte = task.read(register, previous);
        if register == 7 {
            task.interrupt = false;
            self.drive_irq();
        }
        byte
    }

    fn write_control(&mut self, byte: u8) {
        let before = self.control;
        self.control = Control::from_bits_truncate(byte);
        let resets = self.control.contains(Control::SRST);
        let ends_reset = !resets && before.contains(Control::SRST);
        for drive in self.drives.iter_mut().flatten() {
            if resets {
                drive.stop();
                drive.task_mut().status = Status::BSY;
                drive.task_mut().interrupt = false;
            } else if ends_reset {
                drive.show_signature();
            }
        }
        if ends_reset {
            self.selects_device_1 = false;
        }
        self.drive_irq();
    }

    fn write_command_block(&mut self, register: u64, byte: u8) {
        self.control -= Control::HOB;
        // While busy, only the end of the software reset is heard. A command
        // given during a transfer through the port ends that, as drives do.
        let is_busy = |drive: &Drive| drive.task().status.contains(Status::BSY);
        if self.selected().is_some_and(is_busy) {
            if (register, byte) == (7, DEVICE_RESET) && !self.control.contains(Control::SRST) {
                self.reset_packet_device();
            }
            return;
        }
        if register == 7 {
            self.command(byte);
            return;
        }
        for drive in self.drives.iter_mut().flatten() {
            drive.task_mut().write(register, byte);
        }
        if register == 6 {
            self.selects_device_1 = DeviceBits::from_bits_retain(byte).contains(DeviceBits::DEV);
            self.drive_irq();
        }
    }

    fn command(&mut self, byte: u8) {
        if byte == DIAGNOSE {
            self.diagnose();
            return;
        }
        let Some(drive) = self.selected_mut() else {
            return;
        };
        // The interrupt of the command before is gone, which makes an edge of
        // the next.
        drive.task_mut().interrupt = false;
        self.drive_irq();
        if let Some(drive) = self.selected_mut() {
            drive.command(byte);
        }
        self.drive_irq();
    }

    /// Both drives show who they are, and device 0 reports.
    fn diagnose(&mut self) {
        for drive in self.drives.iter_mut().flatten() {
            drive.task_mut().interrupt = false;
        }
        self.drive_irq();
        for drive in self.drives.iter_mut().flatten() {
            drive.show_signature();
        }
        self.selects_device_1 = false;
        if let Some(device_0) = &mut self.drives[0] {
            device_0.task_mut().interrupt = true;
        }
        self.drive_irq();
    }

    /// DEVICE RESET to a busy drive.
    fn reset_packet_device(&mut self) {
        if let Some(Drive::CdRom(cd_rom)) = self.selected_mut() {
            cd_rom.command(DEVICE_RESET);
            self.drive_irq();
        }
    }

    pub(crate) fn save(&self) -> SavedChannelV1 {
        let Self {
            irq: _,
            drives,
            selects_device_1,
            control,
            level: _,
            has_risen,
        } = self;
        SavedChannelV1 {
            drives: drives
                .each_ref()
                .map(|drive| drive.as_ref().map(Drive::save)),
            selects_device_1: *selects_device_1,
            control: control.bits(),
            has_risen: *has_risen,
        }
    }

    /// Checks a saved state, which must be one with the same kinds of drives.
    pub(crate) fn unpack(&self, saved: SavedChannelV1) -> Result<ChannelState, RestoreError> {
        let [device_0, device_1] = saved.drives;
        Ok(ChannelState {
            drives: [
                unpack_drive(&self.drives[0], device_0)?,
                unpack_drive(&self.drives[1], device_1)?,
            ],
            selects_device_1: saved.selects_device_1,
            control: Control::from_bits_truncate(saved.control),
            has_risen: saved.has_risen,
        })
    }

    /// Takes a checked state back, and drives the interrupt as it was.
    pub(crate) fn restore(&mut self, state: ChannelState) {
        for (drive, state) in self.drives.iter_mut().zip(state.drives) {
            if let (Some(drive), Some(state)) = (drive, state) {
                drive.restore(state);
            }
        }
        self.selects_device_1 = state.selects_device_1;
        self.control = state.control;
        self.has_risen = state.has_risen;
        self.level = self.irq_level();
        self.irq.restore(self.level);
    }
}

fn unpack_drive(
    drive: &Option<Drive>,
    saved: Option<SavedDriveV1>,
) -> Result<Option<DriveState>, RestoreError> {
    match (drive, saved) {
        (Some(drive), Some(saved)) => drive.unpack(saved).map(Some),
        (None, None) => Ok(None),
        _ => Err(RestoreError::Impossible {
            device: "ide",
            what: "another number of drives",
        }),
    }
}
