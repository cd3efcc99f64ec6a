//! What the host can refuse: each in one line that says what to do.

use std::io;
use std::path::PathBuf;

/// Why a host end cannot be had, or failed while the guest ran.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No such disk image.
    #[error("disk image '{}' does not exist; check the path after --disk, or make one with: truncate -s 64M {}", .path.display(), .path.display())]
    DiskMissing {
        /// Its path.
        path: PathBuf,
    },
    /// A directory was named as a disk image.
    #[error("disk image '{}' is a directory; name a file in it after --disk", .path.display())]
    DiskIsDirectory {
        /// Its path.
        path: PathBuf,
    },
    /// The image may be read but not written.
    #[error("disk image '{}' cannot be written ({source}); use --disk {},readonly or --disk {},snapshot", .path.display(), .path.display(), .path.display())]
    DiskNotWritable {
        /// Its path.
        path: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
    /// The image cannot be opened.
    #[error("disk image '{}' cannot be opened ({source}); check its permissions", .path.display())]
    DiskUnreadable {
        /// Its path.
        path: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
    /// The image has no sectors.
    #[error("disk image '{}' is empty; give it a size with: truncate -s 64M {}", .path.display(), .path.display())]
    DiskEmpty {
        /// Its path.
        path: PathBuf,
    },
    /// The image ends within a sector.
    #[error("disk image '{}' has {bytes} bytes, which is no whole number of 512-byte sectors; it may be truncated, or pad it with: truncate -s %512 {}", .path.display(), .path.display())]
    DiskSize {
        /// Its path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Another process has the image.
    #[error("disk image '{}' is in use by another process; end that one, or give each its own copy of the file", .path.display())]
    DiskInUse {
        /// Its path.
        path: PathBuf,
    },
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
            Self::DiskMissing { .. }
            | Self::DiskIsDirectory { .. }
            | Self::DiskNotWritable { .. }
            | Self::DiskUnreadable { .. }
            | Self::DiskEmpty { .. }
            | Self::DiskSize { .. }
            | Self::DiskInUse { .. }
            | Self::NoTerminal
            | Self::Listen { .. }
            | Self::PasswordFile { .. }
            | Self::OutputFile { .. } => 2,
            Self::Thread { .. }
            | Self::Entropy { .. }
            | Self::Terminal { .. }
            | Self::Signals { .. }
            | Self::OutputFailed { .. } => 1,
        }
    }
}
