//! A second page walk, for tests: slow, and as close to the manual's tables
//! and sentences as it can be written (SDM 3A, sections 4.3 to 4.7).

use crate::access::{Access, Controls, PagingMode};

/// What the tables say about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) physical: u64,
    pub(crate) size_bits: u32,
    pub(crate) user: bool,
    pub(crate) write: bool,
    pub(crate) no_execute: bool,
    pub(crate) global: bool,
    pub(crate) key: u32,
    /// The addresses of the entries used, root first.
    pub(crate) entries: Vec<u64>,
}

fn bit(value: u64, n: u32) -> bool {
    value >> n & 1 == 1
}

/// Bits `high` down to `low`; none if `high < low`.
fn bits(value: u64, high: u32, low: u32) -> u64 {
    if high < low {
        0
    } else {
        value >> low & (u64::MAX >> (63 - (high - low)))
    }
}

/// Reads an entry of 4 or 8 bytes.
pub(crate) type Read<'a> = &'a dyn Fn(u64, usize) -> u64;

/// The translation, or whether a reserved bit (true) or P (false) stops it.
pub(crate) fn walk(read: Read<'_>, c: &Controls, address: u64) -> Result<Page, bool> {
    match c.paging_mode() {
        PagingMode::Off => Ok(Page {
            physical: address & 0xffff_ffff,
            size_bits: 12,
            user: true,
            write: true,
            no_execute: false,
            global: false,
            key: 0,
            entries: vec![],
        }),
        PagingMode::Legacy => legacy(read, c, address & 0xffff_ffff),
        PagingMode::Pae => pae(read, c, address & 0xffff_ffff),
        PagingMode::FourLevel => long(read, c, address, &[39, 30, 21, 12]),
        PagingMode::FiveLevel => long(read, c, address, &[48, 39, 30, 21, 12]),
    }
}

fn legacy(read: Read<'_>, c: &Controls, address: u64) -> Result<Page, bool> {
    let pde_address = bits(c.cr3, 31, 12) << 12 | bits(address, 31, 22) << 2;
    let pde = read(pde_address, 4);
    if !bit(pde, 0) {
        return Err(false);
    }
    if bit(c.cr4, 4) && bit(pde, 7) {
        let m = if c.has_pse36 {
            u32::from(c.physical_address_bits).min(40)
        } else {
            32
        };
        if bits(pde, 21, m - 19) != 0 {
            return Err(true);
        }
        return Ok(Page {
            physical: bits(pde, m - 20, 13) << 32 | bits(pde, 31, 22) << 22 | bits(address, 21, 0),
            size_bits: 22,
            user: bit(pde, 2),
            write: bit(pde, 1),
            no_execute: false,
            global: bit(pde, 8) && bit(c.cr4, 7),
            key: 0,
            entries: vec![pde_address],
        });
    }
    let pte_address = bits(pde, 31, 12) << 12 | bits(address, 21, 12) << 2;
    let pte = read(pte_address, 4);
    if !bit(pte, 0) {
        return Err(false);
    }
    Ok(Page {
        physical: bits(pte, 31, 12) << 12 | bits(address, 11, 0),
        size_bits: 12,
        user: bit(pde, 2) && bit(pte, 2),
        write: bit(pde, 1) && bit(pte, 1),
        no_execute: false,
        global: bit(pte, 8) && bit(c.cr4, 7),
        key: 0,
        entries: vec![pde_address, pte_address],
    })
}

fn pae(read: Read<'_>, c: &Controls, address: u64) -> Result<Page, bool> {
    let m = u32::from(c.physical_address_bits);
    let nxe = bit(c.efer, 11);
    let pdpte = c.pdptes[bits(address, 31, 30) as usize];
    if !bit(pdpte, 0) {
        return Err(false);
    }
    let pde_address = bits(pdpte, 51, 12) << 12 | bits(address, 29, 21) << 3;
    let pde = read(pde_address, 8);
    if !bit(pde, 0) {
        return Err(false);
    }
    if bits(pde, 62, m) != 0 || (!nxe && bit(pde, 63)) {
        return Err(true);
    }
    if bit(pde, 7) {
        if bits(pde, 20, 13) != 0 {
            return Err(true);
        }
        return Ok(Page {
            physical: bits(pde, 51, 21) << 21 | bits(address, 20, 0),
            size_bits: 21,
            user: bit(pde, 2),
            write: bit(pde, 1),
            no_execute: bit(pde, 63),
            global: bit(pde, 8) && bit(c.cr4, 7),
            key: 0,
            entries: vec![pde_address],
        });
    }
    let pte_address = bits(pde, 51, 12) << 12 | bits(address, 20, 12) << 3;
    let pte = read(pte_address, 8);
    if !bit(pte, 0) {
        return Err(false);
    }
    if bits(pte, 62, m) != 0 || (!nxe && bit(pte, 63)) {
        return Err(true);
    }
    Ok(Page {
        physical: bits(pte, 51, 12) << 12 | bits(address, 11, 0),
        size_bits: 12,
        user: bit(pde, 2) && bit(pte, 2),
        write: bit(pde, 1) && bit(pte, 1),
        no_execute: bit(pde, 63) || bit(pte, 63),
        global: bit(pte, 8) && bit(c.cr4, 7),
        key: 0,
        entries: vec![pde_address, pte_address],
    })
}

