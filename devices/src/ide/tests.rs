//! What ATA says a disk does, and what drivers rely on.

use std::io;

use super::IdeDrive;
use crate::conformance::Probe;
use crate::host_end::{Disk, MemoryDisk};
use crate::irq_line::{IrqLine, IrqLines};
use crate::piix_ide::PiixIde;

const DATA: u64 = 0;
const ERROR: u64 = 1;
const COUNT: u64 = 2;
const LBA_LOW: u64 = 3;
const LBA_MID: u64 = 4;
const LBA_HIGH: u64 = 5;
const DEVICE: u64 = 6;
const STATUS: u64 = 7;
const CONTROL: u64 = 8;

const SECTORS: usize = 4096;

fn disk() -> MemoryDisk {
    let bytes = (0..SECTORS * 512).map(|index| (index / 512 + index % 512) as u8);
    MemoryDisk::new(bytes.collect())
}

/// A controller with drives on its first channel, which drives `wire`.
pub(super) fn controller(wire: &IrqLine, drives: [Option<IdeDrive>; 2]) -> PiixIde {
    let other = IrqLine::new(&IrqLines::new(), 15);
    PiixIde::new([wire.clone(), other], [drives, [None, None]])
}

fn channel(disk: &MemoryDisk) -> (PiixIde, IrqLine) {
    let wire = IrqLine::new(&IrqLines::new(), 14);
    let drive = IdeDrive::disk(Box::new(disk.clone()));
    (controller(&wire, [Some(drive), None]), wire)
}

/// Gives a 28-bit command.
fn command(probe: &mut Probe<'_>, command: u8, sector: u32, count: u8) {
    let [low, mid, high, top] = sector.to_le_bytes();
    probe.write(DEVICE, 0xe0 | top);
    probe.write(COUNT, count);
    probe.write(LBA_LOW, low);
    probe.write(LBA_MID, mid);
    probe.write(LBA_HIGH, high);
    probe.write(STATUS, command);
}

/// Gives a 48-bit command.
fn command_ext(probe: &mut Probe<'_>, command: u8, sector: u64, count: u16) {
    let [b0, b1, b2, b3, b4, b5, ..] = sector.to_le_bytes();
    let [count_low, count_high] = count.to_le_bytes();
    probe.write(DEVICE, 0x40);
    for (register, high, low) in [
        (COUNT, count_high, count_low),
        (LBA_LOW, b3, b0),
        (LBA_MID, b4, b1),
        (LBA_HIGH, b5, b2),
    ] {
        probe.write(register, high);
        probe.write(register, low);
    }
    probe.write(STATUS, command);
}

fn read_data(probe: &mut Probe<'_>, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for word in bytes.chunks_mut(2) {
        probe.read_bytes(DATA, word).unwrap();
    }
    bytes
}

