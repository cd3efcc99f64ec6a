//! What the datasheet says the interrupt controllers do.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::PicPair;
use crate::conformance::Probe;
use crate::device::Device;
use crate::irq_line::{IrqLine, IrqLines};

const MASTER: u64 = 0;
const SLAVE: u64 = 2;

fn write(pic: &mut PicPair, register: u64, byte: u8) {
    Probe::new(pic).write(register, byte);
}

fn read(pic: &mut PicPair, register: u64) -> u8 {
    Probe::new(pic).read(register)
}

/// Initialized as a PC's firmware does, nothing masked.
fn initialized(master_icw4: u8) -> (PicPair, Arc<IrqLines>) {
    let lines = IrqLines::new();
    let mut pic = PicPair::new(Arc::clone(&lines));
    for (chip, words) in [
        (MASTER, [0x11, 0x08, 0x04, master_icw4]),
        (SLAVE, [0x11, 0x70, 0x02, 0x01]),
    ] {
        write(&mut pic, chip, words[0]);
        for word in &words[1..] {
            write(&mut pic, chip + 1, *word);
        }
        write(&mut pic, chip + 1, 0);
    }
    (pic, lines)
}

fn raise(lines: &Arc<IrqLines>, irq: u32) -> IrqLine {
    let wire = IrqLine::new(lines, irq);
    wire.set(true);
    wire
}

#[test]
fn nothing_is_pending_before_initialization() {
    let lines = IrqLines::new();
    let mut pic = PicPair::new(Arc::clone(&lines));
    raise(&lines, 0);
    assert!(!pic.interrupt_pending());
}

#[test]
fn an_edge_interrupts_once_until_it_rises_again() {
    let (mut pic, lines) = initialized(1);
    let wire = raise(&lines, 3);
    assert!(pic.interrupt_pending());
    assert_eq!(pic.acknowledge(), 0x0b);
    assert!(!pic.interrupt_pending());
    write(&mut pic, MASTER, 0x20);
    assert!(!pic.interrupt_pending());
    wire.set(false);
    wire.set(true);
    assert!(pic.interrupt_pending());
}

#[test]
fn a_pulse_between_two_looks_is_not_lost() {
    let (mut pic, lines) = initialized(1);
    raise(&lines, 0).set(false);
    assert!(pic.interrupt_pending());
    assert_eq!(pic.acknowledge(), 0x08);
}

/// As FreeBSD's sio looks for a serial port's interrupt, everything masked.
#[test]
fn a_request_ends_when_its_line_falls() {
    let (mut pic, lines) = initialized(1);
    write(&mut pic, 1, 0xff);
    write(&mut pic, 3, 0xff);
    for (irq, register) in [(4, 0), (12, 2)] {
        let bit = 1 << (irq % 8);
        let wire = raise(&lines, irq);
        assert_eq!(read(&mut pic, register) & bit, bit);
        wire.set(false);
        assert_eq!(read(&mut pic, register) & bit, 0);
        wire.set(true);
        wire.set(false);
        wire.set(true);
        assert_eq!(read(&mut pic, register) & bit, bit);
        wire.set(false);
    }
    write(&mut pic, 1, 0);
    write(&mut pic, 3, 0);
    assert!(!pic.interrupt_pending());
}

#[test]
fn a_tick_of_the_timer_stays_requested() {
    let (mut pic, lines) = initialized(1);
    let wire = raise(&lines, 0);
    assert!(pic.interrupt_pending());
    wire.set(false);
    assert!(pic.interrupt_pending());
    assert_eq!(pic.acknowledge(), 0x08);
    assert!(!pic.interrupt_pending());
}

