//! A parallel port with a printer: SPP with the bidirectional data register.
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Parallel Port Controller",
//! and the Centronics handshake. Registers: 0 data, 1 status, 2 control.
//!
//! The printer takes a byte at the falling edge of its strobe, is busy for
//! [`BYTE_NS`] and acknowledges in the second half of that time; the interrupt
//! comes as the acknowledgement ends.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, byte_of_read, byte_of_write};
use crate::host_end::ByteSink;
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

/// How long the printer takes for a byte.
pub const BYTE_NS: u64 = 10_000;

bitflags! {
    /// Status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Status: u8 {
        /// The printer has no error (the line is low for one).
        const NO_ERROR = 1 << 3;
        /// The printer is on line.
        const SELECTED = 1 << 4;
        /// The printer does not acknowledge at this moment (low if it does).
        const NO_ACKNOWLEDGE = 1 << 6;
        /// The printer can take a byte (the inverse of the line BUSY).
        const NOT_BUSY = 1 << 7;
        /// Bits without a line, which read as ones.
        const UNUSED = 0b111;
    }

    /// Control register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Control: u8 {
        /// The strobe line is low: data are valid.
        const STROBE = 1 << 0;
        /// The printer feeds a line after each return.
        const AUTO_FEED = 1 << 1;
        /// Low resets the printer.
        const NO_INITIALIZE = 1 << 2;
        /// The printer is selected.
        const SELECT = 1 << 3;
        /// The end of an acknowledgement interrupts.
        const INTERRUPT = 1 << 4;
        /// The data lines are inputs.
        const INPUT = 1 << 5;
    }
}

/// A parallel port.
pub struct Parallel {
    irq: IrqLine,
    printer: Box<dyn ByteSink>,
    data: u8,
    control: Control,
    /// When the printer has done with its byte.
    busy_until: Option<Time>,
    /// The interrupt was requested and waits to be seen.
    interrupts: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    data: u8,
    control: u8,
    busy_until: Option<Time>,
    interrupts: bool,
}

impl Parallel {
    /// A port that interrupts by `irq` and has `printer` at its end.
    #[must_use]
    pub fn new(irq: IrqLine, printer: Box<dyn ByteSink>) -> Self {
        Self {
            irq,
            printer,
            data: 0,
            control: Control::NO_INITIALIZE,
            busy_until: None,
            interrupts: false,
        }
    }

    fn status(&self, now: Time) -> Status {
        let mut status = Status::NO_ERROR | Status::SELECTED | Status::UNUSED;
        let acknowledges = self
            .busy_until
            .is_some_and(|until| now.after_ns(BYTE_NS / 2) >= until);
        status.set(Status::NO_ACKNOWLEDGE, !acknowledges);
        status.set(Status::NOT_BUSY, self.busy_until.is_none());
        status
    }

    /// Lets the printer finish.
    fn catch_up(&mut self, now: Time) {
        if self.busy_until.is_some_and(|until| now >= until) {
            self.busy_until = None;
            self.interrupts = self.control.contains(Control::INTERRUPT);
            self.irq.set(self.interrupts);
        }
    }

    /// The interrupt is an edge: looking at the port takes the line down.
    fn end_interrupt(&mut self) {
        self.interrupts = false;
        self.irq.set(false);
    }

    fn set_control(&mut self, control: Control, now: Time) {
        let rises = control - self.control;
        self.control = control;
        let drives = !control.contains(Control::INPUT);
        if rises.contains(Control::STROBE) && drives && self.busy_until.is_none() {
            self.printer.write(&[self.data]);
            self.busy_until = Some(now.after_ns(BYTE_NS));
        }
        if !control.contains(Control::INTERRUPT) {
            self.end_interrupt();
        }
    }
}

