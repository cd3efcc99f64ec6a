//! What the paths cost. Run it with
//! `cargo test -p rax-mmu --release -- --ignored --nocapture cost`.

use std::hint::black_box;
use std::time::Instant;

use super::*;

/// The least time of one call in nanoseconds, of several rounds.
fn least_ns(calls: u64, mut act: impl FnMut(u64)) -> f64 {
    let mut least = f64::MAX;
    for _ in 0..9 {
        let start = Instant::now();
        for n in 0..calls {
            act(n);
        }
        least = least.min(start.elapsed().as_nanos() as f64 / calls as f64);
    }
    least
}

/// 4-level tables that map the first 2 GiB of linear addresses to the first
/// 16 MiB again and again, by 4 KiB pages; tables from 16 MiB on.
fn large_machine() -> (Arc<PhysicalMemory>, Mmu, Controls) {
    let memory = Arc::new(PhysicalMemory::new(64 << 20).unwrap());
    memory.map_ram(PhysicalAddress(0), 64 << 20).unwrap();
    let (root, pdpt, tables) = (0x100_0000, 0x100_1000, 0x100_4000);
    set_entry(&memory, root, pdpt | 7);
    for n in 0..2 {
        set_entry(&memory, pdpt + n * 8, 0x100_2007 + (n << 12));
    }
    for n in 0..1024 {
        set_entry(&memory, 0x100_2000 + n * 8, (tables + (n << 12)) | 7);
    }
    for n in 0..512 * 1024 {
        set_entry(&memory, tables + n * 8, (n << 12 & 0xff_ffff) | 0x67);
    }
    let controls = Controls {
        cr0: 1 << 31 | 1 << 16 | 1,
        cr3: root,
        cr4: 1 << 5 | 1 << 7,
        efer: 1 << 10 | 1 << 11,
        ..Controls::default()
    };
    let mmu = Mmu::new(Arc::clone(&memory));
    (memory, mmu, controls)
}

#[test]
#[ignore = "a measurement"]
fn cost_of_each_path() {
    let (memory, mut mmu, controls) = large_machine();
    // The same line of each page would fall into one set of the host's cache.
    let page = |n: u64| LinearAddress(n << 12 & 0x7fff_f000 | n << 6 & 0xfc0);
    for n in 0..256 {
        mmu.translate(&controls, WRITE, page(n)).unwrap();
    }
    let load = least_ns(1 << 20, |n| {
        black_box(mmu.load::<u64>(SUPERVISOR, page(n % 256)));
    });
    let store = least_ns(1 << 20, |n| {
        black_box(mmu.store(SUPERVISOR, page(n % 256), n));
    });
    let fetch = least_ns(1 << 20, |n| {
        black_box(mmu.fetch_page(&controls, FETCH, page(n % 64))).unwrap();
    });
    let second = least_ns(1 << 18, |n| {
        black_box(mmu.translate(&controls, READ, page(n % 1024))).unwrap();
    });
    // Twice the second level; the tables lie in the host's first cache.
    let walk = least_ns(1 << 18, |n| {
        black_box(mmu.translate(&controls, READ, page(n % 4096))).unwrap();
    });
    // Every entry is in another line: 2 MiB of tables.
    let far_walk = least_ns(1 << 18, |n| {
        black_box(mmu.translate(&controls, READ, page(n * 33 % 32768))).unwrap();
    });
    let switch = least_ns(1 << 16, |n| {
        for n in 0..16 {
            mmu.tlb.fill(
                SUPERVISOR,
                Fill {
                    page: n << 12,
                    host_page: n << 12,
                    writable: true,
                    marks: 0,
                    large: false,
                },
            );
        }
        mmu.switch_context(Some(n as u16 & 7), true);
    });
    let invalidate = least_ns(1 << 18, |n| mmu.invalidate_page(page(n)));
    memory.code_pages().mark(PhysicalAddress(0x5000), 16);

    let beside_code = least_ns(1 << 18, |n| {
        let address = LinearAddress(0x5800 | n & 0xff);
        mmu.write(&controls, WRITE, address, &[0], &mut ()).unwrap();
    });
    println!("load, hit          {load:6.2} ns");
    println!("store, hit         {store:6.2} ns");
    println!("fetch, cached      {fetch:6.2} ns");
    println!("second level       {second:6.2} ns");
    println!("page walk          {walk:6.2} ns");
    println!("page walk, 2 MiB   {far_walk:6.2} ns");
    println!("MOV CR3, 16 in use {switch:6.2} ns");
    println!("INVLPG             {invalidate:6.2} ns");
    println!("store beside code  {beside_code:6.2} ns");
}
