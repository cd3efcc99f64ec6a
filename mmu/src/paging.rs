//! Page walks: from a linear address and the guest's tables to a page.
//!
//! Intel SDM, volume 3A, chapter 4. The walks of the three kinds of tables are
//! in `paging/legacy.rs` (4.3), `paging/pae.rs` (4.4) and
//! `paging/four_level.rs` (4.5); this file has what they share: access rights
//! (4.6), error codes (4.7) and accessed and dirty flags (4.8).

use crate::access::{Access, Controls, PagingMode};
use crate::address::PhysicalAddress;
use crate::fault::PageFaultCode;
use crate::physical::{PhysicalMap, PhysicalMemory, Place};

mod four_level;
mod legacy;
mod pae;
#[cfg(test)]
pub(crate) mod plain;
#[cfg(test)]
pub(crate) mod tests;

/// A PDPTE has a reserved bit set: MOV to CR3 raises #GP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reserved bit is set in a page-directory-pointer-table entry")]
pub struct InvalidPdpte;

pub(crate) use pae::load_pdptes;

bitflags::bitflags! {
    /// What the entries of one translation say together.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Rights: u32 {
        /// U/S is set at every level: a user-mode address.
        const USER = 1 << 0;
        /// R/W is set at every level.
        const WRITE = 1 << 1;
        /// XD is set at some level.
        const NO_EXECUTE = 1 << 2;
        /// The page is global, and CR4.PGE is set.
        const GLOBAL = 1 << 3;
        /// The page's D flag is known to be set.
        const DIRTY = 1 << 4;
        /// Half of a 4 MiB page.
        const FOUR_MIB = 1 << 5;
        /// The page is larger than 4 KiB.
        const LARGE = 1 << 6;
        /// The protection key.
        const KEY = 0xf << 8;
    }
}

impl Rights {
    fn key(self) -> u32 {
        (self & Self::KEY).bits() >> 8
    }
}

/// The size of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageSize {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Large,
    /// 4 MiB.
    FourMib,
    /// 1 GiB.
    Giant,
}

impl PageSize {
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::Small => 12,
            Self::Large => 21,
            Self::FourMib => 22,
            Self::Giant => 30,
        }
    }
}

/// The page that a walk arrived at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WalkedPage {
    /// Its first physical address.
    pub(crate) frame: u64,
    pub(crate) size: PageSize,
    pub(crate) rights: Rights,
}

impl WalkedPage {
    pub(crate) fn physical(&self, address: u64) -> PhysicalAddress {
        PhysicalAddress(self.frame | address & ((1 << self.size.bits()) - 1))
    }
}

/// Why a walk did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    NotPresent,
    Reserved,
}

/// An entry that a walk went through.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    address: u64,
    value: u64,
}

/// The entries of one walk, root first.
#[derive(Clone, Copy, Debug)]
struct Walk {
    steps: [Step; 5],
    count: usize,
    /// Entries are 32 bits wide.
    is_legacy: bool,
}

impl Walk {
    fn new(is_legacy: bool) -> Self {
        Self {
            steps: [Step::default(); 5],
            count: 0,
            is_legacy,
        }
    }

    /// Reads the next entry; it must be present.
    #[inline]
    fn step(&mut self, tables: &Tables<'_>, address: u64) -> Result<u64, Stop> {
        let value = tables.read(address, self.is_legacy);
        if value & entry::PRESENT == 0 {
            return Err(Stop::NotPresent);
        }
        if let Some(step) = self.steps.get_mut(self.count) {
            *step = Step { address, value };
            self.count += 1;
        }
        Ok(value)
    }
}

/// Bits of paging-structure entries (SDM 3A, tables 4-4 to 4-20).
mod entry {
    pub(super) const PRESENT: u64 = 1 << 0;
    pub(super) const WRITE: u64 = 1 << 1;
    pub(super) const USER: u64 = 1 << 2;
    pub(super) const ACCESSED: u64 = 1 << 5;
    pub(super) const DIRTY: u64 = 1 << 6;
    pub(super) const PAGE_SIZE: u64 = 1 << 7;
    pub(super) const GLOBAL: u64 = 1 << 8;
    pub(super) const KEY_SHIFT: u32 = 59;
    pub(super) const NO_EXECUTE: u64 = 1 << 63;
    /// The address field of a 64-bit entry.
    pub(super) const FRAME: u64 = 0x000f_ffff_ffff_f000;
}

