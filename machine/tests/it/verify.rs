//! `rax verify` as its user meets it: exit codes, files, one line for each mistake, and
//! commands that make a case again. Runs against the host need x86-64 Linux; elsewhere
//! they must say that there is no reference.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rax_verify::record::{Header, Recorder};
use rax_verify::{
    Case, Extent, Form, Guest, Lost, Oracle, Outcome, Plan, Session, Subject, form, generate, print,
};

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// The four numbers of the last line: cases, forms, mismatches, unsupported.
    #[track_caller]
    fn numbers(&self) -> [u64; 4] {
        let line = self.last_line();
        let words = line.strip_prefix("verify: ").unwrap().split(", ");
        let names = ["cases", "forms", "mismatches", "unsupported"];
        let numbers: Vec<u64> = words
            .zip(names)
            .map(|(word, name)| {
                let number = word.strip_suffix(name).unwrap();
                number.trim_end().parse().unwrap()
            })
            .collect();
        numbers.try_into().unwrap()
    }
}

fn verify(words: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_rax"))
        .arg("verify")
        .args(words)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ended = Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    ended
}

/// The same against the host; none where there is no reference, which it must say.
#[track_caller]
fn against_host(words: &[&str]) -> Option<Ended> {
    let ended = verify(words);
    if Oracle::new().is_ok() {
        return Some(ended);
    }
    assert!(matches!(ended.code, Some(1 | 3)), "{}", ended.stderr);
    assert!(ended.stderr.contains("--replay"), "{}", ended.stderr);
    None
}

/// Checks that a mistake costs one line, which holds all of `parts`, and exit code 2.
#[track_caller]
fn refused(words: &[&str], parts: &[&str]) {
    let ended = verify(words);
    assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{words:?}");
    let line = ended.stderr.strip_suffix('\n').unwrap_or(&ended.stderr);
    assert!(
        line.starts_with("rax: ") && !line.contains(['\n', '\r', '\x1b']),
        "{words:?}: not one line:\n{line}"
    );
    for part in parts {
        assert!(line.contains(part), "{words:?}: {part:?} is not in {line}");
    }
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.text(name)
    }
}

/// A recording of `count` cases of `form`, of which a "processor" sets every result right
/// but, if it is `wrong`, CF.
fn record(path: &Path, form: &'static Form, count: u64, wrong: bool) {
    let header = Header {
        processor: "<i>recorded</i>".into(),
        seed: 5,
        is_amd: false,
    };
    let mut recorder = Recorder::new(File::create(path).unwrap(), &header).unwrap();
    let mut guest = Guest::interpreter().unwrap();
    for number in 0..count {
        let case = generate(form, 5, number);
        let mut outcome = guest.run(std::slice::from_ref(&case)).remove(0).unwrap();
        outcome.registers.rflags ^= u64::from(wrong);
        recorder.add(form, &case, &outcome).unwrap();
    }
    recorder.finish().unwrap();
}

#[test]
fn bad_words_are_refused_in_one_line() {
    refused(&["nosuchthing"], &["'nosuchthing'", "mnemonic"]);
    refused(
        &["nosuchthing", "--case", "1"],
        &["'nosuchthing'", "--case"],
    );
    refused(&["adc", "--case", "1"], &["'adc'", "Add_rm32_r32"]);
    refused(&["--case", "1"], &["PATTERN"]);
    refused(&["--cases", "0"], &["--cases"]);
    refused(&["--cases", "-1"], &["-1", "unexpected"]);
    refused(&["--cases", "many"], &["--cases", "many"]);
    refused(&["--time", "soon"], &["--time", "soon"]);
    refused(&["--time", "0"], &["--time"]);
    refused(&["--seed", "x"], &["--seed"]);
    refused(&["--engine", "none"], &["--engine", "none"]);
    refused(&["--cases", "5", "--time", "1s"], &["--cases", "--time"]);
    refused(
        &["--record", "a", "--replay", "b"],
        &["--record", "--replay"],
    );
    refused(&["--cases", "5", "--replay", "b"], &["--cases", "--replay"]);
    refused(&["adc", "sbb"], &["sbb"]);
}

