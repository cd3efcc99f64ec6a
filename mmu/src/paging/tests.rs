//! The walker against the plain one, and the manual's cases by name.

use std::sync::Arc;

use proptest::prelude::{ProptestConfig, any, proptest};

use super::plain;
use crate::access::{Access, AccessKind, Controls};
use crate::address::{LinearAddress, PhysicalAddress};
use crate::mmu::Mmu;
use crate::physical::PhysicalMemory;

/// Numbers that look random; seeded, so that a failure repeats.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

/// Pages of RAM that the random tables live in and small pages point to.
pub(crate) const PAGES: u64 = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Legacy,
    Pae,
    FourLevel,
    FiveLevel,
}

pub(crate) fn memory() -> Arc<PhysicalMemory> {
    // Large pages have room for their parts.
    let memory = PhysicalMemory::new(16 << 20).unwrap();
    memory.map_ram(PhysicalAddress(0), 8 << 20).unwrap();
    Arc::new(memory)
}

/// An entry that is usually good for something.
pub(crate) fn entry(dice: &mut Dice, kind: Kind) -> u64 {
    let mut entry = dice.below(PAGES) << 12;
    entry |= u64::from(!dice.chance(24)); // P
    entry |= u64::from(!dice.chance(4)) << 1; // R/W
    entry |= u64::from(!dice.chance(4)) << 2; // U/S
    entry |= dice.below(4) << 3; // PWT, PCD
    entry |= dice.below(4) << 5; // A, D
    if dice.chance(4) {
        entry |= 1 << 7;
        if !dice.chance(8) {
            entry &= !0x3f_e000; // A well-formed large page.
        }
    }
    entry |= u64::from(dice.chance(4)) << 8 | dice.below(8) << 9;
    if dice.chance(24) {
        entry ^= 1 << dice.below(64);
    }
    match kind {
        Kind::Legacy => return entry & 0xffff_ffff,
        Kind::Pae => {}
        Kind::FourLevel | Kind::FiveLevel => entry |= dice.below(16) << 59 | dice.below(8) << 52,
    }
    entry | u64::from(dice.chance(8)) << 63
}

pub(crate) fn fill_tables(memory: &PhysicalMemory, dice: &mut Dice, kind: Kind) {
    let mut bytes = vec![0; (PAGES * 4096) as usize];
    let size = if kind == Kind::Legacy { 4 } else { 8 };
    for slot in bytes.chunks_exact_mut(size) {
        slot.copy_from_slice(&entry(dice, kind).to_le_bytes()[..size]);
    }
    memory.ram_write(PhysicalAddress(0), &bytes).unwrap();
}

pub(crate) fn controls(dice: &mut Dice, kind: Kind) -> Controls {
    let wanted = match kind {
        Kind::Legacy => (0, 0),
        Kind::Pae => (1 << 5, 0),
        Kind::FourLevel => (1 << 5, 1 << 10),
        Kind::FiveLevel => (1 << 5 | 1 << 12, 1 << 10),
    };
    let widths = [32, 36, 40, 46, 52];
    let random_cr4 = dice.roll() & (1 << 4 | 1 << 7 | 1 << 20 | 1 << 21 | 1 << 22 | 1 << 24);
    Controls {
        cr0: 1 << 31 | 1 | (dice.roll() & 1 << 16),
        cr3: dice.below(PAGES) << 12 | (dice.roll() & 0xfe0),
        cr4: wanted.0 | random_cr4,
        efer: wanted.1 | u64::from(!dice.chance(4)) << 11,
        pdptes: std::array::from_fn(|_| dice.below(PAGES) << 12 | u64::from(!dice.chance(8))),
        pkru: (dice.roll() & dice.roll()) as u32,
        pkrs: (dice.roll() & dice.roll()) as u32,
        physical_address_bits: widths[dice.below(5) as usize],
        has_1gib_pages: dice.chance(2),
        has_pse36: dice.chance(2),
    }
}

