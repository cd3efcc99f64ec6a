//! The high precision event timer: a counter and three comparators.
//!
//! IA-PC HPET Specification 1.0a, section 2.3. Registers are offsets in its
//! memory window, 4 or 8 bytes wide. The counter runs at 100 MHz; all timers
//! are 64 bits wide, can be periodic and can send messages. With the legacy
//! replacement route, timer 0 takes the place of the 8254 and timer 1 that of
//! the real-time clock, which a [`Cutoff`] keeps off their wires meanwhile.
//!
//! Time is counted in whole periods since power-on, so rounding never adds
//! up, and several matches between two looks are one interrupt.

use std::sync::Arc;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed};
use crate::irq_line::{Cutoff, IrqLine, IrqLines};
use crate::pci::MsiMessage;
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod comparator;

use comparator::{Comparator, Config, SavedComparatorV1};

/// The counter's period.
pub const PERIOD_NS: u64 = 10;
/// Timers.
const TIMERS: usize = 3;
/// Revision 1, three timers of 64 bits, legacy replacement, vendor 8086h.
const CAPABILITIES: u64 = 0x8086_a201 | (PERIOD_NS * 1_000_000) << 32;

/// Offsets of 64-bit registers.
mod at {
    pub(super) const GCAP_ID: u64 = 0x00;
    pub(super) const GEN_CONF: u64 = 0x10;
    pub(super) const GINTR_STA: u64 = 0x20;
    pub(super) const MAIN_CNT: u64 = 0xf0;
    pub(super) const TIMERS: u64 = 0x100;
    /// From one timer to the next.
    pub(super) const TIMER_STRIDE: u64 = 0x20;
    pub(super) const END: u64 = 0x400;
}

bitflags! {
    /// General configuration.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct General: u64 {
        /// The counter runs and timers interrupt.
        const ENABLE_CNF = 1 << 0;
        /// Timers 0 and 1 replace the 8254 and the clock.
        const LEG_RT_CNF = 1 << 1;
    }
}

/// Where the timers' interrupts go.
#[derive(Debug)]
struct Wires {
    /// In place of the 8254 and of the clock.
    legacy: [IrqLine; 2],
    /// Keeps those two off their wires.
    cutoff: Cutoff,
    /// Interrupt inputs that can be chosen: number, and a driver for each timer.
    routes: Vec<(u8, [IrqLine; TIMERS])>,
}

/// The timer block.
#[derive(Debug)]
pub struct Hpet {
    wires: Wires,
    general: General,
    /// Interrupt status of level-triggered timers, one bit each.
    status: u8,
    counter: u64,
    timers: [Comparator; TIMERS],
    /// Periods since power-on, up to which all has been brought.
    clock: u64,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    general: u64,
    status: u8,
    counter: u64,
    timers: [SavedComparatorV1; TIMERS],
    clock: u64,
}

impl Hpet {
    /// A timer block whose interrupts can be routed to the inputs `routes`,
    /// each a number for software and a wire of `lines`. `legacy` are the
    /// wires of the 8254 and of the clock, `cutoff` keeps those chips off.
    #[must_use]
    pub fn new(
        lines: &Arc<IrqLines>,
        routes: &[(u8, u32)],
        legacy: [IrqLine; 2],
        cutoff: Cutoff,
    ) -> Self {
        let routes: Vec<_> = routes
            .iter()
            .filter(|(number, _)| *number < 32)
            .map(|&(number, wire)| {
                let drivers = std::array::from_fn(|_| IrqLine::new(lines, wire));
                (number, drivers)
            })
            .collect();
        let mask = routes
            .iter()
            .fold(0, |mask, (number, _)| mask | 1 << number);
        Self {
            wires: Wires {
                legacy,
                cutoff,
                routes,
            },
            general: General::empty(),
            status: 0,
            counter: 0,
            timers: [Comparator::new(mask); TIMERS],
            clock: 0,
        }
    }

    const fn runs(&self) -> bool {
        self.general.contains(General::ENABLE_CNF)
    }

    const fn is_legacy(&self) -> bool {
        self.general.contains(General::LEG_RT_CNF)
    }

    /// The wire of timer `index`, if it leads anywhere.
    fn wire(&self, index: usize) -> Option<&IrqLine> {
        if self.is_legacy() && index < 2 {
            return self.wires.legacy.get(index);
        }
        let route = self.timers[index].route();
        let (_, drivers) = self
            .wires
            .routes
            .iter()
            .find(|(number, _)| *number == route)?;
        drivers.get(index)
    }

    /// Lets every wire go, then holds those of active level interrupts.
    fn drive(&self, drive: fn(&IrqLine, bool)) {
        self.wires.cutoff.set(self.is_legacy());
        let held: Vec<_> = (0..TIMERS)
            .filter(|&index| self.holds(index))
            .filter_map(|index| self.wire(index))
            .collect();
        let routed = self.wires.routes.iter().flat_map(|(_, drivers)| drivers);
        for wire in self.wires.legacy.iter().chain(routed) {
            if !held.iter().any(|held| std::ptr::eq(*held, wire)) {
                drive(wire, false);
            }
        }
        for wire in held {
            drive(wire, true);
        }
    }

    /// Whether timer `index` holds its wire high.
    fn holds(&self, index: usize) -> bool {
        let config = self.timers[index].config();
        self.status >> index & 1 != 0
            && self.runs()
            && config.contains(Config::INT_ENB | Config::INT_TYPE)
            && !config.contains(Config::FSB_EN)
    }

