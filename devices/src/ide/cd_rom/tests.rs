//! What MMC says a CD-ROM drive does, over the data port.

use std::io;

use proptest::prelude::*;

use super::Disc;
use crate::conformance::{Access, Action, Probe, check, check_replay};
use crate::device::Device;
use crate::host_end::{Disk, MemoryDisk};
use crate::ide::IdeDrive;
use crate::ide::tests::controller;
use crate::irq_line::{IrqLine, IrqLines};
use crate::piix_ide::PiixIde;

const DATA: u64 = 0;
const ERROR: u64 = 1;
const REASON: u64 = 2;
const COUNT_LOW: u64 = 4;
const COUNT_HIGH: u64 = 5;
const DEVICE: u64 = 6;
const STATUS: u64 = 7;
const CONTROL: u64 = 8;

const SECTORS: usize = 600;

fn image() -> MemoryDisk {
    let bytes = (0..SECTORS * 2048).map(|byte| (byte / 2048 + byte % 251) as u8);
    MemoryDisk::new(bytes.collect())
}

fn drive(image: Option<MemoryDisk>) -> (PiixIde, IrqLine) {
    let wire = IrqLine::new(&IrqLines::new(), 15);
    let disc = image.map(|image| Disc::new(Box::new(image)));
    let drives = [Some(IdeDrive::cd_rom(disc)), None];
    (controller(&wire, drives), wire)
}

/// Sends a packet with a byte count limit, up to its first interrupt.
fn send(probe: &mut Probe<'_>, packet: &[u8], limit: u16) {
    let [low, high] = limit.to_le_bytes();
    probe.write(DEVICE, 0xa0);
    probe.write(ERROR, 0);
    probe.write(COUNT_LOW, low);
    probe.write(COUNT_HIGH, high);
    probe.write(STATUS, 0xa0);
    assert_eq!((probe.read(CONTROL), probe.read(REASON)), (0x58, 1));
    let mut bytes = packet.to_vec();
    bytes.resize(12, 0);
    for word in bytes.chunks(2) {
        probe.write_bytes(DATA, word).unwrap();
    }
}

/// Fetches what a packet returns, and its blocks' lengths.
fn fetch(probe: &mut Probe<'_>) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut blocks) = (Vec::new(), Vec::new());
    while probe.read(STATUS) & 0x08 != 0 {
        assert_eq!(probe.read(REASON), 2, "data for the host");
        let length = u16::from_le_bytes([probe.read(COUNT_LOW), probe.read(COUNT_HIGH)]);
        let length = usize::from(length);
        let mut block = vec![0; length.next_multiple_of(2)];
        for word in block.chunks_mut(2) {
            probe.read_bytes(DATA, word).unwrap();
        }
        bytes.extend(&block[..length]);
        blocks.push(length);
    }
    (bytes, blocks)
}

/// What a packet returns; it must succeed.
fn ask(probe: &mut Probe<'_>, packet: &[u8]) -> Vec<u8> {
    send(probe, packet, 0xfffe);
    let (bytes, _) = fetch(probe);
    assert_eq!((probe.read(STATUS), probe.read(REASON)), (0x50, 3));
    bytes
}

/// The sense key and code that a packet fails with.
fn fails(probe: &mut Probe<'_>, packet: &[u8]) -> (u8, u8, u8) {
    send(probe, packet, 0xfffe);
    assert_eq!((probe.read(STATUS), probe.read(REASON)), (0x51, 3));
    let key = probe.read(ERROR) >> 4;
    let sense = ask(probe, &[0x03, 0, 0, 0, 18]);
    assert_eq!((sense.len(), sense[0], sense[2]), (18, 0x70, key));
    (key, sense[12], sense[13])
}

