//! The table, for people and as CSV.

use std::fmt::Write as _;

use crate::engine::Engine;
use crate::programs::Programs;
use crate::results::{Clock, Results, Row, geometric_mean, rows_of};
use crate::start::Start;

/// From here on rax counts as slower than QEMU.
const NOISE: f64 = 0.95;

/// The table.
pub(crate) fn table(programs: &Programs, results: &Results) -> String {
    let rows: Vec<_> = (0..programs.programs.len())
        .map(|index| results.row(index))
        .collect();
    let clock = match results.clock {
        Clock::Wall => "wall clock",
        Clock::Cpu => "processor time",
    };
    let mut text = String::new();
    line(
        &mut text,
        &format!(
            "milliseconds of {clock}, medians; rax/QEMU: times as fast; slowdown: times as long as native"
        ),
    );
    line(
        &mut text,
        &format!(
            "{:<18}{:>10}{:>10}{:>10}  {:>9}  {:>12}{:>14}",
            "program", "rax", "QEMU", "native", "rax/QEMU", "rax slowdown", "QEMU slowdown"
        ),
    );
    for (index, class) in programs.classes.iter().enumerate() {
        let mut of_class = rows_of(&programs.programs, &rows, index).peekable();
        if of_class.peek().is_none() {
            continue;
        }
        line(&mut text, "");
        for (program, row) in of_class {
            row_line(&mut text, program.name, row);
        }
        class_line(
            &mut text,
            class.title,
            class.goal,
            &class_means(programs, &rows, index),
        );
    }
    starts(&mut text, results);
    text
}

/// Geometric means of a class: rax against QEMU, and both slowdowns.
pub(crate) fn class_means(programs: &Programs, rows: &[Row], class: usize) -> [Option<f64>; 3] {
    let mean = |figure: fn(&Row) -> Option<f64>| {
        geometric_mean(rows_of(&programs.programs, rows, class).map(|(_, row)| figure(row)))
    };
    [
        mean(Row::speed),
        mean(Row::rax_slowdown),
        mean(Row::qemu_slowdown),
    ]
}

fn row_line(text: &mut String, name: &str, row: &Row) {
    let time = |seconds: Option<f64>| number(seconds.map(|seconds| seconds * 1e3));
    let slower = row
        .speed()
        .filter(|&speed| speed < NOISE)
        .map(|_| " slower than QEMU");
    let note = row.note.as_deref().map(|note| format!(" {note}"));
    line(
        text,
        &format!(
            "{name:<18}{:>10}{:>10}{:>10}  {:>9}  {:>12}{:>14} {}{}",
            time(row.rax),
            time(row.qemu),
            time(row.native),
            number(row.speed()),
            number(row.rax_slowdown()),
            number(row.qemu_slowdown()),
            slower.unwrap_or_default(),
            note.unwrap_or_default(),
        ),
    );
}

fn class_line(text: &mut String, title: &str, goal: f64, means: &[Option<f64>; 3]) {
    let verdict = match means[0] {
        Some(speed) if speed >= goal => format!("  goal {goal}: reached"),
        Some(_) => format!("  goal {goal}: missed"),
        None => String::new(),
    };
    line(
        text,
        &format!(
            "{:<48}  {:>9}  {:>12}{:>14}{verdict}",
            format!("= {title}"),
            number(means[0]),
            number(means[1]),
            number(means[2])
        ),
    );
}

/// One figure of a machine's start: its title, its unit and its goal.
type StartFigure = (
    &'static str,
    f64,
    fn(&Results, &Start) -> Option<f64>,
    &'static str,
);
const START_FIGURES: [StartFigure; 3] = [
    (
        "first guest instruction, ms",
        1e3,
        |results, start| Some(results.seconds(start.first_instruction?)),
        "goal: under 30 ms",
    ),
    (
        "cloud kernel to its shell, ms",
        1e3,
        |results, start| Some(results.seconds(start.shell?)),
        "goal: 1.3 times as fast",
    ),
    (
        "idle 1 GiB guest, resident MiB",
        1.0 / 1024.0,
        |_, start| Some(f64::from(u32::try_from(start.idle_kib?).ok()?)),
        "goal: no more than QEMU",
    ),
];

/// Start-up times and idle memory.
fn starts(text: &mut String, results: &Results) {
    if results.starts.is_empty() {
        return;
    }
    line(text, "");
    for (title, unit, figure, goal) in START_FIGURES {
        let of = |engine| results.start(engine, figure).map(|value| value * unit);
        let (rax, qemu) = (of(Engine::Rax), of(Engine::Qemu));
        let ratio = qemu.zip(rax).map(|(qemu, rax)| qemu / rax);
        line(
            text,
            &format!(
                "{title:<30}{:>8}{:>10}{:>10}  {:>9}  {goal}",
                number(rax),
                number(qemu),
                "",
                number(ratio)
            ),
        );
    }
}

fn line(text: &mut String, content: &str) {
    text.push_str(content.trim_end());
    text.push('\n');
}

/// Three digits that matter; a dash for what is not there.
fn number(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// One line per program, and one per class.
pub(crate) fn csv(programs: &Programs, results: &Results) -> String {
    let mut text = String::from(
        "kind,class,name,rax_seconds,qemu_seconds,native_seconds,rax_vs_qemu,rax_slowdown,qemu_slowdown,note\n",
    );
    let rows: Vec<_> = (0..programs.programs.len())
        .map(|index| results.row(index))
        .collect();
    let field = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    for (program, row) in programs.programs.iter().zip(&rows) {
        let class = programs.classes[program.class].name;
        let note = row.note.as_deref().unwrap_or_default().replace('"', "'");
        let times = [
            row.rax,
            row.qemu,
            row.native,
            row.speed(),
            row.rax_slowdown(),
            row.qemu_slowdown(),
        ];
        let times = times.map(field).join(",");
        let _ = writeln!(text, "program,{class},{},{times},\"{note}\"", program.name);
    }
    for (index, class) in programs.classes.iter().enumerate() {
        if rows_of(&programs.programs, &rows, index).next().is_some() {
            let means = class_means(programs, &rows, index).map(field).join(",");
            let _ = writeln!(text, "class,{0},{0},,,,{means},", class.name);
        }
    }
    text
}
