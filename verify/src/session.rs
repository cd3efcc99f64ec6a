//! Runs cases on two subjects and keeps the books.

mod schedule;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use iced_x86::CpuidFeature;

use crate::case::{Case, Lost, Outcome, Subject};
use crate::compare::{Difference, Verdict, compare, normalize, rows_needed};
use crate::form::{self, Form, Kind, Standing, forms};
use crate::generate::generate;
use crate::record::Recording;
use crate::shrink::shrink;
use crate::undefined::{TABLE, Vendor, flow};
use schedule::Schedule;

/// How many mismatches of a form are looked into; the others are counted.
const SHOWN_OF_A_FORM: usize = 3;
/// How many cases go to a subject at once.
const BATCH: u64 = 64;
/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The forms; those that are not covered are only listed.
    pub forms: Vec<&'static Form>,
    /// Where the cases begin.
    pub seed: u64,
    /// How much.
    pub extent: Extent,
    /// Whose manuals say what is undefined.
    pub vendors: Vec<Vendor>,
    /// What the reference's processor does not have.
    pub absent: Vec<Kind>,
    /// What `--engine` is given to run a case again, if it needs to be given.
    pub engine: Option<&'static str>,
}

/// The forms of which `has` says that a feature they come with is missing.
#[must_use]
pub fn absent(has: impl Fn(CpuidFeature) -> bool) -> Vec<Kind> {
    let is_absent = |form: &&Form| match form.kind {
        Kind::One(code) => !code.cpuid_features().iter().all(|&feature| has(feature)),
        Kind::Sequence | Kind::Raw => false,
    };
    forms()
        .iter()
        .filter(is_absent)
        .map(|form| form.kind)
        .collect()
}

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many cases, over all forms.
    Cases(u64),
    /// As many as the time allows.
    Time(Duration),
    /// One case, by its number, of each form.
    One(u64),
}

/// What is known of a form after a run.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which.
    pub form: &'static Form,
    /// The reference's processor does not have the instruction.
    pub absent: bool,
    /// How many cases were compared.
    pub cases: u64,
    /// How many of them were equal but for the last place.
    pub near: u64,
    /// How many were not.
    pub mismatches: u64,
    /// How many the reference did not survive.
    pub lost: u64,
}

/// A case that came out different.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// Of which form.
    pub form: &'static Form,
    /// Which seed and number make the case.
    pub seed: u64,
    /// See `seed`; none if the case was not made but recorded.
    pub number: Option<u64>,
    /// The case as it was shrunk.
    pub case: Case,
    /// What the reference made of it.
    pub expected: Outcome,
    /// What the other made of it.
    pub got: Result<Outcome, Lost>,
    /// What is different.
    pub differences: Vec<Difference>,
    /// See [`Plan::engine`].
    pub engine: Option<&'static str>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Names of reference and subject.
    pub names: [String; 2],
    /// The seed.
    pub seed: u64,
    /// What was asked for; none if it was a replay.
    pub extent: Option<Extent>,
    /// How often each row of [`TABLE`] was needed, where one instruction ran alone.
    pub excused: Vec<u64>,
    /// Every form that was asked for.
    pub lines: Vec<Line>,
    /// The first mismatches of each form.
    pub mismatches: Vec<Mismatch>,
    /// Why cases were lost, each reason once.
    pub losses: Vec<String>,
}

impl Report {
    /// How many cases were compared.
    #[must_use]
    pub fn cases(&self) -> u64 {
        self.lines.iter().map(|line| line.cases).sum()
    }

    /// How many came out different.
    #[must_use]
    pub fn mismatch_count(&self) -> u64 {
        self.lines.iter().map(|line| line.mismatches).sum()
    }

    /// How many forms rax does not have.
    #[must_use]
    pub fn unsupported(&self) -> usize {
        let is_unsupported = |line: &&Line| line.form.standing == Standing::Unsupported;
        self.lines.iter().filter(is_unsupported).count()
    }

    /// How many cases the reference did not survive.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lines.iter().map(|line| line.lost).sum()
    }

    /// The last line of the command's output.
    #[must_use]
    pub fn summary(&self) -> String {
        format!(
            "verify: {} cases, {} forms, {} mismatches, {} unsupported",
            self.cases(),
            self.lines.len(),
            self.mismatch_count(),
            self.unsupported()
        )
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Cases done.
    pub cases: u64,
    /// Mismatches so far.
    pub mismatches: u64,
    /// The part that is done, from 0 to 1.
    pub done: f64,
}