#[test]
fn lower_numbers_go_first_and_block_higher_ones() {
    let (mut pic, lines) = initialized(1);
    raise(&lines, 5);
    raise(&lines, 1);
    assert_eq!(pic.acknowledge(), 0x09);
    assert!(!pic.interrupt_pending());
    raise(&lines, 0);
    assert_eq!(pic.acknowledge(), 0x08);
    write(&mut pic, MASTER, 0x20);
    write(&mut pic, MASTER, 0x20);
    assert_eq!(pic.acknowledge(), 0x0d);
}

#[test]
fn the_slave_answers_through_the_master() {
    let (mut pic, lines) = initialized(1);
    raise(&lines, 14);
    assert_eq!(read(&mut pic, MASTER), 0x04);
    assert_eq!(pic.acknowledge(), 0x76);
    write(&mut pic, MASTER, 0x0b);
    write(&mut pic, SLAVE, 0x0b);
    assert_eq!(
        (read(&mut pic, MASTER), read(&mut pic, SLAVE)),
        (0x04, 0x40)
    );
    // The slave's interrupts rank between the master's 1 and 3.
    raise(&lines, 3);
    assert!(!pic.interrupt_pending());
    write(&mut pic, SLAVE, 0x20);
    write(&mut pic, MASTER, 0x20);
    assert_eq!(pic.acknowledge(), 0x0b);
}

#[test]
fn a_masked_input_waits_in_the_request_register() {
    let (mut pic, lines) = initialized(1);
    write(&mut pic, 1, 0x10);
    assert_eq!(read(&mut pic, 1), 0x10);
    raise(&lines, 4);
    assert!(!pic.interrupt_pending());
    assert_eq!(read(&mut pic, 0), 0x10);
    write(&mut pic, 1, 0);
    assert!(pic.interrupt_pending());
}

#[test]
fn a_request_that_went_away_is_spurious() {
    let (mut pic, lines) = initialized(1);
    write(&mut pic, 5, 0x04);
    write(&mut pic, 4, 0x20);
    let wire = raise(&lines, 5);
    assert!(pic.interrupt_pending());
    wire.set(false);
    assert_eq!(pic.acknowledge(), 0x0f);
    // An edge that went away is, too.
    let edge = raise(&lines, 3);
    assert!(pic.interrupt_pending());
    edge.set(false);
    assert_eq!(pic.acknowledge(), 0x0f);
    write(&mut pic, MASTER, 0x0b);
    assert_eq!(read(&mut pic, MASTER), 0);
}

#[test]
fn a_level_interrupts_for_as_long_as_it_is_high() {
    let (mut pic, lines) = initialized(1);
    write(&mut pic, 5, 0xff);
    assert_eq!(read(&mut pic, 5), 0xde);
    write(&mut pic, 4, 0xff);
    assert_eq!(read(&mut pic, 4), 0xf8);
    let wire = raise(&lines, 10);
    for _ in 0..2 {
        assert_eq!(pic.acknowledge(), 0x72);
        write(&mut pic, SLAVE, 0x20);
        write(&mut pic, MASTER, 0x20);
    }
    wire.set(false);
    assert!(!pic.interrupt_pending());
}

#[test]
fn automatic_end_of_interrupt_leaves_nothing_in_service() {
    let (mut pic, lines) = initialized(3);
    raise(&lines, 6);
    assert_eq!(pic.acknowledge(), 0x0e);
    write(&mut pic, MASTER, 0x0b);
    assert_eq!(read(&mut pic, MASTER), 0);
}

#[test]
fn rotation_makes_the_served_input_the_last() {
    let (mut pic, lines) = initialized(1);
    let wire = raise(&lines, 3);
    raise(&lines, 4);
    assert_eq!(pic.acknowledge(), 0x0b);
    write(&mut pic, MASTER, 0xa0);
    wire.pulse(true);
    assert_eq!(pic.acknowledge(), 0x0c);
    // Set priority: input 5 lowest, so 6 is highest.
    write(&mut pic, MASTER, 0x60 | 4);
    write(&mut pic, MASTER, 0xc0 | 5);
    raise(&lines, 6);
    assert_eq!(pic.acknowledge(), 0x0e);
}

