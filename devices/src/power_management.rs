//! The power management function of the PIIX4, which ACPI is made of.
//!
//! Intel 82371AB (PIIX4) datasheet (290562), chapter 7 and 11.6. Registers 0
//! to 3Fh are the power management block (at PMBASE), 40h to 4Fh the SMBus
//! host controller (at SMBBASE), 50h and 51h the APM control and status ports
//! by which software asks for an SMI.
//!
//! Five decisions. There is no system management code in a machine that
//! boots without firmware, and SeaBIOS's leaves ACPI alone. So the board may
//! name the two commands by which ACPI is switched on and off; the chip then
//! does what that code would.
//! The sleep states are carried out by the board ([`SleepLines`]). What wakes
//! is the power button always, and the clock's alarm and the general purpose
//! events where they are enabled. Of suspend to RAM's wells only the resume
//! well is told from the rest: status and enable of these events stay, all
//! else is as after a reset. The end-of-SMI bit is kept but does not hold back
//! an SMI.
//! An APM command asks for an SMI as soon as APMC_EN is set. On the chip
//! SMI_EN has to be set besides; Bochs's BIOS never sets it and waits for its
//! system management code for ever. BIOSes of real boards set both.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, read_bank};
use crate::irq_line::IrqLine;
use crate::pci::{Command, ConfigSpace, Identity, Pin, Space, Status};
use crate::pci::{PciFunction, SavedConfigV1, Window};
use crate::power_off::PowerOffRequest;
use crate::sleep_lines::{Sleep, SleepLines};
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod smbus;

pub use smbus::Eeprom;
use smbus::{SavedSmbusV1, Smbus};

/// The power management timer's clock.
pub const TIMER_HZ: u32 = 3_579_545;
/// The timer's width.
const TIMER_BITS: u32 = 24;

/// Configuration registers.
mod offset {
    /// Base of the power management block.
    pub(super) const PMBA: u8 = 0x40;
    /// Device activity B, which has the APM enable.
    pub(super) const DEVACTB: u8 = 0x58;
    /// Miscellaneous: bit 0 opens the block.
    pub(super) const PMREGMISC: u8 = 0x80;
    /// Base of the SMBus controller.
    pub(super) const SMBBA: u8 = 0x90;
    /// SMBus host configuration: bit 0 opens it.
    pub(super) const SMBHSTCFG: u8 = 0xd2;
}
/// In SMBHSTCFG, bits 1 to 3: commands' ends interrupt by IRQ 9.
const SMBUS_BY_IRQ_9: u32 = 4;
/// In DEVACTB: a write to the APM control port asks for an SMI.
const APMC_EN: u32 = 1 << 25;

/// Registers of the power management block.
mod at {
    pub(super) const PMSTS: usize = 0x00;
    pub(super) const PMEN: usize = 0x02;
    pub(super) const PMCNTRL: usize = 0x04;
    pub(super) const PMTMR: usize = 0x08;
    pub(super) const GPSTS: usize = 0x0c;
    pub(super) const GPEN: usize = 0x0e;
    pub(super) const PCNTRL: usize = 0x10;
    pub(super) const GLBSTS: usize = 0x18;
    pub(super) const DEVSTS: usize = 0x1c;
    pub(super) const GLBEN: usize = 0x20;
    pub(super) const GLBCTL: usize = 0x28;
    pub(super) const DEVCTL: usize = 0x2c;
    pub(super) const GPIREG: usize = 0x30;
    pub(super) const GPOREG: usize = 0x34;
}
/// Bytes of the power management block.
const BLOCK: usize = 0x40;
const SMBUS_REGISTERS: u64 = 0x40;
const APM_REGISTERS: u64 = 0x50;

bitflags! {
    /// PMSTS, and PMEN where both have the bit.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Pm: u16 {
        /// The timer's highest bit has changed.
        const TMROF = 1 << 0;
        /// Firmware has released the global lock.
        const GBL = 1 << 5;
        /// The power button was pressed.
        const PWRBTN = 1 << 8;
        /// The clock's alarm has gone off.
        const RTC = 1 << 10;
        /// The system has woken up; status only.
        const RSM = 1 << 15;
    }

    /// PMCNTRL.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Control: u16 {
        /// Power management events interrupt.
        const SCI_EN = 1 << 0;
        /// Asks firmware for the global lock.
        const GBL_RLS = 1 << 2;
        /// Which sleep state.
        const SUS_TYP = 7 << 10;
        /// Go there.
        const SUS_EN = 1 << 13;
    }

    /// GLBSTS.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Global: u16 {
        /// `GBL_RLS` was written.
        const BIOS_STS = 1 << 0;
        /// The APM control port was written.
        const APM_STS = 1 << 5;
        const ALL = 0x0de1;
    }

    /// GLBCTL.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct GlobalControl: u32 {
        /// SMIs are generated.
        const SMI_EN = 1 << 0;
        /// Releases the global lock: sets `GBL` in the status.
        const BIOS_RLS = 1 << 1;
    }
}
/// GLBEN: an SMI when the system asks for the global lock.
const BIOS_EN: u16 = 1 << 1;
/// General purpose events: lid, ring, USB, GPI1 and thermal.
const GENERAL_EVENTS: u16 = 0x0f01;

