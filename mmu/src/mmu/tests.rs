//! Flushes, code pages, dirty pages and remapping as a processor meets them.

use std::sync::Arc;

use super::*;
use crate::code_pages::{CodeChange, CodeChanges};
use crate::paging::plain;
use crate::paging::tests::{
    Dice, Kind, PAGES, access, controls, entry, fill_tables, memory, reader,
};
use crate::tlb::View;

mod cost;
mod model;

const READ: Access = Access {
    kind: AccessKind::Read,
    user: false,
    ac: false,
};
const WRITE: Access = Access {
    kind: AccessKind::Write,
    ..READ
};
const FETCH: Access = Access {
    kind: AccessKind::Execute,
    ..READ
};

/// 4-level tables at 1000h to 4000h that map linear pages 0 to 15 to
/// physical pages 10h to 1Fh, with the flags given.
fn mapped(flags: u64) -> (Arc<PhysicalMemory>, Mmu, Controls) {
    let memory = memory();
    for (table, entry) in [(1, 0x2007), (2, 0x3007), (3, 0x4007)] {
        set_entry(&memory, table << 12, entry);
    }
    for page in 0..16 {
        set_entry(
            &memory,
            0x4000 + page * 8,
            (0x10_000 + (page << 12)) | flags,
        );
    }
    let controls = Controls {
        cr0: 1 << 31 | 1,
        cr3: 0x1000,
        cr4: 1 << 5 | 1 << 7,
        efer: 1 << 10,
        ..Controls::default()
    };
    let mmu = Mmu::new(Arc::clone(&memory));
    (memory, mmu, controls)
}

fn set_entry(memory: &PhysicalMemory, at: u64, entry: u64) {
    memory
        .ram_write(PhysicalAddress(at), &entry.to_le_bytes())
        .unwrap();
}

const SUPERVISOR: View = View::Supervisor;

#[test]
fn hits_are_served_without_a_walk() {
    let (_memory, mut mmu, controls) = mapped(7);
    let address = LinearAddress(0x2ffc);
    assert_eq!(mmu.load::<u32>(SUPERVISOR, address), None);
    mmu.write(&controls, WRITE, address, &[1, 2, 3, 4], &mut ())
        .unwrap();
    assert_eq!(mmu.load::<u32>(SUPERVISOR, address), Some(0x0403_0201));
    assert_eq!(
        mmu.load::<u64>(SUPERVISOR, address),
        None,
        "it crosses the page"
    );
    assert!(mmu.store(SUPERVISOR, address, 0x5566_7788_u32));
    let host = mmu.probe_write::<u8>(SUPERVISOR, address).unwrap();
    assert_eq!(mmu.ram_load::<u8>(host), 0x88);
    assert_eq!(mmu.load::<u8>(View::User, address), None);
    assert_eq!((mmu.counters().walks, mmu.counters().l1_fills), (1, 1));
    // Another view of the same page is found in the second level.
    mmu.translate(&controls, Access { user: true, ..READ }, address)
        .unwrap();
    assert_eq!((mmu.counters().walks, mmu.counters().l2_hits), (1, 1));
}

#[test]
fn page_crossing_accesses_touch_both_pages_or_none() {
    let (memory, mut mmu, controls) = mapped(7);
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
    mmu.write(&controls, WRITE, LinearAddress(0x1ffd), &bytes, &mut ())
        .unwrap();
    let mut found = [0; 8];
    mmu.read(&controls, READ, LinearAddress(0x1ffd), &mut found, &mut ())
        .unwrap();
    assert_eq!(found, bytes);
    let last = LinearAddress(0xfffd);
    let fault = mmu
        .write(&controls, WRITE, last, &bytes, &mut ())
        .unwrap_err();
    assert_eq!(fault.address, LinearAddress(0x1_0000));
    let mut untouched = [0xff; 3];
    memory
        .ram_read(PhysicalAddress(0x1_fffd), &mut untouched)
        .unwrap();
    assert_eq!(untouched, [0; 3]);
}

