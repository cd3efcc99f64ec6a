//! The MC146818 real-time clock with 128 bytes of CMOS memory.
//!
//! Motorola MC146818A datasheet; the century byte 32h as on PC chipsets.
//! Registers: 0 is the index port, 1 the data port. Bit 7 of the index is the
//! board's NMI mask and is kept here.
//!
//! The date registers change in place, as on the chip: switching between BCD
//! and binary or 12 and 24 hours converts nothing. A second that passes is
//! added when somebody looks; any number of them costs the same. Reset clears
//! only what the chip's RESET pin clears: the battery keeps the rest.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::bus_error::BusError;
use crate::device::{Context, Device, Registers, Timed, byte_of_read, byte_of_write};
use crate::irq_line::IrqLine;
use crate::snapshot::{RestoreError, State};
use crate::time::Time;

mod calendar;

use calendar::Format;

/// Bytes of registers and memory.
const CMOS_BYTES: usize = 128;
const SECOND_NS: u64 = 1_000_000_000;
/// UIP rises 244 µs before an update that takes 1984 µs.
const UPDATE_NS: u64 = 244_000 + 1_984_000;
/// The first update comes half a second after the divider starts.
const FIRST_UPDATE_NS: u64 = SECOND_NS / 2;
/// The time base that periodic rates divide.
const BASE_HZ: u64 = 32_768;

const STATUS_A: usize = 0x0a;
const STATUS_B: usize = 0x0b;
const STATUS_C: usize = 0x0c;
const STATUS_D: usize = 0x0d;

/// Register D: the battery is good (VRT).
const VALID_RAM_AND_TIME: u8 = 0x80;
/// Register A: an update is in progress (UIP).
const UPDATE_IN_PROGRESS: u8 = 0x80;
/// Register A: 32768 Hz crystal, divider running, 1024 Hz.
const POWER_ON_A: u8 = 0x26;
/// Alarm bytes from here up match anything.
const DO_NOT_CARE: u8 = 0xc0;

bitflags! {
    /// Register B.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct StatusB: u8 {
        /// Daylight saving, which this chip does not do.
        const DSE = 1 << 0;
        /// Hours count to 24.
        const HOURS_24 = 1 << 1;
        /// The date is binary, else BCD.
        const DM_BINARY = 1 << 2;
        /// Square wave output, connected to nothing.
        const SQWE = 1 << 3;
        /// Update-ended interrupt enable.
        const UIE = 1 << 4;
        /// Alarm interrupt enable.
        const AIE = 1 << 5;
        /// Periodic interrupt enable.
        const PIE = 1 << 6;
        /// The guest is setting the date: no updates.
        const SET = 1 << 7;
    }

    /// Register C; the enables of register B have the same bits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct StatusC: u8 {
        /// An update has ended.
        const UF = 1 << 4;
        /// The alarm has matched.
        const AF = 1 << 5;
        /// A period has passed.
        const PF = 1 << 6;
        /// An enabled one of the above: the interrupt line is high.
        const IRQF = 1 << 7;
    }
}

/// The clock.
#[derive(Debug)]
pub struct Rtc {
    irq: IrqLine,
    /// Rises with each alarm, for power management.
    alarm: Option<IrqLine>,
    /// Index port, with the NMI mask in bit 7.
    index: u8,
    cmos: [u8; CMOS_BYTES],
    /// When the current second began, that is, the last update ended.
    second_began: Time,
    /// When the divider was started.
    divider_started: Time,
    /// Up to when periods were counted.
    seen: Time,
}

#[derive(Serialize, Deserialize)]
struct SavedV1 {
    index: u8,
    cmos: Vec<u8>,
    second_began: Time,
    divider_started: Time,
    seen: Time,
}

impl Rtc {
    /// A running clock that drives `irq` and shows `start`, in seconds since
    /// 1970-01-01 UTC, at power-on.
    #[must_use]
    pub fn new(irq: IrqLine, start: i64) -> Self {
        let mut cmos = [0; CMOS_BYTES];
        cmos[STATUS_A] = POWER_ON_A;
        cmos[STATUS_B] = StatusB::HOURS_24.bits();
        cmos[STATUS_D] = VALID_RAM_AND_TIME;
        let mut rtc = Self {
            irq,
            alarm: None,
            index: 0,
            cmos,
            second_began: Time::ZERO,
            divider_started: Time::ZERO,
            seen: Time::ZERO,
        };
        let format = rtc.format();
        calendar::show(&mut rtc.cmos, format, start);
        rtc
    }

    /// The same clock, with a wire that rises at each alarm that interrupts,
    /// whatever keeps the interrupt itself away.
    #[must_use]
    pub fn with_alarm(mut self, alarm: IrqLine) -> Self {
        self.alarm = Some(alarm);
        self
    }

    /// When the alarm next goes off, if it is enabled.
    #[must_use]
    pub fn next_alarm(&self) -> Option<Time> {
        let is_on = self.status_b().contains(StatusB::AIE) && self.updates();
        let seconds = self.seconds_to_alarm().filter(|_| is_on)?;
        Some(self.after_seconds(seconds))
    }

