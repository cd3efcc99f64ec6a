//! What the datasheet says the clock does.

use super::Rtc;
use crate::conformance::Probe;
use crate::irq_line::{IrqLine, IrqLines};
use crate::time::Time;

/// 2024-02-28 23:59:57 UTC, a Wednesday.
const START: i64 = 1_709_164_797;

fn rtc() -> (Rtc, IrqLine) {
    let wire = IrqLine::new(&IrqLines::new(), 8);
    (Rtc::new(wire.clone(), START), wire)
}

fn read(probe: &mut Probe<'_>, index: u8) -> u8 {
    probe.write(0, index);
    probe.read(1)
}

fn write(probe: &mut Probe<'_>, index: u8, value: u8) {
    probe.write(0, index);
    probe.write(1, value);
}

/// Century, year, month, day, day of the week, hours, minutes, seconds.
fn date(probe: &mut Probe<'_>) -> [u8; 8] {
    [0x32, 9, 8, 7, 6, 4, 2, 0].map(|index| read(probe, index))
}

#[test]
fn it_shows_the_start_in_bcd_and_passes_midnight() {
    let (mut rtc, _) = rtc();
    let mut probe = Probe::new(&mut rtc);
    assert_eq!(
        date(&mut probe),
        [0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x57]
    );
    probe.wait_ns(3_000_000_000);
    assert_eq!(date(&mut probe), [0x20, 0x24, 0x02, 0x29, 5, 0, 0, 0]);
    // A hundred years later, all at once; 2100 has no 29th of February.
    probe.wait_ns(36_524 * 86_400 * 1_000_000_000);
    assert_eq!(date(&mut probe), [0x21, 0x24, 0x02, 0x29, 3, 0, 0, 0]);
}

#[test]
fn binary_and_twelve_hours() {
    let (mut rtc, _) = rtc();
    let mut probe = Probe::new(&mut rtc);
    write(&mut probe, 0x0b, 0x80);
    write(&mut probe, 4, 0x91);
    write(&mut probe, 0x0b, 0x00);
    probe.wait_ns(3_000_000_000);
    // From 11:59:57 PM BCD.
    assert_eq!(read(&mut probe, 4), 0x12);
    write(&mut probe, 0x0b, 0x84);
    write(&mut probe, 4, 0x80 | 12);
    write(&mut probe, 2, 59);
    write(&mut probe, 0, 59);
    write(&mut probe, 0x0b, 0x04);
    probe.wait_ns(1_000_000_000);
    assert_eq!(read(&mut probe, 4), 0x81);
}

#[test]
fn set_stops_the_updates() {
    let (mut rtc, _) = rtc();
    let mut probe = Probe::new(&mut rtc);
    write(&mut probe, 0x0b, 0x92);
    assert_eq!(read(&mut probe, 0x0b), 0x82, "SET clears UIE");
    probe.wait_ns(5_000_000_000);
    assert_eq!(read(&mut probe, 0), 0x57);
    write(&mut probe, 0x0b, 0x02);
    probe.wait_ns(1_000_000_000);
    assert_eq!(read(&mut probe, 0), 0x58);
}

#[test]
fn uip_announces_an_update_and_goes_with_it() {
    let (mut rtc, _) = rtc();
    let mut probe = Probe::new(&mut rtc);
    assert_eq!(read(&mut probe, 0x0a), 0x26);
    probe.wait_until(Time(997_771_999));
    assert_eq!(read(&mut probe, 0x0a), 0x26);
    probe.wait_until(Time(997_772_000));
    assert_eq!(read(&mut probe, 0x0a), 0xa6);
    assert_eq!(read(&mut probe, 0), 0x57);
    probe.wait_until(Time(1_000_000_000));
    assert_eq!(read(&mut probe, 0x0a), 0x26);
    assert_eq!(read(&mut probe, 0), 0x58);
}

