//! The SMBIOS tables: who made the machine, and of what (DMTF DSP0134 2.8).

use rax_cpu::Topology;

use super::acpi::Machine;
use super::blob::sum;
use crate::memory_map;

/// Bytes of the entry point structure.
const ANCHOR_BYTES: usize = 31;
/// Bytes of a type 4 structure of version 2.8.
const PROCESSOR_BYTES: usize = 42;
/// Handles: the type's number and a count.
const MEMORY_ARRAY: u16 = 0x1000;
const CHASSIS: u16 = 0x300;

/// A string of a structure that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmbiosString {
    /// The structure's type.
    pub kind: u8,
    /// The string's name, one of [`names`].
    pub name: &'static str,
    /// What it is to be.
    pub value: String,
}

/// Names of strings by structure type, in the order of the fields, with defaults.
const STRINGS: [(u8, &[(&str, &str)]); 5] = [
    (
        0,
        &[
            ("vendor", "rax"),
            ("version", VERSION),
            ("date", "01/01/2024"),
        ],
    ),
    (
        1,
        &[
            ("manufacturer", "rax"),
            // FreeBSD's source lists this name, and has the screen stay in text mode then.
            ("product", "Virtual Machine"),
            ("version", VERSION),
            ("serial", ""),
            ("sku", ""),
            ("family", "440FX PC"),
            ("uuid", ""),
        ],
    ),
    (
        3,
        &[
            ("manufacturer", "rax"),
            ("version", VERSION),
            ("serial", ""),
            ("asset", ""),
            ("sku", ""),
        ],
    ),
    (
        4,
        &[
            ("manufacturer", "rax"),
            ("version", "rax virtual processor"),
        ],
    ),
    (
        17,
        &[("manufacturer", "rax"), ("serial", ""), ("asset", "")],
    ),
];
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The type number and names of the strings that can be set.
pub fn names() -> impl Iterator<Item = (u8, Vec<&'static str>)> {
    STRINGS
        .into_iter()
        .map(|(kind, names)| (kind, names.iter().map(|(name, _)| *name).collect()))
}

/// `type1-manufacturer=Example`: which string, and what it is to be. None if there is
/// no such string, or it holds what no string may.
#[must_use]
pub fn parse(text: &str) -> Option<SmbiosString> {
    let (place, value) = text.split_once('=')?;
    let (kind, name) = place.strip_prefix("type")?.split_once('-')?;
    let kind = kind.parse().ok()?;
    let (_, names) = STRINGS.into_iter().find(|(known, _)| *known == kind)?;
    let (name, _) = names.iter().find(|(known, _)| *known == name)?;
    let fits = value.len() <= 64 && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let is_good = fits && (*name != "uuid" || uuid(value).is_some());
    is_good.then(|| SmbiosString {
        kind,
        name,
        value: value.to_owned(),
    })
}

/// A UUID as it is written; in memory its first three numbers are little-endian (7.2.1).
fn uuid(text: &str) -> Option<[u8; 16]> {
    let groups: Vec<_> = text.split('-').collect();
    let lengths: Vec<_> = groups.iter().map(|group| group.len()).collect();
    let digits = groups.concat();
    if lengths != [8, 4, 4, 4, 12] || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = u128::from_str_radix(&digits, 16).ok()?.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    Some(bytes)
}

/// A structure being made: its formatted area, then its strings.
struct Structure {
    fields: Vec<u8>,
    strings: Vec<String>,
}

