//! The controller as a driver sees it.

use proptest::prelude::*;

use super::{Fdc, Floppy, medium::rate};
use crate::conformance::{Access, Action, check, check_replay};
use crate::device::{Context, Device};
use crate::dma::PlainMemory;
use crate::host_end::MemoryDisk;
use crate::i8237::DmaPair;
use crate::irq_line::{IrqLine, IrqLines};
use crate::time::Time;
use std::sync::Arc;

/// A controller, its DMA channel, a 1.44 MB disk and memory.
struct Bench {
    fdc: Fdc,
    dma: DmaPair,
    irqs: Arc<IrqLines>,
    disk: MemoryDisk,
    memory: PlainMemory,
    now: Time,
}

impl Bench {
    /// Out of reset, the reset's interrupts sensed.
    fn new() -> Self {
        let bytes = (0..2880 * 512u32)
            .map(|byte| (byte / 512 + byte % 251) as u8)
            .collect();
        Self::with(MemoryDisk::new(bytes), false)
    }

    fn with(disk: MemoryDisk, read_only: bool) -> Self {
        let irqs = IrqLines::new();
        let dma = DmaPair::new();
        let mut fdc = Fdc::new(IrqLine::new(&irqs, 6), dma.line(2));
        let plugged = if read_only {
            disk.clone().read_only()
        } else {
            disk.clone()
        };
        fdc.change_disk(0, Floppy::new(Box::new(plugged)).ok());
        let mut bench = Self {
            fdc,
            dma,
            irqs,
            disk,
            memory: PlainMemory(vec![0; 0x2_0000]),
            now: Time::ZERO,
        };
        bench.write(2, 0x1c);
        bench.wait_ms(1);
        for drive in 0..4 {
            assert_eq!(bench.command(&[8], 2), [0xc0 | drive, 0]);
        }
        bench.write(7, rate::HIGH);
        bench
    }