    /// Timer `index` has matched the counter.
    fn fire(&mut self, index: usize, cx: &mut Context<'_>) {
        let timer = &self.timers[index];
        let config = timer.config();
        if !config.contains(Config::INT_ENB) {
            return;
        }
        if config.contains(Config::FSB_EN) {
            let (address, data) = timer.message();
            MsiMessage { address, data }.send(cx.memory);
        } else if config.contains(Config::INT_TYPE) {
            self.status |= 1 << index;
            self.drive(IrqLine::set);
        } else if let Some(wire) = self.wire(index) {
            wire.pulse(false);
        }
    }

    /// A 64-bit register.
    fn read_register(&self, register: u64) -> u64 {
        match register {
            at::GCAP_ID => CAPABILITIES,
            at::GEN_CONF => self.general.bits(),
            at::GINTR_STA => u64::from(self.status),
            at::MAIN_CNT => self.counter,
            _ => match self.timer_of(register) {
                Some((index, 0x00)) => self.timers[index].read_config(),
                Some((index, 0x08)) => self.timers[index].value(),
                Some((index, 0x10)) => self.timers[index].fsb_route(),
                _ => 0,
            },
        }
    }

    /// Writes a 64-bit register, of which the guest named the bits `written`.
    fn write_register(&mut self, register: u64, value: u64, written: u64) {
        match register {
            at::GEN_CONF => self.general = General::from_bits_truncate(value),
            at::GINTR_STA => self.status &= !(value as u8),
            at::MAIN_CNT => self.counter = value,
            _ => match self.timer_of(register) {
                Some((index, 0x00)) => {
                    self.timers[index].write_config(value);
                    // An edge-triggered timer has no status.
                    if !self.timers[index].config().contains(Config::INT_TYPE) {
                        self.status &= !(1 << index);
                    }
                }
                Some((index, 0x08)) => self.timers[index].set_value(value, written),
                Some((index, 0x10)) => self.timers[index].set_fsb_route(value),
                _ => {}
            },
        }
        self.drive(IrqLine::set);
    }

    /// The timer that a register belongs to, and the offset in it.
    fn timer_of(&self, register: u64) -> Option<(usize, u64)> {
        let offset = register.checked_sub(at::TIMERS)?;
        let index = usize::try_from(offset / at::TIMER_STRIDE).ok()?;
        (index < self.timers.len()).then_some((index, offset % at::TIMER_STRIDE))
    }
}

impl Device for Hpet {
    fn name(&self) -> &'static str {
        "hpet"
    }

    fn reset(&mut self) {
        self.general = General::empty();
        self.status = 0;
        self.counter = 0;
        for timer in &mut self.timers {
            timer.reset();
        }
        self.drive(IrqLine::set);
    }

    fn save(&self) -> State {
        let Self {
            wires: _,
            general,
            status,
            counter,
            timers,
            clock,
        } = self;
        let saved = SavedV1 {
            general: general.bits(),
            status: *status,
            counter: *counter,
            timers: timers.map(|timer| timer.save()),
            clock: *clock,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let saved: SavedV1 = state.decode(self.name(), 1)?;
        self.general = General::from_bits_truncate(saved.general);
        self.status = saved.status & 0b111;
        self.counter = saved.counter;
        self.clock = saved.clock;
        for (timer, saved) in self.timers.iter_mut().zip(&saved.timers) {
            timer.restore(saved);
        }
        self.drive(IrqLine::restore);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Registers for Hpet {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let start = check(register, bytes.len())?;
        let value = self.read_register(register & !7).to_le_bytes();
        bytes.copy_from_slice(&value[start..start + bytes.len()]);
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let start = check(register, bytes.len())?;
        let whole = register & !7;
        // Half a status register clears nothing in the other half, which is
        // zero anyway; every other register keeps its other half.
        let mut value = match whole {
            at::GINTR_STA => [0; 8],
            _ => self.read_register(whole).to_le_bytes(),
        };
        value[start..start + bytes.len()].copy_from_slice(bytes);
        let mut written = [0; 8];
        written[start..start + bytes.len()].fill(0xff);
        let (value, written) = (u64::from_le_bytes(value), u64::from_le_bytes(written));
        self.write_register(whole, value, written);
        Ok(())
    }
}

/// Where an access starts in its 64-bit register.
fn check(register: u64, width: usize) -> Result<usize, BusError> {
    if register >= at::END {
        return Err(BusError::NoRegister(register));
    }
    let start = (register % 8) as usize;
    match (width, start) {
        (8, 0) | (4, 0 | 4) => Ok(start),
        _ => Err(BusError::BadWidth {
            register,
            bytes: width,
        }),
    }
}

impl Timed for Hpet {
    /// The next match of a timer that interrupts.
    fn next_deadline(&self) -> Option<Time> {
        if !self.runs() {
            return None;
        }
        let interrupting = |timer: &&Comparator| timer.config().contains(Config::INT_ENB);
        let periods = self
            .timers
            .iter()
            .filter(interrupting)
            .map(|timer| timer.periods_to_match(self.counter))
            .min()?;
        let clock = u64::try_from(periods)
            .ok()
            .and_then(|periods| self.clock.checked_add(periods))?;
        Some(Time(clock.checked_mul(PERIOD_NS)?))
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        let clock = cx.now.0 / PERIOD_NS;
        let elapsed = clock.saturating_sub(self.clock);
        self.clock = self.clock.max(clock);
        if elapsed == 0 || !self.runs() {
            return;
        }
        let before = self.counter;
        self.counter = before.wrapping_add(elapsed);
        for index in 0..TIMERS {
            if self.timers[index].advance(before, elapsed) {
                self.fire(index, cx);
            }
        }
    }
}

#[cfg(test)]
mod tests;
