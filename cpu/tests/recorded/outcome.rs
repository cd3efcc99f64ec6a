//! All cases, one after another, and what became of them.

use std::fs;
use std::path::{Path, PathBuf};

use rax_cpu::{Cpu, Engine};

use crate::bench::Bench;
use crate::case::{self, Case};
use crate::rules::{Leeway, RULES};

/// Where more results of the same kind are, if not the shipped ones are to be run.
const ELSEWHERE: &str = "RAX_RECORDED_80286";
/// How many cases are shipped.
const SHIPPED: usize = 26_000;

/// What became of the cases.
#[derive(Default)]
struct Outcome {
    cases: usize,
    /// How many each of [`RULES`] excused.
    excused: [usize; RULES.len()],
    failures: Vec<String>,
}

/// Has an engine carry out all cases.
pub(crate) fn check(engine: impl FnOnce(&Cpu) -> Box<dyn Engine>) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cpu/tests/vectors/80286");
    let elsewhere = std::env::var_os(ELSEWHERE).map(PathBuf::from);
    let folder = elsewhere.as_deref().unwrap_or(&shipped);
    let outcome = run(folder, Bench::new(engine));
    assert!(
        outcome.failures.is_empty(),
        "{} of {} cases fail:\n{}",
        outcome.failures.len(),
        outcome.cases,
        outcome.failures.join("\n")
    );
    if elsewhere.is_some() {
        return;
    }
    assert_eq!(outcome.cases, SHIPPED);
    let rotten: Vec<_> = RULES
        .iter()
        .zip(outcome.excused)
        .filter(|&(rule, excused)| rule.cases != excused)
        .map(|(rule, excused)| format!("{excused}, not {}: {}", rule.cases, rule.reason))
        .collect();
    assert!(rotten.is_empty(), "excused:\n{}", rotten.join("\n"));
}

fn run(folder: &Path, mut bench: Bench) -> Outcome {
    let metadata = fs::read_to_string(folder.join("metadata.json")).unwrap();
    let metadata = serde_json::from_str(&metadata).unwrap();
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut outcome = Outcome::default();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy();
        let Some(form) = name.strip_suffix(".jsonl.gz") else {
            continue;
        };
        let defined = case::defined_flags(&metadata, form);
        for case in case::cases(&file) {
            outcome.judge(&mut bench, form, &case, defined);
        }
    }
    outcome
}

impl Outcome {
    fn judge(&mut self, bench: &mut Bench, form: &str, case: &Case, defined: u16) {
        self.cases += 1;
        let Err(why) = bench.check(case, defined, Leeway::None) else {
            return;
        };
        let rule = RULES.iter().position(|rule| rule.covers(form, case));
        let result = match rule {
            Some(rule) => bench.check(case, defined, RULES[rule].leeway),
            None => Err(why),
        };
        match (result, rule) {
            (Ok(()), Some(rule)) => self.excused[rule] += 1,
            (result, _) => {
                let why = result.err().unwrap_or_default();
                let (name, bytes) = (&case.name, &case.bytes);
                self.failures
                    .push(format!("{form}: {name} {bytes:02x?}:{why}"));
            }
        }
    }
}
