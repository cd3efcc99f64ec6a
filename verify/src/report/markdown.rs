//! The table of docs/conformance.md.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::form::Standing;
use crate::session::{Extent, Line, Report};

/// Sums over the forms of a set of features.
#[derive(Default)]
struct Sum {
    covered: u64,
    unsupported: u64,
    excluded: u64,
    cases: u64,
    mismatches: u64,
}

/// The report as Markdown: sums by feature, every form that was run, and by name all
/// that was not.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = String::from("# Conformance\n\n");
    let [reference, subject] = &report.names;
    let _ = writeln!(
        text,
        "What `{}` found: {subject} against {reference}.\n\n`{}`\n",
        command(report),
        report.summary()
    );
    text.push_str("[verify.md](verify.md) says how cases are made and what is compared.\n\n");
    text.push_str("## By feature\n\n");
    text.push_str("| features | forms run | cases | mismatches | unsupported | left out |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (features, sum) in sums(&report.lines) {
        let features = if features.is_empty() {
            "(several)"
        } else {
            features
        };
        let _ = writeln!(
            text,
            "| {features} | {} | {} | {} | {} | {} |",
            sum.covered, sum.cases, sum.mismatches, sum.unsupported, sum.excluded
        );
    }
    text.push_str("\n## What is run\n\n| instruction | cases | mismatches | note |\n");
    text.push_str("| --- | ---: | ---: | --- |\n");
    let is_run = |line: &&Line| line.form.standing == Standing::Covered;
    for line in report.lines.iter().filter(is_run) {
        let syntax = line.form.syntax.replace('|', "\\|");
        let (cases, mismatches) = (line.cases, line.mismatches);
        let _ = writeln!(
            text,
            "| `{syntax}` | {cases} | {mismatches} | {} |",
            super::note(line)
        );
    }
    for (title, lines) in groups(&report.lines) {
        let _ = writeln!(text, "\n## {title}\n");
        let names: Vec<_> = lines.iter().map(|line| line.form.name.as_str()).collect();
        let _ = writeln!(text, "{}.", names.join(", "));
    }
    text
}

/// What to type to have the same table again.
fn command(report: &Report) -> String {
    let seed = report.seed;
    let words = match report.extent {
        Some(Extent::Cases(count)) => format!("--cases {count} --seed {seed}"),
        Some(Extent::Time(time)) => format!("--time {}s --seed {seed}", time.as_secs_f64()),
        Some(Extent::One(number)) => format!("--case {number} --seed {seed}"),
        None => "--replay FILE".into(),
    };
    format!("rax verify {words} --table FILE")
}

fn sums(lines: &[Line]) -> BTreeMap<&str, Sum> {
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(&line.form.features).or_default();
        match line.form.standing {
            Standing::Covered => sum.covered += 1,
            Standing::Unsupported => sum.unsupported += 1,
            Standing::Excluded(_) => sum.excluded += 1,
        }
        sum.cases += line.cases;
        sum.mismatches += line.mismatches;
    }
    sums
}

/// What is not run, by what is to be said of it.
fn groups(lines: &[Line]) -> BTreeMap<String, Vec<&Line>> {
    let mut groups: BTreeMap<String, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let title = match line.form.standing {
            Standing::Covered => continue,
            Standing::Unsupported => format!("Unsupported: {}", line.form.features),
            Standing::Excluded(reason) => format!("Left out: {reason}"),
        };
        groups.entry(title).or_default().push(line);
    }
    groups
}
