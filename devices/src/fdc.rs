//! The 82077AA floppy disk controller with two drives.
//!
//! Intel 82077AA datasheet (290166), in AT mode. Registers: 2 digital output,
//! 3 tape drive, 4 main status and data rate select, 5 data, 7 digital input
//! and configuration control. (0 and 1 are PS/2's, 6 is the disk's.)
//!
//! The mechanism is faster than any real one: a head step takes 100 µs and a
//! sector 250 µs, whatever the data rate and wherever the disk has turned to.
//! A disk reads only at its own data rate, because that is how systems tell
//! what lies in a drive. Until a rate is chosen every disk reads: Bochs's BIOS
//! leaves the rate as the reset left it, and expects 1.44 MB disks to work.
//!
//! The controller counts steps and does not see the heads: a reset clears its
//! cylinder numbers (PCN) and moves nothing, so a seek after it goes wrong
//! until RECALIBRATE has found track 0.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, byte_of_read, byte_of_write};
use crate::i8237::DmaLine;
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod command;
mod medium;
#[cfg(test)]
mod tests;
mod transfer;

pub use medium::{Floppy, FloppyFormat, NotAFloppy};

use transfer::Transfer;

/// Drives on the cable.
const DRIVES: usize = 2;
/// The controller leaves reset, or answers a command, after so long.
const COMMAND_NS: u64 = 20_000;
/// A step from cylinder to cylinder.
const STEP_NS: u64 = 100_000;
/// Cylinders that a recalibration steps over at most.
const MOST_STEPS: u8 = 79;
/// Where a drive's heads can go no further.
const INNERMOST: u8 = 83;

bitflags! {
    /// Digital Output Register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct DigitalOutput: u8 {
        /// The drive that is selected.
        const DRIVE_SELECT = 3;
        /// Low resets the controller.
        const NOT_RESET = 1 << 2;
        /// Interrupts and DMA requests are let out.
        const DMA_GATE = 1 << 3;
        /// Motors, one bit each.
        const MOTORS = 0xf0;
    }

    /// Main Status Register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct MainStatus: u8 {
        /// A command is under way.
        const COMMAND_BUSY = 1 << 4;
        /// The execution phase moves bytes by the data register.
        const NON_DMA = 1 << 5;
        /// The processor is to read, else to write.
        const DIO = 1 << 6;
        /// The data register is ready.
        const RQM = 1 << 7;
    }
}

/// What the controller is in the middle of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Waits for the bytes of a command.
    Command(Vec<u8>),
    /// Moves data between disk and processor.
    Transfer(Transfer),
    /// Carries out a command whose results are these.
    Executing(Vec<u8>),
    /// Offers results, the next one last.
    Result(Vec<u8>),
}

/// A drive, without its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Drive {
    /// Where the heads are.
    cylinder: u8,
    /// Where the controller believes them to be (PCN).
    present: u8,
    /// The disk was changed since the head last stepped.
    disk_changed: bool,
    /// Where the heads are going, what the controller will believe then, and
    /// when they get there.
    seek: Option<Seeking>,
}

/// A seek under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seeking {
    cylinder: u8,
    present: u8,
    arrival: Time,
    /// Status register 0 at its end.
    status: u8,
}

/// All that is saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Core {
    digital_output: u8,
    tape_drive: u8,
    /// What the guest has chosen, if it ever did.
    data_rate: Option<u8>,
    phase: Phase,
    drives: [Drive; DRIVES],
    /// Status register 0 of interrupts that are yet to be sensed, by drive.
    unsensed: [Option<u8>; 4],
    is_interrupting: bool,
    /// When the phase goes on by itself.
    deadline: Option<Time>,
    /// The processor moves data, not a DMA channel (SPECIFY).
    is_non_dma: bool,
    specified: [u8; 2],
    /// Implied seek, FIFO, polling and threshold (CONFIGURE), and precompensation.
    configured: [u8; 2],
    is_locked: bool,
    perpendicular: u8,
    /// The last sector of a track in the last command that had one.
    end_of_track: u8,
}

impl Core {
    fn power_on() -> Self {
        Self {
            digital_output: 0,
            tape_drive: 0,
            data_rate: None,
            phase: Phase::Command(Vec::new()),
            drives: [Drive::default(); DRIVES],
            unsensed: [None; 4],
            is_interrupting: false,
            deadline: None,
            is_non_dma: false,
            specified: [0; 2],
            configured: [command::FIFO_OFF, 0],
            is_locked: false,
            perpendicular: 0,
            end_of_track: 0,
        }
    }
}

/// The controller and its drives.
pub struct Fdc {
    irq: IrqLine,
    dma: DmaLine,
    media: [Option<Floppy>; DRIVES],
    core: Core,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    core: Core,
}

impl Fdc {
    /// A controller with empty drives.
    #[must_use]
    pub fn new(irq: IrqLine, dma: DmaLine) -> Self {
        Self {
            irq,
            dma,
            media: [None, None],
            core: Core::power_on(),
        }
    }

