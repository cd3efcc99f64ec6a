//! What the datasheet says the timer does, and that big steps equal small ones.

use std::sync::Arc;

use proptest::prelude::*;

use super::channel::Channel;
use super::{CLOCK_HZ, Pit};
use crate::conformance::Probe;
use crate::irq_line::{IrqLine, IrqLines};
use crate::time::Time;

const CONTROL: u64 = 3;
const PORT_B: u64 = 4;

fn pit() -> (Pit, Arc<IrqLines>) {
    let lines = IrqLines::new();
    (Pit::new(IrqLine::new(&lines, 0)), lines)
}

/// Lets whole clocks pass.
fn clocks(probe: &mut Probe<'_>, clocks: u64) {
    let target = probe.now().ticks(CLOCK_HZ) + clocks;
    probe.wait_until(Time::of_tick(target, CLOCK_HZ));
}

fn read_word(probe: &mut Probe<'_>, channel: u64) -> u16 {
    u16::from_le_bytes([probe.read(channel), probe.read(channel)])
}

fn out_2(probe: &mut Probe<'_>) -> bool {
    probe.read(PORT_B) & 0x20 != 0
}

/// Programs channel 2 and opens its gate.
fn channel_2(probe: &mut Probe<'_>, mode: u8, count: u16) {
    probe.write(PORT_B, 1);
    probe.write(CONTROL, 0xb0 | (mode << 1));
    for byte in count.to_le_bytes() {
        probe.write(2, byte);
    }
}

#[test]
fn mode_0_rises_one_clock_after_the_count() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 0, 4);
    clocks(&mut probe, 4);
    assert!(!out_2(&mut probe));
    clocks(&mut probe, 1);
    assert!(out_2(&mut probe));
    // It goes on counting, and stays high until a new count.
    clocks(&mut probe, 1);
    assert_eq!(read_word(&mut probe, 2), 0xffff);
    assert!(out_2(&mut probe));
    probe.write(2, 9);
    assert!(!out_2(&mut probe));
}

#[test]
fn mode_0_pauses_while_the_gate_is_low() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 0, 100);
    clocks(&mut probe, 11);
    probe.write(PORT_B, 0);
    clocks(&mut probe, 1000);
    assert_eq!(read_word(&mut probe, 2), 90);
    probe.write(PORT_B, 1);
    clocks(&mut probe, 90);
    assert!(out_2(&mut probe));
}

#[test]
fn mode_1_is_started_by_the_gate() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 1, 3);
    clocks(&mut probe, 10);
    assert!(out_2(&mut probe));
    probe.write(PORT_B, 0);
    probe.write(PORT_B, 1);
    clocks(&mut probe, 1);
    assert!(!out_2(&mut probe));
    clocks(&mut probe, 2);
    assert!(!out_2(&mut probe));
    clocks(&mut probe, 1);
    assert!(out_2(&mut probe));
}

#[test]
fn mode_2_is_low_for_the_last_clock_of_a_period() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 2, 3);
    let mut wave = String::new();
    for _ in 0..10 {
        clocks(&mut probe, 1);
        wave.push(if out_2(&mut probe) { 'h' } else { 'l' });
    }
    assert_eq!(wave, "hhlhhlhhlh");
}

#[test]
fn mode_2_takes_a_new_count_at_the_end_of_the_period() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 2, 10);
    clocks(&mut probe, 3);
    probe.write(2, 20);
    probe.write(2, 0);
    assert_eq!(read_word(&mut probe, 2), 8);
    clocks(&mut probe, 8);
    assert_eq!(read_word(&mut probe, 2), 20);
}

#[test]
fn mode_3_halves_an_odd_count_with_the_longer_half_high() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 3, 5);
    let mut wave = String::new();
    let mut counts = Vec::new();
    for _ in 0..11 {
        clocks(&mut probe, 1);
        wave.push(if out_2(&mut probe) { 'h' } else { 'l' });
        counts.push(read_word(&mut probe, 2));
    }
    assert_eq!(wave, "hhhllhhhllh");
    // The datasheet's figure for mode 3 with a count of 5.
    assert_eq!(counts, [4, 2, 0, 4, 2, 4, 2, 0, 4, 2, 4]);
}

#[test]
fn mode_4_strobes_once_for_one_clock() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 4, 3);
    clocks(&mut probe, 3);
    assert!(out_2(&mut probe));
    clocks(&mut probe, 1);
    assert!(!out_2(&mut probe));
    clocks(&mut probe, 1);
    assert!(out_2(&mut probe));
    clocks(&mut probe, 0xffff);
    assert!(out_2(&mut probe));
}

#[test]
fn mode_5_strobes_after_its_trigger() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 5, 3);
    clocks(&mut probe, 9);
    assert!(out_2(&mut probe));
    probe.write(PORT_B, 0);
    probe.write(PORT_B, 1);
    clocks(&mut probe, 4);
    assert!(!out_2(&mut probe));
    clocks(&mut probe, 1);
    assert!(out_2(&mut probe));
}

#[test]
fn bcd_counts_in_decimal() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    probe.write(PORT_B, 1);
    probe.write(CONTROL, 0xb1);
    probe.write(2, 0x00);
    probe.write(2, 0x10);
    clocks(&mut probe, 2);
    assert_eq!(read_word(&mut probe, 2), 0x0999);
}

#[test]
fn a_latched_count_stays_until_it_is_read() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 2, 1000);
    clocks(&mut probe, 1);
    probe.write(CONTROL, 0x80);
    clocks(&mut probe, 50);
    probe.write(CONTROL, 0x80);
    assert_eq!(read_word(&mut probe, 2), 1000);
    assert_eq!(read_word(&mut probe, 2), 950);
}

