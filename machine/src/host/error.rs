//! What the host can refuse: each in one line that says what to do.

use std::io;
use std::path::PathBuf;

use super::ImageError;

/// Why a host end cannot be had, or failed while the guest ran.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A disk, CD or floppy image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An output file cannot be made.
    #[error("cannot write to '{}' ({source}); check the path after {option}", .path.display())]
    OutputFile {
        /// Its path.
        path: PathBuf,
        /// Which option named it.
        option: &'static str,
        /// The host's reason.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("the host refuses another thread ({source})")]
    Thread {
        /// The host's reason.
        source: io::Error,
    },
    /// There are no random numbers for the guest.
    #[error("the host has no random numbers to give ({reason}); choose the guest's with: --seed N")]
    Entropy {
        /// Why.
        reason: getrandom::Error,
    },
    /// The terminal refuses raw mode.
    #[error(
        "the terminal cannot be put in raw mode ({source}); give input with a pipe, or none with: < /dev/null"
    )]
    Terminal {
        /// The host's reason.
        source: io::Error,
    },
    /// There is no terminal to draw in.
    #[error(
        "--display terminal needs a terminal as standard input and output; use another --display"
    )]
    NoTerminal,
    /// There is no desktop to open a window on.
    #[error(
        "--display window cannot open a window: {reason}; start rax in a desktop session, or use --display vnc or terminal"
    )]
    NoWindow {
        /// Why.
        reason: String,
    },
    /// The window cannot be shown any more.
    #[error("the window was lost ({reason}); the run was ended")]
    WindowLost {
        /// Why.
        reason: String,
    },
    /// The address cannot be listened at.
    #[error("cannot listen at {address} ({source}); choose another address after --display vnc=")]
    Listen {
        /// The address.
        address: String,
        /// The host's reason.
        source: io::Error,
    },
    /// The password file cannot be used.
    #[error("password file '{}' {problem}; check the path after --vnc-password", .path.display())]
    PasswordFile {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Signals cannot be handled.
    #[error("cannot handle the host's signals ({reason})")]
    Signals {
        /// Why.
        reason: ctrlc::Error,
    },
    /// What the guest wrote could not be passed on, while it ran.
    #[error("cannot write the guest's output to {what} ({source}); the run was ended")]
    OutputFailed {
        /// To where.
        what: String,
        /// The host's reason.
        source: io::Error,
    },
}

impl HostError {
    /// The exit code: 2 if the user named something wrong, 1 if the host failed us.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Image(_)
            | Self::NoTerminal
            | Self::NoWindow { .. }
            | Self::Listen { .. }
            | Self::PasswordFile { .. }
            | Self::OutputFile { .. } => 2,
            Self::Thread { .. }
            | Self::Entropy { .. }
            | Self::Terminal { .. }
            | Self::Signals { .. }
            | Self::WindowLost { .. }
            | Self::OutputFailed { .. } => 1,
        }
    }
}
