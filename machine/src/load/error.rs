//! What can be wrong with a kernel or a module: each in one line that says what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// What a file was given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `--kernel`.
    Kernel,
    /// `--initrd`.
    Initrd,
    /// `--vga-bios`.
    VgaBios,
    /// A network adapter's boot ROM.
    BootRom,
    /// `--bios`.
    Firmware,
}

impl Role {
    /// The option that names the file.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::Kernel => "--kernel",
            Self::Initrd => "--initrd",
            Self::VgaBios => "--vga-bios",
            Self::BootRom => "rom=",
            Self::Firmware => "--bios",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::VgaBios => "VGA BIOS",
            Self::BootRom => "boot ROM",
            Self::Firmware => "firmware",
        })
    }
}

/// Why there is no [`super::BootImage`]. All of these are the user's to mend: exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No such file.
    #[error("{role} '{}' does not exist; check the path after {}", .path.display(), .role.option())]
    Missing {
        /// Its path.
        path: PathBuf,
        /// What it was to be.
        role: Role,
    },
    /// A directory was named.
    #[error("{role} '{}' is a directory; name a file in it after {}", .path.display(), .role.option())]
    Directory {
        /// Its path.
        path: PathBuf,
        /// What it was to be.
        role: Role,
    },
    /// The file has no bytes.
    #[error("{role} '{}' is empty; get or build the file again", .path.display())]
    Empty {
        /// Its path.
        path: PathBuf,
        /// What it was to be.
        role: Role,
    },
    /// The host cannot read it.
    #[error("{role} '{}' cannot be read ({source}); check its permissions", .path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What it was to be.
        role: Role,
        /// The host's reason.
        source: io::Error,
    },
    /// The file is larger than the machine's memory, so it was not even read.
    #[error("{role} '{}' is larger than the machine's {memory_mib} MiB of memory; give --memory a larger size", .path.display())]
    LargerThanMemory {
        /// Its path.
        path: PathBuf,
        /// What it was to be.
        role: Role,
        /// The machine's memory.
        memory_mib: u64,
    },
    /// The distribution's VGA BIOS was wanted and is not there.
    #[error(
        "--vga-bios seabios: there is no vgabios-stdvga.bin in the usual places; install it (package seabios), or name the image after --vga-bios"
    )]
    NoVgaBios,
    /// Not an expansion ROM, or one that is too large for the adapter.
    #[error("VGA BIOS '{}' cannot be used: it {found}; --vga-bios takes an image such as vgabios-stdvga.bin", .path.display())]
    NotAVgaBios {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        found: &'static str,
    },
    /// Not an expansion ROM, or one that is too large for a network adapter.
    #[error("boot ROM '{}' cannot be used: it {found}; rom= takes an image such as pxe-rtl8139.rom", .path.display())]
    NotABootRom {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        found: &'static str,
    },
    /// None of the known formats.
    #[error("kernel '{}' is not bootable: it {found}; --kernel takes a Linux bzImage (vmlinuz), an ELF file with a PVH note, or a multiboot 1 image", .path.display())]
    NotAKernel {
        /// Its path.
        path: PathBuf,
        /// What it is instead.
        found: NotAKernel,
    },
    /// No ROM of this size could be in the machine.
    #[error("firmware '{}' has {bytes} bytes; --bios takes an image of 64 KiB to 16 MiB, in steps of 64 KiB", .path.display())]
    FirmwareSize {
        /// Its path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// This firmware's variables do not fit into the file.
    #[error("flash image '{}' has {bytes} bytes; {}", .path.display(), flash_advice(*.wanted))]
    FlashSize {
        /// Its path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The size that the firmware's own variables have; zero if it brings none.
        wanted: u64,
    },
    /// SeaBIOS is not where packages put it.
    #[error(
        "this host has no SeaBIOS where packages put it; install 'seabios' or 'qemu', or name an image with --bios FILE"
    )]
    NoSeaBios,
    /// The file ends too early.
    #[error("kernel '{}' is truncated: its {part} ends at byte {needs}, the file at byte {has}; get the file again", .path.display())]
    Truncated {
        /// Its path.
        path: PathBuf,
        /// Which part.
        part: &'static str,
        /// Where the part ends.
        needs: u64,
        /// Where the file ends.
        has: u64,
    },
    /// A field makes no sense.
    #[error("kernel '{}' is damaged: {what}; get or build the file again", .path.display())]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// Which field, and why.
        what: &'static str,
    },
    /// It asks for something that this machine does not offer.
    #[error("kernel '{}' {what}", .path.display())]
    Unsupported {
        /// Its path.
        path: PathBuf,
        /// What, and what to do instead.
        what: &'static str,
    },
    /// The command line does not fit.
    #[error("the command line is {length} bytes long, kernel '{}' takes {limit}; shorten --append", .path.display())]
    CommandLineTooLong {
        /// The kernel's path.
        path: PathBuf,
        /// Its length.
        length: usize,
        /// The kernel's limit.
        limit: usize,
    },
    /// Arguments were given to something that is not a multiboot module.
    #[error("initrd '{}' has arguments ('{arguments}'), which only multiboot kernels take; put them into --append", .path.display())]
    ModuleArguments {
        /// Its path.
        path: PathBuf,
        /// The arguments.
        arguments: String,
    },
    /// Not enough RAM.
    #[error("{role} '{}' does not fit into {has_mib} MiB of memory; try --memory {suggestion_mib}M", .path.display())]
    TooLittleMemory {
        /// Its path.
        path: PathBuf,
        /// What it was to be.
        role: Role,
        /// The machine's memory.
        has_mib: u64,
        /// What would do.
        suggestion_mib: u64,
    },
    /// The file fixes an address that is not RAM, or where something else already is.
    #[error("kernel '{}' must be loaded at {address:#x} to {end:#x}, where this machine has no free memory; build it for an address above 1 MiB", .path.display())]
    AddressTaken {
        /// Its path.
        path: PathBuf,
        /// First address.
        address: u64,
        /// Address after the last.
        end: u64,
    },
}