    fn with_fdc<T>(&mut self, act: impl FnOnce(&mut Fdc, &mut Context<'_>) -> T) -> T {
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        self.fdc.timed().unwrap().advance(&mut cx);
        act(&mut self.fdc, &mut cx)
    }

    fn write(&mut self, register: u64, value: u8) {
        self.with_fdc(|fdc, cx| fdc.registers().unwrap().write(register, &[value], cx))
            .unwrap();
    }

    fn read(&mut self, register: u64) -> u8 {
        let mut byte = [0];
        self.with_fdc(|fdc, cx| fdc.registers().unwrap().read(register, &mut byte, cx))
            .unwrap();
        byte[0]
    }

    fn wait_ms(&mut self, ms: u64) {
        self.now = self.now.after_ns(ms * 1_000_000);
        self.with_fdc(|_, _| ());
    }

    fn interrupts(&self) -> bool {
        self.irqs.levels() & 0x40 != 0
    }

    /// Waits for the interrupt.
    fn await_interrupt(&mut self) {
        for _ in 0..1000 {
            if self.interrupts() {
                return;
            }
            self.wait_ms(1);
        }
        panic!("no interrupt came");
    }

    fn command(&mut self, bytes: &[u8], results: usize) -> Vec<u8> {
        for &byte in bytes {
            assert_eq!(self.read(4) & 0xc0, 0x80, "ready for byte {byte:#x}");
            self.write(5, byte);
        }
        (0..results).map(|_| self.read(5)).collect()
    }

    /// A command that interrupts.
    fn long_command(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.command(bytes, 0);
        self.await_interrupt();
        assert_eq!(self.read(4) & 0xd0, 0xd0, "results are there");
        (0..7).map(|_| self.read(5)).collect()
    }

    fn seek(&mut self, cylinder: u8) {
        self.command(&[0x0f, 0, cylinder], 0);
        self.await_interrupt();
        assert_eq!(self.command(&[8], 2), [0x20, cylinder]);
    }

    /// Opens channel 2 for `bytes` bytes at 1000h.
    fn program_dma(&mut self, mode: u8, bytes: u16) {
        let [low, high] = (bytes - 1).to_le_bytes();
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        let registers = self.dma.registers().unwrap();
        let program = [
            (10, 6),
            (12, 0),
            (11, mode | 2),
            (4, 0),
            (4, 0x10),
            (0x31, 0),
            (5, low),
            (5, high),
            (10, 2),
            (0x24, 0),
        ];
        for (register, value) in program {
            registers.write(register, &[value], &mut cx).unwrap();
        }
    }

    fn sector(&self, number: usize) -> Vec<u8> {
        self.disk.contents()[number * 512..(number + 1) * 512].to_vec()
    }
}

#[test]
fn reads_sectors_until_the_terminal_count() {
    let mut bench = Bench::new();
    bench.seek(3);
    bench.program_dma(0x44, 1024);
    let results = bench.long_command(&[0xe6, 4, 3, 1, 17, 2, 18, 0x1b, 0xff]);
    // The multi-track flag has moved on to the next cylinder.
    assert_eq!(results, [0x00, 0, 0, 4, 0, 1, 2]);
    let track = (3 * 2 + 1) * 18;
    assert_eq!(bench.memory.0[0x1000..0x1200], bench.sector(track + 16));
    assert_eq!(bench.memory.0[0x1200..0x1400], bench.sector(track + 17));
    assert!(!bench.interrupts());
}

#[test]
fn multi_track_goes_on_to_the_other_side() {
    let mut bench = Bench::new();
    bench.program_dma(0x44, 1024);
    let results = bench.long_command(&[0xe6, 0, 0, 0, 18, 2, 18, 0x1b, 0xff]);
    assert_eq!(results, [0x04, 0, 0, 0, 1, 2, 2]);
    assert_eq!(bench.memory.0[0x1200..0x1400], bench.sector(18));
}

#[test]
fn a_last_sector_beyond_the_track_goes_on_at_the_next_cylinder() {
    let mut bench = Bench::new();
    bench.program_dma(0x44, 40 * 512);
    let results = bench.long_command(&[0xe6, 0, 0, 0, 17, 2, 56, 0x1b, 0xff]);
    assert_eq!(results, [0x04, 0, 0, 1, 1, 3, 2]);
    for sector in 0..40 {
        let at = 0x1000 + sector * 512;
        assert_eq!(bench.memory.0[at..at + 512], bench.sector(16 + sector));
    }
    // Without the multi-track flag there is no such sector.
    bench.program_dma(0x44, 1024);
    let results = bench.long_command(&[0x46, 0, 0, 0, 18, 2, 19, 0x1b, 0xff]);
    assert_eq!(results[..3], [0x40, 0x04, 0]);
    // Nor is there another cylinder behind the last one.
    bench.program_dma(0x44, 1024);
    let results = bench.long_command(&[0xe6, 4, 79, 1, 18, 2, 19, 0x1b, 0xff]);
    assert_eq!(results[..4], [0x40, 0x04, 0, 80]);
}

#[test]
fn no_terminal_count_is_the_end_of_the_cylinder() {
    let mut bench = Bench::new();
    bench.program_dma(0x44, 4096);
    let results = bench.long_command(&[0x46, 0, 0, 0, 18, 2, 18, 0x1b, 0xff]);
    assert_eq!(results[..3], [0x40, 0x80, 0]);
}

#[test]
fn writes_and_formats_reach_the_disk() {
    let mut bench = Bench::new();
    bench.memory.0[0x1000..0x1200].fill(0xa5);
    bench.program_dma(0x48, 512);
    let results = bench.long_command(&[0x45, 0, 0, 0, 2, 2, 18, 0x1b, 0xff]);
    assert_eq!(results, [0, 0, 0, 0, 0, 3, 2]);
    assert_eq!(bench.sector(1), [0xa5; 512]);

    bench.seek(1);
    for sector in 0..18 {
        let at = 0x1000 + sector * 4;
        bench.memory.0[at..at + 4].copy_from_slice(&[1, 0, sector as u8 + 1, 2]);
    }
    bench.program_dma(0x48, 72);
    let results = bench.long_command(&[0x4d, 0, 2, 18, 0x54, 0xf6]);
    assert_eq!(results[..3], [0, 0, 0]);
    assert_eq!(bench.sector(36), [0xf6; 512]);
    assert_eq!(bench.sector(53), [0xf6; 512]);
    assert_ne!(bench.sector(54), [0xf6; 512]);
}

#[test]
fn a_protected_disk_is_not_written() {
    let mut bench = Bench::with(MemoryDisk::new(vec![0; 1_474_560]), true);
    bench.program_dma(0x48, 512);
    let results = bench.long_command(&[0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff]);
    assert_eq!(results[..3], [0x40, 0x02, 0]);
    assert_eq!(bench.command(&[4, 0], 1)[0] & 0x40, 0x40);
}

#[test]
fn errors_say_what_is_missing() {
    let mut bench = Bench::new();
    for (command, status) in [
        // No such sector; no such cylinder; another size; no disk in drive 1.
        ([0x46, 0, 0, 0, 19, 2, 19, 0x1b, 0xff], [0x40, 0x04, 0x00]),
        ([0x46, 0, 99, 0, 1, 2, 18, 0x1b, 0xff], [0x40, 0x04, 0x10]),
        ([0x46, 0, 0, 0, 1, 3, 18, 0x1b, 0xff], [0x40, 0x04, 0x00]),
        ([0x46, 1, 0, 0, 1, 2, 18, 0x1b, 0xff], [0x41, 0x01, 0x00]),
    ] {
        bench.program_dma(0x44, 512);
        assert_eq!(bench.long_command(&command)[..3], status);
    }
    // The wrong data rate shows no marks.
    bench.write(7, rate::DOUBLE);
    assert_eq!(bench.long_command(&[0x4a, 0])[..3], [0x40, 0x01, 0]);
    bench.write(7, rate::HIGH);
    let [.., head, sector, size] = bench.long_command(&[0x4a, 4])[..] else {
        panic!("seven results");
    };
    assert_eq!((head, size), (1, 2));
    assert!((1..=18).contains(&sector));
}

#[test]
fn sectors_pass_under_the_head_one_after_the_other() {
    let mut bench = Bench::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        seen.insert(bench.long_command(&[0x4a, 0])[5]);
        bench.now = bench.now.after_ns(250_000);
    }
    assert_eq!(seen, (1..=18).collect());
}

