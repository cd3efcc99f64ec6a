//! The descriptor table and the page tables that a kernel starts with (SDM 3A, 3.4.5 and 4.5).

use super::fields::Fields;
use super::memory::Placer;
use super::{BootRequest, Chunk, LoadError};

/// A descriptor table in memory and the selectors to load from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// GDTR's base.
    pub gdt_base: u64,
    /// GDTR's limit.
    pub gdt_limit: u16,
    /// For CS.
    pub code: u16,
    /// For DS, ES, SS, FS and GS.
    pub data: u16,
    /// For TR: a busy TSS with base 0 and limit 67h.
    pub task: u16,
}

/// Selectors that the Linux protocol fixes (`__BOOT_CS`, `__BOOT_DS`, `__BOOT_TSS`); PVH accepts any.
const CODE: u16 = 0x10;
const DATA: u16 = 0x18;
const TASK: u16 = 0x20;
/// The multiboot protocol accepts any, too. But kernels are tried with QEMU's `-kernel`, whose selectors these are, and
/// some use them before they load a table of their own. DATA is there besides.
const MULTIBOOT_CODE: u16 = 0x08;
const MULTIBOOT_DATA: u16 = 0x10;

/// Flat, present, accessed, DPL 0: code that can be read, and data that can be written.
const CODE_32: u64 = 0x00cf_9b00_0000_ffff;
const CODE_64: u64 = 0x00af_9b00_0000_ffff;
const DATA_FLAT: u64 = 0x00cf_9300_0000_ffff;
/// A busy TSS; its type means 32-bit or 64-bit by the mode.
const TASK_BUSY: u64 = 0x0000_8b00_0000_0067;

const PAGE: u64 = 0x1000;
const PRESENT_WRITABLE: u64 = 0b11;
const LARGE: u64 = 1 << 7;
const LARGE_PAGE_BYTES: u64 = 2 << 20;

/// Puts a descriptor table into memory, as Linux wants it.
pub(super) fn descriptors(
    placer: &mut Placer,
    request: &BootRequest<'_>,
    is_long: bool,
) -> Result<Descriptors, LoadError> {
    let code = if is_long { CODE_64 } else { CODE_32 };
    put_descriptors(placer, request, (CODE, code), DATA)
}

/// The same for multiboot kernels.
pub(super) fn multiboot_descriptors(
    placer: &mut Placer,
    request: &BootRequest<'_>,
) -> Result<Descriptors, LoadError> {
    put_descriptors(placer, request, (MULTIBOOT_CODE, CODE_32), MULTIBOOT_DATA)
}

fn put_descriptors(
    placer: &mut Placer,
    request: &BootRequest<'_>,
    (code, code_descriptor): (u16, u64),
    data: u16,
) -> Result<Descriptors, LoadError> {
    let mut gdt = Fields::zeroed(0x30);
    gdt.u64(usize::from(code), code_descriptor);
    gdt.u64(usize::from(data), DATA_FLAT);
    gdt.u64(usize::from(DATA), DATA_FLAT);
    gdt.u64(usize::from(TASK), TASK_BUSY);
    let gdt_base = placer.table(gdt.finish(), 16, request.kernel)?;
    Ok(Descriptors {
        gdt_base,
        gdt_limit: 0x2f,
        code,
        data,
        task: TASK,
    })
}

/// Puts page tables into memory that map the first 4 GiB one to one, and returns CR3.
pub(super) fn identity_map(
    placer: &mut Placer,
    request: &BootRequest<'_>,
) -> Result<u64, LoadError> {
    const PAGES: u64 = 6;
    let length = (PAGES * PAGE) as usize;
    let level_4 = placer.room(length, PAGE, request.kernel)?;
    let level_3 = level_4 + PAGE;
    let level_2 = level_3 + PAGE;
    let mut tables = Fields::zeroed(length);
    tables.u64(0, level_3 | PRESENT_WRITABLE);
    for gib in 0..4 {
        tables.u64(
            (PAGE + gib * 8) as usize,
            (level_2 + gib * PAGE) | PRESENT_WRITABLE,
        );
    }
    for page in 0..4 * 512 {
        tables.u64(
            (2 * PAGE + page * 8) as usize,
            (page * LARGE_PAGE_BYTES) | PRESENT_WRITABLE | LARGE,
        );
    }
    placer.put(Chunk::new(level_4, tables.finish()));
    Ok(level_4)
}

/// Reserves a small stack and returns its top.
pub(super) fn stack(placer: &mut Placer, request: &BootRequest<'_>) -> Result<u64, LoadError> {
    let bottom = placer.room(PAGE as usize, PAGE, request.kernel)?;
    Ok(bottom + PAGE)
}
