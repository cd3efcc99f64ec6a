//! What firmware does to the chipset, for kernels that are booted without any.

use rax_devices::{NoMemory, Parallel, Time};

use super::adapters::PARALLEL;
use super::{Board, PM_BASE, PciRoute, SCI, pci_route};

/// The interrupts that PIRQA to PIRQD lead to: those that ISA devices leave free.
const ROUTES: [u8; 4] = [10, 10, 11, 11];
/// Those are levels at the 8259s: the edge/level control registers.
const LEVELS: [u8; 2] = [0x00, 0x0c];

/// The first 8237A asks the processor through channel 4, the second one's first: its mode and its mask.
const CASCADE: [(u16, u8); 2] = [(0xd6, 0xc0), (0xd4, 0x00)];

/// Configuration registers.
mod register {
    /// Where an interrupt pin leads, for software to read.
    pub(super) const INTERRUPT_LINE: u8 = 0x3c;
    /// Which pin a function uses; zero for none.
    pub(super) const INTERRUPT_PIN: u8 = 0x3d;
    /// The ISA bridge's routes.
    pub(super) const PIRQRCA: u8 = 0x60;
    /// What a function decodes; what it is; its windows, and what lies behind the last of them.
    pub(super) const COMMAND: u8 = 0x04;
    pub(super) const SUBCLASS: u8 = 0x0a;
    pub(super) const CLASS: u8 = 0x0b;
    pub(super) const FIRST_BAR: u8 = 0x10;
    pub(super) const BARS_END: u8 = 0x28;
    /// The power management block's base, and what opens it; the same for the SMBus.
    pub(super) const PMBA: u8 = 0x40;
    pub(super) const PMREGMISC: u8 = 0x80;
    pub(super) const SMBBA: u8 = 0x90;
    pub(super) const SMBHSTCFG: u8 = 0xd2;
}

/// Where functions get their windows: ports from here up, memory from here down.
const FIRST_PORT: u32 = 0xc000;
const MEMORY_END: u32 = 0xfec0_0000;
/// The class code of what has the VGA's ports without a window of its own for them (PCI 2.2, appendix D).
const VGA: [u8; 2] = [0x03, 0x00];
/// Drivers map whole pages.
const PAGE: u32 = 0x1000;
/// The SMBus host controller's ports, where rax's BIOS has them; on, with IRQ 9.
const SMBUS_PORT: u16 = 0x700;
const SMBUS_ON: u8 = 0x09;
/// The command register's bits for the two.
const IO_SPACE: u8 = 1;
const MEMORY_SPACE: u8 = 2;

/// What a BIOS lists in its data area.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inventory {
    /// The parallel port's first port.
    pub(crate) parallel_port: Option<u16>,
    /// The equipment byte: floppy drives, coprocessor, screen.
    pub(crate) equipment: u8,
    /// Whether there is a VGA.
    pub(crate) has_vga: bool,
}

impl Board {
    /// What there is.
    pub(crate) fn inventory(&mut self, now: Time) -> Inventory {
        /// Where CMOS memory has the equipment byte, and its bit for 80 columns in colour.
        const EQUIPMENT: u8 = 0x14;
        const COLOUR: u8 = 0x20;
        self.port_write(0x70, &[EQUIPMENT], now, &mut NoMemory);
        let mut equipment = [0];
        self.port_read(0x71, &mut equipment, now, &mut NoMemory);
        let has_vga = self.vga.is_some();
        let screen = if has_vga { COLOUR } else { 0 };
        Inventory {
            parallel_port: self.find::<Parallel>().map(|_| PARALLEL.0),
            equipment: equipment[0] | screen,
            has_vga,
        }
    }

