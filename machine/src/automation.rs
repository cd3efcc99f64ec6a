//! A machine that is run by a script: steps that wait for text, type, and take
//! pictures, carried out between slices of instructions.
//!
//! [`Automation`] is a [`Watcher`]: give it to [`Machine::run`]. It looks each
//! [`POLL_NS`] of guest time, to the instruction, so with the virtual clock a
//! scripted run repeats bit for bit.

mod media;
mod options;
mod pattern;
mod script;
mod tap;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rax_devices::Time;

use crate::host::{ImageError, MouseMove};
use crate::keys::{KeyError, KeyEvent};
use crate::machine::Machine;
use crate::run::{End, Watcher};
use crate::screenshot;

pub use options::ScriptFailure;
pub use pattern::{BadPattern, Pattern};
pub use script::{EscapeError, ScriptError, Trouble, parse, unescape};
pub use tap::SerialTap;

/// Between two looks at the screen, in nanoseconds of guest time.
pub const POLL_NS: u64 = 10_000_000;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Wait until the text screen shows, or a serial port has sent, what matches.
    WaitText(Pattern),
    /// Press keys one after the other.
    Keys(Vec<KeyEvent>),
    /// Send a text to the first serial port, with a carriage return for each `\n`, and wait until the port has taken it.
    Send(String),
    /// Let guest time pass.
    Wait(Duration),
    /// Save a picture of the screen.
    Screenshot(PathBuf),
    /// Move the mouse, or change its buttons.
    Mouse(MouseMove),
    /// Put a medium into a drive: `a` and `b` for floppies, `cd` for the CD-ROM.
    Insert {
        /// The drive.
        drive: String,
        /// The image, with what `--disk` takes after a comma.
        image: String,
    },
    /// Take the medium out of a drive.
    Eject {
        /// The drive.
        drive: String,
    },
    /// Press the power button.
    PowerButton,
    /// End the run with exit code 0.
    Quit,
    /// End the script and let the machine run on.
    Stay,
}

