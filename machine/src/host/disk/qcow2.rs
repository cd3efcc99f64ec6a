//! A qcow2 image and the images behind it.
//!
//! QEMU's docs/interop/qcow2. The format is the crate imago's; here is which
//! files are opened, that a chain of them has an end, and that data is safe
//! after a flush.

mod tables;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use imago::qcow2::Qcow2;
use imago::raw::Raw;
use imago::{FormatAccess, file};
use rax_devices::Disk;
use rax_devices::host_end::SECTOR_BYTES;

use super::raw::check_range;
use super::{ImageFormat, ImageProblem, Medium, content, open};

/// The most images behind each other.
const MOST_LAYERS: usize = 32;

type Access = FormatAccess<file::File>;

/// An open image with what lies behind it.
pub(super) struct Qcow2Disk {
    access: Access,
    name: String,
    sectors: u64,
    is_writable: bool,
}

impl Qcow2Disk {
    /// Opens what lies behind `file`, which is the qcow2 image at `path`.
    pub(super) fn open(
        path: &Path,
        mut file: File,
        is_writable: bool,
    ) -> Result<Self, ImageProblem> {
        if is_writable {
            tables::check(&mut file).map_err(ImageProblem::Qcow2)?;
        }
        let mut chain = Vec::new();
        let access = open_layer(path, file, is_writable, &mut chain)?;
        let bytes = access.size();
        if !bytes.is_multiple_of(SECTOR_BYTES as u64) {
            return Err(ImageProblem::OddSize { bytes });
        }
        Ok(Self {
            sectors: bytes / SECTOR_BYTES as u64,
            name: path.display().to_string(),
            access,
            is_writable,
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.access.flush()?;
        self.access.sync()
    }
}

/// Refuses what the crate would take for something else: ciphertext for data,
/// and tables that a truncated file has lost for empty ones.
fn check_header(file: &mut File) -> Result<(), ImageProblem> {
    let mut header = [0; 48];
    let bytes = open::size(file)?;
    file.seek(SeekFrom::Start(0)).map_err(ImageProblem::Qcow2)?;
    file.read_exact(&mut header).map_err(ImageProblem::Qcow2)?;
    let word = |at: usize| {
        header[at..at + 4]
            .iter()
            .fold(0, |n, b| n << 8 | u64::from(*b))
    };
    let (encryption, entries, offset) = (word(32), word(36), word(40) << 32 | word(44));
    if encryption != 0 {
        return Err(ImageProblem::Encrypted);
    }
    let end = offset.checked_add(8 * entries);
    if entries != 0 && end.is_none_or(|end| end > bytes) {
        let what = "its first table is outside the file";
        let damage = io::Error::new(io::ErrorKind::InvalidData, what);
        return Err(ImageProblem::Qcow2(damage));
    }
    Ok(())
}

/// One qcow2 image; `chain` is the files in front of it.
fn open_layer(
    path: &Path,
    mut file: File,
    is_writable: bool,
    chain: &mut Vec<PathBuf>,
) -> Result<Access, ImageProblem> {
    let real = path.canonicalize().map_err(ImageProblem::Unreadable)?;
    if chain.len() >= MOST_LAYERS {
        return Err(ImageProblem::TooDeep { most: MOST_LAYERS });
    }
    chain.push(real);
    check_header(&mut file)?;
    let storage = file::File::try_from(file).map_err(ImageProblem::Unreadable)?;
    let opened = Qcow2::<file::File>::open_image(storage, is_writable);
    let mut image = opened.map_err(ImageProblem::Qcow2)?;
    let data = if image.requires_external_data_file() {
        let name = image.implicit_external_data_file().cloned();
        Some(open_data(path, name, is_writable)?)
    } else {
        None
    };
    image.set_data_file(data);
    let format = image.implicit_backing_format().cloned();
    let backing = match image.implicit_backing_file() {
        Some(name) if !name.is_empty() => Some(open_backing(path, name, format.as_deref(), chain)?),
        _ => None,
    };
    image.set_backing(backing);
    Ok(FormatAccess::new(image))
}

/// The file a name in an image means: beside the image, if it is relative.
fn resolve(image: &Path, name: &str) -> Result<PathBuf, ImageProblem> {
    let name = name.strip_prefix("file:").unwrap_or(name);
    if name.starts_with("json:") || name.contains("://") {
        return Err(ImageProblem::BackingNoFile(name.to_owned()));
    }
    Ok(image.parent().unwrap_or(Path::new("")).join(name))
}

/// The file in which another image's data is.
fn open_data(
    image: &Path,
    name: Option<String>,
    is_writable: bool,
) -> Result<file::File, ImageProblem> {
    let path = resolve(image, &name.unwrap_or_default())?;
    let behind = |problem| ImageProblem::Backing(path.clone(), Box::new(problem));
    let file = open::open(&path, is_writable).map_err(behind)?;
    file::File::try_from(file).map_err(|reason| behind(ImageProblem::Unreadable(reason)))
}

/// What shows where an image has no data of its own.
fn open_backing(
    image: &Path,
    name: &str,
    format: Option<&str>,
    chain: &mut Vec<PathBuf>,
) -> Result<Access, ImageProblem> {
    let path = resolve(image, name)?;
    let behind = |problem| ImageProblem::Backing(path.clone(), Box::new(problem));
    let asked = match format {
        Some("qcow2") => Some(ImageFormat::Qcow2),
        Some("raw" | "file") => Some(ImageFormat::Raw),
        Some(other) => return Err(ImageProblem::BackingFormat(other.to_owned())),
        None => None,
    };
    // Before it is opened, because the image in front may hold the lock.
    if path.canonicalize().is_ok_and(|real| chain.contains(&real)) {
        return Err(ImageProblem::BackingLoop);
    }
    let open_it = || {
        let mut file = open::open(&path, false)?;
        let format = content::format(&mut file, Medium::Disk, asked)?;
        Ok((file, format))
    };
    let (file, format) = open_it().map_err(behind)?;
    match format {
        ImageFormat::Qcow2 => open_layer(&path, file, false, chain).map_err(|problem| {
            // The loop or the depth is the whole chain's, not this file's.
            match problem {
                ImageProblem::BackingLoop | ImageProblem::TooDeep { .. } => problem,
                _ => behind(problem),
            }
        }),
        ImageFormat::Raw => {
            let raw = file::File::try_from(file).and_then(|file| Raw::open_image(file, false));
            let raw = raw.map_err(|reason| behind(ImageProblem::Unreadable(reason)))?;
            Ok(FormatAccess::new(raw))
        }
    }
}

impl Disk for Qcow2Disk {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn is_read_only(&self) -> bool {
        !self.is_writable
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        check_range(self.sectors, sector, buffer.len())?;
        self.access.read(buffer, sector * SECTOR_BYTES as u64)
    }

    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        check_range(self.sectors, sector, bytes.len())?;
        if !self.is_writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.access.write(bytes, sector * SECTOR_BYTES as u64)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_writable {
            self.sync()?;
        }
        Ok(())
    }
}

impl Drop for Qcow2Disk {
    /// Tables are written late, and the last of them now.
    fn drop(&mut self) {
        if self.is_writable
            && let Err(error) = self.sync()
        {
            log::error!(
                "disk image '{}': what was written last is lost ({error})",
                self.name
            );
        }
    }
}
