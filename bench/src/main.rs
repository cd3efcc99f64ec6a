//! `bench/run`: runs the same programs on rax, on QEMU's TCG and on this host,
//! in turns, checks that what they write is equal, and prints one table.

mod cpio;
mod engine;
mod error;
mod kept;
mod process;
mod programs;
mod report;
mod results;
mod session;
mod start;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;

use crate::engine::{Engine, Kit};
use crate::error::BenchError;
use crate::programs::{Programs, START};
use crate::results::{Clock, Results};

/// Run the same programs on rax, on QEMU's TCG and on this host, and compare
#[derive(Debug, Parser)]
#[command(
    name = "bench/run",
    bin_name = "bench/run",
    after_help = "\
Examples:
  bench/run                         everything, three runs each
  bench/run --quick                 a tenth of the work, one run each
  bench/run fib sqlite --runs 5     two programs
  bench/run start                   start-up times and idle memory only
  bench/run --class x87 --json x87.json
  bench/run --on qemu,native --json peers.json
  bench/run --on rax --with peers.json
  bench/run --engine interp --quick --class integer

Exit codes: 0 all programs ran and agree, 1 some did not, 2 wrong usage or
something is missing: one line says what to do."
)]
struct Arguments {
    /// Programs or classes to run, and `start` [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Run the programs of a class; may be repeated
    #[arg(long, value_name = "CLASS")]
    class: Vec<String>,
    /// Show classes and programs, and run none
    #[arg(long)]
    list: bool,
    /// How often each program runs on each engine [default: 3; with --quick: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// A tenth of the work, and one run: for trying things out
    #[arg(long)]
    quick: bool,
    /// Who takes part: rax, qemu, native
    #[arg(
        long,
        value_name = "WHO",
        value_delimiter = ',',
        default_value = "qemu,rax,native",
        hide_default_value = true
    )]
    on: Vec<Engine>,
    /// What carries out rax's instructions [default: rax's own]
    #[arg(long, value_name = "interp|jit")]
    engine: Option<String>,
    /// Which time counts: what passes, or what the processors spend (steadier
    /// on a machine that others use)
    #[arg(long, value_name = "wall|cpu", default_value = "wall")]
    time: Clock,
    /// Seconds after which a program is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    limit: u64,
    /// Leave out boot time, start-up time and idle memory
    #[arg(long)]
    no_start: bool,
    /// Write all samples to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What a file of --json has of those who take no part this time: rax alone
    /// can so be compared again and again
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Write the table to a file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The rax command [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    rax: Option<PathBuf>,
    /// An argument for `rax run`; may be repeated
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    rax_argument: Vec<String>,
    /// The QEMU command
    #[arg(long, value_name = "FILE", default_value = "qemu-system-x86_64")]
    qemu: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        // Who reads the list with `head` has seen enough.
        Err(BenchError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Where standard error is gone, nobody is left to be told.
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all programs ran and agree.
fn run(arguments: &Arguments) -> Result<bool, BenchError> {
    let mut programs = Programs::read(arguments.quick)?;
    programs.choose(&arguments.names, &arguments.class)?;
    if arguments.list {
        return list(&programs).map(|()| true);
    }
    let kept = arguments.with.as_deref().map(read_kept).transpose()?;
    let kit = prepare(arguments)?;
    let mut engines = arguments.on.clone();
    engines.sort_by_key(|one| Engine::ALL.iter().position(|other| other == one));
    engines.dedup();
    let mut results = Results::new(arguments.time, engines, &programs);
    let runs = arguments
        .runs
        .unwrap_or(if arguments.quick { 1 } else { 3 });
    for run in 1..=runs {
        measure_once(&kit, arguments, &programs, &mut results, (run, runs))?;
    }
    if let Some(kept) = kept
        && !kept::add(&kept, &programs, &mut results)
    {
        say("the kept results have nothing of these programs with this work");
    }
    write!(io::stdout(), "{}", report::table(&programs, &results))?;
    if let Some(path) = &arguments.json {
        let text = format!("{:#}\n", kept::write(&programs, &results));
        fs::write(path, text).map_err(BenchError::at(path))?;
    }
    if let Some(path) = &arguments.csv {
        fs::write(path, report::csv(&programs, &results)).map_err(BenchError::at(path))?;
    }
    Ok((0..programs.programs.len()).all(|index| !results.row(index).failed))
}

fn read_kept(path: &Path) -> Result<serde_json::Value, BenchError> {
    let text = fs::read_to_string(path).map_err(BenchError::at(path))?;
    serde_json::from_str(&text).map_err(|source| BenchError::NotJson {
        path: path.to_owned(),
        source,
    })
}

fn list(programs: &Programs) -> Result<(), BenchError> {
    let mut out = io::stdout();
    for (index, class) in programs.classes.iter().enumerate() {
        let mut of_class = programs
            .programs
            .iter()
            .filter(|one| one.class == index)
            .peekable();
        if of_class.peek().is_some() {
            writeln!(out, "{}: {}", class.name, class.title)?;
        }
        for program in of_class {
            writeln!(out, "  {:<18}{}", program.name, program.command)?;
        }
    }
    writeln!(
        out,
        "{START}: time to the first guest instruction and to a shell, idle memory"
    )?;
    Ok(())
}

/// Each engine in turn, once.
fn measure_once(
    kit: &Kit,
    arguments: &Arguments,
    programs: &Programs,
    results: &mut Results,
    (run, runs): (u32, u32),
) -> Result<(), BenchError> {
    let everything = arguments.names.is_empty() && arguments.class.is_empty();
    let start = everything || arguments.names.iter().any(|name| name == START);
    for engine in results.engines.clone() {
        say(&format!("run {run} of {runs} on {}", engine.name()));
        let wanted: Vec<_> = (0..programs.programs.len())
            .filter(|&index| !results.hung(index, engine))
            .collect();
        let chosen: Vec<_> = wanted
            .iter()
            .map(|&index| &programs.programs[index])
            .collect();
        let limit = Duration::from_secs(arguments.limit);
        let samples = session::run(kit, engine, &chosen, limit)?;
        for (index, sample) in wanted.into_iter().zip(samples) {
            results.samples[index].push((engine, sample));
        }
        if start && engine != Engine::Native && !arguments.no_start {
            results.starts.push((engine, start::measure(kit, engine)?));
        }
    }
    Ok(())
}

/// Tells a waiting person what goes on.
fn say(what: &str) {
    // Only a courtesy: without a standard error there is nobody to be told.
    let _ = writeln!(io::stderr(), "bench: {what}");
}

/// Builds what is missing.
fn prepare(arguments: &Arguments) -> Result<Kit, BenchError> {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = bench.parent().unwrap_or(bench);
    let place = |variable: &str, default: &str| {
        std::env::var_os(variable).map_or_else(|| repository.join(default), PathBuf::from)
    };
    let built = Command::new(bench.join("kit")).status();
    let built = built.map_err(|source| BenchError::CannotRun {
        program: "bench/kit".into(),
        advice: "it needs bash",
        source,
    })?;
    if !built.success() {
        return Err(BenchError::KitNotBuilt);
    }
    let rax = match &arguments.rax {
        Some(rax) => rax.clone(),
        None if arguments.on.contains(&Engine::Rax) => build_rax(repository)?,
        None => PathBuf::new(),
    };
    let engine = arguments
        .engine
        .iter()
        .flat_map(|engine| ["--engine", engine]);
    let rax_arguments = engine
        .map(str::to_owned)
        .chain(arguments.rax_argument.iter().cloned());
    Ok(Kit {
        rax,
        rax_arguments: rax_arguments.collect(),
        qemu: arguments.qemu.clone(),
        guests: place("RAX_GUESTS", "target/guests"),
        bench: place("RAX_BENCH", "target/bench"),
    })
}

/// The release build of this repository's rax.
fn build_rax(repository: &Path) -> Result<PathBuf, BenchError> {
    say("building rax");
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "rax-machine"])
        .current_dir(repository)
        .status();
    match status {
        Ok(status) if status.success() => {}
        _ => return Err(BenchError::RaxNotBuilt),
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository.join("target"), PathBuf::from);
    Ok(target.join("release/rax"))
}
