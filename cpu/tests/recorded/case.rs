//! One recorded result: what the processor was given, and what it left.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

/// The registers' names in the files, in the order of [`Registers`].
pub(crate) const NAMES: [&str; 14] = [
    "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "es", "cs", "ss", "ds", "ip", "flags",
];
/// Where CX is in [`Registers`].
pub(crate) const CX: usize = 1;
/// Where SP is in [`Registers`].
pub(crate) const SP: usize = 4;
/// Where SS is in [`Registers`].
pub(crate) const SS: usize = 10;
/// Where IP is in [`Registers`].
pub(crate) const IP: usize = 12;
/// Where FLAGS is in [`Registers`].
pub(crate) const FLAGS: usize = 13;

/// All registers, named by [`NAMES`].
pub(crate) type Registers = [u16; NAMES.len()];

/// Bytes by physical address.
pub(crate) type Memory = BTreeMap<u64, u8>;

/// A recorded result.
pub(crate) struct Case {
    /// The disassembly.
    pub(crate) name: String,
    /// The instruction, without the HLT behind it.
    pub(crate) bytes: Vec<u8>,
    /// The registers before.
    pub(crate) before: Registers,
    /// All bytes that matter, before.
    pub(crate) ram: Memory,
    /// The registers afterwards.
    pub(crate) after: Registers,
    /// The bytes that were written.
    pub(crate) written: Memory,
    /// The number of the interrupt or exception that was taken.
    pub(crate) exception: Option<u8>,
}

impl Case {
    fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let mut before = registers(&value["initial"]["regs"], [0; NAMES.len()])?;
        // The recorder made up the top four, which an 80286 in real mode does not have.
        before[FLAGS] &= 0x0fff;
        let exception = match value.get("exception") {
            None => None,
            Some(taken) => Some(u8::try_from(number(&taken["number"])?).ok()?),
        };
        Some(Self {
            name: value["name"].as_str()?.to_owned(),
            bytes: bytes(value["bytes"].as_str()?)?,
            before,
            ram: memory(&value["initial"]["ram"])?,
            after: registers(&value["final"]["regs"], before)?,
            written: memory(&value["final"]["ram"])?,
            exception,
        })
    }
}

impl Case {
    /// The prefixes of the instruction.
    pub(crate) fn prefixes(&self) -> &[u8] {
        let is_prefix = |byte: &u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0xf0 | 0xf2 | 0xf3);
        let count = self.bytes.iter().take_while(|byte| is_prefix(byte)).count();
        &self.bytes[..count]
    }

    /// The byte behind the opcode.
    pub(crate) fn modrm(&self) -> u8 {
        let place = self.prefixes().len() + 1;
        self.bytes.get(place).copied().unwrap_or_default()
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let hex = hex.strip_suffix("f4")?.as_bytes();
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.chunks(2).map(digits).collect()
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64()
}

fn registers(value: &Value, mut registers: Registers) -> Option<Registers> {
    for (name, value) in value.as_object()? {
        let place = NAMES.iter().position(|known| known == name)?;
        registers[place] = u16::try_from(number(value)?).ok()?;
    }
    Some(registers)
}

fn memory(value: &Value) -> Option<Memory> {
    let pairs = value.as_array()?.iter();
    pairs
        .map(|pair| Some((number(&pair[0])?, u8::try_from(number(&pair[1])?).ok()?)))
        .collect()
}

/// All cases of one opcode form.
pub(crate) fn cases(file: &Path) -> Vec<Case> {
    let lines = BufReader::new(GzDecoder::new(File::open(file).unwrap())).lines();
    lines
        .map(|line| Case::parse(&line.unwrap()).unwrap())
        .collect()
}

/// The flags of an opcode form that the manual defines, from `metadata.json`.
pub(crate) fn defined_flags(metadata: &Value, form: &str) -> u16 {
    let (opcode, extension) = match form.split_once('.') {
        Some((opcode, extension)) => (opcode, Some(extension)),
        None => (form, None),
    };
    let mut entry = &metadata["opcodes"][opcode];
    if let Some(extension) = extension {
        entry = &entry["reg"][extension];
    }
    assert!(entry.is_object(), "{form} is not in metadata.json");
    entry["flags-mask"]
        .as_u64()
        .map_or(0xffff, |mask| mask as u16)
}
