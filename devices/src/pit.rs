//! The 8254 programmable interval timer, and system control port B (61h).
//!
//! Intel 8254 datasheet (231164) and the IBM PC AT Technical Reference for
//! port 61h. Registers 0 to 2 are the channels, 3 the control word, 4 is
//! system control port B. Channel 0's OUT drives the interrupt line, channel
//! 1's the refresh nobody needs, channel 2's the speaker; only channel 2's
//! GATE is controlled, by port B.
//!
//! Time is counted in whole clocks since power-on, computed from the virtual
//! nanoseconds without rounding errors that add up. Each channel moves by any
//! number of clocks in one step, so the fastest rate a guest can program costs
//! no more than the slowest: rising edges between two looks count as one.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, byte_of_read, byte_of_write};
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod channel;

use channel::{Channel, SavedChannelV1};

/// The input clock: 14.31818 MHz / 12.
pub const CLOCK_HZ: u32 = 1_193_182;

/// Half a period of the refresh request that port B shows.
const REFRESH_TOGGLE_NS: u64 = 15_085;

bitflags! {
    /// System control port B.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct PortB: u8 {
        /// Channel 2's GATE.
        const GATE_2 = 1 << 0;
        /// Passes channel 2's OUT to the speaker.
        const SPEAKER = 1 << 1;
        /// Clears and disables the parity check.
        const PARITY_OFF = 1 << 2;
        /// Clears and disables the I/O channel check.
        const CHANNEL_CHECK_OFF = 1 << 3;
        /// Changes with every refresh request; read only.
        const REFRESH = 1 << 4;
        /// Channel 2's OUT; read only.
        const OUT_2 = 1 << 5;
        /// What a write reaches.
        const WRITABLE = 0b1111;
    }
}

/// The timer.
#[derive(Debug)]
pub struct Pit {
    irq: IrqLine,
    channels: [Channel; 3],
    port_b: PortB,
    /// The clock up to which the channels have been brought.
    clock: u64,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    channels: [SavedChannelV1; 3],
    port_b: u8,
    clock: u64,
}

impl Pit {
    /// A timer whose channel 0 drives `irq`, with no channel programmed.
    #[must_use]
    pub fn new(irq: IrqLine) -> Self {
        let mut pit = Self {
            irq,
            channels: [Channel::new(true), Channel::new(true), Channel::new(false)],
            port_b: PortB::empty(),
            clock: 0,
        };
        pit.reset();
        pit
    }

    /// Whether the speaker's membrane is pushed out: channel 2's OUT, if port
    /// B passes it on.
    #[must_use]
    pub fn speaker(&self) -> bool {
        self.port_b.contains(PortB::SPEAKER) && self.channels[2].out()
    }

    fn catch_up(&mut self, now: Time) {
        let clock = now.ticks(CLOCK_HZ);
        let elapsed = clock.saturating_sub(self.clock);
        if elapsed == 0 {
            return;
        }
        self.clock = clock;
        let [timer, refresh, speaker] = &mut self.channels;
        if timer.advance(elapsed) {
            self.irq.pulse(timer.out());
        } else {
            self.irq.set(timer.out());
        }
        refresh.advance(elapsed);
        speaker.advance(elapsed);
    }

    fn write_control(&mut self, word: u8) {
        match word >> 6 {
            3 => {
                for (index, channel) in self.channels.iter_mut().enumerate() {
                    if word & (2 << index) != 0 {
                        channel.read_back(word);
                    }
                }
            }
            select => {
                if let Some(channel) = self.channels.get_mut(usize::from(select)) {
                    channel.control(word);
                }
            }
        }
    }

    fn write_port_b(&mut self, byte: u8) {
        self.port_b = PortB::from_bits_truncate(byte) & PortB::WRITABLE;
        self.channels[2].set_gate(self.port_b.contains(PortB::GATE_2));
    }

    fn read_port_b(&self, now: Time) -> u8 {
        let mut port_b = self.port_b;
        port_b.set(PortB::REFRESH, (now.0 / REFRESH_TOGGLE_NS) & 1 != 0);
        port_b.set(PortB::OUT_2, self.channels[2].out());
        port_b.bits()
    }

    fn channel(&mut self, register: u64) -> Option<&mut Channel> {
        self.channels.get_mut(usize::try_from(register).ok()?)
    }
}

impl Device for Pit {
    fn name(&self) -> &'static str {
        "pit"
    }

    fn reset(&mut self) {
        self.channels = [Channel::new(true), Channel::new(true), Channel::new(false)];
        self.port_b = PortB::empty();
        self.irq.set(false);
    }

    fn save(&self) -> State {
        let Self {
            irq: _,
            channels,
            port_b,
            clock,
        } = self;
        let saved = SavedV1 {
            channels: channels.each_ref().map(Channel::save),
            port_b: port_b.bits(),
            clock: *clock,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            channels,
            port_b,
            clock,
        } = state.decode(self.name(), 1)?;
        self.channels = channels.each_ref().map(Channel::restore);
        self.port_b = PortB::from_bits_truncate(port_b) & PortB::WRITABLE;
        self.clock = clock;
        self.irq.restore(self.channels[0].out());
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Registers for Pit {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        self.catch_up(cx.now);
        *byte = match (register, self.channel(register)) {
            (_, Some(channel)) => channel.read(),
            // The control word cannot be read; the data bus floats.
            (3, None) => 0xff,
            (4, None) => self.read_port_b(cx.now),
            _ => return Err(BusError::NoRegister(register)),
        };
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        let byte = byte_of_write(register, bytes)?;
        self.catch_up(cx.now);
        match (register, self.channel(register)) {
            (_, Some(channel)) => channel.write(byte),
            (3, None) => self.write_control(byte),
            (4, None) => self.write_port_b(byte),
            _ => return Err(BusError::NoRegister(register)),
        }
        self.irq.set(self.channels[0].out());
        Ok(())
    }
}

impl Timed for Pit {
    /// The next rise of channel 0's OUT: an edge-triggered controller sees
    /// nothing else, and every other output is computed when it is read.
    fn next_deadline(&self) -> Option<Time> {
        let clocks = self.channels[0].clocks_to_rise()?;
        Some(Time::of_tick(self.clock.saturating_add(clocks), CLOCK_HZ))
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.catch_up(cx.now);
    }
}

#[cfg(test)]
mod tests;