#[test]
fn special_mask_mode_lets_lower_priorities_through() {
    let (mut pic, lines) = initialized(1);
    raise(&lines, 1);
    assert_eq!(pic.acknowledge(), 0x09);
    raise(&lines, 6);
    assert!(!pic.interrupt_pending());
    write(&mut pic, 1, 0x02);
    write(&mut pic, MASTER, 0x68);
    assert_eq!(pic.acknowledge(), 0x0e);
    // The non-specific end reaches 6, not the masked 1.
    write(&mut pic, MASTER, 0x20);
    write(&mut pic, MASTER, 0x0b);
    assert_eq!(read(&mut pic, MASTER), 0x02);
}

#[test]
fn special_fully_nested_mode_lets_a_slave_interrupt_itself() {
    for (icw4, nests) in [(0x01, false), (0x11, true)] {
        let (mut pic, lines) = initialized(icw4);
        raise(&lines, 12);
        assert_eq!(pic.acknowledge(), 0x74);
        raise(&lines, 3);
        raise(&lines, 8);
        assert_eq!(pic.interrupt_pending(), nests);
        if nests {
            assert_eq!(pic.acknowledge(), 0x70);
        }
    }
}

#[test]
fn a_poll_acknowledges_and_names_the_input() {
    let (mut pic, lines) = initialized(1);
    write(&mut pic, MASTER, 0x0c);
    assert_eq!(read(&mut pic, MASTER), 0);
    raise(&lines, 4);
    write(&mut pic, MASTER, 0x0c);
    assert_eq!(read(&mut pic, MASTER), 0x84);
    assert!(!pic.interrupt_pending());
    write(&mut pic, MASTER, 0x0b);
    assert_eq!(read(&mut pic, MASTER), 0x10);
}

#[test]
fn initialization_forgets_earlier_edges() {
    let (mut pic, lines) = initialized(1);
    let wire = raise(&lines, 3);
    for (register, word) in [(0, 0x11), (1, 0x20), (1, 0x04), (1, 0x01)] {
        write(&mut pic, register, word);
    }
    assert!(!pic.interrupt_pending());
    wire.pulse(true);
    assert_eq!(pic.acknowledge(), 0x23);
}

proptest! {
    /// Random wires and writes: no panic, and a restored pair goes on alike.
    #[test]
    fn a_restored_pair_goes_on_as_the_saved_one(
        steps in vec((0u64..7, any::<u8>(), 0u32..16, any::<bool>()), 0..200),
    ) {
        let (mut pic, lines) = initialized(1);
        let wires: Vec<_> = (0..16).map(|bit| IrqLine::new(&lines, bit)).collect();
        let run = |pic: &mut PicPair, steps: &[(u64, u8, u32, bool)]| {
            let mut seen = Vec::new();
            for &(register, byte, wire, high) in steps {
                wires[wire as usize].set(high);
                if byte & 1 == 0 {
                    write(pic, register, byte);
                }
                seen.push(read(pic, register));
                if pic.interrupt_pending() && byte & 2 == 0 {
                    seen.push(pic.acknowledge());
                }
            }
            seen
        };
        let (first, second) = steps.split_at(steps.len() / 2);
        run(&mut pic, first);
        let saved = pic.save();
        let levels = lines.levels();
        let once = run(&mut pic, second);
        for (bit, wire) in wires.iter().enumerate() {
            wire.restore(levels & (1 << bit) != 0);
        }
        pic.restore(saved).unwrap();
        prop_assert_eq!(once, run(&mut pic, second));
    }
}

#[test]
fn an_edge_not_yet_sampled_survives_a_snapshot() {
    let (mut pic, lines) = initialized(1);
    raise(&lines, 7);
    let saved = pic.save();
    assert_eq!(pic.acknowledge(), 0x0f);
    pic.restore(saved).unwrap();
    assert!(pic.interrupt_pending());
}
