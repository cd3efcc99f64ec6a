//! One timer of the HPET (IA-PC HPET 1.0a, 2.3.8 to 2.3.10).

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// Configuration and capabilities.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Config: u64 {
        /// Level triggered, else edge triggered.
        const INT_TYPE = 1 << 1;
        const INT_ENB = 1 << 2;
        /// Periodic.
        const TYPE = 1 << 3;
        /// Can be periodic; read only.
        const PER_INT_CAP = 1 << 4;
        /// 64 bits wide; read only.
        const SIZE_CAP = 1 << 5;
        /// The next value written is the comparator's; reads as zero later.
        const VAL_SET = 1 << 6;
        /// Works as a 32-bit timer.
        const MODE_32 = 1 << 8;
        const INT_ROUTE = 0x1f << 9;
        /// Sends messages.
        const FSB_EN = 1 << 14;
        /// Can send messages; read only.
        const FSB_INT_DEL_CAP = 1 << 15;
    }
}

impl Config {
    const WRITABLE: Self = Self::INT_TYPE
        .union(Self::INT_ENB)
        .union(Self::TYPE)
        .union(Self::VAL_SET)
        .union(Self::MODE_32)
        .union(Self::FSB_EN);
    const CAPABILITIES: Self = Self::PER_INT_CAP
        .union(Self::SIZE_CAP)
        .union(Self::FSB_INT_DEL_CAP);
}

/// A timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparator {
    config: Config,
    /// The interrupt inputs that it can be routed to, one bit each.
    routes: u32,
    value: u64,
    /// What a periodic timer adds to its value after a match.
    period: u64,
    fsb_route: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedComparatorV1 {
    config: u64,
    value: u64,
    period: u64,
    fsb_route: u64,
}

impl Comparator {
    /// A timer after reset.
    pub(super) const fn new(routes: u32) -> Self {
        Self {
            config: Config::CAPABILITIES,
            routes,
            value: u64::MAX,
            period: 0,
            fsb_route: 0,
        }
    }

    pub(super) const fn reset(&mut self) {
        *self = Self::new(self.routes);
    }

    pub(super) const fn config(&self) -> Config {
        self.config
    }

    pub(super) const fn value(&self) -> u64 {
        self.value
    }

    pub(super) const fn fsb_route(&self) -> u64 {
        self.fsb_route
    }

    pub(super) const fn set_fsb_route(&mut self, value: u64) {
        self.fsb_route = value;
    }

    /// Address and data of its message.
    pub(super) const fn message(&self) -> (u64, u32) {
        (self.fsb_route >> 32, self.fsb_route as u32)
    }

    /// The interrupt input it is routed to.
    pub(super) const fn route(&self) -> u8 {
        (self.config.bits() >> 9) as u8 & 0x1f
    }

    pub(super) fn read_config(&self) -> u64 {
        self.config.bits() | u64::from(self.routes) << 32
    }

    pub(super) fn write_config(&mut self, value: u64) {
        let new = Config::from_bits_truncate(value);
        // A route that does not exist is not taken.
        let route = value >> 9 & 0x1f;
        let routed = if self.routes >> route & 1 != 0 {
            new & Config::INT_ROUTE
        } else {
            self.config & Config::INT_ROUTE
        };
        self.config = Config::CAPABILITIES | (new & Config::WRITABLE) | routed;
        if self.config.contains(Config::MODE_32) {
            self.value &= self.mask();
            self.period &= self.mask();
        }
    }

    /// A write of the bits in `written`. In periodic mode it sets the period;
    /// and the comparator too if `VAL_SET` allows it.
    pub(super) fn set_value(&mut self, value: u64, written: u64) {
        let over = |old: u64| ((old & !written) | (value & written)) & self.mask();
        let (new_value, new_period) = (over(self.value), over(self.period));
        let is_periodic = self.config.contains(Config::TYPE);
        if !is_periodic || self.config.contains(Config::VAL_SET) {
            self.value = new_value;
        }
        if is_periodic {
            self.period = new_period;
        }
        self.config.remove(Config::VAL_SET);
    }

    const fn mask(&self) -> u64 {
        if self.config.contains(Config::MODE_32) {
            u32::MAX as u64
        } else {
            u64::MAX
        }
    }

    /// Periods until the counter, now `counter`, next equals the comparator:
    /// at least one, at most a whole turn of the counter.
    pub(super) fn periods_to_match(&self, counter: u64) -> u128 {
        match self.value.wrapping_sub(counter) & self.mask() {
            0 => u128::from(self.mask()) + 1,
            periods => u128::from(periods),
        }
    }

    /// The counter has moved from `before` by `elapsed`; true if it matched.
    pub(super) fn advance(&mut self, before: u64, elapsed: u64) -> bool {
        let to_match = self.periods_to_match(before);
        let Some(since) = u128::from(elapsed).checked_sub(to_match) else {
            return false;
        };
        if self.config.contains(Config::TYPE) && self.period != 0 {
            let matches = since / u128::from(self.period) + 1;
            // At most 2^64 matches, of which the turns of the counter drop out.
            let matches = (matches & u128::from(u64::MAX)) as u64;
            let moved = self.value.wrapping_add(matches.wrapping_mul(self.period));
            self.value = moved & self.mask();
        }
        true
    }

    pub(super) fn save(&self) -> SavedComparatorV1 {
        let Self {
            config,
            routes: _,
            value,
            period,
            fsb_route,
        } = self;
        SavedComparatorV1 {
            config: config.bits(),
            value: *value,
            period: *period,
            fsb_route: *fsb_route,
        }
    }

    pub(super) fn restore(&mut self, saved: &SavedComparatorV1) {
        let kept = Config::WRITABLE | Config::INT_ROUTE;
        self.config = Config::CAPABILITIES | (Config::from_bits_truncate(saved.config) & kept);
        self.value = saved.value & self.mask();
        self.period = saved.period & self.mask();
        self.fsb_route = saved.fsb_route;
    }
}
