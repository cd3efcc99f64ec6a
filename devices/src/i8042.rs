//! The PC AT keyboard controller (Intel 8042) with its keyboard and mouse.
//!
//! IBM PC AT Technical Reference, "Keyboard Controller", and IBM PS/2 Hardware
//! Interface Technical Reference, "Keyboard and Auxiliary Device Controller".
//! Registers: 0 is the data port (60h), 1 the status and command port (64h).
//!
//! Decisions. Reset leaves what firmware would: translation on, keyboard
//! interrupt on, mouse off, A20 open, so that a kernel booted without firmware
//! finds a working keyboard. A byte from the keyboard or mouse takes
//! [`BYTE_NS`] on its wire, so a guest that reads the data port twice for one
//! interrupt (as DOS programs that chain to the BIOS do) reads one byte twice;
//! the controller's own answers come at once.

use std::collections::VecDeque;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, byte_of_read, byte_of_write};
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};
use crate::system_control::{ResetKind, SystemLines};
use crate::time::Time;

mod keyboard;
mod mouse;
mod scan_codes;
mod translation;

use keyboard::{Keyboard, SavedKeyboardV1};
use mouse::{Mouse, SavedMouseV1};

/// How long a byte takes from the keyboard or mouse to the controller.
pub const BYTE_NS: u64 = 500_000;
/// Bytes of controller memory; byte 0 is the command byte.
const RAM_BYTES: usize = 32;

bitflags! {
    /// Status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Status: u8 {
        /// The output buffer holds a byte for the guest.
        const OUTPUT_FULL = 1 << 0;
        /// The self-test has passed; mirrors the command byte.
        const SYSTEM_FLAG = 1 << 2;
        /// The last write was to the command port.
        const WAS_COMMAND = 1 << 3;
        /// The keyboard is not locked.
        const UNLOCKED = 1 << 4;
        /// The byte in the output buffer is the mouse's.
        const FROM_MOUSE = 1 << 5;
    }

    /// Command byte.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct CommandByte: u8 {
        /// Interrupt for keyboard bytes.
        const KEYBOARD_INTERRUPT = 1 << 0;
        /// Interrupt for mouse bytes.
        const MOUSE_INTERRUPT = 1 << 1;
        /// Shown in the status register.
        const SYSTEM_FLAG = 1 << 2;
        /// The keyboard is disabled.
        const KEYBOARD_OFF = 1 << 4;
        /// The mouse is disabled.
        const MOUSE_OFF = 1 << 5;
        /// Scan codes are translated to set 1.
        const TRANSLATE = 1 << 6;
    }

    /// Output port.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct OutputPort: u8 {
        /// Low resets the processor.
        const NO_RESET = 1 << 0;
        /// Address line 20.
        const A20 = 1 << 1;
        /// The mouse interrupt.
        const MOUSE_IRQ = 1 << 5;
        /// The keyboard interrupt.
        const KEYBOARD_IRQ = 1 << 4;
        /// Lines to the keyboard and mouse, idle.
        const IDLE_LINES = 0b1100_0000;
    }
}

/// What the next byte written to the data port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Awaits {
    KeyboardByte,
    MouseByte,
    /// A byte of controller memory.
    Ram(u8),
    OutputPort,
    /// A byte that the guest will read back as the keyboard's.
    KeyboardLoopback,
    /// A byte that the guest will read back as the mouse's.
    MouseLoopback,
}

/// A byte on its way to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Output {
    byte: u8,
    from_mouse: bool,
}

/// The keyboard controller.
#[derive(Debug)]
pub struct I8042 {
    keyboard_irq: IrqLine,
    mouse_irq: IrqLine,
    system: SystemLines,
    ram: [u8; RAM_BYTES],
    /// What drives A20 and reset.
    awaits: Awaits,
    was_command: bool,
    /// The output buffer; kept after it was read.
    output: Output,
    output_full: bool,
    /// The controller's own answers, which go before the devices' bytes.
    answers: VecDeque<Output>,
    /// When the next byte from a device will have arrived.
    wire_free: Time,
    keyboard: Keyboard,
    mouse: Mouse,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    ram: [u8; RAM_BYTES],
    output_port: u8,
    awaits: Awaits,
    was_command: bool,
    output: Output,
    output_full: bool,
    answers: VecDeque<Output>,
    wire_free: Time,
    keyboard: SavedKeyboardV1,
    mouse: SavedMouseV1,
}

