//! What drivers ask the keyboard controller, and what they must hear.

use std::sync::Arc;

use super::{BYTE_NS, I8042};
use crate::conformance::Probe;
use crate::irq_line::{IrqLine, IrqLines};
use crate::system_control::{ResetKind, SystemLines};

const DATA: u64 = 0;
const COMMAND: u64 = 1;

fn controller() -> (I8042, Arc<IrqLines>, SystemLines) {
    let lines = IrqLines::new();
    let system = SystemLines::new();
    let controller = I8042::new(
        IrqLine::new(&lines, 1),
        IrqLine::new(&lines, 12),
        system.clone(),
    );
    (controller, lines, system)
}

/// All bytes that come, each with whether it is the mouse's.
fn drain(probe: &mut Probe<'_>) -> Vec<(u8, bool)> {
    let mut bytes = Vec::new();
    loop {
        let status = probe.read(COMMAND);
        if status & 1 == 0 && probe.wait_for_deadline().is_none() {
            return bytes;
        }
        let status = probe.read(COMMAND);
        if status & 1 != 0 {
            bytes.push((probe.read(DATA), status & 0x20 != 0));
        }
    }
}

fn keyboard_bytes(probe: &mut Probe<'_>) -> Vec<u8> {
    drain(probe)
        .into_iter()
        .map(|(byte, from_mouse)| {
            assert!(!from_mouse);
            byte
        })
        .collect()
}

fn ask(probe: &mut Probe<'_>, command: u8, data: &[u8]) -> Vec<(u8, bool)> {
    probe.write(COMMAND, command);
    for byte in data {
        probe.write(DATA, *byte);
    }
    drain(probe)
}

#[test]
fn the_probe_of_linux_passes() {
    let (mut controller, lines, _) = controller();
    let mut probe = Probe::new(&mut controller);
    assert_eq!(drain(&mut probe), []);
    assert_eq!(ask(&mut probe, 0x20, &[]), [(0x65, false)]);
    assert_eq!(ask(&mut probe, 0x60, &[0x74]), []);
    assert_eq!(ask(&mut probe, 0x20, &[]), [(0x74, false)]);
    assert_eq!(ask(&mut probe, 0xaa, &[]), [(0x55, false)]);
    assert_eq!(ask(&mut probe, 0xab, &[]), [(0x00, false)]);
    assert_eq!(ask(&mut probe, 0xa9, &[]), [(0x00, false)]);
    assert_eq!(ask(&mut probe, 0xd3, &[0x5a]), [(0x5a, true)]);
    ask(&mut probe, 0xa7, &[]);
    assert_eq!(ask(&mut probe, 0x20, &[])[0].0 & 0x20, 0x20);
    ask(&mut probe, 0xa8, &[]);
    assert_eq!(ask(&mut probe, 0x20, &[])[0].0 & 0x20, 0);
    // No multiplexer: the magic bytes just come back.
    for byte in [0xf0, 0x56, 0xa4] {
        assert_eq!(ask(&mut probe, 0xd3, &[byte]), [(byte, true)]);
    }
    // The loopback must interrupt.
    ask(&mut probe, 0x60, &[0x47]);
    let _ = lines.take_rises(0xffff);
    probe.write(COMMAND, 0xd3);
    probe.write(DATA, 0xa5);
    assert_eq!(lines.take_rises(0xffff), 1 << 12);
    assert_eq!(probe.read(DATA), 0xa5);
    assert_eq!(lines.levels(), 0);
}

