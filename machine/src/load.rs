//! From files to a machine that is ready to run: which bytes go where in memory, and how the processor starts.
//!
//! Pure: a loader turns bytes into a [`BootImage`] and touches neither memory nor processor. The formats are told
//! apart by content: Linux `bzImage` ([`linux`]), ELF with a PVH note ([`pvh`]) and multiboot 1 ([`multiboot`]).

mod elf;
mod error;
mod fields;
mod file;
mod firmware;
mod linux;
mod memory;
mod multiboot;
mod pvh;
mod tables;
#[cfg(test)]
mod tests;
mod vga_bios;

pub use error::{LoadError, NotAKernel, Role};
pub use file::{InputFile, Module};
pub use firmware::{check_variables, find_seabios, read_firmware, split_variables};
pub use memory::{MemoryKind, MemoryRange};
pub use tables::Descriptors;
pub use vga_bios::{boot_rom, default_vga_bios, find_vga_bios, vga_bios};

/// What the loaders need to know.
#[derive(Clone, Copy, Debug)]
pub struct BootRequest<'a> {
    /// The kernel, in any of the known formats.
    pub kernel: &'a InputFile,
    /// Initial RAM disks, or multiboot modules.
    pub modules: &'a [Module],
    /// The kernel's command line.
    pub command_line: &'a str,
    /// The machine's memory: sorted, without overlaps.
    pub memory: &'a [MemoryRange],
    /// Where the ACPI root pointer is, if the machine has one.
    pub rsdp: Option<u64>,
    /// Whether a VGA card shows an 80 by 25 text screen.
    pub has_vga: bool,
    /// Whether the processor has 64-bit mode.
    pub has_long_mode: bool,
}

/// Everything the machine writes and sets before the first instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootImage {
    /// Which format was recognised.
    pub format: Format,
    /// What goes to memory. Chunks lie in RAM and do not overlap.
    pub chunks: Vec<Chunk>,
    /// How the processor starts.
    pub start: Start,
}

/// A piece of memory to fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The guest-physical address of the first byte.
    pub address: u64,
    /// What is written there.
    pub bytes: Vec<u8>,
    /// How many zero bytes follow. (Memory that was never written is zero already.)
    pub zeros: u64,
}

/// A kernel format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Linux boot protocol, 32-bit entry.
    Linux32,
    /// Linux boot protocol, 64-bit entry.
    Linux64,
    /// ELF with a PVH entry note.
    Pvh,
    /// Multiboot 1.
    Multiboot,
}

/// The state in which the processor starts. Interrupts are off, and registers not named are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// As at power-on: real mode at F000:FFF0.
    ResetVector,
    /// 32-bit protected mode with flat 4 GiB segments; paging off, A20 open.
    Protected32 {
        /// First instruction.
        entry: u32,
        /// EAX.
        eax: u32,
        /// EBX.
        ebx: u32,
        /// ESI.
        esi: u32,
        /// ESP: the top of a small stack in low memory.
        esp: u32,
        /// GDT and selectors; the code segment is 32-bit.
        descriptors: Descriptors,
    },
    /// 64-bit mode with the first 4 GiB mapped one to one.
    Long64 {
        /// First instruction.
        entry: u64,
        /// RSI.
        rsi: u64,
        /// RSP: the top of a small stack in low memory.
        rsp: u64,
        /// CR3: the level-4 page table (CR4.PAE, EFER.LME and CR0.PG are to be set).
        page_tables: u64,
        /// GDT and selectors; the code segment is 64-bit.
        descriptors: Descriptors,
    },
}

impl Chunk {
    /// A chunk of plain bytes.
    #[must_use]
    pub fn new(address: u64, bytes: Vec<u8>) -> Self {
        Self {
            address,
            bytes,
            zeros: 0,
        }
    }

    /// The address after the last byte, the zeros included.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.address
            .saturating_add(self.bytes.len() as u64)
            .saturating_add(self.zeros)
    }
}

/// Lays out a kernel, its modules and its command line in memory.
///
/// # Errors
/// When the kernel has no known format, is damaged, or does not fit into memory.
pub fn load(request: &BootRequest<'_>) -> Result<BootImage, LoadError> {
    let bytes = &request.kernel.bytes;
    if linux::is_linux(bytes) {
        return linux::load(request);
    }
    let header = multiboot::Header::find(bytes);
    if elf::is_elf(bytes) {
        let image = match (elf::Image::parse(request.kernel, pvh::ENTRY_NOTE), header) {
            (Err(_), Some(header)) if header.has_addresses() => {
                return multiboot::load(request, &header, None);
            }
            (parsed, _) => parsed?,
        };
        // A kernel that can be entered both ways may call the BIOS after a
        // multiboot entry, but not after a PVH one.
        return match (image.xen_note, header) {
            (None, Some(header)) => multiboot::load(request, &header, Some(&image)),
            _ => pvh::load(request, &image),
        };
    }
    if let Some(header) = header {
        return multiboot::load(request, &header, None);
    }
    Err(LoadError::NotAKernel {
        path: request.kernel.path.clone(),
        found: NotAKernel::guess(bytes),
    })
}
