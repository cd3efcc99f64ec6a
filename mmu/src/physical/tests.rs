//! Mapping, A20, ROM, DMA and lazy commitment.

use super::*;
use crate::code_pages::{CodeBytes, CodeChange, CodeChanges};

fn at(address: u64) -> PhysicalAddress {
    PhysicalAddress(address)
}

/// Devices that answer with the low byte of each address.
#[derive(Default)]
struct Echo {
    reads: Vec<(u64, usize)>,
    writes: Vec<(u64, Vec<u8>)>,
}

impl MmioSpace for Echo {
    fn mmio_read(&mut self, address: PhysicalAddress, bytes: &mut [u8]) {
        self.reads.push((address.0, bytes.len()));
        for (byte, n) in bytes.iter_mut().zip(address.0..) {
            *byte = n as u8;
        }
    }

    fn mmio_write(&mut self, address: PhysicalAddress, bytes: &[u8]) {
        self.writes.push((address.0, bytes.to_vec()));
    }
}

#[test]
fn accesses_are_split_where_regions_end() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    memory.map_ram(at(0x1000), 0x1000).unwrap();
    memory.map_rom(at(0x3000), &[0xaa; 0x1000]).unwrap();
    let mut echo = Echo::default();
    memory.write(at(0x1ffe), &[1, 2, 3, 4], &mut echo);
    assert_eq!(echo.writes, [(0x2000, vec![3, 4])]);
    memory.write(at(0x2ffe), &[5, 6, 7, 8], &mut echo);
    assert_eq!(echo.writes[1..], [(0x2ffe, vec![5, 6])]);
    let mut bytes = [0; 4];
    memory.read(at(0x1ffe), &mut bytes, &mut echo);
    assert_eq!(bytes, [1, 2, 0, 1]);
    memory.read(at(0x2ffe), &mut bytes, &mut echo);
    assert_eq!(bytes, [0xfe, 0xff, 0xaa, 0xaa]);
    assert_eq!(echo.reads, [(0x2000, 2), (0x2ffe, 2)]);
    memory.read(at(u64::MAX - 1), &mut bytes, &mut ());
    assert_eq!(bytes[..2], [0xff; 2]);
}

#[test]
fn a_closed_gate_folds_odd_megabytes() {
    let memory = PhysicalMemory::new(4 << 20).unwrap();
    memory.map_ram(at(0), 4 << 20).unwrap();
    memory.ram_write(at(0), &[0x11]).unwrap();
    memory.ram_write(at(0x10_0000), &[0x22]).unwrap();
    let read = |address| {
        let mut byte = [0];
        memory.read(at(address), &mut byte, &mut ());
        byte[0]
    };
    assert_eq!((read(0), read(0x10_0000)), (0x11, 0x22));
    let generation = memory.generation();
    memory.set_a20(true);
    assert_eq!(memory.generation(), generation);
    memory.set_a20(false);
    assert_ne!(memory.generation(), generation);
    assert_eq!((read(0), read(0x10_0000), read(0x20_0000)), (0x11, 0x11, 0));
    assert_eq!(memory.resolve(at(0x10_0000)), memory.resolve(at(0)));
    // An access that runs into an odd megabyte wraps as well.
    memory.write(at(0xf_ffff), &[0x33, 0x44], &mut ());
    assert_eq!((read(0xf_ffff), read(0)), (0x33, 0x44));
    let mut byte = [0];
    memory.ram_read(at(0x10_0000), &mut byte).unwrap();
    assert_eq!(byte, [0x22], "DMA passes the gate");
}

#[test]
fn shadow_ram_keeps_its_contents_out_of_sight() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    let shadow = memory.allocate_block(0x2000).unwrap();
    let byte = |address| {
        let mut byte = [0];
        memory.read(at(address), &mut byte, &mut ());
        byte[0]
    };
    memory.map_rom(at(0xf_0000), &[0x5a; 0x2000]).unwrap();
    memory
        .alias(at(0xf_0000), at(0xffff_0000), 0x2000, true)
        .unwrap();
    memory
        .map_block(at(0xf_0000), shadow, 0..0x2000, false)
        .unwrap();
    memory.write(at(0xf_1000), &[0x77], &mut ());
    assert_eq!((byte(0xf_1000), byte(0xffff_1000)), (0x77, 0x5a));
    memory
        .alias(at(0xffff_0000), at(0xf_0000), 0x2000, true)
        .unwrap();
    assert_eq!(byte(0xf_1000), 0x5a);
    memory
        .map_block(at(0xf_1000), shadow, 0x1000..0x2000, true)
        .unwrap();
    memory.write(at(0xf_1000), &[0x78], &mut ());
    assert_eq!((byte(0xf_0000), byte(0xf_1000)), (0x5a, 0x77));
}

