//! Results as JSON: written to keep, and read to compare with.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::programs::Programs;
use crate::report::class_means;
use crate::results::{Clock, Results};

/// Everything, with every sample.
pub(crate) fn write(programs: &Programs, results: &Results) -> Value {
    let rows: Vec<_> = (0..programs.programs.len())
        .map(|index| results.row(index))
        .collect();
    let classes = programs.classes.iter().enumerate().map(|(index, class)| {
        let [speed, rax, qemu] = class_means(programs, &rows, index);
        json!({"name": class.name, "title": class.title, "goal": class.goal,
            "rax_vs_qemu": speed, "rax_slowdown": rax, "qemu_slowdown": qemu})
    });
    let all = programs.programs.iter().zip(&rows).zip(&results.samples);
    let all = all.map(|((program, row), samples)| {
        let samples = samples.iter().map(|(engine, sample)| {
            json!({"engine": engine.name(), "outcome": sample.outcome, "taken": sample.taken})
        });
        json!({"name": program.name, "class": programs.classes[program.class].name, "command": program.command,
            "rax_seconds": row.rax, "qemu_seconds": row.qemu, "native_seconds": row.native,
            "rax_vs_qemu": row.speed(), "rax_slowdown": row.rax_slowdown(), "qemu_slowdown": row.qemu_slowdown(),
            "note": row.note, "samples": samples.collect::<Vec<_>>()})
    });
    let starts = results.starts.iter();
    let starts = starts.map(|(engine, start)| json!({"engine": engine.name(), "start": start}));
    let clock = match results.clock {
        Clock::Wall => "wall",
        Clock::Cpu => "cpu",
    };
    json!({"clock": clock, "classes": classes.collect::<Vec<_>>(), "programs": all.collect::<Vec<_>>(),
        "starts": starts.collect::<Vec<_>>()})
}

/// Adds from kept results what engines did that take no part this time, where
/// the program and its work are the same. Whether there was anything to add.
pub(crate) fn add(kept: &Value, programs: &Programs, results: &mut Results) -> bool {
    let mut added = false;
    let absent: Vec<_> = Engine::ALL
        .into_iter()
        .filter(|engine| !results.engines.contains(engine))
        .collect();
    let engine_of = |value: &Value| {
        let mut absent = absent.iter().copied();
        absent.find(|engine| value["engine"] == engine.name())
    };
    for old in entries(&kept["programs"]) {
        let same = |one: &&crate::programs::Program| {
            old["name"] == one.name && old["command"] == *one.command
        };
        let Some(index) = programs.programs.iter().position(|one| same(&one)) else {
            continue;
        };
        for sample in entries(&old["samples"]) {
            if let (Some(engine), Some(sample)) = (engine_of(sample), read(sample)) {
                results.samples[index].push((engine, sample));
                added = true;
            }
        }
    }
    for start in entries(&kept["starts"]) {
        if let (Some(engine), Some(start)) = (engine_of(start), read(&start["start"])) {
            results.starts.push((engine, start));
            added = true;
        }
    }
    results.engines.extend(absent);
    added
}

fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Taken;
    use crate::session::{Outcome, Sample};
    use crate::start::Start;
    use std::time::Duration;

    #[test]
    fn what_is_written_is_read_for_those_who_were_absent() {
        let mut programs = Programs::read(true).unwrap();
        programs.choose(&["fib".into()], &[]).unwrap();
        let taken = Taken {
            wall: Duration::from_millis(20),
            cpu: Some(Duration::from_millis(10)),
        };
        let sample = Sample {
            outcome: Outcome::Done { output: "x".into() },
            taken,
        };
        let start = Start {
            shell: Some(taken),
            idle_kib: Some(7),
            ..Start::default()
        };
        let mut before = Results::new(Clock::Cpu, vec![Engine::Qemu], &programs);
        before.samples[0].push((Engine::Qemu, sample.clone()));
        before.samples[0].push((Engine::Rax, sample));
        before.starts.push((Engine::Qemu, start));
        let kept = write(&programs, &before);

        let mut now = Results::new(Clock::Cpu, vec![Engine::Rax], &programs);
        assert!(add(&kept, &programs, &mut now));
        let row = now.row(0);
        assert_eq!((row.qemu, row.rax), (Some(0.01), None));
        assert_eq!(now.starts[0].1.idle_kib, Some(7));

        // Another amount of work is another program.
        let mut full = Programs::read(false).unwrap();
        full.choose(&["fib".into()], &[]).unwrap();
        let mut other = Results::new(Clock::Cpu, vec![Engine::Rax], &full);
        let nothing = serde_json::json!({"programs": kept["programs"]});
        assert!(!add(&nothing, &full, &mut other));
        assert_eq!(other.row(0).qemu, None);
    }
}