fn long(read: Read<'_>, c: &Controls, address: u64, shifts: &[u32]) -> Result<Page, bool> {
    let m = u32::from(c.physical_address_bits);
    let mut table = bits(c.cr3, 51, 12) << 12;
    let mut entries = vec![];
    let (mut user, mut write, mut no_execute) = (true, true, false);
    for &shift in shifts {
        let entry_address = table | bits(address, shift + 8, shift) << 3;
        let entry = read(entry_address, 8);
        if !bit(entry, 0) {
            return Err(false);
        }
        entries.push(entry_address);
        let maps_page = shift == 12 || bit(entry, 7);
        let malformed = match shift {
            48 | 39 => bit(entry, 7),
            30 if bit(entry, 7) => !c.has_1gib_pages || bits(entry, 29, 13) != 0,
            21 if bit(entry, 7) => bits(entry, 20, 13) != 0,
            _ => false,
        };
        if malformed || bits(entry, 51, m) != 0 || (bit(entry, 63) && !bit(c.efer, 11)) {
            return Err(true);
        }
        user &= bit(entry, 2);
        write &= bit(entry, 1);
        no_execute |= bit(entry, 63);
        if maps_page {
            return Ok(Page {
                physical: bits(entry, 51, shift) << shift | bits(address, shift - 1, 0),
                size_bits: shift,
                user,
                write,
                no_execute,
                global: bit(entry, 8) && bit(c.cr4, 7),
                key: bits(entry, 62, 59) as u32,
                entries,
            });
        }
        table = bits(entry, 51, 12) << 12;
    }
    unreachable!("the last level maps a page")
}

/// True if protection keys deny the access (section 4.6.2).
fn key_denies(c: &Controls, access: Access, page: &Page) -> bool {
    let (wp, pke, pks) = (bit(c.cr0, 16), bit(c.cr4, 22), bit(c.cr4, 24));
    if access.is_execute() || !bit(c.efer, 10) {
        return false;
    }
    let ad = |register: u32| bit(u64::from(register), 2 * page.key);
    let wd = |register: u32| bit(u64::from(register), 2 * page.key + 1);
    if page.user {
        pke && (ad(c.pkru) || wd(c.pkru) && access.is_write() && (access.user || wp))
    } else {
        pks && (ad(c.pkrs) || wd(c.pkrs) && access.is_write() && wp)
    }
}

/// True if the access may happen (section 4.6.1, sentence by sentence).
pub(crate) fn allowed(c: &Controls, access: Access, page: &Page) -> bool {
    if !c.paging() {
        return true;
    }
    let (wp, smep, smap) = (bit(c.cr0, 16), bit(c.cr4, 20), bit(c.cr4, 21));
    let base = match (
        access.user,
        access.is_execute(),
        access.is_write(),
        page.user,
    ) {
        // User-mode accesses to supervisor-mode addresses are never allowed.
        (true, _, _, false) => false,
        (true, true, _, true) => !page.no_execute,
        (true, false, true, true) => page.write,
        (true, false, false, true) => true,
        (false, true, _, true) => !smep && !page.no_execute,
        (false, true, _, false) => !page.no_execute,
        (false, false, false, true) => !smap || access.ac,
        (false, false, false, false) => true,
        (false, false, true, true) => (!smap || access.ac) && (!wp || page.write),
        (false, false, true, false) => !wp || page.write,
    };
    base && !key_denies(c, access, page)
}

/// The physical page or the error code, with the rights checked.
pub(crate) fn translate(
    read: Read<'_>,
    c: &Controls,
    access: Access,
    address: u64,
) -> Result<Page, u32> {
    let nxe = bit(c.cr4, 5) && bit(c.efer, 11);
    let fetch = access.is_execute() && (nxe || bit(c.cr4, 20));
    let what =
        u32::from(access.is_write()) << 1 | u32::from(access.user) << 2 | u32::from(fetch) << 4;
    match walk(read, c, address) {
        Err(false) => Err(what),
        Err(true) => Err(what | 1 | 8),
        Ok(page) if allowed(c, access, &page) => Ok(page),
        Ok(page) => Err(what | 1 | u32::from(key_denies(c, access, &page)) << 5),
    }
}