#[test]
fn the_keyboard_answers_its_commands() {
    let (mut controller, _, _) = controller();
    let mut probe = Probe::new(&mut controller);
    ask(&mut probe, 0x60, &[0x05]);
    for (bytes, answer) in [
        (&[0xff][..], &[0xfa, 0xaa][..]),
        (&[0xf2], &[0xfa, 0xab, 0x83]),
        (&[0xee], &[0xee]),
        (&[0xf5], &[0xfa]),
        (&[0xf6], &[0xfa]),
        (&[0xf4], &[0xfa]),
        (&[0x00], &[0xfe]),
    ] {
        for byte in bytes {
            probe.write(DATA, *byte);
        }
        assert_eq!(keyboard_bytes(&mut probe), answer, "{bytes:02x?}");
    }
    for (command, parameter) in [(0xed, 7), (0xf3, 0), (0xf0, 2)] {
        probe.write(DATA, command);
        assert_eq!(keyboard_bytes(&mut probe), [0xfa]);
        probe.write(DATA, parameter);
        assert_eq!(keyboard_bytes(&mut probe), [0xfa]);
    }
    probe.write(DATA, 0xf0);
    assert_eq!(keyboard_bytes(&mut probe), [0xfa]);
    probe.write(DATA, 0);
    assert_eq!(keyboard_bytes(&mut probe), [0xfa, 2]);
    assert_eq!(controller.leds(), 7);
}

#[test]
fn the_mouse_resets_identifies_and_reports() {
    let (mut controller, lines, _) = controller();
    {
        let mut probe = Probe::new(&mut controller);
        ask(&mut probe, 0x60, &[0x47]);
        let mouse = |bytes: &[u8]| bytes.iter().map(|&byte| (byte, true)).collect::<Vec<_>>();
        assert_eq!(ask(&mut probe, 0xd4, &[0xff]), mouse(&[0xfa, 0xaa, 0x00]));
        assert_eq!(ask(&mut probe, 0xd4, &[0xf2]), mouse(&[0xfa, 0x00]));
        assert_eq!(ask(&mut probe, 0xd4, &[0xf3]), mouse(&[0xfa]));
        assert_eq!(ask(&mut probe, 0xd4, &[200]), mouse(&[0xfa]));
        assert_eq!(ask(&mut probe, 0xd4, &[0xf4]), mouse(&[0xfa]));
        assert_eq!(ask(&mut probe, 0xd4, &[0xe9]), mouse(&[0xfa, 0x20, 2, 200]));
    }
    controller.move_mouse(-3, 5, 1);
    let mut probe = Probe::new(&mut controller);
    probe.wait_ns(1_000_000_000);
    assert_eq!(lines.levels(), 1 << 12);
    let bytes: Vec<_> = drain(&mut probe)
        .into_iter()
        .map(|(byte, _)| byte)
        .collect();
    assert_eq!(bytes, [0x19, 0xfd, 0x05]);
}

#[test]
fn a_long_way_of_the_mouse_arrives_without_another_movement() {
    let (mut controller, _, _) = controller();
    assert_eq!(
        ask(&mut Probe::new(&mut controller), 0xd4, &[0xf4]),
        [(0xfa, true)]
    );
    controller.move_mouse(300, -1000, 0);
    // More than waits; and the button is up again in the end.
    controller.move_mouse(-1, 0, 1);
    controller.move_mouse(1, 0, 1);
    controller.move_mouse(0, 0, 3);
    controller.move_mouse(0, 0, 1);
    controller.move_mouse(0, 0, 0);
    let mut probe = Probe::new(&mut controller);
    probe.wait_ns(1_000_000);
    let bytes: Vec<_> = drain(&mut probe).iter().map(|(byte, _)| *byte).collect();
    let packets = bytes.as_chunks::<3>().0;
    let moved = packets
        .iter()
        .fold((0, 0), |(right, up), &[_, more_right, more_up]| {
            let signed = |byte: u8| i32::from(byte.cast_signed());
            (right + signed(more_right), up + signed(more_up))
        });
    assert_eq!(moved, (300, -1000));
    assert_eq!(packets.last().map(|[first, ..]| first & 7), Some(0));
    assert!(packets.iter().any(|[first, ..]| first & 7 == 3));
}

