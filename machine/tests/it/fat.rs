//! A floppy disk of 1440 KiB with one file, as DOS formats it (Microsoft's FAT specification 1.03, FAT12).

use rax_devices::{Floppy, MemoryDisk};

const SECTOR: usize = 512;
const SECTORS: usize = 2880;
const FAT_SECTORS: usize = 9;
const ROOT: usize = 1 + 2 * FAT_SECTORS;
const ROOT_ENTRIES: usize = 224;
/// Cluster 2, the first one.
const DATA: usize = ROOT + ROOT_ENTRIES * 32 / SECTOR;

/// A disk with a file of at most one sector; its name has eight and three characters at most.
pub(crate) fn floppy(name: &str, contents: &[u8]) -> Floppy {
    let mut disk = vec![0; SECTORS * SECTOR];
    let mut put = |offset: usize, bytes: &[u8]| {
        disk[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    // The jump, the OEM's name, and the BIOS parameter block.
    put(0, b"\xeb\x3c\x90RAXTEST \0\x02\x01\x01\0\x02");
    put(17, &(ROOT_ENTRIES as u16).to_le_bytes());
    put(19, &(SECTORS as u16).to_le_bytes());
    put(21, &[0xf0, FAT_SECTORS as u8, 0, 18, 0, 2, 0]);
    put(38, b"\x29\x26\x11\x21\x20OTHER DISK FAT12   ");
    put(510, &[0x55, 0xaa]);
    // The medium, and a chain of one cluster.
    for fat in [1, 1 + FAT_SECTORS] {
        put(fat * SECTOR, &[0xf0, 0xff, 0xff, 0xff, 0x0f]);
    }
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let entry = ROOT * SECTOR;
    put(entry, format!("{stem:8}{extension:3}").as_bytes());
    put(entry + 26, &2u16.to_le_bytes());
    put(entry + 28, &(contents.len() as u32).to_le_bytes());
    put(DATA * SECTOR, contents);
    Floppy::new(Box::new(MemoryDisk::new(disk))).unwrap()
}