    /// Takes the disk out of a drive, 0 or 1, and puts another in, if given.
    /// What was there comes back; so does `disk` if there is no such drive.
    pub fn change_disk(&mut self, drive: usize, disk: Option<Floppy>) -> Option<Floppy> {
        let (Some(place), Some(state)) =
            (self.media.get_mut(drive), self.core.drives.get_mut(drive))
        else {
            return disk;
        };
        state.disk_changed = true;
        std::mem::replace(place, disk)
    }

    const fn digital_output(&self) -> DigitalOutput {
        DigitalOutput::from_bits_retain(self.core.digital_output)
    }

    fn is_in_reset(&self) -> bool {
        !self.digital_output().contains(DigitalOutput::NOT_RESET)
    }

    fn set_interrupt(&mut self, high: bool) {
        self.core.is_interrupting = high;
        self.drive_wires();
    }

    fn drive_wires(&self) {
        let gate = self.digital_output().contains(DigitalOutput::DMA_GATE);
        self.irq.set(gate && self.core.is_interrupting);
        self.dma.request(gate && self.wants_dma());
    }

    fn wants_dma(&self) -> bool {
        !self.core.is_non_dma && matches!(self.core.phase, Phase::Transfer(_))
    }

    /// What both ways to reset do. Leaving reset, all drives report ready.
    fn reset_controller(&mut self, now: Time) {
        self.core.phase = Phase::Command(Vec::new());
        self.core.unsensed = [None; 4];
        self.core.deadline = Some(now.after_ns(COMMAND_NS));
        for drive in &mut self.core.drives {
            drive.seek = None;
            drive.present = 0;
        }
        self.core.end_of_track = 0;
        if !self.core.is_locked {
            self.core.configured = [command::FIFO_OFF, 0];
        }
        self.core.perpendicular &= command::PERPENDICULAR_DRIVES;
        self.set_interrupt(false);
    }

    fn write_digital_output(&mut self, value: u8, now: Time) {
        let was_in_reset = self.is_in_reset();
        self.core.digital_output = value;
        if self.is_in_reset() {
            self.reset_controller(now);
            self.core.deadline = None;
        } else if was_in_reset {
            self.reset_controller(now);
        }
        self.drive_wires();
    }

    fn main_status(&self) -> MainStatus {
        let mut status = match &self.core.phase {
            _ if self.is_in_reset() || self.is_leaving_reset() => MainStatus::empty(),
            Phase::Command(bytes) if bytes.is_empty() => MainStatus::RQM,
            Phase::Command(_) => MainStatus::RQM | MainStatus::COMMAND_BUSY,
            Phase::Executing(_) => MainStatus::COMMAND_BUSY,
            Phase::Transfer(transfer) if self.core.is_non_dma => {
                let ready = if self.core.deadline.is_none() {
                    MainStatus::RQM
                } else {
                    MainStatus::empty()
                };
                let way = if transfer.is_read() {
                    MainStatus::DIO
                } else {
                    MainStatus::empty()
                };
                ready | way | MainStatus::NON_DMA | MainStatus::COMMAND_BUSY
            }
            Phase::Transfer(_) => MainStatus::COMMAND_BUSY,
            Phase::Result(_) => MainStatus::RQM | MainStatus::DIO | MainStatus::COMMAND_BUSY,
        };
        for (number, drive) in self.core.drives.iter().enumerate() {
            if drive.seek.is_some() {
                status |= MainStatus::from_bits_retain(1 << number);
            }
        }
        status
    }

    fn is_leaving_reset(&self) -> bool {
        matches!(&self.core.phase, Phase::Command(bytes) if bytes.is_empty())
            && self.core.deadline.is_some()
    }

    fn digital_input(&self) -> u8 {
        let number = usize::from((self.digital_output() & DigitalOutput::DRIVE_SELECT).bits());
        let motor = self.core.digital_output >> (4 + number) & 1 != 0;
        // An empty drive says so by the same line.
        let changed = self
            .core
            .drives
            .get(number)
            .is_some_and(|drive| motor && (drive.disk_changed || self.media[number].is_none()));
        if changed { 0x80 } else { 0 }
    }

    fn read_data(&mut self, now: Time) -> u8 {
        match &mut self.core.phase {
            Phase::Result(bytes) => {
                let byte = bytes.pop().unwrap_or(0);
                if bytes.is_empty() {
                    self.core.phase = Phase::Command(Vec::new());
                }
                self.set_interrupt(false);
                byte
            }
            Phase::Transfer(_) => self.read_transfer(now),
            Phase::Command(_) | Phase::Executing(_) => 0,
        }
    }

    fn write_data(&mut self, value: u8, cx: &mut Context<'_>) {
        if self.is_in_reset() || self.is_leaving_reset() {
            return;
        }
        match &mut self.core.phase {
            Phase::Command(bytes) => {
                bytes.push(value);
                if bytes.len() >= command::length(bytes[0]) {
                    let bytes = std::mem::take(bytes);
                    self.carry_out(&bytes, cx.now);
                }
            }
            Phase::Transfer(_) => self.write_transfer(value, cx.now),
            Phase::Executing(_) | Phase::Result(_) => {}
        }
    }

