//! What a file seems to be, by its first bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::{ImageFormat, ImageProblem, Medium};

/// How a qcow2 image begins.
pub(super) const QCOW2_MAGIC: [u8; 4] = *b"QFI\xfb";

/// What other kinds of files begin with: offset, bytes, name, and how to make
/// something of it that can be used.
const FOREIGN: [(usize, &[u8], &str, &str); 12] = [
    (0, b"KDMV", "a VMDK image", CONVERT),
    (0, b"# Disk DescriptorFile", "a VMDK descriptor", CONVERT),
    (0x40, b"\x7f\x10\xda\xbe", "a VDI image", CONVERT),
    (0, b"vhdxfile", "a VHDX image", CONVERT),
    (0, b"conectix", "a VHD image", CONVERT),
    (0, b"QED\0", "a QED image", CONVERT),
    (0, b"\x1f\x8b\x08", "compressed by gzip", "gunzip"),
    (0, b"\xfd7zXZ\0", "compressed by xz", "unxz"),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", "unzstd"),
    (0, b"BZh", "compressed by bzip2", "bunzip2"),
    (0, b"PK\x03\x04", "a ZIP archive", "unzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
];
const CONVERT: &str = "qemu-img convert -O qcow2";

/// Synchronization bytes of a raw CD sector.
const CD_SYNC: [u8; 12] = [
    0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,
];

/// The format of an image: the one that was asked for, or what the content says.
pub(super) fn format(
    file: &mut File,
    medium: Medium,
    asked: Option<ImageFormat>,
) -> Result<ImageFormat, ImageProblem> {
    let mut first = [0; 512];
    let read = read_first(file, &mut first).map_err(ImageProblem::Unreadable)?;
    let first = &first[..read];
    let is_qcow2 = first.starts_with(&QCOW2_MAGIC);
    match asked {
        Some(ImageFormat::Qcow2) if !is_qcow2 => return Err(ImageProblem::NotQcow2),
        Some(format) => return Ok(format),
        None if is_qcow2 => return Ok(ImageFormat::Qcow2),
        None => {}
    }
    let foreign = FOREIGN
        .iter()
        .find(|(offset, magic, ..)| first.get(*offset..).is_some_and(|b| b.starts_with(magic)));
    if let Some(&(_, _, what, command)) = foreign {
        return Err(ImageProblem::Foreign { what, command });
    }
    if medium == Medium::Cdrom && first.starts_with(&CD_SYNC) {
        return Err(ImageProblem::Foreign {
            what: "an image of raw CD sectors",
            command: "bchunk",
        });
    }
    Ok(ImageFormat::Raw)
}

/// Reads as much as there is.
fn read_first(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(0))?;
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}