#[test]
fn a_reset_forgets_the_cylinder_and_leaves_the_head() {
    let mut bench = Bench::new();
    bench.seek(5);
    bench.write(2, 0x18);
    bench.write(2, 0x1c);
    bench.wait_ms(1);
    for drive in 0..4 {
        assert_eq!(bench.command(&[8], 2), [0xc0 | drive, 0]);
    }
    // The head is where it was: two steps from 0 lead to cylinder 7.
    assert_eq!(bench.long_command(&[0x4a, 0])[3], 5);
    bench.seek(2);
    assert_eq!(bench.long_command(&[0x4a, 0])[3], 7);
    assert_eq!(bench.command(&[0x0e], 10)[0], 2);
    bench.command(&[0x07, 0], 0);
    bench.await_interrupt();
    assert_eq!(bench.command(&[8], 2), [0x20, 0]);
    assert_eq!(bench.long_command(&[0x4a, 0])[3], 0);
}

#[test]
fn a_relative_seek_counts_and_recalibration_has_79_steps() {
    let mut bench = Bench::new();
    let mut relative = |command: u8, steps: u8| {
        bench.command(&[command, 0, steps], 0);
        bench.await_interrupt();
        bench.command(&[8], 2)
    };
    assert_eq!(relative(0xcf, 10), [0x20, 10]);
    assert_eq!(relative(0x8f, 3), [0x20, 7]);
    // The heads stop at the edge, the count does not.
    assert_eq!(relative(0xcf, 250), [0x20, 1]);
    let mut recalibrate = || {
        bench.command(&[0x07, 0], 0);
        bench.await_interrupt();
        bench.command(&[8], 2)
    };
    assert_eq!(recalibrate(), [0x70, 0]);
    assert_eq!(recalibrate(), [0x20, 0]);
}

#[test]
fn data_commands_go_to_their_cylinder() {
    let mut bench = Bench::new();
    bench.command(&[0x13, 0, 0x10, 0], 0);
    bench.program_dma(0x44, 512);
    let results = bench.long_command(&[0x46, 0, 9, 0, 1, 2, 18, 0x1b, 0xff]);
    assert_eq!(results[..4], [0, 0, 0, 9]);
    assert_eq!(bench.memory.0[0x1000..0x1200], bench.sector(9 * 36));
    assert_eq!(bench.command(&[0x0e], 10)[..7], [9, 0, 0, 0, 0, 0, 18]);
    // A reset by the data rate register ends by itself, and takes it back.
    bench.write(4, 0x80);
    assert_eq!(bench.read(4), 0);
    bench.wait_ms(1);
    assert_eq!(bench.command(&[0x0e], 10)[8], 0x20);
}

#[test]
fn a_disk_reads_at_its_own_rate_once_one_was_chosen() {
    let mut bench = Bench::new();
    bench.fdc.reset();
    bench.write(2, 0x1c);
    bench.wait_ms(1);
    for drive in 0..4 {
        assert_eq!(bench.command(&[8], 2), [0xc0 | drive, 0]);
    }
    assert_eq!(bench.long_command(&[0x4a, 0])[0], 0);
    bench.write(7, rate::DOUBLE);
    assert_eq!(bench.long_command(&[0x4a, 0])[..2], [0x40, 1]);
    bench.write(7, rate::HIGH);
    assert_eq!(bench.long_command(&[0x4a, 0])[0], 0);
}

