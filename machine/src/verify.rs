//! `rax verify`: holds an engine against this host's processor, or against a recording.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use rax_cpu::{Cpu, Engine, Evaluator};
use rax_verify::record::{Header, Recorder, Recording, RecordingError};
use rax_verify::undefined::Vendor;
use rax_verify::{
    Case, Extent, Form, Guest, Lost, Oracle, OracleError, Outcome, Plan, Progress, Report, Session,
    SetupError, Subject, absent, form, forms, report,
};

use crate::cli::{VerifyEngine, VerifyExtent, VerifyOptions};

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// No form is called that.
    #[error("no instruction matches '{0}'; try a mnemonic, such as 'adc'")]
    NoMatch(String),
    /// The name of a single form was expected.
    #[error(
        "'{0}' is not the name of an instruction; --case takes one from a mismatch, such as 'Add_rm32_r32'"
    )]
    NoName(String),
    /// The host has no reference.
    #[error("{0}; replay a recording with: rax verify --replay verify/corpus/base.rax")]
    Reference(#[source] OracleError),
    /// The engine cannot be made.
    #[error("cannot make the processor that is to be verified")]
    Subject(#[from] SetupError),
    /// The just-in-time compiler does not run here.
    #[error("--engine jit: {0}")]
    Jit(String),
    /// A file cannot be written.
    #[error("cannot write '{}' ({source}); check the path after {option}", .path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// After which option it was named.
        option: &'static str,
        /// The host's reason.
        source: io::Error,
    },
    /// The recording cannot be opened.
    #[error("cannot open '{}' ({source}); check the path after --replay", .path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
    /// The recording is none.
    #[error("cannot replay '{}'", .path.display())]
    Recording {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: RecordingError,
    },
    /// The recording has nothing to compare.
    #[error("'{}' holds no case of {what}; check PATTERN and the path after --replay", .path.display())]
    NothingRecorded {
        /// Its path.
        path: PathBuf,
        /// What was looked for.
        what: String,
    },
    /// Nobody listens.
    #[error("cannot write the result ({0})")]
    Output(#[source] io::Error),
}

impl VerifyError {
    /// What `rax` ends with.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Reference(OracleError::NoReference | OracleError::Lacking(_)) => 3,
            Self::Reference(_) | Self::Subject(_) | Self::Jit(_) | Self::Output(_) => 1,
            _ => 2,
        }
    }
}

/// Verifies; the exit code, if nothing kept us from it.
///
/// # Errors
/// What kept us from it.
pub fn verify(options: &VerifyOptions) -> Result<u8, VerifyError> {
    let forms = meant(options)?;
    let mut subject = subject(options.engine)?;
    let pages = Pages::create(options)?;
    // However the run ends, the bar is cleared when it is dropped.
    let bar = bar();
    let mut progress = |progress: Progress| {
        bar.set_position((progress.done * 1000.0) as u64);
        let (cases, mismatches) = (progress.cases, progress.mismatches);
        bar.set_message(format!("{cases} cases, {mismatches} mismatches"));
        true
    };
    let mut plan = Plan {
        forms,
        seed: options.seed,
        extent: match options.extent {
            VerifyExtent::Cases(count) => Extent::Cases(count),
            VerifyExtent::Time(time) => Extent::Time(time),
            VerifyExtent::One(number) => Extent::One(number),
        },
        vendors: Vec::new(),
        absent: Vec::new(),
        engine: match options.engine {
            VerifyEngine::Interp => None,
            VerifyEngine::Ir => Some("ir"),
            VerifyEngine::Jit => Some("jit"),
        },
    };
    let result = if let Some(path) = &options.replay {
        let pattern = options.pattern.as_deref();
        replay((path, pattern), &mut plan, &mut subject, &mut progress)?
    } else {
        against_host(options, &mut plan, &mut subject, &mut progress)?
    };
    bar.finish_and_clear();
    // What was found is said whatever becomes of the files.
    let said = io::stdout()
        .lock()
        .write_all(report::text(&result).as_bytes());
    pages.write(&result)?;
    said.map_err(VerifyError::Output)?;
    Ok(u8::from(result.mismatch_count() > 0))
}

/// The forms the user means.
fn meant(options: &VerifyOptions) -> Result<Vec<&'static Form>, VerifyError> {
    let Some(pattern) = &options.pattern else {
        return Ok(forms().iter().collect());
    };
    if let Some(form) = form(pattern) {
        return Ok(vec![form]);
    }
    if matches!(options.extent, VerifyExtent::One(_)) {
        return Err(VerifyError::NoName(pattern.clone()));
    }
    let forms: Vec<_> = forms()
        .iter()
        .filter(|form| form.matches(pattern))
        .collect();
    if forms.is_empty() {
        return Err(VerifyError::NoMatch(pattern.clone()));
    }
    Ok(forms)
}

fn subject(engine: VerifyEngine) -> Result<Guest, VerifyError> {
    match engine {
        VerifyEngine::Interp => Ok(Guest::interpreter()?),
        VerifyEngine::Ir => {
            let evaluator = |cpu: &Cpu| -> Box<dyn Engine> { Box::new(Evaluator::new(cpu)) };
            Ok(Guest::new("evaluator", evaluator)?)
        }
        VerifyEngine::Jit => {
            // Each case runs once; it is the compiler that is asked.
            let options = rax_jit::Options {
                threshold: 0,
                ..rax_jit::Options::default()
            };
            let mut failure = None;
            let guest = Guest::new("jit", |cpu: &Cpu| match rax_jit::Jit::new(cpu, options) {
                Ok(jit) => Box::new(jit),
                Err(why) => {
                    failure = Some(why.to_string());
                    Box::new(rax_cpu::Interpreter::new(cpu))
                }
            })?;
            match failure {
                Some(why) => Err(VerifyError::Jit(why)),
                None => Ok(guest),
            }
        }
    }
}

