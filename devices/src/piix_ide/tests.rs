//! The controller as a driver with DMA sees it.

use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use super::PiixIde;
use crate::conformance::{Access, Action, check, check_replay};
use crate::device::{Context, Device, Registers, Timed};
use crate::dma::{Dma, PlainMemory};
use crate::host_end::{Disk, MemoryDisk};
use crate::ide::{Disc, IdeDrive};
use crate::irq_line::{IrqLine, IrqLines};
use crate::pci::{PciFunction, Space};
use crate::time::Time;

const STATUS: u64 = 7;
const ERROR: u64 = 1;
const BM_COMMAND: u64 = 0x20;
const BM_STATUS: u64 = 0x22;
const BM_TABLE: u64 = 0x24;

const SECTORS: usize = 8192;
/// Where the tests keep the table of descriptors.
const TABLE: u32 = 0x1000;

/// The controller with memory behind it.
struct Bench {
    ide: PiixIde,
    memory: PlainMemory,
    now: Time,
    lines: Arc<IrqLines>,
}

impl Bench {
    fn new(drives: [[Option<IdeDrive>; 2]; 2]) -> Self {
        let lines = IrqLines::new();
        let irqs = [14, 15].map(|irq| IrqLine::new(&lines, irq));
        let mut bench = Self {
            ide: PiixIde::new(irqs, drives),
            memory: PlainMemory(vec![0; 0x18_0000]),
            now: Time::ZERO,
            lines,
        };
        bench.config_write(0x04, &[0x05, 0x00]);
        bench
    }

    fn with_disk(disk: &MemoryDisk) -> Self {
        let drive = IdeDrive::disk(Box::new(disk.clone()));
        Self::new([[Some(drive), None], [None, None]])
    }

    fn config_write(&mut self, register: u8, bytes: &[u8]) {
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        self.ide.config_write(register, bytes, &mut cx);
    }

    fn read(&mut self, register: u64) -> u8 {
        let mut byte = [0xff];
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        let _ = self.ide.read(register, &mut byte, &mut cx);
        byte[0]
    }

    fn write_bytes(&mut self, register: u64, bytes: &[u8]) {
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        self.ide.write(register, bytes, &mut cx).unwrap();
    }

    fn write(&mut self, register: u64, byte: u8) {
        self.write_bytes(register, &[byte]);
    }

    /// Runs to the next deadline, and says whether there was one.
    fn wait(&mut self) -> bool {
        let Some(deadline) = self.ide.next_deadline() else {
            return false;
        };
        assert!(deadline > self.now);
        self.now = deadline;
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        self.ide.advance(&mut cx);
        true
    }

    fn interrupts(&self) -> bool {
        self.lines.levels() & 1 << 14 != 0
    }

    /// Writes a table of (address, bytes) descriptors and points to it.
    fn set_table(&mut self, regions: &[(u32, u32)]) {
        for (index, (address, bytes)) in regions.iter().enumerate() {
            let end = u32::from(index + 1 == regions.len()) << 31;
            let entry = [*address, bytes & 0xffff | end].map(u32::to_le_bytes);
            let at = u64::from(TABLE) + index as u64 * 8;
            self.memory.write(at, &entry.concat());
        }
        self.write_bytes(BM_TABLE, &TABLE.to_le_bytes());
    }

    /// Gives a 48-bit command to device 0.
    fn command(&mut self, command: u8, sector: u64, count: u16) {
        let [b0, b1, b2, b3, b4, b5, ..] = sector.to_le_bytes();
        let [count_low, count_high] = count.to_le_bytes();
        self.write(6, 0x40);
        for (register, high, low) in [
            (2, count_high, count_low),
            (3, b3, b0),
            (4, b4, b1),
            (5, b5, b2),
        ] {
            self.write(register, high);
            self.write(register, low);
        }
        self.write(STATUS, command);
    }

    /// Sends a packet to device 0, with DMA or a byte count limit.
    fn packet(&mut self, packet: &[u8], dma: bool, limit: u16) {
        let [low, high] = limit.to_le_bytes();
        self.write(6, 0xa0);
        self.write(1, u8::from(dma));
        self.write(4, low);
        self.write(5, high);
        self.write(STATUS, 0xa0);
        assert_eq!((self.read(STATUS), self.read(2)), (0x58, 1));
        let mut bytes = packet.to_vec();
        bytes.resize(12, 0);
        self.write_bytes(0, &bytes);
    }
}