#[test]
fn bad_files_are_refused_in_one_line() {
    let files = Files::new();
    let directory = files.0.path().to_str().unwrap().to_owned();
    let none = files.text("none/file");
    for option in ["--report", "--table"] {
        let words = ["adc", "--cases", "10", option];
        for path in [&none, &directory] {
            refused(&[&words[..], &[path]].concat(), &[path, option]);
        }
    }
    if Oracle::new().is_ok() {
        let words = ["adc", "--cases", "10", "--record", &none];
        refused(&words, &[&none, "--record"]);
    }
    refused(&["--replay", &none], &[&none, "--replay"]);
    refused(&["--replay", &directory], &[&directory]);
}

#[test]
fn recordings_that_are_none_are_refused_in_one_line() {
    let files = Files::new();
    let path = files.path("good");
    record(&path, form("Adc_rm32_r32").unwrap(), 20, false);
    let good = std::fs::read(&path).unwrap();
    let refused_replay = |name: &str, bytes: &[u8], part: &str| {
        let path = files.write(name, bytes);
        refused(&["--replay", &path], &[&path, part]);
    };
    refused_replay("empty", b"", "no recording");
    refused_replay("foreign", b"\x7fELF\x02\x01\x01\0\0\0\0\0", "no recording");
    refused_replay("future", b"raxcases\xff\x7f", "version 32767");
    for length in [10, 11, 30, good.len() / 2, good.len() - 1] {
        refused_replay("truncated", &good[..length], "recording");
    }
    let mut corrupt = good.clone();
    let middle = good.len() / 2;
    corrupt[middle] ^= 0x55;
    refused_replay("corrupt", &corrupt, "recording");
    let path = files.text("good");
    refused(&["vaddps", "--replay", &path], &[&path, "'vaddps'"]);
    assert_eq!(verify(&["adc", "--replay", &path]).code, Some(0));
}

#[test]
fn a_replay_compares_each_engine_and_tells_mismatches_by_its_code() {
    let files = Files::new();
    let form = form("Adc_rm32_r32").unwrap();
    for engine in ["interp", "ir"] {
        let path = files.text("right");
        record(Path::new(&path), form, 30, false);
        let ended = verify(&["--replay", &path, "--engine", engine]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.stderr, "");
        let [cases, forms, mismatches, _] = ended.numbers();
        assert_eq!((cases, mismatches), (30, 0));
        assert!(forms > 2000, "{forms}");

        let page = files.text("page.html");
        record(Path::new(&path), form, 30, true);
        let words = ["adc r/m32", "--replay", &path, "--engine", engine];
        let ended = verify(&[&words[..], &["--report", &page]].concat());
        assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.numbers()[2], 30);
        for part in ["mismatch: ADC r/m32, r32", "rflags (cf)", "expected", "got"] {
            assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
        }
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains("&lt;i&gt;recorded&lt;/i&gt;"));
        assert!(!page.contains("<i>"));
    }
}

#[test]
fn a_pattern_chooses_forms_and_the_last_line_counts_them() {
    let words = ["adc r/m32", "--cases", "300", "--seed", "0x2"];
    let Some(ended) = against_host(&words) else {
        return;
    };
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stderr, "");
    let [cases, forms, mismatches, unsupported] = ended.numbers();
    assert!((290..=300).contains(&cases), "{cases}");
    assert_eq!((mismatches, unsupported), (0, 0));
    let rows: Vec<_> = ended.stdout.lines().collect();
    let rows = rows.iter().filter(|line| line.starts_with("ADC r/m32"));
    assert_eq!(rows.count() as u64, forms);
    // The same cases again.
    assert_eq!(verify(&words).stdout, ended.stdout);
}

#[test]
fn time_bounds_a_run() {
    let start = std::time::Instant::now();
    let Some(ended) = against_host(&["--time", "0.5s"]) else {
        return;
    };
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(start.elapsed().as_secs_f64() > 0.5);
    assert!(ended.numbers()[0] > 100, "{}", ended.last_line());
}