/// The writable bits of the block: register and mask, low byte first.
const WRITABLE: &[(usize, &[u8])] = &[
    (at::PMEN, &[0x21, 0x05]),
    (at::PMCNTRL, &[0x03, 0x1c]),
    (at::GPEN, &[0x01, 0x0f]),
    (at::PCNTRL, &[0xff, 0x3e, 0x00, 0x00]),
    (at::GLBEN, &[0xff, 0xff]),
    (at::GLBCTL, &[0x05, 0xff, 0x01, 0x07]),
    (at::DEVCTL, &[0xff; 4]),
    (at::GPOREG, &[0xff; 4]),
];
/// The bits of the block that writing ones clears.
const CLEARED_BY_ONES: &[(usize, &[u8])] = &[
    (at::PMSTS, &[0x21, 0x85]),
    (at::GPSTS, &[0x01, 0x0f]),
    (at::GLBSTS, &[0xe1, 0x0d]),
    (at::DEVSTS, &[0xff; 4]),
];
/// What has power while everything else has none: events and their enables.
const RESUME_WELL: [usize; 4] = [at::PMSTS, at::PMEN, at::GPSTS, at::GPEN];
/// Values after reset that are not zero.
const RESET: &[(usize, &[u8])] = &[
    (at::GPIREG, &[0xff; 3]),
    (at::GPOREG, &[0xff, 0xbf, 0xff, 0x7f]),
];

/// What the function is connected to.
#[derive(Clone, Debug)]
pub struct PowerManagementWires {
    /// The system control interrupt, a level, and the SMBus controller's.
    pub sci: IrqLine,
    /// SMI#; each request is an edge.
    pub smi: IrqLine,
    /// Where a switched-off machine is announced.
    pub power_off: PowerOffRequest,
    /// Where a sleeping machine is, and what wakes it.
    pub sleep: SleepLines,
}

/// The power management function.
#[derive(Debug)]
pub struct PowerManagement {
    wires: PowerManagementWires,
    /// APM commands that switch ACPI on and off, if no firmware does it.
    acpi_commands: Option<(u8, u8)>,
    config: ConfigSpace,
    block: [u8; BLOCK],
    smbus: Smbus,
    /// APMC and APMS.
    apm: [u8; 2],
    /// The timer, without wrapping round.
    ticks: u64,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    config: SavedConfigV1,
    block: Vec<u8>,
    smbus: SavedSmbusV1,
    apm: [u8; 2],
    ticks: u64,
}

/// With the sleep it is in, as [`SleepLines`] number it.
#[derive(Serialize, Deserialize)]
struct SavedV2 {
    before: SavedV1,
    sleep: u8,
}

impl PowerManagement {
    /// A function with these wires, and memory modules' descriptions on its
    /// SMBus. `acpi_commands` are the APM commands that switch ACPI on and
    /// off where no system management code does that.
    #[must_use]
    pub fn new(
        wires: PowerManagementWires,
        eeproms: Vec<Eeprom>,
        acpi_commands: Option<(u8, u8)>,
    ) -> Self {
        let mut chip = Self {
            wires,
            acpi_commands,
            config: config(),
            block: [0; BLOCK],
            smbus: Smbus::new(eeproms),
            apm: [0; 2],
            ticks: 0,
        };
        chip.reset();
        chip
    }

    /// The first port of its block of registers, if that is open.
    #[must_use]
    pub fn block_start(&self) -> Option<u16> {
        let start = self.config.register(offset::PMBA) as u16 & 0xffc0;
        (self.is_open(offset::PMREGMISC) && start != 0).then_some(start)
    }

    /// Whether a configuration register opens its window.
    fn is_open(&self, register: u8) -> bool {
        self.config.register(register) & 1 != 0
    }

    /// The user presses the power button.
    pub fn press_power_button(&mut self) {
        self.raise(Pm::PWRBTN);
    }

