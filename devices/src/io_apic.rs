//! The I/O APIC: interrupt wires in, interrupt messages out.
//!
//! Intel 82093AA datasheet (290566), chapter 3. Registers are offsets in its
//! memory window: 00h is IOREGSEL, 10h is IOWIN. A wire that is high is
//! asserted, whatever the pin's polarity bit says; an edge on a masked pin is
//! lost, as the datasheet has it.

use std::sync::Arc;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::apic::{ApicBus, ApicCycle, ApicMessage, DeliveryMode, Destination};
use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers};
use crate::irq_line::{IrqInputs, IrqLines};
use crate::snapshot::{RestoreError, State};

/// Interrupt input pins.
pub const PINS: usize = 24;

/// Offsets in the memory window.
const IOREGSEL: u64 = 0x00;
const IOWIN: u64 = 0x10;

/// What IOREGSEL selects.
mod index {
    pub(super) const ID: u8 = 0x00;
    pub(super) const VERSION: u8 = 0x01;
    pub(super) const ARBITRATION: u8 = 0x02;
    pub(super) const REDIRECTION: u8 = 0x10;
}

bitflags! {
    /// An entry of the redirection table.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Entry: u64 {
        const INTVEC = 0xff;
        const DELMOD = 7 << 8;
        /// The destination is a logical one.
        const DESTMOD = 1 << 11;
        /// Active low; kept and not looked at.
        const INTPOL = 1 << 13;
        /// Read only: a level-triggered interrupt was sent and has not ended.
        const REMOTE_IRR = 1 << 14;
        const LEVEL = 1 << 15;
        const MASK = 1 << 16;
        const DEST = 0xff << 56;
    }
}

impl Entry {
    const fn mode(self) -> Option<DeliveryMode> {
        DeliveryMode::from_bits((self.bits() >> 8) as u8)
    }

    /// Whether the pin is taken as a level: some modes are edges always.
    const fn is_level(self) -> bool {
        let ordinary = matches!(
            self.mode(),
            Some(DeliveryMode::Fixed | DeliveryMode::LowestPriority)
        );
        self.contains(Self::LEVEL) && ordinary
    }
}

/// The I/O APIC.
#[derive(Debug)]
pub struct IoApic {
    inputs: IrqInputs,
    /// The wire at each pin.
    wiring: [Option<u32>; PINS],
    bus: Box<dyn ApicBus>,
    id: u8,
    select: u8,
    entries: [Entry; PINS],
    /// Wires that no pin has changed its mind about since they were looked at.
    seen: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    id: u8,
    select: u8,
    entries: [u64; PINS],
    rises: u32,
}

impl IoApic {
    /// An I/O APIC on `bus`, whose pin n is at wire `wiring[n]` of `lines`.
    #[must_use]
    pub fn new(lines: &Arc<IrqLines>, wiring: [Option<u32>; PINS], bus: Box<dyn ApicBus>) -> Self {
        Self {
            inputs: IrqInputs::new(lines),
            wiring: wiring.map(|wire| wire.filter(|&wire| wire < 32)),
            bus,
            id: 0,
            select: 0,
            entries: [Entry::MASK; PINS],
            seen: None,
        }
    }

    /// Looks at the wires and sends what is due.
    ///
    /// The board calls this after anything may have moved a wire.
    pub fn sample(&mut self) {
        let rises = self.inputs.take_rises(u32::MAX);
        let levels = self.inputs.levels();
        // A level that was looked at sends nothing new until something changes.
        if rises == 0 && self.seen == Some(levels) {
            return;
        }
        self.seen = Some(levels);
        for pin in 0..PINS {
            let Some(wire) = self.wiring[pin] else {
                continue;
            };
            let entry = self.entries[pin];
            if entry.contains(Entry::MASK) {
                continue;
            }
            if entry.is_level() {
                if levels >> wire & 1 != 0 && !entry.contains(Entry::REMOTE_IRR) {
                    self.entries[pin].insert(Entry::REMOTE_IRR);
                    self.send(entry);
                }
            } else if rises >> wire & 1 != 0 {
                self.send(entry);
            }
        }
    }

