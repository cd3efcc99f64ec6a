//! What drivers do with an NE2000, step by step.

use std::sync::Arc;

use super::{BYTE_NS, Ne2000};
use crate::conformance::Probe;
use crate::irq_line::{IrqLine, IrqLines};
use crate::network::MemoryNetwork;

const ADDRESS: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const COMMAND: u64 = 0;
const DATA: u64 = 0x10;

fn adapter() -> (Ne2000, MemoryNetwork, Arc<IrqLines>) {
    let (lines, network) = (IrqLines::new(), MemoryNetwork::new());
    let line = IrqLine::new(&lines, 10);
    let adapter = Ne2000::new(line, ADDRESS, Box::new(network.clone()));
    (adapter, network, lines)
}

/// Sets the adapter up as drivers do: word transfers, ring at 46h to 80h.
fn start(probe: &mut Probe<'_>) {
    probe.read(0x1f);
    probe.write(0x1f, 0);
    assert_eq!(probe.read(7) & 0x80, 0x80, "stopped");
    let writes = [
        (0x0, 0x21),
        (0xe, 0x49),
        (0xa, 0),
        (0xb, 0),
        (0xc, 0x04),
        (0xd, 0x00),
        (0x1, 0x46),
        (0x2, 0x80),
        (0x3, 0x46),
        (0x7, 0xff),
        (0xf, 0x13),
        (0x0, 0x61),
        (0x7, 0x47),
    ];
    for (register, value) in writes {
        probe.write(register, value);
    }
    for (register, byte) in (1..).zip(ADDRESS) {
        probe.write(register, byte);
    }
    probe.write(COMMAND, 0x22);
    assert_eq!(probe.read(7), 0);
}

fn remote_setup(probe: &mut Probe<'_>, address: u16, bytes: u16, command: u8) {
    for (register, word) in [(8, address), (0xa, bytes)] {
        let [low, high] = word.to_le_bytes();
        probe.write(register, low);
        probe.write(register + 1, high);
    }
    probe.write(COMMAND, command);
}

fn remote_read(probe: &mut Probe<'_>, address: u16, bytes: u16) -> Vec<u8> {
    remote_setup(probe, address, bytes, 0x0a);
    let mut data = Vec::new();
    for _ in 0..bytes / 2 {
        let mut word = [0; 2];
        probe.read_bytes(DATA, &mut word).unwrap();
        data.extend(word);
    }
    assert_eq!(probe.read(7) & 0x40, 0x40, "remote DMA is complete");
    probe.write(7, 0x40);
    data
}

fn frame_to(address: [u8; 6], length: usize) -> Vec<u8> {
    let mut frame = address.to_vec();
    frame.extend((6..length).map(|index| index as u8));
    frame
}

#[test]
fn the_prom_says_who_it_is() {
    let (mut adapter, _, _) = adapter();
    let mut probe = Probe::new(&mut adapter);
    start(&mut probe);
    let prom = remote_read(&mut probe, 0, 32);
    let singles: Vec<_> = prom.iter().step_by(2).copied().collect();
    assert_eq!(singles[..6], ADDRESS);
    assert_eq!(singles[14..], [0x57, 0x57]);
}

#[test]
fn a_frame_goes_out_and_interrupts() {
    let (mut adapter, network, lines) = adapter();
    let mut probe = Probe::new(&mut adapter);
    start(&mut probe);
    let frame = frame_to([2; 6], 64);
    remote_setup(&mut probe, 0x4000, 64, 0x12);
    for word in frame.chunks(2) {
        probe.write_bytes(DATA, word).unwrap();
    }
    for (register, value) in [(4, 0x40), (5, 64), (6, 0), (COMMAND, 0x26)] {
        probe.write(register, value);
    }
    assert_eq!(probe.read(COMMAND) & 4, 4);
    assert!(network.take_sent().is_empty());
    let sent_at = probe.wait_for_deadline().unwrap();
    assert_eq!(sent_at.0, 84 * BYTE_NS);
    assert_eq!(network.take_sent(), [frame]);
    assert_eq!(probe.read(7) & 2, 2);
    assert_eq!(probe.read(COMMAND) & 4, 0);
    assert_eq!(lines.levels(), 1 << 10);
    probe.write(7, 2);
    assert_eq!(lines.levels(), 0);
}

#[test]
fn frames_arrive_in_the_ring_and_wrap() {
    let (mut adapter, network, lines) = adapter();
    let mut probe = Probe::new(&mut adapter);
    start(&mut probe);
    let mut page = 0x47u8;
    for round in 0..40 {
        let frame = frame_to(ADDRESS, 60 + round * 30);
        network.deliver(&frame);
        probe.wait_ns(1);
        assert_eq!(lines.levels(), 1 << 10, "round {round}");
        probe.write(7, 1);
        let header = remote_read(&mut probe, u16::from(page) << 8, 4);
        let length = frame.len() + 4;
        let [low, high] = (length as u16).to_le_bytes();
        assert_eq!((header[0], header[2], header[3]), (1, low, high));
        let even = frame.len().next_multiple_of(2);
        let place = (u16::from(page) << 8) + 4;
        let data = remote_read(&mut probe, place, even as u16);
        assert_eq!(data[..frame.len()], frame, "round {round}");
        page = header[1];
        probe.write(3, if page == 0x46 { 0x7f } else { page - 1 });
    }
}

#[test]
fn only_frames_for_the_station_are_taken() {
    let (mut adapter, network, _) = adapter();
    let mut probe = Probe::new(&mut adapter);
    start(&mut probe);
    let mut is_taken = |address: [u8; 6]| {
        network.deliver(&frame_to(address, 60));
        probe.wait_ns(1);
        let taken = probe.read(7) & 1 != 0;
        probe.write(7, 1);
        taken
    };
    assert!(is_taken(ADDRESS));
    assert!(is_taken([0xff; 6]));
    assert!(!is_taken([0x02, 0, 0, 0, 0, 1]));
    let group = [0x01, 0x00, 0x5e, 0, 0, 1];
    assert!(!is_taken(group));
    // 224.0.0.1 hashes to bit 31 of the filter in the adapter's bit order.
    let bit = (crate::network::crc32(&group) >> 26) as u8;
    probe.write(COMMAND, 0x62);
    probe.write(u64::from(8 + bit / 8), 1 << (bit % 8));
    probe.write(COMMAND, 0x22);
    probe.write(0xc, 0x0c);
    let mut is_taken = |address: [u8; 6]| {
        network.deliver(&frame_to(address, 60));
        probe.wait_ns(1);
        let taken = probe.read(7) & 1 != 0;
        probe.write(7, 1);
        taken
    };
    assert!(is_taken(group));
    assert!(!is_taken([0x02, 0, 0, 0, 0, 1]));
}

#[test]
fn a_full_ring_warns_and_counts() {
    let (mut adapter, network, _) = adapter();
    let mut probe = Probe::new(&mut adapter);
    start(&mut probe);
    for _ in 0..12 {
        network.deliver(&frame_to(ADDRESS, 1514));
    }
    probe.wait_ns(1);
    // 58 pages, six for a frame, and one that stays free: nine frames fit.
    assert_eq!(probe.read(7) & 0x11, 0x11);
    assert_eq!(probe.read(0xf), 3);
    assert_eq!(probe.read(0xf), 0, "reading clears it");
}
