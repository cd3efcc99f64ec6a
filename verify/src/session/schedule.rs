//! In which order cases are run: some of each form, then some more of each, so that a
//! run that is cut short has seen all of them.

use std::ops::Range;
use std::time::Duration;

use super::{BATCH, Extent};
use crate::form::{Form, Kind};

/// Sequences and raw bytes count for so many forms, each.
const WEIGHT: u64 = 100;

pub(super) struct Schedule {
    entries: Vec<Entry>,
    at: usize,
    time: Option<Duration>,
    total: u64,
    given: u64,
    one: Option<u64>,
}

struct Entry {
    line: usize,
    weight: u64,
    /// How many cases it is to get.
    quota: u64,
    /// The number of its next case.
    next: u64,
}

impl Schedule {
    /// A schedule for forms, each with its place in the report.
    pub(super) fn new(forms: &[(usize, &'static Form)], extent: Extent) -> Self {
        let weight = |form: &Form| match form.kind {
            Kind::One(_) => 1,
            Kind::Sequence | Kind::Raw => WEIGHT,
        };
        let weights: u64 = forms.iter().map(|(_, form)| weight(form)).sum();
        let (total, time, one) = match extent {
            Extent::Cases(count) => (count, None, None),
            Extent::Time(time) => (u64::MAX, Some(time), None),
            Extent::One(number) => (forms.len() as u64, None, Some(number)),
        };
        // Shares of the total that add up to it.
        let share = |weight: u64| {
            (u128::from(total) * u128::from(weight) / u128::from(weights.max(1))) as u64
        };
        let mut before = 0;
        let entries = forms.iter().map(|&(line, form)| {
            let weight = weight(form);
            let quota = share(before + weight) - share(before);
            before += weight;
            Entry {
                line,
                weight,
                quota: if one.is_some() { 1 } else { quota },
                next: 0,
            }
        });
        Self {
            entries: entries.collect(),
            at: 0,
            time,
            total,
            given: 0,
            one,
        }
    }

    /// Whose turn it is, and with which cases.
    pub(super) fn next(&mut self, elapsed: Duration) -> Option<(usize, Range<u64>)> {
        if self.time.is_some_and(|time| elapsed >= time) {
            return None;
        }
        for _ in 0..self.entries.len() {
            let at = self.at;
            self.at = (at + 1) % self.entries.len();
            let entry = &mut self.entries[at];
            let count = entry
                .quota
                .saturating_sub(entry.next)
                .min(BATCH * entry.weight);
            if count == 0 {
                continue;
            }
            let first = entry.next;
            entry.next += count;
            self.given += count;
            if let Some(number) = self.one {
                return Some((entry.line, number..number.saturating_add(1)));
            }
            return Some((entry.line, first..first + count));
        }
        None
    }

    /// The part that is done.
    pub(super) fn done(&self, elapsed: Duration) -> f64 {
        match self.time {
            Some(time) => (elapsed.as_secs_f64() / time.as_secs_f64().max(1e-9)).min(1.0),
            None => self.given as f64 / self.total.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::forms;

    fn some() -> Vec<(usize, &'static Form)> {
        forms()
            .iter()
            .enumerate()
            .filter(|(n, _)| n % 300 == 0)
            .chain([(forms().len() - 1, &forms()[forms().len() - 1])])
            .collect()
    }

    #[test]
    fn as_many_cases_are_given_as_asked_for() {
        for count in [0, 1, 7, 1000, 123_456] {
            let mut schedule = Schedule::new(&some(), Extent::Cases(count));
            let mut sum = 0;
            while let Some((_, numbers)) = schedule.next(Duration::ZERO) {
                sum += numbers.end - numbers.start;
            }
            assert_eq!(sum, count);
        }
    }

    #[test]
    fn time_ends_a_run() {
        let mut schedule = Schedule::new(&some(), Extent::Time(Duration::from_secs(1)));
        assert!(schedule.next(Duration::ZERO).is_some());
        assert!(schedule.next(Duration::from_secs(1)).is_none());
    }

    #[test]
    fn nothing_to_run_is_no_endless_loop() {
        let mut schedule = Schedule::new(&[], Extent::Time(Duration::from_secs(1)));
        assert!(schedule.next(Duration::ZERO).is_none());
    }
}
