//! A 16550A UART.
//!
//! National Semiconductor PC16550D datasheet. Registers 0 to 7 are the chip's.
//! OUT2 gates the interrupt line, as PC boards wire it.
//!
//! Decisions. A character is sent the moment it is written, so the console is
//! not held to the programmed speed; the transmitter-empty interrupt behaves as
//! if the character had just left. Input is taken from the console whenever the
//! receiver has room (on every access and [`Timed::advance`]), so there is no
//! overrun outside loopback. It is not taken before the guest listens, that is,
//! enables the interrupt and lets it out of the board, or polls the line status
//! [`LISTENING_POLLS`] times without writing to the chip or reading an empty
//! receiver. For drivers try the enable register, poll, and empty the receiver
//! while they start, and what was piped in from the beginning must not be lost
//! there. The line's word length is not applied: a guest that never sets it
//! still gets its eight bits through. The far end always holds CTS, DSR and DCD.

use std::collections::VecDeque;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, byte_of_read, byte_of_write};
use crate::host_end::Console;
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

const FIFO_BYTES: usize = 16;
const INPUT_CLOCK_HZ: u64 = 1_843_200;
/// How many character times make the receiver FIFO's timeout.
const TIMEOUT_CHARACTERS: u64 = 4;

/// Line status reads, with no write and no empty receiver read in between, that
/// show a guest to wait for input. Linux's driver makes up to six of them.
pub const LISTENING_POLLS: u8 = 16;

bitflags! {
    /// Interrupt enable register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Ier: u8 {
        /// Received data available, and the FIFO timeout.
        const RECEIVED_DATA = 1 << 0;
        /// Transmitter holding register empty.
        const TRANSMITTER_EMPTY = 1 << 1;
        /// Receiver line status.
        const LINE_STATUS = 1 << 2;
        /// Modem status.
        const MODEM_STATUS = 1 << 3;
    }

    /// FIFO control register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Fcr: u8 {
        /// The FIFOs are on.
        const ENABLE = 1 << 0;
        /// Empties the receiver FIFO.
        const CLEAR_RECEIVER = 1 << 1;
        /// Empties the transmitter FIFO.
        const CLEAR_TRANSMITTER = 1 << 2;
        /// DMA mode 1, which drives pins that lead nowhere.
        const DMA_MODE = 1 << 3;
        /// Receiver trigger level.
        const TRIGGER = 3 << 6;
    }

    /// Line control register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Lcr: u8 {
        /// Word length, 5 to 8 bits.
        const WORD_LENGTH = 3;
        /// A second stop bit.
        const TWO_STOPS = 1 << 2;
        /// A parity bit.
        const PARITY = 1 << 3;
        /// Even parity.
        const EVEN = 1 << 4;
        /// Fixed parity.
        const STICK = 1 << 5;
        /// Sends a break.
        const BREAK = 1 << 6;
        /// Registers 0 and 1 are the divisor latch.
        const DIVISOR_LATCH = 1 << 7;
    }

    /// Modem control register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Mcr: u8 {
        /// Data terminal ready.
        const DTR = 1 << 0;
        /// Request to send.
        const RTS = 1 << 1;
        /// A spare output.
        const OUT1 = 1 << 2;
        /// Lets the interrupt out of the board.
        const OUT2 = 1 << 3;
        /// Loopback.
        const LOOP = 1 << 4;
    }

    /// Line status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Lsr: u8 {
        /// Data ready.
        const DR = 1 << 0;
        /// Overrun error.
        const OE = 1 << 1;
        /// Framing error.
        const FE = 1 << 3;
        /// Break interrupt.
        const BI = 1 << 4;
        /// Transmitter holding register empty.
        const THRE = 1 << 5;
        /// Transmitter empty.
        const TEMT = 1 << 6;
        /// A character in the FIFO has an error.
        const FIFO_ERROR = 1 << 7;
    }

    /// Modem status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Msr: u8 {
        /// CTS changed.
        const DCTS = 1 << 0;
        /// DSR changed.
        const DDSR = 1 << 1;
        /// RI fell.
        const TERI = 1 << 2;
        /// DCD changed.
        const DDCD = 1 << 3;
        /// Clear to send.
        const CTS = 1 << 4;
        /// Data set ready.
        const DSR = 1 << 5;
        /// Ring indicator.
        const RI = 1 << 6;
        /// Data carrier detect.
        const DCD = 1 << 7;
    }
}