    /// The clock's alarm goes off.
    pub fn raise_alarm(&mut self) {
        self.raise(Pm::RTC);
    }

    /// A general purpose event, by its bit in GPSTS.
    pub fn raise_general_event(&mut self, bit: u8) {
        let status = self.word(at::GPSTS) | (1 << (bit & 15) & GENERAL_EVENTS);
        self.set_word(at::GPSTS, status);
        self.wake_if_due();
        self.drive_sci(IrqLine::set);
    }

    /// Whether the clock's alarm wakes a machine that sleeps.
    #[must_use]
    pub const fn alarm_wakes(&self) -> bool {
        Pm::from_bits_truncate(self.word(at::PMEN)).contains(Pm::RTC)
    }

    /// Suspend to RAM takes the power away: only the resume well keeps its state.
    pub fn lose_context(&mut self) {
        let kept = RESUME_WELL.map(|at| self.word(at));
        self.reset_core();
        for (at, value) in RESUME_WELL.into_iter().zip(kept) {
            self.set_word(at, value);
        }
        self.drive_sci(IrqLine::set);
    }

    /// What firmware leaves behind: ACPI on, the block at `base`.
    pub fn set_up(&mut self, base: u16) {
        let base = base & 0xffc0;
        self.config.write(offset::PMBA, &base.to_le_bytes());
        self.config.write(offset::PMREGMISC, &[1]);
        self.set_acpi(true);
    }

    fn set_acpi(&mut self, on: bool) {
        let mut control = self.control();
        control.set(Control::SCI_EN, on);
        self.set_word(at::PMCNTRL, control.bits());
        self.drive_sci(IrqLine::set);
    }

    fn raise(&mut self, event: Pm) {
        let status = self.word(at::PMSTS) | event.bits();
        self.set_word(at::PMSTS, status);
        self.wake_if_due();
        self.drive_sci(IrqLine::set);
    }

    /// Ends the sleep if an event that does so is there.
    fn wake_if_due(&mut self) {
        let events = Pm::from_bits_truncate(self.word(at::PMSTS));
        let enabled = Pm::from_bits_truncate(self.word(at::PMEN));
        let is_due = events.contains(Pm::PWRBTN)
            || (events & enabled).contains(Pm::RTC)
            || self.word(at::GPSTS) & self.word(at::GPEN) != 0;
        if is_due && self.wires.sleep.sleep().is_some() {
            self.set_word(at::PMSTS, (events | Pm::RSM).bits());
            self.wires.sleep.wake();
        }
    }

