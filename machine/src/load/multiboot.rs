//! Multiboot 1 kernels: ELF, or any file whose header says where it goes (Multiboot Specification 0.6.96).

use super::elf::{self, Image, Segment};
use super::fields::{Fields, c_string, u32_at};
use super::memory::{FOUR_GIB, ONE_MIB, Placer};
use super::{
    BootImage, BootRequest, Chunk, Format, InputFile, LoadError, MemoryKind, Start, tables,
};

/// Section 3.1.2.
const HEADER_MAGIC: u32 = 0x1bad_b002;
/// The header lies within this many bytes, at a multiple of four.
const SEARCH_BYTES: usize = 8192;
/// Section 3.2: EAX at the entry.
const LOADER_MAGIC: u32 = 0x2bad_b002;

/// Header flags. Of those that must be understood (bits 0 to 15), all but these are unknown.
mod header_flag {
    /// Modules at page boundaries; ours always are.
    pub(super) const PAGE_ALIGN: u32 = 1 << 0;
    /// The information must have the memory fields; ours always has.
    pub(super) const MEMORY_INFO: u32 = 1 << 1;
    /// The information must have the video fields.
    pub(super) const VIDEO_MODE: u32 = 1 << 2;
    /// The header's address fields count: the "a.out kludge".
    pub(super) const ADDRESSES: u32 = 1 << 16;
}

/// Flags of the information table: which of its fields count.
mod info_flag {
    pub(super) const MEMORY: u32 = 1 << 0;
    pub(super) const COMMAND_LINE: u32 = 1 << 2;
    pub(super) const MODULES: u32 = 1 << 3;
    pub(super) const MEMORY_MAP: u32 = 1 << 6;
    pub(super) const LOADER_NAME: u32 = 1 << 9;
    pub(super) const FRAMEBUFFER: u32 = 1 << 12;
}

const INFO_BYTES: usize = 116;
const MODULE_BYTES: usize = 16;
/// A size field of four bytes, and the twenty that it counts.
const RANGE_BYTES: usize = 24;

/// A multiboot header that was found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    offset: usize,
    flags: u32,
}

impl Header {
    /// Looks for the header: the first place where magic, flags and checksum add up to zero.
    pub(super) fn find(bytes: &[u8]) -> Option<Self> {
        let searched = &bytes[..bytes.len().min(SEARCH_BYTES)];
        (0..searched.len()).step_by(4).find_map(|offset| {
            let magic = u32_at(searched, offset).filter(|magic| *magic == HEADER_MAGIC)?;
            let flags = u32_at(searched, offset + 4)?;
            let checksum = u32_at(searched, offset + 8)?;
            let is_sound = magic.wrapping_add(flags).wrapping_add(checksum) == 0;
            is_sound.then_some(Self { offset, flags })
        })
    }

    /// Whether the header says itself where the file goes.
    pub(super) fn has_addresses(&self) -> bool {
        self.flags & header_flag::ADDRESSES != 0
    }
}

/// Lays out a kernel; `image` if it is an ELF file.
pub(super) fn load(
    request: &BootRequest<'_>,
    header: &Header,
    image: Option<&Image<'_>>,
) -> Result<BootImage, LoadError> {
    let kernel = request.kernel;
    let known = header_flag::PAGE_ALIGN | header_flag::MEMORY_INFO | header_flag::VIDEO_MODE;
    if header.flags & 0xffff & !known != 0 {
        let what = "requires multiboot features that are unknown here; build it with header flags 0 to 2 only";
        return Err(LoadError::Unsupported {
            path: kernel.path.clone(),
            what,
        });
    }
    let mut placer = Placer::new(request.memory);
    let entry = if header.has_addresses() {
        place_by_header(&mut placer, kernel, header)?
    } else if let Some(image) = image {
        image.place(kernel, &mut placer)?;
        image.physical_entry()
    } else {
        let what = "has a multiboot header without addresses and is not ELF; set header flag 16";
        return Err(LoadError::Unsupported {
            path: kernel.path.clone(),
            what,
        });
    };
    let Ok(entry) = u32::try_from(entry) else {
        return Err(LoadError::Damaged {
            path: kernel.path.clone(),
            what: "its entry lies above 4 GiB",
        });
    };
    let info = information(&mut placer, request)?;
    let descriptors = tables::multiboot_descriptors(&mut placer, request)?;
    let stack = tables::stack(&mut placer, request)?;
    let start = Start::Protected32 {
        entry,
        eax: LOADER_MAGIC,
        ebx: info as u32,
        esi: 0,
        esp: stack as u32,
        descriptors,
    };
    Ok(BootImage {
        format: Format::Multiboot,
        chunks: placer.into_chunks(),
        start,
    })
}