fn identify(probe: &mut Probe<'_>) -> Vec<u16> {
    command(probe, 0xec, 0, 0);
    assert_eq!(probe.read(STATUS), 0x58);
    let words = read_data(probe, 512)
        .chunks(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    assert_eq!(probe.read(STATUS), 0x50);
    words
}

#[test]
fn identity_names_size_geometry_and_modes() {
    let (mut ide, _) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    let words = identify(&mut probe);
    assert_eq!(words[0], 0x0040);
    assert_eq!((words[1], words[3], words[6]), (4, 16, 63));
    assert_eq!((words[4], words[5]), (63 * 512, 512));
    assert_eq!(words[27], u16::from_be_bytes(*b"RA"));
    assert_eq!(words[49] & 0x300, 0x300, "LBA and DMA");
    assert_eq!((words[60], words[61]), (SECTORS as u16, 0));
    assert_eq!((words[63], words[88]), (0x07, 0x203f), "Ultra DMA 5");
    assert_eq!(&words[100..104], &[SECTORS as u16, 0, 0, 0]);
    let sum = words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .fold(0u8, u8::wrapping_add);
    assert_eq!(sum, 0);
}

#[test]
fn a_disk_of_a_few_sectors_has_cylinders_too() {
    let disk = MemoryDisk::new(vec![7; 9 * 512]);
    let (mut ide, _) = channel(&disk);
    let mut probe = Probe::new(&mut ide);
    let words = identify(&mut probe);
    assert_eq!((words[1], words[3], words[6]), (2, 16, 63));
    assert_eq!((words[57], words[60]), (9, 9));
    // Cylinder 0, head 0: the last sector there is, and the one behind it.
    probe.write(DEVICE, 0xa0);
    for (sector, status) in [(9, 0x58), (10, 0x51)] {
        probe.write(COUNT, 1);
        probe.write(LBA_LOW, sector);
        probe.write(LBA_MID, 0);
        probe.write(LBA_HIGH, 0);
        probe.write(STATUS, 0x20);
        assert_eq!(probe.read(STATUS), status);
        if status == 0x58 {
            assert_eq!(read_data(&mut probe, 512), [7; 512]);
        }
    }
}

#[test]
fn reading_interrupts_once_a_sector_and_status_clears_it() {
    let disk = disk();
    let (mut ide, wire) = channel(&disk);
    let mut probe = Probe::new(&mut ide);
    command(&mut probe, 0x20, 5, 2);
    assert!(wire.level());
    assert_eq!(probe.read(CONTROL), 0x58);
    assert!(wire.level(), "alternate status clears nothing");
    assert_eq!(probe.read(STATUS), 0x58);
    assert!(!wire.level());
    let first = read_data(&mut probe, 512);
    assert!(wire.level());
    assert_eq!(probe.read(STATUS), 0x58);
    let second = read_data(&mut probe, 512);
    assert!(!wire.level(), "the end of data-in does not interrupt");
    assert_eq!(probe.read(STATUS), 0x50);
    assert_eq!([first, second].concat(), disk.contents()[5 * 512..7 * 512]);
    assert_eq!((probe.read(COUNT), probe.read(LBA_LOW)), (0, 6));
}

#[test]
fn writing_reaches_the_disk_and_flush_its_flush() {
    let disk = disk();
    let (mut ide, wire) = channel(&disk);
    let mut probe = Probe::new(&mut ide);
    command(&mut probe, 0x30, 9, 1);
    assert!(!wire.level(), "the first block comes unasked");
    assert_eq!(probe.read(STATUS), 0x58);
    for _ in 0..128 {
        probe.write_bytes(DATA, &[1, 2, 3, 4]).unwrap();
    }
    assert!(wire.level());
    assert_eq!(probe.read(STATUS), 0x50);
    assert_eq!(disk.contents()[9 * 512..10 * 512], [1, 2, 3, 4].repeat(128));
    command(&mut probe, 0xe7, 0, 0);
    command_ext(&mut probe, 0xea, 0, 0);
    assert_eq!(probe.read(STATUS), 0x50);
    assert_eq!(disk.flushes(), 2);
    // With the write cache off, a write is one too.
    probe.write(ERROR, 0x82);
    command(&mut probe, 0xef, 0, 0);
    command(&mut probe, 0x30, 9, 2);
    probe.write_bytes(DATA, &[0; 1024]).unwrap();
    assert_eq!((probe.read(STATUS), disk.flushes()), (0x50, 3));
}

#[test]
fn multiple_moves_blocks() {
    let disk = disk();
    let (mut ide, wire) = channel(&disk);
    let mut probe = Probe::new(&mut ide);
    assert_eq!(identify(&mut probe)[59], 0x110, "as firmware leaves it");
    command(&mut probe, 0xc6, 0, 0);
    assert_eq!(probe.read(STATUS), 0x50);
    command(&mut probe, 0xc4, 0, 1);
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x04));
    command(&mut probe, 0xc6, 0, 3);
    assert_eq!(probe.read(STATUS), 0x51);
    command(&mut probe, 0xc6, 0, 4);
    assert_eq!(probe.read(STATUS), 0x50);
    assert_eq!(identify(&mut probe)[59], 0x104);
    command(&mut probe, 0xc4, 1, 6);
    assert_eq!(probe.read(STATUS), 0x58);
    let mut bytes = vec![0; 4 * 512];
    probe.read_bytes(DATA, &mut bytes).unwrap();
    assert!(wire.level());
    assert_eq!(probe.read(STATUS), 0x58);
    bytes.extend(read_data(&mut probe, 2 * 512));
    assert_eq!(probe.read(STATUS), 0x50);
    assert_eq!(bytes, disk.contents()[512..7 * 512]);
    command_ext(&mut probe, 0x39, 20, 5);
    probe.write_bytes(DATA, &[0x77; 5 * 512]).unwrap();
    assert_eq!(probe.read(STATUS), 0x50);
    assert_eq!(disk.contents()[20 * 512..25 * 512], [0x77; 5 * 512]);
    assert_eq!(disk.contents()[25 * 512], 25);
}