#[test]
fn backing_is_reused_and_reads_as_zeros() {
    let memory = PhysicalMemory::new(0x4000).unwrap();
    memory.map_ram(at(0), 0x4000).unwrap();
    memory.write(at(0x1000), &[1; 0x1000], &mut ());
    assert_eq!(
        memory.map_ram(at(0x10_0000), 0x1000),
        Err(MapError::NoRoom { bytes: 0x1000 })
    );
    memory.unmap(at(0x1000), 0x1000).unwrap();
    memory.map_ram(at(0x10_0000), 0x1000).unwrap();
    let mut bytes = [9; 2];
    memory.ram_read(at(0x10_0000), &mut bytes).unwrap();
    assert_eq!(bytes, [0; 2]);
    let regions: Vec<_> = memory
        .ram_regions()
        .iter()
        .map(|r| (r.start.0, r.bytes))
        .collect();
    assert_eq!(
        regions,
        [(0, 0x1000), (0x2000, 0x2000), (0x10_0000, 0x1000)]
    );
}

#[test]
fn impossible_ranges_are_refused() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    let generation = memory.generation();
    assert!(matches!(
        memory.map_ram(at(0x10), 0x1000),
        Err(MapError::Unaligned { .. })
    ));
    assert!(matches!(
        memory.map_ram(at(0), 0),
        Err(MapError::OutOfRange { .. })
    ));
    assert!(matches!(
        memory.map_rom(at(0), &[]),
        Err(MapError::OutOfRange { .. })
    ));
    let end = at(1 << 52);
    assert!(matches!(
        memory.map_ram(end, 0x1000),
        Err(MapError::OutOfRange { .. })
    ));
    assert!(matches!(
        memory.unmap(at(!0xfff), !0xfff),
        Err(MapError::OutOfRange { .. })
    ));
    let reversed = at(0x2000)..at(0x1000);
    assert!(matches!(
        memory.map_mmio(reversed),
        Err(MapError::OutOfRange { .. })
    ));
    let alias = memory.alias(at(0), at(0x1000), 0x1000, true);
    assert!(matches!(alias, Err(MapError::NotMemory { .. })));
    assert_eq!(memory.generation(), generation);
    assert!(PhysicalMemory::new(0).is_err());
    assert!(PhysicalMemory::new(u64::MAX).is_err());
}

#[test]
fn dma_reaches_memory_only() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    memory.map_ram(at(0), 0x1000).unwrap();
    memory.map_rom(at(0x1000), &[7; 0x1000]).unwrap();
    let mut bytes = [0; 0x10];
    memory.ram_read(at(0xff8), &mut bytes).unwrap();
    assert_eq!(bytes[8..], [7; 8]);
    assert_eq!(
        memory.ram_read(at(0x1ff8), &mut bytes),
        Err(NotRam {
            address: at(0x2000),
            done: 8
        })
    );
    assert_eq!(
        memory.ram_write(at(0xff8), &bytes),
        Err(NotRam {
            address: at(0x1000),
            done: 8
        })
    );
    memory.load_image(at(0xff8), &[3; 16]).unwrap();
    memory.ram_read(at(0x1000), &mut bytes).unwrap();
    assert_eq!(bytes[..9], [3, 3, 3, 3, 3, 3, 3, 3, 7]);
}

#[test]
fn dma_into_code_is_reported_at_every_address() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    memory.map_ram(at(0), 0x3000).unwrap();
    memory.alias(at(0x1000), at(0x8000), 0x1000, false).unwrap();
    let code = memory.code_pages();
    let mut cursor = code.cursor();
    assert!(code.mark(at(0x8ffc), 4));
    assert!(code.overlaps(at(0x1ffc), 1) && !code.overlaps(at(0x1ffb), 1));
    memory.ram_write(at(0xfff), &[0; 0x1000]).unwrap();
    let written = |start| CodeChange::Written(at(start), 0xfff);
    let writes = CodeChanges::Some(vec![written(0x1000), written(0x8000)]);
    assert_eq!(code.take_changes(&mut cursor), writes);
    code.clear_all();
    assert!(!code.is_code_page(at(0x1000)));
}

#[test]
fn what_is_left_of_a_code_page_is_marked_again() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    memory.map_ram(at(0), 0x3000).unwrap();
    let code = memory.code_pages();
    code.mark(at(0x1000), 0x1000);
    let mut left = CodeBytes::default();
    left.add(at(0x1013), 2);
    left.add(at(0x1ff8), 0x100);
    left.add(at(0x1800), 0);
    code.clear_page(at(0x1fff));
    code.mark_again(at(0x1000), &left);
    let marked: Vec<u64> = (0x1000..0x3000)
        .step_by(16)
        .filter(|&start| code.overlaps(at(start), 16))
        .collect();
    assert_eq!(marked, [0x1010, 0x1ff0]);
    code.mark_again(at(0x2000), &CodeBytes::default());
    assert!(code.is_code_page(at(0x1000)) && !code.is_code_page(at(0x2000)));
}