#[test]
fn dirty_flags_are_set_by_the_first_write() {
    let (memory, mut mmu, controls) = mapped(7);
    let flags = |memory: &PhysicalMemory| reader(memory)(0x4000, 8) & 0x60;
    mmu.translate(&controls, READ, LinearAddress(0)).unwrap();
    assert_eq!(flags(&memory), 0x20);
    assert!(!mmu.store(SUPERVISOR, LinearAddress(0), 1_u8));
    mmu.translate(&controls, WRITE, LinearAddress(0)).unwrap();
    assert_eq!(flags(&memory), 0x60);
    assert!(mmu.store(SUPERVISOR, LinearAddress(0), 1_u8));
}

#[test]
fn global_pages_survive_cr3_writes_but_not_invlpg() {
    let (_memory, mut mmu, controls) = mapped(0x107);
    let walks = |mmu: &mut Mmu| {
        let before = mmu.counters().walks;
        mmu.translate(&controls, READ, LinearAddress(0x3000))
            .unwrap();
        mmu.counters().walks - before
    };
    assert_eq!(walks(&mut mmu), 1);
    mmu.switch_context(None, false);
    assert_eq!(walks(&mut mmu), 0);
    mmu.invpcid(InvpcidKind::AllNonGlobal, 0, LinearAddress(0));
    assert_eq!(walks(&mut mmu), 0);
    mmu.invpcid(InvpcidKind::Address, 0, LinearAddress(0x3000));
    assert_eq!(walks(&mut mmu), 0);
    mmu.invalidate_page(LinearAddress(0x3fff));
    assert_eq!(walks(&mut mmu), 1);
    mmu.flush_all();
    assert_eq!(walks(&mut mmu), 1);
}

/// INVLPG anywhere in a large page forgets all of it, in both levels.
#[test]
fn invlpg_forgets_the_whole_of_a_large_page() {
    let (memory, mut mmu, controls) = mapped(7);
    set_entry(&memory, 0x3000, 0x40_0083);
    let (first, other) = (LinearAddress(0x1000), LinearAddress(0x1f_f000));
    // 32-bit paging: the other address is in the other half of 4 MiB.
    let legacy = Controls {
        cr0: controls.cr0,
        cr3: 0x3000,
        cr4: 1 << 4,
        ..Controls::default()
    };
    for (controls, other) in [(controls, other), (legacy, LinearAddress(0x3f_f000))] {
        mmu.flush_all();
        for address in [first, other] {
            mmu.translate(&controls, READ, address).unwrap();
            assert!(mmu.load::<u8>(SUPERVISOR, address).is_some());
        }
        mmu.invalidate_page(first);
        assert!(mmu.load::<u8>(SUPERVISOR, other).is_none());
        let walks = mmu.counters().walks;
        mmu.translate(&controls, READ, other).unwrap();
        assert_eq!(mmu.counters().walks, walks + 1);
    }
}

#[test]
fn pcids_keep_their_entries_if_asked() {
    let (_memory, mut mmu, controls) = mapped(7);
    let mut walks = |pcid, keep| {
        let before = mmu.counters().walks;
        mmu.switch_context(Some(pcid), keep);
        mmu.translate(&controls, READ, LinearAddress(0x3000))
            .unwrap();
        mmu.counters().walks - before
    };
    assert_eq!(walks(1, true), 1);
    assert_eq!(walks(2, true), 1);
    assert_eq!(walks(1, true), 0);
    assert_eq!(walks(2, false), 1);
    assert_eq!(walks(1, true), 0);
    mmu.invpcid(InvpcidKind::Context, 2, LinearAddress(0));
    let before = mmu.counters().walks;
    mmu.switch_context(Some(2), true);
    mmu.translate(&controls, READ, LinearAddress(0x3000))
        .unwrap();
    assert_eq!(mmu.counters().walks - before, 1);
}

