//! One counter of the 8254 (Intel 8254 datasheet, 231164, "Mode Definitions").
//!
//! The datasheet's words: the count register takes what the guest writes, the
//! counting element counts, the output latch holds what the guest will read.
//! [`Channel::advance`] moves the counting element by any number of clocks at
//! once, and gives the same result as single clocks would.

use serde::{Deserialize, Serialize};

/// A control word's bits 5 and 4: both bytes of the count are read and written.
const READ_WRITE_BOTH: u8 = 0x30;
/// The bits of the control word in the status: all but which counter it is for.
const CONTROL_WORD_SHOWN: u8 = 0x3f;

/// What the counter does; bits 3 to 1 of the control word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Mode {
    /// Mode 0.
    InterruptOnTerminalCount,
    /// Mode 1.
    OneShot,
    /// Mode 2.
    RateGenerator,
    /// Mode 3.
    SquareWave,
    /// Mode 4.
    SoftwareStrobe,
    /// Mode 5.
    HardwareStrobe,
}

impl Mode {
    const fn of_control_word(word: u8) -> Self {
        match (word >> 1) & 7 {
            0 => Self::InterruptOnTerminalCount,
            1 => Self::OneShot,
            // Bit 3 does not matter for modes 2 and 3.
            2 | 6 => Self::RateGenerator,
            3 | 7 => Self::SquareWave,
            4 => Self::SoftwareStrobe,
            _ => Self::HardwareStrobe,
        }
    }
}

/// Which bytes of the count go over the bus; bits 5 and 4 of the control word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ByteOrder {
    Low,
    High,
    LowThenHigh,
}

/// One counter.
#[derive(Debug)]
pub(super) struct Channel {
    /// The control word as written, which the status shows again: mode 2
    /// written as 6 reads as 6.
    control_word: u8,
    mode: Mode,
    bcd: bool,
    byte_order: ByteOrder,
    /// The count register, as written (binary or BCD).
    count_register: u16,
    /// Whether a whole count was written since the control word.
    has_count: bool,
    /// The low byte of a count whose high byte is still to come.
    low_byte: Option<u8>,
    /// Whether the next read of a two-byte count gives the high byte.
    reads_high: bool,
    latched_count: Option<u16>,
    latched_status: Option<u8>,
    /// The count register has not reached the counting element yet.
    null_count: bool,
    gate: bool,
    out: bool,
    /// The counting element is loaded at the next clock.
    loads: bool,
    /// The counting element was loaded since the control word.
    counting: bool,
    /// The counting element in binary, 0 after wrapping. In mode 3 the clocks
    /// left in this half of the wave instead.
    element: u32,
    /// The count that the counting element was loaded with.
    loaded: u32,
    /// Modes 0, 1, 4, 5: reaching zero still has an effect.
    armed: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedChannelV1 {
    control_word: u8,
    mode: Mode,
    bcd: bool,
    byte_order: ByteOrder,
    count_register: u16,
    has_count: bool,
    low_byte: Option<u8>,
    reads_high: bool,
    latched_count: Option<u16>,
    latched_status: Option<u8>,
    null_count: bool,
    gate: bool,
    out: bool,
    loads: bool,
    counting: bool,
    element: u32,
    loaded: u32,
    armed: bool,
}

impl Channel {
    /// A channel that awaits its control word.
    ///
    /// The datasheet leaves the state at power-on open; OUT is low here.
    pub(super) const fn new(gate: bool) -> Self {
        Self {
            control_word: READ_WRITE_BOTH,
            mode: Mode::InterruptOnTerminalCount,
            bcd: false,
            byte_order: ByteOrder::LowThenHigh,
            count_register: 0,
            has_count: false,
            low_byte: None,
            reads_high: false,
            latched_count: None,
            latched_status: None,
            null_count: true,
            gate,
            out: false,
            loads: false,
            counting: false,
            element: 0,
            loaded: 0,
            armed: false,
        }
    }

    /// The level of OUT.
    pub(super) const fn out(&self) -> bool {
        self.out
    }