/// Loads the file by the header's address fields (section 3.1.3) and returns the entry.
fn place_by_header(
    placer: &mut Placer,
    kernel: &InputFile,
    header: &Header,
) -> Result<u64, LoadError> {
    let bytes = &kernel.bytes;
    let has = bytes.len() as u64;
    let truncated = |part, needs| LoadError::Truncated {
        path: kernel.path.clone(),
        part,
        needs,
        has,
    };
    let field = |index: usize| {
        let at = header.offset + 12 + 4 * index;
        u32_at(bytes, at)
            .map(u64::from)
            .ok_or_else(|| truncated("multiboot header", at as u64 + 4))
    };
    let (header_address, load_address, load_end) = (field(0)?, field(1)?, field(2)?);
    let (bss_end, entry) = (field(3)?, field(4)?);
    let damaged = || LoadError::Damaged {
        path: kernel.path.clone(),
        what: "its multiboot addresses contradict",
    };
    let before_header = header_address
        .checked_sub(load_address)
        .ok_or_else(damaged)?;
    let start = (header.offset as u64)
        .checked_sub(before_header)
        .ok_or_else(damaged)?;
    let length = match load_end {
        0 => has - start,
        end => end.checked_sub(load_address).ok_or_else(damaged)?,
    };
    let needs = start.saturating_add(length);
    let loaded = bytes
        .get(start as usize..needs as usize)
        .ok_or_else(|| truncated("loaded part", needs))?;
    let memory_bytes = match bss_end {
        0 => length,
        end => end
            .checked_sub(load_address)
            .filter(|size| *size >= length)
            .ok_or_else(damaged)?,
    };
    let segment = Segment {
        physical: load_address,
        linear: load_address,
        bytes: loaded,
        memory_bytes,
    };
    elf::place(kernel, placer, &segment)?;
    Ok(entry)
}

/// Puts the modules and the information table of section 3.3 into memory.
fn information(placer: &mut Placer, request: &BootRequest<'_>) -> Result<u64, LoadError> {
    let kernel = request.kernel;
    let mut flags = info_flag::MEMORY
        | info_flag::COMMAND_LINE
        | info_flag::MEMORY_MAP
        | info_flag::LOADER_NAME;
    let mut info = Fields::zeroed(INFO_BYTES);
    let (lower_kib, upper_kib) = simple_sizes(request);
    info.u32(4, lower_kib).u32(8, upper_kib);
    // As most loaders do, the kernel's own name comes first.
    let command_line = format!("{} {}", kernel.path.display(), request.command_line);
    info.u32(
        16,
        placer.table(c_string(command_line.trim_end()), 1, kernel)? as u32,
    );
    if !request.modules.is_empty() {
        flags |= info_flag::MODULES;
        let list = modules(placer, request)?;
        info.u32(20, request.modules.len() as u32)
            .u32(24, list as u32);
    }
    let mut map = Fields::zeroed(RANGE_BYTES * request.memory.len());
    for (index, range) in request.memory.iter().enumerate() {
        let at = RANGE_BYTES * index;
        map.u32(at, RANGE_BYTES as u32 - 4).u64(at + 4, range.start);
        map.u64(at + 12, range.end.saturating_sub(range.start))
            .u32(at + 20, range.kind as u32);
    }
    info.u32(44, (RANGE_BYTES * request.memory.len()) as u32);
    info.u32(48, placer.table(map.finish(), 4, kernel)? as u32);
    info.u32(64, placer.table(c_string("rax"), 1, kernel)? as u32);
    if request.has_vga {
        // The answer to any wish for a video mode: 80 by 25 characters of text.
        flags |= info_flag::FRAMEBUFFER;
        info.u64(88, 0xb_8000)
            .u32(96, 160)
            .u32(100, 80)
            .u32(104, 25)
            .u8(108, 16)
            .u8(109, 2);
    }
    info.u32(0, flags);
    placer.table(info.finish(), 4, kernel)
}

/// Puts the modules above the kernel, and their list into low memory.
fn modules(placer: &mut Placer, request: &BootRequest<'_>) -> Result<u64, LoadError> {
    let mut list = Fields::zeroed(MODULE_BYTES * request.modules.len());
    for (index, module) in request.modules.iter().enumerate() {
        let bytes = &module.file.bytes;
        let length = bytes.len() as u64;
        let above_kernel = placer.used_end().max(ONE_MIB);
        let place = placer.lowest(length, 0x1000, above_kernel..FOUR_GIB);
        let Some(address) = place.or_else(|| placer.lowest(length, 0x1000, ONE_MIB..FOUR_GIB))
        else {
            let top = placer.ram_bytes().saturating_add(length);
            return Err(placer.out_of_memory(&module.file, top));
        };
        placer.put(Chunk::new(address, bytes.clone()));
        let command_line = placer.table(c_string(&module.command_line()), 1, request.kernel)?;
        let at = MODULE_BYTES * index;
        list.u32(at, address as u32)
            .u32(at + 4, (address + length) as u32)
            .u32(at + 8, command_line as u32);
    }
    placer.table(list.finish(), 4, request.kernel)
}

/// KiB from 0 and from 1 MiB up to the first hole.
fn simple_sizes(request: &BootRequest<'_>) -> (u32, u32) {
    let from = |start| {
        let ram = request
            .memory
            .iter()
            .find(|range| range.kind == MemoryKind::Ram && range.start == start);
        ram.map_or(0, |range| {
            u32::try_from((range.end - range.start) >> 10).unwrap_or(u32::MAX)
        })
    };
    (from(0), from(ONE_MIB))
}
