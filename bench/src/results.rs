//! All samples of all programs, and what follows from them.

use crate::engine::Engine;
use crate::process::Taken;
use crate::programs::{Program, Programs};
use crate::session::{Outcome, Sample};
use crate::start::Start;

/// Which clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Clock {
    /// What a user waits.
    Wall,
    /// What the host's processors spend: steadier where others use them too.
    Cpu,
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) clock: Clock,
    /// Those that took part.
    pub(crate) engines: Vec<Engine>,
    /// By program, as in [`Programs::programs`].
    pub(crate) samples: Vec<Vec<(Engine, Sample)>>,
    pub(crate) starts: Vec<(Engine, Start)>,
}

/// One program's times: a row of the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Row {
    /// Medians in seconds; missing if it did not end well there.
    pub(crate) rax: Option<f64>,
    pub(crate) qemu: Option<f64>,
    pub(crate) native: Option<f64>,
    /// What went wrong.
    pub(crate) note: Option<String>,
    /// Whether that counts as an error.
    pub(crate) failed: bool,
}

impl Row {
    /// How many times as fast as QEMU rax is.
    pub(crate) fn speed(&self) -> Option<f64> {
        Some(self.qemu? / self.rax?)
    }

    /// How many times as long as the host rax takes.
    pub(crate) fn rax_slowdown(&self) -> Option<f64> {
        Some(self.rax? / self.native?)
    }

    /// How many times as long as the host QEMU takes.
    pub(crate) fn qemu_slowdown(&self) -> Option<f64> {
        Some(self.qemu? / self.native?)
    }
}

impl Results {
    pub(crate) fn new(clock: Clock, engines: Vec<Engine>, programs: &Programs) -> Self {
        Self {
            clock,
            engines,
            samples: vec![Vec::new(); programs.programs.len()],
            starts: Vec::new(),
        }
    }

    /// Seconds on the clock that counts.
    pub(crate) fn seconds(&self, taken: Taken) -> f64 {
        let time = match self.clock {
            Clock::Wall => taken.wall,
            Clock::Cpu => taken.cpu.unwrap_or(taken.wall),
        };
        time.as_secs_f64().max(1e-6)
    }

    /// Whether a program has hung on an engine: once is enough.
    pub(crate) fn hung(&self, program: usize, engine: Engine) -> bool {
        let mut samples = self.samples[program].iter();
        samples.any(|(on, sample)| *on == engine && sample.outcome == Outcome::TimedOut)
    }

    /// The row of a program.
    pub(crate) fn row(&self, program: usize) -> Row {
        let mut row = Row::default();
        let mut outputs: Vec<(Engine, &str)> = Vec::new();
        for &engine in &self.engines {
            let on_engine = self.samples[program].iter().filter(|one| one.0 == engine);
            let mut seconds = Vec::new();
            for (_, sample) in on_engine {
                match &sample.outcome {
                    Outcome::Done { output } => {
                        seconds.push(self.seconds(sample.taken));
                        outputs.push((engine, output));
                    }
                    Outcome::Unsupported => row.remark(engine, "lacks the instructions", false),
                    Outcome::Failed(why) => row.remark(engine, why, true),
                    Outcome::TimedOut => row.remark(engine, "not in time", true),
                }
            }
            let median = median(seconds);
            match engine {
                Engine::Rax => row.rax = median,
                Engine::Qemu => row.qemu = median,
                Engine::Native => row.native = median,
            }
        }
        if let Some(differs) = odd_one_out(&outputs) {
            row.remark(differs, "the output differs", true);
        }
        row
    }

    /// The median of one of the start-up figures of an engine.
    pub(crate) fn start(
        &self,
        engine: Engine,
        figure: impl Fn(&Self, &Start) -> Option<f64>,
    ) -> Option<f64> {
        let of_engine = self.starts.iter().filter(|(on, _)| *on == engine);
        median(
            of_engine
                .filter_map(|(_, start)| figure(self, start))
                .collect(),
        )
    }
}

impl Row {
    fn remark(&mut self, engine: Engine, what: &str, failed: bool) {
        let text = format!("{}: {what}", engine.name());
        self.failed |= failed;
        match &mut self.note {
            Some(note) if note.contains(&text) => {}
            Some(note) => note.extend(["; ", &text]),
            None => self.note = Some(text),
        }
    }
}

/// An engine whose output is not the others': the last that differs from the
/// host's, or from the first where the host took no part.
fn odd_one_out(outputs: &[(Engine, &str)]) -> Option<Engine> {
    let reference = outputs
        .iter()
        .find(|(engine, _)| *engine == Engine::Native)
        .or(outputs.first())?;
    let mut others = outputs.iter().rev();
    others
        .find(|(_, output)| *output != reference.1)
        .map(|(engine, _)| *engine)
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

/// The geometric mean of the values that are there.
pub(crate) fn geometric_mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (mut logarithms, mut count) = (0.0, 0.0);
    for value in values.flatten() {
        logarithms += value.ln();
        count += 1.0;
    }
    (count > 0.0).then(|| f64::exp(logarithms / count))
}

/// The rows of the programs of a class.
pub(crate) fn rows_of<'a>(
    programs: &'a [Program],
    rows: &'a [Row],
    class: usize,
) -> impl Iterator<Item = (&'a Program, &'a Row)> {
    programs
        .iter()
        .zip(rows)
        .filter(move |(one, _)| one.class == class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sample(output: &str, milliseconds: u64) -> Sample {
        Sample {
            outcome: Outcome::Done {
                output: output.into(),
            },
            taken: Taken {
                wall: Duration::from_millis(milliseconds),
                cpu: None,
            },
        }
    }

    fn results(samples: Vec<(Engine, Sample)>) -> Results {
        Results {
            clock: Clock::Wall,
            engines: Engine::ALL.to_vec(),
            samples: vec![samples],
            starts: Vec::new(),
        }
    }

    #[test]
    fn medians_and_means() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
        let mean = geometric_mean([Some(2.0), None, Some(8.0)].into_iter()).unwrap();
        assert!((mean - 4.0).abs() < 1e-9);
        assert_eq!(geometric_mean([None].into_iter()), None);
    }

    #[test]
    fn ratios_follow_from_medians() {
        let row = results(vec![
            (Engine::Qemu, sample("a", 900)),
            (Engine::Rax, sample("a", 300)),
            (Engine::Native, sample("a", 100)),
        ])
        .row(0);
        assert!(!row.failed && row.note.is_none());
        assert!((row.speed().unwrap() - 3.0).abs() < 1e-9);
        assert!((row.rax_slowdown().unwrap() - 3.0).abs() < 1e-9);
        assert!((row.qemu_slowdown().unwrap() - 9.0).abs() < 1e-9);
    }

    #[test]
    fn a_different_output_is_an_error_of_the_one_that_differs() {
        let row = results(vec![
            (Engine::Qemu, sample("a", 1)),
            (Engine::Rax, sample("b", 1)),
            (Engine::Native, sample("a", 1)),
        ])
        .row(0);
        assert!(row.failed);
        assert_eq!(row.note.as_deref(), Some("rax: the output differs"));
    }

    #[test]
    fn a_failure_leaves_no_time() {
        let mut broken = sample("", 1);
        broken.outcome = Outcome::Failed("exit status 1".into());
        let row = results(vec![(Engine::Rax, broken)]).row(0);
        assert!(row.failed && row.rax.is_none());
        let mut missing = sample("", 1);
        missing.outcome = Outcome::Unsupported;
        let row = results(vec![(Engine::Rax, missing)]).row(0);
        assert!(!row.failed && row.rax.is_none() && row.note.is_some());
    }
}
