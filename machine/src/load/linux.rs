//! Linux `bzImage` kernels (Documentation/arch/x86/boot.rst, protocols 2.00 to 2.15).
//!
//! The 64-bit entry is taken where the kernel has one, else the 32-bit entry; the real-mode setup code is never run,
//! so the loader fills in the zero page that it would have made.

mod header;
mod zero_page;

use header::Header;

use super::fields::c_string;
use super::memory::{FOUR_GIB, ONE_MIB, Placer};
use super::{BootImage, BootRequest, Chunk, Format, InputFile, LoadError, Start, tables};

/// Where the zero page and the command line go. Kernels before protocol 2.02 look for both in this segment.
const ZERO_PAGE: u64 = 0x9_0000;
const COMMAND_LINE: u64 = 0x9_9000;
const COMMAND_LINE_ROOM: usize = 0x5000;

/// Whether the bytes are a Linux kernel in its boot format.
pub(super) fn is_linux(bytes: &[u8]) -> bool {
    bytes.get(0x202..0x206) == Some(b"HdrS")
}

/// Lays out a kernel.
pub(super) fn load(request: &BootRequest<'_>) -> Result<BootImage, LoadError> {
    let kernel = request.kernel;
    let header = Header::parse(kernel)?;
    if header.is_64_bit() && !request.has_long_mode {
        let what = "is a 64-bit kernel, but the chosen processor has no 64-bit mode; choose --cpu x86-64 or max";
        return Err(LoadError::Unsupported {
            path: kernel.path.clone(),
            what,
        });
    }
    let command_line = command_line(request, &header)?;
    let mut placer = Placer::new(request.memory);
    let protected = header.protected_mode(kernel)?;
    let load_address = place_kernel(&mut placer, kernel, &header, protected.len() as u64)?;
    placer.put(Chunk::new(load_address, protected.to_vec()));
    for (address, length) in [
        (ZERO_PAGE, 0x1000),
        (COMMAND_LINE, command_line.len() as u64),
    ] {
        if !placer.claim(address..address + length) {
            return Err(placer.out_of_memory(kernel, ONE_MIB));
        }
    }
    let initrd = place_initrd(&mut placer, request, &header)?;
    let page = zero_page::build(request, &header, load_address, initrd);
    placer.put(Chunk::new(ZERO_PAGE, page));
    placer.put(Chunk::new(COMMAND_LINE, command_line));
    start(request, &header, placer, load_address)
}

fn start(
    request: &BootRequest<'_>,
    header: &Header,
    mut placer: Placer,
    load_address: u64,
) -> Result<BootImage, LoadError> {
    let is_long = header.is_64_bit();
    let descriptors = tables::descriptors(&mut placer, request, is_long)?;
    let stack = tables::stack(&mut placer, request)?;
    let start = if is_long {
        let page_tables = tables::identity_map(&mut placer, request)?;
        Start::Long64 {
            entry: load_address + 0x200,
            rsi: ZERO_PAGE,
            rsp: stack,
            page_tables,
            descriptors,
        }
    } else {
        Start::Protected32 {
            entry: load_address as u32,
            eax: 0,
            ebx: 0,
            esi: ZERO_PAGE as u32,
            esp: stack as u32,
            descriptors,
        }
    };
    let format = if is_long {
        Format::Linux64
    } else {
        Format::Linux32
    };
    Ok(BootImage {
        format,
        chunks: placer.into_chunks(),
        start,
    })
}

fn command_line(request: &BootRequest<'_>, header: &Header) -> Result<Vec<u8>, LoadError> {
    let bytes = c_string(request.command_line);
    let limit = header.command_line_limit().min(COMMAND_LINE_ROOM - 1);
    let length = bytes.len() - 1;
    if length > limit {
        return Err(LoadError::CommandLineTooLong {
            path: request.kernel.path.clone(),
            length,
            limit,
        });
    }
    Ok(bytes)
}

/// Finds where the kernel is loaded and takes all it needs until it reads the memory map.
fn place_kernel(
    placer: &mut Placer,
    kernel: &InputFile,
    header: &Header,
    file_bytes: u64,
) -> Result<u64, LoadError> {
    let address = header.load_address();
    // A relocatable kernel below its preferred address moves itself up to it: it needs that room all the same.
    let needed = header.init_size().max(file_bytes);
    if placer.claim(address..address.saturating_add(needed)) {
        return Ok(address);
    }
    if header.is_relocatable() {
        let align = header.alignment();
        if let Some(found) = placer.lowest(needed, align, address..FOUR_GIB) {
            return Ok(found);
        }
    }
    Err(placer.out_of_memory(kernel, address.saturating_add(needed)))
}

/// Puts the initial RAM disks, one after the other, as high as the kernel can read them.
fn place_initrd(
    placer: &mut Placer,
    request: &BootRequest<'_>,
    header: &Header,
) -> Result<Option<(u64, u64)>, LoadError> {
    let bytes = joined_modules(request)?;
    let Some(first) = request.modules.first() else {
        return Ok(None);
    };
    let size = bytes.len() as u64;
    let limit = header.initrd_limit().min(FOUR_GIB);
    let Some(address) = placer.highest(size, 0x1000, ONE_MIB..limit) else {
        let top = placer
            .ram_bytes()
            .saturating_add(size)
            .saturating_add(ONE_MIB);
        return Err(placer.out_of_memory(&first.file, top));
    };
    placer.put(Chunk::new(address, bytes));
    Ok(Some((address, size)))
}

/// Several archives become one: Linux unpacks them in turn, each from a multiple of four bytes.
pub(super) fn joined_modules(request: &BootRequest<'_>) -> Result<Vec<u8>, LoadError> {
    let mut joined = Vec::new();
    for module in request.modules {
        if !module.arguments.is_empty() {
            let path = module.file.path.clone();
            return Err(LoadError::ModuleArguments {
                path,
                arguments: module.arguments.clone(),
            });
        }
        joined.resize(usize::next_multiple_of(joined.len(), 4), 0);
        joined.extend_from_slice(&module.file.bytes);
    }
    Ok(joined)
}
