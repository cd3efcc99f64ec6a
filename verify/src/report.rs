//! What is shown of a run: as text, as Markdown, as a page of HTML.

mod html;
mod markdown;

use std::fmt::Write;

use crate::form::Standing;
use crate::print;
use crate::session::{Line, Report};

pub use html::html;
pub use markdown::markdown;

/// What is to be said of a form besides the numbers.
#[must_use]
pub fn note(line: &Line) -> String {
    match line.form.standing {
        Standing::Unsupported => "unsupported".into(),
        Standing::Excluded(reason) => format!("left out: {reason}"),
        Standing::Covered if line.absent => "the reference's processor lacks it".into(),
        Standing::Covered => {
            let mut notes = Vec::new();
            if line.near > 0 {
                notes.push(format!("{} within one unit in the last place", line.near));
            }
            if line.lost > 0 {
                notes.push(format!("{} lost", line.lost));
            }
            notes.join(", ")
        }
    }
}

/// The table of all forms, the mismatches, and the summary as the last line.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let width = report.lines.iter().map(|line| line.form.syntax.len());
    let width = width.max().unwrap_or(0).clamp(11, 48);
    let _ = writeln!(
        text,
        "{:width$} {:>10} {:>10}  note",
        "instruction", "cases", "mismatches"
    );
    for line in &report.lines {
        let row = format!(
            "{:width$} {:>10} {:>10}  {}",
            line.form.syntax,
            line.cases,
            line.mismatches,
            note(line)
        );
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text.push('\n');
    for mismatch in &report.mismatches {
        text.push_str(&print::mismatch(mismatch));
        text.push('\n');
    }
    let shown = report.mismatches.len() as u64;
    if report.mismatch_count() > shown {
        let _ = writeln!(
            text,
            "{shown} of {} mismatches are shown, the first of each form\n",
            report.mismatch_count()
        );
    }
    for reason in &report.losses {
        let _ = writeln!(text, "lost: {reason}");
    }
    if report.lost() > 0 {
        let _ = writeln!(text, "{} cases were lost and not compared\n", report.lost());
    }
    let _ = writeln!(text, "{}", report.summary());
    text
}

#[cfg(test)]
mod tests;
