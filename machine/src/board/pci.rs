//! The PCI bus: who sits where, configuration cycles, and windows that move.

use rax_devices::pci::{Pin, Space};
use rax_devices::{BusError, Context, Device, Dma, IrqLine, LocalApic, Registers, Time};

use super::access::MemoryTarget;
use super::{Board, pci_pin};
use crate::memory_windows::MemoryWindow;
use crate::ports::ChipId;

/// A function on bus 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    device: u8,
    function: u8,
    chip: ChipId,
}

impl Board {
    /// Puts a chip on bus 0 as function `function` of device `device`.
    pub(super) fn plug(&mut self, device: u8, function: u8, chip: ChipId) {
        self.slots.push(Slot {
            device,
            function,
            chip,
        });
    }

    /// Device and function numbers of all functions.
    pub(super) fn functions(&self) -> Vec<(u8, u8)> {
        let slots = self.slots.iter();
        slots.map(|slot| (slot.device, slot.function)).collect()
    }

    /// A driver of an interrupt pin of device `device`.
    #[must_use]
    pub fn pci_interrupt(&self, device: u8, pin: Pin) -> IrqLine {
        self.irq(u32::from(pci_pin(device, pin as u8 - 1)))
    }

    fn chip_at(&self, bus: u8, device: u8, function: u8) -> Option<ChipId> {
        let here = |slot: &&Slot| slot.device == device && slot.function == function;
        let slot = self.slots.iter().find(here).filter(|_| bus == 0)?;
        Some(slot.chip)
    }

    /// A read of the data window; ones if nobody answers.
    pub(super) fn config_read(&mut self, register: u64, bytes: &mut [u8], cx: &mut Context<'_>) {
        bytes.fill(0xff);
        let Some(target) = self.config.target(register, bytes.len()) else {
            return;
        };
        let chip = self.chip_at(target.bus, target.device, target.function);
        let chip = chip.and_then(|id| self.chip(id));
        if let Some(function) = chip.and_then(|chip| chip.pci()) {
            function.config_read(target.register, bytes, cx);
        }
    }

    /// A write to the data window.
    pub(super) fn config_write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) {
        let Some(target) = self.config.target(register, bytes.len()) else {
            return;
        };
        let chip = self.chip_at(target.bus, target.device, target.function);
        let chip = chip.and_then(|id| self.chip(id));
        if let Some(function) = chip.and_then(|chip| chip.pci()) {
            function.config_write(target.register, bytes, cx);
            // Whatever else a configuration register does, it does seldom.
            self.is_stirred = true;
            self.next_deadline();
            self.map_windows();
            self.follow_power_block();
        }
    }

    /// Asks every function what it decodes, and maps that.
    pub(super) fn map_windows(&mut self) {
        let (mut ports, mut memory) = (Vec::new(), Vec::new());
        for slot in self.slots.clone() {
            let function = self.chip(slot.chip).and_then(|chip| chip.pci());
            for window in function.map_or_else(Vec::new, |function| function.windows()) {
                let last = window.start.saturating_add(window.bytes).saturating_sub(1);
                match (
                    window.space,
                    u16::try_from(window.start),
                    u16::try_from(last),
                ) {
                    (Space::Io, Ok(first), Ok(last)) => {
                        ports.push((first..=last, slot.chip, window.first_register));
                    }
                    (Space::Io, ..) => {}
                    (Space::Memory, ..) => memory.push(MemoryWindow {
                        start: window.start,
                        bytes: window.bytes,
                        chip: slot.chip,
                        first_register: window.first_register,
                    }),
                }
            }
        }
        self.ports.set_moving(ports);
        self.memory_windows.set_moving(memory);
        self.windows_moved = true;
    }

    /// The processor reads where there is neither RAM nor ROM.
    pub fn memory_read(&mut self, address: u64, bytes: &mut [u8], now: Time, memory: &mut dyn Dma) {
        bytes.fill(0xff);
        let mut cx = Context { now, memory };
        let (target, register) = self.memory_target(address);
        if target == MemoryTarget::Nobody {
            log::trace!("read of {address:#x}, where nothing is");
        }
        if let Some(chip) = self.chip_of(target) {
            if let Some(timed) = chip.timed() {
                timed.advance(&mut cx);
            }
            if let Some(registers) = chip.registers() {
                read_in_parts(registers, register, bytes, &mut cx);
            }
        }
        self.accessed_memory(target, false);
    }

    /// The processor writes where there is neither RAM nor ROM.
    pub fn memory_write(&mut self, address: u64, bytes: &[u8], now: Time, memory: &mut dyn Dma) {
        let mut cx = Context { now, memory };
        let (target, register) = self.memory_target(address);
        if target == MemoryTarget::Nobody {
            log::trace!("write to {address:#x}, where nothing is");
        }
        if let Some(chip) = self.chip_of(target) {
            if let Some(timed) = chip.timed() {
                timed.advance(&mut cx);
            }
            if let Some(registers) = chip.registers() {
                write_in_parts(registers, register, bytes, &mut cx);
            }
        }
        self.accessed_memory(target, true);
    }

    /// Whose registers are at an address, and which.
    fn memory_target(&self, address: u64) -> (MemoryTarget, u64) {
        // The processor's own page comes before the bus.
        let own = self.apics.get(self.current);
        if own.and_then(LocalApic::memory_page) == Some(address & !0xfff) {
            return (MemoryTarget::LocalApic, address & 0xfff);
        }
        match self.memory_windows.find(address) {
            Some((chip, register)) => (MemoryTarget::Chip(chip), register),
            None => (MemoryTarget::Nobody, 0),
        }
    }

    fn chip_of(&mut self, target: MemoryTarget) -> Option<&mut dyn Device> {
        match target {
            MemoryTarget::LocalApic => {
                let apic = self.apics.get_mut(self.current);
                apic.map(|apic| apic as &mut dyn Device)
            }
            MemoryTarget::Chip(id) => self.chip(id),
            MemoryTarget::Nobody => None,
        }
    }
}

/// A read that is wider than the chip takes is done in halves.
fn read_in_parts(
    registers: &mut dyn Registers,
    register: u64,
    bytes: &mut [u8],
    cx: &mut Context<'_>,
) {
    match registers.read(register, bytes, cx) {
        Err(BusError::BadWidth { .. }) if bytes.len() > 1 => {
            let half = bytes.len() / 2;
            let (low, high) = bytes.split_at_mut(half);
            read_in_parts(registers, register, low, cx);
            read_in_parts(registers, register.wrapping_add(half as u64), high, cx);
        }
        Err(error) => {
            log::debug!("read from memory-mapped registers: {error}");
            bytes.fill(0xff);
        }
        Ok(()) => {}
    }
}

/// The same for a write.
fn write_in_parts(
    registers: &mut dyn Registers,
    register: u64,
    bytes: &[u8],
    cx: &mut Context<'_>,
) {
    match registers.write(register, bytes, cx) {
        Err(BusError::BadWidth { .. }) if bytes.len() > 1 => {
            let (low, high) = bytes.split_at(bytes.len() / 2);
            write_in_parts(registers, register, low, cx);
            let next = register.wrapping_add(low.len() as u64);
            write_in_parts(registers, next, high, cx);
        }
        Err(error) => log::debug!("write to memory-mapped registers: {error}"),
        Ok(()) => {}
    }
}