#[test]
fn code_epochs_move_when_code_may_be_elsewhere_and_not_before() {
    let (memory, mut mmu, controls) = mapped(7);
    let fetch = |mmu: &mut Mmu, address| {
        let access = Access {
            kind: AccessKind::Execute,
            ..READ
        };
        mmu.fetch_page(&controls, access, LinearAddress(address))
            .unwrap();
        [mmu.code_epoch(false), mmu.code_epoch(true)]
    };
    let mut epochs = fetch(&mut mmu, 0);
    let mut moved = |mmu: &Mmu| {
        let now = [mmu.code_epoch(false), mmu.code_epoch(true)];
        let before = std::mem::replace(&mut epochs, now);
        [before[0] != now[0], before[1] != now[1]]
    };
    // Data alone.
    mmu.translate(&controls, WRITE, LinearAddress(0x3000))
        .unwrap();
    mmu.invalidate_page(LinearAddress(0x3000));
    mmu.flush_l1();
    assert_eq!(moved(&mmu), [false, false]);
    mmu.invalidate_page(LinearAddress(0));
    assert_eq!(moved(&mmu), [true, false]);
    // An address space that was not seen before, without supervisor code of its own.
    mmu.switch_context(Some(1), true);
    assert_eq!(moved(&mmu), [false, true]);
    fetch(&mut mmu, 0);
    mmu.switch_context(Some(2), true);
    assert_eq!(moved(&mmu), [true, true]);
    mmu.switch_context(Some(1), true);
    assert_eq!(moved(&mmu), [false, true]);
    mmu.flush_non_global(2);
    assert_eq!(moved(&mmu), [false, false]);
    mmu.flush_non_global(1);
    assert_eq!(moved(&mmu), [false, true]);
    memory.set_a20(false);
    mmu.sync_map();
    assert_eq!(moved(&mmu), [true, true]);
}

#[test]
fn a_write_to_code_is_reported_and_one_beside_it_is_not() {
    let (memory, mut mmu, controls) = mapped(7);
    let code = memory.code_pages();
    let page = PhysicalAddress(0x1_5000);
    let mut cursor = code.cursor();
    let write = |mmu: &mut Mmu, offset| {
        let address = LinearAddress(0x5000 + offset);
        if !mmu.store(SUPERVISOR, address, 0x90_u8) {
            mmu.write(&controls, WRITE, address, &[0x90], &mut ())
                .unwrap();
        }
    };
    write(&mut mmu, 0);
    assert!(
        mmu.probe_write::<u8>(SUPERVISOR, LinearAddress(0x5000))
            .is_some()
    );
    mmu.mark_code(PhysicalAddress(0x1_5123), 10);
    assert!(!code.mark(PhysicalAddress(0x1_5140), 1));
    assert!(code.is_code_page(page));
    for (offset, hits) in [(0x122, false), (0x123, true), (0x12c, true), (0x12d, false)] {
        write(&mut mmu, offset);
        assert!(
            mmu.probe_write::<u8>(SUPERVISOR, LinearAddress(0x5000))
                .is_none()
        );
        assert_eq!(mmu.has_code_changes(), hits, "{offset:x}");
        let address = LinearAddress(0x5000 + offset);
        let beside = mmu.probe_beside_code::<u8>(SUPERVISOR, address);
        assert_eq!(beside.is_some(), !hits, "{offset:x}");
        let changes = |change: fn(PhysicalAddress, u64) -> CodeChange| {
            let change = change(PhysicalAddress(0x1_5000 + offset), 1);
            CodeChanges::Some(hits.then_some(change).into_iter().collect())
        };
        assert_eq!(mmu.take_code_changes(), changes(CodeChange::Written));
        assert!(!mmu.has_code_changes());
        // Who comes second cannot know what else was written meanwhile.
        assert_eq!(code.has_changes(cursor), hits);
        assert_eq!(code.take_changes(&mut cursor), changes(CodeChange::Gone));
    }
    let word = |mmu: &Mmu, offset: u64| {
        let address = LinearAddress(0x5000 + offset);
        mmu.probe_beside_code::<u32>(SUPERVISOR, address).is_some()
    };
    assert!(word(&mmu, 0x11f) && !word(&mmu, 0x120) && word(&mmu, 0x12d));
    assert!(
        word(&mmu, 0xffc) && !word(&mmu, 0xffd),
        "not across the page's end"
    );
    mmu.tlb.flush_writes();
    assert!(!word(&mmu, 0x11f), "someone wants to know of each store");
    code.clear_page(page);
    write(&mut mmu, 0x123);
    assert!(
        mmu.probe_write::<u8>(SUPERVISOR, LinearAddress(0x5000))
            .is_some()
    );
}

