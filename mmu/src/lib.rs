//! Guest memory: physical memory, paging and the TLB.
//!
//! The crate promises three things. Whatever tables and addresses a guest
//! makes, nothing here panics. A translation follows the Intel SDM, volume 3A,
//! chapter 4, to the bit: permissions, error codes, accessed and dirty flags.
//! And an access that hits the first-level TLB costs a handful of
//! instructions, for compiled code as well, which reads the same table.
//!
//! [`PhysicalMemory`] is what the board fills with RAM and ROM and shares with
//! DMA; each processor owns one [`Mmu`] in front of it.

pub mod access;
pub mod address;
pub mod code_pages;
pub mod dirty_pages;
pub mod fault;
pub mod host_ram;
pub mod mmu;
pub mod paging;
pub mod physical;
pub mod tlb;

pub use access::{Access, AccessKind, Controls, PagingMode};
pub use address::{
    LinearAddress, PAGE_BITS, PAGE_MASK, PAGE_OFFSET, PAGE_SIZE, PhysicalAddress, is_canonical,
};
pub use code_pages::{CodeBytes, CodeChange, CodeChanges, CodePages};
pub use dirty_pages::DirtyPages;
pub use fault::{PageFault, PageFaultCode};
pub use host_ram::{HostAddress, HostRam, HostRamError, Word};
pub use mmu::{Counters, InvpcidKind, Mmu, Translation};
pub use paging::InvalidPdpte;
pub use physical::{
    Backing, MapError, MmioSpace, NotRam, PhysicalMemory, RamBlock, RamRegion, Target, Writes,
};
pub use tlb::{MissedWindow, StackCell, Tlb, TlbEntry, View, Window, WindowName};
