//! Tests of the images themselves; what they do is tested where there is a machine.

use std::collections::HashSet;
use std::time::Instant;

use super::*;

#[test]
fn images_have_a_rom_size_and_a_far_jump_at_the_reset_vector() {
    for rom in ALL {
        let image = (rom.build)();
        assert!(
            matches!(image.len(), 0x1_0000 | 0x2_0000),
            "{}: {:#x} bytes",
            rom.name,
            image.len()
        );
        let vector = &image[image.len() - 16..];
        assert_eq!(vector[0], 0xEA, "{}", rom.name);
        assert_eq!(vector[3..5], [0x00, 0xF0], "{}", rom.name);
    }
}

#[test]
fn names_are_unique_and_found() {
    let names: HashSet<&str> = ALL.iter().map(|rom| rom.name).collect();
    assert_eq!(names.len(), ALL.len());
    for name in names {
        assert_eq!(find(name).map(|rom| rom.name), Some(name));
    }
    assert!(find("no such rom").is_none());
}

#[test]
fn images_are_built_the_same_each_time() {
    for rom in ALL {
        assert!((rom.build)() == (rom.build)(), "{}", rom.name);
    }
}

#[test]
fn the_default_is_built_quickly() {
    // Generous: it takes a few milliseconds, and the host may be busy.
    let start = Instant::now();
    assert!(!self_check().is_empty());
    assert!(start.elapsed().as_millis() < 1000);
}

#[test]
fn expectations_are_checked_in_order() {
    let expected = Expected {
        contains: &["one", "two"],
        never: &["three"],
    };
    assert_eq!(expected.broken_by("one two"), None);
    assert!(expected.broken_by("two one").is_some());
    assert!(expected.broken_by("one two three").is_some());
}