impl I8042 {
    /// A controller whose keyboard and mouse interrupts are `keyboard_irq` and
    /// `mouse_irq`, and whose output port drives `system`.
    #[must_use]
    pub fn new(keyboard_irq: IrqLine, mouse_irq: IrqLine, system: SystemLines) -> Self {
        let mut controller = Self {
            keyboard_irq,
            mouse_irq,
            system,
            ram: [0; RAM_BYTES],
            awaits: Awaits::KeyboardByte,
            was_command: false,
            output: Output {
                byte: 0,
                from_mouse: false,
            },
            output_full: false,
            answers: VecDeque::new(),
            wire_free: Time::ZERO,
            keyboard: Keyboard::new(),
            mouse: Mouse::new(),
        };
        controller.reset();
        controller
    }

    /// A key goes down or up: its codes of scan code set 2, for example `1c`
    /// for A down and `f0 1c` for A up.
    ///
    /// Returns false, and takes nothing, when the keyboard's buffer of 16
    /// bytes is full. The byte moves at the next [`Timed::advance`].
    pub fn key(&mut self, codes: &[u8]) -> bool {
        self.keyboard.press(codes)
    }

    /// The mouse's wheel turns by `down` notches towards its user.
    pub fn turn_wheel(&mut self, down: i32) {
        self.mouse.turn_wheel(down);
    }