fn disk() -> MemoryDisk {
    let bytes = (0..SECTORS * 512).map(|index| (index / 512 * 3 + index % 509) as u8);
    MemoryDisk::new(bytes.collect())
}

#[test]
fn it_is_a_piix3_function_with_a_window_for_the_bus_masters() {
    let mut bench = Bench::with_disk(&disk());
    let config = bench.ide.config();
    assert_eq!(config.register(0x00), 0x7010_8086);
    assert_eq!(config.register(0x08), 0x0101_8000);
    assert_eq!(config.register(0x40), 0x8000_8000);
    assert!(bench.ide.windows().is_empty());
    bench.config_write(0x20, &[0x01, 0xc0, 0, 0]);
    let windows = bench.ide.windows();
    assert_eq!(windows.len(), 1);
    assert_eq!((windows[0].space, windows[0].start), (Space::Io, 0xc000));
    assert_eq!((windows[0].bytes, windows[0].first_register), (16, 0x20));
}

#[test]
fn reading_by_dma_is_busy_then_interrupts() {
    let disk = disk();
    let mut bench = Bench::with_disk(&disk);
    bench.set_table(&[(0x2_0000, 512), (0x4_0000, 512)]);
    bench.write(BM_COMMAND, 0x08);
    bench.command(0x25, 7, 2);
    assert!(!bench.wait(), "not started");
    assert_eq!(bench.read(8) & 0x80, 0x80);
    bench.write(BM_COMMAND, 0x09);
    assert_eq!(bench.read(BM_STATUS), 0x01);
    assert_eq!(bench.read(8) & 0x80, 0x80);
    assert!(!bench.interrupts());
    assert!(bench.wait());
    assert!(bench.interrupts());
    assert_eq!(bench.read(BM_STATUS), 0x04, "done, and an interrupt");
    assert_eq!(bench.read(STATUS), 0x50);
    assert!(!bench.interrupts());
    assert_eq!(bench.read(BM_STATUS), 0x04, "until it is cleared");
    bench.write(BM_STATUS, 0x64);
    assert_eq!(bench.read(BM_STATUS), 0x60);
    bench.write(BM_COMMAND, 0x00);
    let expected = disk.contents();
    assert_eq!(
        bench.memory.0[0x2_0000..][..512],
        expected[7 * 512..][..512]
    );
    assert_eq!(
        bench.memory.0[0x4_0000..][..512],
        expected[8 * 512..][..512]
    );
    assert_eq!(bench.memory.0[0x2_0200..][..512], [0; 512]);
}

#[test]
fn writing_by_dma_reaches_the_disk() {
    let disk = disk();
    let mut bench = Bench::with_disk(&disk);
    bench.memory.0[0x8_0000..0x9_2000].fill(0x5a);
    // A count of zero is 64 KiB.
    bench.set_table(&[(0x8_0000, 0), (0x9_0000, 0x2000)]);
    bench.write(BM_COMMAND, 0x01);
    bench.command(0x35, 100, 0x90);
    assert!(bench.wait());
    assert_eq!((bench.read(BM_STATUS), bench.read(STATUS)), (0x04, 0x50));
    let contents = disk.contents();
    assert!(
        contents[100 * 512..][..0x90 * 512]
            .iter()
            .all(|byte| *byte == 0x5a)
    );
    assert_ne!(contents[(100 + 0x90) * 512..][..512], [0x5a; 512]);
    bench.write(BM_COMMAND, 0x00);
}

#[test]
fn a_table_longer_than_the_command_stays_active() {
    let mut bench = Bench::with_disk(&disk());
    bench.set_table(&[(0x2_0000, 1024)]);
    bench.command(0xc8, 0, 1);
    bench.write(BM_COMMAND, 0x09);
    assert!(bench.wait());
    assert_eq!(bench.read(BM_STATUS), 0x05);
    bench.write(BM_COMMAND, 0x08);
    assert_eq!(bench.read(BM_STATUS), 0x04);
}

#[test]
fn a_short_table_stops_and_another_goes_on() {
    let disk = disk();
    let mut bench = Bench::with_disk(&disk);
    bench.set_table(&[(0x2_0000, 700)]);
    bench.command(0x25, 0, 2);
    bench.write(BM_COMMAND, 0x09);
    assert!(bench.wait());
    assert_eq!(
        bench.read(BM_STATUS),
        0x00,
        "neither active nor an interrupt"
    );
    assert_eq!(bench.read(8) & 0x80, 0x80);
    assert!(!bench.wait());
    bench.write(BM_COMMAND, 0x00);
    bench.set_table(&[(0x2_0000 + 700, 324)]);
    bench.write(BM_COMMAND, 0x09);
    assert!(bench.wait());
    assert_eq!((bench.read(BM_STATUS), bench.read(STATUS)), (0x04, 0x50));
    assert_eq!(bench.memory.0[0x2_0000..][..1024], disk.contents()[..1024]);
}