impl Structure {
    fn new(kind: u8, handle: u16) -> Self {
        let mut fields = vec![kind, 0];
        fields.extend(handle.to_le_bytes());
        Self {
            fields,
            strings: Vec::new(),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.fields.extend(bytes);
        self
    }

    fn word(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn dword(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn qword(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// The number of a string; none for an empty one.
    fn string(&mut self, text: &str) -> &mut Self {
        if text.is_empty() {
            return self.bytes(&[0]);
        }
        self.strings.push(text.to_owned());
        let number = self.strings.len() as u8;
        self.bytes(&[number])
    }

    fn finish(&mut self) -> Vec<u8> {
        self.fields[1] = self.fields.len() as u8;
        let mut bytes = std::mem::take(&mut self.fields);
        for text in &self.strings {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        if self.strings.is_empty() {
            bytes.push(0);
        }
        bytes.push(0);
        bytes
    }
}

/// The strings that were chosen, over the defaults.
struct Strings<'a>(&'a [SmbiosString]);

impl Strings<'_> {
    fn get(&self, kind: u8, name: &str) -> &str {
        let chosen = self
            .0
            .iter()
            .rfind(|string| string.kind == kind && string.name == name);
        if let Some(string) = chosen {
            return &string.value;
        }
        let of_kind = STRINGS.iter().find(|(known, _)| *known == kind);
        let names = of_kind.map_or(&[][..], |(_, names)| names);
        let found = names.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, default)| default)
    }
}

/// The structures, and the entry point for them at `address`. Its address and
/// checksums are firmware's to mend if that puts them elsewhere.
pub(super) fn tables(
    machine: &Machine,
    chosen: &[SmbiosString],
    address: u32,
) -> (Vec<u8>, Vec<u8>) {
    let strings = Strings(chosen);
    let mut structures = vec![bios(&strings), system(&strings), chassis(&strings)];
    for number in 0..machine.topology.sockets {
        structures.push(processor(&strings, number, machine.topology));
    }
    structures.push(memory_array(machine.ram));
    structures.extend(memory_devices(&strings, machine.ram));
    structures.extend(memory_ranges(machine.ram));
    // No boot errors; the end.
    structures.push(Structure::new(32, 0x2000).bytes(&[0; 7]).finish());
    structures.push(Structure::new(127, 0x7f00).finish());
    let tables = structures.concat();
    let longest = structures.iter().map(Vec::len).max().unwrap_or(0);

    let mut anchor = b"_SM_\0".to_vec();
    anchor.extend([ANCHOR_BYTES as u8, 2, 8]);
    anchor.extend((longest as u16).to_le_bytes());
    anchor.extend([0; 6]); // Revision 0 of the entry point.
    anchor.extend(b"_DMI_\0");
    anchor.extend((tables.len() as u16).to_le_bytes());
    anchor.extend(address.to_le_bytes());
    anchor.extend((structures.len() as u16).to_le_bytes());
    anchor.push(0x28);
    anchor[21] = sum(&anchor[16..]).wrapping_neg();
    anchor[4] = sum(&anchor).wrapping_neg();
    (tables, anchor)
}

fn bios(strings: &Strings<'_>) -> Vec<u8> {
    /// PCI, PC Card no, boot from CD, selectable boot, EDD.
    const CHARACTERISTICS: u64 = 1 << 7 | 1 << 15 | 1 << 16 | 1 << 19;
    let mut structure = Structure::new(0, 0);
    structure
        .string(strings.get(0, "vendor"))
        .string(strings.get(0, "version"))
        .word(0xe800)
        .string(strings.get(0, "date"))
        .bytes(&[0])
        .qword(CHARACTERISTICS)
        .bytes(&[1, 0x10]) // ACPI; a virtual machine.
        .bytes(&[0, 1, 0xff, 0xff]);
    structure.finish()
}

fn system(strings: &Strings<'_>) -> Vec<u8> {
    const POWER_SWITCH: u8 = 6;
    let mut structure = Structure::new(1, 0x100);
    for name in ["manufacturer", "product", "version", "serial"] {
        structure.string(strings.get(1, name));
    }
    structure
        .bytes(&uuid(strings.get(1, "uuid")).unwrap_or_default())
        .bytes(&[POWER_SWITCH])
        .string(strings.get(1, "sku"))
        .string(strings.get(1, "family"));
    structure.finish()
}

fn chassis(strings: &Strings<'_>) -> Vec<u8> {
    const OTHER: u8 = 1;
    const SAFE: u8 = 3;
    const UNKNOWN: u8 = 2;
    let mut structure = Structure::new(3, CHASSIS);
    structure
        .string(strings.get(3, "manufacturer"))
        .bytes(&[OTHER]);
    for name in ["version", "serial", "asset"] {
        structure.string(strings.get(3, name));
    }
    structure
        .bytes(&[SAFE, SAFE, SAFE, UNKNOWN])
        .dword(0)
        .bytes(&[0; 4]) // No height, cords or contained elements.
        .string(strings.get(3, "sku"));
    structure.finish()
}

/// A socket and what is in it.
fn processor(strings: &Strings<'_>, number: u16, topology: Topology) -> Vec<u8> {
    const CENTRAL: u8 = 3;
    const OTHER: u8 = 1;
    const ENABLED: u8 = 0x41;
    const NO_CACHE: u16 = 0xffff;
    /// Characteristics.
    const UNKNOWN: u16 = 1 << 1;
    const MULTI_CORE: u16 = 1 << 3;
    const HARDWARE_THREAD: u16 = 1 << 4;
    let [cores, threads] = [topology.cores, topology.package()].map(|count| count as u8);
    let characteristics = match (topology.cores > 1, topology.threads > 1) {
        (false, false) => UNKNOWN,
        (true, false) => MULTI_CORE,
        (false, true) => HARDWARE_THREAD,
        (true, true) => MULTI_CORE | HARDWARE_THREAD,
    };
    let mut structure = Structure::new(4, 0x400 + number);
    structure
        .string(&format!("CPU {number}"))
        .bytes(&[CENTRAL, OTHER])
        .string(strings.get(4, "manufacturer"))
        .qword(0)
        .string(strings.get(4, "version"))
        .bytes(&[0])
        .word(0)
        .word(1000)
        .word(1000)
        .bytes(&[ENABLED, OTHER])
        .word(NO_CACHE)
        .word(NO_CACHE)
        .word(NO_CACHE)
        .bytes(&[0, 0, 0, cores, cores, threads])
        .word(characteristics)
        .word(OTHER.into());
    debug_assert_eq!(structure.fields.len(), PROCESSOR_BYTES);
    structure.finish()
}

/// All memory is one array on the board.
fn memory_array(ram: u64) -> Vec<u8> {
    const SYSTEM_BOARD: u8 = 3;
    const SYSTEM_MEMORY: u8 = 3;
    const NO_CORRECTION: u8 = 3;
    const TOO_LARGE: u32 = 0x8000_0000;
    let kib = u32::try_from(ram >> 10).ok().filter(|&kib| kib < TOO_LARGE);
    let mut structure = Structure::new(16, MEMORY_ARRAY);
    structure
        .bytes(&[SYSTEM_BOARD, SYSTEM_MEMORY, NO_CORRECTION])
        .dword(kib.unwrap_or(TOO_LARGE))
        .word(0xfffe)
        .word(modules(ram).len() as u16)
        .qword(if kib.is_some() { 0 } else { ram });
    structure.finish()
}

/// Memory modules of at most 16 GiB.
fn modules(ram: u64) -> Vec<u64> {
    const MOST: u64 = 16 << 30;
    /// What the machine can have at most is more than a table can list.
    const MOST_MODULES: u64 = 64;
    let size = MOST.max(ram.div_ceil(MOST_MODULES).next_multiple_of(1 << 30));
    let count = ram.div_ceil(size);
    (0..count).map(|n| (ram - n * size).min(size)).collect()
}

fn memory_devices(strings: &Strings<'_>, ram: u64) -> Vec<Vec<u8>> {
    const DIMM: u8 = 9;
    const RAM: u8 = 7;
    const OTHER: u16 = 2;
    const EXTENDED_SIZE: u16 = 0x7fff;
    let device = |(number, bytes): (u16, u64)| {
        let mib = u16::try_from(bytes >> 20)
            .ok()
            .filter(|&mib| mib < EXTENDED_SIZE);
        let mut structure = Structure::new(17, 0x1100 + number);
        structure
            .word(MEMORY_ARRAY)
            .word(0xfffe)
            .word(64)
            .word(64)
            .word(mib.unwrap_or(EXTENDED_SIZE))
            .bytes(&[DIMM, 0])
            .string(&format!("DIMM {number}"))
            .bytes(&[0, RAM])
            .word(OTHER)
            .word(0)
            .string(strings.get(17, "manufacturer"))
            .string(strings.get(17, "serial"))
            .string(strings.get(17, "asset"))
            .bytes(&[0, 0])
            .dword(if mib.is_some() {
                0
            } else {
                (bytes >> 20) as u32
            })
            .word(0)
            .word(0)
            .word(0)
            .word(0);
        structure.finish()
    };
    (0..).zip(modules(ram)).map(device).collect()
}

/// Where the array is in the address space.
fn memory_ranges(ram: u64) -> Vec<Vec<u8>> {
    let range = |(number, (start, bytes)): (u16, (u64, u64))| {
        let end = start + bytes;
        let kib = |address: u64| u32::try_from(address >> 10).ok();
        let short = kib(start).zip(kib(end - 1));
        let (first, last) = short.unwrap_or((u32::MAX, u32::MAX));
        let (long_first, long_last) = if short.is_some() {
            (0, 0)
        } else {
            (start, end - 1)
        };
        let mut structure = Structure::new(19, 0x1300 + number);
        structure
            .dword(first)
            .dword(last)
            .word(MEMORY_ARRAY)
            .bytes(&[1])
            .qword(long_first)
            .qword(long_last);
        structure.finish()
    };
    (0..).zip(memory_map::ram(ram)).map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::{Machine, Topology, parse, sum, tables};

    fn made(strings: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let machine = Machine {
            ram: 5 << 30,
            topology: Topology {
                sockets: 2,
                cores: 3,
                threads: 2,
            },
            serial_ports: 1,
            has_parallel_port: false,
            power_block: 0x600,
        };
        let strings: Vec<_> = strings.iter().map(|text| parse(text).unwrap()).collect();
        tables(&machine, &strings, 0xf_2020)
    }

    /// The structures: type and bytes.
    fn structures(mut tables: &[u8]) -> Vec<(u8, &[u8])> {
        let mut found = Vec::new();
        while let Some(&length) = tables.get(1) {
            let strings = &tables[usize::from(length)..];
            let end = strings.windows(2).position(|pair| pair == [0, 0]).unwrap();
            let (structure, rest) = tables.split_at(usize::from(length) + end + 2);
            found.push((structure[0], structure));
            tables = rest;
        }
        found
    }

    #[test]
    fn the_entry_point_leads_to_all_structures() {
        let (tables, anchor) = made(&[]);
        assert_eq!((sum(&anchor), sum(&anchor[16..])), (0, 0));
        assert_eq!(anchor[24..28], 0xf_2020u32.to_le_bytes());
        assert_eq!(anchor[22..24], (tables.len() as u16).to_le_bytes());
        let kinds: Vec<_> = structures(&tables).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [0, 1, 3, 4, 4, 16, 17, 19, 19, 32, 127]);
        assert_eq!(anchor[28..30], (kinds.len() as u16).to_le_bytes());
    }