/// Interrupt identification, highest priority first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interrupt {
    LineStatus,
    ReceivedData,
    Timeout,
    TransmitterEmpty,
    ModemStatus,
}

impl Interrupt {
    /// Bits 3 to 0 of the interrupt identification register.
    const fn iir(self) -> u8 {
        match self {
            Self::LineStatus => 0x6,
            Self::ReceivedData => 0x4,
            Self::Timeout => 0xc,
            Self::TransmitterEmpty => 0x2,
            Self::ModemStatus => 0x0,
        }
    }
}

/// A received character and its errors (`Lsr` bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Received {
    byte: u8,
    errors: u8,
}

/// The UART.
pub struct Serial {
    irq: IrqLine,
    console: Box<dyn Console>,
    ier: Ier,
    fcr: Fcr,
    lcr: Lcr,
    mcr: Mcr,
    msr: Msr,
    scratch: u8,
    divisor: u16,
    /// The receiver FIFO, or with FIFOs off the receiver buffer.
    received: VecDeque<Received>,
    /// What the receiver buffer returns when it is empty.
    last_received: u8,
    /// Line status bits that a read of the register clears.
    line_errors: Lsr,
    /// The transmitter-empty interrupt, until it is identified.
    transmitter_empty: bool,
    /// When the receiver FIFO last gained or lost a character.
    receiver_touched: Time,
    /// The receiver FIFO lay untouched for four character times.
    timed_out: bool,
    /// Line status reads since something was sent, up to a limit.
    polls: u8,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    ier: u8,
    fcr: u8,
    lcr: u8,
    mcr: u8,
    msr: u8,
    scratch: u8,
    divisor: u16,
    received: VecDeque<Received>,
    last_received: u8,
    line_errors: u8,
    transmitter_empty: bool,
    receiver_touched: Time,
    timed_out: bool,
    polls: u8,
}

impl Serial {
    /// A UART that drives `irq`, connected to `console`.
    #[must_use]
    pub fn new(irq: IrqLine, console: Box<dyn Console>) -> Self {
        Self {
            irq,
            console,
            ier: Ier::empty(),
            fcr: Fcr::empty(),
            lcr: Lcr::empty(),
            mcr: Mcr::empty(),
            msr: Msr::CTS | Msr::DSR | Msr::DCD,
            scratch: 0,
            // 9600 baud, until the guest says otherwise.
            divisor: 12,
            received: VecDeque::with_capacity(FIFO_BYTES),
            last_received: 0,
            line_errors: Lsr::empty(),
            transmitter_empty: false,
            receiver_touched: Time::ZERO,
            timed_out: false,
            polls: 0,
        }
    }

    fn fifo_on(&self) -> bool {
        self.fcr.contains(Fcr::ENABLE)
    }

    fn loops(&self) -> bool {
        self.mcr.contains(Mcr::LOOP)
    }

    fn receiver_capacity(&self) -> usize {
        if self.fifo_on() { FIFO_BYTES } else { 1 }
    }

    fn trigger_level(&self) -> usize {
        match (self.fifo_on(), self.fcr.bits() >> 6) {
            (false, _) | (true, 0) => 1,
            (true, 1) => 4,
            (true, 2) => 8,
            (true, _) => 14,
        }
    }

    /// How long the FIFO may lie before the timeout interrupt.
    fn timeout_ns(&self) -> u64 {
        // A divisor of 0 is not defined; it counts as 1 here.
        let bit_clocks = 16 * u64::from(self.divisor.max(1));
        let word = 5 + u64::from(self.lcr.bits() & 3);
        let stops = 1 + u64::from(self.lcr.contains(Lcr::TWO_STOPS));
        let bits = 1 + word + u64::from(self.lcr.contains(Lcr::PARITY)) + stops;
        TIMEOUT_CHARACTERS * bits * bit_clocks * 1_000_000_000 / INPUT_CLOCK_HZ
    }

