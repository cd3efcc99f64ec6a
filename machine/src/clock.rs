//! Guest time: a function of the count of retired instructions.
//!
//! Between two looks at the host it advances at a fixed rate, so every access in
//! between has an exact time. A look may move it forward ([`Clock::steer`]) and
//! change the rate; those moves are the only way for the host's clock to reach the guest.

use rax_devices::Time;

/// Picoseconds in a nanosecond: rates are kept in picoseconds an instruction.
const PS: u64 = 1000;
/// What one instruction takes in virtual time, and at first in real time.
const NOMINAL_PS: u64 = 1000;
/// No instruction is slower than this in guest time, or timers would starve the guest.
const SLOWEST_PS: u64 = 100_000;

/// Guest time.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The count at which `base` was the time.
    base_instructions: u64,
    base: Time,
    /// Picoseconds an instruction.
    rate_ps: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            base_instructions: 0,
            base: Time::ZERO,
            rate_ps: NOMINAL_PS,
        }
    }
}

impl Clock {
    /// The time after `instructions` retired instructions.
    #[must_use]
    pub fn now(&self, instructions: u64) -> Time {
        let since = instructions.saturating_sub(self.base_instructions);
        if self.rate_ps == PS {
            return self.base.after_ns(since);
        }
        let ps = u128::from(since) * u128::from(self.rate_ps);
        let ns = u64::try_from(ps / u128::from(PS)).unwrap_or(u64::MAX);
        self.base.after_ns(ns)
    }

    /// The first count at which the time is at least `time`.
    #[must_use]
    pub fn instructions_at(&self, time: Time) -> u64 {
        if self.rate_ps == PS {
            let since = time.ns_since(self.base);
            return self.base_instructions.saturating_add(since);
        }
        let ps = u128::from(time.ns_since(self.base)) * u128::from(PS);
        let count = ps.div_ceil(u128::from(self.rate_ps));
        self.base_instructions
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// An access takes time, beside the instruction's own.
    pub fn pass(&mut self, instructions: u64, ns: u64) {
        self.base = self.now(instructions).after_ns(ns);
        self.base_instructions = instructions;
    }

    /// An idle processor's time passes without instructions.
    pub fn skip_to(&mut self, instructions: u64, time: Time) {
        self.base = self.now(instructions).max(time);
        self.base_instructions = instructions;
    }

    /// Follows the host: guest time is never behind `host` and never goes back.
    /// `ran` instructions took `took_ns` of host time.
    pub fn steer(&mut self, instructions: u64, host: Time, ran: u64, took_ns: u64) {
        let now = self.now(instructions);
        self.base_instructions = instructions;
        self.base = now.max(host);
        if ran >= 1000 {
            let measured = u128::from(took_ns) * u128::from(PS) / u128::from(ran);
            let measured = u64::try_from(measured).unwrap_or(u64::MAX);
            // Half the way there; a guest ahead of the host is slowed down until it is not.
            let wanted = if now > host { measured / 2 } else { measured };
            self.rate_ps = ((self.rate_ps + wanted) / 2).clamp(1, SLOWEST_PS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use proptest::prelude::*;
    use rax_devices::Time;

    proptest! {
        #[test]
        fn a_deadline_is_reached_at_its_count_and_not_before(
            rate in prop_oneof![1u64..200_000, Just(1000)], base in any::<u32>(), time in any::<u32>(),
        ) {
            let mut clock = Clock { rate_ps: rate, ..Clock::default() };
            clock.skip_to(5, Time(u64::from(base)));
            let time = Time(u64::from(time));
            let count = clock.instructions_at(time);
            prop_assert!(clock.now(count) >= time);
            prop_assert!(count <= 5 || clock.now(count - 1) < time);
        }

        #[test]
        fn time_never_goes_back(looks in prop::collection::vec((0u64..1_000_000, 0u64..10_000_000), 1..50)) {
            let mut clock = Clock::default();
            let (mut count, mut host, mut last) = (0, 0, Time::ZERO);
            for (ran, took) in looks {
                count += ran;
                host += took;
                prop_assert!(clock.now(count) >= last);
                clock.steer(count, Time(host), ran, took);
                last = clock.now(count);
                prop_assert!(last >= Time(host));
            }
        }
    }
}