/// Sees each case with what the reference made of it.
pub type Observer<'a> = &'a mut dyn FnMut(&'static Form, &Case, &Outcome);

/// Two subjects that are held against each other.
pub struct Session<'a> {
    reference: &'a mut dyn Subject,
    subject: &'a mut dyn Subject,
    report: Report,
    vendors: Vec<Vendor>,
    engine: Option<&'static str>,
}

impl<'a> Session<'a> {
    /// Holds `subject` against `reference`.
    pub fn new(reference: &'a mut dyn Subject, subject: &'a mut dyn Subject) -> Self {
        let names = [reference.name().to_owned(), subject.name().to_owned()];
        Self {
            reference,
            subject,
            report: Report {
                names,
                seed: 0,
                extent: None,
                excused: vec![0; TABLE.len()],
                lines: Vec::new(),
                mismatches: Vec::new(),
                losses: Vec::new(),
            },
            vendors: Vec::new(),
            engine: None,
        }
    }

    /// Does what `plan` says. `progress` is told now and then, and stops the run by
    /// returning false; `observer` sees every case.
    pub fn run(
        mut self,
        plan: &Plan,
        progress: &mut dyn FnMut(Progress) -> bool,
        observer: Observer<'_>,
    ) -> Report {
        self.begin(plan);
        self.report.extent = Some(plan.extent);
        let lines = &self.report.lines;
        let open = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.form.standing == Standing::Covered && !line.absent);
        let open: Vec<_> = open.map(|(place, line)| (place, line.form)).collect();
        let mut schedule = Schedule::new(&open, plan.extent);
        let start = Instant::now();
        while let Some((line, numbers)) = schedule.next(start.elapsed()) {
            let form = self.report.lines[line].form;
            let cases = numbers.map(|number| (number, generate(form, plan.seed, number)));
            let cases = cases
                .filter(|(_, case)| is_present(case, &plan.absent))
                .collect();
            self.batch(line, cases, observer);
            let so_far = Progress {
                cases: self.report.cases(),
                mismatches: self.report.mismatch_count(),
                done: schedule.done(start.elapsed()),
            };
            if !progress(so_far) {
                break;
            }
        }
        self.report
    }

    fn begin(&mut self, plan: &Plan) {
        self.report.seed = plan.seed;
        self.vendors.clone_from(&plan.vendors);
        self.engine = plan.engine;
        let lines = plan.forms.iter().map(|&form| Line {
            form,
            absent: false,
            cases: 0,
            near: 0,
            mismatches: 0,
            lost: 0,
        });
        self.report.lines = lines.collect();
        for line in &mut self.report.lines {
            line.absent = plan.absent.contains(&line.form.kind);
        }
    }

    /// Holds the subject against what was recorded of `plan`'s forms; the reference is
    /// not asked.
    pub fn replay(
        mut self,
        plan: &Plan,
        recording: &Recording,
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Report {
        self.begin(plan);
        let places: HashMap<&str, usize> = plan
            .forms
            .iter()
            .enumerate()
            .map(|(place, form)| (form.name.as_str(), place))
            .collect();
        for (number, recorded) in recording.cases().enumerate() {
            let Some(line) = places.get(recorded.form.name.as_str()) else {
                continue;
            };
            if recorded.form.standing != Standing::Covered {
                continue;
            }
            let mut expected = recorded.outcome;
            normalize(&mut expected);
            let Some(got) = self.subject.run(std::slice::from_ref(&recorded.case)).pop() else {
                continue;
            };
            self.count(*line, None, &recorded.case, &expected, got);
            let so_far = Progress {
                cases: self.report.cases(),
                mismatches: self.report.mismatch_count(),
                done: (number + 1) as f64 / recording.len() as f64,
            };
            if !progress(so_far) {
                break;
            }
        }
        self.report
    }

    fn batch(&mut self, line: usize, cases: Vec<(u64, Case)>, observer: Observer<'_>) {
        let (numbers, cases): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let expected = self.reference.run(&cases);
        let got = self.subject.run(&cases);
        for (((number, case), expected), got) in
            numbers.into_iter().zip(cases).zip(expected).zip(got)
        {
            let mut expected = match expected {
                Ok(outcome) => outcome,
                Err(lost) => {
                    self.report.lines[line].lost += 1;
                    if !self.report.losses.contains(&lost.reason) {
                        self.report.losses.push(lost.reason);
                    }
                    continue;
                }
            };
            normalize(&mut expected);
            observer(self.report.lines[line].form, &case, &expected);
            self.count(line, Some(number), &case, &expected, got);
        }
    }

    fn count(
        &mut self,
        line: usize,
        number: Option<u64>,
        case: &Case,
        expected: &Outcome,
        got: Result<Outcome, Lost>,
    ) {
        self.report.lines[line].cases += 1;
        match judge(case, expected, got.clone(), &self.vendors) {
            Verdict::Same => self.count_excuses(case, expected, got),
            Verdict::Near => {
                self.report.lines[line].near += 1;
                self.count_excuses(case, expected, got);
            }
            Verdict::Different(differences) => {
                self.report.lines[line].mismatches += 1;
                let form = self.report.lines[line].form;
                let known = self.report.mismatches.iter();
                if known.filter(|known| known.form.name == form.name).count() >= SHOWN_OF_A_FORM {
                    return;
                }
                let mismatch = Mismatch {
                    form,
                    seed: self.report.seed,
                    number,
                    case: case.clone(),
                    expected: expected.clone(),
                    got,
                    differences,
                    engine: self.engine,
                };
                let mismatch = self.smaller(mismatch);
                self.report.mismatches.push(mismatch);
            }
        }
    }

    /// Counts the rows of the table without which two equal outcomes would differ.
    fn count_excuses(&mut self, case: &Case, expected: &Outcome, got: Result<Outcome, Lost>) {
        let Ok(mut got) = got else { return };
        normalize(&mut got);
        for row in rows_needed(case, expected, &got, &self.vendors) {
            self.report.excused[row] += 1;
        }
    }

    /// The mismatch with the smallest case that is one still; itself if the reference
    /// does not answer, as when its cases were recorded.
    fn smaller(&mut self, mismatch: Mismatch) -> Mismatch {
        if mismatch.number.is_none() {
            return mismatch;
        }
        let case = shrink(mismatch.case.clone(), |case| self.judge_one(case).is_some());
        match self.judge_one(&case) {
            Some((expected, got, differences)) => Mismatch {
                case,
                expected,
                got,
                differences,
                ..mismatch
            },
            None => mismatch,
        }
    }

    /// Runs one case; what both made of it, if that differs.
    fn judge_one(
        &mut self,
        case: &Case,
    ) -> Option<(Outcome, Result<Outcome, Lost>, Vec<Difference>)> {
        let cases = std::slice::from_ref(case);
        let mut expected = self.reference.run(cases).pop()?.ok()?;
        let mut got = self.subject.run(cases).pop()?;
        normalize(&mut expected);
        let verdict = judge(case, &expected, got.clone(), &self.vendors);
        if let Ok(got) = &mut got {
            normalize(got);
        }
        match verdict {
            Verdict::Different(differences) => Some((expected, got, differences)),
            Verdict::Same | Verdict::Near => None,
        }
    }
}

fn judge(
    case: &Case,
    expected: &Outcome,
    got: Result<Outcome, Lost>,
    vendors: &[Vendor],
) -> Verdict {
    match got {
        Ok(mut got) => {
            normalize(&mut got);
            compare(case, expected, &got, vendors)
        }
        Err(lost) => Verdict::Different(vec![Difference {
            place: String::from("end"),
            expected: crate::compare::describe_end(&expected.end),
            got: lost.reason,
        }]),
    }
}

/// Whether the reference has all instructions of a case, and so has the subject: a
/// prefix may have made another instruction of the one that was meant.
fn is_present(case: &Case, absent: &[Kind]) -> bool {
    flow::instructions(case).iter().all(|instruction| {
        let code = instruction.code();
        let is_covered = form::of(code).is_none_or(|form| form.standing == Standing::Covered);
        is_covered && !absent.contains(&Kind::One(code))
    })
}