    /// Whether the guest has read all that the keyboard had to send.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.output_full && self.answers.is_empty() && !self.keyboard.has_byte()
    }

    /// The mouse moves by `right` and `up` counts, or its buttons change: bit
    /// 0 is the left one, 1 the right, 2 the middle, 3 and 4 those at its sides.
    pub fn move_mouse(&mut self, right: i32, up: i32, buttons: u8) {
        self.mouse.move_by(right, up, buttons);
    }

    /// The keyboard's lights: bit 0 is scroll lock, 1 num lock, 2 caps lock.
    #[must_use]
    pub const fn leds(&self) -> u8 {
        self.keyboard.leds()
    }

    const fn command_byte(&self) -> CommandByte {
        CommandByte::from_bits_retain(self.ram[0])
    }

    fn change_command_byte(&mut self, bits: CommandByte, set: bool) {
        let mut command_byte = self.command_byte();
        command_byte.set(bits, set);
        self.ram[0] = command_byte.bits();
    }

    fn status(&self) -> Status {
        let mut status = Status::UNLOCKED;
        status.set(Status::OUTPUT_FULL, self.output_full);
        status.set(
            Status::FROM_MOUSE,
            self.output_full && self.output.from_mouse,
        );
        status.set(
            Status::SYSTEM_FLAG,
            self.command_byte().contains(CommandByte::SYSTEM_FLAG),
        );
        status.set(Status::WAS_COMMAND, self.was_command);
        status
    }

    /// Whether the keyboard and the mouse interrupt.
    fn irq_levels(&self) -> (bool, bool) {
        let command_byte = self.command_byte();
        let wants = |mouse: bool, enable: CommandByte| {
            self.output_full && self.output.from_mouse == mouse && command_byte.contains(enable)
        };
        (
            wants(false, CommandByte::KEYBOARD_INTERRUPT),
            wants(true, CommandByte::MOUSE_INTERRUPT),
        )
    }

    fn update_irqs(&self) {
        let (keyboard, mouse) = self.irq_levels();
        self.keyboard_irq.set(keyboard);
        self.mouse_irq.set(mouse);
    }

    /// Moves the next byte to the output buffer, if that is free.
    fn catch_up(&mut self, now: Time) {
        self.keyboard.advance(now);
        if !self.output_full {
            let next = match self.answers.pop_front() {
                Some(answer) => Some(answer),
                None if now >= self.wire_free => self.next_from_devices(),
                None => None,
            };
            if let Some(output) = next {
                self.output = output;
                self.output_full = true;
            }
        }
        self.update_irqs();
    }

    fn next_from_devices(&mut self) -> Option<Output> {
        let command_byte = self.command_byte();
        let translates = command_byte.contains(CommandByte::TRANSLATE);
        if !command_byte.contains(CommandByte::KEYBOARD_OFF)
            && let Some(byte) = self.keyboard.next(translates)
        {
            return Some(Output {
                byte,
                from_mouse: false,
            });
        }
        if command_byte.contains(CommandByte::MOUSE_OFF) {
            return None;
        }
        let byte = self.mouse.next()?;
        Some(Output {
            byte,
            from_mouse: true,
        })
    }

    fn has_device_byte(&self) -> bool {
        let command_byte = self.command_byte();
        let keyboard = !command_byte.contains(CommandByte::KEYBOARD_OFF);
        let mouse = !command_byte.contains(CommandByte::MOUSE_OFF);
        (keyboard && self.keyboard.has_byte()) || (mouse && self.mouse.has_byte())
    }

    fn read_data(&mut self, now: Time) -> u8 {
        if self.output_full {
            self.output_full = false;
            self.wire_free = self.wire_free.max(now.after_ns(BYTE_NS));
            // The line falls even if the next byte follows at once.
            self.update_irqs();
        }
        self.output.byte
    }

    fn answer(&mut self, byte: u8) {
        self.answer_as(byte, false);
    }

    fn answer_as(&mut self, byte: u8, from_mouse: bool) {
        // A guest that asks and never listens must not fill our memory.
        if self.answers.len() < 16 {
            self.answers.push_back(Output { byte, from_mouse });
        }
    }

    fn command(&mut self, command: u8) {
        self.was_command = true;
        self.awaits = Awaits::KeyboardByte;
        match command {
            0x20..=0x3f => self.answer(self.ram[usize::from(command & 0x1f)]),
            0x60..=0x7f => self.awaits = Awaits::Ram(command & 0x1f),
            // Password test: no password.
            0xa4 => self.answer(0xf1),
            0xa7 => self.change_command_byte(CommandByte::MOUSE_OFF, true),
            0xa8 => self.change_command_byte(CommandByte::MOUSE_OFF, false),
            // Tests of the mouse's and the keyboard's lines: no fault.
            0xa9 | 0xab => self.answer(0x00),
            0xaa => {
                self.change_command_byte(CommandByte::SYSTEM_FLAG, true);
                self.answer(0x55);
            }
            0xad => self.change_command_byte(CommandByte::KEYBOARD_OFF, true),
            0xae => self.change_command_byte(CommandByte::KEYBOARD_OFF, false),
            // Input port: keyboard not locked.
            0xc0 => self.answer(0x80),
            0xd0 => self.answer(self.visible_output_port()),
            0xd1 => self.awaits = Awaits::OutputPort,
            0xd2 => self.awaits = Awaits::KeyboardLoopback,
            0xd3 => self.awaits = Awaits::MouseLoopback,
            0xd4 => self.awaits = Awaits::MouseByte,
            // Common extensions: A20 off and on.
            0xdd => self.system.set_a20(false),
            0xdf => self.system.set_a20(true),
            // Pulses the output port bits that are clear in the command; only
            // the reset line does anything in a pulse's time.
            0xf0..=0xff => {
                if command & OutputPort::NO_RESET.bits() == 0 {
                    self.system.request_reset(ResetKind::Processor);
                }
            }
            _ => log::debug!("i8042: command {command:#04x} is not known"),
        }
    }

    fn write_data(&mut self, byte: u8, now: Time) {
        self.was_command = false;
        match std::mem::replace(&mut self.awaits, Awaits::KeyboardByte) {
            Awaits::KeyboardByte => {
                // Talking to the keyboard wakes its line.
                self.change_command_byte(CommandByte::KEYBOARD_OFF, false);
                self.keyboard.receive(byte);
                self.wire_free = self.wire_free.max(now.after_ns(BYTE_NS));
            }
            Awaits::MouseByte => {
                self.change_command_byte(CommandByte::MOUSE_OFF, false);
                self.mouse.receive(byte);
                self.wire_free = self.wire_free.max(now.after_ns(BYTE_NS));
            }
            Awaits::Ram(index) => self.ram[usize::from(index) % RAM_BYTES] = byte,
            Awaits::OutputPort => {
                let port = OutputPort::from_bits_retain(byte);
                if !port.contains(OutputPort::NO_RESET) {
                    self.system.request_reset(ResetKind::Processor);
                }
                self.system.set_a20(port.contains(OutputPort::A20));
            }
            Awaits::KeyboardLoopback => self.answer(byte),
            Awaits::MouseLoopback => self.answer_as(byte, true),
        }
    }

    fn visible_output_port(&self) -> u8 {
        let (keyboard, mouse) = self.irq_levels();
        let mut port = OutputPort::NO_RESET | OutputPort::IDLE_LINES;
        port.set(OutputPort::A20, self.system.a20());
        port.set(OutputPort::KEYBOARD_IRQ, keyboard);
        port.set(OutputPort::MOUSE_IRQ, mouse);
        port.bits()
    }
}

