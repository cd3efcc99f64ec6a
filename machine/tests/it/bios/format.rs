//! Floppies formatted track by track through INT 13h, as DOS's FORMAT does it: 18h says what is to come, INT 1Eh gets
//! the table that it gives, 05h writes the tracks.

use rax_devices::{Floppy, MemoryDisk};
use rax_machine::Fittings;

use super::caller::{Caller, boot_sector};

const ADDRESSES: (u16, u32) = (0x1000, 0);
const TO: (u16, u32) = (0x2000, 0);
/// What the tables say to fill sectors with.
const FILL: u8 = 0xF6;

/// A floppy of so many sectors that are not empty, which the program boots from.
fn floppy(sectors: usize) -> Floppy {
    let mut bytes = boot_sector();
    bytes.resize(sectors * 512, 0x11);
    Floppy::new(Box::new(MemoryDisk::new(bytes))).unwrap()
}

/// A status in AH, and nothing wrong.
#[track_caller]
fn succeeds(pc: &mut Caller, ax: u32, cx: u32, dx: u32, buffer: (u16, u32)) {
    let answer = pc.disk(ax, cx, dx, buffer);
    assert!(!answer.carry && answer.ah() == 0, "{ax:04x}: {answer:x?}");
}

/// Formats the first and the last track of each side, and looks at them and the one between.
fn format(pc: &mut Caller, [tracks, heads, sectors]: [u32; 3]) {
    let last = tracks - 1;
    let announced = pc.disk(0x1800, last << 8 | sectors, 0, (0, 0));
    assert!(!announced.carry && announced.ah() == 0, "{announced:x?}");
    let table = u32::from(announced.es) * 16 + (announced.edi & 0xFFFF);
    assert_eq!(u32::from(pc.read(table, 5)[4]), sectors);
    let before = pc.read(0x78, 4);
    let pointer = (u32::from(announced.es) << 16 | announced.edi & 0xFFFF).to_le_bytes();
    pc.write(0x78, &pointer);
    for track in [0, last] {
        for head in 0..heads {
            // Every second sector, then those between.
            let order = (1..=sectors).step_by(2).chain((2..=sectors).step_by(2));
            let fields: Vec<u8> = order
                .flat_map(|sector| [track, head, sector, 2].map(|field| field as u8))
                .collect();
            pc.write(0x1_0000, &fields);
            succeeds(pc, 0x0500 | sectors, track << 8 | 1, head << 8, ADDRESSES);
            succeeds(pc, 0x0400 | sectors, track << 8 | 1, head << 8, TO);
        }
    }
    pc.write(0x78, &before);
    for (track, byte) in [(0, FILL), (1, 0x11), (last - 1, 0x11), (last, FILL)] {
        for sector in [1, sectors] {
            succeeds(pc, 0x0201, track << 8 | sector, (heads - 1) << 8, TO);
            let read = pc.read(0x2_0000, 512);
            assert_eq!(
                read, [byte; 512],
                "track {track} of {tracks}, sector {sector}"
            );
        }
    }
}

#[test]
fn floppies_of_every_format_are_formatted() {
    for (largest, formats) in [
        (
            2880,
            &[
                [40, 1, 8],
                [40, 1, 9],
                [40, 2, 8],
                [40, 2, 9],
                [80, 2, 9],
                [80, 2, 15],
                [80, 2, 18],
            ][..],
        ),
        (5760, &[[80, 2, 36], [80, 2, 9]]),
    ] {
        let mut pc = Caller::boot(Fittings {
            floppies: vec![Some(floppy(largest))],
            ..Fittings::default()
        });
        for &format_of in formats {
            let [tracks, heads, sectors] = format_of;
            let size = (tracks * heads * sectors) as usize;
            pc.bench.machine.insert_floppy(0, floppy(size));
            assert_eq!(pc.disk(0x0201, 0x0001, 0, TO).ah(), 0x06);
            format(&mut pc, format_of);
        }
    }
}

#[test]
fn what_a_drive_cannot_hold_is_not_announced() {
    let mut pc = Caller::boot(Fittings {
        floppies: vec![Some(floppy(2880))],
        ..Fittings::default()
    });
    for format in [0x4F24, 0x5F12, 0x4F0B] {
        let answer = pc.disk(0x1800, format, 0, (0, 0));
        assert!(
            answer.carry && answer.ah() == 0x0C,
            "{format:04x}: {answer:x?}"
        );
    }
}
