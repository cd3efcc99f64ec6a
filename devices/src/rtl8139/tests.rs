//! What drivers do with an RTL8139, step by step.

use std::sync::Arc;

use super::{BYTE_NS, Rtl8139};
use crate::device::{Context, Device, Registers, Timed};
use crate::dma::PlainMemory;
use crate::irq_line::{IrqLine, IrqLines};
use crate::network::{MemoryNetwork, crc32};
use crate::pci::PciFunction;
use crate::time::Time;

const STATION: [u8; 6] = [0x52, 0x54, 0, 0xab, 0xcd, 0xef];
/// Where the tests keep the ring and a frame.
const RING: u32 = 0x1_0000;
const FRAME: u32 = 0x8000;

struct Bench {
    adapter: Rtl8139,
    memory: PlainMemory,
    network: MemoryNetwork,
    lines: Arc<IrqLines>,
    now: Time,
}

impl Bench {
    fn new() -> Self {
        let (lines, network) = (IrqLines::new(), MemoryNetwork::new());
        let line = IrqLine::new(&lines, 11);
        let mut bench = Self {
            adapter: Rtl8139::new(line, STATION, Box::new(network.clone())),
            memory: PlainMemory(vec![0; 0x4_0000]),
            network,
            lines,
            now: Time::ZERO,
        };
        let mut cx = Context {
            now: bench.now,
            memory: &mut bench.memory,
        };
        bench.adapter.config_write(4, &[7, 0], &mut cx);
        bench
    }

    /// Receiver and transmitter on, a ring of 8 KiB, frames for the station
    /// and everybody.
    fn started() -> Self {
        let mut bench = Self::new();
        bench.write(0x30, &RING.to_le_bytes());
        bench.write(0x37, &[0x0c]);
        bench.write(0x44, &0x0au32.to_le_bytes());
        bench.write(0x3c, &[0x55, 0x40]);
        bench
    }

    fn write(&mut self, register: u64, bytes: &[u8]) {
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        self.adapter.write(register, bytes, &mut cx).unwrap();
    }

    fn read<const N: usize>(&mut self, register: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        self.adapter.read(register, &mut bytes, &mut cx).unwrap();
        bytes
    }

    fn wait_for_deadline(&mut self) -> Option<Time> {
        let deadline = self.adapter.next_deadline()?;
        assert!(deadline > self.now);
        self.now = deadline;
        self.advance();
        Some(deadline)
    }

    fn advance(&mut self) {
        let mut cx = Context {
            now: self.now,
            memory: &mut self.memory,
        };
        self.adapter.advance(&mut cx);
    }

    fn deliver(&mut self, frame: &[u8]) {
        self.network.deliver(frame);
        self.advance();
    }

    /// Clocks a word out of the EEPROM, as drivers do.
    fn eeprom_word(&mut self, address: u32) -> u16 {
        self.write(0x50, &[0x80]);
        let command = 0b110 << 6 | address;
        for bit in (0..9).rev() {
            let input = if command >> bit & 1 == 0 { 0 } else { 2 };
            self.write(0x50, &[0x88 | input]);
            self.write(0x50, &[0x8c | input]);
        }
        let mut word = 0;
        for _ in 0..16 {
            self.write(0x50, &[0x88]);
            self.write(0x50, &[0x8c]);
            let [command] = self.read(0x50);
            word = word << 1 | u16::from(command & 1);
        }
        self.write(0x50, &[0]);
        word
    }
}

fn frame_to(address: [u8; 6], length: usize) -> Vec<u8> {
    let mut frame = address.to_vec();
    frame.extend((6..length).map(|index| index as u8));
    frame
}

#[test]
fn the_eeprom_gives_the_address() {
    let mut bench = Bench::new();
    assert_eq!(bench.eeprom_word(0), 0x8129);
    let words: Vec<_> = (7..10).map(|word| bench.eeprom_word(word)).collect();
    assert_eq!(words, [0x5452, 0xab00, 0xefcd]);
    assert_eq!(bench.read(0), STATION);
}

#[test]
fn a_frame_goes_out_and_interrupts() {
    let mut bench = Bench::started();
    let frame = frame_to([2; 6], 100);
    bench.memory.0[FRAME as usize..][..100].copy_from_slice(&frame);
    bench.write(0x24, &FRAME.to_le_bytes());
    bench.write(0x14, &100u32.to_le_bytes());
    assert_eq!(bench.read::<4>(0x14)[1] & 0x20, 0, "the adapter owns it");
    let sent_at = bench.wait_for_deadline().unwrap();
    assert_eq!(sent_at.0, 120 * BYTE_NS);
    assert_eq!(bench.network.take_sent(), [frame]);
    assert_eq!(bench.read::<4>(0x14)[1] & 0xa0, 0xa0);
    assert_eq!(bench.read::<2>(0x3e), [4, 0]);
    assert_eq!(bench.lines.levels(), 1 << 11);
    bench.write(0x3e, &[4, 0]);
    assert_eq!(bench.lines.levels(), 0);
}