fn words(bytes: &[u8]) -> Vec<u16> {
    let pairs = bytes.chunks(2);
    pairs
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

#[test]
fn a_packet_device_shows_its_signature() {
    let (mut ide, wire) = drive(Some(image()));
    let mut probe = Probe::new(&mut ide);
    let signature = |probe: &mut Probe<'_>| {
        [STATUS, ERROR, REASON, 3, COUNT_LOW, COUNT_HIGH].map(|register| probe.read(register))
    };
    assert_eq!(signature(&mut probe), [0, 1, 1, 1, 0x14, 0xeb]);
    // IDENTIFY DEVICE aborts, and shows it too.
    probe.write(STATUS, 0xec);
    assert!(wire.level());
    assert_eq!(signature(&mut probe), [0x51, 4, 1, 1, 0x14, 0xeb]);
    probe.write(STATUS, 0x08);
    assert!(!wire.level());
    assert_eq!(signature(&mut probe), [0, 1, 1, 1, 0x14, 0xeb]);
    probe.write(STATUS, 0xa1);
    assert_eq!(probe.read(STATUS), 0x58);
    let mut bytes = [0; 512];
    probe.read_bytes(DATA, &mut bytes).unwrap();
    let words = words(&bytes);
    assert_eq!((words[0], words[49] & 0x100), (0x85c0, 0x100));
    assert_eq!(words[27], u16::from_be_bytes(*b"RA"));
    assert_eq!(probe.read(STATUS), 0x50);
    probe.write(CONTROL, 0x04);
    assert_eq!(probe.read(STATUS), 0x80);
    probe.write(CONTROL, 0x00);
    assert_eq!(signature(&mut probe), [0, 1, 1, 1, 0x14, 0xeb]);
}

#[test]
fn sectors_come_in_blocks_within_the_limit() {
    let image = image();
    let (mut ide, wire) = drive(Some(image.clone()));
    let mut probe = Probe::new(&mut ide);
    let read = [0x28, 0, 0, 0, 0, 100, 0, 0, 40, 0];
    let expected = &image.contents()[100 * 2048..140 * 2048];
    for (limit, first, blocks) in [(2048, 2048, 40), (0x1100, 0x1000, 20), (512, 512, 160)] {
        send(&mut probe, &read, limit);
        assert!(wire.level(), "data is there");
        let (bytes, lengths) = fetch(&mut probe);
        assert!(bytes == expected);
        assert_eq!((lengths[0], lengths.len()), (first, blocks));
        assert_eq!((probe.read(STATUS), probe.read(REASON)), (0x50, 3));
    }
    // READ (12), and READ CD of the user data.
    let read_12 = [0xa8, 0, 0, 0, 0, 100, 0, 0, 0, 40];
    assert!(ask(&mut probe, &read_12) == expected);
    let read_cd = [0xbe, 0, 0, 0, 0, 100, 0, 0, 40, 0x10];
    assert!(ask(&mut probe, &read_cd) == expected);
    let read_msf = [0xb9, 0, 0, 0, 3, 25, 0, 3, 65, 0x10];
    assert!(ask(&mut probe, &read_msf) == expected);
    assert_eq!(ask(&mut probe, &[0x28, 0, 0, 0, 0, 1]), []);
}

#[test]
fn the_status_interrupts_after_the_last_block() {
    let (mut ide, wire) = drive(Some(image()));
    let mut probe = Probe::new(&mut ide);
    send(&mut probe, &[0x25], 0xfffe);
    assert!(wire.level());
    assert_eq!(probe.read(STATUS), 0x58);
    assert!(!wire.level());
    let mut bytes = [0; 8];
    probe.read_bytes(DATA, &mut bytes).unwrap();
    assert!(wire.level());
    assert_eq!(bytes, [0, 0, 2, 0x57, 0, 0, 8, 0]);
}

