//! ELF files, 32- and 64-bit: their loadable segments and notes (System V ABI, chapter 5).

use object::Endianness;
use object::elf::{EM_386, EM_X86_64, FileHeader32, FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

use super::memory::Placer;
use super::{Chunk, InputFile, LoadError, NotAKernel};

/// Whether the bytes begin as an ELF file does.
pub(super) fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// A segment that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    /// Where it goes.
    pub(super) physical: u64,
    /// Where its code believes to be.
    pub(super) linear: u64,
    /// Its bytes in the file.
    pub(super) bytes: &'a [u8],
    /// Its size in memory; at least that of its bytes.
    pub(super) memory_bytes: u64,
}

/// What a loader wants to know of an ELF file.
#[derive(Clone, Debug)]
pub(super) struct Image<'a> {
    /// `e_entry`.
    pub(super) entry: u64,
    /// In the file's order.
    pub(super) segments: Vec<Segment<'a>>,
    /// The descriptor of the Xen note that was asked for.
    pub(super) xen_note: Option<&'a [u8]>,
}

impl<'a> Image<'a> {
    /// Reads the program headers, and the note of type `xen_note` owned by "Xen".
    pub(super) fn parse(kernel: &'a InputFile, xen_note: u32) -> Result<Self, LoadError> {
        // EI_CLASS
        match kernel.bytes.get(4) {
            Some(1) => parse::<FileHeader32<Endianness>>(kernel, xen_note),
            Some(2) => parse::<FileHeader64<Endianness>>(kernel, xen_note),
            _ => Err(LoadError::Damaged {
                path: kernel.path.clone(),
                what: "its ELF class is neither 32 nor 64",
            }),
        }
    }

    /// The physical address of `entry`, which may be a linear one.
    pub(super) fn physical_entry(&self) -> u64 {
        let holds_entry = |segment: &&Segment<'_>| {
            self.entry
                .checked_sub(segment.linear)
                .is_some_and(|offset| offset < segment.memory_bytes)
        };
        self.segments
            .iter()
            .find(holds_entry)
            .map_or(self.entry, |segment| {
                segment.physical.wrapping_add(self.entry - segment.linear)
            })
    }

    /// Takes the segments' memory and puts them there.
    pub(super) fn place(&self, kernel: &InputFile, placer: &mut Placer) -> Result<(), LoadError> {
        for segment in &self.segments {
            place(kernel, placer, segment)?;
        }
        Ok(())
    }
}

/// Takes one segment's memory and puts it there.
pub(super) fn place(
    kernel: &InputFile,
    placer: &mut Placer,
    segment: &Segment<'_>,
) -> Result<(), LoadError> {
    let address = segment.physical;
    let end = address.saturating_add(segment.memory_bytes);
    if !placer.claim(address..end) {
        // Above the RAM that begins at 1 MiB, more memory helps; in a hole or on another segment nothing does.
        let top = placer.ram_end_from(super::memory::ONE_MIB);
        let is_beyond = end > top && end <= 3 << 30;
        return Err(if is_beyond {
            placer.out_of_memory(kernel, end)
        } else {
            LoadError::AddressTaken {
                path: kernel.path.clone(),
                address,
                end,
            }
        });
    }
    let zeros = segment.memory_bytes - segment.bytes.len() as u64;
    placer.put(Chunk {
        address,
        bytes: segment.bytes.to_vec(),
        zeros,
    });
    Ok(())
}

fn parse<'a, H: FileHeader<Endian = Endianness>>(
    kernel: &'a InputFile,
    xen_note: u32,
) -> Result<Image<'a>, LoadError> {
    let data = kernel.bytes.as_slice();
    let has = data.len() as u64;
    let truncated = |part, needs| LoadError::Truncated {
        path: kernel.path.clone(),
        part,
        needs,
        has,
    };
    let damaged = |what| LoadError::Damaged {
        path: kernel.path.clone(),
        what,
    };
    let header = H::parse(data).map_err(|_| truncated("ELF header", 64))?;
    let endian = header
        .endian()
        .map_err(|_| damaged("its ELF byte order is unknown"))?;
    if endian != Endianness::Little || ![EM_386, EM_X86_64].contains(&header.e_machine(endian)) {
        return Err(LoadError::NotAKernel {
            path: kernel.path.clone(),
            found: NotAKernel::ForeignElf,
        });
    }
    let table = header.program_headers(endian, data);
    let table =
        table.map_err(|_| truncated("program header table", header.e_phoff(endian).into()))?;
    let mut image = Image {
        entry: header.e_entry(endian).into(),
        segments: Vec::new(),
        xen_note: None,
    };
    for program in table {
        if let Ok(Some(mut notes)) = program.notes(endian, data) {
            while let Ok(Some(note)) = notes.next() {
                if note.name() == b"Xen" && note.n_type(endian) == xen_note {
                    image.xen_note = Some(note.desc());
                }
            }
        }
        let memory_bytes: u64 = program.p_memsz(endian).into();
        if program.p_type(endian) != PT_LOAD || memory_bytes == 0 {
            continue;
        }
        let (offset, length) = program.file_range(endian);
        let bytes = program.data(endian, data);
        let bytes = bytes.map_err(|()| truncated("segment", offset.saturating_add(length)))?;
        if (bytes.len() as u64) > memory_bytes {
            return Err(damaged("a segment is larger in the file than in memory"));
        }
        let (physical, linear) = (
            program.p_paddr(endian).into(),
            program.p_vaddr(endian).into(),
        );
        image.segments.push(Segment {
            physical,
            linear,
            bytes,
            memory_bytes,
        });
    }
    if image.segments.is_empty() {
        return Err(damaged("it has no segment to load"));
    }
    Ok(image)
}
