//! Recordings: what a real processor made of cases, for hosts that have none.
//!
//! ```text
//! 8 bytes   "raxcases"
//! 2 bytes   version, lowest byte first
//! the rest  zlib (RFC 1950) around postcard: Header, then (true, Entry)*, false
//! ```
//!
//! An entry holds of its case what differs from the filler that belongs to it
//! (`background.rs`), and of the outcome what differs from the start. If the filler has
//! to change, so must the version.

mod words;

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use crate::background;
use crate::case::{CODE_BYTES, Case, End, Outcome, Registers};
use crate::form::{self, Form};
use crate::undefined::Vendor;
use words::{COUNT, from_words, to_words};

const MAGIC: &[u8; 8] = b"raxcases";
const VERSION: u16 = 1;
/// More than this much memory for one recording is not believed.
const MOST_BYTES: u64 = 1 << 30;
/// More than this is no entry.
const LONGEST_ENTRY: usize = 1 << 20;

/// Where a recording comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// What the processor calls itself.
    pub processor: String,
    /// The seed of the run.
    pub seed: u64,
    /// Whether it is one of AMD's.
    pub is_amd: bool,
}

impl Header {
    /// Whose manual the recorded processor follows.
    #[must_use]
    pub const fn vendor(&self) -> Vendor {
        if self.is_amd {
            Vendor::Amd
        } else {
            Vendor::Intel
        }
    }
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read or is damaged.
    #[error("cannot read the recording")]
    Read(#[from] io::Error),
    /// It is something else.
    #[error("this is no recording of rax verify")]
    Magic,
    /// It is too new or too old.
    #[error("the recording has version {0}; this rax reads version {VERSION}")]
    Version(u16),
    /// What it holds makes no sense.
    #[error("entry {0} of the recording is damaged")]
    Damaged(usize),
    /// A form that this rax does not know.
    #[error("entry {entry} of the recording is of an unknown form, '{name}'")]
    UnknownForm {
        /// Which entry.
        entry: usize,
        /// What it calls the form.
        name: String,
    },
}

/// A case with what the recorded processor made of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Of which form.
    pub form: &'static Form,
    /// The case.
    pub case: Case,
    /// What came of it.
    pub outcome: Outcome,
}

/// Registers that differ from others: word and value.
type Changes = Vec<(u8, u64)>;
/// Addresses and what lies there.
type Pieces = Vec<(u64, Vec<u8>)>;

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    form: String,
    code: Vec<u8>,
    offset: u16,
    seed: u64,
    patches: Pieces,
    instructions: u32,
    /// The filler depends on the seed alone.
    by_seed: bool,
    registers: Changes,
    end: RecordedEnd,
    after: Changes,
    stores: Pieces,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum RecordedEnd {
    Finished,
    Endless,
    Exception(u8, u32, u64),
}

/// Writes a recording.
pub struct Recorder<W: Write> {
    zlib: ZlibEncoder<W>,
}

impl<W: Write> Recorder<W> {
    /// Starts a recording.
    ///
    /// # Errors
    /// What `output` says.
    pub fn new(mut output: W, header: &Header) -> io::Result<Self> {
        output.write_all(MAGIC)?;
        output.write_all(&VERSION.to_le_bytes())?;
        let mut zlib = ZlibEncoder::new(output, Compression::best());
        put(&mut zlib, header)?;
        Ok(Self { zlib })
    }