    const fn word(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.block[at], self.block[at + 1]])
    }

    const fn set_word(&mut self, at: usize, value: u16) {
        [self.block[at], self.block[at + 1]] = value.to_le_bytes();
    }

    const fn control(&self) -> Control {
        Control::from_bits_truncate(self.word(at::PMCNTRL))
    }

    fn drive_sci(&self, drive: fn(&IrqLine, bool)) {
        let events = self.word(at::PMSTS) & self.word(at::PMEN);
        let general = self.word(at::GPSTS) & self.word(at::GPEN);
        let pending = Pm::from_bits_truncate(events).intersects(Pm::all() - Pm::RSM);
        let wanted = self.control().contains(Control::SCI_EN) && (pending || general != 0);
        drive(&self.wires.sci, wanted || self.smbus_interrupts());
    }

    /// Whether the SMBus controller asks for IRQ 9, which it shares with the SCI.
    fn smbus_interrupts(&self) -> bool {
        let select = self.config.register(offset::SMBHSTCFG) >> 1 & 7;
        select == SMBUS_BY_IRQ_9 && self.smbus.interrupts()
    }

    fn note_smi_cause(&mut self, cause: Global) {
        let status = self.word(at::GLBSTS) | cause.bits();
        self.set_word(at::GLBSTS, status);
    }

    /// Asks for an SMI because of `cause`, if SMIs are on at all.
    fn request_smi(&mut self, cause: Global) {
        self.note_smi_cause(cause);
        let control = u32::from(self.word(at::GLBCTL));
        if GlobalControl::from_bits_truncate(control).contains(GlobalControl::SMI_EN) {
            self.wires.smi.pulse(false);
        }
    }

    fn write_block(&mut self, start: usize, bytes: &[u8]) -> Result<(), BusError> {
        if start + bytes.len() > BLOCK {
            return Err(BusError::NoRegister(start as u64));
        }
        let (writable, cleared) = (mask_of(WRITABLE), mask_of(CLEARED_BY_ONES));
        for (at, &value) in (start..).zip(bytes) {
            let kept = self.block[at] & !writable[at] & !(value & cleared[at]);
            self.block[at] = kept | (value & writable[at]);
        }
        let written = |at: usize| match at.checked_sub(start) {
            Some(index) => bytes.get(index).copied().unwrap_or(0),
            None => 0,
        };
        let control = u16::from_le_bytes([written(at::PMCNTRL), written(at::PMCNTRL + 1)]);
        let control = Control::from_bits_truncate(control);
        if control.contains(Control::GBL_RLS) {
            self.ask_for_global_lock();
        }
        if control.contains(Control::SUS_EN) {
            self.sleep();
        }
        let global = GlobalControl::from_bits_truncate(u32::from(written(at::GLBCTL)));
        if global.contains(GlobalControl::BIOS_RLS) {
            self.raise(Pm::GBL);
        }
        self.drive_sci(IrqLine::set);
        Ok(())
    }

    fn ask_for_global_lock(&mut self) {
        if self.word(at::GLBEN) & BIOS_EN != 0 {
            self.request_smi(Global::BIOS_STS);
        } else {
            self.note_smi_cause(Global::BIOS_STS);
        }
    }

    /// Enters the sleep state of `SUS_TYP`. An event that is pending ends it at once.
    fn sleep(&mut self) {
        let sleep = match (self.control() & Control::SUS_TYP).bits() >> 10 {
            // Soft off, and suspend to disk, which is the same to the chip.
            0 => return self.wires.power_off.request(),
            // Suspend to RAM; powered-on suspend whose context is lost.
            1 | 2 => Sleep::ToRam,
            3 => Sleep::ProcessorsLost,
            4 => Sleep::Standing,
            _ => return,
        };
        self.wires.sleep.begin(sleep);
        self.wake_if_due();
    }

    /// What power-on and suspend to RAM leave.
    fn reset_core(&mut self) {
        self.config.reset();
        self.block = mask_of(RESET);
        self.smbus.reset();
        self.apm = [0; 2];
    }

    fn write_apm(&mut self, register: u64, value: u8) -> Result<(), BusError> {
        match register {
            0 => {
                self.apm[0] = value;
                match self.acpi_commands {
                    Some((on, _)) if value == on => self.set_acpi(true),
                    Some((_, off)) if value == off => self.set_acpi(false),
                    _ => {}
                }
                if self.config.register(offset::DEVACTB) & APMC_EN != 0 {
                    // Whatever SMI_EN is; see above.
                    self.note_smi_cause(Global::APM_STS);
                    self.wires.smi.pulse(false);
                }
                Ok(())
            }
            1 => {
                self.apm[1] = value;
                Ok(())
            }
            _ => Err(BusError::NoRegister(APM_REGISTERS + register)),
        }
    }
}

/// The configuration space: registers beside the header as the datasheet has
/// them. Those that only steer idle timers are kept and do nothing.
fn config() -> ConfigSpace {
    let identity = Identity {
        vendor_id: 0x8086,
        device_id: 0x7113,
        revision_id: 0x03,
        class_code: 0x06_8000,
        subsystem: (0x1af4, 0x1100),
        interrupt_pin: Some(Pin::IntA),
        is_multifunction: false,
    };
    ConfigSpace::device(&identity)
        .with_command(Command::empty(), Command::IO_SPACE)
        .with_status(Status::FAST_BACK_TO_BACK | Status::DEVSEL_MEDIUM)
        .with_register(offset::PMBA, &[1, 0, 0, 0], &[0xc0, 0xff])
        .with_register(0x44, &[0; 0x3c], &[0xff; 0x3c]) // CNTA to DEVRESJ
        .with_register(offset::PMREGMISC, &[0], &[1])
        .with_register(offset::SMBBA, &[1, 0, 0, 0], &[0xf0, 0xff])
        .with_register(offset::SMBHSTCFG, &[0; 5], &[0x0f, 0xff, 0xff, 0xff, 0])
}

/// A table of masks, spread over the block.
fn mask_of(table: &[(usize, &[u8])]) -> [u8; BLOCK] {
    let mut masks = [0; BLOCK];
    for &(start, bytes) in table {
        masks[start..start + bytes.len()].copy_from_slice(bytes);
    }
    masks
}

impl PciFunction for PowerManagement {
    fn config(&mut self) -> &mut ConfigSpace {
        &mut self.config
    }