#[test]
fn a_count_of_zero_is_the_most() {
    let (mut ide, _) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    command(&mut probe, 0x20, 0, 0);
    let mut bytes = vec![0; 256 * 512];
    probe.read_bytes(DATA, &mut bytes).unwrap();
    assert_eq!(probe.read(STATUS), 0x50);
    // 65536 sectors are more than there are: the missing one is named.
    command_ext(&mut probe, 0x24, 4000, 0);
    let mut bytes = vec![0; 96 * 512];
    probe.read_bytes(DATA, &mut bytes).unwrap();
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x10));
    assert_eq!((probe.read(LBA_LOW), probe.read(LBA_MID)), (0x00, 0x10));
}

#[test]
fn cylinders_heads_and_sectors_follow_the_chosen_geometry() {
    let disk = disk();
    let (mut ide, _) = channel(&disk);
    let mut probe = Probe::new(&mut ide);
    // 8 heads, 17 sectors.
    probe.write(DEVICE, 0xa7);
    probe.write(COUNT, 17);
    probe.write(STATUS, 0x91);
    assert_eq!(probe.read(STATUS), 0x50);
    let words = identify(&mut probe);
    assert_eq!((words[54], words[55], words[56]), (30, 8, 17));
    probe.write(DEVICE, 0xa3);
    probe.write(COUNT, 2);
    probe.write(LBA_LOW, 17);
    probe.write(LBA_MID, 2);
    probe.write(LBA_HIGH, 0);
    probe.write(STATUS, 0x20);
    let sector = (2 * 8 + 3) * 17 + 16;
    let bytes = read_data(&mut probe, 1024);
    assert_eq!(bytes, disk.contents()[sector * 512..(sector + 2) * 512]);
    // The last sector read is the first of the next track.
    assert_eq!((probe.read(LBA_LOW), probe.read(DEVICE)), (1, 0xa4));
    for number in [0, 18] {
        probe.write(LBA_LOW, number);
        probe.write(STATUS, 0x20);
        assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x10));
    }
}

#[test]
fn a_software_reset_leaves_the_signature() {
    let (mut ide, wire) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    command(&mut probe, 0x20, 5, 2);
    probe.write(CONTROL, 0x06);
    assert_eq!(probe.read(STATUS), 0x80);
    probe.write(CONTROL, 0x02);
    assert_eq!(probe.read(STATUS), 0x50);
    let signature = [ERROR, COUNT, LBA_LOW, LBA_MID, LBA_HIGH].map(|register| probe.read(register));
    assert_eq!(signature, [1, 1, 1, 0, 0]);
    assert!(!wire.level());
}

#[test]
fn nien_holds_the_interrupt_back() {
    let (mut ide, wire) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    probe.write(CONTROL, 0x02);
    command(&mut probe, 0xe7, 0, 0);
    assert!(!wire.level());
    probe.write(CONTROL, 0x00);
    assert!(wire.level());
}

#[test]
fn device_1_is_absent() {
    let (mut ide, wire) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    probe.write(DEVICE, 0xb0);
    probe.write(COUNT, 0x55);
    probe.write(LBA_LOW, 0xaa);
    assert_eq!((probe.read(COUNT), probe.read(LBA_LOW)), (0, 0));
    probe.write(STATUS, 0xec);
    assert_eq!(probe.read(STATUS), 0);
    assert!(!wire.level());
    probe.write(STATUS, 0x90);
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x50, 1));
}

#[test]
fn without_a_disk_nobody_is_busy() {
    let wire = IrqLine::new(&IrqLines::new(), 15);
    let mut ide = controller(&wire, [None, None]);
    let mut probe = Probe::new(&mut ide);
    probe.write(STATUS, 0xec);
    assert_eq!(probe.read(STATUS), 0);
    assert!(!wire.level());
}