/// Physical memory as a page walk sees it: RAM and ROM. Elsewhere, all ones.
pub(crate) struct Tables<'a> {
    pub(crate) memory: &'a PhysicalMemory,
    pub(crate) map: &'a PhysicalMap,
}

impl Tables<'_> {
    #[inline]
    fn read(&self, address: u64, is_legacy: bool) -> u64 {
        let ram = self.memory.ram();
        match self.map.span(PhysicalAddress(address)).place {
            Place::Ram(offset) | Place::Rom(offset) | Place::Split { read: offset, .. } => {
                ram.commit(offset, 8);
                let host = ram.base().wrapping_add(offset);
                if is_legacy {
                    u64::from(ram.load::<u32>(host))
                } else {
                    ram.load::<u64>(host)
                }
            }
            Place::Mmio if is_legacy => u64::from(u32::MAX),
            Place::Mmio => u64::MAX,
        }
    }

    /// Sets flags in an entry. False if somebody changed the rest of it.
    #[cold]
    fn set_flags(&self, step: Step, flags: u64, is_legacy: bool) -> bool {
        let Place::Ram(offset) = self.map.span(PhysicalAddress(step.address)).place else {
            return true;
        };
        let ram = self.memory.ram();
        let host = ram.base().wrapping_add(offset);
        let (old, new) = (step.value, step.value | flags);
        let done = if is_legacy {
            ram.compare_exchange(host, old as u32, new as u32).is_ok()
        } else {
            ram.compare_exchange(host, old, new).is_ok()
        };
        if done {
            self.memory
                .note_write(offset, if is_legacy { 4 } else { 8 });
        }
        done
    }
}

/// How often a walk begins anew because another processor changes entries.
const ATTEMPTS: u32 = 64;

/// Walks the tables for an access, checks it, and sets A and D flags.
///
/// # Errors
/// The error code of the page fault.
pub(crate) fn translate(
    tables: &Tables<'_>,
    controls: &Controls,
    access: Access,
    address: u64,
) -> Result<WalkedPage, PageFaultCode> {
    let mut attempt = 0;
    loop {
        let mut steps = Walk::new(controls.paging_mode() == PagingMode::Legacy);
        let mut page = walk(tables, controls, address, &mut steps)
            .map_err(|stop| stopped(controls, access, stop))?;
        check(controls, access, page.rights)?;
        attempt += 1;
        if set_accessed_and_dirty(tables, &steps, access.is_write()) || attempt == ATTEMPTS {
            if access.is_write() {
                page.rights |= Rights::DIRTY;
            }
            return Ok(page);
        }
    }
}

/// Walks the tables and changes nothing.
pub(crate) fn look_up(
    tables: &Tables<'_>,
    controls: &Controls,
    address: u64,
) -> Option<WalkedPage> {
    let mut steps = Walk::new(controls.paging_mode() == PagingMode::Legacy);
    walk(tables, controls, address, &mut steps).ok()
}

#[inline]
fn walk(
    tables: &Tables<'_>,
    controls: &Controls,
    address: u64,
    steps: &mut Walk,
) -> Result<WalkedPage, Stop> {
    match controls.paging_mode() {
        PagingMode::Off => Ok(WalkedPage {
            frame: address & crate::PAGE_MASK,
            size: PageSize::Small,
            rights: Rights::USER | Rights::WRITE | Rights::DIRTY,
        }),
        PagingMode::Legacy => legacy::walk(tables, controls, address, steps),
        PagingMode::Pae => pae::walk(tables, controls, address, steps),
        PagingMode::FourLevel => four_level::walk(
            tables,
            controls,
            address,
            four_level::root(controls, 4),
            steps,
        ),
        PagingMode::FiveLevel => four_level::walk(
            tables,
            controls,
            address,
            four_level::root(controls, 5),
            steps,
        ),
    }
}

/// Sets A in every entry used, and D in the last one on a write.
///
/// False if somebody changed an entry since it was read.
#[inline]
fn set_accessed_and_dirty(tables: &Tables<'_>, walk: &Walk, is_write: bool) -> bool {
    let steps = walk.steps.get(..walk.count).unwrap_or_default();
    let Some((last, upper)) = steps.split_last() else {
        return true;
    };
    let last_flags = if is_write {
        entry::ACCESSED | entry::DIRTY
    } else {
        entry::ACCESSED
    };
    let set = |step: &Step, flags| {
        step.value & flags == flags || tables.set_flags(*step, flags, walk.is_legacy)
    };
    upper.iter().all(|step| set(step, entry::ACCESSED)) && set(last, last_flags)
}

