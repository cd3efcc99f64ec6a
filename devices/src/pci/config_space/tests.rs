//! Configuration space by the words of the specification.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Command, ConfigSpace, Identity, Pin, Status};
use crate::pci::{Bar, MsiCapability, Space, Window};

const IDENTITY: Identity = Identity {
    vendor_id: 0x1234,
    device_id: 0x1111,
    revision_id: 2,
    class_code: 0x03_0000,
    subsystem: (0x1af4, 0x1100),
    interrupt_pin: Some(Pin::IntA),
    is_multifunction: false,
};

fn function() -> ConfigSpace {
    ConfigSpace::device(&IDENTITY)
        .with_bar(0, Bar::memory(16 << 20, 0).prefetchable())
        .with_bar(1, Bar::io(32, 0x1000))
        .with_bar(2, Bar::memory(0x4000, 0x2000).wide())
        .with_rom(0x1_0000, 0x8000)
}

fn write(config: &mut ConfigSpace, at: u8, value: u32) {
    config.write(at, &value.to_le_bytes());
}

#[test]
fn identity_is_where_the_specification_has_it_and_read_only() {
    let mut config = function();
    write(&mut config, 0x00, 0);
    write(&mut config, 0x2c, 0);
    assert_eq!(config.register(0x00), 0x1111_1234);
    assert_eq!(config.register(0x08), 0x0300_0002);
    assert_eq!(config.register(0x2c), 0x1100_1af4);
    assert_eq!(config.register(0x3c) >> 8 & 0xff, 1);
    config.write(0x3c, &[11, 7]);
    assert_eq!(config.register(0x3c) & 0xffff, 0x010b);
}

#[test]
fn bars_tell_their_size_and_kind() {
    let mut config = function();
    for at in [0x10, 0x14, 0x18, 0x1c, 0x20, 0x30] {
        write(&mut config, at, 0xffff_ffff);
    }
    assert_eq!(config.register(0x10), 0xff00_0008);
    assert_eq!(config.register(0x14), 0xffff_ffe1);
    assert_eq!(config.register(0x18), 0xffff_c004);
    assert_eq!(config.register(0x1c), 0xffff_ffff);
    assert_eq!(config.register(0x20), 0, "no such BAR");
    assert_eq!(config.register(0x30), 0xffff_0001);
}

#[test]
fn windows_move_with_bars_and_open_with_the_command_register() {
    let mut config = function();
    write(&mut config, 0x10, 0xe000_0000);
    write(&mut config, 0x14, 0xc000);
    assert!(config.windows().is_empty());
    config.write(0x04, &[1]);
    let io = Window {
        space: Space::Io,
        start: 0xc000,
        bytes: 32,
        first_register: 0x1000,
    };
    assert_eq!(config.windows(), [io]);
    config.write(0x04, &[3]);
    write(&mut config, 0x18, 0x1_4000);
    write(&mut config, 0x1c, 0x2);
    write(&mut config, 0x30, 0xfe00_0001);
    let starts: Vec<_> = config.windows().iter().map(|window| window.start).collect();
    assert_eq!(starts, [0xe000_0000, 0xc000, 0x2_0001_4000, 0xfe00_0000]);
    assert_eq!(config.windows()[3].first_register, 0x8000);
}

#[test]
fn sizing_with_decoding_on_moves_nothing_over_other_chips() {
    let mut config = function();
    config.write(0x04, &[3]);
    for at in [0x10, 0x14, 0x18, 0x1c, 0x30] {
        write(&mut config, at, 0xffff_ffff);
    }
    assert!(config.windows().is_empty());
}

#[test]
fn status_bits_are_set_by_the_chip_and_cleared_by_ones() {
    let mut config = function();
    config.raise_status(Status::RECEIVED_MASTER_ABORT | Status::SIGNALED_SYSTEM_ERROR);
    config.write(0x06, &[0xff, 0x20]);
    let status = Status::from_bits_truncate((config.register(0x04) >> 16) as u16);
    assert!(status.contains(Status::SIGNALED_SYSTEM_ERROR | Status::DEVSEL_MEDIUM));
    assert!(!status.contains(Status::RECEIVED_MASTER_ABORT));
}

#[test]
fn a_command_register_can_have_fixed_bits() {
    let mut config = function().with_command(
        Command::MEMORY_SPACE,
        Command::SERR_ENABLE | Command::IO_SPACE,
    );
    config.write(0x04, &[0xfd, 0xff]);
    let expected = Command::MEMORY_SPACE | Command::SERR_ENABLE | Command::IO_SPACE;
    assert_eq!(config.command(), expected);
}

#[test]
fn msi_messages_carry_the_number_in_the_low_bits() {
    let msi = MsiCapability {
        log2_messages: 3,
        is_64_bit: true,
        has_masks: true,
    };
    let mut config = function().with_msi(0x50, msi);
    assert_eq!(config.register(0x34) & 0xff, 0x50);
    assert_eq!(config.register(0x04) >> 16 & 0x10, 0x10);
    assert_eq!(config.register(0x50), 0x0186_0005);
    assert_eq!(config.msi_message(0), None);
    write(&mut config, 0x54, 0xfee0_1000);
    write(&mut config, 0x5c, 0x41);
    config.write(0x52, &[0x21]); // Enabled, four granted.
    let message = config.msi_message(2).unwrap();
    assert_eq!((message.address, message.data), (0xfee0_1000, 0x42));
    write(&mut config, 0x60, 4);
    assert_eq!(config.msi_message(2), None, "masked");
    assert_eq!(config.register(0x64), 4, "pending");
    assert!(config.msi_message(1).is_some());
}

#[test]
fn a_bridge_has_buses_and_windows_of_its_own() {
    let mut config = ConfigSpace::bridge(&IDENTITY);
    assert_eq!(config.register(0x0c) >> 16 & 0x7f, 1);
    write(&mut config, 0x18, 0x4003_0100);
    write(&mut config, 0x1c, 0xffff);
    write(&mut config, 0x20, 0xffff_ffff);
    assert_eq!(config.buses_behind(), Some((1, 3)));
    assert_eq!(config.register(0x1c) & 0xffff, 0xf0f0);
    assert_eq!(config.register(0x20), 0xfff0_fff0);
    assert_eq!(function().buses_behind(), None);
}

#[test]
fn accesses_past_the_end_float() {
    let mut config = function();
    let mut bytes = [0; 4];
    config.read(0xfe, &mut bytes);
    assert_eq!(bytes, [0, 0, 0xff, 0xff]);
    config.write(0xfe, &[1; 4]);
    assert_eq!(config.register(0xfd), 0);
}

proptest! {
    #[test]
    fn read_only_bits_never_change(writes in vec((any::<u8>(), vec(any::<u8>(), 1..5)), 0..60)) {
        let mut config = function();
        for (at, bytes) in &writes {
            config.write(*at, bytes);
            for window in config.windows() {
                prop_assert!(window.start.checked_add(window.bytes).is_some());
            }
        }
        prop_assert_eq!(config.register(0), 0x1111_1234);
        config.reset();
        prop_assert_eq!(config.save().0, function().save().0);
    }
}