#[test]
fn the_status_shows_the_mode_as_it_was_written() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    for control in [0x34, 0x3c, 0x36, 0x3e, 0x35, 0x1f] {
        probe.write(CONTROL, control);
        probe.write(CONTROL, 0xe2);
        assert_eq!(probe.read(0) & 0x3f, control, "{control:#04x}");
    }
}

#[test]
fn read_back_latches_status_before_count() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    channel_2(&mut probe, 3, 1000);
    probe.write(CONTROL, 0xc8);
    assert_eq!(probe.read(2), 0xf6, "OUT high, null count");
    let _ = read_word(&mut probe, 2);
    clocks(&mut probe, 1);
    probe.write(CONTROL, 0xc8);
    assert_eq!(probe.read(2), 0xb6, "count loaded");
    assert_eq!(read_word(&mut probe, 2), 1000);
}

#[test]
fn channel_0_interrupts_at_the_programmed_rate() {
    let (mut pit, lines) = pit();
    let mut probe = Probe::new(&mut pit);
    assert_eq!(probe.next_deadline(), None);
    probe.write(CONTROL, 0x34);
    probe.write(0, 0x9c);
    probe.write(0, 0x2e);
    let _ = lines.take_rises(1);
    for period in 1..=1000u64 {
        let deadline = probe.wait_for_deadline().unwrap();
        assert_eq!(deadline, Time::of_tick(1 + period * 0x2e9c, CLOCK_HZ));
        assert_eq!(lines.take_rises(1), 1);
    }
    // 1000 periods of 11932 clocks: ten seconds within 2 ms, no drift.
    assert!(probe.now().0.abs_diff(10_000_150_000) < 100_000);
}

#[test]
fn a_very_fast_rate_costs_no_more_than_one_step() {
    let (mut pit, lines) = pit();
    let mut probe = Probe::new(&mut pit);
    probe.write(CONTROL, 0x34);
    probe.write(0, 2);
    probe.write(0, 0);
    probe.wait_ns(3_600_000_000_000);
    assert_eq!(lines.take_rises(1), 1);
    assert!(probe.next_deadline().unwrap() > probe.now());
}

#[test]
fn port_b_shows_gate_speaker_refresh_and_out() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    probe.write(PORT_B, 0xff);
    assert_eq!(probe.read(PORT_B) & 0xcf, 0x0f);
    let before = probe.read(PORT_B) & 0x10;
    probe.wait_ns(15_085);
    assert_ne!(probe.read(PORT_B) & 0x10, before);
    probe.wait_ns(15_085);
    assert_eq!(probe.read(PORT_B) & 0x10, before);
}

#[test]
fn the_calibration_of_linux_sees_channel_2_count_50_ms() {
    let (mut pit, _) = pit();
    let mut probe = Probe::new(&mut pit);
    let latch: u16 = 59_659;
    channel_2(&mut probe, 0, latch);
    let start = probe.now();
    while !out_2(&mut probe) {
        probe.wait_ns(1000);
    }
    let elapsed = probe.now().ns_since(start);
    assert!(elapsed.abs_diff(50_000_000) < 5_000, "{elapsed}");
}

#[test]
fn clocks_and_times_agree_at_the_end_of_time() {
    for clock in [0, 1, 2, 1_193_182, u64::from(u32::MAX) * 977] {
        assert_eq!(Time::of_tick(clock, CLOCK_HZ).ticks(CLOCK_HZ), clock);
    }
    let _ = Time::of_tick(Time(u64::MAX).ticks(CLOCK_HZ), CLOCK_HZ);
}

/// A channel with mode, BCD and count programmed.
fn programmed(mode: u8, bcd: bool, count: u16) -> Channel {
    let mut channel = Channel::new(true);
    channel.control(0x30 | (mode << 1) | u8::from(bcd));
    for byte in count.to_le_bytes() {
        channel.write(byte);
    }
    if matches!(mode, 1 | 5) {
        channel.set_gate(false);
        channel.set_gate(true);
    }
    channel
}

proptest! {
    #[test]
    fn one_big_step_equals_many_small_ones(
        mode in 0u8..6, bcd: bool, first in 0u16..40, second in 0u16..40,
        before in 0u64..100, after in 0u64..300, regate: bool,
    ) {
        let mut big = programmed(mode, bcd, first);
        let mut small = programmed(mode, bcd, first);
        let mut rose = [false; 2];
        for (step, clocks) in [before, after].into_iter().enumerate() {
            rose[0] |= big.advance(clocks);
            for _ in 0..clocks {
                let promised = small.clocks_to_rise();
                let rises = small.advance(1);
                prop_assert_eq!(rises, promised == Some(1));
                rose[1] |= rises;
            }
            prop_assert_eq!(rose[0], rose[1]);
            prop_assert_eq!(format!("{big:?}"), format!("{small:?}"));
            if step == 0 {
                for channel in [&mut big, &mut small] {
                    if regate {
                        channel.set_gate(false);
                        channel.set_gate(true);
                    }
                    for byte in second.to_le_bytes() {
                        channel.write(byte);
                    }
                }
            }
        }
    }

    #[test]
    fn the_promised_rise_comes_when_promised(
        mode in 0u8..6, bcd: bool, count: u16, before in 0u64..200_000,
    ) {
        let mut channel = programmed(mode, bcd, count);
        channel.advance(before);
        if let Some(clocks) = channel.clocks_to_rise() {
            prop_assert!(clocks > 0);
            if clocks > 1 {
                prop_assert!(!channel.advance(clocks - 1));
            }
            prop_assert!(channel.advance(1));
        }
    }
}
