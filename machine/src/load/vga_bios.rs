//! Expansion ROMs: the graphics adapter's BIOS (the image that `--vga-bios` names, the distribution's, or rax's own) and
//! a network adapter's boot ROM.

use std::path::Path;

use rax_devices::vga::MAX_ROM_BYTES;

use super::{InputFile, LoadError, Role};

/// Where distributions put the image for this adapter.
const USUAL_PLACES: [&str; 6] = [
    "/usr/share/seabios/vgabios-stdvga.bin",
    "/usr/share/qemu/vgabios-stdvga.bin",
    "/usr/share/vgabios/vgabios-stdvga.bin",
    "/usr/local/share/qemu/vgabios-stdvga.bin",
    "/opt/homebrew/share/qemu/vgabios-stdvga.bin",
    "C:/Program Files/qemu/share/vgabios-stdvga.bin",
];

/// What an expansion ROM begins with.
const SIGNATURE: [u8; 2] = [0x55, 0xaa];
const NO_SIGNATURE: &str = "does not begin with the bytes 55 AA of an expansion ROM";

/// Reads a network adapter's boot ROM.
///
/// # Errors
/// When it cannot be read, or is no expansion ROM.
pub fn boot_rom(path: &Path) -> Result<Vec<u8>, LoadError> {
    let file = InputFile::read(path, Role::BootRom, 64 << 20)?;
    let unfit = |found| {
        Err(LoadError::NotABootRom {
            path: path.into(),
            found,
        })
    };
    if !file.bytes.starts_with(&SIGNATURE) {
        return unfit(NO_SIGNATURE);
    }
    if file.bytes.len() > rax_devices::rtl8139::MAX_ROM_BYTES {
        return unfit("is larger than 128 KiB");
    }
    Ok(file.bytes)
}

/// Reads an image.
///
/// # Errors
/// When it cannot be read, or is no expansion ROM.
pub fn vga_bios(path: &Path) -> Result<Vec<u8>, LoadError> {
    let file = InputFile::read(path, Role::VgaBios, 64 << 20)?;
    let unfit = |found| {
        Err(LoadError::NotAVgaBios {
            path: path.into(),
            found,
        })
    };
    if !file.bytes.starts_with(&SIGNATURE) {
        return unfit(NO_SIGNATURE);
    }
    if file.bytes.len() > MAX_ROM_BYTES {
        return unfit("is larger than 256 KiB");
    }
    Ok(file.bytes)
}

/// The image that an adapter has if none was named: rax's own.
#[must_use]
pub fn default_vga_bios() -> Option<Vec<u8>> {
    Some(rax_firmware::video::image())
}

/// The distribution's image.
///
/// # Errors
/// When it is in none of the usual places.
pub fn find_vga_bios() -> Result<Vec<u8>, LoadError> {
    let mut places = USUAL_PLACES.iter().map(Path::new);
    let found = places.find_map(|path| vga_bios(path).ok());
    found.ok_or(LoadError::NoVgaBios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_expansion_roms_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rom");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            vga_bios(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read(&[0x55, 0xaa, 1]), Ok(vec![0x55, 0xaa, 1]));
        assert!(read(b"MZ").unwrap_err().contains("55 AA"));
        assert!(read(b"").unwrap_err().contains("is empty"));
        let mut large = vec![0; MAX_ROM_BYTES + 1];
        large[..2].copy_from_slice(&[0x55, 0xaa]);
        assert!(read(&large).unwrap_err().contains("256 KiB"));
        let missing = vga_bios(&dir.path().join("none")).unwrap_err();
        assert!(
            missing.to_string().contains("after --vga-bios"),
            "{missing}"
        );
    }
}