#[test]
fn raw_sectors_have_all_their_parts() {
    let image = image();
    let (mut ide, _) = drive(Some(image.clone()));
    let mut probe = Probe::new(&mut ide);
    let raw = ask(&mut probe, &[0xbe, 0, 0, 0, 0, 16, 0, 0, 2, 0xf8]);
    assert_eq!(raw.len(), 2 * 2352);
    assert_eq!(raw[12..16], [0x00, 0x02, 0x16, 1]);
    assert_eq!(raw[16..2064], image.contents()[16 * 2048..17 * 2048]);
    let header = ask(&mut probe, &[0xbe, 0x08, 0, 0, 0, 16, 0, 0, 2, 0x20]);
    assert_eq!(header, [0x00, 0x02, 0x16, 1, 0x00, 0x02, 0x17, 1]);
    assert_eq!(
        fails(&mut probe, &[0xbe, 0x04, 0, 0, 0, 16, 0, 0, 1, 0x10]),
        (5, 0x64, 0)
    );
    assert_eq!(
        fails(&mut probe, &[0xbe, 0, 0, 0, 0, 16, 0, 0, 1, 0x10, 1]),
        (5, 0x24, 0)
    );
}

#[test]
fn tables_of_contents_in_each_format() {
    let (mut ide, _) = drive(Some(image()));
    let mut probe = Probe::new(&mut ide);
    let linear = ask(&mut probe, &[0x43, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(linear[..4], [0, 18, 1, 1]);
    assert_eq!(linear[4..12], [0, 0x14, 1, 0, 0, 0, 0, 0]);
    assert_eq!(linear[12..], [0, 0x14, 0xaa, 0, 0, 0, 2, 0x58]);
    let lead_out = ask(&mut probe, &[0x43, 2, 0, 0, 0, 0, 0xaa, 1, 0]);
    assert_eq!(lead_out, [0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 10, 0]);
    let sessions = ask(&mut probe, &[0x43, 2, 1, 0, 0, 0, 0, 1, 0]);
    assert_eq!(sessions, [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0]);
    // The format where SFF 8020 had it.
    let old = ask(&mut probe, &[0x43, 2, 0, 0, 0, 0, 0, 1, 0, 0x40]);
    assert_eq!(old, sessions);
    let raw = ask(&mut probe, &[0x43, 0, 2, 0, 0, 0, 0, 1, 0]);
    assert_eq!((raw.len(), raw[1]), (4 + 4 * 11, 46));
    assert_eq!(raw[26..37], [1, 0x14, 0, 0xa2, 0, 0, 0, 0, 0, 10, 0]);
    assert_eq!(
        ask(&mut probe, &[0x43, 0, 0, 0, 0, 0, 0, 0, 4]),
        [0, 18, 1, 1]
    );
    assert_eq!(
        fails(&mut probe, &[0x43, 0, 0, 0, 0, 0, 2, 1, 0]),
        (5, 0x24, 0)
    );
    assert_eq!(
        fails(&mut probe, &[0x43, 0, 5, 0, 0, 0, 0, 1, 0]),
        (5, 0x24, 0)
    );
}

#[test]
fn the_drive_describes_itself_and_the_disc() {
    let (mut ide, _) = drive(Some(image()));
    let mut probe = Probe::new(&mut ide);
    let inquiry = ask(&mut probe, &[0x12, 0, 0, 0, 36]);
    assert_eq!(
        (inquiry.len(), &inquiry[..5]),
        (36, &[5, 0x80, 0, 0x21, 31][..])
    );
    assert_eq!(&inquiry[16..26], b"RAX CD-ROM");
    // An odd length has a pad on the bus only.
    assert_eq!(ask(&mut probe, &[0x12, 0, 0, 0, 5]), inquiry[..5]);
    assert_eq!(fails(&mut probe, &[0x12, 1, 0x80, 0, 36]), (5, 0x24, 0));
    let features = ask(&mut probe, &[0x46, 0, 0, 0, 0, 0, 0, 2, 0]);
    assert_eq!(features.len(), 4 + usize::from(features[3]));
    assert_eq!(features[6..16], [0, 8, 0, 0, 3, 8, 0, 0x10, 0, 0]);
    let one = ask(&mut probe, &[0x46, 2, 0, 0x1e, 0, 0, 0, 2, 0]);
    assert_eq!(one[8..], [0, 0x1e, 9, 4, 0, 0, 0, 0]);
    let disc = ask(&mut probe, &[0x51, 0, 0, 0, 0, 0, 0, 0, 34]);
    assert_eq!((disc.len(), disc[2], disc[4]), (34, 0x0e, 1));
    let track = ask(&mut probe, &[0x52, 1, 0, 0, 0, 1, 0, 0, 36]);
    assert_eq!(track[24..28], [0, 0, 2, 0x58]);
    assert_eq!(ask(&mut probe, &[0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8]), [0; 8]);
    ask(&mut probe, &[0x2b, 0, 0, 0, 0, 80]);
    let sub_channel = ask(&mut probe, &[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16]);
    assert_eq!(sub_channel[..8], [0, 0x15, 0, 12, 1, 0x14, 1, 1]);
    assert_eq!(sub_channel[8..], [0, 0, 0, 80, 0, 0, 0, 80]);
}

#[test]
fn mode_pages_are_read_and_changed() {
    let (mut ide, _) = drive(Some(image()));
    let mut probe = Probe::new(&mut ide);
    let page = ask(&mut probe, &[0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0]);
    assert_eq!((page.len(), page[1], page[2]), (28, 26, 1));
    assert_eq!(page[8..10], [0x2a, 18]);
    assert_eq!(page[14] & 0x0b, 0x09, "a tray with lock that is open");
    let all = ask(&mut probe, &[0x1a, 0, 0x3f, 0, 255]);
    assert_eq!(all.len(), 4 + 8 + 8 + 16 + 20);
    assert_eq!(
        (all[0], all[4], all[12], all[20], all[36]),
        (55, 1, 13, 14, 0x2a)
    );
    send(&mut probe, &[0x55, 0x10, 0, 0, 0, 0, 0, 0, 16], 0xfffe);
    assert_eq!((probe.read(STATUS), probe.read(REASON)), (0x58, 0));
    assert_eq!(probe.read(COUNT_LOW), 16);
    let parameters = [0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 0x20, 9, 0, 0, 0, 0];
    probe.write_bytes(DATA, &parameters).unwrap();
    assert_eq!((probe.read(STATUS), probe.read(REASON)), (0x50, 3));
    let page = ask(&mut probe, &[0x1a, 0, 1, 0, 255]);
    assert_eq!(page[4..8], [1, 6, 0x20, 9]);
    let page = ask(&mut probe, &[0x1a, 0, 0x81, 0, 255]);
    assert_eq!(page[4..8], [1, 6, 0, 5], "by default");
    assert_eq!(fails(&mut probe, &[0x1a, 0, 0xc1, 0, 255]), (5, 0x39, 0));
    assert_eq!(fails(&mut probe, &[0x1a, 0, 0x05, 0, 255]), (5, 0x24, 0));
}

#[test]
fn an_empty_drive_is_not_ready() {
    let (mut ide, _) = drive(None);
    let mut probe = Probe::new(&mut ide);
    for packet in [
        &[0x00][..],
        &[0x25],
        &[0x28, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0x43],
    ] {
        assert_eq!(fails(&mut probe, packet), (2, 0x3a, 1));
    }
    assert_eq!(ask(&mut probe, &[0x03, 0, 0, 0, 18])[2], 0, "told once");
    let (mut ide, _) = drive(Some(MemoryDisk::new(Vec::new())));
    let mut probe = Probe::new(&mut ide);
    assert_eq!(fails(&mut probe, &[0x25]), (2, 0x30, 1));
}

#[test]
fn a_change_of_disc_is_told_once() {
    let (mut ide, _) = drive(Some(image()));
    let event = [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8];
    let none = [0, 6, 4, 0x10, 0, 2, 0, 0];
    assert_eq!(ask(&mut Probe::new(&mut ide), &event), none);
    let taken = ide.cd_rom(0, 0).unwrap().take_disc();
    assert_eq!(taken.unwrap().sectors(), SECTORS as u32);
    let mut probe = Probe::new(&mut ide);
    assert_eq!(ask(&mut probe, &event), [0, 6, 4, 0x10, 3, 0, 0, 0]);
    assert_eq!(fails(&mut probe, &[0x00]), (2, 0x3a, 1));
    let other = Disc::new(Box::new(MemoryDisk::new(vec![9; 5000])));
    assert!(ide.cd_rom(0, 0).unwrap().insert(other).is_none());
    let mut probe = Probe::new(&mut ide);
    assert_eq!(
        ask(&mut probe, &[0x12, 0, 0, 0, 36]).len(),
        36,
        "INQUIRY does not mind"
    );
    assert_eq!(ask(&mut probe, &event), [0, 6, 4, 0x10, 2, 2, 0, 0]);
    assert_eq!(ask(&mut probe, &event), none);
    assert_eq!(fails(&mut probe, &[0x00]), (6, 0x28, 0));
    assert_eq!(ask(&mut probe, &[0x25])[..4], [0, 0, 0, 2], "three sectors");
    let last = ask(&mut probe, &[0x28, 0, 0, 0, 0, 2, 0, 0, 1]);
    assert_eq!((last[903], last[904], last[2047]), (9, 0, 0), "filled up");
    assert_eq!(
        fails(&mut probe, &[0x28, 0, 0, 0, 0, 3, 0, 0, 1]),
        (5, 0x21, 0)
    );
    assert_eq!(
        fails(&mut probe, &[0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8]),
        (5, 0x24, 0)
    );
}

#[test]
fn the_guest_locks_opens_and_closes_the_tray() {
    let (mut ide, _) = drive(Some(image()));
    let (eject, load) = ([0x1b, 0, 0, 0, 2], [0x1b, 0, 0, 0, 3]);
    let mut probe = Probe::new(&mut ide);
    ask(&mut probe, &[0x1e, 0, 0, 0, 1]);
    assert_eq!(fails(&mut probe, &eject), (5, 0x53, 2));
    let cd_rom = ide.cd_rom(0, 0).unwrap();
    assert!(cd_rom.is_locked());
    cd_rom.press_button();
    assert!(!cd_rom.is_tray_open());
    let mut probe = Probe::new(&mut ide);
    let event = [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8];
    assert_eq!(ask(&mut probe, &event)[4..6], [1, 2], "the user asks");
    ask(&mut probe, &[0x1e, 0, 0, 0, 0]);
    ask(&mut probe, &eject);
    assert_eq!(ask(&mut probe, &event)[4..6], [3, 1]);
    assert_eq!(fails(&mut probe, &[0x00]), (2, 0x3a, 2));
    assert_eq!(ask(&mut probe, &[0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8])[1], 0x10);
    ask(&mut probe, &load);
    // The same disc is in: an event, but nothing that makes a read fail.
    assert_eq!(ask(&mut probe, &event)[4..6], [2, 2]);
    assert_eq!(ask(&mut probe, &[0x25])[3], 0x57);
    // Somebody presses the button twice, and may have changed the disc.
    let cd_rom = ide.cd_rom(0, 0).unwrap();
    cd_rom.press_button();
    assert!(cd_rom.is_tray_open());
    cd_rom.press_button();
    assert!(!cd_rom.is_tray_open());
    let mut probe = Probe::new(&mut ide);
    assert_eq!(fails(&mut probe, &[0x25]), (6, 0x28, 0));
    assert_eq!(ask(&mut probe, &[0x25])[3], 0x57);
    // The guest opens the tray, and somebody puts another disc on it.
    ask(&mut probe, &eject);
    ide.cd_rom(0, 0)
        .unwrap()
        .insert(Disc::new(Box::new(image())));
    let mut probe = Probe::new(&mut ide);
    assert_eq!(fails(&mut probe, &[0x25]), (6, 0x28, 0));
    assert_eq!(ask(&mut probe, &[0x25])[3], 0x57);
}

/// An image of a DVD's size that the host can read only in part.
struct BadImage;

impl Disk for BadImage {
    fn sectors(&self) -> u64 {
        4 * 2_000_000
    }
    fn is_read_only(&self) -> bool {
        true
    }
    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        if sector + (buffer.len() / 512) as u64 > 4 * 10 {
            return Err(io::ErrorKind::Other.into());
        }
        buffer.fill(7);
        Ok(())
    }
    fn write(&mut self, _sector: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_host_error_is_a_medium_error_at_its_sector() {
    let wire = IrqLine::new(&IrqLines::new(), 15);
    let disc = Disc::new(Box::new(BadImage));
    let mut ide = controller(&wire, [None, Some(IdeDrive::cd_rom(Some(disc)))]);
    let mut probe = Probe::new(&mut ide);
    assert_eq!(probe.read(STATUS), 0, "no device 0");
    probe.write(DEVICE, 0xb0);
    for register in [COUNT_LOW, COUNT_HIGH] {
        probe.write(register, 0x20);
    }
    probe.write(STATUS, 0xa0);
    probe
        .write_bytes(DATA, &[0x28, 0, 0, 0, 0, 8, 0, 0, 4, 0, 0, 0])
        .unwrap();
    let (bytes, _) = fetch(&mut probe);
    assert_eq!(bytes, [7; 2 * 2048], "sectors 8 and 9");
    assert_eq!((probe.read(STATUS), probe.read(ERROR)), (0x51, 0x30));
    // A disc of this size is a DVD.
    probe.write(STATUS, 0xa0);
    probe
        .write_bytes(DATA, &[0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4, 0, 0])
        .unwrap();
    let (bytes, _) = fetch(&mut probe);
    assert_eq!((bytes.len(), &bytes[4..6]), (2052, &[0x01, 0x0f][..]));
    assert_eq!(bytes[12..16], (0x3_0000u32 + 1_999_999).to_be_bytes());
}

/// Packets with operation codes that exist, mostly, and limits; and data.
fn conversation() -> impl Strategy<Value = Vec<Access>> {
    let operation = prop_oneof![
        prop::sample::select(vec![
            0x00u8, 0x03, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x42, 0x43, 0x46, 0x4a,
            0x51, 0x52, 0x55, 0x5a, 0xa8, 0xad, 0xb9, 0xbb, 0xbd, 0xbe,
        ]),
        any::<u8>(),
    ];
    let field = prop_oneof![4 => Just(0u8), 2 => 0u8..20, 1 => any::<u8>()];
    let packet = (operation, prop::collection::vec(field, 11));
    let limit = prop_oneof![Just(0xfffeu16), Just(2048), any::<u16>()];
    let transfer = prop::sample::select(vec![0usize, 2, 512, 2048, 0x1_0000]);
    let turn = (
        packet,
        limit,
        prop::collection::vec(transfer, 0..4),
        any::<bool>(),
    );
    prop::collection::vec(turn, 0..12).prop_map(|turns| {
        let mut accesses = Vec::new();
        let mut push = |register, action| {
            accesses.push(Access {
                after_ns: 1000,
                register,
                action,
            });
        };
        for ((operation, fields), limit, transfers, writes) in turns {
            let [low, high] = limit.to_le_bytes();
            for (register, byte) in [(DEVICE, 0xa0), (ERROR, 0), (4, low), (5, high), (7, 0xa0)] {
                push(register, Action::Write(vec![byte]));
            }
            let packet = [vec![operation], fields].concat();
            push(DATA, Action::Write(packet));
            push(STATUS, Action::Read(1));
            for length in transfers {
                let action = if writes {
                    Action::Write(vec![1; length])
                } else {
                    Action::Read(length)
                };
                push(DATA, action);
            }
        }
        accesses
    })
}

proptest! {
    #[test]
    fn any_packet_is_survived(accesses in conversation()) {
        let (mut ide, _) = drive(Some(image()));
        check(&mut ide, &accesses);
        ide.reset();
        check_replay(&mut ide, &accesses);
    }
}
