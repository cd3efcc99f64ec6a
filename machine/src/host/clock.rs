//! The host's clocks: the steady one that paces the guest, and the wall clock that sets its calendar once.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A steady clock that starts at zero.
#[derive(Clone, Copy, Debug)]
pub struct HostClock {
    start: Instant,
}

impl HostClock {
    /// Starts a clock.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        // 584 years fit.
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The host's instant that lies `ns` after the start, to wait for; `None` is never.
    #[must_use]
    pub fn instant_at(&self, ns: u64) -> Option<Instant> {
        self.start.checked_add(Duration::from_nanos(ns))
    }

    /// Seconds since 1970 by the wall clock, in UTC.
    #[must_use]
    pub fn unix_seconds() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Inbox;

    #[test]
    fn a_wait_for_an_instant_ends_after_it() {
        let clock = HostClock::start();
        let wanted = clock.now_ns() + 3_000_000;
        assert!(!Inbox::default().wait_until(clock.instant_at(wanted)));
        assert!(clock.now_ns() >= wanted);
        assert!(HostClock::unix_seconds() > 1_700_000_000);
    }
}
