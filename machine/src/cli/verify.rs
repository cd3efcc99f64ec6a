//! The arguments of `rax verify`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values;

/// What is held against the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum VerifyEngine {
    /// The interpreter.
    #[default]
    Interp,
    /// What instructions mean to the compiler, evaluated plainly.
    Ir,
    /// Translation to host code.
    Jit,
}

/// What `rax verify` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Which forms: a part of their name or syntax. All if there is none.
    pub pattern: Option<String>,
    /// How much.
    pub extent: VerifyExtent,
    /// Where the cases begin.
    pub seed: u64,
    /// What is held against the reference.
    pub engine: VerifyEngine,
    /// Where the page goes.
    pub report: Option<PathBuf>,
    /// Where the Markdown table goes.
    pub table: Option<PathBuf>,
    /// Where the recording goes.
    pub record: Option<PathBuf>,
    /// The recording that is the reference.
    pub replay: Option<PathBuf>,
}

/// How much `rax verify` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyExtent {
    /// So many cases.
    Cases(u64),
    /// As many as there is time for.
    Time(Duration),
    /// The one with this number.
    One(u64),
}

/// Enough to see every form some hundred times.
const DEFAULT_CASES: u64 = 1_000_000;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct VerifyArguments {
    /// Only instructions with this in their name or operands, or a feature: 'adc', 'r/m64', 'SSE2'
    pattern: Option<String>,
    /// Run so many cases, over all instructions [default: 1000000]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "time")]
    cases: Option<u64>,
    /// Run as many cases as this time allows: 30s, 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    time: Option<Duration>,
    /// Make other cases
    #[arg(long, value_name = "S", default_value = "1", value_parser = values::number)]
    seed: u64,
    /// Run the one case with this number, of the instruction with exactly this name
    #[arg(
        long,
        value_name = "N",
        value_parser = values::number,
        requires = "pattern",
        conflicts_with_all = ["cases", "time"]
    )]
    case: Option<u64>,
    /// What is held against the processor
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "interp|ir|jit"
    )]
    engine: VerifyEngine,
    /// Write a page of HTML, to be searched
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the table as Markdown
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Write what the processor made of each case
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Take a recording for the processor
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cases", "time", "case"])]
    replay: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Runs random cases of every instruction on this host's processor and on rax, and compares all
registers, flags, memory and faults. On hosts other than x86-64 Linux, replay a recording.

Examples:
  rax verify
  rax verify adc --cases 100000
  rax verify --time 10m --seed 2 --report verify.html
  rax verify --replay verify/corpus/base.rax
  rax verify Add_rm32_r32 --seed 7 --case 1234

Exit codes:
  0    no mismatch
  1    mismatches, or the host failed us
  2    wrong usage or bad input
  3    there is no reference on this host: see --replay";

impl VerifyArguments {
    pub(super) fn into_options(self) -> VerifyOptions {
        let extent = match (self.time, self.case) {
            (Some(time), _) => VerifyExtent::Time(time),
            (None, Some(number)) => VerifyExtent::One(number),
            (None, None) => VerifyExtent::Cases(self.cases.unwrap_or(DEFAULT_CASES)),
        };
        VerifyOptions {
            pattern: self.pattern,
            extent,
            seed: self.seed,
            engine: self.engine,
            report: self.report,
            table: self.table,
            record: self.record,
            replay: self.replay,
        }
    }
}