#[test]
fn keys_are_translated_to_set_1() {
    let (mut controller, lines, _) = controller();
    // A down and up, then right arrow down and up.
    assert!(controller.key(&[0x1c, 0xf0, 0x1c]));
    assert!(controller.key(&[0xe0, 0x74, 0xe0, 0xf0, 0x74]));
    let mut probe = Probe::new(&mut controller);
    probe.wait_ns(1);
    assert_eq!(lines.levels(), 2);
    assert_eq!(
        keyboard_bytes(&mut probe),
        [0x1e, 0x9e, 0xe0, 0x4d, 0xe0, 0xcd]
    );
}

#[test]
fn without_translation_keys_are_set_2() {
    let (mut controller, _, _) = controller();
    Probe::new(&mut controller).write(COMMAND, 0x60);
    Probe::new(&mut controller).write(DATA, 0x05);
    controller.key(&[0xf0, 0x83]);
    assert_eq!(
        keyboard_bytes(&mut Probe::new(&mut controller)),
        [0xf0, 0x83]
    );
}

/// Sends the keyboard commands and parameters, all of which it acknowledges.
fn tell(probe: &mut Probe<'_>, bytes: &[u8]) {
    for &byte in bytes {
        probe.write(DATA, byte);
        assert_eq!(keyboard_bytes(probe), [0xfa], "{byte:#04x}");
    }
}

/// A keyboard in a scan code set, seen without translation.
fn in_set(set: u8) -> I8042 {
    let (mut controller, _, _) = controller();
    let mut probe = Probe::new(&mut controller);
    ask(&mut probe, 0x60, &[0x05]);
    tell(&mut probe, &[0xf0, set]);
    tell(&mut probe, &[0xf0]);
    probe.write(DATA, 0);
    assert_eq!(keyboard_bytes(&mut probe), [0xfa, set]);
    controller
}

const LEFT_SHIFT: [u8; 3] = [0x12, 0xf0, 0x12];
const RIGHT: [u8; 5] = [0xe0, 0x74, 0xe0, 0xf0, 0x74];
const A: [u8; 3] = [0x1c, 0xf0, 0x1c];
const PAUSE: [u8; 8] = [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];

/// What the guest reads when these keys were pressed and released.
fn sent(controller: &mut I8042, keys: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for codes in keys {
        assert!(controller.key(codes));
        bytes.extend(keyboard_bytes(&mut Probe::new(controller)));
    }
    bytes
}

#[test]
fn the_keyboard_sends_the_set_that_was_chosen() {
    let keys: [&[u8]; 4] = [&A, &RIGHT, &LEFT_SHIFT, &PAUSE];
    let one = [
        0x1e, 0x9e, 0xe0, 0x4d, 0xe0, 0xcd, 0x2a, 0xaa, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5,
    ];
    assert_eq!(sent(&mut in_set(1), &keys), one);
    assert_eq!(sent(&mut in_set(2), &keys), keys.concat());
    // Of these only the shift tells that it was released, until told to.
    let mut three = in_set(3);
    assert_eq!(
        sent(&mut three, &keys),
        [0x1c, 0x6a, 0x12, 0xf0, 0x12, 0x62]
    );
    tell(&mut Probe::new(&mut three), &[0xfa]);
    let all = [
        0x1c, 0xf0, 0x1c, 0x6a, 0xf0, 0x6a, 0x12, 0xf0, 0x12, 0x62, 0xf0, 0x62,
    ];
    assert_eq!(sent(&mut three, &keys), all);
    // A reset brings set 2 back.
    let mut probe = Probe::new(&mut three);
    probe.write(DATA, 0xff);
    assert_eq!(keyboard_bytes(&mut probe), [0xfa, 0xaa]);
    assert_eq!(sent(&mut three, &keys), keys.concat());
}