    /// A local APIC has ended the level-triggered interrupt `vector`.
    pub fn end_of_interrupt(&mut self, vector: u8) {
        for entry in &mut self.entries {
            let is_its = (*entry & Entry::INTVEC).bits() == u64::from(vector);
            if is_its && entry.contains(Entry::REMOTE_IRR) {
                entry.remove(Entry::REMOTE_IRR);
                self.seen = None;
            }
        }
        self.sample();
    }

    fn send(&self, entry: Entry) {
        let Some(mode) = entry.mode() else { return };
        let field = (entry.bits() >> 56) as u8;
        self.bus.send(ApicCycle::Interrupt(ApicMessage {
            destination: Destination::narrow(field, entry.contains(Entry::DESTMOD)),
            mode,
            vector: (entry & Entry::INTVEC).bits() as u8,
            is_level: entry.is_level(),
        }));
    }

    fn read_window(&self) -> u32 {
        match self.select {
            index::ID | index::ARBITRATION => u32::from(self.id) << 24,
            index::VERSION => (PINS as u32 - 1) << 16 | 0x11,
            register => match self.entry_of(register) {
                Some((pin, false)) => (self.entries[pin].bits() & 0xffff_ffff) as u32,
                Some((pin, true)) => (self.entries[pin].bits() >> 32) as u32,
                None => 0,
            },
        }
    }

    fn write_window(&mut self, value: u32) {
        if self.select == index::ID {
            self.id = (value >> 24) as u8 & 0xf;
        }
        let Some((pin, is_high)) = self.entry_of(self.select) else {
            return;
        };
        let old = self.entries[pin];
        let value = u64::from(value);
        let bits = if is_high {
            (old.bits() & 0xffff_ffff) | value << 32
        } else {
            (old.bits() & !0xffff_ffff) | value
        };
        let mut new = Entry::from_bits_truncate(bits) - Entry::REMOTE_IRR;
        // An edge has no end to wait for.
        if new.is_level() {
            new |= old & Entry::REMOTE_IRR;
        }
        self.entries[pin] = new;
        self.seen = None;
        self.sample();
    }

    /// The pin of a redirection register, and whether it is the upper half.
    fn entry_of(&self, register: u8) -> Option<(usize, bool)> {
        let half = register.checked_sub(index::REDIRECTION)?;
        let pin = usize::from(half / 2);
        (pin < PINS).then_some((pin, half % 2 != 0))
    }
}

impl Device for IoApic {
    fn name(&self) -> &'static str {
        "io-apic"
    }

    fn reset(&mut self) {
        let _ = self.inputs.take_rises(u32::MAX);
        self.id = 0;
        self.select = 0;
        self.entries = [Entry::MASK; PINS];
        self.seen = None;
    }

    fn save(&self) -> State {
        let Self {
            inputs,
            wiring: _,
            bus: _,
            id,
            select,
            entries,
            seen: _, // Only saves looking twice.
        } = self;
        let saved = SavedV1 {
            id: *id,
            select: *select,
            entries: entries.map(|entry| entry.bits()),
            rises: inputs.rises(),
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let saved: SavedV1 = state.decode(self.name(), 1)?;
        self.id = saved.id & 0xf;
        self.select = saved.select;
        self.entries = saved.entries.map(Entry::from_bits_truncate);
        self.inputs.restore_rises(saved.rises);
        self.seen = None;
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }
}

impl Registers for IoApic {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let width = bytes.len();
        let value = match register {
            IOREGSEL => u32::from(self.select),
            IOWIN => self.read_window(),
            _ => return Err(BusError::NoRegister(register)),
        };
        if width == 0 || width > 4 {
            return Err(BusError::BadWidth {
                register,
                bytes: width,
            });
        }
        bytes.copy_from_slice(&value.to_le_bytes()[..width]);
        Ok(())
    }

    fn write(
        &mut self,
        register: u64,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        match (register, bytes) {
            // Only its low byte is there.
            (IOREGSEL, &[low] | &[low, _, _, _]) => self.select = low,
            (IOWIN, &[a, b, c, d]) => self.write_window(u32::from_le_bytes([a, b, c, d])),
            (IOREGSEL | IOWIN, bytes) => {
                return Err(BusError::BadWidth {
                    register,
                    bytes: bytes.len(),
                });
            }
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