#[test]
fn taking_dirty_pages_drops_write_tags() {
    let (memory, mut mmu, controls) = mapped(7);
    let _ = memory.take_dirty();
    mmu.sync_map();
    mmu.translate(&controls, READ, LinearAddress(0x2000))
        .unwrap();
    mmu.translate(&controls, WRITE, LinearAddress(0x3000))
        .unwrap();
    let dirty: Vec<u64> = memory.take_dirty().iter().map(|page| page.0).collect();
    // The four tables: accessed flags were set there.
    assert_eq!(dirty, [0x1000, 0x2000, 0x3000, 0x4000, 0x1_3000]);
    assert!(mmu.needs_sync());
    mmu.sync_map();
    assert!(!mmu.store(SUPERVISOR, LinearAddress(0x3000), 1_u8));
    assert!(memory.take_dirty().is_empty());
    mmu.write(&controls, WRITE, LinearAddress(0x3000), &[1], &mut ())
        .unwrap();
    assert!(mmu.store(SUPERVISOR, LinearAddress(0x3000), 1_u8));
    assert_eq!(
        memory.take_dirty_in(PhysicalAddress(0), PAGES << 12).len(),
        1
    );
}

#[test]
fn a_remapped_page_is_seen_at_once() {
    let (memory, mut mmu, controls) = mapped(7);
    let address = LinearAddress(0x6000);
    mmu.write(&controls, WRITE, address, &[0x11], &mut ())
        .unwrap();
    memory.map_rom(PhysicalAddress(0x1_6000), &[0x22]).unwrap();
    mmu.sync_map();
    let mut byte = [0];
    mmu.write(&controls, WRITE, address, &[0x33], &mut ())
        .unwrap();
    mmu.read(&controls, READ, address, &mut byte, &mut ())
        .unwrap();
    assert_eq!(byte, [0x22]);
    assert!(mmu.load::<u8>(SUPERVISOR, address).is_some());
    assert!(
        !mmu.store(SUPERVISOR, address, 1_u8),
        "ROM has no write tag"
    );
    memory.unmap(PhysicalAddress(0x1_6000), 4096).unwrap();
    mmu.read(&controls, READ, address, &mut byte, &mut ())
        .unwrap();
    assert_eq!(byte, [0xff]);
    assert_eq!(mmu.load::<u8>(SUPERVISOR, address), None);
}

#[test]
fn without_paging_addresses_have_32_bits() {
    let (_memory, mut mmu, _) = mapped(7);
    let controls = Controls::default();
    let page = mmu
        .translate(&controls, WRITE, LinearAddress(0x7_0001_5678))
        .unwrap();
    assert_eq!(page.physical, PhysicalAddress(0x1_5678));
    assert_eq!(page.bytes_left(), 0x988);
    assert!(mmu.store(SUPERVISOR, LinearAddress(0x1_5678), 1_u64));
}

#[test]
fn fetches_are_cached_until_a_flush() {
    let (_memory, mut mmu, controls) = mapped(7);
    for offset in [0, 5, 0xfff] {
        let found = mmu
            .fetch_page(&controls, FETCH, LinearAddress(0x1000 + offset))
            .unwrap();
        assert_eq!(found.physical, PhysicalAddress(0x1_1000 + offset));
        assert!(matches!(found.backing, Backing::Ram { host } if host.0 % 4096 == offset));
    }
    assert_eq!(
        (mmu.counters().fetch_hits, mmu.counters().fetch_misses),
        (2, 1)
    );
    let fault = mmu
        .fetch_page(&controls, FETCH, LinearAddress(0x1_0123))
        .unwrap_err();
    assert_eq!(fault.address, LinearAddress(0x1_0123));
    mmu.invalidate_page(LinearAddress(0x1000));
    mmu.fetch_page(&controls, FETCH, LinearAddress(0x1000))
        .unwrap();
    assert_eq!(mmu.counters().fetch_misses, 3);
}