#[test]
fn the_periodic_interrupt_comes_1024_times_a_second() {
    let (mut rtc, wire) = rtc();
    let mut probe = Probe::new(&mut rtc);
    write(&mut probe, 0x0b, 0x42);
    let mut count = 0;
    while probe.next_deadline().unwrap() <= Time(1_000_000_000) {
        probe.wait_for_deadline();
        assert!(wire.level());
        assert_eq!(read(&mut probe, 0x0c) & 0xe0, 0xc0);
        assert!(!wire.level());
        count += 1;
    }
    assert_eq!(count, 1024);
}

#[test]
fn the_update_interrupt_comes_every_second() {
    let (mut rtc, wire) = rtc();
    let mut probe = Probe::new(&mut rtc);
    write(&mut probe, 0x0b, 0x12);
    assert_eq!(probe.wait_for_deadline(), Some(Time(1_000_000_000)));
    assert!(wire.level());
    assert_eq!(read(&mut probe, 0x0c) & 0x90, 0x90);
    assert_eq!(read(&mut probe, 0x0c), 0);
    assert_eq!(probe.wait_for_deadline(), Some(Time(2_000_000_000)));
}

#[test]
fn the_alarm_interrupts_when_it_matches() {
    let (mut rtc, wire) = rtc();
    let mut probe = Probe::new(&mut rtc);
    write(&mut probe, 1, 0x30);
    write(&mut probe, 3, 0x00);
    write(&mut probe, 5, 0xff);
    write(&mut probe, 0x0b, 0x22);
    assert_eq!(probe.wait_for_deadline(), Some(Time(33_000_000_000)));
    assert!(wire.level());
    assert_eq!(read(&mut probe, 0x0c) & 0xa0, 0xa0);
    assert_eq!(probe.next_deadline(), Some(Time(3_633_000_000_000)));
}

#[test]
fn each_enabled_alarm_is_told_to_power_management() {
    let lines = IrqLines::new();
    let mut rtc = Rtc::new(IrqLine::new(&lines, 8), START).with_alarm(IrqLine::new(&lines, 25));
    let mut probe = Probe::new(&mut rtc);
    write(&mut probe, 1, 0x30);
    write(&mut probe, 3, 0xff);
    write(&mut probe, 5, 0xff);
    probe.wait_ns(40_000_000_000);
    assert_eq!(read(&mut probe, 0x0c) & 0x20, 0x20);
    assert_eq!(lines.take_rises(1 << 25), 0, "not enabled");
    write(&mut probe, 0x0b, 0x22);
    probe.wait_ns(53_000_000_000);
    assert_eq!(lines.take_rises(1 << 25), 1 << 25);
    // Again, though nobody has read register C since.
    probe.wait_ns(60_000_000_000);
    assert_eq!(lines.take_rises(1 << 25), 1 << 25);
    assert_eq!(rtc.next_alarm(), Some(Time(213_000_000_000)));
}

#[test]
fn restarting_the_divider_updates_half_a_second_later() {
    let (mut rtc, _) = rtc();
    let mut probe = Probe::new(&mut rtc);
    write(&mut probe, 0x0a, 0x76);
    probe.wait_ns(10_300_000_000);
    assert_eq!(read(&mut probe, 0), 0x57);
    write(&mut probe, 0x0a, 0x26);
    probe.wait_ns(499_999_999);
    assert_eq!(read(&mut probe, 0), 0x57);
    probe.wait_ns(1);
    assert_eq!(read(&mut probe, 0), 0x58);
}

#[test]
fn memory_is_kept_and_register_d_says_so() {
    let (mut rtc, _) = rtc();
    rtc.set_cmos(0x7f, 0xaa);
    rtc.set_cmos(0x80, 1);
    let mut probe = Probe::new(&mut rtc);
    write(&mut probe, 0x40, 0x55);
    write(&mut probe, 0x0d, 0);
    probe.device().reset();
    assert_eq!(read(&mut probe, 0x40), 0x55);
    assert_eq!(read(&mut probe, 0x7f), 0xaa);
    assert_eq!(read(&mut probe, 0x0d), 0x80);
    probe.write(0, 0x8d);
    assert!(rtc.nmi_masked());
}