/// The bits of the error code that tell what the access was.
fn access_code(controls: &Controls, access: Access) -> PageFaultCode {
    let mut code = PageFaultCode::empty();
    code.set(PageFaultCode::W, access.is_write());
    code.set(PageFaultCode::U, access.user);
    let has_no_execute = controls.physical_address_extension() && controls.no_execute();
    code.set(
        PageFaultCode::I,
        access.is_execute() && (has_no_execute || controls.smep()),
    );
    code
}

fn stopped(controls: &Controls, access: Access, stop: Stop) -> PageFaultCode {
    let code = access_code(controls, access);
    match stop {
        Stop::NotPresent => code,
        Stop::Reserved => code | PageFaultCode::P | PageFaultCode::RSVD,
    }
}

/// Decides whether an access may happen (SDM 3A, section 4.6).
///
/// # Errors
/// The error code of the page fault.
#[inline]
pub(crate) fn check(
    controls: &Controls,
    access: Access,
    rights: Rights,
) -> Result<(), PageFaultCode> {
    if controls.paging_mode() == PagingMode::Off {
        return Ok(());
    }
    let key_denies = key_denies(controls, access, rights);
    let allowed = !key_denies
        && if access.user {
            user_may(access, rights)
        } else {
            supervisor_may(controls, access, rights)
        };
    if allowed {
        return Ok(());
    }
    let mut code = access_code(controls, access) | PageFaultCode::P;
    code.set(PageFaultCode::PK, key_denies);
    Err(code)
}

fn user_may(access: Access, rights: Rights) -> bool {
    rights.contains(Rights::USER)
        && (!access.is_write() || rights.contains(Rights::WRITE))
        && (!access.is_execute() || !rights.contains(Rights::NO_EXECUTE))
}

fn supervisor_may(controls: &Controls, access: Access, rights: Rights) -> bool {
    let is_user_page = rights.contains(Rights::USER);
    if access.is_execute() {
        let smep_denies = is_user_page && controls.smep();
        return !smep_denies && !rights.contains(Rights::NO_EXECUTE);
    }
    let smap_denies = is_user_page && controls.smap() && !access.ac;
    let is_read_only = controls.write_protect() && !rights.contains(Rights::WRITE);
    let read_only_denies = access.is_write() && is_read_only;
    !smap_denies && !read_only_denies
}

/// True if a protection key forbids a data access (SDM 3A, section 4.6.2).
fn key_denies(controls: &Controls, access: Access, rights: Rights) -> bool {
    if access.is_execute() || !controls.long_mode() {
        return false;
    }
    let is_user_page = rights.contains(Rights::USER);
    let (enabled, register) = if is_user_page {
        (controls.user_keys(), controls.pkru)
    } else {
        (controls.supervisor_keys(), controls.pkrs)
    };
    let denied = register >> (rights.key() * 2);
    let (access_disabled, write_disabled) = (denied & 1 != 0, denied & 2 != 0);
    // CR0.WP makes supervisor writes obey, and all writes to supervisor pages.
    let obeys_write_disable = controls.write_protect() || access.user && is_user_page;
    let write_denied = access.is_write() && write_disabled && obeys_write_disable;
    enabled && (access_disabled || write_denied)
}

/// U/S, R/W and XD of one entry.
#[inline]
fn entry_rights(value: u64) -> Rights {
    let mut rights = Rights::empty();
    rights.set(Rights::USER, value & entry::USER != 0);
    rights.set(Rights::WRITE, value & entry::WRITE != 0);
    rights.set(Rights::NO_EXECUTE, value & entry::NO_EXECUTE != 0);
    rights
}

/// Rights as the levels add up: users and writes need all, XD any.
#[inline]
fn combine(upper: Rights, value: u64) -> Rights {
    let both = Rights::USER | Rights::WRITE;
    let own = entry_rights(value);
    (upper & own & both) | ((upper | own) & Rights::NO_EXECUTE)
}

/// What only the last entry says: D, G and the protection key.
#[inline]
fn leaf_rights(controls: &Controls, value: u64, has_key: bool) -> Rights {
    let mut rights = Rights::empty();
    rights.set(Rights::DIRTY, value & entry::DIRTY != 0);
    rights.set(
        Rights::GLOBAL,
        value & entry::GLOBAL != 0 && controls.global_pages(),
    );
    if has_key {
        let key = (value >> entry::KEY_SHIFT) as u32 & 0xf;
        rights |= Rights::from_bits_retain(key << 8);
    }
    rights
}
