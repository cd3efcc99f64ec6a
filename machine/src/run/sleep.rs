//! Sleep, from the guest's request to what it finds when it is awake again (ACPI 6.4, 16.1 to 16.3).
//!
//! While the machine sleeps no processor runs and no chip acts but the clock, so the run loop has nothing to do until
//! the alarm, or until somebody presses a key or the power button.

use rax_devices::Sleep;

use super::{End, Pacer, Watcher};
use crate::bus::lock;
use crate::machine::{Boot, BuildError, Machine};

/// How long a sleep that nothing ends may last, in guest time: who watches the run has looked at its screen by then.
const LAST_LOOK_NS: u64 = 1_000_000_000;

impl Pacer<'_> {
    /// Lets time pass up to the alarm or an arrival. Where nothing and nobody can wake the machine, the run ends.
    pub(super) fn sleep(&mut self, machine: &mut Machine, watcher: &dyn Watcher) -> Option<End> {
        let alarm = lock(&machine.bus).board.next_alarm();
        let now = machine.now();
        let since = *self.asleep_since.get_or_insert(now);
        let has_input = self.pace.door.is_some() && !self.pace.inbox.input_has_ended();
        let last_look = since.after_ns(LAST_LOOK_NS);
        let ends = alarm.is_none() && !has_input && !watcher.has_keys();
        if ends && now >= last_look {
            return Some(End::Asleep);
        }
        let deadline = alarm.or(ends.then_some(last_look));
        self.wait_until(machine, watcher, deadline);
        None
    }
}

impl Machine {
    /// Presses the power button: power management tells the guest, and a machine that sleeps wakes.
    pub fn press_power_button(&self) {
        lock(&self.bus).board.press_power_button();
    }

    /// Falls asleep and wakes up as power management says.
    pub(super) fn follow_sleep(&mut self) -> Result<(), BuildError> {
        let lines = lock(&self.bus).board.sleep.clone();
        let Some(sleep) = lines.sleep() else {
            return Ok(());
        };
        if self.asleep.replace(sleep).is_none() {
            self.fall_asleep(sleep);
        }
        if lines.is_woken() {
            lines.end();
            self.asleep = None;
            return self.wake_up(sleep);
        }
        Ok(())
    }

    /// What has no power from now on loses its state.
    fn fall_asleep(&mut self, sleep: Sleep) {
        self.give_turn(0);
        let mut bus = lock(&self.bus);
        match sleep {
            Sleep::Standing => return,
            Sleep::ProcessorsLost => bus.board.reset_local_apics(),
            Sleep::ToRam => bus.board.lose_power(),
        }
        bus.board.announce_resume();
        for processor in 0..usize::from(self.processors()) {
            bus.leave_smm(processor);
        }
    }

    /// The processors go on, or begin at the reset vector.
    fn wake_up(&mut self, sleep: Sleep) -> Result<(), BuildError> {
        if sleep == Sleep::Standing {
            return Ok(());
        }
        self.cpu.reset();
        self.turns.reset();
        lock(&self.bus).board.system.set_a20(true);
        match self.boot {
            Boot::Rom(_) => Ok(()),
            Boot::Image(_) => self.resume_without_firmware(),
        }
    }
}
