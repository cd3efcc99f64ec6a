//! The controllers as a driver and a device see them.

use proptest::prelude::*;

use super::{DmaLine, DmaPair, Moved};
use crate::conformance::{Access, Action, Probe, check, check_replay};
use crate::dma::PlainMemory;

fn memory() -> PlainMemory {
    PlainMemory((0..0x4_0000).map(|byte| (byte % 251) as u8).collect())
}

/// Programs channel 2 as a floppy driver does.
fn program(probe: &mut Probe<'_>, mode: u8, address: u32, count: u16) {
    let [low, high, page, _] = address.to_le_bytes();
    let [count_low, count_high] = count.to_le_bytes();
    for (register, value) in [
        (10, 6),
        (12, 0),
        (11, mode | 2),
        (4, low),
        (4, high),
        (0x31, page),
        (5, count_low),
        (5, count_high),
        (10, 2),
        // The cascade channel.
        (0x10 + 2 * 10, 0),
    ] {
        probe.write(register, value);
    }
}

fn pair() -> (DmaPair, DmaLine) {
    let pair = DmaPair::new();
    let line = pair.line(2);
    (pair, line)
}

#[test]
fn a_device_writes_until_the_terminal_count() {
    let (mut pair, line) = pair();
    let mut probe = Probe::new(&mut pair);
    program(&mut probe, 0x44, 0x2_0100, 3);
    let mut memory = memory();
    assert_eq!(
        line.write(&mut memory, &[1, 2]),
        Moved {
            bytes: 2,
            terminal_count: false
        }
    );
    assert_eq!(
        line.write(&mut memory, &[3, 4, 5]),
        Moved {
            bytes: 2,
            terminal_count: true
        }
    );
    assert_eq!(memory.0[0x2_0100..0x2_0104], [1, 2, 3, 4]);
    assert_eq!(probe.read(8), 0x04);
    assert_eq!(probe.read(8), 0);
    // The channel has masked itself.
    assert_eq!(line.write(&mut memory, &[9]), Moved::default());
    assert_eq!(probe.read(15) & 4, 4);
}

#[test]
fn addresses_wrap_within_their_page_and_may_count_down() {
    let (mut pair, line) = pair();
    let mut probe = Probe::new(&mut pair);
    program(&mut probe, 0x44, 0x1_ffff, 1);
    let mut memory = memory();
    line.write(&mut memory, &[1, 2]);
    assert_eq!((memory.0[0x1_ffff], memory.0[0x1_0000]), (1, 2));
    program(&mut probe, 0x64, 0x1_0001, 1);
    line.write(&mut memory, &[3, 4]);
    assert_eq!(memory.0[0x1_0000..0x1_0002], [4, 3]);
}

#[test]
fn auto_initialisation_starts_again() {
    let (mut pair, line) = pair();
    let mut probe = Probe::new(&mut pair);
    program(&mut probe, 0x58, 0x100, 1);
    let mut memory = memory();
    let mut bytes = [0; 2];
    for _ in 0..3 {
        assert!(line.read(&mut memory, &mut bytes).terminal_count);
        assert_eq!(bytes, [5, 6]);
    }
}

#[test]
fn the_wrong_direction_moves_nothing_and_verify_only_counts() {
    let (mut pair, line) = pair();
    let mut probe = Probe::new(&mut pair);
    let mut memory = memory();
    program(&mut probe, 0x48, 0x100, 3);
    assert_eq!(line.write(&mut memory, &[1]), Moved::default());
    program(&mut probe, 0x40, 0x100, 3);
    assert!(line.write(&mut memory, &[1; 4]).terminal_count);
    assert_eq!(memory.0[0x100], 5);
}

#[test]
fn words_go_by_the_second_controller() {
    let mut pair = DmaPair::new();
    let line = pair.line(5);
    let mut probe = Probe::new(&mut pair);
    let second = |register: u64| 0x10 + 2 * register;
    for (register, value) in [
        (second(12), 0),
        (second(11), 0x45),
        (second(2), 0x80),
        (second(2), 0x00),
        (0x3b, 0x03),
        (second(3), 1),
        (second(3), 0),
        (second(10), 1),
    ] {
        probe.write(register, value);
    }
    let mut memory = memory();
    assert_eq!(
        line.write(&mut memory, &[1, 2, 3, 4, 5]),
        Moved {
            bytes: 4,
            terminal_count: true
        }
    );
    // Bit 0 of the page register does not count; the address counts words.
    assert_eq!(memory.0[0x2_0100..0x2_0104], [1, 2, 3, 4]);
}

#[test]
fn status_shows_requests_and_the_flip_flop_takes_turns() {
    let (mut pair, line) = pair();
    let mut probe = Probe::new(&mut pair);
    line.request(true);
    assert_eq!(probe.read(8), 0x40);
    program(&mut probe, 0x44, 0x1234, 0x5678);
    assert_eq!([probe.read(4), probe.read(4)], [0x34, 0x12]);
    assert_eq!([probe.read(5), probe.read(5)], [0x78, 0x56]);
    probe.write(13, 0);
    assert_eq!(probe.read(15), 0xff);
}

fn access() -> impl Strategy<Value = Access> {
    let action = prop_oneof![
        (0..3usize).prop_map(Action::Read),
        any::<u8>().prop_map(|byte| Action::Write(vec![byte])),
    ];
    (0..0x44u64, action).prop_map(|(register, action)| Access {
        after_ns: 1,
        register,
        action,
    })
}

proptest! {
    #[test]
    fn keeps_the_contract(accesses in prop::collection::vec(access(), 0..64)) {
        check(&mut DmaPair::new(), &accesses);
        check_replay(&mut DmaPair::new(), &accesses);
    }

    #[test]
    fn any_programming_moves_no_more_than_it_is_given(
        accesses in prop::collection::vec(access(), 0..64),
        channel in prop::sample::select(vec![0usize, 1, 2, 3, 5, 6, 7]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut pair = DmaPair::new();
        let line = pair.line(channel);
        check(&mut pair, &accesses);
        let mut copy = bytes.clone();
        let moved = line.write(&mut crate::NoMemory, &bytes);
        prop_assert!(moved.bytes <= bytes.len());
        let moved = line.read(&mut crate::NoMemory, &mut copy);
        prop_assert!(moved.bytes <= bytes.len());
    }
}
