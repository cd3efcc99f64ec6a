//! FreeDOS on hard disks: its floppy's file system becomes a partition, which its own boot sector starts from.
//!
//! The disks are of sizes that a BIOS describes differently: as the drive does, with heads doubled until 1024 cylinders
//! are enough, and with 255 heads, because there are more sectors than INT 13h can count.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use rax_devices::{Disk, IdeDrive};
use rax_machine::Fittings;

use super::{OURS, Pairing, Pc, SLOW, THEIRS};
use crate::dos::medium;

const SECTOR: usize = 512;
/// Where the partition begins: at the second track, as ever.
const START: u32 = 63;

/// A disk that keeps only what was written to it. Clones share the contents.
#[derive(Clone)]
struct SparseDisk {
    sectors: u64,
    written: Arc<Mutex<HashMap<u64, Vec<u8>>>>,
}

impl Disk for SparseDisk {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        let written = self.written.lock().unwrap();
        for (at, piece) in (sector..).zip(buffer.chunks_mut(SECTOR)) {
            match written.get(&at) {
                Some(bytes) => piece.copy_from_slice(bytes),
                None => piece.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        let mut written = self.written.lock().unwrap();
        for (at, piece) in (sector..).zip(bytes.chunks(SECTOR)) {
            written.insert(at, piece.to_vec());
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a master boot record goes, to make room for the partition's first sector.
const ASIDE: u32 = 0x600;
/// Where in it its second half begins.
const SECOND_HALF: usize = 0x20;

/// A master boot record's first half: it goes aside.
fn go_aside(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.cli()?;
    a.xor(ax, ax)?;
    a.mov(ss, ax)?;
    a.mov(ds, ax)?;
    a.mov(es, ax)?;
    a.mov(si, 0x7c00)?;
    a.mov(sp, si)?;
    a.mov(di, ASIDE)?;
    a.mov(cx, 256)?;
    a.cld()?;
    a.rep().movsw()?;
    a.mov(ax, ASIDE + SECOND_HALF as u32)?;
    a.jmp(ax)
}

/// The second half: it reads the partition's first sector by head, sector and cylinder, and goes there.
fn read_partition(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.sti()?;
    a.mov(si, ASIDE + 446)?;
    a.mov(dh, byte_ptr(si + 1))?;
    a.mov(cx, word_ptr(si + 2))?;
    a.mov(bx, 0x7c00)?;
    a.mov(ax, 0x0201)?;
    a.int(0x13)?;
    let mut stopped = a.create_label();
    a.set_label(&mut stopped)?;
    a.jc(stopped)?;
    a.jmp(bx)
}

/// The first sector, with one active partition of 12-bit FAT.
fn boot_record(partition_sectors: u32) -> Vec<u8> {
    let assembled = |half: fn(&mut CodeAssembler) -> Result<(), IcedError>| {
        let mut a = CodeAssembler::new(16).unwrap();
        half(&mut a).unwrap();
        a.assemble(0).unwrap()
    };
    let mut sector = assembled(go_aside);
    assert!(sector.len() <= SECOND_HALF);
    sector.resize(SECOND_HALF, 0);
    sector.extend(assembled(read_partition));
    sector.resize(446, 0);
    sector.extend([0x80, 1, 1, 0, 1, 0xfe, 0xff, 0xff]);
    sector.extend(START.to_le_bytes());
    sector.extend(partition_sectors.to_le_bytes());
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector
}

/// FreeDOS' floppy as the partition of a disk whose BIOS counts `heads` of 63 sectors.
fn disk(sectors: u64, heads: u16) -> Option<SparseDisk> {
    let mut image = std::fs::read(medium("freedos722.img")?).unwrap();
    let word =
        |image: &[u8], at: usize| usize::from(u16::from_le_bytes([image[at], image[at + 1]]));
    // The BIOS parameter block of a hard disk's partition.
    image[21] = 0xf8;
    image[24..28].copy_from_slice(&[63, 0, heads.to_le_bytes()[0], heads.to_le_bytes()[1]]);
    image[28..32].copy_from_slice(&START.to_le_bytes());
    image[36] = 0x80;
    for fat in 0..usize::from(image[16]) {
        let at = (word(&image, 14) + fat * word(&image, 22)) * SECTOR;
        image[at] = 0xf8;
    }
    // Its command interpreter is named with its drive.
    let shell = b"SHELL=A:";
    let at = image.windows(shell.len()).position(|found| found == shell);
    image[at.expect("a line in CONFIG.SYS") + 6] = b'C';

    let partition_sectors = (image.len() / SECTOR) as u32;
    let mut disk = SparseDisk {
        sectors,
        written: Arc::default(),
    };
    disk.write(0, &boot_record(partition_sectors)).unwrap();
    disk.write(START.into(), &image).unwrap();
    Some(disk)
}

/// DOS starts, finds its drive, and what it writes is on the disk.
fn starts(pairing: Pairing, sectors: u64, heads: u16) {
    let Some(disk) = disk(sectors, heads) else {
        return;
    };
    let mut fittings = Fittings::default();
    fittings.drives[0] = Some(IdeDrive::disk(Box::new(disk.clone())));
    let Some(mut pc) = Pc::new(pairing, 64, fittings) else {
        return;
    };
    let screen = pc.wait_for(&["Welcome to FreeDOS", r"C:\>"]);
    assert!(screen.contains("C: HD1, Pri[ 1]"), "{screen}");
    pc.type_text("copy hello.asm again.txt\n");
    pc.wait_for(&["hello.asm => again.txt"]);
    pc.type_text("dir again.*\n");
    pc.wait_for(&["AGAIN", "bytes free"]);
    let written = disk.written.lock().unwrap();
    let is_on_disk = written.values().any(|sector| {
        sector
            .chunks(32)
            .any(|entry| entry.starts_with(b"AGAIN   TXT"))
    });
    assert!(is_on_disk);
}

/// Sizes in sectors, and the heads that a BIOS makes of them.
const SMALL: (u64, u16) = (500 << 11, 16);
const MIDDLE: (u64, u16) = (2000 << 11, 64);
const LARGE: (u64, u16) = (9000 << 11, 255);

#[test]
fn dos_starts_from_a_hard_disk() {
    starts(OURS, LARGE.0, LARGE.1);
}

#[test]
#[ignore = "takes minutes: other sizes and firmware, and interpreted"]
fn dos_starts_from_hard_disks_of_all_sizes() {
    for (sectors, heads) in [SMALL, MIDDLE, LARGE] {
        for pairing in [OURS, THEIRS, SLOW[0], SLOW[1]] {
            starts(pairing, sectors, heads);
        }
    }
}