    /// Takes input while there is room, and notices the timeout.
    fn catch_up(&mut self, now: Time) {
        while self.listens() && self.received.len() < self.receiver_capacity() {
            let Some(byte) = self.console.read() else {
                break;
            };
            self.receive(byte, Lsr::empty(), now);
        }
        if self.timeout_at().is_some_and(|time| time <= now) {
            self.timed_out = true;
        }
        self.update_irq();
    }

    /// Whether the guest takes input from outside.
    fn listens(&self) -> bool {
        let is_called = self.ier.contains(Ier::RECEIVED_DATA) && self.mcr.contains(Mcr::OUT2);
        (is_called || self.polls >= LISTENING_POLLS) && !self.loops()
    }

    /// When the timeout comes, unless the FIFO is touched before.
    fn timeout_at(&self) -> Option<Time> {
        (self.fifo_on() && !self.received.is_empty() && !self.timed_out)
            .then(|| self.receiver_touched.after_ns(self.timeout_ns()))
    }

    fn receive(&mut self, byte: u8, errors: Lsr, now: Time) {
        let received = Received {
            byte,
            errors: errors.bits(),
        };
        if self.received.len() >= self.receiver_capacity() {
            self.line_errors |= Lsr::OE;
            // Without FIFOs the new character replaces the old one; with them
            // the new one is lost.
            if !self.fifo_on() {
                self.received.clear();
                self.received.push_back(received);
            }
        } else {
            self.received.push_back(received);
        }
        self.receiver_touched = now;
        self.timed_out = false;
        self.show_errors_of_first();
    }

    /// The errors of the character at the top of the FIFO show in the LSR.
    fn show_errors_of_first(&mut self) {
        if let Some(first) = self.received.front_mut() {
            self.line_errors |= Lsr::from_bits_truncate(first.errors);
            first.errors = 0;
        }
    }

    fn read_receiver(&mut self, now: Time) -> u8 {
        match self.received.pop_front() {
            Some(first) => self.last_received = first.byte,
            // Who reads without asking is emptying the receiver, not waiting for something.
            None => self.polls = 0,
        }
        self.receiver_touched = now;
        self.timed_out = false;
        self.show_errors_of_first();
        // The next character may be waiting outside.
        self.catch_up(now);
        self.last_received
    }

    fn transmit(&mut self, byte: u8, now: Time) {
        // Writing takes the interrupt back; it returns as the byte leaves.
        self.transmitter_empty = false;
        self.update_irq();
        if self.loops() {
            self.receive(byte, Lsr::empty(), now);
        } else {
            self.console.write(&[byte]);
        }
        self.transmitter_empty = true;
    }

    fn interrupt(&self) -> Option<Interrupt> {
        let errors = Lsr::OE | Lsr::FE | Lsr::BI;
        let deltas = Msr::DCTS | Msr::DDSR | Msr::TERI | Msr::DDCD;
        if self.ier.contains(Ier::LINE_STATUS) && self.line_errors.intersects(errors) {
            return Some(Interrupt::LineStatus);
        }
        if self.ier.contains(Ier::RECEIVED_DATA) {
            if self.received.len() >= self.trigger_level() {
                return Some(Interrupt::ReceivedData);
            }
            if self.timed_out {
                return Some(Interrupt::Timeout);
            }
        }
        if self.ier.contains(Ier::TRANSMITTER_EMPTY) && self.transmitter_empty {
            return Some(Interrupt::TransmitterEmpty);
        }
        (self.ier.contains(Ier::MODEM_STATUS) && self.msr.intersects(deltas))
            .then_some(Interrupt::ModemStatus)
    }

    fn irq_level(&self) -> bool {
        // In loopback the OUT2 pin is inactive.
        let gate = self.mcr.contains(Mcr::OUT2) && !self.loops();
        gate && self.interrupt().is_some()
    }

    fn update_irq(&self) {
        self.irq.set(self.irq_level());
    }