#[test]
fn reads_find_rom_and_writes_the_ram_under_it() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    let shadow = memory.allocate_block(0x4000).unwrap();
    memory.map_rom(at(0xffff_c000), &[0x5a; 0x4000]).unwrap();
    let byte = |address| {
        let mut byte = [0];
        memory.read(at(address), &mut byte, &mut ());
        byte[0]
    };
    let map = |target| memory.remap(&[(at(0xf_0000), 0x4000, target)]).unwrap();
    map(Target::Split(at(0xffff_c000), shadow, 0));
    memory.write(at(0xf_1ffe), &[1, 2, 3, 4], &mut ());
    memory.ram_write(at(0xf_3000), &[7]).unwrap();
    assert_eq!((byte(0xf_1fff), byte(0xffff_dfff)), (0x5a, 0x5a));
    map(Target::ReadOnlyBlock(shadow, 0));
    assert_eq!([0xf_1fff, 0xf_2000, 0xf_3000].map(byte), [2, 3, 7]);
    memory.write(at(0xf_2000), &[9], &mut ());
    map(Target::Block(shadow, 0));
    assert_eq!(byte(0xf_2000), 3);
    memory.write(at(0xf_2000), &[9], &mut ());
    map(Target::Split(at(0xffff_c000), shadow, 0));
    assert_eq!(byte(0xf_2000), 0x5a);
    map(Target::Block(shadow, 0));
    assert_eq!(byte(0xf_2000), 9);
    map(Target::Mmio);
    assert_eq!(byte(0xf_2000), 0xff);
}

#[test]
fn several_pieces_are_one_change_or_none() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    let block = memory.allocate_block(0x2000).unwrap();
    let generation = memory.generation();
    let good = (at(0x1000), 0x1000, Target::Block(block, 0x1000));
    memory
        .remap(&[good, (at(0x8000), 0x1000, Target::Mmio)])
        .unwrap();
    assert_eq!(memory.generation(), generation + 1);
    for bad in [
        Target::Block(block, 0x2000),
        Target::Block(block, 0x800),
        Target::ReadOnly(at(0x7000)),
        Target::Split(at(0x7000), block, 0),
    ] {
        let pieces = [
            (at(0x1000), 0x1000, Target::Mmio),
            (at(0x3000), 0x1000, bad),
        ];
        assert!(memory.remap(&pieces).is_err(), "{bad:?}");
    }
    assert_eq!(memory.generation(), generation + 1);
    assert!(matches!(memory.resolve(at(0x1000)), Backing::Ram { .. }));
}

#[test]
fn code_goes_where_its_address_leads_elsewhere() {
    let memory = PhysicalMemory::new(1 << 20).unwrap();
    let shadow = memory.allocate_block(0x2000).unwrap();
    memory.map_rom(at(0xffff_e000), &[0x90; 0x2000]).unwrap();
    let map = |target| memory.remap(&[(at(0xf_0000), 0x2000, target)]).unwrap();
    map(Target::ReadOnly(at(0xffff_e000)));
    let code = memory.code_pages();
    let mut cursor = code.cursor();
    // Nothing was translated yet; and writes may go where they like.
    map(Target::Split(at(0xffff_e000), shadow, 0));
    code.mark(at(0xf_0123), 4);
    map(Target::ReadOnly(at(0xffff_e000)));
    assert!(!code.has_changes(cursor));
    map(Target::Block(shadow, 0));
    let gone = CodeChanges::Some(vec![CodeChange::Gone(at(0xf_0000), 0x2000)]);
    assert_eq!(code.take_changes(&mut cursor), gone);
    // The ROM's code at its other address is as it was.
    assert!(code.is_code_page(at(0xffff_e000)) && !code.is_code_page(at(0xf_0000)));
}

/// A guest of 4 GiB that touches 100 MiB costs about 100 MiB.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_committed_when_touched() {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let before = resident();
    let memory = PhysicalMemory::new(4 << 30).unwrap();
    memory.map_ram(at(0), 4 << 30).unwrap();
    for page in 0..(100 << 20) / 4096 {
        memory
            .ram_write(at(0x1234_5000 + page * 4096), &[1])
            .unwrap();
    }
    let mut byte = [9];
    memory.ram_read(at(0xf000_0000), &mut byte).unwrap();
    assert_eq!(byte, [0]);
    let cost = resident().saturating_sub(before);
    assert!(
        (90 << 20..140 << 20).contains(&cost),
        "it cost {} MiB",
        cost >> 20
    );
}
