//! What sleep does to the board, and what ends it.
//!
//! 82371AB (PIIX4) datasheet, chapter 8 (power planes). In suspend to RAM the clock, the resume well of power
//! management and memory have power. So do three others, as on boards that feed them with the standby voltage: the
//! host bridge, which refreshes the memory; the VGA; and of the I/O chip, by whose keyboard the machine wakes, the
//! floppy controller. The guest finds its shadow RAM, its screen, and a controller that is not held in reset: SeaBIOS
//! sets none of them up again.

use std::any::Any;

use rax_devices::{Device as _, Fdc, HostBridge, PowerManagement, Rtc, Time};

use super::{ALARM, Board};

/// The shutdown byte of the CMOS memory, and what BIOSes for QEMU find there after suspend to RAM.
const SHUTDOWN: u8 = 0x0f;
const RESUME: u8 = 0xfe;

impl Board {
    /// Somebody presses the power button.
    pub(crate) fn press_power_button(&mut self) {
        if let Some(power) = self.find::<PowerManagement>() {
            power.press_power_button();
        }
    }

    /// When the clock's alarm wakes a machine that sleeps, if it does.
    pub(crate) fn next_alarm(&mut self) -> Option<Time> {
        let wakes = self.find::<PowerManagement>()?.alarm_wakes();
        self.find::<Rtc>()?.next_alarm().filter(|_| wakes)
    }

    /// The clock's alarm reaches power management.
    pub(super) fn carry_alarm(&mut self) {
        if self.inputs.take_rises(1 << ALARM) != 0
            && let Some(power) = self.find::<PowerManagement>()
        {
            power.raise_alarm();
        }
    }

    /// Firmware will find that the reset of the processor is no power-on.
    pub(crate) fn announce_resume(&mut self) {
        if let Some(clock) = self.find::<Rtc>() {
            clock.set_cmos(SHUTDOWN, RESUME);
        }
    }

    /// The power goes, in suspend to RAM.
    pub(crate) fn lose_power(&mut self) {
        for chip in &mut self.chips {
            let any = &mut **chip as &mut dyn Any;
            if let Some(power) = any.downcast_mut::<PowerManagement>() {
                power.lose_context();
            } else if !any.is::<Rtc>() && !any.is::<HostBridge>() && !any.is::<Fdc>() {
                chip.reset();
            }
        }
        self.keyboard.reset();
        self.config.reset();
        self.reset_interrupts();
        self.map_windows();
    }

    /// The processors' local APICs lose their power with them.
    pub(crate) fn reset_local_apics(&mut self) {
        for apic in &mut self.apics {
            apic.reset();
        }
        self.is_stirred = true;
        self.enter_virtual_wire_mode();
    }
}
