//! One session: a machine (or the host) runs a list of programs, and the
//! runner's marks on its serial line say when each began and ended. The marks
//! are described in `bench/guest/runner.c`.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cpio;
use crate::engine::{Boot, Engine, Kit};
use crate::error::BenchError;
use crate::process::{Silence, Taken, Watched};
use crate::programs::{Image, Program};

/// How one run of one program ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It ended well; what it wrote, as length and checksum.
    Done { output: String },
    /// The processor lacks the instructions.
    Unsupported,
    /// It ended badly, and why.
    Failed(String),
    /// It had not ended in time.
    TimedOut,
}

/// One run of one program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) outcome: Outcome,
    /// From its beginning to its end.
    pub(crate) taken: Taken,
}

/// Exit status of a guest program without the instructions it needs.
const NOT_SUPPORTED: u32 = 77;
const APPEND: &str = "console=ttyS0 quiet panic=-1 rdinit=/bench/runner";
/// A kernel on a slow interpreter takes its time.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// Runs the programs in order, in as many sessions as it takes: a program that
/// hangs or ends the machine costs its own result only.
pub(crate) fn run(
    kit: &Kit,
    engine: Engine,
    programs: &[&Program],
    limit: Duration,
) -> Result<Vec<Sample>, BenchError> {
    let mut samples = Vec::new();
    while samples.len() < programs.len() {
        let rest = &programs[samples.len()..];
        let done = one_session(kit, engine, rest, limit)?;
        samples.extend(done);
    }
    Ok(samples)
}

/// Runs programs until one takes the session down: at least one sample.
fn one_session(
    kit: &Kit,
    engine: Engine,
    programs: &[&Program],
    limit: Duration,
) -> Result<Vec<Sample>, BenchError> {
    let initrd = prepare(kit, engine, programs)?;
    let boot = Boot::Linux {
        initrd: &initrd,
        append: APPEND,
    };
    let watched = Watched::new(kit.start(engine, boot)?, b"");
    let mut samples = Vec::new();
    wait_until_ready(&watched, kit, engine)?;
    while samples.len() < programs.len() {
        match one_program(&watched, engine, programs[samples.len()].name, limit) {
            Ok(sample) => samples.push(sample),
            Err(broken) => {
                samples.push(broken);
                break;
            }
        }
    }
    Ok(samples)
}

/// Writes the list where the runner finds it; the guest's initramfs.
fn prepare(kit: &Kit, engine: Engine, programs: &[&Program]) -> Result<PathBuf, BenchError> {
    let mut list = String::new();
    for program in programs {
        list.extend([program.name, "\t", &program.command, "\n"]);
    }
    let path = match engine {
        Engine::Native => kit.bench.join("root/bench/list"),
        Engine::Rax | Engine::Qemu => kit.bench.join("initrd.img"),
    };
    let contents = match engine {
        Engine::Native => list.into_bytes(),
        Engine::Rax | Engine::Qemu => {
            let mut images = vec!["base.img"];
            if programs.iter().any(|one| one.image == Image::Distro) {
                images.push("distro.img");
            }
            let mut bytes = Vec::new();
            for image in images {
                let image = kit.bench.join(image);
                bytes.extend(fs::read(&image).map_err(BenchError::at(&image))?);
            }
            bytes.extend(cpio::archive("bench", "list", list.as_bytes()));
            bytes
        }
    };
    fs::write(&path, contents).map_err(BenchError::at(&path))?;
    Ok(path)
}

fn wait_until_ready(watched: &Watched, kit: &Kit, engine: Engine) -> Result<(), BenchError> {
    let until = Instant::now() + BOOT_LIMIT;
    let mut last = String::from("it wrote nothing");
    loop {
        match watched.line(until) {
            Ok((_, line)) if line.ends_with("READY") => return Ok(()),
            Ok((_, line)) if line.is_empty() => {}
            Ok((_, line)) => last = format!("it last wrote: {line}"),
            Err(_) => {
                let log = kit.log(engine);
                let own = fs::read_to_string(&log).unwrap_or_default();
                let said = own.lines().last().map(str::to_owned);
                return Err(BenchError::NoStart {
                    engine: engine.name(),
                    said: said.unwrap_or(last),
                });
            }
        }
    }
}

/// Waits for one program's marks; `Err` with its sample if the session is over.
fn one_program(
    watched: &Watched,
    engine: Engine,
    name: &str,
    limit: Duration,
) -> Result<Sample, Sample> {
    let mut until = Instant::now() + BOOT_LIMIT;
    let mut begin = None;
    loop {
        let (moment, line) = watched.line(until).map_err(|silence| Sample {
            outcome: match silence {
                Silence::TimedOut => Outcome::TimedOut,
                Silence::Ended => Outcome::Failed("the machine ended".into()),
            },
            taken: Taken {
                wall: limit,
                cpu: None,
            },
        })?;
        let words: Vec<_> = line.split(' ').collect();
        match (words.as_slice(), begin) {
            (["BEGIN", begun], _) if *begun == name => {
                begin = Some(moment);
                until = moment.at + limit;
            }
            (["END", ended, status, length, checksum, wall_us, cpu_us], Some(begin))
                if *ended == name =>
            {
                let mut sample = Sample {
                    outcome: outcome_of(status),
                    taken: match (engine, micros(wall_us)) {
                        // The runner's clock is the host's, and its child did the work.
                        (Engine::Native, Some(wall)) => Taken {
                            wall,
                            cpu: micros(cpu_us),
                        },
                        // A guest's clock proves nothing.
                        _ => moment.since(begin),
                    },
                };
                if let Outcome::Done { output } = &mut sample.outcome {
                    *output = format!("{length} bytes, {checksum}");
                } else if let Ok((_, said)) = watched.line(until) {
                    explain(&mut sample, &said);
                }
                return Ok(sample);
            }
            _ => {}
        }
    }
}

fn micros(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_micros)
}

fn outcome_of(status: &str) -> Outcome {
    match status.parse() {
        Ok(0) => Outcome::Done {
            output: String::new(),
        },
        Ok(NOT_SUPPORTED) => Outcome::Unsupported,
        _ => Outcome::Failed(format!("exit status {status}")),
    }
}

/// Adds what a program wrote to why it failed.
fn explain(sample: &mut Sample, said: &str) {
    if let (Outcome::Failed(why), Some(words)) = (
        &mut sample.outcome,
        said.strip_prefix("SAID ")
            .and_then(|said| said.split_once(' ')),
    ) {
        why.extend([": ", words.1.trim()]);
    }
}