#[test]
fn without_bus_mastering_the_command_waits() {
    let mut bench = Bench::with_disk(&disk());
    bench.config_write(0x04, &[0x01, 0x00]);
    bench.set_table(&[(0x2_0000, 512)]);
    bench.command(0x25, 0, 1);
    bench.write(BM_COMMAND, 0x09);
    assert!(!bench.wait());
    bench.config_write(0x04, &[0x05, 0x00]);
    assert!(bench.wait());
    assert_eq!(bench.read(STATUS), 0x50);
}

#[test]
fn a_reset_ends_a_transfer_that_waits() {
    let mut bench = Bench::with_disk(&disk());
    bench.set_table(&[(0x2_0000, 512)]);
    bench.command(0x25, 0, 1);
    bench.write(BM_COMMAND, 0x09);
    bench.write(8, 0x04);
    assert!(!bench.wait());
    bench.write(8, 0x00);
    assert_eq!((bench.read(STATUS), bench.read(BM_STATUS)), (0x50, 0x01));
    assert!(!bench.interrupts());
    assert_eq!(bench.memory.0[0x2_0000], 0);
}

#[test]
fn long_commands_take_several_slices() {
    let disk = MemoryDisk::new((0..20 << 20).map(|byte| (byte % 253) as u8).collect());
    let mut bench = Bench::with_disk(&disk);
    // The same 64 KiB again and again.
    let regions = vec![(0x2_0000, 0); 160];
    bench.set_table(&regions);
    bench.command(0x25, 0, 10 << 11);
    bench.write(BM_COMMAND, 0x09);
    assert!(bench.wait());
    assert_eq!((bench.read(BM_STATUS), bench.read(8) & 0x80), (0x01, 0x80));
    assert!(bench.wait());
    assert!(bench.wait());
    assert_eq!((bench.read(BM_STATUS), bench.read(STATUS)), (0x04, 0x50));
    let last = disk.contents()[(10 << 20) - 0x1_0000..10 << 20].to_vec();
    assert_eq!(bench.memory.0[0x2_0000..0x3_0000], last);
}

#[test]
fn a_transfer_survives_a_snapshot() {
    let disk = disk();
    let mut bench = Bench::with_disk(&disk);
    bench.set_table(&[(0x2_0000, 700)]);
    bench.command(0x25, 0, 2);
    bench.write(BM_COMMAND, 0x09);
    let saved = bench.ide.save();
    let deadline = bench.ide.next_deadline();
    let mut other = Bench::with_disk(&disk);
    other.ide.restore(saved).unwrap();
    other.memory.0.clone_from(&bench.memory.0);
    assert_eq!(other.ide.next_deadline(), deadline);
    assert!(other.wait());
    let halfway = other.ide.save();
    let mut third = Bench::with_disk(&disk);
    third.ide.restore(halfway).unwrap();
    third.write(BM_COMMAND, 0x00);
    third.set_table(&[(0x2_0000, 324)]);
    third.write(BM_COMMAND, 0x09);
    assert!(third.wait());
    assert_eq!(
        third.memory.0[0x2_0000..][..324],
        disk.contents()[700..1024]
    );
    assert_eq!(third.read(STATUS), 0x50);
}

/// A disk of which the host cannot read sector 9, and writes nothing.
struct BadSector(MemoryDisk);