    /// Lets `clocks` clocks pass. Says whether OUT rose in between.
    pub(super) fn advance(&mut self, clocks: u64) -> bool {
        let mut clocks = clocks;
        if clocks == 0 {
            return false;
        }
        let mut rose = false;
        // The strobe of modes 4 and 5 is one clock long.
        if self.is_strobe() && self.counting && !self.out {
            rose = self.set_out(true);
        }
        if self.loads {
            rose |= self.load();
            clocks -= 1;
        }
        if clocks == 0 || !self.counts() {
            return rose;
        }
        rose | match self.mode {
            Mode::InterruptOnTerminalCount | Mode::OneShot => {
                self.count_down(clocks).is_some() && self.set_out(true)
            }
            Mode::RateGenerator => self.generate_rate(clocks),
            Mode::SquareWave => self.generate_square_wave(clocks),
            Mode::SoftwareStrobe | Mode::HardwareStrobe => match self.count_down(clocks) {
                Some(0) => self.set_out(false),
                Some(_) => true,
                None => false,
            },
        }
    }

    /// How many clocks until OUT rises, if it will without the guest's help.
    pub(super) fn clocks_to_rise(&self) -> Option<u64> {
        let count = u64::from(self.full_count());
        if self.is_strobe() && self.counting && !self.out {
            return Some(1);
        }
        if self.loads {
            if !self.gate_permits() {
                return None;
            }
            let rise = match self.mode {
                Mode::InterruptOnTerminalCount | Mode::OneShot => count,
                Mode::RateGenerator | Mode::SquareWave if count == 1 => return None,
                Mode::RateGenerator | Mode::SquareWave => count,
                Mode::SoftwareStrobe | Mode::HardwareStrobe => count + 1,
            };
            return Some(rise + 1);
        }
        if !self.counts() {
            return None;
        }
        let left = u64::from(self.element);
        match self.mode {
            Mode::InterruptOnTerminalCount | Mode::OneShot => self.armed.then_some(left),
            Mode::RateGenerator if self.loaded > 1 => Some(left),
            Mode::RateGenerator => (count > 1).then_some(left + count),
            Mode::SquareWave if self.out && count == 1 => None,
            Mode::SquareWave if self.out => Some(left + count / 2),
            Mode::SquareWave => Some(left),
            Mode::SoftwareStrobe | Mode::HardwareStrobe => self.armed.then_some(left + 1),
        }
        .map(|clocks| clocks.max(1))
    }

    /// Changes the level of GATE.
    pub(super) fn set_gate(&mut self, high: bool) {
        let rises = high && !self.gate;
        self.gate = high;
        let periodic = matches!(self.mode, Mode::RateGenerator | Mode::SquareWave);
        let triggered = matches!(self.mode, Mode::OneShot | Mode::HardwareStrobe);
        if rises && self.has_count && (periodic || triggered) {
            self.loads = true;
        }
        if !high && periodic {
            self.out = true;
        }
    }

    /// A control word with this channel selected.
    pub(super) fn control(&mut self, word: u8) {
        let byte_order = match (word >> 4) & 3 {
            0 => {
                self.latch_count();
                return;
            }
            1 => ByteOrder::Low,
            2 => ByteOrder::High,
            _ => ByteOrder::LowThenHigh,
        };
        let mode = Mode::of_control_word(word);
        *self = Self {
            control_word: word,
            mode,
            bcd: word & 1 != 0,
            byte_order,
            out: mode != Mode::InterruptOnTerminalCount,
            // The element keeps what it held until the first load.
            element: self.element,
            loaded: self.loaded,
            ..Self::new(self.gate)
        };
    }

    /// A read-back command with this channel selected.
    pub(super) fn read_back(&mut self, word: u8) {
        // Both bits are active low.
        if word & 0x20 == 0 {
            self.latch_count();
        }
        if word & 0x10 == 0 && self.latched_status.is_none() {
            self.latched_status = Some(
                (u8::from(self.out) << 7)
                    | (u8::from(self.null_count) << 6)
                    | (self.control_word & CONTROL_WORD_SHOWN),
            );
        }
    }

    fn latch_count(&mut self) {
        // A count already latched stays until it is read.
        if self.latched_count.is_none() {
            self.latched_count = Some(self.visible_count());
        }
    }