#[test]
fn frames_arrive_in_the_ring_and_wrap() {
    let mut bench = Bench::started();
    let mut offset = 0usize;
    for round in 0..30 {
        let frame = frame_to(STATION, 60 + round * 40);
        assert_eq!(bench.read::<1>(0x37)[0] & 1, 1, "empty");
        bench.deliver(&frame);
        assert_eq!(bench.read::<1>(0x37)[0] & 1, 0);
        let ring = &bench.memory.0[RING as usize..][..0x2000];
        let bytes: Vec<_> = (0..frame.len() + 8)
            .map(|at| ring[(offset + at) % 0x2000])
            .collect();
        let length = (frame.len() + 4) as u16;
        let [low, high] = length.to_le_bytes();
        assert_eq!(bytes[..4], [0x01, 0x40, low, high], "round {round}");
        assert_eq!(bytes[4..frame.len() + 4], frame);
        let check = (!crc32(&frame)).reverse_bits().to_le_bytes();
        assert_eq!(bytes[frame.len() + 4..], check);
        offset = (offset + frame.len() + 8).next_multiple_of(4) % 0x2000;
        let pointer = (offset as u16).wrapping_sub(16);
        bench.write(0x38, &pointer.to_le_bytes());
    }
}

#[test]
fn only_frames_for_the_station_are_taken() {
    let mut bench = Bench::started();
    let taken = |bench: &mut Bench, address: [u8; 6]| {
        bench.write(0x3e, &[0xff, 0xff]);
        bench.deliver(&frame_to(address, 60));
        bench.read::<2>(0x3e)[0] & 1 != 0
    };
    let group = [0x01, 0x00, 0x5e, 0, 0, 1];
    assert!(taken(&mut bench, STATION));
    assert!(taken(&mut bench, [0xff; 6]));
    assert!(!taken(&mut bench, [2, 0, 0, 0, 0, 1]));
    assert!(!taken(&mut bench, group));
    let bit = crc32(&group) >> 26;
    bench.write(u64::from(8 + bit / 8), &[1 << (bit % 8)]);
    bench.write(0x44, &[0x0e]);
    assert!(taken(&mut bench, group));
    bench.write(0x44, &[0x01]);
    assert!(taken(&mut bench, [2, 0, 0, 0, 0, 1]));
}

#[test]
fn a_full_ring_overflows_and_counts() {
    let mut bench = Bench::started();
    for _ in 0..7 {
        bench.deliver(&frame_to(STATION, 1514));
    }
    // Five times 1,524 bytes fit into 8 KiB.
    assert_eq!(bench.read::<2>(0x3e), [0x11, 0]);
    assert_eq!(bench.read::<4>(0x4c), [2, 0, 0, 0]);
    bench.write(0x4c, &[0; 4]);
    assert_eq!(bench.read::<4>(0x4c), [0; 4]);
}

#[test]
fn loopback_mode_returns_frames() {
    let mut bench = Bench::started();
    bench.write(0x40, &0x6_0000u32.to_le_bytes());
    let frame = frame_to(STATION, 64);
    bench.memory.0[FRAME as usize..][..64].copy_from_slice(&frame);
    bench.write(0x20, &FRAME.to_le_bytes());
    bench.write(0x10, &64u32.to_le_bytes());
    bench.wait_for_deadline().unwrap();
    assert_eq!(bench.read::<2>(0x3e), [5, 0]);
    assert_eq!(bench.memory.0[RING as usize + 4..][..64], frame);
    assert!(bench.network.take_sent().is_empty());
}

#[test]
fn the_timer_counts_pci_clocks() {
    let mut bench = Bench::started();
    bench.write(0x54, &33_000u32.to_le_bytes());
    bench.write(0x48, &[0; 4]);
    assert_eq!(bench.wait_for_deadline(), Some(Time(1_000_000)));
    assert_eq!(bench.read::<4>(0x48), 33_000u32.to_le_bytes());
    assert_eq!(bench.read::<2>(0x3e), [0, 0x40]);
    assert_eq!(bench.lines.levels(), 1 << 11);
    // The next time is a whole round of 32 bits later.
    let next = bench.wait_for_deadline().unwrap();
    assert_eq!(next.0 / 1_000_000_000, 130);
}

#[test]
fn a_device_without_bus_mastering_moves_nothing() {
    let mut bench = Bench::started();
    let mut cx = Context {
        now: bench.now,
        memory: &mut bench.memory,
    };
    bench.adapter.config_write(4, &[3, 0], &mut cx);
    bench.deliver(&frame_to(STATION, 60));
    assert_eq!(bench.read::<2>(0x3e), [0, 0]);
    bench.adapter.reset();
    assert_eq!(bench.read::<1>(0x37), [1]);
}
