//! Why an image cannot be used: one line that names it and says what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rax_devices::FloppyFormat;

use super::Medium;

/// An image that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{medium} '{}' {}", .path.display(), .problem.text(*.medium, .path))]
pub struct ImageError {
    /// What it is an image of.
    pub medium: Medium,
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: ImageProblem,
}

/// What is wrong with an image.
#[derive(Debug)]
pub enum ImageProblem {
    /// There is no such file.
    Missing,
    /// It is a directory.
    Directory,
    /// It is neither a file nor a block device.
    NoFile,
    /// It may be read but not written.
    NotWritable(io::Error),
    /// It cannot be read.
    Unreadable(io::Error),
    /// It has no sectors.
    Empty,
    /// It ends within a sector.
    OddSize {
        /// Its size.
        bytes: u64,
    },
    /// It is larger than any drive.
    TooLarge {
        /// Its size in sectors of 512 bytes.
        sectors: u64,
        /// The largest size.
        most: u64,
    },
    /// No floppy disk has this size.
    NotAFloppy {
        /// Its size in sectors of 512 bytes.
        sectors: u64,
    },
    /// Another drive or process has it.
    InUse,
    /// It is of another kind.
    Foreign {
        /// Which.
        what: &'static str,
        /// What makes it one that can be used.
        command: &'static str,
    },
    /// It is not the qcow2 image that it should be.
    NotQcow2,
    /// A qcow2 image with something wrong in it.
    Qcow2(io::Error),
    /// A qcow2 image whose data is encrypted.
    Encrypted,
    /// It lies behind itself.
    BackingLoop,
    /// Too many images lie behind each other.
    TooDeep {
        /// How many may.
        most: usize,
    },
    /// What lies behind it is no file.
    BackingNoFile(String),
    /// What lies behind it is in a format that is not read.
    BackingFormat(String),
    /// Something is wrong with what lies behind it.
    Backing(PathBuf, Box<ImageProblem>),
    /// There is no place for a snapshot's writes.
    NoTemporary(io::Error),
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "disk image",
            Self::Cdrom => "CD image",
            Self::Floppy => "floppy image",
            Self::Flash => "flash image",
        })
    }
}

impl Medium {
    /// The option that names it.
    const fn option(self) -> &'static str {
        match self {
            Self::Disk => "--disk",
            Self::Cdrom => "--cdrom",
            Self::Floppy => "--floppy",
            Self::Flash => "--flash-vars",
        }
    }

    /// How to make one.
    fn recipe(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Disk => format!("make one with: truncate -s 64M {path}"),
            Self::Cdrom => format!("make one with: xorriso -as mkisofs -o {path} DIRECTORY"),
            Self::Floppy => format!("make one with: truncate -s 1440K {path}"),
            Self::Flash => format!("make one with: cp OVMF_VARS.fd {path}"),
        }
    }
}

impl ImageProblem {
    /// What is wrong with the image at `path` and what to do, to follow its name.
    fn text(&self, medium: Medium, file: &Path) -> String {
        let (option, path) = (medium.option(), file.display());
        match self {
            Self::Missing => format!(
                "does not exist; check the path after {option}, or {}",
                medium.recipe(file)
            ),
            Self::Directory => format!("is a directory; name a file in it after {option}"),
            Self::NoFile => format!("is no file; name an image file after {option}"),
            Self::NotWritable(reason) => format!(
                "cannot be written ({reason}); use {option} {path},readonly or {option} {path},snapshot"
            ),
            Self::Unreadable(reason) => {
                format!("cannot be opened ({reason}); check its permissions")
            }
            Self::Empty => format!("is empty; {}", medium.recipe(file)),
            Self::OddSize { bytes } => format!(
                "has {bytes} bytes, which is no whole number of 512-byte sectors; it may be truncated, or pad it with: truncate -s %512 {path}"
            ),
            Self::TooLarge { sectors, most } => format!(
                "has {sectors} sectors, and the drive takes at most {most}; give a smaller one"
            ),
            Self::NotAFloppy { sectors } => format!(
                "has {sectors} sectors, which no floppy disk has; the sizes are {}, or anything shorter than 1440K",
                floppy_sizes()
            ),
            Self::InUse => "is in use by another drive or process; end that one, or give each its own copy of the file".to_owned(),
            Self::Foreign { what, command } => format!(
                "is {what}, which cannot be used as it is; first: {command} {path}"
            ),
            Self::NotQcow2 => {
                "is no qcow2 image; leave out format=qcow2, or check the path".to_owned()
            }
            Self::Qcow2(reason) => format!(
                "is a damaged qcow2 image, or one with features that rax does not know ({reason}); for more: qemu-img check {path}"
            ),
            Self::Encrypted => "is encrypted, which rax cannot read; make a copy that is not, with: qemu-img convert".to_owned(),
            Self::BackingLoop => "lies behind itself; mend it with: qemu-img rebase -u".to_owned(),
            Self::TooDeep { most } => format!(
                "has more than {most} images behind each other; make it one with: qemu-img convert -O qcow2 {path}"
            ),
            Self::BackingNoFile(name) => format!(
                "needs '{name}' behind it, which is no file of this host; mend it with: qemu-img rebase -u"
            ),
            Self::BackingFormat(name) => format!(
                "has an image of format '{name}' behind it, and rax reads raw and qcow2; make it one with: qemu-img convert -O qcow2 {path}"
            ),
            Self::Backing(behind, problem) => format!(
                "needs '{}' behind it, which {}",
                behind.display(),
                problem.text(medium, behind)
            ),
            Self::NoTemporary(reason) => format!(
                "cannot be a snapshot, because there is no temporary file ({reason}); set TMPDIR to a directory that can be written"
            ),
        }
    }
}

/// The sizes of floppy disks, in KiB.
fn floppy_sizes() -> String {
    let mut sizes: Vec<u64> = FloppyFormat::ALL.iter().map(|f| f.total() / 2).collect();
    sizes.dedup();
    let sizes: Vec<_> = sizes.iter().map(|kib| format!("{kib}K")).collect();
    sizes.join(", ")
}