#[test]
fn unknown_commands_abort() {
    let (mut ide, wire) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    for byte in [0x00, 0x08, 0xa0, 0xa1, 0xb0, 0xff] {
        command(&mut probe, byte, 0, 1);
        assert!(wire.level());
        assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x04));
    }
}

#[test]
fn the_small_commands_succeed() {
    let (mut ide, _) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    for byte in [0x10, 0x40, 0x70] {
        command(&mut probe, byte, 3, 1);
        assert_eq!(probe.read(STATUS), 0x50, "{byte:02x}");
    }
    command(&mut probe, 0x70, SECTORS as u32, 1);
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x10));
    command(&mut probe, 0x40, SECTORS as u32 - 1, 2);
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x10));
    for (feature, mode, status) in [
        (3, 0x0c, 0x50),
        (3, 0x45, 0x50),
        (3, 0x46, 0x51),
        (0x82, 0, 0x50),
        (9, 0, 0x51),
    ] {
        probe.write(ERROR, feature);
        command(&mut probe, 0xef, 0, mode);
        assert_eq!(probe.read(STATUS), status);
    }
    assert_eq!(identify(&mut probe)[85] & 0x20, 0, "write cache off");
}

/// What CHECK POWER MODE says.
fn power(probe: &mut Probe<'_>) -> u8 {
    command(probe, 0xe5, 0, 0x55);
    assert_eq!(probe.read(STATUS), 0x50);
    probe.read(COUNT)
}

#[test]
fn the_disk_rests_and_wakes_when_it_is_wanted() {
    let (mut ide, wire) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    assert_eq!(power(&mut probe), 0xff);
    for (rest, mode) in [(0xe0, 0), (0xe1, 0x80), (0xe2, 0), (0xe3, 0x80)] {
        command(&mut probe, rest, 0, 0);
        assert_eq!(probe.read(STATUS), 0x50);
        assert_eq!(power(&mut probe), mode, "{rest:#04x}");
    }
    command(&mut probe, 0xec, 0, 0);
    assert_eq!(power(&mut probe), 0x80, "nothing was read");
    command(&mut probe, 0x20, 5, 1);
    assert_eq!(power(&mut probe), 0xff);
    // From sleep it wakes by a reset only, to standby.
    command(&mut probe, 0xe6, 0, 0);
    assert_eq!((wire.level(), probe.read(STATUS)), (true, 0x50));
    command(&mut probe, 0x20, 5, 1);
    assert_eq!((wire.level(), probe.read(STATUS)), (false, 0x50));
    probe.write(CONTROL, 0x04);
    probe.write(CONTROL, 0x00);
    assert_eq!(power(&mut probe), 0);
    command(&mut probe, 0x20, 5, 1);
    assert_eq!(probe.read(STATUS), 0x58);
}

#[test]
fn native_max_is_the_last_sector() {
    let (mut ide, _) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    command(&mut probe, 0xf8, 0, 0);
    assert_eq!((probe.read(LBA_LOW), probe.read(LBA_MID)), (0xff, 0x0f));
    command_ext(&mut probe, 0x27, u64::MAX, 0);
    assert_eq!((probe.read(LBA_LOW), probe.read(LBA_MID)), (0xff, 0x0f));
    probe.write(CONTROL, 0x80);
    assert_eq!(probe.read(LBA_LOW), 0, "bits 31 to 24");
}

#[test]
fn a_read_only_disk_aborts_writes() {
    let disk = disk().read_only();
    let (mut ide, _) = channel(&disk);
    let mut probe = Probe::new(&mut ide);
    command(&mut probe, 0x30, 0, 1);
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x71, 0x04));
}

/// A disk whose host fails.
struct BadDisk;

impl Disk for BadDisk {
    fn sectors(&self) -> u64 {
        1 << 40
    }
    fn is_read_only(&self) -> bool {
        false
    }
    fn read(&mut self, _sector: u64, _buffer: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Other.into())
    }
    fn write(&mut self, _sector: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Other.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Other.into())
    }
}

