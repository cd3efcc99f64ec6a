//! PAE paging (SDM 3A, section 4.4).
//!
//! The four entries of the page-directory-pointer table live in registers:
//! MOV to CR3 loads and checks them, and walks do not look at memory again.

use super::four_level::{self, Level};
use super::{InvalidPdpte, Rights, Stop, Tables, Walk, WalkedPage, entry};
use crate::access::Controls;

/// Bits 2:1 and 8:5 of a present PDPTE must be clear (table 4-8).
const PDPTE_RESERVED: u64 = 0b1_1110_0110;

/// Reads the four PDPTEs that CR3 points to.
///
/// # Errors
/// A present one has a reserved bit set.
pub(crate) fn load_pdptes(
    tables: &Tables<'_>,
    controls: &Controls,
) -> Result<[u64; 4], InvalidPdpte> {
    let table = controls.cr3 & 0xffff_ffe0;
    let beyond = !0 << controls.maxphyaddr();
    let mut pdptes = [0; 4];
    for (index, pdpte) in (0u64..).zip(&mut pdptes) {
        *pdpte = tables.read(table + index * 8, false);
        if *pdpte & entry::PRESENT != 0 && *pdpte & (PDPTE_RESERVED | beyond) != 0 {
            return Err(InvalidPdpte);
        }
    }
    Ok(pdptes)
}

/// Walks page directory and page table; rights come from these two alone.
pub(super) fn walk(
    tables: &Tables<'_>,
    controls: &Controls,
    address: u64,
    steps: &mut Walk,
) -> Result<WalkedPage, Stop> {
    let pdpte = controls.pdptes[(address >> 30 & 3) as usize];
    if pdpte & entry::PRESENT == 0 {
        return Err(Stop::NotPresent);
    }
    // Bits 62:52 are reserved too: there are no keys, and none are ignored.
    let reserved = !0 << controls.maxphyaddr() & !entry::NO_EXECUTE;
    let start = Level {
        shift: 21,
        table: pdpte & entry::FRAME,
        rights: Rights::USER | Rights::WRITE,
        reserved,
    };
    four_level::walk(tables, controls, address, start, steps)
}