/// Where a step was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An option of this name.
    Option(&'static str),
    /// A line of a script.
    Line {
        /// The script.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A program that uses this crate.
    Program,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => f.write_str(name),
            Self::Line { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Program => f.write_str("script"),
        }
    }
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepProblem {
    /// A picture could not be saved.
    #[error("cannot save the screen to '{}' ({source})", .path.display())]
    Screenshot {
        /// Where to.
        path: PathBuf,
        /// The host's reason.
        source: std::io::Error,
    },
    /// The machine has no screen.
    #[error("the machine has no screen; leave out --vga none")]
    NoScreen,
    /// No such drive.
    #[error("there is no drive '{0}' for this medium; give a, b or cd, and fit the drive")]
    NoDrive(String),
    /// What names the image is not understood.
    #[error("'{image}' for drive '{drive}': {reason}")]
    NotAnImage {
        /// The drive.
        drive: String,
        /// The image.
        image: String,
        /// Why.
        reason: String,
    },
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// A step that could not be carried out.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct StepFailed {
    /// Which step.
    pub origin: Origin,
    /// Why.
    #[source]
    pub problem: StepProblem,
}

/// A script that is being carried out.
#[derive(Debug, Default)]
pub struct Automation {
    steps: VecDeque<(Origin, Step)>,
    serial: SerialTap,
    /// The first step has begun, and when.
    begun: Option<Time>,
    /// When to look next.
    due: Time,
    /// The run goes on after the last step.
    stays: bool,
}

/// What came of a step.
enum Progress {
    Done,
    /// Look again at this time.
    Pending(Time),
}

impl Automation {
    /// A script without steps, that ends the run at once. `serial` hears what the serial ports send.
    #[must_use]
    pub fn new(serial: SerialTap) -> Self {
        Self {
            serial,
            ..Self::default()
        }
    }

    /// Adds a step behind the others.
    pub fn push(&mut self, origin: Origin, step: Step) {
        self.steps.push_back((origin, step));
    }

    /// Adds a step that waits for text on the screen or from a serial port.
    ///
    /// # Errors
    /// When it is no regular expression.
    pub fn wait_text(mut self, pattern: &str) -> Result<Self, BadPattern> {
        self.push(Origin::Program, Step::WaitText(Pattern::new(pattern)?));
        Ok(self)
    }

    /// Adds a step that types a text.
    ///
    /// # Errors
    /// When no key types one of its characters.
    pub fn type_text(mut self, text: &str) -> Result<Self, KeyError> {
        let keys = crate::keys::strokes_of_text(text)?;
        self.push(Origin::Program, Step::Keys(keys));
        Ok(self)
    }

    /// Adds a step that sends a text to the first serial port, where `\n` is the return key.
    #[must_use]
    pub fn send(mut self, text: &str) -> Self {
        self.push(Origin::Program, Step::Send(text.into()));
        self
    }

    /// Adds a step that presses a key or a combination, such as `f10` or `ctrl-alt-del`.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn press(mut self, name: &str) -> Result<Self, KeyError> {
        let keys = crate::keys::strokes_of_name(name)?;
        self.push(Origin::Program, Step::Keys(keys));
        Ok(self)
    }

    /// The machine runs on after the last step.
    #[must_use]
    pub fn and_stay(mut self) -> Self {
        self.stays = true;
        self
    }

    /// What is still awaited, if something is.
    #[must_use]
    pub fn awaited(&self) -> Option<&Pattern> {
        self.steps.iter().find_map(|(_, step)| match step {
            Step::WaitText(pattern) => Some(pattern),
            _ => None,
        })
    }

    /// Whether a key or the power button will be pressed before text is waited for.
    fn presses_keys(&self) -> bool {
        let ends = |step: &Step| matches!(step, Step::WaitText(_) | Step::Stay | Step::Quit);
        let steps = self.steps.iter().map(|(_, step)| step);
        steps
            .take_while(|step| !ends(step))
            .any(|step| matches!(step, Step::Keys(_) | Step::PowerButton))
    }

    /// Carries out what can be, up to a step that must wait.
    fn advance(&mut self, machine: &mut Machine) -> Option<End> {
        let now = machine.now();
        while let Some((origin, step)) = self.steps.pop_front() {
            match step {
                Step::Quit => return Some(End::Scripted),
                Step::Stay => {
                    self.stays = true;
                    self.steps.clear();
                    break;
                }
                _ => {}
            }
            match self.carry_out(&step, machine, now) {
                Ok(Progress::Done) => {
                    self.begun = None;
                    self.serial.look_again();
                }
                Ok(Progress::Pending(due)) => {
                    self.due = due;
                    self.begun.get_or_insert(now);
                    self.steps.push_front((origin, step));
                    return None;
                }
                Err(problem) => return Some(End::ScriptFailed(StepFailed { origin, problem })),
            }
        }
        (!self.stays).then_some(End::Scripted)
    }

    fn carry_out(
        &mut self,
        step: &Step,
        machine: &mut Machine,
        now: Time,
    ) -> Result<Progress, StepProblem> {
        let later = Progress::Pending(now.after_ns(POLL_NS));
        match step {
            Step::WaitText(pattern) => {
                let screen = machine.text_screen();
                let is_shown = screen.is_some_and(|screen| pattern.is_match(&screen.text()));
                if !is_shown && !self.serial.take_match(pattern) {
                    return Ok(later);
                }
            }
            Step::Keys(keys) => {
                if self.begun.is_none() {
                    machine.type_keys(keys);
                }
                if machine.is_typing() {
                    return Ok(later);
                }
            }
            Step::Send(text) => {
                if self.begun.is_none() {
                    self.serial.send(text);
                }
                if self.serial.is_sending() {
                    return Ok(later);
                }
            }
            Step::Wait(duration) => {
                let length = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                let end = self.begun.unwrap_or(now).after_ns(length);
                if now < end {
                    return Ok(Progress::Pending(end));
                }
            }
            Step::Screenshot(path) => {
                let frame = machine.frame().ok_or(StepProblem::NoScreen)?;
                screenshot::save_png(&frame, path).map_err(|source| StepProblem::Screenshot {
                    path: path.clone(),
                    source,
                })?;
            }
            Step::Mouse(movement) => machine.move_mouse(*movement),
            Step::PowerButton => machine.press_power_button(),
            Step::Insert { drive, image } => media::insert(machine, drive, image)?,
            Step::Eject { drive } => media::eject(machine, drive)?,
            Step::Quit | Step::Stay => {}
        }
        Ok(Progress::Done)
    }
}

impl Watcher for Automation {
    fn before(&mut self, _machine: &Machine) {}

    fn triple_fault(&mut self, _machine: &Machine) {}

    fn has_keys(&self) -> bool {
        self.presses_keys()
    }

    fn next_look(&self) -> Option<Time> {
        (!self.steps.is_empty()).then_some(self.due)
    }

    fn look(&mut self, machine: &mut Machine, _host_ns: u64) -> Option<End> {
        if machine.now() < self.due || (self.steps.is_empty() && self.stays) {
            return None;
        }
        self.advance(machine)
    }

    /// What the guest showed last may be what was awaited.
    fn last_look(&mut self, machine: &mut Machine) {
        self.serial.look_again();
        let now = machine.now();
        let has_begun = self.begun.take().is_some();
        if has_begun && !matches!(self.steps.front(), Some((_, Step::WaitText(_)))) {
            // It was in the midst of pressing keys, or of a pause.
            self.steps.pop_front();
        }
        while let Some((origin, step)) = self.steps.pop_front() {
            let can_be = matches!(step, Step::WaitText(_) | Step::Screenshot(_));
            let done = can_be && matches!(self.carry_out(&step, machine, now), Ok(Progress::Done));
            if !done {
                self.steps.push_front((origin, step));
                return;
            }
            self.serial.look_again();
        }
    }
}