fn against_host(
    options: &VerifyOptions,
    plan: &mut Plan,
    subject: &mut Guest,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Report, VerifyError> {
    let mut oracle = Oracle::new().map_err(VerifyError::Reference)?;
    let header = Header {
        processor: oracle.name().to_owned(),
        seed: plan.seed,
        is_amd: oracle.name().contains("AMD"),
    };
    plan.vendors = vendors(&header);
    plan.absent = absent(|feature| oracle.has(feature));
    let Some(path) = &options.record else {
        let session = Session::new(&mut oracle, subject);
        return Ok(session.run(plan, progress, &mut |_, _, _| {}));
    };
    let failed = |source| VerifyError::Write {
        path: path.clone(),
        option: "--record",
        source,
    };
    let file = File::create(path).map_err(failed)?;
    let mut recorder = Recorder::new(BufWriter::new(file), &header).map_err(failed)?;
    let mut failure = None;
    let mut observer = |form: &'static Form, case: &Case, outcome: &Outcome| {
        if failure.is_none() {
            failure = recorder.add(form, case, outcome).err();
        }
    };
    let result = Session::new(&mut oracle, subject).run(plan, progress, &mut observer);
    match failure {
        Some(source) => return Err(failed(source)),
        None => recorder
            .finish()
            .and_then(|mut file| file.flush())
            .map_err(failed)?,
    }
    Ok(result)
}

fn replay(
    (path, pattern): (&Path, Option<&str>),
    plan: &mut Plan,
    subject: &mut Guest,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Report, VerifyError> {
    let file = File::open(path).map_err(|source| VerifyError::Open {
        path: path.to_owned(),
        source,
    })?;
    let recording =
        Recording::read(BufReader::new(file)).map_err(|source| VerifyError::Recording {
            path: path.to_owned(),
            source,
        })?;
    let is_meant = |form: &Form| plan.forms.iter().any(|meant| meant.name == form.name);
    if !recording.forms().any(is_meant) {
        return Err(VerifyError::NothingRecorded {
            path: path.to_owned(),
            what: pattern.map_or_else(|| "anything".into(), |pattern| format!("'{pattern}'")),
        });
    }
    plan.seed = recording.header.seed;
    plan.vendors = vendors(&recording.header);
    let mut reference = Recorded {
        name: recording.header.processor.clone(),
    };
    let session = Session::new(&mut reference, subject);
    Ok(session.replay(plan, &recording, progress))
}

/// The manuals that may leave something open: rax follows Intel's.
fn vendors(header: &Header) -> Vec<Vendor> {
    let mut vendors = vec![Vendor::Intel];
    if header.vendor() != Vendor::Intel {
        vendors.push(header.vendor());
    }
    vendors
}

/// A recorded processor, which answers no new questions.
struct Recorded {
    name: String,
}

impl Subject for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    fn run(&mut self, cases: &[Case]) -> Vec<Result<Outcome, Lost>> {
        let reason = "the recorded processor is not here";
        let lost = || Lost {
            reason: reason.to_owned(),
        };
        cases.iter().map(|_| Err(lost())).collect()
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1000).with_finish(ProgressFinish::AndClear);
    let style = ProgressStyle::with_template("{wide_bar} {percent:>3}%  {msg}  {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    if io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        bar.enable_steady_tick(Duration::from_millis(500));
    } else {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// How a page is made of what was found.
type Make = fn(&Report) -> String;

/// The files that were asked for besides the text. They are opened before the run, so
/// that a wrong path costs none.
struct Pages {
    files: Vec<(File, PathBuf, &'static str, Make)>,
}

impl Pages {
    fn create(options: &VerifyOptions) -> Result<Self, VerifyError> {
        let wanted: [(_, _, Make); 2] = [
            (&options.report, "--report", report::html),
            (&options.table, "--table", report::markdown),
        ];
        let mut files = Vec::new();
        for (path, option, make) in wanted {
            let Some(path) = path else { continue };
            let file = File::create(path).map_err(|source| VerifyError::Write {
                path: path.clone(),
                option,
                source,
            })?;
            files.push((file, path.clone(), option, make));
        }
        Ok(Self { files })
    }

    fn write(self, result: &Report) -> Result<(), VerifyError> {
        for (mut file, path, option, make) in self.files {
            file.write_all(make(result).as_bytes())
                .map_err(|source| VerifyError::Write {
                    path,
                    option,
                    source,
                })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_a_reference_has_a_code_of_its_own() {
        for error in [OracleError::NoReference, OracleError::Lacking("AVX")] {
            let error = VerifyError::Reference(error);
            assert_eq!(error.exit_code(), 3);
            let line = error.to_string();
            assert!(line.starts_with("there is no reference on this host: it "));
            assert!(line.ends_with("rax verify --replay verify/corpus/base.rax"));
        }
        let reason = String::from("it died");
        let error = VerifyError::Reference(OracleError::Child { reason });
        assert_eq!(error.exit_code(), 1);
    }
}
