//! The command line: what `rax` was asked to do, as plain values.
//!
//! Nothing is printed here and nothing opened: [`parse`] gives either a [`Command`] or the text and exit code to stop
//! with. A wrong argument is one line and exit code 2.

mod adapters;
mod args;
mod media;
mod screen;
mod values;
mod verify;

use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use rax_cpu::Topology;
use rax_jit::passes::Selection;

use crate::handover::smbios::SmbiosString;

pub use adapters::{Cable, NetworkOption, ParallelOption};
pub use media::MediaOptions;
pub(crate) use media::image;
pub use screen::{DisplayOption, ScreenOptions, ScriptOption, VgaModel};
pub use verify::{VerifyEngine, VerifyExtent, VerifyOptions};

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `rax run`
    Run(Box<RunOptions>),
    /// `rax jit-dump`
    JitDump(DumpOptions),
    /// `rax verify`
    Verify(Box<VerifyOptions>),
}

/// Nothing to do but to say something and stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What to say: to standard output if `code` is 0, else to standard error.
    pub text: String,
    /// The exit code: 0 after `--help` and `--version`, 2 after a mistake.
    pub code: u8,
}

/// How a machine is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOptions {
    /// The kernel; without one, firmware is booted.
    pub kernel: Option<PathBuf>,
    /// The firmware, if one was named.
    pub bios: Option<BiosOption>,
    /// Where the firmware's variables are kept.
    pub flash_vars: Option<PathBuf>,
    /// Initial RAM disks or modules, each with its arguments as they were given.
    pub initrds: Vec<String>,
    /// The kernel's command line.
    pub append: String,
    /// The guest's RAM in bytes: whole pages, at least 1 MiB.
    pub memory_bytes: u64,
    /// What lies in the drives.
    pub media: MediaOptions,
    /// What the machine shows, and to whom.
    pub screen: ScreenOptions,
    /// What COM1, COM2 and so on are connected to.
    pub serial: Vec<SerialOption>,
    /// What LPT1 prints to.
    pub parallel: ParallelOption,
    /// Network adapters.
    pub network: Vec<NetworkOption>,
    /// Where the debug console's bytes go.
    pub debugcon: Option<PathBuf>,
    /// The processors, and how they are divided.
    pub cpus: Topology,
    /// Strings of the SMBIOS tables.
    pub smbios: Vec<SmbiosString>,
    /// The processor model, one of those that were given to [`parse`].
    pub cpu: String,
    /// What carries out the instructions, if not what is fastest on this host.
    pub engine: Option<Engine>,
    /// What guest time follows.
    pub clock: ClockSource,
    /// What the guest's random numbers follow from, if not from the host or the clock's choice.
    pub seed: Option<u64>,
    /// The debug-exit port, if there is one.
    pub debug_exit: Option<u16>,
    /// How long the run may take.
    pub timeout: Option<Duration>,
    /// How many instructions the run may take.
    pub max_instructions: Option<u64>,
    /// A guest reset ends the run.
    pub no_reboot: bool,
    /// Statistics are printed at the end.
    pub stats: bool,
    /// Where the instruction trace goes.
    pub trace: Option<PathBuf>,
    /// With [`Engine::Lockstep`], how many instructions run between two comparisons.
    pub lockstep_slice: u64,
    /// The most bytes of host code that the compiler keeps.
    pub jit_cache_bytes: usize,
}

/// Which firmware runs from the reset vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BiosOption {
    /// The one that is part of rax.
    Builtin,
    /// The host's SeaBIOS.
    SeaBios,
    /// An image file.
    File(PathBuf),
}

/// What a serial port is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SerialOption {
    /// Standard input and output.
    Stdio,
    /// A file that takes the output.
    File(PathBuf),
    /// Nothing.
    None,
}

/// What carries out the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// The interpreter.
    Interp,
    /// Translation to host code.
    Jit,
    /// Both side by side, compared as they go.
    Lockstep,
}

/// What `rax jit-dump` is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpOptions {
    /// Where the code comes from.
    pub source: DumpSource,
    /// 16, 32 or 64; none to take what the file says, or else 64.
    pub bits: Option<u32>,
    /// The address of the first byte.
    pub address: u64,
    /// The passes that run.
    pub passes: Selection,
}

/// Where guest code comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpSource {
    /// The bytes themselves.
    Bytes(Vec<u8>),
    /// All of a file.
    Raw(PathBuf),
    /// A function of an ELF file.
    Symbol(PathBuf, String),
    /// A range of addresses of an ELF file.
    Range(PathBuf, Range<u64>),
}

/// What guest time follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ClockSource {
    /// The host's clock: `sleep 5` takes five seconds.
    #[default]
    Real,
    /// The number of instructions: a run repeats bit for bit.
    Virtual,
}

/// Reads this process's command line. `cpu_models` are the known ones; the first is the default.
///
/// # Errors
/// The text and exit code to stop with.
pub fn parse(cpu_models: &[&'static str]) -> Result<Command, Stop> {
    parse_from(std::env::args_os(), cpu_models)
}

/// Reads a command line, whose first word is the program's name.
///
/// # Errors
/// The text and exit code to stop with.
pub fn parse_from<I>(words: I, cpu_models: &[&'static str]) -> Result<Command, Stop>
where
    I: IntoIterator,
    I::Item: Into<OsString> + Clone,
{
    let models = format!("Processor model: {}", cpu_models.join(", "));
    let default_model = cpu_models.first().copied().unwrap_or_default();
    let command = args::Arguments::command().mut_subcommand("run", |run| {
        run.mut_arg("cpu", |cpu| {
            cpu.help(models)
                .required(false)
                .default_value(default_model)
        })
    });
    // The command whose help a mistake points to.
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let name = match words.get(1).and_then(|word| word.to_str()) {
        Some("verify") => "rax verify",
        Some("jit-dump") => "rax jit-dump",
        _ => "rax run",
    };
    let matches = command
        .try_get_matches_from(words)
        .map_err(|error| stop(&error, name))?;
    let arguments =
        args::Arguments::from_arg_matches(&matches).map_err(|error| stop(&error, name))?;
    match arguments.command {
        args::Subcommand::Run(run) => {
            let order = matches.subcommand_matches("run").map(screen::Order::of);
            let options = run.into_options(cpu_models, &order.unwrap_or_default())?;
            Ok(Command::Run(Box::new(options)))
        }
        args::Subcommand::JitDump(dump) => Ok(Command::JitDump(dump.into_options()?)),
        args::Subcommand::Verify(verify) => Ok(Command::Verify(Box::new(verify.into_options()))),
    }
}

impl Stop {
    /// A mistake in the arguments.
    fn usage(text: impl std::fmt::Display) -> Self {
        Self {
            text: format!("rax: {text}\n"),
            code: 2,
        }
    }
}

/// What clap says, with its mistakes in one line.
fn stop(error: &clap::Error, command: &str) -> Stop {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop {
            text: error.to_string(),
            code: 0,
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Stop {
            text: error.to_string(),
            code: 2,
        },
        _ => {
            let text = error.to_string();
            let lines = text
                .lines()
                .map(str::trim)
                .take_while(|line| !line.starts_with("Usage:"));
            let lines: Vec<_> = lines
                .filter(|l| !l.is_empty() && !l.starts_with("For more information"))
                .collect();
            let line = lines.join(" ");
            Stop::usage(format_args!(
                "{}; see '{command} --help'",
                line.strip_prefix("error: ").unwrap_or(&line)
            ))
        }
    }
}

#[cfg(test)]
mod tests;