impl Disk for BadSector {
    fn sectors(&self) -> u64 {
        self.0.sectors()
    }
    fn is_read_only(&self) -> bool {
        false
    }
    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> io::Result<()> {
        if (sector..sector + (buffer.len() / 512) as u64).contains(&9) {
            return Err(io::ErrorKind::Other.into());
        }
        self.0.read(sector, buffer)
    }
    fn write(&mut self, _sector: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_host_error_ends_dma_at_the_sector() {
    let disk = disk();
    let drive = IdeDrive::disk(Box::new(BadSector(disk.clone())));
    let mut bench = Bench::new([[Some(drive), None], [None, None]]);
    bench.set_table(&[(0x2_0000, 0x4000)]);
    bench.command(0x25, 4, 16);
    bench.write(BM_COMMAND, 0x09);
    assert!(bench.wait());
    assert!(bench.interrupts());
    assert_eq!((bench.read(STATUS), bench.read(ERROR)), (0x51, 0x40));
    assert_eq!((bench.read(3), bench.read(2)), (9, 11));
    assert_eq!(bench.read(BM_STATUS), 0x05);
    let good = disk.contents()[4 * 512..9 * 512].to_vec();
    assert_eq!(bench.memory.0[0x2_0000..][..5 * 512], good);
    bench.write(BM_COMMAND, 0x00);
    bench.command(0x35, 4, 1);
    bench.write(BM_COMMAND, 0x01);
    assert!(bench.wait());
    assert_eq!((bench.read(STATUS), bench.read(ERROR)), (0x71, 0x04));
    // Off the disk: at once, and without DMA.
    bench.command(0x25, SECTORS as u64, 1);
    assert_eq!((bench.read(STATUS), bench.read(ERROR)), (0x51, 0x10));
}

#[test]
fn the_identity_announces_dma() {
    let mut bench = Bench::with_disk(&disk());
    let words = |bench: &mut Bench| {
        bench.command(0xec, 0, 0);
        let mut bytes = [0; 512];
        let mut cx = Context {
            now: bench.now,
            memory: &mut bench.memory,
        };
        bench.ide.read(0, &mut bytes, &mut cx).unwrap();
        [49, 63, 88].map(|word| u16::from_le_bytes([bytes[word * 2], bytes[word * 2 + 1]]))
    };
    assert_eq!(words(&mut bench), [0x0f00, 0x0007, 0x203f]);
    bench.write(1, 3);
    bench.command(0xef, 0, 0x22);
    assert_eq!(bench.read(STATUS), 0x50);
    assert_eq!(words(&mut bench), [0x0f00, 0x0407, 0x003f]);
    bench.write(1, 3);
    bench.command(0xef, 0, 0x46);
    assert_eq!(bench.read(STATUS), 0x51);
}

#[test]
fn the_channels_are_apart_and_can_be_switched_off() {
    let second = MemoryDisk::new(vec![0x22; 4096]);
    let drive = |disk: &MemoryDisk| Some(IdeDrive::disk(Box::new(disk.clone())));
    let mut bench = Bench::new([[drive(&disk()), None], [None, drive(&second)]]);
    assert_eq!(bench.read(0x17), 0, "no device 0");
    bench.write(0x16, 0xf0);
    assert_eq!(bench.read(0x17), 0x50);
    bench.write(0x12, 1);
    bench.write(0x17, 0x20);
    assert_eq!(bench.lines.levels(), 1 << 15);
    assert_eq!((bench.read(0x2a), bench.read(BM_STATUS)), (0x04, 0x00));
    bench.config_write(0x43, &[0x00]);
    assert_eq!((bench.read(0x17), bench.read(STATUS)), (0xff, 0x50));
}

fn disc() -> MemoryDisk {
    MemoryDisk::new(
        (0..600 * 2048)
            .map(|byte| (byte / 2048 + byte) as u8)
            .collect(),
    )
    .read_only()
}

#[test]
fn a_disc_is_read_by_dma() {
    let disc = disc();
    let drive = IdeDrive::cd_rom(Some(Disc::new(Box::new(disc.clone()))));
    let mut bench = Bench::new([[Some(drive), None], [None, None]]);
    bench.set_table(&[(0x2_0000, 0), (0x3_0000, 0x1000)]);
    bench.write(BM_COMMAND, 0x08);
    // READ (10) of 34 sectors from 5.
    bench.packet(&[0x28, 0, 0, 0, 0, 5, 0, 0, 34], true, 0);
    assert_eq!(bench.read(8) & 0x80, 0x80);
    bench.write(BM_COMMAND, 0x09);
    assert!(bench.wait());
    assert!(bench.interrupts());
    assert_eq!((bench.read(BM_STATUS), bench.read(2)), (0x04, 3));
    assert_eq!(bench.read(STATUS), 0x50);
    let expected = &disc.contents()[5 * 2048..39 * 2048];
    assert_eq!(&bench.memory.0[0x2_0000..][..34 * 2048], expected);
    // An error needs no bus master.
    bench.packet(&[0x28, 0, 0, 0, 2, 0x58, 0, 0, 1], true, 0);
    assert_eq!((bench.read(STATUS), bench.read(ERROR)), (0x51, 0x50));
    // DEVICE RESET ends a command that waits.
    bench.write(BM_COMMAND, 0x00);
    bench.packet(&[0x28, 0, 0, 0, 0, 5, 0, 0, 34], true, 0);
    assert_eq!(bench.read(8) & 0x80, 0x80);
    bench.write(STATUS, 0x08);
    assert_eq!(
        (bench.read(STATUS), bench.read(4), bench.read(5)),
        (0, 0x14, 0xeb)
    );
}

/// What a guest might do, in any order: whole commands to either device of
/// either channel, data, DMA, resets, snapshots.
fn turn() -> impl Strategy<Value = Vec<(u64, Action)>> {
    let command = prop_oneof![
        8 => prop::sample::select(vec![
            0x08u8, 0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40, 0x42, 0x90, 0x91, 0xa0,
            0xa1, 0xb0, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xe7, 0xec, 0xef,
        ]),
        1 => any::<u8>(),
    ];
    let small = prop_oneof![4 => 0u8..70, 1 => any::<u8>()];
    let fields = [small.clone(), small.clone(), small.clone(), small.clone()];
    let base = prop::sample::select(vec![0u64, 0x10]);
    let device = prop::sample::select(vec![0xe0u8, 0xf0, 0xa0, 0xb0]);
    let given = (base.clone(), device, fields, command).prop_map(
        |(base, device, [features, count, low, mid], command)| {
            [
                (6, device),
                (1, features),
                (2, count),
                (3, low),
                (4, mid),
                (5, 0),
                (7, command),
            ]
            .map(|(register, byte)| (base + register, Action::Write(vec![byte])))
            .to_vec()
        },
    );
    let length = prop::sample::select(vec![2usize, 12, 512, 4096, 0x1_0000]);
    let data = (base.clone(), length, any::<bool>(), small.clone()).prop_map(
        |(base, length, writes, byte)| {
            let action = if writes {
                Action::Write(vec![byte; length])
            } else {
                Action::Read(length)
            };
            vec![(base, action)]
        },
    );
    let packet = (
        base.clone(),
        prop::sample::select(vec![0x28u8, 0xa8, 0xbe, 0x55, 0x12]),
    );
    let packet = packet.prop_map(|(base, operation)| {
        let bytes = vec![operation, 0x10, 0, 0, 0, 1, 0, 0, 3, 0xf8, 0, 0];
        vec![(base, Action::Write(bytes))]
    });
    let dma = (prop::sample::select(vec![0x20u64, 0x28]), any::<u8>())
        .prop_map(|(register, byte)| vec![(register, Action::Write(vec![byte & 9]))]);
    let control = (base.clone(), any::<u8>())
        .prop_map(|(base, byte)| vec![(base + 8, Action::Write(vec![byte & 0x82])); 2]);
    let status = base.prop_map(|base| vec![(base + 7, Action::Read(1))]);
    let master = any::<u8>().prop_map(|byte| vec![(4, Action::ConfigWrite(vec![byte | 1]))]);
    prop_oneof![8 => given, 6 => data, 4 => packet, 4 => dma, 1 => control, 4 => status, 1 => master]
}

fn accesses() -> impl Strategy<Value = Vec<Access>> {
    let turns = prop::collection::vec((turn(), 0u64..30_000), 0..40);
    turns.prop_map(|turns| {
        let timed = turns.into_iter().flat_map(|(turn, after_ns)| {
            turn.into_iter().map(move |(register, action)| Access {
                after_ns,
                register,
                action,
            })
        });
        // Bus mastering is on from the start.
        let first = Access {
            after_ns: 0,
            register: 4,
            action: Action::ConfigWrite(vec![5]),
        };
        std::iter::once(first).chain(timed).collect()
    })
}

proptest! {
    #[test]
    fn any_conversation_is_survived_and_replayed(accesses in accesses()) {
        let image = MemoryDisk::new((0..64 * 512).map(|byte| (byte / 7) as u8).collect());
        let written = || Some(IdeDrive::disk(Box::new(image.clone())));
        let fixed = || Some(IdeDrive::disk(Box::new(image.clone().read_only())));
        let cd = || Some(IdeDrive::cd_rom(Some(Disc::new(Box::new(image.clone())))));
        let irqs = || [14, 15].map(|irq| IrqLine::new(&IrqLines::new(), irq));
        let mut ide = PiixIde::new(irqs(), [[fixed(), cd()], [cd(), fixed()]]);
        check_replay(&mut ide, &accesses);
        let mut ide = PiixIde::new(irqs(), [[written(), cd()], [cd(), written()]]);
        check(&mut ide, &accesses);
    }
}