    fn windows(&mut self) -> Vec<Window> {
        let block = self.block_start().map(|start| Window {
            space: Space::Io,
            start: u64::from(start),
            bytes: BLOCK as u64,
            first_register: 0,
        });
        let smbus = Window {
            space: Space::Io,
            start: u64::from(self.config.register(offset::SMBBA) & 0xfff0),
            bytes: 16,
            first_register: SMBUS_REGISTERS,
        };
        let io = self.config.command().contains(Command::IO_SPACE);
        let smbus_open = io && self.is_open(offset::SMBHSTCFG) && smbus.start != 0;
        let windows = [block, smbus_open.then_some(smbus)];
        windows.into_iter().flatten().collect()
    }
}

impl Device for PowerManagement {
    fn name(&self) -> &'static str {
        "power-management"
    }

    fn reset(&mut self) {
        self.reset_core();
        self.wires.sleep.end();
        self.drive_sci(IrqLine::set);
    }

    fn save(&self) -> State {
        let Self {
            wires,
            acpi_commands: _,
            config,
            block,
            smbus,
            apm,
            ticks,
        } = self;
        let before = SavedV1 {
            config: config.save(),
            block: block.to_vec(),
            smbus: smbus.save(),
            apm: *apm,
            ticks: *ticks,
        };
        let sleep = wires.sleep.code();
        State::encode(2, &SavedV2 { before, sleep })
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let (saved, sleep): (SavedV1, u8) = if state.version() == 1 {
            (state.decode(self.name(), 1)?, 0)
        } else {
            let SavedV2 { before, sleep } = state.decode(self.name(), 2)?;
            (before, sleep)
        };
        let impossible = |what| RestoreError::Impossible {
            device: "power-management",
            what,
        };
        let config = ConfigSpace::unpack(&saved.config, self.name())?;
        let block = <[u8; BLOCK]>::try_from(saved.block.as_slice())
            .map_err(|_| impossible("the block has 64 bytes"))?;
        self.smbus
            .restore(saved.smbus)
            .map_err(|()| impossible("a block transfer has 32 bytes"))?;
        self.config.restore(config);
        self.block = block;
        self.apm = saved.apm;
        self.ticks = saved.ticks;
        self.wires.sleep.set_code(sleep);
        self.drive_sci(IrqLine::restore);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }

    fn pci(&mut self) -> Option<&mut dyn PciFunction> {
        Some(self)
    }
}

impl Registers for PowerManagement {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        match register {
            0..SMBUS_REGISTERS => {
                let mut block = self.block;
                let timer = cx.now.ticks(TIMER_HZ) as u32 & ((1 << TIMER_BITS) - 1);
                block[at::PMTMR..at::PMTMR + 4].copy_from_slice(&timer.to_le_bytes());
                read_bank(register, bytes, &block)
            }
            SMBUS_REGISTERS..APM_REGISTERS => match bytes {
                [byte] => {
                    *byte = self.smbus.read((register - SMBUS_REGISTERS) as u8);
                    Ok(())
                }
                _ => Err(BusError::BadWidth {
                    register,
                    bytes: bytes.len(),
                }),
            },
            _ => read_bank(register - APM_REGISTERS, bytes, &self.apm),
        }
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        match (register, bytes) {
            (0..SMBUS_REGISTERS, _) => self.write_block(register as usize, bytes),
            (SMBUS_REGISTERS..APM_REGISTERS, &[value]) => {
                self.smbus.write((register - SMBUS_REGISTERS) as u8, value);
                self.drive_sci(IrqLine::set);
                Ok(())
            }
            (APM_REGISTERS.., &[value]) => self.write_apm(register - APM_REGISTERS, value),
            _ => Err(BusError::BadWidth {
                register,
                bytes: bytes.len(),
            }),
        }
    }
}

impl Timed for PowerManagement {
    /// The timer's next overflow, if that would interrupt.
    fn next_deadline(&self) -> Option<Time> {
        let enabled = self.word(at::PMEN) & !self.word(at::PMSTS);
        let interrupts = self.control().contains(Control::SCI_EN)
            && Pm::from_bits_truncate(enabled).contains(Pm::TMROF);
        let half = 1 << (TIMER_BITS - 1);
        interrupts.then(|| Time::of_tick((self.ticks / half + 1).saturating_mul(half), TIMER_HZ))
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        let ticks = cx.now.ticks(TIMER_HZ);
        // The status is set whenever the highest bit changes.
        if ticks >> (TIMER_BITS - 1) != self.ticks >> (TIMER_BITS - 1) {
            self.raise(Pm::TMROF);
        }
        self.ticks = ticks;
    }
}

#[cfg(test)]
mod tests;
