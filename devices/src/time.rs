//! Virtual time.

use serde::{Deserialize, Serialize};

const SECOND_NS: u64 = 1_000_000_000;

/// A point in virtual time, in nanoseconds since power-on.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// Power-on.
    pub const ZERO: Self = Self(0);

    /// The point `ns` nanoseconds later, or the end of time.
    #[must_use]
    pub const fn after_ns(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// How often a clock of `hz` has ticked since power-on.
    #[must_use]
    pub const fn ticks(self, hz: u32) -> u64 {
        // By whole seconds and what is left: 64 bits are enough, and quick to divide.
        let (seconds, ns) = (self.0 / SECOND_NS, self.0 % SECOND_NS);
        seconds.saturating_mul(hz as u64) + ns * hz as u64 / SECOND_NS
    }

    /// The first nanosecond at which a clock of `hz`, which is not zero, has ticked so often.
    #[must_use]
    pub const fn of_tick(tick: u64, hz: u32) -> Self {
        let hz = hz as u64;
        let ns = (tick % hz * SECOND_NS).div_ceil(hz);
        Self((tick / hz).saturating_mul(SECOND_NS).saturating_add(ns))
    }

    /// Nanoseconds from `earlier` to here; zero if it is not earlier.
    #[must_use]
    pub const fn ns_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{SECOND_NS, Time};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ticks_are_exact(ns in any::<u64>(), hz in 1u32..=1_000_000_000) {
            let plain = u128::from(ns) * u128::from(hz) / u128::from(SECOND_NS);
            prop_assert_eq!(u128::from(Time(ns).ticks(hz)), plain);
        }

        #[test]
        fn a_tick_begins_at_its_first_nanosecond(tick in any::<u64>(), hz in 1u32..) {
            let plain = (u128::from(tick) * u128::from(SECOND_NS)).div_ceil(u128::from(hz));
            let plain = u64::try_from(plain).unwrap_or(u64::MAX);
            prop_assert_eq!(Time::of_tick(tick, hz), Time(plain));
        }
    }
}