    /// SMBIOS 7.5: cores, those that are enabled, threads, and what of them is characteristic.
    #[test]
    fn each_socket_has_a_structure() {
        let (tables, _) = made(&[]);
        for (_, socket) in structures(&tables).iter().filter(|(kind, _)| *kind == 4) {
            assert_eq!(socket[0x23..0x28], [3, 3, 6, 0x18, 0]);
        }
    }

    #[test]
    fn strings_can_be_set() {
        let uuid = "type1-uuid=00112233-4455-6677-8899-aabbccddeeff";
        let (tables, _) = made(&["type1-manufacturer=Example Ltd", uuid, "type3-asset=42"]);
        let all = structures(&tables);
        let system = all.iter().find(|(kind, _)| *kind == 1).unwrap().1;
        assert!(system.windows(12).any(|text| text == b"Example Ltd\0"));
        assert_eq!(system[8..14], [0x33, 0x22, 0x11, 0x00, 0x55, 0x44]);
        let chassis = all.iter().find(|(kind, _)| *kind == 3).unwrap().1;
        assert!(chassis.windows(4).any(|text| text == b"\x0042\0"));
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        for bad in [
            "",
            "type1",
            "type1-manufacturer",
            "type1-colour=red",
            "type9-serial=1",
            "type1-uuid=1234",
            "type1-serial=a\tb",
            "1-serial=a",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