#[test]
fn host_errors_are_the_disks_errors() {
    let wire = IrqLine::new(&IrqLines::new(), 14);
    let mut ide = controller(&wire, [Some(IdeDrive::disk(Box::new(BadDisk))), None]);
    let mut probe = Probe::new(&mut ide);
    command(&mut probe, 0x20, 7, 1);
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x40));
    assert_eq!(probe.read(LBA_LOW), 7);
    command_ext(&mut probe, 0x34, 1 << 39, 1);
    probe.write_bytes(DATA, &[0; 512]).unwrap();
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x71, 0x04));
    command(&mut probe, 0xe7, 0, 0);
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x71, 0x04));
    command(&mut probe, 0x40, 7, 1);
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x40));
    assert_eq!(identify(&mut probe)[100..104], [0, 0, 1 << 8, 0]);
}

#[test]
fn smart_says_that_the_disk_is_well() {
    let (mut ide, _) = channel(&disk());
    let mut probe = Probe::new(&mut ide);
    let key = 0x00c2_4f00;
    let smart = |probe: &mut Probe<'_>, subcommand: u8| {
        probe.write(ERROR, subcommand);
        command(probe, 0xb0, key, 1);
        probe.read(STATUS)
    };
    assert_eq!(smart(&mut probe, 0xda), 0x50);
    assert_eq!((probe.read(LBA_MID), probe.read(LBA_HIGH)), (0x4f, 0xc2));
    assert_eq!(smart(&mut probe, 0xd0), 0x58);
    let sum = read_data(&mut probe, 512)
        .iter()
        .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    assert_eq!(sum, 0);
    assert_eq!(smart(&mut probe, 0xd9), 0x50);
    assert_eq!(smart(&mut probe, 0xda), 0x51, "switched off");
    assert_eq!(identify(&mut probe)[85] & 1, 0);
    assert_eq!(smart(&mut probe, 0xd8), 0x50);
    assert_eq!(identify(&mut probe)[85] & 1, 1);
    probe.write(ERROR, 0xda);
    command(&mut probe, 0xb0, 0, 1);
    assert_eq!(probe.read(STATUS), 0x51, "without the key");
}

#[test]
fn two_disks_share_the_cable() {
    let (first, second) = (disk(), MemoryDisk::new(vec![0xb5; 64 * 512]));
    let wire = IrqLine::new(&IrqLines::new(), 14);
    let drives = [&first, &second].map(|disk| Some(IdeDrive::disk(Box::new(disk.clone()))));
    let mut ide = controller(&wire, drives);
    let mut probe = Probe::new(&mut ide);
    // Both hear the parameters; the selected one obeys and interrupts.
    command(&mut probe, 0x20, 3 | 0x1000_0000, 1);
    assert!(wire.level());
    probe.write(DEVICE, 0xe0);
    assert!(!wire.level(), "device 0 has nothing to say");
    assert_eq!((probe.read(STATUS), probe.read(LBA_LOW)), (0x50, 3));
    probe.write(DEVICE, 0xf0);
    assert!(wire.level());
    assert_eq!(probe.read(STATUS), 0x58);
    assert_eq!(read_data(&mut probe, 512), [0xb5; 512]);
    // Diagnostics are device 0's to report, and a reset is for both.
    command(&mut probe, 0x90, 0x1000_0000, 0);
    assert!(wire.level());
    assert_eq!((probe.read(DEVICE), probe.read(ERROR)), (0xa0, 1));
    assert_eq!(probe.read(STATUS), 0x50);
    probe.write(DEVICE, 0xb0);
    assert_eq!((probe.read(DEVICE), probe.read(ERROR)), (0xb0, 1));
    assert_eq!(
        [COUNT, LBA_LOW, LBA_MID].map(|register| probe.read(register)),
        [1, 1, 0]
    );
    probe.write(CONTROL, 0x04);
    assert_eq!(probe.read(STATUS), 0x80);
    probe.write(CONTROL, 0x00);
    assert_eq!((probe.read(DEVICE), probe.read(STATUS)), (0xa0, 0x50));
    let serials = [0xa0, 0xb0].map(|device| {
        probe.write(DEVICE, device);
        probe.write(STATUS, 0xec);
        read_data(&mut probe, 512)[20..40].to_vec()
    });
    assert_ne!(serials[0], serials[1]);
}