#[test]
fn debuggers_change_nothing() {
    let (memory, mmu, controls) = mapped(1);
    let found = mmu
        .translate_debug(&controls, LinearAddress(0x1004))
        .unwrap();
    assert_eq!(found.physical, PhysicalAddress(0x1_1004));
    assert_eq!(
        mmu.translate_debug(&controls, LinearAddress(0x1_0000)),
        None
    );
    assert_eq!(reader(&memory)(0x4008, 8), 0x1_1001);
}

#[test]
fn code_of_one_processor_takes_the_write_tags_of_all() {
    let (memory, mut one, controls) = mapped(7);
    let mut other = Mmu::new(Arc::clone(&memory));
    let address = LinearAddress(0x5000);
    for mmu in [&mut one, &mut other] {
        mmu.translate(&controls, WRITE, address).unwrap();
        assert!(mmu.probe_write::<u8>(SUPERVISOR, address).is_some());
    }
    one.mark_code(PhysicalAddress(0x1_5000), 4);
    assert!(one.probe_write::<u8>(SUPERVISOR, address).is_none());
    other.sync_map();
    assert!(other.probe_write::<u8>(SUPERVISOR, address).is_none());
    assert!(other.probe_read::<u8>(SUPERVISOR, address).is_some());
}

#[test]
fn who_comes_too_late_forgets_everything() {
    let (memory, mut one, _) = mapped(7);
    let mut other = Mmu::new(Arc::clone(&memory));
    one.mark_code(PhysicalAddress(0x1_5000), 0x1000);
    for n in 0..5000 {
        // From the end, or they were one store.
        let at = PhysicalAddress(0x1_5fff - n % 0x1000);
        memory.ram_write(at, &[0]).unwrap();
        assert!(matches!(one.take_code_changes(), CodeChanges::Some(_)));
    }
    assert_eq!(other.take_code_changes(), CodeChanges::All);
    assert_eq!(other.take_code_changes(), CodeChanges::Some(Vec::new()));
}

#[test]
fn a_page_just_driven_out_is_recalled_until_it_is_flushed() {
    let (memory, mut mmu, controls) = mapped(7);
    // Four megabytes further: the same entry of the first level.
    set_entry(&memory, 0x3010, 0x5007);
    set_entry(&memory, 0x5000, 0x1_8007);
    let pages = [0, 0x40_0000].map(LinearAddress);
    let [first, second] = pages.map(|page| {
        mmu.write(&controls, WRITE, page, &[1], &mut ()).unwrap();
        mmu.probe_write::<u8>(SUPERVISOR, page).unwrap()
    });
    assert_eq!(second.0 - first.0, 0x8000);
    assert_eq!(mmu.probe_write::<u8>(SUPERVISOR, pages[0]), None);
    for (page, host) in pages.into_iter().zip([first, second]) {
        let page = LinearAddress(page.0 + 5);
        let host = Some(host.wrapping_add(5));
        assert_eq!(mmu.recall_read(SUPERVISOR, page), host);
        assert_eq!(mmu.recall_write(SUPERVISOR, page), host);
    }
    // Stores to code are not to be missed.
    mmu.mark_code(PhysicalAddress(0x1_0000), 1);
    assert_eq!(mmu.recall_read(SUPERVISOR, pages[0]), Some(first));
    assert_eq!(mmu.recall_write(SUPERVISOR, pages[0]), None);
    mmu.flush_all();
    assert_eq!(mmu.recall_read(SUPERVISOR, pages[0]), None);
}