#[test]
fn what_is_recorded_replays_on_both_engines_and_files_are_written() {
    let files = Files::new();
    let [recording, page, table] = ["a.rax", "a.html", "a.md"].map(|name| files.text(name));
    let words = ["--cases", "12000", "--seed", "11", "--record", &recording];
    let more = ["--report", &page, "--table", &table];
    let Some(recorded) = against_host(&[&words[..], &more].concat()) else {
        return;
    };
    assert_eq!(recorded.code, Some(0), "{}", recorded.stdout);
    for engine in ["interp", "ir"] {
        let replayed = verify(&["--replay", &recording, "--engine", engine]);
        assert_eq!(replayed.code, Some(0), "{}", replayed.stdout);
        assert_eq!(replayed.last_line(), recorded.last_line(), "{engine}");
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains(recorded.last_line()));
    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let table = std::fs::read_to_string(table).unwrap();
    assert!(table.starts_with("# Conformance\n"));
    assert!(table.contains("`rax verify --cases 12000 --seed 11 --table "));
    assert!(table.contains(recorded.last_line()));
}

/// A subject that gets CF wrong now and then.
struct Wrong(Guest);

impl Subject for Wrong {
    fn name(&self) -> &str {
        "wrong"
    }

    fn run(&mut self, cases: &[Case]) -> Vec<Result<Outcome, Lost>> {
        let mut outcomes = self.0.run(cases);
        for (case, outcome) in cases.iter().zip(&mut outcomes) {
            if let Ok(outcome) = outcome
                && case.registers.gpr[2] & 1 != 0
            {
                outcome.registers.rflags ^= 1;
            }
        }
        outcomes
    }
}

#[test]
fn the_printed_command_makes_the_case_again() {
    let mut right = Guest::interpreter().unwrap();
    let mut wrong = Wrong(Guest::interpreter().unwrap());
    let plan = Plan {
        forms: vec![form("Adc_rm32_r32").unwrap(), form("sequence").unwrap()],
        seed: 0x1234_5678_9abc,
        extent: Extent::Cases(60),
        vendors: Vec::new(),
        absent: Vec::new(),
        engine: Some("ir"),
    };
    let session = Session::new(&mut right, &mut wrong);
    let found = session.run(&plan, &mut |_| true, &mut |_, _, _| {});
    let names: Vec<_> = found.mismatches.iter().map(|m| &m.form.name).collect();
    assert!(names.contains(&&String::from("sequence")), "{names:?}");
    for mismatch in &found.mismatches {
        let plan = Plan {
            forms: vec![mismatch.form],
            extent: Extent::One(mismatch.number.unwrap()),
            ..plan.clone()
        };
        let session = Session::new(&mut right, &mut wrong);
        let again = session.run(&plan, &mut |_| true, &mut |_, _, _| {});
        assert_eq!(again.cases(), 1);
        assert_eq!(again.mismatches[0].case, mismatch.case);
        // And the command takes the words, with an engine that is not wrong.
        let command = print::command(mismatch).unwrap();
        let words: Vec<_> = command.split(' ').collect();
        assert_eq!(words[..2], ["rax", "verify"]);
        assert!(command.ends_with(" --engine ir"), "{command}");
        if let Some(ended) = against_host(&words[2..]) {
            assert_eq!(ended.code, Some(0), "{command}: {}", ended.stdout);
            assert_eq!(ended.numbers()[..3], [1, 1, 0], "{command}");
        }
    }
}

#[test]
fn help_tells_every_exit_code_and_option() {
    let help = verify(&["--help"]);
    assert_eq!(help.code, Some(0));
    for code in ["0 ", "1 ", "2 ", "3 "] {
        assert!(help.stdout.contains(&format!("\n  {code}")), "{code}");
    }
    for option in [
        "--cases",
        "--time",
        "--seed",
        "--case",
        "--engine",
        "--report",
        "--table",
        "--record",
        "--replay",
        "[PATTERN]",
    ] {
        assert!(help.stdout.contains(option), "{option}");
    }
}
