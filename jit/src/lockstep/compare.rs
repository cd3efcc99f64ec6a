//! What differs between two processors: registers one by one, memory by ranges.

use std::fmt::Debug;

use rax_cpu::flags::LazyFlags;
use rax_cpu::segment::SegmentRegister;
use rax_cpu::state::Gpr;
use rax_cpu::{Cpu, CpuState};
use rax_mmu::{PAGE_SIZE, PhysicalAddress, PhysicalMemory};

/// How many ranges of memory are named before the rest is only counted.
const MOST_RANGES: usize = 16;
/// How many bytes of a range are shown.
const MOST_BYTES: usize = 16;

/// The registers that differ, a line each.
pub(super) fn states(a: &CpuState, b: &CpuState) -> Vec<String> {
    let (a, b) = (&comparable(a), &comparable(b));
    if a == b {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut line = |name: &dyn Debug, a: &dyn Debug, b: &dyn Debug| {
        let (a, b) = (format!("{a:x?}"), format!("{b:x?}"));
        if a != b {
            lines.push(format!("{name:?}: {a}, {b}").replace('"', ""));
        }
    };
    for register in Gpr::ALL {
        line(&register, &a.gpr(register), &b.gpr(register));
    }
    for register in SegmentRegister::ALL {
        line(&register, a.segment(register), b.segment(register));
    }
    for (n, (a, b)) in a.vectors.iter().zip(&b.vectors).enumerate() {
        line(&format!("Ymm{n}"), a, b);
    }
    // Every field is named, so that a new one is not forgotten.
    macro_rules! fields {
        ($($field:ident)*) => {{
            let CpuState { gpr: _, segments: _, vectors: _, flags: _, system_flags: _, $($field: _),* } = a;
            $(line(&stringify!($field), &a.$field, &b.$field);)*
        }};
    }
    line(&"rflags", &a.rflags(), &b.rflags());
    fields!(rip instructions ldtr tr gdtr idtr cpl activity interrupt_shadow nmi_blocked
        cr0 cr2 cr3 cr4 cr8 xcr0 pdptes pkru mxcsr dr msrs fpu monitor smm);
    if lines.is_empty() {
        lines.push("something that has no name".to_owned());
    }
    lines
}

/// The state without what the guest cannot see: the running block's address, and the
/// way in which flags are kept.
fn comparable(state: &CpuState) -> CpuState {
    let mut state = state.clone();
    state.set_gpr(Gpr::BlockRip, 0);
    state.flags = LazyFlags::from_status(state.flags.status());
    state
}

/// The pages that either has written since this was last asked.
pub(super) fn dirty_pages(a: &PhysicalMemory, b: &PhysicalMemory) -> Vec<PhysicalAddress> {
    let mut pages = a.take_dirty();
    pages.extend(b.take_dirty());
    pages.sort_unstable_by_key(|page| page.0);
    pages.dedup();
    pages
}

/// What differs in these pages, a line for each range.
pub(super) fn pages(
    pages: &[PhysicalAddress],
    a: &PhysicalMemory,
    b: &PhysicalMemory,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut more = 0;
    for &page in pages {
        let (Some(in_a), Some(in_b)) = (read(a, page), read(b, page)) else {
            continue;
        };
        if in_a == in_b {
            continue;
        }
        let mut at = 0;
        while let Some(start) = (at..in_a.len()).find(|&n| in_a[n] != in_b[n]) {
            let end = (start..in_a.len()).find(|&n| in_a[n] == in_b[n]);
            at = end.unwrap_or(in_a.len());
            if lines.len() == MOST_RANGES {
                more += 1;
                continue;
            }
            let shown = start..at.min(start + MOST_BYTES);
            let address = page.0 + start as u64;
            lines.push(format!(
                "memory at {address:#x}, {} bytes: {:02x?}, {:02x?}",
                at - start,
                &in_a[shown.clone()],
                &in_b[shown]
            ));
        }
    }
    if more > 0 {
        lines.push(format!("and {more} more ranges of memory"));
    }
    lines
}

/// Makes these pages of `to` equal to those of `from`.
pub(super) fn copy_pages(pages: &[PhysicalAddress], from: &PhysicalMemory, to: &PhysicalMemory) {
    for &page in pages {
        if let Some(bytes) = read(from, page) {
            // Both have the same map, so what can be read can be loaded.
            let loaded = to.load_image(page, &bytes);
            debug_assert_eq!(loaded, Ok(()), "both have the same map");
        }
    }
}

/// A page of RAM or ROM.
fn read(memory: &PhysicalMemory, page: PhysicalAddress) -> Option<[u8; PAGE_SIZE as usize]> {
    let mut bytes = [0; PAGE_SIZE as usize];
    memory.ram_read(page, &mut bytes).ok()?;
    Some(bytes)
}

/// All that differs between two processors, as far as their memories were written.
pub(super) fn processors(a: &Cpu, b: &Cpu) -> Vec<String> {
    let mut lines = states(&a.state, &b.state);
    let (a, b) = (a.mmu.memory(), b.mmu.memory());
    lines.extend(pages(&dirty_pages(a, b), a, b));
    lines
}