    /// When so many more seconds of the date will have begun.
    fn after_seconds(&self, seconds: u64) -> Time {
        self.second_began
            .after_ns(seconds.saturating_mul(SECOND_NS))
    }

    /// Puts `value` at `index` (below 128), as firmware that knows the board
    /// does: memory sizes, boot order. Not for the registers below 0Eh.
    pub fn set_cmos(&mut self, index: u8, value: u8) {
        if let Some(byte) = self.cmos.get_mut(usize::from(index)) {
            *byte = value;
        }
    }

    /// Whether the guest masks the NMI, by bit 7 of the index port.
    #[must_use]
    pub const fn nmi_masked(&self) -> bool {
        self.index & 0x80 != 0
    }

    fn format(&self) -> Format {
        let b = self.status_b();
        Format {
            is_binary: b.contains(StatusB::DM_BINARY),
            is_24_hours: b.contains(StatusB::HOURS_24),
        }
    }

    const fn status_b(&self) -> StatusB {
        StatusB::from_bits_retain(self.cmos[STATUS_B])
    }

    const fn status_c(&self) -> StatusC {
        StatusC::from_bits_retain(self.cmos[STATUS_C])
    }

    /// Register A selects the 32768 Hz crystal and does not hold the divider.
    const fn divider_runs(&self) -> bool {
        self.cmos[STATUS_A] & 0x70 == 0x20
    }

    fn updates(&self) -> bool {
        self.divider_runs() && !self.status_b().contains(StatusB::SET)
    }

    /// The periodic rate in cycles of the time base, if one is selected.
    const fn period_cycles(&self) -> Option<u64> {
        match self.cmos[STATUS_A] & 0x0f {
            0 => None,
            // With this time base, 1 and 2 are 256 and 128 Hz.
            rate @ 1..=2 => Some(1 << (rate + 6)),
            rate => Some(1 << (rate - 1)),
        }
    }

    /// How many periods of `cycles` lie between the divider's start and `at`.
    fn periods(&self, at: Time, cycles: u64) -> u64 {
        let elapsed = u128::from(at.ns_since(self.divider_started));
        let periods = elapsed * u128::from(BASE_HZ) / u128::from(SECOND_NS) / u128::from(cycles);
        u64::try_from(periods).unwrap_or(u64::MAX)
    }

    /// Raises `flags`, and the line if one of them is enabled.
    fn raise(&mut self, flags: StatusC) {
        let mut c = self.status_c() | flags;
        c.set(StatusC::IRQF, c.bits() & self.cmos[STATUS_B] & 0x70 != 0);
        self.cmos[STATUS_C] = c.bits();
        self.irq.set(c.contains(StatusC::IRQF));
    }

    fn catch_up(&mut self, now: Time) {
        if now <= self.seen {
            return;
        }
        let mut flags = StatusC::empty();
        if self.divider_runs() {
            if let Some(cycles) = self.period_cycles()
                && self.periods(now, cycles) > self.periods(self.seen, cycles)
            {
                flags |= StatusC::PF;
            }
            let seconds = now.ns_since(self.second_began) / SECOND_NS;
            if seconds > 0 {
                self.second_began = self.second_began.after_ns(seconds * SECOND_NS);
                if self.updates() {
                    flags |= self.update(seconds);
                }
            }
        }
        self.seen = now;
        if !flags.is_empty() {
            self.raise(flags);
        }
        if flags.contains(StatusC::AF)
            && self.status_b().contains(StatusB::AIE)
            && let Some(alarm) = &self.alarm
        {
            alarm.pulse(false);
        }
    }

    /// Adds `seconds` to the date.
    fn update(&mut self, seconds: u64) -> StatusC {
        let mut flags = StatusC::UF;
        if let Some(alarm) = self.seconds_to_alarm()
            && alarm <= seconds
        {
            flags |= StatusC::AF;
        }
        let format = self.format();
        calendar::add(&mut self.cmos, format, seconds);
        flags
    }

    /// How many updates until the alarm matches, if it ever does.
    fn seconds_to_alarm(&self) -> Option<u64> {
        let format = self.format();
        let wanted = |byte: u8, decode: fn(Format, u8) -> u32| {
            (byte < DO_NOT_CARE).then(|| decode(format, byte))
        };
        let second = wanted(self.cmos[0x01], Format::number);
        let minute = wanted(self.cmos[0x03], Format::number);
        // PM is bit 7, so with 12 hours the pattern is the top two bits.
        let hour = wanted(self.cmos[0x05], Format::hour);
        calendar::seconds_until(format.time_of_day(&self.cmos), hour, minute, second)
    }

    fn write_status_a(&mut self, byte: u8, now: Time) {
        let ran = self.divider_runs();
        self.cmos[STATUS_A] = byte & !UPDATE_IN_PROGRESS;
        if self.divider_runs() && !ran {
            self.divider_started = now;
            // Half a second of the first second is already over. Before the
            // first half second after power-on that point has no number.
            self.second_began = Time(now.0.saturating_sub(FIRST_UPDATE_NS));
        }
    }