#[test]
fn single_keys_of_set_3_change_their_type() {
    let mut three = in_set(3);
    // A: make and break. The keyboard does not scan until it is enabled.
    tell(&mut Probe::new(&mut three), &[0xfc, 0x1c, 0x32]);
    assert_eq!(sent(&mut three, &[&A]), []);
    tell(&mut Probe::new(&mut three), &[0xf4]);
    assert_eq!(sent(&mut three, &[&A, &RIGHT]), [0x1c, 0xf0, 0x1c, 0x6a]);
    // Make and break does not repeat; typematic does.
    for (command, comes_again) in [(0xfc, false), (0xfb, true), (0xfd, false)] {
        tell(&mut Probe::new(&mut three), &[command, 0x1c, 0xf4]);
        assert!(three.key(&A[..1]));
        let mut probe = Probe::new(&mut three);
        assert_eq!(held_bytes(&mut probe, 1)[0].1, 0x1c);
        for _ in 0..3 {
            probe.wait_for_deadline();
        }
        let comes = probe.read(COMMAND) & 1 != 0;
        assert_eq!(comes, comes_again, "{command:#04x}");
        assert!(three.key(&A[1..]));
        drain(&mut Probe::new(&mut three));
    }
}

#[test]
fn a_full_buffer_refuses_keys() {
    let (mut controller, _, _) = controller();
    for _ in 0..5 {
        assert!(controller.key(&[0x1c, 0xf0, 0x1c]));
    }
    assert!(!controller.key(&[0x1c, 0xf0, 0x1c]));
}

#[test]
fn a_byte_can_be_read_twice_before_the_next_arrives() {
    let (mut controller, lines, _) = controller();
    controller.key(&[0x1c, 0x32]);
    let mut probe = Probe::new(&mut controller);
    assert_eq!(probe.read(DATA), 0x1e);
    assert_eq!(probe.read(DATA), 0x1e);
    assert_eq!(lines.levels(), 0);
    let _ = lines.take_rises(2);
    assert_eq!(probe.wait_for_deadline().map(|time| time.0), Some(BYTE_NS));
    assert_eq!(lines.take_rises(2), 2);
    assert_eq!(probe.read(DATA), 0x30);
}

#[test]
fn a_disabled_keyboard_keeps_its_bytes() {
    let (mut controller, _, _) = controller();
    Probe::new(&mut controller).write(COMMAND, 0xad);
    controller.key(&[0x1c, 0xf0, 0x1c]);
    let mut probe = Probe::new(&mut controller);
    assert_eq!(drain(&mut probe), []);
    assert_eq!(ask(&mut probe, 0xae, &[]), [(0x1e, false), (0x9e, false)]);
}

#[test]
fn the_output_port_opens_a20_and_resets() {
    let (mut controller, _, system) = controller();
    let mut probe = Probe::new(&mut controller);
    assert!(system.a20());
    ask(&mut probe, 0xd1, &[0xdd]);
    assert!(!system.a20());
    assert_eq!(ask(&mut probe, 0xd0, &[])[0].0 & 3, 1);
    ask(&mut probe, 0xd1, &[0xdf]);
    assert!(system.a20());
    ask(&mut probe, 0xff, &[]);
    assert_eq!(system.take_reset_request(), None);
    ask(&mut probe, 0xfe, &[]);
    assert_eq!(system.take_reset_request(), Some(ResetKind::Processor));
    ask(&mut probe, 0xd1, &[0xde]);
    assert_eq!(system.take_reset_request(), Some(ResetKind::Processor));
}

#[test]
fn the_keyboard_loopback_interrupts_as_a_key() {
    let (mut controller, lines, _) = controller();
    let mut probe = Probe::new(&mut controller);
    probe.write(COMMAND, 0xd2);
    probe.write(DATA, 0x42);
    assert_eq!(lines.levels(), 2);
    assert_eq!(probe.read(COMMAND) & 0x21, 1);
    assert_eq!(probe.read(DATA), 0x42);
}

/// The next `count` bytes while a key is held, each with its time in milliseconds.
fn held_bytes(probe: &mut Probe<'_>, count: usize) -> Vec<(u64, u8)> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let at = probe.wait_for_deadline().expect("a held key goes on");
        if probe.read(COMMAND) & 1 != 0 {
            bytes.push((at.0 / 1_000_000, probe.read(DATA)));
        }
    }
    bytes
}

