//! Firmware images: the one that was named, or the host's SeaBIOS.

use std::path::{Path, PathBuf};

use super::{InputFile, LoadError, Role};

/// The smallest image that is taken: what appears below 1 MiB holds the BIOS's entry points.
const SMALLEST: u64 = 64 << 10;
/// The largest; above it are the interrupt controllers' registers.
const LARGEST: u64 = 16 << 20;

/// Where packages put SeaBIOS, on all hosts.
const DIRECTORIES: [&str; 11] = [
    "/usr/share/seabios",
    "/usr/share/qemu",
    "/usr/local/share/seabios",
    "/usr/local/share/qemu",
    "/usr/share/qemu/firmware",
    "/opt/homebrew/share/qemu",
    "/home/linuxbrew/.linuxbrew/share/qemu",
    "/opt/local/share/qemu",
    r"C:\Program Files\qemu",
    r"C:\Program Files\qemu\share",
    r"C:\msys64\mingw64\share\qemu",
];
/// Its names; the first is the build with everything in it.
const NAMES: [&str; 2] = ["bios-256k.bin", "bios.bin"];

/// Reads a firmware image: whole 64 KiB, at most 16 MiB.
///
/// # Errors
/// When it is missing, a directory, unreadable or of another size.
pub fn read_firmware(path: &Path) -> Result<Vec<u8>, LoadError> {
    let wrong_size = |bytes| LoadError::FirmwareSize {
        path: path.to_path_buf(),
        bytes,
    };
    match InputFile::read(path, Role::Firmware, LARGEST) {
        Ok(file) => {
            let bytes = file.bytes.len() as u64;
            if bytes < SMALLEST || !bytes.is_multiple_of(SMALLEST) {
                return Err(wrong_size(bytes));
            }
            Ok(file.bytes)
        }
        Err(LoadError::LargerThanMemory { .. }) => {
            let bytes = path.metadata().map_or(0, |metadata| metadata.len());
            Err(wrong_size(bytes.max(LARGEST + 1)))
        }
        Err(error) => Err(error),
    }
}

/// Where this host has SeaBIOS.
///
/// # Errors
/// When it is in none of the usual places.
pub fn find_seabios() -> Result<PathBuf, LoadError> {
    find_in(&DIRECTORIES.map(Path::new)).ok_or(LoadError::NoSeaBios)
}

fn find_in(directories: &[&Path]) -> Option<PathBuf> {
    let candidates = NAMES.iter().flat_map(|name| {
        directories
            .iter()
            .map(move |directory| directory.join(name))
    });
    candidates.into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complete_build_is_preferred_wherever_it_is() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directories = [first.path(), second.path()];
        assert_eq!(find_in(&directories), None);
        std::fs::write(first.path().join("bios.bin"), b"b").unwrap();
        assert_eq!(find_in(&directories), Some(first.path().join("bios.bin")));
        let complete = second.path().join("bios-256k.bin");
        std::fs::write(&complete, b"c").unwrap();
        assert_eq!(find_in(&directories), Some(complete));
    }

    #[test]
    fn sizes_that_are_no_firmware_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bios");
        let file = std::fs::File::create(&path).unwrap();
        let read = |bytes| {
            file.set_len(bytes).unwrap();
            read_firmware(&path)
        };
        for good in [64 << 10, 192 << 10, 256 << 10, 16 << 20] {
            assert_eq!(read(good).unwrap().len() as u64, good);
        }
        for bad in [1, 65535, 65537, (16 << 20) + 1, 1 << 40] {
            let text = read(bad).unwrap_err().to_string();
            assert!(text.contains(&format!("{bad} bytes")), "{text}");
        }
        assert!(read(0).unwrap_err().to_string().contains("is empty"));
    }
}
