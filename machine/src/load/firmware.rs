//! Firmware images: the one that was named, or the host's SeaBIOS.

use std::path::{Path, PathBuf};

use super::{InputFile, LoadError, Role};

/// The smallest image that is taken: what appears below 1 MiB holds the BIOS's entry points.
const SMALLEST: u64 = 64 << 10;
/// What flash memory is erased by.
const FLASH_BLOCK: u64 = rax_devices::flash::BLOCK_BYTES as u64;
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

/// The volume of non-volatile variables (UEFI Platform Initialization 1.7, volume 3, section 3.2.1), of which the
/// header is read: its identity at 16, its length at 32, its signature at 40.
const VARIABLES: [u8; 16] = [
    0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50,
];

/// How many bytes of an UEFI firmware image, from its start, are flash memory for its variables; zero if the image
/// has none, because it is a BIOS or because they are in an image of their own.
#[must_use]
fn variable_bytes(image: &[u8]) -> usize {
    let field = |at: usize, bytes: usize| image.get(at..at + bytes);
    let is_volume = field(16, 16) == Some(&VARIABLES) && field(40, 4) == Some(b"_FVH");
    let length = field(32, 8).and_then(|bytes| bytes.try_into().ok());
    let length = length.map_or(0, u64::from_le_bytes);
    let code = (image.len() as u64).saturating_sub(length);
    let fits = length.is_multiple_of(FLASH_BLOCK) && code >= SMALLEST;
    if is_volume && fits {
        length as usize
    } else {
        0
    }
}

/// Splits a firmware image into its variables, which may be written, and its code.
#[must_use]
pub fn split_variables(mut image: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let code = image.split_off(variable_bytes(&image));
    (image, code)
}

/// Whether a file of so many bytes can hold the variables of an image that has `own` bytes of them and `code` bytes
/// of code.
///
/// # Errors
/// When it cannot.
pub fn check_variables(path: &Path, bytes: u64, own: u64, code: u64) -> Result<(), LoadError> {
    let fits =
        bytes.is_multiple_of(FLASH_BLOCK) && bytes != 0 && bytes <= LARGEST.saturating_sub(code);
    if fits && (own == 0 || own == bytes) {
        return Ok(());
    }
    Err(LoadError::FlashSize {
        path: path.to_path_buf(),
        bytes,
        wanted: own,
    })
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
    fn variables_are_told_by_their_volume() {
        let mut image = vec![0; 256 << 10];
        image[16..32].copy_from_slice(&VARIABLES);
        image[32..40].copy_from_slice(&0x2_0000u64.to_le_bytes());
        image[40..44].copy_from_slice(b"_FVH");
        assert_eq!(variable_bytes(&image), 0x2_0000);
        let (variables, code) = split_variables(image.clone());
        assert_eq!((variables.len(), code.len()), (0x2_0000, 0x2_0000));
        // A length that leaves no code, or ends within a block, is none; nor is another volume's.
        for length in [0x4_0000u64, 0x3_1000, 0x1_0001, u64::MAX] {
            image[32..40].copy_from_slice(&length.to_le_bytes());
            assert_eq!(variable_bytes(&image), 0, "{length:#x}");
        }
        image[32..40].copy_from_slice(&0x1000u64.to_le_bytes());
        image[16] ^= 1;
        assert_eq!(variable_bytes(&image), 0);
        assert_eq!(variable_bytes(&image[..20]), 0);
    }

    #[test]
    fn a_file_for_variables_has_their_size() {
        let check = |bytes, own| check_variables(Path::new("f"), bytes, own, 1 << 20);
        assert!(check(0x2_0000, 0).is_ok());
        assert!(check(0x2_0000, 0x2_0000).is_ok());
        for (bytes, own) in [(0, 0), (4097, 0), (0x2_0000, 0x8_4000), (16 << 20, 0)] {
            let text = check(bytes, own).unwrap_err().to_string();
            assert!(
                text.contains("'f'") && text.contains(&format!("{bytes} bytes")),
                "{text}"
            );
        }
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