#[test]
fn verify_counts_sectors_if_asked() {
    let mut bench = Bench::new();
    let results = bench.long_command(&[0x56, 0x80, 0, 0, 3, 2, 18, 0x1b, 4]);
    assert_eq!(results, [0, 0, 0, 0, 0, 7, 2]);
    let results = bench.long_command(&[0x56, 0, 0, 0, 3, 2, 18, 0x1b, 0xff]);
    assert_eq!(results, [0, 0, 0, 1, 0, 1, 2]);
}

#[test]
fn the_processor_can_move_the_bytes_itself() {
    let mut bench = Bench::new();
    bench.command(&[3, 0xdf, 0x03], 0);
    bench.command(&[0x46, 0, 0, 0, 1, 2, 1, 0x1b, 0xff], 0);
    bench.await_interrupt();
    assert_eq!(bench.read(4) & 0xf0, 0xf0);
    let bytes: Vec<_> = (0..512).map(|_| bench.read(5)).collect();
    assert_eq!(bytes, bench.sector(0));
    // Without a terminal count the last sector ends the command.
    bench.await_interrupt();
    let results: Vec<_> = (0..7).map(|_| bench.read(5)).collect();
    assert_eq!(results[..3], [0x40, 0x80, 0]);
}

#[test]
fn a_closed_channel_is_an_overrun_in_the_end() {
    let mut bench = Bench::new();
    let results = bench.long_command(&[0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff]);
    assert_eq!(results[..3], [0x40, 0x10, 0]);
}

#[test]
fn a_changed_disk_shows_until_the_head_steps() {
    let mut bench = Bench::new();
    assert_eq!(bench.read(7), 0x80);
    bench.seek(1);
    assert_eq!(bench.read(7), 0);
    let taken = bench.fdc.change_disk(0, None).unwrap();
    assert_eq!(taken.format().total(), 2880);
    assert_eq!(bench.read(7), 0x80);
    bench.seek(0);
    assert_eq!(bench.read(7), 0x80);
    let back = bench.fdc.change_disk(0, Some(taken));
    assert!(back.is_none());
    // Seeking where the head is, is no step.
    bench.seek(0);
    assert_eq!(bench.read(7), 0x80);
    bench.seek(1);
    assert_eq!(bench.read(7), 0);
    let taken = bench.fdc.change_disk(0, None).unwrap();
    let odd = MemoryDisk::new(vec![0; 512 * 1000]);
    let refused = Floppy::new(Box::new(odd)).err();
    assert_eq!(refused.unwrap().sectors, 1000);
    // Such a drive there is not.
    let spare = bench.fdc.change_disk(2, Some(taken));
    assert!(spare.is_some());
}

#[test]
fn the_controller_tells_what_it_is() {
    let mut bench = Bench::new();
    assert_eq!(bench.command(&[0x10], 1), [0x90]);
    assert_eq!(bench.command(&[0x94], 1), [0x10]);
    assert_eq!(bench.command(&[0x18], 1), [0x80]);
    assert_eq!(bench.command(&[8], 1), [0x80]);
    bench.command(&[0x13, 0, 0x57, 3], 0);
    assert_eq!(bench.command(&[0x0e], 10)[7..], [0x80, 0x57, 3]);
}

fn access() -> impl Strategy<Value = Access> {
    let register = prop_oneof![4 => Just(5u64), 1 => 0..9u64];
    let action = prop_oneof![
        1 => (0..3usize).prop_map(Action::Read),
        3 => any::<u8>().prop_map(|byte| Action::Write(vec![byte])),
        1 => prop::sample::select(vec![0x1c, 0x46, 0xc5, 0x4d, 0x0f, 0x07, 0x08, 0x03, 0x00, 0x02])
            .prop_map(|byte| Action::Write(vec![byte])),
    ];
    (0..1_000_000u64, register, action).prop_map(|(after_ns, register, action)| Access {
        after_ns,
        register,
        action,
    })
}

proptest! {
    #[test]
    fn keeps_the_contract(mut accesses in prop::collection::vec(access(), 0..128)) {
        accesses.insert(0, Access { after_ns: 1, register: 2, action: Action::Write(vec![0x1c]) });
        let irqs = IrqLines::new();
        let dma = DmaPair::new();
        let mut fdc = Fdc::new(IrqLine::new(&irqs, 6), dma.line(2));
        fdc.change_disk(0, Floppy::new(Box::new(MemoryDisk::new(vec![0; 737_280]))).ok());
        check(&mut fdc, &accesses);
        check_replay(&mut fdc, &accesses);
    }
}
