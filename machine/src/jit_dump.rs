//! `rax jit-dump`: finds guest code in a file, and shows what the compiler makes of it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSegment, ObjectSymbol};
use rax_cpu::testing::Bits;
use rax_jit::dump::{Request, dump};

use crate::cli::{DumpOptions, DumpSource};

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The file cannot be read.
    #[error("cannot read '{path}'")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is no ELF file.
    #[error("'{path}' is no ELF file; without --symbol and --range it is taken as it is")]
    NotElf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: object::Error,
    },
    /// It has no such symbol.
    #[error("there is no function '{symbol}' with a size in '{path}'; give --range")]
    NoSymbol {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        symbol: String,
    },
    /// It has no bytes there.
    #[error("'{path}' has no bytes at {start:#x} to {end:#x}")]
    NoBytes {
        /// The file.
        path: PathBuf,
        /// The first address.
        start: u64,
        /// The one after the last.
        end: u64,
    },
    /// The host gives no memory.
    #[error("the host gives no memory to decode with")]
    Memory,
}

/// The dump as text.
///
/// # Errors
/// When there is no such code.
pub fn text(options: &DumpOptions) -> Result<String, DumpError> {
    let code = find(options)?;
    let bits = match options.bits.unwrap_or(code.bits) {
        16 => Bits::Real,
        32 => Bits::Protected32,
        _ => Bits::Long64,
    };
    dump(Request {
        bits,
        address: code.address,
        code: &code.bytes,
        passes: options.passes,
    })
    .map_err(|_| DumpError::Memory)
}

struct Code {
    bits: u32,
    address: u64,
    bytes: Vec<u8>,
}

fn find(options: &DumpOptions) -> Result<Code, DumpError> {
    let plain = |bytes| Code {
        bits: 64,
        address: options.address,
        bytes,
    };
    match &options.source {
        DumpSource::Bytes(bytes) => Ok(plain(bytes.clone())),
        DumpSource::Raw(path) => read(path).map(plain),
        DumpSource::Range(path, range) => in_elf(path, |_| Ok(range.clone())),
        DumpSource::Symbol(path, symbol) => in_elf(path, |file| {
            function(file, symbol).ok_or_else(|| DumpError::NoSymbol {
                path: path.clone(),
                symbol: symbol.clone(),
            })
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, DumpError> {
    std::fs::read(path).map_err(|source| DumpError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of an ELF file at the addresses that `range` chooses.
fn in_elf(
    path: &Path,
    range: impl Fn(&object::File<'_>) -> Result<Range<u64>, DumpError>,
) -> Result<Code, DumpError> {
    let data = read(path)?;
    let file = object::File::parse(&*data).map_err(|source| DumpError::NotElf {
        path: path.to_owned(),
        source,
    })?;
    let Range { start, end } = range(&file)?;
    let bytes = file.segments().find_map(|segment| {
        let found = segment.data_range(start, end.saturating_sub(start));
        found.ok().flatten().filter(|bytes| !bytes.is_empty())
    });
    let bytes = bytes.ok_or_else(|| DumpError::NoBytes {
        path: path.to_owned(),
        start,
        end,
    })?;
    Ok(Code {
        bits: if file.is_64() { 64 } else { 32 },
        address: start,
        bytes: bytes.to_vec(),
    })
}

fn function(file: &object::File<'_>, name: &str) -> Option<Range<u64>> {
    let mut symbols = file.symbols().chain(file.dynamic_symbols());
    let symbol = symbols.find(|symbol| symbol.name() == Ok(name) && symbol.size() != 0)?;
    Some(symbol.address()..symbol.address().saturating_add(symbol.size()))
}