impl Device for I8042 {
    fn name(&self) -> &'static str {
        "i8042"
    }

    fn reset(&mut self) {
        self.ram = [0; RAM_BYTES];
        let command_byte = CommandByte::KEYBOARD_INTERRUPT
            | CommandByte::SYSTEM_FLAG
            | CommandByte::MOUSE_OFF
            | CommandByte::TRANSLATE;
        self.ram[0] = command_byte.bits();
        self.system.set_a20(true);
        self.awaits = Awaits::KeyboardByte;
        self.was_command = false;
        self.output = Output {
            byte: 0,
            from_mouse: false,
        };
        self.output_full = false;
        self.answers.clear();
        self.wire_free = Time::ZERO;
        self.keyboard = Keyboard::new();
        self.mouse = Mouse::new();
        self.update_irqs();
    }

    fn save(&self) -> State {
        let Self {
            keyboard_irq: _,
            mouse_irq: _,
            system: _,
            ram,
            awaits,
            was_command,
            output,
            output_full,
            answers,
            wire_free,
            keyboard,
            mouse,
        } = self;
        let saved = SavedV1 {
            ram: *ram,
            output_port: self.visible_output_port(),
            awaits: *awaits,
            was_command: *was_command,
            output: *output,
            output_full: *output_full,
            answers: answers.clone(),
            wire_free: *wire_free,
            keyboard: keyboard.save(),
            mouse: mouse.save(),
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            ram,
            output_port,
            awaits,
            was_command,
            output,
            output_full,
            answers,
            wire_free,
            keyboard,
            mouse,
        } = state.decode(self.name(), 1)?;
        self.ram = ram;
        let output_port = OutputPort::from_bits_retain(output_port);
        self.system.set_a20(output_port.contains(OutputPort::A20));
        self.awaits = awaits;
        self.was_command = was_command;
        self.output = output;
        self.output_full = output_full;
        self.answers = answers;
        self.wire_free = wire_free;
        self.keyboard = Keyboard::restore(keyboard);
        self.mouse = Mouse::restore(mouse);
        let (keyboard, mouse) = self.irq_levels();
        self.keyboard_irq.restore(keyboard);
        self.mouse_irq.restore(mouse);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Registers for I8042 {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        self.catch_up(cx.now);
        *byte = match register {
            0 => self.read_data(cx.now),
            1 => self.status().bits(),
            _ => return Err(BusError::NoRegister(register)),
        };
        self.catch_up(cx.now);
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        let byte = byte_of_write(register, bytes)?;
        self.catch_up(cx.now);
        match register {
            0 => self.write_data(byte, cx.now),
            1 => self.command(byte),
            _ => return Err(BusError::NoRegister(register)),
        }
        self.catch_up(cx.now);
        Ok(())
    }
}

impl Timed for I8042 {
    fn next_deadline(&self) -> Option<Time> {
        let waits = !self.output_full && self.has_device_byte();
        let arrives_at = waits.then_some(self.wire_free);
        arrives_at
            .into_iter()
            .chain(self.keyboard.repeats_at())
            .min()
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.catch_up(cx.now);
    }
}

#[cfg(test)]
mod tests;
