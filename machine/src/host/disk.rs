//! Disks, CDs and floppies that are image files of the host, raw or qcow2.
//!
//! | file | what it is |
//! | --- | --- |
//! | `open.rs` | a file is opened and locked |
//! | `content.rs` | what a file seems to be |
//! | `raw.rs` | sector `n` lies at byte `512 n` |
//! | `qcow2.rs` | QEMU's format, and what lies behind it |
//! | `overlay.rs` | a snapshot: writes go elsewhere and are forgotten |
//! | `report.rs` | the host's failures are told to the person, too |
//! | `error.rs` | why an image cannot be used |

use std::path::PathBuf;

use rax_devices::host_end::SECTOR_BYTES;
use rax_devices::{Disk, FloppyFormat};

mod content;
mod error;
mod open;
mod overlay;
mod qcow2;
mod raw;
mod report;
#[cfg(test)]
mod tests;

pub use error::{ImageError, ImageProblem};

use overlay::Overlay;
use qcow2::Qcow2Disk;
use raw::RawDisk;
use report::Reporting;

/// The most sectors of a disk: 48 bits of address.
const MOST_DISK_SECTORS: u64 = 1 << 48;
/// The most sectors of a disc, of 512 bytes: 31 bits of address, each of 2048 bytes.
const MOST_DISC_SECTORS: u64 = 4 << 31;

/// What an image is an image of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A hard disk.
    Disk,
    /// A CD or DVD.
    Cdrom,
    /// A floppy disk.
    Floppy,
    /// The flash memory that firmware keeps its variables in.
    Flash,
}

/// What becomes of writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// They reach the file.
    #[default]
    ReadWrite,
    /// The medium says that it is write-protected.
    ReadOnly,
    /// They go to a temporary file and are forgotten at the end.
    Snapshot,
}

/// How an image file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// Sector after sector.
    Raw,
    /// QEMU copy-on-write, versions 2 and 3.
    Qcow2,
}

/// An image file, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageOptions {
    /// The file.
    pub path: PathBuf,
    /// What becomes of writes.
    pub access: Access,
    /// Its format; without one, its content tells.
    pub format: Option<ImageFormat>,
}

impl ImageOptions {
    /// An image whose content tells its format.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, access: Access) -> Self {
        Self {
            path: path.into(),
            access,
            format: None,
        }
    }
}

/// Opens an image and locks it against other writers.
///
/// # Errors
/// When the file cannot be used; the error names it and says what to do.
pub fn open_image(medium: Medium, options: &ImageOptions) -> Result<Box<dyn Disk>, ImageError> {
    let fail = |problem| ImageError {
        medium,
        path: options.path.clone(),
        problem,
    };
    let disk = open_medium(medium, options).map_err(fail)?;
    let path = options.path.display();
    Ok(Box::new(Reporting::new(disk, format!("{medium} '{path}'"))))
}

fn open_medium(medium: Medium, options: &ImageOptions) -> Result<Box<dyn Disk>, ImageProblem> {
    let is_writable = options.access == Access::ReadWrite && medium != Medium::Cdrom;
    let mut file = open::open(&options.path, is_writable)?;
    let bytes = open::size(&mut file)?;
    if bytes == 0 {
        return Err(ImageProblem::Empty);
    }
    let format = content::format(&mut file, medium, options.format)?;
    let disk: Box<dyn Disk> = match format {
        ImageFormat::Qcow2 => Box::new(Qcow2Disk::open(&options.path, file, is_writable)?),
        ImageFormat::Raw => {
            let sectors = raw_sectors(medium, bytes)?;
            if !bytes.is_multiple_of(SECTOR_BYTES as u64) {
                let path = options.path.display();
                log::warn!(
                    "{medium} '{path}' has {bytes} bytes, no whole number of 512-byte sectors; the last one is filled up with zeros"
                );
            }
            let disk = RawDisk::new(file, bytes, sectors, is_writable);
            // A guest could turn a raw image into a qcow2 image that names any file.
            Box::new(disk.guard_format(options.format.is_none()))
        }
    };
    check_size(medium, disk.sectors())?;
    match options.access {
        Access::Snapshot if medium != Medium::Cdrom => Ok(Box::new(Overlay::new(disk)?)),
        _ => Ok(disk),
    }
}

/// How many sectors a raw image of so many bytes has. A last sector that ends early has zeros behind it. A floppy image
/// that ends early, as the output of a linker does, is one of 1.44 MB.
fn raw_sectors(medium: Medium, bytes: u64) -> Result<u64, ImageProblem> {
    const COMMON_FLOPPY: u64 = 2880;
    let sectors = bytes.div_ceil(SECTOR_BYTES as u64);
    let is_cut = !bytes.is_multiple_of(SECTOR_BYTES as u64);
    // Disks are put together from a boot sector and a kernel of any length; nobody makes discs so.
    if is_cut && !matches!(medium, Medium::Disk | Medium::Floppy) {
        return Err(ImageProblem::OddSize { bytes });
    }
    let is_short = medium == Medium::Floppy && sectors < COMMON_FLOPPY;
    if is_short && FloppyFormat::of_size(sectors).is_none() {
        return Ok(COMMON_FLOPPY);
    }
    Ok(sectors)
}

/// Refuses what the drive cannot hold.
fn check_size(medium: Medium, sectors: u64) -> Result<(), ImageProblem> {
    let most = match medium {
        Medium::Floppy if FloppyFormat::of_size(sectors).is_none() => {
            return Err(ImageProblem::NotAFloppy { sectors });
        }
        Medium::Floppy => return Ok(()),
        Medium::Disk | Medium::Flash => MOST_DISK_SECTORS,
        Medium::Cdrom => MOST_DISC_SECTORS,
    };
    if sectors == 0 {
        Err(ImageProblem::Empty)
    } else if sectors > most {
        Err(ImageProblem::TooLarge { sectors, most })
    } else {
        Ok(())
    }
}