    fn write_status_b(&mut self, byte: u8) {
        let mut b = StatusB::from_bits_retain(byte);
        if b.contains(StatusB::SET) {
            b -= StatusB::UIE;
        }
        self.cmos[STATUS_B] = b.bits();
        self.raise(StatusC::empty());
    }

    fn read_data(&mut self, now: Time) -> u8 {
        let index = usize::from(self.index & 0x7f);
        match index {
            STATUS_A => {
                let into_second = now.ns_since(self.second_began) % SECOND_NS;
                let updating = self.updates() && into_second >= SECOND_NS - UPDATE_NS;
                self.cmos[STATUS_A] | if updating { UPDATE_IN_PROGRESS } else { 0 }
            }
            STATUS_C => {
                let c = self.cmos[STATUS_C];
                self.cmos[STATUS_C] = 0;
                self.irq.set(false);
                c
            }
            STATUS_D => VALID_RAM_AND_TIME,
            _ => self.cmos.get(index).copied().unwrap_or(0xff),
        }
    }

    fn write_data(&mut self, byte: u8, now: Time) {
        let index = usize::from(self.index & 0x7f);
        match index {
            STATUS_A => self.write_status_a(byte, now),
            STATUS_B => self.write_status_b(byte),
            STATUS_C | STATUS_D => {}
            _ => {
                if let Some(place) = self.cmos.get_mut(index) {
                    *place = byte;
                }
            }
        }
    }

    /// The next boundary of the periodic rate.
    fn next_period(&self) -> Option<Time> {
        let cycles = self.period_cycles()?;
        let next = u128::from(self.periods(self.seen, cycles)) + 1;
        let ns = (next * u128::from(cycles) * u128::from(SECOND_NS)).div_ceil(u128::from(BASE_HZ));
        let ns = u64::try_from(ns).unwrap_or(u64::MAX);
        Some(self.divider_started.after_ns(ns))
    }
}

impl Device for Rtc {
    fn name(&self) -> &'static str {
        "rtc"
    }

    fn reset(&mut self) {
        self.index = 0;
        let cleared = StatusB::PIE | StatusB::AIE | StatusB::UIE | StatusB::SQWE;
        self.cmos[STATUS_B] &= !cleared.bits();
        self.cmos[STATUS_C] = 0;
        self.irq.set(false);
    }

    fn save(&self) -> State {
        let Self {
            irq: _,
            alarm: _,
            index,
            cmos,
            second_began,
            divider_started,
            seen,
        } = self;
        let saved = SavedV1 {
            index: *index,
            cmos: cmos.to_vec(),
            second_began: *second_began,
            divider_started: *divider_started,
            seen: *seen,
        };
        State::encode(1, &saved)
    }

    fn restore(&mut self, state: State) -> Result<(), RestoreError> {
        let SavedV1 {
            index,
            cmos,
            second_began,
            divider_started,
            seen,
        } = state.decode(self.name(), 1)?;
        self.cmos = cmos.try_into().map_err(|_| RestoreError::Impossible {
            device: "rtc",
            what: "CMOS memory is not 128 bytes",
        })?;
        self.index = index;
        self.second_began = second_began;
        self.divider_started = divider_started;
        self.seen = seen;
        self.irq.restore(self.status_c().contains(StatusC::IRQF));
        Ok(())
    }

    fn registers(&mut self) -> Option<&mut dyn Registers> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Registers for Rtc {
    fn read(
        &mut self,
        register: u64,
        bytes: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Result<(), BusError> {
        let byte = byte_of_read(register, bytes)?;
        self.catch_up(cx.now);
        *byte = match register {
            // The index port is write-only on the chip's board.
            0 => 0xff,
            1 => self.read_data(cx.now),
            _ => return Err(BusError::NoRegister(register)),
        };
        Ok(())
    }

    fn write(&mut self, register: u64, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), BusError> {
        let byte = byte_of_write(register, bytes)?;
        self.catch_up(cx.now);
        match register {
            0 => self.index = byte,
            1 => self.write_data(byte, cx.now),
            _ => return Err(BusError::NoRegister(register)),
        }
        Ok(())
    }
}

impl Timed for Rtc {
    /// The next interrupt; flags without one are computed when read.
    fn next_deadline(&self) -> Option<Time> {
        let b = self.status_b();
        if !self.divider_runs() || self.status_c().contains(StatusC::IRQF) {
            return None;
        }
        let mut deadline = None;
        let mut consider = |time: Option<Time>| {
            deadline = match (deadline, time) {
                (Some(a), Some(b)) => Some(Time::min(a, b)),
                (a, b) => a.or(b),
            };
        };
        if b.contains(StatusB::PIE) {
            consider(self.next_period());
        }
        if self.updates() {
            if b.contains(StatusB::UIE) {
                consider(Some(self.after_seconds(1)));
            }
            consider(self.next_alarm());
        }
        deadline
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.catch_up(cx.now);
    }
}

#[cfg(test)]
mod tests;