    /// Adds a case.
    ///
    /// # Errors
    /// What the output says.
    pub fn add(&mut self, form: &Form, case: &Case, outcome: &Outcome) -> io::Result<()> {
        let start = to_words(&case.registers);
        let fillers = [false, true].map(|by_seed| changes(&filler(case, by_seed), &start));
        let by_seed = fillers[1].len() < fillers[0].len();
        let [by_case, of_seed] = fillers;
        let entry = Entry {
            form: form.name.clone(),
            code: case.code.clone(),
            offset: case.offset as u16,
            seed: case.seed,
            patches: case.patches.clone(),
            instructions: case.instructions,
            by_seed,
            registers: if by_seed { of_seed } else { by_case },
            end: match outcome.end {
                End::Finished => RecordedEnd::Finished,
                End::Endless => RecordedEnd::Endless,
                End::Exception {
                    vector,
                    error_code,
                    address,
                } => RecordedEnd::Exception(vector, error_code, address),
            },
            after: changes(&start, &to_words(&outcome.registers)),
            stores: outcome.stores.clone(),
        };
        put(&mut self.zlib, &(true, entry))
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// What the output says.
    pub fn finish(mut self) -> io::Result<W> {
        put(&mut self.zlib, &false)?;
        self.zlib.finish()
    }
}

fn put(output: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let bytes = postcard::to_stdvec(value).map_err(io::Error::other)?;
    output.write_all(&bytes)
}

fn filler(case: &Case, by_seed: bool) -> [u64; COUNT] {
    let registers = if by_seed {
        background::filler(case.seed)
    } else {
        background::registers(case)
    };
    to_words(&registers)
}

fn changes(from: &[u64; COUNT], to: &[u64; COUNT]) -> Changes {
    let words = from.iter().zip(to).zip(0..);
    let changed = words.filter(|((from, to), _)| from != to);
    changed.map(|((_, to), place)| (place, *to)).collect()
}

fn change(words: &mut [u64; COUNT], changes: &Changes) -> Option<()> {
    for (place, value) in changes {
        *words.get_mut(usize::from(*place))? = *value;
    }
    Some(())
}

/// A recording, read and found whole. Its cases stay packed until they are asked for:
/// unpacked, each takes some kilobytes.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Where it comes from.
    pub header: Header,
    /// Entries, one behind the other.
    entries: Vec<u8>,
    count: usize,
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// It is none, or not a whole one.
    pub fn read(mut input: impl Read) -> Result<Self, RecordingError> {
        let mut magic = [0; 8];
        let mut version = [0; 2];
        let no_magic = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => RecordingError::Magic,
            _ => RecordingError::Read(error),
        };
        input.read_exact(&mut magic).map_err(no_magic)?;
        if &magic != MAGIC {
            return Err(RecordingError::Magic);
        }
        input.read_exact(&mut version).map_err(no_magic)?;
        let version = u16::from_le_bytes(version);
        if version != VERSION {
            return Err(RecordingError::Version(version));
        }
        let mut source = Source {
            input: ZlibDecoder::new(input).take(MOST_BYTES),
            held: Vec::new(),
            ended: false,
        };
        let header = source.get()?.ok_or(RecordingError::Damaged(0))?;
        let mut recording = Self {
            header,
            entries: Vec::new(),
            count: 0,
        };
        loop {
            let damaged = RecordingError::Damaged(recording.count);
            match source.get::<bool>()? {
                Some(true) => {}
                Some(false) => break,
                None => return Err(damaged),
            }
            let Some(entry) = source.get::<Entry>()? else {
                return Err(damaged);
            };
            let Some(form) = form::form(&entry.form) else {
                return Err(RecordingError::UnknownForm {
                    entry: recording.count,
                    name: entry.form,
                });
            };
            let Ok(packed) = postcard::to_stdvec(&entry) else {
                return Err(damaged);
            };
            restore(form, entry).ok_or(damaged)?;
            recording.entries.extend(packed);
            recording.count += 1;
        }
        // The checksum is behind all else; nothing else may be.
        if source.is_at_end()? {
            Ok(recording)
        } else {
            Err(RecordingError::Damaged(recording.count))
        }
    }

    /// How many cases it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The forms of its cases, in order.
    pub fn forms(&self) -> impl Iterator<Item = &'static Form> {
        self.entries().filter_map(|entry| form::form(&entry.form))
    }

    /// Its cases, in order.
    pub fn cases(&self) -> impl Iterator<Item = Recorded> {
        self.entries()
            .filter_map(|entry| restore(form::form(&entry.form)?, entry))
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let mut rest = &self.entries[..];
        std::iter::from_fn(move || {
            let (entry, behind) = postcard::take_from_bytes(rest).ok()?;
            rest = behind;
            Some(entry)
        })
    }
}

/// A case and its outcome from an entry; none if it makes no sense.
fn restore(form: &'static Form, entry: Entry) -> Option<Recorded> {
    let offset = usize::from(entry.offset);
    if entry.code.is_empty() || offset + entry.code.len() > CODE_BYTES {
        return None;
    }
    let mut case = Case {
        code: entry.code,
        offset,
        registers: Registers::default(),
        seed: entry.seed,
        patches: entry.patches,
        instructions: entry.instructions,
    };
    let mut words = filler(&case, entry.by_seed);
    change(&mut words, &entry.registers)?;
    case.registers = from_words(&words);
    change(&mut words, &entry.after)?;
    let end = match entry.end {
        RecordedEnd::Finished => End::Finished,
        RecordedEnd::Endless => End::Endless,
        RecordedEnd::Exception(vector, error_code, address) => End::Exception {
            vector,
            error_code,
            address,
        },
    };
    let outcome = Outcome {
        end,
        registers: from_words(&words),
        stores: entry.stores,
    };
    Some(Recorded {
        form,
        case,
        outcome,
    })
}

/// Reads one value after the other.
struct Source<R: Read> {
    input: R,
    /// What was read and not used yet.
    held: Vec<u8>,
    ended: bool,
}

impl<R: Read> Source<R> {
    /// The next value; none if what comes is no such thing.
    fn get<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, io::Error> {
        loop {
            match postcard::take_from_bytes::<T>(&self.held) {
                Ok((value, rest)) => {
                    let used = self.held.len() - rest.len();
                    self.held.drain(..used);
                    return Ok(Some(value));
                }
                Err(postcard::Error::DeserializeUnexpectedEnd)
                    if !self.ended && self.held.len() < LONGEST_ENTRY =>
                {
                    self.fill()?;
                }
                Err(_) => return Ok(None),
            }
        }
    }

    /// Whether nothing is left, checksum included.
    fn is_at_end(&mut self) -> Result<bool, io::Error> {
        while !self.ended && self.held.is_empty() {
            self.fill()?;
        }
        Ok(self.held.is_empty())
    }

    fn fill(&mut self) -> Result<(), io::Error> {
        const CHUNK: u64 = 1 << 16;
        let count = self
            .input
            .by_ref()
            .take(CHUNK)
            .read_to_end(&mut self.held)?;
        self.ended = count == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