/// What a file is that is not a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAKernel {
    /// Compressed as a whole, by the named program.
    Compressed(&'static str),
    /// An archive or another kind of file, by name.
    Looks(&'static str),
    /// ELF without a way in.
    ElfWithoutEntry,
    /// ELF for another processor.
    ForeignElf,
    /// Nothing known.
    Unknown,
}

impl NotAKernel {
    /// Looks at the first bytes.
    pub(super) fn guess(bytes: &[u8]) -> Self {
        const KNOWN: [(usize, &[u8], NotAKernel); 12] = [
            (0, b"\x1f\x8b", NotAKernel::Compressed("gunzip")),
            (0, b"\xfd7zXZ\0", NotAKernel::Compressed("unxz")),
            (0, b"\x28\xb5\x2f\xfd", NotAKernel::Compressed("unzstd")),
            (0, b"BZh", NotAKernel::Compressed("bunzip2")),
            (0, b"PK\x03\x04", NotAKernel::Looks("a zip archive")),
            (
                0,
                b"!<arch>\n",
                NotAKernel::Looks("a Debian package or library archive"),
            ),
            (
                0,
                b"07070",
                NotAKernel::Looks("a cpio archive (give it as --initrd)"),
            ),
            (
                0x38,
                b"ARM\x64",
                NotAKernel::Looks("a Linux kernel for 64-bit ARM"),
            ),
            (
                0x30,
                b"RISCV",
                NotAKernel::Looks("a Linux kernel for RISC-V"),
            ),
            (0x8001, b"CD001", NotAKernel::Looks("a CD image")),
            (0, b"#!", NotAKernel::Looks("a script")),
            (
                510,
                b"\x55\xaa",
                NotAKernel::Looks("a disk image (give it as --disk)"),
            ),
        ];
        let matches = |&&(offset, magic, _): &&(usize, &[u8], Self)| {
            bytes
                .get(offset..)
                .is_some_and(|tail| tail.starts_with(magic))
        };
        KNOWN
            .iter()
            .find(matches)
            .map_or(Self::Unknown, |(_, _, found)| *found)
    }
}

impl fmt::Display for NotAKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compressed(program) => {
                write!(f, "is compressed (unpack it with {program} first)")
            }
            Self::Looks(kind) => write!(f, "looks like {kind}"),
            Self::ElfWithoutEntry => {
                write!(f, "is an ELF file without a PVH note or multiboot header")
            }
            Self::ForeignElf => write!(f, "is an ELF file for another processor"),
            Self::Unknown => write!(f, "has no format known here"),
        }
    }
}

/// What size a file for variables has.
fn flash_advice(wanted: u64) -> String {
    match wanted {
        0 => "--flash-vars takes whole blocks of 4 KiB, with the firmware at most 16 MiB, such as a copy of OVMF_VARS.fd".to_owned(),
        _ => format!("this firmware's variables have {wanted}; copy the first {wanted} bytes of the --bios image"),
    }
}
