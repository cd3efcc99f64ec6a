//! 4-level and 5-level paging (SDM 3A, section 4.5), and the two lower levels
//! that PAE paging shares with them.

use super::{PageSize, Rights, Stop, Tables, Walk, WalkedPage, combine, entry, leaf_rights};
use crate::access::Controls;

/// Where a walk stands: before it reads an entry of `table`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// The lowest bit of the address that indexes the table.
    pub(super) shift: u32,
    /// The table's physical address.
    pub(super) table: u64,
    /// The rights that the levels above leave.
    pub(super) rights: Rights,
    /// The bits that are reserved in entries of every level, XD apart.
    pub(super) reserved: u64,
}

/// The start at the root that CR3 names, with `levels` levels to go.
pub(super) fn root(controls: &Controls, levels: u32) -> Level {
    Level {
        shift: 12 + 9 * (levels - 1),
        table: controls.cr3 & entry::FRAME,
        rights: Rights::USER | Rights::WRITE,
        // Bits 62:52 are ignored or hold a key.
        reserved: entry::FRAME & (!0 << controls.maxphyaddr()),
    }
}

/// Walks the rest of the way.
#[inline]
pub(super) fn walk(
    tables: &Tables<'_>,
    controls: &Controls,
    address: u64,
    mut level: Level,
    steps: &mut Walk,
) -> Result<WalkedPage, Stop> {
    if !controls.no_execute() {
        level.reserved |= entry::NO_EXECUTE;
    }
    loop {
        let index = address >> level.shift & 0x1ff;
        let value = steps.step(tables, level.table | index << 3)?;
        let size = page_size(controls, level.shift, value)?;
        if value & (level.reserved | reserved_in_page(size)) != 0 {
            return Err(Stop::Reserved);
        }
        level.rights = combine(level.rights, value);
        if let Some(size) = size {
            let frame = value & entry::FRAME & !0 << size.bits();
            let rights = level.rights | leaf_rights(controls, value, controls.long_mode());
            return Ok(WalkedPage {
                frame,
                size,
                rights,
            });
        }
        level.table = value & entry::FRAME;
        level.shift -= 9;
    }
}

/// The size of the page if the entry maps one; `None` if it names a table.
fn page_size(controls: &Controls, shift: u32, value: u64) -> Result<Option<PageSize>, Stop> {
    match shift {
        12 => Ok(Some(PageSize::Small)),
        _ if value & entry::PAGE_SIZE == 0 => Ok(None),
        21 => Ok(Some(PageSize::Large)),
        30 if controls.has_1gib_pages => Ok(Some(PageSize::Giant)),
        // PS is reserved in PML4Es and PML5Es, and without 1 GiB pages.
        _ => Err(Stop::Reserved),
    }
}

/// Below the address of a large page lie reserved bits, down to PAT (bit 12).
fn reserved_in_page(size: Option<PageSize>) -> u64 {
    match size {
        Some(PageSize::Large) => 0x001f_e000,
        Some(PageSize::Giant) => 0x3fff_e000,
        Some(PageSize::Small | PageSize::FourMib) | None => 0,
    }
}
