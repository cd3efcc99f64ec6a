//! The local APIC's timer (SDM 3A, 11.5.4): one-shot, periodic, TSC-deadline.
//!
//! Counts are computed from when the count was started, so rounding never
//! adds up, however often the timer is looked at.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// How the timer runs: bits 18 and 17 of its LVT entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    OneShot,
    Periodic,
    TscDeadline,
}

/// The timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timer {
    /// The initial-count register.
    initial: u32,
    /// The divide configuration register: bits 0, 1 and 3.
    divide: u8,
    /// When the count was started.
    started: Time,
    /// The count it started with; the initial count, unless that was under
    /// way when the divisor or the mode changed. Zero is a timer at rest: it
    /// was never started, or it had come to zero before that change.
    first: u32,
    /// How often it has come to zero since.
    expiries: u64,
    /// IA32_TSC_DEADLINE; zero is disarmed.
    deadline: u64,
}

const NS: u128 = 1_000_000_000;

impl Timer {
    pub(super) const fn new() -> Self {
        Self {
            initial: 0,
            divide: 0,
            started: Time::ZERO,
            first: 0,
            expiries: 0,
            deadline: 0,
        }
    }

    pub(super) const fn initial(&self) -> u32 {
        self.initial
    }

    pub(super) const fn divide(&self) -> u8 {
        self.divide
    }

    pub(super) const fn deadline(&self) -> u64 {
        self.deadline
    }

    pub(super) const fn set_deadline(&mut self, deadline: u64) {
        self.deadline = deadline;
    }

    /// A write to the initial-count register starts the count.
    pub(super) const fn start(&mut self, count: u32, now: Time) {
        self.initial = count;
        self.first = count;
        self.started = now;
        self.expiries = 0;
    }

    /// The mode has changed between counting and TSC-deadline: disarmed.
    pub(super) const fn disarm(&mut self, now: Time) {
        self.start(0, now);
        self.deadline = 0;
    }

    /// A write to the divide configuration register: what is left of the
    /// count goes on at the new rate.
    pub(super) fn set_divide(&mut self, bits: u8, mode: Mode, hz: u64, now: Time) {
        self.begin_anew(mode, hz, now);
        self.divide = bits & 0b1011;
    }

    /// The mode has changed from `mode` between one-shot and periodic: what is
    /// left of the count goes on, and a count that came to zero stays there.
    /// The manual does not say; processors do so.
    pub(super) fn change_mode(&mut self, mode: Mode, hz: u64, now: Time) {
        self.begin_anew(mode, hz, now);
    }

    /// Takes what is left of the count for the one it started with.
    fn begin_anew(&mut self, mode: Mode, hz: u64, now: Time) {
        self.first = self.current(mode, hz, now);
        self.started = now;
        self.expiries = 0;
    }

    /// What the divide configuration register divides by.
    const fn divisor(&self) -> u64 {
        match self.divide & 0b11 | (self.divide >> 1 & 0b100) {
            0b111 => 1,
            power => 2 << power,
        }
    }

    /// How far it has counted since it was started.
    fn elapsed(&self, hz: u64, now: Time) -> u64 {
        let ns = u128::from(now.ns_since(self.started));
        let counts = ns * u128::from(hz) / (NS * u128::from(self.divisor()));
        u64::try_from(counts).unwrap_or(u64::MAX)
    }

    /// The first nanosecond at which it has counted to `count`.
    fn time_of(&self, count: u64, hz: u64) -> Time {
        let ns = (u128::from(count) * NS * u128::from(self.divisor())).div_ceil(hz.into());
        self.started.after_ns(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// How often it has come to zero after `elapsed` counts.
    fn expiries_after(&self, elapsed: u64, mode: Mode) -> u64 {
        let Some(since_first) = elapsed.checked_sub(u64::from(self.first)) else {
            return 0;
        };
        match mode {
            Mode::Periodic if self.initial != 0 => {
                (since_first / u64::from(self.initial)).saturating_add(1)
            }
            _ => 1,
        }
    }

    /// The current-count register.
    pub(super) fn current(&self, mode: Mode, hz: u64, now: Time) -> u32 {
        if mode == Mode::TscDeadline || self.first == 0 {
            return 0;
        }
        let elapsed = self.elapsed(hz, now);
        let first = u64::from(self.first);
        let initial = u64::from(self.initial);
        let count = match (elapsed.checked_sub(first), mode) {
            (None, _) => first - elapsed,
            (Some(since), Mode::Periodic) => initial - since % initial,
            (Some(_), _) => 0,
        };
        u32::try_from(count).unwrap_or(0)
    }

    /// Whether it has come to zero since it was last asked; `tsc` is what the
    /// time-stamp counter shows.
    pub(super) fn expire(&mut self, mode: Mode, hz: u64, now: Time, tsc: u64) -> bool {
        if mode == Mode::TscDeadline {
            let fires = self.deadline != 0 && tsc >= self.deadline;
            if fires {
                self.deadline = 0;
            }
            return fires;
        }
        if self.first == 0 {
            return false;
        }
        let expiries = self.expiries_after(self.elapsed(hz, now), mode);
        let fires = expiries > self.expiries;
        self.expiries = self.expiries.max(expiries);
        fires
    }

    /// When it next comes to zero.
    pub(super) fn next(&self, mode: Mode, hz: u64, tsc_hz: u64) -> Option<Time> {
        match mode {
            Mode::TscDeadline if self.deadline == 0 => None,
            Mode::TscDeadline => {
                let ns = (u128::from(self.deadline) * NS).div_ceil(tsc_hz.into());
                Some(Time(u64::try_from(ns).unwrap_or(u64::MAX)))
            }
            _ if self.first == 0 => None,
            Mode::OneShot if self.expiries != 0 => None,
            _ => {
                let initial = u64::from(self.initial);
                let count = self.expiries.saturating_mul(initial);
                let count = count.saturating_add(u64::from(self.first));
                Some(self.time_of(count, hz))
            }
        }
    }
}