#[test]
fn a_held_key_repeats_as_the_guest_has_set_it() {
    let (mut controller, _, _) = controller();
    assert!(controller.key(&[0xe0, 0x75]));
    assert!(controller.key(&[0xe0, 0x75]), "the host's keyboard repeats");
    let mut probe = Probe::new(&mut controller);
    let expected = [(0, 0xe0), (0, 0x48), (500, 0xe0), (500, 0x48)];
    assert_eq!(held_bytes(&mut probe, 6)[..4], expected);
    // The fastest rate counts from the repetition after the next.
    probe.write(DATA, 0xf3);
    probe.write(DATA, 0x00);
    let bytes = held_bytes(&mut probe, 10);
    let times: Vec<_> = bytes.iter().filter(|byte| byte.1 == 0xe0).collect();
    let [.., before, last] = times[..] else {
        panic!("{bytes:x?}");
    };
    assert_eq!(last.0 - before.0, 33);
}

#[test]
fn a_released_key_is_quiet() {
    let (mut controller, _, _) = controller();
    assert!(controller.key(&[0xe0, 0x75]));
    assert!(controller.key(&[0x1c, 0xf0, 0x1c]));
    let mut probe = Probe::new(&mut controller);
    // The last key that went down is up again; the other does not take over.
    let expected = [0xe0, 0x48, 0x1e, 0x9e];
    assert_eq!(keyboard_bytes(&mut probe), expected);
    assert_eq!(probe.wait_for_deadline(), None);
}

#[test]
fn pause_does_not_repeat() {
    let (mut controller, _, _) = controller();
    assert!(controller.key(&[0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77]));
    let mut probe = Probe::new(&mut controller);
    let codes = keyboard_bytes(&mut probe);
    assert_eq!(codes, [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
}

/// Sets sample rates one by one, as drivers knock, and asks who is there.
fn identity_after(probe: &mut Probe<'_>, rates: &[u8]) -> u8 {
    for &rate in rates {
        for byte in [0xf3, rate] {
            assert_eq!(ask(probe, 0xd4, &[byte]), [(0xfa, true)]);
        }
    }
    let answer = ask(probe, 0xd4, &[0xf2]);
    assert_eq!(answer[0], (0xfa, true));
    answer[1].0
}

#[test]
fn the_mouse_grows_a_wheel_and_buttons_when_asked() {
    let (mut controller, _, _) = controller();
    let mut probe = Probe::new(&mut controller);
    // Nobody asked for five buttons of a mouse without a wheel.
    assert_eq!(identity_after(&mut probe, &[200, 200, 80]), 0);
    assert_eq!(identity_after(&mut probe, &[200, 100, 80]), 3);
    assert_eq!(ask(&mut probe, 0xd4, &[0xf4]), [(0xfa, true)]);
    controller.turn_wheel(-1);
    controller.move_mouse(5, -3, 0b1_0001);
    let mut probe = Probe::new(&mut controller);
    probe.wait_ns(100_000_000);
    let bytes: Vec<_> = drain(&mut probe).iter().map(|(byte, _)| *byte).collect();
    assert_eq!(bytes, [0x08, 0, 0, 0xff, 0x29, 5, 0xfd, 0]);
    assert_eq!(identity_after(&mut probe, &[200, 200, 80]), 4);
    controller.turn_wheel(2);
    let mut probe = Probe::new(&mut controller);
    probe.wait_ns(200_000_000);
    let bytes: Vec<_> = drain(&mut probe).iter().map(|(byte, _)| *byte).collect();
    assert_eq!(bytes, [0x09, 0, 0, 0x22]);
    // A reset makes it a plain mouse again.
    assert_eq!(ask(&mut probe, 0xd4, &[0xff]).last(), Some(&(0, true)));
    assert_eq!(identity_after(&mut probe, &[]), 0);
}
