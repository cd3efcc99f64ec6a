//! 32-bit paging, with 4 MiB pages and PSE-36 (SDM 3A, section 4.3).

use super::{
    PageSize, Rights, Stop, Tables, Walk, WalkedPage, combine, entry, entry_rights, leaf_rights,
};
use crate::access::Controls;

/// Walks page directory and page table.
pub(super) fn walk(
    tables: &Tables<'_>,
    controls: &Controls,
    address: u64,
    walk: &mut Walk,
) -> Result<WalkedPage, Stop> {
    let directory = controls.cr3 & 0xffff_f000;
    let pde = walk.step(tables, directory | (address >> 22 & 0x3ff) << 2)?;
    if pde & entry::PAGE_SIZE != 0 && controls.page_size_extensions() {
        let frame = four_mib_frame(controls, pde)?;
        let rights = entry_rights(pde) | leaf_rights(controls, pde, false);
        return Ok(WalkedPage {
            frame,
            size: PageSize::FourMib,
            rights,
        });
    }
    let pte = walk.step(tables, (pde & 0xffff_f000) | (address >> 12 & 0x3ff) << 2)?;
    let rights: Rights = combine(entry_rights(pde), pte) | leaf_rights(controls, pte, false);
    Ok(WalkedPage {
        frame: pte & 0xffff_f000,
        size: PageSize::Small,
        rights,
    })
}

/// The address of a 4 MiB page: bits 20:13 give address bits 39:32, as far as
/// the processor has them; the rest up to bit 21 is reserved (table 4-4).
fn four_mib_frame(controls: &Controls, pde: u64) -> Result<u64, Stop> {
    let width = if controls.has_pse36 {
        controls.maxphyaddr().min(40)
    } else {
        32
    };
    let upper = pde >> 13 & 0x1ff;
    if upper >> (width - 32) != 0 {
        return Err(Stop::Reserved);
    }
    Ok(pde & 0xffc0_0000 | upper << 32)
}
