//! The options of the screen, and of those who sit before it.

use std::path::PathBuf;

use clap::{ArgMatches, Args};

use super::Stop;
use crate::automation::{EscapeError, Origin, Pattern, Step, unescape};
use crate::keys::{self, KeyError, KeyEvent};

/// The graphics adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum VgaModel {
    /// No adapter.
    None,
    /// A VGA with the Bochs display interface, on the PCI bus.
    #[default]
    Std,
}

/// What is done to the machine while it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ScriptOption {
    /// Nothing.
    #[default]
    None,
    /// `--wait-text` and `--type`, in the order in which they were given.
    Steps(Vec<(Origin, Step)>),
    /// `--script`.
    File(PathBuf),
}

/// What the machine shows, and to whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScreenOptions {
    /// The graphics adapter.
    pub vga: VgaModel,
    /// The adapter's BIOS; without one, it is looked for.
    pub vga_bios: Option<PathBuf>,
    /// Where a picture of the screen goes at the end.
    pub screenshot: Option<PathBuf>,
    /// What is done to the machine while it runs.
    pub script: ScriptOption,
}

/// The keys of a text, as one value of one option.
#[derive(Clone, Debug, PartialEq)]
struct Typing(Vec<KeyEvent>);

/// Why a text cannot be typed.
#[derive(Debug, thiserror::Error)]
enum TypingError {
    #[error(transparent)]
    Escape(#[from] EscapeError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

fn typing(text: &str) -> Result<Typing, TypingError> {
    Ok(Typing(keys::strokes_of_text(&unescape(text)?)?))
}

#[derive(Debug, Args)]
pub(super) struct ScreenArguments {
    /// The graphics adapter
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "none|std",
        help_heading = "Screen"
    )]
    vga: VgaModel,
    /// The graphics adapter's BIOS [default: the distribution's, if there is one]
    #[arg(long, value_name = "FILE", help_heading = "Screen")]
    vga_bios: Option<PathBuf>,

    /// Save a picture of the screen at the end; Ctrl-A S saves one at any time
    #[arg(long, value_name = "FILE.png", help_heading = "Automation")]
    screenshot: Option<PathBuf>,
    /// Wait until the text screen or a serial port shows this; may be repeated, also between --type
    #[arg(long, value_name = "REGEX", value_parser = Pattern::new, allow_hyphen_values = true, help_heading = "Automation")]
    wait_text: Vec<Pattern>,
    /// Type this, where \n is the return key; may be repeated, also between --wait-text
    #[arg(long = "type", id = "type", value_name = "TEXT", value_parser = typing, allow_hyphen_values = true, help_heading = "Automation")]
    typed: Vec<Typing>,
    /// Carry out the steps of a file: wait-text, type, key, wait, screenshot, insert, eject, quit
    #[arg(long, value_name = "FILE", conflicts_with_all = ["wait_text", "type"], help_heading = "Automation")]
    script: Option<PathBuf>,
}

/// Where on the command line the options stand whose order matters.
#[derive(Debug, Default)]
pub(super) struct Order {
    wait_text: Vec<usize>,
    typed: Vec<usize>,
}

impl Order {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let places = |name| matches.indices_of(name).into_iter().flatten().collect();
        Self {
            wait_text: places("wait_text"),
            typed: places("type"),
        }
    }
}

impl ScreenArguments {
    /// The options, checked against each other.
    pub(super) fn into_options(self, order: &Order) -> Result<ScreenOptions, Stop> {
        if self.vga == VgaModel::None {
            for (option, is_given) in [
                ("--vga-bios", self.vga_bios.is_some()),
                ("--screenshot", self.screenshot.is_some()),
            ] {
                if is_given {
                    let text = format_args!("{option} needs a screen; leave out --vga none");
                    return Err(Stop::usage(text));
                }
            }
        }
        let waits = self.wait_text.into_iter().map(|pattern| {
            let origin = Origin::Option("--wait-text");
            (origin, Step::WaitText(pattern))
        });
        let types = self.typed.into_iter().map(|Typing(keys)| {
            let origin = Origin::Option("--type");
            (origin, Step::Keys(keys))
        });
        let waits = order.wait_text.iter().zip(waits);
        let mut steps: Vec<_> = waits.chain(order.typed.iter().zip(types)).collect();
        steps.sort_by_key(|(place, _)| **place);
        let steps: Vec<_> = steps.into_iter().map(|(_, step)| step).collect();
        let script = match self.script {
            Some(path) => ScriptOption::File(path),
            None if steps.is_empty() => ScriptOption::None,
            None => ScriptOption::Steps(steps),
        };
        Ok(ScreenOptions {
            vga: self.vga,
            vga_bios: self.vga_bios,
            screenshot: self.screenshot,
            script,
        })
    }
}
