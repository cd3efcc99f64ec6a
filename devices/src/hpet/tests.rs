//! The HPET by the words of its specification.

use std::sync::Arc;

use super::Hpet;
use crate::conformance::Probe;
use crate::device::{Context, Device};
use crate::dma::Dma;
use crate::irq_line::{Cutoff, IrqLine, IrqLines};
use crate::time::Time;

const CONFIG: u64 = 0x10;
const STATUS: u64 = 0x20;
const COUNTER: u64 = 0xf0;
const TIMER_0: u64 = 0x100;
const TIMER_1: u64 = 0x120;
const ROUTE_20: u64 = 20 << 9;
const ENABLED: u64 = 1 << 2;
const PERIODIC: u64 = 1 << 3;
const LEVEL: u64 = 1 << 1;

struct Bench {
    hpet: Hpet,
    lines: Arc<IrqLines>,
    cutoff: Cutoff,
}

/// Inputs 20 and 21 at wires of those numbers; legacy wires 0 and 8.
fn bench() -> Bench {
    let lines = IrqLines::new();
    let cutoff = Cutoff::new();
    let legacy = [IrqLine::new(&lines, 0), IrqLine::new(&lines, 8)];
    let hpet = Hpet::new(&lines, &[(20, 20), (21, 21)], legacy, cutoff.clone());
    Bench {
        hpet,
        lines,
        cutoff,
    }
}

fn read(probe: &mut Probe<'_>, register: u64) -> u64 {
    let mut bytes = [0; 8];
    probe.read_bytes(register, &mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

fn write(probe: &mut Probe<'_>, register: u64, value: u64) {
    probe.write_bytes(register, &value.to_le_bytes()).unwrap();
}

#[test]
fn capabilities_tell_the_period_in_femtoseconds() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    assert_eq!(read(&mut probe, 0), 10_000_000 << 32 | 0x8086_a201);
    write(&mut probe, 0, 0);
    assert_eq!(read(&mut probe, 0) >> 32, 10_000_000);
    assert_eq!(read(&mut probe, TIMER_0), 0x30_0000 << 32 | 0x8030);
}

#[test]
fn the_counter_runs_only_while_enabled() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    probe.wait_ns(1000);
    assert_eq!(read(&mut probe, COUNTER), 0);
    write(&mut probe, CONFIG, 1);
    probe.wait_ns(1005);
    assert_eq!(read(&mut probe, COUNTER), 100);
    write(&mut probe, CONFIG, 0);
    probe.wait_ns(1000);
    assert_eq!(read(&mut probe, COUNTER), 100);
    write(&mut probe, COUNTER, 0x1_0000_0000);
    let mut half = [0; 4];
    probe.read_bytes(COUNTER + 4, &mut half).unwrap();
    assert_eq!(half, [1, 0, 0, 0]);
    probe.write_bytes(COUNTER, &[7, 0, 0, 0]).unwrap();
    assert_eq!(read(&mut probe, COUNTER), 0x1_0000_0007);
}

#[test]
fn a_one_shot_edge_fires_once() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, TIMER_0, ROUTE_20 | ENABLED);
    write(&mut probe, TIMER_0 + 8, 50);
    assert_eq!(probe.next_deadline(), None);
    write(&mut probe, CONFIG, 1);
    assert_eq!(probe.wait_for_deadline(), Some(Time(500)));
    assert_eq!(bench.lines.take_rises(u32::MAX), 1 << 20);
    assert_eq!(bench.lines.levels(), 0);
    assert_eq!(read(&mut probe, STATUS), 0);
    probe.wait_ns(1 << 40);
    assert_eq!(bench.lines.take_rises(u32::MAX), 0);
}

#[test]
fn a_periodic_timer_keeps_its_grid() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, CONFIG, 1);
    write(&mut probe, TIMER_0, ROUTE_20 | ENABLED | PERIODIC | 1 << 6);
    write(&mut probe, TIMER_0 + 8, 70); // The comparator,
    write(&mut probe, TIMER_0 + 8, 30); // then the period.
    assert_eq!(probe.wait_for_deadline(), Some(Time(700)));
    assert_eq!(probe.wait_for_deadline(), Some(Time(1000)));
    assert_eq!(read(&mut probe, TIMER_0 + 8), 130);
    probe.wait_until(Time(2234));
    assert_eq!(probe.next_deadline(), Some(Time(2500)));
    assert_eq!(read(&mut probe, TIMER_0 + 8), 250);
}

