//! The setup header of a Linux kernel: what it says about itself.

use super::super::fields::{array_at, u16_at, u32_at, u64_at};
use super::super::{InputFile, LoadError};

/// Where the header begins, in the file and in the zero page.
pub(super) const START: usize = 0x1f1;
/// `loadflags`: the protected-mode code is loaded at 1 MiB or above.
const LOADED_HIGH: u8 = 1 << 0;
/// `xloadflags`: there is a 64-bit entry point at 200h.
const XLF_KERNEL_64: u16 = 1 << 0;
const SECTOR: usize = 512;

/// The header's fields as they are in the file; what its protocol does not have yet reads as the documented default.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// The bytes that are copied to the zero page.
    pub(super) bytes: Vec<u8>,
    /// 2.15 is 20Fh.
    pub(super) protocol: u16,
    setup_bytes: usize,
    syssize: u32,
    kernel_alignment: u32,
    relocatable_kernel: bool,
    xloadflags: u16,
    cmdline_size: u32,
    pref_address: u64,
    init_size: u32,
    initrd_addr_max: u32,
}

impl Header {
    /// Reads the header and checks it.
    pub(super) fn parse(kernel: &InputFile) -> Result<Self, LoadError> {
        let file = &kernel.bytes;
        let truncated = |part, needs: usize| LoadError::Truncated {
            path: kernel.path.clone(),
            part,
            needs: needs as u64,
            has: file.len() as u64,
        };
        let damaged = |what| LoadError::Damaged {
            path: kernel.path.clone(),
            what,
        };
        let short = || truncated("setup header", 0x230);
        let protocol = u16_at(file, 0x206).ok_or_else(short)?;
        if protocol < 0x200 {
            return Err(damaged("its boot protocol is older than 2.00"));
        }
        // The jump at 200h leads to just after the header.
        let [jump, distance] = array_at(file, 0x200).ok_or_else(short)?;
        let end = if jump == 0xeb {
            0x202 + usize::from(distance)
        } else {
            0x230
        };
        let bytes = file
            .get(START..end.min(0x290))
            .ok_or_else(|| truncated("setup header", end))?
            .to_vec();
        let [loadflags] = array_at(file, 0x211).ok_or_else(short)?;
        if loadflags & LOADED_HIGH == 0 {
            let what = "is a zImage, which runs below 1 MiB; use the bzImage of the same kernel";
            return Err(LoadError::Unsupported {
                path: kernel.path.clone(),
                what,
            });
        }
        // A field counts if the header has it, by version and by length.
        let u32_field = |since, offset| {
            if protocol >= since && offset + 4 <= end {
                u32_at(file, offset)
            } else {
                None
            }
        };
        let setup_sects = match file[START] {
            0 => 4,
            sectors => usize::from(sectors),
        };
        let xloadflags = if protocol >= 0x20c && end >= 0x238 {
            u16_at(file, 0x236)
        } else {
            None
        };
        let pref_address = if protocol >= 0x20a && end >= 0x260 {
            u64_at(file, 0x258)
        } else {
            None
        };
        let is_relocatable = u32_field(0x205, 0x234).is_some_and(|word| word & 0xff != 0);
        Ok(Self {
            bytes,
            protocol,
            setup_bytes: (setup_sects + 1) * SECTOR,
            // Before 2.04 the field had 16 bits and was not reliable.
            syssize: u32_field(0x204, 0x1f4).unwrap_or(0),
            kernel_alignment: u32_field(0x205, 0x230).unwrap_or(0),
            relocatable_kernel: is_relocatable,
            xloadflags: xloadflags.unwrap_or(0),
            cmdline_size: u32_field(0x206, 0x238).unwrap_or(255),
            pref_address: pref_address.unwrap_or(0x10_0000),
            init_size: u32_field(0x20a, 0x260).unwrap_or(0),
            initrd_addr_max: u32_field(0x203, 0x22c).unwrap_or(0x37ff_ffff),
        })
    }

    /// The part of the file that is loaded.
    pub(super) fn protected_mode<'a>(&self, kernel: &'a InputFile) -> Result<&'a [u8], LoadError> {
        let announced = u64::from(self.syssize) * 16;
        let tail = kernel.bytes.get(self.setup_bytes..).unwrap_or_default();
        // The size is in paragraphs, so the last one may be cut short. (What follows is a signature.)
        let is_cut = announced > (tail.len() as u64).next_multiple_of(16);
        if tail.is_empty() || is_cut || (self.is_64_bit() && tail.len() < 0x400) {
            return Err(LoadError::Truncated {
                path: kernel.path.clone(),
                part: "protected-mode code",
                needs: self.setup_bytes as u64 + announced.max(1),
                has: kernel.bytes.len() as u64,
            });
        }
        let length = if announced == 0 {
            tail.len()
        } else {
            tail.len().min(announced as usize)
        };
        Ok(&tail[..length])
    }

    /// Whether the kernel has a 64-bit entry.
    pub(super) fn is_64_bit(&self) -> bool {
        self.xloadflags & XLF_KERNEL_64 != 0
    }

    /// Whether it runs at another address than the one it prefers.
    pub(super) fn is_relocatable(&self) -> bool {
        self.relocatable_kernel
    }

    /// Where it is best loaded.
    pub(super) fn load_address(&self) -> u64 {
        // What cannot be relocated expects its code at 1 MiB, whatever address it prefers to run at.
        if self.relocatable_kernel {
            self.pref_address.max(0x10_0000)
        } else {
            0x10_0000
        }
    }

    /// The alignment that a relocatable kernel needs, a power of two.
    pub(super) fn alignment(&self) -> u64 {
        u64::from(self.kernel_alignment)
            .clamp(0x1000, 1 << 30)
            .next_power_of_two()
    }

    /// How much memory it needs from its load address on until it reads the memory map.
    pub(super) fn init_size(&self) -> u64 {
        let beyond = if self.relocatable_kernel {
            0
        } else {
            self.pref_address.saturating_sub(0x10_0000)
        };
        u64::from(self.init_size).saturating_add(beyond)
    }

    /// The longest command line, without its final zero.
    pub(super) fn command_line_limit(&self) -> usize {
        self.cmdline_size as usize
    }

    /// The address after the highest byte an initial RAM disk may have.
    pub(super) fn initrd_limit(&self) -> u64 {
        u64::from(self.initrd_addr_max) + 1
    }
}