    /// The guest reads the counter.
    pub(super) fn read(&mut self) -> u8 {
        if let Some(status) = self.latched_status.take() {
            return status;
        }
        let count = self.latched_count.unwrap_or_else(|| self.visible_count());
        let [low, high] = count.to_le_bytes();
        let (byte, is_last) = match self.byte_order {
            ByteOrder::Low => (low, true),
            ByteOrder::High => (high, true),
            ByteOrder::LowThenHigh => {
                self.reads_high = !self.reads_high;
                if self.reads_high {
                    (low, false)
                } else {
                    (high, true)
                }
            }
        };
        if is_last {
            self.latched_count = None;
        }
        byte
    }

    /// The guest writes the counter.
    pub(super) fn write(&mut self, byte: u8) {
        let count = match (self.byte_order, self.low_byte) {
            (ByteOrder::Low, _) => u16::from(byte),
            (ByteOrder::High, _) => u16::from(byte) << 8,
            (ByteOrder::LowThenHigh, None) => {
                self.low_byte = Some(byte);
                // In mode 0 the first byte stops counting.
                if self.mode == Mode::InterruptOnTerminalCount {
                    self.out = false;
                    self.armed = false;
                    self.loads = false;
                }
                return;
            }
            (ByteOrder::LowThenHigh, Some(low)) => u16::from_le_bytes([low, byte]),
        };
        self.low_byte = None;
        self.count_register = count;
        self.has_count = true;
        self.null_count = true;
        match self.mode {
            Mode::InterruptOnTerminalCount => {
                self.out = false;
                self.armed = false;
                self.loads = true;
            }
            Mode::SoftwareStrobe => self.loads = true,
            // Modes 2 and 3 finish their period, or half of it, first.
            Mode::RateGenerator | Mode::SquareWave => self.loads |= !self.counting,
            // Modes 1 and 5 wait for their trigger.
            Mode::OneShot | Mode::HardwareStrobe => {}
        }
    }

    const fn is_strobe(&self) -> bool {
        matches!(self.mode, Mode::SoftwareStrobe | Mode::HardwareStrobe)
    }

    /// Whether GATE lets the element count. Modes 1 and 5 want its edge only.
    const fn gate_permits(&self) -> bool {
        self.gate || matches!(self.mode, Mode::OneShot | Mode::HardwareStrobe)
    }

    fn counts(&self) -> bool {
        let stopped = self.mode == Mode::InterruptOnTerminalCount && self.low_byte.is_some();
        self.counting && self.gate_permits() && !stopped
    }

    /// Sets OUT and says whether it rose.
    const fn set_out(&mut self, high: bool) -> bool {
        let rose = high && !self.out;
        self.out = high;
        rose
    }

    /// Where the element wraps.
    const fn modulus(&self) -> u32 {
        if self.bcd { 10_000 } else { 0x1_0000 }
    }

    /// The count register in binary; zero stands for the modulus.
    fn full_count(&self) -> u32 {
        let count = if self.bcd {
            // Digits above 9 are not defined; they count as their value.
            let digit = |shift: u32| u32::from((self.count_register >> shift) & 0xf);
            (digit(12) * 1000 + digit(8) * 100 + digit(4) * 10 + digit(0)) % 10_000
        } else {
            u32::from(self.count_register)
        };
        if count == 0 { self.modulus() } else { count }
    }

    /// The clock that moves the count register to the element.
    fn load(&mut self) -> bool {
        self.loads = false;
        self.counting = true;
        self.null_count = false;
        self.element = self.full_count();
        self.loaded = self.element;
        self.armed = true;
        match self.mode {
            Mode::OneShot => self.set_out(false),
            Mode::RateGenerator => self.set_out(true),
            Mode::SquareWave => {
                self.element = half_wave(self.loaded, true);
                self.set_out(true)
            }
            Mode::InterruptOnTerminalCount | Mode::SoftwareStrobe | Mode::HardwareStrobe => false,
        }
    }

