//! What the machine's thread spends its time with: another thread looks some hundred times a second.
//!
//! The cell that it looks at is written anyway, so a run is no slower for it.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rax_jit::{Doing, Whereabouts};

use crate::host::HostError;

/// The shortest time between two looks, in microseconds, and by how much it varies, so that the looks do not keep step
/// with a guest's clock.
const PAUSE_US: u64 = 3000;
const VARIATION_US: u64 = 2000;

/// How often each thing was seen, by the number of the thing.
type Counts = [u64; Doing::ALL.len()];

/// A thread that looks until this is finished or dropped.
#[derive(Debug)]
pub struct Sampler {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Counts>>,
}

impl Sampler {
    /// Begins to look.
    ///
    /// # Errors
    /// When the host refuses another thread.
    pub fn start(cell: Whereabouts) -> Result<Self, HostError> {
        let is_over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&is_over);
        let thread = thread::Builder::new()
            .name("sampler".into())
            .spawn(move || look(&cell, &theirs))
            .map_err(|source| HostError::Thread { source })?;
        Ok(Self {
            is_over,
            thread: Some(thread),
        })
    }

    /// What was seen, as a line.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.is_over.store(true, Ordering::Release);
        // A panic there has been reported by its own hook.
        let counts = self.thread.take().and_then(|thread| thread.join().ok());
        text(counts.unwrap_or_default())
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
    }
}

fn look(cell: &Whereabouts, is_over: &AtomicBool) -> Counts {
    let mut counts = Counts::default();
    let mut looks: u64 = 0;
    while !is_over.load(Ordering::Acquire) {
        // Steps of the golden section visit the range evenly.
        let variation = looks.wrapping_mul(1236) % VARIATION_US;
        thread::sleep(Duration::from_micros(PAUSE_US + variation));
        counts[cell.get() as usize] += 1;
        looks += 1;
    }
    counts
}

fn text(counts: Counts) -> String {
    let [
        housekeeping,
        interpreting,
        compiled,
        helping,
        compiling,
        device,
        sleeping,
    ] = counts;
    let all: u64 = counts.iter().sum();
    let awake = all - sleeping;
    let share = |part: u64| 100.0 * part as f64 / awake.max(1) as f64;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "time               {:.1}% in compiled code, {:.1}% interpreter, {:.1}% helpers of compiled code, {:.1}% devices, {:.1}% compiler, {:.1}% run loop; asleep {:.1}% of {all} looks",
        share(compiled),
        share(interpreting),
        share(helping),
        share(device),
        share(compiling),
        share(housekeeping),
        100.0 * sleeping as f64 / all.max(1) as f64
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_awake() {
        let line = text([0, 25, 50, 0, 0, 25, 100]);
        assert!(line.contains("50.0% in compiled code, 25.0% interpreter, 0.0% helpers"));
        assert!(line.contains("asleep 50.0% of 200 looks"), "{line}");
        assert!(text(Counts::default()).contains("0 looks"));
    }

    #[test]
    fn what_is_done_is_seen() {
        let cell = Whereabouts::default();
        cell.set(Doing::Compiled);
        let sampler = Sampler::start(cell).unwrap();
        thread::sleep(Duration::from_millis(50));
        let line = sampler.finish();
        assert!(line.contains(" 100.0% in compiled code"), "{line}");
    }
}
