//! The options of the screen, and of those who sit before it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgMatches, Args};

use super::{BiosOption, Stop, values};
use crate::automation::{EscapeError, Origin, Pattern, Step, unescape};
use crate::host::{VncOptions, parse_address};
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

/// Where the screen is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DisplayOption {
    /// Nowhere.
    #[default]
    None,
    /// In this terminal.
    Terminal,
    /// To VNC clients.
    Vnc(VncOptions),
    /// In a window of the desktop.
    Window,
}

/// What is done to the machine while it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ScriptOption {
    /// Nothing.
    #[default]
    None,
    /// `--wait-text`, `--type` and `--send`, in the order in which they were given.
    Steps(Vec<(Origin, Step)>),
    /// `--script`.
    File(PathBuf),
}

/// What the machine shows, and to whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScreenOptions {
    /// The graphics adapter.
    pub vga: VgaModel,
    /// The adapter's BIOS, if not the default.
    pub vga_bios: Option<BiosOption>,
    /// Where the screen is shown.
    pub display: DisplayOption,
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

/// The value of `--display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DisplayValue {
    None,
    Terminal,
    Vnc(SocketAddr),
    Window,
}

/// Why a display was not understood.
#[derive(Debug, thiserror::Error)]
enum DisplayError {
    #[error("give none, terminal, window or vnc=ADDRESS")]
    Unknown,
    #[error("give an address after vnc=, such as 5900 or 127.0.0.1:5900")]
    Address,
}

fn display(text: &str) -> Result<DisplayValue, DisplayError> {
    match (text, text.split_once('=')) {
        ("none", _) => return Ok(DisplayValue::None),
        ("terminal", _) => return Ok(DisplayValue::Terminal),
        ("window", _) => return Ok(DisplayValue::Window),
        ("vnc", _) => parse_address("").ok_or(DisplayError::Address),
        (_, Some(("vnc", address))) => parse_address(address).ok_or(DisplayError::Address),
        _ => return Err(DisplayError::Unknown),
    }
    .map(DisplayValue::Vnc)
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
    /// The graphics adapter's BIOS: an image, rax's own, or the host's SeaBIOS' [default: builtin]
    #[arg(long, value_name = "FILE|builtin|seabios", value_parser = values::bios, help_heading = "Screen")]
    vga_bios: Option<BiosOption>,
    /// Show the screen: in this terminal, in a window, or to VNC clients at an address of this host
    #[arg(long, value_name = "none|terminal|window|vnc=ADDRESS", default_value = "none", value_parser = display, help_heading = "Screen")]
    display: DisplayValue,
    /// A file with the password that VNC clients must give, at most 8 characters
    #[arg(long, value_name = "FILE", help_heading = "Screen")]
    vnc_password: Option<PathBuf>,

    /// Save a picture of the screen at the end; Ctrl-A S saves one at any time
    #[arg(long, value_name = "FILE.png", help_heading = "Automation")]
    screenshot: Option<PathBuf>,
    /// Wait until the text screen or a serial port shows this; may be repeated, also between --type
    #[arg(long, value_name = "REGEX", value_parser = Pattern::new, allow_hyphen_values = true, help_heading = "Automation")]
    wait_text: Vec<Pattern>,
    /// Type this at the keyboard, where \n is the return key; may be repeated, also between --wait-text
    #[arg(long = "type", id = "type", value_name = "TEXT", value_parser = typing, allow_hyphen_values = true, help_heading = "Automation")]
    typed: Vec<Typing>,
    /// Send this to the first serial port, where \n is the return key; may be repeated, also between --wait-text
    #[arg(long, value_name = "TEXT", value_parser = unescape, allow_hyphen_values = true, help_heading = "Automation")]
    send: Vec<String>,
    /// Carry out the steps of a file: wait-text, type, send, key, wait, screenshot, insert, eject, power, quit
    #[arg(long, value_name = "FILE", conflicts_with_all = ["wait_text", "type", "send"], help_heading = "Automation")]
    script: Option<PathBuf>,
}

/// Where on the command line the options stand whose order matters.
#[derive(Debug, Default)]
pub(super) struct Order {
    wait_text: Vec<usize>,
    typed: Vec<usize>,
    send: Vec<usize>,
}

impl Order {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let places = |name| matches.indices_of(name).into_iter().flatten().collect();
        Self {
            wait_text: places("wait_text"),
            typed: places("type"),
            send: places("send"),
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
                ("--display", self.display != DisplayValue::None),
            ] {
                if is_given {
                    let text = format_args!("{option} needs a screen; leave out --vga none");
                    return Err(Stop::usage(text));
                }
            }
        }
        let display = display_option(self.display, self.vnc_password)?;
        let waits = self.wait_text.into_iter().map(|pattern| {
            let origin = Origin::Option("--wait-text");
            (origin, Step::WaitText(pattern))
        });
        let types = self.typed.into_iter().map(|Typing(keys)| {
            let origin = Origin::Option("--type");
            (origin, Step::Keys(keys))
        });
        let sends = self.send.into_iter().map(|text| {
            let origin = Origin::Option("--send");
            (origin, Step::Send(text))
        });
        let waits = order.wait_text.iter().zip(waits);
        let types = order.typed.iter().zip(types);
        let sends = order.send.iter().zip(sends);
        let mut steps: Vec<_> = waits.chain(types).chain(sends).collect();
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
            display,
            screenshot: self.screenshot,
            script,
        })
    }
}

fn display_option(
    value: DisplayValue,
    password_file: Option<PathBuf>,
) -> Result<DisplayOption, Stop> {
    match value {
        DisplayValue::Vnc(address) => {
            if !address.ip().is_loopback() && password_file.is_none() {
                return Err(Stop::usage(format_args!(
                    "--display vnc={address} is open to others: give a password with --vnc-password FILE"
                )));
            }
            Ok(DisplayOption::Vnc(VncOptions {
                address,
                password_file,
            }))
        }
        _ if password_file.is_some() => {
            Err(Stop::usage("--vnc-password needs --display vnc=ADDRESS"))
        }
        DisplayValue::None => Ok(DisplayOption::None),
        DisplayValue::Terminal => Ok(DisplayOption::Terminal),
        DisplayValue::Window => Ok(DisplayOption::Window),
    }
}
