//! What a real 80286 did in real mode, 80 times for each of 325 opcode forms
//! (`tests/vectors/80286`), done again by the interpreter.
#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "recorded/bench.rs"]
mod bench;
#[path = "recorded/case.rs"]
mod case;
#[path = "recorded/rules.rs"]
mod rules;

use std::fs;
use std::path::{Path, PathBuf};

use bench::Bench;
use case::Case;
use rules::{Leeway, RULES};

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

#[test]
fn the_80286_agrees() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/80286");
    let elsewhere = std::env::var_os(ELSEWHERE).map(PathBuf::from);
    let outcome = run(elsewhere.as_deref().unwrap_or(&shipped));
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

fn run(folder: &Path) -> Outcome {
    let metadata = fs::read_to_string(folder.join("metadata.json")).unwrap();
    let metadata = serde_json::from_str(&metadata).unwrap();
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut bench = Bench::new();
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