#[test]
fn halves_of_a_comparator_and_of_a_period_are_written_apart() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, COUNTER, 1 << 32);
    write(&mut probe, TIMER_0, ROUTE_20 | ENABLED | PERIODIC | 1 << 6);
    write(&mut probe, TIMER_0 + 8, 1 << 32 | 10);
    probe.write_bytes(TIMER_0 + 8, &[30, 0, 0, 0]).unwrap();
    probe.write_bytes(TIMER_0 + 12, &[0; 4]).unwrap();
    write(&mut probe, CONFIG, 1);
    assert_eq!(probe.wait_for_deadline(), Some(Time(100)));
    assert_eq!(probe.wait_for_deadline(), Some(Time(400)));
}

#[test]
fn a_level_holds_its_wire_until_its_status_is_cleared() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, TIMER_1, 21 << 9 | ENABLED | LEVEL);
    write(&mut probe, TIMER_1 + 8, 10);
    write(&mut probe, CONFIG, 1);
    probe.wait_for_deadline();
    assert_eq!(
        (bench.lines.levels(), read(&mut probe, STATUS)),
        (1 << 21, 2)
    );
    write(&mut probe, TIMER_1, 20 << 9 | ENABLED | LEVEL);
    assert_eq!(bench.lines.levels(), 1 << 20, "it follows the route");
    write(&mut probe, STATUS, 1);
    assert_eq!(bench.lines.levels(), 1 << 20);
    write(&mut probe, STATUS, 2);
    assert_eq!((bench.lines.levels(), read(&mut probe, STATUS)), (0, 0));
}

#[test]
fn legacy_replacement_takes_the_place_of_timer_and_clock() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, TIMER_0, ROUTE_20 | ENABLED);
    write(&mut probe, TIMER_0 + 8, 10);
    write(&mut probe, TIMER_1, ROUTE_20 | ENABLED);
    write(&mut probe, TIMER_1 + 8, 20);
    write(&mut probe, CONFIG, 3);
    assert!(bench.cutoff.is_cut());
    probe.wait_for_deadline();
    assert_eq!(bench.lines.take_rises(u32::MAX), 1);
    probe.wait_for_deadline();
    assert_eq!(bench.lines.take_rises(u32::MAX), 1 << 8);
    bench.hpet.reset();
    assert!(!bench.cutoff.is_cut());
}

#[test]
fn a_route_that_does_not_exist_is_not_taken() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, TIMER_0, ROUTE_20);
    write(&mut probe, TIMER_0, 5 << 9);
    assert_eq!(read(&mut probe, TIMER_0) >> 9 & 0x1f, 20);
}

#[test]
fn a_32_bit_timer_matches_at_every_turn() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, COUNTER, 0x7_ffff_fff0);
    write(&mut probe, TIMER_0, ROUTE_20 | ENABLED | 1 << 8);
    write(&mut probe, TIMER_0 + 8, 0xffff_ffff_0000_0010);
    assert_eq!(read(&mut probe, TIMER_0 + 8), 0x10);
    write(&mut probe, CONFIG, 1);
    assert_eq!(probe.wait_for_deadline(), Some(Time(320)));
    assert_eq!(probe.next_deadline(), Some(Time(320 + (10 << 32))));
}

#[test]
fn a_message_is_a_write_to_memory() {
    struct Seen(Vec<(u64, Vec<u8>)>);
    impl Dma for Seen {
        fn read(&mut self, _address: u64, _bytes: &mut [u8]) {}
        fn write(&mut self, address: u64, bytes: &[u8]) {
            self.0.push((address, bytes.to_vec()));
        }
    }
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, TIMER_0, ROUTE_20 | ENABLED | 1 << 14);
    write(&mut probe, TIMER_0 + 0x10, 0xfee0_1000_0000_4041);
    write(&mut probe, TIMER_0 + 8, 10);
    write(&mut probe, CONFIG, 1);
    let mut seen = Seen(Vec::new());
    let mut cx = Context {
        now: Time(100),
        memory: &mut seen,
    };
    bench.hpet.timed().unwrap().advance(&mut cx);
    assert_eq!(seen.0, [(0xfee0_1000, vec![0x41, 0x40, 0, 0])]);
    assert_eq!(bench.lines.take_rises(u32::MAX), 0);
}

#[test]
fn a_disabled_timer_asks_for_no_deadline() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    write(&mut probe, CONFIG, 1);
    write(&mut probe, TIMER_0 + 8, 10);
    assert_eq!(probe.next_deadline(), None);
    probe.wait_ns(1000);
    assert_eq!(bench.lines.take_rises(u32::MAX), 0);
}

#[test]
fn odd_widths_are_refused() {
    let mut bench = bench();
    let mut probe = Probe::new(&mut bench.hpet);
    assert!(probe.read_bytes(COUNTER, &mut [0; 2]).is_err());
    assert!(probe.read_bytes(COUNTER + 4, &mut [0; 8]).is_err());
    assert!(probe.write_bytes(COUNTER + 2, &[0; 4]).is_err());
    assert!(probe.read_bytes(0x400, &mut [0; 4]).is_err());
}