    /// Routes PCI interrupts, gives functions their windows, opens power management and its SMBus, and lets the DMA
    /// controllers' requests through.
    pub(crate) fn set_up(&mut self, now: Time) {
        for (port, value) in CASCADE {
            self.port_write(port, &[value], now, &mut NoMemory);
        }
        for (index, route) in (0..).zip(ROUTES) {
            self.configure_byte(1, 0, register::PIRQRCA + index, route, now);
        }
        for (port, levels) in (0x4d0..).zip(LEVELS) {
            self.port_write(port, &[levels], now, &mut NoMemory);
        }
        let [low, high] = (PM_BASE | 1).to_le_bytes();
        self.configure_byte(1, 3, register::PMBA, low, now);
        self.configure_byte(1, 3, register::PMBA + 1, high, now);
        self.configure_byte(1, 3, register::PMREGMISC, 1, now);
        let smbus = u32::from(SMBUS_PORT | 1);
        self.configure_double_word(1, 3, register::SMBBA, smbus, now);
        self.configure_byte(1, 3, register::SMBHSTCFG, SMBUS_ON, now);
        self.configure_byte(1, 3, register::COMMAND, IO_SPACE, now);
        for (device, function) in self.functions() {
            let pin = self.configuration_byte(device, function, register::INTERRUPT_PIN, now);
            if (1..=4).contains(&pin) {
                let route = match pci_route(device, pin - 1) {
                    PciRoute::Sci => SCI as u8,
                    PciRoute::Pirq(wire) => ROUTES[usize::from(wire) % ROUTES.len()],
                };
                self.configure_byte(device, function, register::INTERRUPT_LINE, route, now);
            }
        }
        // Power management has a wire of its own, whatever its pin says.
        self.configure_byte(1, 3, register::INTERRUPT_LINE, SCI as u8, now);
        self.give_windows(now);
    }

    /// Small systems draw where the adapter's frame buffer is, and do not put it anywhere.
    fn give_windows(&mut self, now: Time) {
        let (mut next_port, mut memory_end) = (FIRST_PORT, MEMORY_END);
        for (device, function) in self.functions() {
            let class = [register::CLASS, register::SUBCLASS]
                .map(|byte| self.configuration_byte(device, function, byte, now));
            let mut command = if class == VGA { IO_SPACE } else { 0 };
            for bar in (register::FIRST_BAR..register::BARS_END).step_by(4) {
                self.configure_double_word(device, function, bar, u32::MAX, now);
                let mask = self.configuration_double_word(device, function, bar, now);
                let is_io = mask & 1 != 0;
                let size = (mask & if is_io { 0xffff_fffc } else { 0xffff_fff0 }).wrapping_neg();
                let place = match (size, is_io) {
                    (0, _) => continue,
                    (_, true) => {
                        let place = next_port.next_multiple_of(size);
                        next_port = place + size;
                        command |= IO_SPACE;
                        place
                    }
                    (_, false) => {
                        memory_end = (memory_end - size) & !(size.max(PAGE) - 1);
                        command |= MEMORY_SPACE;
                        memory_end
                    }
                };
                self.configure_double_word(device, function, bar, place, now);
            }
            if command != 0 {
                self.configure_byte(device, function, register::COMMAND, command, now);
            }
        }
    }

    /// Selects a configuration register; the port of its byte.
    fn select(&mut self, device: u8, function: u8, register: u8, now: Time) -> u16 {
        let target = 0x8000_0000
            | u32::from(device) << 11
            | u32::from(function) << 8
            | u32::from(register & 0xfc);
        self.port_write(0xcf8, &target.to_le_bytes(), now, &mut NoMemory);
        0xcfc + u16::from(register & 3)
    }

    fn configure_byte(&mut self, device: u8, function: u8, register: u8, value: u8, now: Time) {
        let port = self.select(device, function, register, now);
        self.port_write(port, &[value], now, &mut NoMemory);
    }

    fn configure_double_word(
        &mut self,
        device: u8,
        function: u8,
        register: u8,
        value: u32,
        now: Time,
    ) {
        let port = self.select(device, function, register, now);
        self.port_write(port, &value.to_le_bytes(), now, &mut NoMemory);
    }

    fn configuration_double_word(
        &mut self,
        device: u8,
        function: u8,
        register: u8,
        now: Time,
    ) -> u32 {
        let port = self.select(device, function, register, now);
        let mut bytes = [0; 4];
        self.port_read(port, &mut bytes, now, &mut NoMemory);
        u32::from_le_bytes(bytes)
    }

    fn configuration_byte(&mut self, device: u8, function: u8, register: u8, now: Time) -> u8 {
        let port = self.select(device, function, register, now);
        let mut byte = [0xff];
        self.port_read(port, &mut byte, now, &mut NoMemory);
        byte[0]
    }
}