impl Device for Parallel {
    fn name(&self) -> &'static str {
        "parallel"
    }

    fn reset(&mut self) {
        self.data = 0;
        self.control = Control::NO_INITIALIZE;
        self.busy_until = None;
        self.end_interrupt();
    }

    fn save(&self) -> State {
        let Self {
            irq: _,
            printer: _,
            data,
            control,
            busy_until,
            interrupts,
        } = self;
        let saved = SavedV1 {
            data: *data,
            control: control.bits(),
            busy_until: *busy_until,
            interrupts: *interrupts,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            data,
            control,
            busy_until,
            interrupts,
        } = state.decode(self.name(), 1)?;
        self.data = data;
        self.control = Control::from_bits_truncate(control);
        self.busy_until = busy_until;
        self.interrupts = interrupts;
        self.irq.restore(interrupts);
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Registers for Parallel {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        self.catch_up(cx.now);
        *byte = match register {
            // As inputs, the lines float: printers do not send.
            0 if self.control.contains(Control::INPUT) => 0xff,
            0 => self.data,
            1 => {
                self.end_interrupt();
                self.status(cx.now).bits()
            }
            2 => self.control.bits() | 0xc0,
            _ => return Err(BusError::NoRegister(register)),
        };
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        let byte = byte_of_write(register, bytes)?;
        self.catch_up(cx.now);
        match register {
            0 => {
                self.data = byte;
                self.end_interrupt();
            }
            // Writes to the status register go nowhere.
            1 => {}
            2 => self.set_control(Control::from_bits_truncate(byte), cx.now),
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }
}

impl Timed for Parallel {
    fn next_deadline(&self) -> Option<Time> {
        self.busy_until
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.catch_up(cx.now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{BYTE_NS, Parallel};
    use crate::conformance::Probe;
    use crate::host_end::MemoryConsole;
    use crate::irq_line::{IrqLine, IrqLines};

    const READY: u8 = 0xdf;

    fn port() -> (Parallel, MemoryConsole, Arc<IrqLines>) {
        let (lines, printer) = (IrqLines::new(), MemoryConsole::new());
        let port = Parallel::new(IrqLine::new(&lines, 7), Box::new(printer.clone()));
        (port, printer, lines)
    }

    #[test]
    fn a_strobe_prints_the_byte_once() {
        let (mut port, printer, lines) = port();
        let mut probe = Probe::new(&mut port);
        assert_eq!(probe.read(1), READY);
        probe.write(0, b'A');
        assert_eq!(probe.read(0), b'A');
        probe.write(2, 0x0d);
        assert_eq!(probe.read(1), 0x5f, "busy");
        // A strobe that stays low is no new one, and a busy printer takes none.
        probe.write(2, 0x0d);
        probe.write(2, 0x0c);
        probe.write(2, 0x0d);
        probe.wait_ns(BYTE_NS - 1);
        assert_eq!(probe.read(1), 0x1f, "busy, acknowledging");
        probe.wait_ns(1);
        assert_eq!(probe.read(1), READY);
        assert_eq!(printer.output(), b"A");
        assert_eq!(lines.take_rises(1 << 7), 0);
    }

    #[test]
    fn the_acknowledgement_interrupts_if_enabled() {
        let (mut port, _, lines) = port();
        let mut probe = Probe::new(&mut port);
        probe.write(2, 0x1c);
        probe.write(2, 0x1d);
        assert_eq!(lines.take_rises(1 << 7), 0);
        probe.wait_for_deadline().unwrap();
        assert_eq!(lines.take_rises(1 << 7), 1 << 7);
        probe.read(1);
        assert_eq!(lines.levels(), 0);
    }

    #[test]
    fn input_lines_float_and_print_nothing() {
        let (mut port, printer, _) = port();
        let mut probe = Probe::new(&mut port);
        probe.write(0, 0x55);
        probe.write(2, 0x2c);
        assert_eq!(probe.read(0), 0xff);
        probe.write(2, 0x2d);
        probe.write(2, 0x0c);
        assert_eq!(probe.read(0), 0x55, "so a driver knows it can turn them");
        assert_eq!(printer.output(), b"");
    }
}