pub(crate) fn access(dice: &mut Dice) -> Access {
    let kinds = [AccessKind::Read, AccessKind::Write, AccessKind::Execute];
    let kind = kinds[dice.below(3) as usize];
    Access {
        kind,
        user: dice.chance(2),
        ac: dice.chance(2),
    }
}

pub(crate) fn reader(memory: &PhysicalMemory) -> impl Fn(u64, usize) -> u64 {
    |address, size| {
        let mut bytes = [0xff; 8];
        if memory
            .ram_read(PhysicalAddress(address), &mut bytes[..size])
            .is_err()
        {
            bytes = [0xff; 8];
        }
        let value = u64::from_le_bytes(bytes);
        if size == 4 {
            value & 0xffff_ffff
        } else {
            value
        }
    }
}

fn contents(memory: &PhysicalMemory) -> Vec<u8> {
    let mut bytes = vec![0; (PAGES * 4096) as usize];
    memory.ram_read(PhysicalAddress(0), &mut bytes).unwrap();
    bytes
}

/// One machine of random tables, many random accesses; TLBs empty each time.
fn compare(kind: Kind, seed: u64) {
    let mut dice = Dice(seed);
    let memory = memory();
    fill_tables(&memory, &mut dice, kind);
    let mut mmu = Mmu::new(Arc::clone(&memory));
    for _ in 0..24 {
        let controls = controls(&mut dice, kind);
        let access = access(&mut dice);
        let address = dice.roll();
        mmu.flush_all();
        let mut expected_contents = contents(&memory);
        let expected = plain::translate(&reader(&memory), &controls, access, address);
        let found = mmu.translate(&controls, access, LinearAddress(address));
        match (&expected, &found) {
            (Ok(page), Ok(found)) => {
                assert_eq!(page.physical, found.physical.0, "{kind:?} {controls:x?}");
                for (n, &at) in page.entries.iter().enumerate() {
                    let is_dirty = access.is_write() && n + 1 == page.entries.len();
                    if let Some(byte) = expected_contents.get_mut(at as usize) {
                        *byte |= if is_dirty { 0x60 } else { 0x20 };
                    }
                }
            }
            (Err(code), Err(fault)) => {
                assert_eq!(
                    *code,
                    fault.error_code.bits(),
                    "{kind:?} {controls:x?} {access:?}"
                );
                let long = matches!(kind, Kind::FourLevel | Kind::FiveLevel);
                let mask = if long { u64::MAX } else { 0xffff_ffff };
                assert_eq!(fault.address.0, address & mask);
            }
            _ => panic!("{kind:?} {controls:x?} {access:?}: {expected:x?}, but found {found:x?}"),
        }
        assert!(
            contents(&memory) == expected_contents,
            "accessed and dirty flags, {kind:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn legacy_walks_agree_with_the_plain_walker(seed in any::<u64>()) {
        compare(Kind::Legacy, seed);
    }

    #[test]
    fn pae_walks_agree_with_the_plain_walker(seed in any::<u64>()) {
        compare(Kind::Pae, seed);
    }

    #[test]
    fn four_level_walks_agree_with_the_plain_walker(seed in any::<u64>()) {
        compare(Kind::FourLevel, seed);
    }

    #[test]
    fn five_level_walks_agree_with_the_plain_walker(seed in any::<u64>()) {
        compare(Kind::FiveLevel, seed);
    }

    /// Whatever the registers and the bytes, nothing panics.
    #[test]
    fn anything_can_be_walked(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let memory = memory();
        let junk: Vec<u8> = (0..PAGES * 512).flat_map(|_| dice.roll().to_le_bytes()).collect();
        memory.ram_write(PhysicalAddress(0), &junk).unwrap();
        let mut mmu = Mmu::new(memory);
        for _ in 0..200 {
            let controls = Controls {
                cr0: dice.roll(),
                cr3: dice.roll() & !(dice.roll() % 2 * !0x1_ffff),
                cr4: dice.roll(),
                efer: dice.roll(),
                pdptes: std::array::from_fn(|_| dice.roll()),
                physical_address_bits: dice.roll() as u8,
                ..controls(&mut dice, Kind::Legacy)
            };
            let (access, address) = (access(&mut dice), LinearAddress(dice.roll()));
            let _ = mmu.translate(&controls, access, address);
            let _ = mmu.translate_debug(&controls, address);
            let _ = mmu.fetch_page(&controls, access, address);
            let _ = mmu.load_pdptes(&controls);
            let mut bytes = [0; 64];
            let _ = mmu.read(&controls, access, address, &mut bytes, &mut ());
            mmu.invalidate_page(address);
        }
    }
}

const READ: Access = Access {
    kind: AccessKind::Read,
    user: false,
    ac: false,
};
const USER: Access = Access { user: true, ..READ };
const WRITE: Access = Access {
    kind: AccessKind::Write,
    ..READ
};
const FETCH: Access = Access {
    kind: AccessKind::Execute,
    ..READ
};
const USER_WRITE: Access = Access {
    user: true,
    ..WRITE
};
const USER_FETCH: Access = Access {
    user: true,
    ..FETCH
};
const READ_AC: Access = Access { ac: true, ..READ };

const WP: u64 = 1 << 16;
const SMEP: u64 = 1 << 20;
const SMAP: u64 = 1 << 21;
const PKE: u64 = 1 << 22;
const PKS: u64 = 1 << 24;
const NXE: u64 = 1 << 11;
const NX: u64 = 1 << 63;

/// 4-level tables that map linear page 0 by `pte`; the error code of `access`.
fn code(pte: u64, set: impl Fn(&mut Controls), access: Access) -> u32 {
    let memory = memory();
    for (table, entry) in [(1, 0x2007), (2, 0x3007), (3, 0x4007), (4, pte)] {
        memory
            .ram_write(PhysicalAddress(table << 12), &u64::to_le_bytes(entry))
            .unwrap();
    }
    let mut controls = Controls {
        cr0: 1 << 31 | 1,
        cr3: 0x1000,
        cr4: 1 << 5,
        efer: 1 << 10,
        ..Controls::default()
    };
    set(&mut controls);
    let fault = Mmu::new(memory).translate(&controls, access, LinearAddress(0x123));
    fault.map_or_else(|fault| fault.error_code.bits(), |_| 0x1000)
}

/// No fault.
const FINE: u32 = 0x1000;

#[test]
fn error_codes_are_the_manuals() {
    let nothing = |_: &mut Controls| {};
    let nxe = |c: &mut Controls| c.efer |= NXE;
    let wp = |c: &mut Controls| c.cr0 |= WP;
    let smep = |c: &mut Controls| c.cr4 |= SMEP;
    let smap = |c: &mut Controls| c.cr4 |= SMAP;
    assert_eq!(code(0, nothing, READ), 0);
    assert_eq!(code(0, nothing, USER_WRITE), 6);
    assert_eq!(code(0, nothing, FETCH), 0, "I needs NXE or SMEP");
    assert_eq!(code(0, nxe, USER_FETCH), 0x14);
    assert_eq!(code(0, smep, FETCH), 0x10);
    assert_eq!(code(0x5003, nothing, USER), 5);
    assert_eq!(code(0x5003, nothing, READ), FINE);
    assert_eq!(code(0x5005, nothing, USER_WRITE), 7);
    assert_eq!(code(0x5005, nothing, WRITE), FINE, "WP is clear");
    assert_eq!(code(0x5005, wp, WRITE), 3);
    assert_eq!(
        code(NX | 0x5007, nothing, READ),
        9,
        "XD is reserved without NXE"
    );
    assert_eq!(code(NX | 0x5007, nxe, READ), FINE);
    assert_eq!(code(NX | 0x5007, nxe, USER_FETCH), 0x15);
    assert_eq!(code(1 << 50 | 0x5007, nothing, USER_WRITE), 0xf);
    assert_eq!(code(0x5007, smep, FETCH), 0x11);
    assert_eq!(code(0x5003, smep, FETCH), FINE);
    assert_eq!(code(0x5007, smap, READ), 1);
    assert_eq!(code(0x5007, smap, READ_AC), FINE);
    assert_eq!(code(0x5007, smap, FETCH), FINE, "SMAP is about data");
}

#[test]
fn protection_keys_deny_data_only() {
    let pte = 7 << 59 | 0x5007;
    let user = |bits: u32| move |c: &mut Controls| (c.cr4, c.pkru) = (c.cr4 | PKE, bits << 14);
    assert_eq!(code(pte, user(0), USER), FINE);
    assert_eq!(code(pte, user(1), USER), 0x25);
    assert_eq!(code(pte, user(1), READ), 0x21);
    assert_eq!(code(pte, user(1), USER_FETCH), FINE);
    assert_eq!(code(pte, user(2), USER), FINE);
    assert_eq!(code(pte, user(2), USER_WRITE), 0x27);
    assert_eq!(code(pte, user(2), WRITE), FINE, "WP is clear");
    assert_eq!(code(pte & !4, user(1), READ), FINE, "a supervisor page");
    let supervisor = |c: &mut Controls| (c.cr4, c.pkrs, c.cr0) = (c.cr4 | PKS, 2 << 14, c.cr0 | WP);
    assert_eq!(code(pte & !4, supervisor, READ), FINE);
    assert_eq!(code(pte & !4, supervisor, WRITE), 0x23);
}

#[test]
fn pse36_gives_forty_address_bits() {
    let memory = memory();
    let pde: u32 = 0x1240_0000 | 0xab << 13 | 0x83;
    memory
        .ram_write(PhysicalAddress(0x1000 + 4), &pde.to_le_bytes())
        .unwrap();
    let mut mmu = Mmu::new(memory);
    let controls = Controls {
        cr0: 1 << 31 | 1,
        cr3: 0x1000,
        cr4: 1 << 4,
        ..Controls::default()
    };
    let found = |mmu: &mut Mmu, controls: &Controls| {
        mmu.translate(controls, READ, LinearAddress(0x7f_fabc))
    };
    let page = found(&mut mmu, &controls).unwrap();
    assert_eq!(page.physical, PhysicalAddress(0xab_127f_fabc));
    for controls in [
        Controls {
            physical_address_bits: 36,
            ..controls
        },
        Controls {
            has_pse36: false,
            ..controls
        },
    ] {
        mmu.flush_all();
        assert_eq!(found(&mut mmu, &controls).unwrap_err().error_code.bits(), 9);
    }
    // Without CR4.PSE, bit 7 means nothing and the entry names a table.
    mmu.flush_all();
    let no_pse = Controls { cr4: 0, ..controls };
    assert!(found(&mut mmu, &no_pse).is_ok());
}

#[test]
fn pdptes_are_checked_when_loaded() {
    let memory = memory();
    let controls = Controls {
        cr3: 0x1020,
        ..Controls::default()
    };
    let mut mmu = Mmu::new(Arc::clone(&memory));
    for (entry, good) in [
        (0x2001_u64, true),
        (0x2001 | 1 << 3 | 1 << 4 | 1 << 9, true),
        (0x2003, false),
        (0x2005, false),
        (0x2021, false),
        (0x2101, false),
        (0x2001 | 1 << 40, false),
        (0x2001 | 1 << 63, false),
        (0x21e6 | 1 << 63, true), // Not present: nothing is checked.
    ] {
        memory
            .ram_write(PhysicalAddress(0x1020 + 16), &entry.to_le_bytes())
            .unwrap();
        let loaded = mmu.load_pdptes(&controls);
        assert_eq!(loaded.is_ok(), good, "{entry:x}");
        assert_eq!(loaded.unwrap_or([0, 0, entry, 0]), [0, 0, entry, 0]);
    }
}
