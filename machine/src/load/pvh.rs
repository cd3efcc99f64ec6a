//! ELF kernels with a PVH entry: a note of type 18, and `hvm_start_info` version 1 (Xen's PVH boot ABI, start_info.h).

use super::elf::Image;
use super::fields::{Fields, c_string, u32_at, u64_at};
use super::linux::joined_modules;
use super::memory::{FOUR_GIB, ONE_MIB, Placer};
use super::{BootImage, BootRequest, Chunk, Format, LoadError, NotAKernel, Start, tables};

/// `XEN_ELFNOTE_PHYS32_ENTRY`: the note that holds the entry.
pub(super) const ENTRY_NOTE: u32 = 18;
/// `XEN_HVM_START_MAGIC_VALUE`: "xEn3" with the highest bit of the "E" set.
const MAGIC: u32 = 0x336e_c578;
const VERSION: u32 = 1;

const START_INFO_BYTES: usize = 56;
const MODULE_BYTES: usize = 32;
const RANGE_BYTES: usize = 24;

/// Lays out a kernel.
pub(super) fn load(request: &BootRequest<'_>, image: &Image<'_>) -> Result<BootImage, LoadError> {
    let kernel = request.kernel;
    let Some(note) = image.xen_note else {
        return Err(LoadError::NotAKernel {
            path: kernel.path.clone(),
            found: NotAKernel::ElfWithoutEntry,
        });
    };
    let entry = if note.len() >= 8 {
        u64_at(note, 0)
    } else {
        u32_at(note, 0).map(u64::from)
    };
    let Some(entry) = entry.and_then(|entry| u32::try_from(entry).ok()) else {
        let what = "its PVH entry is not a 32-bit address";
        return Err(LoadError::Damaged {
            path: kernel.path.clone(),
            what,
        });
    };
    let mut placer = Placer::new(request.memory);
    image.place(kernel, &mut placer)?;
    let modules = place_modules(&mut placer, request)?;
    let info = start_info(&mut placer, request, &modules)?;
    let descriptors = tables::descriptors(&mut placer, request, false)?;
    let stack = tables::stack(&mut placer, request)?;
    let start = Start::Protected32 {
        entry,
        eax: 0,
        ebx: info as u32,
        esi: 0,
        esp: stack as u32,
        descriptors,
    };
    Ok(BootImage {
        format: Format::Pvh,
        chunks: placer.into_chunks(),
        start,
    })
}

/// A module in memory.
struct Placed {
    address: u64,
    bytes: u64,
    command_line: String,
}

fn place_modules(placer: &mut Placer, request: &BootRequest<'_>) -> Result<Vec<Placed>, LoadError> {
    let mut modules: Vec<(Vec<u8>, String)> = Vec::new();
    if request.modules.len() > 1 && is_linux(&request.kernel.bytes) {
        // Linux takes the first module only, as its initial RAM disk.
        modules.push((joined_modules(request)?, String::new()));
    } else {
        modules.extend(
            request
                .modules
                .iter()
                .map(|module| (module.file.bytes.clone(), module.arguments.clone())),
        );
    }
    let mut placed = Vec::new();
    for ((bytes, command_line), module) in modules.into_iter().zip(request.modules) {
        let length = bytes.len() as u64;
        let Some(address) = placer.highest(length, 0x1000, ONE_MIB..FOUR_GIB) else {
            let top = placer.ram_bytes().saturating_add(length);
            return Err(placer.out_of_memory(&module.file, top));
        };
        placer.put(Chunk::new(address, bytes));
        placed.push(Placed {
            address,
            bytes: length,
            command_line,
        });
    }
    Ok(placed)
}

/// Every Linux kernel holds its banner.
fn is_linux(bytes: &[u8]) -> bool {
    let banner = b"Linux version ";
    bytes.windows(banner.len()).any(|window| window == banner)
}

fn start_info(
    placer: &mut Placer,
    request: &BootRequest<'_>,
    modules: &[Placed],
) -> Result<u64, LoadError> {
    let kernel = request.kernel;
    let mut list = Fields::zeroed(MODULE_BYTES * modules.len());
    for (index, module) in modules.iter().enumerate() {
        let at = MODULE_BYTES * index;
        list.u64(at, module.address).u64(at + 8, module.bytes);
        if !module.command_line.is_empty() {
            list.u64(
                at + 16,
                placer.table(c_string(&module.command_line), 1, kernel)?,
            );
        }
    }
    let mut map = Fields::zeroed(RANGE_BYTES * request.memory.len());
    for (index, range) in request.memory.iter().enumerate() {
        let at = RANGE_BYTES * index;
        map.u64(at, range.start)
            .u64(at + 8, range.end.saturating_sub(range.start))
            .u32(at + 16, range.kind as u32);
    }
    let mut info = Fields::zeroed(START_INFO_BYTES);
    info.u32(0, MAGIC).u32(4, VERSION);
    info.u32(12, modules.len() as u32);
    if !modules.is_empty() {
        info.u64(16, placer.table(list.finish(), 8, kernel)?);
    }
    info.u64(24, placer.table(c_string(request.command_line), 1, kernel)?);
    info.u64(32, request.rsdp.unwrap_or(0));
    info.u64(40, placer.table(map.finish(), 8, kernel)?);
    info.u32(48, request.memory.len() as u32);
    placer.table(info.finish(), 8, kernel)
}