    /// Counts down and wraps; if zero was reached for the first time since
    /// loading, says how many clocks ago.
    fn count_down(&mut self, clocks: u64) -> Option<u64> {
        let modulus = u64::from(self.modulus());
        let element = match u64::from(self.element) {
            0 => modulus,
            element => element,
        };
        let since_zero = clocks.checked_sub(element);
        let left = (element + modulus - clocks % modulus) % modulus;
        self.element = left as u32;
        let since_zero = since_zero.filter(|_| self.armed)?;
        self.armed = false;
        Some(since_zero)
    }

    /// Mode 2: OUT is low for the last clock of each period.
    fn generate_rate(&mut self, clocks: u64) -> bool {
        let mut rose = false;
        match clocks.checked_sub(u64::from(self.element)) {
            None => self.element -= clocks as u32,
            Some(beyond) => {
                rose = self.loaded > 1;
                let count = self.full_count();
                rose |= beyond >= u64::from(count) && count > 1;
                self.null_count = false;
                self.loaded = count;
                self.element = count - (beyond % u64::from(count)) as u32;
            }
        }
        // A count of 1 is not allowed; OUT then stays high.
        self.out = self.element != 1 || self.loaded == 1;
        rose
    }

    /// Mode 3: OUT is high for the first half of each period.
    fn generate_square_wave(&mut self, clocks: u64) -> bool {
        let Some(mut beyond) = clocks.checked_sub(u64::from(self.element)) else {
            self.element -= clocks as u32;
            return false;
        };
        let count = self.full_count();
        self.null_count = false;
        self.loaded = count;
        if count == 1 {
            // Not allowed; OUT then stays high.
            self.element = 1;
            return self.set_out(true);
        }
        let mut rose = self.set_out(!self.out);
        rose |= beyond >= u64::from(count);
        beyond %= u64::from(count);
        self.element = half_wave(count, self.out);
        // What is left is less than a period: two halves at most.
        while beyond >= u64::from(self.element) {
            beyond -= u64::from(self.element);
            rose |= self.set_out(!self.out);
            self.element = half_wave(count, self.out);
        }
        self.element -= beyond as u32;
        rose
    }

    /// The counting element as the guest sees it.
    fn visible_count(&self) -> u16 {
        let element = match self.mode {
            // It counts by two; an odd count loses one at the start.
            Mode::SquareWave if self.counting => {
                let odd_start = self.loaded & 1 != 0 && self.out;
                2 * self.element.saturating_sub(u32::from(odd_start))
            }
            _ => self.element,
        } % self.modulus();
        if self.bcd {
            let digit = |divisor: u32| (element / divisor) % 10;
            ((digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1)) as u16
        } else {
            element as u16
        }
    }

    pub(super) const fn save(&self) -> SavedChannelV1 {
        let &Self {
            control_word,
            mode,
            bcd,
            byte_order,
            count_register,
            has_count,
            low_byte,
            reads_high,
            latched_count,
            latched_status,
            null_count,
            gate,
            out,
            loads,
            counting,
            element,
            loaded,
            armed,
        } = self;
        SavedChannelV1 {
            control_word,
            mode,
            bcd,
            byte_order,
            count_register,
            has_count,
            low_byte,
            reads_high,
            latched_count,
            latched_status,
            null_count,
            gate,
            out,
            loads,
            counting,
            element,
            loaded,
            armed,
        }
    }

    pub(super) fn restore(saved: &SavedChannelV1) -> Self {
        let &SavedChannelV1 {
            control_word,
            mode,
            bcd,
            byte_order,
            count_register,
            has_count,
            low_byte,
            reads_high,
            latched_count,
            latched_status,
            null_count,
            gate,
            out,
            loads,
            counting,
            element,
            loaded,
            armed,
        } = saved;
        Self {
            control_word,
            mode,
            bcd,
            byte_order,
            count_register,
            has_count,
            low_byte,
            reads_high,
            latched_count,
            latched_status,
            null_count,
            gate,
            out,
            loads,
            counting,
            // No run leads above this; a damaged snapshot must not either.
            element: element.min(0x1_0000),
            loaded: loaded.min(0x1_0000),
            armed,
        }
    }
}

/// Clocks in the high or low half of a square wave.
const fn half_wave(count: u32, high: bool) -> u32 {
    if high { count.div_ceil(2) } else { count / 2 }
}