    fn read_iir(&mut self) -> u8 {
        let interrupt = self.interrupt();
        if interrupt == Some(Interrupt::TransmitterEmpty) {
            self.transmitter_empty = false;
        }
        let fifos = if self.fifo_on() { 0xc0 } else { 0 };
        // Bit 0 set: no interrupt.
        fifos | interrupt.map_or(1, Interrupt::iir)
    }

    fn read_lsr(&mut self) -> u8 {
        let mut lsr = self.line_errors | Lsr::THRE | Lsr::TEMT;
        lsr.set(Lsr::DR, !self.received.is_empty());
        let has_error = self.received.iter().any(|received| received.errors != 0);
        lsr.set(
            Lsr::FIFO_ERROR,
            self.fifo_on() && (has_error || self.line_errors.intersects(Lsr::FE | Lsr::BI)),
        );
        self.line_errors = Lsr::empty();
        self.polls = self.polls.saturating_add(1);
        lsr.bits()
    }

    fn read_msr(&mut self) -> u8 {
        let msr = self.msr;
        self.msr -= Msr::DCTS | Msr::DDSR | Msr::TERI | Msr::DDCD;
        msr.bits()
    }

    fn write_ier(&mut self, byte: u8) {
        let before = self.ier;
        self.ier = Ier::from_bits_truncate(byte);
        // Enabling the interrupt while the transmitter is empty raises it.
        if (self.ier - before).contains(Ier::TRANSMITTER_EMPTY) {
            self.transmitter_empty = true;
        }
    }

    fn write_fcr(&mut self, byte: u8, now: Time) {
        let fcr = Fcr::from_bits_truncate(byte);
        // Turning the FIFOs on clears them too, but what is in the buffer then
        // might as well have arrived a moment later.
        let off = self.fifo_on() && !fcr.contains(Fcr::ENABLE);
        if off || fcr.contains(Fcr::CLEAR_RECEIVER) {
            self.received.clear();
            self.timed_out = false;
            self.receiver_touched = now;
        }
        // The other bits count only together with the enable bit.
        self.fcr = if fcr.contains(Fcr::ENABLE) {
            fcr - (Fcr::CLEAR_RECEIVER | Fcr::CLEAR_TRANSMITTER)
        } else {
            Fcr::empty()
        };
    }

    fn write_lcr(&mut self, byte: u8, now: Time) {
        let before = self.lcr;
        self.lcr = Lcr::from_bits_retain(byte);
        if self.loops() && (self.lcr - before).contains(Lcr::BREAK) {
            self.receive(0, Lsr::BI | Lsr::FE, now);
        }
    }

    fn write_mcr(&mut self, byte: u8) {
        self.mcr = Mcr::from_bits_truncate(byte);
        let mut inputs = Msr::CTS | Msr::DSR | Msr::DCD;
        if self.loops() {
            inputs.set(Msr::CTS, self.mcr.contains(Mcr::RTS));
            inputs.set(Msr::DSR, self.mcr.contains(Mcr::DTR));
            inputs.set(Msr::RI, self.mcr.contains(Mcr::OUT1));
            inputs.set(Msr::DCD, self.mcr.contains(Mcr::OUT2));
        }
        let changed = self.msr ^ inputs;
        let mut deltas = self.msr & (Msr::DCTS | Msr::DDSR | Msr::TERI | Msr::DDCD);
        deltas |= Msr::from_bits_truncate((changed & (Msr::CTS | Msr::DSR | Msr::DCD)).bits() >> 4);
        if self.msr.contains(Msr::RI) && !inputs.contains(Msr::RI) {
            deltas |= Msr::TERI;
        }
        self.msr = inputs | deltas;
    }
}