    /// Ends a command that interrupts: its results, the first one first.
    fn finish(&mut self, results: &[u8]) {
        self.core.phase = Phase::Result(results.iter().rev().copied().collect());
        self.core.deadline = None;
        self.set_interrupt(true);
    }

    /// What is due at the deadline of the phase.
    fn go_on(&mut self, now: Time, cx: &mut Context<'_>) {
        self.core.deadline = None;
        match &mut self.core.phase {
            Phase::Command(_) if self.core.configured[0] & command::POLLING_OFF == 0 => {
                for (number, status) in self.core.unsensed.iter_mut().enumerate() {
                    *status = Some(0xc0 | number as u8);
                }
                self.set_interrupt(true);
            }
            Phase::Executing(results) => {
                let results = std::mem::take(results);
                self.finish(&results);
            }
            Phase::Transfer(_) => self.transfer(now, cx),
            Phase::Command(_) | Phase::Result(_) => {}
        }
    }

    /// Puts a drive's head elsewhere. A step with a disk in the drive, and nothing else, puts the change line back.
    fn step_to(&mut self, number: usize, cylinder: u8) {
        let (Some(drive), Some(medium)) =
            (self.core.drives.get_mut(number), self.media.get(number))
        else {
            return;
        };
        if drive.cylinder != cylinder && medium.is_some() {
            drive.disk_changed = false;
        }
        drive.cylinder = cylinder;
    }

    /// Ends the seeks that are over.
    fn end_seeks(&mut self, now: Time) {
        for number in 0..DRIVES {
            let drive = &mut self.core.drives[number];
            let Some(seek) = drive.seek.filter(|seek| seek.arrival <= now) else {
                continue;
            };
            drive.seek = None;
            drive.present = seek.present;
            self.step_to(number, seek.cylinder);
            self.core.unsensed[number] = Some(seek.status | number as u8);
            self.set_interrupt(true);
        }
    }
}

impl Timed for Fdc {
    fn next_deadline(&self) -> Option<Time> {
        let seeks = self.core.drives.iter().filter_map(|drive| drive.seek);
        seeks
            .map(|seek| seek.arrival)
            .chain(self.core.deadline)
            .min()
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.end_seeks(cx.now);
        // Each step of a transfer lies later than the one before.
        while let Some(deadline) = self.core.deadline
            && deadline <= cx.now
        {
            self.go_on(deadline, cx);
        }
        self.drive_wires();
    }
}

impl Device for Fdc {
    fn name(&self) -> &'static str {
        "fdc"
    }

    fn reset(&mut self) {
        let drives = self.core.drives;
        self.core = Core::power_on();
        // The mechanism stays where it is; a disk that was changed stays changed.
        for (drive, before) in self.core.drives.iter_mut().zip(drives) {
            drive.cylinder = before.cylinder;
            drive.disk_changed = before.disk_changed;
        }
        self.drive_wires();
    }

    fn save(&self) -> State {
        let Self {
            irq: _,
            dma: _,
            media: _,
            core,
        } = self;
        State::encode(1, &SavedV1 { core: core.clone() })
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 { core } = state.decode(self.name(), 1)?;
        let what = match &core.phase {
            Phase::Command(bytes)
                if bytes
                    .first()
                    .is_some_and(|&byte| bytes.len() >= command::length(byte)) =>
            {
                Some("a whole command is waiting")
            }
            Phase::Result(bytes) if bytes.is_empty() => Some("a result has no bytes"),
            Phase::Transfer(transfer) if !transfer.is_possible() => {
                Some("a transfer is out of its sector")
            }
            _ => None,
        };
        if let Some(what) = what {
            return Err(RestoreError::Impossible {
                device: "fdc",
                what,
            });
        }
        self.core = core;
        let gate = self.digital_output().contains(DigitalOutput::DMA_GATE);
        self.irq.restore(gate && self.core.is_interrupting);
        self.dma.request(gate && self.wants_dma());
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Registers for Fdc {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        *byte = match register {
            2 => self.core.digital_output,
            3 => self.core.tape_drive,
            4 => self.main_status().bits(),
            5 => self.read_data(cx.now),
            7 => self.digital_input(),
            _ => return Err(BusError::NoRegister(register)),
        };
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        let value = byte_of_write(register, bytes)?;
        match register {
            2 => self.write_digital_output(value, cx.now),
            3 => self.core.tape_drive = value & 3,
            4 => {
                self.core.data_rate = Some(value & 3);
                if value & 0x80 != 0 && !self.is_in_reset() {
                    self.reset_controller(cx.now);
                }
            }
            5 => self.write_data(value, cx),
            7 => self.core.data_rate = Some(value & 3),
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }
}