impl Device for Serial {
    fn name(&self) -> &'static str {
        "serial"
    }

    fn reset(&mut self) {
        self.ier = Ier::empty();
        self.fcr = Fcr::empty();
        self.lcr = Lcr::empty();
        self.mcr = Mcr::empty();
        self.msr = Msr::CTS | Msr::DSR | Msr::DCD;
        self.scratch = 0;
        self.divisor = 12;
        self.received.clear();
        self.last_received = 0;
        self.line_errors = Lsr::empty();
        self.transmitter_empty = false;
        self.receiver_touched = Time::ZERO;
        self.timed_out = false;
        self.polls = 0;
        self.irq.set(false);
    }

    fn save(&self) -> State {
        let Self {
            irq: _,
            console: _,
            ier,
            fcr,
            lcr,
            mcr,
            msr,
            scratch,
            divisor,
            received,
            last_received,
            line_errors,
            transmitter_empty,
            receiver_touched,
            timed_out,
            polls,
        } = self;
        let saved = SavedV1 {
            ier: ier.bits(),
            fcr: fcr.bits(),
            lcr: lcr.bits(),
            mcr: mcr.bits(),
            msr: msr.bits(),
            scratch: *scratch,
            divisor: *divisor,
            received: received.clone(),
            last_received: *last_received,
            line_errors: line_errors.bits(),
            transmitter_empty: *transmitter_empty,
            receiver_touched: *receiver_touched,
            timed_out: *timed_out,
            polls: *polls,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            ier,
            fcr,
            lcr,
            mcr,
            msr,
            scratch,
            divisor,
            received,
            last_received,
            line_errors,
            transmitter_empty,
            receiver_touched,
            timed_out,
            polls,
        } = state.decode(self.name(), 1)?;
        if received.len() > FIFO_BYTES {
            return Err(RestoreError::Impossible {
                device: "serial",
                what: "more than 16 characters in the receiver FIFO",
            });
        }
        self.ier = Ier::from_bits_truncate(ier);
        self.fcr = Fcr::from_bits_truncate(fcr);
        self.lcr = Lcr::from_bits_retain(lcr);
        self.mcr = Mcr::from_bits_truncate(mcr);
        self.msr = Msr::from_bits_retain(msr);
        self.scratch = scratch;
        self.divisor = divisor;
        self.received = received;
        self.last_received = last_received;
        self.line_errors = Lsr::from_bits_truncate(line_errors);
        self.transmitter_empty = transmitter_empty;
        self.receiver_touched = receiver_touched;
        self.timed_out = timed_out;
        self.polls = polls;
        self.irq.restore(self.irq_level());
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Registers for Serial {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        self.catch_up(cx.now);
        let [divisor_low, divisor_high] = self.divisor.to_le_bytes();
        *byte = match (register, self.lcr.contains(Lcr::DIVISOR_LATCH)) {
            (0, false) => self.read_receiver(cx.now),
            (0, true) => divisor_low,
            (1, false) => self.ier.bits(),
            (1, true) => divisor_high,
            (2, _) => self.read_iir(),
            (3, _) => self.lcr.bits(),
            (4, _) => self.mcr.bits(),
            (5, _) => self.read_lsr(),
            (6, _) => self.read_msr(),
            (7, _) => self.scratch,
            _ => return Err(BusError::NoRegister(register)),
        };
        self.update_irq();
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        let byte = byte_of_write(register, bytes)?;
        self.catch_up(cx.now);
        self.polls = 0;
        let [divisor_low, divisor_high] = self.divisor.to_le_bytes();
        match (register, self.lcr.contains(Lcr::DIVISOR_LATCH)) {
            (0, false) => self.transmit(byte, cx.now),
            (0, true) => self.divisor = u16::from_le_bytes([byte, divisor_high]),
            (1, false) => self.write_ier(byte),
            (1, true) => self.divisor = u16::from_le_bytes([divisor_low, byte]),
            (2, _) => self.write_fcr(byte, cx.now),
            (3, _) => self.write_lcr(byte, cx.now),
            (4, _) => self.write_mcr(byte),
            // The line and modem status registers are the chip's to write.
            (5 | 6, _) => {}
            (7, _) => self.scratch = byte,
            _ => return Err(BusError::NoRegister(register)),
        }
        // What changed may make room, or the timeout due.
        self.catch_up(cx.now);
        Ok(())
    }
}

impl Timed for Serial {
    /// The FIFO timeout, if its interrupt is enabled. Input from outside has
    /// no deadline: the machine calls `advance` when its console has some.
    fn next_deadline(&self) -> Option<Time> {
        if self.ier.contains(Ier::RECEIVED_DATA) {
            self.timeout_at()
        } else {
            None
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.catch_up(cx.now);
    }
}

#[cfg(test)]
mod tests;
